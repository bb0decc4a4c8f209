/* The software TLB in code. Accesses whose addresses are a fixed distance from one value are a window: the first looks into
 * the TLB for all of them, the others use what it found. They lie in one page, nearly always; where not, or where the
 * page is not open for all the kinds of access, the window is void, and each access looks for itself, out of line. */
#include <string.h>

#include "hostcg/cg_int.h"
#include "mem/access.h"
#include "mem/tlb.h"

/* Bytes of a window: the longer, the more of them cross a page. */
enum { SPAN = 512 };
/* In place of what is added to addresses, a multiple of the page size. */
enum { VOID = 1 };

/* An entry that hands over to the runtime or to a handler, which may change what is mapped. */
static bool ends_windows(unsigned op) {
  return op == IR_HANDLER || op == IR_LOADX || op == IR_STOREX || op == IR_RMW || op == IR_CAS ||
         op == IR_FILL;
}

static void join(struct cg *g, ref r, unsigned open) {
  const struct ir_ins *i = ins_of(g, r);
  int64_t at;
  const uint32_t root = root_of(g, i->a, &at);
  const int64_t end = at + (int64_t)IR_MEM_BITS(i->aux) / 8;
  unsigned w = g->nwindows;
  while (w > open && g->window[w - 1].root != root) w--;
  if (w > open) {
    struct window *x = &g->window[w - 1];
    const int64_t low = at < x->low ? at : x->low, high = end > x->high ? end : x->high;
    if (high - low <= SPAN) {
      x->low = low;
      x->high = high;
      x->n++;
      x->kinds |= 1u << (i->op == IR_STORE);
      g->window_of[r] = (uint8_t)w;
      return;
    }
  }
  if (g->nwindows == MAX_WINDOWS) return;
  g->window[g->nwindows++] = (struct window){
      .first = r, .root = root, .low = at, .high = end, .n = 1, .kinds = 1u << (i->op == IR_STORE)};
  g->window_of[r] = (uint8_t)g->nwindows;
}

void find_windows(struct cg *g) {
  unsigned open = 0;
  g->nwindows = 0;
  memset(g->window_of, 0, g->b->n);
  if (g->c.direct) return;
  for (ref r = 1; r < g->b->n; r++) {
    const unsigned op = ins_of(g, r)->op;
    if (ends_windows(op)) open = g->nwindows;
    else if (op == IR_LOAD || op == IR_STORE) join(g, r, open);
  }
  for (unsigned w = 0; w < g->nwindows; w++) {
    g->v[WINDOW(w)] = (struct value){.reg = -1, .hint = -1, .spill = -1, .bytes = 8};
    if (g->window[w].n == 1) g->window_of[g->window[w].first] = 0;
  }
}

/* Looks for the page of [a + low, a + high], for all of `kinds`. t has its entry's address then; branches that end at miss
 * are taken when it is not there; where there is one, both are it. */
static void probe(struct cg *g, unsigned t, unsigned u, unsigned a, int32_t low, int32_t high, unsigned kinds,
                  uint8_t *miss[2]) {
  g->p = low ? cg_lea(g->p, t, a, low) : cg_move(g->p, t, a);
  g->p = cg_tlb_entry(g->p, t, GUEST_PAGE_BITS - 5, ((1 << TLB_BITS) - 1) << 5, offsetof(struct vcpu, tlb));
  g->p = cg_tlb_want(g->p, u, a, high, offsetof(struct vcpu, tag_data));
  miss[0] = NULL;
  for (unsigned access = ACCESS_READ; access <= ACCESS_WRITE; access++) {
    if (!(kinds >> access & 1)) continue;
    g->p = cg_tlb_test(g->p, u, t, (int32_t)(offsetof(struct tlb_entry, tag) + 8 * access));
    g->p = cg_branch(g->p, CG_TLB_TEST_GIVES);
    miss[1] = g->p;
    if (!miss[0]) miss[0] = g->p;
  }
}

static void load_addend(struct cg *g, unsigned t) {
  g->p = cg_load_64(g->p, t, t, offsetof(struct tlb_entry, addend));
}

/* Goes to `retry` when the access hits now; here when the runtime has made it. */
static void fill(struct cg *g, const struct late *l, const uint8_t *retry) {
  const struct mem_op *m = &l->mem;
  const uint32_t plain = m->probe ? CG_ACCESS_PROBE : m->bits ? CG_ACCESS_PLAIN(m->reg, m->sign, m->wide) : 0;
  const unsigned at = l->offset ? l->temp : l->address;
  if (l->offset) g->p = cg_lea(g->p, at, l->address, l->offset);
  call_slow(g, l->exit, at, CG_ACCESS(l->size, l->access, CG_TLB_ONLY, 0) | plain);
  g->p = cg_branch(g->p, CG_LOW_BITS_GIVES);
  cg_patch(g->p, retry);
}

static struct late *new_slow(struct cg *g, enum late_kind kind, unsigned x, unsigned a, int32_t o,
                             unsigned bytes, enum access access) {
  struct late *l = new_late(g, kind, x);
  l->address = (uint8_t)a;
  l->offset = o;
  l->size = (uint8_t)bytes;
  l->access = (uint8_t)access;
  return l;
}

struct late *tlb_check(struct cg *g, unsigned exit, unsigned t, unsigned u, unsigned a, int32_t o,
                       unsigned bytes, enum access access) {
  uint8_t *retry = g->p, *miss[2];
  const unsigned x = new_exit(g, exit, true);
  probe(g, t, u, a, o, o + (int32_t)bytes - 1, 1u << access, miss);
  struct late *l = new_slow(g, LATE_SLOW, x, a, o, bytes, access);
  l->retry = retry;
  l->temp = (uint8_t)t;
  load_addend(g, t);
  return l;
}

void write_slow(struct cg *g, const struct late *l) {
  fill(g, l, l->retry);
  if (l->back) g->p = jump_to(g->p, l->back);
}

/* The access looks for itself; the window is void from here on, if it was not. */
void write_window(struct cg *g, const struct late *l) {
  uint8_t *const start = g->p, *miss[2];
  if (l->also) cg_patch(l->also, start);
  if (l->save) g->p = cg_store_64(g->p, CG_STACK, CG_FRAME_TEMP, l->other);
  probe(g, l->temp, l->other, l->address, l->offset, l->offset + l->size - 1, 1u << l->access, miss);
  load_addend(g, l->temp);
  if (l->save) g->p = cg_load_64(g->p, l->other, CG_STACK, CG_FRAME_TEMP);
  write_access(g, &l->mem, l->address, l->temp, l->offset);
  g->p = cg_const32(g->p, l->temp, VOID);
  g->p = jump_to(g->p, l->back);
  cg_patch(miss[0], g->p);
  if (l->save) g->p = cg_load_64(g->p, l->other, CG_STACK, CG_FRAME_TEMP);
  fill(g, l, l->retry ? l->retry : start);
  g->p = cg_const32(g->p, l->temp, VOID);
  g->p = jump_to(g->p, l->back);
}

void access_window(struct cg *g, ref r, const struct mem_op *m, unsigned a, int32_t o) {
  const struct ir_ins *i = ins_of(g, r);
  const enum access kind = m->store ? ACCESS_WRITE : ACCESS_READ;
  const unsigned bytes = m->bits / 8, spare = m->store || is_vector(m->reg) ? UINT32_MAX : m->reg;
  if (!g->window_of[r]) {
    const unsigned t = take(g, UINT32_MAX, -1), u = spare != UINT32_MAX ? spare : take(g, UINT32_MAX, -1);
    struct late *l = tlb_check(g, i->c, t, u, a, o, bytes, kind);
    write_access(g, m, a, t, o);
    l->mem = *m;
    l->back = g->p;
    return;
  }
  const uint32_t number = g->window_of[r] - 1u;
  const struct window *w = &g->window[number];
  uint8_t *miss[2];
  if (w->first != r) {
    const unsigned t = need(g, WINDOW(number), UINT32_MAX), x = new_exit(g, i->c, true);
    g->p = cg_low_bits(g->p, t, VOID);
    g->p = cg_branch(g->p, CG_LOW_BITS_GIVES);
    struct late *l = new_slow(g, LATE_WINDOW, x, a, o, bytes, kind);
    const uint32_t used = 1u << t | 1u << a | 1u << m->reg;
    write_access(g, m, a, t, o);
    l->back = g->p;
    l->mem = *m;
    l->temp = (uint8_t)t;
    l->save = spare == UINT32_MAX;
    l->other = (uint8_t)(l->save ? (unsigned)__builtin_ctz(GENERAL & ~used) : spare);
    return;
  }
  const unsigned t = take(g, UINT32_MAX, -1), u = spare != UINT32_MAX ? spare : take(g, UINT32_MAX, -1);
  int64_t at;
  root_of(g, i->a, &at);
  uint8_t *retry = g->p;
  const unsigned x = new_exit(g, i->c, true);
  probe(g, t, u, a, (int32_t)(o + w->low - at), (int32_t)(o + w->high - 1 - at), w->kinds, miss);
  struct late *l = new_slow(g, LATE_WINDOW, x, a, o, bytes, kind);
  l->from = miss[0];
  l->also = miss[1] == miss[0] ? NULL : miss[1];
  l->retry = retry;
  load_addend(g, t);
  write_access(g, m, a, t, o);
  l->back = g->p;
  l->mem = *m;
  l->temp = (uint8_t)t;
  l->other = (uint8_t)u;
  result(g, WINDOW(number), t);
}
