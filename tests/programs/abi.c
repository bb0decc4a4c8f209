/* What the ABIs of Linux lay out differently, seen through system calls: flags of open, struct stat, epoll events, semaphores. Freestanding, with the kernel's own headers; prints the same on every ISA. */
#include <asm/fcntl.h>
#include <asm/sembuf.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/ipc.h>

#include "prog.h"

void *memset(void *d, int c, size_t n); /* lib.c */

static long sys(long nr, long a, long b, long c, long d, long e) {
#if defined __x86_64__
  long r;
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
  __asm__ volatile("syscall"
                   : "=a"(r)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return r;
#elif defined __aarch64__
  register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                   x3 __asm__("x3") = d, x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
#else
  register long a7 __asm__("a7") = nr, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c,
                   a3 __asm__("a3") = d, a4 __asm__("a4") = e;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
  return a0;
#endif
}

static long show(const char *what, long r) {
  put_str(what);
  put_str("=");
  put_dec(r);
  put_str("\n");
  return r;
}

static long openat(const char *path, long flags) {
  return sys(__NR_openat, AT_FDCWD, (long)path, flags, 0600, 0);
}

static void files(void) {
  struct stat s;
  long fd = openat("file", O_CREAT | O_RDWR | O_TRUNC | O_LARGEFILE);
  sys(__NR_write, fd, (long)"0123456789", 10, 0, 0);
  show("directory", openat("file", O_RDONLY | O_DIRECTORY));
  show("nofollow", openat("/proc/self/cwd", O_RDONLY | O_NOFOLLOW));
  show("tmpfile", openat(".", O_TMPFILE | O_RDWR) < 0);
  long d = openat(".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
  long flags = sys(__NR_fcntl, d, F_GETFL, 0, 0, 0);
  show("is directory", (flags & O_DIRECTORY) != 0);
  show("is nofollow", (flags & O_NOFOLLOW) != 0);
  show("is nonblocking", (flags & O_NONBLOCK) != 0);
  show("is direct", (flags & O_DIRECT) != 0);
  long p[1];
  show("packets", sys(__NR_pipe2, (long)p, O_DIRECT, 0, 0, 0));
  show("are packets", (sys(__NR_fcntl, ((int *)p)[1], F_GETFL, 0, 0, 0) & O_DIRECT) != 0);
  const struct { long atime, ansec, mtime, mnsec; } times = {1000, 1, 1L << 33, 999999999};
  show("times", sys(__NR_utimensat, AT_FDCWD, (long)"file", (long)&times, 0, 0));
  show("fchmod", sys(__NR_fchmod, fd, 04751, 0, 0, 0));
  for (int way = 0; way < 2; way++) {
    memset(&s, 0x55, sizeof s);
#ifdef __NR_newfstatat
    const long at = __NR_newfstatat;
#else
    const long at = __NR3264_fstatat;
#endif
    show("stat",
         way ? sys(__NR_fstat, fd, (long)&s, 0, 0, 0) : sys(at, AT_FDCWD, (long)"file", (long)&s, 0, 0));
    show("mode", s.st_mode);
    show("links", (long)s.st_nlink);
    show("size", s.st_size);
    show("blocks", s.st_blocks >= 0 && s.st_blocks < 100);
    show("block size", s.st_blksize > 0 && s.st_blksize < 1 << 24);
    show("atime", (long)s.st_atime);
    show("ansec", (long)s.st_atime_nsec);
    show("mtime", (long)s.st_mtime);
    show("mnsec", (long)s.st_mtime_nsec);
    show("owner", s.st_uid == (unsigned)sys(__NR_getuid, 0, 0, 0, 0, 0) &&
                      s.st_gid == (unsigned)sys(__NR_getgid, 0, 0, 0, 0, 0));
    show("inode", s.st_ino != 0 && s.st_dev != 0);
    show("rdev", (long)s.st_rdev);
  }
  sys(__NR_unlinkat, AT_FDCWD, (long)"file", 0, 0, 0);
}

static void events(void) {
  struct epoll_event e = {EPOLLIN, 0x1122334455667788}, got[3];
  int p[2];
  sys(__NR_pipe2, (long)p, 0, 0, 0, 0);
  long ep = sys(__NR_epoll_create1, 0, 0, 0, 0, 0);
  show("add", sys(__NR_epoll_ctl, ep, EPOLL_CTL_ADD, p[0], (long)&e, 0));
  e.events = EPOLLOUT;
  e.data = 42;
  show("add", sys(__NR_epoll_ctl, ep, EPOLL_CTL_ADD, p[1], (long)&e, 0));
  sys(__NR_write, p[1], (long)"x", 1, 0, 0);
  memset(got, 0, sizeof got);
  show("events", sys(__NR_epoll_pwait, ep, (long)got, 3, 0, 0));
  uint64_t sum = 0;
  for (int i = 0; i < 3; i++) sum += got[i].data * (got[i].events + 1);
  put_kv("sum", sum);
}

static void semaphores(void) {
  struct semid64_ds ds;
  unsigned short values[5] = {1, 2, 3, 4, 5};
  long id = sys(__NR_semget, IPC_PRIVATE, 5, 01600, 0, 0);
  enum { GETALL_ = 13, SETALL_ = 17 };
  show("set all", sys(__NR_semctl, id, 0, SETALL_, (long)values, 0));
  memset(&ds, 0x55, sizeof ds);
  show("status", sys(__NR_semctl, id, 0, IPC_STAT, (long)&ds, 0));
  show("number", (long)ds.sem_nsems);
  show("mode", ds.sem_perm.mode);
  show("created", ds.sem_ctime > 1000000000);
  ds.sem_perm.mode = 0640;
  show("change", sys(__NR_semctl, id, 0, IPC_SET, (long)&ds, 0));
  sys(__NR_semctl, id, 0, IPC_STAT, (long)&ds, 0);
  show("mode", ds.sem_perm.mode);
  memset(values, 0, sizeof values);
  show("get all", sys(__NR_semctl, id, 0, GETALL_, (long)values, 0));
  show("last", values[4]);
  show("remove", sys(__NR_semctl, id, 0, IPC_RMID, 0, 0));
}

int prog_main(void) {
  files();
  events();
  semaphores();
  return 42;
}
