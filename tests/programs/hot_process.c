/* For profiles and counters of whole processes: the child of a fork and a thread work in functions of their own, then the
 * program runs itself again ("again"), which works in a third, says its number and waits for the end of its input. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORK(name, k)                                    \
  __attribute__((noinline)) static uint64_t name(void) { \
    uint64_t x = 1;                                      \
    for (uint64_t n = 30000000; n; n--) {                \
      x = x * 6364136223846793005u + (k);                \
      __asm__ volatile("" : "+r"(x));                    \
    }                                                    \
    return x;                                            \
  }
WORK(work_child, 1)
WORK(work_thread, 3)
WORK(work_again, 5)

static void *thread(void *arg) {
  *(uint64_t *)arg = work_thread();
  return NULL;
}

int main(int argc, char **argv) {
  uint64_t x = 0;
  pthread_t t;
  if (argc > 1 && !strcmp(argv[1], "again")) {
    x = work_again();
    printf("%d %d\n", (int)getpid(), x != 0);
    fflush(stdout);
    return getchar() != EOF;
  }
  pid_t child = fork();
  if (!child) {
    x = work_child();
    printf("%d %d\n", (int)getpid(), x != 0);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  if (pthread_create(&t, NULL, thread, &x) || pthread_join(t, NULL) || !x) return 1;
  if (argc > 1) return 0;
  execl(argv[0], argv[0], "again", NULL);
  return 1;
}
