"""Fixed-length encodings: how lengths are told apart, the decision tree, overlapping pictures, unused declarations.
Works on pictures alone (mask and value); conditions over fields only matter once a picture has matched."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

from .model import DescError, Isa, Leaf, Text

WIDEST = 8                          # bits that one node of the tree looks at


@dataclass
class Node:
    """Looks at `width` bits from `shift`; an entry is a Node, or a tuple of leaves to try in order."""
    shift: int
    width: int
    entries: list[Node | tuple[Leaf, ...]]


@dataclass
class Decoder:
    """What the decoder of a fixed-length ISA is generated from. A word whose low halfword & mask == value is long."""
    long_mask: int = 0
    long_value: int = 0
    trees: dict[int, Node | tuple[Leaf, ...]] = field(default_factory=dict)     # length -> tree


def picture(leaf: Leaf) -> str:
    """The bit picture with `.` for operand and ignored bits, in groups of eight."""
    bits = "".join(str(leaf.value >> i & 1) if leaf.mask >> i & 1 else "." for i in reversed(range(leaf.length)))
    return " ".join(bits[i:i + 8] for i in range(0, leaf.length, 8))


def decoder(isa: Isa) -> Decoder:
    """Raises DescError for leaves that overlap without saying which wins."""
    leaves = [x for x in isa.leaves if x.form is None]
    d = Decoder()
    lengths = sorted({x.length for x in leaves})
    if len(lengths) > 1:
        tell_apart(isa, leaves, d)
    order = Order(leaves)
    for length in lengths:
        d.trees[length] = Tree(order).build(tuple(x for x in leaves if x.length == length), 0)
    return d


def tell_apart(isa: Isa, leaves: list[Leaf], d: Decoder) -> None:
    """Finds bits of the first halfword that all 32-bit leaves share and that exclude every 16-bit leaf."""
    long = [x for x in leaves if x.length == 32]
    mask = 0xffff
    for x in long:
        mask &= x.mask & ~(x.value ^ long[0].value)
    d.long_mask, d.long_value = mask, long[0].value & mask
    for x in leaves:
        if x.length == 16 and not (x.value ^ d.long_value) & x.mask & d.long_mask:
            raise DescError(x.where, f"{x.name}: this 16-bit picture cannot be told from 32-bit instructions by its bits"
                                     f"\n  {x.name}: {picture(x)}\n  all 32-bit instructions: halfword & {mask:#x} =="
                                     f" {d.long_value:#x}")
    for bit in range(16):       # the smallest set of bits that does
        smaller = d.long_mask & ~(1 << (15 - bit))
        if all((x.value ^ d.long_value) & x.mask & smaller for x in leaves if x.length == 16):
            d.long_mask, d.long_value = smaller, d.long_value & smaller


# ---- the tree --------------------------------------------------------------------------------------


class Tree:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.memo: dict[tuple[tuple[int, ...], int], Node | tuple[Leaf, ...]] = {}

    def build(self, leaves: tuple[Leaf, ...], known: int) -> Node | tuple[Leaf, ...]:
        """`known`: bits that the path has already looked at."""
        if len(leaves) <= 1:
            return leaves
        key = (tuple(x.id for x in leaves), known)
        if key not in self.memo:
            window = self.choose(leaves, known)
            if window is None:
                self.memo[key] = self.order.sort(leaves)
            else:
                shift, width = window
                below = known | ((1 << width) - 1) << shift
                self.memo[key] = Node(shift, width, [self.build(tuple(s), below) for s in split(leaves, shift, width)])
        return self.memo[key]

    def choose(self, leaves: tuple[Leaf, ...], known: int) -> tuple[int, int] | None:
        """The run of bits that leaves the fewest candidates per word; None when no bit helps."""
        free = [x.mask & ~known for x in leaves]
        length = leaves[0].length
        count = [sum(m >> i & 1 for m in free) for i in range(length)]
        best: tuple[float, int, tuple[int, int]] | None = None
        for least in {len(leaves), len(leaves) * 3 // 4, len(leaves) // 2, len(leaves) // 4, 1} - {0}:
            for shift, width in runs([n >= least for n in count]):
                groups = split(leaves, shift, width)
                total = sum(len(g) for g in groups)
                if max(len(g) for g in groups) == len(leaves):
                    continue
                score = total / (1 << width) + 0.02 * width + (0.5 * total / len(leaves) if least < len(leaves) else 0)
                if best is None or (score, width) < best[:2]:
                    best = (score, width, (shift, width))
        return best[2] if best else None


def runs(wanted: list[bool]) -> list[tuple[int, int]]:
    """Maximal runs of wanted bits, cut to WIDEST from either end."""
    out, i = [], 0
    while i < len(wanted):
        if not wanted[i]:
            i += 1
            continue
        j = i
        while j < len(wanted) and wanted[j]:
            j += 1
        width = min(j - i, WIDEST)
        out += [(i, width)] + ([(j - width, width)] if width < j - i else [])
        i = j
    return out


def split(leaves: tuple[Leaf, ...], shift: int, width: int) -> list[list[Leaf]]:
    groups: list[list[Leaf]] = [[] for _ in range(1 << width)]
    ones = (1 << width) - 1
    for x in leaves:
        value, open_ = x.value >> shift & ones, ~(x.mask >> shift) & ones
        sub = open_
        while True:                 # all values of the bits that the leaf leaves open
            groups[value | sub].append(x)
            if not sub:
                break
            sub = sub - 1 & open_
    return groups


# ---- which leaf wins -------------------------------------------------------------------------------


class Order:
    """Orders leaves whose pictures meet, by `overrides` and `weak`; anything else is an error."""

    def __init__(self, leaves: list[Leaf]) -> None:
        by_name: dict[str, list[Leaf]] = {}
        for x in leaves:
            by_name.setdefault(x.name, []).append(x)
            if x.family.name != x.name:
                by_name.setdefault(x.family.name, []).append(x)
        self.below: dict[int, set[int]] = {}        # leaf -> leaves it wins over, transitively
        direct = {x.id: [y for n in x.overrides for y in by_name.get(n, []) if y is not x] for x in leaves}
        self.direct = direct
        self.leaves = {x.id: x for x in leaves}

    def wins(self, a: Leaf, b: Leaf) -> bool:
        if b.weak and not a.weak:
            return True
        return b.id in self.reach(a)

    def reach(self, a: Leaf) -> set[int]:
        if a.id not in self.below:
            seen: set[int] = set()
            todo = [a]
            while todo:
                for y in self.direct[todo.pop().id]:
                    if y.id not in seen:
                        seen.add(y.id)
                        todo.append(y)
            if a.id in seen:
                raise DescError(a.where, f"{a.name} overrides itself through others")
            self.below[a.id] = seen
        return self.below[a.id]

    def sort(self, leaves: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
        """Winners first. Leaves of one group that cannot match the same word need no order."""
        for i, a in enumerate(leaves):
            for b in leaves[i + 1:]:
                if not (a.value ^ b.value) & a.mask & b.mask and not self.wins(a, b) and not self.wins(b, a):
                    overlap(a, b)
        rank = {a.id: sum(self.wins(b, a) for b in leaves if b is not a) for a in leaves}
        return tuple(sorted(leaves, key=lambda x: (rank[x.id], x.id)))


def overlap(a: Leaf, b: Leaf) -> None:
    word = a.value | b.value
    raise DescError(b.where, f"{b.name} overlaps {a.name} ({a.where.at()}): {word:#0{a.length // 4 + 2}x} is both; "
                             f'"overrides" says which wins\n  {a.name}: {picture(a)}\n  {b.name}: {picture(b)}')


# ---- what nothing uses -----------------------------------------------------------------------------

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*'?")


def unused(isa: Isa) -> None:
    """Raises DescError for the first field, column, let or operand of a leaf, or format or axis column of the
    ISA, that no text mentions."""
    texts: dict[int, set[str]] = {}

    def mentioned(t: Text | None) -> set[str]:
        if t is None:
            return set()
        key = id(t)
        if key not in texts:
            texts[key] = set(WORD.findall(re.sub(r"#(?!\{).*", "", t.s) if "\n" in t.s else t.s))
        return texts[key]

    every: set[str] = set()
    aliases: dict[str, set[str]] = {}
    for a in isa.aliases:
        used = mentioned(a.text) | mentioned(a.when)
        for n, t in a.set:
            used |= {n} | mentioned(t)
        aliases[a.of] = aliases.get(a.of, set()) | used
        every |= used
    scope: set[str] = set()         # names that definitions and views take from where they are used, as in vec(L, bE)
    for d in isa.defs.values():
        scope |= mentioned(d.body) - set(d.params or ())
    for t in (t for v in isa.views.values() for t in (v.type, v.read, v.write, v.needs, v.index, *v.at.values())):
        scope |= mentioned(t) | {w[1:] for w in mentioned(t) if w[0] in "bf"}
    used_names: dict[str, set[str]] = {}
    for x in isa.leaves:
        used = scope | mentioned(x.family.do) | mentioned(x.family.fast) | mentioned(x.family.is_)
        for alt in x.asm:
            used = used | mentioned(alt.text) | mentioned(alt.when)
            for n, t in alt.set:
                used = used | {n} | mentioned(t)
        for t in [*x.reserved, *(u.when for u in x.unpredictable)]:
            used = used | mentioned(t)
        used = used | aliases.get(x.name, set()) | aliases.get(x.family.name, set())
        everything = used
        for t in [*x.lets.values(), *x.operands.values(), *x.columns.values()]:
            everything = everything | mentioned(t)
        enc = set(WORD.findall(x.family.enc.s)) if x.family.enc else set()
        for name, f in x.fields.items():
            if name not in everything and x.form is None:
                raise DescError(x.where, f'{x.name}: nothing uses the field "{name}" (write - for ignored bits)')
        used_names.setdefault(x.family.name, set()).update(everything | enc)
        every |= everything
    idle: dict[int, tuple[str, str, str, Text] | None] = {}    # a text -> None once one of its families uses it
    for x in isa.leaves:
        for what, table in (("let", x.lets), ("operand", x.operands), ("column", {} if x.form else x.columns)):
            for name, t in table.items():
                if name in used_names[x.family.name]:
                    idle[id(t)] = None
                else:
                    idle.setdefault(id(t), (what, name, x.family.name, t))
    for found in idle.values():
        if found:
            raise DescError(found[3], f'nothing in family "{found[2]}" uses the {found[0]} "{found[1]}"')
    for r in isa.sysregs.values():
        every |= mentioned(r.read) | mentioned(r.write) | mentioned(r.access)
    for name in isa.formats:
        if name not in every:
            raise DescError(isa.where, f'nothing uses the format "{name}"')
    used_fields = {n for x in isa.leaves for n in x.fields}
    for name, f in isa.fields.items():
        if name not in used_fields and not any(x.form for x in isa.leaves):
            raise DescError(f.where, f'nothing uses the field "{name}"')
