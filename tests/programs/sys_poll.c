/* Waiting: poll, select, epoll, timerfd, signalfd, inotify. */
#include "sys.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

int main(void) {
  int p[2];
  char buf[512];
  pipe(p);
  struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {99, POLLIN, 0}};
  T(poll(f, 2, 0));
  T(poll(f, 3, -1));
  SHOW("%x %x %x", f[0].revents, f[1].revents, f[2].revents);
  T(poll(NULL, 0, 1));
  T(ppoll(f, 1, &(struct timespec){0, 1000000}, NULL));
  T(ppoll(f, 1, &(struct timespec){0, -1}, NULL));
  T(syscall(SYS_ppoll, f, 1, &(struct timespec){0, 0}, &(sigset_t){0}, 4));
  sigset_t all;
  sigfillset(&all);
  T(ppoll(f, 1, &(struct timespec){0, 1000}, &all));
  write(p[1], "x", 1);
  fd_set r, w;
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_SET(p[0], &r);
  FD_SET(p[1], &w);
  T(select(p[1] + 1, &r, &w, NULL, &(struct timeval){5, 0}));
  SHOW("%d %d", FD_ISSET(p[0], &r), FD_ISSET(p[1], &w));
  FD_ZERO(&r);
  FD_SET(50, &r); /* the kernel looks at no numbers past its table, which has at least 64 */
  T(select(51, &r, NULL, NULL, NULL));
  T(pselect(0, NULL, NULL, NULL, &(struct timespec){0, 1000}, &all));
  T(pselect(-1, NULL, NULL, NULL, NULL, NULL));
  int e = epoll_create1(EPOLL_CLOEXEC);
  T(epoll_create1(1));
  T(epoll_create(0));
  struct epoll_event ev = {EPOLLIN | EPOLLET, {.u64 = 0x1122334455667788}}, got[4];
  T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
  T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
  T(epoll_ctl(e, EPOLL_CTL_MOD, 99, &ev));
  ev.data.u64 = 5, ev.events = EPOLLOUT;
  T(epoll_ctl(e, EPOLL_CTL_ADD, p[1], &ev));
  int n = epoll_wait(e, got, 4, 1000);
  uint64_t sum = 0;
  for (int i = 0; i < n; i++) sum += got[i].data.u64 * got[i].events;
  SHOW("%d events %lx", n, (unsigned long)sum);
  T(epoll_wait(e, got, 0, 0));
  T(epoll_wait(e, got, -5, 0));
  T(epoll_wait(p[0], got, 1, 0));
  T(epoll_ctl(e, EPOLL_CTL_DEL, p[1], NULL));
  T(epoll_pwait(e, got, 4, 0, &all));
  T(syscall(SYS_epoll_pwait2, e, got, 4, &(struct timespec){0, 1000}, NULL, 0));
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  struct itimerspec it = {{0, 0}, {0, 1000000}};
  T(timerfd_settime(t, 0, &it, NULL));
  uint64_t v;
  T(read(t, &v, 8));
  SHOW("expirations %lu", (unsigned long)v);
  T(timerfd_gettime(t, &it));
  SHOW("left %ld %ld", (long)it.it_value.tv_sec, it.it_value.tv_nsec);
  T(timerfd_settime(t, 0, &(struct itimerspec){{0, 0}, {0, 1000000000}}, NULL));
  sigset_t one;
  sigemptyset(&one), sigaddset(&one, SIGUSR1);
  int s = signalfd(-1, &one, SFD_NONBLOCK);
  T(read(s, buf, sizeof buf));
  T(signalfd(s, &one, 0) == s);
  T(signalfd(p[0], &one, 0));
  int in = inotify_init1(IN_NONBLOCK);
  int wd = inotify_add_watch(in, ".", IN_CREATE | IN_DELETE);
  SHOW("watch %d", wd);
  close(open("made", O_CREAT | O_WRONLY, 0600));
  unlink("made");
  ssize_t len = read(in, buf, sizeof buf);
  for (ssize_t at = 0; at < len;) {
    struct inotify_event *i = (void *)(buf + at);
    SHOW("inotify %x %s", i->mask, i->name);
    at += (ssize_t)(sizeof *i + i->len);
  }
  T(inotify_add_watch(in, "none", IN_CREATE));
  T(inotify_rm_watch(in, wd));
  T(inotify_rm_watch(in, 77));
  return 0;
}
