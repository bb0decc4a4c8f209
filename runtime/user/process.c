/* A user-mode process: what it consists of, and the loop that runs a thread. Loading is image.c, system calls syscalls.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/log.h"
#include "os/fault.h"
#include "user/process.h"

int user_create(const struct user_options *o, struct user_process **out) {
  struct user_process *p = calloc(1, sizeof *p);
  const struct isa *isa;
  *out = NULL;
  if (!p) {
    log_error("cannot create the process: out of memory");
    return -ENOMEM;
  }
  int r = user_image_open(o, &p->image, &isa);
  if (r) goto out;
  const struct arch_ops *arch = isa->arch;
  p->abi = user_abi_find(isa->elf_machine);
  if (!p->abi || !arch->user_entry || !arch->user_syscall || !arch->user_result || !arch->user_signal) {
    log_error("%s: there is no user mode for %s in this version", o->argv[0], isa->name);
    r = -ENOEXEC;
    goto out;
  }
  r = -ENOMEM;
  p->machine = machine_new_bare(isa);
  if (!p->machine) goto out;
  p->space = space_new(USER_START, USER_END);
  struct vcpu *v = p->space ? machine_add_vcpu(p->machine, isa->default_features) : NULL;
  if (!v) goto out;
  v->c->trap_exits = true;
  r = space_attach(p->space, v);
  if (!r) r = user_image_map(p, o, v);
  if (r) goto out;
  arch->user_entry(v, p->image.entry, p->image.sp);
  *out = p;
  return 0;
out:
  user_free(p);
  return r;
}

void user_free(struct user_process *p) {
  if (!p) return;
  user_image_free(&p->image);
  machine_free(p->machine); /* its vCPUs access the space */
  space_free(p->space);
  free(p);
}

struct machine *user_machine(struct user_process *p) {
  return p->machine;
}

bool user_unknown_call(const struct user_process *p, unsigned index, uint64_t *nr, uint64_t *count) {
  if (index >= USER_UNKNOWN_CALLS || !p->unknown[index].count) return false;
  *nr = p->unknown[index].nr;
  *count = p->unknown[index].count;
  return true;
}

int user_run(struct user_process *p) {
  struct user_thread first = {.process = p, .vcpu = p->machine->vcpu[0]};
  struct vcpu *v = first.vcpu;
  const struct arch_ops *arch = v->c->isa->arch;
  int r = os_fault_thread();
  if (r) {
    log_error("cannot set up a stack for memory faults: %s", strerror(-r));
    return r;
  }
  while (!p->exited) {
    uint64_t nr, arg[6];
    if (v->budget <= 0) vcpu_set_budget(v, INT64_MAX / 2);
    __atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
    switch (v->c->engine_ops->run(v)) {
    case EXIT_TRAP:
      if (!arch->user_syscall(v, &nr, arg)) {
        const int signal = arch->user_signal(v);
        user_report_trap(&first, signal);
        return 128 + signal;
      }
      arch->user_result(v, user_call(&first, nr, arg));
      break;
    case EXIT_ERROR:
    case EXIT_SHUTDOWN: return -EIO;
    default: break; /* kicks, budget and waiting mean nothing here: go on */
    }
  }
  return p->status;
}
