/* Zicboz and Zicbom: cbo.zero's block, gating by menvcfg and senvcfg, faults. */
#include "vm.h"

#define CBO(op) ".insn i 0x0f, 2, x0, %0, " #op /* inval 0, clean 1, flush 2, zero 4 */
#define CBZE    (1ull << 7)
#define CBCFE   (1ull << 6)
#define CBIE    (3ull << 4)

static u8 area[1024] __attribute__((aligned(1024)));

static long zero(u64 p) { return TRY(CBO(4), "r"(p)); }
static long inval(u64 p) { return TRY(CBO(0), "r"(p)); }
static long clean(u64 p) { return TRY(CBO(1), "r"(p)); }
static long flush(u64 p) { return TRY(CBO(2), "r"(p)); }

void test_main(void) {
  /* The block: a power of two, aligned, all zero, nothing beside it. */
  for (int i = 0; i < 1024; i++) area[i] = 0xa5;
  EQ(zero((u64)area + 512 + 13), NONE);
  int lo = 0, hi = 1024;
  while (lo < 1024 && area[lo]) lo++;
  while (hi > 0 && area[hi - 1]) hi--;
  int size = hi - lo;
  CHECK(size >= 4 && size <= 512 && (size & (size - 1)) == 0 && lo % size == 0);
  CHECK(lo <= 512 + 13 && 512 + 13 < hi);
  for (int i = lo; i < hi; i++) CHECK(area[i] == 0);
  EQ(size, 64);
  EQ(clean((u64)area), NONE);
  EQ(flush((u64)area + 5), NONE);
  EQ(inval((u64)area + 5), NONE);
  CHECK(area[0] == 0xa5 && area[lo] == 0);

  /* S needs menvcfg, U also senvcfg. */
  static const struct {
    long (*fn)(u64);
    u64 bit;
  } ops[] = {{zero, CBZE}, {clean, CBCFE}, {flush, CBCFE}, {inval, CBIE}};
  csr_write(0x30a, -1ull);
  EQ(csr_read(0x30a) & (CBZE | CBCFE | CBIE), CBZE | CBCFE | CBIE);
  csr_write(0x10a, -1ull);
  EQ(csr_read(0x10a) & (CBZE | CBCFE | CBIE), CBZE | CBCFE | CBIE);
  for (int i = 0; i < 4; i++)
    for (int m = 0; m < 2; m++)
      for (int s = 0; s < 2; s++) {
        csr_write(0x30a, m ? ops[i].bit : (CBZE | CBCFE | CBIE) & ~ops[i].bit);
        csr_write(0x10a, s ? ops[i].bit : (CBZE | CBCFE | CBIE) & ~ops[i].bit);
        EQ(run_in(S, ops[i].fn, (u64)area), m ? NONE : ILLEGAL);
        EQ(run_in(U, ops[i].fn, (u64)area), m && s ? NONE : ILLEGAL);
        EQ(ops[i].fn((u64)area), NONE);
      }
  csr_write(0x30a, CBZE | CBCFE | CBIE);
  csr_write(0x10a, CBZE | CBCFE | CBIE);

  /* Faults are a store's, at the address given. */
  EQ(zero(HOLE + 5), STORE_ACCESS);
  EQ(trap.tval & ~63ull, HOLE); /* the address given, or its block */
  vm_init(3);
  const u64 va = 0x140000000;
  vm_map(va, PAGES, 0, V | PR | PA | PD);
  EQ(run_in(S, zero, va + 100), STORE_PAGE);
  EQ(trap.tval & ~63ull, va + 64);
  EQ(run_in(S, clean, va), NONE); /* any permission will do for management */
  *vm_pte(va, 0) = 0;
  sfence();
  EQ(run_in(S, clean, va), STORE_PAGE);
  EQ(run_in(S, flush, va + 8), STORE_PAGE);
  EQ(trap.tval & ~63ull, va);
  vm_map(va, PAGES, 0, RWX);
  *(volatile u64 *)PAGES = 77;
  EQ(run_in(S, zero, va), NONE);
  EQ(*(volatile u64 *)PAGES, 0);
  vm_off();
  /* Code zeroed by it is gone after fence.i. */
  *(volatile u16 *)PAGES = 0x8082;
  fence_i();
  EQ(run_pc(M, PAGES, 3), 3);
  EQ(zero(PAGES), NONE);
  fence_i();
  run_pc(M, PAGES, 3);
  CHECK(trap.aborted && trap.cause == ILLEGAL && trap.epc == PAGES);
}
