/* Several accesses around one address in one straight line: over a page boundary, with the second page missing or not to be
 * written, on a page of code, over the end of the address space, around a fence. All happen, or all up to the one that faults. */
#define LEVELS 3
#include "vm.h"

static const u64 va = 0x140000000;
#define PAGE(n) (PAGES + 4096 * (u64)(n))
enum { ROUNDS = 40 };

/* Neighbours that are not neighbours in memory: page 0 and page 5. */
static volatile u64 *at(u64 a) {
  const u64 page = a >> 12 == va >> 12 || a >> 12 == (u64)-1 >> 12 ? PAGE(0) : PAGE(5);
  return (volatile u64 *)(page + (a & 4095));
}

static long around(u64 p) {
  u64 a, b, c, d;
  __asm__ volatile("ld %1, 0(%4)\n\tld %0, -16(%4)\n\tsd %0, -8(%4)\n\tsd %1, 8(%4)\n\tlbu %2, 16(%4)\n\tfld "
                   "ft0, 16(%4)\n\t"
                   "fsd ft0, 24(%4)\n\tsw %1, 24(%4)\n\tld %3, 8(%4)\n\tsd %4, 32(%4)"
                   : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
                   : "r"(p)
                   : "ft0", "memory");
  return (long)(a + 3 * b + 5 * c + 7 * d);
}
static u64 word(u64 a, u64 round) { return a * 0x9e3779b97f4a7c15 + round; }
static void fill(u64 p, u64 round) {
  for (u64 k = 0; k < 7; k++) *at(p - 16 + 8 * k) = word(p - 16 + 8 * k, round);
}
static u64 sum(u64 p, u64 r) { return word(p - 16, r) + 10 * word(p, r) + 5 * (word(p + 16, r) & 255); }

/* The stores behind the first n of the accesses have happened, and no other. */
static int stored(u64 p, u64 r, int n) {
  const u64 a = word(p - 16, r), b = word(p, r), c = word(p + 16, r);
  return *at(p - 8) == (n > 2 ? a : word(p - 8, r)) && *at(p + 8) == (n > 3 ? b : word(p + 8, r)) &&
         *at(p + 24) == (n > 7   ? (c & ~(u64)0xffffffff) | (u32)b
                         : n > 6 ? c
                                 : word(p + 24, r)) &&
         *at(p + 32) == (n > 9 ? p : word(p + 32, r)) && *at(p - 16) == a && *at(p) == b && *at(p + 16) == c;
}

/* Runs until it is certainly translated; whether it always ended after n accesses, with this cause at this address. */
static int runs(u64 p, int n, long cause, u64 tval) {
  for (u64 r = 0; r < ROUNDS; r++) {
    fill(p, r);
    const u64 got = (u64)run_in(S, around, p);
    if (!stored(p, r, n)) return 0;
    if (n == 10 ? trap.aborted || got != sum(p, r)
                : !trap.aborted || trap.cause != cause || trap.tval != tval)
      return 0;
  }
  return 1;
}

static long remapped(u64 to) {
  static volatile u64 place = va; /* an address that no translator knows */
  u64 a, b, c, *pte = vm_pte(va, 0), leaf = vm_leaf(to, RWX), p = place;
  __asm__ volatile(
      "ld %0, 8(%3)\n\tsd %4, 0(%5)\n\tsfence.vma\n\tld %1, 8(%3)\n\tsd %1, 16(%3)\n\tld %2, 0(%3)"
      : "=&r"(a), "=&r"(b), "=&r"(c)
      : "r"(p), "r"(leaf), "r"(pte)
      : "memory");
  return (long)(a << 32 | b << 16 | c);
}

void test_main(void) {
  vm_init(LEVELS);
  csr_set(mstatus, MSTATUS_FS);
  vm_map(va, PAGE(0), 0, RWX);
  vm_map(va + 4096, PAGE(5), 0, RWX);
  for (u64 k = 0; k < 16; k++) CHECK(runs(va + 4096 - 64 + 8 * k, 10, 0, 0));

  /* The second page goes and comes back, for code that knows it already. */
  const u64 p = va + 4096;
  *vm_pte(p, 0) = 0;
  sfence();
  CHECK(runs(p, 0, LOAD_PAGE, p));
  CHECK(runs(p - 8, 3, STORE_PAGE, p));
  CHECK(runs(p - 16, 4, LOAD_PAGE, p));
  CHECK(runs(p - 32, 9, STORE_PAGE, p));
  CHECK(runs(p - 40, 10, 0, 0));
  vm_map(p, PAGE(5), 0, V | PR | PA | PD);
  CHECK(runs(p, 3, STORE_PAGE, p + 8));
  CHECK(runs(p - 16, 6, STORE_PAGE, p + 8));
  CHECK(runs(p - 40, 10, 0, 0));
  vm_map(p, PAGE(5), 0, RWX);
  CHECK(runs(p - 16, 10, 0, 0));

  /* Within one page that may not be written: reading it first changes nothing of that. */
  vm_map(va, PAGE(0), 0, V | PR | PA | PD);
  CHECK(runs(va + 64, 2, STORE_PAGE, va + 56));
  vm_map(va, PAGE(0), 0, RWX);
  CHECK(runs(va + 64, 10, 0, 0));

  /* Beside instructions, and on them. */
  *(volatile u32 *)(PAGE(0) + 0x100) = 0x00150513; /* addi a0, a0, 1; c.jr ra */
  *(volatile u16 *)(PAGE(0) + 0x104) = 0x8082;
  fence_i();
  for (int k = 0; k < ROUNDS; k++) {
    EQ(run_pc(S, va + 0x100, (u64)k), k + 1);
    CHECK(runs(va + 0x40, 10, 0, 0));
  }
  CHECK(runs(va + 0xf8, 10, 0, 0));
  *(volatile u32 *)(PAGE(0) + 0x100) = 0x00250513;
  *(volatile u16 *)(PAGE(0) + 0x104) = 0x8082;
  fence_i();
  EQ(run_pc(S, va + 0x100, 5), 7);

  /* Over the end of the address space. */
  vm_map(-4096ull, PAGE(0), 0, RWX);
  vm_map(0, PAGE(5), 0, RWX);
  CHECK(runs(0, 10, 0, 0));
  CHECK(runs(-8ull, 10, 0, 0));
  CHECK(runs(-24ull, 10, 0, 0));

  /* A fence between two accesses of one line. */
  for (int k = 0; k < ROUNDS; k++) {
    *(volatile u64 *)(PAGE(0) + 8) = 1, *(volatile u64 *)PAGE(0) = 3;
    *(volatile u64 *)(PAGE(5) + 8) = 2, *(volatile u64 *)PAGE(5) = 4;
    vm_map(va, PAGE(0), 0, RWX);
    EQ(run_in(S, remapped, PAGE(5)), 1ull << 32 | 2 << 16 | 4);
    CHECK(*(volatile u64 *)(PAGE(5) + 16) == 2);
  }
}
