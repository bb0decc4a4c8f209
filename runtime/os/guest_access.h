/* Accesses to host addresses that may fault: guest memory at identity. Every faulting instruction has an entry in a fix-up
 * table (linker section guest_fixup: 32-bit distances to the instruction and to its landing), by which os/fault.h
 * sends the fault back here. The only place with one #if per host architecture for this.
 *
 * Contract, W = 8, 16, 32, 64, 128; false: the access faulted (os_fault_last says how):
 *   bool os_guest_loadW(uint64_t a, uintW_t *out);       any alignment
 *   bool os_guest_storeW(uint64_t a, uintW_t value);     any alignment; OS_STORE_WHOLE: a store that faults changed nothing,
 *                                                        also when it crosses pages
 *   bool os_guest_casW(uint64_t a, uintW_t expect, uintW_t value, uintW_t *old);   aligned; sequentially consistent; needs
 *                                                        the right to write even when the values differ
 *   size_t os_guest_read(void *buf, uint64_t a, size_t n);        bytes that could not be copied, 0 when all were
 *   size_t os_guest_write(uint64_t a, const void *buf, size_t n);
 * All are compiler barriers. */
#ifndef ISOMER_OS_GUEST_ACCESS_H
#define ISOMER_OS_GUEST_ACCESS_H

#include <string.h>

#include "core/types.h"

#define OS_INLINE static inline __attribute__((always_inline))

/* The instruction at local label `at` lands at `to`. */
#define OS_FIXUP(at, to) \
  ".pushsection guest_fixup, \"a\"\n.balign 4\n.long " at " - ., " to " - .\n.popsection\n"

#if defined(__x86_64__)

#define OS_STORE_WHOLE 1

#define OS_LOAD(W, T, R, insn)                                                 \
  OS_INLINE bool os_guest_load##W(uint64_t a, T *out) {                        \
    R r;                                                                       \
    __asm__ volatile goto("1: " insn " (%1), %0\n" OS_FIXUP("1b", "%l[fault]") \
                          : "=r"(r)                                            \
                          : "r"(a)                                             \
                          : "memory"                                           \
                          : fault);                                            \
    *out = (T)r;                                                               \
    return true;                                                               \
  fault:                                                                       \
    return false;                                                              \
  }
OS_LOAD(8, uint8_t, uint32_t, "movzbl")
OS_LOAD(16, uint16_t, uint32_t, "movzwl")
OS_LOAD(32, uint32_t, uint32_t, "movl")
OS_LOAD(64, uint64_t, uint64_t, "movq")
#undef OS_LOAD

#define OS_STORE(W, T, insn, reg)                                                   \
  OS_INLINE bool os_guest_store##W(uint64_t a, T value) {                           \
    __asm__ volatile goto("1: " insn " " reg ", (%0)\n" OS_FIXUP("1b", "%l[fault]") \
                          :                                                         \
                          : "r"(a), "r"(value)                                      \
                          : "memory"                                                \
                          : fault);                                                 \
    return true;                                                                    \
  fault:                                                                            \
    return false;                                                                   \
  }
OS_STORE(8, uint8_t, "movb", "%b1")
OS_STORE(16, uint16_t, "movw", "%w1")
OS_STORE(32, uint32_t, "movl", "%k1")
OS_STORE(64, uint64_t, "movq", "%q1")
#undef OS_STORE

typedef long long os_vec128 __attribute__((vector_size(16)));

OS_INLINE bool os_guest_load128(uint64_t a, u128 *out) {
  os_vec128 r;
  __asm__ volatile goto("1: movdqu (%1), %0\n" OS_FIXUP("1b", "%l[fault]")
                        : "=x"(r)
                        : "r"(a)
                        : "memory"
                        : fault);
  memcpy(out, &r, 16);
  return true;
fault:
  return false;
}

OS_INLINE bool os_guest_store128(uint64_t a, u128 value) {
  os_vec128 r;
  memcpy(&r, &value, 16);
  __asm__ volatile goto("1: movdqu %1, (%0)\n" OS_FIXUP("1b", "%l[fault]")
                        :
                        : "r"(a), "x"(r)
                        : "memory"
                        : fault);
  return true;
fault:
  return false;
}

#define OS_CAS(W, T, insn, reg)                                                          \
  OS_INLINE bool os_guest_cas##W(uint64_t a, T expect, T value, T *old) {                \
    __asm__ volatile goto("1: lock " insn " " reg ", (%1)\n" OS_FIXUP("1b", "%l[fault]") \
                          : "+a"(expect)                                                 \
                          : "r"(a), "r"(value)                                           \
                          : "memory", "cc"                                               \
                          : fault);                                                      \
    *old = expect;                                                                       \
    return true;                                                                         \
  fault:                                                                                 \
    return false;                                                                        \
  }
OS_CAS(8, uint8_t, "cmpxchgb", "%b2")
OS_CAS(16, uint16_t, "cmpxchgw", "%w2")
OS_CAS(32, uint32_t, "cmpxchgl", "%k2")
OS_CAS(64, uint64_t, "cmpxchgq", "%q2")
#undef OS_CAS

OS_INLINE bool os_guest_cas128(uint64_t a, u128 expect, u128 value, u128 *old) {
  uint64_t lo = (uint64_t)expect, hi = (uint64_t)(expect >> 64);
  __asm__ volatile goto("1: lock cmpxchg16b (%2)\n" OS_FIXUP("1b", "%l[fault]")
                        : "+a"(lo), "+d"(hi)
                        : "r"(a), "b"((uint64_t)value), "c"((uint64_t)(value >> 64))
                        : "memory", "cc"
                        : fault);
  *old = (u128)hi << 64 | lo;
  return true;
fault:
  return false;
}

OS_INLINE size_t os_guest_copy_(void *to, const void *from, size_t n) {
  __asm__ volatile("1: rep movsb\n2:\n" OS_FIXUP("1b", "2b") : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  return n;
}
OS_INLINE size_t os_guest_read(void *buf, uint64_t a, size_t n) {
  return os_guest_copy_(buf, (const void *)(uintptr_t)a, n);
}
OS_INLINE size_t os_guest_write(uint64_t a, const void *buf, size_t n) {
  return os_guest_copy_((void *)(uintptr_t)a, buf, n);
}

#else /* load-store architectures: 128 bits as two halves, copies by words */

#define OS_STORE_WHOLE 0

#if defined(__aarch64__)
#define OS_LD8  "ldrb %w0, [%1]"
#define OS_LD16 "ldrh %w0, [%1]"
#define OS_LD32 "ldr %w0, [%1]"
#define OS_LD64 "ldr %x0, [%1]"
#define OS_ST8  "strb %w1, [%0]"
#define OS_ST16 "strh %w1, [%0]"
#define OS_ST32 "str %w1, [%0]"
#define OS_ST64 "str %x1, [%0]"
#elif defined(__riscv)
#define OS_LD8  "lbu %0, 0(%1)"
#define OS_LD16 "lhu %0, 0(%1)"
#define OS_LD32 "lwu %0, 0(%1)"
#define OS_LD64 "ld %0, 0(%1)"
#define OS_ST8  "sb %1, 0(%0)"
#define OS_ST16 "sh %1, 0(%0)"
#define OS_ST32 "sw %1, 0(%0)"
#define OS_ST64 "sd %1, 0(%0)"
#else
#error "guest accesses are written for x86_64, arm64 and riscv64 hosts"
#endif

#define OS_PLAIN(W, T)                                                    \
  OS_INLINE bool os_guest_load##W(uint64_t a, T *out) {                   \
    uint64_t r;                                                           \
    __asm__ volatile goto("1: " OS_LD##W "\n" OS_FIXUP("1b", "%l[fault]") \
                          : "=r"(r)                                       \
                          : "r"(a)                                        \
                          : "memory"                                      \
                          : fault);                                       \
    *out = (T)r;                                                          \
    return true;                                                          \
  fault:                                                                  \
    return false;                                                         \
  }                                                                       \
  OS_INLINE bool os_guest_store##W(uint64_t a, T value) {                 \
    __asm__ volatile goto("1: " OS_ST##W "\n" OS_FIXUP("1b", "%l[fault]") \
                          :                                               \
                          : "r"(a), "r"((uint64_t)value)                  \
                          : "memory"                                      \
                          : fault);                                       \
    return true;                                                          \
  fault:                                                                  \
    return false;                                                         \
  }
OS_PLAIN(8, uint8_t)
OS_PLAIN(16, uint16_t)
OS_PLAIN(32, uint32_t)
OS_PLAIN(64, uint64_t)
#undef OS_PLAIN

OS_INLINE bool os_guest_load128(uint64_t a, u128 *out) {
  uint64_t lo, hi;
  if (!os_guest_load64(a, &lo) || !os_guest_load64(a + 8, &hi)) return false;
  *out = (u128)hi << 64 | lo;
  return true;
}
OS_INLINE bool os_guest_store128(uint64_t a, u128 value) {
  return os_guest_store64(a, (uint64_t)value) && os_guest_store64(a + 8, (uint64_t)(value >> 64));
}

OS_INLINE size_t os_guest_read(void *buf, uint64_t a, size_t n) {
  uint8_t *to = buf;
  for (uint64_t w; n >= 8 && os_guest_load64(a, &w); a += 8, to += 8, n -= 8) memcpy(to, &w, 8);
  for (; n && os_guest_load8(a, to); a++, to++) n--;
  return n;
}
OS_INLINE size_t os_guest_write(uint64_t a, const void *buf, size_t n) {
  const uint8_t *from = buf;
  for (uint64_t w; n >= 8; a += 8, from += 8, n -= 8) {
    memcpy(&w, from, 8);
    if (!os_guest_store64(a, w)) break;
  }
  for (; n && os_guest_store8(a, *from); a++, from++) n--;
  return n;
}

#if defined(__aarch64__)
/* What was there is stored again when it is not what was expected, so that the right to write is always asked for. */
#define OS_CAS(W, T, suffix, w)                                                                         \
  OS_INLINE bool os_guest_cas##W(uint64_t a, T expect, T value, T *old) {                               \
    uint64_t seen, next;                                                                                \
    uint32_t failed;                                                                                    \
    __asm__ volatile goto("1: ldaxr" suffix " %" w "0, [%3]\n cmp %" w "0, %" w "4\n csel %" w "1, %" w \
                          "5, %" w "0, eq\n2: stlxr" suffix " %w2, %" w                                 \
                          "1, [%3]\n cbnz %w2, 1b\n dmb ish\n" OS_FIXUP("1b", "%l[fault]")              \
                              OS_FIXUP("2b", "%l[fault]")                                               \
                          : "=&r"(seen), "=&r"(next), "=&r"(failed)                                     \
                          : "r"(a), "r"((uint64_t)expect), "r"((uint64_t)value)                         \
                          : "memory", "cc"                                                              \
                          : fault);                                                                     \
    *old = (T)seen;                                                                                     \
    return true;                                                                                        \
  fault:                                                                                                \
    return false;                                                                                       \
  }
OS_CAS(8, uint8_t, "b", "w")
OS_CAS(16, uint16_t, "h", "w")
OS_CAS(32, uint32_t, "", "w")
OS_CAS(64, uint64_t, "", "x")
#undef OS_CAS

OS_INLINE bool os_guest_cas128(uint64_t a, u128 expect, u128 value, u128 *old) {
  uint64_t lo, hi, nlo, nhi;
  uint32_t failed;
  __asm__ volatile goto(
      "1: ldaxp %0, %1, [%5]\n cmp %0, %6\n ccmp %1, %7, #0, eq\n csel %2, %8, %0, eq\n"
      " csel %3, %9, %1, eq\n2: stlxp %w4, %2, %3, [%5]\n cbnz %w4, 1b\n dmb ish\n" OS_FIXUP(
          "1b", "%l[fault]") OS_FIXUP("2b", "%l[fault]")
      : "=&r"(lo), "=&r"(hi), "=&r"(nlo), "=&r"(nhi), "=&r"(failed)
      : "r"(a), "r"((uint64_t)expect), "r"((uint64_t)(expect >> 64)), "r"((uint64_t)value),
        "r"((uint64_t)(value >> 64))
      : "memory", "cc"
      : fault);
  *old = (u128)hi << 64 | lo;
  return true;
fault:
  return false;
}
#else
#define OS_CAS(W, T, suffix, ext)                                                                          \
  OS_INLINE bool os_guest_cas##W(uint64_t a, T expect, T value, T *old) {                                  \
    uint64_t seen, next, failed;                                                                           \
    __asm__ volatile goto("1: lr." suffix ".aqrl %0, (%3)\n mv %1, %0\n bne %0, %4, 2f\n mv %1, %5\n"      \
                          "2: sc." suffix ".aqrl %2, %1, (%3)\n bnez %2, 1b\n" OS_FIXUP("1b", "%l[fault]") \
                              OS_FIXUP("2b", "%l[fault]")                                                  \
                          : "=&r"(seen), "=&r"(next), "=&r"(failed)                                        \
                          : "r"(a), "r"((int64_t)(ext)expect), "r"((uint64_t)value)                        \
                          : "memory"                                                                       \
                          : fault);                                                                        \
    *old = (T)seen;                                                                                        \
    return true;                                                                                           \
  fault:                                                                                                   \
    return false;                                                                                          \
  }
OS_CAS(32, uint32_t, "w", int32_t)
OS_CAS(64, uint64_t, "d", int64_t)
#undef OS_CAS

/* Narrow ones inside their aligned word. */
#define OS_CAS(W, T)                                                                 \
  OS_INLINE bool os_guest_cas##W(uint64_t a, T expect, T value, T *old) {            \
    const unsigned shift = (unsigned)(a & 3) * 8;                                    \
    const uint32_t mask = (uint32_t)(T)-1 << shift;                                  \
    uint32_t word, seen;                                                             \
    if (!os_guest_load32(a & ~UINT64_C(3), &word)) return false;                     \
    for (;;) {                                                                       \
      const bool same = (T)(word >> shift) == expect;                                \
      const uint32_t next = same ? (word & ~mask) | (uint32_t)value << shift : word; \
      if (!os_guest_cas32(a & ~UINT64_C(3), word, next, &seen)) return false;        \
      if (seen == word) break;                                                       \
      word = seen;                                                                   \
    }                                                                                \
    *old = (T)(word >> shift);                                                       \
    return true;                                                                     \
  }
OS_CAS(8, uint8_t)
OS_CAS(16, uint16_t)
#undef OS_CAS

/* There is no instruction: atomic against its like only (os/atomic128.h says so too). */
bool os_guest_cas128(uint64_t a, u128 expect, u128 value, u128 *old);
#endif
#endif

#endif
