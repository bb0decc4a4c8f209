/* Built-in firmware of arm64: the Power State Coordination Interface 1.1 and the SMC Calling Convention 1.1, answered by the
 * host through HVC or SMC (Arm DEN 0022D, DEN 0028). */
#ifndef ISOMER_FIRMWARE_PSCI_H
#define ISOMER_FIRMWARE_PSCI_H

#include "core/machine.h"

/* DEN 0022D, 5.2.2 */
enum psci_error {
  PSCI_SUCCESS = 0,
  PSCI_NOT_SUPPORTED = -1,
  PSCI_INVALID_PARAMETERS = -2,
  PSCI_DENIED = -3,
  PSCI_ALREADY_ON = -4,
  PSCI_ON_PENDING = -5,
  PSCI_INVALID_ADDRESS = -9,
};

/* As AFFINITY_INFO answers, 5.7.3 */
enum psci_state { PSCI_ON = 0, PSCI_OFF = 1, PSCI_PENDING = 2 };

struct psci;

struct psci_cpu {
  struct psci *psci;
  struct vcpu *v;
  uint32_t state;          /* enum psci_state, atomic */
  uint32_t start;          /* atomically set by another CPU: enter start_addr, on the own thread */
  uint64_t start_addr, id; /* written before `start` is set; id becomes x0 */
};

struct psci {
  struct machine *machine;
  gpa_t park; /* physical address of the loop that a CPU runs that is off */
  unsigned ncpus;
  struct psci_cpu cpu[MACHINE_MAX_VCPUS];
};

struct psci *psci_new(struct machine *m);
void psci_free(struct psci *psci);
void psci_visit(struct psci *psci, void (*fn)(void *arg, void *at, size_t n), void *arg);
/* Connects the calls of every vCPU, all of them off; `area` is BOOT_AREA bytes of RAM. -errno. */
int psci_reset(struct psci *psci, gpa_t area);
/* Starts a CPU at physical address pc with x0 = id, as 6.4 says: EL1, MMU off, everything masked. */
void psci_enter(struct psci_cpu *c, uint64_t pc, uint64_t id);
/* vcpu_common.firmware_call and firmware_poll */
bool psci_call(struct vcpu *v);
bool psci_poll(struct vcpu *v);

#endif
