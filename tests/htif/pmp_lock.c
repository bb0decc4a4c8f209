/* Locked PMP entries bind M and cannot be changed before a reset. */
#include "vm.h"

enum { R = 1, W = 2, X = 4, TOR = 8, NA4 = 16, NAPOT = 24, L = 128 };
#define AREA 0x80400000ull

static long m_load(u64 a) { return TRY("lw a5, (%0)", "r"(a)); }
static long m_store(u64 a) { return TRY("sw zero, (%0)", "r"(a)); }

void test_main(void) {
  *(volatile u32 *)AREA = 0x8082;
  fence_i();
  csr_write(pmpaddr7, -1ull);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56);
  EQ(m_store(AREA + 64), NONE);

  /* Entry 1: read only for everybody, M included. */
  csr_write(pmpaddr1, AREA >> 2 | 0x1ff);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56 | (u64)(L | NAPOT | R) << 8);
  EQ(m_load(AREA), NONE);
  EQ(m_store(AREA), STORE_ACCESS);
  EQ(trap.tval, AREA);
  EQ(m_store(AREA + 4092), STORE_ACCESS);
  EQ(m_store(AREA + 4096), NONE);
  run_pc(M, AREA, 0);
  CHECK(trap.aborted && trap.cause == FETCH_ACCESS && trap.tval == AREA && trap.epc == AREA);
  EQ(vm_lwu(S, AREA, 0), NONE);
  EQ(vm_sb(S, AREA, 0), STORE_ACCESS);

  /* Neither the entry nor its address can be written. */
  csr_write(pmpaddr1, 0);
  EQ(csr_read(pmpaddr1), AREA >> 2 | 0x1ff);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56);
  EQ(csr_read(pmpcfg0) >> 8 & 255, L | NAPOT | R);
  EQ(m_store(AREA), STORE_ACCESS);
  /* The entries beside it still can. */
  csr_write(pmpaddr0, 0x1234);
  EQ(csr_read(pmpaddr0), 0x1234);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56 | (NA4 | R));
  EQ(csr_read(pmpcfg0) & 255, NA4 | R);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56);

  /* A lower entry still overrules it. */
  csr_write(pmpaddr0, AREA >> 2);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56 | (NA4 | R | W));
  EQ(m_store(AREA), NONE);
  EQ(m_store(AREA + 4), STORE_ACCESS);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56);

  /* A locked TOR entry locks the address below it too. */
  csr_write(pmpaddr3, (AREA + 0x2000) >> 2);
  csr_write(pmpaddr4, (AREA + 0x3000) >> 2);
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56 | (u64)(L | TOR) << 32);
  EQ(m_load(AREA + 0x1ffc), NONE);
  EQ(m_load(AREA + 0x2000), LOAD_ACCESS);
  EQ(m_load(AREA + 0x2ffc), LOAD_ACCESS);
  EQ(m_load(AREA + 0x3000), NONE);
  csr_write(pmpaddr3, 0);
  EQ(csr_read(pmpaddr3), (AREA + 0x2000) >> 2);
  csr_write(pmpaddr4, 0);
  EQ(csr_read(pmpaddr4), (AREA + 0x3000) >> 2);
  csr_write(pmpaddr2, 5);
  EQ(csr_read(pmpaddr2), 5);

  /* Locked and off: only fixed, without effect. */
  csr_write(pmpcfg0, (u64)(NAPOT | R | W | X) << 56 | (u64)L << 16);
  csr_write(pmpaddr2, 6);
  EQ(csr_read(pmpaddr2), 5);
}
