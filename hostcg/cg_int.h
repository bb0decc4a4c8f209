/* Internal to hostcg: the state of a compilation, and what its files share. */
#ifndef ISOMER_HOSTCG_CG_INT_H
#define ISOMER_HOSTCG_CG_INT_H

#include "hostcg/cg.h"
#include "hostcg/rules.h"
#include "ir/build.h"
#include "host/host.h"

enum {
  MAX_WINDOWS = 32,
  MAX_VALUES = IR_MAX_INS + CG_MAX_HELD + MAX_WINDOWS,
  MAX_USES = 4 * IR_MAX_INS,
  MAX_PLACES = 32768,
  MAX_EXITS = 2 * IR_MAX_EXIT,
  MAX_LITERALS = 1024,
  MOST_CHECKED = 6,
  CG_LEAST_OF_ALL = -1074,
};

/* A value: an entry of the block; from HELD(0) on what the held slots have in their homes; from WINDOW(0) on what is added to
 * guest addresses in the windows. */
struct value {
  uint32_t last;  /* entry at which it is needed last; 0: not at all */
  uint32_t uses;  /* list of uses as operand still to come */
  int8_t reg;     /* -1: none */
  int8_t hint;    /* register where it is wanted in the end */
  int16_t spill;  /* -1: none */
  uint16_t alias; /* GET of a held slot, CAST, ZEXT, TRUNC: the value it is */
  uint16_t address_uses;
  uint16_t nargs; /* uses as operand */
  uint8_t bytes;  /* 4, 8, 16 */
  bool vector;    /* its first use is in a vector register */
  bool kept;      /* an exit needs it */
  bool home;      /* held slot: memory has it */
  bool clean;     /* an I32 made of such with zeros above */
  bool folded;    /* computed by its users: a compare before its branch, an address, a pair */
  bool raw;       /* may be a NaN that is not yet made the default one (nan.c) */
  bool lazy;      /* a value of 8 bytes, zeros above, that only exits need: they know it by its low half */
  bool aligned;   /* the value plus `aligned_at` is a multiple, or far from ends of pages (atomic.c) */
  bool bounded;   /* memory at identity: the value plus `near` was found to be an address of the guest's */
  int64_t near, aligned_at;
  int16_t least;     /* of 64 bits of floating point, not zero: at least 2 to this power */
  uint16_t least_by; /* 1 + group that told, 0: it is so without one */
};
struct use {
  uint32_t at, next;
};

/* An access: where it is and with which registers. */
struct mem_op {
  uint8_t bits, reg; /* what is loaded or stored */
  bool store, sign, wide, probe;
};
/* Accesses near each other, of which the first looks into the TLB for all. Distances from the common root of the addresses. */
struct window {
  ref first;
  uint32_t root;
  int64_t low, high;
  unsigned n, kinds; /* 1 << enum access */
};

/* A stub that is written behind the block. */
struct late {
  uint8_t *from;        /* end of the rel32 that leads here */
  const uint8_t *flags; /* LATE_JUMP: the comparison whose outcome decided */
  uint8_t *retry;       /* slow accesses: where to go afterwards */
  uint32_t exit;
  uint8_t kind; /* enum late_kind */
  uint8_t address, access, size;
  uint16_t
      around; /* LATE_PAGE: bytes before and behind that are to lie in the page too; the address is `op` behind the register */
  uint64_t op; /* LATE_SOFT: cg_soft_op */
  uint8_t reg[3], nargs, dest;
  bool silent; /* LATE_FALSE: nothing was raised; the status is in the frame */
  /* LATE_SLOW: temp is free. LATE_WINDOW: so are temp and other, unless `save` */
  uint8_t *also, *back; /* end of another rel32 that leads here; behind the access */
  int32_t offset;       /* of the access from `address` */
  uint8_t temp, other;
  bool save;
  struct mem_op mem; /* bits: 0 when only this code can make the access, or `probe` */
};
/* A floating-point operation whose result was not looked at yet (group.c): what software needs to do it again. */
struct unsure {
  uint32_t op; /* cg_soft_op */
  uint8_t reg[3], nargs, dest;
  bool tiny;      /* the smallest normal number may have been rounded to, as its operation goes; */
  bool exact;     /* that is looked for, */
  bool ranged;    /* or what is larger by far; neither: its operands make sure of it */
  bool handed_on; /* a later one of the group takes the result */
};
/* Those that are looked at together, and the ends of the branches that are taken when something is found. */
struct group {
  uint16_t first, n, nfrom;
  bool tells; /* how small values may be, if nothing is found */
  uint8_t *from[16], *stub;
};
enum late_kind {
  LATE_COLD,
  LATE_JUMP,
  LATE_SLOW,
  LATE_WINDOW,
  LATE_PAGE,
  LATE_COUNT,
  LATE_SOFT,
  LATE_NAN,
  LATE_NANS,
  LATE_GROUP,
  LATE_ZERO,
  LATE_FALSE,
  LATE_STATUS
};
/* A constant behind the block. */
struct literal {
  uint32_t at; /* end of the distance in the code that reads it */
  uint64_t low, high;
  uint8_t *to;
};
/* Code that goes on at `to`. */
static inline uint8_t *jump_to(uint8_t *p, const uint8_t *to) {
  p = cg_jump(p);
  cg_patch(p, to);
  return p;
}
static inline uint8_t *branch_to(uint8_t *p, unsigned cc, const uint8_t *to) {
  p = cg_branch(p, cc);
  cg_patch(p, to);
  return p;
}
static inline uint8_t *call_to(uint8_t *p, const uint8_t *to) {
  p = cg_call(p);
  cg_patch(p, to);
  return p;
}
static inline bool is_cold(unsigned kind) { return kind != IX_JUMP; }

struct cg {
  const struct ir_block *b;
  struct cg_config c;
  uint8_t *p;
  unsigned at; /* entry being lowered */
  int error;

  unsigned nheld;
  uint16_t held_slot[CG_MAX_HELD];
  uint8_t held_reg[CG_MAX_HELD];
  uint8_t held_at[LIFT_SLOTS]; /* by slot: 1 + its index among the held, 0 */
  int16_t held_of[CG_NREGS];   /* by register: index of the held slot, -1 */
  uint32_t held_until
      [CG_MAX_HELD]; /* entry that changes the slot in memory: from there on its home is the truth */

  uint32_t in_reg[CG_NREGS]; /* value in a register, 0: none */
  uint32_t full;             /* registers with a value */
  uint32_t pinned;           /* registers that must not be given away now */
  uint64_t spills;           /* in use */
  uint32_t wide_spills;
  const uint8_t *flags, *flags_until; /* the last comparison and the end of the branch on it */
  unsigned nuses, nlates, nliterals;
  uint32_t spill_of[CG_SPILLS + CG_WIDE_SPILLS];
  uint32_t count; /* of the main path */
  unsigned nexits;
  struct cg_exit exit[MAX_EXITS];
  struct cg_place place[MAX_PLACES];
  unsigned nplaces;
  struct cg_fault fault[IR_MAX_INS];
  unsigned nfaults;
  struct late late[MAX_EXITS];
  struct literal literal[MAX_LITERALS];
  unsigned nunsure, group_first, ngroups; /* the group not looked at yet begins at group_first */
  uint32_t unsure_regs;                   /* its operands and results, which stay where they are */
  struct unsure unsure[IR_MAX_INS];
  bool relies, told; /* on what earlier groups told; the byte in the frame was cleared */
  uint8_t nchecked;
  uint32_t checked[MOST_CHECKED]; /* values of the group that are compared with a small number */
  struct group group[IR_MAX_INS];
  unsigned nwindows;
  struct window window[MAX_WINDOWS];
  uint8_t window_of[IR_MAX_INS]; /* by access: number of its window + 1, 0: none */
  struct value v[MAX_VALUES];
  uint8_t late_value
      [IR_MAX_INS];     /* not 0: computed by the runtime, in so many operations, when an exit is taken */
  bool low[IR_MAX_INS]; /* truncations whose users look at the low half of what is truncated */
  uint16_t part[MAX_PLACES]; /* by place: the late value's or operand's entry */
  struct use use[MAX_USES];
};

#define CG_NO_SPILLS UINT64_C(1) /* places of spills that have another use: CG_FRAME_LIMIT */
#define HELD(i)      ((uint32_t)(IR_MAX_INS + (i)))
#define WINDOW(i)    ((uint32_t)(IR_MAX_INS + CG_MAX_HELD + (i)))
#define GENERAL      (uint32_t)(CG_HELD_MASK | CG_FREE_MASK) /* registers that are given to values */
#define VECTORS      (uint32_t)(CG_HELD_VECTORS_MASK | CG_FREE_VECTORS_MASK)
static inline bool is_vector(unsigned reg) { return reg >= CG_VECTOR; }

/* Value v: what a held slot had at the block's start. */
static inline bool is_held(uint32_t v) { return v >= HELD(0) && v < WINDOW(0); }

/* What a GET of a held slot stands for, else the entry itself. */
static inline uint32_t value_of(const struct cg *g, ref r) { return g->v[r].alias ? g->v[r].alias : r; }
static inline const struct ir_ins *ins_of(const struct cg *g, ref r) { return &g->b->ins[r]; }
static inline bool wide(const struct ir_ins *i) { return i->type == IT_I64; }
static inline bool is_compare(unsigned op) {
  return (op >= IR_EQ && op <= IR_SUBO) || (op >= IR_FEQ && op <= IR_FUN);
}
static inline bool is_fp(unsigned op) { return op >= IR_FADD && op <= IR_FRINT; }
/* Constants of up to 64 bits, and PCs where they are numbers: *k, sign-extended from the width. */
bool number_of(const struct cg *g, ref r, int64_t *k);

/* alloc.c */
void alloc_start(struct cg *g);
bool dies(const struct cg *g, uint32_t v); /* not needed after the current entry, nor by a group (group.c) */
/* A general register of `allowed` without a value; gives one up when needed. It stays pinned until the entry is done. */
unsigned take(struct cg *g, uint32_t allowed, int hint);
/* The entry's value in a general register of `allowed`. */
unsigned need(struct cg *g, ref r, uint32_t allowed);
/* The same for registers of any kind; of `GENERAL | VECTORS` where the value is, or is wanted. */
unsigned take_any(struct cg *g, uint32_t allowed, int hint);
unsigned need_any(struct cg *g, ref r, uint32_t allowed);
/* A register for the entry's result, of the kind in which it is wanted. */
unsigned take_wanted(struct cg *g, ref r);
/* A copy of the value in exactly this register, which becomes no value's own. */
void copy_to(struct cg *g, ref r, unsigned reg);
/* Moves whatever lives in the register elsewhere, outside `avoid`. */
void vacate(struct cg *g, unsigned reg, uint32_t avoid);
/* The entry's result is in the register now. */
void result(struct cg *g, ref r, unsigned reg);
/* The register's value has no register any more. */
void release(struct cg *g, unsigned reg);
/* Frees what is not needed after the current entry. */
void sweep(struct cg *g);
/* Everything into memory: held slots home, other values into spills. For calls. */
void flush_all(struct cg *g);
/* Held slot i was written in memory (PUT, a handler): its home is the truth. */
void held_changed(struct cg *g, unsigned i);
int held_index(const struct cg *g, unsigned slot); /* -1: not held */
/* `bytes` of a register of any kind to and from memory, another register; a constant into a register. */
void write_home(struct cg *g, unsigned reg, uint32_t offset, unsigned bytes);
void read_home(struct cg *g, unsigned reg, uint32_t offset, unsigned bytes);
void store_reg(struct cg *g, unsigned reg, unsigned base, int32_t offset, unsigned bytes);
void load_reg(struct cg *g, unsigned reg, unsigned base, int32_t offset, unsigned bytes);
void move_reg(struct cg *g, unsigned to, unsigned from, unsigned bytes);
void load_constant(struct cg *g, unsigned vector, uint64_t low, uint64_t high, unsigned bytes);
/* The distance that ends at `end` leads to these 16 bytes, behind the code. */
void reads_constant(struct cg *g, const uint8_t *end, uint64_t low, uint64_t high);

/* select.c */
/* The rule for an entry if its `how` were this one, NULL: none. */
const struct cg_rule *rule_as(const struct cg *g, ref r, const struct ir_fp *how);
bool lower_rule(struct cg *g, ref r);
/* Puts the condition into the flags and returns it. */
unsigned condition(struct cg *g, ref cond);
/* Whether the comparison can be left to the entry that uses its condition; by which rule. */
bool gives_condition(const struct cg *g, ref cond);
const struct cg_rule *rule_of_condition(const struct cg *g, ref cond);
/* Whether operand n is best in a vector register. `result`: so is the entry's own value. */
bool wants_vector(const struct cg *g, const struct ir_ins *i, unsigned n, bool result);
/* An FP operation by software: operands in registers, the result into one. */
void write_soft(struct cg *g, uint32_t op, unsigned nargs, const uint8_t reg[3], unsigned dest,
                unsigned bytes);
/* packed.c: the same for all lanes of vectors. */
void write_packed(struct cg *g, uint32_t op, unsigned nargs, const uint8_t reg[3], unsigned dest);

/* Writes code that puts the entry's value into the register; nothing is remembered, flags may change. */
void load_value(struct cg *g, ref r, unsigned reg);

/* exits.c */
/* What is in no register, into one. Flags stay. */
void fetch(struct cg *g, const struct cg_place *p, unsigned reg);
/* Records where everything is for this way out, now; its number in g->exit. */
unsigned new_exit(struct cg *g, unsigned exit, bool cold);
/* The branch just written (its rel32 ends at g->p) leads to this exit. */
void late_exit(struct cg *g, unsigned exit);
void late_to(struct cg *g, unsigned x); /* to exit x, a cold one that was made for this place */
struct late *new_late(struct cg *g, enum late_kind kind, unsigned exit);
/* Leaves here. */
void leave(struct cg *g, unsigned exit);
void leave_to_interpreter(struct cg *g, unsigned exit); /* runs the instruction of the exit */
void write_entry(struct cg *g, uint64_t pc);
void write_lates(struct cg *g);
void write_literals(struct cg *g); /* last of all */
/* The guest's sticky flags with what the host has raised, in a register; the host's are forgotten. */
unsigned read_flags(struct cg *g, uint32_t offset, unsigned bytes);
void drop_flags(struct cg *g);

/* nan.c */
/* Whether the operation's result may be raw, if it has a rule that does nothing about NaNs. */
bool may_stay_raw(const struct cg *g, const struct ir_ins *i);
/* Before entry r is lowered: what it must not have raw. */
void settle_uses(struct cg *g, ref r);
void settle(struct cg *g, uint32_t v); /* the value is not raw from here on; flags are lost */
void settle_places(struct cg *g, const struct cg_place *p, unsigned n);
/* Out of line: each of two values, or the one, becomes the default NaN if it is one; the default NaN into a register. */
void repair_nans(struct cg *g, unsigned a, unsigned b, bool f32);
void write_default_nan(struct cg *g, unsigned reg, bool f32);
/* A float's bits, of NaNs the default one's. */
uint64_t without_raw_nan(uint64_t bits, bool f32);

/* group.c */
/* A rule by which r joins a group that is looked at later, NULL: none. *tiny: also for tininess. */
const struct cg_rule *group_rule(const struct cg *g, ref r, bool *tiny);
void group_room(struct cg *g, bool tiny);                    /* for one more */
void group_add(struct cg *g, ref r, const struct unsure *u); /* entry r has its register */
void settle_group(struct cg *g);                             /* looks; flags are lost */
void settle_before(struct cg *g, ref r); /* looks if entry r could see what was not looked at */
void write_group(struct cg *g, const struct late *l);
void write_zero(struct cg *g, const struct late *l);

/* late.c: fills g->late_value. */
void late_values(struct cg *g);
/* What the late value r is made of is needed at `at`. */
void late_needed(struct cg *g, ref r, uint32_t at);

/* flags.c */
/* Whether the comparison can be made by each of its users. `need`: what it needs then; *sum: a difference that it needs not. */
bool may_compare_late(const struct cg *g, ref r, ref need[2], ref *sum);
/* Late comparisons of an exit to another block into their slots; everything is where the exit's places say. `flags`: code of a
 * comparison whose outcome the flags are there already, or NULL. */
void write_conditions(struct cg *g, const struct cg_exit *x, const uint8_t *flags);

/* memory.c */
bool lower_memory(struct cg *g, ref r);
/* The instruction written next may fault: it then leaves through exit x. */
void may_fault(struct cg *g, unsigned x);
/* Memory at identity: the address is *o from what is in the register returned. */
unsigned direct_base(struct cg *g, ref address, int32_t *o);
/* With all registers of the access taken: leaves through an exit made here, which is returned for its fault, unless `bytes`
 * there (a and o as above) are where the guest may be. */
unsigned direct_check(struct cg *g, unsigned exit, ref address, unsigned a, int32_t o, unsigned bytes);
/* The same, and announces the access. */
unsigned direct_access(struct cg *g, unsigned exit, ref address, unsigned a, int32_t o, unsigned bytes,
                       enum cg_seen_kind kind);
/* The value that the address is a fixed distance from. */
uint32_t root_of(const struct cg *g, ref address, int64_t *distance);
/* Writes loads and stores of guest memory at b + x + o, x as the TLB has it. */
void write_access(struct cg *g, const struct mem_op *m, unsigned b, unsigned x, int32_t o);
/* Calls `slow` for an access to the address in the register; it may leave through exit x. `access`: CG_ACCESS. */
void call_slow(struct cg *g, unsigned x, unsigned address, uint32_t access);
/* An access is about to happen: tells the runtime when it wants to know. */
void announce(struct cg *g, unsigned exit, unsigned a, int32_t o, unsigned bytes, enum cg_seen_kind kind);
/* And what it read or wrote: a register into the field at `field` of struct cg_seen; all registers and flags stay. */
void witness(struct cg *g, unsigned reg, size_t field, unsigned bytes);
#define SEEN(field) offsetof(struct cg_seen, field)

/* window.c: the software TLB. */
void find_windows(struct cg *g);
/* Writes the check for `bytes` at register a + o, with temporaries t and u; t has what is added to guest addresses then. */
struct late *tlb_check(struct cg *g, unsigned exit, unsigned t, unsigned u, unsigned a, int32_t o,
                       unsigned bytes, enum access access);
/* Writes access r, with all its registers but temporaries taken, and its check unless an earlier one has made it. */
void access_window(struct cg *g, ref r, const struct mem_op *m, unsigned a, int32_t o);
void write_slow(struct cg *g, const struct late *l);
void write_window(struct cg *g, const struct late *l);

/* atomic.c */
bool lower_atomic(struct cg *g, ref r);

/* vector.c */
bool lower_vector(struct cg *g, ref r);
bool lower_low_lane(struct cg *g, ref r);

#endif
