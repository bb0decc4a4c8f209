/* Guest state during translation: slot values, what the current instruction wrote, snapshots, ways out. */
#include "ir/int.h"

#include <string.h>

/* Room that one instruction may take. */
enum { ROOM_INS = 1600, ROOM_CONST = 256, ROOM_EXIT = 16, ROOM_FP = 16, ROOM_PERM = 12 };

void lift_begin(struct lift *l, struct ir_block *b, const struct ir_guest *g, uint64_t features) {
  uint64_t (*context)(void *, unsigned) = l->context;
  void *data = l->data;
  const uint8_t *by_handler = l->by_handler;
  bool fold = l->fold;
  assert(g->nslots <= LIFT_SLOTS && g->isa->insn_size <= IR_INSN_BYTES);
  *l = (struct lift){.b = b,
                     .guest = g,
                     .features = features,
                     .fold = fold,
                     .by_handler = by_handler,
                     .context = context,
                     .data = data};
  b->guest = g;
  b->features = features;
  b->n = 1;
  b->nconst = b->nsnap = b->nsnap_value = b->nexit = b->ninsn = b->nfp = b->nperm = b->ncontext = 0;
  b->ins[0] = (struct ir_ins){.op = IR_NOP};
}

bool lift_room(const struct lift *l) {
  const struct ir_block *b = l->b;
  return b->n + ROOM_INS <= IR_MAX_INS && b->nconst + ROOM_CONST <= IR_MAX_CONST &&
         b->nexit + ROOM_EXIT <= IR_MAX_EXIT && b->nsnap + ROOM_EXIT <= IR_MAX_SNAP &&
         b->nsnap_value + ROOM_EXIT * l->guest->nslots <= IR_MAX_SNAP_VALUES && b->ninsn < IR_MAX_INSN &&
         b->nfp + ROOM_FP <= IR_MAX_FP && b->nperm + ROOM_PERM <= IR_MAX_PERM;
}

/* ---- context ---- */

static int own(struct lift *l, unsigned slot) {
  for (unsigned i = 0; i < l->nown; i++) {
    if (l->own[i].slot == slot) return (int)i;
  }
  assert(l->nown < LIFT_OWN_CONTEXT && l->b->ncontext < IR_MAX_CONTEXT);
  uint64_t v = l->context(l->data, slot);
  l->own[l->nown].slot = (uint16_t)slot;
  l->own[l->nown].value = v;
  l->b->context[l->b->ncontext].slot = (uint16_t)slot;
  l->b->context[l->b->ncontext++].value = v;
  return (int)l->nown++;
}

uint64_t lift_context(struct lift *l, unsigned slot) { return l->own[own(l, slot)].value; }

void lift_set_context(struct lift *l, unsigned slot, uint64_t value) {
  if (!l->skip) l->own[own(l, slot)].value = value;
}

/* ---- slots ---- */

ref ir_slot_value(struct lift *l, unsigned slot) {
  for (unsigned i = 0; i < l->npend; i++) {
    if (l->pend[i].slot == slot) return l->pend[i].value;
  }
  if ((int)slot == l->guest->sticky) /* changes with every FP operation */
    return ir_append(l, IR_GET, l->guest->slots[slot].bits <= 32 ? IT_I32 : IT_I64, 0, 0, 0, slot);
  if (!l->value[slot]) {
    unsigned bits = l->guest->slots[slot].bits;
    enum ir_type t = bits <= 32 ? IT_I32 : bits <= 64 ? IT_I64 : bits == 128 ? IT_V128 : IT_V256;
    l->value[slot] = (uint16_t)ir_append(l, IR_GET, t, 0, 0, 0, slot);
  }
  return l->value[slot];
}

/* What memory is known to hold, as the block's context. */
static bool known(struct lift *l, unsigned slot, u128 *v) {
  for (unsigned i = 0; i < l->b->ncontext; i++) {
    if (l->b->context[i].slot == slot && !l->value[slot]) {
      *v = l->b->context[i].value;
      return true;
    }
  }
  return false;
}

void ir_put(struct lift *l, unsigned slot, unsigned width, ref value) {
  if (l->skip) return;
  assert(slot < l->guest->nslots);
  (void)width;
  while (ir_at(l, value)->op == IR_CAST) value = ir_at(l, value)->a;
  unsigned i = 0;
  while (i < l->npend && l->pend[i].slot != slot) i++;
  u128 a, b;
  bool same = l->value[slot] == value || (known(l, slot, &a) && ir_is_k(l, value, &b) && a == b);
  if (i == l->npend && same) return;
  assert(i < LIFT_PEND);
  if (i == l->npend) l->npend++;
  l->pend[i] = (struct lift_pend){(uint16_t)slot, (uint16_t)value};
}

void ir_raise(struct lift *l, unsigned slot, ref bits) {
  u128 k;
  if (l->skip || (ir_is_k(l, bits, &k) && !k)) return;
  ir_append(l, IR_RAISE, IT_NONE, bits, 0, 0, slot);
}

/* Is v the flags as they were read before comparisons and nothing else that could raise them, or show them? */
static bool only_compared_since(const struct lift *l, ref v) {
  const struct ir_ins *i = ir_at(l, v);
  const int sticky = l->guest->sticky;
  if (!l->fold || i->op != IR_GET || (int)i->aux != sticky || l->guest->denormals) return false;
  for (ref r = v + 1; r < l->b->n; r++) {
    i = ir_at(l, r);
    const char kind = ir_op_info[i->op].kind;
    const bool compares = i->op >= IR_FEQ && i->op <= IR_FUN && !l->b->fp[i->aux].lane;
    if (kind == 'E' || (kind == 'F' && !compares)) return false;
    if (i->op == IR_GET && (int)i->aux == sticky) return false;
  }
  return true;
}

/* Sticky FP flags are in memory at once: operations that follow add to them. At the instruction's end. C's isless and the like
 * read them, compare and write them back: then the comparison raises nothing, and nothing has to be written. */
static void settle_sticky(struct lift *l) {
  for (unsigned i = 0; i < l->npend; i++) {
    if ((int)l->pend[i].slot != l->guest->sticky) continue;
    if (only_compared_since(l, l->pend[i].value)) ir_silence(l, l->pend[i].value);
    else l->barrier = ir_append(l, IR_PUT, IT_NONE, l->pend[i].value, 0, 0, l->pend[i].slot);
    l->pend[i] = l->pend[--l->npend];
    return;
  }
}

static void flush_pend(struct lift *l) {
  settle_sticky(l);
  for (unsigned i = 0; i < l->npend; i++) {
    unsigned s = l->pend[i].slot;
    l->value[s] = l->pend[i].value;
    if (!l->dirty[s]) {
      l->dirty[s] = true;
      l->order[l->ndirty++] = (uint16_t)s;
    }
  }
  if (l->npend) l->snap = l->interp = 0;
  l->npend = 0;
}

/* Snapshot of the committed state, with what is pending if `now`. */
static uint16_t snapshot(struct lift *l, bool now) {
  struct ir_block *b = l->b;
  now = now && l->npend;
  if (!now && l->snap) return (uint16_t)(l->snap - 1);
  assert(b->nsnap < IR_MAX_SNAP && b->nsnap_value + l->ndirty + l->npend <= IR_MAX_SNAP_VALUES);
  struct ir_snap *s = &b->snap[b->nsnap];
  *s = (struct ir_snap){(uint16_t)b->nsnap_value, 0};
  for (unsigned i = 0; i < l->ndirty; i++) {
    unsigned slot = l->order[i], v = l->value[slot];
    for (unsigned k = 0; now && k < l->npend; k++) {
      if (l->pend[k].slot == slot) v = l->pend[k].value;
    }
    b->snap_value[s->first + s->n++] = (struct ir_slot_value){(uint16_t)slot, (uint16_t)v};
  }
  for (unsigned k = 0; now && k < l->npend; k++) {
    if (!l->dirty[l->pend[k].slot])
      b->snap_value[s->first + s->n++] = (struct ir_slot_value){l->pend[k].slot, l->pend[k].value};
  }
  b->nsnap_value += s->n;
  if (!now) l->snap = (uint16_t)(b->nsnap + 1);
  return (uint16_t)b->nsnap++;
}

static unsigned new_exit(struct lift *l, struct ir_exit x) {
  assert(l->b->nexit < IR_MAX_EXIT);
  l->b->exit[l->b->nexit] = x;
  return l->b->nexit++;
}

unsigned ir_exit_interp(struct lift *l) {
  if (!l->interp)
    l->interp = (uint16_t)(1 + new_exit(l, (struct ir_exit){.kind = IX_INTERP,
                                                            .insn = (uint16_t)l->insn,
                                                            .count = (uint16_t)l->insn,
                                                            .snap = snapshot(l, false)}));
  return l->interp - 1u;
}

/* The way out at the end of the instruction as its jumps and ends say; 0xffff when it just falls through. */
static unsigned end_exit(struct lift *l, bool needed) {
  struct ir_exit x = {
      .kind = IX_JUMP, .jump = IR_JUMP_NEXT, .insn = (uint16_t)l->insn, .count = (uint16_t)(l->insn + 1)};
  const struct ir_insn *in = &l->b->insn[l->insn];
  if (!needed && !l->restart && !l->target && !l->end) return 0xffff;
  if (l->restart) {
    x.jump = IR_JUMP_RESTART;
    x.target = (uint16_t)ir_pc_at(l, in->pc);
    l->npend = l->nkept; /* the rest is discarded */
    memcpy(l->pend, l->kept, sizeof *l->pend * l->npend);
    x.snap = snapshot(l, true);
    return new_exit(l, x);
  }
  if (l->target) x.jump = l->jump;
  x.target = (uint16_t)(l->target ? l->target : ir_pc_at(l, in->pc + in->len));
  if (l->end) x.kind = l->end;
  else if (x.jump == IR_JUMP_ERET) x.kind = IX_END;
  x.snap = snapshot(l, true);
  return new_exit(l, x);
}

static void close_with(struct lift *l, unsigned exit) {
  l->last = ir_append(l, IR_EXIT, IT_NONE, 0, 0, exit, 0);
  l->closed = l->skip = true;
}

/* Is r a known address of the block's page? */
static bool in_page(const struct lift *l, ref r, int64_t *at) {
  if (ir_at(l, r)->op != IR_PC) return false;
  *at = (int64_t)(uint64_t)ir_const_value(l->b, r);
  return *at >= 0 && *at < (int64_t)GUEST_PAGE_SIZE;
}

bool lift_insn(struct lift *l, const struct insn *d, int32_t pc) {
  struct ir_block *b = l->b;
  assert(!l->closed && lift_room(l));
  l->next = pc + d->len;
  l->next_jump = IR_JUMP_NEXT;
  l->insn = b->ninsn++;
  l->nkept = 0;
  b->insn[l->insn] = (struct ir_insn){.pc = pc, .len = d->len, .first = (uint16_t)b->n};
  memcpy(b->decoded[l->insn], d, l->guest->isa->insn_size);
  ((struct insn *)(void *)b->decoded[l->insn])->off = (uint16_t)pc;
  l->npend = 0;
  l->interp = 0;
  l->target = 0;
  l->end = 0;
  l->skip = l->side = l->restart = l->stored = l->stop = false;
  if (l->by_handler && l->by_handler[d->op])
    lift_by_handler(l, d, NULL, 0, LIFT_TOUCHES_ALL | (d->flags & INSN_ENDS ? LIFT_ENDS : 0));
  else l->guest->lift[d->op](l, ir_decoded(b, l->insn));
  if (l->closed) {
    b->n = l->last + 1; /* what was built behind cannot be reached */
    return false;
  }
  if (l->follow && l->target && l->jump == IR_JUMP_BRANCH && !l->end && !l->restart &&
      in_page(l, l->target, &l->next)) {
    l->follow--;
    l->next_jump = IR_JUMP_BRANCH;
    flush_pend(l);
    return true;
  }
  settle_sticky(l);
  unsigned x = end_exit(l, false);
  if (x != 0xffff) {
    close_with(l, x);
    return false;
  }
  flush_pend(l);
  if (l->stop) lift_close(l);
  return !l->stop;
}

void lift_close(struct lift *l) {
  if (l->closed) return;
  assert(l->b->ninsn && !l->npend);
  close_with(l, new_exit(l, (struct ir_exit){.kind = IX_JUMP,
                                             .jump = l->next_jump,
                                             .insn = (uint16_t)l->insn,
                                             .count = (uint16_t)(l->insn + 1),
                                             .target = (uint16_t)ir_pc_at(l, l->next),
                                             .snap = snapshot(l, false)}));
}

bool lift_turn(struct lift *l, unsigned n) {
  struct ir_block *b = l->b;
  struct ir_exit *x = &b->exit[n];
  const struct ir_snap *s = &b->snap[x->snap];
  ref g = b->n - 1;
  int64_t to;
  while (g && ir_op_info[ir_at(l, g)->op].kind == 'P') g--;
  if (l->closed || ir_at(l, g)->op != IR_GUARD || ir_at(l, g)->c != n || x->kind != IX_JUMP ||
      s->n != l->ndirty || !in_page(l, x->target, &to))
    return false;
  for (unsigned i = 0; i < s->n; i++) {
    const struct ir_slot_value *v = &b->snap_value[s->first + i];
    if (!l->dirty[v->slot] || l->value[v->slot] != v->value) return false;
  }
  x->target = (uint16_t)ir_pc_at(l, l->next);
  x->jump = l->next_jump;
  const struct ir_ins old = *ir_at(l, g);
  b->ins[g] = (struct ir_ins){.op = IR_NOP};
  ir_append(l, IR_GUARD, IT_NONE, old.a, !old.b, n, 0);
  l->next = to;
  l->next_jump = IR_JUMP_BRANCH;
  return true;
}

/* ---- control ---- */

void lift_end(struct lift *l, enum lift_end reason) {
  if (!l->skip) l->end = reason == LIFT_WAIT ? IX_WAIT : l->end == IX_WAIT ? IX_WAIT : IX_END;
}

void ir_exit(struct lift *l) {
  if (!l->skip) close_with(l, ir_exit_interp(l));
}

/* cond == expect, reduced to a condition that is no negation. */
static ref positive(struct lift *l, ref cond, int *expect) {
  const struct ir_ins *i = ir_at(l, cond);
  u128 k;
  while (i->op == IR_XOR && ir_is_k(l, i->b, &k) && k == 1) {
    cond = i->a;
    *expect = !*expect;
    i = ir_at(l, cond);
  }
  return cond;
}

void ir_guard(struct lift *l, ref cond, int expect) {
  u128 k;
  if (l->skip) return;
  if (l->fold) cond = positive(l, cond, &expect);
  if (ir_is_k(l, cond, &k)) {
    if ((int)k != expect) ir_exit(l);
    return;
  }
  ir_append(l, IR_GUARD, IT_NONE, cond, (ref)expect, ir_exit_interp(l), 0);
}

void ir_side(struct lift *l, ref cond, int expect) {
  u128 k;
  assert(!l->side);
  l->side = true;
  l->side_taken = false;
  l->side_dead = l->skip;
  l->side_cond = 0;
  if (l->skip) return;
  if (l->fold) cond = positive(l, cond, &expect);
  if (ir_is_k(l, cond, &k)) {
    l->side_taken = (int)k == expect;
    l->skip = !l->side_taken;
    return;
  }
  l->side_cond = cond;
  l->side_expect = (uint8_t)expect;
  l->nsaved = l->npend;
  memcpy(l->saved, l->pend, sizeof *l->pend * l->npend);
}

void ir_main(struct lift *l) {
  assert(l->side);
  l->side = false;
  if (!l->side_cond) {
    if (!l->closed && !l->side_dead) l->skip = l->side_taken;
    return;
  }
  unsigned x = end_exit(l, true);
  ir_append(l, IR_GUARD, IT_NONE, l->side_cond, !l->side_expect, x, 0);
  l->npend = l->nsaved;
  memcpy(l->pend, l->saved, sizeof *l->pend * l->npend);
  l->target = 0;
  l->end = 0;
  l->restart = false;
}

void ir_jump(struct lift *l, ref target, enum ir_jump_kind kind) {
  if (l->skip) return;
  l->target = target;
  l->jump = (uint8_t)kind;
}

void ir_restart(struct lift *l) {
  if (!l->skip) l->restart = true;
}

/* Until memory was changed, running the whole instruction again comes to the same. */
void ir_commit(struct lift *l) {
  if (l->skip) return;
  if (l->stored) flush_pend(l);
  l->nkept = l->npend;
  memcpy(l->kept, l->pend, sizeof *l->pend * l->npend);
}

/* ---- handlers ---- */

static void put_now(struct lift *l, unsigned slot, bool forget) {
  if (l->dirty[slot]) {
    ir_append(l, IR_PUT, IT_NONE, l->value[slot], 0, 0, slot);
    l->dirty[slot] = false;
    unsigned i = 0;
    while (l->order[i] != slot) i++;
    l->order[i] = l->order[--l->ndirty];
    l->snap = l->interp = 0;
  }
  if (forget) l->value[slot] = 0;
}

int lift_by_handler(struct lift *l, const struct insn *d, const uint16_t *touch, unsigned ntouch,
                    unsigned how) {
  uint16_t known[LIFT_TOUCH];
  assert(!l->skip && !l->npend);
  if (!touch && how & LIFT_TOUCHES_ALL && l->guest->touch) {
    ntouch = l->guest->touch(l, d, known, &how);
    touch = known;
    assert(ntouch <= LIFT_TOUCH);
  }
  if (how & LIFT_TOUCHES_ALL) {
    for (unsigned s = 0; s < l->guest->nslots; s++) put_now(l, s, false);
  }
  for (unsigned i = 0; i < ntouch; i++) put_now(l, touch[i] & ~LIFT_WRITES, false);
  unsigned x = new_exit(l, (struct ir_exit){.kind = IX_STEP,
                                            .insn = (uint16_t)l->insn,
                                            .count = (uint16_t)l->insn,
                                            .snap = snapshot(l, false)});
  l->barrier = ir_append(l, IR_HANDLER, IT_NONE, 0, 0, x, l->insn);
  if (how & LIFT_TOUCHES_ALL) memset(l->value, 0, sizeof l->value);
  for (unsigned i = 0; i < ntouch; i++) {
    if (touch[i] & LIFT_WRITES) l->value[touch[i] & ~LIFT_WRITES] = 0;
  }
  l->stop = how & (LIFT_NEW_CONTEXT | LIFT_ENDS);
  return LIFT_BY_HANDLER;
}
