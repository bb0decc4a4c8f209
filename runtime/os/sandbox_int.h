/* What the two sandboxes share: Landlock's interface by number, and how errors of the kernel are told. */
#ifndef ISOMER_OS_SANDBOX_INT_H
#define ISOMER_OS_SANDBOX_INT_H

#include <stddef.h>
#include <stdint.h>

/* The same on every architecture; kernel headers of the build machine may be older. */
enum { LL_CREATE_RULESET = 444, LL_ADD_RULE = 445, LL_RESTRICT_SELF = 446 };
enum { LL_VERSION = 1, LL_PATH_BENEATH = 1 };
enum {
  LL_EXECUTE = 1 << 0,
  LL_WRITE_FILE = 1 << 1,
  LL_READ_FILE = 1 << 2,
  LL_READ_DIR = 1 << 3,
  LL_TRUNCATE = 1 << 14,
  LL_IOCTL_DEV = 1 << 15,
};

struct ll_ruleset {
  uint64_t fs, net, scoped;
};

struct __attribute__((packed)) ll_path_rule {
  uint64_t allowed;
  int32_t fd;
};

/* All rights that interface version `abi` can take away. */
struct ll_ruleset sandbox_landlock_all(long abi);
/* -EOPNOTSUPP for the errors that say "not here": too old a kernel, switched off, denied by a container; else -e. */
int sandbox_missing(int e);
int sandbox_no_new_privs(char *why, size_t n);

#endif
