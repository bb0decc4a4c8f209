"""Reads a description into the model: files, includes and overlays, declarations, system registers.
Families are multiplied out in expand.py; texts of the language are kept as texts, for the checker."""
from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from . import encoding, expand, extra
from .model import (Alias, Def, DescError, Feature, FieldDecl, Fused, Helper, Isa, Leaf, RegFile, Slot, SysReg, SysRegField, Text,
                    TrapKind, View)
from .schema import (NAME, assignments, entries, evaluate, get, get_int, get_str, get_text, known, mapping,
                     number, one_of, split, text, typed_names, words)
from .source import Map, Node, Scalar, Seq, read

ISA_KEYS = ("name title machine insn mem features registers context views fields formats axes flags fp traps defs"
            " helpers sysregs hot fused aliases extra")
KINDS = "general float vector flag system internal"


@dataclass
class Entry:
    """One named entry of a kind of declaration, with the file order it came in."""
    key: Text
    node: Node


@dataclass
class Raw:
    """The merged files: kind -> name -> entry."""
    decls: dict[str, dict[str, Entry]] = field(default_factory=dict)
    lists: dict[str, list[Node]] = field(default_factory=dict)
    families: dict[str, Entry] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)

    def of(self, kind: str) -> dict[str, Entry]:
        return self.decls.get(kind, {})


def load(path: str, overlays: list[str] | tuple[str, ...] = ()) -> Isa:
    """The model of the description whose entry file is `path`, changed by the overlay files in order."""
    raw = Raw()
    merge(raw, str(path), str(path), str(path), False)
    for overlay in overlays:
        merge(raw, str(overlay), str(overlay), str(overlay), True)
    isa = head(raw, str(path))
    for overlay in overlays:
        if (name := overlay_name(str(overlay))) and name.s != isa.name:
            raise DescError(name, f'this overlay is for "{name.s}", not "{isa.name}"')
    isa.sources = raw.sources
    declare(isa, raw)
    extra.check(isa)
    axes = {name: expand.axis(e.key, e.node) for name, e in raw.of("axes").items()}
    expand.families(isa, [(e.key, e.node) for e in raw.families.values()], axes)
    finish(isa, raw)
    encoding.unused(isa)
    encoding.decoder(isa)           # refuses overlapping pictures
    return isa


def overlay_name(path: str) -> Text | None:
    """The `name` under `isa` of a file."""
    tree = read(path, path)
    node = get(mapping(tree.items["isa"][1], '"isa"'), "name") if "isa" in tree.items else None
    return None if node is None else text(node, '"name"')


def overlay_isa(path: str) -> str:
    name = overlay_name(path)
    if name is None:
        raise DescError(Text("", path, 1), "an overlay says which ISA it changes: isa: {name: NAME}")
    return name.s


# ---- files -----------------------------------------------------------------------------------------


def merge(raw: Raw, path: str, root: str, where: Text | str, overlay: bool) -> None:
    """Adds one file and what it includes. Equal names are an error, except that an overlay's replace."""
    if path in raw.sources:
        return
    tree = read(path, where)
    raw.sources.append(path)
    if "include" in tree.items:
        for w in words(tree.items["include"][1], '"include"'):
            merge(raw, os.path.normpath(os.path.join(os.path.dirname(root), w.s)), root, w, overlay)
    for name, (key, node) in tree.items.items():
        if name == "include":
            continue
        if name == "isa":
            known(mapping(node, '"isa"'), ISA_KEYS, '"isa"')
            for kind, value in entries(node, '"isa"'):
                declarations(raw, kind, value, overlay)
        elif name == "sysregs":
            for k, v in entries(node, '"sysregs"'):
                add(raw.decls.setdefault("sysreg_rows", {}), k, v, overlay, "system register")
        else:
            add(raw.families, key, node, overlay, "family")


def fused(w: Text, leaves: dict[str, Leaf]) -> Fused:
    """A pair `first+second`, or `first>second@operand` when the operand names the register that `first` writes."""
    forward = ">" in w.s
    first, _, rest = w.s.partition(">" if forward else "+")
    second, _, operand = rest.partition("@") if forward else (rest, "", "")
    for name in (first, second):
        if name not in leaves:
            raise DescError(w, f'fused: "{w.s}" is not first+second or first>second@operand: no instruction "{name}"')
        if not leaves[name].hot:
            raise DescError(w, f'fused: "{name}" is not hot')
    if forward and operand not in leaves[second].fields:
        raise DescError(w, f'fused: "{second}" has no operand "{operand}"')
    return Fused(leaves[first], leaves[second], operand, w)


def declarations(raw: Raw, kind: Text, value: Node, overlay: bool) -> None:
    if kind.s in ("name", "title", "machine"):
        if not (overlay and kind.s == "name"):      # an overlay's name says what it is for
            add(raw.decls.setdefault("head", {}), kind, value, overlay, "key")
    elif kind.s in ("hot", "fused", "context", "aliases"):
        raw.lists.setdefault(kind.s, []).append(value)
    elif kind.s == "registers":
        known(mapping(value, '"registers"'), "files slots hot held held_vectors link", '"registers"')
        for k, v in entries(value, '"registers"'):
            if k.s in ("hot", "link"):
                raw.lists.setdefault(f"{k.s}_registers", []).append(v)
                continue
            if k.s in ("held", "held_vectors"):
                raw.lists.setdefault(k.s, []).append(v)
                continue
            for name, node in entries(v, f'"{k.s}"'):
                add(raw.decls.setdefault(k.s, {}), name, node, overlay, "register")
    else:
        for name, node in entries(value, f'"{kind.s}"'):
            add(raw.decls.setdefault(kind.s, {}), name, node, overlay, f"{kind.s} entry")


def add(table: dict[str, Entry], key: Text, node: Node, overlay: bool, what: str) -> None:
    name = key.s.split("(")[0].strip()      # defs are known by their name alone
    if name in table and not overlay:
        raise DescError(key, f'{what} "{name}" is declared twice (first at {table[name].key.at()})')
    table[name] = Entry(key, node)


# ---- declarations ----------------------------------------------------------------------------------


def head(raw: Raw, path: str) -> Isa:
    top = Text("", path, 1)
    names = raw.of("head")
    for need in ("name", "machine"):
        if need not in names:
            raise DescError(top, f'"isa" lacks "{need}"')
    name = text(names["name"].node, '"name"')
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name.s):
        raise DescError(name, f'the name "{name.s}" is not lower-case letters, digits and _')
    insn, mem = raw.of("insn"), raw.of("mem")
    where = names["name"].key

    def sub(table: dict[str, Entry], what: str, keys: str) -> Map:
        tree = Map(where, {k: (e.key, e.node) for k, e in table.items()})
        known(tree, keys, what)
        return tree

    i, m = sub(insn, '"insn"', "unit max fetch scanner"), sub(mem, '"mem"', "order")
    isa = Isa(name=name.s, title=text(names["title"].node, '"title"').s if "title" in names else name.s,
              machine=number(text(names["machine"].node, '"machine"'), "machine", 0, 65535),
              unit=get_int(i, "unit", 32, 8, 32), max=get_int(i, "max", 32, 8, 120),
              coherent=one_of(i, "fetch", "synchronised coherent", "synchronised") == "coherent",
              scanner=one_of(i, "scanner", "tree prefix", "tree"),
              order=one_of(m, "order", "relaxed tso acquire release seqcst", "relaxed"), where=where)
    if isa.unit % 8 or isa.max % isa.unit:
        raise DescError(where, f"insn: unit {isa.unit} and max {isa.max} do not go together")
    return isa


def declare(isa: Isa, raw: Raw) -> None:
    for name, e in raw.of("features").items():
        s = text(e.node, f'feature "{name}"').s
        isa.features[name] = Feature(name, s.removeprefix("+").strip(), s.startswith("+"))
    if len(isa.features) > 64:
        raise DescError(isa.where, "more than 64 features")
    for name, e in raw.of("files").items():
        isa.files[name] = register_file(e.key, e.node)
    for name, e in raw.of("slots").items():
        isa.slots[name] = slot(e.key, e.node)
    for name, e in raw.of("traps").items():
        isa.traps[name] = trap(e.key, e.node)
    for name, e in raw.of("defs").items():
        isa.defs[name] = definition(e.key, e.node)
    for name, e in raw.of("helpers").items():
        isa.helpers[name] = helper(e.key, e.node)
    for name, e in raw.of("views").items():
        isa.views[name] = view(isa, e.key, e.node)
    for v in isa.views.values():
        check_view(isa, v)
        check_slice(isa, v)
    for name, e in raw.of("views").items():
        view_names(isa, isa.views[name], get(e.node, "names"))
    for name, e in raw.of("fields").items():
        isa.fields[name] = field_decl(isa, e.key, e.node)
    for name, e in raw.of("formats").items():
        isa.formats[name] = value_names(e.key, e.node)
    for name, e in raw.of("fp").items():
        isa.fp[name] = fp_profile(name, e.node)
    for name, e in raw.of("extra").items():
        isa.extra[name] = {k.s: text(v, f'"{k.s}"') for k, v in entries(e.node, f'"{name}"')}
    isa.sysreg_access = None
    widths: list[int] = []
    for name, e in raw.of("sysregs").items():
        known(Map(e.key, {name: (e.key, e.node)}), "access_all num", '"isa: sysregs"')
        if name == "access_all":
            isa.sysreg_access = text(e.node, f'"{name}"')
        else:
            widths = [number(w, "width", 1, 32) for w in words(e.node, '"num"')]
    numbers: dict[int, SysReg] = {}
    for e in raw.of("sysreg_rows").values():
        for row in sysreg_rows(isa, e.key, e.node, widths):
            add_sysreg(isa, row, numbers)
    for name, e in raw.of("flags").items():
        isa.flags[name] = [w.s for w in words(e.node, f'flags "{name}"')]
        for w in words(e.node, f'flags "{name}"'):
            if isa.slots.get(w.s, Slot("", 0)).width != 1:
                raise DescError(w, f'"{w.s}" is not a slot of one bit')
    for node in raw.lists.get("context", []):
        for w in words(node, '"context"'):
            if w.s.split(".")[0] not in isa.slots:
                raise DescError(w, f'context: no slot "{w.s}"')
            isa.context.append(w.s)
    for node in raw.lists.get("hot_registers", []):
        for w in words(node, '"hot"'):
            if w.s not in isa.files and w.s not in isa.slots:
                raise DescError(w, f'hot: no register file or slot "{w.s}"')
            isa.hot_registers.append(w.s)
    for node in raw.lists.get("held", []):
        for w in words(node, '"held"'):
            found = [(f.name, f.names.index(w.s)) for f in isa.files.values() if w.s in f.names and f.width == 64]
            alone = isa.slots.get(w.s)
            if not found and (alone is None or alone.width != 64):
                raise DescError(w, f'held: no register "{w.s}" of 64 bits')
            isa.held.append(found[0] if found else (w.s, None))
    for node in raw.lists.get("held_vectors", []):
        for w in words(node, '"held_vectors"'):
            found = [(f.name, f.names.index(w.s)) for f in isa.files.values() if w.s in f.names and f.width in (64, 128)]
            if not found or found[0] in isa.held:
                raise DescError(w, f'held_vectors: no register "{w.s}" of 64 or 128 bits that is not held already')
            isa.held_vectors.append(found[0])
    for node in raw.lists.get("link_registers", []):
        for w in words(node, '"link"'):
            at = next(((f.name, f.names.index(w.s)) for f in isa.files.values() if w.s in f.names), None)
            if at is None:
                raise DescError(w, f'link: no register "{w.s}"')
            isa.link_registers.append(at)


FP_WORDS = {"nan": "canonical first_snan_first_qnan first_operand default", "tiny": "after before"}     # nan may be a choice


def fp_profile(name: str, node: Node) -> dict[str, Text]:
    what = f'fp profile "{name}"'
    known(mapping(node, what), "nan tiny daz ftz rm sticky flags dirties needs", what)
    out = {k.s: text(v, f'"{k.s}"') for k, v in entries(node, what)}
    for key, values in FP_WORDS.items():
        if key in out and out[key].s not in values.split() and not (key == "nan" and " " in out[key].s):
            raise DescError(out[key], f'{what}: "{key}" is one of {values}, not "{out[key].s}"')
    return out


def register_file(key: Text, node: Node) -> RegFile:
    m, what = mapping(node, f'register file "{key.s}"'), f'register file "{key.s}"'
    known(m, "n width zero names kind", what, "n width")
    n = get_int(m, "n", 0, 1, 256)
    names = [f"{key.s}{i}" for i in range(n)]
    if "names" in m.items:
        names = [w.s for w in words(get(m, "names"), '"names"')]
        if len(names) != n:
            raise DescError(m.items["names"][1].where, f"{what} has {n} registers but {len(names)} names")
    return RegFile(key.s, n, get_int(m, "width", 0, 1, 2048), get_int(m, "zero", None, 0, n - 1), names,
                   one_of(m, "kind", KINDS, "general"), key)


def slot(key: Text, node: Node) -> Slot:
    if isinstance(node, Scalar):
        return Slot(key.s, number(node.where, "width", 1, 2048), where=key)
    m = mapping(node, f'slot "{key.s}"')
    known(m, "width kind reset", f'slot "{key.s}"', "width")
    return Slot(key.s, get_int(m, "width", 0, 1, 2048), one_of(m, "kind", KINDS, "internal"),
                get_int(m, "reset", 0), where=key)


def trap(key: Text, node: Node) -> TrapKind:
    if isinstance(node, Scalar):
        return TrapKind(key.s, number(node.where, "code"), 0, key)
    m = mapping(node, f'trap "{key.s}"')
    known(m, "code args", f'trap "{key.s}"', "code")
    return TrapKind(key.s, get_int(m, "code", 0), get_int(m, "args", 0, 0, 2), key)


def definition(key: Text, node: Node) -> Def:
    m = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*", key.s)
    if not m:
        raise DescError(key, f'a definition is "name" or "name(a, b)", not "{key.s}"')
    params = None
    if m[2] is not None:
        params = [p.strip() for p in m[2].split(",")] if m[2].strip() else []
        if any(not re.fullmatch(r"[A-Za-z_]\w*", p) for p in params) or len(set(params)) != len(params):
            raise DescError(key, f'the parameters of "{m[1]}" are not distinct names: {m[2]}')
    return Def(m[1], params, text(node, f'definition "{m[1]}"'))


def helper(key: Text, node: Node) -> Helper:
    m = mapping(node, f'helper "{key.s}"')
    known(m, "args returns reads writes ends faults oracle note", f'helper "{key.s}"')

    def typed(k: str) -> list[tuple[str, str]]:
        return typed_names(get_text(m, k)) if k in m.items else []

    def plain(k: str) -> list[str]:
        return [w.s for w in words(get(m, k), f'"{k}"')] if k in m.items else []

    return Helper(key.s, typed("args"), typed("returns"), plain("reads"), plain("writes"), get_str(m, "ends"),
                  get_str(m, "oracle"), key, get_int(m, "faults", 0, 0, 1) == 1)


def view(isa: Isa, key: Text, node: Node) -> View:
    m, what = mapping(node, f'view "{key.s}"'), f'view "{key.s}"'
    known(m, "file of type read write at names needs dirties index", what)
    if ("file" in m.items) == ("of" in m.items):
        raise DescError(key, f'{what} needs either "file" or "of"')
    v = View(key.s, get_str(m, "file") or None, get_str(m, "of") or None, get_text(m, "type"), get_text(m, "read"),
             get_text(m, "write"), needs=get_text(m, "needs"), dirties=get_str(m, "dirties") or None,
             index=get_text(m, "index"), where=key)
    if v.file and v.file not in isa.files:
        raise DescError(m.items["file"][1].where, f'no register file "{v.file}"')
    if "at" in m.items:
        v.at = {k.s: text(n, f'"{k.s}"') for k, n in entries(get(m, "at"), '"at"')}
    return v


def check_view(isa: Isa, v: View) -> None:
    """The chain of `of` ends at a register file; what the view inherits is filled in."""
    seen, w = [v.name], v
    while w.of:
        if w.of not in isa.views:
            raise DescError(w.where, f'view "{w.name}": no view "{w.of}"')
        if w.of in seen:
            raise DescError(v.where, f'view "{v.name}" is made of itself')
        seen.append(w.of)
        w = isa.views[w.of]


def check_slice(isa: Isa, v: View) -> None:
    """The bits that it reads are there in what it is made of, as far as that is a plain slice or register."""
    w = isa.views.get(v.of) if v.of else None
    if w and w.type:        # what a type holds is not known here
        return
    inner = w.slice if w else None
    if w and w.read and not inner:
        return
    width = inner[0] - inner[1] + 1 if inner else view_file(isa, v).width
    own = v.slice
    if own and not own[1] <= own[0] < width:
        raise DescError(v.read, f'view "{v.name}": bits {v.read.s.strip("[]")} are not inside {width} bits')


def view_file(isa: Isa, v: View) -> RegFile:
    while v.of:
        v = isa.views[v.of]
    return isa.files[v.file]


def view_names(isa: Isa, v: View, node: Node | None) -> None:
    """Assembly names by index: of the register file, then the `at` slots, then `names`, along the chain of views."""
    f = view_file(isa, v)
    if v.of:
        if not (base := isa.views[v.of]).names and not base.names_by_n:
            raise DescError(v.where, f'view "{v.name}" stands before "{v.of}", which it is made of')
        v.names = dict(base.names)
    else:
        v.names = dict(enumerate(f.names))
    for i, slot_name in v.at.items():
        if re.fullmatch(r"\d+", i) and slot_name.s in isa.slots:
            v.names[int(i)] = slot_name.s.lower()
    if isinstance(node, Map):
        for k, n in entries(node, '"names"'):
            if k.s == "N":
                v.names_by_n = {number(kk, "N"): text(nn, "view").s for kk, nn in entries(n, '"N"')}
                if bad := [x for x in v.names_by_n.values() if x not in isa.views]:
                    raise DescError(k, f'no view "{bad[0]}"')
            elif k.s == "all":
                v.names = {i: text(n, "name").s.replace("{i}", str(i)) for i in range(f.n)} | {
                    i: s for i, s in v.names.items() if i >= f.n}
            else:
                v.names[number(k, "register index", 0, max(f.n, 32) - 1)] = text(n, f'name of register {k.s}').s
    elif node is not None:
        ws = words(node, '"names"')
        if len(ws) == 1 and "{i}" in ws[0].s:
            ws = [Text(ws[0].s.replace("{i}", str(i)), ws[0].file, ws[0].line, ws[0].col) for i in range(f.n)]
        if len(ws) < f.n:
            raise DescError(node.where, f'view "{v.name}" has {f.n} registers but {len(ws)} names')
        v.names = {i: w.s for i, w in enumerate(ws)}


def field_decl(isa: Isa, key: Text, node: Node) -> FieldDecl:
    if not NAME.fullmatch(key.s):
        raise DescError(key, f'"{key.s}" cannot name a field')
    bits, view_name, offset, where = None, None, 0, key
    if isinstance(node, Scalar):
        if re.fullmatch(r"\d+", node.where.s):
            bits = number(node.where, "width", 1, 64)
        else:
            view_name, where = node.where.s, node.where
    else:
        m = mapping(node, f'field "{key.s}"')
        known(m, "bits view add", f'field "{key.s}"')
        bits, offset = get_int(m, "bits", None, 1, 64), get_int(m, "add", 0, 0)
        view_name = get_str(m, "view") or None
    if view_name and view_name not in isa.views:
        raise DescError(where, f'no view "{view_name}"')
    if bits is None:
        if not view_name:
            raise DescError(key, f'field "{key.s}" has neither bits nor a view')
        bits = (view_file(isa, isa.views[view_name]).n - 1).bit_length()
    if offset + (1 << bits) > 1 << 64:
        raise DescError(where, f'field "{key.s}": what it holds does not fit 64 bits')
    return FieldDecl(key.s, bits, view_name, offset, key)


def value_names(key: Text, node: Node) -> dict[int, str]:
    if isinstance(node, (Scalar, Seq)):
        return {i: w.s for i, w in enumerate(words(node, f'format "{key.s}"'))}
    out: dict[int, str] = {}
    for k, n in entries(node, f'format "{key.s}"'):
        value = number(k, "value")
        if value in out:
            raise DescError(k, f'format "{key.s}" has value {value} twice')
        out[value] = text(n, f'"{k.s}"').s
    return out


# ---- system registers ------------------------------------------------------------------------------


def sysreg_rows(isa: Isa, key: Text, node: Node, widths: list[int]) -> list[SysReg]:
    m = mapping(node, f'system register "{key.s}"')
    known(m, "for num width fields reset mask read write access storage requires note ref written_as", f'"{key.s}"', "num")
    loops: list[dict[str, int]] = [{}]
    if "for" in m.items:
        t = get_text(m, "for")
        f = re.fullmatch(r"\s*([A-Za-z_]\w*)\s+in\s+(.+?)\.\.(.+)", t.s)
        if not f:
            raise DescError(t, f'expected "name in first..end", not "{t.s}"')
        loops = [{f[1]: i} for i in range(evaluate(t, {}, f[2]), evaluate(t, {}, f[3]))]
    rows = []
    for names in loops:
        name = re.sub(r"\{([^}]*)\}", lambda x: str(evaluate(key, names, x[1])), key.s)
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise DescError(key, f'"{name}" cannot name a system register')
        rows.append(SysReg(name, sysreg_num(get_text(m, "num"), names, widths), get_int(m, "width", 64, 1, 2048), key,
                           storage=get_int(m, "storage", 1, 0, 1) == 1, vars=names, read=row_text(m, "read", names),
                           write=row_text(m, "write", names), access=row_text(m, "access", names), note=get_str(m, "note"),
                           written_as=get_str(m, "written_as"),
                           requires=expand.features(isa, get(m, "requires"))))
        r = rows[-1]
        if "reset" in m.items:
            r.reset = evaluate(get_text(m, "reset"), names)
        if "mask" in m.items:
            r.mask = evaluate(get_text(m, "mask"), names)
        for v, what in ((r.reset, "reset"), (r.mask or 0, "mask")):
            if not 0 <= v < 1 << r.width:
                raise DescError(get_text(m, what), f'"{what}" does not fit {r.width} bits')
        if "fields" in m.items:
            r.fields = sysreg_fields(r, get(m, "fields"))
    return rows


def row_text(m: Map, key: str, names: dict[str, int]) -> Text | None:
    """A row's text, with the loop's variable in a register's name replaced: pmpaddr{i} -> pmpaddr3."""
    t = get_text(m, key)
    if t is None or not names:
        return t
    s = re.sub(r"(?<=\w)\{(\w+)\}", lambda x: str(names[x[1]]) if x[1] in names else x[0], t.s)
    return t if s == t.s else Text(s, t.file, t.line, t.col, t.indent)


def sysreg_num(t: Text, names: dict[str, int], widths: list[int]) -> int:
    """One number, or as many numbers as `isa: sysregs: num:` gives widths, the first in the highest bits."""
    if not widths:
        return evaluate(t, names)
    parts = split(t)
    if len(parts) != len(widths):
        raise DescError(t, f"{len(widths)} numbers are needed, {len(parts)} given")
    value = 0
    for w, bits in zip(parts, widths):
        n = evaluate(w, names)
        if not 0 <= n < 1 << bits:
            raise DescError(w, f"{w.s} does not fit {bits} bits")
        value = value << bits | n
    return value


def sysreg_fields(r: SysReg, node: Node) -> dict[str, SysRegField]:
    out = {}
    for k, n in entries(node, '"fields"'):
        t = text(n, f'field "{k.s}"')
        m = re.fullmatch(r"\s*(\d+)\s*(?::\s*(\d+))?\s*", t.s)
        if not m:
            raise DescError(t, f'bits of field "{k.s}": expected "hi:lo" or one bit, not "{t.s}"')
        hi, lo = int(m[1]), int(m[2] or m[1])
        if not lo <= hi < r.width:
            raise DescError(t, f'field "{k.s}": bits {t.s} are not inside {r.width} bits')
        out[k.s] = SysRegField(k.s, hi, lo, k)
    return out


def add_sysreg(isa: Isa, row: SysReg, numbers: dict[int, SysReg]) -> None:
    if row.name in isa.sysregs:
        raise DescError(row.where, f'system register "{row.name}" is declared twice')
    if row.num in numbers:
        raise DescError(row.where, f'system register "{row.name}" has the number {row.num:#x} of'
                                   f' "{numbers[row.num].name}" ({numbers[row.num].where.at()})')
    numbers[row.num] = row
    isa.sysregs[row.name] = row
    if not row.storage:
        return
    if row.name in isa.slots:
        raise DescError(row.where, f'"{row.name}" is both a slot and a system register with storage (storage: 0?)')
    isa.slots[row.name] = Slot(row.name, row.width, "system", row.reset, row.name, row.where)


# ---- what needs the leaves -------------------------------------------------------------------------


def alias(m: Map, of: str) -> Alias:
    known(m, "name of asm when set", "an alias", "name asm")
    t = get_text(m, "set")
    target = get_str(m, "of") or of
    if not target:
        raise DescError(m.where, 'an alias outside a family lacks "of"')
    return Alias(get_str(m, "name"), target, get_text(m, "asm"), get_text(m, "when"), assignments(t) if t else [])


def finish(isa: Isa, raw: Raw) -> None:
    leaves = {leaf.name: leaf for leaf in isa.leaves}
    for node in raw.lists.get("aliases", []):
        if not isinstance(node, Seq):
            raise DescError(node.where, '"aliases" must be a list')
        isa.aliases += [alias(mapping(n, "an alias"), "") for n in node.items]
    for e in raw.families.values():
        node = get(mapping(e.node, "a family"), "aliases")
        if node is not None and not isinstance(node, Seq):
            raise DescError(node.where, '"aliases" must be a list')
        isa.aliases += [alias(mapping(n, "an alias"), e.key.s) for n in node.items] if node else []
    for a in isa.aliases:
        if a.of not in leaves and a.of not in isa.families:
            raise DescError(a.text, f'alias "{a.name}": no instruction or family "{a.of}"')
    for node in raw.lists.get("hot", []):
        for w in words(node, '"hot"'):
            if w.s in leaves:
                leaves[w.s].hot = True
            elif w.s in isa.families:
                for leaf in isa.leaves:
                    leaf.hot |= leaf.family.name == w.s
            else:
                raise DescError(w, f'hot: no instruction or family "{w.s}"')
    for node in raw.lists.get("fused", []):
        for w in words(node, '"fused"'):
            isa.fused.append(fused(w, leaves))
            if isa.fused[-1].ident in {f.ident for f in isa.fused[:-1]}:
                raise DescError(w, f'fused: "{w.s}" twice')
    for leaf in isa.leaves:
        for name in leaf.overrides:
            if name not in leaves and name not in isa.families:
                raise DescError(leaf.where, f'{leaf.name} overrides "{name}", which is no instruction or family')
