/* Disassembly and assembly from generated tables: templates of text, operands, encodings. Knows no ISA. The conditions
 * and derived operands of an ISA are generated C behind function pointers. */
#ifndef ISOMER_CORE_ASMTEXT_H
#define ISOMER_CORE_ASMTEXT_H

#include "core/isa.h"

enum asm_kind {
  ASM_LITERAL,  /* arg: offset in strings */
  ASM_REGISTER, /* arg: register name table; value is index - plus */
  ASM_UNSIGNED, /* arg: scale */
  ASM_SIGNED,   /* two's complement of `bits` bits; arg: scale */
  ASM_HEX,
  ASM_FLOAT, /* the bits of an f64, printed with eight digits */
  ASM_VALUE, /* arg: value name table */
  ASM_NAMED, /* the same; the template is only for values that have a name */
};

struct asm_part {
  uint8_t kind;    /* enum asm_kind */
  uint8_t operand; /* index in operands */
  uint8_t bits;    /* width of the operand's value */
  int8_t plus;
  uint32_t arg;
};

/* A member of the decoded instruction. */
struct asm_operand {
  uint16_t name;   /* offset in strings */
  uint16_t offset; /* bytes from struct insn */
  uint8_t size;    /* 1, 2, 4 or 8 bytes */
};

/* Names by register index; NULL where an index has none. `prefix` + number is accepted as well unless NULL. */
struct asm_names {
  const char *const *names;
  uint16_t n;
  const char *prefix;
};

struct asm_value {
  int64_t value;
  const char *name;
};

struct asm_values {
  const struct asm_value *values;
  uint32_t n;
};

/* One template: of a leaf's own text (several alternatives) or of an alias. */
struct asm_text {
  uint16_t op;
  uint16_t parts; /* first part */
  uint8_t nparts;
  uint16_t when; /* condition number; 0: always */
  uint16_t set;  /* assignment number for assembling; 0: none */
};

struct asm_piece {
  uint8_t width, lo, pos; /* bits lo .. lo+width-1 of the operand, at bit pos of the word */
};

struct asm_field {
  uint8_t operand;
  uint8_t bits; /* width before `add` */
  int16_t add;  /* operand = field + add */
  uint16_t pieces;
  uint8_t npieces;
};

struct asm_leaf {
  uint64_t requires_;
  uint32_t value; /* fixed and should-be bits */
  uint8_t len;    /* bytes */
  uint8_t nfields, nderived, nsearch, ntexts, naliases;
  uint16_t fields; /* first */
  uint16_t derived,
      search; /* first in `lists`: derived operands; fields to be searched for them (relative to fields) */
  uint16_t texts, aliases; /* first */
};

/* Assembly keys, sorted: the text of a template up to its first blank or operand. */
struct asm_key {
  uint32_t name;
  uint16_t text;
  bool open; /* an operand follows without a blank */
};

struct asm_isa {
  const char *strings;
  const struct asm_operand *operands;
  const struct asm_names *names;
  const struct asm_values *values;
  const struct asm_part *parts;
  const struct asm_text *texts;
  const struct asm_field *fields;
  const struct asm_piece *pieces;
  const struct asm_leaf *leaves; /* by leaf number */
  const uint8_t *lists;
  const struct asm_key *keys;
  const char *const *features;
  uint32_t nkeys, insn_size;
  bool (*when)(unsigned n, const struct insn *d);
  void (*set)(unsigned n, struct insn *d);
  void (*derive)(struct insn *d); /* derived operands of d->op from its fields */
  void (*solve)(
      struct insn *d); /* fields from derived operands, where each bit of one is a bit of the other */
  int (*decode)(uint64_t features, const uint8_t *bytes, size_t n, struct insn *d);
};

/* As struct isa's disasm and assemble say. */
int asm_disassemble(const struct asm_isa *a, const struct insn *d, unsigned flags, char *buf, size_t n);
int asm_assemble(const struct asm_isa *a, uint64_t features, const char *text, uint8_t *out, char *err,
                 size_t nerr);

#endif
