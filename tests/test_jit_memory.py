"""Memory accesses in translated code: atomics of every kind, faults, the bound of guest addresses; what they do is what the
hardware or the interpreter does, and they stay in translated code."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import htif, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
STRESS = {"plain": [], "at once": ["--jit", "threshold=1"], "single": ["--jit", "threshold=1", "--jit", "insns=1"],
          "check": ["--jit", "threshold=1", "--check"]}


def run(*args: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(args), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, errors="replace")


def counters(r: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return {m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', r.stderr)}


def hosted(isa: str, source: str, out: Path) -> Path:
    if why := programs.missing(isa):
        pytest.skip(why)
    subprocess.run([programs.TARGETS[isa].gcc, "-O2", "-static", "-pthread", str(ROOT / "tests/programs" / source), "-o", str(out)], check=True)
    return out


@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("isa", programs.TARGETS)
def test_atomics_are_the_hardwares(isa: str, stress: str, tmp_path: Path) -> None:
    for i in (isa, "x86_64"):
        if why := programs.missing(i):
            pytest.skip(why)
    oracle = programs.oracle("x86_64", programs.build("x86_64", "atomics", tmp_path))
    if oracle is None:
        pytest.skip("nothing here runs x86_64 programs")
    elf = programs.build(isa, "atomics", tmp_path)
    want = run(*oracle)
    got = run(str(ISOMER), "user", "--accel", "jit", *STRESS[stress], "--stats", "--json", str(elf))
    assert (got.returncode, got.stdout) == (want.returncode, want.stdout) and want.stdout.endswith("done\n"), got.stderr
    if stress == "at once":     # misaligned ones alone are the interpreter's
        n = counters(got)
        assert n["interpreted"] * 100 < n["instructions"], n


@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("isa", programs.WHOLE)
def test_threads_and_faults_are_native(isa: str, stress: str, tmp_path: Path) -> None:
    """Four threads at the same words; atomics and pairs where they may not write; counts and fault addresses are native ones."""
    want = run(str(hosted("x86_64", "atomics_threads.c", tmp_path / "native")))
    guest = hosted(isa, "atomics_threads.c", tmp_path / "guest")
    got = run(str(ISOMER), "user", "--accel", "jit", *STRESS[stress], str(guest))
    assert want.returncode == 0 and (got.returncode, got.stdout, got.stderr) == (0, want.stdout, "")


@pytest.mark.parametrize("name", ["amo", "lrsc", "zicbo", "misaligned", "cross", "window"])
def test_machine(name: str, tmp_path: Path) -> None:
    if why := htif.missing():
        pytest.skip(why)
    elf = htif.build(name, tmp_path)
    for stress in [*STRESS.values(), ["--jit", "threshold=1", "--jit", "tlb=1"]]:
        r = run(str(ISOMER), "run", "--accel", "jit", *stress, str(elf))
        assert r.returncode == 0, htif.explain(name, elf, r.returncode) + "\n" + r.stderr


def test_accesses_across_pages_stay_in_translated_code(tmp_path: Path) -> None:
    """100,000 of them: the runtime makes them, without leaving the block."""
    if why := htif.missing():
        pytest.skip(why)
    elf = htif.build("misaligned", tmp_path)
    r = run(str(ISOMER), "run", "--accel", "jit", "--jit", "threshold=1", "--stats", "--json", str(elf))
    n = counters(r)
    assert r.returncode == 0 and n["asked"] >= 100000 and n["interpreted"] < 10000, (r.returncode, n)


@pytest.mark.parametrize("engine", ["interp", "jit"])
@pytest.mark.parametrize("isa", programs.WHOLE)
def test_accesses_to_isomers_own_memory_fault(isa: str, engine: str, tmp_path: Path) -> None:
    """A running program is given addresses of Isomer's own mappings, and ones around the end of what a guest may map: every kind
    of access faults, at the address that it was made at."""
    guest = hosted(isa, "foreign.c", tmp_path / "guest")
    p = subprocess.Popen([str(ISOMER), "user", "--accel", engine, str(guest)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    assert p.stdin and p.stdout and p.stderr and p.stdout.readline() == "ready\n"
    maps = [line.split() for line in Path(f"/proc/{p.pid}/maps").read_text().splitlines()]
    own = [(m[0].split("-")[0], m[1]) for m in maps if int(m[0].split("-")[0], 16) >= 1 << 38 and "vsyscall" not in m[-1]]
    places = [at for rights in ("rw", "r--", "r-x") for at in [a for a, r in own if r.startswith(rights)][:4]]
    assert len(places) > 8
    for at in [*places, *(f"{x:x}" for x in ((1 << 38) - 4096, 1 << 38, (1 << 38) + 4096, 1 << 47, (1 << 63) + 8, (1 << 64) - 4096))]:
        p.stdin.write(at + "\n")
        p.stdin.flush()
        assert p.stdout.readline() == f"{17 * 40} 0 0\n", at
    p.stdin.close()
    assert (p.wait(60), p.stderr.read()) == (7, "")


KEPT = r"""
#include <stdint.h>
#include <stdio.h>
static uint64_t from[64], to[64];
int main(void) {
  for (unsigned i = 0; i < 64; i++) from[i] = i * 3;
  for (unsigned n = 0; n < 50; n++) {
    register uint64_t *a4 __asm__("a4") = from, *a5 __asm__("a5") = to, *a3 __asm__("a3") = from + 64, a2 __asm__("a2");
    __asm__ volatile("1: ld %0, 0(%2)\naddi %1, %1, 8\naddi %2, %2, 8\nfadd.d ft0, ft0, ft1, rmm\nsd %0, -8(%1)\nbne %2, %3, 1b"
                     : "=&r"(a2), "+r"(a5), "+r"(a4), "+r"(a3) : : "memory", "ft0");
  }
  for (unsigned i = 0; i < 64; i++) if (to[i] != i * 3) return 1;
  return 9;
}
"""


def test_a_register_read_before_a_handler_changes_it_keeps_its_value(tmp_path: Path) -> None:
    """(Rounding to the nearest away from zero is no host's own.)"""
    if why := programs.missing("riscv64"):
        pytest.skip(why)
    source = tmp_path / "kept.c"
    source.write_text(KEPT)
    subprocess.run([programs.TARGETS["riscv64"].gcc, "-O1", "-static", str(source), "-o", str(tmp_path / "kept")], check=True)
    for n in ("2", "3", "4", "5", "48"):
        assert run(str(ISOMER), "user", "--accel", "jit", "--jit", f"insns={n}", str(tmp_path / "kept")).returncode == 9, n
