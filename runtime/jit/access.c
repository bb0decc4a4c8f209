/* Accesses that translated code asks the runtime for: exclusives by physical address, what has 128 bits, probes, fills. What
 * cannot be done here, or has an effect that the block must not miss, is left to the interpreter before anything changes. */
#include "jit/jit_int.h"
#include "mem/access.h"
#include "mem/space.h"
#include "mem/tlb.h"

enum { FILL_MAX = GUEST_PAGE_SIZE };

/* Can bytes be written there without a change of code? It might be the asking block's. */
static bool plain(struct jit *j, gva_t a, uint64_t n) {
  struct vcpu *v = j->v;
  struct tlb_spot spot;
  const gva_t at[2] = {a, a + (n ? n - 1 : 0)};
  for (unsigned i = 0; i < 2; i++) {
    if (j->direct) {
      if (space_is_code(v->c->space, at[i])) return false;
      continue;
    }
    j->changed = false;
    v->c->access_len = 1;
    if (tlb_resolve(v, at[i], ACCESS_WRITE, &spot) || !spot.host || j->changed) return false;
  }
  return true;
}

#define LOAD_EX(W, T)                                      \
  case W: {                                                \
    T x;                                                   \
    if (mem_load_ex##W(v, a->address, attr, &x)) return 0; \
    out = x;                                               \
    break;                                                 \
  }
#define STORE_EX(W, T)                                                       \
  case W:                                                                    \
    if (mem_store_ex##W(v, a->address, attr, (T)value, &ok)) {               \
      v->c->excl_size = reserved; /* the interpreter ends the reservation */ \
      return 0;                                                              \
    }                                                                        \
    out = ok;                                                                \
    break;
#define CAS(W, T)                                                          \
  case W: {                                                                \
    T x;                                                                   \
    if (mem_cas##W(v, a->address, attr, (T)value, (T)third, &x)) return 0; \
    out = x;                                                               \
    break;                                                                 \
  }
#define RMW(W, T)                                                                                   \
  case W: {                                                                                         \
    T x;                                                                                            \
    if (mem_rmw##W(v, a->address, attr, (enum mem_rmw)CG_ASK_RMW(a->what), (T)value, &x)) return 0; \
    out = x;                                                                                        \
    break;                                                                                          \
  }
#define WIDTHS(X) X(8, uint8_t) X(16, uint16_t) X(32, uint32_t) X(64, uint64_t)

uint64_t jit_ask(struct vcpu *v, struct cg_ask *a) {
  struct jit *j = jit_of(v);
  const unsigned op = CG_ASK_OP(a->what), bits = CG_ASK_BITS(a->what), attr = CG_ASK_ATTR(a->what);
  const u128 value = (u128)a->value[1] << 64 | a->value[0], third = (u128)a->third[1] << 64 | a->third[0];
  u128 out = 0;
  const uint8_t reserved = v->c->excl_size;
  uint8_t ok;
  j->n.asked++;
  if (!j->direct && !v->tag_data) return 0;
  switch (op) {
  case IR_LOADX:
    switch (bits) { WIDTHS(LOAD_EX) LOAD_EX(128, u128) default : return 0; }
    break;
  case IR_STOREX:
    if (v->c->excl_size && !plain(j, a->address, bits / 8)) return 0;
    switch (bits) { WIDTHS(STORE_EX) STORE_EX(128, u128) default : return 0; }
    break;
  case IR_CAS:
    if (!plain(j, a->address, bits / 8)) return 0;
    switch (bits) { WIDTHS(CAS) CAS(128, u128) default : return 0; }
    break;
  case IR_RMW:
    if (!plain(j, a->address, bits / 8)) return 0;
    switch (bits) { WIDTHS(RMW) default : return 0; }
    break;
  case IR_PROBE: return !mem_probe(v, a->address, a->value[0], (enum access)attr);
  case IR_FILL:
    if (a->value[0] > FILL_MAX || !plain(j, a->address, a->value[0])) return 0;
    return !mem_fill(v, a->address, a->value[0], (uint8_t)a->third[0]);
  default: return 0;
  }
  a->value[0] = (uint64_t)out;
  a->value[1] = (uint64_t)(out >> 64);
  return 1;
}
