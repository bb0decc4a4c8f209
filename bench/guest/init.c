/* First process of the guest that scripts/bench system measures in: runs the programs it is told to, one line each on the
 * console: "TIMES PATH ARGUMENTS...". What they print goes to the console; "ISOMER-DONE STATUS" follows (the first status
 * that is not 0). "off" ends the machine. Between two lines the guest is idle, so that the host can read its clocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { WORDS = 16 };

static int once(char **argv) {
  int status;
  pid_t child = fork();
  if (!child) {
    execv(argv[0], argv);
    perror(argv[0]);
    _exit(127);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return 126;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void) {
  struct termios t;
  char line[512];
  if (!tcgetattr(0, &t)) { /* bytes as they are */
    t.c_oflag &= ~(tcflag_t)OPOST;
    t.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(0, TCSANOW, &t);
  }
  printf("ISOMER-READY\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    char *argv[WORDS + 1] = {0}, *save = NULL, *word = strtok_r(line, " \n", &save);
    long times = word ? strtol(word, NULL, 10) : 0;
    int n = 0, status = 0;
    while (n < WORDS && (argv[n] = strtok_r(NULL, " \n", &save))) n++;
    if (!n && word && !strcmp(word, "off")) break;
    if (!n) continue;
    while (times-- > 0 && !status) status = once(argv);
    printf("ISOMER-DONE %d\n", status);
    fflush(stdout);
  }
  reboot(RB_POWER_OFF);
  return 0;
}
