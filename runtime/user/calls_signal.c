/* System calls about signals. How signals reach handlers is signal.c. Sets, siginfo and clocks' values have the host's
 * layout in every ABI here (64 bits, little-endian). */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem/space.h"
#include "user/call.h"

enum { SET = 8, INFO = 128, TIMESPEC = 16 };
#define NEVER          (OS_SIGBIT(SIGKILL) | OS_SIGBIT(SIGSTOP))
#define SS_DISABLE_    2u
#define SS_ONSTACK_    1u
#define SS_AUTODISARM_ (1u << 31)
/* Flags that Linux keeps (UAPI_SA_FLAGS): NOCLDSTOP, NOCLDWAIT, SIGINFO, EXPOSE_TAGBITS, ONSTACK, RESTART, NODEFER,
 * RESETHAND; and RESTORER where there is one. */
#define SA_KEPT      UINT64_C(0xd8000807)
#define SA_RESTORER_ UINT64_C(0x04000000)

int64_t call_rt_sigaction(struct user_thread *t, const uint64_t arg[6]) {
  const bool restorer = t->vcpu->c->isa->arch->signals->restorer;
  const unsigned words = restorer ? 4 : 3;
  const int n = (int)arg[0];
  uint64_t w[4];
  struct user_action old, a;
  if (arg[3] != SET) return -EINVAL;
  if (n < 1 || n > USER_SIGNALS || (arg[1] && NEVER & OS_SIGBIT(n))) return -EINVAL;
  user_action_get(t, n, &old);
  if (arg[1]) {
    int r = space_read(t->process->space, arg[1], w, 8 * words);
    if (r) return r;
    a = (struct user_action){.handler = w[0],
                             .flags = w[1] & (SA_KEPT | (restorer ? SA_RESTORER_ : 0)),
                             .restorer = restorer ? w[2] : 0,
                             .mask = w[words - 1] & ~NEVER};
    user_action_set(t, n, &a);
  }
  if (!arg[2]) return 0;
  w[0] = old.handler;
  w[1] = old.flags;
  w[2] = old.restorer;
  w[words - 1] = old.mask;
  return space_write(t->process->space, arg[2], w, 8 * words);
}

int64_t call_rt_sigprocmask(struct user_thread *t, const uint64_t arg[6]) {
  const uint64_t old = t->sig.mask;
  uint64_t set = old;
  if (arg[3] != SET) return -EINVAL;
  if (arg[1]) {
    uint64_t in;
    int r = space_read(t->process->space, arg[1], &in, sizeof in);
    if (r) return r;
    switch ((int)arg[0]) {
    case SIG_BLOCK: set = old | in; break;
    case SIG_UNBLOCK: set = old & ~in; break;
    case SIG_SETMASK: set = in; break;
    default: return -EINVAL;
    }
    set &= ~NEVER;
    const uint64_t host = user_host_mask(set);
    /* When a signal has come meanwhile, it comes before this call. */
    int64_t done = user_syscall_host(t, SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&host, 0, SET, 0, 0);
    if (done) return done;
    t->sig.mask = set;
    for (unsigned i = 0; i < ARRAY_SIZE(t->sig.sent); i++)
      if (t->sig.sent[i].signal && !(set & OS_SIGBIT(t->sig.sent[i].signal))) t->sig.stop = 1;
  }
  return arg[2] ? space_write(t->process->space, arg[2], &old, sizeof old) : 0;
}

int64_t call_rt_sigpending(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t set = 0;
  if (arg[1] > SET) return -EINVAL;
  if (syscall(SYS_rt_sigpending, &set, sizeof set)) return -errno;
  for (unsigned i = 0; i < ARRAY_SIZE(t->sig.sent); i++)
    if (t->sig.sent[i].signal) set |= OS_SIGBIT(t->sig.sent[i].signal);
  return space_write(t->process->space, arg[0], &set, arg[1]);
}

int64_t call_rt_sigsuspend(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t mask, host;
  if (arg[1] != SET) return -EINVAL;
  int r = space_read(t->process->space, arg[0], &mask, sizeof mask);
  if (r) return r;
  return user_syscall_masked(t, mask, &host, SYS_rt_sigsuspend, (const uint64_t[6]){(uintptr_t)&host, SET});
}

int64_t call_pause(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t host;
  (void)arg;
  return user_syscall_masked(t, t->sig.mask, &host, SYS_rt_sigsuspend,
                             (const uint64_t[6]){(uintptr_t)&host, SET});
}

int64_t call_rt_sigtimedwait(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t set, limit[2];
  uint8_t info[INFO] = {0};
  if (arg[3] != SET) return -EINVAL;
  int r = space_read(t->process->space, arg[0], &set, sizeof set);
  if (!r && arg[2]) r = space_read(t->process->space, arg[2], limit, sizeof limit);
  if (r) return r;
  for (unsigned i = 0; i < ARRAY_SIZE(t->sig.sent); i++) {
    struct user_pending *p = &t->sig.sent[i];
    if (!p->signal || !(set & OS_SIGBIT(p->signal))) continue;
    r = p->signal;
    p->signal = 0;
    return arg[1] && space_write(t->process->space, arg[1], p->info, INFO) ? -EFAULT : r;
  }
  const int64_t n = user_syscall_host(t, SYS_rt_sigtimedwait, (uintptr_t)&set, (uintptr_t)info,
                                      arg[2] ? (uintptr_t)limit : 0, SET, 0, 0);
  if (n > 0 && arg[1] && space_write(t->process->space, arg[1], info, INFO)) return -EFAULT;
  return n;
}

/* 0, or why these words (stack_t) cannot be the alternate stack now. */
static int set_stack(struct user_thread *t, const uint64_t w[3]) {
  const struct arch_signals *ops = t->vcpu->c->isa->arch->signals;
  struct user_signals *s = &t->sig;
  const uint32_t flags = (uint32_t)w[1], mode = flags & ~SS_AUTODISARM_;
  if (user_on_stack(s, ops->sp(t->vcpu))) return -EPERM;
  if (mode != SS_DISABLE_ && mode != SS_ONSTACK_ && mode) return -EINVAL;
  if (mode == SS_DISABLE_) {
    memcpy(s->stack, (uint64_t[3]){0, flags, 0}, sizeof s->stack);
    return 0;
  }
  if (w[2] < ops->min_stack) return -ENOMEM;
  memcpy(s->stack, (uint64_t[3]){w[0], flags, w[2]}, sizeof s->stack);
  return 0;
}

int64_t call_sigaltstack(struct user_thread *t, const uint64_t arg[6]) {
  const struct user_signals *s = &t->sig;
  uint64_t in[3] = {0}, old[3];
  int r = arg[0] ? space_read(t->process->space, arg[0], in, sizeof in) : 0;
  if (r) return r;
  memcpy(old, s->stack, sizeof old);
  if (!(old[1] & SS_DISABLE_)) /* flags say where the thread is, and what was asked for beside that */
    old[1] = (old[1] & SS_AUTODISARM_) |
             (user_on_stack(s, t->vcpu->c->isa->arch->signals->sp(t->vcpu)) ? SS_ONSTACK_ : 0);
  if (arg[0] && (r = set_stack(t, in))) return r;
  return arg[1] ? space_write(t->process->space, arg[1], old, sizeof old) : 0;
}

int64_t call_rt_sigreturn(struct user_thread *t, const uint64_t arg[6]) {
  const struct arch_signals *ops = t->vcpu->c->isa->arch->signals;
  struct user_frame f = {0};
  (void)arg;
  ops->locate(t->vcpu, &f);
  int r = space_read(t->process->space, f.at, f.bytes, f.size);
  if (!r && ops->locate_more) {
    ops->locate_more(t->vcpu, &f);
    r = space_read(t->process->space, f.more_at, f.bytes + f.size, f.more_size);
  }
  if (r) {
    user_signals_fault(t, &(struct user_fault){SIGSEGV, SI_KERNEL, 0}, false);
    return USER_JUMPED;
  }
  ops->restore(t->vcpu, &f);
  t->sig.mask = f.mask & ~NEVER;
  t->sig.stop = 1; /* the host's mask */
  set_stack(t, f.stack);
  return USER_JUMPED;
}
