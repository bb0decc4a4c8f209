/* The table of lowering rules that the generator makes of hostcg/<host>.yaml: what a rule asks of its operands and the
 * function that writes its code. Which rule is taken and where values live is select.c and alloc.c. */
#ifndef ISOMER_HOSTCG_RULES_H
#define ISOMER_HOSTCG_RULES_H

#include "ir/ir.h"

enum cg_kind {
  CG_REG, /* in a register (`fixed`: in that one) */
  CG_I,   /* a number that sign-extends from 32 bits */
  CG_U,   /* one that zero-extends from 32 bits */
  CG_K,   /* any number */
  CG_IS,  /* the number `value` */
  CG_CC,  /* a condition in the flags */
};
struct cg_want {
  uint8_t kind;
  int8_t fixed;
  int16_t value;
};

/* What the allocator decided: registers of operands, destination and temporary, values of numbers. A tied operand and the
 * destination are one register, named d. */
struct cg_operands {
  unsigned d, t, cc, r[3];
  int64_t k[3];
};
typedef uint8_t *cg_emit_fn(uint8_t *p, const struct cg_operands *o);

struct cg_rule {
  cg_emit_fn *emit;
  struct cg_want arg[3];
  uint8_t aux; /* width that the operation's aux must have; 0: any */
  uint8_t nargs;
  int8_t tie;                 /* operand that the destination overwrites, -1: none */
  int8_t dest;                /* the destination's register, -1: any */
  bool has_dest, early, temp; /* early: the destination is written before operands are read */
  uint8_t gives;              /* without a destination: the condition that the flags then have */
  uint32_t clobbers;          /* registers, beside destination and temporary */
  uint32_t needs;             /* host features */
};
extern const struct cg_rule cg_rules[];
struct cg_rules_of {
  uint16_t first, n;
};
extern const struct cg_rules_of cg_rules_of[IR_NOPS][2]; /* by width: 32, 64; n = 0: the host has none */

#endif
