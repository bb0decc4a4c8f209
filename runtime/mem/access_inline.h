/* Inline fast paths of guest memory accesses (contract: mem/access.h). One compare checks page, context, right and that
 * the access stays in its page; what does not hit goes out of line. */
#ifndef ISOMER_MEM_ACCESS_INLINE_H
#define ISOMER_MEM_ACCESS_INLINE_H

#include <string.h>

#include "mem/tlb.h"

#define MEM_COLD   __attribute__((cold, noinline))
#define MEM_INLINE static inline __attribute__((always_inline))

/* By value, so that the caller's locals stay in registers. trap: 0 or STEP_TRAP. */
struct mem_result {
  uint64_t value;
  int64_t trap;
};
struct mem_result mem_load_slow(struct vcpu *v, gva_t a, unsigned attr, unsigned size) MEM_COLD;
int mem_store_slow(struct vcpu *v, gva_t a, unsigned attr, unsigned size, uint64_t value) MEM_COLD;
int mem_load128_slow(struct vcpu *v, gva_t a, unsigned attr, u128 *out) MEM_COLD;
int mem_store128_slow(struct vcpu *v, gva_t a, unsigned attr, u128 value) MEM_COLD;

#ifdef MEM_DIRECT
#include "mem/access_direct.h"
#else

/* An access that leaves its page compares the next page's address with this page's entry and so misses. */
MEM_INLINE bool mem_hit(struct vcpu *v, gva_t a, unsigned size, enum access access, void **host) {
  const char *l1 = (const char *)v->tlb;
  const struct tlb_entry *e = (const struct tlb_entry *)(l1 + ((a >> (GUEST_PAGE_BITS - 5)) &
                                                               (((UINT64_C(1) << TLB_BITS) - 1) << 5)));
  if (unlikely(e->tag[access] != (((a + (size - 1)) & GUEST_PAGE_MASK) | v->tag_data))) return false;
  *host = (void *)(uintptr_t)(a + e->addend);
  return true;
}

#define MEM_ALIGNED(p, T) (((uintptr_t)(p) & (sizeof(T) - 1)) == 0)

/* Ordered accesses of misaligned data are plain ones between fences: single-copy atomicity is not promised for them. */
#define MEM_ACCESS(W, T)                                                                  \
  MEM_INLINE int mem_load##W(struct vcpu *v, gva_t a, unsigned attr, T *out) {            \
    void *p;                                                                              \
    if (unlikely((attr >> 4) || !mem_hit(v, a, sizeof(T), ACCESS_READ, &p))) {            \
      struct mem_result r = mem_load_slow(v, a, attr, sizeof(T));                         \
      *out = (T)r.value;                                                                  \
      return (int)r.trap;                                                                 \
    }                                                                                     \
    if ((attr & 15) <= ORDER_TSO) {                                                       \
      memcpy(out, p, sizeof(T));                                                          \
    } else if (likely(MEM_ALIGNED(p, T))) {                                               \
      *out = (attr & 15) == ORDER_SEQCST ? __atomic_load_n((T *)p, __ATOMIC_SEQ_CST)      \
                                         : __atomic_load_n((T *)p, __ATOMIC_ACQUIRE);     \
    } else {                                                                              \
      memcpy(out, p, sizeof(T));                                                          \
      __atomic_thread_fence(__ATOMIC_SEQ_CST);                                            \
    }                                                                                     \
    return 0;                                                                             \
  }                                                                                       \
  MEM_INLINE int mem_store##W(struct vcpu *v, gva_t a, unsigned attr, T value) {          \
    void *p;                                                                              \
    if (unlikely((attr >> 4) || !mem_hit(v, a, sizeof(T), ACCESS_WRITE, &p)))             \
      return mem_store_slow(v, a, attr, sizeof(T), value);                                \
    if ((attr & 15) <= ORDER_TSO) {                                                       \
      memcpy(p, &value, sizeof(T));                                                       \
    } else if (likely(MEM_ALIGNED(p, T))) {                                               \
      if ((attr & 15) == ORDER_SEQCST) __atomic_store_n((T *)p, value, __ATOMIC_SEQ_CST); \
      else __atomic_store_n((T *)p, value, __ATOMIC_RELEASE);                             \
    } else {                                                                              \
      __atomic_thread_fence(__ATOMIC_SEQ_CST);                                            \
      memcpy(p, &value, sizeof(T));                                                       \
      if ((attr & 15) == ORDER_SEQCST) __atomic_thread_fence(__ATOMIC_SEQ_CST);           \
    }                                                                                     \
    return 0;                                                                             \
  }

MEM_ACCESS(8, uint8_t)
MEM_ACCESS(16, uint16_t)
MEM_ACCESS(32, uint32_t)
MEM_ACCESS(64, uint64_t)

/* Wide plain accesses need not be single-copy atomic on any ISA described; ordered ones are fenced. */
MEM_INLINE int mem_load128(struct vcpu *v, gva_t a, unsigned attr, u128 *out) {
  void *p;
  if (unlikely((attr >> 4) || !mem_hit(v, a, 16, ACCESS_READ, &p))) {
    u128 t = 0;
    int rc = mem_load128_slow(v, a, attr, &t);
    *out = t;
    return rc;
  }
  memcpy(out, p, 16);
  if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return 0;
}

MEM_INLINE int mem_store128(struct vcpu *v, gva_t a, unsigned attr, u128 value) {
  void *p;
  if (unlikely((attr >> 4) || !mem_hit(v, a, 16, ACCESS_WRITE, &p)))
    return mem_store128_slow(v, a, attr, value);
  if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  memcpy(p, &value, 16);
  if ((attr & 15) == ORDER_SEQCST) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return 0;
}

#endif

#define MEM_ATOMIC(W, T)                                                                    \
  int mem_rmw##W(struct vcpu *v, gva_t a, unsigned attr, enum mem_rmw op, T value, T *old); \
  int mem_cas##W(struct vcpu *v, gva_t a, unsigned attr, T expect, T value, T *old);        \
  int mem_load_ex##W(struct vcpu *v, gva_t a, unsigned attr, T *out);                       \
  int mem_store_ex##W(struct vcpu *v, gva_t a, unsigned attr, T value, uint8_t *ok)
MEM_ATOMIC(8, uint8_t);
MEM_ATOMIC(16, uint16_t);
MEM_ATOMIC(32, uint32_t);
MEM_ATOMIC(64, uint64_t);

int mem_cas128(struct vcpu *v, gva_t a, unsigned attr, u128 expect, u128 value, u128 *old);
int mem_load_ex128(struct vcpu *v, gva_t a, unsigned attr, u128 *out);
int mem_store_ex128(struct vcpu *v, gva_t a, unsigned attr, u128 value, uint8_t *ok);

int mem_probe(struct vcpu *v, gva_t a, uint64_t len, enum access access);
int mem_fill(struct vcpu *v, gva_t a, uint64_t len, uint8_t byte);

/* pred_succ: predecessor set << 4 | successor set of bits I=8 O=4 R=2 W=1; 0 = everything. Only
 * writes before reads need the host's full fence. */
MEM_INLINE void mem_fence(unsigned pred_succ) {
  if (!pred_succ || ((pred_succ & 0x50) && (pred_succ & 0x0a))) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  else __atomic_thread_fence(__ATOMIC_ACQ_REL);
}

#endif
