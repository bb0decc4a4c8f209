/* Operands for the tests of software floating point: boundary values of a format and seeded random
 * values weighted towards what goes wrong. It computes no results. */
#ifndef ISO_TEST_FP_VALUES_H
#define ISO_TEST_FP_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fmt {
  int w, p, bias;
};

static const struct fmt fmt16 = {16, 11, 15}, fmt32 = {32, 24, 127}, fmt64 = {64, 53, 1023};

static inline uint64_t fmt_make(const struct fmt *f, bool sign, int exp, uint64_t frac) {
  return (uint64_t)sign << (f->w - 1) | (uint64_t)exp << (f->p - 1) |
         (frac & ((UINT64_C(1) << (f->p - 1)) - 1));
}

static inline uint64_t fmt_inf(const struct fmt *f) { return fmt_make(f, 0, 2 * f->bias + 1, 0); }
static inline uint64_t fmt_abs(const struct fmt *f, uint64_t a) { return a & ~(UINT64_C(1) << (f->w - 1)); }
static inline bool fmt_nan(const struct fmt *f, uint64_t a) { return fmt_abs(f, a) > fmt_inf(f); }
static inline bool fmt_snan(const struct fmt *f, uint64_t a) {
  return fmt_nan(f, a) && !(a >> (f->p - 2) & 1);
}
static inline uint64_t fmt_qnan(const struct fmt *f) { return fmt_inf(f) | UINT64_C(1) << (f->p - 2); }

enum { FMT_BOUNDARY_MAX = 128 };

/* The first 16 stand for the kinds (used in triples). Every other one is negative of the one before. */
static inline int fmt_boundary(const struct fmt *f, uint64_t *v) {
  uint64_t all = UINT64_MAX, top = UINT64_C(1) << (f->p - 2);
  int b = f->bias, m = 2 * b + 1, n = 0;
#define PUT(exp, frac) (v[n++] = fmt_make(f, 0, exp, frac), v[n++] = fmt_make(f, 1, exp, frac))
  PUT(0, 0);
  PUT(0, 1);
  PUT(1, 0);
  PUT(b, 0);
  PUT(b, 1);
  PUT(m - 1, all);
  PUT(m, 0);
  PUT(m, top | 5);
  PUT(m, 3); /* signalling */
  PUT(0, all);
  PUT(0, all - 1);
  PUT(0, top);
  PUT(0, 3);
  PUT(1, 1);
  PUT(1, all);
  PUT(2, 0);
  PUT(b - 2, 0);
  PUT(b - 2, all);
  PUT(b - 1, 0);
  PUT(b - 1, 1);
  PUT(b - 1, all);
  PUT(b, top);
  PUT(b, all);
  PUT(b + 1, 0);
  PUT(b + 1, top);
  PUT(b + 1, top >> 1);
  PUT(m - 1, 0);
  PUT(m - 1, all - 1);
  PUT(m - 2, all);
  PUT(m, all);
  PUT(m, top);
  static const int ints[] = {7, 8, 15, 16, 31, 32, 63, 64, 65};
  for (unsigned i = 0; i < sizeof ints / sizeof *ints; i++) {
    if (ints[i] > b) continue;
    PUT(b + ints[i], 0);
    PUT(b + ints[i] - 1, all);
    if (ints[i] < f->p - 1) PUT(b + ints[i], UINT64_C(1) << (f->p - 2 - ints[i]));
    if (ints[i] < f->p) PUT(b + ints[i] - 1, all << (f->p - 1 - ints[i]) | (top >> (ints[i] - 1)));
  }
#undef PUT
  return n;
}

static uint64_t rnd_state = 0x1505;

static inline uint64_t rnd(void) { /* splitmix64 */
  uint64_t z = rnd_state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static inline uint64_t rnd_frac(const struct fmt *f) {
  uint64_t r = rnd(), s = rnd();
  switch (r & 7) {
  case 0: return UINT64_C(1) << s % f->p | UINT64_C(1) << (s >> 8) % f->p;
  case 1: return -(UINT64_C(1) << s % f->p);
  case 2: return (UINT64_C(1) << s % f->p) - 1;
  case 3: return s % 4;
  default: return s;
  }
}

/* A random operand; `near` is another operand of the same operation, for cancellation and for products
 * and quotients around the ends of the exponent range. */
static inline uint64_t rnd_fp(const struct fmt *f, uint64_t near) {
  uint64_t r = rnd(), s = rnd() >> 8;
  int m = 2 * f->bias + 1, ne = (int)(fmt_abs(f, near) >> (f->p - 1)), exp;
  switch (r & 15) {
  case 0:
  case 1:
  case 2: return rnd() >> (64 - f->w);
  case 3: exp = (int)(s % 3); break;
  case 4: exp = m - 1 - (int)(s % 3); break;
  case 5:
  case 6: exp = f->bias - 4 + (int)(s % 8); break;
  case 7: /* differs from near in the last places only */
    return (near ^ (s & 7) ^ (r >> 8 & 1) << (f->w - 1));
  case 8:
  case 9: exp = ne - 2 + (int)(s % 5); break;
  case 10: exp = ne - 2 * f->p + (int)(s % (4 * f->p)); break;
  case 11: /* product near the bottom */ exp = f->bias - ne - f->p + (int)(s % (2 * f->p)); break;
  case 12: /* product near the top */ exp = m + f->bias - ne - 2 + (int)(s % 4); break;
  case 13: /* quotient near the ends: swap roles */
    exp = s & 1 ? ne + f->bias - 3 + (int)(s >> 1) % 6 : ne - f->bias - 3 + (int)(s >> 1) % 6;
    break;
  default: /* integers and their halves */ exp = f->bias - 2 + (int)(s % (f->p + 4)); break;
  }
  exp = exp < 0 ? 0 : exp >= m ? m - 1 : exp;
  return fmt_make(f, r >> 8 & 1, exp, rnd_frac(f));
}

/* `--long` or ISOMER_FULL=1 multiplies the number of random cases. */
static int rnd_scale = 1;
static bool rnd_full;

static inline void rnd_init(int argc, char **argv) {
  const char *full = getenv("ISOMER_FULL");
  rnd_full = (argc > 1 && !strcmp(argv[1], "--long")) || (full && !strcmp(full, "1"));
  if (rnd_full) rnd_scale = 50;
}

/* Counts a mismatch and prints the first few. */
static int mismatches;

static inline void mismatch(const char *what, const uint64_t *in, int n, int rm, uint64_t got, int got_flags,
                            uint64_t want, int want_flags) {
  if (mismatches++ >= 20) return;
  fprintf(stderr, "%s(", what);
  for (int i = 0; i < n; i++) fprintf(stderr, "%s%#llx", i ? ", " : "", (unsigned long long)in[i]);
  fprintf(stderr, ") rm=%d: got %#llx flags %#x, want %#llx flags %#x\n", rm, (unsigned long long)got,
          got_flags, (unsigned long long)want, want_flags);
}

#endif
