/* Counts of how often values of each size occurred: powers of two in eight equal parts, so a quantile is at most an eighth
 * too large. One writer; readers may see a count or two less. */
#ifndef ISOMER_CORE_HISTOGRAM_H
#define ISOMER_CORE_HISTOGRAM_H

#include "core/types.h"

enum { HISTOGRAM_PARTS = 8, HISTOGRAM_CELLS = 62 * HISTOGRAM_PARTS };

struct histogram {
  uint64_t n[HISTOGRAM_CELLS];
};

/* Values below 8 have a cell each. */
static inline unsigned histogram_cell(uint64_t x) {
  if (x < HISTOGRAM_PARTS) return (unsigned)x;
  const unsigned shift = 60 - (unsigned)__builtin_clzll(x); /* leaves four bits, the first of them 1 */
  return (shift + 1) * HISTOGRAM_PARTS + (unsigned)(x >> shift) % HISTOGRAM_PARTS;
}

/* The largest value that the cell counts. */
static inline uint64_t histogram_last(unsigned cell) {
  const unsigned shift = cell / HISTOGRAM_PARTS - (cell >= HISTOGRAM_PARTS);
  if (cell < HISTOGRAM_PARTS) return cell;
  return (((uint64_t)(cell % HISTOGRAM_PARTS + HISTOGRAM_PARTS) + 1) << shift) - 1;
}

static inline void histogram_count(struct histogram *h, uint64_t x) { h->n[histogram_cell(x)]++; }

static inline void histogram_add(struct histogram *sum, const struct histogram *h) {
  for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) sum->n[i] += h->n[i];
}

/* A value that at least `percent` of 100 of all counted ones do not exceed; 0 when there are none. */
static inline uint64_t histogram_quantile(const struct histogram *h, unsigned percent) {
  uint64_t all = 0, seen = 0;
  for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) all += h->n[i];
  for (unsigned i = 0; i < HISTOGRAM_CELLS && all; i++) {
    seen += h->n[i];
    if (seen * 100 >= all * percent) return histogram_last(i);
  }
  return 0;
}

#endif
