/* Recursive Fibonacci, also memoised, in 128 bits, by matrices and modulo a
 * prime: calls, multiplications and divisions. The status is fib(13) & 255 = 233. */
#include "prog.h"

__attribute__((noinline)) static uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

typedef unsigned __int128 u128;

static u128 big(unsigned n) {
  u128 a = 0, b = 1;
  while (n--) {
    u128 t = a + b;
    a = b;
    b = t;
  }
  return a;
}

static uint64_t mulmod(uint64_t a, uint64_t b, uint64_t m) {
  uint64_t r = 0;
  for (a %= m; b; b >>= 1, a = (a << 1) % m)
    if (b & 1) r = (r + a) % m;
  return r;
}

static uint64_t fibmod(uint64_t n, uint64_t m) {
  uint64_t a = 0, b = 1;
  for (int i = 63; i >= 0; i--) {
    uint64_t c = mulmod(a, (2 * b + m - a) % m, m);
    uint64_t d = (mulmod(a, a, m) + mulmod(b, b, m)) % m;
    a = c, b = d;
    if (n >> i & 1) a = d, b = (c + d) % m;
  }
  return a;
}

__attribute__((noinline)) static int64_t ack(int64_t m, int64_t n) {
  return m == 0 ? n + 1 : n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1));
}

__attribute__((noinline)) static int64_t divmix(int64_t a, int64_t b) {
  return a / b * 31 + a % b + (int32_t)a / (int32_t)(b | 1) + (uint16_t)a % (uint16_t)(b | 1);
}

int prog_main(void) {
  for (unsigned n = 0; n <= 24; n += 3) {
    put_dec((int64_t)n);
    put_str(" ");
    put_dec((int64_t)fib(n));
    put_str("\n");
  }
  u128 b = big(186);
  put_hex((uint64_t)(b >> 64), 16);
  put_kv(" f186", (uint64_t)b);
  put_kv("mul128", (uint64_t)((u128)0xfedcba9876543210 * 0x0123456789abcdef >> 64));
  put_kv("smul128", (uint64_t)((__int128)(int64_t)b * -0x123456789abcdef >> 64));
  put_dec((int64_t)fibmod(1000000007, 998244353));
  put_str("\n");
  put_dec((int64_t)fibmod(0x123456789abcdef, 4611686018427387847));
  put_str("\n");
  put_dec(ack(2, 9));
  put_str("\n");
  int64_t x = 0;
  for (int64_t i = 1; i < 2000; i++) x = x * 7 + divmix(x ^ i << 40, i % 2 ? i : -i);
  put_dec(x);
  put_str("\n");
  return (int)(fib(13) & 255);
}
