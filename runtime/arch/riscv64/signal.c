/* Signals of riscv64 programs: what traps mean, frames, thread registers. Layouts are those of Linux,
 * arch/riscv/include/uapi/asm/{ucontext,sigcontext,ptrace}.h and arch/riscv/kernel/signal.c. */
#define _GNU_SOURCE
#include <signal.h>

#include "arch/frame.h"
#include "priv.h"

enum {
  INFO = 0,
  UC = SIGINFO_SIZE,
  MASK = UC + UC_STACK_END,
  REGS = UC + 176,
  FP = REGS + 256,
  SIZE = FP + 528
};
enum { RA = 1, SP = 2, TP = 4, A0 = 10, A1, A2 };

static const struct riscv64_vcpu *crv(const struct vcpu *v) { return (const struct riscv64_vcpu *)v; }

static gva_t sp(const struct vcpu *v) { return crv(v)->x[SP]; }

static void save(struct vcpu *v, struct user_frame *f) {
  const struct riscv64_vcpu *s = rv(v);
  memset(f->bytes, 0, SIZE);
  f->size = SIZE;
  f->at = (f->top - SIZE) & ~UINT64_C(15);
  memcpy(f->bytes + INFO, f->info, SIGINFO_SIZE);
  frame_put_stack(f, UC);
  frame_put(f, MASK, f->mask, 8);
  frame_put(f, REGS, v->pc, 8); /* x0's place */
  memcpy(f->bytes + REGS + 8, &s->x[1], 31 * 8);
  memcpy(f->bytes + FP, s->f, 32 * 8);
  frame_put(f, FP + 32 * 8, (uint64_t)s->FRM << 5 | s->fflags, 4);
}

static void enter(struct vcpu *v, const struct user_frame *f) {
  struct riscv64_vcpu *s = rv(v);
  s->x[RA] = f->restorer;
  s->x[SP] = f->at;
  s->x[A0] = (uint64_t)f->signal;
  s->x[A1] = f->at + INFO;
  s->x[A2] = f->at + UC;
  v->pc = f->handler;
}

static void locate(const struct vcpu *v, struct user_frame *f) {
  f->at = sp(v);
  f->size = SIZE;
}

static void restore(struct vcpu *v, struct user_frame *f) {
  struct riscv64_vcpu *s = rv(v);
  const uint64_t fcsr = frame_get(f, FP + 32 * 8, 4);
  frame_get_stack(f, UC);
  f->mask = frame_get(f, MASK, 8);
  v->pc = frame_get(f, REGS, 8);
  memcpy(&s->x[1], f->bytes + REGS + 8, 31 * 8);
  memcpy(s->f, f->bytes + FP, 32 * 8);
  s->FRM = fcsr >> 5 & 7;
  s->fflags = fcsr & 31;
}

/* As Linux maps causes in arch/riscv/kernel/traps.c and mm/fault.c. */
struct user_fault riscv64_user_signal(struct vcpu *v) {
  const struct trap *t = &v->c->trap;
  switch (t->kind) {
  case RISCV64_TRAP_illegal: return (struct user_fault){SIGILL, ILL_ILLOPC, v->pc};
  case RISCV64_TRAP_breakpoint: return (struct user_fault){SIGTRAP, TRAP_BRKPT, v->pc};
  case RISCV64_TRAP_fetch_misaligned:
  case RISCV64_TRAP_load_misaligned:
  case RISCV64_TRAP_store_misaligned: return (struct user_fault){SIGBUS, BUS_ADRALN, t->arg[0]};
  default: return v->c->fault.signal ? v->c->fault : (struct user_fault){SIGSEGV, SEGV_MAPERR, t->arg[0]};
  }
}

void riscv64_user_stack(struct vcpu *v, gva_t at) { rv(v)->x[SP] = at; }
void riscv64_user_tls(struct vcpu *v, uint64_t tls) { rv(v)->x[TP] = tls; }

const struct arch_signals riscv64_signals = {
    .min_stack = 2048,
    .sp = sp,
    .save = save,
    .enter = enter,
    .locate = locate,
    .restore = restore,
};
