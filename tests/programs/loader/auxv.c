/* What a process finds at its start: the auxiliary vector, the stack, the vDSO. Prints the same wherever it runs as it
 * should; a line with "wrong" is a failure. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
extern char _start[];
static int initialised = 42, zeroed[5000];

static void check(const char *what, int ok) { printf("%s: %s\n", what, ok ? "ok" : "wrong"); }

/* The function of that name in the vDSO, with its version. */
static void *vdso(const char *name, const char **version) {
  const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
  const ElfW(Ehdr) *h = (const void *)base;
  const ElfW(Dyn) *dyn = NULL;
  if (!base || memcmp(h->e_ident, ELFMAG, SELFMAG)) return NULL;
  const ElfW(Phdr) *p = (const void *)(base + h->e_phoff);
  uintptr_t bias = (uintptr_t)base;
  for (int i = 0; i < h->e_phnum; i++) {
    if (p[i].p_type == PT_LOAD && !p[i].p_offset) bias -= p[i].p_vaddr;
    if (p[i].p_type == PT_DYNAMIC) dyn = (const void *)(base + p[i].p_offset);
  }
  const ElfW(Sym) *sym = NULL;
  const char *str = NULL;
  const uint32_t *hash = NULL;
  const uint16_t *versym = NULL;
  const ElfW(Verdef) *def = NULL;
  for (; dyn && dyn->d_tag; dyn++) {
    const void *at = (const void *)(bias + dyn->d_un.d_ptr);
    if (dyn->d_tag == DT_SYMTAB) sym = at;
    if (dyn->d_tag == DT_STRTAB) str = at;
    if (dyn->d_tag == DT_HASH) hash = at;
    if (dyn->d_tag == DT_VERSYM) versym = at;
    if (dyn->d_tag == DT_VERDEF) def = at;
  }
  if (!sym || !str || !hash || !versym || !def) return NULL;
  for (uint32_t i = 1; i < hash[1]; i++) {
    if (strcmp(str + sym[i].st_name, name)) continue;
    for (const ElfW(Verdef) *d = def;; d = (const void *)((const char *)d + d->vd_next)) {
      if ((d->vd_ndx & 0x7fff) == (versym[i] & 0x7fff))
        *version = str + ((const ElfW(Verdaux) *)((const char *)d + d->vd_aux))->vda_name;
      if (!d->vd_next) break;
    }
    return (void *)(bias + sym[i].st_value);
  }
  return NULL;
}

int main(int argc, char **argv) {
  static const struct {
    unsigned long type;
    const char *name;
  } wanted[] = {{AT_SYSINFO_EHDR, "SYSINFO_EHDR"},
                {AT_MINSIGSTKSZ, "MINSIGSTKSZ"},
                {AT_PAGESZ, "PAGESZ"},
                {AT_CLKTCK, "CLKTCK"},
                {AT_PHDR, "PHDR"},
                {AT_PHENT, "PHENT"},
                {AT_PHNUM, "PHNUM"},
                {AT_ENTRY, "ENTRY"},
                {AT_RANDOM, "RANDOM"},
                {AT_EXECFN, "EXECFN"}};
  for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
    check(wanted[i].name, getauxval(wanted[i].type) != 0);
  char **end = environ;
  while (*end) end++;
  const ElfW(auxv_t) *a = (const void *)(end + 1);
  unsigned seen[64] = {0}, n = 0;
  for (; a->a_type; a++, n++)
    if (a->a_type < 64) seen[a->a_type]++;
  for (unsigned i = 0; i < 64; i++)
    if (seen[i] > 1) printf("type %u %u times: wrong\n", i, seen[i]);
  check("flags, ids and secure are there", seen[AT_FLAGS] && seen[AT_BASE] && seen[AT_UID] && seen[AT_EUID] &&
                                               seen[AT_GID] && seen[AT_EGID] && seen[AT_SECURE] &&
                                               seen[AT_HWCAP]);
  check("values", getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100 &&
                      getauxval(AT_PHENT) == sizeof(ElfW(Phdr)) && !getauxval(AT_FLAGS) &&
                      !getauxval(AT_SECURE) && getauxval(AT_UID) == getuid() &&
                      getauxval(AT_EGID) == getegid() && getauxval(AT_MINSIGSTKSZ) >= 1000);
  check("entry", getauxval(AT_ENTRY) == (uintptr_t)_start);
  const ElfW(Phdr) *p = (const void *)getauxval(AT_PHDR);
  uintptr_t dynamic = 0;
  unsigned loads = 0;
  for (unsigned i = 0; i < getauxval(AT_PHNUM); i++) {
    loads += p[i].p_type == PT_LOAD;
    if (p[i].p_type == PT_INTERP) dynamic = 1;
  }
  check("program headers", loads >= 2);
  check("dynamic linker", !dynamic == !getauxval(AT_BASE));
  if (dynamic) check("dynamic linker is an ELF file", !memcmp((void *)getauxval(AT_BASE), ELFMAG, SELFMAG));
  printf("execfn %s\n", (const char *)getauxval(AT_EXECFN));
  const uint64_t *random = (const void *)getauxval(AT_RANDOM);
  check("random", random[0] && random[1] && random[0] != random[1]);
  check("stack", !((uintptr_t)(argv - 1) & 15) && *(long *)(argv - 1) == argc && !argv[argc]);
  check("strings in order", argc < 2 || argv[1] == argv[0] + strlen(argv[0]) + 1);
  check("file name last", (const char *)getauxval(AT_EXECFN) > (end > environ ? end[-1] : argv[argc - 1]));
  unsigned sum = 0;
  for (unsigned i = 0; i < sizeof zeroed / sizeof *zeroed; i++) sum |= (unsigned)zeroed[i];
  check("data and zeros", initialised == 42 && !sum);
  for (int i = 0; i < argc; i++) printf("argument %s\n", argv[i]);

  const char *version = "none";
#if defined __aarch64__
  int (*get)(clockid_t, struct timespec *) = vdso("__kernel_clock_gettime", &version);
#else
  int (*get)(clockid_t, struct timespec *) = vdso("__vdso_clock_gettime", &version);
#endif
  struct timespec before, now = {0}, after;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before);
  check("vDSO clock", get && !get(CLOCK_MONOTONIC, &now));
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &after);
  check("its time", (now.tv_sec - before.tv_sec) * 1000000000l + now.tv_nsec - before.tv_nsec >= 0 &&
                        (after.tv_sec - now.tv_sec) * 1000000000l + after.tv_nsec - now.tv_nsec >= 0);
  fprintf(stderr, "version %s hwcap %lx\n", version, getauxval(AT_HWCAP));
  return 0;
}
