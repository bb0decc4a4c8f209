/* What a generated ISA offers to the runtime: decoder, disassembler, assembler, handlers, tables, and the hand-written
 * procedural part behind arch_ops. `isa_find` is the only place that enumerates ISAs (from a generated list). */
#ifndef ISOMER_CORE_ISA_H
#define ISOMER_CORE_ISA_H

#include "core/vcpu.h"

/* Head of a decoded instruction; the generated `struct <isa>_insn` adds operand members. */
struct insn {
  uint16_t op;    /* leaf number; 0 = not decoded / invalidated: look the address up again */
  uint16_t off;   /* byte offset in its page */
  uint8_t len;    /* bytes */
  uint8_t flags;  /* INSN_* */
  uint16_t disp;  /* dispatch index of the run loop (hot set, fused pairs); filled by interp */
  const void *go; /* where the run loop's code for it is; filled by interp, NULL when there is no loop */
  /* Hot leaves: a value that the decoder computed from the operands; 0 in jumps to a fixed place, in which interp keeps
   * the distance in bytes to the decoded target once it is known. */
  int64_t k;
};
enum {
  INSN_ENDS = 1,   /* may leave the straight line (branch, trap always, end): last of its run */
  INSN_EFFECT = 2, /* touches memory */
  INSN_FALLS =
      4, /* an INSN_ENDS instruction that can also fall through (conditional branch): decoding goes on */
};

typedef int insn_fn(struct vcpu *v, const struct insn *d);

/* One leaf instruction, in leaf-number order; entry 0 is the invalid instruction. Indices into a string pool. */
struct leaf_info {
  uint32_t name; /* unique leaf name, e.g. "addi" or "add_sub_ext.add.s.x" */
  uint32_t family;
  uint32_t mnemonic; /* first word of the canonical text */
  uint32_t file;
  uint16_t line;
  uint16_t flags;     /* INSN_* */
  uint64_t requires_; /* feature bits that must all be present */
};

/* A named register or slot of the vCPU state, for GDB, Lua, traces and snapshots. */
struct reg_info {
  const char *name;
  uint32_t offset; /* bytes from struct vcpu */
  uint16_t bits;
  uint8_t kind; /* REG_* */
  bool zero;    /* it always reads as zero */
};
enum { REG_GENERAL, REG_FLOAT, REG_VECTOR, REG_FLAG, REG_SYSTEM, REG_INTERNAL };

struct sysreg_info {
  const char *name;
  uint32_t num;
  uint32_t slot_offset; /* bytes from struct vcpu, or ~0u when the register has no storage of its own */
};

struct trap_info {
  const char *name;
  uint32_t code; /* architectural cause number */
};

struct feature_info {
  const char *name;
  const char *text;
  bool by_default;
};

struct board;    /* devices/board.h */
struct ir_guest; /* ir/ir.h */

/* A signal of a user-mode program on its way between the registers and the program's stack. `bytes` is what Linux calls
 * the ISA's rt_sigframe, with all that lies around it. */
#define USER_FRAME_MAX 8192
struct user_frame {
  int signal;
  uint8_t info[128];       /* siginfo */
  uint64_t mask;           /* that the handler's return brings back */
  uint64_t stack[3];       /* the alternate stack: address, flags, size (stack_t) */
  gva_t handler, restorer; /* restorer: where the handler returns to */
  gva_t top;               /* the frame lies below */
  struct user_fault fault; /* signal 0: the signal is not due to a memory access */
  gva_t at;                /* where `bytes` belong */
  unsigned size;           /* of them */
  gva_t more_at;           /* see arch_signals.locate_more */
  unsigned more_size;
  uint8_t bytes[USER_FRAME_MAX];
};

/* Signals of user-mode programs as Linux has them on this ISA. */
struct arch_signals {
  bool restorer;      /* struct sigaction has sa_restorer */
  uint8_t red_zone;   /* bytes below the stack pointer that are the program's */
  uint16_t min_stack; /* MINSIGSTKSZ */
  gva_t (*sp)(const struct vcpu *v);
  /* Composes the frame of the present registers: sets at, size and bytes. */
  void (*save)(struct vcpu *v, struct user_frame *f);
  /* Enters the handler of a saved frame that is in memory now. */
  void (*enter)(struct vcpu *v, const struct user_frame *f);
  /* rt_sigreturn: where the frame is, and how large (at, size); with these bytes there, what else it consists of, to be
   * read behind them (more_at, more_size; may be NULL); then all of it to registers, mask and stack. */
  void (*locate)(const struct vcpu *v, struct user_frame *f);
  void (*locate_more)(const struct vcpu *v, struct user_frame *f);
  void (*restore)(struct vcpu *v, struct user_frame *f);
};

/* How compiled code keeps its callers, as the ISA's ABI has it: offsets in the vCPU, and distances from where the frame
 * pointer points. Code may do without a frame pointer, so what is found is only likely. */
struct arch_frames {
  uint32_t sp, fp;
  uint32_t
      link; /* the register that has the return address of a function that calls nothing; 0: there is none */
  int32_t saved_fp, saved_pc;
};

/* What the auxiliary vector of a process says about the processor (Linux: AT_HWCAP...). */
struct user_auxv {
  uint64_t hwcap, hwcap2;
  bool has_hwcap2;
  const char *platform; /* AT_PLATFORM; NULL: Linux has none for the ISA */
  uint64_t minsigstksz; /* bytes of the smallest signal frame; 0: not announced */
};

/* Debugging by the guest's own means; see vcpu_stops. */
struct arch_debug {
  /* While `step` is set. Before the instruction at v->pc is fetched: STEP_NEXT, or STEP_TRAP with v->c->trap set. */
  int (*before)(struct vcpu *v);
  /* The instruction, of leaf `op`, has retired. */
  void (*after)(struct vcpu *v, unsigned op);
  /* An access that no fault forbids is about to touch `at`, in range r: 0, or STEP_TRAP with v->c->trap set. */
  int (*hit)(struct vcpu *v, const struct stop_range *r, gva_t at, enum access access);
};

/* The procedural part of an ISA, hand-written in runtime/arch/<isa>. */
struct arch_ops {
  void (*reset)(struct vcpu *v);
  /* Page walk. 0, or STEP_TRAP with v->c->trap set. */
  int (*translate)(struct vcpu *v, gva_t va, enum access access, struct translation *out);
  /* Sets v->c->trap for an access that translates but has no memory, or crosses what it may not; returns STEP_TRAP. */
  int (*bus_fault)(struct vcpu *v, gva_t va, enum access access);
  /* Trap on an instruction that no leaf matches; `bits` are its bytes, little endian, `len` how many (more than insn_max:
   * too long to be an instruction). Returns STEP_TRAP. */
  int (*illegal)(struct vcpu *v, uint64_t bits, unsigned len);
  /* Delivers v->c->trap, raised by the instruction at v->pc: updates state and v->pc. */
  void (*deliver)(struct vcpu *v);
  /* Takes the highest-priority interrupt that is pending and enabled; true if v->pc changed. */
  bool (*interrupt)(struct vcpu *v);
  /* True when `interrupt` would take one now; changes nothing and leaves out what firmware has to do (which comes with a
   * kick). NULL: not to be known without trying. */
  bool (*interruptible)(struct vcpu *v);
  /* True when a waiting vCPU must go on (an interrupt is pending, enabled or not as the ISA says). */
  bool (*wake)(struct vcpu *v);
  /* Recomputes what derives from context slots (v->tag_data, v->tag_fetch). Called after STEP_END/STEP_JUMP_END,
   * after delivery and after any outside change of state. */
  void (*context)(struct vcpu *v);
  /* False for values of registers that no processor has together. NULL: all are fine. */
  bool (*legal)(const struct vcpu *v);
  /* Absolute host monotonic nanoseconds of the next timer event that could wake the vCPU, or UINT64_MAX. */
  uint64_t (*deadline)(struct vcpu *v);
  /* Name of interrupt cause `cause` as counted in vcpu_stats.interrupts, or NULL. May be NULL itself. */
  const char *(*interrupt_name)(unsigned cause);
  /* User mode: sets registers for process entry / reads a system call / writes its result. */
  void (*user_entry)(struct vcpu *v, gva_t pc, gva_t sp);
  bool (*user_syscall)(struct vcpu *v, uint64_t *nr, uint64_t arg[6]); /* false: the trap is no system call */
  void (*user_result)(struct vcpu *v, int64_t result);                 /* also advances the PC */
  void (*user_auxv)(const struct vcpu *v, struct user_auxv *out); /* *out is zero before; NULL: it stays so */
  /* The text of one processor in /proc/cpuinfo, as snprintf; NULL: there is none. */
  int (*user_cpuinfo)(const struct vcpu *v, unsigned processor, char *buf, size_t n);
  /* What v->c->trap, which is no system call, means to a Linux process. */
  struct user_fault (*user_signal)(struct vcpu *v);
  /* A new thread: its stack pointer; its thread pointer. */
  void (*user_stack)(struct vcpu *v, gva_t sp);
  void (*user_tls)(struct vcpu *v, uint64_t tls);
  const struct arch_signals *signals;
  const struct arch_debug *debug;   /* NULL: nothing is ever armed */
  const struct arch_frames *frames; /* NULL: callers are not known */
};

struct isa {
  const char *name;
  const char *title;
  uint16_t elf_machine; /* EM_* */
  uint8_t insn_unit;    /* instruction alignment and smallest length, bytes */
  uint8_t insn_max;     /* largest length, bytes */
  bool coherent_fetch;  /* stores are seen by instruction fetch at once (else after a fence) */
  uint32_t insn_size;   /* sizeof(struct <isa>_insn) */
  uint32_t vcpu_size;   /* sizeof(struct <isa>_vcpu) */
  unsigned nleaves, nregs, nsysregs, ntraps, nfeatures;
  const char *strings; /* pool that leaf_info indexes */
  const struct leaf_info *leaves;
  insn_fn *const *exec; /* by leaf number */
  const struct reg_info *regs;
  const struct sysreg_info *sysregs;
  const struct trap_info *traps;
  const struct feature_info *features;
  uint64_t default_features;
  /* Decodes one instruction from `n` readable bytes. Returns its length in bytes with *d filled (all but off, disp, go),
   * 0 when no leaf matches (d->len is then the length that the encoding claims), -1 when more bytes are needed. */
  int (*decode)(uint64_t features, const uint8_t *bytes, size_t n, struct insn *d);
  /* Writes the text of *d at `pc` into buf; aliases on request (DISASM_ALIASES). Returns the length as snprintf does. */
  int (*disasm)(const struct insn *d, gva_t pc, unsigned flags, char *buf, size_t n);
  /* Assembles one line; returns the number of bytes (<= insn_max), or -1 with a message in err. */
  int (*assemble)(uint64_t features, const char *text, gva_t pc, uint8_t *out, char *err, size_t nerr);
  /* Generated run loop of the interpreter (see interp/interp.h). */
  int (*run)(struct vcpu *v);
  const void *const *(*labels)(void); /* code of that loop by dispatch index; NULL when run is NULL */
  /* The same loop for vCPUs attached to a space (mem/space.h), whose loads and stores go to memory at identity. */
  int (*run_direct)(struct vcpu *v);
  const void *const *(*labels_direct)(void);
  /* Dispatch index of two instructions that follow each other and run as one, 0 when there is none. May be NULL. */
  unsigned (*fuse)(const struct insn *a, const struct insn *b);
  const uint16_t
      *disp; /* dispatch index of that loop by leaf number (generated with it); NULL when run is NULL */
  const struct arch_ops *arch;
  const struct ir_guest *guest; /* what translation needs to know; NULL: it is not translated */
  const char *doc; /* the reference in Markdown; a line "### NAME" starts the section of each family */
};
enum { DISASM_ALIASES = 1 };

extern const struct isa *const isa_list[]; /* NULL-terminated, generated */
const struct isa *isa_find(const char *name);

#endif
