"""YAML to a tree of texts that know their place. Refuses what would surprise in a description: duplicate keys, anchors,
tags, merge keys, empty values and unquoted expressions in flow maps. Knows nothing of the schema."""
from __future__ import annotations

from dataclasses import dataclass

import yaml

from .model import DescError, Text

Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass
class Scalar:
    where: Text                     # the text itself


@dataclass
class Seq:
    where: Text                     # empty text at the first character
    items: list[Node]


@dataclass
class Map:
    where: Text
    items: dict[str, tuple[Text, Node]]     # key -> the key with its place, the value


Node = Scalar | Seq | Map


def kind(node: Node) -> str:
    return {Scalar: "text", Seq: "a list", Map: "a map"}[type(node)]


def parse(path: str, content: str) -> Map:
    """The tree of one file, which must be a map. `path` is used in messages only."""
    try:
        return _Parser(path, content).document()
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise DescError(where, f"YAML: {e.problem or e.context}{_hint(e.problem or '')}") from None
    except yaml.YAMLError as e:     # a character that YAML does not allow
        raise DescError(path, f"YAML: {str(e).splitlines()[0]}") from None
    except RecursionError:
        raise DescError(path, "lists and maps are nested too deeply") from None


def read(path: str, where: Text | str) -> Map:
    """Reads and parses a file; `where` is the place that names it."""
    try:
        with open(path, encoding="utf-8") as f:
            content = f.read()
    except OSError as e:
        raise DescError(where, f"cannot read {path}: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise DescError(f"{path}:1:1", f"not UTF-8 at byte {e.start}") from None
    return parse(path, content)


def _hint(problem: str) -> str:
    quote = ("mapping values are not allowed" in problem or "expected ',' or" in problem
             or "cannot start any token" in problem or "parsing a" in problem or "unknown escape" in problem)
    return " (quote the text)" if quote else ""


class _Parser:
    def __init__(self, path: str, content: str) -> None:
        self.path = path
        self.content = content
        self.lines = content.split("\n")
        self.events = iter(yaml.parse(content, Loader=Loader))

    def document(self) -> Map:
        next(self.events)                                   # stream start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise DescError(f"{self.path}:1:1", "the file is empty")
        node = self.node(next(self.events), False)
        next(self.events)                                   # document end
        if not isinstance(more := next(self.events), yaml.StreamEndEvent):
            raise DescError(self.place(more), "a file holds one YAML document")
        if not isinstance(node, Map):
            raise DescError(node.where, f"a description file is a map, not {kind(node)}")
        return node

    def place(self, event: yaml.Event) -> Text:
        return Text("", self.path, event.start_mark.line + 1, event.start_mark.column + 1)

    def node(self, event: yaml.Event, flow: bool) -> Node:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise DescError(self.place(event), "anchors and aliases are not used in descriptions")
        if event.tag is not None:
            raise DescError(self.place(event), f"tag {event.tag}: every scalar is text, typed by the schema")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, flow)
        flow = bool(event.flow_style)
        return self.seq(event, flow) if isinstance(event, yaml.SequenceStartEvent) else self.map(event, flow)

    def scalar(self, event: yaml.ScalarEvent, flow: bool) -> Scalar:
        line, col = event.start_mark.line, event.start_mark.column
        if event.style in ("|", ">"):
            return Scalar(self.block(event))
        if event.style in ("'", '"'):
            return Scalar(Text(event.value, self.path, line + 1, col + 2))
        text = Text(event.value, self.path, line + 1, col + 1)
        if flow and not _balanced(event.value):
            raise DescError(text, f"quote the expression: YAML cut it at a comma and left {event.value!r}")
        return Scalar(text)

    def block(self, event: yaml.ScalarEvent) -> Text:
        """A block text; its lines lose their indentation, which messages about places in it add again."""
        line = event.start_mark.line
        head = self.lines[line][event.start_mark.column:].split("#")[0]
        if any(c.isdigit() for c in head):
            raise DescError(self.place(event), "a block text has no indentation indicator here: start it with text")
        indent = next((len(s) - len(s.lstrip(" ")) for s in self.lines[line + 1:] if s.strip()), 0)
        return Text(event.value, self.path, line + 2, indent + 1, indent)

    def seq(self, event: yaml.Event, flow: bool) -> Seq:
        where, items = self.place(event), []
        while not isinstance(e := next(self.events), yaml.SequenceEndEvent):
            items.append(self.value(e, "an entry of the list", flow))
        return Seq(where, items)

    def map(self, event: yaml.Event, flow: bool) -> Map:
        where, items = self.place(event), {}
        while not isinstance(e := next(self.events), yaml.MappingEndEvent):
            key = self.node(e, flow)
            if not isinstance(key, Scalar):
                raise DescError(key.where, f"a key is text, not {kind(key)}: quote text that starts with {{ or [")
            name = key.where.s
            if not e.style and name == "<<":
                raise DescError(key.where, "merge keys are not used in descriptions")
            if name in items:
                first = items[name][0]
                raise DescError(key.where, f'duplicate key "{name}" (first at line {first.line})')
            items[name] = (key.where, self.value(next(self.events), f'"{name}"', flow))
        return Map(where, items)

    def value(self, event: yaml.Event, what: str, flow: bool) -> Node:
        if isinstance(event, yaml.ScalarEvent) and not event.style and event.value == "" and event.tag is None:
            if flow:
                raise DescError(self.place(event), f"{what} has no value: quote expressions inside {{ }}")
            raise DescError(self.place(event), f'{what} has no value: write "" for an empty text')
        return self.node(event, flow)


def _balanced(s: str) -> bool:
    stack: list[str] = []
    for c in s:
        if c in "([{":
            stack.append(c)
        elif c in PAIRS and (not stack or stack.pop() != PAIRS[c]):
            return False
    return not stack
