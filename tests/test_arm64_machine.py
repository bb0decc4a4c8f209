"""Bare programs on arm64's machine: what tests/bare/arm64.c counts under QEMU, on both engines and under settings that stress them."""
from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ISOMER = ROOT / "out" / "isomer"
BARE = ROOT / "tests/bare"
GCC, QEMU = "aarch64-linux-gnu-gcc", "qemu-system-aarch64"
FLAGS = ("-std=gnu17 -O2 -Wall -Wextra -Werror -march=armv8-a -mgeneral-regs-only -nostdlib -static -ffreestanding -fno-pic -no-pie "
         "-fno-stack-protector -fno-strict-aliasing -fno-tree-loop-distribute-patterns -Wl,--build-id=none -Wl,--no-warn-rwx-segments").split()
ONCE = ["--jit", "threshold=1"]
STRESS = {"interp": ["--accel", "interp"], "interp, one TLB entry": ["--accel", "interp", "--jit", "tlb=1"], "plain": [], "at once": ONCE,
          "single": [*ONCE, "--jit", "insns=1"], "no room": [*ONCE, "--jit", "memory=65536"], "one TLB entry": [*ONCE, "--jit", "tlb=1"],
          "check": [*ONCE, "--check"], "deterministic": [*ONCE, "--deterministic"], "check, deterministic": [*ONCE, "--check", "--deterministic"]}
SAID = ["moves 101500", "spaces 30500", "changes 39000", "users 11480", "exclusives 1000"]

pytestmark = pytest.mark.skipif(not shutil.which(GCC), reason=f"{GCC} is not installed (scripts/setup installs it)")


def run(*args: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, errors="replace")


def build(out: Path, *more: str, source: str = "arm64.c") -> Path:
    subprocess.run([GCC, *FLAGS, *more, "-T", str(BARE / "arm64.ld"), str(BARE / "arm64.S"), str(BARE / source), "-o", str(out)], check=True)
    return out


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bare") / "arm64.elf")


@pytest.mark.skipif(not shutil.which(QEMU), reason=f"{QEMU} is not installed (scripts/setup installs it)")
def test_the_oracle_says_so(program: Path) -> None:
    r = run(QEMU, "-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-nic", "none", "-nographic", "-m", "64M", "-kernel", str(program))
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


@pytest.mark.skipif(not shutil.which(QEMU), reason=f"{QEMU} is not installed (scripts/setup installs it)")
def test_the_oracle_says_so_of_memory(memory: Path) -> None:
    r = run(QEMU, "-M", "virt", "-cpu", "cortex-a72", "-nic", "none", "-nographic", "-m", "64M", "-kernel", str(memory))
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


def test_system_instructions_stay_in_translated_code(tmp_path: Path) -> None:
    """Interrupt masks, flushes of translations, barriers: where nothing comes of them the code goes on, and what is known of code by its
    address holds."""
    r = run(str(ISOMER), "run", "--accel", "jit", "--stats", "--json", str(build(tmp_path / "quiet.elf", "-DQUIET")))
    n = {m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', r.stderr)}
    assert r.returncode == 0 and n["instructions"] > 20000 * 11
    assert n["entries"] * 10 < 20000
    assert n["lookups"] * 10 < 20000
