/* Atomic accesses: read-modify-write, compare-and-swap, exclusives; probes. Naturally aligned ones of up to 64 bits are host
 * instructions, misaligned ones are left to the interpreter; what needs more than instructions is asked of the runtime. */
#include "hostcg/cg_int.h"
#include "mem/access.h"

_Static_assert(sizeof(struct cg_ask) == CG_FRAME_SOFT - CG_FRAME_EXIT &&
                   offsetof(struct cg_ask, address) == CG_FRAME_ADDRESS - CG_FRAME_EXIT,
               "one layout");

typedef uint8_t *two_fn(uint8_t *p, unsigned a, unsigned b);
enum { WIDTHS = 4 };

static unsigned index_of(unsigned bits) { return (unsigned)__builtin_ctz(bits / 8); }

static two_fn *const swap[WIDTHS] = {cg_swap_8, cg_swap_16, cg_swap_32, cg_swap_64};
static two_fn *const fetch_add[WIDTHS] = {cg_fetch_add_8, cg_fetch_add_16, cg_fetch_add_32, cg_fetch_add_64};
static two_fn *const cas[WIDTHS] = {cg_cas_8, cg_cas_16, cg_cas_32, cg_cas_64};
_Static_assert((int)CG_CAS_8_GIVES == (int)CG_CAS_16_GIVES && (int)CG_CAS_8_GIVES == (int)CG_CAS_32_GIVES &&
                   (int)CG_CAS_8_GIVES == (int)CG_CAS_64_GIVES,
               "one condition for all widths");

static uint8_t *and_not(uint8_t *p, unsigned d, unsigned a) { /* ~(~d | a) */
  return cg_not(cg_or(cg_not(p, d), d, a), d);
}
/* `new`: the new value from the old one; it needs values of exactly its width when `exact`. `blind`: without the old one. */
static const struct {
  two_fn *new[2], *blind[2]; /* 32, 64 bits */
  bool exact;
} operation[] = {
    [IR_RMW_ADD] = {.blind = {cg_lock_add_32, cg_lock_add_64}},
    [IR_RMW_AND] = {{cg_and, cg_and}, {cg_lock_and_32, cg_lock_and_64}, false},
    [IR_RMW_OR] = {{cg_or, cg_or}, {cg_lock_or_32, cg_lock_or_64}, false},
    [IR_RMW_XOR] = {{cg_xor, cg_xor}, {cg_lock_xor_32, cg_lock_xor_64}, false},
    [IR_RMW_MIN_S] = {{cg_min_s_32, cg_min_s_64}, {NULL, NULL}, true},
    [IR_RMW_MAX_S] = {{cg_max_s_32, cg_max_s_64}, {NULL, NULL}, true},
    [IR_RMW_MIN_U] = {{cg_min_u, cg_min_u}, {NULL, NULL}, false},
    [IR_RMW_MAX_U] = {{cg_max_u, cg_max_u}, {NULL, NULL}, false},
    [IR_RMW_ANDNOT] = {{and_not, and_not}, {NULL, NULL}, false},
};

/* ---- where ---- */

/* An aligned access of `bytes` that writes, with everything it needs in registers: the register that has the host's address
 * (t or the address itself), and the exit of its fault in *x. t, u: temporaries. */
static unsigned reach(struct cg *g, const struct ir_ins *i, unsigned a, unsigned t, unsigned u,
                      unsigned bytes, enum cg_seen_kind kind, unsigned *x) {
  *x = UINT32_MAX;
  if (bytes > 1) { /* whole for every processor only when aligned */
    g->p = cg_low_bits(g->p, a, bytes - 1);
    g->p = cg_branch(g->p, CG_LOW_BITS_GIVES);
    late_exit(g, i->c);
  }
  if (g->c.direct) {
    *x = direct_access(g, i->c, i->a, a, 0, bytes, kind);
    return a;
  }
  announce(g, i->c, a, 0, bytes, kind);
  tlb_check(g, i->c, t, u, a, 0, bytes, ACCESS_WRITE);
  g->p = cg_add(g->p, t, a);
  return t;
}

/* The instruction written next accesses memory. */
static void access(struct cg *g, unsigned x) {
  if (x != UINT32_MAX) may_fault(g, x);
}

static void free_compared(struct cg *g) {
  vacate(g, CG_COMPARED, 1u << CG_COMPARED);
  g->pinned |= 1u << CG_COMPARED;
}

/* ---- read-modify-write ---- */

static void load_compared(struct cg *g, unsigned bits, unsigned b) {
  switch (bits) {
  case 8: g->p = cg_load_u8(g->p, CG_COMPARED, b, 0); break;
  case 16: g->p = cg_load_u16(g->p, CG_COMPARED, b, 0); break;
  case 32: g->p = cg_load_u32(g->p, CG_COMPARED, b, 0); break;
  default: g->p = cg_load_64(g->p, CG_COMPARED, b, 0); break;
  }
}

/* Values of fewer bits than a register have zeros above: nothing has to be extended but for signed comparisons. */
static bool lower_rmw(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned bits = IR_MEM_BITS(i->aux), op = IR_MEM_RMW(i->aux), w = index_of(bits);
  const bool whole = bits >= 32, used = g->v[r].last != 0;
  if (op > IR_RMW_ANDNOT || bits > 64 || (operation[op].exact && !whole)) return false;
  two_fn *blind = !used && whole && !g->c.alone ? operation[op].blind[bits == 64] : NULL;
  unsigned x;
  if (!blind && operation[op].new[0]) {
    free_compared(g);
    unsigned a = need(g, i->a, UINT32_MAX), v = need(g, i->b, UINT32_MAX), d = take(g, UINT32_MAX, -1),
             t = g->c.direct ? 0 : take(g, UINT32_MAX, -1);
    unsigned at = reach(g, i, a, t, d, bits / 8, CG_RMW, &x);
    access(g, x);
    load_compared(g, bits, at);
    const uint8_t *again = g->p;
    g->p = cg_move(g->p, d, CG_COMPARED);
    g->p = operation[op].new[bits == 64](g->p, d, v);
    access(g, x);
    g->p = cas[w](g->p, at, d);
    g->p = cg_branch(g->p, CG_CAS_8_GIVES ^ 1);
    cg_patch(g->p, again);
    witness(g, d, SEEN(wrote), bits / 8);
    witness(g, CG_COMPARED, SEEN(value), bits / 8);
    result(g, r, CG_COMPARED);
    return true;
  }
  unsigned a = need(g, i->a, UINT32_MAX), v = need(g, i->b, UINT32_MAX),
           d = take(g, UINT32_MAX, blind ? -1 : g->v[r].hint), t = g->c.direct ? 0 : take(g, UINT32_MAX, -1);
  unsigned at = reach(g, i, a, t, d, bits / 8, op == IR_RMW_SWAP ? CG_RMW : CG_ADD, &x);
  if (blind) {
    access(g, x);
    g->p = blind(g->p, at, v);
    return true;
  }
  g->p = cg_move(g->p, d, v);
  witness(g, d, SEEN(wrote), bits / 8);
  access(g, x);
  g->p = (op == IR_RMW_SWAP ? swap : fetch_add)[w](g->p, d, at);
  witness(g, d, SEEN(value), bits / 8);
  result(g, r, d);
  return true;
}

static bool lower_cas(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned bits = IR_MEM_BITS(i->aux);
  const ref new = ins_of(g, r - 1)->a;
  unsigned x;
  if (bits > 64) return false;
  free_compared(g);
  unsigned a = need(g, i->a, UINT32_MAX), v = need(g, new, UINT32_MAX), u = take(g, UINT32_MAX, -1),
           t = g->c.direct ? 0 : take(g, UINT32_MAX, -1);
  unsigned at = reach(g, i, a, t, u, bits / 8, CG_CAS, &x);
  load_value(g, i->b, CG_COMPARED);
  witness(g, CG_COMPARED, SEEN(expect), bits / 8);
  witness(g, v, SEEN(wrote), bits / 8);
  access(g, x);
  g->p = cas[index_of(bits)](g->p, at, v);
  witness(g, CG_COMPARED, SEEN(value), bits / 8);
  result(g, r, CG_COMPARED);
  return true;
}

/* ---- exclusives ---- */

#define EXCL(field) offsetof(struct vcpu_common, excl_##field)

/* At identity the address is what is reserved; else it is the physical one, which only the runtime knows. */
static bool lower_load_ex(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned bits = IR_MEM_BITS(i->aux);
  if (bits > 64 || !g->c.direct) return false;
  unsigned a = need(g, i->a, UINT32_MAX), d = take(g, UINT32_MAX, -1), t = take(g, UINT32_MAX, -1);
  access(g, direct_access(g, i->c, i->a, a, 0, bits / 8, CG_LOADX));
  switch (bits) {
  case 8: g->p = cg_load_u8(g->p, d, a, 0); break;
  case 16: g->p = cg_load_u16(g->p, d, a, 0); break;
  case 32: g->p = cg_load_u32(g->p, d, a, 0); break;
  default: g->p = cg_load_64(g->p, d, a, 0); break;
  }
  witness(g, d, SEEN(value), bits / 8);
  g->p = cg_load_64(g->p, t, CG_VCPU, offsetof(struct vcpu, c));
  g->p = cg_store_64(g->p, t, EXCL(addr), a);
  g->p = cg_store_64(g->p, t, EXCL(value), d);
  g->p = cg_store_k64(g->p, t, EXCL(value) + 8, 0);
  g->p = cg_store_k8(g->p, t, EXCL(size), bits / 8);
  result(g, r, d);
  return true;
}

static bool lower_store_ex(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const unsigned bits = IR_MEM_BITS(i->aux);
  unsigned x;
  if (bits > 64 || !g->c.direct) return false;
  free_compared(g);
  unsigned a = need(g, i->a, UINT32_MAX), v = need(g, i->b, UINT32_MAX), d = take(g, UINT32_MAX, -1),
           t = take(g, UINT32_MAX, -1);
  reach(g, i, a, t, d, bits / 8, CG_STOREX, &x);
  g->p = cg_const32(g->p, d, 0);
  g->p = cg_load_64(g->p, t, CG_VCPU, offsetof(struct vcpu, c));
  g->p = cg_is_8(g->p, t, EXCL(size), bits / 8);
  g->p = cg_branch(g->p, CG_IS_8_GIVES ^ 1);
  uint8_t *open = g->p;
  g->p = cg_same_64(g->p, a, t, EXCL(addr));
  g->p = cg_branch(g->p, CG_SAME_64_GIVES);
  late_to(g, x); /* another address: what is there has to be looked at */
  g->p = cg_load_64(g->p, CG_COMPARED, t, EXCL(value));
  access(g, x);
  g->p = cas[index_of(bits)](g->p, a, v);
  g->p = cg_truth(g->p, d, CG_CAS_8_GIVES);
  witness(g, v, SEEN(wrote), bits / 8);
  witness(g, d, SEEN(value), 8);
  cg_patch(open, g->p);
  g->p = cg_store_k8(g->p, t, EXCL(size), 0);
  result(g, r, d);
  return true;
}

/* ---- probes ---- */

/* Does the guest instruction of entry r store to all of [a, a + n) behind r, before anything else that may leave? Then
 * these stores are the probe, as long as they lie in one page. */
static bool stores_follow(const struct cg *g, ref r, unsigned n) {
  int64_t from, at;
  const uint32_t root = root_of(g, ins_of(g, r)->a, &from);
  unsigned done = 0;
  for (ref k = r + 1; k < g->b->n && done < n; k++) {
    const struct ir_ins *i = ins_of(g, k);
    if (i->op != IR_STORE) {
      if (ir_op_info[i->op].kind == 'E') return false;
      continue;
    }
    if (root_of(g, i->a, &at) != root || at != from + done || i->c != ins_of(g, r)->c) return false;
    done += IR_MEM_BITS(i->aux) / 8;
  }
  return done >= n;
}

enum { ALIGNED = 16, AROUND = 256 };

/* Is there a later probe whose address is the same distance from a multiple of ALIGNED, near by? */
static bool probed_again(const struct cg *g, ref r, uint32_t root, int64_t distance) {
  int64_t at, n;
  for (ref k = r + 1; k < g->b->n; k++) {
    const struct ir_ins *i = ins_of(g, k);
    if (i->op != IR_PROBE || root_of(g, i->a, &at) != root || (at - distance) % ALIGNED) continue;
    if (number_of(g, i->b, &n) && n > 0 && n <= ALIGNED && at - distance <= AROUND - ALIGNED &&
        distance - at <= AROUND)
      return true;
  }
  return false;
}

/* The bytes probed lie in one page. An aligned address answers that for all near it that differ by multiples; otherwise code
 * out of line looks, and wants pages' ends to be far enough from those as well. */
static void in_one_page(struct cg *g, ref r, unsigned a, int32_t o, unsigned n) {
  const struct ir_ins *i = ins_of(g, r);
  int64_t distance;
  const uint32_t v = root_of(g, i->a, &distance);
  struct value *root = &g->v[v];
  if (n <= ALIGNED && root->aligned && (distance - root->aligned_at) % ALIGNED == 0 &&
      distance - root->aligned_at <= AROUND - ALIGNED && root->aligned_at - distance <= AROUND)
    return;
  const unsigned t = take(g, UINT32_MAX, -1), x = new_exit(g, i->c, true);
  unsigned low = a;
  if (o % ALIGNED || n > ALIGNED) {
    g->p = cg_lea(g->p, t, a, o);
    low = t;
  }
  if (n > ALIGNED) {
    g->p = cg_in_page(g->p, t, GUEST_PAGE_SIZE - 1, GUEST_PAGE_SIZE - n);
    g->p = cg_branch(g->p, CG_IN_PAGE_GIVES);
    /* In machines the runtime can say that both pages are open: then none of the stores faults. */
    struct late *l = new_late(g, g->c.direct || g->c.alone ? LATE_COLD : LATE_SLOW, x);
    l->address = (uint8_t)a;
    l->offset = o;
    l->size = (uint8_t)n;
    l->access = ACCESS_WRITE;
    l->temp = (uint8_t)t;
    l->mem.probe = true;
    l->retry = l->back = g->p;
    return;
  }
  g->p = cg_low_bits(g->p, low, ALIGNED - 1);
  g->p = cg_branch(g->p, CG_LOW_BITS_GIVES);
  struct late *l = new_late(g, LATE_PAGE, x);
  l->retry = g->p;
  l->address = (uint8_t)a;
  l->op = (uint64_t)(int64_t)o;
  l->size = (uint8_t)n;
  l->dest = (uint8_t)t;
  if (probed_again(g, r, v, distance)) {
    l->around = AROUND;
    root->aligned = true;
    root->aligned_at = distance;
  }
}

static bool lower_probe(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const bool write = IR_MEM_ATTR(i->aux) == ACCESS_WRITE;
  int64_t n;
  if (!number_of(g, i->b, &n) || n < 1 || n > 64) return false;
  const bool follow = write && stores_follow(g, r, (unsigned)n);
  if (g->c.direct && !follow && (write || n > 1)) return false;
  int32_t o = 0;
  unsigned a = direct_base(g, i->a, &o);
  if (follow) {
    in_one_page(g, r, a, o, (unsigned)n);
    return true;
  }
  unsigned t = take(g, UINT32_MAX, -1);
  if (!g->c.direct) {
    unsigned u = take(g, UINT32_MAX, -1);
    struct late *l = tlb_check(g, i->c, t, u, a, o, (unsigned)n, write ? ACCESS_WRITE : ACCESS_READ);
    l->mem.probe = true;
    l->back = g->p;
  } else {
    may_fault(g, direct_check(g, i->c, i->a, a, o, 1));
    g->p = cg_load_u8(g->p, t, a, o);
  }
  return true;
}

/* ---- by the runtime ---- */

static void put(struct cg *g, ref r, size_t at) {
  const struct ir_ins *i = ins_of(g, r);
  const ref half[2] = {g->v[r].folded ? i->a : r, g->v[r].folded ? i->b : 0};
  const int32_t to = (int32_t)(CG_FRAME_EXIT + at);
  if (g->v[value_of(g, r)].bytes == 16 && !g->v[r].folded) {
    store_reg(g, need_any(g, r, VECTORS), CG_STACK, to, 16);
    return;
  }
  for (unsigned k = 0; k < 2 && half[k]; k++)
    g->p = cg_store_64(g->p, CG_STACK, to + 8 * (int)k, need(g, half[k], UINT32_MAX));
}

static bool takes(const struct cg *g, ref r) { return ins_of(g, r)->type <= IT_I128; }

/* The runtime makes the access, or the interpreter when it cannot; the result is in the frame. */
static bool ask(struct cg *g, ref r) {
  const struct ir_ins *i = ins_of(g, r);
  const bool pair = i->type == IT_I128, third = i->op == IR_CAS || i->op == IR_FILL;
  const ref arg = third ? ins_of(g, r - 1)->a : 0;
  if (g->c.alone || i->type > IT_I128 || (arg && !takes(g, arg)) || (i->b && !takes(g, i->b))) return false;
  if (arg) put(g, arg, offsetof(struct cg_ask, third));
  if (i->b) put(g, i->b, offsetof(struct cg_ask, value));
  unsigned a = need(g, i->a, UINT32_MAX), d = take(g, UINT32_MAX, g->v[r].hint), x = new_exit(g, i->c, true);
  g->p = cg_store_64(g->p, CG_STACK, CG_FRAME_ADDRESS, a);
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_ACCESS, (int32_t)CG_ASK(i->op, i->aux));
  g->p = cg_store_k32(g->p, CG_STACK, CG_FRAME_EXIT, (int32_t)(g->c.first_exit + x));
  g->p = call_to(g->p, g->c.common->ask);
  if (pair) {
    const unsigned v = take_any(g, VECTORS, g->v[r].hint);
    load_reg(g, v, CG_STACK, CG_FRAME_EXIT + (int32_t)offsetof(struct cg_ask, value), 16);
    result(g, r, v);
  } else if (i->type != IT_NONE) {
    g->p = cg_load_64(g->p, d, CG_STACK, (int32_t)(CG_FRAME_EXIT + offsetof(struct cg_ask, value)));
    result(g, r, d);
  }
  return true;
}

bool lower_atomic(struct cg *g, ref r) {
  switch (ins_of(g, r)->op) {
  case IR_RMW: return lower_rmw(g, r) || ask(g, r);
  case IR_CAS: return lower_cas(g, r) || ask(g, r);
  case IR_LOADX: return lower_load_ex(g, r) || ask(g, r);
  case IR_STOREX: return lower_store_ex(g, r) || ask(g, r);
  case IR_PROBE: return lower_probe(g, r) || ask(g, r);
  case IR_FILL: return ask(g, r);
  default: return true; /* ARG: of the next entry */
  }
}
