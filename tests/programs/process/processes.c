/* Processes: fork, vfork, posix_spawn, execve and its errors, scripts, groups, times, what is kept across execve. Prints only
 * what is the same on every ISA. Runs itself with other arguments: argv[0] is its own path. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *self;

/* One value at a time: the order in which arguments are evaluated is the ISA's. */
static void say(const char *what, long v) { printf("%s %ld", what, v); }
static void end(void) { printf("\n"); }

static int outcome(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) continue;
  return status;
}

static void forks(void) {
  int data = 1, *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fflush(stdout);
  pid_t parent = getpid(), pid = fork();
  if (!pid) {
    data = 2;
    *shared = getppid() == parent && getpid() != parent;
    _exit(data + 40);
  }
  int s = outcome(pid);
  printf("fork: %x data %d shared %d\n", s, data, *shared);
  volatile int seen = 0;
  pid = vfork();
  if (!pid) {
    seen = 5;
    _exit(6);
  }
  printf("vfork: %x memory %d\n", outcome(pid), seen);
  say("no child", waitpid(-1, NULL, 0));
  say("", errno == ECHILD);
  end();
  struct rusage u = {.ru_maxrss = -1};
  fflush(stdout);
  pid = fork();
  if (!pid) _exit(1);
  say("wait4", wait4(pid, &s, 0, &u) == pid);
  say("", WEXITSTATUS(s));
  printf(" %d\n", u.ru_maxrss >= 0); /* Linux counts pages in lots: a short life may have none */
}

static void show(int argc, char **argv) {
  sigset_t m;
  struct sigaction a, b;
  sigprocmask(SIG_SETMASK, NULL, &m);
  sigaction(SIGUSR1, NULL, &a);
  sigaction(SIGUSR2, NULL, &b);
  for (int i = 0; i < argc; i++)
    printf("[%s]", i ? argv[i] : strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i]);
  printf(" env %s %s masked %d %d ignored %d handled %d", getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "-",
         getenv("VALUE") ? getenv("VALUE") : "-", sigismember(&m, SIGTERM), sigismember(&m, SIGSEGV),
         a.sa_handler == SIG_IGN, b.sa_handler != SIG_DFL);
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  printf(" comm %d fds", !strncmp(name, "pr", 2));
  for (int fd = 3; fd < 30; fd++)
    if (fcntl(fd, F_GETFD) >= 0) printf(" %d", fd);
  printf("\n");
  exit(7);
}

static void handler(int n) { (void)n; }

static void executes(void) {
  char *args[] = {"a name", "show", "two words", "", NULL},
       *env[] = {"LD_PRELOAD=nothing", "VALUE=1=2", NULL};
  sigset_t m;
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    sigemptyset(&m);
    sigaddset(&m, SIGTERM);
    sigaddset(&m, SIGSEGV);
    sigprocmask(SIG_SETMASK, &m, NULL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, handler);
    int fd = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(fd, 10);
    fcntl(closed, F_DUPFD_CLOEXEC, 20);
    execve(self, args, env);
    _exit(99);
  }
  printf("execve: %x\n", outcome(pid));
  fflush(stdout);
  pid = fork();
  if (!pid) {
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    fexecve(fd, args, env);
    _exit(98);
  }
  printf("fexecve: %x\n", outcome(pid));
  fflush(stdout);
  if (!(pid = fork())) { /* nothing given */
    execve(self, (char *[]){"x", "show", NULL}, NULL);
    _exit(97);
  }
  printf("empty: %x\n", outcome(pid));
}

static const char *name(int e) {
  static const struct {
    int e;
    const char *name;
  } names[] = {{0, "0"},          {ENOENT, "ENOENT"}, {EACCES, "EACCES"}, {ENOEXEC, "ENOEXEC"},
               {ELOOP, "ELOOP"},  {E2BIG, "E2BIG"},   {EFAULT, "EFAULT"}, {ENOTDIR, "ENOTDIR"},
               {EINVAL, "EINVAL"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].e == e) return names[i].name;
  return strerror(e);
}

static void write_file(const char *path, const char *text, mode_t mode) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (write(fd, text, strlen(text)) < 0) perror(path);
  fchmod(fd, mode);
  close(fd);
}

static const void *volatile nowhere = (void *)8;
static char *const some[] = {"x", NULL};
static void try(const char *what, const char *path) {
  execve(path, some, some + 1);
  printf("%s: %s", what, name(errno));
  pid_t pid;
  int r = posix_spawn(&pid, path, NULL, NULL, some, some + 1);
  printf(" spawn %s", name(r));
  fflush(stdout);
  volatile int e = 0;
  if (!(pid = vfork())) {
    execve(path, some, some + 1);
    e = errno;
    _exit(1);
  }
  outcome(pid);
  printf(" vfork %s\n", name(e));
}

static void errors(void) {
  char dir[] = "/tmp/execXXXXXX", path[100];
  if (!mkdtemp(dir) || chdir(dir)) return;
  try("missing", "/nonexistent/x");
  try("directory", dir);
  write_file("plain", "hello\n", 0755);
  try("no program", "plain");
  write_file("noexec", "#!/bin/sh\n", 0644);
  try("not executable", "noexec");
  try("below a file", "plain/x");
  write_file("badinterp", "#!/nonexistent/interp\n", 0755);
  try("no interpreter", "badinterp");
  write_file("loop", "#!./loop\n", 0755);
  try("loop", "./loop");
  if (symlink("circle", "circle")) perror("symlink");
  try("circle", "circle");
  try("empty", "");
  static char text[200000];
  memset(text, 'x', sizeof text - 1);
  execve(self, (char *[]){"x", text, NULL}, some + 1);
  printf("long: %s\n", name(errno));
  char **many = calloc(400001, sizeof *many);
  for (int i = 0; i < 400000; i++) many[i] = "0123456789";
  execve(self, many, some + 1);
  printf("many: %s\n", name(errno));
  execve(nowhere, some, some + 1);
  printf("path: %s\n", name(errno));
  execve(self, (char *const *)nowhere, some + 1);
  printf("vector: %s\n", name(errno));
  say("flags", syscall(SYS_execveat, AT_FDCWD, self, some, some + 1, 0x800000));
  printf(" %s\n", name(errno));
  if (symlink(self, "link")) perror("symlink");
  say("nofollow", syscall(SYS_execveat, AT_FDCWD, "link", some, some + 1, AT_SYMLINK_NOFOLLOW));
  printf(" %s\n", name(errno));
  /* Scripts: one argument, nested. */
  snprintf(path, sizeof path, "#! %s  show an argument \n", self);
  write_file("script", path, 0755);
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    execve("./script", (char *[]){"lost", "kept", NULL}, some + 1);
    _exit(96);
  }
  printf("script: %x\n", outcome(pid));
  write_file("outer", "#!./script\n", 0755);
  fflush(stdout);
  if (!(pid = fork())) {
    execve("./outer", (char *[]){"lost", NULL}, some + 1);
    _exit(95);
  }
  printf("nested: %x\n", outcome(pid));
  fflush(stdout);
  if (!(pid = fork())) {
    execl("/bin/echo", "echo", "the host's", (char *)NULL);
    _exit(94);
  }
  printf("host: %x\n", outcome(pid));
  if (chdir("/")) return;
  for (const char *const *f = (const char *const[]){"plain", "noexec", "badinterp", "loop", "circle",
                                                    "script", "outer", "link", NULL};
       *f; f++) {
    snprintf(path, sizeof path, "%s/%s", dir, *f);
    unlink(path);
  }
  rmdir(dir);
}

static void spawns(void) {
  pid_t pid;
  char *args[] = {"spawned", "show", NULL};
  posix_spawnattr_t attr;
  posix_spawn_file_actions_t actions;
  sigset_t def, mask;
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, handler);
  sigemptyset(&def);
  sigaddset(&def, SIGUSR1);
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  posix_spawnattr_init(&attr);
  posix_spawnattr_setsigdefault(&attr, &def);
  posix_spawnattr_setsigmask(&attr, &mask);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", O_RDONLY, 0);
  fflush(stdout);
  int r = posix_spawn(&pid, self, &actions, &attr, args, args + 2), s = outcome(pid);
  printf("spawn: %d %x\n", r, s);
  struct sigaction a, b;
  sigaction(SIGUSR1, NULL, &a);
  sigaction(SIGUSR2, NULL, &b);
  printf("own: %d %d\n", a.sa_handler == SIG_IGN, b.sa_handler == handler);
  posix_spawn_file_actions_addopen(&actions, 9, "/nonexistent", O_RDONLY, 0);
  printf("action: %s\n", name(posix_spawn(&pid, self, &actions, &attr, args, args + 2)));
  say("system", system("exit 3"));
  say("", system("kill -9 $$"));
  end();
  FILE *f = popen("echo from a pipe", "r");
  char line[100] = "";
  if (!fgets(line, sizeof line, f)) line[0] = 0;
  printf("popen: %s", line);
  printf("pclose: %x\n", pclose(f));
}

static void groups(void) {
  int p[2];
  if (pipe(p)) return;
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    char out[4];
    out[0] = (char)(setsid() == getpid());
    out[1] = (char)(getsid(0) == getpid() && getpgrp() == getpid());
    out[2] = (char)(setsid() < 0 && errno == EPERM);
    out[3] = (char)(getpgid(getppid()) != getpid());
    if (write(p[1], out, 4) != 4) _exit(1);
    _exit(0);
  }
  char in[4] = {9, 9, 9, 9};
  if (read(p[0], in, 4) != 4) perror("read");
  int s = outcome(pid);
  printf("session: %x %d %d %d %d\n", s, in[0], in[1], in[2], in[3]);
  fflush(stdout);
  if (!(pid = fork())) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(pid, pid);
  printf("group: %d", getpgid(pid) == pid);
  kill(-pid, SIGTERM);
  printf(" %x\n", outcome(pid));
}

static void attributes(void) {
  char text[16] = "";
  int sig = 0;
  prctl(PR_SET_NAME, "a long name of a thread");
  prctl(PR_GET_NAME, text);
  printf("name: %s\n", text);
  printf("pdeathsig: %d", prctl(PR_SET_PDEATHSIG, SIGUSR1));
  printf(" %d", prctl(PR_GET_PDEATHSIG, &sig));
  printf(" %d\n", sig == SIGUSR1);
  say("dumpable", prctl(PR_GET_DUMPABLE));
  say("", prctl(PR_SET_DUMPABLE, 0));
  printf(" %d\n", prctl(PR_GET_DUMPABLE));
  printf("unknown: %d", prctl(987654));
  printf(" %d\n", errno == EINVAL);
  struct rlimit l, m;
  getrlimit(RLIMIT_NOFILE, &l);
  l.rlim_cur = 100;
  printf("limit: %d", setrlimit(RLIMIT_NOFILE, &l));
  getrlimit(RLIMIT_NOFILE, &m);
  printf(" %d", m.rlim_cur == 100);
  l.rlim_cur = l.rlim_max + 1;
  printf(" %d", setrlimit(RLIMIT_NOFILE, &l) && errno == EINVAL);
  getrlimit(RLIMIT_STACK, &l);
  l.rlim_cur = 4 << 20;
  printf(" %d", setrlimit(RLIMIT_STACK, &l));
  getrlimit(RLIMIT_STACK, &m);
  printf(" %d\n", m.rlim_cur == 4 << 20);
  struct rusage u;
  struct tms t;
  struct itimerval it = {{0, 0}, {100, 0}}, old;
  say("usage", getrusage(RUSAGE_SELF, &u));
  say("", times(&t) != (clock_t)-1);
  printf(" %d", setitimer(ITIMER_REAL, &it, NULL));
  it.it_value.tv_sec = 0;
  say("", setitimer(ITIMER_REAL, &it, &old));
  say("", old.it_value.tv_sec == 99);
  end();
  cpu_set_t cpus;
  say("affinity", sched_getaffinity(0, sizeof cpus, &cpus));
  say("", CPU_COUNT(&cpus) > 0);
  end();
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  static const struct {
    const char *name;
    void (*fn)(void);
  } parts[] = {{"forks", forks},   {"executes", executes}, {"errors", errors},
               {"spawns", spawns}, {"groups", groups},     {"attributes", attributes}};
  self = argv[0];
  if (!strcmp(part, "show")) show(argc, argv);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!*part || !strcmp(part, parts[i].name)) parts[i].fn();
  return 0;
}
