/* Compares our decoder, disassembler and assembler with LLVM's, in one process, over words made from pictures.
 * Knows no ISA: its name, LLVM's triple, features and syntax variant for it are arguments. Prints differences, one a
 * line; the caller judges them against the table of accepted ones.
 *
 *   llvm_dis <isa> <triple> <LLVM features> <variant> <pictures> <accepted> <mode> <count> <seed>
 *
 * Modes: all16, all halfwords; random; claimed, as random without the words that no picture matches, for descriptions that
 * cover only part of an ISA; names, as claimed, with the preferred names (aliases) on both sides; leaves, round trips;
 * sweep, the 2^20 words from <seed> * 2^20 on, times <count>, and sweepclaimed, those of them that a picture matches.
 * pictures, accepted: read_tables in words.h.
 * link: -lLLVM-19 -lstdc++ */
#include "tests/oracle/llvm_shim.h"
#include "tests/oracle/words.h"

static struct llvm_shim *llvm;
static unsigned printed; /* DISASM_* of the texts that are compared */

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
  differ(w, nbytes, a, b);
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
  if (strncmp(argv[7], "sweep", 5) == 0) sweep(seed, count, argv[7][5] == 0, compare);
  else if (strcmp(argv[7], "all16") == 0)
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
  print_summary();
  return 0;
}
