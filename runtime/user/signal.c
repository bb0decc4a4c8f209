/* Signals on their way from the host's kernel to the guest's handlers (signal.h says how). The system calls about signals
 * are in calls_signal.c; frames are the ISA's. */
#define _GNU_SOURCE
#include "user/signal.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/engine.h"
#include "os/fault.h"
#include "user/process.h"

/* sa_flags of Linux, every ABI here has the same. */
#define SA_ONSTACK_   UINT64_C(0x08000000)
#define SA_NODEFER_   UINT64_C(0x40000000)
#define SA_RESETHAND_ UINT64_C(0x80000000)
#define SA_RESTORER_  UINT64_C(0x04000000)
/* Flags that mean something to the host's kernel. */
#define SA_HOST        (UINT64_C(0x10000000) | 1 | 2) /* SA_RESTART, SA_NOCLDSTOP, SA_NOCLDWAIT */
#define SS_DISABLE_    2
#define SS_AUTODISARM_ (UINT64_C(1) << 31)

#define FAULTS         (OS_SIGBIT(SIGSEGV) | OS_SIGBIT(SIGBUS))
#define NEVER          (OS_SIGBIT(SIGKILL) | OS_SIGBIT(SIGSTOP))
/* Default action: end with a core dump. Handled here so that it can be said where. */
#define CORE                                                                                   \
  (FAULTS | OS_SIGBIT(SIGQUIT) | OS_SIGBIT(SIGILL) | OS_SIGBIT(SIGTRAP) | OS_SIGBIT(SIGABRT) | \
   OS_SIGBIT(SIGFPE) | OS_SIGBIT(SIGXCPU) | OS_SIGBIT(SIGXFSZ) | OS_SIGBIT(SIGSYS))

static __thread struct user_thread *current;

uint64_t user_host_mask(uint64_t mask) { return mask & ~FAULTS; }
uint64_t user_signals_block(void) { return os_sigmask(~FAULTS); }
void user_signals_allow(uint64_t mask) { os_sigmask(mask); }

static void take(struct user_pending *slot, int signal, const siginfo_t *info) {
  memcpy(slot->info, info, sizeof slot->info);
  __atomic_store_n(&slot->signal, signal, __ATOMIC_RELEASE);
}

static void stop(struct user_thread *t, void *context) {
  __atomic_store_n(&t->sig.stop, 1, __ATOMIC_SEQ_CST);
  os_call_interrupt(context);
  t->vcpu->c->engine_ops->kick(t->vcpu);
}

/* On the thread that is to handle the signal, anywhere in it. */
static void on_signal(int signal, siginfo_t *info, void *context) {
  if (!current) { /* a thread of Isomer's own: another one of the process takes it */
    os_handler_mask(context, ~FAULTS);
    syscall(SYS_rt_sigqueueinfo, getpid(), signal, info);
    return;
  }
  take(&current->sig.slot, signal, info);
  os_handler_mask(context, ~FAULTS);
  stop(current, context);
}

/* SIGSEGV or SIGBUS that is no fault (os/fault.h). */
static bool on_sent(int signal, siginfo_t *info, void *context) {
  if (!current) return false;
  take(&current->sig.sent[signal == SIGBUS], signal, info);
  stop(current, context);
  return true;
}

/* Tells the host what the guest wants of a signal. */
static void install(int signal, const struct user_action *a) {
  if (NEVER & OS_SIGBIT(signal)) return;
  if (FAULTS & OS_SIGBIT(signal)) return; /* always os/fault.h's */
  if (a->handler > 1) os_signal(signal, on_signal, a->flags & SA_HOST, ~FAULTS);
  else if (!a->handler && CORE & OS_SIGBIT(signal)) os_signal(signal, on_signal, 0, ~FAULTS);
  else os_signal_plain(signal, a->handler == 1, a->flags & SA_HOST);
}

void user_signals_enter(struct user_thread *t) { current = t; }

void user_signals_start(struct user_thread *t) {
  struct user_actions *actions = &t->process->actions;
  pthread_mutex_init(&actions->lock, NULL);
  current = t;
  t->sig.actions = actions;
  t->sig.mask = os_sigmask_get() & ~NEVER;
  t->sig.stack[1] = SS_DISABLE_;
  for (int n = 1; n <= USER_SIGNALS; n++) {
    if (NEVER & OS_SIGBIT(n)) continue;
    const bool ignored = os_signal_ignored(n);
    if (ignored) actions->at[n].handler = 1;
    if (!ignored && CORE & OS_SIGBIT(n)) install(n, &actions->at[n]);
  }
  os_fault_hooks(NULL, on_sent);
  t->sig.stop = 1; /* the host's mask */
}

void user_signals_copy(struct user_thread *t, const struct user_thread *from) {
  t->sig = (struct user_signals){.stop = 1, .actions = from->sig.actions, .mask = from->sig.mask};
  t->sig.stack[1] = SS_DISABLE_;
}

static void lock(struct user_actions *a) { pthread_mutex_lock(&a->lock); }
static void unlock(struct user_actions *a) { pthread_mutex_unlock(&a->lock); }

void user_signals_clear(struct user_thread *t) {
  struct user_actions *a = t->sig.actions;
  lock(a);
  for (int n = 1; n <= USER_SIGNALS; n++) {
    if (a->at[n].handler <= 1) continue;
    a->at[n] = (struct user_action){0};
    install(n, &a->at[n]);
  }
  unlock(a);
}

void user_signals_reclaim(struct user_thread *t) {
  struct user_actions *a = t->sig.actions;
  lock(a);
  for (int n = 32; n <= 33; n++) install(n, &a->at[n]);
  unlock(a);
}

void user_signals_exec(struct user_thread *t, bool on) {
  struct user_actions *a = t->sig.actions;
  lock(a);
  for (int n = SIGBUS; n <= SIGSEGV; n++) {
    if (!(FAULTS & OS_SIGBIT(n)) || a->at[n].handler != 1) continue;
    if (on) os_signal_plain(n, true, 0);
    else os_fault_install();
  }
  unlock(a);
}

void user_action_get(struct user_thread *t, int signal, struct user_action *out) {
  struct user_actions *a = t->sig.actions;
  lock(a);
  *out = a->at[signal];
  unlock(a);
}

void user_action_set(struct user_thread *t, int signal, const struct user_action *in) {
  struct user_actions *a = t->sig.actions;
  lock(a);
  a->at[signal] = *in;
  install(signal, in);
  unlock(a);
}

bool user_on_stack(const struct user_signals *s, gva_t sp) {
  if (s->stack[1] & (SS_DISABLE_ | SS_AUTODISARM_)) return false;
  return sp > s->stack[0] && sp - s->stack[0] <= s->stack[2];
}

/* Puts the frame on the guest's stack and enters the handler; false when that is not possible. */
static bool enter(struct user_thread *t, struct user_frame *f, const struct user_action *a) {
  struct user_signals *s = &t->sig;
  const struct arch_signals *ops = t->vcpu->c->isa->arch->signals;
  const gva_t sp = ops->sp(t->vcpu);
  const uint64_t present = s->waiting ? s->wait_mask : s->mask;
  f->mask = s->mask;
  f->handler = a->handler;
  f->restorer = ops->restorer && a->flags & SA_RESTORER_ ? a->restorer : t->process->image.sigreturn;
  memcpy(f->stack, s->stack, sizeof f->stack);
  f->top = sp - ops->red_zone;
  if (a->flags & SA_ONSTACK_ && !(s->stack[1] & SS_DISABLE_) && !user_on_stack(s, sp))
    f->top = s->stack[0] + s->stack[2];
  if (!f->restorer) return false;
  ops->save(t->vcpu, f);
  if (user_on_stack(s, sp) && !user_on_stack(s, f->at)) return false; /* the alternate stack is full */
  if (space_write(t->process->space, f->at, f->bytes, f->size)) return false;
  ops->enter(t->vcpu, f);
  s->mask = (present | a->mask | (a->flags & SA_NODEFER_ ? 0 : OS_SIGBIT(f->signal))) & ~NEVER;
  s->waiting = false;
  if (s->stack[1] & SS_AUTODISARM_) memcpy(s->stack, (uint64_t[3]){0, SS_DISABLE_, 0}, sizeof s->stack);
  s->stop = 1;
  return true;
}

static void reset(struct user_thread *t, int signal) { user_action_set(t, signal, &(struct user_action){0}); }

/* A signal whose default action is not ours to carry out: the host's kernel does it. */
static void leave_to_host(struct user_thread *t, const struct user_pending *p) {
  syscall(SYS_rt_tgsigqueueinfo, getpid(), t->tid, p->signal, p->info);
  os_sigmask(~(FAULTS | OS_SIGBIT(p->signal)));
  os_sigmask(~FAULTS);
}

static void deliver(struct user_thread *t, const struct user_pending *p) {
  struct user_frame f = {.signal = p->signal};
  struct user_action a;
  user_action_get(t, p->signal, &a);
  if (a.handler == 1) return;
  if (!a.handler) {
    if (CORE & OS_SIGBIT(p->signal)) user_die(t, p->signal, false);
    leave_to_host(t, p);
    return;
  }
  if (a.flags & SA_RESETHAND_) reset(t, p->signal);
  memcpy(f.info, p->info, sizeof f.info);
  if (!enter(t, &f, &a)) user_signals_fault(t, &(struct user_fault){SIGSEGV, SI_KERNEL, 0}, false);
}

void user_signals_fault(struct user_thread *t, const struct user_fault *fault, bool trap) {
  struct user_frame f = {.signal = fault->signal};
  struct user_action a;
  siginfo_t info;
  const int n = fault->signal;
  user_action_get(t, n, &a);
  if (a.handler <= 1 || t->sig.mask & OS_SIGBIT(n)) user_die(t, n, trap);
  if (a.flags & SA_RESETHAND_) reset(t, n);
  if (trap) f.fault = *fault;
  memset(&info, 0, sizeof info);
  info.si_signo = n;
  info.si_code = fault->code;
  info.si_addr = (void *)(uintptr_t)fault->addr; // NOLINT: a guest address, for the guest
  memcpy(f.info, &info, sizeof f.info);
  if (enter(t, &f, &a)) return;
  user_die(t, SIGSEGV, false); /* a frame that cannot be written */
}

void user_signals_deliver(struct user_thread *t) {
  struct user_signals *s = &t->sig;
  struct user_pending p;
  for (;;) {
    __atomic_store_n(&s->stop, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&s->slot.signal, __ATOMIC_ACQUIRE)) { /* all others wait until it is empty */
      p = s->slot;
      s->slot.signal = 0;
      deliver(t, &p);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(s->sent); i++) {
      const int n = __atomic_load_n(&s->sent[i].signal, __ATOMIC_ACQUIRE);
      if (!n || s->mask & OS_SIGBIT(n)) continue;
      p = s->sent[i];
      s->sent[i].signal = 0;
      deliver(t, &p);
    }
    s->waiting = false;
    const uint64_t mask = user_host_mask(s->mask);
    if (user_syscall_host(t, SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&mask, 0, sizeof mask, 0, 0) !=
        USER_RESTART)
      break;
  }
}

void user_signals_return(struct user_thread *t) {
  const struct user_pending *p = &t->sig.slot;
  siginfo_t info;
  memcpy(&info, p->info, sizeof p->info);
  if (p->signal && info.si_code != SI_TKILL) syscall(SYS_rt_sigqueueinfo, getpid(), p->signal, p->info);
}

int64_t user_syscall_host(struct user_thread *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                          uint64_t a4, uint64_t a5) {
  return os_call(&t->sig.stop, nr, (const uint64_t[6]){a0, a1, a2, a3, a4, a5});
}

int64_t user_syscall_masked(struct user_thread *t, uint64_t mask, uint64_t *host, long nr,
                            const uint64_t arg[6]) {
  *host = user_host_mask(mask);
  t->sig.wait_mask = mask & ~NEVER;
  t->sig.waiting = true; /* until a signal was delivered, or the call has ended otherwise */
  return os_call(&t->sig.stop, nr, arg);
}
