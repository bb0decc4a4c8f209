"""Writes run.c: the interpreter's run loop of one ISA, specialised for its instruction unit and hot set."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Collection, Sequence

import jinja2

from ..expand import ident
from ..model import Leaf
from .prepare import direct, may_fail, writes

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
DISP_CALL, DISP_HOT = 1, 2          # as in runtime/interp/interp.h


class HotError(ValueError):
    """A hot list that names no leaf, or one leaf twice."""


def run_c(name: str, unit: int, leaves: Sequence[str], hot: Sequence[str], *, insn_header: str = "",
          hot_header: str = "", direct: Collection[str] = (), fused: Sequence[Pair] = (), suffix: str = "") -> str:
    """The text of run.c. `leaves` are C identifiers in leaf-number order (entry 0 is the invalid instruction), `hot`
    those among them that run inside the loop; their bodies `hi_<leaf>` come from `hot_header`. Those in `direct` jump to a fixed distance and give the target away
    (STEP_LINK, interp/handler.h). With suffix `_direct` the loop is for vCPUs whose memory is at identity."""
    if unit not in (1, 2, 4, 8):
        raise ValueError(f"{name}: instruction unit {unit} is not 1, 2, 4 or 8 bytes")
    known, seen = set(leaves[1:]), set()
    for leaf in hot:
        if leaf not in known:
            raise HotError(f"{name}: hot names `{leaf}`, which is no leaf")
        if leaf in seen:
            raise HotError(f"{name}: hot names `{leaf}` twice")
        seen.add(leaf)
    index = {leaf: DISP_HOT + i for i, leaf in enumerate(hot)}
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True,
                             undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return env.get_template("run.c.j2").render(
        name=name, unit=unit, shift=unit.bit_length() - 1, hot=list(hot), direct=set(direct) & seen, fused=list(fused), suffix=suffix,
        row=[0] + [index.get(leaf, DISP_CALL) for leaf in leaves[1:]],
        insn_header=insn_header or f"{name}/insn.h", hot_header=hot_header or f"{name}/interp_hot.h")


@dataclass(frozen=True)
class Pair:
    """A fused pair as the template sees it. `may_fail`: the first touches memory or may trap. `writes`: memory."""
    first: Leaf
    second: Leaf
    ident: str
    operand: str
    may_fail: bool
    writes: bool = False

    @property
    def call(self) -> str:
        if self.operand:
            return f"hs_{self.second.ident}__{ident(self.operand)}(v, INSN, value"
        return f"hi_{self.second.ident}(v, INSN"


def pairs(isa, checked) -> list[Pair]:
    meaning = {m.leaf.id: m for m in checked.leaves}
    return [Pair(f.first, f.second, f.ident, f.operand, may_fail(meaning[f.first.id]), writes(meaning[f.first.id])) for f in isa.fused]


def files(isa, checked) -> dict[str, str]:
    leaves = ["invalid"] + [leaf.ident for leaf in isa.leaves]
    text = {suffix: run_c(isa.name, isa.unit // 8, leaves, [leaf.ident for leaf in isa.leaves if leaf.hot], suffix=suffix,
                          direct={m.leaf.ident for m in checked.leaves if direct(m)}, fused=pairs(isa, checked))
            for suffix in ("", "_direct")}
    return {f"run{suffix}.c": t for suffix, t in text.items()}
