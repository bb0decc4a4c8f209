/* Host system calls and host signals below the C library, for processes that carry a guest's: calls that a signal
 * handler can keep from blocking, dispositions of all 64 signals, and what a handler changes in the context it
 * interrupted. Knows nothing about guests. */
#ifndef ISOMER_OS_HOSTCALL_H
#define ISOMER_OS_HOSTCALL_H

#include <signal.h>
#include <stdint.h>

/* The result of a call that was not made, or that the kernel wants made again after a handler (ERESTARTSYS). */
#define OS_RESTART (-512)

/* Signal n as a bit of a kernel signal mask. */
#define OS_SIGBIT(n) (UINT64_C(1) << ((n)-1))

/* Makes host system call nr: its result or -errno. When *stop is not zero, or becomes so before the kernel is entered
 * and the handler that did it calls os_call_interrupt, nothing is done and the result is OS_RESTART. So it is, too, when
 * the kernel restarts the call because the handler was installed with SA_RESTART. */
int64_t os_call(const uint32_t *stop, long nr, const uint64_t arg[6]);

/* In a signal handler: an os_call that is about to be made returns OS_RESTART instead. */
void os_call_interrupt(void *ucontext);
/* In a signal handler: the mask that the thread has once the handler has returned. */
void os_handler_mask(void *ucontext, uint64_t mask);

/* Sets the thread's mask and returns the old one. Signals that the C library reserves are not excepted. */
uint64_t os_sigmask(uint64_t mask);
uint64_t os_sigmask_get(void);

typedef void os_handler(int signal, siginfo_t *info, void *ucontext);
/* Installs `fn` for a signal, with SA_* flags beside SA_SIGINFO and the mask during it. -errno. */
int os_signal(int signal, os_handler *fn, uint64_t flags, uint64_t mask);
/* Gives a signal the disposition SIG_DFL or SIG_IGN (ignore), with SA_NOCLDSTOP and the like. -errno. */
int os_signal_plain(int signal, int ignore, uint64_t flags);
/* Is the signal ignored? */
int os_signal_ignored(int signal);

#endif
