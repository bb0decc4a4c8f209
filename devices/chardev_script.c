/* The `script` back end: a console in memory, for scenarios and deterministic runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "devices/chardev.h"

static int grow(void *at, size_t *cap, size_t need) {
  void **buf = at;
  size_t n = *cap ? *cap : 4096;
  while (n < need) n *= 2;
  if (n == *cap) return 0;
  void *grown = realloc(*buf, n);
  if (!grown) return -ENOMEM;
  *buf = grown;
  *cap = n;
  return 0;
}

static void flush(struct chardev_script *s) {
  for (;;) {
    uint8_t part[64];
    size_t n = s->c.front ? s->c.front->room(s->c.front_opaque) : 0;
    if (n > s->nin) n = s->nin;
    if (n > sizeof part) n = sizeof part;
    if (!n) return;
    memcpy(part, s->in, n); /* taking input may ask for more, so it is moved first */
    s->nin -= n;
    memmove(s->in, s->in + n, s->nin);
    s->c.front->receive(s->c.front_opaque, part, n);
  }
}

static void script_write(struct chardev *c, const uint8_t *bytes, size_t n) {
  struct chardev_script *s = container_of(c, struct chardev_script, c);
  for (size_t done = 0; s->tee >= 0 && done < n;) {
    ssize_t got = write(s->tee, bytes + done, n - done);
    if (got < 0 && errno != EINTR) break;
    if (got > 0) done += (size_t)got;
  }
  if (grow(&s->out, &s->cap, s->nout + n)) {
    if (!s->lost) log_warn("console: out of memory: output of the guest is lost");
    s->lost += n;
    return;
  }
  memcpy(s->out + s->nout, bytes, n);
  s->nout += n;
  if (s->written) s->written(s->opaque);
}

static void script_accept(struct chardev *c) { flush(container_of(c, struct chardev_script, c)); }

static void script_destroy(struct chardev *c) {
  struct chardev_script *s = container_of(c, struct chardev_script, c);
  free(s->out);
  free(s->in);
  free(s);
}

static const struct chardev_ops ops = {
    .name = "script", .write = script_write, .accept = script_accept, .destroy = script_destroy};

int chardev_script_open(struct machine *m, struct chardev **out) {
  struct chardev_script *s = calloc(1, sizeof *s);
  if (!s) {
    log_error("script console: out of memory");
    return -ENOMEM;
  }
  s->c.ops = &ops;
  s->c.machine = m;
  s->tee = -1;
  *out = &s->c;
  return 0;
}

struct chardev_script *chardev_script(struct chardev *c) {
  return c && c->ops == &ops ? container_of(c, struct chardev_script, c) : NULL;
}

int chardev_script_send(struct chardev_script *s, const void *bytes, size_t n) {
  if (grow(&s->in, &s->in_cap, s->nin + n)) return -ENOMEM;
  memcpy(s->in + s->nin, bytes, n);
  s->nin += n;
  machine_lock(s->c.machine);
  flush(s);
  machine_unlock(s->c.machine);
  return 0;
}
