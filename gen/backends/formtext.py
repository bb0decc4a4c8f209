"""Writes asm.c of an ISA with variable-length forms: the tables of runtime/core/form.h."""
from __future__ import annotations

from .. import operands
from ..forms import by_w, multiplied
from ..model import Isa, Leaf
from . import scanner
from .jinja import c_string, render

PREFIX = {"66": 0x66, "F3": 0xf3, "F2": 0xf2}


class Tables:
    def __init__(self, isa: Isa) -> None:
        self.isa = isa
        self.strings: dict[str, int] = {}
        self.size = 0
        self.names: dict[str, int] = {}
        self.leaves: list[str] = []
        self.by_mnemonic: dict[str, list[int]] = {}

    def string(self, s: str) -> int:
        if s not in self.strings:
            self.strings[s] = self.size
            self.size += len(s) + 1
        return self.strings[s]

    def view(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))

    def leaf(self, leaf: Leaf) -> None:
        isa, form = self.isa, leaf.form
        flags = []
        sized = not form.vex and multiplied(isa, form) and "f64" not in form.attrs
        if scanner.has_modrm(form):
            flags.append("FORM_MODRM")
        if form.mode == "mem":
            flags.append("FORM_MEMORY")
        if form.plus_r:
            flags.append("FORM_PLUS_R")
        if sized and form.n == 16 and not by_w(form):
            flags.append("FORM_66")
        if form.w == 1 or sized and form.n == 64 and "d64" not in form.attrs:
            flags.append("FORM_W")
        if form.vex:
            flags.append("FORM_VEX")
            if form.n == 256:
                flags.append("FORM_L")
        for attr, flag in (("lock", "FORM_LOCK"), ("rep", "FORM_REP"), ("repz", "FORM_REP"), ("A32", "FORM_A32"),
                           ("commutes", "FORM_COMMUTES")):
            if attr in form.attrs:
                flags.append(flag)
        modrm = int(form.attrs["opcode2"], 16) if "opcode2" in form.attrs else (form.digit or 0) << 3
        specs = operands.specs(isa, leaf)
        ops = [self.operand(leaf, k, s, specs) for k, s in enumerate(specs)]
        widths = {s.bits for s in specs if s.view and s.place != "fixed"}
        row = next(r for _, r in scanner.rows_of(isa, leaf))
        requires = sum({1 << list(isa.features).index(r) for r in leaf.requires})
        self.leaves.append(
            f"{{{requires:#x}, {self.string(leaf.row_name)}, {' | '.join(flags) or 0}, {PREFIX.get(form.prefix, 0):#x},"
            f" {scanner.MAPS[form.map]}, {form.opcode:#x}, {modrm:#x}, {row.imm}, {len(ops)}, {int(len(widths) > 1)},"
            f" {{{', '.join(ops) or '{0}'}}}}}, /* {leaf.name} */")
        self.by_mnemonic.setdefault(leaf.row_name, []).append(leaf.id)

    def operand(self, leaf: Leaf, k: int, s: operands.Spec, specs: list[operands.Spec]) -> str:
        isa, form = self.isa, leaf.form
        view = s.view
        if view and isa.views[view].type is not None and s.bits in (128, 256):     # lanes: named by their width
            view = isa.extra["vectors"][str(s.bits)].s
        byte = form.imm and form.imm[0] in ("ib", "cb")
        minus = s.minus or s.place == "imm" and (s.bits == 64 or s.signed and bool(byte))
        hidden = s.place == "one" or k > 0 and s == specs[k - 1] and (s.place == "reg" or s.place == "rm" and form.mode == "reg")
        index = s.index if s.place == "fixed" else self.string_register(s.place)
        return (f"{{FORM_{s.place.upper()}, {self.view(view) if view else 0}, {s.bits}, {index}, {int(s.signed)},"
                f" {int(minus)}, {int(hidden)}}}")

    def string_register(self, place: str) -> int:
        return int(self.isa.extra["address"].get(place).s) if place in ("source", "dest") else 0


def files(isa: Isa, checked) -> dict[str, str]:
    if isa.scanner != "prefix":
        return {}
    t = Tables(isa)
    address = {k: x.s for k, x in isa.extra["address"].items()}
    wide, narrow = t.view(address["view"]), t.view(address["narrow"])
    for leaf in isa.leaves:
        t.leaf(leaf)
    order: list[int] = []
    firsts = {}
    for name, ids in t.by_mnemonic.items():
        firsts[name] = (len(order), len(ids))
        order += ids
    for other, name in isa.extra.get("mnemonics", {}).items():
        if name.s in firsts:
            firsts.setdefault(other, firsts[name.s])
    keys = [(t.string(n), *firsts[n], n) for n in sorted(firsts)]
    high = int(address["high_byte"])
    names = []
    for view, k in t.names.items():
        v = isa.views[view]
        n = max(v.names) + 1
        byte = operands.view_bits(isa, view, 0) == 8
        listed = [v.names.get(i) for i in range(n if byte or view in (address["view"], address["narrow"]) else 16)]
        names.append((k, [f'"{s}"' if s else "NULL" for s in listed], byte))
    segments = {int(x.s): int(b, 16) for b, x in isa.extra["segments"].items() if int(x.s)}
    segment_names = {int(n): x.s for n, x in isa.extra["segment_names"].items()}
    pointers = [(int(b), x.s) for b, x in isa.extra["pointers"].items()]
    return {"asm.c": render("formasm.c.j2", isa=isa, t=t, wide=wide, narrow=narrow, address=address, order=order, keys=keys,
                            names=names, high=high, segments=segments, segment_names=segment_names, pointers=pointers,
                            strings=list(t.strings), c_string=c_string, members=list(operands.MEMBERS),
                            features=list(isa.features), max=isa.max // 8)}
