"""Drives the checker over a whole ISA: every leaf, operand, condition and system register, then the checks that need
the finished body (dead values, stores before faults, what a leaf may do)."""
from __future__ import annotations

import re
from collections import Counter

from . import operands, tir, values as v
from .check import Body
from .kinds import NEVER, NeedWidth, fail
from .model import DescError, Isa, Leaf, SysReg, Text
from .syntax import Call, Let, Node, Num, is_expression, parse_body, parse_expr
from .tir import B, TRANSLATE, Checked, E, Meaning, Oversize


class Checker:
    def __init__(self, isa: Isa) -> None:
        self.isa = isa
        self.by_name = {leaf.name: leaf for leaf in isa.leaves}
        self.used: set[tuple[str, str, str]] = set()
        self.operand_cache: dict[tuple[int, str], E] = {}

    # ---- what bodies ask for
    def field_bits(self, leaf: Leaf, name: str) -> int:
        f = leaf.fields[name]
        return max(f.bits, ((1 << f.bits) - 1 + f.add).bit_length())

    def operand(self, leaf: Leaf, name: str) -> E:
        e = self.operand_expr(leaf, name)
        return E("operand", e.ty, (), name, TRANSLATE, e.ty.kind == "b")

    def operand_expr(self, leaf: Leaf, name: str) -> E:
        key = (leaf.id, name)
        if key not in self.operand_cache:
            self.operand_cache[key] = self.translate(leaf, leaf.operands[name], None, name)
        return self.operand_cache[key]

    def form_name(self, body: Body, leaf: Leaf, name: str):
        return operands.find(body, leaf, name)

    # ---- decode-time expressions
    def translate(self, leaf: Leaf, text: Text, want: tir.Ty | None = None, skip: str | bool = True) -> E:
        """A Translate expression over the leaf's fields: an operand, a condition (want = B1)."""
        body = Body(self.isa, leaf, checker=self)
        body.decode_time = skip
        n = parse_expr(text)
        e = body.truth(n) if want == tir.B1 else body.scalar(n, want)
        lets = {s.id: s.e for s in body.out if isinstance(s, tir.Let)}
        if len(lets) != len(body.out):
            raise fail(n, "an effect in an expression that the decoder evaluates")
        e = substitute(e, lets)
        if e.bt > TRANSLATE or v.depends(e, {"slot", "pc", "next"}):
            raise fail(n, "the decoder knows only the fields of the encoding; this depends on machine state")
        return e

    # ---- bodies
    def leaf(self, leaf: Leaf) -> Meaning:
        m = Meaning(leaf.ident, self.statements(leaf), leaf)
        if leaf.family.fast is not None:
            m.fast = self.statements(leaf, fast=True)
        self._finish(m)
        return m

    def statements(self, leaf: Leaf, fast: bool = False) -> list:
        body = Body(self.isa, leaf, checker=self)
        body.fast = fast
        try:
            if leaf.family.is_ is not None:
                self._is(body, leaf, leaf.family.is_)
            elif leaf.family.do is None:
                raise DescError(leaf.where, f"{leaf.name} has no meaning: give `do` or `is`")
            else:
                body.block(parse_body(leaf.family.fast if fast else leaf.family.do))
        except NeedWidth as w:
            raise fail(w.node, "the width of this extension is not known here: state it, as in sext.64(x)") from None
        except RecursionError:
            raise DescError(leaf.where, f"{leaf.name}: its meaning is nested too deeply") from None
        except Oversize as e:
            raise DescError(leaf.where, f"{leaf.name}: {e}") from None
        except DescError as e:
            e.message += f" (in {leaf.name})"
            e.args = (f"{e.where}: {e.message}",)
            raise
        return prune(body.prologue + body.out)

    def _is(self, body: Body, leaf: Leaf, text: Text) -> None:
        name, _, rest = text.s.partition("(")
        target = self.by_name.get(name.strip())
        if target is None:
            raise DescError(text, f"`is` names '{name.strip()}', which is no instruction")
        call = parse_expr(Text("x(" + rest, text.file, text.line, text.col + len(name) - 1))
        assert isinstance(call, Call)
        own = Body(self.isa, leaf, checker=self)
        bound: dict[str, E] = {}
        for k, n in call.kwargs.items():
            if k not in target.fields:
                raise fail(n, f"{target.name} has no operand '{k}'")
            f, w = target.fields[k], self.field_bits(target, k)
            e = own.scalar(n, B(w)) if not isinstance(n, Num) else v.const(n.value)
            if e.ty.kind == "b" and e.ty.n < w and f.view:
                e = v.ext("zext", e, w)
            e = own.coerce(e, B(w), n)
            bound[k] = E(e.op, e.ty, e.a, e.k, e.bt, True)
        if call.args:
            raise fail(call.args[0], "operands are bound by name, as in rd=rd")
        if target.family.is_ is not None:
            raise DescError(text, f"'{target.name}' is itself defined by `is`; name the instruction with the `do`")
        for k in target.fields:
            bound.setdefault(k, E("const", B(self.field_bits(target, k)), (), 0, 0, True))
        body.out += own.out
        body.leaf, body.field_map = target, bound
        body.block(parse_body(target.family.do))

    def sysreg(self, reg: SysReg, which: str) -> Meaning:
        """The read or write of one row, its access rule first."""
        body = Body(self.isa, sysreg=reg, checker=self)
        scope: dict = {k: v.const(x) for k, x in reg.vars.items()}
        scope["n"] = v.const(reg.num, B(max(12, reg.num.bit_length())))
        scope["w"] = v.const(int(which == "write"), tir.B1)
        if which == "write":
            scope["v"] = E("local", B(64), (), "v_", tir.RUN)
        body.scopes.append(scope)
        result = None
        for rule in (self.isa.sysreg_access, reg.access):
            if rule is not None:
                self._refuse(body, body.truth(parse_expr(rule)))
        if reg.requires:
            c = v.TRUE
            for f in reg.requires:
                c = v.arith("and", c, E("has", tir.B1, (), f, TRANSLATE))
            self._refuse(body, v.not_(c))
        if which == "read":
            if reg.read is not None:
                result = body.scalar(parse_expr(reg.read), B(reg.width))
                result = body.coerce(result, B(reg.width), parse_expr(reg.read))
            else:
                result = E("slot", B(reg.width), (), reg.name)
            result = body.bind(v.ext("zext", result, 64), "result")
        else:
            if reg.width < 64:
                scope["v"] = v.bits(scope["v"], 0, reg.width)
            if reg.write is not None:
                if reg.mask is not None:
                    slot = E("slot", B(reg.width), (), reg.name)
                    scope["v"] = body.bind(merge(slot, scope["v"], reg.mask), "v")
                body.block(parse_body(reg.write))
            elif reg.storage:
                slot = E("slot", B(reg.width), (), reg.name)
                e = scope["v"] if reg.mask is None else merge(slot, scope["v"], reg.mask)
                body.emit(tir.SetSlot(reg.name, e))
        used = {result.k} if result is not None and result.op == "local" else set()
        m = Meaning(f"{reg.name}_{which}", prune(body.prologue + body.out, used), None, reg, result)
        self._finish(m)
        return m

    def _refuse(self, body: Body, c: E) -> None:
        if v.is_const(c, 0):
            return
        c = body.bind(c, "deny")
        outer = body.sub()
        self._undefined(body)
        trap, body.out = body.out, outer
        body.emit(tir.If(c, trap, [], "unlikely"))

    def _undefined(self, body: Body) -> None:
        d = self.isa.defs.get("sys_undefined")
        if d is None:
            raise DescError(self.isa.where, "system registers need the definition sys_undefined")
        if body.ev(parse_expr(d.body)) is not NEVER:
            raise DescError(d.body, "sys_undefined must trap")

    def undefined(self) -> Meaning:
        body = Body(self.isa, checker=self)
        self._undefined(body)
        return Meaning("undefined", body.out)

    def _finish(self, m: Meaning) -> None:
        for s in tir.walk(m.body):
            if isinstance(s, (tir.Jump, tir.End, tir.Restart)):
                m.ends = True
            if isinstance(s, tir.Eff):
                if s.kind in ("load", "store", "rmw", "cas", "load_ex", "store_ex", "fill"):
                    m.memory = True
                if s.kind == "syswrite" or s.attrs.get("ends"):
                    m.ends = True
        m.always_traps = bool(m.body) and isinstance(m.body[-1], tir.Trap)
        m.ends |= m.always_traps
        if m.leaf is not None and not m.leaf.family.partial:
            stores_before_faults(m)


def merge(old: E, new: E, mask: int) -> E:
    k = v.const(mask, old.ty)
    return v.arith("or", v.arith("and", old, v.not_(k)), v.arith("and", new, k))


def substitute(e: E, lets: dict[str, E]) -> E:
    if e.op == "local" and e.k in lets:
        return substitute(lets[e.k], lets)
    if not e.a:
        return e
    return E(e.op, e.ty, tuple(substitute(x, lets) for x in e.a), e.k, e.bt, e.imm)


def prune(body: list, used: set[str] | None = None) -> list:
    """Drops values that nothing uses. Reverse order: a local is set before it is used."""
    used = set() if used is None else used

    def need(e: E) -> None:
        if e.op == "local":
            used.add(e.k)
        for x in e.a:
            need(x)

    def run(stmts: list) -> list:
        out = []
        for s in reversed(stmts):
            if isinstance(s, (tir.Let, tir.Set, tir.Var)) and s.id not in used:
                continue
            if isinstance(s, tir.If):
                s.other, s.then = run(s.other), run(s.then)
                if not s.then and not s.other:
                    continue
            for e in tir.exprs(s):
                need(e)
            out.append(s)
        out.reverse()
        return out
    return run(body)


_FAULTS = {"load", "store", "rmw", "cas", "load_ex", "store_ex", "fill", "sysread", "syswrite"}


def stores_before_faults(m: Meaning) -> None:
    """A store followed by a possible fault needs `probe` before it or `partial: ok`."""
    def run(stmts: list, stored: bool, probed: bool) -> tuple[bool, bool]:
        for s in stmts:
            if isinstance(s, tir.If):
                a = run(s.then, stored, probed)
                b = run(s.other, stored, probed)
                stored, probed = a[0] or b[0], a[1] or b[1]
            elif isinstance(s, tir.Commit):
                stored = False
            elif isinstance(s, tir.Eff) and s.kind == "probe":
                probed = True
            elif stored and not probed and (isinstance(s, tir.Trap) or isinstance(s, tir.Eff) and s.kind in _FAULTS):
                raise DescError(m.leaf.family.do or m.leaf.where,
                                f"{m.leaf.name}: a store is followed by a possible fault: probe first, or say `partial: ok`")
            if isinstance(s, tir.Eff) and s.kind in ("store", "fill"):
                stored = True
        return stored, probed
    run(m.body, False, False)


def lets(n) -> list[Let]:
    """Every `let` of a parsed text."""
    if isinstance(n, Let):
        return [n]
    parts = n if isinstance(n, (list, tuple)) else vars(n).values() if hasattr(n, "__dict__") else \
        [getattr(n, k) for k in getattr(n, "__slots__", ())] if isinstance(n, Node) else ()
    return [x for p in parts for x in lets(p)]


WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*'?")


def unused_lets(body: Text, more: set[str]) -> None:
    """A `let` none of whose names is mentioned again, in the text or in the columns spliced into it, is a mistake."""
    words = Counter(WORD.findall(re.sub(r"#(?!\{).*", "", body.s)))
    for s in lets(parse_body(body)):
        words.subtract(s.names)
    for s in lets(parse_body(body)):
        if not any(words[n] > 0 or n in more for n in s.names):
            raise fail(s, f"{', '.join(repr(n) for n in s.names)} is never used")


def unused(isa: Isa) -> None:
    for f in isa.families.values():
        if f.do is not None:
            texts = [t for leaf in isa.leaves if leaf.family is f for t in [*leaf.columns.values(), *leaf.lets.values()]]
            for body in (f.do, f.fast):
                if body is not None:
                    unused_lets(body, {w for t in texts for w in WORD.findall(t.s)})
    for d in isa.defs.values():
        if not is_expression(d.body):
            unused_lets(d.body, set())


def check(isa: Isa) -> Checked:
    """Checks everything; DescError at the first fault."""
    unused(isa)
    c = Checker(isa)
    out = Checked([], {}, {})
    for leaf in isa.leaves:
        out.leaves.append(c.leaf(leaf))
        out.operands[leaf.id] = {name: c.operand_expr(leaf, name) for name in leaf.operands}
        out.reserved[leaf.id] = [c.translate(leaf, t, tir.B1) for t in leaf.reserved]
    for name, reg in isa.sysregs.items():
        out.reads[name] = c.sysreg(reg, "read")
        out.writes[name] = c.sysreg(reg, "write")
    if isa.sysregs:
        out.undefined = c.undefined()
    return out
