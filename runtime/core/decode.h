/* The tables of a generated fixed-length decoder: decision tree and candidates. */
#ifndef ISOMER_CORE_DECODE_H
#define ISOMER_CORE_DECODE_H

#include "core/bits.h"

/* One node of a decision tree: looks at the bits under mask from shift; entries are nodes, or DEC_LEAF + first candidate. */
struct dec_node {
  uint32_t base;
  uint16_t mask;
  uint8_t shift;
};
enum { DEC_LEAF = 0x8000 };

/* A leaf to try: the picture, the features it needs, how its operands lie, the number of its reserved condition (0: none).
 * A list of candidates ends with op 0. */
struct dec_candidate {
  uint64_t requires_;
  uint32_t mask, value;
  uint16_t op, layout, reserved;
  uint8_t flags; /* INSN_* */
};

#endif
