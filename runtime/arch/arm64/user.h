/* Between arm64's files: user-mode threads and signals (signal.c). */
#ifndef ISOMER_ARCH_ARM64_USER_H
#define ISOMER_ARCH_ARM64_USER_H

#include "arm64/state.h"

/* Second argument of a data abort, as in ESR_ELx.ISS (D24.2.37): write, and the fault status code. */
enum { WNR = 1 << 6, FSC_TRANSLATION_L3 = 0x07, FSC_ALIGNMENT = 0x21, FSC = 0x3f };

extern const struct arch_signals arm64_signals;
struct user_fault arm64_user_signal(struct vcpu *v);
void arm64_user_stack(struct vcpu *v, gva_t at);
void arm64_user_tls(struct vcpu *v, uint64_t tls);

#endif
