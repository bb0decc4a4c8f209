/* What engines call while tracing is on. The implementation is debug/trace.c; an engine only sees this table through
 * vcpu_common.trace, which is NULL when nothing is traced. */
#ifndef ISOMER_CORE_TRACE_H
#define ISOMER_CORE_TRACE_H

#include "core/isa.h"

struct trace_ops {
  /* Before the instruction executes; v->pcbase + d->off is its address. NULL: the engine need not single-step. */
  void (*insn)(struct vcpu *v, const struct insn *d);
  /* v->c->trap is about to be delivered (or to end run()); v->pc is the instruction that raised it. */
  void (*trap)(struct vcpu *v);
  /* An interrupt was taken: `from` is the interrupted PC, v->pc the handler. */
  void (*interrupt)(struct vcpu *v, gva_t from);
};

#endif
