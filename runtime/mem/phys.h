/* The guest-physical map: RAM regions (memfd-backed, with NUMA node, page size and dirty log) and MMIO windows.
 * Regions are added while no vCPU runs and stay until phys_free; everything else is safe from any thread. */
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

/* Adds `size` bytes of zeroed RAM (page multiples). -EEXIST on overlap, -EINVAL for a bad range, -ENOMEM; a message is
 * logged. RAM takes host memory only when touched. */
int phys_add_ram(struct phys *p, gpa_t base, uint64_t size, const char *name);
int phys_add_mmio(struct phys *p, gpa_t base, uint64_t size, const struct mmio_ops *ops, void *opaque,
                  const char *name);

/* What lies where, in ascending order of base: region `index`, false past the last. */
struct phys_info {
  gpa_t base;
  uint64_t size;
  const char *name;
  bool ram;
  int fd;             /* RAM: its memfd, else -1 */
  int node;           /* RAM: guest NUMA node, 0 unless set */
  uint32_t page_size; /* RAM: bytes of a host page backing it (huge pages are the kernel's choice) */
};
bool phys_region(struct phys *p, unsigned index, struct phys_info *out);
/* Sets the guest NUMA node of the RAM region that starts at `base`; -ENOENT when none does. */
int phys_set_node(struct phys *p, gpa_t base, int node);

/* Host address of [pa, pa+len) when it lies wholly in one RAM region, else NULL. For `write`, the one write hook has
 * been told (decoded or translated code of those pages is dropped, the dirty log marked) before it returns. A caller
 * that writes later than that while vCPUs run uses phys_write or calls phys_wrote afterwards. */
void *phys_ptr(struct phys *p, gpa_t pa, uint64_t len, bool write);

/* Tells the write hook that [pa, pa+len) changed through a pointer. All of it is RAM, else nothing happens. */
void phys_wrote(struct phys *p, gpa_t pa, uint64_t len);

/* Copies bytes from / to RAM only (regions that touch count as one). -EFAULT when any byte is not RAM (nothing is
 * transferred). */
int phys_read(struct phys *p, gpa_t pa, void *buf, uint64_t len);
int phys_write(struct phys *p, gpa_t pa, const void *buf, uint64_t len);
/* Zeroes RAM and gives whole pages back to the host. -EFAULT as above. */
int phys_discard(struct phys *p, gpa_t pa, uint64_t len);

/* One MMIO access of 1, 2, 4 or 8 bytes. -ENOENT when nothing is there, -EINVAL when the device refuses. The caller
 * holds the machine's lock. */
int phys_mmio_read(struct phys *p, gpa_t pa, unsigned size, uint64_t *value);
int phys_mmio_write(struct phys *p, gpa_t pa, unsigned size, uint64_t value);

/* Observer of every MMIO access, after it was made (--trace mmio). `rc` is what the access returned; `name` the
 * window's, or NULL when nothing is there. */
typedef void phys_mmio_fn(void *opaque, const char *name, gpa_t pa, unsigned size, bool write, uint64_t value,
                          int rc);
void phys_set_mmio_observer(struct phys *p, phys_mmio_fn *fn, void *opaque);

/* Code pages. `phys_code_mark` makes the 4 KiB page at pa *code*: write permission for it is revoked in every TLB of
 * every vCPU registered with phys_add_vcpu before it returns. From then on the first write through any path (vCPU store,
 * phys_ptr(write), phys_write, DMA) calls the code listener with the page address, after which the page is plain again.
 * The listener runs on the writing thread, before the bytes change (phys_write and DMA call it again afterwards if the
 * page was marked meanwhile). Marking is for the thread of the only running vCPU: a vCPU that runs on another thread may
 * have a store in flight past its TLB check. -ENOENT when the page is not RAM. */
typedef void phys_code_fn(void *opaque, gpa_t page);
void phys_set_code_listener(struct phys *p, phys_code_fn *fn, void *opaque);
int phys_code_mark(struct phys *p, gpa_t page);
bool phys_is_code(struct phys *p, gpa_t page);
/* Registers a vCPU (its v->tlb is set by then); -ENOMEM. */
int phys_add_vcpu(struct phys *p, struct vcpu *v);
void phys_remove_vcpu(struct phys *p, struct vcpu *v);

/* Dirty log of all RAM: while on, every written 4 KiB page is recorded. -ENOMEM. */
int phys_dirty_log(struct phys *p, bool on);
/* Reads and clears the log of the RAM region that starts at `base`: bit i of bitmap[i / 64] is page i; returns how many
 * pages were dirty, or -ENOENT. The bitmap holds one bit per page of the region, rounded up to 64. Not while vCPUs run
 * on other threads (see phys_code_mark). */
int64_t phys_dirty_take(struct phys *p, gpa_t base, uint64_t *bitmap);

/* In-memory snapshots of all RAM, copy on write: taking one costs a pass over page numbers, and a page is copied when it
 * is first written afterwards. Any number may exist, and any of them be restored any number of times, in any order.
 * Not while vCPUs run on other threads. NULL or -ENOMEM when memory is short. phys_free frees those left. */
struct phys_snap;
struct phys_snap *phys_snap_take(struct phys *p);
int phys_snap_restore(struct phys *p, struct phys_snap *s);
void phys_snap_free(struct phys *p, struct phys_snap *s);
/* A number made of all RAM's addresses and bytes; pages of zeros count as untouched. */
uint64_t phys_hash(struct phys *p);

/* Device view of memory: identity today, an IOMMU's later. Same return values as phys_read/phys_write; dma_map gives
 * a host pointer as phys_ptr does, or NULL. dma_wrote is phys_wrote for a mapped pointer. */
struct dma_space;
struct dma_space *dma_space_identity(struct phys *p);
void dma_space_free(struct dma_space *d);
int dma_read(struct dma_space *d, uint64_t addr, void *buf, uint64_t len);
int dma_write(struct dma_space *d, uint64_t addr, const void *buf, uint64_t len);
void *dma_map(struct dma_space *d, uint64_t addr, uint64_t len, bool write);
void dma_wrote(struct dma_space *d, uint64_t addr, uint64_t len);

#endif
