/* Symbols of an ELF file, sorted for lookup by address. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "loader/elf.h"

#define BAD(...) err_set(why, nwhy, -EINVAL, __VA_ARGS__)

static bool section(const struct elf *e, const Elf64_Ehdr *h, uint64_t n, uint64_t i, Elf64_Shdr *out) {
  if (i >= n) return false;
  memcpy(out, e->bytes + h->e_shoff + i * sizeof *out, sizeof *out);
  return true;
}

static bool inside(const struct elf *e, const Elf64_Shdr *s) {
  return s->sh_offset <= e->size && s->sh_size <= e->size - s->sh_offset;
}

/* Finds the symbol table and its strings. 1: found; 0: there is none. */
static int find_tables(const struct elf *e, Elf64_Shdr *sym, Elf64_Shdr *str, char *why, size_t nwhy) {
  Elf64_Ehdr h;
  Elf64_Shdr s;
  memcpy(&h, e->bytes, sizeof h);
  if (!h.e_shoff) return 0;
  if (h.e_shentsize != sizeof s || h.e_shoff > e->size || sizeof s > e->size - h.e_shoff)
    return BAD("damaged or truncated: section headers");
  uint64_t n = h.e_shnum;
  if (!n) { /* more than fit the header: the first section says how many */
    memcpy(&s, e->bytes + h.e_shoff, sizeof s);
    n = s.sh_size;
  }
  if (n > (e->size - h.e_shoff) / sizeof s) return BAD("damaged or truncated: section headers");
  static const uint32_t kinds[] = {SHT_SYMTAB, SHT_DYNSYM};
  for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
    for (uint64_t i = 0; section(e, &h, n, i, &s); i++) {
      if (s.sh_type != kinds[k]) continue;
      if (!inside(e, &s) || s.sh_entsize != sizeof(Elf64_Sym) || !section(e, &h, n, s.sh_link, str) ||
          str->sh_type != SHT_STRTAB || !inside(e, str))
        return BAD("damaged or truncated: symbol table");
      *sym = s;
      return 1;
    }
  return 0;
}

static bool wanted(const Elf64_Sym *s, const char *names, uint64_t size) {
  unsigned type = ELF64_ST_TYPE(s->st_info);
  if (s->st_shndx == SHN_UNDEF || type > STT_FUNC || s->st_name >= size) return false;
  const char *name = names + s->st_name;
  return *name && *name != '$' && memchr(name, 0, size - s->st_name); /* `$x` marks kinds of code and data */
}

/* By address; at one address known sizes come last, so that a search from above meets them first. */
static int by_address(const void *pa, const void *pb) {
  const struct sym *a = pa, *b = pb;
  if (a->addr != b->addr) return a->addr < b->addr ? -1 : 1;
  if (!a->size != !b->size) return a->size ? 1 : -1;
  return strcmp(a->name, b->name);
}

int symtab_load(const struct elf *e, uint64_t bias, struct symtab *out, char *why, size_t nwhy) {
  Elf64_Shdr sym = {0}, str = {0};
  *out = (struct symtab){0};
  int rc = find_tables(e, &sym, &str, why, nwhy);
  if (rc <= 0) return rc;
  size_t n = sym.sh_size / sizeof(Elf64_Sym);
  if (!n || !str.sh_size) return 0;
  out->names = malloc(str.sh_size);
  out->sym = calloc(n, sizeof *out->sym);
  if (!out->names || !out->sym) {
    symtab_free(out);
    return err_set(why, nwhy, -ENOMEM, "out of memory for %zu symbols", n);
  }
  memcpy(out->names, e->bytes + str.sh_offset, str.sh_size);
  for (size_t i = 0; i < n; i++) {
    Elf64_Sym s;
    memcpy(&s, e->bytes + sym.sh_offset + i * sizeof s, sizeof s);
    if (!wanted(&s, out->names, str.sh_size)) continue;
    uint64_t b = s.st_shndx == SHN_ABS ? 0 : bias;
    out->sym[out->n++] =
        (struct sym){.addr = s.st_value + b, .size = s.st_size, .name = out->names + s.st_name};
  }
  qsort(out->sym, out->n, sizeof *out->sym, by_address);
  return 0;
}

/* One line of System.map or /proc/kallsyms: ADDRESS TYPE NAME, and more that does not matter. False when it is none. */
static bool map_line(char *line, uint64_t *addr, char *type, char **name) {
  char *end, *save = NULL;
  char *first = strtok_r(line, " \t", &save), *second = strtok_r(NULL, " \t", &save);
  *name = strtok_r(NULL, " \t\r", &save);
  if (!*name || second[1]) return false;
  errno = 0;
  *addr = strtoull(first, &end, 16);
  *type = *second;
  return !*end && !errno;
}

int symtab_text(const uint8_t *bytes, size_t n, struct symtab *out, char *why, size_t nwhy) {
  size_t lines = 1;
  *out = (struct symtab){0};
  for (size_t i = 0; i < n; i++) lines += bytes[i] == '\n';
  out->names = malloc(n + 1);
  out->sym = calloc(lines, sizeof *out->sym);
  if (!out->names || !out->sym) {
    symtab_free(out);
    return err_set(why, nwhy, -ENOMEM, "out of memory for %zu symbols", lines);
  }
  memcpy(out->names, bytes, n);
  out->names[n] = 0;
  size_t number = 1;
  for (char *line = out->names, *next; line < out->names + n; line = next, number++) {
    struct sym s = {0};
    char type, *name, *end = memchr(line, '\n', n - (size_t)(line - out->names));
    next = end ? end + 1 : out->names + n;
    if (end) *end = 0;
    if (!*line) continue;
    if (!map_line(line, &s.addr, &type, &name)) {
      symtab_free(out);
      return BAD("line %zu is not ADDRESS TYPE NAME", number);
    }
    s.name = name;
    if (strchr("tTwW", type) && *name != '$') out->sym[out->n++] = s;
  }
  qsort(out->sym, out->n, sizeof *out->sym, by_address);
  return 0;
}

void symtab_free(struct symtab *t) {
  free(t->sym);
  free(t->names);
  *t = (struct symtab){0};
}

const struct sym *sym_find(const struct symtab *t, gva_t addr) {
  size_t lo = 0, hi = t->n;
  const struct sym *unsized = NULL;
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    if (t->sym[mid].addr <= addr) lo = mid + 1;
    else hi = mid;
  }
  /* A label inside a function lies between it and addr: look back a little for what covers addr. */
  for (size_t back = 0; lo && back < 32; back++) {
    const struct sym *s = &t->sym[--lo];
    if (s->size && addr - s->addr < s->size) return s;
    if (!s->size && !unsized) unsized = s;
    if (s->size && unsized && s->addr < unsized->addr) break;
  }
  return unsized;
}

const struct sym *sym_named(const struct symtab *t, const char *name) {
  for (size_t i = 0; i < t->n; i++)
    if (!strcmp(t->sym[i].name, name)) return &t->sym[i];
  return NULL;
}
