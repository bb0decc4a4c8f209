/* What a vCPU counts, by name: one table for --stats, its JSON and scripts. The figures are counted where things happen. */
#ifndef ISOMER_CORE_COUNTERS_H
#define ISOMER_CORE_COUNTERS_H

#include "core/vcpu.h"

/* `key` for programs to read, `text` for people. */
typedef void counter_fn(void *data, const char *key, const char *text, uint64_t n);

/* Of memory and decoding. Hits of the first-level TLB are not counted: they are a compare and an addition in the fast path
 * of every access, and a counter would be a third of it. */
void counters_each(const struct vcpu_stats *s, counter_fn *each, void *data);

#endif
