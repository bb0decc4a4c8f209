/* System calls that open files or read links, and old ones that set times. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "mem/space.h"
#include "user/call.h"
#include "user/path.h"

/* A file of ours in place of one that would show Isomer: read-only. */
static int64_t copy_of(struct user_thread *t, const struct user_path *p, uint64_t flags) {
  if ((flags & O_ACCMODE) != O_RDONLY || flags & O_DIRECTORY) return flags & O_DIRECTORY ? -ENOTDIR : -EACCES;
  return HOST(t, fcntl, (uint64_t)p->file, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
}

static unsigned path_flags(uint64_t open_flags) {
  const bool creates = open_flags & O_CREAT;
  return (open_flags & O_NOFOLLOW || (creates && open_flags & O_EXCL) ? USER_PATH_NOFOLLOW : 0) |
         (creates ? USER_PATH_NEW : 0);
}

int64_t call_openat(struct user_thread *t, const uint64_t arg[6]) {
  const uint64_t flags = user_set_to_host(t->process->abi, SET_open, arg[2]);
  struct user_path p;
  int64_t r = user_path(t, user_fd(t, arg[0]), arg[1], path_flags(flags), &p);
  if (r) return r;
  if (p.file >= 0) r = copy_of(t, &p, flags);
  else r = HOST(t, openat, (uint64_t)(int64_t)p.dir, (uint64_t)p.name, flags, arg[3]);
  user_path_done(&p);
  return r;
}

int64_t call_openat2(struct user_thread *t, const uint64_t arg[6]) {
  struct space *s = t->process->space;
  struct open_how how;
  struct user_path p;
  char more[256];
  if (arg[3] < sizeof how) return -EINVAL;
  if (arg[3] > GUEST_PAGE_SIZE) return -E2BIG;
  int64_t r = space_read(s, arg[2], &how, sizeof how);
  for (uint64_t at = sizeof how; !r && at < arg[3];
       at += sizeof more) { /* members that this version does not know must be 0 */
    const uint64_t n = arg[3] - at < sizeof more ? arg[3] - at : sizeof more;
    r = space_read(s, arg[2] + at, more, n);
    for (uint64_t i = 0; !r && i < n; i++)
      if (more[i]) r = -E2BIG;
  }
  if (r) return r;
  how.flags = user_set_to_host(t->process->abi, SET_open, how.flags);
  const int dir = user_fd(t, arg[0]);
  if (how.resolve &
      (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) { /* the program's directory is the root: nothing to look up */
    if ((r = space_string(s, arg[1], p.text, sizeof p.text)) < 0) return r;
    return HOST(t, openat2, (uint64_t)(int64_t)dir, (uint64_t)p.text, (uint64_t)&how, sizeof how);
  }
  if ((r = user_path(t, dir, arg[1], path_flags(how.flags), &p))) return r;
  if (p.file >= 0) r = copy_of(t, &p, how.flags);
  else r = HOST(t, openat2, (uint64_t)(int64_t)p.dir, (uint64_t)p.name, (uint64_t)&how, sizeof how);
  user_path_done(&p);
  return r;
}

int64_t call_readlinkat(struct user_thread *t, const uint64_t arg[6]) {
  char text[PATH_MAX];
  const int size = (int)arg[3];
  if (size <= 0) return -EINVAL;
  int n = user_path_link(t, user_fd(t, arg[0]), arg[1], text);
  if (n < 0) return n;
  if (n > size) n = size;
  int r = space_write(t->process->space, arg[2], text, (uint64_t)n);
  return r ? r : n;
}

int64_t call_getcwd(struct user_thread *t, const uint64_t arg[6]) {
  char host[PATH_MAX];
  int64_t n = HOST(t, getcwd, (uint64_t)host, sizeof host);
  if (n < 0) return n;
  const char *shown = sysroot_shown(&t->process->root, host);
  n = (int64_t)strlen(shown) + 1;
  if (arg[1] < (uint64_t)n) return -ERANGE;
  int r = space_write(t->process->space, arg[0], shown, (uint64_t)n);
  return r ? r : n;
}

static int64_t set_times(struct user_thread *t, uint64_t dirfd, gva_t path, const struct timespec times[2]) {
  struct user_path p = {.owned = -1};
  const int dir = user_fd(t, dirfd);
  int64_t r = path ? user_path(t, dir, path, 0, &p) : 0;
  if (r) return r;
  r = HOST(t, utimensat, (uint64_t)(int64_t)(path ? p.dir : dir), (uint64_t)(path ? p.name : NULL),
           (uint64_t)times, 0);
  user_path_done(&p);
  return r;
}

int64_t call_futimesat(struct user_thread *t, const uint64_t arg[6]) {
  int64_t in[2][2];
  struct timespec times[2];
  if (!arg[2]) return set_times(t, arg[0], arg[1], NULL);
  int r = space_read(t->process->space, arg[2], in, sizeof in);
  if (r) return r;
  for (unsigned i = 0; i < 2; i++) {
    if (in[i][1] < 0 || in[i][1] >= 1000000) return -EINVAL;
    times[i] = (struct timespec){in[i][0], in[i][1] * 1000};
  }
  return set_times(t, arg[0], arg[1], times);
}

int64_t call_utimes(struct user_thread *t, const uint64_t arg[6]) {
  return call_futimesat(t, (const uint64_t[6]){(uint64_t)AT_FDCWD, arg[0], arg[1]});
}

int64_t call_utime(struct user_thread *t, const uint64_t arg[6]) {
  int64_t in[2];
  if (!arg[1]) return set_times(t, (uint64_t)AT_FDCWD, arg[0], NULL);
  int r = space_read(t->process->space, arg[1], in, sizeof in);
  return r ? r : set_times(t, (uint64_t)AT_FDCWD, arg[0], (const struct timespec[2]){{in[0], 0}, {in[1], 0}});
}

int64_t call_time(struct user_thread *t, const uint64_t arg[6]) {
  const int64_t now = time(NULL);
  int r = arg[0] ? space_write(t->process->space, arg[0], &now, sizeof now) : 0;
  return r ? r : now;
}
