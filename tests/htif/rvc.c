/* Compressed instructions: each does what its long form does; reserved
 * encodings are illegal, hints are nothing. Halfwords are written as numbers so
 * that the assembler has no say. */
#include "htif.h"

/* One halfword with a0 (x10) and a1 (x11) given; a0 afterwards. */
#define RUN(half, a, b)                                                  \
  ({                                                                     \
    register u64 a_ __asm__("a0") = (u64)(a);                            \
    register u64 b_ __asm__("a1") = (u64)(b);                            \
    __asm__ volatile(".2byte " #half : "+r"(a_), "+r"(b_) : : "memory"); \
    a_;                                                                  \
  })
#define ILL(half)  EQ(TRY(".2byte " #half), ILLEGAL)
#define FINE(half) EQ(TRY(".2byte " #half), NONE)

static u64 cell[40] __attribute__((aligned(16)));

void test_main(void) {
  u64 big = 0x8000000080000001;
  EQ(RUN(0x0505, 5, 0), 6);                            /* c.addi a0, 1 */
  EQ(RUN(0x157d, 5, 0), 4);                            /* c.addi a0, -1 */
  EQ(RUN(0x2505, 0x7fffffff, 0), 0xffffffff80000000);  /* c.addiw a0, 1 */
  EQ(RUN(0x2501, 0x180000001, 0), 0xffffffff80000001); /* c.addiw a0, 0 */
  EQ(RUN(0x5501, 5, 0), -32);                          /* c.li a0, -32 */
  EQ(RUN(0x457d, 5, 0), 31);                           /* c.li a0, 31 */
  EQ(RUN(0x6505, 0, 0), 0x1000);                       /* c.lui a0, 1 */
  EQ(RUN(0x757d, 0, 0), -4096);                        /* c.lui a0, -1 */
  EQ(RUN(0x050a, 3, 0), 12);                           /* c.slli a0, 2 */
  EQ(RUN(0x157e, 1, 0), 1ull << 63);                   /* c.slli a0, 63 */
  EQ(RUN(0x9101, big, 0), big >> 32);                  /* c.srli a0, 32 */
  EQ(RUN(0x8505, big, 0), 0xc000000040000000);         /* c.srai a0, 1 */
  EQ(RUN(0x8965, 0xff, 0), 0x19);                      /* c.andi a0, 25 */
  EQ(RUN(0x997d, big, 0), big);                        /* c.andi a0, -1 */
  EQ(RUN(0x8d0d, 5, 7), -2);                           /* c.sub a0, a1 */
  EQ(RUN(0x8d2d, 5, 7), 2);                            /* c.xor */
  EQ(RUN(0x8d4d, 5, 8), 13);                           /* c.or */
  EQ(RUN(0x8d6d, 13, 7), 5);                           /* c.and */
  EQ(RUN(0x9d0d, 0x80000000, 1), 0x7fffffff);          /* c.subw */
  EQ(RUN(0x9d2d, 0x7fffffff, 1), 0xffffffff80000000);  /* c.addw */
  EQ(RUN(0x852e, 5, 7), 7);                            /* c.mv a0, a1 */
  EQ(RUN(0x952e, 5, 7), 12);                           /* c.add a0, a1 */

  /* Loads and stores through a1, and through sp. */
  for (int i = 0; i < 40; i++) cell[i] = 0x8000000080000000 + (u64)i;
  EQ(RUN(0x4188, 0, cell), 0xffffffff80000000); /* c.lw a0, 0(a1) */
  EQ(RUN(0x41c8, 0, cell), 0xffffffff80000000); /* c.lw a0, 4(a1) */
  EQ(RUN(0x6588, 0, cell), cell[1]);            /* c.ld a0, 8(a1) */
  EQ(RUN(0x7de8, 0, cell), cell[31]);           /* c.ld a0, 248(a1) */
  EQ(RUN(0xe588, 0x1234, cell), 0x1234);        /* c.sd a0, 8(a1) */
  EQ(cell[1], 0x1234);
  (void)RUN(0xc1c8, 0xabcdef01, cell); /* c.sw a0, 4(a1) */
  EQ(cell[0], 0xabcdef0180000000);
  u64 r;
  __asm__ volatile("mv t0, sp\n\tmv sp, %1\n\t.2byte 0x6522\n\tmv sp, t0\n\tmv %0, a0" /* c.ldsp a0, 8(sp) */
                   : "=r"(r)
                   : "r"(cell)
                   : "t0", "a0", "memory");
  EQ(r, 0x1234);
  __asm__ volatile("mv t0, sp\n\tmv sp, %1\n\t.2byte 0x4532\n\tmv sp, t0\n\tmv %0, a0" /* c.lwsp a0, 12(sp) */
                   : "=r"(r)
                   : "r"(cell)
                   : "t0", "a0", "memory");
  EQ(r, 0);
  __asm__ volatile(
      "mv t0, sp\n\tmv sp, %0\n\tli a0, 99\n\t.2byte 0xe82a\n\t.2byte 0xca2a\n\tmv sp, t0" /* c.sdsp 16, c.swsp 20 */
      :
      : "r"(cell)
      : "t0", "a0", "memory");
  EQ(cell[2], 99ull << 32 | 99);
  __asm__ volatile(
      "mv t0, sp\n\tli sp, 1024\n\t.2byte 0x0808\n\t.2byte 0x7139\n\tmv a1, sp\n\tmv sp, t0\n\tsub %0, a0, a1"
      : "=r"(r) /* c.addi4spn a0, 16; c.addi16sp -64 */
      :
      : "t0", "a0", "a1");
  EQ(r, 80);

  /* Jumps and branches; links are the next halfword. */
  __asm__ volatile("li %0, 1\n\t.2byte 0xa011\n\tli %0, 2\n\tnop\n" /* c.j +4 skips one c.li */
                   : "=&r"(r));
  EQ(r, 1);
  __asm__ volatile(".option push\n\t.option norvc\n\tlla t0, 1f\n\tli a0, 0\n\t.2byte 0xc111\n\t.2byte "
                   "0x4505\n\tmv %0, a0\n1:\n\t.option pop"
                   : "=r"(r) /* c.beqz a0, +4; c.li a0, 1 */
                   :
                   : "t0", "a0");
  EQ(r, 0);
  __asm__ volatile("li a0, 0\n\t.2byte 0xe111\n\t.2byte 0x4505\n\tmv %0, a0" /* c.bnez a0, +4; c.li a0, 1 */
                   : "=r"(r)
                   :
                   : "a0");
  EQ(r, 1);
  __asm__ volatile("lla t0, 2f\n\t.balign 4\n1:\t.2byte 0x9282\n\t.2byte 0x0001\n2:\tlla t1, 1b\n\tsub %0, "
                   "ra, t1" /* c.jalr t0 */
                   : "=r"(r)
                   :
                   : "t0", "t1", "ra");
  EQ(r, 2);
  __asm__ volatile("lla t0, 2f\n\tli %0, 1\n\t.2byte 0x8282\n\tli %0, 2\n2:" /* c.jr t0 */
                   : "=&r"(r)
                   :
                   : "t0");
  EQ(r, 1);

  /* Reserved (tables of section 16.8). */
  ILL(0x0000);
  ILL(0x0004); /* c.addi4spn with 0 */
  ILL(0x001c);
  ILL(0x8000); /* quadrant 0, funct3 100 */
  ILL(0x9ffc);
  ILL(0x2001); /* c.addiw x0 */
  ILL(0x307d);
  ILL(0x6101); /* c.addi16sp with 0 */
  ILL(0x6501); /* c.lui a0, 0 */
  ILL(0x9c41); /* 100 1 11 .. 10 */
  ILL(0x9c61); /* 100 1 11 .. 11 */
  ILL(0x4002); /* c.lwsp x0 */
  ILL(0x6002); /* c.ldsp x0 */
  ILL(0x8002); /* c.jr x0 */
  EQ(TRY(".2byte 0x9002"), BREAKPOINT);
  CHECK(EPC_IS(2));
  csr_clear(mstatus, MSTATUS_FS);
  ILL(0x2188); /* c.fld with FS off */
  csr_set(mstatus, MSTATUS_FS);

  /* Hints. */
  FINE(0x0001); /* c.nop */
  FINE(0x0005); /* c.nop 1 */
  FINE(0x0501); /* c.addi a0, 0 */
  FINE(0x4005); /* c.li x0, 1 */
  FINE(0x6005); /* c.lui x0, 1 */
  FINE(0x0006); /* c.slli x0, 1 */
  FINE(0x0502); /* c.slli a0, 0 */
  FINE(0x802a); /* c.mv x0, a0 */
  FINE(0x902a); /* c.add x0, a0 */
}
