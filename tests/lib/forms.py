"""Forms of a variable-length ISA as lines of numbers, for C tests that make instructions from them (form_bytes.h)."""
from __future__ import annotations

from pathlib import Path

from gen.forms import by_w, multiplied
from gen.load import load
from gen.operands import specs

PREFIX = {"": 0, "NP": 0, "66": 0x66, "F2": 0xF2, "F3": 0xF3}
MAPS = {"": 0, "0F": 1, "0F38": 2, "0F3A": 3}
IMM = {"ib": 1, "iw": 2, "cb": 1, "cz": 4, "mo": 8}


def line(isa, leaf) -> str:
    f = leaf.form
    sized = not f.vex and multiplied(isa, f) and "f64" not in f.attrs
    w = f.w if f.w is not None else -1
    if sized:
        w = int(f.n == 64) if "d64" not in f.attrs or f.n == 16 else -1
    imm = 0
    if f.imm:
        wide = {16: 2, 32: 4, 64: 4 if f.imm[0] == "iz" else 8}
        imm = IMM.get(f.imm[0]) or wide[f.n]
    places = [s.place for s in specs(isa, leaf)]
    byte = [s.place for s in specs(isa, leaf) if s.bits == 8 and s.view]
    modrm = 2 if "opcode2" in f.attrs else int(f.modrm)
    values = {
        "prefix": PREFIX[f.prefix], "osize": int(sized and f.n == 16 and not by_w(f)), "w": w, "vex": int(bool(f.vex)),
        "l": int(f.n == 256), "map": MAPS[f.map], "opcode": f.opcode, "plus_r": int(f.plus_r), "modrm": modrm,
        "digit": int(f.attrs["opcode2"], 16) if modrm == 2 else -1 if f.digit is None else f.digit,
        "memory": int(f.mode == "mem"), "imm": imm, "lock": int("lock" in f.attrs),
        "rep": int("rep" in f.attrs or "repz" in f.attrs), "a32": 1 if "A32" in f.attrs else 0 if "A64" in f.attrs else -1,
        "vvvv": int("vvvv" in places), "rel": int("rel" in places), "b0": int("B0" in f.attrs), "n": f.n,
        "stringy": int("source" in places or "dest" in places), "moffs": int("moffs" in places),
        "byte_reg": int("reg" in byte), "byte_rm": int("rm" in byte and f.mode != "mem" or "low" in byte),
        "memory_bits": max([s.bits for s in specs(isa, leaf) if s.place in ("rm", "mem", "moffs")], default=0),
    }
    return " ".join([leaf.name, leaf.row_name, leaf.family.name, *map(str, values.values())])


def write(description: Path, out: Path) -> list[str]:
    """Writes one line for each leaf, in leaf order; the leaves' names."""
    isa = load(str(description))
    out.write_text("".join(line(isa, leaf) + "\n" for leaf in isa.leaves))
    return [leaf.name for leaf in isa.leaves]
