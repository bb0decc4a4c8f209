"""Builds bare arm64 programs for the `virt` machine, QEMU's or ours, and runs them on QEMU."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "bare"
GCC, QEMU = "aarch64-linux-gnu-gcc", "qemu-system-aarch64"
FLAGS = ("-std=gnu17 -O2 -Wall -Wextra -Werror -march=armv8-a -mgeneral-regs-only -nostdlib -static -ffreestanding -fno-pic -no-pie "
         "-fno-stack-protector -fno-strict-aliasing -fno-tree-loop-distribute-patterns -Wl,--build-id=none -Wl,--no-warn-rwx-segments").split()


def missing() -> str:
    """Empty, or why nothing can be built here."""
    return "" if shutil.which(GCC) else f"{GCC} is not installed (scripts/setup installs it)"


def build(out: Path, *sources: Path | str) -> Path:
    """Compiles sources, given with further options; returns the ELF."""
    subprocess.run([GCC, *FLAGS, "-T", str(SRC / "arm64.ld"), "-I", str(SRC), *map(str, sources), "-o", str(out)], check=True)
    return out


def qemu(elf: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([QEMU, "-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-nic", "none", "-nographic", "-m", "64M", "-kernel", str(elf)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, errors="replace")
