/* What generated handlers need beside memory and arithmetic: how the results of an instruction's parts combine. */
#ifndef ISOMER_INTERP_HANDLER_H
#define ISOMER_INTERP_HANDLER_H

#include <string.h>

#include "core/vcpu.h"

/* What a hot handler of a jump to pc + constant returns instead of STEP_JUMP: the target is in its third argument. */
enum { STEP_LINK = 64 };

/* The step of an instruction that did `a` and then `b`; neither is a trap or a restart. */
static inline int step_join(int a, int b) {
  if (a == STEP_NEXT || a == b) return b;
  if (b == STEP_NEXT) return a;
  if (a == STEP_WAIT || b == STEP_WAIT) return STEP_WAIT;
  return STEP_JUMP_END; /* two different ones of JUMP, END, JUMP_END */
}

#endif
