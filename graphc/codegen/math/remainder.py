"""fmod (C's remainder, exact) and NumPy's mod and floor_divide, for floats."""

from __future__ import annotations

from ..llvm_builder import Val
from .explog import split_exponent
from .lanes import (
    INFINITY,
    NAN,
    V,
    fma,
    power_of_two,
    sign_of,
    two_product,
    where,
    widen,
    with_sign,
)  # fmt: skip


def fmod(x: V, y: V) -> V:
    """x - y trunc(x/y), exactly; the sign of x.

    Each round takes off q d 2**k with an integer q below 2**51: the remainder is exact, and nearly
    always one round does. f32 goes through f64.
    """
    if not x.is_f64:
        return widen(fmod, x, y)
    a, d = x.abs(), y.abs()
    valid = d.gt(0.0) & a.lt(INFINITY) & ~y.isnan()
    a = where(valid, a, 0.0)
    d = where(valid, d, 1.0)
    b = x.b
    divisor_exponent, _ = split_exponent(where(d.lt(INFINITY), d, 1.0))

    def unfinished(state: list[Val]) -> Val:
        return b.any(V(b, state[0]).ge(d).val)

    def reduce(state: list[Val]) -> list[Val]:
        r = V(b, state[0])
        exponent, _ = split_exponent(where(r.gt(0.0), r, 1.0))
        k = (exponent - divisor_exponent - 50.0).greater(0.0)
        third = (k * (1.0 / 3.0)).floor()  # k may be twice the greatest exponent
        step = power_of_two(third)
        t = d * step * step * power_of_two(k - third - third)
        q = (r / t).trunc()
        left = _minus_product(r, q, t)
        left = where(left.lt(0.0), left + t, left)
        return [where(r.ge(d), left, r).val]

    a = V(b, b.while_loop([a.val], unfinished, reduce)[0])
    return where(valid, with_sign(a, sign_of(x)), NAN)


def _minus_product(r: V, q: V, t: V) -> V:
    """r - q t, which is representable."""
    if r.b.isa.has_fma:
        return fma(-q, t, r)
    # the halves of a product must not overflow
    large = r.gt(2.0**900)
    factor = where(large, r.const(2.0**-200), 1.0)
    product = two_product(q, t * factor)
    return ((r * factor - product.hi) - product.lo) * where(large, r.const(2.0**200), 1.0)


def mod(x: V, y: V) -> V:
    """NumPy's remainder: fmod, moved to the sign of y; a zero has the sign of y."""
    r = fmod(x, y)
    moved = where(y.lt(0.0) ^ r.lt(0.0), r + y, r)
    return where(y.eq(0.0), r, where(r.eq(0.0), x.const(0.0).copysign(y), moved))


def floordiv(x: V, y: V) -> V:
    """NumPy's floor_divide: (x - mod)/y, to the nearest integer."""
    r = fmod(x, y)
    quotient = (x - r) / y
    apart = r.ne(0.0) & (y.lt(0.0) ^ r.lt(0.0))
    quotient = where(apart, quotient - 1.0, quotient)
    floor = quotient.floor()
    floor = where((quotient - floor).gt(0.5), floor + 1.0, floor)
    plain = x / y
    result = where(quotient.eq(0.0), x.const(0.0).copysign(plain), floor)
    return where(y.eq(0.0), plain, result)
