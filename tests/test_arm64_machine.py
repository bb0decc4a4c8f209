"""Bare programs on arm64's machine: what tests/bare/arm64.c counts under QEMU, on both engines and under settings that stress them."""
from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import bare  # noqa: E402
from lib.bare import QEMU  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
ONCE = ["--jit", "threshold=1"]
STRESS = {"interp": ["--accel", "interp"], "interp, one TLB entry": ["--accel", "interp", "--jit", "tlb=1"], "plain": [], "at once": ONCE,
          "single": [*ONCE, "--jit", "insns=1"], "no room": [*ONCE, "--jit", "memory=65536"], "one TLB entry": [*ONCE, "--jit", "tlb=1"],
          "check": [*ONCE, "--check"], "deterministic": [*ONCE, "--deterministic"], "check, deterministic": [*ONCE, "--check", "--deterministic"]}
SAID = ["moves 101500", "spaces 30500", "changes 39000", "users 11480", "exclusives 1000"]

pytestmark = pytest.mark.skipif(bool(bare.missing()), reason=bare.missing())
needs_qemu = pytest.mark.skipif(not shutil.which(QEMU), reason=f"{QEMU} is not installed (scripts/setup installs it)")


def run(*args: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, errors="replace")


def build(out: Path, *more: str, source: str = "arm64.c") -> Path:
    return bare.build(out, *more, bare.SRC / "arm64.S", bare.SRC / source)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bare") / "arm64.elf")


@needs_qemu
def test_the_oracle_says_so(program: Path) -> None:
    r = bare.qemu(program)
    assert r.stdout.splitlines() == [*SAID, *SAID, "interrupts 1", "fine 0"], r.stderr


@pytest.mark.parametrize("stress", STRESS)
def test_machine(stress: str, program: Path) -> None:
    r = run(str(ISOMER), "run", *STRESS[stress], str(program))
    assert r.stdout.splitlines() == [*SAID, *SAID, "interrupts 1", "fine 0"], r.stderr
    assert r.returncode == 0


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bare") / "memory.elf", source="arm64_memory.c")


MEMORY = ["across 18087393416590589760", "aborts 180", "zeros 103200", "undefined 200", "fine 0"]


@needs_qemu
def test_the_oracle_says_so_of_memory(memory: Path) -> None:
    r = bare.qemu(memory)
    assert r.stdout.splitlines() == MEMORY, r.stderr


@pytest.mark.parametrize("stress", STRESS)
def test_memory(stress: str, memory: Path) -> None:
    """Accesses across pages, blocks of zeros."""
    r = run(str(ISOMER), "run", *STRESS[stress], "--stats", "--json", str(memory))
    assert r.stdout.splitlines() == MEMORY, r.stderr
    assert r.returncode == 0
    n = {m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', r.stderr)}
    if stress == "at once":     # what crosses is asked for, zeros are stores: more than 10,000 of either
        assert 8000 < n["asked"] < 12000 and n["interpreted"] < 7000, n


@pytest.fixture(scope="module")
def debug(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bare") / "debug.elf", source="debug.c")


@needs_qemu
def test_debug_exceptions_are_those_of_the_oracle(debug: Path) -> None:
    assert bare.qemu(debug).stdout == (bare.SRC / "debug.txt").read_text()


@pytest.mark.parametrize("stress", STRESS)
def test_debug_exceptions(stress: str, debug: Path) -> None:
    """Software step, breakpoints, watchpoints: each exception's syndrome, address and state."""
    r = run(str(ISOMER), "run", *STRESS[stress], str(debug))
    assert (r.returncode, r.stdout, r.stderr) == (0, (bare.SRC / "debug.txt").read_text(), "")


def test_a_breakpoint_slows_its_page_alone(tmp_path: Path) -> None:
    """Other code stays translated, and what is next to a watched place stays right."""
    elf = build(tmp_path / "elsewhere.elf", "-DELSEWHERE", source="debug.c")
    r = run(str(ISOMER), "run", "--accel", "jit", "--stats", "--json", str(elf))
    n = {m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', r.stderr)}
    assert r.returncode == 0 and r.stdout == "fine 0\n", r.stdout
    assert n["instructions"] > 3000000 and n["interpreted"] * 100 < n["instructions"]


@pytest.fixture(scope="module")
def align(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bare") / "align.elf", source="align.c")


@needs_qemu
def test_alignment_checks_are_those_of_the_oracle(align: Path) -> None:
    assert bare.qemu(align).stdout == "fine\n"


@pytest.mark.parametrize("stress", STRESS)
def test_alignment_checks(stress: str, align: Path) -> None:
    """SCTLR_EL1.A, on and off again: every kind of access at every distance from what it must be aligned to."""
    r = run(str(ISOMER), "run", *STRESS[stress], str(align))
    assert (r.returncode, r.stdout) == (0, "fine\n"), r.stdout + r.stderr


def test_deterministic_counts_are_the_interpreters(program: Path) -> None:
    """Interrupts at exact counts, code that moves and changes, faults: the same instructions retire on both engines."""
    runs = [run(str(ISOMER), "run", *accel, "--deterministic", "--stats", "--json", str(program))
            for accel in (["--accel", "interp"], ["--accel", "jit", "--jit", "threshold=4"])]
    a, b = ({m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', r.stderr)} for r in runs)
    assert b["blocks"] > 10
    assert a["instructions"] == b["instructions"] > 100000


def test_system_instructions_stay_in_translated_code(tmp_path: Path) -> None:
    """Interrupt masks, flushes of translations, barriers: where nothing comes of them the code goes on, and what is known of code by its
    address holds."""
    r = run(str(ISOMER), "run", "--accel", "jit", "--stats", "--json", str(build(tmp_path / "quiet.elf", "-DQUIET")))
    n = {m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', r.stderr)}
    assert r.returncode == 0 and n["instructions"] > 20000 * 11
    assert n["entries"] * 10 < 20000
    assert n["lookups"] * 10 < 20000
