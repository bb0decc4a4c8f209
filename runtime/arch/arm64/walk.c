/* Address translation: stage 1 of the EL1&0 regime (D8.2 to D8.4), all three granules through one walker, with the access
 * flag and dirty state updated by hardware where TCR_EL1 says so (D8.5). Caching the results is mem/tlb.c's job. */
#include "el1.h"

#include "mem/phys.h"
#include "mem/tlb.h"
#include "user.h"

/* Descriptors, D8.3 */
#define DESC_VALID  (UINT64_C(1) << 0)
#define DESC_TABLE  (UINT64_C(1) << 1) /* in the last level: a page */
#define DESC_USER   (UINT64_C(1) << 6) /* AP[1] */
#define DESC_RO     (UINT64_C(1) << 7) /* AP[2] */
#define DESC_AF     (UINT64_C(1) << 10)
#define DESC_NG     (UINT64_C(1) << 11)
#define DESC_DBM    (UINT64_C(1) << 51)
#define DESC_CONTIG (UINT64_C(1) << 52)
#define DESC_PXN    (UINT64_C(1) << 53)
#define DESC_UXN    (UINT64_C(1) << 54)
#define TABLE_PXN   (UINT64_C(1) << 59)
#define TABLE_UXN   (UINT64_C(1) << 60)
#define TABLE_NOEL0 (UINT64_C(1) << 61)
#define TABLE_RO    (UINT64_C(1) << 62)
#define ADDRESS     ((UINT64_C(1) << 48) - 1)

#define TCR_A1      (UINT64_C(1) << 22)
#define TCR_AS      (UINT64_C(1) << 36)
#define TCR_HA      (UINT64_C(1) << 39)
#define TCR_HD      (UINT64_C(1) << 40)
enum { T_MIN = 16, T_MAX = 39 }; /* TnSZ */

enum { MODE_EL1 = 1, MODE_MMU = 2, MODE_PAN = 4, MODE_ILLEGAL = 8, MODE_ANY = 16 };

#define BITS(n) ((UINT64_C(1) << (n)) - 1)
#define R       (1u << ACCESS_READ)
#define W       (1u << ACCESS_WRITE)
#define X       (1u << ACCESS_FETCH)

static int fault(unsigned code, unsigned level) { return (int)(ARM64_FAULT | code | level); }

/* What TCR_EL1 says about the half of the address space that va is in. */
struct regime {
  uint64_t ttbr;
  gva_t va; /* without its tag */
  unsigned granule, bits;
  uint8_t pa_bits;
};

static bool regime_of(const struct arm64_vcpu *s, gva_t va, struct regime *r) {
  static const uint8_t tg0[] = {12, 16, 14, 12}, tg1[] = {12, 14, 12, 16},
                       size[] = {32, 36, 40, 42, 44, 48, 48, 48};
  const uint64_t tcr = s->TCR_EL1;
  const bool high = va >> 55 & 1;
  const unsigned tsz = (unsigned)(tcr >> (high ? 16 : 0) & 63);
  r->ttbr = high ? s->TTBR1_EL1 : s->TTBR0_EL1;
  r->granule = high ? tg1[tcr >> 30 & 3] : tg0[tcr >> 14 & 3];
  r->pa_bits = size[tcr >> 32 & 7];
  r->va = tcr >> (high ? 38 : 37) & 1 ? (gva_t)((int64_t)(va << 8) >> 8) : va;
  if (tsz < T_MIN || tsz > T_MAX || tcr >> (high ? 23 : 7) & 1) return false;
  r->bits = 64 - tsz;
  return (r->va >> r->bits) == (high ? BITS(64 - r->bits) : 0);
}

/* Rights at `el` (D8.4.1), `table` being what the table descriptors on the way take away. */
static unsigned rights(const struct arm64_vcpu *s, uint64_t desc, uint64_t table, unsigned el, bool pan) {
  const bool user = desc & DESC_USER && !(table & TABLE_NOEL0);
  const bool writable = !(desc & DESC_RO) && !(table & TABLE_RO);
  unsigned r = R | (writable ? W : 0);
  if (el ? pan && user : !user) r = 0;
  const bool xn =
      el ? desc & DESC_PXN || table & TABLE_PXN || (user && writable) : desc & DESC_UXN || table & TABLE_UXN;
  const bool wxn = s->SCTLR_EL1 & SCTLR_WXN && writable && (el || user);
  return xn || wxn ? r : r | X;
}

/* Entries that a set contiguous bit stands for, as a power of two (D8.7.1). */
static unsigned contiguous(unsigned granule, unsigned level) {
  if (granule == 12) return 4;
  return granule == 14 && level == 3 ? 7 : 5;
}

/* The leaf `desc` at `at`. 0, a fault, or -1: it changed meanwhile, walk again. */
static int leaf(struct vcpu *v, const struct regime *r, enum access access, struct arm64_walker as, gpa_t at,
                uint64_t desc, uint64_t table, unsigned level, unsigned shift, struct arm64_walk *out) {
  const struct arm64_vcpu *s = a64(v);
  const uint64_t tcr = s->TCR_EL1;
  const gpa_t pa = desc & ADDRESS & ~BITS(shift);
  uint64_t now = desc;
  if (pa >> r->pa_bits) return fault(FSC_ADDRESS_SIZE, level);
  if (!(desc & DESC_AF)) {
    if (!(tcr & TCR_HA)) return fault(FSC_ACCESS_FLAG, level);
    now |= DESC_AF;
  }
  unsigned allowed = rights(s, desc, table, as.el, as.pan);
  const bool dirties = access == ACCESS_WRITE && tcr & TCR_HA && tcr & TCR_HD && desc & DESC_DBM;
  if (dirties && !(allowed & W)) {
    now &= ~DESC_RO;
    allowed = rights(s, now, table, as.el, as.pan);
  }
  if (!(allowed >> access & 1)) return fault(FSC_PERMISSION, level);
  if (now != desc && as.update) {
    uint64_t *host = phys_ptr(v->c->phys, at, sizeof *host, true);
    if (!host) return fault(FSC_EXTERNAL_WALK, level);
    if (!__atomic_compare_exchange_n(host, &desc, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return -1;
  }
  unsigned size = shift;
  if (desc & DESC_CONTIG) {
    unsigned more = shift + contiguous(r->granule, level);
    if (more <= r->bits && !((pa ^ r->va) & BITS(more) & ~BITS(shift))) size = more;
  }
  out->t.pa = pa | (r->va & BITS(shift));
  out->t.size = UINT64_C(1) << size;
  out->t.prot = (uint8_t)allowed;
  out->t.global = !(desc & DESC_NG);
  out->attr = (uint8_t)(s->MAIR_EL1 >> 8 * (desc >> 2 & 7));
  out->sh = desc >> 8 & 3;
  return 0;
}

static int walk(struct vcpu *v, const struct regime *r, enum access access, struct arm64_walker as,
                struct arm64_walk *out) {
  const unsigned stride = r->granule - 3, levels = (r->bits - r->granule + stride - 1) / stride;
  uint64_t table = 0;
  unsigned level = 4 - levels, shift = r->granule + stride * (levels - 1);
  unsigned align = r->bits - shift + 3; /* of the first table: its size, at least 64 bytes */
  gpa_t base = r->ttbr & ADDRESS & ~BITS(align < 6 ? 6 : align);
  if (base >> r->pa_bits) return fault(FSC_ADDRESS_SIZE, 0);
  gpa_t at = base + (r->va >> shift & BITS(r->bits - shift)) * 8;
  for (;; level++) {
    const uint64_t *host = phys_ptr(v->c->phys, at, sizeof *host, false);
    if (!host) return fault(FSC_EXTERNAL_WALK, level);
    const uint64_t desc = __atomic_load_n(host, __ATOMIC_RELAXED);
    if (!(desc & DESC_VALID)) return fault(FSC_TRANSLATION, level);
    if (level == 3) {
      if (!(desc & DESC_TABLE)) return fault(FSC_TRANSLATION, level);
      return leaf(v, r, access, as, at, desc, table, level, shift, out);
    }
    if (!(desc & DESC_TABLE)) {
      if (level != 2 && !(level == 1 && r->granule == 12)) return fault(FSC_TRANSLATION, level);
      return leaf(v, r, access, as, at, desc, table, level, shift, out);
    }
    base = desc & ADDRESS & ~BITS(r->granule);
    if (base >> r->pa_bits) return fault(FSC_ADDRESS_SIZE, level);
    table |= desc;
    shift -= stride;
    at = base + (r->va >> shift & BITS(stride)) * 8;
  }
}

int arm64_walk(struct vcpu *v, gva_t va, enum access access, struct arm64_walker as, struct arm64_walk *out) {
  const struct arm64_vcpu *s = a64(v);
  struct regime r;
  int rc;
  if (!(s->SCTLR_EL1 & SCTLR_M)) {
    if (va >> 48) return fault(FSC_ADDRESS_SIZE, 0);
    *out = (struct arm64_walk){.t = {.pa = va, .size = UINT64_C(1) << 30, .prot = R | W | X}, .sh = 2};
    return 0;
  }
  if (!regime_of(s, va, &r)) return fault(FSC_TRANSLATION, 0);
  do rc = walk(v, &r, access, as, out);
  while (rc < 0);
  if (!rc && r.va != va) out->t.prot = 0; /* a tagged address: flushes do not know it, so it is not cached */
  return rc;
}

static int abort_(struct vcpu *v, gva_t va, enum access access, unsigned fsc) {
  if (access == ACCESS_FETCH) return vcpu_trap(v, ARM64_TRAP_insn_abort, 2, va, fsc, 0);
  return vcpu_trap(v, ARM64_TRAP_data_abort, 2, va, (access == ACCESS_WRITE ? ISS_WNR : 0) | fsc, 0);
}

int arm64_bus_fault(struct vcpu *v, gva_t va, enum access access) {
  if (access == ACCESS_FETCH && a64(v)->PSTATE_IL) return vcpu_trap(v, ARM64_TRAP_illegal_state, 0, 0, 0, 0);
  if (access == ACCESS_FETCH && va & 3) return vcpu_trap(v, ARM64_TRAP_pc_alignment, 1, va, 0, 0);
  /* In user mode every refused access comes here. */
  return abort_(v, va, access, v->c->space ? FSC_TRANSLATION_L3 : FSC_EXTERNAL);
}

/* Of v->c->arch: EL1 was seen to execute pages that are an address space's own. Before, all address spaces share one context for
 * EL1's instructions, so that what engines know of a kernel's addresses outlives a switch between processes. */
#define OWN_CODE (UINT64_C(1) << 62)

int arm64_translate(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  const struct arm64_vcpu *s = a64(v);
  const bool fetch = access == ACCESS_FETCH;
  if (fetch && s->PSTATE_IL) return vcpu_trap(v, ARM64_TRAP_illegal_state, 0, 0, 0, 0);
  struct arm64_walk w;
  struct arm64_walker as = {
      .el = !fetch && s->AS_USER ? 0 : s->EL, .pan = !fetch && s->PSTATE_PAN, .update = true};
  int rc = arm64_walk(v, va, access, as, &w);
  if (rc) return abort_(v, va, access, (unsigned)rc & ~ARM64_FAULT);
  *out = w.t;
  if (fetch && (s->SCTLR_EL1 & SCTLR_M) && s->EL && !w.t.global && !((uintptr_t)v->c->arch & OWN_CODE)) {
    out->prot = 0;                 /* this time only, in the wrong context */
    v->c->arch = (void *)OWN_CODE; // NOLINT
    v->tag_fetch = 0;
  }
  return 0;
}

/* ---- Contexts: what a tag of the TLB stands for ---- */

static uint64_t asid(const struct arm64_vcpu *s) {
  if (!(s->SCTLR_EL1 & SCTLR_M)) return 0;
  return (s->TCR_EL1 & TCR_A1 ? s->TTBR1_EL1 : s->TTBR0_EL1) >> 48 & (s->TCR_EL1 & TCR_AS ? 0xffff : 0xff);
}

static uint32_t mode(const struct arm64_vcpu *s, unsigned el, bool data) {
  uint32_t m = el ? MODE_EL1 : 0;
  if (s->SCTLR_EL1 & SCTLR_M) m |= MODE_MMU;
  if (data && el && s->PSTATE_PAN) m |= MODE_PAN;
  return m;
}

void arm64_context(struct vcpu *v) {
  const struct arm64_vcpu *s = a64(v);
  if (unlikely(s->MDSCR_EL1 & MDSCR_ANY || v->c->stops.step || v->c->stops.nranges)) arm64_debug_context(v);
  const uint64_t own = (uintptr_t)v->c->arch & OWN_CODE, id = asid(s);
  const bool any = !own && s->EL && s->SCTLR_EL1 & SCTLR_M;
  const uint32_t data = mode(s, s->EL, true);
  const uint32_t fetch = s->PSTATE_IL ? MODE_ILLEGAL : mode(s, s->EL, false) | (any ? MODE_ANY : 0);
  /* c->arch holds what the tags were made for: most calls change nothing. */
  const uintptr_t key = UINT64_C(1) << 63 | own | id << 16 | data << 8 | fetch;
  if ((uintptr_t)v->c->arch == key && v->tag_data && v->tag_fetch) return;
  v->tag_fetch = tlb_context(v, any ? 0 : id, fetch);
  v->tag_data = tlb_context(v, id, data);
  v->c->arch = (void *)key; // NOLINT
}

uint32_t arm64_user_tag(struct vcpu *v) {
  const struct arm64_vcpu *s = a64(v);
  return tlb_context(v, asid(s), mode(s, 0, true));
}
