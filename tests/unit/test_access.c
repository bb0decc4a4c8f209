/* Loads, stores, atomics and exclusives: widths, alignment, page crossings, device memory, faults that change nothing. */
#include "fake_isa.h"

#include <errno.h>
#include <pthread.h>

static struct {
  uint64_t off, value;
  unsigned size, reads, writes;
} dev;

static int dev_read(void *opaque, uint64_t off, unsigned size, uint64_t *value) {
  (void)opaque;
  dev.off = off, dev.size = size, dev.reads++;
  if (off >= 0x800) return -EINVAL;
  *value = UINT64_C(0x8877665544332211);
  return 0;
}

static int dev_write(void *opaque, uint64_t off, unsigned size, uint64_t value) {
  (void)opaque;
  dev.off = off, dev.size = size, dev.value = value, dev.writes++;
  return off >= 0x800 ? -EINVAL : 0;
}

/* RAM pages at 0x1000 and 0x2000 (far apart in physical memory), a hole at 0x3000, a device at 0x5000 behind RAM at
 * 0x4000, nothing physical at 0x7000. */
static struct vcpu *world(void) {
  static const struct mmio_ops ops = {dev_read, dev_write};
  struct vcpu *v = fake_vcpu(0x10000);
  assert_int_equal(phys_add_mmio(v->c->phys, 0x10000000, 0x1000, &ops, NULL, "dev"), 0);
  fake_map(0x1000, FAKE_RAM + 0x5000, 0x1000, PR | PW);
  fake_map(0x2000, FAKE_RAM + 0x2000, 0x1000, PR | PW);
  fake_map(0x4000, FAKE_RAM + 0x4000, 0x1000, PR | PW);
  fake_map(0x5000, 0x10000000, 0x1000, PR | PW);
  fake_map(0x7000, 0x20000000, 0x1000, PR | PW);
  memset(&dev, 0, sizeof dev);
  return v;
}

static void check_trap(struct vcpu *v, int rc, unsigned kind, gva_t va, enum access access) {
  assert_int_equal(rc, STEP_TRAP);
  assert_int_equal(v->c->trap.kind, kind);
  assert_int_equal(v->c->trap.arg[0], va);
  assert_int_equal(v->c->trap.arg[1], access);
}

static const unsigned orders[] = {ORDER_RELAXED, ORDER_TSO, ORDER_ACQUIRE, ORDER_RELEASE, ORDER_SEQCST};

#define WIDTH(W, T)                                                                                    \
  static void width##W(struct vcpu *v, unsigned order) {                                               \
    for (gva_t a = 0x2000 - 20; a < 0x2000 + 20; a++) {                                                \
      T in = (T)(UINT64_C(0x8182838485868788) * (a | 1)), out = 0;                                     \
      uint8_t bytes[sizeof(T)];                                                                        \
      assert_int_equal(mem_store##W(v, a, order, in), 0);                                              \
      for (unsigned i = 0; i < sizeof(T); i++) assert_int_equal(mem_load8(v, a + i, 0, &bytes[i]), 0); \
      assert_memory_equal(bytes, &in, sizeof(T));                                                      \
      assert_int_equal(mem_load##W(v, a, order, &out), 0);                                             \
      assert_true(in == out);                                                                          \
    }                                                                                                  \
    T out;                                                                                             \
    check_trap(v, mem_load##W(v, 0x3000, order, &out), FAKE_TRAP_PAGE, 0x3000, ACCESS_READ);           \
    check_trap(v, mem_store##W(v, 0x3000, order, 1), FAKE_TRAP_PAGE, 0x3000, ACCESS_WRITE);            \
    check_trap(v, mem_load##W(v, 0x7000, order, &out), FAKE_TRAP_BUS, 0x7000, ACCESS_READ);            \
    check_trap(v, mem_store##W(v, 0x7000, order, 1), FAKE_TRAP_BUS, 0x7000, ACCESS_WRITE);             \
  }
WIDTH(8, uint8_t)
WIDTH(16, uint16_t)
WIDTH(32, uint32_t)
WIDTH(64, uint64_t)
WIDTH(128, u128)

static void test_widths(void **state) {
  (void)state;
  struct vcpu *v = world();
  for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) {
    width8(v, orders[i]);
    width16(v, orders[i]);
    width32(v, orders[i]);
    width64(v, orders[i]);
    width128(v, orders[i]);
  }
  fake_free(v);
}

/* A store whose second page faults leaves the first page alone. */
static void test_store_crossing_into_a_fault(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint64_t x;
  assert_int_equal(mem_store64(v, 0x2ff8, 0, 0x1122334455667788), 0);
  check_trap(v, mem_store64(v, 0x2ffc, 0, 0), FAKE_TRAP_PAGE, 0x3000, ACCESS_WRITE);
  check_trap(v, mem_store128(v, 0x2ff1, 0, 0), FAKE_TRAP_PAGE, 0x3000, ACCESS_WRITE);
  check_trap(v, mem_rmw32(v, 0x2ffe, 0, RMW_SWAP, 0, &(uint32_t){0}), FAKE_TRAP_PAGE, 0x3000, ACCESS_WRITE);
  assert_int_equal(mem_load64(v, 0x2ff8, 0, &x), 0);
  assert_int_equal(x, 0x1122334455667788);
  check_trap(v, mem_load64(v, 0x2ffc, 0, &x), FAKE_TRAP_PAGE, 0x3000, ACCESS_READ);
  check_trap(v, mem_load16(v, 0x3fff, 0, &(uint16_t){0}), FAKE_TRAP_PAGE, 0x3fff, ACCESS_READ);
  check_trap(v, mem_store64(v, 0x4ffc, 0, 0), FAKE_TRAP_BUS, 0x5000, ACCESS_WRITE); /* RAM, then a device */
  check_trap(v, mem_load64(v, UINT64_MAX - 3, 0, &x), FAKE_TRAP_PAGE, UINT64_MAX - 3, ACCESS_READ);
  assert_int_equal(dev.writes, 0);
  fake_free(v);
}

static void test_device(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint64_t x;
  uint32_t w;
  uint16_t h;
  u128 q;
  for (int i = 1; i < 4; i++) { /* never from the TLB's fast path */
    assert_int_equal(mem_load32(v, 0x5010, 0, &w), 0);
    assert_int_equal(w, 0x44332211);
    assert_int_equal(dev.reads, i);
    assert_int_equal(mem_store16(v, 0x5012, ORDER_RELEASE, 0xbeef), 0);
    assert_int_equal(dev.writes, i);
    assert_int_equal(dev.off, 0x12);
    assert_int_equal(dev.size, 2);
    assert_int_equal(dev.value, 0xbeef);
  }
  assert_int_equal(fake.walks, 1);
  assert_int_equal(mem_load128(v, 0x5020, 0, &q), 0);
  assert_true(q == ((u128)0x8877665544332211 << 64 | 0x8877665544332211));
  assert_int_equal(dev.off, 0x28);
  check_trap(v, mem_load64(v, 0x5800, 0, &x), FAKE_TRAP_BUS, 0x5800, ACCESS_READ);
  check_trap(v, mem_store8(v, 0x5801, 0, 1), FAKE_TRAP_BUS, 0x5801, ACCESS_WRITE);
  unsigned reads = dev.reads;
  check_trap(v, mem_load16(v, 0x5011, 0, &h), FAKE_TRAP_BUS, 0x5011, ACCESS_READ);
  check_trap(v, mem_rmw64(v, 0x5010, 0, RMW_ADD, 1, &x), FAKE_TRAP_BUS, 0x5010, ACCESS_WRITE);
  check_trap(v, mem_load_ex64(v, 0x5010, 0, &x), FAKE_TRAP_BUS, 0x5010, ACCESS_READ);
  check_trap(v, mem_fill(v, 0x4fc0, 128, 0), FAKE_TRAP_BUS, 0x5000, ACCESS_WRITE);
  assert_int_equal(dev.reads, reads);
  const uint8_t *host;
  gpa_t page;
  fake_map(0x6000, 0x10000000, 0x1000, PX);
  assert_int_equal(tlb_fetch(v, 0x6004, &page, &host), 0);
  assert_null(host);
  assert_int_equal(page, 0x10000000);
  fake_free(v);
}

/* Expected values worked out by hand from the operations' definitions. */
static void test_rmw(void **state) {
  (void)state;
  static const struct {
    enum mem_rmw op;
    uint32_t old, arg, new;
  } cases[] = {
      {RMW_SWAP, 1, 2, 2},
      {RMW_ADD, 0xffffffff, 2, 1},
      {RMW_AND, 0xf0f0, 0xff00, 0xf000},
      {RMW_OR, 0xf0f0, 0xff00, 0xfff0},
      {RMW_XOR, 0xf0f0, 0xff00, 0x0ff0},
      {RMW_ANDNOT, 0xf0f0, 0xff00, 0x00f0},
      {RMW_MIN_S, 0x80000000, 1, 0x80000000},
      {RMW_MAX_S, 0x80000000, 1, 1},
      {RMW_MIN_U, 0x80000000, 1, 1},
      {RMW_MAX_U, 0x80000000, 1, 0x80000000},
      {RMW_MIN_S, 5, 0xffffffff, 0xffffffff},
      {RMW_MAX_U, 5, 0xffffffff, 0xffffffff},
  };
  /* aligned, odd within 16 bytes, across 16-byte blocks, across pages */
  static const gva_t where[] = {0x1010, 0x1013, 0x101e, 0x1ffe, 0x1fff};
  struct vcpu *v = world();
  for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
    for (unsigned k = 0; k < ARRAY_SIZE(where); k++) {
      uint32_t old = 0, now = 0;
      uint8_t before = 0, after = 0;
      mem_store8(v, where[k] - 1, 0, 0xa5);
      mem_store8(v, where[k] + 4, 0, 0x5a);
      assert_int_equal(mem_store32(v, where[k], 0, cases[i].old), 0);
      assert_int_equal(mem_rmw32(v, where[k], ORDER_SEQCST, cases[i].op, cases[i].arg, &old), 0);
      assert_int_equal(old, cases[i].old);
      assert_int_equal(mem_load32(v, where[k], 0, &now), 0);
      assert_int_equal(now, cases[i].new);
      mem_load8(v, where[k] - 1, 0, &before);
      mem_load8(v, where[k] + 4, 0, &after);
      assert_int_equal(before, 0xa5);
      assert_int_equal(after, 0x5a);
    }
  uint8_t b;
  uint16_t h;
  uint64_t d;
  mem_store64(v, 0x1020, 0, 0x80ff);
  assert_int_equal(mem_rmw8(v, 0x1020, 0, RMW_MAX_S, 1, &b), 0);
  assert_int_equal(b, 0xff);
  assert_int_equal(mem_rmw16(v, 0x1020, 0, RMW_MIN_S, 0, &h), 0);
  assert_int_equal(h, 0x8001);
  assert_int_equal(mem_rmw64(v, 0x1020, 0, RMW_ADD, UINT64_MAX, &d), 0);
  assert_int_equal(d, 0x8001);
  mem_load64(v, 0x1020, 0, &d);
  assert_int_equal(d, 0x8000);
  fake_free(v);
}

static void test_cas(void **state) {
  (void)state;
  static const gva_t where[] = {0x1010, 0x1011, 0x1019, 0x1ff8, 0x1ffb};
  struct vcpu *v = world();
  for (unsigned k = 0; k < ARRAY_SIZE(where); k++) {
    uint64_t old, now;
    mem_store64(v, where[k], 0, 10);
    assert_int_equal(mem_cas64(v, where[k], 0, 11, 12, &old), 0);
    assert_int_equal(old, 10);
    mem_load64(v, where[k], 0, &now);
    assert_int_equal(now, 10);
    assert_int_equal(mem_cas64(v, where[k], 0, 10, 12, &old), 0);
    assert_int_equal(old, 10);
    mem_load64(v, where[k], 0, &now);
    assert_int_equal(now, 12);
    u128 wide, ones = ~(u128)0, value = (u128)1 << 100 | 5;
    mem_store128(v, where[k], 0, ones);
    assert_int_equal(mem_cas128(v, where[k], 0, 0, value, &wide), 0);
    assert_true(wide == ones);
    assert_int_equal(mem_cas128(v, where[k], 0, ones, value, &wide), 0);
    mem_load128(v, where[k], 0, &wide);
    assert_true(wide == value);
  }
  fake_free(v);
}

static void test_exclusive(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint32_t w;
  uint64_t d;
  uint8_t ok = 9;
  fake_map(0x8000, FAKE_RAM + 0x5000, 0x1000, PR | PW); /* alias of 0x1000 */
  mem_store64(v, 0x1000, 0, 5);
  assert_int_equal(mem_store_ex32(v, 0x1000, 0, 1, &ok), 0); /* no reservation */
  assert_int_equal(ok, 0);
  assert_int_equal(mem_store_ex32(v, 0x3000, 0, 1, &ok), 0); /* nor a fault */
  mem_load_ex32(v, 0x1000, 0, &w);
  assert_int_equal(w, 5);
  assert_int_equal(mem_store_ex32(v, 0x8000, 0, 6, &ok), 0); /* physical address counts */
  assert_int_equal(ok, 1);
  assert_int_equal(mem_store_ex32(v, 0x1000, 0, 7, &ok), 0); /* used up */
  assert_int_equal(ok, 0);
  mem_load_ex32(v, 0x1000, 0, &w);
  mem_store_ex32(v, 0x1004, 0, 1, &ok); /* elsewhere */
  assert_int_equal(ok, 0);
  mem_load_ex32(v, 0x1000, 0, &w);
  mem_store_ex64(v, 0x1000, 0, 1, &ok); /* other size */
  assert_int_equal(ok, 0);
  mem_load_ex64(v, 0x1000, 0, &d);
  mem_store8(v, 0x1001, 0, 1); /* value changed */
  mem_store_ex64(v, 0x1000, 0, 1, &ok);
  assert_int_equal(ok, 0);
  mem_load_ex64(v, 0x1000, 0, &d);
  mem_excl_clear(v);
  mem_store_ex64(v, 0x1000, 0, 1, &ok);
  assert_int_equal(ok, 0);
  mem_load64(v, 0x1000, 0, &d);
  assert_int_equal(d, 0x106);
  u128 q;
  mem_load_ex128(v, 0x1000, 0, &q);
  mem_store_ex128(v, 0x1000, 0, ~(u128)0, &ok);
  assert_int_equal(ok, 1);
  mem_load64(v, 0x1008, 0, &d);
  assert_int_equal(d, UINT64_MAX);
  fake_free(v);
}

static void test_probe_and_fill(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint64_t x;
  assert_int_equal(mem_probe(v, 0x1ff0, 0x1010, ACCESS_WRITE), 0);
  check_trap(v, mem_probe(v, 0x1ff0, 0x1011, ACCESS_WRITE), FAKE_TRAP_PAGE, 0x3000, ACCESS_WRITE);
  assert_int_equal(mem_probe(v, 0x3000, 0, ACCESS_WRITE), 0);
  assert_int_equal(mem_fill(v, 0x1ff8, 16, 0xab), 0);
  mem_load64(v, 0x2000, 0, &x);
  assert_int_equal(x, 0xabababababababab);
  check_trap(v, mem_fill(v, 0x2000, 0x1001, 0), FAKE_TRAP_PAGE, 0x3000, ACCESS_WRITE);
  mem_load64(v, 0x2000, 0, &x);
  assert_int_equal(x, 0xabababababababab);
  mem_fence(0);
  mem_fence(0x33);
  fake_free(v);
}

/* Two vCPUs on two threads: aligned and misaligned atomics lose no update. */
static struct vcpu *pair[2];
static void *hammer(void *arg) {
  struct vcpu *v = arg;
  uint32_t old;
  uint64_t d;
  uint8_t ok;
  for (int i = 0; i < 20000; i++) {
    mem_rmw32(v, FAKE_RAM, 0, RMW_ADD, 1, &old);
    mem_rmw32(v, FAKE_RAM + 0x11, 0, RMW_ADD, 1, &old); /* within a block */
    mem_rmw32(v, FAKE_RAM + 0x2e, 0, RMW_ADD, 1, &old); /* across blocks */
    do {
      mem_load_ex64(v, FAKE_RAM + 0x40, 0, &d);
      mem_store_ex64(v, FAKE_RAM + 0x40, 0, d + 1, &ok);
    } while (!ok);
  }
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  pthread_t t;
  uint32_t w;
  uint64_t d;
  pair[0] = fake_vcpu(0x10000);
  fake.identity = true;
  pair[1] = vcpu_new(&fake_isa, pair[0]->c->phys, 1, 0);
  for (int i = 0; i < 2; i++)
    mem_rmw32(pair[i], FAKE_RAM, 0, RMW_ADD, 0, &w); /* walk before, on this thread */
  assert_int_equal(pthread_create(&t, NULL, hammer, pair[1]), 0);
  hammer(pair[0]);
  pthread_join(t, NULL);
  static const gpa_t at[] = {0, 0x11, 0x2e};
  for (unsigned i = 0; i < 3; i++) {
    mem_load32(pair[0], FAKE_RAM + at[i], 0, &w);
    assert_int_equal(w, 40000);
  }
  mem_load64(pair[0], FAKE_RAM + 0x40, 0, &d);
  assert_int_equal(d, 40000);
  vcpu_free(pair[1]);
  fake_free(pair[0]);
}

static void test_vcpu_signals(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x1000);
  vcpu_irq(v, 9, true);
  assert_int_equal(v->c->irq_lines, 1 << 9);
  assert_int_equal(v->kick, 1);
  v->kick = 0;
  vcpu_irq(v, 9, true); /* no edge */
  assert_int_equal(v->kick, 0);
  vcpu_irq(v, 63, true);
  vcpu_irq(v, 9, false);
  assert_true(v->c->irq_lines == UINT64_C(1) << 63);
  fake_free(v);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_widths),
                                     cmocka_unit_test(test_store_crossing_into_a_fault),
                                     cmocka_unit_test(test_device),
                                     cmocka_unit_test(test_rmw),
                                     cmocka_unit_test(test_cas),
                                     cmocka_unit_test(test_exclusive),
                                     cmocka_unit_test(test_probe_and_fill),
                                     cmocka_unit_test(test_threads),
                                     cmocka_unit_test(test_vcpu_signals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
