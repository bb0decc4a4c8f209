/* Meaning of the x86_64 slice against the processor this runs on: every leaf with boundary pairs and random operands, both
 * natively and in the interpreter; registers, flags, memory and faults must agree. Flags that the manual leaves undefined
 * are masked by rules written here, from the manual, not taken from the description.
 *
 *   native_x86_64 <forms> <pairs: 1 all, else every n-th> <random sets per leaf> <seed> [leaf]
 *
 * forms: tests/lib/forms.py. Prints differences and a total. Exit status 77: this processor lacks what is needed.
 * Programs of this directory share what they are linked with.
 * link: -lLLVM-19 -lstdc++ */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/isa.h"
#include "mem/phys.h"
#include "os/cpu.h"
#include "tests/oracle/identity.h"
#include "tests/oracle/form_bytes.h"

#ifndef __x86_64__

int main(void) { return 77; }

#else

#include "x86_64/state.h"

enum {
  CODE = 0x10000000,
  INSN = CODE + 0x800,
  PAD = INSN + 0x60,
  DATA = 0x20000000,
  DATA_SIZE = 0x4000,
  NOWHERE = 0x30000000
};
enum { WINDOW = DATA + 0x1800, WINDOW_SIZE = 0x800, GS = 0x100, MAX_SHOWN = 60 };
enum {
  CF = 1,
  PF = 4,
  AF = 16,
  ZF = 64,
  SF = 128,
  DF = 1024,
  OF = 2048,
  FLAGS = CF | PF | AF | ZF | SF | DF | OF
};
enum outcome { NEXT, TAKEN, FAULT_DE, FAULT_UD, FAULT_BP, FAULT_MEMORY, OTHER };

struct state {
  uint64_t r[16], flags;
  uint64_t v[16][4];
  uint32_t mxcsr, usual; /* usual: of the C code around */
};

/* What native_enter loads, and what native_exit stores; the assembly below knows the offsets. */
struct state native_in, native_out;
uint64_t native_target, native_stack;
uint8_t native_taken;
static volatile sig_atomic_t native_signal;
void native_enter(void);
void native_exit(void);
void native_exit_taken(void);

#define LOADV(n)       "vmovdqu native_in+136+32*" #n "(%rip), %ymm" #n "\n"
#define STOREV(n)      "vmovdqu %ymm" #n ", native_out+136+32*" #n "(%rip)\n"
#define LOADR(n, reg)  "movq native_in+8*" #n "(%rip), %" #reg "\n"
#define STORER(n, reg) "movq %" #reg ", native_out+8*" #n "(%rip)\n"
#define ALLV(F)        F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)
/* clang-format settles on no layout of this list. */
/* clang-format off */
#define ALLR(F) \
  F(0, rax) F(1, rcx) F(2, rdx) F(3, rbx) F(4, rsp) F(5, rbp) F(6, rsi) F(7, rdi) \
  F(8, r8) F(9, r9) F(10, r10) F(11, r11) F(12, r12) F(13, r13) F(14, r14) F(15, r15)
/* clang-format on */
__asm__(".text\n.globl native_enter, native_exit, native_exit_taken\n"
        "native_enter:\n"
        "pushq %rbx\npushq %rbp\npushq %r12\npushq %r13\npushq %r14\npushq %r15\npushfq\n"
        "movq %rsp, native_stack(%rip)\n" ALLV(
            LOADV) "ldmxcsr native_in+648(%rip)\npushq "
                   "native_in+128(%rip)\npopfq\n" ALLR(
                       LOADR) "jmp *native_target(%rip)\n"
                              "native_exit_taken:\nmovb $1, "
                              "native_taken(%rip)\n"
                              "native_exit:\n" ALLR(STORER) "movq native_stack(%rip), %rsp\n"
                                                            "stmxcsr "
                                                            "native_out+648(%rip)\nldmxcsr "
                                                            "native_in+652(%rip)\n"
                                                            "pushfq\npopq "
                                                            "native_out+128(%rip)\ncld\n" ALLV(
                                                                STOREV) "vzeroupper\n"
                                                                        "popfq\npopq %r15\npopq "
                                                                        "%r14\npopq %r13\npopq "
                                                                        "%r12\npopq %rbp\npopq "
                                                                        "%rbx\nret\n");

static const uint64_t boundary[] = {
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x7fffffffffffffff,
    0x8000000000000000,
    ~UINT64_C(0),
    ~UINT64_C(1),
    0x5555555555555555,
    0xaaaaaaaaaaaaaaaa,
    31,
    32,
    33,
    63,
    64,
    0x8000000000000001,
    /* Floats: 1, largest, infinite, quiet and signalling NaN, smallest normal, subnormal; the same in double precision. */
    0x3f8000003f800000,
    0x7f7fffffff7fffff,
    0x7f800000ff800000,
    0x7fc000017fa00001,
    0x00800000807fffff,
    0x3ff0000000000000,
    0x7fefffffffffffff,
    0xfff0000000000000,
    0x7ff8000000000001,
    0x7ff4000000000001,
    0x0010000000000000,
    0x800fffffffffffff,
    0xc3e0000000000000,
};
enum { NB = ARRAY_SIZE(boundary) };

static struct form forms[MAX_FORMS];
static int nforms;
static uint64_t seed, runs, different, outcomes[OTHER + 1];
static unsigned shown;
static struct phys *phys;
static struct vcpu *vcpu;
static uint8_t *const native_data = (uint8_t *)DATA, *const native_code = (uint8_t *)CODE;

static uint64_t next(void) { /* splitmix64 */
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static uint64_t any(void) {
  uint64_t r = next();
  switch (r & 7) {
  case 0:
  case 1: return boundary[(r >> 8) % NB];
  case 2: return r >> 8 & 0xff;
  case 3: return (uint64_t)(int32_t)(r >> 8);
  default: return next();
  }
}

/* ---- one case ---- */

struct test {
  struct form *f;
  struct choice c;
  uint8_t bytes[32];
  unsigned len;
  struct state in;
  uint8_t data[WINDOW_SIZE];
  unsigned rm, reg; /* complete numbers */
};

static bool is(const struct form *f, const char *family) { return !strcmp(f->family, family); }

/* Puts eight bytes at an address if it lies inside the window. */
static void poke(struct test *t, uint64_t at, uint64_t v) {
  if (at >= WINDOW && at + 8 <= WINDOW + WINDOW_SIZE) memcpy(t->data + (at - WINDOW), &v, 8);
}

static bool writes_atomically(const struct form *f) {
  return f->lock || is(f, "xchg") || is(f, "cmpxchg8b") || is(f, "cmpxchg16b");
}

/* Chooses an address, and registers and displacement that make it; returns the address. */
static uint64_t address(struct test *t) {
  struct choice *c = &t->c;
  const struct form *f = t->f;
  uint64_t target = WINDOW + 0x200 + (next() & 0x3ff), high = next();
  bool plain = next() % 4 != 0 || writes_atomically(f);
  if (plain) target &= ~UINT64_C(31);
  if (next() % 64 == 0) target = next() & 1 ? NOWHERE : UINT64_C(0x8000000000000000);
  if (f->moffs) {
    if (c->a32) target &= 0xffffffff;
    c->imm = target - (c->segment ? DATA + GS : 0);
    return target;
  }
  if (plain && (c->modrm & 7) == 4) c->sib |= 0x20; /* no index: one exact address */
  uint64_t ea = target - (c->segment ? DATA + GS : 0);
  unsigned mod = c->modrm >> 6, low = c->modrm & 7, scale = 0, index = 16, base = low | (c->rex & 1) << 3;
  int64_t disp = mod == 1 ? (int8_t)c->disp : mod == 2 ? (int16_t)c->disp : 0;
  c->disp = (uint64_t)disp;
  if (mod == 0 && low == 5) {
    c->disp = ea - (INSN + t->len);
    if ((int64_t)c->disp != (int32_t)c->disp) c->disp = WINDOW + 0x240 - (INSN + t->len);
    return INSN + t->len + c->disp + (c->segment ? DATA + GS : 0);
  }
  if (low == 4) {
    base = (c->sib & 7) | (c->rex & 1) << 3;
    index = (c->sib >> 3 & 7) | (c->rex & 2) << 2;
    scale = c->sib >> 6;
    if (index == 4) {
      index = 16;
      c->sib &= 0x3f;
    }
    if (mod == 0 && (c->sib & 7) == 5) base = 16;
  }
  if (base == 16) {
    if (index < 16) t->in.r[index] = next() & 15;
    c->disp = ea - (index < 16 ? t->in.r[index] << scale : 0);
    if ((int64_t)c->disp != (int32_t)c->disp) c->disp = WINDOW + 0x200;
    if (index < 16 && c->a32) t->in.r[index] |= high << 32;
  } else if (index == base) {
    uint64_t factor = 1 + (UINT64_C(1) << scale);
    t->in.r[base] = (ea - c->disp) / factor;
    ea = t->in.r[base] * factor + c->disp;
    if (c->a32) t->in.r[base] |= high << 32;
  } else {
    if (index < 16) t->in.r[index] = (next() & 0xff) - 0x80;
    t->in.r[base] = ea - c->disp - (index < 16 ? t->in.r[index] << scale : 0);
    if (c->a32) t->in.r[base] = (t->in.r[base] & 0xffffffff) | high << 32;
  }
  return (c->a32 ? ea & 0xffffffff : ea) + (c->segment ? DATA + GS : 0);
}

static void vectors(struct test *t, uint64_t a, uint64_t b) {
  for (unsigned i = 0; i < 16; i++)
    for (unsigned k = 0; k < 4; k++)
      t->in.v[i][k] = next() % 4 ? (i & 1 ? a : b) ^ (next() & next() & next() & next()) : any();
}

/* Registers, memory and bytes of one case; a and b are the values of the first and the second operand. */
static void make(struct test *t, struct form *f, uint64_t a, uint64_t b) {
  struct choice *c = &t->c;
  uint64_t r = next(), at = 0;
  unsigned opcode;
  memset(t, 0, sizeof *t);
  t->f = f;
  for (unsigned i = 0; i < 16; i++) t->in.r[i] = any();
  t->in.flags = (next() & FLAGS) | 0x202;
  t->in.mxcsr = (uint32_t)(next() & 0xe07f) | 0x1f80; /* every exception masked */
  t->in.usual = 0x1f80;
  if (f->map || f->vex) vectors(t, a, b);
  for (unsigned i = 0; i < WINDOW_SIZE; i += 8) {
    uint64_t v = i % 32 ? any() : a;
    memcpy(t->data + i, &v, 8);
  }
  *c = (struct choice){.rex = r & 15,
                       .rex_present = r >> 4 & 1,
                       .reg = r >> 5 & 7,
                       .low = r >> 8 & 7,
                       .modrm = (uint8_t)(r >> 11),
                       .sib = (uint8_t)(r >> 19),
                       .disp = next(),
                       .imm = b,
                       .vvvv = r >> 27 & 15,
                       .rep = (r >> 31 & 3) % 3,
                       .vex3 = r >> 33 & 1};
  if (c->modrm >> 6 == 3) c->modrm &= 0x7f;
  bool memory = f->memory || f->moffs || f->stringy || is(f, "xlatb");
  if (memory && r >> 36 & 1 && !(r >> 37 & 3)) c->segment = 0x65;
  if (memory && !(r >> 42 & 7)) c->a32 = true;
  t->len = form_bytes(f, c, t->bytes, &opcode);
  t->rm = c->low | (c->rex & 1) << 3;
  t->reg = c->reg | (c->rex & 4) << 1;
  if (f->b0) t->rm &= 7;
  /* Values: the accumulator and what rm names are the first operand, rcx and what reg names the second. */
  t->in.r[0] = a;
  t->in.r[1] = b;
  if (next() & 1) t->in.r[2] = next() & 1 ? 0 : (uint64_t)((int64_t)a >> 63);
  t->in.r[t->reg] = b;
  if (!f->memory) t->in.r[t->rm] = a;
  t->in.r[4] = WINDOW + 0x400 + (next() & 0xff);
  if (is(f, "leave")) t->in.r[5] = t->in.r[4];
  if (is(f, "xlatb")) t->in.r[3] = WINDOW + 0x100 - (c->segment ? DATA + GS : 0);
  if (f->stringy) {
    t->in.r[6] = WINDOW + 0x300 + (next() & 0x1f) - (c->segment ? DATA + GS : 0);
    t->in.r[7] = WINDOW + 0x310 + (next() & 0x1f);
    t->in.r[1] = next() % 7;
    if (c->segment && c->a32) c->segment = 0;
    if (c->a32)
      for (unsigned i = 0; i < 3; i++) t->in.r[(const int[]){1, 6, 7}[i]] |= next() << 32;
  }
  if (f->memory || f->moffs) at = address(t);
  if (is(f, "bt_mem") && t->in.r[t->reg] == b) t->in.r[t->reg] = (uint64_t)((int64_t)next() >> 54);
  if (is(f, "bt_mem") && f->n < 64)
    t->in.r[t->reg] = (t->in.r[t->reg] & ~UINT64_C(0x3ff)) * 0 + (next() & 0x3ff);
  if (at && f->lock == 0 && next() & 1) poke(t, at, a);
  if (is(f, "cmpxchg") && next() & 1) { /* make the comparison hold */
    if (f->memory) poke(t, at, t->in.r[0]);
    else t->in.r[t->rm] = t->in.r[0];
  }
  if ((is(f, "cmpxchg8b") || is(f, "cmpxchg16b")) && next() & 1) {
    poke(t, at, f->n == 64 ? (t->in.r[0] & 0xffffffff) | t->in.r[2] << 32 : t->in.r[0]);
    if (f->n == 128) poke(t, at + 8, t->in.r[2]);
  }
  /* Branches end at the landing pad. */
  if (f->rel) c->imm = (uint64_t)(PAD - (INSN + (int64_t)t->len));
  if (is(f, "jmp_ind") || is(f, "call_ind")) {
    if (f->memory) poke(t, at, PAD);
    else t->in.r[t->rm] = PAD;
  }
  if (is(f, "ret") || is(f, "ret_pop")) poke(t, t->in.r[4], PAD);
  t->len = form_bytes(f, c, t->bytes, &opcode);
}

/* ---- the two machines ---- */

static void handler(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  (void)info;
  native_signal = sig;
  u->uc_mcontext.gregs[REG_RIP] = (greg_t)native_exit;
  u->uc_mcontext.gregs[REG_EFL] &= ~0x10000; /* resume flag */
}

static enum outcome run_native(const struct test *t, struct state *out, uint8_t *data) {
  static const uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0};
  uint64_t done = (uint64_t)native_exit, taken = (uint64_t)native_exit_taken;
  uint8_t *p = native_code + (INSN - CODE);
  memcpy(native_data + (WINDOW - DATA), t->data, WINDOW_SIZE);
  memcpy(p, t->bytes, t->len);
  memcpy(p + t->len, jump, sizeof jump);
  memcpy(p + t->len + sizeof jump, &done, 8);
  memcpy(p + (PAD - INSN), jump, sizeof jump);
  memcpy(p + (PAD - INSN) + sizeof jump, &taken, 8);
  native_in = t->in;
  native_target = INSN;
  native_taken = 0;
  native_signal = 0;
  native_enter();
  *out = native_out;
  memcpy(data, native_data + (WINDOW - DATA), WINDOW_SIZE);
  switch (native_signal) {
  case 0: return native_taken ? TAKEN : NEXT;
  case SIGFPE: return FAULT_DE;
  case SIGILL: return FAULT_UD;
  case SIGTRAP: return FAULT_BP;
  default: return FAULT_MEMORY;
  }
}

static enum outcome run_interpreter(const struct test *t, struct state *out, uint8_t *data) {
  struct x86_64_vcpu *s = (struct x86_64_vcpu *)vcpu;
  enum outcome o;
  phys_write(phys, WINDOW, t->data, WINDOW_SIZE);
  phys_write(phys, INSN, t->bytes, sizeof t->bytes);
  memcpy(s->r, t->in.r, sizeof t->in.r);
  s->CF = !!(t->in.flags & CF);
  s->PF = !!(t->in.flags & PF);
  s->AF = !!(t->in.flags & AF);
  s->ZF = !!(t->in.flags & ZF);
  s->SF = !!(t->in.flags & SF);
  s->DF = !!(t->in.flags & DF);
  s->OF = !!(t->in.flags & OF);
  s->MXFLAGS = t->in.mxcsr & 63;
  s->MXCTL = (uint16_t)(t->in.mxcsr >> 6);
  s->sb[2] = DATA + GS;
  memcpy(s->v, t->in.v, sizeof t->in.v);
  vcpu->pc = INSN;
  for (unsigned i = 0; i < 64 && vcpu->pc == INSN; i++) {
    vcpu_set_budget(vcpu, 1);
    if (vcpu->c->engine_ops->run(vcpu) == EXIT_TRAP) break;
  }
  o = vcpu->pc == INSN + t->len ? NEXT : vcpu->pc == PAD ? TAKEN : OTHER;
  if (vcpu->exit == EXIT_TRAP) switch (vcpu->c->trap.kind) {
    case X86_64_TRAP_DE: o = FAULT_DE; break;
    case X86_64_TRAP_UD: o = FAULT_UD; break;
    case X86_64_TRAP_BP: o = FAULT_BP; break;
    case X86_64_TRAP_GP:
    case X86_64_TRAP_SS:
    case X86_64_TRAP_PF: o = FAULT_MEMORY; break;
    default: o = OTHER;
    }
  memcpy(out->r, s->r, sizeof out->r);
  memcpy(out->v, s->v, sizeof out->v);
  out->mxcsr = (uint32_t)s->MXCTL << 6 | s->MXFLAGS;
  out->flags = (s->CF ? CF : 0) | (s->PF ? PF : 0) | (s->AF ? AF : 0) | (s->ZF ? ZF : 0) | (s->SF ? SF : 0) |
               (s->DF ? DF : 0) | (s->OF ? OF : 0);
  phys_read(phys, WINDOW, data, WINDOW_SIZE);
  return o;
}

/* ---- comparison ---- */

/* Flags that the manual leaves undefined after this case; *result: the destination is undefined too. */
static unsigned undefined(const struct test *t, bool *result) {
  const struct form *f = t->f;
  const unsigned all = CF | PF | AF | ZF | SF | OF;
  const unsigned op = (unsigned)f->opcode;
  if (is(f, "alu"))
    return !strcmp(f->mnemonic, "and") || !strcmp(f->mnemonic, "or") || !strcmp(f->mnemonic, "xor") ? AF : 0;
  if (is(f, "test")) return AF;
  if (is(f, "mul") || is(f, "imul2")) return SF | ZF | AF | PF;
  if (is(f, "div") || is(f, "idiv")) return all;
  if (is(f, "bt") || is(f, "bt_mem")) return OF | SF | AF | PF;
  if (is(f, "scan")) return OF | SF | AF | PF | CF;
  if (is(f, "count_zeros")) return OF | SF | AF | PF;
  if (is(f, "andn") || is(f, "bls") || is(f, "bzhi")) return AF | PF;
  if (is(f, "bextr")) return SF | AF | PF;
  bool twice = is(f, "shld") || is(f, "shrd"), rotate = is(f, "shift");
  if (!twice && !rotate && !is(f, "shl") && !is(f, "shr") && !is(f, "sar")) return 0;
  uint64_t n = twice ? (op & 1 ? t->in.r[1] : t->c.imm) : op <= 0xc1 ? t->c.imm : op <= 0xd1 ? 1 : t->in.r[1];
  n &= f->n == 64 ? 63 : 31;
  if (!n) return 0;
  unsigned mask = n == 1 ? 0 : OF;
  if (rotate) return mask;
  if (twice && n > (unsigned)f->n) {
    *result = true;
    return all;
  }
  if (!twice && !is(f, "sar") && n > (unsigned)f->n) mask |= CF;
  return mask | AF;
}

static void show(const struct test *t, enum outcome on, enum outcome oi, const struct state *n,
                 const struct state *i, const uint8_t *dn, const uint8_t *di, unsigned flags) {
  if (shown++ >= MAX_SHOWN) return;
  printf("differ\t%s\t", t->f->name);
  for (unsigned k = 0; k < t->len; k++) printf("%02x", t->bytes[k]);
  if (on != oi) printf("\toutcome native %d, interpreter %d", on, oi);
  for (unsigned k = 0; k < 16; k++)
    if (n->r[k] != i->r[k])
      printf("\tr%u %" PRIx64 ": native %" PRIx64 ", interpreter %" PRIx64, k, t->in.r[k], n->r[k], i->r[k]);
  if ((n->flags ^ i->flags) & flags)
    printf("\tflags %" PRIx64 ": native %" PRIx64 ", interpreter %" PRIx64, t->in.flags & FLAGS,
           n->flags & flags, i->flags & flags);
  if (n->mxcsr != i->mxcsr) printf("\tmxcsr %x: native %x, interpreter %x", t->in.mxcsr, n->mxcsr, i->mxcsr);
  for (unsigned k = 0; k < 16; k++)
    if (memcmp(n->v[k], i->v[k], 32))
      printf("\tymm%u: native %" PRIx64 ", interpreter %" PRIx64, k, n->v[k][0], i->v[k][0]);
  for (unsigned k = 0; k < WINDOW_SIZE; k++)
    if (dn[k] != di[k]) {
      printf("\tmemory %x: native %02x, interpreter %02x", WINDOW + k, dn[k], di[k]);
      break;
    }
  printf("\ta %" PRIx64 " b %" PRIx64 "\n", t->in.r[0], t->in.r[1]);
}

static void run(struct form *f, uint64_t a, uint64_t b) {
  static struct test t;
  static uint8_t dn[WINDOW_SIZE], di[WINDOW_SIZE];
  struct state n, i;
  bool result = false;
  make(&t, f, a, b);
  enum outcome on = run_native(&t, &n, dn), oi = run_interpreter(&t, &i, di);
  runs++;
  outcomes[on]++;
  unsigned flags = FLAGS & ~(on == NEXT ? undefined(&t, &result) : 0);
  if (result) { /* only that nothing else changed */
    if (!f->memory) n.r[t.rm] = i.r[t.rm] = 0;
    else memcpy(dn, di, sizeof dn);
  }
  /* With 32-bit addresses some processors clear the upper halves even if nothing is repeated, or the first access faults. */
  if (f->stringy && f->rep && t.c.rep && t.c.a32)
    for (unsigned k = 0; k < 3; k++) {
      const unsigned r = (const unsigned[]){1, 6, 7}[k];
      if (n.r[r] == (uint32_t)i.r[r]) n.r[r] = i.r[r];
    }
  if (on == oi && !memcmp(n.r, i.r, sizeof n.r) && !((n.flags ^ i.flags) & flags) && n.mxcsr == i.mxcsr &&
      !memcmp(n.v, i.v, sizeof n.v) && !memcmp(dn, di, sizeof dn))
    return;
  different++;
  show(&t, on, oi, &n, &i, dn, di, flags);
}

/* ---- set-up ---- */

static bool can_run(const struct form *f) {
  /* Would call the kernel (tests/programs run it); what this processor is, and its clock; the x87 state is not set here
   * (tests/meaning does). */
  if (is(f, "fldcw") || is(f, "fnstcw") || is(f, "fninit")) return false;
  return !is(f, "syscall") && !is(f, "cpuid") && !is(f, "xgetbv") && !is(f, "rdtsc") && !is(f, "rdtscp");
}

static void set_up(void) {
  const struct isa *isa = isa_find("x86_64");
  static uint8_t stack[65536];
  stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  static const int signals[] = {SIGFPE, SIGILL, SIGTRAP, SIGSEGV, SIGBUS};
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  if (mmap((void *)CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) == MAP_FAILED ||
      mmap((void *)DATA, DATA_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED ||
      sigaltstack(&alt, NULL) || syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)DATA + GS)) {
    perror("native_x86_64");
    exit(2);
  }
  for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) sigaction(signals[i], &sa, NULL);
  phys = phys_new();
  vcpu = vcpu_new(isa, phys, 0, isa->default_features);
  if (vcpu) identity_attach(vcpu);
  if (!vcpu || phys_add_ram(phys, CODE, 0x1000, "code") || phys_add_ram(phys, DATA, DATA_SIZE, "data") ||
      engine_select(vcpu, "interp")) {
    fprintf(stderr, "native_x86_64: no interpreter\n");
    exit(2);
  }
  isa->arch->user_entry(vcpu, INSN, WINDOW);
  vcpu->c->trap_exits = true;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: see the head of native_x86_64.c\n");
    return 2;
  }
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("lzcnt") || !os_cpu_has("AES") ||
      !os_cpu_has("PCLMUL") || !os_cpu_has("SHA"))
    return 77;
  set_up();
  nforms = forms_read(argv[1], forms);
  unsigned every = (unsigned)atoi(argv[2]), sets = (unsigned)atoi(argv[3]), leaves = 0;
  seed = strtoull(argv[4], NULL, 0);
  for (int k = 0; k < nforms; k++) {
    struct form *f = &forms[k];
    if (!can_run(f) || (argc > 5 && strcmp(argv[5], f->name))) continue;
    leaves++;
    for (unsigned p = next() % every; p < NB * NB; p += every) run(f, boundary[p / NB], boundary[p % NB]);
    for (unsigned n = 0; n < sets; n++) run(f, any(), any());
  }
  for (unsigned k = 0; k < OTHER; k++) printf("outcome\t%u\t%" PRIu64 "\n", k, outcomes[k]);
  printf("total\t%u\t%" PRIu64 "\t%" PRIu64 "\n", leaves, runs, different);
  return 0;
}

#endif
