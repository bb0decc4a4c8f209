"""What the meaning tests of all ISAs share: programs, tiers, one check per comparison."""
from __future__ import annotations

import fcntl
import platform
import random
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/lib"))
from meaning import FULL, OUT, Batches, Machine, Maker, Report, against_native, against_oracle  # noqa: E402

GCC = {"riscv64": "riscv64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc", "x86_64": "gcc"}
QEMU = {"riscv64": "qemu-riscv64", "arm64": "qemu-aarch64", "x86_64": "qemu-x86_64"}


def native(isa: str) -> list[str]:
    """The command that executes cases on a processor: this machine's, or the one of trixie's qemu-user."""
    program = build(isa)
    if {"x86_64": "x86_64", "aarch64": "arm64", "riscv64": "riscv64"}.get(platform.machine()) == isa:
        return [str(program)]
    r = subprocess.run([str(ROOT / "scripts/guest"), "qemu-user"], capture_output=True, text=True)
    qemu = next((p for p in r.stdout.split() if Path(p).name == QEMU[isa]), None)
    if r.returncode or qemu is None:
        pytest.skip(f"{QEMU[isa]} cannot be obtained: {r.stderr.strip()}")
    return [qemu, "-cpu", {"arm64": "neoverse-n1"}.get(isa, "max"), str(program)]


def translated(isa: str) -> list[str]:
    """The same program as a guest of Isomer, every block of which is translated at once."""
    return [str(OUT / "isomer"), "user", "--accel", "jit", "--jit", "threshold=1", "--jit", "memory=67108864", str(build(isa))]


def build(isa: str) -> Path:
    gcc = GCC[isa]
    if not shutil.which(gcc):
        pytest.skip(f"{gcc} is not installed (scripts/setup installs it)")
    folder = OUT / "test/meaning"
    folder.mkdir(parents=True, exist_ok=True)
    program, sources = folder / f"native-{isa}", [HERE / "native.c", HERE / "stream.h"]
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists() or any(s.stat().st_mtime > program.stat().st_mtime for s in sources):
            subprocess.run([gcc, "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-fno-stack-protector",
                            "-Wl,--no-relax", str(sources[0]), "-o", str(program)], check=True)
    return program


def reason(leaf: dict, skip: dict[str, str]) -> str | None:
    return next((why for pattern, why in skip.items() if fnmatch(leaf["name"], pattern)), None)


def stale(m: Machine, skip: dict[str, str]) -> list[str]:
    """Patterns that match no instruction."""
    return [p for p in skip if not any(fnmatch(x["name"], p) for x in m.leaves)]


def check(m: Machine, count: int, skip: dict[str, str], command: list[str] | None, seed: int = 1) -> Report:
    """Compares every leaf that is not skipped: with a processor, or with the Python oracle when there is no command."""
    rng = random.Random(seed)
    maker, report, made = Maker(m, rng), Report(), {}
    batches = Batches()

    def flush() -> None:
        for batch in batches:
            if command is None:
                against_oracle(m, batch, report)
            else:
                against_native(m, batch, command, report)
        batches.all[:] = [type(batches.all[0])()]

    m.randomize(rng)
    for leaf in m.leaves:
        if reason(leaf, skip) is not None:
            continue
        made[leaf["name"]] = maker.cases(leaf, None if FULL and command else count * (5 if FULL else 1), batches)
        if len(batches.all) > 1:
            flush()
            m.randomize(rng)
    flush()
    none = [n for n in made if not report.compared.get(n)]
    assert not none, f"nothing was compared for {len(none)} instructions: {none[:20]}"
    assert not report.wrong, report.text()
    return report
