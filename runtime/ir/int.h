/* Inside runtime/ir: emission of entries below the lifters' interface. */
#ifndef ISOMER_IR_INT_H
#define ISOMER_IR_INT_H

#include <assert.h>

#include "core/bits.h"
#include "ir/build.h"

/* emit.c. `ir_emit` simplifies and commons (l->fold); `ir_append` only appends. */
ref ir_emit(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b, ref c, uint32_t aux);
/* An operation without effect that was emitted already, 0: it was not. */
ref ir_known(const struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b);
ref ir_append(struct lift *l, enum ir_op op, enum ir_type t, ref a, ref b, ref c, uint32_t aux);
ref ir_pc_at(struct lift *l, int64_t offset);         /* an interned PC entry */
ref ir_k(struct lift *l, enum ir_type t, u128 value); /* an interned constant */
bool ir_is_k(const struct lift *l, ref r, u128 *value);

/* fold.c: an entry of the same value, or 0. May change the operands to a better form. */
ref ir_fold(struct lift *l, enum ir_op op, enum ir_type t, ref *a, ref *b, ref *c, uint32_t *aux);
ref ir_fold_cast(struct lift *l, enum ir_type t, ref a);
ref ir_fold_lane(struct lift *l, enum ir_type t, ref a, unsigned bits, unsigned lane);

/* float.c: comparisons from entry `from` on raise nothing. */
void ir_silence(struct lift *l, ref from);

/* state.c */
ref ir_slot_value(struct lift *l, unsigned slot);
unsigned ir_exit_interp(struct lift *l); /* exit that runs the current instruction in the interpreter */

static inline const struct ir_ins *ir_at(const struct lift *l, ref r) { return &l->b->ins[r]; }
static inline unsigned ir_type_bits(enum ir_type t) {
  static const uint16_t bits[] = {0, 32, 64, 128, 32, 64, 128, 256};
  return bits[t];
}
static inline enum ir_type ir_type_of(unsigned width) {
  return width <= 32 ? IT_I32 : width <= 64 ? IT_I64 : IT_I128;
}
static inline bool ir_is_int(enum ir_type t) { return t == IT_I32 || t == IT_I64; }
static inline bool ir_is_vec(enum ir_type t) { return t == IT_V128 || t == IT_V256; }
static inline unsigned ir_bits_of(u128 v) {
  return (uint64_t)(v >> 64) ? 128u - (unsigned)__builtin_clzll((uint64_t)(v >> 64))
         : (uint64_t)v       ? 64u - (unsigned)__builtin_clzll((uint64_t)v)
                             : 0u;
}

#endif
