"""Cases for single instructions and three ways to execute them: Isomer's interpreter (exec_leaf), a processor or qemu-user
(native), the generated Python oracle. Knows no ISA: what leaves look like comes from vectors.json, which words of state are
compared from the caller."""
from __future__ import annotations

import json
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import product
from pathlib import Path

import encode
import oracle
from oracle import Outside, State, Trapped, Unmodelled

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / os.environ.get("ISOMER_OUT", "out")
FULL = bool(os.environ.get("ISOMER_FULL"))
M64 = (1 << 64) - 1

# tests/meaning/stream.h
CODE, SLOT, SLOTS, LANDING = 0x50000000, 64, 8192, 64
SCRATCH, WINDOW = 0x50090000 + 4096 - 128, 256
NEXT, JUMP, TRAP, RESTART, WAIT, ILLEGAL = range(6)
RESULT = struct.Struct("<IIQIIII3Q")
CHANGE = struct.Struct("<IIQ")
MAX_CASES = 20000


@dataclass
class Word:
    """64 bits of state: word `part` of a register or slot."""
    place: str
    index: int | None
    part: int
    name: str
    bits: int


@dataclass
class Case:
    leaf: dict
    d: dict[str, int]
    sets: dict[int, int]                # word -> value; scratch memory follows the state's words
    slot: int = -1
    code: bytes = b""


@dataclass
class Result:
    kind: int
    signal: int
    pc: int
    op: int
    trap: int
    args: tuple[int, ...]
    changes: dict[int, int]


@dataclass
class Outcome:
    """What the oracle says; undefined: word -> bits."""
    kind: int
    pc: int = 0
    trap: str = ""
    args: tuple[int, ...] = ()
    changes: dict[int, int] = field(default_factory=dict)
    undefined: dict[int, int] = field(default_factory=dict)
    accesses: list[int] = field(default_factory=list)
    outside: bool = False


class Machine:
    """One ISA with the words of its state that cases set and compare. `places`: names of register files and slots, in the
    order of the streams; ("x", 31) takes the first 31 registers."""

    def __init__(self, isa: str, places: list[str | tuple[str, int]] | None = None) -> None:
        self.isa = isa
        self.module = oracle.load(OUT / f"gen/{isa}/oracle.py")
        data = json.loads((OUT / f"gen/{isa}/vectors.json").read_text())
        self.leaves: list[dict] = data["leaves"]
        self.values: dict[str, list[int]] = data["values"]
        self.address: dict[str, str] = data["address"]
        self.words: list[Word] = []
        self.first: dict[tuple[str, int | None], int] = {}
        m = self.module
        for p in places if places is not None else [*m.FILES, *m.SLOTS]:
            name, limit = p if isinstance(p, tuple) else (p, None)
            if name in m.FILES:
                n, width, _ = m.FILES[name]
                for i in range(limit or n):
                    self.add(name, i, width, m.NAMES[name][i])
            else:
                self.add(name, None, m.SLOTS[name][0], name)
        self.base_slots = {s: r for s, (_, r) in m.SLOTS.items()}
        self.base: list[int] = []
        self.fixed: dict[str, int] = {}
        self.helpers: dict = {}
        self.limits: dict[str, int | list[int]] = {}    # slots that do not take every value: a mask, or the values
        # What the reference does otherwise: traps it cannot report (pattern of leaves: kinds), bits it has and we do not.
        self.avoid: dict[str, set[str]] = {}
        self.ignore: dict[str, int] = {}

    def add(self, place: str, i: int | None, width: int, name: str) -> None:
        self.first[place, i] = len(self.words)
        for part in range((width + 63) // 64):
            self.words.append(Word(place, i, part, f"{name}:{part}" if width > 64 else name, min(width, 64)))

    def zero(self, place: str, i: int | None) -> bool:
        return i is not None and self.module.FILES[place][2] == i

    def width(self, place: str) -> int:
        m = self.module
        return m.FILES[place][1] if place in m.FILES else m.SLOTS[place][0]

    def randomize(self, rng: random.Random) -> None:
        """New base values. Slots in `fixed` have those values and are no words of cases."""
        self.base = [0 if self.zero(w.place, w.index) else self.random(rng, w) for w in self.words]
        self.base += [rng.getrandbits(64) for _ in range(WINDOW // 8)]
        m = self.module
        self.image = {f: [0] * n for f, (n, _, _) in m.FILES.items()} | dict(self.base_slots) | self.fixed
        self.assign(self.image, dict(enumerate(self.base[:len(self.words)])))

    def random(self, rng: random.Random, w: Word) -> int:
        limit = self.limits.get(w.place, M64)
        return rng.choice(limit) if isinstance(limit, list) else rng.getrandbits(w.bits) & limit

    def assign(self, image: dict, sets: dict[int, int]) -> None:
        for k, x in sets.items():
            if k >= len(self.words):
                continue
            w = self.words[k]
            if w.index is None:
                image[w.place] = x
            elif w.bits == 64 and self.width(w.place) > 64:
                old = image[w.place][w.index]
                image[w.place][w.index] = old & ~(M64 << 64 * w.part) | x << 64 * w.part
            else:
                image[w.place][w.index] = x

    def set(self, sets: dict[int, int], place: str, i: int | None, value: int) -> None:
        """Sets a whole register in a case, unless it is no word or always zero."""
        k = self.first.get((place, i))
        if k is None or self.zero(place, i):
            return
        for part in range((self.width(place) + 63) // 64):
            sets[k + part] = value >> 64 * part & M64

    # ---- the oracle
    def run_oracle(self, c: Case) -> Outcome:
        leaf = c.leaf
        fn = self.module.LEAVES[leaf["name"]][0]
        mem = bytearray(b"".join(x.to_bytes(8, "little") for x in
                                 (c.sets.get(len(self.words) + k, self.base[len(self.words) + k]) for k in range(WINDOW // 8))))
        s = State.__new__(State)
        image = {k: list(x) if isinstance(x, list) else x for k, x in self.image.items()}
        self.assign(image, c.sets)
        s.__dict__.update(image)
        pc = CODE + c.slot * SLOT
        start = bytes(mem)
        for name, value in (("module", self.module), ("pc", pc), ("next", pc + len(c.code)), ("window", SCRATCH), ("mem", mem),
                            ("target", None), ("ends", set()), ("excl", None), ("undefined", {}), ("committed", None),
                            ("helpers", self.helpers), ("accesses", [])):
            s.__dict__[name] = value
        out = Outcome(NEXT, accesses=s.accesses)
        try:
            for _ in range(100000):
                before, s.committed = s.image(), None
                if fn(s, c.d) != "restart":
                    break
                s.__dict__.update(s.committed or before)
                if not leaf.get("repeat"):
                    out.kind = RESTART
                    break
        except Trapped as t:
            out.kind, out.trap, out.args = TRAP, t.kind, t.arguments
            s.undefined.clear()
            if s.committed is None:
                return out
            s.__dict__.update(s.committed)
        except Outside:
            out.outside = True
            return out
        if out.kind == NEXT and s.target is not None:
            out.kind, out.pc = JUMP, s.target
        elif out.kind == NEXT and "wait" in s.ends:
            out.kind = WAIT
        d = s.__dict__
        for k, w in enumerate(self.words):
            x = d[w.place] if w.index is None else d[w.place][w.index]
            x = x >> 64 * w.part & M64 if w.part or w.bits == 64 else x
            if x != c.sets.get(k, self.base[k]):
                out.changes[k] = x
        if mem != start:
            for k in range(WINDOW // 8):
                if mem[8 * k:8 * k + 8] != start[8 * k:8 * k + 8]:
                    out.changes[len(self.words) + k] = int.from_bytes(mem[8 * k:8 * k + 8], "little")
        for place, mask in s.undefined.items():
            if place[0] == "memory":
                k = len(self.words) + place[1] // 8
                out.undefined[k] = out.undefined.get(k, 0) | mask << 8 * (place[1] % 8)
                continue
            k = self.first.get((place[0], place[1] if len(place) > 1 else None))
            for part in range((self.width(place[0]) + 63) // 64) if k is not None else []:
                out.undefined[k + part] = mask >> 64 * part & M64
        return out

    # ---- the streams
    def stream(self, batch: Batch) -> bytes:
        names = " ".join(w.name for w in self.words).encode()
        names += b" " * (-len(names) % 8)
        out = [struct.pack("<6I", len(self.words), len(batch.codes), len(batch.cases), len(names), 1, 0), names,
               struct.pack(f"<{len(self.base)}Q", *self.base)]
        out += [struct.pack("<I20s", len(code), code) for code in batch.codes]
        for c in batch.cases:
            out.append(struct.pack("<II", c.slot, len(c.sets)))
            out += [CHANGE.pack(k, 0, x) for k, x in c.sets.items()]
        return b"".join(out)

    def run(self, batch: Batch, command: list[str]) -> list[Result]:
        r = subprocess.run(command, input=self.stream(batch), capture_output=True, timeout=600)
        assert r.returncode == 0, f"{command}: code {r.returncode}: {r.stderr.decode(errors='replace')}"
        out, at = [], 0
        for _ in batch.cases:
            kind, signal, pc, op, trap, nargs, n, *args = RESULT.unpack_from(r.stdout, at)
            at += RESULT.size
            changes = {}
            for _ in range(n):
                k, _, x = CHANGE.unpack_from(r.stdout, at)
                at += CHANGE.size
                changes[k] = x
            out.append(Result(kind, signal, pc, op, trap, tuple(args[:nargs]), changes))
        assert at == len(r.stdout), f"{command}: {len(r.stdout) - at} bytes too many"
        for c, x in zip(batch.cases, out):
            if x.kind == JUMP and x.pc == CODE + c.slot * SLOT + len(c.code):
                x.kind, x.pc = NEXT, 0
        return out

    def interpreter(self) -> list[str]:
        return [str(OUT / "tests/oracle/exec_leaf"), self.isa, *(f"{k}={x:#x}" for k, x in self.fixed.items())]


@dataclass
class Batch:
    """Cases of one process; codes[slot] is the instruction of a slot."""
    cases: list[Case] = field(default_factory=list)
    codes: list[bytes] = field(default_factory=list)
    slots: dict[bytes, int] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        return len(self.cases) >= MAX_CASES or len(self.codes) >= SLOTS

    def place(self, c: Case) -> None:
        """Gives the case a slot: its own when the address of the instruction matters."""
        known = None if c.leaf["pc"] or c.leaf["jump"] else self.slots.get(c.code)
        c.slot = len(self.codes) if known is None else known

    def add(self, c: Case) -> None:
        if c.slot == len(self.codes):
            self.codes.append(c.code)
            self.slots.setdefault(c.code, c.slot)
        self.cases.append(c)


# ---- making cases --------------------------------------------------------------------------------


class Maker:
    def __init__(self, m: Machine, rng: random.Random) -> None:
        self.m, self.rng = m, rng
        self.dropped: dict[str, int] = {}

    # ---- values
    def number(self, index: list, d: dict[str, int], file: str) -> int | None:
        kind, x = index
        n = x if kind == "const" else d.get(x) if kind == "field" else None
        if n is None:
            return None
        return n if n < self.m.module.FILES[file][0] else n & 15

    def pool(self, leaf: dict, reg: dict) -> list[int]:
        """Boundary values of a register operand."""
        m, width = self.m, self.m.width(reg["file"])
        if width > 64:
            kinds = [(w, f"f{w}") for w in leaf["fp"]] if reg["fp"] else [(w, f"b{w}") for w in leaf["lanes"] or [8, 16, 32, 64]]
            out = []
            for w, kind in kinds:
                v = m.values.get(kind, m.values["b64"])
                n = width // w
                out += [sum(v[(i + r) % len(v)] << w * i for i in range(n)) & (1 << width) - 1 for r in range(len(v))]
            return out
        if reg["fp"]:
            out = []
            for w in leaf["fp"]:
                out += [x | M64 ^ (1 << w) - 1 if w < width else x for x in m.values[f"f{w}"]]
            return out
        w = reg["width"] if reg["width"] in (8, 16, 32) else 64
        if w == 64:
            return [x & (1 << width) - 1 for x in m.values["b64"]]
        return [(x | (0x5a5a5a5a5a5a5a5a << w)) & (1 << width) - 1 for x in m.values[f"b{w}"]]

    def boundary(self, leaf: dict) -> int:
        """64 bits of memory: boundary values of the floats that the leaf computes with, if any."""
        if not leaf["fp"] or self.rng.random() < 0.2:
            return self.rng.choice(self.m.values["b64"])
        w = self.rng.choice(leaf["fp"])
        return sum(self.rng.choice(self.m.values[f"f{w}"]) << w * i for i in range(64 // w))

    def value(self, leaf: dict, reg: dict) -> int:
        if self.rng.random() < 0.5:
            return self.rng.choice(self.pool(leaf, reg))
        return self.rng.getrandbits(self.m.width(reg["file"]))

    # ---- one case
    def case(self, leaf: dict, batch: Batch, pick: tuple = (), like: dict[str, int] | None = None) -> Case | None:
        """A case with random operands; `pick` are (dimension, value) pairs that are fixed, `like` are the fields of the encoding if it
        is to be one that there is already. None: it cannot be made."""
        rng, m = self.rng, self.m
        fixed_imm = {x["imm"]: val for x, val in pick if "imm" in x}
        c = Case(leaf, {}, {})
        if like is not None:
            c.d.update(like)
        elif "form" in leaf:
            encode.choose(leaf, m, rng, c.d)
            c.d.update(fixed_imm)
        else:
            for name, f in leaf["fields"].items():
                if name in leaf["files"]:
                    c.d[name] = f["add"] + (rng.getrandbits(f["bits"]) & encode.placed(f))
                else:
                    x = rng.choice(leaf["imm"][name]) if rng.random() < 0.5 else rng.getrandbits(f["bits"])
                    c.d[name] = fixed_imm.get(name, x) & encode.placed(f)
            for a, b in leaf["alias"]:
                if rng.random() < 0.2 and b in leaf["fields"] and not c.d[a] - leaf["fields"][b]["add"] & ~encode.placed(leaf["fields"][b]):
                    c.d[b] = c.d[a]
        if not self.finish(c):
            return None
        for s in leaf["slots"]:
            if (s, None) in m.first:
                k = m.first[s, None]
                plain = rng.random() < 0.7 or m.width(s) < 64 or s in m.limits
                c.sets[k] = m.random(rng, m.words[k]) if plain else rng.choice(m.values["b64"])
        if leaf["jump"] and "load" in leaf["effects"]:
            for k in range(WINDOW // 8):
                c.sets[len(m.words) + k] = self.landing()
        elif leaf["effects"] and rng.random() < 0.3:
            for k in range(WINDOW // 8):
                c.sets[len(m.words) + k] = self.boundary(leaf)
        given = {(x["reg"]["file"], *x["reg"]["index"]): val for x, val in pick if "reg" in x}
        for reg in leaf["regs"]:
            i = self.number(reg["index"], c.d, reg["file"])
            if i is None:
                continue
            if reg["role"] == "value":
                x = given.get((reg["file"], *reg["index"]))
                m.set(c.sets, reg["file"], i, self.value(leaf, reg) if x is None else x)
        for reg in leaf["regs"]:
            i = self.number(reg["index"], c.d, reg["file"])
            if i is not None and reg["role"] == "address":
                m.set(c.sets, reg["file"], i, rng.randrange(64) if reg["index"][1] == "index" else self.target())
            elif i is not None and reg["role"] == "jump":
                m.set(c.sets, reg["file"], i, self.landing())
        if "form" in leaf:
            encode.counter(leaf, m, rng, c)
        batch.place(c)
        if (leaf["jump"] or any(e in MEMORY for e in leaf["effects"])) and not self.settle(c):
            return None
        for pattern, kinds in m.avoid.items():
            if fnmatch(leaf["name"], pattern) and kinds.intersection(leaf["traps"]) and m.run_oracle(c).trap in kinds:
                return None
        return c

    def finish(self, c: Case) -> bool:
        """Computed operands and bytes; False when the encoding belongs to nobody."""
        leaf = c.leaf
        _, derived, reserved = self.m.module.LEAVES[leaf["name"]]
        for name, fn in derived.items():
            c.d[name] = fn(c.d)
        if reserved is not None and reserved(c.d):
            return False
        c.code = encode.code(leaf, self.m, c.d)
        return True

    # ---- addresses and targets
    def target(self) -> int:
        t = SCRATCH + self.rng.randrange(WINDOW - 64)
        return t & ~15 if self.rng.random() < 0.6 else t

    def landing(self) -> int:
        return CODE + SLOTS * SLOT + 4 * self.rng.randrange(LANDING * SLOT // 4)

    def acceptable(self, t: int) -> bool:
        """Whether a jump to t is seen as one: to a breakpoint, or to nothing not too far away."""
        if CODE <= t < CODE + SLOTS * SLOT:
            return t % SLOT >= 24
        return t < CODE + (SLOTS + LANDING) * SLOT - 8 and abs(t - CODE) < 1 << 26 or SCRATCH + 8192 < t < CODE + (1 << 26)

    def settle(self, c: Case) -> bool:
        """Moves addresses into the window and jump targets to where they can be seen."""
        memory = any(e in MEMORY for e in c.leaf["effects"])
        for attempt in range(4):
            try:
                o = self.m.run_oracle(c)
            except Unmodelled:
                return True
            if o.outside:
                if not self.solve(c, len(o.accesses) - 1, self.target()):
                    return False
            elif memory and attempt == 0 and o.kind == TRAP and not o.accesses:
                if self.rng.random() < 0.8:
                    self.solve(c, 0, self.target() & ~15)
            else:
                break
        else:
            return False
        if o.kind == JUMP and not self.acceptable(o.pc):
            if not self.solve(c, -1, self.landing()):
                return False
            o = self.m.run_oracle(c)
            return not o.outside and (o.kind != JUMP or self.acceptable(o.pc))
        return True

    def observe(self, c: Case, which: int) -> int | None:
        """Address of access number `which`, or the jump's target for -1."""
        o = self.m.run_oracle(c)
        if which < 0:
            return o.pc if o.kind == JUMP else None
        return o.accesses[which] if which < len(o.accesses) else None

    def solve(self, c: Case, which: int, want: int) -> bool:
        """Changes one register, slot or immediate so that the observed address becomes `want`."""
        m, leaf = self.m, c.leaf
        knobs: list[tuple[str, int | None]] = []
        for reg in leaf["regs"]:
            i = self.number(reg["index"], c.d, reg["file"])
            if i is not None and reg["role"] in ("address", "jump") and (reg["file"], i) in m.first and not m.zero(reg["file"], i):
                knobs.append((reg["file"], i))
        knobs += [(s, None) for s in leaf["slots"] if (s, None) in m.first and m.width(s) == 64]
        for place, i in knobs:
            k = m.first[place, i]
            old = c.sets.get(k)

            def at(x: int) -> int | None:
                c.sets[k] = x
                return self.observe(c, which)
            f0, f1 = at(0), at(16)
            if f0 is not None and f1 == (f0 + 16 & M64) and at(want - f0 & M64) == want:
                return True
            if old is None:
                del c.sets[k]
            else:
                c.sets[k] = old
        return self.solve_immediate(c, which, want)

    def solve_immediate(self, c: Case, which: int, want: int) -> bool:
        fields = c.leaf.get("fields", {})
        names = {n: f["bits"] for n, f in fields.items() if n in c.leaf["imm"]} if fields else {"disp": 32}
        for name, bits in names.items():
            old = c.d[name]
            mask = encode.placed(fields[name]) if fields else M64
            unit = mask & -mask

            def at(x: int) -> int | None:
                c.d[name] = encode.sext(x, 32) if "form" in c.leaf else x & mask
                return self.observe(c, which) if self.finish(c) else None
            f0, f1 = at(0), at(unit)
            if f0 is not None and f1 is not None and (slope := f1 - f0) and f1 > f0:
                x = (want - f0) // slope * unit
                if -(1 << bits - 1) <= x < 1 << bits - 1 and (y := at(x)) is not None and SCRATCH <= y <= SCRATCH + WINDOW - 64 | which >> 63:
                    return True
            c.d[name] = old
            self.finish(c)
        return False

    # ---- all cases of a leaf
    def dimensions(self, leaf: dict) -> list[tuple[dict, list[int]]]:
        out = [({"reg": r}, self.pool(leaf, r)) for r in leaf["regs"] if r["role"] == "value" and r["index"][0] != "other"]
        out += [({"imm": n}, v) for n, v in leaf["imm"].items()]
        if "form" in leaf and leaf["form"]["imm"] not in ("", "mo"):
            n = 8 * leaf["form"]["imm_bytes"]
            out.append(({"imm": "imm"}, [encode.sext(x, n) for x in self.m.values[f"b{n}"]]))
        return out[:2]

    def picks(self, leaf: dict) -> list[tuple]:
        """All pairs of boundary values of the first two operands (all values, if there is one)."""
        dims = self.dimensions(leaf)
        return [tuple((x, val) for (x, _), val in zip(dims, combo)) for combo in product(*(p for _, p in dims))]

    def cases(self, leaf: dict, count: int | None, batches: Batches) -> int:
        """Adds the cases of a leaf: all pairs and 1,000 random ones, or a sample of `count`."""
        picks = self.picks(leaf)
        todo: list[tuple] = picks + [()] * 1000
        if count is not None and count < len(todo):
            todo = [self.rng.choice(picks) if k % 2 else () for k in range(count)]
        made, like, left = 0, None, 0
        for pick in todo:
            batch = batches.current()
            again = count is None and left and not any("imm" in x for x, _ in pick)
            for k in range(4):
                c = self.case(leaf, batch, pick, like if again and k < 3 else None)
                if c is not None:
                    like, left = c.d, left - 1 if again and k < 3 else EACH
                    batch.add(c)
                    made += 1
                    break
            else:
                self.dropped[leaf["name"]] = self.dropped.get(leaf["name"], 0) + 1
        for _ in range(0 if made else 60):      # all of a small sample led too far
            batch = batches.current()
            c = self.case(leaf, batch, (), None)
            if c is not None:
                batch.add(c)
                return 1
        return made


EACH = 25       # further cases of an encoding: what translates code does it once for all of them
MEMORY = {"load", "store", "rmw", "cas", "load_ex", "store_ex", "fill", "probe"}


class Batches:
    def __init__(self) -> None:
        self.all: list[Batch] = [Batch()]

    def current(self) -> Batch:
        if self.all[-1].full:
            self.all.append(Batch())
        return self.all[-1]

    def __iter__(self) -> Iterator[Batch]:
        return (b for b in self.all if b.cases)


# ---- comparing -----------------------------------------------------------------------------------


def describe(m: Machine, c: Case) -> str:
    regs = {m.words[k].name if k < len(m.words) else f"mem+{8 * (k - len(m.words)):#x}": hex(x) for k, x in c.sets.items()
            if k < len(m.words)}
    return f"{c.leaf['name']} [{c.code.hex()}] pc {CODE + c.slot * SLOT:#x} {({k: hex(x) for k, x in c.d.items()})} with {regs}"


def show(m: Machine, kind: int, where: object, changes: dict[int, int]) -> str:
    named = {m.words[k].name if k < len(m.words) else f"mem+{8 * (k - len(m.words)):#x}": hex(x) for k, x in sorted(changes.items())}
    return f"{['next', 'jump', 'trap', 'restart', 'wait', 'illegal'][kind]} {where} {named}"


def same(m: Machine, c: Case, a: dict[int, int], b: dict[int, int], undefined: dict[int, int]) -> bool:
    """Whether two sets of changes agree in every defined bit."""
    for k in a.keys() | b.keys():
        start = c.sets.get(k, m.base[k])
        if (a.get(k, start) ^ b.get(k, start)) & ~undefined.get(k, 0):
            return False
    return True


@dataclass
class Report:
    compared: dict[str, int] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)   # cases whose bytes belong to another leaf
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def text(self) -> str:
        out = [f"{sum(map(len, self.wrong.values()))} differences in {len(self.wrong)} instructions"]
        for texts in list(self.wrong.values())[:30]:
            out += texts[:2]
        return "\n".join(out)


def against_oracle(m: Machine, batch: Batch, report: Report) -> None:
    for c, r in zip(batch.cases, m.run(batch, m.interpreter())):
        name = c.leaf["name"]
        if r.op != c.leaf["op"]:
            report.foreign[name] = report.foreign.get(name, 0) + 1
            continue
        try:
            o = m.run_oracle(c)
        except Unmodelled:
            continue
        report.compared[name] = report.compared.get(name, 0) + 1
        ok = not o.outside and r.kind == o.kind and same(m, c, r.changes, o.changes, {})
        if ok and r.kind == JUMP:
            ok = r.pc == o.pc
        elif ok and r.kind == TRAP:
            ok = (m.module.TRAPS[r.trap] if r.trap < len(m.module.TRAPS) else "", r.args) == (o.trap, o.args)
        if not ok and o.kind == JUMP and o.pc == CODE + c.slot * SLOT + len(c.code) and r.kind == NEXT:
            ok = same(m, c, r.changes, o.changes, {})
        if not ok:
            where = (m.module.TRAPS[r.trap], r.args) if r.kind == TRAP else hex(r.pc)
            report.wrong.setdefault(name, []).append(
                f"{describe(m, c)}\n    interpreter {show(m, r.kind, where, r.changes)}\n    oracle      "
                f"{show(m, o.kind, (o.trap, o.args) if o.kind == TRAP else hex(o.pc), o.changes)}")


def against_native(m: Machine, batch: Batch, command: list[str], report: Report) -> None:
    theirs = m.run(batch, command)
    for c, r, t in zip(batch.cases, m.run(batch, m.interpreter()), theirs):
        name = c.leaf["name"]
        if r.op != c.leaf["op"]:
            report.foreign[name] = report.foreign.get(name, 0) + 1
            continue
        report.compared[name] = report.compared.get(name, 0) + 1
        ok = r.kind == t.kind and (r.kind != JUMP or r.pc == t.pc) and (r.kind != TRAP or r.signal == t.signal)
        if ok and r.changes == t.changes:
            continue
        if ok and (c.leaf["undef"] or m.ignore):
            masks = {m.first[place, None]: bits for place, bits in m.ignore.items()}
            if c.leaf["undef"]:
                masks |= m.run_oracle(c).undefined
            if same(m, c, r.changes, t.changes, masks):
                continue
        where = (m.module.TRAPS[r.trap], f"signal {r.signal}") if r.kind == TRAP else hex(r.pc)
        report.wrong.setdefault(name, []).append(
            f"{describe(m, c)}\n    interpreter {show(m, r.kind, where, r.changes)}\n    reference   "
            f"{show(m, t.kind, f'signal {t.signal}' if t.kind == TRAP else hex(t.pc), t.changes)}")
