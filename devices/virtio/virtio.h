/* VirtIO 1.2 core: split virtqueues and the seam between transports and devices. The driver is hostile: every index,
 * length and address it gives is checked, and a violation stops the device (DEVICE_NEEDS_RESET), never the host. Guest
 * memory is reached through the device's dma_space only. */
#ifndef ISOMER_DEVICES_VIRTIO_H
#define ISOMER_DEVICES_VIRTIO_H

#include "devices/device.h"

#define VIRTIO_MAX_QUEUES      8
#define VIRTQ_MAX              256 /* entries; also the longest chain */

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

enum {
  VIRTIO_ACKNOWLEDGE = 1,
  VIRTIO_DRIVER = 2,
  VIRTIO_DRIVER_OK = 4,
  VIRTIO_FEATURES_OK = 8,
  VIRTIO_NEEDS_RESET = 0x40,
  VIRTIO_FAILED = 0x80
};

struct virtio;

struct virtqueue {
  struct virtio *vd;
  uint8_t ready;
  uint16_t num;                  /* entries, a power of two <= VIRTQ_MAX */
  uint64_t desc, driver, device; /* descriptor table, available ring, used ring */
  uint16_t last_avail;           /* next available entry to take */
  uint16_t used;                 /* our used index */
  uint16_t signalled;            /* used index at the last interrupt decision */
  uint8_t signalled_valid;
};

/* One piece of a chain. */
struct virtseg {
  uint64_t addr;
  uint32_t len;
};

/* A descriptor chain taken from a queue: nout pieces the device reads, then nin it writes. */
struct virtchain {
  uint16_t head;
  uint16_t nout, nin;
  uint64_t out_len, in_len; /* sums */
  struct virtseg seg[VIRTQ_MAX];
};

struct virtio_ops {
  const char *name;
  uint32_t id; /* device type, VirtIO 1.2 section 5 */
  unsigned nqueues;
  uint64_t features; /* offered beyond the core's own */
  size_t size;       /* of the structure that starts with struct virtio */
  int (*create)(struct virtio *vd, const struct prop *props);
  void (*destroy)(struct virtio *vd);
  void (*reset)(struct virtio *vd);
  void (*notify)(struct virtio *vd, unsigned queue);         /* the driver made buffers available */
  void (*visit)(struct virtio *vd, state_fn *fn, void *arg); /* state of its own; may be NULL */
  uint32_t config_len;
  uint8_t (*config_read)(struct virtio *vd, uint32_t off); /* one byte; off < config_len */
};

struct virtio_transport {
  void (*interrupt)(void *opaque, bool config); /* used buffers (config false) or a configuration change */
};

struct virtio {
  const struct virtio_ops *ops;
  const char *id; /* of the device, for messages; not owned */
  struct machine *machine;
  struct dma_space *dma;
  struct chardev *chardev;
  const struct virtio_transport *transport;
  void *transport_opaque;
  uint8_t status;
  uint64_t acked; /* features the driver accepted */
  struct virtqueue queue[VIRTIO_MAX_QUEUES];
};

extern const struct virtio_ops *const virtio_list[]; /* NULL-terminated */
const struct virtio_ops *virtio_find(const char *name);

/* Allocates and creates; `d` lends id, machine, dma and chardev. -errno with a message logged. */
int virtio_new(struct device *d, const struct virtio_ops *ops, const struct prop *props,
               const struct virtio_transport *transport, void *transport_opaque, struct virtio **out);
void virtio_free(struct virtio *vd);
void virtio_visit(struct virtio *vd, state_fn *fn, void *arg); /* shows all its state */

uint64_t virtio_features(const struct virtio *vd); /* offered */
/* A write of the status register: 0 resets, FEATURES_OK sticks only if the accepted features make sense. */
void virtio_set_status(struct virtio *vd, uint8_t status);
void virtio_notify(struct virtio *vd, unsigned queue);
/* The driver broke the rules: one warning, then the device rests until it is reset. */
void virtio_broken(struct virtio *vd, const char *what);
/* True while the device may touch its queues. */
bool virtio_running(const struct virtio *vd);

/* Makes a queue usable with the geometry already stored in it. -EINVAL: bad size or alignment (the device is broken). */
int virtq_enable(struct virtqueue *q);

/* Takes the next chain. 1 taken, 0 none, -EINVAL: the ring is bad (the device is broken). */
int virtq_pop(struct virtqueue *q, struct virtchain *c);
/* Returns a chain with `written` bytes stored in its writable part. -EINVAL as above. */
int virtq_push(struct virtqueue *q, const struct virtchain *c, uint32_t written);
/* Interrupts if the driver wants to know of what was pushed since the last call. */
void virtq_signal(struct virtqueue *q);
bool virtq_empty(struct virtqueue *q);

/* Copies between a buffer and a chain's readable / writable bytes from `off` on. Returns the bytes copied (fewer at the
 * end of the chain), or -EFAULT when an address is not memory (the device is broken). */
int64_t virtchain_read(struct virtqueue *q, const struct virtchain *c, uint64_t off, void *buf, size_t n);
int64_t virtchain_write(struct virtqueue *q, const struct virtchain *c, uint64_t off, const void *buf,
                        size_t n);

#endif
