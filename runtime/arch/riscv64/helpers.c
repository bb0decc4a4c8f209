/* Helpers that instruction and CSR meanings call (declared in isa/riscv64.yaml): fences, clock, counters, interrupts. */
#include "priv.h"

#include "core/clock.h"
#include "core/machine.h"
#include "interp/interp.h"
#include "mem/access.h"
#include "mem/tlb.h"

uint64_t riscv64_time(struct vcpu *v) {
  struct machine *m = v->c->machine;
  uint64_t ns = m ? machine_now(m) : clock_ns();
  return ns / (NSEC_PER_SEC / RISCV64_TIMEBASE) +
         (m ? __atomic_load_n(&m->counter_delta, __ATOMIC_RELAXED) : 0);
}

/* 3.1.9 and chapter 14 (Sstc): levels from devices, software-writable bits, and the supervisor timer, which under
 * menvcfg.STCE is the comparator and otherwise a software-writable bit. */
uint64_t riscv64_pending(struct vcpu *v, uint64_t mask) {
  const struct riscv64_vcpu *s = rv(v);
  uint64_t lines =
      __atomic_load_n(&v->c->irq_lines, __ATOMIC_ACQUIRE) & (IRQ_MSI | IRQ_MTI | IRQ_SEI | IRQ_MEI);
  uint64_t bits = s->mip | lines;
  if (s->menvcfg & MENVCFG_STCE && mask & IRQ_STI) {
    bits &= ~IRQ_STI;
    if (riscv64_time(v) >= s->stimecmp) bits |= IRQ_STI;
  }
  return bits & mask;
}

int riscv64_h_pending(struct vcpu *v, uint64_t *bits) {
  *bits = riscv64_pending(v, UINT64_MAX);
  return STEP_NEXT;
}

int riscv64_h_time(struct vcpu *v, uint64_t *t) {
  *t = riscv64_time(v);
  return STEP_NEXT;
}

int riscv64_h_retired(struct vcpu *v, uint64_t *n) {
  *n = vcpu_retired(v);
  return STEP_NEXT;
}

/* sfence.vma; which: bit 1 = one address, bit 0 = one address space. */
int riscv64_h_tlb_flush(struct vcpu *v, uint64_t va, uint64_t asid, uint64_t which) {
  asid &= 0xffff;
  switch (which) {
  case 0: tlb_flush_all(v); break;
  case 1: tlb_flush_asid(v, asid); break;
  case 2: tlb_flush_page(v, va); break;
  default: tlb_flush_page_asid(v, va, asid); break;
  }
  return STEP_END;
}

int riscv64_h_pmp_changed(struct vcpu *v) {
  tlb_flush_all(v);
  return STEP_END;
}

int riscv64_h_fence_i(struct vcpu *v) {
  interp_fence_i(v);
  return STEP_END;
}

/* 19.4: a cache-block management instruction needs read or write permission; its faults are those of a store. */
int riscv64_h_cbo_probe(struct vcpu *v, uint64_t va) {
  return mem_probe(v, va, 1, ACCESS_READ) ? mem_probe(v, va, 1, ACCESS_WRITE) : STEP_NEXT;
}

/* cbo.zero: a block of 64 bytes; its fault names the address that was given, not the block's. */
int riscv64_h_cbo_zero(struct vcpu *v, uint64_t va) {
  int rc = mem_fill(v, va & ~UINT64_C(63), 64, 0);
  if (rc) v->c->trap.arg[0] = va;
  return rc;
}
