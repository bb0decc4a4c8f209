/* Memory at identity, out of line: what mem/slow.c and mem/atomic.c do for vCPUs attached to a space. Inside of mem/. */
#ifndef ISOMER_MEM_DIRECT_H
#define ISOMER_MEM_DIRECT_H

#include "mem/space.h"

/* 1, 2, 4, 8 or 16 bytes; 0, or STEP_TRAP with nothing changed. No order is implied. */
int direct_load(struct vcpu *v, gva_t a, unsigned size, void *out);
int direct_store(struct vcpu *v, gva_t a, unsigned size, const void *in);
int direct_fill(struct vcpu *v, gva_t a, uint64_t len, uint8_t byte);

/* The one lock under which what no host instruction does atomically is done. */
void mem_straddle_lock(bool lock);

#endif
