/* Character back ends that need no terminal (null, file) and the choice among all of them. */
#include "devices/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

struct file_chardev {
  struct chardev c;
  int fd;
  bool broken; /* reported once */
};

static void null_write(struct chardev *c, const uint8_t *bytes, size_t n) { (void)c, (void)bytes, (void)n; }
static void null_destroy(struct chardev *c) { free(c); }
static const struct chardev_ops null_ops = {.name = "null", .write = null_write, .destroy = null_destroy};

static void file_write(struct chardev *c, const uint8_t *bytes, size_t n) {
  struct file_chardev *f = container_of(c, struct file_chardev, c);
  while (n && !f->broken) {
    ssize_t done = write(f->fd, bytes, n);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      log_warn("character file: %s: further output is dropped", strerror(errno));
      f->broken = true;
      return;
    }
    bytes += done;
    n -= (size_t)done;
  }
}

static void file_destroy(struct chardev *c) {
  struct file_chardev *f = container_of(c, struct file_chardev, c);
  close(f->fd);
  free(f);
}

static const struct chardev_ops file_ops = {.name = "file", .write = file_write, .destroy = file_destroy};

static int file_open(struct machine *m, const char *path, struct chardev **out) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    int rc = -errno;
    log_error("%s: %s", path, strerror(errno));
    return rc;
  }
  struct file_chardev *f = calloc(1, sizeof *f);
  if (!f) {
    close(fd);
    log_error("%s: out of memory", path);
    return -ENOMEM;
  }
  f->c.ops = &file_ops;
  f->c.machine = m;
  f->fd = fd;
  *out = &f->c;
  return 0;
}

static int null_open(struct machine *m, struct chardev **out) {
  struct chardev *c = calloc(1, sizeof *c);
  if (!c) {
    log_error("null character device: out of memory");
    return -ENOMEM;
  }
  c->ops = &null_ops;
  c->machine = m;
  *out = c;
  return 0;
}

int chardev_open(struct machine *m, const char *spec, struct chardev **out) {
  if (!strcmp(spec, "stdio")) return chardev_stdio_open(m, out);
  if (!strcmp(spec, "script")) return chardev_script_open(m, out);
  if (!strcmp(spec, "null")) return null_open(m, out);
  if (!strncmp(spec, "file:", 5) && spec[5]) return file_open(m, spec + 5, out);
  log_error("%s: not a character device: give stdio, null or file:PATH", spec);
  return -EINVAL;
}

void chardev_free(struct chardev *c) {
  if (c) c->ops->destroy(c);
}

void chardev_attach(struct chardev *c, const struct chardev_front *front, void *opaque) {
  if (!c) return;
  c->front = front;
  c->front_opaque = opaque;
  chardev_accept(c);
}

void chardev_write(struct chardev *c, const uint8_t *bytes, size_t n) {
  if (c) c->ops->write(c, bytes, n);
}

void chardev_accept(struct chardev *c) {
  if (c && c->ops->accept) c->ops->accept(c);
}
