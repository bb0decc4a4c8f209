/* Split virtqueues (VirtIO 1.2 section 2.7) against a driver that may write anything anywhere at any time: every value
 * is read once, checked, and then used. */
#include <errno.h>
#include <string.h>

#include "devices/virtio/virtio.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1 };

/* Little-endian layouts of section 2.7; the host is little-endian in everything Isomer supports. */
struct vdesc {
  uint64_t addr;
  uint32_t len;
  uint16_t flags, next;
};
struct used_elem {
  uint32_t id, len;
};
_Static_assert(sizeof(struct vdesc) == 16 && sizeof(struct used_elem) == 8, "wire layout");

static int bad(struct virtqueue *q, const char *what) {
  virtio_broken(q->vd, what);
  return -EINVAL;
}

/* Ring indices are shared with running vCPUs, so they are single aligned 16-bit accesses. */
static int load16(struct virtqueue *q, uint64_t addr, uint16_t *out) {
  const uint16_t *p = dma_map(q->vd->dma, addr, 2, false);
  if (!p) return bad(q, "ring outside memory");
  *out = __atomic_load_n(p, __ATOMIC_ACQUIRE);
  return 0;
}

static int store16(struct virtqueue *q, uint64_t addr, uint16_t value) {
  uint16_t *p = dma_map(q->vd->dma, addr, 2, true);
  if (!p) return bad(q, "ring outside memory");
  __atomic_store_n(p, value, __ATOMIC_RELEASE);
  dma_wrote(q->vd->dma, addr, 2);
  return 0;
}

static uint64_t avail_flags(const struct virtqueue *q) { return q->driver; }
static uint64_t avail_idx(const struct virtqueue *q) { return q->driver + 2; }
static uint64_t avail_ring(const struct virtqueue *q, uint16_t i) {
  return q->driver + 4 + 2ull * (i & (q->num - 1));
}
static uint64_t used_event(const struct virtqueue *q) { return q->driver + 4 + 2ull * q->num; }
static uint64_t used_flags(const struct virtqueue *q) { return q->device; }
static uint64_t used_idx(const struct virtqueue *q) { return q->device + 2; }
static uint64_t used_ring(const struct virtqueue *q, uint16_t i) {
  return q->device + 4 + 8ull * (i & (q->num - 1));
}
static uint64_t avail_event(const struct virtqueue *q) { return q->device + 4 + 8ull * q->num; }

int virtq_enable(struct virtqueue *q) {
  uint64_t end;
  if (!q->num || q->num > VIRTQ_MAX || (q->num & (q->num - 1)))
    return bad(q, "queue size is no power of two in range");
  if (q->desc & 15 || q->driver & 1 || q->device & 3) return bad(q, "ring is not aligned");
  if (__builtin_add_overflow(q->desc, 16ull * q->num, &end) ||
      __builtin_add_overflow(q->driver, 6 + 2ull * q->num, &end) ||
      __builtin_add_overflow(q->device, 6 + 8ull * q->num, &end))
    return bad(q, "ring wraps around the address space");
  q->last_avail = q->used = q->signalled = 0;
  q->signalled_valid = 0;
  q->ready = 1;
  return store16(q, used_flags(q), 0);
}

bool virtq_empty(struct virtqueue *q) {
  uint16_t idx;
  if (!q->ready || !virtio_running(q->vd) || load16(q, avail_idx(q), &idx)) return true;
  return idx == q->last_avail;
}

static int add(struct virtqueue *q, struct virtchain *c, const struct vdesc *d) {
  if (c->nout + c->nin >= q->num) return bad(q, "descriptor chain longer than its queue (a loop?)");
  uint64_t *sum = d->flags & DESC_WRITE ? &c->in_len : &c->out_len;
  if (*sum + d->len > UINT32_MAX) return bad(q, "descriptor chain of more than 4 GiB");
  if (d->len && d->addr + d->len - 1 < d->addr) return bad(q, "buffer wraps around the address space");
  if (!(d->flags & DESC_WRITE) && c->nin) return bad(q, "readable descriptor after a writable one");
  *sum += d->len;
  c->seg[c->nout + c->nin] = (struct virtseg){d->addr, d->len};
  if (d->flags & DESC_WRITE) c->nin++;
  else c->nout++;
  return 0;
}

/* Follows a chain through one table. `limit` bounds the walk, so a loop ends it. */
static int walk(struct virtqueue *q, struct virtchain *c, uint64_t table, uint32_t size, uint32_t index,
                bool indirect) {
  for (uint32_t steps = 0;; steps++) {
    struct vdesc d;
    if (index >= size) return bad(q, "descriptor index out of range");
    if (steps >= size) return bad(q, "descriptor loop");
    if (dma_read(q->vd->dma, table + 16ull * index, &d, sizeof d))
      return bad(q, "descriptor table outside memory");
    if (d.flags & DESC_INDIRECT) {
      if (!(q->vd->acked & VIRTIO_F_INDIRECT_DESC)) return bad(q, "indirect descriptor without the feature");
      if (indirect) return bad(q, "indirect descriptor inside an indirect table");
      if (d.flags & DESC_NEXT) return bad(q, "indirect descriptor with a successor");
      if (!d.len || d.len % 16) return bad(q, "indirect table of a bad length");
      if (d.addr + d.len < d.addr) return bad(q, "indirect table wraps around the address space");
      return walk(q, c, d.addr, d.len / 16, 0, true);
    }
    if (add(q, c, &d)) return -EINVAL;
    if (!(d.flags & DESC_NEXT)) return 0;
    index = d.next;
  }
}

int virtq_pop(struct virtqueue *q, struct virtchain *c) {
  uint16_t idx, head;
  if (!q->ready || !virtio_running(q->vd)) return 0;
  if (load16(q, avail_idx(q), &idx)) return -EINVAL;
  if (idx == q->last_avail) return 0;
  if ((uint16_t)(idx - q->last_avail) > q->num) return bad(q, "available index jumped past the ring");
  if (load16(q, avail_ring(q, q->last_avail), &head)) return -EINVAL;
  if (head >= q->num) return bad(q, "available entry out of range");
  c->head = head;
  c->nout = c->nin = 0;
  c->out_len = c->in_len = 0;
  if (walk(q, c, q->desc, q->num, head, false)) return -EINVAL;
  q->last_avail++;
  if ((q->vd->acked & VIRTIO_F_EVENT_IDX) && store16(q, avail_event(q), q->last_avail)) return -EINVAL;
  /* the next look at the index comes after the driver can see this event index */
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return 1;
}

int virtq_push(struct virtqueue *q, const struct virtchain *c, uint32_t written) {
  struct used_elem e = {c->head, written};
  if (!virtio_running(q->vd)) return -EINVAL;
  if (dma_write(q->vd->dma, used_ring(q, q->used), &e, sizeof e)) return bad(q, "used ring outside memory");
  q->used++;
  return store16(q, used_idx(q), q->used); /* release: the entry is visible before the index */
}

void virtq_signal(struct virtqueue *q) {
  uint16_t was = q->signalled, event, flags;
  bool valid = q->signalled_valid;
  if (!q->ready || !virtio_running(q->vd) || (valid && was == q->used)) return;
  if (!valid && !q->used) return;
  q->signalled = q->used;
  q->signalled_valid = 1;
  __atomic_thread_fence(__ATOMIC_SEQ_CST); /* our used index before the driver's suppression fields */
  if (q->vd->acked & VIRTIO_F_EVENT_IDX) {
    if (load16(q, used_event(q), &event)) return;
    if (valid && (uint16_t)(q->used - event - 1) >= (uint16_t)(q->used - was)) return;
  } else {
    if (load16(q, avail_flags(q), &flags)) return;
    if (flags & AVAIL_NO_INTERRUPT) return;
  }
  q->vd->transport->interrupt(q->vd->transport_opaque, false);
}

static int64_t copy(struct virtqueue *q, const struct virtseg *seg, unsigned nseg, uint64_t off, uint8_t *buf,
                    size_t n, bool write) {
  int64_t done = 0;
  for (; nseg && n; seg++, nseg--) {
    if (off >= seg->len) {
      off -= seg->len;
      continue;
    }
    size_t part = seg->len - off < n ? (size_t)(seg->len - off) : n;
    int rc = write ? dma_write(q->vd->dma, seg->addr + off, buf, part)
                   : dma_read(q->vd->dma, seg->addr + off, buf, part);
    if (rc) {
      virtio_broken(q->vd, "buffer outside memory");
      return -EFAULT;
    }
    buf += part;
    n -= part;
    done += (int64_t)part;
    off = 0;
  }
  return done;
}

int64_t virtchain_read(struct virtqueue *q, const struct virtchain *c, uint64_t off, void *buf, size_t n) {
  return copy(q, c->seg, c->nout, off, buf, n, false);
}

int64_t virtchain_write(struct virtqueue *q, const struct virtchain *c, uint64_t off, const void *buf,
                        size_t n) {
  return copy(q, c->seg + c->nout, c->nin, off, (uint8_t *)buf, n, true);
}
