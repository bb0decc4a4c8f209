/* Accesses that interpreter handlers of this thread do not make: what they read is given, what they write is compared. Only what
 * goes out of line asks, so the vCPU's tag_data has to be 0 meanwhile. Fills and accesses of 128 bits that are atomic are made. */
#ifndef ISOMER_MEM_REPLAY_H
#define ISOMER_MEM_REPLAY_H

#include "core/vcpu.h"

/* All return 0, or STEP_TRAP when the access was not to be made. */
struct mem_replay {
  int (*load)(struct vcpu *v, gva_t a, unsigned size, void *out);
  int (*store)(struct vcpu *v, gva_t a, unsigned size, const void *in);
  int (*store_ex)(struct vcpu *v, gva_t a, unsigned size, const void *in, uint8_t *ok);
  int (*probe)(struct vcpu *v, gva_t a, uint64_t size, enum access access);
};
extern __thread const struct mem_replay *mem_replay; /* NULL: accesses are made */

#endif
