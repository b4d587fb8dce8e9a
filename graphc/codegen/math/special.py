"""The error function, its complement, and the logarithm of the gamma function."""

from __future__ import annotations

from . import coefficients as c
from .explog import LN2_HI, LN2_LO, LOG2E, expm1_polynomial, log, log_mid, log_pair
from .lanes import (
    INFINITY,
    Pair,
    V,
    fma,
    horner,
    pair_times,
    power_of_two,
    quick_sum,
    reciprocal,
    scale,
    sign_of,
    two_product,
    two_sum,
    where,
    widen,
    with_sign,
)  # fmt: skip
from .trig import cos_polynomial, sin_polynomial


def erf(x: V) -> V:
    """|x| < 1: x + x P(x**2). Beyond: 1 - 2**-g with g = a Q(a) in f32, 1 - erfc(a) in f64."""
    a = x.abs()
    z = a * a
    near = fma(x, horner(z, c.ERF_F64 if x.is_f64 else c.ERF_F32), x)
    if x.is_f64:
        far = 1.0 - _erfc_core(a.lesser(6.0).greater(0.4))
    else:
        b = a.lesser(3.95)
        g = -(b * horner(b, c.ERF_TAIL_F32))
        n = g.rint()
        r = g - n
        p = fma(r, horner(r, c.EXP2_F32), 1.0)
        far = fma(p, -power_of_two(n), 1.0)
    return where(a.lt(1.0), near, with_sign(far, sign_of(x)))


def _erfc_core(a: V) -> V:
    """erfc(a), a >= 0.4: exp(-a**2) q(t) w, w = 1/(a + 2), t = (a - 2) w; a**2, q's start and w as
    pairs."""
    square = two_product(a, a)
    n = (square.hi * -LOG2E).rint()
    low = fma(n, -LN2_LO[a.dtype], -square.lo)
    r = two_sum(fma(n, -LN2_HI[a.dtype], -square.hi), low)
    d = two_sum(a, 2.0)
    w = reciprocal(d.hi)
    product = two_product(w, d.hi)
    w_rest = w * (((1.0 - product.hi) - product.lo) - w * d.lo)
    *table, start_rest = c.ERFC_F64 if a.is_f64 else c.ERFC_F32
    m = a - 2.0
    t = two_product(m, w)
    t = quick_sum(t.hi, fma(m, w_rest, t.lo))
    # q = c0 + t (c1 + t (c2 + ..)): the last two sums as pairs, since their errors would show
    g = fma(t.hi, horner(t.hi, table[3:]), table[2])
    inner = quick_sum(m.const(table[1]), t.hi * g)
    slope = two_product(t.hi, inner.hi)
    q = quick_sum(m.const(table[0]), slope.hi)
    q_rest = (q.lo + start_rest) + (slope.lo + fma(t.hi, inner.lo, t.lo * inner.hi))
    value = two_product(q.hi, w)
    rest = value.lo + fma(q.hi, w_rest, w * q_rest)
    # (1 + r + p) (value + rest), the smaller terms first; rest p no longer shows
    small = fma(value.hi, expm1_polynomial(r.hi, r.lo), fma(rest, r.hi, rest))
    return scale(value.hi + fma(value.hi, r.hi, small), n)


def erfc(x: V) -> V:
    """|x| < 0.4375: 1 - erf(x). 2 - erfc(|x|) for x < 0; the clamp lies where the result is 0."""
    a = x.abs()
    near = 1.0 - fma(x, horner(x * x, c.ERF_F64 if x.is_f64 else c.ERF_F32), x)
    value = _erfc_core(a.lesser(27.5 if x.is_f64 else 10.5).greater(0.4))
    return where(a.lt(0.4375), near, where(x.lt(0.0), 2.0 - value, value))


# ---------------------------------------------------------------------------------------- lgamma

LOG_PI = 1.1447298858494002
STIRLING_CONSTANT = 0.4189385332046727  # log(2π)/2 - 1/2


def lgamma(x: V) -> V:
    """log|Γ(x)|.

    a = |x| >= 8: (a - 1/2)(log a - 1) + log(2π)/2 - 1/2 + S(1/a**2)/a. Below: a is moved into
    [3/2, 5/2) by Γ(a + 1) = a Γ(a), the product as a pair; log Γ(2 + t) = t G(t). x <= -1/2:
    log(π/|x sin πx|) - log Γ(|x|). Its relative error is small except near the zeros at x < 0,
    where the absolute error is.
    """
    if not x.is_f64:
        return widen(lambda v: _lgamma(v, True), x)
    return _lgamma(x, False)


def _lgamma(x: V, medium: bool) -> V:
    a = x.abs()
    large = a.ge(8.0)
    t, product, inverse = _shift(where(large, 2.0, where(x.abs().lt(0.5), x, a)))
    argument = Pair(where(large, a, product.hi), where(large, 0.0, product.lo))
    if medium:
        value = log_mid(argument.hi)
        logarithm = Pair(value, value.const(0.0))
    else:
        logarithm = log_pair(argument)
    positive = where(large, _stirling(a, logarithm, medium), _near(t, logarithm, inverse, medium))
    if not medium:
        positive = where(a.gt(1.3) & a.lt(1.62), _near_least(a), positive)
    positive = where(a.eq(0.0), INFINITY, positive)
    b = a.b
    negative = x.le(-0.5)

    def reflected() -> list:
        other = LOG_PI - log(_sine_pi(a) * a, medium)
        other = where(other.lt(INFINITY), other - positive, other)
        return [where(negative, other, positive).val]

    result = V(b, b.branch(b.any(negative.val), reflected, lambda: [positive.val])[0])
    return where(a.eq(INFINITY), a, result)


def _shift(x: V) -> tuple[V, Pair, V]:
    """(t, P, inverse): |Γ(x)| = Γ(2 + t) P, or Γ(2 + t)/P where inverse; -0.5 < x < 8."""
    product = Pair(x.const(1.0), x.const(0.0))
    y = x
    for _ in range(6):
        more = y.gt(2.5)
        lower = y - 1.0
        times = two_product(product.hi, lower)
        longer = quick_sum(times.hi, fma(product.lo, lower, times.lo))
        product = Pair(where(more, longer.hi, product.hi), where(more, longer.lo, product.lo))
        y = where(more, lower, y)
    below, tiny = x.lt(1.5), x.lt(0.5)
    both = pair_times(two_sum(x, 1.0), Pair(x.abs(), x.const(0.0)))
    hi = where(tiny, both.hi, where(below, x, product.hi))
    lo = where(tiny, both.lo, where(below, 0.0, product.lo))
    return where(tiny, x, where(below, x - 1.0, y - 2.0)), Pair(hi, lo), below


def _near(t: V, logarithm: Pair, inverse: V, medium: bool) -> V:
    start, *table, start_rest = c.LGAMMA_MID if medium else c.LGAMMA_F64
    g = two_product(t, t.const(start))
    g_rest = g.lo + fma(t * t, horner(t, table), t * start_rest)
    hi = where(inverse, -logarithm.hi, logarithm.hi)
    lo = where(inverse, -logarithm.lo, logarithm.lo)
    total = two_sum(hi, g.hi)
    return total.hi + (total.lo + (lo + g_rest))


# log Γ is least at x = hi + lo, and -hi - lo there
LEAST = (1.4616321449683622, 9.549995429965697e-17)
LEAST_VALUE = (-0.12148629053584961, 3.364991468473138e-18)


def _near_least(a: V) -> V:
    """u = a - x, u**2 R(u) over the least value: the general way would cancel there."""
    u = (a - LEAST[0]) - LEAST[1]
    return LEAST_VALUE[0] + fma(u * u, horner(u, c.LGAMMA_LEAST), LEAST_VALUE[1])


def _stirling(a: V, logarithm: Pair, medium: bool) -> V:
    r = reciprocal(where(a.gt(2.0**60), 2.0**60, a))
    series = r * horner(r * r, c.STIRLING_MID if medium else c.STIRLING_F64)
    less = two_sum(logarithm.hi, -1.0)
    half = a - 0.5
    # beyond 2**900 the parts of a product might overflow, and the low one no longer shows
    product = two_product(where(half.gt(2.0**900), 1.0, half), less.hi)
    rest = fma(half, less.lo + logarithm.lo, product.lo)
    return where(
        half.gt(2.0**900), half * less.hi, product.hi + (rest + (STIRLING_CONSTANT + series))
    )


def _sine_pi(a: V) -> V:
    """|sin(π a)| for a >= 0, 0 at the integers."""
    f = (a - a.rint()).abs()
    steep = f.gt(0.25)
    # π (f or 1/2 - f) as a pair, since near 0 the relative error counts
    g = where(steep, 0.5 - f, f)
    angle = two_product(g, g.const(3.141592653589793))
    lo = fma(g, 1.2246467991473532e-16, angle.lo)
    return where(steep, cos_polynomial(Pair(angle.hi, lo)), sin_polynomial(Pair(angle.hi, lo)))
