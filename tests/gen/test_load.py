"""What the loader makes of descriptions that are right: leaves, names, pictures, places, overlays, system registers."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from toy import HEAD, ROOT, USES, write

from gen import source
from gen.load import load
from gen.model import DescError, Isa, Piece


def model(tmp_path: Path, more: str = "") -> Isa:
    return load(write(tmp_path, HEAD + USES + more)[0])


def test_leaves_of_axes_and_rows(tmp_path: Path) -> None:
    isa = model(tmp_path, """\
amo:
  enc: "{f} aq 0 00000 rs1 01{d} rd 1111111"
  asm: "{name}{d}{aq} {rd}, ({rs1})"
  axes:
    d: {w: {bits: 0, N: 32}, d: {bits: 1, N: 64}}
    aq: {"": 0, .aq: 1}
  do: X[rd] = zext.64(X[rs1][N-1:0]) + k
  each: |
    name f     k
    a.   00001 1      # a comment
    b    00010 1 + 2
""")
    leaves = {x.name: x for x in isa.leaves if x.family.name == "amo"}
    assert list(leaves) == ["a.w", "a.w.aq", "a.d", "a.d.aq", "b.w", "b.w.aq", "b.d", "b.d.aq"]
    b = leaves["b.d.aq"]
    assert (b.row_name, b.ident, b.length, b.axes) == ("b", "b_d_aq", 32, {"d": ("d", 1), "aq": (".aq", 1)})
    assert {k: t.s for k, t in b.columns.items()} == {"f": "00010", "k": "1 + 2", "N": "64"}
    assert b.mask == 0xfff0707f and b.value == 0b00010 << 27 | 1 << 26 | 0b011 << 12 | 0b1111111
    assert [x.id for x in isa.leaves] == list(range(1, len(isa.leaves) + 1))


def test_pieces_of_an_operand(tmp_path: Path) -> None:
    isa = model(tmp_path, """\
j:
  enc: "imm[20|10:1|11|19:12] rd 1101111"
  asm: "j {rd}, {imm:pc}"
  do: jump(pc + sext(imm))
""")
    f = isa.leaves[-1].fields["imm"]
    assert f.bits == 21 and f.view is None
    assert f.pieces == [Piece(20, 20, 31), Piece(10, 1, 21), Piece(11, 11, 20), Piece(19, 12, 12)]
    compressed = isa.leaves[1].fields["rd'"]
    assert (compressed.bits, compressed.view, compressed.add) == (3, "X", 8)


@pytest.mark.parametrize("loader", ["C", "Python"])
def test_places_inside_block_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str) -> None:
    """The parser reports line and column offsets; the text knows what they mean in the file."""
    if loader == "Python":
        monkeypatch.setattr(source, "Loader", yaml.BaseLoader)
    isa = model(tmp_path, """\
f:
  enc: "000000000001 rs1 000 rd 1111111"
  asm: "f {rd}, {rs1}"
  do: |    # comment

      let a = X[rs1]
      X[rd] = a
""")
    lines = (tmp_path / "toy.yaml").read_text().splitlines()
    do = isa.families["f"].do
    assert do.s == "\nlet a = X[rs1]\nX[rd] = a\n"
    line, col = (int(n) for n in do.at(2, 8).split(":")[1:])
    assert lines[line - 1][col - 1:] == "a" and lines[line - 1].endswith("X[rd] = a")
    assert isa.leaves[0].asm[0].text.s[0] == lines[isa.leaves[0].asm[0].text.line - 1][isa.leaves[0].asm[0].text.col - 1]


@pytest.mark.parametrize("isa", ["riscv64"])
def test_both_yaml_parsers_agree(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(ROOT / f"isa/{isa}.yaml")
    fast = load(path)
    monkeypatch.setattr(source, "Loader", yaml.BaseLoader)
    assert load(path) == fast


def test_overlay_replaces_and_adds(tmp_path: Path) -> None:
    base, _ = write(tmp_path, HEAD + USES)
    overlay, _ = write(tmp_path, """\
isa:
  features: {Zx: "+ replaced", Zy: "new"}
user:
  enc: "000000000010 rs1 000 rd 1111111"
  asm: "user {rd}, {rs1}"
  do: X[rd] = X[rs1]
more:
  enc: "000000000011 rs1 000 rd 1111111"
  requires: Zy
  asm: "more {rd}, {rs1}"
  do: X[rd] = X[rs1]
""", "overlay.yaml")
    isa = load(base, [overlay])
    assert {x.name: x.value >> 20 for x in isa.leaves} == {"user": 2, "cuser": 0, "more": 3}
    assert isa.features["Zx"].default and not isa.features["Zy"].default and isa.features["C"].default
    assert isa.sources == [base, overlay]
    with pytest.raises(DescError, match='"Zx" is declared twice'):
        write(tmp_path, f"include: [{overlay}]\n" + HEAD + USES)
        load(base)


def test_system_registers(tmp_path: Path) -> None:
    isa = model(tmp_path, """\
sysregs:
  status: {num: 0x300, fields: {A: 1, B: "12:11"}, reset: "1 << 11", mask: "0x1802"}
  "addr{2*i}": {for: "i in 1..3", num: "0x3b0 + i", width: 32}
  alias: {num: 0x100, storage: 0, read: "status"}
""")
    r = isa.sysregs
    assert {n: x.num for n, x in r.items()} == {"status": 0x300, "addr2": 0x3b1, "addr4": 0x3b2, "alias": 0x100}
    assert (r["status"].reset, r["status"].mask, r["addr4"].vars) == (0x800, 0x1802, {"i": 2})
    assert [(f.hi, f.lo) for f in r["status"].fields.values()] == [(1, 1), (12, 11)]
    assert {n: s.width for n, s in isa.slots.items() if s.sysreg} == {"status": 64, "addr2": 32, "addr4": 32}
    assert isa.slots["status"].kind == "system" and isa.slots["status"].reset == 0x800


def test_register_names(tmp_path: Path) -> None:
    text = HEAD.replace("X: {file: x}", """\
X: {file: x, at: {31: MODE}}
    W: {of: X, names: "w{i}"}
    D: {of: X, names: {30: lr}}
    R: {of: X, names: {N: {32: W, 64: X}}}""") + USES
    isa = load(write(tmp_path, text)[0])
    v = isa.views
    assert (v["X"].names[0], v["X"].names[31], v["W"].names[5]) == ("x0", "mode", "w5")
    assert (v["D"].names[30], v["D"].names[29]) == ("lr", "x29")
    assert v["R"].names_by_n == {32: "W", 64: "X"}


def test_winners_come_first(tmp_path: Path) -> None:
    """Overriding is transitive; a weak leaf loses against everything."""
    from gen.encoding import decoder
    body = '  asm: "{name} {rd}, {rs1}"\n  do: X[rd] = X[rs1]\n'
    isa = model(tmp_path, f"""\
hint:
  enc: "1----------- rs1 00- rd 1111111"
  weak: 1
{body}low:
  enc: "100--------- rs1 000 rd 1111111"
{body}mid:
  enc: "100000------ rs1 000 rd 1111111"
  overrides: low
{body}high:
  enc: "100000000001 rs1 000 rd 1111111"
  overrides: mid
{body}""")
    tree = decoder(isa).trees[32]
    for bit in (0, 1):
        node = tree
        word = 0x80000000 | bit << 20 | 0x7f
        while not isinstance(node, tuple):
            node = node.entries[word >> node.shift & (1 << node.width) - 1]
        names = [x.name for x in node if (word & x.mask) == x.value]
        assert names == (["high"] if bit else []) + ["mid", "low", "hint"]
