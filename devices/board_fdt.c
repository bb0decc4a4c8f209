/* The flattened device tree, made from the same table that the machine is made from: the table's `fdt` tree, a node for
 * each memory region and each device with an `fdt` member, and what /chosen says about this boot. */
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "devices/board_int.h"

#define MAX_LABELS 1024
#define MAX_FDT    (1u << 20)

struct tree {
  const struct board_state *b;
  void *fdt;
  int err;  /* first libfdt error */
  bool bad; /* a message was logged */
  bool has_chosen;
  const char *label[MAX_LABELS]; /* phandle = index + 1 */
  unsigned nlabels;
  uint8_t seed[32];
};

static void latch(struct tree *t, int err) {
  if (err && !t->err) t->err = err;
}

static void refuse(struct tree *t, const struct prop *p, const char *what, const char *name) {
  if (!t->bad && p && p->line) log_error("%s:%u: device tree: %s: %s", t->b->name, p->line, name, what);
  else if (!t->bad) log_error("%s: device tree: %s: %s", t->b->name, name, what);
  t->bad = true;
}

static uint32_t phandle(const struct tree *t, const char *label) {
  for (unsigned i = 0; i < t->nlabels; i++)
    if (!strcmp(t->label[i], label)) return i + 1;
  return 0;
}

static bool is_node(const struct prop *p) {
  return p->type == PROP_TABLE && (p->nkids > p->nlist || !p->nkids);
}

/* Gives every labelled node its phandle, in the order nodes are met. */
static void collect(struct tree *t, const struct prop *node) {
  for (size_t i = node->nlist; i < node->nkids; i++) {
    const struct prop *k = &node->kid[i];
    if (is_node(k)) collect(t, k);
    if (strcmp(k->key, "label")) continue;
    if (k->type != PROP_STR) refuse(t, k, "a label is a string", "label");
    else if (phandle(t, k->str)) refuse(t, k, "label used twice", k->str);
    else if (t->nlabels == MAX_LABELS) refuse(t, k, "too many labels", k->str);
    else t->label[t->nlabels++] = k->str;
  }
}

static void cells(struct tree *t, const char *name, const struct prop *list, size_t n) {
  fdt32_t *out = calloc(2 * n + 1, sizeof *out);
  size_t len = 0;
  if (!out) {
    latch(t, -FDT_ERR_INTERNAL);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    const struct prop *p = &list[i];
    if (p->type == PROP_U64) {
      out[len++] = cpu_to_fdt32((uint32_t)(p->num >> 32));
      out[len++] = cpu_to_fdt32((uint32_t)p->num);
    } else if (p->type == PROP_INT && p->num <= UINT32_MAX) {
      out[len++] = cpu_to_fdt32((uint32_t)p->num);
    } else if (p->type == PROP_REF && phandle(t, p->str)) {
      out[len++] = cpu_to_fdt32(phandle(t, p->str));
    } else if (p->type == PROP_REF) {
      refuse(t, p, "refers to a label that no node has", p->str);
    } else {
      refuse(t, p, "cells are integers below 2^32, u64(n) or ref\"label\"", name);
    }
  }
  latch(t, fdt_property(t->fdt, name, out, (int)(len * sizeof *out)));
  free(out);
}

static void strings(struct tree *t, const char *name, const struct prop *list, size_t n) {
  size_t len = 0;
  for (size_t i = 0; i < n; i++) len += list[i].len + 1;
  char *out = malloc(len), *at = out;
  if (!out) {
    latch(t, -FDT_ERR_INTERNAL);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    if (list[i].type != PROP_STR) {
      refuse(t, &list[i], "strings and numbers do not mix", name);
      break;
    }
    memcpy(at, list[i].str, list[i].len + 1);
    at += list[i].len + 1;
  }
  latch(t, fdt_property(t->fdt, name, out, (int)(at - out)));
  free(out);
}

static void property(struct tree *t, const struct prop *p) {
  if (p->type == PROP_BOOL) {
    if (p->num) latch(t, fdt_property(t->fdt, p->key, NULL, 0));
  } else if (p->type == PROP_STR) {
    strings(t, p->key, p, 1);
  } else if (p->type != PROP_TABLE) {
    cells(t, p->key, p, 1);
  } else if (p->kid[0].type == PROP_STR) {
    strings(t, p->key, p->kid, p->nlist);
  } else {
    cells(t, p->key, p->kid, p->nlist);
  }
}

/* Members that steer this walk and are no properties. */
static bool is_control(const char *key) {
  return !strcmp(key, "label") || !strcmp(key, "devices") || !strcmp(key, "node");
}

static void properties(struct tree *t, const struct prop *node) {
  const struct prop *label = prop_get(node, "label");
  for (size_t i = node->nlist; i < node->nkids; i++)
    if (!is_node(&node->kid[i]) && !is_control(node->kid[i].key)) property(t, &node->kid[i]);
  if (label && label->type == PROP_STR) latch(t, fdt_property_u32(t->fdt, "phandle", phandle(t, label->str)));
}

static void number(fdt32_t *out, size_t *n, uint64_t value, uint64_t ncells) {
  if (ncells == 2) out[(*n)++] = cpu_to_fdt32((uint32_t)(value >> 32));
  out[(*n)++] = cpu_to_fdt32((uint32_t)value);
}

static void reg(struct tree *t, const struct prop *bus, uint64_t base, uint64_t size) {
  const struct prop *a = prop_get(bus, "#address-cells"), *s = prop_get(bus, "#size-cells");
  uint64_t na = a ? a->num : 2, ns = s ? s->num : 1;
  fdt32_t out[4];
  size_t n = 0;
  if (na - 1 > 1 || ns - 1 > 1) {
    refuse(t, bus, "#address-cells and #size-cells must be 1 or 2 where devices are placed",
           bus->key ? bus->key : "/");
    return;
  }
  number(out, &n, base, na);
  number(out, &n, size, ns);
  latch(t, fdt_property(t->fdt, "reg", out, (int)(n * sizeof *out)));
}

static void nodes(struct tree *t, const struct prop *node);

/* One wire's cells: its number alone, or of a controller with three cells 0 (shared by the CPUs), the number, 4 (level). */
static size_t line_cells(fdt32_t *out, uint64_t ncells, uint64_t line) {
  size_t n = 0;
  if (ncells == 3) out[n++] = cpu_to_fdt32(0);
  out[n++] = cpu_to_fdt32((uint32_t)line);
  if (ncells == 3) out[n++] = cpu_to_fdt32(4);
  return n;
}

/* interrupts and interrupt-parent, when all wires lead to one labelled interrupt controller. */
static void interrupts(struct tree *t, const struct prop *device) {
  const struct prop *irqs = prop_get(device, "irqs"), *fdt = prop_get(device, "fdt");
  const char *parent = NULL;
  fdt32_t out[96];
  size_t n = 0;
  if (!irqs || prop_get(fdt, "interrupts-extended") || prop_get(fdt, "interrupts")) return;
  for (size_t i = 0; i < irqs->nlist; i++) {
    const struct prop *to = prop_at(&irqs->kid[i], 0), *line = prop_at(&irqs->kid[i], 1);
    if (!to || !line || to->type != PROP_STR) return;
    const char *id = board_irqchip(t->b, to->str);
    if (parent && strcmp(parent, id)) return;
    parent = id;
  }
  for (unsigned i = 0; parent && i < t->b->ndevices; i++) {
    const struct prop *node = prop_get(t->b->device_props[i], "fdt"), *label = prop_get(node, "label");
    const struct prop *ncells = prop_get(node, "#interrupt-cells");
    if (strcmp(t->b->devices[i]->id, parent) || !label) continue;
    for (size_t k = 0; k < irqs->nlist && n + 3 <= ARRAY_SIZE(out); k++)
      n += line_cells(out + n, ncells ? ncells->num : 1, prop_at(&irqs->kid[k], 1)->num);
    latch(t, fdt_property_u32(t->fdt, "interrupt-parent", phandle(t, label->str)));
    latch(t, fdt_property(t->fdt, "interrupts", out, (int)(n * sizeof *out)));
  }
}

static void device_nodes(struct tree *t, const struct prop *bus) {
  for (unsigned i = 0; i < t->b->ndevices; i++) {
    const struct device *d = t->b->devices[i];
    const struct prop *fdt = prop_get(t->b->device_props[i], "fdt"), *name = prop_get(fdt, "node");
    char full[80];
    if (!fdt) continue;
    if (!name || name->type != PROP_STR) {
      refuse(t, t->b->device_props[i], "its fdt has no `node` name", d->id);
      return;
    }
    snprintf(full, sizeof full, "%.40s@%" PRIx64, name->str, d->base);
    latch(t, fdt_begin_node(t->fdt, full));
    if (!prop_get(fdt, "reg")) reg(t, bus, d->base, d->size); /* else its window is several */
    interrupts(t, t->b->device_props[i]);
    properties(t, fdt);
    nodes(t, fdt);
    latch(t, fdt_end_node(t->fdt));
  }
}

static void memory_nodes(struct tree *t, const struct prop *root) {
  const struct prop *list = prop_get(&t->b->table, "memory");
  for (size_t i = 0; list && i < list->nlist; i++) {
    char full[40];
    uint64_t base = prop_get(&list->kid[i], "base")->num, size = prop_get(&list->kid[i], "size")->num;
    snprintf(full, sizeof full, "memory@%" PRIx64, base);
    latch(t, fdt_begin_node(t->fdt, full));
    latch(t, fdt_property_string(t->fdt, "device_type", "memory"));
    reg(t, root, base, size);
    latch(t, fdt_end_node(t->fdt));
  }
}

static void chosen(struct tree *t) {
  const struct board_state *b = t->b;
  t->has_chosen = true;
  if (b->append) latch(t, fdt_property_string(t->fdt, "bootargs", b->append));
  if (b->initrd_end > b->initrd) {
    latch(t, fdt_property_u64(t->fdt, "linux,initrd-start", b->initrd));
    latch(t, fdt_property_u64(t->fdt, "linux,initrd-end", b->initrd_end));
  }
  latch(t, fdt_property(t->fdt, "rng-seed", t->seed, sizeof t->seed));
}

static void nodes(struct tree *t, const struct prop *node) {
  for (size_t i = node->nlist; i < node->nkids; i++) {
    const struct prop *k = &node->kid[i], *here = prop_get(k, "devices");
    if (!is_node(k)) continue;
    latch(t, fdt_begin_node(t->fdt, k->key));
    properties(t, k);
    if (!strcmp(k->key, "chosen")) chosen(t);
    nodes(t, k);
    if (here && here->type == PROP_BOOL && here->num) device_nodes(t, k);
    latch(t, fdt_end_node(t->fdt));
  }
}

static void build(struct tree *t, const struct prop *root, void *buf, uint32_t size) {
  t->fdt = buf;
  t->err = 0;
  latch(t, fdt_create(buf, (int)size));
  latch(t, fdt_finish_reservemap(buf));
  latch(t, fdt_begin_node(buf, ""));
  properties(t, root);
  memory_nodes(t, root);
  nodes(t, root);
  const struct prop *here = prop_get(root, "devices");
  if (here && here->type == PROP_BOOL && here->num) device_nodes(t, root);
  if (!t->has_chosen) {
    latch(t, fdt_begin_node(buf, "chosen"));
    chosen(t);
    latch(t, fdt_end_node(buf));
  }
  latch(t, fdt_end_node(buf));
  latch(t, fdt_finish(buf));
}

int board_fdt(const struct board_state *b, uint8_t **out, uint32_t *size) {
  int rc = -EINVAL;
  uint8_t *buf = NULL;
  struct tree *t = calloc(1, sizeof *t);
  const struct prop *root = prop_get(&b->table, "fdt");
  *out = NULL;
  if (!t) {
    log_error("%s: device tree: out of memory", b->name);
    return -ENOMEM;
  }
  t->b = b;
  if (!root || !is_node(root)) {
    log_error("%s: the board has no `fdt` table", b->name);
    goto done;
  }
  if (machine_random(b->machine, t->seed, sizeof t->seed)) {
    log_error("%s: the host gives no random bytes for /chosen rng-seed", b->name);
    rc = -EIO;
    goto done;
  }
  collect(t, root);
  for (unsigned i = 0; i < b->ndevices; i++)
    if (prop_get(b->device_props[i], "fdt")) collect(t, prop_get(b->device_props[i], "fdt"));
  for (uint32_t room = 16384; !t->bad; room *= 2) {
    free(buf);
    buf = room <= MAX_FDT ? malloc(room) : NULL;
    if (!buf) {
      log_error("%s: device tree: larger than %u bytes, or out of memory", b->name, MAX_FDT);
      rc = -ENOMEM;
      goto done;
    }
    build(t, root, buf, room);
    if (t->err != -FDT_ERR_NOSPACE) break;
  }
  if (t->err && !t->bad) log_error("%s: device tree: %s", b->name, fdt_strerror(t->err));
  if (t->err || t->bad) goto done;
  *out = buf;
  *size = fdt_totalsize(buf);
  buf = NULL;
  rc = 0;
done:
  free(buf);
  free(t);
  return rc;
}
