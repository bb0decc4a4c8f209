/* `isomer caps`: what this build can do on this host. */
#include <stdio.h>
#include <sys/utsname.h>

#include "cli/cli.h"
#include "core/engine.h"
#include "devices/board.h"

static int caps_main(void *config, int argc, char **argv) {
  struct utsname u;
  char why[200];
  (void)config, (void)argc, (void)argv;
  printf("isomer %s\n", ISOMER_VERSION);
  if (!uname(&u)) printf("host: %s %s\n", u.sysname, u.machine);
  for (const struct isa *const *p = isa_list; *p; p++) {
    bool user = (*p)->arch && (*p)->arch->user_entry && (*p)->arch->user_syscall;
    printf("%s: machine %s, user mode %s, assembler %s\n", (*p)->name, board_exists(*p) ? "yes" : "no",
           user ? "yes" : "no", (*p)->assemble ? "yes" : "no");
    for (unsigned i = 0; i < engine_count; i++) {
      const struct engine_ops *e = engine_list[i];
      if (e->probe(*p, why, sizeof why)) printf("  engine %s: no (%s)\n", e->name, why);
      else printf("  engine %s: yes\n", e->name);
    }
  }
  return 0;
}

static const struct option options[] = {{0}};

const struct command cmd_caps = {
    .name = "caps",
    .usage = "",
    .summary = "says what this build can do on this host",
    .options = options,
    .main = caps_main,
};
