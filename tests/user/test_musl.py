"""Programs of another C library, static and dynamic: Debian's musl, with the output of the same source and library natively.

Each side's own compiler builds them: the host's cross linker does not know all relocations of that release.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import userland  # noqa: E402

SOURCE = userland.ROOT / "tests" / "programs" / "static.c"
ARGS = ["one", "two words", ""]
VALUE = {"TEST_VALUE": "a b=c"}


@pytest.mark.parametrize("flags", [["-static"], []], ids=["static", "dynamic"])
def test_same_as_native(flags: list[str]) -> None:
    userland.needs_exec()
    place = userland.Place({"static.c": SOURCE.read_bytes()})
    results = []
    try:
        for run, arch in ((userland.native, os.uname().machine), (userland.guest, userland.ISA)):
            work = place.fresh()
            specs = f"/usr/lib/{userland.GNU.get(arch, arch)}-linux-musl/musl-gcc.specs"
            made = run(["gcc", "-specs", specs, "-O1", *flags, "static.c", "-o", "program"], work)
            assert made.status == 0, made.text()
            results.append(run(["./program", *ARGS], work, b"", VALUE))
    finally:
        shutil.rmtree(place.top, ignore_errors=True)
    assert results[0].status == 17
    assert results[1] == results[0]
