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
# What Linux finds in the ID registers.
ARM64_FEATURES = (r"^Features\s*: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc "
                  r"sha3 asimddp sha512 asimdfhm ilrcpc flagm flagm2 frint i8mm\s*$")
FULL = os.environ.get("ISOMER_FULL") == "1"
# A TLB of one entry, blocks of one instruction, memory for hardly any code, and all of it; comparison with the interpreter.
STRESS = {"one TLB entry": ["tlb=1"], "single": ["insns=1", "threshold=1"], "no room": ["memory=65536", "threshold=1"],
          "all": ["tlb=1", "insns=1", "memory=65536", "threshold=1"], "check": []}
# What differs between the machines: the console, how Linux names the processor and what it finds in it, its first firmware call,
# the first serial port, where the kernel starts.
ARCHS = {
    "riscv64": {
        "tty": "ttyS0", "machine": "riscv64", "cpuinfo": (r"^isa\s*: rv64imafdc", r"^mmu\s*: sv(39|48)$"),
        "earlycon": "uart8250,mmio,0x10000000", "uart": "10000000", "start": 0x80200000,
        # the SBI specification: the base extension (0x10), function 0, is asked for its version before anything else
        "call": r"^sbi\s+0:[0-9a-f]{16}\s+base\.\d\(.*\) of 0x10 = 0, ", "trap": "ecall_s",
    },
    "arm64": {
        "tty": "ttyAMA0", "machine": "aarch64", "cpuinfo": (r"^CPU architecture: 8$", ARM64_FEATURES),
        "earlycon": "pl011,0x9000000", "uart": "9000000", "start": 0x40000000,
        # PSCI_VERSION before anything else: 1.1
        "call": r"^sbi\s+0:[0-9a-f]{16}\s+psci 0x84000000\(.*\) = 65537$", "trap": "hvc",
    },
}
ZEROS = hashlib.sha256(bytes(8 << 20)).hexdigest()


def guest(product: str, arch: str) -> Path:
    r = subprocess.run([ROOT / "scripts/guest", product, arch], capture_output=True, text=True, timeout=600, check=True)
    return Path(r.stdout.split()[0])


@pytest.fixture(scope="module", params=sorted(ARCHS))
def arch(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def linux(arch: str) -> list[str]:
    return ["--kernel", str(guest("kernel", arch)), "--initrd", str(guest("initrd", arch))]


def run(*args: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ISOMER, "run", *engine.options(), *args, "-m", "512M"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, errors="replace")


def test_unattended(arch: str, linux: list[str]) -> None:
    """The guest's own check script ran to its end, with the right answers, and powered off."""
    about = ARCHS[arch]
    r = run(*linux, "--append", f"console={about['tty']} isomer.script=check")
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr
    out = r.stdout.replace("\r", "")
    assert re.search(rf"^Linux \S+ 6\.\d+\S*-{arch} .* {about['machine']} GNU/Linux$", out, re.M), out[-2000:]
    for pattern in about["cpuinfo"]:
        assert re.search(pattern, out, re.M), pattern
    assert f"sha256: {ZEROS}" in out
    noise = re.search(r"^hwrng: ((?: [0-9a-f]{2}){16})$", out, re.M)
    assert noise and len(set(noise.group(1).split())) > 4, "16 bytes of /dev/hwrng"
    assert "CHECK-DONE" in out
    assert "Kernel panic" not in out and "Oops" not in out


def test_unattended_translated(arch: str, linux: list[str]) -> None:
    r = run("--accel", "jit", *linux, "--append", f"console={ARCHS[arch]['tty']} isomer.script=check")
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr
    assert f"sha256: {ZEROS}" in r.stdout and "CHECK-DONE" in r.stdout
    assert "Kernel panic" not in r.stdout and "Oops" not in r.stdout


@pytest.mark.parametrize("stress", STRESS if FULL else ["all"])
def test_translation_under_stress(stress: str, arch: str, linux: list[str]) -> None:
    if not FULL and arch != "riscv64":
        pytest.skip("in the full tier")
    # The guest's watchdogs look at a clock that is as slow as this.
    settings = [x for s in STRESS[stress] for x in ("--jit", s)] + ["--check", "--deterministic"] * (stress == "check")
    r = run("--accel", "jit", *settings, *linux, "--append", f"console={ARCHS[arch]['tty']} isomer.script=check", timeout=3600)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-4000:]
    assert f"sha256: {ZEROS}" in r.stdout and "CHECK-DONE" in r.stdout
    assert "Kernel panic" not in r.stdout and "Oops" not in r.stdout


def test_gicv2_boots_too(tmp_path: Path) -> None:
    """The other interrupt controller of arm64's board."""
    board = (ROOT / "scripts/boards/arm64-virt.lua").read_text()
    text = board.replace("local v3 = m.features.GICv3", "local v3 = false")
    assert text != board
    (tmp_path / "v2.lua").write_text(text)
    r = run("--board", str(tmp_path / "v2.lua"), "--kernel", str(guest("kernel", "arm64")), "--initrd", str(guest("initrd", "arm64")),
            "--append", "console=ttyAMA0 isomer.script=check")
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr
    assert "CHECK-DONE" in r.stdout and "Root IRQ handler: gic_handle_irq" in r.stdout and "GICv3" not in r.stdout


def test_stats_are_samples_of_this_run(arch: str, linux: list[str]) -> None:
    r = run(*linux, "--append", f"console={ARCHS[arch]['tty']} isomer.script=marker", "--stats", "--json")
    assert r.returncode == 0
    stats = json.loads([x for x in r.stderr.splitlines() if x.startswith("{")][-1])
    flat = json.dumps(stats)
    n = int(re.search(r'"instructions": ?(\d+)', flat).group(1))
    assert 100_000_000 < n < 10_000_000_000, n


def test_timeout() -> None:
    started = time.monotonic()
    linux = ["--kernel", str(guest("kernel", "riscv64")), "--initrd", str(guest("initrd", "riscv64"))]
    r = run("--bios", str(guest("opensbi", "riscv64")), *linux, "--append", "console=ttyS0", "--timeout", "2")
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


def test_shell_on_a_terminal(arch: str, linux: list[str]) -> None:
    t = Terminal(*linux, "--append", f"console={ARCHS[arch]['tty']}")
    t.expect("ISOMER-READY")
    t.expect("~ # ")
    t.send("echo $((6 * 7))-$(uname -m)\n")
    t.expect(f"42-{ARCHS[arch]['machine']}")
    t.expect("~ # ")
    t.send("poweroff -f\n")
    assert t.status() == 0


def test_operator_quits(arch: str, linux: list[str]) -> None:
    t = Terminal(*linux, "--append", f"console={ARCHS[arch]['tty']}")
    t.expect("Linux version")
    t.send("\x01x")
    assert t.status() == 0


def test_traces_of_a_boot(arch: str, linux: list[str]) -> None:
    """Firmware calls, exceptions and device accesses as lines on stderr, instructions within a PC range only."""
    about = ARCHS[arch]
    r = run(*linux, "--append", f"console={about['tty']} earlycon={about['earlycon']}", "--timeout", "5", "--trace", "sbi,exc,mmio")
    assert r.returncode == 124
    kinds = {x.split()[0] for x in r.stderr.splitlines() if x}
    assert {"sbi", "exc", "mmio"} <= kinds
    assert re.search(about["call"], r.stderr, re.M)
    assert re.search(rf"^exc\s+0:[0-9a-f]{{16}}\s+{about['trap']}\(", r.stderr, re.M)
    assert re.search(rf"^mmio\s.*0x{about['uart']}", r.stderr, re.M), "the UART"

    start = about["start"]
    r = run(*linux, "--append", f"console={about['tty']}", "--timeout", "1", "--trace", f"insn={start:#x}-{start + 16:#x}")
    pcs = [int(m, 16) for m in re.findall(r"^insn\s+0:([0-9a-f]{16})", r.stderr, re.M)]
    assert pcs and all(start <= pc <= start + 16 for pc in pcs)
