/* System calls on the address space: the break, mappings and what is asked about them. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/call.h"

#define PAGE_UP(x) (((x) + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK)

static struct space *space(struct user_thread *t) { return t->process->space; }

/* Returns the break, the old one when it cannot be what was asked for. */
int64_t call_brk(struct user_thread *t, const uint64_t arg[6]) {
  struct user_process *p = t->process;
  const gva_t want = arg[0], old = PAGE_UP(p->brk), end = PAGE_UP(want);
  if (want < p->brk_start || want >= USER_END) return (int64_t)p->brk;
  if (end > old) {
    if (space_map(space(t), old, end - old, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) < 0)
      return (int64_t)p->brk;
    space_name(space(t), old, "[heap]");
  }
  if (end < old && space_unmap(space(t), end, old - end)) return (int64_t)p->brk;
  p->brk = want;
  return (int64_t)want;
}

int64_t call_mmap(struct user_thread *t, const uint64_t arg[6]) {
  return space_map(space(t), arg[0], arg[1], (int)arg[2], (int)arg[3], user_fd(t, arg[4]), arg[5]);
}

int64_t call_munmap(struct user_thread *t, const uint64_t arg[6]) {
  return space_unmap(space(t), arg[0], arg[1]);
}

int64_t call_mprotect(struct user_thread *t, const uint64_t arg[6]) {
  return space_protect(space(t), arg[0], arg[1], (int)arg[2]);
}

int64_t call_mremap(struct user_thread *t, const uint64_t arg[6]) {
  return space_remap(space(t), arg[0], arg[1], arg[2], (int)arg[3], arg[4]);
}

int64_t call_madvise(struct user_thread *t, const uint64_t arg[6]) {
  return space_advise(space(t), arg[0], arg[1], (int)arg[2]);
}

/* The rest goes to the host, for addresses that can be the program's. */
static bool outside(struct user_thread *t, gva_t at, uint64_t *len) {
  const uint64_t size = PAGE_UP(*len + (at & ~GUEST_PAGE_MASK));
  if (size < *len || !space_holds(space(t), at & GUEST_PAGE_MASK, size)) return true;
  *len = size;
  return false;
}

static int64_t host(struct user_thread *t, long nr, gva_t at, uint64_t len, uint64_t flags) {
  if (outside(t, at, &len)) return -ENOMEM;
  return syscall(nr, at & GUEST_PAGE_MASK, len, flags) ? -errno : 0;
}

int64_t call_msync(struct user_thread *t, const uint64_t arg[6]) {
  if (arg[0] & ~GUEST_PAGE_MASK) return -EINVAL;
  return host(t, SYS_msync, arg[0], arg[1], arg[2]);
}
int64_t call_mlock(struct user_thread *t, const uint64_t arg[6]) {
  return host(t, SYS_mlock, arg[0], arg[1], 0);
}
int64_t call_mlock2(struct user_thread *t, const uint64_t arg[6]) {
  return host(t, SYS_mlock2, arg[0], arg[1], arg[2]);
}
int64_t call_munlock(struct user_thread *t, const uint64_t arg[6]) {
  return host(t, SYS_munlock, arg[0], arg[1], 0);
}

/* Of the program's mappings only; those to come cannot be locked without Isomer's own. */
static int64_t each_mapping(struct user_thread *t, long nr, uint64_t flags) {
  struct space_info m;
  for (gva_t at = 0; space_next(space(t), at, &m); at = m.last + 1)
    if (syscall(nr, m.start, m.last - m.start + 1, flags)) return -errno;
  return 0;
}

int64_t call_mlockall(struct user_thread *t, const uint64_t arg[6]) {
  if (!arg[0] || arg[0] & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || arg[0] == MCL_ONFAULT)
    return -EINVAL;
  if (arg[0] & MCL_FUTURE) return -EPERM;
  return each_mapping(t, SYS_mlock2, arg[0] & MCL_ONFAULT ? MLOCK_ONFAULT : 0);
}

int64_t call_munlockall(struct user_thread *t, const uint64_t arg[6]) {
  (void)arg;
  return each_mapping(t, SYS_munlock, 0);
}

int64_t call_mincore(struct user_thread *t, const uint64_t arg[6]) {
  unsigned char in[256];
  uint64_t len = arg[1];
  if (arg[0] & ~GUEST_PAGE_MASK) return -EINVAL;
  if (outside(t, arg[0], &len)) return -ENOMEM;
  const uint64_t pages = len / GUEST_PAGE_SIZE;
  for (uint64_t i = 0, n; i < pages; i += n) {
    n = pages - i < sizeof in ? pages - i : sizeof in;
    if (mincore((void *)(uintptr_t)(arg[0] + i * GUEST_PAGE_SIZE), n * GUEST_PAGE_SIZE, in)) return -errno;
    int r = space_write(space(t), arg[2] + i, in, n);
    if (r) return r;
  }
  return 0;
}
