/* Life cycle of VirtIO devices: creation, feature negotiation, status, and what happens when a driver breaks the rules. */
#include "devices/virtio/virtio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

extern const struct virtio_ops virtio_console_ops, virtio_rng_ops;
const struct virtio_ops *const virtio_list[] = {&virtio_console_ops, &virtio_rng_ops, NULL};

const struct virtio_ops *virtio_find(const char *name) {
  for (unsigned i = 0; virtio_list[i]; i++)
    if (!strcmp(virtio_list[i]->name, name)) return virtio_list[i];
  return NULL;
}

static void clear(struct virtio *vd) {
  vd->status = 0;
  vd->acked = 0;
  for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) vd->queue[i] = (struct virtqueue){.vd = vd};
}

int virtio_new(struct device *d, const struct virtio_ops *ops, const struct prop *props,
               const struct virtio_transport *transport, void *transport_opaque, struct virtio **out) {
  struct virtio *vd = calloc(1, ops->size);
  if (!vd) return -ENOMEM;
  vd->ops = ops;
  vd->id = d->id;
  vd->machine = d->machine;
  vd->dma = d->dma;
  vd->chardev = d->chardev;
  vd->transport = transport;
  vd->transport_opaque = transport_opaque;
  clear(vd);
  int rc = ops->create ? ops->create(vd, props) : 0;
  if (rc) {
    virtio_free(vd);
    return rc;
  }
  *out = vd;
  return 0;
}

void virtio_free(struct virtio *vd) {
  if (!vd) return;
  if (vd->ops->destroy) vd->ops->destroy(vd);
  free(vd);
}

void virtio_visit(struct virtio *vd, state_fn *fn, void *arg) {
  fn(arg, &vd->status, sizeof vd->status);
  fn(arg, &vd->acked, sizeof vd->acked);
  for (unsigned i = 0; i < vd->ops->nqueues; i++) {
    struct virtqueue *q = &vd->queue[i];
    fn(arg, &q->ready, sizeof q->ready);
    fn(arg, &q->num, sizeof q->num);
    fn(arg, &q->desc, sizeof q->desc);
    fn(arg, &q->driver, sizeof q->driver);
    fn(arg, &q->device, sizeof q->device);
    fn(arg, &q->last_avail, sizeof q->last_avail);
    fn(arg, &q->used, sizeof q->used);
    fn(arg, &q->signalled, sizeof q->signalled);
    fn(arg, &q->signalled_valid, sizeof q->signalled_valid);
  }
  if (vd->ops->visit) vd->ops->visit(vd, fn, arg);
}

uint64_t virtio_features(const struct virtio *vd) {
  return vd->ops->features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
}

bool virtio_running(const struct virtio *vd) {
  return (vd->status & VIRTIO_DRIVER_OK) && !(vd->status & (VIRTIO_NEEDS_RESET | VIRTIO_FAILED));
}

void virtio_set_status(struct virtio *vd, uint8_t status) {
  if (!status) {
    clear(vd);
    if (vd->ops->reset) vd->ops->reset(vd);
    return;
  }
  uint8_t keep = vd->status & VIRTIO_NEEDS_RESET;
  bool start = (status & VIRTIO_DRIVER_OK) && !(vd->status & VIRTIO_DRIVER_OK);
  if ((status & VIRTIO_FEATURES_OK) && !(vd->status & VIRTIO_FEATURES_OK) &&
      (!(vd->acked & VIRTIO_F_VERSION_1) || (vd->acked & ~virtio_features(vd))))
    status &= (uint8_t)~VIRTIO_FEATURES_OK; /* section 3.1.1: refused, the driver reads it back */
  vd->status = status | keep;
  if (start && !(status & VIRTIO_FEATURES_OK)) {
    virtio_broken(vd, "driver started without agreed features");
    return;
  }
  if (start) /* buffers offered before DRIVER_OK are only looked at now */
    for (unsigned i = 0; i < vd->ops->nqueues; i++)
      if (vd->queue[i].ready) virtio_notify(vd, i);
}

void virtio_notify(struct virtio *vd, unsigned queue) {
  if (queue < vd->ops->nqueues && vd->queue[queue].ready && virtio_running(vd)) vd->ops->notify(vd, queue);
}

void virtio_broken(struct virtio *vd, const char *what) {
  bool told = vd->status & VIRTIO_NEEDS_RESET;
  if (told) return;
  log_warn("%s: %s: the guest's driver broke the VirtIO protocol, device stopped until it is reset", vd->id,
           what);
  bool started = vd->status & VIRTIO_DRIVER_OK;
  vd->status |= VIRTIO_NEEDS_RESET;
  if (started) vd->transport->interrupt(vd->transport_opaque, true);
}
