"""Hyperbolic and trigonometric functions of complex numbers, and their inverses, as formulas of
Pairs.

Sources: Kahan, Branch Cuts for Complex Elementary Functions (1987); Hull, Fairgrieve and Tang,
Implementing the Complex Arcsine and Arccosine Functions Using Exception Handling, TOMS 23 (1997);
FreeBSD's catrig.c for atanh.
"""

from __future__ import annotations

import math

from ..loops.ir import Pair, const
from .complex_math import Real, log_abs, magnitude, over_i, pair, parts, times_i, where, zero


def _product(zero: Real, other: Real) -> Real:
    """zero·other, and 0 where the first is 0 and the second is not finite (C99 Annex G)."""
    return where(zero.same(0.0) & ~other.f("isfinite"), zero, zero * other)


def _sinh(a: Pair, endless: float) -> Pair:
    """sinh x cos y + i cosh x sin y; the real part is `endless` where x is infinite and y not
    finite (C99 leaves its sign open; this one is NumPy's)."""
    x, y = parts(a)
    re = _product(x.f("sinh"), y.f("cos"))
    im = _product(y.f("sin"), x.f("cosh"))
    return pair(where(x.f("isinf") & ~y.f("isfinite"), endless, re), im)


def sinh(a: Pair) -> Pair:
    return _sinh(a, math.inf)


def cosh(a: Pair) -> Pair:
    """cosh x cos y + i sinh x sin y"""
    x, y = parts(a)
    shx, sny = x.f("sinh"), y.f("sin")
    im = where(shx.same(0.0) & ~y.f("isfinite"), 0.0, shx * sny)
    im = where(sny.same(0.0) & ~shx.f("isfinite"), where(shx < 0.0, -sny, sny), im)
    re = x.f("cosh") * y.f("cos")
    return pair(where(x.f("isinf") & ~y.f("isfinite"), math.inf, re), im)


def tanh(a: Pair) -> Pair:
    """With t = tan y, s = sinh x, b = 1 + t²: (b s √(1 + s²) + i t) / (1 + b s²); Kahan (1987)."""
    x, y = parts(a)
    t, s = y.f("tan"), x.f("sinh")
    b = t * t + 1.0
    below = b * s * s + 1.0
    # here e**-2|x| is less than the precision
    far = (magnitude(x) > 0.5 * x.info.nmant + 2.0) & (y.f("isfinite") | x.f("isinf"))
    one = Real(const(1.0, x.e.dtype)).f("copysign", x)
    e = (magnitude(x) * -1.0).f("exp")
    sin, cos = y.f("sin"), y.f("cos")
    im_far = where(y.f("isfinite"), 4.0 * sin * cos * e * e, Real(zero(x.e.dtype)).f("copysign", y))
    re = where(x.same(0.0), x, b * s * (s * s + 1.0).f("sqrt") / below)
    im = where(y.same(0.0), y, t / below)
    return pair(where(far, one, re), where(far, im_far, im))


def sin(a: Pair) -> Pair:
    return over_i(_sinh(times_i(a), -math.inf))


def cos(a: Pair) -> Pair:
    return cosh(times_i(a))


def tan(a: Pair) -> Pair:
    return over_i(tanh(times_i(a)))


def _hull(a: Pair) -> tuple[Real, Real, Real]:
    """(√(A² - x²), |Im asin z|, x) for A = (|z + 1| + |z - 1|)/2; Hull et al. (1997)."""
    sx, sy = parts(a)
    x, y = magnitude(sx), magnitude(sy)
    r, s = (x + 1.0).f("hypot", y), (x - 1.0).f("hypot", y)
    mean = (r + s) * 0.5
    right = x + 1.0 + r
    inside = x < 1.0
    left = s + magnitude(x - 1.0)
    # A - 1 and sqrt((A - 1)(A + 1)); inside the unit strip y is a factor and must not be squared
    g = 0.5 * (1.0 / right + 1.0 / left)
    less_one = where(inside, y * y * g, 0.5 * (y * y / right + left))
    root = where(inside, y * (g * (mean + 1.0)).f("sqrt"), (less_one * (mean + 1.0)).f("sqrt"))
    im = where(mean <= 1.5, (less_one + root).f("log1p"), mean.f("acosh"))
    q = where(
        x <= 1.0,
        (0.5 * (mean + x) * (y * y / right + left)).f("sqrt"),
        y * (0.5 * (mean + x) * (1.0 / right + 1.0 / left)).f("sqrt"),
    )
    limit = 4.0 / float(x.info.eps)
    large = (x > limit) | (y > limit)
    q = where(large, y, where(y.same(0.0) & ~inside, y, q))
    return q, where(large, log_abs(x, y) + math.log(2.0), im), sx


def asin(a: Pair) -> Pair:
    """atan(x / √(A² - x²)) + i·acosh(A), signs as of z"""
    q, im, x = _hull(a)
    return pair(where(x.same(0.0), x, x.f("atan2", q)), im.f("copysign", Real(a.im)))


def _arc_cosine(q: Real, x: Real) -> Real:
    """atan2(q, x): π/2 where x is 0, though q may be NaN."""
    return where(x.same(0.0), math.pi / 2, q.f("atan2", x))


def acos(a: Pair) -> Pair:
    """atan2(√(A² - x²), x) - i·acosh(A), the sign against that of y"""
    q, im, x = _hull(a)
    return pair(_arc_cosine(q, x), -im.f("copysign", Real(a.im)))


def asinh(a: Pair) -> Pair:
    return over_i(asin(times_i(a)))


def acosh(a: Pair) -> Pair:
    """±i acos z, the real part not negative"""
    q, im, x = _hull(a)
    return pair(im, _arc_cosine(q, x).f("copysign", Real(a.im)))


def atanh(a: Pair) -> Pair:
    """ln(1 + 4x/((x-1)² + y²))/4 + i·atan2(2y, (1-x)(1+x) - y²)/2"""
    sx, sy = parts(a)
    x, y = magnitude(sx), magnitude(sy)
    eps = float(x.info.eps)
    re = (4.0 * x / ((x - 1.0) * (x - 1.0) + y * y)).f("log1p") * 0.25
    # at x = 1 the square of y would underflow
    re = where(x.same(1.0) & (y < eps), 0.5 * (math.log(2.0) - y.f("log")), re)
    im = (2.0 * y).f("atan2", (1.0 - x) * (1.0 + x) - y * y) * 0.5
    large = (x > 4.0 / eps) | (y > 4.0 / eps)
    # the square of |z| may overflow where the quotient does not underflow
    u, v = x * 0.25, y * 0.25
    h = u.f("hypot", v)
    far = where(x.f("isinf") | y.f("isinf"), 0.0, u / h / h * 0.25)
    re = where(x.same(0.0), x, where(large, far, re))
    unknown = y.f("isnan") | (x.f("isnan") & ~y.f("isinf"))
    im = where(large, where(unknown, math.nan, Real(const(math.pi / 2, x.e.dtype))), im)
    return pair(re.f("copysign", sx), im.f("copysign", sy))


def atan(a: Pair) -> Pair:
    return over_i(atanh(times_i(a)))
