/* Executes instructions one by one on Isomer's interpreter: decode, handler, resulting state. The other half of
 * tests/lib/meaning.py, which says what the streams hold; tests/meaning/native.c does the same on a processor.
 *
 *   exec_leaf ISA [NAME=VALUE...] <in >out    sets registers that the cases do not name, once, after reset */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "core/log.h"
#include "interp/interp.h"
#include "mem/access.h"
#include "mem/phys.h"
#include "tests/meaning/stream.h"
#include "tests/oracle/identity.h"

enum { RESTARTS = 100000, INSN_MAX = 512 };

struct word {
  uint32_t offset; /* in struct vcpu */
  uint32_t bytes;
};

static struct vcpu *v;
static const struct isa *isa;
static struct word *word;
static struct header head;
static uint8_t *scratch; /* host address of the window */

static _Noreturn void die(const char *what) {
  fprintf(stderr, "exec_leaf: %s\n", what);
  exit(2);
}

static void get(void *to, size_t n) {
  if (n && fread(to, n, 1, stdin) != 1) die("the stream ends too early");
}

static void put(const void *from, size_t n) {
  if (n && fwrite(from, n, 1, stdout) != 1) die("cannot write results");
}

/* "name" or "name:k", k counting words of 64 bits. */
static struct word find(char *name) {
  unsigned part = 0;
  char *colon = strchr(name, ':');
  if (colon) {
    part = (unsigned)strtoul(colon + 1, NULL, 10);
    *colon = 0;
  }
  for (unsigned i = 0; i < isa->nregs; i++) {
    const struct reg_info *r = &isa->regs[i];
    if (strcmp(r->name, name)) continue;
    uint32_t bytes = r->bits <= 8 ? 1 : r->bits <= 16 ? 2 : r->bits <= 32 ? 4 : 8;
    return (struct word){r->offset + 8 * part, bytes};
  }
  fprintf(stderr, "exec_leaf: %s has no register '%s'\n", isa->name, name);
  exit(2);
}

static uint64_t read_word(uint32_t k) {
  uint64_t x = 0;
  if (k < head.nwords) memcpy(&x, (uint8_t *)v + word[k].offset, word[k].bytes);
  else memcpy(&x, scratch + 8 * (k - head.nwords), 8);
  return x;
}

static void write_word(uint32_t k, uint64_t x) {
  if (k < head.nwords) memcpy((uint8_t *)v + word[k].offset, &x, word[k].bytes);
  else if (k < head.nwords + SCRATCH_WORDS) memcpy(scratch + 8 * (k - head.nwords), &x, 8);
  else die("no such word");
}

static struct result step(const struct slot *s, uint64_t pc, struct insn *d) {
  struct result r = {.kind = KIND_NEXT};
  int n = isa->decode(v->c->features, s->code, s->len, d);
  v->pc = pc;
  v->pcbase = pc & GUEST_PAGE_MASK;
  if (n != (int)s->len) {
    r.kind = KIND_ILLEGAL;
    r.pc = (uint64_t)(int64_t)n;
    return r;
  }
  d->off = (uint16_t)(pc & ~GUEST_PAGE_MASK);
  r.op = d->op;
  mem_excl_clear(v);
  int rc = STEP_RESTART;
  for (unsigned i = 0; i < RESTARTS && rc == STEP_RESTART; i++) {
    rc = isa->exec[d->op](v, d);
    if (!head.repeat) break;
  }
  switch (rc) {
  case STEP_NEXT:
  case STEP_END: break;
  case STEP_JUMP:
  case STEP_JUMP_END:
    r.kind = KIND_JUMP;
    r.pc = v->pc;
    break;
  case STEP_TRAP:
    v->pc = pc;
    r.kind = KIND_TRAP;
    r.trap = v->c->trap.kind;
    r.nargs = v->c->trap.nargs;
    memcpy(r.arg, v->c->trap.arg, sizeof r.arg);
    r.signal = (uint32_t)isa->arch->user_signal(v).signal;
    break;
  case STEP_RESTART: r.kind = KIND_RESTART; break;
  case STEP_WAIT: r.kind = KIND_WAIT; break;
  default: die("a handler returned what is no step");
  }
  return r;
}

int main(int argc, char **argv) {
  if (argc < 2 || !(isa = isa_find(argv[1]))) die("usage: exec_leaf ISA [NAME=VALUE...]");
  struct phys *p = phys_new();
  v = p ? vcpu_new(isa, p, 0, isa->default_features) : NULL;
  if (!v || phys_add_ram(p, SCRATCH_PAGE, 2 * GUEST_PAGE_SIZE, "scratch")) die("cannot set up");
  identity_attach(v);
  scratch = phys_ptr(p, SCRATCH, SCRATCH_WORDS * 8, true);
  if (!scratch) die("no scratch memory");
  for (int i = 2; i < argc; i++) {
    char *eq = strchr(argv[i], '=');
    if (!eq) die("NAME=VALUE is needed");
    *eq = 0;
    struct word w = find(argv[i]);
    uint64_t x = strtoull(eq + 1, NULL, 0);
    memcpy((uint8_t *)v + w.offset, &x, w.bytes);
  }
  get(&head, sizeof head);
  if (head.nslots > CODE_SLOTS) die("too many slots");
  char *names = calloc(1, head.names + 1);
  word = calloc(head.nwords + 1, sizeof *word);
  size_t total = head.nwords + SCRATCH_WORDS;
  uint64_t *base = calloc(total, 8), *before = calloc(total, 8);
  struct slot *slots = calloc(head.nslots + 1, sizeof *slots);
  struct change *change = calloc(total, sizeof *change);
  if (!names || !word || !base || !before || !slots || !change) die("out of memory");
  get(names, head.names);
  char *name = strtok(names, " ");
  for (uint32_t k = 0; k < head.nwords; k++, name = strtok(NULL, " ")) {
    if (!name) die("fewer names than words");
    word[k] = find(name);
  }
  get(base, total * 8);
  get(slots, head.nslots * sizeof *slots);
  uint8_t *start = malloc(isa->vcpu_size);
  struct insn *d = aligned_alloc(16, INSN_MAX);
  if (!start || !d || isa->insn_size > INSN_MAX) die("out of memory");
  memcpy(start, v, isa->vcpu_size);
  for (uint32_t i = 0; i < head.ncases; i++) {
    struct test_case c;
    get(&c, sizeof c);
    if (c.slot >= head.nslots || c.nsets > total) die("a case is damaged");
    get(change, c.nsets * sizeof *change);
    /* Everything behind the head of the vCPU is the ISA's own state. */
    memcpy((uint8_t *)v + sizeof *v, start + sizeof *v, isa->vcpu_size - sizeof *v);
    for (uint32_t k = 0; k < total; k++) write_word(k, base[k]);
    for (uint32_t k = 0; k < c.nsets; k++) write_word(change[k].word, change[k].value);
    for (uint32_t k = 0; k < total; k++) before[k] = read_word(k);
    struct result r = step(&slots[c.slot], CODE + (uint64_t)c.slot * SLOT_SIZE, d);
    for (uint32_t k = 0; k < total; k++) {
      uint64_t now = read_word(k);
      if (now != before[k]) change[r.nchanges++] = (struct change){.word = k, .value = now};
    }
    put(&r, sizeof r);
    put(change, r.nchanges * sizeof *change);
  }
  if (fflush(stdout)) die("cannot write results");
  vcpu_free(v);
  phys_free(p);
  return 0;
}
