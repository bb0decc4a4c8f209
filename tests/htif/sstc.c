/* Sstc: stimecmp raises STIP by itself once menvcfg.STCE is set; who may use it. */
#include "htif.h"

#define STCE (1ull << 63)
#define RD   "csrr a5, 0x14d"

static long rd(u64 a) {
  (void)a;
  return TRY(RD);
}
static long s_timer(u64 a) {
  (void)a;
  u64 t = csr_read(time);
  csr_write(0x14d, t + 20000);
  csr_set(sie, 1 << STI);
  csr_set(sstatus, MSTATUS_SIE);
  while (irq.count == 0 && csr_read(time) < t + 100000000)
    ;
  csr_clear(sstatus, MSTATUS_SIE);
  if (csr_read(time) < t + 20000) return -1;
  return irq.count;
}
static int poll(u64 want) {
  for (int i = 0; i < 1000000; i++)
    if ((csr_read(mip) & 1 << STI) == want) return 1;
  return 0;
}

void test_main(void) {
  csr_set(0x30a, STCE);
  CHECK(csr_read(0x30a) & STCE);
  csr_clear(0x30a, STCE);
  EQ(csr_read(0x30a) & STCE, 0);

  /* M always may; S needs STCE and mcounteren.TM; U never. */
  csr_write(mcounteren, 7);
  EQ(rd(0), NONE);
  EQ(run_in(S, rd, 0), ILLEGAL);
  csr_set(0x30a, STCE);
  EQ(run_in(S, rd, 0), NONE);
  EQ(run_in(U, rd, 0), ILLEGAL);
  csr_write(mcounteren, 5);
  EQ(run_in(S, rd, 0), ILLEGAL);
  EQ(rd(0), NONE);
  csr_write(mcounteren, 7);

  /* Pending while time >= stimecmp; STIP is then read-only. */
  csr_write(0x14d, -1ull);
  EQ(csr_read(0x14d), -1ull);
  CHECK(poll(0));
  csr_set(mip, 1 << STI);
  EQ(csr_read(mip) & 1 << STI, 0);
  csr_write(0x14d, 0);
  CHECK(poll(1 << STI));
  csr_clear(mip, 1 << STI);
  CHECK(csr_read(mip) & 1 << STI);
  csr_write(0x14d, -1ull);
  CHECK(poll(0));

  /* Taken in S. */
  csr_write(mideleg, 1 << STI);
  irq.count = 0;
  EQ(run_in(S, s_timer, 0), 1);
  CHECK(irq.log[0] == STI && irq.level[0] == S);
  csr_write(0x14d, -1ull);
  CHECK(poll(0));

  /* With STCE off the comparison has no effect and STIP is M's to write. */
  csr_clear(0x30a, STCE);
  csr_clear(mip, 1 << STI);
  csr_write(0x14d, 0);
  CHECK(poll(0));
  csr_set(mip, 1 << STI);
  CHECK(csr_read(mip) & 1 << STI);
  csr_clear(mip, 1 << STI);
  EQ(csr_read(mip) & 1 << STI, 0);
}
