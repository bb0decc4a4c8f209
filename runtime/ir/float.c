/* Floating point: entries carry how they round and treat NaNs; what they raise is theirs to record. */
#include <string.h>

#include "ir/int.h"

ref ir_float(struct lift *l, unsigned width, ref bits) {
  return ir_emit(l, IR_CAST, width == 32 ? IT_F32 : IT_F64, bits, 0, 0, 0);
}

ref ir_float_bits(struct lift *l, ref a) {
  return ir_emit(l, IR_CAST, ir_at(l, a)->type == IT_F32 ? IT_I32 : IT_I64, a, 0, 0, 0);
}

static unsigned intern(struct lift *l, const struct ir_fp *how) {
  struct ir_block *b = l->b;
  for (unsigned i = 0; i < b->nfp; i++) {
    if (!memcmp(&b->fp[i], how, sizeof *how)) return i;
  }
  assert(b->nfp < IR_MAX_FP);
  b->fp[b->nfp] = *how;
  return b->nfp++;
}

ref ir_fp(struct lift *l, enum ir_op op, unsigned width, const struct ir_fp *how, ref a, ref b, ref c) {
  enum ir_type t = width == 32 ? IT_F32 : IT_F64;
  if (op >= IR_FEQ && op <= IR_FUN) t = IT_I32;
  else if (op == IR_FCVT) t = width == 32 ? IT_F64 : IT_F32;
  else if (op == IR_FTOI) t = how->bits == 32 ? IT_I32 : IT_I64;
  if (l->skip) return ir_k(l, t, 0);
  return ir_emit(l, op, t, a, b, c, intern(l, how));
}

ref ir_fclass(struct lift *l, ref a) { return ir_emit(l, IR_FCLASS, IT_I32, a, 0, 0, 0); }
