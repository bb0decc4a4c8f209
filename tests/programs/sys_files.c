/* Files and directories: every call on names in an empty working directory. */
#include "sys.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <utime.h>

static void show_stat(const char *what, const struct stat *s) {
  SHOW("%s: mode %o nlink %lu size %ld blksize>0 %d mtime %ld.%09ld", what, s->st_mode,
       (unsigned long)s->st_nlink, (long)s->st_size, s->st_blksize > 0, s->st_mtim.tv_sec,
       s->st_mtim.tv_nsec);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

#ifdef __aarch64__
enum { LARGE_FILE = 0400000 }; /* the kernel's; the C library says 0 */
#else
enum { LARGE_FILE = 0100000 };
#endif

static void list(const char *path) {
  char *names[64];
  size_t n = 0;
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d)) && n < 64;)
    asprintf(&names[n++], "%s:%d", e->d_name, e->d_type);
  if (d) closedir(d);
  qsort(names, n, sizeof *names, by_name);
  for (size_t i = 0; i < n; i++) SHOW("entry %s", names[i]);
}

int main(void) {
  struct stat s;
  struct statx x;
  struct statfs f;
  char buf[256];
  umask(022);
  T(mkdir("d", 0755));
  T(mkdir("d", 0755));
  int d = open("d", O_RDONLY | O_DIRECTORY);
  T(open("d", O_WRONLY));
  int fd = openat(d, "file", O_CREAT | O_RDWR | O_EXCL, 0640);
  T(openat(d, "file", O_CREAT | O_RDWR | O_EXCL, 0640));
  T(write(fd, "hello, world\n", 13));
  T(pwrite(fd, "HELLO", 5, 7));
  T(pread(fd, buf, 5, 7));
  SHOW("read %.5s", buf);
  T(lseek(fd, -3, SEEK_END));
  T(lseek(fd, 0, 99));
  T(ftruncate(fd, 10));
  T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
  T(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
  T(fsync(fd));
  T(fdatasync(fd));
  T(truncate("d/file", 6));
  struct timespec times[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
  T(utimensat(d, "file", times, 0));
  T(fstat(fd, &s));
  show_stat("file", &s);
  T(symlinkat("file", d, "link"));
  T(fstatat(d, "link", &s, AT_SYMLINK_NOFOLLOW));
  SHOW("link is %o %ld", s.st_mode & S_IFMT, (long)s.st_size);
  T(fstatat(d, "link", &s, 0));
  T(fstatat(fd, "", &s, AT_EMPTY_PATH));
  show_stat("file", &s);
  T(stat("d/none", &s));
  T(lstat("d/file/x", &s));
  T(statx(d, "file", 0, STATX_BASIC_STATS, &x));
  SHOW("statx %o %llu %u", x.stx_mode, (unsigned long long)x.stx_size, x.stx_nlink);
  T(readlinkat(d, "link", buf, sizeof buf));
  SHOW("link -> %.4s", buf);
  T(readlinkat(d, "file", buf, sizeof buf));
  T(openat(d, "link", O_RDONLY | O_NOFOLLOW));
  T(linkat(d, "file", d, "hard", 0));
  T(linkat(d, "link", d, "soft", AT_SYMLINK_FOLLOW));
  T(fstat(fd, &s));
  SHOW("links %lu", (unsigned long)s.st_nlink);
  T(renameat2(AT_FDCWD, "d/hard", d, "other", RENAME_NOREPLACE));
  T(renameat2(d, "other", d, "soft", RENAME_NOREPLACE));
  T(rename("d/other", "d/soft"));
  T(mkfifo("d/fifo", 0600));
  T(mknodat(d, "node", S_IFREG | 0600, 0));
  T(fchmodat(d, "node", 0444, 0));
  T(faccessat(d, "node", R_OK, 0));
  T(faccessat(d, "node", F_OK, AT_EACCESS));
  T(syscall(SYS_faccessat2, d, "nope", F_OK, AT_SYMLINK_NOFOLLOW));
  T(fchmod(fd, 0600));
  T(fchown(fd, -1, -1));
  T(fchownat(d, "link", -1, -1, AT_SYMLINK_NOFOLLOW));
  list("d");
  T(setxattr("d/file", "user.test", "value", 5, 0));
  T(setxattr("d/file", "user.test", "value", 5, XATTR_CREATE));
  T(getxattr("d/file", "user.test", buf, sizeof buf));
  T(fgetxattr(fd, "user.none", buf, sizeof buf));
  T(listxattr("d/file", buf, sizeof buf));
  T(lremovexattr("d/file", "user.test"));
  OK(statfs(".", &f));
  OK(fstatfs(fd, &f));
  SHOW("block size %d name length %d", f.f_bsize > 0, (int)f.f_namelen);
  T(chdir("d"));
  SHOW("cwd ends in /d: %d", !strcmp(strrchr(getcwd(buf, sizeof buf), '/'), "/d"));
  T(syscall(SYS_getcwd, buf, 1));
  T(fchdir(d));
  T(chdir("file"));
  T(chdir(".."));
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY, .resolve = RESOLVE_BENEATH};
  int beneath = (int)syscall(SYS_openat2, AT_FDCWD, "d", &how, sizeof how);
  OK(beneath);
  T(syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how));
  how.flags = 1ull << 40;
  T(syscall(SYS_openat2, AT_FDCWD, "d", &how, sizeof how));
  T(syscall(SYS_openat2, AT_FDCWD, "d", &how, 8));
  how = (struct open_how){.flags = O_RDONLY | O_NOFOLLOW};
  T(syscall(SYS_openat2, AT_FDCWD, "d/link", &how, sizeof how));
  int tmp = open(".", O_TMPFILE | O_RDWR, 0600);
  OK(tmp);
  int flags = fcntl(open("d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), F_GETFL);
  SHOW("flags %d %d, others %#o", !!(flags & O_DIRECTORY), !!(flags & O_NOFOLLOW),
       flags & ~(O_DIRECTORY | O_NOFOLLOW | LARGE_FILE));
  struct timeval tv[2] = {{5, 6}, {7, 8}};
  T(utimes("d/file", tv));
  T(stat("d/file", &s));
  show_stat("file", &s);
  T(unlink("d"));
  T(unlinkat(d, "soft", 0));
  T(unlinkat(d, "link", 0));
  T(unlinkat(d, "file", AT_REMOVEDIR));
  T(unlinkat(d, "fifo", 0));
  T(unlinkat(d, "node", 0));
  T(rmdir("d"));
  T(unlinkat(d, "file", 0));
  T(unlinkat(d, "other", 0));
  T(rmdir("d"));
  T(open("", O_RDONLY));
  memset(buf, 'x', sizeof buf);
  char *longname = malloc(5000);
  memset(longname, 'a', 4999);
  longname[4999] = 0;
  errno = 0;
  int r = open(longname, O_RDONLY);
  SHOW("long name %d %s", r, strerrorname_np(errno));
  return 0;
}
