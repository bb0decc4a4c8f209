/* In-memory snapshots of RAM (contract: phys.h), copy on write at the granularity of guest pages, through the write hook.
 *
 * Per snapshot and page: a reference to a saved copy, or NULL while RAM still holds what it held then. Per page, `now` is
 * the copy that equals RAM, if there is one; then no snapshot has NULL there, for taking a snapshot takes that copy. */
#define _GNU_SOURCE /* SEEK_DATA */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/vcpu.h"
#include "mem/phys_int.h"
#include "mem/tlb.h"

struct snap_page {
  uint32_t refs;
  uint8_t bytes[GUEST_PAGE_SIZE];
};

struct phys_snap {
  struct phys_snap *next;
  unsigned nregions;
  struct snap_page ***page; /* [region][page] */
};

static size_t npages(const struct region *r) { return r->size >> GUEST_PAGE_BITS; }
static size_t words(const struct region *r) { return (npages(r) + 63) / 64; }

static void drop(struct snap_page **at) {
  if (*at && !--(*at)->refs) free(*at);
  *at = NULL;
}

static unsigned index_of(const struct phys *p, const struct region *r) {
  unsigned k = 0;
  while (p->region[k] != r) k++;
  return k;
}

/* Memory may be short where nothing can be reported: then the snapshot is marked lost by pointing to itself. */
static struct snap_page lost;

void snap_save(struct phys *p, struct region *r, uint64_t i) {
  struct snap_page *copy = NULL;
  unsigned k = index_of(p, r);
  r->armed[i / 64] &= ~(UINT64_C(1) << (i & 63));
  drop(&r->now[i]);
  for (struct phys_snap *s = p->snaps; s; s = s->next) {
    if (s->page[k][i]) continue;
    if (!copy) {
      copy = malloc(sizeof *copy);
      if (copy) {
        copy->refs = 0;
        memcpy(copy->bytes, r->host + (i << GUEST_PAGE_BITS), GUEST_PAGE_SIZE);
      } else {
        copy = &lost;
      }
    }
    copy->refs++;
    s->page[k][i] = copy;
  }
}

void snap_region_free(struct region *r) {
  for (size_t i = 0; r->now && i < npages(r); i++) drop(&r->now[i]);
  free(r->now);
  free(r->armed);
}

static void revoke_writes(struct phys *p) {
  for (unsigned i = 0; i < p->nvcpus; i++) tlb_revoke_write(p->vcpu[i]->tlb, NULL);
}

struct phys_snap *phys_snap_take(struct phys *p) {
  struct phys_snap *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  lost.refs = UINT32_MAX / 2; /* never freed */
  s->page = calloc(p->nregions, sizeof *s->page);
  if (!s->page) goto fail;
  s->nregions = p->nregions;
  for (unsigned k = 0; k < p->nregions; k++) {
    struct region *r = p->region[k];
    if (!r->host) continue;
    if (!r->armed && !(r->armed = calloc(words(r), sizeof *r->armed))) goto fail;
    if (!r->now && !(r->now = calloc(npages(r), sizeof(void *)))) goto fail;
    s->page[k] = calloc(npages(r), sizeof(void *));
    if (!s->page[k]) goto fail;
    for (size_t i = 0; i < npages(r); i++) {
      if (!r->now[i]) continue;
      s->page[k][i] = r->now[i];
      r->now[i]->refs++;
    }
    memset(r->armed, 0xff, words(r) * sizeof *r->armed);
  }
  s->next = p->snaps;
  p->snaps = s;
  revoke_writes(p);
  return s;
fail:
  phys_snap_free(p, s);
  return NULL;
}

int phys_snap_restore(struct phys *p, struct phys_snap *s) {
  for (unsigned k = 0; k < s->nregions; k++)
    for (size_t i = 0; s->page[k] && i < npages(p->region[k]); i++)
      if (s->page[k][i] == &lost) return -ENOMEM;
  for (unsigned k = 0; k < s->nregions; k++) {
    struct region *r = p->region[k];
    for (size_t i = 0; s->page[k] && i < npages(r); i++) {
      struct snap_page *want = s->page[k][i];
      if (!want || want == r->now[i]) continue;
      uint64_t bit = UINT64_C(1) << (i & 63);
      phys_hook(p, r, r->base + (i << GUEST_PAGE_BITS)); /* saves it for others, drops decoded code */
      memcpy(r->host + (i << GUEST_PAGE_BITS), want->bytes, GUEST_PAGE_SIZE);
      drop(&r->now[i]);
      r->now[i] = want;
      want->refs++;
      r->armed[i / 64] |= bit;
    }
  }
  revoke_writes(p);
  return 0;
}

void phys_snap_free(struct phys *p, struct phys_snap *s) {
  if (!s) return;
  for (struct phys_snap **at = &p->snaps; *at; at = &(*at)->next)
    if (*at == s) {
      *at = s->next;
      break;
    }
  for (unsigned k = 0; s->page && k < s->nregions; k++) {
    for (size_t i = 0; s->page[k] && i < npages(p->region[k]); i++) drop(&s->page[k][i]);
    free(s->page[k]);
  }
  free(s->page);
  free(s);
}

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9e3779b97f4a7c15u;
  return h ^ h >> 32;
}

/* Pages the host never had to provide are not touched: asking the memory object for its data skips them. */
uint64_t phys_hash(struct phys *p) {
  uint64_t h = 1;
  for (unsigned k = 0; k < p->nregions; k++) {
    const struct region *r = p->region[k];
    off_t at = 0;
    while (r->host && (at = lseek(r->fd, at, SEEK_DATA)) >= 0 && (uint64_t)at < r->size) {
      off_t end = lseek(r->fd, at, SEEK_HOLE);
      if (end < 0 || (uint64_t)end > r->size) end = (off_t)r->size;
      for (at &= ~(off_t)4095; at < end; at += GUEST_PAGE_SIZE) {
        const uint64_t *w = (const uint64_t *)(r->host + at);
        uint64_t any = 0, sum = mix(1, r->base + (uint64_t)at);
        for (unsigned i = 0; i < GUEST_PAGE_SIZE / 8; i++) {
          any |= w[i];
          sum = mix(sum, w[i]);
        }
        if (any) h = mix(h, sum);
      }
    }
  }
  return h;
}
