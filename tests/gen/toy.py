"""A small ISA of the tests' own, and descriptions built on it. `§` in a text marks the place a message must name."""
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

HEAD = """\
isa:
  name: toy
  machine: 1
  insn: {unit: 16, max: 32}
  features: {C: "+ compressed", Zx: "extra"}
  registers:
    files:
      x: {n: 32, width: 64, zero: 0}
    slots: {MODE: 2, Z: 1}
  views:
    X: {file: x}
  fields: {rd: X, rs1: X, "rd'": {bits: 3, view: X, add: 8}}
  traps: {illegal: 2}
"""
# Fields that every description must use.
USES = """\
user:
  enc: "000000000000 rs1 000 rd 1111111"
  asm: "user {rd}, {rs1}"
  do: X[rd] = X[rs1]
cuser:
  enc: "00000000 rd' 00000"
  asm: "cuser {rd'}"
  do: X[rd'] = 0
"""


def write(folder: Path, text: str, name: str = "toy.yaml") -> tuple[str, str]:
    """Writes a description without its mark; returns its path and the place of the mark as line:column."""
    at = text.find("§")
    place = f"{text[:at].count(chr(10)) + 1}:{at - text.rfind(chr(10), 0, at)}" if at >= 0 else ""
    path = folder / name
    path.write_text(text.replace("§", ""), encoding="utf-8")
    return str(path), place
