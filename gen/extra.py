"""Checks `extra`, the data of a prefix scanner, before anything is made from it: sections and members that are needed, names of
views, numbers. Knows what the members are, not what they mean (operands.py, forms.py, backends/scanner.py)."""
from __future__ import annotations

import re

from .model import DescError, Isa, Text

# Members of `address`: views, numbers, names.
ADDRESS = {"view": "view", "narrow": "view", "bases": "view", "none": "number", "pc": "number", "high_byte": "number",
           "stack": "number", "source": "number", "dest": "number", "pc_name": "name", "narrow_pc_name": "name"}
# Sections: kind of the keys and of the values.
SECTIONS = {"sizes": ("number", "view"), "vectors": ("number", "view"), "segments": ("hex", "number"),
            "segment_names": ("number", "name"), "pointers": ("number", "name")}
NEEDED = ("address", "segments", "segment_names", "pointers")
# Words of an operand code behind its place.
CODES = {"rm": ("view",), "reg": ("view",), "vvvv": ("view",), "low": ("view",), "moffs": ("view",), "fixed": ("view", "number"),
         "imm": ("zext|sext", "width"), "mem": ("width",), "source": ("width",), "dest": ("width",), "rel": (), "one": ()}


def word(isa: Isa, kind: str, s: str, where: Text, what: str) -> None:
    """`s` is of that kind; `G` and `N` stand for the operand size's view and width."""
    wrong = {"view": s not in isa.views, "width": s != "N" and not re.fullmatch("[0-9]{1,4}", s), "zext|sext": s not in ("zext", "sext"),
             "number": not re.fullmatch("[0-9]{1,9}", s), "hex": not re.fullmatch("[0-9A-Fa-f]{1,2}", s),
             "name": not re.fullmatch(r"[A-Za-z_]\w*", s)}
    if wrong[kind]:
        said = {"view": "no view", "width": "no width", "zext|sext": "zext or sext, not", "number": "no number", "hex": "no byte in hexadecimal",
                "name": "no name"}[kind]
        raise DescError(where, f'{what}: {said} "{s}"')


def code(isa: Isa, name: str, t: Text) -> None:
    place, *rest = t.s.split() or [""]
    what = f'operand code "{name}"'
    if place not in CODES:
        raise DescError(t, f"{what}: a place is needed ({' '.join(sorted(CODES))})")
    if len(rest) < len(CODES[place]):
        raise DescError(t, f"{what}: {place} is followed by {' '.join(CODES[place])}")
    for kind, s in zip(CODES[place], rest):
        if not (kind == "view" and s == "G"):
            word(isa, kind, s, t, what)


def check(isa: Isa) -> None:
    if isa.scanner != "prefix":
        return
    for section in NEEDED:
        if section not in isa.extra:
            raise DescError(isa.where, f'a prefix scanner needs "extra: {section}"')
    for section, (key_kind, value_kind) in SECTIONS.items():
        for key, t in isa.extra.get(section, {}).items():
            word(isa, key_kind, key, t, f"extra: {section}")
            word(isa, value_kind, t.s, t, f"extra: {section}: {key}")
    address = isa.extra["address"]
    for key, kind in ADDRESS.items():
        if key not in address:
            raise DescError(isa.where, f'"extra: address" lacks "{key}"')
        word(isa, kind, address[key].s, address[key], f"extra: address: {key}")
    for name, t in isa.extra.get("codes", {}).items():
        code(isa, name, t)
