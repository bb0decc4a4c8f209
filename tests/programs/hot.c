/* For profiles: one loop, called by two functions, three turns out of four for the first. */
#include "prog.h"

#define FRAME __attribute__((noinline, optimize("no-omit-frame-pointer")))

FRAME uint64_t turn(uint64_t n) {
  uint64_t x = 1;
  while (n--) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    __asm__ volatile("" : "+r"(x));
  }
  return x;
}

/* The calls are not the last that they do. */
FRAME uint64_t often(uint64_t n) {
  uint64_t x = turn(3 * n);
  __asm__ volatile("" : "+r"(x));
  return x;
}

FRAME uint64_t seldom(uint64_t n) {
  uint64_t x = turn(n);
  __asm__ volatile("" : "+r"(x));
  return x;
}

FRAME int prog_main(void) {
  uint64_t x = 0;
  for (int i = 0; i < 4000; i++) x += often(5000) - seldom(5000);
  put_kv("x", x);
  return 0;
}
