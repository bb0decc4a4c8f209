/* Self-hosted debug of arm64 on the `virt` machine, QEMU's or ours: software step, breakpoints and watchpoints, at EL0 and EL1. It
 * prints every exception that it takes: syndrome, where, address. Starts, and comes back, through arm64.S. */
#include <stdint.h>

#define UART ((volatile uint32_t *)0x9000000)
#define HIGH 0x40000000ul /* distance from an address of EL1 to the same memory for EL0 */
typedef uint64_t u64;

#define SYS_GET(reg)                                   \
  ({                                                   \
    u64 v_;                                            \
    asm volatile("mrs %0, " reg : "=r"(v_)::"memory"); \
    v_;                                                \
  })
#define SYS_SET(reg, x) asm volatile("msr " reg ", %0\n isb" ::"r"((u64)(x)) : "memory")

struct frame {
  u64 x[18], x18, x30, elr, spsr;
};
extern u64 enter_user(u64 pc, u64 argument);
extern char leave_user[];
void trapped(struct frame *f, u64 kind);
int main(void);

enum { SS = 1 << 0, KDE = 1 << 13, MDE = 1 << 15, SPSR_SS = 1 << 21, SPSR_D = 1 << 9 };
enum {
  E = 1,
  AT_EL1 = 1 << 1,
  AT_EL0 = 2 << 1,
  AT_BOTH = 3 << 1,
  BAS4 = 15 << 5,
  LINKED = 1 << 20,
  CONTEXT = 3 << 20
};
enum { LOADS = 1 << 3, STORES = 2 << 3 };
#define BAS(x)  ((x) << 5)
#define MASK(x) ((x) << 24)
#define LBN(x)  ((x) << 16)

static u64 l1[512] __attribute__((aligned(4096)));
static uint8_t buffer[8192] __attribute__((aligned(4096)));
static u64 base_pc, base_address, hits, over, quiet, sum;

static void put(char c) { *UART = (uint32_t)c; }
static void text(const char *s) {
  while (*s) put(*s++);
}
static void number(u64 n) {
  char digits[17], *p = digits + 16;
  *p = 0;
  do *--p = "0123456789abcdef"[n & 15];
  while (n >>= 4);
  put(' ');
  text(p);
}
static void say(const char *name, u64 n) {
  text(name);
  number(n);
  put('\n');
}
volatile u64 tohost __attribute__((aligned(8)));
static void off(void) {
  tohost = 1;
  register u64 x0 asm("x0") = 0x84000008;
  asm volatile("hvc #0" : "+r"(x0));
  for (;;) {}
}

static void mdscr(u64 clear, u64 set) { SYS_SET("mdscr_el1", (SYS_GET("mdscr_el1") & ~clear) | set); }

/* A hit is stepped over with what is armed switched off, as Linux does. */
static u64 bcr[2], wcr;
static void arm(u64 on) {
  SYS_SET("dbgbcr0_el1", on ? bcr[0] : 0);
  SYS_SET("dbgbcr1_el1", on ? bcr[1] : 0);
  SYS_SET("dbgwcr0_el1", on ? wcr : 0);
}

static void report(u64 esr, const struct frame *f, u64 far) {
  sum = sum * 31 + esr + f->elr - base_pc + far;
  hits++;
  if (quiet) return;
  number(esr >> 26);
  number(esr & 0x1ffffff);
  number(f->elr - base_pc);
  number(f->spsr & SPSR_SS ? 1 : 0);
  if (far) number(far - base_address);
  put('\n');
}

void trapped(struct frame *f, u64 kind) {
  const u64 esr = SYS_GET("esr_el1"), far = SYS_GET("far_el1"), ec = esr >> 26;
  (void)kind;
  switch (ec) {
  case 0x15:
    if ((esr & 0xffff) == 5) mdscr(SS, 0), f->spsr = (f->spsr & ~(u64)SPSR_SS) | (f->spsr & 15 ? SPSR_D : 0);
    else if ((esr & 0xffff) == 6) mdscr(0, SS), f->spsr = (f->spsr | SPSR_SS) & ~(u64)SPSR_D;
    else if ((esr & 0xffff) == 8) f->elr = (u64)leave_user, f->spsr = 0x3c5;
    else report(esr, f, 0);
    return;
  case 0x32:
  case 0x33:
    if (over) {
      over = 0;
      mdscr(SS, 0);
      arm(1);
      return;
    }
    report(esr, f, 0);
    f->spsr |= SPSR_SS;
    return;
  case 0x30:
  case 0x31:
  case 0x34:
  case 0x35:
    report(esr, f, ec >= 0x34 ? far : 0);
    over = 1;
    arm(0);
    mdscr(0, SS);
    f->spsr |= SPSR_SS;
    return;
  case 0x24:
  case 0x25:
  case 0x3c:
    report(esr, f, 0);
    f->elr += 4;
    return;
  default: say("exception", esr), off();
  }
}

/* ---- what is debugged; x0: the argument ---- */

extern char user_step[], user_loop[], user_here[], user_there[], step[], loop[], here[];
/* clang-format off */
asm(".text\n.balign 64\n"
    "user_step: svc #6\n mov x1, #1\n ldr x2, [x0]\n ldxr x3, [x0]\n ldaxr w3, [x0]\n ldxp x3, x4, [x0]\n ldaxrb w3, [x0]\n"
    " stxr w5, x3, [x0]\n ldar x3, [x0]\n clrex\n b 1f\n nop\n1: cbz x1, 1b\n cbnz x1, 2f\n nop\n2: svc #1\n brk #3\n"
    " mov x7, #0xc0000000\n ldr x2, [x7]\n str x2, [x0]\n ldp x3, x4, [x0], #16\n mrs x2, nzcv\n bl 3f\n svc #5\n svc #8\n3: ret\n"
    "user_loop: mov x1, #0\n mov x2, #0\n1: add x1, x1, #1\nuser_here: eor x2, x2, x1\n cmp x1, x0\nuser_there: b.ne 1b\n mov x0, x2\n"
    " svc #8\n"
    "step: svc #6\n nop\n mrs x1, daif\n msr daifset, #2\n isb\n ldxr x2, [x0]\n clrex\n mrs x2, tpidr_el1\n msr tpidr_el1, x2\n"
    " svc #1\n dsb sy\n svc #5\n ret\n"
    "loop: mov x1, #0\n mov x2, #0\n1: add x1, x1, #1\nhere: eor x2, x2, x1\n cmp x1, x0\n b.ne 1b\n mov x0, x2\n ret\n");
/* clang-format on */
static u64 (*const in_el1)(u64) = (u64(*)(u64))loop;

static void steps(void) {
  text("steps of EL0\n");
  base_pc = (u64)user_step + HIGH;
  enter_user(base_pc, (u64)buffer + HIGH);
  text("steps of EL1\n");
  base_pc = (u64)step;
  ((void (*)(void *))step)(buffer);
  mdscr(0, KDE);
  ((void (*)(void *))step)(buffer);
  mdscr(KDE, 0);
}

static void count(const char *name, u64 rounds, int el) {
  hits = sum = 0;
  quiet = rounds > 2;
  arm(1);
  base_pc = el ? (u64)loop : (u64)user_loop + HIGH;
  if (el) asm volatile("msr daifclr, #8");
  const u64 r = el ? in_el1(rounds) : enter_user(base_pc, rounds);
  asm volatile("msr daifset, #8");
  u64 want = 0;
  for (u64 i = 1; i <= rounds; i++) want ^= i;
  if (r != want) say("wrong result", r);
  text(name);
  number(hits);
  number(sum);
  put('\n');
  quiet = 0;
  bcr[0] = bcr[1] = 0;
  arm(0);
}

static void breakpoints(void) {
  count("none", 5000, 0);
  SYS_SET("dbgbvr0_el1", user_here + HIGH);
  SYS_SET("dbgbvr1_el1", user_there + HIGH);
  bcr[0] = E | AT_EL0 | BAS4;
  count("EL0, MDE is off", 100, 0);
  mdscr(0, MDE);
  bcr[0] = E | AT_EL0 | BAS4;
  count("EL0", 2, 0);
  bcr[0] = E | AT_EL0 | BAS4;
  count("EL0", 300, 0);
  bcr[0] = E | AT_EL1 | BAS4;
  count("EL0, of EL1", 300, 0);
  bcr[0] = AT_BOTH | BAS4;
  count("EL0, off", 300, 0);
  bcr[0] = bcr[1] = E | AT_BOTH | BAS4;
  count("EL0, two", 300, 0);
  SYS_SET("dbgbvr5_el1", 77);
  SYS_SET("dbgbcr5_el1", E | AT_EL0 | BAS4 | CONTEXT);
  for (u64 id = 76; id < 79; id++) {
    SYS_SET("contextidr_el1", id);
    bcr[0] = E | AT_BOTH | BAS4 | LINKED | LBN(5);
    count("EL0, linked", 50, 0);
  }
  SYS_SET("dbgbcr5_el1", 0);
  count("none", 5000, 1);
  SYS_SET("dbgbvr0_el1", here);
  bcr[0] = E | AT_BOTH | BAS4;
  count("EL1, KDE is off", 100, 1);
  mdscr(0, KDE);
  bcr[0] = E | AT_BOTH | BAS4;
  count("EL1", 2, 1);
  bcr[0] = E | AT_EL1 | BAS4;
  count("EL1", 300, 1);
  bcr[0] = E | AT_EL0 | BAS4;
  count("EL1, of EL0", 300, 1);
  count("none", 5000, 1);
}

/* ---- watchpoints: aligned accesses, for QEMU makes two wider ones of others ---- */

extern char accesses[];
extern void accesses_of(void *kernel, u64 user);
/* clang-format off */
asm("accesses:\naccesses_of: mov x2, #0\n ldrb w2, [x0, #9]\n strb w2, [x0, #9]\n str w2, [x0, #8]\n ldr w2, [x0, #4]\n"
    " stp xzr, x2, [x0]\n ldp x2, x3, [x0]\n ldp x2, x3, [x0, #-8]\n str x2, [x0, #16]\n ldrb w2, [x0, #7]\n strb w2, [x0, #7]\n"
    " ldtr x2, [x1, #8]\n sttr x2, [x0, #8]\n ldxr x2, [x0, #0]\n add x3, x0, #8\n ldxr x2, [x3]\n stxr w4, x2, [x3]\n add x3, x0, #31\n"
    " ldrb w2, [x3]\n strb w2, [x3, #1]\n dc zva, x0\n stp w2, w2, [x0, #4]\n ldr w2, [x0, #12]!\n str w2, [x0], #-12\n"
    " ldrsw x2, [x0, #8]\n ret\n");
/* clang-format on */

static void watch(const char *name, u64 value, u64 control) {
  text(name);
  put('\n');
  base_pc = (u64)accesses;
  for (unsigned again = 0; again < 2; again++) {
    uint8_t *at = again ? buffer + 4096 : buffer + 64; /* accesses lie around a page's start, too */
    base_address = (u64)at + (value & HIGH);
    SYS_SET("dbgwvr0_el1", base_address + (value & ~HIGH));
    wcr = control;
    arm(1);
    asm volatile("msr daifclr, #8");
    accesses_of(at, (u64)at + HIGH);
    asm volatile("msr daifset, #8");
    wcr = 0;
    arm(0);
  }
}

static void hot(u64 control) { /* the page is watched, most of its bytes are not */
  volatile u64 *p = (volatile u64 *)buffer;
  hits = sum = 0;
  quiet = 1;
  SYS_SET("dbgwvr0_el1", buffer + 256);
  base_address = (u64)buffer;
  wcr = control;
  arm(1);
  asm volatile("msr daifclr, #8");
  for (u64 i = 0; i < 3000; i++) p[i % 64] += i;
  asm volatile("msr daifset, #8");
  quiet = 0;
  wcr = 0;
  arm(0);
  u64 all = 0;
  for (unsigned i = 0; i < 64; i++) all = all * 31 + p[i];
  text("hot");
  number(hits);
  number(all);
  put('\n');
}

static void watchpoints(void) {
  for (unsigned i = 0; i < sizeof buffer; i++) buffer[i] = (uint8_t)(i * 7);
  watch("a doubleword", 8, E | AT_BOTH | BAS(0xff) | LOADS | STORES);
  watch("loads of a byte", 8, E | AT_BOTH | BAS(2) | LOADS);
  watch("stores to a half", 8, E | AT_BOTH | BAS(0xf0) | STORES);
  watch("a word", 12, E | AT_BOTH | BAS(15) | LOADS | STORES);
  watch("32 bytes", 0, E | AT_EL1 | BAS(0xff) | MASK(5) | LOADS | STORES);
  watch("of EL0", 8 | HIGH, E | AT_EL0 | BAS(0xff) | LOADS | STORES);
  watch("of EL1", 8 | HIGH, E | AT_EL1 | BAS(0xff) | LOADS | STORES);
  watch("off", 8, AT_BOTH | BAS(0xff) | LOADS | STORES);
  for (unsigned i = 0; i < sizeof buffer; i++) buffer[i] = (uint8_t)(i * 5);
  hot(0);
  hot(E | AT_BOTH | BAS(0xff) | STORES);
  hot(E | AT_BOTH | BAS(0xff) | LOADS | STORES);
}

#ifdef ELSEWHERE
/* What is armed lies in pages of their own. */
static __attribute__((noinline, aligned(4096))) u64 far_loop(u64 n) {
  volatile u64 x = 0;
  while (n--) x += n;
  return x;
}
static void elsewhere(void) {
  mdscr(0, MDE | KDE);
  SYS_SET("dbgbvr0_el1", here);
  SYS_SET("dbgwvr0_el1", buffer);
  bcr[0] = E | AT_BOTH | BAS4;
  wcr = E | AT_BOTH | BAS(0xff) | LOADS | STORES;
  arm(1);
  asm volatile("msr daifclr, #8");
  if (far_loop(1000000) != 499999500000) off();
  asm volatile("msr daifset, #8");
}
#endif

int main(void) {
  l1[0] = 0 | 1 | 1 << 10 | 1 << 2 | 3ul << 53;                   /* devices */
  l1[1] = 0x40000000 | 1 | 1 << 10 | 3 << 8 | 1ul << 54;          /* RAM of EL1 */
  l1[2] = 0x40000000 | 1 | 1 << 10 | 3 << 8 | 1 << 6 | 1ul << 53; /* the same of EL0 */
  SYS_SET("mair_el1", 0x00ff);
  SYS_SET("tcr_el1", 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ul << 23 | 1ul << 32);
  SYS_SET("ttbr0_el1", l1);
  SYS_SET("sctlr_el1", SYS_GET("sctlr_el1") | 1 | 1 << 2 | 1 << 12);
  SYS_SET("oslar_el1", 0);
#ifdef ELSEWHERE
  elsewhere();
  say("fine", 0);
  off();
#endif
  for (unsigned again = 0; again < 2; again++) {
    mdscr(KDE | MDE | SS, 0);
    steps();
    breakpoints();
    watchpoints();
  }
  say("fine", 0);
  off();
  return 0;
}
