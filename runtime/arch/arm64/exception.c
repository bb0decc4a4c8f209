/* Exceptions between EL0 and EL1: entry with its syndrome (D1.3, D24.2.37), return, interrupts, stack pointer banks. */
#include "el1.h"

#include "core/log.h"
#include "core/machine.h"
#include "mem/access.h"
#include "mem/tlb.h"

/* Offsets from VBAR_EL1, D1.3.1.5 */
enum { FROM_EL1T = 0x000, FROM_EL1H = 0x200, FROM_EL0 = 0x400 };
enum { SYNC = 0x000, IRQ = 0x080, FIQ = 0x100 };

#define ESR_IL (UINT64_C(1) << 25) /* every instruction has 32 bits */

static uint64_t *bank(struct arm64_vcpu *s) { return s->EL && s->SPSel ? &s->SP_EL1 : &s->SP_EL0; }

void arm64_set_el(struct arm64_vcpu *s, unsigned el, unsigned spsel) {
  *bank(s) = s->SP;
  s->EL = (uint8_t)el;
  s->SPSel = (uint8_t)spsel;
  s->SP = *bank(s);
}

static uint64_t pstate(const struct arm64_vcpu *s) {
  return (uint64_t)s->NF << 31 | (uint64_t)s->ZF << 30 | (uint64_t)s->CF << 29 | (uint64_t)s->VF << 28 |
         (s->PSTATE_PAN ? SPSR_PAN : 0) | (s->PSTATE_SS ? SPSR_SS : 0) | (s->PSTATE_IL ? SPSR_IL : 0) |
         s->DAIF | (s->EL ? (s->SPSel ? MODE_EL1H : MODE_EL1T) : MODE_EL0T);
}

static void enter(struct vcpu *v, unsigned kind, gva_t back) {
  struct arm64_vcpu *s = a64(v);
  const unsigned from = !s->EL ? FROM_EL0 : s->SPSel ? FROM_EL1H : FROM_EL1T;
  s->SPSR_EL1 = pstate(s);
  s->ELR_EL1 = back;
  arm64_set_el(s, 1, 1);
  s->DAIF = DAIF_ALL;
  s->PSTATE_IL = s->PSTATE_SS = s->STEPPED = s->STEPPED_EX = 0;
  if (arm64_has(v, ARM64_FEATURE_PAN) && !(s->SCTLR_EL1 & SCTLR_SPAN)) s->PSTATE_PAN = 1;
  v->pc = s->VBAR_EL1 + from + kind;
}

/* The syndrome of a trapped MSR, MRS or system instruction is made of its encoding (ISS for EC 0x18). */
static uint64_t sysreg_iss(struct vcpu *v) {
  uint32_t w = 0;
  if (tlb_fetch_bytes(v, v->pc, &w, sizeof w) < sizeof w) return 0;
  return (uint64_t)(w >> 19 & 3) << 20 | (w >> 5 & 7) << 17 | (w >> 16 & 7) << 14 | (w >> 12 & 15) << 10 |
         (w & 31) << 5 | (w >> 8 & 15) << 1 | (w >> 21 & 1);
}

void arm64_deliver(struct vcpu *v) {
  struct arm64_vcpu *s = a64(v);
  const struct trap t = v->c->trap; /* fetching the instruction again may overwrite it */
  uint64_t ec = v->c->isa->traps[t.kind].code, iss = 0;
  gva_t back = v->pc;
  switch (t.kind) {
  case ARM64_TRAP_hvc:
  case ARM64_TRAP_smc:
    if (v->c->firmware_call && v->c->firmware_call(v)) {
      v->pc += 4;
      arm64_call_steps(s);
      return;
    }
    ec = v->c->isa->traps[ARM64_TRAP_undef].code; /* there is no EL2 and no EL3 */
    break;
  case ARM64_TRAP_svc:
    iss = t.arg[0];
    back += 4;
    arm64_call_steps(s);
    break;
  case ARM64_TRAP_wfx:
  case ARM64_TRAP_brk: iss = t.arg[0]; break;
  case ARM64_TRAP_fp_access: iss = 0x1e00000; break; /* CV, COND 0b1110 */
  case ARM64_TRAP_sysreg: iss = sysreg_iss(v); break;
  case ARM64_TRAP_insn_abort:
  case ARM64_TRAP_data_abort:
    iss = t.arg[1];
    ec += s->EL != 0;
    s->FAR_EL1 = t.arg[0];
    break;
  case ARM64_TRAP_breakpoint:
    ec += s->EL != 0;
    iss = FSC_DEBUG;
    break;
  case ARM64_TRAP_step:
    ec += s->EL != 0;
    iss = t.arg[0];
    break;
  case ARM64_TRAP_watchpoint:
    ec += s->EL != 0;
    iss = t.arg[1];
    s->FAR_EL1 = t.arg[0];
    break;
  case ARM64_TRAP_pc_alignment: s->FAR_EL1 = t.arg[0]; break;
  default: break;
  }
  enter(v, SYNC, back);
  s->ESR_EL1 = ec << 26 | ESR_IL | iss;
}

static uint64_t lines(const struct vcpu *v) { return __atomic_load_n(&v->c->irq_lines, __ATOMIC_ACQUIRE); }

bool arm64_interruptible(struct vcpu *v) {
  const uint64_t now = lines(v), masked = a64(v)->DAIF;
  return (now >> LINE_FIQ & 1 && !(masked & DAIF_F)) || (now >> LINE_IRQ & 1 && !(masked & DAIF_I));
}

bool arm64_interrupt(struct vcpu *v) {
  const struct arm64_vcpu *s = a64(v);
  if (v->c->firmware_poll && v->c->firmware_poll(v)) return true;
  const uint64_t now = lines(v);
  if (now >> LINE_FIQ & 1 && !(s->DAIF & DAIF_F)) {
    v->c->stats.interrupts[LINE_FIQ]++;
    enter(v, FIQ, v->pc);
    return true;
  }
  if (now >> LINE_IRQ & 1 && !(s->DAIF & DAIF_I)) {
    v->c->stats.interrupts[LINE_IRQ]++;
    enter(v, IRQ, v->pc);
    return true;
  }
  return false;
}

/* D1.7.2: WFI ends for an interrupt whatever PSTATE masks. */
bool arm64_wake(struct vcpu *v) {
  return (v->c->firmware_poll && v->c->firmware_poll(v)) || lines(v) & (1 << LINE_IRQ | 1 << LINE_FIQ);
}

const char *arm64_interrupt_name(unsigned cause) {
  return cause == LINE_IRQ ? "IRQ" : cause == LINE_FIQ ? "FIQ" : NULL;
}

/* ISR_EL1 */
int arm64_h_pending(struct vcpu *v, uint64_t *bits) {
  const uint64_t now = lines(v);
  *bits = (now >> LINE_IRQ & 1) * DAIF_I | (now >> LINE_FIQ & 1) * DAIF_F;
  return STEP_NEXT;
}

/* ERET. A return to what there is not (EL2, AArch32, reserved modes) is illegal: it keeps level and stack pointer, and what is
 * executed next is an illegal-state exception (D1.4.5). */
int arm64_h_exception_return(struct vcpu *v, uint64_t *to) {
  struct arm64_vcpu *s = a64(v);
  const uint64_t p = s->SPSR_EL1;
  const unsigned m = p & 31;
  const bool legal = m == MODE_EL0T || m == MODE_EL1T || m == MODE_EL1H;
  mem_excl_clear(v);
  s->PSTATE_SS = arm64_step_after_return(s, legal ? m >> 2 : s->EL, p); /* of the state that is left */
  s->NF = p >> 31 & 1;
  s->ZF = p >> 30 & 1;
  s->CF = p >> 29 & 1;
  s->VF = p >> 28 & 1;
  s->DAIF = p & DAIF_ALL;
  s->PSTATE_IL = !legal || p & SPSR_IL;
  if (arm64_has(v, ARM64_FEATURE_PAN)) s->PSTATE_PAN = !!(p & SPSR_PAN);
  if (legal) arm64_set_el(s, m >> 2, m & 1);
  *to = s->ELR_EL1;
  return STEP_NEXT;
}

int arm64_h_select_sp(struct vcpu *v, uint64_t sel) {
  struct arm64_vcpu *s = a64(v);
  arm64_set_el(s, s->EL, (unsigned)sel & 1);
  return STEP_NEXT;
}
