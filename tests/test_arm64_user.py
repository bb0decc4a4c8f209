"""arm64 programs in user mode where single instructions do not tell enough: signals, code that is written, exclusives,
cache operations, system registers. Each snippet ends with its exit status in x0; the expectation is qemu-user's."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"

SNIPPETS = {
    "udf": "udf #7",
    "unknown_encoding": ".inst 0xffffffff",
    "hlt": "hlt #1",
    "brk": "brk #3",
    "load_null": "mov x1, #0\n ldr x0, [x1], #8",
    "store_text": "adr x1, _start\n str x1, [x1]",
    "jump_null": "mov x1, #0\n br x1",
    "jump_misaligned": "adr x1, _start\n add x1, x1, #2\n br x1",
    "call_misaligned": "adr x1, _start\n add x1, x1, #1\n blr x1",
    "execute_data": "ldr x1, =data\n br x1",
    "exclusive_misaligned": "ldr x1, =data\n add x1, x1, #1\n ldxr w0, [x1]",
    "release_misaligned": "ldr x1, =data\n add x1, x1, #4\n stlr x2, [x1]",
    "pair_exclusive_misaligned": "ldr x1, =data\n add x1, x1, #8\n ldxp x2, x3, [x1]",
    # a misaligned plain access is carried out, across a page too
    "misaligned": "ldr x1, =data+4093\n movz x2, #0x1234\n str x2, [x1]\n ldr w0, [x1, #1]\n and w0, w0, #0xff",
    "exclusive": "ldr x1, =data\n mov x3, #5\n ldxr x2, [x1]\n stxr w0, x3, [x1]\n ldr x4, [x1]\n add x0, x0, x4",
    "exclusive_cleared": "ldr x1, =data\n ldxr x2, [x1]\n clrex\n stxr w0, x2, [x1]",
    "exclusive_open": "ldr x1, =data\n stxr w0, x2, [x1]",
    "exclusive_once": "ldr x1, =data\n ldxr x2, [x1]\n stxr w3, x2, [x1]\n stxr w0, x2, [x1]\n orr w0, w0, w3, lsl #1",
    "exclusive_pair": "ldr x1, =data\n mov x4, #3\n mov x5, #4\n ldaxp x2, x3, [x1]\n stlxp w0, x4, x5, [x1]\n"
                      " ldp x2, x3, [x1]\n add x0, x0, x2\n add x0, x0, x3, lsl #3",
    "nzcv": "mov x1, #0xa0000000\n msr nzcv, x1\n cset w0, mi\n cset w2, eq\n cset w3, cs\n cset w4, vs\n mrs x5, nzcv\n"
            " lsr x5, x5, #24\n add w0, w0, w2, lsl #1\n add w0, w0, w3, lsl #2\n add w0, w0, w4, lsl #3\n eor w0, w0, w5",
    "tpidr": "mov x1, #77\n msr tpidr_el0, x1\n mrs x0, tpidr_el0",
    "fpcr": "mov x1, #0xc00000\n msr fpcr, x1\n mrs x0, fpcr\n lsr x0, x0, #20",
    "fpsr": "mov x1, #0x9f\n msr fpsr, x1\n mrs x0, fpsr",
    # the block that DC ZVA clears is as large as DCZID_EL0 says, and aligned
    "zva": "mrs x2, dczid_el0\n mov x3, #4\n lsl x3, x3, x2\n ldr x1, =data+4096\n mov x4, #-1\n mov x5, #0\n"
           "0: str x4, [x1, x5]\n add x5, x5, #8\n cmp x5, #4096\n b.lo 0b\n add x6, x1, x3\n add x7, x6, #3\n dc zva, x7\n"
           " sub x8, x6, #1\n ldrb w0, [x8]\n add w0, w0, #1\n and w0, w0, #255\n add x8, x6, x3\n ldrb w9, [x8]\n eor w9, w9, #255\n"
           " orr w0, w0, w9\n1: sub x8, x8, #1\n ldrb w9, [x8]\n orr w0, w0, w9\n cmp x8, x6\n b.hi 1b",
    "hints": "nop\n yield\n wfe\n bti c\n paciasp\n autiasp\n esb\n csdb\n isb\n dmb ish\n dsb sy\n dmb ishst\n mov x0, #9",
    "stack_pointer": "sub sp, sp, #32\n mov x1, sp\n add x2, sp, #16\n sub x0, x2, x1\n stp x1, x2, [sp, #16]!\n"
                     " mov x3, sp\n sub x3, x3, x1\n add x0, x0, x3\n ands xzr, x0, #1\n cinc x0, x0, ne",
    "udiv_zero": "mov x1, #9\n udiv x0, x1, xzr\n sdiv x2, x1, xzr\n add x0, x0, x2\n add x0, x0, #1",
}

# Where qemu-user does less than the manual says: the status that follows from the manual.
MANUAL = {
    # B2.12.1: whether an abort is found before the local monitor is looked at is the implementation's choice; qemu's is after
    "store_exclusive_misaligned": ("ldr x1, =data\n add x1, x1, #4\n stxr w0, x2, [x1]", 128 + 7),
    # B2.5.2: without FEAT_LSE2, which ID_AA64MMFR2_EL1 does not report, an ordered access has to be aligned
    "acquire_misaligned": (".arch armv8.5-a\n ldr x1, =data+1\n ldapur w0, [x1, #4]", 128 + 7),
    "release_offset_misaligned": (".arch armv8.5-a\n ldr x1, =data\n stlurh w1, [x1, #3]", 128 + 7),
    # D7.5.9.3: DC CVAU translates its address
    "cache_unmapped": ("mov x1, #0\n dc cvau, x1", 128 + 11),
}

PROGRAM = """
    .global _start
    .text
_start:
    {body}
    mov x8, #93
    svc #0
    .ltorg
    .data
    .balign 4096
data: .fill 16384
    .section .note.GNU-stack, ""
"""


def outcome(command: list[str]) -> tuple[int, bytes]:
    """Status and output, a signal as 128 + its number."""
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return (128 - r.returncode if r.returncode < 0 else r.returncode), r.stdout


def build(text: str, directory: Path) -> Path:
    if why := programs.missing("arm64"):
        pytest.skip(why)
    source, elf = directory / "a.S", directory / "a"
    source.write_text(text)
    subprocess.run(["aarch64-linux-gnu-gcc", "-march=armv8.5-a", "-nostdlib", "-static", "-Wl,--build-id=none", str(source),
                    "-o", str(elf)], check=True)
    return elf


@pytest.mark.parametrize("name", SNIPPETS)
def test_snippet(name: str, tmp_path: Path) -> None:
    elf = build(PROGRAM.format(body=SNIPPETS[name]), tmp_path)
    command = programs.oracle("arm64", elf)
    if command is None:
        pytest.skip("nothing here runs arm64 programs")
    assert outcome([str(ISOMER), "user", *engine.options(), str(elf)]) == outcome(command)


@pytest.mark.parametrize("name", MANUAL)
def test_manual(name: str, tmp_path: Path) -> None:
    body, status = MANUAL[name]
    elf = build(PROGRAM.format(body=body), tmp_path)
    assert outcome([str(ISOMER), "user", *engine.options(), str(elf)]) == (status, b"")


WRITTEN = r"""
    .global _start
    .text
_start:
    mov x19, #0
    ldr x20, =code
    mov w21, #3
again:
    ldr w1, =0x11000400             // add w0, w0, #1 << 0
    add w1, w1, w21, lsl #10
    ldr w2, =0xd65f03c0             // ret
    stp w1, w2, [x20]
    dc cvau, x20
    dsb ish
    ic ivau, x20
    dsb ish
    isb
    mov w0, #0
    blr x20
    add w19, w19, w0
    subs w21, w21, #1
    b.ne again
    mov w0, w19
    mov x8, #93
    svc #0
    .ltorg
    .section .wx, "awx"
    .balign 64
code: .fill 64
    .section .note.GNU-stack, ""
"""


def test_written_code(tmp_path: Path) -> None:
    """What ISB makes visible: the same two words are written and run three times."""
    elf = build(WRITTEN, tmp_path)
    assert outcome([str(ISOMER), "user", *engine.options(), str(elf)])[0] == 4 + 3 + 2
    if shutil.which("qemu-aarch64"):
        assert outcome(["qemu-aarch64", str(elf)])[0] == 9


CAPABILITIES = r"""
#include <stdio.h>
#include <sys/auxv.h>
int main(void) {
  char line[4096];
  printf("%lx %lx\n", getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
  FILE *f = fopen("/proc/cpuinfo", "r");
  while (f && fgets(line, sizeof line, f)) fputs(line, stdout);
  return 0;
}
"""


def test_capabilities(tmp_path: Path) -> None:
    """What the auxiliary vector and /proc/cpuinfo say is the same by Linux's header, and a real processor may say so."""
    if why := programs.missing("arm64"):
        pytest.skip(why)
    source, elf = tmp_path / "caps.c", tmp_path / "caps"
    source.write_text(CAPABILITIES)
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O1", str(source), "-o", str(elf)], check=True)
    header = Path("/usr/aarch64-linux-gnu/include/asm/hwcap.h").read_text()
    bits = {(word == "2", int(n)): name.lower()
            for word, name, n in re.findall(r"^#define\s+HWCAP(2?)_(\w+)\s+\(1U?L* << (\d+)\)", header, re.M)}
    first, *rest = outcome([str(ISOMER), "user", *engine.options(), str(elf)])[1].decode().splitlines()
    words = [int(x, 16) for x in first.split()]
    said = next(x for x in rest if x.startswith("Features")).split(":")[1].split()
    assert sorted(said) == sorted(name for (second, n), name in bits.items() if words[second] >> n & 1)
    assert len(said) == sum(x.bit_count() for x in words)
    if shutil.which("qemu-aarch64"):
        theirs = [int(x, 16) for x in outcome(["qemu-aarch64", "-cpu", "max", str(elf)])[1].split()[:2]]
        assert [a & ~b for a, b in zip(words, theirs)] == [0, 0]
