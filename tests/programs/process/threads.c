/* Threads: their memory, mutexes, thread-local storage, cancellation, robust mutexes, signals among them, many of them, and
 * how a process ends that has some. Prints only what is the same on every ISA. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N = 4 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long locked, turn;
static atomic_long added;
static __thread long own = 7;
static pthread_barrier_t barrier;

static void *count(void *arg) {
  long rounds = (long)(intptr_t)arg;
  for (long i = 0; i < rounds; i++) {
    pthread_mutex_lock(&lock);
    locked++;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&added, 1);
    own++;
  }
  return (void *)(intptr_t)own;
}

static void counting(void) {
  pthread_t t[N];
  long sum = 0;
  for (int i = 0; i < N; i++) pthread_create(&t[i], NULL, count, (void *)5000);
  for (int i = 0; i < N; i++) {
    void *r;
    pthread_join(t[i], &r);
    sum += (long)(intptr_t)r;
  }
  printf("counts: %ld %ld %ld own %ld\n", locked, atomic_load(&added), sum, own);
}

static void *ping(void *arg) {
  long me = (long)(intptr_t)arg;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < 200; i++) {
    while (turn % N != me) pthread_cond_wait(&changed, &lock);
    turn++;
    pthread_cond_broadcast(&changed);
  }
  pthread_mutex_unlock(&lock);
  pthread_barrier_wait(&barrier);
  return NULL;
}

static void turns(void) {
  pthread_t t[N];
  pthread_barrier_init(&barrier, NULL, N);
  for (long i = 0; i < N; i++) pthread_create(&t[i], NULL, ping, (void *)i);
  for (int i = 0; i < N; i++) pthread_join(t[i], NULL);
  printf("turns: %ld\n", turn);
}

static void *tiny(void *arg) { return (char *)arg + 1; }

static void many(void) {
  long sum = 0;
  for (int round = 0; round < 20; round++) {
    pthread_t t[16];
    for (long i = 0; i < 16; i++)
      if (pthread_create(&t[i], NULL, tiny, (void *)i)) printf("pthread_create fails\n");
    for (int i = 0; i < 16; i++) {
      void *r;
      pthread_join(t[i], &r);
      sum += (long)(intptr_t)r;
    }
  }
  printf("many: %ld\n", sum);
}

static void cleanup(void *arg) { *(int *)arg = 1; }
static int cleaned, cleaned2;
static void *sleeper(void *arg) {
  (void)arg;
  pthread_cleanup_push(cleanup, &cleaned);
  for (;;) pause();
  pthread_cleanup_pop(0);
  return NULL;
}
static void *spinner(void *arg) {
  volatile long n = 0;
  (void)arg;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  pthread_cleanup_push(cleanup, &cleaned2);
  for (;;) n = n + 1;
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancelled(void) {
  pthread_t a, b;
  void *ra, *rb;
  pthread_create(&a, NULL, sleeper, NULL);
  pthread_create(&b, NULL, spinner, NULL);
  nanosleep(&(struct timespec){0, 30000000}, NULL);
  pthread_cancel(a);
  pthread_cancel(b);
  pthread_join(a, &ra);
  pthread_join(b, &rb);
  printf("cancelled: %d %d cleanup %d %d\n", ra == PTHREAD_CANCELED, rb == PTHREAD_CANCELED, cleaned,
         cleaned2);
}

static pthread_mutex_t robust;
static void *abandon(void *arg) {
  (void)arg;
  pthread_mutex_lock(&robust);
  return NULL;
}

static void robust_mutex(void) {
  pthread_mutexattr_t attr;
  pthread_t t;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attr);
  pthread_create(&t, NULL, abandon, NULL);
  pthread_join(t, NULL);
  int r = pthread_mutex_lock(&robust);
  printf("robust: %d", r == EOWNERDEAD);
  printf(" %d", pthread_mutex_consistent(&robust));
  printf(" %d\n", pthread_mutex_unlock(&robust));
  /* Shared with a process that is killed. */
  pthread_mutex_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(shared, &attr);
  pid_t pid = fork();
  if (!pid) {
    pthread_mutex_lock(shared);
    raise(SIGKILL);
  }
  waitpid(pid, NULL, 0);
  r = pthread_mutex_lock(shared);
  printf("robust, killed: %d\n", r == EOWNERDEAD);
}

static atomic_int got[N];
static __thread int me;
static void on_usr(int n) {
  (void)n;
  atomic_fetch_add(&got[me], 1);
}
static sem_t ready;
static atomic_bool enough;
static void *listener(void *arg) {
  me = (int)(intptr_t)arg;
  sem_post(&ready);
  while (!atomic_load(&enough)) sched_yield();
  return NULL;
}

static void directed(void) {
  pthread_t t[N];
  struct sigaction a = {.sa_handler = on_usr};
  sigaction(SIGUSR1, &a, NULL);
  sem_init(&ready, 0, 0);
  for (long i = 0; i < N; i++) pthread_create(&t[i], NULL, listener, (void *)i);
  for (int i = 0; i < N; i++)
    while (sem_wait(&ready)) continue;
  for (int i = 0; i < N; i++)
    for (int k = 0; k < 10 * (i + 1); k++) {
      int before = atomic_load(&got[i]);
      pthread_kill(t[i], SIGUSR1);
      while (atomic_load(&got[i]) == before) sched_yield();
    }
  atomic_store(&enough, true);
  for (int i = 0; i < N; i++) pthread_join(t[i], NULL);
  printf("directed: %d %d %d %d\n", got[0], got[1], got[2], got[3]);
}

/* A signal of the process goes to the one thread that does not block it. */
static atomic_int taken_by;
static void on_usr2(int n) {
  (void)n;
  atomic_store(&taken_by, (int)syscall(SYS_gettid));
}
static int open_tid;
static void *open_one(void *arg) {
  sigset_t s;
  (void)arg;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR2);
  open_tid = (int)syscall(SYS_gettid);
  pthread_sigmask(SIG_UNBLOCK, &s, NULL);
  sem_post(&ready);
  while (!atomic_load(&taken_by)) sched_yield();
  return NULL;
}
static void of_process(void) {
  sigset_t s;
  pthread_t t;
  struct sigaction a = {.sa_handler = on_usr2};
  sigaction(SIGUSR2, &a, NULL);
  sigemptyset(&s);
  sigaddset(&s, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  pthread_create(&t, NULL, open_one, NULL);
  while (sem_wait(&ready)) continue;
  kill(getpid(), SIGUSR2);
  pthread_join(t, NULL);
  printf("process's signal: %d, leader %d\n", taken_by == open_tid, getpid() == (pid_t)syscall(SYS_gettid));
}

/* fork while others work: the child has one thread and usable locks. */
static void *allocate(void *arg) {
  while (!atomic_load((atomic_bool *)arg)) {
    void *volatile p = malloc(100);
    free(p);
  }
  return NULL;
}
static void forks(void) {
  atomic_bool done = false;
  pthread_t t[N];
  int good = 0;
  for (int i = 0; i < N; i++) pthread_create(&t[i], NULL, allocate, &done);
  for (int i = 0; i < 30; i++) {
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
      pthread_t one;
      void *volatile p = malloc(1000), *r;
      pthread_create(&one, NULL, tiny, p);
      pthread_join(one, &r);
      _exit(r == (char *)p + 1 ? 3 : 4);
    }
    while (waitpid(pid, &status, 0) < 0) continue;
    good += WIFEXITED(status) && WEXITSTATUS(status) == 3;
  }
  atomic_store(&done, true);
  for (int i = 0; i < N; i++) pthread_join(t[i], NULL);
  printf("forks: %d\n", good);
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
static void *exits(void *arg) {
  (void)arg;
  exit(5);
}
static volatile int *volatile nowhere = (volatile int *)8;
static void *crashes(void *arg) {
  (void)arg;
  *nowhere = 1;
  return NULL;
}
static void *after(void *arg) {
  (void)arg;
  nanosleep(&(struct timespec){0, 300000000}, NULL); /* until the leader is gone, on slow engines too */
  syscall(SYS_exit, 9);
  return NULL;
}
static void start(void *(*fn)(void *)) {
  pthread_t t;
  pthread_create(&t, NULL, fn, NULL);
}
static void end_by_thread(void) {
  start(exits);
  for (;;) pause();
}
static void end_by_crash(void) {
  start(crashes);
  for (;;) pause();
}
static void end_of_leader(void) {
  start(after);
  pthread_exit(NULL);
}
static void raw_end_of_leader(void) {
  start(after);
  syscall(SYS_exit, 6);
}
static void end_with_spinners(void) {
  for (int i = 0; i < 3; i++) start(spinner);
  _exit(8);
}
static void ends(void) {
  int a = fate(end_by_thread), b = fate(end_by_crash), c = fate(end_of_leader), d = fate(raw_end_of_leader);
  printf("ends: %x %x %x %x %x\n", a, b, c, d, fate(end_with_spinners));
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  static const struct {
    const char *name;
    void (*fn)(void);
  } parts[] = {{"counting", counting},   {"turns", turns},         {"many", many},
               {"cancelled", cancelled}, {"robust", robust_mutex}, {"directed", directed},
               {"process", of_process},  {"forks", forks},         {"ends", ends}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!*part || !strcmp(part, parts[i].name)) parts[i].fn();
  return 0;
}
