/* Every floating-point instruction of riscv64 in every rounding mode over boundary values: a line per instruction and mode
 * with a sum of all results and flags. */
#include <stdio.h>

#include "float_values.h"

/* More of them for conversions; narrow ones are boxed, or are not. */
static const uint64_t wide[] = {
    WIDE,
    0x41efffffffe00000,
    0xc3e0000000000001,
    0x43efffffffffffff,
    0x36a0000000000000,
    0x47efffffe0000000,
    0x47effffff0000000,
    0x380fffffffffffff,
    0x3690000000000001,
};
static const uint64_t narrow[] = {
    0xffffffff00000000, 0xffffffff80000000, 0xffffffff00000001, 0xffffffff807fffff, 0xffffffff00800000,
    0xffffffff80800001, 0xffffffff3f800000, 0xffffffffbf7fffff, 0xffffffff3f000000, 0xffffffffbfc00000,
    0xffffffff40200000, 0xffffffff4effffff, 0xffffffffcf000001, 0xffffffff4f7fffff, 0xffffffff5f000000,
    0xffffffff5f7fffff, 0xffffffff7f7fffff, 0xffffffffff800000, 0xffffffff7f800000, 0xffffffff7fc00000,
    0xffffffffffc00123, 0xffffffff7f800001, 0xffffffffffa00000, 0x000000003f800000, 0x7ff0000000000000,
};
static const uint64_t whole[] = {0,
                                 1,
                                 0xffffffffffffffff,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x1000001,
                                 0x1000003,
                                 0x20000000000001,
                                 0x20000000000003,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 0xffffffffffffff7f,
                                 0xfffffffffffff400,
                                 0x8000000000000401,
                                 0xffffffff80000000};
/* In registers that translated code keeps between blocks, and in others. */
#define TAKE "fsflags zero\n\tfmv.d.x ft0, %2\n\tfmv.d.x fs5, %3\n\tfmv.d.x fa5, %4\n\t"
#define GIVE "\n\tfrflags %1"
static uint64_t room[6];
#define USES \
  : "=&r"(r), "=&r"(f) : "r"(a), "r"(b), "r"(c), "r"(room) : "ft0", "fs5", "fa5", "ft1", "t0", "memory"
typedef void op_fn(uint64_t a, uint64_t b, uint64_t c);
#define OP(name, text)                                   \
  static void name(uint64_t a, uint64_t b, uint64_t c) { \
    uint64_t r, f;                                       \
    __asm__ volatile(TAKE text GIVE USES);               \
    mix(r);                                              \
    mix(f);                                              \
  }
/* rne rtz rdn rup rmm and dynamic */
#define MODES(name, text, out)   \
  OP(name##_0, text ", rne" out) \
  OP(name##_1, text ", rtz" out) \
  OP(name##_2, text ", rdn" out) \
  OP(name##_3, text ", rup" out) \
  OP(name##_4, text ", rmm" out) \
  OP(name##_5, text out)         \
  static op_fn *const name[] = {name##_0, name##_1, name##_2, name##_3, name##_4, name##_5};
#define FLOAT               "\n\tfmv.x.d %0, ft1"
#define ARITH(op, fmt)      MODES(op##_##fmt, #op "." #fmt " ft1, ft0, fs5", FLOAT)
#define FUSED(op, fmt)      MODES(op##_##fmt, #op "." #fmt " ft1, ft0, fs5, fa5", FLOAT)
#define TO_INT(to, fmt)     MODES(to##_from_##fmt, "fcvt." #to "." #fmt " %0, ft0", "")
#define FROM_INT(from, fmt) MODES(fmt##_from_##from, "fcvt." #fmt "." #from " ft1, %2", FLOAT)
#define PLAIN(op, fmt)      OP(op##_##fmt, #op "." #fmt " ft1, ft0, fs5" FLOAT)
#define COMPARE(op, fmt)    OP(op##_##fmt, #op "." #fmt " %0, ft0, fs5")
#define BOTH(F)             F(s) F(d)

/* clang-format off */ /* it has two opinions on these lines, in turn */
#define ALL(fmt)                                                                                      \
  ARITH(fadd, fmt)                                                                                    \
  ARITH(fsub, fmt)                                                                                    \
  ARITH(fmul, fmt)                                                                                    \
  ARITH(fdiv, fmt)                                                                                    \
  FUSED(fmadd, fmt)                                                                                   \
  FUSED(fmsub, fmt)                                                                                   \
  FUSED(fnmadd, fmt) FUSED(fnmsub, fmt) TO_INT(w, fmt) TO_INT(wu, fmt) TO_INT(l, fmt) TO_INT(lu, fmt) \
      FROM_INT(l, fmt) FROM_INT(lu, fmt) PLAIN(fmin, fmt) PLAIN(fmax, fmt) PLAIN(fsgnj, fmt)          \
          PLAIN(fsgnjn, fmt) PLAIN(fsgnjx, fmt) COMPARE(feq, fmt) COMPARE(flt, fmt) COMPARE(fle, fmt) \
              MODES(fsqrt_##fmt, "fsqrt." #fmt " ft1, ft0", FLOAT)                                    \
                  OP(fclass_##fmt, "fclass." #fmt " %0, ft0")
BOTH(ALL)
FROM_INT(w, s)
FROM_INT(wu, s)
/* exact */
OP(d_from_w, "fcvt.d.w ft1, %2" FLOAT)
OP(d_from_wu, "fcvt.d.wu ft1, %2" FLOAT)
OP(d_from_s, "fcvt.d.s ft1, ft0" FLOAT)
MODES(s_from_d, "fcvt.s.d ft1, ft0", FLOAT)
/* Results of one operation that are operands of the next. */
#define CHAIN(fmt)                                                                                    \
  OP(chain_##fmt, "fmul." #fmt " ft1, ft0, fs5\n\tfadd." #fmt " fs5, ft1, fa5\n\tfmv.x.d %0, ft1\n\t" \
                  "fmv.x.d t0, fs5\n\tfsub." #fmt " ft1, fs5, ft0\n\tfdiv." #fmt " ft1, fs5, ft1\n\t" \
                  "slli %0, %0, 1\n\tadd %0, %0, t0\n\tfmv.x.d t0, ft1\n\tadd %0, %0, t0")
BOTH(CHAIN)
/* Comparisons whose flags are put back, as C's isless does it; before them a division by zero may raise one. */
#define BACK(op, fmt)                                                                                  \
  OP(back_##op##_##fmt, "fdiv." #fmt " ft1, ft0, fs5\n\tfrflags t0\n\t" #op "." #fmt " %0, fs5, fa5\n\t" \
                        "fsflags t0\n\tbnez %0, 1f\n\tfmul." #fmt " ft1, ft1, ft1\n1:\tslli t0, t0, 8\n\tadd %0, %0, t0")
#define PUT_BACK(fmt) BACK(flt, fmt) BACK(fle, fmt) BACK(feq, fmt)
BOTH(PUT_BACK)
/* What is no arithmetic keeps payloads of NaNs, results of arithmetic have none: in memory, in registers, at the end of a
 * loop, whose sum is a NaN from some round on. */
#define LOOP(fmt, ld, st, size)                                                                              \
  OP(loop_##fmt, st " ft0, 0(%5)\n\t" st " fs5, " #size "(%5)\n\t" st " fa5, 2*" #size "(%5)\n\tmv t0, %5\n\tli %0, 3\n\t" \
                 "fmv.d ft1, fa5\n1:\t" ld " ft0, 0(t0)\n\tfsgnjx." #fmt " fs5, ft0, fa5\n\t"                \
                 "fmul." #fmt " ft0, ft0, fa5\n\tfadd." #fmt " ft1, ft1, ft0\n\t" st " fs5, 0(t0)\n\t"         \
                 st " ft0, 3*" #size "(t0)\n\t" "addi t0, t0, " #size "\n\taddi %0, %0, -1\n\tbnez %0, 1b\n\t" \
                 "fmv.x.d %0, ft1\n\tfmv.x.d t0, ft0\n\tadd %0, %0, t0\n\tfmv.x.d t0, fs5\n\tslli t0, t0, 1\n\tadd %0, %0, t0")
LOOP(s, "flw", "fsw", 4)
LOOP(d, "fld", "fsd", 8)
/* clang-format on */

static void run(const char *name, int mode, op_fn *op, const uint64_t *v, int n, int operands) {
  sum = 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < (operands > 1 ? n : 1); k++) {
      op(v[i], v[k], v[(i * 7 + k * 3) % n]);
      for (int w = 0; w < N(room); w++) mix(room[w]), room[w] = 0;
    }
  printf("%s %d %016llx\n", name, mode, (unsigned long long)sum);
}

static void modes(const char *name, op_fn *const op[6], const uint64_t *v, int n, int operands) {
  for (int m = 0; m < 5; m++) run(name, m, op[m], v, n, operands);
  for (int m = 0; m < 5; m++) {
    __asm__ volatile("fsrm %0" ::"r"((long)m));
    run(name, 10 + m, op[5], v, n, operands);
  }
  __asm__ volatile("fsrm zero");
}

#define M(op, v, n) modes(#op, op, v, N(v), n);
#define P(op, v, n) run(#op, 0, op, v, N(v), n);
/* clang-format off */
#define EACH(fmt, v)                                                                                  \
  M(fadd_##fmt, v, 2)                                                                                 \
  M(fsub_##fmt, v, 2)                                                                                 \
  M(fmul_##fmt, v, 2)                                                                                 \
  M(fdiv_##fmt, v, 2)                                                                                 \
  M(fmadd_##fmt, v, 2)                                                                                \
  M(fmsub_##fmt, v, 2)                                                                                \
  M(fnmadd_##fmt, v, 2)                                                                               \
  M(fnmsub_##fmt, v, 2)                                                                               \
  M(fsqrt_##fmt, v, 1) M(w_from_##fmt, v, 1) M(wu_from_##fmt, v, 1) M(l_from_##fmt, v, 1)             \
      M(lu_from_##fmt, v, 1) M(fmt##_from_l, whole, 1) M(fmt##_from_lu, whole, 1) P(fmin_##fmt, v, 2) \
          P(fmax_##fmt, v, 2) P(fsgnj_##fmt, v, 2) P(fsgnjn_##fmt, v, 2) P(fsgnjx_##fmt, v, 2)        \
              P(feq_##fmt, v, 2) P(flt_##fmt, v, 2) P(fle_##fmt, v, 2) P(fclass_##fmt, v, 1)
/* clang-format on */

int main(void) {
  EACH(s, narrow)
  EACH(d, wide)
  M(s_from_w, whole, 1)
  M(s_from_wu, whole, 1)
  P(d_from_w, whole, 1)
  P(d_from_wu, whole, 1)
  P(d_from_s, narrow, 1)
  P(chain_s, narrow, 2)
  P(chain_d, wide, 2)
  P(back_flt_s, narrow, 2)
  P(back_fle_s, narrow, 2)
  P(back_feq_s, narrow, 2)
  P(back_flt_d, wide, 2)
  P(back_fle_d, wide, 2)
  P(back_feq_d, wide, 2)
  P(loop_s, narrow, 2)
  P(loop_d, wide, 2)
  M(s_from_d, wide, 1)
  /* Flags stay until they are cleared, through calls and system calls. */
  double x = 1, y = 3, z;
  __asm__ volatile("fsflags zero\n\tfdiv.d %0, %1, %2" : "=f"(z) : "f"(x), "f"(y));
  printf("%a\n", z);
  unsigned long f, g;
  __asm__ volatile("frflags %0\n\tfdiv.d %2, %3, %4\n\tfrflags %1"
                   : "=&r"(f), "=r"(g), "=&f"(z)
                   : "f"(x), "f"(0.0));
  printf("%lx %lx %a\n", f & 1, g & 9, z);
  return 0;
}
