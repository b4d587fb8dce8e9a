"""Trigonometric functions and their inverses: sin, cos, tan, asin, acos, atan, atan2.

Reduction: x = n π/2 + r, |r| <= π/4. Moderate arguments subtract n π/2 in parts (Cody and Waite),
each product exact; larger ones multiply by the bits of 2/π that matter (Payne and Hanek), in a
function of its own that runs when any lane needs it. Below that point the code has no branch.

Source: M. Payne, R. Hanek, "Radian reduction for trigonometric functions" (1983).
"""

from __future__ import annotations

from ...types import F32, F64, I32, I64, U64
from ..llvm_builder import Builder, Val
from . import coefficients as c
from .lanes import (
    INFINITY,
    NAN,
    Pair,
    V,
    divide,
    fma,
    horner,
    pair_times,
    quick_sum,
    sign_of,
    two_product,
    two_sum,
    where,
    with_sign,
)  # fmt: skip

TWO_OVER_PI = 0.6366197723675814
HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
HALF_PI_F64 = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
HALF_PI_F32 = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
# 33 bits each: times an integer of 20 bits exact without fma
HALF_PI_33 = (
    1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32,
)  # fmt: skip
# up to here the parts above suffice
LIMIT_F32 = 32768.0
LIMIT_F64 = 1048576.0

# 2/π in words of 32 bits, the most significant first, after two words of zeros
_WORDS = (
    0, 0,
    2734261102, 1313084713, 4230436817, 4113882560, 3680671129, 1011060801, 4266746795, 3736847713,
    3072618042, 1112396512, 105459434, 164729372, 4263373596, 2972297022, 3900847605, 784024708,
    3919343654, 3026157121, 965858873, 2203269620, 2625920907, 3187222587, 536385535, 3724908559,
    4012839307, 1510632735, 1832287951, 667617719, 1330003814, 2657085997, 1965537991, 3957715323,
    1023883767, 2320667370, 1811636145, 529358088, 1443049542, 4235946923, 4040145952, 2599695901,
)  # fmt: skip


# -------------------------------------------------------------------------------------- reduction


def _parts_f64(a: V) -> tuple[V, Pair]:
    """n (its bits end in n mod 4) and r as a pair, for 0 <= a < LIMIT_F64."""
    magic = 1.5 * 2.0**52
    shifted = fma(a, TWO_OVER_PI, magic)
    n = shifted - magic
    if a.b.isa.has_fma:
        p1, p2, p3 = HALF_PI_F64
        r = fma(n, -p1, a)
        return shifted.bits(), _subtract(r, n, p2, p3)
    q1, q2, q3, q4 = HALF_PI_33
    first = two_sum(a - n * q1, -(n * q2))
    second = two_sum(first.hi, -(n * q3))
    return shifted.bits(), quick_sum(second.hi, second.lo + (first.lo - n * q4))


def _subtract(r: V, n: V, p2: float, p3: float) -> Pair:
    """r - n p2 - n p3, which may cancel nearly all of r."""
    product = two_product(n, n.const(p2))
    total = two_sum(r, -product.hi)
    return quick_sum(total.hi, fma(n, -p3, total.lo - product.lo))


def _parts_f32(a: V, exact: bool) -> tuple[V, Pair]:
    """n and r for 0 <= a < LIMIT_F32; r.lo is 0 unless `exact`.

    Without fma the subtraction is done in f64.
    """
    if a.b.isa.has_fma:
        magic = 1.5 * 2.0**23
        shifted = fma(a, TWO_OVER_PI, magic)
        n = shifted - magic
        p1, p2, p3 = HALF_PI_F32
        r = fma(n, -p1, a)
        if not exact:
            r = fma(n, -p3, fma(n, -p2, r))
            return shifted.bits(), Pair(r, r.const(0.0))
        return shifted.bits(), _subtract(r, n, p2, p3)
    wide = a.to(F64)
    magic = 1.5 * 2.0**52
    shifted = wide * TWO_OVER_PI + magic
    n = shifted - magic
    r = (wide - n * HALF_PI_33[0]) - n * HALF_PI_33[1]
    hi = r.to(F32)
    lo = (r - hi.to(F64)).to(F32) if exact else hi.const(0.0)
    return shifted.bits().to(I32), Pair(hi, lo)


def _slow_body(b: Builder, lanes: int) -> None:
    """x >= 0 (f64) -> {r.hi, r.lo, n mod 4}. Infinities give NaN.

    x = m 2**s, m an integer of 53 bits. The bits of 2/π whose product with 2**s is a multiple of 4
    do not matter; the next 192 bits give x 2/π modulo 4 to 2**-137.
    """
    x = V(b, Val("%x", F64, lanes))
    bits = x.bits().unsigned()
    position = ((bits >> 52) - (1075 - 62)).signed()  # s - 2 + 64
    position = where(position.lt(0), 0, where(position.gt(1040), 1040, position))
    m = (bits & ((1 << 52) - 1)) | (1 << 52)
    low, high = m & 0xFFFFFFFF, m >> 32
    table = b.module.constant_array("gc_two_over_pi", "i64", [str(w) for w in _WORDS])
    index, shift = position >> 5, (32 - (position & 31)).unsigned()
    gathered = [
        V(b, b.gather(table, (index + k).val, U64)) if lanes > 1
        else V(b, b.load(b.gep(table, (index + k).val, U64), U64))
        for k in range(7)
    ]  # fmt: skip
    words = [
        (((gathered[k] << 32) | gathered[k + 1]) >> shift) & 0xFFFFFFFF for k in range(5, -1, -1)
    ]
    # m * words modulo 2**192, in two rows of 32-bit digits
    digits: list[V] = []
    carry: V | int = 0
    for word in words:
        total = low * word + carry
        digits.append(total & 0xFFFFFFFF)
        carry = total >> 32
    carry = 0
    for k in range(1, 6):
        total = high * words[k - 1] + digits[k] + carry
        digits[k] = total & 0xFFFFFFFF
        carry = total >> 32
    top, rest = (digits[5] << 32) | digits[4], (digits[3] << 32) | digits[2]
    quadrant = (top >> 62).signed()
    fraction = ((top << 2) | (rest >> 62)).signed()  # in 2**-64, centred on 0 by its sign
    rest = rest << 2
    quadrant = where(fraction.lt(0), quadrant + 1, quadrant)
    first = (fraction >> 32).to(F64) * 2.0**-32
    second = (fraction & 0xFFFFFFFF).to(F64) * 2.0**-64
    third = (rest >> 32).signed().to(F64) * 2.0**-96
    fourth = (rest & 0xFFFFFFFF).signed().to(F64) * 2.0**-128
    lead = quick_sum(first, second)
    turn = two_sum(lead.hi, lead.lo + (third + fourth))
    r = pair_times(turn, Pair(x.const(HALF_PI[0]), x.const(HALF_PI[1])))
    kind = r.hi.val.type
    result = f"{{ {kind}, {kind}, {quadrant.val.type} }}"
    hi = r.hi + (x - x)  # NaN where x is infinite
    one = b.emit(f"insertvalue {result} poison, {hi.val}, 0", F64)
    two = b.emit(f"insertvalue {result} {one.ref}, {r.lo.val}, 1", F64)
    three = b.emit(f"insertvalue {result} {two.ref}, {quadrant.val}, 2", F64)
    b.line(f"ret {result} {three.ref}")


def _slow(a: V) -> tuple[V, Pair]:
    """Calls the slow path on f64 lanes."""
    b, lanes = a.b, a.lanes
    kind, integer = a.val.type, b.const(0, I64, lanes).type
    result = f"{{ {kind}, {kind}, {integer} }}"
    symbol = b.module.math_function(
        "payne_hanek", F64, lanes, lambda inner: _slow_body(inner, lanes), [("x", kind)], result,
        inline=False,
    )  # fmt: skip
    ref = b.emit(f"call {result} @{symbol}({a.val})", F64).ref
    parts = [
        V(b, b.emit(f"extractvalue {result} {ref}, {k}", F64 if k < 2 else I64, lanes))
        for k in range(3)
    ]
    return parts[2], Pair(parts[0], parts[1])


def reduce_angle(a: V, exact: bool = False) -> tuple[V, Pair]:
    """n mod 4 in the last bits of an integer, and r = a - n π/2 as a pair, for a >= 0.

    In f32 r.lo is the literal 0 unless `exact`: a relative error of 1 ulp of r is good enough for
    sin.
    """
    n, r = _parts_f64(a) if a.is_f64 else _parts_f32(a, exact)
    huge = a.ge(LIMIT_F64 if a.is_f64 else LIMIT_F32)

    def slow() -> list[Val]:
        m, s = _slow(a.to(F64))
        hi, lo = s.hi, s.lo
        if not a.is_f64:
            m, hi = m.to(I32), s.hi.to(F32)
            lo = (s.hi - hi.to(F64)).to(F32)
        values = [where(huge, m, n), where(huge, hi, r.hi), where(huge, lo, r.lo)]
        return [v.val for v in values[:count]]

    b = a.b
    count = 3 if a.is_f64 or exact else 2
    quadrant, hi, *rest = b.branch(
        b.any(huge.val), slow, lambda: [n.val, r.hi.val, r.lo.val][:count], likely=False
    )
    return V(b, quadrant), Pair(V(b, hi), V(b, rest[0]) if rest else r.lo)


# ------------------------------------------------------------------------------------ sin and cos


def sin_polynomial(r: Pair) -> V:
    """sin(r.hi + r.lo) for |r| <= π/4."""
    h = r.hi
    z = h * h
    p = horner(z, c.SIN_F64 if h.is_f64 else c.SIN_F32)
    return fma(h * z, p, h) if _is_zero(r.lo) else h + fma(h * z, p, r.lo)


def cos_polynomial(r: Pair) -> V:
    """cos(r.hi + r.lo) for |r| <= π/4: 1 - z/2 + z**2 C(z) - r.hi r.lo."""
    h = r.hi
    z = h * h
    p = horner(z, c.COS_F64 if h.is_f64 else c.COS_F32)
    if _is_zero(r.lo):
        return fma(z * z, p, fma(z, -0.5, 1.0))
    return fma(z, -0.5, 1.0) + fma(h, -r.lo, z * z * p)


def _is_zero(v: V) -> bool:
    return v.val.value == 0.0


def _sine(x: V, shift: int) -> V:
    """sin(|x| + shift π/2) with the sign of x when shift is 0."""
    n, r = reduce_angle(x.abs())
    if shift:
        n = n + shift
    value = where((n & 1).ne(0), cos_polynomial(r), sin_polynomial(r))
    flip = (n >> 1) << (x.dtype.bits - 1)
    if not shift:
        flip = flip ^ sign_of(x)
    return with_sign(value, flip)


def sin(x: V) -> V:
    return _sine(x, 0)


def cos(x: V) -> V:
    return _sine(x, 1)


def tan(x: V) -> V:
    """f32: r + r**3 T(r**2), or its negative reciprocal. f64: sine over cosine, both as pairs."""
    n, pair = reduce_angle(x.abs(), exact=True)
    r = pair.hi
    z = r * r
    odd = (n & 1).ne(0)
    if not x.is_f64:
        # tan' = 1 + tan**2, about 1 + r**2
        t = r + fma(r * z, horner(z, c.TAN_F32), fma(pair.lo, z, pair.lo))
        value = divide(where(odd, x.const(-1.0), t), where(odd, t, 1.0))
        return with_sign(value, sign_of(x))
    s = quick_sum(r, fma(r * z, horner(z, c.SIN_F64), pair.lo))
    h = 0.5 * z
    w = 1.0 - h
    square_error = two_product(r, r).lo  # of z, halved below
    k = quick_sum(
        w, ((1.0 - w) - h) + (fma(r, -pair.lo, z * z * horner(z, c.COS_F64)) - 0.5 * square_error)
    )
    top = Pair(where(odd, -k.hi, s.hi), where(odd, -k.lo, s.lo))
    bottom = Pair(where(odd, s.hi, k.hi), where(odd, s.lo, k.lo))
    return with_sign(quotient(top, bottom), sign_of(x))


def quotient(n: Pair, d: Pair) -> V:
    """n / d of pairs, nearly correctly rounded."""
    q = divide(n.hi, d.hi)
    product = two_product(q, d.hi)
    rest = ((n.hi - product.hi) - product.lo) + (n.lo - q * d.lo)
    return q + divide(rest, d.hi)


# ----------------------------------------------------------------------------------------- inverses


def _arc(x: V) -> tuple[V, V, V, V]:
    """(far, s, s**3 P, |x|): asin(s) = s + s**3 P, where s is |x|, or sqrt((1 - |x|)/2) if far."""
    a = x.abs()
    far = a.gt(0.5)
    z = where(far, (1.0 - a) * 0.5, a * a)
    s = where(far, z.sqrt(), a)
    return far, s, s * z * horner(z, c.ASIN_F64 if x.is_f64 else c.ASIN_F32), a


def _half_pi(x: V) -> tuple[float, float]:
    return (HALF_PI_F64[0], HALF_PI_F64[1]) if x.is_f64 else (HALF_PI_F32[0], HALF_PI_F32[1])


def asin(x: V) -> V:
    hi, lo = _half_pi(x)
    far, s, tail, _ = _arc(x)
    # π/2 - 2 (s + tail); 2s is exact
    value = where(far, hi - (2.0 * s - (lo - 2.0 * tail)), s + tail)
    return with_sign(value, sign_of(x))


def acos(x: V) -> V:
    hi, lo = _half_pi(x)
    far, s, tail, _ = _arc(x)
    negative = x.lt(0.0)
    near = hi - (with_sign(s, sign_of(x)) - (lo - with_sign(tail, sign_of(x))))
    beyond = 2.0 * hi - (2.0 * s - (2.0 * lo - 2.0 * tail))
    return where(far, where(negative, beyond, 2.0 * s + 2.0 * tail), near)


def _atan_series(z: V) -> V:
    """(atan(t) - t)/t**3 for z = t**2. The first term is added last: it is greater than the sum,
    and within one of two chains its rounding would show (atan2 in f32: 2.04 ulp near π/4)."""
    first, *rest = c.ATAN_F64 if z.is_f64 else c.ATAN_F32
    return fma(z, horner(z, rest), first)


def atan(x: V) -> V:
    """f32: of a or 1/a. f64: of a <= 1/2, (a - 1)/(a + 1) or -1/a; |t| <= 1/2, and a - 1
    is exact."""
    # beyond 2**60 it is π/2, and the division stays in range
    a = x.abs().lesser(2.0**60)
    hi, lo = _half_pi(x)
    far = a.gt(1.0 + 2.0**0.5 if x.is_f64 else 1.0)
    if not x.is_f64:
        t = divide(where(far, x.const(-1.0), a), where(far, a, 1.0))
        z = t * t
        tail = t * z * _atan_series(z)
        value = where(far, hi + (t + (tail + lo)), t + tail)
        return with_sign(value, sign_of(x))
    middle = a.gt(0.5)
    n = where(far, x.const(-1.0), where(middle, a - 1.0, a))
    d = where(far, a, where(middle, a + 1.0, 1.0))
    base = where(far, x.const(hi), where(middle, x.const(0.5 * hi), 0.0))
    rest = where(far, x.const(lo), where(middle, x.const(0.5 * lo), 0.0))
    t = divide(n, d, where(middle & ~far, a - (d - 1.0), 0.0))
    z = t * t
    value = base + (t + fma(t * z, _atan_series(z), rest))
    return with_sign(value, sign_of(x))


def atan2(y: V, x: V) -> V:
    """The arc of the smaller over the larger, put into its octant; C99's special values."""
    ax, ay = x.abs(), y.abs()
    steep = ay.gt(ax)
    small, large = where(steep, ax, ay), where(steep, ay, ax)
    if y.is_f64:  # the sum below must not overflow
        factor = where(large.gt(2.0**1000), x.const(2.0**-100), 1.0)
        small, large = small * factor, large * factor
    both = small.eq(INFINITY)
    small, large = where(both, 1.0, small), where(both, 1.0, large)
    nothing = large.eq(0.0)
    hi, lo = _half_pi(x)
    if y.is_f64:
        middle = small.gt(large * 0.5)  # then small - large is exact
        t = where(middle, small - large, small) / where(
            nothing, 1.0, where(middle, small + large, large)
        )
        z = t * t
        tail = t * z * _atan_series(z)
        base, rest = where(middle, x.const(0.5 * hi), 0.0), where(middle, x.const(0.5 * lo), 0.0)
    else:
        t = small / where(nothing, 1.0, large)
        z = t * t
        tail = t * z * _atan_series(z)
        base, rest = x.const(0.0), x.const(0.0)
    # angle = base + rest + t + tail, then π/2 - angle, then π - angle: all as one sum
    negative = x.bits().lt(0)
    base, rest, t, tail = (
        where(steep, k - v, v) for k, v in ((hi, base), (lo, rest), (0.0, t), (0.0, tail))
    )
    base, rest, t, tail = (
        where(negative, k - v, v)
        for k, v in ((2.0 * hi, base), (2.0 * lo, rest), (0.0, t), (0.0, tail))
    )
    value = base + (t + (tail + rest))
    value = with_sign(value, sign_of(y))
    return where((x + y).isnan() & (x.isnan() | y.isnan()), NAN, value)
