/* Texts of a variable-length ISA's instructions, ours and LLVM's, in the form that is compared. For tests only; state is
 * the including program's own. */
#ifndef ISOMER_TESTS_FORM_TEXTS_H
#define ISOMER_TESTS_FORM_TEXTS_H

#include <stdio.h>
#include <string.h>

#include "core/isa.h"
#include "tests/oracle/llvm_shim.h"

enum { TEXT = 200 };

static struct llvm_shim *llvm;
static const struct isa *isa;

/* White space to single blanks, a comment cut off. */
static inline void squeeze(char *s) {
  char *w = s;
  for (char *r = s; *r && *r != '#'; r++) {
    char c = *r == '\t' || *r == '\n' ? ' ' : *r;
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

static inline int ours(const uint8_t *bytes, size_t n, union decoded *d, char *text) {
  int len = isa->decode(~0ull, bytes, n, &d->head);
  if (len > 0) isa->disasm(&d->head, 0, 0, text, TEXT);
  else strcpy(text, "-");
  squeeze(text);
  return len;
}

/* LLVM's length and text; it shows a lock prefix as an instruction of its own. */
static inline int theirs(const uint8_t *bytes, size_t n, char *text) {
  char rest[TEXT];
  int len = llvm_shim_text(llvm, bytes, n, text, TEXT);
  if (len <= 0) {
    strcpy(text, "-");
    return len;
  }
  squeeze(text);
  if (len == 1 && !strcmp(text, "lock")) {
    int more = llvm_shim_text(llvm, bytes + 1, n - 1, rest, sizeof rest);
    squeeze(rest);
    if (more <= 0 || strlen(rest) + 6 > TEXT) return len;
    strcat(strcat(text, " "), rest);
    len += more;
  }
  return len;
}

static inline void hex(const uint8_t *bytes, int n, char *out) {
  for (int k = 0; k < n; k++) sprintf(out + 2 * k, "%02x", bytes[k]);
  out[2 * n] = 0;
}

#endif
