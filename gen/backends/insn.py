"""The decoded instruction: which members it has, their C types, which share storage. Writes insn.h, and
ops.h with the numbers of the instructions."""
from __future__ import annotations

from dataclasses import dataclass

from ..expand import ident
from ..model import Isa, Leaf
from .jinja import render


@dataclass(frozen=True)
class Member:
    name: str                       # operand name
    ident: str
    size: int                       # bytes

    @property
    def type(self) -> str:
        return f"uint{8 * self.size}_t"


def width(leaf: Leaf, name: str, derived: dict[str, int]) -> int:
    """Bits that an operand's value needs, `add` included."""
    if name in derived:
        return derived[name]
    f = leaf.fields[name]
    return max(f.bits, (((1 << f.bits) - 1) + f.add).bit_length())


def members(isa: Isa, checked) -> dict[str, Member]:
    """Operand name -> member, of the smallest type that holds it in every leaf."""
    bits: dict[str, int] = {}
    for leaf in isa.leaves:
        derived = {n: e.ty.bits or 64 for n, e in checked.operands.get(leaf.id, {}).items()}
        for name in [*leaf.fields, *derived]:
            bits[name] = max(bits.get(name, 0), width(leaf, name, derived))
    return {n: Member(n, ident(n), next(s for s in (1, 2, 4, 8) if 8 * s >= b)) for n, b in bits.items()}


def groups(isa: Isa, checked) -> list[list[Member]]:
    """Members sorted by size; those of one group never meet in one leaf and share storage."""
    table = members(isa, checked)
    together: dict[str, set[str]] = {n: set() for n in table}
    for leaf in isa.leaves:
        names = [*leaf.fields, *checked.operands.get(leaf.id, {})]
        for n in names:
            together[n].update(names)
    out: list[list[Member]] = []
    for m in sorted(table.values(), key=lambda m: -m.size):
        home = next((g for g in out if g[0].size == m.size and not any(m.name in together[x.name] for x in g)), None)
        if home is None:
            out.append([m])
        else:
            home.append(m)
    return out


def files(isa: Isa, checked) -> dict[str, str]:
    return {"insn.h": render("insn.h.j2", isa=isa, groups=groups(isa, checked)), "ops.h": render("ops.h.j2", isa=isa)}
