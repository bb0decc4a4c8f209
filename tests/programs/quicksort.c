/* Quicksort over several element types and comparison orders, checked by the
 * program itself (order and sum) and by what it prints. */
#include "prog.h"

struct rec {
  uint32_t key;
  int16_t aux;
  uint8_t tag;
  uint64_t payload;
};

typedef int (*cmp_fn)(const void *, const void *);

static void swap(uint8_t *a, uint8_t *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint8_t t = a[i];
    a[i] = b[i];
    b[i] = t;
  }
}

static void sort(uint8_t *base, long lo, long hi, size_t size, cmp_fn cmp) {
  while (lo < hi) {
    long i = lo, j = hi, p = lo + (hi - lo) / 2;
    while (i <= j) {
      while (cmp(base + i * size, base + p * size) < 0) i++;
      while (cmp(base + j * size, base + p * size) > 0) j--;
      if (i <= j) {
        swap(base + i * size, base + j * size, size);
        if (p == i) p = j;
        else if (p == j) p = i;
        i++;
        j--;
      }
    }
    if (j - lo < hi - i) {
      sort(base, lo, j, size, cmp);
      lo = i;
    } else {
      sort(base, i, hi, size, cmp);
      hi = j;
    }
  }
}

#define CMP(name, type)                              \
  static int name(const void *a, const void *b) {    \
    type x = *(const type *)a, y = *(const type *)b; \
    return (x > y) - (x < y);                        \
  }
CMP(cmp_i8, int8_t)
CMP(cmp_u16, uint16_t)
CMP(cmp_i32, int32_t)
CMP(cmp_u64, uint64_t)
CMP(cmp_i64, int64_t)

static int cmp_rec(const void *a, const void *b) {
  const struct rec *x = a, *y = b;
  if (x->tag != y->tag) return x->tag < y->tag ? 1 : -1;
  if (x->aux != y->aux) return x->aux < y->aux ? -1 : 1;
  return x->payload < y->payload ? -1 : x->payload > y->payload;
}

static uint64_t mix(const void *p, size_t n) {
  const uint8_t *u = p;
  uint64_t h = 0xcbf29ce484222325;
  while (n--) h = (h ^ *u++) * 0x100000001b3;
  return h;
}

static union {
  uint8_t b[1];
  uint64_t q[1000];
} work;
static struct rec recs[300];

static int try(const char *key, size_t size, long n, cmp_fn cmp, uint64_t *seed) {
  int bad = 0;
  for (size_t i = 0; i < sizeof work.q / sizeof work.q[0]; i++) work.q[i] = rng_next(seed);
  sort(work.b, 0, n - 1, size, cmp);
  for (long i = 1; i < n; i++) bad += cmp(work.b + (i - 1) * size, work.b + i * size) > 0;
  put_kv(key, mix(work.b, size * n));
  return bad;
}

/* The same again inlined: a Lomuto partition over plain integers. */
static void sort32(int32_t *v, int n) {
  if (n < 2) return;
  int32_t pivot = v[n / 2], t;
  int k = 0;
  v[n / 2] = v[n - 1];
  for (int i = 0; i < n - 1; i++)
    if (v[i] < pivot) {
      t = v[i];
      v[i] = v[k];
      v[k++] = t;
    }
  v[n - 1] = v[k];
  v[k] = pivot;
  sort32(v, k);
  sort32(v + k + 1, n - k - 1);
}

int prog_main(void) {
  uint64_t seed = 12345, sum = 0;
  int bad = 0;
  bad += try("i8", 1, 2000, cmp_i8, &seed);
  bad += try("u16", 2, 1500, cmp_u16, &seed);
  bad += try("i32", 4, 1200, cmp_i32, &seed);
  bad += try("u64", 8, 1000, cmp_u64, &seed);
  bad += try("i64", 8, 999, cmp_i64, &seed);
  for (int i = 0; i < 300; i++) {
    uint64_t r = rng_next(&seed);
    recs[i] = (struct rec){(uint32_t)(r >> 3), (int16_t)(r >> 40), (uint8_t)(r & 7), r * r};
    sum += recs[i].payload;
  }
  sort((uint8_t *)recs, 0, 299, sizeof recs[0], cmp_rec);
  for (int i = 0; i < 300; i++) {
    sum -= recs[i].payload;
    bad += i && cmp_rec(&recs[i - 1], &recs[i]) > 0;
  }
  bad += sum != 0;
  for (int i = 0; i < 300; i += 37) {
    put_dec(recs[i].aux);
    put_str(" ");
    put_dec(recs[i].tag);
    put_str(" ");
    put_hex(recs[i].payload, 16);
    put_str("\n");
  }
  int32_t *v = (int32_t *)work.q;
  for (int i = 0; i < 1500; i++) v[i] = (int32_t)rng_next(&seed) >> (i % 24);
  sort32(v, 1500);
  for (int i = 1; i < 1500; i++) bad += v[i - 1] > v[i];
  put_kv("plain", mix(v, 6000));
  put_dec(v[0]);
  put_str("\n");
  put_dec(v[1499]);
  put_str("\n");
  return bad > 99 ? 99 : bad;
}
