/* Integer loops that a compiler makes vectors of (built with -O3). */
#include "bench.h"

enum { N = 4096 };
static int32_t a[N], b[N], c[N];
static uint8_t u[N], w[N];

BENCH_NOINLINE static void saxpy(int32_t k) {
  for (int i = 0; i < N; i++) c[i] = a[i] * k + b[i];
}
BENCH_NOINLINE static void clamp(int32_t hi) {
  for (int i = 0; i < N; i++) a[i] = c[i] > hi ? hi : c[i];
}
BENCH_NOINLINE static int32_t total(void) {
  int32_t s = 0;
  for (int i = 0; i < N; i++) s += a[i] ^ b[i];
  return s;
}
BENCH_NOINLINE static void bytes(void) {
  for (int i = 0; i < N; i++) w[i] = (uint8_t)((u[i] + w[i] + 1) >> 1);
}

int main(int argc, char **argv) {
  uint32_t seed = 3, check = 0;
  for (int i = 0; i < N; i++) {
    a[i] = (int32_t)(bench_random(&seed) & 0xffff);
    b[i] = (int32_t)(bench_random(&seed) & 0xffff);
    u[i] = (uint8_t)bench_random(&seed);
  }
  for (long n = bench_rounds(argc, argv, 3000), i = 0; i < n; i++) {
    saxpy((int32_t)(i & 7));
    clamp(0x20000);
    bytes();
    check = check * 31 + (uint32_t)total() + w[i & (N - 1)];
  }
  printf("vector %08x\n", check);
}
