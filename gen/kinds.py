"""What the checker computes with besides typed expressions: records, tuples, spliced trees, the value of a path that ends."""
from __future__ import annotations

from dataclasses import dataclass

from .model import DescError, Text
from .syntax import Node


@dataclass
class Struct:
    """A compile-time record: flag bundles, results with several parts."""
    name: str
    parts: dict[str, "Value"]


@dataclass
class Tup:
    items: list


@dataclass
class Tree:
    """A column or `let`, spliced where it is used; with `scopes` set, an argument evaluated where it was written, as
    often as it is used, because its width comes from the use."""
    text: Text
    node: Node
    scopes: list | None = None


Value = object
NEVER = object()        # the value of an expression that always traps


class NeedWidth(Exception):
    """A bare sext/zext/trunc met no context that gives its width."""

    def __init__(self, node: Node) -> None:
        self.node = node


def fail(node: Node, message: str) -> DescError:
    text, line, col = node.pos
    return DescError(text.at(line, col), message)
