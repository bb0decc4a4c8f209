/* Inline accesses to memory at identity (mem/space.h), for code that runs only on vCPUs attached to a space and is compiled
 * with MEM_DIRECT: the same functions as mem/access_inline.h defines over the TLB. The host's MMU checks; what faults, and
 * what lies where Isomer may be, goes out of line. */
#ifndef ISOMER_MEM_ACCESS_DIRECT_H
#define ISOMER_MEM_ACCESS_DIRECT_H

#include "mem/space.h"
#include "os/guest_access.h"

/* Hosts that may have changed one page when the second of a store faults take the slow path. */
#define MEM_SPLIT(a, size) (!OS_STORE_WHOLE && ((a) & ~GUEST_PAGE_MASK) > GUEST_PAGE_SIZE - (size))

/* Order by fences, with those of sequential consistency behind the stores. */
#define MEM_DIRECT_ACCESS(W, T)                                                            \
  MEM_INLINE int mem_load##W(struct vcpu *v, gva_t a, unsigned attr, T *out) {             \
    if (unlikely((attr >> 4) || a >> SPACE_BITS) || unlikely(!os_guest_load##W(a, out))) { \
      struct mem_result r = mem_load_slow(v, a, attr, sizeof(T));                          \
      *out = (T)r.value;                                                                   \
      return (int)r.trap;                                                                  \
    }                                                                                      \
    if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_ACQUIRE);                  \
    return 0;                                                                              \
  }                                                                                        \
  MEM_INLINE int mem_store##W(struct vcpu *v, gva_t a, unsigned attr, T value) {           \
    if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_RELEASE);                  \
    if (unlikely((attr >> 4) || a >> SPACE_BITS || MEM_SPLIT(a, sizeof(T))) ||             \
        unlikely(!os_guest_store##W(a, value)))                                            \
      return mem_store_slow(v, a, attr, sizeof(T), value);                                 \
    if ((attr & 15) == ORDER_SEQCST) __atomic_thread_fence(__ATOMIC_SEQ_CST);              \
    return 0;                                                                              \
  }

MEM_DIRECT_ACCESS(8, uint8_t)
MEM_DIRECT_ACCESS(16, uint16_t)
MEM_DIRECT_ACCESS(32, uint32_t)
MEM_DIRECT_ACCESS(64, uint64_t)
#undef MEM_DIRECT_ACCESS

MEM_INLINE int mem_load128(struct vcpu *v, gva_t a, unsigned attr, u128 *out) {
  u128 t = 0;
  int rc = 0;
  if (unlikely((attr >> 4) || a >> SPACE_BITS) || unlikely(!os_guest_load128(a, &t)))
    rc = mem_load128_slow(v, a, attr, &t);
  *out = t;
  if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return rc;
}

MEM_INLINE int mem_store128(struct vcpu *v, gva_t a, unsigned attr, u128 value) {
  if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (unlikely((attr >> 4) || a >> SPACE_BITS || MEM_SPLIT(a, 16)) || unlikely(!os_guest_store128(a, value)))
    return mem_store128_slow(v, a, attr, value);
  if ((attr & 15) == ORDER_SEQCST) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return 0;
}

#endif
