/* Results of floating point whose NaN is not made the default one at once. For rules that have a default NaN all quiet NaNs
 * are alike as operands, so a result is looked at only where its bits become visible, two at a time, and what cold exits show
 * is made right by the runtime. A raw value is always in a vector register. */
#include "fp/fp.h"
#include "hostcg/cg_int.h"

static bool one_nan(const struct ir_fp *how) {
  return how->nan == FP_NAN_CANONICAL || how->nan == FP_NAN_DEFAULT;
}

bool may_stay_raw(const struct cg *g, const struct ir_ins *i) {
  return is_fp(i->op) && !g->b->fp[i->aux].lane && one_nan(&g->b->fp[i->aux]);
}

/* Whether the entry does the same for all quiet NaNs. */
static bool takes_raw(const struct cg *g, const struct ir_ins *i) {
  if (i->op == IR_FCLASS || i->op == IR_FTOI || (i->op >= IR_FEQ && i->op <= IR_FUN)) return true;
  return i->op != IR_ITOF && may_stay_raw(g, i);
}

static bool is_f32(const struct cg *g, uint32_t v) { return g->v[v].bytes == 4; }
static bool is_raw(const struct cg *g, uint32_t v) { return v < IR_MAX_INS && g->v[v].raw; }

static uint8_t *unordered(uint8_t *p, unsigned a, unsigned b, bool f32) {
  p = f32 ? cg_unordered_32(p, a, b) : cg_unordered_64(p, a, b);
  return cg_branch(p, CG_UNORDERED_64_GIVES);
}

static uint64_t default_nan(bool f32) { return f32 ? UINT64_C(0x7fc00000) : UINT64_C(0x7ff8000000000000); }

void write_default_nan(struct cg *g, unsigned reg, bool f32) {
  load_constant(g, reg, default_nan(f32), 0, 8);
}

uint64_t without_raw_nan(uint64_t bits, bool f32) {
  const bool nan = f32 ? (uint32_t)bits << 1 > 0xffu << 24 : bits << 1 > UINT64_C(0x7ff) << 53;
  return nan ? default_nan(f32) : bits;
}

void repair_nans(struct cg *g, unsigned a, unsigned b, bool f32) {
  const unsigned reg[2] = {a, b};
  for (unsigned k = 0; k < 2 && !(k && a == b); k++) {
    g->p = f32 ? cg_unordered_32(g->p, reg[k], reg[k]) : cg_unordered_64(g->p, reg[k], reg[k]);
    g->p = cg_branch(g->p, CG_UNORDERED_64_GIVES ^ 1);
    uint8_t *over = g->p;
    write_default_nan(g, reg[k], f32);
    cg_patch(over, g->p);
  }
}

/* Looks at two raw values, or at one. */
static void look(struct cg *g, uint32_t v, uint32_t w) {
  const unsigned a = (unsigned)g->v[v].reg, b = (unsigned)g->v[w].reg;
  g->p = unordered(g->p, a, b, is_f32(g, v));
  struct late *l = new_late(g, LATE_NANS, 0);
  l->retry = g->p;
  l->reg[0] = (uint8_t)a;
  l->reg[1] = (uint8_t)b;
  l->size = g->v[v].bytes;
  g->v[v].raw = g->v[w].raw = false;
}

/* Another raw value that is still needed, the latest; v itself if there is none. */
static uint32_t partner(const struct cg *g, uint32_t v) {
  uint32_t best = 0;
  for (uint32_t m = g->full & VECTORS; m; m &= m - 1) {
    const uint32_t w = g->in_reg[__builtin_ctz(m)];
    if (w != v && w > best && is_raw(g, w) && g->v[w].bytes == g->v[v].bytes && g->v[w].last > g->at)
      best = w;
  }
  return best ? best : v;
}

void settle(struct cg *g, uint32_t v) {
  if (is_raw(g, v)) look(g, v, partner(g, v));
}

enum { MOST = 64 };
static void want(const struct cg *g, uint32_t v, uint32_t list[MOST], unsigned *n) {
  if (!is_raw(g, v)) return;
  for (unsigned k = 0; k < *n; k++)
    if (list[k] == v) return;
  if (*n < MOST) list[(*n)++] = v;
}

static void collect(const struct cg *g, ref r, uint32_t list[MOST], unsigned *n) {
  const struct ir_ins *i = ins_of(g, r);
  const ref args[3] = {i->a, i->b, i->c};
  for (unsigned k = 0; k < ir_op_info[i->op].nargs; k++) {
    if (g->v[args[k]].folded) collect(g, args[k], list, n);
    else if (!takes_raw(g, i)) want(g, value_of(g, args[k]), list, n);
  }
  if (i->op != IR_EXIT || g->b->exit[i->c].kind != IX_JUMP) return;
  const struct ir_exit *e = &g->b->exit[i->c];
  const struct ir_snap *s = &g->b->snap[e->snap];
  for (unsigned k = 0; k < s->n; k++) want(g, value_of(g, g->b->snap_value[s->first + k].value), list, n);
  want(g, value_of(g, e->target), list, n);
}

void settle_uses(struct cg *g, ref r) {
  uint32_t list[MOST];
  unsigned n = 0;
  collect(g, r, list, &n);
  for (unsigned a = 0; a < n; a++) {
    if (!g->v[list[a]].raw) continue;
    unsigned b = a + 1;
    while (b < n && (!g->v[list[b]].raw || g->v[list[b]].bytes != g->v[list[a]].bytes)) b++;
    if (b < n) look(g, list[a], list[b]);
    else settle(g, list[a]);
  }
}

/* Of an exit to another block: the values that are still raw, out of line. */
void settle_places(struct cg *g, const struct cg_place *p, unsigned n) {
  for (unsigned f32 = 0; f32 < 2; f32++) {
    uint32_t regs = 0;
    for (unsigned k = 0; k < n; k++)
      if (p[k].raw == (f32 ? 4 : 8)) regs |= 1u << p[k].at;
    while (regs) {
      const unsigned a = (unsigned)__builtin_ctz(regs);
      regs &= regs - 1;
      const unsigned b = regs ? (unsigned)__builtin_ctz(regs) : a;
      regs &= regs - 1;
      g->p = f32 ? cg_unordered_32(g->p, a, b) : cg_unordered_64(g->p, a, b);
      g->p = cg_branch(g->p, CG_UNORDERED_64_GIVES ^ 1);
      uint8_t *over = g->p;
      repair_nans(g, a, b, f32);
      cg_patch(over, g->p);
    }
  }
}
