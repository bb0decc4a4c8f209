/* System calls about the process in which Isomer takes part. Those about groups, children and timers the host's kernel does
 * alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "mem/space.h"
#include "user/call.h"

/* Limits of this process. What concerns memory is remembered, not imposed: Isomer's own counts to the host's kernel. */
int64_t call_prlimit64(struct user_thread *t, const uint64_t arg[6]) {
  struct user_process *p = t->process;
  const unsigned which = (unsigned)arg[1];
  const bool own = !(int)arg[0] || (int)arg[0] == getpid();
  uint64_t new[2], old[2];
  int r = arg[2] ? space_read(p->space, arg[2], new, sizeof new) : 0;
  if (r) return r;
  struct user_limit *kept = which == RLIMIT_STACK  ? &p->limit[0]
                            : which == RLIMIT_DATA ? &p->limit[1]
                            : which == RLIMIT_AS   ? &p->limit[2]
                                                   : NULL;
  const bool set = arg[2] && !(own && kept);
  int64_t e =
      user_syscall_host(t, SYS_prlimit64, arg[0], which, set ? (uintptr_t) new : 0, (uintptr_t)old, 0, 0);
  if (e) return e;
  if (own && kept) {
    pthread_mutex_lock(&p->lock);
    if (kept->set) memcpy(old, kept->value, sizeof old);
    else if (which == RLIMIT_STACK) old[0] = USER_STACK_SIZE;
    if (arg[2] && new[0] > new[1]) e = -EINVAL;
    else if (arg[2] && new[1] > old[1] && geteuid()) e = -EPERM;
    else if (arg[2]) {
      memcpy(kept->value, new, sizeof new);
      kept->set = true;
    }
    pthread_mutex_unlock(&p->lock);
    if (e) return e;
  }
  return arg[3] ? space_write(p->space, arg[3], old, sizeof old) : 0;
}

/* Seconds left of the alarm before, rounded as Linux does. */
int64_t call_alarm(struct user_thread *t, const uint64_t arg[6]) {
  struct itimerval in = {.it_value.tv_sec = (uint32_t)arg[0] & INT32_MAX}, old;
  int64_t r = user_syscall_host(t, SYS_setitimer, ITIMER_REAL, (uintptr_t)&in, (uintptr_t)&old, 0, 0, 0);
  if (r) return r;
  return old.it_value.tv_sec +
         (old.it_value.tv_usec >= 500000 || (!old.it_value.tv_sec && old.it_value.tv_usec));
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
