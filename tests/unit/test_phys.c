/* The guest-physical map: regions, overlaps, the write hook in all its paths, MMIO, DMA, the dirty log. */
#include "fake_isa.h"

#include <errno.h>

static gpa_t dropped[16];
static unsigned ndropped;
static void on_code(void *opaque, gpa_t page) {
  assert_ptr_equal(opaque, dropped);
  dropped[ndropped++ % 16] = page;
}

static struct phys *two_regions(void) {
  struct phys *p = phys_new();
  assert_int_equal(phys_add_ram(p, 0x80000000, 0x10000, "low"), 0);
  assert_int_equal(phys_add_ram(p, 0x80010000, 0x10000, "high"), 0);
  ndropped = 0;
  phys_set_code_listener(p, on_code, dropped);
  return p;
}

static void test_regions(void **state) {
  (void)state;
  struct phys *p = two_regions();
  static const struct mmio_ops none = {0};
  fake_capture();
  assert_int_equal(phys_add_ram(p, 0x8000f000, 0x2000, "bad"), -EEXIST);
  assert_non_null(strstr(fake_log, "overlaps low"));
  assert_int_equal(phys_add_mmio(p, 0x8001fff8, 16, &none, NULL, "dev"), -EEXIST);
  assert_int_equal(phys_add_mmio(p, 0x7ffffff8, 16, &none, NULL, "dev"), -EEXIST);
  assert_int_equal(phys_add_ram(p, 0x1001, 0x1000, "odd"), -EINVAL);
  assert_int_equal(phys_add_ram(p, 0x1000, 0, "empty"), -EINVAL);
  assert_int_equal(phys_add_ram(p, UINT64_MAX - 0xfff, 0x2000, "wraps"), -EINVAL);
  assert_int_equal(phys_add_ram(p, 0, UINT64_C(1) << 63, "absurd"), -ENOMEM);
  assert_int_equal(phys_add_mmio(p, UINT64_MAX - 0xff, 0x100, &none, NULL, "top"), 0);
  assert_int_equal(phys_add_mmio(p, 0x1000, 0x100, &none, NULL, "bottom"), 0);
  log_set_sink(NULL, NULL);

  static const char *const names[] = {"bottom", "low", "high", "top"};
  struct phys_info i;
  for (unsigned n = 0; n < 4; n++) {
    assert_true(phys_region(p, n, &i));
    assert_string_equal(i.name, names[n]);
    assert_int_equal(i.ram, n == 1 || n == 2);
  }
  assert_false(phys_region(p, 4, &i));
  assert_int_equal(phys_set_node(p, 0x80010000, 3), 0);
  assert_int_equal(phys_set_node(p, 0x80011000, 3), -ENOENT);
  phys_region(p, 2, &i);
  assert_int_equal(i.node, 3);
  phys_free(p);
}

static void test_copy(void **state) {
  (void)state;
  struct phys *p = two_regions();
  char in[] = "across the seam", out[sizeof in];
  assert_int_equal(phys_write(p, 0x80010000 - 5, in, sizeof in), 0);
  assert_int_equal(phys_read(p, 0x80010000 - 5, out, sizeof in), 0);
  assert_string_equal(in, out);
  assert_null(phys_ptr(p, 0x80010000 - 5, sizeof in, false)); /* two regions: no one pointer */
  assert_non_null(phys_ptr(p, 0x80010000, sizeof in, false));
  assert_null(phys_ptr(p, 0x8001fff0, 17, false));
  assert_null(phys_ptr(p, 0x80000000, UINT64_MAX, false));
  memset(out, 7, sizeof out);
  assert_int_equal(phys_read(p, 0x80020000 - 1, out, 2), -EFAULT);
  assert_int_equal(out[0], 7); /* nothing transferred */
  assert_int_equal(phys_write(p, 0x80020000 - 1, in, 2), -EFAULT);
  assert_int_equal(*(uint8_t *)phys_ptr(p, 0x80020000 - 1, 1, false), 0);
  assert_int_equal(phys_discard(p, 0x8000f000, 0x2000), 0);
  assert_int_equal(phys_read(p, 0x80010000 - 5, out, 1), 0);
  assert_int_equal(out[0], 0);
  phys_free(p);
}

/* From the middle of a page to the middle of another: the neighbours stay, and the pages between are given back rather than
 * written. */
static void test_discard(void **state) {
  (void)state;
  struct phys *p = phys_new();
  const uint64_t base = 0x80000000, size = 64ull << 30;
  const uint8_t ones[4] = {1, 1, 1, 1};
  uint8_t out[4];
  assert_int_equal(phys_add_ram(p, base, size, "ram"), 0);
  const uint64_t first = base + 0x2ff, last = base + size - 0x301;
  for (int far = 0; far < 2; far++) {
    uint64_t lo = first, hi = far ? last : first + 2;
    assert_int_equal(phys_write(p, lo - 2, ones, 4), 0);
    assert_int_equal(phys_write(p, hi - 2, ones, 4), 0);
    assert_int_equal(phys_discard(p, lo, hi - lo), 0);
    assert_int_equal(phys_read(p, lo - 2, out, 4), 0);
    assert_memory_equal(out, "\1\1\0\0", 4);
    assert_int_equal(phys_read(p, hi - 2, out, 4), 0);
    assert_memory_equal(out, "\0\0\1\1", 4);
  }
  phys_free(p);
}

static void test_hook(void **state) {
  (void)state;
  struct phys *p = two_regions();
  struct dma_space *d = dma_space_identity(p);
  uint64_t x = 1;
  assert_int_equal(phys_code_mark(p, 0x1000), -ENOENT);
  for (int path = 0; path < 6; path++) {
    ndropped = 0;
    assert_int_equal(phys_code_mark(p, 0x80003000), 0);
    assert_true(phys_is_code(p, 0x80003abc));
    phys_read(p, 0x80003000, &x, 8);
    phys_ptr(p, 0x80003000, 8, false);
    phys_write(p, 0x80002ff8, &x, 8);
    phys_write(p, 0x80004000, &x, 8);
    assert_int_equal(ndropped, 0);
    switch (path) {
    case 0: phys_write(p, 0x80002fff, &x, 8); break;
    case 1: phys_ptr(p, 0x80003fff, 1, true); break;
    case 2: dma_write(d, 0x80003ff9, &x, 8); break;
    case 3: dma_map(d, 0x80002000, 0x4000, true); break;
    case 4: dma_wrote(d, 0x80003008, 1); break;
    case 5: phys_discard(p, 0x80003000, 0x1000); break;
    }
    assert_int_equal(ndropped, 1);
    assert_int_equal(dropped[0], 0x80003000);
    assert_false(phys_is_code(p, 0x80003000));
    phys_write(p, 0x80003000, &x, 8); /* plain again: told once */
    assert_int_equal(ndropped, 1);
  }
  dma_space_free(d);
  phys_free(p);
}

static void test_dirty(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x80000);
  struct phys *p = v->c->phys;
  uint64_t bits[2];
  fake.identity = true;
  assert_int_equal(mem_store64(v, FAKE_RAM + 0x3000, 0, 1), 0);
  assert_int_equal(phys_dirty_take(p, FAKE_RAM, bits), -ENOENT); /* off */
  assert_int_equal(phys_dirty_log(p, true), 0);
  uint64_t x;
  assert_int_equal(mem_load64(v, FAKE_RAM + 0x4000, 0, &x), 0);
  for (int round = 0; round < 2; round++) { /* the fast path must not hide a write, the second time neither */
    assert_int_equal(mem_store64(v, FAKE_RAM + 0x3000, 0, 1), 0);
    assert_int_equal(mem_store64(v, FAKE_RAM + 0x3008, 0, 1), 0);
    assert_int_equal(mem_store8(v, FAKE_RAM + 0x7f000, 0, 1), 0);
    phys_write(p, FAKE_RAM + 0x40000 - 1, "ab", 2);
    assert_int_equal(phys_dirty_take(p, FAKE_RAM, bits), 4);
    assert_int_equal(bits[0], UINT64_C(1) << 3 | UINT64_C(1) << 63);
    assert_int_equal(bits[1], UINT64_C(1) << 63 | 1);
  }
  assert_int_equal(phys_dirty_take(p, FAKE_RAM, bits), 0);
  assert_int_equal(phys_dirty_log(p, false), 0);
  fake_free(v);
}

static uint64_t mmio_seen[4];
static int mmio_read(void *opaque, uint64_t off, unsigned size, uint64_t *value) {
  (void)opaque;
  if (off == 0x20) return -EINVAL;
  *value = 0x1000 * size + off;
  return 0;
}
static int mmio_write(void *opaque, uint64_t off, unsigned size, uint64_t value) {
  (void)opaque;
  mmio_seen[0]++, mmio_seen[1] = off, mmio_seen[2] = size, mmio_seen[3] = value;
  return 0;
}
static void on_mmio(void *opaque, const char *name, gpa_t pa, unsigned size, bool write, uint64_t value,
                    int rc) {
  snprintf(opaque, 100, "%s %llx %u %d %llx %d", name ? name : "-", (unsigned long long)pa, size, write,
           (unsigned long long)value, rc);
}

static void test_mmio(void **state) {
  (void)state;
  static const struct mmio_ops ops = {mmio_read, mmio_write};
  struct phys *p = two_regions();
  char seen[100];
  uint64_t x;
  assert_int_equal(phys_add_mmio(p, 0x1000, 0x44, &ops, NULL, "dev"), 0);
  phys_set_mmio_observer(p, on_mmio, seen);
  assert_int_equal(phys_mmio_read(p, 0x1010, 4, &x), 0);
  assert_int_equal(x, 0x4010);
  assert_string_equal(seen, "dev 1010 4 0 4010 0");
  assert_int_equal(phys_mmio_write(p, 0x1018, 8, 99), 0);
  assert_int_equal(mmio_seen[1], 0x18);
  assert_string_equal(seen, "dev 1018 8 1 63 0");
  assert_int_equal(phys_mmio_read(p, 0x1020, 4, &x), -EINVAL);
  assert_int_equal(phys_mmio_read(p, 0x1040, 8, &x), -ENOENT); /* leaves the window */
  assert_int_equal(phys_mmio_read(p, 0x80000000, 8, &x), -ENOENT);
  assert_string_equal(seen, "- 80000000 8 0 0 -2");
  assert_int_equal(phys_mmio_write(p, 0x2000, 8, x), -ENOENT);
  phys_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_regions), cmocka_unit_test(test_copy),
                                     cmocka_unit_test(test_discard), cmocka_unit_test(test_hook),
                                     cmocka_unit_test(test_dirty),   cmocka_unit_test(test_mmio)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
