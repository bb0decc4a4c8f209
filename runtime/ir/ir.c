/* Tables of the IR. */
#include "ir/ir.h"

const struct ir_op_info ir_op_info[IR_NOPS] = {
#define X(name, n, kind) {#name, n, #kind[0]},
    IR_OPS(X)
#undef X
};
