/* Removes entries that no effect, no way out and no snapshot needs. FP operations stay: they raise flags. */
#include <string.h>

#include "ir/ir.h"

static void need_exit(const struct ir_block *b, unsigned n, bool *live) {
  const struct ir_exit *x = &b->exit[n];
  const struct ir_snap *s = &b->snap[x->snap];
  live[x->target] = true;
  for (unsigned i = 0; i < s->n; i++) live[b->snap_value[s->first + i].value] = true;
}

void ir_pass_dead(struct ir_block *b) {
  static _Thread_local bool live[IR_MAX_INS];
  memset(live, 0, b->n);
  for (unsigned r = b->n - 1; r; r--) {
    struct ir_ins *i = &b->ins[r];
    const struct ir_op_info *o = &ir_op_info[i->op];
    if (!live[r] && o->kind != 'E' && o->kind != 'F') {
      *i = (struct ir_ins){.op = IR_NOP};
      continue;
    }
    if (o->nargs > 0) live[i->a] = true;
    if (o->nargs > 1) live[i->b] = true;
    if (o->nargs > 2) live[i->c] = true;
    if (ir_has_exit((enum ir_op)i->op)) need_exit(b, i->c, live);
  }
}
