/* Between the board_*.c files: the board's state and its steps. */
#ifndef ISOMER_DEVICES_BOARD_INT_H
#define ISOMER_DEVICES_BOARD_INT_H

#include "devices/board.h"
#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/htif.h"
#include "devices/props.h"

/* The top of RAM: BOARD_SLOT bytes, aligned, hold the device tree and the boot area behind it. */
#define BOARD_SLOT    (64u << 10)
#define BOARD_DTB_MAX (BOARD_SLOT - BOOT_AREA)

/* Bytes of a file to be put at a physical address at every boot; read again each time rather than kept. */
struct image_part {
  gpa_t at;
  int fd; /* owned */
  uint64_t offset, size;
  uint64_t zero; /* bytes cleared behind them */
};

struct board_state {
  struct machine *machine;
  const char *name;  /* for messages: file name or name of the embedded board; owned */
  struct prop table; /* the evaluated board table */
  uint64_t ram_bytes;
  gpa_t ram_base; /* of the first memory region, where images go */
  uint64_t ram_size;
  char *append;
  struct dma_space *dma;
  struct chardev *serial, *console;
  struct device **devices; /* in creation order */
  const struct prop **device_props;
  unsigned ndevices;
  struct htif *htif; /* bare ELF with `tohost`, else NULL */
  struct image_part *images;
  unsigned nimages;
  gpa_t initrd, initrd_end; /* equal: none */
  uint8_t *dtb;             /* owned */
  uint32_t dtb_size;
  struct boot_info boot;
  void *firmware; /* boot_ops.start's state */
};

/* Evaluates a board script. Global functions for it: device{}, ref"label", u64(n). It gets one argument, a table: ram,
 * cpus, features (a set: name -> true), kernel, initrd and bios (true if given). Errors name file and line. */
struct board_request {
  uint64_t ram_bytes;
  unsigned cpus;
  const struct isa *isa;
  uint64_t features;
  bool kernel, initrd, bios;
};
const struct boot_ops *board_boot_ops(const struct isa *isa); /* NULL: this version cannot start it */

/* The id of a wire's controller: "irqchip" stands for the one that the board's table names so. */
const char *board_irqchip(const struct board_state *b, const char *name);

int board_eval(const char *name, const char *text, size_t len, const struct board_request *rq,
               struct prop *out);

/* Makes the device tree from table, devices, command line and initrd; *out is malloced. -errno, logged. */
int board_fdt(const struct board_state *b, uint8_t **out, uint32_t *size);

/* What a boot tells the guest in /chosen of a device tree that was given: command line (NULL: leave what is there) and
 * initrd (equal: leave what is there). */
struct dtb_boot {
  const char *append;
  gpa_t initrd, initrd_end;
};

/* Judges a device tree blob (any n bytes) and writes `boot` into a copy; *out is malloced. -EINVAL or -ENOMEM with the
 * reason in `why` and *out NULL. */
int board_dtb(const uint8_t *bytes, size_t n, const struct dtb_boot *boot, uint8_t **out, uint32_t *size,
              char *why, size_t nwhy);
/* The same with a file and the board's boot; -errno, logged. */
int board_dtb_file(const struct board_state *b, const char *path, uint8_t **out, uint32_t *size);

/* Reads and places kernel, initrd and firmware; fills images, boot, initrd, htif. RAM is not there yet. */
int board_load(struct board_state *b, const struct board_config *config);

#endif
