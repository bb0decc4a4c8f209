/* Printing helpers and the four memory functions gcc may call by itself. Not a
 * libc: only what the test programs need, without any static state. */
#include "prog.h"

void *memcpy(void *restrict d, const void *restrict s, size_t n) {
  unsigned char *a = d;
  const unsigned char *b = s;
  while (n--) *a++ = *b++;
  return d;
}

void *memmove(void *d, const void *s, size_t n) {
  unsigned char *a = d;
  const unsigned char *b = s;
  if ((uintptr_t)d - (uintptr_t)s >= n)
    while (n--) *a++ = *b++;
  else
    while (n--) a[n] = b[n];
  return d;
}

void *memset(void *d, int c, size_t n) {
  unsigned char *a = d;
  while (n--) *a++ = (unsigned char)c;
  return d;
}

int memcmp(const void *x, const void *y, size_t n) {
  const unsigned char *a = x, *b = y;
  for (; n--; a++, b++)
    if (*a != *b) return *a - *b;
  return 0;
}

static size_t length(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

static size_t hex(char *out, uint64_t v, int digits) {
  for (int i = 0; i < digits; i++) out[i] = "0123456789abcdef"[v >> (4 * (digits - 1 - i)) & 15];
  return (size_t)digits;
}

/* A lost write would hide a wrong result, so it ends the program. */
static void out(const char *p, size_t n) {
  if (sys_write(1, p, n) != (long)n) sys_exit(99);
}

void put_str(const char *s) { out(s, length(s)); }

void put_hex(uint64_t v, int digits) {
  char b[16];
  out(b, hex(b, v, digits));
}

void put_dec(int64_t v) {
  char b[24];
  int i = sizeof b;
  uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
  do b[--i] = (char)('0' + u % 10);
  while (u /= 10);
  if (v < 0) b[--i] = '-';
  out(b + i, sizeof b - (size_t)i);
}

void put_kv(const char *key, uint64_t v) {
  char b[96];
  size_t n = length(key);
  if (n > 64) n = 64;
  memcpy(b, key, n);
  b[n++] = '=';
  n += hex(b + n, v, 16);
  b[n++] = '\n';
  out(b, n);
}

void put_bytes(const char *key, const void *p, int bytes) {
  char b[208];
  size_t n = length(key);
  const unsigned char *u = p;
  if (n > 64) n = 64;
  memcpy(b, key, n);
  b[n++] = '=';
  for (int i = 0; i < bytes && i < 64; i++) n += hex(b + n, u[i], 2);
  b[n++] = '\n';
  out(b, n);
}

uint64_t rng_next(uint64_t *s) {
  uint64_t x = *s;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *s = x;
}
