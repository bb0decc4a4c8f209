/* Life of a machine: its vCPUs' threads, guest time, its end. Devices and boards are above this. */
#define _GNU_SOURCE
#include "core/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/clock.h"
#include "core/engine.h"
#include "core/isa.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/virtual.h"
#include "mem/phys.h"

struct machine *machine_new_bare(const struct isa *isa) {
  struct machine *m = calloc(1, sizeof *m);
  if (!m) {
    log_error("cannot create a machine: out of memory");
    return NULL;
  }
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&m->lock, &attr);
  pthread_mutexattr_destroy(&attr);
  m->isa = isa;
  m->epoch_ns = clock_ns();
  return m;
}

struct machine *machine_new(const struct isa *isa) {
  struct machine *m = machine_new_bare(isa);
  if (!m) return NULL;
  m->phys = phys_new();
  int r = m->phys ? loop_create(m) : -ENOMEM;
  if (!r) return m;
  log_error("cannot create a machine's %s: %s", m->phys ? "event loop" : "memory", strerror(-r));
  machine_free(m);
  return NULL;
}

void machine_free(struct machine *m) {
  if (!m) return;
  loop_destroy(m);
  for (unsigned i = 0; i < m->nvcpus; i++) vcpu_free(m->vcpu[i]);
  phys_free(m->phys);
  free(m->virt);
  pthread_mutex_destroy(&m->lock);
  free(m);
}

struct vcpu *machine_add_vcpu(struct machine *m, uint64_t features) {
  if (m->nvcpus == MACHINE_MAX_VCPUS) {
    log_error("a machine has at most %d vCPUs", MACHINE_MAX_VCPUS);
    return NULL;
  }
  struct vcpu *v = vcpu_new(m->isa, m->phys, m->nvcpus, features);
  if (!v) return NULL;
  v->c->machine = m;
  m->vcpu[m->nvcpus++] = v;
  return v;
}

static enum machine_end ended(const struct machine *m) { return __atomic_load_n(&m->end, __ATOMIC_ACQUIRE); }

void machine_end(struct machine *m, enum machine_end end, uint64_t code) {
  machine_lock(m); /* so that end_code is there before end is seen */
  if (!ended(m)) {
    m->end_code = code;
    __atomic_store_n(&m->end, end, __ATOMIC_RELEASE);
  }
  machine_unlock(m);
  for (unsigned i = 0; i < m->nvcpus; i++) vcpu_kick(m->vcpu[i]);
}

uint64_t machine_now(struct machine *m) { return m->virt ? virtual_now(m) : clock_ns() - m->epoch_ns; }

int machine_random(struct machine *m, void *buf, size_t n) {
  uint8_t *at = buf;
  if (m->virt) return virtual_random(m, buf, n);
  while (n) {
    ssize_t got = getrandom(at, n, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got ? -errno : -EIO;
    at += got;
    n -= (size_t)got;
  }
  return 0;
}

void machine_lock(struct machine *m) { pthread_mutex_lock(&m->lock); }
void machine_unlock(struct machine *m) { pthread_mutex_unlock(&m->lock); }

/* Sleeps until the vCPU must go on. kick is cleared before its reasons are looked at, so none is lost. */
static void wait_for_interrupt(struct machine *m, struct vcpu *v) {
  const struct arch_ops *arch = m->isa->arch;
  for (;;) {
    __atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
    if (ended(m) || !arch->wake || arch->wake(v)) return;
    vcpu_sleep(v, arch->deadline ? arch->deadline(v) : UINT64_MAX);
  }
}

static void *vcpu_thread(void *arg) {
  struct vcpu *v = arg;
  struct machine *m = v->c->machine;
  for (;;) {
    __atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
    if (ended(m)) return NULL;
    vcpu_refill(v);
    switch (v->c->engine_ops->run(v)) {
    case EXIT_NONE:
    case EXIT_KICK:
    case EXIT_BUDGET: break;
    case EXIT_WAIT: wait_for_interrupt(m, v); break;
    case EXIT_SHUTDOWN: return NULL;
    case EXIT_TRAP:
      log_error("vCPU %u: engine %s left a trap undelivered", v->c->index, v->c->engine_ops->name);
      machine_end(m, END_ERROR, 0);
      break;
    case EXIT_ERROR: machine_end(m, END_ERROR, 0); break;
    }
  }
}

static void timed_out(void *opaque) { machine_end(opaque, END_TIMEOUT, 0); }

enum machine_end machine_run(struct machine *m, uint64_t timeout_ns) {
  pthread_t thread[MACHINE_MAX_VCPUS];
  unsigned started = 1;
  struct machine_timer *timeout = NULL;

  for (unsigned i = 0; i < m->nvcpus; i++)
    if (!m->vcpu[i]->c->engine_ops) log_bug("vCPU %u has no engine", i);
  if (timeout_ns) {
    timeout = machine_timer_new(m, timed_out, m);
    if (!timeout) {
      log_error("cannot set the time-out: out of memory");
      machine_end(m, END_ERROR, 0);
    } else {
      machine_timer_set(timeout, clock_ns() + timeout_ns);
    }
  }
  int r = loop_start(m);
  if (r) {
    log_error("cannot start the event loop's thread: %s", strerror(-r));
    machine_end(m, END_ERROR, 0);
  }
  for (; !ended(m) && started < m->nvcpus; started++) {
    r = pthread_create(&thread[started], NULL, vcpu_thread, m->vcpu[started]);
    if (r) {
      log_error("cannot start the thread of vCPU %u: %s", started, strerror(r));
      machine_end(m, END_ERROR, 0);
      break;
    }
  }
  if (m->nvcpus) vcpu_thread(m->vcpu[0]);
  for (unsigned i = 1; i < started; i++) pthread_join(thread[i], NULL);
  loop_stop(m);
  if (timeout) machine_timer_set(timeout, UINT64_MAX);
  return ended(m);
}
