/* The engine that runs translated code: cold code goes through the interpreter, a block entered often becomes IR
 * (runtime/ir) and host code (hostcg), blocks lead to each other directly. One code memory per vCPU; nothing is shared
 * between threads.
 *
 * Every instruction is counted: a block is entered only when the slice has instructions enough for all of it, so budgets
 * and deterministic mode see what the interpreter would show, and a kick is noticed at the end of the slice. */
#ifndef ISOMER_JIT_JIT_H
#define ISOMER_JIT_JIT_H

#include "core/engine.h"
#include "core/histogram.h"
#include "jit/tier.h"

extern const struct engine_ops jit_engine;

enum { JIT_DUMP_IR = 1, JIT_DUMP_ASM = 2 };

/* Ways out of code are counted by kind modulo 8, and those to a place that no exit fixes. */
enum { JIT_EXIT_GOES = 8, JIT_EXITS };

/* Settings of vCPUs created from now on. */
struct jit_options {
  unsigned dump;    /* JIT_DUMP_*, to standard error */
  bool dump_at_set; /* only of blocks that contain dump_at */
  gva_t dump_at;
  enum jit_tier highest;
  const struct tier_policy *policy;
  unsigned threshold; /* entries of a block before it is compiled */
  size_t memory;      /* bytes of code */
  unsigned max_insns; /* of a block */
  bool check;         /* every block on the interpreter too (check.c) */
  bool replaying;     /* what `check` finds is known already: no file */
  int reproducer;     /* descriptor of the file for it, or -1 */
  char reproducer_name[256];
  gva_t
      plant; /* additions of instructions at this address, or page offset, become subtractions: what `check` must
                  find; 0: none */
};
extern struct jit_options jit_options;

struct jit_counters {
  uint64_t compiled, guest_insns, code_bytes,
      compile_ns;   /* blocks, their instructions, what was written, time */
  uint64_t refused; /* blocks that go to the interpreter for good */
  uint64_t entries, exits[JIT_EXITS], links, invalidated, evicted, lookups, slow, asked;
  uint64_t interpreted;     /* instructions of cold code and of exits */
  uint64_t checked;         /* blocks compared by `check` */
  struct histogram latency; /* nanoseconds of each translation */
};

#endif
