/* Instantiates software floating point (fp_core.h, fp_conv.h) for each format; no arithmetic of its own.
 */
#include "fp.h"

#include <assert.h>

#include "fp_conv.h"

#define FP_FORMAT(W, P, BIAS)                                                                                \
  static const struct fp_fmt fmt##W = {.width = W, .prec = P, .bias = BIAS};                                 \
  _Static_assert((P) <= 61, "multiplication and division need a wider core beyond 61 bits");                 \
  _Static_assert(1 << ((W) - (P)) == 2 * ((BIAS) + 1), "the width follows from precision and bias");         \
  uint64_t fp##W##_add(struct fp_env *e, uint64_t a, uint64_t b) { return fp_add(e, &fmt##W, a, b, false); } \
  uint64_t fp##W##_sub(struct fp_env *e, uint64_t a, uint64_t b) { return fp_add(e, &fmt##W, a, b, true); }  \
  uint64_t fp##W##_mul(struct fp_env *e, uint64_t a, uint64_t b) { return fp_mul(e, &fmt##W, a, b); }        \
  uint64_t fp##W##_div(struct fp_env *e, uint64_t a, uint64_t b) { return fp_div(e, &fmt##W, a, b); }        \
  uint64_t fp##W##_sqrt(struct fp_env *e, uint64_t a) { return fp_sqrt(e, &fmt##W, a); }                     \
  uint64_t fp##W##_fma(struct fp_env *e, uint64_t a, uint64_t b, uint64_t c) {                               \
    return fp_fma(e, &fmt##W, a, b, c);                                                                      \
  }                                                                                                          \
  uint64_t fp##W##_min(struct fp_env *e, uint64_t a, uint64_t b, int mode, int zero_ordered) {               \
    return fp_minmax(e, &fmt##W, a, b, mode, zero_ordered, false);                                           \
  }                                                                                                          \
  uint64_t fp##W##_max(struct fp_env *e, uint64_t a, uint64_t b, int mode, int zero_ordered) {               \
    return fp_minmax(e, &fmt##W, a, b, mode, zero_ordered, true);                                            \
  }                                                                                                          \
  enum fp_order fp##W##_cmp(struct fp_env *e, uint64_t a, uint64_t b, int quiet) {                           \
    return fp_cmp(e, &fmt##W, a, b, quiet);                                                                  \
  }                                                                                                          \
  uint64_t fp##W##_to_int(struct fp_env *e, uint64_t a, int bits, int is_signed, int bad) {                  \
    return fp_to_int(e, &fmt##W, a, bits, is_signed, bad, 0);                                                \
  }                                                                                                          \
  uint64_t fp##W##_from_int(struct fp_env *e, uint64_t v, int bits, int is_signed) {                         \
    return fp_from_int(e, &fmt##W, v, bits, is_signed, 0);                                                   \
  }                                                                                                          \
  uint64_t fp##W##_to_fixed(struct fp_env *e, uint64_t a, int bits, int is_signed, int bad, int scale) {     \
    return fp_to_int(e, &fmt##W, a, bits, is_signed, bad, scale);                                            \
  }                                                                                                          \
  uint64_t fp##W##_from_fixed(struct fp_env *e, uint64_t v, int bits, int is_signed, int scale) {            \
    return fp_from_int(e, &fmt##W, v, bits, is_signed, scale);                                               \
  }                                                                                                          \
  uint64_t fp##W##_round_to_int(struct fp_env *e, uint64_t a, int exact) {                                   \
    return fp_round_to_int(e, &fmt##W, a, exact);                                                            \
  }                                                                                                          \
  unsigned fp##W##_class(uint64_t a) { return fp_classify(&fmt##W, a); }

FP_FORMAT(16, 11, 15)
FP_FORMAT(32, 24, 127)
FP_FORMAT(64, 53, 1023)

#define FP_CONVERT(FROM, TO)                                    \
  uint64_t fp##FROM##_to_fp##TO(struct fp_env *e, uint64_t a) { \
    return fp_convert(e, &fmt##FROM, &fmt##TO, a);              \
  }

FP_CONVERT(16, 32)
FP_CONVERT(16, 64)
FP_CONVERT(32, 16)
FP_CONVERT(32, 64)
FP_CONVERT(64, 16)
FP_CONVERT(64, 32)

#define FP_PAIR(FROM, TO) ((FROM) << 8 | (TO))

uint64_t fp_cvt(struct fp_env *e, uint64_t a, int from, int to) {
  switch (FP_PAIR(from, to)) {
  case FP_PAIR(16, 32): return fp16_to_fp32(e, a);
  case FP_PAIR(16, 64): return fp16_to_fp64(e, a);
  case FP_PAIR(32, 16): return fp32_to_fp16(e, a);
  case FP_PAIR(32, 64): return fp32_to_fp64(e, a);
  case FP_PAIR(64, 16): return fp64_to_fp16(e, a);
  case FP_PAIR(64, 32): return fp64_to_fp32(e, a);
  default: assert(!"fp_cvt: no conversion between these widths"); return a;
  }
}
