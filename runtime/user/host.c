/* The host's system calls on behalf of a program. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "user/process.h"

int64_t user_syscall_host(struct user_thread *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                          uint64_t a4, uint64_t a5) {
  (void)t;
  long r = syscall(nr, a0, a1, a2, a3, a4, a5);
  return r == -1 ? -errno : r;
}

int64_t user_syscall_masked(struct user_thread *t, uint64_t mask, uint64_t *host, long nr,
                            const uint64_t arg[6]) {
  *host = mask;
  return user_syscall_host(t, nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
