/* Vectors: whole registers in and out, lane by lane operations, parts. A vector of fewer bits than its type has anything
 * above; putting it into a register says what becomes of the rest. */
#include <string.h>

#include "ir/wide.h"

static enum ir_type type(const struct lift *l, ref a) { return (enum ir_type)ir_at(l, a)->type; }

static ref as_vector(struct lift *l, ref a) {
  return ir_is_vec(type(l, a)) ? a : ir_emit(l, IR_CAST, IT_V128, a, 0, 0, 0);
}

ref ir_vget(struct lift *l, unsigned slot) { return as_vector(l, ir_slot_value(l, slot)); }
ref ir_vconst(struct lift *l, u128 value) { return ir_k(l, IT_V128, value); }
ref ir_vzero(struct lift *l, enum ir_type t) { return ir_k(l, t, 0); }

ref ir_vlow(struct lift *l, ref a) {
  a = as_vector(l, a);
  return type(l, a) == IT_V256 ? ir_emit(l, IR_VLOW, IT_V128, a, 0, 0, 0) : a;
}

ref ir_vhigh(struct lift *l, ref a) { return ir_emit(l, IR_VHIGH, IT_V128, a, 0, 0, 0); }
ref ir_vjoin(struct lift *l, ref low, ref high) { return ir_emit(l, IR_VJOIN, IT_V256, low, high, 0, 0); }

ref ir_vop(struct lift *l, enum ir_op op, enum ir_type t, unsigned lane, ref a, ref b) {
  bool shift = op == IR_VSHL || op == IR_VSHRU || op == IR_VSHRS;
  return ir_emit(l, op, t, as_vector(l, a), shift ? b : as_vector(l, b), 0, lane);
}

ref ir_vnot(struct lift *l, enum ir_type t, ref a) { return ir_emit(l, IR_NOT, t, as_vector(l, a), 0, 0, 0); }

ref ir_vchoose(struct lift *l, enum ir_type t, ref mask, ref a, ref b) {
  return ir_vop(l, IR_OR, t, 0, ir_vop(l, IR_AND, t, 0, a, mask),
                ir_emit(l, IR_ANDN, t, as_vector(l, b), mask, 0, 0));
}

ref ir_vsplat(struct lift *l, enum ir_type t, unsigned lane, ref x) {
  return ir_emit(l, IR_VSPLAT, t, x, 0, 0, lane);
}

ref ir_vinsert(struct lift *l, unsigned lane, unsigned at, ref a, ref x) {
  a = as_vector(l, a);
  return ir_emit(l, IR_VINS, type(l, a), a, x, at, lane);
}

ref ir_vinsert_if(struct lift *l, bool so, unsigned lane, unsigned at, ref a, ref x) {
  return so ? ir_vinsert(l, lane, at, a, x) : a;
}

ref ir_vlane(struct lift *l, unsigned lane, unsigned at, ref a) {
  return ir_emit(l, IR_VLANE, ir_type_of(lane), as_vector(l, a), at, 0, lane);
}

static ref scalar(struct lift *l, ref x) {
  return type(l, x) == IT_F32 || type(l, x) == IT_F64 ? ir_float_bits(l, x) : x;
}

ref ir_vbuild(struct lift *l, unsigned lane, unsigned n, const ref *x) {
  if (n * lane == 256) return ir_vjoin(l, ir_vbuild(l, lane, n / 2, x), ir_vbuild(l, lane, n / 2, x + n / 2));
  ref v = ir_vsplat(l, IT_V128, lane, scalar(l, x[0]));
  for (unsigned i = 1; i < n; i++) v = ir_vinsert(l, lane, i, v, scalar(l, x[i]));
  return v;
}

ref ir_vperm(struct lift *l, ref a, ref b, const uint8_t from[16]) {
  struct ir_block *bl = l->b;
  unsigned i = 0;
  while (i < bl->nperm && memcmp(bl->perm[i], from, 16)) i++;
  if (i == bl->nperm) {
    assert(i < IR_MAX_PERM);
    memcpy(bl->perm[bl->nperm++], from, 16);
  }
  return ir_emit(l, IR_VPERM, IT_V128, as_vector(l, a), as_vector(l, b), 0, i);
}

void ir_vput(struct lift *l, unsigned slot, unsigned low, unsigned width, bool keep, ref a) {
  unsigned have = l->guest->slots[slot].bits;
  if (l->skip) return;
  a = as_vector(l, a);
  if (width == have) {
    ir_put(l, slot, width, a);
    return;
  }
  if (keep && width < 128) {
    ref old = ir_vget(l, slot);
    for (unsigned k = 0; k < width; k += 64) {
      unsigned lane = width < 64 ? width : 64;
      old = ir_vinsert(l, lane, (low + k) / lane, old, ir_vlane(l, lane, k / lane, a));
    }
    ir_put(l, slot, have, old);
    return;
  }
  if (width < 128) a = ir_vop(l, IR_AND, IT_V128, 0, a, ir_vconst(l, bits_mask128(width)));
  if (have == 256) {
    ref old = keep ? ir_vget(l, slot) : 0;
    if (low) a = ir_vjoin(l, keep ? ir_vlow(l, old) : ir_vzero(l, IT_V128), a);
    else a = ir_vjoin(l, a, keep ? ir_vhigh(l, old) : ir_vzero(l, IT_V128));
  }
  ir_put(l, slot, have, a);
}

void ir_vput_scalar(struct lift *l, unsigned slot, unsigned low, unsigned width, bool keep, ref x) {
  if (l->skip) return;
  ir_operand(l, x, width);
  if (keep && width <= 64) {
    assert(width >= 8 && !(width & (width - 1)) && low % width == 0);
    ir_put(l, slot, l->guest->slots[slot].bits, ir_vinsert(l, width, low / width, ir_vget(l, slot), x));
    return;
  }
  assert(low == 0 || width == 128);
  if (width <= 64) x = ir_emit(l, IR_PAIR, IT_I128, ir_to(l, x, IT_I64), ir_k(l, IT_I64, 0), 0, 0);
  ir_vput(l, slot, low, 128, keep, x);
}
