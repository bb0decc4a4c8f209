/* Inside runtime/jit: blocks, exits, code memory of one vCPU. */
#ifndef ISOMER_JIT_JIT_INT_H
#define ISOMER_JIT_JIT_INT_H

#include "hostcg/cg.h"
#include "interp/interp.h"
#include "ir/build.h"
#include "jit/jit.h"
#include "os/fault.h"
#include "os/cpu.h"

enum {
  PAGE_LISTS = 1 << 10,
  MAX_CONTEXTS = 255,
  SEGMENTS = 8,   /* of the code memory; the oldest is emptied when room is needed */
  EXIT_BITS = 20, /* exit number = segment << EXIT_BITS | index */
  MAX_RECORDS = 1 << 16,
  SLAB = 128,
  WORTH = 4096, /* instructions that a translation should last for */
  MAX_THRESHOLD = 1 << 16,
};

/* A place in guest code that is or may become translated. */
struct block {
  struct block *page_next; /* list of blocks of some pages, or of free records */
  gpa_t page;              /* as the interpreter's window says */
  uint8_t *code;           /* writable view; NULL: not compiled */
  uint16_t off;
  uint8_t context;
  bool refused;
  bool crosses; /* one instruction, which ends in the next page */
  uint32_t heat;
  uint32_t bytes, count, first_exit, nexits;
  uint32_t in;     /* exits that lead here, + 1 */
  uint32_t number; /* compiled: in its segment's list */
};
/* What the table of blocks has: the place as one number, so that a look at a block that is not wanted costs nothing. */
struct place {
  uint64_t key; /* 0: empty */
  struct block *block;
};

struct exit {
  struct cg_exit e;
  struct block *owner, *to; /* owner NULL: the block is gone (its code may still run to its end) */
  uint32_t next_in;         /* + 1 */
  uint32_t count;           /* of the block's main path */
  const struct cg_place *place;
  const struct insn *insn; /* IX_STEP: decoded */
  uint8_t *code;
};

/* Code and what belongs to it, emptied as a whole. */
struct segment {
  uint8_t *from, *at, *end;
  struct exit *exit;
  uint32_t nexits, room;
  struct cg_fault *fault; /* `at` from the segment's start, ascending */
  uint32_t nfaults, faults_room;
  struct chunk {
    struct chunk *next;
    void *unused; /* what follows is aligned to 16 */
  } * chunks;     /* memory of places and decoded instructions */
  struct block **blocks;
  uint32_t nblocks, blocks_room;
};

struct jit {
  struct cg_env env; /* first: vcpu->helpers */
  struct vcpu *v;
  struct cg *cg;
  struct os_code code;
  struct cg_common common;
  const struct ir_guest *guest;
  uint32_t features;
  bool direct;
  uint64_t (*enter)(struct vcpu *v, const void *code, int64_t count);
  struct segment segment[SEGMENTS];
  unsigned current;
  unsigned threshold;     /* entries of a block before it is compiled, now */
  uint64_t turned;        /* instructions retired when a segment was emptied last */
  struct place *by_place; /* open addressing, `mask` + 1 entries */
  unsigned mask, nrecords;
  struct block *by_page[PAGE_LISTS], *free_blocks;
  struct slab {
    struct slab *next;
    struct block block[SLAB];
  } * slabs; /* memory of records */
  uint64_t contexts[MAX_CONTEXTS][IR_MAX_CONTEXT];
  unsigned ncontexts, context; /* of now; 0: none yet */
  uint32_t epoch;              /* of the key: flushes of translations and losses of code */
  uint32_t losses;             /* how often code went that the jump table may know */
  int64_t base;                /* v->budget - CG_COUNT while code runs */
  int64_t adjust;              /* to be added to CG_COUNT after code was left */
  int step;                    /* of a handler that did not end with STEP_NEXT */
  gva_t jumped;                /* where it left v->pc */
  bool ending;                 /* code is not written any more: after a fork it may be another process's */
  bool changed;                /* code was invalidated since this was cleared */
  uint8_t *by_handler;         /* by leaf: this host cannot do it (learnt) */
  struct jit *link;            /* of all */
  struct check *check;         /* every block runs on the interpreter too; NULL: no */
  struct jit_counters n;
  struct lift lift; /* working memory of a translation */
  struct ir_block ir;
};

static inline struct jit *jit_of(const struct vcpu *v) { return v->c->jit; }
static inline const void *executable(const struct jit *j, const uint8_t *rw) {
  return j->code.rx + (rw - j->code.rw);
}
static inline struct exit *exit_of(struct jit *j, uint32_t n) {
  return &j->segment[n >> EXIT_BITS].exit[n & ((1u << EXIT_BITS) - 1)];
}
static inline struct cg_jump *jump_slot(struct jit *j, gva_t pc) {
  return &j->env.jump[pc >> cg_jump_shift(j->guest) & (cg_jumps(j->direct) - 1)];
}

/* blocks.c */
void jit_context(struct jit *j); /* number of the context slots' values now, and the key of jumps */
struct block *jit_block(struct jit *j, gpa_t page, unsigned off); /* made if there is none */
struct block *jit_known(const struct jit *j, gpa_t page, unsigned off);
void jit_free_blocks(struct jit *j);
void jit_link(struct jit *j, uint32_t exit, struct block *to);
/* An exit with ways led to v->pc. */
void jit_way(struct jit *j, uint32_t exit, struct block *to);
void jit_gone(struct vcpu *v, gpa_t page); /* ~0: all */
void jit_empty(struct jit *j, unsigned segment);

/* compile.c: 0, or a negative number when the block is refused. */
int jit_compile(struct jit *j, struct block *b);
/* Up to n bytes of code at an address, in machines no more than its page has: how many; 0: none can be read. */
unsigned jit_bytes(const struct jit *j, gva_t at, uint8_t *to, unsigned n);

/* check.c */
int check_new(struct jit *j);
void check_free(struct jit *j);
/* As `enter`, then the same instructions on the interpreter: false when the states differ, with a report logged. */
bool check_enter(struct jit *j, const void *code, int64_t left, struct block *b, uint64_t *result);
/* The block is about to make an access, CG_ACCESS, of what lies at `host`; false: it must not. */
bool check_access(struct jit *j, gva_t a, uint32_t what, const uint8_t *host);
gva_t jit_target(const struct jit *j, const struct exit *x); /* of a fixed one */

/* engine.c: the page that code at pc is in, if it may be executed as a whole. */
int jit_ready(struct jit *j); /* there is code memory; -errno */
bool jit_page(struct jit *j, gva_t pc, gpa_t *page);
bool jit_single(const struct jit *j); /* there is no other vCPU */

/* leave.c */
uint64_t jit_cold(struct vcpu *v, uint32_t exit, uint64_t *regs);
uint64_t jit_soft(struct vcpu *v, uint32_t op, const uint64_t operand[3]);
void jit_packed(struct vcpu *v, uint32_t op, uint64_t operand[3][2]);
uint64_t jit_slow(struct vcpu *v, uint64_t address, uint32_t access, uint64_t *regs);
uint64_t jit_handler(struct vcpu *v, uint32_t exit, int64_t count);
uint64_t jit_ask(struct vcpu *v, struct cg_ask *a); /* access.c */
void jit_running(struct jit *j);                    /* on this thread */
struct jit *jit_now(void);                          /* what runs on this thread, or NULL */
bool jit_fault(int signal, siginfo_t *info, void *context);

#endif
