/* A main for fuzz targets where libFuzzer gives none: runs the files given, all files below directories given, or standard
 * input. Built by AFL++'s compiler it is the persistent mode. A finding aborts; its file is named first. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

static unsigned done;

static bool read_all(FILE *f, uint8_t **bytes, size_t *n) {
  size_t room = 0, got;
  *bytes = NULL;
  *n = 0;
  do {
    room = 2 * room + 4096;
    uint8_t *grown = realloc(*bytes, room);
    if (!grown) {
      free(*bytes);
      *bytes = NULL;
      return false;
    }
    *bytes = grown;
    got = fread(*bytes + *n, 1, room - *n, f);
    *n += got;
  } while (got && *n == room);
  return !ferror(f);
}

/* The input in a block of its exact size, so that a sanitizer sees reads past its end. */
static void run(const uint8_t *bytes, size_t n) {
  uint8_t *exact = malloc(n ? n : 1);
  if (!exact) finding("out of memory");
  memcpy(exact, bytes, n);
  LLVMFuzzerTestOneInput(exact, n);
  free(exact);
  done++;
}

static int visible(const struct dirent *d) { return d->d_name[0] != '.'; }

static int replay(const char *path) {
  struct stat st;
  if (stat(path, &st)) goto failed;
  if (S_ISDIR(st.st_mode)) {
    struct dirent **list;
    int n = scandir(path, &list, visible, alphasort), rc = 0;
    if (n < 0) goto failed;
    for (int i = 0; i < n; i++) {
      char below[4096];
      snprintf(below, sizeof below, "%s/%s", path, list[i]->d_name);
      if (!rc) rc = replay(below);
      free(list[i]);
    }
    free(list);
    return rc;
  }
  uint8_t *bytes;
  size_t n;
  FILE *f = fopen(path, "rb");
  if (!f) goto failed;
  bool ok = read_all(f, &bytes, &n);
  fclose(f);
  if (!ok) {
    free(bytes);
    goto failed;
  }
  printf("%s\n", path);
  fflush(stdout);
  run(bytes, n);
  free(bytes);
  return 0;
failed:
  fprintf(stderr, "%s: %s\n", path, strerror(errno));
  return 2;
}

#ifdef __AFL_HAVE_MANUAL_CONTROL
#include <unistd.h>
__AFL_FUZZ_INIT();

static int standard_input(void) {
  __AFL_INIT();
  const uint8_t *bytes = __AFL_FUZZ_TESTCASE_BUF;
  while (__AFL_LOOP(10000)) run(bytes, (size_t)__AFL_FUZZ_TESTCASE_LEN);
  return 0;
}
#else
static int standard_input(void) {
  uint8_t *bytes;
  size_t n;
  if (!read_all(stdin, &bytes, &n)) {
    perror("standard input");
    free(bytes);
    return 2;
  }
  run(bytes, n);
  free(bytes);
  return 0;
}
#endif

int main(int argc, char **argv) {
  if (argc < 2) return standard_input();
  for (int i = 1; i < argc; i++) {
    int rc = replay(argv[i]);
    if (rc) return rc;
  }
  printf("%u inputs\n", done);
  return 0;
}
