/* PrimeCell real-time clock PL031 (Arm DDI 0224C): seconds since the epoch and one match. The clock starts at the host's
 * wall-clock time, or in deterministic mode at VIRTUAL_EPOCH. */
#include <errno.h>
#include <time.h>

#include "core/virtual.h"
#include "devices/device.h"
#include "devices/primecell.h"

enum { DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0c, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c };
#define PART 0x00041031
#define NS   1000000000ull

struct rtc {
  struct device d;
  uint32_t offset; /* seconds of the clock = seconds of guest time + offset, modulo 2^32 */
  uint32_t match, load;
  uint8_t ris, imsc;
  struct machine_timer *timer;
};

static const struct device_field fields[] = {
    DEVICE_FIELD(struct rtc, offset, 0, FIELD_KEEP),
    DEVICE_FIELD(struct rtc, match, 0, 0),
    DEVICE_FIELD(struct rtc, load, 0, 0),
    DEVICE_FIELD(struct rtc, ris, 0, 0),
    DEVICE_FIELD(struct rtc, imsc, 0, 0),
};

static struct rtc *rtc(struct device *d) { return container_of(d, struct rtc, d); }
static uint32_t seconds(const struct rtc *r) {
  return (uint32_t)(machine_now(r->d.machine) / NS) + r->offset;
}

static void update(struct rtc *r) {
  if (r->d.nirqs) irq_set(&r->d.irqs[0], r->ris & r->imsc);
}

/* The next time at which the clock equals the match register. */
static void arm(struct rtc *r) {
  const uint64_t now = machine_now(r->d.machine) / NS;
  uint32_t left = r->match - seconds(r);
  if (!left) {
    r->ris = 1;
    machine_timer_set(r->timer, UINT64_MAX);
  } else {
    machine_timer_set(r->timer, (now + left) * NS + r->d.machine->epoch_ns);
  }
  update(r);
}

static void on_timer(void *opaque) {
  struct rtc *r = opaque;
  machine_lock(r->d.machine);
  arm(r);
  machine_unlock(r->d.machine);
}

static int rtc_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  const struct rtc *r = rtc(d);
  (void)size;
  switch (off) {
  case DR: *value = seconds(r); break;
  case MR: *value = r->match; break;
  case LR: *value = r->load; break;
  case CR: *value = 1; break;
  case IMSC: *value = r->imsc; break;
  case RIS: *value = r->ris; break;
  case MIS: *value = r->ris & r->imsc; break;
  default: *value = primecell_id(off, PART); break;
  }
  return 0;
}

static int rtc_write(struct device *d, uint64_t off, unsigned size, uint64_t v) {
  struct rtc *r = rtc(d);
  (void)size;
  switch (off) {
  case MR:
    r->match = (uint32_t)v;
    arm(r);
    break;
  case LR:
    r->load = (uint32_t)v;
    r->offset += r->load - seconds(r);
    arm(r);
    break;
  case IMSC:
    r->imsc = v & 1;
    update(r);
    break;
  case ICR:
    if (v & 1) r->ris = 0;
    update(r);
    break;
  default: break; /* CR: once started, the clock does not stop */
  }
  return 0;
}

static int create(struct device *d, const struct prop *props) {
  struct rtc *r = rtc(d);
  (void)props;
  r->timer = machine_timer_new(d->machine, on_timer, r);
  if (!r->timer) return -ENOMEM;
  uint64_t start = d->machine->virt ? VIRTUAL_EPOCH : (uint64_t)time(NULL);
  r->offset = (uint32_t)(start - machine_now(d->machine) / NS);
  return 0;
}

static void reset(struct device *d) { machine_timer_set(rtc(d)->timer, UINT64_MAX); }

static void destroy(struct device *d) {
  if (rtc(d)->timer) machine_timer_set(rtc(d)->timer, UINT64_MAX);
}

const struct device_ops pl031_ops = {
    .name = "pl031",
    .title = "PrimeCell real-time clock PL031",
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
