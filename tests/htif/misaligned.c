/* Misaligned loads and stores of all sizes are done, within a page and a line, and across pages,
 * in every privilege; byte order; sign extension. */
#include "vm.h"

static u8 room[8192] __attribute__((aligned(4096)));
static u64 start;
#define buf (room + start) /* the program runs at two addresses */

static void fill(void) {
  for (int i = 0; i < 256; i++) buf[i] = (u8)(i * 7 + 129);
}
static u64 expect(u64 at, int n) {
  u64 v = 0;
  for (int i = 0; i < n; i++) v |= (u64)buf[at + (u64)i] << 8 * i;
  return v;
}

static long work(u64 arg) {
  for (u64 at = 56; at < 136; at++) {
    const u8 *p = &buf[at];
    u64 h, hu, w, wu, d;
    __asm__ volatile("lh %0, (%1)" : "=r"(h) : "r"(p) : "memory");
    __asm__ volatile("lhu %0, (%1)" : "=r"(hu) : "r"(p) : "memory");
    __asm__ volatile("lw %0, (%1)" : "=r"(w) : "r"(p) : "memory");
    __asm__ volatile("lwu %0, (%1)" : "=r"(wu) : "r"(p) : "memory");
    __asm__ volatile("ld %0, (%1)" : "=r"(d) : "r"(p) : "memory");
    if (hu != expect(at, 2) || h != (u64)(int16_t)hu) return -1;
    if (wu != expect(at, 4) || w != (u64)(int32_t)wu) return -2;
    if (d != expect(at, 8)) return -3;
  }
  for (u64 at = 57; at < 130; at += 5) {
    u8 *p = &buf[at];
    u8 before = p[-1], after = p[8], six = p[6];
    __asm__ volatile("sd %0, (%1)" ::"r"(0x8877665544332211), "r"(p) : "memory");
    if (expect(at, 8) != 0x8877665544332211 || p[-1] != before || p[8] != after) return -4;
    __asm__ volatile("sw %0, 1(%1)" ::"r"(0xffffffffddccbbaa), "r"(p) : "memory");
    if (expect(at, 8) != 0x887766ddccbbaa11) return -5;
    __asm__ volatile("sh %0, 3(%1)" ::"r"(0xffff0123), "r"(p) : "memory");
    if (expect(at, 8) != 0x8877660123bbaa11) return -6;
    (void)six;
  }
  return (long)arg;
}

/* A program whose data lies across a page all the time. */
static u64 many(u8 *p) {
  u64 sum = 0;
  for (u64 i = 0; i < 20000; i++) {
    u64 h, w, wu, d;
    __asm__ volatile("sd %4, -3(%5)\n\tlh %0, -1(%5)\n\tlw %1, -1(%5)\n\tlwu %2, -3(%5)\n\tld %3, -7(%5)"
                     : "=&r"(h), "=&r"(w), "=&r"(wu), "=&r"(d)
                     : "r"(i * 0x9e3779b97f4a7c15), "r"(p)
                     : "memory");
    if (w != (u64)(int32_t)expect(p - buf - 1, 4)) return 0;
    sum = sum * 5 + (h ^ w ^ wu ^ d);
  }
  return sum;
}

static void everywhere(void) {
  fill();
  EQ(work(1), 1);
  fill();
  EQ(run_in(S, work, 2), 2);
  fill();
  EQ(run_in(U, work, 3), 3);
  vm_init(3);
  fill();
  EQ(run_in(S, work, 4), 4);
  fill();
  EQ(run_in(U, work, 5), 5);
  vm_off();
  /* FP loads and stores too. */
  csr_set(mstatus, MSTATUS_FS);
  fill();
  u64 v;
  __asm__ volatile("fld fa0, 3(%1)\n\tfmv.x.d %0, fa0" : "=r"(v) : "r"(buf) : "memory");
  EQ(v, expect(3, 8));
  __asm__ volatile("flw fa0, 61(%1)\n\tfmv.x.d %0, fa0" : "=r"(v) : "r"(buf) : "memory");
  EQ(v, 0xffffffff00000000 | expect(61, 4));
  __asm__ volatile("fsd fa0, 13(%0)" ::"r"(buf) : "memory");
  EQ(expect(13, 8), v);
  __asm__ volatile("fmv.d.x fa0, %1\n\tfsw fa0, 62(%0)" ::"r"(buf), "r"(0x1111222233334444) : "memory");
  EQ(expect(62, 4), 0x33334444);
}

void test_main(void) {
  start = 0;
  everywhere();
  start = 4096 - 64; /* of what is read and written at 57 to 67, nearly all crosses */
  everywhere();
  start = 4096 - 96;
  everywhere();
  start = 0;
  fill();
  const u64 inside = many(room + 128);
  start = 4096 - 128;
  fill();
  EQ(many(room + 4096), inside);
}
