/* Compares our decoder of x86-64 with Zydis's, in one process, over byte strings made from the forms of its leaves: whether
 * they are an instruction, its length and mnemonic (without prefixes). Prints differences, one a line; the caller judges.
 *
 *   zydis_forms <isa> <forms> <accepted> <count> <seed>
 *
 * forms: tests/lib/forms.py; accepted: lines "bytes<TAB>ours<TAB>theirs", fnmatch patterns over hexadecimal digits and
 * mnemonics, "-" for bytes that are not decoded.
 * link: -lZydis */
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "core/isa.h"
#include "tests/oracle/form_bytes.h"

enum { TEXT = 200, MAX_ROWS = 256, MAX_SHOWN = 300 };

struct row {
  char bytes[64], ours[64], theirs[64];
  uint64_t used;
};

static struct form forms[MAX_FORMS];
static struct row rows[MAX_ROWS];
static int nforms, nrows;
static uint64_t seed, compared, accepted, different;
static const struct isa *isa;
static ZydisDecoder decoder;

static uint64_t next(void) { /* splitmix64 */
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static bool is_prefix(const char *s) {
  static const char *const words[] = {"lock",  "rep",    "repe",   "repz", "repne",
                                      "repnz", "addr32", "data16", NULL};
  for (int i = 0; words[i]; i++)
    if (!strcmp(s, words[i])) return true;
  return false;
}

/* Our length and mnemonic. */
static int ours(const uint8_t *bytes, size_t n, char *mnemonic) {
  union {
    struct insn head;
    char bytes[256];
  } d;
  char text[TEXT];
  strcpy(mnemonic, "-");
  int len = isa->decode(~0ull, bytes, n, &d.head);
  if (len <= 0) return len;
  isa->disasm(&d.head, 0, 0, text, sizeof text);
  for (char *w = strtok(text, " \t"); w; w = strtok(NULL, " \t")) {
    snprintf(mnemonic, 64, "%s", w);
    if (!is_prefix(w)) break;
  }
  return len;
}

static int theirs(const uint8_t *bytes, size_t n, char *mnemonic) {
  ZydisDecodedInstruction d;
  strcpy(mnemonic, "-");
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, n, &d))) return 0;
  snprintf(mnemonic, 64, "%s", ZydisMnemonicGetString(d.mnemonic));
  return d.length;
}

/* `made`: the bytes are a form's own, so that both must decode them; else only what we decode is compared. */
static void compare(const uint8_t *bytes, unsigned n, bool made) {
  char a[64], b[64], digits[80];
  int na = ours(bytes, n, a);
  if (na <= 0 && !made) return;
  int nb = theirs(bytes, n, b);
  compared++;
  bool equal = na == nb || (na <= 0 && nb <= 0);
  if (equal && !strcmp(a, b)) return;
  unsigned shown = na > 0 ? (unsigned)na : n;
  for (unsigned k = 0; k < shown; k++) sprintf(digits + 2 * k, "%02x", bytes[k]);
  for (int i = 0; i < nrows; i++)
    if ((equal || na <= 0 || nb <= 0) && !fnmatch(rows[i].bytes, digits, 0) && !fnmatch(rows[i].ours, a, 0) &&
        !fnmatch(rows[i].theirs, b, 0)) {
      rows[i].used++;
      accepted++;
      return;
    }
  if (different++ < MAX_SHOWN) printf("differ\t%s\t%d %s\t%d %s\n", digits, na, a, nb, b);
}

static void read_accepted(const char *path) {
  char line[256];
  FILE *f = fopen(path, "r");
  if (!f) {
    perror(path);
    exit(2);
  }
  while (nrows < MAX_ROWS && fgets(line, sizeof line, f)) {
    struct row *r = &rows[nrows++];
    if (sscanf(line, "%63[^\t]\t%63[^\t]\t%63[^\n]", r->bytes, r->ours, r->theirs) != 3) exit(2);
  }
  fclose(f);
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: see the head of zydis_forms.c\n");
    return 2;
  }
  isa = isa_find(argv[1]);
  if (!isa || !ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))) {
    fprintf(stderr, "no ISA %s, or no decoder\n", argv[1]);
    return 2;
  }
  nforms = forms_read(argv[2], forms);
  read_accepted(argv[3]);
  uint64_t count = strtoull(argv[4], NULL, 0);
  seed = strtoull(argv[5], NULL, 0);
  for (uint64_t i = 0; i < count; i++) {
    uint8_t b[32] = {0};
    bool made;
    unsigned n = form_random(forms, nforms, next, b, &made);
    if (n) compare(b, n, made);
  }
  for (int i = 0; i < nrows; i++) printf("row\t%d\t%" PRIu64 "\n", i, rows[i].used);
  printf("total\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", compared, accepted, different);
  return 0;
}
