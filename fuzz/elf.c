/* Hostile ELF files for machines: recognition, headers, placing into RAM, symbols. The first input byte chooses where RAM
 * lies and whether a bias is used; the rest is the file, or the text of a table of symbols. Programs of user mode are
 * user_elf.c's. */
#include "core/isa.h"
#include "fuzz/fuzz.h"
#include "loader/load.h"
#include "mem/phys.h"

enum { RAM_SIZE = 1 << 20 };

static void check_segments(const struct elf *e, size_t n) {
  MUST(e->nsegs >= 1 && e->nsegs <= ELF_MAX_SEGMENTS);
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *s = &e->seg[i];
    MUST(s->memsz && s->filesz <= s->memsz && s->offset <= n && s->filesz <= n - s->offset);
    MUST(s->vaddr + (s->memsz - 1) >= s->vaddr && s->paddr + (s->memsz - 1) >= s->paddr);
    MUST(s->vaddr >= e->lo && s->vaddr + (s->memsz - 1) <= e->last);
    MUST(!i || e->seg[i - 1].vaddr + (e->seg[i - 1].memsz - 1) < s->vaddr);
  }
}

static void check_table(struct symtab *t, gva_t at) {
  for (size_t i = 0; i < t->n; i++) {
    MUST(!i || t->sym[i - 1].addr <= t->sym[i].addr);
    MUST(sym_named(t, t->sym[i].name));
  }
  const struct sym *s = sym_find(t, at);
  MUST(!s || (s->addr <= at && (!s->size || at - s->addr < s->size)));
  sym_find(t, 0);
  sym_find(t, UINT64_MAX);
  symtab_free(t);
}

static void check_symbols(const struct elf *e, uint64_t bias) {
  struct symtab t;
  char why[64];
  if (!symtab_load(e, bias, &t, why, sizeof why)) check_table(&t, e->entry + bias);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct load_info info;
  char why[64];
  if (!n) return 0;
  uint8_t how = data[0];
  fuzz_quiet();
  if (how & 4) {
    struct symtab t;
    if (!symtab_text(data + 1, n - 1, &t, why, sizeof why)) check_table(&t, 0xffffffff80000000);
    return 0;
  }
  if (load_identify(data + 1, n - 1, &info, why, sizeof why) || info.kind != LOAD_ELF) {
    struct elf e; /* of whatever machine */
    if (elf_parse(data + 1, n - 1, &e, why, sizeof why)) return 0;
    info = (struct load_info){.kind = LOAD_ELF, .elf = e};
  }
  const struct elf *e = &info.elf;
  uint64_t bias = how & 1 && e->pie ? 0x10000 : 0;
  check_segments(e, n - 1);
  check_symbols(e, bias);
  struct phys *p = phys_new();
  MUST(p);
  gpa_t base = how & 2 ? 0x80000000 : e->seg[0].paddr & GUEST_PAGE_MASK;
  if (!phys_add_ram(p, base, RAM_SIZE, "ram")) elf_place(e, p, why, sizeof why);
  phys_free(p);
  return 0;
}
