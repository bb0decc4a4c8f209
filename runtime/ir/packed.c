/* Vectors beyond plain lanes: floating point on all lanes at once, averages, tables of bytes. */
#include <string.h>

#include "fp/fp.h"
#include "ir/int.h"

static ref op2(struct lift *l, enum ir_op op, enum ir_type t, unsigned lane, ref a, ref b) {
  return ir_vop(l, op, t, lane, a, b);
}

ref ir_vfp(struct lift *l, enum ir_op op, enum ir_type t, unsigned lane, const struct ir_fp *how, ref a,
           ref b, ref c) {
  const unsigned n = ir_op_info[op].nargs;
  struct ir_fp all = *how;
  all.lane = (uint8_t)lane;
  if (t == IT_V256) {
    const ref low = ir_vfp(l, op, IT_V128, lane, how, ir_vlow(l, a), n > 1 ? ir_vlow(l, b) : 0,
                           n > 2 ? ir_vlow(l, c) : 0);
    return ir_vjoin(l, low,
                    ir_vfp(l, op, IT_V128, lane, how, ir_vhigh(l, a), n > 1 ? ir_vhigh(l, b) : 0,
                           n > 2 ? ir_vhigh(l, c) : 0));
  }
  return ir_fp(l, op, 128, &all, ir_vlow(l, a), n > 1 ? ir_vlow(l, b) : 0, n > 2 ? ir_vlow(l, c) : 0);
}

ref ir_vmerge(struct lift *l, ref a, ref kept, ref rest) {
  return op2(l, IR_OR, IT_V128, 0, op2(l, IR_AND, IT_V128, 0, a, kept), rest);
}

ref ir_vlook(struct lift *l, ref table, ref index) {
  return op2(l, IR_VLOOK, IT_V128, 0, ir_vlow(l, table), ir_vlow(l, index));
}

ref ir_vpacked(struct lift *l, enum ir_op op, unsigned lane, ref a, ref b, ref c) {
  const unsigned n = ir_op_info[op].nargs;
  if (op == IR_VAESM && ir_at(l, a)->op == IR_VAESS)
    return ir_emit(l, IR_VAESSM, IT_V128, ir_at(l, a)->a, 0, 0, 0);
  if (op == IR_VAESIM && ir_at(l, a)->op == IR_VAESD)
    return ir_emit(l, IR_VAESDM, IT_V128, ir_at(l, a)->a, 0, 0, 0);
  return ir_emit(l, op, IT_V128, ir_vlow(l, a), n > 1 ? ir_vlow(l, b) : 0, n > 2 ? ir_vlow(l, c) : 0, lane);
}

ref ir_vany(struct lift *l, ref a) {
  u128 k;
  a = ir_vlow(l, a);
  if (ir_is_k(l, a, &k)) return ir_k(l, IT_I32, k != 0);
  return ir_emit(l, IR_VANY, IT_I32, a, 0, 0, 0);
}

/* From a + b == 2 (a & b) + (a ^ b) == 2 (a | b) - (a ^ b) and a - b == (a ^ b) - 2 (b & ~a). */
ref ir_vhalf(struct lift *l, enum ir_type t, unsigned lane, bool sub, bool is_signed, bool up, ref a, ref b) {
  if (up && !sub && !is_signed && lane <= 16) return op2(l, IR_VAVGU, t, lane, a, b);
  const ref differ = op2(l, IR_XOR, t, 0, a, b);
  const ref half = op2(l, is_signed ? IR_VSHRS : IR_VSHRU, t, lane, differ, ir_k(l, IT_I32, 1));
  if (sub) return op2(l, IR_VSUB, t, lane, half, op2(l, IR_AND, t, 0, b, ir_vnot(l, t, a)));
  if (up) return op2(l, IR_VSUB, t, lane, op2(l, IR_OR, t, 0, a, b), half);
  return op2(l, IR_VADD, t, lane, op2(l, IR_AND, t, 0, a, b), half);
}

static uint64_t lane_of(const uint64_t x[2], unsigned w, unsigned i) {
  return w == 64 ? x[i] : (uint32_t)(x[i / 2] >> i % 2 * 32);
}

void ir_fp_compute_lanes(unsigned op, const struct ir_fp *how, const uint64_t operand[3][2], uint64_t out[2],
                         unsigned *flags) {
  const unsigned w = how->lane;
  const bool mask = op >= IR_FEQ && op <= IR_FUN;
  uint64_t r[2] = {0, 0};
  for (unsigned i = 0; i < 128 / w; i++) {
    const uint64_t x[3] = {lane_of(operand[0], w, i), lane_of(operand[1], w, i), lane_of(operand[2], w, i)};
    uint64_t y = ir_fp_compute(op, w == 64, how, x, flags);
    if (mask && y) y = bits_mask(w);
    r[i * w / 64] |= y << i * w % 64;
  }
  memcpy(out, r, sizeof r);
}
