/* The three-same family of Advanced SIMD integer add, subtract and compare (and
 * the bitwise operations) in every arrangement, one function per instruction. */
#include <arm_neon.h>

#include "prog.h"

#define KERNEL(name, ld, st, op)                                                      \
  __attribute__((noinline)) static void name(const void *a, const void *b, void *r) { \
    st(r, op(ld(a), ld(b)));                                                          \
  }

/* One operation in an element type: 64-bit and 128-bit vectors. */
#define BOTH(op, t, rt)                                  \
  KERNEL(k_##op##_##t, vld1_##t, vst1_##rt, v##op##_##t) \
  KERNEL(k_##op##q_##t, vld1q_##t, vst1q_##rt, v##op##q_##t)

#define SAME(op)   /* signless */ BOTH(op, u8, u8) BOTH(op, u16, u16) BOTH(op, u32, u32) BOTH(op, u64, u64)
#define SIGNED(op) BOTH(op, s8, u8) BOTH(op, s16, u16) BOTH(op, s32, u32) BOTH(op, s64, u64)

SAME(add)
SAME(sub)
SAME(ceq)
SAME(tst)
SAME(cgt) /* cmhi */
SAME(cge) /* cmhs */
SIGNED(cgt)
SIGNED(cge)
BOTH(and, u8, u8)
BOTH(orr, u8, u8)
BOTH(eor, u8, u8)
BOTH(bic, u8, u8)
BOTH(orn, u8, u8)

#define ROW(op, t) \
  {#op "." #t, k_##op##_##t, 8}, { #op "q." #t, k_##op##q_##t, 16 }
#define ROWS(op)   ROW(op, u8), ROW(op, u16), ROW(op, u32), ROW(op, u64)
#define ROWS_S(op) ROW(op, s8), ROW(op, s16), ROW(op, s32), ROW(op, s64)

static const struct {
  const char *name;
  void (*fn)(const void *, const void *, void *);
  int bytes;
} table[] = {ROWS(add),   ROWS(sub),    ROWS(ceq),    ROWS(tst),    ROWS(cgt),    ROWS(cge),   ROWS_S(cgt),
             ROWS_S(cge), ROW(and, u8), ROW(orr, u8), ROW(eor, u8), ROW(bic, u8), ROW(orn, u8)};

int prog_main(void) {
  static uint64_t a[2], b[2], r[2];
  uint64_t seed = 0x0123456789abcdef, sum = 0;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    for (int round = 0; round < 40; round++) {
      for (int j = 0; j < 2; j++) {
        a[j] = rng_next(&seed);
        b[j] = rng_next(&seed);
        if (round % 4 == 1) /* some equal lanes, some that differ in one bit */
          b[j] = a[j] ^ (b[j] & 0x0100000001000080);
        if (round % 4 == 2) a[j] = 0x7fff80007f80ff00, b[j] = 0x80007fff80ff00ff;
        r[j] = rng_next(&seed);
      }
      table[i].fn(a, b, r);
      for (int j = 0; j < 2; j++) sum = (sum << 5 | sum >> 59) ^ r[j];
      if (round < 2) put_bytes(table[i].name, r, table[i].bytes);
    }
    put_kv(table[i].name, sum);
  }
  return (int)(sum % 100);
}
