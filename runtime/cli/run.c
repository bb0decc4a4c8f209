/* `isomer run`: a machine from the command line, to its end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "core/clock.h"
#include "core/engine.h"
#include "core/log.h"
#include "core/virtual.h"
#include "debug/profile.h"
#include "debug/trace.h"
#include "devices/board.h"
#include "devices/chardev.h"
#include "loader/load.h"
#include "os/sandbox.h"
#include "script/script.h"

struct run {
  const char *isa, *board, *kernel, *initrd, *bios, *append, *dtb, *dump_dtb, *serial, *console, *script;
  struct strings trace, set, symbols;
  struct engine_config engine;
  const char *profile;
  uint64_t memory, timeout_ns, seed;
  unsigned cpus;
  bool no_reboot, stats, json, nographic, deterministic, allow, no_sandbox;
};

static void defaults(void *config) {
  struct run *o = config;
  o->memory = 128ull << 20;
  o->cpus = 1;
  o->engine.accel = "auto";
  o->seed = 1;
}

/* The ISA that a file is for: 0 with *isa set (NULL: raw firmware does not say), -errno with one line logged. */
static int isa_of_file(const char *path, bool may_be_raw, const struct isa **isa) {
  struct load_file f;
  struct load_info info;
  int r = load_open(path, NULL, may_be_raw, &f, &info);
  if (r) return r;
  *isa = info.isa;
  load_file_free(&f);
  return 0;
}

/* The ISA of what is to be run: --isa, and what the files say; they must agree. */
static const struct isa *which_isa(const struct run *o) {
  const struct isa *want = NULL, *found = NULL, *is;
  const char *from = NULL;
  const char *const files[] = {o->bios, o->kernel};
  if (o->isa && !(want = cli_isa(o->isa))) return NULL;
  for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
    if (!files[i]) continue;
    if (isa_of_file(files[i], files[i] == o->bios, &is)) return NULL;
    if (!is) continue;
    if (found && found != is) {
      log_error("%s is for %s, but %s is for %s", from, found->name, files[i], is->name);
      return NULL;
    }
    found = is;
    from = files[i];
  }
  if (found && want && found != want) {
    log_error("--isa %s contradicts %s, which is for %s", want->name, from, found->name);
    return NULL;
  }
  return found ? found : want ? want : cli_isa(NULL);
}

/* What is asked for but cannot be; -1 when all is well, else an exit code. */
static int check(const struct run *o) {
  if (o->deterministic && o->serial && !strcmp(o->serial, "stdio")) {
    log_error("--deterministic: standard input is not the same every time: leave --serial out, or give null "
              "or file:PATH");
    return EXIT_USAGE;
  }
  if (o->cpus != 1) {
    log_error("-smp %u: machines with more than one vCPU are not available in this version", o->cpus);
    return EXIT_USAGE;
  }
  if (!o->memory || o->memory % GUEST_PAGE_SIZE) {
    log_error("-m: memory must be a positive multiple of 4 KiB");
    return EXIT_USAGE;
  }
  if (!o->kernel && !o->bios && !o->dump_dtb) {
    log_error("nothing to run: give --kernel FILE, --bios FILE or a bare ELF program");
    return EXIT_USAGE;
  }
  if (o->initrd && !o->kernel) {
    log_error("--initrd needs --kernel");
    return EXIT_USAGE;
  }
  if (o->json && !o->stats) {
    log_error("--json says how --stats prints: give both");
    return EXIT_USAGE;
  }
  return -1;
}

static int failed(int r) {
  return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EAGAIN ? EXIT_HOST : EXIT_USAGE;
}

static int exit_code(const struct machine *m) {
  switch ((enum machine_end)m->end) {
  case END_POWEROFF:
  case END_RESET:
  case END_QUIT: return 0;
  case END_CODE:
    if (m->end_code <= EXIT_GUEST_MAX) return (int)m->end_code;
    log_info("the guest ended with code %" PRIu64, m->end_code);
    return EXIT_GUEST_MAX;
  case END_FAILURE: log_error("the guest reported a failure"); return EXIT_GUEST_FAILURE;
  case END_TIMEOUT: log_error("time-out"); return EXIT_TIMED_OUT;
  case END_NONE:
  case END_ERROR: break;
  }
  return EXIT_BUG;
}

static uint64_t thread_cpu_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Deterministic: like machine_run, on this thread; real time only matters to --timeout. */
static enum machine_end run_virtual(struct machine *m, uint64_t timeout_ns) {
  const uint64_t until = timeout_ns ? clock_ns() + timeout_ns : UINT64_MAX;
  for (;;) {
    switch (virtual_run(m, virtual_insns(m) + 10000000, UINT64_MAX)) {
    case VIRTUAL_ENDED: return m->end;
    case VIRTUAL_IDLE:
      log_error("the guest waits, and without input nothing will ever end that");
      machine_end(m, END_FAILURE, 0);
      break;
    case VIRTUAL_ERROR: machine_end(m, END_ERROR, 0); break;
    default: break;
    }
    if (clock_ns() >= until) machine_end(m, END_TIMEOUT, 0);
  }
}

static int run_script(const struct run *o) {
  if (cli_engine(&o->engine, NULL, NULL, NULL)) return EXIT_USAGE;
  const struct script_options so = {.isa = o->isa,
                                    .accel = o->engine.accel,
                                    .kernel = o->kernel,
                                    .initrd = o->initrd,
                                    .append = o->append,
                                    .bios = o->bios,
                                    .board = o->board,
                                    .memory = o->memory,
                                    .seed = o->seed,
                                    .allow = o->allow,
                                    .tee = true,
                                    .param = o->set.at,
                                    .nparams = o->set.n};
  return script_run(o->script, &so) == SCRIPT_FAILED ? EXIT_SCRIPT : 0;
}

/* From here on nothing is opened by name. 0, or an exit code. */
static int confine(const struct run *o) {
  char why[300];
  if (o->no_sandbox) return 0;
  if (o->stats) stats_prepare();
  int r = sandbox_enter(&(struct sandbox){.dying = chardev_stdio_restore}, why, sizeof why);
  if (r && r != -EOPNOTSUPP) {
    log_error("sandbox: %s: give --no-sandbox to run without it", why);
    return EXIT_HOST;
  }
  if (r) log_warn("sandbox: this kernel or container does not let us give up: %s", why);
  return 0;
}

static int run_machine(struct machine *m, const struct run *o) {
  uint64_t wall = clock_ns(), cpu = thread_cpu_ns();
  for (;;) {
    uint64_t spent = clock_ns() - wall, left = 0;
    if (o->timeout_ns) left = o->timeout_ns > spent ? o->timeout_ns - spent : 1;
    enum machine_end end = o->deterministic ? run_virtual(m, left) : machine_run(m, left);
    if (end != END_RESET || o->no_reboot) break;
    int r = board_boot(m);
    if (r) return failed(r);
  }
  const int r = profile_write(m);
  if (r) log_error("--profile %s: cannot write: %s", o->profile, strerror(-r));
  if (o->stats)
    stats_print(m->isa, m->vcpu, m->nvcpus, NULL,
                (struct run_times){clock_ns() - wall, thread_cpu_ns() - cpu}, o->json, NULL);
  return exit_code(m);
}

static int run_main(void *config, int argc, char **argv) {
  struct run *o = config;
  struct machine *m = NULL;
  char why[200];
  if (argc) {
    if (o->kernel) {
      log_error("%s: a program and --kernel exclude each other", argv[0]);
      return EXIT_USAGE;
    }
    o->kernel = argv[0];
  }
  if (o->script) return run_script(o);
  int code = check(o);
  if (code >= 0) return code;
  const struct isa *isa = which_isa(o);
  if (!isa) return EXIT_USAGE;
  if (!o->board && !board_exists(isa)) {
    log_error("%s: there is no machine for this ISA in this version (isomer user runs its programs)",
              isa->name);
    return EXIT_USAGE;
  }
  code = EXIT_HOST;
  m = machine_new(isa);
  if (!m) goto out;
  if (o->deterministic && virtual_enable(m, o->seed)) goto out;
  for (unsigned i = 0; i < o->trace.n; i++) {
    if (trace_parse(m, o->trace.at[i], why, sizeof why)) {
      log_error("--trace: %s", why);
      code = EXIT_USAGE;
      goto out;
    }
  }
  const struct board_config bc = {
      .cpus = o->cpus,
      .ram_bytes = o->memory,
      .board = o->board,
      .kernel = o->kernel,
      .initrd = o->initrd,
      .bios = o->bios,
      .append = o->append,
      .dtb = o->dtb,
      .serial = o->dump_dtb                      ? "null"
                : o->deterministic && !o->serial ? "script"
                                                 : o->serial,
      .console = o->console,
  };
  int r = board_create(m, &bc);
  if (r) {
    code = failed(r);
    goto out;
  }
  struct chardev_script *serial = chardev_script(board_chardev(m, false));
  if (serial) serial->tee = 1; /* standard output */
  if (o->dump_dtb) {
    code = board_dump_dtb(m, o->dump_dtb) ? EXIT_HOST : 0;
    goto out;
  }
  code = EXIT_USAGE;
  /* Only for those who look on: reading the symbols of a large kernel takes time. */
  if ((o->symbols.n || o->trace.n || o->profile || o->engine.dump || o->engine.perf_map ||
       o->engine.perf_dump) &&
      cli_symbols(o->kernel, &o->symbols, &m->symbols))
    goto out;
  if (cli_engine(&o->engine, m, NULL, NULL)) goto out;
  if (o->profile && profile_open(m, o->profile, o->kernel ? o->kernel : o->bios, why, sizeof why)) {
    log_error("--profile: %s", why);
    goto out;
  }
  for (unsigned i = 0; i < m->nvcpus; i++) {
    trace_attach(m->vcpu[i], m);
    profile_attach(m->vcpu[i], m);
    r = engine_select(m->vcpu[i], o->engine.accel);
    if (!r) continue;
    code = failed(r);
    goto out;
  }
  r = board_boot(m);
  code = r ? failed(r) : confine(o);
  if (!code) code = run_machine(m, o);
out:
  if (m) board_free(m);
  if (m) profile_free(m);
  const struct symbols *symbols = m ? m->symbols : NULL;
  machine_free(m);
  cli_symbols_free(symbols);
  return code;
}

#define AT(f) offsetof(struct run, f)
static const struct option options[] = {
    {"kernel", "FILE", OPT_STR, AT(kernel), "Linux Image, or an ELF program for the bare machine"},
    {"initrd", "FILE", OPT_STR, AT(initrd), "initial file system for the kernel"},
    {"append", "TEXT", OPT_STR, AT(append), "command line of the kernel"},
    {"memory m", "SIZE", OPT_SIZE, AT(memory), "guest memory, with suffix K, M or G; none means M (128M)"},
    {"smp", "N", OPT_UINT, AT(cpus), "number of vCPUs (1)"},
    {"isa", "ISA", OPT_STR, AT(isa), "instruction set, when the files do not say"},
    {"bios", "FILE", OPT_STR, AT(bios), "firmware instead of the built-in one"},
    {"board", "FILE", OPT_STR, AT(board), "Lua table of the machine instead of the built-in one"},
    ENGINE_OPTIONS(struct run),
    PERF_OPTIONS(struct run),
    {"timeout", "SECONDS", OPT_NS, AT(timeout_ns), "end with code 124 after that much real time"},
    {"no-reboot", NULL, OPT_FLAG, AT(no_reboot), "end with code 0 when the guest resets"},
    {"trace", "WHAT", OPT_LIST, AT(trace),
     "insn, exc, mmio, sbi, blocks, exits, with commas; =LO-HI: only those PCs; on stderr"},
    {"symbols", "FILE", OPT_LIST, AT(symbols),
     "names of code, beside the kernel's own: ELF, or text as System.map"},
    {"profile", "FILE", OPT_STR, AT(profile), "samples of call stacks, for flamegraph.pl (+FILE: appended)"},
    {"stats", NULL, OPT_FLAG, AT(stats),
     "counters on stderr at the end; hits of the first-level TLB are not counted"},
    {"json", NULL, OPT_FLAG, AT(json), "counters as one JSON object"},
    {"dtb", "FILE", OPT_STR, AT(dtb), "device tree for the guest instead of the board's own"},
    {"dump-dtb", "FILE", OPT_STR, AT(dump_dtb), "write the device tree and end; - is standard output"},
    {"serial", "TO", OPT_STR, AT(serial), "first serial port: stdio, null or file:PATH (stdio)"},
    {"console", "TO", OPT_STR, AT(console), "VirtIO console: stdio, null or file:PATH (null)"},
    {"deterministic", NULL, OPT_FLAG, AT(deterministic),
     "virtual time from instruction counts, seeded entropy, no input: every run is the same"},
    {"seed", "N", OPT_U64, AT(seed), "of everything random under --deterministic and --script (1)"},
    {"script", "FILE", OPT_STR, AT(script),
     "run a scenario (docs/scenarios.md); the other options are what its machines are made of"},
    {"set", "NAME=VALUE", OPT_LIST, AT(set), "isomer.params.NAME of the scenario"},
    {"allow", NULL, OPT_FLAG, AT(allow), "the scenario may use os, io, require, load and debug"},
    {"no-sandbox", NULL, OPT_FLAG, AT(no_sandbox), "keep every right of the process, to debug Isomer"},
    {"nographic", NULL, OPT_FLAG, AT(nographic), "accepted: there is no other way yet"},
    {"disk drive hda", "FILE", OPT_LATER, 0, "no block devices yet"},
    {"net netdev nic", "WHAT", OPT_LATER, 0, "no network devices yet"},
    {"device", "WHAT", OPT_LATER, 0, "devices come from the board"},
    {"gdb s S", NULL, OPT_LATER, 0, "no GDB stub yet"},
    {"snapshot loadvm", NULL, OPT_LATER, 0, "no snapshots yet"},
    {"control qmp monitor", "WHERE", OPT_LATER, 0, "no control socket yet"},
    {"cpu", "MODEL", OPT_LATER, 0, "the vCPU has every feature that is on by default"},
    {"machine M", "NAME", OPT_LATER, 0, "use --board"},
    {"plugin", "FILE", OPT_LATER, 0, "no plugins yet"},
    {0},
};

const struct command cmd_run = {
    .name = "run",
    .usage = "[--kernel FILE [--initrd FILE] [--append TEXT] | PROGRAM.elf] [OPTIONS]",
    .summary = "runs a machine",
    .about =
        "The guest's serial port is standard output and input; Ctrl-A x ends the machine, Ctrl-A h helps.\n"
        "PROGRAM.elf starts on the bare machine and may end it through HTIF (tohost) or the test finisher.\n",
    .options = options,
    .config_size = sizeof(struct run),
    .max_args = 1,
    .defaults = defaults,
    .main = run_main,
};
