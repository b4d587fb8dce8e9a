"""The logarithm of the gamma function."""

from __future__ import annotations

from ...types import F64, I64
from ..llvm_builder import Builder, Val
from . import coefficients as c
from .explog import log_mid, log_pair
from .lanes import (
    INFINITY,
    Pair,
    V,
    constant_pair,
    fma,
    horner,
    pair_plus,
    pair_times,
    quick_sum,
    reciprocal,
    two_product,
    two_sum,
    where,
    widen,
)  # fmt: skip
from .trig import cos_polynomial, sin_polynomial

LOG_PI = (1.1447298858494002, 1.0265951162707826e-17)
STIRLING_CONSTANT = 0.4189385332046727  # log(2π)/2 - 1/2


def lgamma(x: V) -> V:
    """log|Γ(x)|.

    a = |x| >= 8: (a - 1/2)(log a - 1) + log(2π)/2 - 1/2 + S(1/a**2)/a. Below: a is moved into
    [3/2, 5/2) by Γ(a + 1) = a Γ(a), the product as a pair; log Γ(2 + t) = t G(t). x <= -1/2 has a
    function of its own, called when any lane needs it. f32 goes through f64.
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
    far = _stirling(a, logarithm, medium)
    result = where(large, far.hi + far.lo, _near(t, logarithm, inverse, medium))
    if not medium:
        result = where(a.gt(1.3) & a.lt(1.62), _near_least(a), result)
    result = where(a.eq(0.0), INFINITY, result)
    negative = x.le(-0.5)
    b = a.b
    chosen = b.branch(
        b.any(negative.val),
        lambda: [where(negative, _call_negative(where(negative, x, -1.5)), result).val],
        lambda: [result.val],
        likely=False,
    )
    return where(a.eq(INFINITY), a, V(b, chosen[0]))


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


def _stirling(a: V, logarithm: Pair, medium: bool) -> Pair:
    r = reciprocal(where(a.gt(2.0**60), 2.0**60, a))
    series = r * horner(r * r, c.STIRLING_MID if medium else c.STIRLING_F64)
    less = two_sum(logarithm.hi, -1.0)
    half = a - 0.5
    # beyond 2**900 the parts of a product might overflow, and the low one no longer shows
    huge = half.gt(2.0**900)
    product = two_product(where(huge, 1.0, half), less.hi)
    rest = fma(half, less.lo + logarithm.lo, product.lo)
    return Pair(
        where(huge, half * less.hi, product.hi),
        where(huge, 0.0, rest + (STIRLING_CONSTANT + series)),
    )


# ------------------------------------------------------------------------------- negative numbers

POLES = 18
"""Above minus this number the result is 0 twice between two integers; below it is far from 0."""


def _call_negative(x: V) -> V:
    """`_negative` of f64 lanes, a register at a time: the function is long, and seldom called."""
    b, width = x.b, x.b.isa.native_lanes(F64)
    if x.lanes > width:
        starts = range(0, x.lanes, width)
        return V(b, b.concat([_call_negative(V(b, b.slice(x.val, s, width))).val for s in starts]))

    def body(inner: Builder) -> None:
        value = _negative(V(inner, Val("%x", F64, x.lanes)))
        inner.line(f"ret {value.val}")

    kind = x.val.type
    symbol = b.module.math_function(
        "lgamma_negative", F64, x.lanes, body, [("x", kind)], kind, inline=False
    )
    return V(b, b.emit(f"call {kind} @{symbol}({x.val})", F64, x.lanes))


def _negative(x: V) -> V:
    """log|Γ(x)| for x <= -1/2, f64.

    x > -18: log Γ(2 + t) - log|x (x + 1) .. (t + 1)|, both as pairs, so that the error is 2**-64
    in all; where less than 2**-10 is left, a series about the zero. Below: log(π/|x sin πx|) -
    log Γ(|x|).
    """
    a = x.abs()
    near = a.lt(float(POLES))
    t, product = _rising(where(near, a, 1.5))
    sine = two_product(_sine_pi(a), a)
    pole = where(near, product.hi, sine.hi).eq(0.0)
    argument = Pair(
        where(pole, 1.0, where(near, product.hi, sine.hi)),
        where(pole, 0.0, where(near, product.lo, sine.lo)),
    )
    logarithm = log_pair(argument)
    far = _stirling(a, log_pair(Pair(a, a.const(0.0))), False)
    below = pair_plus(constant_pair(a, *LOG_PI), Pair(-far.hi, -far.lo))
    start = _log_gamma_pair(t)
    start = Pair(where(near, start.hi, below.hi), where(near, start.lo, below.lo))
    total = two_sum(start.hi, -logarithm.hi)
    value = total.hi + (total.lo + (start.lo - logarithm.lo))
    small = value.abs().lt(2.0**-10)
    value = where(small, _near_zero(where(small, x, -2.5)), value)
    return where(pole, INFINITY, value)


def _rising(a: V) -> tuple[V, Pair]:
    """(t, |x (x + 1) .. (t + 1)|) for x = -a, a in [1/2, 18): t = x + n in [-1/2, 1/2] is exact,
    and so are the factors t, t - 1 .. t - n = x."""
    n = a.rint()
    t = n - a
    product = pair_times(two_sum(t, 1.0), Pair(t, t.const(0.0)))
    for k in range(1, POLES + 1):
        factor = t - float(k)
        times = two_product(product.hi, factor)
        longer = quick_sum(times.hi, fma(product.lo, factor, times.lo))
        more = n.ge(float(k))
        product = Pair(where(more, longer.hi, product.hi), where(more, longer.lo, product.lo))
    negative = product.hi.lt(0.0)
    return t, Pair(
        where(negative, -product.hi, product.hi), where(negative, -product.lo, product.lo)
    )


def _log_gamma_pair(t: V) -> Pair:
    """log Γ(2 + t) for |t| <= 1/2, with an error of 2**-64."""
    *start, last = zip(c.LGAMMA_START[:4], c.LGAMMA_START[4:], strict=True)
    sum_ = quick_sum(t.const(last[0]), t * horner(t, c.LGAMMA_TAIL))
    sum_ = Pair(sum_.hi, sum_.lo + last[1])
    for hi, lo in reversed(start):
        product = two_product(t, sum_.hi)
        total = quick_sum(t.const(hi), product.hi)
        sum_ = Pair(total.hi, total.lo + (fma(t, sum_.lo, product.lo) + lo))
    return pair_times(sum_, Pair(t, t.const(0.0)))


def _near_zero(x: V) -> V:
    """w + a2 w**2 + .. + a6 w**6, w = s (x - z): z the zero next to x in (-18, -2), s the slope."""
    b = x.b
    table = b.module.constant_array(
        "gc_lgamma_zeros", "double", [b.const(v, F64).ref for v in c.LGAMMA_ZEROS]
    )
    row = ((x * -2.0).floor() - 4.0).to(I64) * 9
    z, z_rest, slope, slope_rest, *terms = (
        V(b, b.gather(table, (row + k).val, F64)) for k in range(9)
    )
    d = two_sum(x - z, -z_rest)
    w = two_product(d.hi, slope)
    rest = w.lo + fma(d.hi, slope_rest, d.lo * slope)
    series = terms[-1]
    for term in reversed(terms[:-1]):
        series = fma(w.hi, series, term)
    return w.hi + fma(w.hi * w.hi, series, rest)


def _sine_pi(a: V) -> V:
    """|sin(π a)| for a >= 0, 0 at the integers."""
    f = (a - a.rint()).abs()
    steep = f.gt(0.25)
    # π (f or 1/2 - f) as a pair, since near 0 the relative error counts
    g = where(steep, 0.5 - f, f)
    angle = two_product(g, g.const(3.141592653589793))
    lo = fma(g, 1.2246467991473532e-16, angle.lo)
    return where(steep, cos_polynomial(Pair(angle.hi, lo)), sin_polynomial(Pair(angle.hi, lo)))
