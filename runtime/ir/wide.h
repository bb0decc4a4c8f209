/* Inside runtime/ir: operations of more than 64 bits, as pairs of I64 or as vectors; and what they share with build.c. */
#ifndef ISOMER_IR_WIDE_H
#define ISOMER_IR_WIDE_H

#include "ir/int.h"

/* build.c */
ref ir_operand(struct lift *l, ref a, unsigned width); /* a; asserts that it is a value of that width */
ref ir_mask(struct lift *l, ref x, unsigned width);
ref ir_to(struct lift *l, ref x, enum ir_type t); /* between I32 and I64 */
ref ir_amount(struct lift *l, ref n, unsigned nw, unsigned limit, ref *over);

/* wide.c: contracts as the functions of build.h without `wide`. */
ref ir_wide_binary(struct lift *l, enum ir_op op, unsigned w, ref a, ref b);
ref ir_wide_unary(struct lift *l, enum ir_op op, unsigned w, ref a);
ref ir_wide_shift_by(struct lift *l, enum ir_op op, unsigned w, ref a, unsigned n); /* 0 < n < w */
ref ir_wide_shift(struct lift *l, enum ir_op op, unsigned w, ref a, ref n, unsigned nw);
ref ir_wide_compare(struct lift *l, enum ir_op op, unsigned w, ref a, ref b);
ref ir_wide_extend(struct lift *l, enum ir_op op, unsigned from, unsigned to, ref a);
ref ir_wide_slice(struct lift *l, unsigned from, unsigned low, unsigned w, ref a);
ref ir_wide_concat(struct lift *l, unsigned hw, unsigned lw, ref high, ref low);
ref ir_wide_select(struct lift *l, unsigned w, ref c, ref a, ref b);
ref ir_wide_divide(struct lift *l, enum ir_op op, unsigned w, ref a, ref b);

#endif
