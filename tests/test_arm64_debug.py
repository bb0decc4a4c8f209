"""Debuggers inside an arm64 guest: an unmodified Debian kernel's ptrace and perf use software step, breakpoints and watchpoints.
lane: exclusive"""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import bare  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
FULL = os.environ.get("ISOMER_FULL") == "1"
ENGINES = {"interp": ["--accel", "interp"], "jit": ["--accel", "jit"], "deterministic": ["--deterministic"]}
if FULL:
    ENGINES |= {"one TLB entry": ["--jit", "threshold=1", "--jit", "tlb=1"], "check": ["--check"]}


def cpio(directory: Path, init: Path) -> Path:
    """An archive whose only program is the first process."""
    code = "import sys; from pathlib import Path; from lib import cpio; Path(sys.argv[1]).write_bytes(cpio.archive([cpio.directory('dev'), " \
           "cpio.chardev('dev/console', 5, 1), cpio.file('init', Path(sys.argv[2]).read_bytes(), 0o755)]))"
    out = directory / "debug.cpio"
    subprocess.run([sys.executable, "-c", code, str(out), str(init)], check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")})
    return out


@pytest.fixture(scope="module")
def linux(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if why := bare.missing():
        pytest.skip(why)
    directory = tmp_path_factory.mktemp("debug")
    init = directory / "init"
    subprocess.run([bare.GCC, "-O2", "-Wall", "-Wextra", "-Werror", "-static", str(ROOT / "tests/programs/ptrace_arm64.c"), "-o", str(init)], check=True)
    r = subprocess.run([ROOT / "scripts/guest", "kernel", "arm64"], capture_output=True, text=True, timeout=600)
    if r.returncode:
        pytest.skip(f"no kernel: {r.stderr.strip()}")
    return ["--kernel", r.stdout.split()[0], "--initrd", str(cpio(directory, init)), "--append", "console=ttyAMA0 quiet", "-m", "256M"]


@pytest.mark.parametrize("engine", ENGINES)
def test_ptrace_and_perf(engine: str, linux: list[str]) -> None:
    """`stepi`, `hbreak` and `watch` as gdb has them made, and counts of perf's breakpoints."""
    r = subprocess.run([ISOMER, "run", *ENGINES[engine], *linux], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, errors="replace")
    assert r.returncode == 0 and "fine" in r.stdout.replace("\r", "").splitlines(), r.stdout[-2000:] + r.stderr
