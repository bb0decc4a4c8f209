/* A user-mode process: its image, stack and life. What its system calls do is syscalls.c and calls_*.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/log.h"
#include "debug/trace.h"
#include "loader/load.h"
#include "mem/flat.h"
#include "mem/phys.h"
#include "mem/tlb.h"
#include "user/user.h"

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
  struct phys *phys;
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
  s->error = phys_write(s->phys, s->sp, bytes, n);
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
static gva_t build_stack(struct user_process *p, const struct elf *e, uint64_t bias, int argc,
                         char *const *argv, char *const *envp, int *error) {
  unsigned nenv = count(envp), n = (unsigned)argc + nenv;
  struct stack s = {.phys = p->machine->phys, .sp = USER_STACK_TOP, .limit = USER_STACK_TOP - STRINGS_MAX};
  uint64_t (*hwcap)(const struct vcpu *) = p->vcpu->c->isa->arch->user_hwcap;
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
      {AT_HWCAP_, hwcap ? hwcap(p->vcpu) : 0},
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
    else s.error = phys_write(s.phys, slot, &text, 8);
    text += strlen(i < (unsigned)argc ? argv[i] : envp[i - (unsigned)argc]) + 1;
  }
  push_word(&s, (uint64_t)argc);
  *error = s.error;
  return s.error ? 0 : s.sp;
}

int user_create(struct user_process *p, const struct isa *want, int argc, char *const *argv,
                char *const *envp) {
  struct load_info info;
  char why[200];
  memset(p, 0, sizeof *p);
  p->path = argv[0];
  int r = load_open(argv[0], want, false, &p->file, &info);
  if (r) return r;
  if (info.kind != LOAD_ELF) {
    log_error("%s: is a kernel, not a program", argv[0]);
    r = -ENOEXEC;
    goto out;
  }
  const struct arch_ops *arch = info.isa->arch;
  p->abi = user_abi_find(info.isa->elf_machine);
  if (!p->abi || !arch->user_entry || !arch->user_syscall || !arch->user_result || !arch->user_signal) {
    log_error("%s: there is no user mode for %s in this version", argv[0], info.isa->name);
    r = -ENOEXEC;
    goto out;
  }
  r = -ENOMEM;
  p->machine = machine_new(info.isa);
  if (!p->machine) goto out;
  p->flat = flat_new(p->machine->phys);
  p->vcpu = p->flat ? machine_add_vcpu(p->machine, info.isa->default_features) : NULL;
  if (!p->vcpu) goto out;
  p->vcpu->c->trap_exits = true;
  uint64_t bias = info.elf.pie ? PIE_BIAS : 0;
  r = flat_attach(p->flat, p->vcpu);
  if (!r) r = flat_map(p->flat, USER_STACK_TOP - USER_STACK_SIZE, USER_STACK_SIZE, FLAT_R | FLAT_W);
  if (r) {
    log_error("%s: cannot set up its address space: %s", argv[0], strerror(-r));
    goto out;
  }
  r = elf_map(&info.elf, p->flat, p->machine->phys, bias, why, sizeof why);
  if (r) {
    log_error("%s: %s", argv[0], why);
    goto out;
  }
  p->brk_start = p->brk = (info.elf.last + bias + GUEST_PAGE_SIZE) & GUEST_PAGE_MASK;
  p->map_top = USER_STACK_TOP - USER_STACK_SIZE - STACK_GAP;
  gva_t sp = build_stack(p, &info.elf, bias, argc, argv, envp, &r);
  if (r) log_error("%s: arguments and environment: %s", argv[0], strerror(-r));
  else arch->user_entry(p->vcpu, info.elf.entry + bias, sp);
  p->elf = info.elf;
  p->bias = bias;
out:
  return r;
}

void user_free(struct user_process *p) {
  symtab_free(&p->symbols);
  load_file_free(&p->file);
  machine_free(
      p->machine); /* the vCPU first: it translates through flat, which maps into the machine's memory */
  flat_free(p->flat);
  *p = (struct user_process){0};
}

/* "text of the instruction" at pc, or why there is none. */
static void describe_insn(struct vcpu *v, char *text, size_t size) {
  const struct isa *isa = v->c->isa;
  uint64_t decoded[64] = {0};
  uint8_t bytes[16] = {0};
  struct insn *d = (struct insn *)decoded;
  unsigned n = 0;
  for (; n < isa->insn_max; n++) {
    gpa_t page;
    const uint8_t *host;
    if (tlb_fetch(v, v->pc + n, &page, &host) || !host) break;
    bytes[n] = host[(v->pc + n) & ~GUEST_PAGE_MASK];
  }
  int len = n ? isa->decode(v->c->features, bytes, n, d) : -1;
  if (len > 0) {
    isa->disasm(d, v->pc, DISASM_ALIASES, text, size);
    return;
  }
  size_t at = (size_t)snprintf(text, size, n ? "bytes" : "no instruction can be fetched");
  for (unsigned i = 0; i < n && i < 8 && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, " %02x", bytes[i]);
}

static int killed(struct user_process *p) {
  struct vcpu *v = p->vcpu;
  const struct trap t = v->c->trap; /* describing the instruction may raise others */
  const int sig = v->c->isa->arch->user_signal(v);
  char why[200];
  /* Only now: most programs end without a need for names. */
  if (symtab_load(&p->elf, p->bias, &p->symbols, why, sizeof why)) log_error("%s: %s", p->path, why);
  const struct sym *s = sym_find(&p->symbols, v->pc);
  char insn[200], where[200] = "", args[80] = "";
  size_t at = 0;
  for (uint32_t i = 0; i < t.nargs && i < ARRAY_SIZE(t.arg); i++)
    at += (size_t)snprintf(args + at, sizeof args - at, "%s0x%" PRIx64, i ? ", " : "", t.arg[i]);
  if (s) snprintf(where, sizeof where, " (%.150s+0x%" PRIx64 ")", s->name, v->pc - s->addr);
  describe_insn(v, insn, sizeof insn);
  log_error("%s: %s(%s) at pc 0x%" PRIx64 "%s: %s: killed by signal %d", p->path,
            trace_trap_name(v->c->isa, t.kind), args, v->pc, where, insn, sig);
  return 128 + sig;
}

int user_run(struct user_process *p) {
  struct vcpu *v = p->vcpu;
  const struct arch_ops *arch = v->c->isa->arch;
  while (!p->exited) {
    uint64_t nr, arg[6];
    if (v->budget <= 0) vcpu_set_budget(v, INT64_MAX / 2);
    __atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
    switch (v->c->engine_ops->run(v)) {
    case EXIT_TRAP:
      if (!arch->user_syscall(v, &nr, arg)) return killed(p);
      arch->user_result(v, user_call(p, nr, arg));
      break;
    case EXIT_ERROR:
    case EXIT_SHUTDOWN: return -EIO;
    default: break; /* kicks, budget and waiting mean nothing here: go on */
    }
  }
  return p->status;
}
