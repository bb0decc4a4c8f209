"""The bare-metal riscv64 programs, on Isomer and, unchanged, on QEMU's spike board: both must report a pass through tohost. A
program QEMU cannot run is skipped there with the reason lib/htif.py gives."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine, htif  # noqa: E402

ISOMER = ROOT / "out" / "isomer"


@pytest.fixture(scope="session")
def elfdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("htif")


def built(name: str, elfdir: Path) -> Path:
    if why := htif.missing():
        pytest.skip(why)
    elf = elfdir / f"{name}.elf"
    return elf if elf.exists() else htif.build(name, elfdir)


def judged(command: list[str], name: str, elf: Path) -> None:
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert r.returncode == 0, htif.explain(name, elf, r.returncode) + "\n" + r.stderr.decode(errors="replace")


def test_htif(elfdir: Path) -> None:
    """All of them, as a scenario."""
    for name in htif.NAMES:
        built(name, elfdir)
    r = subprocess.run([str(ISOMER), "test", *engine.options(), str(ROOT / "scripts/scenarios/htif_programs.lua"), "--set", f"htif={elfdir}", "--set",
                        "names=" + " ".join(htif.NAMES)], stdin=subprocess.DEVNULL, capture_output=True, timeout=600, text=True)
    failed = re.search(r"(\w+) fails check (\d+)", r.stdout)
    assert r.returncode == 0, r.stdout + (htif.explain(failed[1], elfdir / f"{failed[1]}.elf", int(failed[2])) if failed else "")


@pytest.mark.parametrize("name", htif.NAMES)
def test_qemu_agrees(name: str, elfdir: Path) -> None:
    if name in htif.ISOMER_ONLY:
        pytest.skip(htif.ISOMER_ONLY[name])
    if not shutil.which(htif.QEMU):
        pytest.skip(f"{htif.QEMU} is not installed (scripts/setup installs it)")
    elf = built(name, elfdir)
    judged(htif.qemu_command(elf), name, elf)


@pytest.mark.parametrize("name", ["irq", "sstc", "time", "smc"])
def test_by_the_host_clock(name: str, elfdir: Path) -> None:
    """What time and other threads touch, in a machine with threads of its own."""
    elf = built(name, elfdir)
    judged([str(ISOMER), "run", *engine.options(), str(elf)], name, elf)


def test_failing_program_reports_its_check(elfdir: Path) -> None:
    """The harness itself: a failing check becomes the exit code and names its line."""
    if why := htif.missing():
        pytest.skip(why)
    if not shutil.which(htif.QEMU):
        pytest.skip(f"{htif.QEMU} is not installed")
    source = elfdir / "broken.c"
    source.write_text('#include "htif.h"\nvoid test_main(void)\n{\n  CHECK(1);\n  CHECK(0);\n}\n')
    elf = htif.build("broken", elfdir, source)
    code = subprocess.run(htif.qemu_command(elf), stdin=subprocess.DEVNULL, timeout=60).returncode
    assert code == 2
    assert "broken.c:5: CHECK(0);" in htif.explain("broken", elf, code, source)
