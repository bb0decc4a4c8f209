"""Freestanding programs under `isomer user`: same output and status as without Isomer.

The expectation comes from the hardware (x86_64) or qemu-user (arm64, riscv64),
and for the scalar programs also from the native x86_64 build: they must not
depend on the ISA at all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"


@pytest.fixture(scope="session")
def elfdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def outcome(command: list[str]) -> tuple[int, str]:
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return r.returncode, r.stdout.decode("ascii", "replace")


@pytest.mark.parametrize("isa,program", programs.PROGRAMS)
def test_user(isa: str, program: str, elfdir: Path) -> None:
    if why := programs.missing(isa):
        pytest.skip(why)
    elf = programs.build(isa, program, elfdir)
    command = programs.oracle(isa, elf)
    if command is None:
        pytest.skip(f"nothing here runs {isa} programs ({programs.TARGETS[isa].qemu} is not installed)")
    expected = outcome(command)
    assert expected[0] >= 0 and expected[1], "the oracle itself failed"
    assert ISOMER.exists(), f"{ISOMER} is missing: run ninja"
    got = subprocess.run([str(ISOMER), "user", *engine.options(), str(elf)], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert (got.returncode, got.stdout.decode("ascii", "replace")) == expected, got.stderr.decode()


@pytest.mark.parametrize("program", programs.SCALAR)
@pytest.mark.parametrize("isa", ["arm64", "riscv64"])
def test_isa_independent(isa: str, program: str, elfdir: Path) -> None:
    """The programs themselves are right: every oracle agrees with the native one."""
    results = []
    for i in (isa, "x86_64"):
        if why := programs.missing(i):
            pytest.skip(why)
        elf = programs.build(i, program, elfdir)
        command = programs.oracle(i, elf)
        if command is None:
            pytest.skip(f"nothing here runs {i} programs")
        results.append(outcome(command))
    assert results[0] == results[1]
