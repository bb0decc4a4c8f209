/* Boundary values of floating point, and the sum of all that a program sees. */
#include <stdint.h>

static uint64_t sum;
static void mix(uint64_t x) { sum = (sum ^ x) * 0x9e3779b97f4a7c15u + (sum >> 29); }

#define N(a) (int)(sizeof(a) / sizeof *(a))

/* The first are numbers (TAME of them), which host units compute alone; then come infinities, NaNs and borders. */
enum { TAME = 16 };
#define WIDE                                                                                                \
  0, 0x8000000000000000, 1, 0x800fffffffffffff, 0x0010000000000000, 0x8010000000000001, 0x3ff0000000000000, \
      0xbfefffffffffffff, 0x3ff0000000000001, 0x3fe0000000000000, 0xbff8000000000000, 0x4004000000000000,   \
      0x41dfffffffffffff, 0xc1e0000000100000, 0x43e0000000000000, 0x7fefffffffffffff, 0xffe0000000000000,   \
      0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000123, 0x7ff0000000000001,   \
      0xfff4000000000000, 0x3fefffffffffffff, 0x1ff0000000000000, 0x2000000000000001, 0x1fffffffffffffff
#define NARROW                                                                                          \
  0, 0x80000000, 1, 0x807fffff, 0x00800000, 0x80800001, 0x3f800000, 0xbf7fffff, 0x3f000000, 0xbfc00000, \
      0x40200000, 0x4effffff, 0xcf000001, 0x4f7fffff, 0xcf000000, 0x5f7fffff, 0x7f7fffff, 0xff800000,   \
      0x7f800000, 0x7fc00000, 0xffc00123, 0x7f800001, 0xffa00000, 0x3f7fffff, 0x3f800001, 0x20000000,   \
      0x1f800000, 0x20000001, 0x1fffffff, 0x00ffffff
