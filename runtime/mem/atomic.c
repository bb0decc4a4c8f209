/* Atomic read-modify-write, compare-and-swap and exclusive accesses (contract: mem/access.h): host atomics on RAM.
 * Misaligned ones go through a 16-byte compare-and-swap, or a lock when they straddle two 16-byte blocks. Memory at
 * identity is a second way to the bytes: by accesses that may fault. */
#include <pthread.h>

#include "core/isa.h"
#include "core/log.h"
#include "mem/access.h"
#include "mem/direct.h"
#include "mem/replay.h"
#include "mem/stops.h"
#include "os/atomic128.h"
#include "os/guest_access.h"

static pthread_mutex_t straddle = PTHREAD_MUTEX_INITIALIZER;

void mem_straddle_lock(bool lock) {
  if (lock) pthread_mutex_lock(&straddle);
  else pthread_mutex_unlock(&straddle);
}

/* Finds the host bytes of an atomic access; lo covers `n` of its bytes, hi the rest when it crosses pages. */
struct cell {
  uint8_t *lo, *hi;
  gpa_t pa;
  unsigned n, size;
};

/* `reads`: an access for writing that reads first. */
static int find(struct vcpu *v, gva_t a, unsigned attr, unsigned size, enum access access, bool reads,
                struct cell *c) {
  struct tlb_spot s;
  gva_t left = GUEST_PAGE_SIZE - (a & ~GUEST_PAGE_MASK);
  if (attr >> 4) log_bug("atomic access through window %u: only window 0 is implemented", attr >> 4);
  const struct vcpu_watch *w = v->c->watch;
  const bool watched = unlikely(w) && w->page && (w->page(v, a) || w->page(v, a + (size - 1)));
  if (watched && !v->c->stepping) return vcpu_trap(v, TRAP_EXACT, 0, 0, 0, 0);
  v->c->access_len = (uint16_t)(left < size ? left : size);
  int rc = tlb_resolve(v, a, access, &s);
  if (rc) return rc;
  if (!s.host) return v->c->isa->arch->bus_fault(v, a, access);
  *c = (struct cell){.lo = s.host, .pa = s.pa, .n = size, .size = size};
  if (unlikely(left < size)) {
    v->c->access_len = (uint16_t)(size - left);
    rc = tlb_resolve(v, a + left, access, &s);
    if (rc) return rc;
    if (!s.host) return v->c->isa->arch->bus_fault(v, a + left, access);
    c->n = (unsigned)left;
    c->hi = s.host;
  }
  if (reads && (rc = stops_check(v, a, size, ACCESS_READ))) return rc;
  if ((rc = stops_check(v, a, size, access))) return rc;
  if (watched) w->data(v, a, size, access, NULL);
  return 0;
}

static bool aligned(const struct cell *c) { return !((uintptr_t)c->lo & (c->size - 1)) && !c->hi; }

/* One attempt on a misaligned cell: reads *old; when `set`, replaces it by `value` provided it still holds `expect`. */
static bool odd_cas(const struct cell *c, const void *expect, const void *value, void *old) {
  unsigned off = (uintptr_t)c->lo & 15;
  uint8_t *block = c->lo - off;
  if (!c->hi && off + c->size <= 16) {
    u128 seen = os_load128(block), next;
    for (;;) {
      memcpy(old, (uint8_t *)&seen + off, c->size);
      if (memcmp(old, expect, c->size)) return false;
      next = seen;
      memcpy((uint8_t *)&next + off, value, c->size);
      if (os_cas128(block, &seen, next)) return true;
    }
  }
  pthread_mutex_lock(&straddle);
  memcpy(old, c->lo, c->n);
  if (c->hi) memcpy((uint8_t *)old + c->n, c->hi, c->size - c->n);
  bool ok = !memcmp(old, expect, c->size);
  if (ok) {
    memcpy(c->lo, value, c->n);
    if (c->hi) memcpy(c->hi, (const uint8_t *)value + c->n, c->size - c->n);
  }
  pthread_mutex_unlock(&straddle);
  return ok;
}

/* The new value of an operation; exact for every width by its own signed type S. */
#define COMBINE(W, T, S)                                    \
  static T combine##W(enum mem_rmw op, T old, T value) {    \
    switch (op) {                                           \
    case RMW_SWAP: return value;                            \
    case RMW_ADD: return (T)(old + value);                  \
    case RMW_AND: return old & value;                       \
    case RMW_OR: return old | value;                        \
    case RMW_XOR: return old ^ value;                       \
    case RMW_MIN_S: return (S)old < (S)value ? old : value; \
    case RMW_MAX_S: return (S)old > (S)value ? old : value; \
    case RMW_MIN_U: return old < value ? old : value;       \
    case RMW_MAX_U: return old > value ? old : value;       \
    case RMW_ANDNOT: return old & (T)~value;                \
    }                                                       \
    log_bug("atomic operation %d does not exist", (int)op); \
  }

#define SEQ __ATOMIC_SEQ_CST

/* The same at identity. 0, or STEP_TRAP. */
static int direct_cas(struct vcpu *v, gva_t a, unsigned size, const void *expect, const void *value,
                      void *old) {
  const unsigned off = a & 15;
  u128 seen, next;
  bool ok;
  for (;;) {
    if (!space_holds(v->c->space, a, size)) {
      ok = false;
    } else if (off + size <= 16) {
      ok = os_guest_load128(a - off, &seen);
      while (ok) {
        const u128 was = seen;
        next = seen;
        memcpy(old, (uint8_t *)&seen + off, size);
        if (!memcmp(old, expect, size)) memcpy((uint8_t *)&next + off, value, size);
        ok = os_guest_cas128(a - off, was, next, &seen);
        if (ok && seen == was) return 0;
      }
    } else {
      pthread_mutex_lock(&straddle);
      int rc = direct_load(v, a, size, old);
      if (!rc) rc = space_probe(v, a, size, ACCESS_WRITE);
      if (!rc && !memcmp(old, expect, size))
        while (!rc && os_guest_write(a, value, size)) rc = space_repair(v, a, size, ACCESS_WRITE);
      pthread_mutex_unlock(&straddle);
      return rc;
    }
    int rc = space_repair(v, a, size, ACCESS_WRITE);
    if (rc) return rc;
  }
}

#define DIRECT(W, T)                                                                                  \
  static int direct_cas##W(struct vcpu *v, gva_t a, T expect, T value, T *old) {                      \
    if (unlikely(a & (sizeof(T) - 1))) return direct_cas(v, a, sizeof(T), &expect, &value, old);      \
    while (!space_holds(v->c->space, a, sizeof(T)) || !os_guest_cas##W(a, expect, value, old)) {      \
      int rc = space_repair(v, a, sizeof(T), ACCESS_WRITE);                                           \
      if (rc) return rc;                                                                              \
    }                                                                                                 \
    return 0;                                                                                         \
  }                                                                                                   \
  static int direct_load_ex##W(struct vcpu *v, gva_t a, T *out) {                                     \
    v->c->excl_size = 0;                                                                              \
    int rc = mem_replay ? mem_replay->load(v, a, sizeof(T), out) : direct_load(v, a, sizeof(T), out); \
    __atomic_thread_fence(__ATOMIC_SEQ_CST);                                                          \
    if (rc) return rc;                                                                                \
    v->c->excl_addr = a;                                                                              \
    v->c->excl_size = sizeof(T);                                                                      \
    v->c->excl_value = *out;                                                                          \
    return 0;                                                                                         \
  }                                                                                                   \
  static int direct_store_ex##W(struct vcpu *v, gva_t a, T value, uint8_t *ok) {                      \
    const T expect = (T)v->c->excl_value;                                                             \
    T old = value;                                                                                    \
    int rc = a == v->c->excl_addr ? direct_cas##W(v, a, expect, value, &old)                          \
                                  : space_probe(v, a, sizeof(T), ACCESS_WRITE);                       \
    *ok = !rc && a == v->c->excl_addr && old == expect;                                               \
    return rc;                                                                                        \
  }
DIRECT(8, uint8_t)
DIRECT(16, uint16_t)
DIRECT(32, uint32_t)
DIRECT(64, uint64_t)
DIRECT(128, u128)

#define DIRECT_RMW(W, T)                                                                         \
  static int direct_rmw##W(struct vcpu *v, gva_t a, enum mem_rmw op, T value, T *old) {          \
    T expect;                                                                                    \
    int rc = direct_cas##W(v, a, 0, 0, &expect); /* reads (at most writes a zero over itself) */ \
    while (!rc) {                                                                                \
      rc = direct_cas##W(v, a, expect, combine##W(op, expect, value), old);                      \
      if (rc || *old == expect) break;                                                           \
      expect = *old;                                                                             \
    }                                                                                            \
    return rc;                                                                                   \
  }

#define REPLAY(W, T)                                                                    \
  static int replay_rmw##W(struct vcpu *v, gva_t a, enum mem_rmw op, T value, T *old) { \
    int rc = mem_replay->load(v, a, sizeof(T), old);                                    \
    if (rc) return rc;                                                                  \
    value = combine##W(op, *old, value);                                                \
    return mem_replay->store(v, a, sizeof(T), &value);                                  \
  }                                                                                     \
  static int replay_cas##W(struct vcpu *v, gva_t a, T expect, T value, T *old) {        \
    int rc = mem_replay->load(v, a, sizeof(T), old);                                    \
    return rc || *old != expect ? rc : mem_replay->store(v, a, sizeof(T), &value);      \
  }

#define ATOMIC(W, T, S)                                                                      \
  COMBINE(W, T, S)                                                                           \
  DIRECT_RMW(W, T)                                                                           \
  REPLAY(W, T)                                                                               \
  static bool swap##W(const struct cell *c, T expect, T value, T *old) {                     \
    if (unlikely(!aligned(c))) return odd_cas(c, &expect, &value, old);                      \
    *old = expect;                                                                           \
    return __atomic_compare_exchange_n((T *)(void *)c->lo, old, value, false, SEQ, SEQ);     \
  }                                                                                          \
  int mem_rmw##W(struct vcpu *v, gva_t a, unsigned attr, enum mem_rmw op, T value, T *old) { \
    struct cell c;                                                                           \
    T seen, next = 0;                                                                        \
    if (unlikely(mem_replay)) return replay_rmw##W(v, a, op, value, old);                    \
    if (v->c->space) return direct_rmw##W(v, a, op, value, old);                             \
    int rc = find(v, a, attr, sizeof(T), ACCESS_WRITE, true, &c);                            \
    if (rc) return rc;                                                                       \
    if (likely(aligned(&c))) {                                                               \
      T *p = (T *)(void *)c.lo;                                                              \
      switch (op) {                                                                          \
      case RMW_SWAP: *old = __atomic_exchange_n(p, value, SEQ); return 0;                    \
      case RMW_ADD: *old = __atomic_fetch_add(p, value, SEQ); return 0;                      \
      case RMW_AND: *old = __atomic_fetch_and(p, value, SEQ); return 0;                      \
      case RMW_OR: *old = __atomic_fetch_or(p, value, SEQ); return 0;                        \
      case RMW_XOR: *old = __atomic_fetch_xor(p, value, SEQ); return 0;                      \
      case RMW_ANDNOT: *old = __atomic_fetch_and(p, (T)~value, SEQ); return 0;               \
      default: break;                                                                        \
      }                                                                                      \
      seen = __atomic_load_n(p, __ATOMIC_RELAXED);                                           \
    } else {                                                                                 \
      swap##W(&c, 0, 0, &seen); /* reads (at most writes a zero over itself) */              \
    }                                                                                        \
    do {                                                                                     \
      *old = seen;                                                                           \
      next = combine##W(op, seen, value);                                                    \
    } while (!swap##W(&c, *old, next, &seen));                                               \
    return 0;                                                                                \
  }                                                                                          \
  int mem_cas##W(struct vcpu *v, gva_t a, unsigned attr, T expect, T value, T *old) {        \
    struct cell c;                                                                           \
    if (unlikely(mem_replay)) return replay_cas##W(v, a, expect, value, old);                \
    if (v->c->space) return direct_cas##W(v, a, expect, value, old);                         \
    int rc = find(v, a, attr, sizeof(T), ACCESS_WRITE, true, &c);                            \
    if (!rc) swap##W(&c, expect, value, old);                                                \
    return rc;                                                                               \
  }                                                                                          \
  EXCLUSIVE(W, T)

#define EXCLUSIVE(W, T)                                                                 \
  int mem_load_ex##W(struct vcpu *v, gva_t a, unsigned attr, T *out) {                  \
    struct cell c;                                                                      \
    if (v->c->space) return direct_load_ex##W(v, a, out);                               \
    int rc = find(v, a, attr, sizeof(T), ACCESS_READ, false, &c);                       \
    v->c->excl_size = 0;                                                                \
    if (rc) return rc;                                                                  \
    *out = peek##W(&c);                                                                 \
    v->c->excl_addr = c.pa;                                                             \
    v->c->excl_size = sizeof(T);                                                        \
    v->c->excl_value = *out;                                                            \
    return 0;                                                                           \
  }                                                                                     \
  int mem_store_ex##W(struct vcpu *v, gva_t a, unsigned attr, T value, uint8_t *ok) {   \
    struct cell c;                                                                      \
    T old;                                                                              \
    bool armed = v->c->excl_size == sizeof(T);                                          \
    v->c->excl_size = 0;                                                                \
    *ok = 0;                                                                            \
    if (!armed) return 0;                                                               \
    if (unlikely(mem_replay)) return mem_replay->store_ex(v, a, sizeof(T), &value, ok); \
    if (v->c->space) return direct_store_ex##W(v, a, value, ok);                        \
    int rc = find(v, a, attr, sizeof(T), ACCESS_WRITE, false, &c);                      \
    if (rc) return rc;                                                                  \
    if (c.pa == v->c->excl_addr) *ok = swap##W(&c, (T)v->c->excl_value, value, &old);   \
    return 0;                                                                           \
  }

#define PEEK(W, T)                                                           \
  static T peek##W(const struct cell *c) {                                   \
    T t;                                                                     \
    if (likely(aligned(c))) return __atomic_load_n((T *)(void *)c->lo, SEQ); \
    memcpy(&t, c->lo, c->n);                                                 \
    if (c->hi) memcpy((uint8_t *)&t + c->n, c->hi, sizeof t - c->n);         \
    return t;                                                                \
  }

PEEK(8, uint8_t)
PEEK(16, uint16_t)
PEEK(32, uint32_t)
PEEK(64, uint64_t)
ATOMIC(8, uint8_t, int8_t)
ATOMIC(16, uint16_t, int16_t)
ATOMIC(32, uint32_t, int32_t)
ATOMIC(64, uint64_t, int64_t)

static u128 peek128(const struct cell *c) {
  u128 t;
  if (likely(aligned(c))) return os_load128(c->lo);
  memcpy(&t, c->lo, c->n);
  if (c->hi) memcpy((uint8_t *)&t + c->n, c->hi, sizeof t - c->n);
  return t;
}

static bool swap128(const struct cell *c, u128 expect, u128 value, u128 *old) {
  if (unlikely(!aligned(c))) return odd_cas(c, &expect, &value, old);
  *old = expect;
  return os_cas128(c->lo, old, value);
}

int mem_cas128(struct vcpu *v, gva_t a, unsigned attr, u128 expect, u128 value, u128 *old) {
  struct cell c;
  if (v->c->space) return direct_cas128(v, a, expect, value, old);
  int rc = find(v, a, attr, 16, ACCESS_WRITE, true, &c);
  if (!rc) swap128(&c, expect, value, old);
  return rc;
}

EXCLUSIVE(128, u128)
