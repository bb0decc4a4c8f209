"""Statements that differ in a number alone become loops, and nothing else does."""
from __future__ import annotations

from gen.backends.roll import Line, Roller, rounds, template


def lines(*exprs: str) -> list[Line]:
    return [Line("uint64_t", f"t_{i}", e) for i, e in enumerate(exprs)]


def test_a_loop() -> None:
    r = Roller()
    assert r.lines(lines(*(f"(v->b8[{2 * i + 1}] >> {24 - 8 * i})" for i in range(4)))) == [
        "uint64_t t_0[4];", "for (unsigned i = 0; i < 4; i++) {", "  t_0[i] = (v->b8[(1 + 2 * i)] >> (24 - 8 * i));", "}"]
    assert r.renamed("t_2 + t_20") == "t_0[2] + t_20"


def test_rounds_of_two_statements_that_use_each_other() -> None:
    run = [x for k in range(4) for x in (Line("uint64_t", f"a_{2 * k}", f"x[{k}]"), Line("u128", f"b_{2 * k + 1}", f"a_{2 * k} + y_9"))]
    assert Roller().lines(run) == ["uint64_t a_0[4];", "u128 b_1[4];", "for (unsigned i = 0; i < 4; i++) {",
                                   "  a_0[i] = x[(i)];", "  b_1[i] = a_0[(i)] + y_9;", "}"]


def test_what_stays() -> None:
    for exprs in (["x[0]", "x[1]", "x[3]", "x[4]"],                             # no constant step
                  ["x[0]", "x[1]", "x[2]"],                                     # too few
                  ["l_0", "l_1", "l_2", "l_3"],                                 # locals of other names
                  [f"UINT64_C({i})" for i in range(4)]):                        # the macro pastes
        assert Roller().lines(lines(*exprs)) == [f"uint64_t t_{i} = {e};" for i, e in enumerate(exprs)]


def test_a_loop_ends_where_the_step_does() -> None:
    texts = [f"x[{i}]" for i in (0, 1, 2, 3, 8, 9, 10, 11)]
    assert rounds(texts) == 4 and template(texts[4:]) == "x[(8 + i)]"
    assert len(Roller().lines(lines(*texts))) == 8
