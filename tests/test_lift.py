"""Lifted IR against the interpreter's handlers, every leaf and random straight lines (tests/tools/ir_check.c), and the
checked-in tables of how instructions are lifted."""
from __future__ import annotations

import difflib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))
import encode  # noqa: E402
from meaning import Machine  # noqa: E402

FULL = bool(os.environ.get("ISOMER_FULL"))
ISAS = sorted(p.stem for p in (ROOT / "isa").glob("*.yaml"))


def pool(isa: str, seed: int, each: int) -> bytes:
    """`each` random encodings of every leaf, each behind its length."""
    m = Machine(isa)
    out = bytearray()
    for leaf in m.leaves:
        rng = random.Random(f"{isa} {seed} {leaf['name']}")
        for _ in range(each):
            d: dict[str, int] = {}
            if "form" in leaf:
                encode.choose(leaf, m, rng, d)
            else:
                for name, f in leaf["fields"].items():
                    x = rng.choice(leaf["imm"][name]) if name in leaf["imm"] and rng.random() < 0.5 else rng.getrandbits(f["bits"])
                    d[name] = f["add"] + x if name in leaf["files"] else x & encode.placed(f)
                for a, b in leaf["alias"]:
                    if rng.random() < 0.2 and b in leaf["fields"] and 0 <= d[a] - leaf["fields"][b]["add"] < 1 << leaf["fields"][b]["bits"]:
                        d[b] = d[a]
            code = encode.code(leaf, m, d)
            out += bytes([len(code)]) + code
    return bytes(out)


def check(isa: str, seed: int, each: int, tries: int, programs: int) -> str:
    run = subprocess.run([ROOT / "out/tests/tools/ir_check", isa, str(seed), str(tries), str(programs)], input=pool(isa, seed, each),
                         capture_output=True)
    text = run.stderr.decode()
    print(text)
    assert run.returncode == 0, text
    return run.stdout.decode()


def same_as_table(got: str, name: str, how: str) -> None:
    want = ROOT / "tests/lift" / name
    diff = "".join(difflib.unified_diff(want.read_text().splitlines(True), got.splitlines(True), str(want), "now"))
    assert not diff, f"instructions are lifted differently.\n{diff}\nIf that is intended: {how}"


@pytest.mark.parametrize("isa", ISAS)
def test_ir_does_what_handlers_do(isa: str) -> None:
    sizes = check(isa, 1, 10, 8, 3000)
    same_as_table(sizes, f"{isa}.sizes", "python3 tests/test_lift.py")


@pytest.mark.skipif(not FULL, reason="long: ISOMER_FULL=1")
@pytest.mark.parametrize("isa", ISAS)
def test_ir_does_what_handlers_do_at_length(isa: str) -> None:
    for seed in range(2, 6):
        check(isa, seed, 40, 60, 100000)


@pytest.mark.parametrize("isa", ISAS)
def test_integer_instructions_have_code_on_this_host(isa: str) -> None:
    """What a lifter does not give to the handler itself, and has no floating point or vectors, is translated."""
    r = subprocess.run([ROOT / "out/tests/tools/host_leaves", isa], input=pool(isa, 1, 6), capture_output=True)
    assert r.returncode == 0, r.stderr
    lines = {line for line in r.stdout.decode().splitlines() if " integer " in line and " handler " not in line}
    assert not lines, lines


@pytest.mark.parametrize("isa", ISAS)
def test_lowering_is_as_recorded(isa: str) -> None:
    same_as_table((ROOT / f"out/gen/{isa}/lift.txt").read_text(), f"{isa}.txt", f"cp out/gen/{isa}/lift.txt tests/lift/{isa}.txt")


if __name__ == "__main__":          # records the sizes
    for name in ISAS:
        (ROOT / f"tests/lift/{name}.sizes").write_text(check(name, 1, 10, 0, 0))
