/* The stdio back end: terminal in raw mode and back again, escape keys, input with back-pressure. There is one per
 * process, because there is one terminal. It knows nothing of what is behind the front end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/log.h"
#include "devices/chardev.h"

#define KEY_ESCAPE 0x01 /* Ctrl-A */
#define HOLD       4096

struct stdio_chardev {
  struct chardev c;
  bool tty, watched, eof, escaped, broken;
  uint8_t hold[HOLD]; /* read, not yet taken by the front end */
  size_t held;
};

static struct stdio_chardev *the_one;

/* Terminal state. Reached from signal handlers: only async-signal-safe calls, and set up before they are installed. */
static struct termios saved, raw;
static volatile sig_atomic_t term_raw;

/* A job in the background has no say in the terminal: setting it would be answered with a stop. What fails here is no
 * terminal that controls jobs. */
static bool foreground(void) {
  pid_t front = tcgetpgrp(STDIN_FILENO);
  return front < 0 || front == getpgrp();
}

static void term_set(const struct termios *t) {
  if (term_raw && foreground()) tcsetattr(STDIN_FILENO, TCSANOW, t);
}

void chardev_stdio_restore(void) { term_set(&saved); }

static struct sigaction before[NSIG]; /* what our handlers replaced */

static void on_fatal(int sig) {
  int keep = errno;
  chardev_stdio_restore();
  sigaction(sig, &before[sig], NULL);
  raise(sig); /* handled as if we had not been there when this handler returns */
  errno = keep;
}

static void on_stop(int sig) {
  int keep = errno;
  chardev_stdio_restore();
  (void)sig;
  raise(SIGSTOP); /* on_continue runs before we go on */
  errno = keep;
}

static void on_continue(int sig) {
  int keep = errno;
  (void)sig;
  term_set(&raw);
  errno = keep;
}

static void handle(int sig, void (*fn)(int)) {
  struct sigaction sa = {.sa_handler = fn, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigemptyset(&sa.sa_mask);
  if (!sigaction(sig, NULL, &before[sig]) && before[sig].sa_handler != SIG_IGN) sigaction(sig, &sa, NULL);
}

/* So that the handlers run when this thread's stack is exhausted too. */
static void signal_stack(void) {
  static char stack[32 << 10];
  stack_t old, ours = {.ss_sp = stack, .ss_size = sizeof stack};
  if (!sigaltstack(NULL, &old) && old.ss_flags & SS_DISABLE) sigaltstack(&ours, NULL);
}

static int term_enter(void) {
  static const int fatal[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,   SIGPIPE, SIGSEGV, SIGBUS,
                              SIGILL,  SIGFPE,  SIGABRT, SIGTRAP,   SIGSYS,  SIGALRM, SIGUSR1,
                              SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF};
  static bool once;
  if (!isatty(STDIN_FILENO)) return 0;
  if (tcgetattr(STDIN_FILENO, &saved)) return -errno;
  raw = saved;
  raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw.c_cflag = (raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  if (!once) {
    once = true;
    atexit(chardev_stdio_restore);
    signal_stack();
    for (unsigned i = 0; i < ARRAY_SIZE(fatal); i++) handle(fatal[i], on_fatal);
    handle(SIGTSTP, on_stop);
    handle(SIGCONT, on_continue);
  }
  term_raw = 1;
  if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
    term_raw = 0;
    return -errno;
  }
  return 0;
}

size_t chardev_keys(struct machine *m, bool *escaped, uint8_t *bytes, size_t n) {
  size_t out = 0;
  for (size_t i = 0; i < n; i++) {
    uint8_t b = bytes[i];
    if (!*escaped) {
      if (b == KEY_ESCAPE) *escaped = true;
      else bytes[out++] = b;
      continue;
    }
    *escaped = false;
    switch (b) {
    case 'x': machine_end(m, END_QUIT, 0); return out;
    case 'h':
    case '?':
      fprintf(stderr, "\r\nCtrl-A x  quit\r\nCtrl-A a  send Ctrl-A to the guest\r\nCtrl-A h  this help\r\n");
      break;
    case 'c': fprintf(stderr, "\r\nisomer: this version has no monitor; Ctrl-A h lists the keys\r\n"); break;
    case 'a':
    case KEY_ESCAPE: bytes[out++] = KEY_ESCAPE; break;
    default: break; /* an unknown key is dropped, as is the escape before it */
    }
  }
  return out;
}

static void unwatch(struct stdio_chardev *s) {
  if (s->watched) machine_unwatch_fd(s->c.machine, STDIN_FILENO);
  s->watched = false;
}

/* Hands held input over as far as the front end has room. Taking input may make it ask for more, so it is moved first. */
static void flush(struct stdio_chardev *s) {
  for (;;) {
    uint8_t part[64];
    size_t n = s->c.front ? s->c.front->room(s->c.front_opaque) : 0;
    if (n > s->held) n = s->held;
    if (n > sizeof part) n = sizeof part;
    if (!n) return;
    memcpy(part, s->hold, n);
    s->held -= n;
    memmove(s->hold, s->hold + n, s->held);
    s->c.front->receive(s->c.front_opaque, part, n);
  }
}

/* A terminal is read even when the guest takes nothing, or a stuck guest could not be quit; what it cannot hold is then
 * dropped. Pipes and files wait instead. */
static void take(struct stdio_chardev *s) {
  uint8_t buf[256];
  size_t space = HOLD - s->held;
  ssize_t n = read(STDIN_FILENO, buf, s->tty || space > sizeof buf ? sizeof buf : space);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) {
    s->eof = true; /* the guest goes on without input */
    return;
  }
  size_t left = chardev_keys(s->c.machine, &s->escaped, buf, (size_t)n);
  if (left > space) left = space;
  memcpy(s->hold + s->held, buf, left);
  s->held += left;
  flush(s);
}

static bool wanted(const struct stdio_chardev *s) { return !s->eof && (s->tty || s->held < HOLD); }

static void on_input(void *opaque, int fd) {
  struct stdio_chardev *s = opaque;
  (void)fd;
  machine_lock(s->c.machine);
  if (wanted(s)) take(s);
  if (!wanted(s)) unwatch(s);
  machine_unlock(s->c.machine);
}

static void stdio_accept(struct chardev *c) {
  struct stdio_chardev *s = container_of(c, struct stdio_chardev, c);
  flush(s);
  if (s->watched || !wanted(s)) return;
  int rc = machine_watch_fd(c->machine, STDIN_FILENO, on_input, s);
  s->watched = !rc;
  if (rc) {
    log_warn("standard input: %s: the guest gets no input", strerror(-rc));
    s->eof = true;
  }
}

static void stdio_write(struct chardev *c, const uint8_t *bytes, size_t n) {
  struct stdio_chardev *s = container_of(c, struct stdio_chardev, c);
  while (n && !s->broken) {
    ssize_t done = write(STDOUT_FILENO, bytes, n);
    if (done >= 0) {
      bytes += done;
      n -= (size_t)done;
    } else if (errno == EAGAIN) {
      poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
    } else if (errno != EINTR) {
      log_warn("standard output: %s: further output of the guest is dropped", strerror(errno));
      s->broken = true;
    }
  }
}

static void stdio_destroy(struct chardev *c) {
  struct stdio_chardev *s = container_of(c, struct stdio_chardev, c);
  unwatch(s);
  chardev_stdio_restore();
  term_raw = 0;
  the_one = NULL;
  free(s);
}

static const struct chardev_ops stdio_ops = {
    .name = "stdio", .write = stdio_write, .accept = stdio_accept, .destroy = stdio_destroy};

int chardev_stdio_open(struct machine *m, struct chardev **out) {
  if (the_one) {
    log_error("stdio: already in use by another port: give null or file:PATH for one of them");
    return -EBUSY;
  }
  struct stdio_chardev *s = calloc(1, sizeof *s);
  if (!s) {
    log_error("stdio: out of memory");
    return -ENOMEM;
  }
  s->c.ops = &stdio_ops;
  s->c.machine = m;
  s->tty = isatty(STDIN_FILENO);
  int rc = term_enter();
  if (rc) log_warn("terminal: %s: input stays line-buffered", strerror(-rc));
  the_one = s;
  *out = &s->c;
  return 0;
}
