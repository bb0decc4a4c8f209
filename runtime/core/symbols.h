/* Names of places in a guest's code, as far as somebody knows them: for traces, profiles and the host's profiler. Who knows
 * them is a board's or a process's affair (cli/symbols.c, user/symbols.c); engines see this interface alone. */
#ifndef ISOMER_CORE_SYMBOLS_H
#define ISOMER_CORE_SYMBOLS_H

#include "core/types.h"

struct machine;

struct symbols {
  /* Name of what covers `pc` into name[n], and the distance from its start: false when nobody knows. From any thread. */
  bool (*find)(const struct symbols *s, gva_t pc, char *name, size_t n, uint64_t *distance);
  /* Address of a name. */
  bool (*named)(const struct symbols *s, const char *name, gva_t *pc);
};

/* As machine->symbols (NULL: nobody knows anything; m may be NULL). */
bool symbols_find(const struct machine *m, gva_t pc, char *name, size_t n, uint64_t *distance);
/* "name+0x1c", "name", or the address: as many bytes as fit. */
void symbols_text(const struct machine *m, gva_t pc, char *text, size_t n);
/* An address in C's notation, or a name: false when it is neither. */
bool symbols_place(const struct machine *m, const char *text, gva_t *pc);

#endif
