"""Arithmetic and functions of complex numbers as formulas of real scalar operations.

A Pair(re, im) goes in and comes out; the cards call these from their `lower`. Cancellation and
overflow are avoided as the sources say; infinities and NaNs come out as NumPy's where a select or
two is enough for it.

Trigonometric functions stand in complex_trigonometry.py.

Sources: C99 Annex G; Smith, Algorithm 116 (1962), as in NumPy's division.
"""

from __future__ import annotations

import math

import numpy as np
from graphc_runtime.records import dataclass

from ..loops.ir import Expr, Pair, Select, const, scalar
from ..types import BOOL, DType


@dataclass(frozen=True, slots=True)
class Real:
    """A real expression with Python's operators; numbers become constants of its dtype."""

    e: Expr

    def _lift(self, other: Real | float) -> Expr:
        return other.e if isinstance(other, Real) else const(other, self.e.dtype)

    def _op(self, name: str, *others: Real | float) -> Real:
        return Real(scalar(name, self.e, *(self._lift(o) for o in others)))

    def __add__(self, other: Real | float) -> Real:
        return self._op("add", other)

    __radd__ = __add__

    def __sub__(self, other: Real | float) -> Real:
        return self._op("sub", other)

    def __rsub__(self, other: float) -> Real:
        return Real(self._lift(other)) - self

    def __mul__(self, other: Real | float) -> Real:
        return self._op("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Real | float) -> Real:
        return self._op("div", other)

    def __rtruediv__(self, other: float) -> Real:
        return Real(self._lift(other)) / self

    def __neg__(self) -> Real:
        return self._op("neg")

    def __lt__(self, other: Real | float) -> Real:
        return self._op("lt", other)

    def __le__(self, other: Real | float) -> Real:
        return self._op("le", other)

    def __gt__(self, other: Real | float) -> Real:
        return self._op("gt", other)

    def __ge__(self, other: Real | float) -> Real:
        return self._op("ge", other)

    def __and__(self, other: Real) -> Real:
        return self._op("and", other)

    def __or__(self, other: Real) -> Real:
        return self._op("or", other)

    def __invert__(self) -> Real:
        return self._op("not")

    def same(self, other: Real | float) -> Real:
        """self == other, as an expression."""
        return self._op("eq", other)

    def f(self, name: str, *others: Real | float) -> Real:
        """A scalar function of graphc/loops/scalar.py."""
        return self._op(name, *others)

    @property
    def info(self) -> np.finfo:
        return np.finfo(self.e.dtype.numpy)


def parts(z: Pair) -> tuple[Real, Real]:
    return Real(z.re), Real(z.im)


def pair(re: Real, im: Real) -> Pair:
    return Pair(re.e, im.e)


def where(cond: Real, a: Real | float, b: Real | float) -> Real:
    like = a if isinstance(a, Real) else b
    assert isinstance(like, Real)
    return Real(Select(cond.e, like._lift(a), like._lift(b)))


def _choose(cond: Real, a: Pair, b: Pair) -> Pair:
    return Pair(Select(cond.e, a.re, b.re), Select(cond.e, a.im, b.im))


def zero(dtype: DType) -> Expr:
    """The zero of a real dtype."""
    return const(0, dtype)


def times_i(z: Pair) -> Pair:
    """i·z"""
    return Pair(scalar("neg", z.im), z.re)


def over_i(z: Pair) -> Pair:
    """z / i"""
    return Pair(z.im, scalar("neg", z.re))


# ------------------------------------------------------------------------------------- arithmetic


def add(a: Pair, b: Pair) -> Pair:
    return Pair(scalar("add", a.re, b.re), scalar("add", a.im, b.im))


def sub(a: Pair, b: Pair) -> Pair:
    return Pair(scalar("sub", a.re, b.re), scalar("sub", a.im, b.im))


def neg(a: Pair) -> Pair:
    return Pair(scalar("neg", a.re), scalar("neg", a.im))


def conj(a: Pair) -> Pair:
    return Pair(a.re, scalar("neg", a.im))


def rint(a: Pair) -> Pair:
    return Pair(scalar("rint", a.re), scalar("rint", a.im))


def mul(a: Pair, b: Pair) -> Pair:
    (ar, ai), (br, bi) = parts(a), parts(b)
    return pair(ar * br - ai * bi, ar * bi + ai * br)


def div(a: Pair, b: Pair) -> Pair:
    """Smith's division: by the greater part of b, whose square could overflow."""
    (ar, ai), (br, bi) = parts(a), parts(b)
    swap = ~(magnitude(br) >= magnitude(bi))
    great, small = where(swap, bi, br), where(swap, br, bi)
    nothing = great.same(0.0)
    ratio = small / great
    scale = 1.0 / (great + small * ratio)
    u, v = where(swap, ai, ar), where(swap, ar, ai)
    re = (u + v * ratio) * scale
    im = where(swap, u * ratio - v, v - u * ratio) * scale
    return pair(where(nothing, ar / magnitude(br), re), where(nothing, ai / magnitude(br), im))


def magnitude(x: Real) -> Real:
    """|x| of a real expression (`abs` below is that of a Pair)."""
    return x.f("abs")


def abs(a: Pair) -> Expr:
    return scalar("hypot", a.re, a.im)


def sign(a: Pair) -> Pair:
    """a/|a|; 0 of 0; of an infinite part its sign, of two NaN (NumPy 2). Where |a| overflows NumPy
    loses a part; here both are right."""
    x, y = parts(a)
    scale = where(
        magnitude(x).f("max", magnitude(y)) > 0.5 * float(x.info.max),
        0.25,
        Real(const(1.0, x.e.dtype)),
    )
    x, y = x * scale, y * scale
    size = x.f("hypot", y)
    endless = size.f("isinf")
    unknown = size.f("isnan") | (x.f("isinf") & y.f("isinf"))

    def part(p: Real) -> Real:
        one = Real(const(1.0, p.e.dtype)).f("copysign", p)
        bounded = where(size.same(0.0), 0.0, p / size)
        bounded = where(endless, where(p.f("isinf"), one, 0.0), bounded)
        return where(unknown, math.nan, bounded)

    return pair(part(x), part(y))


# ---------------------------------------------------------------------------- comparison and tests


def _both(op: str, a: Pair, b: Pair) -> tuple[Expr, Expr]:
    return scalar(op, a.re, b.re), scalar(op, a.im, b.im)


def eq(a: Pair, b: Pair) -> Expr:
    return scalar("and", *_both("eq", a, b), dtype=BOOL)


def ne(a: Pair, b: Pair) -> Expr:
    return scalar("or", *_both("ne", a, b), dtype=BOOL)


def _ordered(a: Pair, b: Pair, strict: str, tie: str) -> Expr:
    (ar, ai), (br, bi) = parts(a), parts(b)
    known = ~(ai.f("isnan") | bi.f("isnan"))
    return ((ar.f(strict, br) & known) | (ar.same(br) & ai.f(tie, bi))).e


def lt(a: Pair, b: Pair) -> Expr:
    return _ordered(a, b, "lt", "lt")


def le(a: Pair, b: Pair) -> Expr:
    return _ordered(a, b, "lt", "le")


def gt(a: Pair, b: Pair) -> Expr:
    return _ordered(a, b, "gt", "gt")


def ge(a: Pair, b: Pair) -> Expr:
    return _ordered(a, b, "gt", "ge")


def isnan(a: Pair) -> Expr:
    return scalar("or", scalar("isnan", a.re), scalar("isnan", a.im))


def isinf(a: Pair) -> Expr:
    return scalar("or", scalar("isinf", a.re), scalar("isinf", a.im))


def isfinite(a: Pair) -> Expr:
    return scalar("and", scalar("isfinite", a.re), scalar("isfinite", a.im))


def maximum(a: Pair, b: Pair) -> Pair:
    return _choose(Real(ge(a, b)) | Real(isnan(a)), a, b)


def minimum(a: Pair, b: Pair) -> Pair:
    return _choose(Real(le(a, b)) | Real(isnan(a)), a, b)


def fmax(a: Pair, b: Pair) -> Pair:
    return _choose(Real(ge(a, b)) | Real(isnan(b)), a, b)


def fmin(a: Pair, b: Pair) -> Pair:
    return _choose(Real(le(a, b)) | Real(isnan(b)), a, b)


# -------------------------------------------------------------------- square root, exp, logarithm


def _scaled(x: Real, y: Real, great: float, power: int) -> tuple[Real, Real, Real, Real]:
    """(x*s, y*s, small?, large?) with s a power of two that keeps squares of the greater part in
    range.
    """
    info = x.info
    size = magnitude(x).f("max", magnitude(y))
    large = size > float(info.max) * great
    small = size < float(info.tiny) * 2.0
    s = where(large, 0.25, where(small, 2.0**power, Real(const(1.0, x.e.dtype))))
    return x * s, y * s, small, large


def _even_digits(x: Real) -> int:
    """An even number of bits, enough to make a subnormal number a normal one."""
    return 2 * ((x.info.nmant + 4) // 2)


def sqrt(a: Pair) -> Pair:
    """With t = √((|x| + |z|)/2): (t, y/2t) on the right, (|y|/2t, ±t) on the left."""
    x, y = parts(a)
    bits = _even_digits(x)
    xs, ys, small, large = _scaled(x, y, 0.25, bits)
    t = ((magnitude(xs) + xs.f("hypot", ys)) * 0.5).f("sqrt")
    other = magnitude(ys) / (t + t)
    back = where(large, 2.0, where(small, 2.0 ** (-bits // 2), Real(const(1.0, x.e.dtype))))
    right = x >= 0.0
    re = where(right, t, other) * back
    im = where(right, other, t) * back
    nothing = x.same(0.0) & y.same(0.0)
    endless = y.f("isinf")
    re = where(nothing, 0.0, where(endless, math.inf, re))
    im = where(nothing | endless, magnitude(y), im)
    return pair(where(x.f("isnan") & ~endless, math.nan, re), im.f("copysign", y))


def _exp_scaled(x: Real) -> tuple[Real, float, Real]:
    """(e**(x - c), e**c, is the second needed?): e**x overflows before e**x·cos(y) does."""
    c = 40.0
    big = x > math.log(float(x.info.max)) - 8.0
    return where(big, x - c, x).f("exp"), math.exp(c), big


def exp(a: Pair) -> Pair:
    """e**x (cos y + i sin y); where x is -inf and y not finite, 0 with the sign of y."""
    x, y = parts(a)
    e, factor, big = _exp_scaled(x)
    f = where(big, factor, Real(const(1.0, x.e.dtype)))
    steady = y.f("isfinite")
    downward = ~steady & x.same(-math.inf)
    cos = where(downward, 0.0, y.f("cos"))
    sin = where(downward, Real(zero(y.e.dtype)).f("copysign", y), y.f("sin"))
    upward = ~steady & x.same(math.inf)  # NumPy: (inf, nan)
    re = where(y.same(0.0), e * f, e * cos * f)
    im = where(y.same(0.0), y, e * sin * f)
    return pair(where(upward, math.inf, re), im)


def exp2(a: Pair) -> Pair:
    """2**x (cos(y ln 2) + i sin(y ln 2))"""
    x, y = parts(a)
    return exp(pair(x * math.log(2.0), y * math.log(2.0)))


def expm1(a: Pair) -> Pair:
    """expm1(x) cos y - 2 sin²(y/2) + i e**x sin y; on the real axis the imaginary part stays 0,
    where NumPy has NaN if e**x is not finite."""
    x, y = parts(a)
    half = (y * 0.5).f("sin")
    im = where(y.same(0.0), y, x.f("exp") * y.f("sin"))
    return pair(x.f("expm1") * y.f("cos") - 2.0 * half * half, im)


def log_abs(x: Real, y: Real) -> Real:
    """ln √(x² + y²); near 1 by log1p((m-1)(m+1) + n²)/2, and scaled where hypot would leave the
    range.
    """
    bits = _even_digits(x)
    xs, ys, small, large = _scaled(x, y, 0.25, bits)
    h = xs.f("hypot", ys)
    m, n = magnitude(xs).f("max", magnitude(ys)), magnitude(xs).f("min", magnitude(ys))
    near = ((m - 1.0) * (m + 1.0) + n * n).f("log1p") * 0.5
    shift = where(
        large, math.log(4.0), where(small, -bits * math.log(2.0), Real(const(0.0, x.e.dtype)))
    )
    return where((h > 0.7) & (h < 1.5) & ~(small | large), near, h.f("log") + shift)


def log(a: Pair) -> Pair:
    """ln|z| + i arg z"""
    x, y = parts(a)
    return pair(log_abs(x, y), y.f("atan2", x))


def log2(a: Pair) -> Pair:
    re, im = parts(log(a))
    return pair(re * (1.0 / math.log(2.0)), im * (1.0 / math.log(2.0)))


def log10(a: Pair) -> Pair:
    re, im = parts(log(a))
    return pair(re * (1.0 / math.log(10.0)), im * (1.0 / math.log(10.0)))


def log1p(a: Pair) -> Pair:
    """ln|1 + z| + i arg(1 + z); near 0 by log1p(x(2 + x) + y²)/2. NumPy forms 1 + z and its
    square, which cancel near 0 and overflow.
    """
    x, y = parts(a)
    near = (magnitude(x) < 0.5) & (magnitude(y) < 0.5)
    re = where(near, (x * (x + 2.0) + y * y).f("log1p") * 0.5, log_abs(x + 1.0, y))
    return pair(re, y.f("atan2", x + 1.0))


def pow(a: Pair, b: Pair) -> Pair:
    """e**(b ln a); as NumPy by products where b is an integer under 100, so that powers of
    integers are integers; 0**b is 0 where Re b > 0, else NaN; a**0 is 1. Otherwise a part that is
    NaN, or infinite times infinite, gives NaN, where NumPy's product b ln a may have recovered an
    infinity (C99 Annex G).
    """
    (ar, ai), (br, bi) = parts(a), parts(b)
    one, none = const(1.0, br.e.dtype), const(0.0, br.e.dtype)
    n, unit = magnitude(br), Pair(one, none)
    found = exp(mul(b, log(a)))
    products = bi.same(0.0) & br.same(br.f("trunc")) & (n < 100.0)
    power = _power(a, where(products, n, 0.0))
    found = _choose(products, _choose(br < 0.0, div(unit, power), power), found)
    nothing = ar.same(0.0) & ai.same(0.0)
    limit = where(br > 0.0, 0.0, Real(const(math.nan, br.e.dtype)))
    found = _choose(nothing, pair(limit, limit), found)
    square = mul(a, a)
    for exponent, short in ((3.0, mul(a, square)), (2.0, square), (1.0, a), (0.0, unit)):
        found = _choose(bi.same(0.0) & br.same(exponent), short, found)
    return found


def _power(a: Pair, n: Real) -> Pair:
    """a**n by squaring, in NumPy's order; n is an integer from 0 to 127."""
    found = Pair(const(1.0, n.e.dtype), const(0.0, n.e.dtype))
    for _ in range(7):
        half = n * 0.5
        rest = half.f("trunc")
        found = _choose(half.same(rest), found, mul(found, a))
        a, n = mul(a, a), rest
    return found
