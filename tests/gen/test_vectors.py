"""Boundary values and fuzzing dictionaries: enough of them, well-formed, the special ones among them."""
from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

GEN = Path(__file__).resolve().parents[2] / "out/gen"
ISAS = sorted(p.parent.name for p in GEN.glob("*/vectors.json"))


@pytest.mark.parametrize("isa", ISAS)
def test_values(isa: str) -> None:
    values = json.loads((GEN / isa / "vectors.json").read_text())["values"]
    for name, v in values.items():
        n = int(name[1:])
        assert len(v) >= 16 and len(set(v)) == len(v) and max(v) < 1 << n
        if name[0] == "b":
            assert {0, 1, (1 << n) - 1, 1 << n - 1, (1 << n - 1) - 1, n - 1, n, n + 1} <= set(v)
    def pattern(x: float) -> int:
        return struct.unpack("<Q", struct.pack("<d", x))[0]
    assert {pattern(x) for x in (0.0, -0.0, 1.0, -1.0, float("inf"), -float("inf"), 5e-324, 2.2250738585072014e-308,
                                 1.7976931348623157e308, 0.5, 1.5, 2.0, 2.0**31, 2.0**63)} <= set(values["f64"])
    assert {0x7ff8000000000000, 0x7ff0000000000001} <= set(values["f64"])      # quiet and signalling


@pytest.mark.parametrize("isa", ISAS)
def test_leaves(isa: str) -> None:
    """Every instruction is there; its pictures' fields are those that its bytes are made of."""
    leaves = json.loads((GEN / isa / "vectors.json").read_text())["leaves"]
    assert [x["op"] for x in leaves] == list(range(1, len(leaves) + 1))
    for x in leaves:
        if "form" not in x:
            used = x["mask"]
            for f in x["fields"].values():
                for hi, lo, pos in f["pieces"]:
                    bits = (1 << hi - lo + 1) - 1 << pos
                    assert not used & bits, x["name"]
                    used |= bits


@pytest.mark.parametrize("isa", ISAS)
def test_dictionary(isa: str) -> None:
    rows = (GEN / isa / "fuzz.dict").read_text().splitlines()
    assert rows[0].startswith("#") and len(rows) > 100
    parsed = [re.fullmatch(r'(\w+)="((?:\\x[0-9a-f]{2})+)"', r) for r in rows[1:]]
    assert all(parsed)
    assert len({m[1] for m in parsed}) == len({m[2] for m in parsed}) == len(parsed)
