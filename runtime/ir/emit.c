/* Appends entries: interns constants, commons what was computed before, and keeps for each integer the bound of its
 * bits. Simplification is fold.c's. */
#include "ir/int.h"

static unsigned hash(enum ir_op op, enum ir_type t, ref a, ref b, ref c, uint32_t aux) {
  uint32_t h = (uint32_t)op * 0x9e3779b1u ^ (uint32_t)t << 24 ^ a * 0x85ebca6bu ^ b * 0xc2b2ae35u ^
               c * 0x27d4eb2fu ^ aux * 0x165667b1u;
  return (h ^ h >> 15) % LIFT_HASH;
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }
static unsigned most(unsigned a, unsigned b) { return a > b ? a : b; }

/* A bound of the result's bits. */
static unsigned bound(const struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b, ref c,
                      uint32_t aux) {
  unsigned w = ir_type_bits(t), n = ir_op_info[op].nargs;
  unsigned x = n > 0 ? ir_at(l, a)->bits : 0, y = n > 1 ? ir_at(l, b)->bits : 0;
  u128 k = 0;
  bool by = n > 1 && ir_is_k(l, b, &k);
  if (!ir_is_int(t)) return 0;
  switch (op) {
  case IR_AND: return least(x, y);
  case IR_ANDN: return x;
  case IR_OR:
  case IR_XOR: return most(x, y);
  case IR_ADD: return least(w, most(x, y) + 1);
  case IR_MUL: return least(w, x + y);
  case IR_SHL: return by ? least(w, x + ((unsigned)k & (w - 1))) : w;
  case IR_SHRU: return by ? x - least(x, (unsigned)k & (w - 1)) : x;
  case IR_SHRS: return x < w ? (by ? x - least(x, (unsigned)k & (w - 1)) : x) : w;
  case IR_DIVU: return x;
  case IR_REMU: return least(x, y);
  case IR_EQ:
  case IR_NE:
  case IR_LTU:
  case IR_LEU:
  case IR_LTS:
  case IR_LES:
  case IR_ADDO:
  case IR_SUBO:
  case IR_PARITY:
  case IR_FEQ:
  case IR_FLT:
  case IR_FLE:
  case IR_FUN:
  case IR_VANY:
  case IR_STOREX: return 1;
  case IR_SEXT: return x < aux ? x : w;
  case IR_ZEXT: return x;
  case IR_TRUNC: return least(x, 32);
  case IR_SELECT: return most(y, ir_at(l, c)->bits);
  case IR_CLZ:
  case IR_CTZ:
  case IR_POPCOUNT: return w == 64 ? 7 : 6;
  case IR_GET: return least(w, l->guest->slots[aux].bits);
  case IR_LOAD:
  case IR_LOADX:
  case IR_RMW:
  case IR_CAS: return least(w, IR_MEM_BITS(aux));
  case IR_VLANE: return least(w, aux);
  case IR_FCLASS: return 10;
  case IR_FTOI: return w;
  default: return w;
  }
}

ref ir_append(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b, ref c, uint32_t aux) {
  struct ir_block *bl = l->b;
  assert(bl->n < IR_MAX_INS);
  ref r = bl->n++;
  bl->ins[r] = (struct ir_ins){.op = (uint8_t)op,
                               .type = (uint8_t)t,
                               .bits = (uint8_t)bound(l, op, t, a, b, c, aux),
                               .a = (uint16_t)a,
                               .b = (uint16_t)b,
                               .c = (uint16_t)c,
                               .aux = aux};
  return r;
}

static ref chained(struct lift *l, unsigned h, ref r) {
  l->b->ins[r].chain = l->hash[h];
  l->hash[h] = (uint16_t)r;
  return r;
}

static ref intern(struct lift *l, enum ir_op op, enum ir_type t, u128 value) {
  struct ir_block *b = l->b;
  unsigned h = hash(op, t, 0, 0, 0, (uint32_t)value ^ (uint32_t)(value >> 32));
  for (ref r = l->hash[h]; r; r = b->ins[r].chain) {
    if (b->ins[r].op == op && b->ins[r].type == t && b->konst[b->ins[r].aux] == value) return r;
  }
  assert(b->nconst < IR_MAX_CONST);
  b->konst[b->nconst] = value;
  return chained(l, h, ir_append(l, op, t, 0, 0, 0, b->nconst++));
}

ref ir_k(struct lift *l, enum ir_type t, u128 value) {
  if (t == IT_I32 || t == IT_F32) value = (uint32_t)value;
  else if (t == IT_I64 || t == IT_F64) value = (uint64_t)value;
  ref r = intern(l, IR_CONST, t, value);
  l->b->ins[r].bits = ir_is_int(t) ? (uint8_t)ir_bits_of(value) : 0;
  return r;
}

ref ir_pc_at(struct lift *l, int64_t offset) { return intern(l, IR_PC, IT_I64, (uint64_t)offset); }

bool ir_is_k(const struct lift *l, ref r, u128 *value) {
  if (!r || ir_at(l, r)->op != IR_CONST) return false;
  *value = ir_const_value(l->b, r);
  return true;
}

static ref find(const struct lift *l, unsigned h, enum ir_op op, enum ir_type t, ref a, ref b, ref c,
                uint32_t aux) {
  for (ref r = l->hash[h]; r; r = ir_at(l, r)->chain) {
    const struct ir_ins *i = ir_at(l, r);
    if (i->op == op && i->type == t && i->a == a && i->b == b && i->c == c && i->aux == aux &&
        (ir_op_info[op].kind == 'P' || r > l->barrier))
      return r;
  }
  return 0;
}

ref ir_known(const struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b) {
  return find(l, hash(op, t, a, b, 0, 0), op, t, a, b, 0, 0);
}

ref ir_emit(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b, ref c, uint32_t aux) {
  char kind = ir_op_info[op].kind;
  if (!l->fold || (kind != 'P' && kind != 'F')) return ir_append(l, op, t, a, b, c, aux);
  ref r = ir_fold(l, op, t, &a, &b, &c, &aux);
  if (r) return r;
  unsigned h = hash(op, t, a, b, c, aux);
  r = find(l, h, op, t, a, b, c, aux);
  return r ? r : chained(l, h, ir_append(l, op, t, a, b, c, aux));
}
