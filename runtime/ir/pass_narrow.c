/* Entries take over what is done to their operands: a sign extension that is its load's only use becomes the load's own; a
 * store takes what it stores without masks; sums multiply an operand by 2, 4 or 8 when nothing else needs the multiple. */
#include <string.h>

#include "core/bits.h"
#include "ir/ir.h"

static void count(uint16_t *uses, unsigned r) {
  if (uses[r] < UINT16_MAX) uses[r]++;
}

static void count_uses(const struct ir_block *b, uint16_t *uses) {
  memset(uses, 0, sizeof *uses * b->n);
  for (unsigned r = 1; r < b->n; r++) {
    const struct ir_ins *i = &b->ins[r];
    const struct ir_op_info *o = &ir_op_info[i->op];
    if (o->nargs > 0) count(uses, i->a);
    if (o->nargs > 1) count(uses, i->b);
    if (o->nargs > 2) count(uses, i->c);
    if (!ir_has_exit((enum ir_op)i->op)) continue;
    const struct ir_exit *x = &b->exit[i->c];
    count(uses, x->target);
    for (unsigned k = 0; k < b->snap[x->snap].n; k++)
      count(uses, b->snap_value[b->snap[x->snap].first + k].value);
  }
}

/* What store of n bits may take instead of r. */
static unsigned low_part(const struct ir_block *b, unsigned r, unsigned n) {
  for (;;) {
    const struct ir_ins *i = &b->ins[r];
    uint64_t m = i->op == IR_AND && b->ins[i->b].op == IR_CONST ? (uint64_t)ir_const_value(b, i->b) : 0;
    bool drops = (i->op == IR_AND && n <= 64 && (m & bits_mask(n)) == bits_mask(n)) ||
                 (i->op == IR_TRUNC && n <= 32) || (i->op == IR_ZEXT && n <= 32) ||
                 (i->op == IR_SEXT && n <= i->aux);
    if (!drops || b->ins[i->a].type == IT_I128) return r;
    r = i->a;
  }
}

/* The operand of r that sums alone need, a shift to the left by at most 3; 0: none. */
static unsigned multiple(const struct ir_block *b, unsigned r, const uint16_t *uses, const uint16_t *added) {
  const struct ir_ins *i = &b->ins[r];
  const unsigned of[2] = {i->b, i->a};
  if (b->ins[i->b].op == IR_CONST) return 0; /* an address adds it for nothing */
  for (unsigned k = 0; k < 2; k++) {
    const struct ir_ins *s = &b->ins[of[k]];
    if (s->op != IR_SHL || b->ins[s->b].op != IR_CONST || uses[of[k]] != added[of[k]]) continue;
    if (ir_const_value(b, s->b) >= 1 && ir_const_value(b, s->b) <= 3) return of[k];
  }
  return 0;
}

static void multiply(struct ir_block *b, const uint16_t *uses) {
  static _Thread_local uint16_t added[IR_MAX_INS];
  memset(added, 0, sizeof *added * b->n);
  for (unsigned r = 1; r < b->n; r++)
    if (b->ins[r].op == IR_ADD) added[b->ins[r].a]++, added[b->ins[r].b]++;
  for (unsigned r = 1; r < b->n; r++) {
    struct ir_ins *i = &b->ins[r];
    const unsigned m = i->op == IR_ADD ? multiple(b, r, uses, added) : 0;
    if (!m) continue;
    const struct ir_ins *s = &b->ins[m];
    i->a = m == i->b ? i->a : i->b;
    i->b = s->a;
    i->op = IR_ADDX;
    i->aux = 1u << (unsigned)ir_const_value(b, s->b);
  }
}

void ir_pass_narrow(struct ir_block *b) {
  static _Thread_local uint16_t uses[IR_MAX_INS];
  static _Thread_local uint16_t now[IR_MAX_INS]; /* what an entry was replaced by, 0 = itself */
  bool moved = false;
  count_uses(b, uses);
  multiply(b, uses);
  memset(now, 0, sizeof *now * b->n);
  for (unsigned r = 1; r < b->n; r++) {
    struct ir_ins *i = &b->ins[r];
    if (i->op == IR_STORE) {
      i->b = (uint16_t)low_part(b, i->b, IR_MEM_BITS(i->aux));
      continue;
    }
    if (i->op != IR_SEXT) continue;
    struct ir_ins *ld = &b->ins[i->a];
    if (ld->op != IR_LOAD || uses[i->a] != 1 || IR_MEM_BITS(ld->aux) != i->aux || ld->flags & IRF_SIGN)
      continue;
    ld->flags |= IRF_SIGN;
    ld->type = i->type;
    ld->bits = i->type == IT_I64 ? 64 : 32;
    now[r] = i->a;
    *i = (struct ir_ins){.op = IR_NOP};
    moved = true;
  }
  if (!moved) return;
  for (unsigned r = 1; r < b->n; r++) {
    struct ir_ins *i = &b->ins[r];
    const struct ir_op_info *o = &ir_op_info[i->op];
    if (o->nargs > 0 && now[i->a]) i->a = now[i->a];
    if (o->nargs > 1 && now[i->b]) i->b = now[i->b];
    if (o->nargs > 2 && now[i->c]) i->c = now[i->c];
  }
  for (unsigned k = 0; k < b->nsnap_value; k++) {
    uint16_t *v = &b->snap_value[k].value;
    if (now[*v]) *v = now[*v];
  }
  for (unsigned k = 0; k < b->nexit; k++) {
    if (now[b->exit[k].target]) b->exit[k].target = now[b->exit[k].target];
  }
}

void ir_optimize(struct ir_block *b) {
  ir_pass_dead(b);
  ir_pass_narrow(b);
  ir_pass_dead(b);
}
