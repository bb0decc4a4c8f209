/* The machine's event loop, between machine.c and loop.c only; devices use machine_watch_fd and machine_timer_*. */
#ifndef ISOMER_CORE_LOOP_H
#define ISOMER_CORE_LOOP_H

#include "core/machine.h"

int loop_create(struct machine *m); /* sets m->loop; -errno */
void loop_destroy(struct machine *m);
int loop_start(struct machine *m); /* starts the thread; -errno */
void loop_stop(struct machine *m); /* waits until the thread is gone; no callback runs afterwards */

#endif
