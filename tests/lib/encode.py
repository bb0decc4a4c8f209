"""Operands of test cases to bytes: bit pictures, and forms with prefixes, ModRM, SIB, displacement and immediate (Intel SDM
volume 2, chapter 2). Works on the leaves of vectors.json."""
from __future__ import annotations

import random

PREFIX = {"": b"", "NP": b"", "66": b"\x66", "F2": b"\xf2", "F3": b"\xf3"}
MAPS = {"": b"", "0F": b"\x0f", "0F38": b"\x0f\x38", "0F3A": b"\x0f\x3a"}
M64 = (1 << 64) - 1


def code(leaf: dict, m, d: dict[str, int]) -> bytes:
    return form_bytes(leaf["form"], m.address, d) if "form" in leaf else picture_bytes(leaf, d)


def picture_bytes(leaf: dict, d: dict[str, int]) -> bytes:
    word = leaf["value"] | leaf["should"]
    for name, f in leaf["fields"].items():
        x = d[name] - f["add"]
        for hi, lo, pos in f["pieces"]:
            word |= (x >> lo & (1 << hi - lo + 1) - 1) << pos
    return word.to_bytes(leaf["length"], "little")


def placed(f: dict) -> int:
    """The bits of a field that the encoding has room for."""
    return sum((1 << hi - lo + 1) - 1 << lo for hi, lo, _ in f["pieces"])


# ---- forms ---------------------------------------------------------------------------------------


def sext(x: int, n: int) -> int:
    """The low n bits, sign-extended to 64."""
    x &= (1 << n) - 1
    return (x ^ 1 << n - 1) - (1 << n - 1) & M64


def byte_places(f: dict) -> list[str]:
    """Members that number byte registers."""
    return [{"low": "rm"}.get(o["place"], o["place"]) for o in f["operands"] if o["bits"] == 8 and o["view"]
            and o["place"] in ("reg", "low") or o["bits"] == 8 and o["view"] and o["place"] == "rm" and f["mode"] != "mem"]


def choose(leaf: dict, m, rng: random.Random, d: dict[str, int]) -> None:
    """Random members of a decoded form."""
    f, none, pc = leaf["form"], int(m.address["none"]), int(m.address["pc"])
    places = [o["place"] for o in f["operands"]]
    high = int(m.address["high_byte"])
    d.update(reg=0, rm=0, vvvv=0, base=0, index=0, scale=0, disp=0, imm=0, seg=0, rep=0,
             a32=int("A32" in f["attrs"] or "A64" not in f["attrs"] and rng.random() < 0.03))
    numbers = [n for n, on in (("reg", f["modrm"] and f["digit"] is None), ("rm", f["plus_r"] or f["modrm"] and f["mode"] == "reg"),
                               ("vvvv", "vvvv" in places)) if on]
    for n in numbers:
        d[n] = rng.randrange(16)
    if len(numbers) > 1 and rng.random() < 0.2:
        d[numbers[1]] = d[numbers[0]]
    bases = leaf["files"].get("seg")
    if (bases, 1) in m.first and rng.random() < 0.2:
        d["seg"] = rng.choice([1, 2])
    if f["digit"] is not None:
        d["reg"] = f["digit"]
    if "B0" in f["attrs"]:
        d["rm"] &= 7
    if f["modrm"] and f["mode"] == "mem":
        d["base"] = rng.choice([*range(16), none, pc]) if rng.random() < 0.5 else rng.randrange(16)
        if d["base"] != pc:
            d["index"] = rng.choice([none, rng.randrange(16)])
            if d["index"] == 4:
                d["index"] = none
            d["scale"] = 0 if d["index"] == none else rng.randrange(4)
        else:
            d["index"] = none
        d["disp"] = sext(rng.choice([0, 0, rng.getrandbits(8), rng.getrandbits(32)]), rng.choice([8, 32]))
    if "mo" == f["imm"]:
        d["disp"] = rng.getrandbits(32)
    elif f["imm"]:
        n = 8 * f["imm_bytes"]
        pool = m.values.get(f"b{n}", m.values["b64"])
        d["imm"] = sext(rng.choice(pool) if rng.random() < 0.6 else rng.getrandbits(n), n)
    if "rep" in f["attrs"] or "repz" in f["attrs"]:
        d["rep"] = rng.choice([0, 1, 2] if "repz" in f["attrs"] else [0, 1])
    elif f["prefix"] in ("F2", "F3") and not f["vex"]:
        d["rep"] = 1 if f["prefix"] == "F3" else 2
    if rng.random() < 0.4:                               # ah, ch, dh, bh: no register that needs REX beside them
        bytes_ = byte_places(f)
        if bytes_ and not f["rex_w"] == 1:
            for n in ("reg", "rm", "base", "index"):
                if n not in ("base", "index") or d[n] < 16:
                    d[n] &= 7
            if d["index"] == 4:
                d["index"] = none
                d["scale"] = 0
            for n in bytes_:
                d[n] = high + rng.randrange(4) if rng.random() < 0.7 or 4 <= d[n] < 8 else d[n]
            for n in ("reg", "rm"):
                if n in bytes_ and 4 <= d[n] < 8:
                    d[n] = high + d[n] - 4


def counter(leaf: dict, m, rng: random.Random, c) -> None:
    """Repetitions are few."""
    f = leaf["form"]
    if "rep" in f["attrs"] or "repz" in f["attrs"]:
        leaf["repeat"] = True
        m.set(c.sets, *count_register(m), rng.choice([0, 1, 2, 3]))


def count_register(m) -> tuple[str, int]:
    """The register that counts repetitions: general register 1 (SDM vol. 2, REP)."""
    return next(iter(m.module.FILES)), 1


def form_bytes(f: dict, address: dict[str, str], d: dict[str, int]) -> bytes:
    none, pc, high = int(address["none"]), int(address["pc"]), int(address["high_byte"])
    bytes_ = byte_places(f)
    number = {n: d[n] - high + 4 if n in bytes_ and d[n] >= high else d[n] for n in ("reg", "rm")}
    if f["digit"] is not None:
        number["reg"] = f["digit"]
    memory = f["modrm"] and f["mode"] == "mem"
    r, x, b = number["reg"] >> 3 & 1, 0, 0
    if memory:
        x, b = int(8 <= d["index"] < none), int(8 <= d["base"] < none)
    elif f["plus_r"] or f["modrm"]:
        b = number["rm"] >> 3 & 1
    if not f["modrm"]:
        r = 0
    w = max(f["rex_w"], 0)
    need = any(n in bytes_ and 4 <= d[n] < 8 for n in ("reg", "rm"))
    out = bytearray()
    if d["seg"]:
        out += bytes([0x63 + d["seg"]])
    if d["a32"]:
        out.append(0x67)
    if "lock" in f["attrs"]:
        out.append(0xf0)
    if f["osize"]:
        out.append(0x66)
    if f["vex"]:
        pp = {"": 0, "NP": 0, "66": 1, "F3": 2, "F2": 3}[f["prefix"]]
        mm = {"0F": 1, "0F38": 2, "0F3A": 3}[f["map"]]
        last = pp | (f["n"] == 256) << 2 | (~d["vvvv"] & 15) << 3
        if mm == 1 and not (x or b or w) and d.get("short", 1):
            out += bytes([0xc5, last | (1 - r) << 7])
        else:
            out += bytes([0xc4, mm | (1 - r) << 7 | (1 - x) << 6 | (1 - b) << 5, last | w << 7])
    else:
        out += PREFIX[f["prefix"]]
        if d["rep"] and f["prefix"] not in ("F2", "F3"):
            out.append(0xf3 if d["rep"] == 1 else 0xf2)
        rex = w << 3 | r << 2 | x << 1 | b
        if rex or need:
            out.append(0x40 | rex)
        out += MAPS[f["map"]]
    out.append(f["opcode"] | (number["rm"] & 7 if f["plus_r"] else 0))
    if "opcode2" in f["attrs"]:
        out.append(int(f["attrs"]["opcode2"], 16))
    if f["modrm"]:
        out += modrm(d, number, memory, none, pc)
    if f["imm"] == "mo":
        n = 4 if d["a32"] else 8
        out += (d["disp"] & (1 << 8 * n) - 1).to_bytes(n, "little")
    elif f["imm"]:
        out += (d["imm"] & (1 << 8 * f["imm_bytes"]) - 1).to_bytes(f["imm_bytes"], "little")
    return bytes(out)


def modrm(d: dict[str, int], number: dict[str, int], memory: bool, none: int, pc: int) -> bytes:
    reg = (number["reg"] & 7) << 3
    if not memory:
        return bytes([0xc0 | reg | number["rm"] & 7])
    disp = d["disp"]
    long = (disp & 0xffffffff).to_bytes(4, "little")
    if d["base"] == pc:
        return bytes([reg | 5]) + long
    if d["base"] == none:
        return bytes([reg | 4, d["scale"] << 6 | (4 if d["index"] == none else d["index"] & 7) << 3 | 5]) + long
    mod, tail = 2, long
    if disp == 0 and d["base"] & 7 != 5:
        mod, tail = 0, b""
    elif sext(disp, 8) == disp:
        mod, tail = 1, bytes([disp & 0xff])
    if d["index"] == none and d["base"] & 7 != 4 and d["scale"] == 0:
        return bytes([mod << 6 | reg | d["base"] & 7]) + tail
    return bytes([mod << 6 | reg | 4, d["scale"] << 6 | (4 if d["index"] == none else d["index"] & 7) << 3 | d["base"] & 7]) + tail
