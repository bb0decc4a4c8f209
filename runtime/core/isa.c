/* Finding an ISA by name among those linked in (the generated isa_list). */
#include "core/isa.h"

#include <string.h>

const struct isa *isa_find(const char *name) {
  for (const struct isa *const *p = isa_list; *p; p++)
    if (!strcmp((*p)->name, name)) return *p;
  return NULL;
}
