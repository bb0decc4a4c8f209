"""Measures how long programs take to start and end: a trivial static one, and Debian's bash -c true with its libraries.

Native, qemu-user of the same Debian release as the guest (static) and Isomer, in turn. The host's bash is run by the
dynamic linker of the host's own sysroot, so that all three are the same version.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from . import guest, programs
from .sysroot import Sysroot

BATCH = 10  # starts per sample: one alone is too short to tell from noise


@dataclasses.dataclass(frozen=True)
class Sample:
    cpu: float  # seconds, user + system, per start
    wall: float


def once(command: Sequence[str], env: dict[str, str]) -> Sample:
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, env, file_actions=null)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if code := os.waitstatus_to_exitcode(status):
        raise programs.ProgramError(f"{' '.join(command)}: exit code {code}")
    return Sample(usage.ru_utime + usage.ru_stime, wall)


def commands(cache: Path, isa: str, isomer: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Command line by program and engine."""
    p = next(p for p in programs.PROGRAMS if p.name == "start")
    native, static = programs.build(p, "native"), programs.build(p, isa)
    table = guest.products()
    emulators = table["qemu-user", ""].obtain(cache)
    qemu = next(str(e) for e in emulators if e.name == programs.QEMU[isa])
    here, there = (Sysroot(arch).obtain(cache)[0] for arch in (guest.host_arch(), isa))
    linker = sorted((here / "usr").glob("lib*/ld-linux*.so.*"))[0]
    libraries = next((here / "usr/lib").glob("*-linux-gnu"))
    bash = ["-c", "true"]
    return {
        "trivial": {"native": native, "qemu": [qemu, *static], "isomer": [*isomer, *static]},
        "bash -c true": {
            "native": [str(linker), "--library-path", str(libraries), str(here / "usr/bin/bash"), *bash],
            "qemu": [qemu, "-L", str(there), str(there / "usr/bin/bash"), *bash],
            "isomer": [*isomer, "-L", str(there), "/usr/bin/bash", *bash],
        },
    }


def measure(table: dict[str, dict[str, list[str]]], runs: int) -> dict[str, dict[str, list[Sample]]]:
    """Engines in turn within a batch, so that what disturbs the machine disturbs all alike."""
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    samples: dict[str, dict[str, list[Sample]]] = {p: {e: [] for e in row} for p, row in table.items()}
    for program, row in table.items():
        for _ in range(runs * BATCH):
            for engine, command in row.items():
                samples[program][engine].append(once(command, env))
    return samples


def medians(samples: dict[str, dict[str, list[Sample]]]) -> dict[str, dict[str, dict[str, float]]]:
    out: dict[str, dict[str, dict[str, float]]] = {}
    for program, row in samples.items():
        cpu = {e: statistics.median(s.cpu for s in rows) for e, rows in row.items()}
        wall = {e: statistics.median(s.wall for s in rows) for e, rows in row.items()}
        out[program] = {
            e: {"cpu_ms": round(cpu[e] * 1e3, 3), "wall_ms": round(wall[e] * 1e3, 3), "cpu_ratio": round(cpu[e] / cpu["native"], 3),
                "wall_ratio": round(wall[e] / wall["native"], 3)}
            for e in row
        }  # fmt: skip
    return out


def table(rows: dict[str, dict[str, dict[str, float]]], runs: int, isa: str) -> str:
    lines = [f"{isa}: medians of {runs * BATCH} starts, engines in turn",
             f"{'':14}{'':8}{'CPU ms':>10}{'x':>7}{'wall ms':>10}{'x':>7}"]
    for program, row in rows.items():
        for engine, m in row.items():
            lines.append(f"{program:14}{engine:8}{m['cpu_ms']:10.2f}{m['cpu_ratio']:7.2f}{m['wall_ms']:10.2f}{m['wall_ratio']:7.2f}")
            program = ""
    return "\n".join(lines)
