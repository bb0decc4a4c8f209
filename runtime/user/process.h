/* What the parts of user mode share: the process, its threads, and the way to the program's memory. */
#ifndef ISOMER_USER_PROCESS_H
#define ISOMER_USER_PROCESS_H

#include "loader/load.h"
#include "mem/space.h"
#include "user/user.h"

struct user_abi;

#define USER_UNKNOWN_CALLS 64

/* The address space: below the end of every ISA's 39-bit user half. */
#define USER_START      UINT64_C(0x10000)
#define USER_END        (UINT64_C(1) << SPACE_BITS)
#define USER_STACK_TOP  UINT64_C(0x3ffffff000)
#define USER_STACK_SIZE (UINT64_C(8) << 20)

/* The program as it was loaded (user/image.c). */
struct user_image {
  struct load_file file;
  struct elf elf;
  uint64_t bias;
  const char *path;
  gva_t entry, sp;       /* where the first thread starts */
  struct symtab symbols; /* read when a name is needed */
};

/* One per process; shared by its threads. */
struct user_process {
  struct machine *machine;
  struct space *space;
  const struct user_abi *abi;
  struct user_image image;
  bool exited;
  int status;
  gva_t brk_start, brk; /* the program's break */
  unsigned closed;      /* bit n: standard descriptor n */
  struct {
    uint64_t nr, count;
  } unknown[USER_UNKNOWN_CALLS]; /* count 0: unused */
};

/* One per guest thread, which is a host thread. */
struct user_thread {
  struct user_process *process;
  struct vcpu *vcpu;
  uint64_t sigmask;
};

/* --- image.c: loading --- */

/* Opens the program and judges it. -errno with one line logged; user_image_free is due in any case. */
int user_image_open(const struct user_options *o, struct user_image *out, const struct isa **isa);
/* Maps it into the process's empty address space and builds the stack for it: sets image->entry and sp, the break and
 * where mappings go. -errno with one line logged. */
int user_image_map(struct user_process *p, const struct user_options *o, const struct vcpu *v);
void user_image_free(struct user_image *i);

/* --- report.c --- */

/* Logs one line that says which trap of `t` ends the program, and where. */
void user_report_trap(struct user_thread *t, int signal);

/* --- syscalls.c --- */

/* The system-call table of an ISA (by ELF machine number), or NULL. */
const struct user_abi *user_abi_find(uint16_t elf_machine);
/* Executes one system call of the thread: its result, or -errno. */
int64_t user_call(struct user_thread *t, uint64_t nr, const uint64_t arg[6]);

#endif
