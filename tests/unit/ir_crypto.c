/* AES (FIPS 197) in its field, the rounds of SHA-1 and SHA-256 (FIPS 180-4), products of polynomials: as the standards write
 * them. */
#include "ir_crypto.h"

#include <stdbool.h>
#include <string.h>

#include "core/bits.h"

static uint8_t gf_mul(uint8_t a, uint8_t b) {
  uint8_t r = 0;
  for (; b; b >>= 1, a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0)))
    if (b & 1) r ^= a;
  return r;
}

static uint8_t substituted(uint8_t x) {
  uint8_t y = 1, r;
  for (int k = 0; k < 254; k++) y = gf_mul(y, x); /* x to the power of 254 is its inverse */
  r = (uint8_t)(0x63 ^ y);
  for (int k = 1; k < 5; k++) r ^= (uint8_t)(y << k | y >> (8 - k));
  return r;
}

static u128 rows(u128 x, bool back) {
  static uint8_t table[2][256];
  uint8_t in[16], out[16];
  if (!table[0][0])
    for (unsigned k = 0; k < 256; k++)
      table[0][k] = substituted((uint8_t)k), table[1][table[0][k]] = (uint8_t)k;
  memcpy(in, &x, 16);
  for (unsigned c = 0; c < 4; c++)
    for (unsigned r = 0; r < 4; r++) {
      if (back) out[4 * ((c + r) % 4) + r] = table[1][in[4 * c + r]];
      else out[4 * c + r] = table[0][in[4 * ((c + r) % 4) + r]];
    }
  memcpy(&x, out, 16);
  return x;
}

static u128 columns(u128 x, const uint8_t by[4]) {
  uint8_t in[16], out[16] = {0};
  memcpy(in, &x, 16);
  for (unsigned k = 0; k < 64; k++) out[k / 4] ^= gf_mul(in[k / 16 * 4 + k % 4], by[(k % 4 - k / 4) % 4]);
  memcpy(&x, out, 16);
  return x;
}

static u128 product(uint64_t a, uint64_t b) {
  u128 r = 0;
  for (unsigned k = 0; k < 64; k++)
    if (b >> k & 1) r ^= (u128)a << k;
  return r;
}

static uint32_t rol(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }
static uint32_t ror(uint32_t x, unsigned n) { return rol(x, 32 - n); }
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (~x & z); }
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (x & z) ^ (y & z); }

struct words {
  uint32_t w[4];
};
static struct words words(u128 x) {
  struct words r;
  memcpy(&r, &x, 16);
  return r;
}
static u128 whole(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return (u128)((uint64_t)d << 32 | c) << 64 | ((uint64_t)b << 32 | a);
}

static u128 sha1(enum ir_op op, struct words s, struct words w, uint32_t e) {
  uint32_t a = s.w[0], b = s.w[1], c = s.w[2], d = s.w[3];
  for (unsigned k = 0; k < 4; k++) {
    const uint32_t f = op == IR_VSHAC ? choose(b, c, d) : op == IR_VSHAP ? b ^ c ^ d : majority(b, c, d);
    const uint32_t t = rol(a, 5) + f + e + w.w[k];
    e = d, d = c, c = rol(b, 30), b = a, a = t;
  }
  return whole(a, b, c, d);
}

static u128 sha256(struct words x, struct words y, struct words w) {
  uint32_t h = x.w[0], g = x.w[1], d = x.w[2], c = x.w[3], f = y.w[0], e = y.w[1], b = y.w[2], a = y.w[3];
  for (unsigned k = 0; k < 2; k++) {
    const uint32_t t = h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + choose(e, f, g) + w.w[k];
    const uint32_t u = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + majority(a, b, c);
    h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
  }
  return whole(f, e, b, a);
}

static u128 first(struct words a, struct words b) {
  uint32_t r[4];
  for (unsigned k = 0; k < 4; k++) {
    const uint32_t x = k < 3 ? a.w[k + 1] : b.w[0];
    r[k] = a.w[k] + (ror(x, 7) ^ ror(x, 18) ^ x >> 3);
  }
  return whole(r[0], r[1], r[2], r[3]);
}

static u128 second(struct words a, struct words b) {
  uint32_t r[6] = {b.w[2], b.w[3]};
  for (unsigned k = 0; k < 4; k++) r[k + 2] = a.w[k] + (ror(r[k], 17) ^ ror(r[k], 19) ^ r[k] >> 10);
  return whole(r[2], r[3], r[4], r[5]);
}

u128 eval_crypto(enum ir_op op, u128 a, u128 b, u128 c) {
  static const uint8_t mix[4] = {2, 3, 1, 1}, unmix[4] = {14, 11, 13, 9};
  switch (op) {
  case IR_VCLMULL: return product((uint64_t)a, (uint64_t)b);
  case IR_VCLMULH: return product((uint64_t)(a >> 64), (uint64_t)(b >> 64));
  case IR_VAESS: return rows(a, false);
  case IR_VAESM: return columns(a, mix);
  case IR_VAESSM: return columns(rows(a, false), mix);
  case IR_VAESD: return rows(a, true);
  case IR_VAESIM: return columns(a, unmix);
  case IR_VAESDM: return columns(rows(a, true), unmix);
  case IR_VSHBR: return sha256(words(a), words(b), words(c));
  case IR_VSHBF: return first(words(a), words(b));
  case IR_VSHBS: return second(words(a), words(b));
  default: return sha1(op, words(a), words(b), (uint32_t)c);
  }
}
