"""Lexer and parser of the meaning language: text to syntax trees. Knows the grammar, no names, no types."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from .model import DescError, Text

T = TypeVar("T")

# ---- trees ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    pos: tuple[Text, int, int]      # text, line and column offset in it


@dataclass(slots=True)
class Num(Node):
    value: int
    width: int | None               # stated by a 0b literal


@dataclass(slots=True)
class Name(Node):
    name: str


@dataclass(slots=True)
class Unary(Node):
    op: str
    e: Node


@dataclass(slots=True)
class Binary(Node):
    op: str
    a: Node
    b: Node


@dataclass(slots=True)
class Cond(Node):
    c: Node
    a: Node
    b: Node


@dataclass(slots=True)
class MatchE(Node):
    e: Node
    cases: list[tuple[list[Node] | None, Node]]      # None: the `_` case


@dataclass(slots=True)
class Call(Node):
    fn: str
    width: Node | None
    args: list[Node]
    kwargs: dict[str, Node]


@dataclass(slots=True)
class Index(Node):
    e: Node
    i: Node
    width: Node | None              # the parameter of `View.N[i]`


@dataclass(slots=True)
class SliceE(Node):
    e: Node
    hi: Node
    lo: Node


@dataclass(slots=True)
class Attr(Node):
    e: Node
    name: str


@dataclass(slots=True)
class Cast(Node):
    e: Node
    type: TypeE


@dataclass(slots=True)
class TypeE(Node):
    name: str                       # "b64", "bN", "f32", "vec", "int", "b" with args[0] the width
    args: list


@dataclass(slots=True)
class Comp(Node):
    e: Node
    var: str
    n: Node


@dataclass(slots=True)
class TupleE(Node):
    items: list[Node]


@dataclass(slots=True)
class Let(Node):
    names: list[str]
    e: Node


@dataclass(slots=True)
class Assign(Node):
    target: Node
    op: str                         # "" or the operator of `op=`
    e: Node


@dataclass(slots=True)
class If(Node):
    c: Node
    hint: str
    then: list[Node]
    other: list[Node]


@dataclass(slots=True)
class For(Node):
    var: str
    lo: Node
    hi: Node
    body: list[Node]


@dataclass(slots=True)
class MatchS(Node):
    e: Node
    cases: list[tuple[list[Node] | None, list[Node]]]


@dataclass(slots=True)
class Do(Node):
    call: Call


@dataclass(slots=True)
class Simple(Node):
    word: str                       # commit | restart | done


@dataclass(slots=True)
class Return(Node):
    e: Node


# ---- lexer ---------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"""
    (?P<ws>[ \t\r]+) | (?P<comment>\#(?!\{)[^\n]*) | (?P<nl>\n)
  | (?P<num>0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*'?)
  | (?P<op>>>[us]|<=[us]|>=[us]|<<|<[us]\b|>[us]\b|=>|==|!=|&&|\|\||\+\+|\.\.|\|=|&=|\^=|\+=|-=|[-+*/%&|^~!=<>()\[\]{},;:.])
""", re.X)


@dataclass(slots=True)
class Token:
    kind: str                       # num | name | op | nl | end
    s: str
    line: int
    col: int


def lex(text: Text) -> list[Token]:
    """Tokens of a text; newlines inside ( ) and [ ] are dropped."""
    out: list[Token] = []
    line = col0 = i = depth = 0
    s = text.s
    while i < len(s):
        m = _TOKEN.match(s, i)
        if not m:
            raise DescError(text.at(line, i - col0), f"unexpected character '{s[i]}'")
        kind, tok = m.lastgroup, m.group()
        if kind == "nl":
            if depth == 0:
                out.append(Token("nl", "\n", line, i - col0))
            line += 1
            col0 = m.end()
        elif kind in ("num", "name", "op"):
            out.append(Token(kind, tok, line, i - col0))
            if tok in "([":
                depth += 1
            elif tok in ")]":
                depth -= 1
        i = m.end()
    out.append(Token("end", "", line, i - col0))
    return out


# ---- parser --------------------------------------------------------------------------------------------------------

_LEVELS = [["||"], ["&&"], ["==", "!=", "<u", "<=u", ">u", ">=u", "<s", "<=s", ">s", ">=s"], ["++"], ["|"], ["^"], ["&"],
           ["<<", ">>u", ">>s"], ["+", "-"], ["*", "/", "%"]]
_LEVEL = {op: n for n, ops in enumerate(_LEVELS) for op in ops}
_COMPARE = 2
_WORDS = {"let", "if", "else", "then", "match", "for", "in", "as", "likely", "unlikely", "commit", "restart", "done", "return"}


class Parser:
    def __init__(self, text: Text) -> None:
        self.text = text
        self.toks = lex(text)
        self.i = 0

    # -- helpers
    def pos(self) -> tuple[Text, int, int]:
        t = self.toks[self.i]
        return (self.text, t.line, t.col)

    def fail(self, message: str) -> DescError:
        t = self.toks[self.i]
        return DescError(self.text.at(t.line, t.col), message)

    def peek(self, s: str) -> bool:
        t = self.toks[self.i]
        return t.s == s and t.kind in ("op", "name")

    def take(self, s: str) -> bool:
        if self.peek(s):
            self.i += 1
            return True
        return False

    def found(self, t: Token) -> str:
        return "end of text" if t.kind == "end" else "end of line" if t.kind == "nl" else repr(t.s)

    def want(self, s: str) -> None:
        if not self.take(s):
            t = self.toks[self.i]
            raise self.fail(f"expected '{s}', found {self.found(t)}")

    def name(self) -> str:
        t = self.toks[self.i]
        if t.kind != "name" or t.s in _WORDS:
            raise self.fail(f"expected a name, found {self.found(t)}")
        self.i += 1
        return t.s

    def shallow(self, parse: Callable[[], T]) -> T:
        try:
            return parse()
        except RecursionError:
            raise self.fail("this is nested too deeply") from None

    def newlines(self) -> None:
        while self.toks[self.i].kind == "nl" or self.peek(";"):
            self.i += 1

    # -- expressions
    def expr(self) -> Node:
        p = self.pos()
        if self.take("if"):
            c = self.expr()
            self.newlines()
            self.want("then")
            a = self.expr()
            self.newlines()
            self.want("else")
            return Cond(p, c, a, self.expr())
        if self.peek("match"):
            return self.match_expr()
        return self.binary(0)

    def match_expr(self) -> Node:
        p = self.pos()
        self.want("match")
        e = self.binary(0)
        self.want("{")
        cases: list[tuple[list[Node] | None, Node]] = []
        self.newlines()
        while not self.peek("}"):
            pats = self.patterns()
            cases.append((pats, self.expr()))
            if not self.take(","):
                self.newlines()
                if not self.peek("}") and self.toks[self.i - 1].kind != "nl":
                    raise self.fail("expected ',' or '}' after a case")
            self.newlines()
        self.want("}")
        return MatchE(p, e, cases)

    def patterns(self) -> list[Node] | None:
        if self.toks[self.i].s == "_":
            self.i += 1
            self.want("=>")
            return None
        pats = [self.binary(0)]
        while self.take(","):
            self.newlines()
            pats.append(self.binary(0))
        self.want("=>")
        return pats

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self.unary()
        a = self.binary(level + 1)
        while True:
            t = self.toks[self.i]
            if t.kind != "op" or _LEVEL.get(t.s) != level:
                return a
            p = self.pos()
            self.i += 1
            while self.toks[self.i].kind == "nl":
                self.i += 1
            b = self.binary(level + 1)
            if level == _COMPARE and isinstance(a, Binary) and a.op in _LEVELS[_COMPARE] and not self._parenthesised(a):
                raise DescError(self.text.at(t.line, t.col), "comparisons do not chain; use && or parentheses")
            a = Binary(p, t.s, a, b)

    def _parenthesised(self, node: Node) -> bool:
        return id(node) in self.__dict__.setdefault("_paren", set())

    def unary(self) -> Node:
        p = self.pos()
        for op in ("-", "~", "!"):
            if self.take(op):
                return Unary(p, op, self.unary())
        return self.postfix(self.primary())

    def primary(self) -> Node:
        t = self.toks[self.i]
        p = self.pos()
        if t.kind == "num":
            self.i += 1
            s = t.s.replace("_", "")
            if s[:2].lower() == "0b":
                return Num(p, int(s[2:], 2), len(s) - 2)
            return Num(p, int(s, 0) if s[:2].lower() == "0x" else int(s), None)
        if self.take("("):
            items = [self.expr()]
            while self.take(","):
                items.append(self.expr())
            self.want(")")
            if len(items) > 1:
                return TupleE(p, items)
            self.__dict__.setdefault("_paren", set()).add(id(items[0]))
            self.__dict__.setdefault("_keep", []).append(items[0])
            return items[0]
        if self.take("["):
            e = self.expr()
            self.want("for")
            var = self.name()
            self.want("in")
            n = self.expr()
            self.want("]")
            return Comp(p, e, var, n)
        if t.kind == "name" and (t.s == "if" or t.s == "match"):
            return self.expr()
        return Name(p, self.name())

    def postfix(self, e: Node) -> Node:
        while True:
            p = self.pos()
            if self.take("("):
                e = self.call(e, p)
            elif self.take("["):
                i = self.expr()
                if self.take(":"):
                    lo = self.expr()
                    self.want("]")
                    e = SliceE(p, e, i, lo)
                else:
                    self.want("]")
                    width = None
                    if isinstance(e, Attr) and isinstance(e.e, Name) and isinstance(e.name, Node):
                        e, width = e.e, e.name
                    elif isinstance(e, Attr) and isinstance(e.e, Name):
                        # `R.N[i]` and `s.field[i]` look alike; the checker knows which names are views
                        e, width = e.e, Name(e.pos, e.name)
                    e = Index(p, e, i, width)
            elif self.take("."):
                t = self.toks[self.i]
                if t.kind == "num":
                    self.i += 1
                    e = Attr(p, e, Num(p, int(t.s), None))
                elif self.take("("):
                    w = self.expr()
                    self.want(")")
                    e = Attr(p, e, w)
                else:
                    e = Attr(p, e, self.name())
            elif self.toks[self.i].kind == "name" and self.toks[self.i].s == "as":
                self.i += 1
                e = Cast(p, e, self.type())
            else:
                return e

    def call(self, fn: Node, p: tuple[Text, int, int]) -> Node:
        width: Node | None = None
        if isinstance(fn, Attr) and isinstance(fn.e, Name):
            width = fn.name if isinstance(fn.name, Node) else Name(fn.pos, fn.name)
            fn = fn.e
        if not isinstance(fn, Name):
            raise self.fail("only a name can be called")
        args: list[Node] = []
        kwargs: dict[str, Node] = {}
        while not self.peek(")"):
            t, n = self.toks[self.i], self.toks[min(self.i + 1, len(self.toks) - 1)]
            if t.kind == "name" and n.s == "=" and n.kind == "op":
                self.i += 2
                if t.s in kwargs:
                    raise self.fail(f"argument '{t.s}' given twice")
                kwargs[t.s] = self.expr()
            else:
                args.append(self.expr())
            if not self.take(","):
                break
        self.want(")")
        return Call(fn.pos, fn.name, width, args, kwargs)

    def type(self) -> TypeE:
        p = self.pos()
        name = self.name()
        args: list = []
        if name == "vec":
            self.want("(")
            args = [self.expr()]
            self.want(",")
            args.append(self.type())
            self.want(")")
        elif name in ("b", "f") and self.take("("):
            args = [self.expr()]
            self.want(")")
        return TypeE(p, name, args)

    # -- statements
    def block(self) -> list[Node]:
        self.want("{")
        out = self.statements("}")
        self.want("}")
        return out

    def statements(self, end: str) -> list[Node]:
        out: list[Node] = []
        self.newlines()
        while not (self.peek(end) if end else self.toks[self.i].kind == "end"):
            out.append(self.statement())
            t = self.toks[self.i]
            if not (t.kind in ("nl", "end") or self.peek(";") or (end and self.peek(end)) or self.toks[self.i - 1].s == "}"):
                raise self.fail(f"expected the end of the statement, found {t.s!r}")
            self.newlines()
        return out

    def statement(self) -> Node:
        p = self.pos()
        t = self.toks[self.i]
        if self.take("let"):
            names = [self.name()]
            while self.take(","):
                names.append(self.name())
            self.want("=")
            return Let(p, names, self.expr())
        if self.take("if"):
            hint = t2.s if (t2 := self.toks[self.i]).kind == "name" and t2.s in ("likely", "unlikely") else ""
            if hint:
                self.i += 1
            c = self.expr()
            then = self.block()
            save = self.i
            self.newlines()
            if self.take("else"):
                other = [self.statement()] if self.peek("if") else self.block()
            else:
                other, self.i = [], save
            return If(p, c, hint, then, other)
        if self.take("for"):
            var = self.name()
            self.want("in")
            lo = self.expr()
            self.want("..")
            hi = self.expr()
            return For(p, var, lo, hi, self.block())
        if self.peek("match"):
            self.want("match")
            e = self.binary(0)
            self.want("{")
            cases: list[tuple[list[Node] | None, list[Node]]] = []
            self.newlines()
            while not self.peek("}"):
                pats = self.patterns()
                cases.append((pats, self.block() if self.peek("{") else [self.statement()]))
                self.take(",")
                self.newlines()
            self.want("}")
            return MatchS(p, e, cases)
        if t.kind == "name" and t.s in ("commit", "restart", "done"):
            self.i += 1
            return Simple(p, t.s)
        if self.take("return"):
            e = self.expr()
            if self.peek(","):
                items = [e]
                while self.take(","):
                    items.append(self.expr())
                e = TupleE(p, items)
            return Return(p, e)
        lv = self.postfix(self.primary())
        for op in ("=", "|=", "&=", "^=", "+=", "-="):
            if self.take(op):
                self.newlines_after_operator()
                return Assign(p, lv, op[:-1], self.expr())
        if isinstance(lv, Call):
            return Do(p, lv)
        raise self.fail("expected a statement")

    def newlines_after_operator(self) -> None:
        while self.toks[self.i].kind == "nl":
            self.i += 1


_expr_cache: dict[tuple, Node] = {}
_body_cache: dict[tuple, list[Node]] = {}
_type_cache: dict[tuple, TypeE] = {}


def parse_expr(text: Text) -> Node:
    """The expression that is the whole of `text`. Trees are cached by place and must not be changed."""
    key = (text.s, text.file, text.line, text.col)
    node = _expr_cache.get(key)
    if node is None:
        p = Parser(text)
        p.newlines()
        node = p.shallow(p.expr)
        if p.peek(","):
            items = [node]
            while p.take(","):
                items.append(p.shallow(p.expr))
            node = TupleE(node.pos, items)
        p.newlines()
        if p.toks[p.i].kind != "end":
            raise p.fail(f"unexpected {p.toks[p.i].s!r} after the expression")
        _expr_cache[key] = node
    return node


def parse_type(text: Text) -> TypeE:
    """The type that `text` names, cached like expressions."""
    key = (text.s, text.file, text.line, text.col)
    node = _type_cache.get(key)
    if node is None:
        node = _type_cache[key] = Parser(text).type()
    return node


def parse_body(text: Text) -> list[Node]:
    """The statements of `text`; a def may also be a single expression: see `is_expression`."""
    key = (text.s, text.file, text.line, text.col)
    node = _body_cache.get(key)
    if node is None:
        p = Parser(text)
        node = _body_cache[key] = p.shallow(lambda: p.statements(""))
    return node


def is_expression(text: Text) -> bool:
    """True when a def's body is one expression rather than statements with `return`."""
    return _is_expression(text.s)


@cache
def _is_expression(s: str) -> bool:
    s = s.strip()
    if re.match(r"(if\b.*\bthen\b|match\b)", s, re.S):
        return not re.search(r"\breturn\b|\blet\b", s)
    return not re.match(r"(let|return|if|for|commit|restart|done)\b", s) and not re.search(r"(?m)^\s*[A-Za-z_][\w.\[\]]*\s*([|&^+-]?=)(?![=>])", s) and "\n" not in s
