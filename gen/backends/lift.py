"""The lifter's C: for each leaf a function that turns a decoded instruction into IR builder calls. What is known at
translation time is plain C, what is known at run time is a builder call; the two never mix because every expression
carries its binding time. Also says how each run-time condition is lowered (the report `lift.txt`).

Leaves with floating point, wide vectors, helpers or conditions that none of the rules fits are lifted by a call of
their interpreter handler, with the reason in the report."""
from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath

from .. import tir, values as v
from ..builtins import flag_bits
from ..expand import ident
from ..model import Isa
from ..tir import B, TRANSLATE, Checked, E, Meaning
from . import cexpr, insn
from .cexpr import ctype
from .interp import Place as InterpPlace
from .liftvec import NoVector, Vectors


def highest(e: E) -> int:
    """A bound of the unsigned value of e: what it cannot exceed."""
    if e.op == "const":
        return e.k
    if e.op == "and":
        return min(highest(x) for x in e.a)
    if e.op in ("zext", "btoi", "itob"):
        return highest(e.a[0])
    return (1 << e.ty.n) - 1 if e.ty.kind == "b" else 1 << 64


MOST_SCALAR = 60        # nodes of a vector that is computed as one wide number
MOST_TEXT = 60000       # characters of one leaf's builder calls


class ByHandler(Exception):
    """The leaf is lifted by calling its interpreter handler; the text says why."""


class Place(InterpPlace):
    """Context slots are read from the translator's copy, which also records that the block depends on them."""

    def slot(self, name: str) -> str:
        return f"lift_context(l, {self.isa.name.upper()}_SLOT_{name})"

    def feature(self, name: str) -> str:
        return f"(l->features >> {list(self.isa.features).index(name)} & 1)"


_BIN = {"add": "IR_ADD", "sub": "IR_SUB", "mul": "IR_MUL", "and": "IR_AND", "or": "IR_OR", "xor": "IR_XOR"}
_CMP = {"eq": "IR_EQ", "ne": "IR_NE", "ltu": "IR_LTU", "leu": "IR_LEU", "lts": "IR_LTS", "les": "IR_LES"}
_SHIFT = {"shl": "IR_SHL", "shru": "IR_SHRU", "shrs": "IR_SHRS", "ror": "IR_ROR", "rol": "IR_ROL"}
_COUNT = {"clz", "ctz", "popcount", "parity", "bswap", "brev", "orc8"}
_DIVIDE = {"divu", "divs", "remu", "rems"}
_FP = {"add": "IR_FADD", "sub": "IR_FSUB", "mul": "IR_FMUL", "div": "IR_FDIV", "sqrt": "IR_FSQRT", "fma": "IR_FMA", "min": "IR_FMIN",
       "max": "IR_FMAX", "eq": "IR_FEQ", "lt": "IR_FLT", "le": "IR_FLE", "cvt": "IR_FCVT", "to_int": "IR_FTOI", "from_int": "IR_ITOF",
       "round_to_int": "IR_FRINT"}
_PACKED = {"add", "sub", "mul", "div", "sqrt", "fma", "min", "max", "eq", "lt", "le", "cmp", "round_to_int"}    # a unit does all lanes
_BAD = {"nanmax": "FP_BAD_SATURATE_NANMAX", "nanzero": "FP_BAD_SATURATE_NANZERO", "indefinite": "FP_BAD_INDEFINITE"}


def branches(stmts: list) -> bool:
    """Is there control flow at run time that needs a way out of its own?"""
    return any(isinstance(x, tir.If) and x.c.bt > TRANSLATE and leaves_line((x.then, x.other)) for x in tir.walk(stmts))


def leaves_line(cases: tuple[list, list]) -> bool:
    return any(isinstance(x, (tir.Jump, tir.Restart, tir.Done)) for a in cases for x in tir.walk(a))


def finished(stmts: list) -> bool:
    """Does nothing run after these statements?"""
    return bool(stmts) and isinstance(stmts[-1], (tir.Trap, tir.Restart, tir.Done))


class Lifter:
    def __init__(self, isa: Isa, place: Place, m: Meaning) -> None:
        self.isa, self.place, self.m = isa, place, m
        self.lines: list[str | Common] = []
        self.types: dict[str, str] = {}     # C types of the locals that are named so far
        self.depth = 1
        self.notes: set[str] = set()
        self.stored = False             # a memory effect happened: an exit can no longer re-run the instruction
        self.side = False               # inside a case that leaves the block
        self.raised: set[str] = set()   # locals that are flags of FP operations: the operations record them
        self.wide: dict[str, tuple[str, int, int]] = {}     # locals that are bits of a wide one: its name, lowest bit, width
        self.lazy: dict[str, E] = {}    # named parts of vectors, rendered where they are used
        self.numbers: set[str] = set()  # system registers that it accesses, as C
        self.vectors = Vectors(self)
        self.patient = self.may_wait()

    def put(self, s: str) -> None:
        if (m := re.match(r"ref (\w+)(\[)?", s)):
            self.types[m[1]] = "" if m[2] else "ref"        # arrays stay where they are
        self.lines.append("  " * self.depth + s)

    # ---- expressions
    def c(self, e: E) -> str:
        return cexpr.render(e, self.place)

    def name(self, slot: str) -> str:
        return f"{self.isa.name.upper()}_SLOT_{slot}"

    def slot(self, file: str, index: E) -> str:
        return f"{self.name(file)} + (unsigned)({self.c(index)})"

    def r(self, e: E) -> str:
        """A builder call that yields a ref: of e's bits for bits, of the float for floats."""
        n = e.ty.bits
        if n > 128:
            raise ByHandler("wider than 128 bits")
        if e.ty.kind == "f":
            return self.f(e)
        if e.bt <= TRANSLATE:
            return f"ir_const{'128' if n > 64 else ''}(l, {n}, {self.c(e)})"
        op, a = e.op, e.a
        if op == "local" and e.k in self.wide:
            name, lo, width = self.wide[e.k]
            return name if n == width else f"ir_slice(l, {width}, {lo}, {n}, {name})"
        if op == "local":
            return self.r(self.lazy[e.k]) if e.k in self.lazy else str(e.k)
        if op == "slot":
            return f"ir_get(l, {self.name(e.k)}, {n})"
        if op == "reg":
            return self.reg(e)
        if op == "reglane":
            file, lo = e.k
            return f"ir_slice(l, {self.isa.files[file].width}, {lo}, {n}, ir_get(l, {self.slot(file, a[0])}, {self.isa.files[file].width}))"
        if op == "pc":
            return "ir_pc(l, 0)"
        if op == "next":
            return "ir_pc(l, d->head.len)"
        if op == "add" and a[0].op == "pc" and a[1].bt <= TRANSLATE:
            return f"ir_pc(l, (int64_t)({self.c(a[1])}))"
        if op in _BIN:
            return f"ir_binary(l, {_BIN[op]}, {n}, {self.r(a[0])}, {self.r(a[1])})"
        if op in ("not", "neg"):
            return f"ir_unary(l, IR_{op.upper()}, {n}, {self.r(a[0])})"
        if op in _SHIFT:
            if a[1].bt <= TRANSLATE:
                return f"ir_shift_by(l, {_SHIFT[op]}, {n}, {self.r(a[0])}, (uint64_t)({self.c(a[1])}))"
            return f"ir_shift(l, {_SHIFT[op]}, {n}, {self.r(a[0])}, {self.r(a[1])}, {a[1].ty.n})"
        if op == "ne" and a[0].ty.n == 128 and v.is_const(a[1], 0):
            try:
                return f"ir_vany(l, {self.vectors.of(a[0])})"
            except NoVector:
                pass
        if op in _CMP:
            return f"ir_compare(l, {_CMP[op]}, {a[0].ty.n}, {self.r(a[0])}, {self.r(a[1])})"
        if op in ("sext", "zext"):
            return f"ir_extend(l, IR_{op.upper()}, {a[0].ty.n}, {n}, {self.r(a[0])})"
        if op == "slice":
            return f"ir_slice(l, {a[0].ty.bits}, {e.k}, {n}, {self.r(a[0])})"
        if op == "concat":
            text, w = self.r(a[0]), a[0].ty.bits
            for x in a[1:]:
                text = f"ir_concat(l, {w}, {x.ty.bits}, {text}, {self.r(x)})"
                w += x.ty.bits
            return text
        if op == "sel":
            return self.sel(e)
        if op == "cast" and a[0].ty.kind == "f":
            return f"ir_float_bits(l, {self.f(a[0])})"
        if op in ("undef", "cast"):
            return self.r(a[0])
        if op == "prim":
            return self.prim(e.k[0], a)
        if op == "lookup":
            return self.element(e)
        raise ByHandler(f"no IR operation for {op}")

    def element(self, e: E) -> str:
        """An element of a register by its number."""
        *lanes, index, _ = e.a
        got, w = [self.vectors.source(x) for x in lanes], e.ty.bits
        whole = all(got) and all(s == got[0][0] and lo == i * w for i, (s, lo) in enumerate(got))
        if index.bt > TRANSLATE or not whole or w not in (8, 16, 32, 64) or 1 << index.ty.n > len(lanes):
            raise ByHandler("a table looked up at run time")
        return f"ir_vlane(l, {w}, (unsigned)({self.c(index)}), {got[0][0].text})"

    def reg(self, e: E) -> str:
        f = self.isa.files[e.k]
        get = f"ir_get(l, {self.slot(e.k, e.a[0])}, {e.ty.bits})"
        if f.zero is None or highest(e.a[0]) < f.zero:
            return get
        return f"({self.c(e.a[0])} == {f.zero} ? ir_const(l, {e.ty.bits}, 0) : {get})"

    def sel(self, e: E) -> str:
        a = e.a
        if a[0].bt <= TRANSLATE:
            return f"({self.c(a[0])} ? {self.r(a[1])} : {self.r(a[2])})"
        return f"ir_select(l, {e.ty.bits}, {self.r(a[0])}, {self.r(a[1])}, {self.r(a[2])})"

    def prim(self, name: str, a: tuple[E, ...]) -> str:
        n = a[0].ty.bits
        args = ", ".join(self.r(x) for x in a)
        if name == "fclass":
            return f"ir_fclass(l, {args})"
        if name in _COUNT and n <= 64:
            return f"ir_count(l, IR_{name.upper()}, {n}, {args})"
        if name in _DIVIDE:
            return f"ir_divide(l, IR_{name.upper()}, {n}, {args})"
        if name == "carry" and n <= 64:
            return f"ir_carry(l, {n}, {self.r(a[0])}, {self.r(a[1])}, {self.r(a[3])})"
        if name == "overflow" and n <= 64:
            return f"ir_overflow(l, {n}, {args})"
        raise ByHandler(f"no IR operation for {name} of {n} bits")

    def f(self, e: E) -> str:
        """A ref of a float."""
        n, a = e.ty.n, e.a
        if n not in (32, 64):
            raise ByHandler(f"floating point of {n} bits")
        if e.op == "local" and e.k in self.wide:
            name, lo, _ = self.wide[e.k]
            return f"ir_float(l, {n}, ir_vlane(l, {n}, {lo // n}, {name}))"
        if e.op == "local" and e.bt > TRANSLATE:
            return self.f(self.lazy[e.k]) if e.k in self.lazy else str(e.k)
        if e.op == "cast" and a[0].ty.kind == "b":
            return f"ir_float(l, {n}, {self.r(a[0])})"
        if e.op == "sel" and a[0].bt <= TRANSLATE:
            return f"({self.c(a[0])} ? {self.f(a[1])} : {self.f(a[2])})"
        if e.op == "sel":
            return f"ir_float(l, {n}, ir_select(l, {n}, {self.r(a[0])}, ir_float_bits(l, {self.f(a[1])}), ir_float_bits(l, {self.f(a[2])})))"
        if e.op == "neg":
            return f"ir_float(l, {n}, ir_binary(l, IR_XOR, {n}, ir_float_bits(l, {self.f(a[0])}), ir_const(l, {n}, {1 << n - 1:#x}u)))"
        if e.bt <= TRANSLATE:
            return f"ir_float(l, {n}, ir_const(l, {n}, {self.c(e)}))"
        raise ByHandler(f"no IR operation for {e.op} of floats")

    # ---- statements
    def may_wait(self) -> bool:
        """May named parts of vectors be read where they are used? Not when something is written before that."""
        parts: set[str] = set()

        def written(stmts: list, so_far: bool) -> bool:
            for s in stmts:
                late = any(self.of_vector(e, parts) for e in tir.exprs(s))
                if so_far and late:
                    raise NoVector
                if isinstance(s, (tir.Let, tir.Set)) and late and not (self.m.fast is not None and s.e.ty.bits == 128):
                    parts.add(s.id)             # 128 bits of `fast` are computed where they are named
                so_far |= isinstance(s, (tir.SetReg, tir.SetSlot))
                if isinstance(s, tir.If):
                    cases = [written(case, so_far) for case in (s.then, s.other)]
                    so_far = any(cases)
            return so_far
        try:
            written(self.m.body if self.m.fast is None else self.m.fast, False)
        except NoVector:
            return False
        return True

    def of_vector(self, e: E, parts: set[str] | dict) -> bool:
        if e.op == "local" and e.k in parts or e.op in ("reg", "reglane") and \
                self.isa.files[e.k if e.op == "reg" else e.k[0]].width > 64:
            return True
        return any(self.of_vector(x, parts) for x in e.a)

    def joined(self, stmts: list) -> list:
        """Loads and stores of neighbouring 64 bits are one access of 128 or 256."""
        out, i = [], 0
        while i < len(stmts):
            n = next((k for k in (4, 2) if self.neighbours(stmts[i:i + k], k)), 1)
            s = stmts[i]
            if n == 1:
                out.append(s)
            elif s.kind == "load":
                name = f"{s.outs[0][0]}_wide"
                for k in range(n):
                    self.wide[stmts[i + k].outs[0][0]] = (name, 64 * k, 64 * n)
                out.append(tir.Eff("load", [(name, B(64 * n))], [s.args[0]], {**s.attrs, "width": 64 * n}))
            else:
                value = E("concat", B(64 * n), tuple(x.args[1] for x in reversed(stmts[i:i + n])))
                out.append(tir.Eff("store", [], [s.args[0], value], {**s.attrs, "width": 64 * n}))
            i += n
        return out

    @staticmethod
    def neighbours(run: list, n: int) -> bool:
        def plain(s) -> bool:
            return isinstance(s, tir.Eff) and s.kind in ("load", "store") and s.attrs["width"] == 64
        if len(run) < n or not all(plain(s) and s.kind == run[0].kind and s.attrs == run[0].attrs for s in run):
            return False
        base = run[0].args[0]
        return base.op == "local" and all(s.args[0].op == "add" and s.args[0].a[0] == base and v.is_const(s.args[0].a[1], 8 * k)
                                          for k, s in enumerate(run) if k)

    def body(self, stmts: list) -> None:
        """The last statements of the instruction."""
        stmts = self.joined(stmts)
        for i, s in enumerate(stmts):
            if isinstance(s, tir.If) and s.c.bt <= TRANSLATE and branches([s]):
                rest = stmts[i + 1:]
                s = tir.If(s.c, s.then if finished(s.then) else s.then + rest, s.other if finished(s.other) else s.other + rest, s.hint)
                return self.st_If(s)
            if isinstance(s, tir.If) and s.c.bt > TRANSLATE and leaves_line((s.then, s.other)):
                return self.branch(s, stmts[i + 1:])
            getattr(self, "st_" + type(s).__name__)(s)

    def branch(self, s: tir.If, rest: list) -> None:
        """One case, to the end of the instruction, leaves the block; it may not access memory."""
        cases = [a if finished(a) else a + rest for a in (s.then, s.other)]
        away = [not any(isinstance(x, (tir.Eff, tir.Trap)) for x in tir.walk(a)) and not branches(a) for a in cases]
        jumps = [any(isinstance(x, (tir.Jump, tir.Restart, tir.Done)) for x in tir.walk(a)) for a in cases]
        order = [i for i in (0, 1) if away[i]]
        if not order:
            raise ByHandler("effects after a branch inside the instruction")
        if self.side:
            raise ByHandler("branches inside branches")
        pick = next((i for i in order if jumps[i]), order[0])
        self.notes.add("branch")
        self.put(f"ir_side(l, {self.r(s.c)}, {1 - pick});")
        self.put("{")
        raised, self.side = set(self.raised), True
        self.nested(cases[pick])
        self.raised, self.side = raised, False
        self.put("}")
        self.put("ir_main(l);")
        self.put("{")
        self.nested(cases[1 - pick])
        self.put("}")

    def st_Let(self, s: tir.Let) -> None:
        if s.e.bt <= TRANSLATE:
            self.named(ctype(s.e.ty), s.id, self.c(s.e))
        elif self.m.fast is not None and s.e.ty.bits == 128:
            try:
                self.put(f"ref {s.id} = {self.vectors.of(s.e)};")
            except NoVector:
                raise ByHandler(f"{s.id.rpartition('_')[0]} of `fast` is no vector operation") from None
            self.wide[s.id] = (s.id, 0, 128)
        elif self.patient and self.of_vector(s.e, {**self.lazy, **self.wide}):
            self.lazy[s.id] = s.e
        else:
            self.named("ref", s.id, self.r(s.e))

    def named(self, type_: str, name: str, expr: str) -> None:
        """A local that has a value from here on."""
        params = [(self.types[w], w) for w in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", expr)) if w in self.types]
        if any(not t for t, _ in params):
            return self.put(f"{type_} {name} = {expr};")
        self.types[name] = type_
        self.lines.append(Common("  " * self.depth, type_, name, expr, params))

    def st_Var(self, s: tir.Var) -> None:
        self.put(f"ref {s.id};")

    def st_Set(self, s: tir.Set) -> None:
        self.put(f"{s.id} = {self.r(s.e)};")

    def st_SetSlot(self, s: tir.SetSlot) -> None:
        w, name = self.isa.slots[s.slot].width, self.name(s.slot)
        if self.recorded(s):
            return
        if s.slot == sticky(self.isa) and s.e.op == "or" and s.e.a[0].op == "slot" and s.e.a[0].k == s.slot and not reads(s.e.a[1], s.slot):
            return self.put(f"ir_raise(l, {name}, {self.r(s.e.a[1])});")
        if s.slot == sticky(self.isa) and any(isinstance(x, tir.Eff) and x.kind == "fp" for x in tir.walk(self.m.body)):
            raise ByHandler("FP flags that are not merely merged into the sticky ones")
        if s.slot in self.isa.context or any(x.split(".")[0] == s.slot for x in self.isa.context):
            if s.e.bt <= TRANSLATE:
                self.put(f"lift_set_context(l, {name}, {self.c(s.e)});")
            else:
                self.put("lift_end(l, LIFT_CONTEXT);")
        self.put(f"ir_put(l, {name}, {w}, {self.r(s.e)});")

    def recorded(self, s: tir.SetSlot) -> bool:
        """Is this the merge of raised flags into the sticky ones, which the FP operation itself stands for?"""
        if not mentions(s.e, self.raised):
            return False
        old, new = s.e.a if s.e.op == "or" else (s.e, s.e)
        new = new.a[0] if new.op == "zext" else new
        if old.op != "slot" or old.k != s.slot or new.op != "local" or s.slot != sticky(self.isa):
            raise ByHandler("FP flags that are not merely merged into the sticky ones")
        return True

    def st_SetReg(self, s: tir.SetReg) -> None:
        f = self.isa.files[s.file]
        if f.width > 64:
            return self.set_wide(s, f.width)
        e = s.e
        if s.keep:
            from ..effects import insert
            e = insert(E("reg", B(f.width), (s.index,), s.file), s.lo, e)
        else:
            e = v.ext("zext", e, f.width)
        put = f"ir_put(l, {self.slot(s.file, s.index)}, {f.width}, {self.r(e)});"
        self.put(put if f.zero is None or highest(s.index) < f.zero else f"if ({self.c(s.index)} != {f.zero}) {put}")

    def set_wide(self, s: tir.SetReg, width: int) -> None:
        n, where = s.e.ty.bits, f"l, {self.slot(s.file, s.index)}, {s.lo}, {s.e.ty.bits}, {str(s.keep or s.lo > 0).lower()}"
        try:
            return self.put(f"ir_vput({where}, {self.vectors.of(s.e)});")
        except NoVector:
            pass
        simple = n in (8, 16, 32, 64) and s.lo % n == 0 or n == 128
        many = s.e.bt > TRANSLATE and (len(self.vectors.parts(s.e)) > 4 or not smaller(s.e, MOST_SCALAR))
        if n > 128 or (s.keep or s.lo) and not simple or many:
            raise ByHandler("lanes that do different things")
        self.put(f"ir_vput_scalar({where}, {self.r(s.e)});")

    def nested(self, stmts: list) -> None:
        self.depth += 1
        self.body(stmts)
        self.depth -= 1

    def st_If(self, s: tir.If) -> None:
        if s.c.bt <= TRANSLATE:
            c = self.c(s.c)
            if len(c) >= Shared.LENGTH:         # many leaves ask this
                self.named("bool", f"if_{len(self.lines)}", c)
                c = f"if_{len(self.lines) - 1}"
            self.put(f"if ({c}) {{")
            self.nested(s.then)
            if s.other:
                self.put("} else {")
                self.nested(s.other)
            self.put("}")
            return
        cases = (s.then, s.other)
        if all(self.pure(a) for a in cases):
            self.select(s)
            return
        for case, other, expect in ((s.then, s.other, 0), (s.other, s.then, 1)):
            if case and isinstance(case[-1], tir.Trap):
                if self.stored:
                    raise ByHandler("a trap after a memory effect")
                self.notes.add("guard")
                self.put(f"ir_guard(l, {self.r(s.c)}, {expect});")
                self.body(other)
                return
        if s.hint == "unlikely" and not self.stored and not s.other:
            self.notes.add("guard")
            self.put(f"ir_guard(l, {self.r(s.c)}, 0);")
            return
        raise ByHandler("effects under a run-time condition")

    def pure(self, stmts: list) -> bool:
        return all(isinstance(x, (tir.Let, tir.SetReg, tir.SetSlot)) for x in stmts)

    def select(self, s: tir.If) -> None:
        """Both cases are evaluated; every slot written takes the value of the case that runs."""
        written: dict[tuple, list] = {}
        for i, case in enumerate((s.then, s.other)):
            for x in case:
                if isinstance(x, tir.Let):
                    self.st_Let(x)
                elif isinstance(x, tir.SetSlot):
                    written.setdefault(("slot", x.slot), [None, None])[i] = x
                else:
                    if self.isa.files[x.file].width > 64:
                        raise ByHandler("a vector under a condition")
                    written.setdefault(("reg", x.file, self.c(x.index), x.lo, x.keep), [None, None])[i] = x
        self.put(f"ref c_{len(self.lines)} = {self.r(s.c)};")
        c = E("local", tir.B1, (), self.lines[-1].split()[1])
        for (kind, *_), (x, y) in written.items():
            one = x or y
            if kind == "slot":
                old = E("slot", B(self.isa.slots[one.slot].width), (), one.slot)
                self.st_SetSlot(tir.SetSlot(one.slot, v.sel(c, x.e if x else old, y.e if y else old)))
            else:
                f = self.isa.files[one.file]
                old = v.bits(E("reg", B(f.width), (one.index,), one.file), one.lo, one.e.ty.bits) if one.keep else \
                    E("reg", B(f.width), (one.index,), one.file)
                new = [v.ext("zext", z.e, f.width) if z and not one.keep else z.e if z else old for z in (x, y)]
                self.st_SetReg(tir.SetReg(one.file, one.index, v.sel(c, *new), one.lo, one.keep))

    def st_Trap(self, s: tir.Trap) -> None:
        if self.stored:
            raise ByHandler("a trap after a memory effect")
        self.put("ir_exit(l);")

    def st_Jump(self, s: tir.Jump) -> None:
        self.put(f"ir_jump(l, {self.r(s.target)}, {self.link(s) if s.kind == 'link' else f'IR_JUMP_{s.kind.upper()}'});")

    def link(self, s: tir.Jump) -> str:
        """A jump whose registers say what it is: one that writes a link register calls, one that reads one returns."""
        def among(file: str, index: E) -> list[str]:
            return [f"{self.c(index)} == {i}" for f, i in self.isa.link_registers if f == file]
        lets = {x.id: x.e for x in tir.walk(self.m.body) if isinstance(x, tir.Let)}

        def read(e: E) -> list[str]:
            own = among(e.k, e.a[0]) if e.op == "reg" else []
            return own + [c for x in e.a + ((lets[e.k],) if e.op == "local" and e.k in lets else ()) for c in read(x)]
        written = [c for x in tir.walk(self.m.body) if isinstance(x, tir.SetReg) for c in among(x.file, x.index)]
        return (f"{' || '.join(written) or '0'} ? IR_JUMP_CALL : {' || '.join(read(s.target)) or '0'} ? IR_JUMP_RET : IR_JUMP_BRANCH")

    def st_End(self, s: tir.End) -> None:
        self.put(f"lift_end(l, LIFT_{s.reason.upper()});")

    def st_Commit(self, s: tir.Commit) -> None:
        self.put("ir_commit(l);")
        self.stored = False

    def st_Restart(self, s: tir.Restart) -> None:
        self.put("ir_restart(l);")

    def st_Done(self, s: tir.Done) -> None:
        if not self.side:
            self.put("return LIFT_NEXT;")

    def st_Eff(self, s: tir.Eff) -> None:
        w = s.attrs.get("width")
        order = f"(unsigned)({self.c(s.attrs['order'])})" if "order" in s.attrs else "0"
        a = s.args
        if s.kind == "fp":
            return self.fp(s)
        if s.kind in ("load", "load_ex"):
            self.put(f"ref {s.outs[0][0]} = ir_{s.kind}(l, {w}, {self.r(a[0])}, {order});")
            self.stored |= s.kind == "load_ex"
            if w >= 128 and s.kind == "load":
                self.wide[s.outs[0][0]] = (s.outs[0][0], 0, w)
            return
        if s.kind == "probe":
            return self.put(f"ir_probe(l, {self.r(a[0])}, {self.r(a[1])}, {int(s.attrs['access'] == 'w')});")
        if s.kind == "fence":
            return self.put(f"ir_fence(l, {' << 4 | '.join(f'(unsigned)({self.c(x)})' for x in a) or '0'});")
        if s.kind == "store":
            self.put(f"ir_store(l, {w}, {self.r(a[0])}, {self.stored_value(a[1])}, {order});")
        elif s.kind == "store_ex":
            self.put(f"ref {s.outs[0][0]} = ir_store_ex(l, {w}, {self.r(a[0])}, {self.r(a[1])}, {order});")
        elif s.kind == "rmw":
            self.put(f"ref {s.outs[0][0]} = ir_rmw(l, IR_RMW_{s.attrs['op'].upper()}, {w}, {self.r(a[0])}, {self.r(a[1])}, {order});")
        elif s.kind == "cas":
            self.put(f"ref {s.outs[0][0]} = ir_cas(l, {w}, {self.r(a[0])}, {self.r(a[1])}, {self.r(a[2])}, {order});")
        elif s.kind == "fill":
            self.put(f"ir_fill(l, {self.r(a[0])}, {self.r(a[1])}, {self.r(a[2])});")
        elif s.kind in ("sysread", "syswrite") and a[0].bt <= TRANSLATE:
            return self.system(s)
        else:
            raise ByHandler(f"helper {s.attrs['name']}" if s.kind == "helper" else "system register")
        self.stored = True

    def system(self, s: tir.Eff) -> None:
        """A system register that is nothing but slots; others go by the handler of the whole instruction."""
        number, name = self.c(s.args[0]), self.isa.name
        if not self.isa.sysregs or self.m.sysreg:
            raise ByHandler("system register")
        self.numbers.add(number)
        self.notes.add("system register: by handler when it is more than slots")
        if s.kind == "sysread":
            self.put(f"ref {s.outs[0][0]} = {name}_sys_get(l, (uint64_t)({number}));")
        else:
            self.put(f"{name}_sys_set(l, (uint64_t)({number}), {self.r(s.args[1])});")

    def stored_value(self, e: E) -> str:
        try:
            return self.vectors.of(e) if e.ty.bits >= 128 else self.r(e)
        except NoVector:
            return self.r(e)

    def fp(self, s: tir.Eff) -> None:
        a = s.attrs
        op, n = a["op"], a["width"]
        if n not in (32, 64) or a.get("to", n) not in (32, 64):
            raise ByHandler("half precision")
        if a["rm"].bt > TRANSLATE:
            raise ByHandler("a rounding mode known only at run time")
        if op in ("to_int", "from_int") and a["int"] not in (32, 64):
            raise ByHandler(f"integers of {a['int']} bits from or to floating point")
        how = [f".rm = (uint8_t)({self.c(a['rm'])})", f".nan = (uint8_t)({self.c(a['nan'])})", f".tiny = FP_TINY_{a['tiny'].upper()}",
               f".daz = (uint8_t)({self.c(a['daz'])})", f".ftz = (uint8_t)({self.c(a['ftz'])})"]
        if "minmax" in a:
            how.append(f".minmax = FP_MINMAX_{a['minmax'].upper()}")
        if "int" in a:
            how += [f".bits = {a['int']}", f".sign = {int(a['signed'])}"]
        if "bad" in a:
            how.append(f".bad = {_BAD[a['bad']]}")
        how += [f".{k} = (uint8_t)({self.c(a[k])})" for k in ("quiet", "exact") if k in a]
        self.raised.add(s.outs[-1][0])
        scale = f"(unsigned)({self.c(a['scale'])})" if "scale" in a else ""
        if "lanes" in a:
            return self.fp_lanes(s, a["lanes"], ", ".join(how), scale)
        args = [self.r(x) for x in s.args] + ["0"] * (3 - len(s.args))
        ops = ["IR_FLT", "IR_FEQ", "IR_FUN"] if op == "cmp" else [_FP[op]]
        if len(ops) > 1:
            for i, x in enumerate(s.args):
                self.put(f"ref {s.outs[-1][0]}_{i} = {args[i]};")
                args[i] = f"{s.outs[-1][0]}_{i}"
        for (out, _), o in zip(s.outs, ops):
            text = f"{o}, {n}, &(struct ir_fp){{{', '.join(how)}}}"
            self.put(f"ref {out} = " + (f"ir_fp_scaled(l, {text}, {args[0]}, {scale});" if scale else f"ir_fp(l, {text}, {', '.join(args)});"))
            self.put(f"(void){out};")

    def fp_lanes(self, s: tir.Eff, lanes: int, how: str, scale: str) -> None:
        """One operation on whole vectors, or one for each lane, in order; the results of those are arrays."""
        op, n, tag = s.attrs["op"], s.attrs["width"], s.outs[-1][0]
        ops = ["IR_FLT", "IR_FEQ", "IR_FUN"] if op == "cmp" else [_FP[op]]
        if not scale and lanes * n in (128, 256) and (op in _PACKED or n == s.attrs.get("int") == 32 and s.attrs["signed"]):
            try:
                return self.fp_packed(s, lanes, how, ops, [self.vectors.of(v.cast(e, B(e.ty.bits))) for e in s.args])
            except NoVector:
                pass
        args = []
        for k, e in enumerate(s.args):
            try:
                if lanes == 1:
                    raise NoVector
                self.put(f"const ref {tag}_{k} = {self.vectors.of(v.cast(e, B(e.ty.bits)))};")
                lane = f"ir_vlane(l, {e.ty.elem.n}, i, {tag}_{k})"
                args.append(f"ir_float(l, {n}, {lane})" if e.ty.elem.kind == "f" else lane)
            except NoVector:
                self.put(f"const ref {tag}_{k}[] = {{{', '.join(self.r(v.lane(e, i)) for i in range(lanes))}}};")
                args.append(f"{tag}_{k}[i]")
        args += ["0"] * (3 - len(args))
        for (out, _), o in zip(s.outs, ops):
            self.put(f"ref {out}[{lanes}];")
            text = f"{o}, {n}, &(struct ir_fp){{{how}}}"
            call = f"ir_fp_scaled(l, {text}, {args[0]}, {scale})" if scale else f"ir_fp(l, {text}, {', '.join(args)})"
            self.put(f"for (unsigned i = 0; i < {lanes}; i++) {out}[i] = {call};")

    def fp_packed(self, s: tir.Eff, lanes: int, how: str, ops: list[str], vectors: list[str]) -> None:
        n, args = s.attrs["width"], [f"{s.outs[-1][0]}_{k}" for k in range(len(vectors))]
        for name, text in zip(args, vectors):
            self.put(f"ref {name} = {text};")
        args = ", ".join(args + ["0"] * (3 - len(args)))
        for (out, _), o in zip(s.outs, ops):
            self.put(f"ref {out} = ir_vfp(l, {o}, {self.vectors.wide(lanes * n)}, {n}, &(struct ir_fp){{{how}}}, {args});")
            self.put(f"(void){out};")
            for i in range(lanes):
                self.wide[f"{out}[{i}]"] = (out, i * n, lanes * n)

    # ---- the function
    def function(self) -> list[str | Common]:
        head = f"int {self.isa.name}_l_{self.m.name}(struct lift *l, const struct insn *insn)"
        lead = [f"  const struct {self.isa.name}_insn *d = (const struct {self.isa.name}_insn *)insn;", "  (void)d, (void)l;"]
        try:
            if self.m.leaf.family.lift == "interp":
                raise ByHandler("asked for")
            self.body(self.m.body if self.m.fast is None else self.m.fast)
            if sum(len(x if isinstance(x, str) else x.expr) for x in self.lines) > MOST_TEXT:
                raise ByHandler("too long")
        except ByHandler as why:
            self.notes = {f"handler: {why}"}
            return [head + " {", *lead, *self.by_handler(), "}", ""]
        plain = " && ".join(f"{self.isa.name}_sys_plain((uint64_t)({n}))" for n in sorted(self.numbers))
        other = [f"  if (!({plain})) {{", *("  " + x for x in self.by_handler()), "  }"] if plain else []
        return [head + " {", *lead, *other, *self.lines, "  return LIFT_NEXT;", "}", ""]

    def by_handler(self) -> list[str]:
        """The call, with the slots that the handler reads and writes."""
        touch, how, known = self.touched()
        if known:
            how.add("LIFT_NEW_CONTEXT")
        items = ", ".join(f"(uint16_t)({k})" for k in touch)
        lines = [f"  const uint16_t touch[] = {{{items}}};"] if items else []
        args = "touch, sizeof touch / sizeof *touch" if items else "0, 0"
        return lines + [f"  return lift_by_handler(l, insn, {args}, {' | '.join(sorted(how)) or '0'});"]

    def touch_case(self) -> str:
        """The same for a leaf whose IR the host has no code for: statements of a switch."""
        touch, how, known = self.touched()
        lines = [f"      lift_set_context(l, {k}, {c});" for k, c in known.items()]
        lines += [f"      *slot++ = (uint16_t)({k});" for k in touch]
        return "\n".join([*lines, f"      *how = {' | '.join(sorted(how)) or '0'};", "      break;", ""])

    def touched(self) -> tuple[list[str], set[str], dict[str, str]]:
        """Slots (as C, with LIFT_WRITES), LIFT_* flags, context slots that become a value known at translation."""
        touch: dict[str, bool] = {}
        how: set[str] = set()
        known: dict[str, str] = {}

        def see(e: E) -> None:
            if e.op == "slot":
                touch.setdefault(self.name(e.k), False)
            if e.op in ("reg", "reglane"):
                touch.setdefault(place(e.k if e.op == "reg" else e.k[0], e.a[0]), False)
            for x in e.a:
                see(x)

        def place(file: str, index: E) -> str:
            if v.depends(index, {"local"}) or index.bt > TRANSLATE:
                how.add("LIFT_TOUCHES_ALL")
                return self.name(file)
            return self.slot(file, index)
        for s in tir.walk(self.m.body):
            for e in tir.exprs(s):
                see(e)
            if isinstance(s, tir.SetReg):
                touch[place(s.file, s.index)] = True
            elif isinstance(s, tir.SetSlot):
                touch[self.name(s.slot)] = True
                if any(x.split(".")[0] == s.slot for x in self.isa.context):
                    if s.e.op == "const" and any(s is x for x in self.m.body):
                        known[self.name(s.slot)] = str(s.e.k)
                    else:
                        how.add("LIFT_NEW_CONTEXT")
            elif isinstance(s, tir.Eff) and s.kind in ("helper", "sysread", "syswrite"):
                how.add("LIFT_TOUCHES_ALL")
                h = self.isa.helpers.get(s.attrs["name"]) if s.kind == "helper" else None
                context = {x.split(".")[0] for x in self.isa.context}
                if s.kind == "syswrite" or h is not None and (h.ends or context & set(h.writes)):
                    how.add("LIFT_NEW_CONTEXT")
        if self.m.ends:
            how.add("LIFT_ENDS")
        return [f"({k}) | LIFT_WRITES" if w else k for k, w in touch.items()], how, known


def smaller(e: E, limit: int) -> int:
    """What is left of `limit` after the nodes of e; 0 when e is as large."""
    limit -= 1
    for x in e.a:
        if limit <= 0:
            return 0
        limit = smaller(x, limit)
    return max(limit, 0)


def reads(e: E, slot: str) -> bool:
    return e.op == "slot" and e.k == slot or any(reads(x, slot) for x in e.a)


def mentions(e: E, names: set[str]) -> bool:
    return e.op == "local" and e.k in names or any(mentions(x, names) for x in e.a)


def sticky(isa: Isa) -> str | None:
    """The slot of sticky FP flags that IR operations record by themselves."""
    first = next(iter(isa.fp.values()), None)
    name = first["sticky"].s if first is not None and "sticky" in first else None
    return name if name in isa.slots else None


def sticky_bits(isa: Isa) -> tuple[int | None, ...]:
    return flag_bits(next(iter(isa.fp.values()), {}))


def denormals(isa: Isa) -> bool:
    """Whether a subnormal operand alone raises a flag, as on hosts that have such a flag."""
    return any("keep_id" in p["daz"].s for p in isa.fp.values() if "daz" in p)


# ---- system registers


def plain(m: Meaning) -> bool:
    """Whether accessing the system register comes to reading and writing slots."""
    return not any(isinstance(s, (tir.Eff, tir.End, tir.Jump, tir.Restart, tir.Done)) for s in tir.walk(m.body))


def written(lines: list) -> str:
    return "\n".join(x if isinstance(x, str) else f"{x.indent}{x.ctype} {x.name} = {x.expr};" for x in lines)


def plain_registers(isa: Isa, checked: Checked, place: Place) -> tuple[str, str]:
    """Functions that lift accesses to those system registers which are nothing but slots; what of them files share."""
    cases, parts, n = [], [], isa.name
    reads, writes = [], []
    for name, reg in isa.sysregs.items():
        get, put = checked.reads[name], checked.writes[name]
        if not plain(get) or not plain(put):
            continue
        try:
            r, w = Lifter(isa, place, get), Lifter(isa, place, put)
            r.body(get.body)
            w.body(put.body)
            result = r.r(get.result)
        except ByHandler:
            continue
        if "lift_end(" in written(r.lines + w.lines):
            continue                    # the context may change: the handler knows whether it does
        where = f"/* {reg.where.file}:{reg.where.line} {name} */\n"
        parts.append(f"{where}static ref get_{ident(name)}(struct lift *l) {{\n" + written(r.lines) + f"\n  return {result};\n}}\n\n"
                     f"static void set_{ident(name)}(struct lift *l, ref v_) {{\n  (void)l, (void)v_;\n" + written(w.lines) + "\n}\n\n")
        cases.append(f"  case {reg.num:#x}:\n")
        reads.append(f"  case {reg.num:#x}: return get_{ident(name)}(l);\n")
        writes.append(f"  case {reg.num:#x}: set_{ident(name)}(l, v); break;\n")
    heads = [f"bool {n}_sys_plain(uint64_t num)", f"ref {n}_sys_get(struct lift *l, uint64_t num)",
             f"void {n}_sys_set(struct lift *l, uint64_t num, ref v)"]
    text = "".join(parts)
    text += f"{heads[0]} {{\n  switch (num) {{\n{''.join(cases)}{'    return true;' if cases else ''}\n  default: return false;\n  }}\n}}\n\n"
    text += f"{heads[1]} {{\n  switch (num) {{\n{''.join(reads)}  default: return ir_const(l, 64, 0); /* not plain: nobody asks */\n  }}\n}}\n\n"
    text += f"{heads[2]} {{\n  (void)l, (void)v;\n  switch (num) {{\n{''.join(writes)}  default: break;\n  }}\n}}\n\n"
    return ("".join(h + ";\n" for h in heads), text) if isa.sysregs else ("", "")


# ---- tables


def flags_of(isa: Isa) -> list[str]:
    return [s.name for s in isa.slots.values() if s.kind == "flag"]


def flag_use(isa: Isa, m: Meaning) -> tuple[int, int, bool]:
    """Condition flags that are read, those certainly written, and whether the instruction may leave before its end."""
    bit = {name: 1 << i for i, name in enumerate(flags_of(isa))}
    reads, leaves = 0, False

    def see(e: E) -> int:
        return (bit.get(e.k, 0) if e.op == "slot" else 0) | _any(see(x) for x in e.a)
    for s in tir.walk(m.body):
        for e in tir.exprs(s):
            reads |= see(e)
        if isinstance(s, (tir.Trap, tir.Commit, tir.Restart, tir.Done)) or isinstance(s, tir.Eff) and s.kind not in ("fp", "fence"):
            leaves = True
    writes = _any(bit.get(s.slot, 0) for s in m.body if isinstance(s, tir.SetSlot))
    return reads, writes, leaves


def _any(sets) -> int:
    out = 0
    for x in sets:
        out |= x
    return out


def slot_rows(isa: Isa) -> list[str]:
    struct, flags = f"struct {isa.name}_vcpu", flags_of(isa)
    rows = []
    for f in isa.files.values():
        size = f.width // 8 if f.width > 64 else 8
        rows += [f"{{offsetof({struct}, {f.name}[{i}]), {f.width}, {size}, 0, {str(i == f.zero).lower()}}}" for i in range(f.n)]
    for s in isa.slots.values():
        size = next((k for k in (1, 2, 4, 8) if s.width <= 8 * k), 16)
        rows.append(f"{{offsetof({struct}, {s.name}), {s.width}, {size}, {flags.index(s.name) + 1 if s.name in flags else 0}, false}}")
    return rows


def guest(isa: Isa, checked: Checked) -> str:
    """struct ir_guest with its tables."""
    n, up = isa.name, isa.name.upper()
    leaf = [[0, 0, False, True]] + [[*flag_use(isa, m), m.ends] for m in checked.leaves]
    hot = []
    for name in isa.hot_registers:
        hot += [f"{up}_SLOT_{name} + {i}" for i in range(isa.files[name].n)] if name in isa.files else [f"{up}_SLOT_{name}"]
    held = [f"{up}_SLOT_{f}" if i is None else f"{up}_SLOT_{f} + {i}" for f, i in isa.held]
    vectors = [f"{up}_SLOT_{f} + {i}" for f, i in isa.held_vectors]
    context = sorted({f"{up}_SLOT_{x.split('.')[0]}" for x in isa.context})
    st = sticky(isa)
    rows = [f"    {{{r:#x}, {w:#x}, {str(x).lower()}, {str(e).lower()}}}," for r, w, x, e in leaf]
    return (f"static const struct ir_slot_info slots[] = {{\n" + "".join(f"    {r},\n" for r in slot_rows(isa)) + "};\n"
            f"static const struct ir_leaf leaves[] = {{\n" + "\n".join(rows) + "\n};\n"
            f"static const uint16_t hot[] = {{\n" + "".join(f"    {h},\n" for h in hot) + "    0};\n\n"
            f"static const uint16_t held[] = {{{', '.join(held + ['0'])}}};\n"
            f"static const uint16_t held_vectors[] = {{{', '.join(vectors + ['0'])}}};\n"
            f"static const uint16_t context[] = {{{', '.join(context + ['0'])}}};\n\n"
            f"extern const struct ir_guest {n}_guest;\nconst struct ir_guest {n}_guest = {{\n    .isa = &isa_{n},\n    .nslots = {up}_SLOTS,\n"
            f"    .slots = slots,\n    .touch = {n}_touch,\n    .lift = {n}_lift,\n    .leaf = leaves,\n    .sticky = {f'{up}_SLOT_{st}' if st else '-1'},\n"
            f"    .sticky_bit = {{{', '.join('255' if b is None else str(b) for b in sticky_bits(isa))}}},\n    .hot = hot,\n    .nhot = {len(hot)},\n    .held = held,\n    .nheld = {len(held)},\n"
            f"    .held_vectors = held_vectors,\n    .nheld_vectors = {len(vectors)},\n    .denormals = {str(denormals(isa)).lower()},\n"
            f"    .context = context,\n    .ncontext = {len(context)},\n}};\n")


def special(isa: Isa, m: Meaning) -> bool:
    """Floating point or vectors: what a host may have no code for."""
    def wide(e: E) -> bool:
        return e.op in ("reg", "reglane") and isa.files[e.k if e.op == "reg" else e.k[0]].width > 64 or any(wide(x) for x in e.a)
    return any(isinstance(s, tir.Eff) and s.kind == "fp" or isinstance(s, tir.SetReg) and isa.files[s.file].width > 64 or
               any(wide(e) for e in tir.exprs(s)) for s in tir.walk(m.body))


def touch_function(isa: Isa, cases: dict[str, list[int]]) -> str:
    body = "".join("".join(f"    case {n}:\n" for n in ids) + text for text, ids in cases.items())
    return (f"static unsigned {isa.name}_touch(struct lift *l, const struct insn *insn, uint16_t *slot, unsigned *how) {{\n"
            f"  const struct {isa.name}_insn *d = (const struct {isa.name}_insn *)insn;\n  uint16_t *first = slot;\n  (void)d, (void)l;\n"
            f"  switch (insn->op) {{\n{body}    default: break;\n  }}\n  return (unsigned)(slot - first);\n}}\n\n")


def files(isa: Isa, checked: Checked) -> dict[str, str]:
    place = Place(isa, insn.members(isa, checked))
    parts: dict[str, list[tuple[str, list]]] = {}
    report, cases = [], {}
    for m in checked.leaves:
        lf = Lifter(isa, place, m)
        if special(isa, m):
            cases.setdefault(lf.touch_case(), []).append(m.leaf.id)
        parts.setdefault(family(m), []).append((f"/* {m.leaf.where.file}:{m.leaf.where.line} {m.leaf.name} */\n", lf.function()))
        for note in sorted(lf.notes):
            report.append(f"{m.leaf.name}: {note}")
    sys_protos, sys_text = plain_registers(isa, checked, place)
    shared = Shared(isa, [line for items in parts.values() for _, lines in items for line in lines])
    protos = "".join(f"int {isa.name}_l_{m.name}(struct lift *l, const struct insn *insn);\n" for m in checked.leaves)
    rows = "".join(f"    {isa.name}_l_{m.name},\n" for m in checked.leaves)
    guard = f"ISOMER_GEN_{isa.name.upper()}_LIFT_H"
    out = {"lift.h": f"/* Generated: what the files of {isa.name}'s lifter share. */\n#ifndef {guard}\n#define {guard}\n\n#include \"{isa.name}/state.h\"\n"
                     f'#include "{isa.name}/insn.h"\n#include "fp/fp.h"\n#include "ir/build.h"\n\n{protos}{sys_protos}{shared.protos()}\n#endif\n',
           "lift.txt": "\n".join(report) + "\n"}
    top = f'#include <stddef.h>\n\n#include "{isa.name}/lift.h"\n\n'
    for name, items in parts.items():
        text = "\n".join(head + "\n".join(shared.line(x) for x in lines) for head, lines in items)
        out[f"lift_{name}.c"] = f"/* Generated: the lifter of {isa.name}, {name}. */\n{top}{text}"
    out["lift.c"] = (f"/* Generated: the tables of {isa.name}'s lifter. */\n{top}extern const struct isa isa_{isa.name};\n\n" + shared.functions() + sys_text +
                     f"static lift_fn *const {isa.name}_lift[] = {{\n    0,\n{rows}}};\n\n" + touch_function(isa, cases) + guest(isa, checked))
    return out


def family(m: Meaning) -> str:
    """The file that the leaf is described in."""
    return ident(PurePath(m.leaf.where.file).stem)


@dataclass
class Common:
    """A line that names a value; other leaves may have the same expression: `params` are the locals in it, by their types."""
    indent: str
    ctype: str
    name: str
    expr: str
    params: list[tuple[str, str]]

    def key(self) -> tuple:
        text = self.expr
        for i, (_, name) in enumerate(self.params):
            text = re.sub(rf"\b{name}\b", f"p{i}", text)
        return self.ctype, text, tuple(t for t, _ in self.params)


class Shared:
    """Long expressions that many leaves have, the addresses of operands above all, become functions."""
    LENGTH, USES = 80, 3

    def __init__(self, isa: Isa, lines: list) -> None:
        self.isa = isa
        count = Counter(x.key() for x in lines if isinstance(x, Common) and len(x.expr) >= self.LENGTH)
        self.number = {k: i for i, k in enumerate(k for k, n in count.items() if n >= self.USES)}

    def line(self, x: str | Common) -> str:
        if isinstance(x, str):
            return x
        n = self.number.get(x.key())
        args = "".join(f", {name}" for _, name in x.params)
        return f"{x.indent}{x.ctype} {x.name} = {x.expr if n is None else f'{self.isa.name}_c_{n}(l, d{args})'};"

    def heads(self) -> list[str]:
        return [f"{ctype} {self.isa.name}_c_{n}(struct lift *l, const struct {self.isa.name}_insn *d" +
                "".join(f", {t} p{i}" for i, t in enumerate(params)) + ")" for (ctype, _, params), n in self.number.items()]

    def protos(self) -> str:
        return "".join(f"{h};\n" for h in self.heads())

    def functions(self) -> str:
        return "".join(f"{h} {{\n  (void)l, (void)d;\n  return {text};\n}}\n\n" for h, (_, text, _) in zip(self.heads(), self.number))
