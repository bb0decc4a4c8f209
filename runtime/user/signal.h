/* Signals of a guest process: what a thread knows of them. The host's kernel keeps and queues them: the thread's host mask
 * is the guest's, and every signal with a guest handler has one host handler, which takes one signal into the thread's slot
 * and blocks all others until the thread has entered the guest's handler between two instructions. So order, counts,
 * restarts of system calls and temporary masks are the kernel's own. */
#ifndef ISOMER_USER_SIGNAL_H
#define ISOMER_USER_SIGNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "core/types.h"
#include "os/hostcall.h"

struct user_thread;
struct user_process;
struct user_fault;

#define USER_SIGNALS 64

/* What the guest asked for, by signal; shared by its threads. */
struct user_actions {
  pthread_mutex_t lock;
  struct user_action {
    uint64_t handler, flags, mask, restorer; /* handler: SIG_DFL 0, SIG_IGN 1 */
  } at[USER_SIGNALS + 1];
};

/* A signal that the host's kernel has delivered; signal 0: none. */
struct user_pending {
  int signal;
  uint8_t info[128];
};

/* A thread's part. `slot` is full only while all signals but SIGSEGV and SIGBUS are blocked on the host. These two stay open
 * for faults of the guest's accesses; when they are sent like others they wait in slots of their own. */
struct user_signals {
  uint32_t stop; /* something is to be done before the next instruction or system call */
  struct user_actions *actions;
  uint64_t mask;      /* the guest's */
  uint64_t wait_mask; /* in its place during a system call that waits with another one */
  bool waiting;
  uint64_t stack[3]; /* alternate stack: address, flags, size */
  struct user_pending slot, sent[2];
};

/* Takes over what the host process inherited, for the process's first thread, which calls it. */
void user_signals_start(struct user_thread *t);
/* Makes the calling host thread the one that handlers mean by `t`. */
void user_signals_enter(struct user_thread *t);
/* A new thread's signals begin as those of the thread that made it. */
void user_signals_copy(struct user_thread *t, const struct user_thread *from);
/* Brings the guest's handlers to SIG_DFL (CLONE_CLEAR_SIGHAND). */
void user_signals_clear(struct user_thread *t);
/* Installs again what the C library has taken for itself. */
void user_signals_reclaim(struct user_thread *t);

/* When sig.stop is set: enters handlers or carries out default actions, until nothing is left that the guest's mask lets
 * through; then the host's mask is the guest's. */
void user_signals_deliver(struct user_thread *t);
/* A signal that cannot wait: enters the handler; the process dies when there is none or the signal is blocked. `trap`: the
 * vCPU's trap is the reason. */
void user_signals_fault(struct user_thread *t, const struct user_fault *f, bool trap);

/* A signal's action; setting it tells the host's kernel. */
void user_action_get(struct user_thread *t, int signal, struct user_action *out);
void user_action_set(struct user_thread *t, int signal, const struct user_action *in);
/* Is `sp` on the alternate stack? */
bool user_on_stack(const struct user_signals *s, uint64_t sp);

/* Blocks all signals that can wait; returns the host's mask before, for user_signals_allow. */
uint64_t user_signals_block(void);
void user_signals_allow(uint64_t mask);
/* The mask that the host has while the guest has `mask`. */
uint64_t user_host_mask(uint64_t mask);
/* Before a thread ends, all being blocked: a signal of the process that the thread has taken goes back. */
void user_signals_return(struct user_thread *t);
/* Host dispositions as execve must find them (on), and back when it has failed. */
void user_signals_exec(struct user_thread *t, bool on);

/* Makes a host system call that may block: its result, -errno, or USER_RESTART. Signals end it as they would the guest's. */
int64_t user_syscall_host(struct user_thread *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                          uint64_t a4, uint64_t a5);
/* The same for calls that wait with the guest's mask replaced by `mask`; `host` is where the host's call finds the mask that
 * it is to use, and is filled in here. */
int64_t user_syscall_masked(struct user_thread *t, uint64_t mask, uint64_t *host, long nr,
                            const uint64_t arg[6]);

#endif
