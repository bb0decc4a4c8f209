"""Builds the bare-metal riscv64 programs of tests/htif and runs them on QEMU.

As a script: htif.py OUTDIR [NAME...] builds (all of) them there; with --qemu
it also runs those QEMU can run and reports each.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "htif"
GCC = "riscv64-linux-gnu-gcc"
OBJCOPY = "riscv64-linux-gnu-objcopy"
QEMU = "qemu-system-riscv64"
CPU = "rv64,h=false,priv_spec=v1.12.0,zba=true,zbb=true,zbs=true"

FLAGS = (
    "-std=gnu17 -O2 -Wall -Wextra -Werror -march=rv64gc_zba_zbb_zbs -mabi=lp64d -mcmodel=medany -mno-relax "
    "-nostdlib -static -ffreestanding -fno-pic -no-pie -fno-stack-protector -fno-strict-aliasing "
    "-fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables -fno-jump-tables -msmall-data-limit=0 "
    "-Wl,--build-id=none -Wl,--no-relax -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments"
).split()

# What QEMU 7.2's spike board cannot run, and why. Everything else runs on both.
ISOMER_ONLY = {
    "zicond": "QEMU 7.2 has no Zicond",
    "zicbo": "QEMU 7.2 has no Zicbom and Zicboz",
    "sstc": "the spike board gives QEMU's hart no time source, so it hides stimecmp",
    "time": "the spike board gives QEMU's hart no time source, so rdtime is illegal",
    "strict_vm": "paging details QEMU 7.2 does differently from the manual; the program says which",
    "irqprio": "without AIA QEMU 7.2 takes simultaneous interrupts by rising number",
    "strict": "what QEMU 7.2 does differently from the manual; the program says what",
    "instret": "QEMU counts host ticks, not retired instructions, unless run with -icount",
}

NAMES = sorted(p.stem for p in SRC.glob("*.c") if p.stem != "rt")


def missing() -> str:
    """Empty, or why nothing can be built here."""
    return "" if shutil.which(GCC) else f"{GCC} is not installed (scripts/setup installs it)"


def build(name: str, outdir: Path, source: Path | None = None) -> Path:
    """Compiles one program, by default SRC/name.c; returns the ELF."""
    outdir.mkdir(parents=True, exist_ok=True)
    elf = outdir / f"{name}.elf"
    subprocess.run([GCC, *FLAGS, "-T", str(SRC / "link.ld"), str(SRC / "crt.S"), str(SRC / "rt.c"),
                    "-I", str(SRC), str(source or SRC / f"{name}.c"), "-o", str(elf)], check=True)
    return elf


def explain(name: str, elf: Path, code: int, source: Path | None = None) -> str:
    """What a program's exit code says, with the source line of a failed check."""
    if code == 0:
        return "passed"
    if 90 <= code < 106:
        return f"{name}: unexpected trap in M mode, cause {code - 90}"
    checks = elf.with_suffix(".checks")
    subprocess.run([OBJCOPY, "-O", "binary", "--only-section=.checks", "--set-section-flags", ".checks=alloc",
                    str(elf), str(checks)], check=True)
    lines = sorted({line for n, line in struct.iter_unpack("<II", checks.read_bytes()) if n == code})
    if not lines:
        return f"{name}: ended with code {code}, which is no check of it"
    source = source or SRC / f"{name}.c"
    if m := re.search(r'#include "(\w+\.inc)"', source.read_text()):
        source = SRC / m[1]
    text = source.read_text().splitlines()
    return f"{name}: check {code} failed: " + "; ".join(f"{source.name}:{n}: {text[n - 1].strip()}" for n in lines)


def qemu_command(elf: Path) -> list[str]:
    return [QEMU, "-M", "spike", "-cpu", CPU, "-bios", "none", "-kernel", str(elf), "-nographic",
            "-monitor", "none", "-serial", "none"]


def main(argv: list[str]) -> int:
    qemu = "--qemu" in argv
    argv = [a for a in argv if a != "--qemu"]
    outdir, names, bad = Path(argv[0]), argv[1:] or NAMES, 0
    for name in names:
        elf = build(name, outdir)
        if not qemu or name in ISOMER_ONLY:
            print(elf)
            continue
        try:
            code = subprocess.run(qemu_command(elf), stdin=subprocess.DEVNULL, timeout=20).returncode
            text = explain(name, elf, code)
        except subprocess.TimeoutExpired:
            code, text = 1, "no answer within 20 s"
        bad += code != 0
        print(f"{name}: {text}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
