"""The interpreter's C: one handler per leaf (`<isa>_i_<leaf>`), hot ones inline (`hi_<leaf>`), the table of all handlers.

A trap discards register writes: what may be written before a possible fault is saved first and put back on the fault
path (`undo`). Everything else is a direct transcription of the typed tree."""
from __future__ import annotations

from pathlib import PurePath

from .. import tir, values as v
from ..builtins import flag_bits
from ..expand import ident
from ..model import Isa
from ..tir import B, Checked, E, Meaning
from . import cexpr, insn, prepare
from .cexpr import ctype, mask, render

PREAMBLE = '#include "mem/access.h"\n#include "core/bits.h"\n#include "fp/fp.h"\n#include "interp/handler.h"\n'
_FAULTS = {"load", "store", "rmw", "cas", "load_ex", "store_ex", "fill", "probe", "sysread", "syswrite", "helper"}


def slot_ctype(width: int) -> str:
    return next((f"uint{s}_t" for s in (8, 16, 32, 64) if width <= s), "u128")


class Place(cexpr.Place):
    pc = "(vcpu->pcbase + d->head.off)"
    next = "(vcpu->pcbase + d->head.off + d->head.len)"

    def __init__(self, isa: Isa, members: dict[str, insn.Member]) -> None:
        self.isa, self.members = isa, members

    def field(self, name: str) -> str:
        return f"(uint64_t)d->{self.members[name].ident}"

    def slot(self, name: str) -> str:
        w = self.isa.slots[name].width
        return f"v->{name}" if w > 32 else f"(uint64_t)v->{name}"

    def reg(self, file: str, index: str) -> str:
        return f"v->{file}[{index}]"

    def dest(self, file: str, index: str) -> str:
        return Place.reg(self, file, index)

    def feature(self, name: str) -> str:
        return f"(vcpu->c->features >> {list(self.isa.features).index(name)} & 1)"

    def file_width(self, file: str) -> int:
        return self.isa.files[file].width


class Given(Place):
    """As the second of a fused pair: one register's value is at hand."""

    def __init__(self, isa: Isa, members: dict[str, insn.Member], file: str, operand: str) -> None:
        super().__init__(isa, members)
        self.given = (file, self.field(operand))

    def reg(self, file: str, index: str) -> str:
        return "value" if (file, index) == self.given else super().reg(file, index)


class Writer:
    """Writes one body as C statements."""

    def __init__(self, isa: Isa, place: Place, m: Meaning) -> None:
        self.isa, self.place, self.m = isa, place, m
        self.lines: list[str] = []
        self.depth = 1
        self.n = 0
        self.saved: list[tuple[str, str, str]] = self._saved()       # (C type, name, place)
        self.undo_used = False
        self.direct = prepare.direct(m)
        self.hand_on = False        # gives the register it writes to the second of a fused pair
        kinds = [s for s in tir.walk(m.body) if isinstance(s, (tir.Jump, tir.End)) or
                 isinstance(s, tir.Eff) and (s.kind == "syswrite" or s.kind == "helper")]
        self.res = bool(kinds)

    # ---- undo
    def _saved(self) -> list[tuple[str, str, str]]:
        out: dict[str, tuple[str, str, str]] = {}
        pending: list = []
        for s in tir.walk(self.m.body):
            if isinstance(s, (tir.Trap, tir.Restart)) or isinstance(s, tir.Eff) and s.kind in _FAULTS:
                for w in pending:
                    if isinstance(w, tir.SetSlot):
                        p, t = f"v->{w.slot}", slot_ctype(self.isa.slots[w.slot].width)
                    else:
                        f = self.isa.files[w.file]
                        p = self.place.dest(w.file, render(w.index, self.place))
                        t = "uint64_t" if f.width <= 64 else reg_ctype(f.width)
                    out.setdefault(p, (t, f"old{len(out)}", p))
                pending = []
            elif isinstance(s, (tir.SetReg, tir.SetSlot)):
                pending.append(s)
            elif isinstance(s, tir.Commit):
                pending = []
        return list(out.values())

    def put(self, s: str) -> None:
        self.lines.append("  " * self.depth + s)

    def undo(self) -> list[str]:
        return [f"{place} = {name};" for _, name, place in reversed(self.saved)]

    def fault(self) -> str:
        if self.saved:
            self.undo_used = True
            return "goto undo;"
        return "return STEP_TRAP;"

    def x(self, e: E) -> str:
        return render(e, self.place)

    # ---- statements
    def body(self, stmts: list) -> None:
        for s in stmts:
            getattr(self, "st_" + type(s).__name__)(s)

    def st_Let(self, s: tir.Let) -> None:
        self.put(f"{ctype(s.e.ty)} {s.id} = {self.x(s.e)};")

    def st_Var(self, s: tir.Var) -> None:
        self.put(f"{ctype(s.ty)} {s.id};")

    def st_Set(self, s: tir.Set) -> None:
        self.put(f"{s.id} = {self.x(s.e)};")

    def st_SetSlot(self, s: tir.SetSlot) -> None:
        w = self.isa.slots[s.slot].width
        cast = f"({slot_ctype(w)})" if w <= 32 else ""
        self.put(f"v->{s.slot} = {cast}{self.x(s.e)};")

    def st_SetReg(self, s: tir.SetReg) -> None:
        f = self.isa.files[s.file]
        place = self.place.dest(s.file, self.x(s.index))
        if f.width <= 64:
            e, w = s.e, s.e.ty.bits
            if s.e.ty.kind == "vec":
                e = v.cast(s.e, B(w))
            if s.keep:
                self.put(f"{place} = ({place} & ~(bits_mask({w}) << {s.lo})) | {self.x(e)} << {s.lo};")
            elif self.hand_on:
                self.put(f"*value = {self.x(e)};")
                self.put(f"{place} = *value;")
            else:
                self.put(f"{place} = {self.x(e)}{f' << {s.lo}' if s.lo else ''};")
        else:
            self.wide(s, f.width, place)
        if f.zero is not None and not self.above(s.index, f.zero):
            self.put(f"v->{s.file}[{f.zero}] = 0;")

    def above(self, index: E, zero: int) -> bool:
        """An operand that cannot be as small as the register that reads zero."""
        name = prepare.operand(index)
        return bool(self.m.leaf and name in self.m.leaf.fields and self.m.leaf.fields[name].add > zero)

    def wide(self, s: tir.SetReg, width: int, place: str) -> None:
        """A register over 64 bits: lanes are computed first, because a source may be the destination."""
        e, n = s.e, s.e.ty.bits
        w = e.ty.elem.bits if e.ty.kind == "vec" else next((k for k in (8, 16, 32, 64) if k == n), 64)
        if w not in (8, 16, 32, 64) or s.lo % w or n % w:
            w = next(k for k in (64, 32, 16, 8) if n % k == 0 and s.lo % k == 0)
        self.n += 1
        lanes = []
        for i in range(n // w):
            x = v.lane(e, i) if e.ty.kind == "vec" and e.ty.elem.bits == w else v.bits(e, i * w, w)
            if x.op == "const" and x.k == 0 and n // w > 1:
                lanes.append("0")
                continue
            self.put(f"uint64_t w{self.n}_{i} = {self.x(x)};")
            lanes.append(f"w{self.n}_{i}")
        if not s.keep and n < width:
            self.put(f"memset(&{place}, 0, sizeof {place});")
        for i, name in enumerate(lanes):
            cast = f"(uint{w}_t)" if w < 64 else ""
            self.put(f"{place}.b{w}[{s.lo // w + i}] = {cast}{name};")

    def st_If(self, s: tir.If) -> None:
        c = self.x(s.c)
        if s.hint:
            c = f"{s.hint}({c})"
        elif s.then and isinstance(s.then[-1], tir.Trap):
            c = f"unlikely({c})"
        if not s.then:
            self.put(f"if (!({c})) {{")
            self.nested(s.other)
        else:
            self.put(f"if ({c}) {{")
            self.nested(s.then)
            if s.other:
                self.put("} else {")
                self.nested(s.other)
        self.put("}")

    def nested(self, stmts: list) -> None:
        self.depth += 1
        self.body(stmts)
        self.depth -= 1

    def st_Trap(self, s: tir.Trap) -> None:
        args = [self.x(a) for a in s.args] + ["0"] * (3 - len(s.args))
        self.put(f"vcpu_trap(vcpu, {self.isa.name.upper()}_TRAP_{s.kind}, {len(s.args)}, {', '.join(args)});")
        self.put(self.fault())

    def st_Jump(self, s: tir.Jump) -> None:
        if self.direct:
            self.put(f"*to = {self.x(s.target)};")
            self.put("result = step_join(result, STEP_LINK);")
            return
        self.put(f"vcpu->pc = {self.x(s.target)};")
        self.put(f"result = step_join(result, {'STEP_JUMP_END' if s.kind == 'eret' else 'STEP_JUMP'});")

    def st_End(self, s: tir.End) -> None:
        self.put(f"result = step_join(result, {'STEP_WAIT' if s.reason == 'wait' else 'STEP_END'});")

    def st_Commit(self, s: tir.Commit) -> None:
        for _, name, place in self.saved:
            self.put(f"{name} = {place};")

    def st_Restart(self, s: tir.Restart) -> None:
        for line in self.undo():
            self.put(line)
        self.put("return STEP_RESTART;")

    def st_Done(self, s: tir.Done) -> None:
        self.put(f"return {'result' if self.res else 'STEP_NEXT'};")

    # ---- effects
    def st_Eff(self, s: tir.Eff) -> None:
        getattr(self, "eff_" + s.kind)(s)

    def attr(self, s: tir.Eff) -> str:
        o = s.attrs.get("order")
        return self.x(o) if o is not None and o.op == "const" else f"(unsigned)({self.x(o)})" if o is not None else "0"

    def memory(self, s: tir.Eff, call: str, out: str | None, args: list[str]) -> None:
        w = s.attrs.get("width")
        if out is None:
            self.put(f"if (unlikely({call}({', '.join(args)}))) {self.fault()}")
            return
        t = "u128" if w == 128 else f"uint{w}_t"
        self.put(f"{t} {out}_;")
        self.put(f"if (unlikely({call}({', '.join(args + [f'&{out}_'])}))) {self.fault()}")
        self.put(f"{ctype(s.outs[0][1])} {out} = {out}_;")

    def value(self, s: tir.Eff, e: E) -> str:
        w = s.attrs["width"]
        return self.x(e) if w >= 64 else f"(uint{w}_t){self.x(e)}"

    def eff_load(self, s: tir.Eff) -> None:
        self.memory(s, f"mem_load{s.attrs['width']}", s.outs[0][0], ["vcpu", self.x(s.args[0]), self.attr(s)])

    def eff_load_ex(self, s: tir.Eff) -> None:
        self.memory(s, f"mem_load_ex{s.attrs['width']}", s.outs[0][0], ["vcpu", self.x(s.args[0]), self.attr(s)])

    def eff_store(self, s: tir.Eff) -> None:
        self.memory(s, f"mem_store{s.attrs['width']}", None, ["vcpu", self.x(s.args[0]), self.attr(s), self.value(s, s.args[1])])

    def eff_store_ex(self, s: tir.Eff) -> None:
        out = s.outs[0][0]
        self.put(f"uint8_t {out}_;")
        self.put(f"if (unlikely(mem_store_ex{s.attrs['width']}(vcpu, {self.x(s.args[0])}, {self.attr(s)}, {self.value(s, s.args[1])}, &{out}_))) "
                 f"{self.fault()}")
        self.put(f"uint64_t {out} = {out}_;")

    def eff_rmw(self, s: tir.Eff) -> None:
        op = f"RMW_{s.attrs['op'].upper()}"
        self.memory(s, f"mem_rmw{s.attrs['width']}", s.outs[0][0],
                    ["vcpu", self.x(s.args[0]), self.attr(s), op, self.value(s, s.args[1])])

    def eff_cas(self, s: tir.Eff) -> None:
        self.memory(s, f"mem_cas{s.attrs['width']}", s.outs[0][0],
                    ["vcpu", self.x(s.args[0]), self.attr(s), self.value(s, s.args[1]), self.value(s, s.args[2])])

    def eff_fill(self, s: tir.Eff) -> None:
        a, n, b = (self.x(e) for e in s.args)
        self.put(f"if (unlikely(mem_fill(vcpu, {a}, {n}, (uint8_t){b}))) {self.fault()}")

    def eff_probe(self, s: tir.Eff) -> None:
        a, n = (self.x(e) for e in s.args)
        access = "ACCESS_WRITE" if s.attrs["access"] == "w" else "ACCESS_READ"
        self.put(f"if (unlikely(mem_probe(vcpu, {a}, {n}, {access}))) {self.fault()}")

    def eff_fence(self, s: tir.Eff) -> None:
        if len(s.args) == 2:
            arg = f"(unsigned)({self.x(s.args[0])}) << 4 | (unsigned)({self.x(s.args[1])})"
        else:
            arg = f"(unsigned)({self.x(s.args[0])})" if s.args else "0"
        self.put(f"mem_fence({arg});")

    def eff_helper(self, s: tir.Eff) -> None:
        self.n += 1
        for name, ty in s.outs:
            self.put(f"{ctype(ty)} {name} = 0;")
        args = ["vcpu"] + [self.x(a) for a in s.args] + [f"&{name}" for name, _ in s.outs]
        self.put(f"int step{self.n} = {self.isa.name}_h_{s.attrs['name']}({', '.join(args)});")
        self.put(f"if (unlikely(step{self.n} == STEP_TRAP)) {self.fault()}")
        self.put(f"result = step_join(result, step{self.n});")

    def eff_sysread(self, s: tir.Eff) -> None:
        out = s.outs[0][0]
        self.put(f"uint64_t {out};")
        self.put(f"if (unlikely({self.isa.name}_sys_read(vcpu, (uint64_t)({self.x(s.args[0])}), &{out}))) {self.fault()}")

    def eff_syswrite(self, s: tir.Eff) -> None:
        self.n += 1
        self.put(f"int step{self.n} = {self.isa.name}_sys_write(vcpu, (uint64_t)({self.x(s.args[0])}), {self.x(s.args[1])});")
        self.put(f"if (unlikely(step{self.n} == STEP_TRAP)) {self.fault()}")
        self.put(f"result = step_join(result, step{self.n});")

    def eff_fp(self, s: tir.Eff) -> None:
        a = s.attrs
        self.n += 1
        env = f"fe{self.n}"
        self.put(f"struct fp_env {env} = {{(uint8_t)({self.x(a['rm'])}), FP_NAN_{a['nan'].upper()}, FP_TINY_{a['tiny'].upper()}, "
                 f"(uint8_t)({self.x(a['daz'])}), (uint8_t)({self.x(a['ftz'])}), 0}};")
        args = [f"&{env}"] + [self.x(e) for e in s.args]
        op, w = a["op"], a["width"]
        out, ty = s.outs[0]
        if op in ("min", "max"):
            args += [f"FP_MINMAX_{a['minmax'].upper()}", "1"]
        elif op in ("eq", "lt", "le", "cmp"):
            args.append(str(a["quiet"]))
        elif op == "to_int":
            bad = {"nanmax": "FP_BAD_SATURATE_NANMAX", "nanzero": "FP_BAD_SATURATE_NANZERO", "indefinite": "FP_BAD_INDEFINITE"}
            args += [str(a["int"]), str(int(a["signed"])), bad[a["bad"]]]
        elif op == "from_int":
            args += [str(a["int"]), str(int(a["signed"]))]
        elif op == "round_to_int":
            args.append(str(a["exact"]))
        if op == "cvt":
            self.put(f"uint64_t {out} = fp{w}_to_fp{a['to']}({', '.join(args)});")
        elif op == "cmp":
            self.put(f"int order{self.n} = fp{w}_cmp({', '.join(args)});")
            for (name, _), k in zip(s.outs, ("FP_LT", "FP_EQ", "FP_UN")):
                self.put(f"uint64_t {name} = order{self.n} == {k};")
        else:
            cast = "(uint64_t)" if op in ("eq", "lt", "le") else ""
            self.put(f"uint64_t {out} = {cast}fp{w}_{op}({', '.join(args)});")
        name, fty = s.outs[-1]
        bits = flag_bits(self.isa.fp[a["profile"]])
        if all(b is None or b == k for k, b in enumerate(bits)):
            return self.put(f"uint64_t {name} = {mask(f'{env}.flags', fty.n)};")
        places = ", ".join("255" if b is None else str(b) for b in bits)
        self.put(f"uint64_t {name} = fp_flags_at({env}.flags, (const uint8_t[]){{{places}}});")

    # ---- the function
    def function(self, head: str, result: str | None = None) -> str:
        self.body(self.m.body)
        top = []
        if self.saved:
            top += [f"  {t} {name} = {place};" for t, name, place in self.saved]
        if self.res:
            top.append("  int result = STEP_NEXT;")
        ends = bool(self.m.body) and isinstance(self.m.body[-1], (tir.Trap, tir.Restart, tir.Done))
        tail = []
        if result:
            tail.append(f"  {result}")
        if not ends:
            tail.append(f"  return {'result' if self.res else 'STEP_NEXT'};")
        if self.undo_used:
            tail.append("undo:")
            tail += [f"  {line}" for line in self.undo()]
            tail.append("  return STEP_TRAP;")
        return "\n".join([head + " {", *top, *self.lines, *tail, "}"])


def reg_ctype(width: int) -> str:
    return "union vreg128" if width == 128 else "union vreg"


def handler(isa: Isa, place: Place, m: Meaning, name: str, kind: str, extra: str = "") -> str:
    w = Writer(isa, place, m)
    w.hand_on = extra == ", uint64_t *value"
    to = extra + (", gva_t *to" if w.direct else "")
    text = w.function(f"{kind}int {name}(struct vcpu *vcpu, const struct insn *insn{to})")
    if (e := prepare.hoisted(m)):
        text = text.replace(render(e, place), "((uint64_t)d->head.k)")
    lead = []
    if "v->" in text:
        lead.append(f"  struct {isa.name}_vcpu *v = (struct {isa.name}_vcpu *)vcpu;")
    if "d->" in text:
        lead.append(f"  const struct {isa.name}_insn *d = (const struct {isa.name}_insn *)insn;")
    else:
        lead.append("  (void)insn;")
    if "vcpu" not in text.split("\n", 1)[1] and not lead[0].lstrip().startswith("struct"):
        lead.append("  (void)vcpu;")
    head, rest = text.split("\n", 1)
    where = m.leaf.where
    return f"/* {where.file}:{where.line} {m.leaf.name} */\n{head}\n" + "\n".join(lead) + "\n" + rest + "\n"


def family_file(m: Meaning) -> str:
    return "interp_" + ident(PurePath(m.leaf.where.file).stem) + ".c"


def fused_parts(isa: Isa, checked: Checked, place: Place) -> list[str]:
    """`hp_<leaf>`: gives away the register it writes. `hs_<leaf>__<operand>`: takes the register at that operand."""
    meaning = {m.leaf.id: m for m in checked.leaves}
    kind = "static inline __attribute__((always_inline)) "
    out: dict[str, str] = {}
    for f in isa.fused:
        if f.operand:
            first, second = f"hp_{f.first.ident}", f"hs_{f.second.ident}__{ident(f.operand)}"
            given = Given(isa, place.members, prepare.result(meaning[f.first.id]).file, f.operand)
            out[first] = handler(isa, place, meaning[f.first.id], first, kind, ", uint64_t *value")
            out[second] = handler(isa, given, meaning[f.second.id], second, kind, ", uint64_t value")
    return list(out.values())


def files(isa: Isa, checked: Checked) -> dict[str, str]:
    place = Place(isa, insn.members(isa, checked))
    top = f'#include "{isa.name}/state.h"\n#include "{isa.name}/insn.h"\n' + PREAMBLE
    hot, cold = [], {}
    for m in checked.leaves:
        if m.leaf.hot:
            hot.append(handler(isa, place, m, f"hi_{m.leaf.ident}", "static inline __attribute__((always_inline)) "))
            text = (f"int {isa.name}_i_{m.leaf.ident}(struct vcpu *v, const struct insn *d) {{ return hi_{m.leaf.ident}(v, d); }}\n")
            if prepare.direct(m):
                text = (f"int {isa.name}_i_{m.leaf.ident}(struct vcpu *v, const struct insn *d) {{\n  gva_t to = 0;\n"
                        f"  int step = hi_{m.leaf.ident}(v, d, &to);\n  if (step != STEP_LINK) return step;\n  v->pc = to;\n"
                        f"  return STEP_JUMP;\n}}\n")
        else:
            text = handler(isa, place, m, f"{isa.name}_i_{m.leaf.ident}", "")
        cold.setdefault(family_file(m), []).append((m, text))
    hot += fused_parts(isa, checked, place)
    guard = f"ISOMER_GEN_{isa.name.upper()}_INTERP_HOT_H"
    out = {"interp_hot.h": f"/* Generated: handlers that run inside {isa.name}'s loop. */\n#ifndef {guard}\n#define {guard}\n\n{top}\n"
                           + "\n".join(hot) + "\n#endif\n"}
    for name, items in cold.items():
        protos = "".join(f"int {isa.name}_i_{m.leaf.ident}(struct vcpu *v, const struct insn *d);\n" for m, _ in items)
        include = '#include "%s/interp_hot.h"\n' % isa.name if any(m.leaf.hot for m, _ in items) else ""
        out[name] = f"/* Generated: handlers of {isa.name}. */\n{top}{include}\n{protos}\n" + "\n".join(t for _, t in items)
    protos = "".join(f"int {isa.name}_i_{m.leaf.ident}(struct vcpu *v, const struct insn *d);\n" for m in checked.leaves)
    rows = "".join(f"    {isa.name}_i_{m.leaf.ident},\n" for m in checked.leaves)
    out["exec.c"] = (f'/* Generated: the handlers of {isa.name} by leaf number. */\n#include "core/isa.h"\n\nextern insn_fn *const {isa.name}_exec[];\n'
                     f"{protos}\ninsn_fn *const {isa.name}_exec[] = {{\n    0,\n{rows}}};\n")
    return out

