/* `isomer asm`: text to bytes. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/log.h"

struct asm_options {
  const char *isa;
  uint64_t pc;
  bool all;
};

/* 0 with the line's bytes printed as hex, 1 with one line of error. */
static int one(const struct isa *isa, const struct asm_options *o, const char *text, uint64_t *pc) {
  uint8_t out[64];
  char err[200] = "";
  uint64_t features = o->all ? ~0ull >> (64 - isa->nfeatures) : isa->default_features;
  int n = isa->assemble(features, text, *pc, out, err, sizeof err);
  if (n < 0) {
    log_error("asm: '%s': %s", text, err);
    return 1;
  }
  for (int i = 0; i < n; i++) printf("%02x", out[i]);
  putchar('\n');
  *pc += (unsigned)n;
  return 0;
}

static int asm_main(void *config, int argc, char **argv) {
  struct asm_options *o = config;
  const struct isa *isa = cli_isa(o->isa);
  uint64_t pc = o->pc;
  int r = 0;
  if (!isa) return EXIT_USAGE;
  if (!isa->assemble) {
    log_error("asm: %s has no assembler in this build", isa->name);
    return EXIT_USAGE;
  }
  if (argc == 1 && !strcmp(argv[0], "-")) { /* lines of standard input, each at the same address */
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
      line[strcspn(line, "\n")] = 0;
      pc = o->pc;
      if (one(isa, o, line, &pc)) {
        puts("error"); /* lines of output stay lines of input */
        r = 1;
      }
    }
    return r;
  }
  for (int i = 0; i < argc; i++) r |= one(isa, o, argv[i], &pc);
  return r;
}

static const struct option options[] = {
    {"isa", "ISA", OPT_STR, offsetof(struct asm_options, isa), "whose instructions (isomer isa list)"},
    {"pc", "ADDRESS", OPT_U64, offsetof(struct asm_options, pc), "address of the first instruction (0)"},
    {"all-features", NULL, OPT_FLAG, offsetof(struct asm_options, all),
     "also instructions of extensions that are off by default"},
    {0},
};

const struct command cmd_asm = {
    .name = "asm",
    .usage = "--isa ISA (TEXT... | -)",
    .summary = "assembles instructions, one per argument (or per line of standard input)",
    .about = "Prints each instruction's bytes in memory order as hex. Exit code 1 when a text is no "
             "instruction.\n",
    .options = options,
    .config_size = sizeof(struct asm_options),
    .min_args = 1,
    .max_args = 1 << 20,
    .main = asm_main,
};
