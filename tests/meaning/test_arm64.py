"""arm64: every instruction against trixie's qemu-aarch64, as the oldest processor that has it, and against the Python oracle."""
from __future__ import annotations

from common import Machine, check, native, stale, translated

PLACES = [("x", 31), "SP", "NF", "ZF", "CF", "VF", "FPCR", "FPSR", "v"]
SKIP = {
    "svc": "a system call",
    "mrs.tpidr*": "holds the reference's own thread pointer", "msr.tpidr*": "would change the reference's own thread pointer",
    "hlt": "semihosting under qemu",
    # At EL0 these trap or are undefined, by controls of EL1: tests/unit/test_arm64_el1.c.
    "mrs": "qemu's registers are its own", "msr": "changes them", "mrs.daif": "Linux has it trap", "msr.dai*": "Linux has it trap",
    "wfi": "waits here, ends at once under qemu-user",
    "dc.c*": "does nothing under qemu-user for memory that is not there", "ic.ivau": "likewise",
}
# What C does (helpers) has no twin in Python: tests/unit/test_arm64_el1.c, test_arm64_walk.c.
BY_C = {name: "a helper" for name in ("eret", "msr.spsel", "tlbi*", "s1e*", "dc.[ci]v*", "dc.civac", "ic.ivau", "ldtr.*", "mrs", "msr")}
LATER = {"JSCVT", "LRCPC2", "FlagM", "FlagM2", "FCMA", "FHM", "FRINTTS", "I8MM", "SHA512", "SHA3"}
HELPERS = {name: (lambda s, *a: ()) for name in ("isync", "clrex")}


def user() -> Machine:
    m = Machine("arm64", PLACES)
    m.helpers = HELPERS
    # EL0 as Linux sets it up: UCI, nTWE, nTWI, UCT, DZE
    m.fixed = {"EL": 0, "FPEN": 3, "SCTLR_EL1": 1 << 26 | 1 << 18 | 1 << 16 | 1 << 15 | 1 << 14}
    m.limits = {"FPCR": 0x03c80000, "FPSR": 0x0800009f}     # the bits that exist
    # Without a reservation qemu does not look at the address, both are allowed; its later processors have FEAT_LSE2.
    m.avoid = {"stx*": {"data_abort"}, "ldapu*": {"data_abort"}, "stlu*": {"data_abort"}}
    m.ignore = {"FPCR": 0x04f70000, "FPSR": 0xf0000000}     # of AArch32 and alternative half precision, which there are none of here
    return m


def without(m: Machine, features: set[str]) -> Machine:
    m.leaves = [x for x in m.leaves if not features & set(x["requires"])]
    return m


def test_processor() -> None:
    check(without(user(), LATER), 100, SKIP, native("arm64"))


def test_later_processor() -> None:
    """What Neoverse N1 lacks. Without SVE, whose registers would be in the signal frame in place of V."""
    m = user()
    m.leaves = [x for x in m.leaves if LATER & set(x["requires"])]
    check(m, 100, {}, [{"neoverse-n1": "max,pauth=off,sve=off,sme=off"}.get(w, w) for w in native("arm64")])


def test_translated() -> None:
    """Translated code against the interpreter."""
    check(user(), 12, SKIP, translated("arm64"), seed=2)


def test_oracle() -> None:
    m = Machine("arm64")
    m.helpers = HELPERS
    m.limits = {"EL": [0, 1], "SCTLR_EL1": ~1 & (1 << 64) - 1, "PSTATE_IL": 0}     # without translation
    check(m, 20, BY_C, None)


def test_skipped_instructions_exist() -> None:
    assert not stale(user(), SKIP | BY_C)
