"""C of expressions over the operands of a decoded instruction: conditions and derived operands, evaluated when an
instruction is decoded, printed or assembled. Bits are uint64_t with zeros above their width, integers int64_t."""
from __future__ import annotations

from ..expand import ident
from ..model import DescError, Text
from ..tir import E

BINARY = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^"}
COMPARE = {"eq": "==", "ne": "!=", "ltu": "<", "leu": "<=", "lts": "<", "les": "<="}
PRIMS = {"clz": "dec_clz({0}, {n})", "ctz": "dec_ctz({0}, {n})", "popcount": "(uint64_t)__builtin_popcountll({0})",
         "parity": "(uint64_t)!__builtin_parityll({0})", "brev": "dec_brev({0}, {n})", "bswap": "dec_bswap({0}, {n})"}


def mask(n: int) -> str:
    return f"{(1 << n) - 1:#x}" + ("u" if n <= 32 else "ull")


def c(e: E, where: Text) -> str:
    """The C expression; `where` is the text it came from, for errors."""
    if e.ty.kind not in ("b", "int") or e.ty.bits > 64:
        raise DescError(where, f"a value of type {e.ty} cannot be computed by the decoder")
    n = 64 if e.ty.kind == "int" else e.ty.n
    if e.op == "const":
        return f"{e.k}ll" if e.ty.kind == "int" else f"{e.k:#x}" + ("u" if n <= 31 else "ull")
    if e.op in ("field", "operand"):
        return f"(uint64_t)i->{ident(e.k)}"
    a = [c(x, where) for x in e.a]

    def cut(s: str) -> str:
        return s if n == 64 else f"(({s}) & {mask(n)})"

    if e.op in BINARY:
        s = f"({a[0]} {BINARY[e.op]} {a[1]})"
        return cut(s) if e.op in ("add", "sub", "mul") else s
    if e.op == "not" and n == 1 and e.ty.kind == "b":
        return f"(uint64_t)!({a[0]})"
    if e.op in ("neg", "not"):
        return cut(f"({'-' if e.op == 'neg' else '~'}{a[0]})")
    if e.op in COMPARE:
        ty = e.a[0].ty
        x, y = (f"dec_signed({s}, {ty.n})" for s in a) if e.op in ("lts", "les") and ty.kind == "b" else a
        return f"(uint64_t)({x} {COMPARE[e.op]} {y})"
    if e.op in ("shl", "shru", "shrs", "ror", "rol"):
        if e.ty.kind == "int":
            return f"({a[0]} << {a[1]})" if e.op == "shl" else f"({a[0]} >> {a[1]})"
        return f"dec_{e.op}({a[0]}, {n}, (uint64_t)({a[1]}))"
    if e.op == "zext" or e.op == "itob" or e.op == "cast":
        return cut(f"(uint64_t)({a[0]})") if e.op == "itob" else a[0]
    if e.op == "sext":
        return cut(f"(uint64_t)dec_signed({a[0]}, {e.a[0].ty.n})")
    if e.op == "btoi":
        return f"(int64_t)({a[0]})"
    if e.op == "btois":
        return f"dec_signed({a[0]}, {e.a[0].ty.n})"
    if e.op == "slice":
        return cut(f"({a[0]} >> {e.k})" if e.k else a[0])
    if e.op == "concat":
        parts, at = [], 0
        for x, s in zip(reversed(e.a), reversed(a)):
            parts.append(f"{s} << {at}" if at else s)
            at += x.ty.n
        return "(" + " | ".join(reversed(parts)) + ")"
    if e.op == "sel":
        return f"({a[0]} ? {a[1]} : {a[2]})"
    if e.op == "undef":
        return a[0]
    if e.op in ("div", "mod"):
        return f"dec_{e.op}({a[0]}, {a[1]})"
    if e.op == "has":
        raise DescError(where, "a feature cannot be asked for here: use requires")
    if e.op == "prim" and e.k[0] in PRIMS:
        return PRIMS[e.k[0]].format(*a, n=e.a[0].ty.n)
    what = {"slot": "state", "reg": "a register", "reglane": "a register", "pc": "the PC", "next": "the PC",
            "local": "a run-time value", "prim": e.k[0] if e.op == "prim" else ""}.get(e.op, e.op)
    raise DescError(where, f"the decoder knows only the encoding: {what} cannot be used here")


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
