"""Floating point in translated code: every instruction of riscv64 in every rounding mode, and scalars of arm64, over boundary values
give what QEMU gives, flags included, on both engines and under settings that stress translation."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
ENGINES = {"interp": ["--accel", "interp"], "jit": ["--accel", "jit"], "at once": ["--accel", "jit", "--jit", "threshold=1"],
           "single": ["--accel", "jit", "--jit", "threshold=1", "--jit", "insns=1"],
           "check": ["--accel", "jit", "--jit", "threshold=1", "--check"]}


@pytest.fixture(scope="module", params=["riscv64", "arm64"])
def isa(request: pytest.FixtureRequest) -> str:
    if why := programs.missing(request.param):
        pytest.skip(why)
    return request.param


@pytest.fixture(scope="module")
def elf(isa: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("float") / "float"
    subprocess.run([programs.TARGETS[isa].gcc, "-O2", "-static", str(ROOT / f"tests/programs/float_{isa}.c"), "-o", str(out)], check=True)
    return out


def run(*command: str) -> str:
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert r.returncode == 0, r.stderr
    return r.stdout


@pytest.fixture(scope="module")
def expected(isa: str, elf: Path) -> list[str]:
    other = programs.oracle(isa, elf)
    if not other:
        pytest.skip(f"nothing else here runs {isa} programs")
    return run(*other).splitlines()


@pytest.mark.parametrize("engine", ENGINES)
def test_instructions_are_as_in_qemu(engine: str, elf: Path, expected: list[str]) -> None:
    got = run(str(ISOMER), "user", *ENGINES[engine], str(elf)).splitlines()
    assert len(got) == len(expected) > 140
    assert [x for x in zip(got, expected) if x[0] != x[1]] == []


def test_floating_point_stays_in_translated_code(tmp_path: Path) -> None:
    """A loop of floating-point arithmetic and comparisons runs as code, not in the interpreter's handlers."""
    if why := programs.missing("riscv64"):
        pytest.skip(why)
    out = tmp_path / "nbody"
    subprocess.run([programs.TARGETS["riscv64"].gcc, "-O2", "-static", str(ROOT / "bench/programs/nbody.c"), "-o", str(out), "-lm"], check=True)
    text = subprocess.run([str(ISOMER), "user", "--accel", "jit", "--stats", "--json", str(out)], capture_output=True, text=True).stderr
    n = {m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', text)}
    assert n["interpreted"] * 100 < n["instructions"]
    assert n["entries"] * 1000 < n["instructions"]
