"""Exponentials and logarithms: exp, exp2, expm1, log, log2, log10, log1p, logaddexp.

Reduction of exp: x = n ln 2 + r, |r| <= ln 2 / 2, ln 2 in two parts so that n ln2_hi is exact;
e**x = 2**n (1 + r + r**2/2 + r**3 P(r)). Reduction of log: x = m 2**e, m in [3/4, 3/2), f = m - 1;
log x = e ln 2 + f + small(f). Errors and coefficients: `coefficients.py`.
"""

from __future__ import annotations

from ...types import F32, F64
from . import coefficients as c
from .lanes import (
    INFINITY,
    NAN,
    Pair,
    V,
    divide,
    fma,
    horner,
    lookup16,
    pair_plus,
    pair_times,
    power_of_two,
    quick_sum,
    scale,
    two_product,
    two_sum,
    where,
    x86,
)  # fmt: skip

LOG2E = 1.4426950408889634
LOG10E = 0.4342944819032518
LN2 = 0.6931471805599453
# ln 2 = hi + lo; the hi parts end in zeros, so that their product with an exponent is exact
LN2_HI = {F32: 0.693145751953125, F64: 0.6931471803691238}
LN2_LO = {F32: 1.428606765330187e-06, F64: 1.9082149292705877e-10}


def reduce_exp(x: V, positive: bool = False) -> tuple[V, V]:
    """n integral and r = x - n ln 2, for |x| below the exponents' range.

    |r| <= 0.3466; or with `positive`, for x >= 0, 0 <= r <= 0.6932 (a rounding error below 0
    apart).
    """
    n = (x * LOG2E).floor() if positive else (x * LOG2E).rint()
    r = fma(n, -LN2_HI[x.dtype], x)
    return n, fma(n, -LN2_LO[x.dtype], r)


def exp_polynomial(r: V, table: tuple[float, ...]) -> V:
    """e**r for |r| <= 0.3466."""
    p = horner(r, (0.5, *table))
    return fma(r, fma(r, p, 1.0), 1.0)


def expm1_polynomial(r: V, rest: V | None = None) -> V:
    """e**(r + rest) - 1 - r for |r| <= 0.3466: r**2 (1/2 + r P) + rest."""
    p = horner(r, (0.5, *(c.EXPM1_F64 if r.is_f64 else c.EXPM1_F32)))
    return r * r * p if rest is None else fma(r * r, p, rest)


SIXTEENTHS = tuple(2.0 ** (k / 16) for k in range(16))


def sixteenths(t: V, bias: float = 0.0) -> tuple[V, V]:
    """(k, index): t + bias rounded to a sixteenth, and an integer whose last four bits count the
    sixteenths of k. One addition does both: the sum's last place is a sixteenth."""
    magic = 1.5 * 2.0 ** (48 if t.is_f64 else 19)
    shifted = fma(t, LOG2E, magic + bias)
    return shifted - magic, shifted.bits()


SUNK = 10.0
"""Where a result is 0, x is this much further down. A product that only just is too small for a
number waits for microcode, 150 cycles for a vector on Intel's cores (4.4 ns an element instead of
0.34); `vscalef` far below does not."""


def exp(x: V) -> V:
    """e**x; the clamps lie where the result is already infinite or 0. Scores that a mask hides are
    far below, and must cost what others do: see SUNK.

    With AVX-512: x = k ln 2 + r, k in sixteenths, |r| <= ln 2 / 32; the result is
    2**k (1 + r + r**2 P(r)), the fraction of 2**k from a table in registers. That is 8 products
    instead of 12: 0.78 -> 0.65 cycles an f32 element on one core of Zen 4, 2.25 -> 1.8 an f64.
    """
    low, high = (-746.0, 710.0) if x.is_f64 else (-104.0, 89.0)
    zero = x.lt(low)
    if x.b.isa.has_avx512:
        x = where(zero, SUNK * low, x).lesser(high)
        k, index = sixteenths(x)
        r = fma(k, -LN2_LO[x.dtype], fma(k, -LN2_HI[x.dtype], x))
        power = lookup16(index, x, "sixteenths", SIXTEENTHS)
        p = horner(r, (1.0, *(c.EXP_SIXTEENTH_F64 if x.is_f64 else c.EXP_SIXTEENTH_F32)))
        return scale(fma(power * r, p, power), k)
    n, r = reduce_exp(where(zero, 0.0, x).lesser(high))
    return where(zero, 0.0, scale(exp_polynomial(r, c.EXP_F64 if x.is_f64 else c.EXP_F32), n))


def exp2(x: V) -> V:
    """2**x: x = n + r exactly."""
    low, high = (-1080.0, 1025.0) if x.is_f64 else (-152.0, 129.0)
    zero, sinks = x.lt(low), x.b.isa.has_avx512
    x = where(zero, SUNK * low if sinks else 0.0, x).lesser(high)
    n = x.rint()
    r = x - n
    power = scale(fma(r, horner(r, c.EXP2_F64 if x.is_f64 else c.EXP2_F32), 1.0), n)
    return power if sinks else where(zero, 0.0, power)


def expm1(x: V) -> V:
    """2**n (e**r - 1) + (2**n - 1), in f64 with r as a pair.

    Half of each and twice the sum, so that n may be 1024. r joins 2**n - 1 first: what cancels is
    exact.
    """
    low, high = (-40.0, 710.0) if x.is_f64 else (-20.0, 89.0)
    clamped = x.greater(low).lesser(high)
    n, r = reduce_exp(clamped)
    rest = None
    if x.is_f64:
        rest = fma(n, -LN2_LO[F64], fma(n, -LN2_HI[F64], clamped) - r)
    half = power_of_two(n - 1.0)
    result = fma(expm1_polynomial(r, rest), half, fma(r, half, half - 0.5))
    # half of a subnormal number loses a bit, and that of the least its sign
    return where(x.abs().lt(2.0**-1000 if x.is_f64 else 2.0**-100), x, result + result)


# ------------------------------------------------------------------------------------ logarithms


def split_exponent(x: V) -> tuple[V, V]:
    """(e, m) with x = m 2**e, m in [3/4, 3/2), for finite x > 0, subnormal ones included.

    With AVX-512 also: x = 0 gives e = -inf, m = 1; +inf gives e = inf, m = 1; x < 0 gives m = NaN.
    """
    if x.b.isa.has_avx512:
        m = x86(x, "getmant", [3 | 3 << 2, x.const(0.0)])
        return x86(x, "getexp", [x.const(0.0)]) - x86(m, "getexp", [x.const(0.0)]), m
    shift, bias, least = (52, 1023, 2.0**-1022) if x.is_f64 else (23, 127, 2.0**-126)
    up = 2.0**54 if x.is_f64 else 2.0**25
    tiny = x.lt(least)
    bits = where(tiny, x * up, x).bits()
    three_quarters = (bias - 1 << shift) | 1 << (shift - 1)
    offset = bits - three_quarters
    m = ((offset & ((1 << shift) - 1)) + three_quarters).as_float()
    return exponent_to_float(offset >> shift, x) - where(
        tiny, x.const(54.0 if x.is_f64 else 25.0), 0.0
    ), m


def exponent_to_float(e: V, like: V) -> V:
    """A small signed integer as a float, without the slow i64 conversion of targets below
    AVX-512."""
    if not like.is_f64:
        return e.to(F32)
    magic = 1.5 * 2.0**52
    base = like.const(magic).bits()
    return (e + base).as_float() - magic


def log_small(f: V, medium: bool = False) -> V:
    """log(1 + f) - f for f in [-1/4, 1/2].

    f32: f**2 P(f). f64: with s = f/(2 + f), h = f**2/2: s (h + s**2 L(s**2)) - h.
    """
    if not f.is_f64:
        return f * f * horner(f, c.LOG_F32)
    s = divide(f, f + 2.0)
    z = s * s
    h = 0.5 * f * f
    return fma(s, h + z * horner(z, c.LOG_MID if medium else c.LOG_F64), -h)


def _special(x: V, result: V) -> V:
    """log of 0, +inf, negative numbers and NaN; AVX-512's split gives them for free."""
    if x.b.isa.has_avx512:
        return result
    result = where(x.lt(INFINITY), result, x)  # +inf and NaN stay
    result = where(x.eq(0.0), -INFINITY, result)
    return where(x.lt(0.0), NAN, result)


def log(x: V, medium: bool = False) -> V:
    e, m = split_exponent(x)
    f = m - 1.0
    low = fma(e, LN2_LO[x.dtype], log_small(f, medium))
    return _special(x, fma(e, LN2_HI[x.dtype], f + low))


def log_mid(x: V) -> V:
    """log of an f64 to about 2**-40: for f32 functions that go through f64."""
    return log(x, medium=True)


def _log_base(x: V, start: float, rest: float, two_hi: float, two_lo: float) -> V:
    """log(x) * unit, unit = start + rest. `start` is a power of 2, so that start * f is exact;
    log(2) * unit comes in two parts, and two_hi times an exponent is exact."""
    e, m = split_exponent(x)
    f = m - 1.0
    low = fma(f, rest, log_small(f) * (start + rest))
    if two_lo:
        low = fma(e, two_lo, low)
    return _special(x, fma(f, start, e * two_hi) + low)


def log2(x: V) -> V:
    return _log_base(x, 1.0, LOG2E - 1.0, 1.0, 0.0)


def log10(x: V) -> V:
    hi = 0.30102999566383914 if x.is_f64 else 0.301025390625
    lo = 1.42050232272661e-13 if x.is_f64 else 4.605038981195214e-06
    return _log_base(x, 0.5, LOG10E - 0.5, hi, lo)


def log1p_pair(u: V, d: V, extra: V | None = None, careful: bool = False) -> V:
    """log(u + d) for u > 0 finite and d a small correction; 0 extra powers of two, or `extra` of
    them. `careful` keeps what u + d - 1 is rounded by: 1 ulp of a result below a power of two."""
    e, m = split_exponent(u)
    # the correction in units of m; beyond 2**60 it no longer shows, and the scale stays normal
    d = d * power_of_two(-(e.lesser(60.0).greater(-60.0)))
    f = quick_sum(m - 1.0, d)
    if extra is not None:
        e = e + extra
    small = log_small(f.hi)
    low = fma(e, LN2_LO[u.dtype], small + f.lo if careful else small)
    return fma(e, LN2_HI[u.dtype], f.hi + low)


def log1p(x: V) -> V:
    total = two_sum(x, 1.0)
    result = log1p_pair(total.hi, total.lo)
    result = where(x.lt(INFINITY), result, x)
    result = where(x.eq(0.0), x, result)
    result = where(x.eq(-1.0), -INFINITY, result)
    return where(x.lt(-1.0), NAN, result)


def logaddexp(a: V, b: V) -> V:
    """max + log1p(exp(-|a - b|)); equal infinities give themselves."""
    if not a.is_f64:
        wide = (a.to(F64), b.to(F64))
        return logaddexp(*wide).to(F32)
    high = where(a.gt(b), a, b)
    high = where(a.isnan(), a, high)
    distance = where(a.eq(b), 0.0, (a - b).abs())
    return high + log1p(exp(-distance))


# --------------------------------------------------------------------------- logarithms as a pair

# ln 2 in three parts: two products with an exponent are exact
LN2_THREE = (0.693147180559663, 2.8235290563014906e-13, 1.667085920830552e-25)


def log_pair(x: Pair, medium: bool = False) -> Pair:
    """log(x.hi + x.lo), f64, finite and > 0, to about 2**-65 of itself.

    s = f/(2 + f) as a pair; log(1 + f) = 2s + (2/3) s**3 + s**5 T(s**2), the cubic term as a pair
    too.
    """
    e, m = split_exponent(x.hi)
    lo = x.lo * power_of_two(-(e.lesser(60.0).greater(-60.0)))
    f = two_sum(m - 1.0, lo)
    d = two_sum(f.hi, 2.0)
    d = Pair(d.hi, d.lo + f.lo)
    q = divide(f.hi, d.hi)
    product = two_product(q, d.hi)
    rest = ((f.hi - product.hi) - product.lo) + (f.lo - q * d.lo)
    s = quick_sum(q, divide(rest, d.hi))
    z = pair_times(s, s)
    cube = pair_times(
        pair_times(z, s), Pair(s.hi.const(2.0 / 3.0), s.hi.const(3.700743415417188e-17))
    )
    tail = z.hi * z.hi * s.hi * horner(z.hi, c.LOG_TAIL)
    body = pair_plus(Pair(s.hi + s.hi, s.lo + s.lo), Pair(cube.hi, cube.lo + tail))
    base = quick_sum(e * LN2_THREE[0], e * LN2_THREE[1])
    whole = two_sum(base.hi, body.hi)
    return quick_sum(whole.hi, whole.lo + (base.lo + body.lo + e * LN2_THREE[2]))
