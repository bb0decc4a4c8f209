/* What the benchmark programs share: the number of rounds from the command line, a generator of numbers, a checksum at
 * the end. Every program prints one line that must not depend on the machine. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline long bench_rounds(int argc, char **argv, long normal) {
  long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
  return n > 0 ? n : normal;
}

static inline uint32_t bench_random(uint32_t *state) { /* xorshift32 */
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

#define BENCH_NOINLINE __attribute__((noinline))

#endif
