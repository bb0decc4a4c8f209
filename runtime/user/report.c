/* Says where a program died. */
#include <inttypes.h>
#include <stdio.h>

#include "core/log.h"
#include "debug/trace.h"
#include "mem/tlb.h"
#include "user/process.h"

/* "text of the instruction" at pc, or why there is none. */
static void describe_insn(struct vcpu *v, char *text, size_t size) {
  const struct isa *isa = v->c->isa;
  uint64_t decoded[64] = {0};
  uint8_t bytes[16] = {0};
  struct insn *d = (struct insn *)decoded;
  unsigned n = 0;
  for (unsigned got;
       n < isa->insn_max && (got = tlb_fetch_bytes(v, v->pc + n, bytes + n, isa->insn_max - n));)
    n += got;
  int len = n ? isa->decode(v->c->features, bytes, n, d) : -1;
  if (len > 0) {
    isa->disasm(d, v->pc, DISASM_ALIASES, text, size);
    return;
  }
  size_t at = (size_t)snprintf(text, size, n ? "bytes" : "no instruction can be fetched");
  for (unsigned i = 0; i < n && i < 8 && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, " %02x", bytes[i]);
}

void user_report(struct user_thread *t, int signal, bool because) {
  struct user_image *image = &t->process->image;
  struct vcpu *v = t->vcpu;
  const struct trap trap = v->c->trap; /* describing the instruction may raise others */
  char why[200];
  /* Only now: most programs end without a need for names. */
  if (user_image_symbols(image, why, sizeof why)) log_error("%s: %s", image->path, why);
  const struct sym *s = sym_find(&image->symbols, v->pc);
  char insn[200], where[200] = "", what[200] = "";
  size_t at = 0;
  if (because) {
    at += (size_t)snprintf(what, sizeof what, "%s(", trace_trap_name(v->c->isa, trap.kind));
    for (uint32_t i = 0; i < trap.nargs && i < ARRAY_SIZE(trap.arg); i++)
      at += (size_t)snprintf(what + at, sizeof what - at, "%s0x%" PRIx64, i ? ", " : "", trap.arg[i]);
    snprintf(what + at, sizeof what - at, ") ");
  }
  if (s) snprintf(where, sizeof where, " (%.150s+0x%" PRIx64 ")", s->name, v->pc - s->addr);
  describe_insn(v, insn, sizeof insn);
  log_error("%s: %sat pc 0x%" PRIx64 "%s: %s: killed by signal %d", image->path, what, v->pc, where, insn, signal);
}
