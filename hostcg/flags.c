/* Truth values that only slots need, condition flags most of all: comparisons whose code runs on the way out of the block,
 * straight into memory, and not on the main path. */
#include <string.h>

#include "hostcg/cg_int.h"

/* d, the left operand of "less than zero", when it is a difference: its operands, *b or the number *k. */
static bool difference(const struct cg *g, ref d, ref *a, ref *b, int64_t *k) {
  const struct ir_ins *i = ins_of(g, d);
  int64_t n;
  if (i->op == IR_ADD) {
    if (!number_of(g, i->b, &n) || n >= 0 || n == INT32_MIN || n != (int32_t)n) return false;
    *k = -n;
  } else if (i->op != IR_SUB) {
    return false;
  }
  *a = i->a;
  *b = i->op == IR_SUB ? i->b : 0;
  return true;
}

bool may_compare_late(const struct cg *g, ref r, ref need[2], ref *sum) {
  const struct ir_ins *i = ins_of(g, r);
  int64_t k;
  *sum = 0;
  if (i->op < IR_EQ || i->op > IR_SUBO || !gives_condition(g, r)) return false;
  need[0] = i->a;
  need[1] = i->b;
  if (i->op == IR_LTS && number_of(g, i->b, &k) && !k && difference(g, i->a, &need[0], &need[1], &k))
    *sum = i->a;
  return true;
}

struct way {
  struct cg *g;
  const struct cg_exit *x;
  uint32_t busy;          /* registers with something that the exit needs */
  uint32_t mine;          /* registers of the condition being computed */
  uint32_t has[CG_NREGS]; /* value in a register that is not busy */
  unsigned nsaved;
  uint8_t saved[4];
  const uint8_t *last; /* code of the comparison whose outcome is in the flags, NULL: of none */
};

static const struct cg_place *part_of(const struct way *w, uint32_t v) {
  const struct cg_exit *x = w->x;
  for (uint32_t n = x->first; n < x->first + x->n; n++)
    if (w->g->place[n].slot == CG_PART && w->g->part[n] == v) return &w->g->place[n];
  return NULL;
}

static void look(struct way *w) {
  const struct cg *g = w->g;
  uint32_t named = 0;
  for (uint32_t n = w->x->first; n < w->x->first + w->x->n; n++) {
    const struct cg_place *p = &g->place[n];
    const int i = held_index(g, p->slot);
    if (p->where == CG_IN_REG) w->busy |= 1u << p->at;
    if (i >= 0) named |= 1u << i;
  }
  for (unsigned i = 0; i < g->nheld; i++)
    if (!(named >> i & 1)) w->busy |= 1u << g->held_reg[i];
}

/* A register for the condition being computed; what it holds and the exit needs is put back afterwards. */
static unsigned grab(struct way *w) {
  uint32_t m = GENERAL & ~w->busy & ~w->mine, fresh = m;
  unsigned r;
  for (uint32_t k = m; k; k &= k - 1)
    if (w->has[__builtin_ctz(k)]) fresh &= ~(k & -k);
  if (m) {
    r = (unsigned)__builtin_ctz(fresh ? fresh : m);
  } else {
    r = (unsigned)__builtin_ctz(GENERAL & ~w->mine);
    w->g->p = cg_store_64(w->g->p, CG_STACK, CG_FRAME_SOFT + 8 * (int)w->nsaved, r);
    w->saved[w->nsaved++] = (uint8_t)r;
  }
  w->has[r] = 0;
  w->last = NULL;
  w->mine |= 1u << r;
  return r;
}

static void put_back(struct way *w) {
  while (w->nsaved) {
    const unsigned r = w->saved[--w->nsaved];
    w->g->p = cg_load_64(w->g->p, r, CG_STACK, CG_FRAME_SOFT + 8 * (int)w->nsaved);
    w->has[r] = 0;
    w->last = NULL;
  }
  w->mine = 0;
}

/* The general register that already has the value, -1: none. */
static int already(const struct way *w, uint32_t v) {
  const struct cg_place *p = part_of(w, v);
  if (p && p->where == CG_IN_REG && !is_vector(p->at)) return p->at;
  for (uint32_t m = GENERAL & ~w->busy; m; m &= m - 1)
    if (w->has[__builtin_ctz(m)] == v) return __builtin_ctz(m);
  return -1;
}

static unsigned operand(struct way *w, uint32_t v) {
  const struct cg_place *p = part_of(w, v);
  int r = already(w, v);
  if (r < 0) {
    r = (int)grab(w);
    if (p && p->where == CG_IN_REG) move_reg(w->g, (unsigned)r, p->at, p->bytes);
    else if (p) fetch(w->g, p, (unsigned)r);
    else w->g->error = 1; /* never located: a mistake of ours */
    if (!w->nsaved) w->has[r] = v;
  }
  w->mine |= 1u << r;
  return (unsigned)r;
}

/* Code that the flags already are the outcome of is taken back. */
static bool known(struct way *w, const uint8_t *start) {
  const size_t n = (size_t)(w->g->p - start);
  if (!w->last || memcmp(start, w->last, n) != 0) return false;
  w->g->p -= n;
  return true;
}

static void compared(struct way *w, const uint8_t *start) {
  if (!known(w, start)) w->last = start;
}

static unsigned by_rule(struct way *w, ref r) {
  struct cg *g = w->g;
  const struct ir_ins *i = ins_of(g, r);
  const ref args[3] = {i->a, i->b, 0};
  const struct cg_rule *rule = rule_of_condition(g, r);
  struct cg_operands o = {0};
  bool reg[2];
  for (unsigned n = 0; n < 2; n++) {
    const int at = already(w, value_of(g, args[n]));
    reg[n] = rule->arg[n].kind == CG_REG;
    if (reg[n] && at >= 0) w->mine |= 1u << at;
    else if (!reg[n]) number_of(g, args[n], &o.k[n]);
  }
  for (unsigned n = 0; n < 2; n++)
    if (reg[n]) o.r[n] = operand(w, value_of(g, args[n]));
  for (unsigned n = 0; n < rule->ntemps; n++) o.t[n] = grab(w);
  uint8_t *start = g->p;
  if (reg[0] && reg[1] && (i->op == IR_EQ || i->op == IR_NE)) { /* either way round */
    struct cg_operands turned = {.r = {o.r[1], o.r[0]}};
    g->p = rule->emit(g->p, &turned);
    if (known(w, start)) return rule->gives;
    g->p = start;
  }
  g->p = rule->emit(g->p, &o);
  compared(w, start);
  if (rule->ntemps) w->last = NULL;
  return rule->gives;
}

static unsigned by_difference(struct way *w, ref d) {
  struct cg *g = w->g;
  const bool is64 = wide(ins_of(g, d));
  ref a, b;
  int64_t k = 0;
  difference(g, d, &a, &b, &k);
  const bool number = !b || (number_of(g, b, &k) && k == (int32_t)k);
  int at = already(w, value_of(g, a));
  if (at >= 0) w->mine |= 1u << at;
  at = number ? -1 : already(w, value_of(g, b));
  if (at >= 0) w->mine |= 1u << at;
  const unsigned x = operand(w, value_of(g, a)), y = number ? 0 : operand(w, value_of(g, b));
  uint8_t *start = g->p;
  if (number) g->p = is64 ? cg_sign_imm_64(g->p, x, k) : cg_sign_imm_32(g->p, x, k);
  else g->p = is64 ? cg_sign_64(g->p, x, y) : cg_sign_32(g->p, x, y);
  compared(w, start);
  return CG_SIGN_64_GIVES;
}

void write_conditions(struct cg *g, const struct cg_exit *x, const uint8_t *flags) {
  struct way w = {.g = g, .x = x, .last = flags};
  bool any = false;
  for (unsigned n = 0; n < x->n; n++) {
    const struct cg_place *p = &g->place[x->first + n];
    if (p->where != CG_IN_PART) continue;
    if (!any) look(&w);
    any = true;
    const ref r = g->part[x->first + (uint32_t)p->number], d = ins_of(g, r)->a;
    const unsigned cc =
        ins_of(g, r)->op == IR_LTS && g->late_value[d] ? by_difference(&w, d) : by_rule(&w, r);
    g->p = cg_set_8(g->p, CG_VCPU, p->offset, cc);
    put_back(&w);
  }
}
