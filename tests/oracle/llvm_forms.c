/* Compares our decoder, disassembler and assembler of a variable-length ISA with LLVM's, in one process, over byte strings
 * made from the forms of its leaves. Prints differences, one a line; the caller judges.
 *
 *   llvm_forms <isa> <triple> <LLVM features> <forms> <accepted> random|leaves <count> <seed>
 *
 * forms: tests/lib/forms.py; accepted: lines "bytes<TAB>ours<TAB>theirs", fnmatch patterns over hexadecimal digits and texts.
 * link: -lLLVM-19 -lstdc++ */
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "core/isa.h"
#include "tests/oracle/form_bytes.h"
#include "tests/oracle/form_texts.h"
#include "tests/oracle/llvm_shim.h"

enum { MAX_ROWS = 64, MAX_SHOWN = 300 };

struct row {
  char bytes[64], ours[TEXT], theirs[TEXT];
  uint64_t used;
};

static struct form forms[MAX_FORMS];
static struct row rows[MAX_ROWS];
static int nforms, nrows;
static unsigned shown;
static uint64_t seed, compared, accepted, different;

static uint64_t next(void) { /* splitmix64 */
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* `made`: the bytes are a form's own, so that both must decode them; else only what we decode is compared. */
static void compare(const uint8_t *bytes, unsigned n, bool made) {
  char a[TEXT], b[TEXT], digits[80];
  union decoded d;
  int na = ours(bytes, n, &d, a);
  if (na <= 0 && !made) return;
  int nb = theirs(bytes, n, b);
  compared++;
  if (!strcmp(a, b) && (na == nb || a[0] == '-')) return;
  hex(bytes, na > 0 ? na : (int)n, digits);
  for (int i = 0; i < nrows; i++)
    if (!fnmatch(rows[i].bytes, digits, 0) && !fnmatch(rows[i].ours, a, 0) &&
        !fnmatch(rows[i].theirs, b, 0)) {
      rows[i].used++;
      accepted++;
      return;
    }
  different++;
  if (shown++ < MAX_SHOWN) printf("differ\t%s\t%s\t%s\n", digits, a, b);
}

static void random_bytes(void) {
  uint8_t b[32] = {0};
  bool made;
  unsigned n = form_random(forms, nforms, next, b, &made);
  if (n) compare(b, n, made);
}

/* bytes → text → bytes → text → bytes. */
static void leaf(int op, const struct form *f, bool show) {
  uint8_t bytes[32] = {0}, out[32], twice[32];
  char a[TEXT], b[TEXT] = "", digits[80], err[TEXT] = "";
  union decoded d;
  struct choice c;
  form_choose(f, next, &c);
  c.a32 = c.a32 && !f->moffs; /* written as an address of 64 bits */
  unsigned at, n = form_bytes(f, &c, bytes, &at);
  int len = ours(bytes, n, &d, a);
  hex(bytes, (int)n, digits);
  compared++;
  if (len != (int)n || d.head.op != op) {
    for (int i = 0; i < nrows; i++) /* bytes that another leaf takes over */
      if (!fnmatch(rows[i].bytes, digits, 0) && !strcmp(rows[i].ours, "-") && len <= 0) return;
    printf("decode\t%s\t%s\t%s\n", f->name, digits, a);
    different++;
    return;
  }
  int got = isa->assemble(~0ull, a, 0, out, err, sizeof err), again = -1;
  if (got > 0 && ours(out, (size_t)got, &d, b) == got)
    again = isa->assemble(~0ull, b, 0, twice, err, sizeof err);
  /* A shorter form may be found; then its text is the one that is stable. */
  if (again != got || got > len || memcmp(out, twice, (size_t)got) ||
      (!c.vex3 && d.head.op == op && got == len && strcmp(a, b))) {
    different++;
    if (shown++ < MAX_SHOWN) printf("roundtrip\t%s\t%s\t%s\t%s\n", f->name, digits, a, again < 0 ? err : b);
    return;
  }
  if (show) {
    hex(out, got, digits);
    printf("leaf\t%s\t%s\t%s\n", f->name, digits, a);
  }
}

static void read_accepted(const char *path) {
  char line[600];
  FILE *f = fopen(path, "r");
  if (!f) {
    perror(path);
    exit(2);
  }
  while (nrows < MAX_ROWS && fgets(line, sizeof line, f)) {
    struct row *r = &rows[nrows++];
    if (sscanf(line, "%63[^\t]\t%199[^\t]\t%199[^\n]", r->bytes, r->ours, r->theirs) != 3) exit(2);
  }
  fclose(f);
}

int main(int argc, char **argv) {
  if (argc != 9) {
    fprintf(stderr, "usage: see the head of llvm_forms.c\n");
    return 2;
  }
  isa = isa_find(argv[1]);
  llvm = llvm_shim_open(argv[2], argv[3], 1, false);
  if (!isa || !llvm) {
    fprintf(stderr, "no ISA %s, or LLVM has no disassembler for %s\n", argv[1], argv[2]);
    return 2;
  }
  nforms = forms_read(argv[4], forms);
  read_accepted(argv[5]);
  uint64_t count = strtoull(argv[7], NULL, 0);
  seed = strtoull(argv[8], NULL, 0);
  if (!strcmp(argv[6], "random"))
    for (uint64_t i = 0; i < count; i++) random_bytes();
  else
    for (int p = 0; p < nforms; p++)
      for (uint64_t i = 0; i < count; i++) leaf(p + 1, &forms[p], i < 4);
  for (int i = 0; i < nrows; i++) printf("row\t%d\t%" PRIu64 "\n", i, rows[i].used);
  printf("total\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", compared, accepted, different);
  return 0;
}
