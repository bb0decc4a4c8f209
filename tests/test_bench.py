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


def test_boot_commands(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "guest", lambda *args: "/".join(args))
    table = bench.boot("arm64", "jit,interp", ["-x"])
    assert list(table) == ["jit", "interp", "qemu"] and table["qemu"][0] == "qemu-system-aarch64"
    assert table["jit"][1:] == ["run", "-kernel", "kernel/arm64", "-initrd", "initrd/arm64", "-append", "console=ttyAMA0 isomer.script=marker",
                                "-m", "512M", "-nographic", "--accel", "jit", "-x"]  # fmt: skip


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


@pytest.mark.parametrize("engine", ["interp", "jit"])
@pytest.mark.parametrize("name", ["core", "dhry", "fib", "bytecode", "sha256", "histogram", "chase-256K", "stream", "vector", "nbody", "matmul"])
def test_programs_print_the_same_everywhere(bench: ModuleType, name: str, engine: str) -> None:
    """One round of each: Isomer, and the guest's own result, are the native one."""
    from scripts.lib import programs

    p = next(x for x in programs.PROGRAMS if x.name == name)
    rounds = "15" if name == "fib" else "1"
    native = programs.cpu([*programs.build(p, "native"), rounds])[1]
    got = programs.cpu([str(ROOT / "out/isomer"), "user", "--accel", engine, *programs.build(p, "riscv64"), rounds])[1]
    assert native and got == native


def test_a_difference_is_no_measurement(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.lib import programs

    monkeypatch.setattr(programs, "build", lambda p, target: ["echo", target])
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    with pytest.raises(programs.ProgramError, match="fib: isomer printed"):
        programs.measure(["fib"], "riscv64", 1, {"isomer": ["echo"]}, lambda text: None)


def test_engines_have_columns(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.lib import programs

    binary = str(ROOT / "out/isomer")
    assert bench.isomers("", ["-x"]) == {"isomer": [binary, "-x"]}
    columns = bench.isomers("jit,interp", ["-x"])
    assert columns == {"jit": [binary, "--accel", "jit", "-x"], "interp": [binary, "--accel", "interp", "-x"]}
    ran: list[list[str]] = []
    monkeypatch.setattr(programs, "build", lambda p, target: [target])
    monkeypatch.setattr(programs.shutil, "which", lambda name: "/qemu")
    monkeypatch.setattr(programs, "cpu", lambda command, times: (ran.append(command), (1.0, b""))[1])
    rows = programs.measure(["fib"], "riscv64", 2, columns, lambda text: None)
    assert ran == 2 * [["native"], [binary, "user", "--accel", "jit", "-x", "riscv64"],
                       [binary, "user", "--accel", "interp", "-x", "riscv64"], ["/qemu", "riscv64"]]  # fmt: skip
    assert programs.table(rows, 2, "riscv64").splitlines()[1].split() == ["native", "s", "jit", "s", "x", "interp", "s", "x", "qemu", "s", "x"]


# ---- system -------------------------------------------------------------------------------------

# Speaks as bench/guest/init.c does: each run takes 0.2 s of CPU time; before and after, and while it sleeps, some more.
GUEST = """
import sys, time
def burn(s):
    end = time.process_time() + s
    while time.process_time() < end: pass
burn(0.3)
print("kernel messages\\nISOMER-READY", flush=True)
for line in sys.stdin:
    times, *command = line.split()
    for _ in range(int(times)):
        burn(0.2)
        print("ran", *command, flush=True)
        time.sleep(0.3)
    print("ISOMER-DONE", 3 if command[0] == "/bad" else 0, flush=True)
"""


def test_a_machine_is_measured_while_it_runs(bench: ModuleType) -> None:
    from scripts.lib import system

    with system.machines({"a": ["/usr/bin/python3", "-c", GUEST]}) as made:
        spent, printed = made["a"].run(["/fib", "7"], 2)
        assert printed == b"ran /fib 7\nran /fib 7\n"
        assert 0.19 <= spent < 0.29  # of one run: without its start, without its sleep
        with pytest.raises(system.ProgramError, match="a: /bad: exit code 3"):
            made["a"].run(["/bad"])
    assert made["a"].process.returncode


def test_a_machine_that_ends(bench: ModuleType) -> None:
    from scripts.lib import system

    with pytest.raises(system.ProgramError, match="x ended; the end of its output:\noh no"), system.machines({"x": ["echo", "oh no"]}):
        pass


def test_machines_take_turns(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.lib import programs, system

    log: list[str] = []

    class Fake:
        def __init__(self, name: str, seconds: float, text: bytes) -> None:
            self.name, self.seconds, self.text = name, seconds, text

        def run(self, command: list[str], times: int) -> tuple[float, bytes]:
            log.append(self.name)
            return self.seconds, self.text * times

    monkeypatch.setattr(programs, "build", lambda p, target: [target])
    monkeypatch.setattr(programs, "cpu", lambda command, times: (log.append("native"), (1.0, b"x\n"))[1])
    p = next(x for x in programs.PROGRAMS if x.runs > 1)
    row = system.one(p, {"isomer": Fake("isomer", 3.0, b"x\n"), "qemu": Fake("qemu", 2.0, b"x\n")}, 2, lambda text: None)
    assert log == ["native", "isomer", "qemu"] * 2 and row.ratio("isomer") == 3.0
    with pytest.raises(system.ProgramError, match="isomer printed"):
        system.one(p, {"isomer": Fake("isomer", 3.0, b"y\n")}, 1, lambda text: None)
    assert "inside the guest" in programs.table([row], 2, "riscv64", " inside the guest")


def test_system_commands(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.lib import system

    monkeypatch.setattr(system.shutil, "which", lambda name: None)
    table = system.commands("arm64", ["-kernel", "k"], {"jit": ["isomer", "--accel", "jit"]})
    assert table == {"jit": ["isomer", "run", "-kernel", "k", "-append", "console=ttyAMA0 quiet loglevel=1", "-m", "512M", "-nographic",
                             "--accel", "jit"]}  # fmt: skip
    with pytest.raises(system.ProgramError, match="no Linux guest for vax"):
        system.measure([], "vax", 1, {}, Path("/"), lambda text: None)


def test_programs_inside_a_guest(bench: ModuleType) -> None:
    """The initial file system, its init and the kernel under Isomer: a program prints what the host's prints."""
    from scripts.lib import system

    rows = system.measure(["fib"], "riscv64", 1, bench.isomers("interp", []), bench.cache(), lambda text: None)
    assert [r.name for r in rows] == ["fib"] and rows[0].ratio("interp") > 1


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
