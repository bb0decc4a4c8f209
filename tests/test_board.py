"""The board from outside: its device tree against dtc and QEMU, operator's boards, the terminal, a full boot's console."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ISOMER = ROOT / os.environ.get("ISOMER", "out/isomer")
BOARD = ROOT / "scripts/boards/riscv64-virt.lua"
DTC = shutil.which("dtc")
QEMU = shutil.which("qemu-system-riscv64")
QEMU_ARM = shutil.which("qemu-system-aarch64")


def run(*args: object, **kw: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ISOMER), "run", *map(str, args)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **kw)  # type: ignore[call-overload]


def program(path: Path, code: list[int], base: int = 0x80000000) -> Path:
    """A bare riscv64 ELF with these instruction words; no compiler needed."""
    text = b"".join(struct.pack("<I", w) for w in code)
    ehdr = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 243, 1, base, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    phdr = struct.pack("<IIQQQQQQ", 1, 7, 4096, base, base, len(text), len(text), 4096)
    path.write_bytes((ehdr + phdr).ljust(4096, b"\0") + text)
    return path


def lui(rd: int, value: int) -> int:
    return (value & 0xFFFFF000) | rd << 7 | 0x37


def addi(rd: int, rs: int, imm: int) -> int:
    return (imm & 0xFFF) << 20 | rs << 15 | rd << 7 | 0x13


LOOP = 0x0000006F  # j .
WFI = 0x10500073


def finish(word: int) -> list[int]:
    """Stores the word to the test finisher."""
    high = (word + 0x800) & 0xFFFFF000
    return [lui(5, 0x100000), lui(6, high), addi(6, 6, word - high), 6 << 20 | 5 << 15 | 2 << 12 | 0x23, LOOP]


# ---- device tree ----------------------------------------------------------------------------------


def nodes(dts: str) -> dict[str, dict[str, str]]:
    """Path -> property -> text of a dtc listing."""
    out: dict[str, dict[str, str]] = {}
    path: list[str] = []
    for line in (s.strip() for s in dts.splitlines()):
        if line.endswith("{"):
            path.append(line[:-1].strip().strip("/"))
            out["/".join(path) or "/"] = {}
        elif line == "};":
            path.pop()
        elif line.endswith(";") and path:
            name, _, value = line[:-1].partition(" = ")
            out["/".join(path) or "/"][name] = value
    return out


def dts_of(dtb: Path, *checks: str) -> tuple[str, str]:
    r = subprocess.run(["dtc", "-I", "dtb", "-O", "dts", *checks, str(dtb)], capture_output=True, text=True, check=True)
    return r.stdout, r.stderr


def dump(path: Path, *args: object) -> Path:
    r = run("--isa", "riscv64", "--dump-dtb", path, *args)
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "")
    return path


@pytest.mark.skipif(not DTC, reason="dtc is not installed (scripts/setup installs it)")
@pytest.mark.parametrize("memory", ["1M", "512M", "6G"])
def test_device_tree_has_no_warnings(tmp_path: Path, memory: str) -> None:
    _, warnings = dts_of(dump(tmp_path / "a.dtb", "-m", memory), "-W", "node_name_chars_strict", "-W",
                         "property_name_chars_strict")
    # of the strict checks, those of property names refuse what the standard's own bindings use
    assert [w for w in warnings.splitlines() if "property_name_chars_strict" not in w] == []


@pytest.mark.skipif(not DTC or not QEMU, reason="dtc or qemu-system-riscv64 is not installed (scripts/setup installs them)")
def test_device_tree_matches_qemu(tmp_path: Path) -> None:
    """Every node that both have says the same in reg, interrupts, compatible and the like."""
    theirs_dtb = tmp_path / "q.dtb"
    subprocess.run([str(QEMU), "-M", f"virt,dumpdtb={theirs_dtb}", "-m", "512M", "-display", "none"], check=True,
                   capture_output=True)
    ours = nodes(dts_of(dump(tmp_path / "i.dtb", "-m", "512M"))[0])
    theirs = nodes(dts_of(theirs_dtb)[0].replace("virtio_mmio@", "virtio@"))
    shared = sorted(set(ours) & set(theirs))
    assert len([n for n in shared if n.startswith("/soc/") or n.startswith("soc/")]) == 13, shared
    keys = ("reg", "interrupts", "compatible", "device_type", "#address-cells", "#size-cells", "#interrupt-cells",
            "timebase-frequency", "clock-frequency", "stdout-path", "value", "offset", "ranges", "mmu-type")
    differences = [(n, k, ours[n].get(k), theirs[n][k]) for n in shared for k in keys
                   if k in theirs[n] and ours[n].get(k) != theirs[n][k]]
    assert differences == []
    for n in shared:  # wiring, phandles apart: the lines
        if (wires := theirs[n].get("interrupts-extended")) is not None:
            assert re.findall(r"0x\w+", ours[n]["interrupts-extended"])[1::2] == re.findall(r"0x\w+", wires)[1::2], n


@pytest.mark.skipif(not DTC, reason="dtc is not installed (scripts/setup installs it)")
@pytest.mark.parametrize("memory", ["1M", "512M", "6G"])
def test_arm64_device_tree_has_no_warnings(tmp_path: Path, memory: str) -> None:
    r = run("--isa", "arm64", "--dump-dtb", tmp_path / "a.dtb", "-m", memory)
    assert (r.returncode, r.stderr) == (0, "")
    _, warnings = dts_of(tmp_path / "a.dtb")
    assert warnings == ""


@pytest.mark.skipif(not DTC or not QEMU_ARM, reason="dtc or qemu-system-aarch64 is not installed (scripts/setup installs them)")
def test_arm64_device_tree_matches_qemu(tmp_path: Path) -> None:
    """Every node that both have says the same in reg, compatible and the numbers of interrupts, whose trigger may differ."""
    theirs_dtb = tmp_path / "q.dtb"
    subprocess.run([str(QEMU_ARM), "-M", f"virt,gic-version=3,dumpdtb={theirs_dtb}", "-m", "512M", "-display", "none", "-net", "none"],
                   check=True, capture_output=True)
    assert run("--isa", "arm64", "--dump-dtb", tmp_path / "i.dtb", "-m", "512M").returncode == 0
    ours, theirs = nodes(dts_of(tmp_path / "i.dtb")[0]), nodes(dts_of(theirs_dtb)[0])
    shared = sorted(set(ours) & set(theirs))
    assert len([n for n in shared if "virtio_mmio@" in n]) == 32
    assert {f"/{n}" for n in ("timer", "psci", "intc@8000000", "pl011@9000000", "pl031@9010000", "pl061@9030000", "apb-pclk")} <= set(shared)
    keys = ("reg", "device_type", "#address-cells", "#size-cells", "#interrupt-cells", "method", "clock-frequency", "clock-names",
            "#redistributor-regions", "stdout-path")
    differences = [(n, k, ours[n].get(k), theirs[n][k]) for n in shared for k in keys
                   if k in theirs[n] and ours[n].get(k) != theirs[n][k]]
    assert differences == []
    for n in shared:
        if wires := theirs[n].get("interrupts"):
            numbers = [[x for i, x in enumerate(re.findall(r"0x\w+", w)) if i % 3 != 2] for w in (ours[n]["interrupts"], wires)]
            assert numbers[0] == numbers[1], n


@pytest.mark.skipif(not DTC, reason="dtc is not installed (scripts/setup installs it)")
def test_isa_strings(tmp_path: Path) -> None:
    cpu = nodes(dts_of(dump(tmp_path / "a.dtb"))[0])
    cpu0 = next(v for k, v in cpu.items() if k.endswith("cpus/cpu@0"))
    assert cpu0["riscv,isa-base"] == '"rv64i"'
    names = cpu0["riscv,isa-extensions"].strip('"').split("\\0")
    assert names[:6] == ["i", "m", "a", "f", "d", "c"]
    assert cpu0["riscv,isa"] == '"rv64imafdc_' + "_".join(names[6:]) + '"'
    assert {"zicsr", "zifencei", "zba", "zbb", "zbs", "zicond", "zicbom", "zicboz", "sstc"} <= set(names)


# ---- operator's boards ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return {", r"b\.lua:1: unexpected symbol near <eof>"),
        ("\nerror('no')", r"b\.lua:2: no"),
        ("local t = nil\nreturn t.x", r"b\.lua:2: attempt to index a nil value"),
        ("return 5", r"b\.lua: the board script returns no table"),
        ("return {isa='arm64'}", r"b\.lua: this board is for arm64, the machine is riscv64"),
        ("return {isa='riscv64'}", r"b\.lua: the board has no `memory` list"),
        ("return {isa='riscv64', memory={{base=1, size=4096}}}", r"b\.lua: memory regions need"),
        ("return {isa='riscv64', x=1.5}", r"b\.lua: a number is not an integer"),
        ("return {isa='riscv64', x=print}", None),
        ("local t = {} t.t = t\nreturn t", r"b\.lua: table too deep"),
        ("return {[5]=1}", r"b\.lua: table keys must be names"),
        ("DEVICE{'toaster', base=0, size=4096}", r"b\.lua:4: no device of kind `toaster`"),
        ("DEVICE{'plic', base=0x1000, size=0x600000, irqs={{'cpu', 7, 9}}}", r"b\.lua:4: a wire to a CPU"),
        ("DEVICE{'ns16550a', base=0x1000, size=0x100, irqs={{'plic', 1}}}", r"b\.lua:4: a wire leads to a device"),
        ("DEVICE{'ns16550a', base=0x1000, size=0x100, chardev='x'}", r"b\.lua:4: a device's chardev is"),
        ("DEVICE{'ns16550a', base=0x80000000, size=0x1000}", r"overlap"),
        ("DEVICE{'ns16550a', base=0x1000, size=0x100, fdt={}}", r"b\.lua:4: device tree: ns16550a: its fdt has no"),
        ("DEVICE{'ns16550a', base=0x1000, size=0x100, fdt={node='s', x=ref'gone'}}", r"b\.lua:4: device tree: gone: refers"),
        ("DEVICE{'ns16550a', base=0x1000, size=0x100, fdt={node='s', x={1, 'a'}}}", r"b\.lua:4: device tree: x: cells are"),
    ],
)
def test_bad_boards(tmp_path: Path, text: str, message: str | None) -> None:
    board = tmp_path / "b.lua"
    if text.startswith("DEVICE"):
        text = ("local m = ...\nreturn {isa='riscv64', memory={{base=0x80000000, size=m.ram}},\n"
                "fdt={['#address-cells']=2, ['#size-cells']=2, soc={['#address-cells']=2, ['#size-cells']=2, devices=true}}, devices={\n"
                + text.replace("DEVICE", "device") + "}}")
    board.write_text(text)
    r = run("--isa", "riscv64", "--board", board, "--dump-dtb", tmp_path / "x.dtb")
    if message is None:  # `print` is not there, so the member is not either: the next complaint comes
        message = "no `memory` list"
    assert r.returncode in (120, 121)
    assert re.search(message, r.stderr.splitlines()[-1] if "overlap" not in message else r.stderr), r.stderr
    assert r.stdout == ""


def test_own_board_runs(tmp_path: Path) -> None:
    board = tmp_path / "mine.lua"
    board.write_text(BOARD.read_text().replace("0x100000,", "0x200000,").replace('base = 0x100000', 'base = 0x200000'))
    code = finish(0x5555)
    code[0] = lui(5, 0x200000)
    assert run("--board", board, program(tmp_path / "p.elf", code)).returncode == 0


# ---- ends of a machine ----------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "status"), [(0x5555, 0), (0x3333, 122), (0x53333, 5), (0xFFFF3333 - (1 << 32), 119)])
def test_finisher_status(tmp_path: Path, word: int, status: int) -> None:
    assert run(program(tmp_path / "p.elf", finish(word)), "--timeout", 20).returncode == status


def test_reset_runs_again(tmp_path: Path) -> None:
    """RAM behind the image survives a reset, devices do not: the second pass sees its own mark and powers off."""
    mark = [
        lui(7, 0x80100000 - (1 << 32)),            # a mark in RAM, zero-extended below
        7 << 15 | 0x20 << 20 | 1 << 12 | 7 << 7 | 0x13,  # slli t2, t2, 32
        7 << 15 | 0x20 << 20 | 5 << 12 | 7 << 7 | 0x13,  # srli t2, t2, 32
        7 << 15 | 2 << 12 | 28 << 7 | 0x03,        # lw t3, 0(t2)
        addi(29, 0, 1),
        29 << 20 | 7 << 15 | 2 << 12 | 0x23,       # sw t4, 0(t2)
        28 << 15 | 1 << 12 | (24 >> 1 & 0xF) << 8 | 0x63,  # bne t3, zero, +24: the second pass
    ]
    code = mark + finish(0x7777) + finish(0x5555)
    assert run(program(tmp_path / "p.elf", code), "--timeout", 20).returncode == 0
    assert run(program(tmp_path / "q.elf", code), "--timeout", 20, "--no-reboot").returncode == 0


def test_too_little_memory(tmp_path: Path) -> None:
    p = program(tmp_path / "p.elf", finish(0x5555), base=0x81000000)
    r = run(p, "-m", "8M")
    assert r.returncode == 120 and len(r.stderr.splitlines()) == 1 and "outside RAM" in r.stderr
    initrd = tmp_path / "initrd"
    initrd.write_bytes(bytes(1 << 20))
    r = run("--initrd", initrd)
    assert r.returncode == 120 and len(r.stderr.splitlines()) == 1


# ---- the terminal ---------------------------------------------------------------------------------


class Terminal:
    def __init__(self, *args: object) -> None:
        self.master, slave = pty.openpty()
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.p = subprocess.Popen([str(ISOMER), "run", *map(str, args)], stdin=slave, stdout=slave,
                                  stderr=subprocess.PIPE, start_new_session=True)

    def raw(self) -> bool:
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait_raw(self) -> None:
        end = time.monotonic() + 20
        while not self.raw():
            assert time.monotonic() < end, "the terminal did not become raw"
            time.sleep(0.02)

    def send(self, data: bytes) -> None:
        os.write(self.master, data)

    def stderr_until(self, text: str) -> str:
        assert self.p.stderr
        got, end = b"", time.monotonic() + 20
        while text.encode() not in got:
            assert time.monotonic() < end, got
            if select.select([self.p.stderr], [], [], 0.2)[0]:
                got += os.read(self.p.stderr.fileno(), 4096)
        return got.decode()

    def end(self) -> int:
        try:
            code = self.p.wait(20)
        finally:
            self.p.kill()
        assert termios.tcgetattr(self.slave) == self.before, "the terminal was not restored"
        os.close(self.master)
        os.close(self.slave)
        if self.p.stderr:
            self.p.stderr.close()
        return code


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    return program(tmp_path / "loop.elf", [WFI, 0xFFDFF06F])


def test_escape_keys(endless: Path) -> None:
    t = Terminal(endless)
    t.wait_raw()
    t.send(b"\x01h")
    assert "Ctrl-A x" in t.stderr_until("this help")
    t.send(b"\x01c")
    assert "no monitor" in t.stderr_until("keys\r\n")
    t.send(b"\x03\x1a")  # Ctrl-C and Ctrl-Z belong to the guest
    t.send(b"\x01x")
    assert t.end() == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV])
def test_terminal_is_restored_after_signals(endless: Path, sig: signal.Signals) -> None:
    t = Terminal(endless)
    t.wait_raw()
    t.p.send_signal(sig)
    assert t.end() != 124


def test_terminal_follows_stop_and_continue(endless: Path) -> None:
    t = Terminal(endless)
    t.wait_raw()
    t.p.send_signal(signal.SIGTSTP)
    os.waitpid(t.p.pid, os.WUNTRACED)
    assert not t.raw()
    t.p.send_signal(signal.SIGCONT)
    t.wait_raw()
    t.send(b"\x01x")
    assert t.end() == 0


def test_guest_runs_on_at_end_of_input(tmp_path: Path) -> None:
    r = run(program(tmp_path / "loop.elf", [LOOP]), "--timeout", 1)
    assert r.returncode == 124


def uart_echo(path: Path) -> Path:
    """Echoes what the UART receives until it sees a newline, then powers off."""
    return program(path, [
        lui(8, 0x10000000),
        8 << 15 | 5 << 20 | 4 << 12 | 5 << 7 | 0x03,     # 4: lbu t0, 5(s0)
        1 << 20 | 5 << 15 | 7 << 12 | 5 << 7 | 0x13,     # andi t0, t0, 1
        0xFE028CE3,                                       # beq t0, zero, 4
        8 << 15 | 4 << 12 | 6 << 7 | 0x03,               # lbu t1, 0(s0)
        6 << 20 | 8 << 15 | 0 << 12 | 0x23,              # sb t1, 0(s0)
        addi(7, 0, 10),
        0xFE7314E3,                                       # bne t1, t2, 4
        *finish(0x5555),
    ])


def test_serial_passes_bytes_both_ways(tmp_path: Path) -> None:
    """More than the FIFO holds, through pipes and from a file: nothing is lost or changed."""
    data = bytes(b for b in range(256) if b not in (1, 10)) * 20 + b"\n"
    elf = uart_echo(tmp_path / "echo.elf")
    r = subprocess.run([str(ISOMER), "run", str(elf)], input=data, capture_output=True, timeout=60)
    assert (r.returncode, r.stdout) == (0, data)
    source = tmp_path / "data"
    source.write_bytes(data)
    with source.open() as f:
        r = subprocess.run([str(ISOMER), "run", str(elf)], stdin=f, capture_output=True, timeout=60)
    assert (r.returncode, r.stdout) == (0, data)
