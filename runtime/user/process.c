/* A user-mode process: what it consists of, the loop that runs a thread, its end. Loading is image.c, threads thread.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/log.h"
#include "os/fault.h"
#include "user/call.h"
#include "user/symbols.h"

/* Opens the program. -errno with one line logged. */
static int open_program(struct user_process *p, const struct user_options *o) {
  char why[2 * PATH_MAX];
  if (o->root) p->root = *o->root;
  const bool by_fd = o->path && o->fd >= 0;
  const struct program_request q = {
      .root = &p->root,
      .want = o->want,
      .dirfd = by_fd ? o->fd : AT_FDCWD,
      .path = by_fd     ? ""
              : o->path ? o->path
                        : o->argv[0],
      .shown = by_fd ? o->path : NULL,
      .search = !o->path,
      .argc = o->argc,
      .argv = o->argv,
  };
  int r = program_open(&q, &p->image.program, why, sizeof why);
  if (r) log_error("%s", why);
  p->image.path = p->image.program.path;
  return r;
}

int user_create(const struct user_options *o, struct user_process **out) {
  struct user_process *p = calloc(1, sizeof *p);
  struct user_thread *t = calloc(1, sizeof *t);
  *out = NULL;
  if (!p || !t) {
    log_error("cannot create the process: out of memory");
    free(p);
    free(t);
    return -ENOMEM;
  }
  pthread_mutex_init(&p->lock, NULL);
  p->options = o;
  p->threads = t;
  p->nthreads = p->started = 1;
  t->process = p;
  p->image.program.fd = p->image.program.interp_fd = -1;
  int r = open_program(p, o);
  if (r) goto out;
  const struct isa *isa = p->image.program.isa;
  const struct arch_ops *arch = isa->arch;
  p->abi = user_abi_find(isa->name);
  if (!p->abi || !arch->user_entry || !arch->user_syscall || !arch->user_result || !arch->user_signal) {
    log_error("%s: there is no user mode for %s in this version", p->image.path, isa->name);
    r = -ENOEXEC;
    goto out;
  }
  r = -ENOMEM;
  p->strace = o->strace;
  p->count = calloc(CALLS, sizeof *p->count);
  if (!p->count) {
    log_error("cannot create the process: out of memory");
    goto out;
  }
  p->machine = machine_new_bare(isa);
  if (!p->machine) goto out;
  p->space = space_new(USER_START, USER_END);
  struct vcpu *v = p->space ? machine_add_vcpu(p->machine, isa->default_features) : NULL;
  if (!v) goto out;
  t->vcpu = v;
  v->c->trap_exits = true;
  p->machine->symbols = user_symbols_new(p);
  r = space_attach(p->space, v);
  if (!r) r = user_image_map(p, o->envp, v);
  if (r) goto out;
  arch->user_entry(v, p->image.start, p->image.sp);
  *out = p;
  return 0;
out:
  user_free(p);
  return r;
}

void user_free(struct user_process *p) {
  if (!p) return;
  user_image_free(&p->image);
  if (p->machine) user_symbols_free(p->machine->symbols);
  machine_free(p->machine); /* its vCPUs access the space */
  space_free(p->space);
  free(p->threads);
  free(p->count);
  free(p);
}

unsigned user_files(const struct user_process *p, const char *path[4]) {
  const struct program *g = &p->image.program;
  unsigned n = 0;
  if (g->host[0] == '/' && !access(g->host, F_OK)) path[n++] = g->host;
  if (*g->interp_host) path[n++] = g->interp_host;
  if (g->script_host[0] == '/' && !access(g->script_host, F_OK)) path[n++] = g->script_host;
  if (p->root.len) path[n++] = p->root.path;
  return n;
}

struct machine *user_machine(struct user_process *p) {
  return p->machine;
}

/* The other threads stop at their next look at `kick`, or are stopped by the host in their system calls. */
static void begin_end(struct user_thread *t) {
  struct user_process *p = t->process;
  user_signals_block();
  if (__atomic_exchange_n(&p->ending, true, __ATOMIC_SEQ_CST))
    for (;;) pause();
  pthread_mutex_lock(&p->lock);
  for (struct user_thread *o = p->threads; o; o = o->next) {
    __atomic_store_n(&o->sig.stop, 1, __ATOMIC_SEQ_CST);
    o->vcpu->c->engine_ops->kick(o->vcpu);
  }
  pthread_mutex_unlock(&p->lock);
  if (p->options->finish) p->options->finish(p, p->options->opaque);
}

void user_end(struct user_thread *t, int status) {
  if (!t->vfork) begin_end(t);
  _exit(status);
}

void user_die(struct user_thread *t, int signal, bool trap) {
  user_signals_block();
  user_report(t, signal, trap);
  if (!t->vfork) begin_end(t);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* it would be Isomer's */
  os_signal_plain(signal, false, 0);
  os_sigmask(~OS_SIGBIT(signal));
  syscall(SYS_tgkill, getpid(), t->tid, signal);
  _exit(128 + signal);
}

void user_loop(struct user_thread *t) {
  struct vcpu *v = t->vcpu;
  const struct arch_ops *arch = v->c->isa->arch;
  int e = os_fault_thread();
  if (e) {
    log_error("cannot set up a stack for memory faults: %s", strerror(-e));
    user_end(t, 125);
  }
  for (;;) {
    uint64_t nr, arg[6];
    int64_t r;
    vcpu_refill(v);
    __atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&t->sig.stop, __ATOMIC_SEQ_CST)) {
      if (__atomic_load_n(&t->process->ending, __ATOMIC_SEQ_CST) && !t->vfork) begin_end(t);
      user_signals_deliver(t);
    }
    switch (v->c->engine_ops->run(v)) {
    case EXIT_TRAP:
      if (!arch->user_syscall(v, &nr, arg)) {
        const struct user_fault f = arch->user_signal(v);
        user_signals_fault(t, &f, true);
        v->c->fault.signal = 0;
        break;
      }
      r = user_call(t, nr, arg);
      if (r == USER_JUMPED) break;
      if (r != -EINTR) t->sig.waiting = false;
      if (r != USER_RESTART) arch->user_result(v, r);
      break;
    case EXIT_ERROR:
    case EXIT_SHUTDOWN: user_end(t, 125); /* logged; as the command line has it for bugs */
    default: break;                       /* kicks, budget and waiting mean nothing here: go on */
    }
  }
}

void user_run(struct user_process *p) {
  struct user_thread *t = p->threads;
  const struct program *g = &p->image.program;
  const char *name = strncmp(g->execfn, "/dev/fd/", 8) ? g->execfn : g->exe, *slash = strrchr(name, '/');
  prctl(PR_SET_NAME, slash ? slash + 1 : name); /* the host's is that of this binary */
  t->tid = (int)syscall(SYS_gettid);
  user_signals_start(t);
  user_loop(t);
}

void user_stats(struct user_process *p, struct vcpu_stats *out) {
  pthread_mutex_lock(&p->lock);
  *out = p->past;
  for (const struct user_thread *t = p->threads; t; t = t->next) vcpu_stats_add(out, t->vcpu);
  pthread_mutex_unlock(&p->lock);
}
