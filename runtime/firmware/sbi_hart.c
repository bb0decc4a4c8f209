/* SBI extensions that act on harts: timer, inter-processor interrupts, remote fences, hart state management. A hart only
 * ever changes its own state; for others it leaves a request, which they serve at their next poll. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "arch/riscv64/priv.h"
#include "core/log.h"
#include "devices/board.h"
#include "firmware/sbi.h"
#include "mem/phys.h"
#include "mem/tlb.h"

enum { REQUEST_IPI = 1, REQUEST_TIMER = 2, REQUEST_FENCE_I = 4, REQUEST_SFENCE = 8, REQUEST_START = 16 };
#define FENCES     (REQUEST_FENCE_I | REQUEST_SFENCE)

#define PAGE_LIMIT 64 /* pages; longer ranges flush everything */

static struct sbi_ret ret(int64_t error) { return (struct sbi_ret){error, 0}; }

static void request(struct sbi_hart *h, uint32_t what) {
  __atomic_fetch_or(&h->requests, what, __ATOMIC_SEQ_CST);
  vcpu_kick(h->v);
}

bool sbi_poll(struct vcpu *v) {
  struct sbi_hart *h = v->c->firmware;
  struct riscv64_vcpu *s = rv(v);
  uint32_t what = __atomic_load_n(&h->requests, __ATOMIC_ACQUIRE);
  if (likely(!what)) return false;
  if (what & REQUEST_IPI) s->mip |= IRQ_SSI;
  if (what & REQUEST_TIMER) s->mip |= IRQ_STI;
  if (what & REQUEST_FENCE_I) riscv64_h_fence_i(v);
  if (what & REQUEST_SFENCE) tlb_flush_all(v);
  if (what & REQUEST_START) sbi_enter(h, h->start_addr, h->opaque);
  v->c->isa->arch->context(v);
  __atomic_fetch_and(&h->requests, ~what, __ATOMIC_RELEASE); /* after the work: askers wait for fences */
  return true;
}

static void on_timer(void *opaque) { request(opaque, REQUEST_TIMER); }

/* ---- Hart masks, section 3.1 ---- */

/* Calls fn for every hart of (mask, base). An unknown or absent hart is SBI_INVALID_PARAM, and fn is not called. */
static int64_t each(struct sbi_hart *self, uint64_t mask, uint64_t base,
                    void (*fn)(struct sbi_hart *, struct sbi_hart *, const void *), const void *arg) {
  struct sbi *sbi = self->sbi;
  if (base == UINT64_MAX) {
    mask = sbi->nharts < 64 ? (UINT64_C(1) << sbi->nharts) - 1 : UINT64_MAX;
    base = 0;
  } else if (base >= sbi->nharts || (sbi->nharts - base < 64 && mask >> (sbi->nharts - base))) {
    return SBI_INVALID_PARAM;
  }
  for (; mask; mask &= mask - 1) fn(self, &sbi->hart[base + (unsigned)__builtin_ctzll(mask)], arg);
  return SBI_SUCCESS;
}

/* ---- Timer, section 6 ---- */

struct sbi_ret sbi_time(struct sbi_hart *h, const struct sbi_args *args) {
  struct riscv64_vcpu *s = rv(h->v);
  if (args->fid) return ret(SBI_NOT_SUPPORTED);
  if (riscv64_has(h->v, RISCV64_FEATURE_Sstc)) {
    s->stimecmp = args->a[0];
    return ret(SBI_SUCCESS);
  }
  u128 ns = (u128)args->a[0] * (1000000000u / RISCV64_TIMEBASE) + h->sbi->machine->epoch_ns;
  machine_timer_set(h->timer, ns < UINT64_MAX ? (uint64_t)ns : UINT64_MAX);
  __atomic_fetch_and(&h->requests, ~(uint32_t)REQUEST_TIMER, __ATOMIC_SEQ_CST);
  s->mip &= ~IRQ_STI; /* set again as soon as the timer fires */
  return ret(SBI_SUCCESS);
}

/* ---- Inter-processor interrupts, section 7 ---- */

static void send_ipi(struct sbi_hart *self, struct sbi_hart *to, const void *arg) {
  (void)arg;
  if (to == self) rv(self->v)->mip |= IRQ_SSI;
  else request(to, REQUEST_IPI);
}

struct sbi_ret sbi_ipi(struct sbi_hart *h, const struct sbi_args *args) {
  return ret(args->fid ? SBI_NOT_SUPPORTED : each(h, args->a[0], args->a[1], send_ipi, NULL));
}

/* ---- Remote fences, section 8 ---- */

struct range {
  uint64_t fid, start, size, asid;
};

static void fence_self(struct sbi_hart *h, const struct range *r) {
  struct vcpu *v = h->v;
  if (r->fid == 0) {
    riscv64_h_fence_i(v);
    return;
  }
  bool all = !r->size || r->size == UINT64_MAX ||
             r->size > PAGE_LIMIT * GUEST_PAGE_SIZE; /* 0 and 2^64-1: everything */
  if (all && r->fid == 2) tlb_flush_asid(v, r->asid & 0xffff);
  else if (all) tlb_flush_all(v);
  for (uint64_t off = 0; !all && off < r->size + (r->start & ~GUEST_PAGE_MASK); off += GUEST_PAGE_SIZE) {
    if (r->fid == 2) tlb_flush_page_asid(v, r->start + off, r->asid & 0xffff);
    else tlb_flush_page(v, r->start + off);
  }
}

static void fence(struct sbi_hart *self, struct sbi_hart *to, const void *arg) {
  const struct range *r = arg;
  if (to == self) fence_self(self, r);
  else request(to, r->fid ? REQUEST_SFENCE : REQUEST_FENCE_I);
}

static void await(struct sbi_hart *self, struct sbi_hart *to, const void *arg) {
  (void)arg;
  while (to != self && (__atomic_load_n(&to->requests, __ATOMIC_ACQUIRE) & FENCES)) {
    if (__atomic_load_n(&self->sbi->machine->end, __ATOMIC_ACQUIRE)) return;
    uint32_t mine = __atomic_load_n(&self->requests, __ATOMIC_ACQUIRE) & FENCES;
    if (mine) { /* serve fences meanwhile, or two harts would wait for each other */
      if (mine & REQUEST_FENCE_I) riscv64_h_fence_i(self->v);
      if (mine & REQUEST_SFENCE) tlb_flush_all(self->v);
      __atomic_fetch_and(&self->requests, ~mine, __ATOMIC_RELEASE);
    }
    sched_yield();
  }
}

struct sbi_ret sbi_rfence(struct sbi_hart *h, const struct sbi_args *args) {
  struct range r = {args->fid, args->a[2], args->a[3], args->a[4]};
  if (args->fid > 2) return ret(SBI_NOT_SUPPORTED); /* 3 to 6 are for the hypervisor extension */
  if (r.fid && r.size && r.size != UINT64_MAX && r.start + r.size < r.start) return ret(SBI_INVALID_ADDRESS);
  int64_t rc = each(h, args->a[0], args->a[1], fence, &r);
  return ret(rc ? rc : each(h, args->a[0], args->a[1], await, NULL));
}

/* ---- Hart state management, section 9 ---- */

static void set_state(struct sbi_hart *h, enum hart_state state) {
  __atomic_store_n(&h->state, state, __ATOMIC_SEQ_CST);
}

/* A suspended hart resumes without telling: it has when its PC left the code that waits. */
static enum hart_state state_of(struct sbi_hart *h) {
  enum hart_state state = __atomic_load_n(&h->state, __ATOMIC_SEQ_CST);
  uint64_t pc = __atomic_load_n(&h->v->pc, __ATOMIC_RELAXED);
  return state == HART_SUSPENDED && pc - h->sbi->suspend >= 8 ? HART_STARTED : state;
}

/* The PC that firmware_call's caller adds the call's length to. */
static void go(struct vcpu *v, uint64_t pc, unsigned priv) {
  v->pc = pc;
  rv(v)->PRIV = (uint8_t)priv;
}

void sbi_enter(struct sbi_hart *h, uint64_t pc, uint64_t opaque) {
  struct riscv64_vcpu *s = rv(h->v);
  go(h->v, pc, PRIV_S);
  s->satp = 0;
  s->mstatus &= ~(MSTATUS_SIE | MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR);
  s->mie = 0;
  s->mip = 0;
  s->x[10] = h->v->c->index;
  s->x[11] = opaque;
  set_state(h, HART_STARTED);
}

void sbi_park(struct sbi_hart *h) {
  rv(h->v)->mie = 0;
  go(h->v, h->sbi->park - 4, PRIV_M);
}

static int64_t start(struct sbi *sbi, uint64_t id, uint64_t addr, uint64_t opaque) {
  if (id >= sbi->nharts) return SBI_INVALID_PARAM;
  struct sbi_hart *h = &sbi->hart[id];
  uint32_t stopped = HART_STOPPED;
  if (!phys_ptr(sbi->machine->phys, addr, 4, false)) return SBI_INVALID_ADDRESS;
  if (!__atomic_compare_exchange_n(&h->state, &stopped, HART_START_PENDING, false, __ATOMIC_SEQ_CST,
                                   __ATOMIC_SEQ_CST))
    return stopped == HART_START_PENDING ? SBI_FAILED : SBI_ALREADY_AVAILABLE;
  h->start_addr = addr;
  h->opaque = opaque;
  request(h, REQUEST_START);
  return SBI_SUCCESS;
}

/* Default retentive and non-retentive suspension; both wait for an interrupt that is enabled in mie. */
static int64_t suspend(struct sbi_hart *h, uint32_t type, uint64_t addr, uint64_t opaque) {
  struct riscv64_vcpu *s = rv(h->v);
  if (type != 0 && type != 0x80000000) return SBI_INVALID_PARAM;
  uint64_t back = h->v->pc + 4, mie = s->mie;
  if (type) {
    if (!phys_ptr(h->sbi->machine->phys, addr, 4, false)) return SBI_INVALID_ADDRESS;
    sbi_enter(h, addr, opaque);
    s->mie = mie; /* what may wake the hart */
    back = addr;
  } else {
    s->x[10] = SBI_SUCCESS;
    s->x[11] = 0;
  }
  s->mepc = back;
  s->mstatus = (s->mstatus & ~(MSTATUS_MPP | MSTATUS_MIE | MSTATUS_MPIE)) | (uint64_t)PRIV_S << 11;
  go(h->v, h->sbi->suspend - 4, PRIV_M);
  set_state(h, HART_SUSPENDED);
  return SBI_SUCCESS;
}

struct sbi_ret sbi_hsm(struct sbi_hart *h, const struct sbi_args *args) {
  switch (args->fid) {
  case 0: return ret(start(h->sbi, args->a[0], args->a[1], args->a[2]));
  case 1:
    sbi_park(h);
    set_state(h, HART_STOPPED);
    return ret(SBI_SUCCESS);
  case 2:
    if (args->a[0] >= h->sbi->nharts) return ret(SBI_INVALID_PARAM);
    return (struct sbi_ret){SBI_SUCCESS, state_of(&h->sbi->hart[args->a[0]])};
  case 3: return ret(suspend(h, (uint32_t)args->a[0], args->a[1], args->a[2]));
  default: return ret(SBI_NOT_SUPPORTED);
  }
}

/* ---- Life ---- */

struct sbi *sbi_new(struct machine *m) {
  struct sbi *sbi = calloc(1, sizeof *sbi);
  if (!sbi) goto fail;
  sbi->machine = m;
  sbi->nharts = m->nvcpus;
  for (unsigned i = 0; i < m->nvcpus; i++) {
    struct sbi_hart *h = &sbi->hart[i];
    h->sbi = sbi;
    h->v = m->vcpu[i];
    h->timer = machine_timer_new(m, on_timer, h);
    if (!h->timer) goto fail;
  }
  return sbi;
fail:
  log_error("built-in firmware: out of memory");
  free(sbi);
  return NULL;
}

void sbi_free(struct sbi *sbi) {
  if (!sbi) return;
  for (unsigned i = 0; i < sbi->nharts; i++) {
    machine_timer_set(sbi->hart[i].timer, UINT64_MAX);
    sbi->hart[i].v->c->firmware = NULL;
    sbi->hart[i].v->c->firmware_call = NULL;
    sbi->hart[i].v->c->firmware_poll = NULL;
  }
  free(sbi);
}

void sbi_visit(struct sbi *sbi, void (*fn)(void *arg, void *at, size_t n), void *arg) {
  for (unsigned i = 0; i < sbi->nharts; i++) {
    struct sbi_hart *h = &sbi->hart[i];
    fn(arg, &h->state, sizeof h->state);
    fn(arg, &h->requests, sizeof h->requests);
    fn(arg, &h->start_addr, sizeof h->start_addr);
    fn(arg, &h->opaque, sizeof h->opaque);
  }
}

int sbi_reset(struct sbi *sbi, gpa_t area) {
  static const uint32_t code[] = {
      0x10500073, 0xffdff06f, /* park: wfi; j park */
      0x10500073, 0x30200073, /* suspend: wfi; mret */
  };
  sbi->park = area;
  sbi->suspend = area + 8;
  if (phys_write(sbi->machine->phys, area, code, sizeof code)) {
    log_error("built-in firmware: no RAM at 0x%llx", (unsigned long long)area);
    return -EFAULT;
  }
  for (unsigned i = 0; i < sbi->nharts; i++) {
    struct sbi_hart *h = &sbi->hart[i];
    machine_timer_set(h->timer, UINT64_MAX);
    h->requests = 0;
    set_state(h, HART_STOPPED);
    h->v->c->firmware = h;
    h->v->c->firmware_call = sbi_call;
    h->v->c->firmware_poll = sbi_poll;
    sbi_park(h);
    h->v->pc = sbi->park;
  }
  return 0;
}
