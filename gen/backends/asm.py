"""Writes asm.c: tables for the disassembler and assembler of runtime/core/asmtext.c, and the conditions, assignments and
derived operands they need as C."""
from __future__ import annotations

import re

from .. import asmtext, encoding
from ..asmtext import Lit, Named, Reg
from ..expand import ident
from ..meaning import Checker
from ..model import Alias, DescError, Isa, Leaf, Text
from ..syntax import Binary, Name, Num, parse_expr
from ..tir import B, B1
from . import fields
from .insn import members
from .jinja import c_string, render

MAX_SEARCH = 16                     # bits that the assembler searches for a derived operand


class Pool:
    """Strings of one C string literal, each once."""

    def __init__(self) -> None:
        self.at: dict[str, int] = {}
        self.size = 0

    def of(self, s: str) -> int:
        if s not in self.at:
            self.at[s] = self.size
            self.size += len(s.encode()) + 1
        return self.at[s]


class Rows:
    """A table of rows; equal runs of rows are stored once."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.runs: dict[tuple[str, ...], int] = {}

    def of(self, rows: list[str]) -> int:
        key = tuple(rows)
        if key not in self.runs:
            self.runs[key] = len(self.rows)
            self.rows += rows
        return self.runs[key]


class Numbered:
    """Distinct C texts, numbered from 1."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}

    def of(self, s: str) -> int:
        return self.index.setdefault(s, len(self.index) + 1) if s else 0


class Builder:
    def __init__(self, isa: Isa, checked) -> None:
        self.isa, self.checker = isa, Checker(isa)
        self.members = members(isa, checked)
        self.operand_index = {n: k for k, n in enumerate(self.members)}
        self.strings = Pool()
        self.parts, self.fields, self.pieces, self.lists = Rows(), Rows(), Rows(), Rows()
        self.texts: list[str] = []
        self.leaves: list[str] = ["{0}"]
        self.keys: list[tuple[str, int, bool]] = []
        self.when, self.set = Numbered(), Numbered()
        self.derive: dict[str, list[int]] = {}          # C text -> leaf numbers
        self.solve: dict[str, list[int]] = {}
        self.names: dict[str, int] = {}
        self.values: dict[str, int] = {}
        self.order = encoding.Order([x for x in isa.leaves if x.form is None])
        self.spelled: dict[tuple[str, ...], Leaf] = {}  # texts of canonical templates -> the leaf that owns them
        self.aliases: dict[str, list[Alias]] = {}
        for a in isa.aliases:
            self.aliases.setdefault(a.of, []).append(a)

    # ---- templates
    def bits(self, leaf: Leaf, name: str) -> int:
        if name in leaf.operands:
            return self.checker.operand_expr(leaf, name).ty.bits or 64
        return leaf.fields[name].bits

    def part(self, leaf: Leaf, p: asmtext.Part) -> str:
        if isinstance(p, Lit):
            return f"{{ASM_LITERAL, 0, 0, 0, {self.strings.of(p.text)}}}"
        operand, bits = self.operand_index[p.operand], self.bits(leaf, p.operand)
        if isinstance(p, Reg):
            return f"{{ASM_REGISTER, {operand}, {bits}, {p.plus}, {self.names.setdefault(p.view, len(self.names))}}}"
        if isinstance(p, Named):
            return f"{{ASM_{'NAMED' if p.only else 'VALUE'}, {operand}, {bits}, 0, {self.values.setdefault(p.format, len(self.values))}}}"
        kind = {"u": "ASM_UNSIGNED", "s": "ASM_SIGNED", "x": "ASM_HEX", "f": "ASM_FLOAT"}[p.kind]
        return f"{{{kind}, {operand}, {bits}, 0, {p.scale}}}"

    def text(self, leaf: Leaf, t: Text, when: Text | None, set_: list[tuple[str, Text]]) -> list[asmtext.Part]:
        """Adds one template and its assembly key."""
        parts = asmtext.parse(self.isa, leaf, t)
        rows = [self.part(leaf, p) for p in parts]
        condition = fields.c(self.checker.translate(leaf, when, B1), when) if when else ""
        assign = self.assignments(leaf, set_, when, {p.operand for p in parts if not isinstance(p, Lit)})
        first = re.match(r"[^ ]*", parts[0].text)[0]
        open_ = first == parts[0].text and len(parts) > 1
        self.keys.append((first, len(self.texts), open_))
        self.texts.append(f"{{{leaf.id}, {self.parts.of(rows)}, {len(rows)}, {self.when.of(condition)},"
                          f" {self.set.of(assign)}}}")
        return parts

    def assignments(self, leaf: Leaf, set_: list[tuple[str, Text]], when: Text | None, printed: set[str]) -> str:
        """C of `set`, and of what `when` says of operands that the text does not show (rs1 == 0 && …)."""
        out = []
        for name, t in set_:
            asmtext.operand(leaf, name, t)
            e = self.checker.translate(leaf, t, B(self.checker.field_bits(leaf, name)) if name in leaf.fields else None)
            out.append(f"i->{ident(name)} = {fields.c(e, t)};")
        done = {name for name, _ in set_} | printed
        for name, value in equalities(parse_expr(when)) if when else []:
            if name in leaf.fields and name not in done:
                out.append(f"i->{ident(name)} = {value:#x};")
        return "\n".join(out)

    # ---- leaves
    def leaf(self, leaf: Leaf) -> None:
        if not leaf.asm:
            raise DescError(leaf.where, f"{leaf.name} has no assembly text")
        texts, shown = len(self.texts), set()
        for alt in leaf.asm:
            parts = self.text(leaf, alt.text, alt.when, alt.set)
            shown |= {p.operand for p in parts if not isinstance(p, Lit)}
            if alt.when is None:
                self.unambiguous(leaf, alt.text, parts)
            shown |= {n for n, _ in alt.set}
        aliases, naliases = len(self.texts), 0
        for a in self.aliases.get(leaf.name, []) + (
                self.aliases.get(leaf.family.name, []) if leaf.family.name != leaf.name else []):
            self.text(leaf, a.text, a.when, a.set)
            naliases += 1
        index = list(leaf.fields)
        frows = []
        for f in leaf.fields.values():
            prows = [f"{{{p.hi - p.lo + 1}, {p.lo}, {p.pos}}}" for p in f.pieces]
            frows.append(f"{{{self.operand_index[f.name]}, {f.bits}, {f.add}, {self.pieces.of(prows)}, {len(prows)}}}")
        search = self.derived(leaf, shown) if leaf.operands else []
        requires = sum({1 << list(self.isa.features).index(r) for r in leaf.requires})
        d = self.lists.of([str(self.operand_index[n]) for n in leaf.operands])
        s = self.lists.of([str(index.index(n)) for n in search])
        self.leaves.append(f"{{{requires:#x}, {leaf.value | leaf.should:#x}, {leaf.length // 8}, {len(frows)},"
                           f" {len(leaf.operands)}, {len(search)}, {len(leaf.asm)}, {naliases}, {self.fields.of(frows)},"
                           f" {d}, {s}, {texts}, {aliases}}}, /* {leaf.name} */")

    def unambiguous(self, leaf: Leaf, t: Text, parts: list[asmtext.Part]) -> None:
        """Refuses two leaves that read the same text, unless one overrides the other."""
        spelling = tuple(repr(p) if isinstance(p, Lit) else
                         f"register {register_names(self.isa, p.view)}" if isinstance(p, Reg) else
                         f"{p.format}" if isinstance(p, Named) else
                         f"{p.kind} {self.bits(leaf, p.operand)} {p.scale}" for p in parts)
        other = self.spelled.setdefault(spelling, leaf)
        if other is not leaf and not self.order.wins(leaf, other) and not self.order.wins(other, leaf):
            raise DescError(t, f'{leaf.name}: the text "{t.s}" also assembles {other.name} ({other.where.at()})')

    def derived(self, leaf: Leaf, shown: set[str]) -> list[str]:
        """How the assembler gets fields from derived operands: bit for bit, or the fields to search."""
        exprs = {n: self.checker.operand_expr(leaf, n) for n in leaf.operands}
        text = "\n".join(f"i->{ident(n)} = {fields.c(e, leaf.operands[n])};" for n, e in exprs.items())
        self.derive.setdefault(text, []).append(leaf.id)
        solved: dict[str, dict[int, str]] = {}
        linear = True
        for n, e in exprs.items():
            sources = fields.bit_sources(e)
            if sources is None:
                linear = False
                continue
            for k, b in enumerate(sources):
                if not isinstance(b, int) and b[0] in leaf.fields:
                    solved.setdefault(b[0], {})[b[1]] = f"(((uint64_t)i->{ident(n)} >> {k}) & 1) << {b[1]}"
        if linear:
            lines = [gather(f, bits) for f, bits in solved.items() if f not in shown]
            self.solve.setdefault("\n".join(lines), []).append(leaf.id)
            return []
        used = {x for e in exprs.values() for x in operands_of(e)}
        search = [n for n in leaf.fields if n in used and n not in shown]
        bits = sum(p.hi - p.lo + 1 for n in search for p in leaf.fields[n].pieces)
        if bits > MAX_SEARCH:
            n = next(iter(leaf.operands))
            raise DescError(leaf.operands[n], f'{leaf.name}: "{n}" cannot be assembled: {bits} bits of fields decide it and'
                                              f" the search ends at {MAX_SEARCH}")
        return search


def gather(name: str, bits: dict[int, str]) -> str:
    """C that fills a field from single bits; runs that move together become one shift."""
    runs: list[tuple[int, int, str, int]] = []          # field low bit, width, operand, operand low bit
    for b in sorted(bits):
        m = re.match(r"\(\(\(uint64_t\)i->(\w+) >> (\d+)\)", bits[b])
        op, k = m[1], int(m[2])
        if runs and runs[-1][2] == op and runs[-1][0] + runs[-1][1] == b and runs[-1][3] + runs[-1][1] == k:
            f, w, o, lo = runs[-1]
            runs[-1] = (f, w + 1, o, lo)
        else:
            runs.append((b, 1, op, k))
    parts = [f"((uint64_t)i->{o} >> {lo} & {fields.mask(w)}) << {f}" for f, w, o, lo in runs]
    return f"i->{ident(name)} = {' | '.join(parts)};"


def operands_of(e) -> set[str]:
    out = {e.k} if e.op in ("field", "operand") else set()
    for x in e.a:
        out |= operands_of(x)
    return out


def equalities(n) -> list[tuple[str, int]]:
    """`a == 1 && b == 2` as pairs; other conditions say nothing."""
    if isinstance(n, Binary) and n.op == "&&":
        return equalities(n.a) + equalities(n.b)
    if isinstance(n, Binary) and n.op == "==" and isinstance(n.a, Name) and isinstance(n.b, Num):
        return [(n.a.name, n.b.value)]
    return []


def register_names(isa: Isa, view: str) -> tuple[list[str | None], str | None]:
    v = isa.views[view]
    n = max(v.names, default=-1) + 1
    root = v
    while root.of:
        root = isa.views[root.of]
    f = isa.files[root.file]
    same = all(v.names.get(i) == s for i, s in enumerate(f.names))
    return [v.names.get(i) for i in range(n)], f.name if same else None


def files(isa: Isa, checked) -> dict[str, str]:
    if isa.scanner != "tree":
        return {}
    b = Builder(isa, checked)
    operands = [f"{{{b.strings.of(m.name)}, offsetof(struct {isa.name}_insn, {m.ident}), {m.size}}}, /* {m.name} */"
                for m in b.members.values()]
    for leaf in isa.leaves:
        b.leaf(leaf)
    keys = [f"{{{b.strings.of(k)}, {t}, {int(o)}}}, /* {k} */" for k, t, o in sorted(b.keys, key=lambda x: (x[0].lower(), x[1]))]
    names = [(k, *register_names(isa, view)) for view, k in b.names.items()]
    values = [(k, sorted(asmtext.format_values(isa, f).items())) for f, k in b.values.items()]
    return {"asm.c": render("asm.c.j2", isa=isa, b=b, operands=operands, keys=keys, names=names, values=values,
                            strings=list(b.strings.at), c_string=c_string,
                            features=[c_string(f) for f in isa.features])}
