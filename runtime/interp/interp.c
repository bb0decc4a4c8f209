/* The interpreter as an engine: slices, interrupts, traps and waiting around the generated run loop, and a loop of its
 * own that executes one instruction at a time where exact counts or traces need it. Decoding is cache.c. */
#include "interp/interp.h"

#include <errno.h>
#include <stdio.h>

#include "core/engine.h"
#include "core/trace.h"
#include "mem/tlb.h"

/* Instructions between two looks at timers and interrupts. */
#define SLICE 32768

/* A run loop looks at its slice on taken jumps and between runs, so it overshoots by less than one window's worth. */
static int64_t overshoot(const struct isa *isa) { return 2 * (int64_t)GUEST_PAGE_SIZE / isa->insn_unit + 2; }

/* Executes at most n instructions one by one; same results as the run loop, but never overshoots. */
static int step_one_by_one(struct vcpu *v, int64_t n) {
  struct vcpu_common *c = v->c;
  bool (*watch)(struct vcpu *, gva_t) = c->watch ? c->watch->exec : NULL;
  void (*trace)(struct vcpu *, const struct insn *) = c->trace ? c->trace->insn : NULL;
  const struct arch_debug *debug = c->stops.step ? c->isa->arch->debug : NULL;
  const struct insn *d = NULL;
  c->touched = false;
  while (n-- > 0 && !c->touched && !__atomic_load_n(&v->kick, __ATOMIC_RELAXED)) {
    if (watch && watch(v, v->pc)) {
      vcpu_kick(v);
      return STEP_NEXT;
    }
    if (unlikely(debug) && debug->before(v)) return STEP_TRAP;
    if (!d || !d->op) {
      d = interp_miss(v);
      if (!d) return STEP_TRAP;
    }
    if (trace) trace(v, d);
    const gva_t pc = v->pcbase + d->off;
    const unsigned op = d->op;
    int step = c->isa->exec[op](v, d);
    if (step != STEP_TRAP) v->budget--;
    if (unlikely(debug) && step != STEP_TRAP && step != STEP_RESTART) debug->after(v, op);
    switch (step) {
    case STEP_NEXT:
      v->pc = pc + d->len;
      d = (const struct insn *)((const char *)d + c->isa->insn_size);
      break;
    case STEP_JUMP: d = NULL; break;
    case STEP_RESTART: v->pc = pc; break;
    case STEP_END: v->pc = pc + d->len; return STEP_END;
    case STEP_JUMP_END: return STEP_END;
    case STEP_WAIT:
      v->pc = pc + d->len;
      return debug ? STEP_END : STEP_WAIT; /* what comes next is an exception */
    default: v->pc = pc; return STEP_TRAP;
    }
  }
  return STEP_NEXT;
}

static int step_loop(struct vcpu *v, int64_t n) {
  v->c->stepping = true;
  int step = step_one_by_one(v, n);
  v->c->stepping = false;
  return step;
}

int interp_slice(struct vcpu *v) {
  const struct isa *isa = v->c->isa;
  int (*run)(struct vcpu *) = v->c->space ? isa->run_direct : isa->run;
  bool single =
      !run || v->c->stops.step || (v->c->trace && v->c->trace->insn) || (v->c->watch && v->c->watch->exec);
  int64_t room = v->budget - overshoot(isa), n = room < SLICE ? room : SLICE;
  if (single || n <= 0) return step_loop(v, v->budget < SLICE ? v->budget : SLICE);
  interp_of(v)->left = n * isa->insn_size;
  int step = run(v);
  return step == STEP_TRAP && v->c->trap.kind == TRAP_EXACT ? step_loop(v, 1) : step;
}

int interp_straight(struct vcpu *v, int64_t n) {
  const struct isa *isa = v->c->isa;
  const struct insn *d = interp_miss(v);
  if (!d) return STEP_TRAP;
  for (; n > 0; n--) {
    if (!d->op) return STEP_NEXT; /* its run ends here */
    const gva_t pc = v->pcbase + d->off;
    const uint8_t len = d->len, flags = d->flags;
    int step = isa->exec[d->op](v, d);
    if (step == STEP_TRAP) {
      v->pc = pc;
      return v->c->trap.kind == TRAP_EXACT ? step_loop(v, 1) : STEP_TRAP;
    }
    v->budget--;
    if (step == STEP_JUMP) return STEP_NEXT;
    if (step == STEP_JUMP_END) return STEP_END;
    v->pc = step == STEP_RESTART ? pc : pc + len;
    if (step == STEP_RESTART) return STEP_NEXT;
    if (step != STEP_NEXT) return step;
    if (flags & (INSN_ENDS | INSN_FALLS)) return STEP_NEXT;
    d = (const struct insn *)((const char *)d + isa->insn_size);
  }
  return STEP_NEXT;
}

static enum vcpu_exit leave(struct vcpu *v, enum vcpu_exit exit) {
  v->exit = exit;
  v->c->stats.exits[exit]++;
  v->c->stats.insns = vcpu_retired(v);
  return exit;
}

static bool take_interrupt(struct vcpu *v) {
  const struct vcpu_common *c = v->c;
  gva_t from = v->pc;
  if (c->trap_exits || !c->isa->arch->interrupt || !c->isa->arch->interrupt(v)) return false;
  c->isa->arch->context(v);
  cache_sync(v);
  if (c->trace && c->trace->interrupt) c->trace->interrupt(v, from);
  return true;
}

enum vcpu_exit interp_loop(struct vcpu *v, int (*slice)(struct vcpu *v)) {
  struct vcpu_common *c = v->c;
  const struct arch_ops *arch = c->isa->arch;

  tlb_poll(v);
  arch->context(v);
  cache_sync(v);
  for (;;) {
    if (unlikely(__atomic_load_n(&v->kick, __ATOMIC_ACQUIRE))) {
      tlb_poll(v);
      cache_sync(v);
      return leave(v, EXIT_KICK);
    }
    if (c->resched) c->resched(v);
    if (v->budget <= 0) return leave(v, EXIT_BUDGET);
    take_interrupt(v);
    switch (slice(v)) {
    case STEP_NEXT: break;
    case STEP_BROKEN: return leave(v, EXIT_ERROR);
    case STEP_END:
      arch->context(v);
      cache_sync(v); /* last: a new context may have made void what is known of addresses */
      break;
    case STEP_WAIT:
      arch->context(v);
      cache_sync(v);
      if (c->trap_exits || !arch->wake || !arch->wake(v)) return leave(v, EXIT_WAIT);
      break;
    case STEP_TRAP:
      c->stats.traps[c->trap.kind % VCPU_TRAP_COUNTERS]++;
      if (c->trace && c->trace->trap) c->trace->trap(v);
      if (c->trap_exits) return leave(v, EXIT_TRAP);
      arch->deliver(v);
      arch->context(v);
      cache_sync(v);
      break;
    }
  }
}

static enum vcpu_exit interp_run(struct vcpu *v) { return interp_loop(v, interp_slice); }

static int interp_probe(const struct isa *isa, char *why, size_t n) {
  if (isa->exec && isa->decode && isa->arch) return 0;
  snprintf(why, n, "%s has no generated instruction handlers", isa->name);
  return -ENOTSUP;
}

static int nothing(struct vcpu *v) {
  (void)v;
  return 0;
}

const struct engine_ops interp_engine = {
    .name = "interp",
    .probe = interp_probe,
    .create = cache_create,
    .destroy = cache_destroy,
    .run = interp_run,
    .get_state = nothing,
    .set_state = nothing,
    .kick = vcpu_kick,
};
