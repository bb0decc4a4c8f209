/* A program of the static C library: arguments, environment, memory from the heap and from mmap, thread-local storage,
 * time, limits, standard output through stdio and writev. Prints what does not depend on the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static __thread int counter = 41;
static __thread char zeroes[64];

static void memory(void) {
  unsigned sum = 0, seed = 1;
  void *held[64] = {0};
  for (int i = 0; i < 2000; i++) {
    unsigned k = (seed = seed * 1103515245 + 12345) >> 16 & 63;
    size_t n = 1 + (seed >> 8 & (i % 50 ? 0x3ff : 0x7ffff));
    free(held[k]);
    held[k] = malloc(n);
    memset(held[k], (int)k, n);
    sum += ((unsigned char *)held[k])[n - 1];
  }
  for (int i = 0; i < 64; i++) free(held[i]);
  printf("heap %u\n", sum);
  char *p = mmap(NULL, 5 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  p[4096 * 5 - 1] = 7;
  int zero = !p[0] && !((uintptr_t)p & 4095);
  int rc = mprotect(p + 4096, 4096, PROT_READ);
  rc |= munmap(p + 8192, 4096);
  int e2 = write(1, p + 8192, 4) < 0 ? errno : 0;
  char *q = mmap(p + 8192, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  printf("mmap %d %d %d %d %d\n", zero, rc, e2, q == p + 8192 && !q[0], p[4096 * 5 - 1]);
  int e3 = mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
  int e4 = mprotect(p + 1, 1, PROT_READ) ? errno : 0;
  int e5 = munmap(p + 1, 1) ? errno : 0;
  char *b = sbrk(0);
  int grown = sbrk(100000) == b && !b[99999] && sbrk(-100000) == b + 100000 && sbrk(0) == b;
  printf("refused %d %d %d break %d\n", e3, e4, e5, grown);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("argv[%d] %s\n", i, argv[i]);
  printf("TEST_VALUE=%s\n", getenv("TEST_VALUE"));
  printf("tls %d %d\n", ++counter, zeroes[63]);
  printf("float %.17g %a %Lg\n", 1.0 / 3, 0.1, 2.5L);
  memory();
  struct timespec a, b, res;
  int rc = clock_gettime(CLOCK_MONOTONIC, &a) | clock_gettime(CLOCK_MONOTONIC, &b) |
           clock_getres(CLOCK_MONOTONIC, &res);
  int forward = b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec);
  printf("clock %d %d %ld %d\n", rc, forward, res.tv_nsec, clock_gettime(1000, &a) ? errno : 0);
  printf("time %d\n", time(NULL) > 1700000000);
  struct stat s, t;
  rc = fstat(0, &s) | stat("/dev/null", &t);
  printf("stat %d %d %d %o %ld %d\n", rc, S_ISCHR(s.st_mode), s.st_rdev == t.st_rdev && s.st_ino == t.st_ino,
         t.st_mode & 0777, (long)t.st_nlink, stat("/nonexistent", &t) ? errno : 0);
  rc = isatty(0);
  printf("tty %d %d\n", rc, errno);
  struct rlimit l;
  rc = getrlimit(RLIMIT_STACK, &l);
  printf("stack %d %ld\n", rc, (long)l.rlim_cur);
  struct utsname u;
  rc = uname(&u);
  printf("uname %d %s\n", rc, u.sysname);
  unsigned char r[32] = {0}, any = 0;
  printf("random %zd", getrandom(r, sizeof r, 0));
  for (unsigned i = 0; i < sizeof r; i++) any |= r[i];
  printf(" %d\n", any != 0);
  printf("aux %lu %d %d %d\n", getauxval(AT_PAGESZ), getauxval(AT_UID) == getuid(), getauxval(AT_RANDOM) != 0,
         !strcmp((char *)getauxval(AT_EXECFN), argv[0]));
  char exe[4096] = "", *base;
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  base = strrchr(exe, '/');
  printf("exe %d %s\n", n > 0, base ? base + 1 : "?");
  fflush(stdout);
  struct iovec v[3] = {{"one ", 4}, {NULL, 0}, {"two\n", 4}};
  printf("writev %zd\n", writev(1, v, 3));
  printf("lseek %d\n", (fflush(stdout), lseek(1, 0, SEEK_CUR)) < 0 ? errno : 0);
  char line[80];
  printf("read %s\n", fgets(line, sizeof line, stdin) ? line : "nothing");
  fprintf(stderr, "to standard error\n");
  return 17;
}
