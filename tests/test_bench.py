"""scripts/bench: what it measures and how it fails; scripts/run-linux: what it refuses."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("bench", str(ROOT / "scripts/bench"))
    spec = importlib.util.spec_from_loader("bench", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench"] = module
    loader.exec_module(module)
    return module


def test_cpu_time_until_the_marker(bench: ModuleType) -> None:
    burn = "import time\nwhile time.process_time() < 0.5: pass\nprint('x ISOMER-READY', flush=True)\ntime.sleep(60)"
    start = time.monotonic()
    s = bench.until_marker(["/usr/bin/python3", "-c", burn])
    assert time.monotonic() - start < 30
    assert 0.5 <= s.cpu < 1.5 and s.wall >= 0.5


def test_sleep_is_no_cpu_time(bench: ModuleType) -> None:
    s = bench.until_marker(["sh", "-c", "sleep 1; echo ISOMER-READY"])
    assert s.wall >= 1 and s.cpu < 0.5


def test_marker_in_two_pieces(bench: ModuleType) -> None:
    bench.until_marker(["sh", "-c", "printf ISOMER; sleep 0.2; echo -READY; sleep 60"])


def test_end_before_the_marker(bench: ModuleType) -> None:
    with pytest.raises(bench.BenchError, match="ended before the marker; the end of its output:\noh no"):
        bench.until_marker(["sh", "-c", "echo oh no"])


def test_medians_and_ratios(bench: ModuleType) -> None:
    rows = {"a": [bench.Sample(c, c) for c in (9, 6, 1)], "ref": [bench.Sample(c, 1) for c in (2, 100, 1)]}
    assert bench.summary(rows, "ref") == {
        "a": {"cpu_s": 6, "wall_s": 6, "ratio": 3},
        "ref": {"cpu_s": 2, "wall_s": 1, "ratio": 1},
    }


def test_rounds_are_interleaved(bench: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    bench.measure({n: ["sh", "-c", f"echo {n} >>{log}; echo ISOMER-READY"] for n in "ab"}, 2, True)
    assert log.read_text().split() == ["a", "b", "a", "b"]


@pytest.mark.parametrize("args, message", [
    (["vax"], "no Linux guest for 'vax'"), (["--disk"], "unknown option '--disk'"),
    (["riscv64", "--disk"], "'--disk' is not understood"), (["arm64", "--disk"], "'--disk' is not understood"),
])  # fmt: skip
def test_run_linux_usage(args: list[str], message: str) -> None:
    r = subprocess.run([ROOT / "scripts/run-linux", *args], capture_output=True, text=True)
    assert r.returncode == 120 and message in r.stderr and r.stdout == ""


# ---- programs -----------------------------------------------------------------------------------


def test_program_table(bench: ModuleType) -> None:
    from scripts.lib import programs

    rows = [programs.Row(p.name, p.integer, {"native": [2.0, 1.0, 4.0], "isomer": [8.0, 32.0, 16.0]}) for p in programs.PROGRAMS]
    rows[0].seconds["isomer"] = [32.0 * 4] * 3  # 64 times native: the mean of eight doubles less than twice
    assert rows[1].ratio("isomer") == 8.0
    mean = programs.geomean(rows, "isomer")
    assert mean == pytest.approx(8 * 8 ** (1 / 8))
    assert programs.geomean(rows[1:], "isomer") is None  # not of fewer
    assert f"{mean:.2f}" in programs.table(rows, 3, "riscv64").splitlines()[-1]
    assert programs.as_json(rows, 3, "riscv64")["integer_geomean"]["isomer"] == mean


@pytest.mark.parametrize("name", ["core", "dhry", "fib", "bytecode", "sha256", "histogram", "chase-256K", "stream", "vector", "nbody", "matmul"])
def test_programs_print_the_same_everywhere(bench: ModuleType, name: str) -> None:
    """One round of each: Isomer, and the guest's own result, are the native one."""
    from scripts.lib import programs

    p = next(x for x in programs.PROGRAMS if x.name == name)
    rounds = "15" if name == "fib" else "1"
    native = programs.cpu([*programs.build(p, "native"), rounds])[1]
    got = programs.cpu([str(ROOT / "out/isomer"), "user", *programs.build(p, "riscv64"), rounds])[1]
    assert native and got == native


def test_a_difference_is_no_measurement(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.lib import programs

    monkeypatch.setattr(programs, "build", lambda p, target: ["echo", target])
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    with pytest.raises(programs.ProgramError, match="fib: isomer printed"):
        programs.measure(["fib"], "riscv64", 1, [], lambda text: None)


# ---- start --------------------------------------------------------------------------------------


def test_start_takes_turns_and_medians(bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.lib import start

    monkeypatch.setattr(start, "BATCH", 2)
    log = tmp_path / "log"
    commands = {"p": {n: ["/bin/sh", "-c", f"echo {n} >>{log}; {work}"] for n, work in
                      (("native", ":"), ("isomer", "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done"))}}
    rows = start.medians(start.measure(commands, 1))
    assert log.read_text().split() == ["native", "isomer"] * 2
    assert rows["p"]["native"]["cpu_ratio"] == 1.0 and rows["p"]["isomer"]["cpu_ratio"] > 3
    assert "isomer" in start.table(rows, 1, "riscv64")
    with pytest.raises(start.programs.ProgramError, match="exit code 3"):
        start.once(["/bin/sh", "-c", "exit 3"], {})
