/* hostcg against the IR's evaluator: random straight-line IR over slots and memory, run as host code and entry by entry,
 * leaves the same state; exits restore what they say; running out of registers and spills; jumps find their table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/isa.h"
#include "fp/fp.h"
#include "host/host.h"
#include "hostcg/cg.h"
#include "ir_eval.h"
#include "mem/tlb.h"
#include "os/cpu.h"

enum { NARROW = 24, FLAGS = 28, SLOTS = 32, HELD = 6, WORDS = 16, STICKY = SLOTS };

/* A guest of 64-bit slots 0..15, of which the first ones are held, 32-bit slots, vectors and flags behind. */
struct guest_state {
  struct vcpu head;
  uint64_t x[16];
  uint32_t y[NARROW - 16];
  uint64_t z[FLAGS - NARROW][2];
  uint8_t flag[SLOTS - FLAGS];
  uint8_t sticky;
  uint64_t passed_z[FLAGS - NARROW][2],
      passed[16]; /* held slots are handed over here: what stands in x is old, as it is between blocks */
};
static struct ir_slot_info slots[SLOTS + 1];
static const uint16_t held[] = {0, 3, 1, 2, 7, 5}, held_vectors[] = {8, 11, 24, 9, 26};
static struct isa isa;
static struct ir_guest guest;
static struct ir_block block;
static struct cg *cg;
static struct os_code code;
static struct cg_common common;
static uint8_t *room;
static struct cg_env env;
static struct vcpu_common cold_half;
static struct guest_state *state;
static uint64_t *memory; /* below the bound of guest addresses */
enum { MEMORY = WORDS * sizeof(uint64_t) };
static struct tlb tlb; /* knows the page of `memory`, at its host address */

/* The exit taken, and what its places say. */
static struct {
  const struct cg_exit *exit;
  uint64_t target;
} taken;
static struct cg_result result;
static bool at_boundary; /* left with held slots in their registers */

static uint64_t on_cold(struct vcpu *v, uint32_t n, uint64_t *regs) {
  const struct cg_exit *x = &result.exit[n];
  at_boundary = false;
  cg_restore(&guest, v, x, result.place, regs, &taken.target);
  return n + 1;
}

static uint64_t on_soft(struct vcpu *v, uint32_t op, const uint64_t operand[3]) {
  struct guest_state *s = (struct guest_state *)v;
  const struct ir_fp how = cg_soft_how(op);
  unsigned flags = 0;
  uint64_t r = ir_fp_compute(op & 255, op >> 8 & 1, &how, operand, &flags);
  s->sticky |= (uint8_t)fp_flags_at(flags, guest.sticky_bit);
  return r;
}

static void on_packed(struct vcpu *v, uint32_t op, uint64_t operand[3][2]) {
  struct guest_state *s = (struct guest_state *)v;
  struct ir_fp how = cg_soft_how(op);
  unsigned flags = 0;
  uint64_t r[2];
  how.lane = op >> 8 & 1 ? 64 : 32;
  ir_fp_compute_lanes(op & 255, &how, (const uint64_t(*)[2])operand, r, &flags);
  s->sticky |= (uint8_t)fp_flags_at(flags, guest.sticky_bit);
  memcpy(operand[0], r, sizeof r);
}

/* No access of these tests misses. */
static uint64_t on_slow(struct vcpu *v, uint64_t address, uint32_t access, uint64_t *regs) {
  (void)regs;
  fprintf(stderr, "miss: %#llx, %#x (memory at %p, tag %#x)\n", (unsigned long long)address, access,
          (void *)memory, v->tag_data);
  abort();
}

/* The one place that is known. */
static uint64_t known_address;
static uint64_t on_look(struct vcpu *v, uint64_t pc) {
  (void)v;
  return known_address && pc == known_address;
}

static int setup(void **unused) {
  (void)unused;
  isa.insn_size = 64;
  isa.name = "test";
  for (unsigned i = 0; i < 16; i++)
    slots[i] = (struct ir_slot_info){.offset = offsetof(struct guest_state, x[i]), .bits = 64, .bytes = 8};
  for (unsigned i = 16; i < NARROW; i++)
    slots[i] =
        (struct ir_slot_info){.offset = offsetof(struct guest_state, y[i - 16]), .bits = 32, .bytes = 4};
  for (unsigned i = NARROW; i < FLAGS; i++)
    slots[i] = (struct ir_slot_info){
        .offset = offsetof(struct guest_state, z[i - NARROW]), .bits = 128, .bytes = 16};
  for (unsigned i = FLAGS; i < SLOTS; i++)
    slots[i] =
        (struct ir_slot_info){.offset = offsetof(struct guest_state, flag[i - FLAGS]), .bits = 1, .bytes = 1};
  guest = (struct ir_guest){.isa = &isa,
                            .nslots = SLOTS + 1,
                            .slots = slots,
                            .sticky = STICKY,
                            .sticky_bit = {3, 1, 0, 4, 2, 255},
                            .held = held,
                            .nheld = HELD,
                            .held_vectors = held_vectors,
                            .nheld_vectors = ARRAY_SIZE(held_vectors)};
  slots[STICKY] =
      (struct ir_slot_info){.offset = offsetof(struct guest_state, sticky), .bits = 5, .bytes = 1};
  cg_sticky(&guest, env.sticky);
  env.soft = on_soft;
  env.packed = on_packed;
  state = calloc(1, sizeof *state);
  state->head.c = &cold_half;
  cold_half.isa = &isa;
  memory =
      mmap(NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  assert_ptr_not_equal(memory, MAP_FAILED);
  cg = cg_new();
  assert_int_equal(os_code_map(&code, 1 << 20), 0);
  room = code.rw;
  static struct ir_slot_info between[SLOTS + 1];
  struct ir_guest g = guest;
  memcpy(between, slots, sizeof between);
  for (unsigned i = 0; i < 16; i++) between[i].offset = offsetof(struct guest_state, passed[i]);
  for (unsigned i = NARROW; i < FLAGS; i++)
    between[i].offset = offsetof(struct guest_state, passed_z[i - NARROW]);
  g.slots = between;
  cg_write_common(&g, false, &room, &common);
  env.cold = on_cold;
  env.slow = on_slow;
  env.look = on_look;
  env.key = 1; /* the table is empty */
  state->head.helpers = &env;
  state->head.tlb = &tlb;
  state->head.tag_data = 5;
  memset(&tlb, 0xff, sizeof tlb);
  struct tlb_entry *e = &tlb.l1[(uintptr_t)memory >> GUEST_PAGE_BITS & ((1u << TLB_BITS) - 1)];
  e->addend = 0;
  e->tag[ACCESS_READ] = e->tag[ACCESS_WRITE] = (uintptr_t)memory | 5;
  return 0;
}

static int teardown(void **unused) {
  (void)unused;
  cg_free(cg);
  os_code_unmap(&code);
  munmap(memory, GUEST_PAGE_SIZE);
  free(state);
  return 0;
}

/* ---- making IR by hand: what the lifters' builder does, without instructions ---- */

static ref append(enum ir_op op, enum ir_type t, ref a, ref b, ref c, uint32_t aux) {
  block.ins[block.n] = (struct ir_ins){.op = (uint8_t)op,
                                       .type = (uint8_t)t,
                                       .bits = t == IT_I32 ? 32 : 64,
                                       .a = (uint16_t)a,
                                       .b = (uint16_t)b,
                                       .c = (uint16_t)c,
                                       .aux = aux};
  return block.n++;
}
static ref constant(enum ir_type t, uint64_t v) {
  block.konst[block.nconst] = t == IT_I32 ? (uint32_t)v : v;
  return append(IR_CONST, t, 0, 0, 0, block.nconst++);
}
static void begin(void) {
  memset(block.ins, 0, sizeof block.ins[0]);
  block.guest = &guest;
  block.n = 1;
  block.nconst = block.nsnap = block.nsnap_value = block.nexit = block.nfp = block.nperm = block.ncontext = 0;
  block.ninsn = 1;
  block.insn[0] = (struct ir_insn){.pc = 0x10, .len = 4, .first = 1};
}
/* An exit with the slots' values as the block has them. */
static unsigned leave(enum ir_exit_kind kind, unsigned count, const uint16_t value[SLOTS], ref target) {
  struct ir_snap *s = &block.snap[block.nsnap];
  *s = (struct ir_snap){.first = (uint16_t)block.nsnap_value};
  for (unsigned i = 0; i < SLOTS; i++)
    if (value[i]) block.snap_value[s->first + s->n++] = (struct ir_slot_value){(uint16_t)i, value[i]};
  block.nsnap_value += s->n;
  block.exit[block.nexit] = (struct ir_exit){.kind = (uint8_t)kind,
                                             .snap = (uint16_t)block.nsnap++,
                                             .count = (uint16_t)count,
                                             .target = (uint16_t)target};
  return block.nexit++;
}

#include "random_ir.h"

/* Flags of a difference, as an instruction that compares sets them; one of them may be tested too. */
static void random_flags(struct pools *q, uint16_t value[SLOTS]) {
  const bool is64 = rnd() & 1;
  struct pool *p = is64 ? &q->w : &q->h;
  const enum ir_type t = is64 ? IT_I64 : IT_I32;
  const uint64_t k = interesting();
  const ref a = any(p), b = rnd() & 1 ? any(p) : constant(t, k);
  ref d = block.ins[b].op == IR_CONST && rnd() & 1
              ? append(IR_ADD, t, a, constant(t, -(uint64_t)block.konst[block.ins[b].aux]), 0, 0)
              : append(IR_SUB, t, a, b, 0, 0);
  const ref f[] = {append(IR_LTS, IT_I32, d, constant(t, 0), 0, 0), append(IR_EQ, IT_I32, b, a, 0, 0),
                   append(IR_LEU, IT_I32, b, a, 0, 0), append(IR_SUBO, IT_I32, a, b, 0, 0)};
  for (unsigned i = 0; i < 4; i++)
    if (rnd() & 7) value[FLAGS + i] = (uint16_t)f[i];
  if (rnd() & 1) add(&q->b, f[rnd() % 4]);
  if (rnd() & 1) add(p, d);
}

/* A scalar in a vector register: its low lane is used, a result becomes the lane, with zeros above. */
static void random_scalar(struct pools *p, uint16_t *slot) {
  if (rnd() & 1) {
    ref low = append(IR_CAST, IT_I64, any(&p->d), 0, 0, 0);
    if (!(rnd() & 3)) low = any(&p->w);
    *slot = (uint16_t)append(IR_PAIR, IT_I128, low, constant(IT_I64, 0), 0, 0);
  } else if (p->v.n) {
    add(&p->d, append(IR_CAST, IT_F64, append(IR_VLANE, IT_I64, any(&p->v), 0, 0, 64), 0, 0, 0));
    if (rnd() & 1) *slot = (uint16_t)any(&p->v);
  }
}

/* Products of a few numbers, and stores between them that see some. */
static void random_products(unsigned length) {
  static struct pools q;
  static const uint8_t often[] = {IR_FMUL, IR_FMUL, IR_FMUL, IR_FMUL, IR_FMUL, IR_FADD, IR_FDIV, IR_FSQRT};
  uint16_t value[SLOTS] = {0};
  memset(&q, 0, sizeof q);
  begin();
  for (unsigned i = 0; i < 4; i++)
    add(&q.d, append(IR_CAST, IT_F64, append(IR_GET, IT_I64, 0, 0, 0, i), 0, 0, 0));
  const ref target = append(IR_GET, IT_I64, 0, 0, 0, 15);
  for (unsigned n = 0; n < length; n++) {
    const uint8_t op = PICK(often);
    const ref a = any(&q.d), b = op == IR_FSQRT ? 0 : q.d.at[rnd() % (rnd() & 3 ? 4 : q.d.n)];
    add(&q.d, append(op, IT_F64, a, b, 0, how()));
    if (rnd() & 1) value[4 + rnd() % 8] = (uint16_t)any(&q.d);
    if (rnd() % 4) continue;
    const ref at = constant(IT_I64, (uint64_t)(uintptr_t)&memory[rnd() % WORDS]);
    append(IR_STORE, IT_NONE, at, any(&q.d), leave(IX_INTERP, 0, value, 0), IR_MEM(64, 0, 0));
  }
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, target), 0);
}

static void random_block(unsigned length, bool loads, bool floats) {
  static struct pools q;
  uint16_t value[SLOTS] = {0};
  uint32_t written = 0; /* slots in memory: what they had at entry cannot be had any more */
  memset(&q, 0, sizeof q);
  begin();
  for (unsigned i = 0; i < SLOTS; i++) {
    if (rnd() & 1) continue;
    if (i >= NARROW && i < FLAGS && !floats) continue;
    if (i < 16) q.w.at[q.w.n++] = append(IR_GET, IT_I64, 0, 0, 0, i);
    else if (i >= FLAGS) q.b.at[q.b.n++] = append(IR_GET, IT_I32, 0, 0, 0, i);
    else if (i >= NARROW) add(&q.v, append(IR_GET, IT_V128, 0, 0, 0, i));
    else q.h.at[q.h.n++] = append(IR_GET, IT_I32, 0, 0, 0, i);
  }
  q.w.at[q.w.n++] = append(IR_GET, IT_I64, 0, 0, 0, 15);
  q.h.at[q.h.n++] = constant(IT_I32, interesting());
  q.b.at[q.b.n++] = append(IR_EQ, IT_I32, q.w.at[0], any(&q.w), 0, 0);
  for (unsigned k = 0; k < length; k++) {
    bool is64 = rnd() & 1;
    struct pool *p = is64 ? &q.w : &q.h;
    enum ir_type t = is64 ? IT_I64 : IT_I32;
    if ((nans || chains) && q.d.n && !(rnd() & 7)) value[rnd() % 16] = (uint16_t)any(&q.d);
    if ((nans || chains) && q.d.n && !(rnd() & 7))
      random_scalar(&q, &value[NARROW + rnd() % (FLAGS - NARROW)]);
    if (floats && rnd() % 3) {
      if (nans || chains ? rnd() & 7 : rnd() & 1) random_float(&q);
      else random_vector(&q);
      continue;
    }
    switch (rnd() % 16) {
    case 0: p->at[p->n++] = constant(t, interesting()); break;
    case 1:
    case 2:
    case 3: p->at[p->n++] = append(PICK(binary), t, any(p), any(p), 0, 0); break;
    case 4:
      if (rnd() & 1) q.w.at[q.w.n++] = append(PICK(wide), IT_I64, any(&q.w), any(&q.w), 0, 0);
      else q.w.at[q.w.n++] = append(PICK(long_division), IT_I64, any(&q.w), any(&q.w), any(&q.w), 0);
      break;
    case 5:
      if (rnd() & 3) p->at[p->n++] = append(PICK(shift), t, any(p), any(&q.h), 0, 0);
      else p->at[p->n++] = append(IR_ADDX, t, any(p), any(p), 0, 2u << rnd() % 3);
      break;
    case 6:
    case 7: q.b.at[q.b.n++] = append(PICK(compare), IT_I32, any(p), any(p), 0, 0); break;
    case 8: p->at[p->n++] = append(PICK(unary), t, any(p), 0, 0, 0); break;
    case 9: {
      static const uint8_t from[] = {8, 16, 32};
      p->at[p->n++] = append(IR_SEXT, t, any(&q.h), 0, 0, PICK(from));
      break;
    }
    case 10: q.w.at[q.w.n++] = append(IR_ZEXT, IT_I64, any(&q.h), 0, 0, 0); break;
    case 11: q.h.at[q.h.n++] = append(IR_TRUNC, IT_I32, any(&q.w), 0, 0, 0); break;
    case 12:
      p->at[p->n++] =
          append(IR_SELECT, t, rnd() & 1 ? append(PICK(compare), IT_I32, any(p), any(p), 0, 0) : any(&q.b),
                 any(p), any(p), 0);
      break;
    case 13: {
      unsigned slot = rnd() % 16;
      if (floats && q.d.n && rnd() & 1) { /* a slot has the bits of a float; flags are read and cleared */
        if (rnd() & 1) random_scalar(&q, &value[NARROW + rnd() % (FLAGS - NARROW)]);
        else if (rnd() & 1) value[slot] = (uint16_t)any(&q.d);
        else if (rnd() & 1) append(rnd() & 1 ? IR_PUT : IR_RAISE, IT_NONE, any(&q.h), 0, 0, STICKY);
        else add(&q.h, append(IR_GET, IT_I32, 0, 0, 0, STICKY));
        break;
      }
      if (rnd() & 1) value[slot] = (uint16_t)any(&q.w);
      else if (rnd() & 1 && !(written >> slot & 1)) q.w.at[q.w.n++] = append(IR_GET, IT_I64, 0, 0, 0, slot);
      else append(IR_PUT, IT_NONE, any(&q.w), 0, 0, slot), written |= 1u << slot;
      break;
    }
    case 14:
      if (rnd() & 1) value[16 + rnd() % (NARROW - 16)] = (uint16_t)any(&q.h);
      else if (rnd() & 1) value[FLAGS + rnd() % (SLOTS - FLAGS)] = (uint16_t)any(&q.b);
      else random_flags(&q, value);
      break;
    case 15:
      if (rnd() & 1) { /* a way out that is taken sometimes, cold or by a jump */
        bool jump = rnd() & 1;
        ref target = jump ? any(&q.w) : 0;
        ref c = floats && q.d.n && rnd() & 1 ? append(PICK(order), IT_I32, any(&q.d), any(&q.d), 0, how())
                : rnd() & 1                  ? append(PICK(compare), IT_I32, any(p), any(p), 0, 0)
                                             : any(&q.b);
        append(IR_GUARD, IT_NONE, c, rnd() & 1, leave(jump ? IX_JUMP : IX_INTERP, 0, value, target), 0);
      } else if (loads) {
        static const uint8_t bits[] = {8, 16, 32, 64};
        uint32_t aux = IR_MEM(PICK(bits), 0, 0);
        ref a = append(IR_AND, IT_I64, any(&q.w), constant(IT_I64, (WORDS - 1) * 8), 0, 0);
        a = append(IR_ADD, IT_I64, a, constant(IT_I64, (uint64_t)(uintptr_t)memory), 0, 0);
        unsigned x = leave(IX_INTERP, 0, value, 0);
        if (floats && q.v.n && q.d.n && rnd() & 1) {
          const bool whole = rnd() & 1;
          aux = IR_MEM(whole ? 128 : 64, 0, 0);
          a = append(IR_AND, IT_I64, any(&q.w), constant(IT_I64, (WORDS - 2) * 8), 0, 0);
          a = append(IR_ADD, IT_I64, a, constant(IT_I64, (uint64_t)(uintptr_t)memory), 0, 0);
          if (rnd() & 1) append(IR_STORE, IT_NONE, a, any(whole ? &q.v : &q.d), x, aux);
          else add(whole ? &q.v : &q.d, append(IR_LOAD, whole ? IT_V128 : IT_F64, a, 0, x, aux));
        } else if (rnd() & 1) {
          append(IR_STORE, IT_NONE, a, any(&q.w), x, aux);
        } else {
          ref r = append(IR_LOAD, IT_I64, a, 0, x, aux);
          if (rnd() & 1 && IR_MEM_BITS(aux) < 64) block.ins[r].flags |= IRF_SIGN;
          q.w.at[q.w.n++] = r;
        }
      }
      break;
    }
  }
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, any(&q.w)), 0);
}

static void randomize(void) {
  for (unsigned i = 0; i < 16; i++) state->x[i] = interesting();
  for (unsigned i = 0; i < NARROW - 16; i++) state->y[i] = (uint32_t)interesting();
  for (unsigned i = 0; i < FLAGS - NARROW; i++)
    state->z[i][0] = interesting(), state->z[i][1] = interesting();
  for (unsigned i = 0; i < SLOTS - FLAGS; i++) state->flag[i] = rnd() & 1;
  for (unsigned i = 0; i < WORDS; i++) memory[i] = interesting();
  state->sticky = rnd() & 31;
  if (!dense) return;
  /* Two by two their product may be rounded up to a power of two, the border if their own are right; nothing else raises a flag. */
  static const int16_t power[] = {0, -1, -255, -256, -257, -511, -512, -766, -767, -768};
  for (unsigned i = 0; i < 4; i += 2) {
    const uint64_t m = rnd() & 0xfffffffffffff;
    const uint64_t other = (uint64_t)(((unsigned __int128)2 << 104) / (m | UINT64_C(1) << 52));
    state->x[i] = (uint64_t)(1023 + PICK(power)) << 52 | m;
    state->x[i + 1] = (uint64_t)(1023 + PICK(power)) << 52 | (other & 0xfffffffffffff);
  }
  state->sticky = 0;
}

/* Runs what was compiled last; what `enter` says. */
static uint64_t execute(void) {
  uint64_t (*enter)(struct vcpu *, const void *, int64_t);
  const void *at = code.rx + (common.enter - code.rw);
  memcpy(&enter, &at, sizeof enter);
  taken.target = 0;
  at_boundary = true;
  uint16_t kept[CG_MAX_HELD];
  uint8_t in[CG_MAX_HELD];
  const unsigned n = cg_held(&guest, kept, in);
  for (unsigned i = 0; i < n; i++) {
    const bool whole = kept[i] >= NARROW;
    uint64_t *now = whole ? state->z[kept[i] - NARROW] : &state->x[kept[i]];
    memcpy(whole ? state->passed_z[kept[i] - NARROW] : &state->passed[kept[i]], now, whole ? 16 : 8);
    for (unsigned k = 0; k <= whole; k++) now[k] = rnd();
  }
  uint64_t r = enter(&state->head, code.rx + (result.entry - code.rw), 100);
  for (unsigned i = 0; i < n && at_boundary; i++) {
    if (kept[i] < NARROW) state->x[kept[i]] = state->passed[kept[i]];
    else memcpy(state->z[kept[i] - NARROW], state->passed_z[kept[i] - NARROW], 16);
  }
  return r;
}

static uint64_t run(const struct cg_config *c) {
  unsigned bad = 0;
  int rc = cg_compile(cg, &block, c, &result, &bad);
  if (rc) {
    fprintf(stderr, "entry %u: %d\n", bad, rc);
    ir_print(&block, stderr);
  }
  assert_int_equal(rc, 0);
  os_code_written(&code, result.entry, (size_t)(result.end - result.entry));
  uint64_t r = execute();
  /* Leaving to an address that only the run knows is the same thing with ways and without. */
  if (r != CG_GOES && result.exit[r - 1].kind == IX_JUMP && !result.exit[r - 1].fixed) r = CG_GOES;
  taken.exit = r == CG_GOES ? NULL : &result.exit[r - 1];
  if (r == CG_GOES) taken.target = state->head.pc;
  return r;
}

static struct cg_config config(uint32_t features) {
  return (struct cg_config){.features = features,
                            .direct = rnd() & 1,
                            .absolute = true,
                            .page = 0x7000,
                            .common = &common,
                            .at = room,
                            .end = code.rw + code.size};
}

static void compare_with_evaluator(uint32_t features, unsigned length, unsigned blocks, unsigned runs,
                                   bool floats) {
  static struct guest_state before, after;
  uint64_t memory_before[WORDS], memory_after[WORDS];
  for (unsigned n = 0; n < blocks; n++) {
    const uint64_t start = seed;
    if (dense) random_products(length);
    else random_block(length, true, floats);
    const struct cg_config c = config(features);
    for (unsigned k = 0; k < runs; k++) {
      randomize();
      state->head.pcbase = 0x7000;
      before = *state;
      memcpy(memory_before, memory, MEMORY);
      struct ir_outcome o = ir_eval(&block, &state->head);
      assert_null(o.broken);
      after = *state;
      memcpy(memory_after, memory, MEMORY);
      *state = before;
      memcpy(memory, memory_before, MEMORY);
      run(&c);
      bool same = !memcmp(state->x, after.x, sizeof after.x) && !memcmp(state->y, after.y, sizeof after.y) &&
                  !memcmp(state->flag, after.flag, sizeof after.flag) &&
                  !memcmp(state->z, after.z, sizeof after.z) && state->sticky == after.sticky &&
                  !memcmp(memory, memory_after, MEMORY) &&
                  (o.exit->kind == IX_JUMP ? taken.target == o.target
                                           : taken.exit && taken.exit->kind == o.exit->kind);
      if (!same) {
        fprintf(stderr, "seed %#llx, block %u\n", (unsigned long long)start, n);
        ir_print(&block, stderr);
        for (unsigned i = 0; i < 16; i++)
          if (state->x[i] != after.x[i])
            fprintf(stderr, "slot %u: %#llx, should be %#llx\n", i, (unsigned long long)state->x[i],
                    (unsigned long long)after.x[i]);
        for (unsigned i = 0; i < NARROW - 16; i++)
          if (state->y[i] != after.y[i])
            fprintf(stderr, "slot %u: %#x, should be %#x\n", i + 16, state->y[i], after.y[i]);
        for (unsigned i = 0; i < FLAGS - NARROW; i++)
          if (memcmp(state->z[i], after.z[i], 16))
            fprintf(stderr, "slot %u: %#llx %#llx, should be %#llx %#llx\n", i + NARROW,
                    (unsigned long long)state->z[i][0], (unsigned long long)state->z[i][1],
                    (unsigned long long)after.z[i][0], (unsigned long long)after.z[i][1]);
        for (unsigned i = 0; i < SLOTS - FLAGS; i++)
          if (state->flag[i] != after.flag[i])
            fprintf(stderr, "slot %u: %#x, should be %#x\n", i + FLAGS, state->flag[i], after.flag[i]);
        fprintf(stderr, "flags %#x, should be %#x\n", state->sticky, after.sticky);
        fprintf(stderr, "%s, exit %d, should be %td, to %#llx, should be %#llx\n",
                c.direct ? "direct" : "tlb", taken.exit ? taken.exit->kind : -1, o.exit - block.exit,
                (unsigned long long)taken.target, (unsigned long long)o.target);
      }
      assert_true(same);
    }
  }
}

static void test_random_blocks(void **unused) {
  (void)unused;
  compare_with_evaluator(cg_features(), 5, 3000, 2, false);
  compare_with_evaluator(cg_features(), 12, 1500, 2, false);
  compare_with_evaluator(cg_features(), 60, 500, 2, false);
  compare_with_evaluator(cg_features(), 250, 60, 2, false);
}

static void test_random_floats_and_vectors(void **unused) {
  (void)unused;
  compare_with_evaluator(cg_features(), 6, 3000, 3, true);
  compare_with_evaluator(cg_features(), 20, 1000, 3, true);
  compare_with_evaluator(cg_features(), 120, 120, 3, true);
}

static void test_nans_are_right_where_they_show(void **unused) {
  (void)unused;
  nans = true;
  compare_with_evaluator(cg_features(), 12, 2000, 3, true);
  compare_with_evaluator(cg_features(), 30, 800, 3, true);
  compare_with_evaluator(cg_features(), 120, 120, 3, true);
  nans = false;
}

/* Results that are looked at together, payloads and flags; operands that stay where they are. */
static void test_chains_are_as_one_by_one(void **unused) {
  (void)unused;
  chains = true;
  compare_with_evaluator(cg_features(), 10, 1500, 8, true);
  compare_with_evaluator(cg_features(), 25, 800, 8, true);
  compare_with_evaluator(cg_features(), 120, 120, 8, true);
  dense = true;
  compare_with_evaluator(cg_features(), 3, 2000, 40, true);
  compare_with_evaluator(cg_features(), 7, 2000, 40, true);
  compare_with_evaluator(cg_features(), 20, 400, 20, true);
  dense = chains = false;
}

/* Population counts have no other way; everything else must do without the newer instructions. */
static void test_without_features(void **unused) {
  (void)unused;
  uint32_t popcnt = 0;
#define KEEP(name, bit) \
  if (!strcmp(#name, "POPCNT")) popcnt = 1u << (bit);
  CG_NEEDS(KEEP)
  compare_with_evaluator(popcnt & cg_features(), 40, 500, 2, false);
}

static struct tlb_entry *entry_of(const void *p) {
  return &tlb.l1[(uintptr_t)p >> GUEST_PAGE_BITS & ((1u << TLB_BITS) - 1)];
}

/* Two loads from slot 15 with something between them, into slots 4 and 5. */
static void two_loads(void (*between)(void)) {
  uint16_t value[SLOTS] = {0};
  struct cg_config c = config(cg_features());
  begin();
  const ref base = append(IR_GET, IT_I64, 0, 0, 0, 15);
  value[4] = (uint16_t)append(IR_LOAD, IT_I64, base, 0, leave(IX_INTERP, 0, value, 0), IR_MEM(64, 0, 0));
  between();
  const ref next = append(IR_ADD, IT_I64, base, constant(IT_I64, 8), 0, 0);
  value[5] = (uint16_t)append(IR_LOAD, IT_I64, next, 0, leave(IX_INTERP, 0, value, 0), IR_MEM(64, 0, 0));
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, constant(IT_I64, 0x1234)), 0);
  c.direct = false;
  randomize();
  memory[0] = 10, memory[1] = 11;
  state->x[15] = (uintptr_t)memory;
  run(&c);
  assert_int_equal(taken.target, 0x1234);
  assert_int_equal(state->x[4], 10);
}

static void spoil_entry(void) {
  static const uint16_t none[SLOTS];
  const ref tag = constant(IT_I64, (uintptr_t)&entry_of(memory)->tag[ACCESS_READ]);
  append(IR_STORE, IT_NONE, tag, constant(IT_I64, TLB_NO_TAG), leave(IX_INTERP, 0, none, 0),
         IR_MEM(64, 0, 0));
}

/* The second one would not find the entry any more. */
static void test_a_window_looks_once(void **unused) {
  (void)unused;
  struct tlb_entry *const mine = entry_of(memory), *const itself = entry_of(mine), keep = *mine,
                          was = *itself;
  assert_ptr_not_equal(mine, itself);
  itself->addend = 0;
  itself->tag[ACCESS_WRITE] = ((uintptr_t)mine & GUEST_PAGE_MASK) | 5;
  two_loads(spoil_entry);
  assert_int_equal(state->x[5], 11);
  assert_true(mine->tag[ACCESS_READ] == TLB_NO_TAG);
  *mine = keep;
  *itself = was;
}

static uint64_t elsewhere[2] = {20, 21};
static uint64_t on_handler(struct vcpu *v, uint32_t exit, int64_t count) {
  (void)v, (void)exit, (void)count;
  entry_of(memory)->addend = (uintptr_t)elsewhere - (uintptr_t)memory;
  return 0;
}
static void call_handler(void) {
  static const uint16_t none[SLOTS];
  append(IR_HANDLER, IT_NONE, 0, 0, leave(IX_STEP, 0, none, 0), 0);
}

static void test_a_handler_ends_windows(void **unused) {
  (void)unused;
  env.handler = on_handler;
  two_loads(call_handler);
  assert_int_equal(state->x[5], 21);
  entry_of(memory)->addend = 0;
}

static void test_many_live_values_are_spilled(void **unused) {
  (void)unused;
  uint16_t value[SLOTS] = {0};
  ref v[40];
  begin();
  for (unsigned i = 0; i < 40; i++)
    v[i] = append(IR_MUL, IT_I64, append(IR_GET, IT_I64, 0, 0, 0, i % 16), constant(IT_I64, 3 + i), 0, 0);
  ref sum = v[0];
  for (unsigned i = 1; i < 40; i++)
    sum = append(IR_XOR, IT_I64, append(IR_ADD, IT_I64, sum, sum, 0, 0), v[i], 0, 0);
  value[4] = (uint16_t)sum;
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, constant(IT_I64, 0x1234)), 0);
  randomize();
  uint64_t want = state->x[0] * 3;
  for (unsigned i = 1; i < 40; i++) want = (want + want) ^ (state->x[i % 16] * (3 + i));
  const struct cg_config c = config(cg_features());
  assert_int_equal(run(&c), CG_GOES);
  assert_int_equal(state->x[4], want);
  assert_int_equal(taken.target, 0x1234);
}

/* Flags that only a jump out of the block needs cost the main path nothing but the comparison of its guard. */
static void test_flags_are_made_on_the_way_out(void **unused) {
  (void)unused;
  size_t size[2];
  for (unsigned flags = 0; flags < 2; flags++) {
    uint16_t value[SLOTS] = {0};
    struct cg_config c = config(cg_features());
    begin();
    const ref a = append(IR_GET, IT_I64, 0, 0, 0, 0), b = append(IR_GET, IT_I64, 0, 0, 0, 1);
    const ref d = append(IR_SUB, IT_I64, a, b, 0, 0), zero = constant(IT_I64, 0);
    const ref f[] = {append(IR_LTS, IT_I32, d, zero, 0, 0), append(IR_EQ, IT_I32, a, b, 0, 0),
                     append(IR_LEU, IT_I32, b, a, 0, 0), append(IR_SUBO, IT_I32, a, b, 0, 0)};
    for (unsigned i = 0; i < 4 && flags; i++) value[FLAGS + i] = (uint16_t)f[i];
    append(IR_GUARD, IT_NONE, f[1], 1, leave(IX_JUMP, 0, value, constant(IT_I64, 0x111)), 0);
    uint16_t none[SLOTS] = {0};
    append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, none, constant(IT_I64, 0x222)), 0);
    randomize();
    state->x[0] = 5, state->x[1] = 7;
    c.alone = false;
    run(&c);
    assert_int_equal(taken.target, 0x111);
    if (flags) assert_memory_equal(state->flag, ((const uint8_t[]){1, 0, 0, 0}), 4);
    /* The guard's branch leads over the rest of the main path, to the code of its exit. */
    size[flags] = (size_t)(result.code_end - result.entry);
  }
  /* A comparison of registers, and four bytes set in memory: 3 + 4 * 7, and short ways of saying less. */
  assert_in_range(size[1] - size[0], 1, 3 + 4 * 7);
}

/* Pairs of stores behind a probe: none of them is made when the first pair reaches into another page; aligned ones always
 * are, others unless the page ends near by. */
static void test_pairs_of_stores_stay_in_their_page(void **unused) {
  (void)unused;
  for (unsigned at = 0; at < GUEST_PAGE_SIZE; at += at < 64 || at >= GUEST_PAGE_SIZE - 400 ? 8 : 120)
    for (unsigned pairs = 1; pairs <= 2; pairs++) {
      uint16_t value[SLOTS] = {0};
      struct cg_config c = config(cg_features());
      c.direct = true;
      begin();
      const ref a = append(IR_GET, IT_I64, 0, 0, 0, 0), n = constant(IT_I64, 16);
      const ref v = append(IR_GET, IT_I64, 0, 0, 0, 2);
      const unsigned x = leave(IX_INTERP, 0, value, 0);
      for (unsigned k = 0; k < pairs; k++) { /* the second one below the first */
        const ref low = k ? append(IR_ADD, IT_I64, a, constant(IT_I64, (uint64_t)-16), 0, 0) : a;
        const ref high = append(IR_ADD, IT_I64, a, constant(IT_I64, k ? (uint64_t)-8 : 8), 0, 0);
        append(IR_PROBE, IT_NONE, low, n, x, IR_MEM(0, 1, 0));
        append(IR_STORE, IT_NONE, low, v, x, IR_MEM(64, 0, 0));
        append(IR_STORE, IT_NONE, high, v, x, IR_MEM(64, 0, 0));
      }
      append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, constant(IT_I64, 0x222)), 0);
      memset(memory, 0, GUEST_PAGE_SIZE);
      randomize();
      memset(memory, 0, MEMORY);
      state->x[0] = (uint64_t)(uintptr_t)memory + at;
      state->x[2] = ~UINT64_C(0);
      if (pairs == 2 && at < 16) continue; /* below is nothing */
      const bool through = run(&c) == CG_GOES;
      unsigned stored = 0;
      for (unsigned i = 0; i < GUEST_PAGE_SIZE / 8; i++) stored += memory[i] != 0;
      assert_int_equal(stored, through ? 2 * pairs : 0);
      if (at + 16 > GUEST_PAGE_SIZE) assert_false(through);
      else if (at % 16 == 0 || pairs == 1 || (at >= 256 && at + 16 + 256 <= GUEST_PAGE_SIZE))
        assert_true(through);
    }
}

/* Two held slots exchanged at an exit, three in a circle. */
static void test_exit_moves_are_parallel(void **unused) {
  (void)unused;
  uint16_t value[SLOTS] = {0};
  begin();
  ref a = append(IR_GET, IT_I64, 0, 0, 0, 0), b = append(IR_GET, IT_I64, 0, 0, 0, 1),
      d = append(IR_GET, IT_I64, 0, 0, 0, 2);
  ref e = append(IR_GET, IT_I64, 0, 0, 0, 3), f = append(IR_GET, IT_I64, 0, 0, 0, 5);
  value[0] = (uint16_t)b, value[1] = (uint16_t)d, value[2] = (uint16_t)a, value[3] = (uint16_t)f,
  value[5] = (uint16_t)e;
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, e), 0);
  randomize();
  const uint64_t x[6] = {state->x[0], state->x[1], state->x[2], state->x[3], 0, state->x[5]};
  const struct cg_config c = config(cg_features());
  run(&c);
  assert_int_equal(state->x[0], x[1]);
  assert_int_equal(state->x[1], x[2]);
  assert_int_equal(state->x[2], x[0]);
  assert_int_equal(state->x[3], x[5]);
  assert_int_equal(state->x[5], x[3]);
  assert_int_equal(taken.target, x[3]);
}

static void test_a_place_not_in_the_table_is_looked_up(void **unused) {
  (void)unused;
  uint16_t first[SLOTS] = {0}, second[SLOTS] = {0};
  struct cg_config c = config(cg_features());
  c.absolute = false;
  begin();
  ref sum =
      append(IR_ADD, IT_I64, append(IR_GET, IT_I64, 0, 0, 0, 0), append(IR_GET, IT_I64, 0, 0, 0, 9), 0, 0);
  second[1] = (uint16_t)sum;
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 2, second, append(IR_GET, IT_I64, 0, 0, 0, 2)), 0);
  randomize();
  run(&c);
  env.next = code.rx + (result.entry - code.rw);
  c.at = (uint8_t *)(((uintptr_t)result.end + 15) & ~(uintptr_t)15);
  begin();
  first[0] = (uint16_t)append(IR_GET, IT_I64, 0, 0, 0, 3);
  first[9] = (uint16_t)append(IR_GET, IT_I64, 0, 0, 0, 7);
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, first, append(IR_GET, IT_I64, 0, 0, 0, 5)), 0);
  randomize();
  const uint64_t want = state->x[3] + state->x[7], to = state->x[2];
  known_address = state->x[5];
  assert_int_equal(run(&c), CG_GOES);
  known_address = 0;
  assert_int_equal(state->x[1], want);
  assert_int_equal(taken.target, to);
  assert_int_equal(env.count, 97);
}

/* Two addresses have ways of their own; both are open when their block is gone, and given up together. */
static void test_ways_lead_where_they_are_linked(void **unused) {
  (void)unused;
  uint16_t value[SLOTS] = {0};
  struct cg_config c = config(cg_features());
  uint8_t *end[2];
  for (unsigned k = 0; k < 2; k++) { /* x[1] = 11, 22 */
    begin();
    value[1] = (uint16_t)constant(IT_I64, 11 * (k + 1));
    append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, append(IR_GET, IT_I64, 0, 0, 0, 2)), 0);
    randomize();
    run(&c);
    end[k] = result.entry;
    c.at = (uint8_t *)(((uintptr_t)result.end + 15) & ~(uintptr_t)15);
  }
  value[1] = 0;
  begin();
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 1, value, append(IR_GET, IT_I64, 0, 0, 0, 5)), 0);
  randomize();
  state->x[5] = 0x8000;
  assert_int_equal(run(&c), CG_GOES);
  assert_int_equal(taken.target, 0x8000);
  assert_int_equal(result.nexits, 1 + CG_WAYS);
  for (unsigned k = 0; k < 2; k++) {
    const struct cg_exit *x = &result.exit[1 + k];
    assert_int_equal(x->other, k ? 0 : 2);
    cg_want(result.entry + x->want, 0x8000 + k);
    cg_patch(result.entry + x->patch, end[k]);
  }
  for (unsigned opened = 0; opened < 2; opened++) {
    for (unsigned k = 0; k < 3; k++) {
      randomize();
      state->x[5] = 0x8000 + k;
      state->x[1] = 5;
      const uint64_t to = state->x[2], r = execute();
      assert_int_equal(state->x[1], k == 2 || opened ? 5 : 11 * (k + 1));
      assert_int_equal(state->head.pc, k == 2 || opened ? 0x8000 + k : to);
      if (k == 2 || opened) assert_int_equal(r, opened ? CG_GOES : 2);
    }
    cg_open(result.entry + result.exit[1].start, result.entry + result.exit[1].table);
  }
}

static void test_a_slice_too_short_runs_nothing(void **unused) {
  (void)unused;
  uint16_t value[SLOTS] = {0};
  begin();
  value[0] = (uint16_t)constant(IT_I64, 7);
  append(IR_EXIT, IT_NONE, 0, 0, leave(IX_JUMP, 101, value, constant(IT_I64, 0)), 0);
  state->x[0] = 5;
  const struct cg_config c = config(cg_features());
  assert_int_equal(run(&c), 1);
  assert_int_equal(taken.exit->kind, CG_EXIT_COUNT);
  assert_int_equal(state->x[0], 5);
  assert_int_equal(env.count, 100);
}

static void test_no_room_is_said(void **unused) {
  (void)unused;
  unsigned bad;
  random_block(60, false, false);
  struct cg_config c = config(cg_features());
  c.end = c.at + 4100;
  assert_int_equal(cg_compile(cg, &block, &c, &result, &bad), -ENOSPC);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_blocks),
      cmocka_unit_test(test_random_floats_and_vectors),
      cmocka_unit_test(test_nans_are_right_where_they_show),
      cmocka_unit_test(test_chains_are_as_one_by_one),
      cmocka_unit_test(test_without_features),
      cmocka_unit_test(test_many_live_values_are_spilled),
      cmocka_unit_test(test_flags_are_made_on_the_way_out),
      cmocka_unit_test(test_pairs_of_stores_stay_in_their_page),
      cmocka_unit_test(test_a_window_looks_once),
      cmocka_unit_test(test_a_handler_ends_windows),
      cmocka_unit_test(test_exit_moves_are_parallel),
      cmocka_unit_test(test_ways_lead_where_they_are_linked),
      cmocka_unit_test(test_a_slice_too_short_runs_nothing),
      cmocka_unit_test(test_a_place_not_in_the_table_is_looked_up),
      cmocka_unit_test(test_no_room_is_said),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
