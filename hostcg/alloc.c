/* Where values live while a block is lowered: host registers, spills, homes of held slots. Chooses registers and gives
 * them up; which instructions run is select.c. A value is the same bits in a general and in a vector register, and is in
 * one of them at a time. */
#include <errno.h>
#include <string.h>

#include "hostcg/cg_int.h"

bool number_of(const struct cg *g, ref r, int64_t *k) {
  if (r >= IR_MAX_INS) return false;
  const struct ir_ins *i = ins_of(g, r);
  if (i->op == IR_CONST && (i->type <= IT_I64 || i->type == IT_F32 || i->type == IT_F64)) {
    uint64_t v = (uint64_t)ir_const_value(g->b, r);
    *k = i->type == IT_I32 || i->type == IT_F32 ? (int32_t)v : (int64_t)v;
    return true;
  }
  if (i->op == IR_PC && g->c.absolute) {
    *k = (int64_t)(g->c.page + (uint64_t)ir_const_value(g->b, r));
    return true;
  }
  return false;
}

static bool is_pc(const struct cg *g, uint32_t v) { return v < IR_MAX_INS && ins_of(g, v)->op == IR_PC; }
static bool is_constant(const struct cg *g, uint32_t v) {
  return v < IR_MAX_INS && ins_of(g, v)->op == IR_CONST;
}
/* Can be had again without having been kept. */
static bool is_free(const struct cg *g, uint32_t v) { return is_constant(g, v) || is_pc(g, v); }

int held_index(const struct cg *g, unsigned slot) { return slot < LIFT_SLOTS ? g->held_at[slot] - 1 : -1; }

static bool is_kept(const struct cg *g, unsigned reg) { return g->unsure_regs >> reg & 1; }

static void enter(struct cg *g, uint32_t v, unsigned reg) {
  g->in_reg[reg] = v;
  g->full |= 1u << reg;
  g->v[v].reg = (int8_t)reg;
}

void release(struct cg *g, unsigned reg) {
  if (!(g->full >> reg & 1)) return;
  if (is_kept(g, reg)) g->error = -EINVAL; /* a mistake of ours */
  g->v[g->in_reg[reg]].reg = -1;
  g->in_reg[reg] = 0;
  g->full &= ~(1u << reg);
}

void alloc_start(struct cg *g) {
  memset(g->in_reg, 0, sizeof g->in_reg);
  memset(g->held_of, -1, sizeof g->held_of);
  g->pinned = g->full = g->unsure_regs = 0;
  g->nunsure = g->group_first = g->ngroups = g->nchecked = 0;
  g->relies = g->told = false;
  g->spills = CG_NO_SPILLS;
  g->wide_spills = 0;
  for (unsigned i = 0; i < g->nheld; i++) {
    struct value *v = &g->v[HELD(i)];
    g->held_of[g->held_reg[i]] = (int16_t)i;
    v->spill = -1;
    v->home = false;
    enter(g, HELD(i), g->held_reg[i]);
  }
}

bool dies(const struct cg *g, uint32_t v) {
  const struct value *x = &g->v[v];
  return x->last <= g->at && !(x->reg >= 0 && is_kept(g, (unsigned)x->reg));
}

static uint32_t offset_of(const struct cg *g, unsigned slot) { return g->b->guest->slots[slot].offset; }

void store_reg(struct cg *g, unsigned reg, unsigned base, int32_t at, unsigned bytes) {
  if (is_vector(reg)) {
    g->p = bytes == 4    ? cg_vstore_32(g->p, base, at, reg)
           : bytes == 16 ? cg_vstore_128(g->p, base, at, reg)
                         : cg_vstore_64(g->p, base, at, reg);
    return;
  }
  switch (bytes) {
  case 1: g->p = cg_store_8(g->p, base, at, reg); break;
  case 2: g->p = cg_store_16(g->p, base, at, reg); break;
  case 4: g->p = cg_store_32(g->p, base, at, reg); break;
  default: g->p = cg_store_64(g->p, base, at, reg); break;
  }
}

void write_home(struct cg *g, unsigned reg, uint32_t offset, unsigned bytes) {
  if (!is_vector(reg) || bytes >= 4) {
    store_reg(g, reg, CG_VCPU, (int32_t)offset, bytes);
    return;
  }
  /* Small slots out of a vector register: never in practice; any general register serves. */
  const unsigned t = CG_RESULT;
  g->p = cg_store_64(g->p, CG_STACK, CG_FRAME_TEMP, t);
  move_reg(g, t, reg, 4);
  store_reg(g, t, CG_VCPU, (int32_t)offset, bytes);
  g->p = cg_load_64(g->p, t, CG_STACK, CG_FRAME_TEMP);
}

void load_reg(struct cg *g, unsigned reg, unsigned base, int32_t at, unsigned bytes) {
  if (is_vector(reg)) {
    g->p = bytes <= 4    ? cg_vload_32(g->p, reg, base, at)
           : bytes == 16 ? cg_vload_128(g->p, reg, base, at)
                         : cg_vload_64(g->p, reg, base, at);
    return;
  }
  switch (bytes) {
  case 1: g->p = cg_load_u8(g->p, reg, base, at); break;
  case 2: g->p = cg_load_u16(g->p, reg, base, at); break;
  case 4: g->p = cg_load_u32(g->p, reg, base, at); break;
  default: g->p = cg_load_64(g->p, reg, base, at); break;
  }
}

void read_home(struct cg *g, unsigned reg, uint32_t offset, unsigned bytes) {
  load_reg(g, reg, CG_VCPU, (int32_t)offset, bytes);
}

void move_reg(struct cg *g, unsigned to, unsigned from, unsigned bytes) {
  if (to == from) return;
  if (is_vector(to) && is_vector(from)) g->p = cg_vmove(g->p, to, from);
  else if (is_vector(to))
    g->p = bytes == 4 ? cg_to_vector_32(g->p, to, from) : cg_to_vector_64(g->p, to, from);
  else if (is_vector(from))
    g->p = bytes == 4 ? cg_to_general_32(g->p, to, from) : cg_to_general_64(g->p, to, from);
  else g->p = cg_move(g->p, to, from);
}

static uint32_t next_use(struct cg *g, uint32_t v) {
  uint32_t *u = &g->v[v].uses;
  while (*u && g->use[*u].at <= g->at) *u = g->use[*u].next;
  return *u ? g->use[*u].at : UINT32_MAX;
}

static int16_t spill_place(struct cg *g, uint32_t v, bool is_wide) {
  if (is_wide ? !~g->wide_spills : !~g->spills) {
    g->error = 1;
    return 0;
  }
  unsigned s = (unsigned)__builtin_ctzll(is_wide ? ~(uint64_t)g->wide_spills : ~g->spills);
  if (is_wide) g->wide_spills |= 1u << s, s += CG_SPILLS;
  else g->spills |= UINT64_C(1) << s;
  g->spill_of[s] = v;
  return (int16_t)s;
}

static void spill(struct cg *g, uint32_t v, unsigned reg) {
  struct value *x = &g->v[v];
  if (x->spill >= 0) return;
  settle(g, v);
  x->spill = spill_place(g, v, x->bytes == 16);
  store_reg(g, reg, CG_STACK, cg_spill_at((unsigned)x->spill), is_vector(reg) && x->bytes == 16 ? 16 : 8);
}

/* Takes the value's register away; it can be had again. */
static void evict(struct cg *g, unsigned reg) {
  if (is_kept(g, reg)) settle_group(g);
  uint32_t v = g->in_reg[reg];
  if (!v) return;
  struct value *x = &g->v[v];
  if (is_held(v)) {
    if (!x->home) write_home(g, reg, offset_of(g, g->held_slot[v - IR_MAX_INS]), x->bytes);
    x->home = true;
  } else if (!is_free(g, v)) {
    spill(g, v, reg);
  }
  release(g, reg);
}

unsigned take_any(struct cg *g, uint32_t allowed, int hint) {
  const uint32_t first = CG_FREE_MASK | CG_FREE_VECTORS_MASK;
  unsigned best = 0;
  allowed &= (GENERAL | VECTORS) & ~g->pinned;
  const uint32_t free = allowed & ~g->full;
  if (hint >= 0 && free >> hint & 1) best = (unsigned)hint;
  else if (free & first) best = (unsigned)__builtin_ctz(free & first);
  else if (free) best = (unsigned)__builtin_ctz(free);
  else {
    uint32_t far = 0;
    bool found = false;
    for (uint32_t m = allowed; m; m &= m - 1) {
      unsigned r = (unsigned)__builtin_ctz(m);
      uint32_t v = g->in_reg[r], n = next_use(g, v);
      if (is_free(g, v) && n > g->at + 1) n = UINT32_MAX;
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

unsigned take(struct cg *g, uint32_t allowed, int hint) { return take_any(g, allowed & GENERAL, hint); }

unsigned take_wanted(struct cg *g, ref r) {
  const struct value *x = &g->v[r];
  return take_any(g, x->vector || x->bytes == 16 ? VECTORS : GENERAL, x->hint);
}

static void load_number(struct cg *g, unsigned reg, int64_t k, bool is32) {
  const struct cg_rules_of *of = &cg_rules_of[IR_CONST][is32 ? CG_I32 : CG_I64];
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
  g->error = 1;
}

void reads_constant(struct cg *g, const uint8_t *end, uint64_t low, uint64_t high) {
  if (g->nliterals == MAX_LITERALS) {
    g->error = 1;
    return;
  }
  g->literal[g->nliterals++] = (struct literal){.at = (uint32_t)(end - g->c.at), .low = low, .high = high};
}

void load_constant(struct cg *g, unsigned reg, uint64_t low, uint64_t high, unsigned bytes) {
  if (bytes < 16) high = 0;
  if (!low && !high) {
    g->p = cg_vzero(g->p, reg);
    return;
  }
  if (!~(low & high)) {
    g->p = cg_vones(g->p, reg);
    return;
  }
  g->p = bytes == 16 ? cg_vpool_128(g->p, reg) : cg_vpool_64(g->p, reg);
  reads_constant(g, g->p, low, high);
}

void load_value(struct cg *g, ref r, unsigned reg) {
  uint32_t v = r < IR_MAX_INS ? value_of(g, r) : r;
  const struct value *x = &g->v[v];
  int64_t k;
  if (x->reg >= 0) {
    move_reg(g, reg, (unsigned)x->reg, x->bytes);
  } else if (is_vector(reg) && is_constant(g, v)) {
    u128 value = ir_const_value(g->b, v);
    load_constant(g, reg, (uint64_t)value, (uint64_t)(value >> 64), x->bytes);
  } else if (number_of(g, v, &k)) {
    if (is_vector(reg)) load_constant(g, reg, (uint64_t)k, 0, 8);
    else load_number(g, reg, k, x->bytes == 4);
  } else if (is_pc(g, v)) {
    if (is_vector(reg)) { /* never in practice */
      g->p = cg_store_64(g->p, CG_STACK, CG_FRAME_TEMP, CG_RESULT);
      load_value(g, v, CG_RESULT);
      move_reg(g, reg, CG_RESULT, 8);
      g->p = cg_load_64(g->p, CG_RESULT, CG_STACK, CG_FRAME_TEMP);
      return;
    }
    g->p = cg_load_64(g->p, reg, CG_VCPU, offsetof(struct vcpu, pcbase));
    k = (int64_t)ir_const_value(g->b, v);
    if (k) g->p = cg_lea(g->p, reg, reg, k);
  } else if (x->spill >= 0) {
    load_reg(g, reg, CG_STACK, cg_spill_at((unsigned)x->spill), x->bytes);
  } else if (is_held(v)) {
    read_home(g, reg, offset_of(g, g->held_slot[v - IR_MAX_INS]), x->bytes);
  } else {
    g->error = 1; /* never computed: a mistake of ours */
  }
}

unsigned need_any(struct cg *g, ref r, uint32_t allowed) {
  uint32_t v = value_of(g, r);
  struct value *x = &g->v[v];
  if (x->reg >= 0 && allowed >> x->reg & 1) {
    g->pinned |= 1u << x->reg;
    return (unsigned)x->reg;
  }
  if (allowed & VECTORS && allowed & GENERAL) allowed &= x->vector || x->bytes == 16 ? VECTORS : GENERAL;
  if (x->reg >= 0 && is_kept(g, (unsigned)x->reg)) settle_group(g);
  unsigned reg = take_any(g, allowed, x->hint);
  load_value(g, v, reg);
  if (x->reg >= 0) release(g, (unsigned)x->reg);
  enter(g, v, reg);
  return reg;
}

unsigned need(struct cg *g, ref r, uint32_t allowed) { return need_any(g, r, allowed & GENERAL); }

void copy_to(struct cg *g, ref r, unsigned reg) {
  load_value(g, r, reg);
  g->pinned |= 1u << reg;
}

void vacate(struct cg *g, unsigned reg, uint32_t avoid) {
  if (is_kept(g, reg)) settle_group(g);
  uint32_t v = g->in_reg[reg];
  if (!v) return;
  uint32_t room = (is_vector(reg) ? VECTORS : GENERAL) & ~avoid & ~g->pinned & ~g->full;
  if (!room) {
    evict(g, reg);
    return;
  }
  unsigned to = (unsigned)__builtin_ctz(room);
  move_reg(g, to, reg, g->v[v].bytes);
  release(g, reg);
  enter(g, v, to);
}

void result(struct cg *g, ref r, unsigned reg) { enter(g, r, reg); }

static void forget(struct cg *g, uint32_t v) {
  if (g->v[v].reg >= 0) release(g, (unsigned)g->v[v].reg);
}

void sweep(struct cg *g) {
  for (uint32_t m = g->full; m; m &= m - 1) {
    unsigned r = (unsigned)__builtin_ctz(m);
    if (dies(g, g->in_reg[r])) release(g, r);
  }
  for (uint64_t m = g->spills & ~CG_NO_SPILLS; m; m &= m - 1) {
    unsigned s = (unsigned)__builtin_ctzll(m);
    if (!dies(g, g->spill_of[s])) continue;
    g->v[g->spill_of[s]].spill = -1;
    g->spills &= ~(UINT64_C(1) << s);
  }
  for (uint32_t m = g->wide_spills; m; m &= m - 1) {
    unsigned s = (unsigned)__builtin_ctz(m);
    if (!dies(g, g->spill_of[CG_SPILLS + s])) continue;
    g->v[g->spill_of[CG_SPILLS + s]].spill = -1;
    g->wide_spills &= ~(1u << s);
  }
  g->pinned = 0;
}

void flush_all(struct cg *g) {
  for (uint32_t m = g->full; m; m &= m - 1) evict(g, (unsigned)__builtin_ctz(m));
}

void held_changed(struct cg *g, unsigned i) {
  forget(g, HELD(i));
  g->v[HELD(i)].home = true;
}
