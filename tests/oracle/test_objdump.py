"""Texts of a few words of each leaf against objdump of binutils, one process for each ISA. Compared: our canonical or
preferred text with objdump's, in lower case, without blanks, `#` and comments, numbers as 64-bit values, targets as
offsets, a rounding mode `dyn` left out, `-` for what objdump does not know. Differences must be rows of
accepted_<isa>.yaml with `oracle: objdump`."""
from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.lib import words  # noqa: E402


@dataclass(frozen=True)
class Oracle:
    """`insn`: how the assembler is given the bytes of an instruction as code."""

    prefix: str
    assembler: tuple[str, ...]
    insn: str
    objdump: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()     # objdump's, ours


ORACLES = {
    "riscv64": Oracle("riscv64-linux-gnu-",
                      ("-march=rv64gc_zba_zbb_zbs_zicbom_zicboz_zihintpause_zicsr_zifencei",), ".insn", ("-Mno-aliases",)),
    "arm64": Oracle("aarch64-linux-gnu-", ("-march=armv8-a",), ".inst", (), (("cs", "hs"), ("cc", "lo"))),
}


def number(m: re.Match[str]) -> str:
    return f"{int(m[0], 0) & (1 << 64) - 1:x}"


def canonical(text: str) -> str:
    mnemonic, _, rest = text.lower().replace("#", "").partition(" ")
    rest = re.sub(r"\d+\.\d+(e[+-]\d+)?", lambda m: f"{float(m[0]):.8f}", rest)
    rest = re.sub(r"(?<![\w.])-?(0x[0-9a-f]+|\d+(?!\.\d))\b", number, rest.replace(" ", ""))
    return f"{mnemonic} {rest.removesuffix(',dyn')}".strip()


def listed(m: re.Match[str]) -> str:
    """A range of vector registers, which goes round after the last, one by one."""
    first, last = int(m[1]), int(m[3])
    return "{ " + ", ".join(f"v{(first + k) % 32}{m[2]}" for k in range((last - first) % 32 + 1)) + " }"


def theirs(text: str, pc: int, names: tuple[tuple[str, str], ...]) -> str:
    """objdump's text without comments, a target as offset, with our names."""
    text = re.sub(r"\s*(//.*|(?<=\s)#\s.*)$", "", text.replace("\t", " ").strip())
    if text.startswith((".4byte", ".2byte", ".inst", ".word")):
        return "-"
    text = re.sub(r"([0-9a-f]+) <.*>$", lambda m: str(int(m[1], 16) - pc), text)
    text = re.sub(r"\{v(\d+)(\.\w+)-v(\d+)\.\w+\}", listed, text)
    for other, own in names:
        text = re.sub(rf"(?<=[ .]){other}\b", own, text)
    return text


def disassembled(o: Oracle, codes: list[str], d: Path) -> list[tuple[int, str]]:
    """Address and text of each instruction."""
    source = [f"{o.insn} 0x{int.from_bytes(bytes.fromhex(c), 'little'):0{len(c)}x}" for c in codes]
    (d / "in.s").write_text("\n".join(source) + "\n")
    subprocess.run([o.prefix + "as", *o.assembler, "-o", d / "in.o", d / "in.s"], check=True)
    r = subprocess.run([o.prefix + "objdump", "-d", "-z", *o.objdump, d / "in.o"], capture_output=True, text=True, check=True)
    found = re.findall(r"^\s*([0-9a-f]+):\t[0-9a-f ]+\t(.*)$", r.stdout, re.M)
    return [(int(a, 16), t) for a, t in found]


@pytest.mark.parametrize("isa", sorted(ORACLES))
def test_texts(isa: str, tmp_path: Path) -> None:
    o = ORACLES[isa]
    cases = words.leaf_texts(isa, tmp_path)
    out = disassembled(o, list(cases), tmp_path)
    assert len(out) == len(cases)
    rows = [(*words.mask_value(r["bits"]), r) for r in words.accepted(isa, "objdump")]
    used, wrong = set(), []
    for (code, mine), (pc, shown) in zip(cases.items(), out):
        text = theirs(shown, pc, o.names)
        if canonical(text) in {canonical(t) for t in mine}:
            continue
        word = int.from_bytes(bytes.fromhex(code), "little")
        hits = [i for i, (mask, value, r) in enumerate(rows) if word & mask == value and any(
            fnmatch.fnmatchcase(t, r["ours"]) for t in mine) and fnmatch.fnmatchcase(text, r["theirs"])]
        used.update(hits)
        if not hits:
            wrong.append(f"{code}  {' / '.join(sorted(mine))}  {text}")
    assert not wrong, "\n".join(wrong)
    assert used == set(range(len(rows))), f"accepted rows that nothing matches: {[rows[i][2] for i in set(range(len(rows))) - used]}"
