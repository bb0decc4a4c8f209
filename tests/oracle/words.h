/* Words of a fixed-length ISA for the oracles: pictures of its leaves, words made from them, our texts, and the table of
 * accepted differences. For tests only; state is the including program's own. Knows neither an ISA nor an oracle. */
#ifndef ISOMER_TESTS_WORDS_H
#define ISOMER_TESTS_WORDS_H

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"

enum { TEXT = 160, MAX_ROWS = 4096, MAX_SHOWN = 400, KEY_BITS = 12 };

struct picture {
  uint32_t mask, value;
  unsigned length; /* bits */
  unsigned known;  /* the oracle has this instruction */
  char name[64];
};

struct row {
  uint32_t mask, value;
  char ours[TEXT], theirs[TEXT];
  uint64_t used;
};

/* Pictures by the bits that tell most of them apart. */
struct buckets {
  uint16_t key[4][256]; /* of each byte of a word; or them */
  uint16_t start[(1 << KEY_BITS) + 1];
  uint16_t *items;
};

static struct picture pictures[MAX_ROWS];
static struct row rows[MAX_ROWS];
static struct buckets buckets;
static unsigned npictures, nrows, shown;
static uint64_t seed, compared, accepted, different;
static const struct isa *isa;

static inline uint64_t next(void) { /* splitmix64 */
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* Tabs to blanks, runs to one, none at the ends. */
static inline void squeeze(char *s) {
  char *w = s;
  for (char *r = s; *r; r++) {
    char c = *r == '\t' ? ' ' : *r;
    if (c == ' ' && (w == s || w[-1] == ' ')) continue;
    *w++ = c;
  }
  while (w > s && w[-1] == ' ') w--;
  *w = 0;
}

union decoded {
  struct insn head;
  char bytes[256];
};

/* Returns our length; the text is "-" when we do not decode. */
static inline int ours(const uint8_t *bytes, size_t n, union decoded *d, unsigned flags, char *text) {
  int len = isa->decode(~0ull, bytes, n, &d->head);
  if (len > 0) isa->disasm(&d->head, 0, flags, text, TEXT);
  else strcpy(text, "-");
  squeeze(text);
  return len;
}

/* Judges one difference: an accepted row, or a line of output. */
static inline void differ(uint32_t w, unsigned nbytes, const char *a, const char *b) {
  for (unsigned i = 0; i < nrows; i++)
    if ((w & rows[i].mask) == rows[i].value && fnmatch(rows[i].ours, a, 0) == 0 &&
        fnmatch(rows[i].theirs, b, 0) == 0) {
      rows[i].used++;
      accepted++;
      return;
    }
  different++;
  if (shown++ < MAX_SHOWN) printf("differ\t%0*x\t%s\t%s\n", (int)nbytes * 2, w, a, b);
}

static inline unsigned word_key(uint32_t w) {
  return buckets.key[0][w & 255] | buckets.key[1][w >> 8 & 255] | buckets.key[2][w >> 16 & 255] |
         buckets.key[3][w >> 24];
}

/* A picture matches the word. */
static inline bool claimed(uint32_t w) {
  unsigned k = word_key(w);
  for (unsigned i = buckets.start[k]; i < buckets.start[k + 1]; i++) {
    const struct picture *p = &pictures[buckets.items[i]];
    if ((w & p->mask) == p->value) return true;
  }
  return false;
}

/* A word of a picture, seldom a neighbour of one, or anything at all. */
static inline uint32_t structured(unsigned *nbytes) {
  const struct picture *p = &pictures[next() % npictures];
  uint32_t w = (uint32_t)next();
  uint64_t how = next();
  if (how % 16 == 0) { /* anything at all */
    *nbytes = 4;
    return w;
  }
  w = (w & ~p->mask) | p->value;
  if (how % 16 == 1) /* a neighbour: one or two bits off */
    w ^= 1u << (how >> 8) % p->length ^ (how >> 16 & 1) << (how >> 24) % p->length;
  if (how % 16 == 2) /* zeros and ones in the open bits */
    w = (how >> 8 & 1) ? p->value : p->value | ~p->mask;
  *nbytes = p->length / 8;
  if (p->length == 16) w &= 0xffff;
  return w;
}

/* A part of the whole space, the words from first * 2^20 on; those that hold a shorter instruction are left out, and
 * without `all` those that no picture matches. */
static inline void sweep(uint64_t first, uint64_t count, bool all,
                         void (*compare)(uint32_t w, unsigned nbytes)) {
  uint8_t bytes[4];
  union decoded d;
  for (uint64_t w = first << 20; w < (first + count) << 20 && w >> 32 == 0; w++) {
    memcpy(bytes, &(uint32_t){(uint32_t)w}, 4); /* the host is little endian */
    bool shorter = isa->insn_unit < 4 && isa->decode(~0ull, bytes, isa->insn_unit, &d.head) >= 0;
    if (!shorter && (all || claimed((uint32_t)w))) compare((uint32_t)w, 4);
  }
}

/* The bits that most pictures fix, evenly to 0 and 1; then each key's pictures in leaf order. */
static inline void fill_buckets(void) {
  unsigned bit[KEY_BITS];
  uint32_t taken = 0;
  for (unsigned k = 0; k < KEY_BITS; k++) {
    int best = -1, most = -1;
    for (int b = 0; b < 32; b++) {
      int n[2] = {0, 0};
      for (unsigned i = 0; i < npictures; i++)
        if (pictures[i].mask >> b & 1) n[pictures[i].value >> b & 1]++;
      int least = n[0] < n[1] ? n[0] : n[1];
      if (!(taken >> b & 1) && least > most) best = b, most = least;
    }
    taken |= 1u << best;
    bit[k] = (unsigned)best;
    for (unsigned v = 0; v < 256; v++)
      if (v >> (best & 7) & 1) buckets.key[best >> 3][v] |= 1u << k;
  }
  unsigned n = 0, room = 0;
  for (unsigned k = 0; k < 1u << KEY_BITS; k++) {
    uint32_t w = 0;
    for (unsigned j = 0; j < KEY_BITS; j++) w |= (k >> j & 1) << bit[j];
    buckets.start[k] = (uint16_t)n;
    for (unsigned i = 0; i < npictures; i++) {
      if (((w ^ pictures[i].value) & pictures[i].mask & taken) != 0) continue;
      if (n == room) buckets.items = realloc(buckets.items, (room = 2 * room + 4096) * sizeof *buckets.items);
      if (!buckets.items || n == UINT16_MAX) {
        fprintf(stderr, "too many pictures for the buckets\n");
        exit(2);
      }
      buckets.items[n++] = (uint16_t)i;
    }
  }
  buckets.start[1 << KEY_BITS] = (uint16_t)n;
}

static inline FILE *open_or_die(const char *path) {
  FILE *f = fopen(path, "r");
  if (!f) {
    perror(path);
    exit(2);
  }
  return f;
}

/* pictures: lines "mask value length known name" (hex hex bits 0|1), in leaf order; accepted: lines "mask value
 * ours<TAB>theirs" with fnmatch patterns, "-" for an undecoded word. */
static inline void read_tables(const char *ppath, const char *apath) {
  char line[1024];
  FILE *f = open_or_die(ppath);
  while (npictures < MAX_ROWS && fgets(line, sizeof line, f)) {
    struct picture *p = &pictures[npictures++];
    if (sscanf(line, "%" SCNx32 " %" SCNx32 " %u %u %63s", &p->mask, &p->value, &p->length, &p->known,
               p->name) != 5)
      exit(2);
  }
  fclose(f);
  f = open_or_die(apath);
  while (nrows < MAX_ROWS && fgets(line, sizeof line, f)) {
    struct row *r = &rows[nrows++];
    if (sscanf(line, "%" SCNx32 " %" SCNx32 " %159[^\t]\t%159[^\n]", &r->mask, &r->value, r->ours,
               r->theirs) != 4)
      exit(2);
  }
  fclose(f);
  fill_buckets();
}

static inline void print_summary(void) {
  for (unsigned i = 0; i < nrows; i++) printf("row\t%u\t%" PRIu64 "\n", i, rows[i].used);
  printf("total\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", compared, accepted, different);
}

#endif
