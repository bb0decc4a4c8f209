"""What hot handlers need not compute each time. `direct`: leaves that jump to a fixed distance. `hoisted`: the one value of a
leaf that depends on its operands alone and is computed when it is decoded. Writes prepare.c, the decoder's last step."""
from __future__ import annotations

from .. import tir
from ..model import Isa
from ..tir import E, Meaning
from . import cexpr

_LEAVES = {"const", "field", "operand"}
_MOVING = {"pc", "next", "local", "slot", "reg", "reglane", "has", "raw"}


def fixed(e: E) -> bool:
    """Depends on the operands and nothing else."""
    return e.op not in _MOVING and all(fixed(x) for x in e.a)


def direct(m: Meaning) -> bool:
    """A hot leaf whose jumps all go to its own address plus a constant, and which ends in no other way."""
    jumps = []
    for s in tir.walk(m.body):
        if isinstance(s, tir.Jump):
            jumps.append(s)
        elif isinstance(s, (tir.End, tir.Restart)) or isinstance(s, tir.Eff) and s.kind in ("syswrite", "helper"):
            return False
    return bool(m.leaf and m.leaf.hot and jumps) and all(
        j.kind != "eret" and j.target.op == "add" and j.target.ty.bits == 64 and j.target.a[0].op in ("pc", "next")
        and fixed(j.target.a[1]) for j in jumps)


def work(e: E) -> int:
    return (e.op not in _LEAVES and e.op not in ("zext", "cast")) + sum(work(x) for x in e.a)


def candidates(e: E):
    """The largest fixed parts of an expression that are work."""
    if e.ty.kind == "b" and e.ty.bits <= 64 and fixed(e):
        if work(e):
            yield e
        return
    for x in e.a:
        yield from candidates(x)


def hoisted(m: Meaning) -> E | None:
    """What is computed at decoding, in a leaf that has any such work."""
    if not (m.leaf and m.leaf.hot) or any(isinstance(s, tir.Jump) for s in tir.walk(m.body)) and direct(m):
        return None
    found = [c for s in tir.walk(m.body) for e in tir.exprs(s) for c in candidates(e)]
    return max(found, key=work, default=None)


def files(isa: Isa, checked) -> dict[str, str]:
    from . import insn
    from .interp import Place
    place = Place(isa, insn.members(isa, checked))
    cases: dict[str, list[str]] = {}
    for m in checked.leaves:
        if e := hoisted(m):
            cases.setdefault(cexpr.render(e, place), []).append(f"{isa.name.upper()}_OP_{m.leaf.ident}")
    body = ["  insn->k = 0;"]
    if cases:
        body.append("  switch (insn->op) {")
        for text, ops in cases.items():
            body += [f"  case {op}:" for op in ops] + [f"    insn->k = (int64_t){text};", "    break;"]
        body.append("  }")
    unused = "" if any("d->" in text for text in cases) else "  (void)d;\n"
    return {"prepare.c": f"""/* Generated: values that hot leaves of {isa.name} take from their operands, computed at decoding. */
#include "{isa.name}/insn.h"
#include "{isa.name}/ops.h"
#include "core/bits.h"

void {isa.name}_prepare(struct insn *insn) {{
  const struct {isa.name}_insn *d = (const struct {isa.name}_insn *)insn;
{unused}""" + "\n".join(body) + "\n}\n"}
