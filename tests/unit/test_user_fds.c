/* Descriptors of Isomer's own in user mode: kept out of the numbers a program uses, and towards its calls not open. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/call.h"

struct rig {
  struct user_process process;
  struct user_thread thread;
  int own, low; /* Isomer's, and the program's: a copy of the same file */
  gva_t page;
};

static int setup(void **state) {
  static struct rig r;
  r = (struct rig){.low = open("/dev/null", O_RDWR)};
  r.process.abi = user_abi_find("riscv64");
  r.process.space = space_new(USER_START, USER_END);
  r.thread.process = &r.process;
  assert_non_null(r.process.space);
  r.own = user_fd_keep(&r.process, dup(r.low));
  int64_t at =
      space_map(r.process.space, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(at > 0);
  r.page = (gva_t)at;
  *state = &r;
  return 0;
}

static int teardown(void **state) {
  struct rig *r = *state;
  user_fd_close(&r->process, r->own);
  assert_int_equal(fcntl(r->own, F_GETFD), -1);
  close(r->low);
  space_free(r->process.space);
  return 0;
}

static int64_t call(struct rig *r, enum call which, uint64_t a, uint64_t b, uint64_t c) {
  const struct call_info *info = &user_calls[which];
  const uint64_t arg[6] = {a, b, c};
  return info->fn ? info->fn(&r->thread, arg) : user_pass(&r->thread, info, arg);
}

static bool open_still(const struct rig *r) { return fcntl(r->own, F_GETFD) == FD_CLOEXEC; }

static void test_kept_high(void **state) {
  struct rig *r = *state;
  struct rlimit l;
  getrlimit(RLIMIT_NOFILE, &l);
  assert_true(r->own >= (int)l.rlim_cur ||
              (l.rlim_max == l.rlim_cur && r->own >= (int)l.rlim_cur - USER_OWN_FDS));
  assert_true(open_still(r));
  assert_true(user_fd_hidden(&r->process, r->own));
  assert_int_equal(user_fd(&r->thread, (uint64_t)r->own), -1);
  assert_int_equal(user_fd(&r->thread, (uint64_t)r->low), r->low);
  assert_int_equal(user_fd(&r->thread, (uint64_t)AT_FDCWD), AT_FDCWD);
}

static void test_not_open_to_calls(void **state) {
  struct rig *r = *state;
  const uint64_t own = (uint64_t)r->own, low = (uint64_t)r->low;
  assert_int_equal(call(r, CALL_write, low, r->page, 8), 8);
  assert_int_equal(call(r, CALL_write, own, r->page, 8), -EBADF);
  assert_int_equal(call(r, CALL_dup, own, 0, 0), -EBADF);
  assert_int_equal(call(r, CALL_fcntl, own, F_GETFL, 0), -EBADF);
  assert_int_equal(call(r, CALL_ioctl, own, 0x5421, r->page), -EBADF);
  assert_int_equal(call(r, CALL_ioctl, own, 0x12345678, 0), -EBADF);
  assert_int_equal(call(r, CALL_fstat, own, r->page, 0), -EBADF);
  assert_int_equal(call(r, CALL_signalfd4, own, r->page, 8), -EBADF);
  assert_true(open_still(r));
}

static void test_cannot_be_closed_or_replaced(void **state) {
  struct rig *r = *state;
  const uint64_t own = (uint64_t)r->own, low = (uint64_t)r->low;
  assert_int_equal(call(r, CALL_close, own, 0, 0), -EBADF);
  assert_int_equal(call(r, CALL_dup2, low, own, 0), -EBADF);
  assert_int_equal(call(r, CALL_dup3, low, own, O_CLOEXEC), -EBADF);
  assert_int_equal(call(r, CALL_dup2, own, own, 0), -EBADF);
  const int64_t other = call(r, CALL_fcntl, low, F_DUPFD, 100);
  assert_true(other >= 100);
  assert_int_equal(call(r, CALL_close_range, 100, UINT32_MAX, 0), 0);
  assert_int_equal(fcntl((int)other, F_GETFD), -1);
  assert_int_equal(call(r, CALL_close_range, own, own, 0), 0);
  assert_int_equal(call(r, CALL_close_range, 5, 4, 0), -EINVAL);
  assert_true(open_still(r));
}

static void test_polled_as_not_open(void **state) {
  struct rig *r = *state;
  struct pollfd f[2] = {{r->low, POLLOUT, 0}, {r->own, POLLOUT, 0}};
  assert_int_equal(space_write(r->process.space, r->page, f, sizeof f), 0);
  assert_int_equal(call(r, CALL_poll, r->page, 2, 0), 2);
  assert_int_equal(space_read(r->process.space, r->page, f, sizeof f), 0);
  assert_int_equal(f[0].revents, POLLOUT);
  assert_int_equal(f[1].revents, POLLNVAL);
  assert_int_equal(f[1].fd, r->own);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_kept_high, setup, teardown),
      cmocka_unit_test_setup_teardown(test_not_open_to_calls, setup, teardown),
      cmocka_unit_test_setup_teardown(test_cannot_be_closed_or_replaced, setup, teardown),
      cmocka_unit_test_setup_teardown(test_polled_as_not_open, setup, teardown),
  };
  return cmocka_run_group_tests_name("user_fds", tests, NULL, NULL);
}
