"""Scopes of the checker: what a name means in a leaf, where statements go, how values are kept in locals, which effects happened."""
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import tir, values as v
from .kinds import Tree, Value, fail
from .model import Isa, Leaf, SysReg
from .syntax import Name, Node, parse_expr
from .tir import B, RUN, TRANSLATE, E, Ty

if TYPE_CHECKING:
    from .meaning import Checker


class Scope:
    """The state of checking one body. `out` receives the statements."""

    def __init__(self, isa: Isa, leaf: Leaf | None = None, sysreg: SysReg | None = None, checker: "Checker | None" = None) -> None:
        self.isa, self.leaf, self.sysreg, self.checker = isa, leaf, sysreg, checker
        self.out: list = []
        self.prologue: list = []
        self.guards: set[str] = set()
        self.scopes: list[dict[str, Value]] = [{}]
        self.count = 0
        self.effects = 0                                # of the statement at hand
        self.all_effects = 0
        self.conditional = 0                            # depth of branches that run-time values choose
        self.undef: set[str] = set()                    # locals with undefined bits
        self.depth = 0
        self.field_map: dict[str, E] | None = None      # operands bound by `is`
        self.decode_time = False                        # operands and conditions: no run-time value exists yet
        self.fast = False                               # a meaning for the lifter alone, which may use operations of the IR

    # ---- emission --------------------------------------------------------------------------------------------------
    def emit(self, s) -> None:
        self.out.append(s)

    def effect(self) -> None:
        """Counts a memory access, system-register access or helper call."""
        self.effects += 1
        self.all_effects += 1

    def one_effect(self, n: Node, own: int = 0) -> None:
        """At most one effect per expression; `own` is the statement's."""
        if self.effects > 1 + own:
            raise fail(n, "two effects in one expression: give each its own `let`")

    def undefined(self, e: E) -> bool:
        return e.op == "undef" or e.op == "local" and e.k in self.undef or any(self.undefined(x) for x in e.a)

    def decides(self, n: Node, c: E) -> E:
        """A condition must not depend on undefined bits: engines would take different paths."""
        if self.undefined(c):
            raise fail(n, "an undefined value decides what happens next")
        return c

    @contextmanager
    def under(self, c: E):
        """What is evaluated inside depends on c."""
        self.conditional += c.bt == RUN
        try:
            yield
        finally:
            self.conditional -= c.bt == RUN

    def fresh(self, hint: str) -> str:
        self.count += 1
        return f"{hint.replace(chr(39), '')}_{self.count}"

    def local(self, ty: Ty, hint: str = "t") -> E:
        return E("local", ty, (), self.fresh(hint), RUN)

    def bind(self, e: E, hint: str) -> E:
        """The value of e now, as something that later writes cannot change."""
        if e.op in ("const", "local", "field", "operand", "raw", "has") or (e.bt <= TRANSLATE and not v.depends(e, {"slot"})):
            return e
        if e.ty.kind == "vec" or e.ty.bits > 128:
            ty = e.ty if e.ty.kind == "vec" else Ty("vec", e.ty.bits // 64, B(64))
            lanes = tuple(self.bind(v.lane(v.cast(e, ty), i), f"{hint}{i}") for i in range(ty.n))
            return v.cast(E("vec", ty, lanes, None, v.bt_of(lanes)), e.ty) if ty == e.ty else E("vec", ty, lanes, None, RUN)
        r = E("local", e.ty, (), self.fresh(hint), e.bt)
        if self.undefined(e):
            self.undef.add(r.k)
        self.emit(tir.Let(r.k, e))
        return r

    def sub(self) -> list:
        """Starts a nested statement list; returns the outer one for `self.out = outer`."""
        outer, self.out = self.out, []
        return outer

    # ---- names -----------------------------------------------------------------------------------------------------
    def find(self, name: str) -> Value | None:
        for s in reversed(self.scopes):
            if name in s:
                return s[name]
        return self.leaf_name(name)

    def leaf_name(self, name: str) -> Value | None:
        leaf = self.leaf
        if leaf is None:
            return None
        if name in leaf.columns and name != "name":
            self.use("column", leaf.family.name, name)
            t = leaf.columns[name]
            return Tree(t, parse_expr(t))
        if name in leaf.lets:
            self.use("let", leaf.family.name, name)
            t = leaf.lets[name]
            return Tree(t, parse_expr(t))
        if self.field_map is not None and name in self.field_map:
            return self.field_map[name]
        if name in leaf.operands and not (self.decode_time == name):
            self.use("operand", leaf.family.name, name)
            return self.checker.operand(leaf, name)
        if name in leaf.axes:
            return v.const(leaf.axes[name][1])
        if name in leaf.fields:
            self.use("field", leaf.family.name, name)
            if self.field_map is not None:
                return v.const(0, B(self.checker.field_bits(leaf, name)))
            return E("field", B(self.checker.field_bits(leaf, name)), (), name, TRANSLATE, True)
        if leaf.form is not None:
            return self.checker.form_name(self, leaf, name)
        return None

    @contextmanager
    def within(self, tree: Tree):
        """Names mean what they meant where the tree was written."""
        saved = self.scopes
        if tree.scopes is not None:
            self.scopes = tree.scopes
        try:
            yield
        finally:
            self.scopes = saved

    def use(self, kind: str, owner: str, name: str) -> None:
        if self.checker:
            self.checker.used.add((kind, owner, name))

    def alias(self, name: str) -> str:
        """Follows columns that are just another name (views, functions, operations given in a table)."""
        for _ in range(8):
            val = self.find(name)
            if isinstance(val, Tree) and isinstance(val.node, Name):
                if val.node.name == name:
                    return name
                name = val.node.name
            else:
                return name
        return name
