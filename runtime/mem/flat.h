/* The address space of user mode: guest virtual = guest physical, mappings with read/write/execute rights over RAM that
 * appears as it is mapped. What a program's system calls mean is runtime/user's business. */
#ifndef ISOMER_MEM_FLAT_H
#define ISOMER_MEM_FLAT_H

#include "core/vcpu.h"

struct flat;

/* Rights, as bits of enum access. */
enum { FLAT_R = 1 << ACCESS_READ, FLAT_W = 1 << ACCESS_WRITE, FLAT_X = 1 << ACCESS_FETCH };

/* An empty space over `p`, which is used for nothing else and outlives it. NULL (logged) when out of memory. */
struct flat *flat_new(struct phys *p);
void flat_free(struct flat *f);

/* Makes `v` translate through `f`: an access without mapping or right raises arch_ops.bus_fault. Before other vCPUs run. */
int flat_attach(struct flat *f, struct vcpu *v);

/* va and len are page multiples, len > 0, the range does not wrap: else -EINVAL. Called on the thread of the one running
 * vCPU. New memory reads as zero. flat_map: -EEXIST when a page is mapped already, -ENOMEM. */
int flat_map(struct flat *f, gva_t va, uint64_t len, unsigned prot);
/* -ENOMEM when a page is not mapped (nothing changes) or memory is short. */
int flat_protect(struct flat *f, gva_t va, uint64_t len, unsigned prot);
/* Pages that are not mapped are skipped; contents are gone. */
int flat_unmap(struct flat *f, gva_t va, uint64_t len);

/* The highest address in [lo, hi) with `len` free bytes behind it (page multiples, all of them), or 0. */
gva_t flat_gap(const struct flat *f, gva_t lo, gva_t hi, uint64_t len);

/* Rights of the page at va, or -1 when it is not mapped. */
int flat_prot(const struct flat *f, gva_t va);

#endif
