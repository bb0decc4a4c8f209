/* How an arm64 machine starts: a kernel in the care of the built-in PSCI, or a firmware image or bare program that has the
 * machine to itself. (Linux: Documentation/arch/arm64/booting.rst.) */
#include <errno.h>

#include "arch/arm64/el1.h"
#include "core/log.h"
#include "devices/board.h"
#include "firmware/psci.h"

#define ICC_SRE_EL1 (3u << 14 | 12u << 7 | 12u << 3 | 5)

/* The processor has the GIC's system registers if the board has a GIC behind them. */
static void fit(struct vcpu *v) {
  const uint64_t bit = UINT64_C(1) << ARM64_FEATURE_GICv3;
  uint64_t value;
  for (unsigned i = 0; i < VCPU_PORTS; i++) {
    const struct vcpu_port *p = &v->c->port[i];
    if (p->read && !p->read(p->opaque, v->c->index, ICC_SRE_EL1, &value)) return;
  }
  v->c->features &= ~bit;
}

static int builtin(struct machine *m, const struct boot_info *b, void **state) {
  struct psci *p = *state;
  if (!p) *state = p = psci_new(m);
  if (!p) return -ENOMEM;
  int rc = psci_reset(p, b->area);
  if (!rc) psci_enter(&p->cpu[0], b->entry, b->dtb); /* x0 is the device tree, x1 to x3 are zero */
  return rc;
}

static int start(struct machine *m, const struct boot_info *b, void **state) {
  if (b->cmp_hz != ARM64_TIMEBASE) {
    log_error("board: clock_hz is %llu, but the system counter counts at %llu Hz",
              (unsigned long long)b->cmp_hz, (unsigned long long)ARM64_TIMEBASE);
    return -EINVAL;
  }
  for (unsigned i = 0; i < m->nvcpus; i++) fit(m->vcpu[i]);
  if (b->kind == BOOT_BUILTIN) return builtin(m, b, state);
  for (unsigned i = 0; i < m->nvcpus; i++) { /* all start, and tell themselves apart by MPIDR_EL1 */
    a64(m->vcpu[i])->x[0] = b->dtb;
    m->vcpu[i]->pc = b->entry;
  }
  return 0;
}

static void stop(void *state) { psci_free(state); }
static void visit(void *state, void (*fn)(void *arg, void *at, size_t n), void *arg) {
  psci_visit(state, fn, arg);
}

const struct boot_ops arm64_boot = {.isa = "arm64", .start = start, .free = stop, .visit = visit};
