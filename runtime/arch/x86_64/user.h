/* Between x86_64's files: user-mode threads and signals (signal.c). */
#ifndef ISOMER_ARCH_X86_64_USER_H
#define ISOMER_ARCH_X86_64_USER_H

#include "x86_64/state.h"

/* Registers by number. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 };
enum { SB_FS = 1, SB_GS = 2 };

extern const struct arch_signals x86_64_signals;
struct user_fault x86_64_user_signal(struct vcpu *v);
void x86_64_user_stack(struct vcpu *v, gva_t at);
void x86_64_user_tls(struct vcpu *v, uint64_t tls);

#endif
