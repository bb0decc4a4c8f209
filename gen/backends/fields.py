"""C of expressions over the operands of a decoded instruction: conditions and derived operands, evaluated when an
instruction is decoded, printed or assembled."""
from __future__ import annotations

from ..expand import ident
from ..model import DescError, Text
from ..tir import E
from . import cexpr

_KNOWN = {"reg": "a register", "reglane": "a register", "slot": "state", "pc": "the PC", "next": "the PC", "local": "a run-time value",
          "has": "a feature (use requires)"}


class Place(cexpr.Place):
    """Operands of the instruction `i`; nothing else exists yet."""

    def field(self, name: str) -> str:
        return f"(uint64_t)i->{ident(name)}"


def mask(n: int) -> str:
    return f"{(1 << n) - 1:#x}" + ("u" if n <= 32 else "ull")


def c(e: E, where: Text) -> str:
    """The C expression; `where` is the text it came from, for errors."""
    if e.ty.kind not in ("b", "int") or e.ty.bits > 64:
        raise DescError(where, f"a value of type {e.ty} cannot be computed by the decoder")
    refuse(e, where)
    return cexpr.render(e, Place())


def refuse(e: E, where: Text) -> None:
    if e.op in _KNOWN:
        raise DescError(where, f"the decoder knows only the encoding: {_KNOWN[e.op]} cannot be used here")
    for x in e.a:
        refuse(x, where)


def bit_sources(e: E) -> list[tuple[str, int] | int] | None:
    """For each bit of e, low to high: an operand's bit, or a constant; None when e is not made of bits alone."""
    if e.op == "const" and e.ty.kind == "b":
        return [e.k >> i & 1 for i in range(e.ty.n)]
    if e.op in ("field", "operand"):
        return [(e.k, i) for i in range(e.ty.n)]
    if e.op not in ("slice", "concat", "zext", "sext", "cast"):
        return None
    parts = [bit_sources(x) for x in e.a]
    if any(p is None for p in parts):
        return None
    if e.op == "slice":
        return parts[0][e.k:e.k + e.ty.n]
    if e.op == "concat":
        return [b for p in reversed(parts) for b in p]
    bits = parts[0]
    return bits + [0 if e.op == "zext" else bits[-1]] * (e.ty.n - len(bits)) if e.op != "cast" else bits
