/* arm64's arch_ops: reset, and what Linux programs of user mode see: entry, system calls, auxiliary vector. Exceptions are in
 * exception.c, translation in walk.c. Instruction meanings are in isa/arm64. Manual = Arm ARM DDI 0487. */
#include <stdio.h>
#include <string.h>

#include "el1.h"
#include "user.h"

#include "core/isa.h"
#include "core/machine.h"
#include "mem/access.h"
#include "mem/tlb.h"

static struct arm64_vcpu *state(struct vcpu *v) { return (struct arm64_vcpu *)v; }

static void reset(struct vcpu *v) {
  arm64_reset_state(v);
  /* bit 31 is RES1; 16 CPUs to a cluster, as many as an SGI's target list names */
  state(v)->MPIDR_EL1 = UINT64_C(1) << 31 | (v->c->index / 16) << 8 | v->c->index % 16;
  v->pc = 0;
  mem_excl_clear(v);
  tlb_flush_all(v);
}

static bool legal(const struct vcpu *v) {
  return ((const struct arm64_vcpu *)v)->EL <= 1; /* the others are absent */
}

static int illegal(struct vcpu *v, uint64_t bits, unsigned len) {
  (void)bits, (void)len;
  return vcpu_trap(v, ARM64_TRAP_undef, 0, 0, 0, 0);
}

static void user_entry(struct vcpu *v, gva_t pc, gva_t sp) {
  struct arm64_vcpu *s = state(v);
  reset(v);
  arm64_set_el(s, 0, 0);
  s->SCTLR_EL1 |= SCTLR_LINUX;
  s->CNTKCTL_EL1 = 2; /* the virtual counter */
  s->DAIF = 0;
  s->SP = sp;
  v->pc = pc;
  arm64_context(v);
}

static bool user_syscall(struct vcpu *v, uint64_t *nr, uint64_t arg[6]) {
  const struct arm64_vcpu *s = state(v);
  if (v->c->trap.kind != ARM64_TRAP_svc) return false;
  *nr = s->x[8];
  for (unsigned i = 0; i < 6; i++) arg[i] = s->x[i];
  return true;
}

static void user_result(struct vcpu *v, int64_t result) {
  state(v)->x[0] = (uint64_t)result;
  v->pc += 4;
}

/* Linux: arch/arm64/include/uapi/asm/hwcap.h, Documentation/arch/arm64/elf_hwcaps.rst. The word is AT_HWCAP or AT_HWCAP2;
 * programs with FP have ASIMD. */
static const struct hwcap {
  const char *name;
  uint8_t feature, word, bit;
} hwcaps[] = {
    {"fp", ARM64_FEATURE_ASIMD, 0, 0},       {"asimd", ARM64_FEATURE_ASIMD, 0, 1},
    {"aes", ARM64_FEATURE_AES, 0, 3},        {"pmull", ARM64_FEATURE_AES, 0, 4},
    {"sha1", ARM64_FEATURE_SHA1, 0, 5},      {"sha2", ARM64_FEATURE_SHA2, 0, 6},
    {"crc32", ARM64_FEATURE_CRC32, 0, 7},    {"atomics", ARM64_FEATURE_LSE, 0, 8},
    {"fphp", ARM64_FEATURE_FP16, 0, 9},      {"asimdhp", ARM64_FEATURE_FP16, 0, 10},
    {"asimdrdm", ARM64_FEATURE_RDM, 0, 12},  {"jscvt", ARM64_FEATURE_JSCVT, 0, 13},
    {"fcma", ARM64_FEATURE_FCMA, 0, 14},     {"lrcpc", ARM64_FEATURE_LRCPC, 0, 15},
    {"sha3", ARM64_FEATURE_SHA3, 0, 17},     {"asimddp", ARM64_FEATURE_DotProd, 0, 20},
    {"sha512", ARM64_FEATURE_SHA512, 0, 21}, {"asimdfhm", ARM64_FEATURE_FHM, 0, 23},
    {"ilrcpc", ARM64_FEATURE_LRCPC2, 0, 26}, {"flagm", ARM64_FEATURE_FlagM, 0, 27},
    {"flagm2", ARM64_FEATURE_FlagM2, 1, 7},  {"frint", ARM64_FEATURE_FRINTTS, 1, 8},
    {"i8mm", ARM64_FEATURE_I8MM, 1, 13},
};
/* Frame of a signal handler without SVE: arch/arm64/kernel/signal.c. */
enum { SIGNAL_FRAME = 4720 };

static void user_auxv(const struct vcpu *v, struct user_auxv *out) {
  for (unsigned i = 0; i < sizeof hwcaps / sizeof *hwcaps; i++)
    *(hwcaps[i].word ? &out->hwcap2 : &out->hwcap) |= (v->c->features >> hwcaps[i].feature & 1)
                                                      << hwcaps[i].bit;
  out->has_hwcap2 = true;
  out->platform = "aarch64";
  out->minsigstksz = SIGNAL_FRAME;
}

/* arch/arm64/kernel/cpuinfo.c */
static int user_cpuinfo(const struct vcpu *v, unsigned processor, char *buf, size_t n) {
  char list[256] = "";
  for (unsigned i = 0; i < sizeof hwcaps / sizeof *hwcaps; i++) {
    size_t len = strlen(list);
    if (v->c->features >> hwcaps[i].feature & 1)
      snprintf(list + len, sizeof list - len, " %s", hwcaps[i].name);
  }
  return snprintf(buf, n,
                  "processor\t: %u\nBogoMIPS\t: 100.00\nFeatures\t:%s\nCPU implementer\t: 0x00\nCPU "
                  "architecture: 8\nCPU variant\t: 0x0\n"
                  "CPU part\t: 0x000\nCPU revision\t: 0\n\n",
                  processor, list);
}

static const struct arch_frames frames = {.sp = offsetof(struct arm64_vcpu, SP),
                                          .fp = offsetof(struct arm64_vcpu, x[29]),
                                          .link = offsetof(struct arm64_vcpu, x[30]),
                                          .saved_fp = 0,
                                          .saved_pc = 8};

const struct arch_ops arm64_arch = {
    .reset = reset,
    .translate = arm64_translate,
    .bus_fault = arm64_bus_fault,
    .illegal = illegal,
    .deliver = arm64_deliver,
    .legal = legal,
    .interrupt = arm64_interrupt,
    .interruptible = arm64_interruptible,
    .wake = arm64_wake,
    .context = arm64_context,
    .interrupt_name = arm64_interrupt_name,
    .user_entry = user_entry,
    .user_syscall = user_syscall,
    .user_result = user_result,
    .user_signal = arm64_user_signal,
    .user_stack = arm64_user_stack,
    .user_tls = arm64_user_tls,
    .signals = &arm64_signals,
    .debug = &arm64_debug,
    .frames = &frames,
    .user_auxv = user_auxv,
    .user_cpuinfo = user_cpuinfo,
};
