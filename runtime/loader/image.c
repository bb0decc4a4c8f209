/* Linux `Image` headers. Placing the kernel in memory is the board's business. */
#include "loader/image.h"

#include <errno.h>
#include <string.h>

#include "core/log.h"

#define HEADER          64
#define ABSURD          (UINT64_C(1) << 40)
#define PE_SECT         40
#define BIG_ENDIAN_FLAG 1

static const struct arch {
  const char *isa;
  uint8_t magic[4]; /* at byte 56 */
  uint16_t pe_machine;
  uint64_t old_offset; /* text_offset of kernels whose header has image_size 0 */
} archs[] = {
    {"riscv64", {'R', 'S', 'C', 5}, 0x5064, 0x200000},
    {"arm64", {'A', 'R', 'M', 0x64}, 0xaa64, 0x80000},
};

static uint64_t get(const uint8_t *p, unsigned bytes) {
  uint64_t v = 0;
  for (unsigned i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
  return v;
}

static const struct arch *arch_of(const uint8_t *bytes, size_t n) {
  for (size_t i = 0; n >= HEADER && i < ARRAY_SIZE(archs); i++)
    if (!memcmp(bytes + 56, archs[i].magic, 4)) return &archs[i];
  return NULL;
}

bool image_is(const uint8_t *bytes, size_t n) { return arch_of(bytes, n) != NULL; }

/* The file is complete when it holds what the section table of its PE half says; image_size includes the BSS. */
static int check_pe(const uint8_t *bytes, size_t n, const struct arch *a, char *why, size_t nwhy) {
  uint64_t pe = get(bytes + 60, 4);
  if (bytes[0] != 'M' || bytes[1] != 'Z') return 0; /* built without an EFI stub: nothing to judge by */
  if (pe + 24 > n)
    return err_set(why, nwhy, -EINVAL, "truncated: the PE header at byte %llu is missing",
                   (unsigned long long)pe);
  if (memcmp(bytes + pe, "PE\0\0", 4))
    return err_set(why, nwhy, -EINVAL, "damaged: no PE header at byte %llu", (unsigned long long)pe);
  if (get(bytes + pe + 4, 2) != a->pe_machine)
    return err_set(why, nwhy, -EINVAL, "damaged: an %s Image whose PE header says machine 0x%x", a->isa,
                   (unsigned)get(bytes + pe + 4, 2));
  unsigned nsect = (unsigned)get(bytes + pe + 6, 2);
  uint64_t table = pe + 24 + get(bytes + pe + 20, 2), need = table + (uint64_t)nsect * PE_SECT;
  if (need <= n)
    for (unsigned i = 0; i < nsect; i++) {
      const uint8_t *s = bytes + table + (uint64_t)i * PE_SECT;
      uint64_t end = get(s + 16, 4) ? get(s + 20, 4) + get(s + 16, 4) : 0;
      if (end > need) need = end;
    }
  if (need > n)
    return err_set(why, nwhy, -EINVAL,
                   "truncated: the kernel has %llu bytes, the file only %zu; fetch it again",
                   (unsigned long long)need, n);
  return 0;
}

int image_parse(const uint8_t *bytes, size_t n, struct image *out, char *why, size_t nwhy) {
  const struct arch *a = arch_of(bytes, n);
  if (!a) return err_set(why, nwhy, -EINVAL, "not a Linux Image (no magic number at byte 56)");
  uint64_t size = get(bytes + 16, 8), flags = get(bytes + 24, 8);
  *out = (struct image){.isa = a->isa, .text_offset = get(bytes + 8, 8), .mem_size = size};
  if (!size) out->text_offset = a->old_offset;
  if (flags & BIG_ENDIAN_FLAG)
    return err_set(why, nwhy, -EINVAL, "a big-endian kernel; only little-endian ones run");
  if (size > ABSURD || out->text_offset > ABSURD)
    return err_set(why, nwhy, -EINVAL, "damaged: the header says %llu bytes at offset 0x%llx",
                   (unsigned long long)size, (unsigned long long)out->text_offset);
  int rc = check_pe(bytes, n, a, why, nwhy);
  if (out->mem_size < n) out->mem_size = n;
  return rc;
}
