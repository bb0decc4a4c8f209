"""Measures the benchmark programs inside a machine: Debian's kernel, an initial file system of static programs, and an
init (bench/guest/init.c) that runs what it is told on the console.

All machines are booted once and wait; then programs run in turn, native and in each machine, within every round. The CPU
time of a run is that of the host process, read before the guest is told and after it has answered, when it is idle: so it
does not depend on what the guest takes for time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from . import cpio, guest, programs
from .programs import Program, ProgramError, Row

INIT = programs.ROOT / "bench" / "guest" / "init.c"
TIMEOUT = 600.0  # seconds for one boot, or one run of a program


@dataclasses.dataclass(frozen=True)
class Board:
    console: str
    qemu: tuple[str, ...]


BOARDS = {
    "riscv64": Board("ttyS0", ("qemu-system-riscv64", "-M", "virt")),
    "arm64": Board("ttyAMA0", ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-nic", "none")),
}


def cpu_clock(pid: int) -> float:
    """CPU seconds of a process and all its threads so far, its children left out (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


class Machine:
    """A running emulator whose guest obeys the console."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.seen = b""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def until(self, marker: bytes) -> tuple[bytes, bytes]:
        """What comes before the line that begins with the marker, and the rest of that line."""
        out = self.process.stdout
        assert out
        limit = time.monotonic() + TIMEOUT
        while True:
            before, found, rest = self.seen.partition(marker)
            line, newline, after = rest.partition(b"\n")
            if found and newline:
                self.seen = after
                return before, line.strip()
            left = limit - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise ProgramError(f"{self.name}: no {marker.decode()} within {TIMEOUT:.0f} s")
            block = os.read(out.fileno(), 65536)
            if not block:
                raise ProgramError(f"{self.name} ended; the end of its output:\n{self.seen[-2000:].decode(errors='replace')}")
            self.seen += block

    def run(self, command: Sequence[str], times: int = 1) -> tuple[float, bytes]:
        """As programs.cpu, but what all the runs printed."""
        assert self.process.stdin
        start = cpu_clock(self.process.pid)
        self.process.stdin.write(" ".join([str(times), *command]).encode() + b"\n")
        printed, status = self.until(b"ISOMER-DONE")
        spent = cpu_clock(self.process.pid) - start
        if status != b"0":
            raise ProgramError(f"{self.name}: {' '.join(command)}: exit code {status.decode(errors='replace')}")
        return spent / times, printed.replace(b"\r\n", b"\n")


def inside(p: Program) -> list[str]:
    """The command line of a program inside the guest."""
    return ["/lua", f"/{p.source}"] if p.source.endswith(".lua") else [f"/{p.name}"]


def initrd(chosen: Sequence[Program], isa: str) -> bytes:
    init = programs.compile_c(isa, [INIT], ("-O2",), programs.OUT / isa / "init")
    nodes = {"init": cpio.file("init", init.read_bytes(), 0o755)}
    for p in chosen:
        binary, *script = programs.build(p, isa)
        if script:
            nodes[p.source] = cpio.file(p.source, (programs.SOURCES / p.source).read_bytes())
        name = inside(p)[0][1:]
        nodes[name] = cpio.file(name, Path(binary).read_bytes(), 0o755)
    return cpio.archive([cpio.directory("dev"), cpio.chardev("dev/console", 5, 1), cpio.chardev("dev/null", 1, 3, 0o666), *nodes.values()])


def commands(isa: str, files: Sequence[str], isomers: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Command line of every machine. `isomers`: the binary and its options by column."""
    board = BOARDS[isa]
    common = [*files, "-append", f"console={board.console} quiet loglevel=1", "-m", "512M", "-nographic"]
    table = {name: [binary, "run", *common, *extra] for name, (binary, *extra) in isomers.items()}
    if shutil.which(board.qemu[0]):
        table["qemu"] = [*board.qemu, "-smp", "1", *common]
    return table


@contextlib.contextmanager
def machines(table: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Machine]]:
    """All of them, booted and waiting."""
    made: dict[str, Machine] = {}
    try:
        for name, command in table.items():
            made[name] = Machine(name, command)
        for m in made.values():
            m.until(b"ISOMER-READY")
        yield made
    finally:
        for m in made.values():
            m.end()


def measure(names: Sequence[str], isa: str, runs: int, isomers: Mapping[str, Sequence[str]], cache: Path,
            say: Callable[[str], None]) -> list[Row]:
    chosen = [p for p in programs.PROGRAMS if not names or p.name in names]
    kernel = guest.products().get(("kernel", isa))
    if isa not in BOARDS or not kernel:
        raise ProgramError(f"there is no Linux guest for {isa} (scripts/guest list)")
    archive = programs.OUT / isa / "system.cpio"
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(initrd(chosen, isa))
    files = ["-kernel", str(kernel.obtain(cache)[0]), "-initrd", str(archive)]
    with machines(commands(isa, files, isomers)) as booted:
        return [one(p, booted, runs, say) for p in chosen]


def one(p: Program, booted: Mapping[str, Machine], runs: int, say: Callable[[str], None]) -> Row:
    row = Row(p.name, p.integer, {e: [] for e in ("native", *booted)})
    times = p.runs or 1
    for _ in range(runs):
        seconds, want = programs.cpu(programs.build(p, "native"), times)
        row.seconds["native"].append(seconds)
        for engine, m in booted.items():
            seconds, printed = m.run(inside(p), times)
            row.seconds[engine].append(seconds)
            if printed != want * times:
                raise ProgramError(f"{p.name}: {engine} printed {printed!r}, native {want * times!r}")
    programs.say_row(row, say)
    return row
