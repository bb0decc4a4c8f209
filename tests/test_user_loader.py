"""How programs get into user mode: what they find at their start, which files are run and which are refused with what words,
scripts, the sysroot, /proc, the vDSO, confinement, registration with the kernel.

The oracle is the same C source run natively (its checks must hold there, too), Linux itself for scripts and binfmt_misc, and
the rules of docs/user-mode.md where Linux has none.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
SOURCES = ROOT / "tests" / "programs" / "loader"
ENV = {"PATH": os.environ["PATH"], "TEST_VALUE": "a b=c", "LC_ALL": "C"}

@dataclass(frozen=True)
class Built:
    native: Path
    static: Path
    dynamic: Path


def compile_c(gcc: str, source: Path, out: Path, *flags: str) -> Path:
    subprocess.run([gcc, "-O2", "-Wall", "-Wextra", "-Werror", *flags, str(source), "-o", str(out)], check=True)
    return out


class Guest:
    """Programs of tests/programs/loader, for this machine and for a guest; those of one kind share a directory."""

    def __init__(self, isa: str, top: Path) -> None:
        self.isa, self.gcc, self.libraries, self.top = isa, programs.TARGETS[isa].gcc, programs.libraries(isa), top
        self.done: dict[str, Built] = {}
        for d in ("native", "static", "dynamic"):
            (top / d).mkdir()

    def __call__(self, name: str) -> Built:
        if name not in self.done:
            source, top = SOURCES / f"{name}.c", self.top
            self.done[name] = Built(compile_c("gcc", source, top / "native" / name), compile_c(self.gcc, source, top / "static" / name, "-static"),
                                    compile_c(self.gcc, source, top / "dynamic" / name))
        return self.done[name]


@pytest.fixture(scope="module", params=programs.WHOLE)
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    if why := programs.missing(request.param):
        pytest.skip(why)
    return Guest(request.param, tmp_path_factory.mktemp("loader"))


def run(*command: object, **more) -> subprocess.CompletedProcess[str]:
    more.setdefault("env", ENV)
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **more)


def user(*words: object, **more) -> subprocess.CompletedProcess[str]:
    return run(ISOMER, "user", *engine.options(), *words, **more)


def refused(r: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    """One clear line and the code."""
    assert r.returncode == code, r.stderr
    assert r.stderr.count("\n") == 1 and r.stderr.startswith("isomer: "), r.stderr
    assert not r.stdout
    for t in texts:
        assert t in r.stderr


# ---- the start ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_start_is_as_on_linux(build, kind: str) -> None:
    b = build("auxv")
    guest = getattr(b, kind)
    native = run("./auxv", "one", "", "three", cwd=b.native.parent)
    assert "wrong" not in native.stdout, native.stdout
    got = user("-L", build.libraries, "./auxv", "one", "", "three", cwd=guest.parent)
    expected = native.stdout
    if kind == "static":
        expected = expected.replace("dynamic linker is an ELF file: ok\n", "")
    assert got.stdout == expected, got.stderr
    version, hwcap = re.search(r"version (\S+) hwcap ([0-9a-f]+)", got.stderr).groups()
    assert version == VERSIONS[build.isa]
    assert int(hwcap, 16) == hwcaps(build)


# Linux's vdso.lds.S.
VERSIONS = {"riscv64": "LINUX_4.15", "arm64": "LINUX_2.6.39", "x86_64": "LINUX_2.6"}


def hwcaps(build: Guest) -> int:
    """AT_HWCAP: what /proc/cpuinfo names, with the bits of the kernel's header."""
    info = user(build("proc").static).stderr
    if build.isa == "riscv64":                                      # a bit for each letter
        return sum(1 << ord(c) - ord("a") for c in re.search(r"^isa\t\t: rv64([a-z]+)", info, re.M)[1])
    bits = dict(re.findall(r"#define HWCAP_(\w+)\s+\(1 << (\d+)\)", (build.libraries / "include/asm/hwcap.h").read_text()))
    named = re.search(r"^Features\t: (.*)$", info, re.M)[1].upper().split()
    assert {"FP", "ASIMD", "ATOMICS"} <= set(named)
    return sum(1 << int(bits[n]) for n in named if n in bits)


# _start of a program without a C library, with as many branches to `bad` as there are registers to be zero.
CLEAN = {
    "riscv64": "".join(f"  bnez x{i}, bad\n" for i in range(1, 32) if i != 2) +
               "  andi a0, sp, 15\n  bnez a0, bad\n  li a0, 7\n  j out\nbad: li a0, 1\nout: li a7, 93\n  ecall\n",
    "arm64": "".join(f"  cbnz x{i}, bad\n" for i in range(31)) +
             "  mov x1, sp\n  tst x1, #15\n  b.ne bad\n  mov x0, #7\n  b out\nbad: mov x0, #1\nout: mov x8, #93\n  svc #0\n",
}  # fmt: skip


def assembled(build: Guest, tmp_path: Path, text: str, *flags: str) -> Path:
    source, guest = tmp_path / "p.S", tmp_path / "p"
    source.write_text(text)
    subprocess.run([build.gcc, "-nostdlib", *flags, str(source), "-o", str(guest)], check=True)
    return guest


def test_registers_are_clean_at_the_start(build, tmp_path: Path) -> None:
    """Linux's ELF_PLAT_INIT clears all but the stack pointer."""
    assert user(assembled(build, tmp_path, ".globl _start\n_start:\n" + CLEAN[build.isa], "-static")).returncode == 7


# Exits with the bits of its first address above 32, the low ones up to its alignment being zero; data and zeros are in place.
PLACE = {
    "riscv64": " lla t0, value\n ld t1, (t0)\n li t2, 42\n bne t1, t2, bad\n lla t0, zeros + 8000\n ld t1, (t0)\n bnez t1, bad\n"
               " sd t0, (t0)\n lla t0, __ehdr_start\n srli a0, t0, 32\n slli t1, t0, 64 - ALIGN\n beqz t1, out\n"
               "bad: li a0, 1\nout: li a7, 93\n ecall\n",
    "arm64": " adrp x1, value\n ldr x2, [x1, :lo12:value]\n cmp x2, #42\n b.ne bad\n adrp x1, zeros + 8000\n add x1, x1, :lo12:zeros + 8000\n"
             " ldr x2, [x1]\n cbnz x2, bad\n str x1, [x1]\n adrp x1, __ehdr_start\n add x1, x1, :lo12:__ehdr_start\n lsr x0, x1, #32\n"
             " lsl x2, x1, #(64 - ALIGN)\n cbz x2, out\nbad: mov x0, #1\nout: mov x8, #93\n svc #0\n",
}  # fmt: skip


@pytest.mark.parametrize("flags, align", [(["-static-pie", "-Wl,--no-dynamic-linker"], 12), (["-static-pie", "-Wl,--no-dynamic-linker", "-Wl,-z,max-page-size=0x200000"], 21),
                                          (["-static", "-Wl,-Ttext-segment=0x7000000"], 12)])
def test_where_a_static_program_lies(build, tmp_path: Path, flags: list[str], align: int) -> None:
    guest = assembled(build, tmp_path, ".globl _start\n_start:\n" + PLACE[build.isa].replace("ALIGN", str(align)) +
                      ".data\n.balign 8\nvalue: .quad 42\n.bss\n.balign 8\nzeros: .space 9000\n", *flags)
    assert user(guest).returncode == (0x2a if "-static-pie" in flags else 0)


def test_vdso_is_a_shared_object_with_linux_names(tmp_path: Path) -> None:
    names = {
        "riscv64": {"__vdso_rt_sigreturn", "__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_clock_getres", "__vdso_getcpu",
                    "__vdso_flush_icache", "__vdso_riscv_hwprobe"},
        "arm64": {"__kernel_rt_sigreturn", "__kernel_clock_gettime", "__kernel_gettimeofday", "__kernel_clock_getres"},
        "x86_64": {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_clock_getres", "__vdso_time", "__vdso_getcpu",
                   "clock_gettime", "gettimeofday", "clock_getres", "time", "getcpu"},
    }
    for isa, wanted in names.items():
        image = ROOT / f"out/gen/vdso/{isa}.so"
        r = run("readelf", "-WaD", image)
        assert r.returncode == 0 and "Warning" not in r.stderr and "Error" not in r.stderr, r.stderr
        assert set(re.findall(rf"(\w+)@@{re.escape(VERSIONS[isa])}", r.stdout)) == wanted
        assert "linux-vdso.so.1" in r.stdout and re.search(r"LOAD +0x000000 0x0+ .* R E 0x1000", r.stdout)
        assert image.stat().st_size <= 4096


# ---- what is refused ------------------------------------------------------------------------------------------------------


def segments(data: bytes) -> list[int]:
    """Offsets of the PT_LOAD headers."""
    off, = struct.unpack_from("<Q", data, 32)
    n, = struct.unpack_from("<H", data, 56)
    return [off + 56 * i for i in range(n) if struct.unpack_from("<I", data, off + 56 * i)[0] == 1]


def patched(data: bytes, at: int, form: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(form, out, at, value)
    return bytes(out)


def test_bad_files_are_refused_in_one_line(build, tmp_path: Path) -> None:
    good = build("args").static.read_bytes()
    first, second = segments(good)[:2]
    low, = struct.unpack_from("<Q", good, first + 16)
    cases = {
        "cut in the header": (good[:40], "truncated"), "cut in the program headers": (good[:100], "truncated"), "cut": (good[:5000], "truncated"),
        "overlap": (patched(good, second + 16, "<Q", low + 16), "overlap"),
        "absurd size": (patched(good, second + 40, "<Q", 1 << 45), "0x200000000000"),
        "more in the file than in memory": (patched(good, second + 40, "<Q", 1), "more bytes in the file"),
        "beyond the address space": (patched(good, second + 16, "<Q", 0x7fff00000000 + (struct.unpack_from("<Q", good, second + 8)[0] & 0xfff)),
                                     "0x3fff7ff000"),
        "not where a page of the file goes": (patched(good, second + 8, "<Q", struct.unpack_from("<Q", good, second + 8)[0] & ~0xfff | 8), "no page"),
        "32-bit": (patched(good, 4, "<B", 1), "32-bit"), "big-endian": (patched(good, 5, "<B", 2), "big-endian"),
        "object": (patched(good, 16, "<H", 1), "relocatable"), "PowerPC": (patched(good, 18, "<H", 21), "PowerPC64"),
        "no program headers": (patched(good, 56, "<H", 0), "without program headers"),
        "entry outside": (patched(good, 24, "<Q", 0x10), "entry point"),
        "text": (b"hello\n", "neither an ELF program nor a script"), "empty": (b"", "empty"), "#! alone": (b"#!   \n", "neither"),
    }
    for name, (data, text) in cases.items():
        f = tmp_path / name
        f.write_bytes(data)
        f.chmod(0o755)
        refused(user(f), 126, str(f), text)


# Writes to a segment of zeros and ends with 7.
ZEROS = {
    "native": "mov $zeros, %rbx\n mov $7, %edi\n add (%rbx), %edi\n mov %rdi, (%rbx)\n mov $60, %eax\n syscall\n",
    "riscv64": "lla t0, zeros\n ld a0, (t0)\n addi a0, a0, 7\n sd a0, (t0)\n li a7, 93\n ecall\n",
    "arm64": "adrp x1, zeros\n ldr x0, [x1]\n add x0, x0, #7\n str x0, [x1]\n mov x8, #93\n svc #0\n",
}  # fmt: skip


def test_a_segment_of_zeros_may_lie_beyond_the_file(build, tmp_path: Path) -> None:
    """Linux does not look where in the file nothing is to be read; linkers write such headers."""
    for where, gcc in (("native", "gcc"), (build.isa, build.gcc)):
        (tmp_path / "p.S").write_text(f".globl _start\n_start: {ZEROS[where]}\n.bss\n.balign 4096\nzeros: .space 9000\n")
        out = tmp_path / where
        subprocess.run([gcc, "-nostdlib", "-static", str(tmp_path / "p.S"), "-o", str(out)], check=True)
        data = out.read_bytes()
        zeros, = (at for at in segments(data) if not struct.unpack_from("<Q", data, at + 32)[0])
        out.write_bytes(patched(data, zeros + 8, "<Q", 1 << 32))
    assert run(tmp_path / "native").returncode == 7
    assert user(tmp_path / build.isa).returncode == 7


def test_files_that_are_not_there_or_not_allowed(build, tmp_path: Path) -> None:
    b = build("args")
    refused(user(tmp_path / "nothing"), 127, "nothing", "No such file")
    refused(user("no-such-program"), 127, "not found in $PATH")
    refused(user(tmp_path), 126, "a directory")
    refused(user("/dev/null"), 126, "a device or pipe")
    refused(user(b.static / "x"), 126, "Not a directory")
    plain = tmp_path / "plain"
    shutil.copy(b.static, plain)
    plain.chmod(0o644)
    refused(user(plain), 126, "not executable", "chmod")
    plain.chmod(0o111)
    assert user(plain).returncode == 1 if os.geteuid() == 0 else user(plain).returncode == 126
    (tmp_path / "loop").symlink_to("loop")
    refused(user(tmp_path / "loop"), 126, "symbolic links")
    other = next(i for i in programs.WHOLE if i != build.isa)
    refused(user("--isa", other, b.static), 126, f"is for {build.isa}")
    refused(user("-L", tmp_path / "nowhere", b.static), 120, "sysroot", "nowhere")
    refused(user("-L", plain, b.static), 120, "not a directory")


def test_dynamic_linker_is_missing_or_wrong(build, tmp_path: Path) -> None:
    b = build("args")
    name = re.search(r"interpreter: (\S+)\]", run("readelf", "-Wl", b.dynamic).stdout)[1]
    refused(user(b.dynamic), 127, name, "-L DIR")
    linker = tmp_path / name[1:]
    linker.parent.mkdir()
    for content, text in ((b"#!/bin/sh\n", "not an ELF file"), (b.native.read_bytes(), "is for x86-64"), (b.static.read_bytes()[:3000], "truncated")):
        linker.write_bytes(content)
        linker.chmod(0o755)
        refused(user("-L", tmp_path, b.dynamic), 126, "dynamic linker", text)
    data = bytearray(b.dynamic.read_bytes())
    at = data.index(name.encode() + b"\0")
    data[at + len(name)] = ord("x")                                 # the name does not end
    bad = tmp_path / "endless"
    bad.write_bytes(data)
    bad.chmod(0o755)
    refused(user("-L", build.libraries, bad), 126, "does not end")


# ---- scripts --------------------------------------------------------------------------------------------------------------


def both(build, tmp_path: Path, text: bytes, *args: str) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """The same script natively and by Isomer: the interpreter is `args` of a directory that is this machine's or the guest's."""
    out = []
    for built, start in ((build("args").native, []), (build("args").static, [str(ISOMER), "user"])):
        d = tmp_path / built.parent.name
        d.mkdir(exist_ok=True)
        shutil.copy(built, d / "interp")
        script = d / "script"
        script.write_bytes(text)
        script.chmod(0o755)
        out.append(run(*start, "./script", *args, cwd=d))
    return out[0], out[1]


@pytest.mark.parametrize("line", [
    b"#!./interp\n", b"#! ./interp\n", b"#!\t./interp\t\n", b"#!./interp one\n", b"#!./interp  one two  three \n", b"#!./interp one", b"#!./interp",
    b"#!./interp -x -y\nrest\n", b"#!./interp " + b"a" * 300 + b"\n", b"#!./interp one\r\n"])
def test_script_line_is_read_as_linux_reads_it(build, tmp_path: Path, line: bytes) -> None:
    native, guest = both(build, tmp_path, line, "x", "", "z y")
    assert guest.stdout == native.stdout and guest.returncode == native.returncode
    assert "[z y]" in native.stdout and "execfn [./script]" in native.stdout


@pytest.mark.parametrize("depth", [2, 5, 6, 7])
def test_scripts_that_name_scripts(build, tmp_path: Path, depth: int) -> None:
    """Linux allows five (fs/exec.c, exec_binprm)."""
    results = []
    for built, start in ((build("args").native, []), (build("args").static, [ISOMER, "user"])):
        d = tmp_path / built.parent.name
        d.mkdir()
        shutil.copy(built, d / "s0")
        for i in range(1, depth + 1):
            (d / f"s{i}").write_text(f"#!./s{i - 1} arg{i}\n")
            (d / f"s{i}").chmod(0o755)
        try:
            results.append(run(*start, f"./s{depth}", "last", cwd=d))
        except OSError as e:
            results.append(e)
    native, guest = results
    if isinstance(native, OSError):
        refused(guest, 126, "nested")
        assert depth > 5
    else:
        assert guest.stdout == native.stdout and depth <= 5


def test_script_whose_interpreter_is_missing(build, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    refused(user(script), 127, "its interpreter /no/such/interpreter")
    script.write_bytes(b"#!" + b"/x" * 200 + b"\n")                 # a name that does not fit
    refused(user(script), 126, "neither")


def test_a_name_without_a_slash_is_looked_for_in_path(build, tmp_path: Path) -> None:
    b = build("args")
    inside = tmp_path / "root" / "tools"
    inside.mkdir(parents=True)
    shutil.copy(b.static, inside / "args")
    r = user("-L", tmp_path / "root", "args", "x", env={"PATH": "/nowhere:/tools"})
    assert r.stdout == "[args]\n[x]\nexecfn [/tools/args]\n"
    (inside / "args").chmod(0o644)
    refused(user("-L", tmp_path / "root", "args", env={"PATH": "/nowhere:/tools"}), 126, "not executable")


def test_execution_by_descriptor_and_by_name(build, tmp_path: Path) -> None:
    """execve and fexecve of programs and scripts, and their errors, against the same natively."""
    out = []
    for paths, args, start in ((build("paths").native, build("args").native, []), (build("paths").static, build("args").static, [ISOMER, "user"])):
        d = tmp_path / paths.parent.name
        d.mkdir()
        shutil.copy(args, d / "interp")
        (d / "script").write_text("#!./interp -s\n")
        (d / "script").chmod(0o755)
        (d / "gone").write_text("#!./nothing\n")
        (d / "gone").chmod(0o755)
        (d / "text").write_text("echo hello\n")
        (d / "text").chmod(0o755)
        (d / "plain").write_text("#!./interp\n")
        words = [w for f in ("./interp", "./script", "./gone", "./text", "./plain", ".") for how in ("exec", "fexec", "fexec-closed") for w in (how, f)]
        out.append(run(*start, paths, *words, "exec", "./script/x", "exec", "/nothing", cwd=d))
    native, guest = out
    assert guest.stdout == native.stdout and "execfn [/dev/fd/77]" in native.stdout and native.stdout.count("ENOENT") >= 3


# ---- the sysroot ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sysroot(build, tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for d in ("etc/deep", "only/here", "tmp", "proc", "usr/lib"):
        (root / d).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    for f in (build.libraries / "lib").iterdir():
        if re.match(r"(ld-linux|libc\.so)", f.name):
            shutil.copy(f, root / "usr/lib" / f.name)
    (root / "etc/hostname").write_text("inside\n")
    (root / "etc/absolute").symlink_to("/etc/hostname")
    (root / "etc/deep/up").symlink_to("../../../../../../../etc/hostname")
    (root / "etc/passwd").symlink_to("/etc/hostname")
    (root / "tmp/hidden").write_text("never seen\n")
    return root


def ask(build, sysroot: Path, *words: str, **more) -> list[str]:
    r = user("-L", sysroot, build("paths").dynamic, *words, **more)
    assert r.returncode == 0, r.stderr
    return [line.split(": ", 1)[1] for line in r.stdout.splitlines()]


def test_paths_are_looked_up_in_the_sysroot_first(build, sysroot: Path) -> None:
    got = ask(build, sysroot, "cat", "/etc/hostname", "cat", "/etc/absolute", "cat", "/etc/deep/up", "cat", "/etc/../etc//passwd",
              "link", "/etc/absolute", "type", "/etc/absolute", "list", "/etc/deep", "cat", "/../../etc/hostname", "type", "/only/here",
              "type", "/lib", "type", "/lib/", "access", "/etc/nothing", "cat", "/usr/bin/env/x")
    assert got == ["inside", "inside", "inside", "inside", "/etc/hostname", "link", "up", "inside", "directory", "link", "directory", "ENOENT", "ENOTDIR"]


def test_what_is_not_in_the_sysroot_is_the_hosts(build, sysroot: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("outside\n")
    got = ask(build, sysroot, "cat", str(tmp_path / "file"), "type", "/usr/include", "type", "/tmp/hidden", "access", "/proc/self/maps",
              "type", "/dev/null")
    assert got == ["outside", "directory", "ENOENT", "done", "file"]


def test_relative_paths_stay_in_the_sysroot(build, sysroot: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text("beside the sysroot\n")
    got = ask(build, sysroot, "cd", "/etc/deep", "cat", "up", "cat", "../absolute", "cat", "../../../etc/hostname", "cd", "../..", "cat", "etc/hostname",
              "cat", "../etc/hostname", "base", "/etc", "cat", "absolute", "link", "absolute", "cat", "deep/up", "cd", "/only/here", "cd", str(tmp_path))
    assert got == ["/etc/deep", "inside", "inside", "inside", "/", "inside", "inside", "done", "inside", "/etc/hostname", "inside", "/only/here",
                   str(tmp_path)]


def test_where_changes_go(build, sysroot: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    got = ask(build, sysroot, "write", "/etc/hostname", "write", "/only/here/new", "mkdir", "/only/here/dir", "symlink", "/only/here/sym",
              "write", f"{out}/file", "rename", "/only/here/new", "remove", "/etc/absolute", "remove", "/etc/deep/up", "write", "/nowhere/at/all",
              "truncate", "/etc/hostname")
    assert got == ["done"] * 8 + ["ENOENT", "done"]
    assert (sysroot / "etc/hostname").read_text() == "n" and (sysroot / "only/here/new.renamed").read_text() == "new\n"
    assert (sysroot / "only/here/dir").is_dir() and os.readlink(sysroot / "only/here/sym") == "/etc/target"
    assert (out / "file").exists() and not (sysroot / "etc/absolute").is_symlink() and not (sysroot / "etc/deep/up").is_symlink()


def test_new_files_go_to_the_host_when_both_have_the_directory(build, sysroot: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:      # /tmp is the host's in any case
        outside, inside = Path(name), sysroot / name[1:]
        inside.mkdir(parents=True)
        (inside / "old").write_text("old\n")
        assert ask(build, sysroot, "write", f"{name}/new", "write", f"{name}/old", "list", name) == ["done", "done", "old"]
        assert (outside / "new").exists() and not (outside / "old").exists() and (inside / "old").read_text() == "new\n"


def test_programs_and_scripts_inside_the_sysroot(build, sysroot: Path, tmp_path: Path) -> None:
    (sysroot / "bin").mkdir()
    shutil.copy(build("args").dynamic, sysroot / "bin/args")
    (sysroot / "bin/script").write_text("#!/bin/args -s\n")
    (sysroot / "bin/script").chmod(0o755)
    shutil.copy(build("paths").dynamic, sysroot / "bin/paths")
    assert user("-L", sysroot, "/bin/script", "x").stdout == "[/bin/args]\n[-s]\n[/bin/script]\n[x]\nexecfn [/bin/script]\n"
    r = user("-L", sysroot, "/bin/paths", "link", "/proc/self/exe", "link", "/proc/self/root", "cd", "/bin", "link", "/proc/self/cwd")
    assert [line.split(": ", 1)[1] for line in r.stdout.splitlines()] == ["/bin/paths", "/", "/bin", "/bin"]
    r = user("-L", sysroot, sysroot / "bin/paths", "link", "/proc/self/exe")       # named from outside
    assert r.stdout.endswith(": /bin/paths\n")
    maps = user("-L", sysroot, "/bin/paths", "cat", "/proc/self/maps").stdout
    assert " /lib/" in maps.replace("/usr/lib/", "/lib/") and str(sysroot) not in maps
    r = user("-L", sysroot, "/bin/paths", "exec", "/bin/script", "exec", "/bin/args", "exec", "/bin/nothing", "exec", "/etc/hostname")
    assert r.stdout.splitlines() == ["exec /bin/script: [/bin/args]", "[-s]", "[/bin/script]", "[an argument]", "execfn [/bin/script]", "status 400",
                                     "exec /bin/args: [child]", "[an argument]", "execfn [/bin/args]", "status 200",
                                     "exec /bin/nothing: ENOENT", "exec /etc/hostname: EACCES"]


def test_sysroot_of_the_environment(build, sysroot: Path) -> None:
    r = user(build("paths").dynamic, "cat", "/etc/hostname", env=ENV | {"ISOMER_SYSROOT": str(sysroot)})
    assert r.stdout == "cat /etc/hostname: inside\n"


# ---- /proc ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_proc_shows_the_program(build, kind: str) -> None:
    b = build("proc")
    native, guest = run(b.native, "x", "y z", ""), user("-L", build.libraries, getattr(b, kind), "x", "y z", "")
    assert "wrong" not in native.stdout, native.stdout
    assert guest.stdout == native.stdout, guest.stderr
    machine, first = {"riscv64": ("riscv64", "hart\t\t:"), "arm64": ("aarch64", "processor\t:")}[build.isa]
    assert f"machine {machine}\n" in guest.stderr
    assert guest.stderr.count(first) == os.sysconf("SC_NPROCESSORS_ONLN")
    if build.isa == "riscv64":
        isa = re.search(r"^isa\t\t: (rv64imafdc\S*)$", guest.stderr, re.M)
        assert isa and "zicsr" in isa[1]


# ---- confinement ----------------------------------------------------------------------------------------------------------


def sandboxed(build, *words: object, options: tuple[object, ...] = (), **more) -> list[str]:
    r = user("--sandbox", *options, build("paths").static, *words, **more)
    if r.returncode == 121:
        pytest.skip(r.stderr)
    assert r.returncode == 0, r.stderr
    return [line.split(": ", 1)[1] for line in r.stdout.splitlines()]


def test_sandbox_leaves_the_paths_that_are_chosen(build, tmp_path: Path) -> None:
    for d in ("ro", "rw", "no"):
        (tmp_path / d).mkdir()
        (tmp_path / d / "file").write_text(f"{d}\n")
    words = [w for d in ("ro", "rw", "no") for w in ("cat", f"{tmp_path}/{d}/file", "write", f"{tmp_path}/{d}/new", "list", f"{tmp_path}/{d}")]
    ours = ("--ro", tmp_path / "ro", "--rw", tmp_path / "rw")
    got = sandboxed(build, *words, "remove", f"{tmp_path}/rw/file", "cat", "/etc/passwd", "cat", "/dev/null", "access", "/proc/self/maps", options=ours)
    assert got == ["ro", "EACCES", "file", "rw", "done", "file new", "EACCES", "EACCES", "EACCES", "done", "EACCES", "", "done"]
    assert not (tmp_path / "ro/new").exists() and not (tmp_path / "no/new").exists()
    plain = user(build("paths").static, "cat", f"{tmp_path}/no/file", "cat", "/etc/hostname")
    assert plain.stdout.startswith(f"cat {tmp_path}/no/file: no\n")      # what is refused above is there


def test_sandbox_confines_children_and_lets_only_isomer_start(build, tmp_path: Path) -> None:
    paths, args = build("paths").static, build("args")
    (tmp_path / "secret").write_text("secret\n")
    allowed = ("--ro", paths.parent, "--ro", args.native.parent)
    r = user("--sandbox", *allowed, paths, "exec", args.static, "exec", args.native, "exec", "/bin/true")
    if r.returncode == 121:
        pytest.skip(r.stderr)
    assert r.stdout.splitlines() == [f"exec {args.static}: [child]", "[an argument]", f"execfn [{args.static}]", "status 200",
                                     f"exec {args.native}: EACCES", "exec /bin/true: EACCES"]
    script = tmp_path / "script"                                    # a child of a child
    script.write_text(f"#!{paths} cat\n")
    script.chmod(0o755)
    r = user("--sandbox", *allowed, "--ro", script, paths, "exec", script)
    assert r.stdout.splitlines()[0] == f"exec {script}: cat {script}: #!{paths} cat"


def test_sandbox_of_translated_code(build) -> None:
    """Code memory is mapped from no file; children of the program have their own."""
    args = build("args")
    jit = ("--accel", "jit", "--jit", "threshold=1")
    if "jit" not in subprocess.run([ISOMER, "user", "--help"], capture_output=True, text=True).stdout:
        pytest.skip("this host has no lowering rules")
    assert sandboxed(build, "cat", "/etc/passwd", "cat", "/dev/null", options=jit) == ["EACCES", ""]
    r = user("--sandbox", *jit, "--ro", args.static.parent, build("paths").static, "exec", args.static)
    assert r.returncode == 0, r.stderr


def test_sandbox_lets_a_script_be_read(build, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{build('paths').static} cat\n")
    script.chmod(0o755)
    (tmp_path / "other").write_text("other\n")
    r = user("--sandbox", script, "cat", tmp_path / "other")
    if r.returncode == 121:
        pytest.skip(r.stderr)
    assert r.stdout.splitlines() == [f"cat {script}: #!{build('paths').static} cat", f"cat {tmp_path}/other: EACCES"]


def test_sandbox_refuses_sockets_and_ways_out(build) -> None:
    words = ("socket", "inet", "socket", "unix", "pair", "x", "chroot", "/")
    assert sandboxed(build, *words) == ["EACCES", "EACCES", "done", "EPERM"]
    assert sandboxed(build, *words[:6], options=("--net",)) == ["done", "done", "done"]


def test_sandbox_options_need_a_sandbox(build) -> None:
    refused(user("--ro", "/", build("paths").static), 120, "--sandbox")
    r = user("--sandbox", "--ro", "/no/such/path", build("paths").static)
    if r.returncode != 121:
        refused(r, 120, "/no/such/path")


# ---- started by the kernel ------------------------------------------------------------------------------------------------


def test_binfmt_lines(tmp_path: Path) -> None:
    """In a directory that stands for binfmt_misc (Documentation/admin-guide/binfmt-misc.rst)."""
    refused(user("--binfmt", "install", "--binfmt-dir", tmp_path), 121, "mount")
    (tmp_path / "register").touch()
    assert user("--binfmt", "install", "--binfmt-dir", tmp_path).returncode == 0
    lines = (tmp_path / "register").read_text().splitlines()
    assert len(lines) == 2                                          # not the machine's own ISA
    for isa, machine, line in zip(("arm64", "riscv64"), (183, 243), sorted(lines)):
        name, kind, offset, magic, mask, interpreter, flags = line[1:].split(":")
        assert (name, kind, offset, interpreter, flags) == (f"isomer-{isa}", "M", "0", str(ISOMER), "PF")
        want = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine)
        bits = bytes.fromhex(mask.replace("\\x", ""))
        assert bytes.fromhex(magic.replace("\\x", "")) == want and bits == b"\xff" * 7 + b"\0" + b"\xff" * 8 + b"\xfe\xff\xff\xff"
        assert len(line) < 1920
    for n in ("isomer-arm64", "isomer-riscv64"):
        (tmp_path / n).touch()
    assert user("--binfmt", "remove", "--binfmt-dir", tmp_path, "--isa", "riscv64").returncode == 0
    assert (tmp_path / "isomer-riscv64").read_text() == "-1\n" and not (tmp_path / "isomer-arm64").read_text()
    refused(user("--binfmt", "put", "--binfmt-dir", tmp_path), 120, "install")
    refused(user("--binfmt", "install", "x"), 120, "no program")
    refused(user("--binfmt", "install", "--isa", "x86_64", "--binfmt-dir", tmp_path), 120, "without Isomer")


def test_the_kernel_starts_programs(build, tmp_path: Path) -> None:
    """With a binfmt_misc of its own, which a user namespace has since Linux 6.7."""
    (tmp_path / "fs").mkdir()
    (tmp_path / "script").write_text(f"#!{build('args').static} -k\n")
    (tmp_path / "script").chmod(0o755)
    steps = (f"mount -t binfmt_misc none {tmp_path}/fs || exit 77; {ISOMER} user --binfmt install --binfmt-dir {tmp_path}/fs || exit 1; "
             f"exec 3>&1; bash -c 'exec -a \"other name\" {build('args').static} \"a b\" c'; {tmp_path}/script z; {build('args').dynamic} d; "
             f"{ISOMER} user --binfmt remove --binfmt-dir {tmp_path}/fs; {build('args').static} || exit 42")
    r = run("unshare", "-Urm", "sh", "-c", steps, env=ENV | {"ISOMER_SYSROOT": str(build.libraries)})
    if r.returncode == 77 or "unshare failed" in r.stderr:
        pytest.skip(r.stderr)
    static, dynamic = build("args").static, build("args").dynamic
    assert r.stdout.splitlines() == ["[other name]", "[a b]", "[c]", f"execfn [{static}]", f"[{static}]", "[-k]", f"[{tmp_path}/script]", "[z]",
                                     f"execfn [{static}]", f"[{dynamic}]", "[d]", f"execfn [{dynamic}]"], r.stderr
    assert r.returncode == 42
