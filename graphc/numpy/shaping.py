"""Functions that move elements: reshape, transpose, join, split, repeat, roll... (padding.py holds
pad and windows.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError, TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops.build import cast
from ..ops.indexing import GATHER
from ..ops.movement import CONCATENATE, RESHAPE, SLICE, TRANSPOSE
from ..types import Extent
from . import ufuncs as u
from .dispatch import axes_of, axis_of, extents, implements, number, static, value, wrap

# ------------------------------------------------------------------------------ parts of an array


def part(x: Value, axis: int, start: Extent, stop: Extent, step: int = 1) -> Value:
    """x[start:stop:step] along one axis; start and stop lie within it; a negative step walks down
    to above stop.
    """
    axis = axis % len(x.shape)
    if start == 0 and step == 1 and stop == x.shape[axis]:
        return x
    length = stop - start
    count = length if step == 1 else (length + (step - 1 if step > 0 else step + 1)) // step
    starts: list[Extent] = [0] * len(x.shape)
    shape, steps = list(x.shape), [1] * len(x.shape)
    starts[axis], shape[axis], steps[axis] = start, count, step
    return SLICE(x, start=tuple(starts), shape=tuple(shape), step=tuple(steps))


def at(x: Value, axis: int, position: Extent) -> Value:
    """x with one position of an axis, which vanishes."""
    axis = axis % len(x.shape)
    one = part(x, axis, position, position + 1)
    return RESHAPE(one, shape=(*x.shape[:axis], *x.shape[axis + 1 :]))


def pick(x: Value, index: Any, axis: int) -> Value:
    """x at integer positions along an axis (known to be inside): the axis becomes the index's
    axes.
    """
    places = value(index)
    found = GATHER(x, places, axes=(axis,), mode="promise")
    rank = len(places.shape)
    order = (*range(rank, rank + axis), *range(rank), *range(rank + axis, len(found.shape)))
    return transpose(found, order)


def expand(x: Value, axes: Sequence[int]) -> Value:
    """x with axes of extent 1 at these places of the result."""
    shape = list(x.shape)
    for axis in sorted(axes):
        shape.insert(axis, 1)
    return RESHAPE(x, shape=tuple(shape)) if axes else x


# ---------------------------------------------------------------------------------------- reshape


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Value:
    """One extent may be -1; order is "C" or "F"."""
    x = value(a)
    target = _with_free_extent(x, shape)
    if order in ("F", "f"):
        return transpose(reshape(transpose(x), target[::-1]))
    return x if x.shape == target else RESHAPE(x, shape=target)


def _with_free_extent(x: Value, shape: Any) -> tuple[Extent, ...]:
    static(shape, "a shape")
    if isinstance(shape, np.ndarray):
        shape = shape.tolist()
    wanted = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    free = [k for k, n in enumerate(wanted) if not isinstance(n, ty.Dim) and n == -1]
    if not free:
        return extents(wanted)
    if len(free) > 1:
        raise ShapeMismatch("can only specify one unknown dimension")
    rest = ty.product(extents(wanted[: free[0]] + wanted[free[0] + 1 :]))
    if not isinstance(rest, ty.Dim) and rest == 0:
        raise ShapeMismatch(f"cannot reshape {x.type} into shape {wanted}")
    missing = x.type.size // rest
    if missing * rest != x.type.size:
        raise ShapeMismatch(
            f"cannot reshape {x.type} of {x.type.size} elements into shape {wanted}"
        )
    return extents((*wanted[: free[0]], missing, *wanted[free[0] + 1 :]))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Value:
    x = value(a)
    return reshape(x, (x.type.size,), order)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Value:
    x = value(a)
    rank = len(x.shape)
    order = tuple(range(rank))[::-1] if axes is None else axes_of(tuple(axes), rank)
    if len(order) != rank:
        raise ShapeMismatch(f"axes {axes} do not match {x.type}")
    return x if order == tuple(range(rank)) else TRANSPOSE(x, axes=order)


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Value:
    z = value(x)
    if len(z.shape) < 2:
        raise ShapeMismatch(f"matrix_transpose takes at least two axes, got {z.type}")
    return swapaxes(z, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Value:
    x = value(a)
    order = list(range(len(x.shape)))
    i, j = axis_of(axis1, len(order)), axis_of(axis2, len(order))
    order[i], order[j] = order[j], order[i]
    return transpose(x, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Value:
    x = value(a)
    rank = len(x.shape)
    froms, tos = axes_of(source, rank), axes_of(destination, rank)
    if len(froms) != len(tos):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [d for d in range(rank) if d not in froms]
    for to, from_ in sorted(zip(tos, froms, strict=True)):
        order.insert(to, from_)
    return transpose(x, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Value:
    x = value(a)
    rank = len(x.shape)
    axis, start = axis_of(axis, rank), start + rank if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Value:
    x = value(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    return expand(x, axes_of(axis, len(x.shape) + count))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Value:
    x = value(a)
    if axis is None:
        gone = tuple(d for d, n in enumerate(x.shape) if n == 1)
    else:
        gone = axes_of(axis, len(x.shape))
        if any(x.shape[d] != 1 for d in gone):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in gone))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Value:
    return build.broadcast_to(value(array), extents(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Value, ...]:
    return build.broadcast(*(value(x) for x in args))


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    return _atleast(arys, lambda x: x if x.shape else reshape(x, (1,)))


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    return _atleast(arys, lambda x: x if len(x.shape) > 1 else reshape(x, (1, *(x.shape or (1,)))))


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    def one(x: Value) -> Value:
        rank = len(x.shape)
        if rank > 2:
            return x
        return reshape(x, ((1, 1, 1), (1, *x.shape, 1), (*x.shape, 1))[rank])

    return _atleast(arys, one)


def _atleast(arrays: Sequence[Any], one: Any) -> Any:
    found = tuple(one(value(x)) for x in arrays)
    return found[0] if len(found) == 1 else found


# ------------------------------------------------------------------------------------ join, split


def _list(arrays: Any) -> list[Any]:
    if isinstance(arrays, (list, tuple)):
        return list(arrays)
    x = value(arrays)
    return [at(x, 0, k) for k in range(number(x.shape[0], "a sequence of arrays"))]


@implements(np.concatenate)
def concatenate(arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None,
                casting: str = "same_kind") -> Value:  # fmt: skip
    parts = _list(arrays)
    if not parts:
        raise ValueError("need at least one array to concatenate")
    # lists inside are arrays of their own: a Python number in them is no longer weak
    target = u.result_dtype(*(value(p) for p in parts)) if dtype is None else ty.dtype(dtype)
    values = [cast(value(p), target) for p in parts]
    if axis is None:
        values, axis = [ravel(v) for v in values], 0
    if not values[0].shape:
        raise ShapeMismatch("zero-dimensional arrays cannot be concatenated")
    axis = axis_of(axis, len(values[0].shape))
    return values[0] if len(values) == 1 else CONCATENATE(*values, axis=axis)


@implements(np.stack)
def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Value:
    values = [value(a) for a in _list(arrays)]
    if not values:
        raise ValueError("need at least one array to stack")
    if any(v.shape != values[0].shape for v in values):
        raise ShapeMismatch("all input arrays must have the same shape")
    axis = axis_of(axis, len(values[0].shape) + 1)
    return concatenate([expand(v, (axis,)) for v in values], axis, dtype=dtype)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    return concatenate([atleast_2d(x) for x in _list(tup)], 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    parts = [atleast_1d(x) for x in _list(tup)]
    return concatenate(parts, 0 if len(parts[0].shape) == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Value:
    return concatenate([atleast_3d(x) for x in _list(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Value:
    parts = [value(x) for x in _list(tup)]
    return concatenate([reshape(x, (x.type.size, 1)) if len(x.shape) < 2 else x for x in parts], 1)


@implements(np.block)
def block(arrays: Any) -> Value:
    depth = _depth(arrays)
    rank = max([depth, *(len(value(x).shape) for x in _flat(arrays))])

    def joined(x: Any, level: int) -> Value:
        if not isinstance(x, list):
            v = value(x)
            return reshape(v, (*(1,) * (rank - len(v.shape)), *v.shape))
        return concatenate([joined(one, level + 1) for one in x], rank - depth + level)

    return joined(arrays, 0)


def _depth(x: Any) -> int:
    return 1 + max((_depth(one) for one in x), default=0) if isinstance(x, list) else 0


def _flat(x: Any) -> list[Any]:
    return [leaf for one in x for leaf in _flat(one)] if isinstance(x, list) else [x]


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Value:
    return concatenate((arr, values), axis)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    x = value(ary)
    axis = axis_of(axis, len(x.shape))
    n = x.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if count <= 0:
            raise ValueError("number sections must be larger than 0.")
        if isinstance(n, ty.Dim):
            if n % count != 0:
                raise TraceError(
                    f"the extent {n} is not surely a multiple of {count}; split at stated places"
                )
            cuts: list[Extent] = [k * (n // count) for k in range(1, count)]
        else:
            each, extra = divmod(n, count)
            cuts = [k * each + min(k, extra) for k in range(1, count)]
    else:
        places = static(indices_or_sections, "the places of a split")
        cuts = [_inside(p, n) for p in places]
    edges = [0, *cuts, n]
    return [
        part(x, axis, low, max(low, high) if not _symbolic(low, high) else high)
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]


def _symbolic(*extents_: Extent) -> bool:
    return any(isinstance(x, ty.Dim) for x in extents_)


def _inside(place: Any, n: Extent) -> Extent:
    """A slice bound within an axis, as in Python."""
    if _symbolic(place, n):
        return n + place if not _symbolic(place) and place < 0 else place
    return slice(int(place), None).indices(int(n))[0]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    x = value(ary)
    n = x.shape[axis_of(axis, len(x.shape))]
    if isinstance(indices_or_sections, (int, np.integer)) and n % int(indices_or_sections) != 0:
        raise ValueError("array split does not result in an equal division")
    return array_split(x, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    x = value(ary)
    return split(x, indices_or_sections, 1 if len(x.shape) > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Value, ...]:
    z = value(x)
    axis = axis_of(axis, len(z.shape))
    return tuple(at(z, axis, k) for k in range(number(z.shape[axis], "unstack")))


# ---------------------------------------------------------------------------------- repeat, turn


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
