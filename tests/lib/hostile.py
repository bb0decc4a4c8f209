"""Writes a C program that walks the description of system calls with bad pointers: one bad at a time, all others good.

Calls that would change the process itself, or that this process must not see fail in another way, are left out by name.
"""

from __future__ import annotations

from gen.calls import Arg, Call, System

# What would end, block, split or change the process, the machine, or its own memory.
LEFT_OUT = set("""
exit exit_group clone clone3 fork vfork execve execveat rt_sigreturn rt_sigaction rt_sigprocmask rt_sigsuspend rt_sigtimedwait
pause kill tkill tgkill brk mmap munmap mprotect mremap madvise mincore msync mlock mlock2 munlock shmat shmdt
set_tid_address set_robust_list futex wait4 waitid chroot settimeofday clock_settime adjtimex clock_adjtime setgroups capset
prlimit64 setrlimit getrlimit prctl arch_prctl rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal sigaltstack timer_create
setitimer getitimer syslog riscv_hwprobe riscv_flush_icache get_robust_list rt_sigpending timer_settime timer_gettime
""".split())
# Pointers of calls with an implementation of their own, which the description has as addresses only: in it they are checked too.
BAD = ("unmapped", "foreign", "last", "readonly")

HEAD = r"""
#include "sys.h"
#include <stdint.h>
#include <sys/mman.h>
static char good[1 << 16] __attribute__((aligned(4096)));
static const char readonly[4096] __attribute__((aligned(4096))) = "/none/such";
static char *unmapped, *last;
/* In no process a program's: far above what a 39-bit machine has, in Isomer's part of its host's. */
static char *const foreign = (char *)0x7000000000000;
static void reset(void) { memset(good, 0, sizeof good); }
#define CALL(nr, what, ...)                                                \
  do {                                                                     \
    reset();                                                               \
    errno = 0;                                                             \
    long r_ = syscall(nr, __VA_ARGS__);                                    \
    printf("%s: %s\n", what, r_ == -1 ? strerrorname_np(errno) : "passes"); \
  } while (0)
int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int p[2], fd = memfd_create("x", 0);
  ftruncate(fd, 100);
  pipe2(p, O_NONBLOCK);
  unmapped = mmap(NULL, 3 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(unmapped, 3 << 16);
  unmapped += 1 << 16;
  last = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(last + 4096, 4096);
  last += 4094; /* two bytes, then nothing */
"""


def is_pointer(a: Arg) -> bool:
    return bool(a.dir) or a.kind in ("path", "link", "new", "string")


def good(c: Call, a: Arg) -> str:
    """A value with which the call gets as far as its pointers, and does nothing lasting."""
    if a.kind in ("path", "link", "new"):
        return '"/none/such"'
    if a.kind == "string":
        return '"user.x"'
    if a.dir:
        return "good"
    if a.kind == "fd":
        return "fd"
    if a.kind == "dirfd":
        return "AT_FDCWD"
    if any(b.len == a.name for b in c.args):
        if any(b.len == a.name and b.name in ("mask", "set") for b in c.args):
            return "8"
        return "4" if any(b.len == a.name and (b.kind == "iovec" or b.type) for b in c.args) else "64"
    return "0"


def program(system: System) -> str:
    out = [HEAD]
    everywhere = set.intersection(*(set(abi.numbers.values()) for abi in system.abis))
    for c in system.calls.values():
        if c.name not in everywhere or c.name in LEFT_OUT or c.none or c.error or not any(is_pointer(a) for a in c.args):
            continue
        out.append(f"#ifdef SYS_{c.name}")
        for i, a in enumerate(c.args):
            if not is_pointer(a):
                continue
            for bad in BAD:
                # What the kernel only reads may be read-only; as a time-out the text would be a long one.
                if bad == "readonly" and ("out" not in a.dir or a.name == "timeout"):
                    continue
                values = [f"(long){bad if k == i else good(c, b)}" for k, b in enumerate(c.args)]
                out.append(f'  CALL(SYS_{c.name}, "{c.name} {a.name} {bad}", {", ".join(values)});')
        out.append("#endif")
    # Pointers behind pointers.
    out.append(r"""
  long iov[2] = {(long)foreign, 8}, huge[2] = {(long)good, -1L};
  struct { void *name; long namelen; void *iov; long niov; void *control; long ncontrol; long flags; } m = {0};
""")
    for call in ("readv", "writev", "vmsplice"):
        for what in ("iov", "huge"):
            out.append(f'  CALL(SYS_{call}, "{call} inner {what}", p[{0 if call == "readv" else 1}], {what}, 1L, 0L);')
    out.append(r"""
  int s[2];
  syscall(SYS_socketpair, 1, 1 | 0x800, 0, s);
  syscall(SYS_write, s[1], "12345678", 8);
""")
    for call in ("sendmsg", "recvmsg"):
        for member, n in (("iov", "niov"), ("control", "ncontrol"), ("name", "namelen")):
            if (call, member) == ("recvmsg", "name"):       # looked at only when there is a name
                continue
            out.append(f"  memset(&m, 0, sizeof m); m.{member} = foreign; m.{n} = {1 if member == 'iov' else 24};")
            out.append(f'  CALL(SYS_{call}, "{call} {member}", s[0], &m, 0x40L);')
        out.append(f"  memset(&m, 0, sizeof m); m.iov = iov; m.niov = 1;")
        out.append(f'  CALL(SYS_{call}, "{call} inner", s[0], &m, 0x40L);')
    out.append("  return 0;\n}\n")
    return "\n".join(out)
