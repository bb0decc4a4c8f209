/* arm64's exceptions: entry, syndromes, return, stack pointers, what EL0 may do, interrupts. Instructions are given as words,
 * assembled by hand from C6.2; expected values are worked out from the Arm ARM (DDI 0487): D1.3, D1.4, D24.2.37. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/el1.h"
#include "core/machine.h"
#include "mem/access.h"
#include "mem/phys.h"
#include "mem/tlb.h"

#define RAM         UINT64_C(0x40000000)
#define PC          (RAM + 0x1000)
#define VBAR        (RAM + 0x8000)
#define IL          (UINT64_C(1) << 25)
#define EC(ec, iss) ((uint64_t)(ec) << 26 | IL | (iss))
enum { DAIF = 0x3c0 };

/* Words: registers 0 or as said */
enum {
  SVC_42 = 0xd4000841,
  HVC_0 = 0xd4000002,
  SMC_0 = 0xd4000003,
  BRK_7 = 0xd42000e0,
  ERET = 0xd69f03e0,
  WFI = 0xd503207f,
  WFE = 0xd503205f,
  MSR_SPSEL_0 = 0xd50040bf,
  MSR_SPSEL_1 = 0xd50041bf,
  MSR_DAIFSET_2 = 0xd50342df,
  MSR_DAIFCLR_F = 0xd5034fff,
  MSR_PAN_1 = 0xd500419f,
  MRS_X5_CTR = 0xd53b0025,
  MRS_X3_DAIF = 0xd53b4223,
  MRS_X1_SP_EL0 = 0xd5384101,
  MSR_SP_EL0_X1 = 0xd5184101,
  MRS_X0_SCTLR = 0xd5381000,
  MSR_SCTLR_X0 = 0xd5181000,
  MRS_X0_MPIDR = 0xd53800a0,
  MSR_MPIDR_X0 = 0xd51800a0,
  MRS_X0_CURRENTEL = 0xd5384240,
  MRS_X0_ID_RESERVED = 0xd53807e0, /* S3_0_C0_C7_7 */
  MRS_X0_PFR0 = 0xd5380400,
  MRS_X0_ISAR0 = 0xd5380600,
  MRS_X0_ISAR1 = 0xd5380620,
  MRS_X0_MMFR1 = 0xd5380720,
  MRS_X0_EL2 = 0xd53c1000,     /* SCTLR_EL2 */
  MRS_X0_UNKNOWN = 0xd53bf200, /* S3_3_C15_C2_0 */
  MRS_X0_CNTVCT = 0xd53be040,
  MRS_X0_CNTV_CTL = 0xd53be320,
  MRS_X0_CPACR = 0xd5381040,
  MSR_CPACR_X0 = 0xd5181040,
  MRS_X0_PMCCNTR = 0xd53b9d00,
  MSR_PMCR_X0 = 0xd51b9c00,
  MSR_PMCNTENSET_X1 = 0xd51b9c21,
  DC_ZVA_X0 = 0xd50b7420,
  DC_CIVAC_X2 = 0xd50b7e22,
  DC_IVAC_X2 = 0xd5087622,
  FMOV_D0_X0 = 0x4ea01c00, /* mov v0.16b, v0.16b */
  MRS_X0_FPCR = 0xd53b4400,
  TLBI_VMALLE1 = 0xd508871f,
  NOP = 0xd503201f,
};

static struct phys *phys;
static struct vcpu *cpu;
static struct arm64_vcpu *s;

static int setup(void **state) {
  (void)state;
  const struct isa *isa = isa_find("arm64");
  phys = phys_new();
  if (!isa || !phys || phys_add_ram(phys, RAM, 1 << 20, "ram")) return -1;
  cpu = vcpu_new(isa, phys, 18, isa->default_features);
  s = a64(cpu);
  s->VBAR_EL1 = VBAR;
  return cpu ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  vcpu_free(cpu);
  phys_free(phys);
  return 0;
}

/* Executes one instruction at PC as an engine would. */
static void run(uint32_t word) {
  union {
    struct insn head;
    char bytes[256];
  } d = {0};
  cpu->pc = cpu->pcbase = PC;
  assert_int_equal(phys_write(phys, PC, &word, 4), 0);
  const struct isa *isa = cpu->c->isa;
  arm64_context(cpu);
  int rc = STEP_TRAP;
  if (isa->decode(cpu->c->features, (uint8_t *)&word, 4, &d.head) > 0)
    rc = isa->exec[d.head.op](cpu, &d.head);
  else isa->arch->illegal(cpu, word, 4);
  if (rc == STEP_TRAP) isa->arch->deliver(cpu);
  else if (rc != STEP_JUMP && rc != STEP_JUMP_END) cpu->pc = PC + 4;
  arm64_context(cpu);
}

static void level(unsigned el) {
  arm64_set_el(s, el, el);
  arm64_context(cpu);
}

/* The exception that was taken last: to EL1h, everything masked. */
static void expect_taken(unsigned vector, uint64_t esr, gva_t back) {
  assert_int_equal(cpu->pc, VBAR + vector);
  assert_int_equal(s->ESR_EL1, esr);
  assert_int_equal(s->ELR_EL1, back);
  assert_int_equal(s->EL, 1);
  assert_int_equal(s->SPSel, 1);
  assert_int_equal(s->DAIF, DAIF);
}

static void expect_undefined(uint32_t word) {
  const unsigned from = s->EL;
  run(word);
  expect_taken(from ? 0x200 : 0x400, EC(0, 0), PC);
  if (!from) level(0);
}

static void expect_done(uint32_t word) {
  run(word);
  assert_int_equal(cpu->pc, PC + 4);
}

static void test_reset(void **state) {
  (void)state;
  assert_int_equal(s->EL, 1);
  assert_int_equal(s->SPSel, 1);
  assert_int_equal(s->DAIF, DAIF);
  assert_int_equal(s->SCTLR_EL1 & 1, 0);
  assert_int_equal(s->MPIDR_EL1, 0x80000102); /* the 19th: Aff1 1, Aff0 2 */
}

static void test_supervisor_call(void **state) {
  (void)state;
  level(0);
  s->SP = 0x1000;
  s->SP_EL1 = 0x2000;
  s->NF = s->VF = 1;
  s->DAIF = 0x40;
  run(SVC_42);
  expect_taken(0x400, EC(0x15, 0x42), PC + 4);
  assert_int_equal(s->SPSR_EL1, UINT64_C(0x90000040)); /* N V F, EL0t */
  assert_int_equal(s->SP, 0x2000);
  assert_int_equal(s->SP_EL0, 0x1000);
  assert_int_equal(s->PSTATE_PAN, 0); /* SPAN is set */
}

static void test_entry_from_each_level(void **state) {
  (void)state;
  run(BRK_7);
  expect_taken(0x200, EC(0x3c, 7), PC);
  assert_int_equal(s->SPSR_EL1 & 0xf, 5);
  run(MSR_SPSEL_0);
  run(BRK_7);
  expect_taken(0x000, EC(0x3c, 7), PC);
  assert_int_equal(s->SPSR_EL1 & 0xf, 4);
  level(0);
  s->SCTLR_EL1 &= ~SCTLR_SPAN;
  run(BRK_7);
  expect_taken(0x400, EC(0x3c, 7), PC);
  assert_int_equal(s->PSTATE_PAN, 1);
  run(BRK_7);
  assert_int_equal(s->SPSR_EL1, DAIF | UINT64_C(1) << 22 | 5);
}

static void test_aborts(void **state) {
  (void)state;
  vcpu_trap(cpu, ARM64_TRAP_data_abort, 2, 0x1234, 0x47, 0);
  cpu->pc = PC;
  arm64_deliver(cpu);
  expect_taken(0x200, EC(0x25, 0x47), PC);
  assert_int_equal(s->FAR_EL1, 0x1234);
  level(0);
  vcpu_trap(cpu, ARM64_TRAP_insn_abort, 2, 0x5678, 0x0f, 0);
  cpu->pc = 0x5678;
  arm64_deliver(cpu);
  expect_taken(0x400, EC(0x20, 0x0f), 0x5678);
  assert_int_equal(s->FAR_EL1, 0x5678);
  /* a PC that is not aligned */
  cpu->pc = PC + 2;
  assert_int_equal(arm64_bus_fault(cpu, PC + 2, ACCESS_FETCH), STEP_TRAP);
  arm64_deliver(cpu);
  expect_taken(0x200, EC(0x22, 0), PC + 2);
  assert_int_equal(s->FAR_EL1, PC + 2);
}

static void test_return(void **state) {
  (void)state;
  s->SP = 0x2000;
  s->SP_EL0 = 0x1000;
  s->ELR_EL1 = RAM + 0x4444;
  s->SPSR_EL1 = UINT64_C(0x60000080); /* Z C I, EL0t */
  cpu->c->excl_size = 8;
  run(ERET);
  assert_int_equal(cpu->pc, RAM + 0x4444);
  assert_int_equal(s->EL, 0);
  assert_int_equal(s->SP, 0x1000);
  assert_int_equal(s->SP_EL1, 0x2000);
  assert_int_equal(s->DAIF, 0x80);
  assert_int_equal(s->ZF, 1);
  assert_int_equal(s->CF, 1);
  assert_int_equal(s->NF, 0);
  assert_int_equal(s->PSTATE_IL, 0);
  assert_int_equal(cpu->c->excl_size, 0);
  expect_undefined(ERET);
}

/* D1.4.5: EL2, AArch32 and reserved modes cannot be returned to. */
static void test_illegal_return(void **state) {
  (void)state;
  static const uint8_t modes[] = {0x9, 0x8, 0xd, 0x10, 0x13, 0x1, 0x6, 0x7};
  for (unsigned i = 0; i < sizeof modes; i++) {
    s->SPSR_EL1 = 0x80000000u | modes[i];
    s->ELR_EL1 = PC;
    s->PSTATE_PAN = 1;
    run(ERET);
    assert_int_equal(cpu->pc, PC);
    assert_int_equal(s->EL, 1);
    assert_int_equal(s->SPSel, 1);
    assert_int_equal(s->NF, 1);
    assert_int_equal(s->DAIF, 0);
    assert_int_equal(s->PSTATE_PAN, 0);
    assert_int_equal(s->PSTATE_IL, 1);
    gpa_t page;
    const uint8_t *host;
    assert_int_equal(tlb_fetch(cpu, PC, &page, &host), STEP_TRAP); /* the next instruction */
    arm64_deliver(cpu);
    expect_taken(0x200, EC(0x0e, 0), PC);
    assert_int_equal(s->SPSR_EL1 >> 20 & 1, 1);
    assert_int_equal(s->PSTATE_IL, 0);
  }
  s->SPSR_EL1 = 1u << 20 | 5; /* IL comes back with the rest */
  run(ERET);
  assert_int_equal(s->PSTATE_IL, 1);
}

static void test_stack_pointers(void **state) {
  (void)state;
  s->SP = 0x2000;
  s->x[1] = 0x1000;
  expect_done(MSR_SP_EL0_X1);
  assert_int_equal(s->SP, 0x2000);
  expect_done(MSR_SPSEL_0);
  assert_int_equal(s->SP, 0x1000);
  run(MRS_X1_SP_EL0); /* while it is the current one */
  expect_taken(0x000, EC(0, 0), PC);
  assert_int_equal(s->SP, 0x2000);
  s->x[1] = 0;
  expect_done(MRS_X1_SP_EL0);
  assert_int_equal(s->x[1], 0x1000);
}

/* What is EL1's is undefined at EL0; what EL0 may have allowed is trapped with a syndrome of the instruction. */
static void test_el0(void **state) {
  (void)state;
  level(0);
  expect_undefined(MRS_X0_SCTLR);
  expect_undefined(MSR_SPSEL_1);
  expect_undefined(MSR_PAN_1);
  expect_undefined(MRS_X1_SP_EL0);
  expect_undefined(DC_IVAC_X2);
  expect_undefined(TLBI_VMALLE1);
  expect_undefined(HVC_0);
  expect_undefined(MRS_X0_PFR0);
  static const struct {
    uint32_t word;
    uint64_t bit, iss;
  } cases[] = {
      /* op0 << 20 | op2 << 17 | op1 << 14 | CRn << 10 | Rt << 5 | CRm << 1 | read */
      {MRS_X5_CTR, 1 << 15, 3 << 20 | 1 << 17 | 3 << 14 | 5 << 5 | 1},
      {MRS_X3_DAIF, 1 << 9, 3 << 20 | 1 << 17 | 3 << 14 | 4 << 10 | 3 << 5 | 2 << 1 | 1},
      {MSR_DAIFSET_2, 1 << 9, 6 << 17 | 3 << 14 | 4 << 10 | 31 << 5 | 2 << 1},
      {DC_CIVAC_X2, 1 << 26, 1 << 20 | 1 << 17 | 3 << 14 | 7 << 10 | 2 << 5 | 14 << 1},
      {DC_ZVA_X0, 1 << 14, 1 << 20 | 1 << 17 | 3 << 14 | 7 << 10 | 4 << 1},
  };
  s->x[0] = s->x[2] = RAM;
  for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
    s->SCTLR_EL1 &= ~cases[i].bit;
    level(0);
    run(cases[i].word);
    expect_taken(0x400, EC(0x18, cases[i].iss), PC);
    s->SCTLR_EL1 |= cases[i].bit;
    level(0);
    expect_done(cases[i].word);
  }
  s->SCTLR_EL1 &= ~(UINT64_C(1) << 16 | UINT64_C(1) << 18); /* nTWI, nTWE */
  run(WFI);
  expect_taken(0x400, EC(0x01, 0x1e00000), PC);
  level(0);
  run(WFE);
  expect_taken(0x400, EC(0x01, 0x1e00001), PC);
  level(0);
  run(MRS_X0_CNTVCT);
  expect_taken(0x400, EC(0x18, 3 << 20 | 2 << 17 | 3 << 14 | 14 << 10 | 1), PC);
  s->CNTKCTL_EL1 = 2;
  level(0);
  expect_done(MRS_X0_CNTVCT);
}

static void test_registers(void **state) {
  (void)state;
  s->x[0] = 0x1234;
  expect_done(MRS_X0_CURRENTEL);
  assert_int_equal(s->x[0], 4);
  expect_done(MRS_X0_ID_RESERVED);
  assert_int_equal(s->x[0], 0);
  expect_done(MRS_X0_MPIDR);
  assert_int_equal(s->x[0], 0x80000102);
  expect_undefined(MSR_MPIDR_X0);
  expect_undefined(MRS_X0_EL2);
  expect_undefined(MRS_X0_UNKNOWN);
  expect_undefined(MRS_X0_CNTV_CTL); /* no timer device */
  /* EL0 and EL1 in AArch64 only, Advanced SIMD and FP with half precision, GICv3, CSV2 and CSV3 */
  expect_done(MRS_X0_PFR0);
  assert_int_equal(s->x[0], UINT64_C(0x1100000001110011));
  expect_done(MRS_X0_MMFR1);
  assert_int_equal(s->x[0], 0x100002); /* PAN, HAFDBS */
  /* AES with PMULL, SHA-1, SHA-512, CRC32, LSE, RDM, SHA-3, DotProd, FHM, FlagM2 */
  expect_done(MRS_X0_ISAR0);
  assert_int_equal(s->x[0], UINT64_C(0x0021100110212120));
  expect_done(MRS_X0_ISAR1); /* JSCVT, FCMA, LRCPC2, FRINTTS, I8MM */
  assert_int_equal(s->x[0], UINT64_C(0x0010000100211000));
  s->x[0] = ~UINT64_C(0); /* SCTLR: endianness and what is absent stay */
  expect_done(MSR_SCTLR_X0);
  assert_int_equal(s->SCTLR_EL1, UINT64_C(0x34dddb9f));
  s->x[0] = 0;
  expect_done(MSR_SCTLR_X0);
  assert_int_equal(s->SCTLR_EL1, UINT64_C(0x30500980));
}

static void test_features_in_id_registers(void **state) {
  (void)state;
  cpu->c->features = 0;
  expect_done(MRS_X0_PFR0);
  assert_int_equal(s->x[0], UINT64_C(0x1100000000ff0011));
  expect_done(MRS_X0_MMFR1);
  assert_int_equal(s->x[0], 0);
  expect_done(MRS_X0_ISAR0);
  assert_int_equal(s->x[0], 0);
  expect_undefined(MSR_PAN_1);
}

/* CPACR_EL1.FPEN, D1.3.5 */
static void test_floating_point_access(void **state) {
  (void)state;
  static const uint8_t open[4][2] = {{0, 0}, {0, 1}, {0, 0}, {1, 1}}; /* by FPEN and level */
  for (unsigned fpen = 0; fpen < 4; fpen++)
    for (unsigned el = 0; el < 2; el++) {
      level(1);
      s->x[0] = (uint64_t)fpen << 20;
      expect_done(MSR_CPACR_X0);
      s->x[0] = 0;
      expect_done(MRS_X0_CPACR);
      assert_int_equal(s->x[0], (uint64_t)fpen << 20);
      level(el);
      run(FMOV_D0_X0);
      if (open[fpen][el]) assert_int_equal(cpu->pc, PC + 4);
      else expect_taken(el ? 0x200 : 0x400, EC(0x07, 0x1e00000), PC);
      level(el);
      run(MRS_X0_FPCR);
      assert_int_equal(cpu->pc == PC + 4, open[fpen][el]);
    }
}

static bool answer(struct vcpu *v) {
  a64(v)->x[0] = 99;
  return true;
}

static void test_firmware_calls(void **state) {
  (void)state;
  expect_undefined(HVC_0); /* no EL2, no EL3 */
  expect_undefined(SMC_0);
  cpu->c->firmware_call = answer;
  expect_done(HVC_0);
  assert_int_equal(s->x[0], 99);
  s->x[0] = 0;
  expect_done(SMC_0);
  assert_int_equal(s->x[0], 99);
  level(0);
  expect_undefined(SMC_0);
}

/* An engine that asks first learns what would happen. */
static bool takes(void) {
  const bool would = arm64_interruptible(cpu), does = arm64_interrupt(cpu);
  assert_int_equal(would, does);
  return does;
}

static void test_interrupts(void **state) {
  (void)state;
  cpu->pc = PC;
  assert_false(takes());
  assert_false(arm64_wake(cpu));
  vcpu_irq(cpu, LINE_IRQ, true);
  assert_false(takes()); /* masked, but it ends a WFI */
  assert_true(arm64_wake(cpu));
  run(MSR_DAIFCLR_F);
  assert_int_equal(s->DAIF, 0);
  cpu->pc = PC;
  assert_true(takes());
  assert_int_equal(cpu->pc, VBAR + 0x280);
  assert_int_equal(s->ELR_EL1, PC);
  assert_int_equal(s->SPSR_EL1, 5);
  assert_int_equal(s->DAIF, DAIF);
  level(0);
  s->DAIF = 0x80; /* IRQ is masked, FIQ is not */
  vcpu_irq(cpu, LINE_FIQ, true);
  assert_true(takes());
  assert_int_equal(cpu->pc, VBAR + 0x500);
  uint64_t bits;
  arm64_h_pending(cpu, &bits);
  assert_int_equal(bits, 0xc0); /* ISR_EL1: I and F */
}

/* The cycle counter counts instructions while it is enabled. */
static void test_cycle_counter(void **state) {
  (void)state;
  vcpu_set_budget(cpu, 1000);
  s->x[0] = 1 | 4; /* enable, reset */
  s->x[1] = 0x80000000;
  expect_done(MSR_PMCR_X0);
  expect_done(MSR_PMCNTENSET_X1);
  cpu->budget -= 100;
  expect_done(MRS_X0_PMCCNTR);
  assert_int_equal(s->x[0], 100);
  s->x[0] = 0;
  expect_done(MSR_PMCR_X0);
  cpu->budget -= 100;
  expect_done(MRS_X0_PMCCNTR);
  assert_int_equal(s->x[0], 100);
  level(0);
  run(MRS_X0_PMCCNTR);
  expect_taken(0x400, EC(0x18, 3 << 20 | 3 << 14 | 9 << 10 | 13 << 1 | 1), PC);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_reset),
      TEST(test_supervisor_call),
      TEST(test_entry_from_each_level),
      TEST(test_aborts),
      TEST(test_return),
      TEST(test_illegal_return),
      TEST(test_stack_pointers),
      TEST(test_el0),
      TEST(test_registers),
      TEST(test_features_in_id_registers),
      TEST(test_floating_point_access),
      TEST(test_firmware_calls),
      TEST(test_interrupts),
      TEST(test_cycle_counter),
  };
  return cmocka_run_group_tests_name("arm64_el1", tests, NULL, NULL);
}
