"""x86_64: every instruction against the machine that runs the tests (or qemu-x86_64) and against the Python oracle."""
from __future__ import annotations

from common import Machine, check, native, stale, translated

PLACES = [("r", 16), "CF", "PF", "AF", "ZF", "SF", "OF", "DF", "MXFLAGS", "MXCTL", "FCW", "v"]
SKIP = {"syscall": "a system call", "cpuid*": "what the processor is; tests/test_user_static.py asks it", "xgetbv": "as cpuid",
        "rdtsc*": "the processor's own clock"}


# Every rounding mode, DAZ and FTZ; all exceptions masked.
MXCTL = [0x7e | daz | rounding << 7 | ftz << 9 for daz in (0, 1) for rounding in range(4) for ftz in (0, 1)]


def user() -> Machine:
    m = Machine("x86_64", PLACES)
    m.limits = {"MXCTL": MXCTL, "FCW": [0x37f, 0xf7f, 0x27f]}
    return m


def test_processor() -> None:
    check(user(), 20, SKIP, native("x86_64"))


def test_translated() -> None:
    """Translated code against the interpreter."""
    check(user(), 20, SKIP, translated("x86_64"), seed=2)


def test_oracle() -> None:
    m = Machine("x86_64")
    m.helpers = {"tsc": lambda s: (0,)}
    check(m, 6, {"rdtsc*": "the machine's clock"}, None)


def test_skipped_instructions_exist() -> None:
    assert not stale(user(), SKIP)
