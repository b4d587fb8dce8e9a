"""Arrays out of static data, shapes that may be symbolic, and nested lists with traced entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.movement import CONCATENATE, RESHAPE
from ..types import F64, I64, Dim, DType
from . import ufuncs as u
from .dispatch import extents, implements, is_traced, number, static, value, wrap


def _dtype(dtype: Any, default: DType) -> DType:
    return default if dtype is None else ty.dtype(dtype)


# ---------------------------------------------------------------------------- nested lists, arrays


def nested(x: Any) -> Value:
    """Nested lists of tracers, arrays, extents and numbers as one value: stacked, level by level.

    Raises:
        ShapeMismatch: when the entries of a level differ in shape.
    """
    dtype = u.result_dtype(*_leaves(x))
    return _stacked(x, dtype)


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, (list, tuple)):
        return [leaf for one in x for leaf in _leaves(one)] or [0.0]
    return [x]


def _stacked(x: Any, dtype: DType) -> Value:
    if not isinstance(x, (list, tuple)):
        return value(x, dtype)
    parts = [_stacked(one, dtype) for one in x]
    if not parts:
        return build.zeros((0,), dtype)
    for k, part in enumerate(parts):
        if part.shape != parts[0].shape:
            raise ShapeMismatch(
                f"entry {k} of a list is {part.type} and entry 0 is {parts[0].type}; an array "
                "needs one shape"
            )
    return CONCATENATE(*(RESHAPE(p, shape=(1, *p.shape)) for p in parts), axis=0)


def _array(a: Any, dtype: Any = None, ndmin: int = 0) -> Value:
    x = value(a)
    x = x if dtype is None else cast(x, ty.dtype(dtype))
    missing = ndmin - len(x.shape)
    return RESHAPE(x, shape=(*(1,) * missing, *x.shape)) if missing > 0 else x


@implements(np.array, creation=True)
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
    ndmax: int = 0,
) -> Value:
    return _array(object, dtype, ndmin)


@implements(np.asarray)
def asarray(a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: Any = None,
            like: Any = None) -> Value:  # fmt: skip
    return _array(a, dtype)


@implements(np.asanyarray)
def asanyarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: Any = None,
    like: Any = None,
) -> Value:
    return _array(a, dtype)


@implements(np.ascontiguousarray)
def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> Value:
    return _array(a, dtype, 1)


@implements(np.asfortranarray)
def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> Value:
    return _array(a, dtype, 1)


@implements(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Value:
    """The check is left out: use jit(debug="nan")."""
    return _array(a, dtype)


@implements(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Value:
    return _array(a, dtype)


@implements(np.copy)
def copy(a: Any, order: Any = "K", subok: bool = False) -> Value:
    return value(a)


# ------------------------------------------------------------------------------------ one number


@implements(np.zeros, creation=True)
def zeros(
    shape: Any, dtype: Any = float, order: Any = "C", *, device: Any = None, like: Any = None
) -> Value:
    return build.full(extents(shape), 0, _dtype(dtype, F64))


@implements(np.ones, creation=True)
def ones(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Value:
    return build.full(extents(shape), 1, _dtype(dtype, F64))


@implements(np.empty, creation=True)
def empty(
    shape: Any, dtype: Any = float, order: Any = "C", *, device: Any = None, like: Any = None
) -> Value:
    """Zeros: what is undefined in NumPy is 0 here."""
    return build.full(extents(shape), 0, _dtype(dtype, F64))


@implements(np.full, creation=True)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *, device: Any = None,
         like: Any = None) -> Value:  # fmt: skip
    # np.full converts as np.array does: Python numbers get the default dtypes
    return build.broadcast_to(
        value(fill_value, None if dtype is None else ty.dtype(dtype)), extents(shape)
    )


def _like(a: Any, number: Any, dtype: Any, shape: Any) -> Value:
    x = value(a)
    return build.broadcast_to(
        value(number, _dtype(dtype, x.dtype)), x.shape if shape is None else extents(shape)
    )


@implements(np.zeros_like, creation=True)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Value:
    return _like(a, 0, dtype, shape)


@implements(np.ones_like, creation=True)
def ones_like(a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, *,
              device: Any = None) -> Value:  # fmt: skip
    return _like(a, 1, dtype, shape)


@implements(np.empty_like, creation=True)
def empty_like(prototype: Any, /, dtype: Any = None, order: Any = "K", subok: bool = True,
               shape: Any = None, *, device: Any = None) -> Value:  # fmt: skip
    return _like(prototype, 0, dtype, shape)


@implements(np.full_like, name="full_like", creation=True)
def full_like_(a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
               shape: Any = None, *, device: Any = None) -> Value:  # fmt: skip
    return _like(a, fill_value, dtype, shape)


# ----------------------------------------------------------------------------------------- ranges


@implements(np.arange, creation=True)
def arange(start: Any, /, stop: Any = None, step: Any = 1, dtype: Any = None, *, device: Any = None,
           like: Any = None) -> Value:  # fmt: skip
    """Numbers: NumPy's own result. With extents: start and stop may be symbolic, step is a
    number.
    """
    start, stop = (0, start) if stop is None else (start, stop)
    static((start, stop, step), "the range of arange")
    step = 1 if step is None else step
    if not any(isinstance(x, Dim) for x in (start, stop, step)):
        return value(np.arange(start, stop, step, dtype))  # type: ignore[call-overload]
    length = stop - start
    count = length if step == 1 else (length + (step - 1)) // step
    target = _dtype(dtype, I64)
    positions = build.iota((count,), 0, I64)
    found = (
        u.add(u.multiply(positions, step), build.extent(start))
        if start != 0
        else u.multiply(positions, step)
    )
    return cast(found, target)


@implements(np.linspace, creation=True)
def linspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False,
             dtype: Any = None, axis: int = 0, *, device: Any = None) -> Any:  # fmt: skip
    """start + k*step as NumPy computes it, the end point exact."""
    count = static(num, "the number of points")
    if not is_traced((start, stop)) and not isinstance(count, Dim):
        found: Any = np.linspace(start, stop, count, endpoint, retstep, dtype, axis)  # type: ignore
        return tuple(value(f) for f in found) if retstep else value(found)
    low, high = value(start), value(stop)
    exact = u.result_dtype(start, stop, 0.0)
    target = _dtype(dtype, exact)
    low, high = build.broadcast(cast(low, exact), cast(high, exact))
    gaps = count - 1 if endpoint else count
    span = e.SUB(high, low)
    positions = build.iota((count,), 0, exact.real)
    positions = cast(positions, exact)
    positions = RESHAPE(positions, shape=(count, *(1,) * len(low.shape)))
    divisor = build.extent(gaps, exact)
    if gaps == 0:
        step = full_like(span, math.nan)
        found = u.add(u.multiply(positions, span), low)
    else:
        step = u.divide(span, divisor)
        # a step that underflows to 0 is not multiplied but the position is divided
        whole = u.add(u.multiply(positions, step), low)
        apart = u.add(u.multiply(u.divide(positions, divisor), span), low)
        found = u.where(u.equal(step, 0), apart, whole)
    if endpoint and count != 1:
        last = u.equal(positions, build.extent(count - 1, exact))
        found = u.where(last, high, found)
    if target.is_integer:
        found = u.floor(found)
    found = cast(found, target)
    from .shaping import moveaxis

    found = moveaxis(found, 0, axis) if axis else found
    return (found, step) if retstep else found


@implements(np.logspace, creation=True)
def logspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0,
             dtype: Any = None, axis: int = 0) -> Value:  # fmt: skip
    if not is_traced((start, stop, base)) and not isinstance(num, Dim):
        return value(np.logspace(start, stop, num, endpoint, base, dtype, axis))
    found = u.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return found if dtype is None else cast(found, ty.dtype(dtype))


@implements(np.geomspace, creation=True)
def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None,
              axis: int = 0) -> Value:  # fmt: skip
    """Of real numbers with one sign; the end points are exact."""
    if not is_traced((start, stop)) and not isinstance(num, Dim):
        return value(np.geomspace(start, stop, num, endpoint, dtype, axis))
    low, high = value(start), value(stop)
    if low.dtype.is_complex or high.dtype.is_complex:
        raise TraceError(
            "geomspace of traced complex numbers is not there; take exp of linspace of logs"
        )
    sign = u.sign(low)
    exponents = linspace(
        u.log10(u.multiply(low, sign)), u.log10(u.multiply(high, sign)), num, endpoint, axis=0
    )
    found = u.multiply(u.power(10.0, exponents), sign)
    place = build.iota(found.shape, 0, I64)
    found = u.where(u.equal(place, 0), low, found)
    if endpoint and num != 1:
        found = u.where(u.equal(place, build.extent(num - 1)), high, found)
    from .shaping import moveaxis

    found = moveaxis(found, 0, axis) if axis else found
    return found if dtype is None else cast(found, ty.dtype(dtype))


# --------------------------------------------------------------------------------------- matrices


def _below(n: Any, m: Any, k: int) -> Value:
    """bool[n, m]: column <= row + k."""
    rows, columns = build.iota((n, m), 0, I64), build.iota((n, m), 1, I64)
    return u.less_equal(columns, u.add(rows, k))


@implements(np.eye, creation=True)
def eye(
    N: Any,
    M: Any = None,
    k: int = 0,
    dtype: Any = float,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Value:
    (n,), (m,) = extents(N), extents(N if M is None else M)
    rows, columns = build.iota((n, m), 0, I64), build.iota((n, m), 1, I64)
    return cast(u.equal(columns, u.add(rows, int(k))), _dtype(dtype, F64))


@implements(np.identity, creation=True)
def identity(n: Any, dtype: Any = None, *, like: Any = None) -> Value:
    return eye(n, dtype=_dtype(dtype, F64))


@implements(np.tri, creation=True)
def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = float, *, like: Any = None) -> Value:
    (n,), (m,) = extents(N), extents(N if M is None else M)
    return cast(_below(n, m, int(k)), _dtype(dtype, F64))


def _triangle(m: Any, k: int, lower: bool) -> Value:
    x = value(m)
    if len(x.shape) == 1:
        x = build.broadcast_to(x, (x.shape[0], x.shape[0]))
    if not x.shape:
        raise ShapeMismatch("tril and triu take an array of at least one axis")
    n, m = x.shape[-2:]
    mask = build.broadcast_to(_below(n, m, k if lower else k - 1), x.shape)
    zero = full_like(x, 0)
    return e.SELECT(mask, x, zero) if lower else e.SELECT(mask, zero, x)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Value:
    return _triangle(m, int(k), True)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Value:
    return _triangle(m, int(k), False)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Value:
    x = value(v)
    if len(x.shape) == 2:
        from .indexing import diagonal

        return diagonal(x, k)
    if len(x.shape) != 1:
        raise ShapeMismatch(f"diag takes one or two axes, got {x.type}")
    k = int(k)
    n = x.shape[0] + abs(k)
    spread = build.broadcast_to(pad_by(x, max(k, 0), max(-k, 0)), (n, n))
    rows, columns = build.iota((n, n), 0, I64), build.iota((n, n), 1, I64)
    # the entry of column j stands in row j - k; padding moved it to place j
    return e.SELECT(u.equal(columns, u.add(rows, k)), spread, full_like(spread, 0))


def pad_by(x: Value, low: Any, high: Any, axis: int = 0) -> Value:
    """Zeros before and after along one axis."""
    from ..ops.movement import PAD

    edges = [[0] * len(x.shape), [0] * len(x.shape)]
    edges[0][axis], edges[1][axis] = low, high
    zero = build.zeros((), x.dtype)
    return PAD(x, zero, low=tuple(edges[0]), high=tuple(edges[1]), interior=(0,) * len(x.shape))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Value:
    from .shaping import ravel

    return diag(ravel(v), k)


@implements(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Value:
    z = value(x)
    n = number(z.shape[0] if N is None else static(N, "N"), "vander")
    from .joining import stack

    z = cast(z, ty.promote(z.dtype, I64))
    columns = [full_like(z, 1)]
    for _ in range(1, n):
        columns.append(e.MUL(columns[-1], z))
    if n == 0:
        return build.zeros((z.shape[0], 0), z.dtype)
    return stack(columns if increasing else columns[::-1], 1)


# ------------------------------------------------------------------------------------------ grids


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Value, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    from .shaping import ravel

    lines = [ravel(x) for x in xi]
    rank = len(lines)
    order = list(range(rank))
    if indexing == "xy" and rank > 1:
        order[0], order[1] = 1, 0
    spread = []
    for line, axis in zip(lines, order, strict=True):
        spread.append(
            RESHAPE(line, shape=tuple(line.shape[0] if d == axis else 1 for d in range(rank)))
        )
    return tuple(spread) if sparse else tuple(build.broadcast(*spread))


@implements(np.indices, creation=True)
def indices(dimensions: Any, dtype: Any = int, sparse: bool = False) -> Any:
    shape, target = extents(dimensions), _dtype(dtype, I64)
    rank = len(shape)
    if sparse:
        lines = (tuple(n if d == k else 1 for d, n in enumerate(shape)) for k in range(rank))
        return tuple(build.iota(s, k, target) for k, s in enumerate(lines))
    if not rank:
        return build.zeros((0,), target)
    grids = (build.iota((1, *shape), k + 1, target) for k in range(rank))
    return CONCATENATE(*grids, axis=0)


@implements(np.fromfunction, creation=True)
def fromfunction(
    function: Callable[..., Any],
    shape: Sequence[Any],
    *,
    dtype: Any = float,
    like: Any = None,
    **kwargs: Any,
) -> Any:
    grid = indices(shape, dtype)
    from .shaping import at

    return function(*(wrap(at(grid, 0, k)) for k in range(len(extents(shape)))), **kwargs)
