/* A machine without processors for fuzz targets of one device: RAM, a chardev that drops output, wires that check that
 * they are driven from inside the device's calls only. */
#ifndef ISOMER_FUZZ_RIG_H
#define ISOMER_FUZZ_RIG_H

#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/props.h"
#include "fuzz/fuzz.h"
#include "mem/phys.h"

#define RIG_BASE 0x10000000ull
#define RIG_RAM  0x80000000ull
enum { RIG_RAM_SIZE = 1 << 18, RIG_WINDOW = 0x1000 };

struct rig {
  struct machine *m;
  struct device *d;
  struct dma_space *dma;
  struct chardev c;
  bool inside; /* a call into the device is going on */
};

static inline void rig_irq(void *opaque, unsigned line, bool level) {
  struct rig *r = opaque;
  (void)line;
  (void)level;
  MUST(r->inside);
}

static inline void rig_out(struct chardev *c, const uint8_t *bytes, size_t n) {
  (void)c;
  MUST(n && bytes[0] + bytes[n - 1] >= 0); /* both ends can be read */
}

static inline void rig_new(struct rig *r, const char *kind, const struct prop *props) {
  static const struct chardev_ops ops = {.name = "fuzz", .write = rig_out};
  *r = (struct rig){.m = machine_new(NULL), .inside = true};
  MUST(r->m);
  r->c = (struct chardev){.ops = &ops, .machine = r->m};
  MUST(!phys_add_ram(r->m->phys, RIG_RAM, RIG_RAM_SIZE, "ram"));
  r->dma = dma_space_identity(r->m->phys);
  MUST(r->dma);
  struct irq irq = {.set = rig_irq, .opaque = r};
  struct device_site site = {.id = kind,
                             .dma = r->dma,
                             .chardev = &r->c,
                             .base = RIG_BASE,
                             .size = RIG_WINDOW,
                             .irqs = &irq,
                             .nirqs = 1};
  MUST(!device_new(r->m, device_find(kind), &site, props, &r->d));
  r->inside = false;
}

static inline void rig_free(struct rig *r) {
  r->inside = true;
  device_free(r->d);
  dma_space_free(r->dma);
  machine_free(r->m);
}

static inline void rig_write(struct rig *r, uint64_t off, unsigned size, uint64_t value) {
  r->inside = true;
  phys_mmio_write(r->m->phys, RIG_BASE + off, size, value);
  r->inside = false;
}

static inline uint64_t rig_read(struct rig *r, uint64_t off, unsigned size) {
  uint64_t v = 0;
  r->inside = true;
  phys_mmio_read(r->m->phys, RIG_BASE + off, size, &v);
  r->inside = false;
  return v;
}

/* Input from outside, as far as the device has room. */
static inline void rig_type(struct rig *r, const uint8_t *bytes, size_t n) {
  if (!r->c.front) return;
  r->inside = true;
  while (n) {
    size_t room = r->c.front->room(r->c.front_opaque);
    if (!room) break;
    if (room > n) room = n;
    r->c.front->receive(r->c.front_opaque, bytes, room);
    bytes += room;
    n -= room;
  }
  r->inside = false;
}

#endif
