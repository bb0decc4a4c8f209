/* PSCI: CPUs on and off, system off and reset; and what the SMC Calling Convention asks of every firmware. */
#include "firmware/psci.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "arch/arm64/el1.h"
#include "core/log.h"
#include "debug/trace.h"
#include "mem/access.h"
#include "mem/phys.h"
#include "mem/tlb.h"

enum {
  SMCCC_VERSION = 0x80000000u,
  SMCCC_ARCH_FEATURES = 0x80000001u,
  PSCI_VERSION = 0x84000000u,
  CPU_SUSPEND = 0x84000001u,
  CPU_OFF = 0x84000002u,
  CPU_ON = 0x84000003u,
  AFFINITY_INFO = 0x84000004u,
  MIGRATE_INFO_TYPE = 0x84000006u,
  SYSTEM_OFF = 0x84000008u,
  SYSTEM_RESET = 0x84000009u,
  PSCI_FEATURES = 0x8400000au,
  SYSTEM_RESET2 = 0x84000012u,
};
#define SMC64         0x40000000u
#define VERSION       0x10001 /* 1.1, of both */
#define NO_TRUSTED_OS 2

/* Functions of PSCI_FEATURES; those with 64-bit arguments exist as SMC64 too. */
static const struct function {
  uint32_t id;
  bool wide;
} functions[] = {
    {PSCI_VERSION, false},      {CPU_SUSPEND, true},    {CPU_OFF, false},      {CPU_ON, true},
    {AFFINITY_INFO, true},      {SYSTEM_OFF, false},    {SYSTEM_RESET, false}, {PSCI_FEATURES, false},
    {MIGRATE_INFO_TYPE, false}, {SMCCC_VERSION, false}, {SYSTEM_RESET2, true},
};

static bool known(uint32_t id) {
  for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
    if (id == functions[i].id || (functions[i].wide && id == (functions[i].id | SMC64))) return true;
  return false;
}

static struct psci_cpu *by_mpidr(struct psci *p, uint64_t mpidr) {
  for (unsigned i = 0; i < p->ncpus; i++)
    if ((a64(p->cpu[i].v)->MPIDR_EL1 & UINT64_C(0xff00ffffff)) == mpidr) return &p->cpu[i];
  return NULL;
}

void psci_enter(struct psci_cpu *c, uint64_t pc, uint64_t id) {
  struct arm64_vcpu *s = a64(c->v);
  const uint64_t mpidr = s->MPIDR_EL1;
  arm64_reset_state(c->v);
  s->MPIDR_EL1 = mpidr;
  s->x[0] = id;
  c->v->pc = pc;
  mem_excl_clear(c->v);
  tlb_flush_all(c->v);
  __atomic_store_n(&c->state, PSCI_ON, __ATOMIC_SEQ_CST);
}

/* A CPU that is off waits in a loop of its own, with everything masked and translation off. */
static void park(struct psci_cpu *c) {
  psci_enter(c, c->psci->park, 0);
  __atomic_store_n(&c->state, PSCI_OFF, __ATOMIC_SEQ_CST);
}

bool psci_poll(struct vcpu *v) {
  struct psci_cpu *c = v->c->firmware;
  if (likely(!__atomic_load_n(&c->start, __ATOMIC_ACQUIRE))) return false;
  psci_enter(c, c->start_addr, c->id);
  __atomic_store_n(&c->start, 0, __ATOMIC_RELEASE);
  v->c->isa->arch->context(v);
  return true;
}

static int64_t cpu_on(struct psci *p, uint64_t mpidr, uint64_t addr, uint64_t id) {
  struct psci_cpu *c = by_mpidr(p, mpidr);
  uint32_t off = PSCI_OFF;
  if (!c) return PSCI_INVALID_PARAMETERS;
  if (addr & 3 || !phys_ptr(p->machine->phys, addr, 4, false)) return PSCI_INVALID_ADDRESS;
  if (!__atomic_compare_exchange_n(&c->state, &off, PSCI_PENDING, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    return off == PSCI_PENDING ? PSCI_ON_PENDING : PSCI_ALREADY_ON;
  c->start_addr = addr;
  c->id = id;
  __atomic_store_n(&c->start, 1, __ATOMIC_SEQ_CST);
  vcpu_kick(c->v);
  return PSCI_SUCCESS;
}

/* What goes back in x0. `moved` is set when the CPU is somewhere else now. */
static int64_t call(struct psci_cpu *c, uint32_t id, const uint64_t *a, bool *moved) {
  struct psci *p = c->psci;
  const bool wide = id & SMC64;
  uint64_t arg[3];
  for (unsigned i = 0; i < 3; i++) arg[i] = wide ? a[i] : (uint32_t)a[i];
  if (!known(id) && id != SMCCC_ARCH_FEATURES) return PSCI_NOT_SUPPORTED;
  switch (id & ~SMC64) {
  case SMCCC_VERSION:
  case PSCI_VERSION: return VERSION;
  case SMCCC_ARCH_FEATURES:
    return arg[0] == SMCCC_VERSION || arg[0] == SMCCC_ARCH_FEATURES ? 0 : PSCI_NOT_SUPPORTED;
  case PSCI_FEATURES: return known((uint32_t)arg[0]) ? 0 : PSCI_NOT_SUPPORTED;
  case MIGRATE_INFO_TYPE: return NO_TRUSTED_OS;
  case CPU_SUSPEND: /* standby whatever the power state: WFI, then the next instruction */
    a64(c->v)->x[0] = PSCI_SUCCESS;
    return PSCI_SUCCESS;
  case CPU_ON: return cpu_on(p, arg[0], arg[1], arg[2]);
  case AFFINITY_INFO: {
    struct psci_cpu *of = by_mpidr(p, arg[0]);
    return of && !arg[1] ? (int64_t)__atomic_load_n(&of->state, __ATOMIC_SEQ_CST) : PSCI_INVALID_PARAMETERS;
  }
  case SYSTEM_OFF: machine_end(p->machine, END_POWEROFF, 0); break;
  case SYSTEM_RESET: machine_end(p->machine, END_RESET, 0); break;
  case SYSTEM_RESET2:
    if (arg[0]) return PSCI_INVALID_PARAMETERS; /* only a warm reset, which is all that a reset is */
    machine_end(p->machine, END_RESET, 0);
    break;
  default: break; /* CPU_OFF */
  }
  park(c);
  *moved = true;
  return PSCI_SUCCESS;
}

bool psci_call(struct vcpu *v) {
  struct psci_cpu *c = v->c->firmware;
  struct arm64_vcpu *s = a64(v);
  const uint32_t id = (uint32_t)s->x[0];
  const gva_t pc = v->pc;
  const uint64_t a[3] = {s->x[1], s->x[2], s->x[3]};
  bool moved = false;
  int64_t r = call(c, id, a, &moved);
  if (v->c->machine->trace.sbi && trace_covers(v->c->machine, pc))
    trace_line(v->c->machine, "sbi",
               "%u:%016" PRIx64 "  psci 0x%08x(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ") = %" PRId64,
               v->c->index, pc, id, a[0], a[1], a[2], r);
  if (moved) v->pc -= 4; /* the caller steps over the instruction that called */
  else s->x[0] = (uint64_t)r;
  return true;
}

/* ---- Life ---- */

struct psci *psci_new(struct machine *m) {
  struct psci *p = calloc(1, sizeof *p);
  if (!p) {
    log_error("built-in firmware: out of memory");
    return NULL;
  }
  p->machine = m;
  p->ncpus = m->nvcpus;
  for (unsigned i = 0; i < m->nvcpus; i++) p->cpu[i] = (struct psci_cpu){.psci = p, .v = m->vcpu[i]};
  return p;
}

void psci_free(struct psci *p) {
  for (unsigned i = 0; p && i < p->ncpus; i++) {
    struct vcpu_common *c = p->cpu[i].v->c;
    c->firmware = NULL;
    c->firmware_call = c->firmware_poll = NULL;
  }
  free(p);
}

void psci_visit(struct psci *p, void (*fn)(void *arg, void *at, size_t n), void *arg) {
  for (unsigned i = 0; i < p->ncpus; i++) {
    struct psci_cpu *c = &p->cpu[i];
    fn(arg, &c->state, sizeof c->state);
    fn(arg, &c->start, sizeof c->start);
    fn(arg, &c->start_addr, sizeof c->start_addr);
    fn(arg, &c->id, sizeof c->id);
  }
}

int psci_reset(struct psci *p, gpa_t area) {
  static const uint32_t code[] = {0xd503207f, 0x17ffffff}; /* wfi; b .-4 */
  p->park = area;
  if (phys_write(p->machine->phys, area, code, sizeof code)) {
    log_error("built-in firmware: no RAM at 0x%llx", (unsigned long long)area);
    return -EFAULT;
  }
  for (unsigned i = 0; i < p->ncpus; i++) {
    struct psci_cpu *c = &p->cpu[i];
    c->start = 0;
    c->v->c->firmware = c;
    c->v->c->firmware_call = psci_call;
    c->v->c->firmware_poll = psci_poll;
    park(c);
  }
  return 0;
}
