/* Records of guest code by place, links between their translations, and how both end: written code, a full memory. */
#include <stdlib.h>
#include <string.h>

#include "jit/jit_int.h"

static unsigned hash(gpa_t page, unsigned off, unsigned context) {
  uint64_t h = (page >> GUEST_PAGE_BITS) * UINT64_C(0x9e3779b97f4a7c15) ^
               (uint64_t)off * UINT64_C(0xc2b2ae3d27d4eb4f) ^ (uint64_t)context << 40;
  return (unsigned)(h >> 30) % BUCKETS;
}
static unsigned page_hash(gpa_t page) {
  return (unsigned)((page >> GUEST_PAGE_BITS) * 0x9e3779b1u >> 8) % BUCKETS;
}

void jit_forget_jumps(struct jit *j) {
  for (unsigned i = 0; i < CG_JUMPS; i++) j->env.jump[i].key = 0;
}

static uint64_t slot_value(const struct vcpu *v, const struct ir_slot_info *s) {
  uint64_t x = 0;
  memcpy(&x, (const char *)v + s->offset, s->bytes < 8 ? s->bytes : 8);
  return x;
}

void jit_context(struct jit *j) {
  const struct ir_guest *g = j->guest;
  uint64_t now[IR_MAX_CONTEXT] = {0};
  const uint64_t *was = j->contexts[j->context ? j->context - 1 : 0];
  bool same = j->context;
  unsigned i;
  for (i = 0; i < g->ncontext; i++) {
    now[i] = slot_value(j->v, &g->slots[g->context[i]]);
    same &= now[i] == was[i];
  }
  if (!same) {
    for (i = 0; i < j->ncontexts && memcmp(now, j->contexts[i], sizeof now); i++) {}
    if (i == j->ncontexts) {
      if (i == MAX_CONTEXTS) { /* start over: numbers mean other things then */
        for (unsigned s = 0; s < SEGMENTS; s++) jit_empty(j, s);
        j->ncontexts = i = 0;
      }
      memcpy(j->contexts[i], now, sizeof now);
      j->ncontexts++;
    }
    j->context = i + 1;
  }
  /* A flush of translations makes all entries of the jump table old; when epochs repeat they are gone. Never 0, which is
   * the key of empty entries. */
  const uint32_t epoch = j->v->c->flush_epoch;
  if ((epoch ^ j->epoch) >> 12) jit_forget_jumps(j);
  j->epoch = epoch;
  j->env.key = (j->v->tag_fetch & 0xfff) | (uint32_t)j->context << 12 | epoch << 20;
}

struct block *jit_block(struct jit *j, gpa_t page, unsigned off) {
  unsigned h = hash(page, off, j->context);
  for (struct block *b = j->by_place[h]; b; b = b->next)
    if (b->page == page && b->off == off && b->context == j->context) return b;
  if (j->nrecords >= MAX_RECORDS)
    for (unsigned s = 0; s < SEGMENTS; s++) jit_empty(j, s);
  if (j->nrecords >= MAX_RECORDS) jit_gone(j->v, ~(gpa_t)0);
  struct block *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  *b = (struct block){.page = page, .off = (uint16_t)off, .context = (uint16_t)j->context};
  b->next = j->by_place[h];
  j->by_place[h] = b;
  b->page_next = j->by_page[page_hash(page)];
  j->by_page[page_hash(page)] = b;
  j->nrecords++;
  return b;
}

static void patch(struct jit *j, struct exit *x, const uint8_t *to) {
  uint8_t *at = x->code + x->e.patch;
  if (j->ending) return;
  cg_patch(at, to);
  os_code_written(&j->code, at - 4, 4);
}

void jit_link(struct jit *j, uint32_t n, struct block *to) {
  struct exit *x = exit_of(j, n);
  if (!x->owner || x->to || !x->e.patch || !to->code) return;
  x->to = to;
  x->next_in = to->in;
  to->in = n + 1;
  patch(j, x, to->code);
  j->n.links++;
}

/* Takes exit n out of the list of those that lead to its target. */
static void unlink_out(struct jit *j, uint32_t n) {
  struct exit *x = exit_of(j, n);
  if (!x->to) return;
  for (uint32_t *at = &x->to->in; *at; at = &exit_of(j, *at - 1)->next_in)
    if (*at == n + 1) {
      *at = x->next_in;
      break;
    }
  x->to = NULL;
}

/* The block has no translation any more. Its code stays as it is: it may be running. */
static void undo(struct jit *j, struct block *b) {
  if (!b->code) return;
  while (b->in) {
    struct exit *x = exit_of(j, b->in - 1);
    b->in = x->next_in;
    x->to = NULL;
    patch(j, x, x->code + x->e.stub);
  }
  for (uint32_t n = b->first_exit; n < b->first_exit + b->nexits; n++) {
    unlink_out(j, n);
    exit_of(j, n)->owner = NULL;
  }
  b->code = NULL;
  b->heat = 0;
}

static void forget(struct jit *j, struct block *b) {
  struct segment *s = &j->segment[b->first_exit >> EXIT_BITS];
  struct block **at = &j->by_place[hash(b->page, b->off, b->context)];
  if (b->code)
    for (uint32_t i = 0; i < s->nblocks; i++)
      if (s->blocks[i] == b) s->blocks[i] = NULL;
  undo(j, b);
  while (*at != b) at = &(*at)->next;
  *at = b->next;
  j->nrecords--;
  free(b);
}

void jit_gone(struct vcpu *v, gpa_t page) {
  struct jit *j = jit_of(v);
  bool all = page == ~(gpa_t)0, any = false;
  if (!j) return;
  for (unsigned h = all ? 0 : page_hash(page); h < BUCKETS; h++) {
    struct block **at = &j->by_page[h];
    while (*at) {
      struct block *b = *at;
      if (!all && b->page != page) {
        at = &b->page_next;
        continue;
      }
      *at = b->page_next;
      if (b->code) j->n.invalidated++;
      any |= b->code != NULL;
      forget(j, b);
    }
    if (!all) break;
  }
  if (any) {
    jit_forget_jumps(j);
    j->changed = true;
  }
}

void jit_empty(struct jit *j, unsigned n) {
  struct segment *s = &j->segment[n];
  for (uint32_t i = 0; i < s->nblocks; i++) {
    if (!s->blocks[i]) continue;
    undo(j, s->blocks[i]);
    j->n.evicted++;
  }
  while (s->chunks) {
    struct chunk *c = s->chunks;
    s->chunks = c->next;
    free(c);
  }
  s->nblocks = s->nexits = s->nfaults = 0;
  s->at = s->from;
  jit_forget_jumps(j);
  j->changed = true;
}
