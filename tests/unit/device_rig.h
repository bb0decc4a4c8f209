/* A machine without CPUs for device tests: interrupt wires that are recorded, a chardev of buffers, MMIO by name. */
#ifndef ISOMER_TEST_DEVICE_RIG_H
#define ISOMER_TEST_DEVICE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/log.h"
#include "core/loop.h"
#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/props.h"

struct rig {
  struct machine *m;
  struct device *d;
  struct dma_space *dma;
  bool level[256];
  unsigned edges[256]; /* rising */
  struct chardev c;
  char out[4096], in[4096];
  size_t nout, nin, taken, accepts;
  unsigned warnings;
};

#define RIG_BASE 0x10000000ull

static inline void rig_irq(void *opaque, unsigned line, bool level) {
  struct rig *r = opaque;
  if (level && !r->level[line]) r->edges[line]++;
  r->level[line] = level;
}

static inline void rig_out(struct chardev *c, const uint8_t *bytes, size_t n) {
  struct rig *r = container_of(c, struct rig, c);
  if (r->nout + n > sizeof r->out) r->nout = 0; /* only random drivers write that much */
  assert_true(n <= sizeof r->out);
  memcpy(r->out + r->nout, bytes, n);
  r->nout += n;
}

static inline void rig_pump(struct rig *r) {
  while (r->c.front && r->taken < r->nin) {
    size_t room = r->c.front->room(r->c.front_opaque), n = r->nin - r->taken;
    if (!room) return;
    if (n > room) n = room;
    r->taken += n; /* before receive, which may ask for more */
    r->c.front->receive(r->c.front_opaque, (uint8_t *)r->in + r->taken - n, n);
  }
}

static inline void rig_accept(struct chardev *c) {
  struct rig *r = container_of(c, struct rig, c);
  r->accepts++;
  rig_pump(r);
}

static inline void rig_type(struct rig *r, const char *text) {
  size_t n = strlen(text);
  assert_true(r->nin + n <= sizeof r->in);
  memcpy(r->in + r->nin, text, n);
  r->nin += n;
  rig_pump(r);
}

static inline void rig_log(void *opaque, enum log_level level, const char *text) {
  struct rig *r = opaque;
  (void)text;
  if (level >= LOG_WARN) r->warnings++;
}

static const struct chardev_ops rig_chardev = {.name = "rig", .write = rig_out, .accept = rig_accept};

/* One device of kind `name` with `nirqs` wires, 16 MiB window; RAM of 1 MiB at 0x80000000. */
static inline struct rig *rig_new(const char *name, unsigned nirqs, const struct prop *props) {
  struct rig *r = calloc(1, sizeof *r);
  struct irq irqs[256];
  assert_non_null(r);
  r->m = machine_new(NULL);
  assert_non_null(r->m);
  r->c = (struct chardev){.ops = &rig_chardev, .machine = r->m};
  assert_int_equal(phys_add_ram(r->m->phys, 0x80000000, 1 << 20, "ram"), 0);
  r->dma = dma_space_identity(r->m->phys);
  for (unsigned i = 0; i < nirqs; i++) irqs[i] = (struct irq){.set = rig_irq, .opaque = r, .line = i};
  struct device_site site = {.id = name,
                             .dma = r->dma,
                             .chardev = &r->c,
                             .base = RIG_BASE,
                             .size = 16 << 20,
                             .irqs = irqs,
                             .nirqs = nirqs};
  log_set_sink(rig_log, r);
  assert_non_null(device_find(name));
  assert_int_equal(device_new(r->m, device_find(name), &site, props, &r->d), 0);
  return r;
}

static inline void rig_free(struct rig *r) {
  device_free(r->d);
  dma_space_free(r->dma);
  machine_free(r->m);
  log_set_sink(NULL, NULL);
  free(r);
}

static inline uint64_t rd(struct rig *r, uint64_t off, unsigned size) {
  uint64_t v = 0xdead;
  assert_int_equal(phys_mmio_read(r->m->phys, RIG_BASE + off, size, &v), 0);
  return v;
}

static inline void wr(struct rig *r, uint64_t off, unsigned size, uint64_t v) {
  assert_int_equal(phys_mmio_write(r->m->phys, RIG_BASE + off, size, v), 0);
}

/* A table of named integers and strings, for device properties. */
static inline struct prop rig_table(struct prop *kids, size_t n) {
  return (struct prop){.type = PROP_TABLE, .kid = kids, .nkids = n};
}

#endif
