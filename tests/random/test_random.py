"""Random programs behave alike on the interpreter, on translated code under all kinds of stress, and on a processor."""
from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import differ  # noqa: E402
from differ import isomer  # noqa: E402

FULL = os.environ.get("ISOMER_FULL") == "1"
ISAS = ["riscv64", "arm64", "x86_64"]
SEEDS = range(1, 11) if FULL else range(1, 2)
PROGRAMS = 40 if FULL else 4
INTERP = isomer("--accel", "interp")
# As tests/test_jit.py has them.
STRESS = {"plain": [], "at once": ["--jit", "threshold=1"], "single": ["--jit", "threshold=1", "--jit", "insns=1"],
          "no room": ["--jit", "threshold=1", "--jit", "memory=65536"], "check": ["--jit", "threshold=1", "--check"]}
AT_LEAST = {"riscv64": 10_000_000, "arm64": 10_000_000}      # instructions in the full tier


def made(isa: str, seed: int, foreign: bool) -> tuple[differ.Bench, list]:
    if not shutil.which(differ.common.GCC[isa]):
        pytest.skip(f"{differ.common.GCC[isa]} is not installed (scripts/setup installs it)")
    b = differ.bench(isa, seed, foreign)
    return b, [b.writer.program(1000 * seed + k) for k in range(PROGRAMS)]


@pytest.mark.parametrize("isa", ISAS)
def test_engines_agree(isa: str) -> None:
    for seed in SEEDS:
        b, programs = made(isa, seed, False)
        text = differ.compare(b, programs, INTERP, [isomer("--accel", "jit", *x) for x in STRESS.values()])
        assert not text, text


@pytest.mark.parametrize("isa", ISAS)
def test_reference_agrees(isa: str) -> None:
    """Only what the reference defines: no undefined flags, no store-conditional without its load."""
    executed = 0
    for seed in SEEDS:
        b, programs = made(isa, 100 + seed, True)
        text = differ.compare(b, programs, differ.reference(isa), [INTERP, isomer("--accel", "jit"), isomer("--accel", "jit", "--jit", "threshold=1")])
        assert not text, text
        executed += differ.executed(b, programs)
    assert executed >= (AT_LEAST.get(isa, 0) if FULL else 10_000), executed


def test_a_difference_is_found_and_made_small() -> None:
    """With a mistake planted in the translation of one instruction, what is left of the program holds that instruction."""
    b, programs = made("riscv64", 7, False)
    p = programs[0]
    stream = b.stream([p])
    want = b.run(INTERP, stream)
    for at in p.starts()[:: 3]:
        wrong = isomer("--accel", "jit", "--jit", "threshold=1", "--jit", f"plant={differ.CODE + at:#x}")
        found = differ.first(want, b.run(wrong, stream, differ.PIECE))
        if isinstance(found, tuple):
            text = differ.explain(b, [p], found, INTERP, wrong)
            left = text.split("instructions are left:")
            count = int(left[0].split()[-1]) if len(left) == 2 else 0
            if count:       # none: the mistake shows in what fills the gap as well
                assert f"{differ.CODE + at:#x} " in left[1] and count <= 8, text
                return
    raise AssertionError("no planted mistake showed")
