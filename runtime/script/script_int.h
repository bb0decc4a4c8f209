/* Between the files of runtime/script: the binding table's rows and what a script and its machines are. */
#ifndef ISOMER_SCRIPT_SCRIPT_INT_H
#define ISOMER_SCRIPT_SCRIPT_INT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "core/isa.h"
#include "core/virtual.h"
#include "devices/board.h"
#include "devices/chardev.h"
#include "devices/device.h"
#include "loader/load.h"
#include "script/script.h"

/* One name that scripts see. Classes: "isomer" (the module), "machine", "console", "cpu". */
struct binding {
  const char *cls, *name;
  char kind;             /* 'f' function of the module, 'm' method, 'p' property (fn gets the object alone) */
  const char *signature; /* (name: type, ...): result, or the property's type */
  const char *doc;       /* one or more sentences */
  lua_CFunction fn;
};
extern const struct binding bindings[];        /* cls == NULL ends; grouped by class */
extern const char *const binding_classes[][2]; /* name, one sentence; NULL ends */

struct smachine;

/* What the script or a task waits for: a point of a machine's time, whichever comes first, or another task's end. */
struct wait {
  enum { WAIT_NONE, WAIT_START, WAIT_MACHINE, WAIT_TASK } kind;
  struct smachine *sm;
  uint64_t insns, ns; /* absolute, as in virtual_run */
  int until;          /* 0, or the tap that says when `pc` is next */
  gva_t pc;
  const struct task *other;
  bool over;         /* of WAIT_MACHINE: */
  int end;           /* enum virtual_end, or WAIT_REACHED */
  struct task *task; /* who waits; NULL: the script itself */
  struct wait *next; /* of the tasks in the order they were made */
};
enum { WAIT_REACHED = VIRTUAL_ERROR + 1 };

enum task_state { TASK_LIVE, TASK_DONE, TASK_FAILED, TASK_STOPPED };

/* A userdata, which keeps its thread and name. */
struct task {
  struct wait wait;
  struct script *s;
  lua_State *co;
  const char *name;
  enum task_state state;
  int ref;             /* registry reference to itself while it lives */
  uint64_t insns, now; /* when it waited last, and how often in a row that was the same */
  unsigned stuck;
};

struct script {
  lua_State *L;
  const struct script_options *o;
  uint64_t rng;
  unsigned in_callback; /* depth: callbacks must not run machines */
  bool skipped;
  struct smachine *machines; /* newest first */
  struct smachine *running;  /* whose callback it is */
  struct wait wait;          /* the script's own; the list of the tasks' starts here */
  struct task *task;         /* that runs now; NULL: the script */
};
struct script *script_of(lua_State *L);

enum tap_kind { TAP_EXEC, TAP_READ, TAP_WRITE, TAP_BREAK, TAP_UNTIL };

struct tap {
  enum tap_kind kind;
  gva_t addr;
  uint64_t size;
  int fn; /* registry reference, LUA_NOREF: none */
  int id;
};

/* A device written in Lua. */
struct sdevice {
  struct smachine *sm;
  char id[32];
  int read, write, reset; /* registry references, LUA_NOREF: none */
  int state, initial;     /* its declared table; the text of that when the machine was made */
  struct sdevice *next;
};

struct label {
  char name[64];
  uint64_t addr;
};

struct smachine {
  struct script *s;
  struct smachine *next;
  struct machine *m;
  struct symtab syms;
  bool has_syms;
  struct label *labels; /* of `code` */
  unsigned nlabels;
  size_t seen; /* console text before this was matched */
  struct tap *taps;
  unsigned ntaps;
  int next_id;
  struct vcpu_watch watch;
  bool hit;      /* the run ended at a breakpoint */
  bool reached;  /* the run ended where somebody waits for a place */
  gva_t last_pc; /* where `exec` was asked last, and at which count: asked once */
  uint64_t last_insns;
  bool failed; /* a callback raised an error: it is in the registry under `error` */
  int error;
  struct sdevice *devices;
};

struct smachine *check_machine(lua_State *L, int at);
/* cpu and console objects are tables' userdata that name their machine. */
struct smachine *check_part(lua_State *L, int at, const char *cls, unsigned *index);
void push_part(lua_State *L, int machine_at, const char *cls, unsigned index);

/* Wait until the machine has retired `insns`, its time is `ns`, or its next instruction is at pc; an enum virtual_end, or
 * WAIT_REACHED. Raise what callbacks and tasks raised meanwhile. In a task they do not return: k goes on, with the same
 * stack and wait_result. */
int machine_wait(lua_State *L, struct smachine *sm, uint64_t insns, uint64_t ns, lua_KFunction k);
int machine_wait_until(lua_State *L, struct smachine *sm, gva_t pc, uint64_t ns, lua_KFunction k);
int wait_result(lua_State *L);
/* The error that a callback raised, if there is one: raised, or pushed (there is one). */
void raise_pending(lua_State *L, struct smachine *sm);
void push_pending(lua_State *L, struct smachine *sm);
/* Raises an error when tasks are left; prints a line for each. */
int tasks_left(lua_State *L);
void tasks_report(lua_State *L, struct script *s, FILE *out);
/* Calls the function at registry reference fn with the nargs values on the stack; false when it raised an error, which is
 * kept for raise_pending. */
bool callback(struct smachine *sm, int fn, int nargs, int nresults);
/* Devices written in Lua. Pushes what the board reader wants for the list `devices` of the configuration at 1, "" without
 * one; raises an error on a bad one. */
void sdevices_text(lua_State *L, struct smachine *sm);
void sdevices_connect(struct smachine *sm); /* to the board's, once that is made */
void sdevices_free(struct smachine *sm);
/* Their declared states: saved into a table that is pushed, loaded from the one on the top (which stays), hashed on top of
 * h. Raise an error on values that cannot be kept. */
void sdevices_save(lua_State *L, struct smachine *sm);
void sdevices_load(lua_State *L, struct smachine *sm);
uint64_t sdevices_hash(lua_State *L, struct smachine *sm, uint64_t h);
/* The console text of a machine: the first serial port. */
struct chardev_script *console_of(struct smachine *sm);
/* A duration: number of seconds, or text like "30s", "10ms", "5us", "100ns". Nanoseconds. */
uint64_t check_duration(lua_State *L, int at);
/* An address: an integer or the name of a symbol. */
uint64_t check_address(lua_State *L, struct smachine *sm, int at);
/* "main+0x10", or the number alone. */
void describe(struct smachine *sm, gva_t pc, char *buf, size_t n);
const char *end_name(const struct machine *m);
int snapshot_gc(lua_State *L);
/* The tap that ends a run in front of pc, for who waits for that; its number. */
int machine_tap_until(lua_State *L, struct smachine *sm, gva_t pc);
bool machine_untap(struct smachine *sm, int id);
void smachine_free(struct smachine *sm);
/* Assembles `text` for base; an ELF file in a memfd, its descriptor returned. Raises an error on a bad line. */
int code_elf(lua_State *L, const struct isa *isa, const char *text, gpa_t base, struct label **labels,
             unsigned *nlabels);

/* clang-format settles on no layout of this list. */
/* clang-format off */
#define LIST_OF_FUNCTIONS(X) \
  X(fn_machine) X(fn_device) X(fn_check) X(fn_fail) X(fn_skip) X(fn_log) X(fn_rand) X(fn_asm) \
  X(fn_dis) X(m_boot) X(m_run) X(m_step) X(m_run_until) X(m_read) X(m_write) X(m_u8) X(m_u16) \
  X(m_u32) X(m_u64) X(m_symbol) X(m_where) X(m_breakpoint) X(m_tap) X(m_untap) X(m_irq) \
  X(m_field) X(m_snapshot) X(m_restore) X(m_hash) X(m_advance) X(m_drought) X(p_console) \
  X(p_cpu) X(p_now) X(p_insns) X(p_ended) X(p_code) X(c_expect) X(c_send) X(c_sendline) \
  X(c_text) X(c_rest) X(cpu_pc) X(cpu_insns) X(cpu_counters) X(cpu_x) X(cpu_disassemble) X(cpu_set) \
  X(cpu_get) X(fn_task) X(t_join) X(t_stop) X(t_name) X(t_done)
/* clang-format on */
#define DECLARE(f) int f(lua_State *L);
LIST_OF_FUNCTIONS(DECLARE)
#undef DECLARE

#endif
