/* Ranges of addresses at which the guest's own debugging stops it (vcpu_stops in core/vcpu.h). Pages with such a range leave
 * the fast paths: their data accesses come to mem/slow.c and mem/atomic.c, their instructions are fetched one by one. */
#ifndef ISOMER_MEM_STOPS_H
#define ISOMER_MEM_STOPS_H

#include "core/vcpu.h"

/* Replaces what is armed; pages that were free before are taken from the TLB. */
void stops_set(struct vcpu *v, const struct vcpu_stops *to);

/* Does a range for data (or for fetches) touch the page of va? */
bool stops_in_page(const struct vcpu *v, gva_t va, bool fetch);
static inline bool stops_page(const struct vcpu *v, gva_t va, bool fetch) {
  return unlikely(v->c->stops.nranges) && stops_in_page(v, va, fetch);
}

/* An access that no fault forbids is about to be made: 0, or STEP_TRAP. A fetch is of one instruction's start, size 1. */
int stops_hit(struct vcpu *v, gva_t a, uint64_t size, enum access access);
static inline int stops_check(struct vcpu *v, gva_t a, uint64_t size, enum access access) {
  return unlikely(v->c->stops.access >> access & 1) ? stops_hit(v, a, size, access) : 0;
}

#endif
