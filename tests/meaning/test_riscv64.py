"""riscv64: every instruction against trixie's qemu-riscv64 and against the Python oracle."""
from __future__ import annotations

from common import Machine, check, native, stale, translated

PLACES = ["x", "f", "fflags", "FRM"]
SKIP = {
    "csrr*": "the CSRs of user mode under qemu-user are not those of a bare machine; compared with the oracle",
    "ecall": "a system call", "mret": "machine mode", "sret": "supervisor mode", "wfi": "sleeps", "sfence.vma": "supervisor mode",
    "cbo.*": "needs senvcfg, which user mode cannot set",
    "unimp": "an illegal instruction by itself, whose bytes belong to csrrw",
}
# Helpers that change no state; the others have no twin.
HELPERS = {name: (lambda s, *a: ()) for name in ("tlb_flush", "fence_i", "pmp_changed")}
NO_ORACLE = {"cbo.*": "the block's probe is arch code"}


def user() -> Machine:
    m = Machine("riscv64", PLACES)
    m.fixed = {"FS": 3, "PRIV": 0}
    m.helpers = HELPERS
    m.avoid = {"*": {"load_misaligned", "store_misaligned"}}        # qemu-user gives up; compared with the oracle
    return m


def test_processor() -> None:
    check(user(), 150, SKIP, native("riscv64"))


def test_translated() -> None:
    """Translated code against the interpreter."""
    check(user(), 100, SKIP, translated("riscv64"), seed=2)


def test_oracle() -> None:
    """All of the state, in machine mode, system registers included."""
    m = Machine("riscv64")
    m.helpers = HELPERS
    m.limits = {"satp": (1 << 60) - 1, "PRIV": [0, 1, 3]}   # what a translation context can be made for
    check(m, 40, NO_ORACLE, None)


def test_skipped_instructions_exist() -> None:
    assert not stale(user(), SKIP)
