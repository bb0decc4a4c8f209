/* VirtIO over MMIO, version 2 (VirtIO 1.2 section 4.2). Without a `device` property the slot is empty: device ID 0. */
#include <errno.h>
#include <string.h>

#include "core/log.h"
#include "devices/props.h"
#include "devices/virtio/virtio.h"

enum {
  MAGIC = 0x000,
  VERSION = 0x004,
  DEVICE_ID = 0x008,
  VENDOR_ID = 0x00c,
  DEVICE_FEATURES = 0x010,
  DEVICE_FEATURES_SEL = 0x014,
  DRIVER_FEATURES = 0x020,
  DRIVER_FEATURES_SEL = 0x024,
  QUEUE_SEL = 0x030,
  QUEUE_NUM_MAX = 0x034,
  QUEUE_NUM = 0x038,
  QUEUE_READY = 0x044,
  QUEUE_NOTIFY = 0x050,
  INTERRUPT_STATUS = 0x060,
  INTERRUPT_ACK = 0x064,
  STATUS = 0x070,
  QUEUE_DESC_LOW = 0x080,
  QUEUE_DESC_HIGH = 0x084,
  QUEUE_DRIVER_LOW = 0x090,
  QUEUE_DRIVER_HIGH = 0x094,
  QUEUE_DEVICE_LOW = 0x0a0,
  QUEUE_DEVICE_HIGH = 0x0a4,
  SHM_LEN_LOW = 0x0b0,
  SHM_BASE_HIGH = 0x0bc,
  CONFIG_GENERATION = 0x0fc,
  CONFIG = 0x100
};
enum { INT_USED = 1, INT_CONFIG = 2 };

struct slot {
  struct device d;
  struct virtio *vd; /* NULL: empty */
  uint32_t device_sel, driver_sel, queue_sel;
  uint8_t pending; /* INT_* */
};

static const struct device_field fields[] = {
    DEVICE_FIELD(struct slot, device_sel, 0, 0),
    DEVICE_FIELD(struct slot, driver_sel, 0, 0),
    DEVICE_FIELD(struct slot, queue_sel, 0, 0),
    DEVICE_FIELD(struct slot, pending, 0, FIELD_HEX),
};

static struct slot *slot(struct device *d) { return container_of(d, struct slot, d); }

static void update(struct slot *s) {
  if (s->d.nirqs) irq_set(&s->d.irqs[0], s->pending != 0);
}

static void interrupt(void *opaque, bool config) {
  struct slot *s = opaque;
  s->pending |= config ? INT_CONFIG : INT_USED;
  update(s);
}

static const struct virtio_transport transport = {.interrupt = interrupt};

static struct virtqueue *selected(struct slot *s) {
  return s->vd && s->queue_sel < s->vd->ops->nqueues ? &s->vd->queue[s->queue_sel] : NULL;
}

static int config_read(struct slot *s, uint64_t off, unsigned size, uint64_t *value) {
  *value = 0;
  for (unsigned i = 0; s->vd && i < size; i++)
    if (off + i < s->vd->ops->config_len)
      *value |= (uint64_t)s->vd->ops->config_read(s->vd, (uint32_t)(off + i)) << (8 * i);
  return 0;
}

static int slot_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  struct slot *s = slot(d);
  struct virtqueue *q = selected(s);
  if (off >= CONFIG) return config_read(s, off - CONFIG, size, value);
  if (size != 4) return -EINVAL;
  *value = 0;
  switch (off) {
  case MAGIC: *value = 0x74726976; break;
  case VERSION: *value = 2; break;
  case DEVICE_ID: *value = s->vd ? s->vd->ops->id : 0; break;
  case VENDOR_ID: *value = 0x4f534900; break;
  case DEVICE_FEATURES:
    if (s->vd && s->device_sel < 2) *value = (uint32_t)(virtio_features(s->vd) >> (32 * s->device_sel));
    break;
  case QUEUE_NUM_MAX: *value = q ? VIRTQ_MAX : 0; break;
  case QUEUE_READY: *value = q ? q->ready : 0; break;
  case INTERRUPT_STATUS: *value = s->pending; break;
  case STATUS: *value = s->vd ? s->vd->status : 0; break;
  default:
    if (off >= SHM_LEN_LOW && off <= SHM_BASE_HIGH) *value = 0xffffffff; /* no shared memory regions */
  }
  return 0;
}

static void put(uint64_t *reg, bool high, uint64_t value) {
  *reg = high ? (*reg & 0xffffffff) | value << 32 : (*reg & ~0xffffffffull) | (uint32_t)value;
}

static void set_status(struct slot *s, uint8_t status) {
  if (!status) {
    s->pending = 0;
    s->queue_sel = s->device_sel = s->driver_sel = 0;
  }
  virtio_set_status(s->vd, status);
  update(s);
}

static int slot_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  struct slot *s = slot(d);
  struct virtqueue *q = selected(s);
  if (off >= CONFIG) return 0; /* no device here has writable configuration */
  if (size != 4) return -EINVAL;
  if (!s->vd) return 0;
  bool negotiating = !(s->vd->status & VIRTIO_FEATURES_OK);
  switch (off) {
  case DEVICE_FEATURES_SEL: s->device_sel = (uint32_t)value; break;
  case DRIVER_FEATURES_SEL: s->driver_sel = (uint32_t)value; break;
  case DRIVER_FEATURES:
    if (negotiating && s->driver_sel < 2) put(&s->vd->acked, s->driver_sel == 1, value);
    break;
  case QUEUE_SEL: s->queue_sel = (uint32_t)value; break;
  case QUEUE_NUM:
    if (q && !q->ready)
      q->num = value <= VIRTQ_MAX ? (uint16_t)value : 0; /* 0 is refused when it gets ready */
    break;
  case QUEUE_READY:
    if (q && (value & 1) && !q->ready) virtq_enable(q);
    if (q && !(value & 1)) q->ready = 0;
    break;
  case QUEUE_NOTIFY: virtio_notify(s->vd, (unsigned)(value & 0xffffffff)); break;
  case INTERRUPT_ACK:
    s->pending &= (uint8_t)~value;
    update(s);
    break;
  case STATUS: set_status(s, (uint8_t)value); break;
  case QUEUE_DESC_LOW:
  case QUEUE_DESC_HIGH:
    if (q && !q->ready) put(&q->desc, off == QUEUE_DESC_HIGH, value);
    break;
  case QUEUE_DRIVER_LOW:
  case QUEUE_DRIVER_HIGH:
    if (q && !q->ready) put(&q->driver, off == QUEUE_DRIVER_HIGH, value);
    break;
  case QUEUE_DEVICE_LOW:
  case QUEUE_DEVICE_HIGH:
    if (q && !q->ready) put(&q->device, off == QUEUE_DEVICE_HIGH, value);
    break;
  default: break;
  }
  return 0;
}

static int create(struct device *d, const struct prop *props) {
  struct slot *s = slot(d);
  const char *name;
  int rc = prop_str(props, "device", NULL, &name);
  if (rc || !name) return rc;
  const struct virtio_ops *ops = virtio_find(name);
  if (!ops) {
    log_error("%s: no VirtIO device `%s`", d->id, name);
    return -EINVAL;
  }
  return virtio_new(d, ops, props, &transport, s, &s->vd);
}

static void reset(struct device *d) {
  if (slot(d)->vd) virtio_set_status(slot(d)->vd, 0);
}

static void visit(struct device *d, state_fn *fn, void *arg) {
  if (slot(d)->vd) virtio_visit(slot(d)->vd, fn, arg);
}

static void destroy(struct device *d) { virtio_free(slot(d)->vd); }

const struct device_ops virtio_mmio_ops = {
    .name = "virtio_mmio",
    .title = "VirtIO MMIO slot",
    .size = sizeof(struct slot),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .sizes = 1 | 2 | 4 | 8,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = slot_read,
    .write = slot_write,
    .visit = visit,
};
