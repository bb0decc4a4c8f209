/* SoftMMU: the per-vCPU TLB. Tags are a page address with a 12-bit translation tag in the low bits, so that one compare
 * checks page, mode, ASID and generation. The arch code asks for the tag of a context and stores it in v->tag_data and
 * v->tag_fetch; flushing a context or everything hands out new tags instead of clearing tables.
 *
 * Level 1 is direct-mapped and holds only pages that may be accessed without further ado: RAM, and for writing neither
 * code nor unlogged. Level 2 holds the results of page walks, fully associative, huge pages as single entries; level 1
 * is filled from it without a walk. Only the vCPU's own thread uses a TLB, but for tlb_flush_remote. */
#ifndef ISOMER_MEM_TLB_H
#define ISOMER_MEM_TLB_H

#include "core/vcpu.h"

/* Level 1 has 1 << TLB_BITS entries; a stress build may shrink it to 1 (a page-crossing access relies on two). */
#ifndef TLB_BITS
#define TLB_BITS 11
#endif
/* Level 2 has this many walk results: a working set of up to as many pages is walked once per page, whatever the pages. */
#ifndef TLB_WALKS
#define TLB_WALKS 32768
#endif
_Static_assert(TLB_BITS >= 1 && TLB_BITS <= 16 && TLB_WALKS >= 16 && TLB_WALKS < 65535, "TLB geometry");

/* tag[access] = page address | translation tag, or TLB_NO_TAG; host address = guest virtual address + addend. */
struct tlb_entry {
  uint64_t tag[3];
  uint64_t addend;
};
_Static_assert(sizeof(struct tlb_entry) == 32, "the fast path scales by 32");
#define TLB_NO_TAG UINT64_MAX

/* What fast paths and translated code see; `struct tlb` starts with level 1. */
struct tlb {
  struct tlb_entry l1[1 << TLB_BITS];
};

struct tlb *tlb_new(void);
void tlb_free(struct tlb *t);
/* Of vCPUs without guest-physical memory: never hits, holds nothing; every tag is TLB_NONE_TAG. */
struct tlb *tlb_none(void);
#define TLB_NONE_TAG 1

/* Modes are below this. */
#define TLB_MODES 256

/* Tag of translation context (asid, mode) where mode is any small number the arch chooses (privilege, SUM, MXR,
 * translation off, ...). 12 bits, never 0; stable until that context is flushed. The last four tags handed out stay
 * valid even when tags run out (which clears level 1), so arch code may ask for several before storing them.
 * What must tell translations apart is either in asid or in mode; global pages are shared by all ASIDs of a mode. */
uint32_t tlb_context(struct vcpu *v, uint64_t asid, uint32_t mode);

/* Flushes; after any of them arch code recomputes its tags (arch_ops.context). Until it does, v->tag_data and
 * v->tag_fetch are 0, which matches nothing: the next access recomputes them itself. A context that
 * is flushed as a whole gets a new tag, so what is known by the old one is never asked for; a flush of a page counts up
 * v->c->flush_epoch if instructions may have been fetched from it since that changed last. */
void tlb_flush_all(struct vcpu *v);
void tlb_flush_asid(struct vcpu *v, uint64_t asid); /* keeps global pages */
void tlb_flush_page(struct vcpu *v, gva_t va);      /* in every ASID; drops a huge page as a whole */
void tlb_flush_page_asid(struct vcpu *v, gva_t va, uint64_t asid); /* keeps global pages, may flush more */

/* For stress tests: level 1 of every TLB holds the n entries filled last, at most TLB_FEW; 0: all it has room for. Fast paths
 * stay as they are, so this is for every engine. */
#define TLB_FEW 64
void tlb_limit(unsigned n);

/* The state of a new TLB: what is cached never depends on what happened before (snapshots). */
void tlb_reset(struct vcpu *v);

/* Flush requested from another thread: executed by the target at its next poll, before it runs another instruction. */
void tlb_flush_remote(struct vcpu *v);
void tlb_poll(struct vcpu *v); /* called by engines when v->kick was set */

/* Instruction fetch: physical page of va for execution. 0 with *page (4 KiB-aligned) and *host (its host address, NULL
 * when it is not RAM), or STEP_TRAP. */
int tlb_fetch(struct vcpu *v, gva_t va, gpa_t *page, const uint8_t **host);
/* Copies up to n bytes at va, as far as they may be fetched and lie in its page: how many, 0 with a trap recorded. */
unsigned tlb_fetch_bytes(struct vcpu *v, gva_t va, void *buf, unsigned n);
/* After a tlb_fetch of va that found RAM: may the whole page be executed, or only va's insn_unit bytes (protection finer
 * than a page)? */
bool tlb_fetch_whole(struct vcpu *v, gva_t va);

/* For mem/: where one byte (and what follows in its page) lies. host is NULL when pa is not RAM (device or nothing).
 * For ACCESS_WRITE to RAM the write hook has been told. 0, or STEP_TRAP. */
struct tlb_spot {
  uint8_t *host;
  gpa_t pa;
};
int tlb_resolve(struct vcpu *v, gva_t va, enum access access, struct tlb_spot *out);

/* For mem/phys.c: drops the level 1 write permission of the page at `host`, or of every page when host is NULL. */
void tlb_revoke_write(struct tlb *t, const void *host);

#endif
