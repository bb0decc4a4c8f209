/* VirtIO over MMIO: negotiation, working rings, and a table of drivers that break the rules (VirtIO 1.2). */
#include <errno.h>

#include "device_rig.h"

enum { R_STATUS = 0x70, R_ISR = 0x60, R_ACK = 0x64, R_NOTIFY = 0x50 };
#define RAM            0x80000000ull
#define DESC           (RAM + 0x1000)
#define AVAIL          (RAM + 0x2000)
#define USED           (RAM + 0x3000)
#define BUF            (RAM + 0x4000)
#define INDIRECT_TABLE (RAM + 0x8000)

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
#define F_INDIRECT (1ull << 28)
#define F_EVENT    (1ull << 29)
#define F_V1       (1ull << 32)

struct desc {
  uint64_t addr;
  uint32_t len;
  uint16_t flags, next;
};

static struct rig *open_device(const char *device) {
  struct prop kid = {.key = (char *)"device", .type = PROP_STR, .str = (char *)device, .len = strlen(device)};
  struct prop props = rig_table(&kid, 1);
  return rig_new("virtio_mmio", 1, &props);
}

static void *ram(struct rig *r, uint64_t pa) { return phys_ptr(r->m->phys, pa, 1, true); }
static void put16(struct rig *r, uint64_t pa, uint16_t v) { memcpy(ram(r, pa), &v, 2); }
static uint16_t get16(struct rig *r, uint64_t pa) {
  uint16_t v;
  memcpy(&v, ram(r, pa), 2);
  return v;
}
static uint32_t get32(struct rig *r, uint64_t pa) {
  uint32_t v;
  memcpy(&v, ram(r, pa), 4);
  return v;
}
static void put_desc(struct rig *r, uint64_t table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
                     uint16_t next) {
  struct desc d = {addr, len, flags, next};
  memcpy(ram(r, table + 16 * i), &d, sizeof d);
}

static void queue_setup(struct rig *r, unsigned q, unsigned num, uint64_t desc, uint64_t avail,
                        uint64_t used) {
  wr(r, 0x30, 4, q);
  wr(r, 0x38, 4, num);
  wr(r, 0x80, 4, desc & 0xffffffff);
  wr(r, 0x84, 4, desc >> 32);
  wr(r, 0x90, 4, avail & 0xffffffff);
  wr(r, 0x94, 4, avail >> 32);
  wr(r, 0xa0, 4, used & 0xffffffff);
  wr(r, 0xa4, 4, used >> 32);
  wr(r, 0x44, 4, 1);
}

static void negotiate(struct rig *r, uint64_t features) {
  wr(r, R_STATUS, 4, 0);
  wr(r, R_STATUS, 4, 1);
  wr(r, R_STATUS, 4, 3);
  wr(r, 0x24, 4, 0);
  wr(r, 0x20, 4, features & 0xffffffff);
  wr(r, 0x24, 4, 1);
  wr(r, 0x20, 4, features >> 32);
  wr(r, R_STATUS, 4, 0xb);
}

static void start(struct rig *r, uint64_t features, unsigned queue) {
  negotiate(r, features);
  assert_int_equal(rd(r, R_STATUS, 4), 0xb);
  queue_setup(r, queue, 8, DESC, AVAIL, USED);
  assert_int_equal(rd(r, 0x44, 4), 1);
  wr(r, R_STATUS, 4, 0xf);
}

/* Makes descriptor `head` available and notifies. */
static void offer(struct rig *r, unsigned queue, uint16_t head) {
  uint16_t idx = get16(r, AVAIL + 2);
  put16(r, AVAIL + 4 + 2 * (idx % 8), head);
  put16(r, AVAIL + 2, idx + 1);
  wr(r, R_NOTIFY, 4, queue);
}

/* ---- Registers ---- */

static void identity(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  assert_int_equal(rd(r, 0, 4), 0x74726976);
  assert_int_equal(rd(r, 4, 4), 2);
  assert_int_equal(rd(r, 8, 4), 4);
  wr(r, 0x14, 4, 1);
  assert_int_equal(rd(r, 0x10, 4) & 1, 1); /* VERSION_1 */
  wr(r, 0x14, 4, 2);
  assert_int_equal(rd(r, 0x10, 4), 0);
  wr(r, 0x30, 4, 0);
  assert_true(rd(r, 0x34, 4) >= 8);
  wr(r, 0x30, 4, 1);
  assert_int_equal(rd(r, 0x34, 4), 0); /* one queue only */
  wr(r, 0x30, 4, 0xffffffff);
  assert_int_equal(rd(r, 0x34, 4), 0);
  wr(r, 0x44, 4, 1);
  wr(r, R_NOTIFY, 4, 0xffffffff);
  assert_int_equal(rd(r, 0xb0, 4), 0xffffffff);
  rig_free(r);
}

static void empty_slot(void **state) {
  (void)state;
  struct rig *r = rig_new("virtio_mmio", 1, NULL);
  assert_int_equal(rd(r, 0, 4), 0x74726976);
  assert_int_equal(rd(r, 8, 4), 0);
  for (uint64_t off = 0; off < 0x200; off += 4) wr(r, off, 4, 0xffffffff);
  assert_int_equal(rd(r, R_STATUS, 4), 0);
  rig_free(r);
}

static void features_must_be_offered(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  negotiate(r, F_V1 | 1);
  assert_int_equal(rd(r, R_STATUS, 4) & 8, 0);
  negotiate(r, 0); /* a legacy driver */
  assert_int_equal(rd(r, R_STATUS, 4) & 8, 0);
  wr(r, R_STATUS, 4, 7); /* starts anyway */
  assert_int_equal(rd(r, R_STATUS, 4) & 0x40, 0x40);
  rig_free(r);
}

/* ---- Working rings ---- */

static void rng_fills(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  static const uint8_t zero[32];
  start(r, F_V1, 0);
  put_desc(r, DESC, 0, BUF, 16, NEXT | WRITE, 1);
  put_desc(r, DESC, 1, BUF + 16, 16, WRITE, 0);
  offer(r, 0, 0);
  assert_int_equal(get16(r, USED + 2), 1);
  assert_int_equal(get32(r, USED + 4), 0);
  assert_int_equal(get32(r, USED + 8), 32);
  assert_memory_not_equal(ram(r, BUF), zero, 16);
  assert_memory_not_equal(ram(r, BUF + 16), zero, 16);
  assert_memory_equal(ram(r, BUF + 32), zero, 32);
  assert_true(r->level[0]);
  assert_int_equal(rd(r, R_ISR, 4), 1);
  wr(r, R_ACK, 4, 1);
  assert_false(r->level[0]);
  rig_free(r);
}

static void ring_wraps(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  start(r, F_V1, 0);
  for (unsigned i = 0; i < 70000; i++) {
    put_desc(r, DESC, i % 8, BUF, 4, WRITE, 0);
    offer(r, 0, (uint16_t)(i % 8));
    if (get16(r, USED + 2) != (uint16_t)(i + 1) || get32(r, USED + 4 + 8 * (i % 8)) != i % 8)
      fail_msg("at %u", i);
  }
  rig_free(r);
}

static void interrupts_can_be_suppressed(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  start(r, F_V1, 0);
  put_desc(r, DESC, 0, BUF, 4, WRITE, 0);
  put16(r, AVAIL, 1);
  offer(r, 0, 0);
  assert_int_equal(get16(r, USED + 2), 1);
  assert_false(r->level[0]);
  rig_free(r);
}

static void event_index(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  start(r, F_V1 | F_EVENT, 0);
  put_desc(r, DESC, 0, BUF, 4, WRITE, 0);
  put16(r, AVAIL + 4 + 16, 2); /* used_event: tell me about the third */
  offer(r, 0, 0);
  wr(r, R_ACK, 4, 3);
  offer(r, 0, 0);
  assert_false(r->level[0]);
  offer(r, 0, 0);
  assert_true(r->level[0]);
  assert_int_equal(get16(r, USED + 4 + 64), 3); /* avail_event follows */
  wr(r, R_ACK, 4, 3);
  offer(r, 0, 0);
  assert_false(r->level[0]);
  rig_free(r);
}

static void indirect_tables(void **state) {
  (void)state;
  struct rig *r = open_device("console");
  start(r, F_V1 | F_INDIRECT, 1);
  memcpy(ram(r, BUF), "one two", 7);
  put_desc(r, INDIRECT_TABLE, 0, BUF, 4, NEXT, 1);
  put_desc(r, INDIRECT_TABLE, 1, BUF + 4, 3, 0, 0);
  put_desc(r, DESC, 5, INDIRECT_TABLE, 32, INDIRECT, 0);
  offer(r, 1, 5);
  assert_int_equal(r->nout, 7);
  assert_memory_equal(r->out, "one two", 7);
  assert_int_equal(get32(r, USED + 4), 5);
  assert_int_equal(get32(r, USED + 8), 0);
  rig_free(r);
}

/* Readable pieces first, then a writable one, zero lengths, and pieces larger than the device's own buffer. */
static void console_transmits_long_chains(void **state) {
  (void)state;
  struct rig *r = open_device("console");
  start(r, F_V1, 1);
  for (unsigned i = 0; i < 1500; i++) *(char *)ram(r, BUF + i) = (char)('a' + i % 26);
  put_desc(r, DESC, 0, BUF, 700, NEXT, 3);
  put_desc(r, DESC, 3, BUF, 0, NEXT, 2);
  put_desc(r, DESC, 2, BUF + 700, 800, NEXT, 1);
  put_desc(r, DESC, 1, BUF + 0x1000, 8, WRITE, 0);
  offer(r, 1, 0);
  assert_int_equal(r->nout, 1500);
  for (unsigned i = 0; i < 1500; i++) assert_int_equal(r->out[i], 'a' + i % 26);
  rig_free(r);
}

static void console_receives_with_back_pressure(void **state) {
  (void)state;
  struct rig *r = open_device("console");
  rig_type(r, "early");
  assert_int_equal(r->taken, 0); /* no driver yet: input waits */
  start(r, F_V1, 0);
  put_desc(r, DESC, 0, BUF, 3, WRITE, 0);
  put_desc(r, DESC, 1, BUF + 16, 64, WRITE, 0);
  offer(r, 0, 0);
  assert_int_equal(get16(r, USED + 2), 1);
  assert_int_equal(get32(r, USED + 8), 3);
  assert_memory_equal(ram(r, BUF), "ear", 3);
  offer(r, 0, 1);
  assert_int_equal(get16(r, USED + 2), 2);
  assert_memory_equal(ram(r, BUF + 16), "ly", 2);
  rig_type(r, "later");
  assert_int_equal(get16(r, USED + 2), 2);
  offer(r, 0, 1);
  assert_memory_equal(ram(r, BUF + 16), "later", 5);
  rig_free(r);
}

static void reset_forgets(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  start(r, F_V1, 0);
  put_desc(r, DESC, 0, BUF, 4, WRITE, 0);
  offer(r, 0, 0);
  assert_true(r->level[0]);
  wr(r, R_STATUS, 4, 0);
  assert_false(r->level[0]);
  assert_int_equal(rd(r, R_STATUS, 4), 0);
  wr(r, 0x30, 4, 0);
  assert_int_equal(rd(r, 0x44, 4), 0);
  wr(r, R_NOTIFY, 4, 0);
  assert_int_equal(get16(r, USED + 2), 1);
  rig_free(r);
}

/* ---- Hostile rings: each breaks the device, exactly once, until it is reset ---- */

static void head_out_of_range(struct rig *r) { offer(r, 0, 8); }
static void head_far_out(struct rig *r) { offer(r, 0, 0xffff); }
static void next_out_of_range(struct rig *r) {
  put_desc(r, DESC, 0, BUF, 4, NEXT | WRITE, 8);
  offer(r, 0, 0);
}
static void self_loop(struct rig *r) {
  put_desc(r, DESC, 0, BUF, 4, NEXT | WRITE, 0);
  offer(r, 0, 0);
}
static void long_loop(struct rig *r) {
  for (unsigned i = 0; i < 8; i++) put_desc(r, DESC, i, BUF, 4, NEXT | WRITE, (uint16_t)((i + 1) % 8));
  offer(r, 0, 0);
}
static void buffer_outside(struct rig *r) {
  put_desc(r, DESC, 0, 0x1000, 4, WRITE, 0);
  offer(r, 0, 0);
}
static void buffer_over_end(struct rig *r) {
  put_desc(r, DESC, 0, RAM + (1 << 20) - 2, 4, WRITE, 0);
  offer(r, 0, 0);
}
static void buffer_wraps(struct rig *r) {
  put_desc(r, DESC, 0, UINT64_MAX - 1, 16, WRITE, 0);
  offer(r, 0, 0);
}
static void buffer_on_mmio(struct rig *r) {
  put_desc(r, DESC, 0, RIG_BASE, 4, WRITE, 0);
  offer(r, 0, 0);
}
static void too_long(struct rig *r) {
  put_desc(r, DESC, 0, RAM, 0xffffffff, NEXT | WRITE, 1);
  put_desc(r, DESC, 1, RAM, 0xffffffff, WRITE, 0);
  offer(r, 0, 0);
}
static void read_after_write(struct rig *r) {
  put_desc(r, DESC, 0, BUF, 4, NEXT | WRITE, 1);
  put_desc(r, DESC, 1, BUF, 4, 0, 0);
  offer(r, 0, 0);
}
static void index_jumps(struct rig *r) {
  put16(r, AVAIL + 2, 9);
  wr(r, R_NOTIFY, 4, 0);
}
static void index_goes_back(struct rig *r) {
  put16(r, AVAIL + 2, 0xffff);
  wr(r, R_NOTIFY, 4, 0);
}
static void indirect_nested(struct rig *r) {
  put_desc(r, INDIRECT_TABLE, 0, INDIRECT_TABLE, 16, INDIRECT, 0);
  put_desc(r, DESC, 0, INDIRECT_TABLE, 16, INDIRECT, 0);
  offer(r, 0, 0);
}
static void indirect_with_next(struct rig *r) {
  put_desc(r, INDIRECT_TABLE, 0, BUF, 4, WRITE, 0);
  put_desc(r, DESC, 0, INDIRECT_TABLE, 16, INDIRECT | NEXT, 1);
  offer(r, 0, 0);
}
static void indirect_empty(struct rig *r) {
  put_desc(r, DESC, 0, INDIRECT_TABLE, 0, INDIRECT, 0);
  offer(r, 0, 0);
}
static void indirect_odd(struct rig *r) {
  put_desc(r, DESC, 0, INDIRECT_TABLE, 17, INDIRECT, 0);
  offer(r, 0, 0);
}
static void indirect_outside(struct rig *r) {
  put_desc(r, DESC, 0, 0x4000000000, 32, INDIRECT, 0);
  offer(r, 0, 0);
}
static void indirect_wraps(struct rig *r) {
  put_desc(r, DESC, 0, UINT64_MAX - 15, 32, INDIRECT, 0);
  offer(r, 0, 0);
}
static void indirect_next_out(struct rig *r) {
  put_desc(r, INDIRECT_TABLE, 0, BUF, 4, NEXT | WRITE, 2);
  put_desc(r, DESC, 0, INDIRECT_TABLE, 32, INDIRECT, 0);
  offer(r, 0, 0);
}
static void indirect_loop(struct rig *r) {
  put_desc(r, INDIRECT_TABLE, 0, BUF, 4, NEXT | WRITE, 1);
  put_desc(r, INDIRECT_TABLE, 1, BUF, 4, NEXT | WRITE, 0);
  put_desc(r, DESC, 0, INDIRECT_TABLE, 32, INDIRECT, 0);
  offer(r, 0, 0);
}
static void indirect_huge(struct rig *r) { /* a table of 2^28 entries, all linked in memory that exists */
  for (unsigned i = 0; i < 64; i++) put_desc(r, INDIRECT_TABLE, i, BUF, 4, NEXT | WRITE, (uint16_t)(i + 1));
  put_desc(r, DESC, 0, INDIRECT_TABLE, 0xfffffff0, INDIRECT, 0);
  offer(r, 0, 0);
}

#define BAD(fn) \
  { #fn, fn, 0, 0, 0, 0 }
static const struct bad {
  const char *name;
  void (*play)(struct rig *r);
  uint64_t desc, avail, used; /* instead of play: where the rings are */
  unsigned num;
} bad_rings[] = {
    BAD(head_out_of_range),
    BAD(head_far_out),
    BAD(next_out_of_range),
    BAD(self_loop),
    BAD(long_loop),
    BAD(buffer_outside),
    BAD(buffer_over_end),
    BAD(buffer_wraps),
    BAD(buffer_on_mmio),
    BAD(too_long),
    BAD(read_after_write),
    BAD(index_jumps),
    BAD(index_goes_back),
    BAD(indirect_nested),
    BAD(indirect_with_next),
    BAD(indirect_empty),
    BAD(indirect_odd),
    BAD(indirect_outside),
    BAD(indirect_wraps),
    BAD(indirect_next_out),
    BAD(indirect_loop),
    BAD(indirect_huge),
    {"desc outside", NULL, 0x1000, AVAIL, USED, 8},
    {"avail outside", NULL, DESC, 0x1000, USED, 8},
    {"used outside", NULL, DESC, AVAIL, 0x1000, 8},
    {"used past the end", NULL, DESC, AVAIL, RAM + (1 << 20) - 4, 8},
    {"avail past the end", NULL, DESC, RAM + (1 << 20) - 2, USED, 8},
    {"desc past the end", NULL, RAM + (1 << 20), AVAIL, USED, 8},
    {"desc misaligned", NULL, DESC + 8, AVAIL, USED, 8},
    {"avail misaligned", NULL, DESC, AVAIL + 1, USED, 8},
    {"used misaligned", NULL, DESC, AVAIL, USED + 2, 8},
    {"desc wraps", NULL, UINT64_MAX - 15, AVAIL, USED, 8},
    {"used wraps", NULL, DESC, AVAIL, UINT64_MAX - 3, 8},
    {"no entries", NULL, DESC, AVAIL, USED, 0},
    {"not a power of two", NULL, DESC, AVAIL, USED, 6},
    {"too many entries", NULL, DESC, AVAIL, USED, 512},
    {"far too many entries", NULL, DESC, AVAIL, USED, 0x10008},
};

static void hostile_rings(void **state) {
  (void)state;
  for (unsigned i = 0; i < ARRAY_SIZE(bad_rings); i++) {
    const struct bad *b = &bad_rings[i];
    struct rig *r = open_device("rng");
    negotiate(r, F_V1 | F_INDIRECT);
    if (b->play) queue_setup(r, 0, 8, DESC, AVAIL, USED);
    else queue_setup(r, 0, b->num, b->desc, b->avail, b->used);
    wr(r, R_STATUS, 4, 0xf);
    put_desc(r, DESC, 1, BUF, 4, WRITE, 0);
    if (b->play) b->play(r);
    else offer(r, 0, 1);
    if (!(rd(r, R_STATUS, 4) & 0x40)) fail_msg("%s: device did not ask for a reset", b->name);
    if (b->play && !(rd(r, R_ISR, 4) & 2)) fail_msg("%s: no configuration interrupt", b->name);
    if (r->warnings != 1) fail_msg("%s: %u warnings", b->name, r->warnings);
    /* nothing more happens, and no second warning */
    uint16_t used = get16(r, USED + 2);
    for (unsigned k = 0; k < 3; k++) wr(r, R_NOTIFY, 4, 0);
    wr(r, R_STATUS, 4, 0xf);
    assert_int_equal(rd(r, R_STATUS, 4) & 0x40, 0x40);
    assert_int_equal(get16(r, USED + 2), used);
    assert_int_equal(r->warnings, 1);
    /* a reset brings it back */
    memset(ram(r, RAM + 0x1000), 0, 0x8000);
    start(r, F_V1, 0);
    put_desc(r, DESC, 0, BUF, 4, WRITE, 0);
    offer(r, 0, 0);
    if (get16(r, USED + 2) != 1) fail_msg("%s: does not work after a reset", b->name);
    rig_free(r);
  }
}

static void indirect_needs_the_feature(void **state) {
  (void)state;
  struct rig *r = open_device("rng");
  start(r, F_V1, 0);
  put_desc(r, INDIRECT_TABLE, 0, BUF, 4, WRITE, 0);
  put_desc(r, DESC, 0, INDIRECT_TABLE, 16, INDIRECT, 0);
  offer(r, 0, 0);
  assert_int_equal(rd(r, R_STATUS, 4) & 0x40, 0x40);
  rig_free(r);
}

static uint64_t rnd_state;
static uint64_t rnd(void) {
  rnd_state ^= rnd_state << 13;
  rnd_state ^= rnd_state >> 7;
  return rnd_state ^= rnd_state << 17;
}

/* Random rings, random registers: whatever happens, the host survives (run under sanitizers). Fixed seed. */
static void random_drivers(void **state) {
  (void)state;
  rnd_state = 88172645463325252ull;
  for (unsigned round = 0; round < 300; round++) {
    struct rig *r = open_device(round & 1 ? "console" : "rng");
    start(r, F_V1 | F_INDIRECT | (round & 2 ? F_EVENT : 0), round & 1);
    for (unsigned i = 0; i < 8; i++) {
      uint64_t place = rnd() % 4 ? BUF + rnd() % 4096 : rnd();
      put_desc(r, DESC, i, place, (uint32_t)(rnd() % 3 ? rnd() % 64 : rnd()), rnd() & 7, rnd() % 9);
      put_desc(r, INDIRECT_TABLE, i, place, (uint32_t)(rnd() % 64), rnd() & 3, rnd() % 9);
    }
    put_desc(r, DESC, rnd() % 8, INDIRECT_TABLE, 16 * (1 + rnd() % 8), INDIRECT, 0);
    for (unsigned i = 0; i < 8; i++) offer(r, round & 1, (uint16_t)(rnd() % 8));
    rig_type(r, "input");
    for (unsigned i = 0; i < 200; i++) {
      uint64_t off = rnd() % 0x140, v;
      phys_mmio_write(r->m->phys, RIG_BASE + (rnd() & 1 ? off & ~3ull : off), 1u << rnd() % 4,
                      rnd() & 1 ? rnd() : rnd() % 16);
      phys_mmio_read(r->m->phys, RIG_BASE + off, 1u << rnd() % 4, &v);
      r->nout = 0;
    }
    rig_free(r);
  }
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(identity),
      cmocka_unit_test(empty_slot),
      cmocka_unit_test(features_must_be_offered),
      cmocka_unit_test(rng_fills),
      cmocka_unit_test(ring_wraps),
      cmocka_unit_test(interrupts_can_be_suppressed),
      cmocka_unit_test(event_index),
      cmocka_unit_test(indirect_tables),
      cmocka_unit_test(console_transmits_long_chains),
      cmocka_unit_test(console_receives_with_back_pressure),
      cmocka_unit_test(reset_forgets),
      cmocka_unit_test(hostile_rings),
      cmocka_unit_test(indirect_needs_the_feature),
      cmocka_unit_test(random_drivers),
  };
  return cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
}
