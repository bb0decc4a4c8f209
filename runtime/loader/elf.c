/* ELF executables: checking headers, planning mappings, placing segments. Symbols are in symtab.c, choosing among formats in load.c. */
#include "loader/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/vcpu.h"
#include "mem/phys.h"
#include "os/prefault.h"

#define ABSURD   (UINT64_C(1) << 36) /* bytes of memory for all segments */

#define BAD(...) err_set(why, nwhy, -EINVAL, __VA_ARGS__)
typedef unsigned long long ull;

const char *elf_machine_name(uint16_t machine, char *buf, size_t n) {
  static const struct {
    uint16_t em;
    const char *name;
  } names[] = {
      {EM_RISCV, "RISC-V"},   {EM_AARCH64, "AArch64"}, {EM_X86_64, "x86-64"},       {EM_386, "i386"},
      {EM_ARM, "32-bit Arm"}, {EM_MIPS, "MIPS"},       {EM_PPC64, "PowerPC64"},     {EM_PPC, "PowerPC"},
      {EM_S390, "s390"},      {EM_SPARCV9, "SPARC"},   {EM_LOONGARCH, "LoongArch"}, {EM_BPF, "BPF"},
  };
  for (size_t i = 0; i < ARRAY_SIZE(names); i++)
    if (names[i].em == machine) return names[i].name;
  snprintf(buf, n, "machine %u", machine);
  return buf;
}

static int check_header(const uint8_t *bytes, size_t n, Elf64_Ehdr *h, char *why, size_t nwhy) {
  static const char *const types[] = {"no type", "a relocatable object; link it first", NULL, NULL,
                                      "a core dump"};
  if (n < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG)) return BAD("not an ELF file");
  if (n < sizeof *h) return BAD("truncated: an ELF header has %zu bytes, the file %zu", sizeof *h, n);
  memcpy(h, bytes, sizeof *h);
  if (h->e_ident[EI_CLASS] != ELFCLASS64)
    return BAD("a %s ELF file; only 64-bit ones run",
               h->e_ident[EI_CLASS] == ELFCLASS32 ? "32-bit" : "damaged");
  if (h->e_ident[EI_DATA] != ELFDATA2LSB) return BAD("a big-endian ELF file; only little-endian ones run");
  if (h->e_ident[EI_VERSION] != EV_CURRENT)
    return BAD("an ELF file of unknown version %u", h->e_ident[EI_VERSION]);
  if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
    return BAD("an ELF file, but not a program: %s",
               h->e_type < ARRAY_SIZE(types) ? types[h->e_type] : "unknown type");
  if (!h->e_phnum) return BAD("an ELF file without program headers");
  if (h->e_phentsize != sizeof(Elf64_Phdr))
    return BAD("damaged: program headers of %u bytes", h->e_phentsize);
  if (h->e_phoff > n || (uint64_t)h->e_phnum * sizeof(Elf64_Phdr) > n - h->e_phoff)
    return BAD("truncated: program headers at byte %llu lie beyond the end (%zu bytes)", (ull)h->e_phoff, n);
  return 0;
}

static int add_segment(struct elf *e, const Elf64_Phdr *p, unsigned index, char *why, size_t nwhy) {
  if (p->p_filesz > p->p_memsz)
    return BAD("damaged: segment %u has more bytes in the file than in memory", index);
  /* Where nothing of the file is wanted, it does not matter where in the file: linkers say what lies beyond its end. */
  if (p->p_filesz && (p->p_offset > e->size || p->p_filesz > e->size - p->p_offset))
    return BAD("truncated: segment %u needs %llu bytes from byte %llu, the file has %zu", index,
               (ull)p->p_filesz, (ull)p->p_offset, e->size);
  if (p->p_memsz > ABSURD || p->p_vaddr + (p->p_memsz - 1) < p->p_vaddr ||
      p->p_paddr + (p->p_memsz - 1) < p->p_paddr)
    return BAD("damaged: segment %u has 0x%llx bytes at 0x%llx", index, (ull)p->p_memsz, (ull)p->p_vaddr);
  if (e->nsegs == ELF_MAX_SEGMENTS) return BAD("more than %u segments", ELF_MAX_SEGMENTS);
  if (p->p_align > e->align && !(p->p_align & (p->p_align - 1)))
    e->align = p->p_align; /* others: as Linux, ignored */
  unsigned i = e->nsegs++;
  for (; i && e->seg[i - 1].vaddr > p->p_vaddr; i--) e->seg[i] = e->seg[i - 1];
  e->seg[i] = (struct elf_segment){.vaddr = p->p_vaddr,
                                   .paddr = p->p_paddr,
                                   .offset = p->p_filesz ? p->p_offset : 0,
                                   .filesz = p->p_filesz,
                                   .memsz = p->p_memsz,
                                   .prot = (p->p_flags & PF_R ? 1u << ACCESS_READ : 0) |
                                           (p->p_flags & PF_W ? 1u << ACCESS_WRITE : 0) |
                                           (p->p_flags & PF_X ? 1u << ACCESS_FETCH : 0)};
  return 0;
}

static int check_segments(const struct elf *e, bool program, char *why, size_t nwhy) {
  bool entry = false;
  uint64_t total = 0; /* ELF_MAX_SEGMENTS * ABSURD does not wrap */
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *s = &e->seg[i];
    total += s->memsz;
    entry |= e->entry - s->vaddr < s->memsz || (!e->pie && !program && e->entry - s->paddr < s->memsz);
    for (unsigned k = 0; k < i; k++) {
      const struct elf_segment *o = &e->seg[k];
      if (s->vaddr - o->vaddr < o->memsz ||
          (!program && (s->paddr - o->paddr < o->memsz || o->paddr - s->paddr < s->memsz)))
        return BAD("damaged: segments at 0x%llx and 0x%llx overlap", (ull)o->vaddr, (ull)s->vaddr);
    }
  }
  if (total > ABSURD) return BAD("damaged: its segments take 0x%llx bytes", (ull)total);
  if (!entry) return BAD("damaged: the entry point 0x%llx is in no segment", (ull)e->entry);
  return 0;
}

static int add_interp(struct elf *e, const Elf64_Phdr *p, char *why, size_t nwhy) {
  if (e->interp_len) return 0; /* Linux takes the first */
  if (p->p_filesz < 2 || p->p_filesz > 4096)
    return BAD("damaged: the name of its dynamic linker has %llu bytes", (ull)p->p_filesz);
  if (p->p_offset > e->size || p->p_filesz > e->size - p->p_offset)
    return BAD("truncated: the name of its dynamic linker lies beyond the end (%zu bytes)", e->size);
  e->interp_off = p->p_offset;
  e->interp_len = p->p_filesz;
  return 0;
}

/* `have` bytes of the e->size are at hand. */
static int parse(const uint8_t *bytes, size_t have, uint64_t size, bool program, struct elf *e, char *why,
                 size_t nwhy) {
  Elf64_Ehdr h;
  int rc = check_header(bytes, have, &h, why, nwhy);
  if (rc) return rc;
  *e = (struct elf){.bytes = program ? NULL : bytes,
                    .size = size,
                    .machine = h.e_machine,
                    .pie = h.e_type == ET_DYN,
                    .entry = h.e_entry,
                    .phnum = h.e_phnum,
                    .align = GUEST_PAGE_SIZE};
  for (unsigned i = 0; i < h.e_phnum; i++) {
    Elf64_Phdr p;
    memcpy(&p, bytes + h.e_phoff + i * sizeof p, sizeof p);
    if (p.p_type == PT_INTERP && !program)
      return BAD("dynamically linked: a machine starts only static programs (link with -static)");
    if (p.p_type == PT_INTERP && (rc = add_interp(e, &p, why, nwhy))) return rc;
    if (p.p_type == PT_GNU_STACK) e->exec_stack = p.p_flags & PF_X;
    if (p.p_type != PT_LOAD || !p.p_memsz) continue;
    if ((rc = add_segment(e, &p, i, why, nwhy))) return rc;
    if (h.e_phoff >= p.p_offset && h.e_phoff - p.p_offset < p.p_filesz &&
        h.e_phnum * sizeof p <= p.p_filesz - (h.e_phoff - p.p_offset))
      e->phdr = p.p_vaddr + (h.e_phoff - p.p_offset);
  }
  if (!e->nsegs) return BAD("an ELF file with nothing to load");
  if ((rc = check_segments(e, program, why, nwhy))) return rc;
  e->lo = e->seg[0].vaddr;
  e->last = e->seg[e->nsegs - 1].vaddr + (e->seg[e->nsegs - 1].memsz - 1);
  return 0;
}

int elf_parse(const uint8_t *bytes, size_t n, struct elf *e, char *why, size_t nwhy) {
  return parse(bytes, n, n, false, e, why, nwhy);
}

int elf_parse_program(const uint8_t *head, size_t have, uint64_t size, struct elf *e, char *why,
                      size_t nwhy) {
  return parse(head, have, size, true, e, why, nwhy);
}

uint64_t elf_need(const uint8_t *head, size_t have) {
  Elf64_Ehdr h;
  if (have < sizeof h) return sizeof h;
  memcpy(&h, head, sizeof h);
  uint64_t table = (uint64_t)h.e_phnum * sizeof(Elf64_Phdr);
  return h.e_phoff > UINT64_MAX - table ? UINT64_MAX : h.e_phoff + table;
}

#define PAGE_UP(x) (((x) + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK)

int elf_plan(const struct elf *e, uint64_t bias, gva_t lo, gva_t hi, struct elf_step step[ELF_MAX_STEPS],
             char *why, size_t nwhy) {
  int n = 0;
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *s = &e->seg[i];
    gva_t at = s->vaddr + bias, last = at + (s->memsz - 1), start = at & GUEST_PAGE_MASK;
    unsigned into = (unsigned)(at & ~GUEST_PAGE_MASK);
    if (last < at || at < lo || last >= hi)
      return BAD("wants 0x%llx bytes at 0x%llx; programs live between 0x%llx and 0x%llx", (ull)s->memsz,
                 (ull)at, (ull)lo, (ull)hi);
    gva_t end = PAGE_UP(last + 1), middle = start;
    if (s->filesz) {
      if ((s->offset & ~GUEST_PAGE_MASK) != into)
        return BAD(
            "damaged: the segment at 0x%llx lies in the file where no page of it can be mapped (byte 0x%llx)",
            (ull)s->vaddr, (ull)s->offset);
      middle = PAGE_UP(at + s->filesz);
      /* Only what can be written: Linux leaves the file's bytes elsewhere. */
      bool clear = s->memsz > s->filesz && s->prot & 1u << ACCESS_WRITE;
      step[n++] = (struct elf_step){.at = start,
                                    .len = middle - start,
                                    .off = s->offset - into,
                                    .prot = s->prot,
                                    .file = true,
                                    .zero = clear ? (unsigned)(middle - (at + s->filesz)) : 0};
    }
    if (end > middle) step[n++] = (struct elf_step){.at = middle, .len = end - middle, .prot = s->prot};
  }
  return n;
}

/* Copies one segment to `at`. */
static int place(const struct elf *e, const struct elf_segment *s, struct phys *p, gpa_t at) {
  void *host = phys_ptr(p, at, s->filesz, true);
  if (host) os_prefault(host, s->filesz);
  int rc = phys_write(p, at, e->bytes + s->offset, s->filesz);
  if (!rc && s->memsz > s->filesz) rc = phys_discard(p, at + s->filesz, s->memsz - s->filesz);
  return rc;
}

int elf_place(const struct elf *e, struct phys *p, char *why, size_t nwhy) {
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *s = &e->seg[i];
    int rc = place(e, s, p, s->paddr);
    if (rc)
      return err_set(
          why, nwhy, rc,
          "wants 0x%llx bytes at 0x%llx, where there is no RAM; give more memory or link it elsewhere",
          (ull)s->memsz, (ull)s->paddr);
  }
  return 0;
}
