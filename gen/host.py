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

# General register, vector register; sign-extended 32, unsigned 32, any number, unsigned 8; the entry's own number; condition;
# a place.
KINDS = ("r", "v", "i", "u", "k", "byte", "n", "cc", "to")
NUMBERS = ("i", "u", "k", "byte", "n")
WIDER = {"k": ("k", "i", "u", "byte"), "u": ("u", "byte"), "i": ("i", "byte"), "byte": ("byte",), "r": ("r", "k", "i", "u", "byte"), "v": ("v",), "n": ("n",), "cc": ("cc",)}
# What a rule is for, by the type of its result (comparisons, FTOI: of operand a): written, in the order of the table.
TYPES = {"32": "I32", "64": "I64", "F32": "F32", "F64": "F64", "V": "V128", "P32": "P32", "P64": "P64"}
MANY = {"N": ("32", "64"), "F": ("F32", "F64"), "P": ("P32", "P64")}
BITS = {"32": 32, "64": 64, "F32": 32, "F64": 64, "V": 128, "P32": 128, "P64": 128}
# Fields of struct ir_fp that attributes of rules ask for, with the names of their values in runtime/fp/fp.h.
HOW = {"rm": "near zero down up away", "nan": "canonical first_snan_first_qnan first_operand default", "tiny": "after before",
       "daz": "keep flush flush_id keep_id",
       "minmax": "number propagate num2008", "bad": "nanmax nanzero indefinite", "bits": "32 64", "sign": "0 1", "quiet": "0 1",
       "exact": "0 1"}
FAR = ("soft", "nan", "false")          # where a rule's code may go out of line


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
    vector: bool = False            # a vector register
    pool: str = ""                  # memory at this place of the code; "=": a constant behind the code, `value`


@dataclass
class Insn:
    where: Text
    leaf: Leaf
    args: list[tuple[operands.Spec, Arg]]
    short: Leaf | None = None       # the same with an immediate of one byte, when it fits
    condition: str = ""             # its condition is this operand
    label: str = ""                 # jumps here
    opposite: bool = False          # takes the opposite condition


@dataclass
class Label:
    name: str


@dataclass
class Rule:
    where: Text
    op: str
    type: str                       # of TYPES
    aux: int
    dest: Operand | None
    tie: str
    early: bool
    args: list[Operand]
    temps: list[Operand]
    clobbers: list[int]
    needs: list[str]
    gives: str
    how: dict[str, frozenset[int]] = field(default_factory=dict)        # allowed values of fields of struct ir_fp
    code: list["Insn | Label"] = field(default_factory=list)

    @property
    def bits(self) -> int:
        return BITS[self.type]

    @property
    def far(self) -> str:
        return next((x.label for x in self.code if isinstance(x, Insn) and x.label in FAR), "")

    @property
    def title(self) -> str:
        return f"{self.op}{self.aux or ''}.{self.type}"


@dataclass
class Piece:
    where: Text
    name: str
    args: list[tuple[str, str]]
    gives: str
    needs: list[str] = field(default_factory=list)      # the code that asks for it looks whether the host has them
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
    general: int = 0                # general registers; the numbers of vector registers follow from 16
    held_vectors: list[int] = field(default_factory=list)
    free_vectors: list[int] = field(default_factory=list)
    status: tuple[int, list[str]] = (0, [])     # of floating point: the default, the raised flags from bit 0
    rules: list[Rule] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    @staticmethod
    def vector(register: int) -> bool:
        return register >= VECTORS

    def number(self, t: Text, name: str) -> int:
        if name not in self.registers:
            raise DescError(t, f'no register "{name}" in registers:')
        return self.registers[name]


VECTORS = 16            # number of the first vector register
FLAGS = "NX UF OF DZ NV ID".split()


def ir_ops(path: Path) -> dict[str, tuple[int, str]]:
    """Operations of the IR: number of operands and kind, from the list in runtime/ir/ir.h."""
    found = re.findall(r"^\s*X\((\w+),\s*(\d), (\w)\)", path.read_text(), re.M)
    if not found:
        raise DescError(str(path), "no list of operations")
    return {name: (int(n), kind) for name, n, kind in found}


def load(path: str, root: Path) -> Host:
    from .load import load as load_isa
    top = read(path, path)
    needed = "isa registers vectors roles held held_vectors free kept args result compared conditions rules pieces"
    known(top, needed + " features status", path, needed)
    word = {k: text(v[1], k) for k, v in top.items.items() if k not in ("roles", "status")}
    isa = load_isa(str(root / "isa" / f"{word['isa'].s}.yaml"))
    names, vectors = word["registers"].s.split(), word["vectors"].s.split()
    if len(names) > VECTORS or len(vectors) > 32 - VECTORS:
        raise DescError(word["registers"], f"at most {VECTORS} general and {32 - VECTORS} vector registers have numbers")
    host = Host(isa, {n: i for i, n in enumerate(names)} | {n: VECTORS + i for i, n in enumerate(vectors)}, {}, [], [], [], [], 0, 0,
                word["conditions"].s.split(), word["features"].s.split() if "features" in word else [], len(names))
    for key, (_, node) in mapping(get(top, "roles"), "roles").items.items():
        t = text(node, key)
        host.roles[key] = host.number(t, t.s)
    for key, out in (("held", host.held), ("free", host.free), ("kept", host.kept), ("args", host.call), ("held_vectors", host.held_vectors)):
        out += [host.number(word[key], n) for n in word[key].s.split()]
    host.free_vectors = [n for n in range(VECTORS, VECTORS + len(vectors)) if n not in host.held_vectors]
    host.result = host.number(word["result"], word["result"].s)
    host.compared = host.number(word["compared"], word["compared"].s)
    used = host.held + host.free + host.held_vectors + list(host.roles.values())
    if len(set(used)) != len(used):
        raise DescError(word["held"], "a register has two purposes among roles, held and free")
    if any(host.vector(r) for r in host.held + host.free) or not all(host.vector(r) for r in host.held_vectors):
        raise DescError(word["held"], "a general register among vectors, or the other way round")
    if "status" in top.items:
        m = mapping(get(top, "status"), "status")
        known(m, "default flags", "status", "default flags")
        flags = text(get(m, "flags"), "flags")
        host.status = (int(text(get(m, "default"), "default").s, 0), flags.s.split())
        if set(host.status[1]) - {"-"} - set(FLAGS):
            raise DescError(flags, f"flags are {' '.join(FLAGS)}, - for a bit that is none")
    for f in host.features:
        if f not in isa.features:
            raise DescError(word["features"], f'{isa.name} has no feature "{f}"')
    ops = ir_ops(root / "runtime/ir/ir.h")
    for line in lines(word["rules"]):
        for t in TYPES:
            for r in rule(host, ops, line, t):
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


def operation(line: Text, head: str, ops: dict[str, tuple[int, str]]) -> tuple[str, int, tuple[str, ...]]:
    """Operation, its aux, and the types a rule's head stands for."""
    m = re.fullmatch(r"([A-Z0-9]+)\.(N|F|V|P|[FP]?32|[FP]?64)", head)
    lane = re.fullmatch(r"([A-Z]+?)(2|4|8|16|32|64)", m[1]) if m and m[1] not in ops else None
    op, aux = (lane[1], int(lane[2])) if lane else (m[1] if m else "", 0)
    if op not in ops:
        raise DescError(line, f'"{head}" is no operation of the IR with a type (.32, .64, .N, .F32, .F64, .F, .V, .P32, .P64, .P)')
    return op, aux, MANY.get(m[2], (m[2],))


def placed(host: Host, line: Text, name: str, word: str, kind: str) -> Operand:
    """An operand as what stands behind its colon says, else of this kind."""
    if word.startswith("="):
        return Operand(name, "i", None, int(word[1:], 0))
    if word in KINDS:
        return Operand(name, word)
    if not word:
        return Operand(name, kind)
    fixed = host.number(line, word)
    return Operand(name, "v" if host.vector(fixed) else "r", fixed)


def rule(host: Host, ops: dict[str, tuple[int, str]], line: Text, type: str) -> list[Rule]:
    pattern, code, *attributes = cells(line, 3)
    head, *words = pattern.s.split()
    op, aux, types = operation(line, head, ops)
    if type not in types:
        return []
    kind = "r" if type in ("32", "64") else "v"
    r = Rule(line, op, type, aux, None, "", False, [], [], [], [], "")
    for w in words:
        if t := re.fullmatch(r"\+([tu])(?::([rv]))?", w):
            r.temps.append(Operand(t[1], t[2] or "r"))
            continue
        d = re.fullmatch(r"d(\^)?(?::(\w+))?(?:=([abc]))?", w)
        if d and w[0] == "d":
            r.early, r.tie = bool(d[1]), d[3] or ""
            r.dest = placed(host, line, "d", d[2] or "", kind)
            if r.tie:
                r.args.append(Operand(r.tie, r.dest.kind, r.dest.fixed))
            continue
        o = re.fullmatch(r"([abc])(?::(=-?\w+|\w+))?", w)
        if not o:
            raise DescError(line, f'cannot read "{w}" in a pattern')
        r.args.append(placed(host, line, o[1], o[2] or "", kind))
    r.args.sort(key=lambda x: x.name)
    want = 1 if r.op == "CONST" else ops[r.op][0]
    if [x.name for x in r.args if x.kind != "n"] != list("abc"[:want]):
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
        elif key in HOW and ops[op][1] == "F" and set(value.split(",")) <= set(HOW[key].split()):
            names = HOW[key].split()
            r.how[key] = frozenset(int(x) if x.isdigit() else names.index(x) for x in value.split(","))
        else:
            raise DescError(line, f'unknown attribute "{w}"')
    if bool(r.dest) == bool(r.gives):
        raise DescError(line, "a rule has a destination d, or gives: a condition")
    out = [r]
    if commutes:
        out.append(commuted(r))
    for k, x in enumerate(out):
        names = {y.name: y for y in x.args + x.temps} | ({"d": x.dest} if x.dest else {})
        s = code if not k else Text(re.sub(r"\b[ab]\b", lambda m: {"a": "b", "b": "a"}[m[0]], code.s), code.file, code.line, code.col)
        x.code = parse_code(host, s, names, x.bits, x.tie, x.type)
        bound(line, set(names) - ({"d", x.tie} if x.tie else set()), x.code, s.s,
              fixed={y.name for y in names.values() if y.fixed is not None or y.value is not None})
        out_of_line(x)
    return out


def commuted(r: Rule) -> Rule:
    """The same with a and b exchanged."""
    swap = {"a": "b", "b": "a"}
    args = [Operand(swap.get(x.name, x.name), x.kind, x.fixed, x.value) for x in r.args]
    return Rule(r.where, r.op, r.type, r.aux, r.dest, swap.get(r.tie, r.tie), r.early, sorted(args, key=lambda x: x.name), r.temps,
                r.clobbers, r.needs, r.gives, r.how)


def out_of_line(r: Rule) -> None:
    far = {x.label for x in r.code if isinstance(x, Insn) and x.label in FAR}
    if len(far) > 1:
        raise DescError(r.where, "a rule goes to one of soft, nan, false")
    if sum(a.pool == "=" for x in r.code if isinstance(x, Insn) for _, a in x.args) > 2:
        raise DescError(r.where, "a rule has at most two constants in memory")
    if far & {"soft", "nan"} and (not r.dest or r.clobbers):
        raise DescError(r.where, f"{r.far}: only for rules with a destination, without clobbers")
    if "false" in far and not r.gives:
        raise DescError(r.where, "false: only for rules that give a condition")
    if "nan" in far and not r.how.get("nan", frozenset({1, 2})) <= {0, 3}:
        raise DescError(r.where, "nan: the result is the default NaN only with nan:canonical,default")


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
            if (early.op, early.type, early.aux) != (late.op, late.type, late.aux) or not set(early.needs) <= set(late.needs):
                continue
            if not all(k in late.how and late.how[k] <= x for k, x in early.how.items()):
                continue
            if early.type in ("32", "64") and any(a.kind == "v" for a in early.args):
                continue                        # asks for an operand that is in a vector register
            if early.tie and early.tie != late.tie:
                continue                        # asks for an operand that dies here
            if all(covers(a, b) for a, b in zip(early.args, late.args)):
                raise DescError(late.where, f"{late.title}: never chosen, the rule at {early.where.at()} comes first")


def piece(host: Host, line: Text) -> Piece:
    pattern, *more = cells(line, 3)
    name, *words = pattern.s.split()
    gives, args, needs = "", [], []
    for w in words:
        n, _, kind = w.partition(":")
        if kind not in KINDS:
            raise DescError(line, f'argument "{w}": a name and one of {" ".join(KINDS)}')
        args.append((n, kind))
    for w in more[1].s.split() if len(more) > 1 else []:
        key, _, value = w.partition(":")
        if key == "needs" and value in host.features:
            needs.append(value)
        elif key == "gives" and value in host.conditions:
            gives = value
        else:
            raise DescError(line, f'unknown attribute "{w}"')
    p = Piece(line, name, args, gives, needs)
    p.code = parse_code(host, more[0], {n: Operand(n, k) for n, k in args}, 64, "", "64")
    if any(a.pool == "=" for i in p.code if isinstance(i, Insn) for _, a in i.args):
        raise DescError(line, "a piece has no constants behind the code")
    return p


# ---- code --------------------------------------------------------------------------------------------------------------


def parse_code(host: Host, t: Text, names: dict[str, Operand], bits: int, tie: str, type: str) -> list[Insn | Label]:
    out: list[Insn | Label] = []
    labels, jumps = set(), set()
    for m in re.finditer(r"[^;]+", t.s):
        where, s = part(t, m.start(), m.end()), m[0].strip()
        while l := re.match(r"(\d+):\s*", s):
            out.append(Label(l[1]))
            labels.add(l[1])
            s = s[l.end():]
        if s and s != "-":
            i = insn(host, where, s, names, bits, type)
            jumps |= {i.label} - {"", *FAR}
            out.append(i)
    if jumps != labels:
        raise DescError(t, f"labels {' '.join(sorted(labels))} and jumps to {' '.join(sorted(jumps))} do not agree")
    return out


def insn(host: Host, where: Text, s: str, names: dict[str, Operand], bits: int, type: str) -> Insn:
    s = s.replace("@", "s" if type in ("F32", "P32", "32") else "d")
    m = re.fullmatch(r"(lock )?([a-z]\w*!?\??)(?:\.(N|\d+))?(?:\s+(.*))?", s)
    if not m:
        raise DescError(where, f'cannot read the instruction "{s}"')
    n = bits if m[3] == "N" else int(m[3] or 0)
    label, args = "", []
    for w in re.split(r",\s*", m[4]) if m[4] else []:
        if re.fullmatch(r"\d|" + "|".join(FAR), w) and re.fullmatch(r"j[a-z]*!?\??", m[2]):
            label = w
            args.append(Arg(where, "to"))
        else:
            args.append(arg(host, where, w.strip(), names))
    mnemonic, condition, opposite = m[2], "", False
    if mnemonic.endswith("?"):
        condition = next((x.name for x in names.values() if x.kind == "cc"), "")
        if not condition:
            raise DescError(where, f"{mnemonic}: no operand is a condition")
        opposite = mnemonic.endswith("!?")
        mnemonic = mnemonic.rstrip("!?") + host.conditions[0]
    found = candidates(host, mnemonic, n, args, bool(m[1]), label)
    if not found:
        raise DescError(where, f'{host.isa.name} has no instruction for "{s}"')
    if condition:
        check_conditions(host, where, mnemonic, found[0][0])
    leaf, pairs = found[0]
    if leaf.form.imm and any(a.pool == "=" for a in args):
        raise DescError(where, f'"{s}": a constant behind the code does not go with an immediate')
    short = None
    imm = next((a for sp, a in pairs if sp.place == "imm"), None)
    if imm is not None and imm.value is None and leaf.form.imm != ["ib"]:
        short = next((l for l, p in found if l.form.imm == ["ib"]), None) if leaf.form.imm != ["iv"] else None
    if imm is not None and imm.value is not None:
        leaf, pairs = next(((l, p) for l, p in found if l.form.imm == ["ib"] and -128 <= imm.value < 128), (leaf, pairs))
    return Insn(where, leaf, pairs, short, condition, label, opposite)


def arg(host: Host, where: Text, w: str, names: dict[str, Operand]) -> Arg:
    if m := re.fullmatch(r"(\d+)\[=(0x[0-9a-f]{1,16})\]", w):
        return Arg(where, "mem", bits=int(m[1]), pool="=", value=int(m[2], 0))
    if m := re.fullmatch(r"\{(32|64):(0x[0-9a-f]+)\}", w):
        n, x = int(m[1]), int(m[2], 0)
        if x >> n:
            raise DescError(where, f"{m[2]} does not fit {n} bits")
        return Arg(where, "mem", bits=128, pool="=", value=sum(x << k for k in range(0, 128, n)))
    if m := re.fullmatch(r"(\d*)\[(.*)\]", w):
        base = index = None
        scale, disp = 0, 0
        for term in re.split(r"\s*\+\s*", m[2]):
            if re.fullmatch(r"-?\w+", term) and re.fullmatch(r"-?\d\w*", term):
                disp = int(term, 0)
                continue
            a = arg(host, where, term.split("*")[0], names)
            if a.kind == "to":
                return Arg(where, "mem", bits=int(m[1] or 0), pool=a.name)
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
        if o.kind in NUMBERS:
            return Arg(where, "imm", name, value=o.value, wide=o.kind not in ("i", "n", "byte"))
        return Arg(where, "reg", name, o.fixed, bits=int(width or 0), vector=o.kind == "v")
    if name in host.roles:
        return Arg(where, "reg", "", host.roles[name], bits=int(width or 0))
    if name in host.registers:
        return Arg(where, "reg", "", host.registers[name], bits=int(width or 0), vector=host.vector(host.registers[name]))
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
        shown = [s for k, s in enumerate(specs) if not (k and s == specs[k - 1] and s.place in ("reg", "rm") and len(specs) > len(args))]
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
        return s.place == "rel" and leaf.form.imm == (["cb"] if label and label not in FAR else ["cz"])
    if a.kind == "imm":
        if s.place != "imm":
            return False
        room = {"ib": 8, "iw": 16, "iz": 32, "iv": 64}[leaf.form.imm[0]]
        return a.value is None or -(1 << room - 1) <= a.value < 1 << room - (room < 64)
    if a.kind == "mem":
        if leaf.form.mode != "mem" or s.place not in ("rm", "mem"):
            return False
        return s.bits == (a.bits or n) or s.place == "mem" and not s.bits
    if s.view and a.vector != (host.isa.files[file_of(host.isa, s.view)].kind == "vector"):
        return False
    if s.place == "fixed":
        return a.fixed == s.index + VECTORS * a.vector and s.bits == (a.bits or (s.bits if a.vector else n))
    if s.place == "rm" and leaf.form.mode != "reg":
        return False
    width = a.bits or (0 if a.vector else n) or s.bits      # n is not the width of vector registers
    return s.place in ("rm", "reg", "vvvv", "low") and s.bits == width


def file_of(isa: Isa, view: str) -> str:
    """The register file that a view shows."""
    v = isa.views[view]
    return v.file or file_of(isa, v.of)


def check_conditions(host: Host, where: Text, mnemonic: str, first: Leaf) -> None:
    """The conditions' instructions follow each other in the encoding, in the order of `conditions`."""
    stem = mnemonic[: -len(host.conditions[0])]
    names = {x.form.opcode: x.row_name for x in host.isa.leaves
             if x.form and x.form.map == first.form.map and x.form.mode == first.form.mode and x.form.imm == first.form.imm}
    for k, c in enumerate(host.conditions):
        if names.get(first.form.opcode + k) != stem + c:
            raise DescError(where, f"{stem}{c} is not opcode {first.form.opcode + k:#x}: conditions do not follow each other")
