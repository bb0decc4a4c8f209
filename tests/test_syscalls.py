"""System calls of user mode: the description against the kernel's headers of each architecture, and programs against what they
do natively.

The programs print results and error names; they are built for the host and as guests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
from gen import calls as gen_calls  # noqa: E402
from gen.model import DescError  # noqa: E402
from lib import engine, hostile, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
SOURCES = ROOT / "tests" / "programs"
FLAGS = ("-std=gnu17", "-O2", "-static", "-Wall", "-Wextra", "-Wno-unused-result", "-Wno-stringop-overflow", "-Wno-stringop-overread")
ISAS = ("arm64", "riscv64", "x86_64")
FIRST_WITHOUT_HEADERS = 451                 # Linux 6.5; the distribution's headers are 6.1
NOT_IN_HEADERS = {"sysctl", "riscv_hwprobe"} # the kernel says _sysctl; Linux 6.4
COMPOSED = {"O_TMPFILE"}                    # holds the bit of another name


def description() -> gen_calls.System:
    return gen_calls.load(str(ROOT / "isa/common/linux.yaml"), str(ROOT / "isa/common/linux_numbers.yaml"),
                          [str(ROOT / f"isa/{isa}/linux.yaml") for isa in ISAS])


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What each compiler's headers say: fact -> value, by ISA."""
    out = {}
    for isa in ISAS:
        if why := programs.missing(isa):
            pytest.skip(why)
        binary = tmp_path_factory.mktemp("facts") / isa
        subprocess.run([programs.TARGETS[isa].gcc, "-static", str(ROOT / "out/gen/calls_facts.c"), "-o", str(binary)], check=True)
        run = [str(binary)] if isa == "x86_64" else [programs.TARGETS[isa].qemu, str(binary)]
        text = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        out[isa] = dict(line.rsplit(" ", 1) for line in text.splitlines())
    return out


def test_numbers_are_the_kernels(facts: dict[str, dict[str, str]]) -> None:
    for abi in description().abis:
        said = {k.split()[1]: int(v) for k, v in facts[abi.isa].items() if k.startswith("call ")}
        numbers = {name: n for n, name in abi.numbers.items()}
        names = {name: n for name, n in numbers.items() if n < FIRST_WITHOUT_HEADERS}
        assert {n for n in names if n not in said} <= NOT_IN_HEADERS, abi.isa
        assert {n: (names.get(n), said[n]) for n in said if numbers.get(n) != said[n]} == {}, abi.isa
    assert len({abi.isa for abi in description().abis}) == 3


def test_layouts_are_the_kernels(facts: dict[str, dict[str, str]]) -> None:
    system = description()
    for abi in system.abis:
        for s in system.structs.values():
            said = {k.split()[2]: v for k, v in facts[abi.isa].items() if k.startswith(f"struct {s.name} ")}
            if s.guest:
                layout = abi.structs.get(s.name, s.guest)
                described = {m: f"{off}.{width}" for m, (off, width) in layout.members.items()} | {"size": str(layout.size)}
                assert described == said, (abi.isa, s.name)
            else:
                assert all(said == {k.split()[2]: v for k, v in facts[other].items() if k.startswith(f"struct {s.name} ")}
                           for other in ISAS), f"{s.name} differs between ISAs: describe it"


def test_values_are_the_kernels(facts: dict[str, dict[str, str]]) -> None:
    system = description()
    for abi in system.abis:
        for s in system.sets.values():
            guest = abi.sets.get(s.name, s.guest)
            for key, value in facts[abi.isa].items():
                if not key.startswith(f"set {s.name} "):
                    continue
                name = key.split()[2]
                if name in guest:
                    assert guest[name] == int(value, 0), (abi.isa, name)
                elif name not in COMPOSED:
                    assert {facts[i][key] for i in ISAS} == {value}, f"{name} differs between ISAs: describe it"
        for key, value in facts[abi.isa].items():
            if key.startswith("ioctl "):
                assert {facts[i][key] for i in ISAS} == {value}, key


@pytest.mark.parametrize("isa", ["arm64", "riscv64"])
def test_tables_compile_for_other_hosts(isa: str) -> None:
    """The host's side comes from its kernel's headers."""
    if why := programs.missing(isa):
        pytest.skip(why)
    for source in ("out/gen/user_calls.c", "runtime/user/pass.c", "runtime/user/calls_fd.c"):
        subprocess.run([programs.TARGETS[isa].gcc, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I.", "-Iruntime",
                        "-Iout/gen", source], cwd=ROOT, check=True)


def test_page_is_what_the_description_says() -> None:
    assert (ROOT / "docs/syscalls.md").read_text() == (ROOT / "out/gen/syscalls.md").read_text(), \
        "run: cp out/gen/syscalls.md docs/syscalls.md"


def test_faulty_descriptions_are_refused(tmp_path: Path) -> None:
    """Each edit of the description has its message, at the place."""
    text = (ROOT / "isa/common/linux.yaml").read_text()
    for old, new, message in (
            ("  read: fd fd, out buf[count], size count -> size", "  read: fd fd, out buf[room], size count -> size", "there is no argument 'room'"),
            ("  read: fd fd,", "  read: handle fd,", "'handle' is no kind of argument"),
            ("  dup: fd fd -> fd", "  dup: fd fd -> fd; magic", "no attribute 'magic'"),
            ("  dup: fd fd -> fd", "  dup: ptr fd -> fd", "must not get an unchecked `ptr`"),
            ("  getpgrp: -> pid = getpgid(0)", "  getpgrp: -> pid = getpgid(0, 1)", "with 2 arguments"),
            ("  timespec: {type:", "  timespec: {kind:", "has no 'kind'")):
        assert old in text
        path = tmp_path / "linux.yaml"
        path.write_text(text.replace(old, new))
        with pytest.raises(DescError) as e:
            gen_calls.load(str(path), str(ROOT / "isa/common/linux_numbers.yaml"), [])
        assert message in str(e.value) and re.match(rf"{path}:\d+:\d+: ", str(e.value))


def build(source: Path, isa: str, out: Path, *more: str) -> Path:
    subprocess.run([programs.TARGETS[isa].gcc, *FLAGS, *more, f"-I{SOURCES}", str(source), "-o", str(out)], check=True)
    return out


def run(command: list[str], cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    cwd.mkdir()
    return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"]}, **more)


@pytest.fixture(params=programs.WHOLE)
def whole(request: pytest.FixtureRequest) -> str:
    """An ISA whose guests can be programs of the C library."""
    if why := programs.missing(request.param):
        pytest.skip(why)
    return request.param


@pytest.mark.parametrize("name", sorted(p.stem for p in SOURCES.glob("sys_*.c")))
def test_same_as_native(whole: str, name: str, tmp_path: Path) -> None:
    native, guest = build(SOURCES / f"{name}.c", "x86_64", tmp_path / "native"), build(SOURCES / f"{name}.c", whole, tmp_path / "guest")
    expected = run([str(native)], tmp_path / "n")
    got = run([str(ISOMER), "user", *engine.options(), str(guest)], tmp_path / "g")
    assert expected.returncode == 0 and len(expected.stdout.splitlines()) > 10
    assert (got.returncode, got.stdout, got.stderr) == (0, expected.stdout, "")


@pytest.mark.parametrize("isa", ISAS)
def test_layouts_in_use(isa: str, tmp_path: Path) -> None:
    """What ABIs lay out differently, through system calls, on every ISA: the native program's output."""
    if why := programs.missing(isa):
        pytest.skip(why)
    native, guest = programs.build("x86_64", "abi", tmp_path), programs.build(isa, "abi", tmp_path)
    expected = run([str(native)], tmp_path / "n")
    got = run([str(ISOMER), "user", *engine.options(), str(guest)], tmp_path / "g")
    assert expected.returncode == 42 and len(expected.stdout.splitlines()) > 50
    assert (got.returncode, got.stdout, got.stderr) == (42, expected.stdout, "")


def test_hostile_pointers(whole: str, tmp_path: Path) -> None:
    """Every call, every pointer: unmapped, Isomer's own, read-only, at the end of the address space. Errors are the native ones."""
    source = tmp_path / "hostile.c"
    source.write_text(hostile.program(description()))
    native, guest = (build(source, isa, tmp_path / isa, "-O0") for isa in ("x86_64", whole))
    expected = run([str(native)], tmp_path / "n")
    got = run([str(ISOMER), "user", *engine.options(), str(guest)], tmp_path / "g")
    assert expected.returncode == 0 and len(expected.stdout.splitlines()) > 500
    assert got.returncode == 0 and not got.stderr, got.stderr[-500:]
    differ = [(a, b) for a, b in zip(expected.stdout.splitlines(), got.stdout.splitlines()) if a != b]
    assert len(expected.stdout.splitlines()) == len(got.stdout.splitlines())
    assert not differ


FOREIGN = r"""
#include "sys.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
int main(void) {
  unsigned long at;
  int p[2], s[2];
  pipe2(p, O_NONBLOCK);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  printf("ready\n");
  fflush(stdout);
  while (scanf("%lx", &at) == 1) {
    char *bad = (char *)at;
    struct iovec iov = {bad, 8};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1}, c = {.msg_control = bad, .msg_controllen = 32};
    write(p[1], "12345678", 8);
    write(s[0], "12345678", 8);
    T(read(p[0], bad, 8));
    T(readv(p[0], &iov, 1));
    T(write(p[1], bad, 8));
    T(writev(p[1], &iov, 1));
    T(vmsplice(p[1], &iov, 1, 0));
    T(recvmsg(s[1], &m, 0));
    T(sendmsg(s[1], &m, 0));
    T(sendmsg(s[1], &c, 0));
    T(recv(s[1], bad, 8, 0));
    T(getrandom(bad, 8, 0));
    T(syscall(SYS_getcwd, bad, 4096));
    T(openat(AT_FDCWD, bad, O_RDONLY));
    T(mkdirat(AT_FDCWD, bad, 0700));
    T(syscall(SYS_newfstatat, AT_FDCWD, "/", bad, 0));
    T(syscall(SYS_ppoll, bad, 1, NULL, NULL, 0));
    T(syscall(SYS_nanosleep, bad, NULL));
    T(syscall(SYS_clock_gettime, 0, bad));
    T(uname((struct utsname *)bad));
    T(syscall(SYS_pipe2, bad, 0));
    T(memfd_create(bad, 0));
    T(syscall(SYS_sched_getaffinity, 0, 128, bad));
    T(fcntl(p[0], F_GETLK, bad));
    T(syscall(SYS_futex, bad, 1, 1, 0, 0, 0));
    T(syscall(SYS_prlimit64, 0, 7, 0, bad));
    T(syscall(SYS_rt_sigprocmask, 0, bad, 0, 8));
    T(munmap(bad, 4096));
    T(mprotect(bad, 4096, 0));
    T(madvise(bad, 4096, MADV_DONTNEED));
    T(mremap(bad, 4096, 8192, MREMAP_MAYMOVE));
    T(mmap(bad, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    printf("next\n");
    fflush(stdout);
  }
  return 7;
}
"""


@pytest.mark.parametrize("engine", ["interp", "jit"])
def test_isomers_own_memory_is_out_of_reach(whole: str, engine: str, tmp_path: Path) -> None:
    """A running program is given addresses of Isomer's own mappings: no call reads, writes or changes them."""
    source = tmp_path / "p.c"
    source.write_text(FOREIGN)
    guest = build(source, whole, tmp_path / "guest")
    p = subprocess.Popen([str(ISOMER), "user", "--accel", engine, str(guest)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.stdin and p.stdout and p.stdout.readline() == "ready\n"
    maps = [line.split() for line in Path(f"/proc/{p.pid}/maps").read_text().splitlines()]
    own = [(m[0].split("-")[0], m[1]) for m in maps if int(m[0].split("-")[0], 16) >= 1 << 38 and "vsyscall" not in m[-1]]
    writable = [at for at, rights in own if rights.startswith("rw")]
    assert len(writable) >= 3
    for at in writable[:4] + [at for at, rights in own if rights.startswith("r-x")][:2]:
        p.stdin.write(at + "\n")
        p.stdin.flush()
        lines = []
        while (line := p.stdout.readline()) not in ("next\n", ""):
            lines.append(line.strip())
        assert len(lines) == 30, lines
        for line in lines:
            assert re.search(r"= -1 (EFAULT|EINVAL|ENOMEM|EPERM)$", line), (at, line)
    now = [(*(int(x, 16) for x in m[0].split("-")), m[1]) for m in (line.split() for line in Path(f"/proc/{p.pid}/maps").read_text().splitlines())]
    for at, rights in own:      # the engine may have more by now, neighbours may be one
        assert any(first <= int(at, 16) < end and rights == r for first, end, r in now), at
    p.stdin.close()
    assert p.wait(60) == 7 and p.stderr and not p.stderr.read()


def test_own_descriptors_are_hidden(whole: str, tmp_path: Path) -> None:
    """With descriptors of Isomer's own in the process (--stats keeps one): none is open to the program, none can be closed."""
    guest = build(SOURCES / "sys_fds.c", whole, tmp_path / "guest")
    native = build(SOURCES / "sys_fds.c", "x86_64", tmp_path / "native")
    expected = run([str(native)], tmp_path / "n")
    got = run([str(ISOMER), "user", *engine.options(), "--stats", str(guest)], tmp_path / "g")
    assert got.returncode == 0 and got.stdout == expected.stdout
    assert re.search(r"^  memory beyond guest RAM \(Pss\), KiB +\d+$", got.stderr, re.M)


STRACED = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
int main(void) {
  char buf[100] = "";
  int p[2], n = 0;
  mkdirat(AT_FDCWD, "d", 0755);
  int fd = openat(AT_FDCWD, "d/\tfile\"", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  write(fd, "text\n\0\1\177" "7 and more than thirty-two bytes", 41);
  lseek(fd, 0, SEEK_SET);
  read(fd, buf, sizeof buf);
  syscall(SYS_read, 77, NULL, 1);
  syscall(SYS_faccessat, AT_FDCWD, "none", R_OK | W_OK);
  ftruncate(fd, 3);
  fchmod(fd, 0400);
  unlinkat(AT_FDCWD, "d/\tfile\"", 0);
  unlinkat(AT_FDCWD, "d", AT_REMOVEDIR);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p);
  shutdown(p[0], SHUT_WR);
  writev(fd, (struct iovec[]){{"ab", 2}, {"c", 1}}, 2);
  ioctl(p[1], FIONREAD, &n);
  dup(fd);
  fsync(fd);
  flock(fd, 2 | 4);
  getpriority(0, 0);
  close(fd);
  close(fd);
  return 0;
}
"""


def test_strace_prints_like_strace(whole: str, tmp_path: Path) -> None:
    """Lines of the same program under strace(1) and --strace."""
    import shutil
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (scripts/setup installs it)")
    source = tmp_path / "p.c"
    source.write_text(STRACED.replace("flock(fd, 2 | 4)", "syscall(SYS_flock, fd, 2 | 4)"))
    native, guest = build(source, "x86_64", tmp_path / "native"), build(source, whole, tmp_path / "guest")
    expected = run(["strace", str(native)], tmp_path / "n")
    got = run([str(ISOMER), "user", *engine.options(), "--strace", str(guest)], tmp_path / "g")
    if "ptrace" in expected.stderr:
        pytest.skip("strace cannot trace here")

    def tail(text: str) -> list[str]:
        lines = [re.sub(r"\) +=", ") =", line) for line in text.splitlines()]
        first = next(i for i, line in enumerate(lines) if line.startswith("mkdirat("))
        return [line for line in lines[first:] if not line.startswith(("exit_group", "+++", "isomer:"))]
    assert got.returncode == 0
    assert tail(got.stderr) == tail(expected.stderr)


def test_counters(whole: str, tmp_path: Path) -> None:
    """--stats counts calls, errors, calls and requests that nothing knows."""
    source = tmp_path / "p.c"
    source.write_text("#include <sys/ioctl.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n"
                      "int main(void) { for (int i = 0; i < 3; i++) close(99); syscall(9999); syscall(9999);\n"
                      "syscall(425, 1, 0); ioctl(1, 0x12345678, 0); return 0; }\n")
    guest = build(source, whole, tmp_path / "guest")
    text = run([str(ISOMER), "user", *engine.options(), "--stats", str(guest)], tmp_path / "t").stderr
    for line in (r"system call close +3, errors 3", r"system call 9999 answered ENOSYS +2",
                 r"system call 425 \(io_uring_setup\) answered ENOSYS +1", r"ioctl 0x12345678 answered ENOTTY +1"):
        assert re.search(rf"^  {line}$", text, re.M), (line, text)
    import json
    data = json.loads(run([str(ISOMER), "user", *engine.options(), "--stats", "--json", str(guest)], tmp_path / "j").stderr.splitlines()[-1])
    assert data["system_calls"]["close"] == {"calls": 3, "errors": 3} and data["unknown_system_calls"]["9999"] == 2
