/* Boards: a Lua table (scripts/boards, or the operator's own) becomes memory, vCPUs, devices, wires and a device tree; then
 * firmware, kernel and initrd are put in place and the vCPUs start. Nothing here knows an ISA: what starting one takes is in
 * its boot_ops. */
#ifndef ISOMER_DEVICES_BOARD_H
#define ISOMER_DEVICES_BOARD_H

#include "core/machine.h"

struct chardev;
struct device;
struct prop;

/* What the operator asked for. Strings are only used during board_create; NULL or 0 picks the default named here. */
struct board_config {
  uint64_t features;   /* of every vCPU; the ISA's default_features */
  unsigned cpus;       /* 1 */
  uint64_t ram_bytes;  /* page multiple; 128 MiB */
  const char *board;   /* Lua file; the embedded board of the machine's ISA */
  const char *kernel;  /* Linux Image or ELF: bare programs and kernels; nothing */
  const char *initrd;  /* nothing */
  const char *bios;    /* firmware, raw or ELF; the built-in one */
  const char *dtb;     /* device tree blob handed to the guest; one made from the board */
  const char *append;  /* kernel command line; empty */
  const char *serial;  /* chardev of the first serial port (see chardev.h); stdio */
  const char *devices; /* Lua: a list of further devices, as in a board's table; none */
  const char *console; /* chardev of the VirtIO console; null */
};

/* Builds the board into a fresh machine: RAM, vCPUs (no engine yet), devices, device tree. All files are read and
 * judged here, so that board_boot cannot fail on them. -errno with one line logged. On failure board_free is due. */
int board_create(struct machine *m, const struct board_config *config);

/* Resets devices and vCPUs, places images and device tree, and sets the vCPUs' start state; clears m->end. Works again
 * after the machine ended (reboot). Not while it runs. */
int board_boot(struct machine *m);

/* Detaches and frees all devices. Before machine_free; fine on a machine without a board. */
void board_free(struct machine *m);

/* Writes the device tree blob to a file, "-" for stdout. After board_create; -errno with one line logged. */
int board_dump_dtb(struct machine *m, const char *path);

/* True when a board for that ISA is embedded in this binary. */
bool board_exists(const struct isa *isa);

/* In-memory snapshots of a deterministic machine between two runs: RAM (copy on write), vCPUs, devices, firmware, timers,
 * virtual time, entropy. NULL, or -ENOMEM from restoring, when memory is short. board_free does not free them. */
struct board_snap;
struct board_snap *board_snapshot(struct machine *m);
int board_restore(struct machine *m, struct board_snap *s);
void board_snap_free(struct machine *m, struct board_snap *s);
/* A number made of everything a snapshot holds. */
uint64_t board_hash(struct machine *m);

/* The back end of the first serial port, or of the VirtIO console. */
struct chardev *board_chardev(struct machine *m, bool console);

/* By id, or by position; NULL when there is none. */
struct device *board_device(struct machine *m, const char *id);
struct device *board_device_at(struct machine *m, unsigned index);

/* The first serial port's back end, for firmware consoles. Reading takes a byte that the port has received and the guest's
 * driver has not taken yet; false when there is none. Any thread. */
void board_console_write(struct machine *m, const uint8_t *bytes, size_t n);
bool board_console_read(struct machine *m, uint8_t *byte);

/* ---- What starting an ISA takes: implemented in runtime/firmware ---- */

enum boot_kind {
  BOOT_BUILTIN,  /* built-in firmware starts `entry` */
  BOOT_FIRMWARE, /* `entry` is firmware, which starts `next` (0: nothing) */
  BOOT_BARE,     /* a bare program at `entry` owns the machine */
};

struct boot_info {
  enum boot_kind kind;
  gpa_t entry, next;
  gpa_t dtb;       /* device tree blob */
  gpa_t area;      /* BOOT_AREA bytes of RAM for what firmware wants to be handed */
  uint64_t cmp_hz; /* rate of the board's time counter */
};
#define BOOT_AREA 4096

struct boot_ops {
  const char *isa;
  /* vCPUs are freshly reset. Sets their start state: the first runs, the others wait as the ISA's firmware says. *state
   * is NULL at the first boot and then whatever start made of it; `free` (may be NULL) takes it back. */
  int (*start)(struct machine *m, const struct boot_info *b, void **state);
  void (*free)(void *state);
  /* Shows what `state` keeps between instructions (snapshots); may be NULL. */
  void (*visit)(void *state, void (*fn)(void *arg, void *at, size_t n), void *arg);
};
extern const struct boot_ops *const boot_list[]; /* NULL-terminated */

#endif
