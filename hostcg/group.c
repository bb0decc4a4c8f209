/* Scalar floating point that is looked at for several operations at once. With rules that keep the payloads of NaNs, or that judge
 * tininess before rounding, a result that is a NaN or the smallest normal number has to be made by software. Such operations
 * are written as the host does them; their operands stay in their registers until something can see a result or a flag.
 * Then one look serves all of them, and if it finds something, software does all again, in order: flags that are raised
 * once more change nothing. A result that a later operation of the group takes is not looked at for NaNs, which it hands on.
 *
 * Products are tiny only when their operands are. So an operand of several products is looked at instead: where it is zero or at least
 * 2^SMALL, products of a few such need no look at their own results, which may be long in coming. That holds for
 * later groups of the block too, unless the look failed: then a byte in the frame says so, and they look at everything. */
#include "fp/fp.h"
#include "hostcg/cg_int.h"

enum {
  MOST = 8,
  MOST_EXACT = 4,
  SMALL = -255,
  NORMAL = -1021 /* so far from the border that nothing is rounded to it */
};
#define NEEDS                                                                                       \
  (CG_HIGH_TWO_NEEDS | CG_HIGH_FOUR_NEEDS | CG_DOUBLE_32_NEEDS | CG_EQUAL_32_NEEDS | CG_ANY_NEEDS | \
   CG_MASK_NEEDS | CG_NAN_OR_SAME_NEEDS | CG_NAN_OR_LESS_NEEDS)
#define POWER(n) ((uint64_t)(1023 + (n)) << 52)
#define LEAST    POWER(-1022) /* the smallest normal number */
#define NO_SIGN  UINT64_C(0x7fffffffffffffff)
#define TWICE    UINT64_C(0x0020000000200000) /* its top half without the sign, doubled, two times */

/* NaNs among the operands give NaNs. */
static bool hands_on(unsigned op) { return op >= IR_FADD && op <= IR_FMA; }

static const struct cg_rule *plain(const struct cg *g, ref r, bool tiny) {
  struct ir_fp as = g->b->fp[ins_of(g, r)->aux];
  as.nan = FP_NAN_FIRST_OPERAND;
  if (tiny) as.tiny = FP_TINY_AFTER;
  const struct cg_rule *rule = rule_as(g, r, &as);
  if (!rule || rule->far != CG_NEAR || rule->kind != CG_VEC || rule->tie >= 0 || rule->dest >= 0 ||
      rule->ntemps || rule->clobbers)
    return NULL;
  for (unsigned n = 0; n < rule->nargs; n++)
    if (rule->arg[n].kind != CG_VEC || rule->arg[n].fixed >= 0) return NULL;
  return rule;
}

const struct cg_rule *group_rule(const struct cg *g, ref r, bool *tiny) {
  const struct ir_ins *i = ins_of(g, r);
  if (!hands_on(i->op) || i->type != IT_F64 || NEEDS & ~g->c.features) return NULL;
  const struct ir_fp *how = &g->b->fp[i->aux];
  const struct cg_rule *whole = how->lane ? NULL : rule_as(g, r, how);
  if (!whole || whole->far != CG_SOFT) return NULL;
  *tiny = false;
  const struct cg_rule *rule = plain(g, r, false);
  if (rule) return rule;
  *tiny = true;
  return plain(g, r, true);
}

/* ---- how small values may be ---- */

/* Of a value that is not zero: at least 2 to the power of this. */
static int least(const struct cg *g, uint32_t v) {
  const struct ir_ins *i = v < IR_MAX_INS ? ins_of(g, v) : NULL;
  if (i && i->op == IR_CONST && i->type == IT_F64) {
    const uint64_t bits = (uint64_t)ir_const_value(g->b, v) & NO_SIGN;
    return !bits ? 0 : bits < LEAST ? CG_LEAST_OF_ALL : (int)(bits >> 52) - 1023;
  }
  if (i && i->op == IR_ITOF && i->type == IT_F64) return 0;
  return g->v[v].least;
}

static uint16_t group_number(const struct cg *g) { return (uint16_t)(g->ngroups + 1); }

static void relies_on(struct cg *g, uint32_t v) {
  if (g->v[v].least_by && g->v[v].least_by != group_number(g)) g->relies = true;
}

static unsigned products_of(const struct cg *g, uint32_t v) {
  unsigned n = 0, last = 0;
  for (uint32_t u = g->v[v].uses; u; u = g->use[u].next) {
    if (g->use[u].at >= g->at && g->use[u].at != last) n += ins_of(g, g->use[u].at)->op == IR_FMUL;
    last = g->use[u].at;
  }
  return n;
}

static void settle_least(struct cg *g, uint32_t v, int power, bool looked_at) {
  g->v[v].least = (int16_t)power;
  g->v[v].least_by = group_number(g);
  if (looked_at) g->checked[g->nchecked++] = v;
}

/* Decides how a result's tininess is found. */
static void judge(struct cg *g, ref r, struct unsure *u) {
  const struct ir_ins *i = ins_of(g, r);
  const uint32_t a = value_of(g, i->a), b = value_of(g, i->b);
  if (i->op == IR_FSQRT) {
    g->v[r].least = (int16_t)((least(g, a) - 1) / 2);
    g->v[r].least_by = g->v[a].least_by;
    return;
  }
  if (!u->tiny) return;
  if (i->op == IR_FMUL) {
    const uint32_t arg[2] = {a, b};
    for (unsigned n = 0; n < 2 && least(g, a) + least(g, b) < NORMAL; n++)
      if (least(g, arg[n]) < SMALL && products_of(g, arg[n]) > 1 &&
          (least(g, arg[!n]) >= SMALL || products_of(g, arg[!n]) > 1) && g->nchecked < MOST_CHECKED)
        settle_least(g, arg[n], SMALL, true);
    if (least(g, a) + least(g, b) >= NORMAL) {
      relies_on(g, a);
      relies_on(g, b);
      settle_least(g, r, least(g, a) + least(g, b), false);
      return;
    }
  }
  u->ranged = products_of(g, r) && g->nchecked < MOST_CHECKED;
  u->exact = !u->ranged;
  if (u->ranged) settle_least(g, r, SMALL, true);
}

/* ---- members ---- */

void group_room(struct cg *g, bool tiny) {
  unsigned n = 0;
  for (unsigned k = g->group_first; k < g->nunsure; k++) n += g->unsure[k].exact;
  if (g->nunsure - g->group_first == MOST || (tiny && (n == MOST_EXACT || g->nchecked + 2 > MOST_CHECKED)))
    settle_group(g);
}

void group_add(struct cg *g, ref r, const struct unsure *u) {
  for (unsigned k = g->group_first; k < g->nunsure; k++)
    for (unsigned n = 0; n < u->nargs; n++)
      if (g->unsure[k].dest == u->reg[n]) g->unsure[k].handed_on = true;
  g->unsure[g->nunsure] = *u;
  judge(g, r, &g->unsure[g->nunsure++]);
  g->unsure_regs |= 1u << u->dest;
  for (unsigned n = 0; n < u->nargs; n++) g->unsure_regs |= 1u << u->reg[n];
}

/* ---- the look ---- */

static void branch_out(struct cg *g, struct group *x, unsigned cc) {
  g->p = cg_branch(g->p, cc);
  x->from[x->nfrom++] = g->p;
}

/* Vector registers for a look; one that holds something is in the frame meanwhile. */
struct temps {
  uint32_t free;
  unsigned reg[2], n;
  bool saved;
};
enum { SAVED_AT = CG_FRAME_PACKED }; /* where operands of `packed` are only while it is called */

static unsigned temp(struct cg *g, struct temps *t, uint32_t looked_at) {
  uint32_t m = t->free;
  if (!m) {
    m = VECTORS & ~looked_at;
    for (unsigned k = 0; k < t->n; k++) m &= ~(1u << t->reg[k]);
    g->p = cg_vstore_128(g->p, CG_STACK, SAVED_AT + 16 * (int32_t)t->n, (unsigned)__builtin_ctz(m));
    t->saved = true;
  }
  t->free &= m & (m - 1);
  return t->reg[t->n++] = (unsigned)__builtin_ctz(m);
}

static void put_back(struct cg *g, const struct temps *t) {
  for (unsigned k = t->saved ? 0 : t->n; k < t->n; k++)
    g->p = cg_vload_128(g->p, t->reg[k], CG_STACK, SAVED_AT + 16 * (int32_t)k);
}

/* For the smallest normal number among n results; of one, for a NaN as well. The top halves of several are enough: a number
 * next to it is done again for nothing. */
static void look_for_tiny(struct cg *g, struct group *x, uint32_t room, const uint8_t *d, unsigned n) {
  struct temps temps = {.free = __builtin_popcount(room) > 1 ? room : 0};
  uint32_t looked_at = 0;
  for (unsigned k = 0; k < n; k++) looked_at |= 1u << d[k];
  const unsigned t = temp(g, &temps, looked_at);
  unsigned cc = CG_NAN_OR_SAME_GIVES;
  if (n == 1) {
    g->p = cg_mask(g->p, t, d[0]);
    reads_constant(g, g->p, NO_SIGN, NO_SIGN);
    g->p = cg_nan_or_same(g->p, t);
    reads_constant(g, g->p, LEAST, 0);
  } else {
    g->p = cg_high_two(g->p, t, d[0], d[1]);
    if (n > 2) {
      const unsigned u = temp(g, &temps, looked_at);
      g->p = cg_high_two(g->p, u, d[2], d[n - 1]);
      g->p = cg_high_four(g->p, t, t, u);
    }
    g->p = cg_double_32(g->p, t);
    g->p = cg_equal_32(g->p, t);
    reads_constant(g, g->p, n > 2 ? TWICE : UINT64_MAX, TWICE); /* what is doubled is even */
    g->p = cg_any(g->p, t);
    cc = CG_ANY_GIVES;
  }
  put_back(g, &temps);
  branch_out(g, x, cc);
}

static void look_for_nans(struct cg *g, struct group *x, uint8_t *d, unsigned n) {
  if (n % 2) d[n] = d[n - 1];
  for (unsigned k = 0; k < n; k += 2) {
    g->p = cg_unordered_64(g->p, d[k], d[k + 1]);
    branch_out(g, x, CG_UNORDERED_64_GIVES);
  }
}

/* For a NaN, and for what is smaller than 2^SMALL but not zero, which is found out of line. */
static void look_for_small(struct cg *g, struct group *x, uint32_t room, unsigned reg) {
  struct temps temps = {.free = room};
  const unsigned t = temp(g, &temps, 1u << reg);
  g->p = cg_mask(g->p, t, reg);
  reads_constant(g, g->p, NO_SIGN, NO_SIGN);
  g->p = cg_nan_or_less(g->p, t);
  reads_constant(g, g->p, POWER(SMALL), 0);
  put_back(g, &temps);
  if (temps.saved) {
    branch_out(g, x, CG_NAN_OR_LESS_GIVES);
    return;
  }
  g->p = cg_branch(g->p, CG_NAN_OR_LESS_GIVES);
  struct late *l = new_late(g, LATE_ZERO, 0);
  l->retry = g->p;
  l->reg[0] = (uint8_t)t;
  l->op = (uint64_t)(x - g->group);
}

void write_zero(struct cg *g, const struct late *l) {
  const struct group *x = &g->group[l->op];
  g->p = cg_nan_or_same(g->p, l->reg[0]);
  reads_constant(g, g->p, 0, 0);
  g->p = branch_to(g->p, CG_UNORDERED_64_GIVES, x->stub);
  g->p = branch_to(g->p, CG_NAN_OR_SAME_GIVES, l->retry);
  g->p = jump_to(g->p, x->stub);
}

/* Those that are not needed any more are free now. */
static void let_go(struct cg *g, uint32_t regs) {
  for (uint32_t m = regs; m; m &= m - 1) {
    const unsigned reg = (unsigned)__builtin_ctz(m);
    if (g->in_reg[reg] && g->v[g->in_reg[reg]].last < g->at) release(g, reg);
  }
}

void settle_group(struct cg *g) {
  const uint32_t regs = g->unsure_regs, room = VECTORS & ~g->full & ~g->pinned & ~regs;
  uint8_t exact[MOST_EXACT], nan[MOST + 1];
  unsigned nexact = 0, nnan = 0;
  if (!regs) return;
  struct group *x = &g->group[g->ngroups];
  struct late *l = new_late(g, LATE_GROUP, 0);
  *x = (struct group){
      .first = (uint16_t)g->group_first, .n = (uint16_t)(g->nunsure - g->group_first), .tells = g->nchecked};
  for (unsigned k = g->group_first; k < g->nunsure; k++)
    if (g->unsure[k].exact) exact[nexact++] = g->unsure[k].dest;
  for (unsigned k = g->group_first; k < g->nunsure; k++) {
    const struct unsure *u = &g->unsure[k];
    if (!u->handed_on && !u->ranged && !(nexact == 1 && u->exact)) nan[nnan++] = u->dest;
  }
  if (g->nchecked && !g->told) {
    g->p = cg_store_k8(g->p, CG_STACK, CG_FRAME_FAILED, 0);
    g->told = true;
  }
  if (g->relies) {
    g->p = cg_is_8(g->p, CG_STACK, CG_FRAME_FAILED, 0);
    branch_out(g, x, CG_IS_8_GIVES ^ 1);
  }
  for (unsigned k = 0; k < g->nchecked; k++) look_for_small(g, x, room, (unsigned)g->v[g->checked[k]].reg);
  if (nexact) look_for_tiny(g, x, room, exact, nexact);
  look_for_nans(g, x, nan, nnan);
  l->retry = g->p;
  l->from = NULL;
  l->op = g->ngroups++;
  g->group_first = g->nunsure;
  g->unsure_regs = g->nchecked = 0;
  g->relies = false;
  let_go(g, regs);
}

/* The whole group is looked at; facts that it was to establish do not hold. */
void write_group(struct cg *g, const struct late *l) {
  struct group *x = &g->group[l->op], out = {0};
  uint8_t tiny[MOST_EXACT], nan[MOST + 1];
  unsigned ntiny = 0, nnan = 0;
  x->stub = g->p;
  for (unsigned k = 0; k < x->nfrom; k++) cg_patch(x->from[k], g->p);
  if (x->tells) g->p = cg_store_k8(g->p, CG_STACK, CG_FRAME_FAILED, 1);
  for (unsigned k = x->first; k < (unsigned)x->first + x->n; k++) {
    const struct unsure *u = &g->unsure[k];
    if (!u->handed_on) nan[nnan++] = u->dest;
    if (u->tiny) tiny[ntiny++] = u->dest;
    if (ntiny == MOST_EXACT || (ntiny && k + 1 == (unsigned)x->first + x->n)) {
      look_for_tiny(g, &out, 0, tiny, ntiny);
      ntiny = 0;
    }
  }
  look_for_nans(g, &out, nan, nnan);
  g->p = jump_to(g->p, l->retry);
  for (unsigned k = 0; k < out.nfrom; k++) cg_patch(out.from[k], g->p);
  for (unsigned k = x->first; k < (unsigned)x->first + x->n; k++) {
    const struct unsure *u = &g->unsure[k];
    write_soft(g, u->op, u->nargs, u->reg, u->dest, 8);
  }
  g->p = jump_to(g->p, l->retry);
}

/* ---- who looks ---- */

static bool is_unsure(const struct cg *g, uint32_t v) {
  if (g->v[v].reg < 0) return false;
  for (unsigned k = g->group_first; k < g->nunsure; k++)
    if (g->unsure[k].dest == g->v[v].reg) return true;
  return false;
}

/* Any NaN and any tininess are the same to comparisons and conversions to integers. */
static bool takes_unsure(const struct ir_ins *i) {
  return i->op == IR_FTOI || (i->op >= IR_FEQ && i->op <= IR_FUN);
}

static bool shows(const struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const ref args[3] = {i->a, i->b, i->c};
  for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++)
    if (g->v[args[n]].folded ? shows(g, args[n]) : !takes_unsure(i) && is_unsure(g, value_of(g, args[n])))
      return true;
  return false;
}

void settle_before(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  bool tiny;
  if (!g->unsure_regs) return;
  const bool flags = i->op == IR_PUT || (i->op == IR_GET && (int)i->aux == g->b->guest->sticky);
  if (flags || ir_has_exit((enum ir_op)i->op) || (shows(g, r) && !group_rule(g, r, &tiny))) settle_group(g);
}
