/* Text of decoded variable-length instructions, in Intel syntax. Not responsible for parsing it (form_asm.c). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/form.h"

struct out {
  char *buf;
  size_t n, len;
};

static __attribute__((format(printf, 2, 3))) void put(struct out *o, const char *format, ...) {
  va_list ap;

  va_start(ap, format);
  int k = vsnprintf(o->len < o->n ? o->buf + o->len : NULL, o->len < o->n ? o->n - o->len : 0, format, ap);
  va_end(ap);
  if (k > 0) o->len += (size_t)k;
}

static const char *reg(const struct form_isa *f, unsigned table, unsigned n) {
  const struct form_names *t = &f->names[table];
  return n < t->n && t->names[n] ? t->names[n] : "?";
}

static void pointer(struct out *o, const struct form_isa *f, unsigned bits) {
  if (bits) put(o, "%s ptr ", f->pointer(bits));
}

static void segment(struct out *o, const struct form_isa *f, unsigned seg) {
  if (seg < f->nsegments && f->segments[seg]) put(o, "%s:", f->segments[seg]);
}

static void memory(struct out *o, const struct form_isa *f, const struct form_args *a, unsigned bits) {
  const char *sep = "";

  pointer(o, f, bits);
  segment(o, f, a->seg);
  put(o, "[");
  if (a->base == f->pc) {
    put(o, "%s", a->a32 ? f->narrow_pc_name : f->pc_name);
    sep = " + ";
  } else if (a->base != f->none) {
    put(o, "%s", reg(f, a->a32 ? f->narrow : f->wide, a->base));
    sep = " + ";
  }
  if (a->index != f->none || a->scale) {
    put(o, "%s", sep);
    if (a->scale || a->base == f->none) put(o, "%d*", 1 << a->scale);
    put(o, "%s",
        a->index == f->none ? (a->a32 ? "eiz" : "riz") : reg(f, a->a32 ? f->narrow : f->wide, a->index));
    sep = " + ";
  }
  int64_t disp = (int64_t)a->disp;
  if (!*sep) put(o, "%" PRId64, disp);
  else if (disp < 0) put(o, " - %" PRIu64, -(uint64_t)disp);
  else if (disp) put(o, " + %" PRId64, disp);
  put(o, "]");
}

static uint64_t low(uint64_t v, unsigned bits) { return bits < 64 ? v & ((UINT64_C(1) << bits) - 1) : v; }

static void operand(struct out *o, const struct form_isa *f, const struct form_leaf *l,
                    const struct form_op *p, const struct form_args *a) {
  switch (p->place) {
  case FORM_RM:
    if (l->flags & FORM_MEMORY) memory(o, f, a, p->bits);
    else put(o, "%s", reg(f, p->names, a->rm));
    break;
  case FORM_MEM: memory(o, f, a, p->bits); break;
  case FORM_LOW: put(o, "%s", reg(f, p->names, a->rm)); break;
  case FORM_REG: put(o, "%s", reg(f, p->names, a->reg)); break;
  case FORM_VVVV: put(o, "%s", reg(f, p->names, a->vvvv)); break;
  case FORM_FIXED: put(o, "%s", reg(f, p->names, p->index)); break;
  case FORM_ONE: put(o, "1"); break;
  case FORM_REL: put(o, "%" PRId64, (int64_t)a->imm); break;
  case FORM_IMM:
    if (p->minus) put(o, "%" PRId64, (int64_t)a->imm);
    else put(o, "%" PRIu64, low(a->imm, p->bits));
    break;
  case FORM_MOFFS:
    pointer(o, f, p->bits);
    segment(o, f, a->seg);
    put(o, "[%" PRId64 "]", (int64_t)a->disp);
    break;
  case FORM_SOURCE:
    pointer(o, f, p->bits);
    segment(o, f, a->seg);
    put(o, "[%s]", reg(f, a->a32 ? f->narrow : f->wide, p->index));
    break;
  case FORM_DEST:
    pointer(o, f, p->bits);
    put(o, "es:[%s]", reg(f, a->a32 ? f->narrow : f->wide, p->index));
    break;
  default: break;
  }
}

int form_text(const struct form_isa *f, unsigned op, const struct form_args *a, char *buf, size_t n) {
  struct out o = {buf, n, 0};
  const struct form_leaf *l = &f->leaves[op];
  const char *sep = " ";

  if (n) buf[0] = 0;
  if (l->flags & FORM_LOCK) put(&o, "lock ");
  if (l->flags & FORM_REP && a->rep) put(&o, "%s", a->rep == 1 ? "rep " : "repne ");
  bool bare = l->flags & FORM_MEMORY && a->base == f->none && a->index == f->none && !a->scale;
  if (a->a32 && bare) put(&o, "addr32 ");
  put(&o, "%s", f->strings + l->mnemonic);
  for (unsigned k = 0; k < l->nops; k++) {
    if (l->ops[k].hidden) continue;
    put(&o, "%s", sep);
    operand(&o, f, l, &l->ops[k], a);
    sep = ", ";
  }
  return (int)o.len;
}
