/* System calls about the process, time, limits and the machine. Signals are not delivered to programs, so a mask is only
 * remembered. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core/types.h"
#include "user/calls.h"

enum { SIG_BLOCK_, SIG_UNBLOCK_, SIG_SETMASK_ };
#define SIGKILL_AND_SIGSTOP (UINT64_C(1) << 8 | UINT64_C(1) << 18)
enum { RLIMIT_STACK_ = 3, RLIMITS = 16 }; /* include/uapi/asm-generic/resource.h */
enum { ROBUST_LIST_HEAD = 24, UTS_FIELD = 65, UTS_FIELDS = 6 };

int64_t call_exit(struct user_thread *t, const uint64_t arg[6]) {
  t->process->exited = true;
  t->process->status = (int)(arg[0] & 0xff);
  return 0;
}

int64_t call_exit_group(struct user_thread *t, const uint64_t arg[6]) { return call_exit(t, arg); }

#define IDENTITY(name)                                                \
  int64_t call_##name(struct user_thread *t, const uint64_t arg[6]) { \
    (void)t, (void)arg;                                               \
    return name();                                                    \
  }
IDENTITY(getuid)
IDENTITY(geteuid)
IDENTITY(getgid)
IDENTITY(getegid)

/* There is one thread: the address would be cleared when another ends. */
int64_t call_set_tid_address(struct user_thread *t, const uint64_t arg[6]) {
  (void)t, (void)arg;
  return getpid();
}

/* The list is looked at when a thread dies while others wait, which one thread cannot. */
int64_t call_set_robust_list(struct user_thread *t, const uint64_t arg[6]) {
  (void)t;
  return arg[1] == ROBUST_LIST_HEAD ? 0 : -EINVAL;
}

int64_t call_rt_sigprocmask(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t set = 0, old = t->sigmask;
  if (arg[3] != sizeof set) return -EINVAL;
  if (arg[1]) {
    int r = space_read(t->process->space, arg[1], &set, sizeof set);
    if (r) return r;
    switch ((int)arg[0]) {
    case SIG_BLOCK_: set |= old; break;
    case SIG_UNBLOCK_: set = old & ~set; break;
    case SIG_SETMASK_: break;
    default: return -EINVAL;
    }
    t->sigmask = set & ~SIGKILL_AND_SIGSTOP;
  }
  return arg[2] ? space_write(t->process->space, arg[2], &old, sizeof old) : 0;
}

/* Two 64-bit words in every ABI. Negative numbers name clocks of other processes. */
static int64_t clock_call(struct user_thread *t, const uint64_t arg[6],
                          int fn(clockid_t, struct timespec *)) {
  struct timespec ts;
  if ((int)arg[0] < 0 || fn((clockid_t)arg[0], &ts)) return -EINVAL;
  const int64_t out[2] = {ts.tv_sec, ts.tv_nsec};
  return space_write(t->process->space, arg[1], out, sizeof out);
}

int64_t call_clock_gettime(struct user_thread *t, const uint64_t arg[6]) {
  return clock_call(t, arg, clock_gettime);
}

int64_t call_clock_getres(struct user_thread *t, const uint64_t arg[6]) {
  return arg[1] ? clock_call(t, arg, clock_getres) : (int)arg[0] < 0 ? -EINVAL : 0;
}

int64_t call_getrandom(struct user_thread *t, const uint64_t arg[6]) {
  uint8_t buf[256];
  uint64_t done = 0;
  if (arg[2] & ~(uint64_t)(GRND_NONBLOCK | GRND_RANDOM)) return -EINVAL;
  while (done < arg[1]) {
    uint64_t part = arg[1] - done < sizeof buf ? arg[1] - done : sizeof buf;
    ssize_t n = getrandom(buf, part, (unsigned)arg[2]);
    if (n < 0) return done ? (int64_t)done : -errno;
    if (space_write(t->process->space, arg[0] + done, buf, (uint64_t)n))
      return done ? (int64_t)done : -EFAULT;
    done += (uint64_t)n;
    if ((uint64_t)n < part) break;
  }
  return (int64_t)done;
}

/* Limits of this process, except the stack's, which is as large as it was made. They cannot be changed. */
int64_t call_prlimit64(struct user_thread *t, const uint64_t arg[6]) {
  struct rlimit host;
  if (arg[1] >= RLIMITS) return -EINVAL;
  if ((int)arg[0] && (int)arg[0] != getpid()) return -ESRCH;
  if (arg[2]) return -EPERM;
  if (getrlimit((__rlimit_resource_t)arg[1], &host)) return -errno;
  uint64_t out[2] = {host.rlim_cur, host.rlim_max};
  if (arg[1] == RLIMIT_STACK_) out[0] = USER_STACK_SIZE;
  return arg[3] ? space_write(t->process->space, arg[3], out, sizeof out) : 0;
}

int64_t call_uname(struct user_thread *t, const uint64_t arg[6]) {
  char out[UTS_FIELDS][UTS_FIELD] = {0};
  struct utsname u;
  if (uname(&u)) return -errno;
  const char *fields[UTS_FIELDS] = {u.sysname, u.nodename,           u.release,
                                    u.version, t->process->abi->uts, u.domainname};
  for (unsigned i = 0; i < UTS_FIELDS; i++) strncpy(out[i], fields[i], UTS_FIELD - 1);
  return space_write(t->process->space, arg[0], out, sizeof out);
}
