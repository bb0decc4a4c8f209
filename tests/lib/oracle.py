"""Runs the generated Python oracle of an ISA: the state that its functions work on, memory, floating point, helpers.

What instructions mean is generated from the description; what floating-point operations mean is pyfp; nothing here knows
an ISA. Memory is a window of bytes: an access outside raises Outside, because real memory decides what happens there."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pyfp  # noqa: E402


class Trapped(Exception):
    def __init__(self, kind: str, args: tuple[int, ...]) -> None:
        self.kind, self.arguments = kind, args


class Outside(Exception):
    """An access to memory that is not in the window."""


class Unmodelled(Exception):
    """A helper without a Python twin."""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"oracle_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RMW: dict[str, Callable[[int, int, int], int]] = {
    "swap": lambda a, b, n: b, "add": lambda a, b, n: a + b, "and": lambda a, b, n: a & b, "or": lambda a, b, n: a | b,
    "xor": lambda a, b, n: a ^ b, "andnot": lambda a, b, n: a & ~b, "min_u": lambda a, b, n: min(a, b),
    "max_u": lambda a, b, n: max(a, b), "min_s": lambda a, b, n: min(a, b, key=lambda x: x ^ 1 << n - 1),
    "max_s": lambda a, b, n: max(a, b, key=lambda x: x ^ 1 << n - 1)}


class State:
    """The state of one processor during one instruction. `mem` are the bytes from `window` on."""

    def __init__(self, module: ModuleType, pc: int, length: int, window: int, mem: bytearray) -> None:
        self.module = module
        for name, (n, _, _) in module.FILES.items():
            setattr(self, name, [0] * n)
        for name, (_, reset) in module.SLOTS.items():
            setattr(self, name, reset)
        self.pc, self.next = pc, pc + length & (1 << 64) - 1
        self.window, self.mem = window, mem
        self.target: int | None = None
        self.ends: set[str] = set()
        self.excl: tuple[int, int] | None = None
        self.undefined: dict[tuple, int] = {}           # place -> bits
        self.committed: dict[str, object] | None = None
        self.helpers: dict[str, Callable] = {}
        self.accesses: list[int] = []

    # ---- hooks of the generated functions
    def has(self, name: str) -> int:
        return int(name in self.module.FEATURES)

    def trap(self, kind: str, *args: int) -> None:
        raise Trapped(kind, args)

    def jump(self, target: int) -> None:
        self.target = target

    def end(self, reason: str) -> None:
        self.ends.add(reason)

    def image(self) -> dict[str, object]:
        d = self.__dict__
        return {**{f: list(d[f]) for f in self.module.FILES}, **{s: d[s] for s in self.module.SLOTS}}

    def commit(self) -> None:
        self.committed = self.image()

    def undef(self, place: tuple, mask: int) -> None:
        self.undefined[place] = mask

    def defined(self, place: tuple) -> None:
        self.undefined.pop(place, None)

    def at(self, a: int, n: int) -> int:
        self.accesses.append(a)
        off = a - self.window
        if not 0 <= off <= len(self.mem) - n:
            raise Outside
        return off

    def load(self, w: int, a: int) -> int:
        off = self.at(a, w // 8)
        return int.from_bytes(self.mem[off:off + w // 8], "little")

    def store(self, w: int, a: int, value: int, undefined: int = 0) -> None:
        off = self.at(a, w // 8)
        self.mem[off:off + w // 8] = value.to_bytes(w // 8, "little")
        for i in range(w // 8):
            if undefined >> 8 * i & 0xff:
                self.undefined[("memory", off + i)] = undefined >> 8 * i & 0xff

    def rmw(self, w: int, op: str, a: int, value: int) -> int:
        old = self.load(w, a)
        self.store(w, a, RMW[op](old, value, w) & (1 << w) - 1)
        return old

    def cas(self, w: int, a: int, expect: int, new: int) -> int:
        old = self.load(w, a)
        if old == expect:
            self.store(w, a, new)
        return old

    def load_ex(self, w: int, a: int) -> int:
        self.excl = (a, w)
        return self.load(w, a)

    def store_ex(self, w: int, a: int, value: int) -> int:
        self.at(a, w // 8)              # whether a store that fails looks at its address is left open
        if self.excl != (a, w):
            return 0
        self.store(w, a, value)
        self.excl = None
        return 1

    def fill(self, a: int, n: int, value: int) -> None:
        off = self.at(a, n)
        self.mem[off:off + n] = bytes([value]) * n

    def probe(self, a: int, n: int, access: str) -> None:
        self.at(a, n)

    def fence(self, *sets: int) -> None:
        pass

    def fp(self, attrs: dict, modes: tuple[int, int, int], args: tuple[int, ...]) -> tuple[int, ...]:
        return pyfp.operation(attrs, modes, args)

    def fclass(self, w: int, x: int) -> int:
        return pyfp.classify(w, x)

    def helper(self, name: str, *args: int) -> tuple[int, ...]:
        if name not in self.helpers:
            raise Unmodelled(name)
        return self.helpers[name](self, *args)

    def sysread(self, n: int) -> int:
        if n not in self.module.READS:
            self.module.sys_undefined(self)
        return self.module.READS[n](self)

    def syswrite(self, n: int, value: int) -> None:
        if n not in self.module.WRITES:
            self.module.sys_undefined(self)
        self.module.WRITES[n](self, value)
