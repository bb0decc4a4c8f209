/* /proc/self: what is in the files must agree with what the program knows of itself. Prints the same wherever it runs as it
 * should; a line with "wrong" is a failure. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;
extern char _end[];
static char text[1 << 18];

static void check(const char *what, int ok) { printf("%s: %s\n", what, ok ? "ok" : "wrong"); }

static ssize_t file(const char *path) {
  ssize_t n, at = 0;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  while ((n = read(fd, text + at, sizeof text - 1 - (size_t)at)) > 0) at += n;
  close(fd);
  text[at] = 0;
  return at;
}

/* Rights and name of the mapping that holds `at`, from maps or smaps. */
static int mapping(const char *path, const void *at, char rights[5], char name[PATH_MAX]) {
  FILE *f = fopen(path, "r");
  static char line[PATH_MAX + 200];
  int found = 0;
  while (f && fgets(line, sizeof line, f)) {
    unsigned long lo, hi;
    char r[5], rest[PATH_MAX] = "";
    if (sscanf(line, "%lx-%lx %4s %*x %*x:%*x %*u %4095[^\n]", &lo, &hi, r, rest) < 3) continue;
    if ((uintptr_t)at < lo || (uintptr_t)at >= hi) continue;
    strcpy(rights, r);
    strcpy(name, rest);
    found++;
  }
  if (f) fclose(f);
  return found;
}

static void sorted(void) {
  unsigned long last = 0, lo, hi;
  char *save = NULL;
  int ok = 1, lines = 0;
  file("/proc/self/maps");
  for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save), lines++) {
    if (sscanf(l, "%lx-%lx ", &lo, &hi) != 2 || lo < last || hi <= lo) ok = 0;
    last = hi;
  }
  check("maps are sorted", ok && lines > 4);
}

int main(int argc, char **argv) {
  char name[PATH_MAX], real[PATH_MAX], rights[5], path[100];
  struct utsname u;
  ssize_t n = readlink("/proc/self/exe", name, sizeof name - 1);
  name[n < 0 ? 0 : n] = 0;
  check("exe", realpath(argv[0], real) && !strcmp(name, real));
  struct stat a, b;
  check("exe is the file", !stat("/proc/self/exe", &a) && !stat(argv[0], &b) && a.st_ino == b.st_ino);
  snprintf(path, sizeof path, "/proc/%d/exe", getpid());
  check("exe by number", readlink(path, name, sizeof name) == n);
  check("exe of the thread", readlink("/proc/thread-self/exe", name, sizeof name) == n);
  int dir = open("/proc/self", O_PATH | O_DIRECTORY);
  check("exe by directory", readlinkat(dir, "exe", name, sizeof name) == n);

  n = file("/proc/self/cmdline");
  size_t at = 0;
  for (int i = 0; i < argc; i++) {
    if (strcmp(text + at, argv[i])) at = (size_t)-1 - strlen(argv[i]) - 1;
    at += strlen(argv[i]) + 1;
  }
  check("cmdline", (ssize_t)at == n);
  argv[0][0]++;
  char old = argv[0][0];
  check("cmdline follows memory", file("/proc/self/cmdline") == n && text[0] == old);
  argv[0][0]--;
  int fd = openat(dir, "cmdline", O_RDONLY);
  check("cmdline by directory", read(fd, name, sizeof name) == n);
  close(fd);
  n = file("/proc/self/environ");
  for (at = 0; n > 0 && *environ && !strcmp(text + at, *environ); environ++) at += strlen(text + at) + 1;
  check("environ", (ssize_t)at == n && !*environ);
  n = file("/proc/self/auxv");
  const uint64_t *aux = (const uint64_t *)text;
  int good = n >= 160;
  for (ssize_t i = 0; i < n / 16 && aux[2 * i]; i++)
    good &= aux[2 * i] == AT_HWCAP || getauxval(aux[2 * i]) == aux[2 * i + 1]; /* the C library may mask it */
  check("auxv", good);
  file("/proc/self/comm");
  const char *base = strrchr(real, '/') + 1;
  text[strcspn(text, "\n")] = 0;
  check("comm", strlen(text) >= 4 && !strncmp(text, base, 15));

  sorted();
  int (*volatile code)(int, char **) = main;
  check("code", mapping("/proc/self/maps", (void *)(uintptr_t)code, rights, name) == 1 &&
                    !strcmp(rights, "r-xp") && !strcmp(name, real));
  check("stack", mapping("/proc/self/maps", &n, rights, name) == 1 && !strcmp(rights, "rw-p") &&
                     !strcmp(name, "[stack]"));
  check("heap", (mapping("/proc/self/maps", (char *)sbrk(4096), rights, name), sbrk(0) > (void *)_end));
  check("heap's name",
        mapping("/proc/self/maps", (char *)sbrk(0) - 1, rights, name) == 1 && !strcmp(name, "[heap]"));
  check("vDSO", mapping("/proc/self/maps", (void *)getauxval(AT_SYSINFO_EHDR), rights, name) == 1 &&
                    !strcmp(rights, "r-xp") && !strcmp(name, "[vdso]"));
  char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[0] = page[4096] = 1;
  mprotect(page + 4096, 4096, PROT_NONE);
  check("a page without rights",
        mapping("/proc/self/maps", page + 4096, rights, name) == 1 && !strcmp(rights, "---p"));
  check("its neighbour",
        mapping("/proc/self/maps", page + 8192, rights, name) == 1 && !strcmp(rights, "rw-p"));
  check("smaps", mapping("/proc/self/smaps", page + 4096, rights, name) == 1 && !strcmp(rights, "---p"));
  file("/proc/self/smaps");
  check("smaps has figures", strstr(text, "\nRss: ") && strstr(text, "[stack]") && strstr(text, real));
  munmap(page, 3 * 4096);
  check("unmapped", mapping("/proc/self/maps", page, rights, name) == 0);

  file("/proc/self/stat");
  unsigned long v[53] = {0};
  char *p = strrchr(text, ')');
  int fields = 2;
  for (char *save, *w = strtok_r(p + 1, " \n", &save); w && fields < 52; w = strtok_r(NULL, " \n", &save))
    v[++fields] = strtoul(w, NULL, 10);
  check("stat",
        fields == 52 && (int)v[4] == getppid() && v[28] <= (uintptr_t)argv && v[28] > (uintptr_t)argv - 4096);
  check("stat has code", (uintptr_t)code >= v[26] && (uintptr_t)code < v[27]);
  check("stat has arguments",
        v[48] == (uintptr_t)argv[0] && v[49] == (uintptr_t)argv[argc - 1] + strlen(argv[argc - 1]) + 1);
  check("stat has data", (uintptr_t)text > v[45] && v[47] >= v[46]);

  fd = open("/proc/self/mem", O_RDONLY);
  check("mem", pread(fd, name, 4, (off_t)(uintptr_t)real) == 4 && !memcmp(name, real, 4));
  close(fd);
  fd = open(argv[0], O_RDONLY);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  n = readlink(path, name, sizeof name - 1);
  name[n < 0 ? 0 : n] = 0;
  check("fd", !strcmp(name, real));
  n = readlink("/proc/self/cwd", name, sizeof name - 1);
  name[n < 0 ? 0 : n] = 0;
  check("cwd", getcwd(text, sizeof text) && !strcmp(name, text));
  check("files are there", !access("/proc/self/maps", R_OK) && !stat("/proc/self/cmdline", &a) &&
                               S_ISREG(a.st_mode) && !lstat("/proc/self/exe", &a) && S_ISLNK(a.st_mode));
  uname(&u);
  fprintf(stderr, "machine %s\n", u.machine);
  if (file("/proc/cpuinfo") > 0) fputs(text, stderr);
  return 0;
}
