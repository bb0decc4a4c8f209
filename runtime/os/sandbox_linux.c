/* Landlock by raw system calls and seccomp through libseccomp. Which files and terminals exist is not known here; when to
 * enter is the command's decision. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "core/types.h"
#include "os/sandbox.h"
#include "os/sandbox_int.h"

/* Sanitizers read /proc and binaries for their reports and stop the process's threads to look for leaks. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZER 1
#else
#define SANITIZER 0
#endif

int sandbox_missing(int e) {
  return e == ENOSYS || e == EOPNOTSUPP || e == EPERM || e == EINVAL || e == EACCES ? -EOPNOTSUPP : -e;
}

int sandbox_no_new_privs(char *why, size_t n) {
  if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 0;
  int e = errno;
  return err_set(why, n, sandbox_missing(e), "no_new_privs (%s)", strerror(e));
}

/* ---- Landlock ---- */

struct ll_ruleset sandbox_landlock_all(long abi) {
  unsigned fs = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13; /* refer, truncate, ioctl on devices */
  return (struct ll_ruleset){
      .fs = (UINT64_C(1) << fs) - 1,
      .net = abi >= 4 ? 3 : 0,    /* TCP: bind, connect */
      .scoped = abi >= 6 ? 3 : 0, /* abstract unix sockets, signals */
  };
}

static int allow_reading(int ruleset) {
  struct ll_path_rule r = {.allowed = LL_READ_FILE | LL_READ_DIR, .fd = open("/", O_PATH | O_CLOEXEC)};
  int rc = r.fd < 0 || syscall(LL_ADD_RULE, ruleset, LL_PATH_BENEATH, &r, 0) ? -errno : 0;
  if (r.fd >= 0) close(r.fd);
  return rc;
}

int sandbox_files(char *why, size_t n) {
  int e, fd = -1;
  long abi = syscall(LL_CREATE_RULESET, NULL, 0, LL_VERSION);
  if (abi < 1) goto fail;
  struct ll_ruleset all = sandbox_landlock_all(abi);
  fd = (int)syscall(LL_CREATE_RULESET, &all, sizeof all, 0);
  if (fd < 0 || (SANITIZER && allow_reading(fd)) || syscall(LL_RESTRICT_SELF, fd, 0)) goto fail;
  close(fd);
  return 0;
fail:
  e = errno;
  if (fd >= 0) close(fd);
  return err_set(why, n, sandbox_missing(e), "files, by Landlock (%s)", strerror(e));
}

/* ---- seccomp ---- */

/* Measured over boots, resets and ends of machines, and what the C library may need on the way: docs/sandbox.md. */
static const int calls[] = {
    /* descriptors that are open */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    /* the event loop */
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    /* memory; mmap and mprotect without execution are below */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    /* time and chance */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getrandom),
    /* threads; clone is below */
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(getpgrp),
    SCMP_SYS(getpgid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* signals; rt_sigaction and tgkill are below */
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
};

/* Only in sanitizer builds. */
static const int sanitizer_calls[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents),
    SCMP_SYS(fcntl),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(dup),
    SCMP_SYS(getuid),
    SCMP_SYS(getdents64),
    SCMP_SYS(access),
    SCMP_SYS(clone),
    SCMP_SYS(ptrace),
    SCMP_SYS(wait4),
    SCMP_SYS(prctl),
    SCMP_SYS(kill),
    SCMP_SYS(pipe2),
    SCMP_SYS(getppid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(process_vm_readv),
};

/* Terminal only: attributes, size, who is in the foreground. */
static const unsigned terminal_requests[] = {TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, TIOCGPGRP};

/* What pthread_create asks for: a thread, never a process. */
#define THREAD_FLAGS                                                                                 \
  (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
   CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static int fill(scmp_filter_ctx f) {
  int rc = 0;
  for (size_t i = 0; !rc && i < ARRAY_SIZE(calls); i++) rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
  for (size_t i = 0; !rc && SANITIZER && i < ARRAY_SIZE(sanitizer_calls); i++)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, sanitizer_calls[i], 0);
  for (size_t i = 0; !rc && i < ARRAY_SIZE(terminal_requests); i++)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                          SCMP_A1_32(SCMP_CMP_EQ, terminal_requests[i]));
  if (rc ||
      (rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))) ||
      (rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))) ||
      /* The C library tries clone3 first, whose flags a filter cannot see, and falls back to clone. */
      (rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) ||
      /* Our handler of refused calls stays. */
      (rc =
           seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(rt_sigaction), 1, SCMP_A0_32(SCMP_CMP_NE, SIGSYS))) ||
      /* abort() and raise(), at ourselves only */
      (rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid()))))
    return rc;
  return SANITIZER
             ? 0
             : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_EQ, THREAD_FLAGS));
}

static void (*last_words)(void);

/* A filter that kills outright would leave the terminal raw and nobody the wiser. The filter refuses to replace this
 * handler; where it cannot run (the signal is blocked) the kernel kills as well. */
static void on_refused(int sig, siginfo_t *info, void *context) {
  char line[160];
  (void)context;
  if (last_words) last_words();
  int len = snprintf(
      line, sizeof line,
      "isomer: the sandbox refused system call %d: a bug of Isomer or an attack by the guest; ending "
      "(docs/sandbox.md)\n",
      info->si_syscall);
  if (write(STDERR_FILENO, line, (size_t)len) < 0) { /* nowhere to complain */
  }
  raise(sig); /* SA_RESETHAND: now it kills */
}

int sandbox_calls(const struct sandbox *s, char *why, size_t n) {
  struct sigaction sa = {.sa_sigaction = on_refused,
                         .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER | SA_ONSTACK};
  int rc = -ENOMEM;
  sigset_t set;
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
  if (!f) goto out;
  last_words = s ? s->dying : NULL;
  /* Calls by another of the processor's interfaces (i386, x32) get round the numbers above. No handler for them. SSB:
   * older kernels would otherwise slow every store down, to protect this process from its own reading. */
  if ((rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) ||
      (rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1)) ||
      (rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1)) ||
      (rc = seccomp_attr_set(f, SCMP_FLTATR_API_SYSRAWRC, 1)) || (rc = fill(f)))
    goto out;
  /* With arenas for each thread the C library opens a file in /proc to decide whether to give memory back. */
  mallopt(M_ARENA_MAX, 1);
  sigaction(SIGSYS, &sa, NULL);
  sigemptyset(&set);
  sigaddset(&set, SIGSYS);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  rc = seccomp_load(f);
out:
  if (f) seccomp_release(f);
  return rc ? err_set(why, n, sandbox_missing(-rc), "system calls, by seccomp (%s)", strerror(-rc)) : 0;
}

int sandbox_enter(const struct sandbox *s, char *why, size_t n) {
  char files[128] = "", others[128] = "";
  struct stat st;
  /* Landlock confines the calling thread and those it creates. The directory has one link per thread and two of its own. */
  if (!stat("/proc/self/task", &st) && st.st_nlink > 3)
    return err_set(why, n, -EBUSY, "%u threads exist already", (unsigned)st.st_nlink - 2);
  int rc = sandbox_no_new_privs(files, sizeof files), rc2 = 0;
  if (!rc) {
    rc = sandbox_files(files, sizeof files);
    if (rc && rc != -EOPNOTSUPP) return err_set(why, n, rc, "%s", files);
    rc2 = sandbox_calls(s, others, sizeof others);
  }
  if (rc || rc2) err_set(why, n, 0, "%s%s%s", files, *files && *others ? "; " : "", others);
  return rc2 ? rc2 : rc;
}
