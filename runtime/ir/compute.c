/* What pure integer operations of the IR yield, for folding constants and for evaluation in tests. */
#include "ir/int.h"

static uint64_t mul_high(uint64_t a, uint64_t b, bool sa, bool sb) {
  u128 x = sa ? (u128)(i128)(int64_t)a : a, y = sb ? (u128)(i128)(int64_t)b : b;
  return (uint64_t)(x * y >> 64);
}

static int64_t as_signed(uint64_t v, unsigned w) {
  return w == 64 ? (int64_t)v : (int64_t)(int32_t)(uint32_t)v;
}

bool ir_compute(enum ir_op op, enum ir_type t, enum ir_type from, uint32_t aux, const uint64_t v[3],
                uint64_t *out) {
  unsigned w = t == IT_I64 ? 64 : 32, fw = from == IT_I64 ? 64 : 32;
  uint64_t a = v[0], b = v[1], r, n = b & (w - 1);
  if (!ir_is_int(t) || (from && !ir_is_int(from))) return false;
  switch (op) {
  case IR_ADD: r = a + b; break;
  case IR_SUB: r = a - b; break;
  case IR_ADDX: r = a + b * aux; break;
  case IR_MUL: r = a * b; break;
  case IR_AND: r = a & b; break;
  case IR_OR: r = a | b; break;
  case IR_XOR: r = a ^ b; break;
  case IR_ANDN: r = a & ~b; break;
  case IR_NOT: r = ~a; break;
  case IR_NEG: r = -a; break;
  case IR_SHL: r = a << n; break;
  case IR_SHRU: r = a >> n; break;
  case IR_SHRS: r = (uint64_t)(as_signed(a, w) >> n); break;
  case IR_ROL: r = bits_rol(a, n, w); break;
  case IR_ROR: r = bits_ror(a, n, w); break;
  case IR_MULHU: r = mul_high(a, b, false, false); break;
  case IR_MULHS: r = mul_high(a, b, true, true); break;
  case IR_MULHSU: r = mul_high(a, b, true, false); break;
  case IR_DIVU: r = bits_divu(a, b); break;
  case IR_DIVS: r = bits_divs(a, b, w); break;
  case IR_REMU: r = bits_remu(a, b); break;
  case IR_REMS: r = bits_rems(a, b, w); break;
  case IR_DIVUW: r = a < v[2] ? (uint64_t)(((u128)a << 64 | b) / v[2]) : 0; break;
  case IR_REMUW: r = a < v[2] ? (uint64_t)(((u128)a << 64 | b) % v[2]) : 0; break;
  case IR_EQ: r = a == b; break;
  case IR_NE: r = a != b; break;
  case IR_LTU: r = a < b; break;
  case IR_LEU: r = a <= b; break;
  case IR_LTS: r = as_signed(a, fw) < as_signed(b, fw); break;
  case IR_LES: r = as_signed(a, fw) <= as_signed(b, fw); break;
  case IR_ADDO: r = ((a ^ (a + b)) & (b ^ (a + b))) >> (fw - 1) & 1; break;
  case IR_SUBO: r = ((a ^ b) & (a ^ (a - b))) >> (fw - 1) & 1; break;
  case IR_SEXT: r = bits_sext(a, aux); break;
  case IR_ZEXT: r = a; break;
  case IR_TRUNC: r = a; break;
  case IR_SELECT: r = a ? b : v[2]; break;
  case IR_CLZ: r = bits_clz(a, w); break;
  case IR_CTZ: r = bits_ctz(a, w); break;
  case IR_POPCOUNT: r = bits_popcount(a); break;
  case IR_PARITY: r = bits_parity(a); break;
  case IR_BSWAP: r = bits_bswap(a, w); break;
  case IR_BREV: r = bits_brev(a, w); break;
  case IR_ORC8: r = bits_orc8(a); break;
  default: return false;
  }
  *out = r & bits_mask(w);
  return true;
}
