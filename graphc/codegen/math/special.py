"""The error function, its complement, and the logarithm of the gamma function."""

from __future__ import annotations

from . import coefficients as c
from .explog import LN2_HI, LN2_LO, LOG2E, expm1_polynomial
from .lanes import (
    V,
    fma,
    horner,
    power_of_two,
    quick_sum,
    reciprocal,
    scale,
    sign_of,
    two_product,
    two_sum,
    where,
    with_sign,
)  # fmt: skip


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
