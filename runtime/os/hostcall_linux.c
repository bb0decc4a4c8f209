/* Host system calls and signals in the kernel's own terms (contract: hostcall.h), for x86_64, arm64 and riscv64 hosts. */
#define _GNU_SOURCE
#include "os/hostcall.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* From `os_call_from` on the decision to enter the kernel is made; at `os_call_at` it is entered, and the kernel comes
 * back there to restart a call. A handler that finds the thread between them moves it to `os_call_stopped`. */
extern const char os_call_from[], os_call_at[], os_call_stopped[];

#if defined(__x86_64__)
#define SA_RESTORER_  0x04000000
#define CONTEXT_PC(u) ((u)->uc_mcontext.gregs[REG_RIP])
void os_restorer(void);
__asm__(".text\n"
        ".globl os_call, os_restorer\n"
        ".type os_call, @function\n"
        "os_call:\n"
        "  movq %rdi, %rcx\n"
        "  movq %rsi, %rax\n"
        "  movq %rdx, %r11\n"
        "  movq 0(%r11), %rdi\n"
        "  movq 8(%r11), %rsi\n"
        "  movq 16(%r11), %rdx\n"
        "  movq 24(%r11), %r10\n"
        "  movq 32(%r11), %r8\n"
        "  movq 40(%r11), %r9\n"
        "os_call_from:\n"
        "  cmpl $0, (%rcx)\n"
        "  jne os_call_stopped\n"
        "os_call_at:\n"
        "  syscall\n"
        "  ret\n"
        "os_call_stopped:\n"
        "  movq $-512, %rax\n"
        "  ret\n"
        ".size os_call, . - os_call\n"
        ".type os_restorer, @function\n"
        "os_restorer:\n"
        "  movl $15, %eax\n"
        "  syscall\n"
        ".size os_restorer, . - os_restorer\n");
#elif defined(__aarch64__)
#define CONTEXT_PC(u) ((u)->uc_mcontext.pc)
__asm__(".text\n"
        ".globl os_call\n"
        ".type os_call, %function\n"
        "os_call:\n"
        "  mov x9, x0\n"
        "  mov x8, x1\n"
        "  mov x10, x2\n"
        "  ldp x0, x1, [x10]\n"
        "  ldp x2, x3, [x10, 16]\n"
        "  ldp x4, x5, [x10, 32]\n"
        "os_call_from:\n"
        "  ldr w9, [x9]\n"
        "  cbnz w9, os_call_stopped\n"
        "os_call_at:\n"
        "  svc 0\n"
        "  ret\n"
        "os_call_stopped:\n"
        "  mov x0, -512\n"
        "  ret\n"
        ".size os_call, . - os_call\n");
#elif defined(__riscv)
#define CONTEXT_PC(u) ((u)->uc_mcontext.__gregs[REG_PC])
__asm__(".text\n"
        ".globl os_call\n"
        ".type os_call, @function\n"
        "os_call:\n"
        "  mv t0, a0\n"
        "  mv a7, a1\n"
        "  mv t1, a2\n"
        "  ld a0, 0(t1)\n"
        "  ld a1, 8(t1)\n"
        "  ld a2, 16(t1)\n"
        "  ld a3, 24(t1)\n"
        "  ld a4, 32(t1)\n"
        "  ld a5, 40(t1)\n"
        "os_call_from:\n"
        "  lw t0, 0(t0)\n"
        "  bnez t0, os_call_stopped\n"
        "os_call_at:\n"
        "  ecall\n"
        "  ret\n"
        "os_call_stopped:\n"
        "  li a0, -512\n"
        "  ret\n"
        ".size os_call, . - os_call\n");
#else
#error "user mode knows no system calls of this host"
#endif

/* The kernel's struct sigaction. */
struct action {
  void *handler;
  uint64_t flags;
#ifdef SA_RESTORER_
  void (*restorer)(void);
#endif
  uint64_t mask;
};

void os_call_interrupt(void *ucontext) {
  ucontext_t *u = ucontext;
  const uintptr_t pc = (uintptr_t)CONTEXT_PC(u), stopped = (uintptr_t)os_call_stopped;
  if (pc >= (uintptr_t)os_call_from && pc <= (uintptr_t)os_call_at)
    memcpy(&CONTEXT_PC(u), &stopped, sizeof stopped);
}

/* The kernel's set has 64 bits; what follows in the library's type is not the frame's. */
void os_handler_mask(void *ucontext, uint64_t mask) {
  memcpy(&((ucontext_t *)ucontext)->uc_sigmask, &mask, sizeof mask);
}

uint64_t os_sigmask(uint64_t mask) {
  uint64_t old = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &old, sizeof mask);
  return old;
}

uint64_t os_sigmask_get(void) {
  uint64_t old = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &old, sizeof old);
  return old;
}

static int install(int signal, struct action *a) {
#ifdef SA_RESTORER_
  a->flags |= SA_RESTORER_;
  a->restorer = os_restorer;
#endif
  return syscall(SYS_rt_sigaction, signal, a, NULL, sizeof a->mask) ? -errno : 0;
}

int os_signal(int signal, os_handler *fn, uint64_t flags, uint64_t mask) {
  struct action a = {.handler = (void *)fn, .flags = flags | SA_SIGINFO, .mask = mask};
  return install(signal, &a);
}

int os_signal_plain(int signal, int ignore, uint64_t flags) {
  struct action a = {.handler = ignore ? (void *)SIG_IGN : (void *)SIG_DFL, .flags = flags};
  return install(signal, &a);
}

int os_signal_ignored(int signal) {
  struct action a = {0};
  return !syscall(SYS_rt_sigaction, signal, NULL, &a, sizeof a.mask) && a.handler == (void *)SIG_IGN;
}
