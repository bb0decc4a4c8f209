/* The runtime of the bare-metal riscv64 programs: checks, traps that are expected
 * (TRY), running code in another privilege, CSR access.
 *
 * A program defines test_main(), which runs in M mode with everything off and
 * PMP entry 0 open. Returning from it is success; a failing CHECK ends the
 * program with its number (1..89, in source order) as the HTIF code. A trap
 * nothing expected ends it with 90 + cause, an interrupt with 118. */
#ifndef HTIF_H
#define HTIF_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
typedef int64_t i64;

enum { U = 0, S = 1, M = 3 };

/* Exception causes (privileged architecture, table of mcause values). */
enum {
  FETCH_MISALIGNED,
  FETCH_ACCESS,
  ILLEGAL,
  BREAKPOINT,
  LOAD_MISALIGNED,
  LOAD_ACCESS,
  STORE_MISALIGNED,
  STORE_ACCESS,
  ECALL_U,
  ECALL_S,
  ECALL_M = 11,
  FETCH_PAGE,
  LOAD_PAGE,
  STORE_PAGE = 15,
  NONE = -1
};
enum { SSI = 1, MSI = 3, STI = 5, MTI = 7, SEI = 9, MEI = 11 };

#define MSTATUS_SIE    (1ull << 1)
#define MSTATUS_MIE    (1ull << 3)
#define MSTATUS_SPIE   (1ull << 5)
#define MSTATUS_MPIE   (1ull << 7)
#define MSTATUS_SPP    (1ull << 8)
#define MSTATUS_MPP    (3ull << 11)
#define MSTATUS_FS     (3ull << 13)
#define MSTATUS_MPRV   (1ull << 17)
#define MSTATUS_SUM    (1ull << 18)
#define MSTATUS_MXR    (1ull << 19)
#define MSTATUS_TVM    (1ull << 20)
#define MSTATUS_TW     (1ull << 21)
#define MSTATUS_TSR    (1ull << 22)
#define MSTATUS_SD     (1ull << 63)

#define CLINT_MSIP     ((volatile u32 *)0x2000000)
#define CLINT_MTIMECMP ((volatile u64 *)0x2004000)
#define CLINT_MTIME    ((volatile u64 *)0x200bff8)

/* An address where neither board has anything. */
#define HOLE 0x1000000ull

/* Slot 0: vector entry + 1, or 0 for the direct entry; slot n: x<n>. */
struct frame {
  u64 x[32];
};

/* The last exception, as its handler saw it. */
struct trap {
  long cause; /* NONE if there was none since it was cleared */
  u64 epc, tval, status;
  u64 next;    /* the address after the TRY that caught it */
  int level;   /* M or S: who handled it */
  int vector;  /* frame slot 0 */
  int aborted; /* it ended run_in */
  int count;
};
/* Interrupts in the order they were taken. Each is then masked in mie/sie. */
struct irq {
  int count;
  int log[16]; /* cause without the interrupt bit */
  int level[16], vector[16];
  u64 epc, tval, status;
};

extern volatile struct trap trap;
extern volatile struct irq irq;
extern u64 tohost;
extern char trap_m[], trap_s[], vec_m[], vec_s[];

void test_main(void);
_Noreturn void rt_fail(int check); /* from any privilege */
long run_at(int priv, u64 pc, u64 arg, u64 alias);

/* Added to addresses of code and stack when U mode runs translated; see vm.h. */
extern u64 user_alias;

static inline void trap_clear(void) { trap = (struct trap){.cause = NONE}; }

/* Calls fn(arg) in another privilege; its result, with trap.* of what happened. */
static inline long run_in(int priv, long (*fn)(u64), u64 arg) {
  u64 alias = priv == U ? user_alias : 0;
  trap_clear();
  return run_at(priv, (u64)fn + alias, arg, alias);
}
/* The same at an address that is already right for that privilege. */
static inline long run_pc(int priv, u64 pc, u64 arg) {
  trap_clear();
  return run_at(priv, pc, arg, priv == U ? user_alias : 0);
}

/* Fails the program if cond is false. The number and line go to section
 * .checks, where the test runner finds what a code means. */
#define CHECK(cond) CHECK_(cond, __COUNTER__)
#define CHECK_(cond, n)                                                          \
  do {                                                                           \
    _Static_assert((n) + 1 < 90, "too many checks: split the program");          \
    __asm__ volatile(".pushsection .checks, \"\", @progbits\n\t.word %0, %1\n\t" \
                     ".popsection" ::"i"((n) + 1),                               \
                     "i"(__LINE__));                                             \
    if (!(cond)) rt_fail((n) + 1);                                               \
  } while (0)
#define EQ(a, b) CHECK((u64)(a) == (u64)(b))

/* Executes code that may trap; the value is the cause or NONE. Four-byte
 * instructions unless written as .2byte. t4 and a5 are free for the code's use.
 * A trap in it continues after it. */
#define TRY(code, ...) TRY_OUT(code, , ##__VA_ARGS__)
#define TRY_OUT(code, outs, ...)                                                              \
  ({                                                                                          \
    trap.cause = NONE;                                                                        \
    __asm__ volatile(".option push\n\t.option norvc\n\tlla t5, 99f\n\tli t6, 0x7e57\n\t" code \
                     "\n99:\n\tli t6, 0\n\t.option pop"                                       \
                     : outs:__VA_ARGS__                                                       \
                     : "t4", "t5", "t6", "a5", "memory");                                     \
    trap.cause;                                                                               \
  })

/* The trap was at the last n bytes of the TRY. */
#define EPC_IS(n) (trap.next - trap.epc == (n))

#define csr_read(name)                                           \
  ({                                                             \
    u64 v_;                                                      \
    __asm__ volatile("csrr %0, " #name : "=r"(v_) : : "memory"); \
    v_;                                                          \
  })
#define csr_write(name, v) __asm__ volatile("csrw " #name ", %0" ::"r"((u64)(v)) : "memory")
#define csr_set(name, v)   __asm__ volatile("csrs " #name ", %0" ::"r"((u64)(v)) : "memory")
#define csr_clear(name, v) __asm__ volatile("csrc " #name ", %0" ::"r"((u64)(v)) : "memory")
#define csr_swap(name, v)                                                              \
  ({                                                                                   \
    u64 v_;                                                                            \
    __asm__ volatile("csrrw %0, " #name ", %1" : "=r"(v_) : "r"((u64)(v)) : "memory"); \
    v_;                                                                                \
  })
/* Writes and reads back: what a WARL field made of it. */
#define csr_warl(name, v) \
  ({                      \
    csr_write(name, v);   \
    csr_read(name);       \
  })

static inline void set_mpp(int priv) {
  csr_clear(mstatus, MSTATUS_MPP);
  csr_set(mstatus, (u64)priv << 11);
}

static inline void fence_i(void) { __asm__ volatile("fence.i" ::: "memory"); }

#endif
