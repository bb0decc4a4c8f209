/* 128-bit atomic accesses of the host; see atomic128.c for hosts without them. p is 16-byte aligned. */
#ifndef ISOMER_OS_ATOMIC128_H
#define ISOMER_OS_ATOMIC128_H

#include "core/types.h"

/* Sequentially consistent. Stores `value` when *p equals *expect; *expect becomes what was there. True if it stored. */
bool os_cas128(void *p, u128 *expect, u128 value);
u128 os_load128(void *p);

/* True when the two above are lock-free; else they are atomic only against each other. */
extern const bool os_cas128_is_atomic;

#endif
