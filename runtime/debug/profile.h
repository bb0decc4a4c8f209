/* --profile: where a guest's instructions go. Every so many instructions (their number varies, so that no loop keeps step) a
 * vCPU notes where it is and who called, as far as can be told; at the end the notes are written as lines "root;caller;leaf
 * COUNT", which flamegraph.pl and others read. The same program gives the same samples on every engine.
 *
 * Instructions are sampled and not time: what the host needs for each is not seen here (perf(1) sees it, with
 * --perf-map). */
#ifndef ISOMER_DEBUG_PROFILE_H
#define ISOMER_DEBUG_PROFILE_H

#include "core/machine.h"

enum { PROFILE_PERIOD = 500000, PROFILE_DEPTH = 32 };

/* Opens `file` ("+FILE": to append) for m->profile; `root` begins every stack. -errno with the reason. */
int profile_open(struct machine *m, const char *file, const char *root, char *why, size_t n);
/* The descriptor, for those who move it elsewhere. */
int profile_fd(const struct machine *m);
void profile_use_fd(struct machine *m, int fd);
/* Samples the vCPU from now on. Nothing without m->profile, as all below. */
void profile_attach(struct vcpu *v, const struct machine *m);
/* Appends what was sampled so far to the file, and forgets it. -errno. */
int profile_write(struct machine *m);
/* Around a fork of the host process: before; then in both. The child begins with nothing. */
void profile_fork(struct machine *m, bool before, bool child);
void profile_free(struct machine *m);

#endif
