"""Operands of variable-length forms: what an operand code says, as data of the ISA (`extra: codes`), and the lvalues
`a b c d` that a meaning reads and writes. Facts: Intel SDM volume 2, 2.1 (ModRM, SIB), appendix A.2 (codes)."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import tir, values as v
from .model import DescError, EncField, Form, Isa, Leaf, Text
from .tir import B, RUN, TRANSLATE, E, Ty

if TYPE_CHECKING:
    from .check import Body

# Members of a decoded instruction and their bits. `base` and `index` are complete register numbers or one of the two
# special numbers of `extra: address`; `disp` and `imm` are sign-extended.
MEMBERS = {"imm": 64, "disp": 64, "reg": 5, "rm": 5, "vvvv": 4, "base": 5, "index": 5, "scale": 2, "seg": 2, "a32": 1, "rep": 2}
NAMED = ("seg", "a32", "rep")           # those that meanings use by name
PLACES = {"rm", "reg", "vvvv", "low", "mem", "fixed", "imm", "rel", "one", "moffs", "source", "dest"}
LETTERS = "abcd"


@dataclass(frozen=True)
class Spec:
    """An operand code with its sizes resolved. `bits` is the width of the value, or of what memory holds (0: none)."""
    code: str
    place: str
    view: str = ""                  # register view, if it can be a register
    bits: int = 0
    index: int = 0                  # of a fixed register
    signed: bool = False            # immediates: sign- or zero-extended to bits
    aligned: bool = False           # a misaligned memory operand traps
    minus: bool = False             # immediates: printed with a sign, whatever their size
    late: bool = False              # the address is formed at the access, not at the start

    @property
    def register(self) -> bool:
        return self.place in ("reg", "vvvv", "low", "fixed")


def code_words(isa: Isa, code: str, where: Text) -> list[str]:
    t = isa.extra.get("codes", {}).get(code)
    if t is None:
        raise DescError(where, f'no operand code "{code}" under extra: codes')
    words = t.s.split()
    if not words or words[0] not in PLACES:
        raise DescError(t, f'operand code "{code}": a place is needed ({" ".join(sorted(PLACES))})')
    return words


def sized(isa: Isa, form: Form) -> bool:
    """Whether some operand is as wide as the operand size."""
    return any(w in ("G", "N") for o in form.operands for w in code_words(isa, o.code, form.where)[1:])


def view_bits(isa: Isa, name: str, n: int) -> int:
    """Width of a view of bits, from its slice or its register file; a view of lanes is as wide as N says."""
    view = isa.views[name]
    if view.type is not None:
        m = re.fullmatch(r"\s*vec\(\s*(\w+)\s*/.*", view.type.s)
        if m:
            return n if m[1] == "N" else int(m[1])
        return int(view.type.s.strip()[1:])
    if (own := view.slice) is not None:
        return own[0] - own[1] + 1
    return view_bits(isa, view.of, n) if view.of else isa.files[view.file].width


def spec(isa: Isa, form: Form, k: int, n: int) -> Spec:
    """Operand k of a form for operand size n."""
    if (k, n) not in form.specs:
        form.specs[k, n] = make_spec(isa, form, k, n)
    return form.specs[k, n]


def make_spec(isa: Isa, form: Form, k: int, n: int) -> Spec:
    o = form.operands[k]
    place, *rest = code_words(isa, o.code, form.where)
    late, aligned = "late" in o.attrs, ("aligned" in rest and "unaligned" not in o.attrs) or "aligned" in o.attrs
    for a in o.attrs:
        if a not in ("late", "aligned", "unaligned"):
            raise DescError(form.where, f'operand {o.code}: unknown attribute "{a}"')

    def view(w: str) -> str:
        if w != "G":
            if w not in isa.views:
                raise DescError(isa.extra["codes"][o.code], f'operand code "{o.code}": no view "{w}"')
            return w
        t = isa.extra.get("sizes", {}).get(str(n))
        if t is None:
            raise DescError(form.where, f"no view for operand size {n} under extra: sizes")
        return t.s

    if place in ("rm", "reg", "vvvv", "low", "moffs"):
        name = view(rest[0])
        return Spec(o.code, place, name, view_bits(isa, name, n), aligned=aligned, late=late)
    if place == "fixed":
        name = view(rest[0])
        return Spec(o.code, place, name, view_bits(isa, name, n), int(rest[1]))
    if place == "imm":
        return Spec(o.code, place, bits=n if rest[1] == "N" else int(rest[1]), signed=rest[0] == "sext",
                    minus="minus" in rest)
    if place in ("mem", "source", "dest"):
        return Spec(o.code, place, bits=n if rest[0] == "N" else int(rest[0]), aligned=aligned, late=late)
    return Spec(o.code, place, bits=64 if place == "rel" else 8, signed=place == "rel")


def specs(isa: Isa, leaf: Leaf) -> list[Spec]:
    return [spec(isa, leaf.form, k, leaf.form.n) for k in range(len(leaf.form.operands))]


def fields() -> dict[str, EncField]:
    return {name: EncField(name, bits, []) for name, bits in MEMBERS.items()}


def unused(isa: Isa) -> None:
    """Refuses a declared operand code that no form uses."""
    used = {o.code for leaf in isa.leaves for o in leaf.form.operands}
    for code, t in isa.extra.get("codes", {}).items():
        if code not in used:
            raise DescError(t, f'operand code "{code}" is used by no form')


# ---- lvalues -----------------------------------------------------------------------------------------------------------


def member(name: str) -> E:
    return E("field", B(MEMBERS[name]), (), name, TRANSLATE)


def number(isa: Isa, key: str) -> int:
    return int(isa.extra["address"][key].s, 0)


def text(isa: Isa, key: str) -> str:
    return isa.extra["address"][key].s


def register(body: Body, view: str, i: E) -> E:
    from . import effects
    return effects.view_read_at(body, None, view, i, None)


@dataclass
class Operand:
    """One of a, b, c, d. The first read of memory is the only load; the address is formed once."""
    isa: Isa
    leaf: Leaf
    spec: Spec
    ty: Ty
    memory: bool
    locked: bool = False
    address: E | None = None
    value: E | None = None
    written: bool = False
    parts: list[E] = field(default_factory=list)

    # -- addresses
    def ea(self, body: Body) -> E:
        """The effective address: without the segment's base, as wide as addresses are."""
        isa = self.isa
        if self.spec.place == "moffs":
            sum_ = member("disp")
        else:
            view, pc = text(isa, "view"), number(isa, "pc")
            base = v.sel(v.compare("eq", member("base"), v.const(pc, B(5))), E("next", B(64), (), None, RUN),
                         register(body, view, member("base")))
            index = v.shift("shl", register(body, view, member("index")), member("scale"))
            sum_ = body.bind(v.arith("add", v.arith("add", base, index), member("disp")), "sum")
        return body.bind(v.sel(member("a32"), v.ext("zext", v.bits(sum_, 0, 32), 64), sum_), "ea")

    def segment(self, body: Body) -> E:
        return register(body, text(self.isa, "bases"), member("seg"))

    def linear(self, body: Body) -> E:
        if self.address is None:
            self.address = body.bind(v.arith("add", self.segment(body), self.ea(body)), "addr")
            if self.spec.aligned:
                low = (self.ty.bits // 8 - 1).bit_length()
                bad = v.compare("ne", v.bits(self.address, 0, low), v.const(0, B(low)))
                body.emit(tir.If(bad, [tir.Trap("GP", [v.const(0, B(64))])], [], "unlikely"))
        return self.address

    def attr(self, body: Body, name: str) -> E:
        if name == "n" and not self.memory:
            return self.number()
        if self.memory and name == "ea":
            return self.ea(body)
        if self.memory and name == "seg":
            return self.segment(body)
        raise DescError(self.leaf.where, f"operand {self.spec.code} has no .{name}")

    def number(self) -> E:
        if self.spec.place == "fixed":
            return v.const(self.spec.index, B(5))
        return member({"low": "rm"}.get(self.spec.place, self.spec.place))

    # -- values
    def read(self, body: Body) -> E:
        if self.memory:
            if self.value is None:
                if self.written:
                    raise DescError(self.leaf.where, f"operand {self.spec.code} is read after its write")
                if body.conditional:
                    raise DescError(self.leaf.where, f"operand {self.spec.code} is in memory and first read under a run-time condition")
                self.value = self.load(body)
            return self.value
        place = self.spec.place
        if place == "one":
            return v.const(1, self.ty)
        if place in ("imm", "rel"):
            return v.bits(member("imm"), 0, self.ty.n)
        if place in ("source", "dest", "mem"):
            raise DescError(self.leaf.where, f"operand {self.spec.code} has no value")
        if self.high():
            return v.bits(v.shift("shru", register(body, text(self.isa, "view"), self.low()), self.amount()), 0, 8)
        return register(body, self.spec.view, self.number())

    def write(self, body: Body, e: E) -> None:
        from . import effects
        e = body.bind(e, "v") if e.op != "const" else e
        if self.memory:
            self.store(body, e)
        elif not self.spec.register and self.spec.place != "rm":
            raise DescError(self.leaf.where, f"operand {self.spec.code} cannot be written")
        elif self.high():
            view, amount = text(self.isa, "view"), self.amount()
            hole = v.not_(v.shift("shl", v.const(0xff, B(64)), amount))
            old = v.arith("and", register(body, view, self.low()), hole)
            effects.view_write_at(body, None, view, self.low(), None,
                                  v.arith("or", old, v.shift("shl", v.ext("zext", e, 64), amount)))
        else:
            effects.view_write_at(body, None, self.spec.view, self.number(), None, e)

    # -- ah, ch, dh, bh: numbers from `high_byte` on, bits 15:8 of the registers below
    def high(self) -> bool:
        return self.ty == B(8) and self.spec.place in ("rm", "reg", "low")

    def low(self) -> E:
        return v.arith("and", self.number(), v.const(15, B(5)))

    def amount(self) -> E:
        return v.arith("and", v.shift("shru", self.number(), v.const(1)), v.const(8, B(5)))

    # -- memory
    def pieces(self, body: Body) -> list[tuple[E, int]]:
        """Addresses and widths of the accesses, lowest first: vectors go in words, atomics whole."""
        n, addr = self.ty.bits, self.linear(body)
        if n <= 64 or self.ty.kind == "b":
            return [(addr, n)]
        return [(v.arith("add", addr, v.const(k // 8, B(64))), 64) for k in range(0, n, 64)]

    def attrs(self, width: int) -> dict[str, object]:
        from .effects import ORDERS
        return {"width": width, "order": v.const(ORDERS["seqcst" if self.locked else self.isa.order])}

    def probe(self, body: Body, pieces: list[tuple[E, int]], access: str) -> None:
        if len(pieces) > 1:
            body.emit(tir.Eff("probe", [], [pieces[0][0], v.const(self.ty.bits // 8, B(64))], {"access": access}))

    def load(self, body: Body) -> E:
        pieces = self.pieces(body)
        parts = []
        for addr, width in pieces:
            r = body.local(B(width), "m")
            body.emit(tir.Eff("load", [(r.k, r.ty)], [addr], self.attrs(width)))
            parts.append(r)
        return v.cast(v.concat(parts[::-1]), self.ty)

    def store(self, body: Body, e: E) -> None:
        if self.written:
            raise DescError(self.leaf.where, f"operand {self.spec.code} is written twice")
        self.written = True
        if self.locked:
            self.exchange(body, e)
            return
        pieces = self.pieces(body)
        self.probe(body, pieces, "w")
        at = 0
        for addr, width in pieces:
            body.emit(tir.Eff("store", [], [addr, v.bits(e, at, width)], self.attrs(width)))
            at += width

    def exchange(self, body: Body, e: E) -> None:
        """The write of a locked operand: stores if memory still holds what was read, else the instruction runs again."""
        old = self.read(body)
        seen = body.local(self.ty, "seen")
        body.emit(tir.Eff("cas", [(seen.k, seen.ty)], [self.linear(body), old, e], self.attrs(self.ty.n)))
        body.emit(tir.If(v.compare("ne", seen, old), [tir.Restart()], [], "unlikely"))


def find(body: Body, leaf: Leaf, name: str) -> Operand | None:
    """The operand called `name` of the leaf whose meaning `body` checks; None if it has none."""
    if name not in LETTERS[:len(leaf.form.operands)]:
        return None
    bound = body.__dict__.setdefault("form_operands", {})
    if leaf.id not in bound:
        bound[leaf.id] = bind(body.isa, leaf, body)
    return bound[leaf.id].get(name)


def bind(isa: Isa, leaf: Leaf, body: Body) -> dict[str, Operand]:
    """The operands of a leaf by letter."""
    from . import effects
    out: dict[str, Operand] = {}
    for letter, s in zip(LETTERS, specs(isa, leaf)):
        memory = s.place in ("mem", "moffs") or (s.place == "rm" and leaf.form.mode == "mem")
        if s.view:
            ty = effects.view_type(body, isa.views[s.view], None)
        else:
            ty = B(s.bits or 64)
        out[letter] = Operand(isa, leaf, s, ty, memory, memory and ("lock" in leaf.form.attrs or "locked" in leaf.form.attrs))
    return out
