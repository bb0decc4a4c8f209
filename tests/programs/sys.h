/* What the programs that try groups of system calls share: each result is printed with its error's name, nothing that differs
 * from run to run is. */
#ifndef TESTS_SYS_H
#define TESTS_SYS_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define T(call)                                                                                 \
  ({                                                                                            \
    errno = 0;                                                                                  \
    long r_ = (long)(call);                                                                     \
    printf("%s = %ld%s%s\n", #call, r_, errno ? " " : "", errno ? strerrorname_np(errno) : ""); \
    r_;                                                                                         \
  })
/* The same without the value: only whether it failed. */
#define OK(call)                                                              \
  ({                                                                          \
    errno = 0;                                                                \
    long r_ = (long)(call);                                                   \
    printf("%s %s\n", #call, r_ == -1 ? strerrorname_np(errno) : "succeeds"); \
    r_;                                                                       \
  })
#define SHOW(fmt, ...) printf(fmt "\n", __VA_ARGS__)

#endif
