/* The program of a user-mode process: its file, its place in memory, its first stack. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/log.h"
#include "user/process.h"

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
  AT_HWCAP_ = 16,
  AT_CLKTCK_ = 17,
  AT_SECURE_ = 23,
  AT_RANDOM_ = 25,
  AT_EXECFN_ = 31
};

struct stack {
  struct space *space;
  gva_t sp;
  gva_t limit;
  int error;
};

static gva_t push(struct stack *s, const void *bytes, uint64_t n) {
  if (s->error) return 0;
  if (s->sp - s->limit < n) {
    s->error = -E2BIG;
    return 0;
  }
  s->sp -= n;
  s->error = space_write(s->space, s->sp, bytes, n);
  return s->sp;
}

static void push_word(struct stack *s, uint64_t word) { push(s, &word, sizeof word); }

static unsigned count(char *const *list) {
  unsigned n = 0;
  while (list[n]) n++;
  return n;
}

/* Writes argument strings, environment, auxiliary vector and the pointers to them (System V ABI, process initialisation).
 * Returns the stack pointer, or 0 with *error set. */
static gva_t build_stack(struct user_process *p, const struct user_options *o, const struct vcpu *v,
                         int *error) {
  const struct elf *e = &p->image.elf;
  const uint64_t bias = p->image.bias;
  const int argc = o->argc;
  char *const *argv = o->argv, *const *envp = o->envp;
  unsigned nenv = count(envp), n = (unsigned)argc + nenv;
  struct stack s = {.space = p->space, .sp = USER_STACK_TOP, .limit = USER_STACK_TOP - STRINGS_MAX};
  uint64_t (*hwcap)(const struct vcpu *) = v->c->isa->arch->user_hwcap;
  uint8_t random[16];
  gva_t at = 0;
  if (getrandom(random, sizeof random, 0) != sizeof random) {
    *error = -EIO;
    return 0;
  }
  gva_t execfn = push(&s, argv[0], strlen(argv[0]) + 1);
  gva_t noise = push(&s, random, sizeof random);
  /* First the strings, from the last to the first, so that the first is lowest; then the vectors over them. */
  for (unsigned i = n; i-- > 0;) {
    const char *text = i < (unsigned)argc ? argv[i] : envp[i - (unsigned)argc];
    at = push(&s, text, strlen(text) + 1);
  }
  const uint64_t aux[][2] = {
      {AT_NULL_, 0},
      {AT_EXECFN_, execfn},
      {AT_RANDOM_, noise},
      {AT_SECURE_, 0},
      {AT_CLKTCK_, 100},
      {AT_HWCAP_, hwcap ? hwcap(v) : 0},
      {AT_EGID_, getegid()},
      {AT_GID_, getgid()},
      {AT_EUID_, geteuid()},
      {AT_UID_, getuid()},
      {AT_ENTRY_, e->entry + bias},
      {AT_FLAGS_, 0},
      {AT_BASE_, 0}, /* there is no dynamic linker */
      {AT_PAGESZ_, GUEST_PAGE_SIZE},
      {AT_PHNUM_, e->phnum},
      {AT_PHENT_, 56},
      {AT_PHDR_, e->phdr ? e->phdr + bias : 0},
  };
  /* argc, argv, NULL, envp, NULL, auxv: an even number of words keeps the final stack pointer 16-byte aligned. */
  uint64_t words = 1 + n + 2 + 2 * ARRAY_SIZE(aux);
  s.sp &= ~UINT64_C(15);
  if (words % 2) push_word(&s, 0);
  for (size_t i = 0; i < ARRAY_SIZE(aux); i++) {
    push_word(&s, aux[i][1]);
    push_word(&s, aux[i][0]);
  }
  gva_t vectors = s.sp - 8 * (n + 2);
  s.sp = vectors;
  gva_t text = at;
  for (unsigned i = 0; i < n && !s.error; i++) {
    uint64_t slot = vectors + 8 * (i + (i >= (unsigned)argc));
    if (slot < s.limit) s.error = -E2BIG;
    else s.error = space_write(s.space, slot, &text, 8);
    text += strlen(i < (unsigned)argc ? argv[i] : envp[i - (unsigned)argc]) + 1;
  }
  push_word(&s, (uint64_t)argc);
  *error = s.error;
  return s.error ? 0 : s.sp;
}

int user_image_open(const struct user_options *o, struct user_image *out, const struct isa **isa) {
  struct load_info info;
  out->path = o->argv[0];
  int r = load_open(o->argv[0], o->want, false, &out->file, &info);
  if (r) return r;
  if (info.kind != LOAD_ELF) {
    log_error("%s: is a kernel, not a program", o->argv[0]);
    return -ENOEXEC;
  }
  out->elf = info.elf;
  out->bias = info.elf.pie ? PIE_BIAS : 0;
  *isa = info.isa;
  return 0;
}

int user_image_map(struct user_process *p, const struct user_options *o, const struct vcpu *v) {
  struct user_image *i = &p->image;
  char why[200];
  int64_t at = space_map(p->space, USER_STACK_TOP - USER_STACK_SIZE, USER_STACK_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  int r = at < 0 ? (int)at : 0;
  if (r) {
    log_error("%s: cannot set up its stack: %s", i->path, strerror(-r));
    return r;
  }
  space_name(p->space, USER_STACK_TOP - USER_STACK_SIZE, "[stack]");
  r = elf_map(&i->elf, p->space, i->file.fd, i->bias, why, sizeof why);
  if (r) {
    log_error("%s: %s", i->path, why);
    return r;
  }
  p->brk_start = p->brk = (i->elf.last + i->bias + GUEST_PAGE_SIZE) & GUEST_PAGE_MASK;
  space_set_top(p->space, USER_STACK_TOP - USER_STACK_SIZE - STACK_GAP);
  i->entry = i->elf.entry + i->bias;
  i->sp = build_stack(p, o, v, &r);
  if (r) log_error("%s: arguments and environment: %s", i->path, strerror(-r));
  return r;
}

void user_image_free(struct user_image *i) {
  symtab_free(&i->symbols);
  load_file_free(&i->file);
}
