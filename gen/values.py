"""Building typed expressions: constructors that fold constants, width rules, bits of wide values."""
from __future__ import annotations

from .tir import B, B1, BUILD, INT, E, Ty, sized


def const(v: int, ty: Ty = INT) -> E:
    if ty.kind != "int":
        v &= (1 << ty.bits) - 1
    return E("const", ty, (), v, BUILD)


TRUE, FALSE = const(1, B1), const(0, B1)


def is_const(e: E, v: int | None = None) -> bool:
    return e.op == "const" and (v is None or e.k == v)


def signed(v: int, n: int) -> int:
    return v - (1 << n) if v >> (n - 1) & 1 else v


def bt_of(args) -> int:
    bt = BUILD
    for x in args:
        if x.bt > bt:
            bt = x.bt
    return bt


def node(op: str, ty: Ty, a: tuple[E, ...], k: object = None) -> E:
    return E(op, ty, a, k, bt_of(a))


_INT = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "and": lambda a, b: a & b,
        "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b}
_CMP = {"eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "ltu": lambda a, b: a < b, "leu": lambda a, b: a <= b}


def arith(op: str, a: E, b: E) -> E:
    """add sub mul and or xor on equal types (bits or int)."""
    if a.op == "const" and b.op == "const":
        return const(_INT[op](a.k, b.k), a.ty)
    if is_const(b, 0) and op in ("add", "sub", "or", "xor"):
        return a
    if is_const(a, 0) and op in ("add", "or", "xor"):
        return b
    if op == "and" and a.ty.kind == "b":
        full = (1 << a.ty.n) - 1
        if is_const(a, 0) or is_const(b, full):
            return a
        if is_const(b, 0) or is_const(a, full):
            return b
    e = node(op, a.ty, (a, b))
    e.imm = a.imm and b.imm and op in ("and", "or", "xor")
    return e


def intdiv(op: str, a: E, b: E) -> E:
    if a.op == "const" and b.op == "const":
        return const(a.k // b.k if op == "div" else a.k % b.k)
    return node(op, INT, (a, b))


def compare(op: str, a: E, b: E) -> E:
    if a.op == "const" and b.op == "const":
        x, y = a.k, b.k
        if a.ty.kind == "b" and op in ("lts", "les"):
            x, y = signed(x, a.ty.n), signed(y, a.ty.n)
        return const(int(_CMP[op.replace("s", "u") if op in ("lts", "les") else op](x, y)), B1)
    if a.ty.kind == "b" and (op == "ltu" and is_const(b, 0) or op == "ltu" and is_const(a, (1 << a.ty.n) - 1)):
        return FALSE
    if a.ty.kind == "b" and (op == "leu" and is_const(a, 0) or op == "leu" and is_const(b, (1 << a.ty.n) - 1)):
        return TRUE
    if a.ty == B1 and op in ("eq", "ne") and b.op == "const":
        return a if (op == "eq") == bool(b.k) else not_(a)
    return node(op, B1, (a, b))


def not_(a: E) -> E:
    if a.op == "const":
        return const(~a.k, a.ty)
    if a.op == "not":
        return a.a[0]
    e = node("not", a.ty, (a,))
    e.imm = a.imm
    return e


def neg(a: E) -> E:
    return const(-a.k, a.ty) if a.op == "const" else node("neg", a.ty, (a,))


def shift(op: str, a: E, n: E) -> E:
    """shl shru shrs (total) and ror rol (modulo) of a by n (bits or int)."""
    if n.op == "const":
        w, k = a.ty.n, n.k
        if k == 0:
            return a
        if a.ty.kind == "int" or k < 0:
            sized(k, "the distance of a shift")
        if a.ty.kind == "int":
            if a.op == "const":
                return const(a.k << k if op == "shl" else a.k >> k)
            return node(op, INT, (a, n))
        if a.op == "const":
            if op == "shl":
                return const(a.k << min(k, w), a.ty)
            if op == "shru":
                return const(a.k >> k, a.ty)
            if op == "shrs":
                return const(signed(a.k, w) >> k, a.ty)
            k %= w
            k = k if op == "ror" else (w - k) % w
            return const(a.k >> k | a.k << (w - k), a.ty)
        if op in ("shl", "shru") and k >= w:
            return const(0, a.ty)
    return node(op, a.ty, (a, n))


def ext(op: str, a: E, n: int) -> E:
    """sext, zext, trunc of bits to n bits."""
    if a.ty.n == n:
        return E(a.op, a.ty, a.a, a.k, a.bt) if a.imm else a
    if op == "trunc":
        return bits(a, 0, n)
    if a.op == "const":
        return const(signed(a.k, a.ty.n) if op == "sext" else a.k, B(n))
    if a.op == op == "zext" or a.op == op == "sext":
        a = a.a[0]
    return node(op, B(n), (a,))


def itob(a: E, n: int) -> E:
    return const(a.k, B(n)) if a.op == "const" else node("itob", B(n), (a,))


def btoi(a: E) -> E:
    if a.ty.kind == "int":
        return a
    return const(a.k) if a.op == "const" else node("btoi", INT, (a,))


def sel(c: E, a: E, b: E) -> E:
    if c.op == "const":
        return a if c.k else b
    if a is b or (a.op == "const" and b.op == "const" and a.k == b.k and a.ty == b.ty):
        return a
    if a.ty.kind == "vec":
        return node("vec", a.ty, tuple(sel(c, lane(a, i), lane(b, i)) for i in range(a.ty.n)))
    return node("sel", a.ty, (c, a, b))


def cast(e: E, ty: Ty) -> E:
    """Same bits, other type."""
    if e.ty == ty:
        return e
    if ty.kind == "vec":
        w = ty.elem.bits
        return node("vec", ty, tuple(cast(bits(e, i * w, w), ty.elem) for i in range(ty.n)))
    if e.ty.kind == "vec":
        return cast(bits(e, 0, e.ty.bits), ty)
    if e.op == "const":
        return const(e.k, ty)
    if e.op == "cast":
        return cast(e.a[0], ty)
    return E("cast", ty, (e,), None, e.bt)


def lane(e: E, i: int) -> E:
    if e.op == "vec":
        return e.a[i]
    w = e.ty.elem.bits
    return cast(bits(e, i * w, w), e.ty.elem)


def concat(parts: list[E]) -> E:
    """parts[0] is the high one."""
    if len(parts) == 1:
        return parts[0]
    flat: list[E] = []
    for p in parts:
        flat += p.a if p.op == "concat" else [p]
    n = sum(p.ty.bits for p in flat)
    if all(p.op == "const" for p in flat):
        v = 0
        for p in flat:
            v = v << p.ty.bits | p.k
        return const(v, B(n))
    e = node("concat", B(n), tuple(flat))
    e.imm = all(p.imm or p.op == "const" for p in flat)
    return e


def bits(e: E, lo: int, n: int) -> E:
    """Bits lo .. lo+n-1 of e as bN, looking through the shape of wide values."""
    total = e.ty.bits
    if e.ty.kind == "f":
        return bits(cast(e, B(total)), lo, n)
    if lo == 0 and n == total and e.ty.kind == "b":
        return e
    if e.op == "const":
        return const(e.k >> lo, B(n))
    if e.op == "vec" or e.ty.kind == "vec":
        w = e.ty.elem.bits
        if lo // w == (lo + n - 1) // w:
            return bits(cast(lane(e, lo // w), B(w)), lo % w, n)
        parts = []
        while n:
            take = min(n, w - lo % w)
            parts.append(bits(cast(lane(e, lo // w), B(w)), lo % w, take))
            lo, n = lo + take, n - take
        return concat(parts[::-1])
    if e.op == "concat":
        parts, at = [], 0
        for p in reversed(e.a):
            w = p.ty.n
            a, b = max(lo, at), min(lo + n, at + w)
            if a < b:
                parts.append(bits(p, a - at, b - a))
            at += w
        return concat(parts[::-1])
    if e.op == "reg" and total > 64:
        return E("reglane", B(n), e.a, (e.k, lo), e.bt)
    if e.op == "reglane":
        return E("reglane", B(n), e.a, (e.k[0], e.k[1] + lo), e.bt)
    if e.op in ("zext", "sext") and lo + n <= e.a[0].ty.n:
        return bits(e.a[0], lo, n)
    if e.op == "zext" and lo >= e.a[0].ty.n:
        return const(0, B(n))
    if e.op == "slice":
        return bits(e.a[0], e.k + lo, n)
    if e.op in ("and", "or", "xor") and e.ty.kind == "b" and total > 64:
        return arith(e.op, bits(e.a[0], lo, n), bits(e.a[1], lo, n))
    if e.op == "not" and total > 64:
        return not_(bits(e.a[0], lo, n))
    if e.op == "sel" and (total > 128 or total > 64 and all(x.op == "const" for x in e.a[1:])):
        return sel(e.a[0], bits(e.a[1], lo, n), bits(e.a[2], lo, n))
    if e.op == "undef":
        return node("undef", B(n), (bits(e.a[0], lo, n),))
    r = E("slice", B(n), (e,), lo, e.bt)
    r.imm = e.imm
    return r


def bit_at(e: E, i: E) -> E:
    """Bit i (bits or int, any binding time) of e."""
    if i.op == "const":
        return bits(e, i.k, 1)
    return bits(shift("shru", e, i), 0, 1)


def depends(e: E, ops: set[str]) -> bool:
    return e.op in ops or any(depends(x, ops) for x in e.a)
