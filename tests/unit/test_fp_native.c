/* Software floating point against the host's SSE unit: results including NaNs, and all six flags, with
 * and without FTZ and DAZ, then once more under the canonical NaN rule. Only x86_64 hosts can do this;
 * elsewhere test_fp.c remains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../runtime/fp/fp.h"
#include "fp_values.h"

#ifdef __x86_64__

typedef uint64_t soft_fn(struct fp_env *e, const uint64_t *in);
typedef uint64_t host_fn(const uint64_t *in);

struct op {
  const char *name;
  const struct fmt *from, *to; /* to: null if the result is not floating point */
  int arity;
  soft_fn *soft;
  host_fn *host;
  bool int_in;
};

static double d64(uint64_t a) {
  double d;
  memcpy(&d, &a, 8);
  return d;
}

static float d32(uint64_t a) {
  uint32_t b = (uint32_t)a;
  float d;
  memcpy(&d, &b, 4);
  return d;
}

static uint64_t b64(double d) {
  uint64_t a;
  memcpy(&a, &d, 8);
  return a;
}

static uint64_t b32(float d) {
  uint32_t a;
  memcpy(&a, &d, 4);
  return a;
}

/* Whole operations as assembly: the compiler may neither fold nor move them across MXCSR. */
#define BINARY(W, T, NAME, INSN)                                        \
  static uint64_t s##W##_##NAME(struct fp_env *e, const uint64_t *in) { \
    return fp##W##_##NAME(e, in[0], in[1]);                             \
  }                                                                     \
  static uint64_t h##W##_##NAME(const uint64_t *in) {                   \
    T a = d##W(in[0]), b = d##W(in[1]);                                 \
    __asm__ volatile(INSN " %1, %0" : "+x"(a) : "x"(b) : "memory");     \
    return b##W(a);                                                     \
  }

#define COMPARE(W, T, NAME, INSN, QUIET)                                                                  \
  static uint64_t s##W##_##NAME(struct fp_env *e, const uint64_t *in) {                                   \
    return (uint64_t)fp##W##_cmp(e, in[0], in[1], QUIET);                                                 \
  }                                                                                                       \
  static uint64_t h##W##_##NAME(const uint64_t *in) {                                                     \
    T a = d##W(in[0]), b = d##W(in[1]);                                                                   \
    bool zf, pf, cf;                                                                                      \
    __asm__ volatile(INSN " %4, %3" : "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf) : "x"(a), "x"(b) : "memory"); \
    return (uint64_t)(pf ? FP_UN : cf ? FP_LT : zf ? FP_EQ : FP_GT);                                      \
  }

/* "213": second source times destination plus third; a is the second source. */
#define FUSED(W, T, INSN)                                                       \
  static uint64_t s##W##_fma(struct fp_env *e, const uint64_t *in) {            \
    return fp##W##_fma(e, in[0], in[1], in[2]);                                 \
  }                                                                             \
  static uint64_t h##W##_fma(const uint64_t *in) {                              \
    T a = d##W(in[0]), b = d##W(in[1]), c = d##W(in[2]);                        \
    __asm__ volatile(INSN " %2, %1, %0" : "+x"(b) : "x"(a), "x"(c) : "memory"); \
    return b##W(b);                                                             \
  }

#define UNARY(W, T, NAME, SOFT, INSN)                                                  \
  static uint64_t s##W##_##NAME(struct fp_env *e, const uint64_t *in) { return SOFT; } \
  static uint64_t h##W##_##NAME(const uint64_t *in) {                                  \
    T a = d##W(in[0]), r;                                                              \
    __asm__ volatile(INSN : "=x"(r) : "x"(a) : "memory");                              \
    return b##W(r);                                                                    \
  }

#define TO_INT(W, T, BITS, INSN)                                              \
  static uint64_t s##W##_to_int##BITS(struct fp_env *e, const uint64_t *in) { \
    return fp##W##_to_int(e, in[0], BITS, 1, FP_BAD_INDEFINITE);              \
  }                                                                           \
  static uint64_t h##W##_to_int##BITS(const uint64_t *in) {                   \
    T a = d##W(in[0]);                                                        \
    uint##BITS##_t r;                                                         \
    __asm__ volatile(INSN " %1, %0" : "=r"(r) : "x"(a) : "memory");           \
    return r;                                                                 \
  }

#define FROM_INT(W, T, BITS, INSN)                                              \
  static uint64_t s##W##_from_int##BITS(struct fp_env *e, const uint64_t *in) { \
    return fp##W##_from_int(e, in[0], BITS, 1);                                 \
  }                                                                             \
  static uint64_t h##W##_from_int##BITS(const uint64_t *in) {                   \
    T r = 0;                                                                    \
    uint##BITS##_t a = (uint##BITS##_t)in[0];                                   \
    __asm__ volatile(INSN " %1, %0" : "+x"(r) : "r"(a) : "memory");             \
    return b##W(r);                                                             \
  }

#define FORMAT(W, T, S)                                                                  \
  BINARY(W, T, add, "adds" S)                                                            \
  BINARY(W, T, sub, "subs" S)                                                            \
  BINARY(W, T, mul, "muls" S)                                                            \
  BINARY(W, T, div, "divs" S)                                                            \
  FUSED(W, T, "vfmadd213s" S)                                                            \
  COMPARE(W, T, comi, "comis" S, 0)                                                      \
  COMPARE(W, T, ucomi, "ucomis" S, 1)                                                    \
  UNARY(W, T, sqrt, fp##W##_sqrt(e, in[0]), "sqrts" S " %1, %0")                         \
  UNARY(W, T, round, fp##W##_round_to_int(e, in[0], 1), "rounds" S " $4, %1, %0")        \
  UNARY(W, T, round_quiet, fp##W##_round_to_int(e, in[0], 0), "rounds" S " $12, %1, %0") \
  TO_INT(W, T, 32, "cvts" S "2sil")                                                      \
  TO_INT(W, T, 64, "cvts" S "2siq")                                                      \
  FROM_INT(W, T, 32, "cvtsi2s" S "l")                                                    \
  FROM_INT(W, T, 64, "cvtsi2s" S "q")

FORMAT(32, float, "s")
FORMAT(64, double, "d")

static uint64_t s_narrow(struct fp_env *e, const uint64_t *in) { return fp64_to_fp32(e, in[0]); }
static uint64_t s_widen(struct fp_env *e, const uint64_t *in) { return fp32_to_fp64(e, in[0]); }
static uint64_t s_to_half(struct fp_env *e, const uint64_t *in) { return fp32_to_fp16(e, in[0]); }
static uint64_t s_from_half(struct fp_env *e, const uint64_t *in) { return fp16_to_fp32(e, in[0]); }

static uint64_t h_narrow(const uint64_t *in) {
  float r;
  __asm__ volatile("cvtsd2ss %1, %0" : "=x"(r) : "x"(d64(in[0])) : "memory");
  return b32(r);
}

static uint64_t h_widen(const uint64_t *in) {
  double r;
  __asm__ volatile("cvtss2sd %1, %0" : "=x"(r) : "x"(d32(in[0])) : "memory");
  return b64(r);
}

static uint64_t h_to_half(const uint64_t *in) {
  float r;
  __asm__ volatile("vcvtps2ph $4, %1, %0" : "=x"(r) : "x"(d32(in[0])) : "memory");
  return b32(r) & 0xffff;
}

static uint64_t h_from_half(const uint64_t *in) {
  float r;
  __asm__ volatile("vcvtph2ps %1, %0" : "=x"(r) : "x"(d32(in[0])) : "memory");
  return b32(r);
}

#define OPS(W)                                                                                  \
  {"add" #W, &fmt##W, &fmt##W, 2, s##W##_add, h##W##_add, false},                               \
      {"sub" #W, &fmt##W, &fmt##W, 2, s##W##_sub, h##W##_sub, false},                           \
      {"mul" #W, &fmt##W, &fmt##W, 2, s##W##_mul, h##W##_mul, false},                           \
      {"div" #W, &fmt##W, &fmt##W, 2, s##W##_div, h##W##_div, false},                           \
      {"comi" #W, &fmt##W, NULL, 2, s##W##_comi, h##W##_comi, false},                           \
      {"ucomi" #W, &fmt##W, NULL, 2, s##W##_ucomi, h##W##_ucomi, false},                        \
      {"sqrt" #W, &fmt##W, &fmt##W, 1, s##W##_sqrt, h##W##_sqrt, false},                        \
      {"to_int32 of " #W, &fmt##W, NULL, 1, s##W##_to_int32, h##W##_to_int32, false},           \
      {"to_int64 of " #W, &fmt##W, NULL, 1, s##W##_to_int64, h##W##_to_int64, false},           \
      {"from_int32 to " #W, &fmt##W, &fmt##W, 1, s##W##_from_int32, h##W##_from_int32, true}, { \
    "from_int64 to " #W, &fmt##W, &fmt##W, 1, s##W##_from_int64, h##W##_from_int64, true        \
  }

static const struct op basic_ops[] = {
    OPS(32),
    OPS(64),
    {"64_to_32", &fmt64, &fmt32, 1, s_narrow, h_narrow, false},
    {"32_to_64", &fmt32, &fmt64, 1, s_widen, h_widen, false},
};

static const struct op round_ops[] = {
    {"round32", &fmt32, &fmt32, 1, s32_round, h32_round, false},
    {"round64", &fmt64, &fmt64, 1, s64_round, h64_round, false},
    {"round_quiet32", &fmt32, &fmt32, 1, s32_round_quiet, h32_round_quiet, false},
    {"round_quiet64", &fmt64, &fmt64, 1, s64_round_quiet, h64_round_quiet, false},
};

static const struct op half_ops[] = {
    {"32_to_16", &fmt32, &fmt16, 1, s_to_half, h_to_half, false},
    {"16_to_32", &fmt16, &fmt32, 1, s_from_half, h_from_half, false},
};

static const struct op fma_ops[] = {
    {"fma32", &fmt32, &fmt32, 3, s32_fma, h32_fma, false},
    {"fma64", &fmt64, &fmt64, 3, s64_fma, h64_fma, false},
};

enum { MXCSR_DAZ = 0x40, MXCSR_MASKED = 0x1f80, MXCSR_RC = 13, MXCSR_FTZ = 0x8000 };

static uint64_t run_host(const struct op *o, const uint64_t *in, uint32_t mxcsr, int *flags) {
  static const uint8_t order[] = {FP_NV, FP_ID, FP_DZ, FP_OF, FP_UF, FP_NX};
  uint32_t old = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(mxcsr);
  uint64_t r = o->host(in);
  uint32_t now = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(old);
  *flags = 0;
  for (int i = 0; i < 6; i++)
    if (now >> i & 1) *flags |= order[i];
  return r;
}

/* 0 * inf + quiet NaN is where the rules differ in more than the NaN. */
static bool inf_times_zero(const struct op *o, const uint64_t *in) {
  uint64_t a = fmt_abs(o->from, in[0]), b = fmt_abs(o->from, in[1]), inf = fmt_inf(o->from);
  return o->arity == 3 && ((a == 0 && b == inf) || (a == inf && b == 0));
}

static void one(const struct op *o, const uint64_t *in) {
  static const uint8_t rc[] = {FP_RNE, FP_RDN, FP_RUP, FP_RTZ};
  for (unsigned k = 0; k < 16; k++) {
    bool daz = k & 4, ftz = k & 8;
    int want_flags;
    uint64_t want =
        run_host(o, in, MXCSR_MASKED | (k & 3) << MXCSR_RC | (daz ? MXCSR_DAZ : 0) | (ftz ? MXCSR_FTZ : 0),
                 &want_flags);
    struct fp_env e = {.rm = rc[k & 3],
                       .nan = FP_NAN_FIRST_OPERAND,
                       .daz = daz ? FP_DAZ_FLUSH : FP_DAZ_KEEP_ID,
                       .ftz = ftz ? FP_FTZ_FLUSH : FP_FTZ_KEEP};
    uint64_t got = o->soft(&e, in);
    if (got != want || e.flags != want_flags)
      mismatch(o->name, in, o->arity, (int)k, got, e.flags, want, want_flags);
    if (k >= 4 || inf_times_zero(o, in)) continue;
    struct fp_env c = {.rm = rc[k & 3]};
    got = o->soft(&c, in);
    if (o->to && fmt_nan(o->to, want)) want = fmt_qnan(o->to);
    want_flags &= ~FP_ID;
    if (got != want || c.flags != want_flags)
      mismatch(o->name, in, o->arity, rc[k & 3], got, c.flags, want, want_flags);
  }
}

static void all(const struct op *o, long random) {
  uint64_t v[FMT_BOUNDARY_MAX];
  int n = fmt_boundary(o->from, v);
  if (o->arity == 3 && !rnd_full) n = 20;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < (o->arity > 1 ? n : 1); j++)
      for (int k = 0; k < (o->arity > 2 ? n : 1); k++) one(o, (uint64_t[]){v[i], v[j], v[k]});
  for (long i = 0; i < random * rnd_scale; i++) {
    uint64_t in[3];
    in[0] = o->int_in ? rnd() >> (rnd() & 63) : rnd_fp(o->from, 0);
    if (o->int_in && i & 1) in[0] = -in[0];
    in[1] = rnd_fp(o->from, in[0]);
    in[2] = rnd_fp(o->from, i & 1 ? in[0] : in[1]);
    if (i % 3 == 0 && o->arity == 3) { /* near minus the product: cancellation */
      struct fp_env e = {.rm = FP_RNE};
      uint64_t p = o->from->w == 64 ? fp64_mul(&e, in[0], in[1]) : fp32_mul(&e, in[0], in[1]);
      in[2] = p ^ UINT64_C(1) << (o->from->w - 1) ^ (rnd() & 3);
    }
    one(o, in);
  }
}

#define TABLE(NAME, OPS, RANDOM, NEEDS)                                                \
  static void NAME(void **state) {                                                     \
    (void)state;                                                                       \
    if (!__builtin_cpu_supports(NEEDS)) skip();                                        \
    mismatches = 0;                                                                    \
    for (unsigned i = 0; i < sizeof(OPS) / sizeof *(OPS); i++) all(&(OPS)[i], RANDOM); \
    assert_int_equal(mismatches, 0);                                                   \
  }

TABLE(test_basic, basic_ops, 10000, "sse2")
TABLE(test_round, round_ops, 10000, "sse4.1")
TABLE(test_fma, fma_ops, 100000, "fma")
TABLE(test_half, half_ops, 10000, "f16c")

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_basic),
      cmocka_unit_test(test_round),
      cmocka_unit_test(test_fma),
      cmocka_unit_test(test_half),
  };
  rnd_init(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_host(void **state) {
  (void)state;
  skip();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_host)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
