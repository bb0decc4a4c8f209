/* User mode: one Linux process of a guest ISA on its own address space, with the system calls that exist so far (write,
 * exit, exit_group; everything else is answered ENOSYS and counted). It grants the program the operator's own rights. */
#ifndef ISOMER_USER_USER_H
#define ISOMER_USER_USER_H

#include "core/machine.h"
#include "loader/elf.h"

struct flat;

#define USER_UNKNOWN_CALLS 64

struct user_process {
  struct machine *machine; /* holds the vCPU, its memory and the trace settings; it has no board */
  struct vcpu *vcpu;
  struct flat *flat;
  struct symtab symbols;
  const char *path;
  const struct user_abi *abi;
  bool exited;
  int status;
  struct {
    uint64_t nr, count;
  } unknown[USER_UNKNOWN_CALLS]; /* count 0: unused */
};

/* Loads the program `argv[0]` with arguments and environment; the vCPU has no engine yet. `want` may be NULL. Strings are
 * used only during the call, except argv[0]. -errno with one line logged (-ENOENT: there is no such file); user_free is
 * due in any case. */
int user_create(struct user_process *p, const struct isa *want, int argc, char *const *argv,
                char *const *envp);
void user_free(struct user_process *p);

/* Runs to the end: the exit status, or 128 + signal with one line logged when a trap kills the program. -EIO when the
 * engine failed (logged). */
int user_run(struct user_process *p);

/* The system-call table of an ISA (by ELF machine number), or NULL. */
const struct user_abi *user_abi_find(uint16_t elf_machine);
/* Executes one system call: its result, or -errno. Sets p->exited. */
int64_t user_call(struct user_process *p, uint64_t nr, const uint64_t arg[6]);

/* Copies from the program's memory as it may read it: 0 or -EFAULT. */
int user_read(struct user_process *p, gva_t va, void *buf, uint64_t n);

#endif
