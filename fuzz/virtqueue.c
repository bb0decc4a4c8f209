/* Drivers that write anything anywhere: a VirtIO device behind MMIO, rings and buffers in memory that the input fills.
 *
 * Input: device (byte), features (byte), queue size (byte), then steps of one byte each with their operands:
 *   0 bytes into RAM (offset 16 bits, count 8 bits, bytes)      4 read a register (offset 8 bits)
 *   1 a descriptor (index 8, address 32, length 16, flags 8, next 8)   5 input from outside (count 8, bytes)
 *   2 make a head available and notify (queue 1, head 8)        6 ring addresses anywhere (queue 1, three of 64 bits)
 *   3 write a register (offset 8, value 32)                     7 reset and set up again */
#include "devices/virtio/virtio.h"
#include "fuzz/rig.h"

enum { R_STATUS = 0x70, R_NOTIFY = 0x50, RING = 0x4000, MAX_STEPS = 400 };
static const char *const kinds[] = {"rng", "console"};

static void place(struct rig *r, unsigned queue, unsigned num, uint64_t desc, uint64_t avail, uint64_t used) {
  rig_write(r, 0x30, 4, queue);
  rig_write(r, 0x38, 4, num);
  rig_write(r, 0x80, 4, (uint32_t)desc);
  rig_write(r, 0x84, 4, desc >> 32);
  rig_write(r, 0x90, 4, (uint32_t)avail);
  rig_write(r, 0x94, 4, avail >> 32);
  rig_write(r, 0xa0, 4, (uint32_t)used);
  rig_write(r, 0xa4, 4, used >> 32);
  rig_write(r, 0x44, 4, 1);
}

static uint64_t ring(unsigned queue) { return RIG_RAM + (uint64_t)(queue + 1) * RING; }

static void negotiate(struct rig *r, uint8_t features) {
  rig_write(r, R_STATUS, 4, 0);
  rig_write(r, R_STATUS, 4, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
  rig_write(r, 0x24, 4, 0);
  rig_write(r, 0x20, 4, (uint32_t)(features & 3) << 28);
  rig_write(r, 0x24, 4, 1);
  rig_write(r, 0x20, 4, 1 ^ (features >> 2 & 1));
  rig_write(r, R_STATUS, 4, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
}

static void set_up(struct rig *r, uint8_t features, unsigned num) {
  negotiate(r, features);
  for (unsigned q = 0; q < 2; q++) place(r, q, num, ring(q), ring(q) + 0x1000, ring(q) + 0x2000);
  rig_write(r, R_STATUS, 4, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

static void fill(struct rig *r, uint64_t at, const void *bytes, size_t n) {
  if (n && at < RIG_RAM_SIZE && n <= RIG_RAM_SIZE - at) phys_write(r->m->phys, RIG_RAM + at, bytes, n);
}

static void offer(struct rig *r, unsigned queue, unsigned num, uint16_t head) {
  uint64_t avail = ring(queue) + 0x1000;
  uint16_t idx = 0;
  phys_read(r->m->phys, avail + 2, &idx, sizeof idx);
  phys_write(r->m->phys, avail + 4 + 2ull * (num ? idx % num : 0), &head, sizeof head);
  idx++;
  phys_write(r->m->phys, avail + 2, &idx, sizeof idx);
  rig_write(r, R_NOTIFY, 4, queue);
}

static void descriptor(struct rig *r, struct input *in) {
  struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
  } d;
  unsigned index = (unsigned)take(in, 1);
  uint32_t addr = (uint32_t)take(in, 4);
  /* mostly inside RAM, where more happens */
  d.addr = addr >> 31 ? (uint64_t)addr << 32 | addr : RIG_RAM + addr % RIG_RAM_SIZE;
  d.len = (uint32_t)take(in, 2);
  if (addr >> 30 == 3) d.len <<= 16;
  d.flags = (uint16_t)take(in, 1);
  d.next = (uint16_t)take(in, 1);
  fill(r, ring(index >> 7) - RIG_RAM + 16ull * (index & 127), &d, sizeof d);
}

static void step(struct rig *r, struct input *in, uint8_t features, unsigned num) {
  const uint8_t *bytes;
  uint64_t a, b;
  unsigned queue;
  size_t got;
  switch (take(in, 1) & 7) {
  case 0:
    a = take(in, 2) * 4;
    bytes = take_bytes(in, (size_t)take(in, 1), &got);
    fill(r, a, bytes, got);
    break;
  case 1: descriptor(r, in); break;
  case 2:
    queue = (unsigned)take(in, 1);
    offer(r, queue & 1, num, (uint16_t)take(in, 1));
    break;
  case 3:
    a = take(in, 1);
    rig_write(r, a * 4 % RIG_WINDOW, 4, take(in, 4));
    break;
  case 4: rig_read(r, take(in, 1) * 4 % RIG_WINDOW, 4); break;
  case 5:
    bytes = take_bytes(in, (size_t)take(in, 1), &got);
    rig_type(r, bytes, got);
    break;
  case 6:
    queue = (unsigned)take(in, 1) & 1;
    a = take(in, 8);
    b = take(in, 8);
    negotiate(r, features);
    place(r, queue, num, a, b, take(in, 8));
    rig_write(r, R_STATUS, 4, 15);
    rig_write(r, R_NOTIFY, 4, queue);
    break;
  case 7: set_up(r, features, num); break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct input in = {data, n};
  struct rig r;
  char text[1];
  const char *kind = kinds[take(&in, 1) % ARRAY_SIZE(kinds)];
  uint8_t features = (uint8_t)take(&in, 1);
  unsigned num = (unsigned)take(&in, 1), order = num & 15;
  num = num >> 7 ? num : 1u << (order > 9 ? 3 : order); /* seldom no power of two, or too large */
  struct prop kid = {.key = (char *)"device", .type = PROP_STR, .str = (char *)kind, .len = strlen(kind)};
  struct prop props = {.type = PROP_TABLE, .kid = &kid, .nkids = 1};
  fuzz_quiet();
  rig_new(&r, "virtio_mmio", &props);
  set_up(&r, features, num);
  for (unsigned i = 0; in.left && i < MAX_STEPS; i++) step(&r, &in, features, num);
  MUST(device_print(r.d, text, sizeof text) > 0);
  r.inside = true;
  device_reset(r.d);
  MUST(rig_read(&r, R_STATUS, 4) == 0); /* a reset always brings it back */
  rig_free(&r);
  return 0;
}
