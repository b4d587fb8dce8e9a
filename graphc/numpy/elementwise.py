"""Elementwise functions of NumPy that are no ufuncs: angle, clip, round, isclose, nan_to_num, sinc,
i0...
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..types import BF16, BOOL, F16, F64
from . import ufuncs as u
from .dispatch import implements, value


def floating(x: Value) -> Value:
    """Integers and bools as f64; anything else as it is."""
    return cast(x, F64) if x.dtype.kind in "biu" else x


@implements(np.real)
def real(val: Any) -> Value:
    x = value(val)
    return e.REAL(x) if x.dtype.is_complex else x


@implements(np.imag)
def imag(val: Any) -> Value:
    x = value(val)
    return e.IMAG(x) if x.dtype.is_complex else full_like(x, 0)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Value:
    x = value(z)
    if x.dtype.is_complex:
        found = e.ATAN2(e.IMAG(x), e.REAL(x))
    else:
        found = u.arctan2(0, x)
    return u.multiply(found, 180 / math.pi) if deg else found


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Value:
    """Whether parts vanish is not known while tracing, so a complex array stays complex."""
    return value(a)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Value:
    z = value(x)
    return u.not_equal(e.IMAG(z), 0) if z.dtype.is_complex else build.full(z.shape, False, BOOL)


@implements(np.isreal)
def isreal(x: Any) -> Value:
    z = value(x)
    return u.equal(e.IMAG(z), 0) if z.dtype.is_complex else build.full(z.shape, True, BOOL)


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Value:
    return _infinite(x, False)


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Value:
    return _infinite(x, True)


def _infinite(x: Any, negative: bool) -> Value:
    z = value(x)
    if z.dtype.is_complex:
        raise TypeMismatch(
            "the sign of a complex infinity is not defined; take its real or imaginary part"
        )
    side = u.less(z, 0) if negative else u.greater(z, 0)
    return e.AND(u.isinf(z), side)


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    dtype: Any = None,
    where: Any = True,
    **options: Any,
) -> Value:
    """minimum(maximum(a, a_min), a_max); a NaN among the three gives NaN."""
    low, high = (a_min if a_min is not None else min), (a_max if a_max is not None else max)
    x = value(a)
    bounds = [b for b in (low, high) if b is not None]
    # the loop of np.clip takes all three operands at once: one dtype for them
    target = u.result_dtype(a, *bounds) if dtype is None else ty.dtype(dtype)
    bounds_of_integer = target.is_integer
    if low is not None and not (bounds_of_integer and _beyond(low, target, above=False)):
        x = u.maximum(cast(x, target), u.checked(low, target))
    if high is not None and not (bounds_of_integer and _beyond(high, target, above=True)):
        x = u.minimum(cast(x, target), u.checked(high, target))
    found = cast(x, target)
    return found if where is True else u.where(where, found, 0)


def _beyond(bound: Any, dtype: ty.DType, above: bool) -> bool:
    """Is a Python integer beyond all numbers of the dtype, so that it bounds nothing?"""
    if not isinstance(bound, int) or isinstance(bound, bool):
        return False
    limits = np.iinfo(dtype.numpy)
    return bound > limits.max if above else bound < limits.min


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Value:
    """rint(a * 10**d) / 10**d, as NumPy computes it; ties go to even."""
    x = value(a)
    if x.dtype is BOOL:
        x = cast(x, F16)
    if x.dtype.is_integer:
        if decimals >= 0:
            return x
        power = full_like(cast(x, F64), 10.0**-decimals)
        return cast(e.MUL(e.RINT(e.DIV(cast(x, F64), power)), power), x.dtype)
    if decimals == 0:
        return e.RINT(x)
    power = full_like(x, 10.0 ** abs(decimals))
    if decimals > 0:
        return e.DIV(e.RINT(e.MUL(x, power)), power)
    return e.MUL(e.RINT(e.DIV(x, power)), power)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Value:
    return u.trunc(x)


@implements(np.sinc)
def sinc(x: Any) -> Value:
    z = u.multiply(np.pi, floating(value(x)))
    small = full_like(z, 0)
    safe = e.SELECT(e.EQ(z, small), full_like(z, 1.0), z)
    return e.SELECT(e.EQ(z, small), full_like(z, 1), e.DIV(e.SIN(safe), safe))


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Value:
    z = value(x)
    if z.dtype.is_complex:
        parts = (nan_to_num(part(z), True, nan, posinf, neginf) for part in (e.REAL, e.IMAG))
        return e.COMPLEX(*parts)
    if not z.dtype.is_float:
        return z
    import ml_dtypes

    limits = ml_dtypes.finfo(z.dtype.numpy) if z.dtype is BF16 else np.finfo(z.dtype.numpy)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    zero = full_like(z, 0)
    found = u.where(e.ISNAN(z), value(nan, z.dtype), z)
    found = u.where(e.AND(e.ISINF(z), e.GT(z, zero)), value(high, z.dtype), found)
    return u.where(e.AND(e.ISINF(z), e.LT(z, zero)), value(low, z.dtype), found)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Value:
    """|a - b| <= atol + rtol*|b| where both are finite, a == b elsewhere."""
    x, y = value(a), value(b)
    if y.dtype.kind in "biu":
        y = cast(y, ty.promote(y.dtype, F64))
    near = u.less_equal(u.absolute(u.subtract(x, y)), u.add(atol, u.multiply(rtol, u.absolute(y))))
    found = u.logical_or(u.logical_and(near, u.isfinite(y)), u.equal(x, y))
    if equal_nan:
        found = u.logical_or(found, u.logical_and(u.isnan(x), u.isnan(y)))
    return found


_I0_SMALL = (
    -4.41534164647933937950e-18, 3.33079451882223809783e-17, -2.43127984654795469359e-16,
    1.71539128555513303061e-15, -1.16853328779934516808e-14, 7.67618549860493561688e-14,
    -4.85644678311192946090e-13, 2.95505266312963983461e-12, -1.72682629144155570723e-11,
    9.67580903537323691224e-11, -5.18979560163526290666e-10, 2.65982372468238665035e-9,
    -1.30002500998624804212e-8, 6.04699502254191894932e-8, -2.67079385394061173391e-7,
    1.11738753912010371815e-6, -4.41673835845875056359e-6, 1.64484480707288970893e-5,
    -5.75419501008210370398e-5, 1.88502885095841655729e-4, -5.76375574538582365885e-4,
    1.63947561694133579842e-3, -4.32430999505057594430e-3, 1.05464603945949983183e-2,
    -2.37374148058994688156e-2, 4.93052842396707084878e-2, -9.49010970480476444210e-2,
    1.71620901522208775349e-1, -3.04682672343198398683e-1, 6.76795274409476084995e-1,
)  # fmt: skip
_I0_LARGE = (
    -7.23318048787475395456e-18, -4.83050448594418207126e-18, 4.46562142029675999901e-17,
    3.46122286769746109310e-17, -2.82762398051658348494e-16, -3.42548561967721913462e-16,
    1.77256013305652638360e-15, 3.81168066935262242075e-15, -9.55484669882830764870e-15,
    -4.15056934728722208663e-14, 1.54008621752140982691e-14, 3.85277838274214270114e-13,
    7.18012445138366623367e-13, -1.79417853150680611778e-12, -1.32158118404477131188e-11,
    -3.14991652796324136454e-11, 1.18891471078464383424e-11, 4.94060238822496958910e-10,
    3.39623202570838634515e-9, 2.26666899049817806459e-8, 2.04891858946906374183e-7,
    2.89137052083475648297e-6, 6.88975834691682398426e-5, 3.36911647825569408990e-3,
    8.04490411014108831608e-1,
)  # fmt: skip


def chebyshev(x: Value, coefficients: tuple[float, ...]) -> Value:
    """Half of a Chebyshev sum, Clenshaw's recurrence (Source: Cephes chbevl)."""
    b0, b1, b2 = full_like(x, coefficients[0]), full_like(x, 0), full_like(x, 0)
    for one in coefficients[1:]:
        b2, b1 = b1, b0
        b0 = e.ADD(e.SUB(e.MUL(x, b1), b2), full_like(x, one))
    return e.MUL(e.SUB(b0, b2), full_like(x, 0.5))


def bessel_i0(x: Value) -> Value:
    """The modified Bessel function of order 0 of floats (Source: Cephes i0, as in numpy.i0)."""
    target = x.dtype
    z = e.ABS(cast(x, F64))
    eight, two = full_like(z, 8.0), full_like(z, 2.0)
    near = chebyshev(e.SUB(e.DIV(z, two), two), _I0_SMALL)
    safe = e.MAX(z, eight)
    far = e.DIV(chebyshev(e.SUB(e.DIV(full_like(z, 32.0), safe), two), _I0_LARGE), e.SQRT(safe))
    return cast(e.MUL(e.EXP(z), e.SELECT(e.LE(z, eight), near, far)), target)


@implements(np.i0)
def i0(x: Any) -> Value:
    z = value(x)
    if z.dtype.is_complex:
        raise TypeMismatch("i0 takes no complex numbers")
    return bessel_i0(floating(z))


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi) -> Value:
    from .joining import concatenate
    from .scans import cumsum, diff
    from .shaping import part

    x = value(p)
    axis = axis % len(x.shape)
    steps = diff(x, axis=axis)
    dtype = u.result_dtype(steps, period)
    discont = period / 2 if discont is None else discont
    if dtype.is_integer:
        high, low = divmod(period, 2)[0], -(period // 2)
        edge = divmod(period, 2)[1] == 0
    else:
        high, low, edge = period / 2, -period / 2, True
    steps = cast(steps, dtype)
    wrapped = u.add(u.remainder(u.subtract(steps, low), period), low)
    if edge:
        up = u.logical_and(u.equal(wrapped, low), u.greater(steps, 0))
        wrapped = u.where(up, high, wrapped)
    correction = u.subtract(wrapped, steps)
    correction = u.where(u.less(u.absolute(steps), discont), 0, correction)
    x = cast(x, dtype)
    head = part(x, axis, 0, 1)
    tail = u.add(part(x, axis, 1, x.shape[axis]), cumsum(correction, axis))
    return concatenate((head, tail), axis)


@implements(np.allclose)
def allclose(
    a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False
) -> Value:
    from .reductions import all as everywhere

    return everywhere(isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Value:
    from .reductions import all as everywhere

    x, y = value(a1), value(a2)
    if x.shape != y.shape:
        return build.constant(False)
    same = u.equal(x, y)
    if equal_nan and x.dtype.kind in "fc" and y.dtype.kind in "fc":
        same = e.OR(same, e.AND(u.isnan(x), u.isnan(y)))
    return everywhere(same)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Value:
    from .reductions import all as everywhere

    x, y = value(a1), value(a2)
    try:
        ty.broadcast_shapes(x.shape, y.shape)
    except ty.ShapeMismatch:
        return build.constant(False)
    return everywhere(u.equal(x, y))


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Value:
    return cast(value(x), ty.dtype(dtype))
