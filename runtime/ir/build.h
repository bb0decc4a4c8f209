/* The builder that generated lifters call. It fixes the boundary between description and IR: which operations exist,
 * their widths, what is translation time (plain C arguments) and what is run time (`ref`). The only implementation so
 * far is the type checker in tests/unit/test_lift.c; the IR proper implements the same calls.
 *
 * Widths are bits, 1..128. A ref is a value of one width. Slots are the ISA's generated <ISA>_SLOT_* numbers. */
#ifndef ISOMER_IR_BUILD_H
#define ISOMER_IR_BUILD_H

#include "ir/ir.h"

struct lift {
  uint64_t features;
  void *builder;
};

/* What a lifted instruction leaves to do. */
enum lift_result { LIFT_NEXT, LIFT_BY_HANDLER };

enum lift_end { LIFT_CONTEXT, LIFT_FENCE, LIFT_WAIT, LIFT_IRQ };
/* Translator's own: context slots (value at translation; the block is keyed by those it read), ends, handler calls. */
uint64_t lift_context(struct lift *l, unsigned slot);
void lift_set_context(struct lift *l, unsigned slot, uint64_t value);
void lift_end(struct lift *l, enum lift_end reason);
int lift_by_handler(struct lift *l, const struct insn *d);

ref ir_const(struct lift *l, unsigned width, uint64_t value);
ref ir_const128(struct lift *l, unsigned width, u128 value);
ref ir_pc(struct lift *l, int64_t delta); /* symbolic: address of this instruction + delta, 64 bits */
ref ir_get(struct lift *l, unsigned slot, unsigned width);
void ir_put(struct lift *l, unsigned slot, unsigned width, ref value);
ref ir_binary(struct lift *l, enum ir_op op, unsigned width, ref a, ref b);
ref ir_unary(struct lift *l, enum ir_op op, unsigned width, ref a);
ref ir_shift(struct lift *l, enum ir_op op, unsigned width, ref a, ref amount, unsigned amount_width);
ref ir_shift_by(struct lift *l, enum ir_op op, unsigned width, ref a, uint64_t amount);
ref ir_compare(struct lift *l, enum ir_op op, unsigned width, ref a, ref b);
ref ir_extend(struct lift *l, enum ir_op op, unsigned from, unsigned to, ref a);
ref ir_slice(struct lift *l, unsigned from, unsigned low, unsigned width, ref a);
ref ir_concat(struct lift *l, unsigned high_width, unsigned low_width, ref high, ref low);
ref ir_select(struct lift *l, unsigned width, ref condition, ref a, ref b);
/* CLZ CTZ BSWAP BREV ORC8 POPCOUNT PARITY; PARITY gives one bit */
ref ir_count(struct lift *l, enum ir_op op, unsigned width, ref a);
ref ir_divide(struct lift *l, enum ir_op op, unsigned width, ref a, ref b); /* DIVU DIVS REMU REMS */
/* Of r = a + b (+ a carry): carry out and signed overflow, one bit. */
ref ir_carry(struct lift *l, unsigned width, ref a, ref b, ref r);
ref ir_overflow(struct lift *l, unsigned width, ref a, ref b, ref r);

/* Memory: address 64 bits, order enum mem_order. A fault exits with the state of the instruction's start or commit. */
ref ir_load(struct lift *l, unsigned width, ref address, int order);
ref ir_load_ex(struct lift *l, unsigned width, ref address, int order);
void ir_store(struct lift *l, unsigned width, ref address, ref value, int order);
ref ir_store_ex(struct lift *l, unsigned width, ref address, ref value, int order); /* one bit: done */
ref ir_rmw(struct lift *l, enum ir_rmw_op op, unsigned width, ref address, ref value, int order);
ref ir_cas(struct lift *l, unsigned width, ref address, ref expect, ref value, int order);
void ir_probe(struct lift *l, ref address, ref bytes, int write);
void ir_fence(struct lift *l, unsigned sets);

/* Control. A guard exits, re-running the instruction in the interpreter, unless its condition equals `expect`.
 * ir_branch guards in the recorded direction and returns that direction. */
void ir_guard(struct lift *l, ref condition, int expect);
bool ir_branch(struct lift *l, ref condition);
void ir_exit(struct lift *l); /* the interpreter runs this instruction */
void ir_jump(struct lift *l, ref target, enum ir_jump_kind kind);
void ir_commit(struct lift *l);
void ir_restart(struct lift *l);

#endif
