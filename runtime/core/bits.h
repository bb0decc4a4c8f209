/* Integer operations of generated code: total shifts, division without undefined behaviour, bit counting. Values of
 * w bits travel in the low bits of uint64_t (w <= 64) or u128 (w <= 128) with all higher bits zero. */
#ifndef ISOMER_CORE_BITS_H
#define ISOMER_CORE_BITS_H

#include "core/types.h"

static inline uint64_t bits_mask(unsigned w) { return w >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << w) - 1; }
static inline u128 bits_mask128(unsigned w) { return w >= 128 ? ~(u128)0 : ((u128)1 << w) - 1; }

/* The w-bit value x sign-extended to 64 or 128 bits. */
static inline uint64_t bits_sext(uint64_t x, unsigned w) {
  return (uint64_t)((int64_t)(x << (64 - w)) >> (64 - w));
}
static inline u128 bits_sext128(u128 x, unsigned w) { return (u128)((i128)(x << (128 - w)) >> (128 - w)); }

/* Shifts of a w-bit value; n >= w gives 0 (or the sign). */
static inline uint64_t bits_shl(uint64_t x, uint64_t n, unsigned w) {
  return n < w ? (x << n) & bits_mask(w) : 0;
}
static inline uint64_t bits_shru(uint64_t x, uint64_t n, unsigned w) { return n < w ? x >> n : 0; }
static inline uint64_t bits_shrs(uint64_t x, uint64_t n, unsigned w) {
  return (uint64_t)((int64_t)bits_sext(x, w) >> (n < w ? n : w - 1)) & bits_mask(w);
}
static inline u128 bits_shl128(u128 x, uint64_t n, unsigned w) {
  return n < w ? (x << n) & bits_mask128(w) : 0;
}
static inline u128 bits_shru128(u128 x, uint64_t n, unsigned w) { return n < w ? x >> n : 0; }
static inline u128 bits_shrs128(u128 x, uint64_t n, unsigned w) {
  return (u128)((i128)bits_sext128(x, w) >> (n < w ? n : w - 1)) & bits_mask128(w);
}
static inline uint64_t bits_ror(uint64_t x, uint64_t n, unsigned w) {
  n %= w;
  return n ? (x >> n | x << (w - n)) & bits_mask(w) : x;
}
static inline uint64_t bits_rol(uint64_t x, uint64_t n, unsigned w) { return bits_ror(x, w - n % w, w); }
static inline u128 bits_ror128(u128 x, uint64_t n, unsigned w) {
  n %= w;
  return n ? (x >> n | x << (w - n)) & bits_mask128(w) : x;
}
static inline u128 bits_rol128(u128 x, uint64_t n, unsigned w) { return bits_ror128(x, w - n % w, w); }

static inline uint64_t bits_clz(uint64_t x, unsigned w) {
  return x ? (uint64_t)__builtin_clzll(x) - (64 - w) : w;
}
static inline uint64_t bits_ctz(uint64_t x, unsigned w) { return x ? (uint64_t)__builtin_ctzll(x) : w; }
static inline uint64_t bits_popcount(uint64_t x) { return (uint64_t)__builtin_popcountll(x); }
/* 1 when the number of set bits is even. */
static inline uint64_t bits_parity(uint64_t x) { return !__builtin_parityll(x); }
static inline uint64_t bits_bswap(uint64_t x, unsigned w) { return __builtin_bswap64(x) >> (64 - w); }

/* Every byte that is not zero becomes 0xff. */
static inline uint64_t bits_orc8(uint64_t x) {
  uint64_t low = UINT64_C(0x0101010101010101), t = x | x >> 4;
  t |= t >> 2;
  t |= t >> 1;
  /* bits shifted in from the next byte only reach positions 4..7 of a byte; bit 0 saw bits 0..7 of its own */
  return (t & low) * 0xff;
}
static inline uint64_t bits_brev(uint64_t x, unsigned w) {
  x = (x & UINT64_C(0x5555555555555555)) << 1 | (x >> 1 & UINT64_C(0x5555555555555555));
  x = (x & UINT64_C(0x3333333333333333)) << 2 | (x >> 2 & UINT64_C(0x3333333333333333));
  x = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4 | (x >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f));
  return __builtin_bswap64(x) >> (64 - w);
}

/* Division: by zero gives 0 (the description says what the guest sees), the signed overflow wraps. */
static inline uint64_t bits_divu(uint64_t a, uint64_t b) { return b ? a / b : 0; }
static inline uint64_t bits_remu(uint64_t a, uint64_t b) { return b ? a % b : 0; }
static inline uint64_t bits_divs(uint64_t a, uint64_t b, unsigned w) {
  int64_t x = (int64_t)bits_sext(a, w), y = (int64_t)bits_sext(b, w);
  if (!y) return 0;
  return (y == -1 ? -(uint64_t)x : (uint64_t)(x / y)) & bits_mask(w);
}
static inline uint64_t bits_rems(uint64_t a, uint64_t b, unsigned w) {
  int64_t x = (int64_t)bits_sext(a, w), y = (int64_t)bits_sext(b, w);
  if (!y || y == -1) return 0;
  return (uint64_t)(x % y) & bits_mask(w);
}
static inline u128 bits_divu128(u128 a, u128 b) { return b ? a / b : 0; }
static inline u128 bits_remu128(u128 a, u128 b) { return b ? a % b : 0; }
static inline u128 bits_divs128(u128 a, u128 b, unsigned w) {
  i128 x = (i128)bits_sext128(a, w), y = (i128)bits_sext128(b, w);
  if (!y) return 0;
  return (y == -1 ? -(u128)x : (u128)(x / y)) & bits_mask128(w);
}
static inline u128 bits_rems128(u128 a, u128 b, unsigned w) {
  i128 x = (i128)bits_sext128(a, w), y = (i128)bits_sext128(b, w);
  if (!y || y == -1) return 0;
  return (u128)(x % y) & bits_mask128(w);
}

/* Integers of translation time: division rounds towards minus infinity, as the generator's own does. */
static inline i128 int_div(i128 a, i128 b) {
  i128 q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}
static inline i128 int_mod(i128 a, i128 b) { return a - int_div(a, b) * b; }
static inline i128 int_shl(i128 a, i128 n) { return n >= 0 && n < 128 ? (i128)((u128)a << (unsigned)n) : 0; }
static inline i128 int_shr(i128 a, i128 n) { return a >> (n >= 0 && n < 127 ? (unsigned)n : 127); }

/* A wide register: lanes of every size over the same bytes, lane 0 lowest. */
union vreg {
  uint8_t b8[32];
  uint16_t b16[16];
  uint32_t b32[8];
  uint64_t b64[4];
  u128 b128[2];
};
union vreg128 {
  uint8_t b8[16];
  uint16_t b16[8];
  uint32_t b32[4];
  uint64_t b64[2];
  u128 b128[1];
};

#endif
