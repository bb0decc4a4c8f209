/* Says which leaves of an ISA this host has no code for. tests/test_lift.py feeds it as it does ir_check.
 *
 *   host_leaves ISA <pool >report
 *
 * A line per leaf and memory (direct, softtlb) for which an encoding of the pool is not translated: the leaf, the memory, how it
 * runs instead ("handler": by its lifter's own choice; "interpreter": at an access; "refused": the operation has no rule), what
 * kind of values it has ("integer", or "wide": floating point or vectors), and the operation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "hostcg/cg.h"
#include "ir/build.h"

static struct ir_block block;
static struct lift lift;
static uint8_t code[1 << 20], shared[4096];

static uint64_t context(void *data, unsigned slot) {
  const struct vcpu *v = data;
  uint64_t x = 0;
  memcpy(&x, (const char *)v + block.guest->slots[slot].offset, block.guest->slots[slot].bytes);
  return x;
}

static void one(const struct isa *isa, struct vcpu *v, struct cg *g, const struct cg_common *common,
                const uint8_t *bytes, unsigned n) {
  union {
    struct insn head;
    uint8_t room[IR_INSN_BYTES];
  } d __attribute__((aligned(16))) = {0};
  if (isa->decode(isa->default_features, bytes, n, &d.head) <= 0) return;
  for (unsigned direct = 0; direct < 2; direct++) {
    lift = (struct lift){.fold = true, .context = context, .data = v};
    block.guest = isa->guest;
    lift_begin(&lift, &block, isa->guest, isa->default_features);
    if (lift_insn(&lift, &d.head, 0)) lift_close(&lift);
    ir_optimize(&block);
    struct cg_config c = {.features = cg_features(),
                          .direct = direct,
                          .absolute = direct,
                          .page = 0x1000,
                          .common = common,
                          .at = code,
                          .end = code + sizeof code};
    struct cg_result r;
    unsigned bad = 0;
    const int rc = cg_compile(g, &block, &c, &r, &bad);
    const char *how = rc == -ENOTSUP ? "refused" : rc ? "failed" : r.useless ? "interpreter" : NULL;
    for (unsigned i = 1; i < block.n && !how; i++)
      if (block.ins[i].op == IR_HANDLER) how = "handler";
    for (unsigned i = 1; i < block.n && rc == 0 && r.useless && !bad; i++)
      if (ir_is_access((enum ir_op)block.ins[i].op)) bad = i;
    bool wide = false;
    for (unsigned i = 1; i < block.n; i++) wide |= block.ins[i].type >= IT_F32;
    for (unsigned i = 0; i < block.nsnap_value; i++)
      wide |= isa->guest->slots[block.snap_value[i].slot].bits > 64;
    if (how)
      printf("%s %s %s %s %s\n", isa->strings + isa->leaves[d.head.op].name, direct ? "direct" : "softtlb",
             how, wide ? "wide" : "integer", bad ? ir_op_info[block.ins[bad].op].name : "-");
  }
}

int main(int argc, char **argv) {
  const struct isa *isa = argc == 2 ? isa_find(argv[1]) : NULL;
  struct cg *g = cg_new();
  struct cg_common common;
  uint8_t *at = shared;
  if (!isa || !isa->guest || !g) return fputs("usage: host_leaves ISA\n", stderr), 2;
  struct vcpu *v = vcpu_new(isa, NULL, 0, isa->default_features);
  if (!v) return 1;
  cg_write_common(isa->guest, &at, &common);
  for (int n; (n = getchar()) != EOF;) {
    uint8_t bytes[16] = {0};
    if (n > 15 || fread(bytes, 1, (size_t)n, stdin) != (size_t)n) return fputs("a broken pool\n", stderr), 2;
    one(isa, v, g, &common, bytes, (unsigned)n);
  }
  vcpu_free(v);
  cg_free(g);
  return 0;
}
