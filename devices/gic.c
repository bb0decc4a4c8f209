/* The part that GICv2 and GICv3 share; see gic.h. */
#include "devices/gic.h"

#include <errno.h>
#include <string.h>

#include "core/log.h"
#include "devices/props.h"

const struct device_field gic_fields[] = {
    DEVICE_ARRAY(struct gic, group, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, enabled, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, pending, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, active, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, edge, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, level, 0, FIELD_HEX | FIELD_KEEP),
    DEVICE_ARRAY(struct gic, prio, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, target, 0, 0),
    DEVICE_FIELD(struct gic, ctlr, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, pmr, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, bpr0, 2, 0),
    DEVICE_ARRAY(struct gic, bpr1, 3, 0),
    DEVICE_ARRAY(struct gic, enable0, 0, 0),
    DEVICE_ARRAY(struct gic, enable1, 0, 0),
    DEVICE_ARRAY(struct gic, eoimode, 0, 0),
    DEVICE_ARRAY(struct gic, asleep, 0, 0),
    DEVICE_ARRAY(struct gic, extra, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, apr0, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, apr1, 0, FIELD_HEX),
    DEVICE_ARRAY(struct gic, cbpr, 0, 0),
    DEVICE_FIELD(struct gic, fiq_on_group0, 0, 0),
};
_Static_assert(ARRAY_SIZE(gic_fields) == GIC_NFIELDS, "fields");

static unsigned word(unsigned cpu, unsigned id) { return id < GIC_PRIVATE ? cpu : GIC_CPUS + id / 32; }
static uint32_t bit(unsigned id) { return 1u << (id & 31); }
static uint8_t *prio(struct gic *g, unsigned cpu, unsigned id) {
  return &g->prio[id < GIC_PRIVATE ? cpu * GIC_PRIVATE + id : GIC_CPUS * GIC_PRIVATE + id];
}

unsigned gic_group(const struct gic *g, unsigned cpu, unsigned id) {
  return !!(g->group[word(cpu, id)] & bit(id));
}

/* ---- What is next ---- */

/* Bits of a word that wait to be taken: latched, or level-sensitive and high. */
static uint32_t waiting(const struct gic *g, unsigned w) {
  return (g->pending[w] | (g->level[w] & ~g->edge[w])) & g->enabled[w] & ~g->active[w];
}

static uint32_t open_groups(const struct gic *g, unsigned cpu, unsigned w) {
  uint32_t m = 0;
  if (g->ctlr & 1 && g->enable0[cpu]) m |= ~g->group[w];
  if (g->ctlr & 2 && g->enable1[cpu]) m |= g->group[w];
  return m;
}

/* The bits of a priority that decide preemption; the rest is subpriority (binary point). */
static unsigned preempts(const struct gic *g, unsigned cpu, unsigned group, unsigned p) {
  unsigned shift = group && !g->cbpr[cpu] ? g->bpr1[cpu] : g->bpr0[cpu] + 1u;
  return shift > 7 ? 0 : p & (0xffu << shift) & GIC_PRIO_MASK;
}

unsigned gic_running(const struct gic *g, unsigned cpu) {
  uint32_t active = g->apr0[cpu] | g->apr1[cpu];
  return active ? (unsigned)__builtin_ctz(active) << 3 : 0xff;
}

unsigned gic_best(const struct gic *g, unsigned cpu, bool signalled) {
  unsigned found = GIC_SPURIOUS, floor = 0x100;
  if (g->asleep[cpu]) return GIC_SPURIOUS;
  for (unsigned n = 0; n < g->nirqs; n += 32) {
    unsigned w = word(cpu, n);
    for (uint32_t bits = waiting(g, w) & open_groups(g, cpu, w); bits; bits &= bits - 1) {
      unsigned id = n + (unsigned)__builtin_ctz(bits);
      unsigned p = *prio((struct gic *)g, cpu, id);
      if (p >= floor || (id >= GIC_PRIVATE && g->target[id] != cpu)) continue;
      floor = p;
      found = id;
    }
  }
  if (found == GIC_SPURIOUS || !signalled) return found;
  if (floor >= g->pmr[cpu]) return GIC_SPURIOUS;
  return preempts(g, cpu, gic_group(g, cpu, found), floor) < gic_running(g, cpu) ? found : GIC_SPURIOUS;
}

void gic_update(struct gic *g) {
  for (unsigned c = 0; c < g->ncpus; c++) {
    unsigned id = gic_best(g, c, true);
    bool fiq = id != GIC_SPURIOUS && !gic_group(g, c, id) && g->fiq_on_group0;
    irq_set(&g->d.irqs[2 * c], id != GIC_SPURIOUS && !fiq);
    irq_set(&g->d.irqs[2 * c + 1], fiq);
  }
}

/* ---- A CPU's interface ---- */

unsigned gic_ack(struct gic *g, unsigned cpu, unsigned group) {
  unsigned id = gic_best(g, cpu, true);
  if (id == GIC_SPURIOUS || gic_group(g, cpu, id) != group) return GIC_SPURIOUS;
  unsigned w = word(cpu, id);
  g->active[w] |= bit(id);
  g->pending[w] &= ~bit(id);
  (group ? g->apr1 : g->apr0)[cpu] |= 1u << (preempts(g, cpu, group, *prio(g, cpu, id)) >> 3);
  gic_update(g);
  return id;
}

void gic_deactivate(struct gic *g, unsigned cpu, unsigned id) {
  if (id < g->nirqs) g->active[word(cpu, id)] &= ~bit(id);
  gic_update(g);
}

void gic_eoi(struct gic *g, unsigned cpu, unsigned group, unsigned id) {
  uint32_t *apr = &(group ? g->apr1 : g->apr0)[cpu];
  if (id >= g->nirqs) return;
  *apr &= *apr - 1;
  if (!g->eoimode[cpu]) g->active[word(cpu, id)] &= ~bit(id);
  gic_update(g);
}

void gic_sgi(struct gic *g, unsigned cpu, unsigned id) {
  g->pending[cpu] |= bit(id);
  gic_update(g);
}

/* ---- Inputs ---- */

unsigned gic_ninputs(struct device *d) { return gic(d)->nirqs - GIC_PRIVATE + gic(d)->ncpus * GIC_PRIVATE; }

void gic_input(struct device *d, unsigned line, bool level) {
  struct gic *g = gic(d);
  const unsigned spis = g->nirqs - GIC_PRIVATE;
  const unsigned id = line < spis ? line + GIC_PRIVATE : (line - spis) % GIC_PRIVATE;
  const unsigned w = line < spis ? word(0, id) : (line - spis) / GIC_PRIVATE;
  const bool was = g->level[w] & bit(id);
  if (level) g->level[w] |= bit(id);
  else g->level[w] &= ~bit(id);
  if (level && !was && g->edge[w] & bit(id)) g->pending[w] |= bit(id);
  gic_update(g);
}

/* ---- Registers by interrupt, IHI 0069H 12.9 ---- */

enum {
  IGROUPR = 0x80,
  ISENABLER = 0x100,
  ICENABLER = 0x180,
  ISPENDR = 0x200,
  ICPENDR = 0x280,
  ISACTIVER = 0x300
};
enum { ICACTIVER = 0x380, IPRIORITYR = 0x400, ITARGETSR = 0x800, ICFGR = 0xc00, ICFGR_END = 0xd00 };

/* IDs of a word of 32 that are inside [lo, hi). */
static uint32_t inside(unsigned first, unsigned lo, unsigned hi) {
  return first >= lo && first < hi ? ~0u : 0;
}

/* Two bits for each of 16 interrupts: the upper one says edge. */
static uint32_t spread(uint32_t bits) {
  uint32_t v = 0;
  for (unsigned i = 0; i < 16; i++) v |= (bits >> i & 1) << (2 * i + 1);
  return v;
}

bool gic_bits_read(const struct gic *g, unsigned cpu, uint64_t off, unsigned size, unsigned lo, unsigned hi,
                   uint64_t *value) {
  *value = 0;
  if (off < IGROUPR || off >= ICFGR_END) return false;
  if (off >= ITARGETSR && off < ICFGR) return false;
  if (hi > g->nirqs) hi = g->nirqs;
  if (off >= IPRIORITYR && off < ITARGETSR) {
    for (unsigned i = 0; i < size; i++) {
      unsigned id = (unsigned)(off - IPRIORITYR) + i;
      if (id >= lo && id < hi) *value |= (uint64_t)*prio((struct gic *)g, cpu, id) << 8 * i;
    }
    return true;
  }
  if (size != 4) return true;
  unsigned first = off < IPRIORITYR ? (unsigned)(off & 0x7c) * 8 : (unsigned)(off - ICFGR) * 4;
  if (!inside(first, lo, hi)) return true;
  unsigned w = word(cpu, first);
  switch (off < IPRIORITYR ? off & ~0x7full : ICFGR) {
  case IGROUPR: *value = g->group[w]; break;
  case ISENABLER:
  case ICENABLER: *value = g->enabled[w]; break;
  case ISPENDR:
  case ICPENDR: *value = g->pending[w] | (g->level[w] & ~g->edge[w]); break;
  case ISACTIVER:
  case ICACTIVER: *value = g->active[w]; break;
  default: *value = spread(g->edge[w] >> (first & 16)); break;
  }
  return true;
}

bool gic_bits_write(struct gic *g, unsigned cpu, uint64_t off, unsigned size, unsigned lo, unsigned hi,
                    uint64_t value) {
  uint32_t v = (uint32_t)value, edge = 0;
  if (off < IGROUPR || off >= ICFGR_END || (off >= ITARGETSR && off < ICFGR)) return false;
  if (hi > g->nirqs) hi = g->nirqs;
  if (off >= IPRIORITYR && off < ITARGETSR) {
    for (unsigned i = 0; i < size; i++) {
      unsigned id = (unsigned)(off - IPRIORITYR) + i;
      if (id >= lo && id < hi) *prio(g, cpu, id) = (uint8_t)(value >> 8 * i) & GIC_PRIO_MASK;
    }
    gic_update(g);
    return true;
  }
  if (size != 4) return true;
  unsigned first = off < IPRIORITYR ? (unsigned)(off & 0x7c) * 8 : (unsigned)(off - ICFGR) * 4;
  if (!inside(first, lo, hi)) return true;
  unsigned w = word(cpu, first);
  switch (off < IPRIORITYR ? off & ~0x7full : ICFGR) {
  case IGROUPR: g->group[w] = v; break;
  case ISENABLER: g->enabled[w] |= v; break;
  case ICENABLER: g->enabled[w] &= ~v; break;
  case ISPENDR: g->pending[w] |= v; break;
  case ICPENDR: g->pending[w] &= ~v; break;
  case ISACTIVER: g->active[w] |= v; break;
  case ICACTIVER: g->active[w] &= ~v; break;
  default:
    if (first == 0) break; /* SGIs are edge-triggered */
    for (unsigned i = 0; i < 16; i++) edge |= (v >> (2 * i + 1) & 1) << i;
    g->edge[w] = (g->edge[w] & ~(0xffffu << (first & 16))) | edge << (first & 16);
    break;
  }
  gic_update(g);
  return true;
}

uint64_t gic_id(uint64_t off, unsigned revision) {
  /* PIDR4..7, PIDR0..3, CIDR0..3: a GIC by Arm */
  static const uint8_t id[] = {0x44, 0, 0, 0, 0x92, 0xb4, 0x0b, 0, 0x0d, 0xf0, 0x05, 0xb1};
  off = (off & 0xffff) - 0xffd0;
  return id[off / 4] | (off / 4 == 6 ? revision << 4 : 0);
}

/* ---- Life ---- */

int gic_create(struct gic *g, const struct prop *props) {
  uint64_t spis;
  int rc = prop_int(props, "spis", 256, 32, 960, &spis);
  if (rc) return rc;
  if (spis % 32) {
    log_error("%s: spis is a multiple of 32", g->d.id);
    return -EINVAL;
  }
  if (!g->d.nirqs || g->d.nirqs % 2 || g->d.nirqs / 2 > GIC_CPUS) {
    log_error("%s: needs an IRQ and a FIQ output for each of 1 to %u CPUs", g->d.id, GIC_CPUS);
    return -EINVAL;
  }
  g->nirqs = (unsigned)spis + GIC_PRIVATE;
  g->ncpus = g->d.nirqs / 2;
  return 0;
}

void gic_reset(struct gic *g) {
  for (unsigned c = 0; c < g->ncpus; c++) g->edge[c] = 0xffff; /* SGIs */
}
