"""Lanes to vector operations. A value for a wide register arrives as one expression per lane; lanes that do the same to
neighbouring elements become one builder call (map), bytes taken from elsewhere a permutation, one value a splat."""
from __future__ import annotations

from dataclasses import dataclass

from .. import values as v
from ..tir import B, TRANSLATE, E

_MAP = {"add": "IR_VADD", "sub": "IR_VSUB", "mul": "IR_VMUL"}
_LOGIC = {"and": "IR_AND", "or": "IR_OR", "xor": "IR_XOR"}
_SHIFT = {"shl": "IR_VSHL", "shru": "IR_VSHRU", "shrs": "IR_VSHRS"}
_COMPARE = {"eq": ("IR_VEQ", False, False), "ne": ("IR_VEQ", False, True), "lts": ("IR_VLTS", False, False), "ltu": ("IR_VLTU", False, False),
            "les": ("IR_VLTS", True, True), "leu": ("IR_VLTU", True, True)}        # operation, operands swapped, inverted
_LANES = (8, 16, 32, 64)


class NoVector(Exception):
    """These lanes are no vector operation."""


@dataclass(frozen=True)
class Source:
    """128 or 256 bits that are there as a whole: C text of the vector and its width."""
    text: str
    bits: int


class Vectors:
    """Renders vectors for a lifter: `lifter` gives scalars, C text and what its locals stand for."""

    def __init__(self, lifter) -> None:
        self.lf = lifter
        self.scalars = True     # lanes that are no vector operation may be computed one by one
        self.depth = 0          # choices at translation time around what is rendered

    def of(self, e: E) -> str:
        """The vector that holds e, an expression of 64, 128 or 256 bits; more bits of the register may be anything."""
        was, self.scalars = self.scalars, False
        try:
            return self.whole(e)
        except NoVector:
            c = self.choice(e) if self.depth < 2 else None
            if c is not None:           # one vector operation for each of its values
                self.depth += 1
                try:
                    return f"({self.lf.c(c)} ? {self.of(self.chosen(e, c, 1))} : {self.of(self.chosen(e, c, 2))})"
                except NoVector:
                    pass
                finally:
                    self.depth -= 1
        finally:
            self.scalars = was
        return self.whole(e)

    def whole(self, e: E) -> str:
        bits = e.ty.bits
        if bits not in (64, 128, 256):
            raise NoVector
        ls, w = self.split([e])
        return self.lanes(ls, w)

    def split(self, es: list[E]) -> tuple[list[E], int]:
        """The same bits in lanes that are as wide as the narrowest part."""
        parts = [p for e in es for p in reversed(self.parts(self.open(e)))]
        w = min(p.ty.bits for p in parts)
        if any(p.ty.bits % w for p in parts):
            raise NoVector
        return [v.bits(p, k, w) for p in parts for k in range(0, p.ty.bits, w)], w

    def choice(self, e: E) -> E | None:
        """A condition known at translation time on which parts of e depend."""
        e = self.open(e)
        if e.bt <= TRANSLATE:
            return None
        if e.op == "sel" and self.open(e.a[0]).bt <= TRANSLATE:
            return self.open(e.a[0])
        return next((c for x in e.a if (c := self.choice(x)) is not None), None)

    def chosen(self, e: E, c: E, case: int) -> E:
        """e as it is when the condition is true (1), or false (2)."""
        e = self.open(e)
        if e.op == "sel" and self.open(e.a[0]) == c:
            return self.chosen(e.a[case], c, case)
        if not e.a or e.bt <= TRANSLATE:
            return e
        a = tuple(self.chosen(x, c, case) for x in e.a)
        if e.op == "slice":
            return v.bits(a[0], e.k, e.ty.bits)
        if e.op == "cast":
            return v.cast(a[0], e.ty)
        return E(e.op, e.ty, a, e.k, e.bt)

    def open(self, e: E) -> E:
        """e with values that were only named put in place; floats as their bits."""
        while e.op == "local" and e.k in self.lf.lazy:
            e = self.lf.lazy[e.k]
        if e.op == "undef":
            return self.open(e.a[0])
        if e.op == "cast" and e.ty.kind == "b":
            x = e.a[0]
            while x.op == "local" and x.k in self.lf.lazy:
                x = self.lf.lazy[x.k]
            if x.ty.kind == "b" or x.op == "local" and x.k in self.lf.wide:
                return self.open(x)
            if x.op == "cast":
                return self.open(v.cast(x.a[0], e.ty))
            if x.op == "neg":
                return v.arith("xor", v.cast(x.a[0], e.ty), v.const(1 << e.ty.n - 1, e.ty))
            if x.op == "sel":
                return v.sel(x.a[0], v.cast(x.a[1], e.ty), v.cast(x.a[2], e.ty))
        return e

    def parts(self, e: E) -> list[E]:
        return [q for x in e.a for q in self.parts(self.open(x))] if e.op == "concat" else [e]

    # ---- where bits come from
    def source(self, e: E) -> tuple[Source, int] | None:
        """The register or wide local that e is part of, and the position of its lowest bit."""
        e, lf = self.open(e), self.lf
        if e.op in ("reg", "reglane"):
            file, lo = (e.k, 0) if e.op == "reg" else e.k
            f = lf.isa.files[file]
            if f.width <= 64:
                return None
            return Source(f"ir_vget(l, {lf.slot(file, e.a[0])})", f.width), lo
        if e.op == "local" and e.k in lf.wide:
            name, lo, bits = lf.wide[e.k]
            return Source(name, bits), lo
        if e.op == "slice":
            s = self.source(e.a[0])
            return s and (s[0], s[1] + e.k)
        if e.op == "prim" and e.k[0] == "packed":
            how = dict(e.k[1])
            args = [self.lanes(*self.split([x])) for x in e.a] + ["0"] * (3 - len(e.a))
            return Source(f"ir_vpacked(l, IR_{how['op']}, {how['lane']}, {', '.join(args)})", 128), 0
        return None

    def bytes_of(self, e: E) -> list[tuple[Source, int] | None]:
        """Each byte of e, lowest first: its source and byte number there, None for zero."""
        e = self.open(e)
        n = e.ty.bits // 8
        if e.ty.bits % 8:
            raise NoVector
        if v.is_const(e, 0):
            return [None] * n
        s = self.source(e)
        if s and s[1] % 8 == 0:
            return [(s[0], s[1] // 8 + i) for i in range(n)]
        if e.op == "zext":
            x = self.bytes_of(e.a[0])
            return x + [None] * (n - len(x))
        if e.op == "concat":
            return [b for x in reversed(e.a) for b in self.bytes_of(x)]
        if e.op == "slice" and e.k % 8 == 0:
            return self.bytes_of(e.a[0])[e.k // 8:e.k // 8 + n]
        raise NoVector

    # ---- lanes
    def lanes(self, ls: list[E], w: int) -> str:
        ls = [self.open(e) for e in ls]
        lf, n, first = self.lf, len(ls), ls[0]
        bits = n * w
        if all(e.bt <= TRANSLATE for e in ls):
            return self.constant(ls, w)
        if n == 1 and first.op == "concat":
            return self.lanes(*self.split(ls))
        got = [self.source(e) for e in ls]
        if all(got) and all(s == got[0][0] and lo == got[0][1] + i * w for i, (s, lo) in enumerate(got)):
            s, lo = got[0]
            if lo == 0:
                return s.text if (bits > 128) == (s.bits > 128) else f"ir_vlow(l, {s.text})"
            if lo == 128 and bits <= 128:
                return f"ir_vhigh(l, {s.text})"
        for way in (self.insertion(ls, w, got), self.known(ls, w, got)):
            if way is not None:
                return way
        if all(e.op == first.op for e in ls) and first.op != "concat":
            try:
                return self.map(ls, w)
            except NoVector:
                pass
        if w in _LANES and n > 1 and all(e == first for e in ls):
            return f"ir_vsplat(l, {self.wide(bits)}, {w}, {lf.r(first)})"
        try:
            return self.permutation(ls, w)
        except NoVector:
            if any(e.op == "concat" for e in ls):
                return self.lanes(*self.split(ls))
            if not self.scalars or w not in (32, 64) or bits not in (128, 256):
                raise
        return self.built(ls, w)

    def known(self, ls: list[E], w: int, got: list[tuple[Source, int] | None]) -> str | None:
        """A vector of 128 bits in which some lanes are replaced by numbers."""
        bits, free = len(ls) * w, [e.bt <= TRANSLATE for e in ls]
        if bits > 128 or not any(free) or w not in _LANES:
            return None
        kept = [(i, e) for i, e in enumerate(ls) if not free[i]]
        s = got[kept[0][0]]
        if s and all(got[i] == (s[0], i * w) for i, _ in kept):
            if all(v.is_const(e, 0) for e, f in zip(ls, free) if f):
                return None                                         # a permutation knows that
            text = s[0].text if s[0].bits == 128 else f"ir_vlow(l, {s[0].text})"
        elif len(kept) > 1 and all(e == kept[0][1] for _, e in kept):
            text = f"ir_vsplat(l, IT_V128, {w}, {self.lf.r(kept[0][1])})"
        else:
            return None
        mask = self.constant([v.const(sum((1 << w) - 1 << i * w for i, _ in kept), B(bits))], bits)
        rest = self.constant([e if f else v.const(0, B(w)) for e, f in zip(ls, free)], w)
        return f"ir_vmerge(l, {text}, {mask}, {rest})"

    def built(self, ls: list[E], w: int) -> str:
        """A few scalars one by one; lanes of an operation are an array already."""
        names = [e.a[0].k if e.op == "cast" and e.a[0].op == "local" else e.k if e.op == "local" else "" for e in ls]
        array = names[0].partition("[")[0]
        if names == [f"{array}[{i}]" for i in range(len(ls))]:
            return f"ir_vbuild(l, {w}, {len(ls)}, {array})"
        return f"ir_vbuild(l, {w}, {len(ls)}, (const ref[]){{{', '.join(self.lf.r(e) for e in ls)}}})"

    def insertion(self, ls: list[E], w: int, got: list[tuple[Source, int] | None]) -> str | None:
        """A vector of 128 bits in which one lane is replaced by a scalar."""
        new = [i for i, g in enumerate(got) if g is None]
        if len(new) != 1 or w not in _LANES or len(ls) * w != 128 or len(ls) == 1:
            return None
        s = next(g[0] for g in got if g)
        if any(g and g != (s, i * w) for i, g in enumerate(got)):
            return None
        return f"ir_vinsert(l, {w}, {new[0]}, {s.text if s.bits == 128 else f'ir_vlow(l, {s.text})'}, {self.lf.r(ls[new[0]])})"

    @staticmethod
    def wide(bits: int) -> str:
        return "IT_V256" if bits > 128 else "IT_V128"

    def constant(self, ls: list[E], w: int) -> str:
        def half(part: list[E]) -> str:
            return " | ".join(f"(u128)({self.lf.c(e)}) << {i * w}" for i, e in enumerate(part)) if w < 128 else self.lf.c(part[0])
        per = 128 // w
        if len(ls) * w <= 128:
            return f"ir_vconst(l, {half(ls)})"
        return f"ir_vjoin(l, ir_vconst(l, {half(ls[:per])}), ir_vconst(l, {half(ls[per:])}))"

    def map(self, ls: list[E], w: int) -> str:
        op, t, lf = ls[0].op, self.wide(len(ls) * w), self.lf

        def arg(i: int) -> str:
            return self.lanes([e.a[i] for e in ls], w)
        if op in _LOGIC:
            return f"ir_vop(l, {_LOGIC[op]}, {t}, 0, {arg(0)}, {arg(1)})"
        if op == "not":
            return f"ir_vnot(l, {t}, {arg(0)})"
        if op == "sel":
            return self.select(ls, w)
        if w not in _LANES:
            raise NoVector
        if op in _MAP:
            return f"ir_vop(l, {_MAP[op]}, {t}, {w}, {arg(0)}, {arg(1)})"
        if op == "neg":
            return f"ir_vop(l, IR_VSUB, {t}, {w}, ir_vzero(l, {t}), {arg(0)})"
        if op in _SHIFT and all(e.a[1] == ls[0].a[1] and e.a[1].bt <= TRANSLATE for e in ls):
            return f"ir_vop(l, {_SHIFT[op]}, {t}, {w}, {arg(0)}, ir_const(l, 32, (uint32_t)({lf.c(ls[0].a[1])})))"
        if op == "slice":
            return self.halved(ls, w) if ls[0].k == 1 else self.narrowed(ls, w)
        if op == "lookup" and w == 8:
            return self.looked_up(ls)
        if op == "sext" and ls[0].a[0].ty.bits * 2 == w and len(ls) * w <= 128:
            wide = [E("concat", e.ty, (e.a[0], v.const(0, e.a[0].ty)), None, e.bt) for e in ls]
            return f"ir_vop(l, IR_VSHRS, {t}, {w}, {self.permutation(wide, w)}, ir_const(l, 32, {w // 2}))"
        raise NoVector

    def looked_up(self, ls: list[E]) -> str:
        """Bytes of a table of whole registers by their numbers."""
        table, t = ls[0].a[:-2], self.wide(len(ls) * 8)
        if len(table) % 16 or len(ls) not in (8, 16) or ls[0].a[-2].ty.bits != 8 or any(e.a[:-2] != table for e in ls):
            raise NoVector
        index, other = (self.lanes([e.a[k] for e in ls], 8) for k in (-2, -1))
        parts = []
        for k in range(0, len(table), 16):
            at = f"ir_vop(l, IR_VSUB, {t}, 8, {index}, {self.constant([v.const(k, B(8))] * 16, 8)})" if k else index
            parts.append(f"ir_vlook(l, {self.lanes(list(table[k:k + 16]), 8)}, {at})")
        text = parts[0]
        for p in parts[1:]:
            text = f"ir_vop(l, IR_OR, {t}, 0, {text}, {p})"
        if all(v.is_const(e.a[-1], 0) for e in ls):
            return text
        inside = f"ir_vop(l, IR_VLTU, {t}, 8, {index}, {self.constant([v.const(len(table), B(8))] * 16, 8)})"
        return f"ir_vchoose(l, {t}, {inside}, {text}, {other})"

    def narrowed(self, ls: list[E], w: int) -> str:
        """Parts, alike, of wider lanes that are computed."""
        wide = [self.open(e.a[0]) for e in ls]
        n, at = wide[0].ty.bits, ls[0].k
        if n not in (16, 32, 64) or at % 8 or len(ls) * n not in (128, 256) or len(ls) * w > 128 or \
                any(e.k != at or x.ty.bits != n for e, x in zip(ls, wide)):
            raise NoVector
        per = 128 // n
        from_ = [self.lanes(wide[k:k + per], n) for k in range(0, len(wide), per)]
        index = [16 * (i // per) + i % per * n // 8 + at // 8 + k for i in range(len(ls)) for k in range(w // 8)]
        return self.permuted(from_, index + [255] * (16 - len(index)))

    def halved(self, ls: list[E], w: int) -> str:
        """Half of a sum or difference that was computed with another bit, rounded down or, with 1 added, up."""
        one = v.const(1, B(w + 1))
        sums = [self.open(e.a[0]) for e in ls]
        up = all(e.op == "add" and e.a[1] == one for e in sums)
        sums = [self.open(e.a[0]) for e in sums] if up else sums
        ext = {self.open(x).op for e in sums for x in e.a}
        op = sums[0].op
        if any(e.k != 1 or e.a[0].ty.bits != w + 1 for e in ls) or ext not in ({"sext"}, {"zext"}) or op not in ("add", "sub") or \
                any(e.op != op or any(self.open(x).a[0].ty.bits != w for x in e.a) for e in sums) or up and op == "sub":
            raise NoVector
        a, b = (self.lanes([self.open(e.a[i]).a[0] for e in sums], w) for i in (0, 1))
        return f"ir_vhalf(l, {self.wide(len(ls) * w)}, {w}, {int(op == 'sub')}, {int(ext == {'sext'})}, {int(up)}, {a}, {b})"

    def compare(self, ls: list[E], w: int) -> str:
        """All ones in lanes where the condition holds."""
        ls = [self.open(e) for e in ls]
        op, t = ls[0].op, self.wide(len(ls) * w)
        if all(e == ls[0] for e in ls) and ls[0].bt <= TRANSLATE:
            return f"({self.lf.c(ls[0])} ? ir_vnot(l, {t}, ir_vzero(l, {t})) : ir_vzero(l, {t}))"
        if any(e.op != op for e in ls):
            raise NoVector
        if op == "sel" and all(e.a[0] == ls[0].a[0] for e in ls) and ls[0].a[0].bt <= TRANSLATE:
            return f"({self.lf.c(ls[0].a[0])} ? {self.compare([e.a[1] for e in ls], w)} : {self.compare([e.a[2] for e in ls], w)})"
        if op == "local":
            got = [self.source(e) for e in ls]
            if all(g and g == (got[0][0], i * w) for i, g in enumerate(got)) and got[0][0].bits == len(ls) * w:
                return got[0][0].text
            raise NoVector
        if op in _LOGIC:
            return f"ir_vop(l, {_LOGIC[op]}, {t}, 0, {self.compare([e.a[0] for e in ls], w)}, {self.compare([e.a[1] for e in ls], w)})"
        if op == "not":
            return f"ir_vnot(l, {t}, {self.compare([e.a[0] for e in ls], w)})"
        if op not in _COMPARE or ls[0].a[0].ty.bits != w or w not in _LANES:
            raise NoVector
        name, swap, inverse = _COMPARE[op]
        a, b = (self.lanes([e.a[i] for e in ls], w) for i in ((1, 0) if swap else (0, 1)))
        text = f"ir_vop(l, {name}, {t}, {w}, {a}, {b})"
        return f"ir_vnot(l, {t}, {text})" if inverse else text

    def select(self, ls: list[E], w: int) -> str:
        t, lf = self.wide(len(ls) * w), self.lf
        conds = [self.open(e.a[0]) for e in ls]
        if all(c.bt <= TRANSLATE for c in conds):
            if all(c == conds[0] for c in conds):
                return f"({lf.c(conds[0])} ? {self.lanes([e.a[1] for e in ls], w)} : {self.lanes([e.a[2] for e in ls], w)})"
            new = self.open(ls[0].a[1])
            if w not in _LANES or len(ls) * w > 128 or any(self.open(e.a[1]) != new for e in ls):
                raise NoVector
            text, x = self.lanes([e.a[2] for e in ls], w), lf.r(new)        # one element replaced
            for i, c in enumerate(conds):
                text = f"({lf.c(c)} ? ir_vinsert(l, {w}, {i}, {text}, {x}) : {text})" if i == 0 else f"ir_vinsert_if(l, {lf.c(c)}, {w}, {i}, {text}, {x})"
            return text
        yes, no = ([self.open(e.a[i]) for e in ls] for i in (1, 2))
        full = (1 << w) - 1
        if all(v.is_const(e, full) for e in yes) and all(v.is_const(e, 0) for e in no):
            return self.compare(conds, w)
        kinds = {"lts": "S", "les": "S", "ltu": "U", "leu": "U"}
        if conds[0].op in kinds and all(c.op == conds[0].op for c in conds):
            pairs = [(self.open(c.a[0]), self.open(c.a[1])) for c in conds]
            for way, name in (((0, 1), "MIN"), ((1, 0), "MAX")):
                if w in _LANES and all(y == p[way[0]] and z == p[way[1]] for y, z, p in zip(yes, no, pairs)):
                    return f"ir_vop(l, IR_V{name}{kinds[conds[0].op]}, {t}, {w}, {self.lanes(yes, w)}, {self.lanes(no, w)})"
        return f"ir_vchoose(l, {t}, {self.compare(conds, w)}, {self.lanes(yes, w)}, {self.lanes(no, w)})"

    def permutation(self, ls: list[E], w: int) -> str:
        bytes_ = [b for e in ls for b in self.bytes_of(e)]
        if len(bytes_) > 16:
            return f"ir_vjoin(l, {self.shuffle(bytes_[:16])}, {self.shuffle(bytes_[16:])})"
        return self.shuffle(bytes_)

    def shuffle(self, bytes_: list[tuple[Source, int] | None]) -> str:
        """At most 16 bytes of at most four vectors of 128 bits."""
        from_: list[str] = []
        index = []
        for b in bytes_ + [None] * (16 - len(bytes_)):
            if b is None:
                index.append(255)
                continue
            s, at = b
            text = s.text if s.bits == 128 else f"ir_v{'low' if at < 16 else 'high'}(l, {s.text})"
            if text not in from_:
                from_.append(text)
            index.append(16 * from_.index(text) + at % 16)
        if not 1 <= len(from_) <= 4:
            raise NoVector
        if len(from_) > 2:
            low, high = ([k - d if d <= k < d + 32 else 255 for k in index] for d in (0, 32))
            return f"ir_vop(l, IR_OR, IT_V128, 0, {self.permuted(from_[:2], low)}, {self.permuted(from_[2:], high)})"
        n = len(bytes_)
        while n and bytes_[n - 1] is None:
            n -= 1
        if index[:n] == list(range(n)):
            return f"ir_vop(l, IR_AND, IT_V128, 0, {from_[0]}, ir_vconst(l, bits_mask128({8 * n})))"
        return self.permuted(from_, index)

    @staticmethod
    def permuted(from_: list[str], index: list[int]) -> str:
        return f"ir_vperm(l, {from_[0]}, {from_[-1]}, (const uint8_t[]){{{', '.join(map(str, index))}}})"
