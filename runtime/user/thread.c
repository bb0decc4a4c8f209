/* Threads and processes of a guest: a thread is a host thread with a vCPU of its own, a process a host process. What a
 * thread does between its beginning and its end is process.c; running another program is exec.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/log.h"
#include "debug/trace.h"
#include "os/fault.h"
#include "os/guest_access.h"
#include "mem/space.h"
#include "user/call.h"
#include "user/exec.h"

/* Host stacks: of a guest thread; of a vfork's child, on which it runs until it has called execve. */
#define THREAD_STACK (UINT64_C(512) << 10)
#define VFORK_STACK  (UINT64_C(256) << 10)

/* Flags beside those in <sched.h>. */
#define CLONE_CLEAR_SIGHAND_ UINT64_C(0x100000000)
#define CLONE_DETACHED_      UINT64_C(0x00400000)
#define THREAD_FLAGS         ((uint64_t)(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD))
#define THREAD_MAY                                                                          \
  (THREAD_FLAGS | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | \
   CLONE_CHILD_CLEARTID | CLONE_DETACHED_ | CLONE_PTRACE | CLONE_IO)
#define FORK_MAY                                                                                             \
  ((uint64_t)(CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PIDFD | \
              CLONE_PTRACE) |                                                                                \
   CLONE_CLEAR_SIGHAND_)
/* What a vfork's child shares with its parent beside memory is the host kernel's business. */
#define VFORK_HOST ((uint64_t)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_IO | CLONE_PARENT))
#define VFORK_MAY  (FORK_MAY | VFORK_HOST | (uint64_t)(CLONE_VM | CLONE_VFORK))

struct request {
  uint64_t flags;
  int exit_signal;
  gva_t stack, parent_tid, child_tid, pidfd, tls;
  bool has_stack;
};

/* --- the new thread's own part --- */

static int host_tid(void) { return (int)syscall(SYS_gettid); }

static void put_tid(struct user_thread *t, gva_t at) {
  const int32_t tid = t->tid;
  space_write(t->process->space, at, &tid, sizeof tid); /* as Linux: a bad address is the program's affair */
}

static void set_registers(struct user_thread *t, const struct request *r) {
  const struct arch_ops *arch = t->vcpu->c->isa->arch;
  if (r->has_stack) arch->user_stack(t->vcpu, r->stack);
  if (r->flags & CLONE_SETTLS) arch->user_tls(t->vcpu, r->tls);
  arch->user_result(t->vcpu, 0);
}

/* Wakes a waiter of a 32-bit word of the guest's. */
static void wake(gva_t at) { syscall(SYS_futex, at, FUTEX_WAKE, 1, NULL, NULL, 0); }

/* include/linux/futex.h: a mutex whose owner dies gets the bit, and one waiter is woken. */
static void owner_died(struct user_thread *t, gva_t at, bool pi) {
  uint32_t word, want, seen;
  if (at & 3 || space_kernel_writes(t->process->space, at, sizeof word)) return;
  do {
    if (space_read(t->process->space, at, &word, sizeof word) || (word & FUTEX_TID_MASK) != (uint32_t)t->tid)
      return;
    want = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (!os_guest_cas32(at, word, want, &seen)) return;
  } while (seen != word);
  if (!pi && word & FUTEX_WAITERS) wake(at);
}

/* struct robust_list_head: first entry, distance from an entry to its futex, entry being changed. Bit 0 of an entry: the
 * futex inherits priorities. */
static void robust_exit(struct user_thread *t) {
  enum { LIMIT = 2048 }; /* as the kernel: a list may be a circle */
  uint64_t head[3], next;
  if (!t->robust || space_read(t->process->space, t->robust, head, sizeof head)) return;
  const gva_t pending = head[2] & ~UINT64_C(1);
  gva_t entry = head[0];
  for (unsigned n = 0; n < LIMIT && (entry & ~UINT64_C(1)) != t->robust; n++, entry = next) {
    const gva_t at = entry & ~UINT64_C(1);
    const bool last =
        space_read(t->process->space, at, &next, sizeof next) != 0; /* before the mutex may go away */
    if (at != pending) owner_died(t, at + head[1], entry & 1);
    if (last) break;
  }
  if (pending) owner_died(t, pending + head[1], head[2] & 1);
}

/* What the thread leaves behind in the guest's memory. */
static void leave_memory(struct user_thread *t) {
  robust_exit(t);
  syscall(SYS_set_robust_list, NULL, 24);
}

static void drop(struct vcpu *v) {
  struct space *s = v->c->space;
  if (v->c->engine_ops) v->c->engine_ops->destroy(v);
  v->c->engine_ops = NULL;
  if (s) space_detach(s, v);
  vcpu_free(v);
}

void user_thread_exit(struct user_thread *t, int status) {
  struct user_process *p = t->process;
  const bool leader = t->tid == getpid();
  if (t->vfork) user_end(t, status);
  user_signals_block();
  pthread_mutex_lock(&p->lock);
  const bool last = p->nthreads == 1;
  if (!last) {
    struct user_thread **at = &p->threads;
    while (*at != t) at = &(*at)->next;
    *at = t->next;
    p->nthreads--;
  }
  pthread_mutex_unlock(&p->lock);
  if (last) user_end(t, status);
  user_signals_return(t);
  leave_memory(t);
  const gva_t clear = t->clear_tid;
  pthread_mutex_lock(&p->lock);
  vcpu_stats_add(&p->past, t->vcpu);
  if (!leader) drop(t->vcpu);
  pthread_mutex_unlock(&p->lock);
  const int32_t zero = 0;
  if (clear && !space_write(t->process->space, clear, &zero, sizeof zero)) wake(clear);
  if (leader) syscall(SYS_exit, status);
  os_fault_thread_end();
  free(t);
  pthread_exit(NULL);
}

struct start {
  struct user_thread *thread;
  const struct request *request;
  sem_t known; /* its tid, which the creator waits for */
};

static void *thread_main(void *arg) {
  struct start *start = arg;
  struct user_thread *t = start->thread;
  const struct request *r = start->request;
  t->tid = host_tid();
  user_signals_enter(t);
  if (r->flags & CLONE_PARENT_SETTID) put_tid(t, r->parent_tid);
  if (r->flags & CLONE_CHILD_SETTID) put_tid(t, r->child_tid);
  if (r->flags & CLONE_CHILD_CLEARTID) t->clear_tid = r->child_tid;
  sem_post(&start->known); /* start and request are gone then */
  user_loop(t);
}

/* --- making one --- */

/* A vCPU in the state of `from`, except for what is each thread's own. */
static struct vcpu *copy_vcpu(struct user_process *p, const struct vcpu *from) {
  const struct isa *isa = from->c->isa;
  struct vcpu *v = vcpu_new(isa, NULL, p->started, from->c->features);
  if (!v) return NULL;
  v->c->machine = p->machine;
  v->c->trap_exits = true;
  memcpy((char *)v + sizeof *v, (const char *)from + sizeof *from, isa->vcpu_size - sizeof *v);
  v->pc = from->pc;
  trace_attach(v, p->machine);
  int r = space_attach(p->space, v);
  if (!r) r = from->c->engine_ops->create(v);
  if (!r) {
    v->c->engine_ops = from->c->engine_ops;
    return v;
  }
  drop(v);
  return NULL;
}

static int64_t new_thread(struct user_thread *parent, const struct request *r) {
  struct user_process *p = parent->process;
  struct start start = {.request = r};
  pthread_attr_t attr;
  pthread_t handle;
  if (parent->vfork) return -EINVAL; /* its threads would be the parent's */
  struct user_thread *t = calloc(1, sizeof *t);
  if (!t) return -ENOMEM;
  const uint64_t mask = user_signals_block();
  pthread_mutex_lock(&p->lock);
  t->process = p;
  t->vcpu = copy_vcpu(p, parent->vcpu);
  if (!t->vcpu) goto fail;
  user_signals_copy(t, parent);
  set_registers(t, r);
  start.thread = t;
  sem_init(&start.known, 0, 0);
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, THREAD_STACK);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  const int error = pthread_create(&handle, &attr, thread_main, &start);
  pthread_attr_destroy(&attr);
  if (error) {
    drop(t->vcpu);
    goto fail;
  }
  if (p->started == 1) user_signals_reclaim(parent);
  while (sem_wait(&start.known)) continue;
  const int tid = t->tid;
  t->next = p->threads;
  p->threads = t;
  p->nthreads++;
  p->started++;
  pthread_mutex_unlock(&p->lock);
  user_signals_allow(mask);
  return tid;
fail:
  pthread_mutex_unlock(&p->lock);
  user_signals_allow(mask);
  free(t);
  return -EAGAIN;
}

/* In the child of fork: the other threads are not there. */
static void forget_others(struct user_process *p, struct user_thread *t) {
  struct vcpu **first = &p->machine->vcpu[0];
  for (struct user_thread *o = p->threads, *next; o; o = next) {
    next = o->next;
    if (o == t) continue;
    if (o->vcpu != *first) drop(o->vcpu);
    free(o);
  }
  if (t->vcpu != *first) {
    drop(*first); /* the machine's own now */
    *first = t->vcpu;
  }
  t->next = NULL;
  p->threads = t;
  p->nthreads = 1;
}

static int pidfd_put(struct user_thread *t, const struct request *r, int pid) {
  const int32_t fd = (int32_t)syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : space_write(t->process->space, r->pidfd, &fd, sizeof fd);
}

static void child_begins(struct user_thread *t, const struct request *r) {
  t->tid = host_tid();
  t->robust = 0;
  t->clear_tid = r->flags & CLONE_CHILD_CLEARTID ? r->child_tid : 0;
  if (r->flags & CLONE_CHILD_SETTID) put_tid(t, r->child_tid);
  if (r->flags & CLONE_CLEAR_SIGHAND_) user_signals_clear(t);
  t->sig.sent[0].signal = t->sig.sent[1].signal = 0;
}

static int64_t new_process(struct user_thread *t, const struct request *r) {
  struct user_process *p = t->process;
  if (r->exit_signal != SIGCHLD) return -EINVAL;
  const uint64_t mask = user_signals_block();
  if (t->sig.stop) { /* a signal came before: the child must not have it */
    user_signals_allow(mask);
    return USER_RESTART;
  }
  pthread_mutex_lock(&p->lock);
  pthread_mutex_lock(&t->sig.actions->lock);
  user_shm_fork(true);
  space_fork_prepare(p->space);
  engine_fork(FORK_BEFORE);
  const pid_t pid = fork();
  const int error = errno;
  engine_fork(pid ? FORK_PARENT : FORK_CHILD);
  space_fork_done(p->space, !pid);
  user_shm_fork(false);
  pthread_mutex_unlock(&t->sig.actions->lock);
  if (!pid) {
    forget_others(p, t);
    child_begins(t, r);
    set_registers(t, r);
  }
  pthread_mutex_unlock(&p->lock);
  int64_t result = pid < 0 ? -error : pid;
  if (pid > 0) {
    const int32_t word = pid;
    if (r->flags & CLONE_PARENT_SETTID) space_write(t->process->space, r->parent_tid, &word, sizeof word);
    if (r->flags & CLONE_PIDFD) pidfd_put(t, r, pid);
  }
  user_signals_allow(mask);
  return pid ? result : USER_JUMPED;
}

/* A child that shares the parent's memory while the parent waits. Host and guest alike: the child goes on with the
 * parent's vCPU, thread-local storage and all, on another host stack; what is the thread's own is put back afterwards. */
struct vfork {
  struct user_thread *thread;
  const struct request *request;
  struct user_actions actions;
};

static int vfork_child(void *arg) {
  struct vfork *f = arg;
  struct user_thread *t = f->thread;
  pthread_mutex_init(&f->actions.lock, NULL);
  memcpy(f->actions.at, t->sig.actions->at, sizeof f->actions.at);
  t->sig.actions = &f->actions;
  t->vfork = true;
  child_begins(t, f->request);
  if (f->request->flags & CLONE_PARENT_SETTID) put_tid(t, f->request->parent_tid);
  set_registers(t, f->request);
  t->sig.stop = 1; /* the host's mask */
  user_loop(t);
}

static int64_t new_vfork(struct user_thread *t, const struct request *r) {
  struct vcpu *v = t->vcpu;
  const size_t state = v->c->isa->vcpu_size - sizeof *v;
  const uint64_t mask = user_signals_block();
  int64_t result = USER_RESTART;
  if (t->sig.stop) goto out;
  result = -ENOMEM;
  char *stack =
      mmap(NULL, VFORK_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  struct vfork *f = malloc(sizeof *f);
  void *saved = malloc(state);
  if (stack != MAP_FAILED && f && saved) {
    const struct user_thread before = *t;
    const gva_t pc = v->pc;
    memcpy(saved, (char *)v + sizeof *v, state);
    f->thread = t;
    f->request = r;
    const int flags = (int)((r->flags & VFORK_HOST) | CLONE_VM | CLONE_VFORK) | r->exit_signal;
    result = clone(vfork_child, stack + VFORK_STACK, flags, f);
    if (result < 0) result = -errno;
    user_exec_free(t, false);
    struct user_thread *const next = t->next; /* other threads may have ended meanwhile */
    *t = before;
    t->next = next;
    v->pc = pc;
    v->c->excl_size = 0;
    memcpy((char *)v + sizeof *v, saved, state);
    if (result > 0 && r->flags & CLONE_PIDFD) pidfd_put(t, r, (int)result);
  }
  free(saved);
  free(f);
  if (stack != MAP_FAILED) munmap(stack, VFORK_STACK);
out:
  user_signals_allow(mask);
  return result;
}

static int64_t clone_request(struct user_thread *t, const struct request *r) {
  const uint64_t flags = r->flags;
  if (flags & CLONE_THREAD) {
    if ((flags & THREAD_FLAGS) != THREAD_FLAGS || flags & ~(uint64_t)THREAD_MAY) return -EINVAL;
    return new_thread(t, r);
  }
  if (flags & CLONE_VM) {
    if (!(flags & CLONE_VFORK) || flags & ~VFORK_MAY) return -EINVAL;
    return new_vfork(t, r);
  }
  return flags & ~FORK_MAY ? -EINVAL : new_process(t, r);
}

/* --- system calls --- */

#define EXIT_SIGNAL UINT64_C(0xff)

int64_t call_clone(struct user_thread *t, const uint64_t arg[6]) {
  const struct request r = {
      .flags = arg[0] & UINT32_MAX & ~EXIT_SIGNAL,
      .exit_signal = (int)(arg[0] & EXIT_SIGNAL),
      .stack = arg[1],
      .has_stack = arg[1] != 0,
      .parent_tid = arg[2],
      .pidfd = arg[2],
      .child_tid = arg[4],
      .tls = arg[3],
  };
  if (r.flags & CLONE_PIDFD && r.flags & CLONE_PARENT_SETTID) return -EINVAL;
  return clone_request(t, &r);
}

/* struct clone_args as of its first version, 64 bytes, to its third; further words must be zero. */
int64_t call_clone3(struct user_thread *t, const uint64_t arg[6]) {
  enum {
    FIRST = 64,
    KNOWN = 88,
    FLAGS = 0,
    PIDFD,
    CHILD_TID,
    PARENT_TID,
    EXIT,
    STACK,
    STACK_SIZE,
    TLS,
    SET_TID,
    SET_TID_SIZE,
    CGROUP
  };
  uint64_t a[GUEST_PAGE_SIZE / 8] = {0};
  if (arg[1] < FIRST) return -EINVAL;
  if (arg[1] > sizeof a) return -E2BIG;
  int e = space_read(t->process->space, arg[0], a, arg[1]);
  if (e) return e;
  for (unsigned i = KNOWN / 8; i < ARRAY_SIZE(a); i++)
    if (a[i]) return -E2BIG;
  if (a[SET_TID_SIZE] || a[SET_TID]) return -EPERM; /* needs rights over process numbers */
  if (a[FLAGS] & EXIT_SIGNAL || a[FLAGS] & (uint64_t)CLONE_DETACHED_ || a[EXIT] > EXIT_SIGNAL) return -EINVAL;
  if (!a[STACK] != !a[STACK_SIZE] || (a[FLAGS] & CLONE_THREAD && a[EXIT])) return -EINVAL;
  const struct request r = {
      .flags = a[FLAGS],
      .exit_signal = (int)a[EXIT],
      .stack = a[STACK] + a[STACK_SIZE],
      .has_stack = a[STACK] != 0,
      .parent_tid = a[PARENT_TID],
      .pidfd = a[PIDFD],
      .child_tid = a[CHILD_TID],
      .tls = a[TLS],
  };
  return clone_request(t, &r);
}

int64_t call_fork(struct user_thread *t, const uint64_t arg[6]) {
  (void)arg;
  return clone_request(t, &(struct request){.exit_signal = SIGCHLD});
}

int64_t call_vfork(struct user_thread *t, const uint64_t arg[6]) {
  (void)arg;
  return clone_request(t, &(struct request){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

int64_t call_exit(struct user_thread *t, const uint64_t arg[6]) { user_thread_exit(t, (int)(arg[0] & 0xff)); }

int64_t call_exit_group(struct user_thread *t, const uint64_t arg[6]) { user_end(t, (int)(arg[0] & 0xff)); }

int64_t call_set_tid_address(struct user_thread *t, const uint64_t arg[6]) {
  t->clear_tid = arg[0];
  return t->tid;
}

/* The host's kernel knows it, too: should the process be killed, mutexes that it shares with others are released. */
int64_t call_set_robust_list(struct user_thread *t, const uint64_t arg[6]) {
  if (syscall(SYS_set_robust_list, arg[0], arg[1])) return -errno;
  t->robust = arg[0];
  return 0;
}

/* Addresses are the host's, so the host's kernel does it all. */
int64_t call_futex(struct user_thread *t, const uint64_t arg[6]) {
  enum {
    TWO_WORDS = 1 << FUTEX_REQUEUE | 1 << FUTEX_CMP_REQUEUE | 1 << FUTEX_WAKE_OP |
                1 << FUTEX_WAIT_REQUEUE_PI | 1 << FUTEX_CMP_REQUEUE_PI
  };
  const unsigned op = (unsigned)arg[1] & FUTEX_CMD_MASK;
  if (op < 32 && TWO_WORDS >> op & 1 && space_kernel_writes(t->process->space, arg[4], 4)) return -EFAULT;
  if (space_kernel_writes(t->process->space, arg[0], 4)) return -EFAULT;
  return user_syscall_host(t, SYS_futex, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
