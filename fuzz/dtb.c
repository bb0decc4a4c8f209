/* Hostile device trees as --dtb takes them: refused, or taken whole with what the boot adds. The first input byte chooses
 * what that is, and whether the rest is a blob, or says from which nodes and properties a well-formed one is made. */
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

/* A tree of any shape that is no damaged one: what a random blob hardly ever becomes. Its size, or 0. */
static size_t make(struct input *in, uint8_t *buf, int room) {
  static const char *const names[] = {"",
                                      "cpus",
                                      "chosen",
                                      "cpu@0",
                                      "memory@80000000",
                                      "x",
                                      "chosen@",
                                      "bootargs",
                                      "linux,initrd-start",
                                      "linux,initrd-end",
                                      "phandle"};
  int depth = 1, err = fdt_create(buf, room);
  for (unsigned k = (unsigned)take(in, 1) & 3; k && !err; k--) {
    uint64_t address = take(in, 8);
    err = fdt_add_reservemap_entry(buf, address, take(in, 8));
  }
  if (!err) err = fdt_finish_reservemap(buf);
  if (!err) err = fdt_begin_node(buf, "");
  while (in->left && depth && !err) {
    unsigned what = (unsigned)take(in, 1);
    const char *name = names[(what >> 2) % (sizeof names / sizeof *names)];
    size_t n;
    const uint8_t *value;
    switch (what & 3) {
    case 0:
      err = fdt_begin_node(buf, name);
      depth++;
      break;
    case 1:
      err = fdt_end_node(buf);
      depth--;
      break;
    default: value = take_bytes(in, take(in, 1) & 31, &n); err = fdt_property(buf, name, value, (int)n);
    }
  }
  for (; depth && !err; depth--) err = fdt_end_node(buf);
  if (!err) err = fdt_finish(buf);
  return err ? 0 : fdt_totalsize(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  uint8_t *out, *again, made[16384] __attribute__((aligned(8)));
  uint32_t size, size2;
  char why[100];
  if (!n) return 0;
  struct dtb_boot boot = {.append = data[0] & 1 ? "console=ttyS0 quiet" : NULL,
                          .initrd = data[0] & 2 ? 0x87654000 : 0,
                          .initrd_end = data[0] & 2 ? 0x88000000 : 0};
  struct input in = {data + 1, n - 1};
  if (data[0] & 4) in = (struct input){made, make(&in, made, sizeof made)};
  fuzz_quiet();
  if (board_dtb(in.at, in.left, &boot, &out, &size, why, sizeof why)) {
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
