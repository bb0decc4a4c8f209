"""The interpreter's decoded cache and its generated run loop, built for a small ISA of the test's own."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gen.backends.run import HotError, Pair, run_c  # noqa: E402

LEAVES = ["invalid", "addi", "bnez", "jmp", "store", "end", "trap", "wait", "rep", "count", "jr"]
GLOBS = ["runtime/interp/*.c", "runtime/mem/*.c", "runtime/os/atomic128*.c", "runtime/os/fault_linux.c"]
CORE = ["vcpu", "log", "engine", "machine", "loop", "virtual"]
SOURCES = [ROOT / "tests/interp/interp_test.c", *(f for g in GLOBS for f in sorted(ROOT.glob(g))),
           *(ROOT / f"runtime/core/{n}.c" for n in CORE)]


def pair(first: str, second: str, operand: str = "", may_fail: bool = False) -> Pair:
    a, b = SimpleNamespace(ident=first), SimpleNamespace(ident=second)
    return Pair(a, b, f"{first}__{second}", operand, may_fail, may_fail)  # type: ignore[arg-type]


FUSED = [pair("addi", "addi"), pair("addi", "bnez", "a"), pair("store", "addi", may_fail=True)]  # as in fk_fuse


def build(tmp_path: Path, hot: list[str], *flags: str) -> Path:
    fused = FUSED if "store" in hot else []
    text = run_c("fake", 2, LEAVES, hot, hot_header="fake/insn.h", direct=["bnez", "jmp"], fused=fused)
    (tmp_path / "run.c").write_text(text)
    flags = (*flags, f"-DFUSED={2 + len(hot) if fused else 0}")
    engines = tmp_path / "engine_list.c"
    subprocess.run([sys.executable, "-B", ROOT / "scripts/embed.py", "engines", "--out", engines, "interp"], check=True)
    exe = tmp_path / "interp_test"
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", *flags, f"-I{ROOT}/runtime",
                    f"-I{ROOT}/tests/interp", *map(str, SOURCES), str(tmp_path / "run.c"), str(engines), "-o", str(exe),
                    "-lcmocka", "-lpthread"], check=True)
    return exe


@pytest.mark.parametrize("hot", [["addi", "bnez", "jmp", "store"], ["addi", "bnez", "jmp"], []], ids=["fused", "hot", "cold"])
def test_run_loop(tmp_path: Path, hot: list[str]) -> None:
    r = subprocess.run([build(tmp_path, hot)], capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr


def test_run_loop_sanitized(tmp_path: Path) -> None:
    exe = build(tmp_path, ["addi", "bnez", "store"], "-fsanitize=address,undefined", "-fno-sanitize-recover")
    r = subprocess.run([exe], capture_output=True, text=True, timeout=240)
    assert r.returncode == 0, r.stdout + r.stderr


@pytest.mark.parametrize("hot, text", [(["mul"], "`mul`, which is no leaf"), (["addi", "addi"], "`addi` twice")])
def test_hot_list_is_checked(hot: list[str], text: str) -> None:
    with pytest.raises(HotError, match=text):
        run_c("fake", 2, LEAVES, hot)


def test_run_loop_is_deterministic() -> None:
    assert run_c("fake", 4, LEAVES, ["jr"]) == run_c("fake", 4, LEAVES, ["jr"])
