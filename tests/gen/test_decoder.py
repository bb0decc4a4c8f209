"""Generated decoder and assembler of a toy ISA, compiled, against a matcher written by hand: overlapping pictures,
scattered fields, features, reserved encodings, hints, derived operands, both lengths."""
from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from toy import ROOT, write

from gen.backends import asm, decoder, insn, prepare
from gen.load import load
from gen.meaning import check

TOY = """\
isa:
  name: toy
  machine: 1
  insn: {unit: 16, max: 32}
  features: {C: "+ compressed", Zx: "extra"}
  registers:
    files:
      x: {n: 32, width: 64, zero: 0}
  views:
    X: {file: x}
  fields: {rd: X, rs1: X, "rd'": {bits: 3, view: X, add: 8}, rs2: X, mode: 2, k: 4, n: 5, t: 6}
  formats: {m: {0: near, 1: far, 3: both}}
  traps: {illegal: 2}
add:
  enc: "0000000 rs2 rs1 000 rd 0000{op}11"
  asm: "{name} {rd}, {rs1}, {rs2}"
  do: X[rd] = e
  each: |
    name op e
    add  0  X[rs1] + X[rs2]
    sub  1  X[rs1] - X[rs2]
addi:
  enc: "imm[11:0] rs1 001 rd 0000011"
  asm: "addi {rd}, {rs1}, {imm:s}"
  do: X[rd] = X[rs1] + sext(imm)
jump:
  enc: "imm[20|10:1|11|19:12] rd 0011011"
  asm: "jump {rd}, {imm:pc}"
  do: jump(pc + sext(imm))
mv:                                     # wins over addi
  enc: "000000000000 rs1 001 rd 0000011"
  overrides: addi
  requires: Zx
  asm: "mv {rd}, {rs1}"
  do: X[rd] = X[rs1]
scaled:
  enc: "imm[7:2] 0000 mode rs1 010 rd 0000011"
  reserved_when: "mode == 2 || rd == 31"
  asm: "scaled.{mode:m} {rd}, {imm}({X[rs1+1]})"
  do: X[rd] = X[rs1] + zext(imm) + zext(mode)
wide:                                   # a value of its own from two fields, as of a rotated mask
  enc: "00000000 k n 011 rd t[5:3] 0011"
  operands: {v: "ones.32(zext.8(n)) << zext.8(k)"}
  asm: "wide {rd}, {v:x}, {t}"
  do: X[rd] = zext(v) + zext(t)
hint:
  enc: "-------- ---- ----- 100 ----- 0000011"
  weak: 1
  asm: "hint"
  do: X[0] = 0
known:
  enc: "00000000 0000 rs1 100 00001 0000011"
  asm: "known {rs1}"
  do: X[rs1] = 0
clear:
  enc: "(1)0000000 rd' 0000{s}"
  axes: {s: {"": {bits: 0, e: 0}, all: {bits: 1, e: "ones.64(64)"}}}
  asm: "clear{s} {rd'}"
  do: X[rd'] = e
"""
DRIVER = r"""
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "toy/insn.h"
int main(void) {
  char line[200], text[200], err[200];
  uint64_t features;
  uint32_t w;
  unsigned n, used;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "d %" SCNx64 " %" SCNx32 " %u", &features, &w, &n) == 3) {
      uint8_t b[4] = {w, w >> 8, w >> 16, w >> 24};
      struct toy_insn i;
      memset(&i, 0xaa, sizeof i);
      int len = toy_decode(features, b, n, &i.head);
      if (len > 0)
        toy_disasm(&i.head, 0, 0, text, sizeof text);
      printf("%d %u %s\n", len, i.head.len, len > 0 ? text : "-");
    } else if (sscanf(line, "a %" SCNx64 " %n", &features, &used) == 1) {
      uint8_t b[4] = {0};
      line[strcspn(line, "\n")] = 0;
      int len = toy_assemble(features, line + used, 0, b, err, sizeof err);
      printf("%d %s\n", len, len > 0 ? "" : err);
      if (len > 0)
        printf("%02x%02x%02x%02x\n", b[3], b[2], b[1], b[0]);
    }
  }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    d = tmp_path_factory.mktemp("toy")
    isa = load(write(d, TOY)[0])
    checked = check(isa)
    (d / "toy").mkdir()
    for backend in (insn, decoder, prepare, asm):
        for name, text in backend.files(isa, checked).items():
            (d / "toy" / name).write_text(text)
    (d / "driver.c").write_text(DRIVER)
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-I", d,
                    f"-I{ROOT}/runtime", d / "driver.c", d / "toy/decode.c", d / "toy/prepare.c", d / "toy/asm.c",
                    ROOT / "runtime/core/asmtext.c", "-o", d / "toy_test"], check=True)
    return d / "toy_test"


def ask(program: Path, lines: list[str]) -> list[str]:
    r = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return r.stdout.splitlines()


# ---- the matcher by hand -----------------------------------------------------------------------------------------------


def f(w: int, hi: int, lo: int) -> int:
    return w >> lo & (1 << hi - lo + 1) - 1


def s(v: int, n: int) -> int:
    return v - (1 << n) if v >> n - 1 else v


def x(i: int) -> str:
    return f"x{i}"


def expected(w: int, n: int, features: int) -> str | None:
    """Our text by reading the pictures above, most special first; None when nothing matches."""
    def is_(picture: str) -> bool:
        p = picture.replace(" ", "")
        assert len(p) == n * 8
        return all(c in ".-" or int(c) == w >> n * 8 - 1 - k & 1 for k, c in enumerate(p))

    if n == 2:
        if is_(".0000000 ... 0000."):
            return f"clear{'all' if w & 1 else ''} {x(8 + f(w, 7, 5))}"
        return None
    rd, rs1, rs2 = f(w, 11, 7), f(w, 19, 15), f(w, 24, 20)
    if is_("0000000 ..... ..... 000 ..... 0000011"):
        return f"add {x(rd)}, {x(rs1)}, {x(rs2)}"
    if is_("0000000 ..... ..... 000 ..... 0000111"):
        return f"sub {x(rd)}, {x(rs1)}, {x(rs2)}"
    if is_("000000000000 ..... 001 ..... 0000011") and features & 2:
        return f"mv {x(rd)}, {x(rs1)}"
    if is_("............ ..... 001 ..... 0000011"):
        return f"addi {x(rd)}, {x(rs1)}, {s(f(w, 31, 20), 12)}"
    if is_("." * 25 + "0011011"):
        v = f(w, 31, 31) << 20 | f(w, 30, 21) << 1 | f(w, 20, 20) << 11 | f(w, 19, 12) << 12
        return f"jump {x(rd)}, {s(v, 21)}"
    if is_("...... 0000 .. ..... 010 ..... 0000011"):
        mode = f(w, 21, 20)
        if mode == 2 or rd == 31:
            return None
        return f"scaled.{['near', 'far', '', 'both'][mode]} {x(rd)}, {f(w, 31, 26) << 2}({x((rs1 + 1) % 32)})"
    if is_("00000000 .... ..... 011 ..... ... 0011"):
        k, n_ = f(w, 23, 20), f(w, 19, 15)
        return f"wide {x(rd)}, {((1 << n_) - 1 << k) & 0xffffffff:#x}, {f(w, 6, 4) << 3}"
    if is_("00000000 0000 ..... 100 00001 0000011"):
        return f"known {x(rs1)}"
    if is_("------------ ----- 100 ----- 0000011"):
        return "hint"
    return None


PICTURES = ["0000000 ..... ..... 000 ..... 0000.11", "............ ..... 001 ..... 0000011", "0" * 12 + "..... 001 ..... 0000011",
            "." * 25 + "0011011", "...... 0000 .. ..... 010 ..... 0000011", "00000000 .... ..... 011 ..... ... 0011",
            "." * 17 + "100 ..... 0000011", "00000000 0000 ..... 100 00001 0000011", "." * 32, "." * 30 + "11"]


def words(count: int) -> list[int]:
    r = random.Random(7)
    out = []
    for _ in range(count):
        p = r.choice(PICTURES).replace(" ", "")
        w = int("".join(r.choice("01") if c == "." else c for c in p), 2)
        out.append(w ^ (1 << r.randrange(32) if r.random() < 0.2 else 0))
    return out


@pytest.mark.parametrize("features", [0, 1, 2, 3])
def test_decoder_and_texts(program: Path, features: int) -> None:
    cases = words(20000) + list(range(0x10000))[::7]
    got = ask(program, [f"d {features:x} {w:x} 4" for w in cases])
    for w, line in zip(cases, got):
        n = 4 if w & 2 else 2           # bit 1 is all that tells the lengths of this ISA apart
        text = expected(w & (1 << n * 8) - 1, n, features)
        assert line == (f"{n} {n} {text}" if text else f"0 {n} -"), f"{w:#x}"


def test_halfwords_and_lengths(program: Path) -> None:
    """Every halfword that is short; too few bytes ask for more."""
    short = [w for w in range(0x10000) if not w & 2]
    for w, line in zip(short, ask(program, [f"d 3 {w:x} 2" for w in short])):
        text = expected(w, 2, 3)
        assert line == (f"2 2 {text}" if text else "0 2 -")
    asked = ask(program, ["d 3 0 0", "d 3 0 1", "d 3 3 2", "d 3 3 3"])
    assert [line.split()[0] for line in asked] == ["-1"] * 4


def test_round_trip(program: Path) -> None:
    """Assembling our text gives an instruction with the same text; without ignored bits the same word."""
    cases = [(w, 4 if w & 2 else 2) for w in words(8000) + [0x80 << 8, 0xe0, 0xe1]]
    cases = [(w & (1 << n * 8) - 1, n, t) for w, n in cases if (t := expected(w & (1 << n * 8) - 1, n, 3)) and "x32" not in t]
    out = ask(program, [f"a 3 {t}" for _, _, t in cases])
    for (w, n, t), head, code in zip(cases, out[::2], out[1::2]):
        assert head.strip() == str(n), t
        back = int(code, 16)
        assert expected(back, n, 3) == t
        if n == 2:
            assert back == w | 0x8000       # the should-be bit is emitted as one
        elif not t.startswith(("hint", "wide")):
            assert back == w, t


@dataclass
class Wrong:
    text: str
    message: str
    features: int = 3


WRONG = [
    Wrong("", "no instruction"),
    Wrong("frob x1", 'unknown instruction "frob"'),
    Wrong("addq x1, x2, 3", 'unknown instruction "addq"'),
    Wrong("addi x1, x2", 'expected "," at the end'),
    Wrong("addi x1, x32, 3", '"x32" is not a register that this instruction takes'),
    Wrong("addi x1, x2, 2048", "2048 is out of range: -2048 to 2047"),
    Wrong("addi x1, x2, -2049", "-2049 is out of range: -2048 to 2047"),
    Wrong("addi x1, x2, zero", 'expected a number at "zero"'),
    Wrong("addi x1, x2, 3 4", 'unexpected "4" after the instruction'),
    Wrong("jump x1, 3", "imm must be a multiple of 2"),
    Wrong("scaled.near x1, 256(x2)", "256 is out of range: 0 to 255"),
    Wrong("scaled.near x1, 2(x2)", "imm must be a multiple of 4"),
    Wrong("scaled.far x31, 4(x2)", "these operands make a reserved encoding or another instruction"),
    Wrong("scaled.up x31, 4(x2)", '"up" is not a value that this instruction takes'),
    Wrong("clear x7", "rd' cannot be encoded: outside 8 to 15"),
    Wrong("wide x1, 0x5, 0", "v has no encoding with this value"),
    Wrong("mv x1, x2", "this instruction needs the feature Zx", 1),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda c: c.text or "empty")
def test_assembler_messages(program: Path, case: Wrong) -> None:
    assert ask(program, [f"a {case.features:x} {case.text}"]) == [f"-1 {case.message}".rstrip()]


def test_assembler_spelling(program: Path) -> None:
    """Blanks, case and hexadecimal are free."""
    a = ask(program, ["a 3 addi x1, x2, -1", "a 3   ADDI\tX1 ,x2,-0x1  "])
    assert a[0] == a[2] and a[1] == a[3] == f"{0xfff << 20 | 2 << 15 | 1 << 12 | 1 << 7 | 3:08x}"


def test_generated_text_is_the_same_twice(tmp_path: Path) -> None:
    path = write(tmp_path, TOY)[0]
    texts = []
    for _ in range(2):
        isa = load(path)
        checked = check(isa)
        texts.append([b.files(isa, checked) for b in (insn, decoder, asm)])
    assert texts[0] == texts[1]
    assert not re.search(r"\d\d:\d\d:\d\d", str(texts))
