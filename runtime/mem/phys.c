/* The guest-physical map: regions, host mappings of RAM, and the one hook through which every write to RAM is announced.
 * Virtual addresses are mem/tlb.c's, device models are devices/'. */
#define _GNU_SOURCE /* memfd_create */
#include "mem/phys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/log.h"
#include "core/vcpu.h"
#include "mem/phys_int.h"
#include "mem/tlb.h"

#define HUGE (UINT64_C(2) << 20)

struct phys *phys_new(void) {
  struct phys *p = calloc(1, sizeof *p);
  if (!p) log_error("cannot create the memory map: out of memory");
  return p;
}

static void region_free(struct region *r) {
  if (r->map) munmap(r->map, r->map_size);
  if (r->fd >= 0) close(r->fd);
  free(r->code);
  free(r->dirty);
  snap_region_free(r);
  free(r);
}

void phys_free(struct phys *p) {
  if (!p) return;
  while (p->snaps) phys_snap_free(p, p->snaps);
  for (unsigned i = 0; i < p->nregions; i++) region_free(p->region[i]);
  free(p->region);
  free(p->vcpu);
  free(p);
}

/* Index of the first region that ends above pa (nregions if none). */
static unsigned lower(const struct phys *p, gpa_t pa) {
  unsigned lo = 0, hi = p->nregions;
  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (p->region[mid]->base + (p->region[mid]->size - 1) < pa) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

struct region *phys_find(struct phys *p, gpa_t pa) {
  unsigned i = lower(p, pa);
  return i < p->nregions && region_has(p->region[i], pa) ? p->region[i] : NULL;
}

static size_t bitmap_words(uint64_t size) { return ((size >> GUEST_PAGE_BITS) + 63) / 64; }

/* Maps a memfd at a host address that huge pages can back. */
static int map_ram(struct region *r) {
  r->fd = memfd_create(r->name, MFD_CLOEXEC);
  if (r->fd < 0 || ftruncate(r->fd, (off_t)r->size)) return -errno;
  r->map_size = r->size + HUGE;
  if (r->map_size < r->size) return -ENOMEM;
  void *area = mmap(NULL, r->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) return -errno;
  r->map = area;
  uint8_t *at = (uint8_t *)(((uintptr_t)area + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
  if (mmap(at, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, r->fd, 0) ==
      MAP_FAILED)
    return -errno;
  r->host = at;
  (void)madvise(at, r->size, MADV_HUGEPAGE); /* advice only: kernels without it still work */
  return 0;
}

static int insert(struct phys *p, struct region *r) {
  unsigned i = lower(p, r->base);
  struct region **grown;
  if (i < p->nregions && p->region[i]->base <= r->base + (r->size - 1)) {
    const struct region *o = p->region[i];
    log_error("memory map: %s at 0x%llx..0x%llx overlaps %s at 0x%llx: move one of them", r->name,
              (unsigned long long)r->base, (unsigned long long)(r->base + r->size - 1), o->name,
              (unsigned long long)o->base);
    return -EEXIST;
  }
  grown = realloc(p->region, (p->nregions + 1) * sizeof *grown);
  if (!grown) return -ENOMEM;
  p->region = grown;
  memmove(&grown[i + 1], &grown[i], (p->nregions - i) * sizeof *grown);
  grown[i] = r;
  p->nregions++;
  return 0;
}

static struct region *region_new(gpa_t base, uint64_t size, const char *name) {
  struct region *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->base = base;
  r->size = size;
  r->fd = -1;
  snprintf(r->name, sizeof r->name, "%s", name);
  return r;
}

static bool bad_range(gpa_t base, uint64_t size, const char *name) {
  if (size && base + (size - 1) >= base) return false;
  log_error("memory map: %s: size 0x%llx at 0x%llx is empty or wraps around", name, (unsigned long long)size,
            (unsigned long long)base);
  return true;
}

int phys_add_ram(struct phys *p, gpa_t base, uint64_t size, const char *name) {
  if (bad_range(base, size, name)) return -EINVAL;
  if ((base | size) & ~GUEST_PAGE_MASK) {
    log_error("memory map: %s: RAM must start and end on a 4 KiB boundary", name);
    return -EINVAL;
  }
  struct region *r = region_new(base, size, name);
  if (!r) return -ENOMEM;
  int rc = size > INT64_MAX ? -ENOMEM : map_ram(r);
  if (!rc && !(r->code = calloc(bitmap_words(size), 8))) rc = -ENOMEM;
  if (!rc && p->log && !(r->dirty = calloc(bitmap_words(size), 8))) rc = -ENOMEM;
  if (rc)
    log_error("memory map: %s: cannot map %llu MiB of guest RAM: %s", name, (unsigned long long)(size >> 20),
              strerror(-rc));
  else rc = insert(p, r);
  if (rc) region_free(r);
  return rc;
}

int phys_add_mmio(struct phys *p, gpa_t base, uint64_t size, const struct mmio_ops *ops, void *opaque,
                  const char *name) {
  if (bad_range(base, size, name)) return -EINVAL;
  struct region *r = region_new(base, size, name);
  if (!r) return -ENOMEM;
  r->ops = ops;
  r->opaque = opaque;
  int rc = insert(p, r);
  if (rc) region_free(r);
  return rc;
}

bool phys_region(struct phys *p, unsigned index, struct phys_info *out) {
  if (index >= p->nregions) return false;
  const struct region *r = p->region[index];
  *out = (struct phys_info){.base = r->base,
                            .size = r->size,
                            .name = r->name,
                            .ram = r->host != NULL,
                            .fd = r->fd,
                            .node = r->node,
                            .page_size = r->host ? (uint32_t)sysconf(_SC_PAGESIZE) : 0};
  return true;
}

static struct region *ram_at(struct phys *p, gpa_t base) {
  struct region *r = phys_find(p, base);
  return r && r->host && r->base == base ? r : NULL;
}

int phys_set_node(struct phys *p, gpa_t base, int node) {
  struct region *r = ram_at(p, base);
  if (!r) return -ENOENT;
  r->node = node;
  return 0;
}

/* --- the write hook --- */

void phys_hook(struct phys *p, struct region *r, gpa_t page) {
  uint64_t i = (page - r->base) >> GUEST_PAGE_BITS, bit = UINT64_C(1) << (i & 63);
  if (unlikely(__atomic_load_n(&r->code[i / 64], __ATOMIC_ACQUIRE) & bit) &&
      (__atomic_fetch_and(&r->code[i / 64], ~bit, __ATOMIC_ACQ_REL) & bit) && p->code_fn)
    p->code_fn(p->code_opaque, page);
  if (unlikely(r->armed != NULL) && r->armed[i / 64] & bit) snap_save(p, r, i);
  if (unlikely(r->dirty != NULL)) __atomic_fetch_or(&r->dirty[i / 64], bit, __ATOMIC_RELEASE);
}

static void hook_range(struct phys *p, struct region *r, gpa_t pa, uint64_t len) {
  gpa_t last = (pa + (len - 1)) & GUEST_PAGE_MASK;
  for (gpa_t page = pa & GUEST_PAGE_MASK;; page += GUEST_PAGE_SIZE) {
    phys_hook(p, r, page);
    if (page == last) break;
  }
}

void phys_set_code_listener(struct phys *p, phys_code_fn *fn, void *opaque) {
  p->code_fn = fn;
  p->code_opaque = opaque;
}

int phys_code_mark(struct phys *p, gpa_t page) {
  page &= GUEST_PAGE_MASK;
  struct region *r = phys_find(p, page);
  if (!r || !r->host) return -ENOENT;
  uint64_t i = (page - r->base) >> GUEST_PAGE_BITS, bit = UINT64_C(1) << (i & 63);
  if (__atomic_fetch_or(&r->code[i / 64], bit, __ATOMIC_ACQ_REL) & bit) return 0;
  for (unsigned n = 0; n < p->nvcpus; n++) tlb_revoke_write(p->vcpu[n]->tlb, r->host + (page - r->base));
  return 0;
}

bool phys_is_code(struct phys *p, gpa_t page) {
  struct region *r = phys_find(p, page);
  if (!r || !r->host) return false;
  uint64_t i = (page - r->base) >> GUEST_PAGE_BITS;
  return __atomic_load_n(&r->code[i / 64], __ATOMIC_ACQUIRE) >> (i & 63) & 1;
}

int phys_add_vcpu(struct phys *p, struct vcpu *v) {
  struct vcpu **grown = realloc(p->vcpu, (p->nvcpus + 1) * sizeof *grown);
  if (!grown) return -ENOMEM;
  p->vcpu = grown;
  grown[p->nvcpus++] = v;
  return 0;
}

void phys_remove_vcpu(struct phys *p, struct vcpu *v) {
  for (unsigned i = 0; i < p->nvcpus; i++)
    if (p->vcpu[i] == v) {
      p->vcpu[i] = p->vcpu[--p->nvcpus];
      return;
    }
}

int phys_dirty_log(struct phys *p, bool on) {
  for (unsigned i = 0; i < p->nregions; i++) {
    struct region *r = p->region[i];
    if (!r->host || !on == !r->dirty) continue;
    if (on && !(r->dirty = calloc(bitmap_words(r->size), 8))) {
      phys_dirty_log(p, false);
      return -ENOMEM;
    }
    if (!on) {
      free(r->dirty);
      r->dirty = NULL;
    }
  }
  p->log = on;
  for (unsigned i = 0; on && i < p->nvcpus; i++) tlb_revoke_write(p->vcpu[i]->tlb, NULL);
  return 0;
}

int64_t phys_dirty_take(struct phys *p, gpa_t base, uint64_t *bitmap) {
  struct region *r = ram_at(p, base);
  int64_t n = 0;
  if (!r || !r->dirty) return -ENOENT;
  for (size_t i = 0; i < bitmap_words(r->size); i++) {
    bitmap[i] = __atomic_exchange_n(&r->dirty[i], 0, __ATOMIC_ACQ_REL);
    n += __builtin_popcountll(bitmap[i]);
  }
  for (unsigned i = 0; i < p->nvcpus; i++) tlb_revoke_write(p->vcpu[i]->tlb, NULL);
  return n;
}

/* --- access by other than vCPU loads and stores --- */

void *phys_ptr(struct phys *p, gpa_t pa, uint64_t len, bool write) {
  struct region *r = phys_find(p, pa);
  if (!r || !r->host || len > r->size - (pa - r->base)) return NULL;
  if (write && len) hook_range(p, r, pa, len);
  return r->host + (pa - r->base);
}

/* Calls fn for every stretch of [pa, pa+len) in one RAM region; -EFAULT, before any call, when a byte is not RAM. */
typedef void stretch_fn(struct phys *p, struct region *r, gpa_t pa, uint64_t len, void *arg);

static int each_stretch(struct phys *p, gpa_t pa, uint64_t len, stretch_fn *fn, void *arg) {
  for (int pass = 0; pass < 2; pass++) {
    gpa_t at = pa;
    for (uint64_t left = len; left;) {
      struct region *r = phys_find(p, at);
      if (!r || !r->host) return -EFAULT;
      uint64_t n = r->size - (at - r->base);
      if (n > left) n = left;
      if (pass) fn(p, r, at, n, arg);
      at += n;
      left -= n;
      if (left && !at) return -EFAULT; /* wraps around the end of the physical space */
    }
  }
  return 0;
}

static void read_stretch(struct phys *p, struct region *r, gpa_t pa, uint64_t len, void *arg) {
  uint8_t **to = arg;
  (void)p;
  memcpy(*to, r->host + (pa - r->base), len);
  *to += len;
}

static void write_stretch(struct phys *p, struct region *r, gpa_t pa, uint64_t len, void *arg) {
  const uint8_t **from = arg;
  hook_range(p, r, pa, len);
  memcpy(r->host + (pa - r->base), *from, len);
  hook_range(p, r, pa, len); /* a vCPU may have marked the page between hook and copy */
  *from += len;
}

static void discard_stretch(struct phys *p, struct region *r, gpa_t pa, uint64_t len, void *arg) {
  uint8_t *host = r->host + (pa - r->base);
  uint64_t head = -pa & ~GUEST_PAGE_MASK, tail = (pa + len) & ~GUEST_PAGE_MASK;
  (void)arg;
  hook_range(p, r, pa, len);
  if (head + tail >= len) { /* no whole page */
    memset(host, 0, len);
  } else { /* whole pages are given back, not written: there may be more of them than the host has memory */
    memset(host, 0, head);
    if (madvise(host + head, len - head - tail, MADV_REMOVE)) memset(host + head, 0, len - head - tail);
    memset(host + len - tail, 0, tail);
  }
  hook_range(p, r, pa, len);
}

static void wrote_stretch(struct phys *p, struct region *r, gpa_t pa, uint64_t len, void *arg) {
  (void)arg;
  hook_range(p, r, pa, len);
}

int phys_read(struct phys *p, gpa_t pa, void *buf, uint64_t len) {
  uint8_t *to = buf;
  return each_stretch(p, pa, len, read_stretch, &to);
}

int phys_write(struct phys *p, gpa_t pa, const void *buf, uint64_t len) {
  const uint8_t *from = buf;
  return each_stretch(p, pa, len, write_stretch, &from);
}

int phys_discard(struct phys *p, gpa_t pa, uint64_t len) {
  return each_stretch(p, pa, len, discard_stretch, NULL);
}

void phys_wrote(struct phys *p, gpa_t pa, uint64_t len) {
  (void)each_stretch(p, pa, len, wrote_stretch, NULL);
}

/* --- MMIO --- */

void phys_set_mmio_observer(struct phys *p, phys_mmio_fn *fn, void *opaque) {
  p->mmio_fn = fn;
  p->mmio_opaque = opaque;
}

static struct region *window(struct phys *p, gpa_t pa, unsigned size) {
  struct region *r = phys_find(p, pa);
  return r && !r->host && size <= r->size - (pa - r->base) ? r : NULL;
}

int phys_mmio_read(struct phys *p, gpa_t pa, unsigned size, uint64_t *value) {
  struct region *r = window(p, pa, size);
  int rc = -ENOENT;
  *value = 0;
  if (r) rc = r->ops->read ? r->ops->read(r->opaque, pa - r->base, size, value) : -EINVAL;
  if (p->mmio_fn) p->mmio_fn(p->mmio_opaque, r ? r->name : NULL, pa, size, false, *value, rc);
  return rc;
}

int phys_mmio_write(struct phys *p, gpa_t pa, unsigned size, uint64_t value) {
  struct region *r = window(p, pa, size);
  int rc = -ENOENT;
  if (r) rc = r->ops->write ? r->ops->write(r->opaque, pa - r->base, size, value) : -EINVAL;
  if (p->mmio_fn) p->mmio_fn(p->mmio_opaque, r ? r->name : NULL, pa, size, true, value, rc);
  return rc;
}
