"""`isomer run` confines itself before the first guest instruction, says what it could not give up, and leaves the terminal as it
was however it ends. What single system calls meet is tests/unit/test_sandbox.c's."""
from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / os.environ.get("ISOMER_OUT", "out")
ISOMER = OUT / "isomer"
PROBE = OUT / "tests/tools/sandbox_probe"
pytestmark = pytest.mark.skipif(not PROBE.exists(), reason=f"{PROBE} is not built (ninja test-bins)")
FINISH = [0x001002B7, 0x00005337, 0x55530313, 0x0062A023, 0x0000006F]  # powers off through the test finisher
RESET = [0x001002B7, 0x00007337, 0x77730313, 0x0062A023, 0x0000006F]
SLEEP = [0x10500073, 0xFFDFF06F]  # wfi; j .-4


def program(path: Path, code: list[int], base: int = 0x80000000) -> Path:
    text = b"".join(struct.pack("<I", w) for w in code)
    ehdr = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 243, 1, base, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    phdr = struct.pack("<IIQQQQQQ", 1, 7, 4096, base, base, len(text), len(text), 4096)
    path.write_bytes((ehdr + phdr).ljust(4096, b"\0") + text)
    return path


@pytest.fixture
def finish(tmp_path: Path) -> Path:
    return program(tmp_path / "finish.elf", FINISH)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    return program(tmp_path / "endless.elf", SLEEP)


def run(*args: object, before: tuple[object, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*map(str, before), str(ISOMER), "run", *map(str, args)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


# ---- what a running machine has given up ------------------------------------------------------------


def status_of(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


@pytest.fixture
def started(request: pytest.FixtureRequest, endless: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A machine with its guest running: the event loop's thread exists."""
    p = subprocess.Popen([str(ISOMER), "run", *request.param, str(endless)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 20
    while len(os.listdir(f"/proc/{p.pid}/task")) < 2:
        assert time.monotonic() < end and p.poll() is None
        time.sleep(0.02)
    yield p
    p.kill()
    p.wait()


@pytest.mark.parametrize("started", [[]], indirect=True)
def test_every_thread_is_filtered(started: subprocess.Popen[bytes]) -> None:
    for task in os.listdir(f"/proc/{started.pid}/task"):
        status = status_of(int(task))
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")


@pytest.mark.parametrize("started", [["--no-sandbox"]], indirect=True)
def test_no_sandbox_keeps_every_right(started: subprocess.Popen[bytes]) -> None:
    own = status_of(os.getpid())
    for task in os.listdir(f"/proc/{started.pid}/task"):
        status = status_of(int(task))
        assert (status["Seccomp"], status["NoNewPrivs"]) == (own["Seccomp"], own["NoNewPrivs"])


def test_what_needs_files_later_has_them_open(tmp_path: Path, finish: Path) -> None:
    r = run("--stats", "--serial", f"file:{tmp_path / 'serial'}", "--trace", "insn", finish)
    assert r.returncode == 0, r.stderr
    assert "insn" in r.stderr and "guest RAM touched" in r.stderr and "warning" not in r.stderr


def test_reset_reads_the_program_again(tmp_path: Path) -> None:
    """Through the descriptor: its name is gone, and could not be opened."""
    elf = program(tmp_path / "reset.elf", RESET)
    p = subprocess.Popen([str(ISOMER), "run", str(elf), "--timeout", "2"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 20
        while status_of(p.pid)["Seccomp"] != "2":
            assert time.monotonic() < end and p.poll() is None
            time.sleep(0.02)
        elf.unlink()
        assert p.communicate(timeout=30)[1] == "isomer: time-out\n"  # it resets for ever
    finally:
        p.kill()
    assert p.returncode == 124


@pytest.mark.parametrize(("layers", "named", "kept"), [("l", ["Landlock"], ["seccomp"]), ("s", ["seccomp"], ["Landlock"]),
                                                       ("ls", ["Landlock", "seccomp"], [])])
def test_what_the_kernel_lacks_is_said_once(finish: Path, layers: str, named: list[str], kept: list[str]) -> None:
    r = run(finish, before=(PROBE, "without", layers))
    assert r.returncode == 0, r.stderr
    lines = r.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("isomer: warning: sandbox:"), r.stderr
    assert all(n in lines[0] for n in named) and not any(k in lines[0] for k in kept)
    quiet = run("--no-sandbox", finish, before=(PROBE, "without", layers))
    assert (quiet.returncode, quiet.stderr) == (0, "")


# ---- the terminal ------------------------------------------------------------------------------------


class Terminal:
    def __init__(self, *command: object) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.p = subprocess.Popen([*map(str, command)], stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE, text=True,
                                  start_new_session=True)

    def raw(self) -> bool:
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait_raw(self) -> None:
        end = time.monotonic() + 20
        while not self.raw():
            assert time.monotonic() < end and self.p.poll() is None, "the terminal did not become raw"
            time.sleep(0.02)

    def end(self) -> tuple[int, str, bool]:
        """Code, stderr, whether the terminal is as before."""
        try:
            _, err = self.p.communicate(timeout=30)
        finally:
            self.p.kill()
        same = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return self.p.returncode, err, same


CRASHES = {"segv": signal.SIGSEGV, "overflow": signal.SIGSEGV, "abort": signal.SIGABRT, "refused": signal.SIGSYS}


@pytest.mark.parametrize("where", ["", "loop-"])
@pytest.mark.parametrize("way", CRASHES)
def test_terminal_is_restored_after_crashes(where: str, way: str) -> None:
    """On the main thread and on the event loop's; an exhausted stack leaves handlers a stack of their own."""
    code, err, same = Terminal(PROBE, "terminal", where + way).end()
    assert same, f"{code} {err}"
    if "AddressSanitizer" not in err:  # which ends the process its own way
        assert code == -CRASHES[way]
    assert ("sandbox refused system call" in err) == (way == "refused"), err


def test_terminal_is_restored_at_exit() -> None:
    assert Terminal(PROBE, "terminal", "exit").end() == (3, "", True)


def test_sigkill_is_the_exception() -> None:
    """Nobody can restore the terminal then: docs/sandbox.md says so."""
    code, _, same = Terminal(PROBE, "terminal", "kill").end()
    assert (code, same) == (-signal.SIGKILL, False)


@pytest.mark.parametrize("sig", ["INT", "TERM", "HUP", "QUIT", "SEGV", "BUS", "ILL", "FPE", "ABRT", "TRAP", "SYS", "ALRM", "USR1",
                                 "USR2", "XCPU", "XFSZ", "VTALRM", "PROF"])
def test_terminal_is_restored_after_signals(endless: Path, sig: str) -> None:
    number = signal.Signals["SIG" + sig]
    t = Terminal(ISOMER, "run", endless)
    t.wait_raw()
    t.p.send_signal(number)
    code, err, same = t.end()
    assert same
    if "Sanitizer" not in err:
        assert code == -number


# A shell in small: starts the program in a process group of its own and moves it between foreground and background. Reads
# commands, answers each with one line.
SHELL = r"""
import fcntl, os, signal, sys, termios, time
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
shell = os.getpgrp()
answer = os.fdopen(int(sys.argv[1]), "w", buffering=1)
orders = os.fdopen(int(sys.argv[2]))
pid = os.fork()
if not pid:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[3], sys.argv[3:])
def raw():
    return not termios.tcgetattr(0)[3] & termios.ICANON
def wait(want):
    end = time.monotonic() + 20
    while raw() != want and time.monotonic() < end:
        time.sleep(0.02)
    return "raw" if raw() else "cooked"
def state():
    p, s = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
    if not p:
        return "running"
    return "stopped " + str(os.WSTOPSIG(s)) if os.WIFSTOPPED(s) else "ended " + str(os.waitstatus_to_exitcode(s))
def change():
    end = time.monotonic() + 20
    while (s := state()) == "running" and time.monotonic() < end:
        time.sleep(0.02)
    return s
for order in orders:
    word = order.split()
    if word[0] == "raw": answer.write(wait(True) + "\n")
    elif word[0] == "state": time.sleep(0.3); answer.write(state() + " " + ("raw" if raw() else "cooked") + "\n")
    elif word[0] == "kill": os.kill(pid, int(word[1])); answer.write(change() + "\n")
    elif word[0] == "change": answer.write(change() + "\n")
    elif word[0] == "take": os.tcsetpgrp(0, shell); answer.write("raw\n" if raw() else "cooked\n")
    elif word[0] == "bg": os.kill(pid, signal.SIGCONT); time.sleep(0.3); answer.write(state() + " " + ("raw" if raw() else "cooked") + "\n")
    elif word[0] == "fg": os.tcsetpgrp(0, pid); os.kill(pid, signal.SIGCONT); answer.write(wait(True) + "\n")
"""


class Shell:
    def __init__(self, *command: object) -> None:
        ours, theirs = os.pipe(), os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.set_inheritable(ours[1], True)
            os.set_inheritable(theirs[0], True)
            os.execv(sys.executable, [sys.executable, "-c", SHELL, str(ours[1]), str(theirs[0]), *map(str, command)])
        os.close(ours[1])
        os.close(theirs[0])
        self.answers, self.orders = os.fdopen(ours[0]), os.fdopen(theirs[1], "w", buffering=1)

    def __call__(self, order: str) -> str:
        self.orders.write(order + "\n")
        assert select.select([self.answers], [], [], 40)[0], f"no answer to {order}"
        return self.answers.readline().strip()

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def job(endless: Path) -> Iterator[Shell]:
    s = Shell(ISOMER, "run", endless)
    try:
        assert s("raw") == "raw"
        yield s
    finally:
        s.close()


def test_stop_background_foreground(job: Shell) -> None:
    assert job(f"kill {signal.SIGTSTP.value}") == f"stopped {signal.SIGSTOP.value}"
    assert job("take") == "cooked"
    assert job("bg") == "running cooked"  # the terminal is the shell's now
    os.write(job.fd, b"typed to the shell\n")
    assert job("change") == f"stopped {signal.SIGTTIN.value}"  # as for every job that reads from the background
    assert job("fg") == "raw"
    assert job("state") == "running raw"
    os.write(job.fd, b"\x01x")  # input still arrives
    assert job("change") == "ended 0"


def test_killed_in_the_background(job: Shell) -> None:
    """A stopped job gets SIGTERM and SIGCONT: it ends and leaves the shell's terminal alone."""
    assert job(f"kill {signal.SIGTSTP.value}") == f"stopped {signal.SIGSTOP.value}"
    assert job("take") == "cooked"
    assert job("bg") == "running cooked"
    assert job(f"kill {signal.SIGTERM.value}") == f"ended {-signal.SIGTERM.value}"
    assert job("take") == "cooked"
