/* The four kernels STREAM is known for, in double. */
#include "bench.h"

enum { N = 200000 };
static double a[N], b[N], c[N];

BENCH_NOINLINE static void copy(void) {
  for (int i = 0; i < N; i++) c[i] = a[i];
}
BENCH_NOINLINE static void scale(double k) {
  for (int i = 0; i < N; i++) b[i] = k * c[i];
}
BENCH_NOINLINE static void add(void) {
  for (int i = 0; i < N; i++) c[i] = a[i] + b[i];
}
BENCH_NOINLINE static void triad(double k) {
  for (int i = 0; i < N; i++) a[i] = b[i] + k * c[i];
}

int main(int argc, char **argv) {
  for (int i = 0; i < N; i++) a[i] = 1.0 + i % 16, b[i] = 2.0;
  for (long n = bench_rounds(argc, argv, 20), i = 0; i < n; i++) {
    copy();
    scale(0.5);
    add();
    triad(0.5);
  }
  printf("stream %.6f\n", a[N / 2] + b[N / 3] + c[N / 5]);
}
