"""Reductions over axes: sums, extremes, moments, positions, and their versions that skip NaN.

Result dtypes are NumPy's: sums of narrow integers are 64 bits wide, means of integers are f64. The
variance is taken in two passes (the mean, then the mean of squared distances). Means and variances
of f16 are computed in f32.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import types as ty
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.movement import RESHAPE
from ..ops.reduction import REDUCE, identity
from ..types import BF16, BOOL, F16, F32, F64, I64, U64, DType
from . import ufuncs as u
from .dispatch import axes_of, implements, value

_MISSING = np._NoValue  # type: ignore[attr-defined]  # what NumPy's own wrappers pass for "not given"


def given(x: Any) -> bool:
    """Was an optional argument stated?"""
    return x is not None and x is not _MISSING


def flag(x: Any) -> bool:
    return bool(x) if given(x) else False


def reduce(kind: str, x: Value, axes: tuple[int, ...], keepdims: Any = False) -> Value:
    """The primitive, with the axes kept as extents of 1 if asked."""
    found = REDUCE(x, kind=kind, axes=axes) if axes else x
    return keep(found, x, axes) if flag(keepdims) else found


def keep(found: Value, x: Value, axes: tuple[int, ...]) -> Value:
    """A reduced value with the axes of x back, as extents of 1."""
    return RESHAPE(found, shape=tuple(1 if d in axes else n for d, n in enumerate(x.shape)))


def sum_dtype(dtype: DType) -> DType:
    """The dtype of sums and products of a dtype."""
    if dtype.kind in "bi":
        return I64
    return U64 if dtype.kind == "u" else dtype


def masked(x: Value, where: Any, kind: str) -> Value:
    if where is True or not given(where):
        return x
    return u.where(where, x, full_like(x, identity(kind, x.dtype)))


def _accumulated(
    kind: str, a: Any, axis: Any, dtype: Any, keepdims: Any, initial: Any, where: Any
) -> Value:
    x = value(a)
    x = cast(x, sum_dtype(x.dtype) if not given(dtype) else ty.dtype(dtype))
    if x.dtype is BOOL:
        kind = {"sum": "or", "prod": "and"}[kind]
    x = masked(broadcast_where(x, where), where, kind)
    found = reduce(kind, x, axes_of(axis, len(x.shape)), keepdims)
    if given(initial):
        first = value(initial, x.dtype)
        found = u.add(found, first) if kind == "sum" else u.multiply(found, first)
    return found


def broadcast_where(x: Value, where: Any) -> Value:
    if where is True or not given(where):
        return x
    return build.broadcast_to(x, ty.broadcast_shapes(x.shape, value(where).shape))


@implements(np.sum)
def sum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
        initial: Any = None, where: Any = True) -> Value:  # fmt: skip
    return _accumulated("sum", a, axis, dtype, keepdims, initial, where)


@implements(np.prod)
def prod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
         initial: Any = None, where: Any = True) -> Value:  # fmt: skip
    return _accumulated("prod", a, axis, dtype, keepdims, initial, where)


# ---------------------------------------------------------------------------------------- extremes


def extreme(kind: str, a: Any, axis: Any, keepdims: Any, initial: Any, where: Any) -> Value:
    ufunc = u.maximum if kind == "max" else u.minimum
    x = masked(broadcast_where(value(a), where), where, kind)
    axes = axes_of(axis, len(x.shape))
    if given(initial) and builtins.any(x.shape[d] == 0 for d in axes):
        shape = tuple(n for d, n in enumerate(x.shape) if d not in axes)
        found = build.broadcast_to(value(initial, x.dtype), shape)
        return keep(found, x, axes) if flag(keepdims) else found
    if x.dtype.is_complex:
        found = _extreme_complex(kind, x, axis, keepdims)
    else:
        found = reduce(kind, x, axes, keepdims)
    return ufunc(found, value(initial, x.dtype)) if given(initial) else found


def _extreme_complex(kind: str, x: Value, axis: Any, keepdims: Any) -> Value:
    axes = axes_of(axis, len(x.shape))
    where_ = _complex_hit(kind, x, axes)
    place = _first(where_, axes)
    chosen = e.AND(where_, u.equal(_positions(x, axes), keep(place, x, axes)))
    return reduce("sum", u.where(chosen, x, full_like(x, 0)), axes, keepdims)


def _complex_hit(kind: str, x: Value, axes: tuple[int, ...]) -> Value:
    """Where the extreme by (real, imaginary) stands; where NaNs are, if there is one."""
    re, im = e.REAL(x), e.IMAG(x)
    bad = e.ISNAN(x)
    worst = full_like(re, identity(kind, re.dtype))
    first = e.SELECT(bad, worst, re)
    hit = u.equal(first, reduce(kind, first, axes, True))
    second = e.SELECT(e.AND(hit, e.NOT(bad)), im, worst)
    hit = e.AND(hit, u.equal(second, reduce(kind, second, axes, True)))
    return u.where(reduce("or", bad, axes, True), bad, e.AND(hit, e.NOT(bad)))


@implements(np.max, np.amax)
def max(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
        where: Any = True) -> Value:  # fmt: skip
    return extreme("max", a, axis, keepdims, initial, where)


@implements(np.min, np.amin)
def min(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
        where: Any = True) -> Value:  # fmt: skip
    return extreme("min", a, axis, keepdims, initial, where)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Value:
    return u.subtract(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


def _positions(x: Value, axes: tuple[int, ...]) -> Value:
    """i64: the position of each element among the reduced axes, in C order."""
    found: Any = 0
    for axis in axes:
        place = build.iota(x.shape, axis, I64)
        found = (
            place
            if isinstance(found, int)
            else u.add(u.multiply(found, build.extent(x.shape[axis])), place)
        )
    return found if isinstance(found, Value) else build.zeros(x.shape, I64)


def _first(hit: Value, axes: tuple[int, ...], keepdims: Any = False) -> Value:
    places = _positions(hit, axes)
    count = build.extent(ty.product(hit.shape[d] for d in axes))
    return reduce("min", u.where(hit, places, count), axes, keepdims)


def _place_of(kind: str, a: Any, axis: Any, keepdims: Any) -> Value:
    x = value(a)
    axes = axes_of(axis, len(x.shape))
    if builtins.any(x.shape[d] == 0 for d in axes):
        raise ValueError(f"attempt to get arg{kind} of an empty sequence")
    if x.dtype.is_complex:
        hit = _complex_hit(kind, x, axes)
    else:
        hit = u.equal(x, reduce(kind, x, axes, True))
        if x.dtype.is_float:
            hit = e.OR(hit, e.ISNAN(x))  # with a NaN around no element equals the extreme
    return _first(hit, axes, keepdims)


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Value:
    """The first position of the greatest element; of the first NaN, if there is one."""
    return _place_of("max", a, axis, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Value:
    """The first position of the least element; of the first NaN, if there is one."""
    return _place_of("min", a, axis, keepdims)


# ----------------------------------------------------------------------------------- truth, bits


def _truth(kind: str, a: Any, axis: Any, keepdims: Any, where: Any) -> Value:
    x = cast(value(a), BOOL)
    x = masked(broadcast_where(x, where), where, kind)
    return reduce(kind, x, axes_of(axis, len(x.shape)), keepdims)


@implements(np.any, name="any")
def any_(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True,
         **options: Any) -> Value:  # fmt: skip
    return _truth("or", a, axis, keepdims, where)


@implements(np.all, name="all")
def all_(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True,
         **options: Any) -> Value:  # fmt: skip
    return _truth("and", a, axis, keepdims, where)


def parity(
    a: Any, axis: Any = None, keepdims: Any = False, where: Any = True, **options: Any
) -> Value:
    """logical_xor.reduce: is an odd number of elements true?"""
    return _truth("xor", a, axis, keepdims, where)


def bitwise(kind: str) -> Callable[..., Value]:
    """bitwise_and.reduce and its siblings."""

    def reduction(a: Any, axis: Any = None, keepdims: Any = False, where: Any = True,
                  initial: Any = None, dtype: Any = None) -> Value:  # fmt: skip
        x = value(a)
        x = masked(broadcast_where(x, where), where, kind)
        found = reduce(kind, x, axes_of(axis, len(x.shape)), keepdims)
        if not given(initial):
            return found
        card = {"and": e.AND, "or": e.OR, "xor": e.XOR}[kind]
        return build.binary(card, found, value(initial, x.dtype))

    return reduction


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Value:
    return sum(cast(value(a), BOOL), axis, keepdims=keepdims)


# ----------------------------------------------------------------------------------------- moments


def count_of(x: Value, axes: tuple[int, ...], where: Any = True, keepdims: Any = False) -> Value:
    """How many elements are reduced to one: i64, of shape () when `where` leaves none out."""
    if where is True or not given(where):
        return build.extent(ty.product(x.shape[d] for d in axes))
    chosen = build.broadcast_to(value(where, BOOL), x.shape)
    return reduce("sum", cast(chosen, I64), axes, keepdims)


def _inner(dtype: DType) -> DType:
    """The dtype in which means are taken."""
    if dtype.kind in "biu":
        return F64
    return F32 if dtype in (F16, BF16) else dtype


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *,
         where: Any = True) -> Value:  # fmt: skip
    x = value(a)
    target = ty.dtype(dtype) if given(dtype) else F64 if x.dtype.kind in "biu" else x.dtype
    inner = target if target.kind in "biu" else _inner(target)
    x = broadcast_where(cast(x, inner), where)
    axes = axes_of(axis, len(x.shape))
    total = reduce("sum" if inner is not BOOL else "or", masked(x, where, "sum"), axes, keepdims)
    return cast(u.divide(total, cast(count_of(x, axes, where, keepdims), inner)), target)


def spread(a: Any, axis: Any, dtype: Any, keepdims: Any, ddof: Any, correction: Any, where: Any,
            center: Any) -> Value:  # fmt: skip
    x = value(a)
    target = ty.dtype(dtype) if given(dtype) else F64 if x.dtype.kind in "biu" else x.dtype
    x = broadcast_where(cast(x, _inner(target)), where)
    axes = axes_of(axis, len(x.shape))
    middle = (
        mean(x, axes, keepdims=True, where=where) if not given(center) else value(center, x.dtype)
    )
    distance = u.subtract(x, middle)
    if x.dtype.is_complex:
        re, im = e.REAL(distance), e.IMAG(distance)
        squares, target = e.ADD(e.MUL(re, re), e.MUL(im, im)), target.real
    else:
        squares = e.MUL(distance, distance)
    total = reduce("sum", masked(squares, where, "sum"), axes, keepdims)
    freedom = ddof if not given(correction) else correction
    count = cast(count_of(x, axes, where, keepdims), F64)
    count = u.maximum(u.subtract(count, freedom), 0.0)
    return cast(u.divide(total, cast(count, total.dtype)), target)


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Value:
    return spread(a, axis, dtype, keepdims, ddof, correction, where, mean)


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Value:
    return e.SQRT(spread(a, axis, dtype, keepdims, ddof, correction, where, mean))


def logaddexp_reduce(a: Any, axis: Any = None, keepdims: Any = False, where: Any = True,
                     initial: Any = None, dtype: Any = None) -> Value:  # fmt: skip
    """log of the sum of exponentials, stable: the greatest element is taken out first."""
    x = value(a)
    if x.dtype.kind in "biu":
        x = cast(x, F64)
    x = masked(broadcast_where(x, where), where, "max")
    axes = axes_of(axis, len(x.shape))
    greatest = reduce("max", x, axes, True)
    finite = u.where(u.isfinite(greatest), greatest, full_like(greatest, 0))
    total = reduce("sum", e.EXP(u.subtract(x, finite)), axes, True)
    found = u.add(e.LOG(total), finite)
    if not flag(keepdims):
        found = RESHAPE(found, shape=tuple(n for d, n in enumerate(x.shape) if d not in axes))
    return u.RAW[np.logaddexp](found, initial) if given(initial) else found


any, all = any_, all_
