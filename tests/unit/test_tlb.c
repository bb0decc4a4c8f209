/* SoftMMU: working sets that must not thrash, contexts and tags, every flush, huge pages, permissions, code pages. */
#include "fake_isa.h"

#define LIVE_SET 256

static uint64_t peek(struct vcpu *v, gva_t a) {
  uint64_t x = 0;
  assert_int_equal(mem_load64(v, a, 0, &x), 0);
  return x;
}

static int try(struct vcpu *v, gva_t a) {
  uint64_t x;
  return mem_load64(v, a, 0, &x);
}

/* 256 pages, ten rounds: as many walks as pages, whatever their addresses have in common. */
static void working_set(uint64_t stride) {
  struct vcpu *v = fake_vcpu(LIVE_SET * GUEST_PAGE_SIZE);
  for (unsigned i = 0; i < LIVE_SET; i++) {
    fake_map(0x4000000000 + i * stride, FAKE_RAM + i * GUEST_PAGE_SIZE, GUEST_PAGE_SIZE, PR | PW | PX);
    uint64_t x = i;
    phys_write(v->c->phys, FAKE_RAM + i * GUEST_PAGE_SIZE + 8, &x, 8);
  }
  for (int round = 0; round < 10; round++)
    for (unsigned i = 0; i < LIVE_SET; i++) assert_int_equal(peek(v, 0x4000000000 + i * stride + 8), i);
  assert_int_equal(fake.walks, LIVE_SET);
  assert_int_equal(v->c->stats.page_walks, LIVE_SET);
  assert_int_equal(v->c->stats.tlb_miss[ACCESS_READ], LIVE_SET);
  /* contiguous pages stay in level 1 (unless it is shrunk for stress) */
  if (stride == GUEST_PAGE_SIZE && TLB_BITS >= 8) assert_int_equal(v->c->stats.tlb_hit[ACCESS_READ], 0);
  fake_free(v);
}

static void test_working_sets(void **state) {
  (void)state;
  static const uint64_t strides[] = {0x1000,   0x2000,    0x3000,     0x10000,     0x200000,
                                     0x800000, 0x1000000, 0x40000000, 0x100000000, 0x7ff000};
  for (unsigned i = 0; i < ARRAY_SIZE(strides); i++) working_set(strides[i]);
}

static void test_random_set(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(LIVE_SET * GUEST_PAGE_SIZE);
  uint64_t r = 1;
  gva_t va[LIVE_SET];
  for (unsigned i = 0; i < LIVE_SET; i++) {
    r = r * 6364136223846793005u + 1442695040888963407u;
    va[i] = (r & ~UINT64_C(0xfffff)) | i << 12;
    fake_map(va[i], FAKE_RAM + i * GUEST_PAGE_SIZE, GUEST_PAGE_SIZE, PR | PW);
  }
  for (int n = 0; n < 20000; n++) {
    r = r * 6364136223846793005u + 1442695040888963407u;
    unsigned i = r >> 40 & (LIVE_SET - 1);
    assert_int_equal(mem_store32(v, va[i] + 4, 0, i), 0);
    assert_int_equal(peek(v, va[i]), (uint64_t)i << 32);
  }
  assert_int_equal(fake.walks, LIVE_SET);
  fake_free(v);
}

static void test_rights(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  gpa_t page;
  const uint8_t *host;
  fake_map(0x1000, FAKE_RAM, 0x1000, PR);
  fake_map(0x2000, FAKE_RAM + 0x1000, 0x1000, PR | PW);
  fake_map(0x3000, FAKE_RAM + 0x2000, 0x1000, PX);
  assert_int_equal(try(v, 0x1000), 0);
  assert_int_equal(mem_store8(v, 0x1000, 0, 1), STEP_TRAP);
  assert_int_equal(v->c->trap.kind, FAKE_TRAP_PAGE);
  assert_int_equal(v->c->trap.arg[1], ACCESS_WRITE);
  assert_int_equal(tlb_fetch(v, 0x1004, &page, &host), STEP_TRAP);
  assert_int_equal(v->c->trap.arg[0], 0x1004); /* the fault names the byte, not the page */
  assert_int_equal(mem_store8(v, 0x2000, 0, 1), 0);
  assert_int_equal(try(v, 0x3000), STEP_TRAP);
  assert_int_equal(tlb_fetch(v, 0x3ffe, &page, &host), 0);
  assert_int_equal(page, FAKE_RAM + 0x2000);
  assert_ptr_equal(host, phys_ptr(v->c->phys, FAKE_RAM + 0x2000, 1, false));
  /* a right that the walk did not grant for caching is asked for again (A and D bits by fault) */
  unsigned before = fake.walks;
  fake.page[0].prot = PR | PW;
  assert_int_equal(mem_store8(v, 0x1000, 0, 1), 0);
  assert_int_equal(fake.walks, before + 1);
  assert_int_equal(mem_store8(v, 0x1001, 0, 1), 0);
  assert_int_equal(try(v, 0x1000), 0);
  assert_int_equal(fake.walks, before + 1);
  fake_free(v);
}

static int one_shot(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  int rc = fake_translate(v, va, access, out);
  out->prot = 0; /* good for this access, not to be remembered */
  return rc;
}

static void test_uncached_translation(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  fake.identity = true;
  v->c->translate = one_shot;
  for (int i = 0; i < 3; i++) assert_int_equal(mem_store64(v, FAKE_RAM, 0, 5), 0);
  assert_int_equal(peek(v, FAKE_RAM), 5);
  assert_int_equal(fake.walks, 4);
  fake_free(v);
}

static void test_contexts(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  uint64_t one = 1, two = 2;
  phys_write(v->c->phys, FAKE_RAM, &one, 8);
  phys_write(v->c->phys, FAKE_RAM + 0x1000, &two, 8);
  fake.asid = 1;
  fake_map(0x5000, FAKE_RAM, 0x1000, PR);
  fake.asid = 2;
  fake_map(0x5000, FAKE_RAM + 0x1000, 0x1000, PR);
  for (int i = 0; i < 5; i++) {
    fake.asid = 1;
    fake_context(v);
    assert_int_equal(peek(v, 0x5000), 1);
    fake.asid = 2;
    fake_context(v);
    assert_int_equal(peek(v, 0x5000), 2);
  }
  assert_int_equal(fake.walks, 2);
  assert_true(v->tag_data && v->tag_data < 4095);
  assert_int_not_equal(v->tag_data, v->tag_fetch);

  tlb_flush_asid(v, 1);
  fake_context(v);
  assert_int_equal(peek(v, 0x5000), 2);
  assert_int_equal(fake.walks, 2);
  fake.asid = 1;
  fake_context(v);
  fake.page[0].pa = FAKE_RAM + 0x1000;
  assert_int_equal(peek(v, 0x5000), 2);
  assert_int_equal(fake.walks, 3);
  fake_free(v);
}

static void test_flush(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  for (unsigned i = 0; i < 8; i++) fake_map(0x10000 + i * 0x1000, FAKE_RAM + i * 0x1000, 0x1000, PR | PW);
  for (unsigned i = 0; i < 8; i++) peek(v, 0x10000 + i * 0x1000);
  const uint32_t tags[2] = {v->tag_data, tlb_context(v, 77, 0)};
  tlb_flush_all(v);
  assert_int_equal(v->tag_data, 0);
  for (unsigned i = 0; i < 8; i++) peek(v, 0x10000 + i * 0x1000); /* tags recompute themselves */
  assert_int_equal(fake.walks, 16);
  assert_int_not_equal(v->tag_data, tags[0]); /* whoever knows something by the old tag will never be asked */
  const uint32_t other = tlb_context(v, 77, 0);
  assert_int_not_equal(other, tags[1]);
  tlb_flush_asid(v, 77);
  assert_int_not_equal(tlb_context(v, 77, 0), other);
  tlb_flush_page(v, 0x12345);
  for (unsigned i = 0; i < 8; i++) peek(v, 0x10000 + i * 0x1000);
  assert_int_equal(fake.walks, 17);
  tlb_flush_page_asid(v, 0x13000, 1); /* another ASID: may, need not, walk again */
  tlb_flush_page_asid(v, 0x13000, 0);
  fake.walks = 0;
  for (unsigned i = 0; i < 8; i++) peek(v, 0x10000 + i * 0x1000);
  assert_int_equal(fake.walks, 1);
  tlb_flush_remote(v);
  assert_int_equal(v->kick, 1);
  fake.npages = 0;
  assert_int_equal(try(v, 0x10000), 0); /* until the next poll */
  tlb_poll(v);
  assert_int_equal(try(v, 0x10000), STEP_TRAP);
  fake_free(v);
}

/* Engines forget what they know of addresses only when a flush may concern code that was fetched. */
static void test_epoch(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  gpa_t page;
  const uint8_t *host;
  uint32_t epoch;
  fake_map(0x5000, FAKE_RAM, 0x1000, PR | PX);
  fake_map(0x6000, FAKE_RAM + 0x1000, 0x1000, PR | PX);
  fake_map(0x400000, FAKE_RAM, 0x10000, PR | PX);
  assert_int_equal(tlb_fetch(v, 0x5000, &page, &host), 0);
  peek(v, 0x6000);
  epoch = v->c->flush_epoch;
  tlb_flush_page(v, 0x6000);
  tlb_flush_page_asid(v, 0x6000, 0);
  assert_int_equal(v->c->flush_epoch, epoch);
  tlb_flush_page(v, 0x5800);
  assert_int_not_equal(v->c->flush_epoch, epoch);

  /* A hit in the TLB is a fetch as well. */
  assert_int_equal(tlb_fetch(v, 0x6000, &page, &host), 0);
  assert_int_equal(tlb_fetch(v, 0x5000, &page, &host), 0);
  tlb_flush_page(v, 0x5000);
  assert_int_equal(tlb_fetch(v, 0x6000, &page, &host), 0);
  epoch = v->c->flush_epoch;
  tlb_flush_page(v, 0x6000);
  assert_int_not_equal(v->c->flush_epoch, epoch);

  /* A huge page goes as a whole, whatever was fetched of it and however it came into the TLB. */
  peek(v, 0x403000);
  assert_int_equal(tlb_fetch(v, 0x405000, &page, &host), 0);
  tlb_flush_page(v, 0x6000);
  assert_int_equal(tlb_fetch(v, 0x405000, &page, &host), 0);
  epoch = v->c->flush_epoch;
  tlb_flush_page(v, 0x40f000);
  assert_int_not_equal(v->c->flush_epoch, epoch);
  fake_free(v);
}

static void test_global(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  fake_map(0x7000, FAKE_RAM, 0x1000, PR);
  fake.page[0].global = true;
  fake_map(0x8000, FAKE_RAM + 0x1000, 0x1000, PR);
  fake.page[1].asid = 3;
  for (unsigned asid = 0; asid < 8; asid++) {
    fake.asid = asid;
    fake_context(v);
    peek(v, 0x7000);
    assert_int_equal(try(v, 0x8000), asid == 3 ? 0 : STEP_TRAP);
  }
  assert_int_equal(fake.walks, 1 + 8);
  tlb_flush_asid(v, 7);
  fake_context(v);
  peek(v, 0x7000);
  assert_int_equal(fake.walks, 9);
  tlb_flush_page(v, 0x7000);
  fake_context(v);
  peek(v, 0x7000);
  assert_int_equal(fake.walks, 10);
  tlb_flush_all(v);
  peek(v, 0x7000);
  assert_int_equal(fake.walks, 11);
  fake_free(v);
}

static void test_huge(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x800000);
  uint64_t x = 77;
  fake_map(0x40000000, FAKE_RAM, 0x40000000, PR | PW);      /* 1 GiB, mostly beyond RAM */
  fake_map(0x100200000, FAKE_RAM + 0x200000, 0x200000, PR); /* 2 MiB */
  phys_write(v->c->phys, FAKE_RAM + 0x345678, &x, 8);
  for (gva_t off = 0; off < 0x800000; off += 0x1000) peek(v, 0x40000000 + off);
  for (gva_t off = 0; off < 0x200000; off += 0x1000) peek(v, 0x100200000 + off);
  assert_int_equal(peek(v, 0x40345678), 77);
  assert_int_equal(peek(v, 0x100345678), 77);
  assert_int_equal(fake.walks, 2);
  assert_int_equal(try(v, 0x40800000), STEP_TRAP);
  assert_int_equal(v->c->trap.kind, FAKE_TRAP_BUS);
  assert_int_equal(fake.walks, 2);

  /* flushing one page drops the huge page and all its fragments, and nothing else */
  tlb_flush_page(v, 0x100201000);
  fake.page[1].pa = FAKE_RAM;
  peek(v, 0x40001000);
  assert_int_equal(fake.walks, 2);
  assert_int_equal(peek(v, 0x100345678), 0);
  assert_int_equal(fake.walks, 3);
  for (gva_t off = 0; off < 0x200000; off += 0x1000) peek(v, 0x100200000 + off);
  assert_int_equal(fake.walks, 3);
  tlb_flush_page_asid(v, 0x7ffff000, 0);
  fake.page[0].pa = FAKE_RAM + 0x200000;
  assert_int_equal(peek(v, 0x40145678), 77);
  fake_free(v);
}

/* 64 MiB of small pages, in any order, and a TLB that is as good as new afterwards. */
static void test_large_set(void **state) {
  (void)state;
  enum { SET = 16384 };
  struct vcpu *v = fake_vcpu(0x400000);
  if (TLB_WALKS >= SET) {
    fake.identity = true;
    for (unsigned again = 1; again < 3; again++) {
      for (unsigned i = 0; i < 4 * SET; i++) (void)try(v, 0x1000000000 + ((uint64_t)(i * 7919 % SET) << 12));
      assert_int_equal(fake.walks, again * SET);
      tlb_reset(v);
    }
  }
  fake_free(v);
}

/* A huge page that falls out of level 2 takes its fragments along, else a page flush could not find them. */
static void test_huge_evicted(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x400000);
  fake_map(0x40000000, FAKE_RAM, 0x200000, PR);
  for (gva_t off = 0; off < 0x200000; off += 0x1000) peek(v, 0x40000000 + off);
  fake.identity = true;
  for (unsigned i = 0; i <= TLB_WALKS; i++) /* fills level 2, all at one level 1 index */
    (void)try(v, 0x1000000000 + ((uint64_t)i << (12 + TLB_BITS)));
  fake.identity = false;
  tlb_flush_page(v, 0x40000000);
  fake.npages = 0;
  for (gva_t off = 0; off < 0x200000; off += 0x1000) assert_int_equal(try(v, 0x40000000 + off), STEP_TRAP);
  fake_free(v);
}

/* More contexts than there are tags: old translations never come back under a reused tag. */
static void test_tags_run_out(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x400000);
  for (unsigned asid = 0; asid < 1000; asid++) {
    uint64_t x = asid;
    phys_write(v->c->phys, FAKE_RAM + asid * 0x1000, &x, 8);
    fake.asid = asid;
    fake_map(0x6000, FAKE_RAM + asid * 0x1000, 0x1000, PR);
  }
  for (unsigned n = 0; n < 20000; n++) {
    fake.asid = n * 7919 % 1000;
    fake_context(v);
    assert_int_equal(peek(v, 0x6000), fake.asid);
    if (n % 5 == 0) tlb_flush_asid(v, fake.asid);
    if (n % 997 == 0) tlb_flush_all(v);
  }
  /* tags asked for together stay distinct and valid across exhaustion */
  for (unsigned n = 0; n < 5000; n++) {
    uint32_t tag[4];
    for (unsigned i = 0; i < 4; i++) tag[i] = tlb_context(v, n, 10 + i);
    for (unsigned i = 0; i < 4; i++) {
      assert_int_equal(tlb_context(v, n, 10 + i), tag[i]);
      for (unsigned k = 0; k < i; k++) assert_int_not_equal(tag[i], tag[k]);
    }
  }
  fake_free(v);
}

static void test_tag_reuse_sees_nothing_old(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  fake_map(0x6000, FAKE_RAM, 0x1000, PR);
  fake_context(v);
  assert_int_equal(try(v, 0x6000), 0);
  uint32_t tag = v->tag_data;
  do {
    fake.asid++;
    fake_context(v);
    assert_true(fake.asid < 10000);
  } while (v->tag_data != tag);
  assert_int_equal(try(v, 0x6000), STEP_TRAP);
  fake_free(v);
}

/* Data and fetch may map one address to different pages (another mode); the shared level 1 entry must not mix them. */
static void test_split_code_and_data(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  uint64_t one = 1;
  gpa_t page;
  const uint8_t *host;
  fake_map(0x6000, FAKE_RAM, 0x1000, PR);
  fake_map(0x6000, FAKE_RAM + 0x3000, 0x1000, PX);
  phys_write(v->c->phys, FAKE_RAM, &one, 8);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(peek(v, 0x6000), 1);
    assert_int_equal(tlb_fetch(v, 0x6000, &page, &host), 0);
    assert_int_equal(page, FAKE_RAM + 0x3000);
    assert_ptr_equal(host, phys_ptr(v->c->phys, FAKE_RAM + 0x3000, 1, false));
  }
  assert_int_equal(fake.walks, 2);
  fake_free(v);
}

/* Random maps, unmaps, switches and flushes against a model without a TLB. */
static void test_model(void **state) {
  (void)state;
  enum { PAGES = 64, ASIDS = 4 };
  static struct {
    bool on, stale;
    unsigned frame;
  } model[ASIDS][PAGES];
  memset(model, 0, sizeof model);
  struct vcpu *v = fake_vcpu(0x100000);
  for (unsigned i = 0; i < 256; i++) {
    uint64_t x = i;
    phys_write(v->c->phys, FAKE_RAM + i * 0x1000, &x, 8);
  }
  fake.npages = ASIDS * PAGES;
  uint64_t r = 42;
  for (int n = 0; n < 200000; n++) {
    r = r * 6364136223846793005u + 1442695040888963407u;
    unsigned op = r >> 60, a = r >> 50 & (ASIDS - 1), p = r >> 40 & (PAGES - 1), frame = r >> 30 & 255;
    gva_t va = 0x100000 + ((uint64_t)(p & 7) << 23) + ((uint64_t)(p >> 3) << 12);
    if (op == 0) { /* change a mapping, then flush it one way or another */
      model[a][p].on = frame & 1;
      model[a][p].frame = frame;
      fake.page[a * PAGES + p] = (struct fake_page){
          .va = va, .pa = FAKE_RAM + frame * 0x1000, .size = 0x1000, .asid = a, .prot = frame & 1 ? PR : 0};
      switch (r >> 20 & 3) {
      case 0: tlb_flush_page(v, va); break;
      case 1: tlb_flush_page_asid(v, va + 8, a); break;
      case 2: tlb_flush_asid(v, a); break;
      case 3: tlb_flush_all(v); break;
      }
      fake_context(v);
    } else if (op < 3) {
      fake.asid = a;
      fake_context(v);
    } else {
      uint64_t x = 0;
      int rc = mem_load64(v, va, 0, &x);
      bool on = model[fake.asid][p].on;
      assert_int_equal(rc, on ? 0 : STEP_TRAP);
      if (on) assert_int_equal(x, model[fake.asid][p].frame);
    }
  }
  fake_free(v);
}

static unsigned ndropped;
static void on_code(void *opaque, gpa_t page) {
  (void)opaque;
  assert_int_equal(page, FAKE_RAM);
  ndropped++;
}

static void test_code_pages(void **state) {
  (void)state;
  struct vcpu *v = fake_vcpu(0x10000);
  uint32_t old;
  uint8_t ok;
  fake_map(0x1000, FAKE_RAM, 0x1000, PR | PW | PX);
  fake_map(0x9000, FAKE_RAM, 0x1000, PR | PW); /* an alias */
  phys_set_code_listener(v->c->phys, on_code, NULL);
  ndropped = 0;
  for (unsigned path = 0; path < 7; path++) {
    assert_int_equal(mem_store8(v, 0x1000, 0, 1), 0); /* both in the TLB, writable */
    assert_int_equal(mem_store8(v, 0x9000, 0, 1), 0);
    assert_int_equal(phys_code_mark(v->c->phys, FAKE_RAM), 0);
    if (path & 1) tlb_flush_all(v);
    peek(v, 0x1000); /* a read must not bring the right to write back */
    peek(v, 0x9000);
    assert_int_equal(ndropped, path);
    switch (path) {
    case 0: mem_store8(v, 0x1fff, 0, 1); break;
    case 1: mem_store64(v, 0x9008, ORDER_SEQCST, 1); break;
    case 2: mem_rmw32(v, 0x9010, 0, RMW_ADD, 1, &old); break;
    case 3: mem_cas32(v, 0x1010, 0, 1, 2, &old); break;
    case 4:
      mem_load_ex32(v, 0x1010, 0, &old);
      mem_store_ex32(v, 0x1010, 0, 3, &ok);
      assert_int_equal(ok, 1);
      break;
    case 5: mem_fill(v, 0x1040, 64, 0); break;
    case 6: mem_store16(v, 0x9ffe, 0, 0); break;
    }
    assert_int_equal(ndropped, path + 1);
  }
  fake_free(v);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_working_sets),
                                     cmocka_unit_test(test_random_set),
                                     cmocka_unit_test(test_rights),
                                     cmocka_unit_test(test_uncached_translation),
                                     cmocka_unit_test(test_contexts),
                                     cmocka_unit_test(test_flush),
                                     cmocka_unit_test(test_epoch),
                                     cmocka_unit_test(test_global),
                                     cmocka_unit_test(test_huge),
                                     cmocka_unit_test(test_large_set),
                                     cmocka_unit_test(test_huge_evicted),
                                     cmocka_unit_test(test_tags_run_out),
                                     cmocka_unit_test(test_tag_reuse_sees_nothing_old),
                                     cmocka_unit_test(test_split_code_and_data),
                                     cmocka_unit_test(test_model),
                                     cmocka_unit_test(test_code_pages)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
