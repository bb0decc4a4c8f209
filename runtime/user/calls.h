/* The system calls there are: one line each, with the number it has in every ABI. Also what their implementations share.
 * Numbers: Linux include/uapi/asm-generic/unistd.h (riscv64, arm64), arch/x86/entry/syscalls/syscall_64.tbl. */
#ifndef ISOMER_USER_CALLS_H
#define ISOMER_USER_CALLS_H

#include "user/process.h"

#define NO_CALL 0xffff /* the ABI has none */
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
  X(waitid, 95, 247)          \
  X(set_tid_address, 96, 218) \
  X(futex, 98, 202)           \
  X(set_robust_list, 99, 273) \
  X(nanosleep, 101, 35)       \
  X(getitimer, 102, 36)       \
  X(setitimer, 103, 38)       \
  X(timer_create, 107, 222)   \
  X(timer_gettime, 108, 224)  \
  X(timer_getoverrun, 109, 225) \
  X(timer_settime, 110, 223)  \
  X(timer_delete, 111, 226)   \
  X(clock_gettime, 113, 228)  \
  X(clock_getres, 114, 229)   \
  X(clock_nanosleep, 115, 230) \
  X(sched_yield, 124, 24)     \
  X(kill, 129, 62)            \
  X(tkill, 130, 200)          \
  X(tgkill, 131, 234)         \
  X(sigaltstack, 132, 131)    \
  X(rt_sigsuspend, 133, 130)  \
  X(rt_sigaction, 134, 13)    \
  X(rt_sigprocmask, 135, 14)  \
  X(rt_sigpending, 136, 127)  \
  X(rt_sigtimedwait, 137, 128) \
  X(rt_sigqueueinfo, 138, 129) \
  X(rt_sigreturn, 139, 15)    \
  X(times, 153, 100)          \
  X(setpgid, 154, 109)        \
  X(getpgid, 155, 121)        \
  X(getsid, 156, 124)         \
  X(setsid, 157, 112)         \
  X(uname, 160, 63)           \
  X(getrusage, 165, 98)       \
  X(prctl, 167, 157)          \
  X(getpid, 172, 39)          \
  X(getppid, 173, 110)        \
  X(getuid, 174, 102)         \
  X(geteuid, 175, 107)        \
  X(getgid, 176, 104)         \
  X(getegid, 177, 108)        \
  X(gettid, 178, 186)         \
  X(brk, 214, 12)             \
  X(munmap, 215, 11)          \
  X(clone, 220, 56)           \
  X(mmap, 222, 9)             \
  X(mprotect, 226, 10)        \
  X(rt_tgsigqueueinfo, 240, 297) \
  X(wait4, 260, 61)           \
  X(prlimit64, 261, 302)      \
  X(getrandom, 278, 318)      \
  X(clone3, 435, 435)         \
  X(fork, NO_CALL, 57)        \
  X(vfork, NO_CALL, 58)       \
  X(pause, NO_CALL, 34)       \
  X(alarm, NO_CALL, 37)       \
  X(arch_prctl, NO_CALL, 158) \
  X(mremap, 216, 25)          \
  X(msync, 227, 26)           \
  X(mlock, 228, 149)          \
  X(munlock, 229, 150)        \
  X(mlockall, 230, 151)       \
  X(munlockall, 231, 152)     \
  X(mincore, 232, 27)         \
  X(madvise, 233, 28)         \
  X(mlock2, 284, 325) \
  X(getpgrp, NO_CALL, 111)

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
  bool tls_last;    /* clone's last two arguments: child_tid, tls instead of tls, child_tid */
  struct stat_layout stat;
};

#endif
