/* Forms a block from guest code: decodes and lifts from an address until control leaves the straight line, over forward
 * conditional jumps, and drops condition flags that both successors overwrite unseen. */
#ifndef ISOMER_IR_BLOCK_H
#define ISOMER_IR_BLOCK_H

#include "ir/build.h"

struct ir_source {
  /* Copies up to n bytes of code at `off` (bytes from the start of the block's page, >= 0) and says how many there are; 0
   * past what may be looked at. */
  unsigned (*fetch)(void *data, uint32_t off, uint8_t *to, unsigned n);
  uint64_t (*context)(void *data, unsigned slot); /* value of a context slot where the block starts */
  void *data;
  bool crosses; /* the first instruction, then the only one, may reach into the next page */
};

struct ir_policy {
  unsigned insns;      /* at most, 1..IR_MAX_INSN */
  unsigned side_exits; /* conditional jumps passed without ending the block */
  uint32_t reach;      /* a conditional jump is passed when it goes forward by at most so many bytes */
  unsigned follow;     /* unconditional jumps to known places of the page that are followed */
  /* A loop of at most `body` instructions from the block's start on is in it `copies` times. */
  unsigned copies, body;
  /* Instructions looked at behind each exit for flags that are overwritten; 0: all flags are kept. */
  unsigned look;
  bool fold; /* off only in tests */
};
extern const struct ir_policy ir_policy_default;

/* Forms and optimizes the block that starts `off` bytes into its page; it stays in that page. Number of guest
 * instructions; 0 when the first cannot be translated alone in its page (no leaf matches, its bytes are not there or
 * cross the page's end, unless the source says that they do): the interpreter runs it. `l` is working memory. */
unsigned ir_form(struct ir_block *b, struct lift *l, const struct ir_guest *g, uint64_t features,
                 const struct ir_source *src, uint32_t off, const struct ir_policy *policy);

#endif
