/* Atomic accesses of every width and operation, and what is special to an ISA: exclusives, pairs, misaligned and page-crossing
 * ones. What it prints is the same on every processor. */
#include <stdbool.h>
#include <string.h>

#include "prog.h"

#define SEQ __ATOMIC_SEQ_CST

static uint64_t sum;
static void mix(uint64_t x) { sum = (sum ^ x) * 0x9e3779b97f4a7c15u + (sum >> 29); }

static const uint64_t value[] = {0,
                                 1,
                                 2,
                                 0x7f,
                                 0x80,
                                 0xff,
                                 0x7fff,
                                 0x8000,
                                 0xffff,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x123456789abcdef0,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 0xffffffffffffffff};
#define VALUES (sizeof value / sizeof *value)

/* Every operation with and without its result, on a word between two that must stay. */
#define OPERATIONS(W)                                                                                       \
  __attribute__((noinline)) static void alone##W(void *at, uint##W##_t a, uint##W##_t b) {                  \
    uint##W##_t *p = at, e;                                                                                 \
    *p = a, mix(__atomic_exchange_n(p, b, SEQ)), mix(*p);                                                   \
    *p = a, mix(__atomic_fetch_add(p, b, SEQ)), mix(*p);                                                    \
    *p = a, mix(__atomic_fetch_sub(p, b, SEQ)), mix(*p);                                                    \
    *p = a, mix(__atomic_fetch_and(p, b, SEQ)), mix(*p);                                                    \
    *p = a, mix(__atomic_fetch_or(p, b, SEQ)), mix(*p);                                                     \
    *p = a, mix(__atomic_fetch_xor(p, b, SEQ)), mix(*p);                                                    \
    *p = a, mix(__atomic_fetch_nand(p, b, SEQ)), mix(*p);                                                   \
    *p = a, (void)__atomic_fetch_add(p, b, __ATOMIC_RELAXED), mix(*p);                                      \
    *p = a, (void)__atomic_fetch_and(p, b, __ATOMIC_ACQUIRE), mix(*p);                                      \
    *p = a, (void)__atomic_fetch_or(p, b, __ATOMIC_RELEASE), mix(*p);                                       \
    *p = a, (void)__atomic_fetch_xor(p, b, __ATOMIC_ACQ_REL), mix(*p);                                      \
    *p = a, e = b, mix(__atomic_compare_exchange_n(p, &e, (uint##W##_t) ~a, 0, SEQ, SEQ)), mix(e), mix(*p); \
    *p = a, e = a, mix(__atomic_compare_exchange_n(p, &e, b, 0, SEQ, SEQ)), mix(e), mix(*p);                \
  }                                                                                                         \
  static void all##W(void) {                                                                                \
    static uint64_t block[4] __attribute__((aligned(32)));                                                  \
    for (unsigned i = 0; i < VALUES; i++)                                                                   \
      for (unsigned k = 0; k < VALUES; k++) {                                                               \
        memset(block, 0x55, sizeof block);                                                                  \
        alone##W((char *)block + 8 + (i * (W / 8) & 7), (uint##W##_t)value[i], (uint##W##_t)value[k]);      \
        for (unsigned n = 0; n < 4; n++) mix(block[n]);                                                     \
      }                                                                                                     \
    put_kv("bits " #W, sum);                                                                                \
  }
OPERATIONS(8)
OPERATIONS(16)
OPERATIONS(32)
OPERATIONS(64)

#ifdef __riscv
#define AMO(name, W, T)                                                                   \
  __attribute__((noinline)) static uint64_t name##_##W(T *p, T x) {                       \
    long r;                                                                               \
    __asm__ volatile(#name "." #W " %0, %2, (%1)" : "=r"(r) : "r"(p), "r"(x) : "memory"); \
    return (uint64_t)r;                                                                   \
  }
#define MINMAX(W, T, S)                                                                                    \
  AMO(amomin, W, T) AMO(amomax, W, T) AMO(amominu, W, T) AMO(amomaxu, W, T) static void minmax_##W(void) { \
    for (unsigned i = 0; i < VALUES; i++)                                                                  \
      for (unsigned k = 0; k < VALUES; k++) {                                                              \
        T a = (T)value[i], b = (T)value[k], x;                                                             \
        bool same = 1;                                                                                     \
        x = a, same &= amomin_##W(&x, b) == (uint64_t)(int64_t)(S)a && x == ((S)a < (S)b ? a : b);         \
        x = a, same &= amomax_##W(&x, b) == (uint64_t)(int64_t)(S)a && x == ((S)a > (S)b ? a : b);         \
        x = a, same &= amominu_##W(&x, b) == (uint64_t)(int64_t)(S)a && x == (a < b ? a : b);              \
        x = a, same &= amomaxu_##W(&x, b) == (uint64_t)(int64_t)(S)a && x == (a > b ? a : b);              \
        if (!same) put_kv("minmax " #W, a);                                                                \
      }                                                                                                    \
  }
MINMAX(w, uint32_t, int32_t)
MINMAX(d, uint64_t, int64_t)
/* A store-conditional: to another address than reserved, without a reservation, after one. */
__attribute__((noinline)) static unsigned exclusives(uint64_t *a, uint64_t *b, unsigned how) {
  unsigned long ok, t;
  switch (how) {
  case 0:
    __asm__ volatile("lr.d %1, (%2)\nsc.d %0, %4, (%3)"
                     : "=&r"(ok), "=&r"(t)
                     : "r"(a), "r"(b), "r"(5ul)
                     : "memory");
    break;
  case 1:
    __asm__ volatile("lr.d %1, (%2)\nsc.d %0, %4, (%3)\nsc.d %0, %4, (%3)"
                     : "=&r"(ok), "=&r"(t)
                     : "r"(a), "r"(a), "r"(5ul)
                     : "memory");
    break;
  case 2:
    __asm__ volatile("lr.d %1, (%2)\nsd %4, (%3)\nsc.d %0, %4, (%3)"
                     : "=&r"(ok), "=&r"(t)
                     : "r"(a), "r"(a), "r"(5ul)
                     : "memory");
    break;
  default:
    __asm__ volatile("lr.d %1, (%2)\naddi %1, %1, 1\nsc.d %0, %1, (%3)"
                     : "=&r"(ok), "=&r"(t)
                     : "r"(a), "r"(a), "r"(5ul)
                     : "memory");
    break;
  }
  return (unsigned)ok;
}
static void special(void) {
  minmax_w();
  minmax_d();
  for (unsigned n = 0; n < 20; n++)
    for (unsigned how = 0; how < 4; how++) {
      uint64_t a = 7, b = 8;
      unsigned failed = exclusives(&a, &b, how);
      uint64_t want_a = how == 3 ? 8 : how == 1 || how == 2 ? 5 : 7;
      if (failed != (how != 3) || a != want_a || b != 8) put_kv("sc", how);
    }
}
#elif defined __x86_64__
typedef unsigned __int128 wide;
__attribute__((noinline)) static int cas16(wide *p, wide *e, wide x) {
  uint64_t lo = (uint64_t)*e, hi = (uint64_t)(*e >> 64);
  char ok;
  __asm__ volatile("lock cmpxchg16b %1\nsete %0"
                   : "=q"(ok), "+m"(*p), "+a"(lo), "+d"(hi)
                   : "b"((uint64_t)x), "c"((uint64_t)(x >> 64))
                   : "memory", "cc");
  *e = (wide)hi << 64 | lo;
  return ok;
}
/* Locked at every distance from a line's and a page's end; flags come from the result. */
__attribute__((noinline)) static void odd(char *at, int how) {
  uint64_t x = 0x0102030405060708;
  char zero;
  memset(at, 0xff, 8);
  switch (how) {
  case 0: __asm__ volatile("lock xaddq %0, (%1)" : "+r"(x) : "r"(at) : "memory", "cc"); break;
  case 1: __asm__ volatile("xchgl %k0, (%1)" : "+r"(x) : "r"(at) : "memory"); break;
  case 2:
    __asm__ volatile("lock incw (%2)\nsetz %1" : "+r"(x), "=q"(zero) : "r"(at) : "memory", "cc");
    x = (uint64_t)zero;
    break;
  case 3:
    __asm__ volatile("lock andq $0x70, (%2)\nsetz %1" : "+r"(x), "=q"(zero) : "r"(at) : "memory", "cc");
    x = (uint64_t)zero;
    break;
  default:
    __asm__ volatile("lock btrl $9, (%2)\nsetc %1" : "+r"(x), "=q"(zero) : "r"(at) : "memory", "cc");
    x = (uint64_t)zero;
    break;
  }
  uint64_t y;
  memcpy(&y, at, 8);
  const uint64_t want_y[] = {0x0102030405060707, 0xffffffff05060708, 0xffffffffffff0000, 0x70,
                             0xfffffffffffffdff},
                 want_x[] = {UINT64_MAX, 0xffffffff, 1, 0, 1};
  if (x != want_x[how] || y != want_y[how]) put_kv("odd", (uint64_t)how);
}
static void special(void) {
  static char m[8192] __attribute__((aligned(4096)));
  for (int n = 0; n < 20; n++) {
    for (int how = 0; how < 5; how++)
      for (int d = 0; d < 32; d++) odd(m + 4096 - 16 + d, how);
    wide w = (wide)3 << 64 | 4, e = w;
    if (!cas16(&w, &e, (wide)5 << 64 | 6) || w != ((wide)5 << 64 | 6)) put_str("cmpxchg16b\n");
    if (cas16(&w, &e, 0) || e != ((wide)5 << 64 | 6) || w != e) put_str("cmpxchg16b fails\n");
  }
}
#else
__attribute__((noinline)) static unsigned pairs(uint64_t *p, uint64_t x, uint64_t y, int other) {
  uint64_t a, b;
  unsigned failed;
  __asm__ volatile("ldxp %0, %1, [%3]\nadd %0, %0, %5\nadd %1, %1, %6\nstxp %w2, %0, %1, [%4]"
                   : "=&r"(a), "=&r"(b), "=&r"(failed)
                   : "r"(p), "r"(p + (other ? 2 : 0)), "r"(x), "r"(y)
                   : "memory");
  return failed;
}
__attribute__((noinline)) static void store_pair(char *at, uint64_t x, uint64_t y) {
  __asm__ volatile("stp %1, %2, [%0]" : : "r"(at), "r"(x), "r"(y) : "memory");
}
static void special(void) {
  static char m[8192] __attribute__((aligned(4096)));
  for (int n = 0; n < 20; n++) {
    uint64_t p[4] __attribute__((aligned(16))) = {1, 2, 3, 4};
    if (pairs(p, 10, 20, 0) || p[0] != 11 || p[1] != 22) put_str("stxp\n");
    for (unsigned d = 0; d < 32; d++) {
      char *at = m + 4096 - 16 + d;
      uint64_t got[2];
      store_pair(at, 0x1122334455667788u + d, 0x99aabbccddeeff00 + d);
      memcpy(got, at, 16);
      if (got[0] != 0x1122334455667788u + d || got[1] != 0x99aabbccddeeff00 + d) put_kv("stp", d);
    }
    if (!pairs(p, 10, 20, 1) || p[0] != 11 || p[2] != 3) put_str("stxp elsewhere\n");
  }
}
#endif

int prog_main(void) {
  all8();
  all16();
  all32();
  all64();
  special();
  put_str("done\n");
  return 0;
}
