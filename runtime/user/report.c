/* Says where a program died. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* " (name+distance)" of pc: a symbol of the program, or the file that is mapped there; "" when there is neither. */
static void describe_place(struct user_process *p, gva_t pc, char *text, size_t size) {
  struct user_image *image = &p->image;
  struct space_info m;
  char why[200];
  *text = 0;
  if (pc >= image->code_start && pc < image->code_end) {
    /* Only now: most programs end without a need for names. */
    if (user_image_symbols(image, why, sizeof why)) log_error("%s: %s", image->path, why);
    const struct sym *s = sym_find(&image->symbols, pc);
    if (s) snprintf(text, size, " (%.150s+0x%" PRIx64 ")", s->name, pc - s->addr);
  } else if (space_next(p->space, pc, &m) && m.start <= pc && *m.name) {
    const char *slash = strrchr(m.name, '/');
    snprintf(text, size, " (%.150s+0x%" PRIx64 ")", slash ? slash + 1 : m.name, pc - m.start + m.off);
  }
}

void user_report(struct user_thread *t, int signal, bool because) {
  struct vcpu *v = t->vcpu;
  const struct trap trap = v->c->trap; /* describing the instruction may raise others */
  char insn[200], where[200], what[200] = "";
  size_t at = 0;
  if (because) {
    at += (size_t)snprintf(what, sizeof what, "%s(", trace_trap_name(v->c->isa, trap.kind));
    for (uint32_t i = 0; i < trap.nargs && i < ARRAY_SIZE(trap.arg); i++)
      at += (size_t)snprintf(what + at, sizeof what - at, "%s0x%" PRIx64, i ? ", " : "", trap.arg[i]);
    snprintf(what + at, sizeof what - at, ") ");
  }
  describe_place(t->process, v->pc, where, sizeof where);
  describe_insn(v, insn, sizeof insn);
  log_error("%s: %sat pc 0x%" PRIx64 "%s: %s: killed by signal %d", t->process->image.path, what, v->pc,
            where, insn, signal);
}
