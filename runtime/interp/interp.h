/* The interpreter: a per-vCPU cache of decoded instructions, one window per guest-physical page (of a vCPU
 * attached to a space: per page of its addresses), and the contract between
 * it and the generated run loop (isa->run). Nothing here knows an ISA.
 *
 * A window is one piece of memory: an array of slots, one uint16_t per possible instruction start, then the decoded
 * instructions. slot[off / insn_unit] is the instruction's distance from the window's start in units of 8 bytes, 0 when
 * that offset has not been decoded. Instructions that follow each other in the guest follow each other in the window, so
 * sequential flow is d + 1. A run ends with a pseudo-instruction of op 0 whose `off` says where to go on (off can be
 * >= 4096: the next page). Invalidation overwrites op, disp and go in place, so a loop that is inside the page notices
 * at its next instruction. A jump to a fixed place of its own page remembers the way to the decoded target (insn.k); both
 * lie in one window, so the link lives as long as they do.
 *
 * The cache belongs to one vCPU, so no lookup takes a lock; code shared by vCPUs is decoded once per vCPU. Writes to code
 * pages by other threads are queued and take effect at the vCPU's next poll. Memory is reused only inside interp_miss,
 * when no run loop holds a pointer into a window. */
#ifndef ISOMER_INTERP_INTERP_H
#define ISOMER_INTERP_INTERP_H

#include "core/isa.h"

#define INTERP_VPAGES 512u /* direct-mapped cache: virtual page and translation tag -> window */

/* Dispatch indices (struct insn.disp) that every run loop has; hot leaves follow. */
enum { DISP_LOOKUP = 0, DISP_CALL = 1, DISP_HOT = 2 };

struct interp_vpage {
  uint64_t key; /* page address | tag; ~0 = empty */
  char *win;
};

/* The part of the interpreter's state that the run loop uses. */
struct interp {
  int64_t left; /* slice: instructions left times insn_size; the loop returns STEP_NEXT once it is negative */
  char *win;    /* window of the page being executed (virtual address v->pcbase) */
  size_t win_bytes; /* of every window */
  struct interp_vpage vpage[INTERP_VPAGES];
  /* Told of every code page that was written, unmapped or the like (~0: all), on the vCPU's thread; or NULL. */
  void (*gone)(struct vcpu *v, gpa_t page);
};

static inline struct interp *interp_of(struct vcpu *v) { return v->c->engine; }

/* Finds or decodes the instruction at v->pc, whatever the caches say. Returns it with v->pcbase and interp.win set, or
 * NULL with v->c->trap set. May reuse the memory of any window. */
const struct insn *interp_miss(struct vcpu *v);

/* Window for `pc` from the direct-mapped cache, or NULL; the caller then uses interp_miss. */
static inline char *interp_vpage(struct vcpu *v, struct interp *in, gva_t pc) {
  const struct interp_vpage *e = &in->vpage[(pc >> GUEST_PAGE_BITS) % INTERP_VPAGES];
  return likely(e->key == ((pc & GUEST_PAGE_MASK) | v->tag_fetch)) ? e->win : NULL;
}

/* For instructions that synchronise fetch with stores (fence.i, ic ivau, isb): takes queued invalidations in. Pages whose
 * bytes were not written since stay decoded, but those of shared mappings, which may be written by other addresses. The
 * handler ends with STEP_END. */
void interp_fence_i(struct vcpu *v);

/* For engines on top of the interpreter. The page that holds d, which interp_miss just gave; false when d is alone in no
 * window (it crosses pages, or its page may not be executed as a whole). */
bool interp_source(struct vcpu *v, const struct insn *d, gpa_t *page);
/* In user mode: whether d, which interp_miss just gave for v->pc, lies in two pages that both are known as code: what changes
 * either of them is told (`gone`). */
bool interp_crosses(struct vcpu *v, const struct insn *d);
/* What a slice of another engine may also end with: a mistake of ours, reported; the vCPU ends with EXIT_ERROR. */
enum { STEP_BROKEN = 32 };
/* Executes at most n instructions, one jump at most, or the one that ends the slice; as isa->run. */
int interp_straight(struct vcpu *v, int64_t n);
/* One slice of the interpreter, and its loop around slices of any kind: kicks, interrupts, traps, waiting. */
int interp_slice(struct vcpu *v);
enum vcpu_exit interp_loop(struct vcpu *v, int (*slice)(struct vcpu *v));

/* Drops everything (tests, restore). */
void interp_flush(struct vcpu *v);

/* The run loop, isa->run(v) and isa->run_direct(v): executes from v->pc until something must be looked at; v->pc is then canonical and
 * v->budget counts what was retired. Returns
 *   STEP_NEXT      the slice is used up or v->kick is set
 *   STEP_END       an instruction that may have changed context retired
 *   STEP_TRAP      v->c->trap was raised at v->pc
 *   STEP_WAIT      a waiting instruction retired */

/* Bounds, for tests and --stats. */
struct interp_usage {
  unsigned pages, max_pages;
  uint64_t insns, max_insns;
};
struct interp_usage interp_usage(struct vcpu *v);
/* Not while the vCPU runs. At least one page and one instruction; the page being decoded may exceed max_insns alone. */
void interp_limit(struct vcpu *v, unsigned max_pages, uint64_t max_insns);

/* Internal to runtime/interp (cache.c for interp.c). */
int cache_create(struct vcpu *v);
void cache_destroy(struct vcpu *v);
void cache_sync(struct vcpu *v); /* takes in queued invalidations and TLB flushes */

#endif
