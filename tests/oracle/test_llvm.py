"""Decoders, disassemblers and assemblers against LLVM 19: texts word by word in one process (llvm_dis.c), assembled bytes
against llvm-mc. Differences must be rows of accepted_<isa>.yaml. --sweep compares every word that a picture matches, and
all words of ISAs that are described whole."""
from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from gen.load import load  # noqa: E402
from tests.lib import words  # noqa: E402
from tests.lib.oracles import LLVM as ORACLES  # noqa: E402

PROGRAM = ROOT / os.environ.get("ISOMER_OUT", "out") / "tests/oracle/llvm_dis"
FULL = bool(os.environ.get("ISOMER_FULL"))
SWEEP = bool(os.environ.get("ISOMER_SWEEP"))
SEED = 20260101
WORDS = int(os.environ.get("ISOMER_WORDS", "20000000"))
SLICES, SLICE = 128, 32         # of the whole space, in words * 2^20


@pytest.fixture(scope="module", params=sorted(ORACLES))
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The ISA's name and a directory with its pictures and accepted rows in the form that llvm_dis reads."""
    isa = request.param
    d = tmp_path_factory.mktemp(isa)
    words.write(isa, "llvm", d)
    return isa, d


def run(tables: tuple[str, Path], mode: str, count: int, seed: int = SEED) -> list[list[str]]:
    isa, d = tables
    o = ORACLES[isa]
    r = subprocess.run([PROGRAM, isa, o.triple, o.features, str(o.variant), d / "pictures", d / "accepted", mode, str(count),
                        str(seed)], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return [line.split("\t") for line in r.stdout.splitlines()]


def spread(tables: tuple[str, Path], mode: str, count: int) -> list[list[str]]:
    """`count` words in as many processes as there are processors, each from a seed of its own; rows are added up."""
    n = os.cpu_count() or 1
    with ThreadPoolExecutor(n) as pool:
        outs = list(pool.map(lambda i: run(tables, mode, count // n + 1, SEED + i), range(n)))
    used = Counter[str]()
    for x in itertools.chain(*outs):
        if x[0] == "row":
            used[x[1]] += int(x[2])
    return [x for x in itertools.chain(*outs) if x[0] not in ("row", "total")] + [["row", i, str(k)] for i, k in used.items()]


def differences(out: list[list[str]]) -> str:
    return "\n".join("  ".join(x) for x in out if x[0] in ("differ", "assemble", "roundtrip"))


def test_halfwords(tables: tuple[str, Path]) -> None:
    """All 65,536 halfwords as 16-bit instructions."""
    if not ORACLES[tables[0]].halfwords:
        pytest.skip("no 16-bit instructions")
    out = run(tables, "all16", 0)
    assert out[-1][:2] == ["total", "65536"] and not differences(out), differences(out)


def test_random_words(tables: tuple[str, Path]) -> None:
    """Words made from the pictures of the leaves, their neighbours, and anything at all."""
    out = spread(tables, ORACLES[tables[0]].mode, WORDS)
    assert not differences(out), differences(out)
    idle = [i for kind, i, n in (x for x in out if x[0] == "row") if n == "0"]
    assert not idle, f"accepted rows that nothing matches: {idle}"


def test_preferred_names(tables: tuple[str, Path]) -> None:
    """The aliases that are printed by default are LLVM's."""
    if ORACLES[tables[0]].mode != "claimed":
        pytest.skip("canonical texts are compared")
    out = spread(tables, "names", 10_000_000 if FULL else 1_000_000)
    assert not differences(out), differences(out)


@pytest.mark.parametrize("part", range(SLICES) if SWEEP else [SEED % SLICES])
def test_all_words(tables: tuple[str, Path], part: int) -> None:
    """The whole encoding space, slice by slice; without --sweep a part of one slice."""
    mode = {"random": "sweep", "claimed": "sweepclaimed"}[ORACLES[tables[0]].mode]
    out = run(tables, mode, SLICE if SWEEP else 1, part * SLICE)
    assert not differences(out), differences(out)


def test_classify(tables: tuple[str, Path]) -> None:
    """tests/tools/classify counts what the pictures say; the rest are reserved encodings."""
    isa, step = tables[0], 999_983
    r = subprocess.run([PROGRAM.parents[1] / "tools/classify", isa, str(step)], capture_output=True, text=True, check=True)
    got = [int(x) for x in re.match(r"(\d+) words, (\d+) instructions", r.stdout).groups()]
    leaves = [x for x in load(str(ROOT / f"isa/{isa}.yaml")).leaves if x.length == 32]
    every = range(0, 1 << 32, step)
    match = [[x for x in leaves if w & x.mask == x.value] for w in every]
    sure = sum(any(not x.reserved and not x.unpredictable for x in m) for m in match)
    assert got[0] == len(every) and 0 < sure <= got[1] <= sum(map(bool, match))


def test_round_trip(tables: tuple[str, Path]) -> None:
    """Every leaf: bytes → text → bytes → text, the same instruction and the same text."""
    out = run(tables, "leaves", 2000 if FULL else 60)
    assert not differences(out), differences(out)
    seen = {x[1] for x in out if x[0] == "leaf"}
    missing = {x.name for x in load(str(ROOT / f"isa/{tables[0]}.yaml")).leaves} - seen
    assert not missing, f"no word of these leaves decodes: {sorted(missing)}"


def test_assembled_bytes(tables: tuple[str, Path]) -> None:
    """Our bytes for each leaf's texts are llvm-mc's."""
    isa, _ = tables
    o = ORACLES[isa]
    cases = [(x[1], x[2], x[3]) for x in run(tables, "leaves", 6) if x[0] == "leaf"]
    rows = [(r["ours"], r["theirs"]) for r in words.accepted(isa, "llvm")]
    wrong = []
    for length, features in o.by_length.items():
        mine = [c for c in cases if len(c[1]) == 2 * length]
        theirs = llvm_mc(o.triple, features, [c[2] for c in mine])
        for (leaf, ours, text), other in zip(mine, theirs):
            if other not in (ours, "?") and not (other == "-" and any(re.fullmatch(re.escape(a).replace(r"\*", ".*"), text)
                                                           for a, b in rows if b == "-")):
                wrong.append(f"{leaf}: {text}: {ours}, llvm-mc {other}")
    assert not wrong, "\n".join(wrong)


def llvm_mc(triple: str, features: str, texts: list[str]) -> list[str]:
    """Bytes in hexadecimal for each line, "-" for a line that llvm-mc refuses, "?" if it calls it unpredictable."""
    r = subprocess.run(["llvm-mc-19", f"-triple={triple}", f"-mattr={features}", "--show-encoding"],
                       input="\n".join(texts) + "\n", capture_output=True, text=True)
    bad = {int(m[1]) - 1: "?" if m[2].startswith("unpredictable") else "-"
           for m in re.finditer(r"<stdin>:(\d+):\d+: error: (.*)", r.stderr)}
    codes = iter("".join(re.findall("0x([0-9a-f]{2})", m)) for m in re.findall(r"encoding: (\[.*?\])", r.stdout))
    if bad:         # llvm-mc prints nothing after an error
        good = llvm_mc(triple, features, [t for i, t in enumerate(texts) if i not in bad])
        codes = iter(good)
    return [bad[i] if i in bad else next(codes) for i in range(len(texts))]
