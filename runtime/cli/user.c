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
  struct strings trace;
  bool stats, json, strace;
};

/* As env(1): the program cannot be run, or is not there. */
enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static void defaults(void *config) { ((struct user *)config)->accel = "auto"; }

static uint64_t cpu_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* What is needed when the process ends. */
struct end {
  const struct user *o;
  uint64_t wall, cpu;
};

static void finish(struct user_process *p, void *opaque) {
  const struct end *e = opaque;
  const struct machine *m = user_machine(p);
  struct vcpu_stats sum;
  if (!e->o->stats) return;
  user_stats(p, &sum);
  const struct run_times t = {clock_ns() - e->wall, cpu_ns() - e->cpu};
  stats_print(m->isa, m->vcpu, 1, &sum, t, e->o->json, p);
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
  struct end end = {o, clock_ns(), cpu_ns()};
  const char *const again[] = {"isomer", "user", NULL};
  const struct user_options options = {
      .want = want,
      .path = argv[0],
      .argc = argc,
      .argv = argv,
      .envp = environ,
      .strace = o->strace,
      .again = again,
      .finish = finish,
      .opaque = &end,
  };
  int r = user_create(&options, &p);
  if (r) return r == -ENOENT && access(argv[0], F_OK) ? NOT_FOUND : CANNOT_RUN;
  struct machine *m = user_machine(p);
  for (unsigned i = 0; i < o->trace.n; i++) {
    if (!trace_parse(m, o->trace.at[i], why, sizeof why)) continue;
    log_error("--trace: %s", why);
    goto out;
  }
  trace_attach(m->vcpu[0], m);
  if (!engine_select(m->vcpu[0], o->accel)) user_run(p);
out:
  user_free(p);
  return EXIT_USAGE;
}

#define AT(f) offsetof(struct user, f)
static const struct option options[] = {
    {"isa", "ISA", OPT_STR, AT(isa), "refuse programs of another ISA"},
    {"accel", "LIST", OPT_STR, AT(accel), "engines in order of preference: auto, interp (auto)"},
    {"trace", "WHAT", OPT_LIST, AT(trace),
     "insn, exc, with a comma; =LO-HI limits it to those PCs; on stderr"},
    {"strace", NULL, OPT_FLAG, AT(strace), "system calls on stderr, as strace(1) shows them"},
    {"stats", NULL, OPT_FLAG, AT(stats), "counters on stderr at the end, system calls among them"},
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
    .about = "What becomes of each system call is listed in docs/syscalls.md; those that are not there are "
             "answered ENOSYS and\ncounted (--stats).\n"
             "The program has your own rights: user mode is no security boundary.\n"
             "Exit code: the program's, and when a signal kills the program, Isomer dies of the same signal (a "
             "shell shows 128 +\nits number); 126 when it cannot be run, 127 when it is not there.\n",
    .options = options,
    .config_size = sizeof(struct user),
    .min_args = 1,
    .max_args = 1 << 20,
    .stop_at_first = true,
    .defaults = defaults,
    .main = user_main,
};
