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
#include "debug/profile.h"
#include "debug/trace.h"
#include "os/sandbox.h"
#include "user/exec.h"
#include "user/sysroot.h"
#include "user/user.h"

struct user {
  const char *isa, *sysroot, *binfmt, *binfmt_dir;
  const char *path; /* of the program when argv[0] is only a name */
  unsigned path_fd; /* where it is open already; UINT_MAX: nowhere */
  struct strings trace, ro, rw;
  struct engine_config engine;
  const char *profile;
  bool stats, json, strace, sandbox, net;
};

/* As env(1): the program cannot be run, or is not there. */
enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static void defaults(void *config) {
  struct user *u = config;
  u->engine.accel = "auto";
  u->path_fd = UINT_MAX;
  u->binfmt_dir = "/proc/sys/fs/binfmt_misc";
  u->sysroot = getenv("ISOMER_SYSROOT"); /* the kernel passes no options */
}

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
  const int r = profile_write(user_machine(p));
  if (r) log_error("--profile: cannot write: %s", strerror(-r));
  if (!e->o->stats) return;
  user_stats(p, &sum);
  const struct run_times t = {clock_ns() - e->wall, cpu_ns() - e->cpu};
  stats_print(m->isa, m->vcpu, 1, &sum, t, e->o->json, p);
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

/* The options for programs that this one executes, wherever they are then: paths are absolute. A sandbox is inherited. */
static void again(const struct user *o, const struct sysroot *root, const char *out[AGAIN_MAX]) {
  struct user u = *o;
  u.path = NULL;
  u.sysroot = root->len ? root->path : NULL;
  u.sandbox = u.net = false;
  u.ro.n = u.rw.n = 0;
  if (u.engine.dump && strchr(u.engine.dump, '=')) u.engine.dump = NULL; /* a place of this program */
  if (u.profile) {                                                       /* all write to one file */
    static char more[PATH_MAX + 2];
    char *path = realpath(u.profile + (*u.profile == '+'), NULL);
    snprintf(more, sizeof more, "+%s", path ? path : u.profile);
    free(path);
    u.profile = more;
  }
  out[0] = "isomer";
  out[1] = cmd_user.name;
  options_again(&cmd_user, &u, out + 2, AGAIN_MAX - 2);
}

static int keep(void *opaque, int fd) { return user_fd_keep(opaque, fd); }

static int start_profile(struct user_process *p, const struct user *o, const char *program) {
  struct machine *m = user_machine(p);
  char why[PATH_MAX + 100];
  int r = profile_open(m, o->profile, program, why, sizeof why);
  if (r) {
    log_error("--profile: %s", why);
    return r;
  }
  r = user_fd_keep(p, profile_fd(m));
  if (r < 0) return r;
  profile_use_fd(m, r);
  profile_attach(m->vcpu[0], m);
  return 0;
}

static int run(const struct user *o, const struct isa *want, const struct sysroot *root, int argc,
               char **argv) {
  struct user_process *p;
  char why[200];
  struct end end = {o, clock_ns(), cpu_ns()};
  const char *exec[AGAIN_MAX] = {NULL};
  int code = EXIT_USAGE;
  const struct user_options options = {.want = want,
                                       .root = root,
                                       .path = o->path,
                                       .fd = (int)o->path_fd,
                                       .argc = argc,
                                       .argv = argv,
                                       .envp = environ,
                                       .strace = o->strace,
                                       .again = exec,
                                       .finish = finish,
                                       .opaque = &end};
  int r = user_create(&options, &p);
  if (o->path_fd != UINT_MAX) close((int)o->path_fd);
  if (r) return r == -ENOENT ? NOT_FOUND : CANNOT_RUN;
  struct machine *m = user_machine(p);
  for (unsigned i = 0; i < o->trace.n; i++) {
    if (!trace_parse(m, o->trace.at[i], why, sizeof why)) continue;
    log_error("--trace: %s", why);
    goto out;
  }
  trace_attach(m->vcpu[0], m);
  code = EXIT_USAGE;
  if (cli_engine(&o->engine, m, keep, p)) goto out;
  if (o->profile && start_profile(p, o, argv[0])) goto out;
  if (engine_select(m->vcpu[0], o->engine.accel)) goto out;
  again(o, root, exec);
  if (o->sandbox && (code = confine(o, p))) goto out;
  user_run(p);
out:
  user_free(p);
  return code;
}

static int user_main(void *config, int argc, char **argv) {
  const struct user *o = config;
  const struct isa *want = NULL;
  struct sysroot root;
  char why[PATH_MAX + 200];
  user_environment(environ);
  if (o->json && !o->stats) {
    log_error("--json says how --stats prints: give both");
    return EXIT_USAGE;
  }
  if ((o->ro.n || o->rw.n || o->net) && !o->sandbox) {
    log_error("--ro, --rw and --net say what --sandbox leaves: give --sandbox as well");
    return EXIT_USAGE;
  }
  if (o->path_fd != UINT_MAX && !o->path) {
    log_error("--path-fd says where the file of --path is open: give both");
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
    ENGINE_OPTIONS(struct user),
    PERF_OPTIONS(struct user),
    {"trace", "WHAT", OPT_LIST, AT(trace),
     "insn, exc, blocks, exits, with commas; =LO-HI: only those PCs; on stderr"},
    {"profile", "FILE", OPT_STR, AT(profile), "samples of call stacks, for flamegraph.pl (+FILE: appended)"},
    {"strace", NULL, OPT_FLAG, AT(strace), "system calls on stderr, as strace(1) shows them"},
    {"stats", NULL, OPT_FLAG, AT(stats), "counters on stderr at the end, system calls among them"},
    {"json", NULL, OPT_FLAG, AT(json), "counters as one JSON object"},
    {"sysroot L", "DIR", OPT_STR, AT(sysroot),
     "absolute paths of the program are looked up in DIR first ($ISOMER_SYSROOT)"},
    {"path", "FILE", OPT_STR, AT(path), "the program's file; PROGRAM is then only what it finds in argv[0]"},
    {"path-fd", "N", OPT_UINT, AT(path_fd), "with --path: the file is open as descriptor N, which is closed"},
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
    .about = "PROGRAM without a slash is looked for in $PATH. Dynamically linked programs need their\n"
             "libraries: -L DIR. docs/syscalls.md lists what becomes of each system call; those that are\n"
             "not there are answered ENOSYS and counted (--stats).\n"
             "The program has your own rights: whatever you may read, change or send, it may. --sandbox\n"
             "confines it.\n"
             "Exit code: the program's, and when a signal kills the program, Isomer dies of the same signal\n"
             "(a shell shows 128 + its number); 126 when it cannot be run, 127 when it, its script's\n"
             "interpreter or its dynamic linker is not there; 120 for wrong usage. docs/user-mode.md says\n"
             "more.\n",
    .options = options,
    .config_size = sizeof(struct user),
    .min_args = 0,
    .max_args = 1 << 20,
    .stop_at_first = true,
    .defaults = defaults,
    .main = user_main,
};
