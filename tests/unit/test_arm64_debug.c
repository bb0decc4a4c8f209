/* arm64's self-hosted debug where it cannot be compared with QEMU (tests/bare/debug.c): locks, masks, atomic accesses, contexts,
 * reserved settings, waiting, interrupts. Expected values are worked out from the Arm ARM (DDI 0487): D2.8 to D2.12, D24.2.37. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/el1.h"
#include "core/engine.h"
#include "interp/interp.h"
#include "mem/phys.h"
#include "mem/tlb.h"

#define RAM  UINT64_C(0x40000000)
#define PC   (RAM + 0x1000)
#define DATA (RAM + 0x2000)
#define VBAR (RAM + 0x8000)
#define IL   (UINT64_C(1) << 25)
enum { SS = 1 << 0, KDE = 1 << 13, MDE = 1 << 15, SPSR_SS_ = 1 << 21, D = 1 << 9 };
enum { E = 1, AT_EL1 = 1 << 1, AT_EL0 = 2 << 1, BAS_ALL = 0xff << 5, LOADS = 1 << 3, STORES = 2 << 3 };
enum { STEP = 0x32, BREAK = 0x30, WATCH = 0x34, ISV = 1 << 24 };

static struct phys *phys;
static struct vcpu *cpu;
static struct arm64_vcpu *s;

static int setup(void **state) {
  (void)state;
  const struct isa *isa = isa_find("arm64");
  phys = phys_new();
  if (!isa || !phys || phys_add_ram(phys, RAM, 1 << 20, "ram")) return -1;
  cpu = vcpu_new(isa, phys, 0, isa->default_features);
  if (!cpu || interp_engine.create(cpu)) return -1;
  cpu->c->engine_ops = &interp_engine;
  s = a64(cpu);
  s->VBAR_EL1 = VBAR;
  s->OSLK = 0;
  const uint32_t here = 0x14000000; /* b . */
  for (unsigned i = 0; i < 0x800; i += 4) assert_int_equal(phys_write(phys, VBAR + i, &here, 4), 0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  vcpu_free(cpu);
  phys_free(phys);
  return 0;
}

/* Runs lines of assembly or hexadecimal words, at most n instructions, at an exception level. */
static void run(const char *lines, unsigned el, int64_t n) {
  char line[80], err[100];
  gva_t at = PC;
  for (const char *p = lines, *end; *p; p = *end ? end + 1 : end) {
    end = strchr(p, '\n');
    if (!end) end = p + strlen(p);
    memcpy(line, p, (size_t)(end - p));
    line[end - p] = 0;
    uint8_t bytes[16];
    const uint32_t word = (uint32_t)strtoul(line, NULL, 16);
    if (line[0] == '0') memcpy(bytes, &word, 4);
    else assert_int_equal(cpu->c->isa->assemble(cpu->c->features, line, at, bytes, err, sizeof err), 4);
    assert_int_equal(phys_write(phys, at, bytes, 4), 0);
    at += 4;
  }
  arm64_set_el(s, el, el);
  cpu->pc = PC;
  s->ESR_EL1 = 0;
  vcpu_set_budget(cpu, n);
  assert_int_equal(interp_engine.run(cpu), EXIT_BUDGET);
}

static void expect(unsigned ec, uint32_t iss, unsigned el, unsigned offset) {
  assert_int_equal(s->ESR_EL1, (uint64_t)(ec + el) << 26 | IL | iss);
  assert_int_equal(s->ELR_EL1, PC + offset);
  assert_int_equal(cpu->pc, VBAR + (el ? 0x200 : 0x400));
  assert_int_equal(s->EL, 1);
  assert_int_equal(s->PSTATE_SS, 0);
}

static void expect_none(gva_t pc) {
  assert_int_equal(s->ESR_EL1, 0);
  assert_int_equal(cpu->pc, pc);
}

/* D2.8.1, AArch64.GenerateDebugExceptionsFrom */
static void test_locks_and_masks(void **state) {
  (void)state;
  s->MDSCR_EL1 = SS;
  run("nop\nnop\nnop", 0, 3);
  expect(STEP, 0x22, 0, 0); /* PSTATE.SS is 0: pending at once, and nothing was stepped */
  s->OSLK = 1;
  run("nop\nnop\nnop", 0, 3);
  expect_none(PC + 12);
  s->OSLK = 0;
  s->OSDLR_EL1 = 1;
  run("nop\nnop\nnop", 0, 3);
  expect_none(PC + 12);
  s->DBGPRCR_EL1 = 1; /* no power-down: the double lock does not hold */
  run("nop\nnop\nnop", 0, 3);
  expect(STEP, 0x22, 0, 0);
  for (unsigned kde = 0; kde < 2; kde++)
    for (unsigned d = 0; d < 2; d++) {
      s->MDSCR_EL1 = SS | (kde ? KDE : 0);
      s->DAIF = d ? D : 0;
      run("nop\nnop\nnop", 1, 3);
      if (kde && !d) expect(STEP, 0x22, 1, 0);
      else expect_none(PC + 12);
    }
}

static void test_step(void **state) {
  (void)state;
  s->MDSCR_EL1 = SS | KDE;
  s->DAIF = 0;
  s->PSTATE_SS = 1;
  run("ldaxr w1, [x0]\nnop", 1, 4);
  expect(0x24, 0x10, 1, 0); /* address 0 has no memory: the step is not over */
  assert_int_equal(s->SPSR_EL1 & SPSR_SS_, SPSR_SS_);
  s->x[0] = DATA;
  s->DAIF = 0;
  s->PSTATE_SS = 1;
  run("ldaxr w1, [x0]\nnop", 1, 4);
  expect(STEP, ISV | 1 << 6 | 0x22, 1, 4);
  assert_int_equal(s->SPSR_EL1 & SPSR_SS_, 0);
  s->DAIF = 0;
  s->PSTATE_SS = 1;
  run("wfi\nnop", 1, 4); /* does not wait: an exception is due */
  expect(STEP, ISV | 0x22, 1, 4);
  s->DAIF = 0;
  s->PSTATE_SS = 1;
  run("msr DAIFSet, #8\nnop\nmsr DAIFClr, #8\nnop", 1, 8); /* masked before it is taken */
  expect(STEP, 0x22, 1, 12);
  /* D2.12.5: a return steps only from where debug exceptions are off */
  for (unsigned d = 0; d < 2; d++) {
    s->ELR_EL1 = PC + 8;
    s->SPSR_EL1 = SPSR_SS_;
    s->DAIF = d ? D : 0;
    s->PSTATE_SS = 1;
    run("eret\nnop\nnop\nnop", 1, 6);
    expect(STEP, ISV | 0x22, 0, d ? 12 : 8);
  }
}

static void test_interrupts_come_between(void **state) {
  (void)state;
  s->MDSCR_EL1 = SS;
  s->DAIF = 0;
  s->PSTATE_SS = 1;
  vcpu_irq(cpu, LINE_IRQ, true);
  cpu->kick = 0;
  run("nop\nnop", 0, 2);
  assert_int_equal(cpu->pc, VBAR + 0x480);
  assert_int_equal(s->ELR_EL1, PC);
  assert_int_equal(s->SPSR_EL1 & SPSR_SS_, SPSR_SS_);
}

static void watch(unsigned control) {
  s->DBGWVR0_EL1 = DATA;
  s->DBGWCR0_EL1 = control;
  s->MDSCR_EL1 = MDE | KDE;
  s->DAIF = 0;
  s->x[0] = DATA;
  s->x[1] = 5;
  s->x[2] = 0;
  s->x[3] = 0;
}

/* D24.2.37: WnR is 0 for an atomic whose read matches, too */
static void test_atomics(void **state) {
  (void)state;
  static const char *const each[] = {"ldadd x1, x2, [x0]", "swp x1, x2, [x0]", "cas x2, x1, [x0]",
                                     "casp x2, x3, x4, x5, [x0]", "ldaddb w1, w2, [x0]"};
  const uint64_t zero[2] = {0, 0};
  uint64_t now[2];
  for (unsigned i = 0; i < sizeof each / sizeof *each; i++)
    for (unsigned kind = 1; kind < 4; kind++) {
      assert_int_equal(phys_write(phys, DATA, zero, 16), 0);
      watch(E | AT_EL1 | BAS_ALL | kind << 3);
      run(each[i], 1, 3);
      expect(WATCH, 0x22 | (kind & 1 ? 0 : 0x40), 1, 0);
      assert_int_equal(s->FAR_EL1, DATA);
      assert_int_equal(phys_read(phys, DATA, now, 16), 0);
      assert_int_equal(now[0] | now[1], 0);
    }
  watch(E | AT_EL1 | BAS_ALL | STORES); /* an exclusive store that fails stores nothing */
  run("stxr w3, x1, [x0]\nnop", 1, 2);
  expect_none(PC + 8);
  assert_int_equal(s->x[3], 1);
}

static void test_reserved_settings(void **state) {
  (void)state;
  static const unsigned none[] = {AT_EL1 | BAS_ALL | LOADS,
                                  E | AT_EL0 | BAS_ALL | LOADS,
                                  E | AT_EL1 | LOADS,
                                  E | AT_EL1 | BAS_ALL,
                                  E | AT_EL1 | BAS_ALL | STORES,
                                  E | BAS_ALL | LOADS,
                                  E | AT_EL1 | BAS_ALL | LOADS | 2 << 14,
                                  E | AT_EL1 | BAS_ALL | LOADS | 1 << 24,
                                  E | AT_EL1 | BAS_ALL | LOADS | 2 << 24,
                                  E | AT_EL1 | BAS_ALL | LOADS | 1 << 20};
  for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
    watch(none[i]);
    run("ldr x2, [x0]\nnop", 1, 2);
    expect_none(PC + 8);
  }
  watch(E | AT_EL1 | BAS_ALL | LOADS | 31u << 24); /* 2 GiB */
  s->x[0] = RAM + 0x7000;
  run("nop\nldrb w2, [x0]", 1, 4);
  expect(WATCH, 0x22, 1, 4);
  assert_int_equal(s->FAR_EL1, RAM + 0x7000);
}

/* D2.9.4: a breakpoint that matches a context alone */
static void test_contexts(void **state) {
  (void)state;
  s->MDSCR_EL1 = MDE;
  s->DBGBVR4_EL1 = 0x1234;
  s->DBGBCR4_EL1 = E | AT_EL0 | 2 << 20;
  s->CONTEXTIDR_EL1 = 0x1233;
  run("nop\nnop", 0, 2);
  expect_none(PC + 8);
  s->CONTEXTIDR_EL1 = 0x1234;
  run("nop\nnop", 0, 2);
  expect(BREAK, 0x22, 0, 0);
  s->DBGBVR3_EL1 = 0x1234; /* the first four know no contexts */
  s->DBGBCR3_EL1 = s->DBGBCR4_EL1;
  s->DBGBCR4_EL1 = 0;
  run("nop\nnop", 0, 2);
  expect_none(PC + 8);
}

/* A page's instructions are known when a breakpoint is set there, and again when it is gone. */
static void test_breakpoints_come_and_go(void **state) {
  (void)state;
  static const char loop[] = "add x1, x1, #1\nsub x2, x2, #1\ncbnz x2, #-8\nadd x1, x1, #2";
  for (unsigned round = 0; round < 4; round++) {
    s->MDSCR_EL1 = MDE | KDE;
    s->DAIF = 0;
    s->DBGBVR0_EL1 = PC + 12;
    s->DBGBCR0_EL1 = round & 1 ? E | AT_EL1 | 0x1e0 : 0x1e0;
    s->x[1] = 0;
    s->x[2] = 100;
    run(loop, 1, 301);
    if (round & 1) expect(BREAK, 0x22, 1, 12);
    else expect_none(PC + 16);
    assert_int_equal(s->x[1], round & 1 ? 100 : 102);
  }
}

static void test_registers(void **state) {
  (void)state;
  s->x[0] = ~UINT64_C(0);
  run("0xd51002a0\n0xd51003e0\n0xd51003c0\n0xd510025f\n" /* DBGBCR2, DBGWCR3, DBGWVR3 = x0, MDSCR = 0 */
      "0xd53002a1\n0xd53003e2\n0xd53003c3\n0xd5380504\n" /* x1 to x4: these three, ID_AA64DFR0 */
      "0xd51002bf\n0xd53002a5",                          /* DBGBCR2 = 0, x5 */
      1, 10);
  assert_int_equal(s->x[1], 0xffe1e7);
  assert_int_equal(s->x[2], 0x1f1fffff);
  assert_int_equal(s->x[3], ~UINT64_C(3)); /* bit 48 extended */
  assert_int_equal(s->x[4], 0x10305106);
  assert_int_equal(s->x[5], 0x1e0); /* BAS is fixed without AArch32 */
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_locks_and_masks),         TEST(test_step),
      TEST(test_interrupts_come_between), TEST(test_atomics),
      TEST(test_reserved_settings),       TEST(test_contexts),
      TEST(test_breakpoints_come_and_go), TEST(test_registers),
  };
  return cmocka_run_group_tests_name("arm64_debug", tests, NULL, NULL);
}
