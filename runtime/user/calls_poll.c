/* System calls that wait for descriptors, some with another signal mask meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>

#include "mem/space.h"
#include "user/call.h"

enum { SIGSET = 8 };

/* host(arg...) with the signal mask at `mask` in the program's memory, which goes into argument `at`; its size follows. */
static int64_t masked(struct user_thread *t, long nr, uint64_t arg[6], unsigned at, gva_t mask,
                      uint64_t size) {
  uint64_t set, host;
  if (!mask) return user_host(t, nr, arg);
  if (size != SIGSET) return -EINVAL;
  int r = space_read(t->process->space, mask, &set, sizeof set);
  if (r) return r;
  arg[at] = (uint64_t)&host;
  if (at + 1 < 6) arg[at + 1] = SIGSET;
  return user_syscall_masked(t, set, &host, nr, arg);
}

/* Polls with the descriptors in `arg`; our own, which are looked for only if there are any, get a number that is not open. */
static int64_t poll_fds(struct user_thread *t, uint64_t arg[6], gva_t mask, uint64_t size) {
  struct space *s = t->process->space;
  const gva_t at = arg[0];
  const uint32_t n = (uint32_t)arg[1];
  int r = user_touch(t, at, (uint64_t)n * sizeof(struct pollfd), ARG_IN | ARG_OUT);
  bool hidden = false;
  struct pollfd one;
  if (r) return r;
  for (uint32_t i = 0; t->process->nown && i < n && !hidden; i++) {
    if (space_read(s, at + i * sizeof one, &one, sizeof one)) return -EFAULT;
    hidden = user_fd_hidden(t->process, one.fd);
  }
  if (!hidden) return masked(t, SYS_ppoll, arg, 3, mask, size);
  struct pollfd *copy = calloc(n, sizeof *copy);
  if (!copy) return -ENOMEM;
  int64_t ready = space_read(s, at, copy, n * sizeof *copy);
  for (uint32_t i = 0; i < n; i++)
    if (user_fd_hidden(t->process, copy[i].fd)) copy[i].fd = INT_MAX;
  arg[0] = (uint64_t)copy;
  if (!ready) ready = masked(t, SYS_ppoll, arg, 3, mask, size);
  for (uint32_t i = 0; ready >= 0 && i < n; i++)
    if (space_write(s, at + i * sizeof one + offsetof(struct pollfd, revents), &copy[i].revents,
                    sizeof copy[i].revents))
      ready = -EFAULT;
  free(copy);
  return ready;
}

int64_t call_ppoll(struct user_thread *t, const uint64_t arg[6]) {
  int r = user_touch(t, arg[2], sizeof(struct timespec), ARG_IN | ARG_OUT);
  return r ? r : poll_fds(t, (uint64_t[6]){arg[0], arg[1], arg[2], 0, SIGSET}, arg[3], arg[4]);
}

int64_t call_poll(struct user_thread *t, const uint64_t arg[6]) {
  const int ms = (int)arg[2];
  struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
  return poll_fds(t, (uint64_t[6]){arg[0], arg[1], ms < 0 ? 0 : (uint64_t)&time, 0, SIGSET}, 0, 0);
}

/* The three sets: pointers checked, and that none of our descriptors is in them. */
static int select_sets(struct user_thread *t, const uint64_t arg[6]) {
  const int n = (int)arg[0];
  if (n < 0) return -EINVAL;
  for (unsigned i = 1; i <= 3; i++) {
    int r = user_touch(t, arg[i], (uint64_t)(n + 63) / 64 * 8, ARG_IN | ARG_OUT);
    if (r) return r;
    for (unsigned k = 0; arg[i] && k < t->process->nown; k++) {
      const int own = t->process->own[k];
      uint8_t bits;
      if (own >= n) continue;
      if (space_read(t->process->space, arg[i] + (unsigned)own / 8, &bits, 1)) return -EFAULT;
      if (bits >> own % 8 & 1) return -EBADF;
    }
  }
  return 0;
}

int64_t call_pselect6(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t pair[2] = {0, SIGSET}, inner[2] = {0, SIGSET}, set,
           host[6] = {arg[0], arg[1], arg[2], arg[3], arg[4]};
  int r = select_sets(t, arg);
  if (!r) r = user_touch(t, arg[4], sizeof(struct timespec), ARG_IN | ARG_OUT);
  if (!r && arg[5]) r = space_read(t->process->space, arg[5], pair, sizeof pair);
  if (r) return r;
  if (!pair[0]) return user_host(t, SYS_pselect6, host);
  if (pair[1] != SIGSET) return -EINVAL;
  if ((r = space_read(t->process->space, pair[0], &set, sizeof set))) return r;
  uint64_t mask;
  inner[0] = (uint64_t)&mask;
  host[5] = (uint64_t)inner;
  return user_syscall_masked(t, set, &mask, SYS_pselect6, host);
}

int64_t call_select(struct user_thread *t, const uint64_t arg[6]) {
  struct space *s = t->process->space;
  int64_t tv[2];
  struct timespec time;
  int r = select_sets(t, arg);
  if (!r && arg[4]) r = space_read(s, arg[4], tv, sizeof tv);
  if (r) return r;
  if (arg[4]) {
    if (tv[0] < 0 || tv[1] < 0) return -EINVAL;
    time = (struct timespec){tv[0] + tv[1] / 1000000, tv[1] % 1000000 * 1000};
  }
  int64_t n = HOST(t, pselect6, arg[0], arg[1], arg[2], arg[3], arg[4] ? (uint64_t)&time : 0, 0);
  if (arg[4]) { /* what is left; a failure to write it is no error, as on Linux */
    tv[0] = time.tv_sec, tv[1] = time.tv_nsec / 1000;
    (void)space_write(s, arg[4], tv, sizeof tv);
  }
  return n;
}

/* Fewer events than there is room for are always allowed. */
static int64_t wait_events(struct user_thread *t, long nr, const uint64_t arg[6], uint64_t timeout) {
  struct epoll_event events[128];
  const struct user_abi *abi = t->process->abi;
  const unsigned size = user_struct_size(abi, STRUCT_epoll_event);
  const int max = (int)arg[2];
  uint64_t set;
  if (arg[4] && arg[5] == SIGSET && space_read(t->process->space, arg[4], &set, sizeof set)) return -EFAULT;
  if (max <= 0 || max > (int)(INT_MAX / sizeof events[0])) return -EINVAL;
  if (!arg[1]) return -EFAULT;
  int r = user_touch(t, arg[1], (uint64_t)max * size, ARG_OUT);
  if (r) return r;
  uint64_t host[6] = {(uint64_t)(int64_t)user_fd(t, arg[0]),
                      (uint64_t)events,
                      max < 128 ? (uint64_t)max : 128,
                      timeout,
                      0,
                      SIGSET};
  int64_t n = masked(t, nr, host, 4, arg[4], arg[5]);
  for (int64_t i = 0; i < n; i++)
    if ((r = user_struct_write(t, STRUCT_epoll_event, arg[1] + (uint64_t)i * size, &events[i])))
      return i ? i : r;
  return n;
}

int64_t call_epoll_pwait(struct user_thread *t, const uint64_t arg[6]) {
  return wait_events(t, SYS_epoll_pwait, arg, arg[3]);
}

int64_t call_epoll_pwait2(struct user_thread *t, const uint64_t arg[6]) {
  struct timespec wait;
  int r = arg[3] ? space_read(t->process->space, arg[3], &wait, sizeof wait) : 0;
  return r ? r : wait_events(t, SYS_epoll_pwait2, arg, arg[3] ? (uint64_t)&wait : 0);
}

int64_t call_signalfd4(struct user_thread *t, const uint64_t arg[6]) {
  uint64_t set;
  if (user_fd_hidden(t->process, (int)arg[0])) return -EBADF; /* -1 would make a new one */
  if (arg[2] != SIGSET) return -EINVAL;
  int r = space_read(t->process->space, arg[1], &set, sizeof set);
  return r ? r : HOST(t, signalfd4, arg[0], (uint64_t)&set, SIGSET, arg[3]);
}
