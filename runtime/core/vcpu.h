/* The virtual CPU: an ISA-independent head, one cache line of hot words followed by generated ISA state.
 *
 * `struct vcpu` is always the first member of a generated `struct <isa>_vcpu`; the registers named in the ISA's
 * `registers.hot` come right behind it, so that head and hot registers lie within 256 bytes (a translated-code
 * base register biased by 128 reaches all of them with signed 8-bit displacements). Everything cold hangs off `c`. */
#ifndef ISOMER_CORE_VCPU_H
#define ISOMER_CORE_VCPU_H

#include "core/types.h"

struct isa;
struct reg_info;
struct machine;
struct phys;
struct space;
struct tlb;
struct vcpu;

/* What executing one instruction ended with. The values are dense: they index the run loop's dispatch. */
enum step {
  STEP_NEXT = 0, /* fall through to the following instruction */
  STEP_JUMP,     /* v->pc holds the target; translation context unchanged */
  STEP_END, /* fall through, but context, translations or code may have changed: look everything up again */
  STEP_JUMP_END, /* v->pc holds the target and context may have changed */
  STEP_RESTART, /* the same instruction runs again (a string iteration, a lost compare-and-swap); counts one step */
  STEP_TRAP, /* v->c->trap says what; architectural state is that of the instruction's start (or last commit) */
  STEP_WAIT, /* fall through, then sleep until an interrupt is pending */
};

/* Why engine_ops.run returned. */
enum vcpu_exit {
  EXIT_NONE = 0,
  EXIT_KICK,   /* v->kick was set; the caller handles requests and clears it */
  EXIT_BUDGET, /* v->budget reached zero */
  EXIT_WAIT,   /* the vCPU waits for an interrupt */
  EXIT_TRAP,   /* a trap that the machine's owner handles (user mode: system calls, faults); see v->c->trap */
  EXIT_SHUTDOWN, /* the machine ends; see machine->exit_* */
  EXIT_ERROR,    /* an internal error was logged */
};

enum access { ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_FETCH = 2 };

/* Kind of a trap that is none: the access has effects outside RAM or is watched, and must be made while v->pc and the
 * retired count are exact. Engines answer by executing that one instruction with `stepping` set; nothing is delivered. */
#define TRAP_EXACT UINT32_MAX

/* Scripts that look on. Callbacks run on the vCPU's thread, with v->pc and the retired count exact. */
struct vcpu_watch {
  /* Before the instruction at pc: true stops the vCPU in front of it (EXIT_KICK). NULL: no instruction is watched. */
  bool (*exec)(struct vcpu *v, gva_t pc);
  /* True when data accesses of the page at va are to be shown to `data`; asked when the TLB is filled. */
  bool (*page)(struct vcpu *v, gva_t va);
  /* Before a write, after a read, of up to 8 bytes at va; *value may be changed. `value` is NULL for atomics. */
  void (*data)(struct vcpu *v, gva_t va, unsigned size, enum access access, uint64_t *value);
};

/* What the guest's own debugging (breakpoints, watchpoints, single step) asks of engines. The arch code sets it with
 * stops_set (mem/stops.h) when its `context` is recomputed; nothing is armed when all is zero, and that costs nothing.
 * An armed range is noticed whatever the present context: `arch_debug.hit` says whether it counts. */
#define VCPU_STOPS 16
struct vcpu_stops {
  bool step;      /* engines execute one instruction at a time, between arch_debug.before and .after */
  uint8_t access; /* 1 << ACCESS_* of all ranges */
  uint16_t nranges;
  uint64_t address; /* bits of an address that are compared */
  struct stop_range {
    gva_t first, last;
    uint8_t access; /* 1 << ACCESS_*: for fetch, instructions that start in it */
    uint8_t number; /* the arch code's */
  } range[VCPU_STOPS];
};

/* A guest exception on its way to delivery. `kind` is the generated <ISA>_TRAP_* number. */
struct trap {
  uint32_t kind;
  uint32_t nargs;
  uint64_t arg[3];
};

/* Host-side translation result of a page walk. */
struct translation {
  gpa_t pa;      /* physical address of the access (not of the page) */
  uint64_t size; /* bytes mapped by the leaf entry, power of two >= 4096 */
  uint8_t prot;  /* 1 << ACCESS_* bits that may be cached now (e.g. no write bit while D is clear) */
  bool global;   /* matches every ASID */
};

/* What a trap of a user-mode vCPU means to a Linux process (siginfo). In vcpu_common.fault: the last refused memory access,
 * SIGSEGV with SEGV_MAPERR or SEGV_ACCERR, or SIGBUS with BUS_ADRERR; signal 0: no such access yet. */
struct user_fault {
  int signal, code;
  gva_t addr;
};

/* System registers that are a device's (interrupt controller, timers), by the ISA's numbers. Both return 0, or -ENOENT for
 * a register that is not the device's; called on the vCPU's thread under machine_lock. */
struct vcpu_port {
  int (*read)(void *opaque, unsigned cpu, unsigned reg, uint64_t *value);
  int (*write)(void *opaque, unsigned cpu, unsigned reg, uint64_t value);
  void *opaque;
};
#define VCPU_PORTS         2

#define VCPU_TRAP_COUNTERS 96

/* Event counters; each is only ever written by the vCPU's own thread. `--stats` prints them. */
struct vcpu_stats {
  uint64_t insns;                   /* retired instructions */
  uint64_t tlb_hit[3], tlb_miss[3]; /* by enum access; found in / missing from the second level */
  uint64_t page_walks;              /* calls of `translate` */
  uint64_t decode_hit, decode_miss; /* page-slot lookups in the decoded-instruction cache */
  uint64_t code_invalidations;
  uint64_t traps[VCPU_TRAP_COUNTERS]; /* by trap kind */
  uint64_t interrupts[64];            /* by interrupt cause */
  uint64_t exits[8];                  /* by enum vcpu_exit */
};

/* The cold half of a vCPU: owned by core/vcpu.c, freed with the vCPU. */
struct vcpu_common {
  const struct isa *isa;
  struct machine *machine; /* NULL in unit tests */
  struct phys *phys;       /* guest-physical map, or NULL; not owned */
  struct space
      *space; /* user mode: memory at identity (mem/space.h) in place of phys and TLB; else NULL; not owned */
  unsigned index;    /* hart id, MPIDR affinity, APIC id */
  uint64_t features; /* 1 << generated <ISA>_FEATURE_* */
  struct trap trap;
  struct user_fault fault; /* set with `trap` by mem/space.h; says nothing about traps of other kinds */
  bool trap_exits;         /* user mode: traps end run() with EXIT_TRAP instead of being delivered */
  /* Translates a guest virtual address; 0, or STEP_TRAP with `trap` set. Taken from arch_ops at creation. */
  int (*translate)(struct vcpu *v, gva_t va, enum access access, struct translation *out);
  /* Bytes from `va` on that the access being translated touches in its page; mem/ sets it before it calls `translate`.
   * For protection finer than a page: such a page is not cached (translation.prot lacks the access). */
  uint16_t access_len;
  void *engine; /* engine's private state of this vCPU */
  void *jit;    /* of the engine that translates (its `engine` is the interpreter's beneath it), else NULL */
  const struct engine_ops *engine_ops;
  uint64_t irq_lines; /* level of external interrupt inputs, atomically set by devices (meaning: the ISA's) */
  struct vcpu_port port[VCPU_PORTS]; /* read == NULL: free */
  gva_t excl_addr;                   /* exclusive monitor: address, value seen, size; excl_size 0 = open */
  u128 excl_value;
  uint8_t excl_size;
  uint64_t start_pc;    /* for reports */
  uint64_t retire_base; /* see vcpu_retired */
  uint32_t
      flush_epoch;   /* incremented when fetches may go elsewhere under the same tag (pages flushed, tags used
                              * again): engines that remember fetch translations forget them when it changes */
  uint32_t sleeping; /* 1 while the vCPU's thread waits on the futex `kick`: vcpu_kick must wake it */
  void *arch;        /* arch_ops private */
  /* Built-in firmware: answers an environment call that would otherwise be delivered to the ISA's firmware mode, and
   * returns true; NULL: there is none, such calls are delivered. Called on the vCPU's thread with v->pc at the call. */
  bool (*firmware_call)(struct vcpu *v);
  /* Built-in firmware: serves what other vCPUs and timers asked this one to do, on its own thread, before interrupts are
   * looked at; true if state (possibly v->pc) changed. NULL: nothing. */
  bool (*firmware_poll)(struct vcpu *v);
  void *firmware;                /* firmware's state of this vCPU; not owned */
  const struct trace_ops *trace; /* NULL unless tracing */
  /* Virtual time (core/virtual.c): bounds the budget by the next event; called whenever that may have moved. NULL: real
   * time. With it, device accesses are made one instruction at a time (TRAP_EXACT). */
  void (*resched)(struct vcpu *v);
  const struct vcpu_watch *watch; /* NULL: nobody looks on */
  /* Takes a sample: called at v->pc once `sample_at` instructions have retired, and sets the next count. NULL: nobody
   * samples. */
  void (*sample)(struct vcpu *v);
  uint64_t sample_at;
  struct vcpu_stops stops;
  bool stepping; /* the engine executes one instruction at a time, all counts exact */
  bool touched;  /* a device was accessed since the engine cleared this */
  struct vcpu_stats stats;
};

/* Hot head, exactly 64 bytes. */
struct vcpu {
  uint32_t kick;  /* atomically set by any thread; polled on every taken branch */
  uint32_t exit;  /* enum vcpu_exit of the last run() */
  int64_t budget; /* instructions left before EXIT_BUDGET */
  gva_t pc;       /* canonical between steps; inside a page run the PC is pcbase + insn->off */
  gva_t pcbase;   /* virtual address of the page being executed */
  struct tlb *tlb;
  uint32_t tag_data;   /* 12-bit translation tag of data accesses (mode, ASID, generation), see mem/tlb.h */
  uint32_t tag_fetch;  /* same for instruction fetch */
  const void *helpers; /* helper table of translated code */
  struct vcpu_common *c;
};
_Static_assert(sizeof(struct vcpu) == 64, "the vCPU head is one cache line");

/* Creates a vCPU of `isa` over `phys` with features `features`, reset to the ISA's reset state. phys NULL: without memory
 * until it is attached to a space (mem/space.h).
 * Returns NULL and logs when memory is short. The caller frees it with vcpu_free. */
struct vcpu *vcpu_new(const struct isa *isa, struct phys *phys, unsigned index, uint64_t features);
void vcpu_free(struct vcpu *v);
/* Sets a register of the ISA's tables to the (bits + 7) / 8 bytes at `value`, lowest first; translations and what else derives
 * from it are the caller's. 0; -ERANGE: more bits than it has; -EPERM: it is always zero; -EINVAL: no processor has that. */
int vcpu_set_register(struct vcpu *v, const struct reg_info *r, const uint8_t *value);

/* Instructions retired since creation; exact whenever a handler that the engine calls out of line reads it. Budget and
 * count are one number, so the budget is only ever set through vcpu_set_budget. */
static inline uint64_t vcpu_retired(const struct vcpu *v) { return v->c->retire_base - (uint64_t)v->budget; }
static inline void vcpu_set_budget(struct vcpu *v, int64_t n) {
  v->c->retire_base += (uint64_t)n - (uint64_t)v->budget;
  v->budget = n;
}

/* Takes the sample that is due, if any. */
static inline void vcpu_sample(struct vcpu *v) {
  if (v->c->sample && vcpu_retired(v) >= v->c->sample_at) v->c->sample(v);
}
/* For loops around run(): a budget up to the next sample, or without end. */
static inline void vcpu_refill(struct vcpu *v) {
  vcpu_sample(v);
  if (v->c->sample) vcpu_set_budget(v, (int64_t)(v->c->sample_at - vcpu_retired(v)));
  else if (v->budget <= 0) vcpu_set_budget(v, INT64_MAX / 2);
}

/* Asks the vCPU to leave run() at its next poll. Safe from any thread and from signal handlers. */
void vcpu_kick(struct vcpu *v);

/* Sleeps until v->kick is set (it stays set) or host monotonic time reaches until_ns (UINT64_MAX: no limit). */
void vcpu_sleep(struct vcpu *v, uint64_t until_ns);

/* Adds the vCPU's counters, its retired instructions among them, to *sum. */
void vcpu_stats_add(struct vcpu_stats *sum, const struct vcpu *v);

/* Records a trap; returns STEP_TRAP so that handlers can `return vcpu_trap(...)`. */
int vcpu_trap(struct vcpu *v, uint32_t kind, uint32_t nargs, uint64_t a0, uint64_t a1, uint64_t a2);

/* Gives the vCPU's registers of a device to it; false when there are VCPU_PORTS already. Before the vCPU runs. */
bool vcpu_port_add(struct vcpu *v, struct vcpu_port port);
void vcpu_port_remove(struct vcpu *v, const void *opaque);
/* An access of the guest to such a register: a read to *read unless NULL, else a write. 0; -ENOENT: nobody has it; or
 * STEP_TRAP, TRAP_EXACT recorded. */
int vcpu_port(struct vcpu *v, unsigned reg, uint64_t *read, uint64_t write);

/* Raises or lowers external interrupt input `line` (0..63) and kicks the vCPU when the level rises. */
void vcpu_irq(struct vcpu *v, unsigned line, bool level);

#endif
