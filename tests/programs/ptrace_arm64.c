/* What debuggers do on arm64's Linux: steps, hardware breakpoints and watchpoints of a child, a breakpoint of the process itself by perf
 * events. Runs as a system's first process, too. Prints "fine", or what is wrong. */
#define _GNU_SOURCE
#include <elf.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct regs {
  uint64_t x[31], sp, pc, pstate;
};
struct debug { /* struct user_hwdebug_state */
  uint32_t info, pad;
  struct {
    uint64_t addr;
    uint32_t ctrl, pad;
  } r[16];
};

static volatile uint64_t watched[4];
static volatile uint64_t sink;
__attribute__((noinline, aligned(64))) static uint64_t work(uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    sum += i * i;
    if (i % 100 == 99) watched[1] = sum;
    sink = sum;
  }
  return sum;
}
__attribute__((noinline, aligned(64))) static void here(void) { __asm__ volatile("nop\n nop" ::: "memory"); }

static int failed;
#define CHECK(x) ((x) ? (void)0 : (void)(printf("line %d is wrong\n", __LINE__), failed = 1))

static int stopped(pid_t p) {
  int status = 0;
  return waitpid(p, &status, 0) == p && WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}
static struct regs registers(pid_t p) {
  struct regs r = {0};
  struct iovec v = {&r, sizeof r};
  ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v);
  return r;
}
static int arm(pid_t p, int kind, uint64_t addr, uint32_t ctrl) {
  struct debug d = {0};
  struct iovec v = {&d, offsetof(struct debug, r[1])};
  d.r[0].addr = addr, d.r[0].ctrl = ctrl;
  return (int)ptrace(PTRACE_SETREGSET, p, (void *)(long)kind, &v);
}

static void traced(void) {
  const pid_t p = fork();
  if (!p) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    for (int i = 0; i < 5; i++) here();
    work(1000);
    getppid();
    _exit(7);
  }
  CHECK(stopped(p) == SIGSTOP);
  /* hbreak: five hits, each stepped over */
  CHECK(arm(p, NT_ARM_HW_BREAK, (uint64_t)here, 15 << 5 | 2 << 1 | 1) == 0);
  for (int i = 0; i < 5; i++) {
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0 && stopped(p) == SIGTRAP);
    CHECK(registers(p).pc == (uint64_t)here);
    siginfo_t s;
    CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &s) == 0 && s.si_code == 4 /* TRAP_HWBKPT */);
    CHECK(arm(p, NT_ARM_HW_BREAK, 0, 0) == 0); /* stepi */
    for (int k = 1; k <= 2; k++) {
      CHECK(ptrace(PTRACE_SINGLESTEP, p, 0, 0) == 0 && stopped(p) == SIGTRAP);
      CHECK(registers(p).pc == (uint64_t)here + 4u * (unsigned)k);
    }
    if (i < 4) CHECK(arm(p, NT_ARM_HW_BREAK, (uint64_t)here, 15 << 5 | 2 << 1 | 1) == 0);
  }
  /* watch: ten stores, each stopped before it is made */
  CHECK(arm(p, NT_ARM_HW_WATCH, (uint64_t)&watched[1], 255 << 5 | 2 << 3 | 2 << 1 | 1) == 0);
  uint64_t last = 0;
  for (int i = 0; i < 10; i++) {
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0 && stopped(p) == SIGTRAP);
    siginfo_t s;
    CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &s) == 0 && s.si_code == 4 && s.si_addr == (void *)&watched[1]);
    CHECK((uint64_t)ptrace(PTRACE_PEEKDATA, p, &watched[1], 0) == last);
    CHECK(arm(p, NT_ARM_HW_WATCH, 0, 0) == 0);
    CHECK(ptrace(PTRACE_SINGLESTEP, p, 0, 0) == 0 && stopped(p) == SIGTRAP);
    uint64_t want = 0;
    for (uint64_t n = 0; n < (uint64_t)(i + 1) * 100; n++) want += n * n;
    last = (uint64_t)ptrace(PTRACE_PEEKDATA, p, &watched[1], 0);
    CHECK(last == want);
    CHECK(arm(p, NT_ARM_HW_WATCH, (uint64_t)&watched[1], 255 << 5 | 2 << 3 | 2 << 1 | 1) == 0);
  }
  /* a thousand steps, through a system call and to the end */
  int steps = 0, status = 0;
  while (ptrace(PTRACE_SINGLESTEP, p, 0, 0) == 0 && waitpid(p, &status, 0) == p && WIFSTOPPED(status) &&
         WSTOPSIG(status) == SIGTRAP)
    steps++;
  CHECK(steps > 10 && steps < 100000 && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static long counter(uint32_t type, void *at, uint64_t len) {
  struct perf_event_attr a = {.type = PERF_TYPE_BREAKPOINT,
                              .size = sizeof a,
                              .bp_type = type,
                              .sample_period = 1,
                              .disabled = 1,
                              .exclude_kernel = 1};
  a.bp_addr = (uint64_t)at, a.bp_len = len;
  return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}
static uint64_t counted(long fd) {
  uint64_t n = 0;
  ioctl((int)fd, PERF_EVENT_IOC_DISABLE, 0);
  return read((int)fd, &n, sizeof n) == sizeof n ? n : ~0ull;
}
static void perf(void) {
  const long x = counter(HW_BREAKPOINT_X, (void *)here, sizeof(long)),
             w = counter(HW_BREAKPOINT_W, (void *)&watched[1], 8);
  CHECK(x >= 0 && w >= 0);
  ioctl((int)x, PERF_EVENT_IOC_ENABLE, 0);
  ioctl((int)w, PERF_EVENT_IOC_ENABLE, 0);
  for (int i = 0; i < 300; i++) here();
  work(20000);
  CHECK(counted(x) == 300);
  CHECK(counted(w) == 200);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  traced();
  perf();
  if (!failed) puts("fine");
  if (getpid() == 1) sync(), reboot(RB_POWER_OFF);
  return failed;
}
