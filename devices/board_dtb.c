/* A device tree given by the operator (--dtb) instead of the one made from the board: judged as hostile input, then told
 * what this boot knows: command line and initrd. What it says of memory and devices is the operator's business. */
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "devices/board_int.h"
#include "loader/load.h"

#define ROOM     1024 /* bytes for what is added beside the command line */
#define BAD(...) err_set(why, nwhy, -EINVAL, __VA_ARGS__)

static uint32_t big_endian(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Header and structure; libfdt's functions are safe on what passes. `fdt`: the n bytes, aligned for libfdt. */
static int judge(const uint8_t *fdt, size_t n, char *why, size_t nwhy) {
  if (n < sizeof(struct fdt_header))
    return BAD("truncated: the header of a device tree blob has %zu bytes, the file %zu",
               sizeof(struct fdt_header), n);
  if (big_endian(fdt) != FDT_MAGIC) return BAD("not a device tree blob (compile a source with dtc)");
  uint32_t size = big_endian(fdt + 4), version = big_endian(fdt + 20);
  if (size > n) return BAD("truncated: its header says %u bytes, the file has %zu", size, n);
  if (version < 17) return BAD("of version %u; write version 17 (dtc -V 17)", version);
  int err = fdt_check_full(fdt, size);
  if (err) return BAD("damaged: %s", fdt_strerror(err));
  if (fdt_path_offset(fdt, "/cpus") < 0) return BAD("it has no /cpus node");
  return 0;
}

static int tell_chosen(void *fdt, const struct dtb_boot *boot) {
  int at = fdt_path_offset(fdt, "/chosen"), err = 0;
  if (at == -FDT_ERR_NOTFOUND) at = fdt_add_subnode(fdt, 0, "chosen");
  if (at < 0) return at;
  if (boot->append) err = fdt_setprop_string(fdt, at, "bootargs", boot->append);
  if (!err && boot->initrd_end > boot->initrd) {
    err = fdt_setprop_u64(fdt, at, "linux,initrd-start", boot->initrd);
    if (!err) err = fdt_setprop_u64(fdt, at, "linux,initrd-end", boot->initrd_end);
  }
  return err;
}

int board_dtb(const uint8_t *bytes, size_t n, const struct dtb_boot *boot, uint8_t **out, uint32_t *size,
              char *why, size_t nwhy) {
  *out = NULL;
  if (n > BOARD_DTB_MAX) return BAD("%zu bytes; a device tree has at most %u here", n, BOARD_DTB_MAX);
  size_t room = n + ROOM + (boot->append ? strlen(boot->append) + 1 : 0);
  uint8_t *in = malloc(n ? n : 1), *fdt = malloc(room);
  int rc = -ENOMEM;
  if (!in || !fdt) {
    err_set(why, nwhy, rc, "out of memory");
    goto done;
  }
  memcpy(in, bytes, n);
  rc = judge(in, n, why, nwhy);
  if (rc) goto done;
  int err = fdt_open_into(in, fdt, (int)room);
  if (!err) err = tell_chosen(fdt, boot);
  if (!err) err = fdt_pack(fdt);
  if (err) {
    rc = BAD("damaged: /chosen cannot be written: %s", fdt_strerror(err));
    goto done;
  }
  *size = fdt_totalsize(fdt);
  *out = fdt;
  fdt = NULL;
done:
  free(in);
  free(fdt);
  return rc;
}

int board_dtb_file(const struct board_state *b, const char *path, uint8_t **out, uint32_t *size) {
  const struct dtb_boot boot = {b->append, b->initrd, b->initrd_end};
  struct load_file f;
  char why[300];
  int rc = load_file(path, &f, why, sizeof why);
  if (rc) {
    log_error("%s", why);
    return rc;
  }
  rc = board_dtb(f.bytes, f.size, &boot, out, size, why, sizeof why);
  if (rc) log_error("%s: %s", path, why);
  load_file_free(&f);
  return rc;
}
