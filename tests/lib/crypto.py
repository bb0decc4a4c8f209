"""The cryptographic operations of runtime/ir/ir.h by the arithmetic of their standards: AES (FIPS 197) in its field, the rounds of
SHA-1 and SHA-256 (FIPS 180-4), products of polynomials."""
from __future__ import annotations


def times(a: int, b: int, by: int = 0, n: int = 0) -> int:
    """The product of polynomials; with n, modulo `by`, which has degree n."""
    r = 0
    for k in range(b.bit_length()):
        r ^= (a << k) * (b >> k & 1)
    while n and r.bit_length() > n:
        r ^= by << r.bit_length() - 1 - n
    return r


def gf(a: int, b: int) -> int:
    return times(a, b, 0x11b, 8)


def substitute(x: int) -> int:
    inverse = next((y for y in range(256) if gf(x, y) == 1), 0)
    return 0x63 ^ inverse ^ rotations(inverse)


def rotations(x: int) -> int:
    out = 0
    for k in range(1, 5):
        out ^= (x << k | x >> 8 - k) & 255
    return out


SBOX = [substitute(x) for x in range(256)]


def bytes_of(x: int) -> list[int]:
    return list(x.to_bytes(16, "little"))


def number(xs: list[int]) -> int:
    return int.from_bytes(bytes(xs), "little")


def rows(x: int, back: bool) -> int:
    """ShiftRows and SubBytes, or their inverses."""
    b, out = bytes_of(x), [0] * 16
    for c in range(4):
        for r in range(4):
            if back:
                out[4 * ((c + r) % 4) + r] = SBOX.index(b[4 * c + r])
            else:
                out[4 * c + r] = SBOX[b[4 * ((c + r) % 4) + r]]
    return number(out)


def columns(x: int, by: tuple[int, ...]) -> int:
    b, out = bytes_of(x), []
    for c in range(4):
        for r in range(4):
            y = 0
            for k in range(4):
                y ^= gf(b[4 * c + k], by[(k - r) % 4])
            out.append(y)
    return number(out)


MIX, UNMIX = (2, 3, 1, 1), (14, 11, 13, 9)


def word(x: int, k: int) -> int:
    return x >> 32 * k & 0xffffffff


def words(xs: list[int]) -> int:
    return sum((x & 0xffffffff) << 32 * k for k, x in enumerate(xs))


def rol(x: int, n: int) -> int:
    return (x << n | x >> 32 - n) & 0xffffffff


def ror(x: int, n: int) -> int:
    return rol(x, 32 - n)


def ch(x: int, y: int, z: int) -> int:
    return x & y ^ ~x & z & 0xffffffff


def maj(x: int, y: int, z: int) -> int:
    return x & y ^ x & z ^ y & z


def sha1(f, state: int, w: int, e: int) -> int:
    a, b, c, d = (word(state, k) for k in range(4))
    e = word(e, 0)
    for k in range(4):
        a, b, c, d, e = rol(a, 5) + f(b, c, d) + e + word(w, k) & 0xffffffff, a, rol(b, 30), c, d
    return words([a, b, c, d])


def sha256(cdgh: int, abef: int, w: int) -> int:
    h, g, d, c = (word(cdgh, k) for k in range(4))
    f, e, b, a = (word(abef, k) for k in range(4))
    for k in range(2):
        t1 = h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ch(e, f, g) + word(w, k)
        t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + maj(a, b, c)
        a, b, c, d, e, f, g, h = t1 + t2 & 0xffffffff, a, b, c, d + t1 & 0xffffffff, e, f, g
    return words([f, e, b, a])


def small0(x: int) -> int:
    return ror(x, 7) ^ ror(x, 18) ^ x >> 3


def small1(x: int) -> int:
    return ror(x, 17) ^ ror(x, 19) ^ x >> 10


def first(a: int, b: int) -> int:
    w = [word(a, k) for k in range(4)] + [word(b, 0)]
    return words([w[k] + small0(w[k + 1]) for k in range(4)])


def second(a: int, b: int) -> int:
    w = [word(b, 2), word(b, 3)]
    for k in range(4):
        w.append(small1(w[k]) + word(a, k) & 0xffffffff)
    return words(w[2:])


def operation(op: str, a: int, b: int, c: int) -> int:
    low = (1 << 64) - 1
    match op:
        case "VCLMULL": return times(a & low, b & low)
        case "VCLMULH": return times(a >> 64, b >> 64)
        case "VAESS": return rows(a, False)
        case "VAESM": return columns(a, MIX)
        case "VAESSM": return columns(rows(a, False), MIX)
        case "VAESD": return rows(a, True)
        case "VAESIM": return columns(a, UNMIX)
        case "VAESDM": return columns(rows(a, True), UNMIX)
        case "VSHAC": return sha1(ch, a, b, c)
        case "VSHAP": return sha1(lambda x, y, z: x ^ y ^ z, a, b, c)
        case "VSHAM": return sha1(maj, a, b, c)
        case "VSHBR": return sha256(a, b, c)
        case "VSHBF": return first(a, b)
        case "VSHBS": return second(a, b)
    raise AssertionError(op)
