"""Assembly templates of leaves and aliases, resolved to parts: literals, registers, immediates, named values.
Used by the assembler, disassembler and documentation back ends."""
from __future__ import annotations

import re
from dataclasses import dataclass

from .model import DescError, Isa, Leaf, Text
from .schema import part

PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")         # {{ and }} are braces
REG = re.compile(r"([A-Za-z_]\w*)\[([A-Za-z_]\w*'?)(?:\s*\+\s*(\d+))?\]")
VAL = re.compile(r"([A-Za-z_]\w*'?)(?::(\w+)(!?))?")


@dataclass(frozen=True)
class Lit:
    text: str


@dataclass(frozen=True)
class Reg:
    operand: str
    view: str
    plus: int = 0


@dataclass(frozen=True)
class Int:
    operand: str
    kind: str                       # "u" unsigned, "s" signed, "x" hexadecimal, "f" the bits of an f64
    scale: int = 1


@dataclass(frozen=True)
class Named:
    operand: str
    format: str
    only: bool = False              # `!`: the text is for values that have a name


Part = Lit | Reg | Int | Named


def parse(isa: Isa, leaf: Leaf, t: Text) -> list[Part]:
    """The parts of a template for one leaf; adjacent literals are joined. A column's own text may have places."""
    out: list[Part] = []

    def literal(s: str) -> None:
        if s not in ("{", "}") and ("{" in s or "}" in s):
            raise DescError(t, f'{leaf.name}: unbalanced brace in assembly text "{t.s}"')
        if s and out and isinstance(out[-1], Lit):
            out[-1] = Lit(out[-1].text + s)
        elif s:
            out.append(Lit(s))

    def add(t: Text, depth: int) -> None:
        pos = 0
        for m in PLACE.finditer(t.s):
            literal(t.s[pos:m.start()])
            pos = m.end()
            if m[1] is None:
                literal(m[0][0])
                continue
            column = leaf.columns.get(m[1].strip())
            if column is not None and "{" in column.s:
                if depth > 4:
                    raise DescError(column, f"{leaf.name}: the texts of columns contain each other")
                add(column, depth + 1)
                continue
            p = place(isa, leaf, m[1].strip(), part(t, m.start(1), m.end(1)))
            if isinstance(p, Lit):
                literal(p.text)
            else:
                out.append(p)
        literal(t.s[pos:])

    add(t, 0)
    if not out or not isinstance(out[0], Lit):
        raise DescError(t, f"{leaf.name}: assembly text starts with a word, not an operand")
    return out


def place(isa: Isa, leaf: Leaf, s: str, where: Text) -> Part:
    if s == "name":
        return Lit(leaf.row_name)
    if s in leaf.axes:
        return Lit(leaf.axes[s][0])
    if s in leaf.columns:
        return Lit(leaf.columns[s].s)
    if m := REG.fullmatch(s):
        view = leaf.columns[m[1]].s if m[1] in leaf.columns else m[1]
        return Reg(operand(leaf, m[2], where), view_of(isa, leaf, view, where), int(m[3] or 0))
    if not (m := VAL.fullmatch(s)):
        raise DescError(where, f'cannot read "{{{s}}}" in assembly text')
    name, fmt = operand(leaf, m[1], where), m[2]
    if fmt is None:
        f = leaf.fields.get(name)
        return Reg(name, view_of(isa, leaf, f.view, where)) if f and f.view else Int(name, "u")
    if fmt in isa.formats or fmt in SYSREG and isa.sysregs:
        return Named(name, fmt, m[3] == "!")
    if m[3]:
        raise DescError(where, f'"!" is for formats that name values, not "{fmt}"')
    if m := re.fullmatch(r"([su])(\d*)", fmt):
        return Int(name, m[1], int(m[2] or 1))
    if fmt in ("x", "pc", "f"):
        return Int(name, "s" if fmt == "pc" else fmt)
    raise DescError(where, f'no format "{fmt}"')


# Formats for system registers: all, those that can be read, those that can be written; the values say which are left out.
SYSREG = {"sysreg": "", "sysreg_read": "write", "sysreg_write": "read"}


def operand(leaf: Leaf, name: str, where: Text) -> str:
    if name not in leaf.fields and name not in leaf.operands:
        known = ", ".join([*leaf.fields, *leaf.operands, *leaf.axes, *leaf.columns])
        raise DescError(where, f'{leaf.name} has no operand "{name}"; there are: {known}')
    return name


def view_of(isa: Isa, leaf: Leaf, view: str, where: Text) -> str:
    """The view whose names are printed: views of varying width name one by N."""
    if view not in isa.views:
        raise DescError(where, f'no view "{view}"')
    by_n = isa.views[view].names_by_n
    if not by_n:
        return view
    n = leaf.columns.get("N")
    if n is None or not n.s.isdigit() or int(n.s) not in by_n:
        raise DescError(where, f'{leaf.name}: view "{view}" has names for N = {", ".join(map(str, by_n))}; N is'
                               f" {n.s if n else 'not known'}")
    return by_n[int(n.s)]


def format_values(isa: Isa, name: str) -> dict[int, str]:
    """Values and names of a format; those of SYSREG stand for the ISA's system registers unless declared."""
    if name in isa.formats:
        return isa.formats[name]
    other = SYSREG[name]
    return {r.num: other == "read" and r.written_as or r.name for r in isa.sysregs.values() if not other or r.only() != other}
