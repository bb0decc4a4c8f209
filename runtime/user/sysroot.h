/* The directory that stands for "/" to a program (-L DIR): a guest path is looked up there first, else on the host. Turns
 * guest paths into host paths and host paths into what guests are shown; docs/user-mode.md says by which rules. Knows no
 * process and keeps no descriptor. */
#ifndef ISOMER_USER_SYSROOT_H
#define ISOMER_USER_SYSROOT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct sysroot {
  char path[PATH_MAX]; /* real, absolute, without a slash at the end */
  size_t len;          /* 0: there is none, guest paths are host paths */
};

/* -errno with the reason in `why`: no such directory, or a host that cannot look paths up inside one. `dir` NULL or "":
 * none; "/" is the host itself. */
int sysroot_open(const char *dir, struct sysroot *out, char *why, size_t nwhy);

enum {
  SYSROOT_NOFOLLOW = 1, /* a symbolic link at the end is meant itself */
  SYSROOT_CREATE = 2,   /* what is not there is going to be created */
};

/* Where the guest's `path`, relative to its descriptor `dirfd` or AT_FDCWD, lies on the host: relative to *hostdir in
 * `host`. -ENAMETOOLONG, -ELOOP, -EACCES as the lookup in the sysroot ended; what is nowhere is no error. */
int sysroot_find(const struct sysroot *s, int dirfd, const char *path, unsigned flags, int *hostdir,
                 char host[PATH_MAX]);

/* The part of an absolute host path that a guest is shown; the path itself when it is outside. */
const char *sysroot_shown(const struct sysroot *s, const char *host);

/* The real path of what descriptor `fd` (or AT_FDCWD: the working directory) refers to, as a guest is shown it; `s` NULL: as it
 * is. -errno. */
int sysroot_name(const struct sysroot *s, int fd, char out[PATH_MAX]);

#endif
