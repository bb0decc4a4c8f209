/* Translated code for the host's profiler, perf(1): a map of names, which perf reads when it reports, and a dump of all code
 * with times, from which `perf inject --jit` makes files that it can also disassemble (tools/perf/Documentation/
 * jit-interface.txt and jitdump-specification.txt of Linux). */
#ifndef ISOMER_JIT_PERF_H
#define ISOMER_JIT_PERF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jit;

enum jit_perf { PERF_MAP, PERF_DUMP, PERFS };

/* Creates the file of this process in place of what is open as `fd`, a number that the guest does not see, and uses it: 0 or
 * -errno with the reason. A link that someone has put there is not followed. */
int perf_start(enum jit_perf what, int fd, char *why, size_t n);
/* Code was written to [from, from + size) (writable view). Nothing unless a file is in use. */
void perf_code(const struct jit *j, const uint8_t *from, size_t size, const char *name);
/* In a forked child, whose code is its own: a new map. Its code is in no dump. */
void perf_child(void);

extern int perf_fd[PERFS]; /* -1: not in use */
static inline bool perf_active(void) { return perf_fd[PERF_MAP] >= 0 || perf_fd[PERF_DUMP] >= 0; }

#endif
