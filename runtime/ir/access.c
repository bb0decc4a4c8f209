/* Accesses to guest memory. */
#include "ir/wide.h"

static enum ir_type loaded(unsigned width) {
  return width <= 64 ? ir_type_of(width) : width == 128 ? IT_I128 : IT_V256;
}

static enum ir_type plain(unsigned width) { return width == 128 ? IT_V128 : loaded(width); }

/* A stand-in for the result of an access that is never made. */
static ref nothing(struct lift *l, unsigned width) { return ir_k(l, loaded(width), 0); }

static ref access(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b, uint32_t aux) {
  ir_operand(l, a, 64);
  unsigned x = ir_exit_interp(l);
  l->stored |= op != IR_LOAD && op != IR_PROBE;
  return ir_append(l, op, t, a, b, x, aux);
}

ref ir_load(struct lift *l, unsigned width, ref address, unsigned attr) {
  if (l->skip) return ir_k(l, plain(width), 0);
  return access(l, IR_LOAD, plain(width), address, 0, IR_MEM(width, attr, 0));
}

ref ir_load_ex(struct lift *l, unsigned width, ref address, unsigned attr) {
  if (l->skip) return nothing(l, width);
  return access(l, IR_LOADX, loaded(width), address, 0, IR_MEM(width, attr, 0));
}

void ir_store(struct lift *l, unsigned width, ref address, ref value, unsigned attr) {
  if (l->skip) return;
  ir_operand(l, value, width);
  access(l, IR_STORE, IT_NONE, address, value, IR_MEM(width, attr, 0));
}

ref ir_store_ex(struct lift *l, unsigned width, ref address, ref value, unsigned attr) {
  if (l->skip) return nothing(l, 1);
  ir_operand(l, value, width);
  return access(l, IR_STOREX, IT_I32, address, value, IR_MEM(width, attr, 0));
}

ref ir_rmw(struct lift *l, enum ir_rmw_op op, unsigned width, ref address, ref value, unsigned attr) {
  if (l->skip) return nothing(l, width);
  ir_operand(l, value, width);
  return access(l, IR_RMW, loaded(width), address, value, IR_MEM(width, attr, op));
}

ref ir_cas(struct lift *l, unsigned width, ref address, ref expect, ref value, unsigned attr) {
  if (l->skip) return nothing(l, width);
  ir_operand(l, expect, width), ir_operand(l, value, width);
  unsigned x = ir_exit_interp(l);
  l->stored = true;
  ir_append(l, IR_ARG, IT_NONE, value, 0, 0, 0);
  return ir_append(l, IR_CAS, loaded(width), ir_operand(l, address, 64), expect, x, IR_MEM(width, attr, 0));
}

void ir_probe(struct lift *l, ref address, ref bytes, int write) {
  if (!l->skip) access(l, IR_PROBE, IT_NONE, address, ir_operand(l, bytes, 64), IR_MEM(0, write, 0));
}

enum { FILL_STORES = 4 };

static bool multiple_of(const struct lift *l, ref r, uint64_t n) {
  const struct ir_ins *i = &l->b->ins[r];
  u128 k;
  return ir_is_k(l, i->op == IR_AND ? i->b : r, &k) && k % n == 0;
}

/* A few aligned vectors of zeros lie in one page: the first store says for all whether they may be written; else the interpreter
 * fills, as its handler does it. */
static bool by_stores(struct lift *l, ref address, ref bytes, ref byte) {
  u128 n, value;
  if (!ir_is_k(l, bytes, &n) || !ir_is_k(l, byte, &value) || value) return false;
  if (n % 16 || n > FILL_STORES * 16 || n & (n - 1) || !multiple_of(l, address, (uint64_t)n)) return false;
  for (unsigned at = 0; at < n; at += 16)
    ir_store(l, 128, ir_binary(l, IR_ADD, 64, address, ir_const(l, 64, at)), ir_vzero(l, IT_V128), 0);
  return true;
}

void ir_fill(struct lift *l, ref address, ref bytes, ref byte) {
  if (l->skip || by_stores(l, address, bytes, byte)) return;
  unsigned x = ir_exit_interp(l);
  l->stored = true;
  ir_append(l, IR_ARG, IT_NONE, ir_operand(l, byte, 8), 0, 0, 0);
  ir_append(l, IR_FILL, IT_NONE, ir_operand(l, address, 64), ir_operand(l, bytes, 64), x, 0);
}

void ir_fence(struct lift *l, unsigned sets) {
  if (!l->skip) ir_append(l, IR_FENCE, IT_NONE, 0, 0, 0, sets);
}
