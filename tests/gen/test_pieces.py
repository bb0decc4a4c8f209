"""Columns that hold pieces of a bit picture and of assembly text; braces; values that are written as nothing; fixed point."""
from __future__ import annotations

from pathlib import Path

import pytest
from toy import HEAD, USES, write

from gen.asmtext import Lit, Named, Reg, parse
from gen.backends import everything
from gen.load import load
from gen.meaning import check
from gen.model import DescError

TWO = HEAD.replace("  traps:", '  formats: {two: {0: "", 1: "2"}}\n  traps:') + USES + """\
g:
  enc: "{pic} {k:low} rs1 000 rd 1111111"
  axes: {k: {a: {pic: "01 i[4:0]", low: 00000, t: "{i:two}"}, b: {pic: "1 i[2:0] 111", low: "10000", t: "x{i}"}}}
  asm: "g{k}{t} {{ {rd}, {rs1} }}"
  do: X[rd] = X[rs1] + zext(i)
"""


def test_pieces_in_columns(tmp_path: Path) -> None:
    isa = load(write(tmp_path, TWO)[0])
    a, b = (next(x for x in isa.leaves if x.name == n) for n in ("g.a", "g.b"))
    assert [(p.hi, p.lo, p.pos) for p in a.fields["i"].pieces] == [(4, 0, 25)]
    assert [(p.hi, p.lo, p.pos) for p in b.fields["i"].pieces] == [(2, 0, 28)]
    assert b.value >> 25 & 7 == 7 and b.value >> 20 & 31 == 16
    tail = [Reg("rd", "X"), Lit(", "), Reg("rs1", "X"), Lit(" }")]
    assert parse(isa, a, a.asm[0].text) == [Lit("ga"), Named("i", "two"), Lit(" { "), *tail]
    assert parse(isa, b, b.asm[0].text)[0] == Lit("gbx")
    everything(isa, check(isa))


def test_refused_pieces(tmp_path: Path) -> None:
    path, _ = write(tmp_path, TWO.replace('pic: "01 i[4:0]"', 'pic: §"0 {pic}"'))
    with pytest.raises(DescError) as e:
        load(path)
    assert "name another column" in str(e.value) and str(e.value).startswith(f"{path}:")


FLOATS = HEAD.replace("  views:\n", "  fp: {main: {nan: \"if MODE[0] == 1 then default else first_operand\"}}\n  context: MODE\n  views:\n") + USES + """\
h:
  enc: "0000001 i[4:0] rs1 000 rd 1111111"
  asm: "h {rd}, {rs1}, {i}"
  do: X[rd] = EXPR
"""


def generated(tmp_path: Path, expr: str) -> str:
    isa = load(write(tmp_path, FLOATS.replace("EXPR", expr))[0])
    return "".join(str(t) for t in everything(isa, check(isa)).values())


def test_fixed_point(tmp_path: Path) -> None:
    made = generated(tmp_path, "ftoi.64((X[rs1] as f64), s, rm=RTZ, bad=saturate, nan=zero, scale=i)")
    assert "fp64_to_fixed(&fe1" in made and "handler:" not in made
    assert "fp64_from_fixed(&fe1" in generated(tmp_path, "bits(itof.f64(X[rs1], u, scale=i))")


def test_nan_rule_of_the_context(tmp_path: Path) -> None:
    made = generated(tmp_path, "bits(fadd(X[rs1] as f64, X[rd] as f64))")
    assert ".nan = (uint8_t)(nan_" in made


@pytest.mark.parametrize("expr, message", [
    ("bits(itof.f64(X[rs1], u, scale=X[rd]))", "scale= must be known at translation time"),
    ("bits(fmin(X[rs1] as f64, X[rd] as f64, nan=never))", "nan= is number, propagate or num2008"),
])
def test_refused(expr: str, message: str, tmp_path: Path) -> None:
    isa = load(write(tmp_path, FLOATS.replace("EXPR", expr))[0])
    with pytest.raises(DescError) as e:
        check(isa)
    assert message in str(e.value)
