/* GICv3 with affinity routing and one security state, without LPIs and ITS: the distributor at +0, a redistributor of two
 * frames for each CPU from +0xa0000 on, and the CPU interfaces as system registers (ICC_*). (IHI 0069H.) */
#include <errno.h>

#include "core/log.h"
#include "devices/gic.h"
#include "devices/props.h"

#define REDIST 0xa0000
#define STRIDE 0x20000

/* Distributor, 12.9; redistributor, 12.11 */
enum { CTLR = 0x0, TYPER = 0x4, IIDR = 0x8, IROUTER = 0x6000, IROUTER_END = 0x8000, ID_FIRST = 0xffd0 };
enum { GICR_TYPER = 0x8, GICR_WAKER = 0x14, SGI_FRAME = 0x10000 };
enum { CTLR_ARE = 0x10, CTLR_DS = 0x40, CTLR_GROUPS = 3 };
enum { WAKER_SLEEP = 2, WAKER_CHILDREN = 4 };
#define IMPLEMENTER 0x0000043b /* Arm */

/* Numbers of the CPU interface's system registers: op0 3, op1 0, CRn, CRm, op2 packed as MSR has them. */
#define REG(crn, crm, op2) (3u << 14 | (crn) << 7 | (crm) << 3 | (op2))
enum {
  PMR = REG(4, 6, 0),
  IAR0 = REG(12, 8, 0),
  EOIR0 = REG(12, 8, 1),
  HPPIR0 = REG(12, 8, 2),
  BPR0 = REG(12, 8, 3),
  AP0R0 = REG(12, 8, 4),
  AP1R0 = REG(12, 9, 0),
  DIR_ = REG(12, 11, 1),
  RPR = REG(12, 11, 3),
  SGI1R = REG(12, 11, 5),
  ASGI1R = REG(12, 11, 6),
  SGI0R = REG(12, 11, 7),
  IAR1 = REG(12, 12, 0),
  EOIR1 = REG(12, 12, 1),
  HPPIR1 = REG(12, 12, 2),
  BPR1 = REG(12, 12, 3),
  ICC_CTLR = REG(12, 12, 4),
  SRE = REG(12, 12, 5),
  IGRPEN0 = REG(12, 12, 6),
  IGRPEN1 = REG(12, 12, 7),
};
enum { ICC_CBPR = 1, ICC_EOIMODE = 2 };
/* ICC_CTLR_EL1: 5 priority bits, 16-bit IDs no, affinity 3 valid no. */
#define ICC_CTLR_FIXED (4u << 8)
enum { BPR0_MIN = 2, BPR1_MIN = 3 };

/* Affinity of a CPU as MPIDR_EL1 has it: 16 to a cluster, so that a target list reaches all of one. */
static uint32_t affinity(unsigned cpu) { return cpu / 16 << 8 | cpu % 16; }

static uint64_t router_of(const struct gic *g, unsigned id) {
  return g->target[id] == 0xff ? UINT64_C(0xff000000ff) : affinity(g->target[id]);
}

static void set_router(struct gic *g, unsigned id, uint64_t v) {
  g->target[id] = 0xff;
  for (unsigned c = 0; c < g->ncpus; c++)
    if ((v & UINT64_C(0xff00ffffff)) == affinity(c)) g->target[id] = (uint8_t)c;
  if (v >> 31 & 1) g->target[id] = 0; /* any CPU: the first */
}

/* ---- Distributor ---- */

static uint64_t dist_read(const struct gic *g, uint64_t off, unsigned size) {
  uint64_t v;
  if (gic_bits_read(g, 0, off, size, GIC_PRIVATE, g->nirqs, &v)) return v;
  if (off >= IROUTER && off < IROUTER_END) {
    unsigned id = (unsigned)(off - IROUTER) / 8;
    if (id < GIC_PRIVATE || id >= g->nirqs) return 0;
    v = router_of(g, id);
    return off & 4 ? v >> 32 : size == 8 ? v : (uint32_t)v;
  }
  if (size != 4) return 0;
  if (off >= ID_FIRST) return gic_id(off, 3);
  switch (off) {
  case CTLR: return g->ctlr | CTLR_ARE | CTLR_DS;
  case TYPER: return (g->nirqs / 32 - 1) | 9u << 19 | 1u << 25; /* 10 bits of ID, no 1 of N */
  case IIDR: return IMPLEMENTER;
  default: return 0;
  }
}

static void dist_write(struct gic *g, uint64_t off, unsigned size, uint64_t value) {
  if (gic_bits_write(g, 0, off, size, GIC_PRIVATE, g->nirqs, value)) return;
  if (off >= IROUTER && off < IROUTER_END) {
    unsigned id = (unsigned)(off - IROUTER) / 8;
    if (id < GIC_PRIVATE || id >= g->nirqs) return;
    if (off & 4) value = value << 32 | (uint32_t)router_of(g, id);
    else if (size == 4) value |= router_of(g, id) & ~UINT64_C(0xffffffff);
    set_router(g, id, value);
  } else if (off == CTLR && size == 4) {
    g->ctlr = value & CTLR_GROUPS;
  }
  gic_update(g);
}

/* ---- Redistributors ---- */

static uint64_t redist_read(const struct gic *g, unsigned cpu, uint64_t off, unsigned size) {
  uint64_t v;
  if (off >= SGI_FRAME) {
    if (gic_bits_read(g, cpu, off - SGI_FRAME, size, 0, GIC_PRIVATE, &v)) return v;
    return 0;
  }
  if ((off & ~7ull) == GICR_TYPER && size >= 4) {
    v = (uint64_t)affinity(cpu) << 32 | cpu << 8 | (cpu + 1 == g->ncpus ? 1 << 4 : 0);
    return off & 4 ? v >> 32 : size == 8 ? v : (uint32_t)v;
  }
  if (size != 4) return 0;
  if (off >= ID_FIRST) return gic_id(off, 3);
  if (off == IIDR - 4) return IMPLEMENTER;
  if (off == GICR_WAKER) return g->asleep[cpu] ? WAKER_SLEEP | WAKER_CHILDREN : 0;
  return 0;
}

static void redist_write(struct gic *g, unsigned cpu, uint64_t off, unsigned size, uint64_t value) {
  if (off >= SGI_FRAME) {
    gic_bits_write(g, cpu, off - SGI_FRAME, size, 0, GIC_PRIVATE, value);
  } else if (off == GICR_WAKER && size == 4) {
    g->asleep[cpu] = !!(value & WAKER_SLEEP);
    gic_update(g);
  }
}

static int v3_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  const struct gic *g = gic(d);
  if (off < SGI_FRAME) {
    *value = dist_read(g, off, size);
    return 0;
  }
  if (off < REDIST || (off - REDIST) / STRIDE >= g->ncpus) return -EINVAL;
  *value = redist_read(g, (unsigned)((off - REDIST) / STRIDE), (off - REDIST) % STRIDE, size);
  return 0;
}

static int v3_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  struct gic *g = gic(d);
  if (off < SGI_FRAME) {
    dist_write(g, off, size, value);
    return 0;
  }
  if (off < REDIST || (off - REDIST) / STRIDE >= g->ncpus) return -EINVAL;
  redist_write(g, (unsigned)((off - REDIST) / STRIDE), (off - REDIST) % STRIDE, size, value);
  return 0;
}

/* ---- CPU interfaces, 12.2 ---- */

/* The pending interrupt of highest priority, if it is of that group. */
static unsigned pending_of(const struct gic *g, unsigned cpu, unsigned group) {
  unsigned id = gic_best(g, cpu, false);
  return id != GIC_SPURIOUS && gic_group(g, cpu, id) == group ? id : GIC_SPURIOUS;
}

static int port_read(void *opaque, unsigned cpu, unsigned reg, uint64_t *value) {
  struct gic *g = opaque;
  switch (reg) {
  case PMR: *value = g->pmr[cpu]; break;
  case IAR0: *value = gic_ack(g, cpu, 0); break;
  case IAR1: *value = gic_ack(g, cpu, 1); break;
  case HPPIR0: *value = pending_of(g, cpu, 0); break;
  case HPPIR1: *value = pending_of(g, cpu, 1); break;
  case BPR0: *value = g->bpr0[cpu]; break;
  case BPR1: *value = g->bpr1[cpu]; break;
  case AP0R0: *value = g->apr0[cpu]; break;
  case AP1R0: *value = g->apr1[cpu]; break;
  case RPR: *value = gic_running(g, cpu); break;
  case ICC_CTLR: *value = ICC_CTLR_FIXED | g->cbpr[cpu] | (g->eoimode[cpu] ? ICC_EOIMODE : 0); break;
  case SRE: *value = 7; break; /* these registers are the only way */
  case IGRPEN0: *value = g->enable0[cpu]; break;
  case IGRPEN1: *value = g->enable1[cpu]; break;
  default: return -ENOENT;
  }
  return 0;
}

/* SGI0R, SGI1R, ASGI1R: to the CPUs of a target list, or to all others (IRM). An interrupt of the other group is not sent;
 * with one security state ASGI1R is for group 0 of a state that is not there, and sends nothing. */
static void send(struct gic *g, unsigned cpu, unsigned group, uint64_t v) {
  const unsigned id = v >> 24 & 15;
  const uint64_t upper = (v >> 48 & 0xff) << 32 | (v >> 32 & 0xff) << 16 | (v >> 16 & 0xff) << 8;
  for (unsigned c = 0; c < g->ncpus; c++) {
    const uint32_t a = affinity(c);
    const bool hit =
        v >> 40 & 1 ? c != cpu : upper == (a & ~0xffu) && a % 256 / 16 == (v >> 44 & 15) && v >> (a & 15) & 1;
    if (hit && gic_group(g, c, id) == group) gic_sgi(g, c, id);
  }
}

static uint8_t at_least(uint64_t v, unsigned low) { return (v & 7) < low ? (uint8_t)low : v & 7; }

static int port_write(void *opaque, unsigned cpu, unsigned reg, uint64_t v) {
  struct gic *g = opaque;
  switch (reg) {
  case PMR: g->pmr[cpu] = v & GIC_PRIO_MASK; break;
  case EOIR0: gic_eoi(g, cpu, 0, v & 0xffffff); return 0;
  case EOIR1: gic_eoi(g, cpu, 1, v & 0xffffff); return 0;
  case DIR_:
    if (g->eoimode[cpu]) gic_deactivate(g, cpu, v & 0xffffff);
    return 0;
  case BPR0: g->bpr0[cpu] = at_least(v, BPR0_MIN); break;
  case BPR1: g->bpr1[cpu] = at_least(v, BPR1_MIN); break;
  case AP0R0: g->apr0[cpu] = (uint32_t)v; break;
  case AP1R0: g->apr1[cpu] = (uint32_t)v; break;
  case SGI0R: send(g, cpu, 0, v); return 0;
  case SGI1R: send(g, cpu, 1, v); return 0;
  case SRE:
  case ASGI1R: return 0;
  case ICC_CTLR:
    g->eoimode[cpu] = !!(v & ICC_EOIMODE);
    g->cbpr[cpu] = v & ICC_CBPR;
    break;
  case IGRPEN0: g->enable0[cpu] = v & 1; break;
  case IGRPEN1: g->enable1[cpu] = v & 1; break;
  default: return -ENOENT;
  }
  gic_update(g);
  return 0;
}

/* ---- Life ---- */

static int create(struct device *d, const struct prop *props) {
  struct gic *g = gic(d);
  int rc = gic_create(g, props);
  if (rc) return rc;
  for (unsigned c = 0; c < g->ncpus && c < d->machine->nvcpus; c++)
    if (!vcpu_port_add(d->machine->vcpu[c], (struct vcpu_port){port_read, port_write, g})) {
      log_error("%s: CPU %u has other devices behind its system registers", d->id, c);
      return -EBUSY;
    }
  return 0;
}

static void destroy(struct device *d) {
  for (unsigned c = 0; c < d->machine->nvcpus; c++) vcpu_port_remove(d->machine->vcpu[c], gic(d));
}

static void reset(struct device *d) {
  gic_reset(gic(d));
  gic(d)->fiq_on_group0 = 1;
  for (unsigned c = 0; c < gic(d)->ncpus; c++) gic(d)->asleep[c] = 1;
}

const struct device_ops gicv3_ops = {
    .name = "gicv3",
    .title = "Arm GICv3 interrupt controller",
    .size = sizeof(struct gic),
    .fields = gic_fields,
    .nfields = GIC_NFIELDS,
    .sizes = 1 | 4 | 8,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = v3_read,
    .write = v3_write,
    .ninputs = gic_ninputs,
    .input = gic_input,
};
