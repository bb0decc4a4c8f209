/* Conversions between integers and floating point, and between the formats:
 * rounding, saturation, NaN, flags. */
#include "htif.h"

#define BOX(v) (0xffffffff00000000 | (u64)(u32)(v))
#define NEG    0x8000000000000000
enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16 };

static u64 flags;

#define TOINT(insn, a)                                                                     \
  ({                                                                                       \
    u64 r_;                                                                                \
    __asm__ volatile("csrw fflags, zero\n\tfmv.d.x fa0, %2\n\t" insn "\n\tcsrr %1, fflags" \
                     : "=&r"(r_), "=&r"(flags)                                             \
                     : "r"((u64)(a)));                                                     \
    r_;                                                                                    \
  })
#define TOFP(insn, a)                                                                      \
  ({                                                                                       \
    u64 r_;                                                                                \
    __asm__ volatile("csrw fflags, zero\n\t" insn "\n\tcsrr %1, fflags\n\tfmv.x.d %0, fa3" \
                     : "=&r"(r_), "=&r"(flags)                                             \
                     : "r"((u64)(a)));                                                     \
    r_;                                                                                    \
  })
#define FPFP(insn, a)                                                \
  ({                                                                 \
    u64 r_;                                                          \
    __asm__ volatile("csrw fflags, zero\n\tfmv.d.x fa0, %2\n\t" insn \
                     "\n\tcsrr %1, fflags\n\tfmv.x.d %0, fa3"        \
                     : "=&r"(r_), "=&r"(flags)                       \
                     : "r"((u64)(a)));                               \
    r_;                                                              \
  })
#define IS(expr, bits, fl)                          \
  do {                                              \
    u64 g_ = (expr);                                \
    CHECK(g_ == (u64)(bits) && flags == (u64)(fl)); \
  } while (0)

#define D_1_5  0x3ff8000000000000
#define D_2_5  0x4004000000000000
#define D_M1_5 0xbff8000000000000
#define INF    0x7ff0000000000000
#define QNAN   0x7ff8000000000000

void test_main(void) {
  csr_set(mstatus, MSTATUS_FS);
  csr_write(fcsr, 0);

  /* Rounding to integer. */
  IS(TOINT("fcvt.w.d %0, fa0, rne", D_1_5), 2, NX);
  IS(TOINT("fcvt.w.d %0, fa0, rne", D_2_5), 2, NX);
  IS(TOINT("fcvt.w.d %0, fa0, rtz", D_2_5), 2, NX);
  IS(TOINT("fcvt.w.d %0, fa0, rup", D_2_5), 3, NX);
  IS(TOINT("fcvt.w.d %0, fa0, rmm", D_2_5), 3, NX);
  IS(TOINT("fcvt.w.d %0, fa0, rdn", D_M1_5), -2, NX);
  IS(TOINT("fcvt.w.d %0, fa0, rup", D_M1_5), -1, NX);
  IS(TOINT("fcvt.w.d %0, fa0, rmm", D_M1_5), -2, NX);
  csr_write(frm, 3);
  IS(TOINT("fcvt.l.d %0, fa0, dyn", D_1_5), 2, NX);
  csr_write(frm, 0);

  /* Out of range: the nearest value, NV alone. NaN counts as the largest. */
  u64 big = 0x41e0000000000000 /* 2^31 */, huge = 0x43e0000000000000 /* 2^63 */;
  IS(TOINT("fcvt.w.d %0, fa0", big), 0x7fffffff, NV);
  IS(TOINT("fcvt.w.d %0, fa0", big | NEG), 0xffffffff80000000, 0);
  IS(TOINT("fcvt.w.d %0, fa0", 0xc1e0000000200000), 0xffffffff80000000, NV);      /* -2^31 - 1 */
  IS(TOINT("fcvt.w.d %0, fa0, rtz", 0xc1e00000001fffff), 0xffffffff80000000, NX); /* just above it */
  IS(TOINT("fcvt.w.d %0, fa0, rne", 0x41dfffffffe00000), 0x7fffffff, NV);         /* 2^31 - 0.5 */
  IS(TOINT("fcvt.w.d %0, fa0, rtz", 0x41dfffffffe00000), 0x7fffffff, NX);
  IS(TOINT("fcvt.w.d %0, fa0", INF), 0x7fffffff, NV);
  IS(TOINT("fcvt.w.d %0, fa0", INF | NEG), 0xffffffff80000000, NV);
  IS(TOINT("fcvt.w.d %0, fa0", QNAN), 0x7fffffff, NV);
  IS(TOINT("fcvt.w.d %0, fa0", QNAN | NEG), 0x7fffffff, NV);
  IS(TOINT("fcvt.wu.d %0, fa0", big), 0xffffffff80000000, 0); /* sign-extended */
  IS(TOINT("fcvt.wu.d %0, fa0", D_M1_5), 0, NV);
  IS(TOINT("fcvt.wu.d %0, fa0, rtz", 0xbfe8000000000000), 0, NX); /* -0.75 truncates to 0 */
  IS(TOINT("fcvt.wu.d %0, fa0, rne", 0xbfe8000000000000), 0, NV); /* but rounds to -1 */
  IS(TOINT("fcvt.wu.d %0, fa0", NEG), 0, 0);
  IS(TOINT("fcvt.wu.d %0, fa0", 0x41f0000000000000), -1ull, NV);
  IS(TOINT("fcvt.wu.d %0, fa0", QNAN), -1ull, NV);
  IS(TOINT("fcvt.wu.d %0, fa0", INF | NEG), 0, NV);
  IS(TOINT("fcvt.l.d %0, fa0", huge), 0x7fffffffffffffff, NV);
  IS(TOINT("fcvt.l.d %0, fa0", huge | NEG), NEG, 0);
  IS(TOINT("fcvt.l.d %0, fa0", QNAN), 0x7fffffffffffffff, NV);
  IS(TOINT("fcvt.lu.d %0, fa0", huge), NEG, 0);
  IS(TOINT("fcvt.lu.d %0, fa0", 0x43f0000000000000), -1ull, NV);
  IS(TOINT("fcvt.lu.d %0, fa0", D_M1_5), 0, NV);
  IS(TOINT("fcvt.w.s %0, fa0", BOX(0x4f000000)), 0x7fffffff, NV);
  IS(TOINT("fcvt.wu.s %0, fa0", BOX(0x4f000000)), 0xffffffff80000000, 0);
  IS(TOINT("fcvt.l.s %0, fa0", BOX(0xdf000000)), NEG, 0);
  IS(TOINT("fcvt.lu.s %0, fa0", BOX(0x5f800000)), -1ull, NV);
  IS(TOINT("fcvt.w.s %0, fa0", 0x3f800000), 0x7fffffff, NV); /* not boxed: NaN */

  /* From integers. */
  IS(TOFP("fcvt.d.w fa3, %2", 0xffffffff80000000), 0xc1e0000000000000, 0);
  IS(TOFP("fcvt.d.w fa3, %2", 0x123456780000007f), 0x405fc00000000000, 0); /* the low word */
  IS(TOFP("fcvt.d.wu fa3, %2", 0xffffffffffffffff), 0x41efffffffe00000, 0);
  IS(TOFP("fcvt.d.l fa3, %2", 0x7fffffffffffffff), 0x43e0000000000000, NX);
  IS(TOFP("fcvt.d.l fa3, %2, rtz", 0x7fffffffffffffff), 0x43dfffffffffffff, NX);
  IS(TOFP("fcvt.d.lu fa3, %2", -1ull), 0x43f0000000000000, NX);
  IS(TOFP("fcvt.d.lu fa3, %2, rdn", -1ull), 0x43efffffffffffff, NX);
  IS(TOFP("fcvt.s.w fa3, %2", 0x7fffffff), BOX(0x4f000000), NX);
  IS(TOFP("fcvt.s.wu fa3, %2, rtz", 0xffffffff), BOX(0x4f7fffff), NX);
  IS(TOFP("fcvt.s.l fa3, %2", -1ull), BOX(0xbf800000), 0);
  IS(TOFP("fcvt.s.lu fa3, %2", 0x8000008000000001), BOX(0x5f000001), NX); /* one rounding, not two */
  IS(TOFP("fcvt.s.l fa3, %2", 0), BOX(0), 0);
  IS(TOFP("fcvt.d.l fa3, %2, rdn", 0), 0, 0);

  /* Between the formats. */
  IS(FPFP("fcvt.s.d fa3, fa0", 0x3ff0000000000001), BOX(0x3f800000), NX);
  IS(FPFP("fcvt.s.d fa3, fa0, rup", 0x3ff0000000000001), BOX(0x3f800001), NX);
  IS(FPFP("fcvt.s.d fa3, fa0", 0x7fefffffffffffff), BOX(0x7f800000), OF | NX);
  IS(FPFP("fcvt.s.d fa3, fa0, rtz", 0x7fefffffffffffff), BOX(0x7f7fffff), OF | NX);
  IS(FPFP("fcvt.s.d fa3, fa0", 0x3690000000000000), BOX(0), UF | NX); /* 2^-150: tie to even */
  IS(FPFP("fcvt.s.d fa3, fa0, rup", 0x0000000000000001), BOX(1), UF | NX);
  IS(FPFP("fcvt.s.d fa3, fa0", 0x36a0000000000000), BOX(1), 0); /* 2^-149 */
  IS(FPFP("fcvt.s.d fa3, fa0", 0x7ff0000000000001), BOX(0x7fc00000), NV);
  IS(FPFP("fcvt.s.d fa3, fa0", QNAN | 0x123 | NEG), BOX(0x7fc00000), 0);
  IS(FPFP("fcvt.d.s fa3, fa0", BOX(1)), 0x36a0000000000000, 0);
  IS(FPFP("fcvt.d.s fa3, fa0", BOX(0x7f800001)), QNAN, NV);
  IS(FPFP("fcvt.d.s fa3, fa0", BOX(0xff800000)), INF | NEG, 0);
  IS(FPFP("fcvt.d.s fa3, fa0", BOX(0xffc12345)), QNAN, 0);
  IS(FPFP("fcvt.d.s fa3, fa0", 0x3f800000), QNAN, 0); /* not boxed */
}
