/* The block as text, one entry a line:  "  12 i64  ADD 3 7", ways out with their snapshots behind. */
#include <inttypes.h>

#include "ir/int.h"

static const char *const type_name[] = {"", "i32", "i64", "i128", "f32", "f64", "v128", "v256"};
static const char *const exit_name[] = {"jump", "interp", "step", "end", "wait"};
static const char *const jump_name[] = {"branch", "call", "ret", "eret", "next", "restart"};

static void print_exit(const struct ir_block *b, unsigned n, FILE *out) {
  const struct ir_exit *x = &b->exit[n];
  const struct ir_snap *s = &b->snap[x->snap];
  fprintf(out, " -> %s", exit_name[x->kind]);
  if (x->kind == IX_JUMP) fprintf(out, " %s", jump_name[x->jump]);
  if (x->target) fprintf(out, " to %u", x->target);
  fprintf(out, " insn %u count %u {", x->insn, x->count);
  for (unsigned i = 0; i < s->n; i++)
    fprintf(out, "%s%u=%u", i ? " " : "", b->snap_value[s->first + i].slot,
            b->snap_value[s->first + i].value);
  fprintf(out, "}");
}

void ir_print(const struct ir_block *b, FILE *out) {
  unsigned insn = 0;
  for (unsigned r = 1; r < b->n; r++) {
    const struct ir_ins *i = &b->ins[r];
    const struct ir_op_info *o = &ir_op_info[i->op];
    for (; insn < b->ninsn && b->insn[insn].first <= r; insn++)
      fprintf(out, "; insn %u at page + %#x, %u bytes\n", insn, (unsigned)b->insn[insn].pc,
              b->insn[insn].len);
    if (i->op == IR_NOP) continue;
    fprintf(out, "%4u%c %-4s %s", r, i->flags & IRF_COLD ? '*' : ' ', type_name[i->type], o->name);
    if (i->op == IR_CONST || i->op == IR_PC) {
      u128 v = ir_const_value(b, r);
      if (v >> 64 && i->op == IR_CONST)
        fprintf(out, " 0x%" PRIx64 "%016" PRIx64, (uint64_t)(v >> 64), (uint64_t)v);
      else fprintf(out, " %#" PRIx64, (uint64_t)v);
    }
    if (o->nargs > 0) fprintf(out, " %u", i->a);
    if (o->nargs > 1) fprintf(out, " %u", i->b);
    if (o->nargs > 2) fprintf(out, " %u", i->c);
    if (i->op == IR_GET || i->op == IR_PUT || i->op == IR_HANDLER || i->op == IR_FENCE || i->op == IR_SEXT ||
        i->op == IR_RAISE || (i->op >= IR_VADD && i->op <= IR_VINS) ||
        (i->op >= IR_VADDSS && i->op <= IR_VSHRSV))
      fprintf(out, " #%u", i->aux);
    if (i->op == IR_VLANE) fprintf(out, " [%u]", i->b);
    if (i->op == IR_VINS) fprintf(out, " [%u]", i->c);
    if (i->op == IR_GUARD) fprintf(out, " is %u", i->b);
    if (ir_is_access((enum ir_op)i->op))
      fprintf(out, " .%u%s attr %u", IR_MEM_BITS(i->aux), i->flags & IRF_SIGN ? "s" : "",
              IR_MEM_ATTR(i->aux));
    if (i->op == IR_RMW) fprintf(out, " op %u", IR_MEM_RMW(i->aux));
    if (ir_has_exit((enum ir_op)i->op)) print_exit(b, i->c, out);
    fputc('\n', out);
  }
}
