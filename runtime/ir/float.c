/* Floating point: entries carry how they round and treat NaNs; what they raise is theirs to record. */
#include <string.h>

#include "fp/fp.h"
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
  if (how->lane) t = IT_V128;
  else if (op >= IR_FEQ && op <= IR_FUN) t = IT_I32;
  else if (op == IR_FCVT) t = width == 32 ? IT_F64 : IT_F32;
  else if (op == IR_FTOI) t = how->bits == 32 ? IT_I32 : IT_I64;
  if (l->skip) return ir_k(l, t, 0);
  return ir_emit(l, op, t, a, b, c, intern(l, how));
}

static ref power_of_two(struct lift *l, bool is64, int n) {
  return is64 ? ir_k(l, IT_F64, (uint64_t)(1023 + n) << 52) : ir_k(l, IT_F32, (uint64_t)(127 + n) << 23);
}

/* Multiplied by a power of two nothing is rounded: a converted integer stays a normal number; an F32 is scaled as an F64; an
 * F64 that might overflow is beyond every integer as it is. Flags and flushing are those of the operand, once. */
ref ir_fp_scaled(struct lift *l, enum ir_op op, unsigned width, const struct ir_fp *how, ref a,
                 unsigned scale) {
  const bool is64 = width == 64;
  if (!scale || l->skip) return ir_fp(l, op, width, how, a, 0, 0);
  if (op == IR_ITOF)
    return ir_fp(l, IR_FMUL, width, how, ir_fp(l, op, width, how, a, 0, 0),
                 power_of_two(l, is64, -(int)scale), 0);
  if (!is64) {
    a = ir_fp(l, IR_FCVT, 32, how, a, 0, 0);
    return ir_fp(l, op, 64, how, ir_fp(l, IR_FMUL, 64, how, a, power_of_two(l, true, (int)scale), 0), 0, 0);
  }
  const ref exponent = ir_slice(l, 64, 52, 11, ir_float_bits(l, a));
  const ref beyond = ir_compare(l, IR_LTU, 11, ir_const(l, 11, 1023 + 128), exponent);
  const ref by = ir_select(l, 64, beyond, ir_float_bits(l, power_of_two(l, true, 0)),
                           ir_float_bits(l, power_of_two(l, true, (int)scale)));
  return ir_fp(l, op, 64, how, ir_fp(l, IR_FMUL, 64, how, a, ir_float(l, 64, by), 0), 0, 0);
}

void ir_silence(struct lift *l, ref from) {
  for (ref r = from; r < l->b->n; r++) {
    struct ir_ins *i = &l->b->ins[r];
    if (i->op < IR_FEQ || i->op > IR_FUN) continue;
    struct ir_fp how = l->b->fp[i->aux];
    how.quiet = IR_SILENT;
    i->aux = intern(l, &how);
  }
}

ref ir_fclass(struct lift *l, ref a) { return ir_emit(l, IR_FCLASS, IT_I32, a, 0, 0, 0); }

uint64_t ir_fp_compute(unsigned op, bool d, const struct ir_fp *f, const uint64_t operand[3],
                       unsigned *flags) {
  struct fp_env env = {f->rm, f->nan, f->tiny, f->daz, f->ftz, 0};
  struct fp_env *e = &env;
  const bool whole = d || (op == IR_ITOF && f->bits == 64);
  const uint64_t m = whole ? UINT64_MAX : UINT32_MAX, a = operand[0] & m, b = operand[1] & m,
                 c = operand[2] & m;
  uint64_t r;
  switch (op) {
  case IR_FADD: r = d ? fp64_add(e, a, b) : fp32_add(e, a, b); break;
  case IR_FSUB: r = d ? fp64_sub(e, a, b) : fp32_sub(e, a, b); break;
  case IR_FMUL: r = d ? fp64_mul(e, a, b) : fp32_mul(e, a, b); break;
  case IR_FDIV: r = d ? fp64_div(e, a, b) : fp32_div(e, a, b); break;
  case IR_FSQRT: r = d ? fp64_sqrt(e, a) : fp32_sqrt(e, a); break;
  case IR_FMA: r = d ? fp64_fma(e, a, b, c) : fp32_fma(e, a, b, c); break;
  case IR_FMIN: r = d ? fp64_min(e, a, b, f->minmax, 1) : fp32_min(e, a, b, f->minmax, 1); break;
  case IR_FMAX: r = d ? fp64_max(e, a, b, f->minmax, 1) : fp32_max(e, a, b, f->minmax, 1); break;
  case IR_FEQ: r = (uint64_t)(d ? fp64_eq(e, a, b, f->quiet) : fp32_eq(e, a, b, f->quiet)); break;
  case IR_FLT: r = (uint64_t)(d ? fp64_lt(e, a, b, f->quiet) : fp32_lt(e, a, b, f->quiet)); break;
  case IR_FLE: r = (uint64_t)(d ? fp64_le(e, a, b, f->quiet) : fp32_le(e, a, b, f->quiet)); break;
  case IR_FUN: r = (d ? fp64_cmp(e, a, b, f->quiet) : fp32_cmp(e, a, b, f->quiet)) == FP_UN; break;
  case IR_FCVT: r = d ? fp64_to_fp32(e, a) : fp32_to_fp64(e, a); break;
  case IR_FTOI:
    r = d ? fp64_to_int(e, a, f->bits, f->sign, f->bad) : fp32_to_int(e, a, f->bits, f->sign, f->bad);
    break;
  case IR_ITOF: r = d ? fp64_from_int(e, a, f->bits, f->sign) : fp32_from_int(e, a, f->bits, f->sign); break;
  case IR_FRINT: r = d ? fp64_round_to_int(e, a, f->exact) : fp32_round_to_int(e, a, f->exact); break;
  default: r = d ? fp64_class(a) : fp32_class(a); break;
  }
  const bool compares = op >= IR_FEQ && op <= IR_FUN;
  if (!compares || f->quiet != IR_SILENT) *flags |= env.flags;
  return r;
}
