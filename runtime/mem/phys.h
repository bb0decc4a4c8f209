/* The guest-physical map: RAM regions (memfd-backed, with NUMA node, page size and dirty log) and MMIO windows. */
#ifndef ISOMER_MEM_PHYS_H
#define ISOMER_MEM_PHYS_H

#include "core/types.h"

struct phys;
struct vcpu;

/* MMIO callbacks; off is relative to the window, size 1, 2, 4 or 8 bytes, never crossing the window's end.
 * Return 0, or -EINVAL for an access the device does not decode (the guest gets a bus fault). */
struct mmio_ops {
  int (*read)(void *opaque, uint64_t off, unsigned size, uint64_t *value);
  int (*write)(void *opaque, uint64_t off, unsigned size, uint64_t value);
};

struct phys *phys_new(void);
void phys_free(struct phys *p);

/* Adds `size` bytes of zeroed RAM (page multiples). -EEXIST on overlap, -ENOMEM; a message is logged. */
int phys_add_ram(struct phys *p, gpa_t base, uint64_t size, const char *name);
int phys_add_mmio(struct phys *p, gpa_t base, uint64_t size, const struct mmio_ops *ops, void *opaque, const char *name);

/* Host address of [pa, pa+len) when it lies wholly in one RAM region, else NULL. For `write`, the one write hook has
 * been told (decoded or translated code of those pages is dropped, the dirty log marked) before it returns. */
void *phys_ptr(struct phys *p, gpa_t pa, uint64_t len, bool write);

/* Copies bytes from / to RAM only. -EFAULT when any byte is not RAM (nothing is transferred). */
int phys_read(struct phys *p, gpa_t pa, void *buf, uint64_t len);
int phys_write(struct phys *p, gpa_t pa, const void *buf, uint64_t len);

/* One MMIO access of 1, 2, 4 or 8 bytes. -ENOENT when nothing is there, -EINVAL when the device refuses. */
int phys_mmio_read(struct phys *p, gpa_t pa, unsigned size, uint64_t *value);
int phys_mmio_write(struct phys *p, gpa_t pa, unsigned size, uint64_t value);

/* Code pages. `phys_code_mark` makes the 4 KiB page at pa *code*: write permission for it is revoked in every TLB of
 * every vCPU registered with phys_add_vcpu before it returns. From then on the first write through any path (vCPU store,
 * phys_ptr(write), phys_write, DMA) calls the code listener with the page address, after which the page is plain again. */
typedef void phys_code_fn(void *opaque, gpa_t page);
void phys_set_code_listener(struct phys *p, phys_code_fn *fn, void *opaque);
int phys_code_mark(struct phys *p, gpa_t page);
void phys_add_vcpu(struct phys *p, struct vcpu *v);
void phys_remove_vcpu(struct phys *p, struct vcpu *v);

/* Device view of memory: identity today, an IOMMU's later. Same return values as phys_read/phys_write; dma_map gives
 * a host pointer as phys_ptr does, or NULL. */
struct dma_space;
struct dma_space *dma_space_identity(struct phys *p);
void dma_space_free(struct dma_space *d);
int dma_read(struct dma_space *d, uint64_t addr, void *buf, uint64_t len);
int dma_write(struct dma_space *d, uint64_t addr, const void *buf, uint64_t len);
void *dma_map(struct dma_space *d, uint64_t addr, uint64_t len, bool write);

#endif
