"""Writes decode.re: the decoder of an ISA with prefixes and opcodes of variable length. re2c loops over the prefixes and
matches opcode bytes to a group; the rows of a group are told apart by a key of everything else that chooses: mandatory
prefix, W, ModRM, L. Facts: Intel SDM volume 2, chapter 2."""
from __future__ import annotations

from dataclasses import dataclass, field

from .. import operands
from ..forms import by_w, multiplied
from ..model import DescError, Form, Isa, Leaf
from ..tir import End, Jump, Meaning, Restart, Trap
from .jinja import render

ENDS, EFFECT, FALLS = 1, 2, 4       # enum in core/isa.h

# Bits of the key; the template has the same.
PREFIX = {"NP": 0, "66": 1, "F3": 2, "F2": 3}
P66, W, REG, DIGIT, LOCK, L, B_, LOW, A32, VVVV = 2, 3, 4, 5, 8, 9, 10, 11, 14, 15
MAPS = {"": 0, "0F": 1, "0F38": 2, "0F3A": 3}
IMM = {"": 0, "ib": 1, "iw": 2, "iz": 3, "iv": 4, "cb": 1, "cz": 5, "mo": 6}
HIGH = {"reg": 1, "rm": 2, "low": 2}


@dataclass
class Row:
    leaf: Leaf
    mask: int
    value: int
    imm: int
    high: int                       # byte registers: 1 reg, 2 rm may be ah ch dh bh
    flags: int


@dataclass
class Group:
    """The rows of one opcode byte of one map."""
    vex: bool
    map: int
    opcode: int
    rows: list[Row] = field(default_factory=list)
    number: int = 0
    first: int = 0

    @property
    def modrm(self) -> bool:
        return has_modrm(self.rows[0].leaf.form)


def has_modrm(form: Form) -> bool:
    return form.modrm or "opcode2" in form.attrs


def keys(isa: Isa, leaf: Leaf) -> list[tuple[int, int]]:
    """(mask, value) alternatives under which the leaf's form is meant."""
    form, bits = leaf.form, {}

    def want(at: int, n: int, value: int) -> None:
        for k in range(n):
            bits[at + k] = value >> k & 1

    if form.prefix:
        want(0, 2, PREFIX[form.prefix])
    if form.mode:
        want(REG, 1, int(form.mode == "reg"))
    if form.digit is not None:
        want(DIGIT, 3, form.digit)
    if "opcode2" in form.attrs:
        b = int(form.attrs["opcode2"], 16)
        want(REG, 1, int(b >> 6 == 3))
        want(DIGIT, 3, b >> 3 & 7)
        want(LOW, 3, b & 7)
    want(LOCK, 1, int("lock" in form.attrs))
    if form.w is not None:
        want(W, 1, form.w)
    if form.vex:
        if form.vex_l is not None or multiplied(isa, form):
            want(L, 1, int(form.n == 256) if multiplied(isa, form) else form.vex_l)
        if not any(s.place == "vvvv" for s in operands.specs(isa, leaf)):
            want(VVVV, 1, 0)
    if "B0" in form.attrs:
        want(B_, 1, 0)
    for a in ("A32", "A64"):
        if a in form.attrs:
            want(A32, 1, int(a == "A32"))
    out = [dict(bits)]
    if not form.vex and multiplied(isa, form) and "f64" not in form.attrs:
        if by_w(form):
            out[0][W] = int(form.n == 64)
        elif "d64" in form.attrs:
            out = [bits | {P66: 1, W: 0}] if form.n == 16 else [bits | {P66: 0}, bits | {W: 1}]
        else:
            out[0][W] = int(form.n == 64)
            if form.n != 64:
                out[0][P66] = int(form.n == 16)
    return [(sum(1 << k for k in b), sum(x << k for k, x in b.items())) for b in out]


def rows_of(isa: Isa, leaf: Leaf, m: Meaning | None = None) -> list[tuple[Leaf, Row]]:
    """The rows of one leaf; m gives the flags."""
    form, high = leaf.form, 0
    for s in operands.specs(isa, leaf):
        if s.bits == 8 and s.view and not (s.place == "rm" and form.mode == "mem"):
            high |= HIGH.get(s.place, 0)
    flags = (ENDS if m.ends else 0) | (EFFECT if m.memory else 0) | (FALLS if m.ends and falls(m) else 0) if m else 0
    imm = IMM[form.imm[0] if form.imm else ""]
    if imm == IMM["iz"] and form.n == 16:
        imm = IMM["iw"]
    if imm == IMM["iv"] and form.n < 64:
        imm = IMM["iw"] if form.n == 16 else IMM["iz"]
    return [(leaf, Row(leaf, mask, value, imm, high, flags)) for mask, value in keys(isa, leaf)]


def falls(m: Meaning) -> bool:
    """Whether some path goes on with the next instruction."""
    return not any(isinstance(s, (Jump, End, Restart, Trap)) for s in m.body)


def rows(isa: Isa, checked) -> list[tuple[Leaf, Row]]:
    meaning = {m.leaf.id: m for m in checked.leaves if m.leaf}
    return [x for leaf in isa.leaves for x in rows_of(isa, leaf, meaning.get(leaf.id))]


def groups(isa: Isa, checked) -> list[Group]:
    table: dict[tuple[bool, int, int], Group] = {}
    for leaf, row in rows(isa, checked):
        f = leaf.form
        for opcode in range(f.opcode, f.opcode + (8 if f.plus_r else 1)):
            key = (bool(f.vex), MAPS[f.map], opcode)
            table.setdefault(key, Group(*key)).rows.append(row)
    out = [table[k] for k in sorted(table)]
    first = 0
    for number, g in enumerate(out, 1):
        order(g)
        g.number, g.first = number, first
        first += len(g.rows)
    return out


def wins(a: Leaf, b: Leaf) -> bool:
    """Whether a says that it wins over b."""
    return b.name in a.overrides or b.family.name in a.overrides or b.weak and not a.weak


def order(g: Group) -> None:
    """Sorts winners first; two rows that match the same bytes need one."""
    for i, a in enumerate(g.rows):
        if has_modrm(a.leaf.form) != g.modrm:
            raise DescError(a.leaf.where, f"{a.leaf.name}: opcode {g.opcode:02X} has a ModRM byte in some forms only"
                                          f" (see {g.rows[0].leaf.name})")
        for b in g.rows[:i]:
            if a.leaf is b.leaf or (a.value ^ b.value) & a.mask & b.mask:
                continue
            if wins(a.leaf, b.leaf) == wins(b.leaf, a.leaf):
                raise DescError(a.leaf.where, f"{a.leaf.name} and {b.leaf.name} both match opcode {g.opcode:02X} with"
                                              f" {witness(a, b)}\n  {a.leaf.form.where.s.strip()}\n  {b.leaf.form.where.s.strip()}"
                                              "\n  say overrides")
    g.rows.sort(key=lambda r: -len(r.leaf.overrides))
    for i, a in enumerate(g.rows):
        for b in g.rows[:i]:
            if not (a.value ^ b.value) & a.mask & b.mask and wins(a.leaf, b.leaf):
                raise DescError(a.leaf.where, f"{a.leaf.name} overrides {b.leaf.name}, which overrides others: name them too")


def witness(a: Row, b: Row) -> str:
    value = a.value | b.value
    prefix = [n for n, x in PREFIX.items() if x == value & 3][0]
    return (f"prefix {prefix}, W{value >> W & 1}, {'register' if value >> REG & 1 else 'memory'}, digit {value >> DIGIT & 7},"
            f" L{value >> L & 1}{', lock' if value >> LOCK & 1 else ''}")


def rules(gs: list[Group], vex: bool, m: int) -> list[tuple[str, int]]:
    """re2c patterns of one map and the groups they find."""
    head = "" if vex else {0: "", 1: "\\x0f", 2: "\\x0f\\x38", 3: "\\x0f\\x3a"}[m]
    return [(f'"{head}\\x{g.opcode:02x}"', g.number) for g in gs if g.vex == vex and g.map == m]


def files(isa: Isa, checked) -> dict[str, str]:
    if isa.scanner != "prefix":
        return {}
    operands.unused(isa)
    gs = groups(isa, checked)
    features = list(isa.features)
    table = [(r, sum({1 << features.index(x) for x in r.leaf.requires})) for g in gs for r in g.rows]
    segments = [(int(k, 16), int(t.s, 0)) for k, t in isa.extra["segments"].items()]
    a = {k: t.s for k, t in isa.extra["address"].items()}
    return {"decode.re": render("decode.re.j2", isa=isa, groups=gs, table=table, segments=segments, address=a,
                                legacy=[x for m in (0, 1, 2, 3) for x in rules(gs, False, m)],
                                vex={m: list_ for m in (1, 2, 3) if (list_ := rules(gs, True, m))}, max=isa.max // 8)}
