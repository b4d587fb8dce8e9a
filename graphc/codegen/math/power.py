"""pow, cbrt, hypot and ldexp."""

from __future__ import annotations

from ...types import F32, F64
from . import coefficients as c
from .explog import LN2_HI, LN2_LO, LOG2E, exp_polynomial, log_mid, log_pair, split_exponent
from .lanes import (
    INFINITY,
    NAN,
    Pair,
    V,
    fma,
    horner,
    power_of_two,
    scale,
    sign_of,
    two_product,
    where,
    widen,
    with_sign,
    x86,
)  # fmt: skip


def pow_(x: V, y: V) -> V:
    """|x|**y = exp(y log|x|), the logarithm and the product as pairs; then the cases of C99
    F.10.4.4.

    f32 goes through f64, where a logarithm to 2**-40 suffices and no pair is needed.
    """
    if not x.is_f64:
        return _special(x, y, _core_medium(x.to(F64).abs(), y.to(F64)).to(F32))
    return _special(x, y, _core(x.abs(), y))


def _core_medium(a: V, y: V) -> V:
    t = (y * log_mid(where(a.gt(0.0) & a.lt(INFINITY), a, 1.0))).greater(-200.0).lesser(200.0)
    n = (t * LOG2E).rint()
    r = fma(n, -LN2_LO[F64], fma(n, -LN2_HI[F64], t))
    return exp_polynomial(r, c.EXP_MID) * power_of_two(n)


def _core(a: V, y: V) -> V:
    safe = where(a.gt(0.0) & a.lt(INFINITY), a, 1.0)
    logarithm = log_pair(Pair(safe, a.const(0.0)))
    # |log x| >= 2**-53 unless x is 1, so beyond 2**70 only the sign of y matters
    y = y.greater(-(2.0**70)).lesser(2.0**70)
    product = two_product(y, logarithm.hi)
    inside = product.hi.abs().lt(760.0)
    lo = where(inside, fma(y, logarithm.lo, product.lo), 0.0)
    hi = product.hi.greater(-760.0).lesser(760.0)
    n = (hi * LOG2E).rint()
    r = fma(n, -LN2_HI[F64], hi) + fma(n, -LN2_LO[F64], lo)
    return scale(exp_polynomial(r, c.EXP_F64), n)


def _special(x: V, y: V, value: V) -> V:
    a, far = x.abs(), y.abs().eq(INFINITY)
    whole = y.eq(y.trunc())
    half = y * 0.5
    odd = whole & half.ne(half.trunc())
    limit = a.eq(0.0) | a.eq(INFINITY)
    value = where(limit, where(a.eq(0.0) ^ y.lt(0.0), x.const(0.0), INFINITY), value)
    value = where(far, where(a.gt(1.0) ^ y.lt(0.0), x.const(INFINITY), 0.0), value)
    value = where(far & a.eq(1.0), 1.0, value)
    negative = x.bits().lt(0)
    value = where(negative & odd, -value, value)
    value = where(negative & ~whole & a.gt(0.0) & a.lt(INFINITY), NAN, value)
    value = where(x.isnan() | y.isnan(), NAN, value)
    return where(y.eq(0.0) | x.eq(1.0), 1.0, value)


def cbrt(x: V) -> V:
    """x = M 2**(3q), M in [3/8, 3); y ~ M**(-1/3) by a polynomial and Newton's steps; M y**2,
    corrected."""
    a = x.abs()
    e, m = split_exponent(a)
    q = (e * (1.0 / 3.0)).rint()
    rest = e - 3.0 * q
    up, down = rest.gt(0.5), rest.lt(-0.5)
    m = m * where(up, x.const(2.0), where(down, x.const(0.5), 1.0))
    factor = where(up, x.const(2.0 ** (-1 / 3)), where(down, x.const(2.0 ** (1 / 3)), 1.0))
    # the polynomial knows m before the factor of 2 or 1/2
    base = m * where(up, x.const(0.5), where(down, x.const(2.0), 1.0))
    y = horner(base, c.CBRT) * factor
    for _ in range(2 if x.is_f64 else 1):
        y = fma(y * (1.0 / 3.0), fma(-(m * y), y * y, 1.0), y)
    root = m * y * y
    square = two_product(root, root)
    cube = two_product(square.hi, root)
    residual = ((m - cube.hi) - cube.lo) - square.lo * root
    root = fma(residual, y * y * (1.0 / 3.0), root)
    value = with_sign(root * power_of_two(q), sign_of(x))
    return where(a.gt(0.0) & a.lt(INFINITY), value, x)


def hypot(x: V, y: V) -> V:
    """sqrt(x**2 + y**2): in f64 scaled away from overflow and underflow; an infinity wins over
    NaN."""
    if not x.is_f64:
        value = widen(_plain_hypot, x, y)
    else:
        a, b = x.abs(), y.abs()
        large = where(a.gt(b), a, b)
        factor = where(large.gt(2.0**500), x.const(2.0**-600), where(
            large.lt(2.0**-450), x.const(2.0**600), 1.0))  # fmt: skip
        back = where(large.gt(2.0**500), x.const(2.0**600), where(
            large.lt(2.0**-450), x.const(2.0**-600), 1.0))  # fmt: skip
        value = _plain_hypot(a * factor, b * factor) * back
    infinite = x.abs().eq(INFINITY) | y.abs().eq(INFINITY)
    return where(infinite, INFINITY, value)


def _plain_hypot(x: V, y: V) -> V:
    return fma(x, x, y * y).sqrt()


def ldexp(x: V, n: V) -> V:
    """x * 2**n, rounded once; NaN where n is NaN."""
    limit = 5000.0 if x.is_f64 else 400.0
    n = n.greater(-limit).lesser(limit)
    if x.b.isa.has_avx512:
        return x86(x, "scalef", [n, x.const(0.0)])
    if not x.is_f64:
        result = (x.to(F64) * power_of_two(n.to(F64))).to(x.dtype)
        return where(n.isnan(), n, result)
    value = x
    for _ in range(3):
        # 2**-969 leaves a normal number normal, or a result that is 0 whatever it was rounded to
        step = n.greater(-969.0).lesser(1023.0)
        step = where(n.ge(-1022.0) & n.lt(-969.0), n, step)
        value = value * power_of_two(step)
        n = n - step
    return where(n.isnan(), n, value)
