/* Chooses the lowering rule of an operation and gives it registers: operands in place, ties, fixed registers, temporaries.
 * What a rule does not do, and FP operations without a rule, go by software. */
#include <errno.h>

#include "fp/fp.h"
#include "hostcg/cg_int.h"

static bool fits(const struct cg *g, const struct cg_want *w, ref r) {
  int64_t k;
  if (w->kind == CG_REG || w->kind == CG_VEC || w->kind == CG_CC || w->kind == CG_N) return true;
  if (!number_of(g, r, &k)) return false;
  switch (w->kind) {
  case CG_I: return k == (int32_t)k;
  case CG_U: return k >= 0 && k <= UINT32_MAX;
  case CG_BYTE: return k >= 0 && k <= UINT8_MAX;
  case CG_IS: return k == w->value;
  default: return true;
  }
}

/* Whether overwriting the operand costs no copy. */
static bool may_overwrite(const struct cg *g, ref r) {
  int64_t k;
  return number_of(g, r, &k) || dies(g, value_of(g, r));
}

static const struct ir_fp *how_of(const struct cg *g, const struct ir_ins *i) {
  return is_fp(i->op) ? &g->b->fp[i->aux] : NULL;
}

/* By what rules are sorted; -1: there can be none. */
static int type_of(const struct cg *g, const struct ir_ins *i) {
  static const int8_t types[] = {[IT_NONE] = -1,    [IT_I32] = CG_I32, [IT_I64] = CG_I64,   [IT_I128] = -1,
                                 [IT_F32] = CG_F32, [IT_F64] = CG_F64, [IT_V128] = CG_V128, [IT_V256] = -1};
  const bool by_operand =
      is_compare(i->op) || i->op == IR_FTOI || i->op == IR_FCLASS || i->op == IR_VLANE || i->op == IR_VANY;
  const struct ir_fp *how = how_of(g, i);
  if (how && how->lane) return how->lane == 32 ? CG_P32 : CG_P64;
  return types[by_operand ? ins_of(g, i->a)->type : i->type];
}

static bool allows(const struct cg_rule *r, enum cg_how field, unsigned value) {
  return !r->how[field] || r->how[field] >> value & 1;
}

/* Rules compute without flushing. */
static bool does(const struct cg_rule *r, const struct ir_fp *f) {
  if (f->ftz != FP_FTZ_KEEP || (f->daz != FP_DAZ_KEEP && f->daz != FP_DAZ_KEEP_ID)) return false;
  return allows(r, CG_DAZ, f->daz) && allows(r, CG_RM, f->rm) && allows(r, CG_NAN_RULE, f->nan) &&
         allows(r, CG_TINY, f->tiny) && allows(r, CG_MINMAX, f->minmax) && allows(r, CG_BAD, f->bad) &&
         allows(r, CG_BITS, f->bits == 64) && allows(r, CG_SIGN, f->sign) &&
         allows(r, CG_QUIET, f->quiet != IR_NOT_QUIET) && allows(r, CG_EXACT, f->exact);
}

/* Of integers, a rule for vector registers: the operands are in such, and the result is wanted there. */
static bool in_vectors(const struct cg *g, const struct cg_rule *r, const struct ir_ins *i, const ref *args) {
  int64_t k;
  bool any = false;
  if (r->kind != CG_VEC) return true;
  if (!g->v[i - g->b->ins].vector) return false;
  for (unsigned n = 0; n < r->nargs; n++) {
    const struct value *x = &g->v[value_of(g, args[n])];
    if (r->arg[n].kind != CG_VEC) continue;
    if (x->reg >= 0 && is_vector((unsigned)x->reg)) any = true;
    else if (!number_of(g, args[n], &k)) return false;
  }
  return any;
}

static const struct cg_rule *choose_as(const struct cg *g, const struct ir_ins *i, const ref *args,
                                       const struct ir_fp *f) {
  const int type = type_of(g, i);
  if (type < 0) return NULL;
  const struct cg_rules_of *of = &cg_rules_of[i->op][type];
  const struct cg_rule *end = &cg_rules[of->first + of->n];
  for (int copies = 0; copies < 2; copies++)
    for (const struct cg_rule *r = &cg_rules[of->first]; r < end; r++) {
      if (r->needs & ~g->c.features || (r->aux && r->aux != i->aux)) continue;
      if (f && !does(r, f)) continue;
      if (type <= CG_I64 && !in_vectors(g, r, i, args)) continue;
      if (!copies && r->tie >= 0 && !may_overwrite(g, args[r->tie])) continue;
      bool all = true;
      for (unsigned n = 0; n < r->nargs && all; n++) all = fits(g, &r->arg[n], args[n]);
      if (all) return r;
    }
  return NULL;
}

static const struct cg_rule *choose(const struct cg *g, const struct ir_ins *i, const ref *args) {
  return choose_as(g, i, args, how_of(g, i));
}

const struct cg_rule *rule_as(const struct cg *g, ref r, const struct ir_fp *how) {
  const struct ir_ins *i = ins_of(g, r);
  const ref args[3] = {i->a, i->b, i->c};
  return choose_as(g, i, args, how);
}

const struct cg_rule *rule_of_condition(const struct cg *g, ref cond) {
  const struct ir_ins *i = ins_of(g, cond);
  const ref args[3] = {i->a, i->b, i->c};
  return choose(g, i, args);
}

bool gives_condition(const struct cg *g, ref cond) {
  if (!is_compare(ins_of(g, cond)->op)) return false;
  const struct cg_rule *r = rule_of_condition(g, cond);
  return r && r->kind == CG_CC;
}

bool wants_vector(const struct cg *g, const struct ir_ins *i, unsigned n, bool result) {
  const int type = type_of(g, i);
  if (type < 0) return false;
  const struct cg_rules_of *of = &cg_rules_of[i->op][type];
  const struct cg_rule *r = &cg_rules[of->first];
  while (r + 1 < &cg_rules[of->first + of->n] && r->aux && r->aux != i->aux) r++;
  if (type > CG_I64) return of->n ? r->arg[n].kind == CG_VEC : i->op != IR_ITOF;
  for (; result && r < &cg_rules[of->first + of->n]; r++)
    if (r->kind == CG_VEC && r->arg[n].kind == CG_VEC) return true;
  return false;
}

static uint32_t kind_mask(unsigned kind) { return kind == CG_VEC ? VECTORS : GENERAL; }
static bool in_register(const struct cg_want *w) { return w->kind == CG_REG || w->kind == CG_VEC; }

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
    if (w->kind == CG_N) {
      o->k[n] = (int64_t)args[n];
    } else if (w->kind != CG_REG && w->kind != CG_VEC) {
      number_of(g, args[n], &o->k[n]);
    } else if (w->fixed >= 0) {
      copy_to(g, args[n], (unsigned)w->fixed);
      o->r[n] = (unsigned)w->fixed;
    } else if (n != (unsigned)r->tie) {
      o->r[n] = need_any(g, args[n], kind_mask(w->kind) & ~taken);
      *used |= 1u << o->r[n];
    }
  }
  g->pinned |= taken;
}

static bool again(const struct cg *g, const struct cg_rule *r, const ref *args) {
  for (unsigned n = 0; n < r->nargs; n++)
    if (n != (unsigned)r->tie && in_register(&r->arg[n]) && value_of(g, args[n]) == value_of(g, args[r->tie]))
      return true;
  return false;
}

/* The destination of a rule. */
static unsigned place_result(struct cg *g, ref ref_, const struct cg_rule *r, const ref *args,
                             uint32_t used) {
  const uint32_t kind = kind_mask(r->kind);
  int hint = g->v[ref_].hint;
  if (r->dest >= 0) return (unsigned)r->dest;
  if (r->tie >= 0) {
    uint32_t v = value_of(g, args[r->tie]);
    int64_t k;
    bool shared = again(g, r, args);
    if (g->v[v].reg >= 0 && kind >> g->v[v].reg & 1 && dies(g, v) && !number_of(g, args[r->tie], &k) &&
        !(r->early && shared)) {
      unsigned d = (unsigned)g->v[v].reg;
      release(g, d);
      g->pinned |= 1u << d;
      return d;
    }
    unsigned d = take_any(g, kind & ~used, hint);
    load_value(g, args[r->tie], d);
    return d;
  }
  if (!r->early) /* operands that die here make room */
    for (unsigned n = 0; n < r->nargs; n++) {
      if (!in_register(&r->arg[n]) || r->arg[n].fixed >= 0) continue;
      uint32_t v = value_of(g, args[n]);
      if (g->v[v].reg < 0 || !dies(g, v)) continue;
      g->pinned &= ~(1u << g->v[v].reg);
      release(g, (unsigned)g->v[v].reg);
    }
  return take_any(g, kind, hint);
}

/* ---- out of line ---- */

void write_soft(struct cg *g, uint32_t op, unsigned nargs, const uint8_t reg[3], unsigned dest,
                unsigned bytes) {
  g->p = cg_store_k64(g->p, CG_STACK, CG_FRAME_SOFT, op);
  for (unsigned n = 0; n < nargs; n++) {
    const int32_t at = CG_FRAME_SOFT + 8 + 8 * (int)n;
    g->p = is_vector(reg[n]) ? cg_vstore_64(g->p, CG_STACK, at, reg[n])
                             : cg_store_64(g->p, CG_STACK, at, reg[n]);
  }
  g->p = call_to(g->p, g->c.common->soft);
  load_reg(g, dest, CG_STACK, CG_FRAME_SOFT, bytes);
}

static uint32_t soft_op(const struct cg *g, const struct ir_ins *i) {
  const struct ir_fp *how = how_of(g, i);
  unsigned type = i->op == IR_ITOF ? i->type : ins_of(g, i->a)->type;
  return cg_soft_op(i->op, how && how->lane ? how->lane == 64 : type == IT_F64, how);
}

/* The result of any kind: the whole operation by software. */
static bool lower_soft(struct cg *g, ref ref_) {
  const struct ir_ins *i = ins_of(g, ref_);
  const ref args[3] = {i->a, i->b, i->c};
  const unsigned n = ir_op_info[i->op].nargs;
  uint8_t reg[3] = {0};
  for (unsigned k = 0; k < n; k++) reg[k] = (uint8_t)need_any(g, args[k], GENERAL | VECTORS);
  unsigned d = take_wanted(g, ref_);
  if (g->v[ref_].bytes == 16) write_packed(g, soft_op(g, i), n, reg, d);
  else write_soft(g, soft_op(g, i), n, reg, d, g->v[ref_].bytes);
  result(g, ref_, d);
  return true;
}

/* Writes a rule's code, and notes what lies out of line. */
static void emit(struct cg *g, const struct cg_rule *r, struct cg_operands *o, const struct ir_ins *i) {
  static const uint8_t kinds[] = {[CG_SOFT] = LATE_SOFT, [CG_NAN] = LATE_NAN, [CG_FALSE] = LATE_FALSE};
  const struct ir_fp *how = how_of(g, i);
  const bool silent = how && how->quiet == IR_SILENT && is_compare(i->op);
  o->nfar = o->npool = 0;
  if (silent) g->p = cg_store_status(g->p, CG_FRAME_STATUS);
  g->p = r->emit(g->p, o);
  for (unsigned k = 0; k < o->npool; k++) reads_constant(g, o->pool[k].end, o->pool[k].low, o->pool[k].high);
  if (silent && !o->nfar) { /* of a NaN the status becomes what it was; the condition stays */
    g->p = cg_branch(g->p, CG_UNORDERED_64_GIVES);
    new_late(g, LATE_STATUS, 0)->retry = g->p;
  }
  for (unsigned k = 0; k < o->nfar; k++) {
    struct late *l = new_late(g, kinds[r->far], 0);
    l->from = o->far[k];
    l->retry = g->p;
    l->size = g->v[i - g->b->ins].bytes;
    l->dest = (uint8_t)o->d;
    l->silent = silent;
    if (r->far == CG_SOFT) l->op = soft_op(g, i);
    l->nargs = r->nargs;
    for (unsigned n = 0; n < r->nargs; n++) l->reg[n] = (uint8_t)((int)n == r->tie ? o->d : o->r[n]);
  }
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
  for (unsigned n = 0; n < p.rule->ntemps; n++) p.o.t[n] = take_any(g, kind_mask(p.rule->temp[n]), -1);
  return p;
}

static unsigned set_flags(struct cg *g, struct prepared *p, ref cond) {
  if (!p->rule) {
    g->flags = NULL;
    g->p = cg_nonzero(g->p, p->reg);
    return CG_NONZERO_GIVES;
  }
  g->flags = p->rule->ntemps ? NULL : g->p;
  emit(g, p->rule, &p->o, ins_of(g, cond));
  return p->rule->gives;
}

unsigned condition(struct cg *g, ref cond) {
  struct prepared p = prepare(g, cond);
  return set_flags(g, &p, cond);
}

/* An operation that is looked at later, with others. */
static void lower_unsure(struct cg *g, ref ref_, const struct cg_rule *rule, bool tiny) {
  const struct ir_ins *i = ins_of(g, ref_);
  const ref args[3] = {i->a, i->b, i->c};
  struct cg_operands o = {0};
  struct unsure u = {.op = soft_op(g, i), .nargs = rule->nargs, .tiny = tiny};
  struct cg_rule r = *rule;
  uint32_t used = 0;
  r.early = true; /* the operands are needed afterwards */
  group_room(g, tiny);
  place_operands(g, &r, args, &o, &used);
  o.d = place_result(g, ref_, &r, args, used);
  emit(g, &r, &o, i);
  result(g, ref_, o.d);
  for (unsigned n = 0; n < r.nargs; n++) u.reg[n] = (uint8_t)o.r[n];
  u.dest = (uint8_t)o.d;
  group_add(g, ref_, &u);
}

bool lower_rule(struct cg *g, ref ref_) {
  const struct ir_ins *i = ins_of(g, ref_);
  const ref args[3] = {i->a, i->b, i->c};
  struct cg_operands o = {0};
  uint32_t used = 0;
  bool raw = false, tiny = false;
  const struct cg_rule *r = group_rule(g, ref_, &tiny);
  if (r) {
    lower_unsure(g, ref_, r, tiny);
    return true;
  }
  r = choose(g, i, args);
  if (r && r->far == CG_NAN && may_stay_raw(g, i)) {
    struct ir_fp as = *how_of(g, i);
    as.nan = FP_NAN_FIRST_OPERAND;
    const struct cg_rule *plain = choose_as(g, i, args, &as);
    raw = plain && plain->far == CG_NEAR;
    if (raw) r = plain;
  }
  if (!r) return is_fp(i->op) || i->op == IR_FCLASS ? lower_soft(g, ref_) : false;
  if (r->arg[0].kind == CG_CC) { /* the flags live from the condition to the instruction */
    struct prepared p = prepare(g, args[0]);
    place_operands(g, r, args, &o, &used);
    o.d = place_result(g, ref_, r, args, used);
    o.cc = set_flags(g, &p, args[0]);
  } else {
    place_operands(g, r, args, &o, &used);
    if (r->kind != CG_CC) o.d = place_result(g, ref_, r, args, used);
    for (unsigned n = 0; n < r->nargs; n++) /* operands that made room for the destination are still read */
      if (in_register(&r->arg[n]) && n != (unsigned)r->tie) g->pinned |= 1u << o.r[n];
    for (unsigned n = 0; n < r->ntemps; n++) o.t[n] = take_any(g, kind_mask(r->temp[n]) & ~used, -1);
  }
  emit(g, r, &o, i);
  g->v[ref_].raw = raw;
  if (r->kind == CG_CC) {
    g->pinned = 0;
    o.d = take(g, UINT32_MAX, g->v[ref_].hint);
    g->p = cg_truth(g->p, o.d, r->gives);
  }
  result(g, ref_, o.d);
  return true;
}
