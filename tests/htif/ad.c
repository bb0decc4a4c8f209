/* Accessed and dirty bits: by hardware, or by a page fault (Svade). The two are
 * the only behaviours allowed; menvcfg.ADUE (bit 61), where it exists, selects. */
#define LEVELS 3
#include "vm.h"

static const u64 va = 0x140000000;
#define ADUE     (1ull << 61)
#define RW_NO_AD (V | PR | PW | PX)

static void put(u64 flags) { vm_map(va, PAGES, 0, flags); }
static u64 ad(void) { return *vm_pte(va, 0) & (PA | PD); }

static void by_hardware(void) {
  put(RW_NO_AD);
  EQ(vm_ld(S, va, 0), NONE);
  EQ(ad(), PA);
  EQ(vm_sd(S, va, 1), NONE);
  EQ(ad(), PA | PD);
  put(RW_NO_AD);
  EQ(vm_sd(S, va, 1), NONE);
  EQ(ad(), PA | PD);
  put(RW_NO_AD);
  EQ(vm_amo(S, va, 1), NONE);
  EQ(ad(), PA | PD);
  put(RW_NO_AD);
  *(volatile u16 *)PAGES = 0x8082;
  fence_i();
  EQ(vm_x(S, va), 1);
  EQ(ad(), PA);
  /* An access that is not allowed sets nothing. */
  put(V | PR);
  EQ(vm_sd(S, va, 1), STORE_PAGE);
  EQ(ad() & PD, 0);
  put(RW_NO_AD | PU);
  EQ(vm_ld(S, va, 0), LOAD_PAGE);
  EQ(ad(), 0);
  /* A load first: D stays clear although the page is cached as writable. */
  put(RW_NO_AD);
  EQ(vm_ld(S, va, 0), NONE);
  EQ(vm_ld(S, va + 8, 0), NONE);
  EQ(ad(), PA);
  EQ(vm_sb(S, va + 9, 0), NONE);
  EQ(ad(), PA | PD);
  /* A superpage's leaf. */
  *vm_pte(va, 1) = vm_leaf(PAGES, RW_NO_AD);
  sfence();
  EQ(vm_sd(S, va + 4096, 1), NONE);
  EQ(*vm_pte(va, 1) & (PA | PD), PA | PD);
  *vm_pte(va, 1) = 0;
  sfence();
}

static void by_fault(void) {
  put(RW_NO_AD);
  EQ(vm_ld(S, va, 0), LOAD_PAGE);
  EQ(trap.tval, va);
  EQ(vm_sd(S, va, 1), STORE_PAGE);
  EQ(vm_amo(S, va, 1), STORE_PAGE);
  EQ(vm_x(S, va), 0);
  EQ(ad(), 0);
  put(RW_NO_AD | PA);
  EQ(vm_ld(S, va, 0), NONE);
  EQ(vm_sd(S, va, 1), STORE_PAGE);
  EQ(trap.tval, va);
  EQ(ad(), PA);
  EQ(vm_ld(S, va, 0), NONE);
  put(RW_NO_AD | PD);
  EQ(vm_sd(S, va, 1), STORE_PAGE);
  EQ(ad(), PD);
  put(RW_NO_AD | PA | PD);
  EQ(vm_rw(S, va), 3);
  *vm_pte(va, 1) = vm_leaf(PAGES, RW_NO_AD | PA);
  sfence();
  EQ(vm_rw(S, va + 4096), 1);
  *vm_pte(va, 1) = 0;
  sfence();
}

/* Which of the two is in force now? */
static int hardware(void) {
  put(RW_NO_AD);
  return vm_ld(S, va, 0) == NONE;
}

void test_main(void) {
  vm_init(LEVELS);
  u64 env = csr_read(0x30a);
  csr_write(0x30a, env | ADUE);
  if (csr_read(0x30a) & ADUE) {
    CHECK(hardware());
    by_hardware();
    csr_write(0x30a, env & ~ADUE);
    sfence();
    CHECK(!hardware());
    by_fault();
  } else if (hardware()) {
    by_hardware();
  } else {
    by_fault();
  }
  vm_off();
}
