/* Turns a block of the IR into host code: registers are allocated in one pass forward over the entries, with what a pass
 * backward found out about uses. Instructions come from the host's lowering rules (hostcg/<host>.yaml); nothing here knows
 * a host or a guest by name.
 *
 * Registers have numbers below 32: general ones from 0, vector registers from CG_VECTOR.
 *
 * Boundary convention. The slots of ir_guest.held and .held_vectors live in the host's `held` and `held_vectors`
 * registers whenever a block is entered or left by a jump; all others in memory. Within a block a held register is given
 * up once its slot's old value is not needed. CG_VCPU points to the vCPU, CG_COUNT counts down the instructions of the
 * slice.
 *
 * Floating point. While code runs the host raises sticky flags and nothing else; every way out ORs them into the guest's
 * sticky slot. What the host's units do not do as the guest wants is done by `soft`.
 *
 * Code runs on a frame of CG_FRAME bytes at the stack pointer; all of it is addressed by the offsets below. */
#ifndef ISOMER_HOSTCG_CG_H
#define ISOMER_HOSTCG_CG_H

#include "core/isa.h"
#include "ir/ir.h"

enum {
  CG_SPILLS = 64, /* of 8 bytes, then those of 16 */
  CG_WIDE_SPILLS = 32,
  CG_FRAME_LIMIT = 0, /* in the place of the first spill: guest addresses at identity are below this number */
  CG_FRAME_EXIT = CG_SPILLS * 8 + CG_WIDE_SPILLS * 16, /* number of the exit being taken (32 bits) */
  CG_FRAME_ACCESS = CG_FRAME_EXIT + 4,  /* size | enum access << 8 of a slow access (32 bits) */
  CG_FRAME_ADDRESS = CG_FRAME_EXIT + 8, /* its address */
  CG_FRAME_SOFT =
      CG_FRAME_EXIT + 48, /* operation and operands of `soft`; the result replaces the operation */
  CG_FRAME_STATUS = CG_FRAME_SOFT + 32,  /* status of floating point (32 bits) */
  CG_FRAME_FAILED = CG_FRAME_STATUS + 4, /* a byte of group.c */
  CG_FRAME_TEMP = CG_FRAME_STATUS + 8,
  CG_FRAME_PAIR = CG_FRAME_STATUS + 16, /* 16 bytes */
  CG_FRAME_PACKED =
      CG_FRAME_PAIR + 16, /* operands of `packed`, 16 bytes each; the result replaces the first */
  CG_FRAME_SAVE = CG_FRAME_PACKED + 48,      /* registers by number: general ones of 8 bytes */
  CG_FRAME_VECTORS = CG_FRAME_SAVE + 32 * 8, /* vector registers of 32 bytes, of which 16 are saved */
  CG_FRAME = CG_FRAME_VECTORS + 16 * 32,     /* a multiple of 16 */
  CG_MAX_HELD = 32,
  CG_JUMPS = 16384, /* a kernel's calls and returns across pages all go by this table */
  CG_JUMPS_DIRECT = 4096,
  CG_ROOM = 4096, /* more than an entry or an exit takes */
};
static inline int32_t cg_spill_at(unsigned spill) {
  return (int32_t)(spill < CG_SPILLS ? spill * 8 : CG_SPILLS * 8 + (spill - CG_SPILLS) * 16);
}

/* Code that all blocks share. Addresses in the writable view of the code memory. */
struct cg_common {
  uint8_t
      *cold; /* leaves through the exit whose number is in the frame; registers are whatever the block has */
  uint8_t *link; /* leaves at a boundary; CG_RESULT = number of the exit */
  uint8_t *goes; /* at a boundary, CG_RESULT = guest address: goes on there if `look` knows it, else leaves */
  uint8_t *
      site; /* at a boundary, CG_RESULT = guest address, the first free register but that = number of an exit that
                    wants to know the address: leaves */
  uint8_t *
      slow; /* called: makes a software TLB entry for the access in the frame (flags: CG_LOW_BITS_GIVES), or the access
                    itself, or takes the cold exit */
  uint8_t
      *ask; /* called: the runtime makes the access in the frame (struct cg_ask), or takes the cold exit */
  uint8_t *soft;    /* called: the FP operation in the frame; all registers stay */
  uint8_t *packed;  /* the same of whole vectors: operation at CG_FRAME_SOFT, operands at CG_FRAME_PACKED */
  uint8_t *handler; /* called with all state in memory: runs the instruction of the exit in the frame */
  uint8_t *enter;   /* uint64_t enter(struct vcpu *v, const void *code, int64_t count) */
};

/* An access that the runtime makes, in the frame from CG_FRAME_EXIT on. */
struct cg_ask {
  uint32_t exit, what; /* CG_ASK */
  uint64_t address;
  uint64_t value[2]; /* operand b and then the result, low half first */
  uint64_t third[2]; /* of the ARG */
};
#define CG_ASK(op, aux)   ((uint32_t)(op) << 24 | ((aux)&0xffffffu)) /* the IR's operation and its aux */
#define CG_ASK_OP(what)   ((what) >> 24)
#define CG_ASK_BITS(what) IR_MEM_BITS(what)
#define CG_ASK_RMW(what)  IR_MEM_RMW(what)
#define CG_ASK_ATTR(what) ((what) >> 16 & 255u)

/* Code made for comparisons (cg_config.alone) announces every access to `slow` with a word that says what it is, and leaves
 * what it read and wrote at env->seen. */
enum cg_seen_kind { CG_TLB_ONLY, CG_LOAD, CG_STORE, CG_RMW, CG_ADD, CG_CAS, CG_LOADX, CG_STOREX };
struct cg_seen {
  uint64_t value[2];  /* what was read; of STOREX: whether it stored */
  uint64_t wrote[2];  /* of ADD the operand, of CAS and STOREX what would be written */
  uint64_t expect[2]; /* of CAS */
};
#define CG_ACCESS(bytes, access, kind, insn) \
  ((uint32_t)(bytes) | (uint32_t)(access) << 8 | (uint32_t)(kind) << 12 | (uint32_t)(insn) << 16)
#define CG_ACCESS_BYTES(w) ((w)&255)
#define CG_ACCESS_RIGHT(w) ((w) >> 8 & 15)
#define CG_ACCESS_KIND(w)  ((enum cg_seen_kind)((w) >> 12 & 15))
#define CG_ACCESS_INSN(w)  ((w) >> 16) /* instructions of the block before this one */
/* A plain access that the runtime may make itself when it crosses a page: what is loaded goes to, what is stored comes from
 * this register's place among the saved ones. */
#define CG_ACCESS_PLAIN(reg, sign, wide) \
  (UINT32_C(1) << 31 | (uint32_t)(reg) << 16 | (uint32_t)(sign) << 24 | (uint32_t)(wide) << 25)
#define CG_ACCESS_PROBE       (UINT32_C(1) << 31 | UINT32_C(1) << 26) /* nothing is moved */
#define CG_ACCESS_IS_PROBE(w) ((w) >> 26 & 1)
#define CG_ACCESS_IS_PLAIN(w) ((w) >> 31 && CG_ACCESS_KIND(w) == CG_TLB_ONLY)
#define CG_ACCESS_REG(w)      ((w) >> 16 & 31)
#define CG_ACCESS_SIGN(w)     ((w) >> 24 & 1)
#define CG_ACCESS_WIDE(w)     ((w) >> 25 & 1)
enum { CG_SLOW_NO, CG_SLOW_RETRY, CG_SLOW_DONE };

/* Functions and words of the runtime that code uses, at vcpu->helpers. */
struct cg_env {
  /* Registers of the block at `regs` (by number, then nothing); the spills are below. Restores the guest's state and
   * returns what `enter` returns. */
  uint64_t (*cold)(struct vcpu *v, uint32_t exit, uint64_t *regs);
  /* CG_SLOW_RETRY when the access can be repeated: it will hit. CG_SLOW_DONE: it is done. `access`: CG_ACCESS; `regs`: as
   * those of `cold`, which it may change. */
  uint64_t (*slow)(struct vcpu *v, uint64_t address, uint32_t access, uint64_t *regs);
  /* Makes an access; false, with nothing changed, when the interpreter has to. */
  uint64_t (*ask)(struct vcpu *v, struct cg_ask *a);
  /* Runs the exit's instruction; enum step. `count`: CG_COUNT. */
  uint64_t (*handler)(struct vcpu *v, uint32_t exit, int64_t count);
  /* The operation that cg_soft_op packed, by software; raises the guest's sticky flags. */
  uint64_t (*soft)(struct vcpu *v, uint32_t op, const uint64_t operand[3]);
  /* The same for all lanes (lane: 32, 64); the result replaces the first operand. */
  void (*packed)(struct vcpu *v, uint32_t op, uint64_t operand[3][2]);
  uint32_t sticky[64];  /* cg_sticky */
  struct cg_seen *seen; /* of the access announced last */
  /* True when `next` is code for this address, to be entered at a boundary. */
  uint64_t (*look)(struct vcpu *v, uint64_t pc);
  const void *next;
  int64_t count; /* CG_COUNT when code was left */
  uint32_t key;  /* of the translation context: entries of `jump` with another key do not match */
  /* Places that indirect jumps know; index = address >> cg_jump_shift modulo cg_jumps. */
  struct cg_jump {
    uint64_t pc;
    uint32_t key, pad;
    const void *code; /* in the executable view */
    void *owner;      /* the runtime's */
  } jump[CG_JUMPS] __attribute__((aligned(32)));
};
/* Bits at the end of an address that say little about where instructions are. */
static inline unsigned cg_jump_shift(const struct ir_guest *guest) {
  return guest->isa->insn_unit == 4 ? 2 : 1;
}
/* In user mode most jumps have ways of their own, and short programs are not to touch much memory. */
static inline unsigned cg_jumps(bool direct) { return direct ? CG_JUMPS_DIRECT : CG_JUMPS; }
/* What `enter` returns: 1 + number of an exit that wants to be linked or handled; CG_GOES: v->pc is where to go on. */
#define CG_GOES UINT64_MAX

/* Where a value is when an exit is taken. */
enum cg_where {
  CG_IN_REG,
  CG_IN_SPILL,
  CG_IN_CONST,
  CG_IN_PC /* pcbase + number */,
  CG_IN_HOME,
  CG_IN_PART,  /* value of place `number` of this exit */
  CG_COMPUTED, /* IR operation `at` of type `bytes`, aux `offset`, of the parts in `number`: 16 bits each, type of a on top */
};
struct cg_place {
  uint16_t slot; /* CG_TARGET: where the guest goes on */
  uint8_t where, at;
  uint8_t bytes; /* of the slot in memory */
  uint8_t raw;   /* 4, 8: a float of so many bytes; any NaN stands for the default one */
  bool low;      /* of a slot of 16 bytes: there are the low 8, the others are zero */
  uint32_t offset;
  int64_t number;
  uint64_t high; /* bits 64.. of a constant */
};
#define CG_TARGET 0xffffu
#define CG_PART   0xfffeu /* no slot's: operand of later places */
/* Kind of a block's first exit: the slice has fewer instructions left than the block; nothing was executed. */
#define CG_EXIT_COUNT 255

/* An exit in code. Links: `patch` is the rel32 (4 bytes before it ends) that leads to `stub` until it is linked.
 * A jump to an address that only the run knows may have links too, in the absolute mode: CG_WAYS exits, chained by `other`, each
 * taken when the address is the number that ends at `want`; when none is, the stub asks the runtime. cg_open gives that up. */
struct cg_exit {
  uint8_t kind, jump; /* enum ir_exit_kind or CG_EXIT_COUNT, ir_jump_kind */
  bool fixed;         /* the target is `pc`, else a place (CG_TARGET) says it */
  uint16_t insn, count;
  /* In the absolute mode an address, else the distance from the block's page: the target; of IX_INTERP and IX_STEP the
   * instruction. */
  uint32_t first, n;    /* places */
  uint32_t held;        /* of cold exits: these held slots are in their own registers */
  uint32_t patch, stub; /* offsets in the block's code; 0 = none */
  int64_t pc;
  uint32_t other;        /* number of the next way, 0 = none */
  uint32_t want;         /* offset in the block's code; 0 = none */
  uint32_t start, table; /* of all ways; where the jump table is asked instead */
};
/* The guest's state at a cold exit into memory; `regs` as env->cold has them. *target: where the guest goes on, if a place
 * says it. */
void cg_restore(const struct ir_guest *guest, struct vcpu *v, const struct cg_exit *x,
                const struct cg_place *place, const uint64_t *regs, uint64_t *target);
enum { CG_WAYS = 2 };
struct cg_fault {
  uint32_t at; /* offset of an instruction that may fault */
  uint32_t exit;
};

struct cg_config {
  uint32_t features; /* cg_features() */
  bool direct;       /* guest addresses are host addresses; else the software TLB */
  bool absolute; /* the page of the block has address `page`, in code that is not shared: PCs are numbers */
  uint64_t page;
  bool alone; /* for comparisons: every way out goes to the runtime, accesses are announced, no handlers */
  uint32_t first_exit; /* number of the block's first exit */
  const struct cg_common *common;
  uint8_t *at, *end; /* where the code goes */
};

/* Result of a compilation; valid until the next one. */
struct cg_result {
  uint8_t *entry, *end;
  uint8_t *code_end; /* constants lie between it and `end` */
  uint32_t count;    /* instructions of the main path, taken off CG_COUNT at entry */
  bool useless;      /* leaves at once: the first instruction is one for the interpreter */
  unsigned nexits, nplaces, nfaults;
  const struct cg_exit *exit;
  const struct cg_place *place;
  const struct cg_fault *fault;
};

struct cg;
struct cg *cg_new(void);
void cg_free(struct cg *g);

/* The host's name under isa/. */
extern const char cg_host_name[];
/* Host features that rules ask for and this machine has. */
uint32_t cg_features(void);

/* An FP operation for env->soft. `is64`: the format of operand a, of ITOF that of the result. */
static inline uint32_t cg_soft_op(unsigned op, bool is64, const struct ir_fp *f) {
  uint32_t w = op | (uint32_t)is64 << 8;
  if (!f) return w;
  return w | (uint32_t)f->rm << 9 | (uint32_t)f->nan << 12 | (uint32_t)f->tiny << 14 |
         (uint32_t)f->daz << 15 | (uint32_t)f->ftz << 17 | (uint32_t)f->minmax << 19 |
         (uint32_t)f->bad << 21 | (uint32_t)(f->bits == 64) << 23 | (uint32_t)f->sign << 24 |
         (uint32_t)f->quiet << 25 | (uint32_t)f->exact << 27;
}
static inline struct ir_fp cg_soft_how(uint32_t w) {
  return (struct ir_fp){.rm = w >> 9 & 7,
                        .nan = w >> 12 & 3,
                        .tiny = w >> 14 & 1,
                        .daz = w >> 15 & 3,
                        .ftz = w >> 17 & 3,
                        .minmax = w >> 19 & 3,
                        .bad = w >> 21 & 3,
                        .bits = w >> 23 & 1 ? 64 : 32,
                        .sign = w >> 24 & 1,
                        .quiet = w >> 25 & 3,
                        .exact = w >> 27 & 1};
}
/* The guest's sticky bits for every set of flags that the host can have raised. */
void cg_sticky(const struct ir_guest *guest, uint32_t table[64]);

/* Which slots are held in which registers for this guest; the number. */
unsigned cg_held(const struct ir_guest *guest, uint16_t slot[CG_MAX_HELD], uint8_t reg[CG_MAX_HELD]);

/* Writes the shared code for a guest at *at, and advances it. `alone` as in cg_config. */
void cg_write_common(const struct ir_guest *guest, bool alone, uint8_t **at, struct cg_common *out);

/* 0; -ENOSPC when the code does not fit before `end`; -ENOTSUP with the entry in *bad when this host has no way to do
 * it. */
int cg_compile(struct cg *g, const struct ir_block *b, const struct cg_config *c, struct cg_result *out,
               unsigned *bad);

/* Makes the number that ends at `want` this one. */
void cg_want(uint8_t *want, uint64_t pc);
/* The ways that start here go to the jump table for good. */
void cg_open(uint8_t *start, const uint8_t *table);
/* Makes the rel32 that ends at `patch` lead to `to`. */
void cg_patch(uint8_t *patch, const uint8_t *to);

#endif
