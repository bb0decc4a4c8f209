/* A compilation: what is used where (backward), then every entry in turn (forward), then what lies out of line. */
#include "hostcg/cg.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "hostcg/cg_int.h"
#include "os/cpu.h"

struct cg *cg_new(void) {
  /* Fresh pages read as zero and cost nothing before they are used. */
  struct cg *g = mmap(NULL, sizeof *g, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return g == MAP_FAILED ? NULL : g;
}
void cg_free(struct cg *g) {
  if (g) munmap(g, sizeof *g);
}

uint32_t cg_features(void) {
  uint32_t f = 0;
#define ASK(name, bit) f |= (uint32_t)os_cpu_has(#name) << (bit);
  CG_NEEDS(ASK)
#undef ASK
  return f;
}

static unsigned hold(const uint16_t *slots, unsigned nslots, const uint8_t *regs, unsigned nregs,
                     uint16_t *slot, uint8_t *reg, unsigned n) {
  for (unsigned i = 0; i < nslots && i < nregs && n < CG_MAX_HELD; i++, n++) {
    slot[n] = slots[i];
    reg[n] = regs[i];
  }
  return n;
}

unsigned cg_held(const struct ir_guest *guest, uint16_t slot[CG_MAX_HELD], uint8_t reg[CG_MAX_HELD]) {
  static const uint8_t held[] = CG_HELD, vectors[] = CG_HELD_VECTORS;
  unsigned n = hold(guest->held, guest->nheld, held, CG_NHELD, slot, reg, 0);
  return hold(guest->held_vectors, guest->nheld_vectors, vectors, CG_NHELD_VECTORS, slot, reg, n);
}

void cg_sticky(const struct ir_guest *guest, uint32_t table[64]) {
  static const uint8_t flag[] =
      CG_STATUS_FLAGS; /* of each bit of the host's status: which one of ir_guest.sticky_bit */
  _Static_assert(CG_NSTATUS <= 6, "the table has an entry for each set of flags");
  for (unsigned set = 0; set < 64; set++) {
    table[set] = 0;
    for (unsigned bit = 0; bit < CG_NSTATUS; bit++) {
      unsigned f = flag[bit];
      if (!(set >> bit & 1) || f == 255 || (f == 5 && !guest->denormals) || guest->sticky_bit[f] == 255)
        continue;
      table[set] |= 1u << guest->sticky_bit[f];
    }
  }
}

/* ---- backward: uses ---- */

static bool leaves(unsigned op) { return ir_has_exit(op); }

static unsigned bytes_of(unsigned type) {
  switch (type) {
  case IT_I32:
  case IT_F32: return 4;
  case IT_I128:
  case IT_V128: return 16;
  case IT_V256: return 32;
  default: return 8;
  }
}

static void needed(struct cg *g, uint32_t v, uint32_t at) {
  if (g->v[v].last < at) g->v[v].last = at;
}

/* `kind`: of register; the one that comes first in the code, last here, is where the value is best. */
enum kind { ANYWHERE, IN_GENERAL, IN_VECTOR };
static void used(struct cg *g, ref r, uint32_t at, enum kind kind) {
  uint32_t v = value_of(g, r);
  needed(g, v, at);
  if (kind) g->v[v].vector = kind == IN_VECTOR;
  if (g->nuses == MAX_USES) return;
  g->use[g->nuses] = (struct use){at, g->v[v].uses};
  g->v[v].uses = g->nuses++;
}

/* Accesses that take a sum for their address. */
static bool has_address(unsigned op) { return op == IR_LOAD || op == IR_STORE || op == IR_PROBE; }
static bool takes_pair(unsigned op) { return op == IR_ARG || op == IR_CAS || op == IR_STOREX; }

static ref arg(const struct ir_ins *i, unsigned n) { return n == 0 ? i->a : n == 1 ? i->b : i->c; }

/* Whether an operation looks at no more than the low 32 bits of the register with operand n, an I32. */
static bool reads_low(const struct cg *g, ref r, unsigned n) {
  const struct ir_ins *i = ins_of(g, r);
  if (g->late_value[r]) return false;
  if (i->op >= IR_EQ && i->op <= IR_SUBO) return true;
  if (i->op == IR_SEXT) return i->type == IT_I64 || i->aux < 32;
  if (i->op == IR_SELECT) return n > 0 && i->type == IT_I32;
  return i->type == IT_I32 &&
         ((i->op >= IR_ADD && i->op <= IR_REMS) || (i->op >= IR_CLZ && i->op <= IR_ORC8));
}

/* Which truncations their users need not see. */
static void find_low(struct cg *g) {
  const struct ir_block *b = g->b;
  for (ref r = 1; r < b->n; r++) g->low[r] = b->ins[r].op == IR_TRUNC && !g->late_value[r];
  for (ref r = 1; r < b->n; r++) {
    const struct ir_ins *i = &b->ins[r];
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++)
      if (g->low[arg(i, n)] && !reads_low(g, r, n)) g->low[arg(i, n)] = false;
    if (!leaves(i->op)) continue;
    const struct ir_snap *s = &b->snap[b->exit[i->c].snap];
    for (unsigned n = 0; n < s->n; n++) g->low[b->snap_value[s->first + n].value] = false;
  }
}

/* Whether a value is an I32 whose register has zeros above, of whatever kind it is. */
static bool clean(const struct cg *g, uint32_t v) {
  if (v >= IR_MAX_INS) return false;
  const struct ir_ins *i = ins_of(g, v);
  if (i->type != IT_I32) return false;
  if (i->op == IR_AND || i->op == IR_OR || i->op == IR_XOR ||
      i->op == IR_SELECT) /* maybe in vector registers */
    return g->v[v].clean;
  return i->op == IR_LOAD || (i->op >= IR_ADD && i->op <= IR_TRUNC) || (i->op >= IR_CLZ && i->op <= IR_ORC8);
}

/* An entry that is its operand, in the same register: a CAST when both are one register wide, an extension of what has
 * zeros above, a truncation whose users look at the low half alone. */
static bool is_operand(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const uint32_t v = value_of(g, i->a);
  switch (i->op) {
  case IR_CAST: return g->v[r].bytes <= 16;
  case IR_ZEXT: return clean(g, v);
  case IR_TRUNC:
    return g->low[r] && v < IR_MAX_INS && ins_of(g, v)->type == IT_I64 && ins_of(g, v)->op != IR_PC;
  default: return false;
  }
}

/* The lowest lane of a vector is the vector itself where only operations on scalars in vector registers use it. */
enum { NO_LANE, LOW_LANE, PROPER_LANE };
static bool takes_lane(const struct ir_ins *i, unsigned n, unsigned bits) {
  if (i->op == IR_STORE) return n == 1 && IR_MEM_BITS(i->aux) == bits;
  return i->op == IR_CAST || i->op == IR_PAIR || (is_fp(i->op) && i->op != IR_ITOF);
}
static void find_lanes(struct cg *g, uint8_t *lane) {
  static _Thread_local uint16_t root[IR_MAX_INS]; /* of casts: what they cast */
  const struct ir_block *b = g->b;
  for (unsigned r = 1; r < b->n; r++) {
    const struct ir_ins *i = &b->ins[r];
    root[r] = i->op == IR_CAST ? root[i->a] : (uint16_t)r;
    lane[r] = i->op == IR_VLANE && !i->b && i->aux >= 32 && b->ins[i->a].type == IT_V128 ? LOW_LANE : NO_LANE;
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
      const ref x = root[arg(i, n)];
      if (lane[x] == LOW_LANE && !takes_lane(i, n, b->ins[x].aux)) lane[x] = PROPER_LANE;
    }
  }
  for (unsigned k = 0; k < b->nsnap_value; k++) lane[root[b->snap_value[k].value]] = PROPER_LANE;
}

/* How often, and what exits keep. A GET of a held slot is the slot's value if all its uses come before the slot changes. */
static void count_uses(struct cg *g) {
  const struct ir_block *b = g->b;
  const struct value none = {.reg = -1, .hint = -1, .spill = -1, .least = CG_LEAST_OF_ALL};
  static _Thread_local uint8_t lane[IR_MAX_INS];
  find_lanes(g, lane);
  for (unsigned i = 0; i < g->nheld; i++) {
    g->held_until[i] = UINT32_MAX;
    g->v[HELD(i)] = none;
    g->v[HELD(i)].bytes = b->guest->slots[g->held_slot[i]].bytes;
    g->v[HELD(i)].vector = is_vector(g->held_reg[i]);
  }
  g->v[0] = none;
  for (unsigned r = 1; r < b->n; r++) {
    const struct ir_ins *i = &b->ins[r];
    g->v[r] = none;
    g->v[r].bytes = (uint8_t)bytes_of(i->type);
    g->v[r].vector = i->type >= IT_I128;
    if (is_operand(g, r)) {
      g->v[r].alias = (uint16_t)value_of(g, i->a);
      continue;
    }
    g->v[r].clean = ir_op_info[i->op].nargs && i->type == IT_I32;
    for (unsigned n = i->op == IR_SELECT; n < ir_op_info[i->op].nargs && g->v[r].clean; n++) {
      const uint32_t v = value_of(g, arg(i, n));
      g->v[r].clean = (v < IR_MAX_INS && ins_of(g, v)->op == IR_CONST) || clean(g, v);
    }
    if (lane[r] == LOW_LANE) {
      g->v[r].alias = (uint16_t)value_of(g, i->a);
      continue;
    }
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
      struct value *v = &g->v[value_of(g, arg(i, n))];
      v->nargs++;
      if (n == 0 && has_address(i->op)) v->address_uses++;
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
      struct value *v = &g->v[value_of(g, b->snap_value[s->first + n].value)];
      v->kept = true;
      v->last = r;
    }
    if (e->target) {
      struct value *v = &g->v[value_of(g, e->target)];
      v->kept = true;
      v->last = r;
    }
  }
  /* What may be computed by its users, or by the runtime, needs its operands as long. */
  for (unsigned r = b->n - 1; r; r--) {
    const struct ir_ins *i = &b->ins[r];
    if (!(i->op >= IR_FEQ && i->op <= IR_FUN) && !is_compare(i->op) && i->op != IR_PAIR &&
        !g->v[r].address_uses && !g->late_value[r])
      continue;
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++)
      if (g->v[value_of(g, arg(i, n))].last < g->v[r].last) g->v[value_of(g, arg(i, n))].last = g->v[r].last;
  }
  for (unsigned r = 1; r < b->n; r++) {
    struct value *v = &g->v[r];
    const struct ir_ins *i = &b->ins[r];
    if (i->op == IR_GET) {
      int k = held_index(g, i->aux);
      if (k >= 0 && g->v[HELD(k)].bytes == v->bytes && r < g->held_until[k] && v->last < g->held_until[k])
        v->alias = (uint16_t)HELD(k);
    } else if (v->alias) {
      v->alias = (uint16_t)value_of(g, v->alias);
    }
    v->last = 0;
  }
}

/* Pairs with zeros above that nothing but exits needs are not made: a scalar in a vector register of the guest. */
static void find_lazy(struct cg *g) {
  for (unsigned r = 1; r < g->b->n; r++) {
    const struct ir_ins *i = ins_of(g, r);
    int64_t k;
    if (i->op == IR_PAIR && !g->v[r].nargs && number_of(g, i->b, &k) && !k) g->v[r].lazy = true;
  }
}

/* What an exit asks for instead of x. */
static uint32_t shown(const struct cg *g, uint32_t x) {
  return x < IR_MAX_INS && g->v[x].lazy ? value_of(g, ins_of(g, x)->a) : x;
}

static void mark_exit(struct cg *g, unsigned exit, uint32_t at) {
  const struct ir_exit *e = &g->b->exit[exit];
  const struct ir_snap *s = &g->b->snap[e->snap];
  uint32_t named = 0;
  for (unsigned n = 0; n < s->n; n++) {
    const struct ir_slot_value *v = &g->b->snap_value[s->first + n];
    const uint32_t x = shown(g, value_of(g, v->value));
    int k = held_index(g, v->slot);
    if (x < IR_MAX_INS && g->late_value[x]) late_needed(g, x, at);
    else needed(g, x, at);
    if (k < 0) continue;
    named |= 1u << k;
    if (e->kind == IX_JUMP && g->v[x].hint < 0) {
      g->v[x].hint = (int8_t)g->held_reg[k];
      g->v[x].vector = is_vector(g->held_reg[k]);
    }
  }
  if (e->target) {
    uint32_t x = value_of(g, e->target);
    needed(g, x, at);
    if (e->kind == IX_JUMP && g->v[x].hint < 0) g->v[x].hint = CG_RESULT;
  }
  for (unsigned i = 0; i < g->nheld; i++)
    if (!(named >> i & 1)) needed(g, HELD(i), at);
}

static bool dead(const struct cg *g, ref r) {
  char kind = ir_op_info[ins_of(g, r)->op].kind;
  return kind != 'E' && kind != 'F' && !g->v[r].last && !(g->v[r].alias && g->v[g->v[r].alias].last);
}

/* An FP comparison raises its flags where it stands: nothing in between may leave the block or look at them. */
static bool may_wait(const struct cg *g, ref from, ref to) {
  const int sticky = g->b->guest->sticky;
  const struct ir_ins *c = ins_of(g, from);
  if (ir_op_info[c->op].kind != 'F' || g->b->fp[c->aux].quiet == IR_SILENT) return true;
  for (ref r = from + 1; r < to; r++) {
    const struct ir_ins *i = ins_of(g, r);
    if (leaves(i->op) || ((i->op == IR_GET || i->op == IR_PUT) && (int)i->aux == sticky)) return false;
  }
  return true;
}

static enum kind kind_of_use(const struct cg *g, ref r, unsigned n) {
  const struct ir_ins *i = ins_of(g, r);
  if (i->op == IR_PUT || (i->op == IR_STORE && n == 1)) return ANYWHERE;
  return wants_vector(g, i, n, g->v[r].vector) ? IN_VECTOR : IN_GENERAL;
}

static void analyse(struct cg *g) {
  const struct ir_block *b = g->b;
  late_values(g);
  find_low(g);
  count_uses(g);
  find_windows(g);
  find_lazy(g);
  g->nuses = 1;
  for (unsigned r = b->n - 1; r; r--) {
    const struct ir_ins *i = &b->ins[r];
    if (i->op == IR_NOP) continue;
    if (leaves(i->op)) mark_exit(g, i->c, r);
    if (g->v[r].alias || dead(g, r)) continue;
    if (i->op == IR_GET) {
      int k = held_index(g, i->aux);
      if (k >= 0 && r < g->held_until[k]) needed(g, HELD(k), r); /* copied from its register */
      continue;
    }
    if (g->v[r].folded) continue; /* its operands count where it is used */
    for (unsigned n = 0; n < ir_op_info[i->op].nargs; n++) {
      ref a = arg(i, n);
      struct value *v = &g->v[a];
      const struct ir_ins *x = &b->ins[a];
      int64_t k;
      bool cc = n == 0 && (i->op == IR_GUARD || i->op == IR_SELECT) &&
                (g->late_value[a] || (v->nargs == 1 && !v->kept)) && gives_condition(g, a) &&
                may_wait(g, a, r);
      bool address = n == 0 && has_address(i->op) && x->op == IR_ADD && v->address_uses == v->nargs &&
                     !v->kept && number_of(g, x->b, &k) && k == (int32_t)k;
      bool pair = x->op == IR_PAIR && !v->kept && v->nargs == 1 && takes_pair(i->op);
      const uint32_t at = i->op == IR_ARG ? r + 1 : r; /* operand of the next one */
      if (cc || address || pair) {
        v->folded = true;
        v->last = at;
        used(g, x->a, at, cc ? kind_of_use(g, a, 0) : IN_GENERAL);
        used(g, x->b, at, cc ? kind_of_use(g, a, 1) : IN_GENERAL);
      } else {
        used(g, a, at, kind_of_use(g, r, n));
      }
    }
    if (g->window_of[r] && g->window[g->window_of[r] - 1].first != r)
      used(g, WINDOW(g->window_of[r] - 1), r, ANYWHERE);
    /* What this one overwrites is best computed where its result is wanted. */
    if (g->v[r].hint >= 0 && ir_op_info[i->op].nargs && i->op != IR_LOAD && i->op != IR_SELECT) {
      struct value *v = &g->v[value_of(g, i->a)];
      if (v->hint < 0 && value_of(g, i->a) < IR_MAX_INS && v->vector == is_vector((unsigned)g->v[r].hint))
        v->hint = g->v[r].hint;
    }
  }
}

/* ---- forward: code ---- */

static bool lower(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  int k;
  if (g->v[r].alias) return true;
  switch (i->op) {
  case IR_NOP:
  case IR_CONST: /* where they are needed */
  case IR_PC: return i->type <= IT_I64 || g->v[r].bytes <= 16;
  case IR_GET: {
    const struct ir_slot_info *s = &g->b->guest->slots[i->aux];
    if (s->bytes > 16 || (s->bytes == 16) != (g->v[r].bytes == 16) || g->v[r].bytes > 16) return false;
    if ((int)i->aux == g->b->guest->sticky) {
      result(g, r, read_flags(g, s->offset, s->bytes));
      return true;
    }
    k = held_index(g, i->aux);
    unsigned d = s->bytes < 4 ? take(g, UINT32_MAX, g->v[r].hint) : take_wanted(g, r);
    if (k >= 0 && g->v[HELD(k)].reg >= 0) move_reg(g, d, (unsigned)g->v[HELD(k)].reg, s->bytes);
    else read_home(g, d, s->offset, s->bytes);
    result(g, r, d);
    return true;
  }
  case IR_PUT: {
    const struct ir_slot_info *s = &g->b->guest->slots[i->aux];
    const bool sticky = (int)i->aux == g->b->guest->sticky;
    const unsigned bytes = g->v[value_of(g, i->a)].bytes;
    if (s->bytes > 16 || s->bytes > (bytes < 8 ? 8 : bytes)) return false;
    unsigned a = need_any(g, i->a, s->bytes < 4 || (s->bytes > bytes) ? GENERAL : GENERAL | VECTORS);
    write_home(g, a, s->offset, s->bytes);
    if (sticky) drop_flags(g);
    if ((k = held_index(g, i->aux)) >= 0) held_changed(g, (unsigned)k);
    return true;
  }
  case IR_RAISE: {
    const struct ir_slot_info *s = &g->b->guest->slots[i->aux];
    if (s->bytes != 1 && s->bytes != 4) return false;
    const unsigned a = need_any(g, i->a, GENERAL);
    g->p = s->bytes == 1 ? cg_or_8(g->p, CG_VCPU, (int32_t)s->offset, a)
                         : cg_or_32(g->p, CG_VCPU, (int32_t)s->offset, a);
    return true;
  }
  case IR_GUARD: {
    unsigned cc = condition(g, i->a);
    g->p = cg_branch(g->p,
                     i->b ? cc ^ 1 : cc); /* leaves when it is the other; conditions come in opposite pairs */
    g->flags_until = g->p;
    late_exit(g, i->c);
    return true;
  }
  case IR_EXIT: leave(g, i->c); return true;
  default: break;
  }
  if (i->op >= IR_LOAD && i->op <= IR_HANDLER) return lower_memory(g, r);
  return lower_low_lane(g, r) || lower_rule(g, r) || lower_vector(g, r);
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
  g->flags_until = NULL;
  g->nplaces = g->nfaults = g->nlates = g->nexits = g->nliterals = 0;
  g->nheld = cg_held(b->guest, g->held_slot, g->held_reg);
  memset(g->held_at, 0, sizeof g->held_at);
  for (unsigned i = 0; i < g->nheld; i++) g->held_at[g->held_slot[i]] = (uint8_t)(i + 1);
  g->count = b->exit[b->ins[last].c].count;
  analyse(g);
  alloc_start(g);
  write_entry(g, (c->absolute ? c->page : 0) + (uint64_t)(int64_t)b->insn[0].pc);
  *out = (struct cg_result){.entry = c->at, .count = g->count};
  for (ref r = 1; r <= last; r++) {
    g->at = r;
    if (c->end - g->p < CG_ROOM) return -ENOSPC;
    if (dead(g, r) || g->v[r].folded) continue;
    if (!g->v[r].alias) {
      settle_before(g, r);
      settle_uses(g, r);
    }
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
  out->code_end = g->p;
  write_literals(g);
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
