/* Encoders of variable-length instructions (prefixes, opcode, ModRM, SIB) for generated code generators: everything that
 * does not depend on operands is a constant of the call and folds away. Facts: Intel SDM volume 2, chapter 2. Texts and
 * assembly are core/form.h. */
#ifndef ISOMER_CORE_FORM_EMIT_H
#define ISOMER_CORE_FORM_EMIT_H

#include <string.h>

#include "core/types.h"

#define FORM_NO_REG 255u
#define FORM_INLINE static inline __attribute__((always_inline))

/* What is fixed in an encoding: mandatory or operand-size prefix, W, map (0: none, 1: 0F, 2: 0F38, 3: 0F3A), VEX and its L. */
struct form_fixed {
  uint8_t prefix, w, map, vex, l, opcode;
};

FORM_INLINE uint8_t *form_imm(uint8_t *p, uint64_t v, unsigned n) {
  memcpy(p, &v, n);
  return p + n;
}

/* Prefixes and opcode; r, x, b: the registers' fourth bits. */
FORM_INLINE uint8_t *form_head(uint8_t *p, struct form_fixed f, unsigned r, unsigned x, unsigned b,
                               unsigned vvvv, bool need) {
  if (f.vex) {
    unsigned pp = f.prefix == 0x66 ? 1 : f.prefix == 0xf3 ? 2 : f.prefix == 0xf2 ? 3 : 0;
    unsigned last = pp | (unsigned)f.l << 2 | (~vvvv & 15) << 3;
    if (f.map == 1 && !f.w && !x && !b) {
      *p++ = 0xc5;
      *p++ = (uint8_t)(last | (r ? 0 : 0x80));
    } else {
      *p++ = 0xc4;
      *p++ = (uint8_t)(f.map | (r ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20));
      *p++ = (uint8_t)(last | (unsigned)f.w << 7);
    }
  } else {
    unsigned rex = (unsigned)f.w << 3 | r << 2 | x << 1 | b;
    if (f.prefix) *p++ = f.prefix;
    if (rex || need) *p++ = (uint8_t)(0x40 | rex);
    if (f.map) *p++ = 0x0f;
    if (f.map > 1) *p++ = f.map == 2 ? 0x38 : 0x3a;
  }
  *p++ = f.opcode;
  return p;
}

FORM_INLINE uint8_t *form_none(uint8_t *p, struct form_fixed f) { return form_head(p, f, 0, 0, 0, 0, false); }

/* The register is in the opcode. */
FORM_INLINE uint8_t *form_low(uint8_t *p, struct form_fixed f, unsigned low, bool need) {
  f.opcode = (uint8_t)(f.opcode + (low & 7));
  return form_head(p, f, 0, 0, low >> 3, 0, need);
}

FORM_INLINE uint8_t *form_reg(uint8_t *p, struct form_fixed f, unsigned reg, unsigned vvvv, unsigned rm,
                              bool need) {
  p = form_head(p, f, reg >> 3, 0, rm >> 3, vvvv, need);
  *p++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
  return p;
}

/* [base + index << scale + disp]; a base there always is. */
FORM_INLINE uint8_t *form_mem(uint8_t *p, struct form_fixed f, unsigned reg, unsigned vvvv, bool need,
                              unsigned base, unsigned index, unsigned scale, int32_t disp) {
  bool has = index != FORM_NO_REG, sib = has || (base & 7) == 4;
  unsigned mod = !disp && (base & 7) != 5 ? 0 : disp == (int8_t)disp ? 1 : 2;
  p = form_head(p, f, reg >> 3, has ? index >> 3 : 0, base >> 3, vvvv, need);
  *p++ = (uint8_t)(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7));
  if (sib) *p++ = (uint8_t)(scale << 6 | (has ? index & 7 : 4) << 3 | (base & 7));
  return form_imm(p, (uint64_t)disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* A place of the code itself: the distance from the instruction's end is its last 4 bytes, patched later. */
FORM_INLINE uint8_t *form_pool(uint8_t *p, struct form_fixed f, unsigned reg, unsigned vvvv) {
  p = form_head(p, f, reg >> 3, 0, 0, vvvv, false);
  *p++ = (uint8_t)((reg & 7) << 3 | 5);
  return form_imm(p, 0, 4);
}

#endif
