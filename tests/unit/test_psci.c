/* Built-in PSCI through its calling convention (DEN 0022D, DEN 0028), on two CPUs that do not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arm64/el1.h"
#include "devices/board.h"
#include "firmware/psci.h"
#include "mem/phys.h"

#define RAM  UINT64_C(0x40000000)
#define AREA (RAM + 0x10000)
#define CALL (RAM + 0x1000)

enum {
  VERSION = 0x84000000,
  SUSPEND64 = 0xc4000001,
  OFF = 0x84000002,
  ON = 0x84000003,
  ON64 = 0xc4000003,
  INFO64 = 0xc4000004,
  MIGRATE_INFO = 0x84000006,
  SYSTEM_OFF = 0x84000008,
  SYSTEM_RESET = 0x84000009,
  FEATURES = 0x8400000a,
  RESET2 = 0x84000012,
  SMCCC = 0x80000000,
  ARCH_FEATURES = 0x80000001,
};

static struct machine *m;
static struct psci *psci;

static int setup(void **state) {
  (void)state;
  const struct isa *isa = isa_find("arm64");
  m = machine_new(isa);
  struct board_config c = {.cpus = 2, .ram_bytes = 1 << 20, .serial = "null"};
  if (!m || board_create(m, &c)) return -1;
  psci = psci_new(m);
  for (unsigned i = 0; i < 2; i++) isa->arch->reset(m->vcpu[i]);
  if (psci_reset(psci, AREA)) return -1;
  psci_enter(&psci->cpu[0], CALL, 0x1234);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  psci_free(psci);
  board_free(m);
  machine_free(m);
  return 0;
}

static struct arm64_vcpu *cpu(unsigned i) { return a64(m->vcpu[i]); }

/* HVC by CPU c; what x0 holds afterwards, as 64 bits. */
static int64_t call(unsigned c, uint32_t id, uint64_t a1, uint64_t a2, uint64_t a3) {
  const uint64_t a[4] = {id, a1, a2, a3};
  memcpy(cpu(c)->x, a, sizeof a);
  m->vcpu[c]->pc = CALL;
  vcpu_trap(m->vcpu[c], ARM64_TRAP_hvc, 1, 0, 0, 0);
  arm64_deliver(m->vcpu[c]);
  return (int64_t)cpu(c)->x[0];
}

static void test_start_state(void **state) {
  (void)state;
  assert_int_equal(m->vcpu[0]->pc, CALL);
  assert_int_equal(cpu(0)->x[0], 0x1234);
  assert_int_equal(cpu(0)->EL, 1);
  assert_int_equal(cpu(0)->DAIF, 0x3c0);
  assert_int_equal(cpu(0)->SCTLR_EL1 & 1, 0);
  assert_int_equal(m->vcpu[1]->pc, AREA);
}

static void test_versions(void **state) {
  (void)state;
  assert_int_equal(call(0, VERSION, 0, 0, 0), 0x10001);
  assert_int_equal(m->vcpu[0]->pc, CALL + 4);
  assert_int_equal(call(0, SMCCC, 0, 0, 0), 0x10001);
  assert_int_equal(call(0, MIGRATE_INFO, 0, 0, 0), 2); /* no trusted OS to migrate */
  static const uint32_t there[] = {VERSION,    SUSPEND64,    OFF,      ON,     ON64, INFO64,
                                   SYSTEM_OFF, SYSTEM_RESET, FEATURES, RESET2, SMCCC};
  for (unsigned i = 0; i < ARRAY_SIZE(there); i++) assert_int_equal(call(0, FEATURES, there[i], 0, 0), 0);
  static const uint32_t absent[] = {0x84000005, 0xc4000002, 0x8400000b, 0xc4000000, 0, 0xffffffff};
  for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
    assert_int_equal(call(0, FEATURES, absent[i], 0, 0), -1);
    assert_int_equal(call(0, absent[i], 0, 0, 0), -1);
  }
  assert_int_equal(call(0, ARCH_FEATURES, ARCH_FEATURES, 0, 0), 0);
  assert_int_equal(call(0, ARCH_FEATURES, 0x80008000, 0, 0), -1); /* no workaround is needed */
  assert_int_equal(call(0, SUSPEND64, 0, 0, 0), 0);
}

static void test_cpu_on_and_off(void **state) {
  (void)state;
  assert_int_equal(call(0, INFO64, 1, 0, 0), 1);
  assert_int_equal(call(0, INFO64, 0, 0, 0), 0);
  assert_int_equal(call(0, INFO64, 2, 0, 0), -2);
  assert_int_equal(call(0, INFO64, 1, 1, 0), -2); /* of a cluster */
  assert_int_equal(call(0, ON64, 7, RAM, 0), -2);
  assert_int_equal(call(0, ON64, 1, RAM + 2, 0), -9);
  assert_int_equal(call(0, ON64, 1, RAM + (1 << 20), 0), -9);
  assert_int_equal(call(0, ON64, 0, RAM, 0), -4);
  cpu(1)->SCTLR_EL1 |= SCTLR_M;
  assert_int_equal(call(0, ON64, 1, RAM + 0x4000, 77), 0);
  assert_int_equal(call(0, INFO64, 1, 0, 0), 2);
  assert_int_equal(call(0, ON64, 1, RAM + 0x4000, 0), -5);
  assert_int_equal(m->vcpu[1]->kick, 1);
  assert_int_equal(m->vcpu[1]->pc, AREA); /* it moves itself */
  assert_true(psci_poll(m->vcpu[1]));
  assert_int_equal(m->vcpu[1]->pc, RAM + 0x4000);
  assert_int_equal(cpu(1)->x[0], 77);
  assert_int_equal(cpu(1)->MPIDR_EL1, 0x80000001);
  assert_int_equal(cpu(1)->SCTLR_EL1 & 1, 0);
  assert_false(psci_poll(m->vcpu[1]));
  assert_int_equal(call(0, INFO64, 1, 0, 0), 0);
  assert_int_equal(call(0, ON, 1, RAM, 0), -4);
  call(1, OFF, 0, 0, 0);
  assert_int_equal(m->vcpu[1]->pc, AREA);
  assert_int_equal(call(0, INFO64, 1, 0, 0), 1);
  /* arguments of 32-bit calls are 32 bits */
  assert_int_equal(call(0, ON, UINT64_C(1) << 32 | 1, UINT64_C(5) << 32 | RAM, 0), 0);
  assert_true(psci_poll(m->vcpu[1]));
  assert_int_equal(m->vcpu[1]->pc, RAM);
}

static void test_system(void **state) {
  (void)state;
  assert_int_equal(call(0, RESET2, 0x80000000, 0, 0), -2);
  assert_int_equal(m->end, END_NONE);
  call(0, SYSTEM_OFF, 0, 0, 0);
  assert_int_equal(m->end, END_POWEROFF);
  assert_int_equal(m->vcpu[0]->pc, AREA);
  m->end = END_NONE;
  call(0, SYSTEM_RESET, 0, 0, 0);
  assert_int_equal(m->end, END_RESET);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(test_start_state), TEST(test_versions), TEST(test_cpu_on_and_off),
                                     TEST(test_system)};
  return cmocka_run_group_tests_name("psci", tests, NULL, NULL);
}
