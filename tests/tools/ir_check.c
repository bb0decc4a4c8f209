/* Compares what lifted IR does with what the interpreter's handlers do, on random states. tests/test_lift.py feeds it.
 *
 *   ir_check ISA SEED TRIES PROGRAMS <pool >report
 *
 * pool: per instruction a length byte and its bytes. Every instruction runs alone, TRIES times, as it is built, and without
 * simplification; then PROGRAMS random straight lines of 2 to 20 instructions, and PROGRAMS pieces of code with jumps and
 * loops of which blocks are formed. One line per leaf goes to stdout: name and entries of its IR. The first difference is
 * described on stderr, status 1. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "interp/interp.h"
#include "ir/block.h"
#include "mem/access.h"
#include "mem/phys.h"
#include "tests/oracle/identity.h"
#include "tests/unit/ir_eval.h"

enum { SCRATCH = 0x40000, PAGES = 3, BYTES = PAGES * GUEST_PAGE_SIZE, WINDOW = 512, LINE = 20 };
enum {
  PAGE = SCRATCH + 2 * GUEST_PAGE_SIZE
}; /* of the code, as instructions see it; it is not fetched from */

struct code {
  uint8_t len, bytes[15];
};

static const struct isa *isa;
static const struct ir_guest *guest;
static struct vcpu *v;
static uint8_t *memory; /* of the window in the middle of two pages */
static struct code *pool;
static size_t npool;
static uint64_t seed;
static bool is_system[LIFT_SLOTS];
static struct ir_block block;
static struct lift lift;
static bool *done; /* leaves that ran to their end once */
static struct { uint64_t runs, jumps, interp, wrongly, steps, blocks, entries, plain; } count;

static uint64_t rnd(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static _Noreturn void die(const char *what) {
  fprintf(stderr, "ir_check: %s\n", what);
  exit(2);
}

static void *slot(unsigned s) { return (char *)v + guest->slots[s].offset; }

static unsigned pointers; /* sixteenths of the values that are addresses of the window */

static uint64_t interesting(void) {
  static const uint64_t k[] = {0,
                               1,
                               2,
                               0x7f,
                               0x80,
                               0xff,
                               0x7fff,
                               0x8000,
                               0xffff,
                               0x7fffffff,
                               0x80000000,
                               0xffffffff,
                               0x7fffffffffffffff,
                               0x8000000000000000,
                               ~UINT64_C(0),
                               ~UINT64_C(1),
                               31,
                               32,
                               63,
                               64,
                               0x3ff0000000000000,
                               0x7ff0000000000000,
                               0x7ff8000000000000,
                               0x7ff0000000000001,
                               0xffffffff3f800000,
                               0xffffffff7f800000,
                               0xffffffff7fc00000,
                               0xffffffff7f800001,
                               0xffffffff00000001,
                               0xbfe0000000000000,
                               0x0000000000100000,
                               0x4340000000000001};
  uint64_t r = rnd();
  if (r % 16 < pointers)
    return SCRATCH + GUEST_PAGE_SIZE - WINDOW / 2 +
           (r & 256 ? (r >> 12) % WINDOW : (r >> 12) % (WINDOW / 16) * 16);
  switch (r >> 4 & 7) {
  case 0:
  case 1:
  case 2: return k[(r >> 8) % ARRAY_SIZE(k)];
  case 3: return (uint64_t)((int64_t)rnd() >> (r >> 8 & 63));
  case 4: return (r >> 8) % 48;
  default: return rnd();
  }
}

static void randomize(void) {
  static const unsigned often[] = {2, 6, 14, 15};
  pointers = often[rnd() % 4];
  for (unsigned s = 0; s < guest->nslots; s++) {
    const struct ir_slot_info *i = &guest->slots[s];
    if (is_system[s]) continue;
    uint64_t w[4];
    for (unsigned k = 0; k < 4; k++) w[k] = i->zero ? 0 : interesting();
    if (i->bits < 64) w[0] &= bits_mask(i->bits);
    memcpy(slot(s), w, i->bytes);
  }
  for (unsigned k = 0; k < WINDOW / 8; k++) {
    uint64_t x = interesting();
    memcpy(memory + 8 * k, &x, 8);
  }
}

/* System state that decides what instructions do. */
static void set(const char *name, uint64_t value) {
  for (unsigned i = 0; i < isa->nregs; i++) {
    if (!strcmp(isa->regs[i].name, name)) {
      unsigned bits = isa->regs[i].bits;
      memcpy((char *)v + isa->regs[i].offset, &value, bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8);
    }
  }
}

static uint64_t context(void *data, unsigned s) {
  uint64_t x = 0;
  (void)data;
  memcpy(&x, slot(s), guest->slots[s].bytes);
  return x;
}

struct state {
  uint8_t *regs, mem[BYTES];
  gva_t excl_addr;
  u128 excl_value;
  uint8_t excl_size;
};
static uint8_t *window; /* all of it */

static void save(struct state *s) {
  memcpy(s->regs, (char *)v + sizeof *v, isa->vcpu_size - sizeof *v);
  memcpy(s->mem, window, BYTES);
  s->excl_addr = v->c->excl_addr, s->excl_value = v->c->excl_value, s->excl_size = v->c->excl_size;
}

static void restore(const struct state *s) {
  memcpy((char *)v + sizeof *v, s->regs, isa->vcpu_size - sizeof *v);
  memcpy(window, s->mem, BYTES);
  v->c->excl_addr = s->excl_addr, v->c->excl_value = s->excl_value, v->c->excl_size = s->excl_size;
}

static const char *differ(const struct state *a, const struct state *b) {
  static char text[160];
  for (unsigned s = 0; s < guest->nslots; s++) {
    size_t at = guest->slots[s].offset - sizeof *v;
    if (memcmp(a->regs + at, b->regs + at, guest->slots[s].bytes)) {
      uint64_t x = 0, y = 0;
      memcpy(&x, a->regs + at, guest->slots[s].bytes > 8 ? 8 : guest->slots[s].bytes);
      memcpy(&y, b->regs + at, guest->slots[s].bytes > 8 ? 8 : guest->slots[s].bytes);
      snprintf(text, sizeof text, "slot %u: interpreter %#" PRIx64 ", IR %#" PRIx64, s, x, y);
      return text;
    }
  }
  for (unsigned k = 0; k < BYTES; k++) {
    if (a->mem[k] != b->mem[k]) {
      snprintf(text, sizeof text, "memory + %#x: interpreter %#x, IR %#x", k, a->mem[k], b->mem[k]);
      return text;
    }
  }
  return NULL;
}

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s: %s\n", isa->name, what, detail);
  for (unsigned i = 0; i < block.ninsn; i++) {
    const struct insn *d = ir_decoded(&block, i);
    char text[128];
    isa->disasm(d, v->pcbase + d->off, 0, text, sizeof text);
    fprintf(stderr, "  %u %s (%s)\n", i, text, isa->strings + isa->leaves[d->op].name);
  }
  ir_print(&block, stderr);
  exit(1);
}

static union {
  struct insn d;
  uint8_t more[IR_INSN_BYTES];
} d __attribute__((aligned(16)));

/* Makes the block of n instructions; the decoded ones lie one behind the other from `pc` of the page on. */
static void build(const struct code *const *code, unsigned n, bool fold, bool optimize) {
  char err[200];
  lift.fold = fold;
  lift.context = context;
  lift_begin(&lift, &block, guest, v->c->features);
  int32_t pc = 0x40;
  for (unsigned i = 0; i < n; i++) {
    memset(&d, 0, sizeof d);
    if (isa->decode(v->c->features, code[i]->bytes, code[i]->len, &d.d) != code[i]->len)
      die("the pool does not decode");
    if (!lift_insn(&lift, &d.d, pc)) break;
    pc += code[i]->len;
  }
  lift_close(&lift);
  if (!ir_verify(&block, err, sizeof err)) fail("the built block breaks a rule", err);
  count.plain += block.n - 1;
  if (optimize) {
    ir_optimize(&block);
    if (!ir_verify(&block, err, sizeof err)) fail("the optimized block breaks a rule", err);
  }
  count.blocks++;
}

static uint8_t text[GUEST_PAGE_SIZE]; /* the code that blocks are formed of */
static uint32_t text_end;

static unsigned fetch(void *data, uint32_t off, uint8_t *to, unsigned n) {
  (void)data;
  if (off >= text_end) return 0;
  if (n > text_end - off) n = text_end - off;
  memcpy(to, text + off, n);
  return n;
}

/* A jump by `by` bytes, conditional or not. */
static void add_jump(bool conditional, int by) {
  static const struct {
    const char *isa, *always, *sometimes;
    int unit;
  } how[] = {{"riscv64", "jal zero, %d", "bne a%u, a%u, %d", 2},
             {"arm64", "b #%d", "cbnz x%u, #%d", 4},
             {"x86_64", "jmp %d", "jne %d", 1}};
  for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
    if (strcmp(isa->name, how[i].isa)) continue;
    char line[80], err[200];
    int at = by / how[i].unit * how[i].unit;
    unsigned a = (unsigned)(rnd() % 8), b = (unsigned)(rnd() % 8);
    if (!conditional) snprintf(line, sizeof line, how[i].always, at);
    else if (i == 0) snprintf(line, sizeof line, how[i].sometimes, a, b, at);
    else if (i == 1) snprintf(line, sizeof line, how[i].sometimes, a, at);
    else snprintf(line, sizeof line, how[i].sometimes, at);
    int n = isa->assemble(v->c->features, line, PAGE + text_end, text + text_end, err, sizeof err);
    if (n <= 0) die(err);
    text_end += (uint32_t)n;
  }
}

static void add_code(const struct code *c) {
  memcpy(text + text_end, c->bytes, c->len);
  text_end += c->len;
}

/* Forms a block of random code from its start on; false when there is none. */
static bool form(const struct ir_policy *policy) {
  const struct ir_source src = {fetch, context, NULL, .crosses = false};
  char err[200];
  if (!ir_form(&block, &lift, guest, v->c->features, &src, 0x40, policy)) return false;
  if (!ir_verify(&block, err, sizeof err)) fail("the formed block breaks a rule", err);
  count.blocks++;
  return true;
}

/* The interpreter on d at its offset of the page: a STEP_*, the next PC in *pc. */
static int interpret(const struct insn *d, gva_t *pc) {
  v->pc = v->pcbase + d->off;
  int rc = isa->exec[d->op](v, d);
  if (rc == STEP_JUMP || rc == STEP_JUMP_END) *pc = v->pc;
  else *pc = v->pcbase + d->off + (rc == STEP_RESTART ? 0 : d->len);
  return rc;
}

/* After a step rc to pc, does instruction i of the block follow? */
static bool goes_on(int rc, gva_t pc, unsigned i) {
  return (rc == STEP_NEXT || rc == STEP_JUMP) && pc == v->pcbase + (gva_t)block.insn[i].pc;
}

/* Runs on in the interpreter for up to n instructions, from pc. */
static void run_on(gva_t pc, unsigned n) {
  int rc = STEP_NEXT;
  while (n-- && (rc == STEP_NEXT || rc == STEP_JUMP)) {
    uint8_t bytes[16];
    uint64_t off = pc - v->pcbase;
    memset(&d, 0, sizeof d);
    unsigned have = off < GUEST_PAGE_SIZE ? fetch(NULL, (uint32_t)off, bytes, isa->insn_max) : 0;
    if (!have || isa->decode(v->c->features, bytes, have, &d.d) <= 0) return;
    d.d.off = (uint16_t)off;
    rc = interpret(&d.d, &pc);
  }
}

/* look: so many instructions behind the block's end flags may have been given up for that these overwrite. */
static void compare(struct state *start, struct state *want, struct state *got, unsigned look) {
  char text[200];
  restore(start);
  struct ir_outcome o = ir_eval(&block, v);
  count.runs++;
  count.entries += o.executed;
  if (o.broken) {
    snprintf(text, sizeof text, "entry %u", o.at);
    fail(o.broken, text);
  }
  const struct ir_exit *x = o.exit;
  if (look && x->kind == IX_JUMP) run_on(o.target, look);
  save(got);
  restore(start);
  gva_t pc = 0;
  int rc = STEP_NEXT;
  unsigned n = x->count;
  if (x->kind == IX_STEP) n++;
  for (unsigned i = 0; i < n; i++) {
    if (i && !goes_on(rc, pc, i)) {
      snprintf(text, sizeof text, "instruction %u leaves the line", i - 1);
      fail("the IR goes on", text);
    }
    rc = interpret(ir_decoded(&block, i), &pc);
  }
  const gva_t reached = pc;
  if (look && x->kind == IX_JUMP && rc != STEP_TRAP) run_on(pc, look);
  save(want);
  const char *what = NULL;
  if (x->kind == IX_INTERP) {
    count.interp++;
    what = !n || goes_on(rc, pc, x->insn) ? NULL : "the IR stops behind an instruction that leaves the line";
    if (!what && !(what = differ(want, got))) {
      rc = interpret(ir_decoded(&block, x->insn), &pc);
      count.wrongly += rc != STEP_TRAP;
    }
  } else if (x->kind == IX_STEP) {
    count.steps++;
    if (rc != STEP_TRAP) done[ir_decoded(&block, x->insn)->op] = true;
    if (rc != o.step) what = "a handler returns another step";
  } else {
    count.jumps++;
    for (unsigned i = 0; i < n; i++) done[ir_decoded(&block, i)->op] = true;
    bool end = rc == STEP_END || rc == STEP_JUMP_END;
    if (rc == STEP_TRAP) what = "the IR does not trap";
    else if ((x->kind == IX_WAIT) != (rc == STEP_WAIT)) what = "waiting or not";
    else if (end && x->kind != IX_END) what = "the IR does not see that the context may have changed";
    else if ((rc == STEP_RESTART) != (x->kind == IX_JUMP && x->jump == IR_JUMP_RESTART))
      what = "restarted or not";
    else if (reached != o.target) {
      snprintf(text, sizeof text, "interpreter goes to %#" PRIx64 ", IR to %#" PRIx64, reached, o.target);
      fail("another target", text);
    }
  }
  if (!what) what = differ(want, got);
  if (what) fail("a difference", what);
}

/* Half of all leaves, chosen anew now and then, by their handlers, as on a host that has no code for them. */
static int by_handler(struct lift *l, const struct insn *d) {
  return lift_by_handler(l, d, NULL, 0,
                         LIFT_TOUCHES_ALL | LIFT_NEW_CONTEXT | (d->flags & INSN_ENDS ? LIFT_ENDS : 0));
}

static void force_handlers(void) {
  static struct ir_guest forced;
  static lift_fn **table;
  if (!table && !(table = calloc(isa->nleaves, sizeof *table))) die("out of memory");
  for (unsigned i = 1; i < isa->nleaves; i++) table[i] = rnd() & 256 ? by_handler : isa->guest->lift[i];
  forced = *isa->guest;
  forced.lift = table;
  guest = &forced;
}

static void prepare(struct state *s) {
  randomize();
  unsigned r = (unsigned)rnd();
  set("FS", r & 7 ? 3 : r >> 3 & 3);
  set("FRM", r & 0x700 ? r >> 11 & 3 : r >> 11 & 7);
  save(s);
  if (r & 0x100000) s->excl_size = 0;
}

static void both_ways(const struct code *const *code, unsigned n, unsigned tries, struct state s[3]) {
  for (unsigned t = 0; t < tries; t++) {
    prepare(&s[0]);
    build(code, n, true, true);
    compare(&s[0], &s[1], &s[2], 0);
    restore(&s[0]);
    build(code, n, false, false);
    compare(&s[0], &s[1], &s[2], 0);
    if (t % 3) continue;
    force_handlers();
    restore(&s[0]);
    build(code, n, true, true);
    compare(&s[0], &s[1], &s[2], 0);
    guest = isa->guest;
  }
}

static void read_pool(void) {
  struct code c;
  size_t cap = 0;
  for (int len; (len = getchar()) != EOF;) {
    c.len = (uint8_t)len;
    if (!len || len > 15 || fread(c.bytes, (size_t)len, 1, stdin) != 1) die("the pool is damaged");
    if (npool == cap && !(pool = realloc(pool, (cap = cap ? 2 * cap : 1024) * sizeof c)))
      die("out of memory");
    npool += isa->decode(v->c->features, c.bytes, c.len, &d.d) ==
             (int)(pool[npool] = c).len; /* reserved ones drop out */
  }
  if (!npool) die("an empty pool");
}

/* IR of each leaf's first instruction in the pool: entries that are no constants. */
static void sizes(void) {
  bool *seen = calloc(isa->nleaves, 1);
  if (!seen) die("out of memory");
  for (size_t i = 0; i < npool; i++) {
    const struct code *one = &pool[i];
    set("FS", 3);
    set("FRM", 0);
    build(&one, 1, true, true);
    const struct insn *d = ir_decoded(&block, 0);
    if (seen[d->op]) continue;
    seen[d->op] = true;
    unsigned n = 0;
    for (unsigned r = 1; r < block.n; r++) {
      unsigned op = block.ins[r].op;
      n += op != IR_NOP && op != IR_CONST && op != IR_PC && op != IR_EXIT && op != IR_ARG;
    }
    printf("%s: %u\n", isa->strings + isa->leaves[d->op].name, n);
  }
  free(seen);
}

/* For straight lines: mostly instructions that can neither fault nor leave. */
static const struct code *pick(void) {
  for (;;) {
    const struct code *c = &pool[rnd() % npool];
    memset(&d, 0, sizeof d);
    isa->decode(v->c->features, c->bytes, c->len, &d.d);
    const struct ir_leaf *leaf = &guest->leaf[d.d.op];
    if ((!leaf->faults && !leaf->ends) || rnd() % 6 == 0) return c;
  }
}

/* Code with jumps, and blocks of it under random policies. */
static void formed(struct state s[3]) {
  const unsigned n = 1 + (unsigned)(rnd() % LINE);
  text_end = 0x40;
  for (unsigned k = 0; k < n; k++) {
    unsigned r = (unsigned)rnd();
    if (r % 5 == 0) add_jump(r & 64, (int)(r >> 8 & 31));
    else add_code(pick());
  }
  add_jump(rnd() % 8, 0x40 - (int)text_end);
  for (unsigned k = 0; k < 4; k++) add_code(pick());
  for (unsigned t = 0; t < 4; t++) {
    struct ir_policy p = ir_policy_default;
    unsigned r = (unsigned)rnd();
    p.side_exits = r & 3;
    p.copies = 1 + (r >> 2 & 3);
    p.body = r & 16 ? 20 : 6;
    p.look = r & 32 ? 12 : 0;
    p.follow = r >> 6 & 3;
    p.fold = r & 0x300;
    prepare(&s[0]);
    if (form(&p)) compare(&s[0], &s[1], &s[2], p.look);
  }
}

int main(int argc, char **argv) {
  if (argc != 5 || !(isa = isa_find(argv[1])) || !(guest = isa->guest))
    die("usage: ir_check ISA SEED TRIES PROGRAMS");
  seed = strtoull(argv[2], NULL, 0) * 2 + 1;
  unsigned tries = (unsigned)strtoul(argv[3], NULL, 0), programs = (unsigned)strtoul(argv[4], NULL, 0);
  struct phys *p = phys_new();
  v = p ? vcpu_new(isa, p, 0, isa->default_features) : NULL;
  if (!v || phys_add_ram(p, SCRATCH, BYTES, "scratch")) die("cannot set up");
  identity_attach(v);
  window = phys_ptr(p, SCRATCH, BYTES, true);
  struct state s[3];
  for (unsigned i = 0; i < 3; i++) s[i].regs = calloc(1, isa->vcpu_size);
  if (!window || !s[0].regs || !s[1].regs || !s[2].regs) die("out of memory");
  memory = window + GUEST_PAGE_SIZE - WINDOW / 2;
  v->pcbase = PAGE;
  for (unsigned k = 0; k < guest->nslots; k++) {
    for (unsigned i = 0; i < isa->nregs; i++) {
      const struct reg_info *r = &isa->regs[i];
      if (r->offset == guest->slots[k].offset && r->kind == REG_SYSTEM) is_system[k] = true;
    }
  }
  done = calloc(isa->nleaves, 1);
  read_pool();
  sizes();
  for (size_t i = 0; i < npool; i++) {
    const struct code *one = &pool[i];
    both_ways(&one, 1, tries, s);
  }
  for (unsigned i = 0; i < programs; i++) {
    const struct code *line[LINE];
    unsigned n = 2 + (unsigned)(rnd() % (LINE - 1));
    for (unsigned k = 0; k < n; k++) line[k] = pick();
    both_ways(line, n, 3, s);
    formed(s);
  }
  for (unsigned i = 1; count.runs && i < isa->nleaves; i++) {
    if (!done[i]) fprintf(stderr, "%s: never to its end\n", isa->strings + isa->leaves[i].name);
  }
  fprintf(stderr,
          "%s: %zu instructions, %" PRIu64 " runs: %" PRIu64 " to their end, %" PRIu64 " by handler, %" PRIu64
          " left to the interpreter (%" PRIu64 " without a trap); %" PRIu64 " entries executed a run\n",
          isa->name, npool, count.runs, count.jumps, count.steps, count.interp, count.wrongly,
          count.entries / (count.runs + !count.runs));
  vcpu_free(v);
  phys_free(p);
  return 0;
}
