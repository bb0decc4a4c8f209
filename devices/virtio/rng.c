/* VirtIO entropy source (VirtIO 1.2 section 5.4): fills buffers from the machine's entropy. */
#include <errno.h>

#include "devices/virtio/virtio.h"

#define PER_BUFFER 65536 /* bytes at most: a huge buffer must not hold up the vCPU */

static void notify(struct virtio *vd, unsigned queue) {
  struct virtqueue *q = &vd->queue[queue];
  struct virtchain c;
  uint8_t probe;
  if (machine_random(vd->machine, &probe, 0) == -EAGAIN) return; /* buffers wait until there is some */
  while (virtq_pop(q, &c) > 0) {
    uint8_t buf[256];
    uint64_t want = c.in_len < PER_BUFFER ? c.in_len : PER_BUFFER, done = 0;
    while (done < want) {
      size_t part = want - done < sizeof buf ? (size_t)(want - done) : sizeof buf;
      int rc = machine_random(vd->machine, buf, part);
      if (rc) {
        virtio_broken(vd, "host gives no random bytes");
        return;
      }
      int64_t put = virtchain_write(q, &c, done, buf, part);
      if (put <= 0) return;
      done += (uint64_t)put;
    }
    if (virtq_push(q, &c, (uint32_t)done)) return;
  }
  virtq_signal(q);
}

const struct virtio_ops virtio_rng_ops = {
    .name = "rng", .id = 4, .nqueues = 1, .size = sizeof(struct virtio), .notify = notify};
