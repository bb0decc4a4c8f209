"""The vCPU's layout (state.h), system registers (sysreg.c) and the tables behind struct isa (tables.c)."""
from __future__ import annotations

from ..expand import ident
from ..model import Isa
from ..tir import Checked
from .interp import PREAMBLE, Place, Writer, reg_ctype, slot_ctype
from .jinja import c_string, render

KIND = {"general": "REG_GENERAL", "float": "REG_FLOAT", "vector": "REG_VECTOR", "flag": "REG_FLAG", "system": "REG_SYSTEM",
        "internal": "REG_INTERNAL"}


def member(isa: Isa, name: str) -> tuple[str, str]:
    """C type and declarator of a file or slot."""
    if name in isa.files:
        f = isa.files[name]
        return ("uint64_t" if f.width <= 64 else reg_ctype(f.width)), f"{name}[{f.n}]"
    return slot_ctype(isa.slots[name].width), name


def members(isa: Isa) -> list[tuple[str, str]]:
    hot = [n for n in isa.hot_registers]
    rest = [n for n in [*isa.files, *isa.slots] if n not in hot]
    rest.sort(key=lambda n: -(isa.files[n].width if n in isa.files else isa.slots[n].width))
    return [member(isa, n) for n in hot + rest]


def registers(isa: Isa) -> list[tuple[str, str, int, str, str]]:
    """(name, member, bits, kind, whether it always reads as zero) of everything a debugger may name."""
    out = []
    for f in isa.files.values():
        for i in range(f.n):
            name = f.names[i] if i < len(f.names) else f"{f.name}{i}"
            out.append((name, f"{f.name}[{i}]", f.width, KIND[f.kind], str(i == f.zero).lower()))
    for s in isa.slots.values():
        out.append((s.name, s.name, s.width, KIND["system" if s.sysreg else s.kind], "false"))
    return out


def slots(isa: Isa) -> list[tuple[str, int]]:
    """(name, first id): every register of every file and every slot has one number, the only name the IR knows."""
    out, n = [], 0
    for f in isa.files.values():
        out.append((f.name, n))
        n += f.n
    for s in isa.slots.values():
        out.append((s.name, n))
        n += 1
    return out + [("S", n)]


class Pool:
    def __init__(self) -> None:
        self.at: dict[str, int] = {"": 0}
        self.size = 1

    def of(self, s: str) -> int:
        if s not in self.at:
            self.at[s] = self.size
            self.size += len(s.encode()) + 1
        return self.at[s]

    def text(self) -> list[str]:
        return [c_string(s)[:-1] + '\\0"' for s in self.at]


def leaf_rows(isa: Isa, checked: Checked, pool: Pool) -> list[str]:
    features = list(isa.features)
    rows = []
    for m in checked.leaves:
        leaf = m.leaf
        flags = " | ".join([f for f, on in (("INSN_ENDS", m.ends), ("INSN_EFFECT", m.memory)) if on]) or "0"
        need = sum(1 << features.index(f) for f in leaf.requires)
        mnemonic = leaf.asm[0].text.s.split()[0] if leaf.asm and leaf.asm[0].text.s.split() else leaf.row_name
        for col, text in {**{k: t.s for k, t in leaf.columns.items()}, "name": leaf.row_name,
                          **{a: k for a, (k, _) in leaf.axes.items()}}.items():
            mnemonic = mnemonic.replace("{" + col + "}", text)
        rows.append(f"{{{pool.of(leaf.name)}, {pool.of(leaf.family.name)}, {pool.of(mnemonic)}, {pool.of(leaf.where.file)}, "
                    f"{min(leaf.where.line, 65535)}, {flags}, {need:#x}}}")
    return rows


def sysreg_c(isa: Isa, checked: Checked) -> str:
    place = Place(isa, {})
    parts = []
    kinds = ("read", "write")
    for name, reg in isa.sysregs.items():
        for kind, m in zip(kinds, (checked.reads[name], checked.writes[name])):
            w = Writer(isa, place, m)
            param = "uint64_t *out" if kind == "read" else "uint64_t v_"
            tail = f"*out = {w.x(m.result)};" if kind == "read" else None
            text = w.function(f"static int {kind}_{ident(name)}(struct vcpu *vcpu, {param})", tail)
            head, body = text.split("\n", 1)
            lead = [f"  struct {isa.name}_vcpu *v = (struct {isa.name}_vcpu *)vcpu;", "  (void)v;"]
            if kind == "write":
                lead.append("  (void)v_;")
            parts.append(f"/* {reg.where.file}:{reg.where.line} {name} */\n{head}\n" + "\n".join(lead) + f"\n{body}\n")
    w = Writer(isa, place, checked.undefined)
    text = w.function("static int undefined(struct vcpu *vcpu)")
    if "v->" in text:
        head, body = text.split("\n", 1)
        text = f"{head}\n  struct {isa.name}_vcpu *v = (struct {isa.name}_vcpu *)vcpu;\n{body}"
    parts.append(text + "\n")
    rows = [(reg.num, ident(name)) for name, reg in isa.sysregs.items()]
    return render("sysreg.c.j2", isa=isa, preamble=PREAMBLE, parts=parts, rows=rows)


def files(isa: Isa, checked: Checked) -> dict[str, str]:
    pool = Pool()
    rows = leaf_rows(isa, checked, pool)
    helper_types = {"b": lambda n: "uint64_t" if n <= 64 else "u128"}

    def ctype(t: str) -> str:
        return helper_types["b"](int(t[1:]))
    helpers = [f"int {isa.name}_h_{h.name}(" + ", ".join(
        ["struct vcpu *v"] + [f"{ctype(t)} {p}" for p, t in h.args] + [f"{ctype(t)} *{p}" for p, t in h.returns]) + ");"
        for h in isa.helpers.values()]
    out = {"state.h": render("state.h.j2", isa=isa, members=members(isa), helpers=helpers, slots=slots(isa)),
           "tables.c": render("tables.c.j2", isa=isa, rows=rows, pool=pool.text(), registers=registers(isa), c_string=c_string,
                              default_features=sum(1 << i for i, f in enumerate(isa.features.values()) if f.default),
                              resets=[s for s in isa.slots.values() if s.reset])}
    if isa.sysregs:
        out["sysreg.c"] = sysreg_c(isa, checked)
    return out
