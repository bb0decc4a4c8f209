/* A machine: vCPUs, guest-physical map, devices and the reason it ended. Boards (devices/board.h) fill it in; the CLI
 * runs it. This header knows no device. */
#ifndef ISOMER_CORE_MACHINE_H
#define ISOMER_CORE_MACHINE_H

#include <pthread.h>

#include "core/vcpu.h"

#define MACHINE_MAX_VCPUS 64

enum machine_end {
  END_NONE = 0,
  END_POWEROFF, /* clean power-off */
  END_RESET,    /* the guest asked for a reset */
  END_CODE,     /* the guest reported machine->end_code (HTIF, test finisher) */
  END_FAILURE,  /* guest-reported failure (SBI "system failure", triple fault) */
  END_QUIT,     /* the operator quit (Ctrl-A x, signal) */
  END_TIMEOUT,
  END_ERROR, /* our bug: an engine failed and logged why */
};

struct machine;

/* Callback on a file descriptor of the machine's event loop (input, timers of devices). */
typedef void machine_fd_fn(void *opaque, int fd);
/* Callback called (on the loop's thread) when host monotonic time reaches the value given to machine_timer_set. */
typedef void machine_timer_fn(void *opaque);

struct machine {
  pthread_mutex_t lock; /* machine_lock; recursive */
  const struct isa *isa;
  struct phys *phys; /* NULL in user mode */
  struct vcpu *vcpu[MACHINE_MAX_VCPUS];
  unsigned nvcpus;
  uint64_t epoch_ns;      /* host monotonic nanoseconds at which the guest clock read zero */
  uint64_t counter_delta; /* ticks that the guest added to its system counter by writing it; atomic */
  uint32_t end;           /* enum machine_end, set once (atomically) by machine_end */
  uint64_t end_code;
  void *board;               /* struct board_state, owned by devices/board.c */
  void *loop;                /* event loop, owned by core/loop.c */
  struct virtual_time *virt; /* deterministic mode (core/virtual.h), NULL: real time */
  struct {
    bool insn, exc, mmio, sbi, blocks, exits;
    gva_t lo, hi;
  } trace;                       /* --trace; hi == 0: every PC */
  struct profile *profile;       /* --profile (debug/profile.h), NULL: none */
  const struct symbols *symbols; /* who knows names of code (core/symbols.h), NULL: nobody; not owned */
};

/* A machine with an empty physical map, no vCPU, and guest time starting now. NULL and a message when out of memory. */
struct machine *machine_new(const struct isa *isa);
/* A machine for user mode, with neither physical map nor event loop: it holds the vCPUs of a process. */
struct machine *machine_new_bare(const struct isa *isa);
/* Frees vCPUs, physical map and loop; the board must have been freed (it detaches its devices). NULL is allowed. */
void machine_free(struct machine *m);
/* Creates the next vCPU (index m->nvcpus), belonging to the machine; NULL and a message on failure. */
struct vcpu *machine_add_vcpu(struct machine *m, uint64_t features);

/* Ends the machine: the first call wins; kicks all vCPUs. Safe from any thread. */
void machine_end(struct machine *m, enum machine_end end, uint64_t code);

/* Nanoseconds of guest time: host monotonic time since epoch_ns, or virtual time. In deterministic mode epoch_ns is 0, so
 * every "host monotonic" time below is virtual. */
uint64_t machine_now(struct machine *m);

/* Fills buf from the host's entropy, or in deterministic mode from the machine's seed. -EAGAIN: there is none now (a
 * script's entropy drought); another -errno: the host fails. */
int machine_random(struct machine *m, void *buf, size_t n);

/* Runs the vCPUs until the machine ends or, with timeout_ns != 0, for that long. Returns m->end. */
enum machine_end machine_run(struct machine *m, uint64_t timeout_ns);

/* Event loop (its own thread while machine_run runs): watch a descriptor for input; one-shot timers. -errno. Descriptors
 * that cannot be polled (regular files, /dev/null) count as always readable. At end of file or on a hang-up the callback
 * runs like for input and must stop watching. */
int machine_watch_fd(struct machine *m, int fd, machine_fd_fn *fn, void *opaque);
void machine_unwatch_fd(struct machine *m, int fd);
/* The machine owns its timers and frees them with the loop; callbacks run under machine_lock. NULL when out of memory. */
struct machine_timer *machine_timer_new(struct machine *m, machine_timer_fn *fn, void *opaque);
void machine_timer_set(struct machine_timer *t, uint64_t host_monotonic_ns); /* UINT64_MAX disarms */

/* Device accesses and device callbacks run under this lock (recursive for the owner). vCPU threads hold it only in MMIO. */
void machine_lock(struct machine *m);
void machine_unlock(struct machine *m);

#endif
