/* Names of a process's code, for what watches it (core/symbols.h). */
#ifndef ISOMER_USER_SYMBOLS_H
#define ISOMER_USER_SYMBOLS_H

#include <stdbool.h>

struct symbols;
struct user_process;

/* For the process, whose machine gets it; NULL when out of memory. */
const struct symbols *user_symbols_new(struct user_process *p);
/* NULL is allowed in these. Around a fork of the host process, in both processes. */
void user_symbols_fork(const struct symbols *s, bool before);
void user_symbols_free(const struct symbols *s);

#endif
