"""C statements that differ in a number alone become a loop: lanes of vectors are written out one by one in the typed tree.
Works on text, so that it does not matter what the lanes do."""
from __future__ import annotations

import re
from dataclasses import dataclass

WORD = re.compile(r"[A-Za-z_]\w*")
NUMBER = re.compile(r"\d+")
TOKEN = re.compile(r"0x[0-9a-fA-F]+|\d+|[A-Za-z_]\w*|[^\w]+")
LEAST = 4                       # rounds worth a loop
LONGEST = 12                    # statements of a round


@dataclass
class Line:
    """`ctype name = expr`."""
    ctype: str
    name: str
    expr: str


class Roller:
    """Finds loops; `place` says which array element a local has become."""

    def __init__(self) -> None:
        self.place: dict[str, tuple[str, int]] = {}

    def renamed(self, text: str) -> str:
        """Text in which locals that live in arrays are elements of them."""
        if not self.place:
            return text
        return WORD.sub(lambda m: "{}[{}]".format(*self.place[m[0]]) if m[0] in self.place else m[0], text)

    def lines(self, run: list[Line]) -> list[str]:
        """Statements that define the locals of `run`, in order."""
        if len(run) < LEAST:
            return [f"{x.ctype} {x.name} = {self.renamed(x.expr)};" for x in run]
        skeleton = [NUMBER.sub("#", x.ctype + x.expr) for x in run]
        out, at = [], 0
        while at < len(run):
            found = self.loop(run, skeleton, at)
            if found is None:
                out.append(f"{run[at].ctype} {run[at].name} = {self.renamed(run[at].expr)};")
                at += 1
            else:
                text, n = found
                out += text
                at += n
        return out

    def loop(self, run: list[Line], skeleton: list[str], at: int) -> tuple[list[str], int] | None:
        best = None
        for p in range(1, LONGEST + 1):
            r = 1
            while at + (r + 1) * p <= len(run) and skeleton[at:at + p] == skeleton[at + r * p:at + (r + 1) * p]:
                r += 1
            if r >= LEAST and (best is None or r * p > best[0] * best[1]):
                best = (r, p)
        if best is None:
            return None
        r, p = best
        saved = dict(self.place)
        for k in range(r):
            for q in range(p):
                self.place[run[at + k * p + q].name] = (run[at + q].name, k)
        texts = [[self.renamed(run[at + k * p + q].expr) for k in range(r)] for q in range(p)]
        r = min(rounds(t) for t in texts)
        self.place = saved
        if r < LEAST:
            return None
        for k in range(r):
            for q in range(p):
                self.place[run[at + k * p + q].name] = (run[at + q].name, k)
        out = [f"{run[at + q].ctype} {run[at + q].name}[{r}];" for q in range(p)]
        body = [f"{run[at + q].name}[i] = {template(texts[q])};" for q in range(p)]
        return out + [f"for (unsigned i = 0; i < {r}; i++) {{", *("  " + b for b in body), "}"], r * p


def split(text: str) -> list[str]:
    return TOKEN.findall(text)


def rounds(texts: list[str]) -> int:
    """How many of the texts are the first one with numbers that grow by a constant."""
    first, second = split(texts[0]), split(texts[1])
    if len(first) != len(second):
        return 1
    step = {}
    for i, (a, b) in enumerate(zip(first, second)):
        if a != b:
            if not (a.isdigit() and b.isdigit()) or i > 1 and first[i - 2].endswith("_C"):
                return 1            # a constant's macro pastes its text
            step[i] = int(b) - int(a)
    for k in range(2, len(texts)):
        other = split(texts[k])
        if len(other) != len(first) or any(x != (str(int(first[i]) + k * step[i]) if i in step else first[i]) for i, x in enumerate(other)):
            return k
    return len(texts)


def template(texts: list[str]) -> str:
    """The text of round i."""
    first, second = split(texts[0]), split(texts[1])
    out = []
    for a, b in zip(first, second):
        if a == b:
            out.append(a)
            continue
        step = int(b) - int(a)
        times = "i" if abs(step) == 1 else f"{abs(step)} * i"
        out.append(f"({times})" if a == "0" and step > 0 else f"({a} {'+' if step > 0 else '-'} {times})")
    return "".join(out)
