/* Goldfish RTC: nanoseconds since the epoch in two words, one alarm. The clock starts at the host's wall-clock time, or in
 * deterministic mode at VIRTUAL_EPOCH. */
#include <errno.h>
#include <time.h>

#include "core/virtual.h"
#include "devices/device.h"

enum {
  TIME_LOW = 0x00,
  TIME_HIGH = 0x04,
  ALARM_LOW = 0x08,
  ALARM_HIGH = 0x0c,
  IRQ_ENABLED = 0x10,
  CLEAR_ALARM = 0x14,
  ALARM_STATUS = 0x18,
  CLEAR_INTERRUPT = 0x1c
};

struct rtc {
  struct device d;
  uint64_t offset; /* wall-clock time = guest time + offset, nanoseconds */
  uint64_t alarm;
  uint32_t time_high; /* latched by reading TIME_LOW */
  uint8_t running, pending, enabled;
  struct machine_timer *timer;
};

static const struct device_field fields[] = {
    DEVICE_FIELD(struct rtc, offset, 0, FIELD_KEEP),   DEVICE_FIELD(struct rtc, alarm, 0, 0),
    DEVICE_FIELD(struct rtc, time_high, 0, FIELD_HEX), DEVICE_FIELD(struct rtc, running, 0, 0),
    DEVICE_FIELD(struct rtc, pending, 0, 0),           DEVICE_FIELD(struct rtc, enabled, 0, 0),
};

static struct rtc *rtc(struct device *d) { return container_of(d, struct rtc, d); }
static uint64_t now(const struct rtc *r) { return machine_now(r->d.machine) + r->offset; }

static void update(struct rtc *r) {
  if (r->d.nirqs) irq_set(&r->d.irqs[0], r->pending && r->enabled);
}

static void arm(struct rtc *r) {
  uint64_t t = now(r);
  if (r->running && r->alarm <= t) {
    r->running = 0;
    r->pending = 1;
  }
  uint64_t when = UINT64_MAX, left = r->alarm - t;
  if (r->running &&
      !__builtin_add_overflow(machine_now(r->d.machine) + r->d.machine->epoch_ns, left, &when)) {
    /* `when` is set */
  } else {
    when = UINT64_MAX;
  }
  machine_timer_set(r->timer, when);
  update(r);
}

static void on_timer(void *opaque) {
  struct rtc *r = opaque;
  machine_lock(r->d.machine);
  arm(r);
  machine_unlock(r->d.machine);
}

static int rtc_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  struct rtc *r = rtc(d);
  (void)size;
  uint64_t t;
  *value = 0;
  switch (off) {
  case TIME_LOW:
    t = now(r);
    r->time_high = (uint32_t)(t >> 32);
    *value = (uint32_t)t;
    break;
  case TIME_HIGH: *value = r->time_high; break;
  case ALARM_LOW: *value = (uint32_t)r->alarm; break;
  case ALARM_HIGH: *value = r->alarm >> 32; break;
  case IRQ_ENABLED: *value = r->enabled; break;
  case ALARM_STATUS: *value = r->running; break;
  default: break;
  }
  return 0;
}

static int rtc_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  struct rtc *r = rtc(d);
  (void)size;
  uint64_t t = now(r);
  switch (off) {
  case TIME_LOW:
    r->offset += ((t & ~0xffffffffull) | (uint32_t)value) - t;
    arm(r);
    break;
  case TIME_HIGH:
    r->offset += (value << 32 | (uint32_t)t) - t;
    arm(r);
    break;
  case ALARM_LOW: /* drivers write the high word first: this one arms */
    r->alarm = (r->alarm & ~0xffffffffull) | (uint32_t)value;
    r->running = 1;
    arm(r);
    break;
  case ALARM_HIGH: r->alarm = value << 32 | (uint32_t)r->alarm; break;
  case IRQ_ENABLED:
    r->enabled = value & 1;
    update(r);
    break;
  case CLEAR_ALARM:
    r->running = 0;
    arm(r);
    break;
  case CLEAR_INTERRUPT:
    r->pending = 0;
    update(r);
    break;
  default: break;
  }
  return 0;
}

static int create(struct device *d, const struct prop *props) {
  struct rtc *r = rtc(d);
  struct timespec ts;
  (void)props;
  r->timer = machine_timer_new(d->machine, on_timer, r);
  if (!r->timer) return -ENOMEM;
  clock_gettime(CLOCK_REALTIME, &ts);
  if (d->machine->virt) ts = (struct timespec){.tv_sec = VIRTUAL_EPOCH};
  r->offset = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec - machine_now(d->machine);
  return 0;
}

static void reset(struct device *d) { machine_timer_set(rtc(d)->timer, UINT64_MAX); }

static void destroy(struct device *d) {
  if (rtc(d)->timer) machine_timer_set(rtc(d)->timer, UINT64_MAX);
}

const struct device_ops goldfish_rtc_ops = {
    .name = "goldfish_rtc",
    .title = "Goldfish real-time clock",
    .size = sizeof(struct rtc),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .sizes = 4,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = rtc_read,
    .write = rtc_write,
};
