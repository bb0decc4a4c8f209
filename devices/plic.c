/* RISC-V platform-level interrupt controller 1.0.0, SiFive layout. Output c drives context c; which privilege level of
 * which hart that is, the board says. Gateways are level-triggered: a source asks again after completion while its
 * input stays high. */
#include <errno.h>

#include "core/log.h"
#include "devices/device.h"
#include "devices/props.h"

#define MAX_SOURCES    1024 /* source 0 does not exist */
#define MAX_CONTEXTS   (2 * MACHINE_MAX_VCPUS)
#define WORDS          (MAX_SOURCES / 32)

#define PENDING        0x1000
#define ENABLE         0x2000
#define ENABLE_STRIDE  0x80
#define CONTEXT        0x200000
#define CONTEXT_STRIDE 0x1000

struct plic {
  struct device d;
  uint8_t priority[MAX_SOURCES];
  uint32_t level[WORDS], pending[WORDS], claimed[WORDS];
  uint32_t enable[MAX_CONTEXTS * WORDS]; /* [context][word] */
  uint8_t threshold[MAX_CONTEXTS];
  unsigned nsources; /* including the missing source 0 */
  uint8_t max_priority;
};

static const struct device_field fields[] = {
    DEVICE_ARRAY(struct plic, priority, 0, 0),
    DEVICE_ARRAY(struct plic, level, 0,
                 FIELD_HEX | FIELD_KEEP), /* belongs to the sources, which reset themselves */
    DEVICE_ARRAY(struct plic, pending, 0, FIELD_HEX),
    DEVICE_ARRAY(struct plic, claimed, 0, FIELD_HEX),
    DEVICE_ARRAY(struct plic, enable, 0, FIELD_HEX),
    DEVICE_ARRAY(struct plic, threshold, 0, 0),
};

static struct plic *plic(struct device *d) { return container_of(d, struct plic, d); }

/* The pending, enabled source of the highest priority above `floor`; ties go to the lowest number. 0 when none. */
static unsigned best(const struct plic *p, unsigned context, unsigned floor) {
  unsigned found = 0;
  for (unsigned w = 0; w * 32 < p->nsources; w++) {
    uint32_t bits = p->pending[w] & p->enable[context * WORDS + w];
    for (; bits; bits &= bits - 1) {
      unsigned source = w * 32 + (unsigned)__builtin_ctz(bits);
      if (p->priority[source] > floor) {
        floor = p->priority[source];
        found = source;
      }
    }
  }
  return found;
}

static void update(struct plic *p) {
  for (unsigned c = 0; c < p->d.nirqs; c++) irq_set(&p->d.irqs[c], best(p, c, p->threshold[c]) != 0);
}

static unsigned ninputs(struct device *d) { return plic(d)->nsources; }

static void input(struct device *d, unsigned source, bool level) {
  struct plic *p = plic(d);
  uint32_t bit = 1u << (source & 31);
  if (!source) return;
  if (level) p->level[source / 32] |= bit;
  else p->level[source / 32] &= ~bit;
  if (level && !(p->claimed[source / 32] & bit)) p->pending[source / 32] |= bit;
  update(p);
}

static uint32_t claim(struct plic *p, unsigned c) {
  unsigned source = best(p, c, 0);
  if (!source) return 0;
  p->pending[source / 32] &= ~(1u << (source & 31));
  p->claimed[source / 32] |= 1u << (source & 31);
  update(p);
  return source;
}

static void complete(struct plic *p, unsigned c, uint32_t source) {
  if (!source || source >= p->nsources) return;
  unsigned w = source / 32;
  uint32_t bit = 1u << (source & 31);
  if (!(p->enable[c * WORDS + w] & bit)) return; /* 1.0.0 section 8: silently ignored */
  p->claimed[w] &= ~bit;
  if (p->level[w] & bit) p->pending[w] |= bit;
  update(p);
}

static uint32_t valid(const struct plic *p, unsigned word) {
  uint32_t m = word ? ~0u : ~1u;
  if (word * 32 >= p->nsources) return 0;
  if (p->nsources - word * 32 < 32) m &= (1u << (p->nsources - word * 32)) - 1;
  return m;
}

static int plic_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  struct plic *p = plic(d);
  (void)size;
  *value = 0;
  if (off < PENDING) {
    if (off / 4 < p->nsources) *value = p->priority[off / 4];
  } else if (off < ENABLE) {
    if ((off - PENDING) / 4 < WORDS) *value = p->pending[(off - PENDING) / 4];
  } else if (off < CONTEXT) {
    uint64_t c = (off - ENABLE) / ENABLE_STRIDE, w = (off - ENABLE) % ENABLE_STRIDE / 4;
    if (c < d->nirqs) *value = p->enable[c * WORDS + w];
  } else {
    uint64_t c = (off - CONTEXT) / CONTEXT_STRIDE, reg = (off - CONTEXT) % CONTEXT_STRIDE;
    if (c < d->nirqs && reg == 0) *value = p->threshold[c];
    if (c < d->nirqs && reg == 4) *value = claim(p, (unsigned)c);
  }
  return 0; /* reserved words read as zero */
}

static int plic_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  struct plic *p = plic(d);
  (void)size;
  if (off < PENDING) {
    if (off && off / 4 < p->nsources) p->priority[off / 4] = value & p->max_priority;
  } else if (off < ENABLE) {
    return 0; /* pending bits are read-only */
  } else if (off < CONTEXT) {
    uint64_t c = (off - ENABLE) / ENABLE_STRIDE, w = (off - ENABLE) % ENABLE_STRIDE / 4;
    if (c < d->nirqs) p->enable[c * WORDS + w] = (uint32_t)value & valid(p, (unsigned)w);
  } else {
    uint64_t c = (off - CONTEXT) / CONTEXT_STRIDE, reg = (off - CONTEXT) % CONTEXT_STRIDE;
    if (c < d->nirqs && reg == 0) p->threshold[c] = value & p->max_priority;
    if (c < d->nirqs && reg == 4) complete(p, (unsigned)c, (uint32_t)value);
  }
  update(p);
  return 0;
}

static int create(struct device *d, const struct prop *props) {
  struct plic *p = plic(d);
  uint64_t sources, bits;
  if (d->nirqs > MAX_CONTEXTS) {
    log_error("%s: more than %u contexts", d->id, MAX_CONTEXTS);
    return -EINVAL;
  }
  int rc = prop_int(props, "sources", 96, 2, MAX_SOURCES, &sources);
  if (!rc) rc = prop_int(props, "priority_bits", 3, 1, 8, &bits);
  if (rc) return rc;
  p->nsources = (unsigned)sources;
  p->max_priority = (uint8_t)((1u << bits) - 1);
  return 0;
}

static void reset(struct device *d) {
  struct plic *p = plic(d);
  for (unsigned w = 0; w < WORDS; w++) p->pending[w] = p->level[w];
}

const struct device_ops plic_ops = {
    .name = "plic",
    .title = "RISC-V platform-level interrupt controller",
    .size = sizeof(struct plic),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .sizes = 4,
    .create = create,
    .reset = reset,
    .read = plic_read,
    .write = plic_write,
    .ninputs = ninputs,
    .input = input,
};
