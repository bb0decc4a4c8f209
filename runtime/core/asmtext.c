/* Disassembly and assembly from generated tables. Printing follows a template's parts; assembling tries the templates
 * whose first word fits, then encodes, and accepts what the decoder reads back as the same instruction. */
#include "core/asmtext.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_DERIVED = 8, MAX_WORD = 64, MAX_INSN = 256 };

static uint64_t ones(unsigned bits) { return bits >= 64 ? ~0ull : (1ull << bits) - 1; }

static int64_t sign(uint64_t v, unsigned bits) { return (int64_t)(v << (64 - bits)) >> (64 - bits); }

static uint64_t get(const struct asm_isa *a, const struct insn *d, unsigned operand) {
  const struct asm_operand *o = &a->operands[operand];
  const char *p = (const char *)d + o->offset;
  switch (o->size) {
  case 1: return *(const uint8_t *)p;
  case 2: return *(const uint16_t *)p;
  case 4: return *(const uint32_t *)p;
  default: return *(const uint64_t *)p;
  }
}

static void put(const struct asm_isa *a, struct insn *d, unsigned operand, uint64_t v) {
  const struct asm_operand *o = &a->operands[operand];
  char *p = (char *)d + o->offset;
  switch (o->size) {
  case 1: *(uint8_t *)p = v; break;
  case 2: *(uint16_t *)p = v; break;
  case 4: *(uint32_t *)p = v; break;
  default: *(uint64_t *)p = v; break;
  }
}

static bool holds(const struct asm_isa *a, const struct asm_text *t, const struct insn *d) {
  return !t->when || a->when(t->when, d);
}

/* ---- disassembly ----------------------------------------------------------------------------------------------- */

static int print_part(const struct asm_isa *a, const struct asm_part *p, const struct insn *d, char *buf,
                      size_t n) {
  uint64_t v = p->kind == ASM_LITERAL ? 0 : get(a, d, p->operand);
  switch (p->kind) {
  case ASM_LITERAL: return snprintf(buf, n, "%s", a->strings + p->arg);
  case ASM_REGISTER: {
    const struct asm_names *r = &a->names[p->arg];
    uint64_t i = v + (uint64_t)p->plus;
    if (p->plus && i >= r->n) i -= r->n; /* lists of registers go round */
    if (i < r->n && r->names[i]) return snprintf(buf, n, "%s", r->names[i]);
    return snprintf(buf, n, "%s%" PRIu64, r->prefix ? r->prefix : "?", i);
  }
  case ASM_UNSIGNED: return snprintf(buf, n, "%" PRIu64, v * p->arg);
  case ASM_SIGNED: return snprintf(buf, n, "%" PRId64, (int64_t)((uint64_t)sign(v, p->bits) * p->arg));
  case ASM_HEX: return snprintf(buf, n, "0x%" PRIx64, v);
  case ASM_FLOAT: {
    double f;
    memcpy(&f, &v, sizeof f);
    return snprintf(buf, n, "%.8f", f);
  }
  case ASM_VALUE: {
    const struct asm_values *names = &a->values[p->arg];
    for (uint32_t i = 0; i < names->n; i++)
      if (names->values[i].value == (int64_t)v) return snprintf(buf, n, "%s", names->values[i].name);
    return snprintf(buf, n, "%" PRIu64, v);
  }
  }
  return 0;
}

static int print_text(const struct asm_isa *a, const struct asm_text *t, const struct insn *d, char *buf,
                      size_t n) {
  int len = 0;
  for (unsigned i = 0; i < t->nparts; i++) {
    size_t at = (size_t)len < n ? (size_t)len : n;
    len += print_part(a, &a->parts[t->parts + i], d, buf ? buf + at : NULL, n - at);
  }
  return len;
}

int asm_disassemble(const struct asm_isa *a, const struct insn *d, unsigned flags, char *buf, size_t n) {
  if (!d->op) return snprintf(buf, n, "<undefined>");
  const struct asm_leaf *leaf = &a->leaves[d->op];
  if (flags & DISASM_ALIASES)
    for (unsigned i = 0; i < leaf->naliases; i++)
      if (holds(a, &a->texts[leaf->aliases + i], d))
        return print_text(a, &a->texts[leaf->aliases + i], d, buf, n);
  for (unsigned i = 0; i < leaf->ntexts; i++)
    if (holds(a, &a->texts[leaf->texts + i], d)) return print_text(a, &a->texts[leaf->texts + i], d, buf, n);
  return snprintf(buf, n, "<no text>");
}

/* ---- assembly: matching ---------------------------------------------------------------------------------------- */

/* The message of the attempt that came furthest is the one worth showing. */
struct attempt {
  const char *text;
  size_t reached; /* 0: none; else position + 1 */
  char *err;
  size_t nerr;
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct attempt *t, const char *at, const char *fmt,
                                                         ...) {
  size_t pos = (size_t)(at - t->text) + 1;
  if (pos > t->reached) {
    t->reached = pos;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->err, t->nerr, fmt, ap);
    va_end(ap);
  }
  return false;
}

static bool word_char(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

static const char *blanks(const char *s) {
  while (*s == ' ' || *s == '\t') s++;
  return s;
}

/* The length of the word at s, cut to what fits buf; words join with `.` and `_`. */
static size_t word(const char *s, char *buf, size_t n) {
  size_t len = 0;
  while (word_char(s[len])) len++;
  snprintf(buf, n, "%.*s", (int)(len < n ? len : n - 1), s);
  return len;
}

static bool number(const char **s, bool *negative, uint64_t *v) {
  const char *p = *s;
  *negative = *p == '-';
  p += *p == '-' || *p == '+';
  if (!isdigit((unsigned char)*p)) return false;
  char *end;
  *v = strtoull(p, &end, p[0] == '0' && (p[1] == 'x' || p[1] == 'X') ? 16 : 10);
  if (word_char(*end)) return false;
  *s = end;
  return true;
}

static bool match_literal(struct attempt *t, const char **s, const char *lit) {
  for (; *lit; lit++) {
    if (*lit == ' ') {
      const char *p = blanks(*s);
      if (p == *s && *p && word_char(p[-1]) && word_char(*p))
        return refuse(t, p, "expected a blank at \"%s\"", p);
      *s = p;
      continue;
    }
    const char *p = word_char(*lit) ? *s : blanks(*s);
    if (tolower((unsigned char)*p) != tolower((unsigned char)*lit))
      return *p ? refuse(t, p, "expected \"%c\" at \"%s\"", *lit, p)
                : refuse(t, p, "expected \"%c\" at the end", *lit);
    *s = p + 1;
  }
  return true;
}

static bool match_register(struct attempt *t, const struct asm_names *r, const char **s, uint64_t *v) {
  char w[MAX_WORD];
  word(*s, w, sizeof w);
  size_t len = strcspn(w, "."); /* what follows is literal text: the arrangement of a vector */
  w[len] = 0;
  for (unsigned i = 0; i < r->n; i++)
    if (r->names[i] && strcasecmp(r->names[i], w) == 0) {
      *s += len;
      *v = i;
      return true;
    }
  size_t np = r->prefix ? strlen(r->prefix) : 0;
  if (np && strncasecmp(w, r->prefix, np) == 0 && isdigit((unsigned char)w[np])) {
    char *end;
    unsigned long i = strtoul(w + np, &end, 10);
    if (!*end && i < r->n && (w[np] != '0' || !w[np + 1])) {
      *s += len;
      *v = i;
      return true;
    }
  }
  return refuse(t, *s,
                len ? "\"%s\" is not a register that this instruction takes" : "a register is missing%s", w);
}

static bool match_named(struct attempt *t, const struct asm_values *names, unsigned bits, const char **s,
                        uint64_t *v) {
  char w[MAX_WORD];
  size_t len = word(*s, w, sizeof w);
  const struct asm_value *empty = NULL; /* the value that is written as nothing */
  for (uint32_t i = 0; i < names->n; i++) {
    if (!*names->values[i].name) empty = &names->values[i];
    if (len && strcasecmp(names->values[i].name, w) == 0) {
      *s += len;
      *v = (uint64_t)names->values[i].value;
      return true;
    }
  }
  if (empty) {
    *v = (uint64_t)empty->value;
    return true;
  }
  const char *at = *s;
  bool negative;
  if (!number(s, &negative, v))
    return refuse(t, at,
                  len ? "\"%s\" is not a value that this instruction takes" : "an operand is missing%s", w);
  if (negative || *v > ones(bits)) return refuse(t, at, "%s is out of range: 0 to %" PRIu64, w, ones(bits));
  return true;
}

/* Digits with a point; the bits are those of an f64. */
static bool match_float(struct attempt *t, const char **s, uint64_t *v) {
  size_t sign = **s == '-' || **s == '+', len = sign + strspn(*s + sign, "0123456789.");
  char *end;
  double f = strtod(*s, &end);
  if (len == sign || end != *s + len || word_char(*end))
    return refuse(t, *s, "expected a number at \"%s\"", *s);
  memcpy(v, &f, sizeof f);
  *s = end;
  return true;
}

static bool match_integer(struct attempt *t, const struct asm_part *p, const char **s, uint64_t *v) {
  const char *at = *s;
  bool negative;
  uint64_t m, scale = p->kind == ASM_HEX ? 1 : p->arg;
  if (!number(s, &negative, &m))
    return refuse(t, at, *at ? "expected a number at \"%s\"" : "an immediate is missing%s", at);
  if (m % scale)
    return refuse(t, at, "%s%" PRIu64 " is not a multiple of %" PRIu64, negative ? "-" : "", m, scale);
  m /= scale;
  bool is_signed = p->kind == ASM_SIGNED;
  uint64_t top = is_signed ? ones(p->bits - 1u) : ones(p->bits);
  uint64_t low = is_signed ? ones(p->bits - 1u) + 1 : 0;
  if (negative ? m > low : m > top)
    return refuse(t, at, "%s%" PRIu64 " is out of range: %s%" PRIu64 " to %" PRIu64, negative ? "-" : "",
                  m * scale, low ? "-" : "", low * scale, top * scale);
  *v = (negative ? -m : m) & ones(p->bits);
  return true;
}

static bool match_text(const struct asm_isa *a, const struct asm_text *text, struct attempt *t,
                       struct insn *d) {
  const char *s = t->text;
  for (unsigned i = 0; i < text->nparts; i++) {
    const struct asm_part *p = &a->parts[text->parts + i];
    uint64_t v = 0;
    bool ok;
    const char *before = s;
    if (p->kind != ASM_LITERAL) s = blanks(s);
    switch (p->kind) {
    case ASM_LITERAL:
      if (!match_literal(t, &s, a->strings + p->arg)) return false;
      continue;
    case ASM_REGISTER:
      ok = match_register(t, &a->names[p->arg], &s, &v);
      v = v < (uint64_t)p->plus ? v + a->names[p->arg].n - (uint64_t)p->plus : v - (uint64_t)p->plus;
      break;
    case ASM_VALUE: {
      const char *at = s;
      ok = match_named(t, &a->values[p->arg], p->bits, &s, &v);
      if (ok && s == at) s = before; /* nothing was read: the blank belongs to what follows */
      break;
    }
    case ASM_FLOAT: ok = match_float(t, &s, &v); break;
    default: ok = match_integer(t, p, &s, &v); break;
    }
    if (!ok) return false;
    put(a, d, p->operand, v);
  }
  s = blanks(s);
  return !*s || refuse(t, s, "unexpected \"%s\" after the instruction", s);
}

/* ---- assembly: encoding ---------------------------------------------------------------------------------------- */

/* Derived operands that the text showed, bit i for the leaf's i-th, and their values. */
struct wanted {
  uint32_t shown;
  uint64_t value[MAX_DERIVED];
};

static bool derived_are(const struct asm_isa *a, const struct asm_leaf *leaf, struct insn *d,
                        const struct wanted *w) {
  a->derive(d);
  for (unsigned i = 0; i < leaf->nderived; i++)
    if (w->shown >> i & 1 && get(a, d, a->lists[leaf->derived + i]) != w->value[i]) return false;
  return true;
}

/* Fields from the derived operands in d that the text showed: bit for bit, else by search over all field values. Those it
 * did not show are derived from the fields. */
static bool underive(const struct asm_isa *a, const struct asm_leaf *leaf, const struct asm_text *text,
                     struct insn *d) {
  struct wanted want = {0};
  unsigned bits = 0;
  for (unsigned i = 0; i < leaf->nderived; i++) {
    const unsigned operand = a->lists[leaf->derived + i];
    for (unsigned k = 0; k < text->nparts; k++) {
      const struct asm_part *p = &a->parts[text->parts + k];
      if (p->kind != ASM_LITERAL && p->operand == operand) want.shown |= 1u << i;
    }
    want.value[i] = get(a, d, operand);
  }
  if (!want.shown || !leaf->nsearch) {
    if (want.shown) a->solve(d);
    return derived_are(a, leaf, d, &want);
  }
  for (unsigned i = 0; i < leaf->nsearch; i++) {
    const struct asm_field *f = &a->fields[leaf->fields + a->lists[leaf->search + i]];
    for (unsigned k = 0; k < f->npieces; k++) bits += a->pieces[f->pieces + k].width;
  }
  for (uint32_t n = 0; n < 1u << bits; n++) {
    uint32_t rest = n;
    for (unsigned i = leaf->nsearch; i-- > 0;) {
      const struct asm_field *f = &a->fields[leaf->fields + a->lists[leaf->search + i]];
      uint64_t v = 0;
      for (unsigned k = f->npieces; k-- > 0;) {
        const struct asm_piece *p = &a->pieces[f->pieces + k];
        v |= (rest & ones(p->width)) << p->lo;
        rest >>= p->width;
      }
      put(a, d, f->operand, v + (uint64_t)f->add);
    }
    if (derived_are(a, leaf, d, &want)) return true;
  }
  return false;
}

static bool encode_field(const struct asm_isa *a, const struct asm_field *f, const struct insn *d,
                         uint32_t *word, struct attempt *t, const char *end) {
  const char *name = a->strings + a->operands[f->operand].name;
  uint64_t v = get(a, d, f->operand) - (uint64_t)f->add, placed = 0;
  if (v & ~ones(f->bits))
    return refuse(t, end, "%s cannot be encoded: outside %d to %d", name, f->add,
                  (int)ones(f->bits) + f->add);
  for (unsigned i = 0; i < f->npieces; i++) {
    const struct asm_piece *p = &a->pieces[f->pieces + i];
    *word |= (uint32_t)((v >> p->lo & ones(p->width)) << p->pos);
    placed |= ones(p->width) << p->lo;
  }
  uint64_t lowest = placed & -placed;
  if (v & (lowest - 1)) return refuse(t, end, "%s must be a multiple of %" PRIu64, name, lowest);
  return !(v & ~placed) || refuse(t, end, "%s has bits that cannot be encoded", name);
}

static int encode(const struct asm_isa *a, uint64_t features, const struct asm_text *text, struct insn *d,
                  struct attempt *t, uint8_t *out) {
  const struct asm_leaf *leaf = &a->leaves[text->op];
  const char *end = t->text + strlen(t->text);
  uint64_t missing = leaf->requires_ & ~features;
  if (missing) {
    refuse(t, end, "this instruction needs the feature %s", a->features[__builtin_ctzll(missing)]);
    return -1;
  }
  if (leaf->nderived && !underive(a, leaf, text, d)) {
    refuse(t, end, "%s has no encoding with this value",
           a->strings + a->operands[a->lists[leaf->derived]].name);
    return -1;
  }
  if (!holds(a, text, d)) {
    refuse(t, end, "this form does not take these operands");
    return -1;
  }
  uint32_t word = leaf->value;
  for (unsigned i = 0; i < leaf->nfields; i++)
    if (!encode_field(a, &a->fields[leaf->fields + i], d, &word, t, end)) return -1;
  for (unsigned i = 0; i < leaf->len; i++) out[i] = (uint8_t)(word >> 8 * i);
  union {
    struct insn head;
    char bytes[MAX_INSN];
  } back;
  if (a->decode(features, out, leaf->len, &back.head) != leaf->len || back.head.op != text->op) {
    refuse(t, end, "these operands make a reserved encoding or another instruction");
    return -1;
  }
  return leaf->len;
}

/* First key that is not below the first `len` characters of s. */
static uint32_t lower_bound(const struct asm_isa *a, const char *s, size_t len) {
  uint32_t lo = 0, hi = a->nkeys;
  while (lo < hi) {
    uint32_t mid = (lo + hi) / 2;
    const char *k = a->strings + a->keys[mid].name;
    int c = strncasecmp(k, s, len);
    if (c < 0) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

static bool key_is(const struct asm_isa *a, uint32_t i, const char *s, size_t len) {
  const char *k = a->strings + a->keys[i].name;
  return strncasecmp(k, s, len) == 0 && !k[len];
}

int asm_assemble(const struct asm_isa *a, uint64_t features, const char *text, uint8_t *out, char *err,
                 size_t nerr) {
  text = blanks(text);
  struct attempt t = {.text = text, .err = err, .nerr = nerr};
  size_t len = strcspn(text, " \t");
  if (nerr) err[0] = 0;
  if (a->insn_size > MAX_INSN) {
    snprintf(err, nerr, "the decoded instruction of this ISA is larger than the assembler's");
    return -1;
  }
  bool tried = false;
  for (size_t n = len; n > 0 && !tried; n--) {
    for (uint32_t i = lower_bound(a, text, n); i < a->nkeys && key_is(a, i, text, n); i++) {
      if (n < len && !a->keys[i].open) continue;
      const struct asm_text *x = &a->texts[a->keys[i].text];
      union {
        struct insn head;
        char bytes[MAX_INSN];
      } d;
      memset(&d, 0, sizeof d);
      d.head.op = x->op;
      tried = true;
      if (!match_text(a, x, &t, &d.head)) continue;
      if (x->set) a->set(x->set, &d.head);
      int got = encode(a, features, x, &d.head, &t, out);
      if (got > 0) return got;
    }
  }
  if (!tried)
    snprintf(err, nerr, len ? "unknown instruction \"%.*s\"" : "no instruction%.*s",
             (int)(len < 40 ? len : 40), text);
  return -1;
}
