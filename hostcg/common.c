/* The code that all blocks share: entering and leaving translated code, the ways into the runtime. Written once per code
 * memory, from the same pieces as blocks. */
#include "hostcg/cg_int.h"
#include "mem/space.h"

static const uint8_t kept[] = CG_KEPT, args[] = CG_ARGS;
_Static_assert(sizeof args > 3, "the slow access has four arguments");

/* Registers that are saved around calls into the runtime. */
#define ALL_GENERAL (((1u << CG_NGENERAL) - 1) & ~(1u << CG_STACK))
#define ALL_VECTORS (uint32_t)(CG_HELD_VECTORS_MASK | CG_FREE_VECTORS_MASK)
#define LOST        ((ALL_GENERAL & ~(uint32_t)CG_KEPT_MASK) | ALL_VECTORS)

/* What pushes leave of the alignment of 16 that calls need. */
enum { PAD = (CG_NKEPT + 1) % 2 ? 8 : 0, CALLED = 8 };

struct out {
  uint8_t *p;
  const struct ir_guest *guest;
  unsigned nheld;
  uint16_t slot[CG_MAX_HELD];
  uint8_t reg[CG_MAX_HELD];
};

static void held(struct out *o, bool load) {
  for (unsigned i = 0; i < o->nheld; i++) {
    const struct ir_slot_info *s = &o->guest->slots[o->slot[i]];
    int32_t at = (int32_t)s->offset;
    if (o->reg[i] < CG_VECTOR)
      o->p = load ? cg_load_64(o->p, o->reg[i], CG_VCPU, at) : cg_store_64(o->p, CG_VCPU, at, o->reg[i]);
    else if (s->bytes == 16)
      o->p = load ? cg_vload_128(o->p, o->reg[i], CG_VCPU, at) : cg_vstore_128(o->p, CG_VCPU, at, o->reg[i]);
    else o->p = load ? cg_vload_64(o->p, o->reg[i], CG_VCPU, at) : cg_vstore_64(o->p, CG_VCPU, at, o->reg[i]);
  }
}

/* Registers of the mask to or from their places in the frame, `more` bytes above the stack pointer. */
static void saved(struct out *o, uint32_t mask, int more, bool load) {
  for (; mask; mask &= mask - 1) {
    unsigned r = (unsigned)__builtin_ctz(mask);
    if (r >= CG_VECTOR) {
      int32_t v = CG_FRAME_VECTORS + 32 * (int)(r - CG_VECTOR) + more;
      o->p = load ? cg_vload_128(o->p, r, CG_STACK, v) : cg_vstore_128(o->p, CG_STACK, v, r);
      continue;
    }
    int32_t at = CG_FRAME_SAVE + 8 * (int)r + more;
    o->p = load ? cg_load_64(o->p, r, CG_STACK, at) : cg_store_64(o->p, CG_STACK, at, r);
  }
}

static void call(struct out *o, size_t function) {
  o->p = cg_load_64(o->p, CG_RESULT, CG_VCPU, offsetof(struct vcpu, helpers));
  o->p = cg_call_at(o->p, CG_RESULT, (int32_t)function);
}

/* A service that translated code calls: the return address is above the frame's bottom. When the runtime says no, the cold exit
 * in the frame is taken; else the flags say whether its answer is odd. `whole`: the function gets the frame's description of
 * the access, else its parts and what is saved. */
static uint8_t *service(struct out *o, const uint8_t *cold, uint32_t lost, size_t function, bool whole) {
  uint8_t *const start = o->p, *yes;
  saved(o, lost, CALLED, false);
  o->p = cg_move(o->p, args[0], CG_VCPU);
  if (whole) {
    o->p = cg_lea(o->p, args[1], CG_STACK, CG_FRAME_EXIT + CALLED);
  } else {
    o->p = cg_load_64(o->p, args[1], CG_STACK, CG_FRAME_ADDRESS + CALLED);
    o->p = cg_load_u32(o->p, args[2], CG_STACK, CG_FRAME_ACCESS + CALLED);
    o->p = cg_lea(o->p, args[3], CG_STACK, CG_FRAME_SAVE + CALLED);
  }
  o->p = cg_lea(o->p, CG_STACK, CG_STACK, -CALLED);
  call(o, function);
  o->p = cg_lea(o->p, CG_STACK, CG_STACK, CALLED);
  o->p = cg_test(o->p, CG_RESULT);
  o->p = cg_branch(o->p, CG_TEST_GIVES);
  yes = o->p;
  saved(o, lost, CALLED, true);
  o->p = cg_lea(o->p, CG_STACK, CG_STACK, CALLED);
  o->p = jump_to(o->p, cold);
  cg_patch(yes, o->p);
  o->p = cg_low_bits(o->p, CG_RESULT, CG_SLOW_RETRY);
  saved(o, lost, CALLED, true); /* flags stay */
  o->p = cg_ret(o->p);
  return start;
}

/* ---- flags of floating point: the host's are live only while code runs ---- */

/* Forgets what is raised. */
static void clear_status(struct out *o, int more) {
  if (o->guest->sticky < 0) return;
  o->p = cg_store_k32(o->p, CG_STACK, CG_FRAME_STATUS + more, CG_STATUS);
  o->p = cg_load_status(o->p, CG_FRAME_STATUS + more);
}

/* What is raised goes into the guest's slot; t and u are lost. */
static void merge_status(struct out *o, unsigned t, unsigned u, int more) {
  if (o->guest->sticky < 0) return;
  const struct ir_slot_info *s = &o->guest->slots[o->guest->sticky];
  o->p = cg_store_status(o->p, CG_FRAME_STATUS + more);
  o->p = cg_load_u32(o->p, t, CG_STACK, CG_FRAME_STATUS + more);
  o->p = cg_raised(o->p, t, (1 << CG_NSTATUS) - 1);
  o->p = cg_branch(o->p, CG_RAISED_GIVES);
  uint8_t *none = o->p;
  o->p = cg_load_64(o->p, u, CG_VCPU, offsetof(struct vcpu, helpers));
  o->p = cg_load_table(o->p, t, u, t, offsetof(struct cg_env, sticky));
  o->p = s->bytes == 1 ? cg_or_8(o->p, CG_VCPU, (int32_t)s->offset, t)
                       : cg_or_32(o->p, CG_VCPU, (int32_t)s->offset, t);
  cg_patch(none, o->p);
}

void cg_write_common(const struct ir_guest *guest, bool alone, uint8_t **at, struct cg_common *out) {
  const uint32_t all = ALL_GENERAL | ALL_VECTORS, lost = LOST;
  struct out o = {.p = *at, .guest = guest};
  uint8_t *leave, *yes;
  o.nheld = cg_held(guest, o.slot, o.reg);

  /* enter(vcpu, code, count) */
  out->enter = o.p;
  for (unsigned i = 0; i < CG_NKEPT; i++) o.p = cg_push(o.p, kept[i]);
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, -(CG_FRAME + PAD));
  o.p = cg_move(o.p, CG_VCPU, args[0]);
  o.p = cg_move(o.p, CG_RESULT, args[1]);
  o.p = cg_move(o.p, CG_COUNT, args[2]);
  o.p = cg_const(o.p, args[2], INT64_C(1) << SPACE_BITS);
  o.p = cg_store_64(o.p, CG_STACK, CG_FRAME_LIMIT, args[2]);
  clear_status(&o, 0);
  held(&o, true);
  o.p = cg_jump_reg(o.p, CG_RESULT);

  leave = o.p; /* returns CG_RESULT */
  o.p = cg_load_64(o.p, args[0], CG_VCPU, offsetof(struct vcpu, helpers));
  o.p = cg_store_64(o.p, args[0], offsetof(struct cg_env, count), CG_COUNT);
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, CG_FRAME + PAD);
  for (unsigned i = CG_NKEPT; i--;) o.p = cg_pop(o.p, kept[i]);
  o.p = cg_ret(o.p);

  out->link = o.p;
  held(&o, false);
  merge_status(&o, args[0], args[1], 0);
  o.p = cg_lea(o.p, CG_RESULT, CG_RESULT, 1);
  o.p = jump_to(o.p, leave);

  out->goes = o.p;
  if (!alone) {
    o.p = cg_store_64(o.p, CG_STACK, CG_FRAME_ADDRESS, CG_RESULT);
    saved(&o, lost & (uint32_t)(CG_HELD_MASK | CG_HELD_VECTORS_MASK), 0, false);
    o.p = cg_move(o.p, args[1], CG_RESULT);
    o.p = cg_move(o.p, args[0], CG_VCPU);
    call(&o, offsetof(struct cg_env, look));
    o.p = cg_test(o.p, CG_RESULT);
    saved(&o, lost & (uint32_t)(CG_HELD_MASK | CG_HELD_VECTORS_MASK), 0, true);
    o.p = cg_branch(o.p, CG_TEST_GIVES ^ 1);
    yes = o.p;
    o.p = cg_load_64(o.p, CG_RESULT, CG_VCPU, offsetof(struct vcpu, helpers));
    o.p = cg_load_64(o.p, CG_RESULT, CG_RESULT, offsetof(struct cg_env, next));
    o.p = cg_jump_reg(o.p, CG_RESULT);
    cg_patch(yes, o.p);
    o.p = cg_load_64(o.p, CG_RESULT, CG_STACK, CG_FRAME_ADDRESS);
  }
  held(&o, false);
  merge_status(&o, args[0], args[1], 0);
  o.p = cg_store_64(o.p, CG_VCPU, offsetof(struct vcpu, pc), CG_RESULT);
  o.p = cg_const(o.p, CG_RESULT, -1);
  o.p = jump_to(o.p, leave);

  out->site = o.p;
  held(&o, false);
  merge_status(&o, args[0], args[1], 0);
  o.p = cg_store_64(o.p, CG_VCPU, offsetof(struct vcpu, pc), CG_RESULT);
  o.p = cg_lea(o.p, CG_RESULT, (unsigned)__builtin_ctz(CG_FREE_MASK & ~(1u << CG_RESULT)), 1);
  o.p = jump_to(o.p, leave);

  out->cold = o.p;
  saved(&o, all, 0, false);
  merge_status(&o, args[0], args[1], 0);
  o.p = cg_move(o.p, args[0], CG_VCPU);
  o.p = cg_load_u32(o.p, args[1], CG_STACK, CG_FRAME_EXIT);
  o.p = cg_lea(o.p, args[2], CG_STACK, CG_FRAME_SAVE);
  call(&o, offsetof(struct cg_env, cold));
  o.p = jump_to(o.p, leave);

  out->slow = service(&o, out->cold, all, offsetof(struct cg_env, slow), false);
  out->ask = service(&o, out->cold, lost, offsetof(struct cg_env, ask), true);

  /* called; all registers stay. The software raises flags in memory, and does not touch the host's. */
  out->soft = o.p;
  saved(&o, lost, CALLED, false);
  o.p = cg_move(o.p, args[0], CG_VCPU);
  o.p = cg_load_u32(o.p, args[1], CG_STACK, CG_FRAME_SOFT + CALLED);
  o.p = cg_lea(o.p, args[2], CG_STACK, CG_FRAME_SOFT + 8 + CALLED);
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, -CALLED);
  call(&o, offsetof(struct cg_env, soft));
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, CALLED);
  o.p = cg_store_64(o.p, CG_STACK, CG_FRAME_SOFT + CALLED, CG_RESULT);
  saved(&o, lost, CALLED, true);
  o.p = cg_ret(o.p);

  out->packed = o.p;
  saved(&o, lost, CALLED, false);
  o.p = cg_move(o.p, args[0], CG_VCPU);
  o.p = cg_load_u32(o.p, args[1], CG_STACK, CG_FRAME_SOFT + CALLED);
  o.p = cg_lea(o.p, args[2], CG_STACK, CG_FRAME_PACKED + CALLED);
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, -CALLED);
  call(&o, offsetof(struct cg_env, packed));
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, CALLED);
  saved(&o, lost, CALLED, true);
  o.p = cg_ret(o.p);

  out->handler = o.p; /* called */
  merge_status(&o, args[0], args[1], CALLED);
  o.p = cg_move(o.p, args[0], CG_VCPU);
  o.p = cg_load_u32(o.p, args[1], CG_STACK, CG_FRAME_EXIT + CALLED);
  o.p = cg_move(o.p, args[2], CG_COUNT);
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, -CALLED);
  call(&o, offsetof(struct cg_env, handler));
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, CALLED);
  clear_status(&o, CALLED);
  o.p = cg_test(o.p, CG_RESULT);
  o.p = cg_branch(o.p, CG_TEST_GIVES);
  yes = o.p;
  o.p = cg_ret(o.p);
  cg_patch(yes, o.p);
  o.p = cg_lea(o.p, CG_STACK, CG_STACK, CALLED);
  o.p = jump_to(o.p, out->cold);
  *at = o.p;
}
