/* Decoder and disassembler of an ISA of fixed-length words against LLVM in one process. Included by the generated
 * decode_<isa>.c, which defines FUZZ_ISA, FUZZ_TRIPLE, FUZZ_FEATURES, FUZZ_VARIANT, FUZZ_CLAIMED (only words that a picture
 * matches are compared, and preferred names as well), fuzz_pictures and fuzz_rows (accepted differences).
 *
 * Input: instructions one after the other. */
#ifndef ISOMER_FUZZ_DECODE_WORDS_H
#define ISOMER_FUZZ_DECODE_WORDS_H

#include "fuzz/fuzz.h"
#include "tests/oracle/llvm_shim.h"

static struct llvm_shim *canonical, *preferred;

static void open_oracle(void) {
  isa = isa_find(FUZZ_ISA);
  canonical = llvm_shim_open(FUZZ_TRIPLE, FUZZ_FEATURES, FUZZ_VARIANT, false);
  if (FUZZ_CLAIMED) preferred = llvm_shim_open(FUZZ_TRIPLE, FUZZ_FEATURES, FUZZ_VARIANT, true);
  if (!isa || !canonical || (FUZZ_CLAIMED && !preferred)) finding("no ISA " FUZZ_ISA ", or LLVM lacks it");
  npictures = ARRAY_SIZE(fuzz_pictures);
  nrows = ARRAY_SIZE(fuzz_rows) - 1; /* the last is empty */
  memcpy(pictures, fuzz_pictures, sizeof fuzz_pictures);
  memcpy(rows, fuzz_rows, sizeof fuzz_rows);
  fill_buckets();
}

static void compare(const uint8_t *bytes, unsigned n, struct llvm_shim *llvm, unsigned flags) {
  char a[TEXT], b[TEXT];
  union decoded d;
  uint32_t w = 0;
  memcpy(&w, bytes, n); /* the host is little endian */
  if (FUZZ_CLAIMED && !claimed(w)) return;
  int na = ours(bytes, n, &d, flags, a);
  int nb = llvm_shim_text(llvm, bytes, n, b, sizeof b);
  if (nb <= 0) strcpy(b, "-");
  squeeze(b);
  MUST(na <= (int)n && nb <= (int)n);
  if (strcmp(a, b) == 0 && (na == nb || a[0] == '-')) return;
  shown = MAX_SHOWN; /* differ() judges, finding() tells */
  different = 0;
  differ(w, n, a, b);
  if (!different) return;
  char digits[2 * 4 + 1];
  for (unsigned i = 0; i < n; i++) sprintf(digits + 2 * i, "%02x", bytes[i]);
  finding("%s: ours \"%s\" (%d bytes), LLVM \"%s\" (%d bytes); replay: isomer dis --isa %s --all-features%s "
          "--hex %s",
          digits, a, na, b, nb, FUZZ_ISA, flags ? "" : " --no-aliases", digits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  union decoded d;
  if (!isa) open_oracle();
  for (size_t at = 0; at + isa->insn_unit <= n;) {
    unsigned len = isa->insn_unit;
    if (len < 4 && isa->decode(~0ull, data + at, len, &d.head) < 0) len = 4; /* needs more bytes */
    if (at + len > n) break;
    compare(data + at, len, canonical, 0);
    if (FUZZ_CLAIMED) compare(data + at, len, preferred, DISASM_ALIASES);
    at += len;
  }
  return 0;
}

#endif
