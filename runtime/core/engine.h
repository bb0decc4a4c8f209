/* The one way to run a vCPU. Interpreter, JIT and hardware engines all implement engine_ops. */
#ifndef ISOMER_CORE_ENGINE_H
#define ISOMER_CORE_ENGINE_H

#include "core/vcpu.h"

enum engine_fork { FORK_BEFORE, FORK_PARENT, FORK_CHILD };

struct engine_ops {
  const char *name;
  /* 0 when this host and `isa` can use the engine; else -errno and one line in `why`. */
  int (*probe)(const struct isa *isa, char *why, size_t n);
  int (*create)(struct vcpu *v); /* attaches private state to v->c->engine; -errno */
  void (*destroy)(struct vcpu *v);
  /* Runs until something outside must act; returns and stores v->exit. The vCPU's state is canonical afterwards. */
  enum vcpu_exit (*run)(struct vcpu *v);
  /* Copies engine-held state to / from the vCPU structure (nothing to do for the interpreter). -errno. */
  int (*get_state)(struct vcpu *v);
  int (*set_state)(struct vcpu *v);
  void (*kick)(struct vcpu *v);
  /* NULL, or a setting NAME[=VALUE] of vCPUs created from now on: 0, -ENOENT when it is not this engine's, -EINVAL with one
   * line in `why`. */
  int (*option)(const char *text, char *why, size_t n);
  /* NULL, or called around a fork of the process, by the thread that forks: locks are taken before and given back after;
   * the child has this thread's vCPU alone. */
  void (*fork)(enum engine_fork when);
  /* NULL, or calls `each` with what the engine counted for v. */
  void (*count)(const struct vcpu *v, void (*each)(void *data, const char *key, const char *text, uint64_t n),
                void *data);
};

extern const struct engine_ops interp_engine;

/* All engines of this build in default order (generated; `auto` stands for all of them). */
extern const struct engine_ops *const engine_list[];
extern const unsigned engine_count;

/* Picks the first usable engine of the comma-separated wish list ("auto" = default order) and attaches it to `v`.
 * What was chosen and why goes to the log once. Returns -errno with a message logged when none is usable. */
int engine_select(struct vcpu *v, const char *wishes);

/* To be called around a fork, for all engines. */
void engine_fork(enum engine_fork when);

/* Gives a setting to the engine that knows it; -errno with a message logged. */
int engine_option(const char *text);

#endif
