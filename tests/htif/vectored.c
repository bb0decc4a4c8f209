/* mtvec and stvec: direct and vectored mode, and what each kind of trap jumps to. */
#include "htif.h"

static long spin(u64 n) {
  while (n-- && !irq.count) __asm__ volatile("nop");
  return irq.count;
}

static long trap_here(u64 arg) {
  (void)arg;
  return TRY("ebreak");
}

static long ssip_here(u64 arg) {
  (void)arg;
  csr_set(sstatus, MSTATUS_SIE);
  csr_set(sie, 1 << SSI);
  csr_set(sip, 1 << SSI);
  for (int i = 0; i < 100000 && !irq.count; i++) __asm__ volatile("nop");
  csr_clear(sip, 1 << SSI);
  return irq.count;
}

void test_main(void) {
  /* Direct mode: everything goes to the base. */
  EQ(csr_read(mtvec), trap_m);
  *CLINT_MSIP = 1;
  csr_write(mie, 1 << MSI);
  csr_set(mstatus, MSTATUS_MIE);
  spin(100000);
  csr_clear(mstatus, MSTATUS_MIE);
  CHECK(irq.count == 1 && irq.log[0] == MSI && irq.vector[0] == 0);

  /* Vectored: interrupts go to base + 4 * cause, exceptions to the base. */
  csr_write(mtvec, (u64)vec_m | 1);
  u64 seen = csr_read(mtvec);
  irq.count = 0;
  csr_write(mie, 1 << MSI);
  csr_set(mstatus, MSTATUS_MIE);
  spin(100000);
  csr_clear(mstatus, MSTATUS_MIE);
  *CLINT_MSIP = 0;
  long cause = TRY("ebreak");
  int entry = trap.vector;
  csr_write(mtvec, trap_m);
  EQ(seen, (u64)vec_m | 1);
  CHECK(irq.count == 1 && irq.log[0] == MSI);
  EQ(irq.vector[0], MSI + 1);
  EQ(irq.tval, 0);
  EQ(cause, BREAKPOINT);
  EQ(entry, 1);

  /* The timer's vector. */
  csr_write(mtvec, (u64)vec_m | 1);
  irq.count = 0;
  *CLINT_MTIMECMP = 0;
  csr_write(mie, 1 << MTI);
  csr_set(mstatus, MSTATUS_MIE);
  spin(1000000);
  csr_clear(mstatus, MSTATUS_MIE);
  *CLINT_MTIMECMP = -1ull;
  csr_write(mtvec, trap_m);
  CHECK(irq.count == 1 && irq.log[0] == MTI && irq.vector[0] == MTI + 1);

  /* Modes 2 and 3 are reserved: whatever is read back is legal. */
  u64 v = csr_warl(mtvec, (u64)trap_m | 2);
  csr_write(mtvec, trap_m);
  CHECK((v & 3) < 2);
  v = csr_warl(mtvec, (u64)trap_m | 3);
  csr_write(mtvec, trap_m);
  CHECK((v & 3) < 2);

  /* S mode, delegated. */
  csr_write(medeleg, 1 << BREAKPOINT);
  csr_write(mideleg, 1 << SSI);
  EQ(run_in(S, trap_here, 0), BREAKPOINT);
  CHECK(trap.level == S && trap.vector == 0);
  irq.count = 0;
  EQ(run_in(S, ssip_here, 0), 1);
  CHECK(irq.log[0] == SSI && irq.level[0] == S && irq.vector[0] == 0);
  csr_write(stvec, (u64)vec_s | 1);
  EQ(csr_read(stvec), (u64)vec_s | 1);
  EQ(run_in(S, trap_here, 0), BREAKPOINT);
  CHECK(trap.level == S && trap.vector == 1);
  irq.count = 0;
  EQ(run_in(S, ssip_here, 0), 1);
  CHECK(irq.log[0] == SSI && irq.level[0] == S);
  EQ(irq.vector[0], SSI + 1);
  v = csr_warl(stvec, (u64)vec_s | 3);
  CHECK((v & 3) < 2);
  csr_write(stvec, trap_s);
  EQ(csr_read(stvec), trap_s);
}
