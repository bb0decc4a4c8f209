/* Sockets: local and internet ones, messages with descriptors, options. */
#include "sys.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

int main(void) {
  int s[2], v = 0;
  char buf[128], more[64];
  socklen_t len;
  T(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
  T(send(s[0], "hello", 5, 0));
  T(recv(s[1], buf, sizeof buf, MSG_PEEK));
  T(recv(s[1], buf, sizeof buf, 0));
  T(recv(s[1], buf, sizeof buf, MSG_DONTWAIT));
  /* A descriptor goes with a message. */
  int p[2];
  pipe(p);
  union {
    char b[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec iov[2] = {{"ab", 2}, {"cde", 3}};
  struct msghdr m = {
      .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.b, .msg_controllen = sizeof control.b};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &p[1], sizeof(int));
  T(sendmsg(s[0], &m, 0));
  memset(&control, 0, sizeof control);
  iov[0] = (struct iovec){buf, 3}, iov[1] = (struct iovec){more, 10};
  T(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC));
  SHOW("%.3s %.2s flags %x control %zu", buf, more, m.msg_flags, (size_t)m.msg_controllen);
  int passed;
  c = CMSG_FIRSTHDR(&m);
  memcpy(&passed, CMSG_DATA(c), sizeof passed);
  T(write(passed, "through", 7));
  T(read(p[0], buf, sizeof buf));
  v = 1 << 20;
  memcpy(CMSG_DATA(c), &v, sizeof v);
  T(sendmsg(s[0], &m, 0));
  m.msg_iovlen = 5000;
  T(sendmsg(s[0], &m, 0));
  /* Several at once. */
  int d[2];
  T(socketpair(AF_UNIX, SOCK_DGRAM, 0, d));
  struct iovec one[3] = {{"1", 1}, {"22", 2}, {"333", 3}};
  struct mmsghdr mm[3] = {0};
  for (int i = 0; i < 3; i++) mm[i].msg_hdr.msg_iov = &one[i], mm[i].msg_hdr.msg_iovlen = 1;
  T(sendmmsg(d[0], mm, 3, 0));
  SHOW("lengths %u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
  char in[3][8];
  for (int i = 0; i < 3; i++) one[i] = (struct iovec){in[i], 8}, mm[i].msg_len = 0;
  T(recvmmsg(d[1], mm, 3, MSG_WAITFORONE, NULL));
  SHOW("lengths %u %u %u %.3s", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len, in[2]);
  T(recvmmsg(d[1], mm, 3, MSG_DONTWAIT, NULL));
  /* What a failed call has taken is gone; it must not be made again. */
  T(send(d[0], "lost", 4, 0));
  T(recv(d[1], (void *)8, 4, 0));
  T(recv(d[1], buf, 4, MSG_DONTWAIT));
  /* A path. */
  struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "sock"}, peer;
  int u = socket(AF_UNIX, SOCK_STREAM, 0);
  T(bind(u, (void *)&un, sizeof un));
  T(bind(u, (void *)&un, sizeof un));
  T(listen(u, 5));
  int k = socket(AF_UNIX, SOCK_STREAM, 0);
  T(connect(k, (void *)&un, sizeof un));
  len = sizeof peer;
  int a = accept4(u, (void *)&peer, &len, SOCK_NONBLOCK);
  OK(a);
  SHOW("peer %u", len);
  len = sizeof peer;
  T(getsockname(a, (void *)&peer, &len));
  SHOW("name %s %u", peer.sun_path, len);
  T(getpeername(u, (void *)&peer, &len));
  unlink("sock");
  /* The loop-back interface. */
  struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
  int l = socket(AF_INET, SOCK_STREAM, 0);
  v = 1;
  T(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &v, sizeof v));
  v = 0, len = sizeof v;
  T(getsockopt(l, SOL_SOCKET, SO_REUSEADDR, &v, &len));
  SHOW("option %d %u", v, len);
  len = sizeof v;
  T(getsockopt(l, SOL_SOCKET, SO_TYPE, &v, &len));
  SHOW("type %d", v == SOCK_STREAM);
  T(setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &v, 1));
  T(setsockopt(l, 12345, 1, &v, sizeof v));
  int six = socket(AF_INET6, SOCK_DGRAM, 0);
  v = 16;
  T(setsockopt(six, IPPROTO_IPV6, IPV6_TCLASS, &v, sizeof v));
  v = 0, len = sizeof v;
  T(getsockopt(six, IPPROTO_IPV6, IPV6_TCLASS, &v, &len));
  SHOW("class %d %u", v, len);
  close(six);
  T(bind(l, (void *)&sin, sizeof sin));
  T(bind(l, (void *)&sin, 3));
  T(listen(l, 1));
  len = sizeof sin;
  T(getsockname(l, (void *)&sin, &len));
  k = socket(AF_INET, SOCK_STREAM, 0);
  T(connect(k, (void *)&sin, sizeof sin));
  len = sizeof from;
  a = accept(l, (void *)&from, &len);
  SHOW("from %s %u", inet_ntoa(from.sin_addr), len);
  T(send(k, "tcp", 3, MSG_NOSIGNAL));
  T(recvfrom(a, buf, sizeof buf, 0, NULL, NULL));
  T(shutdown(k, SHUT_WR));
  T(recv(a, buf, sizeof buf, 0));
  T(ioctl(a, FIONREAD, &v));
  T(shutdown(a, 9));
  int dg = socket(AF_INET, SOCK_DGRAM, 0);
  sin.sin_port = 0;
  T(bind(dg, (void *)&sin, sizeof sin));
  len = sizeof sin;
  getsockname(dg, (void *)&sin, &len);
  T(sendto(dg, "udp", 3, 0, (void *)&sin, sizeof sin));
  len = sizeof from;
  T(recvfrom(dg, buf, sizeof buf, 0, (void *)&from, &len));
  SHOW("same %d", from.sin_port == sin.sin_port);
  T(socket(AF_INET, 77, 0));
  T(socket(99, SOCK_STREAM, 0));
  T(listen(p[0], 1));
  T(accept(99, NULL, NULL));
  T(connect(k, (void *)&un, 1));
  return 0;
}
