/* Code that changes: written, fence.i, executed; by stores of each size, in
 * loops, through another mapping, within the running page, and by atomics. */
#include "vm.h"

#define LI(rd, v) ((u32)(v) << 20 | (rd) << 7 | 0x13)
#define RET       0x8082

static long call(volatile void *p) {
  long r;
  register void *t __asm__("t0") = (void *)p;
  __asm__ volatile("jalr ra, t0\n\tmv %0, a0" : "=r"(r), "+r"(t)::"ra", "a0", "a1", "memory");
  return r;
}

static long s_patch(u64 arg) {
  volatile u32 *p = (u32 *)(PAGES + arg);
  long sum = 0;
  for (u32 i = 0; i < 20; i++) {
    p[0] = LI(10, i);
    p[1] = RET;
    fence_i();
    sum += call(p);
  }
  return sum;
}

void test_main(void) {
  volatile u32 *code = (u32 *)PAGES;
  code[0] = LI(10, 1);
  code[1] = RET;
  fence_i();
  EQ(call(code), 1);
  code[0] = LI(10, 2);
  fence_i();
  EQ(call(code), 2);
  for (u32 i = 0; i < 300; i++) {
    code[0] = LI(10, i);
    fence_i();
    EQ(call(code), i);
  }
  /* By byte, halfword, doubleword, AMO and SC. */
  code[0] = LI(10, 0x100);
  fence_i();
  EQ(call(code), 0x100);
  ((volatile u8 *)code)[3] = 0x20;
  fence_i();
  EQ(call(code), 0x200);
  ((volatile u16 *)code)[1] = 0x3330;
  fence_i();
  EQ(call(code), 0x333);
  *(volatile u64 *)code = (u64)RET << 32 | LI(10, 0x444);
  fence_i();
  EQ(call(code), 0x444);
  __asm__ volatile("amoswap.w zero, %0, (%1)" ::"r"(LI(10, 0x555)), "r"(code) : "memory");
  fence_i();
  EQ(call(code), 0x555);
  u64 fail;
  __asm__ volatile("1: lr.w t0, (%2)\n\tsc.w %0, %1, (%2)\n\tbnez %0, 1b"
                   : "=&r"(fail)
                   : "r"(LI(10, 0x666)), "r"(code)
                   : "t0", "memory");
  fence_i();
  EQ(call(code), 0x666);
  /* By an FP store. */
  csr_set(mstatus, MSTATUS_FS);
  __asm__ volatile("fmv.w.x fa0, %0\n\tfsw fa0, (%1)" ::"r"(LI(10, 0x777)), "r"(code) : "memory");
  fence_i();
  EQ(call(code), 0x777);

  /* In the program's own text, beside code that is running. */
  for (u32 i = 1; i < 10; i++) {
    extern volatile u32 patched[];
    patched[0] = (patched[0] & 0xfffff) | i << 20;
    fence_i();
    long r;
    __asm__ volatile("call patched_fn\n\tmv %0, a0" : "=r"(r)::"ra", "a0");
    EQ(r, i);
  }

  /* A store to the instruction two lines further, then fence.i, in straight line. */
  code[0] = LI(10, 5);
  code[1] = 0x00b2a623; /* sw a1, 12(t0) */
  code[2] = 0x0000100f; /* fence.i */
  code[3] = LI(10, 9);  /* what the store replaces */
  code[4] = RET;
  fence_i();
  long r;
  register u64 a1 __asm__("a1") = LI(10, 11);
  register u64 t0 __asm__("t0") = (u64)code;
  __asm__ volatile("jalr ra, t0\n\tmv %0, a0" : "=r"(r), "+r"(t0) : "r"(a1) : "ra", "a0", "memory");
  EQ(r, 11);

  /* Two virtual pages of one physical page: write one, run the other. */
  vm_init(3);
  vm_map(0x140000000, PAGES, 0, RWX);
  code[1] = RET;
  for (u32 i = 0; i < 20; i++) {
    EQ(vm_sd(S, 0x140000000, (u64)RET << 32 | LI(10, i)), NONE);
    fence_i();
    EQ(run_pc(S, PAGES, 0), i);
    EQ(run_pc(S, 0x140000000, 0), i);
  }
  EQ(run_in(S, s_patch, 4096), 190);
  /* One virtual page, two physical pages with different code, without fence.i. */
  *(volatile u64 *)(PAGES + 8192) = (u64)RET << 32 | LI(10, 21);
  *(volatile u64 *)(PAGES + 12288) = (u64)RET << 32 | LI(10, 22);
  fence_i();
  for (int i = 0; i < 10; i++) {
    vm_map(0x140000000, PAGES + 8192, 0, RWX);
    EQ(run_pc(S, 0x140000000, 0), 21);
    vm_map(0x140000000, PAGES + 12288, 0, RWX);
    EQ(run_pc(S, 0x140000000, 0), 22);
  }
  vm_off();

  /* From bare to paged at one address: the code seen changes with the mode. */
  EQ(run_in(S, s_patch, 0), 190);

  /* A page's worth of code, changed in the middle each time. */
  for (int i = 0; i < 1000; i++) code[i] = LI(10, 0) | 10 << 15 | 1 << 20; /* addi a0, a0, 1 */
  code[0] = LI(10, 0);
  code[1000] = RET;
  fence_i();
  EQ(call(code), 999);
  for (u32 i = 1; i < 1000; i += 111) {
    code[i] = LI(10, 0) | 10 << 15 | 2u << 20;
    fence_i();
    EQ(call(code), 1000 + (i - 1) / 111);
  }
}

__asm__(".option push\n\t.option norvc\n\t.balign 8\n\t.globl patched, patched_fn\npatched_fn:\npatched:\n\t"
        "li a0, 0\n\tret\n\t.option pop");
