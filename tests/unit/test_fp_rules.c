/* Software floating point where MPFR and the host give no oracle: NaN and flushing rules of other
 * instruction sets as tables from their manuals, and rounding to odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../runtime/fp/fp.h"
#include "fp_values.h"

/* Single precision; values follow from the pseudocode of Arm ARM DDI 0487,
 * FPProcessNaNs, FPProcessNaNs3, FPMulAdd, FPUnpack and FPRound, and from RISC-V F 11.3 and 11.6. */

#define QA       0x7fc0000au /* quiet and signalling NaNs that differ */
#define QB       0xffc0000bu
#define QC       0x7fc0000cu
#define SA       0xff80000au
#define SB       0x7f80000bu
#define SC       0x7f80000cu
#define QUIET(x) ((x) | 0x400000u)
#define ONE      0x3f800000u
#define INF      0x7f800000u
#define DEF      0x7fc00000u
#define SUB_MIN  1u

struct rule {
  char op; /* + * / f < c (to double) h (to half) i (to int32) m (minimum) */
  uint8_t nan, daz, ftz;
  uint64_t a, b, c, want;
  int flags;
};

enum { ARM = FP_NAN_FIRST_SNAN_FIRST_QNAN, DN = FP_NAN_DEFAULT, RV = FP_NAN_CANONICAL };
enum { FZ = FP_DAZ_FLUSH_ID, FZ_OUT = FP_FTZ_FLUSH_UF };

static const struct rule rules[] = {
    {'+', ARM, 0, 0, QA, QB, 0, QA, 0},
    {'+', ARM, 0, 0, ONE, QB, 0, QB, 0},
    {'+', ARM, 0, 0, QA, SB, 0, QUIET(SB), FP_NV},
    {'+', ARM, 0, 0, SA, SB, 0, QUIET(SA), FP_NV},
    {'+', ARM, 0, 0, SA, QB, 0, QUIET(SA), FP_NV},
    {'+', ARM, 0, 0, INF, INF | 1u << 31, 0, DEF, FP_NV},
    {'+', DN, 0, 0, QA, SB, 0, DEF, FP_NV},
    {'+', DN, 0, 0, QB, QA, 0, DEF, 0},
    {'+', RV, 0, 0, QB, QA, 0, DEF, 0},
    {'f', ARM, 0, 0, QA, QB, QC, QC, 0},
    {'f', ARM, 0, 0, QA, QB, ONE, QA, 0},
    {'f', ARM, 0, 0, ONE, QB, ONE, QB, 0},
    {'f', ARM, 0, 0, SA, SB, QC, QUIET(SA), FP_NV},
    {'f', ARM, 0, 0, QA, SB, QC, QUIET(SB), FP_NV},
    {'f', ARM, 0, 0, SA, SB, SC, QUIET(SC), FP_NV},
    {'f', ARM, 0, 0, 0, INF, QC, DEF, FP_NV},
    {'f', ARM, 0, 0, INF, 0, SC, QUIET(SC), FP_NV},
    {'f', ARM, FZ, FZ_OUT, INF, SUB_MIN, QC, DEF, FP_NV | FP_ID},
    {'f', ARM, 0, 0, INF, SUB_MIN, QC, QC, 0},
    {'f', DN, 0, 0, 0, INF, QC, DEF, FP_NV},
    {'f', DN, 0, 0, QA, INF, ONE, DEF, 0},
    {'f', RV, 0, 0, 0, INF, QC, DEF, FP_NV},
    {'f', RV, 0, 0, ONE, INF, QC, DEF, 0},
    {'c', ARM, 0, 0, QB, 0, 0, 0xfff8000160000000, 0},
    {'c', ARM, 0, 0, SA, 0, 0, 0xfff8000140000000, FP_NV},
    {'c', RV, 0, 0, SA, 0, 0, 0x7ff8000000000000, FP_NV},
    {'h', ARM, 0, 0, 0xffbfe00au, 0, 0, 0xffff, FP_NV},
    {'h', ARM, 0, 0, SC, 0, 0, 0x7e00, FP_NV},
    {'h', RV, 0, 0, QB, 0, 0, 0x7e00, 0},
    {'m', ARM, 0, 0, QA, SB, 0, QUIET(SB), FP_NV},
    {'+', ARM, FZ, FZ_OUT, SUB_MIN | 1u << 31, SUB_MIN | 1u << 31, 0, 1u << 31, FP_ID},
    {'+', ARM, FZ, FZ_OUT, 0x00800001, 0x80800000, 0, 0, FP_UF},
    {'+', ARM, FP_DAZ_FLUSH, FP_FTZ_FLUSH, SUB_MIN, ONE, 0, ONE, 0},
    {'+', ARM, FP_DAZ_FLUSH, FP_FTZ_FLUSH, 0x80800001, 0x00800000, 0, 1u << 31, FP_UF | FP_NX},
    {'+', ARM, FP_DAZ_KEEP_ID, 0, SUB_MIN, SUB_MIN, 0, 2, FP_ID},
    {'+', ARM, FZ, FZ_OUT, SUB_MIN, QB, 0, QB, FP_ID},
    {'*', ARM, FZ, FZ_OUT, 0x80800000, 0x3f000000, 0, 1u << 31, FP_UF},
    {'*', ARM, FZ, FZ_OUT, 0x3f7fffff, 0x00800000, 0, 0, FP_UF}, /* tiny before rounding only */
    {'*', ARM, FZ, FZ_OUT, SUB_MIN, INF, 0, DEF, FP_NV | FP_ID},
    {'/', ARM, FZ, FZ_OUT, ONE, SUB_MIN, 0, INF, FP_DZ | FP_ID},
    {'<', ARM, FZ, FZ_OUT, SUB_MIN, 0, 0, FP_EQ, FP_ID},
    {'<', ARM, 0, 0, SUB_MIN, 0, 0, FP_GT, 0},
    {'i', ARM, FZ, FZ_OUT, SUB_MIN, 0, 0, 0, FP_ID},
    {'i', ARM, 0, 0, SUB_MIN, 0, 0, 0, FP_NX},
    {'h', ARM, FZ, FZ_OUT, 0x38000000, 0, 0, 0x0200, 0}, /* subnormal half kept */
    {'m', ARM, FZ, FZ_OUT, ONE, SUB_MIN, 0, 0, FP_ID},
};

static uint64_t run_rule(struct fp_env *e, const struct rule *t) {
  switch (t->op) {
  case '+': return fp32_add(e, t->a, t->b);
  case '*': return fp32_mul(e, t->a, t->b);
  case '/': return fp32_div(e, t->a, t->b);
  case 'f': return fp32_fma(e, t->a, t->b, t->c);
  case '<': return (uint64_t)fp32_cmp(e, t->a, t->b, 0);
  case 'c': return fp32_to_fp64(e, t->a);
  case 'h': return fp32_to_fp16(e, t->a);
  case 'i': return fp32_to_int(e, t->a, 32, 1, FP_BAD_SATURATE_NANZERO);
  default: return fp32_min(e, t->a, t->b, FP_MINMAX_PROPAGATE, 1);
  }
}

static void test_rules(void **state) {
  (void)state;
  mismatches = 0;
  for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++) {
    const struct rule *t = &rules[i];
    struct fp_env e = {
        .nan = t->nan, .daz = t->daz, .ftz = t->ftz, .tiny = t->nan == ARM ? FP_TINY_BEFORE : 0};
    uint64_t got = run_rule(&e, t);
    if (got != t->want || e.flags != t->flags)
      mismatch((char[]){t->op, 0}, &t->a, 3, 0, got, e.flags, t->want, t->flags);
  }
  assert_int_equal(mismatches, 0);
  struct fp_env e = {.flags = FP_DZ};
  assert_int_equal(fp32_add(&e, ONE, SUB_MIN), ONE);
  assert_int_equal(e.flags, FP_DZ | FP_NX); /* flags accumulate */
}

/* Rounding to odd: narrowing through a wider format must agree with narrowing once. */
static void test_odd(void **state) {
  (void)state;
  mismatches = 0;
  for (long i = 0; i < 200000L * rnd_scale; i++) {
    uint64_t a = rnd_fp(&fmt64, fp32_to_fp64(&(struct fp_env){0}, rnd_fp(&fmt32, 0)));
    if (i & 1) a = fp16_to_fp64(&(struct fp_env){0}, rnd_fp(&fmt16, 0)) + (rnd() & 3) - 1;
    for (int rm = FP_RNE; rm <= FP_RMM; rm++) {
      struct fp_env e = {.rm = FP_ODD}, once = {.rm = (uint8_t)rm};
      uint64_t mid = fp64_to_fp32(&e, a);
      e.rm = (uint8_t)rm;
      uint64_t got = fp32_to_fp16(&e, mid), want = fp64_to_fp16(&once, a);
      if (got != want) mismatch("odd", &a, 1, rm, got, 0, want, 0);
    }
  }
  assert_int_equal(mismatches, 0);
  struct fp_env e = {.rm = FP_ODD};
  assert_int_equal(fp64_to_fp32(&e, 0x7fe0000000000000), 0x7f7fffff); /* overflow */
  assert_int_equal(e.flags, FP_OF | FP_NX);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_odd)};
  rnd_init(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
