/* Values of 128 bits where no rule does it: pairs of halves, I128 or V128 alike, live in vector registers. */
#include "hostcg/cg_int.h"

/* Two halves become one value: through its place in memory. */
static bool lower_pair(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const int32_t to = CG_FRAME_PAIR;
  store_reg(g, need_any(g, i->a, GENERAL | VECTORS), CG_STACK, to, 8);
  store_reg(g, need_any(g, i->b, GENERAL | VECTORS), CG_STACK, to + 8, 8);
  const unsigned d = take_any(g, VECTORS, g->v[r].hint);
  load_reg(g, d, CG_STACK, to, 16);
  result(g, r, d);
  return true;
}

static bool lower_half(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned a = need_any(g, i->a, VECTORS);
  if (i->op == IR_LOW) {
    const unsigned d = take_wanted(g, r);
    move_reg(g, d, a, 8);
    if (is_vector(d)) g->p = cg_vlow(g->p, d);
    result(g, r, d);
    return true;
  }
  store_reg(g, a, CG_STACK, CG_FRAME_PAIR, 16);
  const unsigned d = take_wanted(g, r);
  load_reg(g, d, CG_STACK, CG_FRAME_PAIR + 8, 8);
  result(g, r, d);
  return true;
}

bool lower_vector(struct cg *g, ref r) {
  switch (ins_of(g, r)->op) {
  case IR_PAIR: return lower_pair(g, r);
  case IR_LOW:
  case IR_HIGH: return lower_half(g, r);
  default: return false;
  }
}
