/* Ways out of a block: where every slot's value is at that moment, and the code that brings a block's state to the
 * boundary convention, or hands it to the runtime as data. */
#include <errno.h>
#include <string.h>

#include "hostcg/cg_int.h"

#define TARGET  CG_RESULT                                  /* where an address to go on at is passed */
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
    p->number = ins_of(g, v)->type == IT_I32 ? (uint32_t)k : k;
  } else if (v < IR_MAX_INS && ins_of(g, v)->op == IR_PC) {
    p->where = CG_IN_PC;
    p->number = (int64_t)ir_const_value(g->b, v);
  } else if (x->reg >= 0) {
    p->where = CG_IN_REG;
    p->at = (uint8_t)x->reg;
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
  if (slot != CG_TARGET) {
    p->bytes = info(g, slot)->bytes;
    p->offset = info(g, slot)->offset;
  }
  return p;
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
    locate(g, place(g, v->slot), value_of(g, v->value));
  }
  for (unsigned i = 0; i < g->nheld; i++) {
    const struct value *v = &g->v[HELD(i)];
    if (named >> i & 1 || (v->home && cold)) continue;
    if (v->home || cold || v->reg != (int)g->held_reg[i]) locate(g, place(g, g->held_slot[i]), HELD(i));
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
  return g->nexits++;
}

static struct late *new_late(struct cg *g, enum late_kind kind, unsigned exit) {
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
  new_late(g, cold ? LATE_COLD : LATE_JUMP, x);
}

void late_slow(struct cg *g, unsigned exit, uint8_t *retry, unsigned address, unsigned size,
               unsigned access) {
  struct late *l = new_late(g, LATE_SLOW, exit);
  l->retry = retry;
  l->address = (uint8_t)address;
  l->size = (uint8_t)size;
  l->access = (uint8_t)access;
}

void cg_patch(uint8_t *patch, const uint8_t *to) {
  int32_t d = (int32_t)(to - patch);
  memcpy(patch - 4, &d, 4);
}

static void jump_to(struct cg *g, const uint8_t *to) {
  g->p = cg_jump(g->p);
  cg_patch(g->p, to);
}

static void branch_to(struct cg *g, unsigned cc, const uint8_t *to) {
  g->p = cg_branch(g->p, cc);
  cg_patch(g->p, to);
}

static void cold(struct cg *g, unsigned exit) {
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_EXIT, (int32_t)(g->c.first_exit + exit));
  jump_to(g, g->c.common->cold);
}

/* ---- to the boundary ---- */

/* The register that a place has to be in; -1: memory. */
static int destination(const struct cg *g, const struct cg_place *p) {
  if (p->slot == CG_TARGET) return TARGET;
  int i = held_index(g, p->slot);
  return i < 0 ? -1 : (int)g->held_reg[i];
}

/* Registers to registers, all at once. */
static void move_all(struct cg *g, const struct cg_place *p, unsigned n) {
  int8_t from[CG_NREGS];
  memset(from, -1, sizeof from);
  for (unsigned k = 0; k < n; k++) {
    int d = destination(g, &p[k]);
    if (d >= 0 && p[k].where == CG_IN_REG && p[k].at != d) from[d] = (int8_t)p[k].at;
  }
  for (;;) {
    bool left = false, moved = false;
    for (unsigned d = 0; d < CG_NREGS; d++) {
      if (from[d] < 0) continue;
      bool read = false;
      for (unsigned k = 0; k < CG_NREGS; k++) read |= from[k] == (int)d;
      left = true;
      if (read) continue;
      g->p = cg_move(g->p, d, (unsigned)from[d]);
      from[d] = -1;
      moved = true;
    }
    if (!left) return;
    if (moved) continue;
    /* Only circles are left: after an exchange d is right, and who wanted d finds it in the other. */
    for (unsigned d = 0; d < CG_NREGS; d++) {
      if (from[d] < 0) continue;
      unsigned s = (unsigned)from[d];
      g->p = cg_swap(g->p, d, s);
      from[d] = -1;
      for (unsigned k = 0; k < CG_NREGS; k++) {
        if (from[k] == (int)d) from[k] = (int8_t)s;
        else if (from[k] == (int)s) from[k] = (int8_t)d;
        if (from[k] == (int)k) from[k] = -1;
      }
      break;
    }
  }
}

static void fetch(struct cg *g, const struct cg_place *p, unsigned reg) {
  switch (p->where) {
  case CG_IN_REG:
    if (p->at != reg) g->p = cg_move(g->p, reg, p->at);
    break;
  case CG_IN_SPILL: g->p = cg_load_64(g->p, reg, CG_STACK, p->at * 8); break;
  case CG_IN_CONST:
    if (p->number == (uint32_t)p->number) g->p = cg_const32(g->p, reg, p->number);
    else g->p = cg_const(g->p, reg, p->number);
    break;
  case CG_IN_PC:
    g->p = cg_load_64(g->p, reg, CG_VCPU, offsetof(struct vcpu, pcbase));
    if (p->number) g->p = cg_lea(g->p, reg, reg, p->number);
    break;
  case CG_IN_HOME: g->p = cg_load_64(g->p, reg, CG_VCPU, p->number); break;
  }
}

static void to_boundary(struct cg *g, const struct cg_exit *x) {
  const struct cg_place *p = &g->place[x->first];
  for (unsigned n = 0; n < x->n; n++)
    if (destination(g, &p[n]) < 0 && p[n].where == CG_IN_REG) write_home(g, p[n].at, p[n].offset, p[n].bytes);
  move_all(g, p, x->n);
  /* What stands in homes is read before other homes are written; the free registers are free now, but for the target. */
  for (unsigned n = 0; n < x->n; n++) {
    int d = destination(g, &p[n]);
    if (d >= 0 && p[n].where == CG_IN_HOME) fetch(g, &p[n], (unsigned)d);
  }
  for (unsigned n = 0; n < x->n; n++) {
    int d = destination(g, &p[n]);
    if (p[n].where == CG_IN_REG || (d >= 0 && p[n].where == CG_IN_HOME)) continue;
    fetch(g, &p[n], d >= 0 ? (unsigned)d : scratch(0));
    if (d < 0) write_home(g, scratch(0), p[n].offset, p[n].bytes);
  }
}

/* TARGET has the address: to where the jump table says, or out. */
static void go(struct cg *g) {
  if (g->c.alone) {
    jump_to(g, g->c.common->goes);
    return;
  }
  const unsigned env = scratch(0), at = scratch(1);
  const int32_t jump = offsetof(struct cg_env, jump);
  g->p = cg_load_64(g->p, env, CG_VCPU, offsetof(struct vcpu, helpers));
  g->p = cg_hash(g->p, at, TARGET, 4, (CG_JUMPS - 1) * (int64_t)sizeof(struct cg_jump));
  g->p = cg_add(g->p, at, env);
  g->p = cg_same_64(g->p, TARGET, at, jump + (int)offsetof(struct cg_jump, pc));
  branch_to(g, CG_SAME_64_GIVES, g->c.common->goes);
  g->p = cg_load_u32(g->p, env, env, offsetof(struct cg_env, key));
  g->p = cg_same_32(g->p, env, at, jump + (int)offsetof(struct cg_jump, key));
  branch_to(g, CG_SAME_32_GIVES, g->c.common->goes);
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
    g->p = cg_branch(g->p, CG_SAME_GIVES);
    uint8_t *next = g->p;
    g->p = cg_jump(g->p);
    x->patch = (uint32_t)(g->p - g->c.at);
    stub[w] = g->p;
    cg_patch(next, g->p);
  }
  for (unsigned w = 0; w < CG_WAYS; w++) {
    cg_patch(stub[w], g->p);
    g->exit[n[w]].stub = (uint32_t)(g->p - g->c.at);
  }
  g->p = cg_const32(g->p, scratch(0), (int32_t)(g->c.first_exit + exit));
  jump_to(g, g->c.common->site);
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
  jump_to(g, g->c.common->link);
}

static void jump(struct cg *g, unsigned exit) {
  const struct cg_exit *x = &g->exit[exit];
  to_boundary(g, x);
  if (g->count != x->count) g->p = cg_add_imm(g->p, CG_COUNT, (int64_t)g->count - x->count);
  follow(g, exit);
}

void leave(struct cg *g, unsigned exit) {
  bool c = is_cold(g->b->exit[exit].kind);
  unsigned x = new_exit(g, exit, c);
  if (c) cold(g, x);
  else jump(g, x);
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
    cg_patch(l->from, g->p);
    switch (l->kind) {
    case LATE_COLD: cold(g, l->exit); break;
    case LATE_JUMP: jump(g, l->exit); break;
    case LATE_COUNT:
      g->p = cg_add_imm(g->p, CG_COUNT, (int64_t)g->count);
      g->p = cg_const32(g->p, CG_RESULT, (int32_t)g->c.first_exit);
      jump_to(g, g->c.common->link);
      break;
    case LATE_SLOW:
      g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_EXIT, (int32_t)(g->c.first_exit + l->exit));
      g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_ACCESS, l->size | l->access << 8);
      g->p = cg_store_64(g->p, CG_STACK, CG_FRAME_ADDRESS, l->address);
      g->p = cg_call(g->p);
      cg_patch(g->p, g->c.common->slow);
      jump_to(g, l->retry);
      break;
    }
  }
}
