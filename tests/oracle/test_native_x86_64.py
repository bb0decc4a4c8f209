"""Meaning of the x86_64 slice: interpreter against the processor this runs on (native_x86_64.c). --full takes all pairs of
the boundary values and 1,000 random operand sets for each leaf."""
from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.lib import forms  # noqa: E402

PROGRAM = ROOT / os.environ.get("ISOMER_OUT", "out") / "tests/oracle/native_x86_64"
FULL = bool(os.environ.get("ISOMER_FULL"))


# What would reach the kernel, says what the processor is, or needs state that the program does not set.
NOT_RUN = ("syscall", "cpuid", "xgetbv", "rdtsc", "fldcw", "fnstcw", "fninit")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86_64 host")
def test_meaning(tmp_path: Path) -> None:
    names = forms.write(ROOT / "isa/x86_64.yaml", tmp_path / "forms")
    every, sets = ("1", "1000") if FULL else ("40", "20")
    r = subprocess.run([PROGRAM, tmp_path / "forms", every, sets, "20260101"], capture_output=True, text=True)
    if r.returncode == 77:
        pytest.skip("this processor lacks AVX2, FMA, BMI1, BMI2, LZCNT, AES, PCLMULQDQ or SHA")
    assert r.returncode == 0, r.stderr + r.stdout[-2000:]
    out = [line.split("\t") for line in r.stdout.splitlines()]
    differences = ["  ".join(x) for x in out if x[0] == "differ"]
    assert not differences, "\n".join(differences)
    leaves, runs = int(out[-1][1]), int(out[-1][2])
    assert leaves == sum(not n.startswith(NOT_RUN) for n in names)
    assert all(int(n) for kind, _, n in (x for x in out if x[0] == "outcome")), "an outcome was never seen"
    assert runs >= leaves * (1500 if FULL else 30)
