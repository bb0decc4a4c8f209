/* core/histogram.h: cells cover every number once, quantiles are what sorting gives, up to an eighth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/histogram.h"

static void test_cells(void **state) {
  (void)state;
  for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
    const uint64_t last = histogram_last(i);
    assert_int_equal(histogram_cell(last), i);
    if (i + 1 < HISTOGRAM_CELLS) assert_int_equal(histogram_cell(last + 1), i + 1);
  }
  assert_int_equal(histogram_cell(0), 0);
  assert_true(histogram_last(HISTOGRAM_CELLS - 1) == UINT64_MAX);
}

static int by_value(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void test_quantiles(void **state) {
  (void)state;
  static uint64_t value[5000];
  uint64_t x = 1;
  for (unsigned n = 1; n <= 5000; n = n * 3 + 1) {
    struct histogram h = {{0}}, part = {{0}};
    for (unsigned i = 0; i < n; i++) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      value[i] = x >> (x & 63);
      histogram_count(i % 2 ? &h : &part, value[i]);
    }
    histogram_add(&h, &part);
    qsort(value, n, sizeof *value, by_value);
    for (unsigned percent = 1; percent <= 100; percent++) {
      const uint64_t want = value[(n * percent + 99) / 100 - 1], got = histogram_quantile(&h, percent);
      assert_true(got >= want && got - want <= want / 8);
    }
  }
  assert_int_equal(histogram_quantile(&(struct histogram){{0}}, 50), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_quantiles)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
