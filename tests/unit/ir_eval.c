/* The evaluator: simple and slow, one case per operation, every value checked against the bound its entry claims. */
#include "ir_eval.h"

#include <string.h>

#include "fp/fp.h"
#include "ir/int.h"
#include "ir_crypto.h"
#include "mem/access.h"

union value {
  uint8_t b8[32];
  uint16_t b16[16];
  uint32_t b32[8];
  uint64_t b64[4];
  u128 b128[2];
};

struct eval {
  const struct ir_block *b;
  struct vcpu *v;
  union value x[IR_MAX_INS];
  struct ir_outcome out;
};

static void *slot_at(struct eval *e, unsigned s) { return (char *)e->v + e->b->guest->slots[s].offset; }

static void write_slot(struct eval *e, unsigned s, const union value *x) {
  memcpy(slot_at(e, s), x, e->b->guest->slots[s].bytes);
}

static void leave(struct eval *e, unsigned n) {
  const struct ir_exit *x = &e->b->exit[n];
  const struct ir_snap *s = &e->b->snap[x->snap];
  for (unsigned i = 0; i < s->n; i++) {
    const struct ir_slot_value *v = &e->b->snap_value[s->first + i];
    write_slot(e, v->slot, &e->x[v->value]);
  }
  e->out.exit = x;
  e->out.target = x->target ? e->x[x->target].b64[0] : 0;
}

/* One lane of width w. */
static uint64_t lane(const union value *x, unsigned w, unsigned i) {
  return w == 8 ? x->b8[i] : w == 16 ? x->b16[i] : w == 32 ? x->b32[i] : x->b64[i];
}
static void set_lane(union value *x, unsigned w, unsigned i, uint64_t y) {
  if (w == 8) x->b8[i] = (uint8_t)y;
  else if (w == 16) x->b16[i] = (uint16_t)y;
  else if (w == 32) x->b32[i] = (uint32_t)y;
  else x->b64[i] = y;
}

static uint64_t saturated(int64_t x, unsigned w) {
  const int64_t most = (int64_t)(bits_mask(w) >> 1);
  return (uint64_t)(x > most ? most : x < -most - 1 ? -most - 1 : x);
}

static uint64_t lane_op(enum ir_op op, unsigned w, uint64_t a, uint64_t b) {
  int64_t sa = (int64_t)bits_sext(a, w), sb = (int64_t)bits_sext(b, w);
  switch (op) {
  case IR_VADD: return a + b;
  case IR_VSUB: return a - b;
  case IR_VMUL: return a * b;
  case IR_VMINS: return sa < sb ? a : b;
  case IR_VMAXS: return sa > sb ? a : b;
  case IR_VMINU: return a < b ? a : b;
  case IR_VMAXU: return a > b ? a : b;
  case IR_VEQ: return a == b ? ~UINT64_C(0) : 0;
  case IR_VLTS: return sa < sb ? ~UINT64_C(0) : 0;
  case IR_VLTU: return a < b ? ~UINT64_C(0) : 0;
  case IR_VAVGU: return (a + b + 1) >> 1;
  case IR_VADDSS: return saturated(sa + sb, w);
  case IR_VSUBSS: return saturated(sa - sb, w);
  case IR_VADDSU: return a + b > bits_mask(w) ? bits_mask(w) : a + b;
  case IR_VSUBSU: return a < b ? 0 : a - b;
  case IR_VMULHS: return (uint64_t)(sa * sb >> 16);
  case IR_VMULHU: return a * b >> 16;
  case IR_VMULHR: return (uint64_t)(((sa * sb >> 14) + 1) >> 1);
  case IR_VSHLV:
  case IR_VSHL: return bits_shl(a, b, w);
  case IR_VSHRUV:
  case IR_VSHRU: return bits_shru(a, b, w);
  case IR_VSHRSV:
  case IR_VSHRS: return bits_shrs(a, b, w);
  default: return 0;
  }
}

static void vector(struct eval *e, const struct ir_ins *i, union value *r, const union value *a,
                   const union value *b) {
  unsigned w = i->aux, bytes = ir_type_bits((enum ir_type)i->type) / 8;
  switch (i->op) {
  case IR_VSPLAT:
    for (unsigned k = 0; k < bytes * 8 / w; k++) set_lane(r, w, k, a->b64[0]);
    return;
  case IR_VLANE: r->b64[0] = lane(a, w, i->b); return;
  case IR_VINS:
    *r = *a;
    set_lane(r, w, i->c, b->b64[0]);
    return;
  case IR_VPERM:
    for (unsigned k = 0; k < 16; k++) {
      uint8_t from = e->b->perm[i->aux][k];
      r->b8[k] = from < 16 ? a->b8[from] : from < 32 ? b->b8[from - 16] : 0;
    }
    return;
  case IR_VLOOK:
    for (unsigned k = 0; k < 16; k++) r->b8[k] = b->b8[k] < 16 ? a->b8[b->b8[k]] : 0;
    return;
  case IR_VANY: r->b64[0] = a->b128[0] != 0; return;
  case IR_VLOW: r->b128[0] = a->b128[0]; return;
  case IR_VHIGH: r->b128[0] = a->b128[1]; return;
  case IR_VJOIN: r->b128[0] = a->b128[0], r->b128[1] = b->b128[0]; return;
  default:
    for (unsigned k = 0; k < bytes * 8 / w; k++) {
      bool shift = i->op == IR_VSHL || i->op == IR_VSHRU || i->op == IR_VSHRS;
      set_lane(r, w, k, lane_op((enum ir_op)i->op, w, lane(a, w, k), shift ? b->b64[0] : lane(b, w, k)));
    }
  }
}

static void fp(struct eval *e, const struct ir_ins *i, uint64_t *r, const uint64_t *a, const uint64_t *b,
               const uint64_t *c) {
  const struct ir_fp *how = &e->b->fp[i->aux];
  unsigned flags = 0;
  if (how->lane) {
    const uint64_t operand[3][2] = {{a[0], a[1]}, {b[0], b[1]}, {c[0], c[1]}};
    ir_fp_compute_lanes(i->op, how, operand, r, &flags);
  } else {
    const uint64_t operand[3] = {a[0], b[0], c[0]};
    enum ir_type t = (enum ir_type)(i->op == IR_ITOF ? i->type : e->b->ins[i->a].type);
    *r = ir_fp_compute(i->op, t == IT_F64, how, operand, &flags);
  }
  if (e->b->guest->sticky < 0) return;
  uint64_t old = 0;
  void *p = slot_at(e, (unsigned)e->b->guest->sticky);
  unsigned bytes = e->b->guest->slots[e->b->guest->sticky].bytes;
  memcpy(&old, p, bytes);
  old |= fp_flags_at(flags, e->b->guest->sticky_bit);
  memcpy(p, &old, bytes);
}

/* An access; nonzero when it faulted. */
static int access(struct eval *e, const struct ir_ins *i, union value *r, const union value *a,
                  const union value *b) {
  struct vcpu *v = e->v;
  unsigned w = IR_MEM_BITS(i->aux), attr = IR_MEM_ATTR(i->aux);
  gva_t at = a->b64[0];
  uint8_t o8 = 0, ok = 0;
  uint16_t o16 = 0;
  uint32_t o32 = 0;
  int rc;
#define BY_WIDTH(F8, F16, F32, F64, F128) \
  (w == 8 ? (F8) : w == 16 ? (F16) : w == 32 ? (F32) : w == 64 ? (F64) : (F128))
  switch (i->op) {
  case IR_LOAD:
    if (w == 256) {
      rc = mem_probe(v, at, 32, ACCESS_READ);
      for (unsigned k = 0; k < 4 && !rc; k++) rc = mem_load64(v, at + 8 * k, attr, &r->b64[k]);
      return rc;
    }
    rc = BY_WIDTH(mem_load8(v, at, attr, &o8), mem_load16(v, at, attr, &o16), mem_load32(v, at, attr, &o32),
                  mem_load64(v, at, attr, &r->b64[0]), mem_load128(v, at, attr, &r->b128[0]));
    break;
  case IR_LOADX:
    rc = BY_WIDTH(mem_load_ex8(v, at, attr, &o8), mem_load_ex16(v, at, attr, &o16),
                  mem_load_ex32(v, at, attr, &o32), mem_load_ex64(v, at, attr, &r->b64[0]),
                  mem_load_ex128(v, at, attr, &r->b128[0]));
    break;
  case IR_STORE:
    if (w == 256) {
      rc = mem_probe(v, at, 32, ACCESS_WRITE);
      for (unsigned k = 0; k < 4 && !rc; k++) rc = mem_store64(v, at + 8 * k, attr, b->b64[k]);
      return rc;
    }
    return BY_WIDTH(mem_store8(v, at, attr, b->b8[0]), mem_store16(v, at, attr, b->b16[0]),
                    mem_store32(v, at, attr, b->b32[0]), mem_store64(v, at, attr, b->b64[0]),
                    mem_store128(v, at, attr, b->b128[0]));
  case IR_STOREX:
    rc = BY_WIDTH(mem_store_ex8(v, at, attr, b->b8[0], &ok), mem_store_ex16(v, at, attr, b->b16[0], &ok),
                  mem_store_ex32(v, at, attr, b->b32[0], &ok), mem_store_ex64(v, at, attr, b->b64[0], &ok),
                  mem_store_ex128(v, at, attr, b->b128[0], &ok));
    r->b64[0] = ok;
    return rc;
  case IR_RMW: {
    enum mem_rmw op = (enum mem_rmw)IR_MEM_RMW(i->aux);
    rc = BY_WIDTH(mem_rmw8(v, at, attr, op, b->b8[0], &o8), mem_rmw16(v, at, attr, op, b->b16[0], &o16),
                  mem_rmw32(v, at, attr, op, b->b32[0], &o32),
                  mem_rmw64(v, at, attr, op, b->b64[0], &r->b64[0]), -1);
    break;
  }
  case IR_CAS: {
    const union value *n = &e->x[i[-1].a];
    rc = BY_WIDTH(mem_cas8(v, at, attr, b->b8[0], n->b8[0], &o8),
                  mem_cas16(v, at, attr, b->b16[0], n->b16[0], &o16),
                  mem_cas32(v, at, attr, b->b32[0], n->b32[0], &o32),
                  mem_cas64(v, at, attr, b->b64[0], n->b64[0], &r->b64[0]),
                  mem_cas128(v, at, attr, b->b128[0], n->b128[0], &r->b128[0]));
    break;
  }
  case IR_PROBE: return mem_probe(v, at, b->b64[0], attr ? ACCESS_WRITE : ACCESS_READ);
  default: return mem_fill(v, at, b->b64[0], e->x[i[-1].a].b8[0]);
  }
  if (w <= 32) r->b64[0] = w == 8 ? o8 : w == 16 ? o16 : o32;
  if (i->flags & IRF_SIGN)
    r->b64[0] = bits_sext(r->b64[0], w) & bits_mask(ir_type_bits((enum ir_type)i->type));
  return rc;
}

/* Runs one entry; false when the block was left. */
static bool step(struct eval *e, unsigned at) {
  const struct ir_ins *i = &e->b->ins[at];
  union value *r = &e->x[at];
  const union value *a = &e->x[i->a], *b = &e->x[i->b], *c = &e->x[i->c];
  memset(r, 0, sizeof *r);
  switch (i->op) {
  case IR_NOP:
  case IR_ARG: return true;
  case IR_CONST: r->b128[0] = ir_const_value(e->b, at); return true;
  case IR_PC: r->b64[0] = e->v->pcbase + (uint64_t)ir_const_value(e->b, at); return true;
  case IR_GET: memcpy(r, slot_at(e, i->aux), e->b->guest->slots[i->aux].bytes); return true;
  case IR_PUT: write_slot(e, i->aux, a); return true;
  case IR_RAISE:
    for (unsigned k = 0; k < e->b->guest->slots[i->aux].bytes; k++)
      ((uint8_t *)slot_at(e, i->aux))[k] |= a->b8[k];
    return true;
  case IR_PAIR: r->b64[0] = a->b64[0], r->b64[1] = b->b64[0]; return true;
  case IR_LOW: r->b64[0] = a->b64[0]; return true;
  case IR_HIGH: r->b64[0] = a->b64[1]; return true;
  case IR_CAST: *r = *a; return true;
  case IR_SELECT: *r = a->b64[0] ? *b : *c; return true;
  case IR_FENCE: mem_fence(i->aux); return true;
  case IR_FCLASS:
    r->b64[0] = e->b->ins[i->a].type == IT_F64 ? fp64_class(a->b64[0]) : fp32_class(a->b64[0]);
    return true;
  case IR_GUARD:
    if (a->b64[0] == i->b) return true;
    leave(e, i->c);
    return false;
  case IR_EXIT: leave(e, i->c); return false;
  case IR_HANDLER:
    e->out.step = e->b->guest->isa->exec[ir_decoded(e->b, i->aux)->op](e->v, ir_decoded(e->b, i->aux));
    if (e->out.step == STEP_NEXT) return true;
    leave(e, i->c);
    return false;
  default: break;
  }
  if (ir_is_access((enum ir_op)i->op)) {
    if (!access(e, i, r, a, b)) return true;
    leave(e, i->c);
    return false;
  }
  if (i->op >= IR_FADD && i->op <= IR_FRINT) {
    fp(e, i, r->b64, a->b64, b->b64, c->b64);
    return true;
  }
  if (i->op >= IR_VCLMULL && i->op <= IR_VSHBS) {
    r->b128[0] = eval_crypto((enum ir_op)i->op, a->b128[0], b->b128[0], c->b128[0]);
    return true;
  }
  if (i->op >= IR_VADD && i->op <= IR_VANY) {
    vector(e, i, r, a, b);
    return true;
  }
  if (ir_is_vec((enum ir_type)i->type)) {
    for (unsigned k = 0; k < ir_type_bits((enum ir_type)i->type) / 64; k++) {
      uint64_t v[3] = {a->b64[k], b->b64[k], 0};
      if (!ir_compute((enum ir_op)i->op, IT_I64, IT_I64, 0, v, &r->b64[k]))
        e->out.broken = "no such vector operation";
    }
    return true;
  }
  if (i->type == IT_I128) {
    u128 x = a->b128[0], y = b->b128[0];
    r->b128[0] = i->op == IR_DIVU   ? bits_divu128(x, y)
                 : i->op == IR_REMU ? bits_remu128(x, y)
                 : i->op == IR_DIVS ? bits_divs128(x, y, 128)
                                    : bits_rems128(x, y, 128);
    return true;
  }
  uint64_t v[3] = {a->b64[0], b->b64[0], c->b64[0]};
  if (!ir_compute((enum ir_op)i->op, (enum ir_type)i->type, (enum ir_type)e->b->ins[i->a].type, i->aux, v,
                  &r->b64[0]))
    e->out.broken = "no such operation";
  return true;
}

struct ir_outcome ir_eval(const struct ir_block *b, struct vcpu *v) {
  static struct eval e;
  e.b = b;
  e.v = v;
  e.out = (struct ir_outcome){0};
  for (unsigned r = 1; r < b->n; r++) {
    e.out.at = r;
    bool on = step(&e, r);
    e.out.executed += b->ins[r].op != IR_NOP;
    if (!on) return e.out;
    const struct ir_ins *i = &b->ins[r];
    if (ir_is_int((enum ir_type)i->type) && (i->bits < 64 ? e.x[r].b64[0] >> i->bits : 0))
      e.out.broken = "a value has more bits than its entry says";
    if (e.out.broken) return e.out;
  }
  e.out.broken = "the block has no end";
  return e.out;
}
