/* From decoded guest instructions to code: which belong to a block, the lifter, the host's code generator, and the room
 * that all this takes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/isa.h"
#include "ir/block.h"
#include "jit/observe.h"
#include "mem/tlb.h"
#include "os/guest_access.h"

static uint64_t context_value(void *data, unsigned slot) {
  const struct jit *j = data;
  const struct ir_slot_info *s = &j->guest->slots[slot];
  uint64_t x = 0;
  memcpy(&x, (const char *)j->v + s->offset, s->bytes < 8 ? s->bytes : 8);
  return x;
}

unsigned jit_bytes(const struct jit *j, gva_t at, uint8_t *to, unsigned n) {
  const unsigned off = (unsigned)(at & ~GUEST_PAGE_MASK);
  const uint8_t *host;
  gpa_t pa;
  if (j->direct) return os_guest_read(to, at, n) ? 0 : n;
  if (n > GUEST_PAGE_SIZE - off) n = (unsigned)GUEST_PAGE_SIZE - off;
  if (tlb_fetch(j->v, at & GUEST_PAGE_MASK, &pa, &host) || !host) return 0;
  memcpy(to, host + off, n);
  return n;
}

/* Bytes of the page that the interpreter has just marked as code; of an instruction that crosses, of the next one too. */
static unsigned fetch(void *data, uint32_t off, uint8_t *to, unsigned n) {
  const struct jit *j = data;
  return off < GUEST_PAGE_SIZE ? jit_bytes(j, (j->v->pc & GUEST_PAGE_MASK) + off, to, n) : 0;
}

/* ---- room ---- */

/* Memory that lives as long as what is in the segment, aligned to 16; a copy of `from` unless that is NULL. */
static void *keep(struct segment *s, const void *from, size_t n) {
  struct chunk *c = malloc(sizeof *c + n);
  if (!c) return NULL;
  c->next = s->chunks;
  s->chunks = c;
  return from ? memcpy(c + 1, from, n) : c + 1;
}

static bool grow(void *array, uint32_t *room, uint32_t want, size_t size) {
  void **at = array;
  if (want <= *room) return true;
  uint32_t n = *room ? 2 * *room : 256;
  while (n < want) n *= 2;
  void *p = realloc(*at, n * size);
  if (!p) return false;
  *at = p;
  *room = n;
  return true;
}

/* Takes over what the code generator made. */
static int install(struct jit *j, struct block *b, const struct ir_block *ir, const struct cg_result *r) {
  struct segment *s = &j->segment[j->current];
  const size_t size = j->guest->isa->insn_size;
  if (!grow(&s->exit, &s->room, s->nexits + r->nexits, sizeof *s->exit) ||
      !grow(&s->fault, &s->faults_room, s->nfaults + r->nfaults, sizeof *s->fault) ||
      !grow(&s->blocks, &s->blocks_room, s->nblocks + 1, sizeof *s->blocks))
    return -ENOMEM;
  const struct cg_place *place = keep(s, r->place, r->nplaces * sizeof *r->place);
  char *decoded = NULL;
  if (!place) return -ENOMEM;
  for (unsigned i = 0; i < r->nexits; i++) {
    struct exit *x = &s->exit[s->nexits + i];
    *x = (struct exit){.e = r->exit[i], .owner = b, .count = r->count, .place = place, .code = r->entry};
    if (x->e.kind != IX_STEP) continue;
    if (!decoded) {
      decoded = keep(s, NULL, ir->ninsn * size);
      if (!decoded) return -ENOMEM;
      for (unsigned k = 0; k < ir->ninsn; k++) memcpy(decoded + k * size, ir->decoded[k], size);
    }
    x->insn = (const struct insn *)(const void *)(decoded + x->e.insn * size);
  }
  for (unsigned i = 0; i < r->nfaults; i++)
    s->fault[s->nfaults++] =
        (struct cg_fault){r->fault[i].at + (uint32_t)(r->entry - s->from), r->fault[i].exit};
  b->first_exit = (uint32_t)j->current << EXIT_BITS | s->nexits;
  b->nexits = r->nexits;
  s->nexits += r->nexits;
  b->number = s->nblocks;
  s->blocks[s->nblocks++] = b;
  /* A cache line: elsewhere the same loop may take half as long again, by where its jumps come to lie. */
  s->at = (uint8_t *)(((uintptr_t)r->end + 63) & ~(uintptr_t)63);
  b->code = r->entry;
  b->bytes = (uint32_t)(r->end - r->entry);
  b->count = r->count;
  os_code_written(&j->code, r->entry, b->bytes);
  return 0;
}

/* ---- */

/* The oldest segment makes room. Where code is thrown away before it has earned what its translation cost, more entries are
 * asked for before a block is translated; the measure is retired instructions, so that it is the same in every run. */
static void turn(struct jit *j) {
  const uint64_t now = vcpu_retired(j->v), blocks = j->segment[j->current].nblocks;
  if (now - j->turned < blocks * WORTH) {
    if (j->threshold < MAX_THRESHOLD) j->threshold *= 2;
  } else if (j->threshold > jit_options.threshold) {
    j->threshold /= 2;
  }
  j->turned = now;
  j->current = (j->current + 1) % SEGMENTS;
  jit_empty(j, j->current);
}

/* The guest instruction that an entry belongs to. */
static unsigned insn_of(const struct ir_block *ir, unsigned entry) {
  unsigned i = ir->ninsn;
  while (i > 1 && ir->insn[i - 1].first > entry) i--;
  return i - 1;
}

/* A deliberate mistake, for tests of what finds mistakes. */
static void plant(struct ir_block *ir, gva_t page) {
  const gva_t at = jit_options.plant < GUEST_PAGE_SIZE ? jit_options.plant : jit_options.plant - page;
  for (unsigned i = 0; i < ir->ninsn; i++)
    for (unsigned k = ir->insn[i].first; k < (i + 1 < ir->ninsn ? ir->insn[i + 1].first : ir->n); k++)
      if ((gva_t)(int64_t)ir->insn[i].pc == at && ir->ins[k].op == IR_ADD) ir->ins[k].op = IR_SUB;
}

int jit_compile(struct jit *j, struct block *b) {
  struct ir_block *ir = &j->ir;
  const uint64_t start = clock_ns();
  const struct ir_source source = {fetch, context_value, j, .crosses = b->crosses};
  struct ir_policy policy = ir_policy_default;
  unsigned max = jit_options.max_insns;
  if (j->check || j->v->c->resched) policy.look = 0; /* all flags are compared, or seen at an exact count */
  int rc = jit_ready(j);
  if (rc) return rc;
  for (unsigned tries = 0; tries < 200; tries++) {
    struct segment *s = &j->segment[j->current];
    struct cg_config c = {.features = j->features,
                          .direct = j->direct,
                          .absolute = j->direct,
                          .page = j->v->pc & GUEST_PAGE_MASK,
                          .alone = j->check,
                          .first_exit = (uint32_t)j->current << EXIT_BITS | s->nexits,
                          .common = &j->common,
                          .at = s->at,
                          .end = s->end};
    struct cg_result r;
    unsigned bad = 0;
    policy.insns = max;
    j->lift.by_handler = j->by_handler;
    if (!ir_form(ir, &j->lift, j->guest, j->v->c->features, &source, b->off, &policy)) {
      rc = -ENOTSUP;
      break;
    }
    if (jit_options.plant) plant(ir, j->v->pc & GUEST_PAGE_MASK);
    if (s->nexits + 2 * IR_MAX_EXIT >= 1u << EXIT_BITS) rc = -ENOSPC;
    else rc = cg_compile(j->cg, ir, &c, &r, &bad);
    if (rc == -ENOTSUP) { /* this leaf goes by its handler from now on */
      unsigned k = insn_of(ir, bad);
      uint16_t op = ir_decoded(ir, k)->op;
      if (j->by_handler[op]) {
        if (!k) break;
        max = k;
      }
      j->by_handler[op] = 1;
      continue;
    }
    if (rc == -ENOSPC && bad) { /* too much for one block */
      if (max <= 1) break;
      max = ir->ninsn > 1 ? ir->ninsn / 2 : 1;
      continue;
    }
    if (rc == -ENOSPC) {
      if (s->at == s->from) { /* not even an empty segment has room for it */
        if (max <= 1 || ir->ninsn <= 1) break;
        max = ir->ninsn / 2;
        continue;
      }
      turn(j);
      continue;
    }
    if (!rc && r.useless) rc = -ENOTSUP;
    else if (!rc) rc = install(j, b, ir, &r);
    if (!rc) observe_block(j, b, ir, &r, clock_ns() - start);
    break;
  }
  j->n.compile_ns += clock_ns() - start;
  return rc;
}
