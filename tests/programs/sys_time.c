/* Time, limits, identity, scheduling, the system. */
#include "sys.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>

int main(void) {
  struct timespec a, b, left = {7, 7};
  struct timeval tv;
  T(clock_gettime(CLOCK_MONOTONIC, &a));
  T(clock_gettime(999, &a));
  T(clock_getres(CLOCK_REALTIME, &b));
  SHOW("resolution %ld %ld", (long)b.tv_sec, b.tv_nsec);
  T(clock_getres(CLOCK_REALTIME, NULL));
  T(nanosleep(&(struct timespec){0, 2000000}, &left));
  T(nanosleep(&(struct timespec){0, -1}, &left));
  T(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 1000000}, NULL));
  T(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &a, NULL));
  clock_gettime(CLOCK_MONOTONIC, &b);
  SHOW("later %d", b.tv_sec - a.tv_sec < 100);
  T(gettimeofday(&tv, NULL));
  SHOW("time %d", labs(time(NULL) - tv.tv_sec) < 2);
  OK(times(&(struct tms){0}));
  OK(adjtimex(&(struct timex){0}));
  struct rusage ru;
  T(getrusage(RUSAGE_SELF, &ru));
  T(getrusage(77, &ru));
  struct rlimit rl;
  T(getrlimit(RLIMIT_NOFILE, &rl));
  SHOW("limit %lu", (unsigned long)rl.rlim_cur);
  T(getrlimit(99, &rl));
  T(getpriority(PRIO_PROCESS, 0));
  T(setpriority(PRIO_PROCESS, 0, 3));
  T(getpriority(PRIO_PROCESS, 0));
  T(sched_yield());
  cpu_set_t set;
  CPU_ZERO(&set);
  T(sched_getaffinity(0, sizeof set, &set));
  SHOW("cpus %d", CPU_COUNT(&set));
  T(sched_setaffinity(0, sizeof set, &set));
  T(sched_getscheduler(0));
  T(sched_get_priority_max(SCHED_FIFO));
  struct sched_param sp = {5};
  T(sched_getparam(0, &sp));
  SHOW("priority %d", sp.sched_priority);
  OK(sched_getcpu());
  T(syscall(SYS_ioprio_get, 1, 0));
  SHOW("uid %d %d gid %d %d", getuid(), geteuid(), getgid(), getegid());
  uid_t r, e, s;
  T(getresuid(&r, &e, &s));
  SHOW("%d %d %d", r, e, s);
  gid_t groups[100];
  SHOW("groups %d", getgroups(0, groups) == getgroups(100, groups));
  T(getgroups(-1, groups));
  T(setresuid(-1, -1, -1));
  T(umask(077));
  T(umask(022));
  T(getpgid(0) == getpgrp());
  T(getsid(0) > 0);
  struct utsname u;
  T(uname(&u));
  SHOW("%s", u.sysname);
  struct sysinfo si;
  T(sysinfo(&si));
  SHOW("memory %d unit %u", si.totalram > 0, si.mem_unit);
  unsigned char rnd[16] = {0}, or = 0;
  T(getrandom(rnd, sizeof rnd, 0));
  for (int i = 0; i < 16; i++) or |= rnd[i];
  SHOW("random %d", or != 0);
  T(getrandom(rnd, 1, 0x100));
  T(syscall(9999));
  T(sync_file_range(99, 0, 0, 0));
  return 0;
}
