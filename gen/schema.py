"""Typed access to the nodes of a description: maps with known keys, texts, numbers, word lists. Knows no key by name."""
from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator

from .model import DescError, Text
from .source import Map, Node, Scalar, Seq, kind

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*'?")
OPS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
       ast.Mod: operator.mod, ast.LShift: operator.lshift, ast.RShift: operator.rshift, ast.BitOr: operator.or_,
       ast.BitAnd: operator.and_, ast.BitXor: operator.xor}


def text(node: Node, what: str) -> Text:
    if not isinstance(node, Scalar):
        raise DescError(node.where, f"{what} must be text, not {kind(node)}: quote text that starts with {{ or [")
    return node.where


def mapping(node: Node, what: str) -> Map:
    if not isinstance(node, Map):
        raise DescError(node.where, f"{what} must be a map, not {kind(node)}")
    return node


def known(node: Map, keys: str, what: str, need: str = "") -> None:
    """Every key of the map is one of `keys`, and those of `need` are there (both blank-separated)."""
    allowed = keys.split()
    for name, (key, _) in node.items.items():
        if name not in allowed:
            raise DescError(key, f'unknown key "{name}" in {what}; known: {", ".join(allowed)}')
    for name in need.split():
        if name not in node.items:
            raise DescError(node.where, f'{what} lacks "{name}"')


def entries(node: Node, what: str) -> Iterator[tuple[Text, Node]]:
    for key, value in mapping(node, what).items.values():
        yield key, value


def get(node: Map, key: str) -> Node | None:
    return node.items[key][1] if key in node.items else None


def get_text(node: Map, key: str) -> Text | None:
    return text(node.items[key][1], f'"{key}"') if key in node.items else None


def get_str(node: Map, key: str, default: str = "") -> str:
    t = get_text(node, key)
    return default if t is None else t.s.strip()


def one_of(node: Map, key: str, choices: str, default: str) -> str:
    t = get_text(node, key)
    if t is None:
        return default
    if t.s not in choices.split():
        raise DescError(t, f'"{key}" is one of {", ".join(choices.split())}, not "{t.s}"')
    return t.s


def number(t: Text, what: str = "number", low: int | None = None, high: int | None = None) -> int:
    """A constant: decimal, 0x or 0b, with + - * / % << >> & | ^ and parentheses."""
    value = evaluate(t, {})
    if low is not None and value < low or high is not None and value > high:
        limits = f"{low} to {high}" if low is not None and high is not None else f"at least {low}"
        raise DescError(t, f"{what} {t.s} is out of range ({limits})")
    return value


def get_int(node: Map, key: str, default: int | None, low: int | None = None, high: int | None = None) -> int | None:
    t = get_text(node, key)
    return default if t is None else number(t, f'"{key}"', low, high)


def evaluate(t: Text, names: dict[str, int], s: str | None = None) -> int:
    """A constant expression over integers and the given names. Division is exact rounding down."""
    s = t.s if s is None else s
    try:
        tree = ast.parse(s.strip().replace("/", "//"), mode="eval").body
        return _eval(tree, names)
    except (SyntaxError, ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError):
        raise DescError(t, f'not a number: "{s}"') from None


def _eval(n: ast.expr, names: dict[str, int]) -> int:
    if isinstance(n, ast.Constant) and type(n.value) is int:
        return n.value
    if isinstance(n, ast.Name):
        return names[n.id]
    if isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.USub):
        return -_eval(n.operand, names)
    if isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.Invert):
        return ~_eval(n.operand, names)
    if isinstance(n, ast.BinOp) and type(n.op) in OPS:
        return OPS[type(n.op)](_eval(n.left, names), _eval(n.right, names))
    raise ValueError


def words(node: Node, what: str) -> list[Text]:
    """Blank-separated words of a text, or the texts of a list; each with its place."""
    if isinstance(node, Seq):
        return [text(n, f"an entry of {what}") for n in node.items]
    return split(text(node, what))


def split(t: Text) -> list[Text]:
    return [part(t, m.start(), m.end()) for m in re.finditer(r"\S+", t.s)]


def part(t: Text, start: int, end: int) -> Text:
    """The piece t.s[start:end] as a text of its own."""
    before = t.s[:start]
    line = before.count("\n")
    col = start - (before.rfind("\n") + 1)
    return Text(t.s[start:end], t.file, t.line + line, (t.col if line == 0 else 1 + t.indent) + col, t.indent)


def lines(t: Text) -> list[Text]:
    """The lines of a table, without comments (`#` unless `{` follows) and blank lines, trailing blanks removed."""
    out, pos = [], 0
    for line in t.s.split("\n"):
        m = re.search(r"#(?!\{)", line)
        content = (line[:m.start()] if m else line).rstrip()
        if content.strip():
            lead = len(content) - len(content.lstrip())
            out.append(part(t, pos + lead, pos + len(content)))
        pos += len(line) + 1
    return out


def assignments(t: Text) -> list[tuple[str, Text]]:
    """`a = expr; b = expr`"""
    out = []
    for m in re.finditer(r"[^;]+", t.s):
        if not m[0].strip():
            continue
        a = re.match(r"\s*(" + NAME.pattern + r")\s*=(?!=)\s*", m[0])
        if not a:
            raise DescError(part(t, m.start(), m.end()), f'expected "operand = expression", not "{m[0].strip()}"')
        end = m.start() + len(m[0].rstrip())
        out.append((a[1], part(t, m.start() + a.end(), end)))
    return out


def typed_names(t: Text) -> list[tuple[str, str]]:
    """`va:b64 asid:b64`: names with types of 1 to 128 bits."""
    out = []
    for w in split(t):
        name, colon, type_ = w.s.partition(":")
        if not colon or not NAME.fullmatch(name) or not type_:
            raise DescError(w, f'expected name:type, not "{w.s}"')
        if name in [n for n, _ in out]:
            raise DescError(w, f'"{name}" is named twice')
        if not re.fullmatch(r"b[0-9]{1,3}", type_) or not 1 <= int(type_[1:]) <= 128:
            raise DescError(w, f'"{name}": a type is b1 to b128, not "{type_}"')
        out.append((name, type_))
    return out
