/* Counters, traces, dumps and names of translated code. */
#include "jit/observe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "core/machine.h"
#include "core/symbols.h"
#include "core/trace.h"
#include "jit/perf.h"

/* Ways out, by kind modulo 8; those by a place that no exit fixes come last. */
static const char *const exit_kind[][2] = {
    [IX_JUMP] = {"jump", "to a place not linked yet"},
    [IX_INTERP] = {"interp", "for an instruction of the interpreter"},
    [IX_STEP] = {"step", "a handler said so"},
    [IX_END] = {"end", "the context may have changed"},
    [IX_WAIT] = {"wait", "the guest waits"},
    [CG_EXIT_COUNT & 7] = {"count", "the slice is used up"},
    [JIT_EXIT_GOES] = {"goes", "to a place not in the table of jumps"},
};
_Static_assert(ARRAY_SIZE(exit_kind) == JIT_EXITS, "every kind has a name");

/* ---- dumps ---- */

static gva_t insn_pc(const struct jit *j, const struct ir_block *ir, unsigned i) {
  return (j->v->pc & GUEST_PAGE_MASK) + (gva_t)ir->insn[i].pc;
}

/* Is the place that dumps are asked for in the block? */
static bool wanted(const struct jit *j, const struct ir_block *ir) {
  if (!jit_options.dump_at_set) return true;
  for (unsigned i = 0; i < ir->ninsn; i++)
    if (jit_options.dump_at - insn_pc(j, ir, i) < ir_decoded(ir, i)->len) return true;
  return false;
}

static void dump(const struct jit *j, const struct block *b, struct ir_block *ir, const struct cg_result *r) {
  char name[200], text[120];
  symbols_text(j->v->c->machine, j->v->pc, name, sizeof name);
  fprintf(stderr, "block %#" PRIx64 " (%u instructions)\n  %s:\n", (uint64_t)j->v->pc, b->count, name);
  for (unsigned i = 0; i < ir->ninsn; i++) {
    j->guest->isa->disasm(ir_decoded(ir, i), insn_pc(j, ir, i), DISASM_ALIASES, text, sizeof text);
    fprintf(stderr, "  %5x  %s\n", (unsigned)ir->insn[i].pc, text);
  }
  if (jit_options.dump & JIT_DUMP_IR) {
    ir_pass_cold(ir);
    ir_print(ir, stderr);
  }
  if (!(jit_options.dump & JIT_DUMP_ASM)) return;
  const struct isa *host = isa_find(cg_host_name);
  for (const uint8_t *p = r->entry; host && p < r->code_end;) {
    union {
      struct insn head;
      uint8_t room[IR_INSN_BYTES];
    } d = {0};
    snprintf(text, sizeof text, "?");
    int n = host->decode(host->default_features, p, (size_t)(r->code_end - p), &d.head);
    if (n > 0) host->disasm(&d.head, (uintptr_t)p, 0, text, sizeof text);
    else n = 1;
    fprintf(stderr, "  %p ", (const void *)p);
    for (int i = 0; i < 11; i++) fprintf(stderr, i < n ? "%02x" : "  ", i < n ? p[i] : 0);
    fprintf(stderr, " %s\n", text);
    p += n;
  }
}

/* ---- what happens ---- */

void observe_shared(const struct jit *j, const uint8_t *from, const uint8_t *to) {
  perf_code(j, from, (size_t)(to - from), "[isomer: entry and exit]");
}

void observe_child(void) { perf_child(); }

void observe_block(struct jit *j, const struct block *b, struct ir_block *ir, const struct cg_result *r,
                   uint64_t ns) {
  const struct trace_ops *t = j->v->c->trace;
  j->n.compiled++;
  j->n.guest_insns += r->count;
  j->n.code_bytes += b->bytes;
  histogram_count(&j->n.latency, ns);
  if (perf_active()) {
    char name[200];
    symbols_text(j->v->c->machine, j->v->pc, name, sizeof name);
    perf_code(j, r->entry, b->bytes, name);
  }
  if (t && t->block) t->block(j->v, &(struct trace_block){j->v->pc, b->count, b->bytes, ns});
  if (jit_options.dump && wanted(j, ir)) dump(j, b, ir, r);
}

void observe_exit(struct jit *j, const struct exit *x) {
  const unsigned kind = x ? x->e.kind & 7 : JIT_EXIT_GOES;
  const struct trace_ops *t = j->v->c->trace;
  j->n.exits[kind]++;
  if (likely(!t || !t->left)) return;
  struct trace_exit e = {.kind = exit_kind[kind][0], .to = j->v->pc};
  if (x && (kind == IX_JUMP || x->e.kind == CG_EXIT_COUNT)) e.to = jit_target(j, x);
  if (x && x->owner) {
    e.known = true;
    e.from = (j->direct ? x->owner->page : j->v->pcbase) + x->owner->off;
  }
  t->left(j->v, &e);
}

/* ---- counters ---- */

static struct jit_counters ended; /* of threads of this process; under the caller's lock */

static void add(struct jit_counters *sum, const struct jit_counters *n) {
  uint64_t *to = (uint64_t *)sum;
  const uint64_t *from = (const uint64_t *)n;
  for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
}
_Static_assert(sizeof(struct jit_counters) % sizeof(uint64_t) == 0, "counters are added word by word");

void observe_end(const struct jit *j) {
  if (j->direct) add(&ended, &j->n);
}

void observe_count(const struct vcpu *v, const struct jit *all,
                   void (*each)(void *data, const char *key, const char *text, uint64_t n), void *data) {
  struct jit_counters *c = calloc(1, sizeof *c);
  const struct jit *own = jit_of(v);
  if (!c) return;
  if (own->direct) *c = ended;
  for (const struct jit *j = all; j; j = j->link)
    if (j == own || (v->c->machine && j->v->c->machine == v->c->machine)) add(c, &j->n);
  each(data, "blocks", "blocks translated", c->compiled);
  each(data, "block_insns", "  guest instructions in them", c->guest_insns);
  each(data, "code_bytes", "  bytes of code", c->code_bytes);
  each(data, "compile_us", "  microseconds", c->compile_ns / 1000);
  each(data, "compile_p50_ns", "  nanoseconds for one, median", histogram_quantile(&c->latency, 50));
  each(data, "compile_p99_ns", "  nanoseconds for one, 99 of 100", histogram_quantile(&c->latency, 99));
  each(data, "refused", "places left to the interpreter", c->refused);
  each(data, "entries", "times that code was entered", c->entries);
  for (unsigned i = 0; i < JIT_EXITS; i++) {
    char key[32], text[80];
    if (!exit_kind[i][0]) continue;
    snprintf(key, sizeof key, "left_%s", exit_kind[i][0]);
    snprintf(text, sizeof text, "  and left: %s", exit_kind[i][1]);
    each(data, key, text, c->exits[i]);
  }
  each(data, "links", "exits linked", c->links);
  each(data, "lookups", "places looked up", c->lookups);
  each(data, "slow", "slow memory accesses", c->slow);
  each(data, "asked", "accesses made by the runtime", c->asked);
  each(data, "invalidated", "blocks invalidated", c->invalidated);
  each(data, "evicted", "blocks evicted", c->evicted);
  each(data, "interpreted", "instructions of the interpreter", c->interpreted);
  if (own->check) each(data, "checked", "blocks compared with the interpreter", c->checked);
  free(c);
}

/* ---- settings ---- */

int observe_option(const char *text, char *why, size_t n) {
  if (!strncmp(text, "dump=", 5)) {
    if (strstr(text, "ir")) jit_options.dump |= JIT_DUMP_IR;
    if (strstr(text, "asm")) jit_options.dump |= JIT_DUMP_ASM;
    if (!strcmp(text, "dump=ir") || !strcmp(text, "dump=asm") || !strcmp(text, "dump=ir,asm")) return 0;
    snprintf(why, n, "--dump takes ir, asm or ir,asm, each with =PC, not '%s'", text + 5);
    return -EINVAL;
  }
  if (!strncmp(text, "dump-at=", 8)) {
    jit_options.dump_at = strtoull(text + 8, NULL, 0);
    jit_options.dump_at_set = true;
    return 0;
  }
  if (!strncmp(text, "perf-map=", 9)) return perf_start(PERF_MAP, atoi(text + 9), why, n);
  if (!strncmp(text, "perf-dump=", 10)) return perf_start(PERF_DUMP, atoi(text + 10), why, n);
  if (!strncmp(text, "tier=", 5)) {
    if (tier_find(text + 5, &jit_options.highest)) return 0;
    snprintf(why, n, "--tier takes interp or block, not '%s'", text + 5);
    return -EINVAL;
  }
  return -ENOENT;
}
