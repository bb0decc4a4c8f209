/* Helpers that instruction and register meanings call (declared in isa/arm64.yaml): TLB and cache maintenance, address
 * translation instructions, unprivileged accesses, clock, registers of devices outside. */
#include <errno.h>

#include "el1.h"

#include "core/clock.h"
#include "core/machine.h"
#include "interp/interp.h"
#include "mem/access.h"
#include "mem/tlb.h"

/* isb: instructions written before it are fetched after it. */
int arm64_h_isync(struct vcpu *v) {
  interp_fence_i(v);
  return STEP_END;
}

int arm64_h_clrex(struct vcpu *v) {
  mem_excl_clear(v);
  return STEP_NEXT;
}

int arm64_h_translation_changed(struct vcpu *v) {
  tlb_flush_all(v);
  return STEP_END;
}

/* TLBI by op2 of its encoding: 0 all, 1 and 5 address and ASID, 2 ASID, 3 and 7 address in every ASID. Entries of an address
 * are dropped in every ASID, because global ones belong to each. */
static void flush(struct vcpu *v, uint64_t arg, uint64_t op) {
  const gva_t va = (gva_t)((int64_t)(arg << 20) >> 8);
  if (!op) tlb_flush_all(v);
  else if (op == 2) tlb_flush_asid(v, arg >> 48);
  else tlb_flush_page(v, va);
}

int arm64_h_tlbi(struct vcpu *v, uint64_t arg, uint64_t op, uint64_t broadcast) {
  const struct machine *m = v->c->machine;
  flush(v, arg, op);
  for (unsigned i = 0; broadcast && m && i < m->nvcpus; i++)
    if (m->vcpu[i] != v) tlb_flush_remote(m->vcpu[i]);
  return STEP_END;
}

/* AT S1E1R, S1E1W, S1E0R, S1E0W by op2; PAR_EL1 as D24.2.124 has it. */
int arm64_h_address_translate(struct vcpu *v, uint64_t va, uint64_t op) {
  struct arm64_vcpu *s = a64(v);
  struct arm64_walk w;
  struct arm64_walker as = {.el = op < 2, .update = false};
  int rc = arm64_walk(v, va, op & 1 ? ACCESS_WRITE : ACCESS_READ, as, &w);
  const uint64_t res1 = 1 << 11;
  if (rc) {
    s->PAR_EL1 = res1 | (uint64_t)(rc & ~ARM64_FAULT) << 1 | 1;
    return STEP_NEXT;
  }
  const bool device = !(w.attr & 0xf0);
  s->PAR_EL1 =
      (uint64_t)w.attr << 56 | (w.t.pa & GUEST_PAGE_MASK) | res1 | (uint64_t)(device ? 2 : w.sh) << 7;
  return STEP_NEXT;
}

/* Cache maintenance by address faults like a load, but for PSTATE.PAN; its syndrome says write and cache maintenance. */
int arm64_h_cache_va(struct vcpu *v, uint64_t va) {
  struct arm64_walk w;
  if (!mem_probe(v, va, 1, ACCESS_READ)) return STEP_NEXT;
  if (v->c->trap.kind != ARM64_TRAP_data_abort) return STEP_TRAP;
  if (!v->c->space && a64(v)->PSTATE_PAN &&
      !arm64_walk(v, va, ACCESS_READ, (struct arm64_walker){.el = a64(v)->EL, .update = true}, &w))
    return STEP_NEXT;
  v->c->trap.arg[1] |= ISS_CM | ISS_WNR;
  return STEP_TRAP;
}

/* LDTR and STTR at EL1: the access is made in EL0's context. */
struct as_user {
  uint32_t tag;
};

static struct as_user begin(struct vcpu *v) {
  struct as_user u = {v->tag_data};
  v->tag_data = arm64_user_tag(v);
  a64(v)->AS_USER = 1;
  return u;
}

static int end(struct vcpu *v, struct as_user u, int rc) {
  v->tag_data = u.tag;
  a64(v)->AS_USER = 0;
  return rc;
}

int arm64_h_user_load(struct vcpu *v, uint64_t va, uint64_t bytes, uint64_t *out) {
  struct as_user u = begin(v);
  uint8_t b = 0;
  uint16_t h = 0;
  uint32_t w = 0;
  int rc;
  switch (bytes) {
  case 1: rc = mem_load8(v, va, ORDER_RELAXED, &b); break;
  case 2: rc = mem_load16(v, va, ORDER_RELAXED, &h); break;
  case 4: rc = mem_load32(v, va, ORDER_RELAXED, &w); break;
  default: rc = mem_load64(v, va, ORDER_RELAXED, out); return end(v, u, rc);
  }
  *out = b | h | w;
  return end(v, u, rc);
}

int arm64_h_user_store(struct vcpu *v, uint64_t va, uint64_t value, uint64_t bytes) {
  struct as_user u = begin(v);
  int rc;
  switch (bytes) {
  case 1: rc = mem_store8(v, va, ORDER_RELAXED, (uint8_t)value); break;
  case 2: rc = mem_store16(v, va, ORDER_RELAXED, (uint16_t)value); break;
  case 4: rc = mem_store32(v, va, ORDER_RELAXED, (uint32_t)value); break;
  default: rc = mem_store64(v, va, ORDER_RELAXED, value); break;
  }
  return end(v, u, rc);
}

uint64_t arm64_time(struct vcpu *v) {
  struct machine *m = v->c->machine;
  uint64_t ns = m ? machine_now(m) : clock_ns();
  return ns / (NSEC_PER_SEC / ARM64_TIMEBASE) +
         (m ? __atomic_load_n(&m->counter_delta, __ATOMIC_RELAXED) : 0);
}

int arm64_h_time(struct vcpu *v, uint64_t *t) {
  *t = arm64_time(v);
  return STEP_NEXT;
}

int arm64_h_retired(struct vcpu *v, uint64_t *n) {
  *n = vcpu_retired(v);
  return STEP_NEXT;
}

/* A register that a device answers; without the device it is undefined. */
static int outside(struct vcpu *v, unsigned reg, uint64_t *read, uint64_t write) {
  int rc = vcpu_port(v, reg, read, write);
  if (rc == STEP_TRAP || rc == 0) return rc;
  return vcpu_trap(v, ARM64_TRAP_undef, 0, 0, 0, 0);
}

int arm64_h_outside_read(struct vcpu *v, uint64_t reg, uint64_t *value) {
  return outside(v, (unsigned)reg, value, 0);
}

int arm64_h_outside_write(struct vcpu *v, uint64_t reg, uint64_t value) {
  int rc = outside(v, (unsigned)reg, NULL, value);
  return rc ? rc : STEP_END;
}
