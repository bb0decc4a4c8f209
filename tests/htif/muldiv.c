/* M: products' high halves, division by zero and overflow, the .w forms. */
#include "htif.h"

static const u64 v[] = {0,
                        1,
                        2,
                        3,
                        7,
                        0x7fffffff,
                        0x80000000,
                        0xffffffff,
                        0x100000000,
                        0x7fffffffffffffff,
                        0x8000000000000000,
                        -1ull,
                        -2ull,
                        0xffffffff80000000,
                        0x0123456789abcdef,
                        0xfedcba9876543210};
#define OP2(insn)                                                     \
  ({                                                                  \
    u64 r_;                                                           \
    __asm__ volatile(insn " %0, %1, %2" : "=r"(r_) : "r"(a), "r"(b)); \
    r_;                                                               \
  })

static u64 sx(u64 x) { return (u64)(i64)(int32_t)x; }
/* High half by schoolbook, so that mulhu does not test itself. */
static u64 high(u64 a, u64 b) {
  u64 hi = 0, lo = 0;
  for (int i = 0; i < 64; i++)
    if (b >> i & 1) {
      u64 add = a << i, l = lo + add;
      hi += (i ? a >> (64 - i) : 0) + (l < lo);
      lo = l;
    }
  return hi;
}
/* Division by subtraction. */
static u64 udiv(u64 a, u64 b, u64 *rem) {
  u64 q = 0, r = 0;
  for (int i = 63; i >= 0; i--) {
    u64 top = r >> 63;
    r = r << 1 | (a >> i & 1);
    if (top || r >= b) {
      r -= b;
      q |= 1ull << i;
    }
  }
  *rem = r;
  return q;
}
static u64 sdiv(u64 a, u64 b, u64 *rem) {
  u64 q = udiv((i64)a < 0 ? -a : a, (i64)b < 0 ? -b : b, rem);
  if ((i64)a < 0) *rem = -*rem;
  return (i64)(a ^ b) < 0 ? -q : q;
}

void test_main(void) {
  for (unsigned i = 0; i < sizeof v / sizeof v[0]; i++)
    for (unsigned j = 0; j < sizeof v / sizeof v[0]; j++) {
      u64 a = v[i], b = v[j], q, r;
      u64 hu = high(a, b), hsu = hu - ((i64)a < 0 ? b : 0), hs = hsu - ((i64)b < 0 ? a : 0);
      EQ(OP2("mulhu"), hu);
      EQ(OP2("mulhsu"), hsu);
      EQ(OP2("mulh"), hs);
      u64 lo = 0;
      for (int k = 0; k < 64; k++) lo += b >> k & 1 ? a << k : 0;
      EQ(OP2("mul"), lo);
      EQ(OP2("mulw"), sx(lo));
      if (b) {
        q = udiv(a, b, &r);
        EQ(OP2("divu"), q);
        EQ(OP2("remu"), r);
        q = sdiv(a, b, &r);
        EQ(OP2("div"), q);
        EQ(OP2("rem"), r);
      } else {
        EQ(OP2("divu"), -1ull);
        EQ(OP2("remu"), a);
        EQ(OP2("div"), -1ull);
        EQ(OP2("rem"), a);
      }
      if ((u32)b) {
        q = udiv((u32)a, (u32)b, &r);
        EQ(OP2("divuw"), sx(q));
        EQ(OP2("remuw"), sx(r));
        q = sdiv(sx(a), sx(b), &r);
        EQ(OP2("divw"), sx(q));
        EQ(OP2("remw"), sx(r));
      } else {
        EQ(OP2("divuw"), -1ull);
        EQ(OP2("remuw"), sx(a));
        EQ(OP2("divw"), -1ull);
        EQ(OP2("remw"), sx(a));
      }
    }
}
