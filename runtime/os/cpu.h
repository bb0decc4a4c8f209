/* What the host processor can do, and memory for code. */
#ifndef ISOMER_OS_CPU_H
#define ISOMER_OS_CPU_H

#include "core/types.h"

/* Whether the processor has the feature that its description under isa/ has under this name; false for unknown names. */
bool os_cpu_has(const char *feature);

/* One piece of memory seen twice: written at `rw`, executed at `rx`; no page is ever both. */
struct os_code {
  uint8_t *rw;
  const uint8_t *rx;
  size_t size;
};
/* -errno when the host gives no executable memory. */
int os_code_map(struct os_code *c, size_t size);
void os_code_unmap(struct os_code *c);
/* Makes what was written visible to instruction fetch. */
void os_code_written(const struct os_code *c, const uint8_t *rw, size_t n);

#endif
