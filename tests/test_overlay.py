"""docs/adding-an-instruction.md, followed to the letter: its overlay is the checked-in one, its commands print what it says."""
# lane: exclusive
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gen.load import load  # noqa: E402
from gen.model import DescError  # noqa: E402

DOC = (ROOT / "docs/adding-an-instruction.md").read_text()
OVERLAY = ROOT / "tests/overlays/qmac.yaml"
MARK = "--- end of command ---"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", DOC, re.M | re.S)


def commands() -> list[tuple[str, str]]:
    """(command, output) of every console block; `$ ` starts a command, `> ` continues it."""
    out: list[tuple[list[str], list[str]]] = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                out.append(([line[2:]], []))
            elif line.startswith("> ") and not out[-1][1]:
                out[-1][0].append(line[2:])
            else:
                out[-1][1].append(line)
    return [("\n".join(c), "\n".join(o)) for c, o in out]


def git_status() -> str:
    """Of what the commands could touch; scripts/test compares the whole tree."""
    paths = ["build.ninja", "out", "isa", "tests/overlays"]
    return subprocess.run(["git", "status", "--porcelain", "--", *paths], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_overlay_is_the_documented_one() -> None:
    assert blocks("yaml") == [OVERLAY.read_text()]
    assert len(OVERLAY.read_text().splitlines()) <= 6


def test_commands_do_what_the_document_says() -> None:
    steps = commands()
    assert len(steps) > 8
    script = "exec 2>&1\n" + "".join(f"{command}\necho '{MARK}'\n" for command, _ in steps)
    before = git_status()
    r = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    # What ninja says when an earlier run has built everything is no part of the document.
    printed = [s.replace("ninja: no work to do.\n", "").strip("\n") for s in r.stdout.split(MARK + "\n")[:-1]]
    assert list(zip([c for c, _ in steps], printed, strict=True)) == steps
    assert git_status() == before


def test_feature_makes_it_optional(tmp_path: Path) -> None:
    """Section 6."""
    declared = re.search(r"`(features: .*?)`", DOC)
    required = re.search(r"`(requires: .*?)`", DOC)
    assert declared and required
    text = OVERLAY.read_text().replace("{name: riscv64}", f"{{name: riscv64, {declared[1]}}}") + f"  {required[1]}\n"
    path = tmp_path / "feature.yaml"
    path.write_text(text)
    leaf = load(str(ROOT / "isa/riscv64.yaml"), [str(path)]).leaves[-1]
    assert leaf.name == "qmac" and leaf.requires == ["Xq"]
    path.write_text(text.replace('"+ ', '"'))
    assert not load(str(ROOT / "isa/riscv64.yaml"), [str(path)]).features["Xq"].default


def test_hot_line(tmp_path: Path) -> None:
    """Section 4."""
    hot = re.search(r"`(hot: .*?)`", DOC)
    assert hot
    path = tmp_path / "hot.yaml"
    path.write_text(OVERLAY.read_text().replace("{name: riscv64}", f"{{name: riscv64, {hot[1]}}}"))
    assert load(str(ROOT / "isa/riscv64.yaml"), [str(path)]).leaves[-1].hot


def test_overlay_of_another_isa_is_refused() -> None:
    with pytest.raises(DescError, match='qmac.yaml:1:13: this overlay is for "riscv64", not "arm64"'):
        load(str(ROOT / "isa/arm64.yaml"), [str(OVERLAY)])


@pytest.mark.parametrize("text, message", [
    ("qmac: {}\n", "an overlay says which ISA it changes"),
    ("isa: {name: vax}\n", "no ISA 'vax'"),
    ("isa: [\n", "bad.yaml:"),
])
def test_configure_refuses(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    r = subprocess.run(["./configure.py", "--isa-overlay", path], cwd=ROOT, capture_output=True, text=True)
    assert r.returncode == 2 and message in r.stderr and "Traceback" not in r.stderr
