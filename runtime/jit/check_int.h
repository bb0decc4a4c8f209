/* Inside --check: what a translated block was seen to read and write, and where that is not what the interpreter does. */
#ifndef ISOMER_JIT_CHECK_INT_H
#define ISOMER_JIT_CHECK_INT_H

#include "jit/jit_int.h"

enum { CHECK_MADE = 256, CHECK_WIDTH = 16 };

/* An access that translated code made. Bytes of `in` were read if `reads`, those of `out` written if `writes`. */
struct made {
  gva_t a;
  const uint8_t *host; /* where it should be, by other means than the code's */
  struct cg_seen seen; /* left by the code */
  uint16_t insn;       /* instructions of the block before its own */
  uint8_t size, kind;
  bool reads, writes;
  bool used;    /* the interpreter has read it */
  uint16_t met; /* bytes that the interpreter wrote as well */
  uint8_t old[CHECK_WIDTH], in[CHECK_WIDTH], out[CHECK_WIDTH];
};

struct monitor {
  gva_t addr;
  u128 value;
  uint8_t size;
};

struct check {
  char *before, *after,
      *last; /* states: at the block's start, after it, before the interpreter's last instruction */
  struct monitor monitor_before, monitor_after;
  unsigned n, settled; /* accesses; those of instructions that retired */
  struct made made[CHECK_MADE];
  int64_t budget; /* when the interpreter began */
  uint32_t tag;
  struct {
    const char *what; /* NULL: nothing differs */
    gva_t a;
    unsigned size;
    bool known; /* both sides are */
    uint8_t translated[CHECK_WIDTH], interpreted[CHECK_WIDTH];
  } bad;
};

/* check_memory.c */
void check_settle(struct check *k,
                  unsigned insns);         /* after the block, of which so many instructions retired */
void check_replay(struct jit *j, bool on); /* the interpreter gets what the block got */
bool check_stored(struct check *k);        /* after the interpreter: it wrote all that the block wrote */
/* What the code says it read and wrote is what is or was there; said only where nobody else writes. */
bool check_there(struct jit *j);
void check_undo(struct check *k); /* memory as it was before the block */

/* reproducer.c: writes the block of n instructions and what it started from, and says how to replay it. The interpreter's state
 * is the vCPU's. */
void check_reproducer(struct jit *j, gva_t from, int64_t n, gva_t translated_pc);

#endif
