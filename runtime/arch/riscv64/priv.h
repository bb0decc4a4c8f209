/* Shared by the riscv64 files of this folder: casts, privilege and CSR bit names, PMP. Manual = RISC-V privileged
 * architecture 20240411. Instruction meanings are in isa/riscv64, not here. */
#ifndef ISOMER_ARCH_RISCV64_PRIV_H
#define ISOMER_ARCH_RISCV64_PRIV_H

#include "core/isa.h"
#include "riscv64/state.h"

enum { PRIV_U = 0, PRIV_S = 1, PRIV_M = 3 };

/* mstatus, 3.1.6; FS is a slot of its own */
#define MSTATUS_SIE  (UINT64_C(1) << 1)
#define MSTATUS_MIE  (UINT64_C(1) << 3)
#define MSTATUS_SPIE (UINT64_C(1) << 5)
#define MSTATUS_MPIE (UINT64_C(1) << 7)
#define MSTATUS_SPP  (UINT64_C(1) << 8)
#define MSTATUS_MPP  (UINT64_C(3) << 11)
#define MSTATUS_MPRV (UINT64_C(1) << 17)
#define MSTATUS_SUM  (UINT64_C(1) << 18)
#define MSTATUS_MXR  (UINT64_C(1) << 19)

/* mip and mie, 3.1.9 */
#define IRQ_SSI      (UINT64_C(1) << 1)
#define IRQ_MSI      (UINT64_C(1) << 3)
#define IRQ_STI      (UINT64_C(1) << 5)
#define IRQ_MTI      (UINT64_C(1) << 7)
#define IRQ_SEI      (UINT64_C(1) << 9)
#define IRQ_MEI      (UINT64_C(1) << 11)

#define MENVCFG_ADUE (UINT64_C(1) << 61) /* 3.1.18 */
#define MENVCFG_STCE (UINT64_C(1) << 63)

enum { SATP_BARE = 0, SATP_SV39 = 8, SATP_SV48 = 9 }; /* 10.1.11 */
#define SATP_MODE(satp)  ((unsigned)((satp) >> 60))
#define SATP_ASID(satp)  ((satp) >> 44 & 0xffff)
#define SATP_PPN(satp)   ((satp) & ((UINT64_C(1) << 44) - 1))

#define RISCV64_TIMEBASE UINT64_C(10000000) /* Hz of `time`, as the board's timebase-frequency says */

static inline struct riscv64_vcpu *rv(struct vcpu *v) { return (struct riscv64_vcpu *)v; }

static inline bool riscv64_has(const struct vcpu *v, unsigned feature) {
  return v->c->features >> feature & 1;
}

/* Privilege at which data is accessed: that of MPP under mstatus.MPRV (3.1.6.3). */
static inline unsigned riscv64_data_priv(const struct riscv64_vcpu *s) {
  return s->mstatus & MSTATUS_MPRV ? (unsigned)(s->mstatus >> 11 & 3) : s->PRIV;
}

/* Value of the `time` CSR. */
uint64_t riscv64_time(struct vcpu *v);

/* Bits of mip as read, restricted to `mask` (the clock is looked at only when the mask asks for the supervisor timer). */
uint64_t riscv64_pending(struct vcpu *v, uint64_t mask);

/* PMP (3.7): permissions (1 << enum access) at privilege `priv` of an access to [pa, pa + len); none when an entry matches
 * only a part of it. */
unsigned riscv64_pmp(const struct vcpu *v, gpa_t pa, uint64_t len, unsigned priv);
/* Size of the largest aligned block around pa, a power of two up to `size` and at least 4, that one answer holds for. */
uint64_t riscv64_pmp_block(const struct vcpu *v, gpa_t pa, uint64_t size);

/* Page walk: the arch_ops contract of `translate`. */
int riscv64_translate(struct vcpu *v, gva_t va, enum access access, struct translation *out);
int riscv64_bus_fault(struct vcpu *v, gva_t va, enum access access);

/* User mode (signal.c). */
extern const struct arch_signals riscv64_signals;
struct user_fault riscv64_user_signal(struct vcpu *v);
void riscv64_user_stack(struct vcpu *v, gva_t at);
void riscv64_user_tls(struct vcpu *v, uint64_t tls);

#endif
