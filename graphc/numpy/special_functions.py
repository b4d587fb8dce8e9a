"""Functions of scipy.special, under its names. SciPy is not imported; its ufuncs find these by
their names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..errors import TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.formula import Formula
from ..types import BF16, F16, F32, F64
from . import reductions as r
from . import ufuncs as u
from .dispatch import axes_of, implements, value
from .elementwise import bessel_i0


def _float(*operands: Any) -> tuple[Value, ...]:
    """The operands with one shape and one float dtype: f32 for f16 and f32, f64 for f64 and
    integers.
    """
    dtype = u.result_dtype(*operands)
    if dtype.is_complex:
        raise TypeMismatch("the functions of graphc.numpy.special take real numbers")
    if dtype.kind in "biu":
        dtype = F64
    elif dtype is F16:
        dtype = F32
    return build.broadcast(*(value(x, dtype) for x in operands))


def _entered(function: Callable[..., Value]) -> Callable[..., Value]:
    return implements(name=f"special.{function.__name__}")(function)


def _number(x: Value, number: float) -> Value:
    return full_like(x, number)


@_entered
def erf(x: Any, /, out: Any = None) -> Value:
    (z,) = _float(x)
    return e.ERF(z)


@_entered
def erfc(x: Any, /, out: Any = None) -> Value:
    (z,) = _float(x)
    return e.ERFC(z)


@_entered
def gammaln(x: Any, /, out: Any = None) -> Value:
    (z,) = _float(x)
    return e.LGAMMA(z)


@_entered
def ndtr(x: Any, /, out: Any = None) -> Value:
    (z,) = _float(x)
    half = _number(z, 0.5)
    return e.MUL(half, e.ERFC(e.MUL(z, _number(z, -math.sqrt(0.5)))))


def _quantile(tail: Formula, rest: Formula) -> Formula:
    """The z >= 0 above which the normal distribution has the area `tail` = 1/2 - `rest`.

    A rational start (error below 4.5e-4), then two of Halley's steps, which triple the digits. Near
    the middle the difference of areas is taken between it and z, where it has all its digits, and
    at the middle z is proportional to the rest.
    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23
    """
    t = (tail.f("log") * -2.0).f("sqrt")
    top = (t * 0.010328 + 0.802853) * t + 2.515517
    z = t - top / (((t * 0.001308 + 0.189269) * t + 1.432788) * t + 1.0)
    middle = tail.f("gt", 0.25)
    for _ in range(2):
        x = z * math.sqrt(0.5)
        error = middle.where(rest - x.f("erf") * 0.5, x.f("erfc") * 0.5 - tail)
        step = error * math.sqrt(2 * math.pi) / (z * z * -0.5).f("exp")
        z = z + step / (1.0 - step * z * 0.5)
    z = tail.f("eq", 0.0).where(math.inf, z)
    return rest.f("lt", 1e-8).where(rest * math.sqrt(2 * math.pi), z)


@_entered
def ndtri(y: Any, /, out: Any = None) -> Value:
    """The x with ndtr(x) = y."""
    p = Formula(*_float(y))
    left = p.f("lt", 0.5)
    z = _quantile(left.where(p, 1.0 - p), (p - 0.5).f("abs"))
    return left.where(-z, z).value


@_entered
def erfinv(y: Any, /, out: Any = None) -> Value:
    """The x with erf(x) = y."""
    p = Formula(*_float(y))
    size = p.f("abs")
    return (_quantile((1.0 - size) * 0.5, size * 0.5) * math.sqrt(0.5)).f("copysign", p).value


@_entered
def erfcinv(y: Any, /, out: Any = None) -> Value:
    """The x with erfc(x) = y."""
    p = Formula(*_float(y))
    right = p.f("lt", 1.0)
    z = _quantile(right.where(p, 2.0 - p) * 0.5, (p - 1.0).f("abs") * 0.5) * math.sqrt(0.5)
    return right.where(z, -z).value


@_entered
def expit(x: Any, /, out: Any = None) -> Value:
    """1 / (1 + e**-x), by the exponential that does not overflow."""
    (z,) = _float(x)
    small = e.EXP(e.NEG(e.ABS(z)))
    one = _number(z, 1)
    top = e.SELECT(e.GE(z, _number(z, 0)), one, small)
    return e.SELECT(e.ISNAN(z), z, e.DIV(top, e.ADD(one, small)))


@_entered
def log_expit(x: Any, /, out: Any = None) -> Value:
    (z,) = _float(x)
    return e.SUB(e.MIN(z, _number(z, 0)), e.LOG1P(e.EXP(e.NEG(e.ABS(z)))))


@_entered
def logit(x: Any, /, out: Any = None) -> Value:
    """ln(x / (1 - x)); near 1/2 by log1p."""
    (z,) = _float(x)
    one = _number(z, 1)
    distance = e.MUL(_number(z, 2), e.SUB(z, _number(z, 0.5)))
    near = e.SUB(e.LOG1P(distance), e.LOG1P(e.NEG(distance)))
    far = e.LOG(e.DIV(z, e.SUB(one, z)))
    inside = e.AND(e.GE(z, _number(z, 0.3)), e.LE(z, _number(z, 0.65)))
    return e.SELECT(inside, near, far)


@_entered
def xlogy(x: Any, y: Any, /, out: Any = None) -> Value:
    """x * ln(y), and 0 where x is 0 and y is a number."""
    a, b = _float(x, y)
    zero = _number(a, 0)
    nothing = e.AND(e.EQ(a, zero), e.NOT(e.ISNAN(b)))
    return e.SELECT(nothing, zero, e.MUL(a, e.LOG(b)))


@_entered
def xlog1py(x: Any, y: Any, /, out: Any = None) -> Value:
    """x * ln(1 + y), and 0 where x is 0 and y is a number."""
    a, b = _float(x, y)
    zero = _number(a, 0)
    nothing = e.AND(e.EQ(a, zero), e.NOT(e.ISNAN(b)))
    return e.SELECT(nothing, zero, e.MUL(a, e.LOG1P(b)))


@_entered
def entr(x: Any, /, out: Any = None) -> Value:
    """-x ln(x), 0 at 0, -infinity below."""
    (z,) = _float(x)
    zero = _number(z, 0)
    positive = e.NEG(e.MUL(z, e.LOG(z)))
    found = e.SELECT(e.EQ(z, zero), zero, e.SELECT(e.LT(z, zero), _number(z, -math.inf), positive))
    return e.SELECT(e.ISNAN(z), z, found)


def _relative(x: Any, y: Any, correct: bool) -> Value:
    a, b = _float(x, y)
    zero = _number(a, 0)
    both = e.AND(e.GT(a, zero), e.GT(b, zero))
    found = e.MUL(a, e.LOG(e.DIV(a, b)))
    if correct:
        found = e.ADD(e.SUB(found, a), b)
    edge = e.AND(e.EQ(a, zero), e.GE(b, zero))
    outside = e.SELECT(edge, b if correct else zero, _number(a, math.inf))
    found = e.SELECT(both, found, outside)
    return e.SELECT(e.OR(e.ISNAN(a), e.ISNAN(b)), e.ADD(a, b), found)


@_entered
def rel_entr(x: Any, y: Any, /, out: Any = None) -> Value:
    return _relative(x, y, False)


@_entered
def kl_div(x: Any, y: Any, /, out: Any = None) -> Value:
    return _relative(x, y, True)


@_entered
def exp10(x: Any, /, out: Any = None) -> Value:
    (z,) = _float(x)
    return e.POW(_number(z, 10), z)


@_entered
def i0(x: Any, /, out: Any = None) -> Value:
    (z,) = _float(x)
    return bessel_i0(z)


_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


@_entered
def psi(x: Any, /, out: Any = None) -> Value:
    """The digamma function: reflected to x > 0, raised above 10, then the asymptotic series (in
    f64).
    """
    (given,) = _float(x)
    z = cast(given, F64)
    one, half = _number(z, 1.0), _number(z, 0.5)
    negative = e.LE(z, _number(z, 0.0))
    y = e.SELECT(negative, e.SUB(one, z), z)
    total = _number(z, 0.0)
    for _ in range(10):
        low = e.LT(y, _number(z, 10.0))
        total = e.SELECT(low, e.SUB(total, e.DIV(one, y)), total)
        y = e.SELECT(low, e.ADD(y, one), y)
    inverse = e.DIV(one, e.MUL(y, y))
    series = _number(z, 0.0)
    for coefficient in reversed(_DIGAMMA):
        series = e.MUL(e.ADD(series, _number(z, coefficient)), inverse)
    found = e.SUB(e.SUB(e.LOG(y), e.DIV(half, y)), series)
    found = e.ADD(found, total)
    fraction = e.SUB(z, e.RINT(z))
    angle = e.MUL(fraction, _number(z, math.pi))
    reflected = e.SUB(found, e.DIV(_number(z, math.pi), e.TAN(angle)))
    pole = e.AND(negative, e.EQ(fraction, _number(z, 0.0)))
    found = e.SELECT(negative, e.SELECT(pole, _number(z, math.nan), reflected), found)
    zero = e.EQ(z, _number(z, 0.0))
    found = e.SELECT(zero, e.NEG(e.COPYSIGN(_number(z, math.inf), z)), found)
    return cast(found, given.dtype)


implements(name="special.digamma")(psi)
implements(name="special.loggamma")(gammaln)


# -------------------------------------------------------------------------------- along an axis


def _soft(x: Any) -> Value:
    z = value(x)
    if z.dtype.kind in "biu":
        return cast(z, F64)
    return cast(z, F32) if z.dtype in (F16, BF16) else z


def _narrowed(found: Value, x: Any) -> Value:
    dtype = value(x).dtype
    return cast(found, dtype) if dtype in (F16, BF16) else found


@_entered
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False,
              return_sign: bool = False) -> Any:  # fmt: skip
    """ln(sum(b * e**a)), the greatest a taken out first."""
    x = _soft(a)
    weights = None if b is None else value(b, x.dtype)
    if weights is not None:
        x, weights = build.broadcast(x, weights)
        x = u.where(u.equal(weights, 0), _number(x, -math.inf), x)
    axes = axes_of(axis, len(x.shape))
    greatest = r.max(x, axes, keepdims=True)
    finite = u.where(u.isfinite(greatest), greatest, _number(greatest, 0))
    terms = e.EXP(u.subtract(x, finite))
    terms = terms if weights is None else e.MUL(terms, weights)
    total = r.sum(terms, axes, keepdims=True)
    sign = e.SIGN(total)
    found = u.add(e.LOG(e.ABS(total) if return_sign else total), finite)
    if not keepdims:
        found, sign = (_unkept(v, axes) for v in (found, sign))
    found = _narrowed(found, a)
    return (found, sign) if return_sign else found


def _unkept(x: Value, axes: tuple[int, ...]) -> Value:
    from .shaping import reshape

    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in axes))


@_entered
def softmax(x: Any, axis: Any = None) -> Value:
    """e**x / sum(e**x), the greatest x taken out first."""
    z = _soft(x)
    axes = axes_of(axis, len(z.shape))
    powers = e.EXP(u.subtract(z, r.max(z, axes, keepdims=True)))
    return _narrowed(u.divide(powers, r.sum(powers, axes, keepdims=True)), x)


@_entered
def log_softmax(x: Any, axis: Any = None) -> Value:
    z = _soft(x)
    axes = axes_of(axis, len(z.shape))
    greatest = r.max(z, axes, keepdims=True)
    finite = u.where(u.isfinite(greatest), greatest, _number(greatest, 0))
    shifted = u.subtract(z, finite)
    total = e.LOG(r.sum(e.EXP(shifted), axes, keepdims=True))
    return _narrowed(u.subtract(shifted, total), x)


SCIPY = (
    "erf", "erfc", "erfinv", "erfcinv", "gammaln", "ndtr", "ndtri", "expit", "log_expit", "logit",
    "xlogy", "xlog1py", "entr", "rel_entr", "kl_div", "exp10", "i0", "psi",
)  # fmt: skip
"""The names of scipy.special's ufuncs that mean these functions."""
