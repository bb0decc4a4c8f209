/* Lookup in the sysroot. The kernel resolves names (openat2, RESOLVE_IN_ROOT), so that absolute links and ".." stay inside;
 * the result is a path without links, which every other system call can take. */
#define _GNU_SOURCE
#include "user/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "core/types.h"

/* Belong to the running system, whatever the sysroot holds under these names. */
static const char *const of_host[] = {"/proc", "/sys", "/dev", "/run", "/tmp"};

static bool belongs_to_host(const char *path) {
  while (path[0] == '/' && path[1] == '/') path++;
  for (size_t i = 0; i < ARRAY_SIZE(of_host); i++) {
    size_t n = strlen(of_host[i]);
    if (!strncmp(path, of_host[i], n) && (!path[n] || path[n] == '/')) return true;
  }
  return false;
}

/* Text of the link /proc/self/fd/FD (or cwd): 0 or -errno. */
static int link_of(int fd, char out[PATH_MAX]) {
  char name[40] = "/proc/self/cwd";
  if (fd != AT_FDCWD) snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(name, out, PATH_MAX);
  if (n < 0) return -errno;
  if (n == PATH_MAX) return -ENAMETOOLONG;
  out[n] = 0;
  return 0;
}

/* The real host path of `path` inside the sysroot. -errno. */
static int inside(const struct sysroot *s, const char *path, int flags, char host[PATH_MAX]) {
  struct open_how how = {.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags), .resolve = RESOLVE_IN_ROOT};
  int root = open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
  if (root < 0) return -errno;
  do fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
  while (fd < 0 && errno == EAGAIN); /* something was renamed meanwhile */
  int r = fd < 0 ? -errno : link_of(fd, host);
  if (fd >= 0) close(fd);
  close(root);
  return r;
}

int sysroot_open(const char *dir, struct sysroot *out, char *why, size_t nwhy) {
  struct stat st;
  char probe[PATH_MAX];
  out->len = 0;
  if (!dir || !*dir) return 0;
  if (!realpath(dir, out->path) || stat(out->path, &st))
    return err_set(why, nwhy, -errno, "sysroot %s: %s", dir, strerror(errno));
  if (!S_ISDIR(st.st_mode)) return err_set(why, nwhy, -ENOTDIR, "sysroot %s: not a directory", dir);
  if (!out->path[1]) return 0;
  out->len = strlen(out->path);
  int r = inside(out, "/", O_DIRECTORY, probe);
  return r ? err_set(why, nwhy, r,
                     "sysroot %s: cannot look paths up in it: openat2: %s (Linux 5.6 and /proc are needed)",
                     dir, strerror(-r))
           : 0;
}

const char *sysroot_shown(const struct sysroot *s, const char *host) {
  if (!s || !s->len || strncmp(host, s->path, s->len)) return host;
  if (!host[s->len]) return "/";
  return host[s->len] == '/' ? host + s->len : host;
}

int sysroot_name(const struct sysroot *s, int fd, char out[PATH_MAX]) {
  char host[PATH_MAX];
  int r = link_of(fd, host);
  if (r) return r;
  strcpy(out, sysroot_shown(s, host));
  return 0;
}

static int copy(char out[PATH_MAX], const char *path) {
  size_t n = strlen(path);
  if (n >= PATH_MAX) return -ENAMETOOLONG;
  memcpy(out, path, n + 1);
  return 0;
}

/* Where `path`, which is not in the sysroot, would be created: on the host, unless only the sysroot has its directory. */
static int to_create(const struct sysroot *s, const char *path, char host[PATH_MAX]) {
  char dir[PATH_MAX], real[PATH_MAX];
  struct stat st;
  int r = copy(dir, path);
  if (r) return r;
  size_t n = strlen(dir);
  while (n > 1 && dir[n - 1] == '/') dir[--n] = 0;
  char *last = strrchr(dir, '/');
  const char *name = path + (last - dir) + 1;
  if (last == dir) return copy(host, path);
  *last = 0;
  if (!stat(dir, &st) || inside(s, dir, O_DIRECTORY, real)) return copy(host, path);
  if (strlen(real) + 1 + strlen(name) >= PATH_MAX) return -ENAMETOOLONG;
  stpcpy(stpcpy(stpcpy(host, real), "/"), name);
  return 0;
}

static int find_absolute(const struct sysroot *s, const char *path, unsigned flags, char host[PATH_MAX]) {
  if (belongs_to_host(path)) return copy(host, path);
  int r = inside(s, path, flags & SYSROOT_NOFOLLOW ? O_NOFOLLOW : 0, host);
  if (!r) {
    const char *shown = sysroot_shown(s, host);
    if (belongs_to_host(shown)) memmove(host, shown, strlen(shown) + 1); /* a link led there */
    return 0;
  }
  if (r != -ENOENT && r != -ENOTDIR) return r;
  if (!(flags & SYSROOT_CREATE) || !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW))
    return copy(host, path);
  return to_create(s, path, host);
}

int sysroot_find(const struct sysroot *s, int dirfd, const char *path, unsigned flags, int *hostdir,
                 char host[PATH_MAX]) {
  char base[PATH_MAX];
  *hostdir = dirfd;
  if (!s->len || !*path) return copy(host, path);
  if (*path == '/') {
    *hostdir = AT_FDCWD;
    return find_absolute(s, path, flags, host);
  }
  /* Inside the sysroot links and ".." must not lead out of it; elsewhere the host's own lookup is right. */
  if (link_of(dirfd, base)) return copy(host, path);
  const char *shown = sysroot_shown(s, base);
  if (shown == base) return copy(host, path);
  char guest[PATH_MAX];
  if (strlen(shown) + 1 + strlen(path) >= sizeof guest) return -ENAMETOOLONG;
  stpcpy(stpcpy(stpcpy(guest, shown), "/"), path);
  *hostdir = AT_FDCWD;
  return find_absolute(s, guest, flags, host);
}
