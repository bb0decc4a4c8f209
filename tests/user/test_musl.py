"""Programs of another C library, static and dynamic: Debian's musl, with the output of the same source built for the host.

The guest's own compiler builds them: the host's cross linker does not know all relocations of that release.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import userland  # noqa: E402

SOURCE = userland.ROOT / "tests" / "programs" / "static.c"
SPECS = "/usr/lib/riscv64-linux-musl/musl-gcc.specs"
ARGS = ["one", "two words", ""]
VALUE = {"TEST_VALUE": "a b=c"}


@pytest.mark.parametrize("flags", [["-static"], []], ids=["static", "dynamic"])
def test_same_as_native(flags: list[str], tmp_path: Path) -> None:
    userland.needs_exec()
    subprocess.run(["gcc", "-O2", str(SOURCE), "-o", tmp_path / "host"], check=True)
    place = userland.Place({"static.c": SOURCE.read_bytes()})
    try:
        work = place.fresh()
        made = userland.guest(["gcc", "-specs", SPECS, "-O1", *flags, "static.c", "-o", "program"], work)
        assert made.status == 0, made.text()
        expected = userland.run([str(tmp_path / "host"), *ARGS], work, b"", {**userland.ENV, **VALUE})
        assert expected.status == 17
        assert userland.guest(["./program", *ARGS], work, b"", VALUE) == expected
    finally:
        shutil.rmtree(place.top, ignore_errors=True)
