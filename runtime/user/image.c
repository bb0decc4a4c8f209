/* The program of a user-mode process: its place in memory, its dynamic linker, the vDSO, its first stack. Which file it is
 * program.c says. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/log.h"
#include "loader/load.h"
#include "mem/space.h"
#include "user/process.h"
#include "user/procfs.h"
#include "user/vdso.h"

#define STRINGS_MAX (USER_STACK_SIZE / 4) /* as Linux: arguments and environment take at most a quarter */
#define STACK_GAP   (UINT64_C(2) << 20)   /* not mapped, below the stack */
#define PIE_BIAS    UINT64_C(0x2a00000000)

/* Auxiliary vector, Linux include/uapi/linux/auxvec.h. */
enum {
  AT_NULL_ = 0,
  AT_PHDR_ = 3,
  AT_PHENT_ = 4,
  AT_PHNUM_ = 5,
  AT_PAGESZ_ = 6,
  AT_BASE_ = 7,
  AT_FLAGS_ = 8,
  AT_ENTRY_ = 9,
  AT_UID_ = 11,
  AT_EUID_ = 12,
  AT_GID_ = 13,
  AT_EGID_ = 14,
  AT_PLATFORM_ = 15,
  AT_HWCAP_ = 16,
  AT_CLKTCK_ = 17,
  AT_SECURE_ = 23,
  AT_RANDOM_ = 25,
  AT_HWCAP2_ = 26,
  AT_EXECFN_ = 31,
  AT_SYSINFO_EHDR_ = 33,
  AT_MINSIGSTKSZ_ = 51
};
enum { AUX_MAX = 24, PHENT = 56, RANDOM = 16 };

/* ---- segments ---- */

static int host_prot(unsigned prot) {
  return (prot & SPACE_R ? PROT_READ : 0) | (prot & SPACE_W ? PROT_WRITE : 0) |
         (prot & SPACE_X ? PROT_EXEC : 0);
}

static int run_steps(struct space *s, const struct elf_step *step, int n, int fd) {
  static const uint8_t zeros[GUEST_PAGE_SIZE];
  for (int i = 0; i < n; i++) {
    int flags = MAP_PRIVATE | MAP_FIXED | (step[i].file ? 0 : MAP_ANONYMOUS);
    int64_t at = space_map(s, step[i].at, step[i].len, host_prot(step[i].prot), flags, step[i].file ? fd : -1,
                           step[i].off);
    if (at < 0) return (int)at;
    int r = step[i].zero ? space_write(s, step[i].at + step[i].len - step[i].zero, zeros, step[i].zero) : 0;
    if (r) return r;
  }
  return 0;
}

/* Maps a file's segments at `bias`. -errno with one line logged. */
static int map_file(struct user_process *p, const char *name, const struct elf *e, int fd, uint64_t bias) {
  struct elf_step step[ELF_MAX_STEPS];
  char why[200];
  int n = elf_plan(e, bias, USER_START, USER_STACK_TOP - USER_STACK_SIZE, step, why, sizeof why);
  int r = n < 0 ? n : run_steps(p->space, step, n, fd);
  if (n < 0) log_error("%s: %s", name, why);
  else if (r) log_error("%s: cannot be mapped: %s", name, strerror(-r));
  return r;
}

/* Finds room for a file that may lie anywhere, at least `align` aligned. -errno. */
static int64_t find_room(struct space *s, const struct elf *e) {
  gva_t lo = e->lo & GUEST_PAGE_MASK;
  uint64_t len = ((e->last - lo) | ~GUEST_PAGE_MASK) + 1, more = e->align - GUEST_PAGE_SIZE;
  int64_t at = space_map(s, 0, len + more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at < 0) return at;
  int r = space_unmap(s, (gva_t)at, len + more);
  if (r) return r;
  return (int64_t)((((gva_t)at + more) & ~(e->align - 1)) - (lo & ~(e->align - 1)));
}

static int map_interp(struct user_process *p, struct user_image *i) {
  const struct elf *e = &i->program.interp;
  char name[PATH_MAX + 40];
  i->start = i->entry;
  if (i->program.interp_fd < 0) return 0;
  snprintf(name, sizeof name, "%s: its dynamic linker", i->path);
  if (e->pie) {
    int64_t base = find_room(p->space, e);
    if (base < 0) {
      log_error("%s: no room for it: %s", name, strerror((int)-base));
      return (int)base;
    }
    i->base = (gva_t)base;
  }
  i->start = e->entry + i->base;
  return map_file(p, name, e, i->program.interp_fd, i->base);
}

static int map_vdso(struct user_process *p, struct user_image *i) {
  const struct vdso *v = vdso_list;
  while (v->bytes && v->machine != i->program.elf.machine) v++;
  if (!v->bytes) return 0;
  uint64_t len = (v->size + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK;
  int64_t at = space_map(p->space, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int r = at < 0 ? (int)at : space_write(p->space, (gva_t)at, v->bytes, v->size);
  if (!r) r = space_protect(p->space, (gva_t)at, len, PROT_READ | PROT_EXEC);
  if (r) {
    log_error("%s: cannot map the vDSO: %s", i->path, strerror(-r));
    return r;
  }
  space_name(p->space, (gva_t)at, "[vdso]");
  i->vdso = (gva_t)at;
  i->sigreturn = v->sigreturn ? i->vdso + v->sigreturn : 0;
  return 0;
}

/* ---- the stack ---- */

struct aux {
  uint64_t word[AUX_MAX][2];
  unsigned n;
};

static void aux_add(struct aux *a, uint64_t type, uint64_t value) {
  a->word[a->n][0] = type;
  a->word[a->n++][1] = value;
}

/* The vector in Linux's order (fs/binfmt_elf.c, create_elf_tables); strings are at the addresses given. */
static void aux_fill(struct aux *a, const struct user_image *i, const struct user_auxv *arch, gva_t random,
                     gva_t execfn, gva_t platform) {
  const struct elf *e = &i->program.elf;
  *a = (struct aux){0};
  if (i->vdso) aux_add(a, AT_SYSINFO_EHDR_, i->vdso);
  if (arch->minsigstksz) aux_add(a, AT_MINSIGSTKSZ_, arch->minsigstksz);
  aux_add(a, AT_HWCAP_, arch->hwcap);
  aux_add(a, AT_PAGESZ_, GUEST_PAGE_SIZE);
  aux_add(a, AT_CLKTCK_, (uint64_t)sysconf(_SC_CLK_TCK));
  aux_add(a, AT_PHDR_, e->phdr ? e->phdr + i->bias : 0);
  aux_add(a, AT_PHENT_, PHENT);
  aux_add(a, AT_PHNUM_, e->phnum);
  aux_add(a, AT_BASE_, i->base);
  aux_add(a, AT_FLAGS_, 0);
  aux_add(a, AT_ENTRY_, i->entry);
  aux_add(a, AT_UID_, getuid());
  aux_add(a, AT_EUID_, geteuid());
  aux_add(a, AT_GID_, getgid());
  aux_add(a, AT_EGID_, getegid());
  aux_add(a, AT_SECURE_, 0);
  aux_add(a, AT_RANDOM_, random);
  if (arch->has_hwcap2) aux_add(a, AT_HWCAP2_, arch->hwcap2);
  aux_add(a, AT_EXECFN_, execfn);
  if (platform) aux_add(a, AT_PLATFORM_, platform);
  aux_add(a, AT_NULL_, 0);
}

static unsigned count(char *const *list) {
  unsigned n = 0;
  while (list[n]) n++;
  return n;
}

static uint64_t bytes_of(char *const *list, unsigned n) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < n; i++) sum += strlen(list[i]) + 1;
  return sum;
}

/* Copies strings to *text (guest: *at) and their addresses, with a null behind them, to *vector. */
static void put_list(char *const *list, unsigned n, char **text, gva_t *at, uint64_t **vector) {
  for (unsigned i = 0; i < n; i++) {
    size_t len = strlen(list[i]) + 1;
    memcpy(*text, list[i], len);
    *(*vector)++ = *at;
    *text += len;
    *at += len;
  }
  *(*vector)++ = 0;
}

/* From the top: 8 zero bytes, the file's name, environment, arguments, platform and random bytes, then, 16-byte aligned from
 * below, argc, argv, envp and the auxiliary vector (System V ABI, process initialisation; Linux's layout). -errno. */
static int build_stack(struct user_process *p, struct user_image *i, char *const *envp,
                       const struct vcpu *v) {
  struct user_auxv arch = {0};
  uint8_t random[RANDOM];
  struct aux aux;
  if (v->c->isa->arch->user_auxv) v->c->isa->arch->user_auxv(v, &arch);
  if (getrandom(random, sizeof random, 0) != sizeof random) return -EIO;
  const unsigned argc = (unsigned)i->program.argc, envc = count(envp);
  const uint64_t nexec = strlen(i->program.execfn) + 1, nargs = bytes_of(i->program.argv, argc),
                 nenv = bytes_of(envp, envc), nplat = arch.platform ? strlen(arch.platform) + 1 : 0;
  if (nexec + nargs + nenv + 8 * (uint64_t)(argc + envc) > STRINGS_MAX) return -E2BIG;
  const gva_t execfn = USER_STACK_TOP - 8 - nexec, args = execfn - nenv - nargs, platform = args - nplat,
              noise = (platform - RANDOM) & ~UINT64_C(15);
  aux_fill(&aux, i, &arch, noise, execfn, nplat ? platform : 0);
  const uint64_t words = 1 + argc + 1 + envc + 1 + 2 * aux.n;
  const gva_t sp = (noise - 8 * words) & ~UINT64_C(15);
  char *block = calloc(1, USER_STACK_TOP - sp);
  if (!block) return -ENOMEM;
  uint64_t *word = (uint64_t *)block;
  char *text = block + (args - sp);
  gva_t at = args;
  *word++ = argc;
  put_list(i->program.argv, argc, &text, &at, &word);
  put_list(envp, envc, &text, &at, &word);
  memcpy(word, aux.word, 16 * aux.n);
  memcpy(text, i->program.execfn, nexec);
  memcpy(block + (noise - sp), random, RANDOM);
  if (nplat) memcpy(block + (platform - sp), arch.platform, nplat);
  i->sp = sp;
  i->auxv = sp + (uint64_t)((char *)word - block);
  i->auxv_size = 16 * aux.n;
  i->arg_start = args;
  i->arg_end = i->env_start = args + nargs;
  i->env_end = execfn;
  int r = space_write(p->space, sp, block, USER_STACK_TOP - sp);
  free(block);
  return r;
}

static int map_stack(struct user_process *p, struct user_image *i) {
  const int prot = PROT_READ | PROT_WRITE | (i->program.elf.exec_stack ? PROT_EXEC : 0);
  const gva_t bottom = USER_STACK_TOP - USER_STACK_SIZE;
  int64_t at =
      space_map(p->space, bottom, USER_STACK_SIZE, prot,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK | MAP_FIXED_NOREPLACE, -1, 0);
  if (at < 0) {
    log_error("%s: cannot set up its stack: %s", i->path, strerror((int)-at));
    return (int)at;
  }
  space_name(p->space, bottom, "[stack]");
  space_set_top(p->space, bottom - STACK_GAP);
  return 0;
}

/* What /proc/self/stat calls code and data, and where the break starts. */
static void note_ranges(struct user_process *p, struct user_image *i) {
  const struct elf *e = &i->program.elf;
  for (unsigned k = 0; k < e->nsegs; k++) {
    const struct elf_segment *s = &e->seg[k];
    const gva_t start = s->vaddr + i->bias, end = start + s->filesz;
    if (s->prot & SPACE_X) {
      if (!i->code_start) i->code_start = start;
      i->code_end = end;
    } else if (s->prot & SPACE_W) {
      if (!i->data_start) i->data_start = start;
      i->data_end = end;
    }
  }
  p->brk_start = p->brk = (e->last + i->bias + GUEST_PAGE_SIZE) & GUEST_PAGE_MASK;
}

int user_image_map(struct user_process *p, char *const *envp, const struct vcpu *v) {
  struct user_image *i = &p->image;
  const struct elf *e = &i->program.elf;
  if (e->pie) i->bias = ((PIE_BIAS + e->align - 1) & ~(e->align - 1)) - (e->lo & ~(e->align - 1));
  i->entry = e->entry + i->bias;
  int r = map_file(p, i->path, e, i->program.fd, i->bias);
  if (!r) r = map_stack(p, i);
  if (!r) r = map_interp(p, i);
  if (!r) r = map_vdso(p, i);
  if (r) return r;
  note_ranges(p, i);
  /* The program has the numbers from now on. */
  program_close_files(&i->program);
  procfs_set_name(i->program.execfn);
  r = build_stack(p, i, envp, v);
  if (r) log_error("%s: arguments and environment: %s", i->path, strerror(-r));
  return r;
}

int user_image_symbols(struct user_image *i, char *why, size_t nwhy) {
  struct load_file f;
  struct elf e = i->program.elf;
  if (load_file(i->program.host, &f, why, nwhy)) return 0;
  e.bytes = f.bytes;
  e.size = f.size;
  int r = f.size < sizeof(uint64_t) * 8 ? 0 : symtab_load(&e, i->bias, &i->symbols, why, nwhy);
  load_file_free(&f);
  return r;
}

void user_image_free(struct user_image *i) {
  symtab_free(&i->symbols);
  program_close(&i->program);
}
