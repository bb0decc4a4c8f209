"""The Python oracle: every leaf's meaning as a plain Python function over a state object, for tests to compare engines
with. A direct transcription of the typed tree: integers masked to their width, effects in order, undefined bits recorded.

`o_<leaf>(s, d)`: s is the state (register files as lists, slots as attributes, `pc`, `next` and the hooks below), d maps
operand names to values. Hooks of s: load, store, rmw, cas, load_ex, store_ex, fill, probe, fence (memory), fp, helper,
sysread, syswrite, has, trap, commit, jump, end, undef(place, mask), defined(place). `trap` does not return.
A function returns "restart", or nothing. LEAVES, READS and WRITES at the end are the tables."""
from __future__ import annotations

from .. import tir, values as v
from ..builtins import flag_bits
from ..expand import ident
from ..model import Isa
from ..tir import Checked, E, Meaning

HEAD = '''"""Generated from the description of {isa}: what every instruction means, for tests."""


def sg(x, n):
    """The n-bit value x as a signed integer."""
    return x - (1 << n) if x >> n - 1 else x


def ror(x, k, n):
    k %= n
    return (x >> k | x << n - k) & (1 << n) - 1


def shl(x, k, n):
    return x << k & (1 << n) - 1 if 0 <= k < n else 0


def shru(x, k, n):
    return x >> k if 0 <= k < n else 0


def shrs(x, k, n):
    return sg(x, n) >> (k if 0 <= k < n else n) & (1 << n) - 1


def divs(a, b, n):
    a, b = sg(a, n), sg(b, n)
    if not b:
        return 0
    q = abs(a) // abs(b)
    return (-q if (a < 0) != (b < 0) else q) & (1 << n) - 1


def rems(a, b, n):
    a, b = sg(a, n), sg(b, n)
    if not b:
        return 0
    r = abs(a) % abs(b)
    return (-r if a < 0 else r) & (1 << n) - 1


def brev(x, n):
    return int(f"{x:0{n}b}"[::-1], 2)


def orc8(x, n):
    return sum(0xff << i for i in range(0, n, 8) if x >> i & 0xff)


'''


def ones(n: int) -> str:
    return hex((1 << n) - 1)


class Py:
    """Expressions as Python text."""

    def __init__(self, isa: Isa) -> None:
        self.isa = isa

    def x(self, e: E) -> str:
        op, ty, a = e.op, e.ty, e.a
        n = ty.bits
        if op == "const":
            return hex(e.k) if e.k > 9 else f"({e.k})" if e.k < 0 else str(e.k)
        if op == "local":
            return str(e.k)
        if op in ("field", "operand"):
            return f"d[{str(e.k)!r}]"
        if op == "slot":
            return f"s.{e.k}"
        if op == "reg":
            return f"s.{e.k}[{self.x(a[0])}]"
        if op == "reglane":
            file, lo = e.k
            return f"(s.{file}[{self.x(a[0])}] >> {lo} & {ones(n)})"
        if op in ("pc", "next"):
            return f"s.{op}"
        if op == "has":
            return f"s.has({e.k!r})"
        x = [self.x(i) for i in a]
        if op in ("add", "sub", "mul", "and", "or", "xor"):
            s = f"({x[0]} {dict(add='+', sub='-', mul='*', xor='^').get(op, '&' if op == 'and' else '|')} {x[1]})"
            return s if ty.kind == "int" or op in ("and", "or", "xor") else f"({s} & {ones(n)})"
        if op in ("div", "mod"):
            return f"({x[0]} {'//' if op == 'div' else '%'} {x[1]})"
        if op == "not":
            return f"(~{x[0]})" if ty.kind == "int" else f"({x[0]} ^ {ones(n)})"
        if op == "neg":
            return f"(-{x[0]})" if ty.kind == "int" else f"(-{x[0]} & {ones(n)})"
        if op in ("shl", "shru", "shrs", "ror", "rol"):
            return self.shift(e, x)
        if op in ("eq", "ne", "ltu", "leu"):
            return f"int({x[0]} {dict(eq='==', ne='!=', ltu='<', leu='<=')[op]} {x[1]})"
        if op in ("lts", "les"):
            y = x if a[0].ty.kind == "int" else [f"sg({t}, {a[0].ty.n})" for t in x]
            return f"int({y[0]} {'<' if op == 'lts' else '<='} {y[1]})"
        if op in ("zext", "btoi", "cast", "undef"):
            return x[0]
        if op == "sext":
            return f"(sg({x[0]}, {a[0].ty.n}) & {ones(n)})"
        if op == "itob":
            return f"({x[0]} & {ones(n)})"
        if op == "btois":
            return f"sg({x[0]}, {a[0].ty.n})"
        if op == "slice":
            s = f"{x[0]} >> {e.k}" if e.k else x[0]
            return f"({s} & {ones(n)})" if e.k + n < a[0].ty.bits else f"({s})"
        if op in ("concat", "vec"):
            return self.join(a if op == "concat" else a[::-1], x if op == "concat" else x[::-1])
        if op == "sel":
            return f"({x[1]} if {x[0]} else {x[2]})"
        if op == "lookup":
            return f"(({', '.join(x[:-2])},)[{x[-2]}] if {x[-2]} < {len(x) - 2} else {x[-1]})"
        if op == "prim":
            return self.prim(e, x)
        raise AssertionError(f"no Python for {op}")

    def join(self, parts, x: list[str]) -> str:
        out, at = [], 0
        for p, s in zip(reversed(parts), reversed(x)):
            if not (p.op == "const" and p.k == 0):
                out.append(f"{s} << {at}" if at else s)
            at += p.ty.bits
        return "(" + (" | ".join(out) or "0") + ")"

    def shift(self, e: E, x: list[str]) -> str:
        n, op = e.ty.bits, e.op
        if e.ty.kind == "int":
            return f"({x[0]} {'<<' if op == 'shl' else '>>'} {x[1]})"
        if op in ("ror", "rol"):
            return f"ror({x[0]}, {'' if op == 'ror' else '-'}{x[1]}, {n})"
        if e.a[1].ty.kind == "int" and e.a[1].op != "const":
            return f"{op}({x[0]}, {x[1]}, {n})"
        k = x[1] if e.a[1].op == "const" or e.a[1].ty.n <= 8 else f"min({x[1]}, {n})"
        if op == "shl":
            return f"({x[0]} << {k} & {ones(n)})"
        return f"({x[0]} >> {k})" if op == "shru" else f"(sg({x[0]}, {n}) >> {k} & {ones(n)})"

    def prim(self, e: E, x: list[str]) -> str:
        name, n = e.k[0], e.a[0].ty.bits
        if name == "clz":
            return f"({n} - {x[0]}.bit_length())"
        if name == "ctz":
            return f"(({x[0]} & -{x[0]}).bit_length() - 1 if {x[0]} else {n})"
        if name == "popcount":
            return f"bin({x[0]}).count('1')"
        if name == "parity":
            return f"(bin({x[0]}).count('1') + 1 & 1)"
        if name == "bswap":
            return f"int.from_bytes({x[0]}.to_bytes({n // 8}, 'little'), 'big')"
        if name == "brev":
            return f"brev({x[0]}, {n})"
        if name == "orc8":
            return f"orc8({x[0]}, {n})"
        if name in ("divu", "remu"):
            return f"({x[0]} {'//' if name == 'divu' else '%'} {x[1]} if {x[1]} else 0)"
        if name in ("divs", "rems"):
            return f"{name}({x[0]}, {x[1]}, {n})"
        if name == "carry":
            return f"({x[0]} + {x[1]} + {x[2]} >> {n})"
        if name == "overflow":
            return f"((({x[0]} ^ {x[2]}) & ({x[1]} ^ {x[2]})) >> {n - 1})"
        if name == "fclass":
            return f"s.fclass({n}, {x[0]})"
        raise AssertionError(f"no Python for primitive {name}")


class Writer:
    """One body as Python statements. `masks` holds the locals that have undefined bits, which travel as u_<local>."""

    def __init__(self, isa: Isa, py: Py) -> None:
        self.isa, self.py = isa, py
        self.lines: list[str] = []
        self.depth = 1
        self.masks: set[str] = set()
        self.places: set[str] = set()

    def put(self, s: str) -> None:
        self.lines.append("    " * self.depth + s)

    def mask(self, e: E) -> str:
        """Python text of the undefined bits of e; "0" when there are none."""
        if e.op == "undef":
            return ones(e.ty.bits)
        if e.op == "local":
            return f"u_{e.k}" if e.k in self.masks else "0"
        m = [self.mask(x) for x in e.a]
        if all(t == "0" for t in m):
            return "0"
        n = e.ty.bits
        if e.op == "sel" and m[0] == "0":
            return f"({m[1]} if {self.py.x(e.a[0])} else {m[2]})"
        if e.op in ("concat", "vec"):
            parts, at, out = (e.a if e.op == "concat" else e.a[::-1]), 0, []
            ms = m if e.op == "concat" else m[::-1]
            for p, t in zip(reversed(parts), reversed(ms)):
                if t != "0":
                    out.append(f"{t} << {at}")
                at += p.ty.bits
            return "(" + " | ".join(out) + ")"
        if e.op == "slice":
            return f"({m[0]} >> {e.k} & {ones(n)})"
        if e.op in ("zext", "cast", "not"):
            return m[0]
        if e.op in ("and", "or", "xor"):
            return f"({m[0]} | {m[1]})"
        return f"({ones(n)} if {' or '.join(t for t in m if t != '0')} else 0)"

    def body(self, stmts: list) -> None:
        before = len(self.lines)
        for s in stmts:
            getattr(self, "st_" + type(s).__name__)(s)
        if len(self.lines) == before:
            self.put("pass")

    def define(self, name: str, e: E) -> None:
        m = self.mask(e)
        if m != "0" or name in self.masks:
            self.masks.add(name)
            self.put(f"u_{name} = {m}")
        self.put(f"{name} = {self.py.x(e)}")

    def st_Let(self, s: tir.Let) -> None:
        self.define(s.id, s.e)

    def st_Var(self, s: tir.Var) -> None:
        self.masks.add(s.id)

    def st_Set(self, s: tir.Set) -> None:
        self.define(s.id, s.e)

    def record(self, place: str, m: str) -> None:
        """Tells the state which bits of a place became undefined, or that it is defined again."""
        if m != "0":
            self.places.add(place)
            self.put(f"s.undef({place}, {m})")
        elif self.places:
            self.put(f"s.defined({place})")

    def st_SetSlot(self, s: tir.SetSlot) -> None:
        self.record(f"({s.slot!r},)", self.mask(s.e))
        self.put(f"s.{s.slot} = {self.py.x(s.e)}")

    def st_SetReg(self, s: tir.SetReg) -> None:
        f, n = self.isa.files[s.file], s.e.ty.bits
        e = v.cast(s.e, tir.B(n)) if s.e.ty.kind == "vec" else s.e
        i = self.py.x(s.index)
        place = f"s.{s.file}[{i}]"
        m = self.mask(e)
        self.record(f"({s.file!r}, {i})", f"({m} << {s.lo})" if s.lo and m != "0" else m)
        x = self.py.x(e) + (f" << {s.lo}" if s.lo else "")
        if s.keep:
            hole = ((1 << f.width) - 1) & ~(((1 << n) - 1) << s.lo)
            x = f"{place} & {hole:#x} | {x}"
        self.put(f"{place} = {x}")
        if f.zero is not None:
            self.put(f"s.{s.file}[{f.zero}] = 0")

    def st_If(self, s: tir.If) -> None:
        self.put(f"if {self.py.x(s.c)}:")
        self.nested(s.then)
        if s.other:
            self.put("else:")
            self.nested(s.other)

    def nested(self, stmts: list) -> None:
        self.depth += 1
        self.body(stmts)
        self.depth -= 1

    def st_Trap(self, s: tir.Trap) -> None:
        self.put(f"s.trap({s.kind!r}, {', '.join(self.py.x(a) for a in s.args)})")

    def st_Jump(self, s: tir.Jump) -> None:
        self.put(f"s.jump({self.py.x(s.target)})")

    def st_End(self, s: tir.End) -> None:
        self.put(f"s.end({s.reason!r})")

    def st_Commit(self, s: tir.Commit) -> None:
        self.put("s.commit()")

    def st_Restart(self, s: tir.Restart) -> None:
        self.put("return 'restart'")

    def st_Done(self, s: tir.Done) -> None:
        self.put("return")

    def st_Eff(self, s: tir.Eff) -> None:
        a = [self.py.x(e) for e in s.args]
        w = s.attrs.get("width")
        outs = ", ".join(n for n, _ in s.outs)
        if s.kind in ("load", "load_ex", "cas"):
            call = f"s.{s.kind}({w}, {', '.join(a)})"
        elif s.kind in ("store", "store_ex"):
            call = f"s.{s.kind}({w}, {', '.join(a)}, {self.mask(s.args[1])})" if s.kind == "store" else \
                f"s.{s.kind}({w}, {', '.join(a)})"
        elif s.kind == "rmw":
            call = f"s.rmw({w}, {s.attrs['op']!r}, {', '.join(a)})"
        elif s.kind == "probe":
            call = f"s.probe({a[0]}, {a[1]}, {s.attrs['access']!r})"
        elif s.kind in ("fill", "fence", "sysread", "syswrite"):
            call = f"s.{s.kind}({', '.join(a)})"
        elif s.kind == "helper":
            call = f"s.helper({s.attrs['name']!r}, {', '.join(a)})"
            outs += "," if len(s.outs) == 1 else ""
        elif s.kind == "fp":
            prof = self.isa.fp[s.attrs["profile"]]
            attrs = {k: x for k, x in s.attrs.items() if not isinstance(x, E) and k != "profile"} | {"flags": flag_bits(prof)}
            more = ", ".join(f"{k!r}: {self.py.x(s.attrs[k])}" for k in ("quiet", "exact") if k in s.attrs)
            modes = ", ".join(self.py.x(s.attrs[k]) for k in ("rm", "nan", "daz", "ftz", "scale") if k in s.attrs)
            lanes = attrs.pop("lanes", 0)
            if lanes:
                a = [f"({', '.join(self.py.x(v.lane(e, i)) for i in range(lanes))},)" for e in s.args]
            call = f"s.fp{'_lanes' if lanes else ''}({attrs!r}{f' | {{{more}}}' if more else ''}, ({modes}), ({', '.join(a)},))"
        else:
            raise AssertionError(f"no Python for effect {s.kind}")
        self.put(f"{outs} = {call}" if outs else call)


def function(isa: Isa, py: Py, m: Meaning, name: str, params: str) -> str:
    w = Writer(isa, py)
    w.body(m.body)
    if m.result is not None:
        w.put(f"return {py.x(m.result)}")
    return f"def {name}({params}):\n" + "\n".join(w.lines) + "\n\n\n"


def module(isa: Isa, checked: Checked) -> str:
    py = Py(isa)
    out = [HEAD.replace("{isa}", isa.name)]
    for m in checked.leaves:
        leaf = m.leaf
        for name, e in checked.operands.get(leaf.id, {}).items():
            out.append(f"def d_{leaf.ident}_{ident(name)}(d):\n    return {py.x(e)}\n\n\n")
        if checked.reserved.get(leaf.id):
            conds = " or ".join(py.x(e) for e in checked.reserved[leaf.id])
            out.append(f"def r_{leaf.ident}(d):\n    return {conds}\n\n\n")
        out.append(function(isa, py, m, f"o_{leaf.ident}", "s, d"))
    for kind, table in (("read", checked.reads), ("write", checked.writes)):
        for name, m in table.items():
            out.append(function(isa, py, m, f"{kind}_{ident(name)}", "s" if kind == "read" else "s, v_"))
    if checked.undefined is not None:
        out.append(function(isa, py, checked.undefined, "sys_undefined", "s"))
    out.append("# name: (meaning, operands that are computed, whether the encoding is reserved)\nLEAVES = {\n")
    for m in checked.leaves:
        leaf = m.leaf
        derived = ", ".join(f"{n!r}: d_{leaf.ident}_{ident(n)}" for n in checked.operands.get(leaf.id, {}))
        reserved = f"r_{leaf.ident}" if checked.reserved.get(leaf.id) else "None"
        out.append(f"    {leaf.name!r}: (o_{leaf.ident}, {{{derived}}}, {reserved}),\n")
    out.append("}\n")
    for kind in ("read", "write"):
        rows = "".join(f"    {r.num:#x}: {kind}_{ident(n)},\n" for n, r in isa.sysregs.items())
        out.append(f"{kind.upper()}S = {{\n{rows}}}\n")
    files = {f.name: (f.n, f.width, f.zero) for f in isa.files.values()}
    slots = {x.name: (x.width, x.reset) for x in isa.slots.values()}
    names = {f.name: f.names or [f"{f.name}{i}" for i in range(f.n)] for f in isa.files.values()}
    out.append(f"FILES = {files!r}\nNAMES = {names!r}\nSLOTS = {slots!r}\nTRAPS = {list(isa.traps)!r}\n")
    out.append(f"FEATURES = {[f.name for f in isa.features.values() if f.default]!r}\n")
    return "".join(out)


def files(isa: Isa, checked: Checked) -> dict[str, str]:
    return {"oracle.py": module(isa, checked)}
