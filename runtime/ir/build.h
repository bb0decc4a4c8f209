/* The builder that generated lifters call. It fixes the boundary between description and IR: what is translation time is
 * a plain C argument, what is run time a `ref`.
 *
 * Widths are bits, 1..128; a value of w bits is I32 for w <= 32, I64 for w <= 64, else I128 or V128, upper bits zero.
 * Slots are the ISA's generated <ISA>_SLOT_* numbers. What an instruction writes is seen by its own later reads and
 * becomes state at its end or at a commit; every way out before that has the state of its start. */
#ifndef ISOMER_IR_BUILD_H
#define ISOMER_IR_BUILD_H

#include "ir/ir.h"

enum { LIFT_HASH = 512, LIFT_SLOTS = 320, LIFT_PEND = 80, LIFT_OWN_CONTEXT = 16 };

struct lift_pend {
  uint16_t slot, value;
};
struct lift {
  struct ir_block *b;
  const struct ir_guest *guest;
  uint64_t features;
  bool fold; /* simplify and common; off only in tests */
  /* By leaf: not 0 = by its handler whatever the lifter can do; a handler that changes context must then leave the block.
   * NULL: none. */
  const uint8_t *by_handler;
  /* Value of a context slot where translation starts. */
  uint64_t (*context)(void *data, unsigned slot);
  void *data;
  unsigned follow; /* unconditional jumps to known places of the page that may still be followed */
  /* Where the line goes on behind the last lifted instruction, from the page's start; how it gets there. */
  int64_t next;
  uint8_t next_jump; /* enum ir_jump_kind */

  /* Internal from here on. */
  uint16_t hash[LIFT_HASH];
  uint16_t value[LIFT_SLOTS];         /* entry that holds the slot's committed value, 0 = not read yet */
  bool dirty[LIFT_SLOTS];             /* it differs from memory */
  uint16_t order[LIFT_SLOTS], ndirty; /* the dirty slots */
  struct lift_pend pend[LIFT_PEND], saved[LIFT_PEND]; /* written by this instruction */
  unsigned npend, nsaved;
  struct {
    uint16_t slot;
    bool known;
    uint64_t value;
  } own[LIFT_OWN_CONTEXT]; /* context as changed by the block */
  unsigned nown;
  ref barrier;     /* last entry that may have read or written sticky flags */
  unsigned insn;   /* number of the current instruction */
  uint16_t interp; /* exit that runs it in the interpreter, + 1; 0 = not made yet */
  uint16_t snap;   /* snapshot of the committed state, + 1 */
  bool closed;     /* the block has its last exit */
  ref last;        /* that */
  bool skip;       /* statements of the current instruction that cannot be reached */
  bool side;       /* between ir_side and ir_main */
  uint8_t side_expect;
  ref side_cond; /* 0: known at translation */
  bool side_taken, side_dead;
  ref target;        /* jump of this instruction, 0 = none */
  uint8_t jump, end; /* enum ir_jump_kind; 0 or enum ir_exit_kind */
  bool restart;
  bool stored;                      /* this instruction has changed memory */
  bool stop;                        /* the block ends behind it */
  struct lift_pend kept[LIFT_PEND]; /* of `pend`, at its last commit */
  unsigned nkept;
};

enum lift_result { LIFT_NEXT, LIFT_BY_HANDLER };
enum lift_end { LIFT_CONTEXT, LIFT_FENCE, LIFT_WAIT, LIFT_IRQ };

/* Starts an empty block at entry state unknown. */
void lift_begin(struct lift *l, struct ir_block *b, const struct ir_guest *g, uint64_t features);
/* Lifts one decoded instruction of which the first byte lies `pc` bytes from the start of the block's page. True when the
 * block goes on; false when it has ended (then lift_close does nothing). */
bool lift_insn(struct lift *l, const struct insn *d, int32_t pc);
/* Ends the block: control goes on at l->next. */
void lift_close(struct lift *l);
/* The last instruction was a conditional jump and nothing else, exit x its way to a known place: the block goes on there and
 * leaves when it is not taken. False, and nothing changed, when that is not so. */
bool lift_turn(struct lift *l, unsigned x);
/* Is there room for another instruction? */
bool lift_room(const struct lift *l);

/* What generated lifters call. */
uint64_t lift_context(struct lift *l, unsigned slot);
void lift_set_context(struct lift *l, unsigned slot, uint64_t value);
void lift_end(struct lift *l, enum lift_end reason);
/* The instruction runs in its interpreter handler; if that changes the context, or may have, the block is left by the
 * handler's exit: LIFT_ENDS and LIFT_NEW_CONTEXT only say that it is not worth going on behind it. touch: slots it reads or writes (| LIFT_WRITES); NULL with
 * LIFT_TOUCHES_ALL: those that the guest's `touch` knows, else all. */
enum { LIFT_TOUCH = 96 };
enum { LIFT_WRITES = 0x8000, LIFT_TOUCHES_ALL = 1, LIFT_NEW_CONTEXT = 2, LIFT_ENDS = 4 };
int lift_by_handler(struct lift *l, const struct insn *d, const uint16_t *touch, unsigned ntouch,
                    unsigned how);

ref ir_const(struct lift *l, unsigned width, uint64_t value);
ref ir_const128(struct lift *l, unsigned width, u128 value);
ref ir_pc(struct lift *l, int64_t delta); /* symbolic: address of this instruction + delta, 64 bits */
ref ir_get(struct lift *l, unsigned slot, unsigned width);
void ir_put(struct lift *l, unsigned slot, unsigned width, ref value);
/* ORs bits, which no FP operation raises by itself, into the slot of sticky flags. Nothing may fault behind it. */
void ir_raise(struct lift *l, unsigned slot, ref bits);
ref ir_binary(struct lift *l, enum ir_op op, unsigned width, ref a, ref b); /* ADD SUB MUL AND OR XOR */
ref ir_unary(struct lift *l, enum ir_op op, unsigned width, ref a);         /* NOT NEG */
/* SHL SHRU SHRS, total: amount >= width gives 0 or the sign; ROL ROR modulo width. */
ref ir_shift(struct lift *l, enum ir_op op, unsigned width, ref a, ref amount, unsigned amount_width);
ref ir_shift_by(struct lift *l, enum ir_op op, unsigned width, ref a, uint64_t amount);
ref ir_compare(struct lift *l, enum ir_op op, unsigned width, ref a, ref b);
ref ir_extend(struct lift *l, enum ir_op op, unsigned from, unsigned to, ref a); /* SEXT ZEXT */
ref ir_slice(struct lift *l, unsigned from, unsigned low, unsigned width, ref a);
ref ir_concat(struct lift *l, unsigned high_width, unsigned low_width, ref high, ref low);
ref ir_select(struct lift *l, unsigned width, ref condition, ref a, ref b);
ref ir_count(struct lift *l, enum ir_op op, unsigned width,
             ref a); /* CLZ CTZ POPCOUNT PARITY BSWAP BREV ORC8; PARITY: one bit */
ref ir_divide(struct lift *l, enum ir_op op, unsigned width, ref a, ref b); /* by zero 0; overflow wraps */
/* Of r = a + b (+ a carry): carry out, signed overflow; one bit. */
ref ir_carry(struct lift *l, unsigned width, ref a, ref b, ref r);
ref ir_overflow(struct lift *l, unsigned width, ref a, ref b, ref r);

/* Memory: address 64 bits, attr as in mem/access.h. A fault leaves with the state of the instruction's start. */
ref ir_load(struct lift *l, unsigned width, ref address, unsigned attr);
ref ir_load_ex(struct lift *l, unsigned width, ref address, unsigned attr);
void ir_store(struct lift *l, unsigned width, ref address, ref value, unsigned attr);
ref ir_store_ex(struct lift *l, unsigned width, ref address, ref value, unsigned attr); /* one bit: done */
ref ir_rmw(struct lift *l, enum ir_rmw_op op, unsigned width, ref address, ref value, unsigned attr);
ref ir_cas(struct lift *l, unsigned width, ref address, ref expect, ref value, unsigned attr);
void ir_probe(struct lift *l, ref address, ref bytes, int write);
void ir_fill(struct lift *l, ref address, ref bytes, ref byte);
void ir_fence(struct lift *l, unsigned sets);

/* Floating point: a float of 32 or 64 bits is F32 or F64. width: of the operands that are floats (ITOF: of the result). */
ref ir_float(struct lift *l, unsigned width, ref bits);
ref ir_float_bits(struct lift *l, ref a);
ref ir_fp(struct lift *l, enum ir_op op, unsigned width, const struct ir_fp *how, ref a, ref b, ref c);
/* FTOI and ITOF of an integer that counts units of 2^-scale, scale up to 64. */
ref ir_fp_scaled(struct lift *l, enum ir_op op, unsigned width, const struct ir_fp *how, ref a,
                 unsigned scale);
ref ir_fclass(struct lift *l, ref a);
/* The same for all lanes of vectors of type t. */
ref ir_vfp(struct lift *l, enum ir_op op, enum ir_type t, unsigned lane, const struct ir_fp *how, ref a,
           ref b, ref c);

/* Vectors: V128 or V256, also 128-bit values as above; lanes of 8 to 64 bits. vop: IR_V*, or AND OR XOR with lane 0. */
ref ir_vget(struct lift *l, unsigned slot); /* a whole register of 128 or 256 bits */
ref ir_vconst(struct lift *l, u128 value);
ref ir_vzero(struct lift *l, enum ir_type t);
ref ir_vlow(struct lift *l, ref a); /* V128: low half of a V256; a itself if it is a V128 */
ref ir_vhigh(struct lift *l, ref a);
ref ir_vjoin(struct lift *l, ref low, ref high);
ref ir_vop(struct lift *l, enum ir_op op, enum ir_type t, unsigned lane, ref a, ref b);
ref ir_vnot(struct lift *l, enum ir_type t, ref a);
ref ir_vchoose(struct lift *l, enum ir_type t, ref mask, ref a,
               ref b); /* bits of a where mask is 1, else of b */
/* Bits of a where `kept` is 1 and of rest, which is zero there. */
ref ir_vmerge(struct lift *l, ref a, ref kept, ref rest);
/* Half of a + b (sub: a - b), computed with another bit, rounded down, or up if `up`; is_signed: of signed lanes. */
ref ir_vhalf(struct lift *l, enum ir_type t, unsigned lane, bool sub, bool is_signed, bool up, ref a, ref b);
ref ir_vlook(struct lift *l, ref table, ref index); /* IR_VLOOK */
/* IR_VADDSS and those behind it, of 128 bits; ir_vany: one bit. */
ref ir_vpacked(struct lift *l, enum ir_op op, unsigned lane, ref a, ref b, ref c);
ref ir_vany(struct lift *l, ref a);
ref ir_vsplat(struct lift *l, enum ir_type t, unsigned lane, ref x);
ref ir_vlane(struct lift *l, unsigned lane, unsigned at, ref a);
ref ir_vinsert(struct lift *l, unsigned lane, unsigned at, ref a, ref x);
/* A vector of n lanes, of 128 or 256 bits in all, each a float or the low bits of an I32 or I64. */
ref ir_vbuild(struct lift *l, unsigned lane, unsigned n, const ref *x);
ref ir_vinsert_if(struct lift *l, bool so, unsigned lane, unsigned at, ref a, ref x);
ref ir_vperm(struct lift *l, ref a, ref b, const uint8_t from[16]); /* as IR_VPERM */
/* Bits low .. low + width - 1 of a wide register become those of a (vput: a vector; scalar: a value of that width); the
 * others stay if keep, else become zero. */
void ir_vput(struct lift *l, unsigned slot, unsigned low, unsigned width, bool keep, ref a);
void ir_vput_scalar(struct lift *l, unsigned slot, unsigned low, unsigned width, bool keep, ref x);

/* Control. ir_guard runs the instruction in the interpreter unless its condition equals `expect`. Between ir_side and
 * ir_main stands what happens when the condition equals `expect`, to the instruction's end, without memory accesses;
 * after ir_main what happens else. */
void ir_guard(struct lift *l, ref condition, int expect);
void ir_side(struct lift *l, ref condition, int expect);
void ir_main(struct lift *l);
void ir_exit(struct lift *l); /* the interpreter runs this instruction */
void ir_jump(struct lift *l, ref target, enum ir_jump_kind kind);
void ir_commit(struct lift *l);
void ir_restart(struct lift *l);

#endif
