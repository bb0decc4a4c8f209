/* riscv64's arch_ops: reset, translation contexts, traps and interrupts, timer deadlines, user-mode calls. Page walks are
 * in walk.c, protection in pmp.c; what CSRs hold and allow is in isa/riscv64/sysregs.yaml. */
#include "priv.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/machine.h"
#include "mem/access.h"
#include "mem/tlb.h"

static const struct {
  uint64_t bit;
  unsigned cause;
  const char *name;
} irqs[] = {
    /* in order of priority, 3.1.9 */
    {IRQ_MEI, 11, "machine external"},   {IRQ_MSI, 3, "machine software"},
    {IRQ_MTI, 7, "machine timer"},       {IRQ_SEI, 9, "supervisor external"},
    {IRQ_SSI, 1, "supervisor software"}, {IRQ_STI, 5, "supervisor timer"},
};

static void reset(struct vcpu *v) {
  struct riscv64_vcpu *s = rv(v);
  riscv64_reset_state(v);
  s->mhartid = v->c->index;
  if (riscv64_has(v, RISCV64_FEATURE_Svadu)) s->menvcfg = MENVCFG_ADUE;
  v->pc = 0;
  mem_excl_clear(v);
  tlb_flush_all(v);
}

/* A translation context's number: privilege, SUM, MXR and paging mode, as far as they matter to it. */
static uint32_t mode(const struct riscv64_vcpu *s, unsigned priv, bool data) {
  if (priv == PRIV_M || SATP_MODE(s->satp) == SATP_BARE) return priv;
  uint32_t m = priv | (SATP_MODE(s->satp) - SATP_SV39 + 1) << 4;
  if (data && s->mstatus & MSTATUS_SUM && priv == PRIV_S) m |= 1 << 2;
  if (data && s->mstatus & MSTATUS_MXR) m |= 1 << 3;
  return m;
}

static void context(struct vcpu *v) {
  struct riscv64_vcpu *s = rv(v);
  uint32_t data = mode(s, riscv64_data_priv(s), true), fetch = mode(s, s->PRIV, false);
  uint64_t asid = SATP_ASID(s->satp);
  /* c->arch holds what the tags were made for: most calls change nothing. */
  uintptr_t key = UINT64_C(1) << 63 | asid << 16 | data << 8 | fetch;
  if ((uintptr_t)v->c->arch == key && v->tag_data && v->tag_fetch) return;
  v->tag_fetch = tlb_context(v, fetch >> 4 ? asid : 0, fetch);
  v->tag_data = tlb_context(v, data >> 4 ? asid : 0, data);
  v->c->arch = (void *)key; // NOLINT
}

static bool legal(const struct vcpu *v) {
  const struct riscv64_vcpu *s = (const struct riscv64_vcpu *)v;
  const unsigned paging = SATP_MODE(s->satp); /* 10.1.11; privilege 2 is reserved (1.2) */
  return s->PRIV != 2 && (s->mstatus >> 11 & 3) != 2 &&
         (paging == SATP_BARE || paging == SATP_SV39 || paging == SATP_SV48);
}

static int illegal(struct vcpu *v, uint64_t bits, unsigned len) {
  return vcpu_trap(v, RISCV64_TRAP_illegal, 1, len < 8 ? bits & ((UINT64_C(1) << 8 * len) - 1) : bits, 0, 0);
}

/* The bits of the instruction at v->pc, which was just fetched; 0 when they are gone. */
static uint64_t insn_bits(struct vcpu *v) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < 4; i += 2) {
    uint16_t half;
    if (tlb_fetch_bytes(v, v->pc + i, &half, sizeof half) < sizeof half) return 0;
    bits |= (uint64_t)half << 8 * i;
    if ((bits & 3) != 3) break;
  }
  return bits;
}

/* Enters the handler for `cause` (bit 63: interrupt) in M or S mode: 3.1.6.1, 3.1.7, 10.1.1 to 10.1.9. */
static void enter(struct vcpu *v, bool to_s, uint64_t cause, uint64_t tval) {
  struct riscv64_vcpu *s = rv(v);
  uint64_t tvec;
  mem_excl_clear(v);
  if (to_s) {
    s->sepc = v->pc;
    s->scause = cause;
    s->stval = tval;
    uint64_t m = s->mstatus & ~(MSTATUS_SPIE | MSTATUS_SIE | MSTATUS_SPP);
    if (s->mstatus & MSTATUS_SIE) m |= MSTATUS_SPIE;
    if (s->PRIV == PRIV_S) m |= MSTATUS_SPP;
    s->mstatus = m;
    s->PRIV = PRIV_S;
    tvec = s->stvec;
  } else {
    s->mepc = v->pc;
    s->mcause = cause;
    s->mtval = tval;
    uint64_t m = s->mstatus & ~(MSTATUS_MPIE | MSTATUS_MIE | MSTATUS_MPP);
    if (s->mstatus & MSTATUS_MIE) m |= MSTATUS_MPIE;
    m |= (uint64_t)s->PRIV << 11;
    s->mstatus = m;
    s->PRIV = PRIV_M;
    tvec = s->mtvec;
  }
  v->pc = (tvec & ~UINT64_C(3)) + (tvec & 1 && cause >> 63 ? 4 * (cause & 63) : 0);
}

static void deliver(struct vcpu *v) {
  struct riscv64_vcpu *s = rv(v);
  const struct trap t = v->c->trap; /* fetching the instruction again may overwrite it */
  const unsigned code = v->c->isa->traps[t.kind].code;
  const bool to_s = s->PRIV <= PRIV_S && s->medeleg >> code & 1;
  uint64_t tval = t.nargs ? t.arg[0] : t.kind == RISCV64_TRAP_illegal ? insn_bits(v) : 0;
  if (!to_s && v->c->firmware_call) {
    if (t.kind == RISCV64_TRAP_ecall_s && v->c->firmware_call(v)) {
      v->pc += 4;
      return;
    }
    log_error("vCPU %u: %s (value 0x%llx) at pc 0x%llx in mode %u would enter machine mode, where the "
              "built-in firmware "
              "has no handler",
              v->c->index, v->c->isa->traps[t.kind].name, (unsigned long long)tval, (unsigned long long)v->pc,
              s->PRIV);
    if (v->c->machine) machine_end(v->c->machine, END_FAILURE, 0);
  }
  enter(v, to_s, code, tval);
}

/* Interrupts of `mie` that the present mode lets through: those for M mode, and in S or U mode those delegated. */
static uint64_t open_interrupts(const struct riscv64_vcpu *s) {
  uint64_t open = 0;
  if (s->PRIV < PRIV_M || s->mstatus & MSTATUS_MIE) open = s->mie & ~s->mideleg;
  if (s->PRIV < PRIV_S || (s->PRIV == PRIV_S && s->mstatus & MSTATUS_SIE)) open |= s->mie & s->mideleg;
  return open;
}

static bool interrupt(struct vcpu *v) {
  struct riscv64_vcpu *s = rv(v);
  if (v->c->firmware_poll && v->c->firmware_poll(v)) return true;
  uint64_t open = open_interrupts(s);
  if (!open) return false;
  uint64_t ready = riscv64_pending(v, open);
  if (!ready) return false;
  if (ready & ~s->mideleg) ready &= ~s->mideleg; /* those for M mode come first */
  for (unsigned i = 0; i < ARRAY_SIZE(irqs); i++) {
    if (!(ready & irqs[i].bit)) continue;
    v->c->stats.interrupts[irqs[i].cause]++;
    enter(v, s->mideleg & irqs[i].bit, UINT64_C(1) << 63 | irqs[i].cause, 0);
    return true;
  }
  return false;
}

static bool interruptible(struct vcpu *v) {
  uint64_t open = open_interrupts(rv(v));
  return open && riscv64_pending(v, open);
}

static const char *interrupt_name(unsigned cause) {
  for (unsigned i = 0; i < ARRAY_SIZE(irqs); i++)
    if (irqs[i].cause == cause) return irqs[i].name;
  return NULL;
}

/* 3.3.3: wfi resumes for an interrupt enabled in mie, whatever the global enables and delegation say. */
static bool wake(struct vcpu *v) {
  return (v->c->firmware_poll && v->c->firmware_poll(v)) || riscv64_pending(v, rv(v)->mie) != 0;
}

static uint64_t deadline(struct vcpu *v) {
  const struct riscv64_vcpu *s = rv(v);
  const struct machine *m = v->c->machine;
  if (!m || !(s->menvcfg & MENVCFG_STCE) || !(s->mie & IRQ_STI)) return UINT64_MAX;
  i128 ticks = (i128)s->stimecmp - (int64_t)__atomic_load_n(&m->counter_delta, __ATOMIC_RELAXED);
  i128 ns = ticks * (int)(1000000000u / RISCV64_TIMEBASE) + m->epoch_ns;
  return ns < 0 ? 0 : ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

/* A Linux process starts with zeroed registers and usable floating point, counters and cache operations. */
static void user_entry(struct vcpu *v, gva_t pc, gva_t sp) {
  struct riscv64_vcpu *s = rv(v);
  reset(v);
  s->PRIV = PRIV_U;
  s->FS = 1;
  s->mcounteren = s->scounteren = 7;
  s->menvcfg |= 0xf0;
  s->senvcfg |= 0xf0;
  s->x[2] = sp;
  v->pc = pc;
  context(v);
}

static bool user_syscall(struct vcpu *v, uint64_t *nr, uint64_t arg[6]) {
  const struct riscv64_vcpu *s = rv(v);
  if (v->c->trap.kind != RISCV64_TRAP_ecall_u) return false;
  *nr = s->x[17];
  for (unsigned i = 0; i < 6; i++) arg[i] = s->x[10 + i];
  return true;
}

static void user_result(struct vcpu *v, int64_t result) {
  rv(v)->x[10] = (uint64_t)result;
  v->pc += 4;
}

/* Frame of a signal handler without vector registers: struct rt_sigframe, arch/riscv/kernel/signal.c. */
enum { SIGNAL_FRAME = 1088 };

/* AT_HWCAP has one bit per single-letter extension. */
static void user_auxv(const struct vcpu *v, struct user_auxv *out) {
  static const struct {
    uint8_t feature;
    char letter;
  } letters[] = {{RISCV64_FEATURE_M, 'M'},
                 {RISCV64_FEATURE_A, 'A'},
                 {RISCV64_FEATURE_F, 'F'},
                 {RISCV64_FEATURE_D, 'D'},
                 {RISCV64_FEATURE_C, 'C'}};
  out->hwcap = UINT64_C(1) << ('I' - 'A');
  for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
    out->hwcap |= (v->c->features >> letters[i].feature & 1) << (letters[i].letter - 'A');
  out->minsigstksz = SIGNAL_FRAME;
}

/* arch/riscv/kernel/cpu.c. The names of features are those of extensions; letters come first, then names in lower case,
 * supervisor ones left out. */
static int user_cpuinfo(const struct vcpu *v, unsigned processor, char *buf, size_t n) {
  const struct isa *isa = v->c->isa;
  char text[512] = "rv64i";
  size_t at = strlen(text);
  for (unsigned pass = 0; pass < 2; pass++)
    for (unsigned i = 0; i < isa->nfeatures; i++) {
      const char *name = isa->features[i].name;
      if (!(v->c->features >> i & 1) || (pass ? name[0] != 'Z' : name[1])) continue;
      if (pass && at < sizeof text - 2) text[at++] = '_';
      for (; *name && at < sizeof text - 2; name++) text[at++] = (char)(*name | 0x20);
    }
  text[at] = 0;
  return snprintf(buf, n,
                  "processor\t: %u\nhart\t\t: %u\nisa\t\t: %s\nmmu\t\t: sv39\nmvendorid\t: 0x0\nmarchid\t\t: "
                  "0x0\nmimpid\t\t: 0x0\nhart isa\t: %s\n\n",
                  processor, processor, text, text);
}

static const struct arch_frames frames = {.sp = offsetof(struct riscv64_vcpu, x[2]),
                                          .fp = offsetof(struct riscv64_vcpu, x[8]),
                                          .link = offsetof(struct riscv64_vcpu, x[1]),
                                          .saved_fp = -16,
                                          .saved_pc = -8};

const struct arch_ops riscv64_arch = {
    .reset = reset,
    .translate = riscv64_translate,
    .bus_fault = riscv64_bus_fault,
    .illegal = illegal,
    .deliver = deliver,
    .legal = legal,
    .interrupt = interrupt,
    .interruptible = interruptible,
    .wake = wake,
    .context = context,
    .deadline = deadline,
    .interrupt_name = interrupt_name,
    .user_entry = user_entry,
    .user_syscall = user_syscall,
    .user_result = user_result,
    .user_signal = riscv64_user_signal,
    .user_stack = riscv64_user_stack,
    .user_tls = riscv64_user_tls,
    .signals = &riscv64_signals,
    .frames = &frames,
    .user_auxv = user_auxv,
    .user_cpuinfo = user_cpuinfo,
};
