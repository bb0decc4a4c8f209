/* `isomer`: picks the subcommand. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/log.h"
#include "script/script.h"

const struct command *const commands[] = {&cmd_run, &cmd_user, &cmd_test,   &cmd_dis, &cmd_asm,
                                          &cmd_isa, &cmd_caps, &cmd_replay, NULL};

static const char *const later[] = {"aot", "snap", "bench", "attach"};

static void help(void) {
  printf("usage: isomer COMMAND [OPTIONS] ...\n\n");
  for (const struct command *const *p = commands; *p; p++) printf("  %-6s %s\n", (*p)->name, (*p)->summary);
  printf("\nisomer COMMAND --help tells more; isomer --version says which this is.\n");
}

static int run(const struct command *c, int argc, char **argv) {
  int npos;
  void *config = calloc(1, c->config_size ? c->config_size : 1);
  if (!config) {
    log_error("out of memory");
    return EXIT_HOST;
  }
  if (c->defaults) c->defaults(config);
  int r = options_parse(c, config, argc, argv, &npos);
  if (r < 0) r = c->main(config, npos, argv);
  free(config);
  return r;
}

/* Results that cannot be written are an error, whatever the command thought. */
static int flushed(int r) {
  if (!fflush(stdout) && !ferror(stdout)) return r;
  log_error("cannot write to standard output");
  return r ? r : EXIT_HOST;
}

int main(int argc, char **argv) {
  /* Stated, the threshold stays: a kernel image that was read and freed goes back to the system instead of to the heap. */
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  if (binfmt_started(argc)) return flushed(user_from_kernel(argc, argv));
  const char *name = argc > 1 ? argv[1] : "";
  if (!strcmp(name, "--version") || !strcmp(name, "-version")) {
    printf("isomer %s\n", ISOMER_VERSION);
    return flushed(0);
  }
  if (!strcmp(name, "help") && argc > 2 && !strcmp(argv[2], "--markdown")) {
    help_markdown();
    return flushed(0);
  }
  if (!strcmp(name, "help") && argc > 2 && !strcmp(argv[2], "--scenarios")) {
    script_reference();
    return flushed(0);
  }
  if (!strcmp(name, "help") && argc > 2 && !strcmp(argv[2], "--lua")) {
    script_annotations();
    return flushed(0);
  }
  if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h")) {
    help();
    return flushed(0);
  }
  for (const struct command *const *p = commands; *p; p++)
    if (!strcmp((*p)->name, name)) return flushed(run(*p, argc - 2, argv + 2));
  for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
    if (strcmp(later[i], name)) continue;
    log_error("%s: this command is not available in this version", name);
    return EXIT_USAGE;
  }
  if (argc < 2) log_error("no command given (isomer --help lists them)");
  else if (*name == '-') log_error("unknown option '%s' before the command (isomer --help)", name);
  else log_error("unknown command '%s' (isomer --help lists them)", name);
  return EXIT_USAGE;
}
