"""Hyperbolic functions and their inverses.

sinh and cosh: |x| = n ln 2 + r; sinh(x) = cosh(r) sinh(n ln 2) + sinh(r) cosh(n ln 2), and
likewise cosh, where the functions of n ln 2 are exact sums of two powers of 2: no division and no
cancellation. tanh: t/(t + 2), t = expm1(2|x|). The inverses are logarithms of 1 + y, y as a pair;
in f32 they go through f64, which is as fast as carrying pairs.
"""

from __future__ import annotations

from . import coefficients as c
from .explog import log1p_pair, reduce_exp
from .lanes import (
    INFINITY,
    NAN,
    Pair,
    V,
    divide,
    fma,
    horner,
    power_of_two,
    sign_of,
    two_product,
    two_sum,
    where,
    widen,
    with_sign,
)  # fmt: skip


def _parts(x: V) -> tuple[V, V, V, V]:
    """(sinh r, cosh r - 1, sinh(n ln 2)/2, cosh(n ln 2)/2) for |x|, clamped where all is
    infinite."""
    a = x.abs().lesser(710.6 if x.is_f64 else 89.6)
    n, r = reduce_exp(a)
    z = r * r
    odd = fma(r * z, horner(z, c.SINH_F64 if x.is_f64 else c.SINH_F32), r)
    even = z * horner(z, c.COSH_F64 if x.is_f64 else c.COSH_F32)
    up = power_of_two(n - 2.0)
    down = power_of_two((-2.0 - n).greater(-1000.0 if x.is_f64 else -120.0))
    return odd, even, up - down, up + down


def sinh(x: V) -> V:
    odd, even, s, k = _parts(x)
    half = s + fma(odd, k, even * s)
    return with_sign(half + half, sign_of(x))


def cosh(x: V) -> V:
    odd, even, s, k = _parts(x)
    half = k + fma(odd, s, even * k)
    return half + half


def tanh(x: V) -> V:
    """t/(t + 2), t = expm1(2|x|), from r in [0, ln 2): its terms are positive, so nothing cancels.

    Beyond the clamp the result is 1.
    """
    a = x.abs().lesser(19.1 if x.is_f64 else 9.1)
    n, r = reduce_exp(a + a, positive=True)
    power = power_of_two(n)
    p = horner(r, (0.5, *(c.EXPM1_POSITIVE_F64 if x.is_f64 else c.EXPM1_POSITIVE_F32)))
    t = fma(r * r * p, power, fma(r, power, power - 1.0))
    d = t + 2.0
    return with_sign(divide(t, d, t - (d - 2.0)), sign_of(x))


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
    result = log1p_pair(u, d, where(far, x.const(1.0), 0.0))
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
