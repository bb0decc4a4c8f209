"""Fuzz targets: seeds and former findings replayed, each fuzzer run for a moment (--sweep: ten minutes each)."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REPLAY = ROOT / os.environ.get("ISOMER_OUT", "out") / "fuzz"
TARGETS = subprocess.run([ROOT / "scripts/fuzz", "--list"], capture_output=True, text=True, check=True).stdout.split()
SWEEP = bool(os.environ.get("ISOMER_SWEEP"))
SECONDS = 600 if SWEEP else 2
RUNTIME = list(Path("/usr/lib").glob("llvm-19/lib/clang/*/lib/*/libclang_rt.fuzzer*x86_64.a")) + list(
    Path("/usr/lib").glob("llvm-19/lib/clang/*/lib/x86_64*/libclang_rt.fuzzer.a"))


def replay(target: str, *paths: Path, data: bytes | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REPLAY / f"{target}_replay", *paths], input=None if data is None else data.decode("latin-1"),
                          capture_output=True, text=True, encoding="latin-1", timeout=300)


def test_there_is_a_target_for_each_isa_and_input() -> None:
    isas = {f"decode_{p.stem}" for p in (ROOT / "isa").glob("*.yaml")}
    assert set(TARGETS) == isas | {"elf", "user_elf", "image", "dtb", "virtqueue", "mmio"}


def test_seeds_are_what_the_script_writes() -> None:
    r = subprocess.run([sys.executable, "-B", ROOT / "fuzz/seeds.py", "--check"], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout
    sizes = [p.stat().st_size for p in (ROOT / "fuzz").rglob("*") if p.is_file()]
    assert sum(sizes) < 1 << 20, "corpora and regressions are kept small"


@pytest.mark.parametrize("target", TARGETS)
def test_replay(target: str) -> None:
    """Seeds, and inputs that once were findings."""
    paths = [d for kind in ("corpus", "regress") if (d := ROOT / "fuzz" / kind / target).is_dir()]
    r = replay(target, *paths)
    assert r.returncode == 0, r.stdout[-1000:] + r.stderr
    assert r.stdout.endswith(f"{sum(1 for d in paths for p in d.iterdir())} inputs\n")


def test_standard_input_and_faults() -> None:
    """The driver that AFL++ builds reads its input; what it cannot read is an error."""
    assert replay("elf", data=b"\0\x7fELF").returncode == 0
    assert replay("elf", ROOT / "no such file").returncode == 2


def test_a_difference_is_a_finding_that_replays(tmp_path: Path) -> None:
    """With one accepted row fewer an input that it covered is a finding, and its message holds the command that shows it."""
    source = (ROOT / "out/gen/fuzz/decode_riscv64.c").read_text()
    rows = source.index("fuzz_rows[]")
    cut = source[:rows] + re.sub(r'\n  \{[^\n]*"c\.lui \*"[^\n]*', "", source[rows:], count=1)
    assert cut != source
    (tmp_path / "decode.c").write_text(cut)
    objects = ["out/obj/fuzz/replay.o", "out/obj/tests/oracle/llvm_shim.o", "out/libisomer.a"]
    subprocess.run(["gcc", "-std=gnu17", "-w", "-I.", "-Iruntime", "-Iout/gen", tmp_path / "decode.c", *objects, "-o", tmp_path / "t",
                    "-lLLVM-19", "-lstdc++", "-lfdt", "-llua5.4", "-ljansson", "-lm", "-lpthread", "-ldl", "-no-pie"], cwd=ROOT, check=True)
    (tmp_path / "input").write_bytes(b"\x01\x60")
    r = subprocess.run([tmp_path / "t", tmp_path / "input"], capture_output=True, text=True)
    assert r.returncode < 0 and "finding: 0160" in r.stderr, r.stderr
    command = re.search(r"replay: isomer (.*)$", r.stderr, re.M)
    assert command
    shown = subprocess.run([ROOT / "out/isomer", *command[1].split()], capture_output=True, text=True)
    assert "0160" in shown.stdout, shown.stdout + shown.stderr


@pytest.mark.skipif(not RUNTIME or not shutil.which("clang-19"),
                    reason="clang 19 or its libFuzzer runtime is not installed (scripts/setup installs libclang-rt-19-dev)")
@pytest.mark.parametrize("target", TARGETS)
def test_libfuzzer(target: str) -> None:
    r = subprocess.run([ROOT / "scripts/fuzz", target, "--seconds", str(SECONDS)], capture_output=True, text=True, errors="replace",
                       timeout=SECONDS + 3000)
    assert r.returncode == 0, r.stderr[-3000:]
    runs = re.search(r"stat::number_of_executed_units:\s+(\d+)", r.stderr)
    assert runs and int(runs[1]) > len(list((ROOT / "fuzz/corpus" / target).iterdir()))


@pytest.mark.skipif(not RUNTIME or not shutil.which("clang-19"),
                    reason="clang 19 or its libFuzzer runtime is not installed (scripts/setup installs libclang-rt-19-dev)")
def test_merge_keeps_few(tmp_path: Path) -> None:
    """What is kept came from the inputs there are; merging again adds nothing."""
    command = [ROOT / "scripts/fuzz", "image", "--merge", tmp_path / "kept"]
    known = {p.read_bytes() for d in ("fuzz/corpus/image", "fuzz/regress/image", "out/fuzz-corpus/image")
             if (ROOT / d).is_dir() for p in (ROOT / d).iterdir()}
    for _ in range(2):
        r = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=3000)
        assert r.returncode == 0, r.stderr[-3000:]
        kept = [p.read_bytes() for p in (tmp_path / "kept").iterdir()]
        assert kept and set(kept) <= known
    assert "0 new files" in r.stderr, r.stderr[-2000:]
