/* mremap and madvise on the address space at identity. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "mem/space_int.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* The mapping at `from` has been moved by the host: the table follows. `keep`: its source stays, empty. */
static void moved(struct space *s, gva_t from, uint64_t old_len, gva_t to, uint64_t new_len, bool keep) {
  struct mapping m = *space_find(s, from);
  if (m.file) m.file->refs++;
  m.off += m.file ? from - m.start : 0;
  if (old_len && !keep) {
    space_split(s, from, from + (old_len - 1));
    space_forget(s, from, from + (old_len - 1));
  }
  m.start = to;
  m.last = to + (new_len - 1);
  space_add(s, m);
  space_merge(s, m.start, m.last);
}

/* With the rights that [from, from + old) has, to a place of new_len bytes that the table says is free. */
static int64_t move(struct space *s, gva_t from, uint64_t old_len, uint64_t new_len, int flags, gva_t to) {
  int r = space_claim(s, to, to + (new_len - 1)); /* the host must not replace what is not ours */
  if (r) return r;
  void *p = mremap(space_host(from), old_len, new_len,
                   MREMAP_MAYMOVE | MREMAP_FIXED | (flags & MREMAP_DONTUNMAP), space_host(to));
  if (p == MAP_FAILED) {
    r = -errno;
    munmap(space_host(to), new_len);
    return r;
  }
  moved(s, from, old_len, to, new_len, flags & MREMAP_DONTUNMAP);
  return (int64_t)to;
}

static int64_t shrink(struct space *s, gva_t at, uint64_t old_len, uint64_t new_len) {
  space_split(s, at + new_len, at + (old_len - 1));
  int r = space_drop(s, at + new_len, at + (old_len - 1));
  return r ? r : (int64_t)at;
}

static bool grow(struct space *s, gva_t at, uint64_t old_len, uint64_t new_len) {
  const gva_t end = at + old_len, last = at + (new_len - 1);
  struct mapping *m = space_find(s, at);
  const size_t i = space_lower(s, end);
  if (m->last != end - 1 || last >= s->hi || last < at || (i < s->n && s->map[i].start <= last)) return false;
  if (mremap(space_host(at), old_len, new_len, 0) == MAP_FAILED) return false;
  m->last = last;
  space_merge(s, at, last);
  return true;
}

static int64_t remap(struct space *s, gva_t at, uint64_t old_len, uint64_t new_len, int flags, gva_t to) {
  const struct mapping *m = space_find(s, at);
  int r = space_reserve(s);
  if (r) return r;
  if (!(m = space_find(s, at)) || (old_len && m->last - at < old_len - 1)) return -EFAULT;
  if (!old_len && !m->shared) return -EINVAL;
  if (old_len) space_code_clear(s, at, at + (old_len - 1), true); /* also joins what the host had to split */
  if (flags & MREMAP_FIXED) {
    if (to < s->lo) return -EPERM;
    space_split(s, to, to + (new_len - 1));
    if ((r = space_drop(s, to, to + (new_len - 1)))) return r;
    if (old_len > new_len) {
      int64_t t = shrink(s, at, old_len, new_len);
      if (t < 0) return t;
      old_len = new_len;
    }
    return move(s, at, old_len, new_len, flags, to);
  }
  if (old_len && !(flags & MREMAP_DONTUNMAP)) {
    if (new_len == old_len) return (int64_t)at;
    if (new_len < old_len) return shrink(s, at, old_len, new_len);
    if (grow(s, at, old_len, new_len)) return (int64_t)at;
  }
  if (!(flags & MREMAP_MAYMOVE)) return -ENOMEM;
  for (gva_t below = s->hi; (to = space_gap(s, below, new_len, GUEST_PAGE_SIZE)); below = to) {
    int64_t t = move(s, at, old_len, new_len, flags, to);
    if (t != -ENOMEM) return t;
  }
  return -ENOMEM;
}

int64_t space_remap(struct space *s, gva_t at, uint64_t old_len, uint64_t new_len, int flags, gva_t to) {
  const uint64_t old_size = SPACE_PAGE_UP(old_len), new_size = SPACE_PAGE_UP(new_len);
  if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || at & ~GUEST_PAGE_MASK || !new_size ||
      old_size < old_len)
    return -EINVAL;
  if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP && old_size != new_size) return -EINVAL;
  if (new_size > s->hi || old_size > s->hi) return new_size > s->hi ? -ENOMEM : -EFAULT;
  if (at > s->hi - old_size) return -EFAULT;
  if (flags & MREMAP_FIXED &&
      (to & ~GUEST_PAGE_MASK || to > s->hi - new_size || (to < at + old_size && at < to + new_size)))
    return -EINVAL;
  pthread_mutex_lock(&s->lock);
  int64_t r = remap(s, at, old_size, new_size, flags, to);
  pthread_mutex_unlock(&s->lock);
  return r;
}

int space_advise(struct space *s, gva_t at, uint64_t len, int advice) {
  const uint64_t size = SPACE_PAGE_UP(len);
  int r = 0;
  if (at & ~GUEST_PAGE_MASK || size < len) return -EINVAL;
  if (advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE) return -EPERM;
  if (madvise(NULL, 0, advice)) return -errno; /* is it a known one? */
  if (!size) return 0;
  if (size > s->hi || at > s->hi - size) return -ENOMEM;
  const gva_t last = at + (size - 1);
  pthread_mutex_lock(&s->lock);
  const bool whole = space_whole(s, at, last);
  space_code_clear(s, at, last, true); /* most advice that matters changes bytes */
  for (size_t i = space_lower(s, at); !r && i < s->n && s->map[i].start <= last; i++) {
    const gva_t from = s->map[i].start > at ? s->map[i].start : at,
                to = s->map[i].last < last ? s->map[i].last : last;
    if (madvise(space_host(from), to - from + 1, advice)) r = -errno;
  }
  pthread_mutex_unlock(&s->lock);
  return r ? r : whole ? 0 : -ENOMEM;
}
