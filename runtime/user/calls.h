/* The system calls there are: one line each, with the number it has in every ABI. Also what their implementations share.
 * Numbers: Linux include/uapi/asm-generic/unistd.h (riscv64, arm64), arch/x86/entry/syscalls/syscall_64.tbl. */
#ifndef ISOMER_USER_CALLS_H
#define ISOMER_USER_CALLS_H

#include "user/process.h"

/*      name             generic  x86_64 */
#define USER_CALLS(X)         \
  X(ioctl, 29, 16)            \
  X(close, 57, 3)             \
  X(lseek, 62, 8)             \
  X(read, 63, 0)              \
  X(write, 64, 1)             \
  X(writev, 66, 20)           \
  X(readlinkat, 78, 267)      \
  X(newfstatat, 79, 262)      \
  X(fstat, 80, 5)             \
  X(exit, 93, 60)             \
  X(exit_group, 94, 231)      \
  X(set_tid_address, 96, 218) \
  X(set_robust_list, 99, 273) \
  X(clock_gettime, 113, 228)  \
  X(clock_getres, 114, 229)   \
  X(rt_sigprocmask, 135, 14)  \
  X(uname, 160, 63)           \
  X(getuid, 174, 102)         \
  X(geteuid, 175, 107)        \
  X(getgid, 176, 104)         \
  X(getegid, 177, 108)        \
  X(brk, 214, 12)             \
  X(munmap, 215, 11)          \
  X(mremap, 216, 25)          \
  X(mmap, 222, 9)             \
  X(mprotect, 226, 10)        \
  X(msync, 227, 26)           \
  X(mlock, 228, 149)          \
  X(munlock, 229, 150)        \
  X(mlockall, 230, 151)       \
  X(munlockall, 231, 152)     \
  X(mincore, 232, 27)         \
  X(madvise, 233, 28)         \
  X(prlimit64, 261, 302)      \
  X(getrandom, 278, 318)      \
  X(mlock2, 284, 325)

enum call {
#define X(name, generic, x86) CALL_##name,
  USER_CALLS(X)
#undef X
      CALLS
};

/* A call's result, or -errno (Linux numbers, which every ABI here shares). */
#define X(name, generic, x86) int64_t call_##name(struct user_thread *t, const uint64_t arg[6]);
USER_CALLS(X)
#undef X

/* Where an ABI's `struct stat` has its members: byte offset and width; width 0: there is none. */
struct stat_member {
  uint8_t off, width;
};
struct stat_layout {
  uint8_t size;
  struct stat_member dev, ino, mode, nlink, uid, gid, rdev, blksize, blocks, bytes;
  uint8_t atime, mtime, ctime; /* two 64-bit words each: seconds, nanoseconds */
};

/* What system calls of one ISA look like. */
struct user_abi {
  uint16_t machine; /* EM_* */
  const char *uts;  /* uname's machine */
  uint16_t column;  /* of USER_CALLS */
  struct stat_layout stat;
};

#endif
