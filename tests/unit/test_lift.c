/* Every leaf of every ISA is lifted against a builder that only checks types: widths of all operands, slots that
 * exist with the width they have, one outcome per instruction. Proves that meanings split into translation time and
 * run time; says nothing about values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/isa.h"
#include "ir/build.h"
#include "arm64/state.h"
#include "riscv64/state.h"
#include "x86_64/state.h"

struct builder {
  uint8_t width[4096];
  unsigned n, puts, ends, slots;
  bool branch;
  const char *leaf;
};

static struct builder *B(struct lift *l) { return l->builder; }

static void bad(struct lift *l, const char *what) { fail_msg("%s: %s", B(l)->leaf, what); }

static ref new (struct lift *l, unsigned width) {
  if (!width || width > 128) bad(l, "a value of no legal width");
  if (B(l)->n == 4095) bad(l, "more than 4095 values");
  B(l)->width[++B(l)->n] = (uint8_t)width;
  return B(l)->n;
}

static void need(struct lift *l, ref a, unsigned width) {
  if (!a || a > B(l)->n) bad(l, "a value that was never made");
  if (B(l)->width[a] != width) bad(l, "an operand of another width");
}

uint64_t lift_context(struct lift *l, unsigned slot) {
  if (slot >= B(l)->slots) bad(l, "context slot out of range");
  return 1;
}
void lift_set_context(struct lift *l, unsigned slot, uint64_t value) {
  (void)value, (void)lift_context(l, slot);
}
void lift_end(struct lift *l, enum lift_end reason) { (void)reason, B(l)->ends++; }
int lift_by_handler(struct lift *l, const struct insn *d) {
  (void)l, (void)d;
  return LIFT_BY_HANDLER;
}

ref ir_const(struct lift *l, unsigned width, uint64_t value) {
  if (width < 64 && value >> width) bad(l, "a constant wider than its type");
  return new (l, width);
}
ref ir_const128(struct lift *l, unsigned width, u128 value) {
  if (width < 128 && value >> width) bad(l, "a constant wider than its type");
  return new (l, width);
}
ref ir_pc(struct lift *l, int64_t delta) { return (void)delta, new (l, 64); }
ref ir_get(struct lift *l, unsigned slot, unsigned width) {
  if (slot >= B(l)->slots) bad(l, "slot out of range");
  return new (l, width);
}
void ir_put(struct lift *l, unsigned slot, unsigned width, ref value) {
  if (slot >= B(l)->slots) bad(l, "slot out of range");
  need(l, value, width);
  B(l)->puts++;
}
ref ir_binary(struct lift *l, enum ir_op op, unsigned width, ref a, ref b) {
  if (op > IR_XOR) bad(l, "not a binary operation");
  need(l, a, width), need(l, b, width);
  return new (l, width);
}
ref ir_unary(struct lift *l, enum ir_op op, unsigned width, ref a) {
  if (op != IR_NOT && op != IR_NEG) bad(l, "not a unary operation");
  need(l, a, width);
  return new (l, width);
}
ref ir_shift(struct lift *l, enum ir_op op, unsigned width, ref a, ref amount, unsigned amount_width) {
  if (op < IR_SHL || op > IR_ROL) bad(l, "not a shift");
  need(l, a, width), need(l, amount, amount_width);
  return new (l, width);
}
ref ir_shift_by(struct lift *l, enum ir_op op, unsigned width, ref a, uint64_t amount) {
  if (op < IR_SHL || op > IR_ROL) bad(l, "not a shift");
  if (amount > 255) bad(l, "a shift by more than any width");
  need(l, a, width);
  return new (l, width);
}
ref ir_compare(struct lift *l, enum ir_op op, unsigned width, ref a, ref b) {
  if (op < IR_EQ || op > IR_LES) bad(l, "not a comparison");
  need(l, a, width), need(l, b, width);
  return new (l, 1);
}
ref ir_extend(struct lift *l, enum ir_op op, unsigned from, unsigned to, ref a) {
  if ((op != IR_SEXT && op != IR_ZEXT) || to < from) bad(l, "not an extension");
  need(l, a, from);
  return new (l, to);
}
ref ir_slice(struct lift *l, unsigned from, unsigned low, unsigned width, ref a) {
  if (low + width > from) bad(l, "a slice past the end");
  need(l, a, from);
  return new (l, width);
}
ref ir_concat(struct lift *l, unsigned high_width, unsigned low_width, ref high, ref low) {
  need(l, high, high_width), need(l, low, low_width);
  return new (l, high_width + low_width);
}
ref ir_select(struct lift *l, unsigned width, ref condition, ref a, ref b) {
  need(l, condition, 1), need(l, a, width), need(l, b, width);
  return new (l, width);
}
ref ir_prim1(struct lift *l, enum ir_op op, unsigned width, ref a) {
  if (op < IR_CLZ || op > IR_ORC8) bad(l, "not an operation of one operand");
  need(l, a, width);
  return new (l, op == IR_PARITY ? 1 : width);
}
ref ir_prim2(struct lift *l, enum ir_op op, unsigned width, ref a, ref b) {
  if (op < IR_DIVU || op > IR_REMS) bad(l, "not a division");
  need(l, a, width), need(l, b, width);
  return new (l, width);
}
ref ir_prim3(struct lift *l, enum ir_op op, unsigned width, ref a, ref b, ref c) {
  if (op != IR_OVERFLOW) bad(l, "not an operation of three operands");
  need(l, a, width), need(l, b, width), need(l, c, width);
  return new (l, 1);
}
ref ir_prim4(struct lift *l, enum ir_op op, unsigned width, ref a, ref b, ref c, ref d) {
  if (op != IR_CARRY) bad(l, "not an operation of four operands");
  need(l, a, width), need(l, b, width), need(l, c, 1), need(l, d, width);
  return new (l, 1);
}
ref ir_load(struct lift *l, unsigned width, ref address, int order) {
  if (order < 0 || order > 4 || width % 8) bad(l, "a load of no legal order or width");
  need(l, address, 64);
  return new (l, width);
}
ref ir_load_ex(struct lift *l, unsigned width, ref address, int order) {
  return ir_load(l, width, address, order);
}
void ir_store(struct lift *l, unsigned width, ref address, ref value, int order) {
  if (order < 0 || order > 4 || width % 8) bad(l, "a store of no legal order or width");
  need(l, address, 64), need(l, value, width);
}
ref ir_store_ex(struct lift *l, unsigned width, ref address, ref value, int order) {
  ir_store(l, width, address, value, order);
  return new (l, 1);
}
ref ir_rmw(struct lift *l, enum ir_rmw_op op, unsigned width, ref address, ref value, int order) {
  if (op > IR_RMW_ANDNOT) bad(l, "not an atomic operation");
  ir_store(l, width, address, value, order);
  return new (l, width);
}
ref ir_cas(struct lift *l, unsigned width, ref address, ref expect, ref value, int order) {
  need(l, expect, width);
  ir_store(l, width, address, value, order);
  return new (l, width);
}
void ir_probe(struct lift *l, ref address, ref bytes, int write) {
  (void)write;
  need(l, address, 64), need(l, bytes, 64);
}
void ir_fence(struct lift *l, unsigned sets) {
  if (sets > 255) bad(l, "a fence of no legal sets");
}
void ir_guard(struct lift *l, ref condition, int expect) {
  if (expect != 0 && expect != 1) bad(l, "a guard on no truth value");
  need(l, condition, 1);
}
bool ir_branch(struct lift *l, ref condition) {
  need(l, condition, 1);
  return B(l)->branch;
}
void ir_exit(struct lift *l) { B(l)->ends++; }
void ir_jump(struct lift *l, ref target, enum ir_jump_kind kind) {
  if (kind > IR_JUMP_ERET) bad(l, "a jump of no kind");
  need(l, target, 64);
  B(l)->ends++;
}
void ir_commit(struct lift *l) { (void)l; }
void ir_restart(struct lift *l) { B(l)->ends++; }

extern lift_fn *const riscv64_lift[], *const arm64_lift[], *const x86_64_lift[];
static const struct {
  const char *name;
  lift_fn *const *lift;
  unsigned slots;
} guests[] = {
    {"riscv64", riscv64_lift, RISCV64_SLOTS},
    {"arm64", arm64_lift, ARM64_SLOTS},
    {"x86_64", x86_64_lift, X86_64_SLOTS},
};

union any_insn {
  struct insn head;
  uint8_t bytes[256];
};

static int lift_one(const struct isa *isa, size_t g, const struct insn *d, bool taken) {
  struct builder b = {
      .slots = guests[g].slots, .branch = taken, .leaf = isa->strings + isa->leaves[d->op].name};
  struct lift l = {isa->default_features, &b};
  return guests[g].lift[d->op](&l, d);
}

/* Every leaf with zero operands, then every instruction that random bytes decode to, both ways of each branch. */
static void lifts_every_leaf(void **state) {
  (void)state;
  srand(1);
  for (size_t g = 0; g < ARRAY_SIZE(guests); g++) {
    const struct isa *isa = isa_find(guests[g].name);
    assert_non_null(isa);
    assert_true(isa->insn_size <= sizeof(union any_insn));
    unsigned by_ir = 0, decoded = 0;
    for (unsigned op = 1; op < isa->nleaves; op++) {
      union any_insn d = {.bytes = {0}};
      d.head.op = (uint16_t)op;
      d.head.len = isa->insn_max;
      by_ir += lift_one(isa, g, &d.head, false) == LIFT_NEXT;
      lift_one(isa, g, &d.head, true);
    }
    for (unsigned i = 0; i < 400000; i++) {
      union any_insn d = {.bytes = {0}};
      uint8_t word[16];
      for (size_t k = 0; k < sizeof word; k++) word[k] = (uint8_t)(rand() >> 7);
      if (isa->decode(isa->default_features, word, sizeof word, &d.head) <= 0) continue;
      lift_one(isa, g, &d.head, i & 1);
      decoded++;
    }
    print_message("%s: %u of %u leaves lift to IR, %u random instructions lifted\n", isa->name, by_ir,
                  isa->nleaves - 1, decoded);
    assert_true(by_ir * 2 > isa->nleaves);
    assert_true(decoded > 10000);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(lifts_every_leaf)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
