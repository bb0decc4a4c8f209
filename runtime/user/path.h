/* Where a program's path leads on the host: the sysroot, and the files of /proc that would show Isomer instead of the
 * program. Every system call that takes a path asks here first. */
#ifndef ISOMER_USER_PATH_H
#define ISOMER_USER_PATH_H

#include <limits.h>

#include "core/types.h"

struct user_thread;

enum {
  USER_PATH_NOFOLLOW = 1, /* the last component is meant itself, even if it is a symbolic link */
  USER_PATH_NEW = 2,      /* the last component may not exist: the call would create it */
  USER_PATH_EMPTY = 4,    /* an empty path names `dirfd` itself (AT_EMPTY_PATH) */
  USER_PATH_WHOLE = 8,    /* the host's call takes no directory: `name` must be enough without one */
};

/* `dir` and `name` are what an ...at call of the host gets. */
struct user_path {
  int dir;          /* a descriptor or AT_FDCWD; AT_FDCWD with USER_PATH_WHOLE */
  const char *name; /* in `text` or constant */
  int file;  /* -1; else an open file of ours that the path stands for (/proc/self/maps): openat gives a copy
                          * of it to the program; dir and name lead to the host's file of that name */
  int owned; /* -1, or a descriptor that user_path_done closes */
  char text[PATH_MAX];
};

/* Reads the path at `path` in the program's memory (relative to `dirfd`, the program's descriptor, unless absolute) and
 * says where it is. 0, or -errno (-EFAULT, -ENAMETOOLONG, -ENOENT for an empty path, ...); whether the file exists is
 * for the call to find out. After success user_path_done is due, after the host's call. */
int user_path(struct user_thread *t, int dirfd, gva_t path, unsigned flags, struct user_path *out);
void user_path_done(struct user_path *p);

/* The text of a symbolic link as the program is to see it (readlinkat): its length, or -errno. */
int user_path_link(struct user_thread *t, int dirfd, gva_t path, char text[PATH_MAX]);

#endif
