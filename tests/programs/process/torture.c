/* Endurance: threads against shared counters, queued signals in order, forks and execs without end. The first argument says
 * which, the second how much (seconds or times). Prints only what does not depend on how much. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, NODES = 64 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long plain;          /* under the lock */
static atomic_long added;   /* fetch-add */
static atomic_long swapped; /* compare and swap */
static atomic_flag spin = ATOMIC_FLAG_INIT;
static long spun; /* under the spin lock */
static atomic_uchar bytes[8];
/* A stack of nodes whose head has a count against reuse. */
static atomic_uint_fast64_t head;
static uint32_t next_of[NODES + 1];
static atomic_uint out[NODES + 1];
static atomic_bool stop;
static atomic_long lost;

static uint32_t pop(void) {
  uint64_t h = atomic_load(&head), n;
  do {
    if (!(uint32_t)h) return 0;
    n = ((h >> 32) + 1) << 32 | next_of[(uint32_t)h];
  } while (!atomic_compare_exchange_weak(&head, &h, n));
  return (uint32_t)h;
}

static void push(uint32_t i) {
  uint64_t h = atomic_load(&head), n;
  do {
    next_of[i] = (uint32_t)h;
    n = ((h >> 32) + 1) << 32 | i;
  } while (!atomic_compare_exchange_weak(&head, &h, n));
}

static void *work(void *arg) {
  long rounds = 0;
  int me = (int)(intptr_t)arg;
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    pthread_mutex_lock(&lock);
    plain++;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&added, 3);
    long v = atomic_load(&swapped);
    while (!atomic_compare_exchange_weak(&swapped, &v, v + 7)) continue;
    for (int i = 0; atomic_flag_test_and_set_explicit(&spin, memory_order_acquire); i++)
      if (i % 64 == 63) sched_yield();
    spun++;
    atomic_flag_clear_explicit(&spin, memory_order_release);
    atomic_fetch_add(&bytes[me], 1);
    uint32_t i = pop();
    if (i) {
      if (atomic_fetch_add(&out[i], 1)) atomic_fetch_add(&lost, 1); /* somebody else has it, too */
      atomic_fetch_sub(&out[i], 1);
      push(i);
    }
    rounds++;
  }
  if ((unsigned char)rounds != bytes[me]) atomic_fetch_add(&lost, 1);
  return (void *)(intptr_t)rounds;
}

static int counts(int seconds) {
  pthread_t t[THREADS];
  long sum = 0, nodes = 0;
  for (uint32_t i = 1; i <= NODES; i++) push(i);
  for (intptr_t i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, work, (void *)i);
  sleep((unsigned)seconds);
  atomic_store(&stop, true);
  for (int i = 0; i < THREADS; i++) {
    void *r;
    pthread_join(t[i], &r);
    sum += (long)(intptr_t)r;
  }
  while (pop()) nodes++;
  printf("counts: some %d plain %d added %d swapped %d spun %d nodes %ld lost %ld\n", sum > 1000,
         plain == sum, added == 3 * sum, swapped == 7 * sum, spun == sum, nodes, atomic_load(&lost));
  return 0;
}

static volatile long received, wrong, standard;
static void on_rt(int n, siginfo_t *i, void *u) {
  (void)n, (void)u;
  if (i->si_value.sival_int != received) wrong++;
  received = received + 1;
}
static void on_usr(int n) {
  (void)n;
  standard = standard + 1;
}

/* A child queues signals as fast as the limit of pending ones allows. */
static int queue(int n) {
  struct sigaction a = {.sa_sigaction = on_rt, .sa_flags = SA_SIGINFO | SA_RESTART},
                   b = {.sa_handler = on_usr};
  sigaction(SIGRTMIN, &a, NULL);
  sigaction(SIGUSR1, &b, NULL);
  pid_t parent = getpid(), pid = fork();
  if (!pid) {
    for (int i = 0; i < n; i++) {
      while (sigqueue(parent, SIGRTMIN, (union sigval){.sival_int = i}) && errno == EAGAIN) sched_yield();
      if (i % 100 == 0) kill(parent, SIGUSR1);
    }
    _exit(0);
  }
  volatile uint64_t spin_ = 0;
  while (received < n) spin_ = spin_ + 1;
  int status;
  while (waitpid(pid, &status, 0) < 0) continue;
  printf("queued: all %d wrong %ld standard %d\n", received == n, wrong, standard > 0);
  return 0;
}

static int open_files(void) {
  DIR *d = opendir("/proc/self/fd");
  int n = 0;
  while (d && readdir(d)) n++;
  if (d) closedir(d);
  return n;
}

static long resident(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_maxrss;
}

static void *nothing(void *arg) { return arg; }

/* Children that end, children that become another program, threads: afterwards nothing is left of them. */
static int __attribute__((noinline)) child(const char *self, bool shares, bool executes) {
  int status;
  pid_t pid = shares ? vfork() : fork();
  if (!pid) {
    if (executes) execl(self, self, "end", (char *)NULL);
    _exit(3);
  }
  while (waitpid(pid, &status, 0) < 0) continue;
  return status;
}

static int children(const char *self, int n) {
  int files = 0, bad = 0;
  long size = 0;
  for (int i = 0; i < n; i++) {
    if (i == n / 4) files = open_files(), size = resident();
    bad += child(self, i & 1, i & 2) != 0x300;
    pthread_t t;
    void *r;
    if (i % 4 == 0 && (pthread_create(&t, NULL, nothing, NULL) || pthread_join(t, &r))) bad++;
  }
  printf("children: bad %d files %d memory %d\n", bad, open_files() == files, resident() < size + 2048);
  return 0;
}

int main(int argc, char **argv) {
  int n = argc > 2 ? atoi(argv[2]) : 1;
  if (argc < 2) return 1;
  if (!strcmp(argv[1], "end")) return 3;
  if (!strcmp(argv[1], "counts")) return counts(n);
  if (!strcmp(argv[1], "queue")) return queue(n);
  if (!strcmp(argv[1], "children")) return children(argv[0], n);
  return 1;
}
