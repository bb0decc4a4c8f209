/* The time CSR follows the CLINT's mtime, gated by mcounteren and scounteren. */
#include "htif.h"

static long rd_time(u64 a) {
  (void)a;
  return TRY("rdtime a5");
}

void test_main(void) {
  EQ(rd_time(0), NONE);
  csr_write(mcounteren, 0);
  EQ(run_in(S, rd_time, 0), ILLEGAL);
  csr_write(mcounteren, 2);
  csr_write(scounteren, 0);
  EQ(run_in(S, rd_time, 0), NONE);
  EQ(run_in(U, rd_time, 0), ILLEGAL);
  csr_write(scounteren, 2);
  EQ(run_in(U, rd_time, 0), NONE);
  csr_write(mcounteren, 5);
  csr_write(scounteren, 7);
  EQ(run_in(U, rd_time, 0), ILLEGAL);
  EQ(TRY("csrw time, zero"), ILLEGAL);

  for (int i = 0; i < 100; i++) {
    u64 a = csr_read(time), m = *CLINT_MTIME, b = csr_read(time);
    CHECK(a <= m && m <= b);
  }
  u64 t = csr_read(time);
  for (int i = 0; i < 10000000 && csr_read(time) == t; i++) __asm__ volatile("nop");
  CHECK(csr_read(time) > t);

  /* mtime is writable and moves time with it; also in halves. */
  *CLINT_MTIME = 1ull << 40;
  CHECK(csr_read(time) >> 40 == 1 && *CLINT_MTIME >> 40 == 1);
  ((volatile u32 *)CLINT_MTIME)[1] = 2;
  CHECK(csr_read(time) >> 32 == 2 && ((volatile u32 *)CLINT_MTIME)[1] == 2);
}
