"""Writes the C of a host's lowering rules: encoders of the instructions that they name, the pieces of code as inline
functions, the table of rules. And the same rules as Python data, for the test that executes their meanings."""
from __future__ import annotations

import argparse
import pprint
import sys
from pathlib import Path

from . import operands
from .backends import scanner
from .backends.formtext import PREFIX
from .forms import by_w, multiplied
from .host import FAR, FLAGS, HOW, TYPES, VECTORS, Arg, Host, Insn, Label, Piece, Rule, load
from .model import DescError, Leaf

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = ["host.h", "host_rules.c", "host_rules.py"]


def static(host: Host, leaf: Leaf) -> dict[str, int]:
    """The bits of an encoding that do not depend on operands."""
    isa, f = host.isa, leaf.form
    sized = not f.vex and multiplied(isa, f) and "f64" not in f.attrs
    prefix = PREFIX.get(f.prefix, 0)
    if sized and f.n == 16 and not by_w(f):
        prefix = 0x66
    return {"prefix": prefix, "w": int(f.w == 1 or bool(sized and f.n == 64 and "d64" not in f.attrs)), "vex": int(bool(f.vex)),
            "l": int(f.vex != "" and f.n == 256), "map": scanner.MAPS[f.map], "lock": int("lock" in f.attrs)}


class Writer:
    """C of one run of instructions. `name` turns a rule's operand into C."""

    def __init__(self, host: Host, name) -> None:
        self.host, self.name = host, name
        self.out: list[str] = []
        self.jumps: list[tuple[str, int]] = []

    def reg(self, a: Arg) -> str:
        if a.vector:
            return f"({self.name(a.name)} - {VECTORS})" if a.name else str(a.fixed - VECTORS)
        return self.name(a.name) if a.name else str(a.fixed)

    def imm(self, a: Arg) -> str:
        return f"{a.value:#x}" if a.value is not None and not a.name else f"({a.value})" if a.value is not None else self.name(a.name)

    def insn(self, i: Insn) -> None:
        if i.short is None:
            self.one(i, i.leaf)
            return
        imm = self.imm(next(a for s, a in i.args if s.place == "imm"))
        self.out.append(f"if ({imm} == (int8_t){imm}) {{")
        self.one(i, i.short)
        self.out.append("} else {")
        self.one(i, i.leaf)
        self.out.append("}")

    def one(self, i: Insn, leaf: Leaf) -> None:
        f, st = leaf.form, static(self.host, leaf)
        specs = operands.specs(self.host.isa, leaf)
        pairs = list(zip(specs, [a for _, a in i.args]))
        at: dict[str, Arg] = {}
        byte: list[str] = []
        for s, a in pairs:
            place = "rm" if s.place == "mem" else s.place
            if place in at and self.key(at[place]) != self.key(a):
                raise DescError(i.where, "two operands in one place of the encoding")
            at[place] = a
            if s.bits == 8 and a.kind == "reg" and s.place != "fixed":
                byte.append(self.reg(a))
        condition = f"({self.name(i.condition)} ^ 1)" if i.opposite else self.name(i.condition) if i.condition else ""
        opcode = f"{f.opcode:#x}" + (f" + {condition}" if condition else "")
        need = " || ".join(f"({b} & ~3u) == 4" for b in byte) or "0"
        if st["lock"]:
            self.out.append("*p++ = 0xf0;")
        ext = f"(struct form_fixed){{{st['prefix']:#x}, {st['w']}, {st['map']}, {st['vex']}, {st['l']}, (uint8_t)({opcode})}}"
        vvvv = self.reg(at["vvvv"]) if "vvvv" in at else "0"
        if f.plus_r:
            self.out.append(f"p = form_low(p, {ext}, {self.reg(at['low'])}, {need});")
        elif scanner.has_modrm(f) and "opcode2" not in f.attrs:
            reg = self.reg(at["reg"]) if "reg" in at else str(f.digit or 0)
            rm = at["rm"]
            if f.mode == "mem" and rm.pool:
                self.out.append(f"p = form_pool(p, {ext}, {reg}, {vvvv});")
                if rm.pool == "=":
                    low, high = rm.value & (1 << 64) - 1, rm.value >> 64
                    self.out.append(f"o->pool[o->npool++] = (struct cg_pool){{p, UINT64_C({low:#x}), UINT64_C({high:#x})}};")
            elif f.mode == "mem":
                base = self.reg(rm.base) if rm.base else "FORM_NO_REG"
                index = self.reg(rm.index) if rm.index else "FORM_NO_REG"
                disp = self.name(rm.disp) if isinstance(rm.disp, str) else str(rm.disp)
                self.out.append(f"p = form_mem(p, {ext}, {reg}, {vvvv}, {need}, {base}, {index}, {rm.scale}, (int32_t)({disp}));")
            else:
                self.out.append(f"p = form_reg(p, {ext}, {reg}, {vvvv}, {self.reg(rm)}, {need});")
        else:
            self.out.append(f"p = form_none(p, {ext});")
        if f.imm:
            kind = f.imm[0]
            if kind in ("cb", "cz"):
                self.out.append(f"p = form_imm(p, 0, {1 if kind == 'cb' else 4});")
                if i.label in FAR:
                    self.out.append("o->far[o->nfar++] = p;")
                elif i.label:
                    self.jumps.append((i.label, len(self.jumps)))
                    self.out.append(f"uint8_t *j{len(self.jumps) - 1} = p;")
            else:
                n = {"ib": 1, "iw": 2, "iz": 2 if f.n == 16 else 4, "iv": f.n // 8}[kind]
                self.out.append(f"p = form_imm(p, (uint64_t)({self.imm(at['imm'])}), {n});")

    @staticmethod
    def key(a: Arg) -> tuple:
        return (a.kind, a.name, a.fixed)

    def code(self, code: list[Insn | Label]) -> list[str]:
        for x in code:
            if isinstance(x, Label):
                # Backward jumps do not occur: a label follows all jumps to it.
                for name, k in [j for j in self.jumps if j[0] == x.name]:
                    self.out.append(f"j{k}[-1] = (uint8_t)(p - j{k});")
            else:
                self.insn(x)
        return self.out


C_TYPE = {"r": "unsigned", "v": "unsigned", "n": "int64_t", "byte": "int64_t", "i": "int64_t", "u": "int64_t", "k": "int64_t", "cc": "unsigned"}


def piece_c(host: Host, p: Piece) -> str:
    def name(n: str) -> str:
        return f"CG_{n.upper()}" if n in host.roles else n
    args = ", ".join(f"{C_TYPE[k]} {n}" for n, k in p.args if k != "to")
    body = "\n".join("  " + s for s in Writer(host, name).code(p.code))
    gives = f"enum {{ CG_{p.name.upper()}_GIVES = {host.conditions.index(p.gives)} }};\n" if p.gives else ""
    if p.needs:
        gives += f"#define CG_{p.name.upper()}_NEEDS ({' | '.join(f'1u << {host.features.index(n)}' for n in p.needs)})\n"
    return f"{gives}static inline uint8_t *cg_{p.name}(uint8_t *p{', ' + args if args else ''}) {{\n{body}\n  return p;\n}}\n"


def rule_c(host: Host, r: Rule, k: int) -> str:
    def name(n: str) -> str:
        if n in host.roles:
            return f"CG_{n.upper()}"
        if n == "d" or n == r.tie:
            return "o->d"
        if n in ("t", "u"):
            return f"o->t[{next(j for j, x in enumerate(r.temps) if x.name == n)}]"
        o = next(x for x in r.args if x.name == n)
        at = "abc".index(n)
        return {"r": f"o->r[{at}]", "v": f"o->r[{at}]", "cc": "o->cc"}.get(o.kind, f"o->k[{at}]")
    body = "\n".join("  " + s for s in Writer(host, name).code(r.code))
    return f"static uint8_t *e{k}(uint8_t *p, struct cg_operands *o) {{ /* {r.title} */\n  (void)o;\n{body}\n  return p;\n}}\n"


def mask(regs: list[int]) -> str:
    return f"{sum(1 << r for r in regs):#x}u"


KIND_C = {"r": "CG_REG", "v": "CG_VEC", "i": "CG_I", "u": "CG_U", "k": "CG_K", "n": "CG_N", "byte": "CG_BYTE", "cc": "CG_CC"}
FAR_C = {"": "CG_NEAR"} | {x: f"CG_{x.upper()}" for x in FAR}


def row(host: Host, r: Rule, k: int) -> str:
    args = ", ".join("{%s, %d, %d}" % ("CG_IS" if a.value is not None else KIND_C[a.kind], -1 if a.fixed is None else a.fixed,
                                      a.value or 0) for a in r.args)
    dest = -1 if not r.dest or r.dest.fixed is None else r.dest.fixed
    tie = "abc".index(r.tie) if r.tie else -1
    needs = " | ".join(f"1u << {host.features.index(n)}" for n in r.needs) or "0"
    temps = ", ".join(KIND_C[t.kind] for t in r.temps) or "0"
    how = ", ".join(hex(sum(1 << (x.bit_length() - 6 if key == "bits" else x) for x in r.how.get(key, ()))) for key in HOW)
    return (f"{{.emit = e{k}, .arg = {{{args}}}, .aux = {r.aux}, .nargs = {len(r.args)}, .tie = {tie}, .dest = {dest},"
            f" .kind = {KIND_C[r.dest.kind] if r.dest else 'CG_CC'}, .early = {int(r.early)}, .ntemps = {len(r.temps)}, .temp = {{{temps}}},"
            f" .gives = {host.conditions.index(r.gives) if r.gives else 0}, .far = {FAR_C[r.far]}, .how = {{{how}}},"
            f" .clobbers = {mask(r.clobbers)}, .needs = {needs}}}, /* {r.title} */")


def header(host: Host) -> str:
    def listing(name: str, regs: list[int]) -> str:
        return f"#define CG_{name} {{ {', '.join(map(str, regs))} }}\nenum {{ CG_N{name} = {len(regs)}, CG_{name}_MASK = {mask(regs)} }};"
    roles = ", ".join(f"CG_{k.upper()} = {v}" for k, v in host.roles.items())
    conditions = ", ".join(f"CG_CC_{c}" for c in host.conditions)
    default, flags = host.status
    out = [f"/* Generated from hostcg/{host.isa.name}.yaml: registers and pieces of code of this host. */",
           "#ifndef ISOMER_GEN_HOST_H", "#define ISOMER_GEN_HOST_H", '#include "core/form_emit.h"',
           f"enum {{ {roles}, CG_RESULT = {host.result}, CG_COMPARED = {host.compared}, CG_NGENERAL = {host.general}, CG_VECTOR = {VECTORS},"
           f" CG_NREGS = {max(host.registers.values()) + 1} }};",
           f"enum {{ CG_STATUS = {default:#x}, CG_NSTATUS = {len(flags)} }};",
           f"#define CG_STATUS_FLAGS {{ {', '.join(str(FLAGS.index(x)) if x in FLAGS else '255' for x in flags)} }}",
           f"enum cg_condition {{ {conditions} }};", listing("HELD", host.held), listing("FREE", host.free),
           listing("KEPT", host.kept), listing("ARGS", host.call), listing("HELD_VECTORS", host.held_vectors),
           listing("FREE_VECTORS", host.free_vectors)]
    out += [f"#define CG_NEEDS(f) \\\n  {' '.join(f'f({n}, {k})' for k, n in enumerate(host.features))}"]
    out.append("#define CG_REG_NAMES { " + ", ".join(f'[{k}] = "{n}"' for n, k in host.registers.items()) + " }")
    return "\n".join(out + [piece_c(host, p) for p in host.pieces] + ["#endif", ""])


def rules_c(host: Host) -> str:
    order = sorted(range(len(host.rules)), key=lambda k: (host.rules[k].op, host.rules[k].type))
    out = ["/* Generated: how this host computes the operations of the IR. */", '#include "hostcg/rules.h"', '#include "hostcg/cg.h"', '#include "host/host.h"', ""]
    out += [f'const char cg_host_name[] = "{host.isa.name}";', ""]
    out += [rule_c(host, host.rules[k], n) for n, k in enumerate(order)]
    out += ["const struct cg_rule cg_rules[] = {"] + [row(host, host.rules[k], n) for n, k in enumerate(order)] + ["};"]
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for n, k in enumerate(order):
        r = host.rules[k]
        at, count = first.get((r.op, r.type), (n, 0))
        first[r.op, r.type] = (at, count + 1)
    out += ["const struct cg_rules_of cg_rules_of[IR_NOPS][CG_NTYPES] = {"]
    out += [f"  [IR_{op}][CG_{TYPES[t]}] = {{{at}, {n}}}," for (op, t), (at, n) in first.items()] + ["};", ""]
    return "\n".join(out)


def rules_py(host: Host) -> str:
    def arg(a: Arg | None):
        if a is None:
            return None
        return {"kind": a.kind, "name": a.name, "fixed": a.fixed, "value": a.value, "base": arg(a.base), "index": arg(a.index),
                "scale": a.scale, "disp": a.disp, "vector": a.vector, "pool": a.pool}

    def code(c: list[Insn | Label]):
        return [x.name if isinstance(x, Label) else
                {"leaf": x.leaf.ident, "short": x.short and x.short.ident, "label": x.label, "condition": x.condition,
                 "opposite": x.opposite, "args": [(s.place, s.bits, arg(a)) for s, a in x.args],
                 "signed": any(s.place == "imm" and s.signed for s, a in x.args)} for x in c]
    rules = [{"op": r.op, "type": r.type, "bits": r.bits, "aux": r.aux, "where": r.where.at(), "tie": r.tie, "early": r.early,
              "temps": [(t.name, t.kind) for t in r.temps], "dest": r.dest and r.dest.fixed, "kind": r.dest.kind if r.dest else "",
              "has_dest": r.dest is not None, "gives": r.gives, "clobbers": r.clobbers, "far": r.far,
              "how": {k: sorted(x) for k, x in r.how.items()},
              "args": [{"name": a.name, "kind": a.kind, "fixed": a.fixed, "value": a.value} for a in r.args],
              "code": code(r.code)} for r in host.rules]
    return ('"""Generated: the lowering rules, for the test that executes them."""\n' f"CONDITIONS = {host.conditions!r}\n"
            f"REGISTERS = {host.registers!r}\nROLES = {host.roles!r}\nSTATUS = {host.status!r}\nRULES = " + pprint.pformat(rules, width=140, compact=True) + "\n")


def main() -> int:
    p = argparse.ArgumentParser(prog="python3 -m gen.hostc", description="Compile the lowering rules of a host.")
    p.add_argument("--rules", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--depfile")
    a = p.parse_args()
    try:
        host = load(a.rules, ROOT)
        files = {"host.h": header(host), "host_rules.c": rules_c(host), "host_rules.py": rules_py(host)}
    except DescError as e:
        print(e, file=sys.stderr)
        return 1
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    for name, s in files.items():
        if not (out / name).exists() or (out / name).read_text() != s:
            (out / name).write_text(s)
    if a.depfile:
        Path(a.depfile).write_text(f"{out / OUTPUTS[0]}: " + " ".join(host.sources) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
