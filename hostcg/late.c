/* Values that only ways out need: flags that a fault would show, most of all. The main path does not compute them; their
 * operands are kept, and the runtime computes them when such a way is taken, or code on a way to another block (flags.c).
 * Decides which they are. */
#include <string.h>

#include "hostcg/cg_int.h"

enum { COST = 16 }; /* operations that one value may take */

/* What ir_compute does. */
static bool can(const struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const ref args[3] = {i->a, i->b, i->c};
  if (i->type != IT_I32 && i->type != IT_I64) return false;
  if (!((i->op >= IR_ADD && i->op <= IR_TRUNC) || i->op == IR_SELECT ||
        (i->op >= IR_CLZ && i->op <= IR_ORC8)))
    return false;
  for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
    const unsigned t = ins_of(g, args[n])->type;
    if (t != IT_I32 && t != IT_I64) return false;
  }
  return true;
}

enum need { NOT, LATE, NOW };

static void want(uint8_t *need, ref r, enum need how) {
  if (need[r] < how) need[r] = (uint8_t)how;
}

/* A comparison that its users make by themselves: jumps and selections, and ways to other blocks, of its operands. */
static bool want_late(const struct cg *g, uint8_t *need, ref r) {
  ref args[2], sum;
  if (!may_compare_late(g, r, args, &sum)) return false;
  want(need, r, LATE);
  want(need, sum, LATE);
  want(need, args[0], NOW);
  want(need, args[1], NOW);
  return true;
}

/* r is computed after all, and so are its operands. */
static void now(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const ref args[3] = {i->a, i->b, i->c};
  if (!g->late_value[r]) return;
  g->late_value[r] = 0;
  for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) now(g, args[n]);
}

void late_values(struct cg *g) {
  static _Thread_local uint8_t need[IR_MAX_INS];
  const struct ir_block *b = g->b;
  memset(need, 0, b->n);
  memset(g->late_value, 0, b->n);
  for (ref r = b->n - 1; r; r--) {
    const struct ir_ins *i = &b->ins[r];
    const ref args[3] = {i->a, i->b, i->c};
    const char kind = ir_op_info[i->op].kind;
    if (ir_has_exit((enum ir_op)i->op)) {
      const struct ir_exit *e = &b->exit[i->c];
      const struct ir_snap *s = &b->snap[e->snap];
      want(need, e->target, NOW);
      for (unsigned n = 0; n < s->n; n++) {
        const struct ir_slot_value *v = &b->snap_value[s->first + n];
        if (is_cold(e->kind)) want(need, v->value, LATE);
        else if (!(b->guest->slots[v->slot].bytes == 1 && held_index(g, v->slot) < 0 &&
                   want_late(g, need, v->value)))
          want(need, v->value, NOW);
      }
    }
    if (kind != 'E' && kind != 'F' && need[r] == NOT) continue;
    const bool later = kind == 'P' && need[r] == LATE && can(g, r);
    g->late_value[r] = later;
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
      const bool tested = n == 0 && (i->op == IR_GUARD || i->op == IR_SELECT);
      if (later) want(need, args[n], LATE);
      else if (!tested || !want_late(g, need, args[n])) want(need, args[n], NOW);
    }
  }
  for (ref r = 1; r < b->n; r++) {
    const struct ir_ins *i = &b->ins[r];
    const ref args[3] = {i->a, i->b, i->c};
    unsigned cost = 1;
    if (!g->late_value[r]) continue;
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) cost += g->late_value[args[n]];
    if (cost > COST) now(g, r);
    else g->late_value[r] = (uint8_t)cost;
  }
}

void late_needed(struct cg *g, ref r, uint32_t at) {
  const struct ir_ins *i = ins_of(g, r);
  const ref args[3] = {i->a, i->b, i->c};
  for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
    const uint32_t v = value_of(g, args[n]);
    if (v < IR_MAX_INS && g->late_value[v]) late_needed(g, v, at);
    else if (g->v[v].last < at) g->v[v].last = at;
  }
}
