/* The address space at identity: the table of mappings, and mmap, munmap and mprotect on it. Moving and advice are
 * space_remap.c, accesses and code pages space_access.c. */
#define _GNU_SOURCE
#include "mem/space_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "os/fault.h"

#define CODE_BYTES ((size_t)1 << (SPACE_BITS - GUEST_PAGE_BITS - 3))
#define LARGE \
  (UINT64_C(2) << 20) /* mappings from this size on start at multiples of it, for the host's huge pages */
#define TRIES 65536u  /* places that turn out to be taken by something that is not the guest's */

/* Bits that only some hosts' headers have. */
enum { MAP_32BIT_ = 0x40, PROT_SEM_ = 8 };

/* Our own code, data, heap and stack lie above the guest: this is a PIE, and the kernel maps from the top. */
static bool out_of_the_way(const struct space *s, gva_t hi) {
  const void *const mine[] = {(const void *)(uintptr_t)space_new, &os_fault_last, s, s->code, &mine};
  for (size_t i = 0; i < ARRAY_SIZE(mine); i++)
    if ((gva_t)(uintptr_t)mine[i] < hi) return false;
  return true;
}

/* Keeps SPACE_GUARD. Taken once: it stays when the space goes. */
static bool guard_above(void) {
  static void *taken;
  void *const at = space_host((gva_t)1 << SPACE_BITS);
  if (!taken)
    taken = mmap(at, SPACE_GUARD, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  return taken == at;
}

bool space_guarded(const struct space *s) { return s->has_guard; }

struct space *space_new(gva_t lo, gva_t hi) {
  struct space *s = calloc(1, sizeof *s);
  if (!s) goto fail;
  s->code =
      mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (s->code == MAP_FAILED) s->code = NULL;
  if (!s->code || hi > (gva_t)1 << SPACE_BITS) goto fail;
  if (!out_of_the_way(s, hi)) {
    log_error("cannot create the user address space: Isomer itself lies below 0x%llx, where the program "
              "goes; build it as "
              "a position-independent executable and run it without `setarch -L`",
              (unsigned long long)hi);
    space_free(s);
    return NULL;
  }
  s->has_guard = guard_above();
  os_guest_room(hi);
  int r = os_fault_install();
  if (r) {
    log_error("cannot handle memory faults: %s", strerror(-r));
    space_free(s);
    return NULL;
  }
  pthread_mutex_init(&s->lock, NULL);
  s->lo = lo;
  s->hi = s->top = hi;
  s->code_lo = hi;
  return s;
fail:
  log_error("cannot create the user address space: out of memory");
  space_free(s);
  return NULL;
}

void space_free(struct space *s) {
  if (!s) return;
  space_drop(s, s->lo, s->hi);
  if (s->code) munmap(s->code, CODE_BYTES);
  free(s->map);
  free(s);
}

void space_listen(struct space *s, const struct space_listener *l) {
  pthread_mutex_lock(&s->lock);
  s->listener = l;
  pthread_mutex_unlock(&s->lock);
}

void space_set_top(struct space *s, gva_t top) {
  pthread_mutex_lock(&s->lock);
  s->top = top < s->hi ? top & GUEST_PAGE_MASK : s->hi;
  pthread_mutex_unlock(&s->lock);
}

/* ---- the table ---- */

size_t space_lower(const struct space *s, gva_t va) {
  size_t lo = 0, hi = s->n;
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    if (s->map[mid].last < va) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

struct mapping *space_find(const struct space *s, gva_t va) {
  size_t i = space_lower(s, va);
  return i < s->n && s->map[i].start <= va ? &s->map[i] : NULL;
}

bool space_whole(const struct space *s, gva_t first, gva_t last) {
  for (size_t i = space_lower(s, first); i < s->n && s->map[i].start <= first; i++) {
    if (s->map[i].last >= last) return true;
    first = s->map[i].last + 1;
  }
  return false;
}

/* One change splits at most four times and adds one. */
int space_reserve(struct space *s) {
  if (s->n + 6 <= s->room) return 0;
  size_t room = s->room ? 2 * s->room : 32;
  struct mapping *grown = realloc(s->map, room * sizeof *grown);
  if (!grown) return -ENOMEM;
  s->map = grown;
  s->room = room;
  return 0;
}

static void insert(struct space *s, size_t i, struct mapping m) {
  memmove(&s->map[i + 1], &s->map[i], (s->n - i) * sizeof m);
  s->map[i] = m;
  s->n++;
}

static void split(struct space *s, gva_t at) {
  size_t i = space_lower(s, at);
  if (i >= s->n || s->map[i].start >= at) return;
  insert(s, i, s->map[i]);
  s->map[i].last = at - 1;
  struct mapping *m = &s->map[i + 1];
  if (m->file) {
    m->file->refs++;
    m->off += at - m->start;
  }
  m->start = at;
}

void space_split(struct space *s, gva_t first, gva_t last) {
  split(s, first);
  split(s, last + 1);
}

static void put_file(struct space_file *f) {
  if (f && !--f->refs) free(f);
}

void space_forget(struct space *s, gva_t first, gva_t last) {
  size_t i = space_lower(s, first), k = i;
  for (; k < s->n && s->map[k].start <= last; k++) put_file(s->map[k].file);
  memmove(&s->map[i], &s->map[k], (s->n - k) * sizeof *s->map);
  s->n -= k - i;
}

void space_add(struct space *s, struct mapping m) { insert(s, space_lower(s, m.start), m); }

static bool alike(const struct mapping *a, const struct mapping *b) {
  return a->last + 1 == b->start && a->prot == b->prot && a->shared == b->shared && a->file == b->file &&
         a->name == b->name && (!a->file || a->off + (b->start - a->start) == b->off);
}

void space_merge(struct space *s, gva_t first, gva_t last) {
  for (size_t i = space_lower(s, first ? first - 1 : 0); i + 1 < s->n && s->map[i].start <= last;) {
    struct mapping *m = &s->map[i];
    if (!alike(&m[0], &m[1])) {
      i++;
      continue;
    }
    m[0].last = m[1].last;
    put_file(m[1].file);
    memmove(&m[1], &m[2], (s->n - i - 2) * sizeof *m);
    s->n--;
  }
}

gva_t space_gap(const struct space *s, gva_t below, uint64_t len, uint64_t align) {
  gva_t hi = below < s->top ? below : s->top;
  for (size_t i = space_lower(s, hi);;
       i--) { /* mapping i and those above lie behind hi or have been passed */
    if (i < s->n && s->map[i].start < hi) hi = s->map[i].start;
    if (hi < s->lo || hi - s->lo < len) return 0;
    const gva_t at = (hi - len) & ~(align - 1), floor = i ? s->map[i - 1].last + 1 : s->lo;
    if (at >= floor && at >= s->lo && floor < hi) return at;
    if (!i) return 0;
  }
}

/* The next hole of [at, last]: its start, with *end behind it; last + 1 when there is none. */
static gva_t hole(const struct space *s, gva_t at, gva_t last, gva_t *end) {
  size_t i = space_lower(s, at);
  for (; i < s->n && s->map[i].start <= at && at <= last; i++) at = s->map[i].last + 1;
  *end = i < s->n && s->map[i].start <= last ? s->map[i].start : last + 1;
  return at > last ? last + 1 : at;
}

void space_unclaim(struct space *s, gva_t first, gva_t last) {
  for (gva_t end; (first = hole(s, first, last, &end)) <= last; first = end)
    munmap(space_host(first), end - first);
}

int space_claim(struct space *s, gva_t first, gva_t last) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  gva_t at = first;
  for (gva_t end; (at = hole(s, at, last, &end)) <= last; at = end) {
    if (mmap(space_host(at), end - at, PROT_NONE, flags, -1, 0) != MAP_FAILED) continue;
    if (at > first) space_unclaim(s, first, at - 1);
    return -ENOMEM;
  }
  return 0;
}

/* Nothing has changed when the first call of the host fails; it runs out of memory for a hole in the middle, so there is
 * one call then. */
int space_drop(struct space *s, gva_t first, gva_t last) {
  space_code_clear(s, first, last, true);
  gva_t at = 0, end = 0;
  for (size_t i = space_lower(s, first);; i++) {
    const struct mapping *m = i < s->n && s->map[i].start <= last ? &s->map[i] : NULL;
    if (m && m->start == end) {
      end = m->last + 1;
      continue;
    }
    if (end && munmap(space_host(at), end - at)) return -errno;
    if (!m) break;
    at = m->start;
    end = m->last + 1;
  }
  space_forget(s, first, last);
  return 0;
}

/* ---- mmap ---- */

int space_host_prot(unsigned prot) {
  return (prot ? PROT_READ : PROT_NONE) | (prot & SPACE_W ? PROT_WRITE : 0);
}

static unsigned rights(int prot) {
  return (prot & PROT_READ ? SPACE_R : 0) | (prot & PROT_WRITE ? SPACE_W : 0) |
         (prot & PROT_EXEC ? SPACE_X : 0);
}

/* The file behind fd, shared with other mappings of it that are in the table. NULL: out of memory. */
static struct space_file *get_file(struct space *s, int fd) {
  struct stat st;
  char link[32], path[sizeof((struct space_info *)0)->name] = "";
  if (fstat(fd, &st)) return NULL;
  for (size_t i = s->n; i-- > 0;) {
    struct space_file *f = s->map[i].file;
    if (f && f->dev == st.st_dev && f->ino == st.st_ino) {
      f->refs++;
      return f;
    }
  }
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) n = 0;
  struct space_file *f = malloc(sizeof *f + (size_t)n + 1);
  if (!f) return NULL;
  *f = (struct space_file){.refs = 1, .dev = st.st_dev, .ino = st.st_ino};
  memcpy(f->name, path, (size_t)n);
  f->name[n] = 0;
  return f;
}

static int64_t host_map(gva_t at, uint64_t len, unsigned prot, int flags, int fd, uint64_t off) {
  void *p = mmap(space_host(at), len, space_host_prot(prot), flags, fd, (off_t)off);
  if (p == MAP_FAILED) return -errno;
  if (p == space_host(at)) return (int64_t)at;
  munmap(p, len); /* a kernel that does not know MAP_FIXED_NOREPLACE */
  return -EEXIST;
}

static int64_t map_fixed(struct space *s, gva_t at, uint64_t len, unsigned prot, int flags, int fd,
                         uint64_t off, bool replace) {
  const gva_t last = at + (len - 1);
  const size_t i = space_lower(s, at);
  const bool taken = i < s->n && s->map[i].start <= last;
  if (!taken) {
    int64_t r = host_map(at, len, prot, flags | MAP_FIXED_NOREPLACE, fd, off);
    return r == -EEXIST && replace ? -ENOMEM : r;
  }
  if (!replace) return -EEXIST;
  const gva_t probe = s->map[i].start > at ? s->map[i].start : at;
  int r = space_claim(s, at, last);
  if (r) return r;
  space_code_clear(s, at, last, true);
  int64_t to = host_map(at, len, prot, flags | MAP_FIXED, fd, off);
  unsigned char in;
  if (to < 0 && !mincore(space_host(probe), GUEST_PAGE_SIZE, &in)) { /* refused before anything changed */
    space_unclaim(s, at, last);
    return to;
  }
  if (to < 0) munmap(space_host(at), len); /* kernels differ in what is left then */
  space_split(s, at, last);
  space_forget(s, at, last);
  return to;
}

static int64_t map_anywhere(struct space *s, gva_t hint, uint64_t len, unsigned prot, int flags, int fd,
                            uint64_t off, bool low) {
  const gva_t want = SPACE_PAGE_UP(hint);
  if (hint && want >= s->lo && want < s->hi && len <= s->hi - want) {
    const size_t i = space_lower(s, want);
    if (i >= s->n || s->map[i].start > want + (len - 1)) {
      int64_t r = host_map(want, len, prot, flags | MAP_FIXED_NOREPLACE, fd, off);
      if (r != -EEXIST) return r;
    }
  }
  const uint64_t align = len >= LARGE ? LARGE : GUEST_PAGE_SIZE;
  gva_t below = low ? UINT64_C(1) << 31 : s->hi;
  for (unsigned n = 0; n < TRIES; n++) {
    gva_t at = space_gap(s, below, len, align);
    if (!at) at = space_gap(s, below, len, GUEST_PAGE_SIZE);
    if (!at) return -ENOMEM;
    int64_t r = host_map(at, len, prot, flags | MAP_FIXED_NOREPLACE, fd, off);
    if (r != -EEXIST) return r;
    below = at;
  }
  return -ENOMEM;
}

int64_t space_map(struct space *s, gva_t at, uint64_t len, int prot, int flags, int fd, uint64_t off) {
  const bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE), replace = !(flags & MAP_FIXED_NOREPLACE);
  const bool anonymous = flags & MAP_ANONYMOUS, low = flags & MAP_32BIT_;
  const uint64_t size = SPACE_PAGE_UP(len);
  if (!len || off & ~GUEST_PAGE_MASK) return -EINVAL;
  if (!size || size > s->hi || (flags & MAP_HUGETLB)) return -ENOMEM;
  if (off + size < off) return -EOVERFLOW;
  if (flags & MAP_GROWSDOWN) return -EOPNOTSUPP;
  if (fixed && at & ~GUEST_PAGE_MASK) return -EINVAL;
  if (fixed && at > s->hi - size) return -ENOMEM;
  if (fixed && at < s->lo) return -EPERM;
  flags &= ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT_);

  pthread_mutex_lock(&s->lock);
  struct mapping m = {.prot = (uint8_t)rights(prot), .shared = (flags & MAP_TYPE) != MAP_PRIVATE, .off = off};
  int64_t r = space_reserve(s);
  if (r) goto out;
  r = fixed ? map_fixed(s, at, size, m.prot, flags, fd, off, replace)
            : map_anywhere(s, at, size, m.prot, flags, fd, off, low);
  if (r < 0) goto out;
  m.start = (gva_t)r;
  m.last = m.start + (size - 1);
  if (anonymous) m.off = 0;
  else if (!(m.file = get_file(s, fd))) {
    munmap(space_host(m.start), size);
    r = -ENOMEM;
    goto out;
  }
  space_add(s, m);
  space_merge(s, m.start, m.last);
out:
  pthread_mutex_unlock(&s->lock);
  return r;
}

int space_unmap(struct space *s, gva_t at, uint64_t len) {
  const uint64_t size = SPACE_PAGE_UP(len);
  if (!size || size < len || at & ~GUEST_PAGE_MASK || size > s->hi || at > s->hi - size) return -EINVAL;
  pthread_mutex_lock(&s->lock);
  int r = space_reserve(s);
  if (!r) {
    space_split(s, at, at + (size - 1));
    r = space_drop(s, at, at + (size - 1));
  }
  pthread_mutex_unlock(&s->lock);
  return r;
}

/* As Linux: what comes before a hole, or before what the host refuses, has changed. */
static int protect(struct space *s, gva_t first, gva_t last, unsigned prot) {
  gva_t at = first;
  int r = 0;
  space_split(s, first, last);
  for (size_t i = space_lower(s, first); !r && at <= last; i++) {
    struct mapping *m = i < s->n ? &s->map[i] : NULL;
    if (!m || m->start > at) {
      r = -ENOMEM;
      break;
    }
    if (m->prot != prot) {
      space_code_clear(s, m->start, m->last, false);
      if (mprotect(space_host(m->start), m->last - m->start + 1, space_host_prot(prot))) {
        r = -errno;
        mprotect(space_host(m->start), m->last - m->start + 1, space_host_prot(m->prot));
        break;
      }
      m->prot = (uint8_t)prot;
    }
    at = m->last + 1;
  }
  space_merge(s, first, last);
  return r;
}

int space_protect(struct space *s, gva_t at, uint64_t len, int prot) {
  const uint64_t size = SPACE_PAGE_UP(len);
  if (at & ~GUEST_PAGE_MASK || prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM_)) return -EINVAL;
  if (!len) return 0;
  if (!size || size > s->hi || at > s->hi - size) return -ENOMEM;
  pthread_mutex_lock(&s->lock);
  int r = space_reserve(s);
  if (!r) r = protect(s, at, at + (size - 1), rights(prot));
  pthread_mutex_unlock(&s->lock);
  return r;
}

/* ---- questions ---- */

bool space_next(struct space *s, gva_t at, struct space_info *out) {
  pthread_mutex_lock(&s->lock);
  const size_t i = space_lower(s, at);
  const bool found = i < s->n;
  if (found) {
    const struct mapping *m = &s->map[i];
    *out = (struct space_info){
        .start = m->start, .last = m->last, .prot = m->prot, .shared = m->shared, .off = m->off};
    const char *name = m->file ? m->file->name : m->name ? m->name : "";
    snprintf(out->name, sizeof out->name, "%s", name);
    if (m->file) {
      out->dev = m->file->dev;
      out->ino = m->file->ino;
    }
  }
  pthread_mutex_unlock(&s->lock);
  return found;
}

void space_name(struct space *s, gva_t at, const char *name) {
  pthread_mutex_lock(&s->lock);
  struct mapping *m = space_find(s, at);
  if (m && !m->file) {
    m->name = name;
    space_merge(s, m->start, m->last);
  }
  pthread_mutex_unlock(&s->lock);
}
