/* What several subcommands need: finding the ISA, reading files, hex. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/log.h"

const struct isa *cli_isa(const char *name) {
  char names[200] = "";
  size_t at = 0;
  const struct isa *isa = name ? isa_find(name) : NULL;
  if (isa) return isa;
  for (const struct isa *const *p = isa_list; *p && at < sizeof names; p++)
    at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", (*p)->name);
  if (name) log_error("--isa %s: no such ISA in this build; there is: %s", name, names);
  else log_error("--isa is needed: one of %s", names);
  return NULL;
}

int cli_read_file(const char *path, uint64_t max, uint8_t **bytes, size_t *n) {
  struct stat st;
  int r = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
  uint8_t *buf = NULL;
  *n = 0;
  if (fd < 0 || fstat(fd, &st)) {
    r = -errno;
    log_error("%s: %s", path, strerror(errno));
    goto out;
  }
  if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
    r = -EINVAL;
    if (S_ISREG(st.st_mode)) log_error("%s: larger than %" PRIu64 " MiB", path, max >> 20);
    else log_error("%s: not a regular file", path);
    goto out;
  }
  buf = malloc((size_t)st.st_size + 1);
  if (!buf) {
    r = -ENOMEM;
    log_error("%s: out of memory", path);
    goto out;
  }
  while (*n < (size_t)st.st_size) {
    ssize_t got = read(fd, buf + *n, (size_t)st.st_size - *n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      r = -errno;
      log_error("%s: %s", path, strerror(errno));
      goto out;
    }
    if (!got) break; /* it shrank */
    *n += (size_t)got;
  }
  *bytes = buf;
  buf = NULL;
out:
  free(buf);
  if (fd >= 0) close(fd);
  return r;
}

int cli_hex(const char *text, uint8_t *out, size_t max) {
  size_t n = 0;
  for (const char *p = text; *p;) {
    if (isspace((unsigned char)*p) || *p == ',') {
      p++;
      continue;
    }
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
      p += 2;
      continue;
    }
    if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) || n == max) return -EINVAL;
    const char pair[3] = {p[0], p[1], 0};
    out[n++] = (uint8_t)strtoul(pair, NULL, 16);
    p += 2;
  }
  return (int)n;
}
