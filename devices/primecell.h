/* Identification registers that every PrimeCell has at +0xfe0: PeriphID0..3, PCellID0..3. */
#ifndef ISOMER_DEVICES_PRIMECELL_H
#define ISOMER_DEVICES_PRIMECELL_H

#include <stdint.h>

/* `part` is the part number with the revision in bits 23:20, as AMBA drivers compare it: 0x00041011, ... Zero outside. */
static inline uint32_t primecell_id(uint64_t off, uint32_t part) {
  static const uint8_t cell[] = {0x0d, 0xf0, 0x05, 0xb1};
  if (off >= 0xff0 && off < 0x1000) return cell[(off - 0xff0) / 4];
  if (off >= 0xfe0 && off < 0xff0) return part >> 8 * ((off - 0xfe0) / 4) & 0xff;
  return 0;
}

#endif
