/* What can be seen of translated code from outside: counters, traces, dumps, names for the host's profiler. The engine says
 * what happens; nothing here changes what it does. */
#ifndef ISOMER_JIT_OBSERVE_H
#define ISOMER_JIT_OBSERVE_H

#include "jit/jit_int.h"

/* The block was compiled at v->pc, which took `ns`. */
void observe_block(struct jit *j, const struct block *b, struct ir_block *ir, const struct cg_result *r,
                   uint64_t ns);
/* Code that all blocks share was written to [from, to) (writable view). */
void observe_shared(const struct jit *j, const uint8_t *from, const uint8_t *to);
/* Translated code was left by x, or NULL: for a place that no exit fixes, v->pc. State is as the code left it. */
void observe_exit(struct jit *j, const struct exit *x);
/* In a forked child: its code is its own. */
void observe_child(void);
/* The vCPU goes away, others of its process count on. */
void observe_end(const struct jit *j);

/* engine_ops.option for what is decided here. */
int observe_option(const char *text, char *why, size_t n);
/* engine_ops.count: of all vCPUs of the machine, ended threads of a process among them. `all`: list by jit.link; the caller
 * holds its lock. */
void observe_count(const struct vcpu *v, const struct jit *all,
                   void (*each)(void *data, const char *key, const char *text, uint64_t n), void *data);

#endif
