"""The model of a described ISA: what the loader makes of the YAML and every later stage reads.

The loader (`load.py`, `expand.py`) fills it; the language front end (`syntax.py`, `check.py`) turns the texts of a leaf's
meaning into a typed tree (`tir.py`); back ends read both. Nothing here computes."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache


@dataclass(frozen=True)
class Text:
    """A scalar of the description and the place of its first character (line and column count from 1)."""
    s: str
    file: str
    line: int
    col: int = 1
    indent: int = 0                 # columns that a block text's further lines lost

    def at(self, line: int = 0, col: int = 0) -> str:
        """Place of a character `line` lines and `col` columns into the text, for messages."""
        return f"{self.file}:{self.line + line}:{(self.col if line == 0 else 1 + self.indent) + col}"


class DescError(Exception):
    """A fault in a description: place and message; printed as `file:line:col: message`."""

    def __init__(self, where: Text | str, message: str) -> None:
        self.where = where.at() if isinstance(where, Text) else where
        self.message = message
        super().__init__(f"{self.where}: {message}")


@dataclass
class RegFile:
    """An indexed register file; `zero` is the index that always reads as zero, or None."""
    name: str
    n: int
    width: int
    zero: int | None = None
    names: list[str] = field(default_factory=list)
    kind: str = "general"
    where: Text | None = None


@dataclass
class Slot:
    """A scalar of the vCPU state. `sysreg` is set when a system-register row owns it."""
    name: str
    width: int
    kind: str = "internal"          # general | float | vector | flag | system | internal
    reset: int = 0
    sysreg: str | None = None
    where: Text | None = None


@dataclass
class View:
    """A way to read and write registers; texts as written, resolved by the checker."""
    name: str
    file: str | None                # register file, or
    of: str | None                  # another view it narrows
    type: Text | None = None
    read: Text | None = None
    write: Text | None = None
    at: dict[str, Text] = field(default_factory=dict)      # index -> slot or "zero" or expression
    names: dict[int, str] = field(default_factory=dict)    # index -> assembly name (complete, derived by the loader)
    names_by_n: dict[int, str] = field(default_factory=dict)  # N -> view whose names it prints
    needs: Text | None = None
    dirties: str | None = None
    index: Text | None = None
    where: Text | None = None

    @property
    def slice(self) -> tuple[int, int] | None:
        """The highest and the lowest bit that it reads, if two numbers say so."""
        return two_numbers(self.read.s) if self.read else None


@cache
def two_numbers(s: str) -> tuple[int, int] | None:
    m = re.fullmatch(r"\[(0x[0-9a-fA-F]{1,15}|[0-9]{1,18}):(0x[0-9a-fA-F]{1,15}|[0-9]{1,18})\]", s)
    return (int(m[1], 0 if "x" in m[1] else 10), int(m[2], 0 if "x" in m[2] else 10)) if m else None


@dataclass
class FieldDecl:
    name: str
    bits: int
    view: str | None
    add: int = 0
    where: Text | None = None


@dataclass
class Piece:
    """Bits hi..lo of an operand stored at bit position `pos` (of the lowest) of the instruction word."""
    hi: int
    lo: int
    pos: int


@dataclass
class EncField:
    """An operand as one leaf encodes it. `bits` is the operand's width (before `add`), `view` its register view."""
    name: str
    bits: int
    pieces: list[Piece]
    view: str | None = None
    add: int = 0


@dataclass
class AsmAlt:
    """One alternative of the assembly text: printed when `when` holds (None: always); `set` fixes operands in assembling."""
    text: Text
    when: Text | None = None
    set: list[tuple[str, Text]] = field(default_factory=list)


@dataclass
class Alias:
    name: str
    of: str
    text: Text
    when: Text | None
    set: list[tuple[str, Text]]


@dataclass
class Unpredictable:
    when: Text
    then: str


@dataclass
class FormOperand:
    """One operand of a variable-length form. `code` is the manual's code; attributes after `:`."""
    code: str
    attrs: list[str] = field(default_factory=list)


@dataclass
class Form:
    """A variable-length encoding form, already multiplied out: operand size N, memory or register."""
    where: Text
    prefix: str = ""                # "", "NP", "66", "F2", "F3"
    w: int | None = None            # W0/W1 fixed, None free
    vex: str = ""                   # "" or the VEX string's pieces
    vex_l: int | None = None
    vex_w: int | None = None
    map: str = ""                   # "", "0F", "0F38", "0F3A"
    opcode: int = 0
    plus_r: bool = False
    modrm: bool = False
    digit: int | None = None
    mode: str = ""                  # "", "mem", "reg"
    imm: list[str] = field(default_factory=list)
    n: int = 0                      # operand size in bits
    operands: list[FormOperand] = field(default_factory=list)
    attrs: dict[str, str] = field(default_factory=dict)
    specs: dict[tuple[int, int], object] = field(default_factory=dict, repr=False)     # operands.spec remembers here


@dataclass
class Family:
    name: str
    where: Text
    axes: dict[str, dict[str, dict[str, Text]]] = field(default_factory=dict)   # axis -> key -> column -> text
    note: str = ""
    ref: str = ""
    do: Text | None = None
    is_: Text | None = None
    lift: str = ""                  # "interp" forces the handler
    partial: str = ""
    enc: Text | None = None         # the bit picture as written, for documents and messages
    fast: Text | None = None        # the same as `do`, in operations of whole vectors: what the lifter takes


@dataclass
class Leaf:
    """One instruction: a family with all its axes and rows fixed. `columns` holds every text column in scope."""
    id: int
    name: str                       # unique
    ident: str                      # the same as a C identifier
    family: Family
    row_name: str                   # what {name} prints
    columns: dict[str, Text]
    axes: dict[str, tuple[str, int]]        # axis -> (key, bits as integer)
    lets: dict[str, Text]
    operands: dict[str, Text]               # decoded operands: name -> Translate expression
    where: Text
    length: int = 0                 # bits; 0 for variable-length forms
    mask: int = 0                   # fixed bits of the picture
    value: int = 0
    should: int = 0                 # should-be-one bits: not matched, emitted
    fields: dict[str, EncField] = field(default_factory=dict)
    form: Form | None = None
    asm: list[AsmAlt] = field(default_factory=list)
    reserved: list[Text] = field(default_factory=list)      # reserved_when and undefined_when
    unpredictable: list[Unpredictable] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)      # family or leaf names
    weak: bool = False
    hot: bool = False


@dataclass
class SysRegField:
    name: str
    hi: int
    lo: int
    where: Text | None = None


@dataclass
class SysReg:
    """A system-register row (rows with `for` are already multiplied out; `vars` holds the loop variables)."""
    name: str
    num: int
    width: int
    where: Text
    storage: bool = True
    fields: dict[str, SysRegField] = field(default_factory=dict)
    reset: int = 0
    mask: int | None = None
    read: Text | None = None
    write: Text | None = None
    access: Text | None = None
    requires: list[str] = field(default_factory=list)
    note: str = ""
    vars: dict[str, int] = field(default_factory=dict)
    written_as: str = ""            # its name where it is written, if that is another

    def only(self) -> str:
        """"read" or "write" if `access` allows nothing else."""
        return {"w": "read", "!w": "write"}.get(self.access.s.strip(), "") if self.access else ""


@dataclass
class Def:
    name: str
    params: list[str] | None        # None: a named expression without parameters
    body: Text


@dataclass
class Helper:
    name: str
    args: list[tuple[str, str]]     # name, type text
    returns: list[tuple[str, str]]
    reads: list[str]
    writes: list[str]
    ends: str
    oracle: str
    where: Text
    faults: bool = False            # may raise a trap


@dataclass
class TrapKind:
    name: str
    code: int
    args: int
    where: Text | None = None


@dataclass
class Feature:
    name: str
    text: str
    default: bool


@dataclass(frozen=True)
class Fused:
    """Two hot leaves that run as one when they follow each other; with `operand`, only if that operand of the second is
    the register the first writes, whose value is then handed on."""
    first: Leaf
    second: Leaf
    operand: str
    where: Text

    @property
    def ident(self) -> str:
        return f"{self.first.ident}__{self.second.ident}" + (f"__{ident_of(self.operand)}" if self.operand else "")


def ident_of(name: str) -> str:
    from .expand import ident
    return ident(name)


@dataclass
class Isa:
    name: str
    title: str
    machine: int
    unit: int                       # bits
    max: int                        # bits
    coherent: bool
    scanner: str                    # "tree" | "prefix"
    order: str                      # default memory order
    where: Text
    features: dict[str, Feature] = field(default_factory=dict)
    files: dict[str, RegFile] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    hot_registers: list[str] = field(default_factory=list)
    held: list[tuple[str, int]] = field(default_factory=list)       # kept in host registers between blocks: file, index
    held_vectors: list[tuple[str, int]] = field(default_factory=list)       # the same in vector registers
    link_registers: list[tuple[str, int]] = field(default_factory=list)     # (file, index) of those that hold return addresses
    context: list[str] = field(default_factory=list)
    views: dict[str, View] = field(default_factory=dict)
    fields: dict[str, FieldDecl] = field(default_factory=dict)
    formats: dict[str, dict[int, str]] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    fp: dict[str, dict[str, Text]] = field(default_factory=dict)
    traps: dict[str, TrapKind] = field(default_factory=dict)
    defs: dict[str, Def] = field(default_factory=dict)
    helpers: dict[str, Helper] = field(default_factory=dict)
    sysregs: dict[str, SysReg] = field(default_factory=dict)
    sysreg_access: Text | None = None
    families: dict[str, Family] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)        # leaf number = index + 1
    aliases: list[Alias] = field(default_factory=list)
    fused: list[Fused] = field(default_factory=list)
    extra: dict[str, dict[str, Text]] = field(default_factory=dict)   # segments and other data of a prefix scanner
    sources: list[str] = field(default_factory=list)        # every file read, for the depfile
