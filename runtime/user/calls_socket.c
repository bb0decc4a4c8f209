/* System calls on sockets whose arguments point to more pointers: messages, filters. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "core/clock.h"
#include "mem/space.h"
#include "user/call.h"

/* struct msghdr is the same in every 64-bit ABI, and libc's is the kernel's. */
struct message {
  struct msghdr head;
  struct iovec iov[USER_IOV_MAX];
};

/* Descriptors that are sent must be the program's. */
static int check_rights(struct user_thread *t, const struct msghdr *h) {
  const gva_t control = (gva_t)h->msg_control;
  struct cmsghdr c;
  for (uint64_t at = 0; at + sizeof c <= h->msg_controllen;) {
    int r = space_read(t->process->space, control + at, &c, sizeof c);
    if (r) return r;
    if (c.cmsg_len < sizeof c || c.cmsg_len > h->msg_controllen - at) return -EINVAL;
    for (uint64_t i = sizeof c;
         c.cmsg_level == SOL_SOCKET && c.cmsg_type == SCM_RIGHTS && i + sizeof(int) <= c.cmsg_len;
         i += sizeof(int)) {
      int fd;
      if ((r = space_read(t->process->space, control + at + i, &fd, sizeof fd))) return r;
      if (user_fd_hidden(t->process, fd)) return -EBADF;
    }
    at += CMSG_ALIGN(c.cmsg_len);
  }
  return 0;
}

static int message(struct user_thread *t, gva_t at, unsigned dir, struct message *m) {
  struct msghdr *h = &m->head;
  int r = space_read(t->process->space, at, h, sizeof *h);
  if (r) return r;
  if (h->msg_iovlen > USER_IOV_MAX) return -EMSGSIZE;
  if ((int)h->msg_namelen < 0) return -EINVAL;
  if (h->msg_namelen > sizeof(struct sockaddr_storage)) h->msg_namelen = sizeof(struct sockaddr_storage);
  h->msg_name = (void *)user_pointer(t, (gva_t)h->msg_name, h->msg_namelen, dir);
  h->msg_control = (void *)user_pointer(t, (gva_t)h->msg_control, h->msg_controllen, dir);
  r = user_iovec(t, (gva_t)h->msg_iov, h->msg_iovlen, dir, m->iov);
  if (!r && dir == ARG_IN && h->msg_control) r = check_rights(t, h);
  h->msg_iov = m->iov;
  return r;
}

static int64_t send_one(struct user_thread *t, uint64_t fd, gva_t at, uint64_t flags) {
  struct message m;
  int r = message(t, at, ARG_IN, &m);
  return r ? r : HOST(t, sendmsg, fd, (uint64_t)&m.head, flags);
}

static int64_t recv_one(struct user_thread *t, uint64_t fd, gva_t at, uint64_t flags) {
  struct space *s = t->process->space;
  struct message m;
  int r = message(t, at, ARG_OUT, &m);
  if (r) return r;
  int64_t n = HOST(t, recvmsg, fd, (uint64_t)&m.head, flags);
  if (n < 0) return n;
  if (m.head.msg_name)
    r = space_write(s, at + offsetof(struct msghdr, msg_namelen), &m.head.msg_namelen,
                    sizeof m.head.msg_namelen);
  if (!r)
    r = space_write(s, at + offsetof(struct msghdr, msg_controllen), &m.head.msg_controllen,
                    sizeof m.head.msg_controllen);
  if (!r)
    r = space_write(s, at + offsetof(struct msghdr, msg_flags), &m.head.msg_flags, sizeof m.head.msg_flags);
  return r ? r : n;
}

int64_t call_sendmsg(struct user_thread *t, const uint64_t arg[6]) {
  return send_one(t, (uint64_t)(int64_t)user_fd(t, arg[0]), arg[1], arg[2]);
}

int64_t call_recvmsg(struct user_thread *t, const uint64_t arg[6]) {
  return recv_one(t, (uint64_t)(int64_t)user_fd(t, arg[0]), arg[1], arg[2]);
}

/* Message by message, as the kernel does it: an error counts only before the first. */
static int64_t several(struct user_thread *t, const uint64_t arg[6],
                       int64_t one(struct user_thread *, uint64_t, gva_t, uint64_t), uint64_t deadline) {
  const uint64_t fd = (uint64_t)(int64_t)user_fd(t, arg[0]);
  const uint32_t n = (uint32_t)arg[2] < USER_IOV_MAX ? (uint32_t)arg[2] : USER_IOV_MAX;
  uint64_t flags = (uint32_t)arg[3] & ~(uint64_t)MSG_WAITFORONE;
  for (uint32_t i = 0; i < n; i++) {
    const gva_t at = arg[1] + i * sizeof(struct mmsghdr);
    int64_t r = one(t, fd, at, flags);
    const uint32_t len = (uint32_t)r;
    if (r >= 0) r = space_write(t->process->space, at + offsetof(struct mmsghdr, msg_len), &len, sizeof len);
    if (r < 0) return i ? i : r;
    if (arg[3] & MSG_WAITFORONE) flags |= MSG_DONTWAIT;
    if (deadline && clock_ns() >= deadline) return i + 1;
  }
  return n;
}

int64_t call_sendmmsg(struct user_thread *t, const uint64_t arg[6]) { return several(t, arg, send_one, 0); }

/* The time is looked at only after a message has come, as on Linux. */
int64_t call_recvmmsg(struct user_thread *t, const uint64_t arg[6]) {
  struct space *s = t->process->space;
  struct timespec wait;
  if (!arg[4]) return several(t, arg, recv_one, 0);
  int r = space_read(s, arg[4], &wait, sizeof wait);
  if (r) return r;
  if (wait.tv_sec < 0 || wait.tv_nsec < 0 || wait.tv_nsec >= (long)NSEC_PER_SEC) return -EINVAL;
  const uint64_t deadline = wait.tv_sec < 1 << 30
                                ? clock_ns() + (uint64_t)wait.tv_sec * NSEC_PER_SEC + (uint64_t)wait.tv_nsec
                                : UINT64_MAX;
  int64_t n = several(t, arg, recv_one, deadline);
  const uint64_t now = clock_ns(), left = deadline > now ? deadline - now : 0;
  wait = (struct timespec){(time_t)(left / NSEC_PER_SEC), (long)(left % NSEC_PER_SEC)};
  if (n > 0 && (r = space_write(s, arg[4], &wait, sizeof wait))) return r;
  return n;
}

enum { TABLES_FIRST = 64, TABLES_LAST = 69 }; /* packet filters of the system: tables full of pointers */

/* In the middle of that range IPv6 has options of its own. */
static bool refused(uint64_t level, uint64_t option) {
  if ((int)level == SOL_IPV6 && ((int)option == IPV6_RECVTCLASS || (int)option == IPV6_TCLASS)) return false;
  return ((int)level == SOL_IP || (int)level == SOL_IPV6) && (int)option >= TABLES_FIRST &&
         (int)option <= TABLES_LAST;
}

int64_t call_setsockopt(struct user_thread *t, const uint64_t arg[6]) {
  const uint64_t fd = (uint64_t)(int64_t)user_fd(t, arg[0]);
  const int len = (int)arg[4];
  struct sock_fprog program;
  if (refused(arg[1], arg[2])) return -ENOPROTOOPT;
  if ((int)arg[1] == SOL_SOCKET &&
      ((int)arg[2] == SO_ATTACH_FILTER || (int)arg[2] == SO_ATTACH_REUSEPORT_CBPF) && len == sizeof program) {
    int r = space_read(t->process->space, arg[3], &program, sizeof program);
    if (!r) r = user_touch(t, (gva_t)program.filter, program.len * sizeof *program.filter, ARG_IN);
    return r ? r : HOST(t, setsockopt, fd, arg[1], arg[2], (uint64_t)&program, sizeof program);
  }
  return HOST(t, setsockopt, fd, arg[1], arg[2], user_pointer(t, arg[3], len > 0 ? (uint64_t)len : 0, ARG_IN),
              arg[4]);
}

int64_t call_getsockopt(struct user_thread *t, const uint64_t arg[6]) {
  struct space *s = t->process->space;
  int32_t len;
  if (refused(arg[1], arg[2]) || ((int)arg[1] == SOL_TCP && (int)arg[2] == TCP_ZEROCOPY_RECEIVE) ||
      ((int)arg[1] == SOL_SOCKET && (int)arg[2] == SO_GET_FILTER))
    return -ENOPROTOOPT;
  const bool there = !space_read(s, arg[4], &len, sizeof len);
  const uint64_t value = user_pointer(t, arg[3], there && len > 0 ? (uint64_t)len : 0, ARG_IN | ARG_OUT);
  int64_t done = HOST(t, getsockopt, (uint64_t)(int64_t)user_fd(t, arg[0]), arg[1], arg[2], value,
                      there ? (uint64_t)&len : USER_NOWHERE);
  int r;
  if (done >= 0 && (r = space_write(s, arg[4], &len, sizeof len))) return r;
  return done;
}
