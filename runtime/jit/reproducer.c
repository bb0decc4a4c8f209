/* What --check found, as a text file that `isomer replay` runs again without the program: options, registers, code, the memory
 * that the block touched, and what came out on both sides. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/isa.h"
#include "core/log.h"
#include "jit/check_int.h"
#include "mem/tlb.h"
#include "os/guest_access.h"

static void hex(FILE *f, const uint8_t *bytes, unsigned n) {
  for (unsigned i = 0; i < n; i++) fprintf(f, "%02x", bytes[i]);
}

static void words(FILE *f, const char *state, const struct reg_info *r) {
  uint8_t bytes[512] = {0};
  const unsigned n = (r->bits + 7u) / 8;
  if (n > sizeof bytes) return;
  for (unsigned i = 0; i < n; i++) bytes[n - 1 - i] = (uint8_t)state[r->offset + i];
  fprintf(f, " 0x");
  hex(f, bytes, n);
}

static bool is_zero(const char *state, const struct reg_info *r) {
  for (unsigned i = 0; i < (r->bits + 7u) / 8; i++)
    if (state[r->offset + i]) return false;
  return true;
}

static void code(FILE *f, struct jit *j, gva_t page) {
  const struct ir_block *ir = &j->ir;
  for (unsigned i = 0; i < ir->ninsn; i++) {
    const gva_t at = page + (gva_t)(int64_t)ir->insn[i].pc;
    const unsigned n = ir_decoded(ir, i)->len;
    uint8_t bytes[16];
    if (n > sizeof bytes || jit_bytes(j, at, bytes, n) < n) continue;
    fprintf(f, "memory %#" PRIx64 " ", at);
    hex(f, bytes, n);
    fputc('\n', f);
  }
}

/* Every byte as the block found it first; a line for each, or for those that follow each other in one access. */
static void data(FILE *f, const struct check *k) {
  for (unsigned i = 0; i < k->n; i++) {
    const struct made *m = &k->made[i];
    bool open = false;
    for (unsigned b = 0; b < m->size; b++) {
      bool before = false;
      for (unsigned o = 0; o < i; o++) before |= m->a + b - k->made[o].a < k->made[o].size;
      if (!before && !open) fprintf(f, "memory %#" PRIx64 " ", m->a + b);
      if (!before) hex(f, i < k->settled && m->reads ? &m->in[b] : &m->old[b], 1);
      if (before && open) fputc('\n', f);
      open = !before;
    }
    if (open) fputc('\n', f);
  }
}

static void text(FILE *f, struct jit *j, gva_t from, int64_t n, gva_t pc) {
  const struct check *k = j->check;
  const struct isa *isa = j->v->c->isa;
  const char *now = (const char *)j->v;
  fprintf(f, "isomer-reproducer 1\nisa %s\nmemory-is %s\nfeatures %#" PRIx64 "\ninsns %" PRId64 "\n",
          isa->name, j->direct ? "identity" : "tlb", j->v->c->features, n);
  if (jit_options.plant) fprintf(f, "plant %" PRIu64 "\n", jit_options.plant);
  if (k->monitor_before.size)
    fprintf(f, "monitor %#" PRIx64 " %u %#" PRIx64 " %#" PRIx64 "\n", k->monitor_before.addr,
            k->monitor_before.size, (uint64_t)(k->monitor_before.value >> 64),
            (uint64_t)k->monitor_before.value);
  fprintf(f, "pc %#" PRIx64 "\n", from);
  for (unsigned i = 0; i < isa->nregs; i++) {
    if (is_zero(k->before, &isa->regs[i])) continue;
    fprintf(f, "register %s", isa->regs[i].name);
    words(f, k->before, &isa->regs[i]);
    fputc('\n', f);
  }
  code(f, j, from & GUEST_PAGE_MASK);
  data(f, k);
  fprintf(f, "# after it: what differs, translated (seen) and interpreted (expected)\n");
  if (pc != j->v->pc) fprintf(f, "# pc %#" PRIx64 " %#" PRIx64 "\n", pc, j->v->pc);
  for (unsigned i = 0; i < isa->nregs; i++) {
    const struct reg_info *r = &isa->regs[i];
    if (!memcmp(k->after + r->offset, now + r->offset, (r->bits + 7u) / 8)) continue;
    fprintf(f, "# register %s", r->name);
    words(f, k->after, r);
    words(f, now, r);
    fputc('\n', f);
  }
  if (k->bad.what && k->bad.known) {
    fprintf(f, "# memory %#" PRIx64 " ", k->bad.a);
    hex(f, k->bad.translated, k->bad.size);
    fputc(' ', f);
    hex(f, k->bad.interpreted, k->bad.size);
    fputc('\n', f);
  }
}

void check_reproducer(struct jit *j, gva_t from, int64_t n, gva_t pc) {
  char name[64], *path = jit_options.reproducer_name;
  int fd = jit_options.reproducer;
  if (jit_options.replaying) return;
  if (fd < 0 && !j->direct) { /* its process may not open files any more */
    log_error("check: with --reproducer FILE there is a file that `isomer replay` runs again");
    return;
  }
  if (fd < 0) {
    snprintf(name, sizeof name, "isomer-check.%d", (int)getpid());
    path = name;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  char *all = NULL;
  size_t size = 0;
  FILE *f =
      open_memstream(&all, &size); /* a stream of the descriptor asks for more than the sandbox allows */
  if (!f) return;
  text(f, j, from, n, pc);
  fclose(f);
  if (fd < 0 || !all || write(fd, all, size) != (ssize_t)size)
    log_error("check: %s: %s", path, strerror(errno));
  else log_error("check: run it again, alone: isomer replay %s", path);
  free(all);
  if (fd >= 0) close(fd);
  jit_options.reproducer = -1;
}
