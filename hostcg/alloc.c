/* Where values live while a block is lowered: host registers, spills, homes of held slots. Chooses registers and gives
 * them up; which instructions run is select.c. */
#include <string.h>

#include "hostcg/cg_int.h"

bool number_of(const struct cg *g, ref r, int64_t *k) {
  if (r >= IR_MAX_INS) return false;
  const struct ir_ins *i = ins_of(g, r);
  if (i->op == IR_CONST && i->type <= IT_I64) {
    uint64_t v = (uint64_t)ir_const_value(g->b, r);
    *k = i->type == IT_I32 ? (int32_t)v : (int64_t)v;
    return true;
  }
  if (i->op == IR_PC && g->c.absolute) {
    *k = (int64_t)(g->c.page + (uint64_t)ir_const_value(g->b, r));
    return true;
  }
  return false;
}

static bool is_pc(const struct cg *g, uint32_t v) { return v < IR_MAX_INS && ins_of(g, v)->op == IR_PC; }

int held_index(const struct cg *g, unsigned slot) {
  for (unsigned i = 0; i < g->nheld; i++)
    if (g->held_slot[i] == slot) return (int)i;
  return -1;
}

void alloc_start(struct cg *g) {
  memset(g->in_reg, 0, sizeof g->in_reg);
  memset(g->held_of, -1, sizeof g->held_of);
  g->pinned = 0;
  g->spills = CG_NO_SPILLS;
  for (unsigned i = 0; i < g->nheld; i++) {
    struct value *v = &g->v[HELD(i)];
    g->held_of[g->held_reg[i]] = (int16_t)i;
    v->reg = (int8_t)g->held_reg[i];
    v->spill = -1;
    v->home = false;
    g->in_reg[g->held_reg[i]] = HELD(i);
  }
}

bool dies(const struct cg *g, uint32_t v) { return g->v[v].last <= g->at; }

static uint32_t offset_of(const struct cg *g, unsigned slot) { return g->b->guest->slots[slot].offset; }

void write_home(struct cg *g, unsigned reg, uint32_t offset, unsigned bytes) {
  switch (bytes) {
  case 1: g->p = cg_store_8(g->p, CG_VCPU, offset, reg); break;
  case 2: g->p = cg_store_16(g->p, CG_VCPU, offset, reg); break;
  case 4: g->p = cg_store_32(g->p, CG_VCPU, offset, reg); break;
  default: g->p = cg_store_64(g->p, CG_VCPU, offset, reg); break;
  }
}

void read_home(struct cg *g, unsigned reg, uint32_t offset, unsigned bytes) {
  switch (bytes) {
  case 1: g->p = cg_load_u8(g->p, reg, CG_VCPU, offset); break;
  case 2: g->p = cg_load_u16(g->p, reg, CG_VCPU, offset); break;
  case 4: g->p = cg_load_u32(g->p, reg, CG_VCPU, offset); break;
  default: g->p = cg_load_64(g->p, reg, CG_VCPU, offset); break;
  }
}

static uint32_t next_use(struct cg *g, uint32_t v) {
  uint32_t *u = &g->v[v].uses;
  while (*u && g->use[*u].at <= g->at) *u = g->use[*u].next;
  return *u ? g->use[*u].at : UINT32_MAX;
}

int16_t spill_place(struct cg *g, uint32_t v) {
  if (!~g->spills) {
    g->error = 1;
    return 0;
  }
  unsigned s = (unsigned)__builtin_ctzll(~g->spills);
  g->spills |= UINT64_C(1) << s;
  g->spill_of[s] = v;
  return (int16_t)s;
}

static void spill(struct cg *g, uint32_t v, unsigned reg) {
  struct value *x = &g->v[v];
  if (x->spill >= 0) return;
  x->spill = spill_place(g, v);
  g->p = cg_store_64(g->p, CG_STACK, x->spill * 8, reg);
}

/* Takes the value's register away; it can be had again. */
static void evict(struct cg *g, unsigned reg) {
  uint32_t v = g->in_reg[reg];
  struct value *x = &g->v[v];
  int64_t k;
  if (v >= IR_MAX_INS) {
    if (!x->home) write_home(g, reg, offset_of(g, g->held_slot[v - IR_MAX_INS]), 8);
    x->home = true;
  } else if (!number_of(g, v, &k) && !is_pc(g, v)) {
    spill(g, v, reg);
  }
  x->reg = -1;
  g->in_reg[reg] = 0;
}

unsigned take(struct cg *g, uint32_t allowed, int hint) {
  uint32_t free = 0;
  unsigned best = 0;
  allowed &= ALLOCATABLE & ~g->pinned;
  for (uint32_t m = allowed; m; m &= m - 1)
    if (!g->in_reg[__builtin_ctz(m)]) free |= m & -m;
  if (hint >= 0 && free >> hint & 1) best = (unsigned)hint;
  else if (free & CG_FREE_MASK) best = (unsigned)__builtin_ctz(free & CG_FREE_MASK);
  else if (free) best = (unsigned)__builtin_ctz(free);
  else {
    uint32_t far = 0;
    bool found = false;
    int64_t k;
    for (uint32_t m = allowed; m; m &= m - 1) {
      unsigned r = (unsigned)__builtin_ctz(m);
      uint32_t v = g->in_reg[r], n = next_use(g, v);
      if (v < IR_MAX_INS && (number_of(g, v, &k) || is_pc(g, v)) && n > g->at + 1) n = UINT32_MAX;
      if (!found || n > far) {
        found = true;
        far = n;
        best = r;
      }
    }
    if (!found) {
      g->error = 1;
      return CG_RESULT;
    }
    evict(g, best);
  }
  g->pinned |= 1u << best;
  return best;
}

static void load_number(struct cg *g, unsigned reg, int64_t k, bool is32) {
  struct ir_ins i = {.op = IR_CONST, .type = is32 ? IT_I32 : IT_I64};
  const struct cg_rules_of *of = &cg_rules_of[IR_CONST][!is32];
  struct cg_operands o = {.d = reg, .k = {k}};
  if (is32) o.k[0] = (uint32_t)k;
  for (const struct cg_rule *r = &cg_rules[of->first]; r < &cg_rules[of->first + of->n]; r++) {
    bool fits = r->arg[0].kind == CG_IS  ? o.k[0] == r->arg[0].value
                : r->arg[0].kind == CG_U ? o.k[0] >= 0 && o.k[0] <= UINT32_MAX
                : r->arg[0].kind == CG_I ? o.k[0] == (int32_t)o.k[0]
                                         : true;
    if (!fits) continue;
    g->p = r->emit(g->p, &o);
    return;
  }
  (void)i;
  g->error = 1;
}

void load_value(struct cg *g, ref r, unsigned reg) {
  uint32_t v = r < IR_MAX_INS ? value_of(g, r) : r;
  const struct value *x = &g->v[v];
  int64_t k;
  if (x->reg >= 0) {
    if ((unsigned)x->reg != reg) g->p = cg_move(g->p, reg, (unsigned)x->reg);
  } else if (number_of(g, v, &k)) {
    load_number(g, reg, k, ins_of(g, v)->type == IT_I32);
  } else if (is_pc(g, v)) {
    g->p = cg_load_64(g->p, reg, CG_VCPU, offsetof(struct vcpu, pcbase));
    k = (int64_t)ir_const_value(g->b, v);
    if (k) g->p = cg_lea(g->p, reg, reg, k);
  } else if (x->spill >= 0) {
    g->p = cg_load_64(g->p, reg, CG_STACK, x->spill * 8);
  } else if (v >= IR_MAX_INS) {
    read_home(g, reg, offset_of(g, g->held_slot[v - IR_MAX_INS]), 8);
  } else {
    g->error = 1; /* never computed: a mistake of ours */
  }
}

unsigned need(struct cg *g, ref r, uint32_t allowed) {
  uint32_t v = value_of(g, r);
  struct value *x = &g->v[v];
  if (x->reg >= 0 && allowed >> x->reg & 1) {
    g->pinned |= 1u << x->reg;
    return (unsigned)x->reg;
  }
  unsigned reg = take(g, allowed, x->hint);
  load_value(g, r, reg);
  if (x->reg >= 0) g->in_reg[x->reg] = 0;
  x->reg = (int8_t)reg;
  g->in_reg[reg] = v;
  return reg;
}

void copy_to(struct cg *g, ref r, unsigned reg) {
  load_value(g, r, reg);
  g->pinned |= 1u << reg;
}

void vacate(struct cg *g, unsigned reg, uint32_t avoid) {
  uint32_t v = g->in_reg[reg];
  if (!v) return;
  uint32_t room = ALLOCATABLE & ~avoid & ~g->pinned & ~(1u << reg);
  for (uint32_t m = room; m; m &= m - 1) {
    unsigned to = (unsigned)__builtin_ctz(m);
    if (g->in_reg[to]) continue;
    g->p = cg_move(g->p, to, reg);
    g->in_reg[to] = v;
    g->in_reg[reg] = 0;
    g->v[v].reg = (int8_t)to;
    return;
  }
  evict(g, reg);
}

void result(struct cg *g, ref r, unsigned reg) {
  g->in_reg[reg] = r;
  g->v[r].reg = (int8_t)reg;
}

static void forget(struct cg *g, uint32_t v) {
  struct value *x = &g->v[v];
  if (x->reg >= 0) g->in_reg[x->reg] = 0;
  x->reg = -1;
}

void sweep(struct cg *g) {
  for (unsigned r = 0; r < CG_NREGS; r++)
    if (g->in_reg[r] && dies(g, g->in_reg[r])) forget(g, g->in_reg[r]);
  for (uint64_t m = g->spills & ~CG_NO_SPILLS; m; m &= m - 1) {
    unsigned s = (unsigned)__builtin_ctzll(m);
    if (!dies(g, g->spill_of[s])) continue;
    g->v[g->spill_of[s]].spill = -1;
    g->spills &= ~(UINT64_C(1) << s);
  }
  g->pinned = 0;
}

void flush_all(struct cg *g) {
  for (unsigned r = 0; r < CG_NREGS; r++)
    if (g->in_reg[r]) evict(g, r);
}

void held_changed(struct cg *g, unsigned i) {
  forget(g, HELD(i));
  g->v[HELD(i)].home = true;
}
