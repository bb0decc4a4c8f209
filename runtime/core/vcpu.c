/* Life of a vCPU and what other threads may do to it: kick, interrupt lines. Executing it is an engine's job. */
#include "core/vcpu.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/engine.h"
#include "core/isa.h"
#include "core/log.h"
#include "core/machine.h"
#include "mem/phys.h"
#include "mem/tlb.h"

struct vcpu *vcpu_new(const struct isa *isa, struct phys *phys, unsigned index, uint64_t features) {
  assert(isa->vcpu_size >= sizeof(struct vcpu));
  size_t size = (isa->vcpu_size + 63u) & ~(size_t)63; /* aligned_alloc wants whole cache lines */
  struct vcpu *v = aligned_alloc(64, size);
  struct vcpu_common *c = calloc(1, sizeof *c);
  struct tlb *t = phys ? tlb_new() : tlb_none();
  if (!v || !c || !t || (phys && phys_add_vcpu(phys, v))) goto fail;
  memset(v, 0, size);
  v->c = c;
  v->tlb = t;
  c->isa = isa;
  c->phys = phys;
  c->index = index;
  c->features = features;
  c->translate = isa->arch->translate;
  if (isa->arch->reset) isa->arch->reset(v);
  if (isa->arch->context) isa->arch->context(v);
  return v;
fail:
  log_error("cannot create vCPU %u: out of memory", index);
  tlb_free(t);
  free(c);
  free(v);
  return NULL;
}

int vcpu_set_register(struct vcpu *v, const struct reg_info *r, const uint8_t *value) {
  const struct isa *isa = v->c->isa;
  const unsigned bytes = (r->bits + 7u) / 8;
  uint8_t *at = (uint8_t *)v + r->offset, old[256];
  if (bytes > sizeof old || (r->bits % 8 && value[bytes - 1] >> r->bits % 8)) return -ERANGE;
  memcpy(old, at, bytes);
  if (r->zero) return memcmp(old, value, bytes) ? -EPERM : 0;
  memcpy(at, value, bytes);
  if (!isa->arch->legal || isa->arch->legal(v)) return 0;
  memcpy(at, old, bytes);
  return -EINVAL;
}

void vcpu_free(struct vcpu *v) {
  if (!v) return;
  if (v->c->engine_ops && v->c->engine_ops->destroy) v->c->engine_ops->destroy(v);
  if (v->c->phys) phys_remove_vcpu(v->c->phys, v);
  tlb_free(v->tlb);
  free(v->c);
  free(v);
}

static void futex_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }

void vcpu_kick(struct vcpu *v) {
  /* seq_cst pairs with the sleeper's store to `sleeping` and load of `kick`: one of us sees the other. */
  __atomic_store_n(&v->kick, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&v->c->sleeping, __ATOMIC_SEQ_CST)) futex_wake(&v->kick);
}

void vcpu_sleep(struct vcpu *v, uint64_t until_ns) {
  struct timespec ts = {.tv_sec = (time_t)(until_ns / NSEC_PER_SEC),
                        .tv_nsec = (long)(until_ns % NSEC_PER_SEC)};
  __atomic_store_n(&v->c->sleeping, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&v->kick, __ATOMIC_SEQ_CST)) {
    /* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time. */
    long r = syscall(SYS_futex, &v->kick, FUTEX_WAIT_BITSET_PRIVATE, 0, until_ns == UINT64_MAX ? NULL : &ts,
                     NULL, FUTEX_BITSET_MATCH_ANY);
    if (r < 0 && errno == ETIMEDOUT) break;
  }
  __atomic_store_n(&v->c->sleeping, 0, __ATOMIC_SEQ_CST);
}

void vcpu_stats_add(struct vcpu_stats *sum, const struct vcpu *v) {
  const uint64_t *from = (const uint64_t *)&v->c->stats;
  uint64_t *to = (uint64_t *)sum;
  for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
  sum->insns += vcpu_retired(v) - v->c->stats.insns;
}

int vcpu_trap(struct vcpu *v, uint32_t kind, uint32_t nargs, uint64_t a0, uint64_t a1, uint64_t a2) {
  v->c->trap = (struct trap){.kind = kind, .nargs = nargs, .arg = {a0, a1, a2}};
  return STEP_TRAP;
}

bool vcpu_port_add(struct vcpu *v, struct vcpu_port port) {
  for (unsigned i = 0; i < VCPU_PORTS; i++) {
    if (v->c->port[i].read) continue;
    v->c->port[i] = port;
    return true;
  }
  return false;
}

void vcpu_port_remove(struct vcpu *v, const void *opaque) {
  for (unsigned i = 0; i < VCPU_PORTS; i++)
    if (v->c->port[i].opaque == opaque) v->c->port[i] = (struct vcpu_port){0};
}

int vcpu_port(struct vcpu *v, unsigned reg, uint64_t *read, uint64_t write) {
  struct machine *m = v->c->machine;
  int rc = -ENOENT;
  if (v->c->resched && !v->c->stepping) return vcpu_trap(v, TRAP_EXACT, 0, 0, 0, 0);
  v->c->touched = true;
  if (m) machine_lock(m);
  for (unsigned i = 0; rc == -ENOENT && i < VCPU_PORTS; i++) {
    const struct vcpu_port *p = &v->c->port[i];
    if (!p->read) continue;
    rc = read ? p->read(p->opaque, v->c->index, reg, read) : p->write(p->opaque, v->c->index, reg, write);
  }
  if (m) machine_unlock(m);
  return rc;
}

void vcpu_irq(struct vcpu *v, unsigned line, bool level) {
  assert(line < 64);
  uint64_t bit = UINT64_C(1) << line;
  if (!level) {
    __atomic_fetch_and(&v->c->irq_lines, ~bit, __ATOMIC_SEQ_CST);
  } else if (!(__atomic_fetch_or(&v->c->irq_lines, bit, __ATOMIC_SEQ_CST) & bit)) {
    vcpu_kick(v);
  }
}
