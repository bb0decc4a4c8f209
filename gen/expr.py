"""Expressions of the checker: syntax tree to typed tree, widths inferred from context, conditions on what is known folded away."""
from __future__ import annotations

from . import builtins, effects, tir, values as v
from .kinds import NEVER, NeedWidth, Struct, Tree, Tup, Value, fail
from .model import DescError
from .scope import Scope
from .syntax import (Attr, Binary, Call, Cast, Comp, Cond, Index, MatchE, MatchS, Name, Node, Num, Return, SliceE, TupleE,
                     TypeE, Unary, is_expression, parse_body, parse_expr)
from .tir import B, B1, INT, RUN, TRANSLATE, E, Oversize, Ty, sized

_ARITH = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
_COMPARE = {"==": ("eq", 0), "!=": ("ne", 0), "<u": ("ltu", 0), "<=u": ("leu", 0), ">u": ("ltu", 1), ">=u": ("leu", 1),
            "<s": ("lts", 0), "<=s": ("les", 0), ">s": ("lts", 1), ">=s": ("les", 1)}
_SHIFT = {"<<": "shl", ">>u": "shru", ">>s": "shrs"}


class Expressions(Scope):
    """`ev` gives the value of any expression; what has an effect goes to `out`."""

    def ev(self, n: Node, want: Ty | None = None) -> Value:
        try:
            return getattr(self, "ev_" + type(n).__name__)(n, want)
        except Oversize as e:
            raise fail(n, str(e)) from None

    def scalar(self, n: Node, want: Ty | None = None) -> E:
        val = self.ev(n, want)
        if val is NEVER:
            raise fail(n, "this expression always traps")
        if isinstance(val, Tup) and len(val.items) == 1:
            val = val.items[0]
        if not isinstance(val, E):
            raise fail(n, f"a single value is needed here, not {self.show(val)}")
        return val

    def show(self, val: Value) -> str:
        if isinstance(val, E):
            return str(val.ty)
        if isinstance(val, Tup):
            return f"a tuple of {len(val.items)}"
        if isinstance(val, Struct):
            return f"a {val.name} bundle"
        return "no value"

    def typed(self, n: Node, ty: Ty) -> E:
        """The expression as a value of exactly type ty."""
        try:
            return self.coerce(self.scalar(n, ty), ty, n)
        except NeedWidth as w:
            raise fail(w.node, "the width of this extension is not known here: state it, as in sext.64(x)") from None

    def coerce(self, e: E, ty: Ty, n: Node) -> E:
        if e.ty == ty:
            return e
        if e.ty.kind == "int" and ty.kind == "b":
            if e.op == "const" and not -(1 << (ty.n - 1) if ty.n else 1) <= e.k < (1 << ty.n):
                raise fail(n, f"literal {e.k} does not fit in {ty}")
            return v.itob(e, ty.n)
        if ty.kind == "int" and e.ty.kind == "b" and e.bt <= TRANSLATE:
            return v.btoi(e)
        if e.ty.kind == "f" and ty.kind == "f" or {e.ty.kind, ty.kind} == {"f", "b"}:
            raise fail(n, f"{e.ty} where {ty} is needed: convert with cvt or reinterpret with `as`")
        raise fail(n, f"width mismatch: {e.ty} where {ty} is needed")

    def truth(self, n: Node) -> E:
        e = self.scalar(n, B1)
        if e.ty.kind == "int":
            return v.const(int(e.k != 0), B1) if e.op == "const" else v.compare("ne", e, v.const(0))
        if e.ty != B1:
            raise fail(n, f"a condition must be one bit wide, this is {e.ty}")
        return e

    def build_int(self, n: Node, what: str) -> int:
        e = self.scalar(n, INT)
        if e.op != "const":
            raise fail(n, f"{what} must be known when the description is compiled")
        return e.k

    def translate_int(self, n: Node, what: str) -> E:
        e = self.scalar(n, INT)
        if e.bt > TRANSLATE:
            raise fail(n, f"{what} must be known at translation time, this is a run-time value")
        return e

    def bare(self, n: Node) -> bool:
        """True when the node takes its width from the other side of an operator."""
        if isinstance(n, Num):
            return n.width is None
        if isinstance(n, Call):
            return n.fn in ("sext", "zext", "trunc") and n.width is None and self.find(n.fn) is None or n.fn == "undef" and self.bare(n.args[0])
        if isinstance(n, Unary):
            return n.op != "!" and self.bare(n.e)
        if isinstance(n, Binary):
            if n.op in _COMPARE or n.op in ("&&", "||", "++"):
                return False
            return self.bare(n.a) and (n.op in _SHIFT or self.bare(n.b))
        if isinstance(n, Cond):
            return self.bare(n.a) and self.bare(n.b)
        if isinstance(n, Name):
            val = self.find(n.name)
            if isinstance(val, Tree):
                with self.within(val):
                    return self.bare(val.node)
            if isinstance(val, E):
                return val.ty.kind == "int"
        return False

    def ev_Num(self, n: Num, want: Ty | None) -> Value:
        return v.const(n.value, B(n.width)) if n.width else v.const(n.value)

    def ev_Name(self, n: Name, want: Ty | None) -> Value:
        name = n.name
        val = self.find(name)
        if isinstance(val, Tree):
            if isinstance(val.node, Name) and val.node.name == name:
                return effects.read_name(self, n, name, want)
            self.depth += 1
            if self.depth > 40:
                raise fail(n, f"'{name}' refers to itself")
            try:
                with self.within(val):
                    return self.ev(val.node, want)
            finally:
                self.depth -= 1
        if val is not None:
            return val if isinstance(val, (E, Struct, Tup)) else val.read(self)
        return effects.read_name(self, n, name, want)

    def ev_TupleE(self, n: TupleE, want: Ty | None) -> Value:
        return Tup([self.ev(x, want) for x in n.items])

    def ev_Unary(self, n: Unary, want: Ty | None) -> Value:
        if n.op == "!":
            return v.not_(self.truth(n.e))
        e = self.scalar(n.e, want)
        if n.op == "~":
            if e.ty.kind == "int" and e.op != "const" and want and want.kind == "b":
                e = self.coerce(e, want, n)
            return v.not_(e) if e.ty.kind in ("b", "int") else self._bad(n, e)
        if e.ty.kind == "f":
            return v.cast(v.arith("xor", v.cast(e, B(e.ty.n)), v.const(1 << (e.ty.n - 1), B(e.ty.n))), e.ty)
        if e.ty.kind == "b" and e.imm:
            e = v.btoi(e)
        return v.neg(e)

    def _bad(self, n: Node, e: E) -> E:
        raise fail(n, f"this operator does not apply to {e.ty}")

    def ev_Binary(self, n: Binary, want: Ty | None) -> Value:
        op = n.op
        if op in ("&&", "||"):
            a = self.truth(n.a)
            if a.op == "const":                       # a Build condition: the other side need not even make sense
                if bool(a.k) == (op == "||"):
                    return a
                return self.truth(n.b)
            before = len(self.out)
            b = self.truth(n.b)
            if any(isinstance(s, tir.Eff) for s in self.out[before:]):
                raise fail(n.b, "an effect on the right of && or || would not be conditional: use `if`")
            return v.arith("and" if op == "&&" else "or", a, b)
        if op == "++":
            parts = []
            for x in (n.a, n.b):
                e = self.scalar(x)
                if e.ty.kind == "f":
                    e = v.cast(e, B(e.ty.n))
                if e.ty.kind == "vec":
                    e = v.cast(e, B(e.ty.bits))
                if e.ty.kind != "b":
                    raise fail(x, "the width of a part of ++ must be known")
                parts.append(e)
            return v.concat(parts)
        if op in _SHIFT:
            a = self.scalar(n.a, want)
            s = self.scalar(n.b)
            if (a.ty.kind == "int" or a.imm) and s.bt <= TRANSLATE and op != ">>s":
                if a.ty.kind == "int" or op == "<<":
                    return v.shift(_SHIFT[op], v.btoi(a), v.btoi(s))
            if a.ty.kind == "int":
                if want is None or want.kind != "b":
                    raise fail(n.a, "the width of what is shifted is not known here")
                a = self.coerce(a, want, n.a)
            if a.ty.kind != "b":
                raise fail(n.a, f"only bits can be shifted, this is {a.ty}")
            return v.shift(_SHIFT[op], a, s)
        compare = op in _COMPARE
        hint = None if compare else want
        if self.bare(n.a) and not self.bare(n.b):
            b = self.scalar(n.b, hint)
            a = self.scalar(n.a, b.ty if b.ty.kind == "b" else hint)
        else:
            a = self.scalar(n.a, hint)
            b = self.scalar(n.b, a.ty if a.ty.kind != "int" else hint)
        if op in ("/", "%") or (op in ("+", "-", "*") and a.bt <= TRANSLATE and b.bt <= TRANSLATE and
                                ((a.ty.kind == "int" or a.imm) and (b.ty.kind == "int" or b.imm))):
            a, b = self._int(a, n.a), self._int(b, n.b)
            if op in ("/", "%"):
                if v.is_const(b, 0):
                    raise fail(n, "division by zero")
                return v.intdiv("div" if op == "/" else "mod", a, b)
            return v.arith(_ARITH[op], a, b)
        if a.ty.kind == "int" and b.ty.kind == "b":
            if compare and b.bt <= TRANSLATE and a.op != "const":
                b = v.btoi(b)
            else:
                a = self.coerce(a, b.ty, n.a)
        elif b.ty.kind == "int" and a.ty.kind == "b":
            if compare and a.bt <= TRANSLATE and b.op != "const":
                a = v.btoi(a)
            else:
                b = self.coerce(b, a.ty, n.b)
        if a.ty.kind == "f" or b.ty.kind == "f":
            raise fail(n, "use fadd, fmul, flt … on floating-point values")
        if a.ty.kind == "vec" or b.ty.kind == "vec":
            if a.ty != b.ty or op not in ("&", "|", "^"):
                raise fail(n, f"operator {op} does not apply to {a.ty} and {b.ty}: use a comprehension")
            lanes = tuple(v.arith(_ARITH[op], v.lane(a, i), v.lane(b, i)) for i in range(a.ty.n))
            return E("vec", a.ty, lanes, None, v.bt_of(lanes))
        if a.ty != b.ty:
            raise fail(n, f"width mismatch: {a.ty} {op} {b.ty}")
        if compare:
            name, swap = _COMPARE[op]
            return v.compare(name, b, a) if swap else v.compare(name, a, b)
        return v.arith(_ARITH[op], a, b)

    def _int(self, e: E, n: Node) -> E:
        if e.bt > TRANSLATE:
            raise fail(n, "/ and % work on values known at translation time; use divu, divs, remu, rems")
        return v.btoi(e)

    def ev_Cond(self, n: Cond, want: Ty | None) -> Value:
        c = self.decides(n.c, self.truth(n.c))
        if c.op == "const":
            return self.ev(n.a if c.k else n.b, want)
        with self.under(c):
            return self.choose(n, c, want)

    def choose(self, n: Cond, c: E, want: Ty | None) -> Value:
        first, second = (n.b, n.a) if self.bare(n.a) and not self.bare(n.b) else (n.a, n.b)
        x, xs = self.branch(first, want)
        hint = want
        if isinstance(x, E) and x.ty.kind != "int":
            hint = x.ty
        y, ys = self.branch(second, hint)
        if first is n.a:
            return self.join(n, c, x, xs, y, ys, want)
        return self.join(n, c, y, ys, x, xs, want)

    def branch(self, n: Node, want: Ty | None) -> tuple[Value, list]:
        outer = self.sub()
        try:
            val = self.ev(n, want)
            return val, self.out
        finally:
            self.out = outer

    def join(self, n: Node, c: E, x: Value, xs: list, y: Value, ys: list, want: Ty | None = None) -> Value:
        """The value of `if c then x else y` whose evaluation makes the statements xs and ys."""
        if x is NEVER or y is NEVER:
            if x is NEVER and y is NEVER:
                self.emit(tir.If(c, xs, ys))
                return NEVER
            self.emit(tir.If(c if x is NEVER else v.not_(c), xs if x is NEVER else ys, []))
            self.out += ys if x is NEVER else xs
            return y if x is NEVER else x
        if (x is None) != (y is None):
            raise fail(n, "not every path gives a value")
        if all(isinstance(s, tir.Let) for s in xs + ys):
            self.out += xs + ys
            return self.merge(n, c, x, y, want)
        if x is None and y is None:
            self.emit(tir.If(c, xs, ys))
            return None
        # effects on a path: the value goes through a variable
        def walk(p: Value, q: Value) -> Value:
            if isinstance(p, Tup) and isinstance(q, Tup) and len(p.items) == len(q.items):
                return Tup([walk(i, j) for i, j in zip(p.items, q.items)])
            if isinstance(p, Struct) and isinstance(q, Struct):
                return Struct(p.name, {k: walk(p.parts[k], q.parts[k]) for k in p.parts})
            if not isinstance(p, E) or not isinstance(q, E):
                raise fail(n, f"the branches give {self.show(p)} and {self.show(q)}")
            p, q = self.same(n, p, q, want)
            t = self.local(p.ty, "r")
            self.emit(tir.Var(t.k, t.ty))
            if self.undefined(p) or self.undefined(q):
                self.undef.add(t.k)
            xs.append(tir.Set(t.k, p))
            ys.append(tir.Set(t.k, q))
            return t
        val = walk(x, y)
        self.emit(tir.If(c, xs, ys))
        return val

    def same(self, n: Node, x: E, y: E, want: Ty | None) -> tuple[E, E]:
        if x.ty.kind == "int" and y.ty.kind == "int":
            if want is not None and want.kind == "b" and (x.bt == RUN or y.bt == RUN):
                return self.coerce(x, want, n), self.coerce(y, want, n)
            return x, y
        if x.ty.kind == "int":
            x = self.coerce(x, y.ty, n)
        if y.ty.kind == "int":
            y = self.coerce(y, x.ty, n)
        if x.ty != y.ty:
            raise fail(n, f"width mismatch: the branches are {x.ty} and {y.ty}")
        return x, y

    def merge(self, n: Node, c: E, x: Value, y: Value, want: Ty | None = None) -> Value:
        if isinstance(x, Tup) and isinstance(y, Tup) and len(x.items) == len(y.items):
            return Tup([self.merge(n, c, i, j) for i, j in zip(x.items, y.items)])
        if isinstance(x, Struct) and isinstance(y, Struct) and x.parts.keys() == y.parts.keys():
            return Struct(x.name, {k: self.merge(n, c, x.parts[k], y.parts[k]) for k in x.parts})
        if not isinstance(x, E) or not isinstance(y, E):
            raise fail(n, f"the branches give {self.show(x)} and {self.show(y)}")
        x, y = self.same(n, x, y, want)
        if x.ty.kind == "int" and c.bt > TRANSLATE:
            if want is None or want.kind != "b":
                raise fail(n, "the width of the branches is not known here")
            x, y = self.coerce(x, want, n), self.coerce(y, want, n)
        return v.sel(c, x, y)

    def patterns(self, e: E, pats: list[Node]) -> E:
        c = v.FALSE
        for p in pats:
            k = self.scalar(p, e.ty) if not self._axis_key(e, p) else v.const(self._axis_key(e, p)[0])
            if e.ty.kind == "b":
                k = self.coerce(k, e.ty, p)
            elif k.ty.kind == "b":
                k = v.btoi(k)
            c = v.arith("or", c, v.compare("eq", e, k))
        return c

    def _axis_key(self, e: E, p: Node) -> tuple[int] | None:
        if self.leaf and isinstance(p, Name) and self._match_axis:
            axis = self.leaf.family.axes.get(self._match_axis) or {}
            if p.name in axis:
                return (int(axis[p.name]["bits"].s, 2) if "bits" in axis[p.name] else list(axis).index(p.name),)
        return None

    _match_axis: str | None = None

    def cases(self, n: MatchE | MatchS, e: E, cases: list) -> list[tuple[E, object]]:
        """(condition, case) pairs; the last condition is TRUE. Checks that every value has a case."""
        old, self._match_axis = self._match_axis, n.e.name if isinstance(n.e, Name) else None
        try:
            out: list[tuple[E, object]] = []
            for pats, case in cases:
                c = v.TRUE if pats is None else self.patterns(e, pats)
                if v.is_const(c, 0):
                    continue
                out.append((c, case))
                if v.is_const(c, 1):
                    return out
            covered = sum(len(p) for p, _ in cases if p)
            if e.ty.kind == "b" and e.op != "const" and covered == 1 << e.ty.n:
                out[-1] = (v.TRUE, out[-1][1])
                return out
        finally:
            self._match_axis = old
        raise fail(n, f"match does not cover every value of {e.ty}: add a `_` case")

    def ev_MatchE(self, n: MatchE, want: Ty | None) -> Value:
        e = self.decides(n.e, self.scalar(n.e))
        if not (e.op == "const"):
            e = self.bind(e, "m")
        cases = self.cases(n, e, n.cases)
        with self.under(e):
            return self.choose_match(n, cases, want)

    def choose_match(self, n: MatchE, cases: list, want: Ty | None) -> Value:
        if want is None:
            for _, x in cases:
                if not self.bare(x):
                    probe, _ = self.branch(x, None)
                    if isinstance(probe, E) and probe.ty.kind != "int":
                        want = probe.ty
                    break

        def rest(i: int) -> Value:
            c, case = cases[i]
            if v.is_const(c, 1):
                return self.ev(case, want)
            x, xs = self.branch(case, want)
            outer = self.sub()
            y = rest(i + 1)
            ys, self.out = self.out, outer
            return self.join(n, c, x, xs, y, ys, want)
        return rest(0)

    def ev_Call(self, n: Call, want: Ty | None) -> Value:
        fn = n.fn
        val = self.find(fn)
        if isinstance(val, Tree):
            if isinstance(val.node, Name):
                fn = self.alias(fn)
            elif not n.args:
                return self.ev(val.node, want)
            else:
                raise fail(n, f"'{fn}' is an expression, not a function")
        elif val is not None:
            raise fail(n, f"'{fn}' is a value, not a function")
        if fn in builtins.TYPED:
            return builtins.TYPED[fn](self, Call(n.pos, fn, n.width, n.args, n.kwargs), want)
        width = None if n.width is None else self.build_int(n.width, "the width of an operation")
        if fn in self.isa.defs:
            return self.call_def(n, fn, width, want)
        if fn in self.isa.flags:
            return self.bundle(n, fn)
        if fn in self.isa.helpers:
            return effects.helper(self, n, fn)
        handler = builtins.TABLE.get(fn) or effects.TABLE.get(fn)
        if handler is None:
            raise fail(n, f"unknown function '{fn}'")
        return handler(self, Call(n.pos, fn, n.width, n.args, n.kwargs), width, want)

    def bundle(self, n: Call, name: str) -> Struct:
        """NZCV(N=…, …): every flag given, or `NZCV(old, C=…)` is not in the language: all must be named."""
        members = self.isa.flags[name]
        for k in n.kwargs:
            if k not in members:
                raise fail(n.kwargs[k], f"'{k}' is not a flag of {name}")
        missing = [m for m in members if m not in n.kwargs]
        if missing or n.args:
            raise fail(n, f"{name}(…) must give every flag by name; missing: {' '.join(missing)}")
        return Struct(name, {m: self.typed(n.kwargs[m], B1) for m in members})

    def call_def(self, n: Call, fn: str, width: int | None, want: Ty | None) -> Value:
        d = self.isa.defs[fn]
        self.use("def", "", fn)
        params = d.params or []
        if len(n.args) + len(n.kwargs) != len(params):
            raise fail(n, f"{fn} takes {len(params)} argument{'s' * (len(params) != 1)}, {len(n.args) + len(n.kwargs)} given")
        scope: dict[str, Value] = {}
        for i, p in enumerate(params):
            arg = n.args[i] if i < len(n.args) else n.kwargs.get(p)
            if arg is None:
                raise fail(n, f"{fn} lacks its argument '{p}'")
            scope[p] = self.argument(arg, p, want)
        if width is not None:
            scope["W"] = v.const(width)
        self.depth += 1
        if self.depth > 40:
            raise fail(n, f"'{fn}' calls itself")
        self.scopes.append(scope)
        try:
            if is_expression(d.body):
                return self.ev(parse_expr(d.body), want)
            before, total = self.effects, self.all_effects
            val = self.block(parse_body(d.body), want)
            self.effects = before + (self.all_effects > total)
            if val is None and any(isinstance(s, Return) for s in parse_body(d.body)):
                raise fail(n, f"{fn}: not every path returns a value")
            return val
        finally:
            self.scopes.pop()
            self.depth -= 1

    def argument(self, arg: Node, p: str, want: Ty | None) -> Value:
        if isinstance(arg, Name):                       # an operand that is written through, a name of an operation
            val = self.find(arg.name)
            if val is not None and not isinstance(val, (E, Struct, Tup, Tree)):
                return val
            a = self.alias(arg.name)
            if a in effects.RMW or a in effects.WORDS and effects.read_slot(self, a) is None:
                return Tree(arg.pos[0], Name(arg.pos, a))
        if self.bare(arg) and not isinstance(arg, Num):
            try:
                val = self.ev(arg, None)
                if isinstance(val, E) and val.op == "const":
                    return val
            except (NeedWidth, DescError):
                pass
            return Tree(arg.pos[0], arg, list(self.scopes))
        return self.bind_value(self.ev(arg, None), p)

    def bind_value(self, val: Value, hint: str) -> Value:
        if isinstance(val, E):
            return self.bind(val, hint)
        if isinstance(val, Tup):
            return Tup([self.bind_value(x, hint) for x in val.items])
        if isinstance(val, Struct):
            return Struct(val.name, {k: self.bind_value(x, f"{hint}_{k}") for k, x in val.parts.items()})
        return val

    def ev_Index(self, n: Index, want: Ty | None) -> Value:
        if isinstance(n.e, Name):
            name = self.alias(n.e.name)
            if name == "sys" and self.find("sys") is None:
                return effects.sys_read(self, n)
            if name in self.isa.views and not isinstance(self.find(name), E):
                return effects.view_read(self, n, name, self._width(n))
        if n.width is not None:
            n = Index(n.pos, Attr(n.pos, n.e, n.width.name if isinstance(n.width, Name) else n.width), n.i, None)
        e = self.scalar(n.e)
        if e.ty.kind == "vec":
            i = self.scalar(n.i, INT)
            if i.op != "const":
                if i.bt > TRANSLATE:
                    raise fail(n.i, "a lane must be known at translation time: use lookup")
                return self.select_lane(e, i)
            if not 0 <= i.k < e.ty.n:
                raise fail(n.i, f"lane {i.k} of {e.ty}")
            return v.lane(e, i.k)
        if e.ty.kind == "int":
            i = self.scalar(n.i, INT)
            return v.const(e.k >> i.k & 1, B1) if e.op == i.op == "const" else \
                v.node("itob", B1, (v.shift("shru", e, v.btoi(i)),))
        if e.ty.kind != "b":
            raise fail(n, f"{e.ty} cannot be indexed")
        i = self.scalar(n.i)
        if i.op == "const" and not 0 <= i.k < e.ty.n:
            raise fail(n.i, f"bit {i.k} of {e.ty}")
        return v.bit_at(e, i)

    def select_lane(self, e: E, i: E) -> E:
        lanes = tuple(v.lane(e, k) for k in range(e.ty.n))
        return E("lookup", e.ty.elem, lanes + (i, lanes[0]), None, v.bt_of(lanes + (i,)))

    def _width(self, n: Index) -> int | None:
        return None if n.width is None else self.build_int(n.width, "the parameter of a view")

    def ev_SliceE(self, n: SliceE, want: Ty | None) -> Value:
        e = self.scalar(n.e)
        hi, lo = self.build_int(n.hi, "the bounds of a slice"), self.build_int(n.lo, "the bounds of a slice")
        if e.ty.kind == "int" and not 0 <= lo <= hi:
            raise fail(n, f"[{hi}:{lo}] is no slice")
        if e.ty.kind == "int" and e.op == "const":
            return v.const(e.k >> lo, B(hi - lo + 1))
        if e.ty.kind == "int":
            return v.bits(v.itob(e, hi + 1), lo, hi - lo + 1)
        if not 0 <= lo <= hi < e.ty.bits:
            raise fail(n, f"[{hi}:{lo}] is no slice of {e.ty}")
        return v.bits(e, lo, hi - lo + 1)

    def ev_Attr(self, n: Attr, want: Ty | None) -> Value:
        if isinstance(n.e, Name):
            val = self.find(n.e.name)
            if val is None:
                return effects.read_field(self, n)
            if not isinstance(val, (E, Struct, Tup, Tree)):
                return val.attr(self, n.name)
        val = self.ev(n.e)
        if isinstance(val, Struct):
            if n.name not in val.parts:
                raise fail(n, f"{val.name} has no part '{n.name}'")
            return val.parts[n.name]
        raise fail(n, f"{self.show(val)} has no part '{n.name}'")

    def type(self, t: TypeE) -> Ty:
        if not t.args and self.find(t.name) is not None:
            t = TypeE(t.pos, self.alias(t.name), [])
        if t.name == "int":
            return INT
        if t.name == "vec":
            return Ty("vec", self.build_int(t.args[0], "the number of lanes"), self.type(t.args[1]))
        if t.args:
            return Ty(t.name, self.build_int(t.args[0], "a width"))
        kind, rest = t.name[0], t.name[1:]
        if kind in "bf" and rest.isdigit():
            return Ty(kind, int(rest))
        if kind in "bf" and rest:
            val = self.ev(Name(t.pos, rest))
            if isinstance(val, E) and val.op == "const":
                return Ty(kind, val.k)
        raise fail(t, f"unknown type '{t.name}'")

    def ev_Cast(self, n: Cast, want: Ty | None) -> Value:
        ty = self.type(n.type)
        e = self.scalar(n.e, B(ty.bits) if ty.kind != "int" else None)
        if ty.kind == "int":
            return v.btoi(e)
        if e.ty.kind == "int":
            e = self.coerce(e, B(ty.bits), n)
        if e.ty.bits != ty.bits:
            raise fail(n, f"`as` keeps the bits: {e.ty} is not as wide as {ty}")
        return v.cast(e, ty)

    def ev_Comp(self, n: Comp, want: Ty | None) -> Value:
        count = sized(self.build_int(n.n, "the number of lanes"), "the number of lanes", 1)
        elem = want.elem if want is not None and want.kind == "vec" else None
        lanes: list[E] = []
        for i in range(count):
            self.scopes.append({n.var: v.const(i)})
            try:
                e = self.scalar(n.e, elem or (lanes[0].ty if lanes else None))
                if e.ty.kind == "int":
                    t = elem or (lanes[0].ty if lanes else None)
                    if t is None:
                        raise fail(n.e, "the width of the lanes is not known here")
                    e = self.coerce(e, t, n.e)
                lanes.append(e)
            finally:
                self.scopes.pop()
        return E("vec", Ty("vec", count, lanes[0].ty), tuple(lanes), None, v.bt_of(lanes))
