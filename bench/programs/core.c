/* The mix CoreMark is known for: a linked list searched, reversed and merge-sorted; small integer matrices; a state
 * machine over text; a CRC over all results. */
#include "bench.h"

enum { NODES = 200, N = 9, TEXT = 600 };

struct node {
  struct node *next;
  int16_t *info;
};
static struct node nodes[NODES];
static int16_t infos[NODES][2];

BENCH_NOINLINE static uint16_t crc8(uint8_t data, uint16_t crc) {
  for (int i = 0; i < 8; i++) {
    int carry = (data & 1) ^ (crc & 1);
    data >>= 1;
    crc >>= 1;
    if (carry) crc ^= 0xa001;
  }
  return crc;
}
static uint16_t crc16(uint16_t v, uint16_t crc) { return crc8((uint8_t)(v >> 8), crc8((uint8_t)v, crc)); }
static uint16_t crc32(uint32_t v, uint16_t crc) {
  return crc16((uint16_t)(v >> 16), crc16((uint16_t)v, crc));
}

typedef int compare_fn(const int16_t *, const int16_t *);
static int by_value(const int16_t *a, const int16_t *b) { return a[0] - b[0]; }
static int by_index(const int16_t *a, const int16_t *b) { return a[1] - b[1]; }

static struct node *merge_sort(struct node *list, compare_fn *cmp) {
  for (int width = 1;; width *= 2) {
    struct node *p = list, *tail = NULL;
    int merges = 0;
    list = NULL;
    while (p) {
      struct node *q = p;
      int np = 0, nq = width;
      merges++;
      while (np < width && q) np++, q = q->next;
      while (np || (nq && q)) {
        struct node *e;
        if (!np || (nq && q && cmp(p->info, q->info) > 0)) e = q, q = q->next, nq--;
        else e = p, p = p->next, np--;
        if (tail) tail->next = e;
        else list = e;
        tail = e;
      }
      p = q;
    }
    tail->next = NULL;
    if (merges <= 1) return list;
  }
}

static struct node *reverse(struct node *list) {
  struct node *out = NULL;
  while (list) {
    struct node *next = list->next;
    list->next = out;
    out = list;
    list = next;
  }
  return out;
}

static struct node *find(struct node *list, int16_t value) {
  while (list && list->info[0] != value) list = list->next;
  return list;
}

static uint16_t lists(uint32_t seed, uint16_t crc) {
  for (int i = 0; i < NODES; i++) {
    infos[i][0] = (int16_t)(bench_random(&seed) & 0x3ff);
    infos[i][1] = (int16_t)i;
    nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : NULL, infos[i]};
  }
  struct node *list = nodes;
  for (int i = 0; i < 20; i++) {
    struct node *hit = find(list, (int16_t)(i * 37 & 0x3ff));
    if (hit) crc = crc16((uint16_t)hit->info[1], crc);
    list = reverse(list);
  }
  list = merge_sort(list, by_value);
  for (struct node *n = list; n; n = n->next) crc = crc16((uint16_t)n->info[0], crc);
  list = merge_sort(list, by_index);
  return crc16((uint16_t)list->info[0], crc);
}

BENCH_NOINLINE static uint16_t matrices(int16_t seed, uint16_t crc) {
  static int16_t a[N][N], b[N][N];
  static int32_t c[N][N];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) a[i][j] = (int16_t)(seed + i * j), b[i][j] = (int16_t)(seed - i + 2 * j);
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) {
        int32_t sum = 0;
        for (int k = 0; k < N; k++) {
          int32_t p = a[i][k] * b[k][j];
          sum += round & 1 ? (p >> 2 & 15) * (p >> 5 & 127) : p;
        }
        c[i][j] = sum;
      }
    int32_t before = 0, total = 0;
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) {
        total += c[i][j] > before ? 10 : c[i][j] & 7;
        before = c[i][j];
        a[i][j] = (int16_t)(a[i][j] + seed);
      }
    crc = crc32((uint32_t)total, crc);
  }
  return crc;
}

enum state { START, INTEGER, FLOAT, EXPONENT, SIGN, BAD, STATES };

BENCH_NOINLINE static enum state scan(const char **at, unsigned *count) {
  enum state s = START;
  const char *p = *at;
  for (; *p; p++) {
    char c = *p;
    if (c == ',') {
      p++;
      break;
    }
    int digit = c >= '0' && c <= '9';
    switch (s) {
    case START: s = digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FLOAT : BAD; break;
    case SIGN: s = digit ? INTEGER : c == '.' ? FLOAT : BAD; break;
    case INTEGER: s = digit ? INTEGER : c == '.' ? FLOAT : c == 'e' ? EXPONENT : BAD; break;
    case FLOAT: s = digit ? FLOAT : c == 'e' ? EXPONENT : BAD; break;
    case EXPONENT: s = digit || c == '-' ? EXPONENT : BAD; break;
    default: break;
    }
    count[s]++;
  }
  *at = p;
  return s;
}

static uint16_t states(uint32_t seed, uint16_t crc) {
  static const char *const words[] = {"5012,",     "-874,",     "+122,",     "35.54400,",
                                      ".1234500,", "-110.700,", "5.500e3,",  "-.123e-2,",
                                      "T0.3e-1F,", "-T.T++Tq,", "1T3.4e4z,", "34.0e-T^,"};
  static char text[TEXT + 16];
  unsigned ends[STATES] = {0}, count[STATES] = {0};
  size_t n = 0;
  while (n < TEXT) {
    const char *w = words[bench_random(&seed) % (sizeof words / sizeof *words)];
    size_t len = strlen(w);
    memcpy(text + n, w, len + 1);
    n += len;
  }
  for (const char *p = text; *p;) ends[scan(&p, count)]++;
  for (int i = 0; i < STATES; i++) crc = crc32(ends[i] << 16 | (count[i] & 0xffff), crc);
  return crc;
}

int main(int argc, char **argv) {
  uint16_t crc = 0;
  for (long n = bench_rounds(argc, argv, 1000), i = 1; i <= n; i++) {
    crc = lists((uint32_t)i, crc);
    crc = matrices((int16_t)i, crc);
    crc = states((uint32_t)i * 7 + 1, crc);
  }
  printf("core %04x\n", crc);
}
