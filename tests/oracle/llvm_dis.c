/* Compares our decoder, disassembler and assembler with LLVM's, in one process, over words made from pictures.
 * Knows no ISA: its name, LLVM's triple, features and syntax variant for it are arguments. Prints differences, one a
 * line; the caller judges them against the table of accepted ones.
 *
 *   llvm_dis <isa> <triple> <LLVM features> <variant> <pictures> <accepted> all16|random|claimed|names|leaves <count> <seed>
 *
 * claimed: as random, without the words that no picture matches, for descriptions that cover only part of an ISA;
 * names: as claimed, with the preferred names (aliases) on both sides.
 * pictures: lines "mask value length name" (hex hex bits), in leaf order; accepted: lines "mask value ours<TAB>theirs" with
 * fnmatch patterns, "-" for an undecoded word.
 * link: -lLLVM-19 -lstdc++ */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "tests/oracle/llvm_shim.h"

enum { TEXT = 160, MAX_ROWS = 4096, MAX_SHOWN = 400 };

struct picture {
  uint32_t mask, value;
  unsigned length;
  char name[64];
};

struct row {
  uint32_t mask, value;
  char ours[TEXT], theirs[TEXT];
  uint64_t used;
};

static struct picture pictures[MAX_ROWS];
static struct row rows[MAX_ROWS];
static unsigned npictures, nrows, shown;
static uint64_t seed, compared, accepted, different;
static struct llvm_shim *llvm;
static const struct isa *isa;
static unsigned printed; /* DISASM_* of the texts that are compared */

static uint64_t next(void) { /* splitmix64 */
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* Tabs to blanks, runs to one, none at the ends. */
static void squeeze(char *s) {
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
static int ours(const uint8_t *bytes, size_t n, union decoded *d, unsigned flags, char *text) {
  int len = isa->decode(~0ull, bytes, n, &d->head);
  if (len > 0) isa->disasm(&d->head, 0, flags, text, TEXT);
  else strcpy(text, "-");
  squeeze(text);
  return len;
}

static void compare(uint32_t w, unsigned nbytes) {
  uint8_t bytes[4] = {w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24};
  char a[TEXT], b[TEXT];
  union decoded d;
  int na = ours(bytes, nbytes, &d, printed, a);
  int nb = llvm_shim_text(llvm, bytes, nbytes, b, sizeof b);
  if (nb <= 0) strcpy(b, "-");
  squeeze(b);
  compared++;
  if (strcmp(a, b) == 0 && (na == nb || a[0] == '-')) return;
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

static bool claimed(uint32_t w) {
  for (unsigned i = 0; i < npictures; i++)
    if ((w & pictures[i].mask) == pictures[i].value) return true;
  return false;
}

static uint32_t structured(unsigned *nbytes) {
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

/* One round trip: bytes → text → bytes → text. `w` of a leaf's own picture. */
static void leaf(const struct picture *p, uint32_t w, unsigned flags, bool show) {
  uint8_t bytes[4] = {w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24}, out[16];
  char a[TEXT], b[TEXT], err[TEXT];
  union decoded d, e;
  memset(&d, 0, sizeof d);
  memset(&e, 0, sizeof e);
  int n = ours(bytes, p->length / 8, &d, flags, a);
  if (n <= 0) return;
  compared++;
  int got = isa->assemble(~0ull, a, 0, out, err, sizeof err);
  if (got < 0) {
    different++;
    if (shown++ < MAX_SHOWN) printf("assemble\t%s\t%08x\t%s\t%s\n", p->name, w, a, err);
    return;
  }
  ours(out, (size_t)got, &e, flags, b);
  if (got != n || strcmp(a, b) != 0 || d.head.op != e.head.op) {
    different++;
    if (shown++ < MAX_SHOWN) printf("roundtrip\t%s\t%08x\t%s\t%s\n", p->name, w, a, b);
    return;
  }
  if (show) {
    printf("leaf\t%s\t", p->name);
    for (int i = 0; i < got; i++) printf("%02x", out[i]);
    printf("\t%s\n", a);
  }
}

static FILE *open_or_die(const char *path) {
  FILE *f = fopen(path, "r");
  if (!f) {
    perror(path);
    exit(2);
  }
  return f;
}

static void read_tables(const char *ppath, const char *apath) {
  char line[1024];
  FILE *f = open_or_die(ppath);
  while (npictures < MAX_ROWS && fgets(line, sizeof line, f)) {
    struct picture *p = &pictures[npictures++];
    if (sscanf(line, "%" SCNx32 " %" SCNx32 " %u %63s", &p->mask, &p->value, &p->length, p->name) != 4)
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
}

int main(int argc, char **argv) {
  if (argc != 10) {
    fprintf(stderr, "usage: see the head of llvm_dis.c\n");
    return 2;
  }
  isa = isa_find(argv[1]);
  if (!isa) {
    fprintf(stderr, "no ISA %s\n", argv[1]);
    return 2;
  }
  if (strcmp(argv[7], "names") == 0) printed = DISASM_ALIASES;
  llvm = llvm_shim_open(argv[2], argv[3], (unsigned)atoi(argv[4]), printed != 0);
  if (!llvm) {
    fprintf(stderr, "LLVM has no disassembler for %s\n", argv[2]);
    return 2;
  }
  read_tables(argv[5], argv[6]);
  uint64_t count = strtoull(argv[8], NULL, 0);
  seed = strtoull(argv[9], NULL, 0);
  if (strcmp(argv[7], "all16") == 0)
    for (uint32_t w = 0; w < 0x10000; w++) compare(w, 2);
  else if (strcmp(argv[7], "random") == 0 || strcmp(argv[7], "claimed") == 0 || printed)
    for (uint64_t i = 0; i < count; i++) {
      unsigned nbytes;
      uint32_t w = structured(&nbytes);
      if (argv[7][0] == 'r' || claimed(w)) compare(w, nbytes);
    }
  else if (strcmp(argv[7], "leaves") == 0)
    for (unsigned p = 0; p < npictures; p++)
      for (uint64_t i = 0; i < count; i++) {
        uint32_t w = i == 0 ? 0 : i == 1 ? ~0u : (uint32_t)next();
        w = (w & ~pictures[p].mask) | pictures[p].value;
        leaf(&pictures[p], w, 0, i < 6);
        leaf(&pictures[p], w, DISASM_ALIASES, i < 6);
      }
  else return 2;
  for (unsigned i = 0; i < nrows; i++) printf("row\t%u\t%" PRIu64 "\n", i, rows[i].used);
  printf("total\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", compared, accepted, different);
  return 0;
}
