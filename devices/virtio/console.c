/* VirtIO console (VirtIO 1.2 section 5.3), port 0 only: queue 0 receives, queue 1 transmits. */
#include "devices/chardev.h"
#include "devices/virtio/virtio.h"

enum { RX = 0, TX = 1 };
#define HOLD 512 /* input bytes taken from the back end that no buffer has held yet */

struct console {
  struct virtio v;
  uint8_t hold[HOLD];
  size_t held;
};

static struct console *console(struct virtio *vd) { return container_of(vd, struct console, v); }

static void receive(struct console *c) {
  struct virtqueue *q = &c->v.queue[RX];
  struct virtchain chain;
  size_t done = 0;
  while (done < c->held && virtq_pop(q, &chain) > 0) {
    int64_t n = virtchain_write(q, &chain, 0, c->hold + done, c->held - done);
    if (n < 0 || virtq_push(q, &chain, (uint32_t)n)) break;
    done += (size_t)n;
  }
  if (!done) return;
  for (size_t i = done; i < c->held; i++) c->hold[i - done] = c->hold[i];
  c->held -= done;
  virtq_signal(q);
}

static void transmit(struct console *c) {
  struct virtqueue *q = &c->v.queue[TX];
  struct virtchain chain;
  while (virtq_pop(q, &chain) > 0) {
    uint8_t buf[512];
    int64_t n;
    for (uint64_t off = 0; (n = virtchain_read(q, &chain, off, buf, sizeof buf)) > 0; off += (uint64_t)n)
      chardev_write(c->v.chardev, buf, (size_t)n);
    if (n < 0 || virtq_push(q, &chain, 0)) return;
  }
  virtq_signal(q);
}

static void notify(struct virtio *vd, unsigned queue) {
  struct console *c = console(vd);
  if (queue == TX) {
    transmit(c);
  } else {
    receive(c);
    chardev_accept(vd->chardev);
  }
}

/* Input waits in the back end until the driver offers buffers. */
static size_t front_room(void *opaque) {
  struct console *c = opaque;
  return virtq_empty(&c->v.queue[RX]) ? 0 : HOLD - c->held;
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t n) {
  struct console *c = opaque;
  while (n--) c->hold[c->held++] = *bytes++;
  receive(c);
}

static const struct chardev_front front = {.room = front_room, .receive = front_receive};

static int create(struct virtio *vd, const struct prop *props) {
  (void)props;
  chardev_attach(vd->chardev, &front, console(vd));
  return 0;
}

static void reset(struct virtio *vd) { console(vd)->held = 0; }

static void visit(struct virtio *vd, state_fn *fn, void *arg) {
  fn(arg, console(vd)->hold, sizeof console(vd)->hold);
  fn(arg, &console(vd)->held, sizeof console(vd)->held);
}

static void destroy(struct virtio *vd) { chardev_attach(vd->chardev, NULL, NULL); }

const struct virtio_ops virtio_console_ops = {
    .name = "console",
    .id = 3,
    .nqueues = 2,
    .size = sizeof(struct console),
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .notify = notify,
    .visit = visit,
};
