"""Functions of samples along an axis: differences, integrals, convolution, interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError
from ..ir import Value
from ..ops import build
from ..ops.build import cast
from ..ops.indexing import GATHER
from ..ops.movement import PAD
from ..types import F64
from . import reductions as r
from . import scans
from . import ufuncs as u
from .dispatch import axes_of, axis_of, implements, is_traced, value
from .joining import concatenate
from .products import contract
from .rearranging import flip
from .shaping import at, part, ravel, reshape


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Value:
    x = ravel(ary)
    if isinstance(x.shape[0], int) and x.shape[0] == 0:
        steps = x
    else:
        steps = scans.diff(x)
    ends = [None if v is None else ravel(value(v, steps.dtype)) for v in (to_begin, to_end)]
    return concatenate([p for p in (ends[0], steps, ends[1]) if p is not None], 0)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Value:
    z = value(y)
    axis = axis_of(axis, len(z.shape))
    n = z.shape[axis]
    if x is None:
        step: Any = dx
    else:
        steps = scans.diff(x, axis=axis if len(value(x).shape) > 1 else -1)
        step = steps
        if len(steps.shape) == 1:
            step = reshape(steps, tuple(-1 if d == axis else 1 for d in range(len(z.shape))))
    both = u.add(part(z, axis, 1, n), part(z, axis, 0, n - 1))
    return r.sum(u.divide(u.multiply(step, both), 2.0), axis)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences inside, one-sided ones of the stated order at both ends."""
    x = value(f)
    axes = axes_of(axis, len(x.shape)) if axis is not None else tuple(range(len(x.shape)))
    if not varargs:
        steps: list[Any] = [1.0] * len(axes)
    elif len(varargs) == 1 and (not is_traced(varargs[0]) and np.ndim(varargs[0]) == 0):
        steps = list(varargs) * len(axes)
    elif len(varargs) == len(axes):
        steps = list(varargs)
    elif len(varargs) == 1 and not value(varargs[0]).shape:
        steps = list(varargs) * len(axes)
    else:
        raise TypeError("invalid number of arguments")
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    if x.dtype.kind in "biu":
        x = cast(x, F64)
    found = [
        _gradient_along(x, step, one, edge_order) for step, one in zip(steps, axes, strict=True)
    ]
    return (
        found[0]
        if len(found) == 1 and (axis is None or not isinstance(axis, tuple))
        else tuple(found)
    )


def _gradient_along(x: Value, step: Any, axis: int, edge_order: int) -> Value:
    n = x.shape[axis]
    if isinstance(n, int) and n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, "
            "at least (edge_order + 1) elements are required."
        )

    def piece(start: ty.Extent, stop: ty.Extent) -> Value:
        return part(x, axis, start, stop)

    given = value(step) if is_traced(step) or not isinstance(step, (int, float)) else None
    if given is None or not given.shape:
        h: Any = step if given is None else given
        inner = u.divide(
            u.subtract(piece(2, n), piece(0, n - 2)),
            2.0 * h if isinstance(h, (int, float)) else u.multiply(2.0, h),
        )
        first = _edge_even(piece, h, n, edge_order, False)
        last = _edge_even(piece, h, n, edge_order, True)
        return concatenate((first, inner, last), axis)
    if given.shape[0] != n:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    h = scans.diff(cast(given, F64) if given.dtype.kind in "biu" else given)
    m = n - 1
    spread = reshape(h, tuple(-1 if d == axis else 1 for d in range(len(x.shape))))
    h0, h1 = part(spread, axis, 0, m - 1), part(spread, axis, 1, m)
    a = u.divide(u.negative(h1), u.multiply(h0, u.add(h0, h1)))
    b = u.divide(u.subtract(h1, h0), u.multiply(h0, h1))
    c = u.divide(h0, u.multiply(h1, u.add(h0, h1)))
    inner = u.add(
        u.add(u.multiply(a, piece(0, n - 2)), u.multiply(b, piece(1, n - 1))),
        u.multiply(c, piece(2, n)),
    )
    first = _edge_uneven(piece, h, n, edge_order, False)
    last = _edge_uneven(piece, h, n, edge_order, True)
    return concatenate((first, inner, last), axis)


def _edge_even(piece: Any, h: Any, n: Any, order: int, last: bool) -> Value:
    if order == 1:
        pair = (piece(n - 1, n), piece(n - 2, n - 1)) if last else (piece(1, 2), piece(0, 1))
        return u.divide(u.subtract(*pair), h)
    if last:
        terms = ((0.5, piece(n - 3, n - 2)), (-2.0, piece(n - 2, n - 1)), (1.5, piece(n - 1, n)))
    else:
        terms = ((-1.5, piece(0, 1)), (2.0, piece(1, 2)), (-0.5, piece(2, 3)))
    products = [
        u.multiply(factor / h if isinstance(h, (int, float)) else u.divide(factor, h), one)
        for factor, one in terms
    ]
    return u.add(u.add(products[0], products[1]), products[2])


def _edge_uneven(piece: Any, h: Value, n: Any, order: int, last: bool) -> Value:
    if order == 1:
        pair = (piece(n - 1, n), piece(n - 2, n - 1)) if last else (piece(1, 2), piece(0, 1))
        return u.divide(u.subtract(*pair), at(h, 0, n - 2 if last else 0))
    near, far = (at(h, 0, n - 2), at(h, 0, n - 3)) if last else (at(h, 0, 0), at(h, 0, 1))
    total = u.add(near, far)
    outer = u.divide(near, u.multiply(far, total))
    middle = u.divide(total, u.multiply(near, far))
    own = u.divide(u.add(u.multiply(2.0, near), far), u.multiply(near, total))
    if last:
        a, b, c = outer, u.negative(middle), own
        p = (piece(n - 3, n - 2), piece(n - 2, n - 1), piece(n - 1, n))
    else:
        a, b, c = u.negative(own), middle, u.negative(outer)
        p = (piece(0, 1), piece(1, 2), piece(2, 3))
    return u.add(u.add(u.multiply(a, p[0]), u.multiply(b, p[1])), u.multiply(c, p[2]))


# ------------------------------------------------------------------------------------ convolution


def _full_correlation(a: Value, v: Value) -> Value:
    """sum_j a[k + j - (m - 1)] * v[j] for all k where the two overlap; a f[n], v f[m] -> f[n + m -
    1].
    """
    n, m = a.shape[0], v.shape[0]
    zero = build.zeros((), a.dtype)
    padded = PAD(a, zero, low=(m - 1,), high=(m - 1,), interior=(0,))
    count = n + m - 1
    if isinstance(m, int) and m <= 16:  # few taps: shifted products, which fuse
        found: Any = None
        for j in range(m):
            term = u.multiply(part(padded, 0, j, count + j), at(v, 0, j))
            found = term if found is None else u.add(found, term)
        return found
    places = u.add(build.iota((count, m), 0), build.iota((count, m), 1))
    windows = GATHER(padded, places, axes=(0,), mode="promise")
    return contract(windows, v, ((1,), (0,)))


def _restricted(found: Value, n: Any, m: Any, mode: Any) -> Value:
    """The part of a full result that `mode` keeps; n is the longer operand."""
    modes = {"full": "full", "same": "same", "valid": "valid", 0: "valid", 1: "same", 2: "full"}
    chosen = modes.get(mode)
    if chosen is None:
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    if chosen == "full":
        return found
    if chosen == "same":
        start = (m - 1) // 2
        return part(found, 0, start, start + n)
    return part(found, 0, m - 1, n)


def _operands(a: Any, v: Any) -> tuple[Value, Value]:
    x, y = value(a), value(v)
    dtype = u.result_dtype(x, y)
    x, y = (cast(z if z.shape else reshape(z, (1,)), dtype) for z in (x, y))
    for z in (x, y):
        if len(z.shape) != 1:
            raise ShapeMismatch(f"convolve and correlate take one axis each, got {z.type}")
        if z.shape[0] == 0:
            raise ValueError("a and v cannot be empty")
    return x, y


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Value:
    x, y = _operands(a, v)
    n, m = x.shape[0], y.shape[0]
    if isinstance(n, int) and isinstance(m, int) and m > n:
        x, y, n, m = y, x, m, n
    return _restricted(_full_correlation(x, flip(y)), n, m, mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Value:
    """c[k] = sum_n a[n + k] * conj(v[n])."""
    x, y = _operands(a, v)
    n, m = x.shape[0], y.shape[0]
    y = u.conjugate(y) if y.dtype.is_complex else y
    if isinstance(n, int) and isinstance(m, int) and m > n:
        found = flip(_full_correlation(y, x))
        modes = {"same": 1, 1: 1}
        if mode in modes:  # NumPy swaps the operands and turns the result round
            return flip(_restricted(flip(found), m, n, mode))
        return _restricted(found, m, n, mode)
    return _restricted(_full_correlation(x, y), n, m, mode)


# ----------------------------------------------------------------------------------- interpolation


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Value:
    """Linear interpolation in f64 between increasing sample points; constant outside."""
    if period is not None:
        raise TraceError(
            "interp with a period cannot be traced; take the remainder and extend the samples first"
        )
    places, samples = value(x, F64), value(xp, F64)
    heights = value(fp)
    heights = cast(heights, ty.C128 if heights.dtype.is_complex else F64)
    n = samples.shape[0]
    if n == 0:
        raise ValueError("array of sample points is empty")
    from ..ops.ordering import SEARCHSORTED

    after = SEARCHSORTED(samples, places, side="right")
    last = build.extent(n - 1)
    j = u.maximum(u.minimum(u.subtract(after, 1), u.subtract(last, 1)), 0)
    k = u.minimum(u.add(j, 1), last)

    def taken(table: Value, index: Value) -> Value:
        return GATHER(table, index, axes=(0,), mode="promise")

    x0, x1, y0, y1 = taken(samples, j), taken(samples, k), taken(heights, j), taken(heights, k)
    width = u.subtract(x1, x0)
    slope = u.divide(u.subtract(y1, y0), u.where(u.equal(width, 0.0), 1.0, width))
    found = u.add(u.multiply(slope, u.subtract(places, x0)), y0)
    if not found.dtype.is_complex:
        other = u.add(u.multiply(slope, u.subtract(places, x1)), y1)  # where an infinity gave NaN
        found = u.where(
            u.isnan(found), u.where(u.isnan(other) if n != 1 else True, y0, other), found
        )
        found = u.where(u.equal(y0, y1), y0, found)
    found = u.where(u.equal(places, x0), y0, found)
    first, final = at(heights, 0, 0), at(heights, 0, n - 1)
    found = u.where(
        u.less(places, at(samples, 0, 0)), first if left is None else value(left), found
    )
    beyond = u.greater(places, at(samples, 0, n - 1))
    found = u.where(u.equal(places, at(samples, 0, n - 1)), final, found)
    found = u.where(beyond, final if right is None else value(right), found)
    return cast(u.where(u.isnan(places), cast(places, found.dtype), found), found.dtype)
