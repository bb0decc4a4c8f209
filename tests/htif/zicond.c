/* Zicond: czero.eqz and czero.nez (binutils of the time does not know them). */
#include "htif.h"

#define CZ(f3, a, b)                                                                                    \
  ({                                                                                                    \
    u64 r_;                                                                                             \
    __asm__ volatile(".insn r 0x33, " #f3 ", 7, %0, %1, %2" : "=r"(r_) : "r"((u64)(a)), "r"((u64)(b))); \
    r_;                                                                                                 \
  })
#define EQZ(a, b) CZ(5, a, b)
#define NEZ(a, b) CZ(7, a, b)

void test_main(void) {
  static const u64 v[] = {0, 1, -1ull, 0x8000000000000000, 0x100000000, 0x7fffffff};
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 6; j++) {
      EQ(EQZ(v[i], v[j]), v[j] == 0 ? 0 : v[i]);
      EQ(NEZ(v[i], v[j]), v[j] != 0 ? 0 : v[i]);
    }
  u64 r = 5;
  __asm__ volatile(".insn r 0x33, 5, 7, %0, %0, %0" : "+r"(r));
  EQ(r, 5);
  __asm__ volatile(".insn r 0x33, 7, 7, %0, %0, %0" : "+r"(r));
  EQ(r, 0);
  __asm__ volatile(".insn r 0x33, 5, 7, %0, x0, %1" : "=r"(r) : "r"(1));
  EQ(r, 0);
  /* funct7 7 with another funct3 is nothing. */
  EQ(TRY(".insn r 0x33, 0, 7, a5, a5, a5"), ILLEGAL);
  EQ(TRY(".insn r 0x33, 4, 7, a5, a5, a5"), ILLEGAL);
  EQ(TRY(".insn r 0x3b, 5, 7, a5, a5, a5"), ILLEGAL);
}
