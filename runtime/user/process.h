/* What the parts of user mode share: the process, its threads, and the way to the program's memory. */
#ifndef ISOMER_USER_PROCESS_H
#define ISOMER_USER_PROCESS_H

#include <pthread.h>
#include <stdbool.h>

#include "loader/load.h"
#include "mem/space.h"
#include "user/program.h"
#include "user/signal.h"
#include "user/user.h"

struct user_abi;

enum { USER_UNKNOWN = 64, USER_OWN_FDS = 16 };

/* How often something happened that no table has; key: 1 + what, 0: unused. */
struct user_unknown {
  uint64_t key, count;
};
struct user_count {
  uint64_t calls, errors;
};

/* The address space: below the end of every ISA's 39-bit user half. */
#define USER_START      UINT64_C(0x10000)
#define USER_END        (UINT64_C(1) << SPACE_BITS)
#define USER_STACK_TOP  UINT64_C(0x3ffffff000)
#define USER_STACK_SIZE (UINT64_C(8) << 20)

/* The program as it was loaded (user/image.c). */
struct user_image {
  struct program program;
  const char *path; /* program.path: for messages */
  uint64_t bias;    /* of the program */
  gva_t base;       /* of its dynamic linker, or 0: AT_BASE */
  gva_t entry;      /* of the program: AT_ENTRY */
  gva_t start, sp;  /* where the first thread starts: in the dynamic linker if there is one */
  gva_t vdso;       /* AT_SYSINFO_EHDR, or 0 */
  gva_t sigreturn;  /* code in it that returns from a signal handler; 0: programs bring their own */
  /* What /proc/self shows; the ends are exclusive. */
  gva_t code_start, code_end, data_start, data_end, arg_start, arg_end, env_start, env_end, auxv;
  uint64_t auxv_size;
  struct symtab symbols; /* read when a name is needed */
};

/* One per process; shared by its threads. */
struct user_process {
  struct machine *machine;
  struct space *space;
  struct sysroot root;
  const struct user_abi *abi;
  struct user_image image;
  struct user_actions actions;
  const struct user_options *options;
  pthread_mutex_t lock; /* the list of threads, their creation and end */
  struct user_thread *threads;
  unsigned nthreads, started; /* alive; ever */
  bool ending;                /* one thread ends the process, the others wait for that */
  struct vcpu_stats past;     /* counters of threads that ended */
  gva_t brk_start, brk;       /* the program's break */
  unsigned nown;
  int own[USER_OWN_FDS]; /* descriptors of Isomer's */
  bool strace;
  uint32_t personality;
  struct user_limit {
    uint64_t value[2];
    bool set;
  } limit[3];               /* of the stack, of data, of the address space: what the program set */
  struct user_count *count; /* by CALL_* */
  struct user_unknown unknown[USER_UNKNOWN], unknown_ioctl[USER_UNKNOWN];
};

/* One per guest thread, which is a host thread. */
struct user_thread {
  struct user_process *process;
  struct vcpu *vcpu;
  struct user_thread *next;
  int tid;         /* the host's, too */
  gva_t clear_tid; /* zeroed, and a waiter woken, when the thread ends; 0: nothing is */
  gva_t robust;    /* robust list, 0: none */
  bool
      vfork; /* it runs in a child that shares its parent's memory: nothing of the process is its own to end */
  struct user_exec *exec; /* a call of execve in progress */
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
/* Runs the thread until it, or the process, has ended. */
_Noreturn void user_loop(struct user_thread *t);

/* --- thread.c --- */

/* The calling thread ends with `status`, the process with it if it is the last one. */
_Noreturn void user_thread_exit(struct user_thread *t, int status);

static inline unsigned user_threads(const struct user_process *p) {
  return __atomic_load_n(&p->nthreads, __ATOMIC_RELAXED);
}

/* --- image.c: loading --- */

/* Maps image.program (open) into the process's empty address space and builds the stack for it: sets the rest of the image
 * and the break. -errno with one line logged; user_image_free is due in any case. */
int user_image_map(struct user_process *p, char *const *envp, const struct vcpu *v);
/* Reads the program's symbols into image->symbols; -errno with the reason. A file that is gone has none. */
int user_image_symbols(struct user_image *i, char *why, size_t nwhy);
void user_image_free(struct user_image *i);

/* --- report.c --- */

/* Logs one line that says that a signal ends the program, and where; `trap`: which trap of `t` is the reason. */
void user_report(struct user_thread *t, int signal, bool trap);

/* --- syscalls.c --- */

/* The system calls of an ISA, or NULL. */
const struct user_abi *user_abi_find(const char *isa);
/* Executes one system call of the thread: its result, or -errno. */
int64_t user_call(struct user_thread *t, uint64_t nr, const uint64_t arg[6]);

/* --- fds.c --- */

void user_fd_close(struct user_process *p, int fd);
bool user_fd_hidden(const struct user_process *p, int fd);

/* --- host.c --- */

/* Makes a host system call that may block: its result or -errno. */
int64_t user_syscall_host(struct user_thread *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                          uint64_t a4, uint64_t a5);
/* The same for calls that wait with the guest's mask replaced by `mask`; `host` is where the host's call finds the mask that
 * it is to use, and is filled in here. */
int64_t user_syscall_masked(struct user_thread *t, uint64_t mask, uint64_t *host, long nr,
                            const uint64_t arg[6]);

#endif
