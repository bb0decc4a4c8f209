/* Cache of decoded instructions, one window per page (guest-physical, or at identity) and vCPU: lookup, decoding, invalidation, eviction.
 * Executes nothing. The shape of a window is in interp.h. */
#define _GNU_SOURCE
#include "interp/interp.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "core/engine.h"
#include "core/log.h"
#include "mem/phys.h"
#include "mem/space.h"
#include "mem/stops.h"
#include "mem/tlb.h"

#define MAX_PAGES      4096u      /* windows per vCPU */
#define MAX_INSNS      (3u << 20) /* decoded instructions per vCPU, the bound on resident memory */
#define BUCKETS        4096u      /* of the physical-page hash */
#define CROSS          64u        /* decoded instructions that cross a page */
#define MAX_INSN_BYTES 16u
#define QUEUE          256u /* pages written by other threads since the last poll */
#define NO_PAGE        UINT32_MAX
#define AHEAD          256u /* bytes decoded at once */

struct page {
  gpa_t pa;
  uint32_t next; /* hash chain or free list */
  uint32_t used; /* instructions in the window, pseudo-instructions included */
  bool live, marked, recent;
};

/* A decoded instruction that crosses a page, valid while the bytes are equal, with the pseudo-instruction behind it. */
struct crossing {
  uint8_t bytes[MAX_INSN_BYTES];
  uint8_t n;
  uint16_t off;
  struct insn *insn;
};

struct cache {
  struct interp in; /* first: what the run loop sees */
  struct vcpu *v;
  unsigned unit, size, nslots, cap;
  size_t win_bytes, mapped; /* of a window; of everything */
  char *arena;
  struct page *pages;
  uint32_t bucket[BUCKETS]; /* ~page, so that fresh memory says NO_PAGE */
  uint32_t free, hand, npages;
  uint32_t fresh; /* windows from this one on were never used */
  uint64_t ninsns, max_insns;
  unsigned max_pages;
  uint32_t epoch;
  char *cross_buf;
  char *no_slots; /* window without instructions: of pages that may not be executed as a whole */
  struct crossing cross[CROSS];
  const void *const *labels; /* of the run loop, or NULL */
  const void *lookup;        /* labels[DISP_LOOKUP] */
  const void *memory;        /* whose pages these are: a space or a physical map */
  uint8_t *bytes;            /* at identity: copy of the page being decoded, for it may vanish at any time */
  struct cache *link;        /* list of all caches of the process, for the code listener */
  pthread_mutex_t lock;
  unsigned nqueue; /* > QUEUE: too many to remember, drop everything */
  gpa_t queue[QUEUE];
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cache *all;
static __thread struct cache *mine; /* the cache whose vCPU runs on this thread */

static struct cache *cache_of(struct vcpu *v) { return (struct cache *)interp_of(v); }
static char *window(struct cache *k, uint32_t i) { return k->arena + (size_t)i * k->win_bytes; }
static size_t slot_bytes(unsigned nslots) { return ((size_t)nslots * 2 + 7) & ~(size_t)7; }
static size_t whole_pages(size_t n) { return (n + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK; }
static char *insns(struct cache *k, uint32_t i) { return window(k, i) + slot_bytes(k->nslots); }
static uint32_t hash(gpa_t pa) {
  return (uint32_t)((pa >> GUEST_PAGE_BITS) * 0x9e3779b97f4a7c15ull >> 52) % BUCKETS;
}

static uint32_t find(struct cache *k, gpa_t pa) {
  for (uint32_t i = ~k->bucket[hash(pa)]; i != NO_PAGE; i = k->pages[i].next)
    if (k->pages[i].pa == pa) return i;
  return NO_PAGE;
}

static void forget_virtual(struct cache *k) {
  for (unsigned i = 0; i < INTERP_VPAGES; i++) k->in.vpage[i].key = ~0ull;
}

/* Makes every instruction of the page look itself up again. The memory stays as it is until interp_miss. */
static void drop(struct cache *k, uint32_t i) {
  struct page *p = &k->pages[i];
  char *at = insns(k, i);
  for (uint32_t n = 0; n < p->used; n++, at += k->size) {
    struct insn *d = (struct insn *)at;
    d->op = 0;
    d->disp = DISP_LOOKUP;
    d->go = k->lookup;
  }
  memset(window(k, i), 0, slot_bytes(k->nslots));
  p->live = p->marked = false;
}

/* Starts the page over; nobody may hold a pointer into its window. */
static void restart(struct cache *k, uint32_t i) {
  k->ninsns -= k->pages[i].used;
  k->pages[i].used = 0;
  k->pages[i].live = true;
}

static void unlink_page(struct cache *k, uint32_t i) {
  uint32_t *head = &k->bucket[hash(k->pages[i].pa)], at = ~*head;
  if (at == i) {
    *head = ~k->pages[i].next;
    return;
  }
  while (k->pages[at].next != i) at = k->pages[at].next;
  k->pages[at].next = k->pages[i].next;
}

static void evict(struct cache *k, uint32_t i) {
  k->ninsns -= k->pages[i].used;
  unlink_page(k, i);
  madvise(window(k, i), k->win_bytes, MADV_DONTNEED);
  k->pages[i] = (struct page){.next = k->free};
  k->free = i;
  k->npages--;
}

/* Second chance: evicts one page, never `keep`. */
static void evict_one(struct cache *k, uint32_t keep) {
  for (unsigned round = 0; round < 2 * MAX_PAGES + 1; round++) {
    uint32_t i = k->hand;
    k->hand = (k->hand + 1) % MAX_PAGES;
    struct page *p = &k->pages[i];
    if (i == keep || !p->pa) continue;
    if (p->recent) {
      p->recent = false;
      continue;
    }
    evict(k, i);
    break;
  }
  forget_virtual(k); /* also makes the pages in use recent again at their next miss */
}

/* Page addresses are stored with bit 0 set so that 0 means "free". */
static uint32_t page_for(struct cache *k, gpa_t pa) {
  uint32_t i = find(k, pa | 1);
  if (i == NO_PAGE) {
    while (k->npages && (k->npages >= k->max_pages || (k->free == NO_PAGE && k->fresh == MAX_PAGES)))
      evict_one(k, NO_PAGE);
    if (k->free == NO_PAGE) {
      i = k->fresh++;
    } else {
      i = k->free;
      k->free = k->pages[i].next;
    }
    k->pages[i] = (struct page){.pa = pa | 1, .next = ~k->bucket[hash(pa | 1)], .live = true};
    k->bucket[hash(pa | 1)] = ~i;
    k->npages++;
  } else if (!k->pages[i].live) {
    restart(k, i);
  }
  while (k->ninsns > k->max_insns && k->npages > 1) evict_one(k, i);
  k->pages[i].recent = true;
  return i;
}

static struct insn *append(struct cache *k, uint32_t i) {
  struct page *p = &k->pages[i];
  if (p->used >= k->cap) return NULL;
  struct insn *d = (struct insn *)(insns(k, i) + (size_t)p->used * k->size);
  p->used++;
  k->ninsns++;
  return d;
}

static void pseudo(struct cache *k, struct insn *d, unsigned off) {
  *d = (struct insn){.off = (uint16_t)off, .go = k->lookup};
}

/* Completes what the decoder leaves open. */
static void place(struct cache *k, struct insn *d, unsigned off) {
  const struct isa *isa = k->v->c->isa;
  d->off = (uint16_t)off;
  d->disp = isa->disp ? isa->disp[d->op] : (uint16_t)DISP_CALL;
  d->go = k->labels ? k->labels[d->disp] : NULL;
}

/* Lets two neighbours run as one, entered at the first; whoever enters at the second finds it alone. */
static void fuse(struct cache *k, struct insn *a, const struct insn *b) {
  unsigned disp = k->v->c->isa->fuse(a, b);
  if (!disp) return;
  a->disp = (uint16_t)disp;
  a->go = k->labels ? k->labels[disp] : NULL;
}

/* Decodes from `off` to the end of the straight line, the page or known code, but not from `end` on; at `host` the page can be
 * read to `end` and the longest instruction behind. False when the first instruction cannot be decoded within the page
 * (illegal, or it crosses). */
static bool decode_run(struct cache *k, uint32_t i, const uint8_t *host, unsigned off, unsigned end) {
  const struct isa *isa = k->v->c->isa;
  struct page *p = &k->pages[i];
  uint16_t *slot = (uint16_t *)window(k, i);
  bool first = true;
  struct insn *prev = NULL;
  unsigned known = end + isa->insn_max;
  if (known > GUEST_PAGE_SIZE) known = GUEST_PAGE_SIZE;

  for (;;) {
    if (p->used + 2 > k->cap) { /* overlapping code filled the window: start it over (first) or stop here */
      if (!first) break;
      drop(k, i);
      p->marked = true;
      restart(k, i);
    }
    if (off >= end || slot[off / k->unit]) break;
    struct insn *d = (struct insn *)(insns(k, i) + (size_t)p->used * k->size);
    d->flags = 0;
    int len = isa->decode(k->v->c->features, host + off, known - off, d);
    if (len <= 0) break;
    struct insn *last = p->used ? (struct insn *)((char *)d - k->size) : NULL;
    if (last && last->op == 0 && last->off == off)
      d = memcpy(last, d, k->size); /* the run before grows over its end */
    else append(k, i);
    place(k, d, off);
    if (prev && isa->fuse) fuse(k, prev, d);
    prev = d;
    slot[off / k->unit] = (uint16_t)((size_t)((char *)d - window(k, i)) / 8);
    off += (unsigned)len;
    first = false;
    k->v->c->stats.decode_miss++;
    if ((d->flags & (INSN_ENDS | INSN_FALLS)) == INSN_ENDS) break;
  }
  if (!first) pseudo(k, append(k, i), off);
  return !first;
}

/* Raises the trap of the undecodable bytes at v->pc, of which n are known. */
static void illegal(struct vcpu *v, const struct insn *d, const uint8_t *bytes, unsigned n) {
  const struct isa *isa = v->c->isa;
  unsigned claim = d->len && (d->len <= n || d->len > isa->insn_max) ? d->len : n;
  uint64_t bits = 0;
  unsigned known = claim < n ? claim : n;
  memcpy(&bits, bytes, known < 8 ? known : 8);
  isa->arch->illegal(v, bits, claim);
}

/* The instruction at v->pc, `off` in a page of which `n` bytes are readable at `host`, alone: it crosses or is illegal. */
static const struct insn *decode_crossing(struct cache *k, const uint8_t *host, unsigned off) {
  struct vcpu *v = k->v;
  const struct isa *isa = v->c->isa;
  uint8_t bytes[MAX_INSN_BYTES] = {0};
  unsigned n = GUEST_PAGE_SIZE - off;
  if (n > isa->insn_max) n = isa->insn_max;
  memcpy(bytes, host + off, n);

  struct crossing *x = &k->cross[(v->pc >> GUEST_PAGE_BITS) % CROSS];
  struct insn *d = x->insn;
  bool known = x->n > n && x->off == off && !memcmp(x->bytes, bytes, n);
  int len = known ? -1 : isa->decode(v->c->features, bytes, n, d);
  if (len < 0) { /* needs the next page, whose faults count from here on */
    const gva_t va2 = (v->pc & GUEST_PAGE_MASK) + GUEST_PAGE_SIZE;
    const unsigned more = tlb_fetch_bytes(v, va2, bytes + n, isa->insn_max - n);
    if (!more) return NULL;
    n += more;
    if (known && !memcmp(x->bytes, bytes, x->n)) {
      v->c->stats.decode_hit++;
      return d;
    }
    len = isa->decode(v->c->features, bytes, n, d);
  }
  x->n = 0;
  if (len <= 0) {
    illegal(v, d, bytes, n);
    return NULL;
  }
  place(k, d, off);
  pseudo(k, (struct insn *)((char *)d + k->size), off + (unsigned)len);
  memcpy(x->bytes, bytes, (size_t)len);
  x->n = (uint8_t)len;
  x->off = (uint16_t)off;
  v->c->stats.decode_miss++;
  return d;
}

/* The instruction at v->pc alone, every insn_unit of it fetched under its own permission. Nothing is remembered. */
static const struct insn *decode_guarded(struct cache *k, unsigned off) {
  struct vcpu *v = k->v;
  const struct isa *isa = v->c->isa;
  uint8_t bytes[MAX_INSN_BYTES] = {0};
  struct crossing *x = &k->cross[(v->pc >> GUEST_PAGE_BITS) % CROSS];
  struct insn *d = x->insn;
  unsigned n = 0;
  int len;

  k->in.win = k->no_slots;
  v->pcbase = v->pc & GUEST_PAGE_MASK;
  x->n = 0;
  for (;;) {
    if (!tlb_fetch_bytes(v, v->pc + n, bytes + n, k->unit)) return NULL;
    n += k->unit;
    d->flags = 0;
    len = isa->decode(v->c->features, bytes, n, d);
    if (len >= 0 || n >= isa->insn_max) break;
  }
  if (len <= 0) {
    illegal(v, d, bytes, n);
    return NULL;
  }
  place(k, d, off);
  pseudo(k, (struct insn *)((char *)d + k->size), off + (unsigned)len);
  v->c->stats.decode_miss++;
  return d;
}

/* The page of va: its key, where its bytes lie (NULL at identity: not copied yet), and whether all of it may be executed.
 * False: a trap is recorded. */
struct source {
  gpa_t key;
  const uint8_t *host;
  bool whole;
};
static bool find_source(struct vcpu *v, gva_t va, struct source *out) {
  *out = (struct source){.key = va & GUEST_PAGE_MASK, .whole = true};
  if (v->c->space) return !space_fetch(v, va);
  if (tlb_fetch(v, va, &out->key, &out->host)) return false;
  if (!out->host) {
    v->c->isa->arch->bus_fault(v, va, ACCESS_FETCH);
    return false;
  }
  out->whole = tlb_fetch_whole(v, va);
  return true;
}

/* Before its bytes are read. False: a trap is recorded. */
static bool mark(struct cache *k, struct page *p, const struct source *from) {
  if (p->marked) return true;
  if (!k->bytes) phys_code_mark(k->v->c->phys, from->key);
  else if (space_code_mark(k->v, from->key)) return false;
  p->marked = true;
  return true;
}

const struct insn *interp_miss(struct vcpu *v) {
  struct cache *k = cache_of(v);
  const struct isa *isa = v->c->isa;
  gva_t pc = v->pc, base = pc & GUEST_PAGE_MASK;
  unsigned off = (unsigned)(pc - base);
  struct source from;

  if (k->epoch != v->c->flush_epoch) cache_sync(v);
  if (pc % k->unit) {
    isa->arch->bus_fault(v, pc, ACCESS_FETCH);
    return NULL;
  }
  if (!find_source(v, pc, &from)) return NULL;
  if (!from.whole) return stops_check(v, pc, 1, ACCESS_FETCH) ? NULL : decode_guarded(k, off);
  uint32_t i = page_for(k, from.key);
  struct interp_vpage *e = &k->in.vpage[(pc >> GUEST_PAGE_BITS) % INTERP_VPAGES];
  *e = (struct interp_vpage){base | v->tag_fetch, window(k, i)};
  k->in.win = window(k, i);
  v->pcbase = base;

  uint16_t s = ((uint16_t *)k->in.win)[off / k->unit];
  if (s) {
    v->c->stats.decode_hit++;
    return (const struct insn *)(k->in.win + (size_t)s * 8);
  }
  if (!mark(k, &k->pages[i], &from)) return NULL;
  unsigned end = off + AHEAD < GUEST_PAGE_SIZE ? off + AHEAD : (unsigned)GUEST_PAGE_SIZE;
  if (k->bytes) {
    unsigned n = end - off + isa->insn_max;
    if (n > GUEST_PAGE_SIZE - off) n = (unsigned)GUEST_PAGE_SIZE - off;
    from.host = k->bytes;
    if (space_fetch_copy(v, pc, k->bytes + off, n)) return NULL;
  }
  if (decode_run(k, i, from.host, off, end)) {
    s = ((uint16_t *)k->in.win)[off / k->unit];
    return (const struct insn *)(k->in.win + (size_t)s * 8);
  }
  return decode_crossing(k, from.host, off);
}

static void invalidate(struct cache *k, gpa_t pa) {
  if (k->in.gone) k->in.gone(k->v, pa);
  uint32_t i = find(k, pa | 1);
  if (i == NO_PAGE || !k->pages[i].marked) return;
  drop(k, i);
  k->v->c->stats.code_invalidations++;
}

/* phys.h, space.h: the first write to a code page, on the thread that writes. */
static void code_written(void *memory, gpa_t pa) {
  if (mine && mine->memory == memory &&
      !all->link) { /* one vCPU in the process: no lock, the frequent case */
    invalidate(mine, pa);
    return;
  }
  pthread_mutex_lock(&all_lock);
  for (struct cache *k = all; k; k = k->link) {
    if (k->memory != memory) continue;
    if (k == mine) {
      invalidate(k, pa);
      continue;
    }
    pthread_mutex_lock(&k->lock);
    if (k->nqueue < QUEUE) k->queue[k->nqueue] = pa;
    if (k->nqueue <= QUEUE) __atomic_store_n(&k->nqueue, k->nqueue + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&k->lock);
    vcpu_kick(k->v);
  }
  pthread_mutex_unlock(&all_lock);
}

/* A forked child has the calling thread's vCPU alone: the other caches stay as they are, and nobody looks at them. */
static void fork_prepare(void) { pthread_mutex_lock(&all_lock); }
static void fork_done(bool child) {
  if (child && mine) {
    all = mine;
    mine->link = NULL;
    pthread_mutex_init(&mine->lock, NULL);
  }
  pthread_mutex_unlock(&all_lock);
}

static void space_code_written(void *space, gva_t page) { code_written(space, page); }
static const struct space_listener listener = {space_code_written, fork_prepare, fork_done};

static void drop_all(struct cache *k) {
  if (k->in.gone) k->in.gone(k->v, ~(gpa_t)0);
  for (uint32_t i = 0; i < MAX_PAGES; i++)
    if (k->pages[i].pa) drop(k, i);
}

void cache_sync(struct vcpu *v) {
  struct cache *k = cache_of(v);
  mine = k;
  if (k->epoch != v->c->flush_epoch) {
    k->epoch = v->c->flush_epoch;
    forget_virtual(k);
  }
  if (likely(!__atomic_load_n(&k->nqueue, __ATOMIC_ACQUIRE))) return;
  pthread_mutex_lock(&k->lock);
  if (k->nqueue > QUEUE) drop_all(k);
  else
    for (unsigned n = 0; n < k->nqueue; n++) invalidate(k, k->queue[n]);
  k->nqueue = 0;
  pthread_mutex_unlock(&k->lock);
}

bool interp_source(struct vcpu *v, const struct insn *d, gpa_t *page) {
  struct cache *k = cache_of(v);
  if (k->in.win == k->no_slots || (size_t)((const char *)d - k->in.win) >= k->win_bytes) return false;
  *page = k->pages[(size_t)(k->in.win - k->arena) / k->win_bytes].pa & ~(gpa_t)1;
  return true;
}

bool interp_crosses(struct vcpu *v, const struct insn *d) {
  struct cache *k = cache_of(v);
  const gva_t page = v->pc & GUEST_PAGE_MASK;
  if (!k->bytes || k->in.win == k->no_slots || v->pc + d->len <= page + GUEST_PAGE_SIZE) return false;
  const uint32_t i = find(k, page | 1), next = find(k, (page + GUEST_PAGE_SIZE) | 1);
  return i != NO_PAGE && k->pages[i].marked && next != NO_PAGE && k->pages[next].marked;
}

void interp_fence_i(struct vcpu *v) {
  if (!cache_of(v)) return; /* another kind of engine */
  cache_sync(v);
  if (v->c->space) space_fence(v->c->space);
}

void interp_flush(struct vcpu *v) {
  struct cache *k = cache_of(v);
  drop_all(k);
  forget_virtual(k);
}

struct interp_usage interp_usage(struct vcpu *v) {
  struct cache *k = cache_of(v);
  return (struct interp_usage){k->npages, k->max_pages, k->ninsns, k->max_insns};
}

void interp_limit(struct vcpu *v, unsigned max_pages, uint64_t max_insns) {
  struct cache *k = cache_of(v);
  k->max_pages = max_pages < 1 ? 1 : max_pages > MAX_PAGES ? MAX_PAGES : max_pages;
  k->max_insns = max_insns < 1 ? 1 : max_insns;
  while (k->npages > k->max_pages || (k->ninsns > k->max_insns && k->npages)) evict_one(k, NO_PAGE);
}

int cache_create(struct vcpu *v) {
  const struct isa *isa = v->c->isa;
  assert(isa->insn_size % 8 == 0 && isa->insn_max <= MAX_INSN_BYTES);
  const unsigned nslots = (unsigned)GUEST_PAGE_SIZE / isa->insn_unit;
  const size_t slots = slot_bytes(nslots);
  unsigned cap = 2 * nslots + 2; /* every offset once, and a pseudo-instruction behind each */
  while (slots + (size_t)cap * isa->insn_size > UINT16_MAX * (size_t)8)
    cap -= cap / 8; /* what a slot can say */
  const size_t win_bytes = whole_pages(slots + (size_t)cap * isa->insn_size);
  /* All in one mapping, of which only what is used costs anything. */
  const size_t pages_at = whole_pages(sizeof(struct cache)),
               cross_at = pages_at + MAX_PAGES * sizeof(struct page),
               none_at = cross_at + CROSS * 2 * (size_t)isa->insn_size,
               bytes_at = whole_pages(none_at + slots), arena_at = bytes_at + GUEST_PAGE_SIZE,
               size = arena_at + MAX_PAGES * win_bytes;
  char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return -ENOMEM;
  struct cache *k = (struct cache *)(void *)base;
  k->v = v;
  k->unit = isa->insn_unit;
  k->size = isa->insn_size;
  k->nslots = nslots;
  k->cap = cap;
  k->win_bytes = win_bytes;
  k->mapped = size;
  k->pages = (struct page *)(void *)(base + pages_at);
  k->cross_buf = base + cross_at;
  k->no_slots = base + none_at;
  k->arena = base + arena_at;
  k->in.win_bytes = k->win_bytes;
  struct space *const space = v->c->space;
  k->memory = space ? (void *)space : (void *)v->c->phys;
  const void *const *(*labels)(void) = space ? isa->labels_direct : isa->labels;
  k->labels = (space ? isa->run_direct : isa->run) && labels ? labels() : NULL;
  k->lookup = k->labels ? k->labels[DISP_LOOKUP] : NULL;
  k->max_pages = MAX_PAGES;
  k->max_insns = MAX_INSNS;
  k->epoch = v->c->flush_epoch;
  if (space) k->bytes = (uint8_t *)base + bytes_at;
  k->free = NO_PAGE;
  for (unsigned i = 0; i < CROSS; i++)
    k->cross[i].insn = (struct insn *)(k->cross_buf + (size_t)i * 2 * k->size);
  pthread_mutex_init(&k->lock, NULL);
  v->c->engine = k;
  forget_virtual(k);
  pthread_mutex_lock(&all_lock);
  k->link = all;
  all = k;
  pthread_mutex_unlock(&all_lock);
  if (space) space_listen(space, &listener);
  else phys_set_code_listener(v->c->phys, code_written, v->c->phys);
  return 0;
}

void cache_destroy(struct vcpu *v) {
  struct cache *k = cache_of(v);
  if (!k) return;
  pthread_mutex_lock(&all_lock);
  struct cache **at = &all;
  while (*at && *at != k) at = &(*at)->link;
  if (*at) *at = k->link; /* else a fork forgot it */
  pthread_mutex_unlock(&all_lock);
  if (mine == k) mine = NULL;
  pthread_mutex_destroy(&k->lock);
  munmap(k, k->mapped);
  v->c->engine = NULL;
}
