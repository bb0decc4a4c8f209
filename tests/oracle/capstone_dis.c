/* Compares our decoder and disassembler with Capstone 5's, in one process, over words made from pictures: a second opinion
 * beside LLVM's. Knows no ISA: its name, Capstone's numbers of architecture and mode are arguments. The library is found at
 * run time (it is no package of this system), its few interfaces are declared here.
 *
 *   capstone_dis <libcapstone.so.5> <isa> <arch> <mode> <pictures> <accepted> <how> <count> <seed>
 *
 * Compared: whether the word is an instruction, its length, mnemonic and operands. Capstone prints aliases where it knows
 * one: its text must be our preferred or our canonical one. Texts are compared in lower case, without blanks and `#`, all
 * numbers as 64-bit values. Not compared: words of instructions that Capstone does not know (known = 0 in pictures).
 * How: all16, random, claimed, sweep, sweepclaimed as in llvm_dis.c. pictures, accepted: read_tables in words.h.
 * link: -ldl */
#include <ctype.h>
#include <dlfcn.h>

#include "tests/oracle/words.h"

/* capstone.h, version 5.0 */
struct cs_insn {
  unsigned id;
  uint64_t address;
  uint16_t size;
  uint8_t bytes[24];
  char mnemonic[32], op_str[160];
  void *detail;
};
typedef unsigned cs_version_fn(int *major, int *minor);
typedef int cs_open_fn(int arch, int mode, size_t *handle);
typedef struct cs_insn *cs_malloc_fn(size_t handle);
typedef bool cs_disasm_iter_fn(size_t handle, const uint8_t **code, size_t *size, uint64_t *address,
                               struct cs_insn *out);

static cs_disasm_iter_fn *iter;
static size_t handle;
static struct cs_insn *slot;

static void *symbol(void *library, const char *name) {
  void *p = dlsym(library, name);
  if (p) return p;
  fprintf(stderr, "%s\n", dlerror());
  exit(2);
}

static void open_capstone(const char *path, int arch, int mode) {
  void *library = dlopen(path, RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  cs_version_fn *version = symbol(library, "cs_version");
  cs_open_fn *open = symbol(library, "cs_open");
  cs_malloc_fn *make = symbol(library, "cs_malloc");
  iter = symbol(library, "cs_disasm_iter");
  int major, minor;
  version(&major, &minor);
  if (major != 5 || minor != 0) { /* struct cs_insn is that of 5.0 */
    fprintf(stderr, "%s: Capstone 5.0 is needed, this is %d.%d\n", path, major, minor);
    exit(2);
  }
  int err = open(arch, mode, &handle);
  slot = err ? NULL : make(handle);
  if (!slot) {
    fprintf(stderr, "Capstone has no architecture %d with mode %d (error %d)\n", arch, mode, err);
    exit(2);
  }
}

/* A text in the form that is compared. */
static void canonical(const char *s, char *out, size_t n) {
  char *w = out, *end = out + n - 20;
  bool word = false; /* inside a name */
  while (*s && w < end) {
    if (isdigit((unsigned char)*s) && !word) {
      char *rest;
      bool minus = w > out && w[-1] == '-';
      uint64_t v = strtoull(s, &rest, s[0] == '0' && s[1] == 'x' ? 16 : 10);
      if (minus) w--;
      if (*rest == '.') { /* a fraction */
        double f = strtod(s, &rest);
        w += snprintf(w, 20, "%.12g", minus ? -f : f);
      } else {
        w += sprintf(w, "%" PRIx64, minus ? -v : v);
      }
      s = rest;
      continue;
    }
    word = isalnum((unsigned char)*s) || *s == '_' || *s == '.';
    if (*s != ' ' && *s != '#') *w++ = (char)tolower((unsigned char)*s);
    s++;
  }
  *w = 0;
}

static void compare(uint32_t w, unsigned nbytes) {
  uint8_t bytes[4] = {w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24};
  char a[TEXT], full[TEXT], b[TEXT + 64], x[2 * TEXT], y[2 * TEXT];
  union decoded d;
  int na = ours(bytes, nbytes, &d, DISASM_ALIASES, a);
  if (na > 0 && !pictures[d.head.op - 1].known) return;
  const uint8_t *code = bytes;
  size_t left = nbytes;
  uint64_t address = 0;
  int nb = 0;
  if (iter(handle, &code, &left, &address, slot)) {
    nb = slot->size;
    snprintf(b, sizeof b, "%s %s", slot->mnemonic, slot->op_str);
    squeeze(b);
  } else {
    strcpy(b, "-");
  }
  compared++;
  if (na <= 0 && nb == 0) return;
  if (na == nb) {
    canonical(a, x, sizeof x);
    canonical(b, y, sizeof y);
    if (strcmp(x, y) == 0) return;
    isa->disasm(&d.head, 0, 0, full, sizeof full);
    canonical(full, x, sizeof x);
    if (strcmp(x, y) == 0) return;
  }
  b[TEXT - 1] = 0;
  differ(w, nbytes, a, b);
}

/* Words of the accepted rows' own patterns: some are too rare to come up by chance. */
static void accepted_words(void) {
  union decoded d;
  for (unsigned r = 0; r < nrows; r++)
    for (unsigned i = 0; i < 1000; i++) {
      uint32_t w = ((uint32_t)next() & ~rows[r].mask) | rows[r].value;
      uint8_t bytes[4] = {w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24};
      bool shorter = isa->insn_unit < 4 && isa->decode(~0ull, bytes, isa->insn_unit, &d.head) >= 0;
      if (shorter) compare(w & 0xffff, isa->insn_unit);
      else if (claimed(w)) compare(w, 4);
    }
}

int main(int argc, char **argv) {
  if (argc != 10) {
    fprintf(stderr, "usage: see the head of capstone_dis.c\n");
    return 2;
  }
  isa = isa_find(argv[2]);
  if (!isa) {
    fprintf(stderr, "no ISA %s\n", argv[2]);
    return 2;
  }
  open_capstone(argv[1], atoi(argv[3]), atoi(argv[4]));
  read_tables(argv[5], argv[6]);
  uint64_t count = strtoull(argv[8], NULL, 0);
  seed = strtoull(argv[9], NULL, 0);
  if (strncmp(argv[7], "sweep", 5) == 0) {
    sweep(seed, count, argv[7][5] == 0, compare);
    print_summary();
    return 0;
  }
  if (strcmp(argv[7], "all16") == 0)
    for (uint32_t w = 0; w < 0x10000; w++) compare(w, 2);
  else if (strcmp(argv[7], "random") == 0 || strcmp(argv[7], "claimed") == 0)
    for (uint64_t i = 0; i < count; i++) {
      unsigned nbytes;
      uint32_t w = structured(&nbytes);
      if (argv[7][0] == 'r' || claimed(w)) compare(w, nbytes);
    }
  else return 2;
  accepted_words();
  print_summary();
  return 0;
}
