/* The command line: exit codes, the option tables that drive parsing, help and docs/cli.md, and the subcommands. */
#ifndef ISOMER_CLI_CLI_H
#define ISOMER_CLI_CLI_H

#include "core/isa.h"
#include "core/machine.h"

#define ISOMER_VERSION "0.1.0"

/* 0 is success; `run` passes 1..EXIT_GUEST_MAX through from the guest. */
enum exit_code {
  EXIT_GUEST_MAX = 119,
  EXIT_USAGE = 120, /* usage or configuration */
  EXIT_HOST = 121,  /* a host resource is missing */
  EXIT_GUEST_FAILURE = 122,
  EXIT_SCRIPT = 123, /* a script failed */
  EXIT_TIMED_OUT = 124,
  EXIT_BUG = 125,
};

enum opt_type {
  OPT_FLAG,  /* bool */
  OPT_STR,   /* const char * */
  OPT_UINT,  /* unsigned */
  OPT_U64,   /* uint64_t, any base; *_set is not needed: the default stays */
  OPT_SIZE,  /* uint64_t bytes; suffix K M G T, none means MiB */
  OPT_NS,    /* uint64_t ns from seconds, a fraction allowed */
  OPT_LIST,  /* struct strings */
  OPT_LATER, /* understood, but not available: `help` says what is missing */
};

struct strings {
  const char *at[32];
  unsigned n;
};

/* One option. The first name is the one shown; one or two dashes make no difference. */
struct option {
  const char *names; /* separated by blanks */
  const char *arg;   /* NULL: takes none */
  enum opt_type type;
  size_t offset; /* into the subcommand's configuration */
  const char *help;
};

struct command {
  const char *name;
  const char *usage;            /* what follows the name */
  const char *summary;          /* one line */
  const char *about;            /* further lines for help, may be NULL */
  const struct option *options; /* the last has names == NULL */
  size_t config_size;
  unsigned min_args, max_args;
  bool stop_at_first; /* options end at the first positional argument */
  void (*defaults)(void *config);
  int (*main)(void *config, int argc, char **argv); /* positional arguments; returns an exit code */
};

extern const struct command *const commands[]; /* the last is NULL */
extern const struct command cmd_run, cmd_user, cmd_dis, cmd_asm, cmd_isa, cmd_caps, cmd_test, cmd_replay;

/* Parses argv into config; positional arguments are moved to the front, their number to *npos. Returns -1 to go on, or
 * an exit code (help was printed, or one line of error). */
int options_parse(const struct command *c, void *config, int argc, char **argv, int *npos);
/* Spells flags, texts and lists of a configuration as arguments that would make it again, NULL at the end; at most n with
 * that, all that an option table can ask for when n is AGAIN_MAX. */
enum { AGAIN_MAX = 256 };
void options_again(const struct command *c, const void *config, const char **out, unsigned n);
void help_print(const struct command *c);
void help_markdown(void);

/* Parsers of values, for the table and for arguments. 0 or -EINVAL. */
int parse_u64(const char *text, uint64_t *out);
int parse_size(const char *text, uint64_t *out);

/* The ISA named by --isa, or NULL and one line. `name` NULL is an error too (the command needs it). */
const struct isa *cli_isa(const char *name);

/* Pairs of hex digits, blanks and 0x allowed: number of bytes, or -EINVAL. */
int cli_hex(const char *text, uint8_t *out, size_t max);

/* What knows the names in `kernel` (may be NULL, or have none) and in files of symbols (ELF, or the text of System.map). 0 with *out
 * to be freed, or -errno with one line. */
struct symbols;
int cli_symbols(const char *kernel, const struct strings *files, const struct symbols **out);
void cli_symbols_free(const struct symbols *s); /* NULL is allowed */

/* Options of engines, the same for machines and programs. */
struct engine_config {
  const char *accel, *tier, *dump, *reproducer;
  struct strings jit;
  bool check, perf_map, perf_dump;
};
/* Rows of an option table; `type` has the member `engine`. */
#define ENGINE_OPTIONS(type)                                                                  \
  {"accel", "LIST", OPT_STR, offsetof(type, engine.accel),                                    \
   "engines in order of preference: auto, interp, jit (auto)"},                               \
      {"tier", "TIER", OPT_STR, offsetof(type, engine.tier),                                  \
       "engine jit: highest tier of code: interp, block (block)"},                            \
      {"check", NULL, OPT_FLAG, offsetof(type, engine.check),                                 \
       "engine jit: compare every block with the interpreter"},                               \
      {"reproducer", "FILE", OPT_STR, offsetof(type, engine.reproducer),                      \
       "--check, and what it finds into a file for `isomer replay`"},                         \
      {"dump", "WHAT", OPT_STR, offsetof(type, engine.dump),                                  \
       "engine jit: ir, asm or ir,asm of all blocks, on stderr; =PC: of those that hold it"}, \
  {                                                                                           \
    "jit", "SETTING", OPT_LIST, offsetof(type, engine.jit),                                   \
        "engine jit: threshold=ENTRIES, insns=IN-A-BLOCK, memory=BYTES"                       \
  }
#define PERF_OPTIONS(type)                                                          \
  {"perf-map", NULL, OPT_FLAG, offsetof(type, engine.perf_map),                     \
   "engine jit: names of translated code for perf(1), in /tmp/perf-PID.map"},       \
  {                                                                                 \
    "perf-dump", NULL, OPT_FLAG, offsetof(type, engine.perf_dump),                  \
        "engine jit: translated code for `perf inject --jit`, in /tmp/jit-PID.dump" \
  }
/* Before an engine is selected; names are those that m->symbols knows (m may be NULL). `keep` moves a descriptor to where the guest does
 * not see it (NULL: it stays) and returns its number or -errno. 0, or -errno with one line. */
int cli_engine(const struct engine_config *c, const struct machine *m, int (*keep)(void *opaque, int fd),
               void *opaque);

/* Installs or removes the lines of binfmt_misc in `dir`: for `only`, or for every ISA but the host's. An exit code. */
int binfmt_change(const char *action, const char *dir, const struct isa *only);
/* Did the kernel start this process for a program it knows by those lines? argv is then: isomer, the program's path, its
 * argv[0], its arguments. */
bool binfmt_started(int argc);
/* Runs such a program: the exit code. */
int user_from_kernel(int argc, char **argv);

/* --stats: what the vCPUs and the process counted, on stderr, as text or as one JSON object. `sum` holds the counters of all
 * threads of a process, NULL: those of the vCPUs are added. `user` is NULL for machines. */
struct user_process;
struct run_times {
  uint64_t wall_ns, cpu_ns; /* of vCPU 0's thread, of a process */
};
/* Opens what stats_print reads, for a process that will not be able to open it. */
void stats_prepare(void);
void stats_print(const struct isa *isa, struct vcpu *const *vcpus, unsigned n, const struct vcpu_stats *sum,
                 struct run_times t, bool json, const struct user_process *user);

#endif
