/* Accesses to the address space at identity: what a fault means, copies for system calls, code pages, vCPUs. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "core/isa.h"
#include "core/log.h"
#include "mem/direct.h"
#include "mem/phys.h"
#include "mem/space_int.h"
#include "mem/tlb.h"
#include "os/fault.h"
#include "os/guest_access.h"

/* ---- vCPUs ---- */

int space_attach(struct space *s, struct vcpu *v) {
  if (v->c->phys) phys_remove_vcpu(v->c->phys, v);
  v->c->phys = NULL;
  tlb_free(v->tlb);
  v->tlb = tlb_none();
  v->c->space = s;
  tlb_flush_all(v);
  return 0;
}

void space_detach(struct space *s, struct vcpu *v) {
  (void)s;
  v->c->space = NULL;
}

/* ---- code pages ---- */

static bool is_code(const struct space *s, gva_t va) {
  const uint64_t i = va >> GUEST_PAGE_BITS;
  return s->code[i / 64] >> (i % 64) & 1;
}

bool space_is_code(const struct space *s, gva_t va) { return va < s->hi && is_code(s, va); }

static void plain(struct space *s, gva_t page, bool restore) {
  const uint64_t i = page >> GUEST_PAGE_BITS;
  const struct mapping *m = space_find(s, page);
  s->code[i / 64] &= ~(UINT64_C(1) << (i % 64));
  /* Engines first: they look again once they may see a new byte. */
  if (s->listener) s->listener->code(s, page);
  if (m && m->shared) __atomic_fetch_sub(&s->aliased, 1, __ATOMIC_RELAXED);
  if (!m || !(m->prot & SPACE_W)) return;
  __atomic_fetch_sub(&s->guarded, 1, __ATOMIC_RELAXED);
  if (restore) mprotect(space_host(page), GUEST_PAGE_SIZE, space_host_prot(m->prot));
}

void space_code_clear(struct space *s, gva_t first, gva_t last, bool restore) {
  if (first < s->code_lo) first = s->code_lo;
  if (last >= s->code_hi) last = s->code_hi - 1;
  if (!s->code_hi || first > last) return;
  for (uint64_t i = first >> GUEST_PAGE_BITS; i <= last >> GUEST_PAGE_BITS; i++) {
    if (!s->code[i / 64]) i |= 63;
    else if (s->code[i / 64] >> (i % 64) & 1) plain(s, i << GUEST_PAGE_BITS, restore);
  }
}

void space_fence(struct space *s) {
  if (likely(!__atomic_load_n(&s->aliased, __ATOMIC_RELAXED))) return;
  pthread_mutex_lock(&s->lock);
  for (size_t i = 0; i < s->n; i++)
    if (s->map[i].shared) space_code_clear(s, s->map[i].start, s->map[i].last, true);
  pthread_mutex_unlock(&s->lock);
}

/* ---- faults ---- */

static int refuse(struct vcpu *v, gva_t at, enum access access, int signal, int code) {
  v->c->fault = (struct user_fault){.signal = signal, .code = code, .addr = at};
  return v->c->isa->arch->bus_fault(v, at, access);
}

static bool may(const struct mapping *m, enum access access) {
  return access == ACCESS_READ ? m->prot != 0 : m->prot >> access & 1;
}

/* The first byte of [a, a + n) without the right: 0, or SEGV_* with *at set. The lock is held. */
static int missing(const struct space *s, gva_t a, uint64_t n, enum access access, gva_t *at) {
  for (*at = a; n;) {
    const struct mapping *m = *at < s->hi ? space_find(s, *at) : NULL;
    if (!m) return SEGV_MAPERR;
    if (!may(m, access)) return SEGV_ACCERR;
    const uint64_t here = m->last - *at + 1;
    if (here >= n) return 0;
    *at += here;
    n -= here;
  }
  return 0;
}

/* Does the host let us access the byte? `signal` says what it raised. */
static bool reaches(gva_t at, enum access access, int *signal) {
  uint8_t byte;
  bool ok = os_guest_load8(at, &byte) && (access != ACCESS_WRITE || os_guest_cas8(at, byte, byte, &byte));
  *signal = ok ? 0 : os_fault_last.signal;
  return ok;
}

int space_repair(struct vcpu *v, gva_t a, uint64_t n, enum access access) {
  struct space *s = v->c->space;
  gva_t at;
  int signal = SIGSEGV;
  pthread_mutex_lock(&s->lock);
  int code = missing(s, a, n, access, &at);
  for (uint64_t done = 0; !code && done < n; done += GUEST_PAGE_SIZE - (at & ~GUEST_PAGE_MASK)) {
    at = a + done;
    if (access == ACCESS_WRITE && is_code(s, at)) plain(s, at & GUEST_PAGE_MASK, true);
    if (!reaches(at, access, &signal)) code = signal == SIGBUS ? BUS_ADRERR : SEGV_ACCERR;
  }
  pthread_mutex_unlock(&s->lock);
  return code ? refuse(v, at, access, signal, code) : 0;
}

int space_probe(struct vcpu *v, gva_t a, uint64_t n, enum access access) {
  struct space *s = v->c->space;
  gva_t at;
  pthread_mutex_lock(&s->lock);
  int code = missing(s, a, n, access, &at);
  pthread_mutex_unlock(&s->lock);
  return code ? refuse(v, at, access, SIGSEGV, code) : 0;
}

/* ---- fetches ---- */

int space_fetch(struct vcpu *v, gva_t va) {
  struct space *s = v->c->space;
  gva_t at;
  pthread_mutex_lock(&s->lock);
  int code = missing(s, va, 1, ACCESS_FETCH, &at);
  pthread_mutex_unlock(&s->lock);
  return code ? refuse(v, va, ACCESS_FETCH, SIGSEGV, code) : 0;
}

int space_code_mark(struct vcpu *v, gva_t va) {
  struct space *s = v->c->space;
  const gva_t page = va & GUEST_PAGE_MASK;
  const uint64_t i = page >> GUEST_PAGE_BITS;
  gva_t at;
  pthread_mutex_lock(&s->lock);
  int code = missing(s, va, 1, ACCESS_FETCH, &at);
  if (!code && !is_code(s, page)) {
    const struct mapping *m = space_find(s, page);
    if (m->prot & SPACE_W) {
      if (mprotect(space_host(page), GUEST_PAGE_SIZE, PROT_READ)) {
        log_error("cannot watch the code page at 0x%llx for changes: %s", (unsigned long long)page,
                  strerror(errno));
        code = SEGV_ACCERR;
        goto out;
      }
      __atomic_fetch_add(&s->guarded, 1, __ATOMIC_RELAXED);
    }
    if (m->shared) __atomic_fetch_add(&s->aliased, 1, __ATOMIC_RELAXED);
    s->code[i / 64] |= UINT64_C(1) << (i % 64);
    if (page < s->code_lo) s->code_lo = page;
    if (page >= s->code_hi) s->code_hi = page + GUEST_PAGE_SIZE;
  }
out:
  pthread_mutex_unlock(&s->lock);
  return code ? refuse(v, va, ACCESS_FETCH, SIGSEGV, code) : 0;
}

int space_fetch_copy(struct vcpu *v, gva_t va, void *buf, unsigned n) {
  for (;;) {
    if (!os_guest_read(buf, va, n)) return 0;
    int signal = os_fault_last.signal, rc = space_fetch(v, va);
    if (rc) return rc;
    if (!reaches(va, ACCESS_READ, &signal))
      return refuse(v, va, ACCESS_FETCH, signal, signal == SIGBUS ? BUS_ADRERR : SEGV_ACCERR);
  }
}

/* ---- system calls ---- */

bool space_holds(const struct space *s, gva_t va, uint64_t n) {
  return !n || (va >= s->lo && va <= s->hi && n <= s->hi - va);
}

bool space_allowed(struct space *s, gva_t va, uint64_t n, unsigned right) {
  bool ok = space_holds(s, va, n);
  gva_t at;
  pthread_mutex_lock(&s->lock);
  for (enum access a = ACCESS_READ; ok && a <= ACCESS_FETCH; a++)
    if (right >> a & 1) ok = !missing(s, va, n, a, &at);
  pthread_mutex_unlock(&s->lock);
  return ok;
}

int space_read(struct space *s, gva_t va, void *buf, uint64_t n) {
  return space_holds(s, va, n) && !os_guest_read(buf, va, n) ? 0 : -EFAULT;
}

int space_write(struct space *s, gva_t va, const void *buf, uint64_t n) {
  const char *from = buf;
  if (!space_holds(s, va, n)) return -EFAULT;
  for (;;) {
    const uint64_t left = os_guest_write(va, from, n);
    if (!left) return 0;
    from += n - left;
    va += n - left;
    n = left;
    /* Not because of a code page: the guest's own fault. */
    pthread_mutex_lock(&s->lock);
    gva_t at;
    int signal;
    const bool code = is_code(s, va) && !missing(s, va, 1, ACCESS_WRITE, &at);
    if (code) plain(s, va & GUEST_PAGE_MASK, true);
    const bool again = code || (!missing(s, va, 1, ACCESS_WRITE, &at) && reaches(va, ACCESS_WRITE, &signal));
    pthread_mutex_unlock(&s->lock);
    if (!again) return -EFAULT;
  }
}

int64_t space_string(struct space *s, gva_t va, char *buf, size_t n) {
  for (size_t at = 0; at < n;) {
    size_t part = 256 - ((va + at) & 255); /* never into a page that the string does not reach */
    if (part > n - at) part = n - at;
    if (space_read(s, va + at, buf + at, part)) return -EFAULT;
    const char *end = memchr(buf + at, 0, part);
    if (end) return end - buf;
    at += part;
  }
  return -ENAMETOOLONG;
}

int space_kernel_writes(struct space *s, gva_t va, uint64_t n) {
  if (!space_holds(s, va, n)) return -EFAULT;
  if (likely(!__atomic_load_n(&s->guarded, __ATOMIC_RELAXED)) || !n) return 0;
  pthread_mutex_lock(&s->lock);
  space_code_clear(s, va, va + (n - 1), true);
  pthread_mutex_unlock(&s->lock);
  return 0;
}

/* ---- fork ---- */

void space_fork_prepare(struct space *s) {
  mem_straddle_lock(true);
  pthread_mutex_lock(&s->lock);
  if (s->listener) s->listener->fork_prepare();
}

void space_fork_done(struct space *s, bool child) {
  if (s->listener) s->listener->fork_done(child);
  pthread_mutex_unlock(&s->lock);
  mem_straddle_lock(false);
}
