"""The command line: streams, exit codes, error lines, help. One fault, one line, one code."""
from __future__ import annotations

import gzip
import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable
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
    (elf(62), ["x86"]),
    (elf(8), []),
    (elf(243)[:70], []),
], ids=["missing", "empty", "text", "gzip", "short", "x86-64", "mips", "short-elf"])
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


def test_dtb_is_taken_and_completed(tmp_path: Path) -> None:
    """What is given is handed on with this boot's command line; all else of it stays."""
    a, b, c = (tmp_path / n for n in "abc")
    assert isomer("run", "--isa", "riscv64", "--append", "first", "--dump-dtb", a).returncode == 0
    assert isomer("run", "--isa", "riscv64", "--dtb", a, "--dump-dtb", b).stderr == ""
    assert isomer("run", "--isa", "riscv64", "--dtb", a, "--append", "second one", "--dump-dtb", c).stderr == ""
    dts = [subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", x], capture_output=True, text=True, check=True).stdout for x in (a, b, c)]
    assert dts[0] == dts[1]
    assert dts[2] == dts[0].replace('bootargs = "first"', 'bootargs = "second one"') != dts[0]


def test_dtb_reaches_the_guest(tmp_path: Path) -> None:
    """A bare program finds it at a1; its exit code is the low half of the size in the blob's header."""
    program, codes = tmp_path / "p", []
    source = tmp_path / "p.S"
    source.write_text(".globl _start\n_start: lbu t0, 7(a1)\nsrli t0, t0, 2\nslli t0, t0, 16\nli t1, 0x3333\nor t0, t0, t1\n"
                      "li t2, 0x100000\nsw t0, 0(t2)\n1: j 1b\n")
    subprocess.run(["riscv64-linux-gnu-gcc", "-nostdlib", "-static", "-Wl,-n,-Ttext=0x80000000,--build-id=none", source, "-o", program],
                   check=True)
    for args in ("", "x" * 8, "x" * 40, "x" * 100):
        given, told = tmp_path / "given", tmp_path / "told"
        assert isomer("run", "--isa", "riscv64", "--append", args, "--dump-dtb", given).returncode == 0
        assert isomer("run", "--isa", "riscv64", "--dtb", given, "--dump-dtb", told).returncode == 0
        codes.append(told.read_bytes()[7] >> 2)
        r = isomer("run", "--dtb", given, "--timeout", "20", program)
        assert r.returncode == codes[-1], r.stderr
    assert len(set(codes)) > 1


@pytest.mark.parametrize("change, words", [
    (lambda b: b"", ["truncated"]),
    (lambda b: b[:30], ["truncated", "40 bytes", "30"]),
    (lambda b: b"/dts-v1/; / { };" + b[:100], ["not a device tree blob", "dtc"]),
    (lambda b: b[:-1], ["truncated"]),
    (lambda b: b[:20] + b"\0\0\0\x03" + b[24:], ["version 3"]),
    (lambda b: b[:60] + b"\xff" * 40 + b[100:], ["damaged"]),
    (lambda b: b.replace(b"cpus\0", b"cpuz\0"), ["no /cpus"]),
    (lambda b: b + bytes(70000), ["at most"]),
], ids=["empty", "header", "source", "cut", "old", "structure", "no cpus", "large"])
def test_dtb_is_judged(tmp_path: Path, change: Callable[[bytes], bytes], words: list[str]) -> None:
    good, bad = tmp_path / "good.dtb", tmp_path / "bad.dtb"
    assert isomer("run", "--isa", "riscv64", "--dump-dtb", good).returncode == 0
    bad.write_bytes(change(good.read_bytes()))
    refused(isomer("run", "--isa", "riscv64", "--dtb", bad, "--dump-dtb", tmp_path / "out.dtb"), str(bad), *words)
    assert not (tmp_path / "out.dtb").exists()


def test_missing_dtb(tmp_path: Path) -> None:
    refused(isomer("run", "--isa", "riscv64", "--dtb", tmp_path / "none", "--dump-dtb", "-"), "none")


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
    r = isomer("dis", "--isa", "riscv64", "--plain", "--hex", "419c 1385")
    assert r.returncode == 0
    assert r.stdout.splitlines() == ["<illegal> 41 9c", "<truncated> 13 85"]


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


# ---- user ---------------------------------------------------------------------------------------


def program(path: Path, *lines: str, raw: str = "") -> Path:
    """A riscv64 program of these instructions; tests of meaning are elsewhere."""
    a = isomer("asm", "--isa", "riscv64", *lines)
    assert a.returncode == 0, a.stderr
    code = bytes.fromhex("".join(a.stdout.split()) + raw)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, 0x10078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = 0x78 + len(code)
    path.write_bytes(header + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x10000, 0x10000, size, size, 0x1000) + code)
    path.chmod(0o755)
    return path


def test_user_status(tmp_path: Path) -> None:
    r = isomer("user", program(tmp_path / "p", "addi a0, zero, 300", "addi a7, zero, 94", "ecall"), "--fly")
    assert (r.returncode, r.stdout, r.stderr) == (300 & 0xFF, "", "")


def test_user_arguments_and_write(tmp_path: Path) -> None:
    """write(1, argv[1], 5); exit(argc)."""
    p = program(tmp_path / "p", "ld a1, 16(sp)", "ld s0, 0(sp)", "addi a0, zero, 1", "addi a2, zero, 5",
                "addi a7, zero, 64", "ecall", "addi a0, s0, 0", "addi a7, zero, 93", "ecall")
    r = isomer("user", p, "hello", "-m", "x")
    assert (r.returncode, r.stdout, r.stderr) == (4, "hello", "")


def test_user_stack_is_what_linux_builds(tmp_path: Path) -> None:
    """16-byte alignment at entry, and a bad pointer is EFAULT (14): exit((sp & 15) << 4 | -write(1, 8, 1))."""
    p = program(tmp_path / "p", "andi s0, sp, 15", "slli s0, s0, 4", "addi a0, zero, 1", "addi a1, zero, 8",
                "addi a2, zero, 1", "addi a7, zero, 64", "ecall", "sub a0, s0, a0", "addi a7, zero, 93", "ecall")
    for n in range(3):
        assert isomer("user", p, *["x"] * n).returncode == 14


def test_user_unknown_calls_are_counted(tmp_path: Path) -> None:
    """exit(-call(2000) & 0xff): ENOSYS is 38."""
    p = program(tmp_path / "p", "addi a7, zero, 2000", "ecall", "sub a0, zero, a0", "addi a7, zero, 93", "ecall")
    r = isomer("user", "--stats", "--json", p)
    assert r.returncode == 38
    assert json.loads(r.stderr)["unknown_system_calls"] == {"2000": 1}
    assert json.loads(r.stderr)["instructions"] == 3  # the calls are counted as traps


@pytest.mark.parametrize("raw, lines, status, words", [
    ("0000", [], -4, ["illegal", "0x1007c"]),
    ("", ["ebreak"], -5, ["breakpoint", "0x10078", "ebreak"]),
    ("", ["addi a0, zero, 16", "ld a0, 8(a0)"], -11, ["load", "0x18", "0x1007c", "ld"]),
    ("", ["jr zero"], -11, ["fetch", "pc 0x0"]),
])
def test_user_fatal_traps(tmp_path: Path, raw: str, lines: list[str], status: int, words: list[str]) -> None:
    p = program(tmp_path / "p", *(lines or ["addi zero, zero, 0"]), raw=raw)
    refused(isomer("user", p), *words, code=status)


def test_user_program_is_missing_or_bad(tmp_path: Path) -> None:
    refused(isomer("user", tmp_path / "none"), "none", code=127)
    (tmp_path / "text").write_text("echo hello\n")
    (tmp_path / "text").chmod(0o755)
    refused(isomer("user", tmp_path / "text"), "script", code=126)
    p = program(tmp_path / "p", "ecall")
    refused(isomer("user", "--isa", "x86_64", p), "x86_64", code=126)


def test_user_trace(tmp_path: Path) -> None:
    p = program(tmp_path / "p", "addi a0, zero, 7", "addi a7, zero, 93", "ecall")
    r = isomer("user", "--trace", "insn,exc", p)
    assert r.returncode == 7
    lines = [" ".join(line.split()) for line in r.stderr.splitlines()]
    assert len(lines) == 4
    assert lines[0] == "insn 0:0000000000010078 00700513 li a0, 7"
    assert lines[3] == "exc 0:0000000000010080 ecall_u()"
    r = isomer("user", "--trace", "insn=0x1007c-0x10080", p)
    assert len(r.stderr.splitlines()) == 1 and "a7" in r.stderr
