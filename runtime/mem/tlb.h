/* SoftMMU: the per-vCPU TLB. Tags are a page address with a 12-bit translation tag in the low bits, so that one compare
 * checks page, mode, ASID and generation. The arch code asks for the tag of a context and stores it in v->tag_data and
 * v->tag_fetch; flushing a context or everything hands out new tags instead of clearing tables. */
#ifndef ISOMER_MEM_TLB_H
#define ISOMER_MEM_TLB_H

#include "core/vcpu.h"

struct tlb;

struct tlb *tlb_new(void);
void tlb_free(struct tlb *t);

/* Tag of translation context (asid, mode) where mode is any small number the arch chooses (privilege, SUM, MXR,
 * translation off, ...). 12 bits; stable until that context is flushed. May flush everything when tags run out. */
uint32_t tlb_context(struct vcpu *v, uint64_t asid, uint32_t mode);

/* Flushes; after any of them arch code recomputes its tags (arch_ops.context). */
void tlb_flush_all(struct vcpu *v);
void tlb_flush_asid(struct vcpu *v, uint64_t asid);            /* keeps global pages when it can, may flush more */
void tlb_flush_page(struct vcpu *v, gva_t va);                 /* in every ASID; drops a huge page as a whole */
void tlb_flush_page_asid(struct vcpu *v, gva_t va, uint64_t asid);

/* Flush requested from another thread: executed by the target at its next poll, before it runs another instruction. */
void tlb_flush_remote(struct vcpu *v);
void tlb_poll(struct vcpu *v); /* called by engines when v->kick was set */

/* Instruction fetch: physical page of va for execution. 0 with *page (4 KiB-aligned) and *host (its host address, NULL
 * when it is not RAM), or STEP_TRAP. */
int tlb_fetch(struct vcpu *v, gva_t va, gpa_t *page, const uint8_t **host);

#endif
