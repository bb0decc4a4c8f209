/* Self-hosted debug (D2): software step, breakpoints, watchpoints: when they are on, what they match, their exceptions. The
 * registers are in isa/arm64/sysregs.yaml; noticing instructions and accesses is the engines' part (mem/stops.h). */
#include <string.h>

#include "el1.h"

#include "mem/stops.h"

/* MDSCR_EL1, D24.3.20 */
#define MDSCR_SS  (UINT64_C(1) << 0)
#define MDSCR_KDE (UINT64_C(1) << 13)
#define MDSCR_MDE (UINT64_C(1) << 15)
#define DAIF_D    (UINT64_C(1) << 9)

enum {
  BREAKPOINTS = 6,
  CONTEXT_BREAKPOINTS = 2,
  WATCHPOINTS = 4
};                                                      /* ID_AA64DFR0_EL1 says these numbers less one */
enum { BT_ADDRESS = 0, BT_CONTEXT = 2, BT_LINKED = 1 }; /* DBGBCR<n>_EL1.BT: kind, and the bit for links */
enum { VA_BITS = 49 };                                  /* that are compared; the last one is extended */
/* Syndromes, D24.2.37: of a software step that it is said to follow an instruction, and that this was a load exclusive. */
enum { ISS_EX = 1 << 6, ISS_ISV = 1 << 24 };
enum { FROM_WATCHPOINTS = 16 }; /* of stop_range.number */

static uint64_t *breakpoint(struct arm64_vcpu *s, unsigned n, bool control) {
  uint64_t *const value[] = {&s->DBGBVR0_EL1, &s->DBGBVR1_EL1, &s->DBGBVR2_EL1,
                             &s->DBGBVR3_EL1, &s->DBGBVR4_EL1, &s->DBGBVR5_EL1};
  uint64_t *const ctrl[] = {&s->DBGBCR0_EL1, &s->DBGBCR1_EL1, &s->DBGBCR2_EL1,
                            &s->DBGBCR3_EL1, &s->DBGBCR4_EL1, &s->DBGBCR5_EL1};
  return control ? ctrl[n] : value[n];
}

static uint64_t *watchpoint(struct arm64_vcpu *s, unsigned n, bool control) {
  uint64_t *const value[] = {&s->DBGWVR0_EL1, &s->DBGWVR1_EL1, &s->DBGWVR2_EL1, &s->DBGWVR3_EL1};
  uint64_t *const ctrl[] = {&s->DBGWCR0_EL1, &s->DBGWCR1_EL1, &s->DBGWCR2_EL1, &s->DBGWCR3_EL1};
  return control ? ctrl[n] : value[n];
}

static bool locked(const struct arm64_vcpu *s) {
  return s->OSLK || (s->OSDLR_EL1 & 1 && !(s->DBGPRCR_EL1 & 1));
}

/* AArch64.GenerateDebugExceptionsFrom: they go to EL1. */
static bool enabled_from(const struct arm64_vcpu *s, unsigned el, bool masked) {
  return !locked(s) && (!el || (s->MDSCR_EL1 & MDSCR_KDE && !masked));
}

static bool enabled(const struct arm64_vcpu *s) { return enabled_from(s, s->EL, s->DAIF & DAIF_D); }

static bool stepping(const struct arm64_vcpu *s) { return s->MDSCR_EL1 & MDSCR_SS && enabled(s); }

bool arm64_step_after_return(struct arm64_vcpu *s, unsigned el, uint64_t spsr) {
  return s->MDSCR_EL1 & MDSCR_SS && !enabled(s) && enabled_from(s, el, spsr & DAIF_D) && spsr & SPSR_SS;
}

/* ---- what engines shall look for ---- */

static gva_t extended(gva_t va) { return (gva_t)((int64_t)(va << (64 - VA_BITS)) >> (64 - VA_BITS)); }

static void arm(struct vcpu_stops *s, unsigned number, gva_t first, gva_t last, unsigned access) {
  s->range[s->nranges++] = (struct stop_range){first, last, (uint8_t)access, (uint8_t)number};
  s->access |= (uint8_t)access;
}

static void arm_breakpoint(struct vcpu_stops *to, struct arm64_vcpu *s, unsigned n) {
  const uint64_t control = *breakpoint(s, n, true), type = control >> 20 & 15;
  const gva_t at = extended(*breakpoint(s, n, false)) & ~UINT64_C(3);
  if (!(control & 1)) return;
  if ((type & ~1u) == BT_ADDRESS) arm(to, n, at, at + 3, 1 << ACCESS_FETCH);
  else if (type == BT_CONTEXT && n >= BREAKPOINTS - CONTEXT_BREAKPOINTS)
    arm(to, n, 0, ~UINT64_C(0), 1 << ACCESS_FETCH);
}

/* D2.10.3: 2^MASK bytes, or the bytes of a word or doubleword that BAS selects, which lie side by side. */
static void arm_watchpoint(struct vcpu_stops *to, struct arm64_vcpu *s, unsigned n) {
  const uint64_t control = *watchpoint(s, n, true), mask = control >> 24 & 31;
  const unsigned access = (control >> 3 & 1) << ACCESS_READ | (control >> 4 & 1) << ACCESS_WRITE;
  unsigned bytes = control >> 5 & 255;
  gva_t at = extended(*watchpoint(s, n, false)) & ~UINT64_C(3);
  if (!(control & 1) || !access || mask == 1 || mask == 2) return; /* the last two are reserved */
  if (mask) {
    const uint64_t size = UINT64_C(1) << mask;
    at &= ~(size - 1);
    arm(to, FROM_WATCHPOINTS + n, at, at + size - 1, access);
    return;
  }
  if (at & 4) bytes &= 15;
  if (!bytes) return;
  const unsigned from = (unsigned)__builtin_ctz(bytes), many = (unsigned)__builtin_ctz(~(bytes >> from));
  arm(to, FROM_WATCHPOINTS + n, at + from, at + from + many - 1, access);
}

void arm64_debug_context(struct vcpu *v) {
  struct arm64_vcpu *s = a64(v);
  struct vcpu_stops to = {.address = (UINT64_C(1) << VA_BITS) - 1};
  to.step = stepping(s);
  if (!to.step)
    s->STEPPED = s->STEPPED_EX = 0; /* what was stepped last is not what comes before the exception */
  if (s->MDSCR_EL1 & MDSCR_MDE && !locked(s)) {
    for (unsigned n = 0; n < BREAKPOINTS; n++) arm_breakpoint(&to, s, n);
    for (unsigned n = 0; n < WATCHPOINTS; n++) arm_watchpoint(&to, s, n);
  }
  stops_set(v, &to);
}

/* ---- software step, D2.12 ---- */

/* The instruction before may have masked it (PSTATE.D) without an end of its block. */
static int before(struct vcpu *v) {
  struct arm64_vcpu *s = a64(v);
  if (s->PSTATE_SS || !stepping(s)) {
    s->STEPPED = s->PSTATE_SS && stepping(s); /* unless it ends with an exception */
    s->STEPPED_EX = 0;
    return STEP_NEXT;
  }
  return vcpu_trap(v, ARM64_TRAP_step, 1,
                   (s->STEPPED ? ISS_ISV : 0) | (s->STEPPED_EX ? ISS_EX : 0) | FSC_DEBUG, 0, 0);
}

static bool load_exclusive(const struct isa *isa, unsigned op) {
  const char *family = isa->strings + isa->leaves[op].family;
  return !strcmp(family, "ldxr") || !strcmp(family, "ldxp");
}

static void after(struct vcpu *v, unsigned op) {
  struct arm64_vcpu *s = a64(v);
  if (!s->STEPPED) return;
  s->PSTATE_SS = 0;
  s->STEPPED_EX = load_exclusive(v->c->isa, op);
}

void arm64_call_steps(struct arm64_vcpu *s) {
  if (stepping(s)) s->PSTATE_SS = 0;
}

/* ---- matches ---- */

/* A breakpoint's or watchpoint's SSC, HMC and PMC at el; the state is Non-secure, D2.9.3. */
static bool level_matches(uint64_t control, unsigned el) {
  const unsigned ssc = control >> 14 & 3, levels = control >> 1 & 3;
  return ssc != 2 && levels >> (el ? 0 : 1) & 1;
}

static bool context_matches(struct arm64_vcpu *s, unsigned n) {
  return (uint32_t)*breakpoint(s, n, false) == (uint32_t)s->CONTEXTIDR_EL1;
}

static bool linked_matches(struct arm64_vcpu *s, uint64_t control) {
  const unsigned n = control >> 16 & 15;
  if (n >= BREAKPOINTS || n < BREAKPOINTS - CONTEXT_BREAKPOINTS) return false;
  const uint64_t linked = *breakpoint(s, n, true);
  return linked & 1 && (linked >> 20 & 15) == (BT_CONTEXT | BT_LINKED) && context_matches(s, n);
}

static int hit(struct vcpu *v, const struct stop_range *r, gva_t at, enum access access) {
  struct arm64_vcpu *s = a64(v);
  if (!enabled(s)) return 0;
  if (access == ACCESS_FETCH) {
    const uint64_t control = *breakpoint(s, r->number, true), type = control >> 20 & 15;
    if (!level_matches(control, s->EL)) return 0;
    if (type & BT_LINKED ? !linked_matches(s, control) : type == BT_CONTEXT && !context_matches(s, r->number))
      return 0;
    return vcpu_trap(v, ARM64_TRAP_breakpoint, 0, 0, 0, 0);
  }
  const uint64_t control = *watchpoint(s, r->number - FROM_WATCHPOINTS, true);
  if (!level_matches(control, s->AS_USER ? 0 : s->EL)) return 0;
  if (control >> 20 & 1 && !linked_matches(s, control)) return 0;
  return vcpu_trap(v, ARM64_TRAP_watchpoint, 2, at, (access == ACCESS_WRITE ? ISS_WNR : 0) | FSC_DEBUG, 0);
}

const struct arch_debug arm64_debug = {.before = before, .after = after, .hit = hit};
