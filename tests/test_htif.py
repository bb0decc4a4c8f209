"""The bare-metal riscv64 programs, on Isomer and, unchanged, on QEMU's spike board.

Both must report a pass through tohost. A program QEMU cannot run is skipped
there with the reason lib/htif.py gives.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import htif  # noqa: E402

ISOMER = ROOT / "out" / "isomer"


@pytest.fixture(scope="session")
def elfdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("htif")


@pytest.mark.parametrize("name", htif.NAMES)
@pytest.mark.parametrize("machine", ["isomer", "qemu"])
def test_htif(name: str, machine: str, elfdir: Path) -> None:
    if why := htif.missing():
        pytest.skip(why)
    if machine == "qemu":
        if name in htif.ISOMER_ONLY:
            pytest.skip(htif.ISOMER_ONLY[name])
        if not shutil.which(htif.QEMU):
            pytest.skip(f"{htif.QEMU} is not installed (scripts/setup installs it)")
    else:
        assert ISOMER.exists(), f"{ISOMER} is missing: run ninja"
    elf = elfdir / f"{name}.elf"
    if not elf.exists():
        htif.build(name, elfdir)
    command = htif.qemu_command(elf) if machine == "qemu" else [str(ISOMER), "run", str(elf)]
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert r.returncode == 0, htif.explain(name, elf, r.returncode) + "\n" + r.stderr.decode(errors="replace")


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
