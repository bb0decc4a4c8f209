/* Hostile device trees as --dtb takes them: refused, or taken whole with what the boot adds. The first input byte chooses
 * what that is; the rest is the blob. */
#include <libfdt.h>

#include "devices/board_int.h"
#include "fuzz/fuzz.h"

static void check(const uint8_t *fdt, uint32_t size, const struct dtb_boot *boot) {
  MUST(!fdt_check_full(fdt, size));
  int at = fdt_path_offset(fdt, "/chosen"), n;
  MUST(at >= 0);
  const char *args = fdt_getprop(fdt, at, "bootargs", &n);
  if (boot->append)
    MUST(args && n == (int)strlen(boot->append) + 1 && !memcmp(args, boot->append, (size_t)n));
  const fdt64_t *start = fdt_getprop(fdt, at, "linux,initrd-start", &n);
  if (boot->initrd_end > boot->initrd) MUST(start && n == 8 && fdt64_ld(start) == boot->initrd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  uint8_t *out, *again;
  uint32_t size, size2;
  char why[100];
  if (!n) return 0;
  struct dtb_boot boot = {.append = data[0] & 1 ? "console=ttyS0 quiet" : NULL,
                          .initrd = data[0] & 2 ? 0x87654000 : 0,
                          .initrd_end = data[0] & 2 ? 0x88000000 : 0};
  fuzz_quiet();
  if (board_dtb(data + 1, n - 1, &boot, &out, &size, why, sizeof why)) {
    MUST(!out && why[0]);
    return 0;
  }
  check(out, size, &boot);
  /* What was told once is told again without effect. */
  if (size <= BOARD_DTB_MAX) {
    MUST(!board_dtb(out, size, &boot, &again, &size2, why, sizeof why));
    MUST(size == size2 && !memcmp(out, again, size));
    free(again);
  }
  free(out);
  return 0;
}
