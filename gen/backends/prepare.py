"""What hot handlers need not compute each time. `direct`: leaves that jump to a fixed distance. `hoisted`: the one value of a
leaf that depends on its operands alone and is computed when it is decoded. Writes prepare.c, the decoder's last step."""
from __future__ import annotations

from .. import tir
from ..model import DescError, Isa
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


def may_fail(m: Meaning) -> bool:
    """Anything but arithmetic on registers: the next instruction may not be reached, or not be what it was."""
    return any(isinstance(s, (tir.Eff, tir.Trap, tir.Jump, tir.End, tir.Restart, tir.Done)) for s in tir.walk(m.body))


def writes(m: Meaning) -> bool:
    """Memory, the next instruction perhaps included."""
    return any(isinstance(s, tir.Eff) and s.kind not in ("load", "fence", "probe", "fp", "sysread") for s in tir.walk(m.body))


def operand(e: E) -> str | None:
    """The operand that an index is."""
    while e.op == "zext":
        e = e.a[0]
    return str(e.k) if e.op in ("field", "operand") else None


def result(m: Meaning) -> tir.SetReg:
    """The one register that a leaf writes, whole and always, named by an operand."""
    writes = [s for s in tir.walk(m.body) if isinstance(s, tir.SetReg)]
    if len(writes) == 1 and writes[0] in m.body and operand(writes[0].index) and not writes[0].keep \
            and not writes[0].lo and writes[0].e.ty.kind == "b" and writes[0].e.ty.bits <= 64:
        return writes[0]
    raise DescError(m.leaf.where, f"fused: {m.leaf.name} does not write one register, whole and always, that an operand names")


def check(isa: Isa, meaning: dict[int, Meaning]) -> None:
    for f in isa.fused:
        first, second = meaning[f.first.id], meaning[f.second.id]
        if any(isinstance(s, (tir.Jump, tir.End, tir.Restart)) or isinstance(s, tir.Eff) and s.kind in ("helper", "syswrite")
               for s in tir.walk(first.body)):
            raise DescError(f.where, f"fused: {f.first.name} may leave the straight line")
        if f.operand:
            file = result(first).file
            if not any(e.op == "reg" and e.k == file and operand(e.a[0]) == f.operand
                       for s in tir.walk(second.body) for x in tir.exprs(s) for e in parts(x)):
                raise DescError(f.where, f"fused: {f.second.name} does not read {file} at {f.operand}")


def parts(e: E):
    yield e
    for x in e.a:
        yield from parts(x)


def fuse_c(isa: Isa, checked, members, first_index: int) -> str:
    """<isa>_fuse: the dispatch index of two instructions that follow each other, 0 when they stay alone."""
    meaning = {m.leaf.id: m for m in checked.leaves}
    check(isa, meaning)
    lines = []
    by_first: dict[int, list[tuple[int, object]]] = {}
    for n, f in enumerate(isa.fused):
        by_first.setdefault(f.first.id, []).append((first_index + n, f))
    op = f"{isa.name.upper()}_OP_"
    for items in by_first.values():
        lines.append(f"  case {op}{items[0][1].first.ident}:")
        for n, f in sorted(items, key=lambda x: not x[1].operand):
            test = f"b->op == {op}{f.second.ident}"
            if f.operand:
                w = result(meaning[f.first.id])
                to, zero = members[operand(w.index)].ident, isa.files[w.file].zero
                test += f" && s->{members[f.operand].ident} == d->{to}" + (f" && d->{to} != {zero}" if zero is not None else "")
            lines.append(f"    if ({test}) return {n};")
        lines.append("    break;")
    body = "  switch (a->op) {\n" + "\n".join(lines) + "\n  }\n" if lines else ""
    used = any("s->" in x for x in lines)
    cast = f"(const struct {isa.name}_insn *)"
    head = f"  const struct {isa.name}_insn *d = {cast}a, *s = {cast}b;\n" if used else ""
    return (f"\nunsigned {isa.name}_fuse(const struct insn *a, const struct insn *b) {{\n{head}"
            + ("" if lines else "  (void)a, (void)b;\n") + body + "  return 0;\n}\n")


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
{unused}""" + "\n".join(body) + "\n}\n" + fuse_c(isa, checked, insn.members(isa, checked), 2 + sum(leaf.hot for leaf in isa.leaves))}
