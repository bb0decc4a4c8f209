/* A bare program for arm64's `virt` machine, QEMU's or ours: accesses of every size across two pages that are no neighbours in
 * memory, blocks of zeros where data, code and nothing may be written. It prints what it counted, or the line of the first
 * check that fails. Starts by arm64.S. */
#include <stdint.h>

#define UART  ((volatile uint32_t *)0x9000000)
#define VA    0x80000000ul /* where pages are mapped */
#define PAGE  4096ul
#define PAGES 8
#define ISB() asm volatile("isb" ::: "memory")
#define SYS_GET(reg)                                   \
  ({                                                   \
    uint64_t v_;                                       \
    asm volatile("mrs %0, " reg : "=r"(v_)::"memory"); \
    v_;                                                \
  })
#define SYS_SET(reg, x) asm volatile("msr " reg ", %0" ::"r"((uint64_t)(x)) : "memory")
#define CHECK(x)        ((x) ? (void)0 : fail(__LINE__))

struct frame {
  uint64_t x[18], x18, x30, elr, spsr;
};
void trapped(struct frame *f, uint64_t kind);
int main(void);

static uint64_t l1[512] __attribute__((aligned(4096))), l2[512] __attribute__((aligned(4096)));
static uint64_t l3[512] __attribute__((aligned(4096)));
static uint8_t page[PAGES][PAGE] __attribute__((aligned(4096)));
static volatile uint64_t aborts, undefined, last_far;
volatile uint64_t tohost __attribute__((aligned(8)));

static void put(char c) { *UART = (uint32_t)c; }
static void say(const char *name, uint64_t n) {
  char digits[21], *p = digits + 20;
  *p = 0;
  do *--p = (char)('0' + n % 10);
  while (n /= 10);
  while (*name) put(*name++);
  put(' ');
  while (*p) put(*p++);
  put('\n');
}
static void off(unsigned code) {
  tohost = code << 1 | 1;
  register uint64_t x0 asm("x0") = 0x84000008; /* PSCI SYSTEM_OFF, where there is no HTIF */
  asm volatile("hvc #0" : "+r"(x0));
  for (;;) {}
}
static void fail(int line) {
  say("failed at line", (uint64_t)line);
  off(1);
}

enum { VALID = 1, PTE = 3, READ_ONLY = 1 << 7, SHARED = 3 << 8, AF = 1 << 10 };
#define UXN (1ul << 54)
#define PXN (1ul << 53)

static void map(unsigned i, const void *to, uint64_t flags) {
  l3[i] = to ? (uint64_t)to | PTE | SHARED | AF | flags : 0;
  asm volatile("dsb ishst\n tlbi vaae1is, %0\n dsb ish\n isb" ::"r"((VA >> 12) + i) : "memory");
}
static void translate(void) {
  l1[0] = 0 | VALID | AF | 1 << 2 | UXN | PXN;    /* devices */
  l1[1] = 0x40000000 | VALID | AF | SHARED | UXN; /* RAM */
  l1[2] = (uint64_t)l2 | PTE;
  l2[0] = (uint64_t)l3 | PTE;
  SYS_SET("mair_el1", 0x00ff);
  SYS_SET("tcr_el1", 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ul << 23 | 1ul << 32);
  SYS_SET("ttbr0_el1", l1);
  ISB();
  SYS_SET("sctlr_el1", SYS_GET("sctlr_el1") | 1 | 1 << 2 | 1 << 12);
  ISB();
}

void trapped(struct frame *f, uint64_t kind) {
  CHECK(kind % 4 == 0);
  switch (SYS_GET("esr_el1") >> 26) {
  case 0x25:
    aborts++;
    last_far = SYS_GET("far_el1");
    f->elr += 4;
    return;
  case 0:
    undefined++;
    f->x[0] = 77;
    f->elr = f->x30;
    return;
  default: say("exception", SYS_GET("esr_el1")), fail(__LINE__);
  }
}

/* ---- across pages ---- */

static uint8_t *const left = page[0] + PAGE - 64, *const right = page[5];
static uint8_t byte(int at) { return at < 0 ? left[64 + at] : right[at]; } /* of VA + PAGE + at */
static uint64_t bytes(int at, unsigned n) {
  uint64_t v = 0;
  for (unsigned i = 0; i < n; i++) v |= (uint64_t)byte(at + (int)i) << 8 * i;
  return v;
}
static void paint(unsigned seed) {
  for (unsigned i = 0; i < 64; i++)
    left[i] = (uint8_t)(i * 7 + seed), right[i] = (uint8_t)(i * 11 + 3 * seed);
}

static uint64_t loads(int at) {
  const uint64_t p = VA + PAGE + (uint64_t)at;
  uint64_t x, w, h, sh, sw, sx, low, high, d, s, q2;
  asm volatile("ldr %0, [%4]\n ldr %w1, [%4]\n ldrh %w2, [%4]\n ldrsh %w3, [%4]"
               : "=&r"(x), "=&r"(w), "=&r"(h), "=&r"(sh)
               : "r"(p));
  asm volatile("ldrsw %0, [%2]\n ldrsh %1, [%2]" : "=&r"(sw), "=&r"(sx) : "r"(p));
  asm volatile("ldr q0, [%2]\n fmov %0, d0\n fmov %1, v0.d[1]" : "=&r"(low), "=&r"(high) : "r"(p));
  asm volatile("ldr q0, [%2]\n ldr d0, [%2]\n fmov %0, d0\n fmov %1, v0.d[1]\n cbz %1, 1f\n mov %0, #0\n 1: "
               "ldr q0, [%2]\n ldr s0, [%2]\n fmov %1, d0"
               : "=&r"(d), "=&r"(s)
               : "r"(p));
  asm volatile("ldp q0, q1, [%1]\n fmov %0, v1.d[1]" : "=&r"(q2) : "r"(p));
  CHECK(x == bytes(at, 8) && w == bytes(at, 4) && h == bytes(at, 2));
  CHECK(sh == (uint32_t)(int16_t)h && sx == (uint64_t)(int16_t)h && sw == (uint64_t)(int32_t)w);
  CHECK(low == x && high == bytes(at + 8, 8) && d == x && s == w && q2 == bytes(at + 24, 8));
  return x + w * 3 + h * 5 + high * 7;
}

static void stores(int at, uint64_t v) {
  const uint64_t p = VA + PAGE + (uint64_t)at;
  asm volatile("fmov d0, %0\n fmov v0.d[1], %1\n str q0, [%2]" ::"r"(v), "r"(~v), "r"(p) : "memory");
  CHECK(bytes(at, 8) == v && bytes(at + 8, 8) == ~v);
  asm volatile("str %0, [%1, #1]" ::"r"(v * 3), "r"(p) : "memory");
  CHECK(bytes(at + 1, 8) == v * 3 && byte(at) == (uint8_t)v);
  asm volatile("str %w0, [%1]\n strh %w2, [%1, #1]" ::"r"(v * 5), "r"(p), "r"(v * 7) : "memory");
  CHECK((bytes(at, 4) & 0xff0000ff) == (v * 5 & 0xff0000ff) && bytes(at + 1, 2) == (v * 7 & 0xffff));
  asm volatile("fmov d0, %0\n str d0, [%1]\n str s0, [%1, #9]" ::"r"(v * 9), "r"(p) : "memory");
  CHECK(bytes(at, 8) == v * 9 && bytes(at + 9, 4) == (v * 9 & 0xffffffff));
  asm volatile("fmov d0, %0\n fmov d1, %1\n stp q0, q1, [%2]" ::"r"(v * 11), "r"(v * 13), "r"(p) : "memory");
  CHECK(bytes(at, 8) == v * 11 && !bytes(at + 8, 8) && bytes(at + 16, 8) == v * 13 && !bytes(at + 24, 8));
}

static void across(void) {
  uint64_t sum = 0;
  map(0, page[0], PXN), map(1, page[5], PXN);
  for (unsigned n = 0; n < 60; n++)
    for (int at = -33; at < 3; at++) {
      paint(n);
      sum = sum * 3 + loads(at);
      stores(at, sum * 0x9e3779b97f4a7c15);
    }
  say("across", sum);
  const uint64_t p = VA + PAGE - 5;
  for (unsigned n = 0; n < 60; n++) { /* one of the two cannot be written: nothing changes */
    const unsigned which = n & 1;
    paint(n);
    map(which, which ? right : page[0], PXN | READ_ONLY);
    const uint64_t before[2] = {bytes(-5, 8), bytes(3, 8)};
    asm volatile("fmov d0, %0\n fmov v0.d[1], %0\n str q0, [%1]" ::"r"(~before[0]), "r"(p) : "memory");
    CHECK(last_far == (which ? VA + PAGE : p) && aborts == 3 * n + 1);
    asm volatile("str %0, [%1]" ::"r"(~before[0]), "r"(p) : "memory");
    CHECK(last_far == (which ? VA + PAGE : p) && aborts == 3 * n + 2);
    asm volatile("stp q0, q0, [%0]" ::"r"(p) : "memory");
    CHECK(last_far == (which ? VA + PAGE : p) && aborts == 3 * n + 3);
    CHECK(bytes(-5, 8) == before[0] && bytes(3, 8) == before[1]);
    CHECK(loads(-5));
    map(which, which ? right : page[0], PXN);
  }
  say("aborts", aborts);
}

/* ---- blocks of zeros ---- */

static void zero(uint64_t at) { asm volatile("dc zva, %0" ::"r"(at) : "memory"); }
static void function(uint32_t *p, unsigned n) { /* mov w0, #n; ret */
  p[0] = 0x52800000 | n << 5;
  p[1] = 0xd65f03c0;
}
static void sync_code(const void *at) {
  asm volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(at) : "memory");
}

static void zeros(void) {
  uint64_t sum = 0, before;
  map(2, page[2], PXN);
  for (unsigned n = 0; n < 300; n++) { /* whole pages, as kernels do it, and one block */
    for (unsigned i = 0; i < PAGE; i += 8) *(uint64_t *)(page[2] + i) = ~0ul;
    if (n % 3) {
      for (uint64_t at = 0; at < PAGE; at += 64) zero(VA + 2 * PAGE + at);
    } else {
      zero(VA + 2 * PAGE + n * 13 % PAGE);
    }
    unsigned clear = 0;
    for (unsigned i = 0; i < PAGE; i += 8) clear += !*(uint64_t *)(page[2] + i);
    CHECK(clear == (n % 3 ? 512 : 8) && !page[2][n % 3 ? 0 : n * 13 % PAGE & ~63u]);
    sum += clear;
  }
  say("zeros", sum);
  before = aborts;
  for (unsigned n = 0; n < 200; n++) {
    page[2][64] = 1;
    map(2, n & 1 ? page[2] : 0, PXN | READ_ONLY);
    zero(VA + 2 * PAGE + 64);
    CHECK(aborts == before + n + 1 && last_far == VA + 2 * PAGE + 64 && page[2][64] == 1);
  }
  map(3, page[3], UXN);
  for (unsigned n = 0; n < 200; n++) { /* what is executed becomes zeros, which are no instruction */
    uint32_t *const at = (uint32_t *)(page[3] + n % 4 * 64);
    unsigned (*const run)(void) = (unsigned (*)(void))(VA + 3 * PAGE + n % 4 * 64);
    function(at, n);
    sync_code(at);
    CHECK(run() == n && run() == n && undefined == n);
    zero((uint64_t)at + n % 64);
    sync_code(at);
    CHECK(run() == 77 && undefined == n + 1);
  }
  say("undefined", undefined);
}

int main(void) {
  translate();
  across();
  zeros();
  say("fine", 0);
  off(0);
  return 0;
}
