/* Integer operations of any width up to 64 bits in terms of I32 and I64; wide.c has those above. */
#include "ir/wide.h"

ref ir_operand(struct lift *l, ref a, unsigned width) {
  const struct ir_ins *i = ir_at(l, a);
  (void)i;
  assert(a && a < l->b->n);
  assert(width > 64 ? i->type == IT_I128 || ir_is_vec((enum ir_type)i->type)
                    : i->type == ir_type_of(width) && i->bits <= width);
  return a;
}

static ref e2(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b) {
  return ir_emit(l, op, t, a, b, 0, 0);
}
static ref e1(struct lift *l, enum ir_op op, enum ir_type t, ref a) { return ir_emit(l, op, t, a, 0, 0, 0); }
static ref k32(struct lift *l, uint32_t v) { return ir_k(l, IT_I32, v); }
static bool native(unsigned w) { return w == 32 || w == 64; }

/* The low w bits of x, I32 or I64 as w has it. */
ref ir_mask(struct lift *l, ref x, unsigned w) {
  enum ir_type t = (enum ir_type)ir_at(l, x)->type;
  if (ir_at(l, x)->bits <= w) return x;
  return e2(l, IR_AND, t, x, ir_k(l, t, bits_mask(w)));
}

ref ir_to(struct lift *l, ref x, enum ir_type t) {
  enum ir_type from = (enum ir_type)ir_at(l, x)->type;
  if (from == t) return x;
  return e1(l, t == IT_I64 ? IR_ZEXT : IR_TRUNC, t, x);
}

ref ir_const(struct lift *l, unsigned width, uint64_t value) {
  assert(width >= 64 || !(value >> width));
  return ir_k(l, ir_type_of(width), value);
}

ref ir_const128(struct lift *l, unsigned width, u128 value) { return ir_k(l, ir_type_of(width), value); }

ref ir_pc(struct lift *l, int64_t delta) { return ir_pc_at(l, l->b->insn[l->insn].pc + delta); }

ref ir_get(struct lift *l, unsigned slot, unsigned width) {
  assert(slot < l->guest->nslots);
  unsigned bits = l->guest->slots[slot].bits;
  ref v = ir_slot_value(l, slot);
  enum ir_type t = (enum ir_type)ir_at(l, v)->type;
  if (bits <= 64 && !ir_is_int(t)) v = e1(l, IR_CAST, ir_type_of(bits), v);
  return width < bits ? ir_slice(l, bits, 0, width, v) : v;
}

ref ir_binary(struct lift *l, enum ir_op op, unsigned w, ref a, ref b) {
  ir_operand(l, a, w), ir_operand(l, b, w);
  if (w > 64) return ir_wide_binary(l, op, w, a, b);
  return ir_mask(l, e2(l, op, ir_type_of(w), a, b), w);
}

ref ir_unary(struct lift *l, enum ir_op op, unsigned w, ref a) {
  ir_operand(l, a, w);
  if (w > 64) return ir_wide_unary(l, op, w, a);
  enum ir_type t = ir_type_of(w);
  if (op == IR_NOT && !native(w)) return e2(l, IR_XOR, t, a, ir_k(l, t, bits_mask(w)));
  return ir_mask(l, e1(l, op, t, a), w);
}

/* a, w bits, sign-extended to its type. */
static ref signed_of(struct lift *l, unsigned w, ref a) {
  enum ir_type t = ir_type_of(w);
  if (native(w)) return a;
  if (w == 8 || w == 16) return ir_emit(l, IR_SEXT, t, a, 0, 0, w);
  ref n = k32(l, ir_type_bits(t) - w);
  return e2(l, IR_SHRS, t, e2(l, IR_SHL, t, a, n), n);
}

ref ir_shift_by(struct lift *l, enum ir_op op, unsigned w, ref a, uint64_t n) {
  ir_operand(l, a, w);
  if (op == IR_ROL || op == IR_ROR) {
    n %= w;
    if (!n) return a;
    if (native(w)) return e2(l, op, ir_type_of(w), a, k32(l, (uint32_t)n));
    unsigned right = (unsigned)(op == IR_ROR ? n : w - n);
    return ir_binary(l, IR_OR, w, ir_shift_by(l, IR_SHRU, w, a, right),
                     ir_shift_by(l, IR_SHL, w, a, w - right));
  }
  if (n >= w && op != IR_SHRS) return ir_const128(l, w, 0);
  if (n >= w) n = w - 1;
  if (!n) return a;
  if (w > 64) return ir_wide_shift_by(l, op, w, a, (unsigned)n);
  enum ir_type t = ir_type_of(w);
  return ir_mask(l, e2(l, op, t, op == IR_SHRS ? signed_of(l, w, a) : a, k32(l, (uint32_t)n)), w);
}

/* An amount as an I32, with the truth value of amount >= limit in *over (0 when it cannot be). */
ref ir_amount(struct lift *l, ref n, unsigned nw, unsigned limit, ref *over) {
  const struct ir_ins *i = ir_at(l, n);
  enum ir_type t = (enum ir_type)i->type;
  *over = 0;
  if (i->bits > 7 || (1u << i->bits) > limit) {
    if (nw > 64) n = e1(l, IR_LOW, IT_I64, n), t = IT_I64;
    *over = e2(l, IR_LEU, IT_I32, ir_k(l, t, limit), n);
  }
  return ir_to(l, n, IT_I32);
}

ref ir_shift(struct lift *l, enum ir_op op, unsigned w, ref a, ref n, unsigned nw) {
  u128 k;
  ref over;
  ir_operand(l, a, w), ir_operand(l, n, nw);
  if (ir_is_k(l, n, &k))
    return ir_shift_by(l, op, w, a, k > 256 && op != IR_ROL && op != IR_ROR ? 256 : (uint64_t)k);
  enum ir_type t = ir_type_of(w);
  if (op == IR_ROL || op == IR_ROR) {
    if (native(w)) return e2(l, op, t, a, ir_to(l, n, IT_I32));
    ref m = w >> nw ? n : ir_divide(l, IR_REMU, nw, n, ir_const128(l, nw, w));
    ref rest = ir_binary(l, IR_SUB, 32, k32(l, w), ir_to(l, m, IT_I32));
    ref left = op == IR_ROL ? ir_to(l, m, IT_I32) : rest, right = op == IR_ROL ? rest : ir_to(l, m, IT_I32);
    return ir_binary(l, IR_OR, w, ir_shift(l, IR_SHL, w, a, left, 32), ir_shift(l, IR_SHRU, w, a, right, 32));
  }
  if (w > 64) return ir_wide_shift(l, op, w, a, n, nw);
  ref m = ir_amount(l, n, nw, ir_type_bits(t), &over);
  if (op == IR_SHRS) a = signed_of(l, w, a);
  ref r = e2(l, op, t, a, m);
  if (over)
    r = ir_emit(l, IR_SELECT, t, over,
                op == IR_SHRS ? e2(l, op, t, a, k32(l, ir_type_bits(t) - 1)) : ir_k(l, t, 0), r, 0);
  return ir_mask(l, r, w);
}

ref ir_compare(struct lift *l, enum ir_op op, unsigned w, ref a, ref b) {
  ir_operand(l, a, w), ir_operand(l, b, w);
  if (w > 64) return ir_wide_compare(l, op, w, a, b);
  if (op == IR_LTS || op == IR_LES) a = signed_of(l, w, a), b = signed_of(l, w, b);
  return e2(l, op, IT_I32, a, b);
}

ref ir_extend(struct lift *l, enum ir_op op, unsigned from, unsigned to, ref a) {
  ir_operand(l, a, from);
  if (from == to) return a;
  if (to > 64) return ir_wide_extend(l, op, from, to, a);
  enum ir_type t = ir_type_of(to);
  if (op == IR_ZEXT) return ir_to(l, a, t);
  if (from == 8 || from == 16 || from == 32) return ir_mask(l, ir_emit(l, IR_SEXT, t, a, 0, 0, from), to);
  a = ir_to(l, a, t);
  ref n = k32(l, ir_type_bits(t) - from);
  return ir_mask(l, e2(l, IR_SHRS, t, e2(l, IR_SHL, t, a, n), n), to);
}

ref ir_slice(struct lift *l, unsigned from, unsigned low, unsigned w, ref a) {
  assert(low + w <= from);
  if (from > 64) return ir_wide_slice(l, from, low, w, a);
  ir_operand(l, a, from);
  enum ir_type t = ir_type_of(from);
  if (low) a = e2(l, IR_SHRU, t, a, k32(l, low));
  if (low + w < from || ir_at(l, a)->bits > w) {
    if (t == IT_I64 && w <= 32) a = ir_to(l, a, IT_I32);
    return ir_mask(l, a, w);
  }
  return t == IT_I64 && w <= 32 ? ir_to(l, a, IT_I32) : a;
}

ref ir_concat(struct lift *l, unsigned hw, unsigned lw, ref high, ref low) {
  ir_operand(l, high, hw), ir_operand(l, low, lw);
  if (hw + lw > 64) return ir_wide_concat(l, hw, lw, high, low);
  enum ir_type t = ir_type_of(hw + lw);
  ref h = e2(l, IR_SHL, t, ir_to(l, high, t), k32(l, lw));
  return e2(l, IR_OR, t, ir_to(l, low, t), h);
}

ref ir_select(struct lift *l, unsigned w, ref c, ref a, ref b) {
  ir_operand(l, c, 1), ir_operand(l, a, w), ir_operand(l, b, w);
  if (w > 64) return ir_wide_select(l, w, c, a, b);
  return ir_emit(l, IR_SELECT, ir_type_of(w), c, a, b, 0);
}

ref ir_count(struct lift *l, enum ir_op op, unsigned w, ref a) {
  ir_operand(l, a, w);
  assert(w <= 64);
  enum ir_type t = ir_type_of(w);
  unsigned tw = ir_type_bits(t);
  switch (op) {
  case IR_CLZ:
    a = e1(l, op, t, a);
    if (tw != w) a = ir_mask(l, e2(l, IR_SUB, t, a, ir_k(l, t, tw - w)), w);
    break;
  case IR_CTZ:
    if (tw != w) a = e2(l, IR_OR, t, a, ir_k(l, t, (uint64_t)1 << w));
    a = ir_mask(l, e1(l, op, t, a), w);
    break;
  case IR_PARITY:
    if (t == IT_I64) a = ir_to(l, e2(l, IR_XOR, t, a, e2(l, IR_SHRU, t, a, k32(l, 32))), IT_I32);
    return e1(l, op, IT_I32, a);
  case IR_BSWAP:
  case IR_BREV:
    a = e1(l, op, t, a);
    if (tw != w) a = e2(l, IR_SHRU, t, a, k32(l, tw - w));
    break;
  default: a = e1(l, op, t, a);
  }
  return ir_mask(l, a, w);
}

ref ir_divide(struct lift *l, enum ir_op op, unsigned w, ref a, ref b) {
  ir_operand(l, a, w), ir_operand(l, b, w);
  if (w > 64) return ir_wide_divide(l, op, w, a, b);
  if (op == IR_DIVS || op == IR_REMS) a = signed_of(l, w, a), b = signed_of(l, w, b);
  return ir_mask(l, e2(l, op, ir_type_of(w), a, b), w);
}

/* ~x of w bits: is b the complement of *x? */
static bool complement(struct lift *l, unsigned w, ref b, ref *x) {
  const struct ir_ins *i = ir_at(l, b);
  enum ir_type t = (enum ir_type)i->type;
  u128 k;
  if (ir_is_k(l, b, &k)) {
    *x = ir_k(l, t, ~(uint64_t)k & bits_mask(w));
    return true;
  }
  if (i->op == IR_NOT || (i->op == IR_XOR && ir_is_k(l, i->b, &k) && k == bits_mask(w))) {
    *x = i->a;
    return true;
  }
  return false;
}

/* Is r, w bits, a + b (or a - b)? */
static bool sum_of(struct lift *l, unsigned w, enum ir_op op, ref r, ref a, ref b) {
  ref want = ir_mask(l, e2(l, op, ir_type_of(w), a, b), w);
  return l->fold && want == r;
}

/* Top bit of x, w bits. */
static ref top(struct lift *l, unsigned w, ref x) { return ir_slice(l, w, w - 1, 1, x); }

ref ir_carry(struct lift *l, unsigned w, ref a, ref b, ref r) {
  ir_operand(l, a, w), ir_operand(l, b, w), ir_operand(l, r, w);
  ref x;
  assert(w <= 64);
  if (l->fold) {
    if (complement(l, w, b, &x) && sum_of(l, w, IR_SUB, r, a, x)) return e2(l, IR_LEU, IT_I32, x, a);
    if (sum_of(l, w, IR_ADD, r, a, b)) return e2(l, IR_LTU, IT_I32, r, b);
  }
  ref both = ir_binary(l, IR_AND, w, a, b), any = ir_binary(l, IR_OR, w, a, b);
  return top(l, w, ir_binary(l, IR_OR, w, both, ir_binary(l, IR_AND, w, any, ir_unary(l, IR_NOT, w, r))));
}

ref ir_overflow(struct lift *l, unsigned w, ref a, ref b, ref r) {
  ir_operand(l, a, w), ir_operand(l, b, w), ir_operand(l, r, w);
  ref x;
  assert(w <= 64);
  if (l->fold && native(w)) {
    if (complement(l, w, b, &x) && sum_of(l, w, IR_SUB, r, a, x)) return e2(l, IR_SUBO, IT_I32, a, x);
    if (sum_of(l, w, IR_ADD, r, a, b)) return e2(l, IR_ADDO, IT_I32, a, b);
  }
  return top(l, w, ir_binary(l, IR_AND, w, ir_binary(l, IR_XOR, w, a, r), ir_binary(l, IR_XOR, w, b, r)));
}
