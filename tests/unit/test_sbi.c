/* Built-in SBI through its calling convention (SBI 2.0), on two harts that do not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/riscv64/priv.h"
#include "core/isa.h"
#include "core/loop.h"
#include "devices/board.h"
#include "firmware/sbi.h"
#include "mem/phys.h"

#define RAM  0x80000000ull
#define AREA (RAM + 0x10000)
#define CALL 0x80001000ull /* where calls are made */

enum {
  BASE = 0x10,
  TIME = 0x54494d45,
  IPI = 0x735049,
  RFENCE = 0x52464e43,
  HSM = 0x48534d,
  SRST = 0x53525354,
  DBCN = 0x4442434e,
  PMU = 0x504d55
};

static struct world {
  struct machine *m;
  struct sbi *sbi;
  char log[64];
} w;

static void open_world(uint64_t features) {
  const struct isa *isa = isa_find("riscv64");
  assert_non_null(isa);
  snprintf(w.log, sizeof w.log, "file:/tmp/isomer-sbi-%d", (int)getpid());
  w.m = machine_new(isa);
  struct board_config c = {.cpus = 2, .ram_bytes = 1 << 20, .serial = w.log, .features = features};
  assert_int_equal(board_create(w.m, &c), 0);
  w.sbi = sbi_new(w.m);
  for (unsigned i = 0; i < 2; i++) isa->arch->reset(w.m->vcpu[i]);
  assert_int_equal(sbi_reset(w.sbi, AREA), 0);
  sbi_enter(&w.sbi->hart[0], CALL, 0x1234);
}

static void close_world(void) {
  sbi_free(w.sbi);
  board_free(w.m);
  machine_free(w.m);
  unlink(w.log + 5);
}

static struct riscv64_vcpu *hart(unsigned i) { return rv(w.m->vcpu[i]); }

/* A call by hart h; what a0 and a1 hold afterwards. */
static struct sbi_ret call(unsigned h, uint64_t eid, uint64_t fid, uint64_t a0, uint64_t a1, uint64_t a2,
                           uint64_t a3, uint64_t a4) {
  struct riscv64_vcpu *s = hart(h);
  uint64_t a[5] = {a0, a1, a2, a3, a4};
  memcpy(&s->x[10], a, sizeof a);
  s->x[16] = fid;
  s->x[17] = eid;
  w.m->vcpu[h]->pc = CALL;
  assert_true(sbi_call(w.m->vcpu[h]));
  return (struct sbi_ret){(int64_t)s->x[10], s->x[11]};
}
#define CALL1(eid, fid, ...)                                                      \
  call(0, eid, fid, (uint64_t[5]){__VA_ARGS__}[0], (uint64_t[5]){__VA_ARGS__}[1], \
       (uint64_t[5]){__VA_ARGS__}[2], (uint64_t[5]){__VA_ARGS__}[3], (uint64_t[5]){__VA_ARGS__}[4])

static void expect(struct sbi_ret r, int64_t error, uint64_t value) {
  assert_int_equal(r.error, error);
  assert_int_equal(r.value, value);
}

static void base(void **state) {
  (void)state;
  static const uint64_t present[] = {BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN};
  open_world(0);
  expect(CALL1(BASE, 0, 0), SBI_SUCCESS, 0x02000000);
  for (unsigned i = 0; i < ARRAY_SIZE(present); i++) expect(CALL1(BASE, 3, present[i]), SBI_SUCCESS, 1);
  expect(CALL1(BASE, 3, PMU), SBI_SUCCESS, 0);
  for (uint64_t legacy = 0; legacy < 0x10; legacy++) expect(CALL1(BASE, 3, legacy), SBI_SUCCESS, 0);
  expect(CALL1(BASE, 7, 0), SBI_NOT_SUPPORTED, 0);
  expect(CALL1(PMU, 0, 0), SBI_NOT_SUPPORTED, 0);
  expect(CALL1(0, 0, 0), SBI_NOT_SUPPORTED, 0);
  expect(CALL1(TIME, 1, 0), SBI_NOT_SUPPORTED, 0);
  expect(CALL1(IPI, 1, 0), SBI_NOT_SUPPORTED, 0);
  close_world();
}

static void timer_with_sstc(void **state) {
  (void)state;
  open_world(0);
  expect(CALL1(TIME, 0, 0x123456789abcdef0), SBI_SUCCESS, 0);
  assert_int_equal(hart(0)->stimecmp, 0x123456789abcdef0);
  close_world();
}

static void timer_without_sstc(void **state) {
  (void)state;
  open_world(isa_find("riscv64")->default_features & ~(UINT64_C(1) << RISCV64_FEATURE_Sstc));
  hart(0)->mip = IRQ_STI;
  expect(CALL1(TIME, 0, UINT64_MAX), SBI_SUCCESS, 0);
  assert_int_equal(hart(0)->mip, 0);
  assert_int_equal(loop_start(w.m), 0);
  expect(CALL1(TIME, 0, machine_now(w.m) / 100 + 100000), SBI_SUCCESS, 0); /* in 10 ms */
  assert_false(sbi_poll(w.m->vcpu[0]));
  bool fired = false;
  for (unsigned i = 0; i < 400 && !fired; i++) {
    usleep(2000);
    fired = sbi_poll(w.m->vcpu[0]);
  }
  loop_stop(w.m);
  assert_true(fired);
  assert_int_equal(hart(0)->mip, IRQ_STI);
  close_world();
}

static void ipi(void **state) {
  (void)state;
  open_world(0);
  expect(CALL1(IPI, 0, 1, 0), SBI_SUCCESS, 0);
  assert_int_equal(hart(0)->mip, IRQ_SSI);
  hart(0)->mip = 0;
  expect(CALL1(IPI, 0, 1, 1), SBI_SUCCESS, 0);
  assert_int_equal(hart(0)->mip, 0);
  assert_int_equal(hart(1)->mip, 0); /* its own thread takes it */
  assert_true(w.m->vcpu[1]->kick);
  assert_true(sbi_poll(w.m->vcpu[1]));
  assert_int_equal(hart(1)->mip, IRQ_SSI);
  assert_false(sbi_poll(w.m->vcpu[1]));
  expect(CALL1(IPI, 0, 0, UINT64_MAX), SBI_SUCCESS, 0); /* everyone */
  assert_int_equal(hart(0)->mip, IRQ_SSI);
  assert_true(sbi_poll(w.m->vcpu[1]));
  expect(CALL1(IPI, 0, 4, 0), SBI_INVALID_PARAM, 0);
  expect(CALL1(IPI, 0, 1, 2), SBI_INVALID_PARAM, 0);
  expect(CALL1(IPI, 0, 2, 1), SBI_INVALID_PARAM, 0);
  expect(CALL1(IPI, 0, 0, 1), SBI_SUCCESS, 0);
  close_world();
}

static void remote_fences(void **state) {
  (void)state;
  open_world(0);
  w.m->vcpu[0]->tag_data = 1;
  expect(CALL1(RFENCE, 1, 1, 0, 0x1000, 0x2000), SBI_SUCCESS, 0);
  assert_int_equal(w.m->vcpu[0]->tag_data, 0); /* flushed */
  const uint32_t before = w.m->vcpu[0]->c->flush_epoch;
  expect(CALL1(RFENCE, 2, 1, 0, 0, 0, 5), SBI_SUCCESS, 0);
  assert_int_not_equal(w.m->vcpu[0]->c->flush_epoch, before);
  expect(CALL1(RFENCE, 1, 1, 0, 0, UINT64_MAX), SBI_SUCCESS, 0);
  expect(CALL1(RFENCE, 1, 1, 0, UINT64_MAX - 0xfff, 0x2000), SBI_INVALID_ADDRESS, 0);
  expect(CALL1(RFENCE, 1, 8, 0, 0, 0), SBI_INVALID_PARAM, 0);
  expect(CALL1(RFENCE, 4, 1, 0, 0, 0), SBI_NOT_SUPPORTED, 0);
  close_world();
}

static void hart_states(void **state) {
  (void)state;
  open_world(0);
  assert_int_equal(hart(0)->x[10], 0);
  assert_int_equal(hart(0)->x[11], 0x1234);
  assert_int_equal(w.m->vcpu[1]->pc, AREA); /* parked in machine mode, deaf */
  assert_int_equal(hart(1)->PRIV, PRIV_M);
  assert_int_equal(hart(1)->mie, 0);
  expect(CALL1(HSM, 2, 0), SBI_SUCCESS, HART_STARTED);
  expect(CALL1(HSM, 2, 1), SBI_SUCCESS, HART_STOPPED);
  expect(CALL1(HSM, 2, 2), SBI_INVALID_PARAM, 0);
  expect(CALL1(HSM, 0, 0, RAM, 0), SBI_ALREADY_AVAILABLE, 0);
  expect(CALL1(HSM, 0, 2, RAM, 0), SBI_INVALID_PARAM, 0);
  expect(CALL1(HSM, 0, 1, 0x10, 0), SBI_INVALID_ADDRESS, 0);
  expect(CALL1(HSM, 0, 1, RAM + 0x400, 0x77), SBI_SUCCESS, 0);
  expect(CALL1(HSM, 2, 1), SBI_SUCCESS, HART_START_PENDING);
  hart(1)->satp = 1;
  hart(1)->mstatus = MSTATUS_SIE;
  assert_true(sbi_poll(w.m->vcpu[1]));
  assert_int_equal(w.m->vcpu[1]->pc, RAM + 0x400);
  assert_int_equal(hart(1)->PRIV, PRIV_S);
  assert_int_equal(hart(1)->satp, 0);
  assert_int_equal(hart(1)->mstatus & MSTATUS_SIE, 0);
  assert_int_equal(hart(1)->x[10], 1);
  assert_int_equal(hart(1)->x[11], 0x77);
  expect(CALL1(HSM, 2, 1), SBI_SUCCESS, HART_STARTED);
  call(1, HSM, 1, 0, 0, 0, 0, 0);
  assert_int_equal(w.m->vcpu[1]->pc + 4, AREA); /* the caller adds the length of ecall */
  assert_int_equal(hart(1)->PRIV, PRIV_M);
  expect(CALL1(HSM, 2, 1), SBI_SUCCESS, HART_STOPPED);
  close_world();
}

static void suspension(void **state) {
  (void)state;
  open_world(0);
  hart(0)->mie = IRQ_SEI;
  call(0, HSM, 3, 0, 0, 0, 0, 0);
  assert_int_equal(w.m->vcpu[0]->pc + 4, AREA + 8);
  assert_int_equal(hart(0)->mepc, CALL + 4);
  assert_int_equal(hart(0)->mstatus & MSTATUS_MPP, (uint64_t)PRIV_S << 11);
  assert_int_equal(hart(0)->mie, IRQ_SEI);
  assert_int_equal(hart(0)->x[10], 0);
  expect(call(0, HSM, 3, 0x80000000, 0x10, 0, 0, 0), SBI_INVALID_ADDRESS, 0);
  expect(call(0, HSM, 3, 0x12345, 0, 0, 0, 0), SBI_INVALID_PARAM, 0);
  hart(0)->PRIV = PRIV_S;
  call(0, HSM, 3, 0x80000000, RAM + 0x800, 0x55, 0, 0);
  assert_int_equal(hart(0)->mepc, RAM + 0x800);
  assert_int_equal(hart(0)->x[11], 0x55);
  close_world();
}

static void system_reset(void **state) {
  (void)state;
  static const struct {
    uint64_t type, reason;
    enum machine_end end;
    int64_t error;
  } t[] = {{0, 0, END_POWEROFF, 0},
           {0, 1, END_FAILURE, 0},
           {1, 0, END_RESET, 0},
           {2, 0, END_RESET, 0},
           {3, 0, END_NONE, SBI_INVALID_PARAM},
           {0, 2, END_NONE, SBI_INVALID_PARAM},
           {0xf0000000, 0, END_NONE, SBI_NOT_SUPPORTED}};
  for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
    open_world(0);
    struct sbi_ret r = CALL1(SRST, 0, t[i].type, t[i].reason);
    assert_int_equal(w.m->end, t[i].end);
    if (t[i].end == END_NONE) expect(r, t[i].error, 0);
    close_world();
  }
}

static void debug_console(void **state) {
  (void)state;
  char got[64] = "";
  open_world(0);
  assert_int_equal(phys_write(w.m->phys, RAM + 0x100, "hello\n", 6), 0);
  expect(CALL1(DBCN, 0, 6, RAM + 0x100, 0), SBI_SUCCESS, 6);
  expect(CALL1(DBCN, 2, '!'), SBI_SUCCESS, 0);
  expect(CALL1(DBCN, 0, 6, 0x10, 0), SBI_INVALID_PARAM, 0);
  expect(CALL1(DBCN, 0, 6, RAM + 0x100, 1), SBI_INVALID_PARAM, 0);
  expect(CALL1(DBCN, 0, 0, RAM, 0), SBI_SUCCESS, 0);
  expect(CALL1(DBCN, 1, 8, RAM + 0x200, 0), SBI_SUCCESS, 0); /* nothing typed */
  expect(CALL1(DBCN, 1, 8, 0x10, 0), SBI_INVALID_PARAM, 0);
  expect(CALL1(DBCN, 3, 0), SBI_NOT_SUPPORTED, 0);
  FILE *f = fopen(w.log + 5, "r");
  assert_non_null(f);
  assert_int_equal(fread(got, 1, sizeof got - 1, f), 7);
  fclose(f);
  assert_string_equal(got, "hello\n!");
  close_world();
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(base),       cmocka_unit_test(timer_with_sstc), cmocka_unit_test(timer_without_sstc),
      cmocka_unit_test(ipi),        cmocka_unit_test(remote_fences),   cmocka_unit_test(hart_states),
      cmocka_unit_test(suspension), cmocka_unit_test(system_reset),    cmocka_unit_test(debug_console),
  };
  return cmocka_run_group_tests_name("sbi", tests, NULL, NULL);
}
