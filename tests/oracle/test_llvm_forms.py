"""The decoder, text and assembler of variable-length ISAs against LLVM 19: byte strings in one process (llvm_forms.c),
assembled bytes against llvm-mc. Differences must be rows of accepted_<isa>.yaml. --full compares 10 million strings."""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.lib import forms, words  # noqa: E402
from tests.lib.oracles import LLVM_FORMS as TRIPLE  # noqa: E402

PROGRAM = ROOT / os.environ.get("ISOMER_OUT", "out") / "tests/oracle/llvm_forms"
FULL = bool(os.environ.get("ISOMER_FULL"))
SEED = 20260101
# Texts of which LLVM's assembler makes other bytes of the same meaning, or none.
OTHER_BYTES = {
    "pushw": "LLVM's assembler has no such word in Intel syntax",
    "movsxd": "LLVM's assembler knows it with 64-bit destinations only",
    "vcmpps": "LLVM exchanges the sources by three bits of the predicate, whatever the others say", "vcmppd": "as vcmpps",
    "xchg": "LLVM also finds the one-byte form when the accumulator is written second",
}


@pytest.fixture(scope="module", params=sorted(TRIPLE))
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, list[str]]:
    isa = request.param
    d = tmp_path_factory.mktemp(isa)
    names = forms.write(ROOT / f"isa/{isa}.yaml", d / "forms")
    rows = words.accepted(isa, "llvm", "bytes")
    (d / "accepted").write_text("".join(f"{r['bytes']}\t{r['ours']}\t{r['theirs']}\n" for r in rows))
    return isa, d, names


def run(tables: tuple[str, Path, list[str]], mode: str, count: int) -> list[list[str]]:
    isa, d, _ = tables
    r = subprocess.run([PROGRAM, isa, TRIPLE[isa], "", d / "forms", d / "accepted", mode, str(count), str(SEED)],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return [line.split("\t") for line in r.stdout.splitlines()]


def differences(out: list[list[str]]) -> str:
    return "\n".join("  ".join(x) for x in out if x[0] in ("differ", "decode", "roundtrip"))


def test_random_bytes(tables: tuple[str, Path, list[str]]) -> None:
    """Byte strings made from the forms of the leaves, and their neighbours where we claim to know them."""
    out = run(tables, "random", 10_000_000 if FULL else 300_000)
    assert not differences(out), differences(out)
    if FULL:
        idle = [i for kind, i, n in (x for x in out if x[0] == "row") if n == "0"]
        assert not idle, f"accepted rows that nothing matches: {idle}"


def test_round_trip(tables: tuple[str, Path, list[str]]) -> None:
    """Every leaf: bytes → text → bytes → text → bytes."""
    out = run(tables, "leaves", 500 if FULL else 40)
    assert not differences(out), differences(out)
    missing = set(tables[2]) - {x[1] for x in out if x[0] == "leaf"}
    assert not missing, f"these leaves were never decoded: {sorted(missing)}"


def test_assembled_bytes(tables: tuple[str, Path, list[str]]) -> None:
    """Our bytes for each leaf's texts are llvm-mc's."""
    cases = [(x[1], x[2], x[3]) for x in run(tables, "leaves", 4) if x[0] == "leaf"]
    branches = [c for c in cases if re.fullmatch(r"(j\w+|call) -?\d+", c[2])]
    assert branch_bytes(TRIPLE[tables[0]], branches) == "".join(ours for _, ours, _ in branches)
    cases = [c for c in cases if c not in branches]
    theirs = llvm_mc(TRIPLE[tables[0]], [text for _, _, text in cases])
    wrong = [f"{leaf}: {text}: {ours}, llvm-mc {other}" for (leaf, ours, text), other in zip(cases, theirs)
             if ours != other and text.split()[0] not in OTHER_BYTES]
    assert not wrong, "\n".join(wrong)


def branch_bytes(triple: str, cases: list[tuple[str, str, str]]) -> str:
    """LLVM's bytes for relative branches, in hexadecimal, one after the other: its assembler wants targets, not distances."""
    lines = []
    for _, ours, text in cases:
        name, distance = text.split()
        lines.append(f"{name} .{int(distance) + len(ours) // 2:+d}")
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["llvm-mc-19", f"-triple={triple}", "-filetype=obj", "-o", f"{d}/o"], input="\n".join(lines) + "\n",
                       text=True, check=True)
        subprocess.run(["llvm-objcopy-19", "-O", "binary", "-j", ".text", f"{d}/o", f"{d}/b"], check=True)
        return Path(d, "b").read_bytes().hex()


def llvm_mc(triple: str, texts: list[str]) -> list[str]:
    """Bytes in hexadecimal for each line, "-" for a line that llvm-mc refuses."""
    lines = [t.replace("lock ", "lock; ").replace("addr32 ", "addr32; ") for t in texts]
    r = subprocess.run(["llvm-mc-19", f"-triple={triple}", "--x86-asm-syntax=intel", "--show-encoding", "--output-asm-variant=1"],
                       input="".join(f"{t}\n.p2align 0, {i % 256}\n" for i, t in enumerate(lines)), capture_output=True, text=True)
    bad = {(int(m[1]) - 1) // 2 for m in re.finditer(r"<stdin>:(\d+):\d+: error:", r.stderr)}
    if bad:             # llvm-mc prints nothing after an error
        good = iter(llvm_mc(triple, [t for i, t in enumerate(texts) if i not in bad]))
        return ["-" if i in bad else next(good) for i in range(len(texts))]
    out, code = [], ""
    for line in r.stdout.splitlines():
        if ".p2align" in line:
            out.append(code)
            code = ""
        elif m := re.search(r"encoding: \[(.*?)\]", line):
            code += "".join(re.findall("0x([0-9a-f]{2})", m[1]))
    return out
