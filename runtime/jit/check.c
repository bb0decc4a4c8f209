/* Comparison of translated code with the interpreter (--check): a block runs, what it did is undone, the interpreter runs
 * the same instructions from the same state, and both results must be equal, registers and memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "core/log.h"
#include "jit/jit_int.h"
#include "mem/tlb.h"
#include "os/guest_access.h"

enum { STORES = 256 };

struct check {
  char *before, *after;
  unsigned n;
  struct {
    gva_t a;
    uint8_t *host;
    uint8_t size, old[16], new[16];
  } store[STORES];
};

int check_new(struct jit *j) {
  struct check *k = j->check = calloc(1, sizeof *k);
  size_t size = j->v->c->isa->vcpu_size;
  if (!k) return -ENOMEM;
  k->before = malloc(size);
  k->after = malloc(size);
  return k->before && k->after ? 0 : -ENOMEM;
}

void check_free(struct jit *j) {
  if (!j->check) return;
  free(j->check->before);
  free(j->check->after);
  free(j->check);
  j->check = NULL;
}

bool check_store(struct jit *j, gva_t a, unsigned size) {
  struct check *k = j->check;
  if (k->n == STORES || size > sizeof k->store[0].old) return false;
  k->store[k->n].a = a;
  k->store[k->n].size = (uint8_t)size;
  k->store[k->n].host = (uint8_t *)(uintptr_t)a;
  if (!j->direct) {
    const struct tlb_entry *e = &j->v->tlb->l1[(a >> GUEST_PAGE_BITS) & ((1u << TLB_BITS) - 1)];
    k->store[k->n].host += e->addend;
  }
  if (os_guest_read(k->store[k->n].old, (uintptr_t)k->store[k->n].host, size)) return false;
  k->n++;
  return true;
}

static uint64_t reg(const char *state, const struct reg_info *r, unsigned part) {
  uint64_t x = 0;
  unsigned bytes = (r->bits + 7u) / 8 - part * 8;
  memcpy(&x, state + r->offset + part * 8, bytes < 8 ? bytes : 8);
  return x;
}

static void report(struct jit *j, gva_t from, int64_t n, const struct block *b) {
  const struct isa *isa = j->v->c->isa;
  log_error("check: the translated block at %#" PRIx64 " (page %#" PRIx64 ", %" PRId64
            " instructions run) differs from the interpreter; --dump ir,asm shows it",
            from, b ? b->page : 0, n);
  const uint8_t *host;
  gpa_t page;
  uint8_t bytes[16];
  gva_t pc = from;
  for (int64_t i = 0; i < n && i < 64; i++) {
    union {
      struct insn head;
      uint8_t room[IR_INSN_BYTES];
    } d = {0};
    char text[120] = "?";
    if (j->direct) {
      if (os_guest_read(bytes, pc, isa->insn_max)) return;
    } else {
      if ((pc & ~GUEST_PAGE_MASK) + isa->insn_max > GUEST_PAGE_SIZE || tlb_fetch(j->v, pc, &page, &host) ||
          !host)
        return;
      memcpy(bytes, host + (pc & ~GUEST_PAGE_MASK), isa->insn_max);
    }
    int len = isa->decode(j->v->c->features, bytes, isa->insn_max, &d.head);
    if (len <= 0) return;
    isa->disasm(&d.head, pc, DISASM_ALIASES, text, sizeof text);
    log_error("  %#" PRIx64 "  %s", pc, text);
    pc += (unsigned)len; /* the straight line; the block may have left it */
  }
}

static bool equal(struct jit *j, gva_t from, int64_t n, const struct block *b, gva_t pc) {
  struct vcpu *v = j->v;
  struct check *k = j->check;
  const struct isa *isa = v->c->isa;
  bool same = v->pc == pc;
  for (unsigned i = 0; i < isa->nregs && same; i++)
    for (unsigned p = 0; p * 64 < isa->regs[i].bits; p++)
      same &= reg((const char *)v, &isa->regs[i], p) == reg(k->after, &isa->regs[i], p);
  for (unsigned i = 0; i < k->n && same; i++) {
    uint8_t now[16];
    same = !os_guest_read(now, (uintptr_t)k->store[i].host, k->store[i].size) &&
           !memcmp(now, k->store[i].new, k->store[i].size);
  }
  if (same) return true;
  report(j, from, n, b);
  if (v->pc != pc) log_error("  pc: translated %#" PRIx64 ", interpreted %#" PRIx64, pc, v->pc);
  for (unsigned i = 0; i < isa->nregs; i++)
    for (unsigned p = 0; p * 64 < isa->regs[i].bits; p++) {
      uint64_t x = reg(k->after, &isa->regs[i], p), y = reg((const char *)v, &isa->regs[i], p);
      if (x != y)
        log_error("  %s: before %#" PRIx64 ", translated %#" PRIx64 ", interpreted %#" PRIx64,
                  isa->regs[i].name, reg(k->before, &isa->regs[i], p), x, y);
    }
  for (unsigned i = 0; i < k->n; i++) {
    uint64_t x = 0, y = 0;
    memcpy(&x, k->store[i].new, k->store[i].size < 8 ? k->store[i].size : 8);
    if (!os_guest_read(&y, (uintptr_t)k->store[i].host, k->store[i].size < 8 ? k->store[i].size : 8) &&
        x != y)
      log_error("  memory at %#" PRIx64 ": translated %#" PRIx64 ", interpreted %#" PRIx64, k->store[i].a, x,
                y);
  }
  return false;
}

bool check_enter(struct jit *j, const void *code, int64_t left, const struct block *b, uint64_t *result) {
  struct vcpu *v = j->v;
  struct check *k = j->check;
  const size_t size = v->c->isa->vcpu_size, head = sizeof v->kick;
  const gva_t from = v->pc;
  const struct vcpu_common monitor = *v->c; /* the exclusive monitor, of which accesses are part */
  k->n = 0;
  memcpy(k->before, v, size);
  *result = j->enter(v, code, left);
  const int64_t n = left - (j->env.count + j->adjust);
  gva_t pc = v->pc;
  if (*result != CG_GOES) {
    const struct exit *x = exit_of(j, (uint32_t)(*result - 1));
    if (x->e.kind == CG_EXIT_COUNT) return true;
    if (x->e.kind == IX_JUMP) pc = jit_target(j, x);
  }
  memcpy(k->after, v, size);
  for (unsigned i = 0; i < k->n; i++)
    os_guest_read(k->store[i].new, (uintptr_t)k->store[i].host, k->store[i].size);
  for (unsigned i = k->n; i--;)
    os_guest_write((uintptr_t)k->store[i].host, k->store[i].old, k->store[i].size);
  memcpy((char *)v + head, k->before + head, size - head);
  v->pc = from;
  v->c->excl_addr = monitor.excl_addr;
  v->c->excl_value = monitor.excl_value;
  v->c->excl_size = monitor.excl_size;
  j->n.checked++;
  const int64_t budget = v->budget;
  while (budget - v->budget < n) {
    int step = interp_straight(v, 1);
    if (step == STEP_NEXT || step == STEP_END || step == STEP_WAIT) continue;
    log_error("check: the interpreter ends with step %d after %" PRId64 " instructions", step,
              budget - v->budget);
    report(j, from, n, b);
    return false;
  }
  const bool same = equal(j, from, n, b, pc);
  v->budget = budget;
  return same;
}
