/* Loads, stores, fences, calls of handlers: entries that may leave the block in their middle. What has no code here is
 * left to the interpreter, one instruction at a time. */
#include <errno.h>

#include "hostcg/cg_int.h"
#include "mem/access.h"
#include "mem/space.h"

void may_fault(struct cg *g, unsigned x) {
  if (g->nfaults == IR_MAX_INS) {
    g->error = -ENOSPC;
    return;
  }
  g->fault[g->nfaults++] = (struct cg_fault){(uint32_t)(g->p - g->c.at), g->c.first_exit + x};
}

/* Within half of what is kept free around the guest's addresses. */
static bool is_near(int64_t distance) {
  return distance > -(int64_t)SPACE_GUARD / 2 && distance < (int64_t)SPACE_GUARD / 2;
}

static uint8_t *load_direct(uint8_t *p, unsigned bits, bool sign, bool is64, unsigned d, unsigned b,
                            int32_t o) {
  switch (bits) {
  case 8:
    return !sign ? cg_load_u8(p, d, b, o) : is64 ? cg_load_s8_64(p, d, b, o) : cg_load_s8_32(p, d, b, o);
  case 16:
    return !sign ? cg_load_u16(p, d, b, o) : is64 ? cg_load_s16_64(p, d, b, o) : cg_load_s16_32(p, d, b, o);
  case 32: return sign && is64 ? cg_load_s32(p, d, b, o) : cg_load_u32(p, d, b, o);
  default: return cg_load_64(p, d, b, o);
  }
}

static uint8_t *load_indexed(uint8_t *p, unsigned bits, bool sign, bool is64, unsigned d, unsigned b,
                             unsigned x, int32_t o) {
  switch (bits) {
  case 8:
    return !sign  ? cg_xload_u8(p, d, b, x, o)
           : is64 ? cg_xload_s8_64(p, d, b, x, o)
                  : cg_xload_s8_32(p, d, b, x, o);
  case 16:
    return !sign  ? cg_xload_u16(p, d, b, x, o)
           : is64 ? cg_xload_s16_64(p, d, b, x, o)
                  : cg_xload_s16_32(p, d, b, x, o);
  case 32: return sign && is64 ? cg_xload_s32(p, d, b, x, o) : cg_xload_u32(p, d, b, x, o);
  default: return cg_xload_64(p, d, b, x, o);
  }
}

static uint8_t *store_direct(uint8_t *p, unsigned bits, unsigned b, int32_t o, unsigned a) {
  switch (bits) {
  case 8: return cg_store_8(p, b, o, a);
  case 16: return cg_store_16(p, b, o, a);
  case 32: return cg_store_32(p, b, o, a);
  default: return cg_store_64(p, b, o, a);
  }
}

static uint8_t *store_indexed(uint8_t *p, unsigned bits, unsigned b, unsigned x, int32_t o, unsigned a) {
  switch (bits) {
  case 8: return cg_xstore_8(p, b, x, o, a);
  case 16: return cg_xstore_16(p, b, x, o, a);
  case 32: return cg_xstore_32(p, b, x, o, a);
  default: return cg_xstore_64(p, b, x, o, a);
  }
}

unsigned direct_base(struct cg *g, ref address, int32_t *o) {
  const struct ir_ins *i = ins_of(g, address);
  int64_t k = 0;
  *o = 0;
  if (!g->v[address].folded) return need(g, address, UINT32_MAX);
  number_of(g, i->b, &k);
  unsigned a = need(g, i->a, UINT32_MAX);
  *o = (int32_t)k;
  if (is_near(k)) return a;
  unsigned t = take(g, UINT32_MAX, -1);
  g->p = cg_lea(g->p, t, a, k);
  *o = 0;
  return t;
}

/* Whole registers of a kind of their own: what is not extended. */
static bool any_register(unsigned bits) { return bits == 32 || bits == 64 || bits == 128; }
static bool fits_register(const struct cg *g, ref r, unsigned bits) {
  const unsigned type = ins_of(g, r)->type;
  return type != IT_V256 && bits <= 8u * g->v[r].bytes;
}

void write_access(struct cg *g, const struct mem_op *m, unsigned b, unsigned x, int32_t o) {
  const unsigned r = m->reg;
  if (!is_vector(r)) {
    g->p = m->store ? store_indexed(g->p, m->bits, b, x, o, r)
                    : load_indexed(g->p, m->bits, m->sign, m->wide, r, b, x, o);
  } else if (m->store) {
    g->p = m->bits == 32   ? cg_xvstore_32(g->p, b, x, o, r)
           : m->bits == 64 ? cg_xvstore_64(g->p, b, x, o, r)
                           : cg_xvstore_128(g->p, b, x, o, r);
  } else {
    g->p = m->bits == 32   ? cg_xvload_32(g->p, r, b, x, o)
           : m->bits == 64 ? cg_xvload_64(g->p, r, b, x, o)
                           : cg_xvload_128(g->p, r, b, x, o);
  }
}

uint32_t root_of(const struct cg *g, ref address, int64_t *distance) {
  int64_t k;
  *distance = 0;
  for (const struct ir_ins *i;
       i = ins_of(g, address), i->op == IR_ADD && number_of(g, i->b, &k) && is_near(k + *distance);
       address = i->a)
    *distance += k;
  return value_of(g, address);
}

/* One comparison serves all accesses whose addresses are near: what lies between them and the guest's memory is nobody's. */
unsigned direct_check(struct cg *g, unsigned exit, ref address, unsigned a, int32_t o, unsigned bytes) {
  int64_t k, distance;
  struct value *root = &g->v[root_of(g, address, &distance)];
  const unsigned x = new_exit(g, exit, true);
  if (number_of(g, address, &k) && !((uint64_t)k >> SPACE_BITS)) return x;
  if (ins_of(g, address)->bits <= SPACE_BITS) return x;
  if (root->bounded && is_near(distance - root->near) && is_near(distance - root->near + (int64_t)bytes))
    return x;
  g->p = cg_beyond(g->p, a, CG_STACK, CG_FRAME_LIMIT);
  g->p = cg_branch(g->p, CG_BEYOND_GIVES);
  late_to(g, x);
  root->bounded = true;
  root->near = distance - o;
  return x;
}

unsigned direct_access(struct cg *g, unsigned exit, ref address, unsigned a, int32_t o, unsigned bytes,
                       enum cg_seen_kind kind) {
  const unsigned x = direct_check(g, exit, address, a, o, bytes);
  if (!g->c.alone) return x;
  announce(g, exit, a, o, bytes, kind);
  return new_exit(g, exit, true); /* announcing has changed where values are */
}

void call_slow(struct cg *g, unsigned x, unsigned address, uint32_t access) {
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_EXIT, (int32_t)(g->c.first_exit + x));
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_ACCESS, (int32_t)access);
  g->p = cg_store_64(g->p, CG_STACK, CG_FRAME_ADDRESS, address);
  g->p = call_to(g->p, g->c.common->slow);
}

void announce(struct cg *g, unsigned exit, unsigned a, int32_t o, unsigned bytes, enum cg_seen_kind kind) {
  if (!g->c.alone) return;
  const unsigned t = o ? take(g, UINT32_MAX, -1) : a, x = new_exit(g, exit, true);
  const enum access right = kind == CG_LOAD || kind == CG_LOADX ? ACCESS_READ : ACCESS_WRITE;
  if (o) g->p = cg_lea(g->p, t, a, o);
  call_slow(g, x, t, CG_ACCESS(bytes, right, kind, g->exit[x].count));
}

void witness(struct cg *g, unsigned reg, size_t field, unsigned bytes) {
  if (!g->c.alone) return;
  uint32_t any = GENERAL;
  if (!is_vector(reg)) any &= ~(1u << reg);
  const unsigned t = (unsigned)__builtin_ctz(any);
  g->p = cg_store_64(g->p, CG_STACK, CG_FRAME_TEMP, t);
  g->p = cg_load_64(g->p, t, CG_VCPU, offsetof(struct vcpu, helpers));
  g->p = cg_load_64(g->p, t, t, offsetof(struct cg_env, seen));
  store_reg(g, reg, t, (int32_t)field, is_vector(reg) ? bytes : 8);
  g->p = cg_load_64(g->p, t, CG_STACK, CG_FRAME_TEMP);
}

static bool lower_load(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned bits = IR_MEM_BITS(i->aux), order = IR_MEM_ATTR(i->aux) & 15;
  const bool sign = i->flags & IRF_SIGN;
  if (!fits_register(g, r, bits)) return false;
  const bool any = any_register(bits) && !sign && (bits == 8u * g->v[r].bytes || !g->v[r].vector);
  if (!any && g->v[r].bytes == 16) return false;
  int32_t o;
  unsigned a = direct_base(g, i->a, &o), d = any ? take_wanted(g, r) : take(g, UINT32_MAX, g->v[r].hint);
  if (!g->c.direct) {
    const struct mem_op m = {.bits = (uint8_t)bits, .reg = (uint8_t)d, .sign = sign, .wide = wide(i)};
    announce(g, i->c, a, o, bits / 8, CG_LOAD);
    access_window(g, r, &m, a, o);
  } else {
    may_fault(g, direct_access(g, i->c, i->a, a, o, bits / 8, CG_LOAD));
    if (is_vector(d)) load_reg(g, d, a, o, bits / 8);
    else g->p = load_direct(g->p, bits, sign, wide(i), d, a, o);
  }
  witness(g, d, SEEN(value), bits / 8);
  result(g, r, d);
  (void)order; /* loads of the host are acquiring; sequentially consistent stores have the barrier */
  return true;
}

static bool lower_store(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned bits = IR_MEM_BITS(i->aux), order = IR_MEM_ATTR(i->aux) & 15;
  if (!fits_register(g, i->b, bits)) return false;
  const uint32_t kinds = any_register(bits) ? GENERAL | VECTORS : GENERAL;
  int32_t o;
  unsigned a = direct_base(g, i->a, &o), v = need_any(g, i->b, kinds);
  if (!g->c.direct) {
    const struct mem_op m = {.bits = (uint8_t)bits, .reg = (uint8_t)v, .store = true};
    announce(g, i->c, a, o, bits / 8, CG_STORE);
    access_window(g, r, &m, a, o);
  } else {
    may_fault(g, direct_access(g, i->c, i->a, a, o, bits / 8, CG_STORE));
    if (is_vector(v)) store_reg(g, v, a, o, bits / 8);
    else g->p = store_direct(g->p, bits, a, o, v);
  }
  witness(g, v, SEEN(wrote), bits / 8);
  if (order == ORDER_SEQCST) g->p = cg_barrier(g->p);
  return true;
}

/* The interpreter's handler of one instruction, everything in memory. */
static void lower_handler(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  flush_all(g);
  for (unsigned k = 0; k < g->nheld; k++) held_changed(g, k);
  unsigned x = new_exit(g, i->c, true);
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_EXIT, (int32_t)(g->c.first_exit + x));
  g->p = call_to(g->p, g->c.common->handler);
}

bool lower_memory(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  switch (i->op) {
  case IR_LOAD: return lower_load(g, r);
  case IR_STORE: return lower_store(g, r);
  case IR_FENCE:
    if (!i->aux || ((i->aux & 0x50) && (i->aux & 0x0a))) g->p = cg_barrier(g->p); /* as mem_fence */
    return true;
  case IR_RMW:
  case IR_CAS:
  case IR_LOADX:
  case IR_STOREX:
  case IR_PROBE:
  case IR_FILL:
  case IR_ARG: return lower_atomic(g, r);
  case IR_HANDLER:
    if (g->c.alone) return false;
    lower_handler(g, r);
    return true;
  default: return false;
  }
}
