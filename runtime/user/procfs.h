/* Files of /proc that would show Isomer where the program expects itself: docs/user-mode.md lists them. */
#ifndef ISOMER_USER_PROCFS_H
#define ISOMER_USER_PROCFS_H

#include <limits.h>

#include "core/types.h"

struct user_thread;

enum procfs_kind {
  PROCFS_NONE, /* none of ours: the host's file is right */
  PROCFS_EXE,  /* a link to the program */
  PROCFS_LINK, /* a link whose text is a path in the guest's terms: cwd, root, fd/N */
  PROCFS_TEXT, /* a file with contents of our own */
};

/* What an absolute or relative path of the program is. `name` (at least 16 bytes) gets the file's name of a PROCFS_TEXT. */
enum procfs_kind procfs_find(const struct user_thread *t, int dirfd, const char *path, char name[16]);

/* A new descriptor, close-on-exec, at the start of a copy of what the PROCFS_TEXT file `name` contains now. -errno. */
int procfs_open(struct user_thread *t, const char *name);

/* Is the host's descriptor a directory that lists this process's descriptors? */
bool procfs_is_fds(int fd);

/* Lets the host's name of this process, which ps(1) and /proc/self/comm show, be the program's. */
void procfs_set_name(const char *path);

#endif
