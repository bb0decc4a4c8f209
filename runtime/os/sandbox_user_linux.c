/* The sandbox of user mode: chosen paths by Landlock, a list of refused system calls by seccomp. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "core/types.h"
#include "os/sandbox.h"
#include "os/sandbox_int.h"

#define READ      (LL_READ_FILE | LL_READ_DIR)
#define FILE_ONLY (LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV)

static int allow(int ruleset, const char *path, uint64_t rights, uint64_t handled, char *why, size_t n) {
  struct stat st;
  struct ll_path_rule r = {.fd = open(path, O_PATH | O_CLOEXEC)};
  int rc = 0;
  if (r.fd < 0 || fstat(r.fd, &st)) rc = -errno;
  else {
    r.allowed = rights & handled & (S_ISDIR(st.st_mode) ? ~UINT64_C(0) : FILE_ONLY);
    if (syscall(LL_ADD_RULE, ruleset, LL_PATH_BENEATH, &r, 0)) rc = -errno;
  }
  if (r.fd >= 0) close(r.fd);
  return rc ? err_set(why, n, rc, "%s: %s", path, strerror(-rc)) : 0;
}

/* A guest program that starts another one starts Isomer anew: executable, loader, libraries. */
static int allow_self(int ruleset, uint64_t handled, char *why, size_t n) {
  char line[PATH_MAX + 100], last[PATH_MAX] = "";
  FILE *f = fopen("/proc/self/maps", "re");
  int rc = f ? 0 : err_set(why, n, -errno, "/proc/self/maps: %s", strerror(errno));
  while (f && !rc && fgets(line, sizeof line, f)) {
    char *path = strchr(line, '/'), exec[5] = "";
    if (!path || sscanf(line, "%*s %4s", exec) != 1 || exec[2] != 'x')
      continue; /* guest mappings never are */
    path[strcspn(path, "\n")] = 0;
    if (!strncmp(path, "/dev/zero (deleted)", 19)) continue; /* translated code: no file */
    if (!strcmp(path, last)) continue;
    snprintf(last, sizeof last, "%s", path);
    rc = allow(ruleset, path, LL_READ_FILE | LL_EXECUTE, handled, why, n);
  }
  if (f) fclose(f);
  return rc;
}

static int confine_files(const struct sandbox_user *s, char *why, size_t n) {
  static const char *const harmless[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"};
  static const char *const read[] = {"/dev/random", "/dev/urandom", "/etc/ld.so.cache", "/proc"};
  long abi = syscall(LL_CREATE_RULESET, NULL, 0, LL_VERSION);
  int rc = 0, fd = -1;
  if (abi < 1) goto fail;
  struct ll_ruleset all = sandbox_landlock_all(abi);
  if (s->net) all.net = 0;
  fd = (int)syscall(LL_CREATE_RULESET, &all, sizeof all, 0);
  if (fd < 0) goto fail;
  /* What the host does not have cannot be reached either. */
  for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
    allow(fd, harmless[i], READ | LL_WRITE_FILE | LL_IOCTL_DEV, all.fs, NULL, 0);
  for (size_t i = 0; i < ARRAY_SIZE(read); i++) allow(fd, read[i], READ, all.fs, NULL, 0);
  rc = allow_self(fd, all.fs, why, n);
  for (const char *const *p = s->ro; !rc && *p; p++) rc = allow(fd, *p, READ, all.fs, why, n);
  for (const char *const *p = s->rw; !rc && *p; p++)
    rc = allow(fd, *p, all.fs & ~(uint64_t)LL_EXECUTE, all.fs, why, n);
  if (!rc && syscall(LL_RESTRICT_SELF, fd, 0)) goto fail;
  close(fd);
  return rc;
fail:
  rc = errno;
  if (fd >= 0) close(fd);
  return err_set(why, n, sandbox_missing(rc), "files, by Landlock (%s)", strerror(rc));
}

/* Reach other processes, the kernel's configuration, or parts of it that were the way out of other sandboxes. */
static const int refused[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(process_madvise),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(bpf),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(chroot),
    SCMP_SYS(pivot_root),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(quotactl),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(reboot),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(acct),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(syslog),
    SCMP_SYS(vhangup),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
};

#define NEW_NAMESPACES \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static int fill(scmp_filter_ctx f, const struct sandbox_user *s) {
  /* Input for the terminal's next reader, who is not confined. */
  static const unsigned requests[] = {TIOCSTI, TIOCLINUX};
  const uint32_t no = SCMP_ACT_ERRNO(EPERM);
  int rc = 0;
  for (size_t i = 0; !rc && i < ARRAY_SIZE(refused); i++) rc = seccomp_rule_add(f, no, refused[i], 0);
  for (size_t i = 0; !rc && i < ARRAY_SIZE(requests); i++)
    rc = seccomp_rule_add(f, no, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, requests[i]));
  for (unsigned bit = 0; !rc && bit < 32; bit++)
    if (NEW_NAMESPACES >> bit & 1)
      rc = seccomp_rule_add(f, no, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit));
  /* Flags of clone3 lie in memory: its users fall back to clone. */
  if (!rc) rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (!rc && !s->net) rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 0);
  return rc;
}

static int confine_calls(const struct sandbox_user *s, char *why, size_t n) {
  int rc = -ENOMEM;
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
  if (!f) goto out;
  if ((rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) ||
      (rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1)) ||
      (rc = seccomp_attr_set(f, SCMP_FLTATR_API_SYSRAWRC, 1)) || (rc = fill(f, s)))
    goto out;
  rc = seccomp_load(f);
out:
  if (f) seccomp_release(f);
  return rc ? err_set(why, n, sandbox_missing(-rc), "system calls, by seccomp (%s)", strerror(-rc)) : 0;
}

int sandbox_user(const struct sandbox_user *s, char *why, size_t n) {
  int rc = sandbox_no_new_privs(why, n);
  if (!rc) rc = confine_files(s, why, n);
  if (!rc) rc = confine_calls(s, why, n);
  return rc;
}
