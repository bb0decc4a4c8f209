/* Reads firmware, kernel and initrd, judges them, and decides where everything goes:
 *   RAM base: firmware; above it, at its text offset from a 2 MiB boundary, the kernel; RAM end: the device tree with the
 *   boot area, and below them the initrd. Programs in ELF lie where they are linked. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "devices/board_int.h"
#include "loader/load.h"

#define ALIGN_DOWN(x, a) ((x) & ~((uint64_t)(a)-1))
#define ALIGN_UP(x, a)   ALIGN_DOWN((x) + (a)-1, a)
#define KERNEL_ALIGN     (2ull << 20)
#define FIRMWARE_SLACK   (1ull << 20) /* for what raw firmware has behind its file: variables, stacks */
#define MIB(n)           (((n) + (1 << 20) - 1) >> 20)

static int oom(void) {
  log_error("board: out of memory for the files to boot from");
  return -ENOMEM;
}

static int add_part(struct board_state *b, gpa_t at, const struct load_file *f, uint64_t offset,
                    uint64_t size, uint64_t zero) {
  struct image_part *grown = realloc(b->images, (b->nimages + 1) * sizeof *grown);
  if (!grown) return oom();
  b->images = grown;
  struct image_part *p = &b->images[b->nimages];
  *p = (struct image_part){at, fcntl(f->fd, F_DUPFD_CLOEXEC, 3), offset, size, zero};
  if (p->fd < 0) {
    log_error("board: no file descriptor left for the files to boot from");
    return -errno;
  }
  b->nimages++;
  return 0;
}

static gpa_t ram_end(const struct board_state *b) { return b->ram_base + b->ram_size; }

static bool in_ram(const struct board_state *b, gpa_t at, uint64_t size) {
  const struct prop *list = prop_get(&b->table, "memory");
  for (size_t i = 0; i < list->nlist; i++) {
    uint64_t base = prop_get(&list->kid[i], "base")->num, n = prop_get(&list->kid[i], "size")->num;
    if (at >= base && at - base <= n && size <= n - (at - base)) return true;
  }
  return false;
}

/* Where a virtual address of the program lies physically; false when no segment covers it. */
static bool to_phys(const struct elf *e, gva_t va, gpa_t *pa) {
  for (unsigned i = 0; i < e->nsegs; i++) {
    if (va - e->seg[i].vaddr >= e->seg[i].memsz) continue;
    *pa = e->seg[i].paddr + (va - e->seg[i].vaddr);
    return true;
  }
  return false;
}

/* Segments become parts; *entry is physical, *end behind the last byte in the first memory region. */
static int add_elf(struct board_state *b, const char *path, const struct load_file *f, const struct elf *e,
                   gpa_t *entry, gpa_t *end) {
  *end = 0;
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *s = &e->seg[i];
    if (!in_ram(b, s->paddr, s->memsz)) {
      log_error("%s: a segment at 0x%" PRIx64 " of %" PRIu64 " bytes lies outside RAM (0x%" PRIx64
                " to 0x%" PRIx64 "): give more memory (-m) or link it elsewhere",
                path, s->paddr, s->memsz, b->ram_base, ram_end(b));
      return -EINVAL;
    }
    if (s->paddr + s->memsz > *end && s->paddr + s->memsz <= ram_end(b)) *end = s->paddr + s->memsz;
    int rc = add_part(b, s->paddr, f, s->offset, s->filesz, s->memsz - s->filesz);
    if (rc) return rc;
  }
  if (!to_phys(e, e->entry, entry)) {
    log_error("%s: its entry point 0x%" PRIx64 " is in no segment", path, e->entry);
    return -EINVAL;
  }
  return 0;
}

/* A program with a `tohost` symbol ends through it. */
static int find_htif(struct board_state *b, const char *path, const struct elf *e) {
  struct symtab t;
  char why[256];
  gpa_t tohost, fromhost = 0;
  int rc = symtab_load(e, 0, &t, why, sizeof why);
  if (rc) {
    log_error("%s: %s", path, why);
    return rc;
  }
  const struct sym *to = sym_named(&t, "tohost"), *from = sym_named(&t, "fromhost");
  if (to) {
    if (!to_phys(e, to->addr, &tohost) || (from && !to_phys(e, from->addr, &fromhost))) {
      log_error("%s: its symbol `tohost` or `fromhost` is in no segment", path);
      rc = -EINVAL;
    } else {
      b->htif = htif_new(b->machine, tohost, fromhost, b->serial);
      rc = b->htif ? 0 : -EINVAL;
    }
  }
  symtab_free(&t);
  return rc;
}

/* All that goes into RAM from its base on, the initrd's `initrd` bytes and the slot at the top must fit. */
static int check_fit(const struct board_state *b, gpa_t end, uint64_t initrd) {
  uint64_t need = ALIGN_UP(end - b->ram_base + ALIGN_UP(initrd, GUEST_PAGE_SIZE) + 2 * BOARD_SLOT, 1 << 20);
  if (need <= b->ram_size) return 0;
  log_error("too little memory: kernel and firmware take %" PRIu64 " MiB and the initrd %" PRIu64
            " MiB, but the machine has %" PRIu64 " MiB: give at least -m %" PRIu64
            "M, and what the guest needs to run",
            MIB(end - b->ram_base), MIB(initrd), b->ram_size >> 20, need >> 20);
  return -EINVAL;
}

static int load_bios(struct board_state *b, const char *path, gpa_t *end) {
  struct load_file f;
  struct load_info info;
  int rc = load_open(path, b->machine->isa, true, &f, &info);
  if (rc) return rc;
  b->boot.kind = BOOT_FIRMWARE;
  if (info.kind == LOAD_IMAGE) {
    log_error("%s: a Linux kernel, not firmware: give it with --kernel", path);
    rc = -EINVAL;
  } else if (info.kind == LOAD_ELF) {
    rc = add_elf(b, path, &f, &info.elf, &b->boot.entry, end);
  } else if (!f.size) {
    log_error("%s: empty file", path);
    rc = -EINVAL;
  } else {
    b->boot.entry = b->ram_base;
    *end = b->ram_base + f.size + FIRMWARE_SLACK;
    rc = add_part(b, b->ram_base, &f, 0, f.size, 0);
  }
  load_file_free(&f);
  return rc;
}

/* *end: behind what firmware and kernel take. */
static int load_kernel(struct board_state *b, const char *path, bool bios, gpa_t *end) {
  struct load_file f;
  struct load_info info;
  int rc = load_open(path, b->machine->isa, false, &f, &info);
  if (rc) return rc;
  gpa_t entry = 0;
  if (info.kind == LOAD_ELF) {
    gpa_t last;
    rc = add_elf(b, path, &f, &info.elf, &entry, &last);
    if (!rc && !bios) rc = find_htif(b, path, &info.elf);
    if (!bios) b->boot.kind = BOOT_BARE;
    if (last > *end) *end = last;
  } else {
    entry = ALIGN_UP(b->ram_base, KERNEL_ALIGN) + info.image.text_offset;
    while (entry < *end) entry += KERNEL_ALIGN;
    *end = entry + info.image.mem_size;
    rc = add_part(b, entry, &f, 0, f.size, info.image.mem_size - f.size);
    if (!bios) b->boot.kind = BOOT_BUILTIN;
  }
  if (bios) b->boot.next = entry;
  else b->boot.entry = entry;
  load_file_free(&f);
  return rc;
}

static int read_initrd(const char *path, struct load_file *f) {
  char why[512];
  int rc = load_file(path, f, why, sizeof why);
  if (rc) {
    log_error("%s", why);
  } else if (!f->size) {
    log_error("%s: empty file", path);
    rc = -EINVAL;
  }
  return rc;
}

int board_load(struct board_state *b, const struct board_config *c) {
  struct load_file initrd = {0};
  gpa_t end = b->ram_base, slot = ALIGN_DOWN(ram_end(b), BOARD_SLOT) - BOARD_SLOT;
  int rc = -EINVAL;
  if (c->initrd && !c->kernel) {
    log_error("%s: an initrd needs a kernel", c->initrd);
    return rc;
  }
  if (b->ram_size < 1 << 20) {
    log_error("too little memory: a machine has at least 1 MiB");
    return rc;
  }
  if (c->initrd && (rc = read_initrd(c->initrd, &initrd))) goto done;
  if (c->bios && (rc = load_bios(b, c->bios, &end))) goto done;
  if (c->kernel && (rc = load_kernel(b, c->kernel, c->bios, &end))) goto done;
  rc = -EINVAL;
  if (c->initrd && b->boot.kind == BOOT_BARE) {
    log_error("%s: %s is a bare program, which takes no initrd", c->initrd, c->kernel);
    goto done;
  }
  if ((rc = check_fit(b, end, initrd.size))) goto done;
  if (c->initrd) {
    b->initrd = ALIGN_DOWN(slot - initrd.size, GUEST_PAGE_SIZE);
    b->initrd_end = b->initrd + initrd.size;
    rc = add_part(b, b->initrd, &initrd, 0, initrd.size, 0);
  }
  b->boot.dtb = slot;
  b->boot.area = slot + BOARD_DTB_MAX;
done:
  load_file_free(&initrd);
  return rc;
}
