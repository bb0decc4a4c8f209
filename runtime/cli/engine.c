/* Options of engines: from text to settings, with the files that are opened for them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/engine.h"
#include "core/log.h"
#include "core/symbols.h"

static int setting(const char *name, const char *value, int n) {
  char text[200];
  if (snprintf(text, sizeof text, "%s%.*s", name, n, value) < (int)sizeof text) return engine_option(text);
  log_error("'%s' is too long", value);
  return -EINVAL;
}

static int dump(const char *what, const struct machine *m) {
  const char *at = strchr(what, '=');
  gva_t pc;
  int r = setting("dump=", what, at ? (int)(at - what) : (int)strlen(what));
  if (r || !at) return r;
  if (!symbols_place(m, at + 1, &pc)) {
    log_error("--dump: '%s' is no address, and no name in the symbol tables that are known", at + 1);
    return -EINVAL;
  }
  char text[32];
  snprintf(text, sizeof text, "0x%" PRIx64, pc);
  return setting("dump-at=", text, (int)strlen(text));
}

/* The engine opens its file in place of this descriptor, which is where the guest does not see it. */
static int perf(const char *name, int (*keep)(void *opaque, int fd), void *opaque) {
  char number[20];
  int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    log_error("/dev/null: %s", strerror(errno));
    return -errno;
  }
  if (keep && (fd = keep(opaque, fd)) < 0) return fd;
  snprintf(number, sizeof number, "%d", fd);
  return setting(name, number, (int)strlen(number));
}

static int reproducer(const char *path, int (*keep)(void *opaque, int fd), void *opaque) {
  char text[200];
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    log_error("%s: %s", path, strerror(errno));
    return -errno;
  }
  if (keep && (fd = keep(opaque, fd)) < 0) return fd;
  snprintf(text, sizeof text, "%d:%s", fd, path);
  return setting("reproducer=", text, (int)strlen(text));
}

int cli_engine(const struct engine_config *c, const struct machine *m, int (*keep)(void *opaque, int fd),
               void *opaque) {
  int r = c->check || c->reproducer ? engine_option("check") : 0;
  if (!r && c->reproducer) r = reproducer(c->reproducer, keep, opaque);
  if (!r && c->tier) r = setting("tier=", c->tier, (int)strlen(c->tier));
  if (!r && c->dump) r = dump(c->dump, m);
  if (!r && c->perf_map) r = perf("perf-map=", keep, opaque);
  if (!r && c->perf_dump) r = perf("perf-dump=", keep, opaque);
  for (unsigned i = 0; !r && i < c->jit.n; i++) r = setting("jit:", c->jit.at[i], (int)strlen(c->jit.at[i]));
  return r;
}
