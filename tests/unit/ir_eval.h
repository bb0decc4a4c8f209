/* Runs a block of IR on a vCPU's state, entry by entry, for tests. */
#ifndef TESTS_UNIT_IR_EVAL_H
#define TESTS_UNIT_IR_EVAL_H

#include "ir/ir.h"

struct ir_outcome {
  const struct ir_exit *exit; /* taken; its snapshot is in v's state */
  uint64_t target;
  int step;           /* IX_STEP: what the handler returned */
  unsigned executed;  /* entries */
  const char *broken; /* a rule that a value broke, or NULL */
  unsigned at;        /* the entry */
};

/* v->pcbase is the page in which the block starts. Cold entries are computed like all others. */
struct ir_outcome ir_eval(const struct ir_block *b, struct vcpu *v);

#endif
