"""The command line: streams, exit codes, error lines, help. One fault, one line, one code."""
from __future__ import annotations

import gzip
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ISOMER = ROOT / "out" / "isomer"
sys.path.insert(0, str(ROOT / "tests"))

USAGE = 120


def isomer(*args: str | Path, text: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ISOMER, *map(str, args)], input=text, capture_output=True, text=True, timeout=timeout)


def refused(r: subprocess.CompletedProcess[str], *words: str, code: int = USAGE) -> None:
    """Nothing on stdout, exactly one line on stderr, and it names what matters."""
    assert r.returncode == code, r.stderr
    assert r.stdout == ""
    assert re.fullmatch(r"isomer: [^\n]+\n", r.stderr), r.stderr
    for w in words:
        assert w in r.stderr, (w, r.stderr)


def image(isa: str, size: int = 8192) -> bytes:
    """The smallest file that says it is a Linux Image: header with magic, no PE part."""
    h = bytearray(size)
    if isa == "riscv64":
        h[0:4] = struct.pack("<I", 0x0000006F)  # j .
        struct.pack_into("<QQQII", h, 8, 0x200000, size, 0, 2, 0)
        h[0x30:0x38] = b"RISCV\0\0\0"
        h[0x38:0x3C] = b"RSC\x05"
    else:
        struct.pack_into("<QQQ", h, 8, 0, size, 0xA)
        h[0x38:0x3C] = b"ARM\x64"
    return bytes(h)


def elf(machine: int) -> bytes:
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x80000000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x80000000, 0x80000000, 0x1000, 0x1000, 0x1000)
    return (header + segment).ljust(0x1000, b"\0")


@pytest.fixture
def riscv(tmp_path: Path) -> Path:
    p = tmp_path / "Image"
    p.write_bytes(image("riscv64"))
    return p


# ---- general ------------------------------------------------------------------------------------


def test_version() -> None:
    r = isomer("--version")
    assert (r.returncode, r.stderr) == (0, "")
    assert re.fullmatch(r"isomer \d+\.\d+\.\d+\n", r.stdout)


@pytest.mark.parametrize("args", [["--help"], ["help"], ["-h"]])
def test_help_lists_commands(args: list[str]) -> None:
    r = isomer(*args)
    assert (r.returncode, r.stderr) == (0, "")
    for name in ("run", "user", "dis", "asm", "isa", "caps"):
        assert re.search(rf"^  {name} ", r.stdout, re.M)


@pytest.mark.parametrize("name", ["run", "user", "dis", "asm", "isa", "caps"])
def test_help_of_commands(name: str) -> None:
    r = isomer(name, "--help")
    assert (r.returncode, r.stderr) == (0, "")
    assert r.stdout.startswith(f"usage: isomer {name}")
    assert max(map(len, r.stdout.splitlines())) <= 120


def test_reference_page_is_the_tables() -> None:
    r = isomer("help", "--markdown")
    assert r.returncode == 0
    assert (ROOT / "docs/cli.md").read_text() == r.stdout, "write it again: out/isomer help --markdown > docs/cli.md"


@pytest.mark.parametrize("args, words", [
    ([], ["no command"]),
    (["fly"], ["unknown command 'fly'"]),
    (["--fly"], ["unknown option '--fly'"]),
    (["snap"], ["snap", "not available"]),
    (["run", "--fly"], ["unknown option '--fly'"]),
    (["run", "--kernel"], ["--kernel", "needs FILE"]),
    (["run", "--no-reboot=1"], ["--no-reboot", "takes no value"]),
    (["run", "-m", "12Q"], ["-m", "12Q"]),
    (["run", "-m", "-5"], ["-m", "-5"]),
    (["run", "-m", "99999999999999999999G"], ["-m"]),
    (["run", "--timeout", "soon"], ["--timeout", "soon"]),
    (["run", "a", "b"], ["usage: isomer run"]),
    (["run"], ["nothing to run"]),
    (["run", "--initrd", "x"], ["nothing to run"]),
    (["run", "--json", "--bios", "x"], ["--stats"]),
    (["dis"], ["--isa is needed"]),
    (["dis", "--isa", "z80", "--hex", "00"], ["z80", "riscv64"]),
    (["dis", "--isa", "riscv64"], ["--hex"]),
    (["dis", "--isa", "riscv64", "--hex", "0g"], ["0g"]),
    (["asm", "--isa", "riscv64"], ["usage: isomer asm"]),
    (["isa", "show", "nosuchthing"], ["nosuchthing"]),
    (["isa", "frob"], ["usage: isomer isa"]),
    (["caps", "x"], ["unexpected argument 'x'"]),
])
def test_usage_errors(args: list[str], words: list[str]) -> None:
    refused(isomer(*args), *words)


# ---- run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, words", [
    (["--disk", "root.img"], ["--disk", "not available"]),
    (["-drive", "file=x"], ["-drive", "not available"]),
    (["--script", "x.lua"], ["--script", "not available"]),
    (["--gdb"], ["--gdb", "not available"]),
    (["-s", "-S"], ["-s", "not available"]),
    (["--net=user"], ["--net", "not available"]),
    (["-smp", "2"], ["-smp 2", "not available"]),
    (["-m", "1K"], ["-m", "4 KiB"]),
    (["--accel", "kvm"], ["kvm", "interp"]),
    (["--trace", "dreams"], ["dreams", "insn"]),
    (["--trace", "insn=5-5"], ["5-5"]),
    (["--isa", "arm64"], ["--isa arm64", "riscv64"]),
    (["--isa", "vax"], ["vax"]),
    (["--board", "/nonexistent.lua"], ["/nonexistent.lua"]),
    (["-m", "2M"], ["2"]),
    (["--initrd", "/nonexistent.gz"], ["/nonexistent.gz"]),
    (["--bios", "/nonexistent.bin"], ["/nonexistent.bin"]),
])
def test_run_refuses(riscv: Path, args: list[str], words: list[str]) -> None:
    refused(isomer("run", "--kernel", riscv, "--serial", "null", *args), *words)


@pytest.mark.parametrize("content, words", [
    (None, ["No such file"]),
    (b"", []),
    (b"hello, world\n" * 100, []),
    (gzip.compress(image("riscv64")), ["gzip"]),
    (image("riscv64")[:40], []),
    (elf(62), ["x86_64"]),
    (elf(8), []),
    (elf(243)[:70], []),
    (image("arm64"), ["arm64"]),
])
def test_kernel_files(tmp_path: Path, content: bytes | None, words: list[str]) -> None:
    p = tmp_path / "kernel"
    if content is not None:
        p.write_bytes(content)
    refused(isomer("run", "--kernel", p), *words)


def test_directory_as_kernel(tmp_path: Path) -> None:
    refused(isomer("run", "--kernel", tmp_path), str(tmp_path))


def test_program_and_kernel_exclude_each_other(riscv: Path) -> None:
    refused(isomer("run", "--kernel", riscv, riscv), "exclude")


def test_timeout(riscv: Path) -> None:
    """The image is one jump to itself."""
    r = isomer("run", "--kernel", riscv, "--timeout", "0.3", "--stats", "--json", "-nographic")
    assert r.returncode == 124, r.stderr
    lines = r.stderr.splitlines()
    stats = json.loads(next(line for line in lines if line.startswith("{")))
    assert stats["instructions"] > 1000
    assert stats["mips"] > 0
    assert stats["memory_kib"] > 0
    assert lines[-1] == "isomer: time-out"


def test_dump_dtb(tmp_path: Path) -> None:
    out = tmp_path / "x.dtb"
    r = isomer("run", "--isa", "riscv64", "-m", "64", "--dump-dtb", out)
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "")
    assert out.read_bytes()[:4] == b"\xd0\x0d\xfe\xed"


# ---- isa, dis, asm ------------------------------------------------------------------------------


def test_isa_list() -> None:
    r = isomer("isa", "list")
    assert r.returncode == 0 and re.search(r"^riscv64 ", r.stdout, re.M)


def test_isa_show() -> None:
    r = isomer("isa", "show", "--isa", "riscv64", "addi")
    assert r.returncode == 0
    place = re.search(r"described (\S+):(\d+)", r.stdout)
    assert place and (ROOT / place[1]).exists()


def test_isa_coverage_counts_every_leaf() -> None:
    r = isomer("isa", "coverage", "riscv64")
    total = re.match(r"riscv64: (\d+) instructions", r.stdout)
    assert total and int(total[1]) == sum(int(n) for n in re.findall(r"^ +(\d+) in", r.stdout, re.M)) > 100


def test_isa_doc() -> None:
    r = isomer("isa", "doc", "riscv64")
    assert r.returncode == 0 and "addi" in r.stdout


def test_asm_and_dis_are_inverse() -> None:
    texts = ["addi a0, a1, -5", "add a0, a0, a1", "ld t0, 8(sp)", "beq a0, a1, 16"]
    a = isomer("asm", "--isa", "riscv64", "--pc", "0x1000", *texts)
    assert a.returncode == 0, a.stderr
    assert a.stdout.split()[0] == "1385b5ff"  # llvm-mc: [0x13,0x85,0xb5,0xff]
    d = isomer("dis", "--isa", "riscv64", "--pc", "0x1000", "--plain", "--hex", a.stdout)
    assert [" ".join(t.split()) for t in d.stdout.splitlines()] == texts


def test_asm_error() -> None:
    refused(isomer("asm", "--isa", "riscv64", "addi a0"), "addi a0", code=1)


def test_dis_illegal_and_truncated() -> None:
    r = isomer("dis", "--isa", "riscv64", "--plain", "--hex", "0000 1385")
    assert r.returncode == 0
    assert r.stdout.splitlines() == ["<illegal> 00 00", "<truncated> 13 85"]


def test_dis_of_a_file(tmp_path: Path) -> None:
    p = tmp_path / "code"
    p.write_bytes(b"xx" + bytes.fromhex("1385b5ff") + b"yy")
    r = isomer("dis", "--isa", "riscv64", "--offset", "2", "--length", "4", p)
    assert re.fullmatch(r" +0:  1385b5ff +addi\s+a0, a1, -5\n", r.stdout)
    refused(isomer("dis", "--isa", "riscv64", "--offset", "9", p), "past its end")


def test_unwritable_output() -> None:
    with open("/dev/full", "w") as full:
        r = subprocess.run([ISOMER, "isa", "list"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert r.returncode == 121 and "standard output" in r.stderr
