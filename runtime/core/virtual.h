/* Deterministic mode: virtual time, seeded entropy, and running a machine to an exact point. Everything a guest can see is
 * then a function of its configuration, the seed and what a script does at which instruction.
 *
 * One retired instruction takes VIRTUAL_INSN_NS; waiting skips to the next timer. Timers, interrupts and stops take effect
 * at exact instruction counts. There is one thread, and one vCPU; the event loop's descriptors are not served. */
#ifndef ISOMER_CORE_VIRTUAL_H
#define ISOMER_CORE_VIRTUAL_H

#include "core/machine.h"

#define VIRTUAL_INSN_NS 10         /* 100 million instructions a second */
#define VIRTUAL_EPOCH   1704067200 /* real-time clocks start at 2024-01-01 00:00:00 UTC */

struct virtual_time {
  uint64_t skip_ns; /* time that passed without instructions */
  uint64_t rng[4];
  bool drought;                   /* machine_random answers -EAGAIN */
  bool waiting;                   /* vCPU 0 waits for an interrupt */
  bool stop;                      /* virtual_stop was called */
  uint64_t until_insns, until_ns; /* of the run in progress */
};

/* Makes a fresh machine (no vCPU, no board yet) deterministic. -ENOMEM, logged. */
int virtual_enable(struct machine *m, uint64_t seed);

enum virtual_end {
  VIRTUAL_ENDED,   /* m->end says how */
  VIRTUAL_STOPPED, /* virtual_stop, or the watch's `exec` */
  VIRTUAL_INSNS,   /* vCPU 0 has retired `insns` */
  VIRTUAL_TIME,    /* machine_now has reached `ns` */
  VIRTUAL_IDLE,    /* the guest waits, and no timer will ever end that */
  VIRTUAL_ERROR,   /* our bug, logged */
};
/* Runs until one of these; `insns` and `ns` are absolute, UINT64_MAX means no limit. */
enum virtual_end virtual_run(struct machine *m, uint64_t insns, uint64_t ns);
/* From a callback: virtual_run returns behind the instruction that is being executed. */
void virtual_stop(struct machine *m);

uint64_t virtual_insns(const struct machine *m); /* retired by vCPU 0 */
uint64_t virtual_now(const struct machine *m);
int virtual_random(struct machine *m, void *buf, size_t n);

#endif
