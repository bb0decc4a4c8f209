/* Shared by the arm64 files of this folder that know EL1: PSTATE, fault status codes, translation, register banks.
 * Manual = Arm ARM DDI 0487. Instruction and register meanings are in isa/arm64, not here. */
#ifndef ISOMER_ARCH_ARM64_EL1_H
#define ISOMER_ARCH_ARM64_EL1_H

#include "arm64/state.h"
#include "core/isa.h"

/* PSTATE as SPSR_EL1 has it, C5.2.19 */
#define SPSR_PAN (UINT64_C(1) << 22)
#define SPSR_SS  (UINT64_C(1) << 21)
#define SPSR_IL  (UINT64_C(1) << 20)
#define DAIF_F   (UINT64_C(1) << 6)
#define DAIF_I   (UINT64_C(1) << 7)
#define DAIF_ALL UINT64_C(0x3c0)
enum { MODE_EL0T = 0, MODE_EL1T = 4, MODE_EL1H = 5 };

#define SCTLR_M    (UINT64_C(1) << 0)
#define SCTLR_WXN  (UINT64_C(1) << 19)
#define SCTLR_SPAN (UINT64_C(1) << 23)
/* What Linux lets its programs do: cache type and maintenance, DC ZVA, WFI and WFE (arch/arm64/include/asm/sysreg.h). */
#define SCTLR_LINUX \
  (UINT64_C(1) << 26 | UINT64_C(1) << 18 | UINT64_C(1) << 16 | UINT64_C(1) << 15 | UINT64_C(1) << 14)

/* Interrupt inputs of a vCPU (irq_lines). */
enum { LINE_IRQ = 0, LINE_FIQ = 1 };

/* Fault status codes, D24.2.37; those of translations get the level in their low bits. */
enum {
  FSC_ADDRESS_SIZE = 0x00,
  FSC_TRANSLATION = 0x04,
  FSC_ACCESS_FLAG = 0x08,
  FSC_PERMISSION = 0x0c,
  FSC_EXTERNAL = 0x10,
  FSC_EXTERNAL_WALK = 0x14,
  FSC_DEBUG = 0x22,
};
/* Data aborts: write; of a cache maintenance instruction. */
enum { ISS_WNR = 1 << 6, ISS_CM = 1 << 8 };

#define ARM64_TIMEBASE UINT64_C(62500000) /* Hz of the system counter, as CNTFRQ_EL0 is reset to */

static inline struct arm64_vcpu *a64(struct vcpu *v) { return (struct arm64_vcpu *)v; }

static inline bool arm64_has(const struct vcpu *v, unsigned feature) { return v->c->features >> feature & 1; }

/* Moves to an exception level and stack pointer selection: SP becomes the one that is used there. */
void arm64_set_el(struct arm64_vcpu *s, unsigned el, unsigned spsel);

/* What a stage 1 translation found. */
struct arm64_walk {
  struct translation t;
  uint8_t attr, sh; /* memory attributes (of MAIR_EL1), shareability */
};
/* As whom: exception level, PSTATE.PAN, and whether the tables' flags may be updated. */
struct arm64_walker {
  uint8_t el;
  bool pan, update;
};
/* Translates va for an access. 0, or ARM64_FAULT | a fault status code. */
#define ARM64_FAULT 0x100
int arm64_walk(struct vcpu *v, gva_t va, enum access access, struct arm64_walker as, struct arm64_walk *out);

/* arch_ops */
int arm64_translate(struct vcpu *v, gva_t va, enum access access, struct translation *out);
int arm64_bus_fault(struct vcpu *v, gva_t va, enum access access);
void arm64_context(struct vcpu *v);
void arm64_deliver(struct vcpu *v);
bool arm64_interrupt(struct vcpu *v);
bool arm64_interruptible(struct vcpu *v);
bool arm64_wake(struct vcpu *v);
const char *arm64_interrupt_name(unsigned cause);

/* Self-hosted debug: recomputes what engines shall look for; PSTATE.SS after an exception return to `el` with this SPSR_EL1; an
 * instruction that calls a higher level steps. */
void arm64_debug_context(struct vcpu *v);
bool arm64_step_after_return(struct arm64_vcpu *s, unsigned el, uint64_t spsr);
void arm64_call_steps(struct arm64_vcpu *s);
extern const struct arch_debug arm64_debug;
#define MDSCR_ANY (UINT64_C(1) << 15 | 1) /* MDE, SS: without them there is nothing to look for */

/* Tag of data accesses with the permissions of EL0 (LDTR and the like). */
uint32_t arm64_user_tag(struct vcpu *v);

/* Ticks of the system counter. */
uint64_t arm64_time(struct vcpu *v);

#endif
