"""Meanings that the checker must refuse, each with its exact place and message, on a toy ISA. `§` marks the place."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from toy import ROOT, USES, write

from gen.backends import everything
from gen.load import load
from gen.meaning import check
from gen.model import DescError

HEAD = """\
isa:
  name: toy
  machine: 1
  insn: {unit: 16, max: 32}
  features: {C: "+ compressed", Zx: "extra"}
  registers:
    files:
      x: {n: 32, width: 64, zero: 0}
      f: {n: 32, width: 64, kind: float}
      v: {n: 8, width: 256}
    slots: {MODE: 2, Z: {width: 1, kind: flag}, N: {width: 1, kind: flag}, RM: 3, FL: 5}
  context: MODE
  flags: {ZN: "Z N"}
  views:
    X: {file: x}
    W: {of: X, read: "[31:0]", write: sext}
    F: {file: f, type: f64}
    S: {of: F, type: f32, read: unbox, write: box}
    V: {file: v, type: "vec(8, b32)"}
  fields: {rd: X, rs1: X, "rd'": {bits: 3, view: X, add: 8}}
  fp: {main: {nan: canonical, rm: RM, sticky: FL}}
  traps: {illegal: 2, fault: {code: 3, args: 1}}
  helpers: {flush: {args: "a:b64", returns: "r:b64", reads: "MODE", writes: ""}}
"""
DEFS = "  defs: {%s}\n"


def text(do: str, defs: str = "") -> str:
    """One instruction with operands rd, rs1 and a 7-bit imm."""
    body = do if "\n" not in do else "|\n    " + do.replace("\n", "\n    ")
    return (HEAD + (DEFS % defs if defs else "") + USES +
            f'f:\n  enc: "imm[6:0] 00001 rs1 001 rd 1111111"\n  asm: "f {{rd}}, {{rs1}}, {{imm}}"\n  do: {body}\n')


DO = {
    # names
    "unknown name": ("X[rd] = X[rs1] + §nothing + zext(imm)", "unknown name 'nothing'"),
    "unknown function": ("X[rd] = §twist(X[rs1], imm)", "unknown function 'twist'"),
    "unknown trap": ("if imm == X[rs1][6:0] { §trap(page) }\nX[rd] = 0", "unknown trap 'page'"),
    "unknown slot": ("§Q = X[rs1][0] ^ imm[0] ^ rd[0]", "'Q' is no register or slot"),
    "unknown feature": ("X[rd] = if §has(Zy) then X[rs1] else zext(imm)", "has() takes the name of a feature, 'Zy' is none"),
    "a value is no place": ("let a = X[rs1]\n§a = 1\nX[rd] = a + zext(imm)", "'a' is a value and cannot be assigned"),
    "an expression is no place": ("(X[rs1] §+ 1) = X[rd] + zext(imm)", "this is no place that can be assigned"),
    "defined twice": ("let a = X[rs1]\n§let a = X[rd]\nX[rd] = a + zext(imm)", "'a' is already defined here"),
    "register index": ("X[rd] = X[rs1] + X§[32] + zext(imm)", "register file x has no index 32"),
    # widths and types
    "widths differ": ("X[rd] = X[rs1] §+ W[rs1] + zext.64(imm)", "width mismatch: b64 + b32"),
    "widths of branches": ("X[rd] = zext.64(imm) + (§if X[rs1] == 0 then X[rs1] else W[rs1])", "width mismatch: the branches are b64 and b32"),
    "width of the place": ("X[rd] = W[rs1] §^ trunc.32(zext.64(imm))", "width mismatch: b32 where b64 is needed"),
    "literal does not fit": ("W[rd] = W[rs1] ^ §0x100000000 ^ zext(imm)", "literal 4294967296 does not fit in b32"),
    "negative literal": ("MODE = X[rs1][1:0] + trunc(imm) + zext(rd[0]) + §-3", "literal -3 does not fit in b2"),
    "width not known": ("let a = §sext(X[rs1])\nX[rd] = a + zext(imm)", "the width of this extension is not known here: state it, as in sext.64(x)"),
    "trunc wider": ("X[rd] = §trunc.64(imm) + X[rs1]", "trunc to 64 bits of b7"),
    "sext narrower": ("W[rd] = §sext.32(X[rs1]) + zext(imm)", "sext to 32 bits of b64: use trunc"),
    "condition": ("if X§[rs1] { X[rd] = zext(imm) }", "a condition must be one bit wide, this is b64"),
    "slice": ("W[rd] = X[rs1]§[64:33] ^ zext(imm)", "[64:33] is no slice of b64"),
    "bit": ("X[rd] = zext(X[rs1][§64] ^ imm[0])", "bit 64 of b64"),
    "float arithmetic": ("F[rd] = F[rs1] §+ F[imm[2:0]]", "use fadd, fmul, flt … on floating-point values"),
    "float formats": ("F[rd] = fadd(F[rs1], S§[imm[2:0]])", "f64 is needed here, this is f32"),
    "float to bits": ("X[rd] = zext.64(imm)\nX[rd] = F§[rs1]", "f64 where b64 is needed: convert with cvt or reinterpret with `as`"),
    "as keeps the bits": ("X[rd] = F[rs1] §as b32 ++ W[imm[2:0]]", "`as` keeps the bits: f64 is not as wide as b32"),
    "vector arithmetic": ("V[rd[2:0]] = V[rs1[2:0]] §+ V[imm[2:0]]", "operator + does not apply to vec(8, b32) and vec(8, b32): use a comprehension"),
    "lane": ("W[rd] = V[rs1[2:0]][§8] ^ zext(imm)", "lane 8 of vec(8, b32)"),
    "unknown type": ("X[rd] = X[rs1] as §word ^ zext(imm)", "unknown type 'word'"),
    # binding times
    "run-time register": ("X[rd] = X[X§[rs1]] + zext(imm)", "the index of a register must be known at translation time"),
    "run-time loop": ("for i in 0..X§[rs1] { X[rd] = zext(imm) }", "the bounds of a loop must be known when the description is compiled"),
    "translate loop": ("for i in 0..§imm { X[rd] = X[rs1] }", "the bounds of a loop must be known when the description is compiled"),
    "run-time division": ("X[rd] = X§[rs1] / X[rd] + zext(imm)", "/ and % work on values known at translation time; use divu, divs, remu, rems"),
    "run-time lane": ("W[rd] = V[rs1[2:0]][X§[rs1]] ^ zext(imm)", "a lane must be known at translation time: use lookup"),
    "run-time system register": ("X[rd] = sys[X§[rs1]] + zext(imm)", "the number of a system register must be known at translation time"),
    "run-time fence": ("fence(X§[rs1], imm)\nX[rd] = 0", "a fence's set must be known at translation time, this is a run-time value"),
    "run-time repeat": ("X[rd] = repeat(imm[0], §imm) ^ X[rs1]", "the count of repeat must be known when the description is compiled"),
    # partial operations need their policy
    "ctz": ("X[rd] = §ctz(X[rs1]) + zext(imm)", "ctz needs zero=…, its result for 0"),
    "division": ("X[rd] = §divu(X[rs1], X[rd]) + zext(imm)", "divu needs zero=…, its results where division has none"),
    "signed division": ("X[rd] = §divs(X[rs1], X[rd], zero=0) + zext(imm)",
                        "divs needs zero=… and over=…, its results where division has none"),
    "conversion": ("X[rd] = §ftoi.64(F[rs1], s) + zext(imm)", "ftoi needs bad=saturate (with nan=max|zero) or bad=indefinite"),
    "minimum": ("F[rd] = §fmin(F[rs1], F[imm[2:0]])", "fmin needs nan=number or nan=propagate"),
    "lookup": ("W[rd] = §lookup(V[rs1[2:0]], imm)", "lookup needs oob=…, its result for an index past the table"),
    "match": ("X[rd] = §match imm[1:0] { 0 => X[rs1], 1 => 0, 2 => 1 }", "match does not cover every value of b2: add a `_` case"),
    "match statement": ("§match X[rs1][0] { 0 => { X[rd] = zext(imm) } }", "match does not cover every value of b1: add a `_` case"),
    # effects
    "two loads": ("§X[rd] = load.64(X[rs1]) + load.64(X[rd])", "two effects in one expression: give each its own `let`"),
    "two loads in a let": ("§let a = load.64(X[rs1]) + load.64(X[rd])\nX[rd] = a + zext(imm)",
                           "two effects in one expression: give each its own `let`"),
    "two loads in a condition": ("if load.64(X[rs1]) §== load.64(X[rd]) { X[rd] = zext(imm) }",
                                 "two effects in one expression: give each its own `let`"),
    "two loads in a store": ("§store.64(load.64(X[rs1]), load.64(X[rd]) + zext(imm))",
                             "two effects in one expression: give each its own `let`"),
    "helper and load": ("§let a = flush(X[rs1]) + load.64(X[rd])\nX[rd] = a + zext(imm)",
                        "two effects in one expression: give each its own `let`"),
    "effect behind &&": ("if X[rs1] != 0 && load.8(X[rs1]) §== 0 { X[rd] = zext(imm) }",
                         "an effect on the right of && or || would not be conditional: use `if`"),
    "store then load": ("§store.64(X[rs1], 0)\nX[rd] = load.64(X[rd]) + zext(imm)",
                        "f: a store is followed by a possible fault: probe first, or say `partial: ok`"),
    "store then trap": ("§store.64(X[rs1], 0)\nif imm == 0 { trap(illegal) }\nX[rd] = 0",
                        "f: a store is followed by a possible fault: probe first, or say `partial: ok`"),
    "two stores": ("§store.64(X[rs1], 0)\nstore.64(X[rd], zext(imm))",
                   "f: a store is followed by a possible fault: probe first, or say `partial: ok`"),
    "access width": ("X[rd] = zext(§load.24(X[rs1])) + zext(imm)", "no memory access of 24 bits"),
    "access without width": ("X[rd] = §load(X[rs1]) + zext(imm)", "load needs its width, as in load.32(a)"),
    "rmw": ("X[rd] = §rmw.64(nand, X[rs1], zext(imm))", "rmw knows add and andnot max_s max_u min_s min_u or swap xor, not 'nand'"),
    "order": ("X[rd] = load.64(X[rs1], order=§Z) + zext(imm)", "order= is relaxed, tso, acquire, release, seqcst or a choice among them"),
    "probe": ("probe(X[rs1], 8, §q)\nX[rd] = zext(imm)", "probe(address, bytes, r) or w"),
    "helper arguments": ("X[rd] = §flush(X[rs1], imm)", "flush takes a"),
    "a store has no value": ("§let q = store.64(X[rs1], 0)\nX[rd] = q + zext(imm)", "this has no value"),
    # traps and control
    "trap arguments": ("if X[rs1] == 0 { §trap(fault) }\nX[rd] = zext(imm)", "trap 'fault' takes 1 argument, 0 given"),
    "trap has no arguments": ("if X[rs1] == 0 { §trap(illegal, 0) }\nX[rd] = zext(imm)", "trap 'illegal' takes 0 arguments, 1 given"),
    "never reached": ("trap(fault, X[rs1])\n§X[rd] = zext(imm)", "this statement is never reached"),
    "end": ("§end(soon)\nX[rd] = X[rs1] + zext(imm)", "end(context), end(fence), end(wait) or end(irq)"),
    "always traps": ("X[rd] = X[rs1] + (§trap(fault, zext.64(imm)))", "this expression always traps"),
    # undefined values
    "undef address": ("let a = undef(X[rs1])\nX[rd] = load.64(§a) + zext(imm)", "an undefined value reaches an address"),
    "undef address through arithmetic": ("let a = undef(X[rs1])\nlet b = a + 8\nstore.64(§b, zext(imm))\nX[rd] = 0",
                                         "an undefined value reaches an address"),
    "undef jump": ("let a = if X[rs1] == 0 then undef(X[rs1]) else X[rs1]\nX[rd] = zext(imm)\njump(§a)", "an undefined value reaches a jump"),
    "undef guard": ("let a = undef(X[rs1])\nif a §== 0 { X[rd] = zext(imm) }", "an undefined value decides what happens next"),
    "undef choice": ("let a = undef(X[rs1])\nX[rd] = if a §== 0 then 1 else zext(imm)", "an undefined value decides what happens next"),
    "undef match": ("let a = undef(X[rs1][0])\nX[rd] = match §a { 0 => 1, 1 => zext(imm) }", "an undefined value decides what happens next"),
    # unused
    "unused let": ("§let a = X[rs1]\nX[rd] = zext(imm) + X[rs1]", "'a' is never used"),
    "unused pair": ("§let r, fl = addc(X[rs1], 0, 0)\nX[rd] = zext(imm)", "'r', 'fl' is never used"),
    # flags
    "not a bundle": ("ZN = X[rs1]§[0]\nX[rd] = zext(imm)", "ZN needs a ZN(…) bundle, not b1"),
    "flag missing": ("ZN = §ZN(Z=X[rs1][0])\nX[rd] = zext(imm)", "ZN(…) must give every flag by name; missing: N"),
    "no such flag": ("ZN = ZN(Z=0, N=0, C=X[rs1]§[0])\nX[rd] = zext(imm)", "'C' is not a flag of ZN"),
    # arguments
    "argument count": ("X[rd] = §rev8(X[rs1], 1) + zext(imm)", "rev8 takes 1 argument, 2 given"),
    "names and values": ("§let r, c, q = addc(X[rs1], 0, 0)\nX[rd] = r + zext(imm) + q + c", "3 names for 2 values"),
    "sign": ("F[rd] = itof.f64(X[rs1], §x)\nX[rd] = zext(imm)", "signedness is s or u"),
    "profile": ("F[rd] = §fadd(F[rs1], F[imm[2:0]], fp=other)", "no floating-point profile 'other'"),
    # syntax
    "chained comparison": ("X[rd] = zext(X[rs1] == 0 §== imm[0])", "comparisons do not chain; use && or parentheses"),
    # sizes
    "huge width": ("X[rd] = zext(imm) + zext(X[rs1][0]) + §sext.99999999999(X[rs1])[63:0]", "a width in bits: 99999999999 is not 0 to 4096"),
    "huge type": ("let a = X[rs1] §as b130023424\nX[rd] = a + zext(imm)", "a width in bits: 130023424 is not 0 to 4096"),
    "huge slice of a number": ("X[rd] = X[rs1] + zext(imm) + trunc(7§[130023424:0])", "a width in bits: 130023425 is not 0 to 4096"),
    "slice of a number upside down": ("X[rd] = X[rs1] + zext(imm) + zext(7§[0:3])", "[0:3] is no slice"),
    "endless loop": ("§for i in 0..99999999999 { X[rd] = X[rs1] + zext(imm) }", "the rounds of a loop: 99999999999 is not 0 to 4096"),
    "huge shift of a number": ("X[rd] = X[rs1] + sext(imm §<< 99999999999)", "the distance of a shift: 99999999999 is not 0 to 4096"),
    "shift backwards": ("X[rd] = zext(imm) + (X[rs1] §<< -1)", "the distance of a shift: -1 is not 0 to 4096"),
    "huge repeat": ("X[rd] = X[rs1] + zext(imm) + trunc(§repeat(X[rs1], 99999999999999999999))",
                    "the count of repeat: 99999999999999999999 is not 1 to 4096"),
    "no lanes": ("let a = §[X[rs1] for i in 0]\nX[rd] = a[0] + zext(imm)", "the number of lanes: 0 is not 1 to 4096"),
    "too many lanes": ("let a = §[X[rs1] for i in 99999999999]\nX[rd] = a[0] + zext(imm)", "the number of lanes: 99999999999 is not 1 to 4096"),
    "unclosed": ("X[rd] = (X[rs1] + zext(imm)§", "expected ')', found end of text"),
}

DEF_CASES = {
    "recursion": ("X[rd] = g(X[rs1]) + zext(imm)", '"g(a)": "§g(a)"', "'g' calls itself"),
    "arguments of a def": ("X[rd] = §g(X[rs1], imm)", '"g(a)": "a"', "g takes 1 argument, 2 given"),
    "returns missing": ("X[rd] = g(X[rs1]) + zext(imm)", '"g(a)": "§if a == 0 { return 1 }"', "not every path gives a value"),
    "a def checked where it is used": ("X[rd] = g(X[rs1]) + zext(imm)", '"g(a)": "a §+ W[1]"', "width mismatch: b64 + b32"),
    "unused let in a def": ("X[rd] = g(X[rs1]) + zext(imm)", '"g(a)": "§let q = a; return a"', "'q' is never used"),
}


def refused(tmp_path: Path, source: str, message: str | None, suffix: str = " (in f)") -> None:
    path, place = write(tmp_path, source)
    with pytest.raises(DescError) as e:
        check(load(path))
    got = str(e.value)
    assert got in (f"{path}:{place}: {message}", f"{path}:{place}: {message}{suffix}")


@pytest.mark.parametrize("name", DO)
def test_refused(name: str, tmp_path: Path) -> None:
    do, message = DO[name]
    refused(tmp_path, text(do), message)


@pytest.mark.parametrize("name", DEF_CASES)
def test_refused_definition(name: str, tmp_path: Path) -> None:
    do, defs, message = DEF_CASES[name]
    refused(tmp_path, text(do, defs), message)


def test_a_meaning_is_needed(tmp_path: Path) -> None:
    source = text("X[rd] = X[rs1] + zext(imm)").replace("  do: X[rd] = X[rs1] + zext(imm)\n", "  is: §nobody(rd=rd, rs1=rs1)\n")
    refused(tmp_path, source, "`is` names 'nobody', which is no instruction")


def test_memory_is_read_whatever_a_condition_says(tmp_path: Path) -> None:
    """A memory operand that only one path reads would fault on that path alone."""
    path, place = write(tmp_path, """\
odd:
  forms: |
    §0F A6 /r:mem | Gv Ev
  do: if CF { a = b }
""")
    with pytest.raises(DescError) as e:
        check(load(str(ROOT / "isa/x86_64.yaml"), [path]))
    assert str(e.value).startswith(f"{path}:{place}: operand Ev is in memory and first read under a run-time condition")


PROFILES = {
    "key": ("§trap: 1", "unknown key"),
    "nan": ("nan: §first", 'fp profile "main": "nan" is one of canonical first_snan_first_qnan first_operand default, not "first"'),
    "tiny": ("tiny: §never", 'fp profile "main": "tiny" is one of after before, not "never"'),
    "daz": ("daz: §flush_uf", "unknown name 'flush_uf'"),
    "ftz": ('ftz: "§if RM[0] then keep else flush"', '"ftz" is one of keep flush flush_uf, or a choice among them known at translation time'),
    "flags": ('flags: "§4 3 2 1 0"', '"flags" names the bits of NX UF OF DZ NV ID in the sticky place, - for none'),
    "no flags": ('flags: "§- - - - - -"', '"flags" names the bits of NX UF OF DZ NV ID in the sticky place, - for none'),
}


@pytest.mark.parametrize("name", PROFILES)
def test_refused_profile(name: str, tmp_path: Path) -> None:
    key, message = PROFILES[name]
    source = text("F[rd] = fadd(F[rs1], F[imm[2:0]])").replace("nan: canonical, rm: RM, sticky: FL", f"rm: RM, sticky: FL, {key}")
    path, place = write(tmp_path, source)
    with pytest.raises(DescError) as e:
        check(load(path))
    where, _, got = str(e.value).partition(": ")
    assert got.startswith(message) and where == f"{path}:{place}", str(e.value)


def test_flags_are_kept_where_the_profile_says(tmp_path: Path) -> None:
    """Flushing chosen by a context slot and a map of the flags reach interpreter and lifter."""
    source = text("F[rd] = fadd(F[rs1], F[imm[2:0]])").replace("rm: RM, sticky: FL", 'sticky: FL, daz: "if MODE == 1 then flush_id else keep", flags: "4 3 2 1 0 -"')
    isa = load(write(tmp_path, source)[0])
    files = everything(isa, check(isa))
    made = "".join(str(t) for t in files.values())
    assert "fp_flags_at(fe1.flags, (const uint8_t[]){4, 3, 2, 1, 0, 255})" in made
    assert ".sticky_bit = {4, 3, 2, 1, 0, 255}" in made
    assert re.search(r"\.daz = \(uint8_t\)\(daz_\d+\)", made)


def test_accepted(tmp_path: Path) -> None:
    """What the cases vary is fine as it is."""
    ok = ["X[rd] = X[rs1] + zext(imm)", "store.64(X[rs1], load.64(X[rd]) + zext(imm))", "let a = undef(X[rs1])\nX[rd] = a + zext(imm)",
          "let r, fl = addc(X[rs1], zext(imm), 0)\nX[rd] = r", "probe(X[rs1], 16, w)\nstore.64(X[rs1], 0)\nstore.64(X[rs1] + 8, zext.64(imm) + zext.64(rd))",
          "if X[rs1] == 0 { trap(fault, zext.64(imm)) }\nX[rd] = 0", "F[rd] = fadd(F[rs1], F[imm[2:0]])", "X[rd] = flush(X[rs1]) + zext(imm)"]
    for do in ok:
        check(load(write(tmp_path, text(do))[0]))


def test_restart_discards_what_was_not_committed(tmp_path: Path) -> None:
    """As a trap does; `commit` keeps what came before it."""
    def handler(do: str) -> str:
        isa = load(write(tmp_path, text(do))[0])
        files = everything(isa, check(isa))
        return re.sub(r"\s+", " ", "".join(str(t) for n, t in files.items() if n.startswith("interp_")))
    again = "if X[rd] != 0 { restart }"
    assert re.search(r"(\w+) old0 = ([^;]+);.* if \((?:(?!return).)*\2 = old0; return STEP_RESTART;", handler(f"X[rs1] = 1\n{again}"))
    kept = handler(f"X[rs1] = 1\ncommit\n{again}")
    assert "return STEP_RESTART;" in kept and "old0" not in kept
