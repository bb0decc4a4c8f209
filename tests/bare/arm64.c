/* A bare program for arm64's `virt` machine, QEMU's or ours: translation, code that moves and changes, interrupts, EL0, faults,
 * exclusives. It prints what it counted, which is the same everywhere, or the line of the first check that fails. */
#include <stdint.h>

#define UART  ((volatile uint32_t *)0x9000000)
#define GICD  0x8000000u
#define GICR  0x80a0000u
#define CODE  0x80000000ul /* pages that are mapped here and there */
#define USER  0x80400000ul
#define PAGE  4096ul
#define PAGES 16

#define SYS_GET(reg)                                   \
  ({                                                   \
    uint64_t v_;                                       \
    asm volatile("mrs %0, " reg : "=r"(v_)::"memory"); \
    v_;                                                \
  })
#define SYS_SET(reg, x) asm volatile("msr " reg ", %0" ::"r"((uint64_t)(x)) : "memory")
#define ISB()           asm volatile("isb" ::: "memory")
#define CHECK(x)        ((x) ? (void)0 : fail(__LINE__))

struct frame {
  uint64_t x[18], x18, x30, elr, spsr;
};
extern uint64_t enter_user(uint64_t pc, uint64_t argument);
extern char leave_user[], user_code[], user_end[];
void trapped(struct frame *f, uint64_t kind);
int main(void);

static uint64_t l1[512] __attribute__((aligned(4096))), l2[512] __attribute__((aligned(4096)));
static uint64_t l3_code[512] __attribute__((aligned(4096))), l3_user[512] __attribute__((aligned(4096)));
static uint8_t page[PAGES][PAGE] __attribute__((aligned(4096)));
static volatile uint64_t interrupts, calls, aborts, last_esr, last_far;
static volatile uint32_t period;

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
volatile uint64_t tohost __attribute__((aligned(8)));
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

/* ---- translation ---- */

enum { VALID = 1, PTE = 3, USERS = 1 << 6, READ_ONLY = 1 << 7, SHARED = 3 << 8, AF = 1 << 10, NG = 1 << 11 };
#define UXN (1ul << 54)
#define PXN (1ul << 53)

static void map(uint64_t *l3, unsigned i, const void *to, uint64_t flags) {
  l3[i] = (uint64_t)to | PTE | SHARED | AF | flags;
  asm volatile("dsb ishst" ::: "memory");
}
static void flush(uint64_t va) {
  asm volatile("tlbi vaae1is, %0\n dsb ish\n isb" ::"r"(va >> 12) : "memory");
}
static void translate(void) {
  l1[0] = 0 | VALID | AF | 1 << 2 | UXN | PXN;    /* devices */
  l1[1] = 0x40000000 | VALID | AF | SHARED | UXN; /* RAM */
  l1[2] = (uint64_t)l2 | PTE;
  l2[0] = (uint64_t)l3_code | PTE;
  l2[2] = (uint64_t)l3_user | PTE;
  SYS_SET("mair_el1", 0x00ff);
  SYS_SET("tcr_el1", 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ul << 23 | 1ul << 32);
  SYS_SET("ttbr0_el1", l1);
  ISB();
  SYS_SET("sctlr_el1", SYS_GET("sctlr_el1") | 1 | 1 << 2 | 1 << 12);
  ISB();
}
static void sync_code(const void *at) {
  asm volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(at) : "memory");
}
static void function(void *at, unsigned n) { /* mov w0, #n; ret */
  uint32_t *p = at;
  p[0] = 0x52800000 | n << 5;
  p[1] = 0xd65f03c0;
  sync_code(at);
}
static unsigned call(uint64_t at) { return ((unsigned (*)(void))at)(); }

/* One address leads to page after page; flushes of other pages change nothing. */
static void moves(void) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < 4; i++) function(page[i], 100 + i);
  for (unsigned round = 0; round < 100; round++) {
    map(l3_code, 0, page[round % 4], UXN);
    flush(CODE);
    for (unsigned i = 0; i < 10; i++) {
      CHECK(call(CODE) == 100 + round % 4);
      sum += call(CODE);
      map(l3_code, 5, page[4 + i % 3], UXN | PXN);
      flush(CODE + 5 * PAGE);
      *(volatile uint32_t *)(CODE + 5 * PAGE) = i;
      CHECK(*(volatile uint32_t *)page[4 + i % 3] == i);
    }
  }
  say("moves", sum);
}

/* The same address in several address spaces. */
static void spaces(void) {
  static uint64_t other[3][3][512] __attribute__((aligned(4096)));
  uint64_t sum = 0;
  for (unsigned a = 0; a < 3; a++) {
    for (unsigned i = 0; i < 3; i++) other[a][0][i] = l1[i];
    other[a][0][2] = (uint64_t)other[a][1] | PTE;
    other[a][1][0] = (uint64_t)other[a][2] | PTE;
    map(other[a][2], 0, page[a], UXN | NG);
  }
  flush(CODE);
  for (unsigned round = 0; round < 300; round++) {
    unsigned a = round * 7 % 3;
    SYS_SET("ttbr0_el1", (uint64_t)other[a][0] | (uint64_t)(a + 1) << 48);
    ISB();
    CHECK(call(CODE) == 100 + a);
    sum += call(CODE) * a;
  }
  SYS_SET("ttbr0_el1", l1);
  ISB();
  flush(CODE);
  say("spaces", sum);
}

/* Code is written through one address and runs at two others. */
static void changes(void) {
  uint64_t sum = 0;
  map(l3_code, 1, page[7], UXN);
  map(l3_code, 2, page[7], UXN);
  flush(CODE + PAGE);
  flush(CODE + 2 * PAGE);
  for (unsigned n = 0; n < 200; n++) {
    function(page[7] + n % 5 * 64, n);
    for (unsigned i = 0; i < 3; i++) {
      CHECK(call(CODE + PAGE + n % 5 * 64) == n);
      CHECK(call(CODE + 2 * PAGE + n % 5 * 64) == n);
    }
    sum += call(CODE + PAGE) + call(CODE + 2 * PAGE);
  }
  say("changes", sum);
}

/* ---- interrupts ---- */

static volatile uint32_t *gic(uint64_t at) { return (volatile uint32_t *)at; }
enum { VIRTUAL_TIMER = 27 };

static void timers(void) {
  uint64_t x = 1, want = 1, n = 0;
  *gic(GICD) = 0x12; /* affinity routing, group 1 */
  *gic(GICR + 0x14) &= ~2u;
  while (*gic(GICR + 0x14) & 4) {}
  *gic(GICR + 0x10080) = ~0u;
  *gic(GICR + 0x10100) = 1u << VIRTUAL_TIMER;
  SYS_SET("S3_0_C12_C12_5", 7); /* ICC_SRE_EL1 */
  ISB();
  SYS_SET("S3_0_C4_C6_0", 0xff); /* ICC_PMR_EL1 */
  SYS_SET("S3_0_C12_C12_7", 1);  /* ICC_IGRPEN1_EL1 */
  period = 200;
  SYS_SET("cntv_tval_el0", period);
  SYS_SET("cntv_ctl_el0", 1);
  while (interrupts < 300) {
    asm volatile("msr daifclr, #2" ::: "memory");
    for (unsigned i = 0; i < 50; i++, n++) x = x * 6364136223846793005 + 1442695040888963407;
    uint64_t was = SYS_GET("daif");
    asm volatile("msr daifset, #2" ::: "memory");
    uint64_t before = interrupts;
    for (unsigned i = 0; i < 50; i++, n++) x = x * 6364136223846793005 + 1442695040888963407;
    CHECK(interrupts == before);
    SYS_SET("daif", was); /* as spin_unlock_irqrestore */
    x ^= x >> 33;
    SYS_SET("daif", was | 0x80);
  }
  SYS_SET("cntv_ctl_el0", 2);
  for (uint64_t i = 0; i < n; i++) {
    want = want * 6364136223846793005 + 1442695040888963407;
    if (i % 100 == 99) want ^= want >> 33;
  }
  CHECK(x == want);
  CHECK(SYS_GET("daif") == 0x3c0 || SYS_GET("daif") == 0x80 || SYS_GET("daif") == 0x340 + 0x80);
  while (interrupts < 310) { /* waiting ends for an interrupt, masked or not */
    SYS_SET("cntv_tval_el0", 500);
    SYS_SET("cntv_ctl_el0", 1);
    asm volatile("wfi\n msr daifclr, #2\n isb\n msr daifset, #2" ::: "memory");
  }
  SYS_SET("cntv_ctl_el0", 2);
  say("interrupts", 1);
}

/* ---- EL0 and faults ---- */

static void users(void) {
  uint64_t sum = 0;
  uint32_t *to = (uint32_t *)page[8];
  for (const uint32_t *p = (const uint32_t *)user_code; p < (const uint32_t *)user_end; p++) *to++ = *p;
  sync_code(page[8]);
  sync_code(page[8] + 64);
  map(l3_user, 0, page[8], USERS | READ_ONLY | PXN | NG);
  map(l3_user, 1, page[9], USERS | UXN | PXN | NG);
  flush(USER);
  flush(USER + PAGE);
  for (uint64_t n = 1; n <= 40; n++) {
    calls = 0;
    uint64_t r = enter_user(USER, n);
    CHECK(r == n * (n + 1) / 2 && calls == n);
    sum += r;
  }
  CHECK(enter_user(USER + PAGE, 1) == ~0ul); /* not executable */
  CHECK(last_esr >> 26 == 0x20 && (last_esr & 0x3f) == 0xf && last_far == USER + PAGE);
  map(l3_user, 1, page[9], USERS | READ_ONLY | UXN | PXN | NG);
  flush(USER + PAGE);
  CHECK(enter_user(USER, 1) == ~0ul); /* not writable */
  CHECK(last_esr >> 26 == 0x24 && (last_esr & 0x7f) == 0x4f && last_far == USER + PAGE);
  l3_user[1] = 0;
  flush(USER + PAGE);
  CHECK(enter_user(USER, 1) == ~0ul); /* not there */
  CHECK(last_esr >> 26 == 0x24 && (last_esr & 0x7f) == 0x47 && last_far == USER + PAGE);
  for (unsigned i = 0; i < 50; i++) { /* EL1 steps over what faults */
    aborts = 0;
    *(volatile uint64_t *)(USER + PAGE + 8 * i) = 1;
    CHECK(aborts == 1 && last_far == USER + PAGE + 8 * i && last_esr >> 26 == 0x25);
    map(l3_user, 1, page[9], USERS | UXN | PXN | NG);
    *(volatile uint64_t *)(USER + PAGE + 8 * i) = i;
    CHECK(aborts == 1 && *(volatile uint64_t *)(page[9] + 8 * i) == i);
    l3_user[1] = 0;
    flush(USER + PAGE);
  }
  say("users", sum);
}

/* ---- exclusives, blocks of zeros ---- */

static void exclusives(void) {
  uint64_t *at = (uint64_t *)page[10], v = 0, n = 0, failed, lost = 0;
  *at = 0;
  for (unsigned i = 0; i < 500; i++) {
    do
      asm volatile("ldxr %0, [%2]\n add %0, %0, #3\n stxr %w1, %0, [%2]"
                   : "=&r"(v), "=&r"(failed)
                   : "r"(at)
                   : "memory");
    while (failed & 1);
    asm volatile("ldaxr %0, [%2]\n svc #1\n stlxr %w1, %0, [%2]"
                 : "=&r"(v), "=&r"(failed)
                 : "r"(at)
                 : "memory", "x0");
    lost += failed & 1; /* an exception return ends the reservation */
    asm volatile("ldxr %0, [%2]\n clrex\n stxr %w1, %0, [%2]" : "=&r"(v), "=&r"(failed) : "r"(at) : "memory");
    lost += failed & 1;
    for (unsigned k = 0; k < 256; k++) page[11][k] = (uint8_t)(k + i + 1);
    asm volatile("dc zva, %0" ::"r"(page[11] + 64 + i % 64) : "memory");
    for (unsigned k = 0; k < 256; k++) n += page[11][k] == (k / 64 == 1 ? 0 : (uint8_t)(k + i + 1));
  }
  CHECK(*at == 1500 && n == 500 * 256);
  say("exclusives", lost);
}

/* ---- */

void trapped(struct frame *f, uint64_t kind) {
  const uint64_t esr = SYS_GET("esr_el1");
  if (kind % 4 == 1) {
    uint32_t id = (uint32_t)SYS_GET("S3_0_C12_C12_0"); /* ICC_IAR1_EL1 */
    CHECK(id == VIRTUAL_TIMER);
    interrupts++;
    period = period * 5 % 1013 + 50;
    SYS_SET("cntv_tval_el0", period);
    SYS_SET("S3_0_C12_C12_1", id);
    return;
  }
  CHECK(kind % 4 == 0);
  last_esr = esr;
  last_far = SYS_GET("far_el1");
  switch (esr >> 26) {
  case 0x15:
    if ((esr & 0xffff) == 7) calls++;
    if ((esr & 0xffff) < 8) return;
    if ((esr & 0xffff) == 9) f->x[0] = ~0ul - 1;
    break;
  case 0x25:
    aborts++;
    f->elr += 4;
    return;
  case 0x20:
  case 0x24: f->x[0] = ~0ul; break;
  default: say("exception", esr), fail(__LINE__);
  }
  f->elr = (uint64_t)leave_user;
  f->spsr = 0x3c5;
}

#ifdef QUIET
/* System instructions of which nothing comes; address spaces that differ in data alone. */
static __attribute__((noinline, aligned(4096))) unsigned elsewhere(unsigned i) {
  asm volatile("" : "+r"(i));
  return i + 1;
}
static void quiet(void) {
  for (unsigned i = 0; i < 20000; i++) {
    map(l3_code, 5, page[4], UXN | PXN);
    *(volatile uint32_t *)(CODE + 5 * PAGE) = i;
    asm volatile(
        "msr daifset, #2\n mrs x0, daif\n msr daifclr, #2\n msr daif, x0\n tlbi vaae1is, %0\n dsb ish\n isb\n"
        "msr ttbr0_el1, %2\n isb\n ic ivau, %1\n isb" ::"r"((CODE >> 12) + 5),
        "r"(page[4]), "r"((uint64_t)l1 | (uint64_t)(i % 7) << 48)
        : "x0", "memory");
    CHECK(elsewhere(i) == i + 1);
  }
}
#endif

int main(void) {
  translate();
#ifdef QUIET
  quiet();
  off(0);
#endif
  for (unsigned again = 0; again < 2; again++) {
    moves();
    spaces();
    changes();
    users();
    exclusives();
  }
  timers();
  say("fine", 0);
  off(0);
  return 0;
}
