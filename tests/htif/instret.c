/* minstret counts every retired instruction exactly once, whatever the engine;
 * an instruction that traps does not retire. */
#include "htif.h"

#define COUNT(code)                                                       \
  ({                                                                      \
    u64 a_, b_;                                                           \
    __asm__ volatile("csrr %0, minstret\n\t" code "\n\tcsrr %1, minstret" \
                     : "=&r"(a_), "=&r"(b_)                               \
                     :                                                    \
                     : "t0", "a5", "memory");                             \
    b_ - a_ - 1; /* the first csrr itself retired in between */           \
  })

static long in_u(u64 a) {
  (void)a;
  u64 x, y;
  __asm__ volatile("rdinstret %0\n\tnop\n\tnop\n\trdinstret %1" : "=&r"(x), "=&r"(y));
  return (long)(y - x);
}

void test_main(void) {
  EQ(COUNT(""), 0);
  EQ(COUNT("nop"), 1);
  EQ(COUNT(".rept 100\n\tnop\n\t.endr"), 100);
  EQ(COUNT("c.nop\n\tc.nop\n\tnop"), 3);
  EQ(COUNT("li t0, 50\n1: addi t0, t0, -1\n\tbnez t0, 1b"), 101);
  EQ(COUNT("li a5, 2000\n1: c.addi a5, -1\n\tc.bnez a5, 1b"), 4001);
  EQ(COUNT("j 1f\n\tnop\n1:"), 1);
  EQ(COUNT("lla t0, 1f\n\tjr t0\n\tnop\n1:"), 3);
  EQ(COUNT("fence.i\n\tnop\n\tfence"), 3);
  EQ(COUNT("csrw sscratch, zero\n\tnop"), 2);
  csr_write(minstret, 500);
  /* A write takes effect for the next instruction: the write itself is not added. */
  u64 v;
  __asm__ volatile("csrw minstret, %1\n\tcsrr %0, minstret" : "=r"(v) : "r"(1000ull));
  EQ(v, 1000);
  __asm__ volatile("csrw minstret, %1\n\tnop\n\tnop\n\tcsrr %0, minstret" : "=r"(v) : "r"(1000ull));
  EQ(v, 1002);
  csr_write(mcounteren, 7);
  csr_write(scounteren, 7);
  EQ(run_in(U, in_u, 0), 3);
  EQ(run_in(S, in_u, 0), 3);

  /* ebreak traps and does not retire: count with the counter stopped in the handler. */
  u64 a, b;
  extern char skip4[];
  csr_write(mtvec, skip4);
  __asm__ volatile(
      "csrr %0, minstret\n\t.option push\n\t.option norvc\n\tebreak\n\t.option pop\n\tcsrr %1, minstret"
      : "=&r"(a), "=&r"(b)::"t0", "memory");
  csr_write(mtvec, trap_m);
  /* csrr, then the handler's csrr, addi, csrw, mret. */
  EQ(b - a, 5);
}

__asm__(".balign 4\n"
        "skip4: csrr t0, mepc\n\taddi t0, t0, 4\n\tcsrw mepc, t0\n\tmret\n");
