/* Inside of the address space at identity: the table of mappings and the map of code pages, for mem/space*.c alone. */
#ifndef ISOMER_MEM_SPACE_INT_H
#define ISOMER_MEM_SPACE_INT_H

#include <pthread.h>

#include "mem/space.h"

/* A mapped file, shared by the mappings of it. */
struct space_file {
  unsigned refs;
  uint64_t dev, ino;
  char name[];
};

struct mapping {
  gva_t start, last; /* inclusive */
  uint8_t prot;      /* SPACE_*, as the guest asked */
  bool shared;
  uint64_t off; /* of a file: bytes */
  struct space_file *file;
  const char *name; /* of anonymous memory, or NULL */
};

struct space {
  pthread_mutex_t lock; /* everything below; held over the host's calls, so that table and host agree */
  gva_t lo, hi, top;
  bool has_guard;      /* SPACE_GUARD is kept */
  struct mapping *map; /* sorted, disjoint */
  size_t n, room;
  uint64_t *code;         /* bit per page of [0, 1 << SPACE_BITS): an engine holds instructions of it */
  gva_t code_lo, code_hi; /* pages outside of [code_lo, code_hi) have no bit */
  uint32_t guarded;       /* atomic: code pages that the guest may write and the host may not */
  uint32_t aliased;       /* atomic: code pages of shared mappings */
  const struct space_listener *listener;
};

/* All below: the lock is held. */
size_t space_lower(const struct space *s, gva_t va); /* the first mapping that ends at or above va */
struct mapping *space_find(const struct space *s, gva_t va);
/* Every code page of [first, last] becomes plain; `restore` gives the host's write permission back. */
void space_code_clear(struct space *s, gva_t first, gva_t last, bool restore);
int space_host_prot(unsigned prot);

/* The table alone: makes room for a change (-ENOMEM), makes the edges of [first, last] edges of mappings, forgets what is
 * inside, adds a mapping (takes over m->file's reference), joins neighbours that are alike. */
int space_reserve(struct space *s);
void space_split(struct space *s, gva_t first, gva_t last);
void space_forget(struct space *s, gva_t first, gva_t last);
void space_add(struct space *s, struct mapping m);
void space_merge(struct space *s, gva_t first, gva_t last);

/* Is [first, last] mapped without a hole? */
bool space_whole(const struct space *s, gva_t first, gva_t last);
/* A free address for len bytes below s->top, or 0; `below`: only addresses under it. */
gva_t space_gap(const struct space *s, gva_t below, uint64_t len, uint64_t align);
/* Makes the host's memory at the holes of [first, last] ours, or -ENOMEM when something else is there. */
int space_claim(struct space *s, gva_t first, gva_t last);
void space_unclaim(struct space *s, gva_t first, gva_t last); /* gives the holes of [first, last] back */
/* Unmaps [first, last], at whose edges mappings are split, from the host and the table, what is not ours excepted.
 * -errno. */
int space_drop(struct space *s, gva_t first, gva_t last);

#define SPACE_PAGE_UP(x) (((x) + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK)
static inline void *space_host(gva_t va) { return (void *)(uintptr_t)va; }

#endif
