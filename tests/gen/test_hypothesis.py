"""Mutated descriptions: the compiler accepts them or raises DescError with a place, and nothing else ever. `scripts/test --full`
tries many more."""
from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
import test_forms
import test_language
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from toy import ROOT, USES

from gen import backends
from gen.load import load
from gen.meaning import check
from gen.model import DescError

FULL = bool(os.environ.get("ISOMER_FULL"))
EXAMPLES = 20_000 if FULL else 400
TOKEN = re.compile(r"[A-Za-z_][\w.']*|0x[0-9a-fA-F]+|\d+|[ \t]+|\n[ ]*|.", re.S)

# Every kind of declaration and statement once.
TOY = test_language.HEAD + '  defs: {"half(a)": "a[31:0]"}\n' + USES + """\
f:
  enc: "imm[6:0] 00001 rs1 001 rd 1111111"
  each: |
    name N
    f.a  1
  asm: "f {rd}, {rs1}, {imm}"
  let: {sum: "X[rs1] + zext(imm)"}
  do: |
    if sum == N { trap(fault, X[rs1]) }
    X[rd] = zext(half(sum))
  requires: Zx
  aliases: [{name: g, asm: "g {rd}", when: "rs1 == 0"}]
"""
REAL = ("riscv64/muldiv.yaml", "riscv64/sysregs.yaml", "riscv64/compressed.yaml", "arm64/aliases.yaml", "x86_64/shift.yaml")
BASES = {"toy": TOY, "forms": test_forms.HEAD + test_forms.USES}
WORDS = sorted({t for f in (ROOT / "isa").rglob("*.yaml") for t in TOKEN.findall(f.read_text()) if t.strip()} |
               {"-1", "1" * 40, "{", "}", "[", "]", "\"", "'", ":", "- ", "|", "\t", "\0", "é", "\u2028", "1e9", "~", "?", "!!int", "&a", "*a", "<<",
                "(" * 300, "-" * 300, "[" * 300, "99999999999999999999", "0x", "if", "else", "let", "trap", "for", "include"})

mutation = st.tuples(st.sampled_from(["delete", "double", "replace", "insert", "swap", "delete line", "double line", "move line", "indent"]),
                     st.integers(0, 1 << 30), st.integers(0, 1 << 30))
mutations = st.lists(mutation, min_size=1, max_size=4)


def mutate(text: str, steps: list[tuple[str, int, int]]) -> str:
    for how, at, what in steps:
        lines = "line" in how or how == "indent"
        parts = text.splitlines(keepends=True) if lines else TOKEN.findall(text)
        if not parts:
            return text
        i, j = at % len(parts), what % len(parts)
        if how.startswith("delete"):
            del parts[i]
        elif how.startswith("double"):
            parts.insert(i, parts[i])
        elif how == "move line":
            parts.insert(j, parts.pop(i))
        elif how == "indent":
            parts[i] = " " * (what % 7) + parts[i].lstrip(" ")
        elif how == "swap":
            parts[i], parts[j] = parts[j], parts[i]
        else:
            parts[i] = WORDS[what % len(WORDS)] + (parts[i] if how == "insert" else "")
        text = "".join(parts)
    return text


def compile_description(path: Path) -> None:
    """Through all stages; a refusal names a file and a place."""
    try:
        isa = load(str(path))
        backends.everything(isa, check(isa))
    except DescError as e:
        assert re.match(r".+: .+", str(e)), str(e)


def settle(examples: int):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", BASES)
def test_bases_are_accepted(name: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(BASES[name])
    isa = load(str(path))
    assert backends.everything(isa, check(isa))


@pytest.mark.parametrize("name", BASES)
def test_mutated_toys(name: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"

    @settle(EXAMPLES)
    @given(mutations)
    def run(steps: list[tuple[str, int, int]]) -> None:
        path.write_text(mutate(BASES[name], steps), encoding="utf-8")
        compile_description(path)
    run()


@pytest.mark.parametrize("name", REAL)
def test_mutated_families(name: str, tmp_path: Path) -> None:
    """One file of a real description; the rest as it is."""
    shutil.copytree(ROOT / "isa", tmp_path / "isa")
    path = tmp_path / "isa" / name

    @settle(EXAMPLES // 40)
    @given(mutations)
    def run(steps: list[tuple[str, int, int]]) -> None:
        path.write_text(mutate((ROOT / "isa" / name).read_text(), steps), encoding="utf-8")
        try:
            check(load(str(tmp_path / "isa" / f"{name.split('/')[0]}.yaml")))
        except DescError as e:
            assert re.match(r".+: .+", str(e)), str(e)
    run()


@pytest.mark.parametrize("old, new, message", [
    ("32: R32", "32: R33", 'extra: sizes: 32: no view "R33"'),
    ("none: 16, ", "", '"extra: address" lacks "none"'),
    ("stack: 4", "stack: four", 'extra: address: stack: no number "four"'),
    ("    pointers: {8: byte, 16: word, 32: dword, 64: qword}\n", "", 'a prefix scanner needs "extra: pointers"'),
    ("sIz: imm sext N", "sIz: imm sext", 'operand code "sIz": imm is followed by zext|sext width'),
    ("segments: {64: 1}", "segments: {XY: 1}", 'extra: segments: no byte in hexadecimal "XY"'),
    ('read: "[15:0]"', 'read: "[1515:0]"', 'view "R16": bits 1515:0 are not inside 64 bits'),
    ('R32: {of: R64, read: "[31:0]"', 'R32: {of: R64, read: "[001000:0]"', 'view "R32": bits 001000:0 are not inside 64 bits'),
    ('R32: {of: R64, read: "[31:0]"', 'R32: {of: R64, read: "[0x07c00000:0]"', 'view "R32": bits 0x07c00000:0 are not inside 64 bits'),
    (", scanner: prefix", "", 'family "add" has "forms", which does not go with insn: {scanner: tree}'),
])
def test_data_of_a_prefix_scanner_is_checked(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert BASES["forms"].count(old) == 1
    path = tmp_path / "toy.yaml"
    path.write_text(BASES["forms"].replace(old, new))
    with pytest.raises(DescError) as e:
        load(str(path))
    assert e.value.message == message


@pytest.mark.parametrize("old, new, message", [
    ("view: X, add: 8}", "view: X, add: 99999999999999999999}", 'field "rd\'": what it holds does not fit 64 bits'),
    ('args: "a:b64"', 'args: "a::b64"', '"a": a type is b1 to b128, not ":b64"'),
    ('"X[rs1] + zext(imm)"', '"X[rs1] + zext("', "expected a name, found end of text (in f.a)"),
    ('"X[rs1] + zext(imm)"', '"X[rs1] + zext"', "unknown name 'zext' (in f.a)"),
])
def test_former_findings(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert TOY.count(old) == 1
    path = tmp_path / "toy.yaml"
    path.write_text(TOY.replace(old, new))
    with pytest.raises(DescError) as e:
        isa = load(str(path))
        backends.everything(isa, check(isa))
    assert e.value.message == message


@pytest.mark.parametrize("deep", ["(" * 5000 + "1" + ")" * 5000, "~" * 5000 + "imm[0]", "1" + " + 1" * 5000,
                                  "if rd[0] then 1 else " * 3000 + "1"])
def test_deep_expressions(deep: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(TOY.replace("let: {sum: \"X[rs1] + zext(imm)\"}", "let: {sum: \"%s\"}" % deep))
    with pytest.raises(DescError):
        backends.everything(isa := load(str(path)), check(isa))


@settle(EXAMPLES // 4)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda s: s.encode("utf-8", "surrogatepass")))
@example(b"")
@example(b"\xff\xfe")
@example(b"{" * 3000)
@example(b"- " * 3000)
@example(b"a: &a [*a]")
def test_any_bytes(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as d:
        path = Path(d, "toy.yaml")
        path.write_bytes(content)
        compile_description(path)
