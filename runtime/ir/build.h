/* The builder that generated lifters call. It fixes the boundary between description and IR: which operations exist,
 * their widths, what is translation time (plain C arguments) and what is run time (`ref`). The only implementation so
 * far is the type checker in tests/unit/test_lift.c; the IR proper implements the same calls.
 *
 * Widths are bits, 1..128. A ref is a value of one width. Slots are the ISA's generated <ISA>_SLOT_* numbers. */
#ifndef ISOMER_IR_BUILD_H
#define ISOMER_IR_BUILD_H

#include "core/isa.h"

typedef uint32_t ref;

struct lift {
  uint64_t features;
  void *builder;
};

/* What a lifted instruction leaves to do. */
enum lift_result { LIFT_NEXT, LIFT_BY_HANDLER };
typedef int lift_fn(struct lift *l, const struct insn *d);

enum lift_end { LIFT_CONTEXT, LIFT_FENCE, LIFT_WAIT, LIFT_IRQ };
enum ir_op {
  IR_ADD,
  IR_SUB,
  IR_MUL,
  IR_AND,
  IR_OR,
  IR_XOR,
  IR_NOT,
  IR_NEG, /* arithmetic, modulo 2^width */
  IR_SHL,
  IR_SHRU,
  IR_SHRS,
  IR_ROR,
  IR_ROL, /* total shifts, rotates modulo width */
  IR_EQ,
  IR_NE,
  IR_LTU,
  IR_LEU,
  IR_LTS,
  IR_LES, /* give one bit */
  IR_SEXT,
  IR_ZEXT,
  IR_CLZ,
  IR_CTZ,
  IR_POPCOUNT,
  IR_PARITY,
  IR_BSWAP,
  IR_BREV,
  IR_ORC8, /* one operand; PARITY gives one bit */
  IR_DIVU,
  IR_DIVS,
  IR_REMU,
  IR_REMS, /* by zero 0; signed overflow wraps */
  IR_OVERFLOW,
  IR_CARRY, /* of a + b (+ c) = r, in that order; one bit */
};
enum ir_rmw_op {
  IR_RMW_SWAP,
  IR_RMW_ADD,
  IR_RMW_AND,
  IR_RMW_OR,
  IR_RMW_XOR,
  IR_RMW_MIN_S,
  IR_RMW_MAX_S,
  IR_RMW_MIN_U,
  IR_RMW_MAX_U,
  IR_RMW_ANDNOT
};
enum ir_jump_kind { IR_JUMP_BRANCH, IR_JUMP_CALL, IR_JUMP_RET, IR_JUMP_LINK, IR_JUMP_ERET };

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
ref ir_prim1(struct lift *l, enum ir_op op, unsigned width, ref a);
ref ir_prim2(struct lift *l, enum ir_op op, unsigned width, ref a, ref b);
ref ir_prim3(struct lift *l, enum ir_op op, unsigned width, ref a, ref b, ref c);
ref ir_prim4(struct lift *l, enum ir_op op, unsigned width, ref a, ref b, ref c, ref d);

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
