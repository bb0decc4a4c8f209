"""Builds the freestanding programs of tests/programs for each ISA.

Knows compilers and flags only; running them and comparing is the caller's.
As a script: programs.py OUTDIR builds everything there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "programs"

COMMON = (
    "-std=gnu17 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -fno-pic -no-pie "
    "-fno-stack-protector -fno-tree-vectorize -fno-tree-loop-distribute-patterns "
    "-fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,separate-code"
).split()


@dataclass(frozen=True)
class Target:
    """How one ISA's programs are compiled and run without Isomer."""

    gcc: str
    flags: tuple[str, ...]  # for everything but the vector program
    scalar: tuple[str, ...]  # added for programs that use general registers only
    libraries: tuple[str, ...]  # what the compiler's own code calls
    qemu: str  # the user-mode emulator that can stand in for the hardware


TARGETS = {
    "riscv64": Target("riscv64-linux-gnu-gcc", ("-march=rv64gc_zba_zbb_zbs", "-mabi=lp64d"), (), ("-latomic",), "qemu-riscv64"),
    "arm64": Target("aarch64-linux-gnu-gcc", ("-march=armv8-a", "-mno-outline-atomics"),
                    ("-mgeneral-regs-only",), (), "qemu-aarch64"),
    "x86_64": Target("gcc", ("-march=x86-64", "-fcf-protection=none"), ("-mgeneral-regs-only",), (), "qemu-x86_64"),
}

WHOLE = ("riscv64", "arm64")  # ISAs complete enough for programs of a C library and a distribution
SCALAR = ("sha256", "quicksort", "fib", "bytecode", "atomics")
PROGRAMS = [(isa, p) for isa in TARGETS for p in SCALAR] + [("arm64", "vec"), ("x86_64", "vec")]


def missing(isa: str) -> str:
    """Empty, or why this ISA's programs cannot be built here."""
    gcc = TARGETS[isa].gcc
    return "" if shutil.which(gcc) else f"{gcc} is not installed (scripts/setup installs it)"


def libraries(isa: str) -> Path:
    """The root that holds the cross compiler's shared C library; it may not be there."""
    return Path("/usr") / TARGETS[isa].gcc.removesuffix("-gcc")


def build(isa: str, program: str, outdir: Path) -> Path:
    """Compiles one program; returns the path of the static ELF."""
    t = TARGETS[isa]
    outdir.mkdir(parents=True, exist_ok=True)
    vector = program == "vec"
    source = SRC / (f"vec_{isa}.c" if vector else f"{program}.c")
    objects = []
    for src, scalar in ((SRC / f"start_{isa}.S", True), (SRC / "lib.c", True), (source, not vector)):
        obj = outdir / f"{isa}-{program}-{src.stem}.o"
        subprocess.run([t.gcc, *COMMON, *t.flags, *(t.scalar if scalar else ()), "-c", str(src), "-o", str(obj)],
                       check=True)
        objects.append(str(obj))
    elf = outdir / f"{program}-{isa}.elf"
    subprocess.run([t.gcc, *COMMON, *t.flags, *objects, *t.libraries, "-o", str(elf)], check=True)
    return elf


def oracle(isa: str, elf: Path) -> list[str] | None:
    """The command that runs the program without Isomer; None if there is none here."""
    import platform

    here = {"x86_64": "x86_64", "aarch64": "arm64", "riscv64": "riscv64"}.get(platform.machine())
    if here == isa and not (isa == "x86_64" and elf.name.startswith("vec") and not has_avx2()):
        return [str(elf)]
    qemu = shutil.which(TARGETS[isa].qemu)
    return [qemu, str(elf)] if qemu else None


def has_avx2() -> bool:
    return "avx2" in Path("/proc/cpuinfo").read_text()


if __name__ == "__main__":
    for isa_, program_ in PROGRAMS:
        print(build(isa_, program_, Path(sys.argv[1])))
