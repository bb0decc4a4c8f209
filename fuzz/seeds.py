#!/usr/bin/python3
"""Writes the small seed inputs of the fuzz targets, fuzz/corpus/<target>/<name>; the same bytes each time.

  fuzz/seeds.py [--check]      --check: write nothing, name what is missing or differs, exit 1

Inputs found by fuzzing are kept elsewhere: fuzz/regress/<target>/ for what once was a finding, out/ for the rest.
"""
from __future__ import annotations

import argparse
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EM = {"riscv64": 243, "arm64": 183, "x86_64": 62}


# ---- files ------------------------------------------------------------------------------------------------------------


def elf(machine: int, kind: int = 2, base: int = 0x80000000, symbols: bool = True, segments: int = 2) -> bytes:
    """A program of a page with a symbol table (System V ABI, chapters 4 and 5)."""
    names = b"\0_start\0tohost\0"
    syms = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    syms += struct.pack("<IBBHQQ", 1, 0x12, 0, 1, base + 0x200, 16) + struct.pack("<IBBHQQ", 8, 0x11, 0, 1, base + (0x1280 if segments > 1 else 0x240), 8)
    where = 64 + 56 * segments
    sections = where + len(syms) + len(names)
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, base + 0x200, 64,
                                                    sections if symbols else 0, 0, 64, 56, segments, 64, 3 if symbols else 0, 0)
    ph = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, 0x280, 0x280, 0x1000)
    if segments > 1:
        ph += struct.pack("<IIQQQQQQ", 1, 6, 0x280, base + 0x1280, base + 0x1280, 0x20, 0x400, 0x1000) * (segments - 1)
    out = head + ph + syms + names
    if symbols:
        out += bytes(64) + struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, where, len(syms), 2, 1, 8, 24)
        out += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, where + len(syms), len(names), 0, 0, 1, 0)
    return out.ljust(0x2A0, b"\x13")


def elfs() -> dict[str, bytes]:
    out = {isa: b"\2" + elf(em) for isa, em in EM.items()}
    out |= {f"pie_{isa}": b"\1" + elf(em, kind=3, base=0) for isa, em in EM.items()}
    whole = elf(243)
    return out | {"plain": b"\0" + elf(243, symbols=False, segments=1), "cut": b"\0" + whole[:100], "foreign": b"\0" + elf(8),
                  "overlap": b"\2" + elf(243, segments=3), "empty": b"\0",
                  "map": b"\4ffffffff80000000 T _start\nffffffff80000010 t f\t[m]\n\nffffffff80000020 D data\nffffffff80000000 W $x\n"}


def user_elf(machine: int = 243, kind: int = 3, interp: bytes | None = b"/proc/self/exe\0", note: int = 0, off: int = 0x400,
             bss: int = 0x3000, stack: int = 6) -> bytes:
    """A program as linkers lay it out: headers with text, data with bss in the next page, PT_INTERP, a note, PT_GNU_STACK."""
    heads = [struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0x400, 0x400, 0x1000),
             struct.pack("<IIQQQQQQ", 1, 6, off, 0x1000 + off, 0, 0x100, bss, 0x1000),
             struct.pack("<IIQQQQQQ", 4, 4, 0x380, 0x380, 0, 0x18 + note, 0x18 + note, 4),
             struct.pack("<IIQQQQQQ", 0x6474E551, stack, 0, 0, 0, 0, 0, 16)]
    if interp is not None:
        heads.insert(0, struct.pack("<IIQQQQQQ", 3, 4, 0x300, 0x300, 0, len(interp), len(interp), 1))
    base = 0x10000 if kind == 2 else 0
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, base + 0x200, 64, 0, 0, 64, 56, len(heads), 0, 0, 0)
    if base:
        heads = [h[:16] + struct.pack("<Q", struct.unpack_from("<Q", h, 16)[0] + base) + h[24:] for h in heads]
    body = (head + b"".join(heads)).ljust(0x300, b"\x13") + (interp or b"").ljust(0x80, b"\0")
    return (body + struct.pack("<III", 4, 8, 1) + b"GNU\0" + bytes(8)).ljust(0x500, b"\x2a")


def user_elfs() -> dict[str, bytes]:
    out = {f"static_{isa}": b"\4" + user_elf(em, kind=2, interp=None) for isa, em in EM.items()}
    out |= {f"pie_{isa}": b"\4" + user_elf(em, interp=None) for isa, em in EM.items()}
    return out | {
        "interp_missing": b"\4" + user_elf(interp=b"/no/such/ld.so\0"), "interp_native": b"\4" + user_elf(),
        "interp_endless": b"\4" + user_elf(interp=b"x" * 0x80), "note_beyond": b"\4" + user_elf(interp=None, note=0x10000),
        "overlap": b"\4" + user_elf(interp=None, bss=0x3000)[:0x40 + 56 + 16] + bytes(8) + user_elf(interp=None)[0x40 + 56 + 24:],
        "no_bss": b"\4" + user_elf(interp=None, bss=0x100), "huge_bss": b"\4" + user_elf(interp=None, bss=1 << 40),
        "odd_offset": b"\4" + user_elf(interp=None)[:64 + 56 + 16] + struct.pack("<Q", 0x1410) + user_elf(interp=None)[64 + 56 + 24:],
        "exec_stack": b"\0" + user_elf(interp=None, stack=7), "native": b"\1" + user_elf(62, interp=None), "foreign": b"\0" + user_elf(8),
        "script": b"\3#!/no/such/interpreter -x y\n", "script_script": b"\2#!/proc/self/fd/3\n", "script_empty": b"\0#!  \n",
        "script_long": b"\0#!" + b"/x" * 200, "text": b"\0echo hello\n", "empty": b"\0"}


def image(isa: str, pe: bool, text_offset: int = 0x200000, size: int = 0x1000, flags: int = 0) -> bytes:
    """The first 64 bytes as the kernel's boot documents have them, a PE header with one section behind if asked."""
    code = (b"MZ" if pe else bytes(2)) + bytes(6)
    if isa == "riscv64":
        h = code + struct.pack("<QQQIIQ", text_offset, size, flags, 2, 0, 0) + b"RISCV\0\0\0RSC\x05"
    else:
        h = code + struct.pack("<QQQQQQ", text_offset, size, flags, 0, 0, 0) + b"ARM\x64"
    h = h[:60] + struct.pack("<I", 64 if pe else 0)
    if pe:
        h += b"PE\0\0" + struct.pack("<HHIIIHH", 0x5064 if isa == "riscv64" else 0xAA64, 1, 0, 0, 0, 112, 0x206)
        h += struct.pack("<H", 0x20B) + bytes(110) + b".text\0\0\0" + struct.pack("<IIIIIIHHI", 0x100, 0x100, 0x80, 0x100, 0, 0, 0, 0, 0)
    return h.ljust(0x200, b"\0")


def images() -> dict[str, bytes]:
    out = {f"{isa}{'_pe' * pe}": image(isa, pe) for isa in ("riscv64", "arm64") for pe in (False, True)}
    return out | {"cut": image("riscv64", True)[:70], "big_endian": image("arm64", False, flags=1),
                  "huge": image("riscv64", False, size=1 << 62), "offset": image("arm64", True, text_offset=(1 << 64) - 4096)}


def fdt(nodes: bytes, strings: bytes, version: int = 17) -> bytes:
    """A blob of that structure block (Devicetree specification, chapter 5)."""
    nodes += struct.pack(">I", 9)
    at = 40 + 16
    return struct.pack(">10I", 0xD00DFEED, at + len(nodes) + len(strings), at, at + len(nodes), 40, version, 16, 0, len(strings),
                       len(nodes)) + bytes(16) + nodes + strings


def node(name: str, *inside: bytes) -> bytes:
    text = name.encode() + b"\0"
    return struct.pack(">I", 1) + text.ljust((len(text) + 3) & ~3, b"\0") + b"".join(inside) + struct.pack(">I", 2)


def prop(offset: int, value: bytes) -> bytes:
    return struct.pack(">III", 3, len(value), offset) + value.ljust((len(value) + 3) & ~3, b"\0")


def dtbs() -> dict[str, bytes]:
    names = b"bootargs\0reg\0linux,initrd-start\0#address-cells\0"
    cpus = node("cpus", prop(32, struct.pack(">I", 1)), node("cpu@0", prop(9, struct.pack(">I", 0))))
    chosen = node("chosen", prop(0, b"quiet\0"), prop(13, struct.pack(">Q", 0x1234)))
    memory = node("memory@80000000", prop(9, struct.pack(">QQ", 0x80000000, 0x8000000)))
    whole = fdt(node("", cpus, memory, chosen), names)
    return {"bare": b"\0" + fdt(node("", cpus), names), "whole": b"\3" + whole, "kept": b"\0" + whole, "args": b"\1" + whole,
            "no_cpus": b"\1" + fdt(node("", memory), names), "cut": b"\1" + whole[:-9], "old": b"\1" + fdt(node("", cpus), names, 3),
            "trailing": b"\2" + whole + bytes(64),
            "made": bytes([7, 1]) + bytes(16) + bytes([4, 12, 1, 1, 8, 30, 5]) + b"quiet" + bytes([34, 8]) + bytes(8) + bytes([1])}


# ---- steps of devices: the formats are in fuzz/virtqueue.c and fuzz/mmio.c -----------------------------------------------


def descriptor(index: int, address: int, length: int, flags: int, following: int = 0) -> bytes:
    return struct.pack("<BBIHBB", 1, index, address, length, flags, following)


def offer(queue: int, head: int) -> bytes:
    return bytes([2, queue, head])


def virtqueues() -> dict[str, bytes]:
    rng, console, transmit = b"\0\0\3", b"\1\0\3", 128          # descriptors from 128 on are queue 1's
    return {
        "rng": rng + descriptor(0, 0x100, 32, 2) + offer(0, 0),
        "rng_chain": rng + descriptor(0, 0x100, 8, 3, 1) + descriptor(1, 0x200, 64, 2) + offer(0, 0),
        "indirect": b"\0\1\3" + descriptor(0, 0x3000, 32, 4) + bytes([0, 0, 12, 16]) + struct.pack("<QIHH", 0x80003100, 16, 2, 0)
        + offer(0, 0),
        "event": b"\0\3\3" + descriptor(0, 0x100, 16, 2) + offer(0, 0) + offer(0, 0),
        "loop": rng + descriptor(0, 0x100, 8, 3, 0) + offer(0, 0),
        "outside": rng + descriptor(0, 0x80000000, 8, 2) + offer(0, 0),
        "transmit": console + descriptor(transmit, 0x100, 6, 0) + bytes([0, 0x40, 0, 6]) + b"hello\n" + offer(1, 0),
        "receive": console + descriptor(0, 0x100, 6, 2) + offer(0, 0) + bytes([5, 3]) + b"abc" + bytes([4, 24, 3, 25, 1, 0, 0, 0]),
        "moved": rng + bytes([6, 0]) + struct.pack("<QQQ", 0x80010000, 0x80012000, (1 << 64) - 4) + bytes([7]) + offer(0, 0),
    }


def access(device: int, offset: int, size: int, value: int | None = None, far: bool = False) -> bytes:
    what = {1: 0, 2: 1, 4: 2, 8: 3}[size] | 8 | (4 if value is not None else 0) | (64 if far else 0)
    out = bytes([device, what]) + offset.to_bytes(4 if far else 2, "little")
    return out + (b"" if value is None else value.to_bytes(size, "little"))


def mmios() -> dict[str, bytes]:
    """Devices by their position on the first board: interrupt controller, timer, finisher, clock, serial port, VirtIO."""
    plic, clint, finisher, rtc, uart, rng = range(6)
    claim = 0x200004
    return {
        "plic": b"\0" + access(plic, 40, 4, 7) + access(plic, 0x2000, 4, 0x7FF) + access(plic, claim, 4, far=True)
        + access(plic, claim, 4, 10, far=True),
        "clint": b"\0" + access(clint, 0, 4, 1) + access(clint, 0x4000, 8, 1) + access(clint, 0xBFF8, 8) + access(clint, 0x4004, 4, 0),
        "finisher": b"\0" + access(finisher, 0, 4, 0x5555) + access(finisher, 0, 4, 0x33333),
        "rtc": b"\0" + b"".join(access(rtc, off, 4) + access(rtc, off, 4, 0xFFFFFFFF) for off in range(0, 0x24, 4)),
        "uart": b"\0" + access(uart, 3, 1, 0x83) + access(uart, 0, 1, 1) + access(uart, 3, 1, 3) + access(uart, 1, 1, 15)
        + access(uart, 0, 1, 65) + access(uart, 2, 1) + access(uart, 4, 1, 16) + access(uart, 0, 1, 66) + access(uart, 5, 1),
        "virtio": b"\0" + b"".join(access(rng, off, 4) for off in range(0, 0x100, 4))
        + b"".join(access(rng, off, 4, 1) for off in (0x70, 0x30, 0x38, 0x44, 0x50)),
        "odd": b"\0" + bytes([uart, 3 | 4 | 128, 255, 255]) + bytes(8) + bytes([plic, 1, 1, 0]) + bytes([9, 0x30, 0, 1]) + bytes(16),
    }


# ---- instructions -----------------------------------------------------------------------------------------------------


def decodes() -> dict[str, dict[str, bytes]]:
    riscv = {"base": "1385b5ff 0aaa 73001000 83300500 63000000 6f000000", "float": "53f52002 07350500 d3050520",
             "reserved": "00000000ffffffff 0f100000 0160 0000"}
    arm = {"base": "000c028b e0031faa c0035fd6 1f2003d5", "memory": "200040f9 200000b8 e0070091 207c5fc8", "simd": "0084a14e 00e4000f",
           "reserved": "00000000 ffffffff"}
    x86 = {"raw_add": "00 4801c8", "raw_prefix": "00 f0480fb111", "raw_vex": "00 c5f158c2", "raw_sib": "00 678b848d00010000",
           "raw_long": "00 6666666666666666666666666690", "form": "01 0000000000000000 1122334455667788 99aabbccddeeff00",
           "form_neighbour": "01 0700000000000000 1122334455667788 99aabbccddeeff00 0000000000000000 1000000000000000"}
    return {"decode_riscv64": {k: bytes.fromhex(v) for k, v in riscv.items()},
            "decode_arm64": {k: bytes.fromhex(v) for k, v in arm.items()},
            "decode_x86_64": {k: bytes.fromhex(v) for k, v in x86.items()}}


def seeds() -> dict[str, dict[str, bytes]]:
    return {"elf": elfs(), "user_elf": user_elfs(), "image": images(), "dtb": dtbs(), "virtqueue": virtqueues(), "mmio": mmios()} | decodes()


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    wrong = []
    for target, inputs in seeds().items():
        for name, data in inputs.items():
            path = HERE / "corpus" / target / name
            if path.exists() and path.read_bytes() == data:
                continue
            wrong.append(path.relative_to(HERE.parent).as_posix())
            if not a.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    for path in wrong:
        print(f"{'differs' if a.check else 'wrote'}: {path}")
    return int(a.check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
