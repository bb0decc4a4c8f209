"""Built-in functions of the meaning language: integer, vector and floating-point operations."""
from __future__ import annotations

from . import tir, values as v
from .kinds import NeedWidth, Struct, Tup, fail
from .model import DescError
from .syntax import Call, Name, Node
from .tir import B, B1, INT, RUN, TRANSLATE, E, Ty, sized

FP_FLAGS = 6            # NX UF OF DZ NV ID
# What a profile says of subnormal operands and results, as in runtime/fp.
DAZ = {"keep": 0, "flush": 1, "flush_id": 2, "keep_id": 3}
FTZ = {"keep": 0, "flush": 1, "flush_uf": 2}
NAN = {"canonical": 0, "first_snan_first_qnan": 1, "first_operand": 2, "default": 3}


def prim(name: str, ty: Ty, *args: E, **attrs: object) -> E:
    if name in _FOLD and all(a.op == "const" for a in args):
        return v.const(_FOLD[name](*(a.k for a in args), args[0].ty.n), ty)
    return E("prim", ty, tuple(args), (name, tuple(sorted(attrs.items()))), v.bt_of(args))


_FOLD = {
    "clz": lambda x, n: n - x.bit_length(),
    "ctz": lambda x, n: (x & -x).bit_length() - 1 if x else n,
    "popcount": lambda x, n: bin(x).count("1"),
    "parity": lambda x, n: bin(x).count("1") + 1 & 1,
    "brev": lambda x, n: int(f"{x:0{n}b}"[::-1], 2),
    "bswap": lambda x, n: int.from_bytes(x.to_bytes(n // 8, "little"), "big"),
}


def nargs(call: Call, n: int, *kw: str) -> None:
    if len(call.args) != n:
        raise fail(call, f"{call.fn} takes {n} argument{'s' * (n != 1)}, {len(call.args)} given")
    for k in call.kwargs:
        if k not in kw:
            raise fail(call.kwargs[k], f"{call.fn} has no argument '{k}'")


def bits_arg(body, call: Call, i: int, want: Ty | None, width: int | None = None) -> E:
    e = body.scalar(call.args[i], B(width) if width else want)
    if e.ty.kind == "int":
        if width is None and (want is None or want.kind != "b"):
            raise fail(call.args[i], "the width of this argument is not known here")
        e = body.coerce(e, B(width) if width else want, call.args[i])
    if e.ty.kind in ("vec", "f"):
        e = v.cast(e, B(e.ty.bits))
    if width and e.ty.n < width:
        e = v.ext("zext", e, width)
    return e


def _ext(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    if width is None:
        if want is not None and want.kind == "int":
            e = body.scalar(call.args[0])
            if e.bt > TRANSLATE or e.ty.kind == "int":
                raise NeedWidth(call)
            return v.const(v.signed(e.k, e.ty.n)) if call.fn == "sext" and e.op == "const" else \
                v.node("btois" if call.fn == "sext" else "btoi", INT, (e,))
        if want is None or want.kind != "b":
            raise NeedWidth(call)
        width = want.n
    e = body.scalar(call.args[0], B(width) if call.fn != "trunc" else None)
    if e.ty.kind == "int":
        return body.coerce(e, B(width), call)
    if e.ty.kind in ("vec", "f"):
        e = v.cast(e, B(e.ty.bits))
    if call.fn == "trunc":
        if e.ty.n < width:
            raise fail(call, f"trunc to {width} bits of {e.ty}")
        return v.bits(e, 0, width)
    if e.ty.n > width:
        raise fail(call, f"{call.fn} to {width} bits of {e.ty}: use trunc")
    return v.ext(call.fn, e, width)


def _counter(name: str):
    def run(body, call: Call, width: int | None, want: Ty | None) -> E:
        nargs(call, 1, "zero")
        x = body.bind(bits_arg(body, call, 0, want, width), "x")
        r = prim(name, x.ty, x)
        if name == "ctz" and "zero" not in call.kwargs:
            raise fail(call, "ctz needs zero=…, its result for 0")
        if "zero" in call.kwargs:
            z = body.typed(call.kwargs["zero"], x.ty)
            if not v.is_const(z, x.ty.n):
                return v.sel(v.compare("eq", x, v.const(0, x.ty)), z, r)
        return r
    return run


def _same(name: str):
    def run(body, call: Call, width: int | None, want: Ty | None) -> E:
        nargs(call, 1)
        x = bits_arg(body, call, 0, want, width)
        return prim(name, x.ty, x)
    return run


def _parity(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    return prim("parity", B1, bits_arg(body, call, 0, None))


def _msb(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    x = bits_arg(body, call, 0, None)
    return v.bits(x, x.ty.n - 1, 1)


def _rotate(name: str):
    def run(body, call: Call, width: int | None, want: Ty | None) -> E:
        nargs(call, 2)
        x = bits_arg(body, call, 0, want, width)
        return v.shift(name, x, body.scalar(call.args[1]))
    return run


def _repeat(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 2)
    x = bits_arg(body, call, 0, None)
    return v.concat([x] * sized(body.build_int(call.args[1], "the count of repeat"), "the count of repeat", 1))


def _ones(body, call: Call, width: int | None, want: Ty | None) -> E:
    """ones.W(n): the low n bits set, n up to W."""
    nargs(call, 1)
    w = width or (want.n if want and want.kind == "b" else 0)
    if not w:
        raise fail(call, "ones needs its width, as in ones.64(n)")
    n = body.scalar(call.args[0], INT)
    return v.not_(v.shift("shl", v.const(-1, B(w)), n))


def _minmax(op: str, take_b: int):
    def run(body, call: Call, width: int | None, want: Ty | None) -> E:
        nargs(call, 2)
        a, b = _pair(body, call, want, width)
        c = v.compare(op, b, a) if take_b else v.compare(op, a, b)
        return v.sel(c, a, b)
    return run


def _pair(body, call: Call, want: Ty | None, width: int | None) -> tuple[E, E]:
    i, j = (1, 0) if body.bare(call.args[0]) and not body.bare(call.args[1]) else (0, 1)
    x = body.bind(bits_arg(body, call, i, want, width), "a")
    y = body.bind(body.typed(call.args[j], x.ty), "b")
    return (x, y) if i == 0 else (y, x)


def _abs(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    x = body.bind(bits_arg(body, call, 0, want, width), "a")
    return v.sel(v.bits(x, x.ty.n - 1, 1), v.neg(x), x)


def _divide(body, call: Call, width: int | None, want: Ty | None) -> E:
    signed = call.fn in ("divs", "rems")
    nargs(call, 2, "zero", "over")
    if "zero" not in call.kwargs or (signed and "over" not in call.kwargs):
        raise fail(call, f"{call.fn} needs zero=…{' and over=…' if signed else ''}, its results where division has none")
    a, b = _pair(body, call, want, width)
    r = prim(call.fn, a.ty, a, b)       # total: zero gives 0, overflow wraps (remainder 0)
    over = call.kwargs.get("over")
    if over is not None and not (isinstance(over, Name) and over.name == "wrap"):
        o = body.typed(over, a.ty)
        if not (call.fn == "rems" and v.is_const(o, 0)):
            c = v.arith("and", v.compare("eq", a, v.const(1 << (a.ty.n - 1), a.ty)), v.compare("eq", b, v.const(-1, b.ty)))
            r = v.sel(c, o, r)
    return v.sel(v.compare("eq", b, v.const(0, b.ty)), body.typed(call.kwargs["zero"], a.ty), r)


def _has(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    name = body.alias(call.args[0].name) if isinstance(call.args[0], Name) else ""
    if name not in body.isa.features:
        raise fail(call, f"has() takes the name of a feature, '{name}' is none")
    return E("has", B1, (), name, TRANSLATE)


def _sext_at(body, call: Call, width: int | None, want: Ty | None) -> E:
    """sext_at(x, n): bits n-1..0 of x sign-extended to the width of x."""
    nargs(call, 2)
    x = bits_arg(body, call, 0, want, width)
    n = v.arith("sub", v.const(x.ty.n), body.translate_int(call.args[1], "the position of sext_at"))
    return v.shift("shrs", v.shift("shl", x, n), n)


def _addc(body, call: Call, width: int | None, want: Ty | None):
    nargs(call, 3)
    a, b = _pair(body, call, want, width)
    c = body.bind(body.typed(call.args[2], B1), "c")
    n = a.ty.n
    r = body.bind(v.arith("add", v.arith("add", a, b), v.ext("zext", c, n)), "sum")
    return Tup([r, Struct("addc", {
        "n": v.bits(r, n - 1, 1), "z": v.compare("eq", r, v.const(0, r.ty)), "c": prim("carry", B1, a, b, c, r),
        "v": prim("overflow", B1, a, b, r), "h": v.bits(v.arith("xor", v.arith("xor", a, b), r), 4, 1) if n > 4 else v.FALSE,
        "p": prim("parity", B1, v.bits(r, 0, min(8, n)))})])


def _undef(body, call: Call, width: int | None, want: Ty | None):
    nargs(call, 1)
    val = body.ev(call.args[0], want)
    if isinstance(val, Struct):
        return Struct(val.name, {k: v.node("undef", x.ty, (x,)) for k, x in val.parts.items()})
    e = body.scalar(call.args[0], want)
    if e.ty.kind == "int":
        if want is None or want.kind != "b":
            raise fail(call, "the width of this undefined value is not known here")
        e = body.coerce(e, want, call)
    return v.node("undef", e.ty, (e,))


def _lookup(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 2, "oob")
    t = body.scalar(call.args[0])
    if t.ty.kind != "vec":
        raise fail(call.args[0], f"lookup needs a vector, this is {t.ty}")
    i = body.scalar(call.args[1])
    oob = body.typed(call.kwargs["oob"], t.ty.elem) if "oob" in call.kwargs else None
    if oob is None and not (i.ty.kind == "b" and 1 << i.ty.n <= t.ty.n):
        raise fail(call, "lookup needs oob=…, its result for an index past the table")
    lanes = tuple(v.lane(t, k) for k in range(t.ty.n))
    if i.op == "const":
        return lanes[i.k] if i.k < len(lanes) else oob
    return E("lookup", t.ty.elem, lanes + (i, oob or lanes[0]), None, RUN)


# Operations of the IR on whole vectors: name, number of operands, the lanes they have there.
PACKED = {
    "add_sat_s": ("VADDSS", 2, (8, 16)), "add_sat_u": ("VADDSU", 2, (8, 16)), "sub_sat_s": ("VSUBSS", 2, (8, 16)), "sub_sat_u": ("VSUBSU", 2, (8, 16)),
    "mul_high_s": ("VMULHS", 2, (16,)), "mul_high_u": ("VMULHU", 2, (16,)), "mul_round": ("VMULHR", 2, (16,)),
    "shl": ("VSHLV", 2, (32, 64)), "shru": ("VSHRUV", 2, (32, 64)), "shrs": ("VSHRSV", 2, (32,)),
    "clmul_low": ("VCLMULL", 2, ()), "clmul_high": ("VCLMULH", 2, ()),
    "aes_sub": ("VAESS", 1, ()), "aes_mix": ("VAESM", 1, ()), "aes_unsub": ("VAESD", 1, ()), "aes_unmix": ("VAESIM", 1, ()),
    "sha1_choose": ("VSHAC", 3, ()), "sha1_parity": ("VSHAP", 3, ()), "sha1_majority": ("VSHAM", 3, ()),
    "sha256_two": ("VSHBR", 3, ()), "sha256_first": ("VSHBF", 2, ()), "sha256_second": ("VSHBS", 2, ()),
}


def _packed(body, call: Call, width: int | None, want: Ty | None) -> E:
    """packed.W(op, a, …): an operation of the IR on 128 bits, lanes of W bits."""
    name = call.args[0].name if call.args and isinstance(call.args[0], Name) else ""
    name = body.alias(name) if name not in PACKED and name else name
    if name not in PACKED:
        raise fail(call, f"packed knows {' '.join(PACKED)}, not '{name}'")
    op, n, lanes = PACKED[name]
    if not body.fast:
        raise fail(call, "packed(…) says how something is translated: it stands in `fast`, beside a meaning")
    if (width or 0) not in (lanes or (0,)):
        raise fail(call, f"{name} has lanes of {' or '.join(map(str, lanes))} bits" if lanes else f"{name} has no lanes")
    nargs(call, n + 1)
    return prim("packed", B(128), *(bits_arg(body, call, k, B(128)) for k in range(1, n + 1)), lane=width or 0, op=op)


def _concat(body, call: Call, width: int | None, want: Ty | None) -> E:
    """concat(v): the elements of a vector, lane 0 lowest; concat(a, b, …) of vectors in that order."""
    es = [body.scalar(a) for a in call.args]
    return v.concat([v.cast(e, B(e.ty.bits)) for e in reversed(es)])


def _reduce(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 2)
    op = body.alias(call.args[0].name) if isinstance(call.args[0], Name) else ""
    vec = body.scalar(call.args[1])
    lanes = [body.bind(v.lane(vec, i), "l") for i in range(vec.ty.n)]

    def join(r: E, x: E) -> E:
        if op in ("add", "and", "or", "xor", "mul"):
            return v.arith(op, r, x)
        if op not in _MINMAX:
            raise fail(call, f"reduce knows add and or xor mul min_s max_s min_u max_u, not '{op}'")
        cmp, take_b = _MINMAX[op]
        return body.bind(v.sel(v.compare(cmp, x, r) if take_b else v.compare(cmp, r, x), r, x), "m")

    while len(lanes) > 1:           # halves with each other, as vectors do it
        k = (len(lanes) + 1) // 2
        lanes = [join(lanes[i], lanes[i + k]) if i + k < len(lanes) else lanes[i] for i in range(k)]
    return lanes[0]


_MINMAX = {"min_u": ("ltu", 0), "max_u": ("ltu", 1), "min_s": ("lts", 0), "max_s": ("lts", 1)}

# ---- floating point --------------------------------------------------------------------------------------------------

ROUNDING = {"RNE": 0, "RTZ": 1, "RDN": 2, "RUP": 3, "RMM": 4}


def _bits_of(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    e = body.scalar(call.args[0])
    return v.cast(e, B(e.ty.bits))


def _fabs(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    e = body.scalar(call.args[0])
    return v.cast(v.arith("and", v.cast(e, B(e.ty.n)), v.const((1 << (e.ty.n - 1)) - 1, B(e.ty.n))), e.ty)


def _fclass(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1)
    return prim("fclass", B(10), _float(body, call.args[0]))


def _float(body, n: Node, ty: Ty | None = None, lanes: bool = False) -> E:
    """A floating-point value; with `lanes` it may be a vector of them."""
    e = body.scalar(n, ty)
    kind = e.ty.elem.kind if lanes and e.ty.kind == "vec" else e.ty.kind
    if kind != "f" or (ty is not None and e.ty != ty):
        raise fail(n, f"{ty or 'a floating-point value'} is needed here, this is {e.ty}")
    return e


def _width(ty: Ty) -> dict[str, int]:
    """Attributes of an operation on values of this type."""
    return {"width": ty.elem.n, "lanes": ty.n} if ty.kind == "vec" else {"width": ty.n}


def _like(ty: Ty, elem: Ty) -> Ty:
    """elem, as often as ty has lanes."""
    return Ty("vec", ty.n, elem) if ty.kind == "vec" else elem


def fp(body, call: Call, op: str, args: list[E], outs: list[tuple[str, Ty]], **attrs: object) -> list[E]:
    """Emits one floating-point operation under its profile; the results as locals. Sticky flags are merged here."""
    from . import effects
    isa = body.isa
    pname = body.alias(call.kwargs["fp"].name) if isinstance(call.kwargs.get("fp"), Name) else next(iter(isa.fp), None)
    if pname not in isa.fp:
        raise fail(call, f"no floating-point profile '{pname}'")
    prof = isa.fp[pname]
    rm = call.kwargs.get("rm")
    if rm is None and not rounds(op, attrs):
        mode = v.const(0, B(3))
    elif rm is not None:
        mode = body.scalar(rm, B(3))
    elif "rm" in prof:
        mode = effects.eval_text(body, prof["rm"], B(3))
    else:
        mode = v.const(0)
    if mode.ty.kind == "int" and mode.op != "const":
        mode = body.coerce(mode, B(3), call)
    if "needs" in prof:
        effects.need(body, prof["needs"])
    sticky = effects.lvalue_of(body, prof["sticky"]) if "sticky" in prof else None
    res = [result(body, h, ty) for h, ty in outs]
    flags = E("local", B(max(b for b in flag_bits(prof) if b is not None) + 1), (), body.fresh("fl"), RUN)
    body.emit(tir.Eff("fp", [(e.k if e.op == "local" else e.a[0].k.partition("[")[0], e.ty) for e in res] + [(flags.k, flags.ty)], args,
                      {"op": op, "profile": pname, "tiny": prof["tiny"].s if "tiny" in prof else "after", "rm": body.bind(mode, "rm"),
                       **{k: flushing(body, prof, k, names) for k, names in (("nan", NAN), ("daz", DAZ), ("ftz", FTZ))}, **attrs}))
    if sticky is not None:
        effects.or_into(body, call, sticky, flags)
        if "dirties" in prof:
            effects.dirty(body, prof["dirties"])
    return res


def result(body, hint: str, ty: Ty) -> E:
    """What an operation defines: a local, or one for each lane, which back ends keep in an array."""
    name = body.fresh(hint)
    if ty.kind != "vec":
        return E("local", ty, (), name, RUN)
    return E("vec", ty, tuple(E("local", ty.elem, (), f"{name}[{i}]", RUN) for i in range(ty.n)), None, RUN)


def flushing(body, prof: dict, key: str, names: dict[str, int]) -> E:
    """How a profile treats NaNs or subnormal numbers, one of the names or a choice among them that is known at translation time."""
    from . import effects
    if key not in prof:
        return v.const(0, B(2))
    e = effects.eval_text(body, prof[key], B(2), {name: v.const(k, B(2)) for name, k in names.items()})
    if e.ty != B(2) or e.bt > TRANSLATE:
        raise DescError(prof[key], f'"{key}" is one of {" ".join(names)}, or a choice among them known at translation time')
    return body.bind(e, key)


def flag_bits(prof: dict) -> tuple[int | None, ...]:
    """Where the flags NX UF OF DZ NV ID go in the sticky place; None: nowhere."""
    if "flags" not in prof:
        return (0, 1, 2, 3, 4, None)
    bits = prof["flags"].s.split()
    if len(bits) != FP_FLAGS or any(b != "-" and not (b.isdigit() and int(b) < 64) for b in bits) or set(bits) == {"-"}:
        raise DescError(prof["flags"], '"flags" names the bits of NX UF OF DZ NV ID in the sticky place, - for none')
    return tuple(None if b == "-" else int(b) for b in bits)


def rounds(op: str, attrs: dict[str, object]) -> bool:
    """False when no operand can make the operation round: it then does not depend on the rounding mode."""
    if op == "cvt":
        return attrs["to"] < attrs["width"]
    if op == "from_int":
        return attrs["int"] > {16: 11, 32: 24, 64: 53}[attrs["width"]]
    return op not in ("min", "max", "eq", "lt", "le", "cmp")


def _fp_arith(op: str, n: int):
    def run(body, call: Call, width: int | None, want: Ty | None) -> E:
        nargs(call, n, "rm", "fp")
        a = _float(body, call.args[0], lanes=True)
        args = [a] + [_float(body, x, a.ty, True) for x in call.args[1:]]
        return fp(body, call, op, args, [(op, a.ty)], **_width(a.ty))[0]
    return run


def _choice(body, call: Call, key: str, default: int) -> E:
    """An argument that is 0 or 1, known at translation time."""
    if key not in call.kwargs:
        return v.const(default, B1)
    e = body.truth(call.kwargs[key])
    if e.bt > TRANSLATE:
        raise fail(call.kwargs[key], f"{key}= must be known at translation time, this is a run-time value")
    return body.bind(e, key)


def _fminmax(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 2, "nan", "fp")
    if "nan" not in call.kwargs:
        raise fail(call, f"{call.fn} needs nan=number, nan=propagate or nan=num2008")
    a = _float(body, call.args[0], lanes=True)
    mode = body.alias(call.kwargs["nan"].name)
    if mode not in ("number", "propagate", "num2008"):
        raise fail(call.kwargs["nan"], "nan= is number, propagate or num2008")
    return fp(body, call, call.fn[1:], [a, _float(body, call.args[1], a.ty, True)], [(call.fn, a.ty)], **_width(a.ty), minmax=mode)[0]


def _fcompare(body, call: Call, width: int | None, want: Ty | None):
    nargs(call, 2, "quiet", "fp")
    a = _float(body, call.args[0], lanes=True)
    b = _float(body, call.args[1], a.ty, True)
    quiet = _choice(body, call, "quiet", int(call.fn == "feq"))
    if call.fn == "fcmp":
        r = fp(body, call, "cmp", [a, b], [(k, _like(a.ty, B1)) for k in ("lt", "eq", "un")], **_width(a.ty), quiet=quiet)
        return Struct("fcmp", dict(zip(("lt", "eq", "un"), r)))
    return fp(body, call, call.fn[1:], [a, b], [(call.fn, _like(a.ty, B1))], **_width(a.ty), quiet=quiet)[0]


def _float_type(body, call: Call, want: Ty | None) -> Ty:
    if isinstance(call.width, Name):
        name = call.width.name
        if name[0] == "f" and name[1:].isdigit():
            return Ty("f", int(name[1:]))
        val = body.find(name)
        if val is not None and hasattr(val, "node") and isinstance(val.node, Name) and val.node.name[0] == "f" and val.node.name[1:].isdigit():
            return Ty("f", int(val.node.name[1:]))
    if call.width is not None:
        return Ty("f", body.build_int(call.width, "the width of a conversion"))
    if want is not None and want.kind == "f":
        return want
    raise fail(call, f"{call.fn} needs the type it converts to, as in {call.fn}.f64(x)")


def _cvt(body, call: Call, want: Ty | None) -> E:
    nargs(call, 1, "rm", "fp")
    to = _float_type(body, call, want)
    a = _float(body, call.args[0], lanes=True)
    return a if a.ty in (to, _like(a.ty, to)) else fp(body, call, "cvt", [a], [("cvt", _like(a.ty, to))], **_width(a.ty), to=to.n)[0]


def _sign(body, n: Node) -> bool:
    name = body.alias(n.name) if isinstance(n, Name) else ""
    if name not in ("s", "u"):
        raise fail(n, "signedness is s or u")
    return name == "s"


def _itof(body, call: Call, want: Ty | None) -> E:
    nargs(call, 2, "rm", "fp", "scale")
    to = _float_type(body, call, want)
    x = body.scalar(call.args[0])
    elem = x.ty.elem if x.ty.kind == "vec" else x.ty
    if elem.kind != "b":
        raise fail(call.args[0], f"itof converts bits, this is {x.ty}")
    return fp(body, call, "from_int", [x], [("itof", _like(x.ty, to))], **_width(x.ty) | {"width": to.n}, int=elem.n,
              signed=_sign(body, call.args[1]), **_scale(body, call))[0]


def _scale(body, call: Call) -> dict[str, E]:
    """scale=n: the integer counts units of 2^-n."""
    if "scale" not in call.kwargs:
        return {}
    return {"scale": body.bind(body.translate_int(call.kwargs["scale"], "scale="), "scale")}


def _ftoi(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 2, "rm", "fp", "bad", "nan", "scale")
    if "bad" not in call.kwargs:
        raise fail(call, "ftoi needs bad=saturate (with nan=max|zero) or bad=indefinite")
    bad = body.alias(call.kwargs["bad"].name)
    nan = body.alias(call.kwargs["nan"].name) if isinstance(call.kwargs.get("nan"), Name) else "zero"
    w = width or (want.n if want and want.kind == "b" else 0)
    if not w:
        raise fail(call, "ftoi needs its width, as in ftoi.64(x, s, …)")
    a = _float(body, call.args[0], lanes=True)
    how = "indefinite" if bad == "indefinite" else "nanmax" if nan == "max" else "nanzero"
    return fp(body, call, "to_int", [a], [("ftoi", _like(a.ty, B(w)))], **_width(a.ty), int=w, signed=_sign(body, call.args[1]), bad=how,
              **_scale(body, call))[0]


def _froundi(body, call: Call, width: int | None, want: Ty | None) -> E:
    nargs(call, 1, "rm", "fp", "exact")
    a = _float(body, call.args[0], lanes=True)
    exact = _choice(body, call, "exact", 0)
    return fp(body, call, "round_to_int", [a], [("rint", a.ty)], **_width(a.ty), exact=exact)[0]


TYPED = {"cvt": _cvt, "itof": _itof}

TABLE = {
    "sext": _ext, "zext": _ext, "trunc": _ext, "clz": _counter("clz"), "ctz": _counter("ctz"), "popcount": _same("popcount"),
    "parity": _parity, "msb": _msb, "ror": _rotate("ror"), "rol": _rotate("rol"), "rev8": _same("bswap"), "orc8": _same("orc8"),
    "brev": _same("brev"), "repeat": _repeat, "ones": _ones, "abs": _abs, "divs": _divide, "divu": _divide, "rems": _divide,
    "remu": _divide, "has": _has, "sext_at": _sext_at, "addc": _addc, "undef": _undef, "lookup": _lookup, "concat": _concat,
    "reduce": _reduce, "packed": _packed, "bits": _bits_of, "fabs": _fabs, "fclass": _fclass, "fmin": _fminmax, "fmax": _fminmax,
    "feq": _fcompare, "flt": _fcompare, "fle": _fcompare, "fcmp": _fcompare, "ftoi": _ftoi, "froundi": _froundi,
    "fadd": _fp_arith("add", 2), "fsub": _fp_arith("sub", 2), "fmul": _fp_arith("mul", 2), "fdiv": _fp_arith("div", 2),
    "fsqrt": _fp_arith("sqrt", 1), "fma": _fp_arith("fma", 3),
    **{name: _minmax(op, take_b) for name, (op, take_b) in _MINMAX.items()},
}
