/* The order of interrupts that are pending together (3.1.9): MEI MSI MTI SEI SSI
 * STI within a privilege, and all of M's before any of S's. */
#include "htif.h"

static void expect(u64 mie) {
  irq.count = 0;
  csr_write(mie, mie);
}
static int wait_irq(int n, int limit) {
  for (int i = 0; i < limit && irq.count < n; i++) __asm__ volatile("nop");
  return irq.count;
}
static long wait_three(u64 a) {
  (void)a;
  return wait_irq(3, 1000000);
}
static int poll_mip(u64 bit, u64 want) {
  for (int i = 0; i < 1000000; i++)
    if ((csr_read(mip) & bit) == want) return 1;
  return 0;
}

void test_main(void) {
  /* Priorities: all at once, in the manual's order MSI MTI SEI SSI STI. */
  *CLINT_MSIP = 1;
  *CLINT_MTIMECMP = 0;
  csr_write(mip, 1 << SSI | 1 << STI | 1 << SEI);
  CHECK(poll_mip(1 << MTI | 1 << MSI, 1 << MTI | 1 << MSI));
  expect(1 << MSI | 1 << MTI | 1 << SSI | 1 << STI | 1 << SEI);
  csr_set(mstatus, MSTATUS_MIE);
  EQ(wait_irq(5, 1000000), 5);
  csr_clear(mstatus, MSTATUS_MIE);
  CHECK(irq.log[0] == MSI && irq.log[1] == MTI && irq.log[2] == SEI && irq.log[3] == SSI &&
        irq.log[4] == STI);
  CHECK(irq.level[0] == M && irq.level[4] == M);
  *CLINT_MSIP = 0;
  *CLINT_MTIMECMP = -1ull;
  CHECK(poll_mip(1 << MTI | 1 << MSI, 0));

  /* Delegated: the same order in S; an M interrupt comes before all of them. */
  csr_write(mideleg, 1 << SSI | 1 << STI | 1 << SEI);
  csr_set(sstatus, MSTATUS_SIE);
  expect(1 << SSI | 1 << STI | 1 << SEI);
  EQ(run_in(S, wait_three, 0), 3);
  CHECK(irq.log[0] == SEI && irq.log[1] == SSI && irq.log[2] == STI);
  CHECK(irq.level[0] == S && irq.level[1] == S && irq.level[2] == S);
  *CLINT_MSIP = 1;
  expect(1 << SSI | 1 << MSI | 1 << STI);
  EQ(run_in(U, wait_three, 0), 3);
  CHECK(irq.log[0] == MSI && irq.level[0] == M && irq.log[1] == SSI && irq.level[1] == S &&
        irq.log[2] == STI);
  *CLINT_MSIP = 0;
  csr_write(mip, 0);
  csr_clear(sstatus, MSTATUS_SIE);

  /* Part delegated: STI stays with M and so beats SSI and SEI from S. */
  csr_write(mideleg, 1 << SSI | 1 << SEI);
  csr_write(mip, 1 << SSI | 1 << STI | 1 << SEI);
  csr_set(sstatus, MSTATUS_SIE);
  expect(1 << SSI | 1 << STI | 1 << SEI);
  EQ(run_in(S, wait_three, 0), 3);
  CHECK(irq.log[0] == STI && irq.level[0] == M && irq.log[1] == SEI && irq.level[1] == S &&
        irq.log[2] == SSI);
  csr_write(mip, 0);
  csr_clear(sstatus, MSTATUS_SIE);
}
