/* How a riscv64 machine starts: in the built-in SBI's care, in a firmware image, or bare in machine mode. */
#include <errno.h>

#include "arch/riscv64/priv.h"
#include "core/log.h"
#include "devices/board.h"
#include "firmware/sbi.h"
#include "mem/phys.h"

/* What fw_dynamic firmware is handed in a2 (OpenSBI, docs/firmware/fw_dynamic.md). */
struct fw_dynamic_info {
  uint64_t magic, version, next_addr, next_mode, options, boot_hart;
};
#define FW_DYNAMIC_MAGIC 0x4942534f

/* Machine-mode state as SBI firmware leaves it: everything a supervisor can handle is delegated, memory and counters are
 * open, optional extensions enabled. */
static void open_up(struct vcpu *v) {
  struct riscv64_vcpu *s = rv(v);
  s->medeleg = 0xb1ff; /* all but calls from S and M */
  s->mideleg = IRQ_SSI | IRQ_STI | IRQ_SEI;
  s->mcounteren = s->scounteren = 7;
  s->pmpaddr0 = (UINT64_C(1) << 54) - 1;
  s->pmpcfg0 = 0x1f; /* entry 0: NAPOT over everything, R W X */
  s->menvcfg = 0xf0; /* cache-block instructions, invalidate as such */
  if (riscv64_has(v, RISCV64_FEATURE_Sstc)) s->menvcfg |= MENVCFG_STCE;
  if (riscv64_has(v, RISCV64_FEATURE_Svadu)) s->menvcfg |= MENVCFG_ADUE;
  s->FS = 1;
  riscv64_h_pmp_changed(v);
}

static int builtin(struct machine *m, const struct boot_info *b, void **state) {
  struct sbi *sbi = *state;
  if (!sbi) *state = sbi = sbi_new(m);
  if (!sbi) return -ENOMEM;
  int rc = sbi_reset(sbi, b->area);
  if (rc) return rc;
  for (unsigned i = 0; i < m->nvcpus; i++) open_up(m->vcpu[i]);
  rv(m->vcpu[0])->stvec = b->entry & ~UINT64_C(3);
  sbi_enter(&sbi->hart[0], b->entry, b->dtb);
  return 0;
}

/* Firmware and bare programs get every hart in machine mode and choose among them by their ID. */
static int direct(struct machine *m, const struct boot_info *b) {
  struct fw_dynamic_info info = {FW_DYNAMIC_MAGIC, 2, b->next, PRIV_S, 0, 0};
  bool firmware = b->kind == BOOT_FIRMWARE;
  if (firmware && phys_write(m->phys, b->area, &info, sizeof info)) {
    log_error("no RAM at 0x%llx for what firmware is handed", (unsigned long long)b->area);
    return -EFAULT;
  }
  for (unsigned i = 0; i < m->nvcpus; i++) {
    struct riscv64_vcpu *s = rv(m->vcpu[i]);
    s->x[10] = i;
    s->x[11] = b->dtb;
    if (firmware) s->x[12] = b->area;
    m->vcpu[i]->pc = b->entry;
  }
  return 0;
}

static int start(struct machine *m, const struct boot_info *b, void **state) {
  if (b->cmp_hz != RISCV64_TIMEBASE) {
    log_error("board: clock_hz is %llu, but `time` counts at %llu Hz", (unsigned long long)b->cmp_hz,
              (unsigned long long)RISCV64_TIMEBASE);
    return -EINVAL;
  }
  return b->kind == BOOT_BUILTIN ? builtin(m, b, state) : direct(m, b);
}

static void stop(void *state) { sbi_free(state); }
static void visit(void *state, void (*fn)(void *arg, void *at, size_t n), void *arg) {
  sbi_visit(state, fn, arg);
}

const struct boot_ops riscv64_boot = {.isa = "riscv64", .start = start, .free = stop, .visit = visit};
