/* LR/SC: success, and each way SC must fail. What may fail or succeed is not asked. */
#include "htif.h"

static volatile u64 cell[2] __attribute__((aligned(64)));
static volatile u64 other[2] __attribute__((aligned(4096)));

#define SC(insn, v, p)                                                                     \
  ({                                                                                       \
    u64 r_;                                                                                \
    __asm__ volatile(insn " %0, %1, (%2)" : "=&r"(r_) : "r"((u64)(v)), "r"(p) : "memory"); \
    r_;                                                                                    \
  })
#define LR(insn, p)                                                     \
  ({                                                                    \
    u64 r_;                                                             \
    __asm__ volatile(insn " %0, (%1)" : "=&r"(r_) : "r"(p) : "memory"); \
    r_;                                                                 \
  })

/* A constrained loop must succeed in the end. */
static u64 add_d(volatile u64 *p, u64 v) {
  u64 old, fail, tmp;
  __asm__ volatile("1:\tlr.d.aq %0, (%3)\n\tadd %2, %0, %4\n\tsc.d.rl %1, %2, (%3)\n\tbnez %1, 1b"
                   : "=&r"(old), "=&r"(fail), "=&r"(tmp)
                   : "r"(p), "r"(v)
                   : "memory");
  return old;
}
static u64 add_w(volatile u64 *p, u64 v) {
  u64 old, fail, tmp;
  __asm__ volatile("1:\tlr.w %0, (%3)\n\taddw %2, %0, %4\n\tsc.w %1, %2, (%3)\n\tbnez %1, 1b"
                   : "=&r"(old), "=&r"(fail), "=&r"(tmp)
                   : "r"(p), "r"(v)
                   : "memory");
  return old;
}
static long in_priv(u64 n) {
  for (u64 i = 0; i < n; i++) add_d(cell, 1);
  return (long)cell[0];
}

void test_main(void) {
  cell[0] = 0x80000000;
  for (u64 i = 0; i < 100; i++) EQ(add_d(cell, 3), 0x80000000 + 3 * i);
  cell[0] = 0x1234567880000000;
  EQ(add_w(cell, 5), 0xffffffff80000000); /* sign-extended */
  EQ(cell[0], 0x1234567880000005);
  cell[0] = 0;
  EQ(run_in(S, in_priv, 50), 50);
  EQ(run_in(U, in_priv, 50), 100);

  /* No reservation. */
  cell[0] = 1;
  add_d(cell, 0); /* a successful SC ends it */
  CHECK(SC("sc.d", 9, cell) != 0);
  EQ(cell[0], 1);
  CHECK(SC("sc.w", 9, cell) != 0);
  EQ(cell[0], 1);
  /* A failed SC ends it too. */
  EQ(LR("lr.d", cell), 1);
  CHECK(SC("sc.d", 9, other) != 0);
  CHECK(SC("sc.d", 9, cell) != 0);
  CHECK(cell[0] == 1 && other[0] == 0);
  /* The code is one where it fails, zero where it does not; rd = x0 is fine. */
  EQ(LR("lr.d", cell), 1);
  EQ(SC("sc.d", 2, cell), 0);
  EQ(SC("sc.d", 3, cell), 1);
  EQ(cell[0], 2);
  __asm__ volatile("1:\tlr.d t0, (%0)\n\tsc.d zero, %1, (%0)" ::"r"(cell), "r"(44ull) : "t0", "memory");
  EQ(cell[0], 44);

  /* A trap or a return between does not matter for memory, but the SC must not
   * succeed if the value changed under it by another LR/SC pair. */
  EQ(LR("lr.d", cell), 44);
  EQ(LR("lr.d", other), 0);
  CHECK(SC("sc.d", 5, cell) != 0); /* the reservation moved */
  EQ(cell[0], 44);

  /* LR of one width, SC of another address in it: an SC outside what LR read. */
  EQ(LR("lr.w", cell), 44);
  CHECK(SC("sc.d", 5, other) != 0);
  EQ(other[0], 0);

  /* All ordering forms. */
  EQ(LR("lr.d.aqrl", cell), 44);
  EQ(SC("sc.d.aqrl", 45, cell), 0);
  EQ(LR("lr.w.aq", cell), 45);
  EQ(SC("sc.w.rl", 46, cell), 0);
  EQ(cell[0], 46);

  /* SC faults as a store does. */
  EQ(TRY("lr.d a5, (%0)\n\tsc.d a5, a5, (%1)", "r"(cell), "r"(cell)), NONE);
  EQ(TRY("lr.d a5, (%0)", "r"(HOLE)), LOAD_ACCESS);
  EQ(trap.tval, HOLE);
}
