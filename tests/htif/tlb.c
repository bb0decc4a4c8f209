/* sfence.vma in its four forms, ASIDs, global pages, satp switches. Only what
 * must be seen after a fence is tested; nothing may be asked of what is cached. */
#define LEVELS 3
#include "vm.h"

static const u64 va = 0x140000000;

static u64 look(u64 at) { return vm_ld(S, at, 0) == NONE ? vm_value : 0; }

static long s_remap(u64 to) {
  /* S changes a mapping it uses, with a fence of its own. */
  volatile u64 *p = (u64 *)va;
  u64 before = *p;
  *vm_pte(va, 0) = vm_leaf(to, RWX);
  __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
  return (long)(before << 32 | *p);
}

static long s_satp(u64 satp) {
  u64 old = csr_swap(satp, satp);
  __asm__ volatile("sfence.vma" ::: "memory");
  u64 v = *(volatile u64 *)va;
  csr_write(satp, old);
  __asm__ volatile("sfence.vma" ::: "memory");
  return (long)(v << 32 | *(volatile u64 *)va);
}

void test_main(void) {
  volatile u64 *p0 = (u64 *)PAGES, *p1 = (u64 *)(PAGES + 4096), *p2 = (u64 *)(PAGES + 8192);
  *p0 = 100, *p1 = 101, *p2 = 102;
  vm_init(LEVELS);

  /* ASID width: WARL, contiguous from bit 0. */
  vm_satp(vm_root, 0xffff);
  u64 asids = csr_read(satp) >> 44 & 0xffff;
  CHECK((asids & (asids + 1)) == 0);
  vm_satp(vm_root, 0);

  /* Each form of the fence shows a changed leaf. */
  vm_map(va, (u64)p0, 0, RWX);
  vm_map(va + 4096, (u64)p2, 0, RWX);
  EQ(look(va), 100);
  *vm_pte(va, 0) = vm_leaf((u64)p1, RWX);
  __asm__ volatile("sfence.vma" ::: "memory");
  EQ(look(va), 101);
  *vm_pte(va, 0) = vm_leaf((u64)p0, RWX);
  __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
  EQ(look(va), 100);
  *vm_pte(va, 0) = vm_leaf((u64)p1, RWX);
  __asm__ volatile("sfence.vma zero, %0" ::"r"(0x0) : "memory");
  EQ(look(va), 101);
  *vm_pte(va, 0) = vm_leaf((u64)p2, RWX);
  __asm__ volatile("li t0, 0\n\tsfence.vma %0, t0" ::"r"(va) : "t0", "memory");
  EQ(look(va), 102);
  /* An address within the page, not at its start. */
  *vm_pte(va, 0) = vm_leaf((u64)p0, RWX);
  __asm__ volatile("sfence.vma %0, zero" ::"r"(va + 0x7ff) : "memory");
  EQ(look(va), 100);
  EQ(look(va + 4096), 102);

  /* Less permission, then none, then more. */
  EQ(vm_rw(S, va), 3);
  *vm_pte(va, 0) = vm_leaf((u64)p0, V | PR | PA | PD);
  sfence_va(va);
  EQ(vm_rw(S, va), 1);
  *vm_pte(va, 0) = 0;
  sfence_va(va);
  EQ(vm_rw(S, va), 0);
  *vm_pte(va, 0) = vm_leaf((u64)p0, RWX);
  sfence_va(va);
  EQ(vm_rw(S, va), 3);

  /* A superpage in place of a table: a change of a non-leaf entry needs the fence of all addresses. */
  u64 *table_entry = vm_pte(va, 1), table = *table_entry;
  *table_entry = vm_leaf(PAGES, RWX);
  sfence();
  EQ(look(va), 100);
  EQ(look(va + 4096), 101);
  EQ(look(va + 8192), 102);
  /* A superpage's leaf entry changed: one address in it fences all of it. */
  *table_entry = vm_leaf(PAGES, V | PR | PA | PD);
  sfence_va(va + 4096);
  EQ(vm_rw(S, va), 1);
  EQ(vm_rw(S, va + 8192), 1);
  *table_entry = table;
  sfence();
  EQ(look(va + 4096), 102);
  EQ(look(va + 8192), 0);

  /* Many pages: 512 mappings written, changed, each seen. */
  for (u64 i = 0; i < 512; i++) {
    *(volatile u64 *)(PAGES + 0x100000 + 4096 * i) = 1000 + i;
    *vm_pte(va + 0x200000 + 4096 * i, 0) = vm_leaf(PAGES + 0x100000 + 4096 * i, RWX);
  }
  sfence();
  for (u64 i = 0; i < 512; i++) EQ(look(va + 0x200000 + 4096 * i), 1000 + i);
  for (u64 i = 0; i < 512; i++)
    *vm_pte(va + 0x200000 + 4096 * i, 0) = vm_leaf(PAGES + 0x100000 + 4096 * (511 - i), RWX);
  sfence();
  for (u64 i = 0; i < 512; i++) EQ(look(va + 0x200000 + 4096 * i), 1511 - i);

  /* Inside S, changing what is in use. */
  vm_map(va, (u64)p0, 0, RWX);
  EQ(run_in(S, s_remap, (u64)p1), 100ull << 32 | 101);

  /* Address spaces: two roots, two ASIDs, switched without any fence. */
  if (asids >= 2) {
    u64 *root_b = vm_new_root();
    *vm_pte_in(root_b, va, 0) = vm_leaf((u64)p2, RWX);
    vm_map(va, (u64)p1, 0, RWX);
    sfence();
    for (int i = 0; i < 20; i++) {
      vm_satp(vm_root, 1);
      EQ(look(va), 101);
      vm_satp(root_b, 2);
      EQ(look(va), 102);
    }
    /* A fence for one ASID shows that space's change. */
    *vm_pte(va, 0) = vm_leaf((u64)p0, RWX);
    __asm__ volatile("sfence.vma zero, %0" ::"r"(1ull) : "memory");
    vm_satp(vm_root, 1);
    EQ(look(va), 100);
    vm_satp(root_b, 2);
    EQ(look(va), 102);
    *vm_pte_in(root_b, va, 0) = vm_leaf((u64)p1, RWX);
    __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(2ull) : "memory");
    EQ(look(va), 101);
    vm_satp(vm_root, 1);
    EQ(look(va), 100);
    /* One ASID used for another root after a fence. */
    vm_satp(root_b, 1);
    __asm__ volatile("sfence.vma zero, %0" ::"r"(1ull) : "memory");
    EQ(look(va), 101);

    /* A global mapping, the same in both, is found in both; a fence without
     * ASID and one by address reach it. */
    *vm_pte(va + 4096, 0) = vm_leaf((u64)p2, RWX | PG);
    *vm_pte_in(root_b, va + 4096, 0) = vm_leaf((u64)p2, RWX | PG);
    sfence();
    for (int i = 0; i < 4; i++) {
      vm_satp(vm_root, 1);
      EQ(look(va + 4096), 102);
      vm_satp(root_b, 2);
      EQ(look(va + 4096), 102);
    }
    *vm_pte(va + 4096, 0) = vm_leaf((u64)p0, RWX | PG);
    *vm_pte_in(root_b, va + 4096, 0) = vm_leaf((u64)p0, RWX | PG);
    __asm__ volatile("sfence.vma %0, zero" ::"r"(va + 4096) : "memory");
    vm_satp(vm_root, 1);
    EQ(look(va + 4096), 100);
    vm_satp(root_b, 2);
    EQ(look(va + 4096), 100);

    /* S switches its own satp and back. */
    vm_map(va, (u64)p0, 0, RWX);
    vm_satp(vm_root, 1);
    sfence();
    EQ(run_in(S, s_satp, MODE(3) | 2ull << 44 | (u64)root_b >> 12), 101ull << 32 | 100);
  }

  /* Sv39 to bare to Sv48 with one fence each. */
  vm_off();
  u64 *page = (u64 *)PAGES;
  EQ(vm_ld(S, PAGES, 0), NONE);
  EQ(vm_value, *page);
  vm_init(4);
  vm_map(va, (u64)p2, 0, RWX);
  EQ(look(va), 102);
  vm_off();
}
