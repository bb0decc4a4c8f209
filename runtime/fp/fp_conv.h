/* The rest of software floating point: comparison, minimum and maximum, classification, and conversions
 * between formats and to and from integers. Included by fp.c only, like fp_core.h.
 */
#ifndef ISO_FP_CONV_H
#define ISO_FP_CONV_H

#include "fp_core.h"

/* Order of two bit patterns that are not NaN, flushed already. */
FP_INLINE enum fp_order fp_order(const struct fp_fmt *f, uint64_t a, uint64_t b) {
  if (a == b || fp_abs(f, a | b) == 0) return FP_EQ;
  if (fp_sign(f, a) != fp_sign(f, b)) return fp_sign(f, a) ? FP_LT : FP_GT;
  return (a < b) != fp_sign(f, a) ? FP_LT : FP_GT;
}

FP_INLINE enum fp_order fp_cmp(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b, bool quiet) {
  a = fp_flush(e, f, a);
  b = fp_flush(e, f, b);
  if (fp_nan_p(f, a) || fp_nan_p(f, b)) {
    if (!quiet || fp_snan_p(f, a) || fp_snan_p(f, b)) e->flags |= FP_NV;
    return FP_UN;
  }
  fp_note_sub(e, fp_sub_p(f, a) || fp_sub_p(f, b));
  return fp_order(f, a, b);
}

FP_INLINE uint64_t fp_minmax(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b, int mode,
                             bool zero_ordered, bool max) {
  a = fp_flush(e, f, a);
  b = fp_flush(e, f, b);
  bool na = fp_nan_p(f, a), nb = fp_nan_p(f, b);
  if (na || nb) {
    bool snan = fp_snan_p(f, a) || fp_snan_p(f, b);
    if ((na && nb) || mode == FP_MINMAX_PROPAGATE || (mode == FP_MINMAX_NUM2008 && snan))
      return fp_nan2(e, f, a, b);
    if (snan) e->flags |= FP_NV;
    return na ? b : a;
  }
  fp_note_sub(e, fp_sub_p(f, a) || fp_sub_p(f, b));
  enum fp_order o = fp_order(f, a, b);
  if (o == FP_EQ && zero_ordered) return max ? a & b : a | b; /* differ at most in the sign */
  return o == (max ? FP_GT : FP_LT) ? a : b;
}

FP_INLINE unsigned fp_classify(const struct fp_fmt *f, uint64_t a) {
  uint64_t mag = fp_abs(f, a);
  if (mag > fp_inf(f)) return a & fp_quiet_bit(f) ? FP_CLASS_QNAN : FP_CLASS_SNAN;
  int k = mag == fp_inf(f) ? 3 : mag > fp_frac_mask(f) ? 2 : mag ? 1 : 0;
  return 1u << (fp_sign(f, a) ? 3 - k : 4 + k);
}

/* Flushing does not concern half precision here; e's other rules apply. */
FP_INLINE uint64_t fp_convert(struct fp_env *e, const struct fp_fmt *from, const struct fp_fmt *to,
                              uint64_t a) {
  struct fp_env t = *e;
  if (from->width == 16) t.daz = FP_DAZ_KEEP;
  if (to->width == 16) t.ftz = FP_FTZ_KEEP;
  struct fp_num x = fp_unpack(&t, from, a);
  uint64_t r;
  if (x.kind == FP_KIND_NAN) {
    a = fp_nan2(&t, from, a, a);
    uint64_t frac = a & fp_frac_mask(from);
    int grow = to->prec - from->prec;
    r = fp_with_sign(to, fp_sign(from, a),
                     fp_inf(to) | (grow > 0 ? frac << (grow & 63) : frac >> (-grow & 63)));
  } else {
    fp_note_sub(&t, x.sub);
    r = fp_pack(&t, to, x);
  }
  e->flags = t.flags;
  return r;
}

/* The magnitude of x rounded to an integer; x is of kind NUM and below 2^64. */
FP_INLINE fp_wide fp_integer(const struct fp_env *e, struct fp_num x, bool *inexact) {
  int cut = x.exp < -1 ? 127 : 126 - x.exp;
  fp_wide sig = fp_shr_jam(x.sig, x.exp < -1 ? 1 : 0); /* any value below a half rounds the same */
  fp_wide one = (fp_wide)1 << cut, rem = sig & (one - 1);
  fp_wide m = sig >> cut;
  *inexact = rem != 0;
  return rem && fp_up(e, x.sign, m & 1, rem, one >> 1) ? m + 1 : m;
}

FP_INLINE uint64_t fp_to_int(struct fp_env *e, const struct fp_fmt *f, uint64_t a, int bits, bool is_signed,
                             int bad, int scale) {
  assert(bits >= 8 && bits <= 64);
  struct fp_num x = fp_unpack(e, f, a);
  if (x.kind == FP_KIND_NUM) x.exp += scale;
  uint64_t ones = ~UINT64_C(0) >> (64 - bits);
  uint64_t top = is_signed ? ones >> 1 : ones; /* largest integer */
  uint64_t low = is_signed ? top + 1 : 0;      /* magnitude of the least one, and its bit pattern */
  bool fits = x.kind <= FP_KIND_NUM, inexact = false;
  fp_wide m = 0;

  if (x.kind == FP_KIND_NUM) {
    fits = x.exp < 64;
    if (fits) m = fp_integer(e, x, &inexact);
    fits = fits && m <= (x.sign ? low : top);
  }
  if (fits) {
    if (inexact) e->flags |= FP_NX;
    return (x.sign ? -(uint64_t)m : (uint64_t)m) & ones;
  }
  e->flags |= FP_NV;
  if (bad == FP_BAD_INDEFINITE) return is_signed ? low : ones;
  if (x.kind == FP_KIND_NAN) return bad == FP_BAD_SATURATE_NANMAX ? top : 0;
  return x.sign ? low : top;
}

FP_INLINE uint64_t fp_from_int(struct fp_env *e, const struct fp_fmt *f, uint64_t v, int bits, bool is_signed,
                               int scale) {
  assert(bits >= 8 && bits <= 64);
  v <<= 64 - bits;
  bool sign = is_signed && v >> 63;
  uint64_t mag = (sign ? -v : v);
  if (!mag) return 0;
  int n = __builtin_clzll(mag);
  return fp_round(e, f, sign, bits - 1 - n - scale, (fp_wide)mag << (63 + n));
}

FP_INLINE uint64_t fp_round_to_int(struct fp_env *e, const struct fp_fmt *f, uint64_t a, bool exact) {
  struct fp_num x = fp_unpack(e, f, a);
  bool inexact;
  if (x.kind == FP_KIND_NAN) return fp_nan2(e, f, a, a);
  if (x.kind == FP_KIND_ZERO) return a & fp_sign_bit(f);
  if (x.kind == FP_KIND_INF || x.exp >= f->prec - 1) return a;
  fp_wide m = fp_integer(e, x, &inexact);
  if (inexact && exact) e->flags |= FP_NX;
  if (!m) return fp_with_sign(f, x.sign, 0);
  int n = fp_clz(m) - 1;
  return fp_round(e, f, x.sign, 126 - n, m << n);
}

#endif
