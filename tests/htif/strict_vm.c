/* Paging as the manual fixes it where QEMU 7.2 does otherwise: Isomer only. */
#define LEVELS 3
#include "vm.h"

static const u64 va = 0x140000000;

void test_main(void) {
  vm_init(LEVELS);

  /* A page table where there is no memory: an access fault of the original
   * kind at the original address (QEMU: a page fault). */
  *vm_pte(va, 1) = HOLE >> 2 | V;
  sfence();
  EQ(vm_ld(S, va, 0), LOAD_ACCESS);
  EQ(trap.tval, va);
  EQ(vm_sd(S, va + 8, 0), STORE_ACCESS);
  EQ(trap.tval, va + 8);
  run_pc(S, va, 0);
  CHECK(trap.aborted && trap.cause == FETCH_ACCESS && trap.tval == va && trap.epc == va);

  /* A D, A or U in a pointer entry is reserved. */
  *vm_pte(va, 1) = 0;
  vm_map(va, PAGES, 0, RWX);
  EQ(vm_rw(S, va), 3);
  static const u64 bits[] = {PU, PA, PD};
  for (int i = 0; i < 3; i++) {
    *vm_pte(va, 1) |= bits[i];
    sfence();
    EQ(vm_rw(S, va), 0);
    *vm_pte(va, 1) &= ~bits[i];
    sfence();
  }
  EQ(vm_rw(S, va), 3);

  /* An AMO without write permission reports a store, also without any. */
  vm_map(va, PAGES, 0, V | PX | PA | PD);
  EQ(vm_amo(S, va, 0), STORE_PAGE);
  EQ(trap.tval, va);
  *vm_pte(va, 0) = 0;
  sfence();
  EQ(vm_amo(S, va, 0), STORE_PAGE);

  /* A PMP denial of the walk is an access fault of the original kind. */
  vm_map(va, PAGES, 0, RWX);
  u64 table = (u64)vm_pte(va, 0) & ~4095ull;
  csr_write(pmpaddr1, -1ull);
  csr_write(pmpaddr0, table >> 2 | 0x1ff);
  csr_write(pmpcfg0, 0x1f00 | 0x18);
  sfence();
  EQ(vm_ld(S, va, 0), LOAD_ACCESS);
  EQ(trap.tval, va);
  EQ(vm_sd(S, va, 0), STORE_ACCESS);
  EQ(trap.tval, va);
  csr_write(pmpcfg0, 0x1f00);
  sfence();
  EQ(vm_rw(S, va), 3);
}
