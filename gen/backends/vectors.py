"""Test data per leaf as JSON: how operands are encoded, which registers the meaning reads and what for, boundary values per
type, operands that may be the same register, what else the leaf does (memory, traps, helpers, undefined bits).

vectors.json: {"isa", "values": {type: [...]}, "leaves": [...]}; see `leaf_data` for a leaf's keys. What is executed and
compared is the tests' business."""
from __future__ import annotations

import json

from .. import forms, operands, tir
from ..model import Isa, Leaf
from ..tir import Checked, E, Meaning

FORMATS = {16: (5, 10), 32: (8, 23), 64: (11, 52)}


def integers(n: int) -> list[int]:
    """Boundary values of bN: at least 16 from b8 on."""
    ones = (1 << n) - 1
    out = [0, 1, ones, 1 << n - 1, (1 << n - 1) - 1, 2, ones - 1, (1 << n - 1) + 1, ones // 3, ones // 3 * 2, n - 1, n, n + 1]
    for k in (4, 8, 16, 32, 64):
        if k < n:
            out += [1 << k - 1, (1 << k) - 1, 1 << k, ones ^ (1 << k - 1) - 1, ones ^ (1 << k) - 1]
    out += [1 << k for k in (3, 5, n // 2, n - 2) if 0 <= k < n]
    return list(dict.fromkeys(v & ones for v in out))


def floats(w: int) -> list[int]:
    """Bit patterns: zeros, subnormal, smallest and largest normal, infinities, NaNs, ties, around integer limits."""
    e, f = FORMATS[w]
    bias, top = (1 << e - 1) - 1, (1 << e) - 1

    def number(exp: int, frac: int = 0) -> int:
        return exp + bias << f | frac

    out = [0, 1, (1 << f) - 1, 1 << f, number(0), number(1), number(-1), number(0, 1), number(0, 1 << f - 1), number(1, 1 << f - 2),
           number(bias, (1 << f) - 1), top << f, top << f | 1 << f - 1, top << f | 1, top << f | 3 << f - 2, number(f), number(f + 1, 1),
           number(-1, (1 << f) - 1)]
    out += [number(k) for k in (31, 32, 63, 64) if k <= bias] + [number(k - 1, (1 << f) - 1) for k in (31, 63) if k <= bias]
    return list(dict.fromkeys(out + [v | 1 << w - 1 for v in out]))


def immediates(bits: int) -> list[int]:
    if bits <= 4:
        return list(range(1 << bits))
    return sorted({v for v in integers(bits) if v < 1 << bits} | {3, 7, 31 % (1 << bits)})


class Reads:
    """What a meaning reads, by following locals back to registers."""

    def __init__(self, m: Meaning) -> None:
        self.lets: dict[str, list[E]] = {}
        self.regs: dict[tuple, dict] = {}
        self.slots: set[str] = set()
        self.fp: set[int] = set()
        self.lanes: set[int] = set()
        self.undef = self.pc = False
        self.seen: set[tuple] = set()
        for s in tir.walk(m.body):
            if isinstance(s, (tir.Let, tir.Set)):
                self.lets.setdefault(s.id, []).append(s.e)
        for s in tir.walk(m.body):
            if isinstance(s, tir.Eff) and s.kind == "fp":
                self.fp.add(s.attrs["width"])
            for k, e in enumerate(tir.exprs(s)):
                role = "value"
                if isinstance(s, tir.Jump):
                    role = "jump"
                elif isinstance(s, tir.Eff) and s.kind not in ("fp", "helper", "sysread", "syswrite", "fence") and k == 0:
                    role = "address"
                if not isinstance(s, (tir.Let, tir.Set)) or role != "value":
                    self.visit(e, role, None, 0)
            if isinstance(s, tir.SetReg):
                self.visit(s.index, "value", None, 0)

    def visit(self, e: E, role: str, width: int | None, fp: int) -> None:
        """`width`: bits from 0 that the context takes; `fp`: width of the float that e is part of, or 0."""
        if e.op == "local" or e.a:
            key = (id(e) if e.op != "local" else e.k, role, width, fp)
            if key in self.seen:
                return
            self.seen.add(key)
        if e.op == "local":
            for x in self.lets.get(e.k, []):
                self.visit(x, role, width, fp)
            return
        if e.ty.kind == "f":
            self.fp.add(e.ty.n)
            fp = e.ty.n
        if e.op in ("pc", "next"):
            self.pc = True
        if e.ty.kind == "vec":
            self.lanes.add(e.ty.elem.bits)
        if e.op == "undef":
            self.undef = True
        if e.op == "slot":
            self.slots.add(e.k)
        if e.op in ("reg", "reglane"):
            file = e.k if e.op == "reg" else e.k[0]
            used = e.k[1] + e.ty.n if e.op == "reglane" else width or e.ty.n
            key = (file, *index(e.a[0]))
            old = self.regs.setdefault(key, {"file": file, "index": index(e.a[0]), "width": 0, "role": "value", "fp": 0})
            old["fp"] = max(old["fp"], fp)
            old["width"] = max(old["width"], used)
            if role != "value" and old["role"] != "address":
                old["role"] = role
            return
        for x in e.a:
            self.visit(x, role, e.k + e.ty.n if e.op == "slice" and x.op in ("reg", "local") else None, fp)


def index(e: E) -> list:
    while e.op in ("btoi", "zext", "cast"):
        e = e.a[0]
    if e.op == "const":
        return ["const", e.k]
    if e.op in ("field", "operand"):
        return ["field", e.k]
    if e.op == "and" and e.a[1].op == "const":          # part of a number that says more
        return index(e.a[0])
    return ["other", ""]


def encoding(isa: Isa, leaf: Leaf) -> dict[str, object]:
    if leaf.form is None:
        return {"length": leaf.length // 8, "mask": leaf.mask, "value": leaf.value, "should": leaf.should,
                "fields": {n: {"bits": f.bits, "add": f.add, "pieces": [[p.hi, p.lo, p.pos] for p in f.pieces]}
                           for n, f in leaf.fields.items()}}
    f = leaf.form
    codes = [{"place": s.place, "bits": s.bits, "view": s.view} for s in operands.specs(isa, leaf)]
    return {"form": {"prefix": f.prefix, "w": f.w, "vex": f.vex, "vex_l": f.vex_l, "vex_w": f.vex_w, "map": f.map,
                     "opcode": f.opcode, "plus_r": f.plus_r, "modrm": f.modrm, "digit": f.digit, "mode": f.mode,
                     "imm": f.imm[0] if f.imm else "", "n": f.n, "attrs": f.attrs, "operands": codes} | sizes(isa, f)}


def sizes(isa: Isa, f) -> dict[str, int]:
    """What the operand size makes of a form: the 66 prefix, W (-1: free), bytes of the immediate."""
    sized = not f.vex and forms.multiplied(isa, f) and "f64" not in f.attrs
    w = f.w if f.w is not None else -1
    if sized:
        w = int(f.n == 64) if "d64" not in f.attrs or f.n == 16 else -1
    wide = {"iz": {16: 2, 32: 4, 64: 4}, "iv": {16: 2, 32: 4, 64: 8}, "ib": 1, "iw": 2, "cb": 1, "cz": 4, "mo": 8}
    n = wide[f.imm[0]] if f.imm else 0
    return {"osize": int(sized and f.n == 16 and not forms.by_w(f)), "rex_w": w, "imm_bytes": n[f.n] if isinstance(n, dict) else n}


def leaf_data(isa: Isa, checked: Checked, m: Meaning) -> dict[str, object]:
    """Keys: `regs` (file, index: [field|const|other, which], width: bits used from 0, role: value|address|jump, fp: width of the
    float it holds), `imm`
    (field: boundary values), `alias` (fields that may name the same register), `fp` and `lanes` (widths of floats and of
    vector elements), `slots` read, `effects` (kinds), `helpers`, `traps`, `undef`, `jump`, `pc`
    (whether the address of the instruction matters)."""
    leaf, r = m.leaf, Reads(m)
    effects = sorted({s.kind for s in tir.walk(m.body) if isinstance(s, tir.Eff)})
    writes = [{"file": s.file, "index": index(s.index)} for s in tir.walk(m.body) if isinstance(s, tir.SetReg)]
    used = {(x["index"][1], x["file"]) for x in [*r.regs.values(), *writes] if x["index"][0] == "field"}
    numbers = {n for n, _ in used}
    out: dict[str, object] = {"name": leaf.name, "op": leaf.id, "source": leaf.where.at(), "requires": leaf.requires}
    out |= encoding(isa, leaf)
    fields = out.get("fields", {})
    out["imm"] = {n: immediates(f["bits"]) for n, f in fields.items() if n not in numbers}
    out["files"] = {n: f for n, f in sorted(used)}
    by_file: dict[str, list[str]] = {}
    for n, f in sorted(used):
        by_file.setdefault(f, []).append(n)
    out["alias"] = [[a, b] for names in by_file.values() for i, a in enumerate(names) for b in names[i + 1:]]
    out |= {"regs": list(r.regs.values()), "writes": [w for k, w in enumerate(writes) if w not in writes[:k]], "fp": sorted(r.fp),
            "lanes": sorted(r.lanes), "slots": sorted(r.slots), "effects": effects,
            "helpers": sorted({s.attrs["name"] for s in tir.walk(m.body) if isinstance(s, tir.Eff) and s.kind == "helper"}),
            "traps": sorted({s.kind for s in tir.walk(m.body) if isinstance(s, tir.Trap)}), "undef": r.undef, "pc": r.pc,
            "ends": sorted({s.reason for s in tir.walk(m.body) if isinstance(s, tir.End)}),
            "jump": any(isinstance(s, tir.Jump) for s in tir.walk(m.body))}
    return out


def files(isa: Isa, checked: Checked) -> dict[str, str]:
    values = {f"b{n}": integers(n) for n in (8, 16, 32, 64)} | {f"f{n}": floats(n) for n in FORMATS}
    data = [leaf_data(isa, checked, m) for m in checked.leaves]
    rows = ",\n".join(json.dumps(x) for x in data)
    return {"vectors.json": f'{{"isa": {json.dumps(isa.name)}, "address": {json.dumps({k: t.s for k, t in isa.extra.get("address", {}).items()})},\n'
                            f'"values": {json.dumps(values)},\n"leaves": [\n{rows}\n]}}\n'}
