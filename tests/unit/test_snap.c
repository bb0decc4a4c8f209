/* In-memory snapshots of RAM: copy on write through every write path, any order of restoring, freeing in between. */
#include "fake_isa.h"

#include <stdlib.h>

#define BASE  0x80000000
#define PAGES 64

static struct phys *memory(void) {
  struct phys *p = phys_new();
  assert_int_equal(phys_add_ram(p, BASE, PAGES / 2 * GUEST_PAGE_SIZE, "low"), 0);
  assert_int_equal(phys_add_ram(p, BASE + PAGES / 2 * GUEST_PAGE_SIZE, PAGES / 2 * GUEST_PAGE_SIZE, "high"),
                   0);
  return p;
}

static gpa_t page(unsigned i) { return BASE + (gpa_t)i * GUEST_PAGE_SIZE; }

static void put(struct phys *p, unsigned i, uint64_t value) {
  assert_int_equal(phys_write(p, page(i) + 8, &value, sizeof value), 0);
}

static uint64_t get(struct phys *p, unsigned i) {
  uint64_t value;
  assert_int_equal(phys_read(p, page(i) + 8, &value, sizeof value), 0);
  return value;
}

static void test_back_and_forth(void **state) {
  (void)state;
  struct phys *p = memory();
  put(p, 1, 10);
  struct phys_snap *a = phys_snap_take(p);
  put(p, 1, 11);
  put(p, 40, 5);
  struct phys_snap *b = phys_snap_take(p);
  put(p, 1, 12);
  assert_int_equal(phys_snap_restore(p, a), 0);
  assert_int_equal(get(p, 1), 10);
  assert_int_equal(get(p, 40), 0);
  put(p, 2, 99); /* another history */
  assert_int_equal(phys_snap_restore(p, b), 0);
  assert_int_equal(get(p, 1), 11);
  assert_int_equal(get(p, 2), 0);
  assert_int_equal(get(p, 40), 5);
  phys_snap_free(p, a);
  assert_int_equal(phys_snap_restore(p, b), 0);
  put(p, 40, 6);
  assert_int_equal(phys_snap_restore(p, b), 0);
  assert_int_equal(get(p, 40), 5);
  phys_free(p); /* frees b */
}

/* A pointer taken for writing, a discarded page and a device's transfer are writes like any other. */
static void test_every_path(void **state) {
  (void)state;
  struct phys *p = memory();
  struct dma_space *d = dma_space_identity(p);
  uint64_t value = 77;
  for (unsigned i = 0; i < 4; i++) put(p, i, i + 1);
  uint64_t hash = phys_hash(p);
  struct phys_snap *s = phys_snap_take(p);
  *(uint64_t *)phys_ptr(p, page(0) + 8, 8, true) = value;
  assert_int_equal(phys_discard(p, page(1), GUEST_PAGE_SIZE), 0);
  assert_int_equal(dma_write(d, page(2) + 8, &value, sizeof value), 0);
  *(uint64_t *)dma_map(d, page(3) + 8, 8, true) = value;
  assert_true(phys_hash(p) != hash);
  assert_int_equal(phys_snap_restore(p, s), 0);
  for (unsigned i = 0; i < 4; i++) assert_int_equal(get(p, i), i + 1);
  assert_true(phys_hash(p) == hash);
  dma_space_free(d);
  phys_free(p);
}

/* Random writes, snapshots, restores and frees against whole copies. */
static void test_against_copies(void **state) {
  (void)state;
  enum { SNAPS = 6 };
  struct phys *p = memory();
  struct phys_snap *snap[SNAPS] = {0};
  uint64_t model[PAGES] = {0}, kept[SNAPS][PAGES];
  srand(1);
  for (unsigned n = 0; n < 20000; n++) {
    unsigned k = (unsigned)rand() % SNAPS, i = (unsigned)rand() % PAGES;
    switch (rand() % 16) {
    case 0:
      phys_snap_free(p, snap[k]);
      snap[k] = phys_snap_take(p);
      assert_non_null(snap[k]);
      memcpy(kept[k], model, sizeof model);
      break;
    case 1:
      if (!snap[k]) break;
      assert_int_equal(phys_snap_restore(p, snap[k]), 0);
      memcpy(model, kept[k], sizeof model);
      break;
    case 2:
      phys_snap_free(p, snap[k]);
      snap[k] = NULL;
      break;
    default: put(p, i, model[i] = (uint64_t)rand()); break;
    }
    i = (unsigned)rand() % PAGES;
    assert_int_equal(get(p, i), model[i]);
    if (n % 100 == 0)
      for (i = 0; i < PAGES; i++) assert_int_equal(get(p, i), model[i]);
  }
  phys_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_back_and_forth),
      cmocka_unit_test(test_every_path),
      cmocka_unit_test(test_against_copies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
