/* Signals within one thread: what handlers see, masks, nesting, the alternate stack, restarts, faults. Prints only what is
 * the same on every ISA. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t seen[65], order[64], norder;
static volatile int last_code, last_value, on_stack;
static void *volatile last_addr;
static volatile pid_t last_pid;
static char *alternate;
enum { ALT = 65536 };

static void note(int n, siginfo_t *i, void *u) {
  char here;
  (void)u;
  seen[n]++;
  if (norder < 64) order[norder++] = n;
  last_code = i->si_code;
  last_pid = i->si_pid;
  last_value = i->si_value.sival_int;
  last_addr = i->si_addr;
  on_stack = alternate && &here >= alternate && &here < alternate + ALT;
}

static void handle(int n, void (*fn)(int, siginfo_t *, void *), int flags, const sigset_t *mask) {
  struct sigaction a = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags};
  if (mask) a.sa_mask = *mask;
  else sigemptyset(&a.sa_mask);
  if (sigaction(n, &a, NULL)) perror("sigaction");
}

static void show_order(const char *what) {
  printf("%s:", what);
  for (int i = 0; i < norder; i++)
    printf(" %d", order[i] >= SIGRTMIN ? 1000 + order[i] - SIGRTMIN : order[i]);
  printf("\n");
  norder = 0;
}

static sigset_t set_of(int a, int b) {
  sigset_t s;
  sigemptyset(&s);
  if (a) sigaddset(&s, a);
  if (b) sigaddset(&s, b);
  return s;
}

static void simple(void) {
  handle(SIGUSR1, note, 0, NULL);
  raise(SIGUSR1);
  printf("raise: %d code %d own %d\n", seen[SIGUSR1], last_code == SI_TKILL, last_pid == getpid());
  kill(getpid(), SIGUSR1);
  printf("kill: %d code %d own %d\n", seen[SIGUSR1], last_code == SI_USER, last_pid == getpid());
  sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 4711});
  printf("sigqueue: %d code %d value %d\n", seen[SIGUSR1], last_code == SI_QUEUE, last_value);
}

static void queued(void) {
  sigset_t all, old, pending;
  sigfillset(&all);
  handle(SIGRTMIN, note, 0, NULL);
  handle(SIGRTMIN + 1, note, 0, NULL);
  handle(SIGUSR2, note, 0, NULL);
  sigprocmask(SIG_BLOCK, &all, &old);
  for (int i = 0; i < 3; i++) {
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    kill(getpid(), SIGUSR2);
  }
  sigpending(&pending);
  printf("pending: %d %d %d %d\n", sigismember(&pending, SIGRTMIN), sigismember(&pending, SIGRTMIN + 1),
         sigismember(&pending, SIGUSR2), sigismember(&pending, SIGUSR1));
  norder = 0;
  sigprocmask(SIG_SETMASK, &old, NULL);
  show_order("queued");
  /* Handlers that block one another run one after the other. */
  handle(SIGRTMIN, note, 0, &all);
  handle(SIGRTMIN + 1, note, 0, &all);
  sigprocmask(SIG_BLOCK, &all, &old);
  for (int i = 0; i < 3; i++) {
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
  }
  sigprocmask(SIG_SETMASK, &old, NULL);
  show_order("masked");
}

static void waiting(void) {
  sigset_t s = set_of(SIGRTMIN + 2, SIGUSR2), old, none;
  siginfo_t info;
  sigprocmask(SIG_BLOCK, &s, &old);
  sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 12});
  int n = sigwaitinfo(&s, &info);
  printf("sigwaitinfo: %d value %d\n", n == SIGRTMIN + 2, info.si_value.sival_int);
  n = sigtimedwait(&s, &info, &(struct timespec){0, 1000000});
  printf("sigtimedwait: %d %d\n", n, errno == EAGAIN);
  sigemptyset(&none);
  norder = 0;
  kill(getpid(), SIGUSR2);
  n = sigsuspend(&none);
  printf("sigsuspend: %d %d\n", n, errno == EINTR);
  show_order("suspended");
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  printf("mask after: %d\n", sigismember(&now, SIGUSR2));
  kill(getpid(), SIGUSR2);
  n = ppoll(NULL, 0, &(struct timespec){5, 0}, &none);
  printf("ppoll: %d %d\n", n, errno == EINTR);
  show_order("polled");
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static sigjmp_buf jump;
static void leap(int n, siginfo_t *i, void *u) {
  note(n, i, u);
  siglongjmp(jump, 1);
}

static void faults(void) {
  char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  alternate = mmap(NULL, ALT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack_t st = {.ss_sp = alternate, .ss_size = ALT}, old;
  printf("sigaltstack: %d", sigaltstack(&st, &old));
  printf(" %d\n", old.ss_flags == SS_DISABLE);
  handle(SIGSEGV, leap, SA_ONSTACK, NULL);
  if (!sigsetjmp(jump, 1)) page[4097] = 1;
  printf("write: code %d offset %ld stack %d\n", last_code == SEGV_ACCERR, (long)((char *)last_addr - page),
         on_stack);
  munmap(page + 4096, 4096);
  if (!sigsetjmp(jump, 1)) printf("%d\n", ((volatile char *)page)[4100]);
  printf("read: code %d offset %ld stack %d\n", last_code == SEGV_MAPERR, (long)((char *)last_addr - page),
         on_stack);
  handle(SIGSEGV, leap, 0, NULL);
  if (!sigsetjmp(jump, 1)) ((void (*)(void))(page + 4096))();
  printf("jump: code %d offset %ld stack %d\n", last_code == SEGV_MAPERR, (long)((char *)last_addr - page),
         on_stack);
  int fd = memfd_create("x", 0);
  char *file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  handle(SIGBUS, leap, 0, NULL);
  if (!sigsetjmp(jump, 1)) printf("%d\n", *(volatile char *)file);
  printf("bus: %d code %d offset %ld\n", seen[SIGBUS], last_code == BUS_ADRERR,
         (long)((char *)last_addr - file));
}

static void raised_fault(void) {
  handle(SIGSEGV, note, SA_RESETHAND, NULL);
  int before = seen[SIGSEGV];
  kill(getpid(), SIGSEGV);
  struct sigaction now;
  sigaction(SIGSEGV, NULL, &now);
  printf("sent SEGV: %d code %d reset %d\n", seen[SIGSEGV] - before, last_code == SI_USER,
         now.sa_handler == SIG_DFL);
  sigset_t s = set_of(SIGSEGV, SIGBUS), old, pending;
  handle(SIGSEGV, note, 0, NULL);
  sigprocmask(SIG_BLOCK, &s, &old);
  kill(getpid(), SIGSEGV);
  sigpending(&pending);
  printf("blocked: %d pending %d\n", seen[SIGSEGV] - before, sigismember(&pending, SIGSEGV));
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("unblocked: %d\n", seen[SIGSEGV] - before);
}

static void arm(long us, long every) {
  struct itimerval t = {{0, every}, {0, us}};
  setitimer(ITIMER_REAL, &t, NULL);
}

/* The time-out is long against the timer's: nothing here depends on how fast this runs. */
static void restarts(void) {
  int p[2];
  char c;
  if (pipe(p)) return;
  handle(SIGALRM, note, 0, NULL);
  arm(20000, 0);
  ssize_t n = read(p[0], &c, 1);
  printf("read: %zd %d\n", n, errno == EINTR);
  struct timespec left = {0, 0};
  arm(20000, 0);
  int r = nanosleep(&(struct timespec){100, 0}, &left);
  printf("nanosleep: %d %d left %d\n", r, errno == EINTR, left.tv_sec == 99);
  arm(20000, 0);
  r = clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){100, 0}, &left);
  printf("clock_nanosleep: %d left %d\n", r == EINTR, left.tv_sec == 99);
  /* A read that is restarted ends when the child writes. */
  handle(SIGALRM, note, SA_RESTART, NULL);
  int before = seen[SIGALRM];
  if (!fork()) {
    struct timespec t = {0, 100000000};
    nanosleep(&t, NULL);
    n = write(p[1], "x", 1);
    _exit(n != 1);
  }
  arm(10000, 10000);
  n = read(p[0], &c, 1);
  arm(0, 0);
  printf("restarted: %zd signals %d\n", n, seen[SIGALRM] > before);
  while (wait(NULL) < 0) continue;
  arm(20000, 0);
  r = poll(NULL, 0, 60000);
  printf("poll: %d %d\n", r, errno == EINTR);
  handle(SIGALRM, note, 0, NULL);
  alarm(100);
  printf("alarm: %u\n", alarm(0));
  arm(20000, 0);
  r = pause();
  printf("pause: %d %d\n", r, errno == EINTR);
}

static volatile double number = 1.5;
static void spoil(int n, siginfo_t *i, void *u) {
  volatile double x = 3;
  for (int k = 0; k < 100; k++) x = x * 1.01 + number;
  note(n, i, u);
  last_value = x > 0;
}

/* Registers survive a handler at any instruction: an interval timer against arithmetic. */
static void registers(void) {
  handle(SIGALRM, spoil, SA_RESTART, NULL);
  int before = seen[SIGALRM];
  double f = 1;
  uint64_t a = 1, b = 2, n = 0;
  arm(200, 200);
  for (; seen[SIGALRM] - before < 300; n++) {
    a = a * 6364136223846793005u + 1442695040888963407u;
    b ^= a >> 7;
    f = f * 1.0000001 + 0.5;
    if (f > 1e6) f -= 1e6;
  }
  arm(0, 0);
  double g = 1;
  uint64_t c = 1, d = 2;
  for (uint64_t i = 0; i < n; i++) {
    c = c * 6364136223846793005u + 1442695040888963407u;
    d ^= c >> 7;
    g = g * 1.0000001 + 0.5;
    if (g > 1e6) g -= 1e6;
  }
  printf("registers: %d %d\n", a == c && b == d, f == g);
}

static void nested(int n, siginfo_t *i, void *u) {
  note(n, i, u);
  if (seen[n] < 5) raise(n);
}

static void defer(void) {
  seen[SIGUSR1] = 0;
  norder = 0;
  handle(SIGUSR1, nested, SA_NODEFER, NULL);
  raise(SIGUSR1);
  printf("nodefer: %d\n", seen[SIGUSR1]);
  seen[SIGUSR1] = 0;
  handle(SIGUSR1, nested, 0, NULL);
  raise(SIGUSR1);
  printf("deferred: %d\n", seen[SIGUSR1]);
  struct sigaction a;
  printf("errors: %d",
         sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL) && errno == EINVAL);
  printf(" %d", kill(getpid(), 65) && errno == EINVAL);
  printf(" %d\n", sigaction(SIGUSR1, NULL, &a) == 0 && a.sa_sigaction == nested);
}

static int fate(void (*fn)(void)) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    fclose(stderr);
    fn();
    _exit(99);
  }
  while (waitpid(pid, &status, 0) < 0) continue;
  return status & 0xff7f;
}

static void die_abort(void) { abort(); }
static void die_term(void) { raise(SIGTERM); }
static volatile int *volatile nowhere = (volatile int *)8;
static void die_null(void) {
  signal(SIGSEGV, SIG_DFL);
  *nowhere = 1;
}
static void die_ignored(void) {
  signal(SIGSEGV, SIG_IGN);
  *nowhere = 1;
}
static void die_blocked(void) {
  sigset_t s = set_of(SIGSEGV, 0);
  signal(SIGSEGV, SIG_DFL);
  sigprocmask(SIG_BLOCK, &s, NULL);
  *nowhere = 1;
}
static void die_trap(void) { __builtin_trap(); }
static void die_rt(void) { raise(SIGRTMIN + 9); }
static void survive(void) {
  signal(SIGTERM, SIG_IGN);
  raise(SIGTERM);
  raise(SIGCHLD);
  raise(SIGURG);
  _exit(7);
}

static void deaths(void) {
  printf("abort %x term %x null %x ignored %x blocked %x rt %x survive %x\n", fate(die_abort), fate(die_term),
         fate(die_null), fate(die_ignored), fate(die_blocked), fate(die_rt) - SIGRTMIN, fate(survive));
  int s = fate(die_trap);
  printf("trap %d\n", WIFSIGNALED(s) && (WTERMSIG(s) == SIGTRAP || WTERMSIG(s) == SIGILL));
}

static void stops(void) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (!pid)
    for (;;) pause();
  kill(pid, SIGSTOP);
  waitpid(pid, &status, WUNTRACED);
  printf("stopped %d %d", WIFSTOPPED(status), WSTOPSIG(status) == SIGSTOP);
  kill(pid, SIGCONT);
  waitpid(pid, &status, WCONTINUED);
  printf(" continued %d", WIFCONTINUED(status));
  kill(pid, SIGKILL);
  siginfo_t info;
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
  printf(" waitid %d %d", info.si_code == CLD_KILLED, info.si_status == SIGKILL);
  waitpid(pid, &status, 0);
  printf(" killed %d\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void timers(void) {
  timer_t id;
  struct sigevent e = {
      .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 99};
  struct itimerspec t = {{0, 0}, {0, 1000000}};
  sigset_t s = set_of(SIGRTMIN + 3, 0);
  siginfo_t info;
  sigprocmask(SIG_BLOCK, &s, NULL);
  timer_create(CLOCK_MONOTONIC, &e, &id);
  timer_settime(id, 0, &t, NULL);
  int n = sigwaitinfo(&s, &info);
  printf("timer: %d code %d value %d\n", n == SIGRTMIN + 3, info.si_code == SI_TIMER,
         info.si_value.sival_int);
  n = timer_delete(id);
  printf("timer_delete %d %d\n", n, timer_delete(id) && errno == EINVAL);
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  static const struct {
    const char *name;
    void (*fn)(void);
  } parts[] = {{"simple", simple},     {"queued", queued},     {"waiting", waiting},     {"faults", faults},
               {"sent", raised_fault}, {"restarts", restarts}, {"registers", registers}, {"defer", defer},
               {"deaths", deaths},     {"stops", stops},       {"timers", timers}};
  handle(SIGUSR2, note, 0, NULL);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!*part || !strcmp(part, parts[i].name)) parts[i].fn();
  return 0;
}
