"""The generated reference: a section per family that says everything, in the file and from `isomer isa doc`."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gen.load import load  # noqa: E402
from gen.model import Isa  # noqa: E402

ISOMER = ROOT / "out/isomer"
ISAS = sorted(p.stem for p in (ROOT / "isa").glob("*.yaml"))


def doc(*args: str) -> str:
    r = subprocess.run([ISOMER, "isa", "doc", *args], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return r.stdout


@pytest.fixture(scope="module", params=ISAS)
def isa(request: pytest.FixtureRequest) -> Isa:
    return load(str(ROOT / f"isa/{request.param}.yaml"))


def test_every_family_has_its_section(isa: Isa) -> None:
    text = doc(isa.name)
    assert text == (ROOT / f"out/gen/{isa.name}/reference.md").read_text()
    heads = re.findall(r"^### (.*)$", text, re.M)
    assert heads == list(isa.families)
    for head, body in zip(heads, re.split(r"^### .*$", text, flags=re.M)[1:]):
        f = isa.families[head]
        meaning = (f.do or f.is_).s.strip()
        assert meaning in body and f"{Path(f.where.file).relative_to(ROOT)}:{f.where.line}." in body and f.note in body
        for leaf in isa.leaves:
            if leaf.family is f and leaf.form is None:
                assert f"| `{leaf.name}` |" in body, leaf.name
            assert leaf.family is not f or all(x in body for x in leaf.requires)


def test_tables_of_the_machine(isa: Isa) -> None:
    text = doc(isa.name).split("\n## Instructions")[0]
    for name in [*isa.features, *isa.files, *isa.views, *isa.sysregs, *isa.traps, *isa.helpers]:
        assert f"| `{name}` |" in text, name


def test_section_by_leaf_family_and_mnemonic() -> None:
    section = doc("--isa", "riscv64", "addi")
    assert section.startswith("### alui\n") and section.count("\n### ") == 0 and "`a + sext(imm)`" in section
    assert doc("--isa", "riscv64", "alui") == section == doc("addiw")
    assert "imm[11:5]  rs2    rs1    0**    imm[4:0]  0100011" in doc("store")     # vol. I, chapter 2: the S format
    assert doc("amoadd.w").startswith("### amo")


def test_lowering_is_told() -> None:
    assert "Lifted with: branch." in doc("--isa", "riscv64", "beq")
    assert "Lifted" not in doc("--isa", "riscv64", "addi")


def test_unknown_name_is_refused() -> None:
    r = subprocess.run([ISOMER, "isa", "doc", "--isa", "riscv64", "frobnicate"], capture_output=True, text=True)
    assert r.returncode == 120 and r.stdout == "" and "frobnicate" in r.stderr and r.stderr.count("\n") == 1
