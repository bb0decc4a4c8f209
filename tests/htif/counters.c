/* cycle and instret: gating by mcounteren and scounteren, writes of the M
 * counters, mcountinhibit. Exact counting is in instret.c, time in time.c. */
#include "htif.h"

static long rd_cycle(u64 a) {
  (void)a;
  return TRY("rdcycle a5");
}
static long rd_instret(u64 a) {
  (void)a;
  return TRY("rdinstret a5");
}

void test_main(void) {
  for (int m = 0; m < 2; m++)
    for (int s = 0; s < 2; s++) {
      csr_write(mcounteren, m ? 1 : 0);
      csr_write(scounteren, s ? 1 : 0);
      EQ(rd_cycle(0), NONE);
      EQ(run_in(S, rd_cycle, 0), m ? NONE : ILLEGAL);
      EQ(run_in(U, rd_cycle, 0), m && s ? NONE : ILLEGAL);
      EQ(rd_instret(0), NONE);
      EQ(run_in(S, rd_instret, 0), ILLEGAL);
      EQ(run_in(U, rd_instret, 0), ILLEGAL);
      csr_write(mcounteren, m ? 4 : 0);
      csr_write(scounteren, s ? 4 : 0);
      EQ(run_in(S, rd_instret, 0), m ? NONE : ILLEGAL);
      EQ(run_in(U, rd_instret, 0), m && s ? NONE : ILLEGAL);
      EQ(run_in(U, rd_cycle, 0), ILLEGAL);
    }

  /* They move forward, and together with their read-only views. */
  u64 c0 = csr_read(mcycle), i0 = csr_read(minstret);
  for (int i = 0; i < 100; i++) __asm__ volatile("nop");
  u64 c1 = csr_read(cycle), i1 = csr_read(instret);
  CHECK(c1 - c0 >= 1 && c1 > c0);
  CHECK(i1 - i0 >= 100);
  CHECK(csr_read(mcycle) >= c1 && csr_read(minstret) >= i1);

  /* Writable in M. */
  csr_write(mcycle, 1ull << 40);
  u64 c = csr_read(mcycle);
  CHECK(c >= 1ull << 40 && c < (1ull << 40) + (1ull << 36));
  csr_write(minstret, 1ull << 41);
  c = csr_read(instret);
  CHECK(c >= 1ull << 41 && c < (1ull << 41) + (1ull << 36));

  /* Inhibited they stand still and can still be written. */
  EQ(csr_warl(mcountinhibit, 5) & 7, 5);
  c0 = csr_read(mcycle);
  i0 = csr_read(minstret);
  for (int i = 0; i < 100; i++) __asm__ volatile("nop");
  EQ(csr_read(mcycle), c0);
  EQ(csr_read(minstret), i0);
  csr_write(mcycle, 1000);
  csr_write(minstret, 2000);
  EQ(csr_read(cycle), 1000);
  EQ(csr_read(instret), 2000);
  csr_write(mcountinhibit, 0);
  for (int i = 0; i < 10; i++) __asm__ volatile("nop");
  c = csr_read(cycle);
  CHECK(c > 1000 && c < 1000 + (1ull << 36));
  c = csr_read(instret);
  CHECK(c > 2000 && c < 2000 + (1ull << 36));

  /* The event counters may be anything but must exist. */
  EQ(TRY("csrr a5, mhpmcounter3"), NONE);
  EQ(TRY("csrr a5, mhpmcounter18"), NONE);
  EQ(TRY("csrr a5, mhpmevent3"), NONE);
  EQ(TRY("csrw mhpmevent18, zero"), NONE);
  /* The high halves are RV32's. */
  EQ(TRY("csrr a5, 0xb80"), ILLEGAL);
  EQ(TRY("csrr a5, 0xc80"), ILLEGAL);
}
