/* arm64's stage 1 translation, with tables made by hand. Expected values are worked out from the Arm ARM (DDI 0487): D8.2 the
 * geometry, D8.3 descriptors, D8.4 permissions, D8.5 hardware updates, D24.2.37 fault status codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/el1.h"
#include "mem/access.h"
#include "mem/phys.h"
#include "mem/tlb.h"

#define RAM   UINT64_C(0x40000000)
#define SIZE  (UINT64_C(64) << 20)
#define T0    (RAM + 0x100000) /* tables, 64 KiB apart */
#define T1    (RAM + 0x110000)
#define T2    (RAM + 0x120000)
#define T3    (RAM + 0x130000)
#define HIGH0 (RAM + 0x140000)
#define K4    (UINT64_C(1) << 12)
#define K16   (UINT64_C(1) << 14)
#define K64   (UINT64_C(1) << 16)
#define M2    (UINT64_C(1) << 21)
#define G1    (UINT64_C(1) << 30)

enum { R = 1 << ACCESS_READ, W = 1 << ACCESS_WRITE, X = 1 << ACCESS_FETCH, RW = R | W, RWX = R | W | X };
/* Descriptors */
#define PAGE   3u
#define BLOCK  1u
#define TABLE  3u
#define USER   (1u << 6)
#define RO     (1u << 7)
#define AF     (1u << 10)
#define NG     (1u << 11)
#define BIT(n) (UINT64_C(1) << (n))
#define DBM    BIT(51)
#define CONTIG BIT(52)
#define PXN    BIT(53)
#define UXN    BIT(54)
/* TCR_EL1 */
#define TSZ(t0, t1) ((uint64_t)(t0) | (uint64_t)(t1) << 16)
#define BASE        (TSZ(16, 16) | UINT64_C(2) << 30 | UINT64_C(5) << 32) /* 48 bits, 4 KiB, 48-bit output */
#define EPD0        BIT(7)
#define A1          BIT(22)
#define EPD1        BIT(23)
#define AS16        BIT(36)
#define TBI0        BIT(37)
#define HA          BIT(39)
#define HD          BIT(40)

static struct phys *phys;
static struct vcpu *cpu;
static struct arm64_vcpu *s;

static int setup(void **state) {
  (void)state;
  const struct isa *isa = isa_find("arm64");
  phys = phys_new();
  if (!isa || !phys || phys_add_ram(phys, RAM, SIZE, "ram")) return -1;
  cpu = vcpu_new(isa, phys, 0, isa->default_features);
  s = a64(cpu);
  s->SCTLR_EL1 |= SCTLR_M;
  s->TCR_EL1 = BASE;
  s->TTBR0_EL1 = T0;
  s->TTBR1_EL1 = HIGH0;
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
static void entry(gpa_t table, unsigned index, uint64_t desc) { put(table + 8 * index, desc); }

static struct arm64_walk w;
static int walk_as(gva_t va, enum access access, unsigned el, bool pan) {
  return arm64_walk(cpu, va, access, (struct arm64_walker){.el = (uint8_t)el, .pan = pan, .update = true},
                    &w);
}
static int walk(gva_t va) { return walk_as(va, ACCESS_READ, 1, false); }
#define FAULT(code)           (ARM64_FAULT | (code))
#define assert_fault(va, fsc) assert_int_equal(walk(va), FAULT(fsc))
static void expect(gva_t va, gpa_t pa, uint64_t size) {
  assert_int_equal(walk(va), 0);
  assert_int_equal(w.t.pa, pa);
  assert_int_equal(w.t.size, size);
}

/* Four levels of 4 KiB tables down to T3, entry 1 of each. */
#define VA (BIT(39) | BIT(30) | BIT(21) | BIT(12))
static void four_levels(uint64_t leaf) {
  entry(T0, 1, T1 | TABLE);
  entry(T1, 1, T2 | TABLE);
  entry(T2, 1, T3 | TABLE);
  entry(T3, 1, leaf);
}

static void test_mmu_off(void **state) {
  (void)state;
  s->SCTLR_EL1 &= ~SCTLR_M;
  expect(RAM + 5, RAM + 5, G1);
  assert_int_equal(w.t.prot, RWX);
  assert_fault(BIT(48), 0x00); /* address size, level 0 */
}

static void test_levels(void **state) {
  (void)state;
  assert_fault(VA, 0x04);
  entry(T0, 1, T1 | TABLE);
  assert_fault(VA, 0x05);
  entry(T1, 1, T2 | TABLE);
  assert_fault(VA, 0x06);
  entry(T2, 1, T3 | TABLE);
  assert_fault(VA, 0x07);
  entry(T3, 1, (RAM + 0x5000) | BLOCK | AF); /* 0b01 is reserved in the last level */
  assert_fault(VA, 0x07);
  entry(T3, 1, (RAM + 0x5000) | PAGE | AF);
  expect(VA + 0x123, RAM + 0x5123, K4);
  assert_true(w.t.global);
  entry(T2, 1, (RAM + M2) | BLOCK | AF | NG);
  expect(VA + 0x123, RAM + M2 + 0x1123, M2);
  assert_false(w.t.global);
  entry(T1, 1, RAM | BLOCK | AF);
  expect(VA + 0x123, RAM + M2 + 0x1123, G1);
  entry(T0, 1, RAM | BLOCK | AF); /* no blocks of 512 GiB */
  assert_fault(VA, 0x04);
  /* the other half has its own tables */
  entry(HIGH0, 511, T1 | TABLE);
  entry(T1, 511, RAM | BLOCK | AF);
  expect(UINT64_C(0xffffffffc0000000) + 8, RAM + 8, G1);
}

static void test_address_space(void **state) {
  (void)state;
  four_levels(RAM | PAGE | AF);
  assert_fault(VA | BIT(48), 0x04); /* the hole */
  assert_fault(VA | BIT(55), 0x04);
  assert_fault(VA | BIT(56), 0x04); /* a tag without TBI */
  s->TCR_EL1 = BASE | TBI0;
  expect(VA | UINT64_C(0x5a) << 56, RAM, K4);
  assert_int_equal(w.t.prot, 0); /* not for the TLB */
  s->TCR_EL1 = BASE | EPD0;
  assert_fault(VA, 0x04);
  s->TCR_EL1 = BASE | EPD1;
  expect(VA, RAM, K4);
  assert_fault(~UINT64_C(0), 0x04);
  /* 39 bits start at level 1, 25 bits at level 2; a region outside 16 to 39 translates nothing */
  s->TCR_EL1 = (BASE & ~UINT64_C(63)) | 25;
  s->TTBR0_EL1 = T1;
  expect(VA & ~BIT(39), RAM, K4);
  assert_fault(VA, 0x04);
  s->TCR_EL1 = (BASE & ~UINT64_C(63)) | 39;
  s->TTBR0_EL1 = T2;
  expect(BIT(21) | BIT(12), RAM, K4);
  assert_fault(BIT(25), 0x04);
  s->TCR_EL1 = (BASE & ~UINT64_C(63)) | 40;
  assert_fault(BIT(12), 0x04);
}

static void test_small_first_table(void **state) {
  (void)state;
  /* 26 bits: one level 2 table of 32 entries, 256 bytes, which may lie at any multiple of its size */
  s->TCR_EL1 = (BASE & ~UINT64_C(63)) | 38;
  s->TTBR0_EL1 = T2 + 0x100;
  put(T2 + 0x100 + 8 * 31, (RAM + M2) | BLOCK | AF);
  expect(31 * M2 + 7, RAM + M2 + 7, M2);
}

static void test_access_flag(void **state) {
  (void)state;
  four_levels(RAM | PAGE);
  assert_fault(VA, 0x0b);
  entry(T2, 1, RAM | BLOCK);
  assert_fault(VA, 0x0a);
  entry(T1, 1, RAM | BLOCK);
  assert_fault(VA, 0x09);
  four_levels(RAM | PAGE);
  s->TCR_EL1 = BASE | HA;
  /* what only asks does not update */
  assert_int_equal(arm64_walk(cpu, VA, ACCESS_READ, (struct arm64_walker){.el = 1}, &w), 0);
  assert_int_equal(got(T3 + 8), RAM | PAGE);
  expect(VA, RAM, K4);
  assert_int_equal(got(T3 + 8), RAM | PAGE | AF);
}

static void test_dirty_state(void **state) {
  (void)state;
  four_levels(RAM | PAGE | AF | RO | DBM);
  s->TCR_EL1 = BASE | HA;
  assert_int_equal(walk_as(VA, ACCESS_WRITE, 1, false), FAULT(0x0f));
  s->TCR_EL1 = BASE | HA | HD;
  assert_int_equal(walk(VA), 0);
  assert_int_equal(w.t.prot & W, 0); /* the first write walks again */
  assert_int_equal(got(T3 + 8), RAM | PAGE | AF | RO | DBM);
  assert_int_equal(walk_as(VA, ACCESS_WRITE, 1, false), 0);
  assert_int_equal(w.t.prot & W, W);
  assert_int_equal(got(T3 + 8), RAM | PAGE | AF | DBM);
  /* a read-only table stays read-only */
  four_levels(RAM | PAGE | AF | RO | DBM);
  entry(T2, 1, T3 | TABLE | BIT(62));
  assert_int_equal(walk_as(VA, ACCESS_WRITE, 1, false), FAULT(0x0f));
  assert_int_equal(got(T3 + 8), RAM | PAGE | AF | RO | DBM);
}

/* D8.4.1: what each level may do with a page. */
static void rights(uint64_t desc, unsigned el1, unsigned el0) {
  four_levels(RAM | PAGE | AF | desc);
  for (unsigned el = 0; el < 2; el++)
    for (unsigned a = 0; a < 3; a++) {
      unsigned may = el ? el1 : el0;
      int rc = walk_as(VA, a, el, false);
      assert_int_equal(rc, may >> a & 1 ? 0 : FAULT(0x0f));
      if (!rc) assert_int_equal(w.t.prot, may);
    }
}

static void test_permissions(void **state) {
  (void)state;
  rights(0, RWX, X);     /* EL0 may execute what it may not read */
  rights(USER, RW, RWX); /* writable by EL0: never executed by EL1 */
  rights(RO, R | X, X);
  rights(USER | RO, R | X, R | X);
  rights(UXN, RWX, 0);
  rights(PXN, RW, X);
  rights(USER | RO | PXN, R, R | X);
  rights(USER | RO | UXN, R | X, R);
  rights(USER | UXN | PXN, RW, RW);
  /* WXN: nothing writable is executed */
  s->SCTLR_EL1 |= SCTLR_WXN;
  rights(0, RW, X);
  rights(USER, RW, RW);
  rights(RO, R | X, X);
  rights(USER | RO, R | X, R | X);
}

static void test_table_permissions(void **state) {
  (void)state;
  four_levels(RAM | PAGE | AF | USER);
  entry(T2, 1, T3 | TABLE | BIT(61)); /* APTable: not for EL0 */
  assert_int_equal(walk_as(VA, ACCESS_READ, 0, false), FAULT(0x0f));
  assert_int_equal(walk_as(VA, ACCESS_WRITE, 1, false), 0);
  entry(T2, 1, T3 | TABLE);
  entry(T1, 1, T2 | TABLE | BIT(62)); /* read-only */
  assert_int_equal(walk_as(VA, ACCESS_READ, 0, false), 0);
  assert_int_equal(walk_as(VA, ACCESS_WRITE, 0, false), FAULT(0x0f));
  assert_int_equal(walk_as(VA, ACCESS_WRITE, 1, false), FAULT(0x0f));
  entry(T1, 1, T2 | TABLE);
  entry(T0, 1, T1 | TABLE | BIT(60)); /* UXNTable */
  assert_int_equal(walk_as(VA, ACCESS_FETCH, 0, false), FAULT(0x0f));
  four_levels(RAM | PAGE | AF);
  entry(T0, 1, T1 | TABLE | BIT(59)); /* PXNTable */
  assert_int_equal(walk_as(VA, ACCESS_FETCH, 1, false), FAULT(0x0f));
}

static void test_privileged_access_never(void **state) {
  (void)state;
  four_levels(RAM | PAGE | AF | USER | RO);
  assert_int_equal(walk_as(VA, ACCESS_READ, 1, true), FAULT(0x0f));
  assert_int_equal(walk_as(VA, ACCESS_READ, 0, true), 0);
  assert_int_equal(walk_as(VA, ACCESS_FETCH, 1, false), 0);
  four_levels(RAM | PAGE | AF);
  assert_int_equal(walk_as(VA, ACCESS_READ, 1, true), 0);
}

static void test_address_size(void **state) {
  (void)state;
  s->TCR_EL1 = BASE & ~(UINT64_C(7) << 32); /* 32 bits */
  four_levels(BIT(32) | PAGE | AF);
  assert_fault(VA, 0x03);
  entry(T2, 1, BIT(32) | BLOCK | AF);
  assert_fault(VA, 0x02);
  entry(T2, 1, BIT(40) | TABLE);
  assert_fault(VA, 0x02);
  entry(T1, 1, BIT(32) | BLOCK | AF);
  assert_fault(VA, 0x01);
  s->TTBR0_EL1 = BIT(33);
  assert_fault(VA, 0x00);
}

static void test_walk_outside_memory(void **state) {
  (void)state;
  four_levels(RAM | PAGE | AF);
  entry(T2, 1, (RAM + SIZE) | TABLE);
  assert_fault(VA, 0x17);
  entry(T1, 1, (RAM + SIZE) | TABLE);
  assert_fault(VA, 0x16);
  entry(T0, 1, (RAM + SIZE) | TABLE);
  assert_fault(VA, 0x15);
  s->TTBR0_EL1 = RAM + SIZE;
  assert_fault(VA, 0x14);
}

static void test_granule_16k(void **state) {
  (void)state;
  s->TCR_EL1 = (BASE & ~(UINT64_C(3) << 14)) | UINT64_C(2) << 14; /* TG0 = 0b10 */
  /* 48 bits: level 0 has two entries, then 11 bits each */
  const gva_t va = BIT(47) | BIT(36) | BIT(25) | BIT(14);
  entry(T0, 1, T1 | TABLE);
  entry(T1, 1, T2 | TABLE);
  entry(T2, 1, T3 | TABLE);
  entry(T3, 1, (RAM + K16) | PAGE | AF);
  expect(va + 0x3abc, RAM + K16 + 0x3abc, K16);
  entry(T3, 1, (RAM + 0x1000) | PAGE | AF); /* bits below the granule are not the address's */
  expect(va, RAM, K16);
  entry(T2, 1, RAM | BLOCK | AF);
  expect(va, RAM + K16, UINT64_C(32) << 20);
  entry(T1, 1, RAM | BLOCK | AF);
  assert_fault(va, 0x05);
  assert_int_equal(walk_as(va - BIT(14), ACCESS_READ, 1, false), FAULT(0x05));
}

static void test_granule_64k(void **state) {
  (void)state;
  s->TCR_EL1 =
      (BASE & ~(UINT64_C(3) << 14)) | UINT64_C(1) << 14 | UINT64_C(3) << 30; /* TG0 = 0b01, TG1 = 0b11 */
  /* 48 bits: level 1 of 64 entries, then 13 bits each */
  const gva_t va = BIT(42) | BIT(29) | BIT(16);
  s->TTBR0_EL1 = T1;
  entry(T1, 1, T2 | TABLE);
  entry(T2, 1, T3 | TABLE);
  entry(T3, 1, (RAM + K64) | PAGE | AF);
  expect(va + 0xfffc, RAM + K64 + 0xfffc, K64);
  entry(T3, 1, 0);
  assert_fault(va, 0x07);
  entry(T2, 1, RAM | BLOCK | AF);
  expect(va, RAM + K64, UINT64_C(512) << 20);
  entry(T1, 1, RAM | BLOCK | AF);
  assert_fault(va, 0x05);
  /* the upper half has a granule of its own */
  s->TTBR1_EL1 = HIGH0;
  entry(HIGH0, 63, T2 | TABLE);
  entry(T2, 8191, RAM | BLOCK | AF);
  expect(~UINT64_C(0xfff), RAM + (UINT64_C(512) << 20) - K4, UINT64_C(512) << 20);
}

static void test_contiguous(void **state) {
  (void)state;
  four_levels((RAM + K4) | PAGE | AF | CONTIG);
  expect(VA + 5, RAM + K4 + 5, K64);                /* 16 pages */
  four_levels((RAM + 2 * K4) | PAGE | AF | CONTIG); /* does not lie in its block as the address does */
  expect(VA, RAM + 2 * K4, K4);
  entry(T2, 1, (RAM + M2) | BLOCK | AF | CONTIG);
  expect(VA, RAM + M2 + K4, 16 * M2);
}

/* ---- Through the TLB ---- */

static int load(gva_t va, uint64_t *out) {
  arm64_context(cpu);
  return mem_load64(cpu, va, ORDER_RELAXED, out);
}

static void expect_word(gva_t va, uint64_t value) {
  uint64_t out = 0;
  assert_int_equal(load(va, &out), 0);
  assert_int_equal(out, value);
}

static void test_asids_and_flushes(void **state) {
  (void)state;
  put(RAM, 1);
  put(RAM + K4, 2);
  s->TCR_EL1 = BASE | AS16;
  four_levels(RAM | PAGE | AF | NG);
  s->TTBR0_EL1 = T0 | UINT64_C(0x1234) << 48;
  expect_word(VA, 1);
  entry(T3, 1, (RAM + K4) | PAGE | AF | NG);
  expect_word(VA, 1); /* still cached */
  s->TTBR0_EL1 = T0 | UINT64_C(0x1235) << 48;
  expect_word(VA, 2);
  s->TTBR0_EL1 = T0 | UINT64_C(0x1234) << 48;
  expect_word(VA, 1);
  arm64_h_tlbi(cpu, UINT64_C(0x1234) << 48, 2, 0); /* ASIDE1 */
  expect_word(VA, 2);
  entry(T3, 1, RAM | PAGE | AF);
  arm64_h_tlbi(cpu, UINT64_C(0x1234) << 48 | VA >> 12, 1, 0); /* VAE1 */
  expect_word(VA, 1);
  /* a global page is every ASID's, and an address flush of one ASID drops it */
  entry(T3, 1, (RAM + K4) | PAGE | AF);
  s->TTBR0_EL1 = T0 | UINT64_C(7) << 48;
  expect_word(VA, 1);
  arm64_h_tlbi(cpu, UINT64_C(7) << 48 | VA >> 12, 5, 0);
  expect_word(VA, 2);
  entry(T3, 1, RAM | PAGE | AF);
  arm64_h_tlbi(cpu, 0, 0, 0); /* VMALLE1 */
  expect_word(VA, 1);
  /* TCR.A1: the upper table's ASID counts; without AS eight bits of it */
  entry(T3, 1, RAM | PAGE | AF | NG);
  arm64_h_tlbi(cpu, 0, 0, 0);
  s->TCR_EL1 = (BASE | A1) & ~AS16;
  s->TTBR1_EL1 = HIGH0 | UINT64_C(0x0101) << 48;
  expect_word(VA, 1);
  entry(T3, 1, (RAM + K4) | PAGE | AF | NG);
  s->TTBR0_EL1 = T0 | UINT64_C(9) << 48;
  expect_word(VA, 1);
  s->TTBR1_EL1 = HIGH0 | UINT64_C(0x0201) << 48;
  expect_word(VA, 1);
  s->TTBR1_EL1 = HIGH0 | UINT64_C(0x0202) << 48;
  expect_word(VA, 2);
}

static void test_aborts(void **state) {
  (void)state;
  uint64_t out;
  four_levels(RAM | PAGE | AF | RO);
  arm64_context(cpu);
  assert_int_equal(mem_load64(cpu, VA + K4, ORDER_RELAXED, &out), STEP_TRAP);
  assert_int_equal(cpu->c->trap.kind, ARM64_TRAP_data_abort);
  assert_int_equal(cpu->c->trap.arg[0], VA + K4);
  assert_int_equal(cpu->c->trap.arg[1], 0x07);
  assert_int_equal(mem_store64(cpu, VA, ORDER_RELAXED, 1), STEP_TRAP);
  assert_int_equal(cpu->c->trap.arg[1], 0x4f); /* WnR, permission, level 3 */
  /* a crossing access names the page that is missing */
  assert_int_equal(mem_load64(cpu, VA + K4 - 4, ORDER_RELAXED, &out), STEP_TRAP);
  assert_int_equal(cpu->c->trap.arg[0], VA + K4);
  /* nothing at that physical address: synchronous external abort */
  entry(T3, 2, (RAM + SIZE) | PAGE | AF);
  assert_int_equal(mem_load64(cpu, VA + K4, ORDER_RELAXED, &out), STEP_TRAP);
  assert_int_equal(cpu->c->trap.arg[1], 0x10);
  gpa_t page;
  const uint8_t *host;
  assert_int_equal(tlb_fetch(cpu, VA + 2 * K4, &page, &host), STEP_TRAP);
  assert_int_equal(cpu->c->trap.kind, ARM64_TRAP_insn_abort);
  assert_int_equal(cpu->c->trap.arg[1], 0x07);
}

/* LDTR and STTR at EL1 have EL0's rights, whatever PAN says. */
static void test_unprivileged(void **state) {
  (void)state;
  uint64_t out;
  put(RAM, 42);
  four_levels(RAM | PAGE | AF | USER);
  s->PSTATE_PAN = 1;
  assert_int_equal(load(VA, &out), STEP_TRAP);
  assert_int_equal(arm64_h_user_load(cpu, VA, 8, &out), 0);
  assert_int_equal(out, 42);
  assert_int_equal(arm64_h_user_store(cpu, VA, 0x1ff, 1), 0);
  assert_int_equal(arm64_h_user_load(cpu, VA, 4, &out), 0);
  assert_int_equal(out, 0xff);
  assert_int_equal(load(VA, &out), STEP_TRAP); /* the context is EL1's again */
  entry(T3, 1, RAM | PAGE | AF);
  arm64_h_tlbi(cpu, 0, 0, 0);
  assert_int_equal(load(VA, &out), 0);
  assert_int_equal(arm64_h_user_load(cpu, VA, 8, &out), STEP_TRAP);
  assert_int_equal(cpu->c->trap.arg[1], 0x0f);
  assert_int_equal(arm64_h_user_store(cpu, VA, 0, 8), STEP_TRAP);
  assert_int_equal(cpu->c->trap.arg[1], 0x4f);
  assert_int_equal(load(VA, &out), 0);
}

/* PAR_EL1, D24.2.124 */
static void test_address_translation(void **state) {
  (void)state;
  s->MAIR_EL1 = 0xff04; /* 0: device nGnRE, 1: normal write-back */
  four_levels((RAM + 0x5000) | PAGE | AF | USER | RO | 1 << 2 | 3 << 8);
  assert_int_equal(arm64_h_address_translate(cpu, VA + 0x123, 0), STEP_NEXT);
  assert_int_equal(s->PAR_EL1, UINT64_C(0xff) << 56 | (RAM + 0x5000) | 1 << 11 | 3 << 7);
  arm64_h_address_translate(cpu, VA, 2);
  assert_int_equal(s->PAR_EL1 & 1, 0);
  arm64_h_address_translate(cpu, VA, 3);
  assert_int_equal(s->PAR_EL1, 1 << 11 | 0x0f << 1 | 1);
  arm64_h_address_translate(cpu, VA + K4, 1);
  assert_int_equal(s->PAR_EL1, 1 << 11 | 0x07 << 1 | 1);
  entry(T3, 1, (RAM + 0x5000) | PAGE | AF); /* device memory is outer shareable */
  arm64_h_address_translate(cpu, VA, 0);
  assert_int_equal(s->PAR_EL1, UINT64_C(4) << 56 | (RAM + 0x5000) | 1 << 11 | 2 << 7);
}

/* DC by address: faults of loads whose syndrome says write and cache maintenance; PAN does not count. */
static void test_cache_maintenance(void **state) {
  (void)state;
  four_levels(RAM | PAGE | AF | USER);
  s->PSTATE_PAN = 1;
  arm64_context(cpu);
  assert_int_equal(arm64_h_cache_va(cpu, VA), STEP_NEXT);
  assert_int_equal(arm64_h_cache_va(cpu, VA + K4), STEP_TRAP);
  assert_int_equal(cpu->c->trap.arg[1], 0x147);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_mmu_off),
      TEST(test_levels),
      TEST(test_address_space),
      TEST(test_small_first_table),
      TEST(test_access_flag),
      TEST(test_dirty_state),
      TEST(test_permissions),
      TEST(test_table_permissions),
      TEST(test_privileged_access_never),
      TEST(test_address_size),
      TEST(test_walk_outside_memory),
      TEST(test_granule_16k),
      TEST(test_granule_64k),
      TEST(test_contiguous),
      TEST(test_asids_and_flushes),
      TEST(test_aborts),
      TEST(test_unprivileged),
      TEST(test_address_translation),
      TEST(test_cache_maintenance),
  };
  return cmocka_run_group_tests_name("arm64_walk", tests, NULL, NULL);
}
