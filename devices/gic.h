/* What GICv2 and GICv3 share: the state of interrupts, which one a CPU takes next, acknowledging and ending it, and the
 * distributor's registers. One security state: group 0 is signalled as FIQ, group 1 as IRQ. (Arm IHI 0048B for GICv2, IHI 0069H for GICv3.) */
#ifndef ISOMER_DEVICES_GIC_H
#define ISOMER_DEVICES_GIC_H

#include "devices/device.h"

#define GIC_CPUS      MACHINE_MAX_VCPUS
#define GIC_IRQS      1024 /* interrupt IDs; 1020 and up are special */
#define GIC_SPURIOUS  1023
#define GIC_PRIVATE   32              /* SGIs 0 to 15 and PPIs 16 to 31 */
#define GIC_WORDS     (GIC_CPUS + 32) /* a word of private interrupts for each CPU, then those of all */
#define GIC_PRIO_MASK 0xf8            /* five bits of priority */

struct gic {
  struct device d;
  /* Bits of interrupts: word `cpu` for the private ones, GIC_CPUS + n / 32 for shared ones. */
  uint32_t group[GIC_WORDS], enabled[GIC_WORDS], pending[GIC_WORDS], active[GIC_WORDS], edge[GIC_WORDS],
      level[GIC_WORDS];
  uint8_t prio[GIC_CPUS * GIC_PRIVATE + GIC_IRQS]; /* private ones of each CPU, then by ID */
  uint8_t target[GIC_IRQS];                        /* CPU of a shared interrupt; 0xff: none */
  uint8_t fiq_on_group0;                           /* else group 0 is IRQ as well */
  uint32_t ctlr;                                   /* of the distributor: bit n enables group n */
  /* Each CPU's interface */
  uint8_t pmr[GIC_CPUS], bpr0[GIC_CPUS], bpr1[GIC_CPUS], enable0[GIC_CPUS], enable1[GIC_CPUS],
      eoimode[GIC_CPUS], asleep[GIC_CPUS], cbpr[GIC_CPUS],
      extra[GIC_CPUS];                     /* extra: bits that the front end keeps */
  uint32_t apr0[GIC_CPUS], apr1[GIC_CPUS]; /* active priorities, bit = priority / 8 */
  unsigned nirqs;                          /* implemented IDs, private ones included; a multiple of 32 */
  unsigned ncpus;
};

extern const struct device_field gic_fields[];
#define GIC_NFIELDS 21

static inline struct gic *gic(struct device *d) { return container_of(d, struct gic, d); }

/* Takes `spis` (shared interrupts) from the board; outputs 2n and 2n+1 are IRQ and FIQ of CPU n. -EINVAL, logged. */
int gic_create(struct gic *g, const struct prop *props);
void gic_reset(struct gic *g);
/* Inputs: shared interrupts by ID less 32, then 32 for each CPU by private ID. */
unsigned gic_ninputs(struct device *d);
void gic_input(struct device *d, unsigned line, bool level);
void gic_update(struct gic *g);

/* The pending interrupt of highest priority that `cpu` would take next, as far as groups are enabled; GIC_SPURIOUS: none.
 * With `signalled` only if its priority lets it interrupt what runs. */
unsigned gic_best(const struct gic *g, unsigned cpu, bool signalled);
unsigned gic_group(const struct gic *g, unsigned cpu, unsigned id);
/* Acknowledges the interrupt that is signalled in that group: its ID, now active, or GIC_SPURIOUS. */
unsigned gic_ack(struct gic *g, unsigned cpu, unsigned group);
/* Priority drop of the group's running priority; without EOImode the interrupt is deactivated as well. */
void gic_eoi(struct gic *g, unsigned cpu, unsigned group, unsigned id);
void gic_deactivate(struct gic *g, unsigned cpu, unsigned id);
unsigned gic_running(const struct gic *g, unsigned cpu); /* priority, 0xff: idle */
/* A software-generated interrupt becomes pending at `cpu`. */
void gic_sgi(struct gic *g, unsigned cpu, unsigned id);

/* Registers by interrupt (IGROUPR to ICFGR), of IDs lo <= n < hi as `cpu` sees them; others read as zero and ignore
 * writes. False: off is none of these registers. */
bool gic_bits_read(const struct gic *g, unsigned cpu, uint64_t off, unsigned size, unsigned lo, unsigned hi,
                   uint64_t *value);
bool gic_bits_write(struct gic *g, unsigned cpu, uint64_t off, unsigned size, unsigned lo, unsigned hi,
                    uint64_t value);
/* Identification registers 0xffd0 to 0xffff of each 64 KiB frame; `revision` is ArchRev. */
uint64_t gic_id(uint64_t off, unsigned revision);

#endif
