/* Page tables for the paging programs: Sv39 (3 levels) and Sv48 (4 levels).
 *
 * vm_init maps RAM's first gigabyte at its own address for S, and again at
 * ALIAS for U, so that the same code runs in both. Data is probed from M with
 * MPRV, execution with run_pc. */
#ifndef VM_H
#define VM_H

#include "htif.h"

enum { V = 1, PR = 2, PW = 4, PX = 8, PU = 16, PG = 32, PA = 64, PD = 128 };
#define RWX          (V | PR | PW | PX | PA | PD)
#define ALIAS        0xc0000000ull /* where U sees 0x80000000 */
#define PAGES        0x80400000ull /* physical pages for tests: 16 MB from here */
#define MODE(levels) ((u64)((levels) + 5) << 60)

static u64 vm_pool[64][512] __attribute__((aligned(4096)));
static int vm_used, vm_levels;
static u64 *vm_root;

static inline u64 *vm_table(void) {
  u64 *t = vm_pool[vm_used++];
  if (vm_used > 64) rt_fail(89);
  for (int i = 0; i < 512; i++) t[i] = 0;
  return t;
}

/* The entry of va at a level (0 = 4 KB), making tables on the way from root. */
static inline u64 *vm_pte_in(u64 *root, u64 va, int level) {
  u64 *t = root;
  for (int l = vm_levels - 1;; l--) {
    u64 *e = &t[va >> (12 + 9 * l) & 511];
    if (l == level) return e;
    if (!(*e & V)) *e = (u64)vm_table() >> 2 | V;
    t = (u64 *)((*e >> 10 & 0xfffffffffff) << 12);
  }
}
static inline u64 *vm_pte(u64 va, int level) { return vm_pte_in(vm_root, va, level); }
static inline u64 vm_leaf(u64 pa, u64 flags) { return pa >> 2 | flags; }

static inline void sfence(void) { __asm__ volatile("sfence.vma" ::: "memory"); }
static inline void sfence_va(u64 va) { __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory"); }

static inline void vm_map(u64 va, u64 pa, int level, u64 flags) {
  *vm_pte(va, level) = vm_leaf(pa, flags);
  sfence();
}

static inline u64 *vm_new_root(void) {
  u64 *root = vm_table();
  *vm_pte_in(root, 0x80000000, 2) = vm_leaf(0x80000000, RWX);
  *vm_pte_in(root, ALIAS, 2) = vm_leaf(0x80000000, RWX | PU);
  return root;
}
static inline void vm_satp(u64 *root, u64 asid) {
  csr_write(satp, MODE(vm_levels) | asid << 44 | (u64)root >> 12);
}
static inline void vm_init(int levels) {
  vm_levels = levels;
  vm_used = 0;
  vm_root = vm_new_root();
  vm_satp(vm_root, 0);
  sfence();
  user_alias = ALIAS - 0x80000000;
}
static inline void vm_off(void) {
  csr_write(satp, 0);
  sfence();
  user_alias = 0;
}

/* Data access as priv: NONE or the cause. Loads leave the value in vm_value. */
static u64 vm_value;
#define VM_ACCESS(name, code)                                                                           \
  static inline long name(int priv, u64 va, u64 v) {                                                    \
    set_mpp(priv);                                                                                      \
    trap.cause = NONE;                                                                                  \
    __asm__ volatile(".option push\n\t.option norvc\n\tlla t5, 99f\n\tli t6, 0x7e57\n\t"                \
                     "csrs mstatus, %1\n\t" code "\n99:\n\tcsrc mstatus, %1\n\tli t6, 0\n\t.option pop" \
                     : "+&r"(v)                                                                         \
                     : "r"(MSTATUS_MPRV), "r"(va)                                                       \
                     : "t5", "t6", "a5", "memory");                                                     \
    vm_value = v;                                                                                       \
    return trap.cause;                                                                                  \
  }
VM_ACCESS(vm_ld, "ld %0, (%2)")
VM_ACCESS(vm_lbu, "lbu %0, (%2)")
VM_ACCESS(vm_lwu, "lwu %0, (%2)")
VM_ACCESS(vm_sd, "sd %0, (%2)")
VM_ACCESS(vm_sb, "sb %0, (%2)")
VM_ACCESS(vm_amo, "amoadd.d %0, %0, (%2)")
VM_ACCESS(vm_lr, "lr.d %0, (%2)")
VM_ACCESS(vm_scd, "sc.d %0, %0, (%2)")

/* The data outcome as a word: bit 0 readable, bit 1 writable; -1 if a fault was
 * not the page fault it should be. */
static inline int vm_rw(int priv, u64 va) {
  int r = 0;
  long c = vm_ld(priv, va, 0);
  if (c == NONE) r |= 1;
  else if (c != LOAD_PAGE || trap.tval != va) return -1;
  u64 keep = vm_value;
  c = vm_sd(priv, va, keep);
  if (c == NONE) r |= 2;
  else if (c != STORE_PAGE || trap.tval != va) return -1;
  return r;
}

/* Is va executable in priv? The physical page must hold c.jr ra there. */
static inline int vm_x(int priv, u64 va) {
  run_pc(priv, va, 5);
  if (!trap.aborted) return 1;
  return trap.cause == FETCH_PAGE && trap.epc == va && trap.tval == va ? 0 : -1;
}

#pragma GCC diagnostic ignored "-Wunused-function"

#endif
