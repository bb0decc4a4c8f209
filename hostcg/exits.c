/* Ways out of a block: where every slot's value is at that moment, and the code that brings a block's state to the
 * boundary convention, or hands it to the runtime as data. */
#include <errno.h>
#include <string.h>

#include "hostcg/cg_int.h"

#define TARGET CG_RESULT     /* where an address to go on at is passed */
enum { MAX_RESTORED = 400 }; /* places of an exit: slots of a guest, and the target */
#define SCRATCH (CG_FREE_MASK & ~(uint32_t)(1u << TARGET)) /* free for exit code */

static unsigned scratch(unsigned n) {
  uint32_t m = SCRATCH;
  while (n--) m &= m - 1;
  return (unsigned)__builtin_ctz(m);
}

static const struct ir_slot_info *info(const struct cg *g, unsigned slot) {
  return &g->b->guest->slots[slot];
}

static void locate(struct cg *g, struct cg_place *p, uint32_t v) {
  const struct value *x = &g->v[v];
  int64_t k;
  if (number_of(g, v, &k)) {
    p->where = CG_IN_CONST;
    p->number = x->bytes == 4 ? (uint32_t)k : k;
  } else if (v < IR_MAX_INS && ins_of(g, v)->op == IR_CONST) {
    p->where = CG_IN_CONST;
    p->number = (int64_t)ir_const_value(g->b, v);
    p->high = (uint64_t)(ir_const_value(g->b, v) >> 64);
  } else if (v < IR_MAX_INS && ins_of(g, v)->op == IR_PC) {
    p->where = CG_IN_PC;
    p->number = (int64_t)ir_const_value(g->b, v);
  } else if (x->reg >= 0) {
    p->where = CG_IN_REG;
    p->at = (uint8_t)x->reg;
    p->raw = x->raw ? x->bytes : 0;
  } else if (x->spill >= 0) {
    p->where = CG_IN_SPILL;
    p->at = (uint8_t)x->spill;
  } else if (v >= IR_MAX_INS) {
    p->where = CG_IN_HOME;
    p->number = info(g, g->held_slot[v - IR_MAX_INS])->offset;
  } else {
    g->error = -EINVAL; /* never computed: a mistake of ours */
  }
}

static struct cg_place *place(struct cg *g, unsigned slot) {
  if (g->nplaces == MAX_PLACES) {
    g->error = -ENOSPC;
    g->nplaces = 0;
  }
  struct cg_place *p = &g->place[g->nplaces++];
  *p = (struct cg_place){.slot = (uint16_t)slot};
  if (slot < CG_PART) {
    p->bytes = info(g, slot)->bytes;
    p->offset = info(g, slot)->offset;
  }
  return p;
}

/* The number of the exit's part that has the value: a late one's computation, or where an operand is. */
static unsigned part(struct cg *g, uint32_t first, uint32_t v) {
  for (uint32_t k = first; k < g->nplaces; k++)
    if (g->place[k].slot == CG_PART && g->part[k] == v) return k - first;
  if (v >= IR_MAX_INS || !g->late_value[v]) {
    struct cg_place *p = place(g, CG_PART);
    p->bytes = g->v[v].bytes;
    locate(g, p, v);
  } else {
    const struct ir_ins *i = ins_of(g, v);
    const ref args[3] = {i->a, i->b, i->c};
    uint64_t of[4] = {0, 0, 0, ins_of(g, i->a)->type};
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) of[n] = part(g, first, value_of(g, args[n]));
    struct cg_place *p = place(g, CG_PART);
    p->where = CG_COMPUTED;
    p->at = i->op;
    p->bytes = i->type;
    p->offset = i->aux;
    p->number = (int64_t)(of[0] | of[1] << 16 | of[2] << 32 | of[3] << 48);
  }
  g->part[g->nplaces - 1] = (uint16_t)v;
  return g->nplaces - 1 - first;
}

static void locate_value(struct cg *g, uint32_t first, unsigned slot, uint32_t v) {
  if (v < IR_MAX_INS && g->v[v].lazy) {
    struct cg_place *p = place(g, slot);
    locate(g, p, value_of(g, ins_of(g, v)->a));
    p->low = p->bytes == 16;
    return;
  }
  if (v >= IR_MAX_INS || !g->late_value[v]) {
    locate(g, place(g, slot), v);
    return;
  }
  const unsigned n = part(g, first, v);
  struct cg_place *p = place(g, slot);
  p->where = CG_IN_PART;
  p->number = n;
}

unsigned new_exit(struct cg *g, unsigned exit, bool cold) {
  const struct ir_exit *e = &g->b->exit[exit];
  const struct ir_snap *s = &g->b->snap[e->snap];
  if (g->nexits == MAX_EXITS) {
    g->error = -ENOSPC;
    g->nexits = 0;
  }
  struct cg_exit *x = &g->exit[g->nexits];
  *x = (struct cg_exit){
      .kind = e->kind, .jump = e->jump, .insn = e->insn, .count = e->count, .first = g->nplaces};
  uint32_t named = 0;
  for (unsigned n = 0; n < s->n; n++) {
    const struct ir_slot_value *v = &g->b->snap_value[s->first + n];
    int i = held_index(g, v->slot);
    if (i >= 0) named |= 1u << i;
    locate_value(g, x->first, v->slot, value_of(g, v->value));
  }
  for (unsigned i = 0; i < g->nheld; i++) {
    const struct value *v = &g->v[HELD(i)];
    if (named >> i & 1 || (v->home && cold)) continue;
    if (cold && v->reg == (int)g->held_reg[i]) x->held |= 1u << i;
    else if (v->home || cold || v->reg != (int)g->held_reg[i]) locate(g, place(g, g->held_slot[i]), HELD(i));
  }
  const int64_t page = g->c.absolute ? (int64_t)g->c.page : 0;
  if (e->kind == IX_INTERP || e->kind == IX_STEP) {
    x->pc = page + g->b->insn[e->insn].pc;
  } else {
    const struct ir_ins *t = ins_of(g, e->target);
    if (t->op == IR_PC) {
      x->fixed = true;
      x->pc = page + (int64_t)ir_const_value(g->b, e->target);
    } else {
      locate(g, place(g, CG_TARGET), value_of(g, e->target));
    }
  }
  x->n = g->nplaces - x->first;
  if (x->n > MAX_RESTORED) g->error = -EINVAL;
  return g->nexits++;
}

struct late *new_late(struct cg *g, enum late_kind kind, unsigned exit) {
  if (g->nlates == MAX_EXITS) {
    g->error = -ENOSPC;
    g->nlates = 0;
  }
  struct late *l = &g->late[g->nlates++];
  *l = (struct late){.from = g->p, .exit = exit, .kind = (uint8_t)kind};
  return l;
}

void late_exit(struct cg *g, unsigned exit) {
  bool cold = is_cold(g->b->exit[exit].kind);
  unsigned x = new_exit(g, exit, cold);
  new_late(g, cold ? LATE_COLD : LATE_JUMP, x)->flags = g->p == g->flags_until ? g->flags : NULL;
}

void late_to(struct cg *g, unsigned x) { new_late(g, LATE_COLD, x); }

void cg_patch(uint8_t *patch, const uint8_t *to) {
  int32_t d = (int32_t)(to - patch);
  memcpy(patch - 4, &d, 4);
}

static void cold(struct cg *g, unsigned exit) {
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_EXIT, (int32_t)(g->c.first_exit + exit));
  g->p = jump_to(g->p, g->c.common->cold);
}

/* ---- to the boundary ---- */

/* The register that a place has to be in; -1: memory. */
static int destination(const struct cg *g, const struct cg_place *p) {
  if (p->slot == CG_TARGET) return TARGET;
  int i = held_index(g, p->slot);
  return i < 0 ? -1 : (int)g->held_reg[i];
}

static unsigned size_of(const struct cg_place *p) { return p->slot == CG_TARGET || p->low ? 8 : p->bytes; }

/* A register into the place's slot. */
static void into_slot(struct cg *g, const struct cg_place *p, unsigned reg) {
  write_home(g, reg, p->offset, size_of(p));
  if (p->low) g->p = cg_store_k64(g->p, CG_VCPU, (int32_t)p->offset + 8, 0);
}

/* Exchanges two registers of any kinds; no value is in the free vector registers then. */
static void swap(struct cg *g, unsigned a, unsigned b, unsigned bytes) {
  const unsigned t = (unsigned)__builtin_ctz(CG_FREE_VECTORS_MASK);
  if (!is_vector(a) && !is_vector(b)) {
    g->p = cg_swap(g->p, a, b);
    return;
  }
  move_reg(g, t, a, bytes);
  move_reg(g, a, b, bytes);
  move_reg(g, b, t, bytes);
}

/* Registers to registers, all at once. */
static void move_all(struct cg *g, const struct cg_place *p, unsigned n) {
  int8_t from[CG_NREGS];
  uint32_t left = 0, low = 0;
  unsigned bytes = 8; /* of all: held slots of different sizes do not exchange their values */
  memset(from, -1, sizeof from);
  for (unsigned k = 0; k < n; k++) {
    int d = destination(g, &p[k]);
    if (d < 0 || p[k].where != CG_IN_REG) continue;
    if (p[k].low) low |= 1u << d;
    if (p[k].at == d) continue;
    from[d] = (int8_t)p[k].at;
    left |= 1u << d;
    if (size_of(&p[k]) > bytes) bytes = size_of(&p[k]);
  }
  while (left) {
    bool moved = false;
    for (uint32_t m = left; m; m &= m - 1) {
      const unsigned d = (unsigned)__builtin_ctz(m);
      bool read = false;
      for (uint32_t o = left; o; o &= o - 1) read |= from[__builtin_ctz(o)] == (int)d;
      if (read) continue;
      if (low >> d & 1 && is_vector((unsigned)from[d])) g->p = cg_vlow_of(g->p, d, (unsigned)from[d]);
      else move_reg(g, d, (unsigned)from[d], bytes);
      left &= ~(1u << d);
      low &= ~(1u << d);
      moved = true;
    }
    if (moved || !left) continue;
    /* Only circles are left: after an exchange d is right, and who wanted d finds it in the other. */
    const unsigned d = (unsigned)__builtin_ctz(left), s = (unsigned)from[d];
    swap(g, d, s, bytes);
    left &= ~(1u << d);
    for (uint32_t m = left; m; m &= m - 1) {
      const unsigned k = (unsigned)__builtin_ctz(m);
      if (from[k] == (int)d) from[k] = (int8_t)s;
      else if (from[k] == (int)s) from[k] = (int8_t)d;
      if (from[k] == (int)k) left &= ~(1u << k);
    }
  }
  for (; low; low &= low - 1)
    g->p = cg_vlow_of(g->p, (unsigned)__builtin_ctz(low), (unsigned)__builtin_ctz(low));
}

void fetch(struct cg *g, const struct cg_place *p, unsigned reg) {
  const unsigned bytes = size_of(p) == 16 ? 16 : 8;
  switch (p->where) {
  case CG_IN_SPILL: load_reg(g, reg, CG_STACK, cg_spill_at(p->at), bytes); break;
  case CG_IN_CONST:
    if (is_vector(reg)) load_constant(g, reg, (uint64_t)p->number, p->high, bytes);
    else if (p->number == (uint32_t)p->number) g->p = cg_const32(g->p, reg, p->number);
    else g->p = cg_const(g->p, reg, p->number);
    break;
  case CG_IN_PC:
    if (is_vector(reg)) {
      fetch(g, p, scratch(0));
      move_reg(g, reg, scratch(0), 8);
      break;
    }
    g->p = cg_load_64(g->p, reg, CG_VCPU, offsetof(struct vcpu, pcbase));
    if (p->number) g->p = cg_lea(g->p, reg, reg, p->number);
    break;
  case CG_IN_HOME: load_reg(g, reg, CG_VCPU, (int32_t)p->number, bytes); break;
  }
}

static void to_boundary(struct cg *g, const struct cg_exit *x, const uint8_t *flags) {
  const struct cg_place *p = &g->place[x->first];
  const unsigned vector = (unsigned)__builtin_ctz(CG_FREE_VECTORS_MASK);
  const uint8_t *const before = g->p;
  settle_places(g, p, x->n);
  write_conditions(g, x, g->p == before ? flags : NULL);
  for (unsigned n = 0; n < x->n; n++)
    if (p[n].slot != CG_PART && destination(g, &p[n]) < 0 && p[n].where == CG_IN_REG)
      into_slot(g, &p[n], p[n].at);
  move_all(g, p, x->n);
  /* What stands in homes is read before other homes are written; the free registers are free now, but for the target. */
  for (unsigned n = 0; n < x->n; n++) {
    int d = destination(g, &p[n]);
    if (d >= 0 && p[n].where == CG_IN_HOME) fetch(g, &p[n], (unsigned)d);
  }
  for (unsigned n = 0; n < x->n; n++) {
    int d = destination(g, &p[n]);
    if (p[n].where == CG_IN_REG || (d >= 0 && p[n].where == CG_IN_HOME)) continue;
    if (p[n].slot == CG_PART || p[n].where == CG_IN_PART) continue;
    const unsigned t = d >= 0 ? (unsigned)d : size_of(&p[n]) == 16 ? vector : scratch(0);
    fetch(g, &p[n], t);
    if (d < 0) into_slot(g, &p[n], t);
  }
}

/* TARGET has the address: to where the jump table says, or out. */
static void go(struct cg *g) {
  if (g->c.alone) {
    g->p = jump_to(g->p, g->c.common->goes);
    return;
  }
  const unsigned env = scratch(0), at = scratch(1);
  const int32_t jump = offsetof(struct cg_env, jump);
  g->p = cg_load_64(g->p, env, CG_VCPU, offsetof(struct vcpu, helpers));
  const int shift = __builtin_ctz((unsigned)sizeof(struct cg_jump)) - (int)cg_jump_shift(g->b->guest);
  g->p = cg_hash(g->p, at, TARGET, shift, (cg_jumps(g->c.direct) - 1) * (int64_t)sizeof(struct cg_jump));
  g->p = cg_add(g->p, at, env);
  g->p = cg_same_64(g->p, TARGET, at, jump + (int)offsetof(struct cg_jump, pc));
  g->p = branch_to(g->p, CG_SAME_64_GIVES, g->c.common->goes);
  g->p = cg_load_u32(g->p, env, env, offsetof(struct cg_env, key));
  g->p = cg_same_32(g->p, env, at, jump + (int)offsetof(struct cg_jump, key));
  g->p = branch_to(g->p, CG_SAME_32_GIVES, g->c.common->goes);
  if (!g->c.absolute) {
    g->p = cg_page(g->p, TARGET);
    g->p = cg_store_64(g->p, CG_VCPU, offsetof(struct vcpu, pcbase), TARGET);
  }
  g->p = cg_load_64(g->p, at, at, jump + (int)offsetof(struct cg_jump, code));
  g->p = cg_jump_reg(g->p, at);
}
_Static_assert(sizeof(struct cg_jump) == 32, "the hash scales by 32, an address counts in 2");

void cg_want(uint8_t *want, uint64_t pc) { memcpy(want - 8, &pc, 8); }

void cg_open(uint8_t *start, const uint8_t *table) {
  uint8_t *p = cg_jump(start);
  cg_patch(p, table);
}

/* TARGET has the address: to one of the blocks that it led to before, or as `go`. */
static void choose(struct cg *g, unsigned exit) {
  unsigned n[CG_WAYS] = {exit};
  uint8_t *stub[CG_WAYS];
  const uint32_t start = (uint32_t)(g->p - g->c.at);
  for (unsigned w = 0; w < CG_WAYS; w++) {
    if (w) {
      if (g->nexits == MAX_EXITS) {
        g->error = -ENOSPC;
        return;
      }
      n[w] = g->nexits++;
      g->exit[n[w]] = g->exit[exit];
      g->exit[n[w]].other = 0;
      g->exit[n[w - 1]].other = g->c.first_exit + n[w];
    }
    struct cg_exit *x = &g->exit[n[w]];
    x->pc = -1; /* no instruction starts there */
    g->p = cg_const(g->p, scratch(0), -1);
    x->want = (uint32_t)(g->p - g->c.at);
    g->p = cg_same(g->p, TARGET, scratch(0));
    g->p = cg_branch(g->p, CG_SAME_GIVES ^ 1);
    x->patch = (uint32_t)(g->p - g->c.at);
    stub[w] = g->p;
  }
  for (unsigned w = 0; w < CG_WAYS; w++) {
    cg_patch(stub[w], g->p);
    g->exit[n[w]].stub = (uint32_t)(g->p - g->c.at);
  }
  g->p = cg_const32(g->p, scratch(0), (int32_t)(g->c.first_exit + exit));
  g->p = jump_to(g->p, g->c.common->site);
  g->exit[exit].start = start;
  g->exit[exit].table = (uint32_t)(g->p - g->c.at);
  go(g);
}

/* At the boundary: on to the exit's target. */
static void follow(struct cg *g, unsigned exit) {
  struct cg_exit *x = &g->exit[exit];
  if (!x->fixed) {
    if (g->c.absolute && !g->c.alone) choose(g, exit);
    else go(g);
    return;
  }
  if (!g->c.absolute &&
      (x->pc < 0 || x->pc >= (int64_t)GUEST_PAGE_SIZE)) { /* another page: known only at run time */
    g->p = cg_load_64(g->p, TARGET, CG_VCPU, offsetof(struct vcpu, pcbase));
    g->p = cg_lea(g->p, TARGET, TARGET, x->pc);
    go(g);
    return;
  }
  if (!g->c.alone) {
    g->p = cg_jump(g->p);
    cg_patch(g->p, g->p);
    x->patch = x->stub = (uint32_t)(g->p - g->c.at);
  }
  g->p = cg_const32(g->p, CG_RESULT, (int32_t)(g->c.first_exit + exit));
  g->p = jump_to(g->p, g->c.common->link);
}

/* `flags`: the comparison whose outcome the flags are, NULL: any. */
static void jump(struct cg *g, unsigned exit, const uint8_t *flags) {
  const struct cg_exit *x = &g->exit[exit];
  to_boundary(g, x, flags);
  if (g->count != x->count) g->p = cg_add_imm(g->p, CG_COUNT, (int64_t)g->count - x->count);
  follow(g, exit);
}

void leave(struct cg *g, unsigned exit) {
  bool c = is_cold(g->b->exit[exit].kind);
  unsigned x = new_exit(g, exit, c);
  if (c) cold(g, x);
  else jump(g, x, g->p == g->flags_until ? g->flags : NULL);
}

void leave_to_interpreter(struct cg *g, unsigned exit) {
  unsigned x = new_exit(g, exit, true);
  g->exit[x].kind = IX_INTERP;
  cold(g, x);
}

void write_entry(struct cg *g, uint64_t pc) {
  g->exit[0] = (struct cg_exit){.kind = CG_EXIT_COUNT, .fixed = true, .pc = (int64_t)pc};
  g->nexits = 1;
  g->p = cg_less_count(g->p, CG_COUNT, (int64_t)g->count);
  g->p = cg_branch(g->p, CG_LESS_COUNT_GIVES);
  new_late(g, LATE_COUNT, 0);
}

void write_lates(struct cg *g) {
  for (unsigned n = 0; n < g->nlates; n++) {
    const struct late *l = &g->late[n];
    if (g->c.end - g->p < CG_ROOM) {
      g->error = -ENOSPC;
      return;
    }
    if (l->from) cg_patch(l->from, g->p);
    switch (l->kind) {
    case LATE_COLD: cold(g, l->exit); break;
    case LATE_JUMP: jump(g, l->exit, l->flags); break;
    case LATE_COUNT:
      g->p = cg_add_imm(g->p, CG_COUNT, (int64_t)g->count);
      g->p = cg_const32(g->p, CG_RESULT, (int32_t)g->c.first_exit);
      g->p = jump_to(g->p, g->c.common->link);
      break;
    case LATE_SLOW: write_slow(g, l); break;
    case LATE_WINDOW: write_window(g, l); break;
    case LATE_PAGE:
      g->p = cg_lea(g->p, l->dest, l->address, (int32_t)(int64_t)l->op - l->around);
      g->p = cg_in_page(g->p, l->dest, GUEST_PAGE_SIZE - 1, GUEST_PAGE_SIZE - l->size - 2 * l->around);
      g->p = branch_to(g->p, CG_IN_PAGE_GIVES ^ 1, l->retry);
      cold(g, l->exit);
      break;
    case LATE_SOFT:
      if (l->size == 16) write_packed(g, (uint32_t)l->op, l->nargs, l->reg, l->dest);
      else write_soft(g, (uint32_t)l->op, l->nargs, l->reg, l->dest, l->size);
      g->p = jump_to(g->p, l->retry);
      break;
    case LATE_NAN:
      write_default_nan(g, l->dest, l->size == 4);
      g->p = jump_to(g->p, l->retry);
      break;
    case LATE_NANS:
      repair_nans(g, l->reg[0], l->reg[1], l->size == 4);
      g->p = jump_to(g->p, l->retry);
      break;
    case LATE_GROUP: write_group(g, l); break;
    case LATE_ZERO: write_zero(g, l); break;
    case LATE_STATUS:
      g->p = cg_load_status(g->p, CG_FRAME_STATUS);
      g->p = jump_to(g->p, l->retry);
      break;
    case LATE_FALSE:
      if (l->silent) g->p = cg_load_status(g->p, CG_FRAME_STATUS);
      g->p = cg_no_equal(g->p);
      g->p = jump_to(g->p, l->retry);
      break;
    }
  }
}

void write_literals(struct cg *g) {
  static const uint8_t none[16];
  if (!g->nliterals) return;
  const unsigned odd = (unsigned)((uintptr_t)g->p & 15);
  memcpy(g->p, none, (16 - odd) & 15);
  g->p += (16 - odd) & 15;
  for (unsigned n = 0; n < g->nliterals; n++) {
    const struct literal *l = &g->literal[n];
    unsigned same = 0;
    while (same < n && (g->literal[same].low != l->low || g->literal[same].high != l->high)) same++;
    if (same < n) {
      g->literal[n].to = g->literal[same].to;
    } else {
      if (g->c.end - g->p < 16) {
        g->error = -ENOSPC;
        return;
      }
      g->literal[n].to = g->p;
      memcpy(g->p, &l->low, 8);
      memcpy(g->p + 8, &l->high, 8);
      g->p += 16;
    }
    cg_patch(g->c.at + l->at, g->literal[n].to);
  }
}

/* ---- flags of floating point ---- */

unsigned read_flags(struct cg *g, uint32_t offset, unsigned bytes) {
  const unsigned d = take(g, UINT32_MAX, -1), t = take(g, UINT32_MAX, -1);
  g->p = cg_store_status(g->p, CG_FRAME_STATUS);
  g->p = cg_load_u32(g->p, d, CG_STACK, CG_FRAME_STATUS);
  g->p = cg_load_64(g->p, t, CG_VCPU, offsetof(struct vcpu, helpers));
  g->p = cg_raised(g->p, d, (1 << CG_NSTATUS) - 1);
  g->p = cg_load_table(g->p, d, t, d, offsetof(struct cg_env, sticky));
  read_home(g, t, offset, bytes);
  g->p = cg_or(g->p, d, t);
  return d;
}

void drop_flags(struct cg *g) {
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_STATUS, CG_STATUS);
  g->p = cg_load_status(g->p, CG_FRAME_STATUS);
}

/* ---- the state at an exit ---- */

/* The 16 bytes of a place in register, spill or home. */
static const void *at(const struct cg_place *p, const struct vcpu *v, const uint64_t *regs) {
  const char *frame = (const char *)regs - CG_FRAME_SAVE;
  if (p->where == CG_IN_HOME) return (const char *)v + p->number;
  if (p->where == CG_IN_SPILL) return frame + cg_spill_at(p->at);
  return is_vector(p->at) ? frame + CG_FRAME_VECTORS + 32 * (p->at - CG_VECTOR)
                          : frame + CG_FRAME_SAVE + 8 * p->at;
}

void cg_restore(const struct ir_guest *guest, struct vcpu *v, const struct cg_exit *x,
                const struct cg_place *place, const uint64_t *regs, uint64_t *target) {
  const struct cg_place *p = &place[x->first];
  uint16_t slot[CG_MAX_HELD];
  uint8_t reg[CG_MAX_HELD];
  struct {
    uint64_t low, high;
  } value[MAX_RESTORED];
  /* What another slot has in its home is read before anything is written. */
  for (uint32_t i = 0; i < x->n; i++) {
    switch (p[i].where) {
    case CG_IN_CONST:
      value[i].low = (uint64_t)p[i].number;
      value[i].high = p[i].high;
      break;
    case CG_IN_PC: value[i].low = v->pcbase + (uint64_t)p[i].number; break;
    case CG_IN_PART: value[i] = value[p[i].number]; break;
    case CG_COMPUTED: {
      const uint64_t of = (uint64_t)p[i].number,
                     args[3] = {value[of & 0xffff].low, value[of >> 16 & 0xffff].low,
                                value[of >> 32 & 0xffff].low};
      ir_compute((enum ir_op)p[i].at, (enum ir_type)p[i].bytes, (enum ir_type)(of >> 48), p[i].offset, args,
                 &value[i].low);
      break;
    }
    default:
      value[i].high = 0;
      memcpy(&value[i], at(&p[i], v, regs), p[i].bytes == 16 && !p[i].low ? 16 : 8);
      if (p[i].slot == CG_PART && p[i].bytes == 4) value[i].low = (uint32_t)value[i].low;
      if (p[i].raw) value[i].low = without_raw_nan(value[i].low, p[i].raw == 4);
      break;
    }
  }
  for (uint32_t i = 0; i < x->n; i++) {
    if (p[i].slot == CG_TARGET) *target = value[i].low;
    else if (p[i].slot != CG_PART) memcpy((char *)v + p[i].offset, &value[i], p[i].bytes);
  }
  if (!x->held) return;
  cg_held(guest, slot, reg);
  for (uint32_t m = x->held; m; m &= m - 1) {
    const unsigned i = (unsigned)__builtin_ctz(m);
    const struct cg_place own = {.where = CG_IN_REG, .at = reg[i]};
    memcpy((char *)v + guest->slots[slot[i]].offset, at(&own, v, regs), guest->slots[slot[i]].bytes);
  }
}
