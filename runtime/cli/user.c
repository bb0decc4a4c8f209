/* `isomer user`: a Linux program of another ISA. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/clock.h"
#include "core/engine.h"
#include "core/log.h"
#include "debug/trace.h"
#include "os/sandbox.h"
#include "user/sysroot.h"
#include "user/user.h"

struct user {
  const char *isa, *accel, *sysroot, *binfmt, *binfmt_dir;
  const char *path; /* of the program when argv[0] is only a name */
  struct strings trace, ro, rw;
  bool stats, json, strace, sandbox, net;
};

/* As env(1): the program cannot be run, or is not there. */
enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static void defaults(void *config) {
  struct user *u = config;
  u->accel = "auto";
  u->binfmt_dir = "/proc/sys/fs/binfmt_misc";
  u->sysroot = getenv("ISOMER_SYSROOT"); /* the kernel passes no options */
}

static uint64_t thread_cpu_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Gives up everything but what was chosen and what the program itself needs. An exit code, or 0. */
static int confine(const struct user *o, const struct user_process *p) {
  const char *own[4], *ro[ARRAY_SIZE(o->ro.at) + ARRAY_SIZE(own) + 1], *rw[ARRAY_SIZE(o->rw.at) + 1];
  char why[300];
  unsigned n = user_files(p, own);
  memcpy(ro, own, n * sizeof *ro);
  for (unsigned i = 0; i < o->ro.n; i++) ro[n++] = o->ro.at[i];
  ro[n] = NULL;
  memcpy(rw, o->rw.at, o->rw.n * sizeof *rw);
  rw[o->rw.n] = NULL;
  int r = sandbox_user(&(struct sandbox_user){ro, rw, o->net}, why, sizeof why);
  if (!r) return 0;
  log_error("--sandbox: %s%s", why, r == -EOPNOTSUPP ? ": not available here; nothing was run" : "");
  return r == -EOPNOTSUPP ? EXIT_HOST : EXIT_USAGE;
}

static int run(const struct user *o, const struct isa *want, const struct sysroot *root, int argc, char **argv) {
  struct user_process *p;
  char why[200];
  uint64_t wall = clock_ns(), cpu = thread_cpu_ns();
  const struct user_options options = {.want = want,
                                       .root = root,
                                       .path = o->path,
                                       .fd = -1,
                                       .argc = argc,
                                       .argv = argv,
                                       .envp = environ,
                                       .strace = o->strace};
  int r = user_create(&options, &p);
  if (r) return r == -ENOENT ? NOT_FOUND : CANNOT_RUN;
  struct machine *m = user_machine(p);
  int code = EXIT_USAGE;
  for (unsigned i = 0; i < o->trace.n; i++) {
    if (!trace_parse(m, o->trace.at[i], why, sizeof why)) continue;
    log_error("--trace: %s", why);
    goto out;
  }
  trace_attach(m->vcpu[0], m);
  if (engine_select(m->vcpu[0], o->accel)) goto out;
  if (o->sandbox && (code = confine(o, p))) goto out;
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

static int user_main(void *config, int argc, char **argv) {
  const struct user *o = config;
  const struct isa *want = NULL;
  struct sysroot root;
  char why[PATH_MAX + 200];
  if (o->json && !o->stats) {
    log_error("--json says how --stats prints: give both");
    return EXIT_USAGE;
  }
  if ((o->ro.n || o->rw.n || o->net) && !o->sandbox) {
    log_error("--ro, --rw and --net say what --sandbox leaves: give --sandbox as well");
    return EXIT_USAGE;
  }
  if (o->isa && !(want = cli_isa(o->isa))) return EXIT_USAGE;
  if (o->binfmt && !argc) return binfmt_change(o->binfmt, o->binfmt_dir, want);
  if (o->binfmt || !argc) {
    log_error(o->binfmt ? "--binfmt runs no program" : "user: no program given (isomer user --help)");
    return EXIT_USAGE;
  }
  if (sysroot_open(o->sysroot, &root, why, sizeof why)) {
    log_error("%s", why);
    return EXIT_USAGE;
  }
  return run(o, want, &root, argc, argv);
}

int user_from_kernel(int argc, char **argv) {
  struct user u = {.path = argv[1]};
  defaults(&u);
  return user_main(&u, argc - 2, argv + 2);
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
    {"sysroot L", "DIR", OPT_STR, AT(sysroot),
     "absolute paths of the program are looked up in DIR first ($ISOMER_SYSROOT)"},
    {"sandbox", NULL, OPT_FLAG, AT(sandbox), "confine the program and its children to what follows"},
    {"ro", "PATH", OPT_LIST, AT(ro), "with --sandbox: PATH, and what is below, can be read"},
    {"rw", "PATH", OPT_LIST, AT(rw), "with --sandbox: PATH, and what is below, can be read and changed"},
    {"net", NULL, OPT_FLAG, AT(net), "with --sandbox: sockets can be made"},
    {"binfmt", "ACTION", OPT_STR, AT(binfmt),
     "install or remove: let the kernel start programs of other ISAs with Isomer"},
    {"binfmt-dir", "DIR", OPT_STR, AT(binfmt_dir), "where binfmt_misc is mounted (/proc/sys/fs/binfmt_misc)"},
    {"gdb g", "PORT", OPT_LATER, 0, "no GDB stub yet"},
    {0},
};

const struct command cmd_user = {
    .name = "user",
    .usage = "[OPTIONS] PROGRAM [ARGUMENTS] | --binfmt install|remove",
    .summary = "runs a Linux program of another ISA",
    .about =
        "PROGRAM without a slash is looked for in $PATH. Dynamically linked programs need their libraries: -L DIR.\n"
        "What becomes of each system call is listed in docs/syscalls.md; those that are not there are answered\n"
        "ENOSYS and counted (--stats).\n"
        "The program has your own rights: whatever you may read, change or send, it may. --sandbox confines it.\n"
        "Exit code: the program's; 128 + signal when a trap kills it; 126 when it cannot be run, 127 when it, its "
        "script's\n"
        "interpreter or its dynamic linker is not there; 120 for wrong usage.\n",
    .options = options,
    .config_size = sizeof(struct user),
    .min_args = 0,
    .max_args = 1 << 20,
    .stop_at_first = true,
    .defaults = defaults,
    .main = user_main,
};
