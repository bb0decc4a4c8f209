/* Decoded instruction, vCPU state and the hot handlers of the test's ISA; stands in for what the generator writes. */
#ifndef FAKE_INSN_H
#define FAKE_INSN_H

#include "core/isa.h"
#include "interp/handler.h"
#include "mem/phys.h"

#define FAKE_MEM (16 * 4096)

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
/* A byte into guest memory, anywhere in it; like every write it may hit decoded code. */
static inline int hi_store(struct vcpu *v, const struct insn *d) {
  struct fake_vcpu *f = (struct fake_vcpu *)v;
  uint8_t *at = phys_ptr(v->c->phys, f->x[OF(d)->a >> 4 & 7] % FAKE_MEM, 1, true);
  *at = (uint8_t)f->x[OF(d)->a & 7];
  return STEP_NEXT;
}
/* The parts of a fused pair that hands its value on. */
static inline int hp_addi(struct vcpu *v, const struct insn *d, uint64_t *value) {
  *value = ((struct fake_vcpu *)v)->x[OF(d)->a & 7] += (uint64_t)(int64_t)OF(d)->imm;
  return STEP_NEXT;
}
static inline int hs_bnez__a(struct vcpu *v, const struct insn *d, uint64_t value, gva_t *to) {
  if (!value) return STEP_NEXT;
  *to = v->pcbase + d->off + (uint64_t)(int64_t)(OF(d)->imm * 2);
  return STEP_LINK;
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
