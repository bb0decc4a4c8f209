"""What the oracles of fixed-length ISAs are given (tests/oracle/words.h): pictures of the leaves, accepted differences."""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml

from gen.load import load

ROOT = Path(__file__).resolve().parents[2]
ORACLES = ("llvm", "capstone", "objdump", "zydis")
MAX_ROWS = 40           # of one ISA, over all oracles


def accepted(isa: str, oracle: str, key: str = "bits") -> list[dict[str, str]]:
    """The rows for an oracle; `key` says which instructions a row is for."""
    rows = yaml.safe_load((ROOT / f"tests/oracle/accepted_{isa}.yaml").read_text()) or []
    assert len(rows) <= MAX_ROWS, "too many accepted differences"
    for r in rows:
        assert set(r) - {"oracle"} == {key, "ours", "theirs", "ref"}, r
        assert set(r.setdefault("oracle", "llvm").split()) <= set(ORACLES), r
    return [r for r in rows if oracle in r["oracle"].split()]


def mask_value(bits: str) -> tuple[int, int]:
    b = bits.replace(" ", "")
    assert re.fullmatch("[01.]{16}([01.]{16})?", b), bits
    return int(re.sub("[01]", "1", b).replace(".", "0"), 2), int(b.replace(".", "0"), 2)


def write(isa: str, oracle: str, d: Path, features: set[str] | None = None) -> None:
    """The files `pictures` and `accepted` in directory d. `features`: those that the oracle knows, None for all."""
    leaves = load(str(ROOT / f"isa/{isa}.yaml")).leaves
    (d / "pictures").write_text("".join(
        f"{x.mask:x} {x.value:x} {x.length} {int(features is None or set(x.requires) <= features)} {x.name}\n" for x in leaves))
    rows = [(*mask_value(r["bits"]), r["ours"], r["theirs"]) for r in accepted(isa, oracle)]
    (d / "accepted").write_text("".join(f"{m:x} {v:x} {a}\t{b}\n" for m, v, a, b in rows))


def leaf_texts(isa: str, d: Path) -> dict[str, set[str]]:
    """A few words of each leaf, bytes in hexadecimal, with our canonical and preferred texts. `d`: for files."""
    write(isa, "llvm", d)
    program = ROOT / os.environ.get("ISOMER_OUT", "out") / "tests/oracle/llvm_dis"
    r = subprocess.run([program, isa, isa.replace("arm64", "aarch64"), "", "0", d / "pictures", d / "accepted", "leaves", "6", "1"],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    out: dict[str, set[str]] = {}
    for line in r.stdout.splitlines():
        if line.startswith("leaf\t"):
            _, _, code, text = line.split("\t")
            out.setdefault(code, set()).add(text)
    return out
