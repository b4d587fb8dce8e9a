"""Functions that repeat, turn, roll and edit arrays, and those that call a function for lanes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import types as ty
from ..errors import TraceError, TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops.movement import CONCATENATE, SLICE
from . import ufuncs as u
from .dispatch import axes_of, axis_of, extents, implements, number, static, value, wrap
from .joining import stack
from .shaping import at, expand, moveaxis, part, pick, ravel, reshape, swapaxes


@implements(np.tile)
def tile(A: Any, reps: Any) -> Value:
    x = value(A)
    counts = extents(reps)
    rank = max(len(counts), len(x.shape))
    shape = (*(1,) * (rank - len(x.shape)), *x.shape)
    counts = (*(1,) * (rank - len(counts)), *counts)
    pairs = tuple(e for c, n in zip(counts, shape, strict=True) for e in (c, n))
    spread = build.broadcast_to(reshape(x, tuple(e for n in shape for e in (1, n))), pairs)
    return reshape(spread, tuple(c * n for c, n in zip(counts, shape, strict=True)))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Value:
    x = value(a)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, len(x.shape))
    counts = static(repeats, "repeats")
    if isinstance(counts, ty.Dim) or np.ndim(counts) == 0 or np.size(counts) == 1:
        (count,) = extents(counts)
        wide = expand(x, (axis + 1,))
        shape = (*x.shape[: axis + 1], count, *x.shape[axis + 1 :])
        merged = (*x.shape[:axis], x.shape[axis] * count, *x.shape[axis + 1 :])
        return reshape(build.broadcast_to(wide, shape), merged)
    n = number(x.shape[axis], "repeat by an array")
    return pick(x, np.repeat(np.arange(n), np.asarray(counts)), axis)


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Value:
    x = value(m)
    axes = axes_of(axis, len(x.shape))
    if not axes:
        return x
    start = tuple(n - 1 if d in axes and n != 0 else 0 for d, n in enumerate(x.shape))
    step = tuple(-1 if d in axes else 1 for d in range(len(x.shape)))
    return SLICE(x, start=start, shape=x.shape, step=step)


@implements(np.flipud)
def flipud(m: Any) -> Value:
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Value:
    return flip(m, 1)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Value:
    x = value(m)
    i, j = axes_of(tuple(axes), len(x.shape))
    k %= 4
    if k == 0:
        return x
    if k == 2:
        return flip(x, (i, j))
    if k == 1:
        return swapaxes(flip(x, j), i, j)
    return flip(swapaxes(x, i, j), j)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Value:
    """The shift may be traced: then elements are taken by computed places."""
    x = value(a)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,)
    if isinstance(shift, np.ndarray):
        shifts = shift.ravel().tolist()
    count = max(len(axes), len(shifts))
    for one, by in zip(
        tuple(axes) * (count // len(axes)), tuple(shifts) * (count // len(shifts)), strict=True
    ):
        x = _rolled(x, by, axis_of(one, len(x.shape)))
    return x


def _rolled(x: Value, shift: Any, axis: int) -> Value:
    n = x.shape[axis]
    if not isinstance(n, ty.Dim) and n == 0:
        return x
    if isinstance(shift, (int, np.integer)) and not isinstance(n, ty.Dim):
        cut = (n - int(shift)) % n
        if cut == 0:
            return x
        return CONCATENATE(part(x, axis, cut, n), part(x, axis, 0, cut), axis=axis)
    places = u.remainder(u.subtract(build.iota((n,), 0), value(shift, ty.I64)), build.extent(n))
    return pick(x, places, axis)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Value:
    x, shape = ravel(a), extents(new_shape)
    total = number(ty.product(shape), "resize")
    n = number(x.shape[0], "resize")
    if n == 0 or total == 0:
        return build.zeros(shape, x.dtype)
    return reshape(pick(x, np.arange(total) % n, 0), shape)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Value:
    x = value(arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, len(x.shape))
    kept = np.delete(np.arange(number(x.shape[axis], "delete")), static(obj, "what is deleted"))
    return pick(x, kept, axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Value:
    """The places are static; the values may be traced."""
    x = value(arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, len(x.shape))
    n = number(x.shape[axis], "insert")
    places = static(obj, "where elements are inserted")
    new = value(values, x.dtype)
    scalar = not isinstance(places, slice) and np.ndim(places) == 0
    if scalar and len(new.shape) > 0 and len(new.shape) < len(x.shape) + 1:
        # np.insert(x, i, v, axis): v has the shape of x without that axis, or is moved there
        new = reshape(new, (*(1,) * (len(x.shape) - len(new.shape)), *new.shape))
        new = moveaxis(new, 0, axis)
    where = np.insert(np.zeros(n, np.int64), places, 1 if not scalar or not new.shape else
                      np.ones(number(new.shape[axis], "insert"), np.int64))  # fmt: skip
    count = int(where.sum())
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    both = CONCATENATE(x, build.broadcast_to(new, shape), axis=axis)
    # NumPy places the k-th value at the k-th stated index, whatever their order
    order = np.empty(n + count, np.int64)
    order[where == 0] = np.arange(n)
    order[where == 1] = n + _insertion_order(places, n, count)
    return pick(both, order, axis)


def _insertion_order(places: Any, n: int, count: int) -> np.ndarray:
    if isinstance(places, slice) or np.ndim(places) == 0:
        return np.arange(count)
    spots = np.asarray(places)
    if spots.dtype == bool:
        return np.arange(count)
    if spots.size == 1:
        return np.arange(count)
    return np.argsort(np.where(spots < 0, spots + n, spots), kind="stable")


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Value, ...]:
    found = []
    for k, one in enumerate(args):
        x = value(one)
        if len(x.shape) != 1:
            raise ValueError("Cross index must be 1 dimensional")
        if x.dtype is ty.BOOL:
            raise TraceError(
                "ix_ of a traced mask has a shape that depends on data; use where(mask, x, 0)"
            )
        found.append(reshape(x, tuple(x.shape[0] if d == k else 1 for d in range(len(args)))))
    return tuple(found)


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls the function for every lane: for few lanes. Write the function over arrays where there
    are many.
    """
    x = value(arr)
    axis = axis_of(axis, len(x.shape))
    rest = tuple(number(n, "apply_along_axis") for d, n in enumerate(x.shape) if d != axis)
    lanes = reshape(
        moveaxis(x, axis, -1), (-1, x.shape[axis]) if 0 not in rest else (0, x.shape[axis])
    )
    count = int(np.prod(rest))
    if count > 1024:
        raise TraceError(
            f"apply_along_axis would unroll {count} lanes; write the function over whole arrays"
        )
    results = [value(func1d(wrap(at(lanes, 0, k)), *args, **kwargs)) for k in range(count)]
    if not results:
        raise TypeMismatch("apply_along_axis needs at least one lane")
    inner = results[0].shape
    found = reshape(stack(results), (*rest, *inner))
    places = tuple(range(len(rest), len(rest) + len(inner)))
    return moveaxis(found, places, tuple(range(axis, axis + len(inner))))


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    x = wrap(value(a))
    for axis in axes if isinstance(axes, (tuple, list)) else (axes,):
        rank = len(value(x).shape)
        found = func(x, axis)
        x = found if len(value(found).shape) == rank else wrap(expand(value(found), (axis % rank,)))
    return x
