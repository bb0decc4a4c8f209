/* Decoder and disassembler of a variable-length ISA against LLVM and Zydis in one process. Included by the generated
 * decode_<isa>.c, which defines FUZZ_ISA, FUZZ_TRIPLE, fuzz_forms, fuzz_rows and fuzz_zydis_rows (accepted differences with
 * LLVM and with Zydis) and fuzz_names (Zydis's other names).
 *
 * Input: the first byte chooses. Even: the rest are an instruction's bytes, compared with Zydis if we decode them. Odd: the
 * rest are the choices that tests/oracle/form_bytes.h makes an instruction from, which is compared with LLVM as well. */
#ifndef ISOMER_FUZZ_DECODE_FORMS_H
#define ISOMER_FUZZ_DECODE_FORMS_H

#include <fnmatch.h>

#include <Zydis/Zydis.h>

#include "fuzz/fuzz.h"

enum { MAX_BYTES = 15 };
static ZydisDecoder decoder;
static struct input choices;

static void open_oracles(void) {
  isa = isa_find(FUZZ_ISA);
  llvm = llvm_shim_open(FUZZ_TRIPLE, "", 1, false);
  if (!isa || !llvm ||
      !ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
    finding("no ISA " FUZZ_ISA ", or an oracle lacks it");
}

__attribute__((noreturn)) static void differs(const char *oracle, const uint8_t *bytes, int n, const char *a,
                                              int na, const char *b, int nb) {
  char digits[2 * 32 + 1];
  hex(bytes, n, digits);
  finding("%s: ours \"%s\" (%d bytes), %s \"%s\" (%d bytes); replay: isomer dis --isa %s --all-features "
          "--no-aliases --hex %s",
          digits, a, na, oracle, b, nb, FUZZ_ISA, digits);
}

static bool is_prefix(const char *s, size_t n) {
  static const char *const words[] = {"lock", "rep", "repe", "repz", "repne", "repnz", "addr32", "data16"};
  for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
    if (strlen(words[i]) == n && !strncmp(words[i], s, n)) return true;
  return false;
}

/* The mnemonic in our text. */
static void mnemonic(const char *text, char out[64]) {
  size_t n;
  while (is_prefix(text, n = strcspn(text, " ")) && text[n]) text += n + 1;
  snprintf(out, 64, "%.*s", (int)n, text);
}

static bool accepted(const char *const rows[][3], unsigned n, const uint8_t *bytes, int len, const char *a,
                     const char *b) {
  char digits[2 * 32 + 1];
  hex(bytes, len, digits);
  for (unsigned i = 0; i < n; i++)
    if (!fnmatch(rows[i][0], digits, 0) && !fnmatch(rows[i][1], a, 0) && !fnmatch(rows[i][2], b, 0))
      return true;
  return false;
}

/* `must`: the bytes are a form's own. */
static void with_zydis(const uint8_t *bytes, unsigned n, const char *a, int na, bool must) {
  ZydisDecodedInstruction z;
  char name[64], other[64] = "-";
  int nb = 0;
  if (na <= 0 && !must) return;
  mnemonic(a, name);
  if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, n, &z))) {
    nb = z.length;
    snprintf(other, sizeof other, "%s", ZydisMnemonicGetString(z.mnemonic));
  }
  if (na > 0 ? na == nb : !nb) {
    if (!strcmp(name, other)) return;
    for (unsigned i = 0; i < ARRAY_SIZE(fuzz_names); i++)
      if (!strcmp(fuzz_names[i][0], name) && !strcmp(fuzz_names[i][1], other)) return;
    if (na > 0 && accepted(fuzz_zydis_rows, ARRAY_SIZE(fuzz_zydis_rows), bytes, na, a, other)) return;
  }
  differs("Zydis", bytes, na > 0 ? na : (int)n, a, na, other, nb);
}

static void with_llvm(const uint8_t *bytes, unsigned n, const char *a, int na, bool must) {
  char b[TEXT];
  if (na <= 0 && !must) return;
  int nb = theirs(bytes, n, b);
  if (!strcmp(a, b) && (na == nb || a[0] == '-')) return;
  if (accepted(fuzz_rows, ARRAY_SIZE(fuzz_rows), bytes, na > 0 ? na : (int)n, a, b)) return;
  differs("LLVM", bytes, na > 0 ? na : (int)n, a, na, b, nb);
}

static uint64_t next(void) { return take(&choices, 8); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  uint8_t bytes[32] = {0};
  char text[TEXT];
  union decoded d;
  bool must = false, made;
  if (!isa) open_oracles();
  if (!n) return 0;
  made = data[0] & 1;
  unsigned len = n - 1 < MAX_BYTES ? (unsigned)(n - 1) : MAX_BYTES;
  if (made) {
    choices = (struct input){data + 1, n - 1};
    len = form_random(fuzz_forms, ARRAY_SIZE(fuzz_forms), next, bytes, &must);
  } else {
    memcpy(bytes, data + 1, len);
  }
  if (!len) return 0;
  int got = ours(bytes, len, &d, text);
  MUST(got <= (int)len);
  with_zydis(bytes, len, text, got, must);
  if (made) with_llvm(bytes, len, text, got, must);
  return 0;
}

#endif
