"""An unmodified Debian kernel reaches user space: unattended, and at a shell typed into.
lane: exclusive"""
from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
ZEROS = hashlib.sha256(bytes(8 << 20)).hexdigest()


def guest(product: str) -> Path:
    r = subprocess.run([ROOT / "scripts/guest", product, "riscv64"], capture_output=True, text=True, timeout=600, check=True)
    return Path(r.stdout.split()[0])


@pytest.fixture(scope="module")
def linux() -> list[str]:
    return ["--kernel", str(guest("kernel")), "--initrd", str(guest("initrd"))]


def run(*args: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ISOMER, "run", *engine.options(), *args, "-m", "512M"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, errors="replace")


def test_unattended(linux: list[str]) -> None:
    """The guest's own check script ran to its end, with the right answers, and powered off."""
    r = run(*linux, "--append", "console=ttyS0 isomer.script=check")
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr
    out = r.stdout.replace("\r", "")
    assert re.search(r"^Linux \S+ 6\.\d+\S*-riscv64 .* riscv64 GNU/Linux$", out, re.M), out[-2000:]
    assert re.search(r"^isa\s*: rv64imafdc", out, re.M)
    assert re.search(r"^mmu\s*: sv(39|48)$", out, re.M)
    assert f"sha256: {ZEROS}" in out
    noise = re.search(r"^hwrng: ((?: [0-9a-f]{2}){16})$", out, re.M)
    assert noise and len(set(noise.group(1).split())) > 4, "16 bytes of /dev/hwrng"
    assert "CHECK-DONE" in out
    assert "Kernel panic" not in out and "Oops" not in out


def test_stats_are_samples_of_this_run(linux: list[str]) -> None:
    r = run(*linux, "--append", "console=ttyS0 isomer.script=marker", "--stats", "--json")
    assert r.returncode == 0
    stats = json.loads([x for x in r.stderr.splitlines() if x.startswith("{")][-1])
    flat = json.dumps(stats)
    n = int(re.search(r'"instructions": ?(\d+)', flat).group(1))
    assert 100_000_000 < n < 10_000_000_000, n


def test_timeout(linux: list[str]) -> None:
    started = time.monotonic()
    r = run("--bios", str(guest("opensbi")), *linux, "--append", "console=ttyS0", "--timeout", "2")
    assert r.returncode == 124
    assert "OpenSBI v" in r.stdout
    assert time.monotonic() - started < 30


class Terminal:
    """`isomer run` on a terminal of its own, as an operator has it."""

    def __init__(self, *args: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(ISOMER, [str(ISOMER), "run", *engine.options(), *args, "-m", "512M"])
        self.text = ""

    def expect(self, pattern: str, within: float = 120) -> str:
        end = time.monotonic() + within
        while not (m := re.search(pattern, self.text)):
            assert time.monotonic() < end, f"no {pattern!r} in: {self.text[-1500:]}"
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"ended before {pattern!r}: {self.text[-1500:]}") from None
        found = m.group(0)
        self.text = self.text[m.end():]
        return found

    def send(self, s: str) -> None:
        os.write(self.fd, s.encode())

    def status(self) -> int:
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_shell_on_a_terminal(linux: list[str]) -> None:
    t = Terminal(*linux, "--append", "console=ttyS0")
    t.expect("ISOMER-READY")
    t.expect("~ # ")
    t.send("echo $((6 * 7))-$(uname -m)\n")
    t.expect("42-riscv64")
    t.expect("~ # ")
    t.send("poweroff -f\n")
    assert t.status() == 0


def test_operator_quits(linux: list[str]) -> None:
    t = Terminal(*linux, "--append", "console=ttyS0")
    t.expect("Linux version")
    t.send("\x01x")
    assert t.status() == 0


def test_traces_of_a_boot(linux: list[str]) -> None:
    """Firmware calls, exceptions and device accesses as lines on stderr, instructions within a PC range only."""
    r = run(*linux, "--append", "console=ttyS0 earlycon=uart8250,mmio,0x10000000", "--timeout", "5", "--trace", "sbi,exc,mmio")
    assert r.returncode == 124
    kinds = {x.split()[0] for x in r.stderr.splitlines() if x}
    assert {"sbi", "exc", "mmio"} <= kinds
    # the SBI specification: the base extension (0x10), function 0, is asked for its version before anything else
    assert re.search(r"^sbi\s+0:[0-9a-f]{16}\s+base\.\d\(.*\) of 0x10 = 0, ", r.stderr, re.M)
    assert re.search(r"^exc\s+0:[0-9a-f]{16}\s+ecall_s\(", r.stderr, re.M)
    assert re.search(r"^mmio\s.*0x10000000|^mmio\s.*10000000", r.stderr, re.M), "the UART at 0x10000000"

    r = run(*linux, "--append", "console=ttyS0", "--timeout", "1", "--trace", "insn=0x80200000-0x80200010")
    pcs = [int(m, 16) for m in re.findall(r"^insn\s+0:([0-9a-f]{16})", r.stderr, re.M)]
    assert pcs and all(0x80200000 <= pc <= 0x80200010 for pc in pcs)
