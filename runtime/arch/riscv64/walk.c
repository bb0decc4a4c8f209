/* Address translation: Sv39 and Sv48 page walks with A and D updates (10.3 to 10.5), and PMP on every step. Caching the
 * results is mem/tlb.c's job. */
#include "priv.h"

#include "mem/phys.h"

#define PTE_V        (1u << 0)
#define PTE_R        (1u << 1)
#define PTE_W        (1u << 2)
#define PTE_X        (1u << 3)
#define PTE_U        (1u << 4)
#define PTE_G        (1u << 5)
#define PTE_A        (1u << 6)
#define PTE_D        (1u << 7)
#define PTE_PPN(pte) ((pte) >> 10 & ((UINT64_C(1) << 44) - 1))
#define PTE_RESERVED (UINT64_C(0x3ff) << 54) /* no Svnapot, no Svpbmt */

static int fault(struct vcpu *v, gva_t va, enum access access) {
  static const uint8_t kind[] = {RISCV64_TRAP_load_page, RISCV64_TRAP_store_page, RISCV64_TRAP_fetch_page};
  return vcpu_trap(v, kind[access], 1, va, 0, 0);
}

int riscv64_bus_fault(struct vcpu *v, gva_t va, enum access access) {
  static const uint8_t kind[] = {RISCV64_TRAP_load_access, RISCV64_TRAP_store_access,
                                 RISCV64_TRAP_fetch_access};
  return vcpu_trap(v, kind[access], 1, va, 0, 0);
}

/* What a leaf PTE lets `priv` do, as 1 << enum access. */
static unsigned rights(const struct riscv64_vcpu *s, uint64_t pte, unsigned priv) {
  unsigned r = 0;
  if (pte & PTE_R || (s->mstatus & MSTATUS_MXR && pte & PTE_X)) r |= 1u << ACCESS_READ;
  if (pte & PTE_W) r |= 1u << ACCESS_WRITE;
  if (pte & PTE_X) r |= 1u << ACCESS_FETCH;
  if (priv == PRIV_U) return pte & PTE_U ? r : 0;
  if (!(pte & PTE_U)) return r;
  return s->mstatus & MSTATUS_SUM ? r & ~(1u << ACCESS_FETCH) : 0;
}

static bool pmp_allows(struct vcpu *v, gpa_t pa, enum access access) {
  return riscv64_pmp(v, pa, 8, PRIV_S) >> access & 1;
}

/* Sets A (and D for writes) in the PTE at `at`, which held `old`. 1: done, *pte is the new value; 0: it changed
 * meanwhile, walk again; STEP_TRAP never: -1 means that the page table cannot be written. */
static int set_ad(struct vcpu *v, gpa_t at, uint64_t old, uint64_t set, uint64_t *pte) {
  if (!pmp_allows(v, at, ACCESS_WRITE)) return -1;
  uint64_t *host = phys_ptr(v->c->phys, at, sizeof *host, true);
  if (!host) return -1;
  *pte = old | set;
  return __atomic_compare_exchange_n(host, &old, *pte, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static int walk(struct vcpu *v, gva_t va, enum access access, unsigned priv, struct translation *out) {
  const struct riscv64_vcpu *s = rv(v);
  const unsigned levels = SATP_MODE(s->satp) == SATP_SV48 ? 4 : 3, bits = 12 + 9 * levels;
  if ((uint64_t)((int64_t)(va << (64 - bits)) >> (64 - bits)) != va) return fault(v, va, access);
restart:;
  gpa_t table = SATP_PPN(s->satp) << 12;
  bool global = false;
  for (int level = (int)levels - 1; level >= 0; level--) {
    const unsigned shift = 12 + 9 * (unsigned)level;
    const gpa_t at = table + (va >> shift & 0x1ff) * 8;
    const uint64_t *host =
        pmp_allows(v, at, ACCESS_READ) ? phys_ptr(v->c->phys, at, sizeof *host, false) : NULL;
    if (!host) return riscv64_bus_fault(v, va, access);
    uint64_t pte = __atomic_load_n(host, __ATOMIC_RELAXED);
    if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W || pte & PTE_RESERVED) return fault(v, va, access);
    global |= !!(pte & PTE_G);
    if (!(pte & (PTE_R | PTE_X))) {
      if (pte & (PTE_D | PTE_A | PTE_U)) return fault(v, va, access);
      table = PTE_PPN(pte) << 12;
      continue;
    }
    unsigned allowed = rights(s, pte, priv);
    if (!(allowed >> access & 1)) return fault(v, va, access);
    if (PTE_PPN(pte) & ((UINT64_C(1) << (shift - 12)) - 1))
      return fault(v, va, access); /* misaligned superpage */
    uint64_t set = (PTE_A | (access == ACCESS_WRITE ? PTE_D : 0)) & ~pte;
    if (set) {
      if (!(s->menvcfg & MENVCFG_ADUE)) return fault(v, va, access);
      int rc = set_ad(v, at, pte, set, &pte);
      if (rc < 0) return riscv64_bus_fault(v, va, access);
      if (!rc) goto restart;
    }
    if (!(pte & PTE_D)) allowed &= ~(1u << ACCESS_WRITE);
    out->size = UINT64_C(1) << shift;
    out->pa = PTE_PPN(pte) << 12 | (va & (out->size - 1));
    out->prot = (uint8_t)allowed;
    out->global = global;
    return 0;
  }
  return fault(v, va, access); /* a pointer at the last level */
}

int riscv64_translate(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  const struct riscv64_vcpu *s = rv(v);
  const unsigned priv = access == ACCESS_FETCH ? s->PRIV : riscv64_data_priv(s);
  if (priv == PRIV_M || SATP_MODE(s->satp) == SATP_BARE) {
    *out = (struct translation){.pa = va, .size = UINT64_C(1) << 30, .prot = 7, .global = false};
  } else {
    int rc = walk(v, va, access, priv, out);
    if (rc) return rc;
  }
  uint64_t block = riscv64_pmp_block(v, out->pa, out->size);
  unsigned rights = out->prot;
  if (block >= GUEST_PAGE_SIZE) {
    out->size = block;
    rights &= riscv64_pmp(v, out->pa, 1, priv);
    out->prot = (uint8_t)rights;
  } else { /* different answers within the page: every access asks again */
    out->size = GUEST_PAGE_SIZE;
    rights &= riscv64_pmp(v, out->pa, v->c->access_len, priv);
    out->prot = 0;
  }
  return rights >> access & 1 ? 0 : riscv64_bus_fault(v, va, access);
}
