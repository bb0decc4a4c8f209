/* Descriptors: duplicating, closing, locks, pipes, splicing, terminals, and that none but the own ones are open. */
#include "sys.h"

#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>

/* From 0, and about the limit, where descriptors of others might hide. */
static unsigned open_fds(void) {
  unsigned n = 0;
  struct rlimit l;
  getrlimit(RLIMIT_NOFILE, &l);
  for (int fd = 0; fd < 300; fd++) n += fcntl(fd, F_GETFD) >= 0;
  for (int fd = (int)l.rlim_cur - 32; fd < (int)l.rlim_cur + 32; fd++)
    n += fd >= 300 && fcntl(fd, F_GETFD) >= 0;
  return n;
}

int main(void) {
  char buf[64], more[64];
  int p[2], q[2];
  SHOW("open %u", open_fds());
  T(pipe2(p, O_CLOEXEC));
  T(pipe(q));
  SHOW("pipe %d %d %d %d", p[0], p[1], q[0], q[1]);
  T(fcntl(p[0], F_GETFD));
  T(fcntl(q[0], F_GETFD));
  T(fcntl(q[0], F_SETFL, O_NONBLOCK));
  T(fcntl(q[0], F_GETFL));
  T(read(q[0], buf, 1));
  T(write(p[1], "abcdef", 6));
  T(ioctl(p[0], FIONREAD, (int *)buf));
  SHOW("waiting %d", *(int *)buf);
  struct iovec iov[2] = {{buf, 2}, {more, 10}};
  T(readv(p[0], iov, 2));
  SHOW("%.2s %.4s", buf, more);
  T(readv(p[0], iov, 1025));
  T(readv(p[0], iov, -1));
  iov[0].iov_base = "xy", iov[1].iov_base = "123", iov[1].iov_len = 3;
  T(writev(p[1], iov, 2));
  T(tee(p[0], q[1], 100, 0));
  T(splice(p[0], NULL, q[1], NULL, 3, 0));
  T(read(q[0], buf, sizeof buf));
  SHOW("%.8s", buf);
  iov[0] = (struct iovec){"vm", 2};
  T(vmsplice(q[1], iov, 1, 0));
  T(fcntl(q[0], F_SETPIPE_SZ, 65536));
  T(fcntl(q[0], F_GETPIPE_SZ));
  T(dup(p[0]));
  T(dup2(p[0], 50));
  T(dup2(50, 50));
  T(dup2(60, 60));
  T(dup2(49, 51));
  T(dup3(p[0], p[0], 0));
  T(dup3(p[0], 51, O_CLOEXEC));
  T(fcntl(51, F_GETFD));
  T(fcntl(p[0], F_DUPFD, 60));
  T(fcntl(p[0], F_DUPFD_CLOEXEC, 60));
  T(fcntl(p[0], 12345, 0));
  T(fcntl(99, F_GETFL));
  T(close(61));
  T(close(61));
  T(dup2(p[0], -1));
  T(dup2(p[0], 1 << 30));
  SHOW("open %u", open_fds());
  T(syscall(SYS_close_range, 50, ~0u, 0));
  T(syscall(SYS_close_range, 60, 50, 0));
  SHOW("open %u", open_fds());
  int m = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  T(ftruncate(m, 100));
  T(pwrite(m, "0123456789", 10, 0));
  off_t off = 2;
  T(sendfile(q[1], m, &off, 4));
  SHOW("offset %ld", (long)off);
  loff_t in = 0, out = 50;
  T(copy_file_range(m, &in, m, &out, 10, 0));
  SHOW("offsets %ld %ld", (long)in, (long)out);
  T(preadv(m, (struct iovec[]){{buf, 3}, {more, 3}}, 2, 50));
  SHOW("%.3s %.3s", buf, more);
  T(pwritev2(m, (struct iovec[]){{"zz", 2}}, 1, 98, 0));
  T(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK));
  T(fcntl(m, F_GET_SEALS));
  T(ftruncate(m, 10));
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  T(fcntl(m, F_SETLK, &l));
  T(fcntl(m, F_GETLK, &l));
  SHOW("lock %d", l.l_type == F_UNLCK);
  l.l_type = F_WRLCK, l.l_pid = 0;
  T(fcntl(m, F_OFD_SETLK, &l));
  T(flock(m, LOCK_EX | LOCK_NB));
  T(flock(m, 77));
  struct f_owner_ex owner = {F_OWNER_PID, 0};
  T(fcntl(p[0], F_SETOWN_EX, &owner));
  T(fcntl(p[0], F_GETOWN_EX, &owner));
  T(fcntl(p[0], F_SETSIG, 10));
  T(fcntl(p[0], F_GETSIG));
  int e = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);
  uint64_t v = 0;
  T(read(e, &v, 8));
  SHOW("event %lu", (unsigned long)v);
  T(read(e, &v, 4));
  struct termios t;
  T(tcgetattr(p[0], &t));
  struct winsize ws = {0};
  T(ioctl(p[0], TIOCGWINSZ, &ws));
  T(ioctl(p[0], FIOCLEX));
  T(ioctl(p[0], FIONBIO, &(int){1}));
  T(ioctl(p[0], 0x12345678, 0));
  T(ioctl(77, TCGETS, &t));
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master >= 0 && !grantpt(master) && !unlockpt(master)) {
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    T(isatty(slave));
    T(tcgetattr(slave, &t));
    SHOW("termios %o %o %o %o", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
    t.c_lflag &= ~(unsigned)(ICANON | ECHO);
    T(tcsetattr(slave, TCSANOW, &t));
    ws = (struct winsize){.ws_row = 33, .ws_col = 44};
    T(ioctl(master, TIOCSWINSZ, &ws));
    ws.ws_row = 0;
    T(ioctl(slave, TIOCGWINSZ, &ws));
    SHOW("rows %d", ws.ws_row);
    T(write(master, "key", 3));
    T(read(slave, buf, 10));
    T(tcflush(slave, TCIOFLUSH));
    T(tcdrain(slave));
  }
  T(close(0));
  T(read(0, buf, 1));
  T(fstat(0, &(struct stat){0}));
  SHOW("open %u", open_fds());
  return 0;
}
