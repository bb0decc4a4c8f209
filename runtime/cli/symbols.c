/* Names of a machine's code: symbol tables of the kernel or program it starts, and of --symbols. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/log.h"
#include "core/symbols.h"
#include "loader/load.h"

struct tables {
  struct symbols symbols;
  unsigned n;
  struct symtab at[];
};

static bool find(const struct symbols *s, gva_t pc, char *name, size_t n, uint64_t *distance) {
  const struct tables *t = container_of(s, struct tables, symbols);
  for (unsigned i = 0; i < t->n; i++) {
    const struct sym *y = sym_find(&t->at[i], pc);
    if (!y) continue;
    *distance = pc - y->addr;
    snprintf(name, n, "%s", y->name);
    return true;
  }
  return false;
}

static bool named(const struct symbols *s, const char *name, gva_t *pc) {
  const struct tables *t = container_of(s, struct tables, symbols);
  for (unsigned i = 0; i < t->n; i++) {
    const struct sym *y = sym_named(&t->at[i], name);
    if (!y) continue;
    *pc = y->addr;
    return true;
  }
  return false;
}

static bool is_elf(const struct load_file *f) { return f->size >= 4 && !memcmp(f->bytes, "\177ELF", 4); }

/* `must`: the file is there for its names alone. */
static int add(struct tables *t, const char *path, bool must) {
  struct load_file f;
  struct elf e;
  char why[300];
  int r = load_file(path, &f, why, sizeof why);
  if (r) {
    if (must) log_error("--symbols: %s", why);
    return must ? r : 0;
  }
  if (!is_elf(&f)) r = must ? symtab_text(f.bytes, f.size, &t->at[t->n], why, sizeof why) : 0;
  else if (elf_need(f.bytes, f.size) > f.size) r = err_set(why, sizeof why, -EINVAL, "damaged or truncated");
  else r = elf_parse_program(f.bytes, f.size, f.size, &e, why, sizeof why);
  if (!r && is_elf(&f)) {
    e.bytes = f.bytes;
    r = symtab_load(&e, 0, &t->at[t->n], why, sizeof why);
  }
  load_file_free(&f);
  if (!r) t->n++;
  if (r && must) log_error("--symbols: %s: %s", path, why);
  return must ? r : 0;
}

int cli_symbols(const char *kernel, const struct strings *files, const struct symbols **out) {
  struct tables *t = calloc(1, sizeof *t + (files->n + 1) * sizeof *t->at);
  int r = t ? 0 : -ENOMEM;
  *out = NULL;
  if (!t) {
    log_error("cannot keep symbols: out of memory");
    return r;
  }
  t->symbols = (struct symbols){find, named};
  for (unsigned i = 0; !r && i < files->n; i++) r = add(t, files->at[i], true);
  if (!r && kernel) r = add(t, kernel, false);
  if (!r) *out = &t->symbols;
  else cli_symbols_free(&t->symbols);
  return r;
}

void cli_symbols_free(const struct symbols *s) {
  if (!s) return;
  struct tables *t = container_of((struct symbols *)(uintptr_t)s, struct tables, symbols);
  for (unsigned i = 0; i < t->n; i++) symtab_free(&t->at[i]);
  free(t);
}
