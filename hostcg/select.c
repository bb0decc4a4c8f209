/* Chooses the lowering rule of an operation and gives it registers: operands in place, ties, fixed registers, temporaries. */
#include <errno.h>

#include "hostcg/cg_int.h"

static bool fits(const struct cg *g, const struct cg_want *w, ref r) {
  int64_t k;
  if (w->kind == CG_REG || w->kind == CG_CC) return true;
  if (!number_of(g, r, &k)) return false;
  switch (w->kind) {
  case CG_I: return k == (int32_t)k;
  case CG_U: return k >= 0 && k <= UINT32_MAX;
  case CG_IS: return k == w->value;
  default: return true;
  }
}

/* Whether overwriting the operand costs no copy. */
static bool may_overwrite(const struct cg *g, ref r) {
  int64_t k;
  return number_of(g, r, &k) || dies(g, value_of(g, r));
}

static bool is_compare(unsigned op) { return op >= IR_EQ && op <= IR_SUBO; }

/* Comparisons are by the width of what they compare. */
static bool is_wide(const struct cg *g, const struct ir_ins *i) {
  return is_compare(i->op) ? wide(ins_of(g, i->a)) : wide(i);
}

static const struct cg_rule *choose(const struct cg *g, const struct ir_ins *i, const ref *args) {
  const struct cg_rules_of *of = &cg_rules_of[i->op][is_wide(g, i)];
  const struct cg_rule *end = &cg_rules[of->first + of->n];
  for (int copies = 0; copies < 2; copies++)
    for (const struct cg_rule *r = &cg_rules[of->first]; r < end; r++) {
      if (r->needs & ~g->c.features || (r->aux && r->aux != i->aux)) continue;
      if (!copies && r->tie >= 0 && !may_overwrite(g, args[r->tie])) continue;
      bool all = true;
      for (unsigned n = 0; n < r->nargs && all; n++) all = fits(g, &r->arg[n], args[n]);
      if (all) return r;
    }
  return NULL;
}

/* Numbers and registers of the operands; `used`: the registers. Fixed ones are copies and belong to no value. */
static void place_operands(struct cg *g, const struct cg_rule *r, const ref *args, struct cg_operands *o,
                           uint32_t *used) {
  uint32_t taken = r->clobbers;
  if (r->dest >= 0) taken |= 1u << r->dest;
  for (unsigned n = 0; n < r->nargs; n++)
    if (r->arg[n].fixed >= 0) taken |= 1u << r->arg[n].fixed;
  for (uint32_t m = taken; m; m &= m - 1) vacate(g, (unsigned)__builtin_ctz(m), taken);
  for (unsigned n = 0; n < r->nargs; n++) {
    const struct cg_want *w = &r->arg[n];
    if (w->kind == CG_CC) continue;
    if (w->kind != CG_REG) {
      number_of(g, args[n], &o->k[n]);
    } else if (w->fixed >= 0) {
      copy_to(g, args[n], (unsigned)w->fixed);
      o->r[n] = (unsigned)w->fixed;
    } else if (n != (unsigned)r->tie) {
      o->r[n] = need(g, args[n], ~taken);
      *used |= 1u << o->r[n];
    }
  }
  g->pinned |= taken;
}

static bool again(const struct cg *g, const struct cg_rule *r, const ref *args) {
  for (unsigned n = 0; n < r->nargs; n++)
    if (n != (unsigned)r->tie && r->arg[n].kind == CG_REG &&
        value_of(g, args[n]) == value_of(g, args[r->tie]))
      return true;
  return false;
}

/* The destination of a rule. */
static unsigned place_result(struct cg *g, ref ref_, const struct cg_rule *r, const ref *args,
                             uint32_t used) {
  int hint = g->v[ref_].hint;
  if (r->dest >= 0) return (unsigned)r->dest;
  if (r->tie >= 0) {
    uint32_t v = value_of(g, args[r->tie]);
    int64_t k;
    bool shared = again(g, r, args);
    if (g->v[v].reg >= 0 && dies(g, v) && !number_of(g, args[r->tie], &k) && !(r->early && shared)) {
      unsigned d = (unsigned)g->v[v].reg;
      g->in_reg[d] = 0;
      g->v[v].reg = -1;
      g->pinned |= 1u << d;
      return d;
    }
    unsigned d = take(g, ~used, hint);
    load_value(g, args[r->tie], d);
    return d;
  }
  if (!r->early) /* operands that die here make room */
    for (unsigned n = 0; n < r->nargs; n++) {
      if (r->arg[n].kind != CG_REG || r->arg[n].fixed >= 0) continue;
      uint32_t v = value_of(g, args[n]);
      if (g->v[v].reg < 0 || !dies(g, v)) continue;
      g->in_reg[g->v[v].reg] = 0;
      g->pinned &= ~(1u << g->v[v].reg);
      g->v[v].reg = -1;
    }
  return take(g, UINT32_MAX, hint);
}

/* Everything that a condition reads is in registers then, and nothing has to be loaded between it and its user. */
struct prepared {
  const struct cg_rule *rule; /* NULL: `reg` is not 0 */
  struct cg_operands o;
  unsigned reg;
};

static struct prepared prepare(struct cg *g, ref cond) {
  const struct ir_ins *i = ins_of(g, cond);
  const ref args[3] = {i->a, i->b, i->c};
  struct prepared p = {0};
  uint32_t used = 0;
  if (!g->v[cond].folded) {
    p.reg = need(g, cond, UINT32_MAX);
    return p;
  }
  p.rule = choose(g, i, args);
  if (!p.rule) {
    g->error = -ENOTSUP;
    return p;
  }
  place_operands(g, p.rule, args, &p.o, &used);
  if (p.rule->temp) p.o.t = take(g, UINT32_MAX, -1);
  return p;
}

static unsigned set_flags(struct cg *g, const struct prepared *p) {
  if (!p->rule) {
    g->p = cg_nonzero(g->p, p->reg);
    return CG_NONZERO_GIVES;
  }
  g->p = p->rule->emit(g->p, &p->o);
  return p->rule->gives;
}

unsigned condition(struct cg *g, ref cond) {
  struct prepared p = prepare(g, cond);
  return set_flags(g, &p);
}

bool lower_rule(struct cg *g, ref ref_) {
  const struct ir_ins *i = ins_of(g, ref_);
  const ref args[3] = {i->a, i->b, i->c};
  struct cg_operands o = {0};
  uint32_t used = 0;
  if (i->type > IT_I64 || (is_compare(i->op) && ins_of(g, i->a)->type > IT_I64)) return false;
  const struct cg_rule *r = choose(g, i, args);
  if (!r) return false;
  if (r->arg[0].kind == CG_CC) { /* the flags live from the condition to the instruction */
    struct prepared p = prepare(g, args[0]);
    place_operands(g, r, args, &o, &used);
    o.d = place_result(g, ref_, r, args, used);
    o.cc = set_flags(g, &p);
  } else {
    place_operands(g, r, args, &o, &used);
    if (r->has_dest) o.d = place_result(g, ref_, r, args, used);
    if (r->temp) {
      for (unsigned n = 0; n < r->nargs; n++) /* operands that made room for the destination are still read */
        if (r->arg[n].kind == CG_REG && n != (unsigned)r->tie) g->pinned |= 1u << o.r[n];
      o.t = take(g, ~used, -1);
    }
  }
  g->p = r->emit(g->p, &o);
  if (!r->has_dest) {
    g->pinned = 0;
    o.d = take(g, UINT32_MAX, g->v[ref_].hint);
    g->p = cg_truth(g->p, o.d, r->gives);
  }
  result(g, ref_, o.d);
  return true;
}
