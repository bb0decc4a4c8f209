/* Values of 128 bits where no rule does it: pairs of halves, I128 or V128 alike, live in vector registers; permutations;
 * parts that stay in vector registers. */
#include <string.h>

#include "hostcg/cg_int.h"

static bool is_zero(const struct cg *g, ref r) {
  int64_t k;
  return number_of(g, r, &k) && !k;
}

/* The low bytes of a vector, zeros above, into another vector register. */
static void low_part(struct cg *g, unsigned d, unsigned a, unsigned bytes) {
  if (bytes == 8) {
    g->p = cg_vlow_of(g->p, d, a);
    return;
  }
  move_reg(g, d, a, 16);
}

/* Two halves become one value: through memory, unless there is nothing above. */
static bool lower_pair(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  if (is_zero(g, i->b)) {
    const unsigned a = need_any(g, i->a, GENERAL | VECTORS), d = take_any(g, VECTORS, g->v[r].hint);
    if (is_vector(a)) low_part(g, d, a, 8);
    else move_reg(g, d, a, 8);
    result(g, r, d);
    return true;
  }
  store_reg(g, need_any(g, i->a, GENERAL | VECTORS), CG_STACK, CG_FRAME_PAIR, 8);
  store_reg(g, need_any(g, i->b, GENERAL | VECTORS), CG_STACK, CG_FRAME_PAIR + 8, 8);
  const unsigned d = take_any(g, VECTORS, g->v[r].hint);
  load_reg(g, d, CG_STACK, CG_FRAME_PAIR, 16);
  result(g, r, d);
  return true;
}

static bool lower_half(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned a = need_any(g, i->a, VECTORS);
  unsigned d;
  if (i->op == IR_LOW) {
    d = take_wanted(g, r);
    if (is_vector(d)) low_part(g, d, a, 8);
    else move_reg(g, d, a, 8);
  } else {
    store_reg(g, a, CG_STACK, CG_FRAME_PAIR, 16);
    d = take_wanted(g, r);
    load_reg(g, d, CG_STACK, CG_FRAME_PAIR + 8, 8);
  }
  result(g, r, d);
  return true;
}

/* One operand's part of a permutation; false: none of its bytes. *same: it stays as it is. */
static bool part(const uint8_t *from, unsigned first, uint8_t mask[16], bool *same) {
  bool any = false;
  *same = true;
  for (unsigned k = 0; k < 16; k++) {
    const bool mine = from[k] >= first && from[k] < first + 16;
    mask[k] = mine ? (uint8_t)(from[k] - first) : 0x80;
    any |= mine;
    *same &= mine && mask[k] == k;
  }
  return any;
}

static void shuffle(struct cg *g, unsigned d, const uint8_t mask[16]) {
  const unsigned t = take_any(g, VECTORS, -1);
  uint64_t half[2];
  memcpy(half, mask, 16);
  load_constant(g, t, half[0], half[1], 16);
  g->p = cg_vshuffle(g->p, d, t);
}

/* A shuffle of each operand by a constant, and both together. */
static bool lower_perm(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const uint8_t *from = g->b->perm[i->aux];
  const bool one = value_of(g, i->a) == value_of(g, i->b);
  uint8_t of_a[16], of_b[16], folded[16];
  bool same_a, same_b;
  if (CG_VSHUFFLE_NEEDS & ~g->c.features) return false;
  for (unsigned k = 0; k < 16; k++)
    folded[k] = one && from[k] >= 16 && from[k] < 32 ? (uint8_t)(from[k] - 16) : from[k];
  const bool has_a = part(folded, 0, of_a, &same_a), has_b = part(folded, 16, of_b, &same_b);
  const unsigned a = has_a || !has_b ? need_any(g, i->a, VECTORS) : 0,
                 b = has_b ? need_any(g, i->b, VECTORS) : 0;
  const unsigned d = take_any(g, VECTORS, g->v[r].hint);
  move_reg(g, d, has_a || !has_b ? a : b, 16);
  if (has_a || !has_b) {
    if (!same_a) shuffle(g, d, of_a);
  } else if (!same_b) {
    shuffle(g, d, of_b);
  }
  if (has_a && has_b) {
    const unsigned t = take_any(g, VECTORS, -1);
    move_reg(g, t, b, 16);
    shuffle(g, t, of_b);
    g->p = cg_vor(g->p, d, t);
  }
  result(g, r, d);
  return true;
}

bool lower_vector(struct cg *g, ref r) {
  switch (ins_of(g, r)->op) {
  case IR_PAIR: return lower_pair(g, r);
  case IR_LOW:
  case IR_HIGH: return lower_half(g, r);
  case IR_VPERM: return lower_perm(g, r);
  default: return false;
  }
}

/* The lowest lane, wanted in a vector register. */
bool lower_low_lane(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  if (i->op != IR_VLANE || i->b || !g->v[r].vector || i->aux < 32 || ins_of(g, i->a)->type != IT_V128)
    return false;
  const unsigned a = need_any(g, i->a, VECTORS), d = take_any(g, VECTORS, g->v[r].hint);
  low_part(g, d, a, i->aux / 8);
  result(g, r, d);
  return true;
}
