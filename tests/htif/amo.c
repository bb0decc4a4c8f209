/* The A extension's read-modify-writes: result, memory, sign extension of .w,
 * neighbours untouched, all aq/rl forms, rd = rs2 and rd = x0. */
#include "htif.h"

#define AMO(insn, old, src)                                                                         \
  ({                                                                                                \
    u64 r_;                                                                                         \
    cell[1] = (old);                                                                                \
    __asm__ volatile(insn " %0, %1, (%2)" : "=&r"(r_) : "r"((u64)(src)), "r"(&cell[1]) : "memory"); \
    r_;                                                                                             \
  })

static volatile u64 cell[3] = {0x1111111111111111, 0, 0x2222222222222222};

static const u64 values[] = {0,
                             1,
                             -1ull,
                             0x7fffffff,
                             0x80000000,
                             0xffffffff,
                             0x100000000,
                             0x7fffffffffffffff,
                             0x8000000000000000,
                             0x0123456789abcdef,
                             0xfedcba9876543210,
                             0xffffffff80000000};

static u64 sx(u64 v) { return (u64)(i64)(int32_t)v; }

#define TEST_D(insn, expr)    \
  do {                        \
    EQ(AMO(insn, a, b), a);   \
    EQ(cell[1], (u64)(expr)); \
  } while (0)
#define TEST_W(insn, expr)                                            \
  do {                                                                \
    EQ(AMO(insn, a, b), sx(a));                                       \
    EQ(cell[1], (a & 0xffffffff00000000) | ((u64)(expr)&0xffffffff)); \
  } while (0)

void test_main(void) {
  for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
    for (unsigned j = 0; j < sizeof values / sizeof values[0]; j++) {
      u64 a = values[i], b = values[j];
      TEST_D("amoswap.d", b);
      TEST_D("amoadd.d", a + b);
      TEST_D("amoand.d", a & b);
      TEST_D("amoor.d", a | b);
      TEST_D("amoxor.d", a ^ b);
      TEST_D("amomin.d", (i64)a < (i64)b ? a : b);
      TEST_D("amomax.d", (i64)a > (i64)b ? a : b);
      TEST_D("amominu.d", a < b ? a : b);
      TEST_D("amomaxu.d", a > b ? a : b);
      TEST_W("amoswap.w", b);
      TEST_W("amoadd.w", a + b);
      TEST_W("amoand.w", a & b);
      TEST_W("amoor.w", a | b);
      TEST_W("amoxor.w", a ^ b);
      TEST_W("amomin.w", (int32_t)a < (int32_t)b ? a : b);
      TEST_W("amomax.w", (int32_t)a > (int32_t)b ? a : b);
      TEST_W("amominu.w", (u32)a < (u32)b ? a : b);
      TEST_W("amomaxu.w", (u32)a > (u32)b ? a : b);
    }
  u64 a = 40, b = 2;
  TEST_D("amoadd.d.aq", 42);
  TEST_D("amoadd.d.rl", 42);
  TEST_D("amoadd.d.aqrl", 42);
  TEST_W("amoadd.w.aq", 42);
  TEST_W("amoadd.w.rl", 42);
  TEST_W("amoadd.w.aqrl", 42);
  /* The upper word. */
  cell[1] = 0x8000000000000005;
  u64 r;
  __asm__ volatile("amoadd.w %0, %1, (%2)" : "=r"(r) : "r"(1ull), "r"((u64)&cell[1] + 4) : "memory");
  EQ(r, 0xffffffff80000000);
  EQ(cell[1], 0x8000000100000005);
  EQ(cell[0], 0x1111111111111111);
  EQ(cell[2], 0x2222222222222222);
  /* rd = rs2, rd = rs1, rd = x0. */
  cell[1] = 7;
  r = 5;
  __asm__ volatile("amoadd.d %0, %0, (%1)" : "+r"(r) : "r"(&cell[1]) : "memory");
  CHECK(r == 7 && cell[1] == 12);
  r = (u64)&cell[1];
  __asm__ volatile("amoswap.d %0, %1, (%0)" : "+r"(r) : "r"(9ull) : "memory");
  CHECK(r == 12 && cell[1] == 9);
  __asm__ volatile("amoor.d zero, %1, (%0)" ::"r"(&cell[1]), "r"(16ull) : "memory");
  EQ(cell[1], 25);
  /* Reserved: widths other than 2 and 3, unused funct5. */
  EQ(TRY(".insn r 0x2f, 0, 0, a5, %0, a5", "r"(cell)), ILLEGAL);
  EQ(TRY(".insn r 0x2f, 4, 0, a5, %0, a5", "r"(cell)), ILLEGAL);
  EQ(TRY(".insn r 0x2f, 3, 0x14, a5, %0, a5", "r"(cell)), ILLEGAL);
  EQ(TRY(".insn r 0x2f, 3, 8, a5, %0, x1", "r"(cell)), ILLEGAL); /* lr with rs2 */
}
