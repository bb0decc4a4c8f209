"""The typed tree: what the checker makes of a leaf's meaning and every meaning back end reads.

Expressions are pure. Everything with an effect or a possible fault is a statement, in execution order, its results
bound to locals. All widths are concrete, all Build values folded, defs and views resolved to registers and slots."""
from __future__ import annotations

from dataclasses import dataclass, field

from .model import Leaf, SysReg

BUILD, TRANSLATE, RUN = 0, 1, 2
MOST = 4096                         # bits of a value, rounds of a loop: what is more is a mistake


class Oversize(Exception):
    """A number in a description makes something of a size that nothing has; who knows the place catches it."""


def sized(n: int, what: str, least: int = 0) -> int:
    if not least <= n <= MOST:
        raise Oversize(f"{what}: {n} is not {least} to {MOST}")
    return n


@dataclass(frozen=True, slots=True)
class Ty:
    """kind 'b' (bits, n wide), 'f' (float, n wide), 'vec' (n lanes of elem) or 'int' (unbounded, Build/Translate only)."""
    kind: str
    n: int = 0
    elem: "Ty | None" = None

    def __post_init__(self) -> None:
        sized(self.bits, "a width in bits")

    @property
    def bits(self) -> int:
        return self.n * self.elem.bits if self.elem else self.n

    def __str__(self) -> str:
        return "int" if self.kind == "int" else f"vec({self.n}, {self.elem})" if self.elem else f"{self.kind}{self.n}"


INT = Ty("int")
_B: dict[int, Ty] = {}


def B(n: int) -> Ty:
    t = _B.get(n)
    if t is None:
        t = _B[n] = Ty("b", n)
    return t


B1 = B(1)


@dataclass(slots=True)
class E:
    """A pure expression. `op` and its operands `a`, constants in `k`:

    const k=value | field k=operand name | raw | has k=feature | pc | next | local k=id | slot k=name
    reg a=(index) k=file | reglane a=(index) k=(file, low bit)          (ty says how many bits)
    not neg add sub mul and or xor | shl shru shrs ror rol a=(x, amount)
    eq ne ltu leu lts les                                               (b1 results; int operands allowed)
    sext zext trunc itob btoi cast | slice a=(x) k=low bit | concat a=(high … low)
    sel a=(c, x, y) | prim a=… k=(name, ((attribute, value), …)) | vec a=lanes | lookup a=(lanes…, index, otherwise)
    undef a=(x)                                                         (yields x; foreign oracles mask it)
    Integer arithmetic uses the same op names with ty INT, plus div and mod."""
    op: str
    ty: Ty
    a: tuple["E", ...] = ()
    k: object = None
    bt: int = RUN
    imm: bool = False               # an encoding field (or bits of one): arithmetic on it is unbounded


# ---- statements ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Let:
    id: str
    e: E


@dataclass(slots=True)
class Var:
    """Declares a local that every path below assigns once (the result of a def with several returns)."""
    id: str
    ty: Ty


@dataclass(slots=True)
class Set:
    """Assigns a declared local."""
    id: str
    e: E


@dataclass(slots=True)
class SetReg:
    """file[index] bits from `lo` become `e`; other bits are kept when `keep`, else cleared."""
    file: str
    index: E
    e: E
    lo: int = 0
    keep: bool = False


@dataclass(slots=True)
class SetSlot:
    slot: str
    e: E


@dataclass(slots=True)
class Eff:
    """An effect that may fault or end the instruction. kind and args:
    load (addr) | store (addr, value) | rmw (addr, value) attrs op | cas (addr, expect, new) | load_ex (addr)
    store_ex (addr, value) -> b1 | fill (addr, bytes, value) | probe (addr, bytes) attrs access | fence (pred, succ)
    helper (args…) attrs name | sysread (number) | syswrite (number, value) | fp (operands…) attrs op, profile, width, …
    attrs also hold width (bits) and order (E, int)."""
    kind: str
    outs: list[tuple[str, Ty]]
    args: list[E]
    attrs: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class If:
    c: E
    then: list
    other: list
    hint: str = ""


@dataclass(slots=True)
class Trap:
    kind: str
    args: list[E]


@dataclass(slots=True)
class Jump:
    target: E
    kind: str


@dataclass(slots=True)
class End:
    reason: str                     # context | fence | wait | irq


@dataclass(slots=True)
class Commit:
    pass


@dataclass(slots=True)
class Restart:
    pass


@dataclass(slots=True)
class Done:
    pass


@dataclass
class Meaning:
    """A checked body: of a leaf, or of a system register's read (`result` set) or write (parameter local `v`)."""
    name: str                       # C identifier
    body: list
    leaf: Leaf | None = None
    sysreg: SysReg | None = None
    result: E | None = None
    ends: bool = False              # may leave the straight line
    memory: bool = False            # touches memory
    always_traps: bool = False
    fast: list | None = None        # the same meaning in operations of whole vectors, for the lifter alone


@dataclass
class Checked:
    """Everything the checker hands to the back ends."""
    leaves: list[Meaning]
    reads: dict[str, Meaning]       # system register name -> read
    writes: dict[str, Meaning]
    access: Meaning | None = None   # access rule of all system registers; params n (number), w (write)
    undefined: Meaning | None = None
    operands: dict[int, dict[str, E]] = field(default_factory=dict)      # leaf id -> operand -> decode-time expression
    reserved: dict[int, list[E]] = field(default_factory=dict)           # leaf id -> conditions


def walk(body: list):
    """All statements of a body, nested ones included, in order."""
    for s in body:
        yield s
        if isinstance(s, If):
            yield from walk(s.then)
            yield from walk(s.other)


def exprs(s) -> tuple[E, ...]:
    """The expressions a statement evaluates itself."""
    if isinstance(s, (Let, Set, SetSlot)):
        return (s.e,)
    if isinstance(s, SetReg):
        return (s.index, s.e)
    if isinstance(s, Eff):
        extra = tuple(x for x in s.attrs.values() if isinstance(x, E))
        return tuple(s.args) + extra
    if isinstance(s, If):
        return (s.c,)
    if isinstance(s, Trap):
        return tuple(s.args)
    if isinstance(s, Jump):
        return (s.target,)
    return ()
