/* x86_64's arch_ops for programs in user mode: entry, system calls, signals. There is no system mode here: no exception
 * delivery, no page walk. Instruction meanings are in isa/x86_64. Manual = Intel SDM. */
#include <stdio.h>
#include <string.h>

#include "user.h"

#include "core/clock.h"
#include "core/isa.h"
#include "core/log.h"
#include "core/machine.h"
#include "mem/access.h"
#include "mem/tlb.h"

/* Error code of a page fault (vol. 3, 4.7). */
enum { PF_WRITE = 1 << 1, PF_USER = 1 << 2, PF_FETCH = 1 << 4 };

enum { MAX_LENGTH = 15 };

static struct x86_64_vcpu *state(struct vcpu *v) { return (struct x86_64_vcpu *)v; }

static void reset(struct vcpu *v) {
  x86_64_reset_state(v);
  v->pc = 0;
  mem_excl_clear(v);
  tlb_flush_all(v);
}

static void context(struct vcpu *v) {
  if (v->tag_data && v->tag_fetch) return;
  v->tag_data = v->tag_fetch = tlb_context(v, 0, 0);
}

/* Bits 63 to 47 of a canonical address are equal (vol. 1, 3.3.7.1). */
static bool canonical(gva_t va) { return (gva_t)((int64_t)(va << 16) >> 16) == va; }

static int bus_fault(struct vcpu *v, gva_t va, enum access access) {
  if (!canonical(va)) return vcpu_trap(v, X86_64_TRAP_GP, 1, 0, 0, 0);
  uint64_t code = PF_USER | (access == ACCESS_WRITE ? PF_WRITE : access == ACCESS_FETCH ? PF_FETCH : 0);
  return vcpu_trap(v, X86_64_TRAP_PF, 2, code, va, 0);
}

static int translate(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  (void)out; /* user mode brings its own: no page tables are walked */
  return bus_fault(v, va, access);
}

/* Longer than 15 bytes is #GP (vol. 2, 2.3.11), anything else undescribed #UD. */
static int illegal(struct vcpu *v, uint64_t bits, unsigned len) {
  (void)bits;
  if (len > MAX_LENGTH) return vcpu_trap(v, X86_64_TRAP_GP, 1, 0, 0, 0);
  return vcpu_trap(v, X86_64_TRAP_UD, 0, 0, 0, 0);
}

static void deliver(struct vcpu *v) {
  log_error("vCPU %u: %s at pc 0x%llx: x86_64 has no system mode in this version: use isomer user",
            v->c->index, v->c->isa->traps[v->c->trap.kind].name, (unsigned long long)v->pc);
  if (v->c->machine) machine_end(v->c->machine, END_FAILURE, 0);
}

/* The time-stamp counter counts nanoseconds (vol. 3, 18.17: at a constant rate). */
int x86_64_h_tsc(struct vcpu *v, uint64_t *t) {
  *t = v->c->machine ? machine_now(v->c->machine) : clock_ns();
  return STEP_NEXT;
}

static void user_entry(struct vcpu *v, gva_t pc, gva_t sp) {
  reset(v);
  state(v)->r[RSP] = sp;
  v->pc = pc;
  context(v);
}

/* System V ABI, AMD64 supplement, A.2.1. */
static bool user_syscall(struct vcpu *v, uint64_t *nr, uint64_t arg[6]) {
  static const uint8_t regs[6] = {RDI, RSI, RDX, R10, R8, R9};
  const struct x86_64_vcpu *s = state(v);
  if (v->c->trap.kind != X86_64_TRAP_syscall) return false;
  *nr = s->r[RAX];
  for (unsigned i = 0; i < 6; i++) arg[i] = s->r[regs[i]];
  return true;
}

/* Returns as sysret does: to the address in rcx (the flags, in r11, have not changed). */
static void user_result(struct vcpu *v, int64_t result) {
  struct x86_64_vcpu *s = state(v);
  s->r[RAX] = (uint64_t)result;
  v->pc = s->r[RCX];
}

/* What CPUID leaf 1 would have in EDX (vol. 2A, CPUID), and the names Linux has for it and for the features here
 * (arch/x86/include/asm/cpufeatures.h). */
enum { EDX_CX8 = 1 << 8, EDX_CMOV = 1 << 15, EDX_MMX_TO_SSE2 = 7 << 24 };
/* Frame of a signal handler with AVX state: arch/x86/kernel/fpu/signal.c. */
enum { SIGNAL_FRAME = 1776 };

static void user_auxv(const struct vcpu *v, struct user_auxv *out) {
  (void)v;
  out->hwcap = EDX_CX8 | EDX_CMOV | EDX_MMX_TO_SSE2;
  out->has_hwcap2 = true;
  out->platform = "x86_64";
  out->minsigstksz = SIGNAL_FRAME;
}

/* arch/x86/kernel/cpu/proc.c */
static int user_cpuinfo(const struct vcpu *v, unsigned processor, char *buf, size_t n) {
  static const struct {
    uint8_t feature;
    const char *name;
  } names[] = {{X86_64_FEATURE_CX16, "cx16"},    {X86_64_FEATURE_SSE41, "sse4_1"},
               {X86_64_FEATURE_SSE42, "sse4_2"}, {X86_64_FEATURE_POPCNT, "popcnt"},
               {X86_64_FEATURE_AVX, "avx"},      {X86_64_FEATURE_LZCNT, "abm"},
               {X86_64_FEATURE_BMI1, "bmi1"},    {X86_64_FEATURE_AVX2, "avx2"},
               {X86_64_FEATURE_AES, "aes"},      {X86_64_FEATURE_PCLMUL, "pclmulqdq"},
               {X86_64_FEATURE_SHA, "sha_ni"}};
  char flags[200] = "cx8 cmov fxsr sse sse2 syscall lm";
  for (size_t i = 0; i < ARRAY_SIZE(names); i++)
    if (v->c->features >> names[i].feature & 1) strcat(strcat(flags, " "), names[i].name);
  return snprintf(buf, n,
                  "processor\t: %u\nvendor_id\t: Isomer\ncpu family\t: 6\nmodel\t\t: 0\nmodel name\t: "
                  "Isomer\nstepping\t: 0\n"
                  "fpu\t\t: yes\nflags\t\t: %s\nbogomips\t: 2000.00\nclflush size\t: 64\naddress sizes\t: 46 "
                  "bits physical, "
                  "48 bits virtual\n\n",
                  processor, flags);
}

static const struct arch_frames frames = {.sp = offsetof(struct x86_64_vcpu, r[4]),
                                          .fp = offsetof(struct x86_64_vcpu, r[5]),
                                          .saved_fp = 0,
                                          .saved_pc = 8};

const struct arch_ops x86_64_arch = {
    .reset = reset,
    .translate = translate,
    .bus_fault = bus_fault,
    .illegal = illegal,
    .deliver = deliver,
    .context = context,
    .user_entry = user_entry,
    .user_syscall = user_syscall,
    .user_result = user_result,
    .user_signal = x86_64_user_signal,
    .user_stack = x86_64_user_stack,
    .user_tls = x86_64_user_tls,
    .signals = &x86_64_signals,
    .frames = &frames,
    .user_auxv = user_auxv,
    .user_cpuinfo = user_cpuinfo,
};
