/* User-mode address space: a sorted array of mappings, and RAM regions added to the physical map in 2 MiB steps beneath
 * them. */
#include "mem/flat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "core/log.h"
#include "mem/phys.h"
#include "mem/tlb.h"

#define STEP (UINT64_C(2) << 20)

struct mapping {
  gva_t start, last; /* inclusive */
  unsigned prot;
};

struct flat {
  struct phys *phys;
  struct mapping *map;
  size_t n, room;
  struct vcpu **vcpu;
  unsigned nvcpus;
};

struct flat *flat_new(struct phys *p) {
  struct flat *f = calloc(1, sizeof *f);
  if (!f) {
    log_error("cannot create the user address space: out of memory");
    return NULL;
  }
  f->phys = p;
  return f;
}

void flat_free(struct flat *f) {
  if (!f) return;
  free(f->map);
  free(f->vcpu);
  free(f);
}

/* First mapping that ends at or above va. */
static size_t lower(const struct flat *f, gva_t va) {
  size_t lo = 0, hi = f->n;
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    if (f->map[mid].last < va) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

static const struct mapping *find(const struct flat *f, gva_t va) {
  size_t i = lower(f, va);
  return i < f->n && f->map[i].start <= va ? &f->map[i] : NULL;
}

int flat_prot(const struct flat *f, gva_t va) {
  const struct mapping *m = find(f, va);
  return m ? (int)m->prot : -1;
}

gva_t flat_gap(const struct flat *f, gva_t lo, gva_t hi, uint64_t len) {
  for (size_t i = lower(f, hi);; i--) { /* mapping i and those above lie behind hi or have been passed */
    if (i < f->n && f->map[i].start < hi) hi = f->map[i].start;
    if (hi < lo || hi - lo < len) return 0;
    if (!i || hi - 1 - f->map[i - 1].last >= len) return hi - len;
  }
}

static int translate(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  const struct mapping *m = find(v->c->translate_data, va);
  if (!m || !(m->prot >> access & 1)) return v->c->isa->arch->bus_fault(v, va, access);
  *out = (struct translation){.pa = va, .size = GUEST_PAGE_SIZE, .prot = (uint8_t)m->prot};
  return 0;
}

static void flush(struct flat *f) {
  for (unsigned i = 0; i < f->nvcpus; i++) tlb_flush_all(f->vcpu[i]);
}

int flat_attach(struct flat *f, struct vcpu *v) {
  struct vcpu **grown = realloc(f->vcpu, (f->nvcpus + 1) * sizeof *grown);
  if (!grown) return -ENOMEM;
  f->vcpu = grown;
  grown[f->nvcpus++] = v;
  v->c->translate = translate;
  v->c->translate_data = f;
  tlb_flush_all(v);
  return 0;
}

static int check(gva_t va, uint64_t len) {
  return !len || ((va | len) & ~GUEST_PAGE_MASK) || va + (len - 1) < va ? -EINVAL : 0;
}

/* One change needs at most two entries more. */
static int reserve(struct flat *f) {
  if (f->n + 2 <= f->room) return 0;
  size_t room = f->room ? 2 * f->room : 16;
  struct mapping *grown = realloc(f->map, room * sizeof *grown);
  if (!grown) return -ENOMEM;
  f->map = grown;
  f->room = room;
  return 0;
}

static void insert(struct flat *f, size_t i, struct mapping m) {
  memmove(&f->map[i + 1], &f->map[i], (f->n - i) * sizeof m);
  f->map[i] = m;
  f->n++;
}

/* Makes `at` a mapping boundary. */
static void split(struct flat *f, gva_t at) {
  size_t i = lower(f, at);
  if (i >= f->n || f->map[i].start >= at) return;
  insert(f, i, f->map[i]);
  f->map[i].last = at - 1;
  f->map[i + 1].start = at;
}

/* Joins neighbours of equal rights around [first, last]. */
static void merge(struct flat *f, gva_t first, gva_t last) {
  for (size_t i = lower(f, first ? first - 1 : 0); i + 1 < f->n && f->map[i].start <= last;) {
    struct mapping *m = &f->map[i];
    if (m[0].last + 1 != m[1].start || m[0].prot != m[1].prot) {
      i++;
      continue;
    }
    m[0].last = m[1].last;
    memmove(&m[1], &m[2], (f->n - i - 2) * sizeof *m);
    f->n--;
  }
}

/* RAM under every page of [va, last], in whole steps so that small mappings share regions. */
static int back(struct flat *f, gva_t va, gva_t last) {
  gva_t at = va & ~(STEP - 1), end = last | (STEP - 1);
  struct phys_info r;
  for (unsigned i = 0; phys_region(f->phys, i, &r); i++) {
    gva_t rlast = r.base + (r.size - 1);
    if (rlast < at) continue;
    if (r.base > end) break;
    if (r.base > at) {
      int rc = phys_add_ram(f->phys, at, r.base - at, "user");
      if (rc) return rc;
      i++; /* the region just added is in front of r */
    }
    if (rlast >= end) return 0;
    at = rlast + 1;
  }
  return phys_add_ram(f->phys, at, end - at + 1, "user");
}

int flat_map(struct flat *f, gva_t va, uint64_t len, unsigned prot) {
  gva_t last = va + (len - 1);
  int rc = check(va, len);
  if (rc) return rc;
  size_t i = lower(f, va);
  if (i < f->n && f->map[i].start <= last) return -EEXIST;
  rc = reserve(f);
  if (!rc) rc = back(f, va, last);
  if (rc) return rc;
  insert(f, i, (struct mapping){va, last, prot});
  merge(f, va, last);
  return 0;
}

int flat_protect(struct flat *f, gva_t va, uint64_t len, unsigned prot) {
  gva_t last = va + (len - 1);
  int rc = check(va, len);
  if (rc) return rc;
  gva_t at = va;
  for (size_t i = lower(f, va);; i++) {
    if (i >= f->n || f->map[i].start > at) return -ENOMEM;
    if (f->map[i].last >= last) break;
    at = f->map[i].last + 1;
  }
  if ((rc = reserve(f))) return rc;
  split(f, va);
  if (last != UINT64_MAX) split(f, last + 1);
  for (size_t i = lower(f, va); i < f->n && f->map[i].start <= last; i++) f->map[i].prot = prot;
  merge(f, va, last);
  flush(f);
  return 0;
}

int flat_unmap(struct flat *f, gva_t va, uint64_t len) {
  gva_t last = va + (len - 1);
  int rc = check(va, len);
  if (rc || (rc = reserve(f))) return rc;
  split(f, va);
  if (last != UINT64_MAX) split(f, last + 1);
  size_t i = lower(f, va), k = i;
  for (; k < f->n && f->map[k].start <= last; k++) {
    const struct mapping *m = &f->map[k];
    rc = phys_discard(f->phys, m->start, m->last - m->start + 1);
    if (rc) return rc;
  }
  memmove(&f->map[i], &f->map[k], (f->n - k) * sizeof *f->map);
  f->n -= k - i;
  flush(f);
  return 0;
}
