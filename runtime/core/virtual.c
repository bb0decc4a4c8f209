/* Deterministic mode (virtual.h): the clock made of instruction counts, and the one loop that runs a machine by it. */
#include "core/virtual.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/isa.h"
#include "core/log.h"
#include "core/loop.h"

/* splitmix64 expands the seed, xoshiro256** draws (Blackman and Vigna, 2018). */
static uint64_t splitmix(uint64_t *x) {
  uint64_t z = *x += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

static uint64_t draw(uint64_t s[4]) {
  uint64_t r = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl(s[3], 45);
  return r;
}

int virtual_enable(struct machine *m, uint64_t seed) {
  m->virt = calloc(1, sizeof *m->virt);
  if (!m->virt) {
    log_error("deterministic mode: out of memory");
    return -ENOMEM;
  }
  for (int i = 0; i < 4; i++) m->virt->rng[i] = splitmix(&seed);
  m->epoch_ns = 0;
  return 0;
}

int virtual_random(struct machine *m, void *buf, size_t n) {
  uint8_t *at = buf;
  if (m->virt->drought) return -EAGAIN;
  while (n) {
    uint64_t word = draw(m->virt->rng);
    size_t part = n < sizeof word ? n : sizeof word;
    memcpy(at, &word, part);
    at += part;
    n -= part;
  }
  return 0;
}

uint64_t virtual_insns(const struct machine *m) { return m->nvcpus ? vcpu_retired(m->vcpu[0]) : 0; }

uint64_t virtual_now(const struct machine *m) {
  return virtual_insns(m) * VIRTUAL_INSN_NS + m->virt->skip_ns;
}

void virtual_stop(struct machine *m) {
  m->virt->stop = true;
  vcpu_kick(m->vcpu[0]);
}

static uint64_t deadline(struct vcpu *v) {
  const struct arch_ops *arch = v->c->isa->arch;
  return arch->deadline ? arch->deadline(v) : UINT64_MAX;
}

/* Sets the budget to what is left until the next event. A deadline that has passed is no event: either its interrupt is
 * taken next or something closes it off, and what opens it ends a slice. */
static void resched(struct vcpu *v) {
  struct machine *m = v->c->machine;
  const struct virtual_time *t = m->virt;
  uint64_t now = virtual_now(m), done = vcpu_retired(v), next = loop_next(m), d = deadline(v),
           n = INT64_MAX / 4;
  if (d > now && d < next) next = d;
  if (t->until_ns < next) next = t->until_ns;
  if (next <= now) n = 0;
  else if ((next - now - 1) / VIRTUAL_INSN_NS < n) n = (next - now - 1) / VIRTUAL_INSN_NS + 1;
  vcpu_sample(v);
  uint64_t left = t->until_insns > done ? t->until_insns - done : 0;
  if (v->c->sample && v->c->sample_at - done < left) left = v->c->sample_at - done;
  vcpu_set_budget(v, (int64_t)(left < n ? left : n));
}

/* The vCPU waits: lets time pass to the next event. False when there is none. */
static bool pass(struct machine *m, struct vcpu *v) {
  struct virtual_time *t = m->virt;
  const struct arch_ops *arch = m->isa->arch;
  if (!arch->wake || arch->wake(v)) {
    t->waiting = false;
    return true;
  }
  uint64_t now = virtual_now(m), next = loop_next(m), d = deadline(v);
  if (d < next) next = d;
  if (t->until_ns < next) next = t->until_ns;
  if (next == UINT64_MAX) return false;
  t->skip_ns += next > now ? next - now : 1;
  return true;
}

enum virtual_end virtual_run(struct machine *m, uint64_t insns, uint64_t ns) {
  struct virtual_time *t = m->virt;
  struct vcpu *v = m->vcpu[0];
  t->until_insns = insns;
  t->until_ns = ns;
  v->c->resched = resched;
  for (;;) {
    __atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
    if (m->end) return VIRTUAL_ENDED;
    if (t->stop) {
      t->stop = false;
      return VIRTUAL_STOPPED;
    }
    loop_fire(m, virtual_now(m));
    if (m->end || t->stop) continue;
    if (vcpu_retired(v) >= insns) return VIRTUAL_INSNS;
    if (virtual_now(m) >= ns) return VIRTUAL_TIME;
    if (t->waiting) {
      if (!pass(m, v)) return VIRTUAL_IDLE;
      continue;
    }
    switch (v->c->engine_ops->run(v)) {
    case EXIT_NONE:
    case EXIT_KICK:
    case EXIT_BUDGET: break;
    case EXIT_WAIT: t->waiting = true; break;
    case EXIT_SHUTDOWN: return VIRTUAL_ENDED;
    case EXIT_TRAP:
      log_error("vCPU %u: engine %s left a trap undelivered", v->c->index, v->c->engine_ops->name);
      return VIRTUAL_ERROR;
    case EXIT_ERROR: return VIRTUAL_ERROR;
    }
  }
}
