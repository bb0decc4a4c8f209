/* A compilation: what is used where (backward), then every entry in turn (forward), then what lies out of line. */
#include "hostcg/cg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hostcg/cg_int.h"
#include "os/cpu.h"

struct cg *cg_new(void) {
  return calloc(1, sizeof(struct cg));
}
void cg_free(struct cg *g) { free(g); }

uint32_t cg_features(void) {
  uint32_t f = 0;
#define ASK(name, bit) f |= (uint32_t)os_cpu_has(#name) << (bit);
  CG_NEEDS(ASK)
#undef ASK
  return f;
}

unsigned cg_held(const struct ir_guest *guest, uint16_t slot[CG_MAX_HELD], uint8_t reg[CG_MAX_HELD]) {
  static const uint8_t held[] = CG_HELD;
  unsigned n = 0;
  for (unsigned i = 0; i < guest->nheld && n < CG_NHELD; i++) {
    slot[n] = guest->held[i];
    reg[n] = held[n];
    n++;
  }
  return n;
}

/* ---- backward: uses ---- */

static bool leaves(unsigned op) { return ir_has_exit(op); }
static bool is_compare(unsigned op) { return op >= IR_EQ && op <= IR_SUBO; }

static void needed(struct cg *g, uint32_t v, uint32_t at) {
  if (g->v[v].last < at) g->v[v].last = at;
}

static void used(struct cg *g, ref r, uint32_t at) {
  uint32_t v = value_of(g, r);
  needed(g, v, at);
  if (g->nuses == MAX_USES) return;
  g->use[g->nuses] = (struct use){at, g->v[v].uses};
  g->v[v].uses = g->nuses++;
}

static ref arg(const struct ir_ins *i, unsigned n) { return n == 0 ? i->a : n == 1 ? i->b : i->c; }

/* How often, and what exits keep. A GET of a held slot is the slot's value if all its uses come before the slot changes. */
static void count_uses(struct cg *g) {
  const struct ir_block *b = g->b;
  for (unsigned i = 0; i < g->nheld; i++) g->held_until[i] = UINT32_MAX;
  for (unsigned r = 0; r < b->n; r++) g->v[r] = (struct value){.reg = -1, .hint = -1, .spill = -1};
  for (unsigned i = 0; i < g->nheld; i++) g->v[HELD(i)] = (struct value){.reg = -1, .hint = -1, .spill = -1};
  for (unsigned r = 1; r < b->n; r++) {
    const struct ir_ins *i = &b->ins[r];
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
      struct value *v = &g->v[arg(i, n)];
      v->nargs++;
      if (n == 0 && (i->op == IR_LOAD || i->op == IR_STORE)) v->address_uses++;
      v->last = r;
    }
    if (i->op == IR_PUT) {
      int k = held_index(g, i->aux);
      if (k >= 0 && g->held_until[k] > r) g->held_until[k] = r;
    } else if (i->op == IR_HANDLER) {
      for (unsigned k = 0; k < g->nheld; k++)
        if (g->held_until[k] > r) g->held_until[k] = r;
    }
    if (!leaves(i->op)) continue;
    const struct ir_exit *e = &b->exit[i->c];
    const struct ir_snap *s = &b->snap[e->snap];
    for (unsigned n = 0; n < s->n; n++) {
      struct value *v = &g->v[b->snap_value[s->first + n].value];
      v->kept = true;
      v->last = r;
    }
    if (e->target) {
      g->v[e->target].kept = true;
      g->v[e->target].last = r;
    }
  }
  for (unsigned r = 1; r < b->n; r++) {
    struct value *v = &g->v[r];
    const struct ir_ins *i = &b->ins[r];
    if (i->op == IR_GET) {
      int k = held_index(g, i->aux);
      if (k >= 0 && i->type == IT_I64 && r < g->held_until[k] && v->last < g->held_until[k])
        v->alias = (uint16_t)HELD(k);
    }
    v->last = 0;
  }
}

static void mark_exit(struct cg *g, unsigned exit, uint32_t at) {
  const struct ir_exit *e = &g->b->exit[exit];
  const struct ir_snap *s = &g->b->snap[e->snap];
  uint32_t named = 0;
  for (unsigned n = 0; n < s->n; n++) {
    const struct ir_slot_value *v = &g->b->snap_value[s->first + n];
    uint32_t x = value_of(g, v->value);
    int k = held_index(g, v->slot);
    needed(g, x, at);
    if (k < 0) continue;
    named |= 1u << k;
    if (e->kind == IX_JUMP && g->v[x].hint < 0) g->v[x].hint = (int8_t)g->held_reg[k];
  }
  if (e->target) {
    needed(g, value_of(g, e->target), at);
    if (e->kind == IX_JUMP && g->v[e->target].hint < 0) g->v[e->target].hint = CG_RESULT;
  }
  for (unsigned i = 0; i < g->nheld; i++)
    if (!(named >> i & 1)) needed(g, HELD(i), at);
}

static bool dead(const struct cg *g, ref r) {
  char kind = ir_op_info[ins_of(g, r)->op].kind;
  return kind != 'E' && !g->v[r].last && !(g->v[r].alias && g->v[g->v[r].alias].last);
}

static void analyse(struct cg *g) {
  const struct ir_block *b = g->b;
  count_uses(g);
  g->nuses = 1;
  for (unsigned r = b->n - 1; r; r--) {
    const struct ir_ins *i = &b->ins[r];
    if (i->op == IR_NOP) continue;
    if (leaves(i->op)) mark_exit(g, i->c, r);
    if (dead(g, r)) continue;
    if (i->op == IR_GET) {
      int k = held_index(g, i->aux);
      if (k >= 0 && !g->v[r].alias && r < g->held_until[k])
        needed(g, HELD(k), r); /* copied from its register */
      continue;
    }
    if (g->v[r].folded) continue; /* its operands count where it is used */
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
      ref a = arg(i, n);
      struct value *v = &g->v[a];
      const struct ir_ins *x = &b->ins[a];
      int64_t k;
      bool cc = n == 0 && (i->op == IR_GUARD || i->op == IR_SELECT) && is_compare(x->op) && v->nargs == 1 &&
                !v->kept && b->ins[x->a].type <= IT_I64;
      bool address = n == 0 && (i->op == IR_LOAD || i->op == IR_STORE) && g->c.direct && x->op == IR_ADD &&
                     v->address_uses == v->nargs && !v->kept && number_of(g, x->b, &k) && k == (int32_t)k;
      if (cc || address) {
        v->folded = true;
        v->last = r;
        used(g, x->a, r);
        used(g, x->b, r);
      } else {
        used(g, a, r);
      }
    }
    /* What this one overwrites is best computed where its result is wanted. */
    if (g->v[r].hint >= 0 && ir_op_info[i->op].nargs && i->op != IR_LOAD && i->op != IR_SELECT) {
      struct value *v = &g->v[value_of(g, i->a)];
      if (v->hint < 0 && value_of(g, i->a) < IR_MAX_INS) v->hint = g->v[r].hint;
    }
  }
}

/* ---- forward: code ---- */

static bool lower(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  int k;
  switch (i->op) {
  case IR_NOP:
  case IR_CONST: /* where they are needed */
  case IR_PC: return i->type <= IT_I64;
  case IR_GET: {
    if (g->v[r].alias) return true;
    if (i->type != IT_I32 && i->type != IT_I64) return false;
    unsigned d = take(g, UINT32_MAX, g->v[r].hint);
    k = held_index(g, i->aux);
    if (k >= 0 && g->v[HELD(k)].reg >= 0) g->p = cg_move(g->p, d, (unsigned)g->v[HELD(k)].reg);
    else read_home(g, d, g->b->guest->slots[i->aux].offset, g->b->guest->slots[i->aux].bytes);
    result(g, r, d);
    return true;
  }
  case IR_PUT:
    if (ins_of(g, i->a)->type > IT_I64) return false;
    write_home(g, need(g, i->a, UINT32_MAX), g->b->guest->slots[i->aux].offset,
               g->b->guest->slots[i->aux].bytes);
    if ((k = held_index(g, i->aux)) >= 0) held_changed(g, (unsigned)k);
    return true;
  case IR_GUARD: {
    unsigned cc = condition(g, i->a);
    g->p = cg_branch(g->p,
                     i->b ? cc ^ 1 : cc); /* leaves when it is the other; conditions come in opposite pairs */
    late_exit(g, i->c);
    return true;
  }
  case IR_EXIT: leave(g, i->c); return true;
  default: break;
  }
  if (i->op >= IR_LOAD && i->op <= IR_HANDLER) return lower_memory(g, r);
  return lower_rule(g, r);
}

/* An entry that has to be done by the interpreter, with the exit that does that. */
static bool for_interpreter(const struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  return i->op == IR_HANDLER || (ir_is_access(i->op) && g->b->exit[i->c].kind == IX_INTERP);
}

int cg_compile(struct cg *g, const struct ir_block *b, const struct cg_config *c, struct cg_result *out,
               unsigned *bad) {
  const ref last = b->n - 1;
  g->b = b;
  g->c = *c;
  g->p = c->at;
  g->error = 0;
  g->nplaces = g->nfaults = g->nlates = g->nexits = 0;
  g->nheld = cg_held(b->guest, g->held_slot, g->held_reg);
  g->count = b->exit[b->ins[last].c].count;
  analyse(g);
  alloc_start(g);
  write_entry(g, (c->absolute ? c->page : 0) + (uint64_t)(int64_t)b->insn[0].pc);
  *out = (struct cg_result){.entry = c->at, .count = g->count};
  for (ref r = 1; r <= last; r++) {
    g->at = r;
    if (c->end - g->p < 4096) return -ENOSPC;
    if (dead(g, r) || g->v[r].folded) continue;
    if (!lower(g, r)) {
      if (!for_interpreter(g, r)) {
        *bad = r;
        return -ENOTSUP;
      }
      out->useless = !b->exit[b->ins[r].c].insn;
      leave_to_interpreter(g, b->ins[r].c);
      break;
    }
    if (g->error) {
      *bad = r;
      return g->error < 0 ? g->error : -ENOSPC;
    }
    sweep(g);
  }
  write_lates(g);
  if (g->error) return g->error < 0 ? g->error : -ENOSPC;
  out->end = g->p;
  out->nexits = g->nexits;
  out->nplaces = g->nplaces;
  out->nfaults = g->nfaults;
  out->exit = g->exit;
  out->place = g->place;
  out->fault = g->fault;
  return 0;
}
