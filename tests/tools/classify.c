/* Decodes words of a fixed-length ISA one after the other, on one core, and says how long that took: of each run of STEP
 * words (at least 1) the first; 1 is all 2^32. For tests/oracle/test_llvm.py and docs/performance.md.
 *
 *   classify ISA [STEP]
 *
 * Prints the words looked at, how many of them are instructions, the CPU seconds, nanoseconds per word, and a sum of the
 * instructions' numbers, so that two decoders can be compared. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/isa.h"

int main(int argc, char **argv) {
  const struct isa *isa = argc > 1 ? isa_find(argv[1]) : NULL;
  uint64_t step = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
  if (!isa || step == 0) {
    fprintf(stderr, "usage: classify ISA [STEP]\n");
    return 2;
  }
  union {
    struct insn head;
    char bytes[256];
  } d;
  uint64_t words = 0, known = 0, sum = 0;
  clock_t start = clock();
  for (uint64_t w = 0; w < UINT64_C(1) << 32; w += step, words++) {
    const uint8_t bytes[4] = {w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24 & 255};
    if (isa->decode(~UINT64_C(0), bytes, 4, &d.head) == 4) {
      known++;
      sum = sum * 31 + d.head.op;
    }
  }
  double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
  printf("%" PRIu64 " words, %" PRIu64 " instructions, %.2f s, %.2f ns each, sum %016" PRIx64 "\n", words,
         known, seconds, seconds * 1e9 / (double)words, sum);
  return 0;
}
