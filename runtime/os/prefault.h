/* Asks the host for memory that is about to be written, at once instead of page by page. A hint: failing changes nothing. */
#ifndef ISOMER_OS_PREFAULT_H
#define ISOMER_OS_PREFAULT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* The whole host pages within [p, p + n). */
static inline void os_prefault(void *p, size_t n) {
  const uintptr_t page = 4096, at = ((uintptr_t)p + page - 1) & ~(page - 1),
                  end = ((uintptr_t)p + n) & ~(page - 1);
#ifdef MADV_POPULATE_WRITE
  if (end > at) madvise((void *)at, end - at, MADV_POPULATE_WRITE);
#else
  (void)at, (void)end;
#endif
}

#endif
