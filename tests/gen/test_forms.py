"""Variable-length forms: how they are multiplied out, what the key of a row is, and descriptions that must be refused."""
from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy import ROOT, write

from gen import meaning
from gen.backends import scanner
from gen.load import load
from gen.model import DescError
from gen.operands import specs

HEAD = """\
isa:
  name: toyvar
  machine: 1
  insn: {unit: 8, max: 120, scanner: prefix}
  features: {P: "+ population count"}
  registers:
    files:
      r: {n: 17, width: 64, zero: 16}
      sb: {n: 2, width: 64, zero: 0}
  views:
    R64: {file: r}
    R32: {of: R64, read: "[31:0]", write: zext, names: "w{i}"}
    R16: {of: R64, read: "[15:0]", write: keep, names: "h{i}"}
    R8: {of: R64, read: "[7:0]", write: keep, names: "b{i}"}
    SB: {file: sb}
  extra:
    sizes: {8: R8, 16: R16, 32: R32, 64: R64}
    address: {view: R64, narrow: R32, none: 16, pc: 17, pc_name: pc, narrow_pc_name: npc, high_byte: 16, stack: 4, source: 6, dest: 7, bases: SB}
    segments: {64: 1}
    segment_names: {1: fs}
    pointers: {8: byte, 16: word, 32: dword, 64: qword}
    codes: {Ev: rm G, Gv: reg G, Eb: rm R8, sIz: imm sext N}
  traps: {GP: {code: 13, args: 1}}
add:
  forms: |
    01 /r    | Ev Gv  | lock
  do: a = a + b
"""
USES = """\
test:
  forms: |
    F6 /0    | Eb
    F7 /0 iz | Ev sIz
  do: a = a
"""


def refuse(tmp_path: Path, text: str) -> str:
    path, place = write(tmp_path, text)
    with pytest.raises(DescError) as e:
        isa = load(path)
        scanner.files(isa, meaning.check(isa))
    where, _, message = str(e.value).partition(": ")
    assert where == f"{path}:{place}", str(e.value)
    return message


ADD = "    01 /r    | Ev Gv  | lock\n"
CASES = {
    "opcode": ("§0G /r | Ev Gv", 'cannot read "0G" in an encoding form'),
    "no opcode": ("§66 0F", "the form has no opcode byte"),
    "digit": ("01 §/9 | Ev Gv", 'cannot read "/9" in an encoding form'),
    "columns": ("§01 /r | Ev Gv | lock | 1", "a form is: encoding | operands | attributes"),
    "unknown code": ("§01 /r | Ew Gv", 'no operand code "Ew" under extra: codes'),
    "unknown attribute of an operand": ("§01 /r | Ev:sideways Gv", 'operand Ev: unknown attribute "sideways"'),
    "not a code": ("01 /r | §Ev.x Gv", '"Ev.x" is no operand code'),
    "too many operands": ("01 /r |§ Ev Gv Ev Gv Ev", "more than 4 operands"),
    "unknown attribute": ("01 /r | Ev Gv | §fast", None),
    "unknown feature": ("01 /r | Ev Gv | §requires:Q", 'no feature "Q"'),
    "lock column": ("01 /r | Ev Gv | §lock:w", 'no column "w"'),
    "operand sizes": ("01 /r | Ev Gv | §N:x", 'operand sizes are numbers, not "x"'),
    "two immediates": ("§01 /r iz iz | Ev sIz", "more than one immediate is not supported"),
    "VEX piece": ("§VEX.512.0F 01 /r | Ev Gv", 'cannot read "512" in VEX.512.0F'),
    "VEX map": ("§VEX.128.66 01 /r | Ev Gv", "VEX.128.66 names no opcode map"),
    "column": ("§{k} /r | Ev Gv", 'not a number: "k"'),
    "overlap": ("01 /r | Ev Gv\n    §01 /1:mem | Ev Gv",
                "add.Ev_Gv.16.mem.01.1 and add.Ev_Gv.16.mem.01 both match opcode 01 with prefix NP, W0, memory, digit 1, L0\n"
                "  01 /1:mem\n  01 /r\n  say overrides"),
}


MNEMONICS = {
    "column": ("add§{k}", '"asm" has "{k}", which is no column or axis'),
    "not a mnemonic": ("§{name} it", '"asm" of a family with forms is a mnemonic, not "add it"'),
}


@pytest.mark.parametrize("name", MNEMONICS)
def test_refused_mnemonic(name: str, tmp_path: Path) -> None:
    asm, message = MNEMONICS[name]
    path, _ = write(tmp_path, HEAD.replace("  forms: |\n" + ADD, f'  asm: "{asm}"\n  forms: |\n{ADD}') + USES)
    with pytest.raises(DescError) as e:
        load(path)
    assert str(e.value).partition(": ")[2] == message


def test_mnemonic_of_columns_and_axes(tmp_path: Path) -> None:
    family = 'more:\n  asm: "{name}{t}"\n  each: |\n    name k\n    twin 02\n  axes: {t: {ss: {m: "0"}, sd: {m: "1"}}}\n' \
             "  forms: |\n    0F {k} /{m}  | Ev\n  do: if m { a = a }\n"
    isa = load(write(tmp_path, HEAD + USES + family)[0])
    assert [(x.row_name, x.name) for x in isa.leaves if x.family.name == "more" and x.form.n == 16] == [
        ("twinss", "twinss.Ev.16.mem"), ("twinss", "twinss.Ev.16.reg"), ("twinsd", "twinsd.Ev.16.mem"), ("twinsd", "twinsd.Ev.16.reg")]


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, tmp_path: Path) -> None:
    form, message = CASES[name]
    got = refuse(tmp_path, HEAD.replace(ADD, f"    {form}\n") + USES)
    assert message is None or got.split(" (in ")[0] == message, got


def test_unused_code(tmp_path: Path) -> None:
    text = HEAD.replace("sIz: imm sext N", "sIz: imm sext N, Zv: §low G")
    assert refuse(tmp_path, text + USES) == 'operand code "Zv" is used by no form'


def test_bad_place(tmp_path: Path) -> None:
    got = refuse(tmp_path, HEAD.replace("Ev: rm G", "Ev: §somewhere G") + USES)
    assert got.startswith('operand code "Ev": a place is needed (dest fixed imm low')


def test_modrm_in_some_forms(tmp_path: Path) -> None:
    text = HEAD + USES + "more:\n  forms: |\n    §F3 01\n  do: done\n"
    assert refuse(tmp_path, text) == "more: opcode 01 has a ModRM byte in some forms only (see add.Ev_Gv.16.mem)"


def test_write_of_an_immediate(tmp_path: Path) -> None:
    text = HEAD + USES.replace("do: a = a", "do: b = a").replace("    F6 /0    | Eb\n", "").replace("    F7", "    §F7")
    assert "operand sIz cannot be written" in refuse(tmp_path, text.replace("Eb: rm R8, ", ""))


def test_read_after_write(tmp_path: Path) -> None:
    text = HEAD.replace("do: a = a + b", "do: |\n    a = b\n    let x = a\n    a = x").replace("    01 /r", "    §01 /r") + USES
    assert "operand Ev is read after its write" in refuse(tmp_path, text)


def toy(tmp_path: Path):
    path, _ = write(tmp_path, HEAD + USES)
    return load(path)


def test_multiplied_out(tmp_path: Path) -> None:
    """Operand size, then memory (with and without lock) and register."""
    isa = toy(tmp_path)
    assert [x.name for x in isa.leaves] == [
        f"add.Ev_Gv.{n}.{m}" for n in (16, 32, 64) for m in ("mem", "mem.lock", "reg")] + [
        "test.Eb.mem", "test.Eb.reg"] + [f"test.Ev_sIz.{n}.{m}" for n in (16, 32, 64) for m in ("mem", "reg")]
    leaf = next(x for x in isa.leaves if x.name == "add.Ev_Gv.16.mem.lock")
    assert {k: leaf.columns[k].s for k in ("N", "G", "mem", "lock")} == {"N": "16", "G": "R16", "mem": "1", "lock": "1"}
    assert [(s.place, s.view, s.bits) for s in specs(isa, leaf)] == [("rm", "R16", 16), ("reg", "R16", 16)]


def test_keys(tmp_path: Path) -> None:
    """What chooses among the rows of one opcode."""
    isa = toy(tmp_path)
    keys = {x.name: scanner.keys(isa, x) for x in isa.leaves}
    bit = lambda k: 1 << k                                                      # noqa: E731
    free = bit(scanner.REG) | bit(scanner.LOCK) | bit(scanner.W)
    assert keys["add.Ev_Gv.64.mem.lock"] == [(free, bit(scanner.LOCK) | bit(scanner.W))]
    assert keys["add.Ev_Gv.16.reg"] == [(free | bit(scanner.P66), bit(scanner.REG) | bit(scanner.P66))]
    assert keys["test.Eb.reg"] == [(bit(scanner.REG) | bit(scanner.LOCK) | 7 << scanner.DIGIT, bit(scanner.REG))]


def test_weak_and_overrides(tmp_path: Path) -> None:
    """The form that says it wins stands first."""
    text = HEAD + USES + "more:\n  forms: |\n    F3 01 /r | Ev Gv | overrides:add\n  do: a = b\n"
    path, _ = write(tmp_path, text)
    isa = load(path)
    group = next(g for g in scanner.groups(isa, meaning.check(isa)) if g.opcode == 1)
    assert [r.leaf.family.name for r in group.rows] == ["more"] * 6 + ["add"] * 9


@pytest.mark.skipif(not shutil.which("re2c"), reason="re2c is not installed")
def test_compiles_and_decodes(tmp_path: Path) -> None:
    """The whole chain for an ISA that is not x86_64: nothing in it knows that name."""
    path, _ = write(tmp_path, HEAD + USES)
    out = tmp_path / "gen/toyvar"
    subprocess.run([sys.executable, "-B", "-m", "gen", "--isa", path, "--out", str(out)], cwd=ROOT, check=True)
    subprocess.run(["re2c", "-i", "--no-generation-date", "-o", out / "decode.re.c", out / "decode.re"], check=True)
    (tmp_path / "main.c").write_text("""
#include <stdio.h>
#include "toyvar/insn.h"
int main(void) {
  static const unsigned char insns[][8] = {{0x66, 0x01, 0xc8}, {0xf0, 0x64, 0x48, 0x01, 0x44, 0x91, 0x10}, {0xf6, 0x04, 0x25, 1}};
  char text[80], err[80];
  unsigned char bytes[15];
  for (int k = 0; k < 3; k++) {
    struct toyvar_insn i;
    int n = toyvar_decode(~0ull, insns[k], 8, &i.head);
    toyvar_disasm(&i.head, 0, 0, text, sizeof text);
    printf("%d %s %d\\n", n, text, toyvar_assemble(~0ull, text, 0, bytes, err, sizeof err));
  }
  return 0;
}
""")
    core = ROOT / "runtime/core"
    exe = tmp_path / "main"
    subprocess.run(["gcc", "-std=gnu17", "-I", ROOT / "runtime", "-I", tmp_path / "gen", "-o", exe, tmp_path / "main.c",
                    out / "decode.re.c", out / "prepare.c", out / "asm.c", core / "form_text.c", core / "form_asm.c"], check=True)
    got = subprocess.run([exe], capture_output=True, text=True, check=True).stdout.splitlines()
    assert got == ["3 add h0, h1 3", "7 lock add qword ptr fs:[r1 + 4*r2 + 16], r0 7", "7 test byte ptr [1] 7"]


def test_no_isa_names() -> None:
    """The machinery of forms names no ISA."""
    for f in ("gen/forms.py", "gen/operands.py", "gen/backends/scanner.py", "gen/backends/formtext.py", "runtime/core/form.h",
              "runtime/core/form_text.c", "runtime/core/form_asm.c", "gen/templates/decode.re.j2", "gen/templates/formasm.c.j2"):
        assert not re.search(r"x86_?64|amd64", (ROOT / f).read_text()), f
