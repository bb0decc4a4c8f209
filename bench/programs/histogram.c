/* How often each byte occurs in 1 MiB. */
#include "bench.h"

enum { SIZE = 1 << 20 };

BENCH_NOINLINE static void count(const uint8_t *p, uint32_t n[256]) {
  for (int i = 0; i < SIZE; i++) n[p[i]]++;
}

int main(int argc, char **argv) {
  uint8_t *p = malloc(SIZE);
  uint32_t n[256] = {0}, seed = 9, check = 0;
  if (!p) return 1;
  for (int i = 0; i < SIZE; i++) p[i] = (uint8_t)bench_random(&seed);
  for (long rounds = bench_rounds(argc, argv, 60), i = 0; i < rounds; i++) count(p, n);
  for (int i = 0; i < 256; i++) check = check * 31 + n[i];
  printf("histogram %08x\n", check);
  free(p);
}
