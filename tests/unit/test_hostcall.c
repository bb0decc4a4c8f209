/* Interruptible host system calls: a signal that comes before the call, during it, or again and again is never lost. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/hostcall.h"

static volatile uint32_t stop;
static volatile int seen;
static uint64_t blocked;

static void handler(int n, siginfo_t *info, void *context) {
  (void)n, (void)info;
  stop = 1;
  seen++;
  os_call_interrupt(context);
  if (blocked) os_handler_mask(context, blocked);
}

static int64_t call(long nr, uint64_t a, uint64_t b, uint64_t c) {
  return os_call((const uint32_t *)&stop, nr, (const uint64_t[6]){a, b, c});
}

static void makes_calls(void **state) {
  (void)state;
  stop = 0;
  assert_int_equal(call(SYS_getpid, 0, 0, 0), getpid());
  assert_int_equal(call(SYS_close, UINT64_MAX, 0, 0), -EBADF);
  int p[2];
  assert_int_equal(pipe(p), 0);
  assert_int_equal(os_call((const uint32_t *)&stop, SYS_pwrite64,
                           (const uint64_t[6]){(uint64_t)p[1], (uintptr_t) "x", 1, 0}),
                   -ESPIPE);
  assert_int_equal(call(SYS_write, (uint64_t)p[1], (uintptr_t) "abc", 3), 3);
  close(p[0]);
  close(p[1]);
}

static void six_arguments(void **state) {
  (void)state;
  stop = 0;
  int64_t at =
      os_call((const uint32_t *)&stop, SYS_mmap, (const uint64_t[6]){0, 4096, 3, 0x22, UINT64_MAX, 0});
  assert_true(at > 0);
  *(volatile char *)(uintptr_t)at = 1;
  assert_int_equal(call(SYS_munmap, (uint64_t)at, 4096, 0), 0);
}

static void stopped_before(void **state) {
  (void)state;
  stop = 1;
  assert_int_equal(call(SYS_close, UINT64_MAX, 0, 0), OS_RESTART);
}

static void arm(long us) {
  struct itimerval t = {{0, 0}, {0, us}};
  setitimer(ITIMER_REAL, &t, NULL);
}

/* Timers of all lengths, so that some expire on the way to the kernel: the read must always come back. */
static void always_comes_back(void **state) {
  (void)state;
  int p[2], inside = 0;
  char c;
  assert_int_equal(pipe(p), 0);
  for (unsigned flags = 0; flags < 2; flags++) {
    assert_int_equal(os_signal(SIGALRM, handler, flags ? SA_RESTART : 0, 0), 0);
    for (int i = 0; i < 400; i++) {
      stop = 0;
      arm(1 + i % 50);
      const int64_t r = call(SYS_read, (uint64_t)p[0], (uintptr_t)&c, 1);
      if (flags) assert_int_equal(r, OS_RESTART);
      else assert_true(r == -EINTR || r == OS_RESTART);
      inside += r == -EINTR;
      assert_int_equal(stop, 1);
    }
  }
  assert_true(inside > 0);
  close(p[0]);
  close(p[1]);
}

/* After the handler the thread has the mask that it chose; what comes then waits. */
static void handler_chooses_the_mask(void **state) {
  (void)state;
  assert_int_equal(os_signal(SIGUSR1, handler, 0, 0), 0);
  const uint64_t before = os_sigmask_get();
  blocked = OS_SIGBIT(SIGUSR1) | OS_SIGBIT(33);
  seen = 0;
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
  assert_int_equal(seen, 1);
  assert_int_equal(os_sigmask_get(), blocked);
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
  assert_int_equal(seen, 1);
  blocked = 0;
  assert_int_equal(os_sigmask(before), OS_SIGBIT(SIGUSR1) | OS_SIGBIT(33));
  assert_int_equal(seen, 2);
}

static void all_signals_are_there(void **state) {
  (void)state;
  for (int n = 1; n <= 64; n++) {
    if (n == SIGKILL || n == SIGSTOP) continue;
    assert_int_equal(os_signal_plain(n, 1, 0), 0);
    assert_true(os_signal_ignored(n));
    assert_int_equal(os_signal_plain(n, 0, 0), 0);
    assert_false(os_signal_ignored(n));
  }
  assert_int_equal(os_signal_plain(SIGKILL, 1, 0), -EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(makes_calls),
      cmocka_unit_test(six_arguments),
      cmocka_unit_test(stopped_before),
      cmocka_unit_test(always_comes_back),
      cmocka_unit_test(handler_chooses_the_mask),
      cmocka_unit_test(all_signals_are_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
