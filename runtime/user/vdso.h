/* Images of the vDSO, one per ISA, made at build time by scripts/vdso.py from runtime/arch/<isa>/vdso.txt. */
#ifndef ISOMER_USER_VDSO_H
#define ISOMER_USER_VDSO_H

#include "core/types.h"

struct vdso {
  uint16_t machine; /* EM_* */
  const uint8_t
      *bytes; /* a shared object that works at any page; one read-only and executable segment from byte 0 */
  uint32_t size;
  uint32_t
      sigreturn; /* offset of the code that returns from a signal handler; 0: the ISA's programs bring their own */
};

extern const struct vdso vdso_list[]; /* the last has bytes NULL */

#endif
