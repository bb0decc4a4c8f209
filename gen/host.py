"""Lowering rules of a host (`hostcg/<host>.yaml`): read, bound to the instructions of its description, checked.

A rule says which instructions compute an operation of the IR, with what it asks of operands; a piece is a named run of
instructions that the code generator uses itself. Every mistake that can be known here is an error with its place: an
unknown instruction or operand, a rule that an earlier one hides, a name that the code does not use."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from . import operands
from .model import DescError, Isa, Leaf, Text
from .schema import get, known, lines, mapping, part, text
from .source import read

KINDS = ("r", "i", "u", "k", "cc", "to")        # register; sign-extended 32, unsigned 32, any number; condition; a place
WIDER = {"k": ("k", "i", "u"), "u": ("u",), "i": ("i",), "r": ("r", "k", "i", "u"), "cc": ("cc",)}


@dataclass(frozen=True)
class Operand:
    name: str
    kind: str = "r"
    fixed: int | None = None        # must be in this register
    value: int | None = None        # must be this number


@dataclass(frozen=True)
class Arg:
    """An operand of an instruction of a rule's code."""
    where: Text
    kind: str                       # reg mem imm to
    name: str = ""                  # of a rule's operand; or fixed / value
    fixed: int | None = None
    value: int | None = None
    bits: int = 0                   # as written, 0: not written
    base: "Arg | None" = None
    index: "Arg | None" = None
    scale: int = 0
    disp: "int | str" = 0
    wide: bool = False              # a number that may need more than 32 bits, or all 32 without sign


@dataclass
class Insn:
    where: Text
    leaf: Leaf
    args: list[tuple[operands.Spec, Arg]]
    short: Leaf | None = None       # the same with an immediate of one byte, when it fits
    condition: str = ""             # its condition is this operand
    label: str = ""                 # jumps here


@dataclass
class Label:
    name: str


@dataclass
class Rule:
    where: Text
    op: str
    bits: int                       # 32, 64
    aux: int
    dest: Operand | None
    tie: str
    early: bool
    args: list[Operand]
    temp: bool
    clobbers: list[int]
    needs: list[str]
    gives: str
    code: list["Insn | Label"] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.op}{self.aux or ''}.{self.bits}"


@dataclass
class Piece:
    where: Text
    name: str
    args: list[tuple[str, str]]
    gives: str
    code: list["Insn | Label"] = field(default_factory=list)


@dataclass
class Host:
    isa: Isa
    registers: dict[str, int]
    roles: dict[str, int]
    held: list[int]
    free: list[int]
    kept: list[int]
    call: list[int]
    result: int
    compared: int
    conditions: list[str]
    features: list[str]
    rules: list[Rule] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def number(self, t: Text, name: str) -> int:
        if name not in self.registers:
            raise DescError(t, f'no register "{name}" in registers:')
        return self.registers[name]


def ir_ops(path: Path) -> dict[str, tuple[int, str]]:
    """Operations of the IR: number of operands and kind, from the list in runtime/ir/ir.h."""
    found = re.findall(r"^\s*X\((\w+),\s*(\d), (\w)\)", path.read_text(), re.M)
    if not found:
        raise DescError(str(path), "no list of operations")
    return {name: (int(n), kind) for name, n, kind in found}


def load(path: str, root: Path) -> Host:
    from .load import load as load_isa
    top = read(path, path)
    known(top, "isa registers roles held free kept args result compared conditions features rules pieces", path,
          "isa registers roles held free kept args result compared conditions rules pieces")
    word = {k: text(v[1], k) for k, v in top.items.items() if k != "roles"}
    isa = load_isa(str(root / "isa" / f"{word['isa'].s}.yaml"))
    names = word["registers"].s.split()
    host = Host(isa, {n: i for i, n in enumerate(names)}, {}, [], [], [], [], 0, 0, word["conditions"].s.split(),
                word["features"].s.split() if "features" in word else [])
    for key, (_, node) in mapping(get(top, "roles"), "roles").items.items():
        t = text(node, key)
        host.roles[key] = host.number(t, t.s)
    for key, out in (("held", host.held), ("free", host.free), ("kept", host.kept), ("args", host.call)):
        out += [host.number(word[key], n) for n in word[key].s.split()]
    host.result = host.number(word["result"], word["result"].s)
    host.compared = host.number(word["compared"], word["compared"].s)
    used = host.held + host.free + list(host.roles.values())
    if len(set(used)) != len(used):
        raise DescError(word["held"], "a register has two purposes among roles, held and free")
    for f in host.features:
        if f not in isa.features:
            raise DescError(word["features"], f'{isa.name} has no feature "{f}"')
    ops = ir_ops(root / "runtime/ir/ir.h")
    for line in lines(word["rules"]):
        for bits in (32, 64):
            for r in rule(host, ops, line, bits):
                host.rules.append(r)
    shadowed(host)
    for line in lines(word["pieces"]):
        host.pieces.append(piece(host, line))
    host.sources = [path, str(root / "runtime/ir/ir.h"), *isa.sources]
    return host


def cells(line: Text, n: int) -> list[Text]:
    out = [part(line, m.start(), m.end()) for m in re.finditer(r"[^|]+", line.s)]
    if not 2 <= len(out) <= n:
        raise DescError(line, "a row is: pattern | code | attributes")
    return out


# ---- rules -------------------------------------------------------------------------------------------------------------


def rule(host: Host, ops: dict[str, tuple[int, str]], line: Text, bits: int) -> list[Rule]:
    pattern, code, *attributes = cells(line, 3)
    head, *words = pattern.s.split()
    m = re.fullmatch(r"([A-Z0-9]+)\.(N|32|64)", head)
    lane = re.fullmatch(r"([A-Z]+)(8|16|32)", m[1]) if m and m[1] not in ops else None
    op, aux = (lane[1], int(lane[2])) if lane else (m[1] if m else "", 0)
    if op not in ops:
        raise DescError(line, f'"{head}" is no operation of the IR with a width (.32, .64, .N)')
    if m[2] != "N" and int(m[2]) != bits:
        return []
    r = Rule(line, op, bits, aux, None, "", False, [], False, [], [], "")
    for w in words:
        if w == "+t":
            r.temp = True
            continue
        d = re.fullmatch(r"d(\^)?(?::(\w+))?(?:=([abc]))?", w)
        if d and w[0] == "d":
            r.early, r.tie = bool(d[1]), d[3] or ""
            r.dest = Operand("d", "r", host.number(line, d[2]) if d[2] else None)
            if r.tie:
                r.args.append(Operand(r.tie, "r", r.dest.fixed))
            continue
        o = re.fullmatch(r"([abc])(?::(=-?\w+|\w+))?", w)
        if not o:
            raise DescError(line, f'cannot read "{w}" in a pattern')
        k = o[2] or "r"
        if k.startswith("="):
            r.args.append(Operand(o[1], "i", None, int(k[1:], 0)))
        elif k in KINDS:
            r.args.append(Operand(o[1], k))
        else:
            r.args.append(Operand(o[1], "r", host.number(line, k)))
    r.args.sort(key=lambda x: x.name)
    want = 1 if r.op == "CONST" else ops[r.op][0]
    if [x.name for x in r.args] != list("abc"[:want]):
        raise DescError(line, f"{r.op} has {want} operands, the pattern names {' '.join(x.name for x in r.args) or 'none'}")
    commutes = False
    for w in attributes[0].s.split() if attributes else []:
        key, _, value = w.partition(":")
        if key == "commutes":
            commutes = True
        elif key == "needs" and value in host.features:
            r.needs.append(value)
        elif key == "clobbers":
            r.clobbers = [host.number(line, n) for n in value.split(",")]
        elif key == "gives" and value in host.conditions:
            r.gives = value
        else:
            raise DescError(line, f'unknown attribute "{w}"')
    if bool(r.dest) == bool(r.gives):
        raise DescError(line, "a rule has a destination d, or gives: a condition")
    names = {x.name: x for x in r.args} | ({"d": r.dest} if r.dest else {}) | ({"t": Operand("t")} if r.temp else {})
    r.code = parse_code(host, code, names, r.bits, r.tie)
    bound(line, set(names) - ({"d", r.tie} if r.tie else set()), r.code, code.s, fixed={x.name for x in names.values() if x.fixed is not None or x.value is not None})
    out = [r]
    if commutes:
        swap = {"a": "b", "b": "a"}
        text2 = re.sub(r"\b[ab]\b", lambda x: swap[x[0]], code.s)
        s = Rule(line, r.op, bits, r.aux, r.dest, swap.get(r.tie, ""), r.early,
                 sorted((Operand(swap[x.name], x.kind, x.fixed, x.value) for x in r.args), key=lambda x: x.name), r.temp,
                 r.clobbers, r.needs, r.gives)
        names = {x.name: x for x in s.args} | {"d": s.dest}
        s.code = parse_code(host, Text(text2, code.file, code.line, code.col), names, bits, s.tie)
        out.append(s)
    return out


def bound(where: Text, names: set[str], code: list, s: str, fixed: set[str] = frozenset()) -> None:
    """Every operand is used by the code."""
    for n in names - set(fixed):
        if not re.search(rf"(?<![\w.]){n}\b", s) and s.strip() != "-" and not (n == "cc" and "?" in s) and not ("?" in s and n == "a"):
            raise DescError(where, f'operand "{n}" is used by no instruction')


def covers(a: Operand, b: Operand) -> bool:
    """Whether whatever b takes a takes too."""
    if a.value is not None:
        return b.value == a.value
    return b.kind in WIDER[a.kind]


def shadowed(host: Host) -> None:
    for j, late in enumerate(host.rules):
        for early in host.rules[:j]:
            if (early.op, early.bits, early.aux) != (late.op, late.bits, late.aux) or not set(early.needs) <= set(late.needs):
                continue
            if early.tie and early.tie != late.tie:
                continue                        # asks for an operand that dies here
            if all(covers(a, b) for a, b in zip(early.args, late.args)):
                raise DescError(late.where, f"{late.title}: never chosen, the rule at {early.where.at()} comes first")


def piece(host: Host, line: Text) -> Piece:
    pattern, *more = cells(line, 3)
    name, *words = pattern.s.split()
    gives, args = "", []
    for w in words:
        n, _, kind = w.partition(":")
        if kind not in KINDS:
            raise DescError(line, f'argument "{w}": a name and one of {" ".join(KINDS)}')
        args.append((n, kind))
    for w in more[1].s.split() if len(more) > 1 else []:
        key, _, value = w.partition(":")
        if key != "gives" or value not in host.conditions:
            raise DescError(line, f'unknown attribute "{w}"')
        gives = value
    p = Piece(line, name, args, gives)
    p.code = parse_code(host, more[0], {n: Operand(n, k) for n, k in args}, 64, "")
    return p


# ---- code --------------------------------------------------------------------------------------------------------------


def parse_code(host: Host, t: Text, names: dict[str, Operand], bits: int, tie: str) -> list[Insn | Label]:
    out: list[Insn | Label] = []
    labels, jumps = set(), set()
    for m in re.finditer(r"[^;]+", t.s):
        where, s = part(t, m.start(), m.end()), m[0].strip()
        while l := re.match(r"(\d+):\s*", s):
            out.append(Label(l[1]))
            labels.add(l[1])
            s = s[l.end():]
        if s and s != "-":
            i = insn(host, where, s, names, bits)
            jumps |= {i.label} - {""}
            out.append(i)
    if jumps != labels:
        raise DescError(t, f"labels {' '.join(sorted(labels))} and jumps to {' '.join(sorted(jumps))} do not agree")
    return out


def insn(host: Host, where: Text, s: str, names: dict[str, Operand], bits: int) -> Insn:
    m = re.fullmatch(r"(lock )?([a-z]\w*\??)(?:\.(N|\d+))?(?:\s+(.*))?", s)
    if not m:
        raise DescError(where, f'cannot read the instruction "{s}"')
    n = bits if m[3] == "N" else int(m[3] or 0)
    label, args = "", []
    for w in re.split(r",\s*", m[4]) if m[4] else []:
        if re.fullmatch(r"\d", w) and re.fullmatch("j[a-z]+", m[2]):
            label = w
            args.append(Arg(where, "to"))
        else:
            args.append(arg(host, where, w.strip(), names))
    mnemonic, condition = m[2], ""
    if mnemonic.endswith("?"):
        condition = next((x.name for x in names.values() if x.kind == "cc"), "")
        if not condition:
            raise DescError(where, f"{mnemonic}: no operand is a condition")
        mnemonic = mnemonic[:-1] + host.conditions[0]
    found = candidates(host, mnemonic, n, args, bool(m[1]), label)
    if not found:
        raise DescError(where, f'{host.isa.name} has no instruction for "{s}"')
    if condition:
        check_conditions(host, where, mnemonic, found[0][0])
    leaf, pairs = found[0]
    short = None
    imm = next((a for sp, a in pairs if sp.place == "imm"), None)
    if imm is not None and imm.value is None and leaf.form.imm != ["ib"]:
        short = next((l for l, p in found if l.form.imm == ["ib"]), None) if leaf.form.imm != ["iv"] else None
    if imm is not None and imm.value is not None:
        leaf, pairs = next(((l, p) for l, p in found if l.form.imm == ["ib"] and -128 <= imm.value < 128), (leaf, pairs))
    return Insn(where, leaf, pairs, short, condition, label)


def arg(host: Host, where: Text, w: str, names: dict[str, Operand]) -> Arg:
    if m := re.fullmatch(r"(\d*)\[(.*)\]", w):
        base = index = None
        scale, disp = 0, 0
        for term in re.split(r"\s*\+\s*", m[2]):
            if re.fullmatch(r"-?\w+", term) and re.fullmatch(r"-?\d\w*", term):
                disp = int(term, 0)
                continue
            a = arg(host, where, term.split("*")[0], names)
            if a.kind == "imm":
                disp = a.name
            elif base is None:
                base = a
            else:
                index, scale = a, int(term.split("*")[1]).bit_length() - 1 if "*" in term else 0
        return Arg(where, "mem", bits=int(m[1] or 0), base=base, index=index, scale=scale, disp=disp)
    name, _, width = w.partition(".")
    if name in names:
        o = names[name]
        if o.kind == "to":
            return Arg(where, "to", name)
        if o.kind in ("i", "u", "k"):
            return Arg(where, "imm", name, value=o.value, wide=o.kind != "i")
        return Arg(where, "reg", name, o.fixed, bits=int(width or 0))
    if name in host.roles:
        return Arg(where, "reg", "", host.roles[name], bits=int(width or 0))
    if name in host.registers:
        return Arg(where, "reg", "", host.registers[name], bits=int(width or 0))
    if re.fullmatch(r"-?(0x)?[0-9a-f]+", w):
        return Arg(where, "imm", value=int(w, 0))
    raise DescError(where, f'"{w}" is no operand, register or number')


def candidates(host: Host, mnemonic: str, n: int, args: list[Arg], lock: bool, label: str) -> list[tuple[Leaf, list]]:
    """Leaves that fit, widest immediate first (32 bits before 64, unless the number is wider)."""
    out = []
    for leaf in host.isa.leaves:
        f = leaf.form
        if leaf.row_name != mnemonic or lock != ("lock" in f.attrs) or "A32" in f.attrs:
            continue
        specs = operands.specs(host.isa, leaf)
        if n and n != (specs[0].bits if f.vex and specs else f.n):
            continue
        shown = [s for k, s in enumerate(specs) if not (k and s == specs[k - 1] and s.place == "reg" and len(specs) > len(args))]
        if len(shown) == len(args) and all(fits(host, leaf, s, a, n, label, args) for s, a in zip(shown, args)):
            pairs = list(zip(shown, args))
            if len(shown) < len(specs):
                pairs = [(specs[0], args[0])] + pairs
            out.append((leaf, pairs))

    def rank(x: tuple[Leaf, list]) -> int:
        imm = next((a for s, a in x[1] if s.place == "imm"), None)
        if imm is None:
            return 0
        wide = imm.wide if imm.value is None else not -(1 << 31) <= imm.value < 1 << 31
        return {"iz": 1, "iv": 0 if wide else 2, "ib": 3}[x[0].form.imm[0]]
    out.sort(key=rank)
    return out


def fits(host: Host, leaf: Leaf, s: operands.Spec, a: Arg, n: int, label: str, args: list[Arg]) -> bool:
    if a.kind == "to":
        return s.place == "rel" and leaf.form.imm == (["cb"] if label else ["cz"])
    if a.kind == "imm":
        if s.place != "imm":
            return False
        room = {"ib": 8, "iw": 16, "iz": 32, "iv": 64}[leaf.form.imm[0]]
        return a.value is None or -(1 << room - 1) <= a.value < 1 << room - (room < 64)
    if a.kind == "mem":
        if leaf.form.mode != "mem" or s.place not in ("rm", "mem"):
            return False
        return s.bits == (a.bits or n) or s.place == "mem" and not s.bits
    if s.place == "fixed":
        return a.fixed == s.index and s.bits == (a.bits or n)
    if s.place == "rm" and leaf.form.mode != "reg":
        return False
    return s.place in ("rm", "reg", "vvvv", "low") and s.bits == (a.bits or n or s.bits)


def check_conditions(host: Host, where: Text, mnemonic: str, first: Leaf) -> None:
    """The conditions' instructions follow each other in the encoding, in the order of `conditions`."""
    stem = mnemonic[: -len(host.conditions[0])]
    names = {x.form.opcode: x.row_name for x in host.isa.leaves
             if x.form and x.form.map == first.form.map and x.form.mode == first.form.mode and x.form.imm == first.form.imm}
    for k, c in enumerate(host.conditions):
        if names.get(first.form.opcode + k) != stem + c:
            raise DescError(where, f"{stem}{c} is not opcode {first.form.opcode + k:#x}: conditions do not follow each other")
