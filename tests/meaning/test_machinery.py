"""The comparison itself: a wrong meaning, a wrong trap and a wrong bit are found; undefined bits are not compared."""
from __future__ import annotations

import random

from common import Batches, Machine, Maker, Report, against_oracle


def one(m: Machine, name: str, count: int = 40) -> Report:
    rng, report = random.Random(7), Report()
    m.randomize(rng)
    batches = Batches()
    Maker(m, rng).cases(next(x for x in m.leaves if x["name"] == name), count, batches)
    for b in batches:
        against_oracle(m, b, report)
    return report


def test_right_meaning() -> None:
    r = one(Machine("riscv64"), "add")
    assert r.compared["add"] == 40 and not r.wrong


def test_wrong_meaning() -> None:
    m = Machine("riscv64")
    m.module.LEAVES["add"] = (m.module.LEAVES["sub"][0], {}, None)
    assert one(m, "add").wrong


def test_wrong_trap() -> None:
    m = Machine("riscv64")
    m.module.TRAPS[2] = "another"
    r = one(m, "fadd.d")      # FS is 0 or the rounding mode reserved in some cases
    assert r.wrong and all("trap ('another'" in t for texts in r.wrong.values() for t in texts)


def test_wrong_address() -> None:
    """Memory and link register both tell where the instruction was."""
    m = Machine("riscv64")
    old = m.module.LEAVES["jal"]
    m.module.LEAVES["jal"] = ((lambda s, d: (old[0](s, d), s.jump(s.target + 2))[0] and None), *old[1:])
    assert one(m, "jal").wrong


def test_undefined_bits() -> None:
    """AF after a shift: recorded, one bit, nothing else."""
    m = Machine("x86_64")
    rng = random.Random(3)
    m.randomize(rng)
    batches = Batches()
    Maker(m, rng).cases(next(x for x in m.leaves if x["name"] == "and.Ev_Gv.32.reg"), 5, batches)
    for b in batches:
        for c in b.cases:
            assert m.run_oracle(c).undefined == {m.first["AF", None]: 1}
