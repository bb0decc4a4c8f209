/* A processor for unit tests: translation is a list of pages that the test writes, every fault is recorded. Include it in
 * one test program; nothing here is shared between programs. */
#ifndef FAKE_ISA_H
#define FAKE_ISA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/isa.h"
#include "core/log.h"
#include "mem/access.h"
#include "mem/phys.h"
#include "mem/tlb.h"

enum { FAKE_TRAP_PAGE = 1, FAKE_TRAP_BUS = 2, FAKE_TRAP_ILLEGAL = 3 };
enum { PR = 1 << ACCESS_READ, PW = 1 << ACCESS_WRITE, PX = 1 << ACCESS_FETCH };

struct fake_page {
  gva_t va;
  gpa_t pa;
  uint64_t size, asid;
  uint8_t prot;
  bool global;
};

/* One world per test: pages, the current context and counts. */
static struct {
  struct fake_page page[4096];
  unsigned npages;
  uint64_t asid;
  uint32_t mode;
  bool identity; /* no pages: va = pa, all rights, 4 KiB at a time */
  unsigned walks;
} fake;

static inline int fake_translate(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  fake.walks++;
  if (fake.identity) {
    *out = (struct translation){.pa = va, .size = GUEST_PAGE_SIZE, .prot = PR | PW | PX};
    return 0;
  }
  for (unsigned i = 0; i < fake.npages; i++) {
    const struct fake_page *p = &fake.page[i];
    if (va - p->va < p->size && (p->global || p->asid == fake.asid) && p->prot >> access & 1) {
      *out = (struct translation){
          .pa = p->pa + (va - p->va), .size = p->size, .prot = p->prot, .global = p->global};
      return 0;
    }
  }
  return vcpu_trap(v, FAKE_TRAP_PAGE, 2, va, access, 0);
}

static inline int fake_bus_fault(struct vcpu *v, gva_t va, enum access access) {
  return vcpu_trap(v, FAKE_TRAP_BUS, 2, va, access, 0);
}

static inline int fake_illegal(struct vcpu *v, uint64_t bits, unsigned len) {
  return vcpu_trap(v, FAKE_TRAP_ILLEGAL, 2, bits, len, 0);
}

static inline void fake_context(struct vcpu *v) {
  v->tag_data = tlb_context(v, fake.asid, fake.mode);
  v->tag_fetch = tlb_context(v, fake.asid, fake.mode + 1);
}

static const struct arch_ops fake_arch = {.translate = fake_translate,
                                          .bus_fault = fake_bus_fault,
                                          .illegal = fake_illegal,
                                          .context = fake_context};

static const struct isa fake_isa __attribute__((unused)) = {.name = "fake",
                                                            .title = "Unit test processor",
                                                            .insn_unit = 2,
                                                            .insn_max = 4,
                                                            .insn_size = sizeof(struct insn),
                                                            .vcpu_size = sizeof(struct vcpu),
                                                            .arch = &fake_arch};

static inline void fake_map(gva_t va, gpa_t pa, uint64_t size, uint8_t prot) {
  assert_true(fake.npages < ARRAY_SIZE(fake.page));
  fake.page[fake.npages++] =
      (struct fake_page){.va = va, .pa = pa, .size = size, .prot = prot, .asid = fake.asid};
}

/* A vCPU over `ram` bytes of RAM at 0x80000000. */
#define FAKE_RAM UINT64_C(0x80000000)
static inline struct vcpu *fake_vcpu(uint64_t ram) {
  memset(&fake, 0, sizeof fake);
  struct phys *p = phys_new();
  assert_non_null(p);
  assert_int_equal(phys_add_ram(p, FAKE_RAM, ram, "ram"), 0);
  struct vcpu *v = vcpu_new(&fake_isa, p, 0, 0);
  assert_non_null(v);
  return v;
}

static inline void fake_free(struct vcpu *v) {
  struct phys *p = v->c->phys;
  vcpu_free(v);
  phys_free(p);
}

/* Messages of the code under test, instead of stderr. */
static char fake_log[1100];
static inline void fake_sink(void *opaque, enum log_level level, const char *text) {
  (void)opaque, (void)level;
  snprintf(fake_log, sizeof fake_log, "%s", text);
}
static inline void fake_capture(void) {
  fake_log[0] = 0;
  log_set_sink(fake_sink, NULL);
}

#endif
