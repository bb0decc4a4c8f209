"""x86_64: every instruction against the machine that runs the tests (or qemu-x86_64) and against the Python oracle."""
from __future__ import annotations

from common import Machine, check, native, stale

PLACES = [("r", 16), "CF", "PF", "AF", "ZF", "SF", "OF", "DF", "MXFLAGS", "MXCTL", "v"]
SKIP = {"syscall": "a system call"}


# Every rounding mode, DAZ and FTZ; all exceptions masked.
MXCTL = [0x7e | daz | rounding << 7 | ftz << 9 for daz in (0, 1) for rounding in range(4) for ftz in (0, 1)]


def user() -> Machine:
    m = Machine("x86_64", PLACES)
    m.limits = {"MXCTL": MXCTL}
    return m


def test_processor() -> None:
    check(user(), 60, SKIP, native("x86_64"))


def test_oracle() -> None:
    check(Machine("x86_64"), 15, {}, None)


def test_skipped_instructions_exist() -> None:
    assert not stale(user(), SKIP)
