/* Ways out of translated code in the middle of a block: the guest's state is put together from the exit's places; slow
 * memory accesses; instructions that run in their handlers; faults of the host's MMU. */
#include <string.h>

#include "core/isa.h"
#include "fp/fp.h"
#include "host/host.h"
#include "ir/build.h"
#include "jit/jit_int.h"
#include "mem/access.h"
#include "mem/tlb.h"
#include "os/fault.h"

uint64_t jit_cold(struct vcpu *v, uint32_t n, uint64_t *regs) {
  struct jit *j = jit_of(v);
  const struct exit *x = exit_of(j, n);
  const gva_t page = j->direct ? 0 : v->pcbase;
  uint64_t target = page + (uint64_t)x->e.pc;
  cg_restore(j->guest, v, &x->e, x->place, regs, &target);
  v->pc = target;
  j->adjust = (int64_t)x->count - x->e.count;
  return (uint64_t)n + 1;
}

static void raise_flags(struct vcpu *v, unsigned flags) {
  const struct ir_guest *g = jit_of(v)->guest;
  if (g->sticky < 0 || !flags) return;
  const struct ir_slot_info *s = &g->slots[g->sticky];
  uint64_t old = 0;
  memcpy(&old, (char *)v + s->offset, s->bytes);
  old |= fp_flags_at(flags, g->sticky_bit);
  memcpy((char *)v + s->offset, &old, s->bytes);
}

uint64_t jit_soft(struct vcpu *v, uint32_t op, const uint64_t operand[3]) {
  const struct ir_fp how = cg_soft_how(op);
  unsigned flags = 0;
  uint64_t r = ir_fp_compute(op & 255, op >> 8 & 1, &how, operand, &flags);
  raise_flags(v, flags);
  return r;
}

void jit_packed(struct vcpu *v, uint32_t op, uint64_t operand[3][2]) {
  struct ir_fp how = cg_soft_how(op);
  unsigned flags = 0;
  uint64_t r[2];
  how.lane = op >> 8 & 1 ? 64 : 32;
  ir_fp_compute_lanes(op & 255, &how, (const uint64_t(*)[2])operand, r, &flags);
  raise_flags(v, flags);
  memcpy(operand[0], r, sizeof r);
}

/* Where the byte lies that translated code may access by itself from now on; NULL: the interpreter's. */
static uint8_t *open_byte(struct vcpu *v, gva_t a, enum access access) {
  struct tlb_spot spot;
  jit_of(v)->changed = false;
  if (tlb_resolve(v, a, access, &spot)) return NULL; /* raised again, exactly, by the interpreter */
  if (jit_of(v)->changed) return NULL; /* perhaps it is this very code that is about to be written */
  const struct tlb_entry *e = &v->tlb->l1[(a >> GUEST_PAGE_BITS) & ((1u << TLB_BITS) - 1)];
  return e->tag[access] == ((a & GUEST_PAGE_MASK) | v->tag_data) ? spot.host : NULL;
}

/* Programs with vectors in memory read across pages: leaving the code each time would cost them half of their time. */
static bool across(struct vcpu *v, gva_t a, uint32_t what, uint64_t *regs) {
  const unsigned size = CG_ACCESS_BYTES(what), reg = CG_ACCESS_REG(what);
  const unsigned first = GUEST_PAGE_SIZE - (unsigned)(a & ~GUEST_PAGE_MASK);
  const enum access access = CG_ACCESS_RIGHT(what);
  uint64_t *value =
      reg < CG_VECTOR ? regs + reg : regs + (CG_FRAME_VECTORS - CG_FRAME_SAVE) / 8 + 4 * (reg - CG_VECTOR);
  uint8_t *const low = open_byte(v, a, access);
  uint8_t *const high = low ? open_byte(v, a + first, access) : NULL;
  if (!high) return false;
  if (CG_ACCESS_IS_PROBE(what)) return true;
  jit_of(v)->n.asked++;
  if (access == ACCESS_WRITE) {
    memcpy(low, value, first);
    memcpy(high, (uint8_t *)value + first, size - first);
    return true;
  }
  uint64_t read[2] = {0};
  memcpy(read, low, first);
  memcpy((uint8_t *)read + first, high, size - first);
  if (CG_ACCESS_SIGN(what) && size < 8) {
    const uint64_t sign = UINT64_C(1) << (8 * size - 1);
    read[0] = (read[0] ^ sign) - sign;
    if (!CG_ACCESS_WIDE(what)) read[0] = (uint32_t)read[0];
  }
  value[0] = read[0];
  if (reg >= CG_VECTOR) value[1] = read[1];
  return true;
}

uint64_t jit_slow(struct vcpu *v, uint64_t a, uint32_t what, uint64_t *regs) {
  const unsigned size = CG_ACCESS_BYTES(what);
  const enum access access = CG_ACCESS_RIGHT(what);
  jit_of(v)->n.slow++;
  if (jit_of(v)->direct) return check_access(jit_of(v), a, what, (const uint8_t *)(uintptr_t)a);
  if (!v->tag_data) return CG_SLOW_NO;
  v->c->access_len = (uint16_t)size;
  if ((a & ~GUEST_PAGE_MASK) + size > GUEST_PAGE_SIZE)
    return CG_ACCESS_IS_PLAIN(what) && across(v, a, what, regs) ? CG_SLOW_DONE : CG_SLOW_NO;
  const uint8_t *host = open_byte(v, a, access);
  if (!host) return CG_SLOW_NO;
  return !CG_ACCESS_KIND(what) || check_access(jit_of(v), a, what, host) ? CG_SLOW_RETRY : CG_SLOW_NO;
}

/* After STEP_END, what the loop around slices does: nothing of it leads elsewhere. */
static bool quiet(struct vcpu *v) {
  const struct vcpu_common *c = v->c;
  const struct arch_ops *arch = c->isa->arch;
  if (c->resched) return false;
  arch->context(v);
  cache_sync(v);
  if (c->stops.step) return false;
  if (__atomic_load_n(&v->kick, __ATOMIC_ACQUIRE)) return false;
  return c->trap_exits || !arch->interrupt || (arch->interruptible && !arch->interruptible(v));
}

/* The code of the block is still what has to run: it was not written, its page is where it was, its context holds. */
static bool still_here(struct jit *j, const struct block *owner) {
  const uint32_t key = j->env.key;
  gpa_t page;
  jit_context(j);
  if (!owner || j->context != owner->context) return false;
  return j->env.key == key || (jit_page(j, j->v->pcbase, &page) && page == owner->page);
}

uint64_t jit_handler(struct vcpu *v, uint32_t n, int64_t count) {
  struct jit *j = jit_of(v);
  const struct exit *x = exit_of(j, n);
  if (j->direct) v->pcbase = (gva_t)x->e.pc & GUEST_PAGE_MASK;
  v->budget = count + (int64_t)x->count - x->e.count + j->base;
  j->n.interpreted++;
  j->step = v->c->isa->exec[x->insn->op](v, x->insn);
  j->jumped = v->pc; /* jit_cold is going to set the exit's own */
  if (j->step == STEP_END && quiet(v)) j->step = STEP_NEXT;
  if (j->step == STEP_NEXT && !still_here(j, x->owner)) j->step = STEP_END;
  return j->step != STEP_NEXT;
}

static __thread struct jit *running; /* the vCPU of this thread */

void jit_running(struct jit *j) { running = j; }
struct jit *jit_now(void) {
  return running;
}

bool jit_fault(int signal, siginfo_t *info, void *context) {
  struct jit *j = running;
  (void)signal;
  (void)info;
  if (!j) return false;
  const uint8_t *pc = os_fault_pc(context);
  if (pc < j->code.rx || pc >= j->code.rx + j->code.size) return false;
  const uint8_t *rw = j->code.rw + (pc - j->code.rx);
  for (unsigned s = 0; s < SEGMENTS; s++) {
    const struct segment *g = &j->segment[s];
    if (rw < g->from || rw >= g->end) continue;
    const uint32_t at = (uint32_t)(rw - g->from);
    uint32_t lo = 0, hi = g->nfaults;
    while (lo < hi) {
      uint32_t mid = (lo + hi) / 2;
      if (g->fault[mid].at < at) lo = mid + 1;
      else hi = mid;
    }
    if (lo == g->nfaults || g->fault[lo].at != at) return false;
    memcpy(os_fault_sp(context) + CG_FRAME_EXIT, &g->fault[lo].exit, 4);
    os_fault_resume(context, executable(j, j->common.cold));
    return true;
  }
  return false;
}
