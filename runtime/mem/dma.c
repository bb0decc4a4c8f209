/* Memory as a device sees it. Today every space is the identity over guest-physical memory; an IOMMU becomes a second
 * kind behind the same functions. */
#include <stdlib.h>

#include "core/log.h"
#include "mem/phys.h"

struct dma_space {
  struct phys *phys;
};

struct dma_space *dma_space_identity(struct phys *p) {
  struct dma_space *d = calloc(1, sizeof *d);
  if (!d) {
    log_error("cannot create a DMA space: out of memory");
    return NULL;
  }
  d->phys = p;
  return d;
}

void dma_space_free(struct dma_space *d) { free(d); }

int dma_read(struct dma_space *d, uint64_t addr, void *buf, uint64_t len) {
  return phys_read(d->phys, addr, buf, len);
}

int dma_write(struct dma_space *d, uint64_t addr, const void *buf, uint64_t len) {
  return phys_write(d->phys, addr, buf, len);
}

void *dma_map(struct dma_space *d, uint64_t addr, uint64_t len, bool write) {
  return phys_ptr(d->phys, addr, len, write);
}

void dma_wrote(struct dma_space *d, uint64_t addr, uint64_t len) { phys_wrote(d->phys, addr, len); }
