/* Zba, Zbb and Zbs against definitions written in C, over boundary values. */
#include "htif.h"

static const u64 v[] = {0,
                        1,
                        2,
                        63,
                        64,
                        0x80,
                        0xff,
                        0x7fff,
                        0x8000,
                        0x7fffffff,
                        0x80000000,
                        0xffffffff,
                        0x100000000,
                        0x7fffffffffffffff,
                        0x8000000000000000,
                        -1ull,
                        -2ull,
                        0x0123456789abcdef,
                        0xfedcba9876543210,
                        0x00ff00ff12345678};
#define N (sizeof v / sizeof v[0])

#define OP2(insn)                                                     \
  ({                                                                  \
    u64 r_;                                                           \
    __asm__ volatile(insn " %0, %1, %2" : "=r"(r_) : "r"(a), "r"(b)); \
    r_;                                                               \
  })
#define OP1(insn)                                         \
  ({                                                      \
    u64 r_;                                               \
    __asm__ volatile(insn " %0, %1" : "=r"(r_) : "r"(a)); \
    r_;                                                   \
  })
#define OPI(insn, i)                                           \
  ({                                                           \
    u64 r_;                                                    \
    __asm__ volatile(insn " %0, %1, " #i : "=r"(r_) : "r"(a)); \
    r_;                                                        \
  })

static u64 sx(u64 x) { return (u64)(i64)(int32_t)x; }
static u64 ror(u64 x, u64 n, u64 w) {
  u64 r = 0;
  for (u64 i = 0; i < w; i++) r |= (x >> (i + n) % w & 1) << i;
  return r;
}
static u64 ones(u64 x, int w) {
  u64 n = 0;
  for (int i = 0; i < w; i++) n += x >> i & 1;
  return n;
}
static u64 lead(u64 x, int w) {
  u64 n = 0;
  while (n < (u64)w && !(x >> ((u64)w - 1 - n) & 1)) n++;
  return n;
}
static u64 trail(u64 x, int w) {
  u64 n = 0;
  while (n < (u64)w && !(x >> n & 1)) n++;
  return n;
}
static u64 orcb(u64 x) {
  u64 r = 0;
  for (int i = 0; i < 64; i += 8) r |= x >> i & 255 ? 255ull << i : 0;
  return r;
}
static u64 rev(u64 x) {
  u64 r = 0;
  for (int i = 0; i < 64; i += 8) r |= (x >> i & 255) << (56 - i);
  return r;
}

void test_main(void) {
  for (unsigned i = 0; i < N; i++) {
    u64 a = v[i];
    EQ(OP1("clz"), lead(a, 64));
    EQ(OP1("clzw"), lead(a & 0xffffffff, 32));
    EQ(OP1("ctz"), trail(a, 64));
    if (a >> 32 == 0 || (u32)a) /* the rest is in strict.c */
      EQ(OP1("ctzw"), trail(a & 0xffffffff, 32));
    EQ(OP1("cpop"), ones(a, 64));
    EQ(OP1("cpopw"), ones(a, 32));
    EQ(OP1("sext.b"), (u64)(i64)(int8_t)a);
    EQ(OP1("sext.h"), (u64)(i64)(int16_t)a);
    EQ(OP1("zext.h"), a & 0xffff);
    EQ(OP1("orc.b"), orcb(a));
    EQ(OP1("rev8"), rev(a));
    EQ(OP1("zext.w"), a & 0xffffffff);
    EQ(OPI("rori", 1), ror(a, 1, 64));
    EQ(OPI("rori", 63), ror(a, 63, 64));
    EQ(OPI("rori", 0), a);
    EQ(OPI("roriw", 1), sx(ror(a, 1, 32)));
    EQ(OPI("roriw", 31), sx(ror(a, 31, 32)));
    EQ(OPI("slli.uw", 0), a & 0xffffffff);
    EQ(OPI("slli.uw", 33), (a & 0xffffffff) << 33);
    EQ(OPI("bseti", 63), a | 1ull << 63);
    EQ(OPI("bclri", 63), a & ~(1ull << 63));
    EQ(OPI("binvi", 31), a ^ 1ull << 31);
    EQ(OPI("bexti", 63), a >> 63);
    EQ(OPI("bexti", 0), a & 1);
    for (unsigned j = 0; j < N; j++) {
      u64 b = v[j];
      EQ(OP2("sh1add"), b + (a << 1));
      EQ(OP2("sh2add"), b + (a << 2));
      EQ(OP2("sh3add"), b + (a << 3));
      EQ(OP2("add.uw"), b + (a & 0xffffffff));
      EQ(OP2("sh1add.uw"), b + ((a & 0xffffffff) << 1));
      EQ(OP2("sh2add.uw"), b + ((a & 0xffffffff) << 2));
      EQ(OP2("sh3add.uw"), b + ((a & 0xffffffff) << 3));
      EQ(OP2("andn"), a & ~b);
      EQ(OP2("orn"), a | ~b);
      EQ(OP2("xnor"), ~(a ^ b));
      EQ(OP2("min"), (i64)a < (i64)b ? a : b);
      EQ(OP2("max"), (i64)a > (i64)b ? a : b);
      EQ(OP2("minu"), a < b ? a : b);
      EQ(OP2("maxu"), a > b ? a : b);
      EQ(OP2("ror"), ror(a, b & 63, 64));
      EQ(OP2("rol"), ror(a, 64 - (b & 63), 64));
      EQ(OP2("rorw"), sx(ror(a, b & 31, 32)));
      EQ(OP2("rolw"), sx(ror(a, 32 - (b & 31), 32)));
      EQ(OP2("bset"), a | 1ull << (b & 63));
      EQ(OP2("bclr"), a & ~(1ull << (b & 63)));
      EQ(OP2("binv"), a ^ 1ull << (b & 63));
      EQ(OP2("bext"), a >> (b & 63) & 1);
    }
  }
}
