/* What the parts of user mode share: the process, its threads, and the way to the program's memory. */
#ifndef ISOMER_USER_PROCESS_H
#define ISOMER_USER_PROCESS_H

#include <pthread.h>

#include "loader/load.h"
#include "mem/space.h"
#include "user/signal.h"
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
  struct user_actions actions;
  gva_t sigreturn; /* code that handlers return to; 0: the ISA has none */
  const struct user_options *options;
  pthread_mutex_t lock; /* the list of threads, their creation and end */
  struct user_thread *threads;
  unsigned nthreads, started; /* alive; ever */
  bool ending;                /* one thread ends the process, the others wait for that */
  struct vcpu_stats past;     /* counters of threads that ended */
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
  struct user_thread *next;
  int tid;         /* the host's, too */
  gva_t clear_tid; /* zeroed, and a waiter woken, when the thread ends; 0: nothing is */
  gva_t robust;    /* robust list, 0: none */
  bool ended;
  bool vfork; /* it runs in a child that shares its parent's memory: nothing of the process is its own to end */
  struct user_signals sig;
};

/* Results of system calls that are none: the call is made again (when the signals that wait have been delivered); the
 * registers have been set. */
enum { USER_RESTART = OS_RESTART, USER_JUMPED = OS_RESTART - 1 };

/* --- process.c --- */

/* Ends the process: all threads stop, counters are reported, the host process exits. */
_Noreturn void user_end(struct user_thread *t, int status);
/* Ends it as a signal does whose default action that is. `trap`: the vCPU's trap is the reason. */
_Noreturn void user_die(struct user_thread *t, int signal, bool trap);
/* Runs the thread until it has ended. */
void user_loop(struct user_thread *t);

/* --- thread.c --- */

/* The calling thread ends with `status`, the process with it if it is the last one. */
_Noreturn void user_thread_exit(struct user_thread *t, int status);

/* --- image.c: loading --- */

/* Opens the program and judges it. -errno with one line logged; user_image_free is due in any case. */
int user_image_open(const struct user_options *o, struct user_image *out, const struct isa **isa);
/* Maps it into the process's empty address space and builds the stack for it: sets image->entry and sp, the break and
 * where mappings go. -errno with one line logged. */
int user_image_map(struct user_process *p, const struct user_options *o, const struct vcpu *v);
void user_image_free(struct user_image *i);

/* --- report.c --- */

/* Logs one line that says that a signal ends the program, and where; `trap`: which trap of `t` is the reason. */
void user_report(struct user_thread *t, int signal, bool trap);

/* --- syscalls.c --- */

/* The system-call table of an ISA (by ELF machine number), or NULL. */
const struct user_abi *user_abi_find(uint16_t elf_machine);
/* Executes one system call of the thread: its result, or -errno. */
int64_t user_call(struct user_thread *t, uint64_t nr, const uint64_t arg[6]);

#endif
