"""Decoders and disassemblers against Capstone 5, a second opinion beside LLVM (capstone_dis.c says what is compared).
Differences must be rows of accepted_<isa>.yaml with `oracle: capstone`."""
from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.lib import words  # noqa: E402

PROGRAM = ROOT / os.environ.get("ISOMER_OUT", "out") / "tests/oracle/capstone_dis"
FULL = bool(os.environ.get("ISOMER_FULL"))
SWEEP = bool(os.environ.get("ISOMER_SWEEP"))
SEED = 20260102
SLICES, SLICE = 128, 32         # of the whole space, in words * 2^20


@dataclass(frozen=True)
class Oracle:
    """`arch`, `mode`: numbers of capstone.h; `features`: those that Capstone knows, None for all."""

    arch: int
    mode: int
    words: str
    features: frozenset[str] | None = None
    halfwords: bool = False


ORACLES = {
    "riscv64": Oracle(15, 2 | 4, "random", frozenset("M A F D C Zicsr Zifencei".split()), halfwords=True),
    "arm64": Oracle(1, 0, "claimed"),
}


@pytest.fixture(scope="module")
def library() -> str:
    r = subprocess.run([ROOT / "scripts/guest", "capstone"], capture_output=True, text=True, timeout=600)
    assert r.returncode == 0, r.stderr
    return next(p for p in r.stdout.split() if "libcapstone" in p)


def run(isa: str, library: str, d: Path, mode: str, count: int, seed: int) -> list[list[str]]:
    o = ORACLES[isa]
    words.write(isa, "capstone", d, None if o.features is None else set(o.features))
    r = subprocess.run([PROGRAM, library, isa, str(o.arch), str(o.mode), d / "pictures", d / "accepted", mode, str(count), str(seed)],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    out = [line.split("\t") for line in r.stdout.splitlines()]
    wrong = ["  ".join(x) for x in out if x[0] == "differ"]
    assert not wrong, "\n".join(wrong)
    return out


@pytest.mark.parametrize("isa", sorted(ORACLES))
@pytest.mark.parametrize("part", range(SLICES) if SWEEP else [SEED % SLICES])
def test_all_words(isa: str, library: str, part: int, tmp_path: Path) -> None:
    """The whole encoding space, slice by slice; without --sweep a part of one slice."""
    mode = {"random": "sweep", "claimed": "sweepclaimed"}[ORACLES[isa].words]
    run(isa, library, tmp_path, mode, SLICE if SWEEP else 1, part * SLICE)


@pytest.mark.parametrize("isa", sorted(ORACLES))
def test_words(isa: str, library: str, tmp_path: Path) -> None:
    """All halfwords of ISAs that have them, and words made from the pictures of the leaves."""
    o = ORACLES[isa]
    idle: set[str] | None = None
    for mode, count in ([("all16", 0)] if o.halfwords else []) + [(o.words, 10_000_000 if FULL else int(os.environ.get("ISOMER_WORDS", "2000000")))]:
        out = run(isa, library, tmp_path, mode, count, SEED)
        assert int(out[-1][1]) >= (count or 65536) * 0.8
        unused = {x[1] for x in out if x[0] == "row" and x[2] == "0"}
        idle = unused if idle is None else idle & unused
    assert not idle, f"accepted rows that nothing matches: {sorted(idle or ())}"
