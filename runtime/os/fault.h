/* Faults of the host's MMU: those of the accessors of os/guest_access.h go back to them, translated code may claim its own,
 * and what is left goes where it went before (a crash of ours stays a crash). */
#ifndef ISOMER_OS_FAULT_H
#define ISOMER_OS_FAULT_H

#include <signal.h>

#include "core/types.h"

/* Installs the handlers of SIGSEGV and SIGBUS, unless they are. -errno. Neither signal may ever be
 * blocked on a thread that accesses guest memory. */
int os_fault_install(void);

/* Gives the calling thread an alternate signal stack, unless it has one, and takes it away again before the thread ends.
 * Handlers run without one too, on the thread's own stack. -errno. */
int os_fault_thread(void);
void os_fault_thread_end(void);

/* The last fault of this thread that an accessor answered with false. */
struct os_fault {
  int signal; /* SIGSEGV or SIGBUS */
};
extern __thread struct os_fault os_fault_last;

/* Clears addresses below hi of what a sanitizer keeps there only so that nobody else does. Before anything is mapped there. */
void os_guest_room(uint64_t hi);

/* Of the context that a handler gets: PC and stack pointer, and going on elsewhere. */
const uint8_t *os_fault_pc(const void *context);
uint8_t *os_fault_sp(const void *context);
void os_fault_resume(void *context, const void *pc);

/* Others who want to see SIGSEGV and SIGBUS, in the handler; NULL: as before. True: handled, go on as `context` (a ucontext_t)
 * says now. `code`: a fault whose PC has no fix-up, for translated code. `sent`: the signal comes from kill(2) and its
 * like, not from an access. */
typedef bool os_fault_fn(int signal, siginfo_t *info, void *context);
void os_fault_hooks(os_fault_fn *code, os_fault_fn *sent);

#endif
