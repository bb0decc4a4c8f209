/* GICv3, GICv2, the generic timer, PL011, PL031 and PL061 through their registers. Expected values come from IHI 0069H, IHI 0048B,
 * DDI 0487 D11 and the PrimeCells' manuals. */
#include <errno.h>

#include "core/isa.h"
#include "device_rig.h"

#define SPIS 64

/* A device with the system registers of two CPUs; wires are recorded. */
static struct rig *arm_rig(const char *name, unsigned cpus, unsigned nirqs, const struct prop *props,
                           uint64_t size) {
  struct rig *r = calloc(1, sizeof *r);
  struct irq irqs[256];
  const struct isa *isa = isa_find("arm64");
  assert_non_null(r);
  r->m = machine_new(isa);
  for (unsigned i = 0; i < cpus; i++) assert_non_null(machine_add_vcpu(r->m, isa->default_features));
  for (unsigned i = 0; i < nirqs; i++) irqs[i] = (struct irq){.set = rig_irq, .opaque = r, .line = i};
  struct device_site site = {.id = name, .base = RIG_BASE, .size = size, .irqs = irqs, .nirqs = nirqs};
  assert_int_equal(device_new(r->m, device_find(name), &site, props, &r->d), 0);
  return r;
}

/* System registers, packed as op0 op1 CRn CRm op2. */
#define SYS(op1, crn, crm, op2) (3u << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
enum {
  PMR = SYS(0, 4, 6, 0),
  IAR0 = SYS(0, 12, 8, 0),
  EOIR0 = SYS(0, 12, 8, 1),
  AP1R0 = SYS(0, 12, 9, 0),
  DIR_ = SYS(0, 12, 11, 1),
  RPR = SYS(0, 12, 11, 3),
  SGI1R = SYS(0, 12, 11, 5),
  IAR1 = SYS(0, 12, 12, 0),
  EOIR1 = SYS(0, 12, 12, 1),
  HPPIR1 = SYS(0, 12, 12, 2),
  BPR1 = SYS(0, 12, 12, 3),
  CTLR = SYS(0, 12, 12, 4),
  SRE = SYS(0, 12, 12, 5),
  IGRPEN0 = SYS(0, 12, 12, 6),
  IGRPEN1 = SYS(0, 12, 12, 7),
};

static uint64_t mrs(struct rig *r, unsigned cpu, unsigned reg) {
  uint64_t v = 0xdead;
  assert_int_equal(vcpu_port(r->m->vcpu[cpu], reg, &v, 0), 0);
  return v;
}
static void msr(struct rig *r, unsigned cpu, unsigned reg, uint64_t v) {
  assert_int_equal(vcpu_port(r->m->vcpu[cpu], reg, NULL, v), 0);
}
static void drive(struct rig *r, unsigned line, bool level) { r->d->ops->input(r->d, line, level); }

/* ---- GICv3 ---- */

#define REDIST(cpu) (0xa0000 + 0x20000 * (cpu))
#define SGI(cpu)    (REDIST(cpu) + 0x10000)
enum { IRQ0 = 0, FIQ0 = 1, IRQ1 = 2 };

/* Two CPUs awake, both groups on, everything in group 1 at priority 0xa0 and enabled. */
static struct rig *gic3(void) {
  static struct prop kid[] = {{.key = "spis", .type = PROP_INT, .num = SPIS}};
  static struct prop props;
  props = rig_table(kid, 1);
  struct rig *r = arm_rig("gicv3", 2, 4, &props, 16 << 20);
  wr(r, 0, 4, 3);
  for (unsigned w = 1; w < 3; w++) {
    wr(r, 0x80 + 4 * w, 4, ~0u);
    wr(r, 0x100 + 4 * w, 4, ~0u);
  }
  for (unsigned i = 32; i < 32 + SPIS; i += 4) wr(r, 0x400 + i, 4, 0xa0a0a0a0);
  for (unsigned c = 0; c < 2; c++) {
    wr(r, REDIST(c) + 0x14, 4, 0);
    wr(r, SGI(c) + 0x80, 4, ~0u);
    wr(r, SGI(c) + 0x100, 4, ~0u);
    for (unsigned i = 0; i < 32; i += 4) wr(r, SGI(c) + 0x400 + i, 4, 0xa0a0a0a0);
    msr(r, c, PMR, 0xf0);
    msr(r, c, IGRPEN1, 1);
    msr(r, c, IGRPEN0, 1);
  }
  return r;
}

static void gic3_identification(void **state) {
  (void)state;
  struct rig *r = gic3();
  assert_int_equal(mrs(r, 0, SRE), 7);
  assert_int_equal(rd(r, 0, 4), 0x53);             /* ARE, DS, both groups */
  assert_int_equal(rd(r, 4, 4) & 0x1f, SPIS / 32); /* ITLinesNumber */
  assert_int_equal(rd(r, 4, 4) >> 17 & 1, 0);      /* no LPIs */
  assert_int_equal(rd(r, 0xffe8, 4) & 0xf0, 0x30); /* GICv3 */
  assert_int_equal(rd(r, REDIST(1) + 0xffe8, 4) & 0xf0, 0x30);
  assert_int_equal(rd(r, REDIST(0) + 8, 8), 0); /* GICR_TYPER: affinity, number, last */
  assert_int_equal(rd(r, REDIST(1) + 8, 8), UINT64_C(1) << 32 | 1 << 8 | 1 << 4);
  assert_int_equal(rd(r, 0x400, 4), 0); /* private ones are the redistributors' */
  wr(r, 0x100, 4, ~0u);
  assert_int_equal(rd(r, 0x100, 4), 0);
  wr(r, 0x420, 1, 0xff); /* five bits of priority */
  assert_int_equal(rd(r, 0x420, 4), 0xa0a0a0f8);
  wr(r, 0x400 + 32 + SPIS, 4, ~0u); /* beyond the last */
  assert_int_equal(rd(r, 0x400 + 32 + SPIS, 4), 0);
  uint64_t v;
  assert_int_equal(phys_mmio_read(r->m->phys, RIG_BASE + 0x20000, 4, &v), -EINVAL);
  assert_int_equal(phys_mmio_read(r->m->phys, RIG_BASE + REDIST(2), 4, &v), -EINVAL);
  rig_free(r);
}

static void gic3_level(void **state) {
  (void)state;
  struct rig *r = gic3();
  drive(r, 5, true); /* SPI 5 = ID 37 */
  assert_true(r->level[IRQ0]);
  assert_false(r->level[IRQ1]);
  assert_int_equal(mrs(r, 0, HPPIR1), 37);
  assert_int_equal(mrs(r, 1, IAR1), 1023);
  assert_int_equal(mrs(r, 0, RPR), 0xff);
  assert_int_equal(mrs(r, 0, IAR1), 37);
  assert_false(r->level[IRQ0]);
  assert_int_equal(mrs(r, 0, RPR), 0xa0);
  assert_int_equal(rd(r, 0x304, 4), 1 << 5); /* active */
  assert_int_equal(rd(r, 0x204, 4), 1 << 5); /* and pending while the level stays */
  msr(r, 0, EOIR1, 37);
  assert_true(r->level[IRQ0]); /* again */
  assert_int_equal(mrs(r, 0, IAR1), 37);
  drive(r, 5, false);
  msr(r, 0, EOIR1, 37);
  assert_false(r->level[IRQ0]);
  assert_int_equal(mrs(r, 0, IAR1), 1023);
  assert_int_equal(mrs(r, 0, RPR), 0xff);
  rig_free(r);
}

static void gic3_edge(void **state) {
  (void)state;
  struct rig *r = gic3();
  wr(r, 0xc08, 4, 2 << 10); /* ID 37 edge-triggered */
  assert_int_equal(rd(r, 0xc08, 4), 2 << 10);
  drive(r, 5, true);
  drive(r, 5, false);
  assert_int_equal(mrs(r, 0, IAR1), 37);
  drive(r, 5, true); /* while active: latched */
  assert_false(r->level[IRQ0]);
  msr(r, 0, EOIR1, 37);
  assert_int_equal(mrs(r, 0, IAR1), 37);
  msr(r, 0, EOIR1, 37);
  assert_false(r->level[IRQ0]); /* the level alone says nothing */
  wr(r, 0x204, 4, 1 << 5);      /* by software */
  assert_true(r->level[IRQ0]);
  wr(r, 0x284, 4, 1 << 5);
  assert_false(r->level[IRQ0]);
  rig_free(r);
}

static void gic3_priorities(void **state) {
  (void)state;
  struct rig *r = gic3();
  wr(r, 0x400 + 40, 1, 0x80);
  wr(r, 0x400 + 41, 1, 0x40);
  drive(r, 10, true); /* 42 at 0xa0 */
  assert_int_equal(mrs(r, 0, IAR1), 42);
  drive(r, 11, true); /* 43 at 0xa0: does not preempt */
  assert_false(r->level[IRQ0]);
  drive(r, 8, true); /* 40 at 0x80 does */
  assert_true(r->level[IRQ0]);
  drive(r, 9, true);
  assert_int_equal(mrs(r, 0, IAR1), 41); /* the best first */
  assert_int_equal(mrs(r, 0, RPR), 0x40);
  assert_false(r->level[IRQ0]);
  assert_int_equal(mrs(r, 0, AP1R0), 1 << (0x40 >> 3) | 1 << (0xa0 >> 3));
  drive(r, 9, false);
  msr(r, 0, EOIR1, 41);
  assert_int_equal(mrs(r, 0, RPR), 0xa0);
  assert_int_equal(mrs(r, 0, IAR1), 40);
  drive(r, 8, false);
  msr(r, 0, EOIR1, 40);
  msr(r, 0, PMR, 0xa0); /* a mask of its own priority lets it not through */
  drive(r, 10, false);
  msr(r, 0, EOIR1, 42);
  assert_false(r->level[IRQ0]);
  assert_int_equal(mrs(r, 0, HPPIR1), 43);
  msr(r, 0, PMR, 0xa8);
  assert_true(r->level[IRQ0]);
  /* binary point 7: one bit decides, so 0x80 does not preempt 0xa0 */
  assert_int_equal(mrs(r, 0, IAR1), 43);
  msr(r, 0, EOIR1, 43);
  drive(r, 11, false);
  msr(r, 0, BPR1, 7);
  drive(r, 10, true);
  assert_int_equal(mrs(r, 0, IAR1), 42);
  drive(r, 8, true);
  assert_false(r->level[IRQ0]);
  msr(r, 0, BPR1, 0);
  assert_int_equal(mrs(r, 0, BPR1), 3); /* the least that five bits have */
  rig_free(r);
}

static void gic3_groups_and_enables(void **state) {
  (void)state;
  struct rig *r = gic3();
  wr(r, 0x84, 4, ~(1u << 5)); /* 37 in group 0: FIQ */
  drive(r, 5, true);
  assert_true(r->level[FIQ0]);
  assert_false(r->level[IRQ0]);
  assert_int_equal(mrs(r, 0, IAR1), 1023);
  assert_int_equal(mrs(r, 0, IAR0), 37);
  msr(r, 0, EOIR0, 37);
  msr(r, 0, IGRPEN0, 0);
  assert_false(r->level[FIQ0]);
  msr(r, 0, IGRPEN0, 1);
  wr(r, 0, 4, 2); /* the distributor's own enables */
  assert_false(r->level[FIQ0]);
  wr(r, 0, 4, 3);
  assert_true(r->level[FIQ0]);
  wr(r, 0x184, 4, 1 << 5);
  assert_false(r->level[FIQ0]);
  wr(r, 0x104, 4, 1 << 5);
  wr(r, REDIST(0) + 0x14, 4, 2); /* asleep: nothing comes through */
  assert_int_equal(rd(r, REDIST(0) + 0x14, 4), 6);
  assert_false(r->level[FIQ0]);
  rig_free(r);
}

static void gic3_routing(void **state) {
  (void)state;
  struct rig *r = gic3();
  wr(r, 0x6000 + 8 * 37, 8, 1); /* to affinity 0.0.0.1 */
  assert_int_equal(rd(r, 0x6000 + 8 * 37, 8), 1);
  drive(r, 5, true);
  assert_true(r->level[IRQ1]);
  assert_false(r->level[IRQ0]);
  wr(r, 0x6000 + 8 * 37, 4, 9); /* nobody */
  assert_false(r->level[IRQ1]);
  /* private interrupts: a PPI of CPU 1 */
  drive(r, SPIS + 32 + 27, true);
  assert_true(r->level[IRQ1]);
  assert_int_equal(mrs(r, 1, IAR1), 27);
  assert_int_equal(rd(r, SGI(1) + 0x300, 4), 1 << 27);
  assert_int_equal(rd(r, SGI(0) + 0x300, 4), 0);
  rig_free(r);
}

static void gic3_software_interrupts(void **state) {
  (void)state;
  struct rig *r = gic3();
  msr(r, 0, SGI1R, UINT64_C(5) << 24 | 2); /* SGI 5 to CPU 1 */
  assert_true(r->level[IRQ1]);
  assert_false(r->level[IRQ0]);
  assert_int_equal(mrs(r, 1, IAR1), 5);
  msr(r, 1, EOIR1, 5);
  assert_false(r->level[IRQ1]);
  msr(r, 1, SGI1R, UINT64_C(1) << 40 | UINT64_C(3) << 24); /* all others */
  assert_true(r->level[IRQ0]);
  assert_false(r->level[IRQ1]);
  assert_int_equal(mrs(r, 0, IAR1), 3);
  msr(r, 0, SGI1R, UINT64_C(1) << 16 | UINT64_C(4) << 24 | 3); /* another cluster */
  assert_false(r->level[IRQ1]);
  wr(r, SGI(1) + 0x80, 4, ~(1u << 6)); /* SGI 6 is of group 0 there: SGI1R does not send it */
  msr(r, 0, SGI1R, UINT64_C(6) << 24 | 2);
  assert_int_equal(rd(r, SGI(1) + 0x200, 4), 0);
  rig_free(r);
}

static void gic3_split_end(void **state) {
  (void)state;
  struct rig *r = gic3();
  msr(r, 0, CTLR, 2); /* EOImode */
  assert_int_equal(mrs(r, 0, CTLR) & 2, 2);
  drive(r, 5, true);
  assert_int_equal(mrs(r, 0, IAR1), 37);
  drive(r, 6, true);
  msr(r, 0, EOIR1, 37); /* the priority drops, the interrupt stays active */
  assert_int_equal(mrs(r, 0, RPR), 0xff);
  assert_int_equal(rd(r, 0x304, 4), 1 << 5);
  assert_int_equal(mrs(r, 0, IAR1), 38);
  msr(r, 0, EOIR1, 38);
  msr(r, 0, DIR_, 38);
  msr(r, 0, DIR_, 37);
  assert_int_equal(rd(r, 0x304, 4), 0);
  assert_int_equal(mrs(r, 0, IAR1), 37);
  msr(r, 0, DIR_, 0xffffff); /* no such interrupt */
  msr(r, 0, EOIR1, 1023);
  uint64_t v;
  assert_int_equal(vcpu_port(r->m->vcpu[0], SYS(0, 12, 15, 7), &v, 0), -ENOENT);
  rig_free(r);
}

/* Anything a guest may write, in any order, keeps the chip's promises: no access outside its state, IRQ and FIQ only while
 * something can be acknowledged. */
static void gic_random(struct rig *r, bool ports) {
  uint64_t x = 88172645463325252u, v;
  for (unsigned i = 0; i < 200000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    unsigned size = x >> 60 & 1 ? 4 : 1;
    uint64_t off = (x >> 8) % (ports ? 0x100000 : 0x20000) & ~(uint64_t)(size - 1);
    if (x >> 59 & 1) off &= 0x7ffff & ~0x7f000ull;
    switch (x & 7) {
    case 0: drive(r, (unsigned)(x >> 20) % r->d->ops->ninputs(r->d), x >> 40 & 1); break;
    case 1:
      if (ports) vcpu_port(r->m->vcpu[x >> 30 & 1], (unsigned)(x >> 32 & 0xffff) | 3 << 14, NULL, x >> 16);
      break;
    case 2:
      if (ports) vcpu_port(r->m->vcpu[x >> 30 & 1], SYS(0, 12, 12, x >> 33 & 7), &v, 0);
      break;
    case 3: phys_mmio_read(r->m->phys, RIG_BASE + off, size, &v); break;
    default: phys_mmio_write(r->m->phys, RIG_BASE + off, size, x >> 13); break;
    }
    if (ports && r->level[IRQ0] && i % 64 == 0) assert_int_not_equal(mrs(r, 0, HPPIR1), 1023);
  }
}

static void gic3_random(void **state) {
  (void)state;
  struct rig *r = gic3();
  gic_random(r, true);
  rig_free(r);
}

/* ---- GICv2 ---- */

#define CPU(off) (0x10000 + (off))

static struct rig *gic2(void) {
  static struct prop kid[] = {{.key = "spis", .type = PROP_INT, .num = SPIS}};
  static struct prop props;
  props = rig_table(kid, 1);
  struct rig *r = arm_rig("gicv2", 1, 2, &props, 0x20000);
  for (unsigned w = 0; w < 3; w++) wr(r, 0x100 + 4 * w, 4, ~0u);
  for (unsigned i = 0; i < 32 + SPIS; i += 4) wr(r, 0x400 + i, 4, 0xa0a0a0a0);
  wr(r, 0, 4, 1);
  wr(r, CPU(4), 4, 0xf0);
  wr(r, CPU(0), 4, 1);
  return r;
}

static void gic2_takes_and_ends(void **state) {
  (void)state;
  struct rig *r = gic2();
  assert_int_equal(rd(r, 4, 4), SPIS / 32);
  assert_int_equal(rd(r, 0xfe8, 4) & 0xf0, 0x20);
  assert_int_equal(rd(r, CPU(0xfc), 4) >> 16 & 0xf, 2);
  assert_int_equal(rd(r, 0x800, 4), 0x01010101); /* private ones: this CPU */
  drive(r, 5, true);
  assert_true(r->level[IRQ0]); /* group 0 is IRQ without FIQEn */
  assert_int_equal(rd(r, CPU(0x18), 4), 37);
  assert_int_equal(rd(r, CPU(0xc), 4), 37);
  assert_int_equal(rd(r, CPU(0x14), 4), 0xa0);
  assert_false(r->level[IRQ0]);
  drive(r, 5, false);
  wr(r, CPU(0x10), 4, 37);
  assert_int_equal(rd(r, CPU(0xc), 4), 1023);
  wr(r, 0x825, 1, 0); /* no target */
  drive(r, 5, true);
  assert_false(r->level[IRQ0]);
  wr(r, 0x825, 1, 1);
  assert_true(r->level[IRQ0]);
  wr(r, CPU(0), 4, 9); /* FIQEn */
  assert_true(r->level[FIQ0]);
  assert_false(r->level[IRQ0]);
  rig_free(r);
}

static void gic2_software_interrupts(void **state) {
  (void)state;
  struct rig *r = gic2();
  wr(r, 0xf00, 4, 1 << 16 | 3);
  assert_true(r->level[IRQ0]);
  assert_int_equal(rd(r, 0xf20, 4), 1u << 24);
  assert_int_equal(rd(r, CPU(0xc), 4), 3);
  wr(r, CPU(0x10), 4, 3);
  wr(r, 0xf00, 4, 1 << 24 | 3); /* all others: nobody */
  assert_false(r->level[IRQ0]);
  wr(r, 0xf00, 4, 2 << 24 | 7);
  assert_int_equal(rd(r, CPU(0xc), 4), 7);
  rig_free(r);
}

static void gic2_groups(void **state) {
  (void)state;
  struct rig *r = gic2();
  wr(r, 0, 4, 3);
  wr(r, CPU(0), 4, 3);
  wr(r, 0x84, 4, 1 << 5);
  drive(r, 5, true);
  assert_int_equal(rd(r, CPU(0xc), 4), 1022); /* of the other group */
  assert_int_equal(rd(r, CPU(0x20), 4), 37);  /* AIAR */
  wr(r, CPU(0x24), 4, 37);
  wr(r, CPU(0), 4, 7); /* AckCtl */
  assert_int_equal(rd(r, CPU(0xc), 4), 37);
  rig_free(r);
}

static void gic2_random(void **state) {
  (void)state;
  struct rig *r = gic2();
  gic_random(r, false);
  rig_free(r);
}

/* ---- Generic timer ---- */

enum { CNTP_TVAL = SYS(3, 14, 2, 0), CNTP_CTL, CNTP_CVAL, CNTV_TVAL = SYS(3, 14, 3, 0), CNTV_CTL, CNTV_CVAL };

static void timer_compares(void **state) {
  (void)state;
  struct rig *r = arm_rig("arm_timer", 2, 4, NULL, 0);
  assert_int_equal(mrs(r, 0, CNTV_CTL), 0);
  msr(r, 0, CNTV_CVAL, 0); /* due since ever, but off */
  assert_false(r->level[1]);
  assert_int_equal(mrs(r, 0, CNTV_CTL), 0);
  msr(r, 0, CNTV_CTL, 1);
  assert_true(r->level[1]);
  assert_int_equal(mrs(r, 0, CNTV_CTL), 5); /* ISTATUS */
  msr(r, 0, CNTV_CTL, 3);                   /* masked */
  assert_false(r->level[1]);
  assert_int_equal(mrs(r, 0, CNTV_CTL), 7);
  msr(r, 0, CNTV_CVAL, UINT64_MAX);
  assert_int_equal(mrs(r, 0, CNTV_CTL), 3);
  /* TVAL is a signed distance from now */
  msr(r, 0, CNTV_TVAL, 0xfffffff0);
  msr(r, 0, CNTV_CTL, 1);
  assert_true(r->level[1]);
  msr(r, 0, CNTV_TVAL, 0x7fffffff);
  assert_false(r->level[1]);
  uint64_t left = mrs(r, 0, CNTV_TVAL);
  assert_true(left <= 0x7fffffff && left > 0x70000000);
  /* each CPU and each of the two timers has its own */
  assert_int_equal(mrs(r, 1, CNTV_CTL), 0);
  msr(r, 1, CNTP_CVAL, 0);
  msr(r, 1, CNTP_CTL, 1);
  assert_true(r->level[2]);
  assert_false(r->level[0]);
  uint64_t v;
  assert_int_equal(vcpu_port(r->m->vcpu[0], SYS(3, 14, 2, 3), &v, 0), -ENOENT);
  rig_free(r);
}

static void timer_fires(void **state) {
  (void)state;
  struct rig *r = arm_rig("arm_timer", 1, 2, NULL, 0);
  msr(r, 0, CNTP_TVAL, 62500 * 20); /* 20 ms */
  msr(r, 0, CNTP_CTL, 1);
  assert_false(r->level[0]);
  assert_int_equal(loop_start(r->m), 0);
  for (unsigned i = 0; i < 2000 && !__atomic_load_n(&r->level[0], __ATOMIC_RELAXED); i++)
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  loop_stop(r->m);
  assert_true(r->level[0]);
  assert_int_equal(mrs(r, 0, CNTP_CTL), 5);
  rig_free(r);
}

/* ---- PrimeCells ---- */

static void cell_id(struct rig *r, uint32_t part) {
  uint32_t id = 0, cell = 0;
  for (unsigned i = 0; i < 4; i++) {
    id |= (uint32_t)rd(r, 0xfe0 + 4 * i, 4) << 8 * i;
    cell |= (uint32_t)rd(r, 0xff0 + 4 * i, 4) << 8 * i;
  }
  assert_int_equal(id & 0xfffff, part);
  assert_int_equal(cell, 0xb105f00d);
}

static void pl011(void **state) {
  (void)state;
  struct rig *r = rig_new("pl011", 1, NULL);
  cell_id(r, 0x41011);
  assert_int_equal(rd(r, 0x18, 4), 0x90); /* both FIFOs empty */
  for (const char *p = "hello"; *p; p++) wr(r, 0, 4, (uint64_t)*p);
  assert_memory_equal(r->out, "hello", 5);
  assert_int_equal(rd(r, 0x3c, 4) & 0x20, 0x20);
  assert_false(r->level[0]);
  wr(r, 0x38, 4, 0x20);
  assert_true(r->level[0]);
  wr(r, 0x44, 4, 0x20);
  assert_false(r->level[0]);
  /* receiving: one byte without FIFOs, then sixteen; the trigger and the time-out */
  wr(r, 0x38, 4, 0x50);
  rig_type(r, "ab");
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 0x40, 4), 0x10);
  assert_int_equal(rd(r, 0x18, 4), 0xc0); /* full */
  assert_int_equal(rd(r, 0, 4), 'a');
  assert_int_equal(rd(r, 0, 4), 'b');
  assert_int_equal(rd(r, 0x18, 4), 0x90);
  assert_false(r->level[0]);
  wr(r, 0x2c, 4, 0x70); /* FEN */
  rig_type(r, "xyz");
  assert_int_equal(rd(r, 0x40, 4), 0x40); /* fewer than 8: time-out */
  rig_type(r, "0123456789");
  assert_int_equal(rd(r, 0x40, 4), 0x50);
  for (unsigned i = 0; i < 13; i++) assert_int_equal(rd(r, 0, 4), "xyz0123456789"[i]);
  assert_int_equal(rd(r, 0x40, 4), 0);
  assert_int_equal(rd(r, 0, 4), 0);
  wr(r, 0x30, 4, 0x381); /* loop-back */
  wr(r, 0, 4, 'q');
  assert_int_equal(rd(r, 0, 4), 'q');
  assert_int_equal(r->nout, 5);
  rig_free(r);
}

static void pl031(void **state) {
  (void)state;
  struct rig *r = rig_new("pl031", 1, NULL);
  cell_id(r, 0x41031);
  uint64_t now = rd(r, 0, 4);
  assert_true(now - (uint32_t)time(NULL) + 2 < 5);
  wr(r, 8, 4, 1000); /* LR sets the clock */
  assert_true(rd(r, 0, 4) - 1000 < 3);
  assert_int_equal(rd(r, 8, 4), 1000);
  wr(r, 0x10, 4, 1);
  wr(r, 4, 4, 5000);
  assert_false(r->level[0]);
  wr(r, 8, 4, 5000); /* the match */
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 0x18, 4), 1);
  wr(r, 0x1c, 4, 1);
  assert_false(r->level[0]);
  rig_free(r);
}

static void pl061(void **state) {
  (void)state;
  struct rig *r = rig_new("pl061", 1, NULL);
  cell_id(r, 0x41061);
  wr(r, 0x400, 4, 0x0f); /* pins 0 to 3 are outputs */
  wr(r, 0x3fc, 4, 0xff);
  assert_int_equal(rd(r, 0x3fc, 4), 0x0f);
  wr(r, 4 << 1, 4, 0); /* only pin 1, as the address says */
  assert_int_equal(rd(r, 0x3fc, 4), 0x0d);
  assert_int_equal(rd(r, 4 << 2, 4), 0x04);
  wr(r, 0x40c, 4, 0x20); /* rising edge of pin 5 */
  wr(r, 0x410, 4, 0x20);
  drive(r, 5, true);
  assert_true(r->level[0]);
  wr(r, 0x41c, 4, 0x20);
  assert_false(r->level[0]);
  drive(r, 5, false);
  assert_false(r->level[0]);
  wr(r, 0x408, 4, 0x20); /* both edges */
  drive(r, 5, true);
  wr(r, 0x41c, 4, 0x20);
  drive(r, 5, false);
  assert_true(r->level[0]);
  wr(r, 0x404, 4, 0x20); /* level, high: pin 5 is low */
  wr(r, 0x41c, 4, 0x20);
  assert_false(r->level[0]);
  drive(r, 5, true);
  wr(r, 0x41c, 4, 0x20);
  assert_true(r->level[0]); /* as long as it stays */
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gic3_identification),
      cmocka_unit_test(gic3_level),
      cmocka_unit_test(gic3_edge),
      cmocka_unit_test(gic3_priorities),
      cmocka_unit_test(gic3_groups_and_enables),
      cmocka_unit_test(gic3_routing),
      cmocka_unit_test(gic3_software_interrupts),
      cmocka_unit_test(gic3_split_end),
      cmocka_unit_test(gic3_random),
      cmocka_unit_test(gic2_takes_and_ends),
      cmocka_unit_test(gic2_software_interrupts),
      cmocka_unit_test(gic2_groups),
      cmocka_unit_test(gic2_random),
      cmocka_unit_test(timer_compares),
      cmocka_unit_test(timer_fires),
      cmocka_unit_test(pl011),
      cmocka_unit_test(pl031),
      cmocka_unit_test(pl061),
  };
  return cmocka_run_group_tests_name("arm devices", tests, NULL, NULL);
}
