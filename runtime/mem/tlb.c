/* SoftMMU tables: translation contexts and their tags, level 1 (direct-mapped, inline) and level 2 (walk results), and
 * filling one from the other. Page walks themselves are the ISA's (vcpu_common.translate). */
#include "mem/tlb.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/isa.h"
#include "core/log.h"
#include "mem/phys_int.h"
#include "mem/space.h"
#include "mem/stops.h"
#include "os/prefault.h"

#define L1_SIZE  (1u << TLB_BITS)
#define L1_MASK  (L1_SIZE - 1)
#define TAG_MAX  4094u /* 0 = not computed; 4095 only occurs in TLB_NO_TAG */
#define BUCKETS  32768u
#define CTX_SETS 16u
#define CTX_WAYS 4u
#define FETCHED  32768u /* bits of a filter, for as many code pages as run between two flushes */
#define LARGE    32768u /* kernels are mapped by contiguous pages of 64 KiB: hundreds */

/* Context (asid, mode). `id` names it in level 2 and is never reused; `tag` names it in level 1 and is. */
struct context {
  uint64_t asid, id;
  uint32_t mode, used; /* used: when last asked for */
  uint32_t tag;        /* 0: none at present */
};

/* A walk result: the page of 1 << shift bytes that starts at va = page << shift. */
struct walk {
  uint64_t page;
  gpa_t pa;
  uint64_t id;   /* 0: free */
  uint16_t next; /* walk number + 1 */
  uint8_t shift, prot;
};

struct tables {
  struct tlb hot;              /* first: v->tlb points here */
  uint64_t pa_addend[L1_SIZE]; /* physical = virtual + pa_addend, for any valid tag of the entry */
  struct context ctx[CTX_SETS][CTX_WAYS];
  uint64_t global_id[TLB_MODES]; /* level 2 name of a mode's global pages */
  unsigned nmodes;               /* modes seen: 0..nmodes-1 */
  struct {
    uint64_t id, global;
  } by_tag[TAG_MAX + 1];
  uint64_t next_id, min_id; /* ids below min_id are dead */
  uint32_t next_tag;
  uint32_t recent[4], kept[4]; /* last tags handed out; tags that survived the last exhaustion */
  uint32_t nrecent, clock;
  uint32_t next_walk; /* level 2 is filled round-robin */
  uint64_t shifts;    /* bit s: level 2 may hold pages of 1 << s bytes */
  uint32_t nshift[64];
  uint16_t bucket[BUCKETS]; /* walk number + 1 */
  struct region *region;    /* last used */
  uint32_t few[TLB_FEW];    /* with tlb_limit: level 1 entries in use, + 1 */
  unsigned next_few;
  /* Filters, by hash: pages that instructions were fetched from since flush_epoch changed last; executable huge pages that
   * were walked since everything was flushed last. */
  uint64_t fetched[FETCHED / 64], large[LARGE / 64];
  uint64_t large_shifts; /* sizes of the latter */
  uint32_t remote;       /* atomically set: flush everything at the next poll */
  uint32_t nwalks;       /* those ever used; the host gives no memory for the others */
  struct walk walk[TLB_WALKS];
};

/* All tags are zero, which no context has; only read. */
static struct tlb none;

static struct tables *tables(struct tlb *t) { return (struct tables *)t; }

struct tlb *tlb_none(void) {
  return &none;
}

static void l1_clear(struct tables *t) {
  for (unsigned i = 0; i < L1_SIZE; i++)
    t->hot.l1[i] = (struct tlb_entry){.tag = {TLB_NO_TAG, TLB_NO_TAG, TLB_NO_TAG}};
}

struct tlb *tlb_new(void) {
  /* Fresh pages read as zero and cost nothing before they are used. */
  struct tables *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (t == MAP_FAILED) return NULL;
  os_prefault(&t->hot, sizeof t->hot);
  l1_clear(t);
  t->next_tag = t->next_id = t->min_id = 1;
  return &t->hot;
}

void tlb_free(struct tlb *t) {
  if (t && t != &none) munmap(t, sizeof(struct tables));
}

/* --- level 2 --- */

static unsigned hash(uint64_t page, unsigned shift, uint64_t id) {
  uint64_t h = (page ^ id << 40 ^ id >> 8 ^ (uint64_t)shift << 58) * 0x9e3779b97f4a7c15u;
  h ^= h >> 29;
  return (unsigned)((h * 0xbf58476d1ce4e5b9u) >> 49);
}
_Static_assert(BUCKETS == 1u << (64 - 49), "hash width");

/* Invalidates level 1 entries of any tag for [va, va + (1 << shift)). */
static void l1_purge(struct tables *t, gva_t va, unsigned shift) {
  uint64_t pages = UINT64_C(1) << (shift - GUEST_PAGE_BITS);
  gva_t mask = ~(((gva_t)1 << shift) - 1);
  unsigned first = (unsigned)(va >> GUEST_PAGE_BITS), n = pages < L1_SIZE ? (unsigned)pages : L1_SIZE;
  for (unsigned i = 0; i < n; i++) {
    struct tlb_entry *e = &t->hot.l1[(first + i) & L1_MASK];
    for (int a = 0; a < 3; a++)
      if (((e->tag[a] ^ va) & mask) == 0) e->tag[a] = TLB_NO_TAG;
  }
}

static void walk_remove(struct tables *t, struct walk *w) {
  uint16_t *link = &t->bucket[hash(w->page, w->shift, w->id)];
  while (&t->walk[*link - 1] != w) link = &t->walk[*link - 1].next;
  *link = w->next;
  /* Level 1 only holds fragments of huge pages that are in level 2, so that flushing a page finds them all. */
  if (w->shift > GUEST_PAGE_BITS && w->id >= t->min_id) l1_purge(t, w->page << w->shift, w->shift);
  if (!--t->nshift[w->shift]) t->shifts &= ~(UINT64_C(1) << w->shift);
  w->id = 0;
}

static struct walk *walk_at(struct tables *t, gva_t va, unsigned shift, uint64_t id) {
  uint64_t page = va >> shift;
  for (uint16_t n = t->bucket[hash(page, shift, id)]; n; n = t->walk[n - 1].next) {
    struct walk *w = &t->walk[n - 1];
    if (w->page == page && w->id == id && w->shift == shift) return w;
  }
  return NULL;
}

static struct walk *walk_find(struct tables *t, gva_t va, uint64_t id, enum access access) {
  for (uint64_t left = t->shifts; left; left &= left - 1) {
    struct walk *w = walk_at(t, va, (unsigned)__builtin_ctzll(left), id);
    if (w && w->prot >> access & 1) return w;
  }
  return NULL;
}

static void walk_add(struct tables *t, gva_t va, uint64_t id, const struct translation *tr) {
  unsigned shift = (unsigned)__builtin_ctzll(tr->size);
  struct walk *w = walk_at(t, va, shift, id);
  if (w) walk_remove(t, w);
  w = &t->walk[t->next_walk];
  if (t->nwalks <= t->next_walk) t->nwalks = t->next_walk + 1;
  t->next_walk = (t->next_walk + 1) % TLB_WALKS;
  if (w->id) walk_remove(t, w);
  uint16_t *head = &t->bucket[hash(va >> shift, shift, id)];
  *w = (struct walk){.page = va >> shift,
                     .pa = tr->pa & ~(tr->size - 1),
                     .id = id,
                     .next = *head,
                     .shift = (uint8_t)shift,
                     .prot = tr->prot};
  *head = (uint16_t)(w - t->walk + 1);
  t->nshift[shift]++;
  t->shifts |= UINT64_C(1) << shift;
}

/* --- what was executed: a flush of other pages costs engines nothing that they know of addresses --- */

static uint64_t filter_bit(uint64_t page, unsigned bits, uint64_t **words) {
  const unsigned n = (unsigned)(page * 0x9e3779b97f4a7c15u >> 40) % bits;
  *words += n / 64;
  return UINT64_C(1) << n % 64;
}

static void note_fetch(struct tables *t, gva_t va) {
  uint64_t *word = t->fetched, bit = filter_bit(va >> GUEST_PAGE_BITS, FETCHED, &word);
  *word |= bit;
}

static void note_large(struct tables *t, gva_t va, unsigned shift) {
  uint64_t *word = t->large, bit = filter_bit(va >> shift, LARGE, &word);
  *word |= bit;
  t->large_shifts |= UINT64_C(1) << shift;
}

/* False: no instruction was fetched through what a flush of va drops. */
static bool maybe_fetched(struct tables *t, gva_t va) {
  uint64_t *word = t->fetched, bit = filter_bit(va >> GUEST_PAGE_BITS, FETCHED, &word);
  if (*word & bit) return true;
  for (uint64_t left = t->large_shifts; left; left &= left - 1) {
    word = t->large;
    bit = filter_bit(va >> __builtin_ctzll(left), LARGE, &word);
    if (*word & bit) return true;
  }
  return false;
}

/* What engines know of addresses under tags that live on is void. Where contexts die their tags do too, and nothing is known of new
 * ones. */
static void new_epoch(struct vcpu *v) {
  v->c->flush_epoch++;
  if (v->tlb != &none) memset(tables(v->tlb)->fetched, 0, FETCHED / 8);
}

/* --- contexts --- */

static void tags_exhausted(struct vcpu *v, struct tables *t) {
  l1_clear(t);
  new_epoch(v);
  memcpy(t->kept, t->recent, sizeof t->kept);
  for (unsigned s = 0; s < CTX_SETS; s++)
    for (unsigned w = 0; w < CTX_WAYS; w++) {
      uint32_t *tag = &t->ctx[s][w].tag;
      bool keep = false;
      for (unsigned k = 0; k < 4; k++) keep |= *tag == t->kept[k];
      if (!keep) *tag = 0;
    }
  t->next_tag = 1;
}

static uint32_t new_tag(struct vcpu *v, struct tables *t) {
  for (;;) {
    if (t->next_tag > TAG_MAX) tags_exhausted(v, t);
    uint32_t tag = t->next_tag++;
    bool taken = false;
    for (unsigned k = 0; k < 4; k++) taken |= tag == t->kept[k];
    if (!taken) return tag;
  }
}

uint32_t tlb_context(struct vcpu *v, uint64_t asid, uint32_t mode) {
  if (v->tlb == &none) return TLB_NONE_TAG;
  struct tables *t = tables(v->tlb);
  uint64_t h = (asid * 0x9e3779b97f4a7c15u >> 32) + mode * 0x45d9f3bu;
  struct context *set = t->ctx[(h ^ h >> 16) % CTX_SETS], *c = NULL, *victim = NULL;
  uint32_t oldest = 0;
  if (mode >= TLB_MODES) log_bug("translation mode %u is out of range", mode);
  for (unsigned i = 0; i < CTX_WAYS && !c; i++) {
    bool live = set[i].id >= t->min_id;
    uint32_t age = live ? t->clock - set[i].used : UINT32_MAX;
    if (live && set[i].asid == asid && set[i].mode == mode) c = &set[i];
    if (!victim || age > oldest) victim = &set[i], oldest = age;
  }
  if (!c) {
    c = victim;
    *c = (struct context){.asid = asid, .mode = mode, .id = t->next_id++};
  }
  c->used = ++t->clock;
  if (!c->tag) {
    uint32_t tag = new_tag(v, t);
    c->tag = tag;
    t->by_tag[tag].id = c->id;
  }
  if (mode >= t->nmodes) t->nmodes = mode + 1;
  if (t->global_id[mode] < t->min_id) t->global_id[mode] = t->next_id++;
  t->by_tag[c->tag].global = t->global_id[mode];
  if (t->recent[t->nrecent & 3] != c->tag) t->recent[++t->nrecent & 3] = c->tag;
  return c->tag;
}

static void forget_tags(struct vcpu *v) {
  v->tag_data = v->tag_fetch = v->tlb == &none ? TLB_NONE_TAG : 0;
  if (v->tlb == &none) new_epoch(v);
}

static void recompute_tags(struct vcpu *v) {
  if (v->c->isa->arch->context) v->c->isa->arch->context(v);
  if (!v->tag_data) v->tag_data = tlb_context(v, 0, 0);
  if (!v->tag_fetch) v->tag_fetch = tlb_context(v, 0, 0);
}

/* --- flushes --- */

void tlb_flush_all(struct vcpu *v) {
  struct tables *t = tables(v->tlb);
  if (v->tlb != &none) {
    t->min_id = t->next_id;
    memset(t->large, 0, sizeof t->large);
    t->large_shifts = 0;
  }
  forget_tags(v);
}

void tlb_reset(struct vcpu *v) {
  struct tables *t = tables(v->tlb);
  if (v->tlb != &none) {
    memset(t->walk, 0, t->nwalks * sizeof t->walk[0]);
    memset(t, 0, offsetof(struct tables, walk));
    l1_clear(t);
    t->next_tag = t->next_id = t->min_id = 1;
  }
  forget_tags(v);
  new_epoch(v);
}

void tlb_flush_asid(struct vcpu *v, uint64_t asid) {
  struct tables *t = tables(v->tlb);
  for (unsigned s = 0; s < CTX_SETS && v->tlb != &none; s++)
    for (unsigned w = 0; w < CTX_WAYS; w++)
      if (t->ctx[s][w].asid == asid) t->ctx[s][w].id = 0;
  forget_tags(v);
}

static void walks_drop(struct tables *t, gva_t va, uint64_t id) {
  for (uint64_t left = t->shifts; left; left &= left - 1) {
    struct walk *w = walk_at(t, va, (unsigned)__builtin_ctzll(left), id);
    if (w) walk_remove(t, w);
  }
}

/* Contexts that lost their place in t->ctx are out of reach: their tags must not be used again. */
static void flush_page(struct vcpu *v, gva_t va, bool any, uint64_t asid) {
  struct tables *t = tables(v->tlb);
  if (v->tlb == &none) {
    forget_tags(v);
    return;
  }
  l1_purge(t, va & GUEST_PAGE_MASK, GUEST_PAGE_BITS);
  for (unsigned s = 0; s < CTX_SETS; s++)
    for (unsigned w = 0; w < CTX_WAYS; w++) {
      const struct context *c = &t->ctx[s][w];
      if (c->id >= t->min_id && (any || c->asid == asid)) walks_drop(t, va, c->id);
    }
  for (unsigned m = 0; any && m < t->nmodes; m++)
    if (t->global_id[m] >= t->min_id) walks_drop(t, va, t->global_id[m]);
  forget_tags(v);
  if (maybe_fetched(t, va)) new_epoch(v);
}

void tlb_flush_page(struct vcpu *v, gva_t va) { flush_page(v, va, true, 0); }
void tlb_flush_page_asid(struct vcpu *v, gva_t va, uint64_t asid) { flush_page(v, va, false, asid); }

void tlb_flush_remote(struct vcpu *v) {
  if (v->tlb == &none) return;
  __atomic_store_n(&tables(v->tlb)->remote, 1, __ATOMIC_SEQ_CST);
  vcpu_kick(v);
}

void tlb_poll(struct vcpu *v) {
  struct tables *t = tables(v->tlb);
  if (v->tlb == &none) return;
  if (!__atomic_load_n(&t->remote, __ATOMIC_RELAXED)) return;
  if (!__atomic_exchange_n(&t->remote, 0, __ATOMIC_SEQ_CST)) return;
  tlb_flush_all(v);
  recompute_tags(v);
}

void tlb_revoke_write(struct tlb *tlb, const void *host) {
  for (unsigned i = 0; i < L1_SIZE; i++) {
    struct tlb_entry *e = &tlb->l1[i];
    if (e->tag[ACCESS_WRITE] == TLB_NO_TAG) continue;
    if (!host || (e->tag[ACCESS_WRITE] & GUEST_PAGE_MASK) + e->addend == (uint64_t)(uintptr_t)host)
      e->tag[ACCESS_WRITE] = TLB_NO_TAG;
  }
}

/* --- filling level 1 --- */

static struct region *region_of(struct vcpu *v, struct tables *t, gpa_t pa) {
  if (t->region && region_has(t->region, pa)) return t->region;
  struct region *r = phys_find(v->c->phys, pa);
  if (r) t->region = r;
  return r;
}

static bool writable_now(const struct region *r, gpa_t page) {
  uint64_t i = (page - r->base) >> GUEST_PAGE_BITS;
  return !(__atomic_load_n(&r->code[i / 64], __ATOMIC_ACQUIRE) >> (i & 63) & 1) &&
         !(r->armed && __atomic_load_n(&r->armed[i / 64], __ATOMIC_ACQUIRE) >> (i & 63) & 1) &&
         (!r->dirty || (__atomic_load_n(&r->dirty[i / 64], __ATOMIC_ACQUIRE) >> (i & 63) & 1));
}

static unsigned l1_limit; /* 0: none */
void tlb_limit(unsigned n) { l1_limit = n < TLB_FEW ? n : TLB_FEW; }

/* Entry i is about to be used; the oldest goes. */
static void l1_few(struct tables *t, uint32_t i) {
  for (unsigned n = 0; n < l1_limit; n++)
    if (t->few[n] == i + 1) return;
  uint32_t *old = &t->few[t->next_few++ % l1_limit];
  if (*old) {
    uint64_t *tag = t->hot.l1[*old - 1].tag;
    tag[0] = tag[1] = tag[2] = TLB_NO_TAG;
  }
  *old = i + 1;
}

static void l1_fill(struct tables *t, const struct region *r, gva_t va, gpa_t pa, uint32_t tag, unsigned prot,
                    enum access access) {
  unsigned i = (unsigned)(va >> GUEST_PAGE_BITS) & L1_MASK;
  struct tlb_entry *e = &t->hot.l1[i];
  gva_t page = va & GUEST_PAGE_MASK;
  uint64_t addend = (uint64_t)(uintptr_t)r->host + (pa - r->base) - va, pa_addend = pa - va;
  if (unlikely(l1_limit)) l1_few(t, i);
  if (e->addend != addend || t->pa_addend[i] != pa_addend) {
    e->tag[0] = e->tag[1] = e->tag[2] = TLB_NO_TAG;
    e->addend = addend;
    t->pa_addend[i] = pa_addend;
  }
  e->tag[access] = page | tag;
  /* Data permissions come together; fetch may run in another context. */
  if (access == ACCESS_READ && prot >> ACCESS_WRITE & 1 && writable_now(r, pa & GUEST_PAGE_MASK))
    e->tag[ACCESS_WRITE] = page | tag;
  if (access == ACCESS_WRITE && prot >> ACCESS_READ & 1) e->tag[ACCESS_READ] = page | tag;
}

int tlb_resolve(struct vcpu *v, gva_t va, enum access access, struct tlb_spot *out) {
  struct tables *t = tables(v->tlb);
  if (unlikely(v->tlb == &none)) return v->c->isa->arch->bus_fault(v, va, access);
  const struct tlb_entry *e = &t->hot.l1[(va >> GUEST_PAGE_BITS) & L1_MASK];
  uint32_t tag = access == ACCESS_FETCH ? v->tag_fetch : v->tag_data;
  if (likely(e->tag[access] == ((va & GUEST_PAGE_MASK) | tag))) {
    out->host = (uint8_t *)(uintptr_t)(va + e->addend);
    out->pa = va + t->pa_addend[e - t->hot.l1];
    return 0;
  }
  if (unlikely(!tag)) {
    recompute_tags(v);
    tag = access == ACCESS_FETCH ? v->tag_fetch : v->tag_data;
  }

  unsigned prot = 0;
  uint64_t id = t->by_tag[tag].id, global = t->by_tag[tag].global;
  const struct walk *w = walk_find(t, va, id, access);
  if (!w) w = walk_find(t, va, global, access);
  if (w) {
    v->c->stats.tlb_hit[access]++;
    out->pa = w->pa + (va - (w->page << w->shift));
    prot = w->prot;
  } else {
    struct translation tr = {0};
    v->c->stats.tlb_miss[access]++;
    v->c->stats.page_walks++;
    int rc = v->c->translate(v, va, access, &tr);
    if (rc) return rc;
    assert(tr.size >= GUEST_PAGE_SIZE && !(tr.size & (tr.size - 1)));
    out->pa = tr.pa;
    if (tr.prot >> access & 1) { /* else good for this one access only */
      prot = tr.prot;
      walk_add(t, va, tr.global ? global : id, &tr);
      if (tr.prot >> ACCESS_FETCH & 1 && tr.size > GUEST_PAGE_SIZE)
        note_large(t, va, (unsigned)__builtin_ctzll(tr.size));
    }
  }

  struct region *r = region_of(v, t, out->pa);
  out->host = NULL;
  if (!r || !r->host) return 0;
  out->host = r->host + (out->pa - r->base);
  if (access == ACCESS_WRITE) phys_hook(v->c->phys, r, out->pa & GUEST_PAGE_MASK);
  const struct vcpu_watch *watch = v->c->watch;
  if (unlikely(watch) && access != ACCESS_FETCH && watch->page && watch->page(v, va)) return 0;
  if (prot && !stops_page(v, va, access == ACCESS_FETCH)) l1_fill(t, r, va, out->pa, tag, prot, access);
  return 0;
}

int tlb_fetch(struct vcpu *v, gva_t va, gpa_t *page, const uint8_t **host) {
  struct tlb_spot s;
  v->c->access_len = v->c->isa->insn_unit;
  int rc = tlb_resolve(v, va, ACCESS_FETCH, &s);
  if (rc) return rc;
  if (v->tlb != &none) note_fetch(tables(v->tlb), va);
  *page = s.pa & GUEST_PAGE_MASK;
  *host = s.host ? s.host - (s.pa & ~GUEST_PAGE_MASK) : NULL;
  return 0;
}

unsigned tlb_fetch_bytes(struct vcpu *v, gva_t va, void *buf, unsigned n) {
  gpa_t page;
  const uint8_t *host;
  const gva_t left = GUEST_PAGE_SIZE - (va & ~GUEST_PAGE_MASK);
  if (n > left) n = (unsigned)left;
  if (v->c->space) return space_fetch(v, va) || space_fetch_copy(v, va, buf, n) ? 0 : n;
  if (tlb_fetch(v, va, &page, &host)) return 0;
  if (!host) {
    v->c->isa->arch->bus_fault(v, va, ACCESS_FETCH);
    return 0;
  }
  if (n > v->c->isa->insn_unit && !tlb_fetch_whole(v, va)) n = v->c->isa->insn_unit;
  memcpy(buf, host + (va & ~GUEST_PAGE_MASK), n);
  return n;
}

bool tlb_fetch_whole(struct vcpu *v, gva_t va) {
  const struct tlb_entry *e = &v->tlb->l1[(va >> GUEST_PAGE_BITS) & L1_MASK];
  return e->tag[ACCESS_FETCH] == ((va & GUEST_PAGE_MASK) | v->tag_fetch);
}
