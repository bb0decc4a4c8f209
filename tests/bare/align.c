/* SCTLR_EL1.A of arm64's `virt` machine, QEMU's or ours: which accesses must be aligned to which size, and the syndrome of those that
 * are not. What must happen is here, from the Arm ARM (DDI 0487): B2.8.2, D24.2.37. */
#include <stdint.h>

#define UART ((volatile uint32_t *)0x9000000)
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
void trapped(struct frame *f, u64 kind);
int main(void);
volatile u64 tohost __attribute__((aligned(8)));

static void text(const char *s) {
  while (*s) *UART = (uint32_t)*s++;
}
static void number(u64 n) {
  for (int i = 60; i >= 0; i -= 4) *UART = (uint32_t) "0123456789abcdef"[n >> i & 15];
  *UART = ' ';
}
static void off(u64 code) {
  tohost = code << 1 | 1;
  register u64 x0 asm("x0") = 0x84000008; /* PSCI SYSTEM_OFF, where there is no HTIF */
  asm volatile("hvc #0" : "+r"(x0));
  for (;;) {}
}

static volatile u64 esr, far, where, count;
void trapped(struct frame *f, u64 kind) {
  (void)kind;
  const u64 now = SYS_GET("esr_el1");
  esr = now;
  far = SYS_GET("far_el1");
  where = f->elr;
  count++;
  f->elr += 4;
}

static uint8_t memory[4096] __attribute__((aligned(4096))); /* the page of `tohost` is a device's */

/* One access each, by x0, at EL1. align: what its address must be a multiple of when A is set; 1: nothing; w: a store. */
// clang-format off
#define EACH(X) \
  X("ldrb w1, [x0]", 1, 0) \
  X("ldrh w1, [x0]", 2, 0) \
  X("ldr w1, [x0]", 4, 0) \
  X("ldr x1, [x0]", 8, 0) \
  X("ldr q1, [x0]", 16, 0) \
  X("strb w1, [x0]", 1, 1) \
  X("strh w1, [x0]", 2, 1) \
  X("str w1, [x0]", 4, 1) \
  X("str x1, [x0]", 8, 1) \
  X("str q1, [x0]", 16, 1) \
  X("ldp w1, w2, [x0]", 4, 0) \
  X("ldp x1, x2, [x0]", 8, 0) \
  X("stp x1, x2, [x0]", 8, 1) \
  X("stp q1, q2, [x0]", 16, 1) \
  X("ldpsw x1, x2, [x0]", 4, 0) \
  X("ldur x1, [x0]", 8, 0) \
  X("stur w1, [x0]", 4, 1) \
  X("ldr x1, [x0, xzr]", 8, 0) \
  X("ldrsw x1, [x0]", 4, 0) \
  X("ldnp x1, x2, [x0]", 8, 0) \
  X("ld1 {v1.16b}, [x0]", 1, 0) \
  X("ld1 {v1.4s, v2.4s}, [x0]", 4, 0) \
  X("st1 {v1.8h}, [x0]", 2, 1) \
  X("ld2 {v1.2d, v2.2d}, [x0]", 8, 0) \
  X("ld1 {v1.s}[1], [x0]", 4, 0) \
  X("st4 {v1.h, v2.h, v3.h, v4.h}[2], [x0]", 2, 1) \
  X("ld1r {v1.2d}, [x0]", 8, 0) \
  X("prfm pldl1keep, [x0]", 1, 0)
// clang-format on
#define CODE(code, align, w) "sub sp, sp, #0\n" code "\n ret\n .balign 16\n"
#define ROW(code, align, w)  {code, align, w},
asm(".arch_extension simd\n.balign 16\naccesses:\n" EACH(CODE));
extern char accesses[];
static const struct row {
  const char *code;
  uint8_t align, w;
} rows[] = {EACH(ROW)};
enum { ROWS = sizeof rows / sizeof *rows };

static void wrong(const char *what, const char *code, u64 a) {
  text(what), text(": "), text(code), text(" ");
  number(a), number(count), number(esr), number(far), number(where);
  text("\n");
  off(1);
}

static void ordinary(u64 checked) {
  for (unsigned i = 0; i < ROWS; i++)
    for (unsigned at = 0; at < 16; at++) {
      const u64 pc = (u64)accesses + 16 * i, a = (u64)memory + 64 + at;
      const u64 faults = checked && at % rows[i].align;
      count = 0;
      asm volatile("mov x0, %0\n blr %1" ::"r"(a), "r"(pc) : "x0", "x1", "x2", "x30", "memory");
      if (count != faults) wrong("A", rows[i].code, a);
      if (faults && (far != a || where != pc + 4 || esr != (0x25ul << 26 | 1 << 25 | 0x21 | rows[i].w << 6)))
        wrong("A: syndrome", rows[i].code, a);
    }
}

int main(void) {
  static u64 l1[512] __attribute__((aligned(4096)));
  l1[0] = 0 | 1 | 1 << 10 | 1 << 2 | 3ul << 53;
  l1[1] = 0x40000000 | 1 | 1 << 10 | 3 << 8;
  SYS_SET("mair_el1", 0x00ff);
  SYS_SET("tcr_el1", 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ul << 23 | 1ul << 32);
  SYS_SET("ttbr0_el1", l1);
  const u64 plain = (SYS_GET("sctlr_el1") | 1 | 1 << 2 | 1 << 12) & ~(u64)(1 << 1 | 1 << 3 | 1 << 4);
  for (unsigned again = 0; again < 3; again++) {
    SYS_SET("sctlr_el1", plain);
    ordinary(0);
    SYS_SET("sctlr_el1", plain | 1 << 1);
    ordinary(1);
    SYS_SET("sctlr_el1", plain);
  }
  text("fine\n");
  off(0);
  return 0;
}
