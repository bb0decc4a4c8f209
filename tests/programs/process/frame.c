/* Signals without a C library: a handler for faults and for a sent signal, what its frame holds, and that every register comes
 * back. System calls and frames as Linux has them on each ISA. */
#include "../prog.h"

static volatile uint64_t null_page = 64;

#if defined(__x86_64__)
enum { GETPID = 39, TGKILL = 234, GETTID = 186, SIGACTION = 13, SIGPROCMASK = 14, SIGALTSTACK = 131 };
#define RESTORER 0x04000000
static long call(long nr, long a, long b, long c, long d) {
  register long r10 __asm__("r10") = d;
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return r;
}
__asm__("restorer:\n movl $15, %eax\n syscall\n");
#define CONTEXT_PC 168 /* ucontext: flags, link, stack, then r8 to r15, di, si, bp, bx, dx, ax, cx, sp, ip */
#define CONTEXT_SP 160
#define BREAKPOINT __asm__ goto("int3" : : : "memory" : after)
enum { BREAKPOINT_CODE = 0x80, BREAKPOINT_STAYS = 0 }; /* SI_KERNEL; the PC is behind it */
#elif defined(__aarch64__)
enum { GETPID = 172, TGKILL = 131, GETTID = 178, SIGACTION = 134, SIGPROCMASK = 135, SIGALTSTACK = 132 };
#define RESTORER   0
static long call(long nr, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                   x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#define CONTEXT_PC 440 /* 176: fault address, x0 to x30, sp, pc */
#define CONTEXT_SP 432
#define BREAKPOINT __asm__ goto("brk 0" : : : "memory" : after)
enum { BREAKPOINT_CODE = 1, BREAKPOINT_STAYS = 1 };
#else
enum { GETPID = 172, TGKILL = 131, GETTID = 178, SIGACTION = 134, SIGPROCMASK = 135, SIGALTSTACK = 132 };
#define RESTORER   0
static long call(long nr, long a, long b, long c, long d) {
  register long a7 __asm__("a7") = nr, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c,
                   a3 __asm__("a3") = d;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3) : "memory");
  return a0;
}
#define CONTEXT_PC 176 /* pc, ra, sp */
#define CONTEXT_SP 192
#define BREAKPOINT __asm__ goto("ebreak" : : : "memory" : after)
enum { BREAKPOINT_CODE = 1, BREAKPOINT_STAYS = 1 };
#endif

enum { SIGTRAP = 5, SIGUSR1 = 10, SIGSEGV = 11, SA_SIGINFO = 4, SA_ONSTACK = 0x08000000 };

struct action {
  void (*handler)(int, const int *, char *);
  unsigned long flags;
#if !defined(__riscv)
  void (*restorer)(void);
#endif
  uint64_t mask;
};
#if RESTORER
void restorer(void);
#endif

static volatile int number, code, on_stack;
static volatile uint64_t address, context_sp, masked;
static volatile long handled;
static char stack[16384] __attribute__((aligned(16)));
static uint64_t landing;

static void handler(int n, const int *info, char *context) {
  char here;
  uint64_t a, sp, set = 0;
  __builtin_memcpy(&a, info + 4, 8);
  __builtin_memcpy(&sp, context + CONTEXT_SP, 8);
  number = n;
  code = info[2];
  address = a;
  context_sp = sp;
  on_stack = &here >= stack && &here < stack + sizeof stack;
  call(SIGPROCMASK, 0, 0, (long)&set, 8);
  masked = set;
  handled++;
  if (n == SIGSEGV || (n == SIGTRAP && BREAKPOINT_STAYS)) __builtin_memcpy(context + CONTEXT_PC, &landing, 8);
}

static long handle(int n, unsigned long flags, uint64_t mask) {
  struct action a = {.handler = handler, .flags = flags | SA_SIGINFO | RESTORER, .mask = mask};
#if RESTORER
  a.restorer = restorer;
#endif
  return call(SIGACTION, n, (long)&a, 0, 8);
}

static void check(const char *what, int ok) {
  put_str(what);
  put_str(ok ? " ok\n" : " bad\n");
}

/* Faults at `at`; the handler goes on behind the access. */
static __attribute__((noinline)) void fault(volatile int *at) {
  __label__ after;
  landing = (uint64_t) && after;
  __asm__ volatile goto("" : : "r"(at) : "memory" : after);
  *at = 1;
after:
  __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void breakpoint(void) {
  __label__ after;
  landing = (uint64_t) && after;
  BREAKPOINT;
after:
  __asm__ volatile("" ::: "memory");
}

/* Many values live over a signal. */
static __attribute__((noinline)) uint64_t mix(uint64_t seed, int with, long pid, long tid) {
  uint64_t v[12], sum = 0;
  for (int i = 0; i < 12; i++) v[i] = rng_next(&seed);
  for (int r = 0; r < 50; r++) {
    for (int i = 0; i < 12; i++) v[i] = v[i] * 6364136223846793005u + (v[(i + 1) % 12] >> 3);
    if (with) call(TGKILL, pid, tid, SIGUSR1, 0);
  }
  for (int i = 0; i < 12; i++) sum = sum * 31 + v[i];
  return sum;
}

int prog_main(void) {
  long pid = call(GETPID, 0, 0, 0, 0), tid = call(GETTID, 0, 0, 0, 0);
  const uint64_t st[3] = {(uint64_t)stack, 0, sizeof stack};
  check("sigaction", handle(SIGUSR1, 0, 1) == 0 && handle(SIGSEGV, SA_ONSTACK, 0) == 0);
  check("sigaltstack", call(SIGALTSTACK, (long)st, 0, 0, 0) == 0);
  check("send", call(TGKILL, pid, tid, SIGUSR1, 0) == 0 && handled == 1);
  check("info", number == SIGUSR1 && code == -6 && !on_stack);
  check("mask", masked == (1 | UINT64_C(1) << (SIGUSR1 - 1)));
  uint64_t after = 1;
  call(SIGPROCMASK, 0, 0, (long)&after, 8);
  check("restored", after == 0);
  fault((volatile int *)null_page);
  check("fault", handled == 2 && number == SIGSEGV && code == 1 && address == null_page);
  check("alternate stack",
        on_stack && (context_sp < (uint64_t)stack || context_sp > (uint64_t)stack + sizeof stack));
  uint64_t set = UINT64_C(1) << (SIGUSR1 - 1);
  call(SIGPROCMASK, 0, (long)&set, 0, 8);
  call(TGKILL, pid, tid, SIGUSR1, 0);
  check("blocked", handled == 2);
  call(SIGPROCMASK, 1, (long)&set, 0, 8);
  check("unblocked", handled == 3);
  check("registers", mix(5, 1, pid, tid) == mix(5, 0, pid, tid) && handled == 53);
  check("breakpoint", handle(SIGTRAP, 0, 0) == 0 && (breakpoint(), handled == 54) && number == SIGTRAP &&
                          code == BREAKPOINT_CODE);
  return 0;
}
