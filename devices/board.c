/* Builds a machine from a board table: memory, vCPUs, devices, wires; boots it and takes it apart. Reading images is
 * board_load.c's, the device tree board_fdt.c's. */
#include "devices/board.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boards.h"
#include "core/isa.h"
#include "core/log.h"
#include "debug/trace.h"
#include "devices/board_int.h"
#include "loader/load.h"

#define RAM_DEFAULT (128ull << 20)
#define MAX_DEVICES 256

/* The embedded board of an ISA is the script called <isa>-virt. */
static const struct board_script *embedded(const struct isa *isa) {
  char name[64];
  snprintf(name, sizeof name, "%s-virt", isa->name);
  for (const struct board_script *s = board_scripts; s->name; s++)
    if (!strcmp(s->name, name)) return s;
  return NULL;
}

bool board_exists(const struct isa *isa) { return embedded(isa) != NULL; }

const struct boot_ops *board_boot_ops(const struct isa *isa) {
  for (unsigned i = 0; boot_list[i]; i++)
    if (!strcmp(boot_list[i]->isa, isa->name)) return boot_list[i];
  return NULL;
}

static int oom(void) {
  log_error("board: out of memory");
  return -ENOMEM;
}

static int refuse(const struct board_state *b, const struct prop *p, const char *what) {
  if (p && p->line) log_error("%s:%u: %s", b->name, p->line, what);
  else log_error("%s: %s", b->name, what);
  return -EINVAL;
}

/* ---- The table ---- */

static int eval(struct board_state *b, const struct board_config *c) {
  struct machine *m = b->machine;
  struct board_request rq = {.ram_bytes = b->ram_bytes,
                             .cpus = c->cpus ? c->cpus : 1,
                             .isa = m->isa,
                             .features = c->features ? c->features : m->isa->default_features,
                             .kernel = c->kernel,
                             .initrd = c->initrd,
                             .bios = c->bios};
  const struct board_script *s = embedded(m->isa);
  if (c->board) {
    struct load_file f;
    char why[512];
    int rc = load_file(c->board, &f, why, sizeof why);
    if (rc) {
      log_error("%s", why);
      return rc;
    }
    rc = board_eval(b->name, (char *)f.bytes, f.size, &rq, &b->table);
    load_file_free(&f);
    return rc;
  }
  if (!s) {
    log_error("%s: no board for this ISA in this version: describe one in Lua and give it with --board",
              m->isa->name);
    return -ENODEV;
  }
  return board_eval(b->name, s->text, s->size, &rq, &b->table);
}

/* Devices of a script's own behind those of the board. */
static int append_devices(struct board_state *b, const char *text) {
  struct prop more, *list = NULL;
  const struct board_request rq = {.isa = b->machine->isa};
  int rc = board_eval("script", text, strlen(text), &rq, &more);
  if (rc) return rc;
  for (size_t i = 0; i < b->table.nkids; i++)
    if (b->table.kid[i].key && !strcmp(b->table.kid[i].key, "devices")) list = &b->table.kid[i];
  if (!list || list->type != PROP_TABLE || list->nkids != list->nlist || more.nkids != more.nlist) {
    props_clear(&more);
    return refuse(b, list, "the board has no `devices` list that a script could add to");
  }
  struct prop *all = realloc(list->kid, (list->nkids + more.nkids + 1) * sizeof *all);
  if (!all) {
    props_clear(&more);
    return oom();
  }
  memcpy(all + list->nkids, more.kid, more.nkids * sizeof *all);
  list->kid = all;
  list->nlist = list->nkids += more.nkids;
  free(more.kid);
  return 0;
}

static int check_table(struct board_state *b) {
  const struct prop *list = prop_get(&b->table, "memory");
  const char *isa;
  if (prop_str(&b->table, "isa", NULL, &isa)) return -EINVAL;
  if (!isa || strcmp(isa, b->machine->isa->name)) {
    log_error("%s: this board is for %s, the machine is %s", b->name,
              isa ? isa : "no ISA (its table has no `isa`)", b->machine->isa->name);
    return -EINVAL;
  }
  if (!list || !list->nlist) return refuse(b, list, "the board has no `memory` list");
  for (size_t i = 0; i < list->nlist; i++) {
    uint64_t base, size;
    if (prop_int(&list->kid[i], "base", UINT64_MAX, 0, UINT64_MAX, &base) ||
        prop_int(&list->kid[i], "size", 0, GUEST_PAGE_SIZE, 1ull << 52, &size))
      return refuse(b, list, "bad memory region");
    if ((base | size) & ~GUEST_PAGE_MASK || !size || base + size < base)
      return refuse(b, list, "memory regions need `base` and `size`, multiples of 4096");
    if (!i) {
      b->ram_base = base;
      b->ram_size = size;
    }
  }
  return prop_int(&b->table, "clock_hz", 10000000, 1, 1000000000, &b->boot.cmp_hz);
}

/* ---- Memory ---- */

/* One region, without the pages that HTIF takes. */
static int add_ram(struct board_state *b, gpa_t base, uint64_t size, const char *name) {
  gpa_t end = base + size;
  while (base < end) {
    gpa_t hole = htif_page(b->htif, base);
    gpa_t stop = hole < end ? hole : end;
    int rc = stop > base ? phys_add_ram(b->machine->phys, base, stop - base, name) : 0;
    if (rc) return rc;
    base = hole < end ? hole + GUEST_PAGE_SIZE : end;
  }
  return 0;
}

static int add_memory(struct board_state *b) {
  const struct prop *list = prop_get(&b->table, "memory");
  int rc = 0;
  for (size_t i = 0; !rc && i < list->nlist; i++) {
    const char *name;
    uint64_t base, size;
    if (prop_str(&list->kid[i], "name", "ram", &name)) return -EINVAL;
    prop_int(&list->kid[i], "base", 0, 0, UINT64_MAX, &base);
    prop_int(&list->kid[i], "size", 0, 0, UINT64_MAX, &size);
    rc = add_ram(b, base, size, name);
  }
  return !rc && b->htif ? htif_map(b->htif) : rc;
}

/* ---- Devices ---- */

struct device *board_device(struct machine *m, const char *id) {
  struct board_state *b = m->board;
  for (unsigned i = 0; b && i < b->ndevices; i++)
    if (!strcmp(b->devices[i]->id, id)) return b->devices[i];
  return NULL;
}

struct device *board_device_at(struct machine *m, unsigned index) {
  struct board_state *b = m->board;
  return b && index < b->ndevices ? b->devices[index] : NULL;
}

static void to_vcpu(void *opaque, unsigned line, bool level) { vcpu_irq(opaque, line, level); }

const char *board_irqchip(const struct board_state *b, const char *name) {
  const char *chip = NULL;
  if (strcmp(name, "irqchip") || prop_str(&b->table, "irqchip", NULL, &chip)) return name;
  return chip ? chip : name;
}

/* {"cpu", index, line} or {"controller id", line}; "irqchip" is the controller that the board calls so. */
static int wire(struct board_state *b, const struct prop *p, struct irq *out) {
  const struct prop *to = prop_at(p, 0), *a = prop_at(p, 1), *c = prop_at(p, 2);
  if (!to || to->type != PROP_STR || !a || a->type != PROP_INT)
    return refuse(b, p, "a wire is {\"cpu\", index, line} or {\"controller\", line}");
  if (!strcmp(to->str, "cpu")) {
    if (!c || c->type != PROP_INT || a->num >= b->machine->nvcpus || c->num > 63)
      return refuse(b, p,
                    "a wire to a CPU is {\"cpu\", index, line} with an existing CPU and a line of 0 to 63");
    *out = (struct irq){.set = to_vcpu, .opaque = b->machine->vcpu[a->num], .line = (unsigned)c->num};
    return 0;
  }
  struct device *d = board_device(b->machine, board_irqchip(b, to->str));
  if (!d) return refuse(b, p, "a wire leads to a device that is not declared before");
  if (a->num > UINT32_MAX || device_input_irq(d, (unsigned)a->num, out))
    return refuse(b, p, "a wire leads to an input that its controller does not have");
  return 0;
}

static int add_device(struct board_state *b, const struct prop *p) {
  const struct prop *kind = prop_at(p, 0), *irqs = prop_get(p, "irqs");
  struct device_site site = {.dma = b->dma};
  struct irq *wires = NULL;
  const char *chardev;
  int rc = -EINVAL;
  if (!kind || kind->type != PROP_STR)
    return refuse(b, p, "a device starts with its kind: device{\"ns16550a\", ...}");
  const struct device_ops *ops = device_find(kind->str);
  if (!ops) {
    log_error("%s:%u: no device of kind `%s`", b->name, p->line, kind->str);
    return -EINVAL;
  }
  if (prop_str(p, "id", kind->str, &site.id) || prop_int(p, "base", 0, 0, UINT64_MAX, &site.base) ||
      prop_int(p, "size", 0, 0, 1ull << 40, &site.size) || prop_str(p, "chardev", NULL, &chardev))
    return refuse(b, p, "bad device");
  if (board_device(b->machine, site.id)) return refuse(b, p, "two devices have the same id");
  if (chardev && !strcmp(chardev, "serial")) site.chardev = b->serial;
  else if (chardev && !strcmp(chardev, "console")) site.chardev = b->console;
  else if (chardev) return refuse(b, p, "a device's chardev is \"serial\" or \"console\"");
  if (irqs && irqs->type != PROP_TABLE) return refuse(b, p, "irqs is a list of wires");
  if (irqs && irqs->nlist) {
    wires = calloc(irqs->nlist, sizeof *wires);
    if (!wires) return oom();
    for (size_t i = 0; i < irqs->nlist; i++)
      if (wire(b, &irqs->kid[i], &wires[i])) goto done;
    site.irqs = wires;
    site.nirqs = (unsigned)irqs->nlist;
  }
  rc = device_new(b->machine, ops, &site, p, &b->devices[b->ndevices]);
  if (rc) refuse(b, p, "device not created");
  else b->device_props[b->ndevices++] = p;
done:
  free(wires);
  return rc;
}

static int add_devices(struct board_state *b) {
  const struct prop *list = prop_get(&b->table, "devices");
  size_t n = list ? list->nlist : 0;
  int rc = 0;
  if (n > MAX_DEVICES) return refuse(b, list, "too many devices");
  b->devices = calloc(n + 1, sizeof *b->devices);
  b->device_props = calloc(n + 1, sizeof *b->device_props);
  b->dma = dma_space_identity(b->machine->phys);
  if (!b->devices || !b->device_props || !b->dma) return oom();
  for (size_t i = 0; !rc && i < n; i++) rc = add_device(b, &list->kid[i]);
  return rc;
}

struct chardev *board_chardev(struct machine *m, bool console) {
  struct board_state *b = m->board;
  return console ? b->console : b->serial;
}

/* ---- Firmware's console ---- */

void board_console_write(struct machine *m, const uint8_t *bytes, size_t n) {
  struct board_state *b = m->board;
  machine_lock(m);
  chardev_write(b->serial, bytes, n);
  machine_unlock(m);
}

bool board_console_read(struct machine *m, uint8_t *byte) {
  struct board_state *b = m->board;
  bool got = false;
  machine_lock(m);
  for (unsigned i = 0; !got && i < b->ndevices; i++) {
    struct device *d = b->devices[i];
    if (d->chardev == b->serial && d->ops->getc) got = d->ops->getc(d, byte);
  }
  machine_unlock(m);
  return got;
}

/* ---- Life ---- */

static void trace_mmio(void *opaque, const char *name, gpa_t pa, unsigned size, bool write, uint64_t value,
                       int rc) {
  trace_line(opaque, "mmio", "%s%u 0x%" PRIx64 " %s 0x%" PRIx64 "%s", write ? "write" : "read", size * 8, pa,
             name ? name : "nothing there", value, rc ? " refused" : "");
}

int board_create(struct machine *m, const struct board_config *c) {
  int rc;
  unsigned cpus = c->cpus ? c->cpus : 1;
  struct board_state *b = calloc(1, sizeof *b);
  if (!b) return oom();
  b->machine = m;
  m->board = b;
  b->name = strdup(c->board ? c->board : m->isa->name);
  b->append = c->append ? strdup(c->append) : NULL;
  if (!b->name || (c->append && !b->append)) return oom();
  b->ram_bytes = c->ram_bytes ? c->ram_bytes : RAM_DEFAULT;
  rc = -EINVAL;
  if (cpus > MACHINE_MAX_VCPUS) {
    log_error("%u CPUs: a machine has at most %u", cpus, MACHINE_MAX_VCPUS);
    goto done;
  }
  if (b->ram_bytes & ~GUEST_PAGE_MASK) {
    log_error("memory of %" PRIu64 " bytes: give a multiple of 4096", b->ram_bytes);
    goto done;
  }
  if (!board_boot_ops(m->isa)) {
    log_error("%s: this version cannot start a machine of this ISA", m->isa->name);
    goto done;
  }
  if ((rc = eval(b, c)) || (c->devices && (rc = append_devices(b, c->devices))) || (rc = check_table(b)) ||
      (rc = chardev_open(m, c->serial ? c->serial : "stdio", &b->serial)) ||
      (rc = chardev_open(m, c->console ? c->console : "null", &b->console)) || (rc = board_load(b, c)) ||
      (rc = add_memory(b)))
    goto done;
  for (unsigned i = 0; i < cpus; i++) {
    if (!machine_add_vcpu(m, c->features ? c->features : m->isa->default_features)) return -ENOMEM;
  }
  if ((rc = add_devices(b))) goto done;
  rc = c->dtb ? board_dtb_file(b, c->dtb, &b->dtb, &b->dtb_size) : board_fdt(b, &b->dtb, &b->dtb_size);
  if (!rc && b->boot.dtb && b->dtb_size > BOARD_DTB_MAX) {
    log_error("%s: the device tree takes %u bytes, more than %u", b->name, b->dtb_size, BOARD_DTB_MAX);
    rc = -E2BIG;
  }
done:
  return rc;
}

void board_free(struct machine *m) {
  struct board_state *b = m->board;
  if (!b) return;
  const struct boot_ops *boot = board_boot_ops(m->isa);
  if (b->firmware && boot->free) boot->free(b->firmware);
  for (unsigned i = b->ndevices; i--;) device_free(b->devices[i]);
  for (unsigned i = 0; i < b->nimages; i++) close(b->images[i].fd);
  chardev_free(b->serial);
  chardev_free(b->console);
  htif_free(b->htif);
  dma_space_free(b->dma);
  props_clear(&b->table);
  free(b->images);
  free(b->devices);
  free(b->device_props);
  free((char *)b->name);
  free(b->append);
  free(b->dtb);
  free(b);
  m->board = NULL;
}

/* Puts bytes, or zeros (bytes == NULL), at a physical address; HTIF pages are not RAM. */
static int place(struct board_state *b, gpa_t at, const uint8_t *bytes, uint64_t size) {
  gpa_t end = at + size;
  int rc = 0;
  if (b->htif && bytes) htif_poke(b->htif, at, bytes, size);
  while (!rc && at < end) {
    gpa_t hole = htif_page(b->htif, at & GUEST_PAGE_MASK);
    gpa_t stop = hole < end ? (hole > at ? hole : at) : end;
    gpa_t next = stop < end ? (hole + GUEST_PAGE_SIZE < end ? hole + GUEST_PAGE_SIZE : end) : end;
    if (stop > at)
      rc = bytes ? phys_write(b->machine->phys, at, bytes, stop - at)
                 : phys_discard(b->machine->phys, at, stop - at);
    if (bytes) bytes += next - at;
    at = next;
  }
  if (rc) log_error("%s: an image up to 0x%" PRIx64 " lies outside RAM", b->name, end);
  return rc;
}

/* Reads one part of a file into guest memory. */
static int place_file(struct board_state *b, const struct image_part *p) {
  const size_t chunk = 256 << 10;
  uint8_t *buf = malloc(chunk);
  int rc = buf ? 0 : -ENOMEM;
  for (uint64_t done = 0; !rc && done < p->size;) {
    ssize_t n = pread(p->fd, buf, p->size - done < chunk ? p->size - done : chunk, (off_t)(p->offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      rc = n < 0 ? -errno : -EIO;
      log_error("%s: a file to boot from cannot be read again: %s", b->name,
                n < 0 ? strerror(errno) : "it shrank");
    } else {
      rc = place(b, p->at + done, buf, (uint64_t)n);
      done += (uint64_t)n;
    }
  }
  free(buf);
  if (!rc && p->zero) rc = place(b, p->at + p->size, NULL, p->zero);
  return rc;
}

int board_boot(struct machine *m) {
  struct board_state *b = m->board;
  int rc = 0;
  if (!b->nimages) {
    log_error("nothing to run: give a kernel or program, or firmware with --bios");
    return -ENOENT;
  }
  phys_set_mmio_observer(m->phys, m->trace.mmio ? trace_mmio : NULL, m);
  for (unsigned i = 0; i < b->ndevices; i++) device_reset(b->devices[i]);
  if (b->htif) htif_reset(b->htif);
  for (unsigned i = 0; i < m->nvcpus; i++) m->isa->arch->reset(m->vcpu[i]);
  for (unsigned i = 0; !rc && i < b->nimages; i++) rc = place_file(b, &b->images[i]);
  if (!rc && b->boot.dtb) rc = place(b, b->boot.dtb, b->dtb, b->dtb_size);
  if (!rc) rc = board_boot_ops(m->isa)->start(m, &b->boot, &b->firmware);
  for (unsigned i = 0; i < m->nvcpus; i++)
    if (m->isa->arch->context) m->isa->arch->context(m->vcpu[i]);
  __atomic_store_n(&m->end, END_NONE, __ATOMIC_RELEASE);
  m->end_code = 0;
  return rc;
}

int board_dump_dtb(struct machine *m, const char *path) {
  struct board_state *b = m->board;
  FILE *f = strcmp(path, "-") ? fopen(path, "wb") : stdout;
  if (!f) {
    log_error("%s: %s", path, strerror(errno));
    return -errno;
  }
  bool ok = fwrite(b->dtb, 1, b->dtb_size, f) == b->dtb_size;
  ok = (f == stdout ? fflush(f) : fclose(f)) == 0 && ok;
  if (ok) return 0;
  log_error("%s: %s", path, strerror(errno));
  return -EIO;
}
