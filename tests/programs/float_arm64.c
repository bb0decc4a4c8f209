/* Scalar floating point of arm64 over boundary values, also with default NaNs, flushing and rounding upward: a line per instruction
 * and mode with a sum of all results, flags and upper halves of registers. */
#include <stdio.h>

#include "float_values.h"

static const uint64_t wide[] = {WIDE}, narrow[] = {NARROW};

/* Registers that translated code keeps between blocks, and others; their upper halves are not zero before. */
typedef void op_fn(uint64_t a, uint64_t b, uint64_t c);
#define OP(name, text)                                                                                   \
  static void name(uint64_t a, uint64_t b, uint64_t c) {                                                 \
    uint64_t r, f, high;                                                                                 \
    __asm__ volatile(                                                                                    \
        "movi v1.16b, #255\n\tmovi v8.16b, #255\n\tdup v0.2d, %3\n\tdup v20.2d, %4\n\tdup v5.2d, %5\n\t" \
        "msr fpsr, xzr\n\t" text "\n\tmrs %1, fpsr\n\tumov %0, v1.d[0]\n\tumov %2, v1.d[1]"              \
        : "=&r"(r), "=&r"(f), "=&r"(high)                                                                \
        : "r"(a), "r"(b), "r"(c)                                                                         \
        : "v0", "v1", "v5", "v8", "v20", "x9", "x10", "cc", "memory");                                   \
    mix(r);                                                                                              \
    mix(f);                                                                                              \
    mix(high);                                                                                           \
  }
/* clang-format off */ /* it has two opinions on these lines, in turn */
#define TWO(op, w)   OP(op##_##w, #op " " #w "1, " #w "0, " #w "20")
#define ONE(op, w)   OP(op##_##w, #op " " #w "1, " #w "0")
#define THREE(op, w) OP(op##_##w, #op " " #w "1, " #w "0, " #w "20, " #w "5")
/* A loop whose sum goes from round to round in a register, with branches on what it is. */
#define LOOP(w)                                                                                        \
  OP(loop_##w,                                                                                         \
     "mov x9, #3\n\tfmov d1, xzr\n1:\tfmul " #w "8, " #w "0, " #w "20\n\tfadd " #w "1, " #w "1, " #w   \
     "8\n\tfcmp " #w "1, " #w "5\n\tb.gt 2f\n\tfneg " #w "0, " #w "0\n2:\tfmsub " #w "1, " #w "8, " #w \
     "5, " #w                                                                                          \
     "1\n\tsubs x9, x9, #1\n\tb.ne 1b\n\tumov x10, v8.d[1]\n\tfmov d8, x10\n\tumov x10, v0.d[1]\n\t"   \
     "ins v1.d[1], x10")
#define ALL(w)                                                                                    \
  TWO(fadd, w)                                                                                    \
  TWO(fsub, w)                                                                                    \
  TWO(fmul, w)                                                                                    \
  TWO(fdiv, w)                                                                                    \
  TWO(fnmul, w)                                                                                   \
  TWO(fmin, w) TWO(fmax, w) TWO(fminnm, w) TWO(fmaxnm, w) ONE(fsqrt, w) ONE(fabs, w) ONE(fneg, w) \
      ONE(frintx, w) THREE(fmadd, w) THREE(fmsub, w) THREE(fnmadd, w) THREE(fnmsub, w) LOOP(w)
ALL(s)
ALL(d)
/* clang-format on */

static void run(const char *name, op_fn *op, const uint64_t *v, int n) {
  static const uint64_t modes[] = {0, 1u << 25, 1u << 24, 1u << 22};
  for (int m = 0; m < N(modes); m++) {
    sum = 0;
    __asm__ volatile("msr fpcr, %0" ::"r"(modes[m]));
    for (int i = 0; i < n; i++)
      for (int k = 0; k < n; k++) op(v[i], v[k], v[(i * 7 + k * 3) % n]);
    __asm__ volatile("msr fpcr, xzr");
    printf("%s %d %016llx\n", name, m, (unsigned long long)sum);
  }
}

#define R(op, w, v) run(#op "_" #w, op##_##w, v, N(v));
/* clang-format off */
#define EACH(w, v)                                                                                       \
  R(fadd, w, v)                                                                                          \
  R(fsub, w, v)                                                                                          \
  R(fmul, w, v)                                                                                          \
  R(fdiv, w, v)                                                                                          \
  R(fnmul, w, v)                                                                                         \
  R(fmin, w, v) R(fmax, w, v) R(fminnm, w, v) R(fmaxnm, w, v) R(fsqrt, w, v) R(fabs, w, v) R(fneg, w, v) \
      R(frintx, w, v) R(fmadd, w, v) R(fmsub, w, v) R(fnmadd, w, v) R(fnmsub, w, v) R(loop, w, v)
/* clang-format on */

int main(void) {
  EACH(s, narrow)
  EACH(d, wide)
  return 0;
}
