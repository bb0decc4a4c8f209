"""Descriptions of an operating system's calls (isa/common/linux.yaml and one file per ISA) become a checked model."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

from .model import DescError, Text
from .source import Map, Scalar, read

VALUES = ("int", "uint", "long", "ulong", "hex", "size", "off", "mode", "pid", "ptr")
PATHS = ("path", "link", "new")
ELEMENTS = {"byte": 1, "int": 4, "long": 8}
OWN_ATTRIBUTES = ("own", "none", "noreturn")


@dataclass
class Arg:
    """One argument. `kind` is a word of VALUES or PATHS, fd, dirfd, string, set, mem, struct or iovec; `dir` is the
    pointer's direction; `len` names the argument with the number of elements, `n` is it without one."""
    name: str
    kind: str
    dir: str = ""
    type: str = ""
    width: int = 0
    n: int = 1
    len: str = ""
    len_ptr: bool = False
    text: str = ""


@dataclass
class Call:
    name: str
    where: Text
    args: list[Arg]
    result: Arg
    own: bool = False
    none: bool = False
    noreturn: bool = False
    error: str = ""
    via: str = ""
    to: list[str] = field(default_factory=list)
    text: str = ""
    group: str = ""

    def index(self, name: str) -> int:
        return next((i for i, a in enumerate(self.args) if a.name == name), -1)

    def state(self) -> str:
        if self.via:
            return f"through `{self.via}`"
        if self.error:
            return f"refused: {self.error}"
        return "ENOSYS" if self.none else "own" if self.own else "host"


@dataclass
class Layout:
    size: int
    members: dict[str, tuple[int, int]]


@dataclass
class Struct:
    name: str
    where: Text
    type: str
    size: int
    show: list[str]
    guest: Layout | None
    needs: dict[str, str]           # member -> macro without which the host has none


@dataclass
class Set:
    name: str
    where: Text
    field: list[str]                # the mask, then its values
    bits: list[str]
    one: list[str]
    guest: dict[str, int]


@dataclass
class Ioctl:
    name: str
    arg: Arg


@dataclass
class Abi:
    """What one ISA has otherwise."""
    isa: str
    uname: str
    numbers: dict[int, str]
    structs: dict[str, Layout]
    sets: dict[str, dict[str, int]]
    order: dict[str, list[str]]


@dataclass
class System:
    headers: list[str]
    structs: dict[str, Struct]
    sets: dict[str, Set]
    calls: dict[str, Call]
    ioctls: list[Ioctl]
    abis: list[Abi]
    sources: list[str]


def _map(node: object, what: str) -> Map:
    if not isinstance(node, Map):
        raise DescError(getattr(node, "where", what), f"{what} is a map")
    return node


def _text(node: object, what: str) -> Text:
    if not isinstance(node, Scalar):
        raise DescError(getattr(node, "where", what), f"{what} is a text")
    return node.where


def _section(top: Map, name: str) -> dict[str, tuple[Text, object]]:
    return _map(top.items[name][1], name).items if name in top.items else {}


def _only(items: dict[str, tuple[Text, object]], allowed: tuple[str, ...], what: str) -> None:
    for key, (where, _) in items.items():
        if key not in allowed:
            raise DescError(where, f"{what} has no '{key}'; there are: {', '.join(allowed)}")


def _number(t: Text) -> int:
    try:
        return int(t.s, 0)
    except ValueError:
        raise DescError(t, f"a number, not '{t.s}'") from None


def _layout(node: object, known: set[str] | None) -> Layout:
    items = dict(_map(node, "a layout").items)
    size = _number(_text(items.pop("size", (None, None))[1], "size"))
    members = {}
    for name, (where, value) in items.items():
        m = re.fullmatch(r"(\d+)\.([1248])", _text(value, name).s)
        if not m or int(m[1]) + int(m[2]) > size:
            raise DescError(where, f"{name}: OFFSET.WIDTH inside the {size} bytes")
        if known is not None and name not in known:
            raise DescError(where, f"the generic layout and `needs` have no member '{name}'")
        members[name] = (int(m[1]), int(m[2]))
    return Layout(size, members)


def _struct(name: str, where: Text, node: object) -> Struct:
    items = _map(node, name).items
    _only(items, ("type", "size", "show", "guest", "needs"), f"struct {name}")
    if ("type" in items) == ("size" in items):
        raise DescError(where, f"struct {name} has either a type of the kernel's headers or a size")
    needs = {k: _text(v, k).s for k, (_, v) in _section(Map(where, items), "needs").items()}
    guest = _layout(items["guest"][1], None) if "guest" in items else None
    return Struct(name, where, _text(items["type"][1], "type").s if "type" in items else "",
                  _number(_text(items["size"][1], "size")) if "size" in items else 0,
                  _text(items["show"][1], "show").s.split() if "show" in items else [], guest, needs)


def _set(name: str, where: Text, node: object) -> Set:
    items = _map(node, name).items
    _only(items, ("field", "bits", "one", "guest"), f"set {name}")
    words = {k: _text(items[k][1], k).s.split() if k in items else [] for k in ("field", "bits", "one")}
    if bool(words["one"]) == bool(words["bits"] or words["field"]):
        raise DescError(where, f"set {name} has `one`, or `bits` and `field`")
    guest = {k: _number(_text(v, k)) for k, (_, v) in _section(Map(where, items), "guest").items()}
    return Set(name, where, words["field"], words["bits"], words["one"], guest)


class _Rows:
    """Reads the lines of calls and ioctls."""

    def __init__(self, structs: dict[str, Struct], sets: dict[str, Set]) -> None:
        self.structs, self.sets = structs, sets

    def value(self, kind: str, name: str, where: Text) -> Arg:
        if kind in VALUES or kind in PATHS or kind in ("fd", "dirfd", "string"):
            return Arg(name, kind)
        if kind in self.sets:
            return Arg(name, "set", type=kind)
        raise DescError(where, f"'{kind}' is no kind of argument and no set")

    def pointer(self, words: list[str], where: Text) -> Arg:
        way, *rest = words
        m = re.fullmatch(r"(\w+)(?:\[(\*?)(\w+)\])?", rest[-1]) if rest else None
        if not m or len(rest) > 2:
            raise DescError(where, f"`{' '.join(words)}`: {way} TYPE NAME[LENGTH]")
        a = Arg(m[1], "mem", dir=way)
        if m[3]:
            a.n, a.len, a.len_ptr = (int(m[3]), "", False) if m[3].isdigit() else (0, m[3], bool(m[2]))
        kind = rest[0] if len(rest) == 2 else "byte"
        if len(rest) == 1 and not m[3]:
            raise DescError(where, f"`{' '.join(words)}`: bytes need a length")
        if kind in ELEMENTS:
            a.width, a.type = ELEMENTS[kind], kind
        elif kind == "iovec":
            a.kind, a.width = "iovec", 16
        elif kind in self.structs:
            a.kind, a.type = "struct", kind
        else:
            raise DescError(where, f"'{kind}' is no struct; others are: {', '.join(ELEMENTS)}, iovec")
        return a

    def arg(self, text: str, where: Text) -> Arg:
        words = text.split()
        if words and words[0] in ("in", "out", "inout") and not (len(words) == 2 and words[1] in ()):
            a = self.pointer(words, where)
        elif len(words) == 2:
            a = self.value(words[0], words[1], where)
        else:
            raise DescError(where, f"`{text}`: KIND NAME")
        a.text = " ".join(words)
        return a

    def call(self, name: str, where: Text, t: Text, group: str) -> Call:
        m = re.fullmatch(r"(.*?)\s*->\s*(\w+)\s*(?:=\s*(\w+)\((.*?)\))?\s*(?:;\s*(.*))?", t.s.strip(), re.S)
        if not m:
            raise DescError(t, f"{name}: ARGUMENTS -> RESULT; ATTRIBUTES")
        args = [self.arg(a.strip(), t) for a in m[1].split(",")] if m[1].strip() else []
        if len(args) > 6 or len({a.name for a in args}) != len(args):
            raise DescError(t, f"{name}: at most six arguments, each with a name of its own")
        result = Arg("", "void") if m[2] == "void" else self.value(m[2], "", t)
        c = Call(name, where, args, result, text=" ".join(t.s.split()), group=group)
        for a in args:
            if a.len and c.index(a.len) < 0:
                raise DescError(t, f"{name}: there is no argument '{a.len}'")
        for word in filter(None, re.split(r"\s*,\s*", m[5] or "")):
            if word in OWN_ATTRIBUTES:
                setattr(c, word, True)
            elif e := re.fullmatch(r"fail (E[A-Z]+)", word):
                c.error = e[1]
            else:
                raise DescError(t, f"{name}: no attribute '{word}'; there are: {', '.join(OWN_ATTRIBUTES)}, fail E")
        if m[3]:
            c.via, c.to = m[3], [w.strip() for w in m[4].split(",")]
        if c.own + c.none + bool(c.error) + bool(c.via) > 1:
            raise DescError(t, f"{name}: one of own, none, fail and = other(...)")
        if not (c.own or c.none or c.error or c.via) and any(a.kind == "ptr" for a in args) and name not in ("getcpu",):
            raise DescError(t, f"{name}: the host's kernel must not get an unchecked `ptr`")
        return c

    def ioctl(self, name: str, t: Text) -> Ioctl:
        words = t.s.split()
        if words == ["none"]:
            return Ioctl(name, Arg("", "void"))
        if words == ["ptr"]:                    # to more pointers: the implementation knows
            return Ioctl(name, Arg("arg", "ptr"))
        return Ioctl(name, self.arg(f"{t.s} arg", t))


def _groups(path: str, calls: dict[str, tuple[Text, object]]) -> dict[str, str]:
    """Call -> the comment above its group."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    out, group, at = {}, "", 0
    for name, (where, _) in sorted(calls.items(), key=lambda c: c[1][0].line):
        while at < where.line:
            if m := re.fullmatch(r"  # (.*)", lines[at]):
                group = m[1]
            at += 1
        out[name] = group
    return out


def _numbers(section: dict[str, tuple[Text, object]], calls: dict[str, Call], into: dict[int, str]) -> None:
    for key, (where, node) in section.items():
        at = _number(where)
        for name in _text(node, key).s.split():
            if name not in calls:
                raise DescError(_text(node, key), f"no call is described under the name '{name}'")
            if at in into:
                raise DescError(where, f"number {at} is {into[at]} already")
            into[at] = name
            at += 1


def _abi(path: str, system: System, shared: dict[str, tuple[Text, object]]) -> Abi:
    top = read(path, path)
    _only(top.items, ("linux", "arguments", "structs", "sets", "numbers"), path)
    head = {k: _text(v, k) for k, (_, v) in _section(top, "linux").items()}
    for key in ("isa", "uname", "uses"):
        if key not in head:
            raise DescError(top.where, f"linux: has no '{key}'")
    abi = Abi(head["isa"].s, head["uname"].s, {}, {}, {}, {})
    for name in head["uses"].s.split():
        if name not in shared:
            raise DescError(head["uses"], f"no shared numbers are called '{name}'")
        _numbers(_map(shared[name][1], name).items, system.calls, abi.numbers)
    _numbers(_section(top, "numbers"), system.calls, abi.numbers)
    for name, (where, node) in _section(top, "structs").items():
        s = system.structs.get(name)
        if not s or not s.guest:
            raise DescError(where, f"{name} is no struct with a generic layout (`guest`)")
        abi.structs[name] = _layout(node, set(s.guest.members) | set(s.needs))
    for name, (where, node) in _section(top, "sets").items():
        s = system.sets.get(name)
        values = {k: _number(_text(v, k)) for k, (_, v) in _map(node, name).items.items()}
        if not s or set(values) != set(s.guest):
            raise DescError(where, f"{name}: the same names as under `guest` of the generic set")
        abi.sets[name] = values
    for name, (where, node) in _section(top, "arguments").items():
        order = _text(node, name).s.split()
        if name not in system.calls or sorted(order) != sorted(a.name for a in system.calls[name].args):
            raise DescError(where, f"{name}: its arguments in another order")
        abi.order[name] = order
    return abi


def load(path: str, numbers: str, isas: list[str]) -> System:
    top = read(path, path)
    _only(top.items, ("headers", "structs", "sets", "calls", "ioctls"), path)
    structs = {k: _struct(k, w, v) for k, (w, v) in _section(top, "structs").items()}
    sets = {k: _set(k, w, v) for k, (w, v) in _section(top, "sets").items()}
    rows = _Rows(structs, sets)
    section = _section(top, "calls")
    groups = _groups(path, section)
    calls = {k: rows.call(k, w, _text(v, k), groups[k]) for k, (w, v) in section.items()}
    for c in calls.values():
        if not c.via:
            continue
        target = calls.get(c.via)
        if not target or target.via or len(c.to) != len(target.args):
            raise DescError(c.where, f"{c.name}: {c.via} must be described, directly, with {len(c.to)} arguments")
        for word in c.to:
            if c.index(word) < 0 and word != "AT_FDCWD" and not re.fullmatch(r"0x[0-9a-f]+|\d+", word):
                raise DescError(c.where, f"{c.name}: '{word}' is neither an argument nor AT_FDCWD nor a number")
    ioctls = [rows.ioctl(k, _text(v, k)) for k, (_, v) in _section(top, "ioctls").items()]
    system = System(_text(top.items["headers"][1], "headers").s.split(), structs, sets, calls, ioctls, [],
                    [path, numbers, *isas])
    shared = _section(read(numbers, numbers), "numbers")
    for p in isas:
        system.abis.append(_abi(p, system, shared))
    return system
