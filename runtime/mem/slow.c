/* Loads and stores that miss the inline path: TLB fills, device memory, page crossings; probes and fills. */
#include <assert.h>

#include "core/isa.h"
#include "core/log.h"
#include "core/machine.h"
#include "mem/access.h"
#include "mem/direct.h"
#include "mem/phys.h"
#include "mem/replay.h"
#include "mem/stops.h"

__thread const struct mem_replay *mem_replay;

static int bus_fault(struct vcpu *v, gva_t a, enum access access) {
  return v->c->isa->arch->bus_fault(v, a, access);
}

static void check_window(unsigned attr) {
  if (attr >> 4) log_bug("memory access through window %u: only window 0 is implemented", attr >> 4);
}

/* Shows an access of watched pages; TRAP_EXACT when it cannot be shown yet. */
static int show(struct vcpu *v, gva_t a, unsigned size, enum access access, void *bytes) {
  const struct vcpu_watch *w = v->c->watch;
  if (likely(!w || !w->page) || !(w->page(v, a) || w->page(v, a + (size - 1)))) return 0;
  if (!v->c->stepping) return vcpu_trap(v, TRAP_EXACT, 0, 0, 0, 0);
  for (unsigned done = 0; done < size; done += 8) {
    unsigned n = size < 8 ? size : 8;
    uint64_t word = 0;
    memcpy(&word, (uint8_t *)bytes + done, n);
    w->data(v, a + done, n, access, &word);
    memcpy((uint8_t *)bytes + done, &word, n);
  }
  return 0;
}

static int can_show(struct vcpu *v, gva_t a, unsigned size) {
  const struct vcpu_watch *w = v->c->watch;
  if (likely(!w || !w->page) || v->c->stepping || !(w->page(v, a) || w->page(v, a + (size - 1)))) return 0;
  return vcpu_trap(v, TRAP_EXACT, 0, 0, 0, 0);
}

static int pages_are_there(struct vcpu *v, gva_t a, uint64_t len, enum access access) {
  struct tlb_spot s;
  while (len) {
    uint64_t n = GUEST_PAGE_SIZE - (a & ~GUEST_PAGE_MASK);
    v->c->access_len = (uint16_t)(n < len ? n : len);
    int rc = tlb_resolve(v, a, access, &s);
    if (rc) return rc;
    if (n >= len) break;
    a += n;
    len -= n;
  }
  return 0;
}

/* Does the guest's debugging stop the access? Faults come first. */
static int stopped(struct vcpu *v, gva_t a, unsigned size, enum access access) {
  int rc = pages_are_there(v, a, size, access);
  return rc ? rc : stops_check(v, a, size, access);
}

/* Bytes of [a, a+size) that lie in a's page. */
static unsigned in_page(gva_t a, unsigned size) {
  gva_t left = GUEST_PAGE_SIZE - (a & ~GUEST_PAGE_MASK);
  return left < size ? (unsigned)left : size;
}

/* A device access that the guest made; a refusal by the device or a hole in the map is a bus fault. */
static int mmio(struct vcpu *v, gva_t a, gpa_t pa, unsigned size, enum access access, uint64_t *value) {
  struct machine *m = v->c->machine;
  if (v->c->resched && !v->c->stepping) return vcpu_trap(v, TRAP_EXACT, 0, 0, 0, 0);
  v->c->touched = true;
  if (pa & (size - 1)) return bus_fault(v, a, access);
  if (m) machine_lock(m);
  int rc = access == ACCESS_WRITE ? phys_mmio_write(v->c->phys, pa, size, *value)
                                  : phys_mmio_read(v->c->phys, pa, size, value);
  if (m) machine_unlock(m);
  return rc ? bus_fault(v, a, access) : 0;
}

/* Transfers up to 16 bytes of RAM that may cross into the next page: both pages resolve before a byte moves. */
static int transfer(struct vcpu *v, gva_t a, unsigned size, enum access access, uint8_t *bytes) {
  struct tlb_spot s[2];
  unsigned n = in_page(a, size);
  for (unsigned i = 0; i < (n < size ? 2u : 1u); i++) {
    gva_t at = i ? a + n : a;
    v->c->access_len = (uint16_t)(i ? size - n : n);
    int rc = tlb_resolve(v, at, access, &s[i]);
    if (rc) return rc;
    if (!s[i].host) return bus_fault(v, at, access);
  }
  if (access == ACCESS_WRITE) {
    memcpy(s[0].host, bytes, n);
    if (n < size) memcpy(s[1].host, bytes + n, size - n);
  } else {
    memcpy(bytes, s[0].host, n);
    if (n < size) memcpy(bytes + n, s[1].host, size - n);
  }
  return 0;
}

static int load(struct vcpu *v, gva_t a, unsigned attr, unsigned size, void *out) {
  struct tlb_spot s;
  int rc;
  check_window(attr);
  if (unlikely(mem_replay)) return mem_replay->load(v, a, size, out);
  if (v->c->space) {
    rc = direct_load(v, a, size, out);
    if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return rc;
  }
  if (unlikely(v->c->stops.nranges) && (rc = stopped(v, a, size, ACCESS_READ))) return rc;
  if ((rc = can_show(v, a, size))) return rc;
  v->c->access_len = (uint16_t)size;
  if (in_page(a, size) < size) {
    rc = transfer(v, a, size, ACCESS_READ, out);
  } else if (!(rc = tlb_resolve(v, a, ACCESS_READ, &s))) {
    if (s.host) {
      memcpy(out, s.host, size);
    } else {
      for (unsigned done = 0; done < size && !rc; done += 8) {
        uint64_t word = 0;
        unsigned n = size < 8 ? size : 8;
        rc = mmio(v, a + done, s.pa + done, n, ACCESS_READ, &word);
        memcpy((uint8_t *)out + done, &word, n);
      }
    }
  }
  if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return rc ? rc : show(v, a, size, ACCESS_READ, out);
}

static int store(struct vcpu *v, gva_t a, unsigned attr, unsigned size, const void *in) {
  struct tlb_spot s;
  int rc;
  uint8_t bytes[16];
  check_window(attr);
  if (unlikely(mem_replay)) return mem_replay->store(v, a, size, in);
  if (v->c->space) {
    if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    rc = direct_store(v, a, size, in);
    if ((attr & 15) == ORDER_SEQCST) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return rc;
  }
  if (unlikely(v->c->stops.nranges) && (rc = stopped(v, a, size, ACCESS_WRITE))) return rc;
  v->c->access_len = (uint16_t)size;
  memcpy(bytes, in, size);
  if (unlikely(v->c->watch)) { /* only what will happen is shown */
    if ((rc = can_show(v, a, size)) || (rc = mem_probe(v, a, size, ACCESS_WRITE)) ||
        (rc = show(v, a, size, ACCESS_WRITE, bytes)))
      return rc;
    v->c->access_len = (uint16_t)size;
  }
  if ((attr & 15) > ORDER_TSO) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (in_page(a, size) < size) {
    rc = transfer(v, a, size, ACCESS_WRITE, bytes);
  } else if (!(rc = tlb_resolve(v, a, ACCESS_WRITE, &s))) {
    if (s.host) {
      memcpy(s.host, bytes, size);
    } else {
      for (unsigned done = 0; done < size && !rc; done += 8) {
        uint64_t word = 0;
        unsigned n = size < 8 ? size : 8;
        memcpy(&word, bytes + done, n);
        rc = mmio(v, a + done, s.pa + done, n, ACCESS_WRITE, &word);
      }
    }
  }
  if ((attr & 15) == ORDER_SEQCST) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return rc;
}

/* The host is little-endian like the guests, so the low `size` bytes of a word are its first. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian hosts are not supported");

struct mem_result mem_load_slow(struct vcpu *v, gva_t a, unsigned attr, unsigned size) {
  struct mem_result r = {0, 0};
  assert(size <= 8);
  r.trap = load(v, a, attr, size, &r.value);
  return r;
}

int mem_store_slow(struct vcpu *v, gva_t a, unsigned attr, unsigned size, uint64_t value) {
  assert(size <= 8);
  return store(v, a, attr, size, &value);
}

int mem_load128_slow(struct vcpu *v, gva_t a, unsigned attr, u128 *out) { return load(v, a, attr, 16, out); }

int mem_store128_slow(struct vcpu *v, gva_t a, unsigned attr, u128 value) {
  return store(v, a, attr, 16, &value);
}

int mem_probe(struct vcpu *v, gva_t a, uint64_t len, enum access access) {
  if (unlikely(mem_replay)) return mem_replay->probe(v, a, len, access);
  if (v->c->space) return space_probe(v, a, len, access);
  int rc = pages_are_there(v, a, len, access);
  /* Who probes for reading may not be about to read (cache maintenance). */
  return rc || access != ACCESS_WRITE ? rc : stops_check(v, a, len, access);
}

static int replay_fill(struct vcpu *v, gva_t a, uint64_t len, uint8_t byte) {
  uint8_t line[16];
  int rc = 0;
  memset(line, byte, sizeof line);
  for (unsigned n; !rc && len; a += n, len -= n) {
    n = len < sizeof line ? (unsigned)len : sizeof line;
    rc = mem_replay->store(v, a, n, line);
  }
  return rc;
}

int mem_fill(struct vcpu *v, gva_t a, uint64_t len, uint8_t byte) {
  if (unlikely(mem_replay)) return replay_fill(v, a, len, byte);
  if (v->c->space) return direct_fill(v, a, len, byte);
  for (int pass = 0; pass < 2; pass++) { /* first every page must be there, then bytes change */
    gva_t at = a;
    for (uint64_t left = len; left;) {
      struct tlb_spot s;
      uint64_t n = GUEST_PAGE_SIZE - (at & ~GUEST_PAGE_MASK);
      v->c->access_len = (uint16_t)(n < left ? n : left);
      int rc = tlb_resolve(v, at, ACCESS_WRITE, &s);
      if (rc) return rc;
      if (!s.host) return bus_fault(v, at, ACCESS_WRITE);
      if (n > left) n = left;
      if (!pass && (rc = stops_check(v, at, n, ACCESS_WRITE))) return rc;
      if (pass) memset(s.host, byte, n);
      at += n;
      left -= n;
    }
  }
  return 0;
}
