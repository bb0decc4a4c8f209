/* GICv2 with one security state: the distributor at +0, the CPU interface at +0x10000. Registers that are banked by CPU are
 * those of CPU 0: there is one. (IHI 0048B.) */
#include <errno.h>

#include "core/log.h"
#include "devices/gic.h"
#include "devices/props.h"

#define CPU_FRAME 0x10000

/* Distributor, 4.3 */
enum { CTLR = 0x0, TYPER = 0x4, IIDR = 0x8, ITARGETSR = 0x800, ITARGETSR_END = 0xc00, SGIR = 0xf00 };
enum { CPENDSGIR = 0xf10, SPENDSGIR = 0xf20, SGIR_END = 0xf30, ID_FIRST = 0xfd0, ID_END = 0x1000 };
/* CPU interface, 4.4 */
enum { C_CTLR = 0x0, C_PMR = 0x4, C_BPR = 0x8, C_IAR = 0xc, C_EOIR = 0x10, C_RPR = 0x14, C_HPPIR = 0x18 };
enum { C_ABPR = 0x1c, C_AIAR = 0x20, C_AEOIR = 0x24, C_AHPPIR = 0x28, C_APR0 = 0xd0, C_NSAPR0 = 0xe0 };
enum { C_IIDR = 0xfc, C_DIR = 0x1000 };
enum { EN0 = 1, EN1 = 2, ACKCTL = 4, FIQEN = 8, CBPR = 16, EOIMODE = 0x200 };
#define IMPLEMENTER 0x43b
#define OTHER_GROUP 1022 /* what is pending is of group 1, and IAR was asked without AckCtl */

static uint64_t dist_read(const struct gic *g, uint64_t off, unsigned size) {
  uint64_t v;
  if (gic_bits_read(g, 0, off, size, 0, g->nirqs, &v)) return v;
  if (off >= ITARGETSR && off < ITARGETSR_END) {
    v = 0;
    for (unsigned i = 0; i < size; i++) {
      unsigned id = (unsigned)(off - ITARGETSR) + i;
      if (id < g->nirqs && (id < GIC_PRIVATE || g->target[id] == 0)) v |= UINT64_C(1) << 8 * i;
    }
    return v;
  }
  if (off >= CPENDSGIR && off < SGIR_END) { /* one byte of sources for each SGI */
    v = 0;
    for (unsigned i = 0; i < size; i++) v |= (uint64_t)(g->pending[0] >> ((off & 15) + i) & 1) << 8 * i;
    return v;
  }
  if (size != 4) return 0;
  if (off >= ID_FIRST && off < ID_END) return gic_id(off | 0xf000, 2);
  switch (off) {
  case CTLR: return g->ctlr;
  case TYPER: return (g->nirqs / 32 - 1) | (g->ncpus - 1) << 5;
  case IIDR: return IMPLEMENTER;
  default: return 0;
  }
}

static void dist_write(struct gic *g, uint64_t off, unsigned size, uint64_t value) {
  if (gic_bits_write(g, 0, off, size, 0, g->nirqs, value)) return;
  if (off >= ITARGETSR && off < ITARGETSR_END) {
    for (unsigned i = 0; i < size; i++) {
      unsigned id = (unsigned)(off - ITARGETSR) + i;
      if (id >= GIC_PRIVATE && id < g->nirqs) g->target[id] = value >> 8 * i & 1 ? 0 : 0xff;
    }
  } else if (off >= CPENDSGIR && off < SGIR_END) {
    for (unsigned i = 0; i < size; i++) {
      if (!(value >> 8 * i & 0xff)) continue;
      uint32_t bit = 1u << ((off & 15) + i);
      if (off >= SPENDSGIR) g->pending[0] |= bit;
      else g->pending[0] &= ~bit;
    }
  } else if (off == CTLR && size == 4) {
    g->ctlr = value & 3;
  } else if (off == SGIR && size == 4) {
    unsigned filter = value >> 24 & 3; /* 0 the list, 1 all others, 2 the asking CPU */
    if (filter == 2 || (!filter && value >> 16 & 1)) gic_sgi(g, 0, value & 15);
  }
  gic_update(g);
}

/* IAR and HPPIR answer for the group of the best interrupt; group 1 only with AckCtl. */
static unsigned group_of_best(const struct gic *g, bool signalled) {
  unsigned id = gic_best(g, 0, signalled);
  return id == GIC_SPURIOUS ? 0 : gic_group(g, 0, id);
}

static uint64_t cpu_read(struct gic *g, uint64_t off, unsigned size) {
  const bool both = g->extra[0] & ACKCTL;
  if (size != 4) return 0;
  switch (off) {
  case C_CTLR:
    return g->enable0[0] | (uint32_t)g->enable1[0] << 1 | g->extra[0] | (g->eoimode[0] ? EOIMODE : 0);
  case C_PMR: return g->pmr[0];
  case C_BPR: return g->bpr0[0];
  case C_ABPR: return g->bpr1[0];
  case C_IAR:
    if (!group_of_best(g, true)) return gic_ack(g, 0, 0);
    return both ? gic_ack(g, 0, 1) : OTHER_GROUP;
  case C_AIAR: return gic_ack(g, 0, 1);
  case C_HPPIR: return group_of_best(g, false) && !both ? OTHER_GROUP : gic_best(g, 0, false);
  case C_AHPPIR: return group_of_best(g, false) ? gic_best(g, 0, false) : GIC_SPURIOUS;
  case C_RPR: return gic_running(g, 0);
  case C_APR0: return g->apr0[0];
  case C_NSAPR0: return g->apr1[0];
  case C_IIDR: return 0x2043b;
  default: return 0;
  }
}

static uint8_t at_least(uint64_t v, unsigned low) { return (v & 7) < low ? (uint8_t)low : v & 7; }

static void cpu_write(struct gic *g, uint64_t off, unsigned size, uint64_t v) {
  const unsigned id = v & 0x3ff;
  if (size != 4) return;
  switch (off) {
  case C_CTLR:
    g->enable0[0] = v & EN0;
    g->enable1[0] = !!(v & EN1);
    g->eoimode[0] = !!(v & EOIMODE);
    g->extra[0] = v & (ACKCTL | FIQEN | CBPR);
    g->fiq_on_group0 = !!(v & FIQEN);
    g->cbpr[0] = !!(v & CBPR);
    break;
  case C_PMR: g->pmr[0] = v & GIC_PRIO_MASK; break;
  case C_BPR: g->bpr0[0] = at_least(v, 2); break;
  case C_ABPR: g->bpr1[0] = at_least(v, 3); break;
  case C_EOIR: gic_eoi(g, 0, id < g->nirqs && gic_group(g, 0, id) && g->extra[0] & ACKCTL, id); return;
  case C_AEOIR: gic_eoi(g, 0, 1, id); return;
  case C_DIR:
    if (g->eoimode[0]) gic_deactivate(g, 0, id);
    return;
  case C_APR0: g->apr0[0] = (uint32_t)v; break;
  case C_NSAPR0: g->apr1[0] = (uint32_t)v; break;
  default: break;
  }
  gic_update(g);
}

static int v2_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  *value = off < CPU_FRAME ? dist_read(gic(d), off, size) : cpu_read(gic(d), off - CPU_FRAME, size);
  return 0;
}

static int v2_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  if (off < CPU_FRAME) dist_write(gic(d), off, size, value);
  else cpu_write(gic(d), off - CPU_FRAME, size, value);
  return 0;
}

static int create(struct device *d, const struct prop *props) {
  int rc = gic_create(gic(d), props);
  if (!rc && gic(d)->ncpus != 1) {
    log_error("%s: GICv2 is for one CPU in this version: use gicv3", d->id);
    rc = -EINVAL;
  }
  return rc;
}

static void reset(struct device *d) { gic_reset(gic(d)); }

const struct device_ops gicv2_ops = {
    .name = "gicv2",
    .title = "Arm GICv2 interrupt controller",
    .size = sizeof(struct gic),
    .fields = gic_fields,
    .nfields = GIC_NFIELDS,
    .sizes = 1 | 4,
    .create = create,
    .reset = reset,
    .read = v2_read,
    .write = v2_write,
    .ninputs = gic_ninputs,
    .input = gic_input,
};
