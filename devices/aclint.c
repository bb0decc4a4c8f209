/* RISC-V ACLINT in CLINT-compatible layout: MSIP at +0, MTIMECMP at +0x4000, MTIME at +0xbff8. Output 2h is hart h's
 * software interrupt, output 2h+1 its timer interrupt. MTIME counts guest time; what the CPU reads as its own time
 * counter is the same clock. */
#include <errno.h>
#include <stdlib.h>

#include "core/log.h"
#include "devices/device.h"
#include "devices/props.h"

#define MTIMECMP 0x4000
#define MTIME    0xbff8
#define NS       1000000000ull

struct aclint {
  struct device d;
  uint8_t msip[MACHINE_MAX_VCPUS];
  uint64_t mtimecmp[MACHINE_MAX_VCPUS];
  uint64_t delta; /* added to the clock: what writes to MTIME changed */
  uint64_t hz;
  unsigned nharts;
  struct hart_timer {
    struct aclint *owner;
    unsigned hart;
    struct machine_timer *timer;
  } timer[MACHINE_MAX_VCPUS];
};

static const struct device_field fields[] = {
    DEVICE_ARRAY(struct aclint, msip, 0, 0),
    DEVICE_ARRAY(struct aclint, mtimecmp, UINT64_MAX, FIELD_HEX), /* no interrupt before the first write */
    DEVICE_FIELD(struct aclint, delta, 0, FIELD_HEX),
    DEVICE_FIELD(struct aclint, hz, 0, FIELD_KEEP),
};

static struct aclint *aclint(struct device *d) { return container_of(d, struct aclint, d); }

static uint64_t mtime(const struct aclint *a) {
  return (uint64_t)((u128)machine_now(a->d.machine) * a->hz / NS) + a->delta;
}

static void update_timer(struct aclint *a, unsigned h) {
  uint64_t cmp = a->mtimecmp[h];
  bool due = mtime(a) >= cmp;
  irq_set(&a->d.irqs[2 * h + 1], due);
  uint64_t when = UINT64_MAX;
  if (!due && cmp >= a->delta) { /* with cmp < delta the clock would have to wrap first */
    u128 ns = ((u128)(cmp - a->delta) * NS + a->hz - 1) / a->hz + a->d.machine->epoch_ns;
    if (ns < UINT64_MAX) when = (uint64_t)ns;
  }
  machine_timer_set(a->timer[h].timer, when);
}

static void on_timer(void *opaque) {
  struct hart_timer *t = opaque;
  machine_lock(t->owner->d.machine);
  update_timer(t->owner, t->hart);
  machine_unlock(t->owner->d.machine);
}

/* Finds the 64-bit register that holds off: MTIMECMP of a hart, or MTIME (*hart = nharts). */
static bool wide(const struct aclint *a, uint64_t off, unsigned *hart) {
  *hart = a->nharts;
  if ((off & ~7ull) == MTIME) return true;
  if (off < MTIMECMP || off >= MTIMECMP + 8ull * a->nharts) return false;
  *hart = (unsigned)((off - MTIMECMP) / 8);
  return true;
}

static int aclint_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  struct aclint *a = aclint(d);
  unsigned h;
  *value = 0;
  if (wide(a, off, &h)) {
    uint64_t v = h < a->nharts ? a->mtimecmp[h] : mtime(a);
    *value = size == 8 ? v : (uint32_t)(v >> (off & 4 ? 32 : 0));
  } else if (size == 4 && off < 4ull * a->nharts) {
    *value = a->msip[off / 4];
  }
  return 0; /* reserved words read as zero */
}

static int aclint_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  struct aclint *a = aclint(d);
  unsigned h;
  if (wide(a, off, &h)) {
    uint64_t now = mtime(a), v = h < a->nharts ? a->mtimecmp[h] : now;
    if (size == 8) v = value;
    else if (off & 4) v = (v & 0xffffffff) | value << 32;
    else v = (v & ~0xffffffffull) | (uint32_t)value;
    if (h < a->nharts) {
      a->mtimecmp[h] = v;
      update_timer(a, h);
    } else {
      a->delta += v - now;
      __atomic_store_n(&a->d.machine->counter_delta, a->delta, __ATOMIC_RELAXED);
      for (h = 0; h < a->nharts; h++) update_timer(a, h);
    }
  } else if (size == 4 && off < 4ull * a->nharts) {
    a->msip[off / 4] = value & 1;
    irq_set(&d->irqs[off / 4 * 2], value & 1);
  }
  return 0;
}

static int create(struct device *d, const struct prop *props) {
  struct aclint *a = aclint(d);
  if (!d->nirqs || d->nirqs % 2 || d->nirqs > 2 * MACHINE_MAX_VCPUS) {
    log_error("%s: needs a software and a timer interrupt for each of 1 to %u harts", d->id,
              MACHINE_MAX_VCPUS);
    return -EINVAL;
  }
  int rc = prop_int(props, "hz", 10000000, 1, NS, &a->hz);
  if (rc) return rc;
  a->nharts = d->nirqs / 2;
  for (unsigned h = 0; h < a->nharts; h++) {
    a->timer[h] = (struct hart_timer){.owner = a, .hart = h};
    a->timer[h].timer = machine_timer_new(d->machine, on_timer, &a->timer[h]);
    if (!a->timer[h].timer) return -ENOMEM;
  }
  return 0;
}

static void reset(struct device *d) {
  struct aclint *a = aclint(d);
  for (unsigned h = 0; h < a->nharts; h++) machine_timer_set(a->timer[h].timer, UINT64_MAX);
}

static void destroy(struct device *d) {
  struct aclint *a = aclint(d);
  for (unsigned h = 0; h < a->nharts; h++)
    if (a->timer[h].timer) machine_timer_set(a->timer[h].timer, UINT64_MAX);
}

const struct device_ops aclint_ops = {
    .name = "aclint",
    .title = "RISC-V ACLINT (CLINT-compatible timers and software interrupts)",
    .size = sizeof(struct aclint),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .sizes = 4 | 8,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = aclint_read,
    .write = aclint_write,
};
