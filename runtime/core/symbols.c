/* Names of guest code as text, and back. */
#include "core/symbols.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/machine.h"

bool symbols_find(const struct machine *m, gva_t pc, char *name, size_t n, uint64_t *distance) {
  const struct symbols *s = m ? m->symbols : NULL;
  return s && s->find(s, pc, name, n, distance);
}

void symbols_text(const struct machine *m, gva_t pc, char *text, size_t n) {
  char name[200];
  uint64_t off;
  if (!symbols_find(m, pc, name, sizeof name, &off)) snprintf(text, n, "0x%" PRIx64, pc);
  else if (off) snprintf(text, n, "%s+0x%" PRIx64, name, off);
  else snprintf(text, n, "%s", name);
}

bool symbols_place(const struct machine *m, const char *text, gva_t *pc) {
  const struct symbols *s = m ? m->symbols : NULL;
  char *end;
  errno = 0;
  if (isdigit((unsigned char)*text)) {
    *pc = strtoull(text, &end, 0);
    return !*end && !errno;
  }
  return *text && s && s->named(s, text, pc);
}
