"""Threads, signals and processes under `isomer user`: what a program prints and how it ends are as natively.

The oracle is the same C source (tests/programs/process) built for the host; for freestanding programs of other ISAs
qemu-user and the host's processor.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
SOURCES = ROOT / "tests" / "programs" / "process"
FULL = bool(os.environ.get("ISOMER_FULL"))
ENV = {"PATH": os.environ["PATH"]}


def parts(source: str) -> list[str]:
    return re.findall(r'\{"(\w+)", [a-z_]+\}', (SOURCES / f"{source}.c").read_text())


PARTS = [(s, p) for s in ("signals", "threads", "processes") for p in parts(s)]
TORTURE = [("counts", "60" if FULL else "2"), ("queue", "100000" if FULL else "5000"), ("children", "2000" if FULL else "120")]


@pytest.fixture(scope="module", params=programs.WHOLE)
def isa(request: pytest.FixtureRequest) -> str:
    """Of the guest."""
    if why := programs.missing(request.param):
        pytest.skip(why)
    return request.param


def build(gcc: str, folder: Path) -> dict[str, Path]:
    """Program -> file; the names are the same everywhere, for programs that print theirs."""
    made = {source: folder / source for source in ("signals", "threads", "processes", "torture")}
    for source, out in made.items():
        subprocess.run([gcc, "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-pthread", str(SOURCES / f"{source}.c"), "-o", str(out)],
                       check=True)
    return made


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build("gcc", tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="module")
def built(isa: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(programs.TARGETS[isa].gcc, tmp_path_factory.mktemp(isa))


def run(command: list[str], timeout: int = 120) -> tuple[int, str, str]:
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENV, timeout=timeout)
    return r.returncode, r.stdout, r.stderr


@pytest.mark.parametrize("source,part", PARTS)
def test_same_as_native(source: str, part: str, native: dict[str, Path], built: dict[str, Path]) -> None:
    expected = run([str(native[source]), part])
    got = run([str(ISOMER), "user", *engine.options(), str(built[source]), part])
    assert expected[1], "the native program printed nothing"
    assert got[:2] == expected[:2], got[2]


@pytest.mark.parametrize("what,times", TORTURE)
def test_torture(what: str, times: str, native: dict[str, Path], built: dict[str, Path]) -> None:
    """Four threads' counts, queued signals in order, forks and execs that leave nothing."""
    expected = run([str(native["torture"]), what, "1" if what == "counts" else times])
    assert expected[0] == 0
    assert run([str(ISOMER), "user", *engine.options(), str(built["torture"]), what, times], 900)[:2] == expected[:2]


def compiled(isa: str, tmp_path: Path, text: str, *flags: str) -> Path:
    source, elf = tmp_path / "p.c", tmp_path / "p"
    source.write_text(text)
    subprocess.run([programs.TARGETS[isa].gcc, "-O1", "-static", "-pthread", *flags, str(source), "-o", str(elf)],
                   check=True)
    return elf


DEATHS = {
    "null": ("*(volatile int *)16 = 1;", signal.SIGSEGV, r"\(main\+0x[0-9a-f]+\): .*: killed by signal 11"),
    "abort": ("abort();", signal.SIGABRT, r"killed by signal 6"),
    "illegal": ('__asm__(".word 0");', signal.SIGILL, r"illegal.*\(main\+0x[0-9a-f]+\).*killed by signal 4"),
    "frame": ("SIGRETURN", signal.SIGSEGV, "killed by signal 11"),
    "alternate stack": ("stack_t s = {.ss_sp = (void *)64, .ss_size = 8192}; sigaltstack(&s, 0);"
                        " struct sigaction a = {.sa_handler = (void (*)(int))64, .sa_flags = SA_ONSTACK};"
                        " sigaction(SIGUSR1, &a, 0); raise(SIGUSR1);", signal.SIGSEGV, "killed by signal 11"),
    "terminated": ("raise(SIGTERM);", signal.SIGTERM, "^$"),
    "real-time": ("raise(SIGRTMAX);", signal.SIGRTMAX, "^$"),
}
# rt_sigreturn with a frame that is not there.
SIGRETURN = {"riscv64": r"li sp, 16\n li a7, 139\n ecall", "arm64": r"mov x0, 16\n mov sp, x0\n mov x8, 139\n svc 0"}


@pytest.mark.parametrize("name", DEATHS)
def test_death(isa: str, name: str, tmp_path: Path) -> None:
    """Isomer dies of the program's signal; one line says where, unless the program was asked to end."""
    code, number, line = DEATHS[name]
    code = code.replace("SIGRETURN", f'__asm__("{SIGRETURN[isa]}");')
    elf = compiled(isa, tmp_path, f"#include <signal.h>\n#include <stdlib.h>\nint main(void) {{ {code} return 0; }}\n",
                   "-fno-delete-null-pointer-checks")
    status, out, err = run([str(ISOMER), "user", *engine.options(), str(elf)])
    assert status == -number and not out
    assert re.search(line, err.rstrip("\n")) and err.count("\n") <= 1
    shell = subprocess.run(["sh", "-c", f"{ISOMER} user {elf}; echo $?"], capture_output=True, text=True, env=ENV)
    assert shell.stdout == f"{128 + number}\n"
    assert not list(tmp_path.glob("core*"))


def test_death_in_a_library_names_the_file(isa: str, tmp_path: Path) -> None:
    root = programs.libraries(isa)
    if not (root / "lib/libc.so.6").exists():
        pytest.skip("the cross compiler has no shared C library")
    elf = tmp_path / "p"
    (tmp_path / "p.c").write_text("#include <stdlib.h>\nint main(void) { abort(); }\n")
    subprocess.run([programs.TARGETS[isa].gcc, str(tmp_path / "p.c"), "-o", str(elf)], check=True)
    status, _, err = run([str(ISOMER), "user", *engine.options(), "-L", str(root), str(elf)])
    assert status == -signal.SIGABRT and re.search(r"\(libc\.so\.6\+0x[0-9a-f]+\): .*killed by signal 6", err)


def test_death_while_others_run(isa: str, tmp_path: Path) -> None:
    """The counters of all threads are printed once, whichever thread ends the process."""
    elf = compiled(isa, tmp_path, "#include <pthread.h>\n#include <unistd.h>\n#include <stdlib.h>\n"
                   "static void *spin(void *a) { if (a) exit(4); for (;;) ; return a; }\n"
                   "int main(int argc, char **argv) { pthread_t t; pthread_create(&t, 0, spin, 0);\n"
                   "  pthread_create(&t, 0, spin, argv); for (;;) pause(); return argc; }\n")
    status, _, err = run([str(ISOMER), "user", *engine.options(), "--stats", str(elf)])
    assert status == 4 and err.count("statistics:") == 1


def test_stats_are_of_all_threads(isa: str, tmp_path: Path) -> None:
    text = """#include <pthread.h>
static void *work(void *a) { for (volatile long i = 0; i < 1000000; i = i + 1) ; return a; }
int main(int argc, char **argv) {
  pthread_t t[4];
  (void)argv;
  if (argc > 1) for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0);
  if (argc > 1) for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  return 0;
}
"""
    elf = compiled(isa, tmp_path, text)

    def instructions(*args: str) -> int:
        found = re.search(r"^  instructions +(\d+)$", run([str(ISOMER), "user", *engine.options(), "--stats", str(elf), *args])[2], re.M)
        assert found
        return int(found[1])
    assert instructions("x") - instructions() > 4 * 3_000_000


def test_trace_names_threads(isa: str, tmp_path: Path) -> None:
    elf = compiled(isa, tmp_path, "#include <pthread.h>\nstatic void *f(void *a) { return a; }\n"
                   "int main(void) { pthread_t t; pthread_create(&t, 0, f, 0); return pthread_join(t, 0); }\n")
    err = run([str(ISOMER), "user", *engine.options(), "--trace", "exc", str(elf)])[2]
    assert re.search(r"^exc +0:", err, re.M) and re.search(r"^exc +1:", err, re.M)


def test_options_are_kept_across_execve(isa: str, tmp_path: Path) -> None:
    """--stats of both programs; the ISA that was asked for is asked for again."""
    elf = compiled(isa, tmp_path, "#include <unistd.h>\n#include <sys/wait.h>\nint main(int argc, char **argv) {\n"
                   "  if (argc > 1) return 3;\n"
                   "  if (!fork()) { execl(argv[0], \"other name\", \"x\", (char *)0); _exit(9); }\n"
                   "  int s; wait(&s); return s == 0x300 ? 5 : 6; }\n")
    status, _, err = run([str(ISOMER), "user", *engine.options(), "--isa", isa, "--stats", str(elf)])
    assert status == 5 and err.count("statistics:") == 2


@pytest.mark.parametrize("isa", programs.TARGETS)
def test_freestanding_signals(isa: str, tmp_path: Path) -> None:
    """A handler sees registers and fault address in its context, changes the PC there, and all registers come back."""
    if why := programs.missing(isa):
        pytest.skip(why)
    t = programs.TARGETS[isa]
    elf = tmp_path / "signal"
    subprocess.run([t.gcc, *programs.COMMON, *t.flags, *t.scalar, str(programs.SRC / f"start_{isa}.S"),
                    str(programs.SRC / "lib.c"), str(SOURCES / "frame.c"), "-o", str(elf)], check=True)
    # qemu-user 7 reads the mask of riscv64's struct sigaction from another place than Linux does.
    command = None if isa == "riscv64" else programs.oracle(isa, elf)
    got = run([str(ISOMER), "user", *engine.options(), str(elf)])
    assert got[0] == 0 and got[1].count("\n") >= 8, got[2]
    assert " bad" not in got[1]
    if command is not None:
        assert got[:2] == run(command)[:2]
