/* Accesses and instructions that cross a page: both pages are checked, what
 * faults reports the part that faulted, and a store then changes nothing. */
#define LEVELS 3
#include "vm.h"

static const u64 va = 0x140000000;
#define P(n) ((volatile u8 *)(PAGES + 4096 * (n)))

void test_main(void) {
  vm_init(LEVELS);
  /* Two virtual neighbours on pages that are not: 0 and 5. */
  vm_map(va, (u64)P(0), 0, RWX);
  vm_map(va + 4096, (u64)P(5), 0, RWX);
  for (int i = 0; i < 16; i++) {
    P(0)[4080 + i] = (u8)(0xa0 + i);
    P(1)[i] = 0xee;
    P(5)[i] = (u8)(0xb0 + i);
  }
  for (int k = 1; k < 8; k++) {
    EQ(vm_ld(S, va + 4096 - (u64)k, 0), NONE);
    u64 want = 0;
    for (int i = 0; i < 8; i++) want |= (u64)(i < k ? 0xb0 - k + i : 0xb0 + i - k) << 8 * i;
    EQ(vm_value, want);
  }
  EQ(vm_lwu(S, va + 4094, 0), NONE);
  EQ(vm_value, 0xb1b0afae);
  EQ(vm_sd(S, va + 4093, 0x1122334455667788), NONE);
  CHECK(P(0)[4093] == 0x88 && P(0)[4094] == 0x77 && P(0)[4095] == 0x66);
  CHECK(P(5)[0] == 0x55 && P(5)[4] == 0x11 && P(5)[5] == 0xb5 && P(0)[4092] == 0xac && P(1)[0] == 0xee);

  /* The second page missing, or without permission. */
  *vm_pte(va + 4096, 0) = 0;
  sfence();
  EQ(vm_ld(S, va + 4092, 0), LOAD_PAGE);
  EQ(trap.tval, va + 4096);
  EQ(vm_sd(S, va + 4092, -1ull), STORE_PAGE);
  EQ(trap.tval, va + 4096);
  EQ(P(0)[4092], 0xac);
  EQ(P(0)[4093], 0x88);
  vm_map(va + 4096, (u64)P(5), 0, V | PR | PA | PD);
  EQ(vm_ld(S, va + 4092, 0), NONE);
  EQ(vm_sd(S, va + 4092, -1ull), STORE_PAGE);
  EQ(trap.tval, va + 4096);
  EQ(P(0)[4092], 0xac);
  vm_map(va + 4096, (u64)P(5), 0, RWX | PU);
  EQ(vm_ld(S, va + 4092, 0), LOAD_PAGE);
  EQ(trap.tval, va + 4096);

  /* The first page missing: nothing of the second changes. */
  vm_map(va + 4096, (u64)P(5), 0, RWX);
  *vm_pte(va, 0) = 0;
  sfence();
  EQ(vm_ld(S, va + 4092, 0), LOAD_PAGE);
  EQ(trap.tval, va + 4092);
  EQ(vm_sd(S, va + 4091, -1ull), STORE_PAGE);
  EQ(trap.tval, va + 4091);
  EQ(P(5)[0], 0x55);
  *vm_pte(va + 4096, 0) = 0;
  sfence();
  EQ(vm_ld(S, va + 4092, 0), LOAD_PAGE);
  EQ(trap.tval, va + 4092);

  /* An aligned access at the end of a page does not touch the next. */
  vm_map(va, (u64)P(0), 0, RWX);
  EQ(vm_ld(S, va + 4088, 0), NONE);
  EQ(vm_lwu(S, va + 4092, 0), NONE);
  EQ(vm_sb(S, va + 4095, 1), NONE);

  /* A four-byte instruction over the boundary: li a0, 0x123; then c.jr ra. */
  vm_map(va + 4096, (u64)P(5), 0, RWX);
  u32 li = 0x12300513;
  *(volatile u16 *)(P(0) + 4094) = (u16)li;
  *(volatile u16 *)(P(5)) = (u16)(li >> 16);
  *(volatile u16 *)(P(5) + 2) = 0x8082;
  fence_i();
  EQ(run_pc(S, va + 4094, 0), 0x123);
  /* The second half's page missing, not executable, or U. */
  *vm_pte(va + 4096, 0) = 0;
  sfence();
  run_pc(S, va + 4094, 0);
  CHECK(trap.aborted && trap.cause == FETCH_PAGE);
  EQ(trap.epc, va + 4094);
  EQ(trap.tval, va + 4096);
  vm_map(va + 4096, (u64)P(5), 0, V | PR | PW | PA | PD);
  run_pc(S, va + 4094, 0);
  CHECK(trap.aborted && trap.cause == FETCH_PAGE && trap.epc == va + 4094 && trap.tval == va + 4096);
  vm_map(va + 4096, (u64)P(5), 0, RWX | PU);
  run_pc(S, va + 4094, 0);
  CHECK(trap.aborted && trap.cause == FETCH_PAGE && trap.epc == va + 4094 && trap.tval == va + 4096);
  /* The second half on another page of memory than before. */
  *(volatile u16 *)P(6) = (u16)(0x45600513 >> 16);
  *(volatile u16 *)(P(6) + 2) = 0x8082;
  vm_map(va + 4096, (u64)P(6), 0, RWX);
  fence_i();
  EQ(run_pc(S, va + 4094, 0), 0x456);
  vm_map(va + 4096, (u64)P(5), 0, RWX);
  EQ(run_pc(S, va + 4094, 0), 0x123);
  /* And rewritten in place. */
  *(volatile u16 *)P(5) = (u16)(0x78900513 >> 16);
  fence_i();
  EQ(run_pc(S, va + 4094, 0), 0x789);
  /* A two-byte instruction at the end needs only its own page. */
  *(volatile u16 *)(P(0) + 4094) = 0x8082;
  fence_i();
  *vm_pte(va + 4096, 0) = 0;
  sfence();
  EQ(run_pc(S, va + 4094, 77), 77);
  /* Falling through into a missing page: the fault is the next instruction's. */
  *(volatile u16 *)(P(0) + 4094) = 0x0001; /* c.nop */
  fence_i();
  run_pc(S, va + 4094, 0);
  CHECK(trap.aborted && trap.cause == FETCH_PAGE && trap.epc == va + 4096 && trap.tval == va + 4096);
  vm_off();
}
