"""The ISA reference: reference.md for people, doc.c for `isomer isa doc`. One section per family, headed `### family`,
with the bit picture or forms, the texts, the meaning as described, and how its run-time conditions are lowered."""
from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from ..asmtext import PLACE, REG, VAL
from ..model import AsmAlt, Family, Isa, Leaf, Text
from .jinja import c_string, render


OWN = {"N", "mem", "lock", "G", "name"}         # columns that forms get from being multiplied out


def cell(s: str) -> str:
    """Text as code inside a table cell; nothing for an empty one."""
    return f"`{' '.join(s.split())}`".replace("|", "\\|") if s.strip() else ""


def one_line(s: str) -> str:
    """Statements of several lines as one; a line inside brackets goes on."""
    out, depth = "", 0
    for x in filter(None, map(str.strip, s.splitlines())):
        out += (" " if depth else "; ") * bool(out) + x
        depth += sum(map(x.count, "([")) - sum(map(x.count, ")]"))
    return out


def dedent(t: Text) -> str:
    return t.s.rstrip("\n")


@lru_cache
def source(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def remark(where: Text) -> str:
    """The comment behind a key, where descriptions cite the manual."""
    m = re.search(r"\s#\s*(.*)", source(where.file)[where.line - 1])
    return m[1].strip().rstrip(".") if m else ""


def opening(path: str) -> str:
    """The comment a file starts with."""
    lines = []
    for line in source(path):
        if not line.startswith("#"):
            break
        lines.append(line[1:].strip())
    return " ".join(lines)


def assembly(leaf: Leaf, alt: AsmAlt) -> str:
    """A template with names filled in and operands by their names: `ld rd, imm(rs1)`."""
    def fill(m: re.Match[str]) -> str:
        if m[1] is None:
            return m[0][0]
        s = m[1].strip()
        if s == "name":
            return leaf.row_name
        if s in leaf.axes:
            return leaf.axes[s][0]
        if s in leaf.columns:
            return PLACE.sub(fill, leaf.columns[s].s)
        if r := REG.fullmatch(s):
            return r[2] + (f"+{r[3]}" if r[3] else "")
        v = VAL.fullmatch(s)
        return v[1] if v else s
    return PLACE.sub(fill, alt.text.s)


def layout(leaf: Leaf) -> tuple:
    """Operand bits by position, high to low: None where no operand is."""
    at: list[tuple[str, int] | None] = [None] * leaf.length
    for f in leaf.fields.values():
        for p in f.pieces:
            for i in range(p.hi - p.lo + 1):
                at[p.pos + i] = (f.name, p.lo + i)
    return tuple(reversed(at))


def picture(leaves: list[Leaf]) -> str:
    """Two lines, bit numbers above names, of leaves with one layout; `*` where their fixed bits differ."""
    at, top = layout(leaves[0]), leaves[0].length - 1
    runs: list[tuple[int, int, str]] = []           # high bit, low bit, text
    pos = 0
    while pos <= top:
        end = pos + 1
        if at[pos] is None:
            while end <= top and at[end] is None:
                end += 1
            text = "".join(digit(leaves, top - i) for i in range(pos, end))
        else:
            name, hi = at[pos]
            while end <= top and at[end] == (name, hi - (end - pos)):
                end += 1
            lo = hi - (end - pos) + 1
            whole = leaves[0].fields[name].bits == end - pos
            text = name if whole else f"{name}[{hi}:{lo}]" if hi != lo else f"{name}[{hi}]"
        runs.append((top - pos, top - end + 1, text))
        pos = end
    heads = [f"{hi}:{lo}" if hi != lo else str(hi) for hi, lo, _ in runs]
    width = [max(len(h), len(t)) for h, (_, _, t) in zip(heads, runs)]
    return "\n".join("  ".join(s.ljust(w) for s, w in zip(line, width)).rstrip()
                     for line in (heads, [t for _, _, t in runs]))


def digit(leaves: list[Leaf], bit: int) -> str:
    seen = {("-" if not leaf.should >> bit & 1 else "1") if not leaf.mask >> bit & 1 else str(leaf.value >> bit & 1)
            for leaf in leaves}
    return seen.pop() if len(seen) == 1 else "*"


def pictures(leaves: list[Leaf]) -> list[str]:
    by: dict[tuple, list[Leaf]] = {}
    for leaf in leaves:
        by.setdefault((leaf.length, layout(leaf)), []).append(leaf)
    return [picture(same) for same in by.values()]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table without the columns that are empty in every row."""
    keep = [i for i in range(len(head)) if any(r[i] for r in rows)]
    lines = [[head[i] for i in keep], ["---" for _ in keep], *([r[i] for i in keep] for r in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def instructions(leaves: list[Leaf]) -> str:
    """One row per instruction of a family with bit pictures."""
    columns = list(dict.fromkeys(c for leaf in leaves for c in leaf.columns if c != "name"))
    shared = set.intersection(*(set(leaf.requires) for leaf in leaves))
    rows = []
    for leaf in leaves:
        n = leaf.length // 4
        texts = " or ".join(cell(assembly(leaf, a)) for a in leaf.asm)
        needs = " ".join(f for f in leaf.requires if f not in shared)
        rows.append([cell(leaf.name), texts, f"`{leaf.mask:0{n}x}`", f"`{leaf.value:0{n}x}`", needs,
                     *(cell(leaf.columns[c].s) if c in leaf.columns else "" for c in columns)])
    return table(["instruction", "assembly", "mask", "value", "needs", *columns], rows)


def forms(leaves: list[Leaf]) -> str:
    """One row per form as written: operand codes, sizes, memory or register, attributes."""
    rows = []
    for _, same in groupby(leaves, key=lambda leaf: (leaf.form.where.line, leaf.form.where.s)):
        group = list(same)
        first = group[0].form
        sizes = sorted({leaf.form.n for leaf in group if leaf.form.n})
        modes = sorted({leaf.form.mode for leaf in group if leaf.form.mode})
        operands = ", ".join(":".join([o.code, *o.attrs]) for o in first.operands)
        attrs = " ".join(f"{k}:{v}" if v else k for k, v in first.attrs.items())
        row = [cell(first.where.s), cell(operands), " ".join(map(str, sizes)), " ".join(modes), cell(attrs),
               " ".join(dict.fromkeys(f for leaf in group for f in leaf.requires))]
        if row not in rows:
            rows.append(row)
    return table(["form", "operands", "bits", "operand a", "attributes", "needs"], rows)


def form_names(leaves: list[Leaf]) -> str:
    """The mnemonics of a family with forms and the columns that tell them apart."""
    columns = list(dict.fromkeys(c for leaf in leaves for c in leaf.columns if c not in OWN))
    rows = {leaf.row_name: [cell(leaf.row_name), *(cell(leaf.columns[c].s) if c in leaf.columns else "" for c in columns)]
            for leaf in leaves}
    return table(["instruction", *columns], list(rows.values()))


def lowering(leaves: list[Leaf], notes: dict[str, list[str]]) -> list[str]:
    """How run-time conditions become IR, one line per way."""
    by: dict[str, list[str]] = {}
    for leaf in leaves:
        for note in notes.get(leaf.name, []):
            by.setdefault(note, []).append(leaf.name)
    out = []
    for note, names in by.items():
        few = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        out.append(note if len(names) == len(leaves) else f"{note} ({few})")
    return out


def family(isa: Isa, f: Family, leaves: list[Leaf], notes: dict[str, list[str]]) -> dict[str, object]:
    first = leaves[0]
    shared = [n for n in first.requires if all(n in leaf.requires for leaf in leaves)]
    names = {leaf.name for leaf in leaves}
    conditions = list(dict.fromkeys([f"reserved when {cell(t.s)}" for leaf in leaves for t in leaf.reserved]
                                    + [f"unpredictable when {cell(u.when.s)}: {u.then}" for leaf in leaves
                                       for u in leaf.unpredictable]))
    return {"name": f.name, "where": f"{f.where.file}:{f.where.line}", "ref": f.ref or remark(f.where), "note": f.note, "partial": f.partial,
            "needs": shared, "pictures": [] if first.form else pictures(leaves),
            "table": forms(leaves) if first.form else instructions(leaves),
            "names": form_names(leaves) if first.form and (len({x.row_name for x in leaves}) > 1 or first.columns.keys() - OWN)
            else "",
            "lets": {n: t.s for n, t in first.lets.items()}, "operands": {n: t.s for n, t in first.operands.items()},
            "conditions": conditions, "meaning": dedent(f.do) if f.do else f"is {dedent(f.is_)}",
            "overrides": list(dict.fromkeys(n for leaf in leaves for n in leaf.overrides)), "weak": first.weak,
            "aliases": [(a.name, a.text.s, a.when.s if a.when else "") for a in isa.aliases
                        if a.of in names or a.of == f.name],
            "lowering": lowering(leaves, notes)}


def view_row(name: str, v) -> list[str]:
    at = "; ".join(f"{k} is {t.s}" for k, t in v.at.items())
    needs = v.needs.s if v.needs else ""
    return [cell(name), cell(v.file or v.of or ""), *(cell(t.s) if t else "" for t in (v.type, v.read, v.write)), cell(at),
            cell(needs), cell(v.dirties or "")]


def sysreg_row(r) -> list[str]:
    fields = " ".join(f"{f.name}[{f.hi}:{f.lo}]" if f.hi != f.lo else f"{f.name}[{f.lo}]" for f in r.fields.values())
    mask = f"{r.mask:#x}" if r.mask is not None else ""
    code = [cell(t.s) if t else "" for t in (r.access, r.read, r.write)]
    return [f"`{r.num:#x}`", cell(r.name), cell(fields), cell(f"{r.reset:#x}") if r.reset else "", cell(mask), *code,
            " ".join(r.requires), r.note.replace("|", "\\|")]


def machine(isa: Isa) -> dict[str, str]:
    """The tables about the processor itself."""
    files = [[cell(f.name), str(f.n), str(f.width), f.kind, str(f.zero) if f.zero is not None else "", cell(" ".join(f.names))]
             for f in isa.files.values()]
    slots = [[cell(s.name), str(s.width), s.kind, f"{s.reset:#x}" if s.reset else "",
              "translation" if s.name in isa.context else ""] for s in isa.slots.values() if not s.sysreg]
    helpers = [[cell(h.name), *(cell(", ".join(f"{n}: {t}" for n, t in x)) for x in (h.args, h.returns)),
                cell(" ".join(h.reads)), cell(" ".join(h.writes)), h.ends, h.oracle.replace("|", "\\|")]
               for h in isa.helpers.values()]
    defs = [[cell(d.name if d.params is None else f"{d.name}({', '.join(d.params)})"),
             cell(one_line(d.body.s))] for d in isa.defs.values()]
    return {
        "features": table(["feature", "bit", "by default", "is"],
                          [[cell(f.name), str(i), "on" if f.default else "off", f.text]
                           for i, f in enumerate(isa.features.values())]) if isa.features else "",
        "files": table(["file", "registers", "bits", "kind", "reads as zero", "names"], files) if files else "",
        "slots": table(["slot", "bits", "kind", "reset", "known at"], slots) if slots else "",
        "views": table(["view", "of", "type", "read", "write", "except", "needs", "dirties"],
                       [view_row(n, v) for n, v in isa.views.items()]) if isa.views else "",
        "sysregs": table(["number", "name", "fields", "reset", "writable", "traps when", "read", "write", "needs", "note"],
                         [sysreg_row(r) for r in sorted(isa.sysregs.values(), key=lambda r: r.num)]) if isa.sysregs else "",
        "traps": table(["trap", "code", "arguments"], [[cell(t.name), str(t.code), str(t.args)] for t in isa.traps.values()])
        if isa.traps else "",
        "helpers": table(["helper", "arguments", "results", "reads", "writes", "ends", "oracle"], helpers) if helpers else "",
        "defs": table(["definition", "is"], defs) if defs else "",
    }


def reference(isa: Isa, lifted: str) -> str:
    """The text of reference.md; `lifted` is the lifter's report, one `leaf: how` per line."""
    notes: dict[str, list[str]] = {}
    for line in lifted.splitlines():
        name, _, how = line.partition(": ")
        notes.setdefault(name, []).append(how)
    leaves: dict[str, list[Leaf]] = {}
    for leaf in isa.leaves:
        leaves.setdefault(leaf.family.name, []).append(leaf)
    parts = [(path, opening(path), [family(isa, f, leaves[f.name], notes) for f in group])
             for path, group in groupby(isa.families.values(), key=lambda f: f.where.file)]
    return render("reference.md.j2", isa=isa, parts=parts, **machine(isa))


def files(isa: Isa, lifted: str) -> dict[str, str]:
    text = reference(isa, lifted)
    rows = "\n".join("    " + c_string(line)[:-1] + '\\n"' for line in text.splitlines())
    c = (f"/* Generated: the reference of {isa.name}, as `isomer isa doc` prints it. */\n#include \"core/isa.h\"\n\n"
         f"extern const char {isa.name}_doc[];\nconst char {isa.name}_doc[] =\n{rows};\n")
    return {"reference.md": text, "doc.c": c}
