"""Hyperbolic functions and their inverses.

sinh and cosh: |x| = n ln 2 + r; sinh(x) = cosh(r) sinh(n ln 2) + sinh(r) cosh(n ln 2), and
likewise cosh, where the functions of n ln 2 are exact sums of two powers of 2: no division and no
cancellation. tanh: t/(t + 2), t = expm1(2|x|). The inverses are logarithms of 1 + y, y as a pair;
in f32 they go through f64, which is as fast as carrying pairs.
"""

from __future__ import annotations

import math

from . import coefficients as c
from .explog import LN2, LN2_HI, LN2_LO, LOG2E, log1p_pair, reduce_exp
from .lanes import (
    INFINITY,
    NAN,
    Pair,
    V,
    divide,
    fma,
    horner,
    lookup16,
    power_of_two,
    sign_of,
    two_product,
    two_sum,
    where,
    widen,
    with_sign,
    x86,
)  # fmt: skip


def _parts(x: V) -> tuple[Pair, V, V, V]:
    """(sinh r, cosh r - 1, 2**n/4, 2**-n/4) for |x|, clamped where all is infinite.

    sinh r is one number with fma. Without, it is r and the rest, which holds what r was rounded by:
    its product is rounded before it cancels.
    """
    a = x.abs().lesser(710.6 if x.is_f64 else 89.6)
    n, r = reduce_exp(a)
    z = r * r
    cubic = horner(z, c.SINH_F64 if x.is_f64 else c.SINH_F32)
    if x.b.isa.has_fma:
        odd = Pair(fma(r * z, cubic, r), r.const(0.0))
    else:
        lost = (a - n * LN2_HI[x.dtype] - r) - n * LN2_LO[x.dtype]
        odd = Pair(r, r * z * cubic + lost)
    even = z * horner(z, c.COSH_F64 if x.is_f64 else c.COSH_F32)
    up = power_of_two(n - 2.0)
    down = power_of_two((-2.0 - n).greater(-1000.0 if x.is_f64 else -120.0))
    return odd, even, up, down


def sinh(x: V) -> V:
    odd, even, up, down = _parts(x)
    s, k = up - down, up + down
    if x.b.isa.has_fma:
        half = s + fma(odd.hi, k, even * s)
    else:
        half = (odd.hi * k + s) + (odd.lo * k + even * s)
    return with_sign(half + half, sign_of(x))


def cosh(x: V) -> V:
    """The lesser power of two is added apart: near n = 12 (f32) the sum of both loses it, which was
    2.02 ulp at 7.97."""
    odd, even, up, down = _parts(x)
    s, k = up - down, up + down
    if x.b.isa.has_fma:
        half = up + fma(odd.hi, s, fma(even, k, down))
    else:
        half = up + (odd.hi * s + (odd.lo * s + (even * k + down)))
    return half + half


def tanh(x: V) -> V:
    """t/(t + 2), t = expm1(2|x|), from r in [0, ln 2): its terms are positive, so nothing cancels.

    Beyond the clamp the result is 1.
    """
    a = x.abs().lesser(19.1 if x.is_f64 else 9.1)
    if x.b.isa.has_avx512 and not x.is_f64:
        t = _expm1_of_twice(a)
    else:
        n, r = reduce_exp(a + a, positive=True)
        power = power_of_two(n)
        p = horner(r, (0.5, *(c.EXPM1_POSITIVE_F64 if x.is_f64 else c.EXPM1_POSITIVE_F32)))
        t = fma(r * r * p, power, fma(r, power, power - 1.0))
    d = t + 2.0
    return with_sign(divide(t, d, t - (d - 2.0)), sign_of(x))


def _expm1_of_twice(a: V) -> V:
    """e**(2a) - 1 for f32 a in [0, 9.1], AVX-512: 2a = k ln 2 + r, k in sixteenths,
    0 <= r <= ln 2 / 16.

    2**k - 1 is 2**n f + (2**n - 1), f = 2**(k - n) - 1 from a table: nothing cancels. ln 2 in one
    part is enough: its error counts k times, and tanh forgets it as k grows.
    """
    t = a + a
    k = x86(t * LOG2E, "rndscale", [4 << 4 | 1, t.const(0.0)])  # downwards to a sixteenth
    r = fma(k, -LN2, t)
    f = lookup16((k + 1.5 * 2.0**19).bits(), a, "sixteenths_less_1", SIXTEENTHS_LESS_1)
    whole = x86(a.const(1.0), "scalef", [k, a.const(0.0)])
    base = fma(whole, f, whole - 1.0)
    p = fma(r * r, horner(r, c.EXPM1_SIXTEENTH_F32), r)
    return fma(base + 1.0, p, base)


SIXTEENTHS_LESS_1 = tuple(math.expm1(k / 16 * LN2) for k in range(16))


def asinh(x: V) -> V:
    """log(1 + y), y = a + a**2/(1 + sqrt(1 + a**2)); log(2a) beyond 2**28."""
    if not x.is_f64:
        return widen(asinh, x)
    a = x.abs()
    far = a.gt(2.0**28)
    near = where(far, 1.0, a)
    square = near * near
    w = divide(square, 1.0 + (1.0 + square).sqrt())
    y = two_sum(near, w)
    total = two_sum(y.hi, 1.0)
    u = where(far, a, total.hi)
    d = where(far, 0.0, total.lo + y.lo)
    result = log1p_pair(u, d, where(far, a.const(1.0), 0.0))
    return with_sign(where(a.lt(INFINITY), result, a), sign_of(x))


def acosh(x: V) -> V:
    """log(1 + y), y = t + sqrt(t (t + 2)), t = x - 1; log(2x) beyond 2**28."""
    if not x.is_f64:
        return widen(acosh, x)
    far = x.gt(2.0**28)
    t = where(far, 1.0, x - 1.0)
    square = fma(t, t, t + t)
    root = square.sqrt()
    again = two_product(root, root)
    error = ((square - again.hi) - again.lo) * divide(root.const(0.5), root.greater(2.0**-30))
    y = two_sum(root, t)
    y = Pair(y.hi, y.lo + error)
    total = two_sum(y.hi, 1.0)
    u = where(far, x, total.hi)
    d = where(far, 0.0, total.lo + y.lo)
    result = log1p_pair(u, d, where(far, x.const(1.0), 0.0), careful=True)
    result = where(x.lt(INFINITY), result, x)
    return where(x.lt(1.0), NAN, result)


def atanh(x: V) -> V:
    """log(1 + 2a/(1 - a))/2, the quotient as a pair."""
    if not x.is_f64:
        return widen(atanh, x)
    a = x.abs()
    inside = a.lt(1.0)
    safe = where(inside, a, 0.0)
    d = two_sum(-safe, 1.0)
    q = divide(safe + safe, d.hi)
    product = two_product(q, d.hi)
    rest = ((safe + safe - product.hi) - product.lo) - q * d.lo
    total = two_sum(q, 1.0)
    result = 0.5 * log1p_pair(total.hi, total.lo + divide(rest, d.hi))
    result = where(inside, result, where(a.eq(1.0), a.const(INFINITY), NAN))
    return with_sign(result, sign_of(x))
