/* Descriptors: a program sees those it inherited or opened. The few that are Isomer's own lie high, are closed on exec, and act
 * towards the program as if they were not open. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/log.h"
#include "user/call.h"

/* Above the limit that the program sees, if the hard limit lets us; else right below it. */
int user_fd_keep(struct user_process *p, int fd) {
  struct rlimit old, wide;
  if (p->nown == USER_OWN_FDS) {
    log_error("internal table of descriptors is full");
    return -EMFILE;
  }
  if (getrlimit(RLIMIT_NOFILE, &old)) return -errno;
  wide = old;
  rlim_t at = old.rlim_cur;
  if (at > INT32_MAX - USER_OWN_FDS) at = INT32_MAX - USER_OWN_FDS;
  if (old.rlim_max > old.rlim_cur && old.rlim_max - old.rlim_cur >= USER_OWN_FDS) {
    wide.rlim_cur = at + USER_OWN_FDS;
    if (setrlimit(RLIMIT_NOFILE, &wide)) return -errno;
  } else {
    at = at > USER_OWN_FDS + 3 ? at - USER_OWN_FDS : 3;
  }
  int own = fcntl(fd, F_DUPFD_CLOEXEC, (int)at);
  int r = own < 0 ? -errno : own;
  setrlimit(RLIMIT_NOFILE, &old);
  if (r < 0) {
    log_error("cannot move a descriptor of our own out of the program's way: raise the limit of open files");
    return r;
  }
  p->own[p->nown++] = own;
  close(fd);
  return own;
}

void user_fd_close(struct user_process *p, int fd) {
  for (unsigned i = 0; i < p->nown; i++) {
    if (p->own[i] != fd) continue;
    p->own[i] = p->own[--p->nown];
    close(fd);
    return;
  }
}

bool user_fd_hidden(const struct user_process *p, int fd) {
  for (unsigned i = 0; i < p->nown; i++)
    if (p->own[i] == fd) return true;
  return false;
}

int user_fd(const struct user_thread *t, uint64_t fd) {
  return user_fd_hidden(t->process, (int)fd) ? -1 : (int)fd;
}
