/* System calls about the machine in which Isomer takes part. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/types.h"
#include "mem/space.h"
#include "user/call.h"

enum { UTS_FIELD = 65, UTS_FIELDS = 6 };

int64_t call_uname(struct user_thread *t, const uint64_t arg[6]) {
  char out[UTS_FIELDS][UTS_FIELD] = {0};
  struct utsname u;
  if (uname(&u)) return -errno;
  const char *fields[UTS_FIELDS] = {u.sysname, u.nodename,           u.release,
                                    u.version, t->process->abi->uts, u.domainname};
  for (unsigned i = 0; i < UTS_FIELDS; i++) strncpy(out[i], fields[i], UTS_FIELD - 1);
  return space_write(t->process->space, arg[0], out, sizeof out);
}

/* Only what asks and what changes nothing: other personalities would change the address space of Isomer itself. */
int64_t call_personality(struct user_thread *t, const uint64_t arg[6]) {
  enum { ASK = 0xffffffff, ADDR_NO_RANDOMIZE_ = 0x0040000 };
  const uint32_t want = (uint32_t)arg[0];
  const int64_t old = t->process->personality;
  if (want == (uint32_t)ASK) return old;
  if (want & ~(uint32_t)ADDR_NO_RANDOMIZE_) return -EINVAL;
  t->process->personality = want;
  return old;
}

/* Code that was written is noticed when it is written, unless by another address. */
int64_t call_riscv_flush_icache(struct user_thread *t, const uint64_t arg[6]) {
  if (arg[2] & ~UINT64_C(1)) return -EINVAL;
  space_fence(t->process->space);
  return 0;
}
