/* Arithmetic that generated decoders use on encoding fields: values of n bits (1 to 64) with zeros above. */
#ifndef ISOMER_CORE_DECODE_H
#define ISOMER_CORE_DECODE_H

#include <stdint.h>

/* One node of a decision tree: looks at the bits under mask from shift; entries are nodes, or DEC_LEAF + first candidate. */
struct dec_node {
  uint32_t base;
  uint16_t mask;
  uint8_t shift;
};
enum { DEC_LEAF = 0x8000 };

/* A leaf to try: the picture, the features it needs, how its operands lie, the number of its reserved condition (0: none).
 * A list of candidates ends with op 0. */
struct dec_candidate {
  uint64_t requires_;
  uint32_t mask, value;
  uint16_t op, layout, reserved;
  uint8_t flags; /* INSN_* */
};

static inline uint64_t dec_ones(unsigned n) { return n >= 64 ? ~0ull : (1ull << n) - 1; }

static inline int64_t dec_signed(uint64_t v, unsigned n) { return (int64_t)(v << (64 - n)) >> (64 - n); }

static inline uint64_t dec_shl(uint64_t v, unsigned n, uint64_t by) {
  return by >= n ? 0 : v << by & dec_ones(n);
}

static inline uint64_t dec_shru(uint64_t v, unsigned n, uint64_t by) { return by >= n ? 0 : v >> by; }

static inline uint64_t dec_shrs(uint64_t v, unsigned n, uint64_t by) {
  return (uint64_t)(dec_signed(v, n) >> (by >= n ? n - 1 : by)) & dec_ones(n);
}

static inline uint64_t dec_ror(uint64_t v, unsigned n, uint64_t by) {
  by %= n;
  return by ? (v >> by | v << (n - by)) & dec_ones(n) : v;
}

static inline uint64_t dec_rol(uint64_t v, unsigned n, uint64_t by) { return dec_ror(v, n, n - by % n); }

static inline uint64_t dec_clz(uint64_t v, unsigned n) {
  return v ? (uint64_t)__builtin_clzll(v) - (64 - n) : n;
}

static inline uint64_t dec_ctz(uint64_t v, unsigned n) { return v ? (uint64_t)__builtin_ctzll(v) : n; }

static inline uint64_t dec_bswap(uint64_t v, unsigned n) { return __builtin_bswap64(v) >> (64 - n); }

static inline uint64_t dec_brev(uint64_t v, unsigned n) {
  uint64_t r = 0;
  for (unsigned i = 0; i < n; i++) r = r << 1 | (v >> i & 1);
  return r;
}

/* Floor division as in descriptions; by zero gives 0, which the checker does not let constants do. */
static inline int64_t dec_div(int64_t a, int64_t b) {
  if (!b) return 0;
  int64_t q = a / b;
  return q - (a % b && (a < 0) != (b < 0));
}

static inline int64_t dec_mod(int64_t a, int64_t b) { return b ? a - dec_div(a, b) * b : 0; }

#endif
