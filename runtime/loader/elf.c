/* ELF executables: checking headers, placing segments. Symbols are in symtab.c, choosing among formats in load.c. */
#include "loader/elf.h"

#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "core/log.h"
#include "core/vcpu.h"
#include "mem/phys.h"
#include "mem/space.h"
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
  if (p->p_offset > e->size || p->p_filesz > e->size - p->p_offset)
    return BAD("truncated: segment %u needs %llu bytes from byte %llu, the file has %zu", index,
               (ull)p->p_filesz, (ull)p->p_offset, e->size);
  if (p->p_memsz > ABSURD || p->p_vaddr + (p->p_memsz - 1) < p->p_vaddr ||
      p->p_paddr + (p->p_memsz - 1) < p->p_paddr)
    return BAD("damaged: segment %u has 0x%llx bytes at 0x%llx", index, (ull)p->p_memsz, (ull)p->p_vaddr);
  if (e->nsegs == ELF_MAX_SEGMENTS) return BAD("more than %u segments", ELF_MAX_SEGMENTS);
  unsigned i = e->nsegs++;
  for (; i && e->seg[i - 1].vaddr > p->p_vaddr; i--) e->seg[i] = e->seg[i - 1];
  e->seg[i] = (struct elf_segment){.vaddr = p->p_vaddr,
                                   .paddr = p->p_paddr,
                                   .offset = p->p_offset,
                                   .filesz = p->p_filesz,
                                   .memsz = p->p_memsz,
                                   .prot = (p->p_flags & PF_R ? 1u << ACCESS_READ : 0) |
                                           (p->p_flags & PF_W ? 1u << ACCESS_WRITE : 0) |
                                           (p->p_flags & PF_X ? 1u << ACCESS_FETCH : 0)};
  return 0;
}

static int check_segments(const struct elf *e, char *why, size_t nwhy) {
  bool entry = false;
  uint64_t total = 0; /* ELF_MAX_SEGMENTS * ABSURD does not wrap */
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *s = &e->seg[i];
    total += s->memsz;
    entry |= e->entry - s->vaddr < s->memsz || (!e->pie && e->entry - s->paddr < s->memsz);
    for (unsigned k = 0; k < i; k++) {
      const struct elf_segment *o = &e->seg[k];
      if (s->vaddr - o->vaddr < o->memsz || s->paddr - o->paddr < o->memsz || o->paddr - s->paddr < s->memsz)
        return BAD("damaged: segments at 0x%llx and 0x%llx overlap", (ull)o->vaddr, (ull)s->vaddr);
    }
  }
  if (total > ABSURD) return BAD("damaged: its segments take 0x%llx bytes", (ull)total);
  if (!entry) return BAD("damaged: the entry point 0x%llx is in no segment", (ull)e->entry);
  return 0;
}

int elf_parse(const uint8_t *bytes, size_t n, struct elf *e, char *why, size_t nwhy) {
  Elf64_Ehdr h;
  int rc = check_header(bytes, n, &h, why, nwhy);
  if (rc) return rc;
  *e = (struct elf){.bytes = bytes,
                    .size = n,
                    .machine = h.e_machine,
                    .pie = h.e_type == ET_DYN,
                    .entry = h.e_entry,
                    .phnum = h.e_phnum};
  for (unsigned i = 0; i < h.e_phnum; i++) {
    Elf64_Phdr p;
    memcpy(&p, bytes + h.e_phoff + i * sizeof p, sizeof p);
    if (p.p_type == PT_INTERP)
      return BAD("dynamically linked: only static programs run (link with -static or -static-pie)");
    if (p.p_type != PT_LOAD || !p.p_memsz) continue;
    if ((rc = add_segment(e, &p, i, why, nwhy))) return rc;
    if (h.e_phoff >= p.p_offset && h.e_phoff - p.p_offset < p.p_filesz &&
        h.e_phnum * sizeof p <= p.p_filesz - (h.e_phoff - p.p_offset))
      e->phdr = p.p_vaddr + (h.e_phoff - p.p_offset);
  }
  if (!e->nsegs) return BAD("an ELF file with nothing to load");
  if ((rc = check_segments(e, why, nwhy))) return rc;
  e->lo = e->seg[0].vaddr;
  e->last = e->seg[e->nsegs - 1].vaddr + (e->seg[e->nsegs - 1].memsz - 1);
  return 0;
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

static int host_prot(unsigned prot) {
  return (prot & SPACE_R ? PROT_READ : 0) | (prot & SPACE_W ? PROT_WRITE : 0) |
         (prot & SPACE_X ? PROT_EXEC : 0);
}

/* Pages [at, end) with `prot`, of the file from byte `off` on when fd is one; nothing may be there. */
static int map_pages(struct space *s, gva_t at, gva_t end, unsigned prot, int fd, uint64_t off) {
  const int flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_ANONYMOUS : 0);
  if (at >= end) return 0;
  int64_t r = space_map(s, at, end - at, host_prot(prot), flags, fd, off);
  return r < 0 ? (int)r : 0;
}

/* Bytes into pages that may not be writable: those of [at, at + n) get `prot` afterwards. */
static int fill(struct space *s, gva_t at, const void *bytes, uint64_t n, unsigned prot) {
  const gva_t first = at & GUEST_PAGE_MASK, end = (at + n + ~GUEST_PAGE_MASK) & GUEST_PAGE_MASK;
  int rc = n ? space_protect(s, first, end - first, PROT_READ | PROT_WRITE) : 0;
  if (!rc) rc = space_write(s, at, bytes, n);
  return rc || !n ? rc : space_protect(s, first, end - first, host_prot(prot));
}

/* One segment. `shared`: rights of the mapping that has its first page already, or 0. */
static int map_segment(const struct elf *e, const struct elf_segment *g, struct space *s, int fd,
                       uint64_t bias, unsigned shared) {
  static const uint8_t zeros[GUEST_PAGE_SIZE];
  const gva_t start = (g->vaddr + bias) & GUEST_PAGE_MASK,
              end = ((g->vaddr + bias + (g->memsz - 1)) | ~GUEST_PAGE_MASK) + 1;
  const gva_t file_end = g->vaddr + bias + g->filesz, head = file_end & ~GUEST_PAGE_MASK;
  const uint8_t *bytes = e->bytes + g->offset;
  int rc;
  if (!shared && fd >= 0 && g->filesz && ((g->vaddr ^ g->offset) & ~GUEST_PAGE_MASK) == 0) {
    const gva_t mid = (file_end + ~GUEST_PAGE_MASK) & GUEST_PAGE_MASK;
    rc = map_pages(s, start, mid, g->prot, fd, g->offset & GUEST_PAGE_MASK);
    if (!rc) rc = map_pages(s, mid, end, g->prot, -1, 0);
    if (rc || g->memsz == g->filesz || !head) return rc;
    if (g->prot & SPACE_W) return space_write(s, file_end, zeros, GUEST_PAGE_SIZE - head);
    return fill(s, file_end, zeros, GUEST_PAGE_SIZE - head, g->prot);
  }
  rc = map_pages(s, start + (shared ? GUEST_PAGE_SIZE : 0), end, g->prot, -1, 0);
  if (rc) return rc;
  /* The shared page first, then the others: they have rights of their own. */
  const uint64_t in_page = GUEST_PAGE_SIZE - ((g->vaddr + bias) & ~GUEST_PAGE_MASK);
  const uint64_t room = shared ? (in_page < g->memsz ? in_page : g->memsz) : 0,
                 part = room < g->filesz ? room : g->filesz;
  if (room && (rc = fill(s, g->vaddr + bias, bytes, part, shared | g->prot))) return rc;
  if (room > part && (rc = fill(s, g->vaddr + bias + part, zeros, room - part, shared | g->prot))) return rc;
  return fill(s, g->vaddr + bias + part, bytes + part, g->filesz - part, g->prot);
}

int elf_map(const struct elf *e, struct space *s, int fd, uint64_t bias, char *why, size_t nwhy) {
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *g = &e->seg[i], *before = i ? g - 1 : NULL;
    const gva_t start = g->vaddr + bias, last = start + (g->memsz - 1);
    unsigned shared = 0;
    struct space_info info;
    int rc = last < start || last > GUEST_PAGE_MASK ? -EINVAL : 0; /* the bias wraps it around */
    if (!rc && before && !(((before->vaddr + bias + (before->memsz - 1)) ^ start) & GUEST_PAGE_MASK) &&
        space_next(s, start, &info))
      shared = info.prot;
    if (!rc) rc = map_segment(e, g, s, fd, bias, shared);
    if (rc)
      return err_set(why, nwhy, rc, "cannot map 0x%llx bytes at 0x%llx: %s", (ull)g->memsz, (ull)start,
                     strerror(-rc));
  }
  return 0;
}
