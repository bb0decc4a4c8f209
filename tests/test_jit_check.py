"""The comparison of translated code with the interpreter (--check): what it finds, the file it leaves, what replays that file; and
that other threads are no difference. `--jit plant=OFFSET` makes subtractions of the additions of one instruction."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import htif, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
MASK = (1 << 64) - 1

# `sum`: two registers are added; `place`: an address is a sum.
PLANTED = {"riscv64": """
  .globl _start, sum, place
_start:
  li a0, 5
  li t0, 200
  addi a5, sp, -64
1: addi a0, a0, 3
  xor a1, a0, t0
place:
  sd a1, 8(a5)
  ld a4, 8(a5)
sum:
  add a2, a0, a1
  add a3, a2, a0
  addi t0, t0, -1
  bnez t0, 1b
  li a0, 0
  li a7, 93
  ecall
""", "arm64": """
  .globl _start, sum, place
_start:
  mov x0, #5
  mov x9, #200
  sub x5, sp, #64
1: add x0, x0, #3
  eor x1, x0, x9
place:
  str x1, [x5, #8]
  ldr x4, [x5, #8]
sum:
  add x2, x0, x1
  add x3, x2, x0
  subs x9, x9, #1
  b.ne 1b
  mov x0, #0
  mov x8, #93
  svc #0
"""}
REGISTERS = {"riscv64": ("a0", "a1", "a2", "a3"), "arm64": ("x0", "x1", "x2", "x3")}


def run(*args: str | Path, cwd: Path | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ISOMER), *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, cwd=cwd,
                          errors="replace")


def planted(isa: str, tmp: Path) -> tuple[Path, dict[str, int]]:
    """The program, and the addresses of its names."""
    if why := programs.missing(isa):
        pytest.skip(why)
    source, elf = tmp / f"{isa}.S", tmp / isa
    source.write_text(PLANTED[isa])
    gcc = programs.TARGETS[isa].gcc
    subprocess.run([gcc, "-nostdlib", "-static", str(source), "-o", str(elf)], check=True)
    names = subprocess.run([gcc.replace("gcc", "nm"), str(elf)], capture_output=True, text=True, check=True).stdout
    return elf, {m[2]: int(m[1], 16) for m in re.finditer(r"^(\w+) T (\w+)$", names, re.M)}


@pytest.mark.parametrize("isa", PLANTED)
def test_a_mistake_is_found_named_and_replayed(isa: str, tmp_path: Path) -> None:
    elf, at = planted(isa, tmp_path)
    a, b, result, other = REGISTERS[isa]
    plant = ["user", "--accel", "jit", "--jit", f"plant={at['sum'] & 0xfff}"]
    assert run("user", "--accel", "jit", "--check", elf).returncode == 0
    assert run(*plant, elf).returncode == 0, "the wrong sum matters to nobody but the comparison"
    r = run(*plant, "--check", elf, cwd=tmp_path)
    assert r.returncode == 125, r.stderr
    said = re.search(rf"first instruction that differs: {at['sum']:#x}  \w+  add [^\n]*\n(.*)", r.stderr, re.S)
    assert said, r.stderr
    before = {m[1]: int(m[2], 16) for m in re.finditer(r"before it (\w+) = (0x\w+)", said[1])}
    differs = re.search(rf"{result}: before 0x\w+, translated (0x\w+), interpreted (0x\w+)", said[1])
    want, seen = before[a] + before[b] & MASK, before[a] - before[b] & MASK
    assert differs and (int(differs[1], 16), int(differs[2], 16)) == (seen, want)
    assert other not in re.findall(r"(\w+): before", said[1])

    # The file says the same, and needs nothing but itself.
    file = tmp_path / re.search(r"isomer replay (\S+)$", r.stderr, re.M)[1]
    text = file.read_text()
    line = re.search(rf"^# register {result} (0x\w+) (0x\w+)$", text, re.M)
    assert line and (int(line[1], 16), int(line[2], 16)) == (seen, want)
    elf.unlink()
    again = run("replay", file)
    assert again.returncode == 1 and f"first instruction that differs: {at['sum']:#x}" in again.stderr
    right = run("replay", "--no-plant", file)
    assert (right.returncode, right.stderr) == (0, "") and right.stdout.startswith("no difference")
    assert "block" in run("replay", "--no-plant", "--dump", "ir", file).stderr
    file.write_text(text.replace("memory-is identity", "memory-is tlb"))    # a machine's code for the same
    assert (run("replay", file).returncode, run("replay", "--no-plant", file).returncode) == (1, 0)


@pytest.mark.parametrize("isa", PLANTED)
def test_an_access_elsewhere_is_found(isa: str, tmp_path: Path) -> None:
    elf, at = planted(isa, tmp_path)
    file = tmp_path / "found"
    r = run("user", "--accel", "jit", "--jit", f"plant={at['place'] & 0xfff}", "--reproducer", file, elf)
    assert r.returncode == 125 and "the interpreter writes what translated code does not" in r.stderr, r.stderr
    assert f"first instruction that differs: {at['place']:#x}" in r.stderr
    assert (run("replay", file).returncode, run("replay", "--no-plant", file).returncode) == (1, 0)


BARE = r"""
#include "htif.h"
void test_main(void) {
  long sum, words[2] = {5, 7};
  for (int i = 0; i < 100; i++)
    asm volatile("ld t0, 0(%1)\n ld t1, 8(%1)\n .globl sum\nsum: add %0, t0, t1" : "=&r"(sum) : "r"(words) : "t0", "t1", "memory");
  CHECK(sum != 0);
}
"""


def test_a_machines_mistake_is_replayed(tmp_path: Path) -> None:
    """Bare metal, in the sandbox: the file is opened before."""
    if why := htif.missing():
        pytest.skip(why)
    (tmp_path / "bare.c").write_text(BARE)
    elf, file = htif.build("bare", tmp_path, tmp_path / "bare.c"), tmp_path / "found"
    names = subprocess.run([programs.TARGETS["riscv64"].gcc.replace("gcc", "nm"), str(elf)], capture_output=True, text=True, check=True).stdout
    at = int(re.search(r"^(\w+) T sum$", names, re.M)[1], 16)
    args = ["run", "--accel", "jit", "--jit", "threshold=1", "--jit", f"plant={at & 0xfff}"]
    r = run(*args, "--reproducer", file, elf)
    assert r.returncode == 125 and f"isomer replay {file}" in r.stderr, r.stderr
    assert f"first instruction that differs: {at:#x}" in r.stderr and "memory-is tlb" in file.read_text()
    assert (run("replay", file).returncode, run("replay", "--no-plant", file).returncode) == (1, 0)
    assert "with --reproducer FILE" in run(*args, "--check", elf).stderr


@pytest.mark.parametrize("text, message", [
    ("", "must say isa, pc"), ("ELF\n", "no reproducer"), ("isomer-reproducer 1\n", "must say isa, pc"),
    ("isomer-reproducer 1\nisa z80\n", ":2: unknown ISA"), ("isomer-reproducer 1\npc 0\n", "ISA comes first"),
    ("isomer-reproducer 1\nisa riscv64\nisa riscv64\n", "a second one"),
    ("isomer-reproducer 1\nisa riscv64\nregister a0 0x10000000000000000\n", "no value of its size"),
    *((f"isomer-reproducer 1\nisa {isa}\npc 0\ninsns 1\nmemory 0 00\nregister {name} {value}\n", f"no {isa} has such a value in {name}") for isa, name, value in (
        ("riscv64", "fflags", "0x20"), ("riscv64", "PRIV", "0x2"), ("riscv64", "zero", "0x1"), ("riscv64", "satp", "0x1000000000000000"),
        ("arm64", "NF", "0x2"), ("arm64", "EL", "0x2"))),
    ("isomer-reproducer 1\nisa riscv64\nregister nosuch 0x1\n", "no such register"),
    ("isomer-reproducer 1\nisa riscv64\nregister a0 12\n", "no value"), ("isomer-reproducer 1\nisa riscv64\nregister a0\n", "no such register"),
    ("isomer-reproducer 1\nisa riscv64\nmemory 0x1000 0g\n", "up to 64 bytes"), ("isomer-reproducer 1\nisa riscv64\nmemory 0x1000\n", "up to 64"),
    ("isomer-reproducer 1\nisa riscv64\nmemory 0x1000 " + "00" * 65 + "\n", "up to 64 bytes"),
    ("isomer-reproducer 1\nisa riscv64\n" + "".join(f"memory {i << 12:#x} 00\n" for i in range(1025)), ":1027: too many pages"),
    ("isomer-reproducer 1\nisa riscv64\npc x\n", "not a number"), ("isomer-reproducer 1\nisa riscv64\nfoo 1\n", "unknown word"),
    ("isomer-reproducer 1\nisa riscv64\nfoo\n", "a line has a word"), ("isomer-reproducer 1\nisa riscv64\npc 0\ninsns 65\n", "1 to 64 insns"),
    ("isomer-reproducer 1\nisa riscv64\nmemory-is red\n", "identity or tlb"), ("isomer-reproducer 1\n" + "x" * 3000, "too long"),
    ("isomer-reproducer 1\nisa riscv64\nmemory-is identity\npc 0xfffffffffffff000\ninsns 1\nmemory 0xfffffffffffff000 00\n", "cannot have its memory"),
])
def test_files_that_are_none(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    r = run("replay", tmp_path / "file")
    assert r.returncode in (120, 121) and message in r.stderr, (r.returncode, r.stderr)


def test_code_that_is_not_there_ends(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("isomer-reproducer 1\nisa riscv64\nmemory-is tlb\npc 0x80000000\nmemory 0 00\ninsns 1\n")
    assert run("replay", tmp_path / "file").returncode in (0, 121)


SHARED = r"""
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
enum { N = 4000 };
static struct shared {
  atomic_int lock, sum;
  volatile int turn, plain, seen;
  volatile long words[64];
} *s;
static void work(int me) {
  for (int i = 0; i < N; i++) {
    while (atomic_exchange(&s->lock, 1)) { }
    s->plain++;
    atomic_store(&s->lock, 0);
    atomic_fetch_add(&s->sum, 1);
    s->words[(me * 32 + i) & 63] += 1; /* torn by others, never faulting */
    s->seen = s->turn++ + s->words[i & 63];
  }
}
static void *thread(void *p) {
  work((int)(long)p);
  return NULL;
}
int main(void) {
  pthread_t t[3];
  s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = fork();
  for (long i = 0; i < 3; i++) pthread_create(&t[i], NULL, thread, (void *)i);
  for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
  if (!child) _exit(0);
  int status;
  waitpid(child, &status, 0);
  return printf("%d %d %d\n", status, s->plain, atomic_load(&s->sum)) < 0;
}
"""


@pytest.mark.parametrize("isa", programs.TARGETS)
def test_what_threads_and_processes_share_is_no_difference(isa: str, tmp_path: Path) -> None:
    """Two processes of four threads: racing words, a spin lock, counters. Nothing is reported, and nothing is lost or done twice."""
    if why := programs.missing(isa):
        pytest.skip(why)
    (tmp_path / "s.c").write_text(SHARED)
    subprocess.run([programs.TARGETS[isa].gcc, "-O2", "-static", "-pthread", str(tmp_path / "s.c"), "-o", str(tmp_path / "s")], check=True)
    r = run("user", "--accel", "jit", "--jit", "threshold=1", "--check", tmp_path / "s")
    assert (r.returncode, r.stdout, r.stderr) == (0, "0 24000 24000\n", "")
