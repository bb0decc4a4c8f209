/* Simplification of one new entry: constants, masks that clear nothing, shifts, conditions over the flags of an addition
 * or subtraction. Rules look at operands only, so what they return is as old as the operands or newly emitted. */
#include "ir/int.h"

static const struct ir_ins *at(const struct lift *l, ref r) { return ir_at(l, r); }
static bool is(const struct lift *l, ref r, enum ir_op op) { return at(l, r)->op == op; }
static bool k64(const struct lift *l, ref r, uint64_t *k) {
  u128 v;
  if (!ir_is_k(l, r, &v)) return false;
  *k = (uint64_t)v;
  return true;
}
static bool k_is(const struct lift *l, ref r, uint64_t want) {
  uint64_t k;
  return k64(l, r, &k) && k == want;
}
static uint64_t ones(enum ir_type t) { return bits_mask(ir_type_bits(t)); }
static ref k(struct lift *l, enum ir_type t, uint64_t v) { return ir_k(l, t, v); }
static ref e2(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b) {
  return ir_emit(l, op, t, a, b, 0, 0);
}
static ref e1(struct lift *l, enum ir_op op, enum ir_type t, ref a) { return ir_emit(l, op, t, a, 0, 0, 0); }
static bool low_mask(uint64_t m) { return m && !(m & (m + 1)); }

/* r == a - b, both of type t? */
static bool is_sub(const struct lift *l, ref r, ref a, ref b) {
  const struct ir_ins *i = at(l, r);
  uint64_t x, y;
  if (i->op == IR_SUB) return i->a == a && i->b == b;
  return i->op == IR_ADD && i->a == a && k64(l, i->b, &x) && k64(l, b, &y) &&
         x == (-y & ones((enum ir_type)i->type));
}

static ref inverse(struct lift *l, ref r) {
  const struct ir_ins i = *at(l, r);
  switch (i.op) {
  case IR_EQ: return e2(l, IR_NE, IT_I32, i.a, i.b);
  case IR_NE: return e2(l, IR_EQ, IT_I32, i.a, i.b);
  case IR_LTU: return e2(l, IR_LEU, IT_I32, i.b, i.a);
  case IR_LEU: return e2(l, IR_LTU, IT_I32, i.b, i.a);
  case IR_LTS: return e2(l, IR_LES, IT_I32, i.b, i.a);
  case IR_LES: return e2(l, IR_LTS, IT_I32, i.b, i.a);
  default: return 0;
  }
}

/* x without operations that do not change its bits under the low mask m. */
static ref strip(const struct lift *l, ref x, uint64_t m) {
  uint64_t v;
  while (is(l, x, IR_AND) && k64(l, at(l, x)->b, &v) && (v & m) == m) x = at(l, x)->a;
  return x;
}

static ref fold_add(struct lift *l, enum ir_type t, ref a, ref b) {
  uint64_t x, y;
  const struct ir_ins i = *at(l, a), j = *at(l, b);
  if (k64(l, b, &x)) {
    if (!x) return a;
    if (i.op == IR_PC) return ir_pc_at(l, (int64_t)((uint64_t)ir_const_value(l->b, a) + x));
    if (i.op == IR_ADD && k64(l, i.b, &y)) return e2(l, IR_ADD, t, i.a, k(l, t, x + y));
    if (i.op == IR_SUB && k64(l, i.a, &y)) return e2(l, IR_SUB, t, k(l, t, x + y), i.b);
    if (i.op == IR_NOT) return e2(l, IR_SUB, t, k(l, t, x - 1), i.a);
    if (x == 1 && i.op == IR_ADD && is(l, i.b, IR_NOT)) return e2(l, IR_SUB, t, i.a, at(l, i.b)->a);
    if (x == 1 && i.op == IR_ADD && is(l, i.a, IR_NOT)) return e2(l, IR_SUB, t, i.b, at(l, i.a)->a);
    return 0;
  }
  if (j.op == IR_NEG) return e2(l, IR_SUB, t, a, j.a);
  if (i.op == IR_NEG) return e2(l, IR_SUB, t, b, i.a);
  /* The sum of one of them without its number is there: addresses of the next round of a loop. */
  for (int turn = 0; turn < 2; turn++) {
    const struct ir_ins p = turn ? i : j;
    const ref q = turn ? b : a;
    if (p.op != IR_ADD || !k64(l, p.b, &x)) continue;
    const ref sum = ir_known(l, IR_ADD, t, p.a < q ? p.a : q, p.a < q ? q : p.a);
    if (sum) return e2(l, IR_ADD, t, sum, p.b);
  }
  return 0;
}

/* What x, a sign-extended I32, is extended from, or 0. A constant among them is made only on demand (`make`). */
static ref narrow_of(struct lift *l, ref x, bool make) {
  const struct ir_ins i = *at(l, x);
  uint64_t v;
  if (i.op == IR_SEXT && i.aux == 32) return i.a;
  if (i.op == IR_ZEXT && i.bits < 32) return i.a;
  return make && k64(l, x, &v) && (int64_t)v == (int32_t)v ? k(l, IT_I32, (uint32_t)v) : 0;
}

/* Bits of two sign-extended numbers: of the numbers, extended once. */
static ref fold_extended(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b) {
  if (t != IT_I64) return 0;
  ref p = narrow_of(l, a, false), q = p ? narrow_of(l, b, true) : 0;
  return q ? ir_emit(l, IR_SEXT, t, e2(l, op, IT_I32, p, q), 0, 0, 32) : 0;
}

static ref fold_and(struct lift *l, enum ir_type t, ref a, ref b) {
  uint64_t m, y;
  const struct ir_ins i = *at(l, a), j = *at(l, b);
  if (a == b) return a;
  if (ir_is_int(t) && k64(l, b, &m)) {
    if (!m) return b;
    if ((m & bits_mask(i.bits)) == bits_mask(i.bits)) return a;
    if (t == IT_I64 && m == UINT32_MAX) return e1(l, IR_ZEXT, t, e1(l, IR_TRUNC, IT_I32, a));
    if (i.op == IR_AND && k64(l, i.b, &y)) return e2(l, IR_AND, t, i.a, k(l, t, m & y));
    if (i.op == IR_ZEXT) return e1(l, IR_ZEXT, t, e2(l, IR_AND, IT_I32, i.a, k(l, IT_I32, m)));
    if (i.op == IR_ROR && k64(l, i.b, &y) && y) { /* a bit field: only one end of the rotation is seen */
      const unsigned up = ir_type_bits(t) - (unsigned)y;
      if (!(m & ~(ones(t) >> y))) return e2(l, IR_AND, t, e2(l, IR_SHRU, t, i.a, i.b), b);
      if (!(m & bits_mask(up))) return e2(l, IR_AND, t, e2(l, IR_SHL, t, i.a, k(l, IT_I32, up)), b);
    }
    if (i.op == IR_SHL && k64(l, i.b, &y) && !(~m & ones(t) & (ones(t) << y))) return a;
    if (i.op == IR_OR && k64(l, i.b, &y) && !(y & m)) return e2(l, IR_AND, t, i.a, b);
    if (!low_mask(m)) return 0;
    if (i.op == IR_ADD && k_is(l, i.b, 1) && is(l, i.a, IR_ADD)) { /* a + (b ^ m) + 1: a - b */
      const struct ir_ins s = *at(l, i.a);
      if (is(l, s.b, IR_XOR) && k_is(l, at(l, s.b)->b, m))
        return e2(l, IR_AND, t, e2(l, IR_SUB, t, s.a, at(l, s.b)->a), b);
      if (is(l, s.a, IR_XOR) && k_is(l, at(l, s.a)->b, m))
        return e2(l, IR_AND, t, e2(l, IR_SUB, t, s.b, at(l, s.a)->a), b);
    }
    if (i.op == IR_ADD || i.op == IR_SUB || i.op == IR_MUL) {
      ref p = strip(l, i.a, m), q = strip(l, i.b, m);
      if (p != i.a || q != i.b) return e2(l, IR_AND, t, e2(l, i.op, t, p, q), b);
    }
    return 0;
  }
  if (j.op == IR_NOT) return ir_emit(l, IR_ANDN, t, a, j.a, 0, 0);
  if (i.op == IR_NOT) return ir_emit(l, IR_ANDN, t, b, i.a, 0, 0);
  ref both = fold_extended(l, IR_AND, t, a, b);
  if (both) return both;
  /* less-or-equal and different: less */
  for (int turn = 0; turn < 2; turn++) {
    const struct ir_ins p = turn ? j : i, q = turn ? i : j;
    if ((p.op == IR_LES || p.op == IR_LEU) && q.op == IR_NE &&
        ((p.a == q.a && p.b == q.b) || (p.a == q.b && p.b == q.a)))
      return e2(l, p.op == IR_LES ? IR_LTS : IR_LTU, IT_I32, p.a, p.b);
  }
  return 0;
}

/* One number shifted both ways, or its halves' extensions: a rotation. */
static ref fold_rotate(struct lift *l, enum ir_type t, ref a, ref b) {
  for (int turn = 0; turn < 2; turn++) {
    const ref up = turn ? b : a, down = turn ? a : b;
    const struct ir_ins p = *at(l, up), q = *at(l, down);
    uint64_t n, m;
    if (t == IT_I64 && p.op == IR_SEXT && p.aux == 32 && q.op == IR_ZEXT && q.bits < 32) {
      ref r = fold_rotate(l, IT_I32, p.a, q.a);
      return r ? ir_emit(l, IR_SEXT, t, r, 0, 0, 32) : 0;
    }
    if (p.op == IR_SHL && q.op == IR_SHRU && p.a == q.a && k64(l, p.b, &n) && k64(l, q.b, &m) &&
        n + m == ir_type_bits(t))
      return e2(l, IR_ROR, t, p.a, q.b);
  }
  return 0;
}

static ref fold_or(struct lift *l, enum ir_type t, ref a, ref b) {
  uint64_t m, y;
  const struct ir_ins i = *at(l, a), j = *at(l, b);
  if (a == b) return a;
  if (ir_is_int(t) && k64(l, b, &m)) {
    if (!m) return a;
    if (m == ones(t)) return b;
    if (i.op == IR_OR && k64(l, i.b, &y)) return e2(l, IR_OR, t, i.a, k(l, t, m | y));
    return fold_extended(l, IR_OR, t, a, b);
  }
  if (ir_is_int(t)) {
    ref r = fold_rotate(l, t, a, b);
    if (!r) r = fold_extended(l, IR_OR, t, a, b);
    if (r) return r;
  }
  for (int turn = 0; turn < 2; turn++) {
    const struct ir_ins p = turn ? j : i, q = turn ? i : j;
    if ((p.op == IR_LTS || p.op == IR_LTU) && q.op == IR_EQ &&
        ((p.a == q.a && p.b == q.b) || (p.a == q.b && p.b == q.a)))
      return e2(l, p.op == IR_LTS ? IR_LES : IR_LEU, IT_I32, p.a, p.b);
  }
  return 0;
}

/* The sign of a difference against its overflow, different or equal: signed less, or not. */
static ref less_by_flags(struct lift *l, ref a, ref b, bool not ) {
  for (int turn = 0; turn < 2; turn++) {
    const struct ir_ins p = *at(l, turn ? b : a), q = *at(l, turn ? a : b);
    if (p.op == IR_LTS && q.op == IR_SUBO && k_is(l, p.b, 0) && is_sub(l, p.a, q.a, q.b))
      return not ? e2(l, IR_LES, IT_I32, q.b, q.a) : e2(l, IR_LTS, IT_I32, q.a, q.b);
  }
  return 0;
}

static ref fold_xor(struct lift *l, enum ir_type t, ref a, ref b) {
  uint64_t m, y;
  const struct ir_ins i = *at(l, a);
  if (a == b) return ir_k(l, t, 0);
  if (t == IT_I32 && !is(l, b, IR_CONST)) return less_by_flags(l, a, b, false);
  if (!ir_is_int(t)) return 0;
  if (!k64(l, b, &m)) return fold_extended(l, IR_XOR, t, a, b);
  if (!m) return a;
  if (m == ones(t)) return e1(l, IR_NOT, t, a);
  if (i.op == IR_XOR && k64(l, i.b, &y)) return e2(l, IR_XOR, t, i.a, k(l, t, m ^ y));
  if (m == 1 && t == IT_I32) return inverse(l, a);
  return fold_extended(l, IR_XOR, t, a, b);
}

static ref fold_shift(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref *b) {
  unsigned w = ir_type_bits(t);
  uint64_t n, m, y;
  const struct ir_ins i = *at(l, a);
  if (!k64(l, *b, &n)) {
    if (is(l, *b, IR_AND) && k64(l, at(l, *b)->b, &m) && (m & (w - 1)) == w - 1) {
      *b = at(l, *b)->a;
      return e2(l, op, t, a, *b);
    }
    return 0;
  }
  if (n >= w) return e2(l, op, t, a, k(l, IT_I32, n % w));
  if (!n) return a;
  if (op == IR_SHRS && i.bits < w) return e2(l, IR_SHRU, t, a, *b);
  if (op == IR_SHRU && i.bits <= n) return k(l, t, 0);
  if (i.op == op && op != IR_ROL && op != IR_ROR && k64(l, i.b, &y)) {
    if (n + y < w) return e2(l, op, t, i.a, k(l, IT_I32, n + y));
    return op == IR_SHRS ? e2(l, op, t, i.a, k(l, IT_I32, w - 1)) : k(l, t, 0);
  }
  if (op == IR_SHRU && i.op == IR_SHL && k_is(l, i.b, n)) return e2(l, IR_AND, t, i.a, k(l, t, ones(t) >> n));
  if (op == IR_SHL && i.op == IR_SHRU && k_is(l, i.b, n)) return e2(l, IR_AND, t, i.a, k(l, t, ones(t) << n));
  if (op == IR_SHRS && i.op == IR_SHL && k_is(l, i.b, n) && (w - n == 8 || w - n == 16 || w - n == 32))
    return ir_emit(l, IR_SEXT, t, t == IT_I64 ? e1(l, IR_TRUNC, IT_I32, i.a) : i.a, 0, 0, (uint32_t)(w - n));
  if (op == IR_SHRU && i.op == IR_OR && k64(l, i.b, &y) && at(l, i.a)->bits <= n) return k(l, t, y >> n);
  if (op == IR_SHRU && i.op == IR_ZEXT) return e1(l, IR_ZEXT, t, e2(l, op, IT_I32, i.a, *b));
  if (op == IR_SHRU && t == IT_I32 && n == 31) return e2(l, IR_LTS, IT_I32, a, k(l, t, 0));
  return 0;
}

static ref fold_equal(struct lift *l, enum ir_op op, ref a, ref b) {
  const struct ir_ins i = *at(l, a), j = *at(l, b);
  enum ir_type t = (enum ir_type)i.type;
  uint64_t x, y;
  bool eq = op == IR_EQ;
  if (a == b) return k(l, IT_I32, eq);
  if (k64(l, b, &x)) {
    if (x > bits_mask(i.bits)) return k(l, IT_I32, !eq);
    if (i.bits == 1 && x <= 1) {
      ref r = i.type == IT_I64 ? e1(l, IR_TRUNC, IT_I32, a) : a;
      return eq == (x == 1) ? r : e2(l, IR_XOR, IT_I32, r, k(l, IT_I32, 1));
    }
    if (!x && (i.op == IR_SUB || i.op == IR_XOR)) return e2(l, op, IT_I32, i.a, i.b);
    if (!x && i.op == IR_AND && is(l, i.a, IR_SUB) && k64(l, i.b, &y) && low_mask(y)) {
      const struct ir_ins s = *at(l, i.a);
      if (at(l, s.a)->bits <= i.bits && at(l, s.b)->bits <= i.bits) return e2(l, op, IT_I32, s.a, s.b);
    }
    if (i.op == IR_ADD && k64(l, i.b, &y)) return e2(l, op, IT_I32, i.a, k(l, t, x - y));
    if (i.op == IR_ZEXT) return e2(l, op, IT_I32, i.a, k(l, IT_I32, x));
    if (i.op == IR_TRUNC && is(l, i.a, IR_SHRU) && k64(l, at(l, i.a)->b, &y) && y >= 32 &&
        x == bits_mask(64 - (unsigned)y)) {
      /* all upper bits set, as of a boxed value: at least that number */
      ref whole = at(l, i.a)->a, least = k(l, IT_I64, x << y);
      return eq ? e2(l, IR_LEU, IT_I32, least, whole) : e2(l, IR_LTU, IT_I32, whole, least);
    }
    return 0;
  }
  if (i.op == IR_ZEXT && j.op == IR_ZEXT) return e2(l, op, IT_I32, i.a, j.a);
  return less_by_flags(l, a, b, eq);
}

static ref fold_less(struct lift *l, enum ir_op op, ref a, ref b) {
  const struct ir_ins i = *at(l, a), j = *at(l, b);
  enum ir_type t = (enum ir_type)i.type;
  unsigned w = ir_type_bits(t);
  uint64_t x;
  if (a == b) return k(l, IT_I32, op == IR_LEU || op == IR_LES);
  if (op == IR_LTS || op == IR_LES) {
    if (i.bits < w && j.bits < w) return e2(l, op == IR_LTS ? IR_LTU : IR_LEU, IT_I32, a, b);
    if (i.bits < w && k_is(l, b, 0) && op == IR_LTS) return k(l, IT_I32, 0);
    return 0;
  }
  if (k64(l, b, &x)) {
    if (x >= bits_mask(i.bits) && op == IR_LEU) return k(l, IT_I32, 1);
    if (x > bits_mask(i.bits)) return k(l, IT_I32, 1);
    if (!x) return op == IR_LTU ? k(l, IT_I32, 0) : e2(l, IR_EQ, IT_I32, a, b);
    if (x == 1 && op == IR_LTU) return e2(l, IR_EQ, IT_I32, a, k(l, t, 0));
  } else if (k64(l, a, &x)) {
    if (x > bits_mask(j.bits) || (x == bits_mask(j.bits) && op == IR_LTU)) return k(l, IT_I32, 0);
    if (!x) return op == IR_LEU ? k(l, IT_I32, 1) : e2(l, IR_NE, IT_I32, b, a);
    if (x == 1 && op == IR_LEU) return e2(l, IR_NE, IT_I32, b, k(l, t, 0));
  } else if (i.op == IR_ZEXT && j.op == IR_ZEXT) {
    return e2(l, op, IT_I32, i.a, j.a);
  }
  return 0;
}

static ref fold_convert(struct lift *l, enum ir_op op, enum ir_type t, ref a, uint32_t aux) {
  const struct ir_ins i = *at(l, a);
  uint64_t y;
  switch (op) {
  case IR_SEXT:
    if (i.bits < aux) return t == IT_I32 ? a : e1(l, IR_ZEXT, t, a);
    if (aux == 32 && t == IT_I32) return a;
    if (i.op == IR_AND && k64(l, i.b, &y) && (y & bits_mask(aux)) == bits_mask(aux))
      return ir_emit(l, op, t, i.a, 0, 0, aux);
    if (i.op == IR_SEXT && i.type == IT_I32 && i.aux <= aux) return ir_emit(l, op, t, i.a, 0, 0, i.aux);
    if (i.op == IR_TRUNC && t == IT_I64 && is(l, i.a, IR_SEXT) && at(l, i.a)->aux <= aux) return i.a;
    return 0;
  case IR_ZEXT:
    if (i.op == IR_TRUNC && at(l, i.a)->bits <= 32) return i.a;
    return 0;
  case IR_TRUNC:
    if (i.op == IR_ZEXT) return i.a;
    if (i.op == IR_SEXT) return ir_emit(l, IR_SEXT, t, i.a, 0, 0, i.aux);
    if (i.op == IR_SHRU && k_is(l, i.b, 63)) return e2(l, IR_LTS, IT_I32, i.a, k(l, IT_I64, 0));
    if (i.op == IR_OR && k64(l, i.b, &y) && !(uint32_t)y) return e1(l, op, t, i.a);
    if (i.op == IR_OR && is(l, i.b, IR_SHL) && k64(l, at(l, i.b)->b, &y) && y >= 32) return e1(l, op, t, i.a);
    if (i.op == IR_OR && is(l, i.a, IR_SHL) && k64(l, at(l, i.a)->b, &y) && y >= 32) return e1(l, op, t, i.b);
    if (i.op == IR_SELECT && is(l, i.b, IR_ZEXT) && is(l, i.c, IR_ZEXT))
      return ir_emit(l, IR_SELECT, t, i.a, at(l, i.b)->a, at(l, i.c)->a, 0);
    return 0;
  case IR_LOW:
  case IR_HIGH:
    if (i.op == IR_PAIR) return op == IR_LOW ? i.a : i.b;
    if (i.op == IR_CONST) {
      u128 v = ir_const_value(l->b, a);
      return k(l, t, (uint64_t)(op == IR_LOW ? v : v >> 64));
    }
    if (i.op == IR_CAST) return ir_emit(l, IR_VLANE, t, i.a, op == IR_HIGH, 0, 64);
    return 0;
  default: return 0;
  }
}

ref ir_fold_cast(struct lift *l, enum ir_type t, ref a) {
  const struct ir_ins i = *at(l, a);
  u128 v;
  if (i.type == t) return a;
  if (ir_is_k(l, a, &v)) return ir_k(l, t, v);
  if (i.op == IR_CAST) return at(l, i.a)->type == t ? i.a : ir_emit(l, IR_CAST, t, i.a, 0, 0, 0);
  if (i.op == IR_GET && ir_is_int((enum ir_type)i.type) && l->value[i.aux] == a &&
      ir_type_bits(t) == l->guest->slots[i.aux].bits) {
    ref g = ir_append(l, IR_GET, t, 0, 0, 0, i.aux);
    l->value[i.aux] = (uint16_t)g;
    return g;
  }
  return 0;
}

/* What descriptions spell out for a zero divisor or the signed overflow is what the division does by itself: r, a quotient of
 * b's a, already is `value` when c holds. */
static bool division_covers(const struct lift *l, ref c, ref value, ref r) {
  const struct ir_ins q = *at(l, r), i = *at(l, c);
  if ((q.op != IR_DIVS && q.op != IR_DIVU) || !ir_is_int((enum ir_type)q.type)) return false;
  if (i.op == IR_EQ && i.a == q.b && k_is(l, i.b, 0)) return k_is(l, value, 0);
  if (i.op != IR_AND || q.op != IR_DIVS || value != q.a) return false;
  for (int turn = 0; turn < 2; turn++) {
    const struct ir_ins x = *at(l, turn ? i.b : i.a), y = *at(l, turn ? i.a : i.b);
    unsigned w = ir_type_bits((enum ir_type)q.type);
    if (x.op == IR_EQ && y.op == IR_EQ && x.a == q.a && y.a == q.b && k_is(l, x.b, (uint64_t)1 << (w - 1)) &&
        k_is(l, y.b, bits_mask(w)))
      return true;
  }
  return false;
}

static ref fold_select(struct lift *l, enum ir_type t, ref c, ref a, ref b) {
  uint64_t x;
  const struct ir_ins i = *at(l, c);
  if (k64(l, c, &x)) return x ? a : b;
  if (a == b) return a;
  if (division_covers(l, c, a, b)) return b;
  if (i.op == IR_XOR && k_is(l, i.b, 1)) return ir_emit(l, IR_SELECT, t, i.a, b, a, 0);
  if (!ir_is_int(t)) return 0;
  if (k_is(l, a, 1) && k_is(l, b, 0)) return t == IT_I64 ? e1(l, IR_ZEXT, t, c) : c;
  if (k_is(l, a, 0) && k_is(l, b, 1)) {
    ref n = e2(l, IR_XOR, IT_I32, c, k(l, IT_I32, 1));
    return t == IT_I64 ? e1(l, IR_ZEXT, t, n) : n;
  }
  return 0;
}

static ref fold_scale(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b) {
  uint64_t x;
  if (!k64(l, b, &x)) return 0;
  unsigned n = x ? (unsigned)__builtin_ctzll(x) : 0;
  bool power = x && !(x & (x - 1));
  if (op == IR_MUL && !x) return b;
  if (op == IR_MUL && power) return e2(l, IR_SHL, t, a, k(l, IT_I32, n));
  if (op == IR_DIVU && power) return e2(l, IR_SHRU, t, a, k(l, IT_I32, n));
  if (op == IR_REMU && power) return e2(l, IR_AND, t, a, k(l, t, x - 1));
  return 0;
}

ref ir_fold_lane(struct lift *l, enum ir_type t, ref a, unsigned bits, unsigned lane) {
  for (;;) {
    const struct ir_ins i = *at(l, a);
    u128 v;
    if (ir_is_k(l, a, &v))
      return k(l, t, (uint64_t)(lane * bits < 128 ? v >> lane * bits : 0) & bits_mask(bits));
    if (i.op == IR_VINS && i.aux == bits) {
      if (i.c != lane) {
        a = i.a;
        continue;
      }
      ref x = i.b;
      if (at(l, x)->type == IT_I32 && t == IT_I64) x = e1(l, IR_ZEXT, t, x);
      if (at(l, x)->type == IT_I64 && t == IT_I32) x = e1(l, IR_TRUNC, t, x);
      return e2(l, IR_AND, t, x, k(l, t, bits_mask(bits)));
    }
    if (i.op == IR_CAST && is(l, i.a, IR_PAIR) && bits <= 64 && 64 % bits == 0) {
      const struct ir_ins p = *at(l, i.a);
      ref half = lane * bits < 64 ? p.a : p.b;
      ref x = e2(l, IR_SHRU, IT_I64, half, k(l, IT_I32, lane * bits % 64));
      if (t == IT_I32) x = e1(l, IR_TRUNC, IT_I32, x);
      return e2(l, IR_AND, t, x, k(l, t, bits_mask(bits)));
    }
    if (i.op == IR_VJOIN) {
      unsigned half = 128 / bits;
      a = lane < half ? i.a : i.b;
      if (lane >= half) return ir_emit(l, IR_VLANE, t, a, lane - half, 0, bits);
      continue;
    }
    if (i.op == IR_VSPLAT && i.aux == bits) {
      ref x = i.a;
      if (at(l, x)->type == IT_I32 && t == IT_I64) x = e1(l, IR_ZEXT, t, x);
      if (at(l, x)->type == IT_I64 && t == IT_I32) x = e1(l, IR_TRUNC, t, x);
      return e2(l, IR_AND, t, x, k(l, t, bits_mask(bits)));
    }
    return a == 0 ? 0 : (ref)(a | 0x10000); /* the vector to take the lane from */
  }
}

/* All lanes are one lane of a vector. */
static ref fold_splat(struct lift *l, enum ir_type t, ref a, unsigned bits) {
  const struct ir_ins i = *at(l, a);
  uint8_t from[16];
  if (t != IT_V128 || i.op != IR_VLANE || i.aux != bits || at(l, i.a)->type != IT_V128) return 0;
  for (unsigned k = 0; k < 16; k++) from[k] = (uint8_t)(i.b * bits / 8 + k % (bits / 8));
  return ir_vperm(l, i.a, i.a, from);
}

static bool commutes(enum ir_op op) {
  return op == IR_ADD || op == IR_MUL || op == IR_AND || op == IR_OR || op == IR_XOR || op == IR_EQ ||
         op == IR_NE || op == IR_MULHU || op == IR_MULHS || op == IR_ADDO;
}

ref ir_fold(struct lift *l, enum ir_op op, enum ir_type t, ref *a, ref *b, ref *c, uint32_t *aux) {
  unsigned n = ir_op_info[op].nargs;
  uint64_t v[3] = {0}, r, x;
  ref arg[3] = {*a, *b, *c};
  bool all = n > 0;
  for (unsigned i = 0; i < n; i++)
    all = all && ir_is_int((enum ir_type)at(l, arg[i])->type) && k64(l, arg[i], &v[i]);
  if (all && ir_compute(op, t, (enum ir_type)at(l, *a)->type, *aux, v, &r)) return k(l, t, r);
  if (commutes(op) && !is(l, *b, IR_CONST) && (is(l, *a, IR_CONST) || *a > *b)) *a = arg[1], *b = arg[0];
  switch (op) {
  case IR_ADD: return fold_add(l, t, *a, *b);
  case IR_SUB:
    if (*a == *b) return k(l, t, 0);
    if (k64(l, *b, &x)) return e2(l, IR_ADD, t, *a, k(l, t, -x));
    if (k_is(l, *a, 0)) return e1(l, IR_NEG, t, *b);
    return 0;
  case IR_AND:
    if (t == IT_V128 && is(l, *a, IR_CONST) && is(l, *b, IR_CONST))
      return ir_k(l, t, ir_const_value(l->b, *a) & ir_const_value(l->b, *b));
    if (t == IT_V128 && is(l, *b, IR_CONST) && !~ir_const_value(l->b, *b)) return *a;
    return fold_and(l, t, *a, *b);
  case IR_OR: return fold_or(l, t, *a, *b);
  case IR_XOR: return fold_xor(l, t, *a, *b);
  case IR_ANDN:
    if (*a == *b) return ir_k(l, t, 0);
    if (ir_is_int(t) && k64(l, *b, &x)) return e2(l, IR_AND, t, *a, k(l, t, ~x));
    return fold_extended(l, IR_ANDN, t, *a, *b);
  case IR_NOT:
  case IR_NEG: return at(l, *a)->op == op ? at(l, *a)->a : 0;
  case IR_SHL:
  case IR_SHRU:
  case IR_SHRS:
  case IR_ROL:
  case IR_ROR: return fold_shift(l, op, t, *a, b);
  case IR_MUL:
  case IR_DIVU:
  case IR_REMU: return ir_is_int(t) ? fold_scale(l, op, t, *a, *b) : 0;
  case IR_EQ:
  case IR_NE: return fold_equal(l, op, *a, *b);
  case IR_LTU:
  case IR_LEU:
  case IR_LTS:
  case IR_LES: return fold_less(l, op, *a, *b);
  case IR_SEXT:
  case IR_ZEXT:
  case IR_TRUNC:
  case IR_LOW:
  case IR_HIGH: return fold_convert(l, op, t, *a, *aux);
  case IR_PAIR:
    if (is(l, *a, IR_LOW) && is(l, *b, IR_HIGH) && at(l, *a)->a == at(l, *b)->a) return at(l, *a)->a;
    if (is(l, *a, IR_CONST) && is(l, *b, IR_CONST))
      return ir_k(l, t, ir_const_value(l->b, *a) | ir_const_value(l->b, *b) << 64);
    return 0;
  case IR_VLOW:
  case IR_VHIGH:
    if (at(l, *a)->op == IR_VJOIN) return op == IR_VLOW ? at(l, *a)->a : at(l, *a)->b;
    if (at(l, *a)->op == IR_CONST) return ir_k(l, t, op == IR_VLOW ? ir_const_value(l->b, *a) : 0);
    return 0;
  case IR_VJOIN:
    return is(l, *a, IR_VLOW) && is(l, *b, IR_VHIGH) && at(l, *a)->a == at(l, *b)->a ? at(l, *a)->a : 0;
  case IR_VSPLAT: return fold_splat(l, t, *a, *aux);
  case IR_CAST: return ir_fold_cast(l, t, *a);
  case IR_SELECT: return fold_select(l, t, *a, *b, *c);
  case IR_VLANE: {
    ref got = ir_fold_lane(l, t, *a, *aux, *b);
    if (!(got & 0x10000)) return got;
    *a = got & 0xffff;
    return 0;
  }
  default: return 0;
  }
}
