/* The table of lowering rules that the generator makes of hostcg/<host>.yaml: what a rule asks of its operands and the
 * function that writes its code. Which rule is taken and where values live is select.c and alloc.c. */
#ifndef ISOMER_HOSTCG_RULES_H
#define ISOMER_HOSTCG_RULES_H

#include "ir/ir.h"

enum cg_kind {
  CG_REG,  /* in a general register (`fixed`: in that one) */
  CG_VEC,  /* in a vector register */
  CG_I,    /* a number that sign-extends from 32 bits */
  CG_U,    /* one that zero-extends from 32 bits */
  CG_K,    /* any number */
  CG_BYTE, /* one from 0 to 255 */
  CG_N,    /* the entry's own number, not an operand */
  CG_IS,   /* the number `value` */
  CG_CC,   /* a condition in the flags */
};
struct cg_want {
  uint8_t kind;
  int8_t fixed;
  int16_t value;
};

/* What rules are for: the type of the result; of comparisons and FTOI, VLANE that of operand a.
 * CG_P: floating point on all lanes of a vector. */
enum cg_type { CG_I32, CG_I64, CG_F32, CG_F64, CG_V128, CG_P32, CG_P64, CG_NTYPES };

/* Where a rule's code goes out of line: CG_SOFT: what it does not do itself is done by software, operands are as they
 * were; CG_NAN: the result is the default NaN; CG_FALSE: the condition is not given. */
enum cg_far { CG_NEAR, CG_SOFT, CG_NAN, CG_FALSE };

/* Fields of struct ir_fp that rules ask for. */
enum cg_how {
  CG_RM,
  CG_NAN_RULE,
  CG_TINY,
  CG_DAZ,
  CG_MINMAX,
  CG_BAD,
  CG_BITS,
  CG_SIGN,
  CG_QUIET,
  CG_EXACT,
  CG_NHOW
};

/* What the allocator decided: registers of operands, destination and temporaries, values of numbers. A tied operand and
 * the destination are one register, named d. The code notes the ends of its jumps out of line, and what it reads of constants. */
struct cg_operands {
  unsigned d, t[2], cc, r[3];
  int64_t k[3];
  unsigned nfar, npool;
  uint8_t *far[4];
  struct cg_pool { /* the distance to a constant ends here */
    uint8_t *end;
    uint64_t low, high;
  } pool[2];
};
typedef uint8_t *cg_emit_fn(uint8_t *p, struct cg_operands *o);

struct cg_rule {
  cg_emit_fn *emit;
  struct cg_want arg[3];
  uint8_t aux; /* width that the operation's aux must have; 0: any */
  uint8_t nargs;
  int8_t tie;   /* operand that the destination overwrites, -1: none */
  int8_t dest;  /* the destination's register, -1: any */
  uint8_t kind; /* of the destination: CG_REG, CG_VEC; CG_CC: there is none */
  bool early;   /* the destination is written before operands are read */
  uint8_t ntemps, temp[2];
  uint8_t gives;        /* without a destination: the condition that the flags then have */
  uint8_t far;          /* enum cg_far */
  uint8_t how[CG_NHOW]; /* allowed values as bits, 0: any */
  uint32_t clobbers;    /* registers, beside destination and temporaries */
  uint32_t needs;       /* host features */
};
extern const struct cg_rule cg_rules[];
struct cg_rules_of {
  uint16_t first, n;
};
extern const struct cg_rules_of cg_rules_of[IR_NOPS][CG_NTYPES]; /* n = 0: the host has none */

#endif
