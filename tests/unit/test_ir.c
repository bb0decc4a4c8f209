/* Blocks formed from assembled code: where they end, what their ways out say, what is left of flags. What IR computes is
 * compared with the interpreter by tests/test_lift.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/block.h"

struct rig {
  const struct isa *isa;
  uint8_t page[GUEST_PAGE_SIZE];
  uint32_t end;
  struct ir_block block;
  struct lift lift;
};

static unsigned fetch(void *data, uint32_t off, uint8_t *to, unsigned n) {
  struct rig *r = data;
  if (off >= r->end) return 0;
  if (n > r->end - off) n = r->end - off;
  memcpy(to, r->page + off, n);
  return n;
}

/* Every context slot: privileged, floating point on, rounding to nearest. */
static uint64_t context(void *data, unsigned slot) {
  struct rig *r = data;
  return r->isa->guest->slots[slot].bits == 2 ? 3 : 0;
}

/* Assembles lines from `off` on. */
static uint32_t assemble(struct rig *r, uint32_t off, const char *const *lines) {
  char err[200];
  for (; *lines; lines++) {
    int n = r->isa->assemble(r->isa->default_features, *lines, 0x10000 + off, r->page + off, err, sizeof err);
    if (n <= 0) fail_msg("%s: %s", *lines, err);
    off += (uint32_t)n;
  }
  if (off > r->end) r->end = off;
  return off;
}

static unsigned form(struct rig *r, uint32_t off, const struct ir_policy *p) {
  char err[200];
  const struct ir_source src = {fetch, context, r, .crosses = false};
  unsigned n = ir_form(&r->block, &r->lift, r->isa->guest, r->isa->default_features, &src, off, p);
  if (n && !ir_verify(&r->block, err, sizeof err)) fail_msg("%s", err);
  if (n) ir_pass_cold(&r->block);
  return n;
}

static struct rig *rig(const char *isa) {
  struct rig *r = calloc(1, sizeof *r);
  assert_non_null(r);
  assert_non_null(r->isa = isa_find(isa));
  assert_non_null(r->isa->guest);
  return r;
}

static unsigned uses(const struct rig *r, enum ir_op op) {
  unsigned n = 0;
  for (unsigned i = 1; i < r->block.n; i++)
    n += r->block.ins[i].op == op && !(r->block.ins[i].flags & IRF_COLD);
  return n;
}

static const struct ir_exit *last(const struct rig *r) {
  assert_int_equal(r->block.ins[r->block.n - 1].op, IR_EXIT);
  return &r->block.exit[r->block.ins[r->block.n - 1].c];
}

static int64_t target(const struct rig *r, const struct ir_exit *x) {
  assert_int_equal(r->block.ins[x->target].op, IR_PC);
  return (int64_t)(uint64_t)ir_const_value(&r->block, x->target);
}

static const struct ir_exit *guarded(const struct rig *r, unsigned which) {
  for (unsigned i = 1; i < r->block.n; i++) {
    if (r->block.ins[i].op == IR_GUARD && !which--) return &r->block.exit[r->block.ins[i].c];
  }
  fail_msg("no such guard");
  return NULL;
}

static bool snapshot_has_flag(const struct rig *r, const struct ir_exit *x) {
  const struct ir_snap *s = &r->block.snap[x->snap];
  for (unsigned i = 0; i < s->n; i++) {
    if (r->isa->guest->slots[r->block.snap_value[s->first + i].slot].flag) return true;
  }
  return false;
}

/* A loop goes back by the block's last exit and leaves by a guard. */
static void ends_at_a_backward_branch(void **state) {
  (void)state;
  struct rig *r = rig("riscv64");
  assemble(r, 0x100,
           (const char *[]){"addi a0, a0, -1", "add a1, a1, a0", "bnez a0, -8", "addi a2, a2, 1", NULL});
  struct ir_policy p = ir_policy_default;
  p.copies = 1;
  assert_int_equal(form(r, 0x100, &p), 3);
  assert_int_equal(uses(r, IR_GUARD), 1);
  const struct ir_exit *x = guarded(r, 0);
  assert_int_equal(x->kind, IX_JUMP);
  assert_int_equal(x->jump, IR_JUMP_NEXT);
  assert_int_equal(x->count, 3);
  assert_int_equal(target(r, x), r->block.insn[2].pc + r->block.insn[2].len);
  assert_int_equal(r->block.snap[x->snap].n, 2);
  assert_int_equal(last(r)->jump, IR_JUMP_BRANCH);
  assert_int_equal(last(r)->count, 3);
  assert_int_equal(target(r, last(r)), 0x100);
  p.copies = 3;
  assert_int_equal(form(r, 0x100, &p), 9);
  assert_int_equal(uses(r, IR_GUARD), 3);
  assert_int_equal(guarded(r, 1)->count, 6);
  assert_int_equal(target(r, last(r)), 0x100);
  p.insns = 8;
  assert_int_equal(form(r, 0x100, &p), 6);
  p.body = 2;
  assert_int_equal(form(r, 0x100, &p), 3);
  free(r);
}

static void follows_jumps_inside_the_page(void **state) {
  (void)state;
  struct rig *r = rig("riscv64");
  uint32_t at = assemble(r, 0, (const char *[]){"addi a0, a0, 3", NULL});
  assemble(r, at, (const char *[]){"jal zero, 0x30", NULL});
  assemble(r, at + 0x30, (const char *[]){"addi a1, a1, 3", NULL});
  assert_int_equal(form(r, 0, &ir_policy_default), 3);
  assert_int_equal(r->block.insn[2].pc, at + 0x30);
  struct ir_policy p = ir_policy_default;
  p.follow = 0;
  assert_int_equal(form(r, 0, &p), 2);
  assert_int_equal(last(r)->jump, IR_JUMP_BRANCH);
  assert_int_equal(target(r, last(r)), at + 0x30);
  assemble(r, 0x20, (const char *[]){"addi a3, a3, 3", "jal ra, 16", NULL});
  assert_int_equal(form(r, 0x20, &ir_policy_default), 2);
  assert_int_equal(last(r)->jump, IR_JUMP_CALL);
  free(r);
}

static void goes_on_over_forward_branches(void **state) {
  (void)state;
  struct rig *r = rig("riscv64");
  assemble(r, 0,
           (const char *[]){"beq a0, a1, 12", "addi a2, a2, 1", "addi a3, a3, 1", "jalr zero, 0(ra)", NULL});
  assert_int_equal(form(r, 0, &ir_policy_default), 4);
  assert_int_equal(guarded(r, 0)->count, 1);
  assert_int_equal(last(r)->jump, IR_JUMP_RET);
  assert_int_equal(last(r)->count, 4);
  struct ir_policy p = ir_policy_default;
  p.side_exits = 0;
  assert_int_equal(form(r, 0, &p), 1);
  p.insns = 1;
  assert_int_equal(form(r, 4, &p), 1);
  assert_int_equal(target(r, last(r)), r->block.insn[0].len + 4);
  free(r);
}

static void stops_at_the_end_of_what_it_may_read(void **state) {
  (void)state;
  struct rig *r = rig("riscv64");
  uint32_t end = assemble(r, 0xff8, (const char *[]){"addi a0, a0, 5", "addi a1, a1, 5", NULL});
  unsigned n = form(r, 0xff8, &ir_policy_default);
  assert_int_equal(n, 2);
  assert_int_equal(target(r, last(r)), end);
  r->end = 0xff8;
  assert_int_equal(form(r, 0xff8, &ir_policy_default), 0);
  memset(r->page, 0xff, 4); /* no instruction */
  r->end = 4;
  assert_int_equal(form(r, 0, &ir_policy_default), 0);
  free(r);
}

/* Comparison and branch become one condition; the flags, overwritten on both ways, are not made. */
static void flags_that_nobody_sees_are_gone(void **state) {
  (void)state;
  static const struct {
    const char *isa, *lines[8];
    enum ir_op op;
  } cases[] = {
      {"arm64", {"subs xzr, x0, x1", "b.lt #8", "adds x2, x2, x3", "adds x2, x2, x3", NULL}, IR_LTS},
      {"arm64", {"subs wzr, w0, w1", "b.hi #8", "adds x2, x2, x3", "adds x2, x2, x3", NULL}, IR_LTU},
      {"arm64", {"subs xzr, x0, #5", "b.le #8", "adds x2, x2, x3", "adds x2, x2, x3", NULL}, IR_LES},
      {"arm64", {"subs xzr, x0, #5", "b.eq #8", "adds x2, x2, x3", "adds x2, x2, x3", NULL}, IR_EQ},
      {"x86_64", {"cmp rax, rbx", "jl 3", "add rcx, rdx", "add rcx, rdx", NULL}, IR_LTS},
      {"x86_64", {"cmp eax, ebx", "jbe 3", "add rcx, rdx", "add rcx, rdx", NULL}, IR_LEU},
      {"x86_64", {"test eax, eax", "je 3", "add rcx, rdx", "add rcx, rdx", NULL}, IR_EQ},
      {"x86_64", {"cmp al, bl", "jb 3", "add rcx, rdx", "add rcx, rdx", NULL}, IR_LTU},
  };
  struct ir_policy p = ir_policy_default;
  p.side_exits = 0;
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    struct rig *r = rig(cases[i].isa);
    assemble(r, 0, cases[i].lines);
    assert_int_equal(form(r, 0, &p), 2);
    bool one = uses(r, cases[i].op) == 1 && !uses(r, IR_SUB) && !uses(r, IR_ADD) && !uses(r, IR_SUBO);
    if (!one || snapshot_has_flag(r, last(r)) || snapshot_has_flag(r, guarded(r, 0))) {
      ir_print(&r->block, stderr);
      fail_msg("%s, %s: flags are left", cases[i].lines[0], cases[i].lines[1]);
    }
    p.look = 0;
    form(r, 0, &p);
    assert_true(snapshot_has_flag(r, last(r)));
    p.look = ir_policy_default.look;
    free(r);
  }
}

/* What a fault would show is computed only if it happens. */
static void flags_for_faults_only_are_cold(void **state) {
  (void)state;
  struct rig *r = rig("arm64");
  assemble(r, 0, (const char *[]){"subs x0, x0, x1", "ldr x2, [x3]", "adds x4, x4, x5", "ret", NULL});
  assert_int_equal(form(r, 0, &ir_policy_default), 4);
  assert_int_equal(uses(r, IR_SUBO), 0);
  unsigned cold = 0;
  for (unsigned i = 1; i < r->block.n; i++) cold += r->block.ins[i].op == IR_SUBO;
  assert_int_equal(cold, 1);
  free(r);
}

/* A shift that only sums need is done by them; one that is needed itself stays. */
static void sums_multiply(void **state) {
  (void)state;
  struct rig *r = rig("arm64");
  assemble(r, 0,
           (const char *[]){"ldr w2, [x1, x3, lsl #2]", "add x4, x5, x6, lsl #3", "lsl x7, x8, #1",
                            "add x9, x7, x10", "ret", NULL});
  assert_int_equal(form(r, 0, &ir_policy_default), 5);
  assert_int_equal(uses(r, IR_ADDX), 2);
  assert_int_equal(uses(r, IR_SHL), 1);
  free(r);
}

/* The address of the next round is a number behind that of this one, however it is put together. */
static void sums_are_taken_up_again(void **state) {
  (void)state;
  struct rig *r = rig("arm64");
  assemble(r, 0,
           (const char *[]){"add x4, x1, x2", "str x0, [x4, x3]", "add x1, x1, #8", "add x4, x1, x2",
                            "str x0, [x4, x3]", "ret", NULL});
  assert_int_equal(form(r, 0, &ir_policy_default), 6);
  ref store[2] = {0};
  unsigned n = 0;
  for (ref k = 1; k < r->block.n; k++)
    if (r->block.ins[k].op == IR_STORE) store[n++ & 1] = r->block.ins[k].a;
  assert_int_equal(n, 2);
  const struct ir_ins *next = &r->block.ins[store[1]];
  assert_int_equal(next->op, IR_ADD);
  assert_int_equal(next->a, store[0]);
  assert_int_equal(r->block.ins[next->b].op, IR_CONST);
  assert_int_equal((uint64_t)ir_const_value(&r->block, next->b), 8);
  free(r);
}

/* What the block reads of context is what it is valid for. */
static void names_its_context(void **state) {
  (void)state;
  struct rig *r = rig("riscv64");
  assemble(r, 0, (const char *[]){"add a0, a0, a1", "fadd.d fa0, fa0, fa1, dyn", "ecall", NULL});
  assert_int_equal(form(r, 0, &ir_policy_default), 3);
  assert_true(r->block.ncontext >= 2);
  assert_int_equal(last(r)->kind, IX_INTERP);
  r->end = 4;
  form(r, 0, &ir_policy_default);
  assert_int_equal(r->block.ncontext, 0);
  free(r);
}

/* Words shifted both ways and joined are rotated; what is done to sign-extended words is done to words, extended once. */
static void words_stay_words(void **state) {
  (void)state;
  static const char *const lines[] = {"srliw t0, a0, 6",
                                      "slliw t1, a0, 26",
                                      "or t0, t0, t1",
                                      "srliw t1, a0, 11",
                                      "slliw t2, a0, 21",
                                      "or t1, t1, t2",
                                      "xor t0, t0, t1",
                                      "srli t1, a1, 3",
                                      "slli t2, a1, 61",
                                      "or t1, t1, t2",
                                      "li t2, 0",
                                      "ret",
                                      NULL};
  struct rig *r = rig("riscv64");
  assemble(r, 0, lines);
  assert_int_equal(form(r, 0, &ir_policy_default), 12);
  assert_int_equal(uses(r, IR_ROR), 3);
  assert_int_equal(uses(r, IR_SHL) + uses(r, IR_SHRU) + uses(r, IR_OR), 0);
  assert_int_equal(uses(r, IR_SEXT), 1);
  free(r);
}

/* Comparisons between reading the FP flags and writing the same back raise nothing, and the flags are not written. */
static void flags_put_back_are_not_written(void **state) {
  (void)state;
  static const struct {
    const char *lines[7];
    unsigned puts, silent;
  } cases[] = {
      {{"csrrs t0, fflags, zero", "flt.d t1, fa0, fa1", "csrrw zero, fflags, t0", "ret", NULL}, 0, 1},
      {{"csrrs t0, fflags, zero", "fle.s t1, fa0, fa1", "feq.s t2, fa1, fa2", "csrrw zero, fflags, t0", "ret",
        NULL},
       0,
       2},
      {{"csrrs t0, fflags, zero", "flt.d t1, fa0, fa1", "fadd.d fa0, fa0, fa1, rne", "csrrw zero, fflags, t0",
        "ret", NULL},
       1,
       0},
      {{"csrrs t0, fflags, zero", "flt.d t1, fa0, fa1", "csrrs t2, fflags, zero", "csrrw zero, fflags, t0",
        "ret", NULL},
       1,
       0},
      {{"csrrs t0, fflags, zero", "flt.d t1, fa0, fa1", "ld t2, 0(a0)", "csrrw zero, fflags, t0", "ret",
        NULL},
       1,
       0},
      {{"csrrs t0, fflags, zero", "flt.d t1, fa0, fa1", "csrrw zero, fflags, t1", "ret", NULL}, 1, 0},
  };
  for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
    struct rig *r = rig("riscv64");
    unsigned silent = 0;
    assemble(r, 0, cases[i].lines);
    form(r, 0, &ir_policy_default);
    for (unsigned k = 1; k < r->block.n; k++) {
      const struct ir_ins *n = &r->block.ins[k];
      silent += n->op >= IR_FEQ && n->op <= IR_FUN && r->block.fp[n->aux].quiet == IR_SILENT;
    }
    assert_int_equal(uses(r, IR_PUT), cases[i].puts);
    assert_int_equal(silent, cases[i].silent);
    free(r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_at_a_backward_branch),
      cmocka_unit_test(follows_jumps_inside_the_page),
      cmocka_unit_test(goes_on_over_forward_branches),
      cmocka_unit_test(stops_at_the_end_of_what_it_may_read),
      cmocka_unit_test(flags_that_nobody_sees_are_gone),
      cmocka_unit_test(flags_for_faults_only_are_cold),
      cmocka_unit_test(sums_multiply),
      cmocka_unit_test(sums_are_taken_up_again),
      cmocka_unit_test(names_its_context),
      cmocka_unit_test(words_stay_words),
      cmocka_unit_test(flags_put_back_are_not_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
