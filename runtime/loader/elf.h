/* ELF files: 64-bit little-endian executables and shared objects that can be started, and their symbols. Input is hostile;
 * parsing is bytes in, result out. (System V ABI, chapters 4 and 5.) */
#ifndef ISOMER_LOADER_ELF_H
#define ISOMER_LOADER_ELF_H

#include "core/types.h"

struct phys;

#define ELF_MAX_SEGMENTS 64

struct elf_segment {
  gva_t vaddr;
  gpa_t paddr;
  uint64_t offset, filesz, memsz; /* offset + filesz lies in the file; memsz >= filesz, > 0 */
  unsigned prot;                  /* 1 << ACCESS_* */
};

struct elf {
  const uint8_t *bytes; /* the file; not owned, outlives this; NULL after elf_parse_program */
  size_t size;
  uint16_t machine; /* EM_* */
  bool pie;         /* load anywhere (page-aligned bias) */
  gva_t entry;
  struct elf_segment
      seg[ELF_MAX_SEGMENTS]; /* ascending by vaddr, disjoint; of a machine's file by paddr as well */
  unsigned nsegs;            /* at least 1 */
  gva_t lo, last;            /* first and last byte of the virtual span */
  gva_t phdr;                /* where a segment maps the program headers (for AT_PHDR), or 0 */
  uint16_t phnum;
  uint64_t align; /* the largest alignment that a segment asks for, a power of two of at least a page */
  uint64_t interp_off, interp_len; /* where the file names its dynamic linker; length 0: it has none */
  bool exec_stack;                 /* PT_GNU_STACK asks for an executable one */
};

/* 0, or -EINVAL with the reason in `why`: not ELF, another class or byte order, not an executable, needs a dynamic
 * linker, truncated, overlapping or absurd segments, an entry point outside of them. */
int elf_parse(const uint8_t *bytes, size_t n, struct elf *out, char *why, size_t nwhy);

/* The same for a Linux program of `size` bytes, of which the first `have` are at hand; the program headers are among them
 * (elf_need). Its dynamic linker is found, physical addresses mean nothing. */
int elf_parse_program(const uint8_t *head, size_t have, uint64_t size, struct elf *out, char *why,
                      size_t nwhy);
/* How many bytes from the start elf_parse_program needs, judged by the first `have` (any number). */
uint64_t elf_need(const uint8_t *head, size_t have);

/* One step of mapping a program: pages of the file, or zeros. Executed in order, a later one replacing an earlier one's
 * pages, as Linux does. */
struct elf_step {
  gva_t at; /* page-aligned, as len and off are */
  uint64_t len, off;
  unsigned prot; /* 1 << ACCESS_* */
  bool file;
  unsigned zero; /* bytes at the end of it that become zero once it is mapped */
};
#define ELF_MAX_STEPS (2 * ELF_MAX_SEGMENTS)

/* The steps that map `e` at vaddr + bias (a multiple of a page) within [lo, hi): their number, or -EINVAL with the
 * reason. */
int elf_plan(const struct elf *e, uint64_t bias, gva_t lo, gva_t hi, struct elf_step step[ELF_MAX_STEPS],
             char *why, size_t nwhy);

/* "RISC-V", "AArch64", "x86-64", ..., or "machine 1234" written to buf (at least 24 bytes). */
const char *elf_machine_name(uint16_t machine, char *buf, size_t n);

/* Copies segments into RAM at their physical addresses, zeroing what the file does not give. -EFAULT with the reason. */
int elf_place(const struct elf *e, struct phys *p, char *why, size_t nwhy);

/* --- symbols --- */

struct sym {
  gva_t addr; /* bias included */
  uint64_t size;
  const char *name; /* owned by the table */
};

struct symtab {
  struct sym *sym; /* ascending by address */
  size_t n;
  char *names;
};

/* Reads the symbol table (the one for linking, else the dynamic one). A file without one gives an empty table and 0;
 * -EINVAL with the reason when it is damaged, -ENOMEM. The table does not refer to the file. */
int symtab_load(const struct elf *e, uint64_t bias, struct symtab *out, char *why, size_t nwhy);
/* The same from the text of Linux's System.map or /proc/kallsyms: its functions, of unknown size. -EINVAL names the line that
 * is none of it. */
int symtab_text(const uint8_t *bytes, size_t n, struct symtab *out, char *why, size_t nwhy);
void symtab_free(struct symtab *t);

/* The symbol that covers addr (one of unknown size covers all up to the next), or NULL. Offset = addr - sym->addr. */
const struct sym *sym_find(const struct symtab *t, gva_t addr);
const struct sym *sym_named(const struct symtab *t, const char *name);

#endif
