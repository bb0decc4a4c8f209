/* For tests/test_sandbox.py.
 *   sandbox_probe terminal WAY        opens the stdio back end, enters the sandbox, and dies in that way
 *   sandbox_probe without LAYERS CMD  runs a command where the kernel seems to lack Landlock (l), seccomp (s) or both */
#define _GNU_SOURCE
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/isa.h"
#include "core/loop.h"
#include "devices/chardev.h"
#include "os/sandbox.h"

static volatile int zero;

static int deeper(int n) {
  volatile char page[4096];
  page[n % 4096] = (char)n;
  return n < 0 ? 0 : deeper(n + 1) + page[0];
}

static void die(const char *way) {
  if (!strcmp(way, "segv")) *(volatile int *)((uintptr_t)zero + 64) = 0;
  if (!strcmp(way, "overflow")) zero = deeper(0);
  if (!strcmp(way, "abort")) abort();
  if (!strcmp(way, "refused")) zero = socket(AF_INET, SOCK_STREAM, 0);
  if (!strcmp(way, "exit")) exit(3);
  if (!strcmp(way, "kill")) raise(SIGKILL);
}

static void on_input(void *opaque, int fd) {
  (void)fd;
  die(opaque);
}

static int terminal(const char *way) {
  char why[200];
  int fds[2];
  struct chardev *c;
  struct machine *m = machine_new(isa_list[0]);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  if (!m || chardev_stdio_open(m, &c) || pipe(fds) || write(fds[1], "x", 1) != 1) return 1;
  int r = sandbox_enter(&(struct sandbox){.dying = chardev_stdio_restore}, why, sizeof why);
  if (r && r != -EOPNOTSUPP) return 1;
  if (strncmp(way, "loop-", 5)) die(way);
  else if (machine_watch_fd(m, fds[0], on_input, (void *)(way + 5)) || loop_start(m)) return 1;
  for (;;) sleep(1);
}

static int without(const char *layers, char **command) {
  static const int landlock[] = {444, 445, 446};
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
  if (!f) return 1;
  if (strchr(layers, 'l'))
    for (int i = 0; i < 3; i++) seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), landlock[i], 0);
  if (strchr(layers, 's')) {
    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0);
    seccomp_rule_add(f, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP));
  }
  if (seccomp_load(f)) return 1;
  execv(command[0], command);
  return 1;
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "terminal")) return terminal(argv[2]);
  if (argc > 3 && !strcmp(argv[1], "without")) return without(argv[2], argv + 3);
  return 2;
}
