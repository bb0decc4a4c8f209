/* core/machine.c and core/loop.c: ends, time-outs, sleeping and waking, descriptors and timers. The engine is a script. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/engine.h"
#include "core/isa.h"
#include "core/machine.h"

static struct {
  enum vcpu_exit does; /* what run() returns each time; EXIT_KICK: spins until kicked */
  unsigned runs;
  uint32_t wakes; /* arch.wake answers true once this is not zero */
  uint64_t deadline;
} script;

static bool wake(struct vcpu *v) {
  (void)v;
  return __atomic_load_n(&script.wakes, __ATOMIC_SEQ_CST) || clock_ns() >= script.deadline;
}
static uint64_t deadline(struct vcpu *v) {
  (void)v;
  return script.deadline;
}
static const struct arch_ops arch = {.wake = wake, .deadline = deadline};
static const struct isa isa = {.name = "none", .vcpu_size = sizeof(struct vcpu), .arch = &arch};

static enum vcpu_exit run(struct vcpu *v) {
  script.runs++;
  if (script.does == EXIT_KICK)
    while (!__atomic_load_n(&v->kick, __ATOMIC_SEQ_CST)) usleep(100);
  if (script.does == EXIT_WAIT && script.runs == 2) machine_end(v->c->machine, END_CODE, 42);
  return script.does;
}
static const struct engine_ops engine = {.name = "script", .run = run};

static struct machine *with_engine(enum vcpu_exit does) {
  struct machine *m = machine_new(&isa);
  struct vcpu *v = machine_add_vcpu(m, 0);
  v->c->engine_ops = &engine;
  memset(&script, 0, sizeof script);
  script.does = does;
  script.deadline = UINT64_MAX;
  return m;
}

static void *end_soon(void *m) {
  usleep(20000);
  machine_end(m, END_POWEROFF, 0);
  machine_end(m, END_FAILURE, 9); /* the first wins */
  return NULL;
}

static void test_end_from_another_thread(void **state) {
  (void)state;
  for (int round = 0; round < 2; round++) { /* while it runs, and while it sleeps */
    struct machine *m = with_engine(round ? EXIT_WAIT : EXIT_KICK);
    pthread_t t;
    pthread_create(&t, NULL, end_soon, m);
    assert_int_equal(machine_run(m, 0), END_POWEROFF);
    pthread_join(t, NULL);
    assert_int_equal(m->end, END_POWEROFF);
    assert_int_equal(m->end_code, 0);
    assert_int_equal(script.runs, 1);
    machine_free(m);
  }
}

static void test_timeout(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_WAIT);
  uint64_t start = clock_ns();
  assert_int_equal(machine_run(m, 30000000), END_TIMEOUT);
  uint64_t took = clock_ns() - start;
  assert_true(took >= 30000000 && took < 5000000000);
  machine_free(m);
}

static void *irq_soon(void *v) {
  usleep(10000);
  vcpu_kick(v); /* spurious: nothing to wake for, it must not run */
  usleep(10000);
  __atomic_store_n(&script.wakes, 1, __ATOMIC_SEQ_CST);
  vcpu_irq(v, 3, true);
  return NULL;
}

static void test_sleeps_until_interrupt(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_WAIT);
  pthread_t t;
  pthread_create(&t, NULL, irq_soon, m->vcpu[0]);
  assert_int_equal(machine_run(m, 5000000000), END_CODE); /* the second run ends it */
  pthread_join(t, NULL);
  assert_int_equal(m->end_code, 42);
  assert_int_equal(m->vcpu[0]->c->irq_lines, 1 << 3);
  machine_free(m);
}

static void test_sleeps_until_deadline(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_WAIT);
  script.deadline = clock_ns() + 20000000;
  assert_int_equal(machine_run(m, 5000000000), END_CODE);
  assert_true(clock_ns() >= script.deadline);
  machine_free(m);
}

static void test_engine_errors_end_the_machine(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_ERROR);
  assert_int_equal(machine_run(m, 0), END_ERROR);
  machine_free(m);
}

/* ---- the loop ---- */

struct seen {
  struct machine *m;
  char text[64];
  size_t n;
  unsigned calls;
  pthread_t thread;
};

static void on_input(void *opaque, int fd) {
  struct seen *s = opaque;
  ssize_t n = read(fd, s->text + s->n, sizeof s->text - s->n);
  s->calls++;
  s->thread = pthread_self();
  if (n > 0) s->n += (size_t)n;
  else {
    machine_unwatch_fd(s->m, fd);
    machine_end(s->m, END_POWEROFF, 0);
  }
}

static void test_watches_a_pipe(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_KICK);
  struct seen s = {.m = m};
  int p[2];
  assert_int_equal(pipe(p), 0);
  assert_int_equal(machine_watch_fd(m, p[0], on_input, &s), 0);
  assert_int_equal(machine_watch_fd(m, -1, on_input, &s), -EBADF);
  assert_int_equal(write(p[1], "abc", 3), 3);
  close(p[1]); /* end of file comes after the bytes */
  assert_int_equal(machine_run(m, 5000000000), END_POWEROFF);
  assert_memory_equal(s.text, "abc", 4);
  assert_int_equal(s.calls, 2);
  assert_false(pthread_equal(s.thread, pthread_self()));
  close(p[0]);
  machine_free(m);
}

static void test_watches_what_cannot_be_polled(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_KICK);
  struct seen s = {.m = m};
  FILE *f = tmpfile();
  fputs("file", f);
  rewind(f);
  assert_int_equal(machine_watch_fd(m, fileno(f), on_input, &s), 0);
  assert_int_equal(machine_run(m, 5000000000), END_POWEROFF);
  assert_string_equal(s.text, "file");
  fclose(f);
  machine_free(m);
}

static struct {
  struct machine_timer *again;
  unsigned order[8], n;
  uint64_t at[8];
} rang;

static void ring(unsigned which) {
  rang.at[rang.n] = clock_ns();
  rang.order[rang.n++] = which;
}
static void ring_1(void *m) {
  (void)m;
  ring(1);
  machine_timer_set(rang.again, clock_ns() + 5000000); /* a callback may set timers, its own too */
}
static void ring_2(void *m) {
  ring(2);
  if (rang.n == 3) machine_end(m, END_POWEROFF, 0);
}
static void ring_3(void *m) {
  (void)m;
  ring(3);
}

static void test_timers(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_KICK);
  memset(&rang, 0, sizeof rang);
  uint64_t now = clock_ns();
  struct machine_timer *never = machine_timer_new(m, ring_3, m), *first = machine_timer_new(m, ring_1, m);
  rang.again = machine_timer_new(m, ring_2, m);
  machine_timer_set(never, now + 15000000);
  machine_timer_set(rang.again, now + 20000000);
  machine_timer_set(first, now + 10000000);
  machine_timer_set(never, UINT64_MAX); /* disarmed */
  machine_timer_set(rang.again, 0);     /* in the past: at once */
  /* 2 at once, 1 after 10 ms, which sets 2 again; then 2 is the third */
  assert_int_equal(machine_run(m, 5000000000), END_POWEROFF);
  assert_int_equal(rang.n, 3);
  assert_int_equal(rang.order[0], 2);
  assert_int_equal(rang.order[1], 1);
  assert_int_equal(rang.order[2], 2);
  assert_true(rang.at[1] >= now + 10000000 && rang.at[2] >= rang.at[1] + 5000000);
  machine_free(m);
}

static void test_guest_time(void **state) {
  (void)state;
  struct machine *m = with_engine(EXIT_KICK);
  uint64_t a = machine_now(m);
  usleep(2000);
  assert_true(machine_now(m) >= a + 2000000 && a < 1000000000);
  machine_lock(m);
  machine_lock(m); /* recursive for the owner */
  machine_unlock(m);
  machine_unlock(m);
  machine_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_end_from_another_thread),
      cmocka_unit_test(test_timeout),
      cmocka_unit_test(test_sleeps_until_interrupt),
      cmocka_unit_test(test_sleeps_until_deadline),
      cmocka_unit_test(test_engine_errors_end_the_machine),
      cmocka_unit_test(test_watches_a_pipe),
      cmocka_unit_test(test_watches_what_cannot_be_polled),
      cmocka_unit_test(test_timers),
      cmocka_unit_test(test_guest_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
