"""The reference page of the description language names what the compiler knows, and nothing else."""
from __future__ import annotations

import re

from toy import ROOT

from gen import builtins, effects, expand, forms, load

PAGE = (ROOT / "docs/description-language.md").read_text()


def rows() -> dict[str, str]:
    """The table of built-in functions: kind -> functions."""
    table = PAGE[PAGE.index("Built-in functions:"):PAGE.index("## 5.")]
    return {m[1]: m[2] for m in re.finditer(r"^\| (\w+) \| (.*) \|$", table, re.M) if m[1] != "kind"}


def named(text: str) -> set[str]:
    """Functions in code spans, with or without their arguments."""
    spans = re.findall(r"`([^`]*)`", text)
    calls = {m for span in spans for m in re.findall(r"(?<![\w.])([a-z_][a-z0-9_]*)(?=\(|\.\w+\()", span)}
    return calls | {span for span in spans if re.fullmatch("[a-z_]+", span)}


def test_built_in_functions() -> None:
    known = builtins.TABLE.keys() | builtins.TYPED.keys() | effects.TABLE.keys()
    plain = {"bN", "op"}
    page = {name for text in rows().values() for name in named(re.sub(r"with op `[^`]*`", "", text))}
    assert page - plain == known


def test_operations() -> None:
    rmw = re.search(r"with op `([^`]*)`", PAGE[PAGE.index("`rmw.W("):])
    reduce = re.search(r"`reduce\(op, v\)` with op `([^`]*)`", PAGE)
    assert rmw and set(rmw[1].split()) == effects.RMW
    assert reduce and set(reduce[1].split()) == {"add", "and", "or", "xor", "mul"} | builtins._MINMAX.keys()
    assert all(f"{word}" in re.findall(r"\w+", PAGE) for word in effects.WORDS)


def test_keys() -> None:
    """Keys of `isa:` and of families, attributes of forms."""
    head = PAGE[PAGE.index("Keys of `isa:`"):PAGE.index("## 2.")]
    assert set(re.findall(r"^  (\w+):", head, re.M)) == set(load.ISA_KEYS.split())
    families = re.search(r"^Keys of a family: (.*?)\. Either", PAGE, re.M | re.S)
    assert families and set(re.findall(r"`(\w+)`", families[1])) == set(expand.FAMILY_KEYS.split())
    section = PAGE[PAGE.index("## 6."):PAGE.index("## 7.")]
    spans = {w for span in re.findall(r"`([^`]*)`", section) for w in re.findall(r"[A-Za-z]+\d*", span)}
    assert forms.ATTRIBUTES <= spans
