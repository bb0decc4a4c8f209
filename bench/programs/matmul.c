/* A product of dense matrices of double, row by column. */
#include "bench.h"

enum { N = 120 };
static double a[N][N], b[N][N], c[N][N];

BENCH_NOINLINE static void multiply(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double s = 0;
      for (int k = 0; k < N; k++) s += a[i][k] * b[k][j];
      c[i][j] = s;
    }
}

int main(int argc, char **argv) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) a[i][j] = (i * j) % 7 + 0.5, b[i][j] = (i + j) % 5 - 1.25;
  for (long n = bench_rounds(argc, argv, 12); n > 0; n--) {
    multiply();
    a[0][0] += c[1][1] * 1e-9;
  }
  printf("matmul %.6f\n", c[0][0] + c[N - 1][N - 1]);
}
