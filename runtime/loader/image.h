/* Linux `Image` kernels of riscv64 and arm64: recognition, load offset, and whether the file is all there.
 * (Linux: Documentation/arch/riscv/boot-image-header, Documentation/arch/arm64/booting.) */
#ifndef ISOMER_LOADER_IMAGE_H
#define ISOMER_LOADER_IMAGE_H

#include "core/types.h"

struct image {
  const char *isa;      /* name of the ISA that the header's magic says; static */
  uint64_t text_offset; /* bytes from a 2 MiB-aligned base */
  uint64_t
      mem_size; /* bytes of memory it takes from text_offset on, file and BSS; at least the file's size */
};

/* True when the header's magic is one of ours (the rest may still be bad). */
bool image_is(const uint8_t *bytes, size_t n);

/* 0, or -EINVAL with the reason in `why`: no such magic, truncated (judged by the PE section table if there is one),
 * big-endian, an absurd size. */
int image_parse(const uint8_t *bytes, size_t n, struct image *out, char *why, size_t nwhy);

#endif
