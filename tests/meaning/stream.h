/* The streams of cases and results that exec_leaf and native exchange with tests/lib/meaning.py, little endian. Input:
 * header, names of the state's words (blank-separated), base values of the words and of the scratch memory, slots, cases
 * (each followed by its changes to the base). Output: per case a result and its changes to the case's start. */
#ifndef TESTS_MEANING_STREAM_H
#define TESTS_MEANING_STREAM_H

#include <stdint.h>

/* Instructions lie in slots of the code area, one each; everything else there is breakpoints. The scratch memory lies
 * across the border of two pages; nothing is mapped around them. */
#define CODE          UINT64_C(0x50000000)
#define SLOT_SIZE     64
#define CODE_SLOTS    8192 /* the LANDING slots behind them are breakpoints alone */
#define LANDING       64
#define SCRATCH_PAGE  UINT64_C(0x50090000)
#define SCRATCH       (SCRATCH_PAGE + 4096 - 128)
#define SCRATCH_WORDS 32

struct header {
  uint32_t nwords, nslots, ncases;
  uint32_t names;  /* bytes, a multiple of 8 */
  uint32_t repeat; /* instructions that restart themselves are repeated until they do not */
  uint32_t zero;
};
struct slot {
  uint32_t len;
  uint8_t code[20];
};
struct test_case {
  uint32_t slot, nsets;
};
/* word: of the state, then of the scratch memory. */
struct change {
  uint32_t word, zero;
  uint64_t value;
};
/* KIND_JUMP: to pc. KIND_TRAP: signal is what Linux sends; trap and arguments are Isomer's alone, as is op, the leaf.
 * KIND_ILLEGAL: the bytes were not decoded to one instruction of their length. */
enum { KIND_NEXT, KIND_JUMP, KIND_TRAP, KIND_RESTART, KIND_WAIT, KIND_ILLEGAL };
struct result {
  uint32_t kind, signal;
  uint64_t pc;
  uint32_t op, trap;
  uint32_t nargs, nchanges;
  uint64_t arg[3];
};

#endif
