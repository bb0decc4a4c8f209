/* The system calls of user mode: one table of calls, one of numbers per ABI. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mem/flat.h"
#include "mem/phys.h"
#include "user/user.h"

typedef int64_t call_fn(struct user_process *p, const uint64_t arg[6]);

enum call { CALL_WRITE, CALL_EXIT, CALL_EXIT_GROUP, CALLS };

int user_read(struct user_process *p, gva_t va, void *buf, uint64_t n) {
  if (va + n < va) return -EFAULT;
  for (gva_t page = va & GUEST_PAGE_MASK; page < va + n; page += GUEST_PAGE_SIZE) {
    int prot = flat_prot(p->flat, page);
    if (prot < 0 || !(prot & FLAT_R)) return -EFAULT;
  }
  return phys_read(p->machine->phys, va, buf, n); /* guest virtual = guest physical in user mode */
}

static int64_t call_write(struct user_process *p, const uint64_t arg[6]) {
  char buf[16384];
  uint64_t done = 0, n = arg[2];
  if (n > 0x7ffff000) n = 0x7ffff000; /* as Linux cuts it */
  if (!n) return write((int)arg[0], buf, 0) < 0 ? -errno : 0;
  while (done < n) {
    uint64_t part = n - done < sizeof buf ? n - done : sizeof buf;
    if (user_read(p, arg[1] + done, buf, part)) { /* up to the page that is not there */
      uint64_t room = GUEST_PAGE_SIZE - ((arg[1] + done) & ~GUEST_PAGE_MASK);
      if (room < part) part = room;
      if (user_read(p, arg[1] + done, buf, part)) return done ? (int64_t)done : -EFAULT;
    }
    ssize_t w = write((int)arg[0], buf, part);
    if (w < 0) return done ? (int64_t)done : -errno;
    done += (uint64_t)w;
    if ((uint64_t)w < part) break;
  }
  return (int64_t)done;
}

static int64_t call_exit(struct user_process *p, const uint64_t arg[6]) {
  p->exited = true;
  p->status = (int)(arg[0] & 0xff);
  return 0;
}

static call_fn *const calls[CALLS] = {
    [CALL_WRITE] = call_write,
    [CALL_EXIT] = call_exit,
    [CALL_EXIT_GROUP] = call_exit,
};

/* Numbers: Linux include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl. */
struct user_abi {
  uint16_t machines[4]; /* EM_*, zero-terminated */
  uint16_t number[CALLS];
};
static const struct user_abi abis[] = {
    {{243, 183}, {[CALL_WRITE] = 64, [CALL_EXIT] = 93, [CALL_EXIT_GROUP] = 94}},
    {{62}, {[CALL_WRITE] = 1, [CALL_EXIT] = 60, [CALL_EXIT_GROUP] = 231}},
};

const struct user_abi *user_abi_find(uint16_t machine) {
  for (size_t i = 0; i < ARRAY_SIZE(abis); i++)
    for (const uint16_t *m = abis[i].machines; *m; m++)
      if (*m == machine) return &abis[i];
  return NULL;
}

static int64_t unknown(struct user_process *p, uint64_t nr) {
  for (unsigned i = 0; i < USER_UNKNOWN_CALLS; i++) {
    if (p->unknown[i].count && p->unknown[i].nr != nr) continue;
    p->unknown[i].nr = nr;
    p->unknown[i].count++;
    break;
  }
  return -ENOSYS;
}

int64_t user_call(struct user_process *p, uint64_t nr, const uint64_t arg[6]) {
  for (unsigned i = 0; i < CALLS; i++)
    if (p->abi->number[i] == nr) return calls[i](p, arg);
  return unknown(p, nr);
}
