"""The checker: a leaf's meaning, name by name, to the typed tree. Resolves names, widths, binding times, views and
defs; refuses what the language refuses, with place and expression. This file holds the statements; scopes are in `scope.py`,
expressions in `expr.py`, built-in functions in `builtins.py`, effects on memory and registers in `effects.py`."""
from __future__ import annotations

from . import effects, tir, values as v
from .expr import Expressions
from .kinds import NEVER, NeedWidth, Struct, Tup, Value, fail
from .syntax import Assign, Call, Do, For, If, Let, MatchS, Node, Return, Simple
from .tir import RUN, E, Oversize, Ty, sized

_GO_ON = object()


class Body(Expressions):
    """Checks one body."""

    def block(self, stmts: list[Node], want: Ty | None = None) -> Value:
        """Runs statements in a new scope; the value returned, None, or NEVER."""
        self.scopes.append({})
        try:
            return self.run(stmts, 0, want)
        finally:
            self.scopes.pop()

    def run(self, stmts: list[Node], i: int, want: Ty | None) -> Value:
        while i < len(stmts):
            s = stmts[i]
            i += 1
            self.effects = 0
            if isinstance(s, Return):
                return self.ev(s.e, want)
            if isinstance(s, If):
                c = self.decides(s.c, self.truth(s.c))
                self.one_effect(s.c)
                if c.op == "const":
                    case = s.then if c.k else s.other
                    if self.leaves(case):
                        return self.block(case if self._ends(case) else case + stmts[i:], want)
                    if self.block(case) is NEVER:
                        return NEVER
                    continue
                val = self.if_(s, c, stmts, i, want)
                if val is not _GO_ON:
                    return val
                continue
            if isinstance(s, MatchS):
                val = self.match(s, stmts, i, want)
                if val is not _GO_ON:
                    return val
                continue
            try:
                val = self.statement(s)
            except Oversize as e:
                raise fail(s, str(e)) from None
            if val is NEVER:
                if i < len(stmts):
                    raise fail(stmts[i], "this statement is never reached")
                return NEVER
        return None

    def leaves(self, stmts: list[Node]) -> bool:
        """True when a path through stmts returns (not counting traps, restart and done, which end by themselves)."""
        for s in stmts:
            if isinstance(s, Return):
                return True
            if isinstance(s, If) and (self.leaves(s.then) or self.leaves(s.other)):
                return True
            if isinstance(s, MatchS) and any(self.leaves(a) for _, a in s.cases):
                return True
        return False

    def if_(self, s: If, c: E, stmts: list[Node], i: int, want: Ty | None) -> Value:
        if c.bt == RUN or v.depends(c, {"slot"}):
            c = self.bind(c, "c")
        with self.under(c):
            return self.both_cases(s, c, stmts, i, want)

    def both_cases(self, s: If, c: E, stmts: list[Node], i: int, want: Ty | None) -> Value:
        if self.leaves(s.then) or self.leaves(s.other):
            rest = stmts[i:]
            x, xs = self._case(s.then + rest if not self._ends(s.then) else s.then, want)
            y, ys = self._case(s.other + rest if not self._ends(s.other) else s.other, want)
            return self.join(s, c, x, xs, y, ys, want)
        x, xs = self._case(s.then, None)
        y, ys = self._case(s.other, None)
        self.emit(tir.If(c, xs, ys, s.hint))
        if x is NEVER and y is NEVER:
            return NEVER
        return _GO_ON

    def _ends(self, stmts: list[Node]) -> bool:
        return bool(stmts) and isinstance(stmts[-1], Return)

    def _case(self, stmts: list[Node], want: Ty | None) -> tuple[Value, list]:
        outer = self.sub()
        try:
            return self.block(stmts, want), self.out
        finally:
            self.out = outer

    def match(self, s: MatchS, stmts: list[Node], i: int, want: Ty | None) -> Value:
        e = self.decides(s.e, self.scalar(s.e))
        self.one_effect(s.e)
        if e.op != "const":
            e = self.bind(e, "m")
        cases = self.cases(s, e, s.cases)
        if any(self.leaves(a) for _, a in cases):
            raise fail(s, "return inside a match statement: use a match expression")
        def rest(k: int) -> None:
            c, case = cases[k]
            if v.is_const(c, 1):
                self.block(case)
                return
            _, xs = self._case(case, None)
            outer = self.sub()
            rest(k + 1)
            ys, self.out = self.out, outer
            self.emit(tir.If(c, xs, ys))
        with self.under(e):
            rest(0)
        return _GO_ON

    def statement(self, s: Node) -> Value:
        if isinstance(s, Let):
            return self.let(s)
        if isinstance(s, Assign):
            return effects.assign(self, s)
        if isinstance(s, Do):
            val = self.ev(s.call)
            self.one_effect(s, int(isinstance(s.call, Call) and self.alias(s.call.fn) in effects.OWN))
            return NEVER if val is NEVER else None
        if isinstance(s, Simple):
            self.emit({"commit": tir.Commit, "restart": tir.Restart, "done": tir.Done}[s.word]())
            return None if s.word == "commit" else NEVER
        if isinstance(s, For):
            lo, hi = self.build_int(s.lo, "the bounds of a loop"), self.build_int(s.hi, "the bounds of a loop")
            for k in range(lo, lo + sized(max(hi - lo, 0), "the rounds of a loop")):
                self.scopes.append({s.var: v.const(k)})
                try:
                    self.block(s.body)
                finally:
                    self.scopes.pop()
            return None
        raise fail(s, "unexpected statement")

    def let(self, s: Let) -> Value:
        try:
            val = self.ev(s.e)
        except NeedWidth as w:
            raise fail(w.node, "the width of this extension is not known here: state it, as in sext.64(x)") from None
        if val is NEVER:
            return NEVER
        if val is None:
            raise fail(s, "this has no value")
        self.one_effect(s)
        items = val.items if isinstance(val, Tup) else [val]
        if isinstance(val, Struct) and len(s.names) > 1:
            items = list(val.parts.values())
        if len(items) != len(s.names):
            raise fail(s, f"{len(s.names)} names for {len(items)} value{'s' * (len(items) != 1)}")
        for name, item in zip(s.names, items):
            if name in self.scopes[-1]:
                raise fail(s, f"'{name}' is already defined here")
            item = self.bind_value(item, name)
            self.scopes[-1][name] = item
        return None
