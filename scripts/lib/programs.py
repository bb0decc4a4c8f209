"""The benchmark programs: how they are built for the host and for a guest, run, and compared.

Sources are bench/programs and Debian's lua5.4; binaries go to out/bench. Not responsible for boots (scripts/bench).
"""

from __future__ import annotations

import dataclasses
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .debian import fetch_source

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "bench" / "programs"
OUT = ROOT / "out" / "bench"
LUA_SUITE = "trixie"


class ProgramError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    source: str  # of bench/programs; a .lua file runs under lua
    flags: tuple[str, ...] = ("-O2",)
    integer: bool = False  # one of those whose geometric mean is taken
    runs: int = 0  # runs per round and engine, when one alone is too short to time


PROGRAMS = (
    Program("core", "core.c", integer=True),
    Program("dhry", "dhry.c", integer=True),
    Program("fib", "fib.c", integer=True),
    Program("bytecode", "bytecode.c", integer=True),
    Program("lua-fib", "fib.lua", integer=True),
    Program("lua-trees", "trees.lua", integer=True),
    Program("sha256", "sha256.c", integer=True),
    Program("histogram", "histogram.c", integer=True),
    Program("chase-256K", "chase.c"),
    Program("chase-64M", "chase.c", ("-O2", "-DKIB=65536")),
    Program("stream", "stream.c"),
    Program("vector", "vector.c", ("-O3",)),
    Program("nbody", "nbody.c"),
    Program("matmul", "matmul.c"),
    Program("start", "trivial.c", runs=20),
)

COMPILERS = {"native": "gcc", "riscv64": "riscv64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
QEMU = {"riscv64": "qemu-riscv64", "arm64": "qemu-aarch64"}


def compile_c(target: str, sources: Sequence[Path], flags: Sequence[str], out: Path) -> Path:
    """A static program of one target; nothing is done when it is newer than its sources."""
    gcc = COMPILERS[target]
    inputs = [*sources, *sources[0].parent.glob("*.h"), Path(__file__)]
    if out.exists() and all(out.stat().st_mtime > p.stat().st_mtime for p in inputs):
        return out
    if not shutil.which(gcc):
        raise ProgramError(f"{gcc} is not installed (scripts/setup installs it)")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Without contraction every machine computes the same doubles.
    command = [gcc, *flags, "-ffp-contract=off", "-static", *map(str, sources), "-o", str(out), "-lm"]
    r = subprocess.run(command, capture_output=True, text=True)
    if r.returncode:
        raise ProgramError(f"{gcc} {sources[0]}: {r.stderr.strip()[:1000]}")
    return out


def lua(target: str) -> Path:
    """The lua interpreter from Debian's source package."""
    cache = Path(os.environ.get("ISOMER_CACHE") or ROOT / "out" / "cache")
    tree = fetch_source("lua5.4", LUA_SUITE, cache) / "src"
    sources = sorted(p for p in tree.glob("l*.c") if p.name not in ("luac.c", "ltests.c"))
    # Debian's configuration asks a header of its build for the library path, which nothing here uses.
    include = OUT / "include"
    include.mkdir(parents=True, exist_ok=True)
    header = include / "lua5.4-deb-multiarch.h"
    if not header.exists():
        header.write_text('#define DEB_HOST_MULTIARCH "none"\n')
    sources.sort(key=lambda p: p.name != "lua.c")
    return compile_c(target, sources, ("-O2", f"-I{include}"), OUT / target / "lua")


def build(p: Program, target: str) -> list[str]:
    """The command line of a program of one target."""
    source = SOURCES / p.source
    if source.suffix == ".lua":
        return [str(lua(target)), "-e", "\n" + source.read_text()]
    return [str(compile_c(target, [source], p.flags, OUT / target / p.name))]


def cpu(command: Sequence[str], times: int = 1) -> tuple[float, bytes]:
    """CPU seconds (user + system, children included) of one run, and what it printed."""
    spent, out = 0.0, b""
    for _ in range(times):
        proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert proc.stdout
        out = proc.stdout.read()
        _, status, usage = os.wait4(proc.pid, 0)
        proc.returncode = os.waitstatus_to_exitcode(status)
        if proc.returncode:
            raise ProgramError(f"{' '.join(command)[:200]}: exit code {proc.returncode}")
        spent += usage.ru_utime + usage.ru_stime
    return spent / times, out


@dataclasses.dataclass
class Row:
    name: str
    integer: bool
    seconds: dict[str, list[float]]  # by engine

    def median(self, engine: str) -> float:
        return statistics.median(self.seconds[engine])

    def ratio(self, engine: str) -> float:
        return self.median(engine) / self.median("native")


def measure(names: Sequence[str], isa: str, runs: int, isomers: Mapping[str, Sequence[str]], say: Callable[[str], None]) -> list[Row]:
    """Engines in turn within every round; all must print the same. `isomers`: the binary and its options by column."""
    rows = []
    for p in (p for p in PROGRAMS if not names or p.name in names):
        native, guest = build(p, "native"), build(p, isa)
        commands = {"native": native, **{name: [binary, "user", *extra, *guest] for name, (binary, *extra) in isomers.items()}}
        if qemu := shutil.which(QEMU[isa]):
            commands["qemu"] = [qemu, *guest]
        row = Row(p.name, p.integer, {e: [] for e in commands})
        for _ in range(runs):
            printed = {}
            for engine, command in commands.items():
                seconds, printed[engine] = cpu(command, p.runs or 1)
                row.seconds[engine].append(seconds)
            if wrong := [e for e, text in printed.items() if text != printed["native"]]:
                raise ProgramError(f"{p.name}: {wrong[0]} printed {printed[wrong[0]]!r}, native {printed['native']!r}")
        say_row(row, say)
        rows.append(row)
    return rows


def say_row(row: Row, say: Callable[[str], None]) -> None:
    say(f"{row.name}: " + ", ".join(f"{e} {row.median(e):.4f} s" for e in row.seconds))


def geomean(rows: Sequence[Row], engine: str) -> float | None:
    """Of the integer programs; None unless all were measured."""
    ratios = [r.ratio(engine) for r in rows if r.integer and engine in r.seconds]
    wanted = sum(p.integer for p in PROGRAMS)
    return math.exp(sum(map(math.log, ratios)) / wanted) if len(ratios) == wanted else None


def table(rows: Sequence[Row], runs: int, isa: str, where: str = "") -> str:
    engines = list(dict.fromkeys(e for r in rows for e in r.seconds if e != "native"))
    lines = [f"{isa}: medians of {runs} interleaved runs{where}, CPU time; times native ({platform.machine()} -O2, static)",
             f"{'':14}{'native s':>10}" + "".join(f"{e + ' s':>10}{'x':>7}" for e in engines)]
    for r in rows:
        lines.append(f"{r.name:14}{r.median('native'):10.4f}" +
                     "".join(f"{r.median(e):10.4f}{r.ratio(e):7.2f}" for e in engines if e in r.seconds))
    means = [geomean(rows, e) for e in engines]
    if all(means):
        lines.append(f"{'integer mean':14}{'':10}" + "".join(f"{'':10}{m:7.2f}" for m in means))
    return "\n".join(lines)


def as_json(rows: Sequence[Row], runs: int, isa: str, bench: str = "programs") -> dict[str, object]:
    engines = sorted({e for r in rows for e in r.seconds})
    return {
        "bench": bench, "isa": isa, "runs": runs, "time": int(time.time()),
        "programs": {r.name: {e: {"cpu_s": r.median(e), "ratio": round(r.ratio(e), 3), "samples": r.seconds[e]}
                              for e in r.seconds} for r in rows},
        "integer_geomean": {e: geomean(rows, e) for e in engines},
    }


def note(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
