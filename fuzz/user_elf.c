/* Hostile programs for user mode: ELF files with their dynamic linker, scripts, plans of mappings, symbols. The first input
 * byte chooses who asks and the bias; the rest is the file. Nothing is mapped or run. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "user/program.h"

#define LO UINT64_C(0x10000)
#define HI UINT64_C(0x3fff7ff000)

static const struct sysroot no_root;

/* Steps stay inside, in order of the segments, and cover every byte of them. */
static void check_plan(const struct elf *e, uint64_t bias, uint64_t size) {
  struct elf_step step[ELF_MAX_STEPS];
  char why[64];
  int n = elf_plan(e, bias, LO, HI, step, why, sizeof why);
  MUST(n == -EINVAL || (n >= 1 && n <= ELF_MAX_STEPS));
  for (int i = 0; i < n; i++) {
    const struct elf_step *s = &step[i];
    MUST(s->len && !((s->at | s->len | s->off) & ~GUEST_PAGE_MASK));
    MUST(s->at >= LO && s->at + s->len > s->at && s->at + s->len <= HI);
    MUST(s->zero < GUEST_PAGE_SIZE && (s->file || (!s->zero && !s->off)));
    /* Each page of the file that is mapped has at least a byte. */
    MUST(!s->file || s->off + s->len - GUEST_PAGE_SIZE < size);
  }
  for (unsigned k = 0; n > 0 && k < e->nsegs; k++) {
    gva_t at = e->seg[k].vaddr + bias, end = at + e->seg[k].memsz;
    for (int i = 0; i < n && at < end; i++)
      if (step[i].at <= at && at - step[i].at < step[i].len) at = step[i].at + step[i].len;
    MUST(at >= end);
  }
}

static void check_program(const struct program *p, uint64_t size, bool biased) {
  const struct elf *e = &p->elf;
  MUST(p->fd >= 3 && p->argc >= 1 && !p->argv[p->argc]);
  MUST(e->nsegs >= 1 && e->nsegs <= ELF_MAX_SEGMENTS && !e->bytes);
  MUST(e->align >= GUEST_PAGE_SIZE && !(e->align & (e->align - 1)));
  MUST(!e->interp_len == (p->interp_fd < 0) || !p->isa);
  for (unsigned i = 0; i < e->nsegs; i++) {
    const struct elf_segment *s = &e->seg[i];
    MUST(s->memsz && s->filesz <= s->memsz && s->offset <= size && s->filesz <= size - s->offset);
    MUST(s->vaddr >= e->lo && s->vaddr + (s->memsz - 1) <= e->last);
    MUST(!i || e->seg[i - 1].vaddr + (e->seg[i - 1].memsz - 1) < s->vaddr);
  }
  check_plan(e, e->pie && biased ? UINT64_C(0x2a00000000) : 0, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct program p;
  static char name[] = "input";
  char why[2 * PATH_MAX] = "";
  struct stat st;
  if (!n) return 0;
  fuzz_quiet();
  int fd = memfd_create("program", MFD_CLOEXEC);
  MUST(fd >= 0 && write(fd, data + 1, n - 1) == (ssize_t)(n - 1) && !fchmod(fd, 0700));
  const struct program_request q = {
      .root = &no_root,
      .self = data[0] & 1 ? isa_list[0] : NULL,
      .dirfd = fd,
      .path = "",
      .shown = name,
      .argc = data[0] >> 1 & 1,
      .argv = (char *const[]){name, NULL},
  };
  int r = program_open(&q, &p, why, sizeof why);
  if (!r) {
    MUST(!fstat(p.fd, &st));
    check_program(&p, (uint64_t)st.st_size, data[0] & 4);
    program_close(&p);
  } else MUST(r < 0 && *why);
  close(fd);
  return 0;
}
