/* The generic core of software floating point: a number is unpacked to sign, exponent and a 127-bit
 * significand, computed on, and rounded into a format. Included by fp.c only, which instantiates it per
 * format; everything is inlined with a constant format, so that tests on it cost nothing at run time.
 *
 * A format is a descriptor. Rounding, addition and conversions serve precisions up to 113 bits;
 * multiplication, division, square root and fused multiply-add assume at most 61 (fp.c checks this):
 * products must be exact in 126 bits and quotients have 62.
 */
#ifndef ISO_FP_CORE_H
#define ISO_FP_CORE_H

#include <assert.h>

#include "fp.h"

#define FP_INLINE    static inline __attribute__((always_inline))
#define fp_likely(x) __builtin_expect(!!(x), 1)

typedef unsigned __int128 fp_wide;

/* width = 1 sign bit + exponent bits + prec - 1 fraction bits. */
struct fp_fmt {
  int width, prec, bias;
};

enum fp_kind { FP_KIND_ZERO, FP_KIND_NUM, FP_KIND_INF, FP_KIND_NAN };

/* If kind is NUM the magnitude is sig / 2^126 * 2^exp and sig is in [2^126, 2^127). */
struct fp_num {
  fp_wide sig;
  int exp;
  uint8_t kind;
  uint8_t sign;
  uint8_t sub; /* was a subnormal that was kept */
};

FP_INLINE uint64_t fp_bit(int n) { return UINT64_C(1) << n; }
FP_INLINE uint64_t fp_sign_bit(const struct fp_fmt *f) { return fp_bit(f->width - 1); }
FP_INLINE uint64_t fp_frac_mask(const struct fp_fmt *f) { return fp_bit(f->prec - 1) - 1; }
FP_INLINE uint64_t fp_quiet_bit(const struct fp_fmt *f) { return fp_bit(f->prec - 2); }
FP_INLINE int fp_exp_max(const struct fp_fmt *f) { return 2 * f->bias + 1; }
FP_INLINE uint64_t fp_inf(const struct fp_fmt *f) { return (uint64_t)fp_exp_max(f) << (f->prec - 1); }
FP_INLINE uint64_t fp_abs(const struct fp_fmt *f, uint64_t a) { return a & ~fp_sign_bit(f); }
FP_INLINE bool fp_sign(const struct fp_fmt *f, uint64_t a) { return a >> (f->width - 1) & 1; }
FP_INLINE bool fp_nan_p(const struct fp_fmt *f, uint64_t a) { return fp_abs(f, a) > fp_inf(f); }
FP_INLINE bool fp_snan_p(const struct fp_fmt *f, uint64_t a) {
  return fp_nan_p(f, a) && !(a & fp_quiet_bit(f));
}
FP_INLINE bool fp_sub_p(const struct fp_fmt *f, uint64_t a) { return fp_abs(f, a) - 1 < fp_frac_mask(f); }
FP_INLINE uint64_t fp_with_sign(const struct fp_fmt *f, bool sign, uint64_t mag) {
  return (uint64_t)sign << (f->width - 1) | mag;
}

FP_INLINE int fp_clz(fp_wide x) {
  uint64_t hi = x >> 64;
  return hi ? __builtin_clzll(hi) : 64 + __builtin_clzll((uint64_t)x);
}

/* Shift right by n >= 0; bits shifted out stay visible as a set last bit. */
FP_INLINE fp_wide fp_shr_jam(fp_wide x, int n) {
  if (n == 0) return x;
  return n < 128 ? x >> n | (x << (128 - n) != 0) : x != 0;
}

/* NaNs. Arguments are operands as given: at least one is a NaN where the function says nothing else. */

FP_INLINE uint64_t fp_default_nan(const struct fp_env *e, const struct fp_fmt *f) {
  return fp_with_sign(f, e->nan == FP_NAN_FIRST_OPERAND, fp_inf(f) | fp_quiet_bit(f));
}

FP_INLINE uint64_t fp_invalid(struct fp_env *e, const struct fp_fmt *f) {
  e->flags |= FP_NV;
  return fp_default_nan(e, f);
}

static uint64_t fp_nan2(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b) {
  bool sa = fp_snan_p(f, a), sb = fp_snan_p(f, b);
  if (sa || sb) e->flags |= FP_NV;
  if (e->nan == FP_NAN_CANONICAL || e->nan == FP_NAN_DEFAULT) return fp_default_nan(e, f);
  bool second = !fp_nan_p(f, a) || (e->nan == FP_NAN_FIRST_SNAN_FIRST_QNAN && sb && !sa);
  return (second ? b : a) | fp_quiet_bit(f);
}

static uint64_t fp_nan3(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b, uint64_t c) {
  bool sa = fp_snan_p(f, a), sb = fp_snan_p(f, b), sc = fp_snan_p(f, c);
  uint64_t ma = fp_abs(f, a), mb = fp_abs(f, b);
  bool inf_zero = (ma == fp_inf(f) && mb == 0) || (ma == 0 && mb == fp_inf(f));

  if (sa || sb || sc) e->flags |= FP_NV;
  switch (e->nan) {
  case FP_NAN_FIRST_OPERAND: return (fp_nan_p(f, a) ? a : fp_nan_p(f, b) ? b : c) | fp_quiet_bit(f);
  case FP_NAN_FIRST_SNAN_FIRST_QNAN:
    if (sa || sb || sc) return (sc ? c : sa ? a : b) | fp_quiet_bit(f);
    if (inf_zero) return fp_invalid(e, f);
    return fp_nan_p(f, c) ? c : fp_nan_p(f, a) ? a : b;
  default: return inf_zero ? fp_invalid(e, f) : fp_default_nan(e, f);
  }
}

/* Operands. */

/* For what needs no unpacking: a, or zero if it is a subnormal to be flushed. */
FP_INLINE uint64_t fp_flush(struct fp_env *e, const struct fp_fmt *f, uint64_t a) {
  if (fp_likely(e->daz == FP_DAZ_KEEP || e->daz == FP_DAZ_KEEP_ID) || !fp_sub_p(f, a)) return a;
  if (e->daz == FP_DAZ_FLUSH_ID) e->flags |= FP_ID;
  return a & fp_sign_bit(f);
}

FP_INLINE struct fp_num fp_unpack(struct fp_env *e, const struct fp_fmt *f, uint64_t a) {
  struct fp_num x = {.sign = fp_sign(f, a)};
  int exp = (int)(fp_abs(f, a) >> (f->prec - 1));
  uint64_t frac = a & fp_frac_mask(f);

  if (fp_likely((unsigned)exp - 1 < (unsigned)fp_exp_max(f) - 1)) {
    x.kind = FP_KIND_NUM;
    x.sig = (fp_wide)(frac | fp_bit(f->prec - 1)) << (127 - f->prec);
    x.exp = exp - f->bias;
  } else if (exp) {
    x.kind = frac ? FP_KIND_NAN : FP_KIND_INF;
  } else if (frac && fp_flush(e, f, a) == a) {
    int n = __builtin_clzll(frac);
    x.kind = FP_KIND_NUM;
    x.sub = 1;
    x.sig = (fp_wide)frac << (63 + n);
    x.exp = 64 - n - f->prec + 1 - f->bias;
  }
  return x;
}

/* Call once no NaN, FP_NV or FP_DZ has decided the result. */
FP_INLINE void fp_note_sub(struct fp_env *e, bool sub) {
  if (sub && e->daz == FP_DAZ_KEEP_ID) e->flags |= FP_ID;
}

/* Rounding. */

/* Whether an inexact magnitude goes up: rem of 2 * half is left over, odd is the last bit kept. */
FP_INLINE bool fp_up(const struct fp_env *e, bool sign, bool odd, fp_wide rem, fp_wide half) {
  if (fp_likely(e->rm == FP_RNE)) return rem > half || (rem == half && odd);
  assert(e->rm <= FP_ODD);
  switch (e->rm) {
  case FP_RDN: return sign;
  case FP_RUP: return !sign;
  case FP_RMM: return rem >= half;
  case FP_ODD: return !odd;
  default: return false;
  }
}

static __attribute__((noinline)) uint64_t fp_overflow(struct fp_env *e, const struct fp_fmt *f, bool sign) {
  bool to_inf = e->rm == FP_RNE || e->rm == FP_RMM || e->rm == (sign ? FP_RDN : FP_RUP);
  e->flags |= FP_OF | FP_NX;
  return fp_with_sign(f, sign, to_inf ? fp_inf(f) : fp_inf(f) - 1);
}

/* sig as in struct fp_num, 2^exp below the normal range: exp + bias <= 0. */
static __attribute__((noinline)) uint64_t fp_underflow(struct fp_env *e, const struct fp_fmt *f, bool sign,
                                                       int exp, fp_wide sig) {
  int cut = 127 - f->prec;
  fp_wide one = (fp_wide)1 << cut, half = one >> 1, rem = sig & (one - 1);
  bool tiny = true;

  if (e->tiny == FP_TINY_AFTER && exp + f->bias == 0 && rem) {
    fp_wide kept = (sig >> cut) + fp_up(e, sign, sig >> cut & 1, rem, half);
    tiny = !(kept >> f->prec);
  }
  if (tiny && e->ftz != FP_FTZ_KEEP) {
    e->flags |= e->ftz == FP_FTZ_FLUSH ? FP_UF | FP_NX : FP_UF;
    return fp_with_sign(f, sign, 0);
  }
  sig = fp_shr_jam(sig, 1 - (exp + f->bias));
  rem = sig & (one - 1);
  uint64_t mag = (uint64_t)(sig >> cut);
  if (rem) {
    e->flags |= tiny ? FP_UF | FP_NX : FP_NX;
    mag += fp_up(e, sign, mag & 1, rem, half); /* may become the smallest normal number */
  }
  return fp_with_sign(f, sign, mag);
}

/* Round a nonzero number, sig as in struct fp_num with its last bit sticky, into the format. */
FP_INLINE uint64_t fp_round(struct fp_env *e, const struct fp_fmt *f, bool sign, int exp, fp_wide sig) {
  int cut = 127 - f->prec, biased = exp + f->bias;
  fp_wide one = (fp_wide)1 << cut, rem = sig & (one - 1);

  if (!fp_likely((unsigned)biased - 1 < (unsigned)fp_exp_max(f) - 1))
    return biased > 0 ? fp_overflow(e, f, sign) : fp_underflow(e, f, sign, exp, sig);
  /* The leading bit of sig adds one to the exponent field, as does a carry out of the fraction. */
  uint64_t mag = ((uint64_t)(biased - 1) << (f->prec - 1)) + (uint64_t)(sig >> cut);
  if (rem) {
    e->flags |= FP_NX;
    mag += fp_up(e, sign, mag & 1, rem, one >> 1);
    if (mag == fp_inf(f)) e->flags |= FP_OF;
  }
  return fp_with_sign(f, sign, mag);
}

FP_INLINE uint64_t fp_pack(struct fp_env *e, const struct fp_fmt *f, struct fp_num x) {
  if (x.kind == FP_KIND_NUM) return fp_round(e, f, x.sign, x.exp, x.sig);
  return fp_with_sign(f, x.sign, x.kind == FP_KIND_INF ? fp_inf(f) : 0);
}

/* Arithmetic on numbers that are not NaN. */

/* Both of kind NUM. Aligned bits lost are sticky; this stays exact enough because digits can cancel
 * only if the exponents differ by at most one, and then a factor of an exact product loses none. */
FP_INLINE uint64_t fp_add_nums(struct fp_env *e, const struct fp_fmt *f, struct fp_num x, struct fp_num y) {
  if (x.exp < y.exp || (x.exp == y.exp && x.sig < y.sig)) {
    struct fp_num t = x;
    x = y;
    y = t;
  }
  y.sig = fp_shr_jam(y.sig, x.exp - y.exp);
  if (x.sign == y.sign) {
    x.sig += y.sig;
    if (x.sig >> 127) {
      x.sig = fp_shr_jam(x.sig, 1);
      x.exp++;
    }
  } else {
    x.sig -= y.sig;
    if (!x.sig) return fp_with_sign(f, e->rm == FP_RDN, 0);
    int n = fp_clz(x.sig) - 1;
    x.sig <<= n;
    x.exp -= n;
  }
  return fp_round(e, f, x.sign, x.exp, x.sig);
}

FP_INLINE uint64_t fp_add_any(struct fp_env *e, const struct fp_fmt *f, struct fp_num x, struct fp_num y) {
  if (fp_likely(x.kind == FP_KIND_NUM && y.kind == FP_KIND_NUM)) return fp_add_nums(e, f, x, y);
  if (x.kind == FP_KIND_INF && y.kind == FP_KIND_INF && x.sign != y.sign) return fp_invalid(e, f);
  if (x.kind == FP_KIND_ZERO && y.kind == FP_KIND_ZERO && x.sign != y.sign)
    return fp_with_sign(f, e->rm == FP_RDN, 0);
  return fp_pack(e, f, x.kind == FP_KIND_INF || y.kind == FP_KIND_ZERO ? x : y);
}

/* Both of kind NUM, of at most 61 significant bits: exact. */
FP_INLINE struct fp_num fp_mul_nums(struct fp_num x, struct fp_num y) {
  struct fp_num r = {.kind = FP_KIND_NUM, .sign = x.sign ^ y.sign, .exp = x.exp + y.exp};
  r.sig = (fp_wide)(uint64_t)(x.sig >> 63) * (uint64_t)(y.sig >> 63);
  if (r.sig >> 127) {
    r.sig >>= 1;
    r.exp++;
  }
  return r;
}

/* Operations. */

FP_INLINE uint64_t fp_add(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b, bool negate) {
  struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
  if (x.kind == FP_KIND_NAN || y.kind == FP_KIND_NAN) return fp_nan2(e, f, a, b);
  fp_note_sub(e, x.sub | y.sub);
  y.sign ^= negate;
  return fp_add_any(e, f, x, y);
}

FP_INLINE uint64_t fp_mul(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b) {
  struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
  if (x.kind == FP_KIND_NAN || y.kind == FP_KIND_NAN) return fp_nan2(e, f, a, b);
  fp_note_sub(e, x.sub | y.sub);
  if (fp_likely(x.kind == FP_KIND_NUM && y.kind == FP_KIND_NUM)) return fp_pack(e, f, fp_mul_nums(x, y));
  bool inf = x.kind == FP_KIND_INF || y.kind == FP_KIND_INF;
  if (inf && (x.kind == FP_KIND_ZERO || y.kind == FP_KIND_ZERO)) return fp_invalid(e, f);
  return fp_with_sign(f, x.sign ^ y.sign, inf ? fp_inf(f) : 0);
}

FP_INLINE uint64_t fp_div(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b) {
  struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b);
  if (x.kind == FP_KIND_NAN || y.kind == FP_KIND_NAN) return fp_nan2(e, f, a, b);
  bool sign = x.sign ^ y.sign;
  if (fp_likely(x.kind == FP_KIND_NUM && y.kind == FP_KIND_NUM)) {
    fp_note_sub(e, x.sub | y.sub);
    uint64_t d = (uint64_t)(y.sig >> 63);
    fp_wide n = x.sig >> 1; /* n / d is the quotient times 2^62 */
    fp_wide q = n / d;
    fp_wide sig = q << 64 | (q * d != n);
    int up = fp_clz(sig) - 1;
    return fp_round(e, f, sign, x.exp - y.exp - up, sig << up);
  }
  if (x.kind == y.kind) return fp_invalid(e, f);
  if (y.kind == FP_KIND_ZERO && x.kind == FP_KIND_NUM) e->flags |= FP_DZ;
  else fp_note_sub(e, x.sub | y.sub);
  bool inf = x.kind == FP_KIND_INF || y.kind == FP_KIND_ZERO;
  return fp_with_sign(f, sign, inf ? fp_inf(f) : 0);
}

/* floor(sqrt(n)) for n >= 2^126. Each step doubles the number of right bits, with an estimate that is
 * never off by more than one; only the last can be too large at the end. */
static uint64_t fp_isqrt(fp_wide n) {
  uint64_t h = (uint64_t)(n >> 64), u = 1 + (h >> 62);
  u = (u << 1) + (h >> 59) / u;
  u = (u << 3) + (h >> 53) / u;
  u = (u << 7) + (h >> 41) / u;
  u = (u << 15) + (h >> 17) / u;
  fp_wide r = ((fp_wide)u << 31) + (n >> 33) / u;
  return (uint64_t)(r >> 64 || r * r > n ? r - 1 : r);
}

FP_INLINE uint64_t fp_sqrt(struct fp_env *e, const struct fp_fmt *f, uint64_t a) {
  struct fp_num x = fp_unpack(e, f, a);
  if (x.kind == FP_KIND_NAN) return fp_nan2(e, f, a, a);
  if (x.kind == FP_KIND_ZERO) return fp_pack(e, f, x);
  if (x.sign) return fp_invalid(e, f);
  fp_note_sub(e, x.sub);
  if (x.kind == FP_KIND_INF) return fp_pack(e, f, x);
  fp_wide n = x.sig << (x.exp & 1); /* the exponent that is left is even */
  uint64_t r = fp_isqrt(n);
  return fp_round(e, f, false, (x.exp - (x.exp & 1)) / 2, (fp_wide)r << 63 | ((fp_wide)r * r != n));
}

FP_INLINE uint64_t fp_fma(struct fp_env *e, const struct fp_fmt *f, uint64_t a, uint64_t b, uint64_t c) {
  struct fp_num x = fp_unpack(e, f, a), y = fp_unpack(e, f, b), z = fp_unpack(e, f, c);
  if (x.kind == FP_KIND_NAN || y.kind == FP_KIND_NAN || z.kind == FP_KIND_NAN) {
    /* A flushed factor counts as the zero it became. */
    return fp_nan3(e, f, x.kind == FP_KIND_ZERO ? 0 : a, y.kind == FP_KIND_ZERO ? 0 : b, c);
  }
  struct fp_num p = {.sign = x.sign ^ y.sign, .kind = FP_KIND_ZERO};
  if (fp_likely(x.kind == FP_KIND_NUM && y.kind == FP_KIND_NUM)) {
    p = fp_mul_nums(x, y);
  } else if (x.kind == FP_KIND_INF || y.kind == FP_KIND_INF) {
    p.kind = FP_KIND_INF;
    if (x.kind == FP_KIND_ZERO || y.kind == FP_KIND_ZERO) return fp_invalid(e, f);
  }
  if (!(p.kind == FP_KIND_INF && z.kind == FP_KIND_INF && p.sign != z.sign))
    fp_note_sub(e, x.sub | y.sub | z.sub);
  return fp_add_any(e, f, p, z);
}

#endif
