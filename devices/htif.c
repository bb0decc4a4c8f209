/* HTIF (see htif.h): exit codes and console output. Commands for other HTIF devices are answered by a warning. */
#include "devices/htif.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "devices/chardev.h"
#include "mem/phys.h"

struct page {
  struct htif *h;
  gpa_t base;
  uint8_t bytes[GUEST_PAGE_SIZE];
};

struct htif {
  struct machine *m;
  struct chardev *out;
  gpa_t tohost, fromhost;
  bool warned;
  unsigned npages;
  struct page page[2];
};

static uint8_t *at(struct htif *h, gpa_t pa) {
  for (unsigned i = 0; i < h->npages; i++)
    if ((pa & GUEST_PAGE_MASK) == h->page[i].base) return &h->page[i].bytes[pa - h->page[i].base];
  return NULL;
}

static uint64_t word(struct htif *h, gpa_t pa) {
  uint64_t v;
  memcpy(&v, at(h, pa), sizeof v);
  return v;
}

static void set_word(struct htif *h, gpa_t pa, uint64_t v) { memcpy(at(h, pa), &v, sizeof v); }

/* Command word: device in 63:56, command in 55:48, payload in 47:0. */
static void command(struct htif *h) {
  uint64_t v = word(h, h->tohost), payload = v << 16 >> 16;
  unsigned device = v >> 56, cmd = v >> 48 & 0xff;
  uint8_t byte = (uint8_t)payload;
  if (!v) return;
  if (device == 0 && cmd == 0 && (payload & 1)) {
    uint64_t code = payload >> 1;
    machine_end(h->m, code ? END_CODE : END_POWEROFF, code);
    return;
  }
  if (device == 1 && cmd == 1) {
    chardev_write(h->out, &byte, 1);
  } else if (!(device == 1 && cmd == 0) &&
             !h->warned) { /* a request for input is never answered: there is none */
    h->warned = true;
    log_warn("HTIF: device %u command %u is not provided: the program may wait forever", device, cmd);
  }
  set_word(h, h->tohost, 0);
  if (h->fromhost && device == 1 && cmd == 1) set_word(h, h->fromhost, v >> 48 << 48);
}

static int read_page(void *opaque, uint64_t off, unsigned size, uint64_t *value) {
  struct page *p = opaque;
  *value = 0;
  memcpy(value, p->bytes + off, size);
  return 0;
}

static int write_page(void *opaque, uint64_t off, unsigned size, uint64_t value) {
  struct page *p = opaque;
  gpa_t pa = p->base + off;
  memcpy(p->bytes + off, &value, size);
  /* a word written in two halves is complete with its upper half */
  if (pa < p->h->tohost + 8 && pa + size == p->h->tohost + 8) command(p->h);
  return 0;
}

static const struct mmio_ops ops = {.read = read_page, .write = write_page};

static void add_page(struct htif *h, gpa_t pa) {
  if (at(h, pa)) return;
  h->page[h->npages] = (struct page){.h = h, .base = pa & GUEST_PAGE_MASK};
  h->npages++;
}

struct htif *htif_new(struct machine *m, gpa_t tohost, gpa_t fromhost, struct chardev *out) {
  if ((tohost | fromhost) & 7) {
    log_error("HTIF: `tohost` and `fromhost` must be aligned to 8 bytes: 0x%" PRIx64 ", 0x%" PRIx64, tohost,
              fromhost);
    return NULL;
  }
  struct htif *h = calloc(1, sizeof *h);
  if (!h) {
    log_error("HTIF: out of memory");
    return NULL;
  }
  h->m = m;
  h->out = out;
  h->tohost = tohost;
  h->fromhost = fromhost;
  add_page(h, tohost);
  if (fromhost) add_page(h, fromhost);
  return h;
}

void htif_free(struct htif *h) { free(h); }

gpa_t htif_page(const struct htif *h, gpa_t from) {
  gpa_t first = UINT64_MAX;
  for (unsigned i = 0; h && i < h->npages; i++)
    if (h->page[i].base >= from && h->page[i].base < first) first = h->page[i].base;
  return first;
}

int htif_map(struct htif *h) {
  int rc = 0;
  for (unsigned i = 0; !rc && i < h->npages; i++)
    rc = phys_add_mmio(h->m->phys, h->page[i].base, GUEST_PAGE_SIZE, &ops, &h->page[i], "htif");
  return rc;
}

void htif_poke(struct htif *h, gpa_t pa, const void *bytes, uint64_t n) {
  for (unsigned i = 0; i < h->npages; i++) {
    struct page *p = &h->page[i];
    gpa_t from = pa > p->base ? pa : p->base;
    gpa_t to = pa + n < p->base + GUEST_PAGE_SIZE ? pa + n : p->base + GUEST_PAGE_SIZE;
    if (from < to) memcpy(p->bytes + (from - p->base), (const uint8_t *)bytes + (from - pa), to - from);
  }
}

void htif_reset(struct htif *h) {
  for (unsigned i = 0; i < h->npages; i++) memset(h->page[i].bytes, 0, sizeof h->page[i].bytes);
}

void htif_visit(struct htif *h, void (*fn)(void *arg, void *at, size_t n), void *arg) {
  for (unsigned i = 0; i < h->npages; i++) fn(arg, h->page[i].bytes, sizeof h->page[i].bytes);
}
