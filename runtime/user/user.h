/* User mode: one Linux process of a guest ISA on its own address space, with the system calls that exist so far
 * (user/calls.h; everything else is answered ENOSYS and counted). It grants the program the operator's own rights. */
#ifndef ISOMER_USER_USER_H
#define ISOMER_USER_USER_H

#include "core/machine.h"
#include "loader/load.h"

struct flat;

#define USER_UNKNOWN_CALLS 64

/* The address space: below the end of every ISA's 39-bit user half. */
#define USER_START      UINT64_C(0x10000)
#define USER_END        UINT64_C(0x4000000000)
#define USER_STACK_TOP  UINT64_C(0x3ffffff000)
#define USER_STACK_SIZE (UINT64_C(8) << 20)

struct user_process {
  struct machine *machine; /* holds the vCPU, its memory and the trace settings; it has no board */
  struct vcpu *vcpu;
  struct flat *flat;
  struct load_file file; /* the program */
  struct elf elf;
  uint64_t bias;
  struct symtab symbols; /* read when a name is needed */
  const char *path;
  const struct user_abi *abi;
  bool exited;
  int status;
  gva_t brk_start, brk; /* the program's break */
  gva_t map_top;        /* mappings without an address go below */
  uint64_t sigmask;
  unsigned closed; /* bit n: standard descriptor n */
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

/* Does the program have `right` (FLAT_*) to all of [va, va + n)? */
bool user_allowed(struct user_process *p, gva_t va, uint64_t n, unsigned right);
/* Copies from the program's memory as it may read it: 0 or -EFAULT. */
int user_read(struct user_process *p, gva_t va, void *buf, uint64_t n);
/* The same for writing: all or nothing. */
int user_write(struct user_process *p, gva_t va, const void *buf, uint64_t n);
/* A zero-terminated string of less than n bytes: 0, -EFAULT or -ENAMETOOLONG. */
int user_string(struct user_process *p, gva_t va, char *buf, size_t n);

#endif
