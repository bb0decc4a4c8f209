/* The engine: which code runs next, what an exit asks for, and its life cycle. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/isa.h"
#include "core/log.h"
#include "core/trace.h"
#include "jit/observe.h"
#include "mem/space.h"
#include "mem/tlb.h"
#include "os/fault.h"

#define SLICE 131072 /* instructions between two looks at timers, interrupts and kicks */

struct jit_options jit_options = {.threshold = 24,
                                  .memory = (size_t)32 << 20,
                                  .max_insns = 64,
                                  .highest = TIER_BLOCK,
                                  .reproducer = -1,
                                  .policy = &tier_by_count};

/* ---- what runs next ---- */

bool jit_page(struct jit *j, gva_t pc, gpa_t *page) {
  struct vcpu *v = j->v;
  const uint8_t *host;
  *page = pc & GUEST_PAGE_MASK;
  return j->direct || (v->tag_fetch && !tlb_fetch(v, pc, page, &host) && host && tlb_fetch_whole(v, pc));
}

/* The translated block at v->pc, if that can be said without the interpreter. v->pcbase is set then. */
static struct block *known(struct jit *j) {
  struct vcpu *v = j->v;
  const gva_t base = v->pc & GUEST_PAGE_MASK;
  gpa_t page;
  if (!jit_page(j, v->pc, &page)) return NULL;
  struct block *b = jit_known(j, page, (unsigned)(v->pc - base));
  if (!b || !b->code) return NULL;
  v->pcbase = base;
  return b;
}

static const void *remember(struct jit *j, struct block *b) {
  const void *code = executable(j, b->code);
  *jump_slot(j, j->v->pc) = (struct cg_jump){.pc = j->v->pc, .key = j->env.key, .code = code, .owner = b};
  return code;
}

/* Called from code, at a boundary, when the jump table does not know the address. */
static uint64_t look(struct vcpu *v, uint64_t pc) {
  struct jit *j = jit_of(v);
  v->pc = pc;
  struct block *b = known(j);
  if (b) j->env.next = remember(j, b);
  j->n.lookups++;
  return b != NULL;
}

/* Translated code for v->pc, or NULL with *d the decoded instruction, or NULL with a trap raised. v->pcbase is set. */
static const void *find(struct jit *j, const struct insn **d, struct block **block) {
  struct vcpu *v = j->v;
  const struct cg_jump *e = jump_slot(j, v->pc);
  *d = NULL;
  /* Where no TLB is asked the other table is as fast, and smaller: short programs do not touch this one. */
  if (!j->direct && e->pc == v->pc && e->key == j->env.key) {
    v->pcbase = v->pc & GUEST_PAGE_MASK;
    *block = e->owner;
    return e->code;
  }
  j->n.lookups++;
  if ((*block = known(j))) return remember(j, *block);
  *d = interp_miss(v);
  if (!*d) return NULL;
  gpa_t page;
  const bool crosses = !interp_source(v, *d, &page);
  if (crosses && (!j->direct || !interp_crosses(v, *d))) return NULL; /* or is protected piecewise */
  if (crosses) page = v->pc & GUEST_PAGE_MASK;
  struct block *b = jit_block(j, page, (unsigned)(v->pc & ~GUEST_PAGE_MASK));
  if (!b || b->refused) return NULL;
  b->crosses = crosses;
  if (!b->code && tier_entered(&jit_options, j->threshold, ++b->heat) < TIER_BLOCK) return NULL;
  if (!b->code && jit_compile(j, b)) {
    b->refused = true;
    j->n.refused++;
    return NULL;
  }
  jit_context(j); /* room may have been made: what the jump table says of it is void */
  *block = b;
  return remember(j, b);
}

gva_t jit_target(const struct jit *j, const struct exit *x) {
  return (j->direct ? 0 : j->v->pcbase) + (gva_t)x->e.pc;
}

/* The interpreter for a while; *left counts. */
static int interpret(struct jit *j, int64_t *left, bool one) {
  int64_t before = j->v->budget;
  int step = interp_straight(j->v, one ? 1 : *left);
  *left -= before - j->v->budget;
  j->n.interpreted += (uint64_t)(before - j->v->budget);
  return step;
}

/* A handler ended with something else than STEP_NEXT; v->pc is its instruction, not retired. */
static int after_handler(struct jit *j, const struct exit *x, int64_t *left) {
  struct vcpu *v = j->v;
  const gva_t pc = jit_target(j, x);
  if (j->step == STEP_TRAP) {
    v->pc = pc;
    if (v->c->trap.kind == TRAP_EXACT) return interpret(j, left, true);
    return STEP_TRAP;
  }
  v->budget--;
  (*left)--;
  switch (j->step) {
  case STEP_JUMP: v->pc = j->jumped; return STEP_NEXT;
  case STEP_JUMP_END: v->pc = j->jumped; return STEP_END;
  case STEP_RESTART: v->pc = pc; return STEP_NEXT;
  default: v->pc = pc + x->insn->len; return j->step; /* STEP_END, STEP_WAIT */
  }
}

static int after(struct jit *j, uint64_t result, int64_t *left) {
  struct vcpu *v = j->v;
  const uint32_t n = (uint32_t)(result - 1);
  const struct exit *x = result == CG_GOES ? NULL : exit_of(j, n);
  observe_exit(j, x);
  if (!x) return STEP_NEXT;
  switch (x->e.kind) {
  case CG_EXIT_COUNT:
    v->pc = jit_target(j, x);
    if (j->base <= 0) return interpret(j, left, false);
    *left = 0; /* it is only the slice that ends, which need not be exact */
    return STEP_NEXT;
  case IX_JUMP: {
    const struct insn *d;
    struct block *b;
    const uint32_t losses = j->losses;
    const bool fixed = x->e.fixed;
    if (fixed) v->pc = jit_target(j, x); /* else the code has said it */
    /* If room had to be made, number n may be another block's exit by now. */
    if (!j->check && find(j, &d, &b) && b && losses == j->losses) (fixed ? jit_link : jit_way)(j, n, b);
    return STEP_NEXT; /* what find had to say it says again */
  }
  case IX_INTERP: return interpret(j, left, true);
  case IX_STEP: {
    struct exit copy = *x;
    return after_handler(j, &copy, left);
  }
  case IX_END: return STEP_END;
  case IX_WAIT: return STEP_WAIT;
  default: log_error("internal error: translated code left in an unknown way (%u)", x->e.kind); abort();
  }
}

static int jit_slice(struct vcpu *v) {
  struct jit *j = jit_of(v);
  struct vcpu_common *c = v->c;
  if (c->stepping || c->stops.step || (c->trace && c->trace->insn) || (c->watch && c->watch->exec) ||
      jit_options.highest == TIER_INTERP)
    return interp_slice(v);
  int64_t left = v->budget < SLICE ? v->budget : SLICE;
  int step = STEP_NEXT;
  jit_running(j);
  while (left > 0 && step == STEP_NEXT && !__atomic_load_n(&v->kick, __ATOMIC_RELAXED)) {
    const struct insn *d;
    struct block *b;
    jit_context(j); /* code and interpreter may have changed it */
    const void *code = find(j, &d, &b);
    if (!code) {
      step = d ? interpret(j, &left, false) : STEP_TRAP;
      continue;
    }
    j->base = v->budget - left;
    j->adjust = 0;
    j->n.entries++;
    uint64_t result;
    if (j->check) {
      if (!check_enter(j, code, left, b, &result)) return STEP_BROKEN;
    } else {
      result = j->enter(v, code, left);
    }
    left = j->env.count + j->adjust;
    v->budget = left + j->base;
    step = after(j, result, &left);
  }
  return step;
}

static enum vcpu_exit jit_run(struct vcpu *v) { return interp_loop(v, jit_slice); }

/* ---- life cycle ---- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct jit *all;

bool jit_single(const struct jit *j) {
  pthread_mutex_lock(&all_lock);
  const bool single = all == j && !j->link;
  pthread_mutex_unlock(&all_lock);
  return single;
}

/* Code memory, and what belongs to translating: of programs with the first block, for most threads and programs are short. */
int jit_ready(struct jit *j) {
  if (j->code.rw) return 0;
  if (!j->cg) j->cg = cg_new();
  if (!j->by_handler) j->by_handler = calloc(j->v->c->isa->nleaves + 1, 1);
  if (!j->cg || !j->by_handler) return -ENOMEM;
  int rc = os_code_map(&j->code, jit_options.memory);
  if (rc) return rc;
  uint8_t *at = j->code.rw;
  cg_write_common(j->guest, j->check != NULL, &at, &j->common);
  os_code_written(&j->code, j->code.rw, (size_t)(at - j->code.rw));
  observe_shared(j, j->code.rw, at);
  const void *enter = executable(j, j->common.enter);
  memcpy(&j->enter, &enter, sizeof enter);
  at = (uint8_t *)(((uintptr_t)at + 63) & ~(uintptr_t)63);
  size_t each = ((size_t)(j->code.rw + j->code.size - at) / SEGMENTS) & ~(size_t)63;
  for (unsigned s = 0; s < SEGMENTS; s++) {
    struct segment *g = &j->segment[s];
    g->from = g->at = at + s * each;
    g->end = g->from + each;
  }
  return 0;
}

/* A forked child has the calling thread alone, and begins without code memory: what it inherits is its parent's too. */
static void in_child(struct jit *j) {
  all = j;
  if (!j) return;
  j->link = NULL;
  observe_child();
  j->ending = true;
  for (unsigned s = 0; s < SEGMENTS; s++) jit_empty(j, s);
  j->ending = false;
  os_code_unmap(&j->code);
}

static void jit_fork(enum engine_fork when) {
  if (when == FORK_BEFORE) {
    pthread_mutex_lock(&all_lock);
    return;
  }
  if (when == FORK_CHILD) in_child(jit_now());
  pthread_mutex_unlock(&all_lock);
}

static int jit_probe(const struct isa *isa, char *why, size_t n) {
  if (!isa->guest) {
    snprintf(why, n, "%s has no lifter", isa->name);
    return -ENOTSUP;
  }
  struct os_code c;
  int rc = os_code_map(&c, 4096);
  if (rc) {
    snprintf(why, n, "the host gives no executable memory (%s)", strerror(-rc));
    return rc;
  }
  os_code_unmap(&c);
  return interp_engine.probe(isa, why, n);
}

static void jit_destroy(struct vcpu *v) {
  struct jit *j = jit_of(v);
  if (!j) return;
  pthread_mutex_lock(&all_lock);
  struct jit **at = &all;
  while (*at && *at != j) at = &(*at)->link;
  if (*at) *at = j->link;
  observe_end(j);
  pthread_mutex_unlock(&all_lock);
  if (jit_now() == j) jit_running(NULL);
  j->ending = true;
  jit_gone(v, ~(gpa_t)0);
  v->c->jit = NULL;
  v->helpers = NULL;
  for (unsigned s = 0; s < SEGMENTS; s++) {
    jit_empty(j, s);
    free(j->segment[s].exit);
    free(j->segment[s].fault);
    free(j->segment[s].blocks);
  }
  os_code_unmap(&j->code);
  cg_free(j->cg);
  check_free(j);
  jit_free_blocks(j);
  free(j->by_handler);
  munmap(j, sizeof *j);
  interp_engine.destroy(v);
}

static int jit_create(struct vcpu *v) {
  if (v->c->space && !space_guarded(v->c->space)) {
    log_error(
        "translated code needs the addresses above the program's, which something else has (a sanitizer?): "
        "choose --accel interp");
    return -ENOTSUP;
  }
  int rc = interp_engine.create(v);
  if (rc) return rc;
  /* Fresh pages read as zero and cost nothing before they are used. */
  struct jit *j = mmap(NULL, sizeof *j, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (j == MAP_FAILED) {
    rc = -ENOMEM;
    goto out;
  }
  j->v = v;
  j->guest = v->c->isa->guest;
  j->features = cg_features();
  j->direct = v->c->space != NULL;
  j->threshold = jit_options.threshold;
  j->env.cold = jit_cold;
  j->env.slow = jit_slow;
  j->env.ask = jit_ask;
  j->env.soft = jit_soft;
  j->env.packed = jit_packed;
  cg_sticky(j->guest, j->env.sticky);
  j->env.handler = jit_handler;
  j->env.look = look;
  rc = jit_options.check ? check_new(j) : 0;
  /* A machine's process gives up what it takes to have executable memory. */
  if (!rc && !j->direct && (rc = jit_ready(j))) check_free(j);
  if (rc) {
    cg_free(j->cg);
    free(j->by_handler);
    munmap(j, sizeof *j);
    goto out;
  }
  v->helpers = &j->env;
  v->c->jit = j;
  interp_of(v)->gone = jit_gone;
  if (j->direct) os_fault_hooks(jit_fault, NULL);
  pthread_mutex_lock(&all_lock);
  j->link = all;
  all = j;
  pthread_mutex_unlock(&all_lock);
  return 0;
out:
  interp_engine.destroy(v);
  return rc;
}

static int get_state(struct vcpu *v) {
  (void)v;
  return 0;
}

/* Snapshots change context and code behind our back. */
static int set_state(struct vcpu *v) {
  if (jit_of(v)) jit_of(v)->context = 0;
  return interp_engine.set_state(v);
}

static bool number(const char *text, const char *key, uint64_t *out) {
  size_t n = strlen(key);
  char *end;
  if (strncmp(text, key, n) || text[n] != '=' || !text[n + 1]) return false;
  *out = strtoull(text + n + 1, &end, 0);
  return !*end && *out;
}

static int jit_option(const char *text, char *why, size_t n) {
  uint64_t k;
  if (!strcmp(text, "check")) {
    jit_options.check = true;
    return 0;
  }
  if (!strcmp(text, "replaying")) {
    jit_options.replaying = true;
    return 0;
  }
  if (!strncmp(text, "reproducer=", 11)) { /* descriptor:name */
    char *name;
    jit_options.reproducer = (int)strtol(text + 11, &name, 10);
    snprintf(jit_options.reproducer_name, sizeof jit_options.reproducer_name, "%s", *name ? name + 1 : "");
    return 0;
  }
  if (strncmp(text, "jit:", 4)) return observe_option(text, why, n);
  text += 4;
  if (number(text, "threshold", &k)) jit_options.threshold = (unsigned)k;
  else if (number(text, "insns", &k)) jit_options.max_insns = k < 64 ? (unsigned)k : 64;
  else if (number(text, "tlb", &k)) tlb_limit((unsigned)k);
  else if (number(text, "plant", &k)) jit_options.plant = k;
  else if (number(text, "memory", &k) && k >= 65536) jit_options.memory = (size_t)k & ~(size_t)4095;
  else {
    snprintf(why, n, "--jit takes threshold=N, insns=N, tlb=N or memory=BYTES (65536 at least), not '%s'",
             text);
    return -EINVAL;
  }
  return 0;
}

static void jit_count(const struct vcpu *v,
                      void (*each)(void *data, const char *key, const char *text, uint64_t n), void *data) {
  pthread_mutex_lock(&all_lock);
  observe_count(v, all, each, data);
  pthread_mutex_unlock(&all_lock);
}

const struct engine_ops jit_engine = {
    .name = "jit",
    .probe = jit_probe,
    .create = jit_create,
    .destroy = jit_destroy,
    .run = jit_run,
    .get_state = get_state,
    .set_state = set_state,
    .kick = vcpu_kick,
    .option = jit_option,
    .fork = jit_fork,
    .count = jit_count,
};
