/* What engines call while tracing is on. The implementation is debug/trace.c; an engine only sees this table through
 * vcpu_common.trace, which is NULL when nothing is traced. */
#ifndef ISOMER_CORE_TRACE_H
#define ISOMER_CORE_TRACE_H

#include "core/isa.h"

struct trace_block {
  gva_t pc;
  unsigned insns, bytes; /* guest instructions; host code */
  uint64_t ns;           /* that it took */
};
struct trace_exit {
  const char *kind;
  gva_t from, to; /* start of the block that was left, if `known`; where the guest goes on */
  bool known;
};

struct trace_ops {
  /* Before the instruction executes; v->pcbase + d->off is its address. NULL: the engine need not single-step. */
  void (*insn)(struct vcpu *v, const struct insn *d);
  /* v->c->trap is about to be delivered (or to end run()); v->pc is the instruction that raised it. */
  void (*trap)(struct vcpu *v);
  /* An interrupt was taken: `from` is the interrupted PC, v->pc the handler. */
  void (*interrupt)(struct vcpu *v, gva_t from);
  /* Of engines that translate; NULL: not asked for. A block was translated; translated code was left to the runtime. */
  void (*block)(struct vcpu *v, const struct trace_block *b);
  void (*left)(struct vcpu *v, const struct trace_exit *x);
};

#endif
