/* `isomer user`: a Linux program of another ISA. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/clock.h"
#include "core/engine.h"
#include "core/log.h"
#include "debug/trace.h"
#include "user/user.h"

struct user {
  const char *isa, *accel;
  struct strings trace, jit;
  const char *dump;
  bool stats, json, check;
};

/* As env(1): the program cannot be run, or is not there. */
enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static void defaults(void *config) { ((struct user *)config)->accel = "auto"; }

static uint64_t thread_cpu_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static int user_main(void *config, int argc, char **argv) {
  const struct user *o = config;
  const struct isa *want = NULL;
  struct user_process *p;
  char why[200];
  if (o->json && !o->stats) {
    log_error("--json says how --stats prints: give both");
    return EXIT_USAGE;
  }
  if (o->isa && !(want = cli_isa(o->isa))) return EXIT_USAGE;
  uint64_t wall = clock_ns(), cpu = thread_cpu_ns();
  int r = user_create(&(struct user_options){want, argc, argv, environ}, &p);
  if (r) return r == -ENOENT && access(argv[0], F_OK) ? NOT_FOUND : CANNOT_RUN;
  struct machine *m = user_machine(p);
  int code = EXIT_USAGE;
  for (unsigned i = 0; i < o->trace.n; i++) {
    if (!trace_parse(m, o->trace.at[i], why, sizeof why)) continue;
    log_error("--trace: %s", why);
    goto out;
  }
  trace_attach(m->vcpu[0], m);
  if (cli_engine(o->check, o->dump, &o->jit)) goto out;
  if (engine_select(m->vcpu[0], o->accel)) goto out;
  r = user_run(p);
  code = r < 0 ? EXIT_BUG : r;
  if (o->stats) {
    const struct run_times t = {clock_ns() - wall, thread_cpu_ns() - cpu};
    stats_print(m->isa, m->vcpu, 1, t, o->json, p);
  }
out:
  user_free(p);
  return code;
}

#define AT(f) offsetof(struct user, f)
static const struct option options[] = {
    {"isa", "ISA", OPT_STR, AT(isa), "refuse programs of another ISA"},
    {"accel", "LIST", OPT_STR, AT(accel), "engines in order of preference: auto, interp, jit (auto: interp first)"},
    {"check", NULL, OPT_FLAG, AT(check), "with the engine jit: every block on the interpreter too, the first difference ends it"},
    {"dump", "WHAT", OPT_STR, AT(dump), "with the engine jit: ir, asm or ir,asm of every block, on stderr"},
    {"jit", "SETTING", OPT_LIST, AT(jit), "threshold=N entries before a block is translated, insns=N in a block, memory=BYTES of code"},
    {"trace", "WHAT", OPT_LIST, AT(trace),
     "insn, exc, with a comma; =LO-HI limits it to those PCs; on stderr"},
    {"stats", NULL, OPT_FLAG, AT(stats), "counters on stderr at the end, unknown system calls among them"},
    {"json", NULL, OPT_FLAG, AT(json), "counters as one JSON object"},
    {"sysroot L", "DIR", OPT_LATER, 0, "only static programs yet"},
    {"gdb g", "PORT", OPT_LATER, 0, "no GDB stub yet"},
    {"sandbox", NULL, OPT_LATER, 0, "user mode is no boundary yet"},
    {0},
};

const struct command cmd_user = {
    .name = "user",
    .usage = "[OPTIONS] PROGRAM [ARGUMENTS]",
    .summary = "runs a static Linux program of another ISA",
    .about =
        "The system calls that a static C program makes work: memory, standard input and output, time. All "
        "others are\n"
        "answered ENOSYS and counted (--stats).\n"
        "The program has your own rights: user mode is no security boundary.\n"
        "Exit code: the program's; 128 + signal when a trap kills it; 126 when it cannot be run, 127 "
        "when it is not there.\n",
    .options = options,
    .config_size = sizeof(struct user),
    .min_args = 1,
    .max_args = 1 << 20,
    .stop_at_first = true,
    .defaults = defaults,
    .main = user_main,
};
