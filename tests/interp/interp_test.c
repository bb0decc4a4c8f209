/* The interpreter's cache and its generated run loop, on a small ISA of the test's own (instruction unit 2, lengths 2
 * and 4). The oracle is `ref_run`: it reads every instruction afresh from memory and knows no cache. tests/test_interp.py
 * renders the run loop and builds this. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "core/engine.h"
#include "core/trace.h"
#include "fake/insn.h"
#include "interp/interp.h"
#include "mem/phys.h"
#include "mem/tlb.h"

enum { MEM = FAKE_MEM, FAULT = 1, ILLEGAL, TRAP };
const struct isa *const isa_list[] = {NULL};
int fake_run(struct vcpu *v);
extern const uint16_t fake_disp[];
const void *const *fake_labels(void);

/* ---- the fake ISA ---- */

static gva_t remap_page, remap_to; /* one page that translates elsewhere */

static int fk_translate(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  if (va >= MEM) return vcpu_trap(v, FAULT, 2, va, access, 0);
  gpa_t pa = remap_page && (va & GUEST_PAGE_MASK) == remap_page ? remap_to | (va & ~GUEST_PAGE_MASK) : va;
  *out = (struct translation){.pa = pa, .size = 4096, .prot = 7};
  return 0;
}
static int fk_bus(struct vcpu *v, gva_t va, enum access access) {
  return vcpu_trap(v, FAULT, 2, va, access, 1);
}
static int fk_illegal(struct vcpu *v, uint64_t bits, unsigned len) {
  return vcpu_trap(v, ILLEGAL, 2, bits, len, 0);
}
static void fk_deliver(struct vcpu *v) { v->pc = 0; }
static void fk_context(struct vcpu *v) { v->tag_fetch = v->tag_data = tlb_context(v, 0, 0); }
static bool never(struct vcpu *v) {
  (void)v;
  return false;
}
static const struct arch_ops fk_arch = {.translate = fk_translate,
                                        .bus_fault = fk_bus,
                                        .illegal = fk_illegal,
                                        .deliver = fk_deliver,
                                        .context = fk_context,
                                        .interrupt = never,
                                        .wake = never};

static int fk_decode(uint64_t features, const uint8_t *b, size_t n, struct insn *d) {
  (void)features;
  struct fake_insn *f = (struct fake_insn *)d;
  static const uint8_t len[] = {0, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2};
  static const uint8_t flags[] = {
      0, 0, INSN_ENDS | INSN_FALLS, INSN_ENDS, 0, INSN_ENDS, INSN_ENDS, INSN_ENDS, 0, 0, INSN_ENDS};
  if (n < 2) return -1;
  d->len = b[0] & 0x80 ? 4 : 2;
  if (n < d->len) return -1;
  unsigned op = b[0] & 0x7f;
  if (!op || op >= sizeof len || len[op] != d->len) return 0;
  d->op = (uint16_t)op;
  d->flags = flags[op];
  d->k = 0;
  f->a = b[1];
  f->imm = d->len == 4 ? (int16_t)(b[2] | b[3] << 8) : 0;
  return d->len;
}

static int c_addi(struct vcpu *v, const struct insn *d) { return hi_addi(v, d); }
static int linked(struct vcpu *v, int step, gva_t to) {
  if (step != STEP_LINK) return step;
  v->pc = to;
  return STEP_JUMP;
}
static int c_bnez(struct vcpu *v, const struct insn *d) {
  gva_t to = 0;
  int step = hi_bnez(v, d, &to);
  return linked(v, step, to);
}
static int c_jmp(struct vcpu *v, const struct insn *d) {
  gva_t to = 0;
  int step = hi_jmp(v, d, &to);
  return linked(v, step, to);
}
static int c_store(struct vcpu *v, const struct insn *d) { return hi_store(v, d); }
static int c_end(struct vcpu *v, const struct insn *d) {
  (void)v, (void)d;
  return STEP_END;
}
static int c_trap(struct vcpu *v, const struct insn *d) { return vcpu_trap(v, TRAP, 1, OF(d)->a, 0, 0); }
static int c_wait(struct vcpu *v, const struct insn *d) {
  (void)v, (void)d;
  return STEP_WAIT;
}
static int c_rep(struct vcpu *v, const struct insn *d) {
  struct fake_vcpu *f = (struct fake_vcpu *)v;
  (void)d;
  f->x[1] += 3;
  return (--f->x[0] & 15) ? STEP_RESTART : STEP_NEXT;
}
static int c_count(struct vcpu *v, const struct insn *d) {
  ((struct fake_vcpu *)v)->x[OF(d)->a & 7] = vcpu_retired(v);
  return STEP_NEXT;
}
static int c_jr(struct vcpu *v, const struct insn *d) {
  v->pc = ((struct fake_vcpu *)v)->x[OF(d)->a & 7] & ~1ull;
  return STEP_JUMP;
}
insn_fn *const fake_exec[] = {NULL,   c_addi, c_bnez, c_jmp,   c_store, c_end,
                              c_trap, c_wait, c_rep,  c_count, c_jr};

/* Pairs of the run loop that tests/test_interp.py makes, from dispatch index FUSED on (0: it makes none). */
static unsigned fk_fuse(const struct insn *a, const struct insn *b) {
  enum { ADDI_ = 1, BNEZ_ = 2, STORE_ = 4 };
  if (a->op == ADDI_ && b->op == BNEZ_ && !((OF(a)->a ^ OF(b)->a) & 7)) return FUSED + 1;
  if (b->op == ADDI_) return a->op == ADDI_ ? FUSED : a->op == STORE_ ? FUSED + 2 : 0;
  return 0;
}

static struct isa fake = {.name = "fake",
                          .insn_unit = 2,
                          .insn_max = 4,
                          .insn_size = sizeof(struct fake_insn),
                          .vcpu_size = sizeof(struct fake_vcpu),
                          .nleaves = 11,
                          .exec = fake_exec,
                          .decode = fk_decode,
                          .run = fake_run,
                          .labels = fake_labels,
                          .disp = fake_disp,
                          .fuse = FUSED ? fk_fuse : NULL,
                          .arch = &fk_arch};

/* ---- the oracle: executes n steps or until a trap or wait; returns the trap kind, 0, or -1 for wait ---- */

struct ref {
  uint8_t mem[MEM];
  uint64_t x[8], pc, retired;
  uint64_t arg0;
};

static int ref_run(struct ref *r, uint64_t n) {
  while (n--) {
    uint8_t b[4] = {0};
    if (r->pc + 2 > MEM) return r->arg0 = r->pc, FAULT;
    memcpy(b, r->mem + r->pc, 2);
    unsigned len = b[0] & 0x80 ? 4 : 2, op = b[0] & 0x7f, a = b[1];
    if (r->pc + len > MEM) return r->arg0 = r->pc + 2, FAULT;
    memcpy(b, r->mem + r->pc, len);
    int64_t imm = (int16_t)(b[2] | b[3] << 8);
    bool wide = op >= 1 && op <= 3;
    if (!op || op > 10 || wide != (len == 4)) return ILLEGAL;
    uint64_t next = r->pc + len;
    switch (op) {
    case 1: r->x[a & 7] += (uint64_t)imm; break;
    case 2:
      if (r->x[a & 7]) next = r->pc + (uint64_t)(imm * 2);
      break;
    case 3: next = r->pc + (uint64_t)(imm * 2); break;
    case 4: r->mem[r->x[a >> 4 & 7] % MEM] = (uint8_t)r->x[a & 7]; break;
    case 6: r->arg0 = a; return TRAP;
    case 8:
      r->x[1] += 3;
      if (--r->x[0] & 15) next = r->pc;
      break;
    case 9: r->x[a & 7] = r->retired; break;
    case 10: next = r->x[a & 7] & ~1ull; break;
    }
    r->pc = next;
    r->retired++;
    if (op == 7) return -1;
  }
  return 0;
}

/* ---- tests ---- */

struct rig {
  struct phys *phys;
  struct vcpu *v;
  uint8_t *ram;
};

static int setup(void **state) {
  struct rig *r = calloc(1, sizeof *r);
  remap_page = 0;
  fake.run = fake_run;
  r->phys = phys_new();
  assert_int_equal(phys_add_ram(r->phys, 0, MEM, "ram"), 0);
  r->ram = phys_ptr(r->phys, 0, MEM, true);
  r->v = vcpu_new(&fake, r->phys, 0, 0);
  assert_int_equal(engine_select(r->v, "auto"), 0);
  r->v->c->trap_exits = true;
  *state = r;
  return 0;
}

static int teardown(void **state) {
  struct rig *r = *state;
  vcpu_free(r->v);
  phys_free(r->phys);
  free(r);
  return 0;
}

#define ADDI(r, i)      0x81, (r), (uint8_t)(i), (uint8_t)((i) >> 8)
#define BNEZ(r, halves) 0x82, (r), (uint8_t)(halves), (uint8_t)((halves) >> 8)
#define JMP(halves)     0x83, 0, (uint8_t)(halves), (uint8_t)((halves) >> 8)
#define STORE(at, val)  4, (uint8_t)((at) << 4 | (val))
#define END             5, 0
#define TRAPN(n)        6, (n)
#define WAIT            7, 0
#define COUNT(r)        9, (r)
#define JR(r)           10, (r)
#define PUT(r, at, ...)                               \
  do {                                                \
    const uint8_t code_[] = {__VA_ARGS__};            \
    phys_write((r)->phys, (at), code_, sizeof code_); \
  } while (0)

static struct fake_vcpu *fv(struct rig *r) { return (struct fake_vcpu *)r->v; }

static enum vcpu_exit go(struct rig *r, gva_t pc, int64_t budget) {
  r->v->pc = pc;
  vcpu_set_budget(r->v, budget);
  __atomic_store_n(&r->v->kick, 0, __ATOMIC_SEQ_CST);
  return r->v->c->engine_ops->run(r->v);
}

static void test_counts_are_exact(void **state) {
  struct rig *r = *state;
  PUT(r, 0, ADDI(1, 1), ADDI(2, 2), ADDI(0, -1), BNEZ(0, -6), COUNT(3), TRAPN(7));
  fv(r)->x[0] = 100000;
  uint64_t before = vcpu_retired(r->v);
  assert_int_equal(go(r, 0, INT64_MAX / 2), EXIT_TRAP);
  assert_int_equal(fv(r)->x[1], 100000);
  assert_int_equal(fv(r)->x[2], 200000);
  assert_int_equal(fv(r)->x[3] - before, 400000); /* what COUNT saw: everything before it */
  assert_int_equal(vcpu_retired(r->v) - before, 400001);
  assert_int_equal(r->v->pc, 18);
  assert_int_equal(r->v->c->trap.kind, TRAP);
  assert_int_equal(r->v->c->stats.traps[TRAP], 1);
}

static void test_budget_ends_on_the_instruction(void **state) {
  struct rig *r = *state;
  PUT(r, 0, ADDI(1, 1), ADDI(2, 2), ADDI(0, -1), BNEZ(0, -6), TRAPN(7));
  for (int64_t n = 1; n < 40000; n += n < 50 ? 1 : 997) {
    memset(fv(r)->x, 0, sizeof fv(r)->x);
    fv(r)->x[0] = 1 << 20;
    uint64_t before = vcpu_retired(r->v);
    assert_int_equal(go(r, 0, n), EXIT_BUDGET);
    assert_int_equal(vcpu_retired(r->v) - before, n);
    assert_int_equal(r->v->pc, n % 4 * 4);
    assert_int_equal(fv(r)->x[1], n / 4 + (n % 4 > 0));
  }
}

static void test_kick_leaves_a_loop(void **state) {
  struct rig *r = *state;
  PUT(r, 0, JMP(0));
  pthread_t t;
  pthread_create(&t, NULL, (void *(*)(void *))(void *)vcpu_kick, r->v);
  r->v->pc = 0;
  vcpu_set_budget(r->v, INT64_MAX / 2);
  assert_int_equal(r->v->c->engine_ops->run(r->v), EXIT_KICK);
  pthread_join(t, NULL);
}

static void test_store_into_own_run(void **state) {
  struct rig *r = *state;
  /* The store at 8 changes the immediate of the instruction right behind it. */
  PUT(r, 0, ADDI(1, 12), ADDI(2, 5), STORE(1, 2), ADDI(3, 1), TRAPN(0));
  assert_int_equal(go(r, 0, 1000), EXIT_TRAP);
  (void)r;
  assert_int_equal(fv(r)->x[3], 5);
  memset(fv(r)->x, 0, sizeof fv(r)->x); /* once more, now with everything decoded and the immediate 5 */
  fv(r)->x[2] = 4;
  assert_int_equal(go(r, 0, 1000), EXIT_TRAP);
  assert_int_equal(fv(r)->x[3], 9);
  assert_true(r->v->c->stats.code_invalidations >= 2);
}

static void test_instruction_across_pages(void **state) {
  struct rig *r = *state;
  PUT(r, 4094, ADDI(1, 3), ADDI(0, -1), BNEZ(0, -4), TRAPN(1));
  fv(r)->x[0] = 50;
  assert_int_equal(go(r, 4094, 1000000), EXIT_TRAP);
  assert_int_equal(fv(r)->x[1], 150);
  PUT(r, 4096, 9, 0); /* the second half alone changes: ADDI(1, 9) */
  fv(r)->x[0] = 2, fv(r)->x[1] = 0;
  assert_int_equal(go(r, 4094, 1000000), EXIT_TRAP);
  assert_int_equal(fv(r)->x[1], 18);
  PUT(r, MEM - 2, 0x81,
      1); /* the second half is not mapped: the fault names its page, the PC the instruction */
  assert_int_equal(go(r, MEM - 2, 10), EXIT_TRAP);
  assert_int_equal(r->v->c->trap.kind, FAULT);
  assert_int_equal(r->v->c->trap.arg[0], MEM);
  assert_int_equal(r->v->pc, MEM - 2);
}

static void test_illegal_and_fetch_faults(void **state) {
  struct rig *r = *state;
  PUT(r, 0, ADDI(1, 1), 0x7f, 0x12);
  assert_int_equal(go(r, 0, 10), EXIT_TRAP);
  assert_int_equal(r->v->c->trap.kind, ILLEGAL);
  assert_int_equal(r->v->c->trap.arg[0], 0x127f);
  assert_int_equal(r->v->c->trap.arg[1], 2);
  assert_int_equal(r->v->pc, 4);
  PUT(r, 4, WAIT); /* the same place becomes legal */
  assert_int_equal(go(r, 0, 10), EXIT_WAIT);
  assert_int_equal(r->v->pc, 6);
  assert_int_equal(go(r, MEM + 8, 10), EXIT_TRAP);
  assert_int_equal(r->v->c->trap.kind, FAULT);
  assert_int_equal(r->v->pc, MEM + 8);
  assert_int_equal(go(r, 3, 10), EXIT_TRAP); /* misaligned */
  assert_int_equal(r->v->c->trap.arg[2], 1);
}

static void test_remapped_page(void **state) {
  struct rig *r = *state;
  PUT(r, 0, JMP(0x800));
  PUT(r, 0x1000, ADDI(1, 1), TRAPN(0));
  PUT(r, 0x2000, ADDI(1, 100), TRAPN(0));
  assert_int_equal(go(r, 0, 10), EXIT_TRAP);
  remap_page = 0x1000, remap_to = 0x2000;
  tlb_flush_page(r->v, 0x1000);
  assert_int_equal(go(r, 0, 10), EXIT_TRAP);
  assert_int_equal(fv(r)->x[1], 101);
}

static void *other_thread(void *opaque) {
  struct rig *r = opaque;
  PUT(r, 2, 5, 0);
  return NULL;
}

static void test_write_by_another_thread(void **state) {
  struct rig *r = *state;
  PUT(r, 0, ADDI(1, 1), TRAPN(0));
  assert_int_equal(go(r, 0, 10), EXIT_TRAP);
  pthread_t t;
  pthread_create(&t, NULL, other_thread, r);
  pthread_join(t, NULL);
  assert_int_equal(r->v->kick, 1);
  assert_int_equal(go(r, 0, 10), EXIT_TRAP);
  assert_int_equal(fv(r)->x[1], 6);
}

static void test_cache_is_bounded(void **state) {
  struct rig *r = *state;
  for (unsigned page = 0; page < 15; page++) PUT(r, page * 4096, ADDI(1, 1), JMP(2046));
  PUT(r, 15 * 4096, ADDI(0, -1), BNEZ(0, 3), TRAPN(1), JR(7)); /* x7 = 0: around again */
  for (int round = 0; round < 3; round++) {
    interp_limit(r->v, round ? 4 : 4096, round == 2 ? 10 : 1 << 20);
    fv(r)->x[0] = 20, fv(r)->x[1] = 0;
    assert_int_equal(go(r, 0, 100000), EXIT_TRAP);
    assert_int_equal(fv(r)->x[1], 300);
    struct interp_usage u = interp_usage(r->v);
    if (round) assert_true(u.pages <= 4);
    if (round == 2) assert_true(u.insns <= 10 + 8);
  }
}

static uint64_t seed;
static uint64_t rnd(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static unsigned traced;
static void on_insn(struct vcpu *v, const struct insn *d) { (void)v, (void)d, traced++; }
static const struct trace_ops counter = {.insn = on_insn};

/* Random programs that jump about, modify themselves and cross pages, under every way of running, against the oracle. */
static void random_programs(struct rig *r, int mode) {
  static struct ref ref;
  for (int n = 0; n < 400; n++) {
    memset(&ref, 0, sizeof ref);
    for (unsigned at = 0; at < MEM; at += 2) {
      unsigned op = rnd() % 16;
      static const uint8_t pick[] = {1, 1, 1, 1, 1, 2, 2, 3, 4, 4, 5, 8, 9, 10, 1, 2};
      op = rnd() % 700 ? pick[op] : 6 + rnd() % 3 * 20;
      ref.mem[at] = (uint8_t)(op | (op <= 3 ? 0x80 : 0));
      ref.mem[at + 1] = (uint8_t)rnd();
      if (op <= 3 && at + 4 <= MEM) {
        int16_t imm = (int16_t)(op == 1     ? (int)(rnd() % 4096)
                                : rnd() % 8 ? (int)(rnd() % 40) - 20
                                            : (int)(rnd() % 6000) - 3000);
        memcpy(ref.mem + at + 2, &imm, 2);
        at += 2;
      }
    }
    for (int i = 0; i < 8; i++) ref.x[i] = fv(r)->x[i] = rnd() % MEM;
    phys_write(r->phys, 0, ref.mem, MEM);
    ref.pc = r->v->pc = rnd() % MEM & ~1ull;
    r->v->c->retire_base = (uint64_t)r->v->budget; /* retired = 0 */
    for (int part = 0; part < 20; part++) {
      uint64_t want = mode ? rnd() % 3000 : rnd() % 60000;
      ref.retired = vcpu_retired(r->v);
      int t = ref_run(&ref, want);
      enum vcpu_exit e = go(r, r->v->pc, (int64_t)want);
      assert_int_equal(e, t > 0 ? EXIT_TRAP : t < 0 ? EXIT_WAIT : EXIT_BUDGET);
      assert_int_equal(vcpu_retired(r->v), ref.retired);
      assert_int_equal(r->v->pc, ref.pc);
      assert_memory_equal(fv(r)->x, ref.x, sizeof ref.x);
      assert_memory_equal(r->ram, ref.mem, MEM);
      if (t > 0) {
        assert_int_equal(r->v->c->trap.kind, t);
        break;
      }
    }
  }
}

static void test_random_run_loop(void **state) { seed = 1, random_programs(*state, 0); }
static void test_random_tiny_cache(void **state) {
  struct rig *r = *state;
  seed = 2;
  interp_limit(r->v, 2, 16);
  random_programs(r, 0);
}
static void test_random_single_steps(void **state) {
  struct rig *r = *state;
  seed = 3;
  fake.run = NULL;
  random_programs(r, 1);
  fake.run = fake_run;
  r->v->c->trace = &counter;
  seed = 4;
  random_programs(r, 1);
  assert_true(traced > 1000);
}

static void test_engine_list(void **state) {
  struct rig *r = *state;
  struct vcpu *v = vcpu_new(&fake, r->phys, 1, 0);
  assert_true(engine_select(v, "warp") < 0);
  assert_true(engine_select(v, "") < 0);
  assert_null(v->c->engine_ops);
  vcpu_free(v);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(test_counts_are_exact),
      T(test_budget_ends_on_the_instruction),
      T(test_kick_leaves_a_loop),
      T(test_store_into_own_run),
      T(test_instruction_across_pages),
      T(test_illegal_and_fetch_faults),
      T(test_remapped_page),
      T(test_write_by_another_thread),
      T(test_cache_is_bounded),
      T(test_random_run_loop),
      T(test_random_tiny_cache),
      T(test_random_single_steps),
      T(test_engine_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
