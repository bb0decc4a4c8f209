"""The decoder of x86_64 against Zydis, a second opinion beside LLVM: instruction or not, length, mnemonic (zydis_forms.c)."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.lib import forms  # noqa: E402
from tests.lib.oracles import ZYDIS_NAMES as NAMES  # noqa: E402

PROGRAM = ROOT / os.environ.get("ISOMER_OUT", "out") / "tests/oracle/zydis_forms"
FULL = bool(os.environ.get("ISOMER_FULL"))
SEED = 20260103


def test_random_bytes(tmp_path: Path) -> None:
    """Byte strings made from the forms of the leaves, and their neighbours where we claim to know them."""
    names = forms.write(ROOT / "isa/x86_64.yaml", tmp_path / "forms")
    (tmp_path / "accepted").write_text("".join(f"*\t{a}\t{b}\n" for a, b in NAMES.items()))
    count = 10_000_000 if FULL else 2_000_000
    r = subprocess.run([PROGRAM, "x86_64", tmp_path / "forms", tmp_path / "accepted", str(count), str(SEED)],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    out = [line.split("\t") for line in r.stdout.splitlines()]
    assert names and int(out[-1][1]) > count * 0.8
    wrong = ["  ".join(x) for x in out if x[0] == "differ"]
    assert not wrong, "\n".join(wrong)
    idle = [list(NAMES)[int(x[1])] for x in out if x[0] == "row" and x[2] == "0"]
    assert not idle, f"names that nothing has: {idle}"
