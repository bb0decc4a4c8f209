/* Where a program's path leads on the host: sysroot.c for directories, procfs.c for files of /proc. */
#define _GNU_SOURCE
#include "user/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mem/space.h"
#include "user/process.h"
#include "user/procfs.h"

/* With USER_PATH_WHOLE: an absolute name for one that is relative to a directory. */
static int make_whole(struct user_path *out) {
  char dir[PATH_MAX], name[PATH_MAX];
  if (out->dir == AT_FDCWD || out->name[0] == '/') {
    out->dir = AT_FDCWD;
    return 0;
  }
  int r = sysroot_name(NULL, out->dir, dir);
  if (r) return r == -ENOENT ? -EBADF : r;
  strcpy(name, out->name);
  if (strlen(dir) + 1 + strlen(name) >= sizeof out->text) return -ENAMETOOLONG;
  stpcpy(stpcpy(stpcpy(out->text, dir), *name ? "/" : ""), name);
  out->dir = AT_FDCWD;
  return 0;
}

int user_path(struct user_thread *t, int dirfd, gva_t path, unsigned flags, struct user_path *out) {
  char guest[PATH_MAX], name[16];
  const struct user_process *p = t->process;
  out->file = out->owned = -1;
  out->name = out->text;
  int64_t n = space_string(p->space, path, guest, sizeof guest);
  if (n < 0) return (int)n;
  if (!n && !(flags & USER_PATH_EMPTY)) return -ENOENT;
  const bool nofollow = flags & USER_PATH_NOFOLLOW;
  const enum procfs_kind kind = procfs_find(t, dirfd, guest, name);
  if (kind == PROCFS_EXE && !nofollow) {
    out->dir = AT_FDCWD;
    strcpy(out->text, p->image.program.host);
    return 0;
  }
  int r = sysroot_find(&p->root, dirfd, guest,
                       (nofollow ? SYSROOT_NOFOLLOW : 0) | (flags & USER_PATH_NEW ? SYSROOT_CREATE : 0),
                       &out->dir, out->text);
  if (!r && flags & USER_PATH_WHOLE) r = make_whole(out);
  if (!r && kind == PROCFS_TEXT) {
    r = procfs_open(t, name);
    if (r >= 0) out->file = out->owned = r;
  }
  return r < 0 ? r : 0;
}

void user_path_done(struct user_path *p) {
  if (p->owned >= 0) close(p->owned);
}

int user_path_link(struct user_thread *t, int dirfd, gva_t path, char text[PATH_MAX]) {
  char guest[PATH_MAX], name[16], host[PATH_MAX], link[PATH_MAX];
  const struct user_process *p = t->process;
  int64_t n = space_string(p->space, path, guest, sizeof guest);
  if (n < 0) return (int)n;
  const enum procfs_kind kind = procfs_find(t, dirfd, guest, name);
  if (kind == PROCFS_EXE) return (int)strlen(strcpy(text, p->image.program.exe));
  int dir, r = sysroot_find(&p->root, dirfd, guest, SYSROOT_NOFOLLOW, &dir, host);
  if (r) return r;
  n = readlinkat(dir, host, link, sizeof link);
  if (n < 0) return -errno;
  if (n == sizeof link) return -ENAMETOOLONG;
  link[n] = 0;
  return (int)strlen(strcpy(text, kind == PROCFS_LINK ? sysroot_shown(&p->root, link) : link));
}
