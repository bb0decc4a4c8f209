/* The user-mode address space: rights, holes, splitting and joining of mappings, contents after unmapping. */
#include "fake_isa.h"

#include <errno.h>

#include "mem/flat.h"

#define RW (FLAT_R | FLAT_W)

static struct flat *space;

static struct vcpu *world(void) {
  memset(&fake, 0, sizeof fake);
  struct phys *p = phys_new();
  struct vcpu *v = vcpu_new(&fake_isa, p, 0, 0);
  space = flat_new(p);
  assert_int_equal(flat_attach(space, v), 0);
  return v;
}

static void leave(struct vcpu *v) {
  flat_free(space);
  fake_free(v);
}

static void check_fault(struct vcpu *v, int rc, gva_t va) {
  assert_int_equal(rc, STEP_TRAP);
  assert_int_equal(v->c->trap.kind, FAKE_TRAP_BUS);
  assert_int_equal(v->c->trap.arg[0], va);
}

static void test_rights(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint64_t x = 1;
  gpa_t page;
  const uint8_t *host;
  assert_int_equal(flat_map(space, 0x400000, 0x3000, RW), 0);
  assert_int_equal(mem_store64(v, 0x400ffc, 0, 0x1122334455667788), 0);
  assert_int_equal(mem_load64(v, 0x400ffc, 0, &x), 0);
  assert_int_equal(x, 0x1122334455667788);
  check_fault(v, mem_load64(v, 0x3ffff8, 0, &x), 0x3ffff8);
  check_fault(v, mem_store64(v, 0x402ffc, 0, x), 0x403000);
  check_fault(v, tlb_fetch(v, 0x400010, &page, &host), 0x400010);
  assert_int_equal(flat_protect(space, 0x401000, 0x1000, FLAT_R | FLAT_X), 0);
  check_fault(v, mem_store8(v, 0x401000, 0, 1), 0x401000);
  assert_int_equal(mem_store8(v, 0x402000, 0, 1), 0);
  assert_int_equal(tlb_fetch(v, 0x401010, &page, &host), 0);
  assert_int_equal(page, 0x401000);
  assert_int_equal(flat_prot(space, 0x400fff), RW);
  assert_int_equal(flat_prot(space, 0x401000), FLAT_R | FLAT_X);
  assert_int_equal(flat_prot(space, 0x403000), -1);
  assert_int_equal(flat_protect(space, 0x402000, 0x2000, FLAT_R), -ENOMEM); /* runs into the hole */
  assert_int_equal(mem_store8(v, 0x402000, 0, 1), 0);
  leave(v);
}

static void test_ranges(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint64_t x = 1;
  assert_int_equal(flat_map(space, 0x1000, 0, RW), -EINVAL);
  assert_int_equal(flat_map(space, 0x1001, 0x1000, RW), -EINVAL);
  assert_int_equal(flat_map(space, 0x1000, 0x1001, RW), -EINVAL);
  assert_int_equal(flat_map(space, UINT64_MAX - 0xfff, 0x2000, RW), -EINVAL);
  assert_int_equal(flat_map(space, 0x1ff000, 0x2000, RW), 0); /* across a 2 MiB step */
  assert_int_equal(flat_map(space, 0x200000, 0x1000, RW), -EEXIST);
  assert_int_equal(flat_map(space, 0x201000, 0x1000, RW), 0); /* shares the step's RAM */
  assert_int_equal(flat_map(space, 0x7ffff0000000, 0x800000, RW), 0);
  assert_int_equal(mem_store64(v, 0x1ffffc, 0, 5), 0);
  assert_int_equal(mem_store64(v, 0x7ffff07ffff8, 0, 7), 0);
  assert_int_equal(flat_unmap(space, 0, 0x200000), 0);
  check_fault(v, mem_load64(v, 0x1ff000, 0, &x), 0x1ff000);
  assert_int_equal(mem_store64(v, 0x200ffc, 0, UINT64_MAX), 0);
  assert_int_equal(flat_unmap(space, 0x200000, 0x1000), 0);
  check_fault(v, mem_load64(v, 0x200ffc, 0, &x), 0x200ffc);
  assert_int_equal(flat_map(space, 0x200000, 0x1000, RW), 0);
  assert_int_equal(mem_load64(v, 0x200ffc, 0, &x), 0); /* half new zeros, half kept */
  assert_int_equal(x, UINT64_C(0xffffffff) << 32);
  assert_int_equal(flat_unmap(space, 0, UINT64_MAX & GUEST_PAGE_MASK), 0);
  check_fault(v, mem_load64(v, 0x7ffff07ffff8, 0, &x), 0x7ffff07ffff8);
  leave(v);
}

/* Random map, protect and unmap against one byte of rights per page. */
static void test_model(void **state) {
  (void)state;
  enum { PAGES = 2048 };
  static int model[PAGES];
  struct vcpu *v = world();
  uint64_t r = 7;
  for (int i = 0; i < PAGES; i++) model[i] = -1;
  for (int n = 0; n < 3000; n++) {
    r = r * 6364136223846793005u + 1442695040888963407u;
    unsigned at = r >> 50 & (PAGES - 1), len = (r >> 40 & 63) + 1, prot = r >> 30 & 7, op = r >> 60;
    if (at + len > PAGES) len = PAGES - at;
    gva_t va = 0x10000000 + at * GUEST_PAGE_SIZE;
    unsigned mapped = 0;
    for (unsigned i = at; i < at + len; i++) mapped += model[i] >= 0;
    int rc, want = 0;
    if (op < 6) {
      rc = flat_map(space, va, len * GUEST_PAGE_SIZE, prot);
      want = mapped ? -EEXIST : 0;
    } else if (op < 11) {
      rc = flat_protect(space, va, len * GUEST_PAGE_SIZE, prot);
      want = mapped == len ? 0 : -ENOMEM;
    } else {
      rc = flat_unmap(space, va, len * GUEST_PAGE_SIZE);
    }
    assert_int_equal(rc, want);
    for (unsigned i = at; !rc && i < at + len; i++) model[i] = op < 11 ? (int)prot : -1;
    for (unsigned i = 0; i < PAGES; i += n % 50 ? 37 : 1)
      assert_int_equal(flat_prot(space, 0x10000000 + i * GUEST_PAGE_SIZE), model[i]);
  }
  leave(v);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rights), cmocka_unit_test(test_ranges),
                                     cmocka_unit_test(test_model)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
