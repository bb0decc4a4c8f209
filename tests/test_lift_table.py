"""The checked-in tables of instructions that need more than a select for a run-time condition, or their handler: a
change of the lifter or of a description that costs speed is seen in review."""
from __future__ import annotations

import difflib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ISAS = sorted(p.stem for p in (ROOT / "isa").glob("*.yaml"))


@pytest.mark.parametrize("isa", ISAS)
def test_lowering_is_the_recorded_one(isa: str) -> None:
    want = ROOT / f"tests/lift/{isa}.txt"
    have = ROOT / f"out/gen/{isa}/lift.txt"
    assert have.exists(), f"{have} is missing: run ninja"
    new, old = have.read_text(), want.read_text() if want.exists() else ""
    if new == old:
        return
    diff = "\n".join(list(difflib.unified_diff(old.splitlines(), new.splitlines(), str(want.relative_to(ROOT)), "now", lineterm="", n=0))[:60])
    pytest.fail(f"run-time conditions are lowered differently.\n{diff}\nIf that is intended: cp out/gen/{isa}/lift.txt tests/lift/{isa}.txt",
                pytrace=False)
