/* Assembler of variable-length instructions: parses Intel syntax, tries the forms of the mnemonic, encodes the shortest.
 * Not responsible for text of decoded instructions (form_text.c). */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/form.h"

enum kind { REGISTER, MEMORY, NUMBER };
enum { MAX_OPS = 4, NO_SIZE = 0xffff };

/* An operand as written. A register matches a name table if the table has its name. */
struct parsed {
  enum kind kind;
  char name[16];  /* REGISTER */
  uint64_t value; /* NUMBER */
  uint16_t bits;  /* MEMORY: pointer size, or NO_SIZE */
  bool es;        /* MEMORY: the destination of a string instruction */
  uint64_t disp;
  uint8_t base, index, scale, seg, a32;
};

struct parser {
  const struct form_isa *f;
  const char *s;
  char *err;
  size_t nerr;
};

static __attribute__((format(printf, 2, 3))) int fail(struct parser *p, const char *format, ...) {
  va_list ap;

  va_start(ap, format);
  if (p->nerr) vsnprintf(p->err, p->nerr, format, ap);
  va_end(ap);
  return -1;
}

static void blank(struct parser *p) {
  while (*p->s == ' ' || *p->s == '\t') p->s++;
}

static bool take(struct parser *p, char c) {
  blank(p);
  if (*p->s != c) return false;
  p->s++;
  return true;
}

/* Reads a word of letters, digits, _ and dots; empty when there is none. Longer ones are cut, and match nothing. */
static void word(struct parser *p, char *out, size_t n) {
  size_t k = 0;

  blank(p);
  for (; isalnum((unsigned char)*p->s) || *p->s == '_' || *p->s == '.'; p->s++)
    if (k + 1 < n) out[k++] = (char)tolower((unsigned char)*p->s);
  out[k] = 0;
}

static int find(const struct form_isa *f, unsigned table, const char *name) {
  const struct form_names *t = &f->names[table];
  for (unsigned k = 0; k < t->n; k++)
    if (t->names[k] && !strcmp(t->names[k], name)) return (int)k;
  return -1;
}

static bool number(struct parser *p, uint64_t *out) {
  char *end;
  bool minus;

  blank(p);
  const char *s = p->s;
  minus = *s == '-';
  if (*s == '-' || *s == '+') s++;
  while (*s == ' ') s++;
  if (!isdigit((unsigned char)*s)) return false;
  uint64_t v = strtoull(s, &end, s[0] == '0' && (s[1] | 32) == 'x' ? 16 : 10);
  if (isalnum((unsigned char)*end)) return false;
  p->s = end;
  *out = minus ? -v : v;
  return true;
}

/* A register of an address; sets the width of all of them. */
static int address_register(struct parser *p, struct parsed *o, const char *name, int *wide) {
  const struct form_isa *f = p->f;
  int w = 1, n = !strcmp(name, f->pc_name) ? f->pc : find(f, f->wide, name);

  if (n < 0) {
    w = 0;
    n = !strcmp(name, f->narrow_pc_name) ? f->pc : find(f, f->narrow, name);
  }
  if (n < 0) return fail(p, "'%s' is no register of an address", name);
  if (*wide >= 0 && *wide != w) return fail(p, "an address mixes 32-bit and 64-bit registers");
  *wide = w;
  o->a32 = !w;
  return n;
}

static int set_index(struct parser *p, struct parsed *o, int n, unsigned scale) {
  const struct form_isa *f = p->f;

  if (n == f->stack || n == f->pc) return fail(p, "this register cannot be an index");
  o->index = (uint8_t)n;
  o->scale = scale == 8 ? 3 : scale == 4 ? 2 : scale == 2 ? 1 : 0;
  return 0;
}

/* [base + scale*index + displacement], after the bracket. */
static int address(struct parser *p, struct parsed *o) {
  const struct form_isa *f = p->f;
  int wide = -1, indexed = 0;
  char name[16];

  o->base = o->index = f->none;
  for (bool first = true;; first = false) {
    bool minus = false;
    uint64_t v;

    if (!first) {
      if (take(p, ']')) return 0;
      minus = take(p, '-');
      if (!minus && !take(p, '+')) return fail(p, "expected '+', '-' or ']' at '%s'", p->s);
    }
    blank(p);
    if (number(p, &v)) {
      if (!take(p, '*')) {
        o->disp += minus ? -v : v;
        continue;
      }
      if (minus || (v != 1 && v != 2 && v != 4 && v != 8)) return fail(p, "a scale is 1, 2, 4 or 8");
      word(p, name, sizeof name);
      int n = address_register(p, o, name, &wide);
      if (n < 0 || set_index(p, o, n, (unsigned)v)) return -1;
      indexed++;
    } else {
      word(p, name, sizeof name);
      if (!*name) return fail(p, "expected an address at '%s'", p->s);
      int n = address_register(p, o, name, &wide);
      if (n < 0) return -1;
      if (minus) return fail(p, "a register cannot be subtracted");
      if (take(p, '*')) {
        if (!number(p, &v) || (v != 1 && v != 2 && v != 4 && v != 8))
          return fail(p, "a scale is 1, 2, 4 or 8");
        if (set_index(p, o, n, (unsigned)v)) return -1;
        indexed++;
      } else if (o->base == f->none && (n != f->none)) {
        o->base = (uint8_t)n;
      } else {
        if (n == f->stack && o->base != f->stack) { /* the stack pointer is never an index */
          int swap = o->base;
          o->base = (uint8_t)n;
          n = swap;
        }
        if (set_index(p, o, n, 1)) return -1;
        indexed++;
      }
    }
    if (indexed > 1) return fail(p, "an address has two index registers");
    if (o->base == f->pc && indexed) return fail(p, "an address relative to %s has no index", f->pc_name);
  }
}

static int operand(struct parser *p, struct parsed *o) {
  const struct form_isa *f = p->f;
  static const uint16_t sizes[] = {8, 16, 32, 64, 128, 256};
  char name[16];

  memset(o, 0, sizeof *o);
  o->bits = NO_SIZE;
  blank(p);
  if (number(p, &o->value)) {
    o->kind = NUMBER;
    return 0;
  }
  if (!take(p, '[')) {
    word(p, name, sizeof name);
    for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++) {
      if (strcmp(name, f->pointer(sizes[k]))) continue;
      o->bits = sizes[k];
      word(p, name, sizeof name);
      if (strcmp(name, "ptr")) return fail(p, "expected 'ptr'");
      word(p, name, sizeof name);
      break;
    }
    if (*name && take(p, ':')) {
      for (unsigned k = 0; k < f->nsegments; k++)
        if (f->segments[k] && !strcmp(f->segments[k], name)) o->seg = (uint8_t)k;
      o->es = !strcmp(name, "es");
      if (!o->seg && !o->es && strcmp(name, "ds") && strcmp(name, "ss") && strcmp(name, "cs"))
        return fail(p, "'%s' is no segment", name);
      *name = 0;
    } else if (*name && o->bits == NO_SIZE) {
      o->kind = REGISTER;
      memcpy(o->name, name, sizeof o->name);
      return 0;
    }
    if (*name || !take(p, '[')) return fail(p, "expected an address at '%s'", p->s);
  }
  o->kind = MEMORY;
  return address(p, o);
}

/* ---- matching ---- */

static bool fits_signed(uint64_t v, unsigned bits) {
  return bits >= 64 || ((int64_t)v >= -(INT64_C(1) << (bits - 1)) && (int64_t)v < INT64_C(1) << (bits - 1));
}

static uint64_t sign(uint64_t v, unsigned bits) {
  return bits >= 64 ? v : (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits));
}

/* Whether `v` is an immediate of `bits` bits that the form can encode; *out is what it encodes, sign-extended. */
static bool immediate(const struct form_leaf *l, const struct form_op *p, uint64_t v, uint64_t *out) {
  static const uint8_t width[] = {0, 8, 16, 32, 64, 32, 64};
  unsigned bits = p->bits, enc = width[l->imm];

  if (bits < 64 && !fits_signed(v, bits) && v >> bits) return false;
  if (p->sign && enc < bits) {
    v = sign(v, bits);
    if (!fits_signed(v, enc)) return false;
  }
  *out = sign(v, enc);
  return true;
}

static bool memory(const struct form_op *p, const struct parsed *o, struct form_args *a) {
  if (o->kind != MEMORY || o->es) return false;
  if (o->bits != NO_SIZE && o->bits != p->bits) return false;
  a->base = o->base;
  a->index = o->index;
  a->scale = o->scale;
  a->seg = o->seg;
  a->a32 = o->a32;
  a->disp = o->disp;
  return fits_signed(o->disp, 32);
}

static bool matches(const struct form_isa *f, const struct form_leaf *l, const struct form_op *p,
                    const struct parsed *o, struct form_args *a) {
  int n = o->kind == REGISTER ? find(f, p->names, o->name) : -1;

  switch (p->place) {
  case FORM_RM:
    if (l->flags & FORM_MEMORY) return memory(p, o, a);
    a->rm = (uint8_t)n;
    return n >= 0 && n != (f->names[p->names].byte ? -1 : f->none);
  case FORM_MEM: return memory(p, o, a);
  case FORM_LOW: a->rm = (uint8_t)n; return n >= 0 && (f->names[p->names].byte || n < 16);
  case FORM_REG: a->reg = (uint8_t)n; return n >= 0 && (f->names[p->names].byte || n < 16);
  case FORM_VVVV: a->vvvv = (uint8_t)n; return n >= 0 && n < 16;
  case FORM_FIXED: return n == p->index;
  case FORM_ONE: return o->kind == NUMBER && o->value == 1;
  case FORM_IMM: return o->kind == NUMBER && immediate(l, p, o->value, &a->imm);
  case FORM_REL:
    a->imm = o->value;
    return o->kind == NUMBER && fits_signed(o->value, l->imm == FORM_IMM_8 ? 8 : 32);
  case FORM_MOFFS:
    if (o->kind != MEMORY || o->es || o->base != f->none || o->index != f->none) return false;
    if (o->bits != NO_SIZE && o->bits != p->bits) return false;
    a->seg = o->seg;
    a->disp = o->disp;
    return true;
  case FORM_SOURCE:
  case FORM_DEST:
    if (o->kind != MEMORY || o->es != (p->place == FORM_DEST) || o->base != p->index || o->index != f->none ||
        o->disp)
      return false;
    if (o->bits != NO_SIZE && o->bits != p->bits) return false;
    if (p->place == FORM_SOURCE) a->seg = o->seg;
    a->a32 |= o->a32;
    return true;
  default: return false;
  }
}

/* Memory without a pointer size is fine beside a register of the same size. */
static bool size_known(const struct form_leaf *l, const struct parsed *ops, unsigned n) {
  bool memory = false, reg = false;

  for (unsigned k = 0; k < n; k++) {
    memory |= ops[k].kind == MEMORY && ops[k].bits == NO_SIZE;
    reg |= ops[k].kind == REGISTER;
  }
  if (!memory || (reg && !l->narrow)) return true;
  for (unsigned k = 0; k < l->nops; k++)
    if (l->ops[k].place == FORM_MEM && !l->ops[k].bits) return true;
  return false;
}

/* ---- encoding ---- */

struct bytes {
  uint8_t b[32];
  unsigned n;
};

static void put(struct bytes *o, uint64_t v, unsigned n) {
  for (; n; n--, v >>= 8) o->b[o->n++] = (uint8_t)v;
}

static void modrm_memory(const struct form_isa *f, struct bytes *o, const struct form_args *a, unsigned reg) {
  unsigned base = a->base & 7, index = a->index == f->none ? 4 : a->index & 7, mod;
  int64_t disp = (int64_t)a->disp;
  bool sib = a->index != f->none || a->scale || a->base == f->none || base == 4;

  if (a->base == f->pc) {
    put(o, 5 | reg << 3, 1);
    put(o, a->disp, 4);
    return;
  }
  if (a->base == f->none) {
    put(o, 4 | reg << 3, 1);
    put(o, 5 | index << 3 | (unsigned)a->scale << 6, 1);
    put(o, a->disp, 4);
    return;
  }
  mod = !disp && base != 5 ? 0 : disp >= -128 && disp < 128 ? 1 : 2;
  put(o, (sib ? 4 : base) | reg << 3 | mod << 6, 1);
  if (sib) put(o, base | index << 3 | (unsigned)a->scale << 6, 1);
  put(o, a->disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* REX bits and whether a REX prefix is needed or impossible. */
static unsigned rex_bits(const struct form_isa *f, const struct form_leaf *l, const struct form_args *a,
                         bool *need, bool *bad) {
  unsigned rex = 0;
  bool memory = l->flags & FORM_MEMORY;

  for (unsigned k = 0; k < l->nops; k++) {
    const struct form_op *p = &l->ops[k];
    unsigned n;
    if (p->place == FORM_REG) n = a->reg;
    else if (p->place == FORM_LOW || (p->place == FORM_RM && !memory)) n = a->rm;
    else continue;
    if (f->names[p->names].byte) {
      *bad |= n >= f->high;
      *need |= n >= 4 && n < 8;
    }
    if (n >= 8 && n < 16) rex |= p->place == FORM_REG ? 4 : 1;
  }
  if (memory) {
    if (a->base != f->none && a->base != f->pc && a->base >= 8) rex |= 1;
    if (a->index != f->none && a->index >= 8) rex |= 2;
  }
  return rex | (l->flags & FORM_W ? 8 : 0);
}

static void vex(struct bytes *o, const struct form_leaf *l, unsigned rex, unsigned vvvv) {
  unsigned pp = l->prefix == 0x66 ? 1 : l->prefix == 0xf3 ? 2 : l->prefix == 0xf2 ? 3 : 0;
  unsigned last = pp | (l->flags & FORM_L ? 4 : 0) | (~vvvv & 15) << 3;

  if (l->map == 1 && !(rex & 11)) {
    put(o, 0xc5, 1);
    put(o, last | (rex & 4 ? 0 : 0x80), 1);
  } else {
    put(o, 0xc4, 1);
    put(o, l->map | (rex & 4 ? 0 : 0x80) | (rex & 2 ? 0 : 0x40) | (rex & 1 ? 0 : 0x20), 1);
    put(o, last | (rex & 8 ? 0x80 : 0), 1);
  }
}

int form_encode(const struct form_isa *f, unsigned op, const struct form_args *a, uint8_t *out) {
  const struct form_leaf *l = &f->leaves[op];
  struct bytes o = {.n = 0};
  bool need = false, bad = false;
  unsigned rex = rex_bits(f, l, a, &need, &bad);

  if (l->flags & FORM_LOCK) put(&o, 0xf0, 1);
  if (l->flags & FORM_REP && a->rep) put(&o, a->rep == 1 ? 0xf3 : 0xf2, 1);
  bool address32 = a->a32 || l->flags & FORM_A32;
  if (address32 && !(l->flags & FORM_MODRM)) put(&o, 0x67, 1);
  if (a->seg && a->seg < f->nsegments) put(&o, f->segment_bytes[a->seg], 1);
  if (address32 && l->flags & FORM_MODRM) put(&o, 0x67, 1);
  if (l->flags & FORM_VEX) {
    vex(&o, l, rex, a->vvvv);
  } else {
    if (l->flags & FORM_66 || l->prefix == 0x66) put(&o, 0x66, 1);
    if (l->prefix > 0x66) put(&o, l->prefix, 1);
    if (bad && (rex || need)) return -1;
    if (rex || need) put(&o, 0x40 | rex, 1);
    if (l->map) put(&o, 0x0f, 1);
    if (l->map > 1) put(&o, l->map == 2 ? 0x38 : 0x3a, 1);
  }
  const unsigned rm = a->rm >= f->high ? a->rm - f->high + 4u : a->rm & 7u;
  put(&o, l->opcode | (l->flags & FORM_PLUS_R ? rm : 0), 1);
  if (l->flags & FORM_MODRM) {
    unsigned reg = (l->modrm >> 3) & 7;
    bool direct = false;
    for (unsigned k = 0; k < l->nops; k++) {
      unsigned n = l->ops[k].place == FORM_REG ? a->reg : 0;
      if (l->ops[k].place == FORM_REG)
        reg = n >= f->high && f->names[l->ops[k].names].byte ? n - f->high + 4 : n & 7;
      direct |= l->ops[k].place == FORM_RM;
    }
    if (l->flags & FORM_MEMORY) {
      modrm_memory(f, &o, a, reg);
    } else {
      put(&o, (direct ? 0xc0 | rm : l->modrm & 0xc7u) | reg << 3, 1);
    }
  }
  switch (l->imm) {
  case FORM_IMM_8: put(&o, a->imm, 1); break;
  case FORM_IMM_16: put(&o, a->imm, 2); break;
  case FORM_IMM_32:
  case FORM_IMM_REL32: put(&o, a->imm, 4); break;
  case FORM_IMM_64: put(&o, a->imm, 8); break;
  case FORM_IMM_ADDRESS: put(&o, a->disp, a->a32 ? 4 : 8); break;
  default: break;
  }
  if (o.n > f->max) return -1;
  memcpy(out, o.b, o.n);
  return (int)o.n;
}

/* ---- lines ---- */

static const struct form_key *key(const struct form_isa *f, const char *name) {
  unsigned lo = 0, hi = f->nkeys;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    int c = strcmp(name, f->strings + f->keys[mid].name);
    if (!c) return &f->keys[mid];
    if (c < 0) hi = mid;
    else lo = mid + 1;
  }
  return NULL;
}

/* Fills the operands of leaf l from what was written. Hidden operands may be left out. */
static bool leaf_matches(const struct form_isa *f, const struct form_leaf *l, const struct parsed *ops,
                         unsigned n, struct form_args *a) {
  unsigned given = 0;

  a->base = a->index = f->none;
  for (unsigned k = 0; k < l->nops; k++) {
    const struct form_op *p = &l->ops[k];
    if (p->hidden && p->place != FORM_ONE) continue;
    if (p->hidden && given == n) continue;
    if (given == n || !matches(f, l, p, &ops[given++], a)) return false;
  }
  if (given != n || !size_known(l, ops, n)) return false;
  for (unsigned k = 1; k < l->nops; k++) /* the first source is the destination */
    if (l->ops[k].hidden && l->ops[k].place != FORM_ONE && l->ops[k].place != l->ops[k - 1].place)
      return false;
  return true;
}

static void unfit(struct parser *p, const char *mnemonic, const struct form_leaf *missing) {
  const struct form_isa *f = p->f;

  if (!missing) {
    fail(p, "no form of %s takes these operands (a size such as 'dword ptr' may be missing)", mnemonic);
    return;
  }
  for (unsigned k = 0; k < f->nfeatures; k++)
    if (missing->requires_ >> k & 1) {
      fail(p, "%s needs the feature %s", mnemonic, f->feature_names[k]);
      return;
    }
}

int form_assemble(const struct form_isa *f, uint64_t features, const char *text, uint8_t *out, char *err,
                  size_t nerr) {
  struct parser p = {f, text, err, nerr};
  struct parsed ops[MAX_OPS];
  char name[32];
  bool lock = false, addr32 = false;
  unsigned rep = 0, n = 0;
  int best = -1;
  const struct form_leaf *missing = NULL;

  for (;;) {
    word(&p, name, sizeof name);
    if (!strcmp(name, "lock")) lock = true;
    else if (!strcmp(name, "rep") || !strcmp(name, "repe") || !strcmp(name, "repz")) rep = 1;
    else if (!strcmp(name, "repne") || !strcmp(name, "repnz")) rep = 2;
    else if (!strcmp(name, "addr32")) addr32 = true;
    else break;
  }
  if (!*name) return fail(&p, "expected an instruction");
  const struct form_key *k = key(f, name);
  if (!k) return fail(&p, "unknown instruction '%s'", name);
  blank(&p);
  if (*p.s) {
    do {
      if (n == MAX_OPS) return fail(&p, "too many operands");
      if (operand(&p, &ops[n++])) return -1;
    } while (take(&p, ','));
  }
  blank(&p);
  if (*p.s) return fail(&p, "unexpected text '%s'", p.s);
  for (unsigned i = 0; i < k->count; i++) {
    unsigned op = f->order[k->first + i];
    const struct form_leaf *l = &f->leaves[op];
    struct form_args a = {.rep = (uint8_t)rep};
    uint8_t bytes[32];

    if (lock != !!(l->flags & FORM_LOCK) || (rep && !(l->flags & FORM_REP)) ||
        !leaf_matches(f, l, ops, n, &a))
      continue;
    if (addr32) a.a32 = 1;
    if (l->flags & FORM_COMMUTES && !(l->flags & FORM_MEMORY) && a.rm >= 8 && a.vvvv < 8) {
      uint8_t swap = a.rm;
      a.rm = a.vvvv;
      a.vvvv = swap;
    }
    if (l->requires_ & ~features) {
      missing = l;
      continue;
    }
    int len = form_encode(f, op, &a, bytes);
    union {
      struct insn head;
      uint8_t room[64];
    } d;
    if (len > 0 && (best < 0 || len < best) && f->decode(features, bytes, (size_t)len, &d.head) == len &&
        d.head.op == op) {
      best = len;
      memcpy(out, bytes, (size_t)len);
    }
  }
  if (best < 0) unfit(&p, name, missing);
  return best;
}
