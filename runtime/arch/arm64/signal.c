/* Signals of arm64 programs: what traps mean, frames, thread registers. Layouts are those of Linux,
 * arch/arm64/include/uapi/asm/{ucontext,sigcontext}.h and arch/arm64/kernel/signal.c. */
#define _GNU_SOURCE
#include <signal.h>

#include "arch/frame.h"
#include "user.h"

enum { INFO = 0, UC = SIGINFO_SIZE, MASK = UC + UC_STACK_END, MC = UC + 176 };
/* struct sigcontext: fault_address, regs[31], sp, pc, pstate, then records of 16-byte alignment. */
enum {
  REGS = MC + 8,
  SP_ = REGS + 31 * 8,
  PC = SP_ + 8,
  PSTATE = PC + 8,
  RECORDS = MC + 288,
  RECORDS_SIZE = 4096
};
enum {
  FRAME = RECORDS + RECORDS_SIZE,
  LINK = 16,
  SIZE = FRAME + LINK
}; /* above it {x29, x30} for unwinders */
enum {
  FPSIMD_MAGIC = 0x46508001,
  FPSIMD_SIZE = 528,
  FPSIMD_REGS = 16,
  ESR_MAGIC = 0x45535201,
  ESR_SIZE = 16
};
enum { FP = 29, LR = 30 };
#define PSTATE_N (UINT64_C(1) << 31)
#define PSTATE_Z (UINT64_C(1) << 30)
#define PSTATE_C (UINT64_C(1) << 29)
#define PSTATE_V (UINT64_C(1) << 28)
/* ESR_ELx of an abort from EL0 with a 32-bit instruction (D24.2.37). */
#define ESR_DATA  (UINT64_C(0x24) << 26 | UINT64_C(1) << 25)
#define ESR_FETCH (UINT64_C(0x20) << 26 | UINT64_C(1) << 25 | FSC_TRANSLATION_L3)

static struct arm64_vcpu *state(struct vcpu *v) { return (struct arm64_vcpu *)v; }

static gva_t sp(const struct vcpu *v) { return ((const struct arm64_vcpu *)v)->SP; }

static void record(struct user_frame *f, unsigned off, unsigned magic, unsigned size) {
  frame_put(f, off, magic, 4);
  frame_put(f, off + 4, size, 4);
}

static void save(struct vcpu *v, struct user_frame *f) {
  const struct arm64_vcpu *s = state(v);
  unsigned at = RECORDS;
  memset(f->bytes, 0, SIZE);
  f->size = SIZE;
  f->at = ((f->top - LINK) & ~UINT64_C(15)) - FRAME;
  memcpy(f->bytes + INFO, f->info, SIGINFO_SIZE);
  frame_put_stack(f, UC);
  frame_put(f, MASK, f->mask, 8);
  frame_put(f, MC, f->fault.signal ? f->fault.addr : 0, 8);
  memcpy(f->bytes + REGS, s->x, 31 * 8);
  frame_put(f, SP_, s->SP, 8);
  frame_put(f, PC, v->pc, 8);
  frame_put(f, PSTATE,
            (s->NF ? PSTATE_N : 0) | (s->ZF ? PSTATE_Z : 0) | (s->CF ? PSTATE_C : 0) | (s->VF ? PSTATE_V : 0),
            8);
  record(f, at, FPSIMD_MAGIC, FPSIMD_SIZE);
  frame_put(f, at + 8, s->FPSR, 4);
  frame_put(f, at + 12, s->FPCR, 4);
  memcpy(f->bytes + at + FPSIMD_REGS, s->v, sizeof s->v);
  at += FPSIMD_SIZE;
  if (f->fault.signal) {
    record(f, at, ESR_MAGIC, ESR_SIZE);
    const struct trap *t = &v->c->trap;
    frame_put(f, at + 8, t->kind == ARM64_TRAP_data_abort ? ESR_DATA | t->arg[1] : ESR_FETCH, 8);
    at += ESR_SIZE;
  }
  frame_put(f, FRAME, s->x[FP], 8);
  frame_put(f, FRAME + 8, s->x[LR], 8);
}

static void enter(struct vcpu *v, const struct user_frame *f) {
  struct arm64_vcpu *s = state(v);
  s->x[0] = (uint64_t)f->signal;
  s->x[1] = f->at + INFO;
  s->x[2] = f->at + UC;
  s->x[FP] = f->at + FRAME;
  s->x[LR] = f->restorer;
  s->SP = f->at;
  v->pc = f->handler;
}

static void locate(const struct vcpu *v, struct user_frame *f) {
  f->at = sp(v);
  f->size = FRAME;
}

/* The program may have left the record of the vector registers out; then they stay as they are. */
static void restore_records(struct arm64_vcpu *s, const struct user_frame *f) {
  for (unsigned at = RECORDS; at + 16 <= FRAME;) {
    const uint64_t magic = frame_get(f, at, 4), size = frame_get(f, at + 4, 4);
    if (!magic || size < 16 || size % 16 || size > FRAME - at) return;
    if (magic == FPSIMD_MAGIC && size >= FPSIMD_SIZE) {
      s->FPSR = frame_get(f, at + 8, 4);
      s->FPCR = frame_get(f, at + 12, 4);
      memcpy(s->v, f->bytes + at + FPSIMD_REGS, sizeof s->v);
    }
    at += (unsigned)size;
  }
}

static void restore(struct vcpu *v, struct user_frame *f) {
  struct arm64_vcpu *s = state(v);
  const uint64_t flags = frame_get(f, PSTATE, 8);
  frame_get_stack(f, UC);
  f->mask = frame_get(f, MASK, 8);
  memcpy(s->x, f->bytes + REGS, 31 * 8);
  s->SP = frame_get(f, SP_, 8);
  v->pc = frame_get(f, PC, 8);
  s->NF = !!(flags & PSTATE_N);
  s->ZF = !!(flags & PSTATE_Z);
  s->CF = !!(flags & PSTATE_C);
  s->VF = !!(flags & PSTATE_V);
  restore_records(s, f);
}

/* As Linux maps exceptions in arch/arm64/kernel/traps.c, debug-monitors.c and mm/fault.c. */
struct user_fault arm64_user_signal(struct vcpu *v) {
  const struct trap *t = &v->c->trap;
  const struct user_fault maperr = {SIGSEGV, SEGV_MAPERR, t->arg[0]};
  switch (t->kind) {
  case ARM64_TRAP_brk: return (struct user_fault){SIGTRAP, TRAP_BRKPT, v->pc};
  case ARM64_TRAP_pc_alignment: return (struct user_fault){SIGBUS, BUS_ADRALN, v->pc};
  case ARM64_TRAP_data_abort:
    if ((t->arg[1] & FSC) == FSC_ALIGNMENT) return (struct user_fault){SIGBUS, BUS_ADRALN, t->arg[0]};
    return v->c->fault.signal ? v->c->fault : maperr;
  case ARM64_TRAP_insn_abort: return v->c->fault.signal ? v->c->fault : maperr;
  default: return (struct user_fault){SIGILL, ILL_ILLOPC, v->pc};
  }
}

void arm64_user_stack(struct vcpu *v, gva_t at) { state(v)->SP = at; }
void arm64_user_tls(struct vcpu *v, uint64_t tls) { state(v)->TPIDR_EL0 = tls; }

const struct arch_signals arm64_signals = {
    .restorer = true,
    .min_stack = 5120,
    .sp = sp,
    .save = save,
    .enter = enter,
    .locate = locate,
    .restore = restore,
};
