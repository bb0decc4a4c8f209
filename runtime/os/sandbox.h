/* What the process gives up before it runs a guest: docs/sandbox.md. One process-wide step that cannot be undone.
 *
 * Call on the only thread there is, with everything open that will be needed: threads created later inherit it all.
 * Return codes: 0; -EOPNOTSUPP when this kernel, or what confines us already, does not offer it; another -errno when it
 * failed. `why` (n bytes, n may be 0) then says what and why. */
#ifndef ISOMER_OS_SANDBOX_H
#define ISOMER_OS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox {
  /* Called on a refused system call, in the signal handler that ends the process: async-signal-safe. May be NULL. */
  void (*dying)(void);
};

/* Landlock: no path can be opened, created, removed or executed any more; no TCP port bound or connected, no signal sent
 * to other processes where the kernel knows of these. Descriptors that are open keep working. */
int sandbox_files(char *why, size_t n);

/* seccomp: system calls that are not on the list end the process with SIGSYS after one line on stderr. */
int sandbox_calls(const struct sandbox *s, char *why, size_t n);

/* Both, and no_new_privs. What the kernel lacks does not keep the other from being done: then -EOPNOTSUPP, and `why` names
 * all that is missing. After any other error nothing more was given up. */
int sandbox_enter(const struct sandbox *s, char *why, size_t n);

/* The other sandbox: of a user-mode program, whose system calls the host's kernel does. */
struct sandbox_user {
  const char *const *ro, *const
                             *rw; /* files and directories: to read; to do anything with. NULL-terminated */
  bool net;                       /* sockets may be made */
};

/* Landlock: only the paths given, /proc to read, the harmless devices of /dev, and this very executable with the libraries
 * it has loaded, to run; TCP unless `net`; no signal to processes outside. seccomp: calls that reach other processes, the
 * kernel or the machine fail with EPERM. Children inherit all of it. Both layers are needed: -EOPNOTSUPP when one is
 * missing, -ENOENT and others for a path. After an error the process may be confined in part: end it. */
int sandbox_user(const struct sandbox_user *s, char *why, size_t n);

#endif
