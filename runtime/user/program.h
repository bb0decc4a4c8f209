/* What executing a file means: a program of a guest ISA with its dynamic linker, one of the host, or a script that names
 * another file. The same judgement serves the command line and execve; nothing is mapped here. */
#ifndef ISOMER_USER_PROGRAM_H
#define ISOMER_USER_PROGRAM_H

#include <limits.h>

#include "core/isa.h"
#include "loader/elf.h"
#include "user/sysroot.h"

struct program {
  int fd;                /* of the ELF file, close-on-exec, owned; -1: nothing is open */
  const struct isa *isa; /* NULL: a program of the host that its own kernel should run */
  struct elf elf;
  int interp_fd; /* of the dynamic linker, owned; -1: it needs none */
  struct elf interp;
  char script_host[PATH_MAX]; /* of the script that the program is the interpreter of; "": of none */
  char interp_host[PATH_MAX]; /* real path on the host; "": it needs none */
  char path[PATH_MAX];        /* of the ELF file as it was asked for: by the caller, or by the last script */
  char execfn[PATH_MAX];      /* as the caller asked for it, a script too: AT_EXECFN */
  char host[PATH_MAX];        /* real path on the host */
  const char *exe;            /* the same as the guest sees it, in `host`: /proc/self/exe */
  int argc;                   /* at least 1 */
  char **argv; /* what the program gets: a script's interpreters in front; NULL at the end; owned */
};

struct program_request {
  const struct sysroot *root;
  const struct isa
      *self; /* ISA of the process that asks: its programs stay guests even if they are the host's own. NULL:
                           * every program that can be a guest is one */
  const struct isa *want; /* refuse guests of another ISA; NULL: any */
  int dirfd;              /* `path` is relative to it; AT_FDCWD */
  const char *path;       /* as the guest names it; "": dirfd itself is the file */
  const char *shown;      /* what to call it (AT_EXECFN, argument of a script's interpreter); NULL: path */
  bool nofollow;          /* -ELOOP for a symbolic link */
  bool search;            /* a path without a slash is looked for in $PATH, as execvp(3) does */
  int argc;               /* 0: one empty argument is added, as Linux does */
  char *const *argv;
};

/* Judges the file as execve(2) does. 0, or -errno with one line in `why` that names the file:
 *   -ENOENT       it, a script's interpreter or its dynamic linker is not there
 *   -EACCES       no regular file, not executable, not readable
 *   -ENOEXEC      neither a program nor a script, of an ISA that is not there or not wanted, truncated or damaged
 *   -ELIBBAD      its dynamic linker is none, or is of another ISA
 *   -ELOOP        scripts nested more than five deep, too many links
 * and what opening a file may give. After an error nothing is owned. *out does not move afterwards. */
int program_open(const struct program_request *q, struct program *out, char *why, size_t nwhy);
void program_close(struct program *p);
/* Closes only the descriptors: what a running program needs is kept. */
void program_close_files(struct program *p);

#endif
