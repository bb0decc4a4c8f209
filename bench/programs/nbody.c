/* Five bodies under gravity, velocity updates pair by pair: double multiplications, divisions and square roots. */
#include <math.h>

#include "bench.h"

struct body {
  double x[3], v[3], m;
};
static struct body bodies[5] = {{{0, 0, 0}, {0, 0, 0}, 39.0},
                                {{4.8, -1.2, -0.1}, {0.6, 2.8, -0.02}, 0.04},
                                {{8.3, 4.1, -0.4}, {-1.0, 1.8, 0.008}, 0.01},
                                {{12.9, -15.1, -0.2}, {1.1, 0.87, -0.01}, 0.002},
                                {{15.4, -25.9, 0.18}, {0.98, 0.59, -0.03}, 0.002}};

BENCH_NOINLINE static void advance(double dt) {
  for (int i = 0; i < 5; i++)
    for (int j = i + 1; j < 5; j++) {
      double d[3], r2 = 0;
      for (int k = 0; k < 3; k++) d[k] = bodies[i].x[k] - bodies[j].x[k], r2 += d[k] * d[k];
      double mag = dt / (r2 * sqrt(r2));
      for (int k = 0; k < 3; k++) {
        bodies[i].v[k] -= d[k] * bodies[j].m * mag;
        bodies[j].v[k] += d[k] * bodies[i].m * mag;
      }
    }
  for (int i = 0; i < 5; i++)
    for (int k = 0; k < 3; k++) bodies[i].x[k] += dt * bodies[i].v[k];
}

int main(int argc, char **argv) {
  for (long i = bench_rounds(argc, argv, 200000); i > 0; i--) advance(0.001);
  printf("nbody %.6f\n", bodies[0].x[0] + bodies[1].x[1] + bodies[4].x[2]);
}
