/* Instructions of a variable-length ISA made from the forms that tests/lib/forms.py lists. For tests only. */
#ifndef ISOMER_TESTS_FORM_BYTES_H
#define ISOMER_TESTS_FORM_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FORMS = 8192 };

struct form {
  char name[64], mnemonic[24], family[24];
  int prefix, osize, w, vex, l, map, opcode, plus_r, modrm, digit, memory, imm, lock, rep, a32, vvvv, rel, b0,
      n;
  int stringy, moffs, byte_reg, byte_rm, memory_bits;
};

/* The choices that a form leaves open. */
struct choice {
  unsigned rex;      /* RXB bits; W where the form does not say */
  bool rex_present;  /* a REX prefix even without bits */
  unsigned reg, low; /* low three bits */
  uint8_t modrm;     /* mod and rm for memory */
  uint8_t sib;
  uint64_t disp, imm;
  unsigned vvvv, rep;
  uint8_t segment; /* prefix byte or 0 */
  bool a32;
  bool vex3; /* the three-byte VEX prefix where two bytes would do */
};

static inline int forms_read(const char *path, struct form *forms) {
  FILE *f = fopen(path, "r");
  int n = 0;
  if (!f) {
    perror(path);
    exit(2);
  }
  for (struct form *p = forms; n < MAX_FORMS; p++, n++)
    if (fscanf(f, "%63s %23s %23s %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d",
               p->name, p->mnemonic, p->family, &p->prefix, &p->osize, &p->w, &p->vex, &p->l, &p->map,
               &p->opcode, &p->plus_r, &p->modrm, &p->digit, &p->memory, &p->imm, &p->lock, &p->rep, &p->a32,
               &p->vvvv, &p->rel, &p->b0, &p->n, &p->stringy, &p->moffs, &p->byte_reg, &p->byte_rm,
               &p->memory_bits) != 27)
      break;
  if (!feof(f)) {
    fprintf(stderr, "%s: line %d is no form\n", path, n + 1);
    exit(2);
  }
  fclose(f);
  return n;
}

/* Returns the length; *opcode: where the opcode byte is. */
static inline unsigned form_bytes(const struct form *f, const struct choice *c, uint8_t out[32],
                                  unsigned *opcode) {
  unsigned n = 0, rex = c->rex & 7;
  bool a32 = f->a32 >= 0 ? f->a32 : c->a32;
  if (f->w > 0 || (f->w < 0 && c->rex & 8)) rex |= 8;
  if (f->b0) rex &= ~1u;
  if (f->lock) out[n++] = 0xf0;
  if (f->rep && c->rep) out[n++] = c->rep == 1 ? 0xf3 : 0xf2;
  if (a32) out[n++] = 0x67;
  if (c->segment) out[n++] = c->segment;
  if (f->osize) out[n++] = 0x66;
  if (f->vex) {
    unsigned pp = f->prefix == 0x66 ? 1 : f->prefix == 0xf3 ? 2 : f->prefix == 0xf2 ? 3 : 0;
    unsigned last = pp | (unsigned)f->l << 2 | (f->vvvv ? ~c->vvvv & 15 : 15) << 3;
    if (f->map == 1 && !(rex & 11) && !c->vex3) {
      out[n++] = 0xc5;
      out[n++] = last | (rex & 4 ? 0 : 0x80);
    } else {
      out[n++] = 0xc4;
      out[n++] = f->map | (rex & 4 ? 0 : 0x80) | (rex & 2 ? 0 : 0x40) | (rex & 1 ? 0 : 0x20);
      out[n++] = last | (rex & 8 ? 0x80 : 0);
    }
  } else {
    if (f->prefix) out[n++] = f->prefix;
    if (rex || c->rex_present) out[n++] = 0x40 | rex;
    if (f->map) out[n++] = 0x0f;
    if (f->map > 1) out[n++] = f->map == 2 ? 0x38 : 0x3a;
  }
  *opcode = n;
  out[n++] = f->opcode | (f->plus_r ? c->low : 0);
  if (f->modrm == 2) {
    out[n++] = f->digit;
  } else if (f->modrm) {
    unsigned reg = f->digit >= 0 ? (unsigned)f->digit : c->reg, disp = 0;
    if (!f->memory) {
      out[n++] = 0xc0 | reg << 3 | c->low;
    } else {
      unsigned mod = c->modrm >> 6, rm = c->modrm & 7;
      out[n++] = (c->modrm & 0xc7) | reg << 3;
      disp = mod == 1 ? 1 : mod == 2 || rm == 5 ? 4 : 0;
      if (rm == 4) {
        out[n++] = c->sib;
        if (mod == 0 && (c->sib & 7) == 5) disp = 4;
      }
      for (unsigned k = 0; k < disp; k++) out[n++] = (uint8_t)(c->disp >> 8 * k);
    }
  }
  unsigned imm = f->moffs && a32 ? 4 : (unsigned)f->imm;
  for (unsigned k = 0; k < imm; k++) out[n++] = (uint8_t)(c->imm >> 8 * k);
  return n;
}

/* Random choices; `next`: 64 random bits. */
static inline void form_choose(const struct form *f, uint64_t (*next)(void), struct choice *c) {
  uint64_t r = next();
  *c = (struct choice){.rex = r & 15,
                       .rex_present = r >> 4 & 1,
                       .reg = r >> 5 & 7,
                       .low = r >> 8 & 7,
                       .modrm = (uint8_t)(r >> 11),
                       .sib = (uint8_t)(r >> 19),
                       .disp = next(),
                       .imm = next(),
                       .vvvv = r >> 27 & 15,
                       .rep = (r >> 31 & 3) % 3,
                       .vex3 = r >> 33 & 1};
  if (c->modrm >> 6 == 3) c->modrm &= 0x7f;
  if (r >> 34 & 1) c->disp = (uint64_t)(int8_t)c->disp;
  if (r >> 35 & 1) c->imm = (uint64_t)(int8_t)c->imm;
  bool memory = f->memory || f->moffs || f->stringy;
  if (memory && (r >> 36 & 15) == 0) c->segment = r >> 40 & 1 ? 0x64 : 0x65;
  if (memory && (r >> 42 & 15) == 0) c->a32 = true;
  if (f->plus_r && f->opcode == 0x90 && !c->low) c->low = 1; /* exchange with itself: another instruction */
}

/* Prefixes behind REX undo it; LLVM shows them in ways of its own. */
static inline bool form_prefix(uint8_t b) {
  return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x64 || b == 0x65 ||
         (b & 0xe7) == 0x26 || (b & 0xf0) == 0x40;
}

/* Bytes of a random form, or (*made = false) up to 15 of a neighbour of one. Returns the length, 0 for a choice without use. */
static inline unsigned form_random(const struct form *forms, int nforms, uint64_t (*next)(void),
                                   uint8_t b[32], bool *made) {
  const struct form *f = &forms[next() % (unsigned)nforms];
  struct choice c;
  form_choose(f, next, &c);
  unsigned at, n = form_bytes(f, &c, b, &at);
  uint64_t how = next();
  *made = true;
  if (how % 16 == 0) { /* a neighbour: one or two bits off, from the opcode on */
    b[at + (how >> 8) % (n - at)] ^= 1u << (how >> 16 & 7);
    if (how >> 20 & 1) b[at + (how >> 24) % (n - at)] ^= 1u << (how >> 32 & 7);
    *made = false;
    if (form_prefix(b[at])) return 0;
  } else if (how % 16 == 1) { /* anything behind the opcode */
    uint64_t r = next();
    memcpy(b + at + 1, &r, 8);
    *made = false;
  }
  return *made ? n : 15;
}

#endif
