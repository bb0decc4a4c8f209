/* Values of 65 to 128 bits: a pair of I64, or a vector where they come from one and the operation keeps lanes apart. */
#include "ir/wide.h"

struct pair {
  ref lo, hi;
};

static ref e2(struct lift *l, enum ir_op op, ref a, ref b) { return ir_emit(l, op, IT_I64, a, b, 0, 0); }
static ref k64(struct lift *l, uint64_t v) { return ir_k(l, IT_I64, v); }
static ref k32(struct lift *l, uint32_t v) { return ir_k(l, IT_I32, v); }
static ref cmp(struct lift *l, enum ir_op op, ref a, ref b) { return ir_emit(l, op, IT_I32, a, b, 0, 0); }
static ref sel(struct lift *l, ref c, ref a, ref b) { return ir_emit(l, IR_SELECT, IT_I64, c, a, b, 0); }
static bool vec(const struct lift *l, ref a) { return ir_is_vec((enum ir_type)ir_at(l, a)->type); }

static struct pair halves(struct lift *l, ref a) {
  if (vec(l, a))
    return (struct pair){ir_emit(l, IR_VLANE, IT_I64, a, 0, 0, 64),
                         ir_emit(l, IR_VLANE, IT_I64, a, 1, 0, 64)};
  return (struct pair){ir_emit(l, IR_LOW, IT_I64, a, 0, 0, 0), ir_emit(l, IR_HIGH, IT_I64, a, 0, 0, 0)};
}

static ref join(struct lift *l, unsigned w, ref lo, ref hi) {
  return ir_emit(l, IR_PAIR, IT_I128, lo, w < 128 ? ir_mask(l, hi, w - 64) : hi, 0, 0);
}

static ref as_vec(struct lift *l, ref a) { return vec(l, a) ? a : ir_emit(l, IR_CAST, IT_V128, a, 0, 0, 0); }

/* Bits that replicate the sign of x, an I64. */
static ref sign(struct lift *l, ref x) { return e2(l, IR_SHRS, x, k32(l, 63)); }

/* The high half, w - 64 bits, sign-extended. */
static ref signed_high(struct lift *l, unsigned w, ref hi) {
  return w == 128 ? hi : e2(l, IR_SHRS, e2(l, IR_SHL, hi, k32(l, 128 - w)), k32(l, 128 - w));
}

static ref multiply(struct lift *l, unsigned w, struct pair x, struct pair y) {
  u128 k;
  bool zx = ir_is_k(l, x.hi, &k) && !k, zy = ir_is_k(l, y.hi, &k) && !k;
  bool sx = x.hi == sign(l, x.lo), sy = y.hi == sign(l, y.lo);
  ref lo = e2(l, IR_MUL, x.lo, y.lo), hi;
  if (zx && zy) hi = e2(l, IR_MULHU, x.lo, y.lo);
  else if (sx && sy) hi = e2(l, IR_MULHS, x.lo, y.lo);
  else if (sx && zy) hi = e2(l, IR_MULHSU, x.lo, y.lo);
  else if (zx && sy) hi = e2(l, IR_MULHSU, y.lo, x.lo);
  else
    hi = e2(l, IR_ADD, e2(l, IR_MULHU, x.lo, y.lo),
            e2(l, IR_ADD, e2(l, IR_MUL, x.lo, y.hi), e2(l, IR_MUL, x.hi, y.lo)));
  return join(l, w, lo, hi);
}

ref ir_wide_binary(struct lift *l, enum ir_op op, unsigned w, ref a, ref b) {
  bool logic = op == IR_AND || op == IR_OR || op == IR_XOR;
  if (logic && (vec(l, a) || vec(l, b))) {
    enum ir_type t = (enum ir_type)ir_at(l, vec(l, a) ? a : b)->type;
    return ir_emit(l, op, t, as_vec(l, a), as_vec(l, b), 0, 0);
  }
  struct pair x = halves(l, a), y = halves(l, b);
  if (logic) return join(l, w, e2(l, op, x.lo, y.lo), e2(l, op, x.hi, y.hi));
  if (op == IR_MUL) return multiply(l, w, x, y);
  ref lo = e2(l, op, x.lo, y.lo), hi = e2(l, op, x.hi, y.hi);
  ref carry = op == IR_ADD ? cmp(l, IR_LTU, lo, x.lo) : cmp(l, IR_LTU, x.lo, y.lo);
  return join(l, w, lo, e2(l, op, hi, ir_to(l, carry, IT_I64)));
}

ref ir_wide_unary(struct lift *l, enum ir_op op, unsigned w, ref a) {
  if (op == IR_NEG) return ir_wide_binary(l, IR_SUB, w, ir_k(l, IT_I128, 0), a);
  if (vec(l, a) && w == ir_type_bits((enum ir_type)ir_at(l, a)->type))
    return ir_emit(l, op, (enum ir_type)ir_at(l, a)->type, a, 0, 0, 0);
  struct pair x = halves(l, a);
  return join(l, w, ir_emit(l, op, IT_I64, x.lo, 0, 0, 0), ir_emit(l, op, IT_I64, x.hi, 0, 0, 0));
}

ref ir_wide_shift_by(struct lift *l, enum ir_op op, unsigned w, ref a, unsigned n) {
  struct pair x = halves(l, a);
  unsigned m = n % 64;
  if (op == IR_SHL) {
    if (n >= 64) return join(l, w, k64(l, 0), e2(l, IR_SHL, x.lo, k32(l, m)));
    ref hi = e2(l, IR_OR, e2(l, IR_SHL, x.hi, k32(l, m)), e2(l, IR_SHRU, x.lo, k32(l, 64 - m)));
    return join(l, w, e2(l, IR_SHL, x.lo, k32(l, m)), hi);
  }
  ref top = op == IR_SHRS ? signed_high(l, w, x.hi) : x.hi;
  ref fill = op == IR_SHRS ? sign(l, top) : k64(l, 0);
  if (n >= 64) return join(l, w, e2(l, op, top, k32(l, m)), fill);
  ref lo = e2(l, IR_OR, e2(l, IR_SHRU, x.lo, k32(l, m)), e2(l, IR_SHL, top, k32(l, 64 - m)));
  return join(l, w, lo, e2(l, op, top, k32(l, m)));
}

ref ir_wide_shift(struct lift *l, enum ir_op op, unsigned w, ref a, ref n, unsigned nw) {
  struct pair x = halves(l, a);
  ref over, m = ir_amount(l, n, nw, 128, &over);
  ref far = cmp(l, IR_NE, ir_emit(l, IR_AND, IT_I32, m, k32(l, 64), 0, 0), k32(l, 0));
  ref back = ir_emit(l, IR_XOR, IT_I32, m, k32(l, 63), 0, 0); /* 63 - m % 64, modulo 64 */
  ref lo, hi, top = op == IR_SHRS ? signed_high(l, w, x.hi) : x.hi;
  ref fill = op == IR_SHRS ? sign(l, top) : k64(l, 0);
  if (op == IR_SHL) {
    ref low = e2(l, IR_SHL, x.lo, m);
    ref high = e2(l, IR_OR, e2(l, IR_SHL, x.hi, m), e2(l, IR_SHRU, e2(l, IR_SHRU, x.lo, k32(l, 1)), back));
    lo = sel(l, far, fill, low), hi = sel(l, far, low, high);
  } else {
    ref high = e2(l, op, top, m);
    ref low = e2(l, IR_OR, e2(l, IR_SHRU, x.lo, m), e2(l, IR_SHL, e2(l, IR_SHL, top, k32(l, 1)), back));
    lo = sel(l, far, high, low), hi = sel(l, far, fill, high);
  }
  if (over) lo = sel(l, over, fill, lo), hi = sel(l, over, fill, hi);
  return join(l, w, lo, hi);
}

ref ir_wide_compare(struct lift *l, enum ir_op op, unsigned w, ref a, ref b) {
  struct pair x = halves(l, a), y = halves(l, b);
  if (op == IR_EQ || op == IR_NE)
    return cmp(l, op, e2(l, IR_OR, e2(l, IR_XOR, x.lo, y.lo), e2(l, IR_XOR, x.hi, y.hi)), k64(l, 0));
  bool s = op == IR_LTS || op == IR_LES;
  ref xh = s ? signed_high(l, w, x.hi) : x.hi, yh = s ? signed_high(l, w, y.hi) : y.hi;
  ref low = cmp(l, op == IR_LTS || op == IR_LTU ? IR_LTU : IR_LEU, x.lo, y.lo);
  return ir_emit(l, IR_SELECT, IT_I32, cmp(l, IR_EQ, xh, yh), low, cmp(l, s ? IR_LTS : IR_LTU, xh, yh), 0);
}

ref ir_wide_extend(struct lift *l, enum ir_op op, unsigned from, unsigned to, ref a) {
  if (from <= 64) {
    ref lo = ir_extend(l, op, from, 64, a);
    return join(l, to, lo, op == IR_SEXT ? sign(l, lo) : k64(l, 0));
  }
  if (op == IR_ZEXT) return a;
  struct pair x = halves(l, a);
  return join(l, to, x.lo, signed_high(l, from, x.hi));
}

ref ir_wide_slice(struct lift *l, unsigned from, unsigned low, unsigned w, ref a) {
  ref r;
  if (!low && w == from) return a;
  if (vec(l, a)) {
    if (from > 128 && w >= 128 && low % 128 == 0) return low ? ir_vhigh(l, a) : ir_vlow(l, a);
    if ((w == 8 || w == 16 || w == 32 || w == 64) && low % w == 0) return ir_vlane(l, w, low / w, a);
    if (w <= 64 && low / 64 == (low + w - 1) / 64)
      return ir_slice(l, 64, low % 64, w, ir_vlane(l, 64, low / 64, a));
  }
  assert(from <= 128);
  if (w > 64 || (low < 64 && low + w > 64)) {
    r = low ? ir_wide_shift_by(l, IR_SHRU, 128, a, low) : a;
    struct pair x = halves(l, r);
    if (w > 64) return join(l, w, x.lo, x.hi);
    r = x.lo;
  } else {
    struct pair x = halves(l, a);
    r = low < 64 ? x.lo : x.hi;
    r = e2(l, IR_SHRU, r, k32(l, low % 64));
  }
  return ir_mask(l, w <= 32 ? ir_to(l, r, IT_I32) : r, w);
}

/* A value of w bits as a pair. */
static struct pair widened(struct lift *l, unsigned w, ref a) {
  return w > 64 ? halves(l, a) : (struct pair){ir_to(l, a, IT_I64), k64(l, 0)};
}

ref ir_wide_concat(struct lift *l, unsigned hw, unsigned lw, ref high, ref low) {
  unsigned w = hw + lw;
  struct pair x = widened(l, hw, high), y = widened(l, lw, low);
  if (lw == 64) return join(l, w, y.lo, x.lo);
  ref h = ir_emit(l, IR_PAIR, IT_I128, x.lo, x.hi, 0, 0);
  return ir_wide_binary(l, IR_OR, w, ir_wide_shift_by(l, IR_SHL, w, h, lw),
                        ir_emit(l, IR_PAIR, IT_I128, y.lo, y.hi, 0, 0));
}

ref ir_wide_select(struct lift *l, unsigned w, ref c, ref a, ref b) {
  if (vec(l, a) || vec(l, b)) {
    ref x = as_vec(l, a), y = as_vec(l, b);
    return ir_emit(l, IR_SELECT, (enum ir_type)ir_at(l, x)->type, c, x, y, 0);
  }
  struct pair x = halves(l, a), y = halves(l, b);
  return join(l, w, sel(l, c, x.lo, y.lo), sel(l, c, x.hi, y.hi));
}

ref ir_wide_divide(struct lift *l, enum ir_op op, unsigned w, ref a, ref b) {
  bool s = op == IR_DIVS || op == IR_REMS;
  struct pair x = halves(l, a), y = halves(l, b);
  u128 k;
  /* By 64 bits, with a quotient of 64 bits: hosts have that; the interpreter has the rest. */
  if (w == 128 && !s && ir_is_k(l, y.hi, &k) && !k) {
    ir_guard(l, cmp(l, IR_LTU, x.hi, y.lo), 1);
    ref r = ir_is_k(l, x.hi, &k) && !k
                ? e2(l, op, x.lo, y.lo)
                : ir_emit(l, op == IR_DIVU ? IR_DIVUW : IR_REMUW, IT_I64, x.hi, x.lo, y.lo, 0);
    return join(l, w, r, k64(l, 0));
  }
  if (w == 128 && s && y.hi == sign(l, y.lo)) {
    ir_guard(l, cmp(l, IR_EQ, x.hi, sign(l, x.lo)), 1);
    ir_guard(l, cmp(l, IR_NE, y.lo, k64(l, UINT64_MAX)), 1); /* the quotient may have 65 bits */
    ref r = e2(l, op, x.lo, y.lo);
    return join(l, w, r, sign(l, r));
  }
  a = ir_emit(l, IR_PAIR, IT_I128, x.lo, s ? signed_high(l, w, x.hi) : x.hi, 0, 0);
  b = ir_emit(l, IR_PAIR, IT_I128, y.lo, s ? signed_high(l, w, y.hi) : y.hi, 0, 0);
  struct pair r = halves(l, ir_emit(l, op, IT_I128, a, b, 0, 0));
  return join(l, w, r.lo, r.hi);
}
