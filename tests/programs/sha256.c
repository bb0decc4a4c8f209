/* SHA-256 (FIPS 180-4) over the standard's own messages and some generated
 * ones. The status is 1 when a digest the standard publishes does not come out. */
#include "prog.h"

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

struct sha {
  uint32_t h[8];
  uint64_t len;
  uint8_t buf[64];
};

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void block(struct sha *s, const uint8_t *p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++)
    w[i] =
        (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
  }
  for (int i = 0; i < 8; i++) v[i] = s->h[i];
  for (int i = 0; i < 64; i++) {
    uint32_t e = v[4], a = v[0];
    uint32_t t1 = v[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + K[i] + w[i];
    uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    v[7] = v[6];
    v[6] = v[5];
    v[5] = v[4];
    v[4] = v[3] + t1;
    v[3] = v[2];
    v[2] = v[1];
    v[1] = v[0];
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) s->h[i] += v[i];
}

static void init(struct sha *s) {
  static const uint32_t h0[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int i = 0; i < 8; i++) s->h[i] = h0[i];
  s->len = 0;
}

static void add(struct sha *s, const void *data, size_t n) {
  const uint8_t *p = data;
  while (n--) {
    s->buf[s->len++ & 63] = *p++;
    if ((s->len & 63) == 0) block(s, s->buf);
  }
}

static void done(struct sha *s, uint8_t out[32]) {
  uint64_t bits = s->len * 8;
  uint8_t b = 0x80;
  do {
    add(s, &b, 1);
    b = 0;
  } while ((s->len & 63) != 56);
  for (int i = 7; i >= 0; i--) {
    b = (uint8_t)(bits >> (8 * i));
    add(s, &b, 1);
  }
  for (int i = 0; i < 32; i++) out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

static uint32_t run(const char *key, const void *p, size_t n, int times) {
  struct sha s;
  uint8_t d[32];
  init(&s);
  while (times--) add(&s, p, n);
  done(&s, d);
  put_bytes(key, d, 32);
  return s.h[0];
}

int prog_main(void) {
  static uint8_t data[4096];
  uint64_t seed = 0x9e3779b97f4a7c15;
  int bad = 0;
  bad |= run("abc", "abc", 3, 1) != 0xba7816bf;
  bad |= run("empty", "", 0, 1) != 0xe3b0c442;
  bad |= run("448", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 1) != 0x248d6a61;
  run("zero64k", data, sizeof data, 16);
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)rng_next(&seed);
  run("rng", data, sizeof data, 8);
  run("rng-odd", data + 3, 1001, 7);
  return bad;
}
