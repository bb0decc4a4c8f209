/* Guest memory as instruction meanings see it: generated handlers call these. Every function returns 0, or STEP_TRAP
 * with v->c->trap set and nothing changed. Fast paths are inline TLB hits; everything else is in mem/slow.c and
 * mem/atomic.c.
 *
 * attr = memory order (ORDER_*) | window << 4; window 0 is the vCPU's current data context (v->tag_data), the only one
 * there is so far: another window is reported as an internal error. attr is a constant in fast code.
 * Accesses of 16..128 bits may be misaligned and may cross pages unless the meaning checked alignment first. A store
 * probes all of its pages before it changes a byte. Device memory (MMIO) takes naturally aligned accesses of up to 64
 * bits (128: two of 64); anything else, read-modify-writes included, is a bus fault. */
#ifndef ISOMER_MEM_ACCESS_H
#define ISOMER_MEM_ACCESS_H

#include "core/vcpu.h"

enum mem_order { ORDER_RELAXED = 0, ORDER_TSO = 1, ORDER_ACQUIRE = 2, ORDER_RELEASE = 3, ORDER_SEQCST = 4 };
enum mem_rmw {
  RMW_SWAP,
  RMW_ADD,
  RMW_AND,
  RMW_OR,
  RMW_XOR,
  RMW_MIN_S,
  RMW_MAX_S,
  RMW_MIN_U,
  RMW_MAX_U,
  RMW_ANDNOT
};

/* Contract (definitions for W = 8, 16, 32, 64, and 128 where noted):
 *   static inline int mem_loadW(struct vcpu *v, gva_t a, unsigned attr, uintW_t *out);            also 128 (u128)
 *   static inline int mem_storeW(struct vcpu *v, gva_t a, unsigned attr, uintW_t value);          also 128
 *   int mem_rmwW(struct vcpu *v, gva_t a, unsigned attr, enum mem_rmw op, uintW_t value, uintW_t *old);
 *   int mem_casW(struct vcpu *v, gva_t a, unsigned attr, uintW_t expect, uintW_t value, uintW_t *old);  also 128
 *   int mem_load_exW(struct vcpu *v, gva_t a, unsigned attr, uintW_t *out);                        also 128
 *   int mem_store_exW(struct vcpu *v, gva_t a, unsigned attr, uintW_t value, uint8_t *ok);         also 128
 *   int mem_probe(struct vcpu *v, gva_t a, uint64_t len, enum access access);   all pages translate with that right
 *   int mem_fill(struct vcpu *v, gva_t a, uint64_t len, uint8_t byte);
 *   void mem_fence(unsigned pred_succ);  pred_succ: 0 = full fence
 * Code compiled with MEM_DIRECT has loads and stores for vCPUs attached to a space (mem/space.h), and only for them.
 * Loads and stores wider than 128 bits (vectors) go as several 64-bit accesses behind one mem_probe.
 *
 * rmw, cas and exclusives are host atomics, sequentially consistent whatever attr asks for. A misaligned one is atomic
 * within an aligned 16-byte block; across blocks it is atomic only against other such ones (a lock), and needs an
 * all-vCPU exclusive section once several vCPUs run.
 *
 * mem_load_ex reserves the physical address, size and value; mem_store_ex stores (by compare-and-swap with the value,
 * ok = 1) only for the same address and size, and always ends the reservation. Without a reservation of that size ok = 0
 * and memory is not accessed. */
#include "mem/access_inline.h"

/* Ends the reservation of mem_load_ex: arch code calls it where the ISA says so (trap entry or return, clrex). */
static inline void mem_excl_clear(struct vcpu *v) { v->c->excl_size = 0; }

#endif
