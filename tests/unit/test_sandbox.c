/* What a process can and cannot do after each step of the sandbox: each case in a child of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/types.h"
#include "os/sandbox.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZER 1
#else
#define SANITIZER 0
#endif

/* Actions return 0 or -errno; what the sandbox does is the caller's business. */

static int closed(int fd) {
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}

static int done(long r) { return r < 0 ? -errno : 0; }

static int do_execve(void) {
  char *argv[] = {"true", NULL};
  return done(execve("/bin/true", argv, NULL));
}
static int do_open(void) { return closed(open("/etc/passwd", O_RDONLY)); }
static int do_create(void) { return closed(open("/tmp/isomer-sandbox-test", O_WRONLY | O_CREAT, 0600)); }
static int do_list(void) { return closed(open("/tmp", O_RDONLY | O_DIRECTORY)); }
static int do_mkdir(void) { return done(mkdir("/tmp/isomer-sandbox-test", 0700)); }
static int do_socket(void) { return closed(socket(AF_INET, SOCK_STREAM, 0)); }
static int do_ptrace(void) { return done(ptrace(PTRACE_ATTACH, getppid(), 0, 0)); }
static int do_traceme(void) { return done(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)); }
static int do_fork(void) {
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (!pid) _exit(0);
  return done(pid);
}
static int do_clone3(void) {
  struct {
    uint64_t f[8];
  } args = {{0, 0, 0, 0, SIGCHLD}};
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (!pid) _exit(0);
  return done(pid);
}
static int do_code(void) {
  void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? -errno : 0;
}
static int do_protect(void) {
  void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? -errno : done(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
static int do_kill(void) { return done(syscall(SYS_tgkill, 1, 1, 0)); }
static int do_handler(void) { return signal(SIGSYS, SIG_IGN) == SIG_ERR ? -errno : 0; }
static int do_inject(void) { return done(ioctl(STDIN_FILENO, TIOCSTI, "x")); }
static int do_setuid(void) { return done(syscall(SYS_setuid, 0)); }
static int do_unshare(void) { return done(unshare(CLONE_NEWUSER)); }
#ifdef __x86_64__
static int do_i386(void) {
  int r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory"); /* getpid */
  return r < 0 ? r : 0;
}
static int do_x32(void) { return done(syscall(0x40000000 | SYS_getpid)); }
#endif

/* What a machine does all the time. */
static void *worker(void *arg) {
  for (unsigned i = 0; i < 200; i++) { /* freed from the top down: the heap is trimmed */
    void *p[8];
    for (unsigned j = 0; j < 8; j++) p[j] = memset(malloc(100000), 1, 100000);
    for (unsigned j = 8; j--;) free(p[j]);
  }
  return arg;
}
static int do_work(void) {
  pthread_t t[2];
  struct timespec ts = {0, 1000000};
  uint64_t big = 64 << 20;
  char *p = mmap(NULL, big, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return -errno;
  p[big / 2] = 1;
  madvise(p, big, MADV_DONTNEED);
  for (unsigned i = 0; i < 2; i++)
    if (pthread_create(&t[i], NULL, worker, NULL)) return -EAGAIN;
  worker(NULL);
  for (unsigned i = 0; i < 2; i++) pthread_join(t[i], NULL);
  clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
  fprintf(stderr, "%s", "");
  isatty(0);
  return p[big / 2] | done(munmap(p, big));
}
static int do_exit(void) { exit(0); } /* sanitizers look for leaks here */
static int do_abort(void) { abort(); }

enum step { FILES, CALLS, BOTH };

/* Wait status of a child that takes the step and acts; its exit code is the action's errno. */
static int child(enum step step, int (*act)(void), void (*dying)(void)) {
  char why[200];
  int status;
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (!pid) {
    const struct sandbox s = {.dying = dying};
    alarm(60);
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(99);
    signal(SIGABRT, SIG_DFL);
    int r = step == BOTH ? sandbox_enter(&s, why, sizeof why) : 0;
    if (step == FILES) r = syscall(SYS_prctl, 38, 1, 0, 0, 0) ? -1 : sandbox_files(why, sizeof why);
    if (step == CALLS) r = syscall(SYS_prctl, 38, 1, 0, 0, 0) ? -1 : sandbox_calls(&s, why, sizeof why);
    if (r == -EOPNOTSUPP) _exit(98);
    if (r) _exit(99);
    _exit(-act());
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 98)
    skip(); /* the kernel has it not: said on stderr by isomer run */
  return status;
}

static void errno_is(enum step step, int (*act)(void), int code) {
  int status = child(step, act, NULL);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), code);
}

static void killed(int (*act)(void)) {
  for (enum step s = CALLS; s <= BOTH; s++) {
    int status = child(s, act, NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
  }
}

static void files_are_out_of_reach(void **state) {
  (void)state;
  errno_is(FILES, do_create, EACCES);
  errno_is(FILES, do_mkdir, EACCES);
  errno_is(FILES, do_execve, EACCES);
  errno_is(FILES, do_open, SANITIZER ? 0 : EACCES);
  errno_is(FILES, do_list, SANITIZER ? 0 : EACCES);
  errno_is(FILES, do_socket, 0); /* the filter's business */
}

static void refused_calls_kill(void **state) {
  static int (*const acts[])(void) = {
      do_execve, do_mkdir,   do_socket, do_code,   do_protect,
      do_kill,   do_handler, do_inject, do_setuid, do_unshare,
#ifdef __x86_64__
      do_i386,   do_x32,
#endif
  };
  static int (*const plain[])(void) = {do_open, do_create, do_list, do_ptrace, do_traceme, do_fork};
  (void)state;
  for (unsigned i = 0; i < ARRAY_SIZE(acts); i++) killed(acts[i]);
  for (unsigned i = 0; i < ARRAY_SIZE(plain) && !SANITIZER; i++) killed(plain[i]);
  if (SANITIZER) errno_is(BOTH, do_create, EACCES);
}

static void processes_are_not_made_by_clone3(void **state) {
  (void)state;
  errno_is(BOTH, do_clone3, ENOSYS);
}

static void work_goes_on(void **state) {
  (void)state;
  errno_is(BOTH, do_work, 0);
  errno_is(BOTH, do_exit, 0);
  int status = child(BOTH, do_abort, NULL);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGABRT);
}

static int pipe_fds[2];
static void say(void) {
  if (write(pipe_fds[1], "!", 1) < 0) _exit(97);
}

static void last_words_are_said(void **state) {
  char c = 0;
  (void)state;
  assert_int_equal(pipe(pipe_fds), 0);
  int status = child(BOTH, do_socket, say);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(read(pipe_fds[0], &c, 1), 1);
  assert_int_equal(c, '!');
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

static void *sleeper(void *arg) {
  pause();
  return arg;
}
static int enter_late(void) {
  pthread_t t;
  char why[100];
  if (pthread_create(&t, NULL, sleeper, NULL)) return 0;
  return sandbox_enter(&(struct sandbox){0}, why, sizeof why);
}

/* Landlock would leave the other thread out. */
static void other_threads_are_an_error(void **state) {
  int status;
  (void)state;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (!pid) _exit(-enter_late());
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), EBUSY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_are_out_of_reach),
      cmocka_unit_test(refused_calls_kill),
      cmocka_unit_test(processes_are_not_made_by_clone3),
      cmocka_unit_test(work_goes_on),
      cmocka_unit_test(last_words_are_said),
      cmocka_unit_test(other_threads_are_an_error),
  };
  return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
