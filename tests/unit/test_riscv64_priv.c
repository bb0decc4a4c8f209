/* riscv64's procedural part: PMP blocks, page walks, trap entry, interrupt choice, timer deadlines. Expected values are
 * worked out from the privileged manual (20240411); whole programs against QEMU are in tests/htif. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/riscv64/priv.h"
#include "core/log.h"
#include "core/machine.h"
#include "mem/access.h"
#include "mem/phys.h"

#define RAM  UINT64_C(0x80000000)
#define SIZE (UINT64_C(64) << 20)
#define G1   (UINT64_C(1) << 30)
#define M2   (UINT64_C(1) << 21)
enum { R = 1 << ACCESS_READ, W = 1 << ACCESS_WRITE, X = 1 << ACCESS_FETCH, RWX = R | W | X };
enum { pR = 1, pW = 2, pX = 4, TOR = 8, NA4 = 0x10, NAPOT = 0x18, LOCK = 0x80 };
enum { V = 1, PR = 2, PW = 4, PX = 8, PU = 16, PG = 32, PA = 64, PD = 128 };

static struct phys *phys;
static struct vcpu *cpu;
static struct riscv64_vcpu *s;

static int setup(void **state) {
  (void)state;
  const struct isa *isa = isa_find("riscv64");
  phys = phys_new();
  if (!isa || !phys || phys_add_ram(phys, RAM, SIZE, "ram")) return -1;
  cpu = vcpu_new(isa, phys, 3, isa->default_features);
  s = (struct riscv64_vcpu *)cpu;
  return cpu ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  vcpu_free(cpu);
  phys_free(phys);
  return 0;
}

static void put(gpa_t pa, uint64_t word) { assert_int_equal(phys_write(phys, pa, &word, 8), 0); }

static uint64_t got(gpa_t pa) {
  uint64_t word = 0;
  assert_int_equal(phys_read(phys, pa, &word, 8), 0);
  return word;
}

static void test_reset(void **state) {
  (void)state;
  assert_int_equal(s->PRIV, 3);
  assert_int_equal(s->mhartid, 3);
  assert_int_equal(s->mstatus & (MSTATUS_MIE | MSTATUS_MPRV), 0);
  assert_int_equal(s->satp, 0);
  assert_int_equal(s->pmpcfg0, 0);
}

static uint64_t napot(gpa_t base, uint64_t size) { return base >> 2 | (size / 2 - 1) >> 2; }

/* Rights of one word at pa, and the block around it that has the same. */
static void expect_pmp(gpa_t pa, unsigned priv, uint64_t ask, unsigned rights, uint64_t size) {
  assert_int_equal(riscv64_pmp(cpu, pa, 4, priv), rights);
  assert_int_equal(riscv64_pmp_block(cpu, pa, ask), size);
}

static void test_pmp(void **state) {
  (void)state;
  expect_pmp(RAM, PRIV_M, G1, RWX, G1);
  expect_pmp(RAM, PRIV_S, G1, 0, G1);
  /* one entry over everything */
  s->pmpaddr0 = (UINT64_C(1) << 54) - 1;
  s->pmpcfg0 = NAPOT | pR | pX;
  expect_pmp(RAM, PRIV_U, G1, R | X, G1);
  expect_pmp(RAM, PRIV_M, G1, RWX, G1);
  s->pmpcfg0 |= LOCK;
  expect_pmp(RAM, PRIV_M, G1, R | X, G1);
  /* a closed hole of 64 KiB in an open world: blocks shrink until they are inside or outside */
  s->pmpaddr0 = napot(RAM + 0x10000, 0x10000);
  s->pmpaddr1 = (UINT64_C(1) << 54) - 1;
  s->pmpcfg0 = NAPOT | (uint64_t)(NAPOT | pR | pW | pX) << 8;
  expect_pmp(RAM + 0x11000, PRIV_S, G1, 0, 0x10000);
  expect_pmp(RAM + 0x1f120, PRIV_S, 4096, 0, 4096);
  expect_pmp(RAM + 0x100000, PRIV_S, M2, RWX, 0x100000);
  expect_pmp(RAM + 0x8000, PRIV_S, M2, RWX, 0x10000);
  expect_pmp(RAM + M2, PRIV_S, M2, RWX, M2);
  expect_pmp(RAM + 0x11000, PRIV_M, M2, RWX, 0x10000);
  /* TOR; entry 0 starts at zero; an empty range matches nothing */
  s->pmpaddr0 = (RAM + 0x2008) >> 2;
  s->pmpaddr1 = (RAM + 0x1000) >> 2;
  s->pmpaddr2 = (RAM + 0x4000) >> 2;
  s->pmpcfg0 = (TOR | pR) | (TOR | pW) << 8 | (TOR | pX) << 16;
  expect_pmp(RAM + 0x1ffc, PRIV_S, 4096, R, 4096);
  expect_pmp(RAM + 0x2004, PRIV_S, 4096, R, 8);
  expect_pmp(RAM + 0x2008, PRIV_S, 4096, X, 8);
  expect_pmp(RAM + 0x4000, PRIV_S, 4096, 0, 4096);
  /* a partial match fails, whatever the permissions, for M mode too */
  assert_int_equal(riscv64_pmp(cpu, RAM + 0x2004, 8, PRIV_S), 0);
  assert_int_equal(riscv64_pmp(cpu, RAM + 0x2004, 8, PRIV_M), 0);
  assert_int_equal(riscv64_pmp(cpu, RAM + 0x2000, 8, PRIV_M), RWX);
  /* four bytes, in the last entry, which the second configuration register holds */
  s->pmpcfg0 = 0;
  s->pmpaddr15 = RAM >> 2;
  s->pmpcfg2 = (uint64_t)(NA4 | pW | pR) << 56;
  expect_pmp(RAM, PRIV_U, 4096, R | W, 4);
  expect_pmp(RAM + 4, PRIV_U, 4096, 0, 4);
  expect_pmp(RAM + 8, PRIV_M, 4096, RWX, 8);
  /* memory sees it: words of one page have their own rights */
  uint32_t word;
  uint64_t wide;
  s->PRIV = PRIV_U;
  cpu->c->isa->arch->context(cpu);
  assert_int_equal(mem_load32(cpu, RAM, 0, &word), 0);
  assert_int_equal(mem_load32(cpu, RAM + 4, 0, &word), STEP_TRAP);
  assert_int_equal(cpu->c->trap.kind, RISCV64_TRAP_load_access);
  assert_int_equal(mem_load64(cpu, RAM, 0, &wide), STEP_TRAP);
  assert_int_equal(mem_store32(cpu, RAM, 0, 7), 0);
  assert_int_equal(mem_rmw32(cpu, RAM, 0, RMW_ADD, 1, &word), 0);
  assert_int_equal(word, 7);
}

/* Paging: root at RAM + 0x100000, tables behind it. */
#define ROOT (RAM + 0x100000)

static void paging(unsigned mode, unsigned priv) {
  s->pmpaddr0 = (UINT64_C(1) << 54) - 1;
  s->pmpcfg0 = NAPOT | pR | pW | pX;
  s->satp = (uint64_t)mode << 60 | ROOT >> 12;
  s->PRIV = (uint8_t)priv;
}

static uint64_t pte(gpa_t pa, unsigned bits) { return pa >> 12 << 10 | bits; }

static void expect_fault(gva_t va, enum access access, uint32_t kind) {
  struct translation t;
  assert_int_equal(riscv64_translate(cpu, va, access, &t), STEP_TRAP);
  assert_int_equal(cpu->c->trap.kind, kind);
  assert_int_equal(cpu->c->trap.arg[0], va);
}

static void expect_page(gva_t va, enum access access, gpa_t pa, uint64_t size, unsigned prot) {
  struct translation t;
  assert_int_equal(riscv64_translate(cpu, va, access, &t), 0);
  assert_int_equal(t.pa, pa);
  assert_int_equal(t.size, size);
  assert_int_equal(t.prot, prot);
}

static void test_sv39(void **state) {
  (void)state;
  paging(SATP_SV39, PRIV_S);
  put(ROOT + 2 * 8, pte(RAM, V | PR | PW | PX | PA | PD)); /* 1 GiB at 0x80000000 */
  put(ROOT, pte(ROOT + 0x1000, V));
  put(ROOT + 0x1000 + 8, pte(RAM + M2, V | PR | PX | PA | PG)); /* 2 MiB at 0x200000 */
  put(ROOT + 0x1000, pte(ROOT + 0x2000, V));
  put(ROOT + 0x2000 + 5 * 8, pte(RAM + 0x7000, V | PR | PW | PA)); /* 4 KiB at 0x5000, clean */
  put(ROOT + 0x2000 + 6 * 8, pte(RAM + 0x8000, V | PX | PA));
  expect_page(0x80000123, ACCESS_READ, RAM + 0x123, G1, RWX);
  expect_page(0x200ffc, ACCESS_FETCH, RAM + M2 + 0xffc, M2, R | X);
  expect_page(0x5008, ACCESS_READ, RAM + 0x7008, 4096, R);
  expect_fault(0x5008, ACCESS_FETCH, RISCV64_TRAP_fetch_page);
  expect_page(0x5008, ACCESS_WRITE, RAM + 0x7008, 4096, R | W); /* D is set by hardware */
  assert_int_equal(got(ROOT + 0x2000 + 5 * 8), pte(RAM + 0x7000, V | PR | PW | PA | PD));
  expect_fault(0x200000, ACCESS_WRITE, RISCV64_TRAP_store_page);
  expect_fault(0x6000, ACCESS_READ, RISCV64_TRAP_load_page);
  s->mstatus |= MSTATUS_MXR;
  expect_page(0x6000, ACCESS_READ, RAM + 0x8000, 4096, R | X);
  s->mstatus &= ~MSTATUS_MXR;
  expect_fault(0x9000, ACCESS_READ, RISCV64_TRAP_load_page);            /* not valid */
  expect_fault(UINT64_C(1) << 38, ACCESS_READ, RISCV64_TRAP_load_page); /* not canonical */
  expect_fault(UINT64_C(1) << 63, ACCESS_FETCH, RISCV64_TRAP_fetch_page);
  /* the global bit of a superpage and of a pointer */
  struct translation t;
  assert_int_equal(riscv64_translate(cpu, 0x200000, ACCESS_READ, &t), 0);
  assert_true(t.global);
  put(ROOT, pte(ROOT + 0x1000, V | PG));
  assert_int_equal(riscv64_translate(cpu, 0x5000, ACCESS_READ, &t), 0);
  assert_true(t.global);
  s->PRIV = PRIV_M; /* no translation in M mode */
  expect_page(0x5008, ACCESS_READ, 0x5008, G1, RWX);
  s->mstatus |= MSTATUS_MPRV | UINT64_C(1) << 11; /* but for data under MPRV */
  expect_page(0x5008, ACCESS_READ, RAM + 0x7008, 4096, R | W);
  expect_page(0x5008, ACCESS_FETCH, 0x5008, G1, RWX);
}

static void test_user_pages(void **state) {
  (void)state;
  paging(SATP_SV39, PRIV_U);
  put(ROOT, pte(0, V | PR | PW | PX | PA | PD | PU));
  put(ROOT + 8, pte(G1, V | PR | PW | PX | PA | PD));
  expect_page(0x1000, ACCESS_FETCH, 0x1000, G1, RWX);
  expect_fault(G1, ACCESS_READ, RISCV64_TRAP_load_page);
  s->PRIV = PRIV_S;
  expect_fault(0x1000, ACCESS_READ, RISCV64_TRAP_load_page);
  expect_fault(0x1000, ACCESS_FETCH, RISCV64_TRAP_fetch_page);
  s->mstatus |= MSTATUS_SUM;
  expect_page(0x1000, ACCESS_WRITE, 0x1000, G1, R | W);
  expect_fault(0x1000, ACCESS_FETCH, RISCV64_TRAP_fetch_page); /* never, whatever SUM says */
}

static void test_bad_entries(void **state) {
  (void)state;
  static const struct {
    unsigned level;
    uint64_t entry;
  } bad[] = {
      {2, V | PW | PA | PD},                     /* W without R */
      {2, V | PR | PA | PD | UINT64_C(1) << 54}, /* reserved */
      {2, V | PR | PA | PD | UINT64_C(1) << 61}, /* Svpbmt is not there */
      {2, V | PR | PA | PD | UINT64_C(1) << 63}, /* nor Svnapot */
      {2, V | PR | PA | PD | UINT64_C(1) << 10}, /* misaligned 1 GiB */
      {1, V | PR | PA | PD | UINT64_C(1) << 18}, /* misaligned 2 MiB */
      {2, V | PA},
      {2, V | PD},
      {2, V | PU}, /* a pointer with A, D or U */
      {0, V},      /* a pointer at the last level */
  };
  for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
    paging(SATP_SV39, PRIV_S);
    put(ROOT, pte(ROOT + 0x1000, V));
    put(ROOT + 0x1000, pte(ROOT + 0x2000, V));
    put(ROOT + (2 - bad[i].level) * 0x1000, bad[i].entry);
    expect_fault(0x10, ACCESS_READ, RISCV64_TRAP_load_page);
  }
  put(ROOT, pte(UINT64_C(0x40000000), V)); /* a table where there is no memory */
  expect_fault(0x10, ACCESS_WRITE, RISCV64_TRAP_store_access);
}

static void test_ad(void **state) {
  (void)state;
  paging(SATP_SV39, PRIV_S);
  put(ROOT, pte(0, V | PR | PW));
  s->menvcfg &= ~MENVCFG_ADUE;
  expect_fault(0x10, ACCESS_READ, RISCV64_TRAP_load_page);
  expect_fault(0x10, ACCESS_WRITE, RISCV64_TRAP_store_page);
  assert_int_equal(got(ROOT), pte(0, V | PR | PW));
  s->menvcfg |= MENVCFG_ADUE;
  expect_page(0x10, ACCESS_READ, 0x10, G1, R);
  assert_int_equal(got(ROOT), pte(0, V | PR | PW | PA));
  expect_page(0x10, ACCESS_WRITE, 0x10, G1, R | W);
  assert_int_equal(got(ROOT), pte(0, V | PR | PW | PA | PD));
  /* page tables obey PMP as S mode does: reading them, and writing A and D */
  put(ROOT, pte(0, V | PR));
  s->pmpaddr1 = s->pmpaddr0;
  s->pmpaddr0 = napot(ROOT, 4096);
  s->pmpcfg0 = (NAPOT | pR) | (NAPOT | pR | pW | pX) << 8;
  expect_fault(0x10, ACCESS_READ, RISCV64_TRAP_load_access);
  assert_int_equal(got(ROOT), pte(0, V | PR));
  put(ROOT, pte(0, V | PR | PA));
  expect_page(0x10, ACCESS_READ, 0x10, G1, R);
  s->pmpcfg0 = NAPOT | (NAPOT | pR | pW | pX) << 8;
  expect_fault(0x10, ACCESS_FETCH, RISCV64_TRAP_fetch_access);
}

static void test_sv48(void **state) {
  (void)state;
  paging(SATP_SV48, PRIV_S);
  put(ROOT + 511 * 8, pte(0, V | PR | PA)); /* 512 GiB */
  put(ROOT + 1 * 8, pte(ROOT + 0x1000, V));
  put(ROOT + 0x1000, pte(RAM, V | PR | PA)); /* 1 GiB */
  expect_page(UINT64_C(0xffffff8000000018), ACCESS_READ, 0x18, UINT64_C(1) << 39, R);
  expect_page(UINT64_C(0x8000000010), ACCESS_READ, RAM + 0x10, G1, R);
  expect_fault(UINT64_C(1) << 47, ACCESS_READ, RISCV64_TRAP_load_page);
}

static void test_traps(void **state) {
  (void)state;
  const struct arch_ops *a = cpu->c->isa->arch;
  s->mtvec = 0x1001; /* exceptions go to the base whatever the mode */
  s->stvec = 0x2001;
  s->mstatus = MSTATUS_MIE;
  cpu->pc = RAM + 2;
  vcpu_trap(cpu, RISCV64_TRAP_load_page, 1, 0x1234, 0, 0);
  a->deliver(cpu);
  assert_int_equal(cpu->pc, 0x1000);
  assert_int_equal(s->mepc, RAM + 2);
  assert_int_equal(s->mcause, 13);
  assert_int_equal(s->mtval, 0x1234);
  assert_int_equal(s->mstatus, MSTATUS_MPIE | MSTATUS_MPP);
  /* delegation holds for traps from S and U only */
  s->medeleg = 1u << 13;
  vcpu_trap(cpu, RISCV64_TRAP_load_page, 1, 0x1234, 0, 0);
  a->deliver(cpu);
  assert_int_equal(s->scause, 0);
  s->PRIV = PRIV_S;
  s->mstatus = MSTATUS_SIE;
  cpu->pc = 0x4242;
  vcpu_trap(cpu, RISCV64_TRAP_load_page, 1, 0x5678, 0, 0);
  a->deliver(cpu);
  assert_int_equal(cpu->pc, 0x2000);
  assert_int_equal(s->sepc, 0x4242);
  assert_int_equal(s->scause, 13);
  assert_int_equal(s->stval, 0x5678);
  assert_int_equal(s->PRIV, PRIV_S);
  assert_int_equal(s->mstatus, MSTATUS_SPIE | MSTATUS_SPP);
  /* an illegal instruction's value is its bits, also across pages and for two bytes */
  s->PRIV = PRIV_M;
  put(RAM + 0xff8, UINT64_C(0x5673) << 48);
  put(RAM + 0x1000, 0xabcd);
  cpu->c->isa->arch->context(cpu);
  cpu->pc = RAM + 0xffe;
  vcpu_trap(cpu, RISCV64_TRAP_illegal, 0, 0, 0, 0);
  a->deliver(cpu);
  assert_int_equal(s->mtval, 0xabcd5673);
  put(RAM, 0xffff0000);
  cpu->pc = RAM;
  vcpu_trap(cpu, RISCV64_TRAP_illegal, 0, 0, 0, 0);
  a->deliver(cpu);
  assert_int_equal(s->mtval, 0);
  assert_int_equal(a->illegal(cpu, 0xdeadbeef8082, 2), STEP_TRAP);
  a->deliver(cpu);
  assert_int_equal(s->mtval, 0x8082);
}

static void test_interrupts(void **state) {
  (void)state;
  const struct arch_ops *a = cpu->c->isa->arch;
  s->mtvec = 0x1001;
  s->stvec = 0x2001;
  s->mie = 0xaaa;
  s->mip = 0x222;
  cpu->c->irq_lines = 0x888;
  cpu->pc = RAM;
  assert_false(a->interrupt(cpu)); /* M mode, MIE off */
  assert_true(a->wake(cpu));
  s->mstatus = MSTATUS_MIE;
  static const unsigned order[] = {11, 3, 7, 9, 1, 5};
  for (unsigned i = 0; i < ARRAY_SIZE(order); i++) { /* 3.1.9 */
    s->mstatus = MSTATUS_MIE;
    assert_true(a->interrupt(cpu));
    assert_int_equal(s->mcause, UINT64_C(1) << 63 | order[i]);
    assert_int_equal(cpu->pc, 0x1000 + 4 * order[i]);
    assert_int_equal(s->mstatus & MSTATUS_MIE, 0);
    s->mie &= ~(UINT64_C(1) << order[i]);
  }
  assert_false(a->wake(cpu));
  /* delegated ones: never in M, in S under SIE, always in U; those for M come first */
  s->mie = 0xaaa;
  s->mideleg = 0x222;
  cpu->c->irq_lines = 0;
  s->mstatus = MSTATUS_MIE;
  assert_false(a->interrupt(cpu));
  s->PRIV = PRIV_S;
  assert_false(a->interrupt(cpu));
  s->mstatus = MSTATUS_SIE;
  assert_true(a->interrupt(cpu));
  assert_int_equal(s->scause, UINT64_C(1) << 63 | 9);
  assert_int_equal(cpu->pc, 0x2000 + 36);
  assert_int_equal(s->mstatus, MSTATUS_SPIE | MSTATUS_SPP);
  s->PRIV = PRIV_U;
  s->mie &= ~IRQ_SEI;
  assert_true(a->interrupt(cpu));
  assert_int_equal(s->scause, UINT64_C(1) << 63 | 1);
  assert_int_equal(s->PRIV, PRIV_S);
  cpu->c->irq_lines = IRQ_MTI;
  s->mstatus = MSTATUS_SIE;
  assert_true(a->interrupt(cpu));
  assert_int_equal(s->mcause, UINT64_C(1) << 63 | 7);
  assert_int_equal(s->PRIV, PRIV_M);
  /* the line of an external interrupt shows in mip next to the software bit */
  s->mip = 0;
  cpu->c->irq_lines = IRQ_SEI;
  assert_int_equal(riscv64_pending(cpu, UINT64_MAX), IRQ_SEI);
}

static void test_sstc(void **state) {
  (void)state;
  const struct arch_ops *a = cpu->c->isa->arch;
  s->mip = IRQ_STI;
  s->stimecmp = UINT64_MAX;
  assert_int_equal(riscv64_pending(cpu, UINT64_MAX), IRQ_STI);
  s->menvcfg |= MENVCFG_STCE; /* from here on the bit is the comparator's */
  assert_int_equal(riscv64_pending(cpu, UINT64_MAX), 0);
  s->stimecmp = 0;
  assert_int_equal(riscv64_pending(cpu, UINT64_MAX), IRQ_STI);
  assert_int_equal(riscv64_pending(cpu, IRQ_SEI), 0);
  /* deadlines need a machine, STCE and the interrupt enabled */
  struct machine m = {.isa = cpu->c->isa, .epoch_ns = 5000};
  s->stimecmp = 70;
  s->mie = IRQ_STI;
  assert_true(a->deadline(cpu) == UINT64_MAX);
  cpu->c->machine = &m;
  assert_int_equal(a->deadline(cpu), 5000 + 70 * 100);
  s->stimecmp = UINT64_MAX / 50;
  assert_true(a->deadline(cpu) == UINT64_MAX);
  s->stimecmp = 70;
  s->mie = 0;
  assert_true(a->deadline(cpu) == UINT64_MAX);
  cpu->c->machine = NULL;
}

static bool answer(struct vcpu *v) {
  ((struct riscv64_vcpu *)v)->x[10] = 42;
  return true;
}

static char message[200];
static void sink(void *opaque, enum log_level level, const char *text) {
  (void)opaque, (void)level;
  strncpy(message, text, sizeof message - 1);
}

static void test_firmware(void **state) {
  (void)state;
  const struct arch_ops *a = cpu->c->isa->arch;
  cpu->c->firmware_call = answer;
  s->PRIV = PRIV_S;
  cpu->pc = RAM + 8;
  vcpu_trap(cpu, RISCV64_TRAP_ecall_s, 0, 0, 0, 0);
  a->deliver(cpu);
  assert_int_equal(cpu->pc, RAM + 12);
  assert_int_equal(s->PRIV, PRIV_S);
  assert_int_equal(s->x[10], 42);
  log_set_sink(sink, NULL);
  vcpu_trap(cpu, RISCV64_TRAP_load_access, 1, 0x77, 0, 0);
  a->deliver(cpu);
  log_set_sink(NULL, NULL);
  assert_non_null(strstr(message, "load_access"));
  assert_non_null(strstr(message, "0x77"));
}

static void test_user(void **state) {
  (void)state;
  const struct arch_ops *a = cpu->c->isa->arch;
  uint64_t nr, arg[6];
  s->x[5] = 9;
  a->user_entry(cpu, 0x10000, 0x7ff0);
  assert_int_equal(cpu->pc, 0x10000);
  assert_int_equal(s->x[2], 0x7ff0);
  assert_int_equal(s->x[5], 0);
  assert_int_equal(s->PRIV, PRIV_U);
  assert_int_not_equal(s->FS, 0);
  s->x[17] = 64;
  for (unsigned i = 0; i < 6; i++) s->x[10 + i] = i + 1;
  vcpu_trap(cpu, RISCV64_TRAP_breakpoint, 1, 0, 0, 0);
  assert_false(a->user_syscall(cpu, &nr, arg));
  vcpu_trap(cpu, RISCV64_TRAP_ecall_u, 0, 0, 0, 0);
  assert_true(a->user_syscall(cpu, &nr, arg));
  assert_int_equal(nr, 64);
  assert_int_equal(arg[5], 6);
  a->user_result(cpu, -38);
  assert_int_equal((int64_t)s->x[10], -38);
  assert_int_equal(cpu->pc, 0x10004);
}

static void test_exclusive(void **state) {
  (void)state;
  uint64_t x;
  uint8_t ok = 1;
  put(RAM, 5);
  cpu->c->isa->arch->context(cpu);
  assert_int_equal(mem_load_ex64(cpu, RAM, 0, &x), 0);
  vcpu_trap(cpu, RISCV64_TRAP_ecall_m, 0, 0, 0, 0);
  cpu->c->isa->arch->deliver(cpu); /* a trap ends the reservation */
  assert_int_equal(mem_store_ex64(cpu, RAM, 0, 6, &ok), 0);
  assert_int_equal(ok, 0);
  assert_int_equal(got(RAM), 5);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(test_reset),    T(test_pmp),  T(test_sv39),      T(test_user_pages), T(test_bad_entries),
      T(test_ad),       T(test_sv48), T(test_traps),     T(test_interrupts), T(test_sstc),
      T(test_firmware), T(test_user), T(test_exclusive),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
