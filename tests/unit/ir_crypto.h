/* The cryptographic operations of the IR, for the evaluator. */
#ifndef TESTS_UNIT_IR_CRYPTO_H
#define TESTS_UNIT_IR_CRYPTO_H

#include "ir/ir.h"

/* IR_VCLMULL to IR_VSHBS. */
u128 eval_crypto(enum ir_op op, u128 a, u128 b, u128 c);

#endif
