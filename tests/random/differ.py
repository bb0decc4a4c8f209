"""Runs random programs on several engines, compares what they tell, and makes small what differs.

  differ.py ISA [--seed N] [--programs N] [--rounds N] [--foreign] [--reference qemu|none] [ENGINE OPTIONS...]
"""
from __future__ import annotations

import argparse
import fcntl
import platform
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests/lib"), str(ROOT / "tests/meaning")]
import common  # noqa: E402
import generate  # noqa: E402
from meaning import Machine  # noqa: E402
from generate import CODE, FIXED, HEAD, PROGRAM, SIZE, WORD, Program, Writer  # noqa: E402

OUT = ROOT / "out"
ISOMER = OUT / "isomer"
DUMP = struct.Struct("<QQII")
MOST = 4000                 # events of one program
LIMIT = 40                 # seconds of processor time of one run; more is taken for a loop without end
PIECE = 2                  # the same of a part of one program, which may have lost what ends its loops
HANGS = 1200               # seconds
SIGNALS = {4: "SIGILL", 5: "breakpoint", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV"}

# Slots that do not take every value, with values often enough for each to matter.
POOLS: dict[str, dict[str, list[int]]] = {"riscv64": {"FRM": [0, 1, 2, 3, 4] * 3 + [5]}}
# What the reference has otherwise.
FOREIGN: dict[str, dict[str, str]] = {
    "arm64": {"msr.fp?r": "qemu keeps bits of AArch32 and half precision, which there are none of here"},
}


@dataclass
class Sight:
    """The full state at an event, and the one made before it."""
    pc: int
    start: int
    signal: int
    made: list[int]
    state: list[int]
    memory: bytes
    after: bytes


@dataclass
class Bench:
    """Machine, writer, runner of one ISA."""
    isa: str
    writer: Writer
    runner: Path
    rounds: int = 8
    breaks: dict[int, int] = field(default_factory=dict)        # breakpoints that each program of the last run came by

    def stream(self, programs: list[Program], rounds: int | None = None, dump: tuple[int, int] | None = None, words: bytes | None = None,
               memory: bytes = b"") -> bytes:
        w = words or self.writer.words()
        out = [HEAD.pack(len(w) // WORD.size, len(programs), rounds or self.rounds, MOST, int(dump is not None), *(dump or (0, 0)), int(bool(memory))),
               w, memory]
        for p in programs:
            out.append(PROGRAM.pack(p.seed, p.number, len(p.code), len(p.fixed)))
            out += [struct.pack("<QQ", k, x) for k, x in p.fixed.items()]
            body = p.code + p.lengths
            out += [body, bytes(-len(body) % 8)]
        return b"".join(out)

    def run(self, command: list[str], stream: bytes, limit: int = LIMIT) -> dict[int, list[int]] | str:
        """Hashes by program, or how the run ended instead."""
        raw = self.raw(command, stream, limit)
        if isinstance(raw, str):
            return raw
        out, at = {}, 0
        while at < len(raw):
            number, n, breaks, _ = struct.unpack_from("<4I", raw, at)
            if at + 8 * (n + 3) > len(raw):
                return "writes less than it says"       # its own code may be wrong, too
            out[number] = list(struct.unpack_from(f"<{n + 1}Q", raw, at + 16))
            self.breaks[number] = breaks
            at += 8 * (n + 3)
        return out

    def raw(self, command: list[str], stream: bytes, limit: int = LIMIT) -> bytes | str:
        try:
            r = subprocess.run([*command, str(self.runner)], input=stream, capture_output=True, timeout=HANGS,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5)))
        except subprocess.TimeoutExpired:
            return "does not end"
        if -r.returncode in (signal.SIGXCPU, signal.SIGKILL):
            return "does not end"
        if r.returncode:
            return f"ends with {r.returncode}: {r.stderr.decode(errors='replace')[-6000:]}"
        return r.stdout

    def sight(self, command: list[str], stream: bytes) -> Sight | str:
        raw = self.raw(command, stream)
        if isinstance(raw, str):
            return raw
        if len(raw) < 2 * SIZE:
            return "the event does not happen"
        pc, start, signal, n = DUMP.unpack_from(raw)
        words = struct.unpack_from(f"<{2 * n}Q", raw, DUMP.size)
        at = DUMP.size + 16 * n
        return Sight(pc, start, signal, list(words[:n]), list(words[n:]), raw[at:at + SIZE], raw[at + SIZE:])


def machine(isa: str, foreign: bool) -> tuple[Machine, dict[str, str]]:
    """As the tests of single instructions see it, with what they leave out."""
    test = __import__(f"test_{isa}")
    m = test.user()
    if foreign and hasattr(test, "LATER"):      # what the reference's processor does not have
        m = test.without(m, test.LATER)
    return m, {**test.SKIP, **(FOREIGN.get(isa, {}) if foreign else {})}


def bench(isa: str, seed: int, foreign: bool) -> Bench:
    m, skip = machine(isa, foreign)
    return Bench(isa, Writer(m, skip, seed, foreign, POOLS.get(isa, {})), build(isa))


def build(isa: str) -> Path:
    folder = OUT / "test/random"
    folder.mkdir(parents=True, exist_ok=True)
    programs = ROOT / "tests/programs"
    sources = [HERE / "runner.c", programs / "lib.c", programs / f"start_{isa}.S"]
    used = [*sources, programs / "prog.h", ROOT / "tests/meaning/native.c"]
    program = folder / f"runner-{isa}"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists() or any(s.stat().st_mtime > program.stat().st_mtime for s in used):
            subprocess.run([common.GCC[isa], "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-ffreestanding",
                            "-fno-pic", "-no-pie", "-fno-stack-protector", *(["-fcf-protection=none"] if isa == "x86_64" else []),
                            "-Wl,--no-relax,--build-id=none,-z,noexecstack,-z,separate-code", *map(str, sources), "-lgcc", "-o", str(program)], check=True)
    return program


def isomer(*options: str) -> list[str]:
    return [str(ISOMER), "user", *options]


def reference(isa: str) -> list[str]:
    """The processor, or what plays it, without the program."""
    return common.native(isa)[:-1]


# ---- differences ---------------------------------------------------------------------------------


def first(a: dict[int, list[int]] | str, b: dict[int, list[int]] | str) -> tuple[int, int] | str | None:
    """Program and event that differ first."""
    if isinstance(a, str) or isinstance(b, str):
        return None if a == b else f"{a if isinstance(a, str) else 'fine'} | {b if isinstance(b, str) else 'fine'}"
    for number in a:
        x, y = a[number], b.get(number, [])
        if x == y:
            continue
        events = min(len(x), len(y)) - 1
        return number, next((k for k in range(events) if x[k] != y[k]), events)
    return None


def words_of(b: Bench, s: Sight, t: Sight) -> list[str]:
    out = [f"{w.name}: {x:#x} | {y:#x}" for w, x, y in zip(b.writer.m.words, s.state, t.state) if x != y]
    if (s.pc, s.signal) != (t.pc, t.signal):
        out.insert(0, f"{SIGNALS.get(s.signal, s.signal)} at {s.pc:#x} | {SIGNALS.get(t.signal, t.signal)} at {t.pc:#x}")
    where = [k for k in range(0, SIZE, 8) if s.after[k:k + 8] != t.after[k:k + 8]]
    out += [f"memory at {generate.MEMORY + k:#x}: {s.after[k:k + 8].hex()} | {t.after[k:k + 8].hex()}" for k in where[:8]]
    return out


def listing(b: Bench, p: Program, keep: set[int]) -> list[str]:
    out = []
    for at in p.starts():
        code = p.code[at:at + p.lengths[at]]
        if at not in keep:
            continue
        r = subprocess.run([str(ISOMER), "dis", "--isa", b.isa, "--hex", code.hex(), "--plain", "--pc", hex(CODE + at)], capture_output=True, text=True)
        out.append(f"  {CODE + at:#x} {code.hex():24} {r.stdout.strip() or r.stderr.strip()}")
    return out


def without(b: Bench, p: Program, drop: set[int]) -> Program:
    """The program with instructions that do nothing in place of some."""
    code, lengths = bytearray(p.code), bytearray(p.lengths)
    for at in drop:
        n, k = p.lengths[at], at
        while n:
            i = next((i for i in b.writer.nops if len(i.code) <= n), None)
            if i is None:
                code[at:at + p.lengths[at]] = p.code[at:at + p.lengths[at]]
                lengths[at:at + p.lengths[at]] = p.lengths[at:at + p.lengths[at]]
                break
            size = len(i.code)
            code[k:k + size] = i.code
            lengths[k:k + size] = bytes([size, *[0] * (size - 1)])
            k, n = k + size, n - size
    return Program(p.seed, bytes(code), bytes(lengths), p.number, p.fixed)


def shrink(items: list[int], bad: Callable[[list[int]], bool]) -> list[int]:
    """The fewest items that are still bad, found by leaving out pieces."""
    size = max(len(items) // 2, 1)
    while True:
        k, changed = 0, False
        while k < len(items):
            less = items[:k] + items[k + size:]
            if bad(less):
                items, changed = less, True
            else:
                k += size
        if size == 1 and not changed:
            return items
        if not changed or size > len(items):
            size = max(size // 2, 1)


def explain(b: Bench, programs: list[Program], at: tuple[int, int], left: list[str], right: list[str], seconds: float = 40) -> str:
    """The first difference in full, and a smaller program that has it, as small as it gets in so many seconds."""
    end = time.monotonic() + seconds
    number, event = at
    p = next(x for x in programs if x.number == number)
    text = [f"{b.isa}, program {number}, event {event}: {' '.join(left)} | {' '.join(right)}"]
    whole = b.stream([p], dump=(number, event))
    s, t = b.sight(left, whole), b.sight(right, whole)
    if isinstance(s, str) or isinstance(t, str):
        if s == t:          # memory alone, or only together with the programs before
            s = t = None
            for k in range(event - 1, -1, -1):
                both = [b.sight(c, b.stream([p], dump=(number, k))) for c in (left, right)]
                if any(isinstance(x, str) for x in both) or both[0].after == both[1].after:
                    break
                s, t = both
            if s is None or t is None:
                return "\n".join([*text, "not when the program runs alone, or after its last event"])
        else:
            return "\n".join([*text, str(s)[:500] if isinstance(s, str) else "", str(t)[:500] if isinstance(t, str) else ""])
    text += ["  " + x for x in words_of(b, s, t)]
    # From the state before it on, everything fixed, several times so that it is translated.
    words = b"".join(WORD.pack(FIXED, 0, 0, x, *[0] * 16) for x in s.made)
    start = s.start - CODE
    stop = generate.BREAK[b.isa]
    jump = b.writer.a
    pieces = [x for x in p.starts()]
    code = bytearray(p.code)
    # What lies between the entry and the segment is jumped over.
    fixed = Program(p.seed, bytes(code), p.lengths, p.number, {})
    if start:
        goes = next((g for g in b.writer.forward if not g.leaf["slots"] and not jump.fields(g.leaf["regs"]) and g.bits > 15), None)
        if goes is None:
            return "\n".join(text)
        i = jump.aim(goes, start, goes.d)
        head = i.code
        lengths = bytearray(p.lengths)
        code[:len(head)] = head
        end = next(x for x in [*pieces, len(code)] if x >= len(head))
        lengths[:end] = bytes([len(head), *[0] * (end - 1)])
        fixed = Program(p.seed, bytes(code), bytes(lengths), p.number, {})
    limit = next((x for x in pieces if x >= start and p.code[x:x + len(stop)] == stop and p.lengths[x] == len(stop)), len(p.code))

    def bad(kept: list[int]) -> bool:
        if time.monotonic() > end:
            return False
        q = without(b, fixed, set(movable) - set(kept))
        stream = b.stream([q], rounds=8, words=words, memory=s.memory)
        x, y = b.run(left, stream, PIECE), b.run(right, stream, PIECE)
        return first(x, y) is not None and not (isinstance(x, str) and "does not end" in x)

    movable = [x for x in pieces if start <= x < limit or x < start and x >= 16 and fixed.lengths[x]]
    if not bad(movable):
        return "\n".join([*text, f"  from {s.start:#x}; not from the state before alone",
                          *listing(b, p, {x for x in pieces if start <= x < limit})])
    kept = shrink(movable, bad)
    q = without(b, fixed, set(movable) - set(kept))
    stream = b.stream([q], rounds=8, words=words, memory=s.memory)
    found = first(b.run(left, stream), b.run(right, stream))
    text += [f"  {len(kept)} instructions are left:", *listing(b, p, set(kept))]
    if isinstance(found, tuple):
        again = b.stream([q], rounds=8, words=words, memory=s.memory, dump=found)
        s2, t2 = b.sight(left, again), b.sight(right, again)
        if not isinstance(s2, str) and not isinstance(t2, str):
            text += ["  " + x for x in words_of(b, s2, t2)]
            used = {w.name for w in b.writer.m.words}
            text.append("  before: " + " ".join(f"{w.name}={x:#x}" for w, x in zip(b.writer.m.words, s.made) if w.name in used and x))
    else:
        text.append(f"  {found}")
    with tempfile.NamedTemporaryFile(prefix="isomer-random-", suffix=".stream", delete=False) as f:
        f.write(stream)
    text.append(f"  again: {b.runner} <{f.name}, under {' '.join(left)} and {' '.join(right)}")
    return "\n".join(text)


def compare(b: Bench, programs: list[Program], left: list[str], rights: list[list[str]]) -> str:
    """Empty, or the differences: one for each command."""
    stream = b.stream(programs)
    want = b.run(left, stream)
    if isinstance(want, str):
        return f"{' '.join(left)}: {want}"
    out = []
    for right in rights:
        got = b.run(right, stream)
        found = first(want, got)
        if isinstance(found, str):
            for p in programs:          # which one
                one = b.stream([p])
                x, y = b.run(left, one), b.run(right, one)
                if isinstance(x, str) or isinstance(y, str):
                    found += f"\nprogram {p.number} alone: {x if isinstance(x, str) else 'fine'} | {y if isinstance(y, str) else 'fine'}"
                    break
            out.append(f"{' '.join(left)} | {' '.join(right)}: {found}")
        elif found and not out:
            out.append(explain(b, programs, found, left, right))
        elif found:
            out.append(f"{' '.join(left)} | {' '.join(right)}: program {found[0]}, event {found[1]} differs as well")
    return "\n".join(out)


def executed(b: Bench, programs: list[Program]) -> int:
    """Instructions of the programs themselves, rather too few: those of the run without those of a run whose programs are
    breakpoints alone, and without a thousand for each fault."""
    def count(ps: list[Program]) -> int:
        r = subprocess.run([*isomer("--accel", "interp", "--stats", "--json"), str(b.runner)], input=b.stream(ps), capture_output=True, timeout=900)
        return int(re.search(rb'"instructions":\s*(\d+)', r.stderr)[1])
    stop = generate.BREAK[b.isa]
    events = b.run(isomer("--accel", "interp"), b.stream(programs))
    assert isinstance(events, dict), events
    faults = sum(len(x) - 1 - b.breaks[n] for n, x in events.items())
    empty = []
    for p in programs:
        n = max(round(b.breaks[p.number] / b.rounds) - 1, 0)
        lengths = bytes([len(stop), *[0] * (len(stop) - 1)]) * n
        empty.append(Program(p.seed, stop * n, lengths, p.number, {}))
    return count(programs) - count(empty) - 1000 * faults


def main() -> int:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("isa")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--programs", type=int, default=8)
    a.add_argument("--rounds", type=int, default=8)
    a.add_argument("--segments", type=int, default=24)
    a.add_argument("--foreign", action="store_true", help="only what the reference defines; the reference is compared too")
    a.add_argument("--count", action="store_true")
    o, options = a.parse_known_args()
    b = bench(o.isa, o.seed, o.foreign)
    b.rounds = o.rounds
    programs = [b.writer.program(o.seed * 1000 + k, o.segments) for k in range(o.programs)]
    print(f"{sum(len(p.starts()) for p in programs)} instructions, {len(b.writer.plain)} leaves", flush=True)
    if o.count:
        print(f"{executed(b, programs)} executed")
    rights = [isomer("--accel", "jit", *options)]
    if o.foreign:
        rights.append(reference(o.isa))
    text = compare(b, programs, isomer("--accel", "interp"), rights)
    print(text or "equal")
    return 1 if text else 0


if __name__ == "__main__":
    sys.exit(main())
