/* Marks pure entries that only snapshots of ways out before the block's last one need (IRF_COLD): flags that a fault would
 * show, most of all. Their operands must be kept until there, they themselves are computed only when that way is taken. */
#include <string.h>

#include "ir/ir.h"

static void need_exit(const struct ir_block *b, unsigned n, bool *hot) {
  const struct ir_exit *x = &b->exit[n];
  const struct ir_snap *s = &b->snap[x->snap];
  hot[x->target] = true;
  for (unsigned i = 0; i < s->n; i++) hot[b->snap_value[s->first + i].value] = true;
}

void ir_pass_cold(struct ir_block *b) {
  static _Thread_local bool hot[IR_MAX_INS];
  memset(hot, 0, b->n);
  for (unsigned r = b->n - 1; r; r--) {
    struct ir_ins *i = &b->ins[r];
    const struct ir_op_info *o = &ir_op_info[i->op];
    i->flags &= (uint8_t)~IRF_COLD;
    if (i->op == IR_NOP) continue;
    if (!hot[r] && o->kind == 'P' && i->op != IR_CONST && i->op != IR_PC) {
      i->flags |= IRF_COLD;
      continue;
    }
    if (o->nargs > 0) hot[i->a] = true;
    if (o->nargs > 1) hot[i->b] = true;
    if (o->nargs > 2) hot[i->c] = true;
    if (i->op == IR_EXIT) need_exit(b, i->c, hot);
  }
}
