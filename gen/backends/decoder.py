"""Writes decode.c: the decoder of a fixed-length ISA, from the decision tree of encoding.py."""
from __future__ import annotations

from dataclasses import dataclass

from .. import encoding
from ..encoding import Node
from ..expand import ident
from ..meaning import Checker
from ..model import EncField, Isa, Leaf
from ..tir import B1
from . import fields
from .jinja import render
from .scanner import falls


@dataclass
class Tables:
    nodes: list[str]
    entries: list[int]
    candidates: list[str]
    roots: dict[int, int]           # length -> entry


def extraction(f: EncField) -> str:
    """The C statement that fills one operand from the word w."""
    parts = []
    for p in f.pieces:
        n = p.hi - p.lo + 1
        s = f"(w >> {p.pos} & {fields.mask(n)})" if p.pos else f"(w & {fields.mask(n)})"
        parts.append(f"{'(uint64_t)' if p.hi > 31 else ''}{s} << {p.lo}" if p.lo else s)
    s = " | ".join(parts)
    return f"i->{ident(f.name)} = {f'({s}) + {f.add}' if f.add else s};"


class Numbering:
    """Numbers distinct texts from 1; 0 is the empty one."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {"": 0}

    def of(self, s: str) -> int:
        return self.index.setdefault(s, len(self.index))

    def items(self) -> list[tuple[int, str]]:
        return [(n, s) for s, n in self.index.items() if n]


def derived(checker: Checker, leaf: Leaf) -> list[str]:
    return [f"i->{ident(n)} = {fields.c(checker.operand_expr(leaf, n), t)};" for n, t in leaf.operands.items()]


def condition(checker: Checker, leaf: Leaf) -> str:
    """C of what makes the encoding not belong to the leaf; empty when nothing does."""
    texts = leaf.reserved + [u.when for u in leaf.unpredictable if u.then != "as_written"]
    return " || ".join(fields.c(checker.translate(leaf, t, B1), t) for t in texts)


class Builder:
    def __init__(self, isa: Isa, checked) -> None:
        self.isa, self.checker = isa, Checker(isa)
        self.meaning = {m.leaf.id: m for m in checked.leaves if m.leaf}
        self.tables = Tables([], [], [], {})
        self.layouts, self.reserved = Numbering(), Numbering()
        self.seen: dict[int, int] = {}
        self.lists: dict[tuple[int, ...], int] = {}

    def entry(self, x: Node | tuple[Leaf, ...]) -> int:
        if isinstance(x, tuple):
            key = tuple(leaf.id for leaf in x)
            if key not in self.lists:
                self.lists[key] = len(self.tables.candidates)
                self.tables.candidates += [self.candidate(leaf) for leaf in x] + ["{0}"]
            return 0x8000 + self.lists[key]
        if id(x) not in self.seen:
            t = self.tables
            number, base = len(t.nodes), len(t.entries)
            self.seen[id(x)] = number
            t.nodes.append(f"{{{base}, {(1 << x.width) - 1:#x}, {x.shift}}}")
            t.entries += [0] * (1 << x.width)
            t.entries[base:base + (1 << x.width)] = [self.entry(e) for e in x.entries]
        return self.seen[id(x)]

    def candidate(self, leaf: Leaf) -> str:
        layout = [extraction(f) for f in leaf.fields.values()] + derived(self.checker, leaf)
        requires = sum({1 << list(self.isa.features).index(r) for r in leaf.requires})
        m = self.meaning.get(leaf.id)
        flags = (1 if m and m.ends else 0) | (2 if m and m.memory else 0) | (4 if m and m.ends and falls(m) else 0)
        return (f"{{{requires:#x}, {leaf.mask:#x}, {leaf.value:#x}, {leaf.id}, {self.layouts.of(chr(10).join(layout))},"
                f" {self.reserved.of(condition(self.checker, leaf))}, {flags}}}, /* {leaf.name} */")


def files(isa: Isa, checked) -> dict[str, str]:
    if isa.scanner != "tree":
        return {}
    d = encoding.decoder(isa)
    b = Builder(isa, checked)
    for length, tree in d.trees.items():
        b.tables.roots[length] = b.entry(tree)
    if len(b.tables.nodes) >= 0x8000 or len(b.tables.candidates) >= 0x8000:
        raise ValueError(f"{isa.name}: the decision tree does not fit 15-bit numbers")
    return {"decode.c": render("decode.c.j2", isa=isa, d=d, t=b.tables, layouts=b.layouts.items(),
                               reserved=b.reserved.items(), unit=isa.unit // 8, lengths=sorted(d.trees))}

