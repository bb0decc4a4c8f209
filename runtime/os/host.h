/* Which machine the host is. */
#ifndef ISOMER_OS_HOST_H
#define ISOMER_OS_HOST_H

/* ELF machine number of the host's own programs. */
#if defined __x86_64__
#define OS_ELF_MACHINE 62
#elif defined __aarch64__
#define OS_ELF_MACHINE 183
#elif defined __riscv
#define OS_ELF_MACHINE 243
#else
#error "unknown host"
#endif

#endif
