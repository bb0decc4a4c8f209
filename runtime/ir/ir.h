/* The intermediate representation of translated code: one straight line of guest instructions as linear SSA. Says what
 * a block holds and what every operation means; build.h makes it, pass.h improves it, hostcg/ turns it into host code,
 * tests evaluate it. Knows no ISA: guest state is numbered slots.
 *
 * Entries are fixed-size and refer to earlier ones by index; entry 0 is nothing. There is no control flow inside a
 * block: it is entered at the top and left through exits. Guest state is read with GET; what the block writes to slots
 * stands in snapshots and is in memory only after a PUT. Every way out owns a snapshot: for each slot that differs from
 * memory there, the value it has.
 *
 * Values. Integers of 1..32 bits are I32, up to 64 I64, up to 128 I128; bits above the value's own width are zero, and
 * `bits` of an entry bounds them (bit n and up are known to be zero when bits == n). Truth values are I32, 0 or 1.
 * F32 and F64 are IEEE bit patterns, V128 and V256 bytes, lane 0 lowest; in a V type a lane shape is the operation's. */
#ifndef ISOMER_IR_IR_H
#define ISOMER_IR_IR_H

#include <stdio.h>

#include "core/isa.h"

typedef uint32_t ref; /* index of an entry, < IR_MAX_INS; 0 = none */

enum ir_type { IT_NONE, IT_I32, IT_I64, IT_I128, IT_F32, IT_F64, IT_V128, IT_V256 };

/* clang-format off */
/* X(name, operands, kind). kind: P pure, may be commoned and deleted; F pure but for raised FP flags: may be commoned,
 * deleted only when the sticky flags are dead; L reads state or memory, in order, may be deleted when it cannot fault;
 * E effect, stays where it is.
 * T is the type of the result. Operands a, b, c have type T unless said otherwise. */
#define IR_OPS(X)                                                                                                      \
  X(NOP,     0, P) /* an entry that was removed */                                                                     \
  /* constants and state */                                                                                            \
  X(CONST,   0, P) /* ir_const_value(b, ref); any type; of V256 the upper half is zero */                             \
  X(PC,      0, P) /* I64: pcbase + ir_const_value: the address, relative to the page in which the block starts */    \
  X(GET,     0, L) /* slot `aux`, zero-extended to T (T as wide as the slot or I32); value at the block's entry or    */ \
                   /* since the last HANDLER that wrote it; of the sticky FP flags the value now */                     \
  X(PUT,     1, E) /* slot `aux` in memory becomes the low bits of a (any type) */                                     \
  /* I32, I64; AND OR XOR NOT also V128, V256 */                                                                       \
  X(ADD,     2, P)                                                                                                     \
  X(SUB,     2, P)                                                                                                     \
  X(ADDX,    2, P) /* a + b * `aux`, which is 2, 4 or 8; made by ir_pass_narrow */                                     \
  X(MUL,     2, P)                                                                                                     \
  X(AND,     2, P)                                                                                                     \
  X(OR,      2, P)                                                                                                     \
  X(XOR,     2, P)                                                                                                     \
  X(ANDN,    2, P) /* a & ~b */                                                                                        \
  X(NOT,     1, P)                                                                                                     \
  X(NEG,     1, P)                                                                                                     \
  X(SHL,     2, P) /* b is I32; amount modulo width of T */                                                            \
  X(SHRU,    2, P)                                                                                                     \
  X(SHRS,    2, P)                                                                                                     \
  X(ROL,     2, P)                                                                                                     \
  X(ROR,     2, P)                                                                                                     \
  X(MULHU,   2, P) /* I64: high half of the 128-bit product */                                                         \
  X(MULHS,   2, P)                                                                                                     \
  X(MULHSU,  2, P) /* a signed, b unsigned */                                                                          \
  X(DIVU,    2, P) /* also I128; by zero gives 0, the signed overflow wraps */                                         \
  X(DIVS,    2, P)                                                                                                     \
  X(REMU,    2, P) /* by zero 0 */                                                                                     \
  X(REMS,    2, P)                                                                                                     \
  X(DIVUW,   3, P) /* I64: the 128 bits a:b (a high) by c; 0 unless a < c */                                           \
  X(REMUW,   3, P) /* its remainder; 0 unless a < c */                                                                 \
  /* I32 result 0 or 1; operands I32 or I64, both of one type: that of a */                                            \
  X(EQ,      2, P)                                                                                                     \
  X(NE,      2, P)                                                                                                     \
  X(LTU,     2, P)                                                                                                     \
  X(LEU,     2, P)                                                                                                     \
  X(LTS,     2, P)                                                                                                     \
  X(LES,     2, P)                                                                                                     \
  X(ADDO,    2, P) /* signed overflow of a + b */                                                                      \
  X(SUBO,    2, P) /* signed overflow of a - b */                                                                      \
  /* conversions */                                                                                                    \
  X(SEXT,    1, P) /* T I32 or I64: the low `aux` (8, 16, 32) bits of a, I32, sign-extended */                         \
  X(ZEXT,    1, P) /* I64 from I32 */                                                                                  \
  X(TRUNC,   1, P) /* I32: low half of an I64 */                                                                       \
  X(PAIR,    2, P) /* I128 of two I64: a low, b high */                                                                \
  X(LOW,     1, P) /* I64: low half of an I128 */                                                                      \
  X(HIGH,    1, P)                                                                                                     \
  X(CAST,    1, P) /* same bits, type of the same size: I32/F32, I64/F64, I128/V128 */                                 \
  X(SELECT,  3, P) /* a (I32, 0 or 1) ? b : c; any type */                                                             \
  /* I32, I64 */                                                                                                       \
  X(CLZ,     1, P) /* of 0: width of T */                                                                              \
  X(CTZ,     1, P)                                                                                                     \
  X(POPCOUNT,1, P)                                                                                                     \
  X(PARITY,  1, P) /* I32, of an I32: 1 when the number of set bits is even */                                         \
  X(BSWAP,   1, P)                                                                                                     \
  X(BREV,    1, P)                                                                                                     \
  X(ORC8,    1, P) /* every byte that is not zero becomes 0xff */                                                      \
  /* memory: a = address (I64), `aux` = IR_MEM(bits, attr); a fault leaves through exit c */                           \
  X(LOAD,    1, E) /* I32 for 8..32 bits, I64, I128, F32, F64, V128, V256; zero-extended, or with IRF_SIGN sign-extended */ \
  X(STORE,   2, E) /* low bits of b, any type of at least that size */                                                 \
  X(LOADX,   1, E) /* exclusive */                                                                                     \
  X(STOREX,  2, E) /* I32: 1 = done */                                                                                 \
  X(RMW,     2, E) /* old value; operation: IR_MEM_RMW(aux) */                                                               \
  X(CAS,     2, E) /* old value; b = expected; the new value is operand a of the ARG right before */                                               \
  X(PROBE,   2, E) /* b (I64) bytes from a on can be read, with attr 1 written */                                     \
  X(FILL,    2, E) /* b (I64) bytes from a on become the low 8 bits of the ARG right before */         \
  X(RAISE,   1, E) /* slot `aux`, of sticky FP flags, in memory |= a (I32) */                                          \
  X(ARG,     1, E) /* third operand of the next entry */                                                               \
  X(FENCE,   0, E) /* aux: predecessor set << 4 | successor set; 0 = everything (mem_fence) */                         \
  /* ways out */                                                                                                       \
  X(GUARD,   1, E) /* leaves through exit c unless a (I32) == b, a plain 0 or 1 */                                                   \
  X(HANDLER, 0, E) /* the interpreter's handler of instruction `aux` (ir_decoded) runs; STEP_NEXT goes on, anything else    */ \
                   /* leaves through exit c; slots it touches were PUT before, GETs after it are new */                \
  X(EXIT,    0, E) /* last entry: leaves through exit c */                                                             \
  /* floating point: T F32 or F64, or V128: all lanes of fp->lane bits; comparisons then give lanes of all ones or zero, */ \
  /* integers have the lanes' size. `aux` = index into b->fp */                                                        \
  X(FADD,    2, F)                                                                                                     \
  X(FSUB,    2, F)                                                                                                     \
  X(FMUL,    2, F)                                                                                                     \
  X(FDIV,    2, F)                                                                                                     \
  X(FSQRT,   1, F)                                                                                                     \
  X(FMA,     3, F) /* a * b + c */                                                                                     \
  X(FMIN,    2, F)                                                                                                     \
  X(FMAX,    2, F)                                                                                                     \
  X(FEQ,     2, F) /* I32, 0 or 1; operands F32 or F64: type of a */                                                   \
  X(FLT,     2, F)                                                                                                     \
  X(FLE,     2, F)                                                                                                     \
  X(FUN,     2, F) /* unordered */                                                                                     \
  X(FCVT,    1, F) /* between F32 and F64 */                                                                           \
  X(FTOI,    1, F) /* T I32 or I64; fp->bits wide (32, 64), fp->sign */                                                \
  X(ITOF,    1, F) /* a I32 or I64 (fp->bits) */                                                                       \
  X(FRINT,   1, F) /* to an integral value */                                                                          \
  X(FCLASS,  1, P) /* I32: enum fp_class of an F32 or F64 */                                                           \
  /* vectors: T V128 or V256, lanes of `aux` bits (8, 16, 32, 64); values of narrower registers have the rest zero */ \
  X(VADD,    2, P)                                                                                                     \
  X(VSUB,    2, P)                                                                                                     \
  X(VMUL,    2, P)                                                                                                     \
  X(VMINS,   2, P)                                                                                                     \
  X(VMINU,   2, P)                                                                                                     \
  X(VMAXS,   2, P)                                                                                                     \
  X(VMAXU,   2, P)                                                                                                     \
  X(VAVGU,   2, P) /* (a + b + 1) / 2, not wrapped; lanes of 8 or 16 bits */                                           \
  X(VEQ,     2, P) /* lanes of all ones or zero */                                                                     \
  X(VLTS,    2, P)                                                                                                     \
  X(VLTU,    2, P)                                                                                                     \
  X(VSHL,    2, P) /* all lanes by one amount: b I32, total: amount >= lane gives 0 (or the sign) */                   \
  X(VSHRU,   2, P)                                                                                                     \
  X(VSHRS,   2, P)                                                                                                     \
  X(VSPLAT,  1, P) /* every lane = low bits of a (I32, I64) */                                                         \
  X(VLANE,   1, P) /* T I32 or I64: lane b (plain) of a (V128, V256), zero-extended */                                     \
  X(VINS,    2, P) /* a with lane c (plain) = low bits of b (I32, I64) */                                                  \
  X(VLOW,    1, P) /* V128: low half of a V256 */                                                                      \
  X(VHIGH,   1, P)                                                                                                     \
  X(VJOIN,   2, P) /* V256 of two V128: a low, b high */                                                               \
  X(VPERM,   2, P) /* byte i = byte k[i] of a (k < 16) or b (16..31), 0 for 255; `aux` = index into b->perm; V128 */   \
  X(VLOOK,   2, P) /* V128: byte i = byte b[i] of a, 0 when b[i] >= 16 */                                              \
  X(VADDSS,  2, P) /* sum, difference as the nearest number that a lane holds: signed, unsigned; lanes of 8 or 16 bits */ \
  X(VADDSU,  2, P)                                                                                                     \
  X(VSUBSS,  2, P)                                                                                                     \
  X(VSUBSU,  2, P)                                                                                                     \
  X(VMULHS,  2, P) /* high half of the product; lanes of 16 bits */                                                    \
  X(VMULHU,  2, P)                                                                                                     \
  X(VMULHR,  2, P) /* signed product in units of 2^15, rounded to nearest, halves up; not saturated; lanes of 16 bits */ \
  X(VSHLV,   2, P) /* each lane by the amount in the lane of b, total; lanes of 32 or 64 bits */                       \
  X(VSHRUV,  2, P)                                                                                                     \
  X(VSHRSV,  2, P) /* lanes of 32 bits */                                                                              \
  X(VANY,    1, P) /* I32: 1 when any bit of a, a V128, is set */                                                      \
  /* V128, without lanes. Products without carries, of the low and the high 64 bits */                                 \
  X(VCLMULL, 2, P)                                                                                                     \
  X(VCLMULH, 2, P)                                                                                                     \
  /* AES (FIPS 197), byte 4 c + r of the vector is row r of column c: SubBytes and ShiftRows; MixColumns; both; */     \
  /* the inverses */                                                                                                   \
  X(VAESS,   1, P)                                                                                                     \
  X(VAESM,   1, P)                                                                                                     \
  X(VAESSM,  1, P)                                                                                                     \
  X(VAESD,   1, P)                                                                                                     \
  X(VAESIM,  1, P)                                                                                                     \
  X(VAESDM,  1, P)                                                                                                     \
  /* SHA-1 (FIPS 180-4), words from lane 0: four rounds from state a = a b c d and e = lane 0 of c, with b the words of */ \
  /* the message and the round's constant added; the next a b c d. By Ch, Parity, Maj */                               \
  X(VSHAC,   3, P)                                                                                                     \
  X(VSHAP,   3, P)                                                                                                     \
  X(VSHAM,   3, P)                                                                                                     \
  /* SHA-256: a = h g d c, b = f e b a, c = two words of the message and constants: f e b a two rounds on */           \
  X(VSHBR,   3, P)                                                                                                     \
  X(VSHBF,   2, P) /* words W[t..t+3] (a), W[t+4] (lane 0 of b): W[t+i] + s0(W[t+i+1]) */                              \
  X(VSHBS,   2, P) /* a, and W[t+14], W[t+15] in the high lanes of b: W[t+16..t+19] from what else they need (a) */    \
  /* reserved for a region tier; nothing makes or takes them yet */                                                    \
  X(LABEL,   0, E)                                                                                                     \
  X(BRANCH,  1, E)
/* clang-format on */

enum ir_op {
#define X(name, n, kind) IR_##name,
  IR_OPS(X)
#undef X
      IR_NOPS
};

enum {               /* ir_ins.flags */
       IRF_SIGN = 1, /* LOAD: sign-extends to T */
       IRF_COLD =
           2, /* needed only by snapshots of exits before the last: nothing computes it on the main path */
};

/* aux of accesses: bits 8..256; attr = memory order | window << 4 as in mem/access.h; operation of RMW. */
#define IR_MEM(bits, attr, rmw) ((uint32_t)(bits) | (uint32_t)(rmw) << 12 | (uint32_t)(attr) << 16)
#define IR_MEM_BITS(aux)        ((aux)&0xfffu)
#define IR_MEM_RMW(aux)         ((aux) >> 12 & 15u)
#define IR_MEM_ATTR(aux)        ((aux) >> 16)

enum ir_rmw_op { /* as enum mem_rmw */
                 IR_RMW_SWAP,
                 IR_RMW_ADD,
                 IR_RMW_AND,
                 IR_RMW_OR,
                 IR_RMW_XOR,
                 IR_RMW_MIN_S,
                 IR_RMW_MAX_S,
                 IR_RMW_MIN_U,
                 IR_RMW_MAX_U,
                 IR_RMW_ANDNOT
};

struct ir_ins {
  uint8_t op, type;
  uint8_t bits;     /* I32, I64: bits from here up are zero */
  uint8_t flags;    /* IRF_* */
  uint16_t a, b, c; /* operands, or plain numbers where the operation says so */
  uint16_t chain;   /* builder: earlier entry of the same hash */
  uint32_t aux;
};
_Static_assert(sizeof(struct ir_ins) == 16, "entries are small");

/* When comparisons raise invalid: for every NaN, for signalling ones, never (not of lanes). */
enum ir_quiet { IR_NOT_QUIET, IR_QUIET, IR_SILENT };

/* How an FP operation rounds and what it does with NaNs: the ISA's rules, with the rounding mode of the context. */
struct ir_fp {
  uint8_t rm, nan, tiny, daz, ftz; /* as struct fp_env */
  uint8_t minmax;                  /* FMIN, FMAX: enum fp_minmax; zeros are ordered */
  uint8_t bad;                     /* FTOI: enum fp_bad */
  uint8_t bits, sign;              /* FTOI, ITOF: the integer's */
  uint8_t quiet;                   /* comparisons: enum ir_quiet */
  uint8_t exact;                   /* FRINT: raises inexact */
  uint8_t lane;                    /* 0, or of a vector: 32, 64 */
};

/* What an FP operation (FADD .. FCLASS) yields; is64: the format of operand a, of ITOF that of the result. Bits of operands
 * above the format count for nothing. ORs enum fp_flag into *flags. */
uint64_t ir_fp_compute(unsigned op, bool is64, const struct ir_fp *how, const uint64_t operand[3],
                       unsigned *flags);

/* The same for all lanes of a V128 (how->lane). */
void ir_fp_compute_lanes(unsigned op, const struct ir_fp *how, const uint64_t operand[3][2], uint64_t out[2],
                         unsigned *flags);

struct ir_slot_value {
  uint16_t slot, value; /* value: entry whose low bits the slot has */
};
struct ir_snap {
  uint16_t first, n; /* in b->snap_value */
};

/* A way out. `insn` is the guest instruction it belongs to, `count` how many instructions of the block have retired when
 * it is taken, `snap` what slots hold beside memory. */
enum ir_exit_kind {
  IX_JUMP, /* control goes to `target`; a PC entry when known at translation */
  IX_INTERP, /* the interpreter runs instruction `insn` with full checks, from the state of its start (or last commit) */
  IX_STEP, /* of HANDLER: what it returned says how to go on, as the interpreter does; JUMP, END and the like retire */
  IX_END,  /* to `target`, but context, translations or code may have changed: look everything up again */
  IX_WAIT, /* as IX_END, then sleep until an interrupt is pending */
};
enum ir_jump_kind {
  IR_JUMP_BRANCH,
  IR_JUMP_CALL, /* `insn`'s end is pushed on the return predictor */
  IR_JUMP_RET,
  IR_JUMP_ERET,
  IR_JUMP_NEXT,    /* falls out of the block's end */
  IR_JUMP_RESTART, /* the same instruction again; polls */
};
struct ir_exit {
  uint8_t kind, jump;
  uint16_t snap, insn, count;
  uint16_t target; /* I64; 0 for IX_INTERP, IX_STEP */
};

/* A guest instruction of the block. */
struct ir_insn {
  int32_t pc;     /* from the start of the page in which the block starts */
  uint8_t len;    /* bytes */
  uint16_t first; /* its first entry */
};

/* What the IR needs to know of a guest, generated. */
struct ir_slot_info {
  uint32_t offset; /* bytes from struct vcpu */
  uint16_t bits;   /* meaningful low bits */
  uint8_t bytes;   /* size in memory: 1, 2, 4, 8, 16, 32 */
  uint8_t flag;    /* 1 + bit number in flag sets when it is a condition flag, else 0 */
  bool zero;       /* a register that always reads as zero */
};
/* By leaf: condition flags it reads and certainly writes (sets of ir_slot_info.flag - 1); whether it may leave before its
 * end (a fault, a trap), which makes all flags visible. */
struct ir_leaf {
  uint32_t reads, writes;
  bool faults, ends;
};

struct lift;
typedef int lift_fn(struct lift *l, const struct insn *d);
struct ir_guest {
  const struct isa *isa;
  unsigned nslots;
  const struct ir_slot_info *slots;
  lift_fn *const *lift; /* by leaf number */
  /* Of floating-point and vector leaves: what lift_by_handler needs to know when the host has no code for their IR. Number
   * of slots written to `slot`, room for LIFT_TOUCH; *how stays as it is for other leaves. */
  unsigned (*touch)(struct lift *l, const struct insn *d, uint16_t *slot, unsigned *how);
  const struct ir_leaf *leaf;
  int sticky;            /* slot of the sticky FP flags, -1 = none */
  uint8_t sticky_bit[6]; /* its bit for FP_NX, UF, OF, DZ, NV, ID; 255: not recorded */
  bool denormals;        /* FP_ID is raised by every subnormal operand (daz KEEP_ID) */
  const uint16_t *hot;   /* slots in order of heat (registers.hot), nhot of them */
  unsigned nhot;
  const uint16_t
      *held; /* slots of 64 bits to keep in host registers between blocks (registers.held), best first */
  unsigned nheld;
  const uint16_t *held_vectors; /* the same in vector registers (registers.held_vectors): of 64 or 128 bits */
  unsigned nheld_vectors;
  const uint16_t *context; /* slots whose values a translation may depend on */
  unsigned ncontext;
};
/* A block. One is reused for many translations: ir_reset. */
enum {
  IR_MAX_INS = 8192,
  IR_MAX_CONST = 2048,
  IR_MAX_SNAP = 1024,
  IR_MAX_SNAP_VALUES = 16384,
  IR_MAX_EXIT = 1024,
  IR_MAX_INSN = 256,
  IR_MAX_FP = 256,
  IR_MAX_PERM = 64,
  IR_MAX_CONTEXT = 16,
  IR_INSN_BYTES = 64, /* of a decoded instruction, at most */
};
struct ir_block {
  const struct ir_guest *guest;
  uint64_t features;
  unsigned n, nconst, nsnap, nsnap_value, nexit, ninsn, nfp, nperm, ncontext;
  struct ir_ins ins[IR_MAX_INS];
  u128 konst[IR_MAX_CONST];
  struct ir_snap snap[IR_MAX_SNAP];
  struct ir_slot_value snap_value[IR_MAX_SNAP_VALUES];
  struct ir_exit exit[IR_MAX_EXIT];
  struct ir_insn insn[IR_MAX_INSN];
  struct ir_fp fp[IR_MAX_FP];
  uint8_t perm[IR_MAX_PERM][16];
  struct {
    uint16_t slot;
    uint64_t value;
  } context[IR_MAX_CONTEXT]; /* the block holds only while these slots have these values */
  uint8_t decoded[IR_MAX_INSN][IR_INSN_BYTES]
      __attribute__((aligned(16))); /* copies of the decoded instructions, off set */
};

static inline u128 ir_const_value(const struct ir_block *b, ref r) { return b->konst[b->ins[r].aux]; }
static inline const struct insn *ir_decoded(const struct ir_block *b, unsigned i) {
  return (const struct insn *)b->decoded[i];
}

/* Number of operands that are entries (a, then b, then c), and what an operation is. */
struct ir_op_info {
  const char *name;
  uint8_t nargs;
  char kind; /* 'P', 'F', 'L', 'E' as above */
};
extern const struct ir_op_info ir_op_info[IR_NOPS];

/* Accesses have an address in a and an exit in c; HANDLER, GUARD and EXIT also have an exit in c. */
static inline bool ir_is_access(enum ir_op op) { return op >= IR_LOAD && op <= IR_FILL && op != IR_ARG; }
static inline bool ir_has_exit(enum ir_op op) {
  return ir_is_access(op) || op == IR_GUARD || op == IR_HANDLER || op == IR_EXIT;
}

/* Value of an operation on constants of type t (the type of the operands for comparisons and conversions in
 * `from`); false when it is none of I32, I64 operations without effect. */
bool ir_compute(enum ir_op op, enum ir_type t, enum ir_type from, uint32_t aux, const uint64_t v[3],
                uint64_t *out);

/* Passes over a finished block; ir_optimize runs what makes code better. */
void ir_pass_narrow(struct ir_block *b); /* loads that extend themselves, stores without masks */
void ir_pass_dead(struct ir_block *b);   /* removes what nothing needs */
void ir_pass_cold(struct ir_block *b);   /* marks what only early ways out need, for readers */
void ir_optimize(struct ir_block *b);

/* Writes the block as text, one entry a line. */
void ir_print(const struct ir_block *b, FILE *out);
/* Checks every rule of this file; false with a message in err. For tests and debugging. */
bool ir_verify(const struct ir_block *b, char *err, size_t nerr);

#endif
