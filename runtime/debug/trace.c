/* --trace: option text, the hooks engines call, and the lines. */
#include "debug/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/isa.h"
#include "core/log.h"
#include "core/symbols.h"
#include "mem/phys.h"
#include "mem/tlb.h"

struct kind {
  const char *name;
  size_t offset;
};
static const struct kind kinds[] = {
    {"insn", offsetof(struct machine, trace.insn)},     {"exc", offsetof(struct machine, trace.exc)},
    {"mmio", offsetof(struct machine, trace.mmio)},     {"sbi", offsetof(struct machine, trace.sbi)},
    {"blocks", offsetof(struct machine, trace.blocks)}, {"exits", offsetof(struct machine, trace.exits)},
};

static const struct kind *kind_find(const char *name, size_t len) {
  for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
    if (strlen(kinds[i].name) == len && !memcmp(kinds[i].name, name, len)) return &kinds[i];
  return NULL;
}

int trace_parse(struct machine *m, const char *text, char *why, size_t n) {
  const char *range = strchr(text, '=');
  const char *end = range ? range : text + strlen(text);
  for (const char *p = text;; p++) {
    size_t len = strcspn(p, ",=");
    const struct kind *k = kind_find(p, len);
    if (!k)
      return err_set(why, n, -EINVAL, "'%.*s' is none of insn, exc, mmio, sbi, blocks, exits", (int)len, p);
    *((bool *)((char *)m + k->offset)) = true;
    p += len;
    if (p >= end) break;
  }
  if (!range) return 0;
  char *at;
  errno = 0;
  uint64_t lo = strtoull(range + 1, &at, 0), hi = 0;
  bool ok = at != range + 1 && *at == '-' && at[1];
  if (ok) hi = strtoull(at + 1, &at, 0);
  if (!ok || *at || errno || hi <= lo)
    return err_set(why, n, -EINVAL, "'%s' is no range LO-HI with LO < HI", range + 1);
  m->trace.lo = lo;
  m->trace.hi = hi;
  return 0;
}

static void put(const struct vcpu *v, gva_t pc, const char *kind, const char *text) {
  char line[640];
  int n = v ? snprintf(line, sizeof line, "%-4s  %u:%016" PRIx64 "  %s\n", kind, v->c->index, pc, text)
            : snprintf(line, sizeof line, "%-4s  %s\n", kind, text);
  size_t len = n < (int)sizeof line ? (size_t)n : sizeof line - 1;
  line[len - 1] = '\n';
  if (write(STDERR_FILENO, line, len) < 0) return; /* nowhere to report it */
}

static bool enabled(const struct machine *m, const char *kind) {
  const struct kind *k = kind_find(kind, strlen(kind));
  return k && *((const bool *)((const char *)m + k->offset));
}

void trace_line(const struct machine *m, const char *kind, const char *fmt, ...) {
  char text[512];
  va_list ap;
  if (!enabled(m, kind)) return;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  put(NULL, 0, kind, text);
}

void trace_at(const struct vcpu *v, const char *kind, const char *fmt, ...) {
  char text[512];
  va_list ap;
  if (!enabled(v->c->machine, kind) || !trace_covers(v->c->machine, v->pc)) return;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  put(v, v->pc, kind, text);
}

const char *trace_trap_name(const struct isa *isa, uint32_t kind) {
  static __thread char buf[24];
  if (kind < isa->ntraps && isa->traps[kind].name) return isa->traps[kind].name;
  snprintf(buf, sizeof buf, "trap %u", kind);
  return buf;
}

static void on_insn(struct vcpu *v, const struct insn *d) {
  const struct isa *isa = v->c->isa;
  gva_t pc = v->pcbase + d->off;
  if (!trace_covers(v->c->machine, pc)) return;
  char text[200] = "", bytes[2 * 16 + 1] = "", line[256];
  uint8_t raw[16] = {0};
  /* The bytes as memory has them now; a crossing instruction's second half comes from the next page. */
  for (unsigned done = 0; done < d->len && d->len <= sizeof raw;) {
    struct trap kept = v->c->trap;
    unsigned n = tlb_fetch_bytes(v, pc + done, raw + done, d->len - done);
    if (!n) {
      v->c->trap = kept;
      break;
    }
    done += n;
  }
  for (unsigned i = 0; i < d->len && i < sizeof raw;
       i++) /* a fixed-width word as a number, other encodings in order */
    snprintf(bytes + 2 * i, 3, "%02x", raw[isa->insn_unit == 1 ? i : d->len - 1 - i]);
  isa->disasm(d, pc, DISASM_ALIASES, text, sizeof text);
  snprintf(line, sizeof line, "%-*s  %s", 2 * (isa->insn_unit == 1 ? 10 : isa->insn_max), bytes, text);
  put(v, pc, "insn", line);
}

static void on_trap(struct vcpu *v) {
  const struct trap *t = &v->c->trap;
  char args[80] = "";
  size_t at = 0;
  for (uint32_t i = 0; i < t->nargs && i < ARRAY_SIZE(t->arg); i++)
    at += (size_t)snprintf(args + at, sizeof args - at, "%s0x%" PRIx64, i ? ", " : "", t->arg[i]);
  trace_at(v, "exc", "%s(%s)", trace_trap_name(v->c->isa, t->kind), args);
}

static void on_interrupt(struct vcpu *v, gva_t from) {
  trace_at(v, "exc", "interrupt, from 0x%" PRIx64, from);
}

static void on_block(struct vcpu *v, const struct trace_block *b) {
  const struct machine *m = v->c->machine;
  char name[200], text[300];
  if (!trace_covers(m, b->pc)) return;
  symbols_text(m, b->pc, name, sizeof name);
  snprintf(text, sizeof text, "%u instructions, %u bytes, %" PRIu64 " ns  %s", b->insns, b->bytes, b->ns,
           name);
  put(v, b->pc, "block", text);
}

static void on_left(struct vcpu *v, const struct trace_exit *x) {
  const struct machine *m = v->c->machine;
  char from[20] = "-", name[200], text[300];
  if (!trace_covers(m, x->to) && !(x->known && trace_covers(m, x->from))) return;
  if (x->known) snprintf(from, sizeof from, "0x%" PRIx64, x->from);
  symbols_text(m, x->to, name, sizeof name);
  snprintf(text, sizeof text, "%-6s from %s  %s", x->kind, from, name);
  put(v, x->to, "exit", text);
}

void trace_attach(struct vcpu *v, const struct machine *m) {
  /* One table for each choice; filled the same by every thread that asks. */
  static struct trace_ops ops[16];
  const unsigned n = m->trace.insn | m->trace.exc << 1 | m->trace.blocks << 2 | m->trace.exits << 3;
  struct trace_ops *t = &ops[n];
  v->c->trace = n ? t : NULL;
  if (m->trace.insn) t->insn = on_insn;
  if (m->trace.exc) t->trap = on_trap, t->interrupt = on_interrupt;
  if (m->trace.blocks) t->block = on_block;
  if (m->trace.exits) t->left = on_left;
}
