"""Families to leaves: axes and `each` rows multiplied out, bit pictures worked out. Variable-length forms are read by
forms.py; overlaps and unused parts are found by encoding.py; texts of the language stay texts."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product

from . import forms
from .model import AsmAlt, DescError, EncField, Family, Isa, Leaf, Piece, Text, Unpredictable
from .schema import NAME, assignments, entries, get, get_int, get_str, get_text, known, lines, mapping, part, split
from .schema import text, words
from .source import Map, Node, Scalar, Seq

FAMILY_KEYS = ("enc forms each axes let operands asm do fast is requires overrides undefined_when reserved_when"
               " unpredictable_when weak lift aliases note ref name partial")
SPECIAL = ("requires", "overrides", "weak", "asm", "name")     # columns that set a property of the leaf


@dataclass
class Value:
    """One value of an axis."""
    key: str
    bits: Text | None
    columns: dict[str, Text]


@dataclass
class Axis:
    name: str
    where: Text
    values: list[Value]


@dataclass
class Row:
    where: Text
    columns: dict[str, Text] = field(default_factory=dict)


def ident(name: str) -> str:
    """The C identifier of a leaf or operand name; `'` becomes `_p`."""
    s = re.sub(r"[^A-Za-z0-9_]", "_", name.replace("'", "_p"))
    return s if s[:1].isalpha() or s[:1] == "_" else "_" + s


def axis(key: Text, node: Node) -> Axis:
    if not NAME.fullmatch(key.s):
        raise DescError(key, f'"{key.s}" cannot name an axis')
    values = []
    for k, n in entries(node, f'axis "{key.s}"'):
        if isinstance(n, Scalar):
            values.append(Value(k.s, n.where, {}))
            continue
        columns = {c.s: text(v, f'"{c.s}"') for c, v in entries(n, f'value "{k.s}" of axis "{key.s}"')}
        values.append(Value(k.s, columns.pop("bits", None), columns))
    if not values:
        raise DescError(key, f'axis "{key.s}" has no values')
    for v in values:
        if set(v.columns) != set(values[0].columns):
            odd = sorted(set(v.columns) ^ set(values[0].columns))[0]
            raise DescError(key, f'axis "{key.s}": column "{odd}" is not given for both "{values[0].key}" and "{v.key}"')
        if (v.bits is None) != (values[0].bits is None):
            raise DescError(key, f'axis "{key.s}": bits are not given for both "{values[0].key}" and "{v.key}"')
        if v.bits and not re.fullmatch("[01]+", v.bits.s):
            raise DescError(v.bits, f'bits of "{v.key}": expected binary digits, not "{v.bits.s}"')
        if v.bits and len(v.bits.s) != len(values[0].bits.s):
            raise DescError(v.bits, f'axis "{key.s}": bits {v.bits.s} and {values[0].bits.s} differ in length')
    return Axis(key.s, key, values)


def table(t: Text) -> list[Row]:
    """An `each` table: the header names the columns, the last column takes the rest of the line."""
    rows = lines(t)
    if len(rows) < 2:
        raise DescError(t, '"each" needs a header and at least one row')
    names = split(rows[0])
    if len({n.s for n in names}) != len(names):
        raise DescError(rows[0], "a column is named twice")
    for n in names:
        if not NAME.fullmatch(n.s):
            raise DescError(n, f'"{n.s}" cannot name a column')
    out = []
    for line in rows[1:]:
        cells = [(m.start(), m.end()) for m in re.finditer(r"\S+", line.s)]
        if len(cells) < len(names):
            raise DescError(line, f'{len(names)} columns are needed ({" ".join(n.s for n in names)}), {len(cells)} given')
        last = len(names) - 1
        spans = cells[:last] + [(cells[last][0], len(line.s))]
        out.append(Row(line, {n.s: part(line, a, b) for n, (a, b) in zip(names, spans)}))
    return out


def features(isa: Isa, node: Node | None) -> list[str]:
    return [] if node is None else [feature(isa, w) for w in words(node, '"requires"')]


def feature(isa: Isa, w: Text) -> str:
    if w.s not in isa.features:
        raise DescError(w, f'no feature "{w.s}"')
    return w.s


# ---- families --------------------------------------------------------------------------------------


def families(isa: Isa, entries_: list[tuple[Text, Node]], axes: dict[str, Axis]) -> None:
    names: dict[str, Leaf] = {}
    idents: dict[str, Leaf] = {}
    for key, node in entries_:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", key.s):
            raise DescError(key, f'"{key.s}" cannot name a family')
        for leaf in family(isa, key, mapping(node, f'family "{key.s}"'), axes):
            if leaf.name in names:
                raise DescError(leaf.where, f'two instructions are called "{leaf.name}"'
                                            f" (the other: {names[leaf.name].where.at()}); add a name column or an axis key")
            if leaf.ident in idents:
                raise DescError(leaf.where, f'"{leaf.name}" and "{idents[leaf.ident].name}" give the same C name')
            names[leaf.name] = idents[leaf.ident] = leaf
            leaf.id = len(isa.leaves) + 1
            isa.leaves.append(leaf)
    for f in isa.families.values():
        if not any(leaf.family is f for leaf in isa.leaves):
            raise DescError(f.where, f'family "{f.name}" has no instruction')


def family(isa: Isa, key: Text, node: Map, global_axes: dict[str, Axis]) -> list[Leaf]:
    what = f'family "{key.s}"'
    known(node, FAMILY_KEYS, what)
    if ("enc" in node.items) == ("forms" in node.items):
        raise DescError(key, f'{what} needs either "enc" or "forms"')
    if ("forms" in node.items) != (isa.scanner == "prefix"):
        raise DescError(key, f'{what} has "{"forms" if "forms" in node.items else "enc"}", which does not go with insn:'
                             f" {{scanner: {isa.scanner}}}")
    if ("do" in node.items) == ("is" in node.items):
        raise DescError(key, f'{what} needs either "do" or "is"')
    enc = get_text(node, "enc")
    axes = [axis(k, n) for k, n in entries(get(node, "axes"), '"axes"')] if "axes" in node.items else []
    if enc:
        mentioned = set(NAME.findall(enc.s))
        axes += [a for n, a in global_axes.items() if n in mentioned and n not in [x.name for x in axes]]
        for a in axes:
            if a.values[0].bits and a.name not in mentioned:
                raise DescError(a.where, f'axis "{a.name}" has bits, but "enc" does not place them')
    rows = table(get_text(node, "each")) if "each" in node.items else [Row(key)]
    f = Family(key.s, key, {a.name: {v.key: v.columns | ({"bits": v.bits} if v.bits else {}) for v in a.values}
                            for a in axes},
               get_str(node, "note"), get_str(node, "ref"), get_text(node, "do"), get_text(node, "is"),
               get_str(node, "lift"), get_str(node, "partial"), enc, get_text(node, "fast"))
    isa.families[key.s] = f
    shared = common(isa, node)
    out = []
    for row in rows:
        for values in product(*(a.values for a in axes)):
            leaf = instruction(isa, f, node, row, list(zip(axes, values)), shared)
            if enc:
                picture(isa, leaf, enc, {a.name: v for a, v in zip(axes, values)})
                out.append(leaf)
            else:
                out += forms.expand(isa, leaf, get_text(node, "forms"), ident)
    return out


@dataclass
class Common:
    """What all leaves of a family share."""
    lets: dict[str, Text]
    operands: dict[str, Text]
    asm: list[AsmAlt]
    reserved: list[Text]
    unpredictable: list[Unpredictable]
    requires: list[str]
    overrides: list[str]
    weak: bool


def common(isa: Isa, node: Map) -> Common:
    def named(key: str) -> dict[str, Text]:
        return {k.s: text(n, f'"{k.s}"') for k, n in entries(get(node, key), f'"{key}"')} if key in node.items else {}

    reserved = []
    for key in ("reserved_when", "undefined_when"):
        if key in node.items:
            n = get(node, key)
            reserved += [text(x, f'"{key}"') for x in n.items] if isinstance(n, Seq) else [text(n, f'"{key}"')]
    unpredictable = []
    if "unpredictable_when" in node.items:
        n = get(node, "unpredictable_when")
        for x in n.items if isinstance(n, Seq) else [n]:
            known(mapping(x, '"unpredictable_when"'), "if then", '"unpredictable_when"', "if then")
            then = get_text(x, "then")
            if then.s not in ("undef", "as_written", "undefined"):
                raise DescError(then, f'"then" is one of undef, as_written, undefined, not "{then.s}"')
            unpredictable.append(Unpredictable(get_text(x, "if"), then.s))
    overrides = [w.s for w in words(get(node, "overrides"), '"overrides"')] if "overrides" in node.items else []
    return Common(named("let"), named("operands"), assembly(get(node, "asm")), reserved, unpredictable,
                  features(isa, get(node, "requires")), overrides, bool(get_int(node, "weak", 0, 0, 1)))


def assembly(node: Node | None) -> list[AsmAlt]:
    if node is None:
        return []
    if not isinstance(node, Seq):
        return [AsmAlt(text(node, '"asm"'))]
    out = []
    for n in node.items:
        known(mapping(n, 'an entry of "asm"'), "text when set", 'an entry of "asm"', "text")
        t = get_text(n, "set")
        out.append(AsmAlt(get_text(n, "text"), get_text(n, "when"), assignments(t) if t else []))
    return out


def instruction(isa: Isa, f: Family, node: Map, row: Row, values: list[tuple[Axis, Value]], c: Common) -> Leaf:
    columns: dict[str, Text] = {}
    for source in [row.columns, *(v.columns for _, v in values)]:
        for name, t in source.items():
            if name in columns and name not in ("requires", "overrides"):
                raise DescError(t, f'column "{name}" comes from two tables (the other: {columns[name].at()})')
            columns[name] = t
    special = [(n, t) for source in [row.columns, *(v.columns for _, v in values)] for n, t in source.items()
               if n in SPECIAL and t.s != "-"]
    row_name = row.columns["name"].s if "name" in row.columns else get_str(node, "name") or f.name
    name = row.columns["name"].s if "name" in row.columns else get_str(node, "name") or f.name
    for _, v in values:
        if v.key:
            name += v.key if name.endswith(".") or v.key.startswith(".") else "." + v.key
    name = name.rstrip(".")
    leaf = Leaf(id=0, name=name, ident=ident(name), family=f, row_name=row_name,
                columns={n: t for n, t in columns.items() if n not in SPECIAL},
                axes={a.name: (v.key, int(v.bits.s, 2) if v.bits else a.values.index(v)) for a, v in values},
                lets=c.lets, operands=c.operands, where=row.where, asm=list(c.asm), reserved=list(c.reserved),
                unpredictable=list(c.unpredictable), requires=list(c.requires), overrides=list(c.overrides), weak=c.weak)
    for n, t in special:
        if n == "requires":
            leaf.requires += [feature(isa, w) for w in forms.comma_words(t)]
        elif n == "overrides":
            leaf.overrides += [w.s for w in forms.comma_words(t)]
        elif n == "weak":
            leaf.weak = t.s == "1"
        elif n == "asm":
            leaf.asm = [AsmAlt(t)]
    for n in [*leaf.axes, *leaf.lets, *leaf.operands]:
        if n in leaf.columns:
            raise DescError(leaf.columns[n], f'column "{n}" has the name of an axis, let or operand')
    return leaf


# ---- bit pictures ----------------------------------------------------------------------------------

TOKEN = re.compile(r"(?P<bit>[01-])|\((?P<should>[01])\)|\{(?:[A-Za-z_]\w*:)?(?P<col>[A-Za-z_]\w*'?)\}"
                   r"|(?P<name>[A-Za-z_]\w*'?)(?:\[(?P<pieces>[^\]]*)\])?")


def picture(isa: Isa, leaf: Leaf, enc: Text, values: dict[str, Value]) -> None:
    """Fills length, mask, value, should and fields of a leaf from its `enc`."""
    parts: list[tuple[str, object, Text]] = []      # ("bits", digits), ("should", digit), ("field", (name, [(hi, lo)]))

    def read(t: Text, depth: int) -> None:
        for token in split(t):
            pos = 0
            while pos < len(token.s):
                m = TOKEN.match(token.s, pos)
                if not m:
                    raise DescError(part(token, pos, len(token.s)), f'cannot read "{token.s[pos:]}" in a bit picture')
                where = part(token, m.start(), m.end())
                pos = m.end()
                column = leaf.columns.get(m["col"]) if m["col"] else None
                if m["bit"]:
                    parts.append(("bits", m["bit"], where))
                elif m["should"]:
                    parts.append(("should", m["should"], where))
                elif column is not None and re.search("[A-Za-z( ]", column.s):     # a piece of the picture
                    if depth:
                        raise DescError(column, f'{leaf.name}: the pieces of a picture in "{m["col"]}" name another column')
                    read(column, 1)
                elif m["col"]:
                    parts.append(("bits", digits(leaf, values, m["col"], where), where))
                else:
                    parts.extend(named(isa, leaf, values, m["name"], m["pieces"], where))

    read(enc, 0)
    leaf.length = sum(len(x) if k != "field" else sum(h - l + 1 for h, l in x[1]) for k, x, _ in parts)
    if leaf.length not in (16, 32) or leaf.length % isa.unit or leaf.length > isa.max:
        allowed = " or ".join(str(n) for n in (16, 32) if n % isa.unit == 0 and n <= isa.max)
        raise DescError(enc, f"{leaf.name}: the picture has {leaf.length} bits, not {allowed}")
    place(isa, leaf, parts)


def digits(leaf: Leaf, values: dict[str, Value], name: str, where: Text) -> str:
    if name in values:
        if not values[name].bits:
            raise DescError(where, f'axis "{name}" has no bits')
        return values[name].bits.s
    if name not in leaf.columns:
        raise DescError(where, f'no column or axis "{name}"')
    t = leaf.columns[name]
    if not re.fullmatch("[01-]+", t.s):
        raise DescError(t, f'column "{name}" is used in the bit picture and must be binary digits, not "{t.s}"')
    return t.s


def named(isa: Isa, leaf: Leaf, values: dict[str, Value], name: str, pieces: str | None,
          where: Text) -> list[tuple[str, object, Text]]:
    if name in values and pieces is None:
        return [("bits", digits(leaf, values, name, where), where)]
    if name in leaf.columns or name in values:
        raise DescError(where, f'"{name}" is a column or axis: write {{{name}}} for its bits')
    if pieces is None:
        if name not in isa.fields:
            raise DescError(where, f'no field or axis "{name}"; declare it under fields or give its bits: {name}[hi:lo]')
        return [("field", (name, [(isa.fields[name].bits - 1, 0)]), where)]
    spans = []
    for piece in pieces.split("|"):
        m = re.fullmatch(r"\s*(\d+)(?::(\d+))?\s*", piece)
        if not m or int(m[2] or m[1]) > int(m[1]):
            raise DescError(where, f'bits of "{name}": expected hi:lo or a bit number, not "{piece}"')
        spans.append((int(m[1]), int(m[2] or m[1])))
    return [("field", (name, spans), where)]


def place(isa: Isa, leaf: Leaf, parts: list[tuple[str, object, Text]]) -> None:
    pos = leaf.length
    for k, x, where in parts:
        if k == "field":
            name, spans = x
            f = leaf.fields.setdefault(name, EncField(name, 0, []))
            for hi, lo in spans:
                pos -= hi - lo + 1
                for p in f.pieces:
                    if lo <= p.hi and p.lo <= hi:
                        raise DescError(where, f'bit {max(lo, p.lo)} of "{name}" is placed twice')
                f.pieces.append(Piece(hi, lo, pos))
        else:
            for c in x:
                pos -= 1
                if k == "should":
                    leaf.should |= int(c) << pos
                elif c != "-":
                    leaf.mask |= 1 << pos
                    leaf.value |= int(c) << pos
    for f in leaf.fields.values():
        f.bits = max(p.hi for p in f.pieces) + 1
        if decl := isa.fields.get(f.name):
            if f.bits > decl.bits:
                raise DescError(leaf.where, f'{leaf.name}: bit {f.bits - 1} of "{f.name}" is placed, but the field has'
                                            f" {decl.bits} bits")
            f.bits, f.view, f.add = decl.bits, decl.view, decl.add
        if f.bits > 64:
            raise DescError(leaf.where, f'{leaf.name}: field "{f.name}" is wider than 64 bits')
