/* PMP: TOR, NA4, NAPOT, priority, partial matches, each permission, what S and U
 * may do where nothing matches. Locking is in pmp_lock.c. */
#include "vm.h"

enum { R = 1, W = 2, X = 4, TOR = 8, NA4 = 16, NAPOT = 24 };
#define AREA 0x80400000ull

/* Entry 7 stays everything-allowed unless a test says otherwise. */
static u64 cfg;
static void entry(int i, u64 addr, int c) {
  switch (i) {
  case 0: csr_write(pmpaddr0, addr); break;
  case 1: csr_write(pmpaddr1, addr); break;
  case 2: csr_write(pmpaddr2, addr); break;
  case 3: csr_write(pmpaddr3, addr); break;
  case 7: csr_write(pmpaddr7, addr); break;
  default: rt_fail(89);
  }
  cfg = (cfg & ~(255ull << 8 * i)) | (u64)c << 8 * i;
  csr_write(pmpcfg0, cfg);
  sfence();
}
static u64 napot(u64 base, u64 size) { return base >> 2 | (size / 8 - 1); }
/* 1 readable, 2 writable, 4 executable for priv; -1: not an access fault there. */
static int can(int priv, u64 at) {
  int r = 0;
  long c = vm_lwu(priv, at, 0);
  u32 keep = (u32)vm_value;
  if (c == NONE) r |= 1;
  else if (c != LOAD_ACCESS || trap.tval != at) return -1;
  keep = *(volatile u32 *)at;
  c = vm_sb(priv, at, keep & 255);
  if (c == NONE) r |= 2;
  else if (c != STORE_ACCESS || trap.tval != at) return -1;
  *(volatile u32 *)at = 0x00008082; /* c.jr ra; c.illegal */
  fence_i();
  run_pc(priv, at, 0);
  if (!trap.aborted) r |= 4;
  else if (trap.cause != FETCH_ACCESS || trap.tval != at || trap.epc != at) return -1;
  return r;
}

void test_main(void) {
  entry(7, -1ull, NAPOT | R | W | X);
  entry(0, 0, 0);
  EQ(can(S, AREA), 7);
  EQ(can(U, AREA), 7);

  /* Every permission in NAPOT, for S and U alike, never for M. W without R is reserved. */
  for (int p = 0; p < 8; p++) {
    if ((p & (R | W)) == W) continue;
    entry(0, napot(AREA, 4096), NAPOT | p);
    EQ(csr_read(pmpcfg0) & 255, NAPOT | p);
    EQ(can(S, AREA), p);
    EQ(can(U, AREA + 4092), p);
    EQ(vm_lwu(M, AREA, 0), NONE);
    EQ(vm_sb(M, AREA, 0), NONE);
    EQ(can(S, AREA - 4), 7);
    EQ(can(S, AREA + 4096), 7);
  }
  EQ(csr_read(pmpaddr0), napot(AREA, 4096));

  /* NAPOT sizes 8 to 2 MB. */
  for (u64 size = 8; size <= 0x200000; size *= 2) {
    entry(0, napot(AREA, size), NAPOT);
    EQ(can(S, AREA), 0);
    EQ(can(S, AREA + size - 4), 0);
    EQ(can(S, AREA - 4), 7);
    EQ(can(S, AREA + size), 7);
  }
  /* NA4. */
  entry(0, (AREA + 8) >> 2, NA4 | R);
  EQ(can(S, AREA + 4), 7);
  EQ(can(S, AREA + 8), R);
  EQ(can(S, AREA + 12), 7);
  /* TOR from 0 (entry 0), from the entry below, and empty. */
  entry(0, AREA >> 2, 0);
  entry(1, (AREA + 20) >> 2, TOR | R);
  EQ(can(S, AREA - 4), 7);
  EQ(can(S, AREA), R);
  EQ(can(S, AREA + 16), R);
  EQ(can(S, AREA + 20), 7);
  entry(1, AREA >> 2, TOR);
  EQ(can(S, AREA), 7);
  EQ(can(S, AREA - 4), 7);
  entry(0, (AREA + 64) >> 2, 0);
  EQ(can(S, AREA), 7);
  EQ(can(S, AREA + 60), 7);
  entry(1, 0, 0);

  /* The lowest number that matches decides. */
  entry(0, napot(AREA, 64), NAPOT | R);
  entry(1, napot(AREA, 4096), NAPOT);
  EQ(can(S, AREA + 32), R);
  EQ(can(S, AREA + 64), 0);
  entry(2, napot(AREA, 8192), NAPOT | R | W);
  EQ(can(S, AREA + 4096), R | W);
  EQ(can(S, AREA + 64), 0);

  /* An access that an entry matches only in part fails, for M too. */
  entry(1, 0, 0);
  entry(2, 0, 0);
  entry(0, (AREA + 4) >> 2, NA4 | R | W | X);
  EQ(vm_lwu(S, AREA + 4, 0), NONE);
  EQ(vm_ld(S, AREA, 0), LOAD_ACCESS);
  EQ(vm_sd(S, AREA, 0), STORE_ACCESS);
  EQ(vm_ld(M, AREA, 0), LOAD_ACCESS);
  EQ(vm_ld(S, AREA + 8, 0), NONE);
  entry(0, 0, 0);

  /* AMO needs both; LR needs R. */
  entry(0, napot(AREA, 64), NAPOT | R);
  EQ(vm_lr(S, AREA, 0), NONE);
  EQ(vm_amo(S, AREA, 0), STORE_ACCESS);
  EQ(trap.tval, AREA);
  entry(0, napot(AREA, 64), NAPOT | R | W);
  EQ(vm_amo(S, AREA, 0), NONE);
  entry(0, 0, 0);

  /* Where nothing matches S and U may nothing, M everything: only RAM's first 4 MB
   * (where this program is) is open. */
  entry(0, napot(0x80000000, 0x400000), NAPOT | R | W | X);
  entry(7, 0, 0);
  EQ(can(S, AREA), 0);
  EQ(can(U, AREA), 0);
  EQ(can(S, AREA - 4), 7);
  EQ(vm_lwu(M, AREA, 0), NONE);
  entry(7, -1ull, NAPOT | R | W | X);
  EQ(can(S, AREA), 7);

  /* Through paging the physical address counts; the fault names the virtual one. */
  vm_init(3);
  entry(0, napot(AREA + 4096, 4096), NAPOT | R);
  vm_map(0x140000000, AREA, 0, RWX);
  vm_map(0x140001000, AREA + 4096, 0, RWX);
  EQ(vm_sd(S, 0x140000000, 0), NONE);
  EQ(vm_ld(S, 0x140001000, 0), NONE);
  EQ(vm_sd(S, 0x140001008, 0), STORE_ACCESS);
  EQ(trap.tval, 0x140001008);
  run_pc(S, 0x140001000, 0);
  CHECK(trap.aborted && trap.cause == FETCH_ACCESS && trap.tval == 0x140001000);
  vm_off();
  entry(0, 0, 0);

  /* Odd pmpcfg registers are RV32's. */
  EQ(TRY("csrr a5, 0x3a1"), ILLEGAL);
  EQ(TRY("csrr a5, pmpcfg2"), NONE);
  EQ(TRY("csrr a5, pmpaddr15"), NONE);
}
