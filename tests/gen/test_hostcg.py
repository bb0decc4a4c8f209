"""Lowering rules of the host: every rule computes what the IR says of its operation, by executing the meanings of the
instructions it is made of (the Python oracle of the host's description); and mistakes in rules are refused."""
from __future__ import annotations

import importlib.util
import itertools
import math
import random
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/lib")]
import crypto  # noqa: E402
import oracle  # noqa: E402
import pyfp  # noqa: E402
from gen import host  # noqa: E402
from gen.model import DescError  # noqa: E402

HOST = "x86_64"


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    m = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(m)
    return m


ISA = oracle.load(ROOT / f"out/gen/{HOST}/oracle.py")
GEN = module(ROOT / "out/gen/host/host_rules.py")


def sg(x: int, n: int) -> int:
    return x - (1 << n) if x >> n - 1 & 1 else x


def quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)


def semantics(op: str, aux: int, n: int, a: int, b: int, c: int) -> int:
    """What runtime/ir/ir.h says."""
    m, bytes_ = (1 << n) - 1, n // 8
    k = b % n
    if op.startswith("V"):
        return vector_semantics(op, aux, a, b, c)
    match op:
        case "CONST" | "ZEXT": return a
        case "ADD": return a + b & m
        case "SUB": return a - b & m
        case "MUL": return a * b & m
        case "AND": return a & b
        case "OR": return a | b
        case "XOR": return a ^ b
        case "ANDN": return a & ~b & m
        case "NOT": return ~a & m
        case "NEG": return -a & m
        case "ADDX": return a + b * aux & m
        case "SHL": return a << k & m
        case "SHRU": return a >> k
        case "SHRS": return sg(a, n) >> k & m
        case "ROL": return (a << k | a >> n - k) & m
        case "ROR": return (a >> k | a << n - k) & m
        case "MULHU": return a * b >> n
        case "MULHS": return sg(a, n) * sg(b, n) >> n & m
        case "MULHSU": return sg(a, n) * b >> n & m
        case "DIVU": return a // b if b else 0
        case "REMU": return a % b if b else 0
        case "DIVS": return quotient(sg(a, n), sg(b, n)) & m if b else 0
        case "REMS": return sg(a, n) - quotient(sg(a, n), sg(b, n)) * sg(b, n) & m if b else 0
        case "DIVUW": return (a << n | b) // c if a < c else 0
        case "REMUW": return (a << n | b) % c if a < c else 0
        case "EQ": return int(a == b)
        case "NE": return int(a != b)
        case "LTU": return int(a < b)
        case "LEU": return int(a <= b)
        case "LTS": return int(sg(a, n) < sg(b, n))
        case "LES": return int(sg(a, n) <= sg(b, n))
        case "ADDO": return int(not -(1 << n - 1) <= sg(a, n) + sg(b, n) < 1 << n - 1)
        case "SUBO": return int(not -(1 << n - 1) <= sg(a, n) - sg(b, n) < 1 << n - 1)
        case "SEXT": return sg(a & (1 << aux) - 1, aux) & m
        case "TRUNC": return a & 0xffffffff
        case "SELECT": return b if a else c
        case "CLZ": return n - a.bit_length()
        case "CTZ": return n if not a else (a & -a).bit_length() - 1
        case "POPCOUNT": return a.bit_count()
        case "PARITY": return a.bit_count() + 1 & 1
        case "BSWAP": return int.from_bytes(a.to_bytes(bytes_, "little"), "big")
        case "BREV": return int(f"{a:0{n}b}"[::-1], 2)
        case "ORC8": return sum(0xff << i for i in range(0, n, 8) if a >> i & 0xff)
    raise AssertionError(f"no semantics of {op}: say here what ir.h says")


def clamp(x: int, low: int, high: int) -> int:
    return max(low, min(x, high))


def vector_semantics(op: str, w: int, a: int, b: int, c: int) -> int:
    """What ir.h says of lanes of w bits."""
    m, n = (1 << w) - 1, 128 // w if w else 0
    first = [a >> k * w & m for k in range(n)]
    others = [b >> k * w & m for k in range(n)]
    match op:
        case "VLOOK": return sum((a >> 8 * (b >> 8 * k & 255) & 255) << 8 * k for k in range(16) if b >> 8 * k & 255 < 16)
        case "VANY": return int(a != 0)
        case "VCLMULL" | "VCLMULH" | "VAESS" | "VAESM" | "VAESSM" | "VAESD" | "VAESIM" | "VAESDM" | "VSHAC" | "VSHAP" | "VSHAM" | "VSHBR" | "VSHBF" | "VSHBS":
            return crypto.operation(op, a, b, c)
        case "VSPLAT": return sum((a & m) << k * w for k in range(n))
        case "VLANE": return first[b]
        case "VINS": return a & ~(m << c * w) | (b & m) << c * w
        case "VSHL": out = [x << min(b, w) & m for x in first]
        case "VSHRU": out = [x >> min(b, w) for x in first]
        case "VSHRS": out = [sg(x, w) >> min(b, w - 1) & m for x in first]
        case _:
            do = {"VADD": lambda x, y: x + y, "VSUB": lambda x, y: x - y, "VMUL": lambda x, y: x * y, "VMINU": min, "VMAXU": max,
                  "VMINS": lambda x, y: min(x, y, key=lambda z: sg(z, w)), "VMAXS": lambda x, y: max(x, y, key=lambda z: sg(z, w)),
                  "VADDSS": lambda x, y: clamp(sg(x, w) + sg(y, w), -(1 << w - 1), m >> 1), "VADDSU": lambda x, y: min(x + y, m),
                  "VSUBSS": lambda x, y: clamp(sg(x, w) - sg(y, w), -(1 << w - 1), m >> 1), "VSUBSU": lambda x, y: max(x - y, 0),
                  "VMULHS": lambda x, y: sg(x, w) * sg(y, w) >> w, "VMULHU": lambda x, y: x * y >> w,
                  "VMULHR": lambda x, y: math.floor(Fraction(sg(x, w) * sg(y, w), 1 << w - 1) + Fraction(1, 2)),
                  "VSHLV": lambda x, y: x << min(y, w), "VSHRUV": lambda x, y: x >> min(y, w), "VSHRSV": lambda x, y: sg(x, w) >> min(y, w),
                  "VAVGU": lambda x, y: x + y + 1 >> 1, "VEQ": lambda x, y: -(x == y), "VLTU": lambda x, y: -(x < y), "VLTS": lambda x, y: -(sg(x, w) < sg(y, w))}[op]
            out = [do(x, y) & m for x, y in zip(first, others)]
    return sum(x << k * w for k, x in enumerate(out))


def width(r: dict, name: str) -> int:
    """Bits of an operand's type."""
    if r["op"] in ("VSHL", "VSHRU", "VSHRS") and name == "b" or r["op"] == "VSPLAT" or r["op"] == "VINS" and name == "b":
        return 64 if r["op"] in ("VSPLAT", "VINS") and r["aux"] == 64 else 32
    if r["op"] in ("ZEXT", "SEXT") or (name, r["op"]) in (("b", "SHL"), ("b", "SHRU"), ("b", "SHRS"), ("b", "ROL"), ("b", "ROR")):
        return 32
    return 64 if r["op"] == "TRUNC" else r["bits"]


# ---- floating point

FP = {"FADD": "add", "FSUB": "sub", "FMUL": "mul", "FDIV": "div", "FSQRT": "sqrt", "FMA": "fma", "FMIN": "min", "FMAX": "max", "FEQ": "eq",
      "FLT": "lt", "FLE": "le", "FUN": "cmp", "FCVT": "cvt", "FTOI": "to_int", "ITOF": "from_int", "FRINT": "round_to_int"}
HOW = {k: names.split() for k, names in host.HOW.items()}
KEEP, KEEP_ID = 0, 3


def choose_how(r: dict, rnd: random.Random) -> dict[str, int]:
    """Values of the fields of struct ir_fp for which the rule is taken."""
    some = {"bits": [32, 64], "daz": [KEEP, KEEP_ID], "minmax": [0, 1]}
    return {k: rnd.choice(r["how"].get(k) or some.get(k) or range(len(HOW[k]))) for k in HOW}


def fp_width(r: dict, how: dict[str, int], name: str) -> int:
    """Bits of an operand, and of the result (d); of one lane."""
    n = 32 if r["type"] in ("F32", "P32") else 64
    match r["op"], name:
        case ("FCVT", "a"): return 96 - n
        case ("ITOF", "a") | ("FTOI", "d"): return how["bits"]
    return n


def lanes(r: dict) -> int:
    return 128 // int(r["type"][1:]) if r["type"].startswith("P") else 1


def packed(values: list[int], w: int) -> int:
    return sum(x << k * w for k, x in enumerate(values))


def fp_semantics(r: dict, how: dict[str, int], args: list[int]) -> tuple[int, int]:
    """The result and the flags raised, by Python's arithmetic: of all lanes."""
    n, w = lanes(r), fp_width(r, how, "a")
    if n == 1:
        return fp_scalar(r, how, args)
    done = [fp_scalar(r, how, [x >> k * w & (1 << w) - 1 for x in args]) for k in range(n)]
    full = (1 << w) - 1 if r["op"] in ("FEQ", "FLT", "FLE", "FUN") else 1
    flags = 0
    for _, f in done:
        flags |= f
    return packed([x * full for x, _ in done], w), flags


def fp_scalar(r: dict, how: dict[str, int], args: list[int]) -> tuple[int, int]:
    op, w = FP[r["op"]], fp_width(r, how, "d" if r["op"] == "ITOF" else "a")
    attrs = {"op": op, "width": w, "tiny": HOW["tiny"][how["tiny"]], "minmax": HOW["minmax"][how["minmax"]],
             "quiet": how["quiet"], "exact": how["exact"], "int": how["bits"], "signed": how["sign"], "bad": HOW["bad"][how["bad"]],
             "to": 96 - w, "flags": range(6)}
    nan = pyfp.NANS.index(HOW["nan"][how["nan"]])
    *out, flags = pyfp.operation(attrs, (how["rm"], nan, how["daz"], 0), tuple(args))
    return out[-1], flags


def specials(w: int) -> list[int]:
    e, f = pyfp.FORMATS[w]
    top, one = ((1 << e) - 1) << f, ((1 << e - 1) - 1) << f
    some = [0, 1, 2, (1 << f) - 1, 1 << f, (1 << f) + 1, one, one - 1, one + 1, one + (1 << f - 1), one + (1 << f) + (1 << f - 1), top - 1, top,
            top | 1 << f - 1, top | 1, top | 1 << f - 1 | 5, one - (1 << f)]
    some += [one + (k << f) for k in (15, 30, 31, 32, 52, 53, 62, 63, 64)] + [one + (31 << f) - 1, one + (32 << f) - 1, one + (63 << f) - 1]
    return some + [x | 1 << w - 1 for x in some]


def fp_values(w: int, rnd: random.Random, integer: bool) -> list[int]:
    if integer:
        return values("r", w, rnd)
    e, f = pyfp.FORMATS[w]
    near = [rnd.getrandbits(1) << w - 1 | ((1 << e - 1) - 1 + rnd.randint(-3, 3)) << f | rnd.getrandbits(f) for _ in range(8)]
    whole = [rnd.getrandbits(1) << w - 1 | ((1 << e - 1) - 1 + rnd.randint(20, 64)) << f | rnd.getrandbits(f) for _ in range(4)]
    return specials(w) + near + whole + [rnd.getrandbits(w) for _ in range(4)]


def tiny_pairs(w: int, rnd: random.Random) -> list[list[int]]:
    """Operands whose product or quotient is at the border of the normal numbers."""
    e, f = pyfp.FORMATS[w]
    bias, out = (1 << e - 1) - 1, []
    for _ in range(40):
        k = rnd.randint(-60 if w == 64 else -20, 60 if w == 64 else 20)
        a = (bias + k) << f | (rnd.choice([0, (1 << f) - 1, (1 << f) - 2, rnd.getrandbits(f)]))
        out.append([a, (1 - k + rnd.randint(-2, 2) + 0) << f | rnd.choice([0, 1, rnd.getrandbits(f)])
                    if 1 - k > 3 else (bias + 1 - k - rnd.randint(0, 2)) << f & (1 << w - 1) - 1 | rnd.getrandbits(3)])
        out.append([(1 << f) + rnd.randint(-3, 3), bias << f | rnd.choice([0, 1, 2, (1 << f) - 1])])
        out.append([(1 << f) + rnd.randint(-3, 3), (bias - 1) << f | rnd.choice([(1 << f) - 1, (1 << f) - 2])])
    return out


def status(s: oracle.State) -> int:
    """The flags in the order of runtime/fp."""
    return sum(1 << host.FLAGS.index(x) for k, x in enumerate(GEN.STATUS[1]) if s.MXFLAGS >> k & 1)


FLOATS = [r for r in GEN.RULES if r["op"] in FP]


@pytest.mark.parametrize("r", FLOATS, ids=lambda r: f"{r['op']}.{r['type']}:{r['where'].split(':')[1]}:{r['tie']}")
def test_floating_point_rule(r: dict) -> None:
    """Results and exact flags over boundary and random operands; what goes out of line finds its operands."""
    rnd = random.Random(r["where"])
    reached = set()
    cases: list[list[int] | None] = [None] * 400
    if r["op"] in ("FMUL", "FDIV", "FMA"):
        cases += [x + [0] * (len(r["args"]) - 2) for x in tiny_pairs(fp_width(r, {}, "a"), rnd)]
    for given in cases:
        how = choose_how(r, rnd)
        sets = [given if given and not k else [rnd.choice(fp_values(fp_width(r, how, a["name"]), rnd, r["op"] == "ITOF")) for a in r["args"]]
                for k in range(lanes(r))]
        if r["op"] == "ITOF":
            sets = [[x & (1 << how["bits"]) - 1 for x in args] for args in sets]
        rnd.shuffle(sets)
        args = [packed(list(x), fp_width(r, how, "a")) for x in zip(*sets)] if lanes(r) > 1 else sets[0]
        size = {n: 128 if lanes(r) > 1 else fp_width(r, how, n) for n in "abcd"}
        s = oracle.State(ISA, 0x1000, 4, 0, bytearray(0))
        s.r[:] = [rnd.getrandbits(64) for _ in s.r]
        s.v[:] = [rnd.getrandbits(256) for _ in s.v]
        s.r[16] = 0
        general, vector = rnd.sample([3, 6, 7, 8, 9, 12, 13, 14], 8), [16 + k for k in rnd.sample(range(16), 16)]
        regs = {a["name"]: (vector if a["kind"] == "v" else general).pop() for a in r["args"]}
        if len(args) > 1 and args[0] == args[1] and r["tie"] == "" and rnd.random() < 0.5:
            regs["b"] = regs["a"]
        regs |= {n: (vector if k == "v" else general).pop() for n, k in r["temps"]}
        if r["has_dest"]:
            regs["d"] = regs[r["tie"]] if r["tie"] else (vector if r["kind"] == "v" else general).pop()
            if not r["tie"] and not r["early"] and r["kind"] == "v" and r["args"][-1]["kind"] == "v" and r["far"] != "soft" and rnd.random() < 0.3:
                regs["d"] = regs[r["args"][-1]["name"]]
        for a, x in zip(r["args"], args):
            w = size[a["name"]]
            if a["kind"] == "v":
                at = regs[a["name"]] - 16
                s.v[at] = s.v[at] >> w << w | x
            else:
                s.r[regs[a["name"]]] = x
        far = run(s, r, regs, {}, "")
        want, flags = fp_semantics(r, how, args)
        got = status(s)
        if how["daz"] == KEEP:       # nobody records it
            got &= ~32
        what = f"{r['where']}: {r['op']}.{r['type']} {[hex(x) for x in args]} {how}"
        reached.add(far)
        if far == "soft":
            assert not got & ~flags, f"{what}: raises {got:#x} before it gives up, the operation only {flags:#x}"
            for a, x in zip(r["args"], args):
                at, m = regs[a["name"]], (1 << size[a["name"]]) - 1
                assert (s.v[at - 16] if a["kind"] == "v" else s.r[at]) & m == x, f"{what}: operand {a['name']} is lost"
            continue
        assert got == flags, f"{what}: flags {got:#x}, not {flags:#x}"
        if far == "nan":
            assert want == pyfp.default_nan(pyfp.Env(0, "canonical", "after"), fp_width(r, how, "d")), what
        elif r["gives"]:
            assert (0 if far == "false" else holds(s, r["gives"])) == want, what
        else:
            d = s.v[regs["d"] - 16] & (1 << size["d"]) - 1 if r["kind"] == "v" else s.r[regs["d"]]
            assert d == want, f"{what} gives {d:#x}, not {want:#x}"
    assert reached == {"", r["far"]}, f"{r['where']}: the cases reach {reached}"


def flags_for(s: oracle.State, cc: str, want: int) -> None:
    """Flags under which the condition has this value, found by trying."""
    for bits in itertools.product((0, 1), repeat=5):
        s.OF, s.CF, s.ZF, s.SF, s.PF = bits
        if holds(s, cc) == want:
            return
    raise AssertionError(cc)


def holds(s: oracle.State, cc: str) -> int:
    keep = s.r[3]
    getattr(ISA, f"o_set{cc}_Eb_reg")(s, {"rm": 3})
    out = s.r[3] & 1
    s.r[3] = keep
    return out


def run(s: oracle.State, r: dict, regs: dict[str, int], numbers: dict[str, int], cc: str) -> str:
    """Executes a rule's code; where it went out of line, or nothing."""
    at, code = 0, r["code"]
    while at < len(code):
        i = code[at]
        at += 1
        if isinstance(i, str):
            continue
        leaf, d = i["leaf"], {"seg": 0, "a32": 0, "rep": 0, "imm": 0, "disp": 0, "base": 16, "index": 16, "scale": 0, "reg": 0, "rm": 0, "vvvv": 0}
        if i["condition"]:
            first = GEN.CONDITIONS[0]
            stem = leaf.split("_")[0].removesuffix(first)
            leaf = stem + (opposite(cc) if i["opposite"] else cc) + leaf[len(stem + first):]

        def reg(a: dict) -> int:
            k = regs[a["name"]] if a["name"] else a["fixed"]
            return k - 16 if a["vector"] else k
        for place, _bits, a in i["args"]:
            if a["kind"] == "reg" and place != "fixed":
                d["rm" if place == "low" else place] = reg(a)
            elif a["kind"] == "mem" and a["pool"] == "=":
                s.window = s.window or 0x100000
                d["disp"] = s.window + len(s.mem)
                s.mem += a["value"].to_bytes(16, "little")
            elif a["kind"] == "mem":
                d |= {"base": reg(a["base"]), "scale": a["scale"], "disp": (numbers[a["disp"]] if isinstance(a["disp"], str) else a["disp"]) & (1 << 64) - 1}
                if a["index"]:
                    d["index"] = reg(a["index"])
            elif a["kind"] == "imm":
                k = a["value"] if a["value"] is not None else numbers[a["name"]]
                if i["short"] and -128 <= k < 128:
                    leaf = i["short"]
                d["imm"] = k & (1 << 64) - 1
        s.target = None
        getattr(ISA, "o_" + leaf)(s, d)
        if s.target is not None:
            if i["label"] in host.FAR:
                return i["label"]
            at = code.index(i["label"])
    return ""


def opposite(cc: str) -> str:
    return GEN.CONDITIONS[GEN.CONDITIONS.index(cc) ^ 1]


BOUNDARY = [0, 1, 2, 3, 7, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
            0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffffe, 0xffffffff80000000, 0x0123456789abcdef]


def values(kind: str, n: int, rnd: random.Random) -> list[int]:
    m = (1 << n) - 1
    if n == 128:
        return [0, m] + [sum((rnd.choice(BOUNDARY) & (1 << w) - 1) << k for k in range(0, 128, w)) for w in (8, 16, 32, 64) for _ in range(4)] + \
            [rnd.getrandbits(128) for _ in range(4)]
    out = sorted({x & m for x in BOUNDARY}) + [rnd.getrandbits(n) for _ in range(8)] + [rnd.getrandbits(rnd.randint(1, n)) for _ in range(4)]
    if kind == "byte":
        return [x for x in out if x < 256]
    if kind == "u":
        return [x for x in out if x < 1 << 32]
    if kind == "i":
        return [x for x in out if -(1 << 31) <= sg(x, n) < 1 << 31]
    return out


@pytest.mark.parametrize("r", [r for r in GEN.RULES if r["op"] not in FP],
                         ids=lambda r: f"{r['op']}{r['aux'] or ''}.{r['type']}:{r['where'].split(':')[1]}:{r['tie']}")
def test_rule(r: dict) -> None:
    rnd = random.Random(r["where"])
    lists = []
    for a in r["args"]:
        n = 1 if a["kind"] == "cc" else width(r, a["name"])
        lists.append([0, 1] if a["kind"] == "cc" else [a["value"] & (1 << n) - 1] if a["value"] is not None else
                     list(range(128 // r["aux"])) if a["kind"] == "n" else values(a["kind"], n, rnd))
    cases = list(itertools.product(*lists))
    rnd.shuffle(cases)
    free = {"r": [k for k in (3, 6, 7, 8, 9, 12, 13, 14) if k not in r["clobbers"]], "v": [k for k in range(16, 32) if k not in r["clobbers"]]}
    kinds = {a["name"]: a["kind"] for a in r["args"]}
    for count, case in enumerate(cases[:300]):
        regs, numbers = {}, {}
        pool = {key: [k for k in x if k not in {a["fixed"] for a in r["args"]} | {r["dest"]}] for key, x in free.items()}
        for x in pool.values():
            rnd.shuffle(x)
        placed = [a for a in r["args"] if a["kind"] in ("r", "v")]
        for a in placed:
            regs[a["name"]] = a["fixed"] if a["fixed"] is not None else pool[a["kind"]].pop()
        for a, b in itertools.combinations(placed, 2):        # the same value may be both operands
            if case["abc".index(a["name"])] == case["abc".index(b["name"])] and a["kind"] == b["kind"] and a["fixed"] is None and b["fixed"] is None \
                    and r["tie"] not in (a["name"], b["name"]) and count % 2:
                regs[b["name"]] = regs[a["name"]]
        regs |= {n: pool[k].pop() for n, k in r["temps"]}
        if r["has_dest"]:
            regs["d"] = regs[r["tie"]] if r["tie"] else r["dest"] if r["dest"] is not None else pool[r["kind"]].pop()
            if r["tie"] and not r["early"] and r["dest"] is None and count % 2:      # what is overwritten may be the other operand too
                for a, v in zip(r["args"], case):
                    if a in placed and a["fixed"] is None and v == case["abc".index(r["tie"])] and a["kind"] == r["kind"]:
                        regs[a["name"]] = regs["d"]
            same = [n for n, k in kinds.items() if k == r["kind"]]
            if not r["tie"] and r["dest"] is None and not r["early"] and not r["temps"] and same and count % 3 == 0:
                regs["d"] = regs[rnd.choice(same)]
        s = oracle.State(ISA, 0x1000, 4, 0, bytearray(0))
        s.r[:] = [rnd.getrandbits(64) for _ in s.r]
        s.v[:] = [rnd.getrandbits(256) for _ in s.v]
        s.r[16] = 0
        by_name = {}
        for a, v in zip(r["args"], case):
            by_name[a["name"]] = v
            n = 1 if a["kind"] == "cc" else width(r, a["name"])
            if a["kind"] == "v":
                at = regs[a["name"]] - 16
                s.v[at] = s.v[at] >> n << n | v
            elif a["kind"] == "r":
                s.r[regs[a["name"]]] = v
            elif a["kind"] != "cc":
                numbers[a["name"]] = v if a["kind"] in ("u", "n", "byte") else sg(v, n)
        cc = rnd.choice(GEN.CONDITIONS)
        if "cc" in kinds.values():
            flags_for(s, cc, by_name["a"])
        before = list(s.r), list(s.v)
        run(s, r, regs, numbers, cc)
        want = semantics(r["op"], r["aux"], r["bits"], *(by_name.get(x, 0) for x in "abc"))
        what = f"{r['where']}: {r['op']} {[hex(v) for v in case]}"
        if r["has_dest"]:
            got = s.v[regs["d"] - 16] & (1 << r["bits"]) - 1 if r["kind"] == "v" else s.r[regs["d"]]
            assert got == want, f"{what} gives {got:#x}, not {want:#x}"
        else:
            assert holds(s, r["gives"]) == want, f"{what}: {r['gives']}"
        changed = {k for k in range(16) if s.r[k] != before[0][k]} | {16 + k for k in range(16) if (s.v[k] ^ before[1][k]) & (1 << 128) - 1}
        allowed = set(r["clobbers"]) | {regs[x] for x in ("d", "t", "u") if x in regs} | {a["fixed"] for a in r["args"] if a["fixed"] is not None and a["fixed"] in r["clobbers"]}
        assert changed <= allowed, f"{what} changes {changed - allowed}"
        assert s.ends == set() and all(s.window <= x < s.window + len(s.mem) for x in s.accesses)     # constants behind the code


def test_every_integer_operation_has_a_rule() -> None:
    """What the generator knows no other way to do."""
    elsewhere = {"NOP", "PC", "GET", "PUT", "PAIR", "LOW", "HIGH", "CAST"}
    ops = host.ir_ops(ROOT / "runtime/ir/ir.h")
    names = list(ops)
    integer = names[:names.index("LOAD")]
    done = {r["op"] for r in GEN.RULES}
    assert set(integer) - elsewhere - done == set()
    software = {"FCLASS"}
    assert set(names[names.index("FADD"):names.index("VADD")]) - software - done == set()


BASE = (ROOT / f"hostcg/{HOST}.yaml").read_text()


@pytest.mark.parametrize("line, message", [
    ("ADD.N d=a b | frob.N d, b", "has no instruction"),
    ("ADD.N d=a b | add.N d, q", "is no operand"),
    ("ADD.N d=a | add.N d, d", "has 2 operands"),
    ("FROB.N d a | mov.N d, a", "no operation of the IR"),
    ("NOT.N d=a | not.N d", "never chosen"),
    ("SUB.64 d=a b:i | sub.64 d, b", "never chosen"),
    ("BREV.64 d a b | mov.64 d, a", "has 1 operands"),
    ("BREV.64 d^ a +t | mov.64 d, a", 'operand "t" is used by no instruction'),
    ("BREV.64 d a | je 1; mov.64 d, a", "do not agree"),
    ("BREV.64 d a | mov.64 d, a | needs:SVE", "unknown attribute"),
    ("BREV.64 a | mov.64 a, a", "a destination d, or gives"),
    ("BREV.64 d a:v | mov.64 d, a", "has no instruction"),
    ("FADD.F d:r=a b | adds@ d, b", "has no instruction"),
    ("FADD.F d=a b | adds@ d, b | rm:sideways", "unknown attribute"),
    ("ADD.N d=a b | add.N d, b | rm:near", "unknown attribute"),
    ("FADD.F d=a b | adds@ d, b | rm:near nan:canonical daz:keep", "never chosen"),
    ("FADD.F d a b | vadds@ d, a, b; jp nan | rm:zero", "only with nan:canonical"),
    ("FADD.F d^ a b | vadds@ d, a, b; jp soft; jo nan | rm:zero nan:canonical", "one of soft, nan, false"),
    ("FEQ.F a b | ucomis@ a, b; jp soft | gives:e", "with a destination"),
    ("FSUB.F d a b | vsubs@ d, a, b; jp false", "only for rules that give"),
    ("VADD16.V d=a b:r | paddw d, b", "has no instruction"),
    ("FSQRT.F64 d^ a | roundsd d, 64[=0x10], 4 | rm:away", "does not go with an immediate"),
    ("FSQRT.F64 d^ a | sqrtsd d, a; ucomisd d, 32[=0x10]; jp soft | rm:away", "has no instruction"),
    ("FADD.P d a b | vaddp@ d, a, b; vandp@ d, d, {32:0x100000000} | rm:zero", "does not fit"),
    ("FADD.P d a b | vaddp@ d, a, b; vandp@ d, d, {32:1}; vandp@ d, d, {32:0x2} | rm:zero", "is no operand"),
])
def test_refused(tmp_path: Path, line: str, message: str) -> None:
    p = tmp_path / "h.yaml"
    p.write_text(BASE.replace("rules: |\n", "rules: |\n", 1).replace("\n# Pieces of code", f"\n  {line}\n\n# Pieces of code", 1))
    with pytest.raises(DescError, match=message):
        host.load(str(p), ROOT)
