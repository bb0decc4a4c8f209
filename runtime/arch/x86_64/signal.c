/* Signals of x86_64 programs: what traps mean, frames, thread registers. Layouts are those of Linux,
 * arch/x86/include/uapi/asm/{ucontext,sigcontext}.h and arch/x86/kernel/signal_64.c; the extended state is XSAVE's
 * standard format (Intel SDM vol. 1, 13.4). */
#define _GNU_SOURCE
#include <signal.h>

#include "arch/frame.h"
#include "user.h"

/* struct rt_sigframe: return address, ucontext, siginfo; the extended state lies above it. */
enum {
  RETURN = 0,
  UC = 8,
  MC = UC + UC_STACK_END,
  MASK = MC + 256,
  INFO = MASK + 8,
  FRAME = INFO + SIGINFO_SIZE
};
/* struct sigcontext: r8 to r15, then these. */
enum {
  DI = 64,
  SI = 72,
  BP = 80,
  BX = 88,
  DX = 96,
  AX = 104,
  CX = 112,
  SP = 120,
  IP = 128,
  FLAGS = 136,
  SELECTORS = 144,
  ERR = 152,
  TRAPNO = 160,
  OLDMASK = 168,
  CR2 = 176,
  FPSTATE = 184
};
/* Extended state: legacy region, software-reserved bytes, header, upper halves of ymm, closing magic. */
enum { CWD = 0, MXCSR = 24, MXCSR_MASK = 28, XMM = 160, SW = 464, HEADER = 512, YMM = 576, XSAVE = 832 };
enum { MAGIC1 = 0x46505853, MAGIC2 = 0x46505845, LEGACY = 512 };
enum { UC_FP_XSTATE = 1, UC_SIGCONTEXT_SS = 2, UC_STRICT_RESTORE_SS = 4 };
enum { XF_X87 = 1, XF_SSE = 2, XF_AVX = 4 };
enum {
  FLAG_CF = 1 << 0,
  FLAG_1 = 1 << 1,
  FLAG_PF = 1 << 2,
  FLAG_AF = 1 << 4,
  FLAG_ZF = 1 << 6,
  FLAG_SF = 1 << 7,
  FLAG_IF = 1 << 9,
  FLAG_DF = 1 << 10,
  FLAG_OF = 1 << 11
};
enum { USER_CS = 0x33, USER_SS = 0x2b };

/* Order of struct sigcontext against numbers of registers. */
static const struct {
  uint8_t reg, off;
} places[] = {{RDI, DI}, {RSI, SI}, {RBP, BP}, {RBX, BX}, {RDX, DX}, {RAX, AX}, {RCX, CX}, {RSP, SP}};

static struct x86_64_vcpu *state(struct vcpu *v) { return (struct x86_64_vcpu *)v; }

static gva_t sp(const struct vcpu *v) { return ((const struct x86_64_vcpu *)v)->r[RSP]; }

static bool has_avx(const struct vcpu *v) { return v->c->features >> X86_64_FEATURE_AVX & 1; }

static uint64_t flags(const struct x86_64_vcpu *s) {
  return FLAG_1 | FLAG_IF | (s->CF ? FLAG_CF : 0) | (s->PF ? FLAG_PF : 0) | (s->AF ? FLAG_AF : 0) |
         (s->ZF ? FLAG_ZF : 0) | (s->SF ? FLAG_SF : 0) | (s->DF ? FLAG_DF : 0) | (s->OF ? FLAG_OF : 0);
}

static void set_mxcsr(struct x86_64_vcpu *s, uint64_t x) {
  s->MXFLAGS = x & 63;
  s->MXCTL = x >> 6 & 1023;
}

/* `fp`: offset of the extended state in the frame's bytes. */
static void save_extended(struct vcpu *v, struct user_frame *f, unsigned fp) {
  const struct x86_64_vcpu *s = state(v);
  const bool avx = has_avx(v);
  frame_put(f, fp + CWD, s->FCW, 2);
  frame_put(f, fp + MXCSR, (uint32_t)s->MXCTL << 6 | s->MXFLAGS, 4);
  frame_put(f, fp + MXCSR_MASK, 0xffff, 4);
  for (unsigned i = 0; i < 16; i++) memcpy(f->bytes + fp + XMM + 16 * i, &s->v[i], 16);
  if (!avx) return;
  frame_put(f, fp + SW, MAGIC1, 4);
  frame_put(f, fp + SW + 4, XSAVE + 4, 4);
  frame_put(f, fp + SW + 8, XF_X87 | XF_SSE | XF_AVX, 8);
  frame_put(f, fp + SW + 16, XSAVE, 4);
  frame_put(f, fp + HEADER, XF_X87 | XF_SSE | XF_AVX, 8);
  for (unsigned i = 0; i < 16; i++) memcpy(f->bytes + fp + YMM + 16 * i, (const char *)&s->v[i] + 16, 16);
  frame_put(f, fp + XSAVE, MAGIC2, 4);
}

static void save(struct vcpu *v, struct user_frame *f) {
  const struct x86_64_vcpu *s = state(v);
  const unsigned extended = has_avx(v) ? XSAVE + 4 : LEGACY;
  const gva_t fp = (f->top - extended) & ~UINT64_C(63);
  f->at = ((fp - FRAME) & ~UINT64_C(15)) - 8; /* as if a call had just been made */
  const unsigned off = (unsigned)(fp - f->at);
  f->size = off + extended;
  memset(f->bytes, 0, f->size);
  frame_put(f, RETURN, f->restorer, 8);
  frame_put(f, UC, UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (has_avx(v) ? UC_FP_XSTATE : 0), 8);
  frame_put_stack(f, UC);
  for (unsigned i = 8; i < 16; i++) frame_put(f, MC + 8 * (i - 8), s->r[i], 8);
  for (unsigned i = 0; i < ARRAY_SIZE(places); i++) frame_put(f, MC + places[i].off, s->r[places[i].reg], 8);
  /* A breakpoint is a trap: its handler returns behind it (vol. 3, 6.5). */
  const bool behind = f->fault.signal && v->c->trap.kind == X86_64_TRAP_BP;
  frame_put(f, MC + IP, v->pc + behind, 8);
  frame_put(f, MC + FLAGS, flags(s), 8);
  frame_put(f, MC + SELECTORS, USER_CS | (uint64_t)USER_SS << 48, 8);
  if (f->fault.signal) {
    const struct trap *t = &v->c->trap;
    frame_put(f, MC + ERR, t->kind == X86_64_TRAP_PF ? t->arg[0] : 0, 8);
    frame_put(f, MC + TRAPNO, v->c->isa->traps[t->kind].code, 8);
    frame_put(f, MC + CR2, t->kind == X86_64_TRAP_PF ? f->fault.addr : 0, 8);
  }
  frame_put(f, MC + OLDMASK, f->mask, 8);
  frame_put(f, MC + FPSTATE, fp, 8);
  frame_put(f, MASK, f->mask, 8);
  memcpy(f->bytes + INFO, f->info, SIGINFO_SIZE);
  save_extended(v, f, off);
}

/* The initial state of the extended registers (vol. 1, 13.6). */
static void clear_extended(struct x86_64_vcpu *s) {
  memset(s->v, 0, sizeof s->v);
  set_mxcsr(s, 0x1f80);
  s->FCW = 0x37f;
}

/* Handlers start with it: arch/x86/kernel/signal.c, handle_signal. */
static void enter(struct vcpu *v, const struct user_frame *f) {
  struct x86_64_vcpu *s = state(v);
  clear_extended(s);
  s->r[RDI] = (uint64_t)f->signal;
  s->r[RSI] = f->at + INFO;
  s->r[RDX] = f->at + UC;
  s->r[RAX] = 0;
  s->r[RSP] = f->at;
  s->DF = 0;
  v->pc = f->handler;
}

/* The handler's return has taken the return address. */
static void locate(const struct vcpu *v, struct user_frame *f) {
  f->at = sp(v) - 8;
  f->size = FRAME;
}

static void locate_more(const struct vcpu *v, struct user_frame *f) {
  f->more_at = frame_get(f, MC + FPSTATE, 8);
  f->more_size = !f->more_at ? 0 : has_avx(v) ? XSAVE + 4 : LEGACY;
}

/* What the frame says nothing about is in its initial state then (vol. 1, 13.8). */
static void restore_extended(struct x86_64_vcpu *s, const struct user_frame *f) {
  const bool extended = f->more_size > LEGACY && frame_get(f, FRAME + SW, 4) == MAGIC1;
  const uint64_t have = extended ? frame_get(f, FRAME + HEADER, 8) : XF_SSE;
  clear_extended(s);
  if (!f->more_size) return;
  set_mxcsr(s, frame_get(f, FRAME + MXCSR, 4));
  s->FCW = (uint16_t)((frame_get(f, FRAME + CWD, 2) & 0x1f7f) | 0x40); /* as FLDCW keeps it */
  for (unsigned i = 0; i < 16; i++) {
    if (have & XF_SSE) memcpy(&s->v[i], f->bytes + FRAME + XMM + 16 * i, 16);
    if (have & XF_AVX) memcpy((char *)&s->v[i] + 16, f->bytes + FRAME + YMM + 16 * i, 16);
  }
}

static void restore(struct vcpu *v, struct user_frame *f) {
  struct x86_64_vcpu *s = state(v);
  const uint64_t fl = frame_get(f, MC + FLAGS, 8);
  frame_get_stack(f, UC);
  f->mask = frame_get(f, MASK, 8);
  for (unsigned i = 8; i < 16; i++) s->r[i] = frame_get(f, MC + 8 * (i - 8), 8);
  for (unsigned i = 0; i < ARRAY_SIZE(places); i++) s->r[places[i].reg] = frame_get(f, MC + places[i].off, 8);
  v->pc = frame_get(f, MC + IP, 8);
  s->CF = !!(fl & FLAG_CF);
  s->PF = !!(fl & FLAG_PF);
  s->AF = !!(fl & FLAG_AF);
  s->ZF = !!(fl & FLAG_ZF);
  s->SF = !!(fl & FLAG_SF);
  s->DF = !!(fl & FLAG_DF);
  s->OF = !!(fl & FLAG_OF);
  restore_extended(s, f);
}

/* As Linux maps exceptions in arch/x86/kernel/traps.c and mm/fault.c. */
struct user_fault x86_64_user_signal(struct vcpu *v) {
  const struct trap *t = &v->c->trap;
  switch (t->kind) {
  case X86_64_TRAP_DE: return (struct user_fault){SIGFPE, FPE_INTDIV, v->pc};
  case X86_64_TRAP_BP: return (struct user_fault){SIGTRAP, SI_KERNEL, 0};
  case X86_64_TRAP_UD: return (struct user_fault){SIGILL, ILL_ILLOPN, v->pc};
  case X86_64_TRAP_SS: return (struct user_fault){SIGBUS, SI_KERNEL, 0};
  case X86_64_TRAP_AC: return (struct user_fault){SIGBUS, BUS_ADRALN, 0};
  case X86_64_TRAP_PF:
    return v->c->fault.signal ? v->c->fault : (struct user_fault){SIGSEGV, SEGV_MAPERR, t->arg[1]};
  default: return (struct user_fault){SIGSEGV, SI_KERNEL, 0};
  }
}

void x86_64_user_stack(struct vcpu *v, gva_t at) { state(v)->r[RSP] = at; }
void x86_64_user_tls(struct vcpu *v, uint64_t tls) { state(v)->sb[SB_FS] = tls; }

const struct arch_signals x86_64_signals = {
    .restorer = true,
    .red_zone = 128,
    .min_stack = 2048,
    .sp = sp,
    .save = save,
    .enter = enter,
    .locate = locate,
    .locate_more = locate_more,
    .restore = restore,
};
