/* The machine's event loop: one thread over epoll that calls back on descriptors and timers, under the machine lock.
 * What the callbacks do is the devices' business. */
#define _GNU_SOURCE
#include "core/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

struct watch {
  struct watch *next;
  int fd;      /* -1: free for reuse */
  bool always; /* cannot be polled: always readable */
  machine_fd_fn *fn;
  void *opaque;
};

struct machine_timer {
  struct machine_timer *next;
  struct loop *loop;
  uint64_t when; /* host monotonic ns; UINT64_MAX = off */
  machine_timer_fn *fn;
  void *opaque;
};

struct loop {
  struct machine *m;
  int epfd, timerfd, wakefd;
  pthread_t thread;
  bool running;
  uint32_t stop;
  pthread_mutex_t lock; /* lists and timerfd; taken inside the machine lock, never the other way round */
  struct watch
      *watches; /* entries live as long as the loop, so an event in flight never points to freed memory */
  struct machine_timer *timers;
  unsigned nalways;
};

static struct loop *loop_of(struct machine *m) { return m->loop; }

static void wake(struct loop *l) {
  uint64_t one = 1;
  if (write(l->wakefd, &one, sizeof one) < 0 && errno != EAGAIN)
    log_warn("event loop: cannot wake: errno %d", errno);
}

/* Sets timerfd to the earliest timer; call with l->lock held. */
static void arm(struct loop *l) {
  if (l->m->virt) return; /* whoever runs the machine asks loop_next */
  uint64_t first = UINT64_MAX;
  for (const struct machine_timer *t = l->timers; t; t = t->next)
    if (t->when < first) first = t->when;
  struct itimerspec its = {0};
  if (first != UINT64_MAX) {
    if (!first) first = 1; /* zero would disarm */
    its.it_value.tv_sec = (time_t)(first / NSEC_PER_SEC);
    its.it_value.tv_nsec = (long)(first % NSEC_PER_SEC);
  }
  timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL);
}

static void run_timers(struct loop *l) {
  machine_lock(l->m);
  for (;;) {
    uint64_t now = clock_ns();
    pthread_mutex_lock(&l->lock);
    struct machine_timer *t = l->timers;
    while (t && t->when > now) t = t->next;
    if (!t) {
      arm(l);
      pthread_mutex_unlock(&l->lock);
      break;
    }
    t->when = UINT64_MAX;
    pthread_mutex_unlock(&l->lock);
    t->fn(t->opaque);
  }
  machine_unlock(l->m);
}

/* The entry may have been unwatched or reused since its event was reported: what counts is that its descriptor is
 * readable now. */
static void call_watch(struct loop *l, struct watch *w) {
  machine_lock(l->m);
  struct pollfd p = {.fd = w->fd, .events = POLLIN};
  if (w->fd >= 0 && (w->always || poll(&p, 1, 0) > 0)) w->fn(w->opaque, w->fd);
  machine_unlock(l->m);
}

static void run_always(struct loop *l) {
  pthread_mutex_lock(&l->lock);
  struct watch *w = l->watches;
  pthread_mutex_unlock(&l->lock);
  for (; w; w = w->next)
    if (w->always) call_watch(l, w);
}

static void *loop_thread(void *arg) {
  struct loop *l = arg;
  char alternate[16 << 10]; /* for handlers when the rest of the stack is exhausted */
  stack_t old, ours = {.ss_sp = alternate, .ss_size = sizeof alternate}, none = {.ss_flags = SS_DISABLE};
  bool mine = !sigaltstack(NULL, &old) && old.ss_flags & SS_DISABLE && !sigaltstack(&ours, NULL);
  struct epoll_event ev[16];
  while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
    int n = epoll_wait(l->epfd, ev, 16, __atomic_load_n(&l->nalways, __ATOMIC_RELAXED) ? 0 : -1);
    for (int i = 0; i < n && !__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE); i++) {
      uint64_t count;
      if (ev[i].data.ptr == &l->timerfd) {
        if (read(l->timerfd, &count, sizeof count) > 0) run_timers(l);
      } else if (ev[i].data.ptr == &l->wakefd) {
        if (read(l->wakefd, &count, sizeof count) < 0) continue;
      } else {
        call_watch(l, ev[i].data.ptr);
      }
    }
    if (__atomic_load_n(&l->nalways, __ATOMIC_RELAXED)) run_always(l);
  }
  if (mine) sigaltstack(&none, NULL);
  return NULL;
}

uint64_t loop_next(struct machine *m) {
  uint64_t first = UINT64_MAX;
  for (const struct machine_timer *t = loop_of(m)->timers; t; t = t->next)
    if (t->when < first) first = t->when;
  return first;
}

void loop_fire(struct machine *m, uint64_t now) {
  for (;;) {
    struct machine_timer *due = NULL;
    for (struct machine_timer *t = loop_of(m)->timers; t; t = t->next)
      if (t->when <= now && (!due || t->when < due->when)) due = t;
    if (!due) return;
    due->when = UINT64_MAX;
    due->fn(due->opaque);
  }
}

void loop_visit(struct machine *m, void (*fn)(void *arg, void *at, size_t n), void *arg) {
  for (struct machine_timer *t = loop_of(m)->timers; t; t = t->next) fn(arg, &t->when, sizeof t->when);
}

int loop_create(struct machine *m) {
  struct loop *l = calloc(1, sizeof *l);
  if (!l) return -ENOMEM;
  l->m = m;
  l->epfd = epoll_create1(EPOLL_CLOEXEC);
  l->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  l->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&l->lock, NULL);
  m->loop = l;
  struct epoll_event te = {.events = EPOLLIN, .data.ptr = &l->timerfd},
                     we = {.events = EPOLLIN, .data.ptr = &l->wakefd};
  if (l->epfd < 0 || l->timerfd < 0 || l->wakefd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->timerfd, &te) ||
      epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &we)) {
    int e = errno;
    loop_destroy(m);
    return -e;
  }
  return 0;
}

void loop_destroy(struct machine *m) {
  struct loop *l = loop_of(m);
  if (!l) return;
  loop_stop(m);
  for (struct watch *w = l->watches, *next; w; w = next) {
    next = w->next;
    free(w);
  }
  for (struct machine_timer *t = l->timers, *next; t; t = next) {
    next = t->next;
    free(t);
  }
  if (l->epfd >= 0) close(l->epfd);
  if (l->timerfd >= 0) close(l->timerfd);
  if (l->wakefd >= 0) close(l->wakefd);
  pthread_mutex_destroy(&l->lock);
  free(l);
  m->loop = NULL;
}

int loop_start(struct machine *m) {
  struct loop *l = loop_of(m);
  /* Signals are the main thread's, but for those that this thread brings about. Blocked, its faults would kill without
   * the handlers that restore the terminal, and reading a terminal from the background would fail instead of waiting. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};
  sigset_t all, old;
  l->stop = 0;
  sigfillset(&all);
  for (size_t i = 0; i < ARRAY_SIZE(own); i++) sigdelset(&all, own[i]);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int r = pthread_create(&l->thread, NULL, loop_thread, l);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  l->running = !r;
  return -r;
}

void loop_stop(struct machine *m) {
  struct loop *l = loop_of(m);
  if (!l->running) return;
  __atomic_store_n(&l->stop, 1, __ATOMIC_RELEASE);
  wake(l);
  pthread_join(l->thread, NULL);
  l->running = false;
}

int machine_watch_fd(struct machine *m, int fd, machine_fd_fn *fn, void *opaque) {
  struct loop *l = loop_of(m);
  int r = 0;
  machine_lock(m);
  pthread_mutex_lock(&l->lock);
  struct watch *w = l->watches;
  while (w && w->fd >= 0) w = w->next;
  if (!w) {
    w = calloc(1, sizeof *w);
    if (!w) {
      r = -ENOMEM;
      goto out;
    }
    w->fd = -1;
    w->next = l->watches;
    l->watches = w;
  }
  struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};
  w->always = false;
  if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev)) {
    if (errno != EPERM) {
      r = -errno;
      goto out;
    }
    w->always = true;
    __atomic_add_fetch(&l->nalways, 1, __ATOMIC_RELAXED);
    wake(l);
  }
  w->fn = fn;
  w->opaque = opaque;
  w->fd = fd;
out:
  pthread_mutex_unlock(&l->lock);
  machine_unlock(m);
  return r;
}

void machine_unwatch_fd(struct machine *m, int fd) {
  struct loop *l = loop_of(m);
  machine_lock(m);
  pthread_mutex_lock(&l->lock);
  for (struct watch *w = l->watches; w; w = w->next) {
    if (w->fd != fd) continue;
    if (w->always) __atomic_sub_fetch(&l->nalways, 1, __ATOMIC_RELAXED);
    else epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
    w->fd = -1;
    break;
  }
  pthread_mutex_unlock(&l->lock);
  machine_unlock(m);
}

struct machine_timer *machine_timer_new(struct machine *m, machine_timer_fn *fn, void *opaque) {
  struct loop *l = loop_of(m);
  struct machine_timer *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  *t = (struct machine_timer){.loop = l, .when = UINT64_MAX, .fn = fn, .opaque = opaque};
  pthread_mutex_lock(&l->lock);
  t->next = l->timers;
  l->timers = t;
  pthread_mutex_unlock(&l->lock);
  return t;
}

void machine_timer_set(struct machine_timer *t, uint64_t host_monotonic_ns) {
  pthread_mutex_lock(&t->loop->lock);
  t->when = host_monotonic_ns;
  arm(t->loop);
  pthread_mutex_unlock(&t->loop->lock);
}
