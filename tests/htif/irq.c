/* Interrupts: CLINT software and timer, S software, enabling, delegation, wfi.
 * The order of simultaneous ones is in irqprio.c, Sstc in sstc.c. */
#include "htif.h"

static void expect(u64 mie) {
  irq.count = 0;
  csr_write(mie, mie);
}
static int wait_irq(int n, int limit) {
  for (int i = 0; i < limit && irq.count < n; i++) __asm__ volatile("nop");
  return irq.count;
}
static long wait_one(u64 limit) { return wait_irq(1, (int)limit); }
static long wait_four(u64 a) {
  (void)a;
  return wait_irq(4, 1000000);
}
static int poll_mip(u64 bit, u64 want) {
  for (int i = 0; i < 1000000; i++)
    if ((csr_read(mip) & bit) == want) return 1;
  return 0;
}

static long s_self(u64 a) {
  (void)a;
  csr_set(sie, 1 << SSI);
  csr_set(sip, 1 << SSI); /* S raises its own */
  csr_set(sstatus, MSTATUS_SIE);
  long n = wait_irq(1, 1000000);
  csr_clear(sstatus, MSTATUS_SIE);
  csr_clear(sip, 1 << SSI);
  return n;
}
static long s_wfi(u64 a) {
  (void)a;
  __asm__ volatile("wfi");
  return irq.count;
}

void test_main(void) {
  *CLINT_MSIP = 0;
  *CLINT_MTIMECMP = -1ull;

  /* msip: mip.MSIP follows; taken only with MIE and mie.MSIE; only bit 0 counts. */
  CHECK(poll_mip(1 << MSI, 0));
  *CLINT_MSIP = 1;
  CHECK(poll_mip(1 << MSI, 1 << MSI));
  EQ(*CLINT_MSIP, 1);
  expect(1 << MSI);
  EQ(wait_irq(1, 2000), 0); /* MIE off */
  csr_write(mie, 0);
  csr_set(mstatus, MSTATUS_MIE);
  EQ(wait_irq(1, 2000), 0); /* mie off */
  csr_write(mie, 1 << MSI);
  EQ(wait_irq(1, 1000000), 1);
  CHECK(irq.log[0] == MSI && irq.level[0] == M && irq.tval == 0);
  EQ(irq.status & (MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP), MSTATUS_MPIE | MSTATUS_MPP);
  csr_clear(mstatus, MSTATUS_MIE);
  csr_write(mip, 0); /* MSIP is not writable here */
  CHECK(csr_read(mip) & 1 << MSI);
  *CLINT_MSIP = 0xfffffffe;
  CHECK(poll_mip(1 << MSI, 0));
  EQ(*CLINT_MSIP, 0);

  /* An M interrupt is taken in S and U even with MIE off. */
  *CLINT_MSIP = 1;
  expect(1 << MSI);
  EQ(run_in(S, wait_one, 1000000), 1);
  EQ(irq.status & MSTATUS_MPP, 1 << 11);
  expect(1 << MSI);
  EQ(run_in(U, wait_one, 1000000), 1);
  EQ(irq.status & MSTATUS_MPP, 0);
  *CLINT_MSIP = 0;

  /* mtimecmp: pending while mtime >= mtimecmp. */
  u64 t = *CLINT_MTIME;
  *CLINT_MTIMECMP = t;
  CHECK(poll_mip(1 << MTI, 1 << MTI));
  *CLINT_MTIMECMP = -1ull;
  EQ(*CLINT_MTIMECMP, -1ull);
  CHECK(poll_mip(1 << MTI, 0));
  csr_write(mip, -1ull); /* MTIP is not writable */
  EQ(csr_read(mip) & 1 << MTI, 0);
  csr_write(mip, 0);
  expect(1 << MTI);
  csr_set(mstatus, MSTATUS_MIE);
  t = *CLINT_MTIME;
  *CLINT_MTIMECMP = t + 20000;
  while (irq.count == 0 && *CLINT_MTIME < t + 100000000)
    ;
  CHECK(irq.count == 1 && irq.log[0] == MTI);
  CHECK(*CLINT_MTIME >= t + 20000);
  csr_clear(mstatus, MSTATUS_MIE);
  *CLINT_MTIMECMP = -1ull;
  CHECK(poll_mip(1 << MTI, 0));

  /* wfi ends when the timer does: interrupt enabled and taken after it. */
  expect(1 << MTI);
  *CLINT_MTIMECMP = *CLINT_MTIME + 50000;
  csr_set(mstatus, MSTATUS_MIE);
  u64 after;
  do __asm__ volatile("wfi\n1:\n\tlla %0, 1b" : "=r"(after)::"memory");
  while (irq.count == 0);
  CHECK(irq.log[0] == MTI);
  csr_clear(mstatus, MSTATUS_MIE);
  *CLINT_MTIMECMP = -1ull;
  CHECK(poll_mip(1 << MTI, 0));
  /* With MIE off it also ends, without the trap. */
  expect(1 << MTI);
  t = *CLINT_MTIME;
  *CLINT_MTIMECMP = t + 50000;
  do __asm__ volatile("wfi" ::: "memory");
  while (!(csr_read(mip) & 1 << MTI));
  EQ(irq.count, 0);
  CHECK(*CLINT_MTIME >= t + 50000);
  *CLINT_MTIMECMP = -1ull;
  CHECK(poll_mip(1 << MTI, 0));

  /* Several at once: what stays with M comes before what S takes (the order
   * within a privilege is in irqprio.c). */
  csr_write(mideleg, 1 << SSI | 1 << STI);
  *CLINT_MSIP = 1;
  CHECK(poll_mip(1 << MSI, 1 << MSI));
  csr_write(mip, 1 << SSI | 1 << STI | 1 << SEI);
  csr_set(sstatus, MSTATUS_SIE);
  expect(1 << SSI | 1 << MSI | 1 << STI | 1 << SEI);
  EQ(run_in(U, wait_four, 0), 4);
  EQ(1 << irq.log[0] | 1 << irq.log[1], 1 << MSI | 1 << SEI);
  EQ(1 << irq.log[2] | 1 << irq.log[3], 1 << SSI | 1 << STI);
  CHECK(irq.level[0] == M && irq.level[1] == M && irq.level[2] == S && irq.level[3] == S);
  *CLINT_MSIP = 0;
  csr_write(mip, 0);
  csr_clear(sstatus, MSTATUS_SIE);
  CHECK(poll_mip(1 << MSI, 0));

  /* S raises, takes and clears its own software interrupt. */
  csr_write(mideleg, 1 << SSI);
  expect(0);
  EQ(run_in(S, s_self, 0), 1);
  CHECK(irq.log[0] == SSI && irq.level[0] == S);
  EQ(irq.status & (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP), MSTATUS_SPIE | MSTATUS_SPP);
  EQ(csr_read(mip) & 1 << SSI, 0);

  /* wfi in S ends on a pending enabled interrupt although SIE is off. */
  csr_write(mip, 1 << SSI);
  expect(1 << SSI);
  EQ(run_in(S, s_wfi, 0), 0);
  csr_write(mip, 0);

  /* Bits 1 to 31 of msip do not exist, and the CLINT answers 4 and 8 byte accesses. */
  *CLINT_MTIMECMP = 0x123456789abcdef0;
  EQ(((volatile u32 *)CLINT_MTIMECMP)[0], 0x9abcdef0);
  EQ(((volatile u32 *)CLINT_MTIMECMP)[1], 0x12345678);
  ((volatile u32 *)CLINT_MTIMECMP)[1] = 0xffffffff;
  EQ(*CLINT_MTIMECMP, 0xffffffff9abcdef0);
}
