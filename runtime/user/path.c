/* Where a program's path leads on the host: to the same path. /proc/self/exe is the program. */
#define _GNU_SOURCE
#include "user/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/space.h"
#include "user/process.h"

int user_path(struct user_thread *t, int dirfd, gva_t path, unsigned flags, struct user_path *out) {
  out->file = out->owned = -1;
  out->dir = dirfd;
  out->name = out->text;
  int64_t n = space_string(t->process->space, path, out->text, sizeof out->text);
  if (n < 0) return (int)n;
  if (!n && !(flags & USER_PATH_EMPTY)) return -ENOENT;
  if (!(flags & USER_PATH_NOFOLLOW) && !strcmp(out->text, "/proc/self/exe"))
    snprintf(out->text, sizeof out->text, "%s", t->process->image.path);
  if (flags & USER_PATH_WHOLE) out->dir = AT_FDCWD;
  return 0;
}

void user_path_done(struct user_path *p) {
  if (p->owned >= 0) close(p->owned);
}

int user_path_link(struct user_thread *t, int dirfd, gva_t path, char text[PATH_MAX]) {
  struct user_path p;
  int r = user_path(t, dirfd, path, USER_PATH_NOFOLLOW | USER_PATH_EMPTY, &p);
  if (r) return r;
  if (!strcmp(p.text, "/proc/self/exe")) {
    char *real = realpath(t->process->image.path, NULL);
    r = real ? snprintf(text, PATH_MAX, "%s", real) : -errno;
    free(real);
  } else {
    ssize_t n = readlinkat(p.dir, p.name, text, PATH_MAX);
    r = n < 0 ? -errno : (int)n;
  }
  user_path_done(&p);
  return r;
}
