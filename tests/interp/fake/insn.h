/* Decoded instruction, vCPU state and the hot handlers of the test's ISA; stands in for what the generator writes. */
#ifndef FAKE_INSN_H
#define FAKE_INSN_H

#include "core/isa.h"
#include "interp/handler.h"

struct fake_insn {
  struct insn h;
  uint8_t a;
  int16_t imm;
  uint32_t pad;
};

struct fake_vcpu {
  struct vcpu v;
  uint64_t x[8];
};

#define OF(d) ((const struct fake_insn *)(d))

static inline int hi_addi(struct vcpu *v, const struct insn *d) {
  ((struct fake_vcpu *)v)->x[OF(d)->a & 7] += (uint64_t)(int64_t)OF(d)->imm;
  return STEP_NEXT;
}
static inline int hi_bnez(struct vcpu *v, const struct insn *d, gva_t *to) {
  if (!((struct fake_vcpu *)v)->x[OF(d)->a & 7]) return STEP_NEXT;
  *to = v->pcbase + d->off + (uint64_t)(int64_t)(OF(d)->imm * 2);
  return STEP_LINK;
}
static inline int hi_jmp(struct vcpu *v, const struct insn *d, gva_t *to) {
  *to = v->pcbase + d->off + (uint64_t)(int64_t)(OF(d)->imm * 2);
  return STEP_LINK;
}

#endif
