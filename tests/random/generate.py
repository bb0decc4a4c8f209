"""Random programs of an ISA, for tests/random/runner.c. Leaves, operands and values at borders come from vectors.json; what
a program needs beyond that (counting down, jumping back, calling) is found by asking the Python oracle. No instruction is
named here.

A program is straight-line code with jumps forward, loops that end, calls and breakpoints. Some registers are kept for that:
addresses in the middle of the memory, an index, counters, addresses of functions, a link register; an instruction that
would change one is not taken. The others hold anything, so data is random and most addresses are not."""
from __future__ import annotations

import random
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import encode  # noqa: E402
from meaning import Machine  # noqa: E402
from oracle import Outside, State, Trapped, Unmodelled  # noqa: E402

# tests/random/runner.c
CODE, MEMORY, SIZE, POOL = 0x50000000, 0x51000000, 1 << 16, 16
HEAD, WORD, PROGRAM = struct.Struct("<8I"), struct.Struct(f"<IIQQ{POOL}Q"), struct.Struct("<QIIQ")
FIXED, FREE, POOLED = range(3)
M64 = (1 << 64) - 1
FUNCTIONS, LONGEST = 2, 18          # LONGEST: bytes
LOOPS = (2, 24)                     # times that a loop runs
BREAK = {"riscv64": b"\x02\x90", "arm64": b"\x00\x00\x20\xd4", "x86_64": b"\xcc"}       # as tests/meaning/native.c


@dataclass(frozen=True)
class Insn:
    leaf: dict
    d: tuple[tuple[str, int], ...]
    code: bytes


@dataclass
class Step:
    """What the oracle says of one instruction."""
    kind: str                       # next, jump, trap or outside
    image: dict
    pc: int = 0
    accesses: list[int] = field(default_factory=list)


@dataclass
class Branch:
    """A jump to a fixed place: target = pc + at + slope * number. `other` are its operands but for the number."""
    leaf: dict
    d: dict[str, int]
    member: str
    unit: int
    at: int
    slope: int
    bits: int
    length: int                     # of the instruction that `at` was seen at


@dataclass
class Kept:
    """Registers of the file that addresses are in."""
    file: str
    bases: dict[int, int] = field(default_factory=dict)      # register -> value; never written
    walkers: dict[int, int] = field(default_factory=dict)    # may be written by instructions that use them as addresses
    index: int = -1
    counters: tuple[int, ...] = ()
    functions: tuple[int, ...] = ()
    link: int = -1

    def all(self) -> set[int]:
        return {*self.bases, *self.walkers, self.index, *self.counters, *self.functions, self.link} - {-1}


class Impossible(Exception):
    """An operand that cannot be made."""


class Asker:
    """Makes instructions and asks the oracle what they do."""

    def __init__(self, m: Machine, skip: dict[str, str], rng: random.Random) -> None:
        self.m, self.rng = m, rng
        self.mem = bytearray(rng.randbytes(SIZE))
        self.images = []
        for _ in range(40):
            m.randomize(rng)
            self.images.append(m.image)
        # The file that addresses are in.
        seen: dict[str, int] = {}
        for leaf in m.leaves:
            for r in leaf["regs"]:
                if r["role"] == "address" and (r["file"], 0) in m.first and m.width(r["file"]) == 64:
                    seen[r["file"]] = seen.get(r["file"], 0) + 1
        self.file = max(seen, key=lambda f: seen[f])
        self.count = m.module.FILES[self.file][0]
        self.zero = m.module.FILES[self.file][2]
        self.known = [i for i in range(self.count) if (self.file, i) in m.first]
        self.skip = skip
        self.leaves = [leaf for leaf in m.leaves if not any(fnmatch(leaf["name"], p) for p in skip)]
        # Registers that instructions use as addresses without naming them, and walk with; of these, what calls use.
        self.walking = {n for leaf in self.leaves for k, n in self.fields(leaf["regs"], "address") if k == "const" and (k, n) in self.fields(leaf["writes"])}
        self.stack = {n for leaf in self.leaves if leaf["jump"] for k, n in self.fields(leaf["regs"], "address") if n in self.walking}
        self.kept: Kept | None = None

    def shake(self) -> None:
        """Another random state."""
        self.m.image = self.rng.choice(self.images)

    # ---- one instruction
    def operands(self, leaf: dict) -> dict[str, int]:
        rng, d = self.rng, {}
        if "form" in leaf:
            encode.choose(leaf, self.m, rng, d)
            d["seg"] = 0
            if d["rep"] and leaf["form"]["attrs"].keys() & {"rep", "repz"} and rng.random() < 0.5:
                d["rep"] = 0
            return d
        for name, f in leaf["fields"].items():
            if name in leaf["files"]:
                d[name] = f["add"] + rng.getrandbits(f["bits"])
            else:
                x = rng.choice(leaf["imm"][name]) if rng.random() < 0.6 else rng.getrandbits(f["bits"])
                d[name] = x & encode.placed(f)
        for a, b in leaf["alias"]:
            if rng.random() < 0.15 and b in leaf["fields"] and 0 <= d[a] - leaf["fields"][b]["add"] < 1 << leaf["fields"][b]["bits"]:
                d[b] = d[a]
        return d

    def put(self, leaf: dict, d: dict[str, int], name: str, registers: list[int]) -> None:
        """Sets an operand to one of these registers that it can name."""
        if "form" in leaf:
            room = range(16 if name in ("reg", "rm", "base", "index", "vvvv") else 0)
            if name in encode.byte_places(leaf["form"]) and (d["reg"] >= 16 or d["rm"] >= 16):
                raise Impossible
        else:
            f = leaf["fields"][name]
            room = range(f["add"], f["add"] + (1 << f["bits"]))
        those = [r for r in registers if r in room]
        if not those:
            raise Impossible
        d[name] = self.rng.choice(those)

    def finish(self, leaf: dict, d: dict[str, int]) -> Insn:
        _, derived, reserved = self.m.module.LEAVES[leaf["name"]]
        for name, fn in derived.items():
            d[name] = fn(d)
        if reserved is not None and reserved(d):
            raise Impossible
        return Insn(leaf, tuple(d.items()), encode.code(leaf, self.m, d))

    def image(self, **sets: int) -> dict:
        """A random state; the kept registers as programs have them."""
        m, kept = self.m, self.kept
        image = {k: list(x) if isinstance(x, list) else x for k, x in m.image.items()}
        if kept:
            for r, x in {**kept.bases, **kept.walkers}.items():
                image[self.file][r] = x
            if kept.index >= 0:
                image[self.file][kept.index] = 8
        for name, x in sets.items():
            image[self.file][int(name[1:])] = x
        return image

    def ask(self, i: Insn, image: dict, pc: int = CODE + 0x8000, excl: tuple[int, int] | None = None) -> Step:
        """Takes over the image. excl: the reservation, an address and bits."""
        fn = self.m.module.LEAVES[i.leaf["name"]][0]
        s = State.__new__(State)
        s.__dict__.update(image)
        s.__dict__.update(module=self.m.module, pc=pc, next=pc + len(i.code) & M64, window=MEMORY, mem=self.mem, target=None, ends=set(),
                          excl=excl, undefined={}, committed=None, helpers=self.m.helpers, accesses=[])
        kind = "next"
        d = dict(i.d)
        try:
            for _ in range(20):
                s.committed = None
                if fn(s, d) != "restart":
                    break
        except Trapped:
            kind = "trap"
        except Outside:
            kind = "outside"
        if kind == "next" and s.target is not None:
            kind = "jump"
        return Step(kind, s.__dict__, s.target or 0, s.accesses)

    def changes(self, before: dict, after: dict) -> dict[tuple[str, int | None], tuple[int, int]]:
        out: dict[tuple[str, int | None], tuple[int, int]] = {}
        for name in self.m.image:
            a, b = before[name], after[name]
            if isinstance(a, list):
                out.update({(name, k): (x, y) for k, (x, y) in enumerate(zip(a, b)) if x != y})
            elif a != b:
                out[name, None] = (a, b)
        return out

    def fields(self, refs: list[dict], role: str | None = None) -> list[tuple[str, int | str]]:
        """Operands in the file of addresses: ("field", name) or ("const", number)."""
        return [tuple(r["index"]) for r in refs if r["file"] == self.file and (role is None or r["role"] == role)]

    # ---- what programs need, by asking
    def tries(self, leaf: dict, n: int) -> Iterator[dict[str, int]]:
        for _ in range(n):
            yield self.operands(leaf)

    def simple(self) -> list[dict]:
        return [x for x in self.leaves if not x["effects"] and not x["jump"] and not x["traps"] and not x["helpers"] and not x["ends"]
                and not x["undef"]]

    def constant(self, r: int) -> list[tuple[Insn, int]]:
        """Instructions that set register r to a small number, and that number."""
        out = []
        for leaf in self.simple():
            names = [n for k, n in self.fields(leaf["writes"]) if k == "field"]
            if len(leaf["writes"]) != 1 or len(names) != 1 or self.file != leaf["writes"][0]["file"]:
                continue
            for d in self.tries(leaf, 60):
                try:
                    self.put(leaf, d, str(names[0]), [r])
                    if self.zero is not None:
                        for k, n in self.fields(leaf["regs"]):
                            if k == "field" and n != names[0]:
                                self.put(leaf, d, str(n), [self.zero])
                    i = self.finish(leaf, d)
                except Impossible:
                    continue
                x = self.small(i, r, 4)
                if x >= 0:
                    # Two bits from elsewhere may look like a constant for a while, and a loop from zero does not end.
                    at = self.rng.getstate()
                    if self.small(i, r, 60) == x:
                        out.append((i, x))
                    self.rng.setstate(at)
                    break
        return out

    def small(self, i: Insn, r: int, times: int) -> int:
        """The number for a loop that register r always has after the instruction, which changes nothing else; -1: none."""
        found: set[int] = set()
        for x in (0, M64, *(self.rng.getrandbits(64) for _ in range(times))):
            self.shake()
            before = self.image(**{f"r{r}": x})
            after = self.ask(i, self.image() | {self.file: list(before[self.file])})
            y = after.image[self.file][r]
            if after.kind != "next" or not LOOPS[0] <= y <= LOOPS[1] or found - {y} or \
                    any(f != (self.file, r) for f in self.changes(before, after.image)):
                return -1
            found.add(y)
        return found.pop()

    def countdown(self, r: int) -> list[Insn]:
        """Instructions that take one from register r and change no other register of its file."""
        out = []
        for leaf in self.simple():
            if len(self.fields(leaf["writes"])) != 1 or len(leaf["writes"]) != 1:
                continue
            for d in self.tries(leaf, 400 if any(len(v) > 1 for v in leaf["imm"].values()) else 20):
                if "form" not in leaf and self.rng.random() < 0.5:      # with a fair chance that this is the one
                    for name in leaf["imm"]:
                        d[name] = self.rng.choice((0, 1, -1)) & encode.placed(leaf["fields"][name])
                try:
                    for k, n in self.fields(leaf["writes"]) + self.fields(leaf["regs"]):
                        if k == "field":
                            self.put(leaf, d, str(n), [r])
                    i = self.finish(leaf, d)
                except Impossible:
                    continue
                for x in (1, 5, 1000, 1 << 40) * 3:
                    self.shake()
                    s = self.ask(i, self.image(**{f"r{r}": x}))
                    if s.kind != "next" or s.image[self.file][r] != x - 1:      # nearly always
                        break
                    before = self.image(**{f"r{r}": x})
                    ch = {k: v for k, v in self.changes(before, s.image).items() if k[1] is not None}
                    if ch != {(self.file, r): (x, x - 1)}:
                        break
                else:
                    out.append(i)
                    break
        return out

    def direct(self, leaf: dict) -> Branch | None:
        """How the target of a jump depends on its number."""
        if not leaf["jump"] or leaf["effects"] or leaf["traps"] or self.fields(leaf["regs"], "jump"):
            return None
        return self.number(leaf)

    def number(self, leaf: dict) -> Branch | None:
        members = ["imm"] if "form" in leaf and leaf["form"]["imm"].startswith("c") else [] if "form" in leaf else list(leaf["imm"])
        for d in self.tries(leaf, 12):
            for member in members:
                bits = 8 * leaf["form"]["imm_bytes"] if "form" in leaf else leaf["fields"][member]["bits"]
                mask = (1 << bits) - 1 if "form" in leaf else encode.placed(leaf["fields"][member])
                unit = mask & -mask
                for _ in range(4):
                    self.shake()
                    at = []
                    for x in (0, unit):
                        try:
                            i = self.finish(leaf, {**d, member: x})
                        except Impossible:
                            break
                        s = self.ask(i, self.image())
                        if s.kind != "jump":
                            break
                        at.append(s.pc - (CODE + 0x8000))
                    if len(at) == 2 and at[1] - at[0] > 0:
                        return Branch(leaf, d, member, unit, at[0], at[1] - at[0], bits, len(i.code))
        return None

    def aim(self, b: Branch, distance: int, d: dict[str, int] | None = None) -> Insn:
        """The jump with its target `distance` bytes from its own start."""
        longer = len(self.finish(b.leaf, {**(d or b.d), b.member: 0}).code) - b.length      # a prefix more
        x, rest = divmod(distance - b.at - longer, b.slope)
        x *= b.unit
        if rest or not -(1 << b.bits - 1) <= x < 1 << b.bits - 1:
            raise Impossible
        mask = (1 << b.bits) - 1
        return self.finish(b.leaf, {**(d or b.d), b.member: encode.sext(x, b.bits) if "form" in b.leaf else x & mask})

    def back(self, down: Insn, branches: list[Branch], r: int) -> list[Branch]:
        """Jumps that, right behind `down`, are taken if register r is not zero then."""
        out = []
        for b in branches:
            for d in self.tries(b.leaf, 12):
                try:
                    names = [str(n) for k, n in self.fields(b.leaf["regs"]) if k == "field"]
                    if names:
                        for n in names:
                            self.put(b.leaf, d, n, [r] if n == names[0] or self.zero is None else [self.zero])
                        if self.rng.random() < 0.5:
                            d[names[0]], d[names[-1]] = d[names[-1]], d[names[0]]
                    i = self.aim(b, -64, d)
                except Impossible:
                    continue
                good = True
                for x in (1, 2, 3, 9, 1, 1 << 33) * 4:
                    self.shake()
                    s = self.ask(down, self.image(**{f"r{r}": x}))
                    regs = list(s.image[self.file])
                    s = self.ask(i, {k: s.image[k] for k in self.m.image})
                    good &= (s.kind == "jump") == (x != 1) and s.image[self.file] == regs
                if good:
                    out.append(replace(b, d=d))
                    break
        return out

    def calls(self, kept: Kept) -> tuple[list[Insn | Branch], list[Insn]]:
        """Calls (of functions[0], or of a fixed place) and the returns that lead behind them."""
        target = CODE + 0x4000
        function = kept.functions[0]
        calls: list[tuple[Insn, Branch | None]] = []
        jumps = [x for x in self.leaves if x["jump"] and not x["traps"] and not x["helpers"] and not x["undef"]]
        for leaf in jumps:
            b = self.number(leaf) if not self.fields(leaf["regs"], "jump") else None
            for d in [b.d] if b else self.tries(leaf, 40):
                try:
                    for k, n in self.fields(leaf["regs"], "jump"):
                        if k == "field":
                            self.put(leaf, d, str(n), [function])
                    for k, n in self.fields(leaf["writes"]):
                        if k == "field":
                            self.put(leaf, d, str(n), [kept.link])
                    i = self.aim(b, -0x4000, d) if b else self.finish(leaf, d)
                except Impossible:
                    continue
                before = self.image(**{f"r{function}": target})
                s = self.ask(i, self.image(**{f"r{function}": target}))
                ch = {k[1] for k in self.changes(before, s.image) if k[0] == self.file}
                if s.kind == "jump" and s.pc == target and ch and ch <= {kept.link, *self.stack}:
                    calls.append((i, replace(b, d=d) if b else None))
                    break
        returns = []
        good: list[Insn | Branch] = []
        for leaf in jumps:
            for d in self.tries(leaf, 40):
                try:
                    for k, n in self.fields(leaf["regs"], "jump"):
                        if k == "field":
                            self.put(leaf, d, str(n), [kept.link])
                    for k, n in self.fields(leaf["writes"]):
                        if k == "field" and self.zero is not None:
                            self.put(leaf, d, str(n), [self.zero])
                    r = self.finish(leaf, d)
                except Impossible:
                    continue
                ok = 0
                for i, b in calls:
                    before = self.image(**{f"r{function}": target})
                    s = self.ask(i, self.image(**{f"r{function}": target}))
                    s = self.ask(r, {k: s.image[k] for k in self.m.image}, target)
                    ch = {k[1] for k in self.changes(before, s.image) if k[0] == self.file}
                    ok += s.kind == "jump" and s.pc == CODE + 0x8000 + len(i.code) and ch <= {kept.link}
                if ok and ok == len(calls):
                    returns.append(r)
                    break
        if returns:
            good = [b or i for i, b in calls]
        return good, returns

    def nothing(self) -> list[Insn]:
        """Instructions that do nothing, one of each length."""
        out: dict[int, Insn] = {}
        for leaf in self.leaves:
            if leaf["effects"] or leaf["jump"] or leaf["traps"] or leaf["helpers"] or leaf["ends"]:
                continue
            if any(w["file"] != self.file for w in leaf["writes"]):     # a planted mistake would show in it
                continue
            for d in self.tries(leaf, 10):
                try:
                    for k, n in self.fields(leaf["writes"]):
                        if k == "field" and self.zero is not None:
                            self.put(leaf, d, str(n), [self.zero])
                    i = self.finish(leaf, d)
                except Impossible:
                    continue
                if len(i.code) in out:
                    break
                for _ in range(12):
                    self.shake()
                    s = self.ask(i, self.image())
                    if s.kind != "next" or self.changes(self.image(), s.image):
                        break
                else:
                    out[len(i.code)] = i
                    break
        return sorted(out.values(), key=lambda i: -len(i.code))


# ---- programs ------------------------------------------------------------------------------------


@dataclass
class Item:
    """A piece of a program whose length is known before its place."""
    insn: Insn | None = None
    branch: Branch | None = None        # to label `to`
    d: dict[str, int] = field(default_factory=dict)
    to: int = -1
    label: int = -1                     # no code: a place
    data: bytes = b""                   # a breakpoint
    size: int = 0
    at: int = 0


@dataclass
class Program:
    seed: int
    code: bytes
    lengths: bytes
    number: int
    fixed: dict[int, int]               # words

    def starts(self) -> list[int]:
        return [k for k, n in enumerate(self.lengths) if n]


class Writer:
    """Writes programs of one machine; the kept registers are the same in all of them."""

    def __init__(self, m: Machine, skip: dict[str, str], seed: int, foreign: bool, pools: dict[str, list[int]]) -> None:
        self.m, self.rng, self.foreign, self.pools = m, random.Random(f"{m.isa} {seed}"), foreign, pools
        self.a = Asker(m, skip, self.rng)
        self.choose_registers()
        self.find_idioms()
        self.plain = [x for x in self.a.leaves if not x["jump"] and self.sane(x)]
        self.loads_ex, self.stores_ex = ([x for x in self.plain if e in x["effects"]] for e in ("load_ex", "store_ex"))
        if foreign:             # what a store without its load does is left open
            self.plain = [x for x in self.plain if "store_ex" not in x["effects"]]
        self.weights = [3 if x["effects"] else 2 for x in self.plain]

    def choose_registers(self) -> None:
        a, rng = self.a, self.rng
        const = {r["index"][1] for x in a.leaves if x["jump"] for r in x["writes"] if r["file"] == a.file and r["index"][0] == "const"}
        used = {r["index"][1] for x in a.leaves for r in (*x["regs"], *x["writes"]) if r["file"] == a.file and r["index"][0] == "const"}
        k = Kept(a.file)
        middle = MEMORY + SIZE // 2
        for r in sorted(a.walking):
            k.walkers[r] = middle + 64 * rng.randrange(-32, 32)
        links = const - a.stack
        if links:
            k.link = min(links)
        rep = {r["index"][1] for x in a.leaves if "form" in x and x["form"]["attrs"].keys() & {"rep", "repz"} for r in x["regs"]
               if r["file"] == a.file and r["index"][0] == "const" and r["role"] == "value"}
        k.index = encode.count_register(self.m)[1] if rep else -1
        taken = {*k.walkers, k.link, k.index, a.zero}
        # Registers that short fields can name come first, for bases and walkers.
        short = [f for x in a.leaves for n, f in x.get("fields", {}).items() if x["files"].get(n) == a.file]
        low = {r for f in short if f["bits"] < 5 for r in range(f["add"], f["add"] + (1 << f["bits"]))}
        free = [r for r in a.known if r not in taken and r not in used]
        rng.shuffle(free)
        free.sort(key=lambda r: r not in low)
        k.bases[free.pop(0)] = middle + 64 * rng.randrange(-8, 8)
        k.walkers[free.pop(0)] = middle + rng.randrange(-4096, 4096)
        rng.shuffle(free)
        if k.index < 0:
            k.index = free.pop(0)
        k.bases[free.pop(0)] = middle + 4096 - rng.choice([1, 2, 4, 8, 12, 24])
        if len(a.known) > 20:
            k.walkers[free.pop(0)] = middle + rng.randrange(-4096, 4096)
        k.counters = (free.pop(0), free.pop(0))
        k.functions = tuple(free.pop(0) for _ in range(FUNCTIONS if len(a.known) > 20 else 1))
        if k.link < 0 and not const:
            k.link = free.pop(0)
        self.kept = k
        self.kept_set = k.all()
        self.free = [r for r in range(a.count) if r not in self.kept_set]

    def find_idioms(self) -> None:
        a, k = self.a, self.kept
        a.kept = k
        self.branches = [b for b in (a.direct(x) for x in a.leaves) if b]
        self.constants = {c: a.constant(c) for c in k.counters}
        self.loops: dict[int, list[tuple[Insn, Branch]]] = {}
        for c in k.counters:
            downs = a.countdown(c)
            self.loops[c] = [(down, b) for down in downs[:6] for b in a.back(down, self.branches, c)]
        self.calls, self.returns = a.calls(k)
        self.nops = a.nothing()
        # Jumps that leave kept registers alone.
        self.forward = [b for b in self.branches if not any(True for _ in a.fields(b.leaf["writes"]))
                        or any(x == "field" for x, _ in a.fields(b.leaf["writes"]))]
        missing = [n for n, x in (("constants", all(self.constants.values())), ("loops", all(self.loops.values())), ("calls", self.calls),
                                  ("returns", self.returns), ("nothing", self.nops)) if not x]
        assert not missing, f"{self.m.isa}: nothing found for {missing}"

    def sane(self, leaf: dict) -> bool:
        """Does not always trap, and the oracle knows all of it."""
        if self.foreign and leaf["undef"]:
            return False
        for _ in range(24):
            try:
                i = self.instance(leaf, wild=True)
                if i and self.a.ask(i, self.a.image()).kind in ("next", "outside"):
                    return True
            except (Impossible, Unmodelled):
                continue
        return False

    def exact(self, leaf: dict) -> bool:
        """Whether its address must not be anything: the reference does not report what then happens."""
        return any(fnmatch(leaf["name"], p) and kinds.intersection(leaf["traps"]) for p, kinds in self.m.avoid.items())

    def instance(self, leaf: dict, wild: bool = False, fixed: int = -1) -> Insn | None:
        """The leaf with random operands, harmless to the kept registers; None when these operands are not."""
        a, k, rng = self.a, self.kept, self.rng
        d = a.operands(leaf)
        addresses = [str(n) for x, n in a.fields(leaf["regs"], "address") if x == "field"]
        writes = [str(n) for x, n in a.fields(leaf["writes"]) if x == "field"]
        bases = [fixed] if fixed >= 0 else list(k.bases) + list(k.walkers)
        for n in writes:
            if n in d and n not in addresses and self.register(d[n]) in self.kept_set:
                a.put(leaf, d, n, self.free)
        loose = rng.random() < 0.01 and not self.exact(leaf) and fixed < 0 and not self.foreign      # a reference may have memory anywhere
        if not loose:
            first = True
            for n in addresses:
                if d.get(n, 0) >= a.count and "form" in leaf:       # none, or the PC
                    continue
                if n in writes:
                    a.put(leaf, d, n, list(k.walkers))
                elif self.exact(leaf):
                    a.put(leaf, d, n, [r for r in bases if k.bases.get(r, 1) % 64 == 0])
                elif first or "form" in leaf and n == "base":
                    a.put(leaf, d, n, bases)
                else:
                    a.put(leaf, d, n, [k.index])
                first = False
            for n in d:         # small numbers are near
                if n in leaf.get("imm", {}) and leaf["effects"] and rng.random() < 0.5 or n == "disp" and rng.random() < 0.8:
                    if n == "disp":
                        d[n] = encode.sext(rng.getrandbits(rng.choice([3, 6, 10, 14])), 15)
        i = a.finish(leaf, d)
        if wild:
            return i
        s = a.ask(i, a.image())
        known = all((int(n) if x == "const" else self.register(d.get(str(n), 0))) in self.kept_set for x, n in a.fields(leaf["regs"], "address"))
        if s.kind == "outside" and not loose and (self.foreign and not known or rng.random() < 0.97):
            return None
        if s.kind == "jump" or s.kind == "trap" and rng.random() < 0.95:
            return None
        if self.foreign and len(set(s.accesses)) > 1 and any(self.register(d.get(n, 0)) in k.walkers for n in addresses):
            return None         # when the second access faults, what the first one did is left open; bases stay in the memory
        before = a.image()
        changed = {r for r, (x, y) in enumerate(zip(before[a.file], s.image[a.file])) if x != y}
        allowed = {*k.walkers} if leaf["effects"] else set()
        if "form" in leaf and leaf["form"]["attrs"].keys() & {"rep", "repz"}:
            allowed.add(k.index)
        written = {n if x == "const" else d.get(str(n), -1) for x, n in a.fields(leaf["writes"])}
        if (changed | {self.register(int(n)) for n in written}) & self.kept_set - allowed:
            return None
        # Walkers walk, they do not leave.
        for w in k.walkers:
            if abs(s.image[a.file][w] - before[a.file][w]) > 512:
                return None
        for name, x in self.m.image.items():                # kept slots: stack pointers that are no registers
            if name in self.pools and len(self.pools[name]) == 1 and s.image[name] != before[name]:
                return None
        return i

    def register(self, n: int) -> int:
        """The register of an operand: high bytes have numbers of their own."""
        return n if n < self.a.count else n & 15

    def some(self, quiet: bool) -> Item:
        """A plain instruction; quiet: one that leaves a stack alone."""
        while True:
            leaf = self.rng.choices(self.plain, self.weights)[0]
            if quiet and self.a.stack and (leaf["effects"] not in ([], ["load"]) or ("const", min(self.a.stack)) in self.a.fields(leaf["writes"])):
                continue
            for _ in range(6):
                try:
                    i = self.instance(leaf)
                except (Impossible, Unmodelled):
                    continue
                if i and len(i.code) <= LONGEST:
                    return Item(insn=i, size=len(i.code))

    def pair(self, out: list[Item]) -> None:
        """A load that reserves, and the store that depends on it."""
        a = self.a
        for _ in range(200):
            try:
                load, store = self.rng.choice(self.loads_ex), self.rng.choice(self.stores_ex)
                i = self.instance(load)
                names = [str(n) for x, n in a.fields(load["regs"], "address") if x == "field"]
                if not i or len(names) != 1 or (base := dict(i.d)[names[0]]) not in self.kept.bases:
                    continue
                s = a.ask(i, a.image())
                excl = s.image["excl"]
                j = self.instance(store, fixed=base)
                if not j or s.kind != "next" or excl is None or a.ask(j, a.image(), excl=excl).image["excl"] is not None:
                    continue
            except (Impossible, Unmodelled):
                continue
            out.append(Item(insn=i, size=len(i.code)))
            while self.rng.random() < 0.5:
                x = self.some(True)
                if x.insn and not x.insn.leaf["effects"] and not x.insn.leaf["traps"]:
                    out.append(x)
            out.append(Item(insn=j, size=len(j.code)))
            return

    def jump(self, to: int) -> Item:
        """A jump forward, taken or not."""
        a = self.a
        while True:
            b = self.rng.choice(self.forward)
            d = a.operands(b.leaf)
            try:
                for x, n in a.fields(b.leaf["writes"]):
                    if x == "field":
                        a.put(b.leaf, d, str(n), [r for r in self.free if r != a.zero] if self.rng.random() < 0.5 else self.free)
                i = a.aim(b, 96, d)
            except Impossible:
                continue
            return Item(branch=b, d=d, to=to, size=len(i.code))

    def body(self, out: list[Item], n: int, depth: int, calls: bool) -> None:
        """n instructions or so, with what they may hold."""
        rng = self.rng
        pending: list[tuple[int, int]] = []         # label, instructions until it
        while n > 0:
            what = rng.random()
            if what < 0.07:
                label = self.label()
                out.append(self.jump(label))
                pending.append((label, rng.randint(1, 5)))
            elif what < 0.11 and depth < len(self.kept.counters) and n > 3:
                c = self.kept.counters[depth]
                rng_len = min(n - 2, rng.randint(2, 12))
                i, _ = rng.choice(self.constants[c])
                out.append(Item(insn=i, size=len(i.code)))
                start = self.label()
                out.append(Item(label=start))
                self.body(out, rng_len, depth + 1, calls)
                down, b = rng.choice(self.loops[c])
                out += [Item(insn=down, size=len(down.code)), Item(branch=b, d=b.d, to=start, size=len(self.a.aim(b, -64, b.d).code))]
                n -= rng_len
            elif what < 0.15 and calls:
                c = rng.choice(self.calls)
                k = rng.randrange(len(self.kept.functions))
                if isinstance(c, Branch):
                    out.append(Item(branch=c, d=c.d, to=k, size=len(self.a.aim(c, -0x4000, c.d).code)))
                else:
                    d = dict(c.d)
                    for x, name in self.a.fields(c.leaf["regs"], "jump"):
                        if x == "field":
                            d[str(name)] = self.kept.functions[k]
                    i = self.a.finish(c.leaf, d)
                    out.append(Item(insn=i, size=len(i.code)))
            elif what < 0.17 and calls and self.loads_ex and self.stores_ex:
                self.pair(out)
            else:
                out.append(self.some(not calls))
            n -= 1
            pending = [(label, k - 1) for label, k in pending]
            out += [Item(label=label) for label, k in pending if k <= 0]
            pending = [(label, k) for label, k in pending if k > 0]
        out += [Item(label=label) for label, _ in pending]

    def label(self) -> int:
        self.labels += 1
        return self.labels

    def program(self, seed: int, segments: int = 24, length: int = 30) -> Program:
        """Segments end with breakpoints; the functions stand behind the last one at fixed places, label k for function k."""
        self.rng.seed(f"{self.m.isa} {seed}")
        self.a.shake()
        for _ in range(50):
            try:
                return self.attempt(seed, segments, length)
            except Impossible:          # a jump too short
                continue
        raise AssertionError("no program can be made")

    def attempt(self, seed: int, segments: int, length: int) -> Program:
        self.labels = len(self.kept.functions)
        stop = BREAK[self.m.isa]
        items: list[Item] = []
        functions: list[Item] = []
        for k in range(len(self.kept.functions)):
            functions.append(Item(label=k))
            self.body(functions, self.rng.randint(2, 10), len(self.kept.counters), False)
            r = self.rng.choice(self.returns)
            functions.append(Item(insn=r, size=len(r.code)))
        # A jump over the functions, which come first, so that their places are known.
        over = self.label()
        while True:
            first = self.jump(over)
            if first.branch and not self.a.fields(first.branch.leaf["regs"]) and not first.branch.leaf["slots"]:
                break
        items = [first, *functions, Item(label=over)]
        for _ in range(segments):
            self.body(items, self.rng.randint(length // 2, length * 3 // 2), 0, True)
            items.append(Item(data=stop, size=len(stop)))
        items.pop()                     # the end is a breakpoint by itself
        places: dict[int, int] = {}
        at = 0
        for x in items:
            if x.label >= 0:
                places[x.label] = at
            x.at = at
            at += x.size
        code, lengths = bytearray(), bytearray()
        for x in items:
            if x.branch:
                i = self.a.aim(x.branch, places[x.to] - x.at, x.d)
                if len(i.code) != x.size:
                    raise Impossible
                piece = i.code
            else:
                piece = x.insn.code if x.insn else x.data
            code += piece
            lengths += bytes([len(piece), *[0] * (len(piece) - 1)]) if piece else b""
        assert len(code) < SIZE - 16
        fixed = {self.m.first[self.a.file, r]: CODE + places[k] for k, r in enumerate(self.kept.functions)}
        return Program(seed, bytes(code), bytes(lengths), seed, fixed)

    # ---- streams
    def words(self) -> bytes:
        """How the words of the state are made."""
        k, out = self.kept, []
        fixed = {**k.bases, **k.walkers}
        rng = random.Random(5)
        fixed[k.index] = 8
        for w in self.m.words:
            kind, mask, value = FREE, (1 << w.bits) - 1, 0
            pool = [rng.getrandbits(w.bits) for _ in range(POOL)]
            if self.m.zero(w.place, w.index):
                kind = FIXED
            elif w.place == k.file and w.index in self.kept_set:
                kind, value = FIXED, fixed.get(w.index, 0)
            elif w.place in self.pools or isinstance(self.m.limits.get(w.place), list):
                values = self.pools.get(w.place) or self.m.limits[w.place]
                kind, pool, value = POOLED, [values[i % len(values)] for i in range(POOL)], values[0]
            elif w.bits == 64:
                pool = [rng.choice(self.values(w.place)) for _ in range(POOL)]
            mask &= self.limit(w.place)
            out.append(WORD.pack(kind, 0, mask, value, *(x & mask for x in pool)))
        return b"".join(out)

    def limit(self, place: str) -> int:
        x = self.m.limits.get(place, M64)
        return x if isinstance(x, int) else M64

    def values(self, place: str) -> list[int]:
        v = self.m.values
        if place == self.kept.file:
            return v["b64"]
        singles = v["f32"]
        return v["f64"] + [x | M64 ^ 0xffffffff for x in singles] + [x | y << 32 for x, y in zip(singles, singles[3:] + singles[:3])]
