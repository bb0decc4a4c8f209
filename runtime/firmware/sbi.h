/* Built-in firmware of riscv64: the RISC-V Supervisor Binary Interface 2.0, answered by the host. Shared by the sbi_*.c
 * files and riscv64_boot.c; section numbers are those of the SBI specification 2.0. */
#ifndef ISOMER_FIRMWARE_SBI_H
#define ISOMER_FIRMWARE_SBI_H

#include "core/machine.h"

/* Error codes, section 3. */
enum sbi_error {
  SBI_SUCCESS = 0,
  SBI_FAILED = -1,
  SBI_NOT_SUPPORTED = -2,
  SBI_INVALID_PARAM = -3,
  SBI_DENIED = -4,
  SBI_INVALID_ADDRESS = -5,
  SBI_ALREADY_AVAILABLE = -6,
  SBI_ALREADY_STARTED = -7,
  SBI_ALREADY_STOPPED = -8,
};

/* Hart states, section 9, table 1. */
enum hart_state {
  HART_STARTED = 0,
  HART_STOPPED = 1,
  HART_START_PENDING = 2,
  HART_STOP_PENDING = 3,
  HART_SUSPENDED = 4
};

struct sbi;

struct sbi_hart {
  struct sbi *sbi;
  struct vcpu *v;
  uint32_t state; /* enum hart_state, atomic */
  uint32_t
      requests; /* REQUEST_*, atomically set by other harts and the timer, served on the hart's own thread */
  uint64_t start_addr, opaque; /* of REQUEST_START; written before the request is set */
  struct machine_timer *timer; /* harts without Sstc */
};

struct sbi {
  struct machine *machine;
  gpa_t park;    /* physical address of the loop that a stopped hart runs in machine mode */
  gpa_t suspend; /* and of the code that waits and returns, for a suspended one */
  unsigned nharts;
  struct sbi_hart hart[MACHINE_MAX_VCPUS];
};

/* What a call returns: a0 = error, a1 = value. */
struct sbi_ret {
  int64_t error;
  uint64_t value;
};

/* One SBI call: extension and function ID, a0..a5. */
struct sbi_args {
  uint64_t eid, fid, a[6];
};

typedef struct sbi_ret sbi_fn(struct sbi_hart *h, const struct sbi_args *args);

struct sbi_ext {
  const char *name;
  uint32_t eid;
  sbi_fn *call;
};
extern const struct sbi_ext sbi_exts[]; /* name == NULL ends */

sbi_fn sbi_base, sbi_time, sbi_ipi, sbi_rfence, sbi_hsm, sbi_srst, sbi_dbcn;

struct sbi *sbi_new(struct machine *m);
/* Shows all state (snapshots). */
void sbi_visit(struct sbi *sbi, void (*fn)(void *arg, void *at, size_t n), void *arg);
void sbi_free(struct sbi *sbi);
/* Connects the calls of every vCPU; `area` is BOOT_AREA bytes of RAM that the OS is told to leave alone, where the code for
 * stopped and suspended harts is written. All harts are stopped then. -errno. */
int sbi_reset(struct sbi *sbi, gpa_t area);
/* vcpu_common.firmware_call and firmware_poll. */
bool sbi_call(struct vcpu *v);
bool sbi_poll(struct vcpu *v);
/* Puts a hart into supervisor mode at pc with a0 = hart ID, a1 = opaque, as section 9.1 says. */
void sbi_enter(struct sbi_hart *h, uint64_t pc, uint64_t opaque);
void sbi_park(struct sbi_hart *h);

#endif
