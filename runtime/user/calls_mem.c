/* System calls on the address space: the break and anonymous mappings. Files cannot be mapped yet. */
#include <errno.h>

#include "mem/flat.h"
#include "user/calls.h"

/* include/uapi/asm-generic/mman*.h; x86_64 has the same. */
enum { PROT_READ_ = 1, PROT_WRITE_ = 2, PROT_EXEC_ = 4 };
enum {
  MAP_SHARED_ = 1,
  MAP_PRIVATE_ = 2,
  MAP_TYPE_ = 0xf,
  MAP_FIXED_ = 0x10,
  MAP_ANONYMOUS_ = 0x20,
  MAP_FIXED_NOREPLACE_ = 0x100000
};
#define PAGE_UP(x) (((x) + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK)

/* -EINVAL for rights that do not exist. Writable and executable memory can be read too, as hosts have it. */
static int rights(uint64_t prot) {
  if (prot & ~(uint64_t)(PROT_READ_ | PROT_WRITE_ | PROT_EXEC_)) return -EINVAL;
  return (int)((prot & (PROT_READ_ | PROT_WRITE_) ? FLAT_R : 0) | (prot & PROT_WRITE_ ? FLAT_W : 0) |
               (prot & PROT_EXEC_ ? FLAT_X | FLAT_R : 0));
}

/* Returns the break, the old one when it cannot be what was asked for. */
int64_t call_brk(struct user_thread *t, const uint64_t arg[6]) {
  gva_t want = arg[0], old = PAGE_UP(t->process->brk), end = PAGE_UP(want);
  if (want < t->process->brk_start || want >= USER_END) return (int64_t)t->process->brk;
  if (end > old && flat_map(t->process->flat, old, end - old, FLAT_R | FLAT_W))
    return (int64_t)t->process->brk;
  if (end < old && flat_unmap(t->process->flat, end, old - end)) return (int64_t)t->process->brk;
  t->process->brk = want;
  return (int64_t)want;
}

int64_t call_mmap(struct user_thread *t, const uint64_t arg[6]) {
  gva_t at = arg[0];
  uint64_t len = PAGE_UP(arg[1]), flags = arg[3];
  int prot = rights(arg[2]);
  bool fixed = flags & (MAP_FIXED_ | MAP_FIXED_NOREPLACE_);
  if (prot < 0) return prot;
  if (!arg[1] || ((flags & MAP_TYPE_) != MAP_PRIVATE_ && (flags & MAP_TYPE_) != MAP_SHARED_)) return -EINVAL;
  if (!(flags & MAP_ANONYMOUS_)) return -ENODEV;
  if (!len || len > USER_END) return -ENOMEM;
  if (fixed) {
    if (at & ~GUEST_PAGE_MASK) return -EINVAL;
    if (at < USER_START) return -EPERM;
    if (at > USER_END - len) return -ENOMEM;
    if (!(flags & MAP_FIXED_NOREPLACE_)) {
      int r = flat_unmap(t->process->flat, at, len);
      if (r) return r;
    }
  } else {
    at = PAGE_UP(at); /* a hint: taken when it is free */
    if (at < USER_START || at > USER_END - len || flat_gap(t->process->flat, at, at + len, len) != at)
      at = flat_gap(t->process->flat, USER_START, t->process->map_top, len);
    if (!at) return -ENOMEM;
  }
  int r = flat_map(t->process->flat, at, len, (unsigned)prot);
  return r ? r : (int64_t)at;
}

static bool range(gva_t at, uint64_t *len) {
  *len = PAGE_UP(*len);
  return !(at & ~GUEST_PAGE_MASK) && *len <= USER_END && at <= USER_END - *len;
}

int64_t call_munmap(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t len = arg[1];
  if (!arg[1] || arg[1] > USER_END || !range(arg[0], &len)) return -EINVAL;
  return flat_unmap(t->process->flat, arg[0], len);
}

int64_t call_mprotect(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t len = arg[1];
  int prot = rights(arg[2]);
  if (prot < 0 || arg[0] & ~GUEST_PAGE_MASK) return -EINVAL;
  if (!arg[1]) return 0;
  if (arg[1] > USER_END || !range(arg[0], &len)) return -ENOMEM;
  return flat_protect(t->process->flat, arg[0], len, (unsigned)prot);
}
