/* The rules of ir.h as a check: operands earlier and of the right type, bounds of bits that hold where they are used,
 * snapshots and ways out that exist, one last way out. */
#include "ir/int.h"

struct check {
  const struct ir_block *b;
  unsigned at;
  char *err;
  size_t n;
  bool ok;
};

static void bad(struct check *c, const char *what) {
  if (!c->ok) return;
  c->ok = false;
  const struct ir_ins *i = &c->b->ins[c->at];
  snprintf(c->err, c->n, "entry %u, %s: %s", c->at, i->op < IR_NOPS ? ir_op_info[i->op].name : "?", what);
}

static enum ir_type type(const struct check *c, unsigned r) { return (enum ir_type)c->b->ins[r].type; }

static void value(struct check *c, unsigned r, unsigned before) {
  if (!r || r >= before) bad(c, "an operand that is not an earlier entry");
  else if (c->b->ins[r].op == IR_NOP || !type(c, r)) bad(c, "an operand that is no value");
}

static void want(struct check *c, unsigned r, enum ir_type t) {
  if (type(c, r) != t) bad(c, "an operand of another type");
}

/* Values of slots may stand for them in any type of their size. */
static void slot(struct check *c, unsigned s, unsigned r) {
  if (s >= c->b->guest->nslots) {
    bad(c, "a slot that does not exist");
    return;
  }
  unsigned bits = c->b->guest->slots[s].bits, have = ir_type_bits(type(c, r));
  if (bits <= 32 ? have != 32 : have != bits) bad(c, "a value of another size than its slot");
  if (ir_is_int(type(c, r)) && bits < have && c->b->ins[r].bits > bits) bad(c, "a value wider than its slot");
}

static void check_exit(struct check *c, unsigned n, unsigned before) {
  const struct ir_block *b = c->b;
  if (n >= b->nexit) {
    bad(c, "an exit that does not exist");
    return;
  }
  const struct ir_exit *x = &b->exit[n];
  if (x->snap >= b->nsnap || x->insn >= b->ninsn || x->count > x->insn + 1) {
    bad(c, "an exit out of range");
    return;
  }
  bool goes = x->kind == IX_JUMP || x->kind == IX_END || x->kind == IX_WAIT;
  if (goes != (x->target != 0)) bad(c, "an exit with a target too much or too little");
  if (x->target) {
    value(c, x->target, before);
    want(c, x->target, IT_I64);
  }
  const struct ir_snap *s = &b->snap[x->snap];
  for (unsigned i = 0; i < s->n && c->ok; i++) {
    const struct ir_slot_value *v = &b->snap_value[s->first + i];
    value(c, v->value, before);
    slot(c, v->slot, v->value);
    for (unsigned k = 0; k < i; k++) {
      if (b->snap_value[s->first + k].slot == v->slot) bad(c, "a snapshot that names a slot twice");
    }
  }
}

static bool vector_or_int(enum ir_type t) { return ir_is_int(t) || ir_is_vec(t); }
static bool is_float(enum ir_type t) { return t == IT_F32 || t == IT_F64; }

/* Floating point on all lanes of a vector. */
static bool packed(struct check *c, const struct ir_ins *i) {
  const unsigned n = ir_op_info[i->op].nargs;
  if (i->op < IR_FADD || i->op > IR_FRINT || i->aux >= c->b->nfp || !c->b->fp[i->aux].lane) return false;
  if (c->b->fp[i->aux].lane != 32 && c->b->fp[i->aux].lane != 64) bad(c, "lanes of no legal width");
  if (c->b->fp[i->aux].quiet == IR_SILENT) bad(c, "only one comparison at a time is silent");
  if (i->type != IT_V128 || i->op == IR_FCVT) bad(c, "no vector");
  want(c, i->a, IT_V128);
  if (n > 1) want(c, i->b, IT_V128);
  if (n > 2) want(c, i->c, IT_V128);
  return true;
}

static void check_types(struct check *c, const struct ir_ins *i) {
  enum ir_type t = (enum ir_type)i->type;
  unsigned n = ir_op_info[i->op].nargs;
  if (packed(c, i)) return;
  enum ir_type a = n > 0 ? type(c, i->a) : IT_NONE, b = n > 1 ? type(c, i->b) : IT_NONE;
  bool lanes = i->op >= IR_VADD && i->op <= IR_VINS;
  if (i->op == IR_VAVGU && i->aux > 16) bad(c, "lanes of no legal width");
  if (lanes && i->aux != 8 && i->aux != 16 && i->aux != 32 && i->aux != 64) bad(c, "lanes of no legal width");
  switch (i->op) {
  case IR_CONST:
    if (i->aux >= c->b->nconst) bad(c, "a constant that does not exist");
    return;
  case IR_PC:
    if (t != IT_I64 || i->aux >= c->b->nconst) bad(c, "no address");
    return;
  case IR_GET:
  case IR_PUT: slot(c, i->aux, i->op == IR_GET ? c->at : i->a); return;
  case IR_RAISE:
    if ((int)i->aux != c->b->guest->sticky || a != IT_I32) bad(c, "no sticky flags");
    return;
  case IR_VANY:
    if (t != IT_I32 || a != IT_V128) bad(c, "types that differ");
    return;
  case IR_AND:
  case IR_OR:
  case IR_XOR:
  case IR_ANDN:
  case IR_NOT:
    if (!vector_or_int(t) || a != t || (n > 1 && b != t)) bad(c, "types that differ");
    return;
  case IR_DIVU:
  case IR_DIVS:
  case IR_REMU:
  case IR_REMS:
    if ((!ir_is_int(t) && t != IT_I128) || a != t || b != t) bad(c, "types that differ");
    return;
  case IR_DIVUW:
  case IR_REMUW:
    if (t != IT_I64 || a != t || b != t || type(c, i->c) != t) bad(c, "types that differ");
    return;
  case IR_ADDX:
    if (!ir_is_int(t) || a != t || b != t) bad(c, "types that differ");
    if (i->aux != 2 && i->aux != 4 && i->aux != 8) bad(c, "no such multiple");
    return;
  case IR_SHL:
  case IR_SHRU:
  case IR_SHRS:
  case IR_ROL:
  case IR_ROR:
    if (!ir_is_int(t) || a != t || b != IT_I32) bad(c, "types that differ");
    return;
  case IR_EQ:
  case IR_NE:
  case IR_LTU:
  case IR_LEU:
  case IR_LTS:
  case IR_LES:
  case IR_ADDO:
  case IR_SUBO:
    if (t != IT_I32 || !ir_is_int(a) || a != b) bad(c, "types that differ");
    return;
  case IR_SEXT:
    if (!ir_is_int(t) || a != IT_I32 || (i->aux != 8 && i->aux != 16 && i->aux != 32)) bad(c, "no extension");
    return;
  case IR_ZEXT:
  case IR_TRUNC:
    if (t != (i->op == IR_ZEXT ? IT_I64 : IT_I32) || a != (i->op == IR_ZEXT ? IT_I32 : IT_I64))
      bad(c, "no conversion");
    return;
  case IR_PAIR:
    if (t != IT_I128 || a != IT_I64 || b != IT_I64) bad(c, "no pair");
    return;
  case IR_LOW:
  case IR_HIGH:
    if (t != IT_I64 || a != IT_I128) bad(c, "no half");
    return;
  case IR_CAST:
    if (t == a || ir_type_bits(t) != ir_type_bits(a)) bad(c, "a cast between types of different sizes");
    return;
  case IR_SELECT:
    if (a != IT_I32 || b != t || type(c, i->c) != t) bad(c, "types that differ");
    if (c->b->ins[i->a].bits > 1) bad(c, "a condition that is no truth value");
    return;
  case IR_PARITY:
    if (t != IT_I32 || a != IT_I32) bad(c, "types that differ");
    return;
  case IR_LOAD:
  case IR_LOADX:
  case IR_STORE:
  case IR_STOREX:
  case IR_RMW:
  case IR_CAS:
    if (a != IT_I64) bad(c, "an address that is no I64");
    if (n > 1 && ir_type_bits(b) < IR_MEM_BITS(i->aux)) bad(c, "a value narrower than its access");
    if (i->op == IR_CAS && c->b->ins[c->at - 1].op != IR_ARG) bad(c, "no third operand");
    return;
  case IR_PROBE:
  case IR_FILL:
    if (a != IT_I64 || b != IT_I64) bad(c, "types that differ");
    return;
  case IR_GUARD:
    if (a != IT_I32 || i->b > 1 || c->b->ins[i->a].bits > 1) bad(c, "a condition that is no truth value");
    return;
  case IR_HANDLER:
    if (i->aux >= c->b->ninsn || c->b->exit[i->c].kind != IX_STEP)
      bad(c, "no instruction, or an exit that is no step");
    return;
  case IR_FEQ:
  case IR_FLT:
  case IR_FLE:
  case IR_FUN:
    if (t != IT_I32 || !is_float(a) || a != b || i->aux >= c->b->nfp) bad(c, "no comparison");
    return;
  case IR_FCVT:
    if (!is_float(t) || !is_float(a) || a == t || i->aux >= c->b->nfp) bad(c, "no conversion");
    return;
  case IR_FTOI:
    if (!ir_is_int(t) || !is_float(a) || i->aux >= c->b->nfp) bad(c, "no conversion");
    return;
  case IR_ITOF:
    if (!is_float(t) || !ir_is_int(a) || i->aux >= c->b->nfp) bad(c, "no conversion");
    return;
  case IR_FCLASS:
    if (t != IT_I32 || !is_float(a)) bad(c, "types that differ");
    return;
  case IR_FADD:
  case IR_FSUB:
  case IR_FMUL:
  case IR_FDIV:
  case IR_FSQRT:
  case IR_FMA:
  case IR_FMIN:
  case IR_FMAX:
  case IR_FRINT:
    if (!is_float(t) || a != t || (n > 1 && b != t) || (n > 2 && type(c, i->c) != t) || i->aux >= c->b->nfp)
      bad(c, "types that differ");
    return;
  case IR_VSPLAT:
    if (!ir_is_vec(t) || !ir_is_int(a) || ir_type_bits(a) < i->aux) bad(c, "types that differ");
    return;
  case IR_VLANE:
    if (!ir_is_int(t) || !ir_is_vec(a) || (i->b + 1) * i->aux > ir_type_bits(a) || ir_type_bits(t) < i->aux)
      bad(c, "no lane");
    return;
  case IR_VINS:
    if (!ir_is_vec(t) || a != t || !ir_is_int(b) || (i->c + 1) * i->aux > ir_type_bits(t) ||
        ir_type_bits(b) < i->aux)
      bad(c, "no lane");
    return;
  case IR_VSHL:
  case IR_VSHRU:
  case IR_VSHRS:
    if (!ir_is_vec(t) || a != t || b != IT_I32) bad(c, "types that differ");
    return;
  case IR_VPERM:
    if (t != IT_V128 || a != t || b != t || i->aux >= c->b->nperm) bad(c, "no permutation");
    return;
  case IR_VLOOK:
    if (t != IT_V128 || a != t || b != t) bad(c, "no table");
    return;
  case IR_VLOW:
  case IR_VHIGH:
    if (t != IT_V128 || a != IT_V256) bad(c, "no half");
    return;
  case IR_VJOIN:
    if (t != IT_V256 || a != IT_V128 || b != IT_V128) bad(c, "no halves");
    return;
  case IR_VADDSS:
  case IR_VADDSU:
  case IR_VSUBSS:
  case IR_VSUBSU:
  case IR_VMULHS:
  case IR_VMULHU:
  case IR_VMULHR:
  case IR_VSHLV:
  case IR_VSHRUV:
  case IR_VSHRSV:
    if (i->op <= IR_VSUBSU   ? i->aux != 8 && i->aux != 16
        : i->op <= IR_VMULHR ? i->aux != 16
                             : i->aux != 32 && (i->aux != 64 || i->op == IR_VSHRSV))
      bad(c, "lanes of no legal width");
    if (t != IT_V128 || a != t || b != t) bad(c, "types that differ");
    return;
  case IR_LABEL:
  case IR_BRANCH: bad(c, "a reserved operation"); return;
  case IR_ARG:
  case IR_FENCE:
  case IR_EXIT: return;
  default:
    if (lanes) {
      if (!ir_is_vec(t) || a != t || b != t) bad(c, "types that differ");
    } else if (i->op >= IR_VCLMULL && i->op <= IR_VSHBS) {
      if (t != IT_V128 || a != t || (n > 1 && b != t) || (n > 2 && type(c, i->c) != t))
        bad(c, "types that differ");
    } else if (!ir_is_int(t) || (n > 0 && a != t) || (n > 1 && b != t)) {
      bad(c, "types that differ");
    }
  }
}

bool ir_verify(const struct ir_block *b, char *err, size_t nerr) {
  struct check c = {.b = b, .err = err, .n = nerr, .ok = true};
  if (b->n < 2 || b->ins[b->n - 1].op != IR_EXIT) bad(&c, "the block does not end with an exit");
  for (c.at = 1; c.at < b->n && c.ok; c.at++) {
    const struct ir_ins *i = &b->ins[c.at];
    if (i->op == IR_NOP) continue;
    if (i->op >= IR_NOPS) {
      bad(&c, "no operation");
      break;
    }
    unsigned n = ir_op_info[i->op].nargs;
    if (n > 0) value(&c, i->a, c.at);
    if (n > 1) value(&c, i->b, c.at);
    if (n > 2) value(&c, i->c, c.at);
    if (i->op == IR_EXIT && c.at != b->n - 1) bad(&c, "an exit in the middle");
    if (c.ok && ir_has_exit((enum ir_op)i->op)) check_exit(&c, i->c, c.at);
    if (c.ok) check_types(&c, i);
    if (ir_is_int((enum ir_type)i->type) && i->bits > ir_type_bits((enum ir_type)i->type))
      bad(&c, "more bits than its type");
  }
  for (unsigned k = 1; k < b->ninsn && c.ok; k++) {
    if (b->insn[k].first < b->insn[k - 1].first) bad(&c, "instructions out of order");
  }
  return c.ok;
}
