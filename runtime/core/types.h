/* Basic types shared by every part: guest addresses, wide integers, branch hints. Nothing here knows an ISA. */
#ifndef ISOMER_CORE_TYPES_H
#define ISOMER_CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gva_t; /* guest virtual address */
typedef uint64_t gpa_t; /* guest physical address */
typedef unsigned __int128 u128;
typedef __int128 i128;

#define likely(x)                     __builtin_expect(!!(x), 1)
#define unlikely(x)                   __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define GUEST_PAGE_BITS               12
#define GUEST_PAGE_SIZE               ((gva_t)1 << GUEST_PAGE_BITS)
#define GUEST_PAGE_MASK               (~(GUEST_PAGE_SIZE - 1))

#endif
