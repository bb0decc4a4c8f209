"""Variable-length encoding forms: one row per opcode form, `encoding | operands | attributes`, multiplied out over the
operand size N and over memory and register. Facts: Intel SDM volume 2, 3.1.1 (notation) and appendix A.2 (operand codes)."""
from __future__ import annotations

import copy
import re
from collections.abc import Callable

from .model import DescError, Form, FormOperand, Isa, Leaf, Text
from .schema import evaluate, lines, number, part

IMMEDIATES = ("ib", "iw", "id", "iz", "iq", "iv", "io", "cb", "cz", "mo", "is4")
ENCODING = re.compile(r"\S+")


def comma_words(t: Text) -> list[Text]:
    return [part(t, m.start(), m.end()) for m in re.finditer(r"[^\s,]+", t.s)]


def expand(isa: Isa, base: Leaf, t: Text, ident: Callable[[str], str]) -> list[Leaf]:
    """The leaves of one row or axis combination; `base` is copied."""
    out = []
    for line in lines(t):
        cells = [m for m in re.finditer(r"[^|]+", line.s)]
        if len(cells) > 3:
            raise DescError(line, "a form is: encoding | operands | attributes")
        texts = [part(line, c.start(), c.end()) for c in cells]
        form = encoding(base, texts[0])
        if len(texts) > 1:
            form.operands = [operand(w) for w in comma_words(texts[1]) if w.s != "-"]
        attributes(isa, form, texts[2] if len(texts) > 2 else None)
        for n in sizes(form):
            for mode in modes(form):
                f = copy.deepcopy(form)
                f.n, f.mode = n, mode
                out.append(leaf(base, f, line, ident))
    if not out:
        raise DescError(t, '"forms" has no rows')
    by_name: dict[str, list[Leaf]] = {}
    for x in out:
        by_name.setdefault(x.name, []).append(x)
    for same in by_name.values():
        if len(same) > 1:
            for x in same:
                x.name += f".{x.form.prefix}{x.form.map}{x.form.opcode:02x}" + (
                    f".{x.form.digit}" if x.form.digit is not None else "")
                x.ident = ident(x.name)
    return out


def leaf(base: Leaf, form: Form, line: Text, ident: Callable[[str], str]) -> Leaf:
    x = copy.copy(base)
    x.columns, x.overrides, x.requires = dict(base.columns), list(base.overrides), list(base.requires)
    x.form, x.where = form, line
    codes = "_".join(re.sub(r"\W", "", o.code) for o in form.operands)
    words = [base.name, codes, str(form.n) if sized(form) else "", form.mode]
    x.name = ".".join(w for w in words if w)
    x.ident = ident(x.name)
    x.columns.setdefault("N", Text(str(form.n), line.file, line.line, line.col))
    x.requires += [w for w in form.attrs.get("requires", "").split(",") if w]
    x.overrides += [w for w in form.attrs.get("overrides", "").split(",") if w]
    return x


def encoding(base: Leaf, t: Text) -> Form:
    form = Form(t)
    seen_opcode = False
    for m in ENCODING.finditer(t.s):
        w, where = m[0], part(t, m.start(), m.end())
        if "{" in w:
            w = re.sub(r"\{([^}]*)\}", lambda x: splice(base, where, x[1]), w)
        if w in ("NP", "66", "F2", "F3") and not seen_opcode and not form.prefix and not form.map:
            form.prefix = w
        elif w in ("W0", "W1"):
            form.w = int(w[1])
        elif w.startswith(("VEX.", "EVEX.")):
            vex(form, w, where, base)
        elif not seen_opcode and re.fullmatch("[0-9A-F]{2}(\\+r)?", w):
            if w == "0F" and not form.map:
                form.map = "0F"
            elif w in ("38", "3A") and form.map == "0F":
                form.map += w
            else:
                form.opcode, form.plus_r, seen_opcode = int(w[:2], 16), w.endswith("+r"), True
        elif seen_opcode and (d := re.fullmatch(r"/(r|[0-7])(?::(mem|reg))?", w)):
            form.modrm, form.digit, form.mode = True, None if d[1] == "r" else int(d[1]), d[2] or ""
        elif seen_opcode and w in IMMEDIATES:
            form.imm.append(w)
        elif seen_opcode and w == "+r":
            form.plus_r = True
        elif seen_opcode and not form.modrm and re.fullmatch("[0-9A-F]{2}", w):
            form.attrs["opcode2"] = w       # a fixed byte after the opcode, e.g. 0F 01 F9
        else:
            raise DescError(where, f'cannot read "{w}" in an encoding form')
    if not seen_opcode:
        raise DescError(t, "the form has no opcode byte")
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


def vex(form: Form, w: str, where: Text, base: Leaf) -> None:
    form.vex = w
    for piece in w.split(".")[1:]:
        if piece == "L" and "L" in base.axes:
            form.vex_l = base.axes["L"][1]
        elif piece in ("128", "L0", "LZ"):
            form.vex_l = 0
        elif piece in ("256", "L1"):
            form.vex_l = 1
        elif piece in ("W0", "W1"):
            form.vex_w = int(piece[1])
        elif piece in ("66", "F2", "F3", "NP"):
            form.prefix = piece
        elif piece in ("0F", "0F38", "0F3A"):
            form.map = piece
        elif piece not in ("LIG", "WIG"):
            raise DescError(where, f'cannot read "{piece}" in {w}')
    if not form.map:
        raise DescError(where, f"{w} names no opcode map")


def operand(w: Text) -> FormOperand:
    code, *attrs = w.s.split(":")
    if not re.fullmatch(r"[A-Za-z0-9]+", code):
        raise DescError(w, f'"{w.s}" is no operand code')
    return FormOperand(code, attrs)


def attributes(isa: Isa, form: Form, t: Text | None) -> None:
    if t is None:
        return
    for w in [part(t, m.start(), m.end()) for m in re.finditer(r"\S+", t.s)]:
        key, _, value = w.s.partition(":")
        form.attrs[key] = value
        for name in value.split(",") if key == "requires" else []:
            if name not in isa.features:
                raise DescError(w, f'no feature "{name}"')
    if "N" in form.attrs:
        form.n = number(t, "N") if form.attrs["N"].isdigit() is False else int(form.attrs["N"])


def sized(form: Form) -> bool:
    """Whether the operand size is chosen by 66 and REX.W: some code ends in v (or z, y), or the form asks for it."""
    return "v" in form.attrs or any(re.fullmatch(r"s?[A-Zr]+[vzy]|r[A-D]X|r[SB]P|r[SD]I|e[A-D]X", o.code)
                                    for o in form.operands)


def sizes(form: Form) -> list[int]:
    if form.n:
        return [form.n]
    if sized(form):
        if any(o.code.endswith("y") for o in form.operands) and not any(o.code.endswith("v") for o in form.operands):
            return [n for n in (32, 64) if form.w is None or (n == 64) == bool(form.w)]
        if "d64" in form.attrs:
            return [16, 64]
        return [n for n in (16, 32, 64) if form.w is None or (n == 64) == bool(form.w)]
    if any(re.fullmatch(r"s?[A-Z]+b|[A-D][LH]", o.code) for o in form.operands):
        return [8]
    if form.vex_l is not None:
        return [256 if form.vex_l else 128]
    return [64 if form.w == 1 or "d64" in form.attrs else 32]


def modes(form: Form) -> list[str]:
    if not form.modrm or form.mode:
        return [form.mode]
    if any(re.fullmatch(r"M\w*", o.code) for o in form.operands):
        return ["mem"]
    if any(re.fullmatch(r"[RNU][a-z]+", o.code) for o in form.operands):
        return ["reg"]
    if any(re.fullmatch(r"[EWQ][a-z]+", o.code) for o in form.operands):
        return ["mem", "reg"]
    return [""]
