/* Block formation and look-ahead. */
#include "ir/block.h"

#include <string.h>

#include "ir/int.h"

const struct ir_policy ir_policy_default = {.insns = 64,
                                            .side_exits = 3,
                                            .reach = 256,
                                            .follow = 2,
                                            .copies = 4,
                                            .body = 12,
                                            .look = 12,
                                            .fold = true};

struct former {
  struct ir_block *b;
  struct lift *l;
  const struct ir_guest *g;
  const struct ir_source *src;
  uint32_t first;
  union {
    struct insn d;
    uint8_t bytes[IR_INSN_BYTES];
  } insn __attribute__((aligned(16)));
};

/* Decodes at off into f->insn; false when there is no instruction that lies in the page. */
static bool decode(struct former *f, uint32_t off) {
  uint8_t bytes[16];
  const struct isa *isa = f->g->isa;
  if (off >= GUEST_PAGE_SIZE) return false;
  unsigned max = isa->insn_max;
  if (max > GUEST_PAGE_SIZE - off && !(f->src->crosses && off == f->first))
    max = (unsigned)(GUEST_PAGE_SIZE - off);
  unsigned n = f->src->fetch(f->src->data, off, bytes, max);
  memset(&f->insn, 0, sizeof f->insn);
  return n && isa->decode(f->l->features, bytes, n, &f->insn.d) > 0;
}

/* The exit made since there were `n` that continues elsewhere than behind the block's last instruction, -1 if there is none;
 * its offset from the page's start in *to. */
static int side_exit(const struct former *f, unsigned n, int64_t *to) {
  for (unsigned i = n; i < f->b->nexit; i++) {
    const struct ir_exit *x = &f->b->exit[i];
    if (x->kind != IX_JUMP) continue;
    *to = f->b->ins[x->target].op == IR_PC ? (int64_t)(uint64_t)ir_const_value(f->b, x->target) : INT64_MIN;
    return (int)i;
  }
  return -1;
}

/* Condition flags that code at off overwrites before anything can see them. */
static uint32_t dead_flags(struct former *f, int64_t off, unsigned look) {
  uint32_t open = UINT32_MAX, dead = 0;
  for (; look && open && off >= 0 && decode(f, (uint32_t)off); look--) {
    const struct ir_leaf *leaf = &f->g->leaf[f->insn.d.op];
    if (leaf->faults) break;
    open &= ~leaf->reads;
    dead |= open & leaf->writes;
    open &= ~leaf->writes;
    if (leaf->ends) break;
    off += f->insn.d.len;
  }
  return dead;
}

/* Gives exit x a snapshot without the flags in `dead`. */
static void forget(struct former *f, struct ir_exit *x, uint32_t dead) {
  struct ir_block *b = f->b;
  const struct ir_snap old = b->snap[x->snap];
  if (b->nsnap == IR_MAX_SNAP || b->nsnap_value + old.n > IR_MAX_SNAP_VALUES) return;
  struct ir_snap *s = &b->snap[b->nsnap];
  *s = (struct ir_snap){(uint16_t)b->nsnap_value, 0};
  for (unsigned i = 0; i < old.n; i++) {
    struct ir_slot_value v = b->snap_value[old.first + i];
    unsigned flag = f->g->slots[v.slot].flag;
    if (!flag || !(dead >> (flag - 1) & 1)) b->snap_value[s->first + s->n++] = v;
  }
  if (s->n == old.n) return;
  b->nsnap_value += s->n;
  x->snap = (uint16_t)b->nsnap++;
}

static void look_ahead(struct former *f, unsigned look) {
  for (unsigned i = 0; i < f->b->nexit; i++) {
    struct ir_exit *x = &f->b->exit[i];
    if (x->kind != IX_JUMP || f->b->ins[x->target].op != IR_PC) continue;
    uint32_t dead = dead_flags(f, (int64_t)(uint64_t)ir_const_value(f->b, x->target), look);
    if (dead) forget(f, x, dead);
  }
}

unsigned ir_form(struct ir_block *b, struct lift *l, const struct ir_guest *g, uint64_t features,
                 const struct ir_source *src, uint32_t off, const struct ir_policy *policy) {
  struct former f = {.b = b, .l = l, .g = g, .src = src, .first = off};
  l->fold = policy->fold;
  l->context = src->context;
  l->data = src->data;
  lift_begin(l, b, g, features);
  l->follow = policy->follow;
  unsigned sides = 0, copies = 1, start = 0;
  const uint32_t first = off;
  while (b->ninsn < policy->insns && lift_room(l) && decode(&f, off)) {
    unsigned n = b->nexit;
    int64_t to;
    if (!lift_insn(l, &f.insn.d, (int32_t)off)) break;
    int x = side_exit(&f, n, &to);
    off = (uint32_t)l->next;
    if (x >= 0 && (to < l->next || to > l->next + (int64_t)policy->reach)) {
      /* A loop: its way back is the block's way on. */
      unsigned body = b->ninsn - start;
      bool turned = to < l->next && lift_turn(l, (unsigned)x);
      if (!turned || to != first || copies == policy->copies || body > policy->body ||
          b->ninsn + body > policy->insns)
        break;
      copies++;
      start = b->ninsn;
      sides = 0;
      off = first;
    } else if (x >= 0 && ++sides > policy->side_exits) {
      break;
    }
  }
  if (!b->ninsn) return 0;
  lift_close(l);
  if (policy->look) look_ahead(&f, policy->look);
  ir_optimize(b);
  return b->ninsn;
}
