"""The back ends. Each module has `files(isa, checked) -> {name: text}`."""
from __future__ import annotations

from pathlib import PurePath

from ..model import DescError, Isa


def names(isa: Isa) -> list[str]:
    """What `everything` will write, from the loaded model alone."""
    from ..expand import ident
    stems = sorted({ident(PurePath(leaf.where.file).stem) for leaf in isa.leaves})
    out = ["state.h", "insn.h", "ops.h", "interp_hot.h", "tables.c", "exec.c", "prepare.c", "run.c", "run_direct.c", "lift.h", "lift.c", "lift.txt", "reference.md", "doc.c"]
    out += ["oracle.py", "vectors.json", "fuzz.dict"]
    out += [f"{kind}_{s}.c" for kind in ("interp", "lift") for s in stems]
    out += ["decode.c", "asm.c"] if isa.scanner == "tree" else ["decode.re", "asm.c"]
    if isa.sysregs:
        out.append("sysreg.c")
    return out


def everything(isa: Isa, checked) -> dict[str, str]:
    """All generated files: name to text."""
    from . import asm, decoder, doc, formtext, fuzzdict, insn, interp, lift, oracle, prepare, run, scanner, state, vectors
    out: dict[str, str] = {}
    for backend in (insn, state, interp, prepare, decoder, asm, run, lift, scanner, formtext, oracle, vectors, fuzzdict):
        try:
            out |= backend.files(isa, checked)
        except RecursionError:
            raise DescError(isa.where, "an expression is nested too deeply to be written") from None
    return out | doc.files(isa, out["lift.txt"])
