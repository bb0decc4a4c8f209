"""Variable-length encoding forms: one row per opcode form, `encoding | operands | attributes`, multiplied out over the
operand size N, over memory and register and over the lock prefix. Facts: Intel SDM volume 2, 3.1.1 (notation)."""
from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable

from . import operands
from .model import DescError, Form, FormOperand, Isa, Leaf, Text
from .schema import evaluate, lines, part

IMMEDIATES = {"ib": 1, "iw": 2, "iz": 4, "iv": 8, "cb": 1, "cz": 4, "mo": 8}     # bytes at the widest
ATTRIBUTES = {"lock", "locked", "rep", "repz", "requires", "overrides", "N", "v", "d64", "f64", "names", "pre", "suffix", "A32",
              "A64", "B0", "commutes"}
SUFFIX = {8: "b", 16: "w", 32: "d", 64: "q"}


def comma_words(t: Text) -> list[Text]:
    return [part(t, m.start(), m.end()) for m in re.finditer(r"[^\s,]+", t.s)]


def expand(isa: Isa, base: Leaf, t: Text, ident: Callable[[str], str]) -> list[Leaf]:
    """The leaves of one row or axis combination; `base` is copied."""
    out = []
    if base.asm:
        base.row_name = base.name = mnemonic(base)
        base.asm = []
    for line in lines(t):
        cells = [m for m in re.finditer(r"[^|]+", line.s)]
        if len(cells) > 3:
            raise DescError(line, "a form is: encoding | operands | attributes")
        texts = [part(line, c.start(), c.end()) for c in cells]
        form = encoding(base, texts[0])
        if len(texts) > 1:
            form.operands = [operand(base, w) for w in comma_words(texts[1]) if w.s != "-"]
        if len(form.operands) > len(operands.LETTERS):
            raise DescError(texts[1], f"more than {len(operands.LETTERS)} operands")
        attributes(isa, base, form, texts[2] if len(texts) > 2 else None)
        for k, n in enumerate(sizes(isa, form)):
            for mode in modes(isa, form):
                for lock in locks(form, mode):
                    f = copy.deepcopy(form)
                    f.n, f.mode = n, mode
                    if lock:
                        f.attrs["lock"] = ""
                    else:
                        f.attrs.pop("lock", None)
                    out.append(leaf(isa, base, f, k, line, ident))
    if not out:
        raise DescError(t, '"forms" has no rows')
    for suffix in (lambda f: f"{f.opcode:02x}", lambda f: f.prefix + f.map, lambda f: "" if f.digit is None else f"{f.digit}"):
        count = Counter(x.name for x in out)
        for x in out:
            if count[x.name] > 1 and suffix(x.form):
                x.name += "." + suffix(x.form)
                x.ident = ident(x.name)
    return out


def mnemonic(base: Leaf) -> str:
    """What `asm` of a family of forms gives: text with {name}, columns and keys of axes."""
    if len(base.asm) > 1 or base.asm[0].when:
        raise DescError(base.asm[0].text, '"asm" of a family with forms is its mnemonic: one text')
    t = base.asm[0].text

    def piece(m: re.Match) -> str:
        if m[1] == "name":
            return base.row_name
        if m[1] in base.axes:
            return base.axes[m[1]][0]
        if m[1] in base.columns:
            return base.columns[m[1]].s
        raise DescError(t, f'"asm" has "{{{m[1]}}}", which is no column or axis')
    out = re.sub(r"\{([^}]*)\}", piece, t.s)
    if not re.fullmatch(r"[a-z][a-z0-9]*", out):
        raise DescError(t, f'"asm" of a family with forms is a mnemonic, not "{out}"')
    return out


def leaf(isa: Isa, base: Leaf, form: Form, k: int, line: Text, ident: Callable[[str], str]) -> Leaf:
    """The leaf of a form with everything fixed; k counts the operand sizes of the row."""
    x = copy.copy(base)
    x.columns, x.overrides, x.requires = dict(base.columns), list(base.overrides), list(base.requires)
    x.form, x.where, x.fields = form, line, operands.fields()
    name = base.name
    if "names" in form.attrs:
        names = form.attrs["names"].split(",")
        x.row_name = names[min(k, len(names) - 1)]
        name = x.row_name if base.name == base.family.name else base.name
    if "pre" in form.attrs:
        x.row_name, name = form.attrs["pre"] + x.row_name, form.attrs["pre"] + name
    if "suffix" in form.attrs:
        x.row_name += SUFFIX[form.n]
    codes = "_".join(re.sub(r"\W", "", o.code) for o in form.operands)
    words = [name, codes, str(form.n) if multiplied(isa, form) else "", form.mode, "lock" if "lock" in form.attrs else ""]
    x.name = ".".join(w for w in words if w)
    x.ident = ident(x.name)
    implied = {"N": str(form.n), "mem": str(int(form.mode == "mem")), "lock": str(int("lock" in form.attrs)),
               "vex": str(int(bool(form.vex)))}
    if str(form.n) in isa.extra.get("sizes", {}):
        implied["G"] = isa.extra["sizes"][str(form.n)].s
    for column, s in implied.items():
        x.columns.setdefault(column, Text(s, line.file, line.line, line.col))
    for key in ("requires", f"requires{form.n}"):
        x.requires += [w for w in form.attrs.get(key, "").split(",") if w]
    x.overrides += [w for w in form.attrs.get("overrides", "").split(",") if w]
    return x


def encoding(base: Leaf, t: Text) -> Form:
    form = Form(t)
    seen_opcode = False
    for m in re.finditer(r"\S+", t.s):
        w, where = m[0], part(t, m.start(), m.end())
        if "{" in w:
            w = re.sub(r"\{([^}]*)\}", lambda x: splice(base, where, x[1]), w)
        if w in ("NP", "66", "F2", "F3") and not seen_opcode and not form.prefix and not form.map:
            form.prefix = w
        elif w in ("W0", "W1"):
            form.w = int(w[1])
        elif w.startswith("VEX."):
            vex(form, w, where)
        elif not seen_opcode and re.fullmatch("[0-9A-F]{2}(\\+r)?", w):
            if w == "0F" and not form.map:
                form.map = "0F"
            elif w in ("38", "3A") and form.map == "0F" and not form.vex:
                form.map += w
            else:
                form.opcode, form.plus_r, seen_opcode = int(w[:2], 16), w.endswith("+r"), True
        elif seen_opcode and (d := re.fullmatch(r"/(r|[0-7])(?::(mem|reg))?", w)):
            form.modrm, form.digit, form.mode = True, None if d[1] == "r" else int(d[1]), d[2] or ""
        elif seen_opcode and w in IMMEDIATES:
            form.imm.append(w)
        elif seen_opcode and not form.modrm and re.fullmatch("[0-9A-F]{2}", w):
            form.attrs["opcode2"] = w       # a fixed byte after the opcode, e.g. F3 0F 1E FA
        else:
            raise DescError(where, f'cannot read "{w}" in an encoding form')
    if not seen_opcode:
        raise DescError(t, "the form has no opcode byte")
    if len(form.imm) > 1:
        raise DescError(t, "more than one immediate is not supported")
    return form


def splice(base: Leaf, where: Text, expr: str) -> str:
    """`{8k+1}` is an opcode computed from the columns (two hex digits), `/{k}` and `{op}` a column's text."""
    expr = expr.strip()
    if expr in base.columns:
        return base.columns[expr].s
    if expr in base.axes:
        return base.axes[expr][0]
    names = {n: int(c.s, 0) for n, c in base.columns.items() if re.fullmatch("0x[0-9a-fA-F]+|[0-9]+", c.s)}
    names |= {n: bits for n, (_, bits) in base.axes.items()}
    value = evaluate(where, names, re.sub(r"(\d)([A-Za-z])", r"\1*\2", expr) if not expr.startswith("0x") else expr)
    if not 0 <= value <= 255:
        raise DescError(where, f"{{{expr}}} is {value}, not a byte")
    return f"{value:02X}"


def vex(form: Form, w: str, where: Text) -> None:
    form.vex = w
    for piece in w.split(".")[1:]:
        if piece in ("128", "256"):
            form.vex_l = int(piece == "256")
        elif piece in ("W0", "W1"):
            form.vex_w = int(piece[1])
        elif piece in ("66", "F2", "F3", "NP"):
            form.prefix = piece
        elif piece in ("0F", "0F38", "0F3A"):
            form.map = piece
        elif piece not in ("L", "LIG", "WIG"):
            raise DescError(where, f'cannot read "{piece}" in {w}')
    if not form.map:
        raise DescError(where, f"{w} names no opcode map")
    form.prefix = form.prefix or "NP"
    form.w = form.vex_w


def operand(base: Leaf, w: Text) -> FormOperand:
    s = re.sub(r"\{([^}]*)\}", lambda x: splice(base, w, x[1]), w.s)
    code, *attrs = s.split(":")
    if not re.fullmatch(r"[A-Za-z0-9]+", code):
        raise DescError(w, f'"{w.s}" is no operand code')
    return FormOperand(code, attrs)


def attributes(isa: Isa, base: Leaf, form: Form, t: Text | None) -> None:
    for m in re.finditer(r"\S+", t.s) if t else []:
        w = part(t, m.start(), m.end())
        key, _, value = w.s.partition(":")
        if key not in ATTRIBUTES and not re.fullmatch(r"requires\d+", key):
            raise DescError(w, f'unknown attribute "{key}"; known: {", ".join(sorted(ATTRIBUTES))}')
        for name in value.split(",") if key.startswith("requires") else []:
            if name not in isa.features:
                raise DescError(w, f'no feature "{name}"')
        if key in ("lock", "commutes") and value:       # only the rows whose column is 1
            if value not in base.columns:
                raise DescError(w, f'no column "{value}"')
            if base.columns[value].s != "1":
                continue
        if key == "N" and not re.fullmatch(r"\d+(,\d+)*", value):
            raise DescError(w, f'operand sizes are numbers, not "{value}"')
        form.attrs[key] = "" if key in ("lock", "commutes") else value


def multiplied(isa: Isa, form: Form) -> bool:
    """Whether 66 and REX.W, or VEX.L, choose among several leaves."""
    return bool(form.vex) and form.vex_l is None and ".L." in form.vex or not form.vex and (
        "v" in form.attrs or operands.sized(isa, form))


def by_w(form: Form) -> bool:
    """Whether W alone chooses between 32 and 64 (codes in y)."""
    return any(re.fullmatch(r"[A-Z]+y", o.code) for o in form.operands)


def sizes(isa: Isa, form: Form) -> list[int]:
    if form.vex and multiplied(isa, form):
        return [128, 256]
    if multiplied(isa, form):
        out = [64] if "f64" in form.attrs else [32, 64] if by_w(form) else [16, 64] if "d64" in form.attrs else [16, 32, 64]
        allowed = [int(n) for n in form.attrs.get("N", "16,32,64").split(",")]
        return [n for n in out if n in allowed and (form.w is None or (n == 64) == bool(form.w))]
    if form.vex_l is not None:
        return [256 if form.vex_l else 128]
    if not form.operands or "f64" in form.attrs or "d64" in form.attrs:
        return [64]
    return [next(n for n in (operands.spec(isa, form, k, 64).bits for k in range(len(form.operands))) if n)]


def modes(isa: Isa, form: Form) -> list[str]:
    if not form.modrm or form.mode:
        return [form.mode]
    places = [operands.code_words(isa, o.code, form.where)[0] for o in form.operands]
    if "mem" in places:
        return ["mem"]
    return ["mem", "reg"] if "rm" in places else [""]


def locks(form: Form, mode: str) -> list[bool]:
    return [False, True] if "lock" in form.attrs and mode == "mem" else [False]
