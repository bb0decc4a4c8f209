/* Software floating point: IEEE 754 binary16, binary32 and binary64 computed with integers only, every
 * rounding mode and flag exact. It knows no instruction set: what differs between them (NaN choice,
 * tininess, subnormal flushing, bad integer results) is data in struct fp_env or an argument.
 *
 * Values are bit patterns in a uint64_t, bits above the format's width zero on input and on output.
 * No function fails or touches anything but *e; a flag is only ever set, never cleared.
 */
#ifndef ISO_FP_H
#define ISO_FP_H

#include <stdbool.h>
#include <stdint.h>

/* Rounding directions (IEEE 754-2019 4.3). FP_ODD, von Neumann rounding, makes narrowing in two steps
 * exact: an inexact result is truncated and its last bit set; overflow gives the largest finite number. */
enum fp_rm { FP_RNE = 0, FP_RTZ = 1, FP_RDN = 2, FP_RUP = 3, FP_RMM = 4, FP_ODD = 5 };

/* Which NaN an operation delivers. "Default" is quiet with an otherwise zero payload. Conversions
 * between formats keep sign and leading payload bits wherever the rule passes operands on.
 *   CANONICAL     always the positive default (RISC-V F 11.3).
 *   DEFAULT       the same result, named for Arm FPCR.DN = 1.
 *   FIRST_SNAN_FIRST_QNAN  first signalling operand made quiet, else first quiet one, else the positive
 *                 default (Arm FPProcessNaNs). Fused multiply-add looks at c, a, b in this order
 *                 (FPProcessNaNs3), and 0 * inf + quiet NaN is invalid and gives the default.
 *   FIRST_OPERAND first operand made quiet if it is a NaN of either sort, else the second, else the
 *                 negative default (x86 SSE, Intel SDM vol. 1, 4.8.3.5). Fused multiply-add looks at
 *                 a, b, c, where a is the second and b the third source in "213" form; 0 * inf + quiet
 *                 NaN is not invalid and gives that NaN (14.5.1).
 * For CANONICAL and DEFAULT, 0 * inf + quiet NaN is invalid. */
enum fp_nan {
  FP_NAN_CANONICAL = 0,
  FP_NAN_FIRST_SNAN_FIRST_QNAN = 1,
  FP_NAN_FIRST_OPERAND = 2,
  FP_NAN_DEFAULT = 3
};

/* A result is tiny if it is below the smallest normal number after rounding with unbounded exponent,
 * or before rounding (IEEE 754-2019 7.5). FP_UF is raised when a result is tiny and inexact. */
enum fp_tiny { FP_TINY_AFTER = 0, FP_TINY_BEFORE = 1 };

/* Subnormal operands: kept, or read as zero of the same sign; FP_ID raised or not.
 * Arm FPCR.FZ is FLUSH_ID (each flushed operand raises it). x86 is FLUSH with MXCSR.DAZ and KEEP_ID
 * without: there FP_ID is not raised by conversions to integer and rounding to integral, nor when a NaN
 * operand, FP_NV or FP_DZ decides the result (SDM vol. 1, 4.9.2). A half precision source of a
 * conversion is always kept silently. */
enum fp_daz { FP_DAZ_KEEP = 0, FP_DAZ_FLUSH = 1, FP_DAZ_FLUSH_ID = 2, FP_DAZ_KEEP_ID = 3 };

/* Tiny results: kept, or made zero of the same sign. x86 MXCSR.FTZ raises FP_UF and FP_NX, Arm FPCR.FZ
 * only FP_UF. A half precision result of a conversion is never flushed. */
enum fp_ftz { FP_FTZ_KEEP = 0, FP_FTZ_FLUSH = 1, FP_FTZ_FLUSH_UF = 2 };

/* Flags. The low five are in RISC-V fflags order. */
enum fp_flag { FP_NX = 1, FP_UF = 2, FP_OF = 4, FP_DZ = 8, FP_NV = 16, FP_ID = 32 };

/* All zero is RISC-V with round to nearest even. */
struct fp_env {
  uint8_t rm;    /* enum fp_rm; anything else is a bug of the caller */
  uint8_t nan;   /* enum fp_nan */
  uint8_t tiny;  /* enum fp_tiny */
  uint8_t daz;   /* enum fp_daz */
  uint8_t ftz;   /* enum fp_ftz */
  uint8_t flags; /* enum fp_flag, accumulated with OR */
};

/* The flags at other bit positions: bit[i] is where flag 1 << i goes, 255: nowhere. */
static inline uint64_t fp_flags_at(unsigned flags, const uint8_t bit[6]) {
  uint64_t r = 0;
  for (; flags; flags &= flags - 1) {
    unsigned b = bit[__builtin_ctz(flags)];
    if (b < 64) r |= UINT64_C(1) << b;
  }
  return r;
}

/* NaN rule of min and max. NUMBER: a NaN loses against a number, signalling or not (IEEE 754-2019
 * minimumNumber, RISC-V fmin). NUM2008: a quiet NaN loses, a signalling one wins (IEEE 754-2008 minNum,
 * Arm FMINNM). PROPAGATE: any NaN wins (minimum, Arm FMIN). FP_NV is raised by signalling NaNs only. */
enum fp_minmax { FP_MINMAX_NUMBER = 0, FP_MINMAX_PROPAGATE = 1, FP_MINMAX_NUM2008 = 2 };

/* Result of a conversion to integer that does not fit; FP_NV alone is raised. SATURATE: nearest
 * representable integer, and for a NaN the largest (RISC-V) or zero (Arm). INDEFINITE (x86): most
 * negative if signed, all ones if unsigned. */
enum fp_bad { FP_BAD_SATURATE_NANMAX = 0, FP_BAD_SATURATE_NANZERO = 1, FP_BAD_INDEFINITE = 2 };

/* Order of two operands; UN if either is a NaN. */
enum fp_order { FP_LT = -1, FP_EQ = 0, FP_GT = 1, FP_UN = 2 };

/* Classes, one bit each, in the order of RISC-V fclass. */
enum fp_class {
  FP_CLASS_NEG_INF = 1 << 0,
  FP_CLASS_NEG_NORM = 1 << 1,
  FP_CLASS_NEG_SUB = 1 << 2,
  FP_CLASS_NEG_ZERO = 1 << 3,
  FP_CLASS_POS_ZERO = 1 << 4,
  FP_CLASS_POS_SUB = 1 << 5,
  FP_CLASS_POS_NORM = 1 << 6,
  FP_CLASS_POS_INF = 1 << 7,
  FP_CLASS_SNAN = 1 << 8,
  FP_CLASS_QNAN = 1 << 9,
};

/* For W in 16, 32, 64:
 *   fpW_add, sub, mul, div, sqrt   correctly rounded. sub does not change the sign of a NaN.
 *   fpW_fma(a, b, c)         a * b + c rounded once. Negated forms: flip sign bits of operands first.
 *   fpW_min, max             mode: enum fp_minmax. zero_ordered: -0 is below +0; otherwise, when both
 *                            are zero, b is the result.
 *   fpW_cmp                  quiet: only signalling NaNs raise FP_NV, otherwise every NaN does.
 *   fpW_eq, lt, le           fpW_cmp as a truth value, false if unordered.
 *   fpW_to_int               bits 8..64; rounded by e->rm, then range checked. The result is in the low
 *                            `bits` bits, two's complement if is_signed, zero above. bad: enum fp_bad.
 *   fpW_from_int             bits 8..64; bits of v above are ignored. Zero gives +0.
 *   fpW_to_fixed, from_fixed the same with an integer that counts units of 2^-scale, scale 0..64.
 *   fpW_round_to_int         to an integral value in the same format by e->rm, sign of zero kept; exact:
 *                            raise FP_NX if the value changed.
 *   fpW_class                enum fp_class, regardless of flushing. No flags.
 *   fpW_is_nan, is_snan      no flags. */
#define FP_DECLARE(W)                                                                                   \
  uint64_t fp##W##_add(struct fp_env *e, uint64_t a, uint64_t b);                                       \
  uint64_t fp##W##_sub(struct fp_env *e, uint64_t a, uint64_t b);                                       \
  uint64_t fp##W##_mul(struct fp_env *e, uint64_t a, uint64_t b);                                       \
  uint64_t fp##W##_div(struct fp_env *e, uint64_t a, uint64_t b);                                       \
  uint64_t fp##W##_sqrt(struct fp_env *e, uint64_t a);                                                  \
  uint64_t fp##W##_fma(struct fp_env *e, uint64_t a, uint64_t b, uint64_t c);                           \
  uint64_t fp##W##_min(struct fp_env *e, uint64_t a, uint64_t b, int mode, int zero_ordered);           \
  uint64_t fp##W##_max(struct fp_env *e, uint64_t a, uint64_t b, int mode, int zero_ordered);           \
  enum fp_order fp##W##_cmp(struct fp_env *e, uint64_t a, uint64_t b, int quiet);                       \
  uint64_t fp##W##_to_int(struct fp_env *e, uint64_t a, int bits, int is_signed, int bad);              \
  uint64_t fp##W##_from_int(struct fp_env *e, uint64_t v, int bits, int is_signed);                     \
  uint64_t fp##W##_to_fixed(struct fp_env *e, uint64_t a, int bits, int is_signed, int bad, int scale); \
  uint64_t fp##W##_from_fixed(struct fp_env *e, uint64_t v, int bits, int is_signed, int scale);        \
  uint64_t fp##W##_round_to_int(struct fp_env *e, uint64_t a, int exact);                               \
  unsigned fp##W##_class(uint64_t a);                                                                   \
  static inline bool fp##W##_is_nan(uint64_t a) {                                                       \
    return fp##W##_class(a) & (FP_CLASS_SNAN | FP_CLASS_QNAN);                                          \
  }                                                                                                     \
  static inline bool fp##W##_is_snan(uint64_t a) { return fp##W##_class(a) & FP_CLASS_SNAN; }           \
  static inline int fp##W##_eq(struct fp_env *e, uint64_t a, uint64_t b, int quiet) {                   \
    return fp##W##_cmp(e, a, b, quiet) == FP_EQ;                                                        \
  }                                                                                                     \
  static inline int fp##W##_lt(struct fp_env *e, uint64_t a, uint64_t b, int quiet) {                   \
    return fp##W##_cmp(e, a, b, quiet) == FP_LT;                                                        \
  }                                                                                                     \
  static inline int fp##W##_le(struct fp_env *e, uint64_t a, uint64_t b, int quiet) {                   \
    return fp##W##_cmp(e, a, b, quiet) <= FP_EQ;                                                        \
  }

FP_DECLARE(16)
FP_DECLARE(32)
FP_DECLARE(64)
#undef FP_DECLARE

/* Conversions between formats. Widening a number is exact; a signalling NaN raises FP_NV. */
uint64_t fp16_to_fp32(struct fp_env *e, uint64_t a);
uint64_t fp16_to_fp64(struct fp_env *e, uint64_t a);
uint64_t fp32_to_fp16(struct fp_env *e, uint64_t a);
uint64_t fp32_to_fp64(struct fp_env *e, uint64_t a);
uint64_t fp64_to_fp16(struct fp_env *e, uint64_t a);
uint64_t fp64_to_fp32(struct fp_env *e, uint64_t a);

/* The same by width: from and to are different ones of 16, 32, 64. */
uint64_t fp_cvt(struct fp_env *e, uint64_t a, int from, int to);

#endif
