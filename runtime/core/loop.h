/* The machine's event loop, between machine.c and loop.c only; devices use machine_watch_fd and machine_timer_*. */
#ifndef ISOMER_CORE_LOOP_H
#define ISOMER_CORE_LOOP_H

#include "core/machine.h"

int loop_create(struct machine *m); /* sets m->loop; -errno */
void loop_destroy(struct machine *m);
/* Virtual time: the earliest timer (UINT64_MAX: none), and running those due at `now`, earliest first. */
uint64_t loop_next(struct machine *m);
void loop_fire(struct machine *m, uint64_t now);
/* Calls fn with the address of every timer's due time, in a fixed order (snapshots, hashes). */
void loop_visit(struct machine *m, void (*fn)(void *arg, void *at, size_t n), void *arg);
int loop_start(struct machine *m); /* starts the thread; -errno */
void loop_stop(struct machine *m); /* waits until the thread is gone; no callback runs afterwards */

#endif
