"""Typed expressions as C. Values up to 64 bits are uint64_t, up to 128 bits u128, upper bits zero; floats are their
bits; integers of translation time are i128. A `Place` says where registers, slots and operands live."""
from __future__ import annotations

from ..tir import E, Ty
from ..values import signed


class Place:
    """How one back end names what an expression refers to."""

    def field(self, name: str) -> str:
        raise NotImplementedError

    def slot(self, name: str) -> str:
        raise NotImplementedError

    def reg(self, file: str, index: str) -> str:
        raise NotImplementedError

    def feature(self, name: str) -> str:
        raise NotImplementedError

    def file_width(self, file: str) -> int:
        raise NotImplementedError

    pc = next = ""


def ctype(ty: Ty) -> str:
    if ty.kind == "int":
        return "i128"
    return "uint64_t" if ty.bits <= 64 else "u128"


def literal(v: int, ty: Ty) -> str:
    if ty.kind == "int":
        if -(1 << 31) <= v < 1 << 31:
            return str(v)
        if v < 0:
            return f"(-{literal(-v, ty)})"
        return f"(i128)UINT64_C({v:#x})" if v < 1 << 64 else f"((i128)UINT64_C({v >> 64:#x}) << 64 | UINT64_C({v & (1 << 64) - 1:#x}))"
    if ty.bits <= 64:
        return str(v) if v < 1 << 16 else f"UINT64_C({v:#x})"
    if v < 1 << 64:
        return f"(u128)UINT64_C({v:#x})"
    return f"((u128)UINT64_C({v >> 64:#x}) << 64 | UINT64_C({v & (1 << 64) - 1:#x}))"


def mask(s: str, n: int) -> str:
    """s with all bits from n up cleared."""
    if n == 64 or n == 128:
        return s
    if n in (8, 16, 32):
        return f"(uint64_t)(uint{n}_t)({s})"
    if n < 64:
        return f"(({s}) & {(1 << n) - 1:#x}u)" if n < 32 else f"(({s}) & UINT64_C({(1 << n) - 1:#x}))"
    return f"(({s}) & bits_mask128({n}))"


def amount(e: E, p: Place) -> str:
    """A shift amount as a 64-bit C expression."""
    s = render(e, p)
    return f"(uint64_t)({s})"


_BIN = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^"}
_CMP = {"eq": "==", "ne": "!=", "ltu": "<", "leu": "<="}


def render(e: E, p: Place) -> str:
    """C text of e; always safe to use as an operand."""
    op, ty, a = e.op, e.ty, e.a
    n = ty.bits
    if op == "const":
        return literal(e.k, ty)
    if op == "local":
        return str(e.k)
    if op in ("field", "operand"):
        s = p.field(str(e.k))
        return f"(i128)(int64_t){s}" if ty.kind == "int" else s
    if op == "slot":
        return p.slot(str(e.k))
    if op == "reg":
        s = p.reg(str(e.k), render(a[0], p))
        return lane(s, 0, n) if n > 64 else s
    if op == "reglane":
        file, lo = e.k
        return lane(p.reg(file, render(a[0], p)), lo, n)
    if op == "pc":
        return p.pc
    if op == "next":
        return p.next
    if op == "has":
        return p.feature(str(e.k))
    if op in _BIN:
        x, y = render(a[0], p), render(a[1], p)
        s = f"({x} {_BIN[op]} {y})"
        if ty.kind == "int" and e.bt == 2:
            s = f"((i128){x} {_BIN[op]} {y})"
        return s if op in ("and", "or", "xor") or ty.kind == "int" else par(mask(s, n))
    if op in ("div", "mod"):
        return f"int_{op}({render(a[0], p)}, {render(a[1], p)})"
    if op == "not":
        if n == 1 and ty.kind == "b":
            return f"(uint64_t)!{par(render(a[0], p))}"
        return f"(~{par(render(a[0], p))})" if ty.kind == "int" else par(mask("~" + wide(render(a[0], p), n), n))
    if op == "neg":
        return f"(-{par(render(a[0], p))})" if ty.kind == "int" else par(mask("-" + wide(render(a[0], p), n), n))
    if op in ("shl", "shru", "shrs", "ror", "rol"):
        return shift(e, p)
    if op in _CMP:
        return f"(uint64_t)({render(a[0], p)} {_CMP[op]} {render(a[1], p)})"
    if op in ("lts", "les"):
        c = "<" if op == "lts" else "<="
        if a[0].ty.kind == "int":
            return f"(uint64_t)({render(a[0], p)} {c} {render(a[1], p)})"
        return f"(uint64_t)({as_signed(a[0], p)} {c} {as_signed(a[1], p)})"
    if op == "zext":
        return par(f"({ctype(ty)}){render(a[0], p)}") if ctype(ty) != ctype(a[0].ty) else render(a[0], p)
    if op == "sext":
        w = a[0].ty.n
        x = render(a[0], p)
        if n <= 64:
            s = f"(uint64_t)(int64_t)(int{w}_t){x}" if w in (8, 16, 32) else f"bits_sext({x}, {w})"
            return par(s if n == 64 else mask(s, n))
        return par(mask(f"(u128)(i128){as_signed(a[0], p)}" if w <= 64 else f"bits_sext128({x}, {w})", n))
    if op == "itob":
        x = render(a[0], p)
        return par(mask(f"(uint64_t)({x})" if n <= 64 else f"(u128)({x})", n))
    if op == "btoi":
        return f"(i128){render(a[0], p)}"
    if op == "btois":
        return f"(i128){as_signed(a[0], p)}"
    if op == "cast" or op == "undef":
        return render(a[0], p)
    if op == "slice":
        return slice_(e, p)
    if op == "concat":
        parts, at = [], 0
        for x in reversed(a):
            s = f"({ctype(ty)}){render(x, p)}"
            if not (x.op == "const" and x.k == 0):
                parts.append(f"{s} << {at}" if at else s)
            at += x.ty.bits
        return "(" + " | ".join(reversed(parts)) + ")"
    if op == "sel":
        return f"({render(a[0], p)} ? {render(a[1], p)} : {render(a[2], p)})"
    if op == "prim":
        return prim(e, p)
    if op == "lookup":
        *lanes, index, other = a
        items = ", ".join(render(x, p) for x in lanes)
        i = render(index, p)
        total = index.ty.kind == "b" and 1 << index.ty.n <= len(lanes)
        get = f"((const uint64_t[]){{{items}}})[{i}]"
        return f"({get})" if total else f"((uint64_t)({i}) < {len(lanes)} ? {get} : {render(other, p)})"
    raise AssertionError(f"no C for {op}")


def par(s: str) -> str:
    return f"({s})"


def wide(s: str, n: int) -> str:
    return f"(uint64_t)({s})" if n <= 64 else f"(u128)({s})"


def lane(reg: str, lo: int, n: int) -> str:
    """Bits lo .. lo+n-1 of a wide register."""
    size = next((s for s in (8, 16, 32, 64, 128) if s >= n and lo // s == (lo + n - 1) // s), None)
    if size is None:
        return f"((u128){lane(reg, lo + 64 - lo % 64, n - 64 + lo % 64)} << {64 - lo % 64} | {lane(reg, lo, 64 - lo % 64)})"
    s = f"{reg}.b{size}[{lo // size}]"
    wide_ = f"(uint64_t){s}" if size <= 64 else s
    if size == n:
        return par(wide_)
    s = f"({wide_} >> {lo % size})" if lo % size else wide_
    return par(mask(f"(uint64_t){s}", n))


def as_signed(e: E, p: Place) -> str:
    w = e.ty.n
    if e.op == "const":
        return f"INT64_C({signed(e.k, w)})" if -(1 << 63) < signed(e.k, w) < 1 << 63 else f"(int64_t){literal(e.k, e.ty)}"
    x = render(e, p)
    if w in (8, 16, 32, 64):
        return f"(int64_t)(int{w}_t){x}"
    if w < 64:
        return f"(int64_t)bits_sext({x}, {w})"
    return f"(i128)bits_sext128({x}, {w})"


def shift(e: E, p: Place) -> str:
    op, n, (a, k) = e.op, e.ty.bits, e.a
    x = render(a, p)
    if e.ty.kind == "int":
        return f"int_{'shl' if op == 'shl' else 'shr'}({x}, {render(k, p)})"
    suffix = "" if n <= 64 else "128"
    safe = k.op == "const" and 0 <= k.k < n or k.ty.kind == "b" and 1 << k.ty.n <= n
    if safe and op in ("shl", "shru"):
        s = render(k, p)
        return par(mask(f"{wide(x, n)} << {s}", n)) if op == "shl" else f"({x} >> {s})"
    if safe and op == "shrs" and n <= 64:
        s = f"(uint64_t)({as_signed(a, p)} >> {render(k, p)})"
        return par(mask(s, n))
    return f"bits_{op}{suffix}({x}, {amount(k, p)}, {n})"


def slice_(e: E, p: Place) -> str:
    x, lo, n = e.a[0], e.k, e.ty.bits
    if x.ty.kind == "int":
        raise AssertionError("slice of an integer")
    s = render(x, p)
    if lo:
        s = f"({s} >> {lo})"
    if x.ty.bits > 64 and n <= 64:
        s = f"(uint64_t){s}"
    return par(mask(s, n)) if lo + n < x.ty.bits or x.ty.bits > 64 >= n else s


_COUNT = {"clz", "ctz", "bswap", "brev"}
_DIV = {"divs", "rems"}


def prim(e: E, p: Place) -> str:
    name, attrs = e.k
    x = [render(a, p) for a in e.a]
    n = e.a[0].ty.bits
    suffix = "" if n <= 64 else "128"
    if name in _COUNT and n <= 64:
        return f"bits_{name}({x[0]}, {n})"
    if name in ("popcount", "parity", "orc8") and n <= 64:
        return f"bits_{name}({x[0]})"
    if name in _DIV:
        return f"bits_{name}{suffix}({x[0]}, {x[1]}, {n})"
    if name in ("divu", "remu"):
        return f"bits_{name}{suffix}({x[0]}, {x[1]})"
    if name == "carry":
        a, b, c, r = x
        s = f"((({a} & {b}) | (({a} | {b}) & ~{r})) >> {n - 1})"
        return par(mask(s if n <= 64 else f"(uint64_t){s}", 1))
    if name == "overflow":
        a, b, r = x
        s = f"((({a} ^ {r}) & ({b} ^ {r})) >> {n - 1})"
        return par(mask(s if n <= 64 else f"(uint64_t){s}", 1))
    if name == "fclass":
        return f"(uint64_t)fp{n}_class({x[0]})"
    raise AssertionError(f"no C for primitive {name} of {n} bits")
