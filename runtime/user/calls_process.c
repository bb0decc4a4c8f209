/* System calls about processes, their groups and children, and about timers. Structures have the host's layout in every ABI
 * here (64 bits, little-endian). */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "user/calls.h"

enum { SIGINFO = 128, RUSAGE = 144, TIMESPEC = 16, ITIMERVAL = 32, ITIMERSPEC = 32, SIGEVENT = 64, TMS = 32 };

#define HOST(name)                                                                           \
  int64_t call_##name(struct user_thread *t, const uint64_t arg[6]) {                        \
    return user_syscall_host(t, SYS_##name, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]); \
  }
HOST(getpid)
HOST(getppid)
HOST(getpgid)
HOST(setpgid)
HOST(getsid)
HOST(setsid)
HOST(sched_yield)
HOST(timer_getoverrun)
HOST(timer_delete)

int64_t call_getpgrp(struct user_thread *t, const uint64_t arg[6]) {
  (void)arg;
  return user_syscall_host(t, SYS_getpgid, 0, 0, 0, 0, 0, 0);
}

/* Makes a host call with the `in` bytes of argument i and room for the `out` bytes of argument o (-1: none), which are
 * copied when the call succeeds. */
static int64_t with(struct user_thread *t, long nr, const uint64_t arg[6], int i, unsigned in, int o, unsigned out) {
  uint8_t from[SIGEVENT], to[RUSAGE];
  uint64_t a[6];
  memcpy(a, arg, sizeof a);
  if (i >= 0 && arg[i]) {
    int r = space_read(t->process->space, arg[i], from, in);
    if (r) return r;
    a[i] = (uintptr_t)from;
  }
  if (o >= 0 && arg[o]) a[o] = (uintptr_t)to;
  const int64_t r = os_call(&t->sig.stop, nr, a);
  if (r >= 0 && o >= 0 && arg[o] && space_write(t->process->space, arg[o], to, out)) return -EFAULT;
  return r;
}

int64_t call_getitimer(struct user_thread *t, const uint64_t arg[6]) {
  return with(t, SYS_getitimer, arg, -1, 0, 1, ITIMERVAL);
}
int64_t call_setitimer(struct user_thread *t, const uint64_t arg[6]) {
  return with(t, SYS_setitimer, arg, 1, ITIMERVAL, 2, ITIMERVAL);
}
/* Threads that timers signal are named by the host's numbers, which are the guest's. */
int64_t call_timer_create(struct user_thread *t, const uint64_t arg[6]) {
  return with(t, SYS_timer_create, arg, 1, SIGEVENT, 2, 4);
}
int64_t call_timer_gettime(struct user_thread *t, const uint64_t arg[6]) {
  return with(t, SYS_timer_gettime, arg, -1, 0, 1, ITIMERSPEC);
}
int64_t call_timer_settime(struct user_thread *t, const uint64_t arg[6]) {
  return with(t, SYS_timer_settime, arg, 2, ITIMERSPEC, 3, ITIMERSPEC);
}
int64_t call_getrusage(struct user_thread *t, const uint64_t arg[6]) {
  return with(t, SYS_getrusage, arg, -1, 0, 1, RUSAGE);
}
int64_t call_times(struct user_thread *t, const uint64_t arg[6]) {
  return with(t, SYS_times, arg, -1, 0, 0, TMS);
}

/* What is left of the time is told only when a signal has ended the sleep. */
static int64_t sleep_call(struct user_thread *t, long nr, const uint64_t arg[6], unsigned i, bool relative) {
  uint64_t from[2], left[2] = {0}, a[6];
  memcpy(a, arg, sizeof a);
  int r = space_read(t->process->space, arg[i], from, sizeof from);
  if (r) return r;
  a[i] = (uintptr_t)from;
  if (arg[i + 1]) a[i + 1] = (uintptr_t)left;
  const int64_t n = os_call(&t->sig.stop, nr, a);
  if (n == -EINTR && relative && arg[i + 1] && space_write(t->process->space, arg[i + 1], left, sizeof left)) return -EFAULT;
  return n;
}

int64_t call_nanosleep(struct user_thread *t, const uint64_t arg[6]) {
  return sleep_call(t, SYS_nanosleep, arg, 0, true);
}
int64_t call_clock_nanosleep(struct user_thread *t, const uint64_t arg[6]) {
  return sleep_call(t, SYS_clock_nanosleep, arg, 2, !(arg[1] & 1)); /* TIMER_ABSTIME */
}

/* Seconds left of the alarm before, rounded as Linux does. */
int64_t call_alarm(struct user_thread *t, const uint64_t arg[6]) {
  struct itimerval in = {.it_value.tv_sec = (uint32_t)arg[0] & INT32_MAX}, old;
  int64_t r = user_syscall_host(t, SYS_setitimer, ITIMER_REAL, (uintptr_t)&in, (uintptr_t)&old, 0, 0, 0);
  if (r) return r;
  return old.it_value.tv_sec +
         (old.it_value.tv_usec >= 500000 || (!old.it_value.tv_sec && old.it_value.tv_usec));
}

int64_t call_wait4(struct user_thread *t, const uint64_t arg[6]) {
  uint8_t usage[RUSAGE];
  int32_t status;
  const int64_t r = user_syscall_host(t, SYS_wait4, arg[0], (uintptr_t)&status, arg[2], arg[3] ? (uintptr_t)usage : 0,
                                      0, 0);
  if (r <= 0) return r;
  if (arg[1] && space_write(t->process->space, arg[1], &status, sizeof status)) return -EFAULT;
  return arg[3] && space_write(t->process->space, arg[3], usage, sizeof usage) ? -EFAULT : r;
}

int64_t call_waitid(struct user_thread *t, const uint64_t arg[6]) {
  uint8_t info[SIGINFO] = {0}, usage[RUSAGE] = {0};
  const int64_t r = user_syscall_host(t, SYS_waitid, arg[0], arg[1], (uintptr_t)info, arg[3],
                                      arg[4] ? (uintptr_t)usage : 0, 0);
  if (r < 0) return r;
  if (arg[4] && space_write(t->process->space, arg[4], usage, sizeof usage)) return -EFAULT;
  enum { WRITTEN = 28 }; /* signal, errno, code, padding, pid, uid, status: the rest stays as it was */
  return arg[2] && space_write(t->process->space, arg[2], info, WRITTEN) ? -EFAULT : r;
}

/* What concerns the host process and thread is asked of the host; what concerns its memory or its tracing would show or
 * change Isomer, and what is not known here does not exist. */
int64_t call_prctl(struct user_thread *t, const uint64_t arg[6]) {
  enum { NAME = 16 };
  char name[NAME] = {0};
  int32_t word = 0;
  int64_t r;
  const uint64_t *a = arg;
  switch ((int)arg[0]) {
  case PR_SET_NAME:
    r = space_string(t->process->space, arg[1], name, sizeof name);
    if (r < 0 && r != -ENAMETOOLONG) return r;
    name[NAME - 1] = 0;
    return user_syscall_host(t, SYS_prctl, a[0], (uintptr_t)name, 0, 0, 0, 0);
  case PR_GET_NAME:
    r = user_syscall_host(t, SYS_prctl, a[0], (uintptr_t)name, 0, 0, 0, 0);
    return r ? r : space_write(t->process->space, arg[1], name, sizeof name);
  case PR_GET_PDEATHSIG:
  case PR_GET_CHILD_SUBREAPER:
    r = user_syscall_host(t, SYS_prctl, a[0], (uintptr_t)&word, a[2], a[3], a[4], 0);
    return r ? r : space_write(t->process->space, arg[1], &word, sizeof word);
  case PR_GET_TID_ADDRESS: return space_write(t->process->space, arg[1], &t->clear_tid, sizeof t->clear_tid);
  case PR_SET_PDEATHSIG:
  case PR_GET_DUMPABLE:
  case PR_SET_DUMPABLE:
  case PR_GET_KEEPCAPS:
  case PR_SET_KEEPCAPS:
  case PR_GET_TIMERSLACK:
  case PR_SET_TIMERSLACK:
  case PR_SET_CHILD_SUBREAPER:
  case PR_GET_NO_NEW_PRIVS:
  case PR_SET_NO_NEW_PRIVS:
  case PR_CAPBSET_READ:
  case PR_CAPBSET_DROP:
  case PR_CAP_AMBIENT:
  case PR_GET_SECUREBITS:
  case PR_SET_SECUREBITS:
  case PR_GET_SECCOMP: return user_syscall_host(t, SYS_prctl, a[0], a[1], a[2], a[3], a[4], 0);
  default: return -EINVAL;
  }
}

/* The thread pointer of an ABI whose programs cannot set it themselves. */
int64_t call_arch_prctl(struct user_thread *t, const uint64_t arg[6]) {
  enum { ARCH_SET_FS_ = 0x1002 };
  if (arg[0] != ARCH_SET_FS_) return -EINVAL;
  if (arg[1] >= USER_END) return -EPERM;
  t->vcpu->c->isa->arch->user_tls(t->vcpu, arg[1]);
  return 0;
}
