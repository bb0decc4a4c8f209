/* Comparison of translated code with the interpreter (--check): a block runs, the registers become again what they were, the
 * interpreter runs the same instructions on what the block read (check_memory.c), and both results must be equal, registers and
 * what was written. When they are not, ever longer beginnings of the block tell which instruction it is, and what it started
 * from is reported. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "core/log.h"
#include "jit/check_int.h"
#include "mem/tlb.h"
#include "os/guest_access.h"

int check_new(struct jit *j) {
  struct check *k = j->check = calloc(1, sizeof *k);
  size_t size = j->v->c->isa->vcpu_size;
  if (!k) return -ENOMEM;
  k->before = malloc(size);
  k->after = malloc(size);
  k->last = malloc(size);
  return k->before && k->after && k->last ? 0 : -ENOMEM;
}

void check_free(struct jit *j) {
  if (!j->check) return;
  free(j->check->before);
  free(j->check->after);
  free(j->check->last);
  free(j->check);
  j->check = NULL;
}

static struct monitor monitor(const struct vcpu *v) {
  return (struct monitor){v->c->excl_addr, v->c->excl_value, v->c->excl_size};
}

static void set_monitor(struct vcpu *v, const struct monitor *m) {
  v->c->excl_addr = m->addr;
  v->c->excl_value = m->value;
  v->c->excl_size = m->size;
}

static uint64_t reg(const char *state, const struct reg_info *r, unsigned part) {
  uint64_t x = 0;
  unsigned bytes = (r->bits + 7u) / 8 - part * 8;
  memcpy(&x, state + r->offset + part * 8, bytes < 8 ? bytes : 8);
  return x;
}

/* ---- what is said of a difference ---- */

/* The instruction at an address as bytes and text; its length, or 0. */
static int show(struct jit *j, const char *what, gva_t pc) {
  const struct isa *isa = j->v->c->isa;
  uint8_t bytes[16];
  union {
    struct insn head;
    uint8_t room[IR_INSN_BYTES];
  } d = {0};
  char text[120] = "?", hex[2 * sizeof bytes + 1] = "";
  const unsigned n = jit_bytes(j, pc, bytes, isa->insn_max);
  int len = isa->decode(j->v->c->features, bytes, n, &d.head);
  if (len <= 0) return 0;
  isa->disasm(&d.head, pc, DISASM_ALIASES, text, sizeof text);
  for (int i = 0; i < len; i++) snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
  log_error("%s%#" PRIx64 "  %s  %s", what, pc, hex, text);
  return len;
}

static void report(struct jit *j, gva_t from, int64_t n, const struct block *b) {
  log_error("check: the translated block at %#" PRIx64 " (page %#" PRIx64 ", %" PRId64
            " instructions run) differs from the interpreter; --dump ir,asm shows it",
            from, b->page, n);
  gva_t pc = from;
  for (int64_t i = 0, len; i < n && i < 64 && (len = show(j, "  ", pc)); i++)
    pc += (gva_t)len; /* the straight line; the block may have left it */
}

static bool equal(struct jit *j, gva_t pc) {
  struct vcpu *v = j->v;
  const struct check *k = j->check;
  const struct isa *isa = v->c->isa;
  const struct monitor *m = &k->monitor_after;
  const size_t head = sizeof *v;
  if (v->pc != pc) return false;
  /* Register by register takes long; nearly always all bytes behind the head are the same. */
  for (unsigned i = 0;
       i < isa->nregs && memcmp((const char *)v + head, k->after + head, isa->vcpu_size - head); i++)
    for (unsigned p = 0; p * 64 < isa->regs[i].bits; p++)
      if (reg((const char *)v, &isa->regs[i], p) != reg(k->after, &isa->regs[i], p)) return false;
  return v->c->excl_size == m->size &&
         (!m->size || (v->c->excl_addr == m->addr && v->c->excl_value == m->value));
}

static void differences(struct jit *j, gva_t pc) {
  struct vcpu *v = j->v;
  struct check *k = j->check;
  const struct isa *isa = v->c->isa;
  if (v->pc != pc) log_error("  pc: translated %#" PRIx64 ", interpreted %#" PRIx64, pc, v->pc);
  for (unsigned i = 0; i < isa->nregs; i++)
    for (unsigned p = 0; p * 64 < isa->regs[i].bits; p++) {
      uint64_t x = reg(k->after, &isa->regs[i], p), y = reg((const char *)v, &isa->regs[i], p);
      if (x != y)
        log_error("  %s: before %#" PRIx64 ", translated %#" PRIx64 ", interpreted %#" PRIx64,
                  isa->regs[i].name, reg(k->before, &isa->regs[i], p), x, y);
    }
  const struct monitor m = monitor(v);
  if (m.size != k->monitor_after.size)
    log_error("  exclusive monitor: translated %u bytes, interpreted %u", k->monitor_after.size, m.size);
  if (!k->bad.what) return;
  if (!k->bad.known) log_error("  %s (at %#" PRIx64 ")", k->bad.what, k->bad.a);
  for (unsigned at = 0; k->bad.known && at < k->bad.size; at += 8) {
    const unsigned size = k->bad.size - at < 8 ? k->bad.size - at : 8;
    uint64_t x = 0, y = 0;
    memcpy(&x, k->bad.translated + at, size);
    memcpy(&y, k->bad.interpreted + at, size);
    if (x != y)
      log_error("  %s at %#" PRIx64 ": translated %#" PRIx64 ", interpreted %#" PRIx64, k->bad.what,
                k->bad.a + at, x, y);
  }
}

/* ---- both sides ---- */

static void registers(struct jit *j, const char *state, const struct monitor *m, gva_t pc) {
  struct vcpu *v = j->v;
  const size_t head = sizeof v->kick;
  memcpy((char *)v + head, state + head, v->c->isa->vcpu_size - head);
  v->pc = pc;
  set_monitor(v, m);
}

/* Translated code from the start's state: where it goes on, and how many instructions ran; false: it only said that the
 * slice is used up. */
static bool translated(struct jit *j, const void *code, int64_t left, uint64_t *result, int64_t *n,
                       gva_t *pc) {
  struct vcpu *v = j->v;
  struct check *k = j->check;
  k->n = 0;
  *result = j->enter(v, code, left);
  *n = left - (j->env.count + j->adjust);
  *pc = v->pc;
  if (*result != CG_GOES) {
    const struct exit *x = exit_of(j, (uint32_t)(*result - 1));
    if (x->e.kind == CG_EXIT_COUNT) return false;
    if (x->e.kind == IX_JUMP) *pc = jit_target(j, x);
  }
  memcpy(k->after, v, v->c->isa->vcpu_size);
  k->monitor_after = monitor(v);
  check_settle(k, (unsigned)*n);
  return true;
}

/* n instructions of the interpreter: 0, or how it ended before. */
static int interpreted(struct jit *j, int64_t n, bool keep) {
  struct vcpu *v = j->v;
  struct check *k = j->check;
  const int64_t budget = v->budget;
  int rc = 0;
  check_replay(j, true);
  for (int64_t left; !rc && (left = n - (budget - v->budget)) > 0;) {
    if (keep) memcpy(k->last, v, v->c->isa->vcpu_size);
    int step = interp_straight(v, keep ? 1 : left);
    if (step != STEP_NEXT && step != STEP_END && step != STEP_WAIT) rc = step ? step : -1;
  }
  check_replay(j, false);
  return rc;
}

static bool same(struct jit *j, gva_t from, int64_t n, gva_t pc, bool keep) {
  registers(j, j->check->before, &j->check->monitor_before, from);
  return !interpreted(j, n, keep) && check_stored(j->check) && equal(j, pc);
}

/* Beginnings of the block, one instruction longer each, until one differs: that last instruction is reported with the
 * registers that it starts from. The block's code is not used any more. Memory is made what it was before the block; what
 * others do meanwhile does not matter, each beginning is compared on what it reads. */
static void locate(struct jit *j, struct block *b, gva_t from, int64_t left, int64_t n) {
  struct vcpu *v = j->v;
  struct check *k = j->check;
  const struct isa *isa = v->c->isa;
  const unsigned most = jit_options.max_insns;
  for (int64_t m = 1; m <= n; m++) {
    uint64_t result;
    int64_t ran;
    gva_t pc;
    check_undo(k);
    registers(j, k->before, &k->monitor_before, from);
    k->n = 0;
    j->adjust = 0;
    jit_options.max_insns = (unsigned)m;
    b->code = NULL;
    int rc = jit_compile(j, b);
    jit_options.max_insns = most;
    if (rc || !translated(j, executable(j, b->code), left, &result, &ran, &pc)) continue;
    if (same(j, from, ran, pc, true) && check_there(j)) continue;
    const struct vcpu *last = (const struct vcpu *)(const void *)k->last;
    if (!show(j, "check: the first instruction that differs: ", ran ? last->pc : from)) return;
    differences(j, pc);
    for (unsigned i = 0; i < isa->nregs; i++)
      for (unsigned p = 0; p * 64 < isa->regs[i].bits; p++) {
        uint64_t x = reg(k->last, &isa->regs[i], p);
        if (x) log_error("  before it %s%s = %#" PRIx64, isa->regs[i].name, p ? " (high)" : "", x);
      }
    check_reproducer(j, from, m, pc);
    return;
  }
  log_error("check: no shorter block that starts there differs");
}

/* Was code lost since? Then the interpreter may have seen other instructions than the block was made of. */
static bool code_changed(struct jit *j, uint32_t losses) {
  cache_sync(j->v);
  return j->losses != losses;
}

bool check_enter(struct jit *j, const void *code, int64_t left, struct block *b, uint64_t *result) {
  struct vcpu *v = j->v;
  struct check *k = j->check;
  const gva_t from = v->pc;
  int64_t n;
  gva_t pc;
  memcpy(k->before, v, v->c->isa->vcpu_size);
  k->monitor_before = monitor(v);
  if (!translated(j, code, left, result, &n, &pc)) return true;
  j->n.checked++;
  const int64_t budget = v->budget;
  const uint32_t losses = j->losses;
  registers(j, k->before, &k->monitor_before, from);
  const int step = interpreted(j, n, false);
  if (!step && check_stored(k) && equal(j, pc) && check_there(j)) {
    v->budget = budget;
    return true;
  }
  if (code_changed(j, losses)) {
    registers(j, k->after, &k->monitor_after, pc);
    v->budget = budget;
    return true;
  }
  if (step && !k->bad.what)
    log_error("check: the interpreter ends with step %d after %" PRId64 " instructions", step,
              budget - v->budget);
  report(j, from, n, b);
  differences(j, pc);
  locate(j, b, from, left, n);
  v->budget = budget;
  return false;
}
