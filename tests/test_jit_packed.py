"""Vector instructions in translated code: each over boundary values in every lane gives what QEMU gives, floating point in every
mode and with its flags, on both engines and under settings that stress translation."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
ENGINES = {"interp": ["--accel", "interp"], "jit": ["--accel", "jit"], "at once": ["--accel", "jit", "--jit", "threshold=1"],
           "check": ["--accel", "jit", "--jit", "threshold=1", "--check"]}
WIDTH = {"b": 8, "h": 16, "s": 32, "d": 64}


def floating() -> list[tuple[int, str]]:
    """Width of the elements and text."""
    out = []
    for t in ("2s", "4s", "2d"):
        w, e = WIDTH[t[1]], t[1]
        names = ("fadd fsub fmul fdiv fmla fmls fmax fmin fmaxnm fminnm fabd fcmeq fcmge fcmgt facge facgt faddp fmaxp fminnmp fmulx"
                 " frecps frsqrts")
        out += [(w, f"{n} v0.{t}, v1.{t}, v2.{t}") for n in names.split()]
        names = "fabs fneg fsqrt frintn frinta frintp frintm frintx frintz frinti fcvtns fcvtps fcvtms fcvtzs fcvtas fcvtnu fcvtzu scvtf ucvtf"
        out += [(w, f"{n} v0.{t}, v1.{t}") for n in names.split()]
        out += [(w, f"{n} v0.{t}, v1.{t}, #0.0") for n in ("fcmgt", "fcmge", "fcmeq", "fcmle", "fcmlt")]
        out += [(w, f"{n} v0.{t}, v1.{t}, v2.{e}[1]") for n in ("fmul", "fmla", "fmls")]
        out += [(w, f"fcvtzs v0.{t}, v1.{t}, #7"), (w, f"scvtf v0.{t}, v1.{t}, #7")]
    return out + [(32, "fmaxv s0, v1.4s"), (32, "fminnmv s0, v1.4s"), (64, "faddp d0, v1.2d"), (32, "fcvtl v0.2d, v1.2s"),
                  (32, "fcvtl2 v0.2d, v1.4s"), (64, "fcvtn v0.2s, v1.2d"), (64, "fcvtn2 v0.4s, v1.2d")]


def whole() -> list[str]:
    out = []
    for t in ("8b", "16b", "4h", "8h", "2s", "4s", "2d"):
        w, e, d = WIDTH[t[-1]], t[-1], t == "2d"
        three = "add sub cmeq cmtst cmgt cmge cmhi cmhs sshl ushl srshl urshl addp zip1 zip2 uzp1 uzp2 trn1 trn2"
        if not d:
            three += (" mul mla mls smax smin umax umin sabd uabd saba uaba shadd uhadd srhadd urhadd shsub uhsub smaxp uminp sqadd uqadd"
                      " sqsub uqsub")
        out += [f"{n} v0.{t}, v1.{t}, v2.{t}" for n in three.split()]
        out += [f"{n} v0.{t}, v1.{t}" for n in ("abs", "neg", *(() if d else ("cls", "clz")))]
        out += [f"{n} v0.{t}, v1.{t}, #0" for n in ("cmgt", "cmge", "cmeq", "cmle", "cmlt")]
        out += [f"{n} v0.{t}, v1.{t}, #{k}" for n in "sshr ushr ssra usra srshr urshr srsra ursra sri".split() for k in (1, w - 1, w)]
        out += [f"{n} v0.{t}, v1.{t}, #{k}" for n in ("shl", "sli") for k in (0, 1, w - 1)]
        out += [f"dup v0.{t}, v1.{e}[1]"]
        if w in (16, 32):
            out += [f"{n} v0.{t}, v1.{t}, v2.{e}[1]" for n in ("mul", "mla", "mls")]
    for a, b in (("8b", "8h"), ("4h", "4s"), ("2s", "2d"), ("16b", "8h"), ("8h", "4s"), ("4s", "2d")):
        two, w = ("2" if a in ("16b", "8h", "4s") else ""), WIDTH[a[-1]]
        long = "saddl uaddl ssubl usubl sabal uabal sabdl uabdl smlal umlal smlsl umlsl smull umull"
        out += [f"{n}{two} v0.{b}, v1.{a}, v2.{a}" for n in long.split()]
        out += [f"{n}{two} v0.{b}, v1.{b}, v2.{a}" for n in ("saddw", "uaddw", "ssubw", "usubw")]
        out += [f"{n}{two} v0.{a}, v1.{b}, v2.{b}" for n in ("addhn", "raddhn", "subhn", "rsubhn")]
        out += [f"{n}{two} v0.{a}, v1.{b}" for n in ("xtn", "sqxtn", "uqxtn", "sqxtun")]
        out += [f"shll{two} v0.{b}, v1.{a}, #{w}", f"sshll{two} v0.{b}, v1.{a}, #3", f"ushll{two} v0.{b}, v1.{a}, #0"]
        out += [f"shrn{two} v0.{a}, v1.{b}, #3", f"rshrn{two} v0.{a}, v1.{b}, #{w}"]
        sums = {"8b": "4h", "16b": "8h", "4h": "2s", "8h": "4s", "2s": "1d", "4s": "2d"}
        out += [f"{n} v0.{sums[a]}, v1.{a}" for n in ("saddlp", "uaddlp", "sadalp", "uadalp")]
    for t in ("8b", "16b"):
        out += [f"{n} v0.{t}, v1.{t}" for n in ("cnt", "not", "rbit", "rev16", "rev32", "rev64")]
        out += [f"{n} v0.{t}, v1.{t}, v2.{t}" for n in "and orr eor bic orn bsl bit bif pmul".split()]
        out += [f"{n} v0.{t}, {{{x}}}, v3.{t}" for n in ("tbl", "tbx") for x in ("v1.16b", "v1.16b, v2.16b")]
        out += [f"ext v0.{t}, v1.{t}, v2.{t}, #3"]
    return out + [f"{n} {t[-1]}0, v1.{t}" for t in ("8b", "16b", "4h", "8h", "4s") for n in ("addv", "smaxv", "uminv")]


def saturating() -> list[str]:
    """The program's sums have FPSR, in which QC sticks."""
    out = []
    for t, e, w in (("8b", "b", 8), ("16b", "b", 8), ("4h", "h", 16), ("8h", "h", 16), ("2s", "s", 32), ("4s", "s", 32), ("2d", "d", 64)):
        shapes = [f"v{{}}.{t}"] + ([f"{e}{{}}"] if t in ("16b", "8h", "4s", "2d") else [])
        for v in shapes:
            a, b, c = (v.format(k) for k in range(3))
            out += [f"{n} {a}, {b}, {c}" for n in "sqadd uqadd sqsub uqsub sqshl uqshl sqrshl uqrshl".split()]
            out += [f"{n} {a}, {b}" for n in ("sqabs", "sqneg", "suqadd", "usqadd")]
            out += [f"{n} {a}, {b}, #{k}" for n in ("sqshl", "uqshl", "sqshlu") for k in (0, 1, w - 1)]
            if e in "hs":
                out += [f"{n} {a}, {b}, {c}" for n in ("sqdmulh", "sqrdmulh")]
                out += [f"{n} {a}, {b}, v2.{e}[1]" for n in ("sqdmulh", "sqrdmulh")]
    for a, b, w in (("8b", "8h", 8), ("4h", "4s", 16), ("2s", "2d", 32)):
        wide = {"8b": "16b", "4h": "8h", "2s": "4s"}[a]
        for two, t in (("", a), ("2", wide)):
            out += [f"{n}{two} v0.{t}, v1.{b}" for n in ("sqxtn", "uqxtn", "sqxtun")]
            out += [f"{n}{two} v0.{t}, v1.{b}, #{k}" for n in ("sqshrn", "uqshrn", "sqshrun", "sqrshrn", "uqrshrn", "sqrshrun") for k in (1, w)]
        if w > 8:
            e, f = {16: "hs", 32: "sd"}[w]
            for n in ("sqdmull", "sqdmlal", "sqdmlsl"):
                out += [f"{n} v0.{b}, v1.{a}, v2.{a}", f"{n}2 v0.{b}, v1.{wide}, v2.{wide}", f"{n} {f}0, {e}1, {e}2"]
                out += [f"{n} v0.{b}, v1.{a}, v2.{e}[1]", f"{n}2 v0.{b}, v1.{wide}, v2.{e}[1]", f"{n} {f}0, {e}1, v2.{e}[1]"]
        narrow, broad = {8: "bh", 16: "hs", 32: "sd"}[w]
        out += [f"{n} {narrow}0, {broad}1" for n in ("sqxtn", "uqxtn", "sqxtun")]
    return out


def cryptography() -> list[str]:
    return ["aese v0.16b, v1.16b", "aese v0.16b, v1.16b; aesmc v0.16b, v0.16b", "aesd v0.16b, v1.16b", "aesd v0.16b, v1.16b; aesimc v0.16b, v0.16b",
            "aesmc v0.16b, v1.16b", "aesimc v0.16b, v1.16b", "pmull v0.1q, v1.1d, v2.1d", "pmull2 v0.1q, v1.2d, v2.2d", "sha1c q0, s1, v2.4s",
            "sha1p q0, s1, v2.4s", "sha1m q0, s1, v2.4s", "sha1h s0, s1", "sha1su0 v0.4s, v1.4s, v2.4s", "sha1su1 v0.4s, v1.4s",
            "sha256h q0, q1, v2.4s", "sha256h2 q0, q1, v2.4s", "sha256su0 v0.4s, v1.4s", "sha256su1 v0.4s, v1.4s, v2.4s",
            "mov v3.16b, v0.16b; sha256h q0, q1, v2.4s; sha256h2 q1, q3, v2.4s; eor v0.16b, v0.16b, v1.16b"]


def structures() -> list[str]:
    """Registers 1 to 4 become one number; memory is what %0 points to."""
    out = []
    mix = "; ".join(f"ror x9, x9, 7; umov x10, v{r}.d[{k}]; eor x9, x9, x10" for r in range(1, 5) for k in (0, 1))
    for t in ("8b", "16b", "4h", "8h", "2s", "4s", "2d"):
        for n in (2, 3, 4):
            regs = ", ".join(f"v{r}.{t}" for r in range(1, n + 1))
            out.append(f"mov x9, 0; ld{n} {{{regs}}}, [%0]; {mix}; fmov d0, x9")
            out.append(f"mov x9, %0; st{n} {{{regs}}}, [x9], {(16 if t in ('16b', '8h', '4s', '2d') else 8) * n}; sub x9, x9, %0;"
                       f" ldp q1, q2, [%0]; ldp q3, q4, [%0, 32]; {mix}; fmov d0, x9")
    return out


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if why := programs.missing("arm64"):
        pytest.skip(why)
    tmp = tmp_path_factory.mktemp("packed")
    rows = floating() + [(0, x) for x in whole() + saturating() + cryptography() + structures()]
    (tmp / "rows.h").write_text("".join(f'R({n}, {w}, "{x}")\n' for n, (w, x) in enumerate(rows)))
    out = tmp / "packed"
    subprocess.run([programs.TARGETS["arm64"].gcc, "-O2", "-static", "-march=armv8-a+crypto", f"-I{tmp}", str(ROOT / "tests/programs/packed_arm64.c"), "-o", str(out)],
                   check=True)
    return out


def run(*command: str) -> list[str]:
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert r.returncode == 0, r.stderr
    return r.stdout.splitlines()


@pytest.fixture(scope="module")
def expected(elf: Path) -> list[str]:
    other = programs.oracle("arm64", elf)
    if not other:
        pytest.skip("nothing else here runs arm64 programs")
    return run(*other)


@pytest.mark.parametrize("engine", ENGINES)
def test_instructions_are_as_in_qemu(engine: str, elf: Path, expected: list[str]) -> None:
    got = run(str(ISOMER), "user", *ENGINES[engine], str(elf))
    assert len(got) == len(expected) > 1900
    assert [x for x in zip(got, expected) if x[0] != x[1]] == []
