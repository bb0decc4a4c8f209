"""How the oracles are asked about each ISA: LLVM's names and features, and what Zydis calls otherwise. For tests and for the
generated fuzz targets."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Llvm:
    """`features`: what the description claims; by length of the instruction in bytes for the assembler, which would
    otherwise choose another encoding of the same text."""

    triple: str
    features: str
    variant: int                # of the assembly syntax
    by_length: dict[int, str]
    halfwords: bool = False
    mode: str = "random"            # claimed: only words that a picture matches


RV = "+m,+a,+f,+d,+zicsr,+zifencei,+zba,+zbb,+zbs,+zicond,+zicbom,+zicboz,+zihintpause,+sstc"
A64 = ("+bti,+pauth,+rdm,+dotprod,+neon,+fp-armv8,+fullfp16,+lse,+crc,+rcpc-immo,+aes,+sha2,+jsconv,+flagm,+altnzcv,+pan,+el3,+complxnum,+fp16fml,+fptoint,+i8mm,"
       "+sha3")
LLVM = {
    "riscv64": Llvm("riscv64", RV + ",+c", 0, {2: RV + ",+c", 4: RV}, halfwords=True),
    "arm64": Llvm("aarch64", A64, 0, {4: A64}, mode="claimed"),
}
# ISAs of variable length, whose texts are compared in syntax variant 1.
LLVM_FORMS = {"x86_64": "x86_64"}

# One opcode, two names in the manual: ours (LLVM's) and Zydis's.
CONDITIONS = {"e": "z", "ne": "nz", "ae": "nb", "a": "nbe", "ge": "nl", "g": "nle"}
ZYDIS_NAMES = {f"{stem}{ours}": f"{stem}{theirs}" for stem in ("j", "set", "cmov") for ours, theirs in CONDITIONS.items()} | {
    "movabs": "mov", "pushw": "push", "xlatb": "xlat"}
