/* Physical memory protection (3.7), in grains of four bytes. Registers are kept and legalised by their descriptions in
 * isa/riscv64/sysregs.yaml; here they are only evaluated, on page walks, so nothing derived needs to be kept. */
#include "priv.h"

#define ENTRIES 16

enum { CFG_R = 1, CFG_W = 2, CFG_X = 4, CFG_A = 3 << 3, CFG_L = 1 << 7 };
enum { A_OFF = 0, A_TOR = 1 << 3, A_NA4 = 2 << 3, A_NAPOT = 3 << 3 };

#define ADDR_MASK ((UINT64_C(1) << 54) - 1)

static unsigned config(const struct riscv64_vcpu *s, unsigned i) {
  return (i < 8 ? s->pmpcfg0 : s->pmpcfg2) >> (i % 8 * 8) & 0xff;
}

/* The registers are declared one by one, so the compiler may not assume an array. */
static uint64_t address(const struct riscv64_vcpu *s, unsigned i) {
  switch (i) {
  case 0: return s->pmpaddr0;
  case 1: return s->pmpaddr1;
  case 2: return s->pmpaddr2;
  case 3: return s->pmpaddr3;
  case 4: return s->pmpaddr4;
  case 5: return s->pmpaddr5;
  case 6: return s->pmpaddr6;
  case 7: return s->pmpaddr7;
  case 8: return s->pmpaddr8;
  case 9: return s->pmpaddr9;
  case 10: return s->pmpaddr10;
  case 11: return s->pmpaddr11;
  case 12: return s->pmpaddr12;
  case 13: return s->pmpaddr13;
  case 14: return s->pmpaddr14;
  default: return s->pmpaddr15;
  }
}

/* Range of entry i as [*lo, *hi], inclusive; false when it is off or empty. */
static bool range(const struct riscv64_vcpu *s, unsigned i, gpa_t *lo, gpa_t *hi) {
  uint64_t a = address(s, i) & ADDR_MASK, from;
  switch (config(s, i) & CFG_A) {
  case A_TOR:
    from = i ? address(s, i - 1) & ADDR_MASK : 0;
    if (from >= a) return false;
    *lo = from << 2;
    *hi = (a << 2) - 1;
    return true;
  case A_NA4:
    *lo = a << 2;
    *hi = a << 2 | 3;
    return true;
  case A_NAPOT:
    *lo = (a & (a + 1)) << 2;
    *hi = (a | (a + 1)) << 2 | 3;
    return true;
  default: return false;
  }
}

static unsigned rights(unsigned cfg) {
  return (cfg & CFG_R ? 1u << ACCESS_READ : 0) | (cfg & CFG_W ? 1u << ACCESS_WRITE : 0) |
         (cfg & CFG_X ? 1u << ACCESS_FETCH : 0);
}

unsigned riscv64_pmp(const struct vcpu *v, gpa_t pa, uint64_t len, unsigned priv) {
  const struct riscv64_vcpu *s = (const struct riscv64_vcpu *)v;
  const unsigned all = rights(CFG_R | CFG_W | CFG_X);
  for (unsigned i = 0; i < ENTRIES && s->pmpcfg0 | s->pmpcfg2; i++) {
    gpa_t lo, hi, last = pa + len - 1;
    if (!range(s, i, &lo, &hi) || last < lo || pa > hi) continue;
    if (pa < lo || last > hi) return 0;
    unsigned cfg = config(s, i);
    return priv == PRIV_M && !(cfg & CFG_L) ? all : rights(cfg);
  }
  return priv == PRIV_M ? all : 0;
}

uint64_t riscv64_pmp_block(const struct vcpu *v, gpa_t pa, uint64_t size) {
  const struct riscv64_vcpu *s = (const struct riscv64_vcpu *)v;
  for (unsigned i = 0; i < ENTRIES && s->pmpcfg0 | s->pmpcfg2; i++) {
    gpa_t lo, hi;
    if (!range(s, i, &lo, &hi)) continue;
    for (;;) { /* the first entry that matches any byte decides, so a block must lie inside or outside */
      gpa_t first = pa & ~(size - 1), last = pa | (size - 1);
      if (last < lo || first > hi) break;
      if (first >= lo && last <= hi) return size;
      size >>= 1;
    }
  }
  return size;
}
