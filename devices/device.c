/* Life cycle of devices, their field tables and the glue between MMIO windows and device_ops, which checks accesses.
 * What a particular device does is in its own file. */
#include "devices/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

extern const struct device_ops aclint_ops, arm_timer_ops, finisher_ops, gicv2_ops, gicv3_ops,
    goldfish_rtc_ops, ns16550a_ops, pl011_ops, pl031_ops, pl061_ops, plic_ops, script_device_ops,
    virtio_mmio_ops;

const struct device_ops *const device_list[] = {
    &aclint_ops,       &arm_timer_ops,     &finisher_ops,    &gicv2_ops, &gicv3_ops,
    &goldfish_rtc_ops, &ns16550a_ops,      &pl011_ops,       &pl031_ops, &pl061_ops,
    &plic_ops,         &script_device_ops, &virtio_mmio_ops, NULL,
};

const struct device_ops *device_find(const char *name) {
  for (unsigned i = 0; device_list[i]; i++)
    if (!strcmp(device_list[i]->name, name)) return device_list[i];
  return NULL;
}

void irq_set(struct irq *q, bool level) {
  if (q->level == level) return;
  q->level = level;
  if (q->set) q->set(q->opaque, q->line, level);
}

static int check(const struct device *d, uint64_t off, unsigned size) {
  if (!(d->ops->sizes & size) || (off & (size - 1))) return -EINVAL;
  return 0;
}

static int mmio_read(void *opaque, uint64_t off, unsigned size, uint64_t *value) {
  struct device *d = opaque;
  int rc = check(d, off, size);
  return rc ? rc : d->ops->read(d, off, size, value);
}

static int mmio_write(void *opaque, uint64_t off, unsigned size, uint64_t value) {
  struct device *d = opaque;
  int rc = check(d, off, size);
  return rc ? rc : d->ops->write(d, off, size, value);
}

static const struct mmio_ops glue = {.read = mmio_read, .write = mmio_write};

int device_new(struct machine *m, const struct device_ops *ops, const struct device_site *site,
               const struct prop *props, struct device **out) {
  int rc = -ENOMEM;
  struct device *d = calloc(1, ops->size);
  if (!d) goto fail;
  d->ops = ops;
  d->machine = m;
  d->dma = site->dma;
  d->chardev = site->chardev;
  d->base = site->base;
  d->size = site->size;
  d->id = strdup(site->id);
  if (!d->id) goto fail;
  if (site->nirqs) {
    d->irqs = malloc(site->nirqs * sizeof *d->irqs);
    if (!d->irqs) goto fail;
    memcpy(d->irqs, site->irqs, site->nirqs * sizeof *d->irqs);
    d->nirqs = site->nirqs;
  }
  rc = ops->create ? ops->create(d, props) : 0;
  if (!rc && d->size) rc = phys_add_mmio(m->phys, d->base, d->size, &glue, d, d->id);
  if (rc) goto fail;
  device_reset(d);
  *out = d;
  return 0;

fail:
  if (rc == -ENOMEM) log_error("%s: out of memory", site->id);
  device_free(d);
  return rc;
}

void device_free(struct device *d) {
  if (!d) return;
  if (d->ops->destroy) d->ops->destroy(d);
  free(d->irqs);
  free((char *)d->id);
  free(d);
}

static void put(struct device *d, const struct device_field *f, unsigned i, uint64_t value) {
  char *p = (char *)d + f->offset + (size_t)i * f->width;
  switch (f->width) {
  case 1: *(uint8_t *)p = (uint8_t)value; break;
  case 2: *(uint16_t *)p = (uint16_t)value; break;
  case 4: *(uint32_t *)p = (uint32_t)value; break;
  default: *(uint64_t *)p = value;
  }
}

static uint64_t get(const struct device *d, const struct device_field *f, unsigned i) {
  const char *p = (const char *)d + f->offset + (size_t)i * f->width;
  switch (f->width) {
  case 1: return *(const uint8_t *)p;
  case 2: return *(const uint16_t *)p;
  case 4: return *(const uint32_t *)p;
  default: return *(const uint64_t *)p;
  }
}

void device_reset(struct device *d) {
  machine_lock(d->machine);
  for (unsigned i = 0; i < d->nirqs; i++) irq_set(&d->irqs[i], false);
  for (unsigned k = 0; k < d->ops->nfields; k++) {
    const struct device_field *f = &d->ops->fields[k];
    if (f->flags & FIELD_KEEP) continue;
    for (unsigned i = 0; i < f->count; i++) put(d, f, i, f->reset);
  }
  if (d->ops->reset) d->ops->reset(d);
  machine_unlock(d->machine);
}

void device_visit(struct device *d, state_fn *fn, void *arg) {
  for (unsigned k = 0; k < d->ops->nfields; k++) {
    const struct device_field *f = &d->ops->fields[k];
    fn(arg, (char *)d + f->offset, (size_t)f->width * f->count);
  }
  for (unsigned i = 0; i < d->nirqs; i++) fn(arg, &d->irqs[i].level, sizeof d->irqs[i].level);
  if (d->ops->visit) d->ops->visit(d, fn, arg);
}

static const struct device_field *field(const struct device *d, const char *name) {
  for (unsigned k = 0; k < d->ops->nfields; k++)
    if (!strcmp(d->ops->fields[k].name, name)) return &d->ops->fields[k];
  return NULL;
}

int device_field_get(const struct device *d, const char *name, unsigned index, uint64_t *value) {
  const struct device_field *f = field(d, name);
  if (!f) return -ENOENT;
  if (index >= f->count) return -ERANGE;
  *value = get(d, f, index);
  return 0;
}

int device_field_set(struct device *d, const char *name, unsigned index, uint64_t value) {
  const struct device_field *f = field(d, name);
  if (!f) return -ENOENT;
  if (index >= f->count || (f->width < 8 && value >> (f->width * 8))) return -ERANGE;
  put(d, f, index, value);
  return 0;
}

size_t device_print(const struct device *d, char *buf, size_t n) {
  size_t len = 0;
  for (unsigned k = 0; k < d->ops->nfields; k++) {
    const struct device_field *f = &d->ops->fields[k];
    for (unsigned i = 0; i < f->count; i++) {
      uint64_t v = get(d, f, i);
      char index[16] = "";
      if (f->count > 1) {
        if (v == f->reset) continue; /* long arrays: only what differs from reset */
        snprintf(index, sizeof index, "[%u]", i);
      }
      char *at = len < n ? buf + len : NULL;
      len += (size_t)snprintf(at, at ? n - len : 0,
                              f->flags & FIELD_HEX ? "%s%s = 0x%" PRIx64 "\n" : "%s%s = %" PRIu64 "\n",
                              f->name, index, v);
    }
  }
  return len;
}

static void to_input(void *opaque, unsigned line, bool level) {
  struct device *d = opaque;
  d->ops->input(d, line, level);
}

int device_input_irq(struct device *controller, unsigned line, struct irq *out) {
  const struct device_ops *o = controller->ops;
  if (!o->input || line >= o->ninputs(controller)) return -EINVAL;
  *out = (struct irq){.set = to_input, .opaque = controller, .line = line};
  return 0;
}
