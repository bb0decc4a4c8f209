/* Inside runtime/jit: blocks, exits, code memory of one vCPU. */
#ifndef ISOMER_JIT_JIT_INT_H
#define ISOMER_JIT_JIT_INT_H

#include "hostcg/cg.h"
#include "interp/interp.h"
#include "jit/jit.h"
#include "os/fault.h"
#include "os/cpu.h"

enum {
  BUCKETS = 1 << 14,
  MAX_CONTEXTS = 255,
  SEGMENTS = 8,   /* of the code memory; the oldest is emptied when room is needed */
  EXIT_BITS = 20, /* exit number = segment << EXIT_BITS | index */
  MAX_RECORDS = 1 << 16,
};

/* A place in guest code that is or may become translated. */
struct block {
  struct block *next, *page_next; /* hash chains: by place, by page */
  gpa_t page;                     /* as the interpreter's window says */
  uint16_t off, context;
  uint32_t heat;
  bool refused;
  uint8_t *code; /* writable view; NULL: not compiled */
  uint32_t bytes, count, first_exit, nexits;
  uint32_t in; /* exits that lead here, + 1 */
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
  struct block *by_place[BUCKETS], *by_page[BUCKETS];
  unsigned nrecords;
  uint64_t contexts[MAX_CONTEXTS][IR_MAX_CONTEXT];
  unsigned ncontexts, context; /* of now; 0: none yet */
  uint32_t epoch;              /* flush_epoch that the key has */
  int64_t base;                /* v->budget - CG_COUNT while code runs */
  int64_t adjust;              /* to be added to CG_COUNT after code was left */
  int step;                    /* of a handler that did not end with STEP_NEXT */
  bool ending;                 /* code is not written any more: after a fork it may be another process's */
  bool changed;                /* code was invalidated since this was cleared */
  uint8_t *by_handler;         /* by leaf: this host cannot do it (learnt) */
  struct jit *link;            /* of all */
  struct check *check;         /* every block runs on the interpreter too; NULL: no */
  struct jit_counters n;
};

static inline struct jit *jit_of(const struct vcpu *v) { return v->c->jit; }
static inline const void *executable(const struct jit *j, const uint8_t *rw) {
  return j->code.rx + (rw - j->code.rw);
}
static inline struct exit *exit_of(struct jit *j, uint32_t n) {
  return &j->segment[n >> EXIT_BITS].exit[n & ((1u << EXIT_BITS) - 1)];
}
static inline struct cg_jump *jump_slot(struct jit *j, gva_t pc) {
  return &j->env.jump[pc >> 1 & (CG_JUMPS - 1)];
}

/* blocks.c */
void jit_context(struct jit *j); /* number of the context slots' values now, and the key of jumps */
struct block *jit_block(struct jit *j, gpa_t page, unsigned off);
void jit_link(struct jit *j, uint32_t exit, struct block *to);
void jit_gone(struct vcpu *v, gpa_t page); /* ~0: all */
void jit_empty(struct jit *j, unsigned segment);
void jit_forget_jumps(struct jit *j);

/* compile.c: 0, or a negative number when the block is refused. */
int jit_compile(struct jit *j, struct block *b);

/* check.c */
int check_new(struct jit *j);
void check_free(struct jit *j);
/* As `enter`, then the same instructions on the interpreter: false when the states differ, with a report logged. */
bool check_enter(struct jit *j, const void *code, int64_t left, struct block *b, uint64_t *result);
/* The block is about to write. */
bool check_store(struct jit *j, gva_t a, unsigned size);
gva_t jit_target(const struct jit *j, const struct exit *x); /* of a fixed one */

/* leave.c */
uint64_t jit_cold(struct vcpu *v, uint32_t exit, uint64_t *regs);
uint64_t jit_soft(struct vcpu *v, uint32_t op, const uint64_t operand[3]);
uint64_t jit_slow(struct vcpu *v, uint64_t address, uint32_t access);
uint64_t jit_handler(struct vcpu *v, uint32_t exit, int64_t count);
uint64_t jit_ask(struct vcpu *v, struct cg_ask *a); /* access.c */
void jit_running(struct jit *j);                    /* on this thread */
struct jit *jit_now(void);                          /* what runs on this thread, or NULL */
bool jit_fault(int signal, siginfo_t *info, void *context);

#endif
