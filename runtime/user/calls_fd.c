/* System calls on descriptors in which Isomer takes part: closing and duplicating without touching its own, and those whose
 * last argument depends on a command. */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "mem/space.h"
#include "user/call.h"
#include "user/procfs.h"

int64_t call_close(struct user_thread *t, const uint64_t arg[6]) {
  return HOST(t, close, (uint64_t)(int64_t)user_fd(t, arg[0]));
}

/* Part by part, around Isomer's own. */
int64_t call_close_range(struct user_thread *t, const uint64_t arg[6]) {
  const struct user_process *p = t->process;
  uint32_t first = (uint32_t)arg[0], last = (uint32_t)arg[1], flags = (uint32_t)arg[2];
  if (first > last) return -EINVAL;
  for (;;) {
    uint32_t own = UINT32_MAX; /* the next one in the way */
    for (unsigned i = 0; i < p->nown; i++)
      if ((uint32_t)p->own[i] >= first && (uint32_t)p->own[i] < own) own = (uint32_t)p->own[i];
    if (own > last) return HOST(t, close_range, first, last, flags);
    int64_t r = own > first ? HOST(t, close_range, first, own - 1, flags) : 0;
    if (r || own == last) return r;
    first = own + 1;
    flags &= ~(uint32_t)CLOSE_RANGE_UNSHARE; /* done */
  }
}

int64_t call_dup3(struct user_thread *t, const uint64_t arg[6]) {
  if (user_fd_hidden(t->process, (int)arg[1])) return -EBADF;
  return HOST(t, dup3, (uint64_t)(int64_t)user_fd(t, arg[0]), arg[1], arg[2]);
}

int64_t call_dup2(struct user_thread *t, const uint64_t arg[6]) {
  if ((int)arg[0] != (int)arg[1]) return call_dup3(t, (const uint64_t[6]){arg[0], arg[1], 0});
  int64_t r = HOST(t, fcntl, (uint64_t)(int64_t)user_fd(t, arg[0]), F_GETFD);
  return r < 0 ? r : (int)arg[0];
}

int64_t call_fcntl(struct user_thread *t, const uint64_t arg[6]) {
  const struct user_abi *abi = t->process->abi;
  const uint64_t fd = (uint64_t)(int64_t)user_fd(t, arg[0]);
  uint64_t value = arg[2];
  switch ((int)arg[1]) {
  case F_GETFL: {
    int64_t flags = HOST(t, fcntl, fd, F_GETFL);
    return flags < 0 ? flags : (int64_t)user_set_to_guest(abi, SET_open, (uint64_t)flags);
  }
  case F_SETFL: value = user_set_to_host(abi, SET_open, value); break;
  case F_GETLK:
  case F_OFD_GETLK: value = user_pointer(t, value, user_structs[STRUCT_flock].size, ARG_IN | ARG_OUT); break;
  case F_SETLK:
  case F_SETLKW:
  case F_OFD_SETLK:
  case F_OFD_SETLKW: value = user_pointer(t, value, user_structs[STRUCT_flock].size, ARG_IN); break;
  case F_GETOWN_EX: value = user_pointer(t, value, user_structs[STRUCT_f_owner].size, ARG_OUT); break;
  case F_SETOWN_EX: value = user_pointer(t, value, user_structs[STRUCT_f_owner].size, ARG_IN); break;
  case F_GET_RW_HINT:
  case F_GET_FILE_RW_HINT: value = user_pointer(t, value, sizeof(uint64_t), ARG_OUT); break;
  case F_SET_RW_HINT:
  case F_SET_FILE_RW_HINT: value = user_pointer(t, value, sizeof(uint64_t), ARG_IN); break;
  case F_DUPFD:
  case F_DUPFD_CLOEXEC:
  case F_GETFD:
  case F_SETFD:
  case F_SETOWN:
  case F_GETOWN:
  case F_SETSIG:
  case F_GETSIG:
  case F_SETLEASE:
  case F_GETLEASE:
  case F_NOTIFY:
  case F_SETPIPE_SZ:
  case F_GETPIPE_SZ:
  case F_ADD_SEALS:
  case F_GET_SEALS: break;
  default: return (int)fd < 0 ? -EBADF : -EINVAL;
  }
  return HOST(t, fcntl, fd, arg[1], value);
}

/* The list of interfaces: a length and a pointer to room for them. */
static int64_t interfaces(struct user_thread *t, uint64_t fd, gva_t at) {
  struct {
    int32_t len, pad;
    uint64_t buf;
  } conf;
  if (space_read(t->process->space, at, &conf, sizeof conf)) return -EFAULT;
  conf.buf = user_pointer(t, conf.buf, conf.len > 0 ? (uint64_t)conf.len : 0, ARG_OUT);
  int64_t r = HOST(t, ioctl, fd, SIOCGIFCONF, (uint64_t)&conf);
  return r < 0 || !space_write(t->process->space, at, &conf.len, sizeof conf.len) ? r : -EFAULT;
}

const struct ioctl_info *user_ioctl_info(uint32_t request) {
  for (unsigned i = 0; i < user_nioctls; i++)
    if (user_ioctls[i].request == request) return &user_ioctls[i];
  return NULL;
}

int64_t call_ioctl(struct user_thread *t, const uint64_t arg[6]) {
  const struct ioctl_info *info = user_ioctl_info((uint32_t)arg[1]);
  uint64_t fd = (uint64_t)(int64_t)user_fd(t, arg[0]), value = arg[2];
  struct file_clone_range range;
  if (!info) {
    const int r = (int)HOST(t, fcntl, fd, F_GETFD);
    if (r < 0) return r;
    user_unknown_ioctl(t, (uint32_t)arg[1]);
    return -ENOTTY;
  }
  if (info->request == SIOCGIFCONF) return interfaces(t, fd, value);
  switch (info->arg.kind) {
  case ARG_MEM: value = user_pointer(t, value, (uint64_t)info->arg.width * info->arg.n, info->arg.dir); break;
  case ARG_STRUCT:
    if (info->request == (uint32_t)FICLONERANGE) { /* has a descriptor in it */
      if (space_read(t->process->space, value, &range, sizeof range)) return -EFAULT;
      range.src_fd = user_fd(t, (uint64_t)range.src_fd);
      value = (uint64_t)&range;
    } else {
      value = user_pointer(t, value, user_structs[info->arg.type].size, info->arg.dir);
    }
    break;
  case ARG_FD: value = (uint64_t)(int64_t)user_fd(t, value); break;
  default: break;
  }
  return HOST(t, ioctl, fd, info->request, value);
}

int64_t call_epoll_create(struct user_thread *t, const uint64_t arg[6]) {
  return (int)arg[0] <= 0 ? -EINVAL : HOST(t, epoll_create1, 0);
}

enum { DIRENT_RECLEN = 16, DIRENT_NAME = 19, DIRENT_BLOCK = 32768 };

/* Fills buf with entries of the program's directory `fd`; descriptors of ours are not listed. */
static int64_t entries(struct user_thread *t, int fd, uint8_t *buf, uint32_t size) {
  const bool hides = t->process->nown && procfs_is_fds(fd);
  int64_t n, left;
  do {
    n = left = HOST(t, getdents64, (uint64_t)(int64_t)fd, (uint64_t)buf, size);
    for (uint8_t *e = buf; hides && e < buf + left;) {
      uint16_t len;
      memcpy(&len, e + DIRENT_RECLEN, sizeof len);
      const char *name = (const char *)e + DIRENT_NAME;
      if (*name >= '0' && *name <= '9' && user_fd_hidden(t->process, atoi(name))) {
        memmove(e, e + len, (size_t)(buf + left - (e + len)));
        left -= len;
      } else e += len;
    }
  } while (n > 0 && !left); /* none would mean the end */
  return left;
}

int64_t call_getdents64(struct user_thread *t, const uint64_t arg[6]) {
  uint8_t buf[DIRENT_BLOCK] __attribute__((aligned(8)));
  const uint32_t size = (uint32_t)arg[2] < sizeof buf ? (uint32_t)arg[2] : sizeof buf;
  int r = user_touch(t, arg[1], size, ARG_OUT);
  int64_t n = entries(t, user_fd(t, arg[0]), r ? (uint8_t *)USER_NOWHERE : buf, size);
  if (n > 0 && (r = space_write(t->process->space, arg[1], buf, (uint64_t)n))) return r;
  return n;
}

/* The old entry has the file's type behind the name, the new one before it: both are as long. */
int64_t call_getdents(struct user_thread *t, const uint64_t arg[6]) {
  enum { OLD_NAME = 18, TYPE = 18 };
  uint8_t buf[DIRENT_BLOCK] __attribute__((aligned(8)));
  const uint32_t size = (uint32_t)arg[2] < sizeof buf ? (uint32_t)arg[2] : sizeof buf;
  int r = user_touch(t, arg[1], size, ARG_OUT);
  int64_t n = entries(t, user_fd(t, arg[0]), r ? (uint8_t *)USER_NOWHERE : buf, size);
  for (int64_t at = 0; at < n;) {
    uint8_t *e = buf + at;
    uint16_t len;
    memcpy(&len, e + DIRENT_RECLEN, sizeof len);
    const uint8_t type = e[TYPE];
    memmove(e + OLD_NAME, e + DIRENT_NAME, len - DIRENT_NAME);
    e[len - 1] = type;
    at += len;
  }
  if (n > 0 && (r = space_write(t->process->space, arg[1], buf, (uint64_t)n))) return r;
  return n;
}
