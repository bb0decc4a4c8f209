/* System calls on descriptors. A program has the three standard ones and no others: what else the process holds is
 * Isomer's own. Structures are translated to the program's ABI. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/types.h"
#include "user/calls.h"

enum { STANDARD = 3, BLOCK = 16384 };
enum { AT_FDCWD_ = -100, AT_SYMLINK_NOFOLLOW_ = 0x100, AT_NO_AUTOMOUNT_ = 0x800, AT_EMPTY_PATH_ = 0x1000 };
enum { TCGETS_ = 0x5401, TIOCGWINSZ_ = 0x5413 }; /* include/uapi/asm-generic/ioctls.h; x86_64 has the same */
enum { KERNEL_TERMIOS = 36, KERNEL_WINSIZE = 8 };
enum { MAX_IOV = 1024 };

/* The host's descriptor, or -EBADF. A program passes 32 bits. */
static int descriptor(const struct user_thread *t, uint64_t fd) {
  int n = (int)fd;
  return n >= 0 && n < STANDARD && !(t->process->closed >> n & 1) ? n : -EBADF;
}

int64_t call_close(struct user_thread *t, const uint64_t arg[6]) {
  int fd = descriptor(t, arg[0]);
  if (fd < 0) return fd;
  t->process->closed |= 1u << fd;
  if (fd == STDERR_FILENO) return 0; /* Isomer's own messages go there */
  int null =
      open("/dev/null", O_RDWR | O_CLOEXEC); /* the number must not be given to something of Isomer's */
  if (null < 0) return -errno;
  int r = dup2(null, fd) < 0 ? -errno : 0;
  close(null);
  return r;
}

int64_t call_lseek(struct user_thread *t, const uint64_t arg[6]) {
  int fd = descriptor(t, arg[0]);
  if (fd < 0) return fd;
  off_t at = lseek(fd, (off_t)arg[1], (int)arg[2]);
  return at < 0 ? -errno : at;
}

int64_t call_read(struct user_thread *t, const uint64_t arg[6]) {
  char buf[BLOCK];
  int fd = descriptor(t, arg[0]);
  if (fd < 0) return fd;
  uint64_t n = arg[2] < sizeof buf ? arg[2] : sizeof buf; /* fewer bytes than asked for are always allowed */
  uint64_t room = GUEST_PAGE_SIZE - (arg[1] & ~GUEST_PAGE_MASK);
  /* What is read must have a place: otherwise the bytes would be lost. */
  for (uint64_t at = 0; at < n; at += at ? GUEST_PAGE_SIZE : room) {
    if (space_allowed(t->process->space, arg[1] + at, 1, SPACE_W)) continue;
    if (!at) return -EFAULT;
    n = at;
    break;
  }
  ssize_t got = read(fd, buf, n);
  if (got < 0) return -errno;
  int r = space_write(t->process->space, arg[1], buf, (uint64_t)got);
  return r ? r : got;
}

static int64_t write_all(struct user_thread *t, int fd, gva_t from, uint64_t n) {
  char buf[BLOCK];
  uint64_t done = 0;
  if (n > 0x7ffff000) n = 0x7ffff000; /* as Linux cuts it */
  if (!n) return write(fd, buf, 0) < 0 ? -errno : 0;
  while (done < n) {
    uint64_t part = n - done < sizeof buf ? n - done : sizeof buf;
    if (space_read(t->process->space, from + done, buf, part)) { /* up to the page that is not there */
      uint64_t room = GUEST_PAGE_SIZE - ((from + done) & ~GUEST_PAGE_MASK);
      if (room < part) part = room;
      if (space_read(t->process->space, from + done, buf, part)) return done ? (int64_t)done : -EFAULT;
    }
    ssize_t w = write(fd, buf, part);
    if (w < 0) return done ? (int64_t)done : -errno;
    done += (uint64_t)w;
    if ((uint64_t)w < part) break;
  }
  return (int64_t)done;
}

int64_t call_write(struct user_thread *t, const uint64_t arg[6]) {
  int fd = descriptor(t, arg[0]);
  return fd < 0 ? fd : write_all(t, fd, arg[1], arg[2]);
}

int64_t call_writev(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t iov[2];
  int64_t done = 0;
  int fd = descriptor(t, arg[0]);
  if (fd < 0) return fd;
  if (arg[2] > MAX_IOV) return -EINVAL;
  for (uint64_t i = 0; i < arg[2]; i++) {
    int r = space_read(t->process->space, arg[1] + 16 * i, iov, sizeof iov);
    int64_t w = r ? r : iov[1] ? write_all(t, fd, iov[0], iov[1]) : 0;
    if (w < 0) return done ? done : w;
    done += w;
    if ((uint64_t)w < iov[1]) break;
  }
  return done;
}

static void put(uint8_t *out, struct stat_member m, uint64_t value) {
  if (m.width) memcpy(out + m.off, &value, m.width); /* hosts and guests are little-endian */
}

static int64_t put_stat(struct user_thread *t, gva_t to, const struct stat *s) {
  const struct stat_layout *l = &t->process->abi->stat;
  uint8_t out[256] = {0};
  put(out, l->dev, s->st_dev);
  put(out, l->ino, s->st_ino);
  put(out, l->mode, s->st_mode);
  put(out, l->nlink, s->st_nlink);
  put(out, l->uid, s->st_uid);
  put(out, l->gid, s->st_gid);
  put(out, l->rdev, s->st_rdev);
  put(out, l->bytes, (uint64_t)s->st_size);
  put(out, l->blksize, (uint64_t)s->st_blksize);
  put(out, l->blocks, (uint64_t)s->st_blocks);
  const struct {
    uint8_t off;
    const struct timespec *t;
  } times[] = {{l->atime, &s->st_atim}, {l->mtime, &s->st_mtim}, {l->ctime, &s->st_ctim}};
  for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
    put(out, (struct stat_member){times[i].off, 8}, (uint64_t)times[i].t->tv_sec);
    put(out, (struct stat_member){(uint8_t)(times[i].off + 8), 8}, (uint64_t)times[i].t->tv_nsec);
  }
  return space_write(t->process->space, to, out, l->size);
}

int64_t call_fstat(struct user_thread *t, const uint64_t arg[6]) {
  struct stat s;
  int fd = descriptor(t, arg[0]);
  if (fd < 0) return fd;
  return fstat(fd, &s) ? -errno : put_stat(t, arg[1], &s);
}

int64_t call_newfstatat(struct user_thread *t, const uint64_t arg[6]) {
  char path[4096];
  struct stat s;
  int at = (int)arg[0], flags = (int)arg[3];
  if (flags & ~(AT_SYMLINK_NOFOLLOW_ | AT_NO_AUTOMOUNT_ | AT_EMPTY_PATH_)) return -EINVAL;
  int64_t r = space_string(t->process->space, arg[1], path, sizeof path);
  if (r < 0) return r;
  if (path[0] != '/' && at != AT_FDCWD_ && (at = descriptor(t, arg[0])) < 0) return at;
  return fstatat(at, path, &s, flags) ? -errno : put_stat(t, arg[2], &s);
}

/* The program's own name is asked for through /proc/self/exe. */
int64_t call_readlinkat(struct user_thread *t, const uint64_t arg[6]) {
  char path[4096], text[4096];
  int at = (int)arg[0], size = (int)arg[3];
  int64_t r = space_string(t->process->space, arg[1], path, sizeof path);
  if (r < 0) return r;
  if (size <= 0) return -EINVAL;
  ssize_t n;
  if (!strcmp(path, "/proc/self/exe")) {
    char *real = realpath(t->process->image.path, NULL);
    if (!real) return -errno;
    n = snprintf(text, sizeof text, "%s", real);
    free(real);
    if (n >= (ssize_t)sizeof text) return -ENAMETOOLONG;
  } else {
    if (path[0] != '/' && at != AT_FDCWD_ && (at = descriptor(t, arg[0])) < 0) return at;
    n = readlinkat(at, path, text, sizeof text);
    if (n < 0) return -errno;
  }
  if (n > size) n = size;
  r = space_write(t->process->space, arg[2], text, (uint64_t)n);
  return r ? r : n;
}

int64_t call_ioctl(struct user_thread *t, const uint64_t arg[6]) {
  uint8_t buf[64] = {0};
  uint64_t size;
  int fd = descriptor(t, arg[0]);
  if (fd < 0) return fd;
  switch ((uint32_t)arg[1]) {
  case TCGETS_: size = KERNEL_TERMIOS; break;
  case TIOCGWINSZ_: size = KERNEL_WINSIZE; break;
  default: return -ENOTTY;
  }
  return ioctl(fd, (unsigned long)(uint32_t)arg[1], buf) < 0
             ? -errno
             : space_write(t->process->space, arg[2], buf, size);
}
