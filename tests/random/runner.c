/* Runs random programs and tells what the processor's state was at each of their breakpoints and faults: as hashes, or one
 * of them in full. Streams: differ.py. Stdin to stdout. Freestanding, with the start and memory functions of tests/programs, so
 * that the slice of an ISA is enough that its programs need.
 *
 * A program is entered, and left at a breakpoint, through a signal's context, which holds the whole state; so it may use
 * every register and holds no code of ours. At a breakpoint the state is made anew, partly of values at borders; behind a
 * faulting instruction it goes on as it is. */
#define STATE_ALONE
#include "../meaning/native.c"

#include <asm/unistd.h>

#include "../programs/prog.h"

enum { AREA = 1 << 16, MEMORY = 1 << 16, POOL = 16, STACK = 1 << 18 };
#define CODE_AT   UINT64_C(0x50000000)
#define MEMORY_AT UINT64_C(0x51000000) /* nothing is mapped around either */

enum { FIXED, FREE, POOLED };
struct word {
  uint32_t kind, zero;
  uint64_t mask, fixed, pool[POOL];
};
struct head {
  uint32_t nwords, nprograms, rounds, most; /* events of one program at most */
  uint32_t dump;                            /* 1: event `event` of program `program` in full */
  uint32_t program, event;
  uint32_t memory; /* MEMORY bytes follow: what memory holds at the start of each round */
};
struct program {
  uint64_t seed;
  uint32_t number, size;
  uint64_t nfixed; /* words that have other fixed values here: pairs of word and value, then */
}; /* the code, then a byte for each of its bytes: the length of the instruction that starts there */
/* Before the full state, in a dump. */
struct dump {
  uint64_t pc, from; /* of the event, and where the state was made before it */
  uint32_t signal, nwords;
};

/* ---- the kernel ---- */

#if defined(__riscv)
static long kernel(long n, long a, long b, long c, long d, long e, long f) {
  register long n_ __asm__("a7") = n, a_ __asm__("a0") = a, b_ __asm__("a1") = b, c_ __asm__("a2") = c,
                   d_ __asm__("a3") = d, e_ __asm__("a4") = e, f_ __asm__("a5") = f;
  __asm__ volatile("ecall" : "+r"(a_) : "r"(n_), "r"(b_), "r"(c_), "r"(d_), "r"(e_), "r"(f_) : "memory");
  return a_;
}
#elif defined(__aarch64__)
static long kernel(long n, long a, long b, long c, long d, long e, long f) {
  register long n_ __asm__("x8") = n, a_ __asm__("x0") = a, b_ __asm__("x1") = b, c_ __asm__("x2") = c,
                   d_ __asm__("x3") = d, e_ __asm__("x4") = e, f_ __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(a_) : "r"(n_), "r"(b_), "r"(c_), "r"(d_), "r"(e_), "r"(f_) : "memory");
  return a_;
}
#else
static long kernel(long n, long a, long b, long c, long d, long e, long f) {
  register long d_ __asm__("r10") = d, e_ __asm__("r8") = e, f_ __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(n)
                   : "D"(a), "S"(b), "d"(c), "r"(d_), "r"(e_), "r"(f_)
                   : "rcx", "r11", "memory");
  return n;
}
__attribute__((naked)) static void restorer(void) { __asm__("movl $15, %eax\n\tsyscall"); }
#endif

/* As the kernel has it (asm-generic/signal.h; arch/x86's has the restorer always). */
struct action {
  void (*handler)(int, siginfo_t *, void *);
  unsigned long flags;
#if defined(__x86_64__)
  void (*restorer)(void);
#endif
  uint64_t mask;
};

_Noreturn void _exit(int status) { sys_exit(status); }

/* ---- */

static const struct head *head;
static struct word *word;
static const uint8_t *memory, *next_program, *lengths;
static const struct program *current;
static uint64_t random_state, now[NWORDS], made[NWORDS], saved[NWORDS], saved_pc, made_at;
static uint32_t programs, rounds, events, *count;
static uint64_t *volatile out;
static uint8_t *made_memory, *output;
static struct dump dump; /* nwords 0: not yet */
static int ending;

static uint64_t draw(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

static void make(ucontext_t *u, uint64_t pc) {
  for (int i = 0; i < NWORDS; i++) {
    const struct word *w = &word[i];
    uint64_t x = w->kind == FIXED ? 0 : draw();
    if (w->kind == FIXED) now[i] = w->fixed;
    else if (w->kind == POOLED || (x & 3) == 1) now[i] = w->pool[x >> 8 & (POOL - 1)];
    else if (!(x & 3)) now[i] = draw() & w->mask;
  }
  set_state(u, now);
  set_pc(u, pc);
  made_at = pc;
  if (!head->dump) return;
  memcpy(made, now, sizeof now);
  memcpy(made_memory, (void *)MEMORY_AT, MEMORY);
}

static void fill(void) {
  uint64_t *m = (uint64_t *)MEMORY_AT;
  if (memory) memcpy(m, memory, MEMORY);
  else
    for (int i = 0; i < MEMORY / 8; i++) m[i] = draw();
}

static void start_round(ucontext_t *u) {
  if (memory) fill();
  make(u, CODE_AT);
}

static void protect(int prot) {
  if (kernel(__NR_mprotect, CODE_AT, AREA, prot, 0, 0, 0)) _exit(4);
}

/* Back to main. */
static void leave(ucontext_t *u) {
  ending = 1;
  set_state(u, saved);
  set_pc(u, saved_pc);
}

static void start_program(ucontext_t *u) {
  if (programs++ == head->nprograms) {
    leave(u);
    return;
  }
  current = (const struct program *)next_program;
  const uint64_t *fixed = (const uint64_t *)(current + 1);
  for (uint64_t i = 0; i < current->nfixed; i++) word[fixed[2 * i]].fixed = fixed[2 * i + 1];
  const uint8_t *code = (const uint8_t *)(fixed + 2 * current->nfixed);
  lengths = code + current->size;
  next_program = code + ((2 * current->size + 7) & ~7u);
  protect(PROT_READ | PROT_WRITE);
  uint64_t stop;
  for (unsigned i = 0; i < 8; i += BREAK_SIZE) memcpy((uint8_t *)&stop + i, break_code, BREAK_SIZE);
  for (uint64_t *to = (uint64_t *)CODE_AT; to < (uint64_t *)(CODE_AT + AREA); to++) *to = stop;
  memcpy((void *)CODE_AT, code, current->size);
  memcpy((uint8_t *)CODE_AT + current->size, break_code, BREAK_SIZE);
#if defined(__riscv)
  kernel(__NR_riscv_flush_icache, CODE_AT, CODE_AT + AREA, 0, 0, 0, 0);
#else
  __builtin___clear_cache((char *)CODE_AT, (char *)CODE_AT + AREA);
#endif
  protect(PROT_READ | PROT_EXEC);
  random_state = current->seed | 1;
  rounds = events = 0;
  count = (uint32_t *)out;
  memset(count, 0, 16);
  out += 2;
  get_state(u, now);
  for (int i = 0; i < NWORDS; i++) now[i] = word[i].fixed;
  fill();
  start_round(u);
}

static void end_program(ucontext_t *u) {
  const uint64_t *m = (const uint64_t *)MEMORY_AT;
  uint64_t h = 0;
  for (int i = 0; i < MEMORY / 8; i++) h = mix(h, m[i]);
  *out++ = h;
  count[0] = current->number;
  count[1] = events;
  start_program(u);
}

static void handler(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  (void)info;
  if (sig == SIGUSR1) {
    get_state(u, saved);
    saved_pc = get_pc(u);
    start_program(u);
    return;
  }
  uint64_t pc = get_pc(u);
  if (sig == SIGTRAP) pc -= BREAK_ADVANCE;
#if defined(__x86_64__)
  if (sig == SIGBUS)
    sig = SIGSEGV; /* an address that no pointer has is #SS when rsp or rbp is its base, #GP otherwise */
#endif
  get_state(u, now);
  if (head->dump && current->number == head->program && events == head->event) {
    dump = (struct dump){pc, made_at, (uint32_t)sig, NWORDS};
    leave(u);
    return;
  }
  uint64_t h = mix((uint64_t)sig, pc), at = pc - CODE_AT;
  for (int i = 0; i < NWORDS; i++) h = mix(h, now[i]);
  *out++ = h;
  events++;
  count[2] += sig == SIGTRAP;
  const int inside = at < current->size && lengths[at];
  if (sig == SIGTRAP && inside && events < head->most) make(u, pc + BREAK_SIZE);
  else if (sig != SIGTRAP && inside && events < head->most) set_pc(u, pc + lengths[at]);
  else if (at != current->size || ++rounds == head->rounds || events >= head->most) end_program(u);
  else start_round(u);
}

static void put(const void *from, size_t n) {
  for (const uint8_t *p = from; n;) {
    long k = sys_write(1, p, n);
    if (k <= 0) _exit(5);
    p += k;
    n -= (size_t)k;
  }
}

static void *get_memory(uint64_t at, size_t n) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0);
  long p = kernel(__NR_mmap, (long)at, (long)n, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (p < 0 && p > -4096) _exit(6);
  return (void *)p;
}

int prog_main(void) {
  size_t n = 0, room = (size_t)1 << 28;
  uint8_t *in = get_memory(0, room);
  for (long k; (k = kernel(__NR_read, 0, (long)(in + n), (long)(room - n), 0, 0, 0)) > 0;) n += (size_t)k;
  head = (const struct head *)in;
  if (head->nwords != NWORDS) {
    put_kv("runner: words of the stream", head->nwords);
    return 2;
  }
  word = (struct word *)(in + sizeof *head);
  next_program = (const uint8_t *)(word + NWORDS);
  if (head->memory) {
    memory = next_program;
    next_program += MEMORY;
  }
  get_memory(CODE_AT, AREA);
  get_memory(MEMORY_AT, MEMORY);
  made_memory = get_memory(0, MEMORY);
  output = get_memory(0, ((size_t)head->most + 3) * 8 * head->nprograms + 4096);
  out = (uint64_t *)output;
  stack_t stack = {.ss_sp = get_memory(0, STACK), .ss_size = STACK};
  kernel(__NR_sigaltstack, (long)&stack, 0, 0, 0, 0, 0);
  struct action a = {.handler = handler, .flags = SA_SIGINFO | SA_ONSTACK};
#if defined(__x86_64__)
  a.flags |= 0x04000000; /* SA_RESTORER */
  a.restorer = restorer;
#endif
  static const int signals[] = {SIGUSR1, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
    kernel(__NR_rt_sigaction, signals[i], (long)&a, 0, 8, 0, 0);
  kernel(__NR_kill, kernel(__NR_getpid, 0, 0, 0, 0, 0, 0), SIGUSR1, 0, 0, 0, 0);
  if (!ending) return 3;
  if (dump.nwords) {
    put(&dump, sizeof dump);
    put(made, sizeof made);
    put(now, sizeof now);
    put(made_memory, MEMORY);
    put((void *)MEMORY_AT, MEMORY);
    return 0;
  }
  if (head->dump) return 0;
  put(output, (size_t)((uint8_t *)out - output));
  return 0;
}
