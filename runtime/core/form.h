/* Disassembly and assembly of variable-length encodings (prefixes, opcode, ModRM, SIB, immediates) from generated tables.
 * Knows no mnemonic, register or instruction by name: those are the tables. Facts: Intel SDM volume 2, chapter 2. */
#ifndef ISOMER_CORE_FORM_H
#define ISOMER_CORE_FORM_H

#include "core/isa.h"

/* Operands of one decoded or parsed instruction. */
struct form_args {
  uint64_t imm, disp;              /* sign-extended */
  uint8_t reg, rm, vvvv;           /* register numbers; byte registers from `high` on are the second bytes */
  uint8_t base, index, scale, seg; /* memory operand; numbers of struct form_isa stand for none and the PC */
  uint8_t a32, rep;                /* 32-bit addresses; repeat prefix: 0, 1 (F3), 2 (F2) */
};

enum form_place {
  FORM_RM,
  FORM_REG,
  FORM_VVVV,
  FORM_LOW,
  FORM_MEM,
  FORM_FIXED,
  FORM_IMM,
  FORM_REL,
  FORM_ONE,
  FORM_MOFFS,
  FORM_SOURCE,
  FORM_DEST,
};

struct form_op {
  uint8_t place;  /* enum form_place */
  uint8_t names;  /* register name table */
  uint16_t bits;  /* of the value, or of what memory holds; 0: an address only */
  uint8_t index;  /* FORM_FIXED: the register */
  uint8_t sign;   /* FORM_IMM: the encoded immediate is sign-extended */
  uint8_t minus;  /* FORM_IMM: printed as a signed number */
  uint8_t hidden; /* not part of the text: the same register as the operand before, or an implied 1 */
};

enum form_imm {
  FORM_IMM_NONE,
  FORM_IMM_8,
  FORM_IMM_16,
  FORM_IMM_32,
  FORM_IMM_64,
  FORM_IMM_REL32,
  FORM_IMM_ADDRESS
};
enum form_flag {
  FORM_MODRM = 1,
  FORM_MEMORY = 2, /* ModRM names memory (else a register, if there is a ModRM) */
  FORM_PLUS_R = 4,
  FORM_66 = 8, /* operand-size prefix */
  FORM_W = 16,
  FORM_VEX = 32,
  FORM_L = 64,
  FORM_LOCK = 128,
  FORM_REP = 256,       /* may have a repeat prefix */
  FORM_A32 = 512,       /* is the form for 32-bit addresses */
  FORM_COMMUTES = 1024, /* the two register sources may change places */
};

/* How one leaf is written and encoded, by leaf number. */
struct form_leaf {
  uint64_t requires_;
  uint32_t mnemonic; /* offset in strings */
  uint16_t flags;    /* enum form_flag */
  uint8_t prefix;    /* mandatory: 0, 0x66, 0xf3, 0xf2 */
  uint8_t map;       /* 0: none, 1: 0F, 2: 0F38, 3: 0F3A */
  uint8_t opcode;
  uint8_t modrm; /* fixed bits of ModRM: digit, or the whole second opcode byte */
  uint8_t imm;   /* enum form_imm */
  uint8_t nops;
  uint8_t narrow; /* memory operand and register disagree: the pointer size is always written */
  struct form_op ops[4];
};

struct form_names {
  const char *const *names;
  uint8_t n;
  uint8_t byte; /* one byte wide: some numbers need, some forbid a REX prefix */
};

/* A mnemonic and the first of its leaves in `order`; sorted by name. */
struct form_key {
  uint32_t name; /* offset in strings */
  uint16_t first, count;
};

struct form_isa {
  const char *strings;
  const struct form_leaf *leaves;
  const struct form_names *names;
  const struct form_key *keys;
  unsigned nkeys;
  const uint16_t *order;        /* leaf numbers by mnemonic, in file order */
  const char *const *segments;  /* by base number; NULL: none */
  const uint8_t *segment_bytes; /* prefix by base number */
  unsigned nsegments;
  const char *const *feature_names;
  unsigned nfeatures;
  uint8_t wide, narrow;          /* name tables of address registers, 64 and 32 bits */
  uint8_t none, pc, high, stack; /* special register numbers */
  const char *pc_name, *narrow_pc_name;
  uint8_t max;                           /* bytes */
  const char *(*pointer)(unsigned bits); /* "dword" */
  int (*decode)(uint64_t features, const uint8_t *bytes, size_t n, struct insn *d);
};

/* Text of an instruction of leaf `op` into buf; returns the length as snprintf does. */
int form_text(const struct form_isa *f, unsigned op, const struct form_args *a, char *buf, size_t n);

/* Assembles one line into out (f->max bytes); the length, or -1 with a message in err. The shortest form wins, then file
 * order; sources that commute are put where the encoding is shorter. Bytes that decode to another leaf are none (exchanging a register with itself may be a no-operation). */
int form_assemble(const struct form_isa *f, uint64_t features, const char *text, uint8_t *out, char *err,
                  size_t nerr);

/* Bytes of a leaf with given operands: the length, or -1 when it cannot be encoded. */
int form_encode(const struct form_isa *f, unsigned op, const struct form_args *a, uint8_t *out);

#endif
