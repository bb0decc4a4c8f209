/* Armed ranges: which pages and accesses they touch. Whether one counts is the arch code's. */
#include "mem/stops.h"

#include "core/isa.h"
#include "mem/tlb.h"

/* More pages than these are not worth a flush each. */
#define FEW_PAGES 8

/* Does [a, a + size) touch the range; *at: the first byte that does. */
static bool touches(const struct vcpu_stops *s, const struct stop_range *r, gva_t a, uint64_t size,
                    gva_t *at) {
  const gva_t first = r->first & s->address, last = r->last & s->address, from = a & s->address;
  if (from > last || (from < first && size <= first - from)) return false;
  *at = from < first ? a + (first - from) : a;
  return true;
}

bool stops_in_page(const struct vcpu *v, gva_t va, bool fetch) {
  const struct vcpu_stops *s = &v->c->stops;
  const unsigned kind = fetch ? 1u << ACCESS_FETCH : 1u << ACCESS_READ | 1u << ACCESS_WRITE;
  gva_t at;
  for (unsigned i = 0; s->access & kind && i < s->nranges; i++)
    if (s->range[i].access & kind && touches(s, &s->range[i], va & GUEST_PAGE_MASK, GUEST_PAGE_SIZE, &at))
      return true;
  return false;
}

int stops_hit(struct vcpu *v, gva_t a, uint64_t size, enum access access) {
  const struct vcpu_stops *s = &v->c->stops;
  gva_t at;
  for (unsigned i = 0; i < s->nranges; i++) {
    const struct stop_range *r = &s->range[i];
    if (!(r->access >> access & 1) || !touches(s, r, a, size, &at)) continue;
    int rc = v->c->isa->arch->debug->hit(v, r, at, access);
    if (rc) return rc;
  }
  return 0;
}

static bool armed(const struct vcpu_stops *s, const struct stop_range *r) {
  for (unsigned i = 0; i < s->nranges; i++) {
    const struct stop_range *o = &s->range[i];
    if (o->first == r->first && o->last == r->last && o->access == r->access) return true;
  }
  return false;
}

void stops_set(struct vcpu *v, const struct vcpu_stops *to) {
  const struct vcpu_stops old = v->c->stops;
  v->c->stops = *to;
  for (unsigned i = 0; i < to->nranges; i++) {
    const struct stop_range *r = &to->range[i];
    if (armed(&old, r)) continue;
    const gva_t first = r->first & GUEST_PAGE_MASK, pages = ((r->last - first) >> GUEST_PAGE_BITS) + 1;
    if (pages > FEW_PAGES) {
      tlb_flush_all(v);
      return;
    }
    for (gva_t p = 0; p < pages; p++) tlb_flush_page(v, first + p * GUEST_PAGE_SIZE);
  }
}
