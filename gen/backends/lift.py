"""The lifter's C: for each leaf a function that turns a decoded instruction into IR builder calls. What is known at
translation time is plain C, what is known at run time is a builder call; the two never mix because every expression
carries its binding time. Also says how each run-time condition is lowered (the report `lift.txt`).

Leaves with floating point, wide vectors, helpers or conditions that none of the rules fits are lifted by a call of
their interpreter handler, with the reason in the report."""
from __future__ import annotations

from .. import tir, values as v
from ..model import Isa
from ..tir import B, TRANSLATE, Checked, E, Meaning
from . import cexpr, insn
from .cexpr import ctype
from .interp import Place as InterpPlace


def highest(e: E) -> int:
    """A bound of the unsigned value of e: what it cannot exceed."""
    if e.op == "const":
        return e.k
    if e.op == "and":
        return min(highest(x) for x in e.a)
    if e.op in ("zext", "btoi", "itob"):
        return highest(e.a[0])
    return (1 << e.ty.n) - 1 if e.ty.kind == "b" else 1 << 64


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
_PRIM = {"clz", "ctz", "popcount", "parity", "bswap", "brev", "orc8", "divu", "divs", "remu", "rems", "carry", "overflow"}
_MEMORY = {"load", "store", "rmw", "cas", "load_ex", "store_ex", "fill"}


class Lifter:
    def __init__(self, isa: Isa, place: Place, m: Meaning) -> None:
        self.isa, self.place, self.m = isa, place, m
        self.lines: list[str] = []
        self.depth = 1
        self.notes: set[str] = set()
        self.stored = False             # a memory effect happened: an exit can no longer re-run the instruction
        self.ended = False

    def put(self, s: str) -> None:
        self.lines.append("  " * self.depth + s)

    # ---- expressions
    def c(self, e: E) -> str:
        return cexpr.render(e, self.place)

    def slot(self, file: str, index: E) -> str:
        return f"{self.isa.name.upper()}_SLOT_{file} + (unsigned)({self.c(index)})"

    def r(self, e: E) -> str:
        """A builder call that yields a ref."""
        n = e.ty.bits
        if e.ty.kind in ("f", "vec"):
            raise ByHandler("floating point" if e.ty.kind == "f" else "vector")
        if n > 128:
            raise ByHandler("wider than 128 bits")
        if e.bt <= TRANSLATE:
            return f"ir_const{'128' if n > 64 else ''}(l, {n}, {self.c(e)})"
        op, a = e.op, e.a
        if op == "local":
            return str(e.k)
        if op == "slot":
            return f"ir_get(l, {self.isa.name.upper()}_SLOT_{e.k}, {n})"
        if op == "reg":
            f = self.isa.files[e.k]
            if f.width > 64:
                raise ByHandler("vector")
            get = f"ir_get(l, {self.slot(e.k, a[0])}, {n})"
            if f.zero is None or highest(a[0]) < f.zero:
                return get
            return f"({self.c(a[0])} == {f.zero} ? ir_const(l, {n}, 0) : {get})"
        if op == "reglane":
            raise ByHandler("vector")
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
            if a[0].bt <= TRANSLATE:
                return f"({self.c(a[0])} ? {self.r(a[1])} : {self.r(a[2])})"
            return f"ir_select(l, {n}, {self.r(a[0])}, {self.r(a[1])}, {self.r(a[2])})"
        if op in ("undef", "cast"):
            return self.r(a[0])
        if op == "prim" and e.k[0] in _PRIM:
            args = ", ".join(self.r(x) for x in a)
            return f"ir_prim{len(a)}(l, IR_{e.k[0].upper()}, {a[0].ty.n}, {args})"
        raise ByHandler(f"no IR operation for {e.k[0] if op == 'prim' else op}")

    # ---- statements
    def body(self, stmts: list) -> None:
        for s in stmts:
            getattr(self, "st_" + type(s).__name__)(s)

    def st_Let(self, s: tir.Let) -> None:
        if s.e.bt <= TRANSLATE:
            self.put(f"{ctype(s.e.ty)} {s.id} = {self.c(s.e)};")
        else:
            self.put(f"ref {s.id} = {self.r(s.e)};")

    def st_Var(self, s: tir.Var) -> None:
        self.put(f"ref {s.id};")

    def st_Set(self, s: tir.Set) -> None:
        self.put(f"{s.id} = {self.r(s.e)};")

    def st_SetSlot(self, s: tir.SetSlot) -> None:
        w = self.isa.slots[s.slot].width
        name = f"{self.isa.name.upper()}_SLOT_{s.slot}"
        if s.slot in self.isa.context or any(x.split(".")[0] == s.slot for x in self.isa.context):
            if s.e.bt <= TRANSLATE:
                self.put(f"lift_set_context(l, {name}, {self.c(s.e)});")
            else:
                self.put("lift_end(l, LIFT_CONTEXT);")
        self.put(f"ir_put(l, {name}, {w}, {self.r(s.e)});")

    def st_SetReg(self, s: tir.SetReg) -> None:
        f = self.isa.files[s.file]
        if f.width > 64:
            raise ByHandler("vector")
        e = s.e
        if s.keep:
            from ..effects import insert
            e = insert(E("reg", B(f.width), (s.index,), s.file), s.lo, e)
        else:
            e = v.ext("zext", e, f.width)
        put = f"ir_put(l, {self.slot(s.file, s.index)}, {f.width}, {self.r(e)});"
        self.put(put if f.zero is None or highest(s.index) < f.zero else f"if ({self.c(s.index)} != {f.zero}) {put}")

    def nested(self, stmts: list) -> None:
        self.depth += 1
        self.body(stmts)
        self.depth -= 1

    def st_If(self, s: tir.If) -> None:
        if s.c.bt <= TRANSLATE:
            self.put(f"if ({self.c(s.c)}) {{")
            self.nested(s.then)
            if s.other:
                self.put("} else {")
                self.nested(s.other)
            self.put("}")
            return
        arms = (s.then, s.other)
        if all(self.pure(a) for a in arms):
            self.select(s)
            return
        for arm, other, expect in ((s.then, s.other, 0), (s.other, s.then, 1)):
            if arm and isinstance(arm[-1], tir.Trap):
                if self.stored:
                    raise ByHandler("a trap after a memory effect")
                self.notes.add("guard")
                self.put(f"ir_guard(l, {self.r(s.c)}, {expect});")
                self.body(other)
                return
        if any(isinstance(x, (tir.Jump, tir.Restart, tir.Done)) for a in arms for x in tir.walk(a)):
            if self.stored and any(isinstance(x, tir.Eff) for a in arms for x in tir.walk(a)):
                raise ByHandler("effects after a branch inside the instruction")
            self.notes.add("branch")
            self.put(f"if (ir_branch(l, {self.r(s.c)})) {{")
            self.nested(s.then)
            self.put("} else {")
            self.nested(s.other)
            self.put("}")
            return
        if s.hint == "unlikely" and not self.stored and not s.other:
            self.notes.add("guard")
            self.put(f"ir_guard(l, {self.r(s.c)}, 0);")
            return
        raise ByHandler("effects under a run-time condition")

    def pure(self, stmts: list) -> bool:
        return all(isinstance(x, (tir.Let, tir.SetReg, tir.SetSlot)) for x in stmts)

    def select(self, s: tir.If) -> None:
        """Both arms are evaluated; every slot written takes the value of the arm that runs."""
        written: dict[tuple, list] = {}
        for i, arm in enumerate((s.then, s.other)):
            for x in arm:
                if isinstance(x, tir.Let):
                    self.st_Let(x)
                elif isinstance(x, tir.SetSlot):
                    written.setdefault(("slot", x.slot), [None, None])[i] = x
                else:
                    if self.isa.files[x.file].width > 64:
                        raise ByHandler("vector")
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
        self.ended = True

    def st_Jump(self, s: tir.Jump) -> None:
        self.put(f"ir_jump(l, {self.r(s.target)}, IR_JUMP_{s.kind.upper()});")
        self.ended = True

    def st_End(self, s: tir.End) -> None:
        self.put(f"lift_end(l, LIFT_{s.reason.upper()});")

    def st_Commit(self, s: tir.Commit) -> None:
        self.put("ir_commit(l);")
        self.stored = False

    def st_Restart(self, s: tir.Restart) -> None:
        self.put("ir_restart(l);")

    def st_Done(self, s: tir.Done) -> None:
        self.put("return LIFT_NEXT;")

    def st_Eff(self, s: tir.Eff) -> None:
        w = s.attrs.get("width")
        order = f"(int)({self.c(s.attrs['order'])})" if "order" in s.attrs else "0"
        a = s.args
        if s.kind in ("load", "load_ex"):
            self.put(f"ref {s.outs[0][0]} = ir_{s.kind}(l, {w}, {self.r(a[0])}, {order});")
            self.stored |= s.kind == "load_ex"
        elif s.kind == "store":
            self.put(f"ir_store(l, {w}, {self.r(a[0])}, {self.r(a[1])}, {order});")
            self.stored = True
        elif s.kind == "store_ex":
            self.put(f"ref {s.outs[0][0]} = ir_store_ex(l, {w}, {self.r(a[0])}, {self.r(a[1])}, {order});")
            self.stored = True
        elif s.kind == "rmw":
            self.put(f"ref {s.outs[0][0]} = ir_rmw(l, IR_RMW_{s.attrs['op'].upper()}, {w}, {self.r(a[0])}, {self.r(a[1])}, {order});")
            self.stored = True
        elif s.kind == "cas":
            self.put(f"ref {s.outs[0][0]} = ir_cas(l, {w}, {self.r(a[0])}, {self.r(a[1])}, {self.r(a[2])}, {order});")
            self.stored = True
        elif s.kind == "probe":
            self.put(f"ir_probe(l, {self.r(a[0])}, {self.r(a[1])}, {int(s.attrs['access'] == 'w')});")
        elif s.kind == "fence":
            self.put(f"ir_fence(l, {' << 4 | '.join(f'(unsigned)({self.c(x)})' for x in a) or '0'});")
        else:
            raise ByHandler({"fp": "floating point", "sysread": "system register", "syswrite": "system register",
                             "helper": f"helper {s.attrs.get('name')}", "fill": "fill"}[s.kind])

    def function(self) -> str:
        head = f"int {self.isa.name}_l_{self.m.name}(struct lift *l, const struct insn *insn)"
        lead = [f"  const struct {self.isa.name}_insn *d = (const struct {self.isa.name}_insn *)insn;", "  (void)d, (void)l;"]
        try:
            self.body(self.m.body)
        except ByHandler as why:
            self.notes = {f"handler: {why}"}
            return f"{head} {{\n  return lift_by_handler(l, insn);\n}}\n"
        return "\n".join([head + " {", *lead, *self.lines, "  return LIFT_NEXT;", "}", ""])


def files(isa: Isa, checked: Checked) -> dict[str, str]:
    place = Place(isa, insn.members(isa, checked))
    parts, report = [], []
    for m in checked.leaves:
        lf = Lifter(isa, place, m)
        if m.leaf.family.lift == "interp":
            raise_note = "handler: asked for"
            parts.append(f"int {isa.name}_l_{m.name}(struct lift *l, const struct insn *insn) {{\n  return lift_by_handler(l, insn);\n}}\n")
            report.append(f"{m.leaf.name}: {raise_note}")
            continue
        parts.append(f"/* {m.leaf.where.file}:{m.leaf.where.line} {m.leaf.name} */\n" + lf.function())
        for note in sorted(lf.notes):
            report.append(f"{m.leaf.name}: {note}")
    protos = "".join(f"int {isa.name}_l_{m.name}(struct lift *l, const struct insn *insn);\n" for m in checked.leaves)
    rows = "".join(f"    {isa.name}_l_{m.name},\n" for m in checked.leaves)
    text = (f'/* Generated: the lifter of {isa.name}. */\n#include "{isa.name}/state.h"\n#include "{isa.name}/insn.h"\n#include "ir/build.h"\n\n'
            f"{protos}extern lift_fn *const {isa.name}_lift[];\n\n" + "\n".join(parts) + f"\nlift_fn *const {isa.name}_lift[] = {{\n    0,\n{rows}}};\n")
    return {"lift.c": text, "lift.txt": "\n".join(report) + "\n"}
