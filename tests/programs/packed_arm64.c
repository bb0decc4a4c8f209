/* Vector instructions of arm64, floating point in every mode: a line per instruction and mode with a sum of all results and
 * raised flags, over boundary values in every lane. rows.h, from tests/test_jit_packed.py, names the instructions. */
#include <stdio.h>

#include "float_values.h"

static uint64_t seed;
static uint64_t rnd(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return seed >> 24;
}

static const uint64_t wide[] = {WIDE};
static const uint32_t narrow[] = {NARROW};

/* Few of the values are NaNs and infinities in `tame` rounds, so that what host units do is seen too. */
static void operand(uint64_t x[2], int width, int tame) {
  for (int i = 0; i < 2; i++) {
    if (width == 64) {
      x[i] = wide[rnd() % (tame ? TAME : N(wide))];
    } else if (width == 32) {
      x[i] = narrow[rnd() % (tame ? TAME : N(narrow))];
      x[i] |= (uint64_t)narrow[rnd() % (tame ? TAME : N(narrow))] << 32;
    } else {
      x[i] = rnd() << 40 ^ rnd() << 20 ^ rnd();
    }
  }
}

static void row(const char *text, int width, void (*run)(uint64_t v[4][2])) {
  static const uint64_t modes[] = {0, 1 << 22, 2 << 22, 3 << 22, 1 << 24, 1 << 25};
  for (unsigned m = 0; m < (width ? N(modes) : 1); m++) {
    seed = 1, sum = 0;
    for (int k = 0; k < 200; k++) {
      uint64_t v[4][2], f; /* all of it may be changed */
      for (int i = 0; i < 4; i++) operand(v[i], width, k % 4);
      __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, xzr" : : "r"(modes[m]) : "memory");
      run(v);
      __asm__ volatile("mrs %0, fpsr\n\tmsr fpcr, xzr" : "=r"(f) : : "memory");
      mix(v[0][0]);
      mix(v[0][1]);
      mix(f);
    }
    printf("%-40s %u %016llx\n", text, m, (unsigned long long)sum);
  }
}

/* v0 is overwritten or added to; v3 holds numbers of bytes, some beyond any table. */
#define R(n, width, text)                                                                                   \
  __attribute__((noinline)) static void run##n(uint64_t v[4][2]) {                                          \
    __asm__ volatile("ldp q0, q1, [%0]\n\tldp q2, q3, [%0, 32]\n\tmovi v4.16b, #63\n\tand v3.16b, v3.16b, " \
                     "v4.16b\n\t" text "\n\tstr q0, [%0]"                                                   \
                     :                                                                                      \
                     : "r"(v)                                                                               \
                     : "x9", "x10", "v0", "v1", "v2", "v3", "v4", "memory");                                \
  }
#include "rows.h"
#undef R

int main(void) {
#define R(n, width, text) row(text, width, run##n);
#include "rows.h"
}
