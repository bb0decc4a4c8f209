/* F and D: NaN boxing, rounding modes, flags, fclass, comparisons, min/max, sign
 * injection, fused operations. Expected values follow from IEEE 754 and are
 * written as bit patterns. Conversions are in fpcvt.c. */
#include "htif.h"

#define BOX(v) (0xffffffff00000000 | (u64)(u32)(v))
#define QNAN32 0x7fc00000u
#define QNAN64 0x7ff8000000000000
enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16 };
enum { RNE, RTZ, RDN, RUP, RMM };

static u64 flags; /* of the last operation */

#define FP3(insn, a, b, c)                                                                                 \
  ({                                                                                                       \
    u64 r_;                                                                                                \
    __asm__ volatile("csrw fflags, zero\n\tfmv.d.x fa0, %2\n\tfmv.d.x fa1, %3\n\tfmv.d.x fa2, %4\n\t" insn \
                     "\n\tcsrr %1, fflags\n\tfmv.x.d %0, fa3"                                              \
                     : "=&r"(r_), "=&r"(flags)                                                             \
                     : "r"((u64)(a)), "r"((u64)(b)), "r"((u64)(c)));                                       \
    r_;                                                                                                    \
  })
#define D2(op, a, b) FP3(op " fa3, fa0, fa1", a, b, 0)
#define D1(op, a)    FP3(op " fa3, fa0", a, 0, 0)
#define S2(op, a, b) FP3(op " fa3, fa0, fa1", BOX(a), BOX(b), 0)
#define S1(op, a)    FP3(op " fa3, fa0", BOX(a), 0, 0)
#define INT2(op, a, b)                                                                                      \
  ({                                                                                                        \
    u64 r_;                                                                                                 \
    __asm__ volatile("csrw fflags, zero\n\tfmv.d.x fa0, %2\n\tfmv.d.x fa1, %3\n\t" op "\n\tcsrr %1, fflags" \
                     : "=&r"(r_), "=&r"(flags)                                                              \
                     : "r"((u64)(a)), "r"((u64)(b)));                                                       \
    r_;                                                                                                     \
  })
#define IS(expr, bits, fl)                          \
  do {                                              \
    u64 g_ = (expr);                                \
    CHECK(g_ == (u64)(bits) && flags == (u64)(fl)); \
  } while (0)

#define ONE   0x3ff0000000000000
#define THREE 0x4008000000000000
#define MAXD  0x7fefffffffffffff
#define MIND  0x0000000000000001
#define NORM  0x0010000000000000
#define INF   0x7ff0000000000000
#define NEG   0x8000000000000000
#define SNAN  0x7ff0000000000001

static void arithmetic(void) {
  /* 1/3 in each direction, both signs. */
  static const u64 third[5] = {0x3fd5555555555555, 0x3fd5555555555555, 0x3fd5555555555555, 0x3fd5555555555556,
                               0x3fd5555555555555};
  static const u64 minus[5] = {0xbfd5555555555555, 0xbfd5555555555555, 0xbfd5555555555556, 0xbfd5555555555555,
                               0xbfd5555555555555};
  for (int rm = 0; rm < 5; rm++) {
    csr_write(frm, rm);
    IS(D2("fdiv.d", ONE, THREE), third[rm], NX);
    IS(D2("fdiv.d", ONE | NEG, THREE), minus[rm], NX);
  }
  csr_write(frm, 0);
  /* The static mode wins over frm. */
  IS(FP3("fdiv.d fa3, fa0, fa1, rup", ONE, THREE, 0), third[RUP], NX);
  IS(FP3("fdiv.d fa3, fa0, fa1, rdn", ONE | NEG, THREE, 0), minus[RDN], NX);
  /* Ties: 1 + 2^-53 lies between 1 and its successor. */
  u64 tiny = 0x3ca0000000000000;
  IS(FP3("fadd.d fa3, fa0, fa1, rne", ONE, tiny, 0), ONE, NX);
  IS(FP3("fadd.d fa3, fa0, fa1, rmm", ONE, tiny, 0), ONE + 1, NX);
  IS(FP3("fadd.d fa3, fa0, fa1, rtz", ONE, tiny, 0), ONE, NX);
  IS(FP3("fadd.d fa3, fa0, fa1, rup", ONE, tiny, 0), ONE + 1, NX);
  IS(FP3("fadd.d fa3, fa0, fa1, rne", ONE + 1, tiny, 0), ONE + 2, NX);
  /* Exact sums raise nothing; x - x is -0 only when rounding down. */
  IS(D2("fadd.d", ONE, ONE), 0x4000000000000000, 0);
  IS(D2("fsub.d", ONE, ONE), 0, 0);
  IS(FP3("fsub.d fa3, fa0, fa1, rdn", ONE, ONE, 0), NEG, 0);
  /* Overflow by mode. */
  IS(D2("fadd.d", MAXD, MAXD), INF, OF | NX);
  IS(FP3("fadd.d fa3, fa0, fa1, rtz", MAXD, MAXD, 0), MAXD, OF | NX);
  IS(FP3("fadd.d fa3, fa0, fa1, rdn", MAXD, MAXD, 0), MAXD, OF | NX);
  IS(FP3("fmul.d fa3, fa0, fa1, rup", MAXD | NEG, MAXD, 0), MAXD | NEG, OF | NX);
  IS(FP3("fmul.d fa3, fa0, fa1, rdn", MAXD | NEG, MAXD, 0), INF | NEG, OF | NX);
  /* Underflow: only when inexact; tininess is seen after rounding. */
  IS(D2("fmul.d", MIND, ONE), MIND, 0);
  IS(D2("fmul.d", MIND, 0x3fe0000000000000), 0, UF | NX);
  IS(FP3("fmul.d fa3, fa0, fa1, rup", MIND, MIND, 0), MIND, UF | NX);
  IS(D2("fdiv.d", NORM, 0x4000000000000000), 0x0008000000000000, 0);
  /* (1 - 2^-53) * 2^-1022 rounds up to the smallest normal: with an unbounded
   * exponent it stays below, so it is tiny; one step less tiny is not. */
  IS(D2("fmul.d", NORM, 0x3fefffffffffffff), NORM, UF | NX);
  IS(D2("fmul.d", 0x0010000000000001, 0x3feffffffffffffe), NORM, NX);
  /* Invalid and division by zero. */
  IS(D2("fdiv.d", ONE, 0), INF, DZ);
  IS(D2("fdiv.d", ONE, NEG), INF | NEG, DZ);
  IS(D2("fdiv.d", 0, 0), QNAN64, NV);
  IS(D2("fdiv.d", INF, INF), QNAN64, NV);
  IS(D2("fsub.d", INF, INF), QNAN64, NV);
  IS(D2("fmul.d", INF, 0), QNAN64, NV);
  IS(D2("fadd.d", SNAN, ONE), QNAN64, NV);
  IS(D2("fadd.d", QNAN64 | 77 | NEG, ONE), QNAN64, 0); /* canonical, payload gone */
  IS(D1("fsqrt.d", 0x4000000000000000), 0x3ff6a09e667f3bcd, NX);
  IS(D1("fsqrt.d", 0x4010000000000000), 0x4000000000000000, 0);
  IS(D1("fsqrt.d", ONE | NEG), QNAN64, NV);
  IS(D1("fsqrt.d", NEG), NEG, 0);
  /* Single. */
  IS(S2("fadd.s", 0x3f800000, 0x33800000), BOX(0x3f800000), NX);
  IS(S2("fdiv.s", 0x3f800000, 0x40400000), BOX(0x3eaaaaab), NX);
  IS(S1("fsqrt.s", 0x40000000), BOX(0x3fb504f3), NX);
  IS(S2("fmul.s", 0x7f7fffff, 0x7f7fffff), BOX(0x7f800000), OF | NX);
  IS(S2("fmul.s", 1, 0x3f000000), BOX(0), UF | NX);
  IS(S2("fsub.s", 0x7f800000, 0x7f800000), BOX(QNAN32), NV);
}

static void boxing(void) {
  /* An unboxed operand is the canonical NaN; results are boxed. */
  IS(FP3("fadd.s fa3, fa0, fa1", 0x3f800000, BOX(0x3f800000), 0), BOX(QNAN32), 0);
  IS(FP3("fadd.s fa3, fa0, fa1", 0xfffffffe3f800000, BOX(0x3f800000), 0), BOX(QNAN32), 0);
  IS(FP3("fsgnj.s fa3, fa0, fa0", 0x3f800000, 0, 0), BOX(QNAN32), 0);
  IS(FP3("fsgnjn.s fa3, fa1, fa0", 0x80000000, BOX(0x3f800000), 0), BOX(0xbf800000), 0);
  IS(FP3("fmin.s fa3, fa0, fa1", 0x12345678, BOX(0x40000000), 0), BOX(0x40000000), 0);
  IS(INT2("fclass.s %0, fa0", 0x3f800000, 0), 1 << 9, 0);
  IS(INT2("feq.s %0, fa0, fa0", 0x3f800000, 0), 0, 0);
  /* Moves and stores take the low half as it is. */
  IS(INT2("fmv.x.w %0, fa0", 0x12345678bf800000, 0), 0xffffffffbf800000, 0);
  IS(FP3("fmv.w.x fa3, %2", 0x1234567840000000, 0, 0), BOX(0x40000000), 0);
  static volatile u64 cell;
  cell = 0x1111111122222222;
  __asm__ volatile("fmv.d.x fa0, %0\n\tfsw fa0, (%1)" ::"r"(0xabcdef0187654321), "r"(&cell) : "memory");
  EQ(cell, 0x1111111187654321);
  u64 v;
  __asm__ volatile("flw fa0, (%1)\n\tfmv.x.d %0, fa0" : "=r"(v) : "r"(&cell) : "memory");
  EQ(v, 0xffffffff87654321);
  /* A double's operation does not care about boxes. */
  IS(FP3("fsgnj.d fa3, fa0, fa0", 0x123456783f800000, 0, 0), 0x123456783f800000, 0);
}

static void compare(void) {
  IS(INT2("feq.d %0, fa0, fa1", ONE, ONE), 1, 0);
  IS(INT2("feq.d %0, fa0, fa1", 0, NEG), 1, 0);
  IS(INT2("feq.d %0, fa0, fa1", QNAN64, ONE), 0, 0);
  IS(INT2("feq.d %0, fa0, fa1", SNAN, ONE), 0, NV);
  IS(INT2("flt.d %0, fa0, fa1", QNAN64, ONE), 0, NV);
  IS(INT2("fle.d %0, fa0, fa1", ONE, QNAN64), 0, NV);
  IS(INT2("flt.d %0, fa0, fa1", NEG, 0), 0, 0);
  IS(INT2("fle.d %0, fa0, fa1", NEG, 0), 1, 0);
  IS(INT2("flt.d %0, fa0, fa1", ONE | NEG, MIND | NEG), 1, 0);
  IS(INT2("flt.s %0, fa0, fa1", BOX(0x3f800000), BOX(0x40000000)), 1, 0);
  IS(D2("fmin.d", NEG, 0), NEG, 0);
  IS(D2("fmin.d", 0, NEG), NEG, 0);
  IS(D2("fmax.d", NEG, 0), 0, 0);
  IS(D2("fmax.d", QNAN64, ONE), ONE, 0);
  IS(D2("fmin.d", ONE, QNAN64), ONE, 0);
  IS(D2("fmax.d", SNAN, ONE), ONE, NV);
  IS(D2("fmin.d", QNAN64 | 5, QNAN64 | 6), QNAN64, 0);
  IS(D2("fmax.d", SNAN, SNAN), QNAN64, NV);
  IS(S2("fmin.s", 0xff800000, 0x7f800000), BOX(0xff800000), 0);
  /* Sign injection: no flags, no canonical NaN. */
  IS(D2("fsgnj.d", SNAN, ONE | NEG), SNAN | NEG, 0);
  IS(D2("fsgnjn.d", SNAN, ONE | NEG), SNAN, 0);
  IS(D2("fsgnjx.d", SNAN | NEG, ONE | NEG), SNAN, 0);
  static const struct {
    u64 v;
    int bit;
  } cls[] = {{INF | NEG, 0}, {ONE | NEG, 1}, {MIND | NEG, 2}, {NEG, 3},         {0, 4},
             {MIND, 5},      {ONE, 6},       {INF, 7},        {SNAN, 8},        {QNAN64, 9},
             {NORM, 6},      {NORM - 1, 5},  {SNAN | NEG, 8}, {QNAN64 | NEG, 9}};
  for (unsigned i = 0; i < sizeof cls / sizeof cls[0]; i++)
    IS(INT2("fclass.d %0, fa0", cls[i].v, 0), 1 << cls[i].bit, 0);
  static const struct {
    u32 v;
    int bit;
  } cls32[] = {{0xff800000, 0}, {0xbf800000, 1}, {0x80000001, 2}, {0x80000000, 3}, {0, 4},
               {0x7fffff, 5},   {0x800000, 6},   {0x7f800000, 7}, {0x7f800001, 8}, {0x7fc00000, 9}};
  for (unsigned i = 0; i < sizeof cls32 / sizeof cls32[0]; i++)
    IS(INT2("fclass.s %0, fa0", BOX(cls32[i].v), 0), 1 << cls32[i].bit, 0);
}

static void fused(void) {
  /* (1+e)(1-e) - 1 = -e^2 shows the single rounding. */
  u64 up = ONE + 1, down = 0x3feffffffffffffe, m1 = ONE | NEG;
  IS(FP3("fmadd.d fa3, fa0, fa1, fa2", up, down, m1), 0xb970000000000000, 0);
  IS(FP3("fmsub.d fa3, fa0, fa1, fa2", up, down, ONE), 0xb970000000000000, 0);
  IS(FP3("fnmsub.d fa3, fa0, fa1, fa2", up, down, ONE), 0x3970000000000000, 0);
  IS(FP3("fnmadd.d fa3, fa0, fa1, fa2", up, down, m1), 0x3970000000000000, 0);
  /* inf * 0 is invalid even with a quiet NaN to add. */
  IS(FP3("fmadd.d fa3, fa0, fa1, fa2", INF, 0, QNAN64), QNAN64, NV);
  IS(FP3("fmadd.d fa3, fa0, fa1, fa2", INF, ONE, INF | NEG), QNAN64, NV);
  IS(FP3("fmadd.d fa3, fa0, fa1, fa2", ONE, ONE, QNAN64), QNAN64, 0);
  IS(FP3("fmadd.d fa3, fa0, fa1, fa2", ONE, ONE, m1), 0, 0);
  IS(FP3("fmadd.d fa3, fa0, fa1, fa2, rdn", ONE, ONE, m1), NEG, 0);
  IS(FP3("fnmadd.d fa3, fa0, fa1, fa2", ONE, ONE, m1), 0, 0);
  IS(FP3("fmadd.s fa3, fa0, fa1, fa2", BOX(0x40000000), BOX(0x40400000), BOX(0x3f800000)), BOX(0x40e00000),
     0);
}

void test_main(void) {
  csr_set(mstatus, MSTATUS_FS);
  csr_write(fcsr, 0);
  arithmetic();
  boxing();
  compare();
  fused();
  /* Flags accumulate. */
  csr_write(fflags, 0);
  __asm__ volatile(
      "fmv.d.x fa0, %0\n\tfmv.d.x fa1, zero\n\tfdiv.d fa2, fa0, fa1\n\tfdiv.d fa2, fa1, fa1" ::"r"(ONE));
  EQ(csr_read(fflags), DZ | NV);
}
