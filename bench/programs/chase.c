/* A chain of pointers in random order through KIB kibibytes: latency of dependent loads. */
#include "bench.h"

#ifndef KIB
#define KIB 256
#endif

int main(int argc, char **argv) {
  size_t n = (size_t)KIB * 1024 / sizeof(void *);
  void **p = malloc(n * sizeof *p);
  uint32_t seed = 5;
  if (!p) return 1;
  for (size_t i = 0; i < n; i++) p[i] = &p[i];
  for (size_t i = n - 1; i > 0; i--) { /* one cycle through all (Sattolo) */
    size_t j = bench_random(&seed) % i;
    void *t = p[i];
    p[i] = p[j];
    p[j] = t;
  }
  void **at = p;
  for (long i = bench_rounds(argc, argv, KIB > 1024 ? 2000000 : 10000000); i > 0; i--) at = *at;
  printf("chase %ld\n", (long)(at - p));
  free(p);
}
