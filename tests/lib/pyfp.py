"""IEEE 754 floating point on Python's integers and fractions: what the description's floating-point effects mean.

Every operation computes the exact result and rounds it once. Written from the standard and the manuals, independently of
runtime/fp; slow and plain on purpose. Not responsible for where operands come from."""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

NX, UF, OF, DZ, NV, ID = 1, 2, 4, 8, 16, 32
RNE, RTZ, RDN, RUP, RMM = range(5)
FORMATS = {16: (5, 10), 32: (8, 23), 64: (11, 52)}      # bits of exponent and fraction


@dataclass
class Env:
    """One operation's profile; `flags` collects."""
    rm: int
    nan: str                        # canonical | default | first_snan_first_qnan | first_operand
    tiny: str                       # after | before
    ftz: int = 0                    # tiny results: kept, made zero with UF and NX (1), or with UF alone (2)
    flags: int = 0


class Num:
    """An unpacked value: kind 'zero', 'num', 'inf', 'qnan' or 'snan'; `value` is the magnitude of a number."""

    def __init__(self, bits: int, w: int) -> None:
        e, f = FORMATS[w]
        self.bits, self.w = bits, w
        self.sign = bits >> (w - 1)
        exp, frac = bits >> f & (1 << e) - 1, bits & (1 << f) - 1
        bias = (1 << e - 1) - 1
        self.value = Fraction(0)
        if exp == (1 << e) - 1:
            self.kind = "inf" if not frac else "qnan" if frac >> (f - 1) else "snan"
        elif exp == 0 and frac == 0:
            self.kind = "zero"
        else:
            self.kind = "num"
            self.value = Fraction(frac + (1 << f if exp else 0)) * Fraction(2) ** (max(exp, 1) - bias - f)

    @property
    def nan(self) -> bool:
        return self.kind in ("qnan", "snan")

    @property
    def signed(self) -> Fraction:
        return -self.value if self.sign else self.value


def pack_inf(sign: int, w: int) -> int:
    e, f = FORMATS[w]
    return sign << w - 1 | ((1 << e) - 1) << f


def default_nan(env: Env, w: int) -> int:
    f = FORMATS[w][1]
    return pack_inf(int(env.nan == "first_operand"), w) | 1 << f - 1


def quiet(x: Num) -> int:
    return x.bits | 1 << FORMATS[x.w][1] - 1


def nan_result(env: Env, w: int, *ops: Num) -> int:
    """What an operation with NaN operands, in the order in which the profile looks at them, delivers."""
    if any(x.kind == "snan" for x in ops):
        env.flags |= NV
    if env.nan in ("canonical", "default"):
        return default_nan(env, w)
    nans = [x for x in ops if x.nan]
    if env.nan == "first_snan_first_qnan":
        nans.sort(key=lambda x: x.kind != "snan")
    elif env.nan != "first_operand":
        raise NotImplementedError(f"NaN rule {env.nan}")
    return quiet(nans[0])


def invalid(env: Env, w: int) -> int:
    env.flags |= NV
    return default_nan(env, w)


def step(sign: int, q: int, rest: Fraction, rm: int) -> int:
    """Whole number q plus a rest in [0, 1), rounded to a whole number."""
    half = Fraction(1, 2)
    up = {RNE: rest > half or rest == half and q & 1, RTZ: False, RDN: sign and rest > 0, RUP: not sign and rest > 0,
          RMM: rest >= half}[rm]
    return q + bool(up)


def log2(x: Fraction) -> int:
    """The e with 2^e <= x < 2^(e + 1)."""
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


def round_to(env: Env, sign: int, x: Fraction, w: int) -> int:
    """The positive magnitude x rounded to format w."""
    eb, f = FORMATS[w]
    bias = (1 << eb - 1) - 1
    emin = 1 - bias
    e = log2(x)

    def at(exp: int) -> tuple[int, Fraction]:
        ulp = Fraction(2) ** (exp - f)
        q = x / ulp
        whole = q.numerator // q.denominator
        return step(sign, whole, q - whole, env.rm), q - whole

    m, rest = at(max(e, emin))
    if e < emin:
        tiny = env.tiny == "before" or Fraction(at(e)[0]) * Fraction(2) ** (e - f) < Fraction(2) ** emin
        if tiny and env.ftz and w != 16:
            env.flags |= UF | NX if env.ftz == 1 else UF
            return sign << w - 1
        if tiny and rest:
            env.flags |= UF
        e = emin
    if rest:
        env.flags |= NX
    if m >> f + 1:
        m, e = m >> 1, e + 1
    if e > bias:
        env.flags |= OF | NX
        away = env.rm in (RNE, RMM) or env.rm == (RDN if sign else RUP)
        return pack_inf(sign, w) if away else pack_inf(sign, w) - 1
    return sign << w - 1 | (m if not m >> f else (e + bias << f) + (m - (1 << f)))


def round_signed(env: Env, x: Fraction, zero_sign: int, w: int) -> int:
    return zero_sign << w - 1 if x == 0 else round_to(env, int(x < 0), abs(x), w)


def sum_zero(env: Env, a: int, b: int) -> int:
    """Sign of an exact zero sum of operands with signs a and b."""
    return a if a == b else int(env.rm == RDN)


def add(env: Env, w: int, a: int, b: int, negate: bool = False) -> int:
    x, y = Num(a, w), Num(b, w)
    if x.nan or y.nan:
        return nan_result(env, w, x, y)
    if negate:
        y = Num(b ^ 1 << w - 1, w)
    if x.kind == "inf" or y.kind == "inf":
        if x.kind == y.kind and x.sign != y.sign:
            return invalid(env, w)
        return x.bits if x.kind == "inf" else y.bits
    return round_signed(env, x.signed + y.signed, sum_zero(env, x.sign, y.sign), w)


def sub(env: Env, w: int, a: int, b: int) -> int:
    return add(env, w, a, b, True)


def mul(env: Env, w: int, a: int, b: int) -> int:
    x, y = Num(a, w), Num(b, w)
    if x.nan or y.nan:
        return nan_result(env, w, x, y)
    sign = x.sign ^ y.sign
    if "inf" in (x.kind, y.kind):
        return invalid(env, w) if "zero" in (x.kind, y.kind) else pack_inf(sign, w)
    return round_signed(env, x.signed * y.signed, sign, w)


def div(env: Env, w: int, a: int, b: int) -> int:
    x, y = Num(a, w), Num(b, w)
    if x.nan or y.nan:
        return nan_result(env, w, x, y)
    sign = x.sign ^ y.sign
    if x.kind == y.kind != "num":
        return invalid(env, w)
    if x.kind == "inf":
        return pack_inf(sign, w)
    if y.kind == "inf":
        return sign << w - 1
    if y.kind == "zero":
        env.flags |= DZ
        return pack_inf(sign, w)
    return round_signed(env, x.signed / y.signed, sign, w)


def sqrt(env: Env, w: int, a: int) -> int:
    x = Num(a, w)
    if x.nan:
        return nan_result(env, w, x)
    if x.kind == "zero":
        return a
    if x.sign:
        return invalid(env, w)
    if x.kind == "inf":
        return a
    scale = 200 - log2(x.value) // 2            # far more bits than any format has
    n = x.value * Fraction(4) ** scale
    root = isqrt(n.numerator // n.denominator)
    exact = n.denominator == 1 and root * root == n.numerator
    return round_to(env, 0, (Fraction(root) if exact else root + Fraction(1, 2)) / Fraction(2) ** scale, w)


def fma(env: Env, w: int, a: int, b: int, c: int) -> int:
    x, y, z = Num(a, w), Num(b, w), Num(c, w)
    bad = {x.kind, y.kind} == {"inf", "zero"}
    if x.nan or y.nan or z.nan:
        if bad and (z.kind == "snan" or env.nan != "first_operand"):
            env.flags |= NV
            if z.kind == "qnan" and env.nan == "first_snan_first_qnan":
                return default_nan(env, w)
        order = (z, x, y) if env.nan == "first_snan_first_qnan" else (x, y, z)
        return nan_result(env, w, *order)
    if bad:
        return invalid(env, w)
    sign = x.sign ^ y.sign
    if "inf" in (x.kind, y.kind):
        return invalid(env, w) if z.kind == "inf" and z.sign != sign else pack_inf(sign, w)
    if z.kind == "inf":
        return c
    return round_signed(env, x.signed * y.signed + z.signed, sum_zero(env, sign, z.sign), w)


def minmax(env: Env, w: int, a: int, b: int, mode: str, greater: bool) -> int:
    x, y = Num(a, w), Num(b, w)
    if x.nan or y.nan:
        if mode == "propagate" or x.nan and y.nan:
            return nan_result(env, w, x, y)
        if mode != "number":
            raise NotImplementedError(f"minimum rule {mode}")
        if "snan" in (x.kind, y.kind):
            env.flags |= NV
        return b if x.nan else a

    def key(n: Num) -> tuple[int, Fraction, int]:
        return (0 if n.kind != "inf" else -1 if n.sign else 1, n.signed, -n.sign)
    return a if (key(x) > key(y)) == greater else b


def compare(env: Env, w: int, a: int, b: int, quiet_: int) -> str:
    """'lt', 'eq', 'gt' or 'un'."""
    x, y = Num(a, w), Num(b, w)
    if x.nan or y.nan:
        if not quiet_ or "snan" in (x.kind, y.kind):
            env.flags |= NV
        return "un"
    big = Fraction(2) ** 20000
    p, q = ((-big if n.sign else big) if n.kind == "inf" else n.signed for n in (x, y))
    return "lt" if p < q else "eq" if p == q else "gt"


def to_int(env: Env, w: int, a: int, bits: int, signed: int, bad: str) -> int:
    x = Num(a, w)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    ones = (1 << bits) - 1
    if not x.nan and x.kind != "inf":
        whole = x.value.numerator // x.value.denominator
        rest = x.value - whole
        n = step(x.sign, whole, rest, env.rm)
        n = -n if x.sign else n
        if low <= n <= high:
            env.flags |= NX if rest else 0
            return n & ones
    env.flags |= NV
    if bad == "indefinite":
        return (low if signed else high) & ones
    if x.nan:
        return high if bad == "nanmax" else 0
    return (low if x.sign else high) & ones


def from_int(env: Env, w: int, value: int, bits: int, signed: int) -> int:
    value &= (1 << bits) - 1
    if signed and value >> bits - 1:
        value -= 1 << bits
    return round_signed(env, Fraction(value), 0, w)


def round_to_int(env: Env, w: int, a: int, exact: int) -> int:
    x = Num(a, w)
    if x.nan:
        return nan_result(env, w, x)
    if x.kind != "num":
        return a
    whole = x.value.numerator // x.value.denominator
    rest = x.value - whole
    n = step(x.sign, whole, rest, env.rm)
    if exact and rest:
        env.flags |= NX
    return round_signed(Env(env.rm, env.nan, env.tiny), Fraction(-n if x.sign else n), x.sign, w)


def convert(env: Env, w: int, a: int, to: int) -> int:
    x = Num(a, w)
    if x.nan:
        if x.kind == "snan":
            env.flags |= NV
        if env.nan in ("canonical", "default"):
            return default_nan(env, to)
        f, g = FORMATS[w][1], FORMATS[to][1]
        frac = a & (1 << f) - 1
        return pack_inf(x.sign, to) | (frac << g - f if g >= f else frac >> f - g) | 1 << g - 1
    if x.kind == "inf":
        return pack_inf(x.sign, to)
    return round_signed(env, x.signed, x.sign, to)


def classify(w: int, a: int) -> int:
    x = Num(a, w)
    if x.nan:
        return 1 << (8 if x.kind == "snan" else 9)
    f = FORMATS[w][1]
    exp = a >> f & (1 << FORMATS[w][0]) - 1
    k = {"inf": 0, "zero": 3}.get(x.kind, 1 if exp else 2)
    return 1 << (k if x.sign else 7 - k)


def subnormal(w: int, x: int) -> bool:
    return x & (1 << w - 1) - 1 != 0 and x & pack_inf(0, w) == 0


def flushed(env: Env, w: int, daz: int, args: tuple[int, ...]) -> tuple[int, ...]:
    """Operands with subnormal ones as zero of their sign: silently (daz 1) or with ID (2)."""
    if daz not in (1, 2) or w == 16:
        return args
    if daz == 2 and any(subnormal(w, x) for x in args):
        env.flags |= ID
    return tuple(x & 1 << w - 1 if subnormal(w, x) else x for x in args)


def operation(attrs: dict[str, object], modes: tuple[int, int, int], args: tuple[int, ...]) -> tuple[int, ...]:
    """One floating-point effect: its results, the flags last, at the bits where they are kept. `modes`: rounding, subnormal
    operands, subnormal results."""
    rm, daz, ftz = modes
    env = Env(rm, attrs["nan"], attrs["tiny"], ftz)
    op, w = attrs["op"], attrs["width"]
    if op != "from_int":
        args = flushed(env, w, daz, args)
    out = results(env, attrs, op, w, args)
    if daz == 3 and op not in ("from_int", "to_int", "round_to_int") and not env.flags & (NV | DZ) and \
            not any(Num(x, w).nan for x in args) and any(subnormal(w, x) for x in args):
        env.flags |= ID             # x86's denormal-operand exception, which has the lowest priority of those before the operation
    return (*out, sum(1 << at for k, at in enumerate(attrs["flags"]) if at is not None and env.flags >> k & 1))


def results(env: Env, attrs: dict[str, object], op: str, w: int, args: tuple[int, ...]) -> tuple[int, ...]:
    if op in ("add", "sub", "mul", "div", "sqrt", "fma"):
        out = ({"add": add, "sub": sub, "mul": mul, "div": div, "sqrt": sqrt, "fma": fma}[op](env, w, *args),)
    elif op in ("min", "max"):
        out = (minmax(env, w, *args, attrs["minmax"], op == "max"),)
    elif op == "cmp":
        r = compare(env, w, *args, attrs["quiet"])
        out = (int(r == "lt"), int(r == "eq"), int(r == "un"))
    elif op in ("eq", "lt", "le"):
        r = compare(env, w, *args, attrs["quiet"])
        out = (int(r == "eq" and op != "lt" or r == "lt" and op != "eq"),)
    elif op == "to_int":
        out = (to_int(env, w, *args, attrs["int"], attrs["signed"], attrs["bad"]),)
    elif op == "from_int":
        out = (from_int(env, w, *args, attrs["int"], attrs["signed"]),)
    elif op == "round_to_int":
        out = (round_to_int(env, w, *args, attrs["exact"]),)
    elif op == "cvt":
        out = (convert(env, w, *args, attrs["to"]),)
    else:
        raise NotImplementedError(f"floating-point operation {op}")
    return out
