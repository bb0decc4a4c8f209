"""struct ir_guest: where slots lie, which condition flags each leaf reads and writes, what the builder and the translator need
to know of an ISA."""
from __future__ import annotations

from .. import tir
from ..model import Isa
from ..tir import Checked, E, Meaning


def sticky(isa: Isa) -> str | None:
    """The slot of sticky FP flags that IR operations record by themselves."""
    first = next(iter(isa.fp.values()), None)
    name = first["sticky"].s if first is not None and "sticky" in first else None
    return name if name in isa.slots else None


def flags_of(isa: Isa) -> list[str]:
    return [s.name for s in isa.slots.values() if s.kind == "flag"]


def flag_use(isa: Isa, m: Meaning) -> tuple[int, int, bool]:
    """Condition flags that are read, those certainly written, and whether the instruction may leave before its end."""
    bit = {name: 1 << i for i, name in enumerate(flags_of(isa))}
    reads, leaves = 0, False

    def see(e: E) -> int:
        return (bit.get(e.k, 0) if e.op == "slot" else 0) | _any(see(x) for x in e.a)
    for s in tir.walk(m.body):
        for e in tir.exprs(s):
            reads |= see(e)
        if isinstance(s, (tir.Trap, tir.Commit, tir.Restart, tir.Done)) or isinstance(s, tir.Eff) and s.kind not in ("fp", "fence"):
            leaves = True
    writes = _any(bit.get(s.slot, 0) for s in m.body if isinstance(s, tir.SetSlot))
    return reads, writes, leaves


def _any(sets) -> int:
    out = 0
    for x in sets:
        out |= x
    return out


def slot_rows(isa: Isa) -> list[str]:
    struct, flags = f"struct {isa.name}_vcpu", flags_of(isa)
    rows = []
    for f in isa.files.values():
        size = f.width // 8 if f.width > 64 else 8
        rows += [f"{{offsetof({struct}, {f.name}[{i}]), {f.width}, {size}, 0, {str(i == f.zero).lower()}}}" for i in range(f.n)]
    for s in isa.slots.values():
        size = next((k for k in (1, 2, 4, 8) if s.width <= 8 * k), 16)
        rows.append(f"{{offsetof({struct}, {s.name}), {s.width}, {size}, {flags.index(s.name) + 1 if s.name in flags else 0}, false}}")
    return rows


def guest(isa: Isa, checked: Checked) -> str:
    """struct ir_guest with its tables."""
    n, up = isa.name, isa.name.upper()
    leaf = [[0, 0, False, True]] + [[*flag_use(isa, m), m.ends] for m in checked.leaves]
    hot = []
    for name in isa.hot_registers:
        hot += [f"{up}_SLOT_{name} + {i}" for i in range(isa.files[name].n)] if name in isa.files else [f"{up}_SLOT_{name}"]
    st = sticky(isa)
    rows = [f"    {{{r:#x}, {w:#x}, {str(x).lower()}, {str(e).lower()}}}," for r, w, x, e in leaf]
    return ("static const struct ir_slot_info slots[] = {\n" + "".join(f"    {r},\n" for r in slot_rows(isa)) + "};\n"
            "static const struct ir_leaf leaves[] = {\n" + "\n".join(rows) + "\n};\n"
            f"static const uint16_t hot[] = {{\n" + "".join(f"    {h},\n" for h in hot) + "    0};\n\n"
            f"extern const struct ir_guest {n}_guest;\nconst struct ir_guest {n}_guest = {{\n    .isa = &isa_{n},\n    .nslots = {up}_SLOTS,\n"
            f"    .slots = slots,\n    .lift = {n}_lift,\n    .leaf = leaves,\n    .sticky = {f'{up}_SLOT_{st}' if st else '-1'},\n"
            f"    .sticky_bit = {{0, 1, 2, 3, 4, 255}},\n    .hot = hot,\n    .nhot = {len(hot)},\n}};\n")
