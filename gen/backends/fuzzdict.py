"""A dictionary for coverage-guided fuzzers (AFL, libFuzzer): the fixed bits of every instruction as bytes."""
from __future__ import annotations

from ..model import Isa, Leaf
from ..tir import Checked

PREFIX = {"": b"", "NP": b"", "66": b"\x66", "F2": b"\xf2", "F3": b"\xf3"}
MAPS = {"": b"", "0F": b"\x0f", "0F38": b"\x0f\x38", "0F3A": b"\x0f\x3a"}


def pattern(leaf: Leaf) -> bytes:
    f = leaf.form
    if f is None:
        return (leaf.value | leaf.should).to_bytes(leaf.length // 8, "little")
    tail = bytes([f.opcode]) + (bytes([int(f.attrs["opcode2"], 16)]) if "opcode2" in f.attrs else b"")
    if f.modrm:
        tail += bytes([(f.digit or 0) << 3 | (0xc0 if f.mode == "reg" else 0)])
    if f.vex:
        pp = {"NP": 0, "66": 1, "F3": 2, "F2": 3}[f.prefix or "NP"]
        m = {"0F": 1, "0F38": 2, "0F3A": 3}[f.map]
        return bytes([0xc4, 0xe0 | m, (f.w or 0) << 7 | 0x78 | (f.n == 256) << 2 | pp]) + tail
    rex = b"\x48" if f.w or f.n == 64 and "f64" not in f.attrs and "d64" not in f.attrs else b""
    size = b"\x66" if f.n == 16 and not f.prefix else b""
    return size + PREFIX[f.prefix] + rex + MAPS[f.map] + tail


def files(isa: Isa, checked: Checked) -> dict[str, str]:
    rows = {pattern(leaf): leaf.ident for leaf in reversed(isa.leaves)}
    body = "".join(f'{name}="' + "".join(f"\\x{b:02x}" for b in key) + '"\n' for key, name in reversed(rows.items()))
    return {"fuzz.dict": f"# Generated from the description of {isa.name}.\n{body}"}
