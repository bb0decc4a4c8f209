/* Software floating point against MPFR: results and the five IEEE flags in five rounding modes under
 * both definitions of tininess. NaN choice and flushing are in test_fp_rules.c, and the host's FPU is
 * the oracle of test_fp_native.c. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <mpfr.h>

#include "../../runtime/fp/fp.h"
#include "fp_values.h"

enum kind { ADD, SUB, MUL, DIV, SQRT, FMA, CVT };

typedef uint64_t soft_fn(struct fp_env *e, const uint64_t *in);

struct op {
  const char *name;
  enum kind kind;
  int arity;
  const struct fmt *from, *to;
  soft_fn *soft;
};

#define SOFT(W)                                                                                      \
  static uint64_t add##W(struct fp_env *e, const uint64_t *i) { return fp##W##_add(e, i[0], i[1]); } \
  static uint64_t sub##W(struct fp_env *e, const uint64_t *i) { return fp##W##_sub(e, i[0], i[1]); } \
  static uint64_t mul##W(struct fp_env *e, const uint64_t *i) { return fp##W##_mul(e, i[0], i[1]); } \
  static uint64_t div##W(struct fp_env *e, const uint64_t *i) { return fp##W##_div(e, i[0], i[1]); } \
  static uint64_t sqrt##W(struct fp_env *e, const uint64_t *i) { return fp##W##_sqrt(e, i[0]); }     \
  static uint64_t fma##W(struct fp_env *e, const uint64_t *i) { return fp##W##_fma(e, i[0], i[1], i[2]); }
#define CVT_SOFT(A, B) \
  static uint64_t cvt##A##_##B(struct fp_env *e, const uint64_t *i) { return fp_cvt(e, i[0], A, B); }

SOFT(16)
SOFT(32)
SOFT(64)
CVT_SOFT(16, 32)
CVT_SOFT(16, 64)
CVT_SOFT(32, 16)
CVT_SOFT(32, 64)
CVT_SOFT(64, 16)
CVT_SOFT(64, 32)

#define OPS(W)                                                                                    \
  {"add" #W, ADD, 2, &fmt##W, &fmt##W, add##W}, {"sub" #W, SUB, 2, &fmt##W, &fmt##W, sub##W},     \
      {"mul" #W, MUL, 2, &fmt##W, &fmt##W, mul##W}, {"div" #W, DIV, 2, &fmt##W, &fmt##W, div##W}, \
      {"sqrt" #W, SQRT, 1, &fmt##W, &fmt##W, sqrt##W}, {                                          \
    "fma" #W, FMA, 3, &fmt##W, &fmt##W, fma##W                                                    \
  }
#define CVT_OP(A, B) \
  { "cvt" #A "_" #B, CVT, 1, &fmt##A, &fmt##B, cvt##A##_##B }

static const struct op ops[] = {
    OPS(16),        OPS(32),        OPS(64),        CVT_OP(16, 32), CVT_OP(16, 64),
    CVT_OP(32, 16), CVT_OP(32, 64), CVT_OP(64, 16), CVT_OP(64, 32),
};

/* The oracle. */

static const mpfr_rnd_t rounding[] = {MPFR_RNDN, MPFR_RNDZ, MPFR_RNDD, MPFR_RNDU};

static void wide_range(void) {
  mpfr_set_emin(mpfr_get_emin_min());
  mpfr_set_emax(mpfr_get_emax_max());
}

/* r has at least f->p bits of precision and the widest range is in force. */
static void from_bits(mpfr_t r, const struct fmt *f, uint64_t a) {
  int exp = (int)(fmt_abs(f, a) >> (f->p - 1));
  uint64_t frac = a & ((UINT64_C(1) << (f->p - 1)) - 1);
  if (exp == 2 * f->bias + 1) {
    if (frac) mpfr_set_nan(r);
    else mpfr_set_inf(r, 1);
  } else {
    mpfr_set_uj(r, exp ? frac | UINT64_C(1) << (f->p - 1) : frac, MPFR_RNDN);
    mpfr_mul_2si(r, r, (exp ? exp : 1) - f->bias - (f->p - 1), MPFR_RNDN);
  }
  mpfr_setsign(r, r, a >> (f->w - 1) & 1, MPFR_RNDN);
}

/* r is representable in f. */
static uint64_t to_bits(const struct fmt *f, mpfr_t r) {
  bool sign = mpfr_signbit(r);
  if (mpfr_nan_p(r)) return fmt_qnan(f);
  if (mpfr_inf_p(r)) return fmt_make(f, sign, 2 * f->bias + 1, 0);
  if (mpfr_zero_p(r)) return fmt_make(f, sign, 0, 0);
  int biased = (int)mpfr_get_exp(r) - 1 + f->bias;
  mpfr_t t;
  mpfr_init2(t, 64);
  mpfr_mul_2si(t, r, f->bias + f->p - 1 - (biased > 0 ? biased : 1), MPFR_RNDN);
  mpfr_abs(t, t, MPFR_RNDN);
  if (!mpfr_integer_p(t)) fail_msg("oracle: the result is not representable");
  uint64_t m = mpfr_get_uj(t, MPFR_RNDN);
  mpfr_clear(t);
  return fmt_make(f, sign, biased > 0 ? biased : 0, m);
}

static int apply(const struct op *o, mpfr_t r, mpfr_t *x, mpfr_rnd_t rnd) {
  switch (o->kind) {
  case ADD: return mpfr_add(r, x[0], x[1], rnd);
  case SUB: return mpfr_sub(r, x[0], x[1], rnd);
  case MUL: return mpfr_mul(r, x[0], x[1], rnd);
  case DIV: return mpfr_div(r, x[0], x[1], rnd);
  case SQRT: return mpfr_sqrt(r, x[0], rnd);
  case FMA: return mpfr_fma(r, x[0], x[1], x[2], rnd);
  default: return mpfr_set(r, x[0], rnd);
  }
}

/* Round r, truncated to more than p bits, to a multiple of 2^quantum, ties away. Whether bits were lost by
 * the truncation does not matter: a half is reached with or without them. Returns whether r changed. */
static bool ties_away(mpfr_t r, long quantum) {
  mpfr_mul_2si(r, r, -quantum, MPFR_RNDN);
  bool changed = mpfr_round(r, r) != 0;
  mpfr_mul_2si(r, r, quantum, MPFR_RNDN);
  return changed;
}

static void round_away(const struct op *o, mpfr_t r, mpfr_t *x, bool *inexact, bool *overflow, bool *tiny) {
  const struct fmt *f = o->to;
  long min_quantum = 1 - f->bias - (f->p - 1);
  mpfr_t u;
  mpfr_set_prec(r, f->p + 4);
  *inexact = apply(o, r, x, MPFR_RNDZ) != 0;
  mpfr_init2(u, f->p + 4);
  mpfr_set(u, r, MPFR_RNDN);
  long quantum = mpfr_get_exp(r) - f->p;
  ties_away(u, quantum);
  *tiny = mpfr_get_exp(u) < 2 - f->bias;
  mpfr_clear(u);
  if (ties_away(r, quantum < min_quantum ? min_quantum : quantum)) *inexact = true;
  *overflow = !mpfr_zero_p(r) && mpfr_get_exp(r) > f->bias + 1;
  if (*overflow) mpfr_set_inf(r, mpfr_signbit(r) ? -1 : 1);
}

static void round_finite(mpfr_t r, int ternary, const struct fmt *f, int rm, bool *inexact, bool *overflow,
                         bool *tiny) {
  *tiny = mpfr_get_exp(r) < 2 - f->bias;
  mpfr_set_emin(3 - f->bias - f->p);
  mpfr_set_emax(f->bias + 1);
  mpfr_clear_flags();
  ternary = mpfr_check_range(r, ternary, rounding[rm]);
  ternary = mpfr_subnormalize(r, ternary, rounding[rm]);
  *inexact = ternary != 0;
  *overflow = mpfr_overflow_p();
  wide_range();
}

static uint64_t oracle(const struct op *o, const uint64_t *in, int rm, int tiny_rule, int *flags) {
  static mpfr_t x[3], r;
  static bool ready;
  if (!ready) {
    for (int i = 0; i < 3; i++) mpfr_init2(x[i], 64);
    mpfr_init2(r, 64);
    ready = true;
  }
  *flags = 0;
  bool nan = false;
  for (int i = 0; i < o->arity; i++) {
    from_bits(x[i], o->from, in[i]);
    nan = nan || mpfr_nan_p(x[i]);
    if (fmt_snan(o->from, in[i])) *flags = FP_NV;
  }
  if (o->kind == FMA && (mpfr_zero_p(x[0]) ? mpfr_inf_p(x[1]) : mpfr_inf_p(x[0]) && mpfr_zero_p(x[1])))
    *flags = FP_NV;
  mpfr_set_prec(r, o->to->p);
  mpfr_clear_flags();
  int ternary = apply(o, r, x, rounding[rm == FP_RMM ? FP_RTZ : rm]);
  if (mpfr_nan_p(r) && !nan) *flags |= FP_NV;
  if (mpfr_divby0_p()) *flags |= FP_DZ;
  if (mpfr_regular_p(r)) {
    bool inexact, overflow, tiny, before = false;
    if (tiny_rule == FP_TINY_BEFORE) {
      mpfr_t t;
      mpfr_init2(t, o->to->p);
      apply(o, t, x, MPFR_RNDZ);
      before = mpfr_get_exp(t) < 2 - o->to->bias;
      mpfr_clear(t);
    }
    if (rm == FP_RMM) round_away(o, r, x, &inexact, &overflow, &tiny);
    else round_finite(r, ternary, o->to, rm, &inexact, &overflow, &tiny);
    if (tiny_rule == FP_TINY_BEFORE) tiny = before;
    *flags |= (inexact ? FP_NX : 0) | (overflow ? FP_OF | FP_NX : 0) | (tiny && inexact ? FP_UF : 0);
  }
  return to_bits(o->to, r);
}

/* Arithmetic. */

static void one(const struct op *o, const uint64_t *in, int rm, int tiny) {
  int want_flags;
  uint64_t want = oracle(o, in, rm, tiny, &want_flags);
  /* FP_ID, never raised here, must survive: flags accumulate. */
  struct fp_env e = {.rm = (uint8_t)rm, .tiny = (uint8_t)tiny, .flags = FP_ID};
  uint64_t got = o->soft(&e, in);
  want_flags |= FP_ID;
  if (got != want || e.flags != want_flags)
    mismatch(o->name, in, o->arity, rm | tiny << 4, got, e.flags, want, want_flags);
}

static void every_rm(const struct op *o, const uint64_t *in, int tiny) {
  for (int rm = FP_RNE; rm <= FP_RMM; rm++) one(o, in, rm, tiny);
}

static void test_boundary(void **state) {
  (void)state;
  mismatches = 0;
  for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
    const struct op *o = &ops[i];
    uint64_t v[FMT_BOUNDARY_MAX];
    int n = fmt_boundary(o->from, v);
    if (o->arity == 3 && !rnd_full) n = 20;
    for (int a = 0; a < n; a++)
      for (int b = 0; b < (o->arity > 1 ? n : 1); b++)
        for (int c = 0; c < (o->arity > 2 ? n : 1); c++)
          every_rm(o, (uint64_t[]){v[a], v[b], v[c]}, (a ^ b ^ c) & 1);
  }
  assert_int_equal(mismatches, 0);
}

static void test_random(void **state) {
  (void)state;
  mismatches = 0;
  for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
    const struct op *o = &ops[i];
    for (long n = 0; n < 25000L * rnd_scale; n++) {
      uint64_t in[3];
      in[0] = rnd_fp(o->from, 0);
      in[1] = rnd_fp(o->from, in[0]);
      in[2] = rnd_fp(o->from, n & 1 ? in[0] : in[1]);
      if (o->kind == FMA && n % 3 == 0) { /* near minus the product: cancellation */
        int unused;
        const struct op mul = {.kind = MUL, .arity = 2, .from = o->from, .to = o->to};
        in[2] = oracle(&mul, in, FP_RNE, 0, &unused) ^ UINT64_C(1) << (o->from->w - 1) ^ (rnd() & 3);
      }
      for (int rm = FP_RNE; rm <= FP_RMM; rm++) one(o, in, rm, (int)(n >> 1 & 1));
    }
  }
  assert_int_equal(mismatches, 0);
}

/* Every half precision operand of the operations that have one. */
static void test_every_half(void **state) {
  (void)state;
  mismatches = 0;
  for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++)
    if (ops[i].from == &fmt16 && ops[i].arity == 1)
      for (uint64_t a = 0; a < 0x10000; a++) every_rm(&ops[i], &a, 0);
  assert_int_equal(mismatches, 0);
}

/* Integers. */

struct format_fns {
  const struct fmt *f;
  uint64_t (*to_int)(struct fp_env *, uint64_t, int, int, int);
  uint64_t (*from_int)(struct fp_env *, uint64_t, int, int);
  uint64_t (*round)(struct fp_env *, uint64_t, int);
  uint64_t (*min)(struct fp_env *, uint64_t, uint64_t, int, int);
  uint64_t (*max)(struct fp_env *, uint64_t, uint64_t, int, int);
  enum fp_order (*cmp)(struct fp_env *, uint64_t, uint64_t, int);
  unsigned (*class)(uint64_t);
};

#define FNS(W)                                                                                              \
  {                                                                                                         \
    &fmt##W, fp##W##_to_int, fp##W##_from_int, fp##W##_round_to_int, fp##W##_min, fp##W##_max, fp##W##_cmp, \
        fp##W##_class                                                                                       \
  }

static const struct format_fns fns[] = {FNS(16), FNS(32), FNS(64)};

static const int int_bits[] = {8, 16, 32, 64, 53};

/* t = x rounded to an integer; whether it differs. */
static bool integral(mpfr_t t, mpfr_t x, int rm) {
  return (rm == FP_RMM ? mpfr_round(t, x) : mpfr_rint(t, x, rounding[rm])) != 0;
}

static void one_to_int(const struct format_fns *g, uint64_t a, int rm, int bits, int is_signed, int bad) {
  static mpz_t z, lo, hi;
  static mpfr_t x;
  static bool ready;
  if (!ready) {
    mpz_inits(z, lo, hi, NULL);
    mpfr_init2(x, 64);
    ready = true;
  }
  mpz_set_ui(hi, 1);
  mpz_mul_2exp(hi, hi, (mp_bitcnt_t)(bits - is_signed));
  mpz_set_si(lo, 0);
  if (is_signed) mpz_neg(lo, hi);
  mpz_sub_ui(hi, hi, 1);
  from_bits(x, g->f, a);

  int want_flags = 0;
  if (mpfr_number_p(x)) {
    if (integral(x, x, rm)) want_flags = FP_NX;
    mpfr_get_z(z, x, MPFR_RNDN);
  }
  bool neg = !mpfr_nan_p(x) && mpfr_signbit(x);
  if (!mpfr_number_p(x) || mpz_cmp(z, lo) < 0 || mpz_cmp(z, hi) > 0) {
    want_flags = FP_NV;
    if (bad == FP_BAD_INDEFINITE) mpz_set_si(z, -1), is_signed ? mpz_set(z, lo) : (void)0;
    else if (mpfr_nan_p(x) && bad == FP_BAD_SATURATE_NANZERO) mpz_set_si(z, 0);
    else mpz_set(z, neg ? lo : hi);
  }
  mpz_fdiv_r_2exp(z, z, (mp_bitcnt_t)bits);
  uint64_t want = mpz_get_ui(z);
  struct fp_env e = {.rm = (uint8_t)rm};
  uint64_t got = g->to_int(&e, a, bits, is_signed, bad);
  if (got != want || e.flags != want_flags) {
    char name[64];
    snprintf(name, sizeof name, "f%d to_int%d%s bad %d ", g->f->w, bits, is_signed ? "s" : "u", bad);
    mismatch(name, &a, 1, rm, got, e.flags, want, want_flags);
  }
}

static void one_round(const struct format_fns *g, uint64_t a, int rm) {
  mpfr_t x;
  mpfr_init2(x, 64);
  from_bits(x, g->f, a);
  int want_flags = fmt_snan(g->f, a) ? FP_NV : 0;
  if (mpfr_number_p(x) && integral(x, x, rm)) want_flags = FP_NX;
  uint64_t want = to_bits(g->f, x);
  mpfr_clear(x);
  for (int exact = 0; exact <= 1; exact++) {
    struct fp_env e = {.rm = (uint8_t)rm};
    uint64_t got = g->round(&e, a, exact);
    int flags = exact ? want_flags : want_flags & ~FP_NX;
    if (got != want || e.flags != flags) mismatch("round_to_int", &a, 1, rm, got, e.flags, want, flags);
  }
}

static void test_to_int(void **state) {
  (void)state;
  mismatches = 0;
  for (unsigned i = 0; i < sizeof fns / sizeof *fns; i++) {
    const struct format_fns *g = &fns[i];
    uint64_t v[FMT_BOUNDARY_MAX];
    long n = fmt_boundary(g->f, v), total = n + 8000L * rnd_scale;
    for (long k = 0; k < total; k++) {
      uint64_t a = k < n ? v[k] : rnd_fp(g->f, 0);
      for (int rm = FP_RNE; rm <= FP_RMM; rm++) {
        one_round(g, a, rm);
        for (unsigned b = 0; b < sizeof int_bits / sizeof *int_bits; b++)
          for (int s = 0; s <= 1; s++)
            for (int bad = k < n ? 0 : (int)(k % 3); bad <= (k < n ? 2 : (int)(k % 3)); bad++)
              one_to_int(g, a, rm, int_bits[b], s, bad);
      }
    }
  }
  assert_int_equal(mismatches, 0);
}

static void test_from_int(void **state) {
  (void)state;
  mismatches = 0;
  mpfr_t x[1];
  mpfr_init2(x[0], 64);
  for (unsigned i = 0; i < sizeof fns / sizeof *fns; i++) {
    const struct format_fns *g = &fns[i];
    for (long k = 0; k < 20000L * rnd_scale; k++) {
      uint64_t a = rnd() >> (rnd() & 63);
      int bits = int_bits[k % 5], is_signed = (int)(rnd() & 1);
      if (rnd() & 1) a = -a;
      if (k < 640) { /* neighbours of powers of two, and the extremes */
        a = (UINT64_C(1) << (k / 10)) + (uint64_t)(k % 10 / 5) - 1;
        bits = int_bits[k % 5];
      }
      /* Bits above the width must not matter, so the oracle alone cuts the value. */
      int64_t cut = (int64_t)(a << (64 - bits)) >> (64 - bits);
      if (is_signed) mpfr_set_sj(x[0], cut, MPFR_RNDN);
      else mpfr_set_uj(x[0], a << (64 - bits) >> (64 - bits), MPFR_RNDN);
      for (int rm = FP_RNE; rm <= FP_RMM; rm++) {
        const struct op o = {.kind = CVT, .arity = 1, .to = g->f};
        bool inexact = false, overflow = false, tiny;
        mpfr_t r;
        mpfr_init2(r, g->f->p);
        int ternary = mpfr_set(r, x[0], rounding[rm == FP_RMM ? FP_RTZ : rm]);
        if (mpfr_regular_p(r) && rm == FP_RMM) round_away(&o, r, x, &inexact, &overflow, &tiny);
        else if (mpfr_regular_p(r)) round_finite(r, ternary, g->f, rm, &inexact, &overflow, &tiny);
        uint64_t want = to_bits(g->f, r);
        int want_flags = (inexact || overflow ? FP_NX : 0) | (overflow ? FP_OF : 0);
        mpfr_clear(r);
        struct fp_env e = {.rm = (uint8_t)rm};
        uint64_t got = g->from_int(&e, a, bits, is_signed);
        if (got != want || e.flags != want_flags)
          mismatch(is_signed ? "from_int signed" : "from_int unsigned", &a, 1, rm, got, e.flags, want,
                   want_flags);
      }
    }
  }
  mpfr_clear(x[0]);
  assert_int_equal(mismatches, 0);
}

/* Comparison, minimum and maximum, classes. */

static void one_pair(const struct format_fns *g, uint64_t a, uint64_t b) {
  mpfr_t x, y, lo, hi;
  mpfr_inits2(64, x, y, lo, hi, (mpfr_ptr)0);
  from_bits(x, g->f, a);
  from_bits(y, g->f, b);
  bool un = mpfr_unordered_p(x, y);
  int want = un ? FP_UN : mpfr_less_p(x, y) ? FP_LT : mpfr_greater_p(x, y) ? FP_GT : FP_EQ;
  int snan = fmt_snan(g->f, a) || fmt_snan(g->f, b) ? FP_NV : 0;
  for (int quiet = 0; quiet <= 1; quiet++) {
    struct fp_env e = {0};
    int got = g->cmp(&e, a, b, quiet), flags = un && !quiet ? FP_NV : snan;
    if (got != want || e.flags != flags)
      mismatch(quiet ? "cmp quiet" : "cmp", (uint64_t[]){a, b}, 2, 0, (uint64_t)got, e.flags, (uint64_t)want,
               flags);
  }
  mpfr_min(lo, x, y, MPFR_RNDN);
  mpfr_max(hi, x, y, MPFR_RNDN);
  for (int mode = FP_MINMAX_NUMBER; mode <= FP_MINMAX_NUM2008; mode++) {
    bool wins = mode == FP_MINMAX_PROPAGATE || (mode == FP_MINMAX_NUM2008 && snan);
    uint64_t want_lo = un && wins ? fmt_qnan(g->f) : to_bits(g->f, lo);
    uint64_t want_hi = un && wins ? fmt_qnan(g->f) : to_bits(g->f, hi);
    struct fp_env e = {0}, e2 = {0};
    uint64_t got_lo = g->min(&e, a, b, mode, 1), got_hi = g->max(&e2, a, b, mode, 1);
    if (got_lo != want_lo || e.flags != snan)
      mismatch("min", (uint64_t[]){a, b}, 2, mode, got_lo, e.flags, want_lo, snan);
    if (got_hi != want_hi || e2.flags != snan)
      mismatch("max", (uint64_t[]){a, b}, 2, mode, got_hi, e2.flags, want_hi, snan);
  }
  mpfr_clears(x, y, lo, hi, (mpfr_ptr)0);
}

static void test_pairs(void **state) {
  (void)state;
  mismatches = 0;
  for (unsigned i = 0; i < sizeof fns / sizeof *fns; i++) {
    uint64_t v[FMT_BOUNDARY_MAX];
    int n = fmt_boundary(fns[i].f, v);
    for (int a = 0; a < n; a++)
      for (int b = 0; b < n; b++) one_pair(&fns[i], v[a], v[b]);
    for (long k = 0; k < 20000L * rnd_scale; k++) {
      uint64_t a = rnd_fp(fns[i].f, 0);
      one_pair(&fns[i], a, rnd_fp(fns[i].f, a));
    }
  }
  assert_int_equal(mismatches, 0);
  struct fp_env e = {0};
  uint64_t neg = UINT64_C(1) << 63;
  assert_true(fp64_min(&e, neg, 0, FP_MINMAX_NUMBER, 0) == 0 &&
              fp64_min(&e, 0, neg, FP_MINMAX_NUMBER, 0) == neg);
  assert_true(fp64_eq(&e, 0, neg, 1) && fp64_le(&e, 0, neg, 0) && !fp64_lt(&e, neg, 0, 0));
  assert_true(!fp32_le(&e, 0x7fc00000, 0, 1) && !fp32_eq(&e, 0x7fc00000, 0x7fc00000, 1));
}

static void test_class(void **state) {
  (void)state;
  for (unsigned i = 0; i < sizeof fns / sizeof *fns; i++) {
    const struct fmt *f = fns[i].f;
    int m = 2 * f->bias + 1;
    const struct {
      int exp;
      uint64_t frac;
      unsigned pos, neg;
    } t[] = {
        {0, 0, FP_CLASS_POS_ZERO, FP_CLASS_NEG_ZERO},
        {0, 1, FP_CLASS_POS_SUB, FP_CLASS_NEG_SUB},
        {0, UINT64_MAX, FP_CLASS_POS_SUB, FP_CLASS_NEG_SUB},
        {1, 0, FP_CLASS_POS_NORM, FP_CLASS_NEG_NORM},
        {m - 1, UINT64_MAX, FP_CLASS_POS_NORM, FP_CLASS_NEG_NORM},
        {m, 0, FP_CLASS_POS_INF, FP_CLASS_NEG_INF},
        {m, 1, FP_CLASS_SNAN, FP_CLASS_SNAN},
        {m, (UINT64_C(1) << (f->p - 2)) - 1, FP_CLASS_SNAN, FP_CLASS_SNAN},
        {m, UINT64_C(1) << (f->p - 2), FP_CLASS_QNAN, FP_CLASS_QNAN},
    };
    for (unsigned k = 0; k < sizeof t / sizeof *t; k++) {
      assert_int_equal(fns[i].class(fmt_make(f, 0, t[k].exp, t[k].frac)), t[k].pos);
      assert_int_equal(fns[i].class(fmt_make(f, 1, t[k].exp, t[k].frac)), t[k].neg);
    }
  }
  assert_true(fp64_is_nan(0x7ff8000000000000) && fp64_is_snan(0x7ff0000000000001) &&
              !fp64_is_nan(0x7ff0000000000000));
  assert_true(fp32_is_nan(0xff800001) && !fp32_is_snan(0x7fc00000) && fp16_is_snan(0xfd01) &&
              !fp16_is_nan(0xfc00));
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_boundary), cmocka_unit_test(test_random),   cmocka_unit_test(test_every_half),
      cmocka_unit_test(test_to_int),   cmocka_unit_test(test_from_int), cmocka_unit_test(test_pairs),
      cmocka_unit_test(test_class),
  };
  rnd_init(argc, argv);
  wide_range();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
