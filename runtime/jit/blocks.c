/* Records of guest code by place, links between their translations, and how both end: written code, a full memory. */
#include <stdlib.h>
#include <string.h>

#include "jit/jit_int.h"

/* Physical addresses have at most 56 bits, those of programs fewer. Never 0: contexts count from 1. */
static uint64_t key_of(gpa_t page, unsigned off, unsigned context) {
  return (uint64_t)context << 56 ^ (page | off);
}
static unsigned hash(const struct jit *j, uint64_t key) {
  key *= UINT64_C(0x9e3779b97f4a7c15);
  return (unsigned)(key >> 32 ^ key >> 50) & j->mask;
}
static unsigned page_list(gpa_t page) {
  return (unsigned)((page >> GUEST_PAGE_BITS) * 0x9e3779b1u >> 8) % PAGE_LISTS;
}

/* Entries of the jump table with the keys of before are worth nothing. */
static void forget_jumps(struct jit *j) {
  j->losses++;
  j->changed = true;
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
        jit_gone(j->v, ~(gpa_t)0);
        j->ncontexts = i = 0;
      }
      memcpy(j->contexts[i], now, sizeof now);
      j->ncontexts++;
    }
    j->context = i + 1;
  }
  /* A flush of translations, or a loss of code, makes all entries of the jump table old; when epochs repeat they are
   * gone. Never 0, which is the key of empty entries. */
  const uint32_t epoch = j->v->c->flush_epoch + j->losses;
  if ((epoch ^ j->epoch) >> 12)
    for (i = 0; i < cg_jumps(j->direct); i++) j->env.jump[i].key = 0;
  j->epoch = epoch;
  j->env.key = (j->v->tag_fetch & 0xfff) | (uint32_t)j->context << 12 | epoch << 20;
}

static struct place *place_of(const struct jit *j, uint64_t key) {
  unsigned i = hash(j, key);
  while (j->by_place[i].key && j->by_place[i].key != key) i = (i + 1) & j->mask;
  return &j->by_place[i];
}

struct block *jit_known(const struct jit *j, gpa_t page, unsigned off) {
  return j->by_place ? place_of(j, key_of(page, off, j->context))->block : NULL;
}

/* The table is at most half full. */
static bool room_for_place(struct jit *j) {
  const unsigned old = j->by_place ? j->mask + 1 : 0;
  if (old && 2 * j->nrecords < old) return true;
  struct place *from = j->by_place, *to = calloc(old ? 2 * old : 1024, sizeof *to);
  if (!to) return false;
  j->by_place = to;
  j->mask = (old ? 2 * old : 1024) - 1;
  for (unsigned i = 0; i < old; i++)
    if (from[i].key) *place_of(j, from[i].key) = from[i];
  free(from);
  return true;
}

static void remove_place(struct jit *j, uint64_t key) {
  unsigned hole = (unsigned)(place_of(j, key) - j->by_place), i = hole;
  for (;;) {
    i = (i + 1) & j->mask;
    if (!j->by_place[i].key) break;
    /* What may not stand before its own start stays. */
    unsigned home = hash(j, j->by_place[i].key);
    if (((i - home) & j->mask) < ((i - hole) & j->mask)) continue;
    j->by_place[hole] = j->by_place[i];
    hole = i;
  }
  j->by_place[hole] = (struct place){0};
}

static struct block *new_block(struct jit *j) {
  if (!j->free_blocks) {
    struct slab *s = malloc(sizeof *s);
    if (!s) return NULL;
    s->next = j->slabs;
    j->slabs = s;
    for (unsigned i = SLAB; i--;) {
      s->block[i].page_next = j->free_blocks;
      j->free_blocks = &s->block[i];
    }
  }
  struct block *b = j->free_blocks;
  j->free_blocks = b->page_next;
  return b;
}

void jit_free_blocks(struct jit *j) {
  while (j->slabs) {
    struct slab *s = j->slabs;
    j->slabs = s->next;
    free(s);
  }
  free(j->by_place);
}

static void forget(struct jit *j, struct block *b);

/* Only what is not translated, unless that is too little. */
static void forget_cold(struct jit *j) {
  for (unsigned h = 0; h < PAGE_LISTS; h++)
    for (struct block **at = &j->by_page[h]; *at;) {
      struct block *b = *at;
      if (b->code) {
        at = &b->page_next;
        continue;
      }
      *at = b->page_next;
      forget(j, b);
    }
  if (j->nrecords >= MAX_RECORDS / 2) jit_gone(j->v, ~(gpa_t)0);
}

struct block *jit_block(struct jit *j, gpa_t page, unsigned off) {
  struct block *b = jit_known(j, page, off);
  if (b) return b;
  if (j->nrecords >= MAX_RECORDS) forget_cold(j);
  if (!room_for_place(j) || !(b = new_block(j))) return NULL;
  struct block **list = &j->by_page[page_list(page)];
  *b = (struct block){.page = page, .off = (uint16_t)off, .context = (uint8_t)j->context, .page_next = *list};
  *list = b;
  const uint64_t key = key_of(page, off, j->context);
  *place_of(j, key) = (struct place){key, b};
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

void jit_way(struct jit *j, uint32_t n, struct block *to) {
  const gva_t pc = j->v->pc;
  struct exit *x = exit_of(j, n);
  if (!x->owner || !to->code) return;
  for (uint32_t w = n; w; w = x->e.other) {
    x = exit_of(j, w);
    if (x->e.pc == -1 && !j->ending) {
      x->e.pc = (int64_t)pc;
      cg_want(x->code + x->e.want, pc);
      os_code_written(&j->code, x->code + x->e.want - 8, 8);
    }
    if ((gva_t)x->e.pc != pc) continue;
    jit_link(j, w, to);
    return;
  }
  /* More places than ways: the table is faster than guessing. */
  x = exit_of(j, n);
  cg_open(x->code + x->e.start, x->code + x->e.table);
  os_code_written(&j->code, x->code + x->e.start, 16);
  for (uint32_t w = n; w; w = exit_of(j, w)->e.other) unlink_out(j, w);
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

/* Already out of its page's list. */
static void forget(struct jit *j, struct block *b) {
  if (b->code) j->segment[b->first_exit >> EXIT_BITS].blocks[b->number] = NULL;
  undo(j, b);
  remove_place(j, key_of(b->page, b->off, b->context));
  j->nrecords--;
  b->page_next = j->free_blocks;
  j->free_blocks = b;
}

/* Blocks of a list: all, or those of one page, or of these those that reach into the next. Whether any had code. */
static bool gone(struct jit *j, unsigned list, bool all, gpa_t page, bool crossing) {
  struct block **at = &j->by_page[list];
  bool any = false;
  while (*at) {
    struct block *b = *at;
    if (!all && (b->page != page || (crossing && !b->crosses))) {
      at = &b->page_next;
      continue;
    }
    *at = b->page_next;
    if (b->code) j->n.invalidated++;
    any |= b->code != NULL;
    forget(j, b);
  }
  return any;
}

void jit_gone(struct vcpu *v, gpa_t page) {
  struct jit *j = jit_of(v);
  bool any = false;
  if (!j) return;
  if (page == ~(gpa_t)0) {
    for (unsigned h = 0; h < PAGE_LISTS; h++) any |= gone(j, h, true, 0, false);
  } else {
    const gpa_t before = page - GUEST_PAGE_SIZE;
    any = gone(j, page_list(page), false, page, false);
    if (j->direct) any |= gone(j, page_list(before), false, before, true);
  }
  if (any) forget_jumps(j);
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
  forget_jumps(j);
}
