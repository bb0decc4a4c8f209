/* Arm generic timer (Arm ARM D11): a physical and a virtual timer for each CPU, which it reaches as system registers. Output 2n
 * is CPU n's physical timer, 2n+1 its virtual one; both count guest time at `hz`, as the CPU's counters do. */
#include <errno.h>

#include "core/log.h"
#include "devices/device.h"
#include "devices/props.h"

#define NS 1000000000ull
enum { ENABLE = 1, IMASK = 2, ISTATUS = 4 };
/* System registers CNT{P,V}_{TVAL,CTL,CVAL}_EL0: op0 3, op1 3, CRn 14, CRm 2 or 3, op2, packed as MSR has them. */
#define REG(crm, op2) (3u << 14 | 3u << 11 | 14u << 7 | (crm) << 3 | (op2))
enum { TVAL = 0, CTL = 1, CVAL = 2 };

struct arm_timer {
  struct device d;
  uint64_t cval[2 * MACHINE_MAX_VCPUS];
  uint8_t ctl[2 * MACHINE_MAX_VCPUS]; /* ENABLE, IMASK */
  uint64_t hz;
  struct one {
    struct arm_timer *owner;
    unsigned n;
    struct machine_timer *timer;
  } one[2 * MACHINE_MAX_VCPUS];
};

static const struct device_field fields[] = {
    DEVICE_ARRAY(struct arm_timer, cval, 0, FIELD_HEX),
    DEVICE_ARRAY(struct arm_timer, ctl, 0, FIELD_HEX),
    DEVICE_FIELD(struct arm_timer, hz, 0, FIELD_KEEP),
};

static struct arm_timer *arm_timer(struct device *d) { return container_of(d, struct arm_timer, d); }

static uint64_t delta(const struct arm_timer *t) {
  return __atomic_load_n(&t->d.machine->counter_delta, __ATOMIC_RELAXED);
}

static uint64_t count(const struct arm_timer *t) {
  return (uint64_t)((u128)machine_now(t->d.machine) * t->hz / NS) + delta(t);
}

static void update(struct arm_timer *t, unsigned n) {
  const bool enabled = t->ctl[n] & ENABLE, due = count(t) >= t->cval[n];
  uint64_t when = UINT64_MAX;
  irq_set(&t->d.irqs[n], enabled && due && !(t->ctl[n] & IMASK));
  if (enabled && !due && !(t->ctl[n] & IMASK) && t->cval[n] >= delta(t)) {
    u128 ns = ((u128)(t->cval[n] - delta(t)) * NS + t->hz - 1) / t->hz + t->d.machine->epoch_ns;
    if (ns < UINT64_MAX) when = (uint64_t)ns;
  }
  machine_timer_set(t->one[n].timer, when);
}

static void on_timer(void *opaque) {
  struct one *o = opaque;
  machine_lock(o->owner->d.machine);
  update(o->owner, o->n);
  machine_unlock(o->owner->d.machine);
}

/* Which timer and which of its registers; false: another register. */
static bool which(const struct arm_timer *t, unsigned cpu, unsigned reg, unsigned *n, unsigned *what) {
  const unsigned off = reg - REG(2, 0);
  if (off >= 16 || (off & 7) > CVAL || 2 * cpu + 1 >= t->d.nirqs) return false;
  *n = 2 * cpu + off / 8;
  *what = off & 7;
  return true;
}

static int port_read(void *opaque, unsigned cpu, unsigned reg, uint64_t *value) {
  const struct arm_timer *t = opaque;
  unsigned n, what;
  if (!which(t, cpu, reg, &n, &what)) return -ENOENT;
  if (what == CVAL) *value = t->cval[n];
  else if (what == TVAL) *value = (uint32_t)(t->cval[n] - count(t));
  else *value = t->ctl[n] | (t->ctl[n] & ENABLE && count(t) >= t->cval[n] ? ISTATUS : 0);
  return 0;
}

static int port_write(void *opaque, unsigned cpu, unsigned reg, uint64_t value) {
  struct arm_timer *t = opaque;
  unsigned n, what;
  if (!which(t, cpu, reg, &n, &what)) return -ENOENT;
  if (what == CVAL) t->cval[n] = value;
  else if (what == TVAL) t->cval[n] = count(t) + (uint64_t)(int64_t)(int32_t)value;
  else t->ctl[n] = value & (ENABLE | IMASK);
  update(t, n);
  return 0;
}

static int create(struct device *d, const struct prop *props) {
  struct arm_timer *t = arm_timer(d);
  if (!d->nirqs || d->nirqs % 2 || d->nirqs > 2 * MACHINE_MAX_VCPUS) {
    log_error("%s: needs a physical and a virtual timer interrupt for each of 1 to %u CPUs", d->id,
              MACHINE_MAX_VCPUS);
    return -EINVAL;
  }
  int rc = prop_int(props, "hz", 62500000, 1, NS, &t->hz);
  if (rc) return rc;
  for (unsigned n = 0; n < d->nirqs; n++) {
    t->one[n] = (struct one){.owner = t, .n = n};
    t->one[n].timer = machine_timer_new(d->machine, on_timer, &t->one[n]);
    if (!t->one[n].timer) return -ENOMEM;
  }
  for (unsigned c = 0; c < d->nirqs / 2 && c < d->machine->nvcpus; c++)
    if (!vcpu_port_add(d->machine->vcpu[c], (struct vcpu_port){port_read, port_write, t})) {
      log_error("%s: CPU %u has other devices behind its system registers", d->id, c);
      return -EBUSY;
    }
  return 0;
}

static void reset(struct device *d) {
  for (unsigned n = 0; n < d->nirqs; n++) machine_timer_set(arm_timer(d)->one[n].timer, UINT64_MAX);
}

static void destroy(struct device *d) {
  struct arm_timer *t = arm_timer(d);
  for (unsigned n = 0; n < 2 * MACHINE_MAX_VCPUS; n++)
    if (t->one[n].timer) machine_timer_set(t->one[n].timer, UINT64_MAX);
  for (unsigned c = 0; c < d->machine->nvcpus; c++) vcpu_port_remove(d->machine->vcpu[c], t);
}

const struct device_ops arm_timer_ops = {
    .name = "arm_timer",
    .title = "Arm generic timer",
    .size = sizeof(struct arm_timer),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .create = create,
    .destroy = destroy,
    .reset = reset,
};
