/* Inside of the guest-physical map, for mem/ alone: regions and the write hook. */
#ifndef ISOMER_MEM_PHYS_INT_H
#define ISOMER_MEM_PHYS_INT_H

#include "mem/phys.h"

struct region {
  gpa_t base;
  uint64_t size;
  uint8_t *host; /* RAM: mapping of `size` bytes; NULL for MMIO */
  void *map;     /* RAM: what to unmap, `map_size` bytes */
  uint64_t map_size;
  int fd, node;
  uint64_t *code; /* RAM: one bit per page, set while decoded or translated code of it may exist */
  uint64_t *
      armed; /* RAM: one bit per page whose next write must save it for a snapshot (mem/snap.c); NULL: none was taken */
  struct snap_page **now; /* RAM: by page, the saved copy that equals its bytes, or NULL */
  uint64_t *dirty;        /* RAM: one bit per page while the log is on, else NULL */
  const struct mmio_ops *ops;
  void *opaque;
  char name[32];
};

struct phys {
  struct region **region; /* sorted by base */
  unsigned nregions;
  struct vcpu **vcpu;
  unsigned nvcpus;
  phys_code_fn *code_fn;
  void *code_opaque;
  phys_mmio_fn *mmio_fn;
  void *mmio_opaque;
  bool log;
  struct phys_snap *snaps; /* mem/snap.c */
};

/* The region that holds pa, or NULL. */
struct region *phys_find(struct phys *p, gpa_t pa);

static inline bool region_has(const struct region *r, gpa_t pa) { return pa - r->base < r->size; }

/* Before page `i` of r changes, its bit in `armed` being set. */
void snap_save(struct phys *p, struct region *r, uint64_t i);
void snap_region_free(struct region *r);

/* The write hook for one page of RAM region r. */
void phys_hook(struct phys *p, struct region *r, gpa_t page);

#endif
