/* Executes instructions one by one on a processor (this machine's, or the one that qemu-user plays) for comparison with
 * Isomer's interpreter. Streams: stream.h. Static program; stdin to stdout.
 *
 * No code is wrapped around an instruction: it is entered by returning from a signal handler whose context holds the
 * whole state, and left by the breakpoint behind it, whose handler finds the whole state in its context. So every register
 * may be used. The handler itself must not touch thread-local storage or anything else that hangs off a register. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "stream.h"

/* ---- the state, word by word, in the order of tests/lib/meaning.py ---- */

#if defined(__riscv)

/* x0 to x31, f0 to f31, fflags, FRM. */
enum { NWORDS = 66, BREAK_SIZE = 2, BREAK_ADVANCE = 0 };
static const uint8_t break_code[] = {0x02, 0x90}; /* c.ebreak */

static uint64_t get_pc(ucontext_t *u) { return u->uc_mcontext.__gregs[0]; }
static void set_pc(ucontext_t *u, uint64_t pc) { u->uc_mcontext.__gregs[0] = pc; }

static void get_state(ucontext_t *u, uint64_t *w) {
  mcontext_t *m = &u->uc_mcontext;
  w[0] = 0;
  for (int i = 1; i < 32; i++) w[i] = m->__gregs[i];
  for (int i = 0; i < 32; i++) w[32 + i] = m->__fpregs.__d.__f[i];
  w[64] = m->__fpregs.__d.__fcsr & 31;
  w[65] = m->__fpregs.__d.__fcsr >> 5 & 7;
}

static void set_state(ucontext_t *u, const uint64_t *w) {
  mcontext_t *m = &u->uc_mcontext;
  for (int i = 1; i < 32; i++) m->__gregs[i] = w[i];
  for (int i = 0; i < 32; i++) m->__fpregs.__d.__f[i] = w[32 + i];
  m->__fpregs.__d.__fcsr = (uint32_t)(w[65] << 5 | w[64]);
}

#elif defined(__aarch64__)

/* x0 to x30, SP, N, Z, C, V, FPCR, FPSR, v0 to v31 (two words each). */
enum { NWORDS = 38 + 64, BREAK_SIZE = 4, BREAK_ADVANCE = 0 };
static const uint8_t break_code[] = {0x00, 0x00, 0x20, 0xd4}; /* brk #0 */

static uint64_t get_pc(ucontext_t *u) { return u->uc_mcontext.pc; }
static void set_pc(ucontext_t *u, uint64_t pc) { u->uc_mcontext.pc = pc; }

static struct fpsimd_context *fpsimd(ucontext_t *u) {
  struct _aarch64_ctx *c = (struct _aarch64_ctx *)u->uc_mcontext.__reserved;
  while (c->magic && c->magic != FPSIMD_MAGIC) c = (struct _aarch64_ctx *)((char *)c + c->size);
  if (!c->magic) _exit(3);
  return (struct fpsimd_context *)c;
}

static void get_state(ucontext_t *u, uint64_t *w) {
  mcontext_t *m = &u->uc_mcontext;
  struct fpsimd_context *f = fpsimd(u);
  for (int i = 0; i < 31; i++) w[i] = m->regs[i];
  w[31] = m->sp;
  for (int i = 0; i < 4; i++) w[32 + i] = m->pstate >> (31 - i) & 1;
  w[36] = f->fpcr;
  w[37] = f->fpsr;
  memcpy(w + 38, f->vregs, 512);
}

static void set_state(ucontext_t *u, const uint64_t *w) {
  mcontext_t *m = &u->uc_mcontext;
  struct fpsimd_context *f = fpsimd(u);
  for (int i = 0; i < 31; i++) m->regs[i] = w[i];
  m->sp = w[31];
  m->pstate &= ~(UINT64_C(15) << 28);
  for (int i = 0; i < 4; i++) m->pstate |= w[32 + i] << (31 - i);
  f->fpcr = (uint32_t)w[36];
  f->fpsr = (uint32_t)w[37];
  memcpy(f->vregs, w + 38, 512);
}

#elif defined(__x86_64__)

/* rax rcx rdx rbx rsp rbp rsi rdi r8 to r15, CF PF AF ZF SF OF DF, MXCSR 5:0, MXCSR 15:6, ymm0 to ymm15 (four words each). */
enum { NWORDS = 25 + 64, BREAK_SIZE = 1, BREAK_ADVANCE = 1 };
static const uint8_t break_code[] = {0xcc}; /* int3 */
static const int greg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                             REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
static const int flag[7] = {0, 2, 4, 6, 7, 11, 10};
/* The XSAVE area behind a signal frame (SDM vol. 1, 13.4): header, and the upper halves of ymm. */
enum { MXCSR = 24, XSTATE_BV = 512, YMM_HIGH = 576, MAGIC = 464, FLAGS_KEPT = 0x202 };

static uint64_t get_pc(ucontext_t *u) { return (uint64_t)u->uc_mcontext.gregs[REG_RIP]; }
static void set_pc(ucontext_t *u, uint64_t pc) { u->uc_mcontext.gregs[REG_RIP] = (long long)pc; }

static uint8_t *xsave(ucontext_t *u) {
  uint8_t *x = (uint8_t *)u->uc_mcontext.fpregs;
  if (*(uint32_t *)(x + MAGIC) != 0x46505853) _exit(3);
  return x;
}

static void get_state(ucontext_t *u, uint64_t *w) {
  uint8_t *x = xsave(u);
  uint64_t bv = *(uint64_t *)(x + XSTATE_BV);
  for (int i = 0; i < 16; i++) w[i] = (uint64_t)u->uc_mcontext.gregs[greg[i]];
  for (int i = 0; i < 7; i++) w[16 + i] = (uint64_t)u->uc_mcontext.gregs[REG_EFL] >> flag[i] & 1;
  w[23] = *(uint32_t *)(x + MXCSR) & 63;
  w[24] = *(uint32_t *)(x + MXCSR) >> 6;
  for (int i = 0; i < 16; i++) {
    memset(w + 25 + 4 * i, 0, 32);
    if (bv & 2) memcpy(w + 25 + 4 * i, x + 160 + 16 * i, 16);
    if (bv & 4) memcpy(w + 27 + 4 * i, x + YMM_HIGH + 16 * i, 16);
  }
}

static void set_state(ucontext_t *u, const uint64_t *w) {
  uint8_t *x = xsave(u);
  uint64_t efl = FLAGS_KEPT;
  for (int i = 0; i < 16; i++) u->uc_mcontext.gregs[greg[i]] = (long long)w[i];
  for (int i = 0; i < 7; i++) efl |= w[16 + i] << flag[i];
  u->uc_mcontext.gregs[REG_EFL] = (long long)efl;
  *(uint64_t *)(x + XSTATE_BV) |= 6;
  *(uint32_t *)(x + MXCSR) = (uint32_t)(w[24] << 6 | w[23]);
  for (int i = 0; i < 16; i++) {
    memcpy(x + 160 + 16 * i, w + 25 + 4 * i, 16);
    memcpy(x + YMM_HIGH + 16 * i, w + 27 + 4 * i, 16);
  }
}

#else
#error "no accessors for this processor"
#endif

#ifndef STATE_ALONE /* tests/random/runner.c has a main of its own */

/* ---- cases ---- */

enum { TOTAL = NWORDS + SCRATCH_WORDS };

static struct header head;
static uint64_t base[TOTAL], before[TOTAL], now[TOTAL], saved[NWORDS];
static uint64_t saved_pc;
static struct slot *slots;
static const uint8_t *next_case; /* in the input */
static const struct test_case *current;
static uint8_t *volatile out; /* where the next result goes; written by the handler */
static uint32_t done;

static void get_all(ucontext_t *u, uint64_t *w) {
  get_state(u, w);
  memcpy(w + NWORDS, (void *)SCRATCH, SCRATCH_WORDS * 8);
}

static void start_case(ucontext_t *u) {
  if (done == head.ncases) {
    set_state(u, saved);
    set_pc(u, saved_pc);
    return;
  }
  current = (const struct test_case *)next_case;
  const struct change *c = (const struct change *)(current + 1);
  memcpy(before, base, sizeof before);
  for (uint32_t i = 0; i < current->nsets; i++) before[c[i].word] = c[i].value;
  next_case = (const uint8_t *)(c + current->nsets);
  memcpy((void *)SCRATCH, before + NWORDS, SCRATCH_WORDS * 8);
  set_state(u, before);
  set_pc(u, CODE + (uint64_t)current->slot * SLOT_SIZE);
}

static void end_case(ucontext_t *u, int sig) {
  struct result *r = (struct result *)out;
  uint64_t pc = get_pc(u), start = CODE + (uint64_t)current->slot * SLOT_SIZE;
  memset(r, 0, sizeof *r);
  /* A breakpoint may report the address behind it: then the instruction itself is one, prefixes or not. */
  int own = BREAK_ADVANCE && sig == SIGTRAP && pc == start + slots[current->slot].len;
  if (sig == SIGTRAP) pc -= BREAK_ADVANCE;
  if (pc == start || own) {
    r->kind = KIND_TRAP;
    r->signal = (uint32_t)sig;
  } else if (pc != start + slots[current->slot].len || sig != SIGTRAP) {
    r->kind = KIND_JUMP;
    r->pc = pc;
  }
  get_all(u, now);
  struct change *c = (struct change *)(r + 1);
  for (uint32_t k = 0; k < TOTAL; k++)
    if (now[k] != before[k]) c[r->nchanges++] = (struct change){.word = k, .value = now[k]};
  out = (uint8_t *)(c + r->nchanges);
  done++;
}

static void handler(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  (void)info;
  if (sig == SIGUSR1) {
    get_state(u, saved);
    saved_pc = get_pc(u);
  } else {
    end_case(u, sig);
  }
  start_case(u);
}

static _Noreturn void die(const char *what) {
  fprintf(stderr, "native: %s\n", what);
  exit(2);
}

static void *map(uint64_t at, size_t n, int prot) {
  void *p =
      mmap((void *)at, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
  if (p == MAP_FAILED) die("cannot map memory");
  return p;
}

static uint8_t *input(size_t *n) {
  size_t room = 1 << 20;
  uint8_t *p = NULL;
  for (*n = 0;; room *= 2) {
    p = realloc(p, room);
    if (!p) die("out of memory");
    while (*n < room) {
      ssize_t k = read(0, p + *n, room - *n);
      if (k < 0) die("cannot read");
      if (!k) return p;
      *n += (size_t)k;
    }
  }
}

int main(void) {
  size_t n;
  uint8_t *in = input(&n), *p = in + sizeof head;
  memcpy(&head, in, sizeof head);
  if (head.nwords != NWORDS || head.nslots > CODE_SLOTS) die("the stream is for another program");
  p += head.names;
  memcpy(base, p, sizeof base);
  p += sizeof base;
  slots = malloc(head.nslots * sizeof *slots + 1);
  memcpy(slots, p, head.nslots * sizeof *slots);
  next_case = p + head.nslots * sizeof *slots;
  uint8_t *code = map(CODE, (size_t)(CODE_SLOTS + LANDING) * SLOT_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
  size_t used = (size_t)(CODE_SLOTS + LANDING) * SLOT_SIZE;
  for (size_t i = 0; i < used; i += BREAK_SIZE) memcpy(code + i, break_code, BREAK_SIZE);
  for (uint32_t i = 0; i < head.nslots; i++) memcpy(code + i * SLOT_SIZE, slots[i].code, slots[i].len);
  __builtin___clear_cache((char *)code, (char *)code + used);
  map(SCRATCH_PAGE, 8192, PROT_READ | PROT_WRITE);
  size_t room = (size_t)head.ncases * (sizeof(struct result) + 48 * sizeof(struct change)) + (1 << 20);
  uint8_t *start = out = map(0, room, PROT_READ | PROT_WRITE);
  stack_t stack = {.ss_sp = map(0, 1 << 18, PROT_READ | PROT_WRITE), .ss_size = 1 << 18};
  sigaltstack(&stack, NULL);
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  static const int signals[] = {SIGUSR1, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &a, NULL);
  kill(getpid(), SIGUSR1);
  for (size_t len = (size_t)(out - start); len;) {
    ssize_t k = write(1, start, len);
    if (k <= 0) die("cannot write");
    start += k;
    len -= (size_t)k;
  }
  return 0;
}

#endif
